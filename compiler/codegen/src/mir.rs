//! MIR: a function as a control-flow graph over typed locals and places, with every check and every safepoint written
//! out.
//!
//! ```text
//! fn game.update(_1 state: *GameState) -> i64 {
//!     bb0:
//!         _2 = (*_1).frame                          ; place expressions: base, then projections
//!         _3 = add _2, 1: i64
//!         (*_1).frame = _3
//!         call c:printf("...", _3) -> _4
//!         _0 = 0: i64
//!         return
//! }
//! ```
//!
//! `_0` is the result, `_1 ..` the parameters. Scalars whose address nobody takes are values; every other local lives
//! in memory. The same MIR is run by the interpreter (the tests' oracle) and compiled by `clif`.
//!
//! Conventions beyond the types below:
//! - Field 0 of an enum place is its discriminant, an `i64`: this is how variants are built.
//! - `p[i]` on a pointer is `(*_p: [T; 0])[_i]`: an array of unknown length behind the pointer, `_i` any `i64`.
//! - Every local of a counted type (`str`, `Vec`, closures, and what holds one) owns its references from its
//!   initialisation to its `Release`; parameters and call arguments are borrowed from the caller, results are owned.
//!   Copying the bits of a counted value moves or borrows it; a `Retain` beside the copy makes it a copy.
//! - Unit and never have no operands: such parameters, arguments, fields and results do not occur in calls and
//!   assignments.
//! - A loop cut into strips (one poll every [`STRIP`] turns) is one [`LoopInfo`] whose header polls and starts a
//!   strip; the back-edge within the strip leads elsewhere.
//! - Locals whose name starts with `{` are iterator state (`{i.at}`, `{i.end}`); `p.x` is a field of a local `p` that
//!   has been taken apart.

pub mod check;
pub mod dump;
pub mod interp;
pub mod known;
pub mod live;
pub mod passes;
mod rename;
pub mod visit;

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use la_arena::{Arena, Idx};
use smallvec::SmallVec;
use vaisjit_abi::TrapCode;
use vaisjit_semantics::hir::{BinaryOp, BodyItem, CastKind, LoopId, UnaryOp};
use vaisjit_semantics::types::TyList;
use vaisjit_semantics::{Instance, ItemPath, Renames, Ty, TyKind};
use vaisjit_syntax::{Name, Span};

use crate::link::DynTable;
use crate::resume::{CarriedValue, CarryKey};

/// Turns of a call-free counted loop between two polls.
pub const STRIP: u64 = 1024;

/// The name of locals that are made for the address of a value, and named nowhere else.
pub const TEMPORARY: &str = "{temporary}";

/// A local of a body.
pub type Local = Idx<LocalDecl>;
/// A basic block of a body.
pub type BlockId = Idx<Block>;

/// A function.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Body {
    /// Which function.
    pub instance: Instance,
    /// What spans count from.
    pub item: BodyItem,
    /// `_0` is the result, then come `params` parameters, then the rest.
    pub locals: Arena<LocalDecl>,
    /// Number of parameters.
    pub params: u32,
    /// The blocks; the first is the entry and has no predecessors.
    pub blocks: Arena<Block>,
    /// The loops, outer ones before inner ones.
    pub loops: Vec<LoopInfo>,
    /// Does it start in the middle of a loop? Then it has no parameters, and finds where its result goes in the buffer.
    pub resumed: Option<Resumed>,
    /// What is run for a call of it that a trap has ended: the deferred blocks that are pending.
    pub cleanup: Option<Box<Body>>,
    /// Is it the cleanup of a body with so many locations? Its own are numbered behind those. It has no parameters and no
    /// result, and finds the block of the call that has ended in the call context.
    pub cleans: Option<u32>,
}

/// Where a body starts that goes on with a loop of another version.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Resumed {
    /// The loop.
    pub at: LoopId,
    /// What the code before it hands over.
    pub have: Vec<CarriedValue>,
}

/// A local variable or temporary.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct LocalDecl {
    /// Its type.
    pub ty: Ty,
    /// Its name in the source; temporaries have none.
    pub name: Option<Name>,
    /// Must it live in memory: is it an aggregate or is its address taken?
    pub in_memory: bool,
    /// The cleanup needs it: it stays in memory, in the block on the data stack. Names the same local in both bodies.
    pub pinned: Option<u32>,
    /// Does it only hold a copy of a value, whose references belong to somebody else?
    pub loan: bool,
}

