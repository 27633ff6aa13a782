//! A value that has become an `Option` since it was saved, or was one: as in a reload, it goes in and comes out.

use std::rc::Rc;

use vaisjit_semantics::TyKind;

use super::super::json::{self, Kind};
use super::super::types::{Form, Node, Variant, find_variant};
use super::Loader;
use super::value::Read;

/// Is it an `Option`?
pub(super) fn is_option(node: &Node) -> bool {
    some(node).is_some()
}

/// The variant of an `Option` that holds a value, with its number.
pub(super) fn some(node: &Node) -> Option<&Variant> {
    let (Form::Enum(variants), TyKind::Enum(path, _)) = (&node.form, node.ty.kind()) else { return None };
    let is_option = path.name == "Option" && path.module == "std/prelude";
    let found = &variants[find_variant(variants, "Some")?];
    (is_option && found.fields.len() == 1).then_some(found)
}

impl<'t> Loader<'_, '_, 't> {
    /// Reads a value that is no `Option` into one; none if the place is for none.
    pub(super) fn read_some(&mut self, node: &Node, at: usize, text: &'t str, region: usize) -> Option<Read> {
        let found = some(node)?;
        let (field, discriminant) = (&found.fields[0], found.discriminant);
        let inner = self.types.node(field.of);
        match self.misfit(field.of, text, true) {
            Ok(None) => {}
            unlike => return Some(unlike),
        }
        self.enums += 1;
        let read = self.read(&inner, at + field.offset, text, region);
        self.enums -= 1;
        if let Ok(None) = read {
            self.view.memory.write(at, &discriminant.to_le_bytes());
        }
        Some(read)
    }

    /// What is in an `Option`, for a place of something else; none if the text is none with a value.
    pub(super) fn in_option(&self, node: &Rc<Node>, text: &'t str) -> Option<&'t str> {
        let own = match &node.form {
            Form::Enum(variants) => find_variant(variants, "Some").is_some(),
            Form::Record { fields, .. } => fields.iter().any(|field| &*field.name == "Some"),
            _ => false,
        };
        if own || Kind::of(text) != Kind::Object {
            return None;
        }
        let (mut count, mut payload) = (0, None);
        let members = json::members(text, &mut |key, part| {
            count += 1;
            payload = (key == "Some" && Kind::of(part) == Kind::List).then_some(part);
            Ok(())
        });
        let (list, mut inner) = (payload.filter(|_| members.is_ok() && count == 1)?, Vec::new());
        let elements = json::elements(list, &mut |part| {
            inner.push(part);
            Ok(())
        });
        (elements.is_ok() && inner.len() == 1).then(|| inner[0])
    }
}
