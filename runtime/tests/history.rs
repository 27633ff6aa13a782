//! Undone edits and rollbacks: no code is compiled for them, and what each version changed is kept and listed.

#[path = "../../tests/alone.rs"]
mod alone;

use std::sync::{Arc, Mutex};

use alone::is_alone;
use vaisjit::{Cause, Engine, Error, Event, KEPT_VERSIONS, MemoryLoader, Program, Report, Update};

/// A program of one file in memory, and what it has told.
struct Memory {
    files: MemoryLoader,
    program: Program,
    events: Arc<Mutex<Vec<Event>>>,
}

impl Memory {
    fn new(text: &str) -> Memory {
        let files = MemoryLoader::default();
        files.set("main.vais", text);
        let events = Arc::<Mutex<Vec<Event>>>::default();
        let told = events.clone();
        let engine = Engine::builder().on_event(move |event| told.lock().unwrap().push(event.clone()));
        let engine = engine.build().expect("an engine");
        let program = engine.load_with("main.vais", Arc::new(files.clone())).expect("a program");
        Memory { files, program, events }
    }

    fn save(&self, text: &str) -> Arc<Report> {
        self.files.set("main.vais", text);
        report(self.program.poll())
    }

    fn call(&self, name: &str) -> i64 {
        self.program.function::<(), i64>(name).expect("the function").call(()).expect("no trap")
    }
}

fn report(update: Result<Update, Error>) -> Arc<Report> {
    match update {
        Ok(Update::Reloaded { report, .. }) => report,
        other => panic!("it should have been reloaded: {other:?}"),
    }
}

const TWO: &str = "G n: i64 = 0\nF small() -> i64 { 1 }\nF sum() -> i64 { small() + n }\n";

#[test]
fn an_edit_that_is_undone_in_the_editor_compiles_nothing() {
    let memory = Memory::new(TWO);
    let first = memory.save(&TWO.replace("{ 1 }", "{ 2 }"));
    assert!(first.compiled > 0 && memory.call("sum") == 2);
    let again = memory.save(&TWO.replace("{ 1 }", "{ 3 }"));
    assert!(again.compiled > 0 && memory.call("sum") == 3);
    for (value, text) in [(2, "{ 2 }"), (3, "{ 3 }"), (2, "{ 2 }")] {
        let undone = memory.save(&TWO.replace("{ 1 }", text));
        assert_eq!((undone.compiled, memory.call("sum")), (0, value));
        assert_eq!(undone.functions().collect::<Vec<_>>(), ["small"]);
    }
}

#[test]
fn a_rollback_compiles_nothing_and_parses_nothing() {
    let memory = Memory::new(TWO);
    memory.save(&TWO.replace("{ 1 }", "{ 2 }"));
    memory.save(&TWO.replace("{ 1 }", "{ 3 }"));
    let report = report(memory.program.rollback(2));
    let times = report.times;
    assert_eq!((report.compiled, times.parse_us, times.check_us), (0, 0, 0));
    assert_eq!((memory.call("sum"), memory.program.version()), (2, 4));
    let last = memory.events.lock().unwrap().pop();
    assert!(matches!(last, Some(Event::RolledBack { version: 4, to: 2, .. })), "{last:?}");
    assert!(matches!(memory.program.poll(), Ok(Update::Unchanged(_))), "it holds until the file changes");
    memory.save(&TWO.replace("{ 1 }", "{ 9 }"));
    assert_eq!(memory.call("sum"), 9);
}

/// What code was linked against may have gone and come back elsewhere.
#[test]
fn removed_functions_and_other_signatures_come_back_with_their_code() {
    let with = |small: &str, call: &str| {
        format!("F small({small} {{ 7 }}\nF twice() -> i64 {{ small({call}) * 2 }}\nF tick() -> i64 {{ twice() }}")
    };
    let memory = Memory::new(&with(") -> i64", ""));
    for round in 0..6 {
        let other = memory.save(&with("by: i64) -> i64", "1"));
        assert_eq!(memory.call("tick"), 14);
        let back = memory.save(&with(") -> i64", ""));
        assert_eq!(memory.call("tick"), 14);
        assert!(round < 2 || (other.compiled, back.compiled) == (0, 0), "{other:?} {back:?}");
        memory.save("F tick() -> i64 { 3 }");
        assert_eq!(memory.call("tick"), 3);
        let again = memory.save(&with(") -> i64", ""));
        assert!(round < 2 || again.compiled == 0, "{again:?}");
        assert_eq!(memory.call("tick"), 14);
    }
}

