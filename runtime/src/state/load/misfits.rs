//! What cannot become the payload of an `Option`, or of another enum with type arguments: as in a reload the enum as a whole
//! takes its default then, for a number that nobody has written is no value.
//!
//! As there, fields of structs and of other enums take defaults of their own, and so do the elements of a `Vec` and the values
//! of a `HashMap` that are all of the payload.

use std::rc::Rc;

use vaisjit_semantics::{Ty, TyKind};

use super::super::json::{self, Damaged, Kind};
use super::super::types::{Field, Form, Node, Variant, find_field, find_variant};
use super::value::Read;
use super::{Id, Loader};

impl<'t> Loader<'_, '_, 't> {
    /// Why what the file has for a variant's payload cannot become one; none if it can, or if the payload's types are those
    /// of the enum itself.
    pub(super) fn misfit_payload(&self, node: &Node, variant: &Variant, payload: &'t str) -> Read {
        let TyKind::Enum(_, arguments) = node.ty.kind() else { return Ok(None) };
        let is_argument = |field: &Field| arguments.iter().any(|ty: &Ty| *ty == self.types.node(field.of).ty);
        let mut found = None;
        let mut next = 0;
        let mut each = |field: usize, part: &'t str| {
            if let (None, Some(field)) = (&found, variant.fields.get(field).filter(|field| is_argument(field))) {
                found = self.misfit(field.of, part, true)?;
            }
            Ok(())
        };
        match Kind::of(payload) {
            _ if arguments.iter().next().is_none() => {}
            Kind::Object => json::members(payload, &mut |key, part| {
                let named = find_field(&variant.fields, &key).filter(|_| !variant.tuple);
                next += 1;
                each(named.unwrap_or(next - 1), part)
            })?,
            Kind::List => json::elements(payload, &mut |part| {
                next += 1;
                each(next - 1, part)
            })?,
            _ => {}
        }
        Ok(found)
    }

    /// Why a value cannot become one of the type, which may be all of a payload; none if it can, perhaps with defaults inside.
    pub(super) fn misfit(&self, of: Id, text: &'t str, all: bool) -> Read {
        let node: &Rc<Node> = &self.types.node(of);
        if let Some(inner) = self.in_option(node, text).or_else(|| self.in_box(node, text)) {
            return self.misfit(of, inner, false);
        }
        let kind = Kind::of(text);
        let fits = match (&node.form, kind) {
            (Form::Unit, _) | (Form::Bool | Form::Int(_) | Form::Float(_), Kind::Bool(_)) => true,
            (Form::Bool, Kind::Number) | (Form::Str, Kind::Text) => true,
            (Form::Int(_) | Form::Float(_), Kind::Number | Kind::Text) => self.number(text, kind)?.is_some(),
            (Form::Str, Kind::Object) => self.member(text, "bytes")?.is_some(),
            (Form::Record { tuple: false, .. }, Kind::Object) => true,
            (Form::Record { fields, tuple: true }, Kind::List) => {
                let mut types = fields.iter().map(|field| field.of);
                return self.misfit_list(text, &mut || types.next());
            }
            (Form::Array(of, _), Kind::List) => return self.misfit_list(text, &mut || Some(*of)),
            (Form::Enum(variants), _) => return self.misfit_enum(node, variants, text),
            (Form::Box(_), Kind::Null) => true,
            (Form::Box(of), _) => match self.member(text, "object")?.and_then(|number| self.object_of(number)) {
                Some((ty, value)) if ty.starts_with("Box<") => return self.misfit(*of, value, false),
                Some(_) => false,
                None => return self.misfit(*of, text, false),
            },
            (Form::Vec(_) | Form::Map { .. }, Kind::Object) => return self.misfit_container(node, text, all),
            (Form::Record { .. } | Form::Array(..) | Form::Bool | Form::Int(_) | Form::Float(_) | Form::Str, _) => {
                false
            }
            // These say for themselves what they were.
            _ => true,
        };
        if fits { Ok(None) } else { self.unlike(kind, node) }
    }

    fn misfit_list(&self, text: &'t str, next: &mut dyn FnMut() -> Option<Id>) -> Read {
        let mut found = None;
        json::elements(text, &mut |part| {
            if let (None, Some(of)) = (&found, next()) {
                found = self.misfit(of, part, false)?;
            }
            Ok(())
        })?;
        Ok(found)
    }

    fn misfit_enum(&self, node: &Node, variants: &[Variant], text: &'t str) -> Read {
        let mut named = None;
        match Kind::of(text) {
            Kind::Text => named = Some((json::string(text)?, None)),
            Kind::Object => json::members(text, &mut |key, part| {
                named.get_or_insert((key, Some(part)));
                Ok(())
            })?,
            _ => {}
        }
        let variant = named.as_ref().and_then(|(name, payload)| Some((find_variant(variants, name)?, *payload)));
        match (variant, super::options::some(node)) {
            (Some((number, Some(payload))), _) => self.misfit_payload(node, &variants[number], payload),
            (Some((_, None)), _) => Ok(None),
            (None, Some(some)) => self.misfit(some.fields[0].of, text, false),
            (None, None) => self.unlike(Kind::of(text), node),
        }
    }

    /// A member of what may be an object.
    fn member(&self, text: &'t str, name: &str) -> Result<Option<&'t str>, Damaged> {
        let mut found = None;
        if Kind::of(text) == Kind::Object {
            json::members(text, &mut |key, part| {
                found = found.or((key == name).then_some(part));
                Ok(())
            })?;
        }
        Ok(found)
    }

    /// An object of the file, with its type, by its number as it is written.
    fn object_of(&self, number: &str) -> Option<(&str, &'t str)> {
        let (ty, text) = self.file.objects.get(number.parse::<usize>().ok()?)?;
        Some((ty, text))
    }

    /// The elements of a container are of one type: the first one tells of all.
    fn misfit_container(&self, node: &Node, text: &'t str, all: bool) -> Read {
        // A number that there is no object of is said where it is read.
        let Some((ty, list)) = self.member(text, "object")?.and_then(|number| self.object_of(number)) else {
            return Ok(None);
        };
        let mut first = None;
        if Kind::of(list) == Kind::List {
            json::elements(list, &mut |part| {
                first.get_or_insert(part);
                Ok(())
            })?;
        }
        match (&node.form, first) {
            (Form::Vec(of), Some(first)) if ty.starts_with("Vec<") && !all => self.misfit(*of, first, false),
            (Form::Map { key, value, .. }, Some(first)) if ty.starts_with("HashMap<") => {
                let (first, second) = json::pair(first)?;
                match self.misfit(*key, first, false)? {
                    None if !all => self.misfit(*value, second, false),
                    unlike => Ok(unlike),
                }
            }
            (Form::Vec(_), _) if ty.starts_with("Vec<") => Ok(None),
            (Form::Map { .. }, None) if ty.starts_with("HashMap<") => Ok(None),
            _ => Ok(Some(format!("`{ty}` cannot become `{}`", self.view.names.ty(node.ty)))),
        }
    }
}
