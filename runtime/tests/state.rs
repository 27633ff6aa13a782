//! State to disk and back, through the library: every kind of value, edited programs, hostile files, random values.

#[path = "state/random.rs"]
mod random;
#[path = "state/rows.rs"]
mod rows;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use vaisjit::{Engine, Event, MemoryLoader, Program, StateReport};

fn load(text: &str) -> Program {
    load_as(text, false)
}

fn load_as(text: &str, static_mode: bool) -> Program {
    let files = MemoryLoader::default();
    files.set("main.vais", text);
    let engine = Engine::builder().static_mode(static_mode).on_event(|_: &Event| ()).build().expect("an engine");
    engine.load_with("main.vais", Arc::new(files)).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn call(program: &Program, name: &str) -> i64 {
    let function = program.function::<(), i64>(name).unwrap_or_else(|error| panic!("{error}"));
    function.call(()).unwrap_or_else(|trap| panic!("{name}: {}", trap.report()))
}

/// A folder, and a file in it.
fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state.json");
    (folder, path)
}

fn save(program: &Program, path: &Path) -> StateReport {
    program.save_state(path).unwrap_or_else(|error| panic!("{error}"))
}

fn restore(program: &Program, path: &Path) -> StateReport {
    program.load_state(path).unwrap_or_else(|error| panic!("{error}\n{}", fs::read_to_string(path).unwrap_or_default()))
}

fn leaks_nothing(program: &Program) {
    let report = program.heap_check().expect("nothing runs");
    assert!(report.is_empty(), "leaked {report}");
}

/// `fill()` in one program, `check()` (0 is right) in another with the values loaded; and once more over its own.
fn carries(text: &str) -> StateReport {
    let (_folder, path) = place();
    let mut told = StateReport::default();
    for static_mode in [false, true] {
        let (first, second) = (load_as(text, static_mode), load_as(text, static_mode));
        call(&first, "fill");
        assert_eq!(call(&first, "check"), 0, "before it is saved");
        told = save(&first, &path);
        let written = fs::read_to_string(&path).expect("a file");
        for program in [&second, &second, &first] {
            restore(program, &path);
            assert_eq!(call(program, "check"), 0, "static: {static_mode}\n{written}");
        }
        save(&second, &path);
        assert_eq!(fs::read_to_string(&path).expect("a file"), written);
        leaks_nothing(&first);
        leaks_nothing(&second);
    }
    told
}

#[test]
fn numbers_and_texts() {
    let told = carries(
        r#"
G a: i8
G b: u64
G c: i128
G d: u128
G e: f64
G f: f32
G g: bool
G h: str
G i: f64
G j: f64
G k: f64
G l: (i64, str, f32)
G m: [u16; 3]
G n: str
F fill() -> i64 {
    a = -128
    b = 18446744073709551615
    c = 0 - 170141183460469231731687303715884105727
    d = 340282366920938463463374607431768211455
    e = 0.1 + 0.2
    f = 0.1
    g = true
    h = "a \"quoted\" \\ line\n\u{1f600}\0{a}"
    i = 0.0 / 0.0
    j = -1.0 / 0.0
    k = -0.0
    l = (9007199254740993, "x", 1.5)
    m = [1, 2, 65535]
    0
}
F check() -> i64 {
    I a != -128 { R 1 }
    I b != 18446744073709551615 { R 2 }
    I c != 0 - 170141183460469231731687303715884105727 { R 3 }
    I d != 340282366920938463463374607431768211455 { R 4 }
    I e != 0.1 + 0.2 { R 5 }
    tenth: f32 = 0.1
    I f != tenth { R 6 }
    I !g { R 7 }
    I h != "a \"quoted\" \\ line\n\u{1f600}\0{a}" { R 8 }
    I i == i { R 9 }
    I j != -1.0 / 0.0 { R 10 }
    I 1.0 / k != j { R 11 }
    I l.0 != 9007199254740993 || l.1 != "x" || l.2 != 1.5 { R 12 }
    I m[0] != 1 || m[2] != 65535 { R 13 }
    I n != "" { R 14 }
    0
}
"#,
    );
    assert_eq!((told.globals, told.objects, told.notices), (14, 0, Vec::new()));
}

