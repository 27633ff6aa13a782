//! Generated programs as C: wrapping arithmetic through unsigned types, division, shifts and conversions defined as the
//! language defines them, traps as `longjmp`. Many programs share one file.

use std::fmt::Write;

use super::vais::sign;
use super::{ARGUMENTS, Argument, BUDGET, Expr, Function, Int, Op, Place, Program, Root, Step, Stmt, Ty};

/// How such a file is compiled.
pub const FLAGS: [&str; 5] = ["-fwrapv", "-ffp-contract=off", "-fno-strict-aliasing", "-w", "-O1"];
/// What the program prints for an entry that has trapped.
pub const TRAP: &str = "trap";

/// The text of a file that calls all entries of the programs: for each call a line with the result in decimal, or
/// [`TRAP`].
pub fn file(programs: &[&Program]) -> String {
    let mut text = prelude();
    let mut calls = String::new();
    for (n, program) in programs.iter().enumerate() {
        let mut writer = Writer { program, text: &mut text, at: format!("p{n}_") };
        writer.program();
        for entry in program.entries() {
            for (a, b) in ARGUMENTS {
                let _ = writeln!(calls, "    run(p{n}_{entry}, {}, {});", whole(a.into()), whole(b.into()));
            }
        }
    }
    text + "int main(void) {\n" + &calls + "    return 0;\n}\n"
}

fn prelude() -> String {
    let mut text = String::from(
        "#include <stdint.h>\n#include <stdio.h>\n#include <setjmp.h>\n\
         static jmp_buf trapped;\nstatic int trap(void) { longjmp(trapped, 1); }\n\
         static int64_t ix(int64_t i, int64_t n) { return i < 0 || i >= n ? trap() : i; }\n\
         static void run(int64_t (*entry)(int64_t, int64_t), int64_t a, int64_t b) {\n    \
         if (setjmp(trapped)) puts(\"trap\"); else printf(\"%lld\\n\", (long long)entry(a, b));\n}\n",
    );
    for int in Int::ALL {
        let c = match (int.bits, int.signed) {
            (128, true) => "__int128".to_owned(),
            (128, false) => "unsigned __int128".to_owned(),
            (bits, signed) => format!("{}int{bits}_t", if signed { "" } else { "u" }),
        };
        let _ = writeln!(text, "typedef {c} {};", int.name());
    }
    Int::ALL.into_iter().for_each(|int| helpers(int, &mut text));
    text
}

/// Operators and conversions of an integer type.
fn helpers(int: Int, text: &mut String) {
    let t = int.name();
    let u = Int { signed: false, ..int }.name();
    let mask = int.bits - 1;
    for (name, sign) in [("add", "+"), ("sub", "-"), ("mul", "*"), ("and", "&"), ("or", "|"), ("xor", "^")] {
        let _ = writeln!(text, "static {t} {t}_{name}({t} a, {t} b) {{ return ({t})(({u})(({u})a {sign} ({u})b)); }}");
    }
    let _ = writeln!(text, "static {t} {t}_shl({t} a, {t} b) {{ return ({t})(({u})a << (({u})b & {mask})); }}");
    let _ = writeln!(text, "static {t} {t}_shr({t} a, {t} b) {{ return ({t})(a >> (({u})b & {mask})); }}");
    let (over, rest) = match int.signed {
        true => (format!("b == -1 ? ({t})(({u})0 - ({u})a) : "), "b == -1 ? 0 : ".to_owned()),
        false => (String::new(), String::new()),
    };
    let _ = writeln!(text, "static {t} {t}_div({t} a, {t} b) {{ return b == 0 ? trap() : {over}a / b; }}");
    let _ = writeln!(text, "static {t} {t}_rem({t} a, {t} b) {{ return b == 0 ? trap() : {rest}a % b; }}");
    // Powers of two are exact in a double.
    let least = if int.signed { format!("-0x1p{}", int.bits - 1) } else { "0.0".to_owned() };
    let beyond = format!("0x1p{}", int.bits - u32::from(int.signed));
    let ones = format!("({u})~({u})0");
    let (low, high) = match int.signed {
        true => (format!("({t})(({u})1 << {mask})"), format!("({t})({ones} >> 1)")),
        false => ("0".to_owned(), ones),
    };
    let _ = writeln!(
        text,
        "static {t} {t}_from(double x) {{ return x != x ? 0 : x < {least} ? {low} : x >= {beyond} ? {high} : ({t})x; }}"
    );
}

fn whole(value: i128) -> String {
    let parts = value as u128;
    let (high, low) = ((parts >> 64) as u64, parts as u64);
    format!("((((i128){high}ULL) << 64) | {low}ULL)")
}

struct Writer<'a> {
    program: &'a Program,
    text: &'a mut String,
    /// Stands before every name.
    at: String,
}

