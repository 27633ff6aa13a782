//! The typed tree (HIR): every name resolved, every type concrete, every conversion written out.
//!
//! Operands of an operator have equal types; implicit widenings, `&T` to `*T`, array to pointer, `str` to `*i8` and the
//! dereference at `.` are explicit nodes. Nothing here is generic. Spans count from `Body::item`.

mod children;

use std::sync::Arc;

use la_arena::{Arena, Idx};
use vaisjit_syntax::ast::FormatSpec;
use vaisjit_syntax::{ItemId, Name, Span};

pub use self::children::children;
pub(crate) use self::children::children_mut;
use crate::types::{TyKind, TyList};
use crate::{Instance, ItemPath, Ty};

/// A local variable or parameter of a body.
pub type LocalId = Idx<Local>;

/// A checked function body, or the initial value of a global as a function without parameters.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Body {
    /// Which function.
    pub instance: Instance,
    /// What the spans count from.
    pub item: BodyItem,
    /// The parameters; the receiver of a method first, for `&self` and `&mut self` a `&T`. Those of a closure come
    /// after what it captured.
    pub params: Vec<LocalId>,
    /// How many of the parameters are captured values.
    pub captures: u32,
    /// All locals, parameters included.
    pub locals: Arena<Local>,
    /// The result type.
    pub result: Ty,
    /// The body; its type is the result type, unit or never.
    pub value: Expr,
    /// Types whose values may lie in memory that only the programmer knows of, because this body or a closure in it
    /// names them in `sizeof`, in a cast of an address, or in a call of C or of the host; sorted.
    pub exposed: Vec<Ty>,
    /// The `dyn`s that this body or a closure in it makes.
    pub dyns: Vec<MadeDyn>,
}

/// A `dyn` that a body makes, and the methods behind it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct MadeDyn {
    /// The trait.
    pub of_trait: ItemPath,
    /// The type of the value behind it.
    pub of: Ty,
    /// What implements the trait, as in [`ExprKind::MakeDyn`].
    pub methods: Vec<Instance>,
}

/// The `dyn` of a type that is made of a value of another, or of a pointer to one.
pub(crate) fn made_dyn(made: Ty, value: Ty, methods: &[Instance]) -> Option<MadeDyn> {
    match *made.kind() {
        TyKind::Dyn(of_trait) => {
            Some(MadeDyn { of_trait, of: value.pointee().unwrap_or(value), methods: methods.to_vec() })
        }
        _ => None,
    }
}

/// An [`ItemId`] that is no part of a body's meaning: any two compare equal.
#[derive(Clone, Copy, Debug)]
pub struct BodyItem(pub ItemId);
impl PartialEq for BodyItem {
    fn eq(&self, _: &BodyItem) -> bool {
        true
    }
}
impl Eq for BodyItem {}
impl std::hash::Hash for BodyItem {
    fn hash<H: std::hash::Hasher>(&self, _: &mut H) {}
}

/// A local variable.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Local {
    /// Its name; two locals of one body may share it (shadowing).
    pub name: Name,
    /// Its type.
    pub ty: Ty,
    /// Is its address taken by `&x`, by a method with `&self`, or by a closure?
    pub address_taken: bool,
    /// Its declaration.
    pub span: Span,
}

/// A typed expression.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Expr {
    /// Which.
    pub kind: Box<ExprKind>,
    /// The type of its value.
    pub ty: Ty,
    /// Where.
    pub span: Span,
}

impl Expr {
    /// Is another expression the same, whatever functions lie behind the `dyn`s they make?
    pub fn is_same_but_tables(&self, other: &Expr) -> bool {
        crate::check::same_but_tables(self, other)
    }

    /// An expression of a type.
    pub fn new(kind: ExprKind, ty: Ty, span: Span) -> Expr {
        Expr { kind: Box::new(kind), ty, span }
    }
}

