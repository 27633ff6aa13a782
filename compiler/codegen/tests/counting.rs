//! Counted values in the interpreter, with MIR made by hand: what it allows, what it reports, and what leaks.

#[path = "common/build.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod build;

use std::sync::Arc;

use build::*;
use vaisjit_abi::heap::{CLOSURE_CAPTURES, CLOSURE_TAG, DYN_DATA, DYN_TABLE, VEC_DATA, VEC_LENGTH};
use vaisjit_codegen::link::{DynTable, SlotKey};
use vaisjit_codegen::mir::interp::{Exit, GlobalValue, Interp, Outcome, Program};
use vaisjit_codegen::mir::*;
use vaisjit_semantics::hir::{BinaryOp, CastKind};
use vaisjit_semantics::{ItemPath, Ty, TyKind};
use vaisjit_syntax::Name;

fn program(bodies: Vec<Body>) -> Program {
    let main = bodies.last().map(|body| body.instance);
    let functions = bodies.into_iter().map(|body| (body.instance, Arc::new(body))).collect();
    Program { functions, main, ..Program::default() }
}

fn run(bodies: Vec<Body>) -> Outcome {
    Interp::new(&program(bodies), &TestLayouts).run_main()
}

/// Runs `main` with this body.
fn run_main(body: impl FnOnce(&mut FnBuilder)) -> Outcome {
    let mut main = FnBuilder::new("main", &[], Ty::i64());
    let result = main.result();
    main.set(&result, Operand::int(0));
    body(&mut main);
    main.ret();
    run(vec![main.done()])
}

#[track_caller]
fn fine(outcome: &Outcome, status: i32) {
    assert_eq!((&outcome.exit, &outcome.leaked), (&Exit::Status(status), &vec![]));
}

#[track_caller]
fn bug(outcome: &Outcome, text: &str) {
    match &outcome.exit {
        Exit::Bug(bug) => assert!(bug.contains(text), "{bug}"),
        other => panic!("{other:?}"),
    }
}

fn vec_of(of: Ty) -> Ty {
    Ty::new(TyKind::Vec(of))
}

fn map_of(key: Ty, value: Ty) -> Ty {
    Ty::new(TyKind::HashMap(key, value))
}

fn text(text: &str) -> Operand {
    Operand::Const(Const::Str(text.into()))
}

fn type_of(ty: Ty) -> Operand {
    Operand::Const(Const::Type(ty))
}

fn host(b: &mut FnBuilder, name: &str, arguments: &[Operand], to: Option<&Place>) {
    let ty = to.map_or(Ty::unit(), |to| to.ty);
    b.call(Callee::Host(Name::new(name)), arguments, to, ty);
}

/// The result of a host function in a new local.
fn made(b: &mut FnBuilder, name: &str, arguments: &[Operand], ty: Ty) -> Place {
    let to = b.temp(ty);
    host(b, name, arguments, Some(&to));
    to
}

fn concat(b: &mut FnBuilder, left: &str, right: &str) -> Place {
    made(b, "str_concat", &[text(left), text(right)], Ty::str())
}

fn retain(b: &mut FnBuilder, place: &Place) {
    b.push(StatementKind::Retain(place.clone()));
}

fn release(b: &mut FnBuilder, place: &Place) {
    b.push(StatementKind::Release { place: place.clone(), checked: false });
}

fn local(place: &Place) -> Local {
    place.as_local().expect("a local")
}

/// The word at an offset from an address.
fn word(b: &mut FnBuilder, address: &Place, offset: i32, ty: Ty) -> Place {
    let at = b.temp(Ty::i64());
    b.binary(&at, BinaryOp::Add, c(address), Operand::int(offset.into()));
    let to = b.temp(ty);
    b.assign(&to, Rvalue::LoadAt(c(&at), ty));
    to
}

/// The address of a value, which is put in memory.
fn address(b: &mut FnBuilder, value: Operand) -> Place {
    let memory = b.mem(value.ty());
    b.set(&memory, value);
    let at = b.temp(Ty::i64());
    let pointer = b.temp(Ty::pointer(memory.ty));
    b.assign(&pointer, Rvalue::AddressOf(memory));
    b.cast(&at, CastKind::Pointer, c(&pointer));
    at
}

