//! Layouts of the forms of types, and what happens to impossible ones.

use vaisjit_semantics::program::{FieldDef, VariantDef};
use vaisjit_semantics::types::{IntKind, TyList};
use vaisjit_semantics::{ItemPath, hir};
use vaisjit_syntax::{ItemId, Name, Span};

use super::*;

fn path(name: &str) -> ItemPath {
    ItemPath::new(Name::new("m"), name)
}

fn fields(types: &[Ty]) -> Vec<FieldDef> {
    types.iter().enumerate().map(|(n, ty)| FieldDef::new(Name::new(&format!("f{n}")), *ty)).collect()
}

fn item() -> hir::BodyItem {
    hir::BodyItem(ItemId::fresh())
}

fn add_struct(program: &mut Checked, name: &str, types: &[Ty]) -> Ty {
    let ty = Ty::new(TyKind::Struct(path(name), TyList::EMPTY));
    let definition =
        StructDef { fields: fields(types), repr_c: false, was: None, reserve: 0, item: item(), span: Span::default() };
    program.structs.insert(ty, Arc::new(definition));
    ty
}

fn add_enum(program: &mut Checked, name: &str, variants: &[&[Ty]]) -> Ty {
    let ty = Ty::new(TyKind::Enum(path(name), TyList::EMPTY));
    let variants = variants
        .iter()
        .enumerate()
        .map(|(n, types)| VariantDef { name: Name::new(&format!("V{n}")), was: None, fields: fields(types) })
        .collect();
    program
        .enums
        .insert(ty, Arc::new(EnumDef { variants, was: None, reserve: 0, item: item(), span: Span::default() }));
    ty
}

fn int(kind: IntKind) -> Ty {
    Ty::int(kind)
}

#[test]
fn structs_follow_c() {
    let mut program = Checked::default();
    let ty = add_struct(&mut program, "S", &[int(IntKind::I8), int(IntKind::I32), int(IntKind::I8), Ty::f64()]);
    let wide = add_struct(&mut program, "W", &[Ty::bool(), int(IntKind::I128)]);
    let layouts = TypeLayouts::new(&program);
    assert_eq!(layouts.layout(ty), Layout { size: 24, align: 8 });
    let offsets: Vec<u32> = (0..4).map(|field| layouts.field_offset(ty, field)).collect();
    assert_eq!(offsets, [0, 4, 8, 16]);
    assert_eq!(layouts.field_ty(ty, 3), Ty::f64());
    assert_eq!(layouts.layout(wide), Layout { size: 32, align: 16 });
}

#[test]
fn enums_have_a_discriminant_and_overlaid_payloads() {
    let mut program = Checked::default();
    let ty = add_enum(&mut program, "E", &[&[], &[int(IntKind::I8), Ty::i64()], &[Ty::bool()]]);
    let layouts = TypeLayouts::new(&program);
    assert_eq!(layouts.layout(ty), Layout { size: 24, align: 8 });
    assert_eq!(layouts.variant_field_offset(ty, 1, 0), 8);
    assert_eq!(layouts.variant_field_offset(ty, 1, 1), 16);
    assert_eq!(layouts.variant_field_offset(ty, 2, 0), 8);
    assert_eq!(layouts.discriminant(ty, 2), 2);
    assert_eq!((layouts.field_offset(ty, 0), layouts.field_ty(ty, 0)), (0, Ty::i64()));
}

#[test]
fn small_types_have_their_natural_size() {
    let layouts = TypeLayouts::new(&Checked::default());
    let size = |ty| layouts.layout(ty).size;
    assert_eq!([size(Ty::bool()), size(Ty::str()), size(Ty::unit()), size(Ty::f32())], [1, 8, 0, 4]);
    let slice = Ty::new(TyKind::Slice(int(IntKind::I8)));
    assert_eq!(layouts.layout(slice), Layout { size: 16, align: 8 });
    assert_eq!(layouts.field_ty(slice, 0), Ty::pointer(int(IntKind::I8)));
    let tuple = Ty::new(TyKind::Tuple(TyList::new(&[int(IntKind::I16), Ty::i64()])));
    assert_eq!(layouts.field_offset(tuple, 1), 8);
}

#[test]
fn impossible_types_are_errors() {
    let mut program = Checked::default();
    let huge = Ty::new(TyKind::Array(Ty::i64(), u64::MAX));
    let nested = Ty::new(TyKind::Array(Ty::new(TyKind::Array(Ty::i64(), 1 << 20)), 1 << 20));
    let own = Ty::new(TyKind::Struct(path("Own"), TyList::EMPTY));
    add_struct(&mut program, "Own", &[Ty::i64(), own]);
    let holder = add_struct(&mut program, "Holder", &[huge]);
    let layouts = TypeLayouts::new(&program);
    let problem = |ty| layouts.try_layout(ty).map_err(|error| error.problem);
    assert_eq!(problem(huge), Err(LayoutProblem::TooLarge));
    assert_eq!(problem(nested), Err(LayoutProblem::TooLarge));
    assert_eq!(problem(holder), Err(LayoutProblem::TooLarge));
    assert_eq!(problem(own), Err(LayoutProblem::Infinite));
    assert_eq!(problem(Ty::error()), Err(LayoutProblem::Unknown));
    assert_eq!(layouts.problems().len(), 2);
    let half = Ty::new(TyKind::Array(Ty::i64(), 1 << 27));
    let pair = Ty::new(TyKind::Tuple(TyList::new(&[half, half])));
    assert_eq!(problem(pair), Err(LayoutProblem::TooLarge));
}

#[test]
fn fingerprints_see_sizes_and_offsets_all_the_way_down() {
    let mut program = Checked::default();
    let inner = add_struct(&mut program, "Inner", &[Ty::i64(), Ty::i64()]);
    let outer = add_struct(&mut program, "Outer", &[inner, Ty::bool()]);
    let before = TypeLayouts::new(&program);
    let same = TypeLayouts::new(&program);
    assert_eq!(before.layout_fingerprint(outer), same.layout_fingerprint(outer));
    add_struct(&mut program, "Inner", &[Ty::i64(), Ty::f64()]);
    let after = TypeLayouts::new(&program);
    assert_ne!(before.layout_fingerprint(outer), after.layout_fingerprint(outer));
}
