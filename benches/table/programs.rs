//! Programs to measure with: as many lines as wanted, in functions of ten lines.

use std::fmt::Write as _;

/// How many lines the part that changes takes, `main` included.
pub const HEAD_LINES: usize = 20;

/// A program of about `lines` lines whose hot function `tick` calls the host's `stamp` with `version`, and whose plain
/// function `plain` adds `extra`.
pub fn text(lines: usize, version: i64, extra: i64) -> String {
    let functions = lines.saturating_sub(HEAD_LINES) / 10;
    let last = functions.saturating_sub(1);
    let mut text = format!(
        "# A program to measure with.
G turns: i64 = 0

F plain(n: i64) -> i64 {{ n + {extra} }}

#[hot]
F tick(n: i64) -> i64 {{
    stamp({version} + plain(0))
    turns = turns + 1
    I n < 0 {{ turns = work_{last}(n, turns) }}
    0
}}

F main() -> i64 {{
    L running() {{
        tick(turns & 1023)
    }}
    0
}}
"
    );
    for number in 0..functions {
        function(&mut text, number);
    }
    text
}

fn function(text: &mut String, number: usize) {
    let callee = match number {
        0 => "y + a".to_owned(),
        _ => format!("work_{}(y, a)", number - 1),
    };
    let _ = write!(
        text,
        "
F work_{number}(a: i64, b: i64) -> i64 {{
    x := a * 3 + {number}
    y := b - x
    I x > y {{
        x = x - y
    }} E {{
        x = x + {callee}
    }}
    x * 2 + y
}}
"
    );
}
