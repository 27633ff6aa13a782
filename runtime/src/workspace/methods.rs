//! Which modules with methods of built-in types a program needs. Their methods are known without an import, so the
//! program's words decide: a program that has none of them does not pay for reading them.

use rustc_hash::FxHashMap;
use vaisjit_syntax::{Module, Name};

/// The modules; some are needed by whoever names a type, the others by whoever names one of their methods.
const MODULES: [(&str, Option<&str>); 5] = [
    ("std/vec", Some("Vec")),
    ("std/hashmap", Some("HashMap")),
    ("std/string", None),
    ("std/option", None),
    ("std/result", None),
];

/// A set of the modules.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Needed(u8);

impl Needed {
    /// Both.
    pub fn and(self, other: Needed) -> Needed {
        Needed(self.0 | other.0)
    }

    /// The modules' names.
    pub fn modules(self) -> impl Iterator<Item = Name> {
        let chosen = MODULES.iter().enumerate().filter(move |(index, _)| self.0 & (1 << index) != 0);
        chosen.map(|(_, (name, _))| Name::new(name))
    }
}

/// Which word asks for which modules.
pub struct Words(FxHashMap<String, u8>);

impl Words {
    /// The words of a library's modules.
    pub fn of(library: &[(Name, std::sync::Arc<str>)]) -> Words {
        let mut words: FxHashMap<String, u8> = FxHashMap::default();
        for (index, (module, named)) in MODULES.iter().enumerate() {
            let Some((_, text)) = library.iter().find(|(name, _)| name == module) else { continue };
            let mut add = |word: &str| *words.entry(word.to_owned()).or_default() |= 1 << index;
            match named {
                Some(named) => {
                    add(named);
                    // Arrays have these, too.
                    let reading = |name: &&str| vaisjit_semantics::only_reads(name);
                    text.lines().filter_map(method_name).filter(reading).for_each(add);
                }
                None => text.lines().filter_map(method_name).for_each(add),
            }
        }
        Words(words)
    }

    /// What a text needs.
    pub fn needed(&self, text: &str) -> Needed {
        let bytes = text.as_bytes();
        let mut found = 0;
        let mut at = 0;
        while at < bytes.len() {
            if !is_word(bytes[at]) {
                at += 1;
                continue;
            }
            let start = at;
            while at < bytes.len() && is_word(bytes[at]) {
                at += 1;
            }
            let called = start > 0 && matches!(bytes[start - 1], b'.' | b':');
            if called || bytes[start].is_ascii_uppercase() {
                found |= self.asked_by(&text[start..at]);
            }
        }
        Needed(found)
    }

    fn asked_by(&self, word: &str) -> u8 {
        if let Some(found) = self.0.get(word) {
            return *found;
        }
        match vaisjit_semantics::canonical_method(word) {
            Some(other) => self.0.get(&other).copied().unwrap_or(0),
            None => 0,
        }
    }

    /// What a new text needs that the old one, which differs from it in few items, may not have needed.
    pub fn needed_by_edit(&self, text: &str, tree: &Module, old: &Module) -> Needed {
        tree.differing(old).iter().fold(Needed::default(), |needed, item| {
            let range = item.start as usize..item.end as usize;
            needed.and(text.get(range).map_or(Needed::default(), |text| self.needed(text)))
        })
    }
}

fn is_word(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric() || byte >= 0x80
}

/// The name of the method that a line of a library module declares.
fn method_name(line: &str) -> Option<&str> {
    let declared = line.strip_prefix("    F ")?;
    declared.split(|character: char| !character.is_alphanumeric() && character != '_').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_ask_for_modules() {
        let words = Words::of(&crate::host::library());
        let names = |text: &str| words.needed(text).modules().map(|name| name.to_string()).collect::<Vec<_>>();
        assert!(names("F main() { println(\"hello\") }").is_empty());
        assert_eq!(names("v: Vec<i64> = [1]"), ["std/vec"]);
        assert_eq!(names("HashMap.new()"), ["std/hashmap"]);
        assert_eq!(names("s.toUpper()"), ["std/string"]);
        assert_eq!(names("s\n  .trim()"), ["std/string"]);
        assert_eq!(names("x.ok_or(1)"), ["std/option"]);
        assert_eq!(names("[1, 2].sum()"), ["std/vec"]);
        assert_eq!(names("x.to_string()"), ["std/string"]);
    }

    #[test]
    fn only_edited_items_are_looked_at() {
        let words = Words::of(&crate::host::library());
        let (old, new) = ("F a() {}\nF b() {}\n", "F a() {}\nF b() { x.trim() }\n");
        let before = vaisjit_syntax::parse(old);
        let after = vaisjit_syntax::reparse(new, &before, old);
        assert_eq!(words.needed_by_edit(new, &after, &before), words.needed(new));
        assert_eq!(words.needed_by_edit(old, &before, &before), Needed::default());
    }
}
