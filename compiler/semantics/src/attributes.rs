//! Attributes: which there are, and those that say how values of a type go over to a new version.

use vaisjit_syntax::ast::{Attribute, Enum, Field, Function, Item, ItemKind, Payload};
use vaisjit_syntax::{Diagnostic, ItemId, Name, Place, Severity};

use crate::codes;

/// Attributes the language knows.
const KNOWN: &[&str] = &[
    "hot",
    "inline",
    "test",
    "repr",
    "was",
    "reserve",
    "before_reload",
    "after_reload",
    "allow",
    "derive",
    "reset",
    "extern",
];

/// Most bytes that `#[reserve(N)]` may ask for.
const MOST_RESERVED: u32 = 1 << 20;

/// The name in a well-formed `#[was("old")]`.
pub(crate) fn was(attributes: &[Attribute]) -> Option<Name> {
    attributes.iter().find(|attribute| attribute.name.name == "was").and_then(old_name)
}

/// The number in a well-formed `#[reserve(N)]`, 0 without one.
pub(crate) fn reserve(attributes: &[Attribute]) -> u32 {
    attributes.iter().find(|attribute| attribute.name.name == "reserve").and_then(bytes).unwrap_or(0)
}

fn old_name(attribute: &Attribute) -> Option<Name> {
    let [(name, _)] = &attribute.arguments[..] else { return None };
    let mut letters = name.chars();
    let starts = letters.next().is_some_and(|c| c.is_alphabetic() || c == '_');
    (starts && letters.all(|c| c.is_alphanumeric() || c == '_')).then(|| Name::new(name))
}

fn bytes(attribute: &Attribute) -> Option<u32> {
    let [(number, _)] = &attribute.arguments[..] else { return None };
    number.replace('_', "").parse().ok().filter(|bytes| (1..=MOST_RESERVED).contains(bytes))
}

/// Is there certainly nothing to say about the attribute before a function?
pub(crate) fn is_quiet(attribute: &Attribute) -> bool {
    let name = attribute.name.name;
    KNOWN.contains(&name.as_str()) && !matches!(name.as_str(), "was" | "reserve" | "before_reload" | "after_reload")
}

/// What is wrong with the attributes of an item and of its parts.
pub(crate) fn check(item: &Item, id: ItemId, found: &mut Vec<Diagnostic>) {
    let mut checker = Checker { id, found };
    let is_type = matches!(item.kind, ItemKind::Struct(_) | ItemKind::Enum(_));
    let may_rename = is_type || matches!(item.kind, ItemKind::Global(_) | ItemKind::Trait(_));
    checker.list(&item.attributes, may_rename, is_type, matches!(item.kind, ItemKind::Function(_)));
    match &item.kind {
        ItemKind::Struct(def) => checker.fields(&def.fields),
        ItemKind::Enum(def) => checker.variants(def),
        _ => {}
    }
    for function in functions_in(item) {
        checker.list(&function.attributes, false, false, false);
    }
}

/// The functions in an item that have attributes of their own.
pub(crate) fn functions_in(item: &Item) -> &[Function] {
    match &item.kind {
        ItemKind::Impl(def) => &def.methods,
        ItemKind::Struct(def) => &def.methods,
        ItemKind::Enum(def) => &def.methods,
        ItemKind::Trait(def) => &def.methods,
        _ => &[],
    }
}

struct Checker<'a> {
    id: ItemId,
    found: &'a mut Vec<Diagnostic>,
}

impl Checker<'_> {
    fn variants(&mut self, def: &Enum) {
        let list = || def.variants.iter().map(|variant| (variant.name.name, &variant.attributes[..]));
        self.parts("variant", list().collect());
        for variant in &def.variants {
            if let Payload::Struct(fields) = &variant.payload {
                self.fields(fields);
            }
        }
    }

    fn fields(&mut self, fields: &[Field]) {
        self.parts("field", fields.iter().map(|field| (field.name.name, &field.attributes[..])).collect());
    }

    /// Fields or variants with their attributes: an old name belongs to one, and to none that is still there, unless that
    /// was something else itself.
    fn parts(&mut self, what: &str, parts: Vec<(Name, &[Attribute])>) {
        let mut claimed: Vec<Name> = Vec::new();
        for (_, attributes) in &parts {
            self.list(attributes, true, false, false);
            let Some(old) = was(attributes) else { continue };
            let stays = |other: Name, of: &[Attribute]| other == old && was(of).is_none_or(|was| was == other);
            let problem = match () {
                () if parts.iter().any(|(name, of)| stays(*name, of)) => {
                    format!("the {what} `{old}` is still there, so nothing else can have been it")
                }
                () if claimed.contains(&old) => format!("two {what}s cannot both have been `{old}`"),
                () => {
                    claimed.push(old);
                    continue;
                }
            };
            let attribute = attributes.iter().find(|attribute| attribute.name.name == "was");
            attribute.into_iter().for_each(|attribute| self.bad(attribute, problem.clone(), "remove the attribute"));
        }
    }

    fn list(&mut self, attributes: &[Attribute], may_rename: bool, may_reserve: bool, may_hook: bool) {
        for (index, attribute) in attributes.iter().enumerate() {
            let name = attribute.name.name;
            let twice = attributes[..index].iter().any(|other| other.name.name == name);
            match name.as_str() {
                "was" => self.form(attribute, may_rename, twice, old_name(attribute).is_some()),
                "reserve" => self.form(attribute, may_reserve, twice, bytes(attribute).is_some()),
                "before_reload" | "after_reload" => {
                    self.form(attribute, may_hook, twice, attribute.arguments.is_empty());
                }
                _ => self.known(attribute),
            }
        }
    }

    fn form(&mut self, attribute: &Attribute, fits_here: bool, twice: bool, well_formed: bool) {
        let name = attribute.name.name;
        let (place, form) = match name.as_str() {
            "was" => (
                "a struct, an enum, a trait, a global, a field or a variant",
                "write `#[was(\"old_name\")]`".to_owned(),
            ),
            "before_reload" | "after_reload" => {
                ("a function with a body that is no method", format!("write `#[{name}]`"))
            }
            _ => ("a struct or an enum", format!("write `#[reserve(N)]` with a number of bytes up to {MOST_RESERVED}")),
        };
        match () {
            () if !fits_here => self.bad(attribute, format!("`{name}` belongs before {place}"), "remove the attribute"),
            () if twice => self.bad(attribute, format!("`{name}` is given twice"), "remove one of them"),
            () if !well_formed => self.bad(attribute, format!("`{name}` is not written like this"), &form),
            () => {}
        }
    }

    fn bad(&mut self, attribute: &Attribute, problem: String, help: &str) {
        let place = Place::item(self.id, attribute.span);
        self.found.push(Diagnostic::error(codes::BAD_ATTRIBUTE, place, problem).with_help(help));
    }

    fn known(&mut self, attribute: &Attribute) {
        let name = attribute.name.name;
        if KNOWN.contains(&name.as_str()) {
            return;
        }
        let place = Place::item(self.id, attribute.name.span);
        let mut diagnostic =
            Diagnostic::warning(codes::UNKNOWN_ATTRIBUTE, place, format!("there is no attribute `{name}`"));
        diagnostic.severity = Severity::Warning;
        if let Some(known) = crate::suggest::nearest(name, KNOWN.iter().map(|known| Name::new(known))) {
            diagnostic =
                diagnostic.with_help(format!("did you mean `{known}`?")).with_suggestion(place, known.as_str());
        }
        self.found.push(diagnostic);
    }
}
