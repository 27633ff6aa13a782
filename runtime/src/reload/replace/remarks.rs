//! What a report says of the locals and deferred blocks of a loop that goes on in new code.

use rustc_hash::FxHashSet;
use vaisjit_codegen::lower::defers;
use vaisjit_codegen::resume::{Counterpart, LoopState, carried_local, loop_id, starts};
use vaisjit_semantics::hir::{Body, Expr, ExprKind, LocalId, LoopId, Pattern, PatternKind, Stmt, children};
use vaisjit_semantics::{Ty, TyKind, TyList};
use vaisjit_syntax::{Name, Span};

use crate::heap::migrate::Scalar;
use crate::reload::diff::retyped;

/// How many characters of an initial value are shown.
const SHOWN: usize = 40;

/// A version of a function, with a way to its text.
pub(super) struct Version<'a> {
    pub body: &'a Body,
    pub text: &'a dyn Fn(Span) -> Option<String>,
}

/// What is in scope at a loop.
#[derive(Default)]
struct Scope {
    locals: Vec<LocalId>,
    /// Deferred blocks, by number.
    defers: Vec<u32>,
}

/// Remarks on what a loop of a function holds, when it goes on as the loop `at` of the new text.
pub(super) fn remarks(
    function: &str,
    state: &LoopState,
    counterpart: &Counterpart,
    (old, new): (&Version<'_>, &Version<'_>),
    at: LoopId,
    differing: &dyn Fn(Ty, Ty) -> (Vec<Name>, Vec<Name>),
) -> Vec<String> {
    let mut remarks = Remarks { function, old, new, differing, found: Vec::new() };
    let scope = Scope::at(new.body, at);
    let held: FxHashSet<LocalId> = state.values.iter().filter_map(|value| carried_local(old.body, value.key)).collect();
    for (from, to) in counterpart.locals.iter().filter(|(from, to)| held.contains(from) && scope.locals.contains(to)) {
        remarks.kept(*from, *to, counterpart);
    }
    let of = |to: &LocalId| counterpart.locals.iter().find(|(_, new)| new == to).map(|(old, _)| *old);
    for to in scope.locals.iter().filter(|to| of(to).is_none_or(|from| !held.contains(&from))) {
        remarks.added(*to, &held);
    }
    let taken: FxHashSet<LocalId> =
        counterpart.locals.iter().filter(|(_, to)| scope.locals.contains(to)).map(|(from, _)| *from).collect();
    // What a deferred block holds while it runs is none of the loop's.
    let stood = Scope::at(old.body, state.id);
    for from in held.iter().filter(|from| !taken.contains(from) && stood.locals.contains(from)) {
        remarks.gone(*from, &scope);
    }
    remarks.deferred(counterpart, &scope);
    remarks.found
}

/// May numbers in a value of one type not fit into the other that it becomes?
fn narrows(old: Ty, new: Ty) -> bool {
    let all = |old: TyList, new: TyList| old.iter().zip(new.iter()).any(|(old, new)| narrows(*old, *new));
    match (old.kind(), new.kind()) {
        (
            TyKind::Vec(a) | TyKind::Box(a) | TyKind::Array(a, _),
            TyKind::Vec(b) | TyKind::Box(b) | TyKind::Array(b, _),
        ) => narrows(*a, *b),
        (TyKind::HashMap(a, c), TyKind::HashMap(b, d)) => narrows(*a, *b) || narrows(*c, *d),
        (TyKind::Tuple(a), TyKind::Tuple(b)) => all(*a, *b),
        (TyKind::Enum(_, a), TyKind::Enum(_, b)) => all(*a, *b),
        _ => Scalar::of(old).zip(Scalar::of(new)).is_some_and(|(old, new)| old.may_exceed(new)),
    }
}

struct Remarks<'a> {
    function: &'a str,
    old: &'a Version<'a>,
    new: &'a Version<'a>,
    /// The fields of a struct of which nothing goes on in another one, and those that start from nothing there.
    differing: &'a dyn Fn(Ty, Ty) -> (Vec<Name>, Vec<Name>),
    found: Vec<String>,
}

