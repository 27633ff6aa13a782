//! Formats of interpolated values, as in Rust; floats have six decimals unless the format says otherwise.

use vaisjit_syntax::ast::FormatSpec;

/// A text.
pub fn text(text: &str, spec: &FormatSpec) -> String {
    let body: String = match (spec.kind, spec.precision) {
        (Some('?'), _) => format!("{text:?}"),
        (_, Some(most)) => text.chars().take(most as usize).collect(),
        (_, None) => text.to_owned(),
    };
    padded(&body, spec, '<')
}

/// A signed integer; `mask` has the bits of its type.
pub fn signed(value: i128, mask: u128, spec: &FormatSpec) -> String {
    if in_base(spec) {
        return unsigned(value as u128 & mask, spec);
    }
    number(value < 0, "", &magnitude(value.unsigned_abs(), spec), spec)
}

/// An unsigned integer.
pub fn unsigned(value: u128, spec: &FormatSpec) -> String {
    let (prefix, digits) = match spec.kind {
        Some('x') => ("0x", format!("{value:x}")),
        Some('X') => ("0x", format!("{value:X}")),
        Some('b') => ("0b", format!("{value:b}")),
        Some('o') => ("0o", format!("{value:o}")),
        _ => ("", magnitude(value, spec)),
    };
    number(false, if spec.alternate { prefix } else { "" }, &digits, spec)
}

fn in_base(spec: &FormatSpec) -> bool {
    matches!(spec.kind, Some('x' | 'X' | 'b' | 'o'))
}

fn magnitude(value: u128, spec: &FormatSpec) -> String {
    match spec.kind {
        Some('e') => format!("{value:e}"),
        _ => value.to_string(),
    }
}

/// A float.
pub fn float(value: f64, spec: &FormatSpec) -> String {
    let absolute = value.abs();
    let digits = match (spec.kind, spec.precision) {
        _ if value.is_nan() => "nan".to_owned(),
        _ if value.is_infinite() => "inf".to_owned(),
        (Some('e'), Some(precision)) => format!("{absolute:.*e}", precision as usize),
        (Some('e'), None) => format!("{absolute:e}"),
        (Some('?'), None) => format!("{absolute:?}"),
        (_, precision) => format!("{absolute:.*}", precision.unwrap_or(6) as usize),
    };
    let negative = value.is_sign_negative() && !value.is_nan();
    number(negative, "", &digits, spec)
}

fn number(negative: bool, prefix: &str, digits: &str, spec: &FormatSpec) -> String {
    let sign = match (negative, spec.sign) {
        (true, _) => "-",
        (false, true) => "+",
        (false, false) => "",
    };
    let used = sign.len() + prefix.len() + digits.len();
    let width = spec.width.unwrap_or(0) as usize;
    if spec.zero && width > used {
        return format!("{sign}{prefix}{}{digits}", "0".repeat(width - used));
    }
    padded(&format!("{sign}{prefix}{digits}"), spec, '>')
}

fn padded(body: &str, spec: &FormatSpec, usual: char) -> String {
    let missing = (spec.width.unwrap_or(0) as usize).saturating_sub(body.chars().count());
    let fill = spec.fill.unwrap_or(' ').to_string();
    let before = match spec.align.unwrap_or(usual) {
        '<' => 0,
        '^' => missing / 2,
        _ => missing,
    };
    format!("{}{body}{}", fill.repeat(before), fill.repeat(missing - before))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(width: u32) -> FormatSpec {
        FormatSpec { width: Some(width), ..FormatSpec::default() }
    }

    #[test]
    fn numbers_stand_right_and_texts_left() {
        assert_eq!(signed(-5, u128::MAX, &spec(4)), "  -5");
        assert_eq!(text("ab", &spec(4)), "ab  ");
        assert_eq!(text("ab", &FormatSpec { align: Some('^'), fill: Some('*'), ..spec(5) }), "*ab**");
        assert_eq!(signed(-5, u128::MAX, &FormatSpec { zero: true, ..spec(4) }), "-005");
    }

    #[test]
    fn bases_show_the_bits_of_the_type() {
        let hex = FormatSpec { kind: Some('x'), alternate: true, ..FormatSpec::default() };
        assert_eq!(signed(-1, 0xff, &hex), "0xff");
        assert_eq!(unsigned(10, &FormatSpec { kind: Some('b'), ..spec(6) }), "  1010");
    }

    #[test]
    fn floats_have_six_decimals() {
        assert_eq!(float(1.5, &FormatSpec::default()), "1.500000");
        assert_eq!(float(-1.25, &FormatSpec { precision: Some(1), ..spec(6) }), "  -1.2");
        assert_eq!(float(f64::NEG_INFINITY, &FormatSpec::default()), "-inf");
    }
}
