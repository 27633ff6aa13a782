//! Types that outgrow their room again and again: lists, trees of boxes, rows of rows, maps of boxes, closures, pointers.

use std::sync::Arc;

use vaisjit::{Engine, MemoryLoader, Program};

/// A program whose types have so many more fields.
fn text(fields: i64) -> String {
    let numbers: String = (0..fields).map(|n| format!(", f{n}: i64 = {n}")).collect();
    let texts: String = (0..fields).map(|n| format!(", g{n}: str = \"s{n}\"")).collect();
    let node: String = (0..fields).map(|n| format!(" + n.f{n}")).collect();
    let item: String = (0..fields).map(|n| format!(" + e.g{n}.len()")).collect();
    format!(
        r#"
S Node {{ v: i64, next: Option<Box<Node>>{numbers} }}
S Item {{ k: i64, name: str{texts} }}
G head: Option<Box<Node>>
G shared: Vec<Option<Box<Node>>>
G grid: Vec<Vec<Item>>
G by: HashMap<str, Box<Item>>
G first: *Item
G act: fn(i64) -> i64
F make(i: i64) -> Item {{ Item {{ k: i, name: "n{{i}}" }} }}
F set() -> i64 {{
    L i: 0..10 {{
        head = Some(Box.new(Node {{ v: i, next: head }}))
        row: Vec<Item> = []
        L j: 0..i {{ row.push(make(j)) }}
        grid.push(row)
        by["k{{i}}"] = Box.new(make(i))
    }}
    shared = [head, head, None]
    first = &grid[9][3]
    c := make(77)
    act = |x| x + c.k + c.name.len()
    0
}}
F one(n: Option<Box<Node>>) -> i64 {{ M n {{ Some(n) => n.v{node} + one(n.next), None => 0 }} }}
F item(e: *Item) -> i64 {{ e.k + e.name.len(){item} }}
F sum() -> i64 {{
    t := mut one(head) + one(shared[1]) + item(first) + act(1)
    L row: grid {{ L i: 0..row.len() {{ t += item(&row[i]) }} }}
    L i: 0..10 {{ t += item(&*by["k{{i}}"]) }}
    t
}}
"#
    )
}

/// What `sum` has to give.
fn expected(fields: i64) -> i64 {
    let nodes = 45 + 10 * (0..fields).sum::<i64>();
    let item = |k: i64| k + 2 + (0..fields).map(|n| format!("s{n}").len() as i64).sum::<i64>();
    let rows: i64 = (0..10).flat_map(|row| (0..row).map(item)).sum();
    2 * nodes + item(3) + 1 + 77 + 3 + rows + (0..10).map(item).sum::<i64>()
}

fn call(program: &Program, name: &str) -> i64 {
    program.function::<(), i64>(name).expect("the function").call(()).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn twenty_saves_that_each_add_a_field_one_without_them_and_back() {
    let files = MemoryLoader::default();
    files.set("main.vais", text(0));
    let engine = Engine::builder().build().expect("an engine");
    let program = engine.load_with("main.vais", Arc::new(files.clone())).unwrap_or_else(|error| panic!("{error}"));
    call(&program, "set");
    assert_eq!(call(&program, "sum"), expected(0));
    for fields in (1..=20).chain([0]) {
        files.set("main.vais", text(fields));
        program.poll().unwrap_or_else(|error| panic!("{fields} fields: {error:?}"));
        assert_eq!(call(&program, "sum"), expected(fields), "{fields} fields");
    }
    for (version, fields) in [(11, 10), (7, 6), (21, 20)] {
        program.rollback(version).unwrap_or_else(|error| panic!("back to {version}: {error:?}"));
        assert_eq!(call(&program, "sum"), expected(fields), "back to {version}");
    }
    let left = program.heap_check().expect("the heap is sound");
    assert!(left.is_empty(), "left: {:?}", left.values);
}
