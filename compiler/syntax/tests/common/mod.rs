//! What the tests share: a seeded source of randomness, sample programs, and random edits.

#![allow(dead_code, reason = "each test binary uses its own part")]

#[path = "../../../../tests/generate/random.rs"]
mod random;

pub use random::Random;

/// Programs that use most of the language.
pub const SAMPLES: &[&str] = &[include_str!("game.vais"), include_str!("shapes.vais"), include_str!("everything.vais")];

/// Texts that change much when they appear somewhere.
const SNIPPETS: &[&str] = &[
    "\"",
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    "\n",
    "#",
    "#[",
    "//",
    "///",
    "F g() {\n}\n",
    "\nF h(x: i64) -> i64 = x\n",
    "E ",
    "I ",
    "L ",
    " := ",
    " = ",
    "<",
    ">",
    ">>",
    "?",
    ":",
    ",",
    ";",
    "é",
    "\\",
    "R",
    "@[extern \"C\"]\n",
    "#[hot]\n",
    "S P { x: i64 }\n",
    "else ",
    "let ",
    "0x",
    "1.5",
    "'",
    "|",
    "||",
    "|x|",
    "..",
    "=>",
    "M x { ",
    "\r\n",
    "\u{feff}",
    "{{",
    "-> ",
    "/*",
    "*/",
    " => ",
    "if x: \n",
    "++",
    "S Q { y: i64 }\n",
    "    F inner() { }\n",
    " for ",
    " in ",
    "!(",
    "macro ",
    "]",
    "let (a, b) = ",
    "'x y'",
    "int x = ",
    "$",
];

/// A random edit: something inserted, removed, doubled or moved.
pub fn mutate(text: &str, random: &mut Random) -> String {
    let boundary = |at: usize| text.floor_char_boundary(at);
    let start = boundary(random.below(text.len() + 1));
    let length = if random.below(4) == 0 { random.below(60) } else { random.below(4) };
    let end = boundary((start + length).min(text.len())).max(start);
    let (before, middle, after) = (&text[..start], &text[start..end], &text[end..]);
    let snippet = SNIPPETS[random.below(SNIPPETS.len())];
    match random.below(5) {
        0 => format!("{before}{after}"),
        1 => format!("{before}{middle}{middle}{after}"),
        2 => format!("{before}{snippet}{after}"),
        3 => format!("{before}{snippet}{middle}{after}"),
        _ => {
            let to = boundary(random.below(text.len() + 1));
            let (head, tail) = text.split_at(to);
            format!("{head}{middle}{tail}")
        }
    }
}
