//! The JSON of a file of state, one layer at a time: parts stay text until their type is known. So nothing recurses over
//! what a file says, and nothing is built that no value needs.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Why a file is not what it should be; nothing of it is used then.
#[derive(Debug)]
pub(super) struct Damaged(pub String);

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<String> for Damaged {
    fn from(why: String) -> Damaged {
        Damaged(why)
    }
}

impl From<serde_json::Error> for Damaged {
    fn from(error: serde_json::Error) -> Damaged {
        Damaged(error.to_string())
    }
}

/// What a text is, by its first character.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Null,
    Bool(bool),
    Number,
    Text,
    List,
    Object,
}

impl Kind {
    /// Of a text that is known to be one JSON value.
    pub fn of(text: &str) -> Kind {
        match text.as_bytes().first() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::List,
            Some(b'"') => Kind::Text,
            Some(b't') => Kind::Bool(true),
            Some(b'f') => Kind::Bool(false),
            Some(b'n') | None => Kind::Null,
            Some(_) => Kind::Number,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Null => "null",
            Kind::Bool(_) => "a bool",
            Kind::Number => "a number",
            Kind::Text => "a text",
            Kind::List => "a list",
            Kind::Object => "an object",
        })
    }
}

/// A number, exact if it is whole and has 128 bits at most.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Number {
    Int(i128),
    /// Beyond the greatest `i128`.
    Large(u128),
    Float(f64),
}

/// Reads a number, of JSON or in a text: `nan`, `inf` and `-inf` are numbers, too.
pub(super) fn number(text: &str) -> Option<Number> {
    if let Ok(value) = text.parse() {
        return Some(Number::Int(value));
    }
    if let Ok(value) = text.parse() {
        return Some(Number::Large(value));
    }
    match text {
        "nan" => Some(Number::Float(f64::NAN)),
        "inf" => Some(Number::Float(f64::INFINITY)),
        "-inf" => Some(Number::Float(f64::NEG_INFINITY)),
        _ if !text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => None,
        _ => text.parse().ok().filter(|value: &f64| value.is_finite()).map(Number::Float),
    }
}

/// The text between quotes.
pub(super) fn string(text: &str) -> Result<Cow<'_, str>, Damaged> {
    let inner = text.get(1..text.len().saturating_sub(1)).unwrap_or("");
    if text.starts_with('"') && !inner.contains('\\') {
        // It has been read as JSON before: there is nothing to undo.
        return Ok(Cow::Borrowed(inner));
    }
    Ok(Cow::Owned(serde_json::from_str(text)?))
}

/// What is done with a part: its key (empty in a list) and its text.
type Each<'f, 't> = dyn FnMut(Cow<'t, str>, &'t str) -> Result<(), Damaged> + 'f;

/// Visits the members of an object; a key that comes twice is damage.
pub(super) fn members<'t>(text: &'t str, each: &mut Each<'_, 't>) -> Result<(), Damaged> {
    let mut failure = None;
    let result = serde_json::Deserializer::from_str(text).deserialize_map(Parts { each, failure: &mut failure });
    failure.map_or(result.map_err(Damaged::from), Err)
}

/// Visits the elements of a list.
pub(super) fn elements<'t>(text: &'t str, each: &mut dyn FnMut(&'t str) -> Result<(), Damaged>) -> Result<(), Damaged> {
    let mut failure = None;
    let mut each = |_: Cow<'t, str>, text: &'t str| each(text);
    let parts = Parts { each: &mut each, failure: &mut failure };
    let result = serde_json::Deserializer::from_str(text).deserialize_seq(parts);
    failure.map_or(result.map_err(Damaged::from), Err)
}

/// How many elements a list has.
pub(super) fn count(text: &str) -> Result<usize, Damaged> {
    let mut count = 0;
    elements(text, &mut |_| {
        count += 1;
        Ok(())
    })?;
    Ok(count)
}

/// The first two elements of a list of two.
pub(super) fn pair(text: &str) -> Result<(&str, &str), Damaged> {
    let mut found = Vec::with_capacity(2);
    elements(text, &mut |part| {
        found.push(part);
        Ok(())
    })?;
    match found[..] {
        [first, second] => Ok((first, second)),
        _ => Err(Damaged("an entry of a HashMap is a list of a key and a value".to_owned())),
    }
}

