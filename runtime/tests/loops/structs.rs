//! Structs held by a running loop change together with it.

use super::harness::{LOCAL, program, run, saved_meanwhile};

const STATE: &str = "
S State { frame: i64, x: i64 }
F step(s: *State) -> i64 {
    s.frame += 1
    s.x += 2
    I s.frame == 3 {
        next_text()
        hot_reload()
    }
    0
}
F run() -> i64 {
    state := State { frame: 0, x: 0 }
    L state.frame < 10 { step(&state) }
    state.frame * 1000 + state.x
}
";

#[test]
fn a_field_added_to_a_struct_behind_an_address() {
    let edits: &[(&str, &str)] = &[
        ("x: i64 }", "x: i64, z: i64 = 5 }"),
        ("    s.x += 2\n", "    s.x += 2\n    s.z += 1\n"),
        ("state.frame * 1000 + state.x", "state.frame * 1000 + state.x + state.z * 100000"),
    ];
    let (result, told) = run(STATE, &[edits]);
    assert_eq!(result, 10020 + (5 + 7) * 100000, "{told:?}");
    assert!(told.contains(&"run at the next loop head".to_owned()), "{told:?}");
}

#[test]
fn a_field_added_to_a_struct_in_registers() {
    let edits: &[(&str, &str)] = &[
        ("x: i64 }", "x: i64, z: i64 = 5 }"),
        ("        state.x += 2\n", "        state.x += 2\n        state.z += 1\n"),
        ("state.frame * 1000 + state.x", "state.frame * 1000 + state.x + state.z * 100000"),
    ];
    let (result, told) = run(LOCAL, &[edits]);
    assert_eq!(result, 10020 + (5 + 7) * 100000, "{told:?}");
}

#[test]
fn a_field_retyped_and_one_removed() {
    let text = LOCAL.replace("x: i64 }", "x: i64, gone: i64 }").replace("x: 0 }", "x: 0, gone: 7 }");
    let edits: &[(&str, &str)] = &[
        ("x: i64, gone: i64 }", "x: f64 }"),
        ("x: 0, gone: 7 }", "x: 0.0 }"),
        ("state.x += 2\n", "state.x += 0.5\n"),
        ("1000 + state.x", "1000 + state.x as i64"),
    ];
    let (result, told) = run(&text, &[edits]);
    assert_eq!(result, 10000 + 6 + 3, "{told:?}");
}

#[test]
fn a_text_added_to_a_struct_that_a_loop_holds() {
    let edits: &[(&str, &str)] = &[
        ("x: i64 }", "x: i64, name: str = \"new\" }"),
        ("        state.x += 2\n", "        state.x += 2\n        state.name = \"text {state.x}\"\n"),
        ("state.frame * 1000 + state.x", "state.frame * 1000 + state.name.len()"),
    ];
    let (result, told) = run(LOCAL, &[edits]);
    assert_eq!(result, 10007, "{told:?}");
}

