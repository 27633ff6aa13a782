//! Random edits of a definition against what must hold of its layout, and the rules one by one.

use vaisjit_semantics::types::IntKind;

use super::*;
use random::Random;

#[path = "../../../../../tests/generate/random.rs"]
mod random;

const HEADER: Layout = Layout { size: 8, align: 8 };

fn types() -> [(Ty, Layout); 6] {
    let natural = |size: u32| Layout { size, align: size };
    [
        (Ty::bool(), natural(1)),
        (Ty::int(IntKind::I16), natural(2)),
        (Ty::int(IntKind::I32), natural(4)),
        (Ty::i64(), natural(8)),
        (Ty::f64(), natural(8)),
        (Ty::int(IntKind::I128), natural(16)),
    ]
}

fn field(name: &str, ty: usize) -> WantedField {
    let (ty, layout) = types()[ty];
    WantedField { name: Name::new(name), was: None, ty, layout }
}

fn record(fields: Vec<WantedField>) -> Wanted {
    let header = Layout { size: 0, align: 1 };
    Wanted {
        variants: vec![WantedVariant { name: None, was: None, fields }],
        header,
        exposed: false,
        reserve: 0,
        back: None,
        keeping: Keeping::Values,
        most_parked: 0,
        then: Vec::new(),
    }
}

fn words(names: &str) -> Wanted {
    record(names.split_whitespace().map(|name| field(name, 3)).collect())
}

/// The offsets of a struct's fields by name, in declaration order.
fn offsets(layout: &KnownLayout) -> Vec<(&str, u32)> {
    layout.fields().iter().map(|field| (field.name.as_str(), field.offset)).collect()
}

fn parked(layout: &KnownLayout) -> Vec<(&str, u32)> {
    layout.variants[0].parked.iter().map(|field| (field.name.as_str(), field.offset)).collect()
}

fn next(wanted: &Wanted, old: &KnownLayout) -> KnownLayout {
    evolve(wanted, Some(old)).unwrap()
}

#[test]
fn spare_room_takes_new_fields_and_the_rest_stays() {
    let first = evolve(&words("a b"), None).unwrap();
    assert_eq!(first.layout, Layout { size: 32, align: 8 });
    let second = next(&words("b new a"), &first);
    assert_eq!(offsets(&second), [("b", 8), ("new", 16), ("a", 0)]);
    assert_eq!(second.layout, first.layout);
    let small = evolve(&record(vec![field("flag", 0)]), None).unwrap();
    assert_eq!(small.layout, Layout { size: 24, align: 8 });
    assert_eq!(offsets(&next(&record(vec![field("flag", 0), field("word", 3)]), &small)), [("flag", 0), ("word", 8)]);
}

#[test]
fn removed_fields_are_parked_and_come_back() {
    let first = evolve(&words("a b"), None).unwrap();
    let second = next(&words("b"), &first);
    assert_eq!((offsets(&second), parked(&second)), (vec![("b", 8)], vec![("a", 0)]));
    assert_eq!(next(&words("a b"), &second), first);
    let third = next(&words("b c d"), &second);
    assert_eq!((offsets(&third), parked(&third)), (vec![("b", 8), ("c", 16), ("d", 24)], vec![("a", 0)]));
    let fourth = next(&words("b c d e"), &third);
    assert_eq!((offsets(&fourth).last(), parked(&fourth)), (Some(&("e", 0)), vec![]));
    let grown = next(&words("b c d e f"), &fourth);
    assert_eq!(offsets(&grown), [("b", 8), ("c", 16), ("d", 24), ("e", 0), ("f", 32)]);
    assert_eq!(grown.layout.size, 56);
}