impl Writer<'_> {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn program(&mut self) {
        let program = self.program;
        let mut arrays: Vec<String> = Vec::new();
        for (n, fields) in program.structs.iter().enumerate() {
            fields.iter().for_each(|ty| self.array(ty, &mut arrays));
            let fields: String = fields.iter().enumerate().map(|(f, ty)| format!("{} m{f}; ", self.ty(ty))).collect();
            self.line(&format!("typedef struct {{ {fields}}} {}Rec{n};", self.at));
        }
        for (n, variants) in program.enums.iter().enumerate() {
            let mut fields = String::from("int tag; ");
            for (v, payload) in variants.iter().enumerate() {
                payload.iter().enumerate().for_each(|(f, ty)| {
                    let _ = write!(fields, "{} p{v}x{f}; ", self.ty(ty));
                });
            }
            self.line(&format!("typedef struct {{ {fields}}} {}Enm{n};", self.at));
        }
        for (n, (ty, value)) in program.globals.iter().enumerate() {
            self.array(ty, &mut arrays);
            self.line(&format!("static {} {}g{n} = {};", self.ty(ty), self.at, self.initial(value)));
        }
        self.line(&format!("static int64_t {}budget = {BUDGET};", self.at));
        for function in &program.functions {
            let mut types: Vec<Ty> = vec![];
            lets(&function.body, &mut types);
            types.iter().chain([&function.result]).for_each(|ty| self.array(ty, &mut arrays));
            function.params.iter().for_each(|param| self.array(&param.ty, &mut arrays));
        }
        program.functions.iter().for_each(|function| {
            let head = self.head(function);
            self.line(&(head + ";"));
        });
        program.functions.iter().for_each(|function| self.function(function));
    }

    /// A global's first value: scalars only.
    fn initial(&self, value: &Expr) -> String {
        match value {
            Expr::Int(value, _) => whole(*value),
            other => self.expr(other),
        }
    }

    fn array(&mut self, ty: &Ty, known: &mut Vec<String>) {
        let Ty::Array(of, length) = ty else { return };
        let name = self.ty(ty);
        if !known.contains(&name) {
            let of = self.ty(of);
            self.line(&format!("typedef struct {{ {of} e[{length}]; }} {name};"));
            known.push(name);
        }
    }

    fn ty(&self, ty: &Ty) -> String {
        match ty {
            Ty::Int(int) => int.name(),
            Ty::F32 => "float".to_owned(),
            Ty::F64 => "double".to_owned(),
            Ty::Bool => "_Bool".to_owned(),
            Ty::Struct(_) | Ty::Enum(_) => format!("{}{}", self.at, ty.name()),
            Ty::Array(of, length) => format!("{}Arr_{}_{length}", self.at, of.name()),
            Ty::Str => "const char *".to_owned(),
        }
    }

    fn head(&self, function: &Function) -> String {
        let params = function.params.iter().map(|param| {
            let star = if param.pointer { "*" } else { "" };
            format!("{} {star}{}", self.ty(&param.ty), param.name)
        });
        let params = params.collect::<Vec<_>>().join(", ");
        format!("static {} {}{}({params})", self.ty(&function.result), self.at, function.name)
    }

    fn function(&mut self, function: &Function) {
        let head = self.head(function);
        self.line(&(head + " {"));
        self.block(&function.body);
        self.line("}");
    }

    fn block(&mut self, body: &[Stmt]) {
        body.iter().for_each(|stmt| self.statement(stmt));
    }

    fn nested(&mut self, head: &str, body: &[Stmt]) {
        self.line(&format!("{head} {{"));
        self.block(body);
        self.line("}");
    }

    fn statement(&mut self, stmt: &Stmt) {
        match stmt {
            Stmt::Let(name, ty, value) => {
                let (ty, value) = (self.ty(ty), self.expr(value));
                self.line(&format!("{ty} {name} = {value};"));
            }
            Stmt::Assign(to, op, value, ty) => {
                let (place, value) = (self.place(to), self.expr(value));
                match (op, ty) {
                    (None, _) => self.line(&format!("{place} = {value};")),
                    // The target's place is found once.
                    (Some(op), ty) => {
                        let made = self.operation(*op, "*to", &value, ty);
                        let ty = self.ty(ty);
                        self.line(&format!("{{ {ty} *to = &{place}; *to = {made}; }}"));
                    }
                }
            }
            Stmt::If(condition, then, otherwise) => {
                let condition = self.expr(condition);
                self.nested(&format!("if ({condition})"), then);
                self.nested("else", otherwise);
            }
            Stmt::For(name, from, to, body) => {
                let (from, to) = (self.expr(from), self.expr(to));
                let head =
                    format!("for (int64_t {name}_at = {from}, {name}_end = {to}; {name}_at < {name}_end; {name}_at++)");
                self.line(&format!("{head} {{ int64_t {name} = {name}_at;"));
                self.block(body);
                self.line("}");
            }
            Stmt::While(name, turns, condition, body) => {
                let condition = self.expr(condition);
                self.line(&format!("int64_t {name} = 0; while ({name} < {turns} && {condition}) {{ {name}++;"));
                self.block(body);
                self.line("}");
            }
            Stmt::Match(name, of, arms) => {
                for (index, arm) in arms.iter().enumerate() {
                    let otherwise = if index == 0 { "" } else { "else " };
                    self.line(&format!("{otherwise}if ({name}.tag == {}) {{", arm.variant));
                    for (f, bound) in arm.names.iter().enumerate() {
                        let ty = self.ty(&self.program.enums[*of][arm.variant][f]);
                        self.line(&format!("{ty} {bound} = {name}.p{}x{f};", arm.variant));
                    }
                    self.block(&arm.body);
                    self.line("}");
                }
            }
            Stmt::Break => self.line("break;"),
            Stmt::Continue => self.line("continue;"),
            Stmt::Return(value) => {
                let value = self.expr(value);
                self.line(&format!("return {value};"));
            }
            Stmt::Closure(..) => self.line("#error a closure"),
        }
    }

    fn operation(&self, op: Op, left: &str, right: &str, ty: &Ty) -> String {
        let Ty::Int(int) = ty else { return format!("({left} {} {right})", sign(op)) };
        let name = format!("{op:?}").to_lowercase();
        format!("{}_{name}({left}, {right})", int.name())
    }

    fn list(&self, values: &[Expr]) -> String {
        values.iter().map(|value| self.expr(value)).collect::<Vec<_>>().join(", ")
    }

    fn expr(&self, value: &Expr) -> String {
        match value {
            Expr::Int(value, ty) => format!("(({}){})", ty.name(), whole(*value)),
            Expr::Float(eighths, ty) => {
                format!("({:?}{})", f64::from(*eighths) / 8.0, if *ty == Ty::F32 { "f" } else { "" })
            }
            Expr::Bool(value) => u8::from(*value).to_string(),
            Expr::Read(from) => self.place(from),
            Expr::Binary(op, left, right, ty) => self.operation(*op, &self.expr(left), &self.expr(right), ty),
            Expr::Compare(op, left, right) | Expr::Logic(op, left, right) => {
                format!("({} {op} {})", self.expr(left), self.expr(right))
            }
            Expr::Not(of) => format!("(!{})", self.expr(of)),
            Expr::Neg(of, Ty::Int(int)) => format!("{}_sub(0, {})", int.name(), self.expr(of)),
            Expr::Neg(of, _) => format!("(-{})", self.expr(of)),
            Expr::Flip(of, int) => format!("(({})~{})", int.name(), self.expr(of)),
            Expr::Cast(of, from, Ty::Int(to)) if from.is_float() => format!("{}_from({})", to.name(), self.expr(of)),
            Expr::Cast(of, _, to) => format!("(({}){})", self.ty(to), self.expr(of)),
            Expr::Choose(condition, then, otherwise) => {
                format!("({} ? {} : {})", self.expr(condition), self.expr(then), self.expr(otherwise))
            }
            Expr::Call(function, arguments) => {
                let arguments = arguments.iter().map(|argument| match argument {
                    Argument::Value(value) => self.expr(value),
                    Argument::Address(of) => format!("&{}", self.place(of)),
                });
                format!("{}f{function}({})", self.at, arguments.collect::<Vec<_>>().join(", "))
            }
            Expr::Record(of, values) => format!("(({}Rec{of}){{ {} }})", self.at, self.list(values)),
            Expr::Array(values, ty) => format!("(({}){{ {{ {} }} }})", self.ty(ty), self.list(values)),
            Expr::Variant(of, number, values) => {
                let payload =
                    values.iter().enumerate().map(|(f, value)| format!(", .p{number}x{f} = {}", self.expr(value)));
                format!("(({}Enm{of}){{ .tag = {number}{} }})", self.at, payload.collect::<String>())
            }
            Expr::Apply(..) | Expr::Text(_) | Expr::Join(..) | Expr::Shown(..) | Expr::Length(_) => {
                "nothing_c_can_say".to_owned()
            }
        }
    }

    fn place(&self, place: &Place) -> String {
        let mut text = match &place.root {
            Root::Local(name) => name.clone(),
            Root::Pointer(name) => format!("(*{name})"),
            Root::Global(n) => format!("{}g{n}", self.at),
            Root::Budget => format!("{}budget", self.at),
        };
        for step in &place.steps {
            let _ = match step {
                Step::Field(n) => write!(text, ".m{n}"),
                Step::Index(index, length) => write!(text, ".e[ix({}, {length})]", self.expr(index)),
            };
        }
        text
    }
}

/// The types of all locals.
fn lets(body: &[Stmt], found: &mut Vec<Ty>) {
    for stmt in body {
        match stmt {
            Stmt::Let(_, ty, _) => found.push(ty.clone()),
            Stmt::If(_, then, otherwise) => {
                lets(then, found);
                lets(otherwise, found);
            }
            Stmt::For(_, _, _, body) | Stmt::While(_, _, _, body) => lets(body, found),
            Stmt::Match(_, _, arms) => arms.iter().for_each(|arm| lets(&arm.body, found)),
            _ => {}
        }
    }
}
