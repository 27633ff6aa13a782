//! Random programs as text.

use std::fmt::Write;

#[path = "../../../../tests/generate/random.rs"]
mod numbers;

use numbers::Random;

/// What every program starts with.
const HEAD: &str = "\
S P { x: i64, y: i64 }
S Q { p: P, z: i64, small: i8 }
E V { None0, One(i64), Two(P), Three { n: i64, q: i64 } }
G g: i64 = 3
G gp: P = P { x: 5, y: 6 }
F turn(p: P) -> P = P { x: p.y, y: p.x + 1 }
F poke(p: *P, n: i64) -> i64 {
    p.x += n
    t := p.y
    p.y = p.x
    t
}
F both(n: i64) -> (i64, i64) {
    g += n
    (g, n)
}
F size(v: V) -> i64 = M v { None0 => 1, One(n) I n > 4 => n, One(n) => n * 2, Two(p) => p.x - p.y, Three { n, q } => n ^ q }
F pick(n: i64) -> V = M n % 4 { 0 => None0, 1 => One(n), 2 => Two(P { x: n, y: g }), _ => Three { n: n, q: g } }
";

struct Writer {
    random: Random,
    text: String,
    depth: usize,
    loops: usize,
    names: usize,
}

impl Writer {
    fn line(&mut self, text: &str) {
        let _ = writeln!(self.text, "{}{text}", "    ".repeat(self.depth));
    }

    /// A place or value of type `i64` without effects.
    fn simple(&mut self) -> String {
        let place =
            self.random.pick(&["a", "b", "c", "p.x", "p.y", "q.z", "q.p.x", "r.y", "g", "gp.x", "t.0", "t.1", "xs[1]"]);
        match self.random.below(4) {
            0 => (self.random.below(20) as i64 - 5).to_string(),
            1 => format!("xs[{place} & 3]"),
            _ => place.to_string(),
        }
    }

    fn value(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self.simple();
        }
        let (left, right) = (self.value(depth - 1), self.value(depth - 1));
        match self.random.below(12) {
            0..=4 => format!("({left} {} {right})", self.random.pick(&["+", "-", "*", "&", "^", "|"])),
            5 => format!("({left} / ({right} | 1))"),
            6 => format!("({left} < {right} ? {left} : {right})"),
            7 => format!("size(pick({left} & 7))"),
            8 => format!("poke(&r, {left})"),
            9 => format!("({{ {} = {left}; {right} }})", self.random.pick(&["a", "b", "p.x", "xs[2]"])),
            10 => format!("turn(P {{ x: {left}, y: {right} }}).x"),
            _ => format!("({left} as i8 as i64)"),
        }
    }

    fn condition(&mut self) -> String {
        let (left, right) = (self.value(1), self.value(1));
        let plain = format!("{left} {} {right}", self.random.pick(&["<", "<=", "==", "!=", ">"]));
        match self.random.below(4) {
            0 => format!("({plain}) && {} > 0", self.simple()),
            1 => format!("({plain}) || !({} == 2)", self.simple()),
            _ => plain,
        }
    }

    fn statement(&mut self) {
        let value = self.value(2);
        match self.random.below(18) {
            0..=2 => {
                let target = self.random.pick(&["a", "b", "c", "p.x", "q.z", "q.p.y", "g", "gp.y", "r.x", "xs[a & 3]"]);
                let op = self.random.pick(&["=", "+=", "-=", "^="]);
                self.line(&format!("{target} {op} {value}"));
            }
            3 => self.line(&format!("p = P {{ x: p.y, y: {value} }}")),
            4 => {
                let (to, from) =
                    (self.random.pick(&["p", "q.p", "r", "gp"]), self.random.pick(&["p", "q.p", "r", "gp"]));
                self.line(&format!("{to} = {from}"));
            }
            5 => {
                let (to, from) =
                    (self.random.pick(&["p", "q.p", "r", "gp"]), self.random.pick(&["p", "q.p", "r", "gp"]));
                self.line(&format!("{to} = turn({from})"));
            }
            6 => self.line(&format!("t = both({value} & 15)")),
            7 => self.line("t = (t.1, t.0)"),
            8 => self.line(&format!("q = Q {{ p: turn(q.p), z: {value}, small: q.small + 100 }}")),
            9 => self.line(&format!("b = M {value} & 7 {{ 0 => a, 1 | 2 => b + 1, 3..=5 => c, n => n * 3 }}")),
            10 | 11 => {
                let condition = self.condition();
                self.nest(&format!("I {condition} {{"), 2);
            }
            12 | 15 | 16 if self.loops < 2 => {
                let name = self.names;
                self.names += 1;
                let head = match self.random.below(4) {
                    0 => format!("L i{name}: 0..4 {{"),
                    1 => format!("L i{name}: ({value} & 1)..=(c & 7) {{"),
                    2 => format!("L i{name}: xs {{"),
                    _ => format!("L i{name}: 0..(a & 7) {{"),
                };
                self.loops += 1;
                let inner = format!("c += i{name} * 2");
                self.nest(&format!("{head} {inner}"), 2);
                self.loops -= 1;
            }
            13 if self.loops > 0 => {
                let condition = self.condition();
                let leave = self.random.pick(&["B", "C"]);
                self.line(&format!("I {condition} {{ {leave} }}"));
            }
            14 => self.line("D { g += 1  println(\"d {g}\") }"),
            _ => self.line(&format!("println(\"{{a}} {{b}} {{c}} {{p.x}} {{{value}}}\")")),
        }
    }

    fn nest(&mut self, head: &str, statements: usize) {
        self.line(head);
        self.depth += 1;
        if self.depth < 5 {
            (0..=self.random.below(statements)).for_each(|_| self.statement());
        }
        self.line("a += 1");
        self.depth -= 1;
        self.line("}");
    }
}

/// The program of a seed.
pub fn program(seed: u64) -> String {
    let mut writer = Writer { random: Random(seed), text: HEAD.to_owned(), depth: 1, loops: 0, names: 0 };
    writer.text += "F work(n: i64) -> i64 {\n";
    for line in ["a := n", "b := 2", "c := -3", "p := P { x: 1, y: n }", "q := Q { p: p, z: 7, small: 120 }"] {
        writer.line(line);
    }
    writer.line("r := P { x: 10, y: 20 }");
    writer.line("xs := [4, 3, 2, 1]");
    writer.line("t := (8, 9)");
    (0..12).for_each(|_| writer.statement());
    writer.line("println(\"{a} {b} {c} {p.x} {p.y} {q.p.x} {q.p.y} {q.z} {q.small} {r.x} {r.y} {t.0} {t.1}\")");
    writer.line("a + b + c");
    writer.text += "}\nF main() -> i64 {\n    k := mut 0\n    L turn: 1..7 { k += work(turn) }\n    println(\"{g} {gp.x} {gp.y} {k}\")\n    k\n}\n";
    writer.text
}
