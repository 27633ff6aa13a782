//! Making the objects of a file, and the values that it does not have.

use std::rc::Rc;

use vaisjit_codegen::layout::parked_bytes;
use vaisjit_semantics::{ItemPath, Ty, TyKind};

use super::super::json::{self, Damaged, Kind as Json};
use super::super::regions::{Kind, Region};
use super::super::types::{Form, Id, Node};
use super::computed::Declared;
use super::value::{FieldOf, Read};
use super::{Loader, PendingMap, Work, WorkKind};
use crate::program::constant;

impl<'t> Loader<'_, '_, 't> {
    /// A handle on an object, which is made if there is none of the type yet.
    pub(super) fn handle(&mut self, node: &Rc<Node>, at: usize, object: usize, region: usize) -> Read {
        let Some((ty, text)) = self.file.objects.get(object) else {
            return Err(Damaged(format!("there is no object {object}, there are {}", self.file.objects.len())));
        };
        let text: &'t str = text;
        if let Some((payload, _)) = self.built.get(&(object, node.ty)) {
            let payload = *payload;
            self.view.memory.retain(payload);
            return self.put(at, &payload.to_le_bytes());
        }
        let wanted = match &node.form {
            Form::Vec(_) => "Vec<",
            Form::Map { .. } => "HashMap<",
            Form::Box(_) => "Box<",
            _ => "",
        };
        if !ty.starts_with(wanted) {
            return Ok(Some(format!("`{ty}` cannot become `{}`", self.view.names.ty(node.ty))));
        }
        let made = match &node.form {
            Form::Dyn(of_trait) => match self.cell(*of_trait, ty)? {
                Some(made) => made,
                None => {
                    let of_trait = self.view.names.ty(node.ty);
                    return Ok(Some(format!(
                        "the program makes no `{of_trait}` of a `{}`",
                        ty.trim_start_matches('&')
                    )));
                }
            },
            _ => self.object(node, text)?,
        };
        let (payload, of, mut made_region, kind) = made;
        self.made.push(payload);
        made_region.parent = Some((region, at));
        let made_region = self.regions.add(made_region);
        self.built.insert((object, node.ty), (payload, made_region));
        self.work.push_back(Work { text, payload, of, region: made_region, kind });
        self.put(at, &payload.to_le_bytes())
    }

    /// An empty `Vec`, `HashMap` or `Box` with room for what the text says.
    fn object(&mut self, node: &Node, text: &str) -> Result<(usize, Id, Region, WorkKind), Damaged> {
        let memory = self.view.memory;
        let of = self.types.id(node.ty);
        let list = |text: &str| match Json::of(text) {
            Json::List => json::count(text),
            _ => Err(Damaged("the elements of a Vec and the entries of a HashMap are a list".to_owned())),
        };
        let (payload, base, size, kind) = match node.form {
            Form::Vec(element) => {
                let (length, each) = (list(text)?, self.types.node(element).size);
                self.take_room(length.saturating_mul(each))?;
                let (payload, data) = memory.new_vec(node.record, length)?;
                (payload, data, length * each, Kind::Elements(element))
            }
            Form::Map { key, value, entry } => {
                let length = list(text)?;
                let size = length.saturating_mul(entry.stride);
                // Once aside and once in the map.
                self.take_room(size.saturating_mul(3))?;
                let payload = memory.new_map(node.record)?;
                let entries = vec![0u128; size.div_ceil(16)].into_boxed_slice();
                let base = entries.as_ptr() as usize;
                let region = self.regions.list.len();
                self.maps.push(PendingMap { payload, of, entries, wanted: vec![true; length], region });
                let (key_at, value_at, stride) = (entry.key, entry.value, entry.stride);
                (payload, base, size, Kind::Entries { key, value, key_at, value_at, stride })
            }
            Form::Box(value) => {
                let size = self.types.node(value).size;
                self.take_room(size)?;
                let payload = memory.new_box(node.record)?;
                (payload, payload, size, Kind::Value(value))
            }
            _ => return Err(Damaged("a handle leads to a Vec, a HashMap, a Box or a dyn".to_owned())),
        };
        Ok((payload, of, Region { base, size, kind, name: None, parent: None }, WorkKind::Handle))
    }

