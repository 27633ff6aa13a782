//! What expressions are made of, as numbers that can be compared between two versions of a function.

use std::hash::{Hash, Hasher};
use std::mem::discriminant;

use rustc_hash::{FxHashMap, FxHashSet, FxHasher};
use vaisjit_semantics::hir::{
    Body, Callee, Expr, ExprKind, FormatPiece, LocalId, Pattern, PatternKind, Stmt, children,
};
use vaisjit_syntax::Name;

/// The likeness of equals.
pub(super) const EQUAL: u64 = 1000;
/// How much more a whole statement counts than one of its parts.
const STATEMENT: u32 = 2;

/// Things with how often they are there.
pub(super) type Bag = FxHashMap<u64, u32>;

/// How locals are told apart: those whose name only one of two bodies has look all the same, for they may be renamed.
pub(super) struct Namer<'a> {
    pub body: &'a Body,
    /// The names that both have.
    pub shared: &'a FxHashSet<Name>,
    /// Looks like no other.
    pub own: Option<LocalId>,
}

/// How much of two bags is in both, of [`EQUAL`].
pub(super) fn likeness(old: &Bag, new: &Bag) -> u64 {
    let count = |bag: &Bag| bag.values().map(|count| u64::from(*count)).sum::<u64>();
    let all = count(old) + count(new);
    let common: u64 = old.iter().map(|(part, count)| u64::from(*new.get(part).unwrap_or(&0).min(count))).sum();
    (2 * EQUAL * common).checked_div(all).unwrap_or(EQUAL)
}

/// The names that both bodies have.
pub(super) fn shared_names(old: &Body, new: &Body) -> FxHashSet<Name> {
    let names = |body: &Body| body.locals.values().map(|local| local.name).collect::<FxHashSet<Name>>();
    names(old).intersection(&names(new)).copied().collect()
}

