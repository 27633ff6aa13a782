//! HIR to MIR: makes the control-flow graph of a function, with every check, copy and safepoint written out.
//!
//! Order of evaluation is left to right, the target of an assignment first; `x op= e` reads `x` before `e`. Loops over
//! a range count on a variable of their own: assigning to the loop variable changes only the body's copy. Loops over
//! an array or slice read each element when its turn comes.

mod aggregate;
mod builder;
mod call;
mod computable;
mod control;
mod defers;
mod equality;
mod expr;
mod format;
mod heap;
mod loops;
mod matching;
mod owned;
mod place;
mod range;
mod resume;
pub(crate) mod scan;
mod visible;

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use vaisjit_semantics::{Checked, Ty, hir};
use vaisjit_syntax::Span;

use crate::layout::{Layouts, MAX_SIZE};
use crate::mir::{self, Body, Local, LocalDecl, Place, Signature, Terminator};
use builder::Builder;

pub(crate) use owned::PARTS;
pub use resume::{CannotResume, lower_resumed};
pub use scan::{assigned, closures, defers, root};

/// Something the compiler cannot make code for yet.
#[derive(Clone, Debug)]
pub struct Unsupported {
    /// What it is, as the author would call it.
    pub what: String,
    /// Where, counted from the body's item.
    pub span: Span,
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cannot be compiled yet", self.what)
    }
}

type Result<T = ()> = std::result::Result<T, Unsupported>;

/// What lowering does beyond the meaning of a function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// Write safepoints into loops.
    pub hot: bool,
    /// Leave out index checks that a loop's range makes redundant.
    pub range_checks: bool,
    /// The passes over the finished MIR.
    pub passes: mir::passes::Passes,
}

impl Options {
    /// Everything on.
    pub fn all(hot: bool) -> Options {
        Options { hot, range_checks: true, passes: mir::passes::Passes::ALL }
    }

    /// MIR as it is first made.
    pub fn plain(hot: bool) -> Options {
        Options { hot, range_checks: false, passes: mir::passes::Passes::NONE }
    }
}

/// The MIR of a function, all passes applied. `hot` writes safepoints into its loops.
pub fn lower(body: &hir::Body, program: &Checked, layouts: &dyn Layouts, hot: bool) -> Result<Body> {
    lower_with(body, program, layouts, Options::all(hot))
}

/// The MIR of a function.
pub fn lower_with(body: &hir::Body, program: &Checked, layouts: &dyn Layouts, options: Options) -> Result<Body> {
    let mut lowerer = Lowerer::new(body, program, layouts, options);
    lowerer.function()?;
    let made = lowerer.finish();
    lowered_sizes(&made, layouts, body.value.span)?;
    Ok(settled(made, program, layouts, options))
}

/// Runs the passes, and checks what they made.
fn settled(mut made: Body, program: &Checked, layouts: &dyn Layouts, options: Options) -> Body {
    mir::passes::run(&mut made, program, layouts, options.passes);
    if let Some(cleanup) = made.cleanup.take() {
        let own = made.location_count();
        made.cleanup = Some(Box::new(Body { cleans: Some(own), ..settled(*cleanup, program, layouts, options) }));
    }
    debug_assert!(
        mir::check::check(&made, layouts).is_ok(),
        "{}\n{}",
        mir::check::check(&made, layouts).unwrap_err().join("\n"),
        mir::dump::dump(&made)
    );
    made
}

/// Locals of types without a layout are refused here, should nobody have asked [`crate::layout::TypeLayouts`] before.
fn lowered_sizes(body: &Body, layouts: &dyn Layouts, span: Span) -> Result {
    let too_large = |ty: Ty| ty.is_aggregate() && layouts.layout(ty).size >= MAX_SIZE & !15;
    match body.locals.values().find(|local| too_large(local.ty)) {
        Some(local) => Err(Unsupported { what: format!("a value of type `{}`, which is too large,", local.ty), span }),
        None => Ok(()),
    }
}

/// The name of a closure's parameter with the address of its payload.
const CAPTURED: &str = "{captured}";

/// A loop being lowered.
struct LoopFrame {
    id: hir::LoopId,
    break_to: mir::BlockId,
    continue_to: mir::BlockId,
    result: Option<Place>,
    /// How many scopes are open around a turn.
    scopes: usize,
}

