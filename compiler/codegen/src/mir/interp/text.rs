//! The functions that make new texts, and those that the prelude's methods of `str` ask besides the compiler's own.

use super::{Machine, Stop, format};
use crate::host_calls as names;
use vaisjit_syntax::ast::FormatSpec;

/// Calls a text function; nothing if it is none.
pub fn call(name: &str, arguments: &[u64], machine: &mut Machine) -> Result<Option<u64>, Stop> {
    if let Some(number) = asked(name, arguments, machine)? {
        return Ok(Some(number as u64));
    }
    match made(name, arguments, machine)? {
        Some(text) => machine.new_str(&text).map(Some),
        None => Ok(None),
    }
}

fn asked(name: &str, arguments: &[u64], machine: &Machine) -> Result<Option<i64>, Stop> {
    let at = |found: Option<usize>| found.map_or(-1, |at| at as i64);
    Ok(Some(match (name, arguments) {
        ("str_last_index_of", [text, part]) => at(string(*text, machine)?.rfind(&string(*part, machine)?)),
        ("str_index_from", [text, part, from]) => {
            let text = string(*text, machine)?;
            let from = boundary(text.as_bytes(), *from as i64);
            at(text[from..].find(&string(*part, machine)?).map(|found| from + found))
        }
        ("str_char_count", [text]) => string(*text, machine)?.chars().count() as i64,
        _ => return Ok(None),
    }))
}

fn made(name: &str, arguments: &[u64], machine: &Machine) -> Result<Option<Vec<u8>>, Stop> {
    let text = |index: usize| string(arguments.get(index).copied().unwrap_or(0), machine);
    let number = |index: usize| arguments.get(index).copied().unwrap_or(0) as i64;
    Ok(Some(match name {
        names::STR_CONCAT => {
            let mut joined = machine.text(number(0) as u64)?;
            joined.extend(machine.text(number(1) as u64)?);
            joined
        }
        names::STR_FROM_C if number(0) == 0 => Vec::new(),
        names::STR_FROM_C => machine.memory.c_string(number(0) as u64)?,
        "str_slice" => {
            let bytes = machine.text(number(0) as u64)?;
            let (from, to) = (boundary(&bytes, number(1)), boundary(&bytes, number(2)));
            bytes.get(from..to).unwrap_or_default().to_vec()
        }
        "str_trim" => text(0)?.trim().into(),
        "str_trim_start" => text(0)?.trim_start().into(),
        "str_trim_end" => text(0)?.trim_end().into(),
        "str_to_upper" => text(0)?.to_uppercase().into(),
        "str_to_lower" => text(0)?.to_lowercase().into(),
        "str_replace" => text(0)?.replace(&text(1)?, &text(2)?).into(),
        "str_repeat" => text(0)?.repeat(number(1).max(0) as usize).into(),
        "str_reverse" => text(0)?.chars().rev().collect::<String>().into(),
        "str_from_char" => {
            let code = u32::try_from(number(0)).ok();
            code.and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER).to_string().into()
        }
        "str_from_i64" => number(0).to_string().into(),
        "str_from_f64" => format::float(f64::from_bits(number(0) as u64), &FormatSpec::default()).into(),
        _ => return Ok(None),
    }))
}

fn string(value: u64, machine: &Machine) -> Result<String, Stop> {
    Ok(String::from_utf8_lossy(&machine.text(value)?).into_owned())
}

/// A byte offset within a text, moved down to the start of a character.
fn boundary(bytes: &[u8], offset: i64) -> usize {
    let mut at = offset.clamp(0, bytes.len() as i64) as usize;
    while at > 0 && bytes.get(at).is_some_and(|byte| byte & 0xc0 == 0x80) {
        at -= 1;
    }
    at
}
