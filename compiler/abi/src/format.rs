//! How a format such as `{x:>8.2}` travels from compiled code to the functions that print: as two integers.
//!
//! ```text
//! flags   bits 0..21   fill character, 0 for none
//!         bits 21..23  alignment: 0 none, 1 `<`, 2 `>`, 3 `^`
//!         bit 23 `+`   bit 24 `#`   bit 25 `0`
//!         bit 26       there is a width        bit 27  there is a precision
//!         bits 28..31  kind: 0 none, 1 x, 2 X, 3 b, 4 o, 5 e, 6 ?
//! sizes   bits 0..32   width                   bits 32..64  precision
//! ```

/// A format, as in Rust's format strings.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Format {
    /// Fill character, a space by default.
    pub fill: Option<char>,
    /// `<`, `>` or `^`.
    pub align: Option<char>,
    /// `+`
    pub sign: bool,
    /// `#`
    pub alternate: bool,
    /// `0` before the width.
    pub zero: bool,
    /// Least number of characters.
    pub width: Option<u32>,
    /// Digits after the point, or most characters of a text.
    pub precision: Option<u32>,
    /// `x`, `X`, `b`, `o`, `e` or `?`.
    pub kind: Option<char>,
}

const ALIGNMENTS: &str = "<>^";
const KINDS: &str = "xXboe?";

impl Format {
    /// As two integers: flags and sizes.
    pub fn pack(&self) -> (i64, i64) {
        let number =
            |text: &str, sign: Option<char>| sign.and_then(|sign| text.find(sign)).map_or(0, |at| at as i64 + 1);
        let bit = |set: bool, at: u32| i64::from(set) << at;
        let flags = self.fill.map_or(0, |fill| i64::from(u32::from(fill)))
            | number(ALIGNMENTS, self.align) << 21
            | bit(self.sign, 23)
            | bit(self.alternate, 24)
            | bit(self.zero, 25)
            | bit(self.width.is_some(), 26)
            | bit(self.precision.is_some(), 27)
            | number(KINDS, self.kind) << 28;
        let sizes = i64::from(self.width.unwrap_or(0)) | i64::from(self.precision.unwrap_or(0)) << 32;
        (flags, sizes)
    }

    /// The format that was packed.
    pub fn unpack(flags: i64, sizes: i64) -> Format {
        let bit = |at: u32| flags >> at & 1 == 1;
        let nth = |text: &str, number: i64| text.chars().nth((number as usize).wrapping_sub(1));
        Format {
            fill: char::from_u32((flags & 0x1f_ffff) as u32).filter(|fill| *fill != '\0'),
            align: nth(ALIGNMENTS, flags >> 21 & 3),
            sign: bit(23),
            alternate: bit(24),
            zero: bit(25),
            width: bit(26).then_some(sizes as u32),
            precision: bit(27).then_some((sizes >> 32) as u32),
            kind: nth(KINDS, flags >> 28 & 7),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_survives_packing() {
        let format = Format {
            fill: Some('é'),
            align: Some('^'),
            sign: true,
            alternate: false,
            zero: true,
            width: Some(u32::MAX),
            precision: Some(0),
            kind: Some('?'),
        };
        let (flags, sizes) = format.pack();
        assert_eq!(Format::unpack(flags, sizes), format);
        assert_eq!(Format::unpack(0, 0), Format::default());
    }
}