#[test]
fn structs_enums_and_collections() {
    carries(
        r#"
S At { x: f64, y: f64 }
S Thing { at: At, name: str, tags: Vec<str>, mode: Mode }
E Mode { Idle, Run(i64, str), Hold { what: Option<Box<i64>> } }
G things: Vec<Thing>
G best: Option<Thing>
G found: Result<i64, str>
G by_name: HashMap<str, Vec<i64>>
G by_pair: HashMap<(i64, str), Mode>
G grid: [[Option<i64>; 2]; 2]
G nested: Box<Vec<Box<i64>>> = Box.new([])
G deep: HashMap<Vec<i64>, HashMap<str, bool>>
F fill() -> i64 {
    things.push(Thing { at: At { x: 1.0, y: 2.0 }, name: "a", tags: ["p", "q"], mode: Idle })
    things.push(Thing { at: At { x: 3.0, y: 4.0 }, name: "b", tags: [], mode: Run(5, "five") })
    things.push(Thing { at: At { x: 5.0, y: 6.0 }, name: "c", tags: ["r"], mode: Hold { what: Some(Box.new(9)) } })
    best = Some(things[2])
    found = Err("nothing")
    by_name.insert("z", [1, 2])
    by_name.insert("gone", [])
    by_name.insert("a", [3])
    by_name.remove("gone")
    by_pair.insert((1, "one"), Run(1, "r"))
    by_pair.insert((2, "two"), Idle)
    grid[1][0] = Some(7)
    nested.push(Box.new(11))
    inner: HashMap<str, bool> = HashMap.new()
    inner.insert("yes", true)
    deep.insert([1, 2, 3], inner)
    0
}
F check() -> i64 {
    I things.len() != 3 || things[0].tags[1] != "q" || things[1].at.y != 4.0 { R 1 }
    ran := M things[1].mode { Run(n, s) => n + s.len(), _ => 0 }
    I ran != 9 { R 2 }
    held := M things[2].mode { Hold { what } => *(what!), _ => 0 }
    I held != 9 { R 3 }
    I best!.name != "c" || best!.tags.len() != 1 { R 4 }
    told := M found { Ok(n) => "ok", Err(s) => s }
    I told != "nothing" { R 5 }
    keys := by_name.keys()
    I keys.len() != 2 || keys[0] != "z" || keys[1] != "a" { R 6 }
    I by_name.get("z")![1] != 2 { R 7 }
    one := M by_pair.get((1, "one"))! { Run(n, s) => n, _ => 0 }
    I one != 1 || by_pair.len() != 2 { R 8 }
    I grid[1][0]! != 7 { R 9 }
    I *nested[0] != 11 { R 10 }
    I !deep.get([1, 2, 3])!.get("yes")! { R 11 }
    0
}
"#,
    );
}

#[test]
fn shared_objects_and_pointers_stay_shared() {
    let told = carries(
        r#"
S Node { value: i64, next: *Node, parts: [i64; 4] }
G list: Vec<Node>
G alias: Vec<Node>
G first: *Node
G part: *i64
G score: i64
G to_score: *i64
G boxed: Box<i64> = Box.new(1)
G in_box: *i64
G window: [i64]
G row: [i64; 6]
G either: Option<i64>
G to_some: *i64
G bytes: *u8
F fill() -> i64 {
    list.push(Node { value: 1, next: 0 as *Node, parts: [1, 2, 3, 4] })
    list.push(Node { value: 2, next: 0 as *Node, parts: [5, 6, 7, 8] })
    list[0].next = &list[1]
    list[1].next = &list[0]
    alias = list
    first = &list[0]
    part = &list[1].parts[2]
    to_score = &score
    *boxed = 5
    in_box = &*boxed
    row = [1, 2, 3, 4, 5, 6]
    window = row[1..4]
    either = Some(4)
    M either { Some(_) => {}, None => {} }
    bytes = (&row[2]) as *u8
    0
}
F check() -> i64 {
    I first.next.next != first || first.next.value != 2 { R 1 }
    alias[0].value += 100
    same := list[0].value == first.value && first.value > 100
    alias[0].value -= 100
    I !same { R 2 }
    I *part != 7 { R 3 }
    *to_score = 33
    I score != 33 { R 4 }
    score = 0
    *in_box += 1
    grown := *boxed == 6
    *boxed = 5
    I !grown { R 5 }
    row[1] = 20
    seen := window.len() == 3 && window[0] == 20 && window[2] == 4
    row[1] = 2
    I !seen { R 6 }
    I *bytes != 3 { R 7 }
    0
}
"#,
    );
    assert_eq!(told.notices, Vec::<String>::new());
}

