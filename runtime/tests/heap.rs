//! Programs with heap values, compiled: what they say, and that nothing is left when they end.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use vaisjit::{Engine, EngineBuilder, Event, MemoryLoader, Program, Trap, TrapCode};

fn load(engine: EngineBuilder, text: &str) -> Program {
    let files = MemoryLoader::default();
    files.set("main.vais", text);
    let engine = engine.build().expect("an engine");
    engine.load_with("main.vais", Arc::new(files)).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Runs `main` in hot and in static mode: it returns this, and leaks nothing.
fn gives(text: &str, status: u8) {
    for static_mode in [false, true] {
        let program = load(Engine::builder().static_mode(static_mode), text);
        assert_eq!(program.run_main().expect("no trap"), status, "static: {static_mode}");
        let report = program.heap_check().expect("nothing runs");
        assert!(report.is_empty(), "static: {static_mode}, leaked {report}");
    }
}

fn trap(text: &str) -> Trap {
    let program = load(Engine::builder().on_event(|_: &Event| ()), text);
    program.run_main().expect_err("a trap")
}

#[test]
fn texts_are_freed() {
    gives(
        r#"
S P { name: str, n: i64 }
G last: str = ""
F make(i: i64) -> str { "v{i}" }
F main() -> i64 {
    p := P { name: make(2), n: 1 }
    total := 0
    L i: 0..100 {
        s := make(i) + "x"
        I i == 50 { C }
        last = s
        total += s.len()
    }
    q := p
    q.name = q.name + "!"
    I last == "v99x" && p.name == "v2" && q.name == "v2!" { total % 256 } E { 1 }
}
"#,
        (((10 * 3 + 90 * 4) - 4) % 256) as u8,
    );
}

#[test]
fn lists_and_maps_are_freed() {
    gives(
        r#"
F main() -> i64 {
    names: Vec<str> = Vec.new()
    L i: 0..100 { names.push("n{i}") }
    rows: Vec<Vec<str>> = Vec.new()
    L i: 0..10 { rows.push(names) }
    rows[3] = Vec.new()
    names[0] = "changed"
    ages: HashMap<str, i64> = HashMap.new()
    L i: 0..100 { ages.set(names[i], i) }
    ages.set("changed", 7)
    ages.remove("n50")
    I rows[4][0] == "changed" && ages.get("changed") == Some(7) && ages.get("n50").is_none() { ages.len() } E { 1 }
}
"#,
        99,
    );
}

#[test]
fn closures_are_called_and_freed() {
    gives(
        r#"
S Big { a: i64, b: i64, c: i64 }
F apply(f: fn(i64) -> i64, x: i64) -> i64 { f(x) }
F twice(x: i64) -> i64 { x * 2 }
F adder(name: str) -> fn(i64) -> i64 { |x: i64| x + name.len() }
F big(f: fn(i64) -> Big) -> i64 { f(3).c }
F main() -> i64 {
    f := adder("abc" + "d")
    g := f
    n := 10
    big(|x: i64| Big { a: x, b: n, c: x + n }) + apply(g, 1) + apply(twice, 4) + f(2)
}
"#,
        13 + 5 + 8 + 6,
    );
}

#[test]
fn a_long_chain_of_boxes_is_freed_without_stack() {
    gives(
        r#"
E List { End, Node(i64, Box<List>) }
F main() -> i64 {
    list := List.End
    L i: 0..1000000 { list = List.Node(i, Box.new(list)) }
    M list { Node(n, _) => n % 256, End => 1 }
}
"#,
        (999_999 % 256) as u8,
    );
}

#[test]
fn several_threads_share_values() {
    let program = load(
        Engine::builder(),
        r#"
G names: Vec<str> = Vec.new()
F start() -> i64 {
    L i: 0..100 { names.push("name {i}") }
    names.len()
}
F work(turns: i64) -> i64 {
    total := 0
    L i: 0..turns {
        name := names[i % 100]
        text := name + "!"
        total += text.len() - name.len()
    }
    total
}
F main() -> i64 { 0 }
"#,
    );
    let start = program.function::<(), i64>("start").expect("the function");
    assert_eq!(start.call(()).expect("no trap"), 100);
    let total = AtomicI64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let work = program.function::<(i64,), i64>("work").expect("the function");
                total.fetch_add(work.call((30_000,)).expect("no trap"), Ordering::SeqCst);
            });
        }
    });
    assert_eq!(total.into_inner(), 90_000);
    let report = program.heap_check().expect("nothing runs");
    assert!(report.is_empty(), "leaked {report}");
}

#[test]
fn running_out_of_memory_is_a_trap() {
    let found = trap("F main() -> i64 {\n    v: Vec<i64> = Vec.new()\n    v.reserve(1 << 50)\n    0\n}\n");
    assert_eq!(found.code, TrapCode::HostFailure);
    assert!(found.message.starts_with("out of memory"), "{}", found.message);
    let found = trap("F main() -> i64 {\n    s := \"abc\".repeat(1 << 58)\n    s.len()\n}\n");
    assert!(found.message.starts_with("out of memory"), "{}", found.message);
}

#[test]
fn hosts_give_texts() {
    let engine = Engine::builder()
        .function("greeting", |name: &str| -> String { format!("hello {name}") })
        .function("fixed", || -> &'static str { "fixed" });
    let text =
        "F main() -> i64 {\n    s := greeting(\"you\") + fixed()\n    I s == \"hello youfixed\" { 0 } E { 1 }\n}\n";
    let program = load(engine, text);
    assert_eq!(program.run_main().expect("no trap"), 0);
    assert!(program.heap_check().expect("nothing runs").is_empty());
}
