//! What a report says of fields whose names have changed without a declaration.

use vaisjit_codegen::layout::KnownField;
use vaisjit_codegen::layout::lineage::{self, NewField};
use vaisjit_semantics::{Ty, TyKind};

use super::defaults::{Declared, FieldKey};
use super::known::option_of;
use super::plan::{Fields, Planner, parked};
use crate::reload::diff::{name_of, retyped};

impl Planner {
    /// Remarks on what has got other names; `sources` are the old fields that the new ones go on from.
    pub(super) fn remark(&mut self, fields: &Fields<'_>, sources: &[Option<usize>]) {
        let gone = (0..fields.old.fields.len()).filter(|index| !sources.contains(&Some(*index)));
        let gone: Vec<&KnownField> = gone.map(|index| &fields.old.fields[index]).collect();
        let Some(ty) = fields.evolving() else { return self.remark_dropped(fields, &gone) };
        let come = fields.new.fields.iter().zip(sources).filter(|(_, source)| source.is_none());
        let waits = |new: &KnownField| {
            parked(fields.old, new).is_some() || lineage::retyped(fields.old, &NewField::of(new)).is_some()
        };
        let come: Vec<&KnownField> = come.map(|(field, _)| field).filter(|new| !waits(new)).collect();
        let said = match fields.variant {
            None => {
                let renamed = gone.iter().filter_map(|old| self.perhaps_renamed(ty, fields, old, (&gone, &come)));
                let said: Vec<String> = renamed.collect();
                self.hints.extend(said.iter().cloned());
                said
            }
            Some(variant) => payload(&format!("{}.{variant}", name_of(ty)), fields, sources, (&gone, &come)),
        };
        self.say(said);
    }

    fn say(&mut self, said: Vec<String>) {
        let said: Vec<String> = said.into_iter().filter(|text| !self.remarks.contains(text)).collect();
        self.remarks.extend(said);
    }

    /// A value that gets another type: its fields are kept aside only with all of a global.
    fn remark_dropped(&mut self, fields: &Fields<'_>, gone: &[&KnownField]) {
        let (label, old, new) = fields.retyped();
        if self.is_writing() || gone.is_empty() {
            return;
        }
        let names: Vec<String> = gone.iter().map(|field| format!("`{}`", field.name)).collect();
        let what = if names.len() == 1 { "value is" } else { "values are" };
        let how = if self.keeping { "kept aside" } else { "dropped" };
        self.say(vec![format!("`{label}` {} without {}: the {what} {how}", retyped(old, new), names.join(", "))]);
    }

    /// A field that is gone, and whose value cannot wait for it to come back.
    pub(super) fn remark_lost(&mut self, fields: &Fields<'_>, field: &KnownField) {
        let Some(ty) = fields.evolving().filter(|_| field.size > 0) else { return };
        let why = match fields.new.parked.contains(field) {
            false => format!("`{}` has no room to keep it", name_of(ty)),
            true => format!("it comes from a version in which `{}` was something else", field.ty),
        };
        let of = owner(fields, ty);
        self.say(vec![format!("`{of}.{}` is gone, and its value with it: {why}", field.name)]);
    }

    /// A field that an earlier save removed, and whose value cannot wait any longer for it to come back.
    pub(super) fn remark_forgotten(&mut self, fields: &Fields<'_>, field: &KnownField) {
        let Some(ty) = fields.evolving().filter(|_| field.size > 0) else { return };
        // It has come back, or has become something else and lives on in that.
        let same = |now: &&KnownField| now.lineage.number == field.lineage.number || now.name == field.name;
        let now = fields.new.fields.iter().chain(&fields.old.fields).find(same);
        let is_taken = |now: &KnownField| now.lineage.former.contains(&field.name);
        if now.is_some_and(|now| lineage::lives_on(field.ty, now.ty)) || fields.new.fields.iter().any(is_taken) {
            return;
        }
        let (of, name) = (owner(fields, ty), field.name);
        let why = format!("`{}` has no room to keep it any longer", name_of(ty));
        self.say(vec![format!("what `{of}.{name}` held until an earlier save removed it is given up: {why}")]);
    }

    /// A value that has waited for its field to come back, and of whose type the program migrates values itself.
    pub(super) fn remark_not_written(&mut self, ty: Ty, label: &str) {
        let of = name_of(ty);
        let text = format!(
            "no migration was called for `{label}`, which comes back: its `{of}` is carried over by the names of its fields"
        );
        self.say(vec![text]);
    }

