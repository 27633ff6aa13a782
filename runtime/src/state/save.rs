//! From the memory of a stopped program to the text of a file of state.

use std::io::Write;

use rustc_hash::{FxHashMap, FxHashSet};
use vaisjit_semantics::types::{FloatKind, IntKind};
use vaisjit_semantics::{Ty, TyKind};

use super::regions::{Kind, Region, Regions};
use super::types::{Field, Form, Id, Node, Types, Variant};
use super::view::{DynValue, Notices, View};
use super::{FORMAT, LARGEST, StateReport};
use crate::heap::{Block, BlockKind};

/// Whole numbers up to here are exact wherever JSON is read.
const EXACT: u128 = 1 << 53;

/// What is saved.
pub(super) struct Saved {
    pub text: Vec<u8>,
    pub report: StateReport,
}

/// A counted block that is saved.
struct Object {
    block: Block,
    /// Its type; of a `dyn` that of the value behind it.
    of: Id,
    region: usize,
    /// A `dyn` of a value that it does not own: where that lies.
    borrows: Option<usize>,
}

struct Saver<'v, 'a> {
    view: &'v View<'a>,
    types: Types<'v>,
    /// Of the globals first, then of the objects in their order.
    regions: Regions,
    globals: usize,
    objects: Vec<Object>,
    /// Objects by payload.
    numbers: FxHashMap<usize, usize>,
    out: Vec<u8>,
    notices: Notices,
    literals: Option<FxHashSet<usize>>,
    functions: Option<FxHashMap<usize, (String, Ty)>>,
    dyn_values: Option<Vec<DynValue>>,
}

/// Saves the globals of a program and what they hold.
pub(super) fn save(view: &View<'_>) -> Result<Saved, String> {
    let mut saver = Saver {
        view,
        types: Types::new(view.memory, &view.live.checked, &view.live.layouts),
        regions: Regions::default(),
        globals: 0,
        objects: Vec::new(),
        numbers: FxHashMap::default(),
        out: Vec::new(),
        notices: Notices::default(),
        literals: None,
        functions: None,
        dyn_values: None,
    };
    let globals = saver.globals();
    saver.find_objects();
    saver.write(&globals)?;
    let (globals, objects) = (globals.len(), saver.objects.len());
    let report = StateReport { globals, objects, saturated: 0, notices: saver.notices.finish() };
    Ok(Saved { text: saver.out, report })
}

impl Saver<'_, '_> {
    /// The globals: region and type of each.
    fn globals(&mut self) -> Vec<(usize, Id)> {
        let mut found = Vec::new();
        for (path, ty, at) in self.view.globals() {
            let of = self.types.id(ty);
            let size = self.types.node(of).size;
            let name = Some(self.view.names.item(path));
            let region = Region { base: at, size, kind: Kind::Value(of), name, parent: None };
            found.push((self.regions.add(region), of));
        }
        self.globals = found.len();
        found
    }

    /// Numbers all objects that the globals hold, however indirectly.
    fn find_objects(&mut self) {
        let mut next = 0;
        while next < self.regions.list.len() {
            let region = &self.regions.list[next];
            let (base, size, kind) = (region.base, region.size, region.kind);
            match kind {
                Kind::Value(of) | Kind::Elements(of) => self.find_in(next, base, size, of),
                Kind::Entries { key, value, .. } => {
                    let map = &self.objects[next - self.globals];
                    let (block, of) = (map.block, self.types.node(map.of));
                    let mut places = Vec::new();
                    self.view.memory.entries(block, of.record, &mut |key, value| places.push((key, value)));
                    for (key_at, value_at) in places {
                        let (key_size, value_size) = (self.types.node(key).size, self.types.node(value).size);
                        self.find_in(next, key_at, key_size, key);
                        self.find_in(next, value_at, value_size, value);
                    }
                }
            }
            next += 1;
        }
    }

    /// The objects that values of a type hold, which lie one after the other.
    fn find_in(&mut self, region: usize, base: usize, bytes: usize, of: Id) {
        let node = self.types.node(of);
        if node.size == 0 || !self.view.memory.has_references(node.record) {
            return;
        }
        for at in (base..base + bytes).step_by(node.size) {
            let mut handles = Vec::new();
            self.view.memory.references(at, node.record, &mut |handle| handles.push(handle));
            for handle in handles {
                let words = (at..at + node.size).step_by(8);
                let place = words.into_iter().find(|place| self.view.memory.word(*place) == handle);
                self.found(handle, (region, place.unwrap_or(at)));
            }
        }
    }