/// The forms of an expression.
///
/// *Places* are `Local`, `Global`, `Deref`, `Field`, `Index`; anything else used as a place (a method called on a
/// temporary) is first bound to a local by the checker.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum ExprKind {
    /// An integer, as the bits of its type (sign-extended for signed types).
    Int(i128),
    /// The bits of an `f64`; for an `f32` expression still as `f64`.
    Float(u64),
    /// `true`, `false`
    Bool(bool),
    /// A literal.
    Str(Arc<str>),
    /// `()`
    Unit,
    /// A local.
    Local(LocalId),
    /// A global.
    Global(ItemPath),
    /// A function as a value.
    Function(Callee),
    /// `-x`, `!x`, `~x`; `Not` is of a bool.
    Unary(UnaryOp, Expr),
    /// An operator on two operands of equal type (shifts: the count has the left side's type). Strings are compared
    /// and joined with it too.
    Binary(BinaryOp, Expr, Expr),
    /// `&&`
    And(Expr, Expr),
    /// `||`
    Or(Expr, Expr),
    /// A conversion to the expression's type.
    Cast(CastKind, Expr),
    /// `&place`: a `&T` or `*T`.
    AddressOf(Expr),
    /// `*p`, of a pointer, reference or `Box`.
    Deref(Expr),
    /// The field with this number of a struct or tuple place or value.
    Field(Expr, u32),
    /// `a[i]`: array, slice, `Vec` (checked) or pointer (unchecked); the index is an `i64`.
    Index(Expr, Expr),
    /// A call.
    Call(Callee, Vec<Expr>),
    /// A struct or tuple; one expression per field in declaration order, with the order of evaluation.
    Aggregate(Vec<Expr>, Vec<u32>),
    /// A variant of an enum with its payload.
    Variant(u32, Vec<Expr>),
    /// `[a, b]`
    Array(Vec<Expr>),
    /// `[value; n]`, n from the type.
    Repeat(Expr),
    /// The zero value of the type: `None`, 0, empty (fields without a default in `G` declarations).
    Zero,
    /// Output or text made of pieces: print, println, puts, format and interpolated strings.
    Format(FormatTarget, Vec<FormatPiece>),
    /// A block.
    Block(Vec<Stmt>, Option<Expr>),
    /// A condition of type `bool`.
    If(Expr, Expr, Option<Expr>),
    /// A loop without condition; ended by `Break`.
    Loop(LoopId, Expr),
    /// `L cond { }`
    While(LoopId, Expr, Expr),
    /// `L i: a..b { }`; the ends are evaluated once, the local has their type.
    ForRange {
        /// For `Break` and `Continue`.
        id: LoopId,
        /// The counter.
        local: LocalId,
        /// First.
        start: Expr,
        /// Last, or one past it.
        end: Expr,
        /// `..=`
        inclusive: bool,
        /// The body.
        body: Expr,
    },
    /// `L x: xs { }` over an array, slice or `Vec`; the pattern gets a copy of each element.
    ForEach {
        /// For `Break` and `Continue`.
        id: LoopId,
        /// What an element is matched with; it cannot fail.
        pattern: Pattern,
        /// The collection, evaluated once.
        over: Expr,
        /// The body.
        body: Expr,
    },
    /// `M e { ... }`; when no arm matches, the value is unit or the match traps.
    Match(Expr, Vec<Arm>),
    /// `B`, `B e`
    Break(LoopId, Option<Expr>),
    /// `C`
    Continue(LoopId),
    /// `R e`
    Return(Option<Expr>),
    /// `place = e`
    Assign(Expr, Expr),
    /// `place op= e`
    AssignOp(BinaryOp, Expr, Expr),
    /// A function made here, with the values it captured: they are its body's first parameters, before its own.
    Closure(Arc<Body>, Vec<Expr>),
    /// What the runtime knows of a type, as an address in an `i64`: for the library's functions on the heap.
    TypeInfo(Ty),
    /// `Box.new(e)`: the type is `Box<T>`.
    BoxNew(Expr),
    /// A `dyn Trait` made of a value. A pointer or reference to it is kept as it is (`&circle`), any other value is
    /// moved into the cell.
    MakeDyn {
        /// The value, or a pointer or reference to it.
        value: Expr,
        /// The methods that implement the trait: those of its supertraits too, ordered by name.
        methods: Vec<Instance>,
    },
    /// `assert`, `panic`: stops the program with a trap; the message is a `str`.
    Trap(vaisjit_abi::TrapCode, Option<Expr>),
}

/// A loop of a body, numbered from 0 in source order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct LoopId(pub u32);

