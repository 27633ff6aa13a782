//! How fast a large file is parsed; run with `cargo test --release -p vaisjit-syntax --test speed -- --ignored --nocapture`.

use std::time::Instant;

/// About 20 lines of ordinary code.
const FUNCTION: &str = r#"
#[hot]
F update_N(state: *GameState, dt: f64) -> i64 {
    # Movement.
    state.x = state.x + (10.0 * dt) as i64
    total := 0
    L i: 0..state.count {
        p := state.items[i]
        I p.alive && p.health > 0 {
            total += p.score * 2 + compute(p.x, p.y, dt)
        } E {
            p.health = 100
        }
        M p.kind {
            0 => total += 1,
            1 | 2 => total -= 1,
            Shape.Circle(r) I r > 3 => println("circle {r} of {p.name}"),
            _ => 0
        }
    }
    total > 100 ? total : state.score
}
"#;

fn program(lines: usize) -> String {
    let functions = lines / FUNCTION.lines().count();
    (0..functions).map(|n| FUNCTION.replace("_N", &format!("_{n}"))).collect()
}

#[test]
#[ignore = "a measurement"]
fn initial_parse() {
    let text = program(100_000);
    for _ in 0..3 {
        let start = Instant::now();
        let module = vaisjit_syntax::parse(&text);
        println!("{} lines, {} items: {:?}", text.lines().count(), module.items.len(), start.elapsed());
        assert!(module.items.iter().all(|item| item.diagnostics.is_empty()));
        let start = Instant::now();
        drop(module);
        println!("drop: {:?}", start.elapsed());
    }
}

#[test]
#[ignore = "a measurement"]
fn one_edit() {
    let text = program(100_000);
    let module = vaisjit_syntax::parse(&text);
    let at = text.len() / 2 + text[text.len() / 2..].find("total := 0").expect("a place to edit");
    let edited = format!("{}total := 1{}", &text[..at], &text[at + 10..]);
    for _ in 0..3 {
        let start = Instant::now();
        let new = vaisjit_syntax::reparse(&edited, &module, &text);
        println!("{} items after one edit: {:?}", new.items.len(), start.elapsed());
    }
}
