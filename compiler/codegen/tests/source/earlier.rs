//! Layouts of a program that has been edited: its types follow another version of themselves, so that nothing lies where
//! it would in a program newly started, variants have other numbers, and there are parked fields.

use std::sync::Arc;

use vaisjit_codegen::layout::{LayoutHistory, TypeLayouts};
use vaisjit_semantics::program::{EnumDef, FieldDef, StructDef, VariantDef};
use vaisjit_semantics::types::IntKind;
use vaisjit_semantics::{Checked, Ty};
use vaisjit_syntax::Name;

/// The layouts of a program after an edit of every type that is not exposed.
pub fn layouts(checked: &Checked) -> TypeLayouts {
    let before = before(checked);
    let history = TypeLayouts::hot(&before, &LayoutHistory::default()).history(&LayoutHistory::default());
    TypeLayouts::hot(checked, &history)
}

/// The program before: other fields, in another order, and other variants.
fn before(checked: &Checked) -> Checked {
    let mut before = checked.clone();
    for (_, definition) in before.structs.iter_mut().filter(|(ty, _)| !checked.exposed.contains(*ty)) {
        let fields = fields(&definition.fields);
        *definition = Arc::new(StructDef { fields, ..StructDef::clone(definition) });
    }
    for (_, definition) in before.enums.iter_mut().filter(|(ty, _)| !checked.exposed.contains(*ty)) {
        let gone = VariantDef { name: Name::new("Gone"), was: None, fields: Vec::new() };
        let rest = definition.variants.iter().rev();
        let rest = rest.map(|variant| VariantDef { fields: fields(&variant.fields), ..variant.clone() });
        let variants = std::iter::once(gone).chain(rest).collect();
        *definition = Arc::new(EnumDef { variants, ..EnumDef::clone(definition) });
    }
    before
}

fn fields(fields: &[FieldDef]) -> Vec<FieldDef> {
    let gone = |name: &str, kind| FieldDef::new(Name::new(name), Ty::int(kind));
    let kept = fields.iter().rev().skip(usize::from(fields.len() > 2)).cloned();
    std::iter::once(gone("gone", IntKind::I8)).chain(kept).chain([gone("away", IntKind::I64)]).collect()
}