/// A save that removes fields and adds others grows the type rather than lose a value; earlier ones go first.
#[test]
fn what_a_save_removes_is_kept_by_growing() {
    let first = evolve(&words("a b"), None).unwrap();
    let few = next(&words("a c d e"), &first);
    assert_eq!((offsets(&few).last(), parked(&few)), (Some(&("e", 32)), vec![("b", 8)]));
    let back = next(&words("a b"), &few);
    assert_eq!((offsets(&back), parked(&back).len()), (vec![("a", 0), ("b", 8)], 3));
    let full = next(&words("a b c d e f g h"), &few);
    let other = next(&words("a b c d e f g x y z u v w"), &full);
    assert_eq!(parked(&other), [("h", 56)]);
    let cramped = |names: &str| Wanted { keeping: Keeping::WhatFits, ..words(names) };
    let here = next(&cramped("a c d e"), &first);
    assert_eq!((here.layout, parked(&here)), (first.layout, vec![]));
    assert!(grows_to_keep(&words("a c d e"), Some(&first), &few));
    assert!(!grows_to_keep(&cramped("a c d e"), Some(&first), &here));
    assert!(!grows_to_keep(&words("a b c d e"), Some(&first), &next(&words("a b c d e"), &first)));
}

/// What a number was before it became another one is worth no growth.
#[test]
fn converted_numbers_make_room() {
    let first = evolve(&words("a b"), None).unwrap();
    let full = next(&words("a b c d"), &first);
    let retyped = next(&record(vec![field("a", 4), field("b", 3), field("c", 3), field("d", 3)]), &full);
    assert_eq!((retyped.layout, offsets(&retyped)[0], parked(&retyped)), (full.layout, ("a", 0), vec![]));
}

#[test]
fn retyped_fields_are_new_ones_and_renamed_ones_the_old() {
    let first = evolve(&words("a b"), None).unwrap();
    let retyped = next(&record(vec![field("a", 4), field("b", 3)]), &first);
    assert_eq!((offsets(&retyped), parked(&retyped)), (vec![("a", 16), ("b", 8)], vec![("a", 0)]));
    assert_eq!(offsets(&next(&words("a b"), &retyped)), [("a", 0), ("b", 8)]);
    let was = |name: &str, was: &str, ty| WantedField { was: Some(Name::new(was)), ..field(name, ty) };
    let renamed = record(vec![was("x", "a", 3), was("y", "b", 2)]);
    let second = next(&renamed, &first);
    assert_eq!((offsets(&second), parked(&second)), (vec![("x", 0), ("y", 16)], vec![("b", 8)]));
    assert_eq!(next(&renamed, &second), second, "the attribute may stay in the text");
    let back = next(&record(vec![was("z", "a", 3)]), &next(&words("b"), &first));
    assert_eq!(offsets(&back), [("z", 0)], "a parked field comes back under another name");
}

#[test]
fn names_go_round_once_and_back_in_a_rollback() {
    let was = |name: &str, was: &str| WantedField { was: Some(Name::new(was)), ..field(name, 3) };
    let first = evolve(&words("a b c"), None).unwrap();
    let circle = record(vec![was("a", "b"), was("b", "c"), was("c", "a")]);
    let second = next(&circle, &first);
    assert_eq!(offsets(&second), [("a", 8), ("b", 16), ("c", 0)]);
    assert_eq!(next(&circle, &second), second, "the attributes may stay in the text");
    let third = next(&words("a b c"), &second);
    assert_eq!(offsets(&third), offsets(&second), "and go from it");
    let back = Wanted { back: Some(Arc::new(first.clone())), ..words("a b c") };
    assert_eq!(next(&back, &third), first);
    let on = next(&record(vec![was("b", "a"), was("d", "b"), field("c", 3)]), &first);
    assert_eq!(offsets(&on), [("b", 0), ("d", 8), ("c", 16)]);
    assert_eq!(next(&words("a b c"), &on), first, "a chain is taken back by its names");
}

