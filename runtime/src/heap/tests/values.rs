//! Counting, freeing, comparing and hashing values.

use std::cmp::Ordering;

use vaisjit_abi::heap::{CLOSURE_CAPTURES, CLOSURE_TAG, SHARED};
use vaisjit_abi::string::IMMORTAL;
use vaisjit_semantics::types::{FloatKind, IntKind, TyList};
use vaisjit_semantics::{Ty, TyKind};

use super::*;
use crate::heap::block::{Payload, store};

#[test]
fn the_last_reference_frees_a_value_with_what_it_holds() {
    let mut kit = Kit::new();
    let pair = kit.record("Pair", &[Ty::str(), vec_of(Ty::str())]);
    let (name, shared) = (kit.text("name"), kit.text("shared"));
    let value = [name, kit.list(Ty::str(), &[shared, kit.text("own"), 0])];
    kit.retain(&shared, Ty::str());
    kit.retain(&value, pair);
    assert_eq!((kit.count(name), kit.count(value[1]), kit.count(shared)), (2, 2, 2));
    assert_eq!(kit.heap.live(), 5);
    kit.release(&value, pair);
    assert_eq!((kit.count(name), kit.heap.live()), (1, 5));
    kit.release(&value, pair);
    assert_eq!((kit.count(shared), kit.heap.live()), (1, 1));
    assert_eq!(kit.heap.report().to_string(), "1 str");
    kit.release(&shared, Ty::str());
    assert!(kit.heap.report().is_empty());
}

#[test]
fn literals_and_null_are_never_counted() {
    let kit = Kit::new();
    let literal: Vec<u64> = vec![IMMORTAL as u64, 1, u64::from(b'x')];
    let value = literal[2..].as_ptr() as u64;
    kit.retain(&value, Ty::str());
    kit.release(&value, Ty::str());
    kit.release(&0u64, Ty::str());
    assert_eq!(literal[0], IMMORTAL as u64);
}

#[test]
fn releasing_too_often_is_a_failure_and_not_a_crash() {
    let kit = Kit::new();
    let text = kit.text("x");
    kit.release(&text, Ty::str());
    let failure = kit.heap.release(at(&text), kit.of(Ty::str())).unwrap_err();
    assert!(failure.message.contains("more often"), "{}", failure.message);
}

#[test]
fn a_list_of_a_million_boxes_is_freed_compared_and_hashed_without_stack() {
    let mut kit = Kit::new();
    let placeholder = kit.choice("List", &[]);
    let list = kit.choice("List", &[&[], &[Ty::i64(), boxed(placeholder)]]);
    assert_eq!(placeholder, list);
    let of_box = kit.of(boxed(list));
    let long = || {
        let mut value = [0u64, 0, 0];
        for number in 0..1_000_000 {
            let next = kit.heap.new_box(of_box).unwrap().0;
            value.iter().enumerate().for_each(|(index, word)| store(next + index * 8, *word as usize));
            value = [1, number, next as u64];
        }
        value
    };
    let (left, right) = (long(), long());
    let of = kit.of(list);
    assert!(of.equal(at(&left), at(&right)).unwrap());
    assert_eq!(of.hash(at(&left)).unwrap(), of.hash(at(&right)).unwrap());
    assert_eq!(kit.heap.live(), 2_000_000);
    kit.release(&left, list);
    kit.release(&right, list);
    assert_eq!(kit.heap.live(), 0);
}

#[test]
fn closures_cells_and_arrays_hold_references() {
    let mut kit = Kit::new();
    let captures = kit.record("Captures", &[Ty::i64(), Ty::str()]);
    let function = Ty::new(TyKind::Function(TyList::EMPTY, Ty::i64()));
    let closure = kit.heap.new_closure(kit.of(captures), 77).unwrap();
    store(closure.0 + CLOSURE_CAPTURES as usize + 8, kit.text("captured") as usize);
    let cell = kit.heap.new_cell(1, 0, Some(kit.of(Ty::str()))).unwrap();
    store(cell.word(8), kit.text("owned") as usize);
    let foreign = kit.heap.new_cell(1, at(&kit) as i64, None).unwrap();
    assert_eq!(kit.heap.report().to_string(), "2 dyn, 2 str, 1 closure");
    let functions = Ty::new(TyKind::Array(function, 2));
    let values = [closure.0 as u64 | CLOSURE_TAG as u64, 1 << 20];
    kit.retain(&values, functions);
    assert_eq!(closure.count(), 2);
    kit.release(&values, functions);
    kit.release(&values, functions);
    kit.heap.count_down(cell).unwrap();
    kit.heap.count_down(foreign).unwrap();
    assert_eq!(kit.heap.live(), 0);
}