    fn found(&mut self, handle: usize, parent: (usize, usize)) {
        if self.numbers.contains_key(&handle) {
            return;
        }
        let Some(block) = self.view.memory.block(handle) else { return };
        let parent = Some(parent);
        let (of, region, borrows) = match (block.kind, block.ty.kind()) {
            (BlockKind::Value, TyKind::Vec(_) | TyKind::HashMap(..) | TyKind::Box(_)) => {
                let of = self.types.id(block.ty);
                (of, self.region_of(block, of), None)
            }
            (BlockKind::Cell, _) => {
                let (table, data, owns) = self.view.memory.cell(block);
                let Some(ty) = self.behind(table, owns.then_some(block.ty)) else { return };
                let of = self.types.id(ty);
                let (base, size) = if owns { (data, self.types.node(of).size) } else { (handle, 0) };
                (of, Region { base, size, kind: Kind::Value(of), name: None, parent: None }, (!owns).then_some(data))
            }
            _ => return,
        };
        let region = self.regions.add(Region { parent, ..region });
        self.numbers.insert(handle, self.objects.len());
        self.objects.push(Object { block, of, region, borrows });
    }

    fn region_of(&self, block: Block, of: Id) -> Region {
        let node = self.types.node(of);
        let (base, size, kind) = match node.form {
            Form::Vec(element) => {
                let known = self.types.node(element);
                let (data, length) = self.view.memory.elements(block, known.record);
                (data, length.saturating_mul(known.size), Kind::Elements(element))
            }
            Form::Map { key, value, entry } => {
                let (base, size) = self.view.memory.entries_at(block, node.record);
                let (key_at, value_at, stride) = (entry.key, entry.value, entry.stride);
                (base, size, Kind::Entries { key, value, key_at, value_at, stride })
            }
            Form::Box(value) => (block.payload, self.types.node(value).size, Kind::Value(value)),
            _ => (block.payload, 0, Kind::Value(of)),
        };
        Region { base, size, kind, name: None, parent: None }
    }

    /// The type behind a `dyn` with this table, which owns a value of that type.
    fn behind(&mut self, table: usize, owned: Option<Ty>) -> Option<Ty> {
        let known = self.dyn_values.get_or_insert_with(|| self.view.dyn_values());
        let found = known.iter().find(|known| owned.map_or(known.table == table, |ty| ty == known.ty));
        found.map(|found| found.ty)
    }

    fn write(&mut self, globals: &[(usize, Id)]) -> Result<(), String> {
        self.out
            .extend_from_slice(format!("{{\"vaisjit\": \"state\", \"format\": {FORMAT},\n\"globals\": {{").as_bytes());
        for (number, (region, of)) in globals.iter().enumerate() {
            self.out.extend_from_slice(if number == 0 { b"\n" } else { b",\n" });
            let node = self.types.node(*of);
            self.text(&self.regions.list[*region].name.clone().unwrap_or_default());
            self.out.extend_from_slice(b": {\"type\": ");
            self.text(&self.view.names.ty(node.ty));
            self.out.extend_from_slice(b", \"value\": ");
            self.value(&node, self.regions.list[*region].base, *region)?;
            self.out.push(b'}');
        }
        self.out.extend_from_slice(b"\n},\n\"objects\": [");
        for number in 0..self.objects.len() {
            self.out.extend_from_slice(if number == 0 { b"\n" } else { b",\n" });
            self.object(number)?;
        }
        self.out.extend_from_slice(b"\n]}\n");
        Ok(())
    }

    fn object(&mut self, number: usize) -> Result<(), String> {
        let Object { block, of, region, borrows } = self.objects[number];
        let node = self.types.node(of);
        self.out.extend_from_slice(b"{\"type\": ");
        let and = if borrows.is_some() { "&" } else { "" };
        self.text(&format!("{and}{}", self.view.names.ty(node.ty)));
        self.out.extend_from_slice(b", \"value\": ");
        let (base, size) = (self.regions.list[region].base, self.regions.list[region].size);
        match (block.kind, &node.form) {
            (BlockKind::Cell, _) => match borrows {
                Some(data) => self.pointer(data, node.ty, None, (region, block.payload)),
                None => self.value(&node, base, region)?,
            },
            (_, Form::Vec(element)) => {
                let element = self.types.node(*element);
                let length = self.view.memory.elements(block, element.record).1;
                self.list(base, length, &element, region)?;
                debug_assert!(size == length.saturating_mul(element.size));
            }
            (_, Form::Map { key, value, .. }) => self.entries(block, &node, (*key, *value), region)?,
            (_, Form::Box(value)) => self.value(&self.types.node(*value), base, region)?,
            _ => self.out.extend_from_slice(b"null"),
        }
        self.out.push(b'}');
        Ok(())
    }