    /// A field that is gone, with the only new one of its type at its place.
    fn perhaps_renamed(
        &self,
        ty: Ty,
        fields: &Fields<'_>,
        old: &KnownField,
        (gone, come): (&[&KnownField], &[&KnownField]),
    ) -> Option<String> {
        let of_type = |list: &[&KnownField]| list.iter().filter(|field| field.ty == old.ty).count();
        let new = come.iter().find(|new| new.ty == old.ty)?;
        let same_place = before(&fields.old.fields, old) == before(&fields.new.fields, new);
        if of_type(gone) != 1 || of_type(come) != 1 || !same_place {
            return None;
        }
        let (of, old, new, default) =
            (name_of(ty), old.name, new.name, self.default_text((ty, None, new.name), new.ty));
        Some(format!(
            "`{of}.{old}` is gone and `{new}` is new{default}: if it was renamed, write `#[was(\"{old}\")] {new}`"
        ))
    }

    /// What a new field starts with, if that can be said in a few letters.
    fn default_text(&self, key: FieldKey, ty: Ty) -> String {
        let zeros = [0; 16];
        let bytes = match self.declarations.defaults.get(&key) {
            Some(Declared::Bytes(bytes)) => Some(&bytes[..]),
            Some(Declared::Computed(_)) => None,
            None => Some(&zeros[..]),
        };
        let text = bytes.and_then(|bytes| self.constant_text(ty, bytes));
        text.map_or_else(String::new, |text| format!(" (default {text})"))
    }

    fn constant_text(&self, ty: Ty, bytes: &[u8]) -> Option<String> {
        let is_zero = bytes.iter().all(|byte| *byte == 0);
        match ty.kind() {
            TyKind::Int(kind) => integer(bytes, (kind.bits() / 8) as usize, kind.signed()),
            TyKind::Float(_) if is_zero => Some("0.0".to_owned()),
            TyKind::Bool => Some((bytes.first() == Some(&1)).to_string()),
            TyKind::Str if is_zero => Some("\"\"".to_owned()),
            TyKind::Vec(_) | TyKind::HashMap(..) if is_zero => Some("empty".to_owned()),
            TyKind::Enum(..) if is_zero && option_of(&self.new, ty).is_some() => Some("None".to_owned()),
            _ => None,
        }
    }
}

/// What has these fields: a struct, or a variant.
fn owner(fields: &Fields<'_>, ty: Ty) -> String {
    fields.variant.map_or_else(|| name_of(ty), |variant| format!("{}.{variant}", name_of(ty)))
}

fn integer(bytes: &[u8], size: usize, signed: bool) -> Option<String> {
    let low = bytes.get(..size)?;
    let negative = signed && low.last().is_some_and(|byte| *byte >= 0x80);
    let mut wide = [if negative { 0xff } else { 0 }; 16];
    wide[..size].copy_from_slice(low);
    Some(if signed { i128::from_le_bytes(wide).to_string() } else { u128::from_le_bytes(wide).to_string() })
}

/// How many fields a field has before it.
fn before(list: &[KnownField], field: &KnownField) -> Option<usize> {
    list.iter().position(|other| other.name == field.name)
}

/// What becomes of a payload whose fields have other names.
fn payload(
    label: &str,
    fields: &Fields<'_>,
    sources: &[Option<usize>],
    (gone, come): (&[&KnownField], &[&KnownField]),
) -> Vec<String> {
    let pairs = fields.new.fields.iter().zip(sources).filter_map(|(new, source)| {
        let old = &fields.old.fields[(*source)?];
        let declared = new.lineage.was == Some(old.name) || old.lineage.former.contains(&new.name);
        (old.name != new.name && !declared).then(|| format!("`{}` as `{}`", old.name, new.name))
    });
    let pairs: Vec<String> = pairs.collect();
    let mut said = Vec::new();
    if !pairs.is_empty() {
        said.push(format!("`{label}`: values are kept by their place: {}", pairs.join(", ")));
    }
    if !pairs.is_empty() || !come.is_empty() {
        let lost = |old: &&KnownField| format!("`{label}.{}` is gone, and no new field takes its value", old.name);
        said.extend(gone.iter().map(lost));
    }
    said
}