struct Lowerer<'a> {
    hir: &'a hir::Body,
    program: &'a Checked,
    layouts: &'a dyn Layouts,
    options: Options,
    facts: scan::Facts,
    b: Builder,
    /// MIR locals by HIR local.
    locals: Vec<Local>,
    /// The number of each HIR local among those of its name.
    numbers: Vec<u32>,
    /// Of a closure with captures: the parameter with the address of its payload.
    environment: Option<Local>,
    /// Locals whose address is taken: writing them in parts may be seen.
    exposed: FxHashSet<Local>,
    loops: Vec<LoopFrame>,
    defers: Vec<defers::Deferred<'a>>,
    /// All deferred blocks of the body.
    deferred_blocks: Vec<&'a hir::Expr>,
    /// Where returns go when there are deferred blocks to run.
    epilogue: Option<mir::BlockId>,
    /// Where the deferred blocks are run.
    runs_defers: Option<mir::BlockId>,
    /// The open scopes, the innermost last.
    scopes: Vec<owned::Scope>,
    /// What the function's end releases, after the deferred blocks.
    late: Vec<Place>,
    counted: RefCell<FxHashMap<Ty, bool>>,
    /// Loop counters known to lie between constants, the second one inclusive.
    ranges: Vec<(hir::LocalId, i128, i128)>,
    names: visible::Names<'a>,
    /// Locals that the function's end releases.
    late_owners: FxHashSet<Local>,
    /// Where the blocks and statements that are open start.
    marks: Vec<Mark>,
    /// Locals whose first value is being made.
    open_lets: Vec<Local>,
    /// The loop to start at.
    resume: Option<resume::Point<'a>>,
}

/// Where a block or statement starts.
struct Mark {
    statement: bool,
    /// How many locals there were.
    locals: u32,
}

/// The expression that gives a block its value: where a body that ends without `R` returns.
fn tail(mut expr: &hir::Expr) -> &hir::Expr {
    while let hir::ExprKind::Block(_, Some(value)) = &*expr.kind {
        expr = value;
    }
    expr
}

