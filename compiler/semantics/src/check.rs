//! Checking one body: the state of a checker and what every part of it uses.

mod block;
pub mod builtin;
mod builtin_method;
mod call;
mod closure;
mod coerce;
mod collection;
mod constant;
mod dynamic;
mod exposure;
mod expr;
mod finish;
mod function;
pub(crate) mod hints;
mod library;
mod literal;
mod matching;
mod member;
mod method;
mod name;
mod operator;
mod pattern;
mod place;
mod printf;
mod slice;
mod text;
mod waiting;
mod warnings;

pub use builtin_method::canonical_method;
pub(crate) use coerce::Why;
pub use collection::only_reads;
pub(crate) use dynamic::{callable, of_running as dyns_of_running};
pub(crate) use finish::{each, same_but_tables};
use la_arena::Arena;
pub use library::is_library;
use rustc_hash::FxHashSet;
use vaisjit_syntax::{Code, Diagnostic, Name, Place, Span, ast};

use crate::hir::{self, Local, LocalId, LoopId};
use crate::infer::{Known, Table};
use crate::lower::{TypeScope, lower_type};
use crate::program::Global;
use crate::types::{Instance, ItemPath, Ty, TyKind};
use crate::world::World;

/// What is wanted of an expression.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Want {
    /// Its value, of any type.
    Any,
    /// Its value, probably of this type: a hint, to which the caller converts.
    Of(Ty),
    /// Nothing: the value is dropped.
    Nothing,
}

impl Want {
    pub fn hint(self) -> Option<Ty> {
        match self {
            Want::Of(ty) => Some(ty),
            _ => None,
        }
    }
}

/// What a name in a local scope stands for.
#[derive(Clone, Debug)]
pub(crate) enum Binding {
    Local(LocalId),
    Const(hir::Expr),
    Global(ItemPath, Ty),
}

/// A loop around the place being checked.
pub(crate) struct LoopFrame {
    pub id: LoopId,
    /// The type of its value, for loops without condition.
    pub value: Option<Ty>,
    pub breaks: bool,
}

/// The function, or the closure inside it, being checked.
pub(crate) struct Frame {
    pub locals: Arena<Local>,
    pub scopes: Vec<Vec<(Name, Binding)>>,
    pub loops: Vec<LoopFrame>,
    pub next_loop: u32,
    pub result: Ty,
    /// For closures: each captured local of the frame around, and the local it is here.
    pub captures: Vec<(LocalId, LocalId)>,
    pub used: FxHashSet<LocalId>,
    /// Parameters and other locals that need not be used.
    pub exempt: FxHashSet<LocalId>,
}

impl Frame {
    pub fn new(result: Ty) -> Frame {
        Frame {
            locals: Arena::new(),
            scopes: vec![Vec::new()],
            loops: Vec::new(),
            next_loop: 0,
            result,
            captures: Vec::new(),
            used: FxHashSet::default(),
            exempt: FxHashSet::default(),
        }
    }
}

/// The types and spans of a call's arguments.
pub(crate) type ProbedCall = (Vec<Ty>, Vec<Span>);

/// A widening that waits until the type of a variable is known.
pub(crate) struct Pending {
    pub from: Ty,
    pub to: Ty,
    pub span: Span,
}

/// The checker of one body.
pub(crate) struct Checker<'w, 'a> {
    pub world: &'w World<'a>,
    pub scope: TypeScope,
    pub table: Table,
    pub frames: Vec<Frame>,
    /// The path of the function, for globals and closures inside it.
    pub path: Option<ItemPath>,
    /// The function itself, for `@(...)`.
    pub instance: Option<Instance>,
    pub tree: Option<&'a ast::Function>,
    /// The local that holds the receiver.
    pub receiver: Option<LocalId>,
    pub diagnostics: Vec<Diagnostic>,
    pub requests: Vec<(Instance, Place)>,
    pub globals: Vec<(ItemPath, Global)>,
    pub pending: Vec<Pending>,
    /// Where large decimal literals stand.
    pub decimals: FxHashSet<(u32, u32)>,
    /// Traits that type arguments must implement.
    pub bounds: Vec<(Ty, ItemPath, Span)>,
    /// Type arguments that do not.
    pub unmet: Vec<Ty>,
    pub closures: u32,
    /// The closures' bodies, once everything in them is resolved.
    pub closure_bodies: Vec<std::sync::Arc<hir::Body>>,
    /// Types whose values may lie where nobody knows, as far as they are found at the end of the check.
    pub exposed: FxHashSet<Ty>,
    /// The `dyn`s made so far.
    pub dyns: Vec<hir::MadeDyn>,
    /// Set while something from another item is checked in place: all spans are this one.
    pub at: Option<Span>,
    /// In how many defaults of fields this is.
    pub defaults: u32,
    /// In how many structs the value of a global without one is being made.
    pub structs: u32,
    /// Set when there seems to be no end to either.
    pub endless: bool,
    /// A part did not parse: unknown names may have been declared there.
    pub recovering: bool,
    /// Names already reported as unknown: once is enough.
    pub reported: Vec<vaisjit_syntax::Name>,
    /// The variable whose first value is being checked.
    pub declaring: Option<vaisjit_syntax::Name>,
    /// The function whose calls are recorded, when only its call sites matter.
    pub probe: Option<(ItemPath, Vec<ProbedCall>)>,
}

