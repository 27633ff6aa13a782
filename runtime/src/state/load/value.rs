//! Reading one value of a file into a place of a type.

use std::borrow::Cow;
use std::rc::Rc;

use smallvec::SmallVec;
use vaisjit_semantics::Ty;
use vaisjit_semantics::types::{FloatKind, IntKind};

use super::super::json::{self, Damaged, Kind, Number};
use super::super::types::{Field, Form, Node, Variant, find_field, find_variant};
use super::{Fixup, Goal, Loader};

/// A value has been read; or why it cannot become one of the type, and nothing is written.
pub(super) type Read = Result<Option<String>, Damaged>;

/// A field of a type (and of which variant, if it is an enum), for its default.
pub(super) type FieldOf = (Ty, Option<usize>, usize);

impl<'t> Loader<'_, '_, 't> {
    /// Reads a value into a place that is all zero. One that cannot become one keeps what the global has there, or takes
    /// its default, and is named: then the result is false.
    pub(super) fn place(
        &mut self,
        node: &Rc<Node>,
        at: usize,
        text: &'t str,
        region: usize,
        field: Option<FieldOf>,
    ) -> Result<bool, Damaged> {
        match self.read(node, at, text, region)? {
            None => Ok(true),
            Some(why) => self.replace(node, at, &why, region, field).map(|()| false),
        }
    }

    /// What is done about a value that cannot become one of the type.
    fn replace(
        &mut self,
        node: &Rc<Node>,
        at: usize,
        why: &str,
        region: usize,
        field: Option<FieldOf>,
    ) -> Result<(), Damaged> {
        let name = self.regions.name(region, at, Some(node.ty), &self.types);
        let global = self.staged.last().filter(|staged| staged.region == region && self.enums == 0);
        if let Some(global) = global {
            self.kept.push((at, global.at + (at - global.address()), node.size));
            self.notices.of(&name, &format!("keeps its value: {why}"));
            return Ok(());
        }
        self.notices.of(&name, &format!("takes its default: {why}"));
        let missing = |damaged: Damaged| Damaged(format!("`{name}`: {why}, and {damaged}"));
        self.default(node, at, field).map_err(missing)
    }

    pub(super) fn read(&mut self, node: &Rc<Node>, at: usize, text: &'t str, region: usize) -> Read {
        let kind = Kind::of(text);
        if let Some(inner) = self.in_option(node, text) {
            return self.read(node, at, inner, region);
        }
        if let Some(inner) = self.in_box(node, text) {
            return self.read(node, at, inner, region);
        }
        if let (Form::Box(of), false) = (&node.form, kind == Kind::Null) {
            return self.boxed((node, *of), at, text, region);
        }
        match (&node.form, kind) {
            (Form::Unit, _) => Ok(None),
            (Form::Bool, Kind::Bool(value)) => self.put(at, &[u8::from(value)]),
            (Form::Bool, Kind::Number) => {
                let value = json::number(text);
                if !matches!(value, Some(Number::Int(0 | 1))) {
                    self.saturates(region, at);
                }
                self.put(at, &[u8::from(!matches!(value, Some(Number::Int(0))))])
            }
            (Form::Int(_), Kind::Bool(value)) => self.put(at, &[u8::from(value)]),
            (Form::Float(FloatKind::F64), Kind::Bool(value)) => self.put(at, &f64::from(value).to_le_bytes()),
            (Form::Float(FloatKind::F32), Kind::Bool(value)) => self.put(at, &f32::from(value).to_le_bytes()),
            (Form::Int(of), Kind::Number | Kind::Text) => match self.number(text, kind)? {
                Some(value) => {
                    let bytes = self.integer(*of, value, region, at);
                    self.put(at, &bytes[..node.size])
                }
                None => self.unlike(kind, node),
            },
            (Form::Float(of), Kind::Number | Kind::Text) => match self.number(text, kind)? {
                Some(value) => {
                    let value = float(value);
                    match of {
                        FloatKind::F64 => self.put(at, &value.to_le_bytes()),
                        FloatKind::F32 => {
                            let bytes = self.single(value, region, at).to_le_bytes();
                            self.put(at, &bytes)
                        }
                    }
                }
                None => self.unlike(kind, node),
            },
            (Form::Str, Kind::Text) => {
                let text = json::string(text)?;
                self.text(text.as_bytes(), at)
            }
            (Form::Array(of, _), Kind::List) => self.array(node, *of, at, text, region),
            (Form::Record { fields, tuple: true }, Kind::List) => self.listed(node, None, fields, at, text, region),
            (Form::Record { fields, tuple: false }, Kind::Object) => {
                self.fill_parked(node.ty, None, at);
                self.named(node, None, fields, at, text, region)
            }
            (Form::Enum(variants), Kind::Text) => {
                let name = json::string(text)?;
                if find_variant(variants, &name).is_none()
                    && let Some(read) = self.read_some(node, at, text, region)
                {
                    return read;
                }
                self.variant(node, variants, &name, None, at, region)
            }
            (Form::Enum(_), Kind::Number | Kind::Bool(_) | Kind::List | Kind::Null) => {
                self.read_some(node, at, text, region).unwrap_or_else(|| self.unlike(kind, node))
            }
            (
                Form::Pointer(_)
                | Form::Slice(_)
                | Form::Function
                | Form::Dyn(_)
                | Form::Vec(_)
                | Form::Map { .. }
                | Form::Box(_),
                Kind::Null,
            ) => Ok(None),
            (
                Form::Str
                | Form::Pointer(_)
                | Form::Slice(_)
                | Form::Function
                | Form::Dyn(_)
                | Form::Vec(_)
                | Form::Map { .. }
                | Form::Box(_)
                | Form::Enum(_),
                Kind::Object,
            ) => self.special(node, at, text, region),
            _ => self.unlike(kind, node),
        }
    }

