//! Which local of a function's new text is which of its old one.
//!
//! Loop variables go with their loops, all others with those of the same name; where several have it, with those whose
//! initial value, type and uses are most alike. What is left over on both sides may have been renamed: a parameter at the
//! same place, a local of the same type that is used in the same way, or the only one of its struct or enum, if no other
//! could be meant.

use std::hash::{Hash, Hasher};

use rustc_hash::{FxHashMap, FxHashSet, FxHasher};
use vaisjit_semantics::hir::{BinaryOp, Body, Expr, ExprKind, LocalId, Pattern, PatternKind, Stmt, children};
use vaisjit_semantics::{Ty, TyKind};
use vaisjit_syntax::Name;

use super::matching::Node;
use super::parts::{Bag, EQUAL, Namer, likeness};

/// What a local with another name and the same initial value must have in common of its uses. Chosen by feel.
const SAME_START: u64 = 300;
/// The same with another initial value. Chosen by feel.
const OTHER_START: u64 = 800;
/// What differs by less is as similar. Chosen by feel.
const MARGIN: u64 = 100;

/// A local, as it is declared and used.
struct Declared {
    id: LocalId,
    ty: Ty,
    name: Name,
    /// Its initial value as it is written.
    start: Option<u64>,
    /// The expressions it is part of.
    uses: Bag,
}

/// The locals that belong together.
pub(super) fn matched(
    (old, new): (&Body, &Body),
    loops: &[(&Node<'_>, &Node<'_>)],
    shared: &FxHashSet<Name>,
) -> Vec<(LocalId, LocalId)> {
    let mut pairs = Pairs::default();
    for (old_loop, new_loop) in loops {
        pairs.add_variables((old, old_loop.expr), (new, new_loop.expr));
    }
    let (before, after) = (declared(old, shared), declared(new, shared));
    for name in names(old) {
        pairs.add_named(name, &before, &after);
    }
    for (old_loop, new_loop) in loops {
        pairs.add_counters((old, old_loop.expr), (new, new_loop.expr));
    }
    pairs.add_parameters(old, new);
    pairs.add_renamed(&before, &after);
    pairs.list
}

/// The names of a body's locals, each once, in order.
fn names(body: &Body) -> Vec<Name> {
    let mut seen = FxHashSet::default();
    body.locals.values().map(|local| local.name).filter(|name| seen.insert(*name)).collect()
}

#[derive(Default)]
struct Pairs {
    list: Vec<(LocalId, LocalId)>,
    olds: FxHashSet<LocalId>,
    news: FxHashSet<LocalId>,
}

impl Pairs {
    fn add(&mut self, old: LocalId, new: LocalId) {
        if !self.olds.contains(&old) && !self.news.contains(&new) {
            self.olds.insert(old);
            self.news.insert(new);
            self.list.push((old, new));
        }
    }

    /// The variables of two loops: by name, then by place.
    fn add_variables(&mut self, (old, old_loop): (&Body, &Expr), (new, new_loop): (&Body, &Expr)) {
        let (olds, news) = (variables(old_loop), variables(new_loop));
        for before in &olds {
            let same = |after: &&LocalId| new.locals[**after].name == old.locals[*before].name;
            if let Some(after) = news.iter().find(same) {
                self.add(*before, *after);
            }
        }
        if olds.len() == news.len() {
            olds.iter().zip(&news).for_each(|(before, after)| self.add(*before, *after));
        }
    }

    /// Locals with one name.
    fn add_named(&mut self, name: Name, before: &[Declared], after: &[Declared]) {
        let olds: Vec<&Declared> =
            before.iter().filter(|one| one.name == name && !self.olds.contains(&one.id)).collect();
        let news: Vec<&Declared> =
            after.iter().filter(|one| one.name == name && !self.news.contains(&one.id)).collect();
        let mut scored: Vec<(u64, usize, usize)> = Vec::new();
        for (at, one) in olds.iter().enumerate() {
            scored.extend(news.iter().enumerate().map(|(to, other)| (alike(one, other), at, to)));
        }
        scored.sort_by_key(|(score, at, to)| (std::cmp::Reverse(*score), at.abs_diff(*to), *at));
        for (_, at, to) in scored {
            self.add(olds[at].id, news[to].id);
        }
    }

    /// What a loop over a range counts, and what a condition counts.
    fn add_counters(&mut self, (old, old_loop): (&Body, &Expr), (new, new_loop): (&Body, &Expr)) {
        let ranges = [old_loop, new_loop].into_iter().filter(|one| matches!(&*one.kind, ExprKind::ForRange { .. }));
        if ranges.count() == 1
            && let (Some(before), Some(after)) = (counter(old_loop), counter(new_loop))
            && old.locals[before].ty == new.locals[after].ty
        {
            self.add(before, after);
        }
    }

    /// Parameters at the same place that have another name.
    fn add_parameters(&mut self, old: &Body, new: &Body) {
        if old.params.len() != new.params.len() || old.captures != new.captures {
            return;
        }
        for (before, after) in old.params.iter().zip(&new.params) {
            if old.locals[*before].ty == new.locals[*after].ty {
                self.add(*before, *after);
            }
        }
    }

