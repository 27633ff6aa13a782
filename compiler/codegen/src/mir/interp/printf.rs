//! The `printf` family over simulated memory.

use vaisjit_abi::TrapCode;
use vaisjit_semantics::TyKind;

use super::host::Argument;
use super::{Machine, arith};

/// One `%` directive.
#[derive(Default)]
struct Directive {
    left: bool,
    plus: bool,
    space: bool,
    alternate: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
    /// Bits of an integer argument by its length letters.
    bits: u32,
    letter: u8,
}

/// The bytes a format and its arguments make.
pub fn format(format: &[u8], arguments: &[Argument], machine: &Machine) -> Result<Vec<u8>, TrapCode> {
    let mut output = Vec::new();
    let mut arguments = arguments.iter();
    let mut rest = format;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'%' {
            output.push(byte);
            continue;
        }
        let directive = parse(&mut rest, &mut arguments);
        expand(&directive, &mut arguments, machine, &mut output)?;
    }
    Ok(output)
}

fn parse(rest: &mut &[u8], arguments: &mut std::slice::Iter<'_, Argument>) -> Directive {
    let mut directive = Directive { bits: 32, ..Directive::default() };
    while let Some(flag @ (b'-' | b'+' | b' ' | b'#' | b'0')) = rest.first().copied() {
        match flag {
            b'-' => directive.left = true,
            b'+' => directive.plus = true,
            b' ' => directive.space = true,
            b'#' => directive.alternate = true,
            _ => directive.zero = true,
        }
        *rest = &rest[1..];
    }
    let width = number(rest, arguments);
    directive.left |= width < 0;
    directive.width = width.unsigned_abs() as usize;
    if rest.first() == Some(&b'.') {
        *rest = &rest[1..];
        directive.precision = usize::try_from(number(rest, arguments)).ok();
    }
    while let Some(letter @ (b'l' | b'h' | b'z' | b'j' | b't' | b'L' | b'q')) = rest.first().copied() {
        directive.bits = match letter {
            b'h' => directive.bits / 2,
            _ => 64,
        };
        *rest = &rest[1..];
    }
    if let Some((&letter, tail)) = rest.split_first() {
        directive.letter = letter;
        *rest = tail;
    }
    directive
}

fn number(rest: &mut &[u8], arguments: &mut std::slice::Iter<'_, Argument>) -> i64 {
    if rest.first() == Some(&b'*') {
        *rest = &rest[1..];
        return arguments.next().map_or(0, |(bits, ty)| arith::int_of(*bits, *ty) as i64);
    }
    let mut value = 0i64;
    while let Some(digit @ b'0'..=b'9') = rest.first().copied() {
        value = value.saturating_mul(10).saturating_add(i64::from(digit - b'0'));
        *rest = &rest[1..];
    }
    value
}

fn expand(
    directive: &Directive,
    arguments: &mut std::slice::Iter<'_, Argument>,
    machine: &Machine,
    output: &mut Vec<u8>,
) -> Result<(), TrapCode> {
    if directive.letter == b'%' {
        output.push(b'%');
        return Ok(());
    }
    let Some(&(bits, ty)) = arguments.next() else { return Ok(()) };
    let masked = || bits & (u128::MAX >> (128 - directive.bits));
    let (sign, digits) = match directive.letter {
        b'd' | b'i' => {
            let unused = 128 - directive.bits;
            let value = (arith::int_of(bits, ty) << unused) >> unused;
            (sign(directive, value < 0), whole(directive, value.unsigned_abs().to_string()))
        }
        b'u' => ("", whole(directive, masked().to_string())),
        b'x' => (if directive.alternate { "0x" } else { "" }, whole(directive, format!("{:x}", masked()))),
        b'X' => (if directive.alternate { "0X" } else { "" }, whole(directive, format!("{:X}", masked()))),
        b'o' => (if directive.alternate { "0" } else { "" }, whole(directive, format!("{:o}", masked()))),
        b'p' => ("0x", format!("{:x}", bits as u64)),
        b'c' => return pad(directive, "", &[bits as u8], false, output),
        b's' => {
            let text = string(bits as u64, ty.kind(), machine)?;
            let most = directive.precision.unwrap_or(text.len()).min(text.len());
            return pad(directive, "", &text[..most], false, output);
        }
        _ => {
            let value = arith::float_of(bits, ty);
            (sign(directive, value.is_sign_negative() && !value.is_nan()), float(directive, value.abs()))
        }
    };
    let is_float = matches!(directive.letter, b'f' | b'F' | b'e' | b'E' | b'g' | b'G');
    let zeros = directive.zero && !directive.left && (is_float || directive.precision.is_none());
    pad(directive, sign, digits.as_bytes(), zeros, output)
}