#[test]
fn a_text_lives_until_its_last_release() {
    let outcome = run_main(|b| {
        let joined = concat(b, "ab", "cd");
        let copy = b.temp(Ty::str());
        b.set(&copy, c(&joined));
        retain(b, &copy);
        release(b, &joined);
        host(b, "print_str", &[c(&copy)], None);
        release(b, &copy);
    });
    fine(&outcome, 0);
    assert_eq!(outcome.output, "abcd");
}

#[test]
fn literals_and_null_are_not_counted() {
    let outcome = run_main(|b| {
        let literal = b.temp(Ty::str());
        b.set(&literal, text("x"));
        release(b, &literal);
        b.set(&literal, text("x"));
        release(b, &literal);
        let null = b.temp(Ty::str());
        b.push(StatementKind::Zero(null.clone()));
        retain(b, &null);
        release(b, &null);
    });
    fine(&outcome, 0);
}

#[test]
fn what_is_kept_is_reported() {
    let outcome = run_main(|b| {
        let joined = concat(b, "ab", "cd");
        retain(b, &joined);
        made(b, "heap_vec_new", &[type_of(vec_of(Ty::i64())), Operand::int(3)], vec_of(Ty::i64()));
    });
    assert_eq!(outcome.exit, Exit::Status(0));
    assert_eq!(outcome.leaked, ["str \"abcd\", count 2", "Vec<i64>, count 1"]);
}

#[test]
fn wrong_counting_is_a_bug() {
    let twice = run_main(|b| {
        let joined = concat(b, "ab", "cd");
        let copy = b.temp(Ty::str());
        b.set(&copy, c(&joined));
        release(b, &joined);
        release(b, &copy);
    });
    bug(&twice, "release of a freed str");
    let afterwards = run_main(|b| {
        let joined = concat(b, "ab", "cd");
        let copy = b.temp(Ty::str());
        b.set(&copy, c(&joined));
        release(b, &joined);
        host(b, "print_str", &[c(&copy)], None);
    });
    bug(&afterwards, "use of a freed heap block");
    let same = run_main(|b| {
        let joined = concat(b, "ab", "cd");
        release(b, &joined);
        release(b, &joined);
    });
    bug(&same, "release of a freed str");
    let garbage = run_main(|b| {
        let never = b.mem(Ty::str());
        release(b, &never);
    });
    bug(&garbage, "no heap value");
    let returned = run_main(|b| {
        let joined = concat(b, "ab", "cd");
        let at = b.temp(Ty::i64());
        b.cast(&at, CastKind::Pointer, c(&joined));
        b.call(Callee::C(Name::new("free"), None), &[c(&at)], None, Ty::unit());
    });
    assert!(matches!(returned.exit, Exit::Trap(_)), "{:?}", returned.exit);
}

#[test]
fn aggregates_are_counted_by_their_shape() {
    let ty = tuple(&[Ty::i64(), array(Ty::str(), 2)]);
    let outcome = run_main(|b| {
        let (pair, copy) = (b.temp(ty), b.temp(ty));
        let texts = field(&pair, 1, array(Ty::str(), 2));
        for index in 0..2 {
            let joined = concat(b, "a", "b");
            b.set(&project(&texts, Projection::ConstIndex(index), Ty::str()), c(&joined));
        }
        b.set(&copy, c(&pair));
        retain(b, &copy);
        release(b, &pair);
        host(
            b,
            "print_str",
            &[c(&project(&field(&copy, 1, array(Ty::str(), 2)), Projection::ConstIndex(1), Ty::str()))],
            None,
        );
        release(b, &copy);
    });
    fine(&outcome, 0);
    assert_eq!(outcome.output, "ab");
}