/// A loop of the source.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct LoopInfo {
    /// The loop in the typed tree.
    pub id: LoopId,
    /// The loop around it, as an index of `Body::loops`.
    pub parent: Option<u32>,
    /// The block every turn starts in; in a loop cut into strips every strip.
    pub header: BlockId,
    /// Does its head carry a safepoint? Loops proved short carry none.
    pub polled: bool,
}

/// A basic block.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Block {
    /// What it does.
    pub statements: Vec<Statement>,
    /// How it ends.
    pub terminator: Terminator,
    /// Where the terminator comes from.
    pub terminator_span: Span,
    /// The innermost loop it belongs to, as an index of `Body::loops`.
    pub in_loop: Option<u32>,
}

/// A statement and where it comes from.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Statement {
    /// Which.
    pub kind: StatementKind,
    /// Where.
    pub span: Span,
}

/// The forms of a statement.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum StatementKind {
    /// `place = value`; aggregates are copied byte by byte, and source and target do not overlap partly.
    Assign(Place, Rvalue),
    /// A call; the result place is absent for unit and never.
    Call(Box<Call>),
    /// Sets all bytes of a place to zero.
    Zero(Place),
    /// Gives the bytes of a new value's parked fields their defaults, so that a field that comes back finds one: bytes
    /// by offset in the place.
    FillParked(Place, Arc<[ParkedBytes]>),
    /// Traps with `IndexOutOfBounds` unless `0 <= index < length`; both are `i64`.
    CheckIndex {
        /// The index.
        index: Operand,
        /// The length.
        length: Operand,
    },
    /// Copies `bytes` bytes (an `i64`) from one address to another; they may overlap.
    CopyBytes {
        /// Target address.
        to: Operand,
        /// Source address.
        from: Operand,
        /// How many.
        bytes: Operand,
    },
    /// One more reference to every counted value in the place (see [`Shape`](crate::shape::Shape)).
    Retain(Place),
    /// One reference less to every counted value in the place, whose bytes mean nothing afterwards.
    Release {
        /// Where.
        place: Place,
        /// The place lies behind a raw pointer: what is there counts only if the memory is the program's own (a stack,
        /// a global, a heap block); in foreign memory, which may hold anything, nothing is done.
        checked: bool,
    },
    /// A place where the thread can take part in a commit: stands at the head of a polled loop. With what is in
    /// scope there, outer locals first, which is handed over if the loop goes on in other code.
    Safepoint(Box<[Carried]>),
}

/// A local in scope at a poll.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Carried {
    /// What it is known by.
    pub key: CarryKey,
    /// Its value.
    pub value: Operand,
    /// Does the function own its references?
    pub owned: bool,
}

/// A local that a resumed body takes over.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Taken {
    /// What it is known by.
    pub key: CarryKey,
    /// Will the function release its references?
    pub owned: bool,
    /// May there be pointers to it, made by the code before?
    pub exposed: bool,
}

/// Bytes at an offset.
pub type ParkedBytes = (u32, Arc<[u8]>);

/// How a block ends.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Terminator {
    /// Continue there.
    Goto(BlockId),
    /// On a `bool`.
    Branch {
        /// The condition.
        condition: Operand,
        /// When true.
        then: BlockId,
        /// When false.
        otherwise: BlockId,
    },
    /// On an integer (up to 64 bits; bits as in its type, zero-extended).
    Switch {
        /// The value.
        value: Operand,
        /// Cases.
        cases: Vec<(u64, BlockId)>,
        /// Anything else.
        default: BlockId,
    },
    /// Return `_0`.
    Return,
    /// Stop with a trap. The message, a `str`, is for panics and asserts.
    Trap(TrapCode, Option<Operand>),
}

/// A call.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Call {
    /// What is called.
    pub callee: Callee,
    /// The arguments. An aggregate is a `Copy` of a temporary that the callee may change: the caller has made the copy.
    pub arguments: SmallVec<[Operand; 4]>,
    /// Where the result goes.
    pub result: Option<Place>,
    /// Type of the result (it matters for C functions, and when nobody wants the result).
    pub result_ty: Ty,
}

/// What is called.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Callee {
    /// A function of the program; how it is reached is the linker's choice.
    Function(Instance, Signature),
    /// A host function.
    Host(Name),
    /// A C function; for variadic ones with the number of fixed parameters.
    C(Name, Option<u32>),
    /// A function value of type `fn(..) -> ..`: a slot, or a closure, whose code takes the closure's payload address
    /// (an `i64`) before these parameters.
    Value(Operand, Signature),
    /// What is in the slot at an address (an `i64`): a method of a `dyn`.
    Slot(Operand, Signature),
}