#[test]
fn a_struct_in_a_vec_that_a_loop_holds() {
    let text = "
S Unit { size: i64, name: str }
F run() -> i64 {
    units := Vec.new()
    n := 0
    L n < 6 {
        n += 1
        units.push(Unit { size: n, name: \"unit {n}\" })
        I n == 3 {
            next_text()
            hot_reload()
        }
    }
    sum := 0
    L u: units { sum += u.size + u.name.len() * 100 }
    sum
}
";
    let edits: &[(&str, &str)] = &[
        ("size: i64, name", "size: i64, weight: i64 = 50, name"),
        ("Unit { size: n, name", "Unit { size: n, weight: 7, name"),
        ("u.size + u", "u.size + u.weight * 10000 + u"),
    ];
    let played = program(text, &[edits]);
    assert_eq!(played.call("run"), 21 + 3600 + (150 + 21) * 10000, "{:?}", played.told());
    played.assert_no_leaks();
}

#[test]
fn an_enum_that_a_loop_holds() {
    let text = "
E Mode { Walk(i64), Run }
F run() -> i64 {
    mode := Walk(4)
    sum := 0
    n := 0
    L n < 6 {
        n += 1
        sum += M mode { Walk(by) => by, Run => 100 }
        I n == 3 {
            next_text()
            hot_reload()
        }
    }
    sum
}
";
    let edits: &[(&str, &str)] = &[
        ("E Mode { Walk(i64), Run }", "E Mode { Fly(i64, i64), Walk(i64), Run }"),
        ("M mode { Walk(by)", "M mode { Fly(a, b) => a + b, Walk(by)"),
        ("=> by, Run", "=> by * 10, Run"),
    ];
    let (result, told) = run(text, &[edits]);
    assert_eq!(result, 12 + 120, "{told:?}");
}

#[test]
fn a_collection_added_to_a_struct_in_registers() {
    let edits: &[(&str, &str)] = &[
        ("x: i64 }", "x: i64, list: [Vec<i64>; 2] }"),
        ("x: 0 }", "x: 0, list: [Vec.new(), Vec.new()] }"),
        ("        state.x += 2\n", "        state.x += 2\n        state.list[1].push(7)\n"),
        ("state.frame * 1000 + state.x", "state.frame * 1000 + state.x + state.list[1].len() * 100000"),
    ];
    let (result, told) = run(LOCAL, &[edits]);
    assert_eq!(result, 10020 + 7 * 100000, "{told:?}");
}

#[test]
fn a_field_of_a_struct_in_registers_that_cannot_be_converted() {
    let edits: &[(&str, &str)] = &[
        ("x: i64 }", "x: str = \"new\" }"),
        ("x: 0 }", "x: \"\" }"),
        ("        state.x += 2\n", "        state.x += \"+\"\n"),
        ("state.frame * 1000 + state.x", "state.frame * 1000 + state.x.len()"),
    ];
    let (result, told) = run(LOCAL, &[edits]);
    assert_eq!(result, 10000 + 3 + 7, "{told:?}");
}

#[test]
fn a_field_of_a_struct_in_registers_renamed_and_retyped() {
    let edits: &[(&str, &str)] = &[
        ("x: i64 }", "#[was(\"x\")] far: f64, y: i64 = 1 }"),
        ("x: 0 }", "far: 0.0 }"),
        ("        state.x += 2\n", "        state.far += 2.0\n"),
        ("state.frame * 1000 + state.x", "state.frame * 1000 + state.far as i64 + state.y * 100000"),
    ];
    let (result, told) = run(LOCAL, &[edits]);
    assert_eq!(result, 10020 + 100000, "{told:?}");
}

const NAMED: &str = "
S State { frame: i64, a: i64, b: i64 }
F run() -> i64 {
    state := State { frame: 0, a: 7, b: 20 }
    L state.frame < 10 {
        state.frame += 1
        state.a += 1
        I state.frame == 3 || state.frame == 6 {
            next_text()
            hot_reload()
        }
    }
    state.frame * 10000 + state.a * 100 + state.b
}
";

#[test]
fn a_declared_rename_of_a_field_in_registers_is_taken_back() {
    let there: &[(&str, &str)] = &[
        ("a: i64, b", "#[was(\"a\")] far: i64, b"),
        ("a: 7", "far: 7"),
        ("state.a += 1", "state.far += 1"),
        ("state.a *", "state.far *"),
    ];
    let back: &[(&str, &str)] = &[
        ("#[was(\"a\")] far: i64", "a: i64"),
        ("far: 7", "a: 7"),
        ("state.far += 1", "state.a += 1"),
        ("state.far *", "state.a *"),
    ];
    let (result, told) = run(NAMED, &[there, back]);
    assert_eq!(result, 100_000 + 1720, "{told:?}");
}

#[test]
fn fields_in_registers_change_their_names_with_each_other() {
    let swap: &[(&str, &str)] =
        &[("a: i64, b: i64", "#[was(\"b\")] a: i64, #[was(\"a\")] b: i64"), ("state.a += 1", "state.a += 2")];
    let (result, told) = run(NAMED, &[swap, &[("state.a += 2", "state.a += 3")]]);
    assert_eq!(result, 100_000 + (20 + 3 * 2 + 4 * 3) * 100 + 10, "{told:?}");
}

/// The copy that an assignment to a global is made by is in no use when the loop comes round: it gets no list of its own.
#[test]
fn a_collection_added_to_a_struct_that_is_copied_out() {
    let text = "
S State { frame: i64, name: str }
G shown: State
F run() -> i64 {
    state := State { frame: 0, name: \"a\" }
    L state.frame < 6 {
        shown = state
        state.frame += 1
        I state.frame == 3 {
            next_text()
            hot_reload()
        }
    }
    shown.frame * 1000 + shown.name.len()
}
";
    let edits: &[(&str, &str)] = &[
        ("S State {", "S State { list: Vec<i64>,"),
        ("State { frame: 0,", "State { list: Vec.new(), frame: 0,"),
        ("name.len()", "name.len() + shown.list.len() * 10"),
    ];
    let (result, told) = run(text, &[edits]);
    assert_eq!(result, 5001, "{told:?}");
}

/// Elements that outgrow their room move; a loop that only passes the map on need not be compiled again for it.
#[test]
fn elements_that_move_behind_a_map_that_a_loop_copies() {
    let text = "
S Entry { name: str }
S State { entries: HashMap<str, Entry> }
G shown: State
G turns: i64
F all(entries: HashMap<str, Entry>) -> i64 {
    I entries.contains_key(\"a\") { entries[\"a\"].name.len() } E { 0 }
}
F run() -> i64 {
    state := State { entries: HashMap.new() }
    state.entries.insert(\"a\", Entry { name: \"abc\" })
    sum := 0
    L turns < 6 {
        shown = state
        sum += all(state.entries)
        turns += 1
        I turns == 3 {
            next_text()
            hot_reload()
        }
    }
    sum
}
";
    let edits: &[(&str, &str)] = &[
        ("name: str }", "name: str, more: [str; 4], last: i64 = 9 }"),
        ("name: \"abc\"", "name: \"abc\", more: [\"\"; 4]"),
        ("name.len()", "name.len() * 1000 + entries[\"a\"].last"),
    ];
    let (result, told) = run(text, &[edits]);
    assert_eq!(result, 9 + 3 * 3009, "{told:?}");
}

/// What a removed field of a struct in registers held is there when the field comes back.
#[test]
fn a_field_of_a_struct_in_registers_is_removed_and_comes_back() {
    let text = "
S State { frame: i64, x: i64, y: f64 }
F run() -> i64 {
    state := State { frame: 0, x: 70, y: 2.5 }
    L state.frame < 10 {
        state.frame += 1
        I state.frame == 3 || state.frame == 6 {
            next_text()
            hot_reload()
        }
    }
    state.frame * 1000 + state.x
}
";
    let without: &[(&str, &str)] =
        &[("x: i64, y: f64", "y: f64"), ("x: 70, ", ""), ("+ state.x", "+ (state.y * 2.0) as i64")];
    let with: &[(&str, &str)] =
        &[("y: f64 }", "x: i64, y: f64 }"), ("0, y: 2.5", "0, x: 1, y: 2.5"), ("2.0) as i64", "2.0) as i64 + state.x")];
    let (result, told) = run(text, &[without, with]);
    assert_eq!(result, 10000 + 5 + 70, "{told:?}");
}

#[test]
fn an_argument_gets_lists_while_the_callee_loops() {
    let text = |fields: &str, values: &str, extra: &str| {
        format!(
            "S P {{ name: str, n: i64{fields} }}
F run() -> i64 {{
    one := P {{ name: \"o\" + \"ne\", n: 4{values} }}
    work(one) + one.name.len() * 100
}}
F work(p: P) -> i64 {{
    turns := mut 0
    asked := mut 0
    spins := mut 0
    L turns < 3 && spins < 1000000 {{
        spins += 1
        I hot_version() > asked {{
            asked = hot_version()
            I asked < 3 {{ save() }}
        }}
        I hot_version() == 3 {{ turns += 1 }}
    }}
    p.n + p.name.len(){extra}
}}
"
        )
    };
    let first = text("", "", "");
    let second = text(", list: Vec<i64>", ", list: Vec.new()", " + p.list.len()");
    let third = text(
        ", list: Vec<i64>, map: HashMap<str, i64>",
        ", list: Vec.new(), map: HashMap.new()",
        " + p.list.len() + p.map.len()",
    );
    let (result, told) = saved_meanwhile(&[&first, &second, &third]);
    assert_eq!(result, 307, "{told:#?}");
}

const OWN: &str = "
S State { hp: i64, name: str }
F step(s: *State, all: *Vec<State>) -> i64 {
    s.hp += 1
    all.push(*s)
    I all.len() == 3 {
        next_text()
        hot_reload()
    }
    0
}
F look(s: *State) -> i64 { s.hp }
F run() -> i64 {
    state := State { hp: 0, name: \"a\" + \"b\" }
    all: Vec<State> = []
    L all.len() < 5 { step(&state, &all) }
    look(&state) * 1000 + look(&all[0]) * 100 + all[4].name.len()
}
";

/// A migration of the program's own reaches values on the stack: a struct and a list of them.
fn own_migration(fields: &str) {
    let state = format!(
        "S State {{ half: f64, name: str{fields} }}\n#[was(\"State\")] S StateV1 {{ hp: i64, name: str }}\nF migrate(old: StateV1, new: *State) {{\n    new.half = old.hp as f64 / 2.0\n    new.name = old.name + \"!\"\n}}"
    );
    let edits: &[(&str, &str)] = &[
        ("S State { hp: i64, name: str }", &state),
        ("s.hp += 1", "s.half += 1.0"),
        ("{ s.hp }", "{ (s.half * 10.0) as i64 }"),
        ("State { hp: 0, ", "State { half: 0.0, "),
    ];
    let (result, told) = run(OWN, &[edits]);
    // Three turns before, two after: 3 halves and 2. The first in the list had 1.
    assert_eq!(result, 35 * 1000 + 5 * 100 + 3, "{told:?}");
    assert!(told.contains(&"`State`: migrated 4 instances by `migrate`".to_owned()), "{told:?}");
}

#[test]
fn a_migration_of_the_programs_own_reaches_a_running_loop() {
    own_migration("");
}

const GOING: &str = "
S State { hp: i64, name: str }
F run() -> i64 {
    state := State { hp: 0, name: \"a\" + \"b\" }
    all: Vec<State> = []
    asked := 0
    L state.hp < 1000000000 {
        I asked == 0 { asked = save() }
        I all.len() < 4 { all.push(state) }
        state.hp += 1
    }
    0
}
";

#[test]
fn fields_in_registers_are_given_to_a_migration_at_the_poll() {
    let new = "
S State { half: f64, name: str, room: [i64; 20] = [2; 20] }
#[was(\"State\")] S StateV1 { hp: i64, name: str }
F migrate(old: StateV1, new: *State) { new.name = old.name + \"!\" }
F run() -> i64 {
    state := State { half: 0.0, name: \"a\" + \"b\" }
    all: Vec<State> = []
    asked := 0
    L state.half < 5.0 || all.len() < 4 {
        I asked == 0 { asked = save() }
        I all.len() < 4 { all.push(state) }
        state.half += 1.0
    }
    state.name.len() * 100 + all[0].name.len() * 10 + all[0].room[4]
}
";
    let (result, told) = super::harness::saved_meanwhile(&[GOING, new]);
    assert_eq!(result, 332, "{told:?}");
}

/// Code that stays old all the time, for it is in no loop, while its struct gets fields, loses them, and gets them again.
#[test]
fn a_struct_of_code_in_no_loop_changes_again_and_again() {
    let text = |fields: &str, values: &str, extra: &str, last: usize| {
        format!(
            "S State {{ {fields} n: i64, name: str }}
F run() -> i64 {{
    one := State {{ {values} n: 4, name: \"o\" + \"ne\" }}
    game(&one) + end(&one)
}}
F end(s: *State) -> i64 {{ s.name.len() * 100 }}
F game(s: *State) -> i64 {{
    turns := mut 0
    asked := mut 0
    L turns < 3 {{
        I hot_version() > asked {{
            asked = hot_version()
            I asked < {last} {{ save() }}
        }}
        I hot_version() == {last} {{ turns += 1 }}
        {extra}
    }}
    s.n
}}
"
        )
    };
    let plain = text("", "", "s.n += 0", 5);
    let with = text("list: Vec<str> = [\"a\" + \"b\"],", "", "I s.list.len() < 3 { s.list.push(\"c\" + \"d\") }", 5);
    let more = text(
        "map: HashMap<str, str>, list: Vec<str> = [\"a\" + \"b\"],",
        "map: HashMap.new(),",
        "s.map.insert(\"k\" + \"\", \"v\" + \"w\")",
        5,
    );
    let (result, told) = saved_meanwhile(&[&plain, &with, &plain, &more, &with]);
    assert_eq!(result, 304, "{told:#?}");
}

const GONE: &str = "
S Note { n: i64, text: str }
F write(note: *Note) { note.n += 1  note.text = \"n{note.n}\" }
F run() -> i64 {
    turns := mut 0
    sum := mut 0
    note := Note { n: 0, text: \"\" }
    L turns < 6 {
        turns += 1
        write(&note)
        sum += 1
        I turns == 3 {
            next_text()
            hot_reload()
        }
    }
    sum
}
";

#[test]
fn the_only_local_of_a_type_goes_with_it() {
    let edits: &[(&str, &str)] = &[
        ("S Note { n: i64, text: str }\n", ""),
        ("F write(note: *Note) { note.n += 1  note.text = \"n{note.n}\" }\n", ""),
        ("    note := Note { n: 0, text: \"\" }\n", ""),
        ("        write(&note)\n        sum += 1\n", "        sum += 100\n"),
    ];
    let (result, told) = run(GONE, &[edits]);
    assert_eq!(result, 303, "{told:?}");
    assert!(told.contains(&"run at the next loop head".to_owned()), "{told:?}");
}

#[test]
fn the_only_local_of_a_type_goes_with_it_while_another_one_grows() {
    let text = |place: &str, look: &str, note: [&str; 3]| {
        let [types, start, turn] = note;
        format!(
            "S Place {{ a: i64{place} }}\nF look(at: *Place) {{ {look} }}\n{types}
F run() -> i64 {{
    turns := mut 0
    asked := mut 0
    place := Place {{ a: 1 }}
    {start}
    L turns < 3 {{
        look(&place)
        {turn}
        I asked == 0 {{ asked = save() }}
        I hot_version() == 2 {{ turns += 1 }}
    }}
    place.a
}}
"
        )
    };
    let write = "S Note { n: i64, text: str }\nF write(note: *Note) { note.n += 1  note.text = \"n{note.n}\" }";
    let old = text("", "at.a += 0", [write, "note := Note { n: 0, text: \"\" }", "write(&note)"]);
    let new = text(", b: [i64; 20] = [7; 20], s: str = \"s\" + \"s\"", "at.a += at.b[9]", [""; 3]);
    let (result, told) = saved_meanwhile(&[&old, &new]);
    assert!([15, 22].contains(&result), "{result} {told:?}");
}

#[test]
fn the_only_option_of_a_type_becomes_one_of_another() {
    const TEXT: &str = "
F run() -> i64 {
    turns := mut 0
    best: Option<(i64, str)> = None
    L turns < 6 {
        turns += 1
        best = Some((turns, \"b{turns}\"))
        I turns == 3 {
            next_text()
            hot_reload()
        }
    }
    best!.0
}
";
    let edits: &[(&str, &str)] = &[
        ("Option<(i64, str)>", "Option<(i64, str, f64)>"),
        ("Some((turns, \"b{turns}\"))", "Some((turns + 100, \"b{turns}\", 0.5))"),
    ];
    let (result, told) = run(TEXT, &[edits]);
    assert_eq!(result, 106, "{told:?}");
}

/// Code that stays as it is, for nothing in it changes: what it releases or gives away is another field than before.
#[test]
fn a_field_takes_the_place_of_another_in_a_struct_that_a_loop_holds() {
    let text = |field: &str, of: &str, end: &str| {
        format!(
            "S Inner {{ n: i64, it: {of} }}
S State {{ {field}: Inner }}
G all: Vec<State>
F list(n: i64) -> Vec<str> {{ [\"{{n}}\", \"{{n + 1}}\"] }}
F make(n: i64) -> State {{ State {{ {field}: Inner {{ n: 1, it: list(n) }} }} }}
F size(s: State) -> i64 {{ s.{field}.it.len() }}
F run() -> i64 {{
    state := game()
    size(state) + state.{field}.it.len() * 10
}}
F game() -> State {{
    state := mut make(7)
    turns := mut 0
    asked := mut 0
    L turns < 3 {{
        I asked == 0 {{ asked = save() }}
        I hot_version() == 2 {{ turns += 1 }}
    }}
    {end}
}}
"
        )
    };
    for (of, size) in [("Vec<str>", 0), ("Vec<str> = list(3)", 2)] {
        for (end, size) in [("make(8)", 2), ("state", size), ("all.push(state)\n    make(9)", 2)] {
            let texts = ["first", "second"].map(|field| text(field, of, end));
            let (result, told) = saved_meanwhile(&[&texts[0], &texts[1]]);
            assert_eq!(result, size * 11, "{of}, {end}: {told:?}");
        }
    }
}

/// A struct that has counted nothing gets a field that counts, and code that stays as it is gives it away.
#[test]
fn a_list_is_added_to_a_struct_that_is_given_away() {
    let text = |more: &str| {
        format!(
            "S State {{ n: i64, m: i64, o: i64, p: i64{more} }}
G all: Vec<State>
F make(n: i64) -> State {{ State {{ n: n, m: 2, o: 3, p: 4 }} }}
F run() -> i64 {{ game() + all[0].n }}
F game() -> i64 {{
    state := mut make(7)
    turns := mut 0
    asked := mut 0
    L turns < 3 {{
        I asked == 0 {{ asked = save() }}
        I hot_version() == 2 {{ turns += 1 }}
    }}
    all.push(state)
    all.len()
}}
"
        )
    };
    let (result, told) = saved_meanwhile(&[&text(""), &text(", list: Vec<i64> = [1, 2]")]);
    assert_eq!(result, 8, "{told:?}");
}

/// What leaves the text is still what the old code hands over, with the size and the references it had.
#[test]
fn fields_and_locals_whose_types_leave_the_text_with_them() {
    let text = "
S Gone { a: i64, b: str }
S State { frame: i64, text: Option<str>, number: Option<i64>, gone: Option<Gone>, pair: (i64, Option<Gone>) }
F run() -> i64 {
    held := Gone { a: 1, b: \"h\" + \"d\" }
    maybe := Some(Gone { a: 2, b: \"m\" + \"b\" })
    state := State { frame: 0, text: Some(\"a\" + \"b\"), number: Some(5), gone: maybe, pair: (3, maybe) }
    L state.frame < 10 {
        state.frame += 1
        I state.frame == 3 || state.frame == 6 {
            next_text()
            hot_reload()
        }
    }
    state.frame
}
";
    let without: &[(&str, &str)] = &[
        ("S Gone { a: i64, b: str }\n", ""),
        (", text: Option<str>, number: Option<i64>, gone: Option<Gone>, pair: (i64, Option<Gone>) }", " }"),
        ("    held := Gone { a: 1, b: \"h\" + \"d\" }\n", ""),
        ("    maybe := Some(Gone { a: 2, b: \"m\" + \"b\" })\n", ""),
        (", text: Some(\"a\" + \"b\"), number: Some(5), gone: maybe, pair: (3, maybe) }", " }"),
    ];
    let back: &[(&str, &str)] = &[
        ("frame: i64 }", "frame: i64, number: Option<i64> = None, more: str = \"more\" }"),
        ("    state.frame\n}", "    state.frame + state.number! * 100 + state.more.len() * 1000\n}"),
    ];
    let (result, told) = run(text, &[without, back]);
    assert_eq!(result, 4510, "{told:?}");
}
