//! What is in scope: the locals that polls hand over, and where their values come from.

use rustc_hash::FxHashMap;
use vaisjit_semantics::hir::{Expr, LocalId, LoopId, Pattern, PatternKind};
use vaisjit_syntax::Name;

use super::Lowerer;
use super::owned::ScopeKind;
use crate::mir::{BlockId, Carried, Local, Operand, Place, StatementKind};
use crate::resume::CarryKey;

/// The name of temporaries that a scope owns.
pub(super) const OWNED: &str = "{owned}";

/// A local in scope.
#[derive(Clone, Copy)]
pub(super) struct Visible<'a> {
    pub name: Name,
    /// What tells it from others of the same name; none where they are counted.
    pub nth: Option<u32>,
    pub local: Local,
    pub from: Origin<'a>,
}

/// How the value of a local was made.
#[derive(Clone, Copy)]
pub(super) enum Origin<'a> {
    /// By the caller, or in a way that cannot be repeated.
    Given,
    /// By a binding.
    Let(&'a Pattern, &'a Expr),
    /// By an arm whose pattern the value of an expression has matched.
    Arm(&'a Pattern, &'a Expr),
    /// It is the value of an expression.
    Value(&'a Expr),
    /// It is 0.
    Zero,
    /// It counts a deferred block that has been reached once.
    Reached,
    /// It is the value of a loop's counter.
    Counter(Local),
}

/// An entry of what a poll hands over.
#[derive(Clone, Copy)]
pub(super) struct Entry<'a> {
    pub seen: Visible<'a>,
    /// Will a scope release it?
    pub owned: bool,
}

/// A poll whose list is written at the end, when all deferred blocks are known.
pub(super) struct Poll<'a> {
    block: BlockId,
    statement: usize,
    entries: Vec<Entry<'a>>,
}

/// The names in scope while a function is lowered; nothing unless polls need them.
#[derive(Default)]
pub(super) struct Names<'a> {
    /// Outer ones first.
    pub open: Vec<Visible<'a>>,
    /// What deferred blocks need: in scope wherever the function is.
    pub lasting: Vec<Visible<'a>>,
    pub polls: Vec<Poll<'a>>,
}

impl<'a> Lowerer<'a> {
    /// The local is in scope from now on.
    pub(super) fn show(&mut self, name: Name, local: Local, from: Origin<'a>) {
        self.show_as((name, None), local, from);
    }

    /// The state of a loop is in scope from now on.
    pub(super) fn show_state(&mut self, of: LoopId, name: Name, local: Local, from: Origin<'a>) {
        self.show_as((name, Some(of.0)), local, from);
    }

    fn show_as(&mut self, (name, nth): (Name, Option<u32>), local: Local, from: Origin<'a>) {
        let seen = self.names.open.iter().any(|seen| seen.local == local);
        if self.options.hot && !seen && !self.b.body.locals[local].ty.is_unit() {
            self.names.open.push(Visible { name, nth, local, from });
        }
    }

    /// A local of the source is in scope from now on.
    pub(super) fn show_local(&mut self, id: LocalId, from: Origin<'a>) {
        let (name, local) = (self.hir.locals[id].name, self.local(id));
        let named = (name, self.numbers.get(u32::from(id.into_raw()) as usize).copied());
        self.show_as(named, local, from);
        if self.facts.deferred(id) {
            self.show_always(named, local);
        }
    }

    /// The local is in scope wherever the function is.
    pub(super) fn show_always(&mut self, (name, nth): (Name, Option<u32>), local: Local) {
        let seen = self.names.lasting.iter().any(|seen| seen.local == local);
        if self.options.hot && !seen && !self.b.body.locals[local].ty.is_unit() {
            self.names.lasting.push(Visible { name, nth, local, from: Origin::Given });
        }
    }