    /// Locals with other names that nobody else can be.
    fn add_renamed(&mut self, before: &[Declared], after: &[Declared]) {
        let olds: Vec<&Declared> = before.iter().filter(|one| !self.olds.contains(&one.id)).collect();
        let news: Vec<&Declared> = after.iter().filter(|one| !self.news.contains(&one.id)).collect();
        let only = |list: &[&Declared], ty: Ty| list.iter().filter(|one| one.ty == ty).count() == 1;
        let mut scores: FxHashMap<(usize, usize), u64> = FxHashMap::default();
        for (at, one) in olds.iter().enumerate() {
            for (to, other) in news.iter().enumerate() {
                let named = matches!(one.ty.kind(), TyKind::Struct(..) | TyKind::Enum(..));
                let alone = named && one.ty == other.ty && only(&olds, one.ty) && only(&news, one.ty);
                let score = if alone { EQUAL } else { renamed(one, other) };
                if score > 0 {
                    scores.insert((at, to), score);
                }
            }
        }
        for ((at, to), score) in &scores {
            let rival = |(pair, other): (&(usize, usize), &u64)| {
                *pair != (*at, *to) && (pair.0 == *at || pair.1 == *to) && other + MARGIN > *score
            };
            if !scores.iter().any(rival) {
                self.add(olds[*at].id, news[*to].id);
            }
        }
    }
}

/// How much two locals with one name have in common.
fn alike(old: &Declared, new: &Declared) -> u64 {
    let same = |same: bool| if same { EQUAL } else { 0 };
    same(old.start == new.start) + same(old.ty == new.ty) + likeness(&old.uses, &new.uses)
}

/// How sure it is that a local has been renamed; 0 if it is not.
fn renamed(old: &Declared, new: &Declared) -> u64 {
    let uses = likeness(&old.uses, &new.uses);
    let (same, least) = match old.start.is_some() && old.start == new.start {
        true => (EQUAL, SAME_START),
        false => (0, OTHER_START),
    };
    let possible = old.ty == new.ty && uses >= least && !old.name.starts_with('{') && !new.name.starts_with('{');
    if possible { same + uses } else { 0 }
}

/// The locals that a loop's head binds.
pub(super) fn variables(expr: &Expr) -> Vec<LocalId> {
    match &*expr.kind {
        ExprKind::ForRange { local, .. } => vec![*local],
        ExprKind::ForEach { pattern, .. } => bound(pattern),
        _ => Vec::new(),
    }
}

/// The local that a loop counts up to an end with.
fn counter(expr: &Expr) -> Option<LocalId> {
    match &*expr.kind {
        ExprKind::ForRange { local, .. } => Some(*local),
        ExprKind::While(_, condition, _) => match &*condition.kind {
            ExprKind::Binary(BinaryOp::Lt | BinaryOp::Le | BinaryOp::Ne, left, _) => match *left.kind {
                ExprKind::Local(local) => Some(local),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

/// The locals that a pattern binds.
fn bound(pattern: &Pattern) -> Vec<LocalId> {
    match &pattern.kind {
        PatternKind::Bind(local, inner) => {
            let inner = inner.iter().flat_map(|inner| bound(inner));
            std::iter::once(*local).chain(inner).collect()
        }
        PatternKind::Variant(_, parts) => parts.iter().flat_map(bound).collect(),
        PatternKind::Fields(fields) => fields.iter().flat_map(|(_, part)| bound(part)).collect(),
        PatternKind::Or(alternatives) => alternatives.iter().take(1).flat_map(bound).collect(),
        PatternKind::Wildcard | PatternKind::Constant(_) | PatternKind::Range(..) => Vec::new(),
    }
}

fn declared(body: &Body, shared: &FxHashSet<Name>) -> Vec<Declared> {
    let local = |(id, local): (LocalId, &vaisjit_semantics::hir::Local)| Declared {
        id,
        ty: local.ty,
        name: local.name,
        start: None,
        uses: Bag::default(),
    };
    let mut reader = Reader { body, shared, found: body.locals.iter().map(local).collect() };
    reader.read(&body.value, None);
    reader.found
}

struct Reader<'a> {
    body: &'a Body,
    shared: &'a FxHashSet<Name>,
    found: Vec<Declared>,
}

impl Reader<'_> {
    fn read(&mut self, expr: &Expr, parent: Option<&Expr>) {
        if let ExprKind::Local(local) = *expr.kind {
            let context = parent.map_or(0, |parent| self.context(parent, expr, local));
            *self.of(local).uses.entry(context).or_default() += 1;
        }
        if let ExprKind::Block(statements, _) = &*expr.kind {
            for statement in statements {
                if let Stmt::Let(pattern, value) = statement
                    && let PatternKind::Bind(local, None) = pattern.kind
                {
                    let namer = Namer { body: self.body, shared: self.shared, own: None };
                    self.of(local).start = Some(namer.whole(value));
                }
            }
        }
        children(expr, &mut |child| self.read(child, Some(expr)));
    }

    fn of(&mut self, local: LocalId) -> &mut Declared {
        &mut self.found[u32::from(local.into_raw()) as usize]
    }

    /// What an expression does with a local in it.
    fn context(&self, parent: &Expr, at: &Expr, local: LocalId) -> u64 {
        let namer = Namer { body: self.body, shared: self.shared, own: Some(local) };
        let mut hasher = FxHasher::default();
        match &*parent.kind {
            // What else stands there has nothing to do with it.
            ExprKind::Block(..)
            | ExprKind::If(..)
            | ExprKind::Match(..)
            | ExprKind::Loop(..)
            | ExprKind::While(..)
            | ExprKind::ForRange { .. }
            | ExprKind::ForEach { .. } => {
                std::mem::discriminant(&*parent.kind).hash(&mut hasher);
                let mut place = 0;
                children(parent, &mut |child| {
                    place += 1;
                    if std::ptr::eq(child, at) {
                        place.hash(&mut hasher);
                    }
                });
            }
            _ => namer.whole(parent).hash(&mut hasher),
        }
        hasher.finish()
    }
}