#[test]
fn a_vec_owns_its_elements() {
    let ty = vec_of(Ty::str());
    let outcome = run_main(|b| {
        let vec = made(b, "heap_vec_new", &[type_of(ty), Operand::int(0)], ty);
        let at = b.temp(Ty::i64());
        b.cast(&at, CastKind::Pointer, c(&vec));
        host(b, "heap_vec_reserve", &[c(&at), Operand::int(2)], None);
        let data = word(b, &at, VEC_DATA, Ty::i64());
        let elements = b.temp(Ty::pointer(Ty::str()));
        b.cast(&elements, CastKind::Pointer, c(&data));
        let joined = concat(b, "a", "b");
        b.set(&deref(local(&elements), Ty::str()), c(&joined));
        let length = b.temp(Ty::i64());
        b.binary(&length, BinaryOp::Add, c(&at), Operand::int(VEC_LENGTH.into()));
        let length_at = b.temp(Ty::pointer(Ty::i64()));
        b.cast(&length_at, CastKind::Pointer, c(&length));
        b.set(&deref(local(&length_at), Ty::i64()), Operand::int(1));
        host(b, "heap_vec_reserve", &[c(&at), Operand::int(100)], None);
        host(b, "heap_vec_shrink", &[c(&at)], None);
        host(b, "print_str", &[c(&joined)], None);
        let live = made(b, "heap_live", &[], Ty::i64());
        b.set(&b.result(), c(&live));
        release(b, &vec);
    });
    fine(&outcome, 2);
    assert_eq!(outcome.output, "ab");
}

#[test]
fn maps_keep_copies_in_order() {
    let ty = map_of(Ty::str(), Ty::i64());
    let outcome = run_main(|b| {
        let map = made(b, "heap_map_new", &[type_of(ty)], ty);
        let at = b.temp(Ty::i64());
        b.cast(&at, CastKind::Pointer, c(&map));
        for (name, value) in [("b", 1), ("a", 2), ("b", 3), ("c", 4)] {
            let key = concat(b, name, "!");
            let (key_at, value_at) = (address(b, c(&key)), address(b, Operand::int(value)));
            let known = made(b, "heap_map_insert", &[c(&at), c(&key_at), c(&value_at)], Ty::bool());
            host(b, "print_i64", &[c(&known)], None);
            release(b, &key);
        }
        let key = address(b, text("a!"));
        host(b, "heap_map_remove", &[c(&at), c(&key)], None);
        let gone = made(b, "heap_map_find", &[c(&at), c(&key)], Ty::i64());
        host(b, "print_i64", &[c(&gone)], None);
        let next = made(b, "heap_map_next", &[c(&at), Operand::int(1)], Ty::i64());
        let key = made(b, "heap_map_key", &[c(&at), c(&next)], Ty::i64());
        let shown = word(b, &key, 0, Ty::str());
        host(b, "print_str", &[c(&shown)], None);
        let key = address(b, text("b!"));
        let found = made(b, "heap_map_find", &[c(&at), c(&key)], Ty::i64());
        let value = word(b, &found, 0, Ty::i64());
        b.set(&b.result(), c(&value));
        release(b, &map);
    });
    fine(&outcome, 3);
    assert_eq!(outcome.output, "00100c!");
}