impl Callee {
    /// The types of a function of the program or of a function value.
    pub fn signature(&self) -> Option<&Signature> {
        match self {
            Callee::Function(_, signature) | Callee::Value(_, signature) | Callee::Slot(_, signature) => {
                Some(signature)
            }
            Callee::Host(_) | Callee::C(..) => None,
        }
    }
}

/// The types a call is made with; the ABI follows from it alone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Signature {
    /// Parameters.
    pub params: SmallVec<[Ty; 4]>,
    /// Result.
    pub result: Ty,
}

impl Signature {
    /// The same with other names of items.
    pub fn renamed(&self, renames: &Renames) -> Signature {
        let params = self.params.iter().map(|ty| renames.ty(*ty)).collect();
        Signature { params, result: renames.ty(self.result) }
    }
}

/// A place in memory or a local.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Place {
    /// Where it starts.
    pub base: PlaceBase,
    /// What is picked from there.
    pub projections: SmallVec<[Projection; 2]>,
    /// Type of the place itself, after the projections.
    pub ty: Ty,
}

/// Where a place starts.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum PlaceBase {
    /// A local.
    Local(Local),
    /// A global; the type is its own.
    Global(ItemPath, Ty),
    /// Behind a pointer held by a local (a scalar that is not in memory); the type is the pointee's.
    Deref(Local, Ty),
}

/// One step into a place.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Projection {
    /// A field of a struct or tuple, or 0 address / 1 length of a slice, or 0 discriminant of an enum.
    Field(u32),
    /// A field of an enum's variant.
    VariantField(u32, u32),
    /// An element of an array; the index, an `i64` local that is not in memory, has been checked (behind a pointer to
    /// `[T; 0]` it may be anything).
    Index(Local),
    /// An element of an array with a known index.
    ConstIndex(u64),
}

/// A value used by a statement.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Operand {
    /// The value of a place.
    Copy(Place),
    /// A constant.
    Const(Const),
}

/// A constant.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Const {
    /// An integer or `bool` (0, 1), sign-extended for signed types; a pointer as address.
    Int(i128, Ty),
    /// The bits of an `f64`; for `f32` rounded when used.
    Float(u64, Ty),
    /// A string of the program's pool.
    Str(Arc<str>),
    /// The function value of a function of the program: the address of its slot.
    Function(Instance, Signature),
    /// What the runtime knows of a type, as an address in an `i64`.
    Type(Ty),
    /// The table of methods of a `dyn`: an address in an `i64`.
    Table(Arc<DynTable>),
}

/// A computed value.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Rvalue {
    /// As it is.
    Use(Operand),
    /// An operator on one operand.
    Unary(UnaryOp, Operand),
    /// An operator on two operands of one type; `And` and `Or` do not occur, strings only in comparisons that have
    /// become host calls. Division traps on zero.
    Binary(BinaryOp, Operand, Operand),
    /// A conversion to this type.
    Cast(CastKind, Operand, Ty),
    /// The address of a place; its locals are `in_memory`.
    AddressOf(Place),
    /// The discriminant of an enum place, as an `i64`.
    Discriminant(Place),
    /// An operation on floats or integers that is one instruction.
    Intrinsic(Intrinsic, SmallVec<[Operand; 2]>),
    /// The value of a type at an address (an `i64` or pointer operand), unaligned.
    LoadAt(Operand, Ty),
    /// What the code that ran the loop before hands over; only in the entry of a resumed body. It is assigned to whole
    /// locals. One in memory has its value already.
    Carried(Taken),
}

/// Operations of the machine.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Intrinsic {
    /// Smaller of two.
    Min,
    /// Larger of two.
    Max,
    /// Absolute value; wraps.
    Abs,
    /// Square root.
    Sqrt,
    /// Round down.
    Floor,
    /// Round up.
    Ceil,
    /// Round towards zero.
    Trunc,
}

impl LoopInfo {
    /// A loop with this number in the typed tree.
    pub fn new(id: u32, parent: Option<u32>, header: BlockId, polled: bool) -> LoopInfo {
        LoopInfo { id: LoopId(id), parent, header, polled }
    }
}

impl Place {
    /// All of a local.
    pub fn local(local: Local, ty: Ty) -> Place {
        Place { base: PlaceBase::Local(local), projections: SmallVec::new(), ty }
    }

    /// What a pointer in a local points at.
    pub fn deref(pointer: Local, ty: Ty) -> Place {
        Place { base: PlaceBase::Deref(pointer, ty), projections: SmallVec::new(), ty }
    }