    /// A `dyn` of a value of this type, if the program makes such.
    fn cell(&mut self, of_trait: ItemPath, ty: &str) -> Result<Option<(usize, Id, Region, WorkKind)>, Damaged> {
        let view = &self.view;
        let known = self.dyn_values.get_or_insert_with(|| view.dyn_values().into()).clone();
        let (borrows, ty) = ty.strip_prefix('&').map_or((false, ty), |ty| (true, ty));
        let names = &self.view.names;
        let is_named = |known: Ty| {
            names.ty(known) == ty || names.before(known, self.types.program).is_some_and(|before| before == ty)
        };
        let is = |known: &&super::DynValue| known.of_trait == of_trait && is_named(known.ty);
        let Some(found) = known.iter().find(is) else { return Ok(None) };
        let of = self.types.id(found.ty);
        let node = self.types.node(of);
        let owned = (!borrows).then_some(node.record);
        self.take_room(if borrows { 0 } else { node.size })?;
        let (payload, data) = self.view.memory.new_cell(found.table, owned)?;
        let (base, size) = if borrows { (payload, 0) } else { (data, node.size) };
        let kind = if borrows { WorkKind::Borrowing } else { WorkKind::Cell };
        Ok(Some((payload, of, Region { base, size, kind: Kind::Value(of), name: None, parent: None }, kind)))
    }

    /// Reads what is in an object.
    pub(super) fn fill(&mut self, work: Work<'t>) -> Result<(), Damaged> {
        let text = work.text;
        let node = self.types.node(work.of);
        let base = self.regions.list[work.region].base;
        match (work.kind, &node.form) {
            (WorkKind::Cell, _) => self.place(&node, base, text, work.region, None).map(drop),
            (WorkKind::Borrowing, _) => self.borrow(&node, text, &work),
            (_, Form::Vec(element)) => {
                let element = self.types.node(*element);
                let mut at = base;
                json::elements(text, &mut |part| {
                    self.place(&element, at, part, work.region, None)?;
                    at += element.size;
                    Ok(())
                })
            }
            (_, Form::Box(value)) => {
                let value = self.types.node(*value);
                self.place(&value, base, text, work.region, None).map(drop)
            }
            (_, Form::Map { key, value, .. }) => self.entries((*key, *value), text, &work),
            _ => Ok(()),
        }
    }

    /// Where the value of a `dyn` lies that does not own it.
    fn borrow(&mut self, node: &Node, text: &'t str, work: &Work<'_>) -> Result<(), Damaged> {
        let (mut to, mut path) = (None, None);
        if Json::of(text) == Json::Object {
            json::members(text, &mut |key, part| {
                match &*key {
                    "to" => to = Some(part),
                    "at" => path = Some(json::string(part)?),
                    _ => {}
                }
                Ok(())
            })?;
        }
        let place = (work.region, work.payload);
        match to {
            Some(to) => {
                self.later(to, path.unwrap_or_default(), (node.ty, None), place, Some(work.payload))?;
            }
            None => {
                let name = self.regions.name(place.0, place.1, None, &self.types);
                self.notices.of(&name, "is a `dyn` of nothing: what it pointed to was not saved");
            }
        }
        Ok(())
    }

    /// The entries of a map, aside.
    fn entries(&mut self, (key, value): (Id, Id), text: &'t str, work: &Work<'_>) -> Result<(), Damaged> {
        let Kind::Entries { key_at, value_at, stride, .. } = self.regions.list[work.region].kind else { return Ok(()) };
        let (key, value) = (self.types.node(key), self.types.node(value));
        let base = self.regions.list[work.region].base;
        let mut number = 0;
        json::elements(text, &mut |part| {
            let (key_text, value_text) = json::pair(part)?;
            let at = base + number * stride;
            if !self.place(&key, at + key_at, key_text, work.region, None)? {
                self.unwanted(work.region, number);
            }
            self.place(&value, at + value_at, value_text, work.region, None)?;
            number += 1;
            Ok(())
        })
    }

    /// An entry without a key is left out.
    fn unwanted(&mut self, region: usize, number: usize) {
        if let Some(map) = self.maps.iter_mut().rev().find(|map| map.region == region) {
            map.wanted[number] = false;
        }
    }

