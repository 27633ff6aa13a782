//! What of a function's old text is what of its new one: loops, locals and deferred blocks.

use rustc_hash::{FxHashMap, FxHashSet};
use vaisjit_semantics::Ty;
use vaisjit_semantics::hir::{Body, Expr, ExprKind, LocalId, LoopId, Pattern, PatternKind, Stmt, children};
use vaisjit_syntax::{Name, Span};

use super::matching::{self, Lost, Node};
use super::parts::{self, Bag, Namer, likeness};
use super::{CarryKey, LoopState, locals};
use crate::lower::defers;

/// The name of what nobody takes over.
const GONE: &str = "{gone}";
/// Deferred blocks less similar than this are others, unless there is just one left on both sides. Chosen by feel.
const LEAST: u64 = 300;

/// The name and number of a [`CarryKey`].
type Key = (Name, u32);

/// What of a function's old text is what of its new one.
#[derive(Clone, Default, Debug)]
pub struct Counterpart {
    /// The loops that go on as others.
    pub loops: Vec<(LoopId, LoopId)>,
    /// The loops of the old text that do not.
    pub lost: Vec<(LoopId, Lost)>,
    /// The locals that keep their values.
    pub locals: Vec<(LocalId, LocalId)>,
    /// The deferred blocks, by number in the order of the source.
    pub defers: Vec<(u32, u32)>,
    /// The loops of the old text that run over something of another sort now, or stand in one that does.
    pub turned: Vec<LoopId>,
    /// New names of what is carried.
    names: FxHashMap<Key, Key>,
}

/// The number of each local of a body among those of its name.
pub(crate) fn numbers(body: &Body) -> Vec<u32> {
    let mut counts: FxHashMap<Name, u32> = FxHashMap::default();
    let number = |name: Name| {
        let count = counts.entry(name).or_default();
        *count += 1;
        *count - 1
    };
    body.locals.values().map(|local| local.name).map(number).collect()
}

/// The local of a body that has this key; hidden values have none.
pub fn local_of(body: &Body, key: CarryKey) -> Option<LocalId> {
    let named = body.locals.iter().filter(|(_, local)| local.name == key.name);
    named.map(|(id, _)| id).nth(key.nth as usize)
}

/// What the hidden state of a loop over elements is named after.
pub(crate) fn label(pattern: &Pattern, body: &Body) -> Name {
    match pattern.kind {
        PatternKind::Bind(local, _) => body.locals[local].name,
        _ => "each".into(),
    }
}

impl Counterpart {
    /// Compares two versions of a function. `converts` tells whether a local of one type may go on as one of another.
    pub fn between(old: &Body, new: &Body, converts: &dyn Fn(Ty, Ty) -> bool) -> Counterpart {
        let shared = parts::shared_names(old, new);
        let (before, after) = (matching::loops(old, &shared), matching::loops(new, &shared));
        let matched = matching::matched(&before, &after);
        let pairs: Vec<(&Node<'_>, &Node<'_>)> =
            matched.pairs.iter().map(|(from, to)| (&before[*from], &after[*to])).collect();
        let mut found = Counterpart {
            loops: pairs.iter().map(|(from, to)| (from.id, to.id)).collect(),
            lost: matched.lost.iter().map(|(at, lost)| (before[*at].id, lost.clone())).collect(),
            locals: locals::matched((old, new), &pairs, &shared),
            defers: deferred((old, new), &shared),
            ..Counterpart::default()
        };
        found.locals.retain(|(from, to)| {
            let (from, to) = (old.locals[*from].ty, new.locals[*to].ty);
            from == to || converts(from, to)
        });
        found.turned = turned(&before, &matched.pairs, &after);
        found.forget_addresses(old, new);
        found.name((old, new), &pairs, &shared);
        found
    }

    /// The loop of the new text that a loop goes on as, or why there is none.
    pub fn of(&self, id: LoopId) -> Result<LoopId, Lost> {
        let same = self.loops.iter().find(|(from, _)| *from == id).map(|(_, to)| *to);
        let why = || self.lost.iter().find(|(from, _)| *from == id).map_or(Lost::Gone, |(_, why)| why.clone());
        same.ok_or_else(why)
    }

    /// What a loop hands over, under the names of the new text.
    pub fn under_new_names(&self, state: &LoopState) -> LoopState {
        let mut state = state.clone();
        let mut gone: Vec<(Name, u32)> = Vec::new();
        for value in &mut state.values {
            let key = (value.key.name, value.key.nth);
            (value.key.name, value.key.nth) = self.names.get(&key).copied().unwrap_or_else(|| {
                if is_passed_on(key.0) {
                    return key;
                }
                let number = gone.iter().position(|known| *known == key).unwrap_or_else(|| {
                    gone.push(key);
                    gone.len() - 1
                });
                (GONE.into(), number as u32)
            });
        }
        state
    }