impl<'w, 'a> Checker<'w, 'a> {
    pub fn new(world: &'w World<'a>, scope: TypeScope, result: Ty) -> Checker<'w, 'a> {
        Checker {
            world,
            scope,
            table: Table::default(),
            frames: vec![Frame::new(result)],
            path: None,
            instance: None,
            tree: None,
            receiver: None,
            diagnostics: Vec::new(),
            requests: Vec::new(),
            globals: Vec::new(),
            pending: Vec::new(),
            decimals: FxHashSet::default(),
            bounds: Vec::new(),
            unmet: Vec::new(),
            closures: 0,
            closure_bodies: Vec::new(),
            exposed: FxHashSet::default(),
            dyns: Vec::new(),
            at: None,
            defaults: 0,
            structs: 0,
            endless: false,
            recovering: false,
            reported: Vec::new(),
            declaring: None,
            probe: None,
        }
    }

    pub fn frame(&mut self) -> &mut Frame {
        self.frames.last_mut().expect("a checker has a frame")
    }

    /// The span to use for something written at `span`.
    pub fn span(&self, span: Span) -> Span {
        self.at.unwrap_or(span)
    }

    pub fn place(&self, span: Span) -> Place {
        Place::item(self.scope.item, self.span(span))
    }

    /// A new error, to be given to [`Checker::report`].
    pub fn error(&self, code: Code, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(code, self.place(span), message)
    }

    pub fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Reports an error and gives the expression that stands for it.
    pub fn fail(&mut self, diagnostic: Diagnostic, span: Span) -> hir::Expr {
        self.report(diagnostic);
        self.wrong(span)
    }

    /// The expression that stands for a reported mistake.
    pub fn wrong(&self, span: Span) -> hir::Expr {
        hir::Expr::new(hir::ExprKind::Unit, Ty::error(), self.span(span))
    }

    pub fn unsupported(&mut self, what: &str, span: Span) -> hir::Expr {
        let diagnostic = self.error(crate::codes::UNSUPPORTED, span, format!("{what} not supported yet"));
        self.fail(diagnostic, span)
    }

    pub fn fresh(&mut self) -> Ty {
        self.table.fresh(Known::Nothing)
    }

    /// The type as far as it is known.
    pub fn shallow(&mut self, ty: Ty) -> Ty {
        match ty.kind() {
            TyKind::Infer(_) => self.table.shallow(ty),
            _ => ty,
        }
    }

    /// The type for a message.
    pub fn show(&mut self, ty: Ty) -> String {
        self.table.resolve(ty, true).to_string()
    }

    pub fn is_error(&mut self, ty: Ty) -> bool {
        matches!(self.shallow(ty).kind(), TyKind::Error)
    }

    pub fn lower(&mut self, ty: &ast::Type) -> Ty {
        if let ast::TypeKind::Infer = ty.kind {
            return self.fresh();
        }
        let mut found = Vec::new();
        let lowered = lower_type(self.world, &self.scope, ty, &mut found);
        self.diagnostics.extend(found);
        lowered
    }

    pub fn push_scope(&mut self) {
        self.frame().scopes.push(Vec::new());
    }

    pub fn pop_scope(&mut self) {
        self.frame().scopes.pop();
    }

    pub fn bind(&mut self, name: Name, binding: Binding) {
        self.frame().scopes.last_mut().expect("a frame has a scope").push((name, binding));
    }

    /// A new local, in scope from here on.
    pub fn declare(&mut self, name: Name, ty: Ty, span: Span) -> LocalId {
        let local = self.hidden(name, ty, span);
        self.bind(name, Binding::Local(local));
        local
    }

    /// A new local that no name reaches.
    pub fn hidden(&mut self, name: Name, ty: Ty, span: Span) -> LocalId {
        let span = self.span(span);
        self.frame().locals.alloc(Local { name, ty, address_taken: false, span })
    }

    pub fn local(&mut self, local: LocalId, span: Span) -> hir::Expr {
        let ty = self.frame().locals[local].ty;
        let span = self.span(span);
        hir::Expr::new(hir::ExprKind::Local(local), ty, span)
    }
}

/// The pattern that binds one local.
pub(crate) fn bind_pattern(local: LocalId, ty: Ty, span: Span) -> hir::Pattern {
    hir::Pattern { kind: hir::PatternKind::Bind(local, None), ty, span }
}