fn string(address: u64, kind: &TyKind, machine: &Machine) -> Result<Vec<u8>, TrapCode> {
    match (address, kind) {
        (0, TyKind::Str) => Ok(Vec::new()),
        (0, _) => Ok(b"(null)".to_vec()),
        _ => machine.memory.c_string(address),
    }
}

fn sign(directive: &Directive, negative: bool) -> &'static str {
    match (negative, directive.plus, directive.space) {
        (true, ..) => "-",
        (false, true, _) => "+",
        (false, false, true) => " ",
        (false, false, false) => "",
    }
}

fn whole(directive: &Directive, digits: String) -> String {
    let least = directive.precision.unwrap_or(1);
    if least == 0 && digits == "0" {
        return String::new();
    }
    format!("{}{digits}", "0".repeat(least.saturating_sub(digits.len())))
}

fn float(directive: &Directive, value: f64) -> String {
    if !value.is_finite() {
        return if value.is_nan() { "nan".to_owned() } else { "inf".to_owned() };
    }
    let precision = directive.precision.unwrap_or(6);
    let text = match directive.letter.to_ascii_lowercase() {
        b'e' => exponent(value, precision),
        b'g' => shortest(directive, value, precision.max(1)),
        _ => format!("{value:.precision$}"),
    };
    if directive.letter.is_ascii_uppercase() { text.to_uppercase() } else { text }
}

fn exponent(value: f64, precision: usize) -> String {
    let text = format!("{value:.precision$e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

fn shortest(directive: &Directive, value: f64, precision: usize) -> String {
    let text = exponent(value, precision - 1);
    let power: i32 = text.split_once('e').and_then(|(_, power)| power.parse().ok()).unwrap_or(0);
    let strip = |text: &str| match text.contains('.') && !directive.alternate {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    if power < -4 || power >= precision as i32 {
        let (digits, power) = text.split_once('e').unwrap_or((&text, "+00"));
        return format!("{}e{power}", strip(digits));
    }
    let decimals = (precision as i32 - 1 - power).max(0) as usize;
    strip(&format!("{value:.decimals$}"))
}

fn pad(directive: &Directive, sign: &str, body: &[u8], zeros: bool, output: &mut Vec<u8>) -> Result<(), TrapCode> {
    let missing = directive.width.saturating_sub(sign.len() + body.len());
    let fill = |output: &mut Vec<u8>, byte: u8| output.extend(std::iter::repeat_n(byte, missing));
    if !directive.left && !zeros {
        fill(output, b' ');
    }
    output.extend(sign.as_bytes());
    if zeros {
        fill(output, b'0');
    }
    output.extend(body);
    if directive.left {
        fill(output, b' ');
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use vaisjit_semantics::{Checked, Ty};

    use super::*;
    use crate::layout::TypeLayouts;

    fn check(text: &str, arguments: &[Argument], expected: &str) {
        let program = Checked::default();
        let layouts = TypeLayouts::new(&program);
        let made = format(text.as_bytes(), arguments, &Machine::new(&program, &layouts)).unwrap();
        assert_eq!(String::from_utf8(made).unwrap(), expected, "{text}");
    }

    #[test]
    fn follows_c() {
        let int = |value: i64| (u128::from(value as u64), Ty::i64());
        let float = |value: f64| (u128::from(value.to_bits()), Ty::f64());
        check("%d|%5d|%-5d|%05ld|%+d", &[int(7), int(7), int(7), int(-7), int(7)], "7|    7|7    |-0007|+7");
        check(
            "%ld %u %x %#X %o",
            &[int(1 << 40), int(-1), int(255), int(255), int(8)],
            "1099511627776 4294967295 ff 0XFF 10",
        );
        check(
            "%f %.2f %8.1f %e %g %g",
            &[float(1.5), float(2.345), float(-1.25), float(12345.678), float(0.0001), float(1e10)],
            "1.500000 2.35     -1.2 1.234568e+04 0.0001 1e+10",
        );
        check("%c%%%*d", &[int(65), int(4), int(9)], "A%   9");
    }
}