    pub(super) fn put(&mut self, at: usize, bytes: &[u8]) -> Read {
        self.view.memory.write(at, bytes);
        Ok(None)
    }

    /// Why a value cannot become one of the type.
    pub(super) fn unlike(&self, kind: Kind, node: &Node) -> Read {
        Ok(Some(format!("{kind} cannot become `{}`", self.view.names.ty(node.ty))))
    }

    fn text(&mut self, bytes: &[u8], at: usize) -> Read {
        if bytes.is_empty() {
            return Ok(None);
        }
        self.take_room(bytes.len())?;
        let made = self.view.memory.new_text(bytes)?;
        self.made.push(made);
        self.put(at, &made.to_le_bytes())
    }

    /// The number that a text is; a text in quotes is one only where JSON has none of that size.
    pub(super) fn number(&self, text: &str, kind: Kind) -> Result<Option<Number>, Damaged> {
        if kind == Kind::Number {
            let found = json::number(text);
            return found.map(Some).ok_or_else(|| Damaged(format!("the number {} is too large", short(text))));
        }
        Ok(json::number(&json::string(text)?).filter(|value| match value {
            Number::Int(value) => value.unsigned_abs() > 1 << 53,
            Number::Large(_) => true,
            Number::Float(value) => !value.is_finite(),
        }))
    }

    /// An integer of the kind; what it has no room for becomes the nearest there is, and is counted.
    fn integer(&mut self, kind: IntKind, value: Number, region: usize, at: usize) -> [u8; 16] {
        let bits = kind.bits();
        let least = if kind.signed() { i128::MIN >> (128 - bits) } else { 0 };
        let most = if kind.signed() { (i128::MAX >> (128 - bits)) as u128 } else { u128::MAX >> (128 - bits) };
        let (fits, nearest) = match value {
            Number::Int(value) if value < least => (false, least as u128),
            Number::Int(value) if value >= 0 && value as u128 > most => (false, most),
            Number::Int(value) => (true, value as u128),
            Number::Large(value) => (value <= most, value.min(most)),
            Number::Float(value) if value.is_nan() => (false, 0),
            Number::Float(value) if value < 0.0 => {
                ((value.trunc() as i128) >= least, (value as i128).max(least) as u128)
            }
            Number::Float(value) => (value.is_finite() && (value as u128) <= most, (value as u128).min(most)),
        };
        if !fits {
            self.saturates(region, at);
        }
        nearest.to_le_bytes()
    }

    fn single(&mut self, value: f64, region: usize, at: usize) -> f32 {
        let single = value as f32;
        if single.is_infinite() && value.is_finite() {
            self.saturates(region, at);
            return f32::MAX.copysign(single);
        }
        single
    }

    fn saturates(&mut self, region: usize, at: usize) {
        self.saturated += 1;
        let name = self.regions.name(region, at, None, &self.types);
        self.notices.of(&name, "takes the nearest number there is: that of the file is out of its range");
    }