#[test]
fn exposed_types_have_no_room_but_what_they_reserve() {
    let exposed = |wanted: Wanted, reserve| Wanted { exposed: true, reserve, ..wanted };
    let plain = evolve(&exposed(words("a"), 0), None).unwrap();
    assert_eq!(plain.layout.size, 8);
    assert_eq!(next(&words("a b"), &plain).layout.size, 16, "once exposed, always exposed");
    let small = evolve(&exposed(record(vec![field("a", 0)]), 0), None).unwrap();
    assert_eq!(small.layout, Layout { size: 1, align: 1 });
    let reserved = evolve(&exposed(words("a"), 10), None).unwrap();
    assert_eq!(reserved.layout.size, 24);
    assert_eq!(next(&words("a b c"), &reserved).layout.size, 24);
    let late = next(&exposed(words("a b"), 0), &evolve(&words("a"), None).unwrap());
    assert_eq!((late.layout.size, late.exposed), (24, true), "what has room keeps it");
}

fn variant(name: &str, fields: &str) -> WantedVariant {
    let fields = words(fields).variants.remove(0).fields;
    WantedVariant { name: Some(Name::new(name)), was: None, fields }
}

fn choice(variants: Vec<WantedVariant>) -> Wanted {
    Wanted { variants, header: HEADER, ..record(Vec::new()) }
}

#[test]
fn numbers_belong_to_names() {
    let first = evolve(&choice(vec![variant("A", ""), variant("B", "x")]), None).unwrap();
    assert_eq!(first.layout, Layout { size: 32, align: 8 });
    let number = |layout: &KnownLayout, name: &str| {
        let found = layout.variant(Name::new(name)).unwrap();
        (found.discriminant, found.declared)
    };
    let second = next(&choice(vec![variant("C", "x y"), variant("B", "x")]), &first);
    assert_eq!(second.layout, first.layout);
    assert_eq!([number(&second, "A"), number(&second, "B"), number(&second, "C")], [(0, false), (1, true), (2, true)]);
    let renamed = WantedVariant { was: Some(Name::new("B")), ..variant("Beta", "x") };
    let third = next(&choice(vec![renamed, variant("A", ""), variant("B2", "")]), &second);
    assert_eq!(number(&third, "Beta"), (1, true));
    assert_eq!([number(&third, "A"), number(&third, "C"), number(&third, "B2")], [(0, true), (2, false), (3, true)]);
    let large = next(&choice(vec![variant("C", "x y z w")]), &third);
    assert!(large.layout.size > third.layout.size);
    assert_eq!([number(&large, "A"), number(&large, "C")], [(0, false), (2, true)]);
}

#[test]
fn alignment_does_not_grow_in_place() {
    let first = evolve(&words("a b"), None).unwrap();
    let wide = next(&record(vec![field("a", 3), field("b", 3), field("wide", 5)]), &first);
    assert_eq!((wide.layout, offsets(&wide)[2]), (Layout { size: 48, align: 16 }, ("wide", 16)));
    let kept = next(&record(vec![field("b", 3), field("wide", 5)]), &first);
    assert_eq!((kept.layout.align, parked(&kept)), (16, vec![("a", 0)]));
}