impl Remarks<'_> {
    fn kept(&mut self, from: LocalId, to: LocalId, counterpart: &Counterpart) {
        let (before, after) = (&self.old.body.locals[from], &self.new.body.locals[to]);
        if is_hidden(after.name.as_str()) {
            return;
        }
        let name = format!("`{}` in the running `{}`", after.name, self.function);
        let start = |version: &Version<'_>, of: LocalId| version.start(of).map(|text| squeezed(&text));
        let renamed = before.name != after.name;
        let keeps =
            if renamed { format!("takes over the value of `{}`", before.name) } else { "keeps its value".into() };
        if before.ty != after.ty {
            let own = match after.ty.kind() {
                TyKind::Vec(_) => ", as a list of its own",
                TyKind::HashMap(..) => ", as a map of its own",
                _ => "",
            };
            let cut = if narrows(before.ty, after.ty) { "; numbers that do not fit take the nearest one" } else { "" };
            let types = format!("`{}` to `{}`", before.ty, after.ty);
            let differing = self.differing(before.ty, after.ty);
            self.found.push(format!("{name} {keeps}, converted from {types}{own}{cut}{differing}"));
        } else if renamed {
            self.found.push(format!("{name} {keeps}"));
        } else if let (Some(old), Some(new)) = (start(self.old, from), start(self.new, to))
            && self.under_new_names(&old, counterpart) != new
        {
            self.found.push(format!("{name} {keeps}: only its initial value changed"));
        }
    }

    /// What a struct loses that becomes another one, and what it gets from nowhere.
    fn differing(&self, before: Ty, after: Ty) -> String {
        match (before.kind(), after.kind()) {
            (
                TyKind::Vec(a) | TyKind::Box(a) | TyKind::Array(a, _) | TyKind::HashMap(_, a),
                TyKind::Vec(b) | TyKind::Box(b) | TyKind::Array(b, _) | TyKind::HashMap(_, b),
            ) => return self.differing(*a, *b),
            (TyKind::Struct(..), TyKind::Struct(..)) => {}
            _ => return String::new(),
        }
        let (dropped, started) = (self.differing)(before, after);
        let list = |names: &[Name]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let without = if dropped.is_empty() { String::new() } else { format!(", without {}", list(&dropped)) };
        match started.is_empty() {
            true => without,
            false => {
                format!("{without}; what is declared for {} is not computed, it starts from nothing", list(&started))
            }
        }
    }

    /// An expression with the names that its locals have now.
    fn under_new_names(&self, text: &str, counterpart: &Counterpart) -> String {
        let renamed = counterpart
            .locals
            .iter()
            .map(|(from, to)| (self.old.body.locals[*from].name, self.new.body.locals[*to].name));
        let renamed: Vec<(Name, Name)> = renamed.filter(|(from, to)| from != to).collect();
        let in_word = |c: char| c.is_alphanumeric() || c == '_';
        let words = text.split_inclusive(|c| !in_word(c)).map(|piece| {
            let word = piece.trim_end_matches(|c| !in_word(c));
            match renamed.iter().find(|(from, _)| from.as_str() == word) {
                Some((_, to)) => format!("{to}{}", &piece[word.len()..]),
                None => piece.to_owned(),
            }
        });
        words.collect()
    }

    /// A local that starts afresh.
    fn added(&mut self, to: LocalId, held: &FxHashSet<LocalId>) {
        let after = &self.new.body.locals[to];
        let Some(start) = self.new.start(to).filter(|_| !is_hidden(after.name.as_str())) else { return };
        let name = format!("`{}` in the running `{}`", after.name, self.function);
        let mut chars = start.trim().chars();
        let mut start: String = chars.by_ref().take(SHOWN).collect();
        start += if chars.next().is_some() { "..." } else { "" };
        let before = held.iter().map(|from| &self.old.body.locals[*from]).find(|before| before.name == after.name);
        self.found.push(match before.filter(|before| before.ty != after.ty) {
            Some(before) => {
                format!("{name} {}, which cannot be converted: it starts with `{start}`", retyped(before.ty, after.ty))
            }
            None => format!("{name} is new: it starts with `{start}`"),
        });
    }

    fn gone(&mut self, from: LocalId, scope: &Scope) {
        let name = self.old.body.locals[from].name;
        let again = scope.locals.iter().any(|to| self.new.body.locals[*to].name == name);
        if !again && !is_hidden(name.as_str()) {
            self.found.push(format!("`{name}` in the running `{}` is gone: its value is dropped", self.function));
        }
    }

    fn deferred(&mut self, counterpart: &Counterpart, scope: &Scope) {
        for number in 0..defers(self.old.body).len() as u32 {
            if !counterpart.defers.iter().any(|(from, _)| *from == number) {
                self.found
                    .push(format!("a `D` of the running `{}` is gone: what it put off does not run", self.function));
            }
        }
        for number in &scope.defers {
            if !counterpart.defers.iter().any(|(_, to)| to == number) {
                let function = self.function;
                self.found.push(format!(
                    "a `D` is new above the running loop of `{function}`: it runs when `{function}` ends"
                ));
            }
        }
    }
}

