//! Keys in what a terminal sends: characters that were typed by themselves, and not those inside the sequences that it
//! sends for other keys (arrows, Alt with a letter), for the mouse, for answers, and around what is pasted.

use std::time::{Duration, Instant};

/// How long the rest of a sequence may take: then the escape was the key of that name. Chosen by feel; terminals send a
/// sequence at once, networks may cut it in two.
const REST: Duration = Duration::from_millis(100);
/// How long a paste may say nothing before its end is taken for lost. Chosen by feel.
const PASTE_REST: Duration = Duration::from_secs(2);

const ESCAPE: u8 = 0x1b;
const BELL: u8 = 0x07;
/// What stands around a paste, after the escape and `[`.
const PASTE_STARTS: &[u8] = b"200~";
const PASTE_ENDS: &[u8] = b"\x1b[201~";

/// Where in what is sent the next byte stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Place {
    /// Outside all sequences.
    #[default]
    Outside,
    /// After an escape.
    Escaped,
    /// Inside `ESC [ ..`, which a byte from `@` to `~` ends; after this many bytes, and could they begin a paste?
    Control(usize, bool),
    /// This many bytes are left, whatever they are.
    Counted(usize),
    /// Inside a text that BEL or `ESC \` ends; was the last byte an escape?
    Text(bool),
    /// In a paste, of whose end this many bytes have come.
    Paste(usize),
}

/// Tells keys from sequences.
#[derive(Default)]
pub(super) struct Typed {
    place: Place,
    last: Option<Instant>,
}

impl Typed {
    /// Is this byte, which came at that time, a key?
    pub fn is_key(&mut self, byte: u8, at: Instant) -> bool {
        let longest = if matches!(self.place, Place::Paste(_)) { PASTE_REST } else { REST };
        if self.last.replace(at).is_some_and(|last| at.saturating_duration_since(last) > longest) {
            self.place = Place::Outside;
        }
        let before = self.place;
        self.place = after(before, byte);
        before == Place::Outside && self.place == Place::Outside
    }
}

fn after(place: Place, byte: u8) -> Place {
    match (place, byte) {
        (Place::Outside | Place::Escaped, ESCAPE) => Place::Escaped,
        (Place::Outside, _) | (Place::Text(_), BELL) | (Place::Text(true), b'\\') => Place::Outside,
        (Place::Escaped, b'[') => Place::Control(0, true),
        (Place::Escaped, b'O' | b'N') => Place::Counted(1),
        (Place::Escaped, b']' | b'P' | b'X' | b'^' | b'_') => Place::Text(false),
        // Alt and a character, which may have several bytes.
        (Place::Escaped, 0xc0..) => Place::Counted(byte.leading_ones() as usize - 1),
        (Place::Escaped, _) => Place::Outside,
        (Place::Text(_), _) => Place::Text(byte == ESCAPE),
        (Place::Control(..), ESCAPE) => Place::Escaped,
        // The oldest way to tell of the mouse has no end of its own, nor have the function keys of Linux's console.
        (Place::Control(0, _), b'M') => Place::Counted(3),
        (Place::Control(0, _), b'[') => Place::Counted(1),
        (Place::Control(count, true), _) if PASTE_STARTS.get(count) == Some(&byte) => match count + 1 {
            all if all == PASTE_STARTS.len() => Place::Paste(0),
            count => Place::Control(count, true),
        },
        (Place::Control(..), b'@'..=b'~') => Place::Outside,
        (Place::Control(count, _), _) => Place::Control(count + 1, false),
        (Place::Counted(0 | 1), _) => Place::Outside,
        (Place::Counted(left), _) => Place::Counted(left - 1),
        (Place::Paste(count), _) if PASTE_ENDS[count] == byte => match count + 1 {
            all if all == PASTE_ENDS.len() => Place::Outside,
            count => Place::Paste(count),
        },
        (Place::Paste(_), _) => Place::Paste(usize::from(byte == ESCAPE)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The keys in what comes without a pause.
    fn keys(sent: &str) -> String {
        let (mut typed, now) = (Typed::default(), Instant::now());
        sent.bytes().filter(|byte| typed.is_key(*byte, now)).map(char::from).collect()
    }

    #[test]
    fn single_characters_are_keys() {
        assert_eq!(keys("rqb?R"), "rqb?R");
    }

    #[test]
    fn sequences_are_none() {
        for sent in [
            "\u{1b}q",
            "\u{1b}\u{1b}q",
            "\u{1b}[A",
            "\u{1b}\u{1b}[A",
            "\u{1b}Oq",
            "\u{1b}[1;5q",
            "\u{1b}[15~",
            "\u{1b}[[A",
            "\u{1b}[Mqrb",
            "\u{1b}[<0;12;7M",
            "\u{1b}]11;rgb:quick\u{7}",
            "\u{1b}P1+r=q\u{1b}\\",
            "\u{1b}[200~quit r b\u{1b}[20 q\u{1b}[201~",
            "\u{1b}\u{e9}",
        ] {
            assert_eq!(keys(&format!("r{sent}b")), "rb", "{sent:?}");
        }
    }

    #[test]
    fn the_escape_key_swallows_nothing() {
        let (mut typed, now) = (Typed::default(), Instant::now());
        assert!(!typed.is_key(ESCAPE, now));
        assert!(typed.is_key(b'q', now + REST * 2));
    }

    #[test]
    fn a_paste_without_an_end_is_over_some_time() {
        let (mut typed, now) = (Typed::default(), Instant::now());
        assert!(!"\u{1b}[200~quit".bytes().any(|byte| typed.is_key(byte, now)));
        assert!(!typed.is_key(b'q', now + PASTE_REST / 2));
        assert!(typed.is_key(b'q', now + PASTE_REST * 2));
    }
}
