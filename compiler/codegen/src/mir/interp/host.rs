//! Host functions of the interpreter: the compiler's own, as the standard library implements them, and the usual names
//! of libc.

use vaisjit_abi::TrapCode;
use vaisjit_semantics::Ty;
use vaisjit_syntax::Name;
use vaisjit_syntax::ast::FormatSpec;

use super::{Machine, Stop, arith, format, libc};
use crate::host_calls as names;

/// An argument: its bits and its type.
pub type Argument = (u128, Ty);

/// Functions outside the program.
pub trait Host {
    /// A host function.
    fn call(&mut self, name: Name, arguments: &[Argument], result: Ty, machine: &mut Machine) -> Result<u128, Stop>;

    /// A C function; by default libc's usual names.
    fn call_c(&mut self, name: Name, arguments: &[Argument], result: Ty, machine: &mut Machine) -> Result<u128, Stop> {
        libc::call(name, arguments, result, machine)
    }
}

/// What the compiler relies on ([`crate::host_calls`]) and what the prelude offers beyond it.
#[derive(Clone, Copy, Debug, Default)]
pub struct StdHost;

impl Host for StdHost {
    fn call(&mut self, name: Name, arguments: &[Argument], result: Ty, machine: &mut Machine) -> Result<u128, Stop> {
        if let Some(text) = print(&name, arguments, machine)? {
            machine.captured.as_mut().unwrap_or(&mut machine.output).extend(text.as_bytes());
            return Ok(0);
        }
        match name.as_str() {
            names::TEXT_BEGIN => {
                machine.captured = Some(Vec::new());
                Ok(0)
            }
            names::TEXT_TAKE => {
                let text = machine.captured.take().unwrap_or_default();
                Ok(u128::from(machine.new_str(&text)?))
            }
            _ => other(name, arguments, result, machine),
        }
    }
}

fn other(name: Name, arguments: &[Argument], result: Ty, machine: &mut Machine) -> Result<u128, Stop> {
    if let Some(bits) = text(&name, arguments, machine)? {
        return Ok(bits);
    }
    let words: Vec<u64> = arguments.iter().map(|(bits, _)| *bits as u64).collect();
    if let Some(bits) = machine.heap_call(&name, &words)? {
        return Ok(bits.into());
    }
    match super::text::call(&name, &words, machine)? {
        Some(bits) => Ok(bits.into()),
        None => compare(name, arguments, result, machine),
    }
}

/// What the methods of `str` ask.
fn text(name: &str, arguments: &[Argument], machine: &Machine) -> Result<Option<u128>, TrapCode> {
    let argument = |index: usize| arguments.get(index).map_or(0, |(bits, _)| *bits as u64);
    let text = |index: usize| Ok::<_, TrapCode>(String::from_utf8_lossy(&machine.text(argument(index))?).into_owned());
    let bits = |value: i64| arith::bits_of(i128::from(value), Ty::i64());
    let integer = |text: String| text.trim().parse::<i64>();
    let float = |text: String| text.trim().parse::<f64>();
    let at = |found: Option<i64>| bits(found.unwrap_or(-1));
    Ok(Some(match name {
        names::STR_CONTAINS => u128::from(text(0)?.contains(&text(1)?)),
        names::STR_STARTS_WITH => u128::from(text(0)?.starts_with(&text(1)?)),
        names::STR_ENDS_WITH => u128::from(text(0)?.ends_with(&text(1)?)),
        names::STR_INDEX_OF => at(text(0)?.find(&text(1)?).map(|at| at as i64)),
        names::STR_BYTE_AT => at(text(0)?.as_bytes().get(argument(1) as usize).map(|byte| i64::from(*byte))),
        names::STR_CHAR_AT => at(text(0)?.chars().nth(argument(1) as usize).map(|c| i64::from(u32::from(c)))),
        names::STR_PARSE_I64_OK => u128::from(integer(text(0)?).is_ok()),
        names::STR_PARSE_I64 => bits(integer(text(0)?).unwrap_or(0)),
        names::STR_PARSE_F64_OK => u128::from(float(text(0)?).is_ok()),
        names::STR_PARSE_F64 => arith::float_bits(float(text(0)?).unwrap_or(0.0), Ty::f64()),
        _ => return Ok(None),
    }))
}

fn compare(name: Name, arguments: &[Argument], result: Ty, machine: &mut Machine) -> Result<u128, Stop> {
    match (name.as_str(), arguments) {
        (names::STR_EQ, [left, right]) => Ok(u128::from(machine.text(left.0 as u64)? == machine.text(right.0 as u64)?)),
        (names::STR_CMP, [left, right]) => {
            let order = machine.text(left.0 as u64)?.cmp(&machine.text(right.0 as u64)?);
            Ok(arith::bits_of(order as i128, Ty::i64()))
        }
        _ => libc::call(name, arguments, result, machine),
    }
}

/// The text a printing function writes.
fn print(name: &str, arguments: &[Argument], machine: &Machine) -> Result<Option<String>, TrapCode> {
    let (value, ty) = arguments.first().copied().unwrap_or((0, Ty::i64()));
    let spec = match arguments {
        [_, (flags, _), (sizes, _)] => names::unpack(*flags as i64, *sizes as i64),
        _ => FormatSpec::default(),
    };
    Ok(Some(match name {
        names::PRINT_STR | names::PRINT_STR_SPEC => {
            let text = machine.text(value as u64)?;
            format::text(&String::from_utf8_lossy(&text), &spec)
        }
        names::PRINT_I64 | names::PRINT_I128 | names::PRINT_I64_SPEC | names::PRINT_I128_SPEC => {
            format::signed(arith::int_of(value, ty), arith::bits_of(-1, ty), &spec)
        }
        names::PRINT_U64 | names::PRINT_U128 | names::PRINT_U64_SPEC | names::PRINT_U128_SPEC => {
            format::unsigned(value, &spec)
        }
        names::PRINT_F64 | names::PRINT_F64_SPEC => format::float(arith::float_of(value, ty), &spec),
        names::PRINT_PTR => format!("{:#x}", value as u64),
        _ => return Ok(None),
    }))
}
