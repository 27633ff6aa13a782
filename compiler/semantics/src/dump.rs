//! The typed tree as text, for `vaisjit dump --stage hir` and tests. Conversions are written `e as T`, those the
//! checker added included; locals carry their number (`x.3`).

use std::fmt::Write;

use crate::hir::{Body, Callee, Expr, ExprKind, FormatPiece, Pattern, PatternKind, Stmt};
use crate::program::Checked;

/// All functions of a program, or those whose name contains `only`.
pub fn dump(checked: &Checked, only: Option<&str>) -> String {
    let mut out = String::new();
    for (instance, function) in &checked.functions {
        let name = instance.to_string();
        if only.is_none_or(|only| name.contains(only)) {
            out.push_str(&dump_body(&function.body));
            out.push('\n');
        }
    }
    out
}

/// One function.
pub fn dump_body(body: &Body) -> String {
    let mut printer = Printer { out: String::new(), body, depth: 0 };
    let params: Vec<String> =
        body.params.iter().map(|local| format!("{}: {}", printer.local(*local), body.locals[*local].ty)).collect();
    let _ = write!(printer.out, "F {}({}) -> {} = ", body.instance, params.join(", "), body.result);
    printer.expr(&body.value);
    printer.out.push('\n');
    printer.out
}

struct Printer<'b> {
    out: String,
    body: &'b Body,
    depth: usize,
}