    /// The key that a key of the old text has in the new one; none for what is gone.
    pub fn key(&self, key: CarryKey) -> Option<CarryKey> {
        let (name, nth) = match self.names.get(&(key.name, key.nth)) {
            Some(named) => *named,
            None => is_passed_on(key.name).then_some((key.name, key.nth))?,
        };
        Some(CarryKey { name, nth, ..key })
    }

    /// A pointer to a local whose place changes is made again.
    fn forget_addresses(&mut self, old: &Body, new: &Body) {
        let assigned = crate::lower::assigned(new);
        let starts = starts(new);
        let stays = |locals: &[(LocalId, LocalId)], id: LocalId| {
            locals.iter().any(|(from, to)| *to == id && old.locals[*from].ty == new.locals[*to].ty)
        };
        loop {
            let known = self.locals.clone();
            self.locals.retain(|(_, to)| {
                let start = starts.get(to).filter(|_| !assigned.contains(to));
                let of = start.and_then(|start| match &*start.kind {
                    ExprKind::AddressOf(place) => crate::lower::root(place),
                    _ => None,
                });
                of.is_none_or(|of| stays(&known, of))
            });
            if self.locals.len() == known.len() {
                return;
            }
        }
    }

    fn name(&mut self, (old, new): (&Body, &Body), loops: &[(&Node<'_>, &Node<'_>)], shared: &FxHashSet<Name>) {
        let (before, after) = (numbers(old), numbers(new));
        let key = |body: &Body, numbers: &[u32], id: LocalId| {
            (body.locals[id].name, numbers[u32::from(id.into_raw()) as usize])
        };
        let old_key = |id: LocalId| key(old, &before, id);
        let new_key = |id: LocalId| key(new, &after, id);
        self.names.extend(self.locals.iter().map(|(from, to)| (old_key(*from), new_key(*to))));
        for (from, to) in &self.defers {
            self.names.insert((counter(*from), 0), (counter(*to), 0));
        }
        for (from, to) in loops {
            let (Some(before), Some(after)) = (state_label(from.expr, old), state_label(to.expr, new)) else {
                continue;
            };
            // What is written otherwise now is found out again.
            let stays = head_value(from.expr, old, shared) == head_value(to.expr, new, shared);
            let parts = ["at", "end", "of", "in.0", "in.1", "in.2", "in.3"];
            for what in parts.into_iter().take(if stays { usize::MAX } else { 1 }) {
                let named = |label: Name| Name::new(&format!("{{{label}.{what}}}"));
                self.names.insert((named(before), from.id.0), (named(after), to.id.0));
            }
        }
        self.name_counters((old, new), loops, (&old_key, &new_key));
    }

    /// A local that a `while` loop counts with becomes the variable of a loop over a range, or the other way round.
    fn name_counters(
        &mut self,
        (old, new): (&Body, &Body),
        loops: &[(&Node<'_>, &Node<'_>)],
        (old_key, new_key): (&dyn Fn(LocalId) -> Key, &dyn Fn(LocalId) -> Key),
    ) {
        for (from, to) in loops {
            let (before, after) = (range_variable(from.expr), range_variable(to.expr));
            let state =
                |body: &Body, id: LocalId, of: LoopId| (Name::new(&format!("{{{}.at}}", body.locals[id].name)), of.0);
            for (one, other) in self.locals.clone() {
                if before.is_none() && after == Some(other) {
                    self.names.insert(old_key(one), state(new, other, to.id));
                } else if after.is_none() && before == Some(one) {
                    self.names.remove(&old_key(one));
                    self.names.insert(state(old, one, from.id), new_key(other));
                }
            }
        }
    }
}

/// A name that stands for the same in all versions.
fn is_passed_on(name: Name) -> bool {
    ["{owned}", "{kept}", "{captured}", "{result}", GONE].contains(&name.as_str())
}

fn counter(number: u32) -> Name {
    Name::new(&format!("{{defer.{number}}}"))
}

/// What the hidden state of a loop is named after.
fn state_label(expr: &Expr, body: &Body) -> Option<Name> {
    match &*expr.kind {
        ExprKind::ForRange { local, .. } => Some(body.locals[*local].name),
        ExprKind::ForEach { pattern, .. } => Some(label(pattern, body)),
        _ => None,
    }
}

