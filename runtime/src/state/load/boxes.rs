//! A value that has gone into a `Box` since it was saved, or come out of one: as in a reload, it is found.

use std::rc::Rc;

use super::super::json::{self, Kind as Json};
use super::super::regions::{Kind, Region};
use super::super::types::{Form, Id, Node};
use super::options::is_option;
use super::value::Read;
use super::{Loader, Work, WorkKind};

/// How many boxes one in the other a value comes out of.
const DEEPEST: usize = 16;

/// Is it what stands for a handle, as it is written?
fn is_handle(text: &str) -> bool {
    text.strip_prefix('{').is_some_and(|rest| rest.trim_start().starts_with("\"object\""))
}

impl<'t> Loader<'_, '_, 't> {
    /// The value in a `Box` of the file, for a place of something else; none if the text is no such `Box`.
    pub(super) fn in_box(&self, node: &Node, text: &'t str) -> Option<&'t str> {
        let own = match &node.form {
            Form::Vec(_) | Form::Map { .. } | Form::Box(_) | Form::Dyn(_) => true,
            Form::Record { fields, .. } => fields.iter().any(|field| &*field.name == "object"),
            Form::Enum(_) => is_option(node),
            _ => false,
        };
        let mut found = text;
        for _ in 0..DEEPEST {
            if own || !is_handle(found) {
                break;
            }
            let mut number = None;
            json::members(found, &mut |_, part| {
                number = part.parse::<usize>().ok();
                Ok(())
            })
            .ok()?;
            let (ty, value) = self.file.objects.get(number?)?;
            if !ty.starts_with("Box<") {
                break;
            }
            found = value;
        }
        (found.as_ptr() != text.as_ptr() && !is_handle(found)).then_some(found)
    }

    /// A new `Box` for a value that stands where the program has one.
    pub(super) fn into_box(&mut self, (node, of): (&Rc<Node>, Id), at: usize, text: &'t str, region: usize) -> Read {
        if let (Json::Object, true) = (Json::of(text), is_handle(text)) {
            return self.special(node, at, text, region);
        }
        let size = self.types.node(of).size;
        self.take_room(size)?;
        let payload = self.view.memory.new_box(node.record)?;
        self.made.push(payload);
        let kind = Kind::Value(of);
        let region = self.regions.add(Region { base: payload, size, kind, name: None, parent: Some((region, at)) });
        let of = self.types.id(node.ty);
        self.work.push_back(Work { text, payload, of, region, kind: WorkKind::Handle });
        self.put(at, &payload.to_le_bytes())
    }
}