/// Names do not tell which field was which, but a version that was knows.
#[test]
fn a_rollback_gives_every_field_back_what_it_was() {
    let text = |fields: &str, more: &str| {
        format!(
            "S P {{ {fields} }}\nE M {{ {more} }}\nG p: P\nG list: Vec<P>\nG m: M\n\
             F sum() -> i64 {{ p.a * 10 + p.b + list[0].a * 1000 + list[0].b * 100 + M m {{ Up => 0, Down => 10000 }} }}\n"
        )
    };
    let start = text("a: i64, b: i64", "Up, Down");
    let set = "F set() -> i64 { p.a = 1; p.b = 2; list.push(p); m = Down; 0 }";
    let memory = Memory::new(&format!("{start}{set}"));
    memory.call("set");
    assert_eq!(memory.call("sum"), 11212);
    let swapped = text("#[was(\"b\")] a: i64, #[was(\"a\")] b: i64", "#[was(\"Down\")] Up, #[was(\"Up\")] Down");
    memory.save(&swapped);
    assert_eq!(memory.call("sum"), 2121, "exchanged");
    memory.save(&format!("{swapped}F more() -> i64 {{ 0 }}"));
    memory.save(&text("a: i64, b: i64, c: str", "Up, Down"));
    assert_eq!(memory.call("sum"), 2121, "the attribute has done its work");
    memory.program.rollback(2).expect("rolled back");
    assert_eq!(memory.call("sum"), 2121, "as it was in version 2");
    memory.program.rollback(1).expect("rolled back");
    assert_eq!(memory.call("sum"), 11212, "as it was in version 1");
    memory.program.rollback(4).expect("rolled back");
    assert_eq!(memory.call("sum"), 2121);
    let broken = "G zero: i64 = 0\n#[after_reload] F broken() { zero = 1 / zero }";
    memory.files.set("main.vais", format!("{swapped}{broken}").replace("a: i64,", "a: i64, d: i64,"));
    assert!(memory.program.poll().is_err());
    assert_eq!(memory.call("sum"), 2121, "a hook that fails takes the exchange back");
}

/// An item that was copied to another file and then cut from the first goes back with its value, too.
/// Who saves one file after a rollback means the others as they are on disk.
#[test]
fn a_save_after_a_rollback_takes_all_files_as_they_are() {
    let main = |a: &str| format!("U data\nF sum() -> i64 {{ made({a}) }}\n");
    let data = |params: &str, sum: &str| format!("F made({params}) -> i64 {{ {sum} }}\n");
    let files = MemoryLoader::default();
    files.set("main.vais", main("1"));
    files.set("data.vais", data("n: i64", "n"));
    let engine = Engine::builder().build().expect("an engine");
    let program = engine.load_with("main.vais", Arc::new(files.clone())).expect("a program");
    let sum = || program.function::<(), i64>("sum").expect("the function").call(()).expect("no trap");
    files.set("main.vais", main("1, 2"));
    files.set("data.vais", data("n: i64, z: i64", "n + z"));
    report(program.poll());
    assert_eq!(sum(), 3);
    program.rollback(1).expect("rolled back");
    assert_eq!(sum(), 1);
    assert!(!program.poll().expect("no file has changed").is_reloaded());
    files.set("main.vais", main("1, 4"));
    report(program.poll());
    assert_eq!(sum(), 5);
}

#[test]
fn a_rollback_takes_back_a_move_in_two_saves() {
    let (tick, global) = ("F tick() -> i64 { n += 10  n }\n", "G n: i64 = 1\n");
    let memory = Memory::new(&format!("{tick}{global}"));
    memory.files.set("other.vais", "F unrelated() -> i64 { 0 }\n");
    let imported = |more: &str| format!("U other.{{unrelated{more}}}\n{tick}");
    memory.save(&format!("{}{global}", imported("")));
    assert_eq!(memory.call("tick"), 11);
    memory.files.set("other.vais", format!("F unrelated() -> i64 {{ 0 }}\n{global}"));
    report(memory.program.poll());
    let broken = "G zero: i64 = 0\n#[after_reload] F broken() { zero = 1 / zero }";
    memory.files.set("main.vais", format!("{}{broken}", imported(", n")));
    assert!(memory.program.poll().is_err());
    assert_eq!(memory.call("tick"), 21, "a hook that fails takes the move back");
    memory.save(&imported(", n"));
    assert_eq!(memory.call("tick"), 31, "moved");
    let version = memory.program.version();
    for (to, value) in [(version - 1, 41), (version, 51), (version - 2, 61), (version, 71)] {
        memory.program.rollback(to).expect("rolled back");
        assert_eq!(memory.call("tick"), value, "back at {to}");
    }
}