    fn entries(&mut self, map: Block, node: &Node, (key, value): (Id, Id), region: usize) -> Result<(), String> {
        let (key, value) = (self.types.node(key), self.types.node(value));
        let mut places = Vec::new();
        self.view.memory.entries(map, node.record, &mut |key, value| places.push((key, value)));
        self.out.push(b'[');
        for (number, (key_at, value_at)) in places.into_iter().enumerate() {
            self.out.extend_from_slice(if number == 0 { b"[" } else { b", [" });
            self.value(&key, key_at, region)?;
            self.out.extend_from_slice(b", ");
            self.value(&value, value_at, region)?;
            self.out.push(b']');
        }
        self.out.push(b']');
        Ok(())
    }

    fn list(&mut self, base: usize, length: usize, of: &Node, region: usize) -> Result<(), String> {
        self.out.push(b'[');
        for number in 0..length {
            if number > 0 {
                self.out.extend_from_slice(b", ");
            }
            self.value(of, base + number * of.size, region)?;
        }
        self.out.push(b']');
        Ok(())
    }

    fn value(&mut self, node: &Node, at: usize, region: usize) -> Result<(), String> {
        if self.out.len() as u64 > LARGEST {
            return Err(format!("the state takes more than {LARGEST} bytes"));
        }
        match &node.form {
            Form::Unit => self.out.extend_from_slice(b"null"),
            Form::Int(kind) => self.integer(*kind, at, node.size),
            Form::Float(kind) => self.float(*kind, at),
            Form::Bool => {
                let value = self.view.memory.bytes(at, 1) != [0];
                self.print(format_args!("{value}"));
            }
            Form::Str => self.str_value(at, region),
            Form::Pointer(to) => self.pointer(self.view.memory.word(at), *to, None, (region, at)),
            Form::Slice(of) => {
                let (data, length) = (self.view.memory.word(at), self.view.memory.word(at + 8));
                self.pointer(if length == 0 { 0 } else { data }, *of, Some(length), (region, at));
            }
            Form::Function => self.function(node, at, region),
            Form::Dyn(_) | Form::Vec(_) | Form::Map { .. } | Form::Box(_) => self.handle(node, at, region),
            Form::Array(of, length) => self.list(at, *length, &self.types.node(*of), region)?,
            Form::Record { fields, tuple } => self.fields(fields, *tuple, at, region)?,
            Form::Enum(variants) => self.variant(node.ty, variants, at, region)?,
        }
        Ok(())
    }

    fn fields(&mut self, fields: &[Field], tuple: bool, at: usize, region: usize) -> Result<(), String> {
        self.out.push(if tuple { b'[' } else { b'{' });
        for (number, field) in fields.iter().enumerate() {
            if number > 0 {
                self.out.extend_from_slice(b", ");
            }
            if !tuple {
                self.print(format_args!("\"{}\": ", field.name));
            }
            self.value(&self.types.node(field.of), at + field.offset, region)?;
        }
        self.out.push(if tuple { b']' } else { b'}' });
        Ok(())
    }

    fn variant(&mut self, ty: Ty, variants: &[Variant], at: usize, region: usize) -> Result<(), String> {
        let now = self.view.memory.word(at) as i64;
        let Some(variant) = variants.iter().find(|variant| variant.discriminant == now) else {
            self.lost_as(Some(ty), (region, at), "is of no variant");
            return Ok(());
        };
        if variant.fields.is_empty() {
            self.print(format_args!("\"{}\"", variant.name));
            return Ok(());
        }
        self.print(format_args!("{{\"{}\": ", variant.name));
        self.fields(&variant.fields, variant.tuple, at, region)?;
        self.out.push(b'}');
        Ok(())
    }

    fn integer(&mut self, kind: IntKind, at: usize, size: usize) {
        let mut raw = [0; 16];
        raw[..size].copy_from_slice(self.view.memory.bytes(at, size));
        let bits = u128::from_le_bytes(raw);
        let unused = 128 - kind.bits();
        let signed = ((bits << unused) as i128) >> unused;
        let (magnitude, minus) = if kind.signed() { (signed.unsigned_abs(), signed < 0) } else { (bits, false) };
        let quote = if magnitude > EXACT { "\"" } else { "" };
        self.print(format_args!("{quote}{}{magnitude}{quote}", if minus { "-" } else { "" }));
    }

    fn float(&mut self, kind: FloatKind, at: usize) {
        let bytes = self.view.memory.bytes(at, if kind == FloatKind::F32 { 4 } else { 8 });
        // An f32 as the f64 that is equal to it: so it is the same in a field of either type.
        let value = match *bytes {
            [a, b, c, d] => f64::from(f32::from_le_bytes([a, b, c, d])),
            _ => f64::from_bits(self.view.memory.word(at) as u64),
        };
        match () {
            () if value.is_nan() => self.out.extend_from_slice(b"\"nan\""),
            () if value.is_infinite() => self.print(format_args!("\"{value}\"")),
            () => self.print(format_args!("{value:?}")),
        }
    }

