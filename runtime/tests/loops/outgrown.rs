//! What a running loop holds outgrows its room in the save that changes the loop.

use super::harness::{Edits, goes_on, program, saved_meanwhile};

/// A version: its types, what comes before its loop, a turn of that, and the result. The loop takes three turns in the
/// last version.
struct Version {
    types: String,
    start: &'static str,
    turn: &'static str,
    result: &'static str,
}

impl Version {
    fn text(&self, last: usize) -> String {
        let Version { types, start, turn, result } = self;
        format!(
            "{types}
F run() -> i64 {{
    {start}
    turns := mut 0
    asked := mut 0
    L turns < 3 {{
        {turn}
        I hot_version() > asked {{
            asked = hot_version()
            I asked < {last} {{ save() }}
        }}
        I hot_version() == {last} {{ turns += 1 }}
    }}
    {result}
}}
"
        )
    }
}

fn play(versions: &[Version]) -> (i64, Vec<String>) {
    let texts: Vec<String> = versions.iter().map(|version| version.text(versions.len())).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    saved_meanwhile(&texts)
}

#[test]
fn a_struct_on_the_stack_of_the_loop() {
    const START: &str = "b := mut Big { a: 1, name: \"x\" + \"y\" }
    other := mut [Big { a: 5, name: \"o\" }; 3]";
    let version = |fields: &str, turn, result| Version {
        types: format!("S Big {{ {fields}, name: str }}\nF look(b: *Big) -> i64 {{ b.a += 0\n R 0 }}\n"),
        start: START,
        turn,
        result,
    };
    let (result, told) = play(&[
        version("a: i64", "b.a += 0\n        look(&other[1])\n        look(&b)", "b.a"),
        version(
            "a: i64, p: i64 = 2, q: i64 = 3, r: i64 = 4, s: str = \"four\", t: [i64; 9] = [7; 9]",
            "b.q += 1\n        other[1].a += 10\n        look(&b)",
            "b.a + b.q * 10 + b.t[8] * 100 + b.s.len() * 1000 + b.name.len() * 10000 + other[1].a * 100000 \
             + other[2].r * 100000000",
        ),
    ]);
    assert_eq!(result, 1 + (3 + 3) * 10 + 700 + 4000 + 20000 + 35 * 100000 + 400000000, "{told:#?}");
}

#[test]
fn a_box_and_pointers_in_the_locals_of_the_loop() {
    const START: &str = "list := mut Box.new(Node { v: 1, next: Some(Box.new(Node { v: 2, next: None })) })
    at := &list.v
    big := mut Big { a: 5, n: 6 }
    seen = &big
    p := &big.n
    vec: Vec<Big> = [Big { a: 1, n: 2 }, Big { a: 3, n: 4 }]
    q := &vec[1]
    kept = |x| x + big.a";
    let version = |node: &str, big: &str, turn, result| Version {
        types: format!(
            "S Node {{ v: i64, {node}next: Option<Box<Node>> }}
S Big {{ {big}a: i64, n: i64 }}
G seen: *Big
G kept: fn(i64) -> i64"
        ),
        start: START,
        turn,
        result,
    };
    let (result, told) = play(&[
        version("", "", "*at += 0\n        seen.a += 0\n        *p += 0\n        q.a += 0", "list.v"),
        version(
            "more: [i64; 12] = [1; 12], ",
            "z: [i64; 12] = [2; 12], ",
            "*at += 1\n        seen.a += 1\n        *p += 1\n        q.a += 1",
            "list.v + list.more[3] * 10 + big.a * 100 + big.n * 10000 + vec[1].a * 1000000 + kept(0) * 100000000 \
             + seen.z[2] * 10000000000",
        ),
    ]);
    assert_eq!(result, 4 + 10 + 800 + 90000 + 6000000 + 500000000 + 20000000000, "{told:#?}");
}

#[test]
fn what_points_at_a_local_follows_it() {
    let version = |turn, result| Version {
        types: "S Big { a: i64, n: i64 }\nG seen: *Big\n".to_owned(),
        start: "big := mut Big { a: 5, n: 6 }\n    seen = &big\n    p := &big.n",
        turn,
        result,
    };
    let (result, told) = play(&[
        version("seen.a += 0\n        *p += 0", "big.a"),
        version("seen.a += 1\n        *p += 1", "big.a * 10 + big.n"),
    ]);
    assert_eq!(result, 89, "{told:#?}");
}

#[test]
fn a_box_that_a_waiting_function_points_into_stays() {
    let text = "
S Node { v: i64 }
F look(n: &Node) -> i64 = n.v
F run() -> i64 {
    n := Box.new(Node { v: 5 })
    p := &n.v
    next_text()
    hot_reload()
    look(&*n) + *p - 5
}
";
    let played = program(text, &[&[("v: i64", "v: i64, more: [i64; 20] = [0; 20]"), ("= n.v", "= n.v + n.more[3]")]]);
    assert_eq!(played.call("run"), 5);
    let told = played.told();
    assert!(told[0].contains("a `Node` on the heap has 24 bytes and would need"), "{told:?}");
    assert!(told[0].contains("the running `run` holds its address while it waits"), "{told:?}");
    played.assert_no_leaks();
}

/// What callers keep in registers, which a function further in has saved, follows a box that moves.
#[test]
fn a_box_moves_while_its_owner_waits_in_a_call() {
    let uses = [
        ("g := Box.new(Game { hp: 5 })", "g.play()", "g.hp"),
        ("g := Box.new(Game { hp: 5 })", "go(g)", "g.hp"),
        ("g := Box.new(Game { hp: 5 })  p := &*g", "p.play()", "g.hp + p.hp - g.hp"),
        ("g := Box.new(Game { hp: 5 })  h := g", "h.play()", "g.hp + h.hp - g.hp"),
        ("g := Box.new(Game { hp: 5 })  other := Box.new(Game { hp: 7 })", "g.play() + other.hp - 7", "g.hp"),
        ("w := Wrap { g: Box.new(Game { hp: 5 }) }", "w.g.play()", "w.g.hp"),
        ("t := (Box.new(Game { hp: 5 }), 1)", "t.0.play()", "t.0.hp"),
        ("o: Option<Box<Game>> = Some(Box.new(Game { hp: 5 }))", "o!.play()", "o!.hp"),
        ("e := Has(Box.new(Game { hp: 5 }))", "e.go()", "e.hp()"),
        ("g := Box.new(Game { hp: 5 })  f := || { g.play() }", "f()", "g.hp"),
        ("g := Box.new(Box.new(Game { hp: 5 }))", "(**g).play()", "(**g).hp"),
        ("g: Box<dyn Plays> = Box.new(Game { hp: 5 })", "g.plays()", "g.left()"),
        ("kept = Box.new(Game { hp: 5 })  g := kept", "kept.play()", "g.hp"),
    ];
    for (start, call, left) in uses {
        let text = |fields: &str, turn: &str| {
            format!(
                "
S Game {{ hp: i64{fields} }}
S Wrap {{ g: Box<Game> }}
E Maybe {{ No, Has(Box<Game>) }}
W Plays {{ F plays(&mut self) -> i64  F left(&self) -> i64 }}
G kept: Box<Game> = Box.new(Game {{ hp: 0 }})
X Game: Plays {{ F plays(&mut self) -> i64 {{ self.play() }}  F left(&self) -> i64 {{ self.hp }} }}
X Maybe {{
    F go(&self) -> i64 {{ M self {{ Has(g) => g.play(), No => 0 }} }}
    F hp(&self) -> i64 {{ M self {{ Has(g) => g.hp, No => 0 }} }}
}}
X Game {{
    F play(&mut self) -> i64 {{
        L self.hp < 40 {{
            {turn}
            I self.hp == 10 {{ save() }}
        }}
        self.hp
    }}
}}
F go(g: Box<Game>) -> i64 = g.play()
F run() -> i64 {{
    {start}
    r := {call}
    r * 1000 + {left}
}}
"
            )
        };
        let grown = text(", more: [i64; 20] = [3; 20]", "self.hp += self.more[19] - 2");
        let (result, told) = saved_meanwhile(&[&text("", "I self.hp < 20 { self.hp += 1 }"), &grown]);
        assert_eq!(result, 40040, "{start}  {call}: {told:#?}");
        assert!(told.iter().any(|line| line.contains("at the next loop head")), "{start}  {call}: {told:#?}");
    }
}

/// Nothing in `run` is a pointer, but its callee, in a call of the host's, holds the address of what moves.
#[test]
fn a_local_whose_address_is_passed_on_moves_when_its_loop_comes_round() {
    let text = |fields: &str, last: &str, result: &str| {
        format!(
            "S Item {{ x: i64, n: i64{fields} }}
F add(items: *[Item; 2]) -> i64 {{
    usleep(300)
    items[0].x += 1
    0
}}
F run() -> i64 {{
    items := [Item {{ x: 0, n: 3 }}, Item {{ x: 0, n: 4 }}]
    all := mut 0
    turns := mut 0
    asked := mut 0
    L turns < 3 {{
        all += 1
        items[1].x += 1
        add(&items)
        items[1].x += 1
        I asked == 0 {{ asked = save() }}
        {last}
    }}
    (items[0].x - all) * 1000 + (items[1].x - all * 2) * 100 + items[1].n{result}
}}
"
        )
    };
    let first = text("", "", "");
    let second = text(", more: [i64; 30] = [7; 30], a: i64 = 5", "turns += 1", " + items[1].a * 10");
    let (result, told) = saved_meanwhile(&[&first, &second]);
    assert_eq!(result, 54, "{told:#?}");
}

/// Code that stays old would read, and write, a field whose value has become another one.
#[test]
fn what_a_loop_still_does_with_a_retyped_field_is_done_before() {
    let text = |ty: &str, one: &str, last: &str, cast: &str| {
        format!(
            "S P {{ hp: {ty}, n: i64 }}
G p: P
F step() -> i64 {{
    usleep(300)
    p.n += 1
    0
}}
F run() -> i64 {{
    p.hp = {one}
    turns := mut 0
    asked := mut 0
    L turns < 3 {{
        step()
        p.hp = p.hp + {one}
        I asked == 0 {{ asked = save() }}
        {last}
    }}
    p.hp{cast} - p.n
}}
"
        )
    };
    let first = text("i64", "1", "", "");
    let second = text("f64", "1.0", "turns += 1", " as i64");
    let (result, told) = saved_meanwhile(&[&first, &second]);
    assert_eq!(result, 1, "{told:#?}");
}

/// The empty list is made of an array without elements, which lies where the struct does.
#[test]
fn a_struct_that_lies_where_something_without_bytes_does() {
    let version = |fields: &str, turn, result| Version {
        types: format!("S Big {{ {fields}, name: str }}\n"),
        start: "list: Vec<Big> = []\n    b := Big { a: 1, name: \"x\" + \"y\" }\n    p := &b",
        turn,
        result,
    };
    let (result, told) = play(&[
        version("a: i64", "p.a += 0", "b.a"),
        version("a: i64, t: [i64; 9] = [7; 9]", "p.a += 10", "b.a + b.t[8] * 100 + b.name.len() * 1000 + list.len()"),
    ]);
    assert_eq!(result, 31 + 700 + 2000, "{told:#?}");
}

/// A local of the same size as before that has to lie at a multiple of 16 now: it is brought to one, wherever it lay.
#[test]
fn a_local_whose_type_gets_a_larger_alignment() {
    let text = "
E Wide { Plain { flag: bool, pair: (i64, f64) }, Thin { small: i16 } }
F plain(n: i64) -> Wide { Plain { flag: true, pair: (n, 0.5) } }
F of(wide: *Wide) -> i64 { M *wide { Plain { pair, .. } => pair.0, Thin { small, .. } => small as i64 } }
F waits(n: i64) -> i64 {
    first: [i64; 2] = [n, n]
    even := plain(n)
    sum := first[n % 2] + of(&even)
    sum += run()
    sum + of(&even)
}
F run() -> i64 {
    row: [i64; 3] = [1, 2, 3]
    one := plain(10)
    two := plain(20)
    other: [i64; 3] = [4, 5, 6]
    three := plain(30)
    list := [plain(40), plain(50)]
    n := 0
    L n < 10 {
        n += 1
        I n == 3 {
            next_text()
            hot_reload()
        }
    }
    of(&one) + of(&two) + of(&three) + of(&list[1]) + row[n % 3] + other[n % 3] + n * 1000
}
";
    let edits: Edits<'_> = &[&[
        ("Thin { small: i16 }", "Thin { small: i16, number: i128 }"),
        (
            "        n += 1\n",
            "        n += 1\n        two = Thin { small: n as i16, number: 170141183460469231731687303715884105727 }\n",
        ),
    ]];
    assert_eq!(goes_on(text, edits), 10 + 10 + 30 + 50 + 2 + 5 + 10_000);
    let played = program(text, edits);
    let waits = played.program.function::<(i64,), i64>("waits").expect("the function");
    assert_eq!(waits.call((1,)).expect("no trap"), 1 + 1 + 10_107 + 1, "{:?}", played.told());
    assert_eq!(played.program.version(), 2, "{:?}", played.told());
}

