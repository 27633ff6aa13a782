//! Long and deep programs: lowering takes time in proportion and ends without running out of stack.

mod source;

use std::time::Instant;

use vaisjit_codegen::layout::TypeLayouts;
use vaisjit_codegen::lower::lower;

#[test]
fn a_long_sum_is_lowered() {
    let sum: Vec<String> = (0..400).map(|n| format!("x * {n}")).collect();
    let text = format!("F main() -> i64 {{\n    x := 1\n    ({}) % 251\n}}\n", sum.join(" + "));
    let (outcome, _) = source::run(&text).expect("it runs");
    let expected = (0..400i32).sum::<i32>() % 251;
    assert_eq!(outcome.exit, vaisjit_codegen::mir::interp::Exit::Status(expected));
}

#[test]
#[ignore = "a measurement"]
fn cost_of_lowering() {
    let mut text = String::from("S P { x: i64, y: i64 }\nF main() -> i64 {\n    p := P { x: 1, y: 2 }\n    a := [0; 100]\n");
    let count = 4000;
    for n in 0..count / 4 {
        text += &format!("    p.x = p.x * 3 + p.y\n    a[{}] = p.x\n    I p.x > {n} {{ p.y += 1 }}\n", n % 100);
    }
    text += "    p.x % 7\n}\n";
    let (checked, _) = source::check(&text).expect("it checks");
    let layouts = TypeLayouts::new(&checked);
    let function = &checked.functions[&checked.main.expect("main")];
    let start = Instant::now();
    let rounds = 20;
    for _ in 0..rounds {
        lower(&function.body, &checked, &layouts, true).expect("supported");
    }
    let each = start.elapsed().as_nanos() as f64 / f64::from(rounds * count) / 1000.0;
    eprintln!("{each:.2} microseconds a statement");
}
