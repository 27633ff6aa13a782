//! Lowering a function so that it starts in the middle of a loop.
//!
//! All of the function is lowered as usual. Where the loop is opened, the names in scope are looked up in what the code
//! before hands over; what is not there is computed again if that cannot be noticed. The entry then takes over, computes
//! and goes to the loop's header; what only the usual entry reaches is dropped by the passes.
//!
//! A value that nobody names and that is needed behind the loop (`f(a()) + { loop }`) is handed over by nobody: such a loop
//! cannot be resumed.

use rustc_hash::FxHashSet;
use vaisjit_semantics::hir::{self, Expr, LoopId, Pattern, PatternKind};
use vaisjit_semantics::{Checked, Ty, TyKind};
use vaisjit_syntax::{Name, Span};

use super::owned::ScopeKind;
use super::visible::{Entry, OWNED, Origin, keyed};
use super::{Lowerer, Options, Unsupported, computable, lowered_sizes, scan, settled};
use crate::layout::Layouts;
use crate::mir::live::is_live;
use crate::mir::visit::{Access, block_places, statement_places, successors};
use crate::mir::{
    BlockId, Body, Local, Operand, Place, PlaceBase, Resumed, Rvalue, Statement, StatementKind, TEMPORARY, Taken,
    Terminator,
};
use crate::resume::{CarriedValue, CarryHome, CarryKey};

/// A reference of the code before that the new code only borrows: released when the function ends.
const KEPT: &str = "{kept}";

/// Why a loop cannot go on in a version of its function.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CannotResume {
    /// The local above the loop that has no value, if that is why.
    pub local: Option<Name>,
    /// What stands in the way, as a sentence about the new text without its full stop; its end if there is such a local.
    pub why: String,
    /// Where, counted from the body's item.
    pub span: Span,
}

impl CannotResume {
    fn new(why: String, span: Span) -> CannotResume {
        CannotResume { local: None, why, span }
    }

    /// What stands in the way. `retyped` says what has happened to the local where it is not new.
    pub fn sentence(&self, retyped: Option<&str>) -> String {
        match self.local {
            None => self.why.clone(),
            Some(name) => format!("`{name}` {}, {}", retyped.unwrap_or("is new above the loop"), self.why),
        }
    }
}

impl From<Unsupported> for CannotResume {
    fn from(unsupported: Unsupported) -> CannotResume {
        CannotResume::new(unsupported.to_string(), unsupported.span)
    }
}

/// The MIR of a function that starts at the head of one of its loops and takes over what `have` lists.
pub fn lower_resumed(
    body: &hir::Body,
    at: LoopId,
    have: &[CarriedValue],
    program: &Checked,
    layouts: &dyn Layouts,
    options: Options,
) -> Result<Body, CannotResume> {
    let mut lowerer = Lowerer::new(body, program, layouts, options);
    lowerer.resume = Some(Point { at, have, opened: None, cannot: None });
    lowerer.function()?;
    let made = lowerer.finish_resumed()?;
    lowered_sizes(&made, layouts, body.value.span)?;
    Ok(settled(made, program, layouts, options))
}

/// The loop to start at.
pub(super) struct Point<'a> {
    pub at: LoopId,
    have: &'a [CarriedValue],
    opened: Option<Opened<'a>>,
    cannot: Option<CannotResume>,
}

/// The loop, once it has been met.
struct Opened<'a> {
    header: BlockId,
    /// Computes what is new.
    start: BlockId,
    /// Where that ends.
    end: BlockId,
    entries: Vec<Entry<'a>>,
    /// Values that nobody names, written before the loop.
    unnamed: Vec<Local>,
    /// Temporaries of the new text that hold nothing: all that may be done with them is to release them.
    without: Vec<Local>,
    span: Span,
}

impl Point<'_> {
    fn has(&self, key: CarryKey) -> Option<&CarriedValue> {
        self.have.iter().find(|value| (value.key.name, value.key.nth) == (key.name, key.nth))
    }
}

impl<'a> Lowerer<'a> {
    /// Is the loop to start at this one or one in it?
    pub(super) fn resumes_in(&self, id: LoopId, body: &Expr) -> bool {
        self.resume.as_ref().is_some_and(|point| point.at == id || scan::has_loop(body, point.at))
    }