    /// Gives a place that is all zero the default of its field, or the zero of its type.
    pub(super) fn default(&mut self, node: &Rc<Node>, at: usize, field: Option<FieldOf>) -> Result<(), Damaged> {
        match field.map_or(Declared::None, |field| self.declared(field)) {
            Declared::Bytes(bytes) => {
                self.view.memory.write(at, &bytes);
                return Ok(());
            }
            Declared::Computed(function) => return self.computed(function, node, at),
            Declared::None => {}
        }
        match &node.form {
            Form::Vec(_) => {
                self.take_room(0)?;
                let (made, _) = self.view.memory.new_vec(node.record, 0)?;
                self.made.push(made);
                self.view.memory.write(at, &made.to_le_bytes());
            }
            Form::Map { .. } => {
                self.take_room(0)?;
                let made = self.view.memory.new_map(node.record)?;
                self.made.push(made);
                self.view.memory.write(at, &made.to_le_bytes());
            }
            Form::Array(of, length) if self.has_default(*of) => {
                let element = self.types.node(*of);
                for index in 0..*length {
                    self.default(&element, at + index * element.size, None)?;
                }
            }
            Form::Record { fields, .. } => {
                self.fill_parked(node.ty, None, at);
                for (index, field) in fields.iter().enumerate() {
                    let of = self.types.node(field.of);
                    self.default(&of, at + field.offset, Some((node.ty, None, index)))?;
                }
            }
            Form::Enum(variants) => {
                let number = variants.iter().position(|variant| variant.fields.is_empty()).unwrap_or(0);
                let Some(variant) = variants.get(number) else { return Ok(()) };
                self.view.memory.write(at, &variant.discriminant.to_le_bytes());
                self.fill_parked(node.ty, Some(number), at);
                for (index, field) in variant.fields.iter().enumerate() {
                    let of = self.types.node(field.of);
                    self.default(&of, at + field.offset, Some((node.ty, Some(number), index)))?;
                }
            }
            Form::Box(_) | Form::Dyn(_) | Form::Function => return Err(self.no_default(node, field)),
            Form::Pointer(_) if matches!(node.ty.kind(), TyKind::Reference(_)) => {
                return Err(self.no_default(node, field));
            }
            _ => {}
        }
        Ok(())
    }

    /// Gives the bytes of fields that the program has no more their defaults, as code that builds a value does.
    pub(super) fn fill_parked(&mut self, ty: Ty, variant: Option<usize>, at: usize) {
        let parked = parked_bytes(ty, variant.unwrap_or(0) as u32, self.types.layouts);
        for (offset, bytes) in parked.iter().flat_map(|parked| parked.iter()) {
            self.view.memory.write(at + *offset as usize, bytes);
        }
    }

    /// Is the default of a type something else than zeros?
    fn has_default(&mut self, of: Id) -> bool {
        if let Some(known) = self.has_default.get(&of) {
            return *known;
        }
        let node = self.types.node(of);
        let found = match &node.form {
            Form::Vec(_) | Form::Map { .. } | Form::Enum(_) => true,
            Form::Box(_) | Form::Dyn(_) | Form::Function => true,
            Form::Pointer(_) => matches!(node.ty.kind(), TyKind::Reference(_)),
            Form::Array(of, length) => *length > 0 && self.has_default(*of),
            Form::Record { fields, .. } => {
                let definition = self.types.program.structs.get(&node.ty);
                parked_bytes(node.ty, 0, self.types.layouts).is_some()
                    || definition
                        .is_some_and(|definition| definition.fields.iter().any(|field| field.default.is_some()))
                    || fields.iter().any(|field| self.has_default(field.of))
            }
            _ => false,
        };
        self.has_default.insert(of, found);
        found
    }

    /// A field's declared value.
    fn declared(&mut self, field: FieldOf) -> Declared {
        if let Some(known) = self.defaults.get(&field) {
            return known.clone();
        }
        let (ty, variant, index) = field;
        let program = self.types.program;
        let fields = match variant {
            None => program.structs.get(&ty).map(|definition| &definition.fields),
            Some(number) => {
                program.enums.get(&ty).and_then(|definition| Some(&definition.variants.get(number)?.fields))
            }
        };
        let value = fields.and_then(|fields| fields.get(index)?.default.as_ref());
        let layouts = self.types.layouts;
        let found = match value {
            None => Declared::None,
            Some(body) => match constant(&body.value, layouts, self.view.linkage) {
                Some(bytes) => Declared::Bytes(bytes.into()),
                None => Declared::Computed(body.instance),
            },
        };
        self.defaults.insert(field, found.clone());
        found
    }
}
