//! The shape of a `str` value.
//!
//! A `str` is one word: the address of its first byte. Its bytes are followed by a zero, so the same word is a C
//! string, and preceded by a header:
//!
//! ```text
//!          -16      -8       0                len
//!   ... | count | length |  bytes ...        | 0 |
//!                         ^ the value of the str
//! ```
//!
//! `count` is a reference count, or [`IMMORTAL`] for literals. A null `str` (zeroed memory) is an empty string.

/// Bytes between the start of the header and the first byte of the text.
pub const HEADER_SIZE: usize = 16;
/// Offset of the length (an `i64`, in bytes) from the value.
pub const LENGTH_OFFSET: i32 = -8;
/// Offset of the reference count (an `i64`) from the value.
pub const COUNT_OFFSET: i32 = -16;
/// The count of a string that is never freed by counting.
pub const IMMORTAL: i64 = i64::MIN;

/// The memory image of an immortal string: header, text, final zero. The value is the image's address plus
/// [`HEADER_SIZE`].
pub fn image(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_SIZE + text.len() + 1);
    bytes.extend(IMMORTAL.to_le_bytes());
    bytes.extend((text.len() as i64).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes.push(0);
    bytes
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_image_has_length_text_and_a_final_zero() {
        let image = super::image("añ");
        assert_eq!(image[8..16], 3i64.to_le_bytes());
        assert_eq!(&image[16..], "añ\0".as_bytes());
    }
}