impl Printer<'_> {
    fn local(&self, local: crate::hir::LocalId) -> String {
        format!("{}.{}", self.body.locals[local].name, local.into_raw())
    }

    fn text(&mut self, text: impl AsRef<str>) {
        self.out.push_str(text.as_ref());
    }

    fn line(&mut self) {
        self.out.push('\n');
        self.out.extend(std::iter::repeat_n("    ", self.depth));
    }

    fn list(&mut self, open: &str, parts: &[Expr], close: &str) {
        self.text(open);
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                self.text(", ");
            }
            self.expr(part);
        }
        self.text(close);
    }

    fn optional(&mut self, word: &str, value: Option<&Expr>) {
        self.text(word);
        if let Some(value) = value {
            self.text(" ");
            self.expr(value);
        }
    }

    fn expr(&mut self, e: &Expr) {
        stacker::maybe_grow(128 << 10, 2 << 20, || self.form(e));
    }

    fn operands(&mut self, a: &Expr, symbol: &str, b: &Expr) {
        self.text("(");
        self.expr(a);
        self.text(format!(" {symbol} "));
        self.expr(b);
        self.text(")");
    }

    fn form(&mut self, e: &Expr) {
        match &*e.kind {
            ExprKind::Int(value) => self.text(format!("{value}{}", e.ty)),
            ExprKind::Float(bits) => self.text(format!("{:?}{}", f64::from_bits(*bits), e.ty)),
            ExprKind::Bool(value) => self.text(value.to_string()),
            ExprKind::Str(text) => self.text(format!("{text:?}")),
            ExprKind::Unit => self.text("()"),
            ExprKind::Local(local) => {
                let name = self.local(*local);
                self.text(name);
            }
            ExprKind::Global(path) => self.text(format!("G {path}")),
            ExprKind::Function(callee) => self.callee(callee),
            ExprKind::Unary(op, a) => {
                self.text(match op {
                    crate::hir::UnaryOp::Negate => "-",
                    crate::hir::UnaryOp::Not => "!",
                    crate::hir::UnaryOp::BitNot => "~",
                });
                self.expr(a);
            }
            ExprKind::Binary(op, a, b) => self.operands(a, op.symbol(), b),
            ExprKind::And(a, b) => self.operands(a, "&&", b),
            ExprKind::Or(a, b) => self.operands(a, "||", b),
            ExprKind::Cast(kind, a) => {
                self.text("(");
                self.expr(a);
                self.text(format!(" as {} {kind:?})", e.ty));
            }
            ExprKind::AddressOf(a) => {
                self.text("&");
                self.expr(a);
            }
            ExprKind::Deref(a) => {
                self.text("*");
                self.expr(a);
            }
            ExprKind::Field(a, index) => {
                self.expr(a);
                self.text(format!(".{index}"));
            }
            ExprKind::Index(a, index) => {
                self.expr(a);
                self.list("[", std::slice::from_ref(index), "]");
            }
            ExprKind::Call(callee, arguments) => {
                self.callee(callee);
                self.list("(", arguments, ")");
            }
            ExprKind::Aggregate(parts, _) => self.list(&format!("{} {{ ", e.ty), parts, " }"),
            ExprKind::Variant(number, parts) => self.list(&format!("{}#{number}(", e.ty), parts, ")"),
            ExprKind::Array(parts) => self.list("[", parts, "]"),
            ExprKind::Repeat(value) => self.list("[", std::slice::from_ref(value), &format!("; {}]", e.ty)),
            ExprKind::Zero => self.text(format!("zero {}", e.ty)),
            ExprKind::Format(target, pieces) => self.format(*target, pieces),
            ExprKind::Block(statements, value) => self.block(statements, value.as_ref()),
            ExprKind::If(condition, then, otherwise) => {
                self.optional("I", Some(condition));
                self.optional("", Some(then));
                if otherwise.is_some() {
                    self.optional(" E", otherwise.as_ref());
                }
            }
            ExprKind::Loop(id, body) => self.optional(&format!("L'{}", id.0), Some(body)),
            ExprKind::While(id, condition, body) => {
                self.optional(&format!("L'{}", id.0), Some(condition));
                self.optional("", Some(body));
            }
            ExprKind::ForRange { id, local, start, end, inclusive, body } => {
                let local = self.local(*local);
                self.optional(&format!("L'{} {local}:", id.0), Some(start));
                self.text(if *inclusive { "..=" } else { ".." });
                self.expr(end);
                self.optional("", Some(body));
            }
            ExprKind::ForEach { id, pattern, over, body } => {
                self.text(format!("L'{} ", id.0));
                self.pattern(pattern);
                self.optional(":", Some(over));
                self.optional("", Some(body));
            }
            ExprKind::Match(subject, arms) => {
                self.optional("M", Some(subject));
                self.text(" {");
                self.depth += 1;
                for arm in arms {
                    self.line();
                    self.pattern(&arm.pattern);
                    if arm.guard.is_some() {
                        self.optional(" I", arm.guard.as_ref());
                    }
                    self.optional(" =>", Some(&arm.body));
                }
                self.depth -= 1;
                self.line();
                self.text("}");
            }
            ExprKind::Break(id, value) => self.optional(&format!("B'{}", id.0), value.as_ref()),
            ExprKind::Continue(id) => self.text(format!("C'{}", id.0)),
            ExprKind::Return(value) => self.optional("R", value.as_ref()),
            ExprKind::Assign(a, b) => self.operands(a, "=", b),
            ExprKind::AssignOp(op, a, b) => self.operands(a, &format!("{}=", op.symbol()), b),
            ExprKind::Closure(body, captured) => {
                self.list("closure[", captured, "] ");
                let text = dump_body(body);
                self.text(text.trim_end());
            }
            ExprKind::TypeInfo(ty) => self.text(format!("type {ty}")),
            ExprKind::BoxNew(value) => self.optional("box", Some(value)),
            ExprKind::MakeDyn { value, methods } => {
                let names: Vec<String> = methods.iter().map(ToString::to_string).collect();
                self.optional(&format!("dyn[{}]", names.join(", ")), Some(value));
            }
            ExprKind::Trap(code, message) => self.optional(&format!("trap {code:?}"), message.as_ref()),
        }
    }

    fn block(&mut self, statements: &[Stmt], value: Option<&Expr>) {
        self.text("{");
        self.depth += 1;
        for statement in statements {
            self.line();
            match statement {
                Stmt::Let(pattern, value) => {
                    self.pattern(pattern);
                    self.optional(&format!(": {} =", pattern.ty), Some(value));
                }
                Stmt::Expr(e) => {
                    self.expr(e);
                    self.text(";");
                }
                Stmt::Defer(e) => self.optional("D", Some(e)),
            }
        }
        if let Some(value) = value {
            self.line();
            self.expr(value);
        }
        self.depth -= 1;
        self.line();
        self.text("}");
    }

    fn format(&mut self, target: crate::hir::FormatTarget, pieces: &[FormatPiece]) {
        self.text(format!("format {target:?}("));
        for (index, piece) in pieces.iter().enumerate() {
            if index > 0 {
                self.text(", ");
            }
            match piece {
                FormatPiece::Text(text) => self.text(format!("{text:?}")),
                FormatPiece::Value(value, _) => self.expr(value),
            }
        }
        self.text(")");
    }

    fn callee(&mut self, callee: &Callee) {
        match callee {
            Callee::Function(instance) => self.text(instance.to_string()),
            Callee::Host(name) => self.text(format!("host {name}")),
            Callee::C(function) => self.text(format!("C {}", function.symbol)),
            Callee::Value(value) => self.list("(", std::slice::from_ref(&**value), ")"),
            Callee::Dyn(index, _) => self.text(format!("method {index}")),
            Callee::Builtin(which) => self.text(format!("{which:?}").to_lowercase()),
        }
    }

    fn pattern(&mut self, pattern: &Pattern) {
        match &pattern.kind {
            PatternKind::Wildcard => self.text("_"),
            PatternKind::Bind(local, inner) => {
                let local = self.local(*local);
                self.text(local);
                if let Some(inner) = inner {
                    self.text(" @ ");
                    self.pattern(inner);
                }
            }
            PatternKind::Constant(e) => self.expr(e),
            PatternKind::Range(start, end, inclusive) => {
                start.iter().for_each(|e| self.expr(e));
                self.text(if *inclusive { "..=" } else { ".." });
                end.iter().for_each(|e| self.expr(e));
            }
            PatternKind::Variant(number, parts) => {
                self.text(format!("#{number}("));
                self.patterns(parts.iter());
            }
            PatternKind::Fields(parts) => {
                self.text("(");
                self.patterns(parts.iter().map(|(_, part)| part));
            }
            PatternKind::Or(parts) => {
                for (index, part) in parts.iter().enumerate() {
                    if index > 0 {
                        self.text(" | ");
                    }
                    self.pattern(part);
                }
            }
        }
    }

    fn patterns<'p>(&mut self, parts: impl Iterator<Item = &'p Pattern>) {
        for (index, part) in parts.enumerate() {
            if index > 0 {
                self.text(", ");
            }
            self.pattern(part);
        }
        self.text(")");
    }
}
