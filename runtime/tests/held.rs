//! What a trap report shows of the variables of the function that failed: exact values or nothing.
//!
//! Which of them the machine still holds is the compiler's choice; those below are needed by what would come next.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use vaisjit::{Engine, Trap};

fn trap(text: &str, arguments: (i64, i64)) -> Trap {
    let program = Engine::builder().build().expect("an engine").load_str(text);
    let program = program.unwrap_or_else(|error| panic!("{error}\n{text}"));
    let run = program.function::<(i64, i64), i64>("run").expect("the function");
    run.call(arguments).expect_err("a trap")
}

fn held(trap: &Trap) -> Vec<(&str, &str)> {
    trap.frames[0].locals.iter().map(|local| (&*local.name, &*local.value)).collect()
}

#[test]
fn scalars_of_every_kind() {
    let text = "F work(a: i64, b: u8, c: f32, d: bool, e: i16, f: f64) -> i64 {\n    z := a - 7\n    q := 100 / z\n    I d { R q + b as i64 + c as i64 + e as i64 + (f * 2.0) as i64 }\n    q + a\n}\nF run(a: i64, b: i64) -> i64 { work(a, b as u8, 1.25, b > 0, -4, 0.1) }\n";
    let trap = trap(text, (7, 250));
    let wanted = [("a", "7"), ("b", "250"), ("c", "1.25"), ("d", "true"), ("e", "-4"), ("f", "0.1"), ("z", "0")];
    assert_eq!(held(&trap), wanted);
    assert!(trap.report().contains("\n    with a = 7, b = 250, c = 1.25, d = true, e = -4, f = 0.1, z = 0\n"));
}

#[test]
fn a_null_pointer_is_shown() {
    let text = "S P { x: i64, next: *P }\nF follow(p: *P, depth: i64) -> i64 {\n    next := p.next\n    next.x + depth\n}\nF run(a: i64, b: i64) -> i64 {\n    p := P { x: a, next: 0 as *P }\n    follow(&p, b)\n}\n";
    let trap = trap(text, (1, 5));
    assert_eq!(held(&trap), [("depth", "5"), ("next", "0x0")]);
}

/// Values that live across calls, in the frame.
#[test]
fn values_in_the_frame() {
    let text = "F twice(n: i64) -> i64 { R I n > 1000 { twice(n - 1) } E { n * 2 } }\nF work(a: i64, b: i64, c: f64) -> i64 {\n    x := twice(a)\n    y := twice(b) / (x - 14)\n    x + y * a + b + twice(a + y) + c as i64\n}\nF run(a: i64, b: i64) -> i64 { work(a, b, 2.5) }\n";
    let trap = trap(text, (7, 9));
    for (name, value) in [("a", "7"), ("b", "9"), ("c", "2.5"), ("x", "14")] {
        assert!(held(&trap).contains(&(name, value)), "{}", trap.report());
    }
}

/// Whatever is shown is right: the variables' values follow from each other, turn by turn. Divisions trap where code has
/// looked, the array where a host function says why, and the pointer in the middle of everything.
#[test]
fn nothing_wrong_is_shown() {
    let text = "S P { one: i64 }\nF work(from: i64, stop: i64) -> i64 {\n    sum := 0\n    n := from\n    ones := [1, 1, 1]\n    p := P { one: 1 }\n    L n < 1000 {\n        twice := n * 2\n        I n % 3 == 0 { sum += twice / (stop - n) }\n        third := twice + n\n        I n % 7 == 1 { sum -= third * ones[I n == stop - 1 { n } E { 2 }] }\n        next := third - twice + 1\n        q := I n == stop + 2 { 0 as *P } E { &p }\n        sum += q.one + third / 5\n        n = next\n    }\n    sum\n}\nF run(a: i64, b: i64) -> i64 { work(a, b) }\n";
    let program = Engine::builder().build().expect("an engine").load_str(text).expect("a program");
    let run = program.function::<(i64, i64), i64>("run").expect("the function");
    let mut seen = [("sum", 0), ("n", 0), ("third", 0), ("stop", 0)];
    for (from, stop) in (4..20).flat_map(|from| (from + 5..from + 60).map(move |stop| (from, stop))) {
        let Err(trap) = run.call((from, stop)) else { continue };
        let (line, n, sum) = fails_at(from, stop);
        assert_eq!(trap.location().map(|at| at.line), Some(line), "{}", trap.report());
        for (name, value) in held(&trap) {
            let wanted = match name {
                "from" => from,
                "stop" => stop,
                "sum" => sum,
                "n" => n,
                "twice" => n * 2,
                "third" => n * 3,
                "next" => n + 1,
                "p" | "p.one" | "q" => continue,
                _ => panic!("{name}"),
            };
            assert_eq!(value, wanted.to_string(), "{name}, n = {n}: {}", trap.report());
            seen.iter_mut().filter(|(other, _)| *other == name).for_each(|(_, count)| *count += 1);
        }
    }
    assert!(seen.iter().all(|(_, count)| *count > 100), "{seen:?}");
}

/// Line, `n` and `sum` where the function of the test above fails.
fn fails_at(from: i64, stop: i64) -> (u32, i64, i64) {
    let (mut sum, mut n) = (0, from);
    loop {
        if n % 3 == 0 {
            if n == stop {
                return (9, n, sum);
            }
            sum += n * 2 / (stop - n);
        }
        if n % 7 == 1 {
            if n == stop - 1 {
                return (11, n, sum);
            }
            sum -= n * 3;
        }
        if n == stop + 2 {
            return (14, n, sum);
        }
        sum += 1 + n * 3 / 5;
        n += 1;
    }
}

/// Counters, sums and variables in memory, where code looks before it traps.
#[test]
fn what_changes_is_shown() {
    let text = "F work(n: i64, d: i64) -> i64 {\n    sum := 0\n    kept := 5\n    at := &kept\n    L i: 0..n {\n        *at = kept + i\n        half := kept as f64 / 2.0\n        assert(i < d, \"{half}\")\n        sum += i\n    }\n    sum\n}\nF run(a: i64, b: i64) -> i64 { work(a, b) }\n";
    let trap = trap(text, (9, 3));
    assert_eq!(trap.message, "assertion failed: 5.500000");
    let held = held(&trap);
    for shown in [("n", "9"), ("d", "3"), ("sum", "3"), ("kept", "11"), ("half", "5.5"), ("i", "3")] {
        assert!(held.contains(&shown), "{}", trap.report());
    }
}