/// The end of a loop over a range, or what a loop runs over, as it is written.
fn head_value(expr: &Expr, body: &Body, shared: &FxHashSet<Name>) -> Option<u64> {
    let namer = Namer { body, shared, own: None };
    match &*expr.kind {
        ExprKind::ForRange { end, .. } => Some(namer.whole(end)),
        ExprKind::ForEach { over, .. } => Some(namer.whole(over)),
        _ => None,
    }
}

fn range_variable(expr: &Expr) -> Option<LocalId> {
    match &*expr.kind {
        ExprKind::ForRange { local, .. } => Some(*local),
        _ => None,
    }
}

/// The deferred blocks that belong together: equals in order, then the most similar.
fn deferred((old, new): (&Body, &Body), shared: &FxHashSet<Name>) -> Vec<(u32, u32)> {
    let bags = |body: &Body| {
        let namer = Namer { body, shared, own: None };
        let bag = |expr: &&Expr| {
            let mut bag = Bag::default();
            namer.count(expr, &mut bag);
            bag
        };
        defers(body).iter().map(bag).collect::<Vec<Bag>>()
    };
    let (before, after) = (bags(old), bags(new));
    let mut scored: Vec<(u64, usize, usize)> = Vec::new();
    for (at, one) in before.iter().enumerate() {
        scored.extend(after.iter().enumerate().map(|(to, other)| (likeness(one, other), at, to)));
    }
    scored.sort_by_key(|(score, at, to)| (std::cmp::Reverse(*score), at.abs_diff(*to), *at));
    let mut pairs: Vec<(u32, u32)> = Vec::new();
    for (score, at, to) in scored {
        let last = before.len() == pairs.len() + 1 && after.len() == pairs.len() + 1;
        let taken = pairs.iter().any(|(one, other)| *one == at as u32 || *other == to as u32);
        if !taken && (score >= LEAST || last) {
            pairs.push((at as u32, to as u32));
        }
    }
    pairs
}

/// The loops that ran over a range and run over a collection, or the other way round, and the loops in them.
fn turned(before: &[Node<'_>], pairs: &[(usize, usize)], after: &[Node<'_>]) -> Vec<LoopId> {
    let sort = |node: &Node<'_>| match &*node.expr.kind {
        ExprKind::ForRange { .. } => Some(true),
        ExprKind::ForEach { .. } => Some(false),
        _ => None,
    };
    let turns =
        |(from, to): &&(usize, usize)| sort(&before[*from]).zip(sort(&after[*to])).is_some_and(|(old, new)| old != new);
    let turned: Vec<usize> = pairs.iter().filter(turns).map(|(from, _)| *from).collect();
    let in_turned = |(at, node): &(usize, &Node<'_>)| turned.iter().any(|one| one == at || node.around.contains(one));
    before.iter().enumerate().filter(in_turned).map(|(_, node)| node.id).collect()
}

/// The initial values of a body's locals, where they have just one name, and of the variables of loops over ranges.
pub fn starts(body: &Body) -> FxHashMap<LocalId, &Expr> {
    let mut found = FxHashMap::default();
    collect_starts(&body.value, &mut found);
    found
}

fn collect_starts<'a>(expr: &'a Expr, found: &mut FxHashMap<LocalId, &'a Expr>) {
    if let ExprKind::Block(statements, _) = &*expr.kind {
        for statement in statements {
            if let Stmt::Let(pattern, value) = statement
                && let PatternKind::Bind(local, _) = pattern.kind
            {
                found.insert(local, value);
            }
        }
    }
    if let ExprKind::ForRange { local, start, .. } = &*expr.kind {
        found.insert(*local, start);
    }
    children(expr, &mut |child| collect_starts(child, found));
}

/// The local whose value a carried value is: a named one, or the variable of a loop over a range.
pub fn carried_local(body: &Body, key: CarryKey) -> Option<LocalId> {
    let counter = || {
        key.name.strip_suffix(".at}")?;
        let nodes = matching::loops(body, &FxHashSet::default());
        let of = nodes.iter().find(|node| node.id == LoopId(key.nth))?;
        range_variable(of.expr)
    };
    local_of(body, key).or_else(counter)
}

/// Where a loop stands.
pub fn loop_span(body: &Body, id: LoopId) -> Option<Span> {
    let nodes = matching::loops(body, &FxHashSet::default());
    nodes.iter().find(|node| node.id == id).map(|node| node.expr.span)
}