    /// A loop is about to be entered from the current block: is it the one to start at?
    pub(super) fn meet_loop(&mut self, id: LoopId, header: BlockId) {
        let Some(mut point) = self.resume.take_if(|point| point.at == id) else { return };
        if point.opened.is_some() {
            let why = "the loop stands in the condition of a match, which is compiled more than once".to_owned();
            point.cannot.get_or_insert(CannotResume::new(why, self.b.span));
        } else {
            self.open_at(&mut point, header);
        }
        self.resume = Some(point);
    }

    fn open_at(&mut self, point: &mut Point<'a>, header: BlockId) {
        let entries = self.in_scope();
        let unnamed = self.unnamed(&entries);
        let (current, in_loop, span) = (self.b.current, self.b.in_loop.take(), self.b.span);
        let start = self.b.block();
        self.b.switch_to(start);
        self.enter_scope(ScopeKind::Branch);
        let missing =
            keyed(entries.clone()).into_iter().filter(|(key, _)| point.has(*key).is_none()).collect::<Vec<_>>();
        let mut without = Vec::new();
        for (_, entry) in missing {
            if self.is_temporary(&entry) {
                self.b
                    .push(StatementKind::Zero(Place::local(entry.seen.local, self.b.body.locals[entry.seen.local].ty)));
                without.push(entry.seen.local);
            } else if let Err(cannot) = self.compute(entry) {
                point.cannot.get_or_insert(cannot);
            }
        }
        self.forget_scope();
        let end = self.b.current;
        self.b.jump(header);
        self.b.switch_to(current);
        (self.b.in_loop, self.b.span) = (in_loop, span);
        point.opened = Some(Opened { header, start, end, entries, unnamed, without, span });
    }

    /// Is it a temporary that is kept only because something may hold its address, and released where its scope ends? What
    /// is carried over holds no address of one that the code before does not have.
    fn is_temporary(&self, entry: &Entry<'a>) -> bool {
        let ty = self.b.body.locals[entry.seen.local].ty;
        let name = entry.seen.name;
        matches!(entry.seen.from, Origin::Given) && (name == OWNED || name == TEMPORARY) && self.counted(ty)
    }