    /// The names that a pattern binds are in scope from now on.
    pub(super) fn show_pattern(&mut self, pattern: &'a Pattern, from: Origin<'a>) {
        match &pattern.kind {
            PatternKind::Bind(local, inner) => {
                self.show_local(*local, from);
                inner.iter().for_each(|inner| self.show_pattern(inner, from));
            }
            PatternKind::Variant(_, parts) => parts.iter().for_each(|part| self.show_pattern(part, from)),
            PatternKind::Fields(fields) => fields.iter().for_each(|(_, part)| self.show_pattern(part, from)),
            PatternKind::Or(alternatives) => alternatives.iter().take(1).for_each(|one| self.show_pattern(one, from)),
            PatternKind::Wildcard | PatternKind::Constant(_) | PatternKind::Range(..) => {}
        }
    }

    /// How many names are in scope: for [`Lowerer::hide_from`].
    pub(super) fn shown(&self) -> usize {
        self.names.open.len()
    }

    /// Names that came into scope since then leave it.
    pub(super) fn hide_from(&mut self, shown: usize) {
        self.names.open.truncate(shown);
    }

    /// What is in scope here, outer locals first, then the temporaries that scopes own.
    pub(super) fn in_scope(&self) -> Vec<Entry<'a>> {
        let owned: Vec<Local> = self.scopes.iter().flat_map(super::owned::Scope::locals).collect();
        let entry = |seen: &Visible<'a>| Entry { seen: *seen, owned: owned.contains(&seen.local) };
        let mut entries: Vec<Entry<'a>> = self.names.open.iter().map(entry).collect();
        for local in owned {
            if !entries.iter().any(|entry| entry.seen.local == local) {
                let seen = Visible { name: OWNED.into(), nth: None, local, from: Origin::Given };
                entries.push(Entry { seen, owned: true });
            }
        }
        entries
    }

    /// A poll of the innermost loop.
    pub(super) fn poll(&mut self) {
        let entries = self.in_scope();
        let (block, statement) = (self.b.current, self.b.body.blocks[self.b.current].statements.len());
        self.b.push(StatementKind::Safepoint(Box::default()));
        self.names.polls.push(Poll { block, statement, entries });
    }

    /// Adds what deferred blocks need, and tells late owners.
    pub(super) fn with_lasting(&self, mut entries: Vec<Entry<'a>>) -> Vec<Entry<'a>> {
        for seen in &self.names.lasting {
            if !entries.iter().any(|entry| entry.seen.local == seen.local) {
                entries.push(Entry { seen: *seen, owned: false });
            }
        }
        entries.iter_mut().for_each(|entry| entry.owned |= self.late_owners.contains(&entry.seen.local));
        entries
    }

    /// Writes the lists of all polls.
    pub(super) fn finish_polls(&mut self) {
        for poll in std::mem::take(&mut self.names.polls) {
            let entries = keyed(self.with_lasting(poll.entries));
            let carried = entries.into_iter().map(|(key, entry)| self.carried(key, entry)).collect();
            self.b.body.blocks[poll.block].statements[poll.statement].kind = StatementKind::Safepoint(carried);
        }
    }

    fn carried(&self, key: CarryKey, entry: Entry<'a>) -> Carried {
        let local = entry.seen.local;
        let value = Operand::Copy(Place::local(local, self.b.body.locals[local].ty));
        Carried { key, value, owned: entry.owned }
    }
}

/// The keys of entries.
pub(super) fn keyed(entries: Vec<Entry<'_>>) -> Vec<(CarryKey, Entry<'_>)> {
    let mut counts: FxHashMap<Name, u32> = FxHashMap::default();
    let key = |entry: Entry<'_>| {
        let count = counts.entry(entry.seen.name).or_default();
        let nth = entry.seen.nth.unwrap_or_else(|| std::mem::replace(count, *count + 1));
        CarryKey { name: entry.seen.name, nth, part: None }
    };
    let keys: Vec<CarryKey> = entries.iter().copied().map(key).collect();
    keys.into_iter().zip(entries).collect()
}

/// Do names end with a scope of this kind?
pub(super) fn ends_names(kind: ScopeKind) -> bool {
    kind != ScopeKind::Statement
}