#[test]
fn the_history_lists_what_each_version_changed() {
    let memory = Memory::new(TWO);
    memory.save(&TWO.replace("{ 1 }", "{ 2 }"));
    memory.program.patch("small", "F small() -> i64 { 5 }").expect("patched");
    memory.program.rollback(1).expect("rolled back");
    assert!(memory.program.rollback(77).is_err());
    let history = memory.program.history();
    let causes: Vec<(u64, Cause)> = history.iter().map(|entry| (entry.version, entry.cause)).collect();
    let expected = [(1, Cause::Loaded), (2, Cause::Saved), (3, Cause::Patched), (4, Cause::RolledBack { to: 1 })];
    assert_eq!(causes, expected);
    assert!(history.windows(2).all(|pair| pair[0].at <= pair[1].at));
    for entry in &history {
        assert_eq!(entry.report.files.len(), 1, "{entry:?}");
        assert!(entry.version == 1 || entry.report.functions().eq(["small"]), "{entry:?}");
    }
    let texts: Vec<&str> = history.iter().map(|entry| &*entry.texts[0].1).collect();
    assert_eq!((texts[0], texts[3]), (TWO, TWO));
    assert!(texts[1].contains("{ 2 }") && texts[2].contains("{ 5 }"));
}

#[test]
fn only_the_last_versions_are_kept() {
    let memory = Memory::new(TWO);
    for value in 2..30 {
        memory.save(&TWO.replace("{ 1 }", &format!("{{ {value} }}")));
    }
    let history = memory.program.history();
    assert_eq!(history.len(), KEPT_VERSIONS);
    assert_eq!(history.last().map(|entry| entry.version), Some(29));
    let oldest = history[0].version;
    assert!(memory.program.rollback(oldest - 1).is_err());
    memory.program.rollback(oldest).expect("it is kept");
    assert_eq!(memory.call("sum"), oldest as i64);
}

#[test]
fn a_rollback_from_inside_says_what_it_did_and_why_not() {
    let text = "U std/hot\nF small() -> i64 { 1 }\nF back(to: i64) -> i64 { hot_rollback(to) }\n";
    let memory = Memory::new(text);
    memory.save(&text.replace("{ 1 }", "{ 2 }"));
    let back = memory.program.function::<(i64,), i64>("back").expect("the function");
    assert_eq!(back.call((1,)).expect("no trap"), 1);
    assert_eq!((memory.call("small"), memory.program.version()), (1, 3));
    assert_eq!(back.call((3,)).expect("no trap"), 0, "it is running already");
    for (to, why) in [(77, "version 77 is not kept; there are 1, 2, 3"), (-4, "there is no version -4")] {
        assert_eq!(back.call((to,)).expect("no trap"), -1);
        let events = memory.events.lock().unwrap();
        let Some(Event::Notice(text)) = events.last() else { panic!("{:?}", events.last()) };
        assert_eq!(*text, format!("hot_rollback: {why}"));
    }
}

#[test]
fn a_rollback_from_inside_that_is_refused_says_so() {
    let text = "U std/hot\nE Kind { None, Old }\nG kind: Kind\nF small() -> i64 { 1 }\nF back(to: i64) -> i64 { hot_rollback(to) }\n";
    let memory = Memory::new(text);
    memory.save(&text.replace("Old }", "Old, New }").replace("{ 1 }", "{ kind = Kind.New\n 2 }"));
    assert_eq!(memory.call("small"), 2);
    let back = memory.program.function::<(i64,), i64>("back").expect("the function");
    assert_eq!(back.call((1,)).expect("no trap"), -2);
    assert_eq!((memory.call("small"), memory.program.version()), (2, 2));
    let events = memory.events.lock().unwrap();
    let Some(Event::Refused { report, .. }) = events.last() else { panic!("{:?}", events.last()) };
    let reason = report.refusals().next().expect("a refusal").to_string();
    assert!(reason.contains("variant `New` was removed") && reason.contains("global `kind`"), "{reason}");
}

/// A field that cannot be converted gets a new value; whatever comes back then has its own, and none is left over.
#[test]
fn retyped_fields_come_back_and_leak_nothing() {
    let text = |is_text: bool, round: i64| {
        let fill = "F fill() -> i64 { L i: 0..3 { all.push(P { a: i, c: \"text\" + (i as str) }) }\n 0 }\n";
        let (ty, fill) = if is_text { ("str", fill) } else { ("Vec<i64>", "") };
        format!("# {round}\nS P {{ a: i64, c: {ty} }}\nG all: Vec<P>\n{fill}F length() -> i64 {{ all[2].c.len() }}")
    };
    let memory = Memory::new(&text(true, 0));
    memory.call("fill");
    let holds = |is_text: bool| {
        assert_eq!(memory.program.heap_verify(), Vec::<String>::new());
        assert_eq!(memory.call("length"), if is_text { 5 } else { 0 });
    };
    let mut is_text = true;
    for round in 1..=12 {
        is_text = !is_text;
        memory.save(&text(is_text, round));
        holds(is_text);
        if round % 3 == 0 {
            memory.program.rollback(memory.program.version() - 1).expect("kept");
            is_text = !is_text;
            holds(is_text);
        }
    }
    let left = memory.program.heap_check().expect("nothing runs");
    assert!(left.is_empty(), "{left}");
}