    /// Lets a resumed loop be entered on a condition only.
    pub(super) fn enter_only_if(
        &mut self,
        id: LoopId,
        exit: BlockId,
        condition: impl FnOnce(&mut Lowerer<'a>) -> Operand,
    ) {
        let opened = self.resume.as_ref().filter(|point| point.at == id).and_then(|point| point.opened.as_ref());
        let Some((end, header)) = opened.map(|opened| (opened.end, opened.header)) else { return };
        let current = std::mem::replace(&mut self.b.current, end);
        let condition = condition(self);
        self.b.branch(condition, header, exit);
        self.b.switch_to(current);
    }

    /// Gives a local that the code before does not have its value.
    fn compute(&mut self, entry: Entry<'a>) -> Result<(), CannotResume> {
        let place = Place::local(entry.seen.local, self.b.body.locals[entry.seen.local].ty);
        match entry.seen.from {
            _ if self.is_empty(place.ty) => {}
            Origin::Zero => self.b.assign(place, Rvalue::Use(Operand::int(0))),
            Origin::Reached => self.b.assign(place, Rvalue::Use(Operand::int(1))),
            Origin::Counter(counter) => {
                let value = Operand::local(counter, self.b.body.locals[counter].ty);
                self.b.assign(place, Rvalue::Use(value));
            }
            Origin::Value(expr) => {
                self.require_computable(entry.seen.name, expr)?;
                let value = self.operand(expr)?;
                self.b.assign(place, Rvalue::Use(value));
            }
            Origin::Let(pattern, value) => {
                self.require_computable(entry.seen.name, value)?;
                match pattern.kind {
                    PatternKind::Bind(_, None) => self.let_pattern(pattern, value)?,
                    _ => self.compute_part(&entry, &place, (pattern, value))?,
                }
            }
            Origin::Arm(pattern, value) => {
                self.require_computable(entry.seen.name, value)?;
                self.compute_part(&entry, &place, (pattern, value))?;
            }
            Origin::Given => return Err(self.unknown(entry.seen.name, self.b.span)),
        }
        Ok(())
    }

    /// Gives a name in a pattern its value, and leaves the others alone: these are carried over. What the pattern does not match
    /// any more gives a zero.
    fn compute_part(
        &mut self,
        entry: &Entry<'a>,
        place: &Place,
        (pattern, value): (&'a Pattern, &'a Expr),
    ) -> Result<(), CannotResume> {
        let unknown = self.unknown(entry.seen.name, pattern.span);
        let is_place = scan::is_place(value);
        if self.counted(if is_place { place.ty } else { value.ty }) {
            return Err(unknown);
        }
        let whole = if is_place {
            self.place(value)?
        } else {
            let whole = self.b.temp_place(value.ty);
            self.in_statement(value, Some(&whole))?;
            whole
        };
        let part = self.bound_place(pattern, &whole, entry.seen.local).ok_or_else(|| unknown.clone())?;
        let join = self.b.block();
        self.b.push(StatementKind::Zero(place.clone()));
        if !self.test_only(pattern, &whole, join)? {
            return Err(unknown);
        }
        self.b.assign(place.clone(), Rvalue::Use(Operand::Copy(part)));
        self.b.jump(join);
        self.b.switch_to(join);
        Ok(())
    }

    /// Has the type no parts? Such a local may have been taken apart into nothing.
    fn is_empty(&self, ty: Ty) -> bool {
        match ty.kind() {
            TyKind::Struct(..) => self.program.structs.get(&ty).is_some_and(|def| def.fields.is_empty()),
            TyKind::Tuple(parts) => parts.is_empty(),
            _ => false,
        }
    }

    fn require_computable(&self, name: Name, value: &Expr) -> Result<(), CannotResume> {
        let Some(obstacle) = computable::obstacle(value, self.program) else { return Ok(()) };
        let why = match hidden(name) {
            true => format!("where the loop starts or ends is new, and is computed {obstacle}"),
            false => format!("and its value is computed {obstacle}"),
        };
        Err(CannotResume { local: (!hidden(name)).then_some(name), why, span: value.span })
    }

    fn unknown(&self, name: Name, span: Span) -> CannotResume {
        let parameter = self.hir.params.iter().any(|id| self.hir.locals[*id].name == name);
        let why = match hidden(name) {
            true => "what the loop runs over, or a value it needs that has no name, is new".to_owned(),
            false if parameter => format!("`{name}` is a new parameter"),
            false => "where nothing runs again that could give it a value".to_owned(),
        };
        CannotResume { local: (!hidden(name) && !parameter).then_some(name), why, span }
    }

    /// The locals without a name that belong to expressions around the current block and are written on the way to it.
    fn unnamed(&self, entries: &[Entry<'a>]) -> Vec<Local> {
        let seen: FxHashSet<Local> = entries.iter().map(|entry| entry.seen.local).collect();
        let written = written_before(&self.b.body, self.b.current);
        let open = self.open_locals().filter(|local| !seen.contains(local) && written.contains(local));
        open.collect()
    }

    /// The locals that belong to the statements the current block stands in, and the result.
    fn open_locals(&self) -> impl Iterator<Item = Local> {
        let mut ranges = Vec::new();
        for (index, mark) in self.marks.iter().enumerate().filter(|(_, mark)| mark.statement) {
            let end = self.marks.get(index + 1).map_or(self.b.body.locals.len() as u32, |next| next.locals);
            ranges.push(mark.locals..end);
        }
        let numbers = ranges.into_iter().flatten().map(|number| self.b.body.local(number));
        let unnamed = numbers.filter(|local| self.b.body.locals[*local].name.is_none());
        unnamed.chain(self.open_lets.iter().copied()).chain([self.b.body.local(Body::RESULT)])
    }

    fn finish_resumed(mut self) -> Result<Body, CannotResume> {
        let span = self.hir.value.span;
        let point = self.resume.take();
        let gone = || CannotResume::new("the loop is gone".to_owned(), span);
        let mut point = point.ok_or_else(gone)?;
        if let Some(cannot) = point.cannot {
            return Err(cannot);
        }
        let opened = point.opened.take().ok_or_else(gone)?;
        if opened.unnamed.iter().any(|local| is_live(&self.b.body, (opened.header, 0), *local)) {
            let why = "the loop is part of a larger expression, of which a part is computed already".to_owned();
            return Err(CannotResume::new(why, opened.span));
        }
        if opened.without.iter().any(|local| is_used_from(&self.b.body, opened.header, *local)) {
            return Err(self.unknown(OWNED.into(), opened.span));
        }
        self.start_at(&point, opened);
        self.finish_polls();
        Ok(self.made())
    }

    /// Makes the entry take over and go on with the loop.
    fn start_at(&mut self, point: &Point<'a>, opened: Opened<'a>) {
        let entry = self.b.body.blocks.iter().next().map(|(id, _)| id);
        let entry = entry.unwrap_or(opened.start);
        self.b.body.blocks[entry].statements.clear();
        self.b.switch_to(entry);
        (self.b.in_loop, self.b.span) = (None, opened.span);
        let mut taken = FxHashSet::default();
        for (key, entry) in keyed(self.with_lasting(opened.entries)) {
            if let Some(before) = point.has(key) {
                taken.insert(entry.seen.local);
                let exposed = matches!(before.home, CarryHome::Block(_));
                self.take(key, entry, (before.owned, exposed));
            }
        }
        self.keep_references(point);
        self.b.jump(opened.start);
        self.b.forget_at_entry(|local| taken.contains(&local));
        self.b.body.params = 0;
        self.b.body.resumed = Some(Resumed { at: point.at, have: point.have.to_vec() });
    }

    fn take(&mut self, key: CarryKey, entry: Entry<'a>, (owned_before, exposed): (bool, bool)) {
        let ty = self.b.body.locals[entry.seen.local].ty;
        let place = Place::local(entry.seen.local, ty);
        if owned_before && !entry.owned && self.counted(ty) {
            let kept = self.keep(key, ty);
            self.b.assign(place, Rvalue::Use(Operand::Copy(kept)));
        } else {
            let exposed =
                (exposed || self.exposed.contains(&entry.seen.local)) && self.b.body.locals[entry.seen.local].in_memory;
            self.b.assign(place, Rvalue::Carried(Taken { key, owned: entry.owned, exposed }));
        }
    }

    /// References that former code has kept stay.
    fn keep_references(&mut self, point: &Point<'a>) {
        for value in point.have.iter().filter(|value| value.key.name == KEPT && value.key.part.is_none()) {
            self.keep(value.key, value.ty);
        }
    }

    /// Takes over a reference that is released when the function ends.
    fn keep(&mut self, key: CarryKey, ty: Ty) -> Place {
        let kept = self.b.declare(ty, Some(KEPT.into()));
        if self.facts.has_defer {
            self.b.pin(kept);
        }
        let place = Place::local(kept, ty);
        self.b.assign(place.clone(), Rvalue::Carried(Taken { key, owned: true, exposed: false }));
        self.show_always((KEPT.into(), None), kept);
        self.late_owners.insert(kept);
        let entry = self.b.current;
        let ends = self.b.body.blocks.iter().filter(|(_, block)| block.terminator == Terminator::Return);
        for end in ends.map(|(id, _)| id).collect::<Vec<_>>() {
            self.b.switch_to(end);
            self.release(&place);
        }
        self.b.switch_to(entry);
        place
    }
}

/// Does a block, or one behind it, do anything with the value of a local but release it? What comes behind that is done
/// with another value.
fn is_used_from(body: &Body, start: BlockId, local: Local) -> bool {
    let mut seen: FxHashSet<BlockId> = [start].into_iter().collect();
    let mut open = vec![start];
    while let Some(id) = open.pop() {
        let block = &body.blocks[id];
        match block.statements.iter().find_map(|statement| use_of(statement, local)) {
            Some(Use::Other) => return true,
            Some(Use::Release) => {}
            None => successors(&block.terminator, &mut |to| {
                if seen.insert(to) {
                    open.push(to);
                }
            }),
        }
    }
    false
}

/// What a statement does with a local.
enum Use {
    /// Releases all of it.
    Release,
    Other,
}

fn use_of(statement: &Statement, local: Local) -> Option<Use> {
    match &statement.kind {
        StatementKind::Safepoint(_) => return None,
        StatementKind::Release { place, .. } => return (place.as_local() == Some(local)).then_some(Use::Release),
        _ => {}
    }
    let mut used = false;
    statement_places(statement, &mut |place, _| {
        used |= matches!(place.base, PlaceBase::Local(base) if base == local);
    });
    used.then_some(Use::Other)
}

fn hidden(name: Name) -> bool {
    name.starts_with('{')
}

/// The locals that are written, or whose address is taken, on the way to the end of a block.
fn written_before(body: &Body, end: BlockId) -> FxHashSet<Local> {
    let mut before: FxHashSet<BlockId> = [end].into_iter().collect();
    loop {
        let known = before.len();
        for (id, block) in body.blocks.iter() {
            successors(&block.terminator, &mut |to| {
                if before.contains(&to) {
                    before.insert(id);
                }
            });
        }
        if before.len() == known {
            break;
        }
    }
    let mut written = FxHashSet::default();
    for block in before {
        block_places(&body.blocks[block], &mut |place, access| match place.base {
            PlaceBase::Local(local) if access != Access::Read => drop(written.insert(local)),
            _ => {}
        });
    }
    written
}