#[test]
fn functions_and_dyn_values_by_name() {
    carries(
        r#"
W Shape { F area(&self) -> f64  F twice(&self) -> f64 = @.area() * 2.0 }
S Square { side: f64 }
X Square: Shape { F area(&self) -> f64 = self.side * self.side }
S Named { name: str, sides: Vec<f64> }
X Named: Shape { F area(&self) -> f64 = self.sides[0] * self.sides[1] + (self.name.len() as f64) }
G op: fn(i64) -> i64
G small: fn(i64) -> i64
G none: Option<fn(i64) -> i64>
G shapes: Vec<&dyn Shape>
G outside: Square
G lent: Vec<&dyn Shape>
F double(x: i64) -> i64 = x * 2
F fill() -> i64 {
    op = double
    small = |x| x + 1
    shapes.push(Square { side: 2.0 })
    shapes.push(Named { name: "abc", sides: [2.0, 5.0] })
    outside.side = 3.0
    lent.push(&outside)
    0
}
F check() -> i64 {
    I op(4) != 8 || small(4) != 5 || none.is_some() { R 1 }
    I shapes[0].twice() != 8.0 || shapes[1].area() != 13.0 { R 2 }
    outside.side = 4.0
    area := lent[0].area()
    outside.side = 3.0
    I area != 16.0 { R 3 }
    0
}
"#,
    );
}

#[test]
fn circles_and_long_chains() {
    let text = r#"
S Link { value: i64, next: Option<Box<Link>> }
S Ring { others: Vec<Ring>, n: i64 }
G chain: Option<Box<Link>>
G ring: Vec<Ring>
F fill() -> i64 {
    L i: 0..100000 { chain = Some(Box.new(Link { value: i, next: chain })) }
    ring.push(Ring { others: ring, n: 5 })
    0
}
F check() -> i64 {
    (sum, at) := (0, chain)
    L {
        M at { Some(link) => { sum += link.value  at = link.next }, None => { B } }
    }
    I sum != 4999950000 { R 1 }
    ring[0].others[0].others[0].n - 5
}
F undo() -> i64 { ring.clear()  0 }
"#;
    let (_folder, path) = place();
    let (first, second) = (load(text), load(text));
    call(&first, "fill");
    let told = save(&first, &path);
    assert_eq!(told.objects, 100_001);
    restore(&second, &path);
    for program in [first, second] {
        assert_eq!(call(&program, "check"), 0);
        call(&program, "undo");
        leaks_nothing(&program);
    }
}

#[test]
fn what_cannot_be_saved_is_named() {
    let text = r#"
S Player { name: str, next: *i64 }
G player: Player
G more: Vec<Player>
G op: fn(i64) -> i64
G entry: *i64
G map: HashMap<str, i64>
F twice(x: i64) -> i64 = x * 2
F fill() -> i64 {
    player = Player { name: "p", next: malloc(8) as *i64 }
    L i: 0..50 { more.push(Player { name: "m", next: malloc(8) as *i64 }) }
    k := 3
    op = |x| x + k
    map.insert("a", 1)
    0
}
F before() -> i64 { op = twice  player.next = &map_size  0 }
G map_size: i64 = 4
F check() -> i64 = op(5) + *player.next
"#;
    let (_folder, path) = place();
    let (first, second) = (load(text), load(text));
    call(&first, "fill");
    let told = save(&first, &path);
    assert_eq!(
        told.notices,
        [
            "`player.next` points to memory that vaisjit does not know",
            "`op` holds a closure that has captured variables",
            "`more[0].next` points to memory that vaisjit does not know, and so do 49 more like it",
        ]
    );
    call(&second, "before");
    let told = restore(&second, &path);
    assert_eq!(call(&second, "check"), 14, "what was not saved keeps its value");
    assert!(told.notices[0].starts_with("`player.next` keeps its value: it was not saved"), "{:?}", told.notices);
    assert!(told.notices.iter().any(|notice| notice.starts_with("`more[0].next` takes its default")));
}