    fn array(&mut self, node: &Node, of: super::Id, at: usize, text: &'t str, region: usize) -> Read {
        let Form::Array(_, length) = node.form else { return Ok(None) };
        let element = self.types.node(of);
        let (mut index, mut failed) = (0, Vec::new());
        json::elements(text, &mut |part| {
            if index < length
                && let Some(why) = self.read(&element, at + index * element.size, part, region)?
            {
                failed.push((index, why));
            }
            index += 1;
            Ok(())
        })?;
        if failed.len() == index.min(length) && !failed.is_empty() {
            // The array may have a default of its own.
            return Ok(failed.pop().map(|(_, why)| why));
        }
        for (index, why) in failed {
            self.replace(&element, at + index * element.size, &why, region, None)?;
        }
        for index in index..length {
            self.default(&element, at + index * element.size, None)?;
        }
        if index > length {
            let name = self.regions.name(region, at, Some(node.ty), &self.types);
            self.notices
                .of(&name, &format!("has {length} elements: the {} more of the file are left out", index - length));
        }
        Ok(None)
    }

    /// Fields by their places, whether or not the file has names for them.
    fn listed(
        &mut self,
        node: &Node,
        variant: Option<usize>,
        fields: &[Field],
        at: usize,
        text: &'t str,
        region: usize,
    ) -> Read {
        let mut index = 0;
        let mut each = |part| {
            match fields.get(index) {
                Some(field) => {
                    let of = self.types.node(field.of);
                    self.place(&of, at + field.offset, part, region, Some((node.ty, variant, index)))?;
                }
                None => self.no_field(node, &index.to_string()),
            }
            index += 1;
            Ok(())
        };
        match Kind::of(text) {
            Kind::Object => json::members(text, &mut |_, part| each(part))?,
            _ => json::elements(text, &mut each)?,
        }
        for (index, field) in fields.iter().enumerate().skip(index) {
            self.default(&self.types.node(field.of), at + field.offset, Some((node.ty, variant, index)))?;
        }
        Ok(None)
    }

    /// Fields by their names.
    fn named(
        &mut self,
        node: &Node,
        variant: Option<usize>,
        fields: &[Field],
        at: usize,
        text: &'t str,
        region: usize,
    ) -> Read {
        let mut met: SmallVec<[bool; 32]> = SmallVec::from_elem(false, fields.len());
        let mut next = 0;
        json::members(text, &mut |key, part| {
            // Mostly the fields come in their order.
            let guess = fields.get(next).filter(|field| *field.name == *key).map(|_| next);
            match guess.or_else(|| find_field(fields, &key)) {
                Some(index) => {
                    (met[index], next) = (true, index + 1);
                    let of = self.types.node(fields[index].of);
                    self.place(&of, at + fields[index].offset, part, region, Some((node.ty, variant, index)))?;
                }
                None => self.no_field(node, &key),
            }
            Ok(())
        })?;
        for (index, field) in fields.iter().enumerate().filter(|(index, _)| !met[*index]) {
            self.default(&self.types.node(field.of), at + field.offset, Some((node.ty, variant, index)))?;
        }
        Ok(None)
    }

    fn no_field(&mut self, node: &Node, name: &str) {
        let ty = self.view.names.ty(node.ty);
        self.notices.once(format!("`{ty}` has no field `{name}`: its values in the file are left out"));
    }

    fn variant(
        &mut self,
        node: &Node,
        variants: &[Variant],
        name: &str,
        payload: Option<&'t str>,
        at: usize,
        region: usize,
    ) -> Read {
        let Some(number) = find_variant(variants, name) else {
            return Ok(Some(format!("`{}` has no variant `{name}`", self.view.names.ty(node.ty))));
        };
        let variant = &variants[number];
        if let Some(why) = payload.map_or(Ok(None), |payload| self.misfit_payload(node, variant, payload))? {
            return Ok(Some(why));
        }
        self.put(at, &variant.discriminant.to_le_bytes())?;
        self.fill_parked(node.ty, Some(number), at);
        self.enums += 1;
        let kind = payload.map_or(Kind::Null, Kind::of);
        match (payload, kind) {
            (Some(text), Kind::Object) if !variant.tuple => {
                self.named(node, Some(number), &variant.fields, at, text, region)?
            }
            // A payload that has got names since the file was written, or lost them, goes by its places.
            (Some(text), Kind::List | Kind::Object) if !variant.fields.is_empty() => {
                self.listed(node, Some(number), &variant.fields, at, text, region)?
            }
            _ => {
                if !(payload.is_none() && variant.fields.is_empty()) {
                    let ty = self.view.names.ty(node.ty);
                    self.notices
                        .once(format!("`{ty}.{name}` holds other things than in the file: they take their defaults"));
                }
                self.listed(node, Some(number), &variant.fields, at, "[]", region)?
            }
        };
        self.enums -= 1;
        Ok(None)
    }