/// Is the whole text one JSON value? Says where it is not.
pub(super) fn check(text: &str) -> Result<&str, Damaged> {
    let raw: &RawValue = serde_json::from_str(text)?;
    Ok(raw.get())
}

struct Parts<'a, 'f, 't> {
    each: &'a mut Each<'f, 't>,
    failure: &'a mut Option<Damaged>,
}

impl<'t> Parts<'_, '_, 't> {
    fn part<E: serde::de::Error>(&mut self, key: Cow<'t, str>, text: &'t RawValue) -> Result<(), E> {
        (self.each)(key, text.get()).map_err(|why| {
            *self.failure = Some(why);
            E::custom("stopped")
        })
    }
}

impl<'t> Visitor<'t> for Parts<'_, '_, 't> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list or an object")
    }

    fn visit_map<A: MapAccess<'t>>(mut self, mut map: A) -> Result<(), A::Error> {
        // Keys are told apart as written; few objects have more than a handful.
        let mut seen: Vec<Cow<'t, str>> = Vec::new();
        let mut all: Option<std::collections::HashSet<Cow<'t, str>>> = None;
        while let Some(Key(key)) = map.next_key()? {
            let twice = match &mut all {
                Some(all) => !all.insert(key.clone()),
                None => seen.contains(&key),
            };
            if twice {
                return Err(A::Error::custom(format!("the key `{key}` is there twice")));
            }
            if all.is_none() {
                seen.push(key.clone());
                all = (seen.len() > 16).then(|| seen.drain(..).collect());
            }
            let text: &RawValue = map.next_value()?;
            self.part(key, text)?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'t>>(mut self, mut list: A) -> Result<(), A::Error> {
        while let Some(text) = list.next_element::<&RawValue>()? {
            self.part(Cow::Borrowed(""), text)?;
        }
        Ok(())
    }
}

/// A key, borrowed if it has no escapes.
struct Key<'t>(Cow<'t, str>);

impl<'t> serde::Deserialize<'t> for Key<'t> {
    fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<Key<'t>, D::Error> {
        deserializer.deserialize_str(KeyVisitor)
    }
}

struct KeyVisitor;

impl<'t> Visitor<'t> for KeyVisitor {
    type Value = Key<'t>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'t str) -> Result<Key<'t>, E> {
        Ok(Key(Cow::Borrowed(key)))
    }

    fn visit_str<E>(self, key: &str) -> Result<Key<'t>, E> {
        Ok(Key(Cow::Owned(key.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_texts_and_a_key_twice_is_damage() {
        let mut seen = Vec::new();
        let mut each = |key: Cow<'_, str>, text: &str| {
            seen.push(format!("{key}={text}"));
            Ok(())
        };
        members(r#"{"a": [1, {}], "b\n": "x\"y"}"#, &mut each).expect("an object");
        assert_eq!(seen, ["a=[1, {}]", "b\n=\"x\\\"y\""]);
        assert!(members(r#"{"a": 1, "\u0061": 2}"#, &mut |_, _| Ok(())).is_err());
        let many: Vec<String> = (0..40).map(|n| format!("\"{}\":0", n % 39)).collect();
        assert!(members(&format!("{{{}}}", many.join(",")), &mut |_, _| Ok(())).is_err());
        assert!(elements("[1, 2", &mut |_| Ok(())).is_err());
        assert_eq!(count("[[1, 2], {}, 3]").expect("a list"), 3);
    }

    #[test]
    fn depth_and_size_of_a_text_cost_no_stack() {
        let deep = format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
        assert_eq!(count(check(&deep).expect("one value")).expect("a list"), 1);
        assert!(check(&"[".repeat(1_000_000)).is_err());
    }

    #[test]
    fn numbers_are_exact_or_none() {
        assert_eq!(number("-170141183460469231731687303715884105728"), Some(Number::Int(i128::MIN)));
        assert_eq!(number("340282366920938463463374607431768211455"), Some(Number::Large(u128::MAX)));
        assert_eq!(number("0.1"), Some(Number::Float(0.1)));
        assert_eq!(number("1e999"), None);
        assert_eq!(number("infinity"), None);
        assert_eq!(number(&"9".repeat(1000)), None);
    }
}