#[test]
fn an_edited_program_takes_what_it_can() {
    let before = r#"
S Enemy { hp: i64, speed: f64, name: str, gone: i64, kind: Kind, size: i64 }
E Kind { Orc, Elf(i64), Troll }
G enemies: Vec<Enemy>
G score: i64 = 300
G level: i64 = 7
G dropped: i64 = 1
G text: str = "old"
G row: [i64; 4]
G last: Kind = Troll
F fill() -> i64 {
    enemies.push(Enemy { hp: 70000, speed: 2.75, name: "a", gone: 1, kind: Elf(4), size: 5 })
    enemies.push(Enemy { hp: -5, speed: -1.5, name: "b", gone: 1, kind: Troll, size: 6 })
    row = [1, 2, 3, 4]
    last = Orc
    0
}
"#;
    let after = r#"
S Enemy { name: str, speed: i64, hp: u16, shield: i64 = 42, size: str = "big", bag: Vec<i64>, #[was("kind")] race: Kind }
E Kind { None, Elf(f64), #[was("Orc")] Goblin }
G enemies: Vec<Enemy>
G score: u8
#[was("level")]
G height: f64
G text: i64 = 99
G row: [i64; 2]
G fresh: i64 = 8
G last: Kind
F check() -> i64 {
    I enemies.len() != 2 || enemies[0].name != "a" || enemies[1].name != "b" { R 1 }
    I enemies[0].hp != 65535 || enemies[1].hp != 0 { R 2 }
    I enemies[0].speed != 2 || enemies[1].speed != -1 { R 3 }
    I enemies[0].shield != 42 || enemies[0].size != "big" { R 4 }
    enemies[0].bag.push(1)
    I enemies[0].bag.len() != 1 || enemies[1].bag.len() != 0 { R 5 }
    elf := M enemies[0].race { Elf(x) => x, _ => 0.0 }
    I elf != 4.0 { R 6 }
    none := M enemies[1].race { None => 1, _ => 0 }
    I none != 1 { R 7 }
    orc := M last { Goblin => 1, _ => 0 }
    I orc != 1 { R 9 }
    I score != 255 || height != 7.0 || text != 99 || fresh != 8 || row[1] != 2 { R 8 }
    0
}
"#;
    let (_folder, path) = place();
    let (first, second) = (load(before), load(after));
    call(&first, "fill");
    save(&first, &path);
    let told = restore(&second, &path);
    assert_eq!(call(&second, "check"), 0, "{:#?}", told.notices);
    assert_eq!(told.saturated, 3);
    let wanted = [
        "`Enemy` has no field `gone`: its values in the file are left out",
        "`enemies[0].size` takes its default: a number cannot become `str`, and so do 1 more like it",
        "`enemies[1].race` takes its default: `Kind` has no variant `Troll`",
        "`text` keeps its value: a text cannot become `i64`",
        "`row` has 2 elements: the 2 more of the file are left out",
        "the program has no global `dropped`: its value in the file is left out",
        "`fresh` is not in the file and keeps its value",
        "`score` takes the nearest number there is: that of the file is out of its range",
    ];
    for notice in wanted {
        assert!(told.notices.iter().any(|told| told == notice), "{notice}\n{:#?}", told.notices);
    }
    leaks_nothing(&second);
}

#[test]
fn a_payload_that_gets_names_or_loses_them_goes_by_its_places() {
    let positional = r#"
E Shape { Dot, Disc(i64, str), Bar(f64) }
G shapes: Vec<Shape>
F fill() -> i64 {
    shapes = [Disc(4, "round"), Bar(2.5), Dot]
    0
}
F check() -> i64 {
    disc := M shapes[0] { Disc(n, s) => n * 10 + s.len(), _ => 0 }
    bar := M shapes[1] { Bar(f) => (f * 2.0) as i64, _ => 0 }
    disc * 10 + bar
}
"#;
    let named = positional
        .replace("Disc(i64, str), Bar(f64)", "Disc { size: i64, name: str }, Bar { length: f64 }")
        .replace("[Disc(4, \"round\"), Bar(2.5), Dot]", "[Disc { size: 4, name: \"round\" }, Bar { length: 2.5 }, Dot]")
        .replace("Disc(n, s) => n * 10 + s.len()", "Disc { size, name } => size * 10 + name.len()")
        .replace("Bar(f) => (f * 2.0)", "Bar { length } => (length * 2.0)");
    for (before, after) in [(positional, &*named), (&*named, positional)] {
        let (_folder, path) = place();
        let (first, second) = (load(before), load(after));
        call(&first, "fill");
        save(&first, &path);
        let told = restore(&second, &path);
        assert_eq!((call(&first, "check"), call(&second, "check")), (455, 455), "{:#?}", told.notices);
        leaks_nothing(&second);
    }
}

const VICTIM: &str = r#"
S Cell { n: i64, name: str, next: *Cell }
E Kind { Plain, Some2(Vec<i64>) }
G number: i64 = 1
G cells: Vec<Cell>
G map: HashMap<str, i64>
G keyed: HashMap<Vec<i64>, Box<i64>>
G kind: Kind
G many: Vec<[i64; 100000]>
F fill() -> i64 {
    number = 5
    cells.push(Cell { n: 1, name: "one", next: 0 as *Cell })
    cells.push(Cell { n: 2, name: "two", next: &cells[0] })
    map.insert("a", 1)
    map.insert("b", 2)
    keyed.insert([1, 2], Box.new(3))
    kind = Some2([4, 5])
    0
}
F check() -> i64 {
    I number != 5 || cells.len() != 2 || cells[1].next.name != "one" || map.len() != 2 { R 1 }
    I *keyed.get([1, 2])! != 3 || many.len() != 0 { R 2 }
    0
}
"#;

/// A file that lacks what has no default is refused, and so is one whose missing values cannot be computed.
#[test]
fn nothing_is_null_or_half_made_after_loading() {
    let (_folder, path) = place();
    let old = load("S T { a: i64 }\nG list: Vec<T>\nF fill() -> i64 { L i: 0..5 { list.push(T { a: i }) }  0 }\n");
    call(&old, "fill");
    save(&old, &path);
    let rest =
        "G list: Vec<T>\nG calls: i64 = 0\nF go(x: i64) -> i64 { x }\nF len() -> i64 = list.len() * 100 + calls\n";
    let refused = [
        (
            "S T { a: i64, b: Box<i64> }",
            "`T.b` would have to start with a value of type `Box<i64>`, which has none; declare one: `b: Box<i64> = ...`, or make it an `Option<Box<i64>>`",
        ),
        ("S T { a: i64, f: fn(i64) -> i64 }", "`f: fn(i64) -> i64 = ...`"),
        ("E K { A(Box<i64>) }\nS T { a: i64, k: K }", "value of type `Box<i64>`"),
        (
            "F bad() -> i64 { I calls == 3 { panic(\"no\") }  calls += 1  calls }\nS T { a: i64, t: str = \"x{bad()}\", b: i64 = bad() }",
            "computing the default of `T.",
        ),
        ("F bad() -> i64 { L true { }  1 }\nS T { a: i64, b: i64 = bad() }", "did not end within 2 s"),
    ];
    for (types, why) in refused {
        let program = load(&format!("{types}\n{rest}"));
        let error = program.load_state(&path).expect_err("it is refused").to_string();
        assert!(error.contains(why), "{error}");
        assert!(call(&program, "len") < 100, "{types}");
        leaks_nothing(&program);
    }
    let text =
        "F next() -> i64 { calls += 1  calls }\nS T { a: i64, t: str = \"t{next()}\", b: Vec<str> = [\"u{next()}\"] }";
    for static_mode in [false, true] {
        let program = load_as(
            &format!(
                "{text}\n{rest}F at(i: i64) -> i64 {{ list[i].t.len() * 10 + list[i].b[0].len() }}\nF each() -> i64 {{ t := mut 0\nL i: 0..5 {{ t += at(i) }}\nt }}\n"
            ),
            static_mode,
        );
        restore(&program, &path);
        assert_eq!(call(&program, "each"), 111, "each value has a default of its own");
        restore(&program, &path);
        leaks_nothing(&program);
    }
}

#[test]
fn a_hostile_file_changes_nothing() {
    let (_folder, path) = place();
    let program = load(VICTIM);
    call(&program, "fill");
    save(&program, &path);
    let head = r#"{"vaisjit": "state", "format": 1, "#;
    let globals = |text: &str| {
        format!(r#"{head}"globals": {{"number": {{"type": "i64", "value": 9}}, {text}}}, "objects": []}}"#)
    };
    let objects = |ty: &str, name: &str, text: &str| {
        format!(
            r#"{head}"globals": {{"number": {{"type": "i64", "value": 9}}, "{name}": {{"type": "{ty}", "value": {{"object": 0}}}}}}, "objects": [{{"type": "{ty}", "value": {text}}}]}}"#
        )
    };
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(1_000_000), close.repeat(1_000_000));
    let many = format!("[{}]", vec!["[]"; 20_000].join(","));
    let wrong = [
        String::new(),
        "null".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        r#"{"vaisjit": "state"}"#.to_owned(),
        r#"{"vaisjit": "state", "format": 2, "globals": {}, "objects": []}"#.to_owned(),
        r#"{"vaisjit": "state", "format": 1, "globals": [], "objects": []}"#.to_owned(),
        r#"{"vaisjit": "state", "format": 1, "globals": {}, "objects": {}}"#.to_owned(),
        r#"{"vaisjit": "state", "format": 1, "format": 1, "globals": {}, "objects": []}"#.to_owned(),
        format!(r#"{head}"globals": {{}}, "objects": [], "more": 1}}"#),
        "[".repeat(1_000_000),
        deep("[", "]"),
        deep("{\"a\":", "}"),
        globals(r#""number": {"type": "i64", "value": 1}"#),
        globals(r#""cells": {"type": "Vec<Cell>", "value": {"object": 0}}"#),
        globals(r#""cells": {"type": "Vec<Cell>", "value": {"object": -1}}"#),
        globals(r#""cells": {"type": "Vec<Cell>", "value": {"object": 99999999999999999999999}}"#),
        globals(r#""cells": {"value": 1}"#),
        globals(r#""kind": {"type": "Kind", "value": 1e999}"#).replace("\"value\": 9", "\"value\": 1e999"),
        globals(&format!(r#""kind": {{"type": "Kind", "value": {}}}"#, deep("{\"Some2\":", "}"))) + "x",
        objects("Vec<Cell>", "cells", "5"),
        objects("Vec<Cell>", "cells", r#"[{"n": 1, "n": 2}]"#),
        objects("Vec<Cell>", "cells", r#"[{"next": {"to": 7, "at": ""}}]"#),
        objects("Vec<Cell>", "cells", r#"[{"name": {"bytes": "0"}}]"#),
        objects("HashMap<str, i64>", "map", r#"[["a", 1], ["a", 2]]"#),
        objects("HashMap<str, i64>", "map", r#"[["a"]]"#),
        objects("HashMap<str, i64>", "map", r#"{"a": 1}"#),
        objects("Vec<[i64; 100000]>", "many", &many),
    ];
    for text in &wrong {
        fs::write(&path, text).expect("written");
        let start: String = text.chars().take(200).collect();
        let error = program.load_state(&path).expect_err(&start);
        assert!(!error.to_string().is_empty());
        assert_eq!(call(&program, "check"), 0, "{start}");
    }
    fs::write(&path, [0xff, 0xfe]).expect("written");
    assert!(program.load_state(&path).is_err());
    assert!(program.load_state(path.with_file_name("none.json")).is_err());
    assert!(program.load_state(path.parent().expect("a folder")).is_err());
    assert_eq!(call(&program, "check"), 0);
    leaks_nothing(&program);
}

#[test]
fn strange_values_are_named_and_take_defaults() {
    let (_folder, path) = place();
    let program = load(VICTIM);
    call(&program, "fill");
    let text = r#"{"vaisjit": "state", "format": 1, "globals": {
"number": {"type": "?", "value": [[[]]]},
"cells": {"type": "Vec<Cell>", "value": {"object": 0}},
"keyed": {"type": "x", "value": {"object": 1}},
"kind": {"type": "Kind", "value": {"Some2": [{"object": 0}]}}
}, "objects": [
{"type": "Vec<Cell>", "value": [7, {}, {"next": {"to": "cells", "at": "[0]"}}, {"next": {"to": 0, "at": "[99999999999999999999]"}}, {"next": {"to": 0, "at": "[1].n"}}, {"next": {"to": 0, "at": "[1]"}}]},
{"type": "Vec<i64>", "value": []}]}"#;
    fs::write(&path, text).expect("written");
    let told = restore(&program, &path);
    for part in ["`number` keeps its value", "`cells[0]` takes its default", "`keyed` keeps its value", "becomes null"]
    {
        assert!(told.notices.iter().any(|notice| notice.contains(part)), "{part}: {:#?}", told.notices);
    }
    leaks_nothing(&program);
}

#[test]
fn damage_anywhere_never_ends_the_program() {
    let mut random = random::Random::any();
    let (_folder, path) = place();
    let program = load(VICTIM);
    call(&program, "fill");
    save(&program, &path);
    let good = fs::read(&path).expect("a file");
    for _ in 0..400 {
        let mut bytes = good.clone();
        for _ in 0..=random.below(3) {
            let at = random.below(bytes.len());
            match random.below(4) {
                0 => bytes.truncate(at.max(1)),
                1 => bytes[at] = b"0123456789{}[]\",:-e."[random.below(20)],
                2 => drop(bytes.remove(at)),
                _ => bytes.insert(at, b"0{}[]\",:9"[random.below(9)]),
            }
            if bytes.is_empty() {
                break;
            }
        }
        fs::write(&path, &bytes).expect("written");
        if program.load_state(&path).is_ok() {
            fs::write(&path, &good).expect("written");
            restore(&program, &path);
        }
        assert_eq!(call(&program, "check"), 0, "{}", String::from_utf8_lossy(&bytes));
    }
    leaks_nothing(&program);
}

#[test]
fn random_values_come_back_as_they_were() {
    let mut random = random::Random::any();
    let (_folder, path) = place();
    for round in 0..25 {
        let text = random::program(&mut random);
        let (first, second) = (load(&text), load(&text));
        call(&first, "fill");
        let told = save(&first, &path);
        assert_eq!(told.notices, Vec::<String>::new(), "round {round}\n{text}");
        let written = fs::read_to_string(&path).expect("a file");
        let told = restore(&second, &path);
        assert_eq!(told.notices, Vec::<String>::new(), "round {round}\n{text}");
        save(&second, &path);
        let again = fs::read_to_string(&path).expect("a file");
        assert_eq!(again, written, "round {round}\n{text}");
        leaks_nothing(&first);
        leaks_nothing(&second);
    }
}

#[test]
fn a_reload_and_other_threads_do_not_disturb() {
    let text = r#"
U std/thread
G list: Vec<i64>
G turns: i64
G stop: bool
F work() -> i64 {
    L !stop {
        turns += 1
        list.push(turns)
        I list.len() > 1000 { list.clear() }
    }
    turns
}
F start() -> i64 { spawn(work)  0 }
F end() -> i64 { stop = true  0 }
F seen() -> i64 = turns
"#;
    let (_folder, path) = place();
    let program = load(text);
    call(&program, "start");
    for _ in 0..20 {
        save(&program, &path);
        restore(&program, &path);
    }
    assert!(call(&program, "seen") >= 0);
    call(&program, "end");
}