#[test]
fn shared_counts_are_changed_by_several_threads() {
    let kit = Kit::new();
    let before = kit.text("before");
    kit.retain(&before, Ty::str());
    kit.heap.share();
    kit.heap.share();
    let after = kit.text("after");
    assert_eq!((kit.count(before), kit.count(after)), (SHARED + 2, SHARED + 1));
    let of = kit.of(Ty::str());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..50_000 {
                    kit.heap.retain(at(&before), of);
                    kit.heap.release(at(&after), kit.of(Ty::i64())).unwrap();
                    kit.heap.release(at(&before), of).unwrap();
                    let text = kit.text("short");
                    kit.heap.release(at(&text), of).unwrap();
                }
            });
        }
    });
    assert_eq!(kit.count(before), SHARED + 2);
    [before, before, after].iter().for_each(|text| kit.release(text, Ty::str()));
    assert_eq!(kit.heap.live(), 0);
}

#[test]
fn values_are_ordered_as_their_types_say() {
    let kit = Kit::new();
    let order = |ty: Ty, left: usize, right: usize| kit.of(ty).order(left, right).unwrap();
    assert_eq!(order(int(IntKind::I8), at(&-1i8), at(&1i8)), Ordering::Less);
    assert_eq!(order(int(IntKind::U8), at(&255u8), at(&1u8)), Ordering::Greater);
    assert_eq!(order(int(IntKind::I128), at(&i128::MIN), at(&0i128)), Ordering::Less);
    assert_eq!(order(int(IntKind::U64), at(&u64::MAX), at(&0u64)), Ordering::Greater);
    let f64 = Ty::new(TyKind::Float(FloatKind::F64));
    assert_eq!(order(f64, at(&-0.0f64), at(&0.0f64)), Ordering::Equal);
    assert_eq!(order(f64, at(&f64::NAN), at(&f64::INFINITY)), Ordering::Greater);
    assert!(!kit.of(f64).equal(at(&f64::NAN), at(&f64::NAN)).unwrap());
    assert!(kit.of(f64).same_key(at(&f64::NAN), at(&f64::NAN)).unwrap());
    assert_eq!(kit.of(f64).hash(at(&-0.0f64)).unwrap(), kit.of(f64).hash(at(&0.0f64)).unwrap());
    let (a, b) = (kit.text("abc"), kit.text("abd"));
    assert_eq!(order(Ty::str(), at(&a), at(&b)), Ordering::Less);
    assert_eq!(order(Ty::str(), at(&0u64), at(&b)), Ordering::Less);
    let (short, long) = (kit.list(Ty::i64(), &[1, 2]), kit.list(Ty::i64(), &[1, 2, 0]));
    let greater = kit.list(Ty::i64(), &[2]);
    let list = vec_of(Ty::i64());
    assert_eq!(order(list, at(&short), at(&long)), Ordering::Less);
    assert_eq!(order(list, at(&greater), at(&long)), Ordering::Greater);
    assert_eq!(order(list, at(&long), at(&long)), Ordering::Equal);
    assert!(!kit.of(list).equal(at(&short), at(&long)).unwrap());
}

#[test]
fn structs_and_enums_are_ordered_field_by_field() {
    let mut kit = Kit::new();
    let pair = kit.record("Pair", &[Ty::str(), Ty::i64()]);
    let choice = kit.choice("Choice", &[&[], &[Ty::i64()], &[pair]]);
    let (a, b, c) = (kit.text("a"), kit.text("a"), kit.text("b"));
    let of = kit.of(choice);
    let order = |left: [u64; 3], right: [u64; 3]| of.order(at(&left), at(&right)).unwrap();
    assert_eq!(order([2, a, 9], [2, b, 9]), Ordering::Equal);
    assert_eq!(order([2, a, 9], [2, c, 1]), Ordering::Less);
    assert_eq!(order([1, 5, 0], [0, 9, 0]), Ordering::Greater);
    // What lies behind a smaller variant does not count.
    assert_eq!(order([1, 5, 1], [1, 5, 2]), Ordering::Equal);
    assert_eq!(of.hash(at(&[1u64, 5, 1])).unwrap(), of.hash(at(&[1u64, 5, 2])).unwrap());
}

#[test]
fn a_vec_that_is_too_long_fails_and_stays_as_it_is() {
    let kit = Kit::new();
    let list = kit.list(Ty::i64(), &[1, 2, 3]);
    let of = crate::heap::vec::List::at(list as i64).unwrap();
    for additional in [i64::MAX, 1 << 60, 1 << 44] {
        let failure = kit.heap.vec_reserve(of, additional).unwrap_err();
        assert!(failure.message.starts_with("out of memory"), "{}", failure.message);
    }
    kit.heap.vec_reserve(of, 100).unwrap();
    assert_eq!(word(Payload(list as usize).word(0) + 16), 3);
    kit.heap.vec_shrink(of).unwrap();
    assert_eq!(Payload(list as usize).word(16), 3);
    kit.release(&list, vec_of(Ty::i64()));
    assert_eq!(kit.heap.live(), 0);
}