#[test]
fn closures_carry_what_they_captured() {
    let captures = tuple(&[Ty::str(), Ty::i64()]);
    let signature = Signature::new([Ty::i64()], Ty::i64());
    let mut code = FnBuilder::new("code", &[Ty::i64(), Ty::i64()], Ty::i64());
    let (payload, n, result) = (code.param(0), code.param(1), code.result());
    let greeting = word(&mut code, &payload, CLOSURE_CAPTURES, Ty::str());
    host(&mut code, "print_str", &[c(&greeting)], None);
    let captured = word(&mut code, &payload, CLOSURE_CAPTURES + 8, Ty::i64());
    code.binary(&result, BinaryOp::Add, c(&captured), c(&n));
    code.ret();
    let mut main = FnBuilder::new("main", &[], Ty::i64());
    let b = &mut main;
    let slot_signature = Signature::new([Ty::i64(), Ty::i64()], Ty::i64());
    let slot = b.temp(Ty::i64());
    b.cast(&slot, CastKind::IntToInt, Operand::Const(Const::Function(instance("code"), slot_signature)));
    let closure = made(b, "heap_closure_new", &[type_of(captures), c(&slot)], Ty::i64());
    let at = b.temp(Ty::i64());
    b.binary(&at, BinaryOp::Add, c(&closure), Operand::int(CLOSURE_CAPTURES.into()));
    let inside = b.temp(Ty::pointer(captures));
    b.cast(&inside, CastKind::Pointer, c(&at));
    let joined = concat(b, "h", "i");
    b.set(&field(&deref(local(&inside), captures), 0, Ty::str()), c(&joined));
    b.set(&field(&deref(local(&inside), captures), 1, Ty::i64()), Operand::int(40));
    let tagged = b.temp(Ty::i64());
    b.binary(&tagged, BinaryOp::BitOr, c(&closure), Operand::int(CLOSURE_TAG));
    let value = b.temp(signature.function_ty());
    b.cast(&value, CastKind::Pointer, c(&tagged));
    let result = b.result();
    b.call(Callee::Value(c(&value), signature), &[Operand::int(2)], Some(&result), Ty::i64());
    release(b, &value);
    main.ret();
    let outcome = run(vec![code.done(), main.done()]);
    fine(&outcome, 42);
    assert_eq!(outcome.output, "hi");
}

#[test]
fn a_cell_of_a_dyn_has_a_table_and_owns_its_value() {
    let signature = Signature::new([Ty::i64()], Ty::i64());
    let mut code = FnBuilder::new("code", &[Ty::i64()], Ty::i64());
    let (this, result) = (code.param(0), code.result());
    let inner = word(&mut code, &this, 0, Ty::str());
    host(&mut code, "print_str", &[c(&inner)], None);
    code.set(&result, Operand::int(7));
    code.ret();
    let mut main = FnBuilder::new("main", &[], Ty::i64());
    let b = &mut main;
    let of_trait = ItemPath::new(Name::new("test"), "Shown");
    let ty = Ty::new(TyKind::Dyn(of_trait));
    let entries = [(0, SlotKey { instance: instance("code"), signature: signature.clone() })].into();
    let table = Operand::Const(Const::Table(Arc::new(DynTable { of_trait, of: Ty::str(), entries })));
    let cell = made(b, "heap_dyn_new", &[table, Operand::int(0), type_of(Ty::str())], Ty::i64());
    let data = word(b, &cell, DYN_DATA, Ty::i64());
    let inside = b.temp(Ty::pointer(Ty::str()));
    b.cast(&inside, CastKind::Pointer, c(&data));
    let joined = concat(b, "d", "yn");
    b.set(&deref(local(&inside), Ty::str()), c(&joined));
    let table = word(b, &cell, DYN_TABLE, Ty::i64());
    let slot = word(b, &table, 0, Ty::i64());
    let result = b.result();
    b.call(Callee::Slot(c(&slot), signature), &[c(&data)], Some(&result), Ty::i64());
    let value = b.temp(ty);
    b.cast(&value, CastKind::Pointer, c(&cell));
    release(b, &value);
    main.ret();
    let outcome = run(vec![code.done(), main.done()]);
    fine(&outcome, 7);
    assert_eq!(outcome.output, "dyn");
}

#[test]
fn globals_are_released_at_the_end() {
    let path = ItemPath::new(Name::new("test"), "g");
    let global = Place::global(path, Ty::str());
    let mut main = FnBuilder::new("main", &[], Ty::i64());
    let joined = concat(&mut main, "a", "b");
    main.set(&global, c(&joined));
    let result = main.result();
    main.set(&result, Operand::int(0));
    main.ret();
    let mut program = program(vec![main.done()]);
    program.globals.push(GlobalValue { path, ty: Ty::str(), init: None });
    fine(&Interp::new(&program, &TestLayouts).run_main(), 0);
}