/// The same for globals, with values of many types kept aside, some of which are given up.
#[test]
fn retyped_globals_come_back_and_leak_nothing() {
    let text = |ty: &str, length: &str, round: i64| {
        let fill = match ty {
            "str" => "one = \"text\" + (5 as str)",
            "Vec<str>" => "one.push(\"a\" + \"b\")",
            _ => "",
        };
        format!(
            "# {round}\nS P {{ a: str, b: Vec<str> }}\nG one: {ty}\nF fill() -> i64 {{ {fill}\n 0 }}\nF length() -> i64 {{ {length} }}"
        )
    };
    let memory = Memory::new(&text("str", "one.len()", 0));
    memory.call("fill");
    let others = [("i64", "one"), ("Vec<str>", "one.len()"), ("P", "one.b.len()"), ("(str, i64)", "one.1")];
    let mut lists = 0;
    for round in 1..=12 {
        let (ty, length) = others[round as usize % others.len()];
        let before = memory.program.version();
        memory.save(&text(ty, length, round));
        if ty == "Vec<str>" {
            assert_eq!(memory.call("length"), lists);
            memory.call("fill");
            lists += 1;
        }
        assert_eq!(memory.program.heap_verify(), Vec::<String>::new());
        match round % 2 {
            0 => _ = memory.program.rollback(before).expect("kept"),
            _ => _ = memory.save(&text("str", "one.len()", round)),
        }
        assert_eq!(memory.program.heap_verify(), Vec::<String>::new());
        assert_eq!(memory.call("length"), 5, "round {round}");
    }
    let left = memory.program.heap_check().expect("nothing runs");
    assert!(left.is_empty(), "{left}");
}

/// Edits that alternate, edits that differ, types that change with their values, and rollbacks: `RELOADS=20000` for a run
/// that is long enough to tell whether memory grows.
#[test]
fn memory_stays_flat() {
    if !is_alone("memory_stays_flat") {
        return;
    }
    let rounds: usize = std::env::var("RELOADS").ok().and_then(|text| text.parse().ok()).unwrap_or(150);
    let text = |n: usize| {
        let (types, body) = (["i64", "f64"][n % 2], if n.is_multiple_of(3) { n } else { n % 4 });
        format!(
            "S P {{ a: i64, b: {types} }}\nG all: Vec<P>\nF fill() -> i64 {{ L i: 0..100 {{ all.push(P {{ a: i, b: 7 as {types} }}) }}\n all.len() }}\n#[hot] F hot() -> i64 {{ {body} + all[3].b as i64 }}\nF flips(x: {types}) -> i64 {{ x as i64 + {body} }}\nF tick() -> i64 {{ hot() + flips({n} as {types}) }}"
        )
    };
    let memory = Memory::new(&text(0));
    memory.call("fill");
    let settling = rounds / 10;
    let mut settled = 0;
    for n in 1..=rounds {
        memory.save(&text(n));
        if n.is_multiple_of(5) {
            memory.program.rollback(memory.program.version() - 3).expect("kept");
        }
        memory.call("tick");
        memory.events.lock().unwrap().clear();
        if n == settling {
            settled = resident();
        }
        if n == rounds || n.is_multiple_of(2000) {
            println!("{n} reloads: {} KiB more than after {settling}", resident() as i64 - settled as i64);
        }
    }
    assert!(rounds < 20_000 || resident() <= settled + 1024, "memory grows");
}

/// Resident memory in KiB; 0 where nobody tells.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Prints how long a rollback of one function takes from the call until it is live.
#[test]
fn the_time_of_a_rollback() {
    let memory = Memory::new(TWO);
    memory.save(&TWO.replace("{ 1 }", "{ 2 }"));
    let mut times: Vec<u128> = Vec::new();
    for round in 0..1000 {
        let start = std::time::Instant::now();
        memory.program.rollback(memory.program.version() - 1).expect("kept");
        times.push(start.elapsed().as_nanos());
        assert_eq!(memory.call("sum"), 1 + round % 2);
    }
    times.sort_unstable();
    println!("rollback: median {} us, 99 % {} us", times[500] / 1000, times[990] / 1000);
}