/// What must hold whatever the edit was.
fn check(wanted: &Wanted, old: Option<&KnownLayout>, new: &KnownLayout) -> Result<(), String> {
    let require = |holds: bool, what: &str| if holds { Ok(()) } else { Err(what.to_owned()) };
    let in_place = old.is_some_and(|old| {
        let matched = match_variants(wanted, Some(old));
        Evolution { wanted, old, matched: &matched }.layout().is_some()
    });
    for variant in &new.variants {
        let all: Vec<&KnownField> = variant.fields.iter().chain(&variant.parked).collect();
        for (index, field) in all.iter().enumerate() {
            require(!all[..index].iter().any(|other| other.overlaps(field)), "two fields overlap")?;
            require(field.offset + field.size <= new.layout.size, "a field outside")?;
            require(field.offset >= wanted.header.size, "a field in the discriminant")?;
        }
    }
    for (index, variant) in wanted.variants.iter().enumerate() {
        let known = new.variants.iter().find(|known| known.name == variant.name).ok_or("a variant is missing")?;
        require(known.declared, "a declared variant")?;
        require(known.fields.len() == variant.fields.len(), "a field is missing")?;
        let before = old.and_then(|old| old.variants.iter().find(|known| known.name == variant.name));
        require(before.is_none_or(|before| before.discriminant == known.discriminant), "another number")?;
        let twins = new.variants.iter().filter(|other| other.discriminant == known.discriminant).count();
        require(twins == 1, &format!("the number of variant {index} is not its own"))?;
        for (field, found) in variant.fields.iter().zip(&known.fields) {
            require((field.name, field.ty, field.layout.size) == (found.name, found.ty, found.size), "another field")?;
            require(found.offset % field.layout.align == 0, "an alignment")?;
            require(new.layout.align >= field.layout.align, "the alignment of the whole")?;
            let kept = before.and_then(|before| {
                let mut lists = before.fields.iter().chain(before.parked.iter().rev());
                lists.find(|known| (known.name, known.ty) == (field.name, field.ty))
            });
            // Payloads may be paired by their places rather than by a name that was there long ago.
            let renamed = !found.lineage.former.is_empty();
            let stays = kept.is_none_or(|kept| !in_place || renamed || kept.offset == found.offset);
            require(stays, &format!("a kept field moved: {kept:?} to {found:?}"))?;
        }
    }
    require(evolve(wanted, Some(new)).as_ref() == Some(new), "the same text again gives another layout")
}

#[test]
fn random_edits_keep_the_rules() {
    for seed in 1..=300_u64 {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9));
        let is_enum = random.below(2) == 0;
        let mut old: Option<KnownLayout> = None;
        for step in 0..40 {
            let wanted = arbitrary(&mut random, is_enum);
            let new = evolve(&wanted, old.as_ref()).unwrap();
            if let Err(problem) = check(&wanted, old.as_ref(), &new) {
                panic!("seed {seed}, step {step}: {problem}\n{old:#?}\n{new:#?}");
            }
            old = Some(new);
        }
    }
}

fn arbitrary(random: &mut Random, is_enum: bool) -> Wanted {
    let fields = |random: &mut Random| {
        let mut names = vec!["a", "b", "c", "d", "e", "f"];
        let count = random.below(7);
        let mut fields = Vec::new();
        for _ in 0..count {
            let name = names.remove(random.below(names.len()));
            // Mostly the same type for a name.
            let usual = name.as_bytes()[0] as usize % 5;
            let ty = if random.below(4) == 0 { random.below(6) } else { usual };
            fields.push(field(name, ty));
        }
        fields
    };
    if !is_enum {
        return record(fields(random));
    }
    let mut names = vec!["A", "B", "C", "D"];
    let mut variants = Vec::new();
    for _ in 0..1 + random.below(4) {
        let name = names.remove(random.below(names.len()));
        variants.push(WantedVariant { name: Some(Name::new(name)), was: None, fields: fields(random) });
    }
    choice(variants)
}

/// What may have to come back is not overwritten: new fields come behind, and everything keeps its offset.
#[test]
fn a_careful_layout_grows_rather_than_forgets() {
    let first = evolve(&words("a b"), None).unwrap();
    let careful = |names: &str| Wanted { keeping: Keeping::Everything, most_parked: 64, ..words(names) };
    let more = next(&careful("a c d e f"), &first);
    assert!(more.layout.size > first.layout.size);
    assert_eq!(more.variants[0].parked, [first.variants[0].fields[1].clone()]);
    let back = next(&words("a b"), &more);
    assert_eq!(back.variants[0].fields, first.variants[0].fields);
    assert_eq!(next(&careful("a c d e f"), &more), more);
}