    /// What is written as an object that is no struct.
    pub(super) fn special(&mut self, node: &Rc<Node>, at: usize, text: &'t str, region: usize) -> Read {
        let mut parts: SmallVec<[(Cow<'t, str>, &'t str); 3]> = SmallVec::new();
        json::members(text, &mut |key, part| {
            if parts.len() < 3 {
                parts.push((key, part));
            }
            Ok(())
        })?;
        let part = |name: &str| parts.iter().find(|(key, _)| key == name).map(|(_, part)| *part);
        if let (1, Some(why)) = (parts.len(), part("lost").filter(|part| Kind::of(part) == Kind::Text)) {
            return Ok(Some(format!("it was not saved, as it {}", json::string(why)?)));
        }
        match &node.form {
            Form::Enum(variants) => match &parts[..] {
                [(name, _)] if find_variant(variants, name).is_some() => {
                    let (name, payload) = &parts[0];
                    self.variant(node, variants, name, Some(payload), at, region)
                }
                _ if let Some(read) = self.read_some(node, at, text, region) => read,
                [(name, payload)] => self.variant(node, variants, name, Some(payload), at, region),
                _ => Err(Damaged("a variant is an object with one member".to_owned())),
            },
            Form::Str => match part("bytes").map(json::string).transpose()? {
                Some(digits) => {
                    let bytes =
                        hex(&digits).ok_or_else(|| Damaged("bytes are pairs of hexadecimal digits".to_owned()))?;
                    self.text(&bytes, at)
                }
                None => self.unlike(Kind::Object, node),
            },
            Form::Pointer(to) | Form::Slice(to) => {
                let slice = matches!(node.form, Form::Slice(_));
                let length = part("length").map(index).transpose()?;
                match part("to") {
                    Some(goal) if slice == length.is_some() => {
                        let path = part("at").map_or(Ok(Cow::Borrowed("")), json::string)?;
                        self.later(goal, path, (*to, length), (region, at), None)
                    }
                    _ => self.unlike(Kind::Object, node),
                }
            }
            Form::Function => match (part("function"), part("type")) {
                (Some(name), Some(ty)) => {
                    let (name, ty) = (json::string(name)?, json::string(ty)?);
                    self.function(node, at, &name, &ty)
                }
                _ => self.unlike(Kind::Object, node),
            },
            _ => match part("object") {
                Some(number) => {
                    let number = index(number)?;
                    self.handle(node, at, number, region)
                }
                None => self.unlike(Kind::Object, node),
            },
        }
    }

    /// A pointer, to be set later.
    pub(super) fn later(
        &mut self,
        goal: &'t str,
        path: Cow<'t, str>,
        (pointee, length): (Ty, Option<usize>),
        place: (usize, usize),
        cell: Option<usize>,
    ) -> Read {
        let to = match Kind::of(goal) {
            Kind::Text => Goal::Global(json::string(goal)?),
            _ => Goal::Object(self.object_number(goal)?),
        };
        self.fixups.push(Fixup { place, cell, to, path, pointee, length });
        Ok(None)
    }

    fn function(&mut self, node: &Node, at: usize, name: &str, ty: &str) -> Read {
        let view = &self.view;
        let known =
            self.functions.get_or_insert_with(|| view.functions().map(|(name, ty, slot)| (name, (ty, slot))).collect());
        match known.get(name) {
            Some((found, slot)) if *found == node.ty => {
                let slot = *slot;
                self.put(at, &slot.to_le_bytes())
            }
            Some((found, _)) => Ok(Some(format!("`{name}` is `{}` now, and was `{ty}`", self.view.names.ty(*found)))),
            None => Ok(Some(format!("the program has no function `{name}`"))),
        }
    }

    pub(super) fn object_number(&self, text: &str) -> Result<usize, Damaged> {
        let number = index(text)?;
        match number < self.file.objects.len() {
            true => Ok(number),
            false => Err(Damaged(format!("there is no object {number}, there are {}", self.file.objects.len()))),
        }
    }
}

/// A number that counts something.
pub(super) fn index(text: &str) -> Result<usize, Damaged> {
    text.parse().map_err(|_| Damaged(format!("{} is no number of an object or length", short(text))))
}

fn short(text: &str) -> String {
    let mut start: String = text.chars().take(24).collect();
    if start.len() < text.len() {
        start.push_str("...");
    }
    start
}

fn float(value: Number) -> f64 {
    match value {
        Number::Int(value) => value as f64,
        Number::Large(value) => value as f64,
        Number::Float(value) => value,
    }
}

fn hex(digits: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| Some((digit(pair.first()?)? * 16 + digit(pair.get(1)?)?) as u8)).collect()
}