/// The loop that has to come round stands inside one that does not, and calls what waits: the save comes to it there.
#[test]
fn a_value_of_a_loop_between_others() {
    let plays = [
        // By value, in a function that loops itself.
        ("F level(n: i64, at: Pt) -> Pt { L i: 0..3 { at.x += 1  sleep_ms(1) }  at }", "p = level(n, p)"),
        // Behind an address, which the code keeps in a register of its own.
        ("F update(at: *Pt) { at.x += 1 }\nF level(at: *Pt) { at.x += 2  sleep_ms(2) }", "update(&p)  level(&p)"),
    ];
    for (functions, step) in plays {
        let text = |field: &str, value: &str, most: i64| {
            format!(
                "
U std/thread
S Pt {{ x: i64, y: i64{field} }}
{functions}
F play() -> i64 {{
    p := Pt {{ x: 0, y: 5{value} }}
    n := 0
    L n < {most} {{
        {step}
        n += 1
        I n == 2 {{ save() }}
    }}
    p.x - n * 3 + p.y
}}
F run() -> i64 {{
    sum := 0
    L sum == 0 {{ sum += play() }}
    sum
}}
"
            )
        };
        let (result, told) = saved_meanwhile(&[&text("", "", 3000), &text(", w: [i64; 12]", ", w: [7; 12]", 0)]);
        assert_eq!(result, 5, "{told:#?}");
        assert!(told.iter().any(|line| line == "play at the next loop head"), "{told:#?}");
    }
}