    fn str_value(&mut self, at: usize, region: usize) {
        let handle = self.view.memory.word(at);
        let memory = self.view.memory;
        let literals = &mut self.literals;
        let mut is_literal =
            || literals.get_or_insert_with(|| self.view.linkage.literal_addresses().collect()).contains(&handle);
        let bytes = match handle {
            0 => Some(&[][..]),
            _ => memory.text(handle).or_else(|| is_literal().then(|| memory.literal(handle))),
        };
        match bytes.map(|bytes| (bytes, std::str::from_utf8(bytes))) {
            Some((_, Ok(text))) => self.text(text),
            Some((bytes, Err(_))) => {
                self.out.extend_from_slice(b"{\"bytes\": \"");
                bytes.iter().for_each(|byte| self.print(format_args!("{byte:02x}")));
                self.out.extend_from_slice(b"\"}");
            }
            None => self.lost(region, at, "holds a text that vaisjit does not know"),
        }
    }

    fn handle(&mut self, node: &Node, at: usize, region: usize) {
        let handle = self.view.memory.word(at);
        let number = self.numbers.get(&handle).copied();
        let fits = |object: &Object| match node.form {
            Form::Dyn(_) => object.block.kind == BlockKind::Cell,
            _ => object.block.kind == BlockKind::Value && object.block.ty == node.ty,
        };
        match number.filter(|number| fits(&self.objects[*number])) {
            Some(number) => self.print(format_args!("{{\"object\": {number}}}")),
            None if handle == 0 => self.out.extend_from_slice(b"null"),
            None if matches!(node.form, Form::Dyn(_)) => {
                self.lost(region, at, "holds a value whose type the program makes no `dyn` of any more");
            }
            None => self.lost(region, at, "holds something else than its type says"),
        }
    }

    /// A pointer or slice at `place` (region and address) to a value of a type.
    fn pointer(&mut self, target: usize, to: Ty, length: Option<usize>, place: (usize, usize)) {
        if target == 0 {
            return self.out.extend_from_slice(b"null");
        }
        let Some(region) = self.regions.at(target) else {
            let known = self.view.memory.holds(target);
            let what = if known {
                "points to a value that no global variable holds"
            } else {
                "points to memory that vaisjit does not know"
            };
            return self.lost(place.0, place.1, what);
        };
        let Some(path) = self.regions.path(region, target, to, &self.types) else {
            let what = match self.regions.list[region].kind {
                Kind::Entries { .. } => "points to an entry of a HashMap, which has no place of its own",
                _ => "points into the middle of a value",
            };
            return self.lost(place.0, place.1, what);
        };
        self.out.extend_from_slice(b"{\"to\": ");
        match &self.regions.list[region].name {
            Some(name) => {
                let name = name.clone();
                self.text(&name);
            }
            None => {
                let number = region - self.globals;
                self.print(format_args!("{number}"));
            }
        }
        self.out.extend_from_slice(b", \"at\": ");
        self.text(&path);
        if let Some(length) = length {
            self.print(format_args!(", \"length\": {length}"));
        }
        self.out.push(b'}');
    }

    fn function(&mut self, node: &Node, at: usize, region: usize) {
        let value = self.view.memory.word(at);
        if value == 0 {
            return self.out.extend_from_slice(b"null");
        }
        if value & 1 != 0 {
            return self.lost(region, at, "holds a closure that has captured variables");
        }
        let view = self.view;
        let known =
            self.functions.get_or_insert_with(|| view.functions().map(|(name, ty, slot)| (slot, (name, ty))).collect());
        match known.get(&value).filter(|(_, ty)| *ty == node.ty) {
            Some((name, ty)) => {
                let (name, ty) = (name.clone(), view.names.ty(*ty));
                self.out.extend_from_slice(b"{\"function\": ");
                self.text(&name);
                self.out.extend_from_slice(b", \"type\": ");
                self.text(&ty);
                self.out.push(b'}');
            }
            None => self.lost(region, at, "holds a function that the program does not have any more"),
        }
    }

    /// Says that a value that has no parts cannot be saved.
    fn lost(&mut self, region: usize, at: usize, what: &str) {
        self.lost_as(None, (region, at), what);
    }

    /// Says that a value of a type cannot be saved.
    fn lost_as(&mut self, ty: Option<Ty>, (region, at): (usize, usize), what: &str) {
        let name = self.regions.name(region, at, ty, &self.types);
        self.notices.of(&name, what);
        self.out.extend_from_slice(b"{\"lost\": ");
        self.text(what);
        self.out.push(b'}');
    }

    fn text(&mut self, text: &str) {
        // Writing to a vector fails only where memory ends.
        let _ = serde_json::to_writer(&mut self.out, text);
    }

    fn print(&mut self, text: std::fmt::Arguments<'_>) {
        let _ = self.out.write_fmt(text);
    }
}