impl Version<'_> {
    /// The initial value of a local, as it is written.
    fn start(&self, of: LocalId) -> Option<String> {
        (self.text)(starts(self.body).get(&of)?.span)
    }
}

fn is_hidden(name: &str) -> bool {
    name.starts_with('{') || name.is_empty()
}

/// White space left out.
fn squeezed(text: &str) -> String {
    text.split_whitespace().collect()
}

impl Scope {
    /// Of a loop of a body; empty if it is not there.
    fn at(body: &Body, at: LoopId) -> Scope {
        let mut scope = Scope { locals: body.params.clone(), defers: Vec::new() };
        let deferred = defers(body);
        if !scope.search(&body.value, at, &deferred) {
            return Scope::default();
        }
        scope
    }

    fn search(&mut self, expr: &Expr, at: LoopId, deferred: &[&Expr]) -> bool {
        if loop_id(expr) == Some(at) {
            self.bind_head(expr);
            return true;
        }
        let (locals, defers) = (self.locals.len(), self.defers.len());
        self.bind_head(expr);
        let mut inside = false;
        match &*expr.kind {
            ExprKind::Block(statements, value) => {
                for statement in statements {
                    inside = inside || self.statement(statement, at, deferred);
                }
                inside = inside || value.as_ref().is_some_and(|value| self.search(value, at, deferred));
            }
            ExprKind::Match(value, arms) => {
                inside = self.search(value, at, deferred);
                for arm in arms {
                    let outside = self.locals.len();
                    if !inside {
                        self.bind(&arm.pattern);
                        inside = self.search(&arm.body, at, deferred);
                    }
                    if !inside {
                        self.locals.truncate(outside);
                    }
                }
            }
            _ => children(expr, &mut |child| inside = inside || self.search(child, at, deferred)),
        }
        if !inside {
            self.locals.truncate(locals);
            self.defers.truncate(defers);
        }
        inside
    }

    fn statement(&mut self, statement: &Stmt, at: LoopId, deferred: &[&Expr]) -> bool {
        match statement {
            Stmt::Let(pattern, value) => {
                let inside = self.search(value, at, deferred);
                if !inside {
                    self.bind(pattern);
                }
                inside
            }
            Stmt::Expr(value) => self.search(value, at, deferred),
            Stmt::Defer(value) => {
                let inside = self.search(value, at, deferred);
                if let Some(number) = deferred.iter().position(|known| std::ptr::eq(*known, value)).filter(|_| !inside)
                {
                    self.defers.push(number as u32);
                }
                inside
            }
        }
    }

    fn bind_head(&mut self, expr: &Expr) {
        match &*expr.kind {
            ExprKind::ForRange { local, .. } => self.locals.push(*local),
            ExprKind::ForEach { pattern, .. } => self.bind(pattern),
            _ => {}
        }
    }

    fn bind(&mut self, pattern: &Pattern) {
        match &pattern.kind {
            PatternKind::Bind(local, inner) => {
                self.locals.push(*local);
                inner.iter().for_each(|inner| self.bind(inner));
            }
            PatternKind::Variant(_, parts) => parts.iter().for_each(|part| self.bind(part)),
            PatternKind::Fields(fields) => fields.iter().for_each(|(_, part)| self.bind(part)),
            PatternKind::Or(alternatives) => alternatives.iter().take(1).for_each(|one| self.bind(one)),
            PatternKind::Wildcard | PatternKind::Constant(_) | PatternKind::Range(..) => {}
        }
    }
}
