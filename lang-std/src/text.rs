//! Values as text, by the language's rules.

use std::fmt::Write as _;

use vaisjit_abi::format::Format;

/// Where a text first contains a part.
pub fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    if part.is_empty() {
        return Some(0);
    }
    text.windows(part.len()).position(|window| window == part)
}

/// Where a text last contains a part.
pub fn find_last(text: &[u8], part: &[u8]) -> Option<usize> {
    if part.is_empty() {
        return Some(text.len());
    }
    text.windows(part.len()).rposition(|window| window == part)
}

/// A part of a text, by bytes: within the text, and of whole characters.
pub fn slice(text: &[u8], from: i64, to: i64) -> &[u8] {
    let place = |at: i64| {
        let mut at = usize::try_from(at).unwrap_or(0).min(text.len());
        while at > 0 && text.get(at).is_some_and(|byte| byte & 0xc0 == 0x80) {
            at -= 1;
        }
        at
    };
    let (from, to) = (place(from), place(to));
    text.get(from..to).unwrap_or(&[])
}

/// The integer a text is, white space around it apart.
pub fn integer(text: &str) -> Option<i64> {
    text.trim().parse().ok()
}

/// The number a text is, white space around it apart.
pub fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok()
}

/// A float without a format: six decimals; `inf`, `-inf` and `nan` as C prints them.
pub fn float(value: f64) -> String {
    if value.is_nan() { "nan".to_owned() } else { format!("{value:.6}") }
}

/// A text with a format: the precision is its greatest length.
pub fn text_with(text: &str, format: &Format) -> String {
    let text = if format.kind == Some('?') { format!("{text:?}") } else { text.to_owned() };
    let cut: String = match format.precision {
        Some(most) => text.chars().take(most as usize).collect(),
        None => text,
    };
    pad(&cut, format, '<')
}

/// A float with a format.
pub fn float_with(value: f64, format: &Format) -> String {
    let magnitude = value.abs();
    let digits = format.precision.unwrap_or(6) as usize;
    let mut text = match (format.kind, value.is_nan()) {
        (_, true) => "nan".to_owned(),
        (Some('e'), _) if format.precision.is_none() => format!("{magnitude:e}"),
        (Some('e'), _) => format!("{magnitude:.digits$e}"),
        _ => format!("{magnitude:.digits$}"),
    };
    let sign = sign_of(value.is_sign_negative() && !value.is_nan(), format);
    text = zero_filled(sign, "", &text, format);
    pad(&text, format, '>')
}

/// An integer with a format: its sign and magnitude, and the bits that hexadecimal, octal and binary show.
pub fn integer_with(negative: bool, magnitude: u128, bits: u128, format: &Format) -> String {
    let (prefix, digits) = match format.kind {
        Some('x') => ("0x", format!("{bits:x}")),
        Some('X') => ("0x", format!("{bits:X}")),
        Some('b') => ("0b", format!("{bits:b}")),
        Some('o') => ("0o", format!("{bits:o}")),
        _ => ("", magnitude.to_string()),
    };
    let sign = sign_of(negative && prefix.is_empty(), format);
    let prefix = if format.alternate { prefix } else { "" };
    pad(&zero_filled(sign, prefix, &digits, format), format, '>')
}

fn sign_of(negative: bool, format: &Format) -> &'static str {
    match (negative, format.sign) {
        (true, _) => "-",
        (false, true) => "+",
        (false, false) => "",
    }
}

fn zero_filled(sign: &str, prefix: &str, digits: &str, format: &Format) -> String {
    let mut text = format!("{sign}{prefix}");
    if let (true, Some(width)) = (format.zero, format.width) {
        let width = (width as usize).saturating_sub(text.len());
        let _ = write!(text, "{digits:0>width$}");
    } else {
        text.push_str(digits);
    }
    text
}

fn pad(text: &str, format: &Format, usual: char) -> String {
    let length = text.chars().count();
    let missing = (format.width.unwrap_or(0) as usize).saturating_sub(length);
    let fill = format.fill.unwrap_or(' ');
    let before = match format.align.unwrap_or(usual) {
        '<' => 0,
        '^' => missing / 2,
        _ => missing,
    };
    let repeat = |times: usize| std::iter::repeat_n(fill, times);
    repeat(before).chain(text.chars()).chain(repeat(missing - before)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_stay_inside_and_keep_characters_whole() {
        let text = "aé€b".as_bytes();
        assert_eq!(slice(text, 0, 100), text);
        assert_eq!(slice(text, -5, 2), b"a");
        assert_eq!(slice(text, 2, 5), "é".as_bytes());
        assert_eq!(slice(text, 5, 2), b"");
        assert_eq!(
            (find_last(b"abab", b"ab"), find_last(b"ab", b"x"), find_last(b"ab", b"")),
            (Some(2), None, Some(2))
        );
    }

    /// Rust's own formatting is the second opinion.
    #[test]
    fn formats_agree_with_rust() {
        let width = |width, rest: Format| Format { width: Some(width), ..rest };
        let plain = Format::default();
        assert_eq!(float(1.5), "1.500000");
        assert_eq!(float_with(-1.25, &Format { precision: Some(1), ..plain }), format!("{:.1}", -1.25));
        assert_eq!(float_with(3.5, &width(8, Format { zero: true, ..plain })), format!("{:08.6}", 3.5));
        assert_eq!(text_with("añb", &width(5, plain)), format!("{:5}", "añb"));
        assert_eq!(
            text_with("abcdef", &width(6, Format { precision: Some(3), align: Some('^'), fill: Some('*'), ..plain })),
            format!("{:*^6.3}", "abcdef")
        );
        assert_eq!(integer_with(true, 42, -42i128 as u128, &width(6, plain)), format!("{:6}", -42));
        assert_eq!(integer_with(true, 42, 0, &width(6, Format { zero: true, ..plain })), format!("{:06}", -42));
        assert_eq!(
            integer_with(true, 1, u128::from(u64::MAX), &Format { kind: Some('x'), alternate: true, ..plain }),
            format!("{:#x}", -1i64)
        );
        assert_eq!(integer_with(false, 5, 5, &Format { sign: true, ..plain }), format!("{:+}", 5));
    }
}
