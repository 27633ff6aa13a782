//! Maps against those of the standard library.

use std::collections::HashMap;

use vaisjit_semantics::Ty;

use super::*;
use crate::heap::map::Map;

/// Random operations on a map of texts to texts; in the end nothing is left.
#[test]
fn a_map_agrees_with_the_standard_one() {
    let mut random = Random::any();
    let kit = Kit::new();
    let ty = map_of(Ty::str(), Ty::str());
    let value = kit.heap.new_map(kit.of(ty)).unwrap().0 as u64;
    let map = Map::at(value as i64).unwrap();
    let mut model: HashMap<String, String> = HashMap::new();
    for step in 0..20_000 {
        let name = format!("key {}", random.below(300));
        let key = kit.text(&name);
        match random.below(100) {
            0..55 => {
                let text = format!("value {step}");
                let new = kit.text(&text);
                let known = kit.heap.map_insert(map, at(&key), at(&new)).unwrap();
                assert_eq!(known, model.insert(name, text).is_some());
                kit.release(&new, Ty::str());
            }
            55..99 => {
                assert_eq!(kit.heap.map_remove(map, at(&key)).unwrap(), model.remove(&name).is_some());
            }
            _ if random.below(20) == 0 => {
                kit.heap.map_clear(map).unwrap();
                model.clear();
            }
            _ => {}
        }
        let name = format!("key {}", random.below(300));
        let wanted = kit.text(&name);
        let found = map.find(at(&wanted)).unwrap().map(|found| text(word(found)));
        assert_eq!(found, model.get(&name).cloned());
        kit.release(&wanted, Ty::str());
        kit.release(&key, Ty::str());
        assert_eq!(map.length(), model.len());
    }
    let mut seen = HashMap::new();
    let mut from = 0;
    while let Some(number) = map.next(from) {
        let entry = map.live_entry(number as i64).unwrap();
        seen.insert(text(word(map.key_of(entry))), text(word(map.value_of(entry))));
        from = number as i64 + 1;
    }
    assert_eq!(seen, model);
    kit.release(&value, ty);
    assert_eq!(kit.heap.live(), 0, "{}", kit.heap.report());
}

fn text(value: u64) -> String {
    let at = value as usize;
    String::from_utf8(crate::heap::block::bytes(at, load(at - 8)).to_vec()).unwrap()
}

#[test]
fn entries_keep_the_order_they_came_in() {
    let kit = Kit::new();
    let ty = map_of(Ty::i64(), Ty::i64());
    let value = kit.heap.new_map(kit.of(ty)).unwrap().0 as u64;
    let map = Map::at(value as i64).unwrap();
    for number in 0..100u64 {
        kit.heap.map_insert(map, at(&(number * 37 % 101)), at(&number)).unwrap();
        if number % 3 == 0 {
            kit.heap.map_remove(map, at(&(number * 37 % 101))).unwrap();
        }
    }
    let mut values = Vec::new();
    let mut from = 0;
    while let Some(number) = map.next(from) {
        values.push(word(map.value_of(map.live_entry(number as i64).unwrap())));
        from = number as i64 + 1;
    }
    assert_eq!(values, (0..100).filter(|number| number % 3 != 0).collect::<Vec<u64>>());
    assert!(map.live_entry(-1).is_err() && map.live_entry(1 << 40).is_err());
    kit.release(&value, ty);
}

/// A key or value that lies in the map itself is read before the entries move away.
#[test]
fn a_map_takes_values_of_its_own() {
    let kit = Kit::new();
    let ty = map_of(Ty::i64(), Ty::i64());
    let value = kit.heap.new_map(kit.of(ty)).unwrap().0 as u64;
    let map = Map::at(value as i64).unwrap();
    kit.heap.map_insert(map, at(&0u64), at(&1000u64)).unwrap();
    for number in 1..5000u64 {
        let last = map.find(at(&(number - 1))).unwrap().unwrap();
        kit.heap.map_insert(map, at(&number), last).unwrap();
    }
    assert_eq!(map.find(at(&4999u64)).unwrap().map(word), Some(1000));
    kit.release(&value, ty);
    assert_eq!(kit.heap.live(), 0);
}

#[test]
fn equal_maps_need_not_have_the_same_order() {
    let kit = Kit::new();
    let ty = map_of(Ty::i64(), Ty::i64());
    let make = |keys: &[u64]| {
        let value = kit.heap.new_map(kit.of(ty)).unwrap().0 as u64;
        let map = Map::at(value as i64).unwrap();
        for key in keys {
            kit.heap.map_insert(map, at(key), at(&(key * 2))).unwrap();
        }
        value
    };
    let (left, right, other) = (make(&[1, 2, 3]), make(&[3, 1, 2]), make(&[1, 2, 4]));
    assert!(kit.of(ty).equal(at(&left), at(&right)).unwrap());
    assert!(!kit.of(ty).equal(at(&left), at(&other)).unwrap());
    assert_eq!(kit.of(ty).hash(at(&left)).unwrap(), kit.of(ty).hash(at(&right)).unwrap());
}