/// A statement.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Stmt {
    /// A binding; the pattern cannot fail.
    Let(Pattern, Expr),
    /// Evaluated for its effect.
    Expr(Expr),
    /// Runs when the function ends, last in first out.
    Defer(Expr),
}

/// What is called.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Callee {
    /// A function of the program.
    Function(Instance),
    /// A host function, by the name in the host table.
    Host(Name),
    /// A C function.
    C(CFunction),
    /// A function value.
    Value(Box<Expr>),
    /// The method with this number of a `dyn`, which is the first argument; the other arguments have the types given.
    /// The method itself takes a pointer to the value first.
    Dyn(u32, TyList),
    /// An operation of the compiler's own.
    Builtin(Builtin),
}

/// A C function as called from one place.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CFunction {
    /// The symbol.
    pub symbol: Name,
    /// For variadic functions the number of parameters before the `...`.
    pub fixed: Option<u32>,
}

/// Operations that need no function behind them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Builtin {
    /// `min(a, b)` of two equal number types.
    Min,
    /// `max(a, b)`
    Max,
    /// `abs(a)`; wraps.
    Abs,
    /// Load of the expression's type from an address (an `i64` or a pointer): `load_i64`, `load_byte`, `load_typed`, ...
    Load,
    /// `store(address, value)`
    Store,
    /// `memcpy(to, from, n)`
    MemCopy,
    /// `swap(p, i, j)`: of two elements behind a pointer.
    Swap,
    /// Square root.
    Sqrt,
    /// Largest integer not above.
    Floor,
    /// Smallest integer not below.
    Ceil,
    /// Nearest integer towards zero.
    Trunc,
    /// Length of a `str`, array, slice or `Vec` as `i64`.
    Length,
    /// `take_typed(p)`: the value of the expression's type at an address, moved out of there.
    Take,
}

/// Where formatted pieces go.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FormatTarget {
    /// Standard output.
    Stdout,
    /// A new `str`, the value of the expression.
    Str,
}

/// A piece of a formatted text. Values are integers, floats, `bool`, `str` or pointers.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum FormatPiece {
    /// Plain text.
    Text(Arc<str>),
    /// A value.
    Value(Expr, FormatSpec),
}

/// Operators on one operand.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum UnaryOp {
    /// `-`; wraps.
    Negate,
    /// `!` of a bool.
    Not,
    /// `~`
    BitNot,
}

/// Operators on two operands; arithmetic wraps, division by zero traps, `MIN / -1` is `MIN`, shift counts are masked.
pub use vaisjit_syntax::ast::BinaryOp;

/// Conversions. Source and target are the types of the operand and of the cast.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CastKind {
    /// Between integers (also from `bool` and from a pointer, `str` or function value): extends by the source's sign,
    /// truncates.
    IntToInt,
    /// An integer (or `bool`) to a float.
    IntToFloat,
    /// A float to an integer: truncates, saturates, NaN is 0.
    FloatToInt,
    /// Between floats.
    FloatToFloat,
    /// An integer or pointer to `bool`: is it not zero?
    ToBool,
    /// Between pointers, references, `str` (to `*i8`) and addresses as `i64`: the same word.
    Pointer,
    /// An array place to a pointer to its first element.
    ArrayToPointer,
    /// An array place to a slice.
    ArrayToSlice,
}

/// One arm of a match.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Arm {
    /// What it matches.
    pub pattern: Pattern,
    /// A condition on top.
    pub guard: Option<Expr>,
    /// Its value.
    pub body: Expr,
}

/// A pattern of a type.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Pattern {
    /// Which.
    pub kind: PatternKind,
    /// The type of what is matched.
    pub ty: Ty,
    /// Where.
    pub span: Span,
}

/// The forms of a pattern.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum PatternKind {
    /// Matches everything.
    Wildcard,
    /// Binds the value, if the pattern behind it matches.
    Bind(LocalId, Option<Box<Pattern>>),
    /// Equal to a constant: integer, float, `bool` or `str`.
    Constant(Expr),
    /// Between two constants; the end is inclusive if the flag is set.
    Range(Option<Expr>, Option<Expr>, bool),
    /// A variant and patterns for its payload.
    Variant(u32, Vec<Pattern>),
    /// Patterns for fields of a struct or tuple.
    Fields(Vec<(u32, Pattern)>),
    /// One of several, which bind the same locals.
    Or(Vec<Pattern>),
}