impl<'a> Lowerer<'a> {
    fn new(hir: &'a hir::Body, program: &'a Checked, layouts: &'a dyn Layouts, options: Options) -> Lowerer<'a> {
        let facts = scan::Facts::of(hir);
        let deferred_blocks = if facts.has_defer { scan::defers(hir) } else { Vec::new() };
        let mut b = Builder::new(hir);
        let environment = (hir.captures > 0).then(|| declare_environment(hir, &mut b));
        let locals = declare_locals(hir, &facts, &mut b);
        let taken = hir.locals.iter().filter(|(id, _)| facts.address_taken(*id));
        let exposed = taken.map(|(id, _)| locals[u32::from(id.into_raw()) as usize]).collect();
        Lowerer {
            hir,
            program,
            layouts,
            options,
            facts,
            b,
            locals,
            numbers: crate::resume::numbers(hir),
            environment,
            exposed,
            loops: Vec::new(),
            defers: Vec::new(),
            deferred_blocks,
            epilogue: None,
            runs_defers: None,
            scopes: Vec::new(),
            late: Vec::new(),
            counted: RefCell::default(),
            ranges: Vec::new(),
            names: visible::Names::default(),
            late_owners: FxHashSet::default(),
            marks: Vec::new(),
            open_lets: Vec::new(),
            resume: None,
        }
    }

    fn function(&mut self) -> Result {
        let hir = self.hir;
        if self.facts.has_defer {
            self.epilogue = Some(self.b.block());
            self.runs_defers = self.epilogue;
        }
        let result = self.result_place();
        self.enter_scope(owned::ScopeKind::Block);
        self.mark(true);
        self.arrive();
        self.show_parameters();
        self.lower(&hir.value, result.as_ref())?;
        self.marks.pop();
        self.b.span = tail(&hir.value).span;
        self.leave_scope();
        self.leave();
        self.run_defers()
    }

    fn show_parameters(&mut self) {
        if let Some(environment) = self.environment {
            self.show(CAPTURED.into(), environment, visible::Origin::Given);
        }
        self.hir.params.iter().for_each(|id| self.show_local(*id, visible::Origin::Given));
    }

    /// A block or statement starts; it ends with `marks.pop`.
    fn mark(&mut self, statement: bool) {
        self.marks.push(Mark { statement, locals: self.b.body.locals.len() as u32 });
    }

    fn finish(mut self) -> Body {
        self.finish_polls();
        self.made()
    }

    /// The body, with its cleanup.
    fn made(self) -> Body {
        let mut made = self.b.finish();
        made.cleanup = self.runs_defers.map(|epilogue| Box::new(defers::cleanup(&made, epilogue)));
        made
    }

    /// Ends the current block: to the deferred blocks, or back to the caller.
    fn leave(&mut self) {
        match self.epilogue {
            Some(epilogue) => self.b.end(Terminator::Goto(epilogue)),
            None => self.b.end(Terminator::Return),
        }
    }

    fn result_place(&self) -> Option<Place> {
        let ty = self.hir.result;
        (!ty.is_unit()).then(|| Place::local(self.b.body.local(Body::RESULT), ty))
    }

    fn local(&self, id: hir::LocalId) -> Local {
        self.locals[u32::from(id.into_raw()) as usize]
    }

    fn local_place(&self, id: hir::LocalId) -> Place {
        Place::local(self.local(id), self.hir.locals[id].ty)
    }

    fn unsupported<T>(&self, what: impl Into<String>) -> Result<T> {
        Err(Unsupported { what: what.into(), span: self.b.span })
    }
}

fn declare_environment(hir: &hir::Body, b: &mut Builder) -> Local {
    b.body.params += 1;
    b.declare(environment_type(hir), Some(CAPTURED.into()))
}

/// The type of the hidden parameter of a closure with captures. It is part of the signature, so closures that captured
/// something else have another slot.
fn environment_type(hir: &hir::Body) -> Ty {
    Ty::pointer(heap::captures_type(hir))
}

/// `_0`, the parameters that have a value, then all other locals, captured ones among them.
fn declare_locals(hir: &hir::Body, facts: &scan::Facts, b: &mut Builder) -> Vec<Local> {
    let mut locals = vec![b.body.local(Body::RESULT); hir.locals.len()];
    let declare = |id: hir::LocalId, loan: bool, b: &mut Builder| {
        let local = &hir.locals[id];
        let in_memory = local.ty.is_aggregate() || facts.address_taken(id);
        let (ty, name) = (local.ty, Some(local.name));
        let made = b.body.locals.alloc(LocalDecl { ty, name, in_memory, pinned: None, loan });
        if facts.deferred(id) && !local.ty.is_unit() {
            b.pin(made);
        }
        made
    };
    let own = &hir.params[hir.captures as usize..];
    let passed = |id: &hir::LocalId| !hir.locals[*id].ty.is_unit();
    for id in own.iter().copied().filter(passed) {
        locals[u32::from(id.into_raw()) as usize] = declare(id, hir.locals[id].ty.is_aggregate(), b);
        b.body.params += 1;
    }
    for (id, _) in hir.locals.iter().filter(|(id, _)| !own.contains(id) || !passed(id)) {
        locals[u32::from(id.into_raw()) as usize] = declare(id, false, b);
    }
    locals
}

/// The types a function is called with.
pub fn signature(function: &vaisjit_semantics::program::Signature) -> Signature {
    Signature::new(function.params.iter().copied(), function.result)
}

/// The types a body is called with.
pub fn body_signature(body: &hir::Body) -> Signature {
    let environment = (body.captures > 0).then(|| environment_type(body));
    let own = body.params[body.captures as usize..].iter().map(|id| body.locals[*id].ty);
    Signature::new(environment.into_iter().chain(own), body.result)
}

/// The text of an expression that is known now.
fn constant_text(expr: &hir::Expr) -> Option<Arc<str>> {
    match &*expr.kind {
        hir::ExprKind::Str(text) => Some(text.clone()),
        hir::ExprKind::Format(hir::FormatTarget::Str, pieces) => {
            let texts = pieces.iter().map(|piece| match piece {
                hir::FormatPiece::Text(text) => Some(&**text),
                hir::FormatPiece::Value(..) => None,
            });
            Some(texts.collect::<Option<String>>()?.into())
        }
        hir::ExprKind::Binary(hir::BinaryOp::Add, left, right) if expr.ty == Ty::str() => {
            Some(format!("{}{}", constant_text(left)?, constant_text(right)?).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