    /// All of a global.
    pub fn global(path: ItemPath, ty: Ty) -> Place {
        Place { base: PlaceBase::Global(path, ty), projections: SmallVec::new(), ty }
    }

    /// One step further in, to a place of a type.
    pub fn project(&self, step: Projection, ty: Ty) -> Place {
        let mut projections = self.projections.clone();
        projections.push(step);
        Place { base: self.base.clone(), projections, ty }
    }

    /// The local, if the place is all of one.
    pub fn as_local(&self) -> Option<Local> {
        match self.base {
            PlaceBase::Local(local) if self.projections.is_empty() => Some(local),
            _ => None,
        }
    }

    /// The locals whose values are needed to find the place: pointers and indices.
    pub fn address_locals(&self) -> impl Iterator<Item = Local> {
        let pointer = match self.base {
            PlaceBase::Deref(local, _) => Some(local),
            _ => None,
        };
        let indices = self.projections.iter().filter_map(|step| match step {
            Projection::Index(local) => Some(*local),
            _ => None,
        });
        pointer.into_iter().chain(indices)
    }
}

impl Operand {
    /// An `i64` constant.
    pub fn int(value: i64) -> Operand {
        Operand::Const(Const::Int(i128::from(value), Ty::i64()))
    }

    /// The value of a local.
    pub fn local(local: Local, ty: Ty) -> Operand {
        Operand::Copy(Place::local(local, ty))
    }

    /// Its type.
    pub fn ty(&self) -> Ty {
        match self {
            Operand::Copy(place) => place.ty,
            Operand::Const(constant) => constant.ty(),
        }
    }

    /// The integer, if it is a constant one.
    pub fn as_int(&self) -> Option<i128> {
        match self {
            Operand::Const(Const::Int(value, _)) => Some(*value),
            _ => None,
        }
    }
}

impl Const {
    /// Its type.
    pub fn ty(&self) -> Ty {
        match self {
            Const::Int(_, ty) | Const::Float(_, ty) => *ty,
            Const::Str(_) => Ty::str(),
            Const::Function(_, signature) => signature.function_ty(),
            Const::Type(_) | Const::Table(_) => Ty::i64(),
        }
    }
}

impl Signature {
    /// Of these types; parameters without a value are left out.
    pub fn new(params: impl IntoIterator<Item = Ty>, result: Ty) -> Signature {
        Signature { params: params.into_iter().filter(|ty| !ty.is_unit()).collect(), result }
    }

    /// The type of a function value of this signature.
    pub fn function_ty(&self) -> Ty {
        Ty::new(TyKind::Function(TyList::new(&self.params), self.result))
    }
}

impl Body {
    /// The local of the result.
    pub const RESULT: u32 = 0;

    /// The `n`th local.
    pub fn local(&self, n: u32) -> Local {
        Idx::from_raw(la_arena::RawIdx::from_u32(n))
    }

    /// The locals of the parameters.
    pub fn param_locals(&self) -> impl Iterator<Item = Local> + use<> {
        (1..=self.params).map(|n| Idx::from_raw(la_arena::RawIdx::from_u32(n)))
    }

    /// The locals that the entry of a resumed body takes over.
    pub fn taken(&self) -> impl Iterator<Item = (Local, Taken)> {
        let entry = self.blocks.values().next().filter(|_| self.resumed.is_some());
        entry.into_iter().flat_map(|block| &block.statements).filter_map(|statement| match &statement.kind {
            StatementKind::Assign(place, Rvalue::Carried(taken)) => Some((place.as_local()?, *taken)),
            _ => None,
        })
    }

    /// A hash of what the body means: equal hashes compile to equal code against equal layouts. Spans have no part in
    /// it.
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = rustc_hash::FxHasher::default();
        self.hash(&mut hasher);
        hasher.finish()
    }

    /// It and its cleanup.
    pub fn with_cleanup(&self) -> impl Iterator<Item = &Body> {
        std::iter::once(self).chain(self.cleanup.as_deref())
    }

    /// The highest number of a location in its code: its cleanup's places are numbered behind its own.
    pub fn location_count(&self) -> u32 {
        let own = |body: &Body| body.blocks.values().map(|block| block.statements.len() as u32 + 1).sum::<u32>();
        self.cleans.unwrap_or(0) + self.with_cleanup().map(own).sum::<u32>()
    }

    /// The types of its signature.
    pub fn signature(&self) -> Signature {
        Signature {
            params: self.param_locals().map(|local| self.locals[local].ty).collect(),
            result: self.locals[self.local(Body::RESULT)].ty,
        }
    }
}