#[test]
fn behind_a_raw_pointer_only_own_memory_counts() {
    let store = |checked_in_foreign: bool| {
        run_main(|b| {
            let pointer = b.temp(Ty::pointer(Ty::str()));
            let held = b.mem(Ty::str());
            let kept = concat(b, "a", "b");
            b.set(&held, c(&kept));
            if checked_in_foreign {
                let at = b.temp(Ty::i64());
                b.call(Callee::C(Name::new("malloc"), None), &[Operand::int(8)], Some(&at), Ty::i64());
                b.cast(&pointer, CastKind::Pointer, c(&at));
                b.set(&deref(local(&pointer), Ty::str()), c(&kept));
            } else {
                b.assign(&pointer, Rvalue::AddressOf(held.clone()));
            }
            let behind = deref(local(&pointer), Ty::str());
            b.push(StatementKind::Release { place: behind, checked: true });
        })
    };
    fine(&store(false), 0);
    assert_eq!(store(true).leaked, ["str \"ab\", count 1"]);
}

#[test]
fn values_are_compared_by_their_shape() {
    let ty = tuple(&[Ty::str(), Ty::i64()]);
    let outcome = run_main(|b| {
        let places = [("ab", 1), ("ab", 2)].map(|(name, number)| {
            let pair = b.temp(ty);
            let joined = concat(b, "a", &name[1..]);
            b.set(&field(&pair, 0, Ty::str()), c(&joined));
            b.set(&field(&pair, 1, Ty::i64()), Operand::int(number));
            pair
        });
        let addresses = places.clone().map(|place| {
            let (at, pointer) = (b.temp(Ty::i64()), b.temp(Ty::pointer(ty)));
            b.assign(&pointer, Rvalue::AddressOf(place));
            b.cast(&at, CastKind::Pointer, c(&pointer));
            at
        });
        let [left, right] = &addresses;
        for (first, second) in [(left, right), (left, left)] {
            let equal = made(b, "heap_equal", &[c(first), c(second), type_of(ty)], Ty::bool());
            let order = made(b, "heap_compare", &[c(first), c(second), type_of(ty)], Ty::i64());
            host(b, "print_i64", &[c(&equal)], None);
            host(b, "print_i64", &[c(&order)], None);
        }
        let same = [left, left].map(|at| made(b, "heap_hash", &[c(at), type_of(ty)], Ty::i64()));
        let equal = b.temp(Ty::bool());
        b.binary(&equal, BinaryOp::Eq, c(&same[0]), c(&same[1]));
        host(b, "print_i64", &[c(&equal)], None);
        places.iter().for_each(|place| release(b, place));
    });
    fine(&outcome, 0);
    assert_eq!(outcome.output, "0-1101");
}

#[test]
fn texts_are_made_of_texts() {
    let outcome = run_main(|b| {
        let n = Operand::int;
        let cases: [(&str, Vec<Operand>); 10] = [
            ("str_slice", vec![text("añb"), n(1), n(2)]),
            ("str_slice", vec![text("añb"), n(0), n(99)]),
            ("str_slice", vec![text("abc"), n(2), n(1)]),
            ("str_trim", vec![text("  x ")]),
            ("str_to_upper", vec![text("é")]),
            ("str_replace", vec![text("aXbX"), text("X"), text("--")]),
            ("str_repeat", vec![text("ab"), n(2)]),
            ("str_reverse", vec![text("abc")]),
            ("str_from_char", vec![n(0xe9)]),
            ("str_from_i64", vec![n(-5)]),
        ];
        for (name, arguments) in cases {
            let text = made(b, name, &arguments, Ty::str());
            host(b, "print_str_spec", &[c(&text), n(0), n(0)], None);
            host(b, "print_str", &[self::text("|")], None);
            release(b, &text);
        }
        let at = made(b, "str_last_index_of", &[text("abab"), text("ab")], Ty::i64());
        b.set(&b.result(), c(&at));
    });
    fine(&outcome, 2);
    assert_eq!(outcome.output, "|añb||x|É|a--b--|abab|cba|é|-5|");
}
