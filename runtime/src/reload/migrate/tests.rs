//! Faults at every step of preparations and trials: whatever fails, everything is as it was.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use rustc_hash::FxHasher;

use crate::{Engine, Error, MemoryLoader, Program, Update};

/// Attempts in all.
const ATTEMPTS: u64 = 1_000;

/// Versions of a program; each migrates what the one before has left.
const VERSIONS: [&str; 4] = [
    r#"
S Item { n: i32, name: str }
E Job { Idle, Work(Item) }
G items: Vec<Item>
G by_name: HashMap<str, Item>
G job: Job
G total: i64 = 5
F tick(n: i64) -> i64 {
    items.push(Item { n: n as i32, name: "item {n}" })
    by_name["key {n}"] = Item { n: n as i32, name: "value {n}" }
    job = Work(Item { n: 1, name: "job {n}" })
    total += 1
    items.len()
}
"#,
    r#"
S Item { n: i64, name: str, tags: Vec<str> = [], id: i64 = 40 + base() }
E Job { Wait(i64), Idle, Work(Item, i64) }
G items: Vec<Item>
G by_name: HashMap<str, Item>
G job: Job
G total: f64 = 5.0
G extra: Vec<str> = ["a" + "b"]
F base() -> i64 { 2 }
F tick(n: i64) -> i64 {
    items.push(Item { n: n, name: "item {n}" })
    total += 1.0
    items[0].tags.push("tag {n}")
    items.len() + extra.len() - 1
}
"#,
    r#"
S Item { n: u8, tags: Vec<str> = [], a: i64 = 0, b: i64 = 0, c: i64 = 0, d: i64 = 0, e: str = "e", f: i64 = 0 }
E Job { Wait(i64), Idle, Work(Item) }
G items: Vec<Item>
G by_name: HashMap<str, Item>
G job: Job
G total: Option<f64>
F tick(n: i64) -> i64 {
    items.push(Item { n: 1 })
    by_name["other {n}"] = Item { n: 3 }
    total = M total { Some(x) => Some(x + 1.0), None => None }
    items.len()
}
"#,
    r#"
S Item { n: i32, name: str = "none" }
E Job { Idle, Work(Item) }
G items: Vec<Item>
G by_name: HashMap<str, Item>
G job: Job
G total: i64 = 5
#[reset] G extra: Vec<str> = ["other" + "!"]
F tick(n: i64) -> i64 {
    items.push(Item { n: n as i32, name: "item {n}" })
    items.len()
}
"#,
];

/// A hash of all that a reload may change: blocks and globals with their contents, slots with what they call, layouts.
fn state(program: &Program) -> u64 {
    let inner = &program.inner;
    let mut hasher = FxHasher::default();
    inner.world.heap().digest(&mut hasher);
    let live = inner.live();
    let mut slots: Vec<(usize, usize)> =
        live.functions.values().map(|function| (function.slot.address(), function.slot.load())).collect();
    slots.sort_unstable();
    slots.hash(&mut hasher);
    let mut layouts: Vec<String> = live.history.iter().map(|(ty, known)| format!("{ty} {known:?}")).collect();
    layouts.sort();
    layouts.hash(&mut hasher);
    let mut globals: Vec<String> = live.globals.iter().map(|(path, global)| format!("{path} {}", global.ty)).collect();
    globals.sort();
    (globals, inner.version()).hash(&mut hasher);
    hasher.finish()
}

#[test]
fn a_fault_at_any_step_changes_nothing() {
    let files = MemoryLoader::default();
    files.set("main.vais", VERSIONS[0]);
    let engine = Engine::builder().build().expect("an engine");
    let program = engine.load_with("main.vais", Arc::new(files.clone())).expect("the first version");
    let tick = program.function::<(i64,), i64>("tick").expect("a function");
    let (mut attempts, mut turn, mut faults) = (0, 0, 0);
    while attempts < ATTEMPTS {
        turn += 1;
        tick.call((turn,)).expect("a turn");
        tick.call((turn + 1000,)).expect("a turn");
        files.set("main.vais", VERSIONS[turn as usize % VERSIONS.len()]);
        for step in 1.. {
            attempts += 1;
            let before = state(&program);
            crate::fault::inject(step);
            let update = program.poll();
            let left = crate::fault::inject(0);
            if left > 0 {
                assert!(matches!(update, Ok(Update::Reloaded { .. })), "turn {turn}: {update:?}");
                break;
            }
            faults += 1;
            assert!(matches!(update, Err(Error::Refused(_))), "turn {turn}, step {step}: {update:?}");
            assert_eq!(state(&program), before, "turn {turn}, step {step}");
            // The next attempt sees the text as a new one.
            files.set("main.vais", format!("{}# {attempts}\n", VERSIONS[turn as usize % VERSIONS.len()]));
        }
    }
    println!("{faults} faults in {turn} reloads");
    assert!(faults > ATTEMPTS / 2, "only {faults} faults");
    let left = program.heap_check().expect("nobody is in the program");
    assert!(left.is_empty(), "{left} left on the heap");
}