impl Namer<'_> {
    /// Adds an expression's parts, and its statements as wholes.
    pub fn count(&self, expr: &Expr, bag: &mut Bag) {
        let mut add = |part: u64, weight: u32| *bag.entry(part).or_default() += weight;
        match &*expr.kind {
            ExprKind::Block(statements, _) => {
                statements.iter().for_each(|statement| add(self.statement(statement), STATEMENT));
            }
            _ => add(self.part(expr), 1),
        }
        texts(expr).for_each(|text| add(hash(text), 1));
        children(expr, &mut |child| self.count(child, bag));
    }

    /// A whole expression.
    pub fn whole(&self, expr: &Expr) -> u64 {
        let mut hasher = FxHasher::default();
        self.part(expr).hash(&mut hasher);
        texts(expr).for_each(|text| text.hash(&mut hasher));
        match &*expr.kind {
            ExprKind::Block(statements, value) => {
                statements.iter().for_each(|statement| self.statement(statement).hash(&mut hasher));
                value.iter().for_each(|value| self.whole(value).hash(&mut hasher));
            }
            _ => children(expr, &mut |child| self.whole(child).hash(&mut hasher)),
        }
        hasher.finish()
    }

    fn statement(&self, statement: &Stmt) -> u64 {
        let mut hasher = FxHasher::default();
        discriminant(statement).hash(&mut hasher);
        match statement {
            Stmt::Let(pattern, value) => {
                self.pattern(pattern, &mut hasher);
                self.whole(value).hash(&mut hasher);
            }
            Stmt::Expr(value) | Stmt::Defer(value) => self.whole(value).hash(&mut hasher),
        }
        hasher.finish()
    }

    /// What an expression is, without its parts and places.
    pub fn part(&self, expr: &Expr) -> u64 {
        let mut hasher = FxHasher::default();
        discriminant(&*expr.kind).hash(&mut hasher);
        match &*expr.kind {
            ExprKind::Int(value) => value.hash(&mut hasher),
            ExprKind::Float(bits) => bits.hash(&mut hasher),
            ExprKind::Bool(value) => value.hash(&mut hasher),
            ExprKind::Str(text) => text.hash(&mut hasher),
            ExprKind::Local(local) => self.name(*local).hash(&mut hasher),
            ExprKind::ForRange { local, inclusive, .. } => (self.name(*local), inclusive).hash(&mut hasher),
            ExprKind::ForEach { pattern, .. } => self.pattern(pattern, &mut hasher),
            ExprKind::Match(_, arms) => arms.iter().for_each(|arm| self.pattern(&arm.pattern, &mut hasher)),
            ExprKind::Global(path) => path.hash(&mut hasher),
            ExprKind::Unary(op, _) => op.hash(&mut hasher),
            ExprKind::Binary(op, ..) | ExprKind::AssignOp(op, ..) => op.hash(&mut hasher),
            ExprKind::Field(_, field) => field.hash(&mut hasher),
            ExprKind::Function(callee) | ExprKind::Call(callee, _) => callee_part(callee, &mut hasher),
            ExprKind::Variant(number, _) => number.hash(&mut hasher),
            ExprKind::Format(_, pieces) => {
                pieces.iter().filter(|piece| matches!(piece, FormatPiece::Value(..))).count().hash(&mut hasher);
            }
            ExprKind::Closure(body, _) => {
                Namer { body, shared: self.shared, own: None }.whole(&body.value).hash(&mut hasher);
            }
            _ => {}
        }
        hasher.finish()
    }

    /// What a local is known by; none if it may have been renamed.
    fn name(&self, local: LocalId) -> Option<(Name, bool)> {
        let name = self.body.locals[local].name;
        match self.own == Some(local) {
            true => Some((Name::new(""), true)),
            false => self.shared.contains(&name).then_some((name, false)),
        }
    }

    fn pattern(&self, pattern: &Pattern, hasher: &mut FxHasher) {
        discriminant(&pattern.kind).hash(hasher);
        match &pattern.kind {
            PatternKind::Wildcard => {}
            PatternKind::Bind(local, inner) => {
                self.name(*local).hash(hasher);
                inner.iter().for_each(|inner| self.pattern(inner, hasher));
            }
            PatternKind::Constant(value) => self.whole(value).hash(hasher),
            PatternKind::Range(from, to, inclusive) => {
                inclusive.hash(hasher);
                from.iter().chain(to).for_each(|end| self.whole(end).hash(hasher));
            }
            PatternKind::Variant(number, parts) => {
                number.hash(hasher);
                parts.iter().for_each(|part| self.pattern(part, hasher));
            }
            PatternKind::Fields(fields) => fields.iter().for_each(|(number, part)| {
                number.hash(hasher);
                self.pattern(part, hasher);
            }),
            PatternKind::Or(alternatives) => alternatives.iter().for_each(|one| self.pattern(one, hasher)),
        }
    }
}

/// The literal texts of formatted output.
fn texts(expr: &Expr) -> impl Iterator<Item = &str> {
    let pieces = match &*expr.kind {
        ExprKind::Format(_, pieces) => &pieces[..],
        _ => &[],
    };
    pieces.iter().filter_map(|piece| match piece {
        FormatPiece::Text(text) => Some(&**text),
        FormatPiece::Value(..) => None,
    })
}

fn hash(text: &str) -> u64 {
    let mut hasher = FxHasher::default();
    text.hash(&mut hasher);
    hasher.finish()
}

fn callee_part(callee: &Callee, hasher: &mut FxHasher) {
    discriminant(callee).hash(hasher);
    match callee {
        Callee::Function(instance) => instance.path.hash(hasher),
        Callee::Host(name) => name.hash(hasher),
        Callee::C(function) => function.symbol.hash(hasher),
        Callee::Builtin(builtin) => builtin.hash(hasher),
        Callee::Value(_) | Callee::Dyn(..) => {}
    }
}
