//! The tree the parser makes: one type per construct of the language, spans on everything a diagnostic may point at.
//!
//! Spans count from the start of the enclosing item. Trees compare and hash without them (see [`Span`]), so two texts
//! that differ in white space and comments make equal trees.

use crate::{Name, Span};

/// A name where it was written.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Ident {
    /// The name.
    pub name: Name,
    /// Where.
    pub span: Span,
}

/// `#[hot]`, `#[was("old")]`, `#[reserve(16)]`, `@[extern "C"]`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Attribute {
    /// What stands before the parenthesis, or `extern` for `@[extern "C"]`.
    pub name: Ident,
    /// Its arguments: names, strings and integers, as text.
    pub arguments: Vec<(String, Span)>,
    /// All of it.
    pub span: Span,
}

/// A top-level item.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Item {
    /// What it is.
    pub kind: ItemKind,
    /// The attributes before it.
    pub attributes: Vec<Attribute>,
    /// The `///` lines before it, without the slashes, joined by newlines.
    pub docs: Docs,
    /// Its first line: from the item letter to the end of the name or signature.
    pub head: Span,
}

/// Documentation; like spans no part of what a tree means.
#[derive(Clone, Default)]
pub struct Docs(pub String);
impl PartialEq for Docs {
    fn eq(&self, _: &Docs) -> bool {
        true
    }
}
impl Eq for Docs {}
impl std::hash::Hash for Docs {
    fn hash<H: std::hash::Hasher>(&self, _: &mut H) {}
}
impl std::fmt::Debug for Docs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// The kinds of top-level items.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum ItemKind {
    /// `F f(a: i64) -> T { ... }`
    Function(Function),
    /// `S P { x: f64, y: f64 = 1.0 }`
    Struct(Struct),
    /// `E Color { Red, Rgb(i64, i64, i64) }`
    Enum(Enum),
    /// `W Shape: Named { ... }`
    Trait(Trait),
    /// `X P { ... }`, `X P: Shape { ... }`
    Impl(Impl),
    /// `N "C" { F puts(s: *i8) -> i32; }`, `X F sqrt(x: f64) -> f64`, `N F f(...)`: bodiless functions.
    Extern(Extern),
    /// `U physics.{step, Body}`
    Import(Import),
    /// `C MAX: i64 = 10`
    Const(Const),
    /// `G score: i64 = 0`
    Global(Global),
    /// `T Id = i64`
    Alias(Alias),
    /// What could not be parsed; a diagnostic says why.
    Error,
}

/// A function, method, trait method or C function.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Function {
    /// Its name.
    pub name: Ident,
    /// `<T: A + B>`
    pub generics: Generics,
    /// `&self`, `self`, `&mut self`.
    pub receiver: Option<Receiver>,
    /// The other parameters.
    pub params: Vec<Param>,
    /// `...` after the last parameter.
    pub variadic: bool,
    /// After `->`.
    pub result: Option<Type>,
    /// Absent for C functions and required trait methods.
    pub body: Option<FunctionBody>,
    /// Attributes of a method; those of an item stand on the [`Item`].
    pub attributes: Vec<Attribute>,
    /// All of it, attributes excluded.
    pub span: Span,
    /// From the letter to the end of the signature.
    pub head: Span,
}

/// `{ ... }` or `= expr`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum FunctionBody {
    /// `{ ... }`: without `->` the result is unit.
    Block(Block),
    /// `= expr`: without `->` the result is inferred.
    Expr(Expr),
}

/// How a method takes its receiver.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Receiver {
    /// The form.
    pub kind: ReceiverKind,
    /// Where.
    pub span: Span,
}

/// The forms of a receiver.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ReceiverKind {
    /// `self`
    Value,
    /// `&self`
    Ref,
    /// `&mut self`
    RefMut,
}

/// `name: T = default`
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Param {
    /// Its name.
    pub name: Ident,
    /// Absent: inferred.
    pub ty: Option<Type>,
    /// Used when a call leaves it out.
    pub default: Option<Expr>,
}

/// `<T: A + B, U>` and `where T: A`.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Generics {
    /// The parameters.
    pub params: Vec<GenericParam>,
    /// The `where` clauses.
    pub bounds: Vec<Bound>,
}

/// One generic parameter.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct GenericParam {
    /// Its name.
    pub name: Ident,
    /// The traits it must implement.
    pub bounds: Vec<Type>,
}

/// `T: A + B` after `where`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Bound {
    /// The bounded type.
    pub ty: Type,
    /// The traits.
    pub bounds: Vec<Type>,
}

/// `S P { ... }`
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Struct {
    /// Its name.
    pub name: Ident,
    /// Type parameters.
    pub generics: Generics,
    /// The fields in order.
    pub fields: Vec<Field>,
    /// Methods written inside.
    pub methods: Vec<Function>,
}

/// `name: T = default`
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Field {
    /// Its name.
    pub name: Ident,
    /// Its type.
    pub ty: Type,
    /// Used by literals that leave it out.
    pub default: Option<Expr>,
    /// `#[was("old")]`
    pub attributes: Vec<Attribute>,
}

/// `E Color { ... }`
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Enum {
    /// Its name.
    pub name: Ident,
    /// Type parameters.
    pub generics: Generics,
    /// The variants in order.
    pub variants: Vec<Variant>,
    /// Methods written inside.
    pub methods: Vec<Function>,
}

/// One variant of an enum.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Variant {
    /// Its name.
    pub name: Ident,
    /// Its payload.
    pub payload: Payload,
    /// `#[was("old")]`
    pub attributes: Vec<Attribute>,
}

/// What a variant carries.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Payload {
    /// Nothing.
    Unit,
    /// `(T, U)`
    Tuple(Vec<Type>),
    /// `{ id: T }`
    Struct(Vec<Field>),
}

/// `W Shape: Named { ... }`
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Trait {
    /// Its name.
    pub name: Ident,
    /// Type parameters.
    pub generics: Generics,
    /// Traits an implementor must implement too.
    pub supertraits: Vec<Type>,
    /// Required (bodiless) and default methods.
    pub methods: Vec<Function>,
}

/// `X P { ... }` or `X P: Shape { ... }`
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Impl {
    /// `X<T>`
    pub generics: Generics,
    /// The type that gets the methods.
    pub target: Type,
    /// The implemented trait.
    pub of_trait: Option<Type>,
    /// The methods.
    pub methods: Vec<Function>,
}

/// Functions defined elsewhere.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Extern {
    /// `"C"`, or `"host"` in the standard library's own files.
    pub abi: Name,
    /// The declarations.
    pub functions: Vec<Function>,
}

/// `U std/math`, `U physics.{step, Body}`, `U std::io`
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Import {
    /// `["std", "math"]`
    pub path: Vec<Ident>,
    /// The names picked; absent means all.
    pub names: Option<Vec<Ident>>,
}

/// `C MAX: i64 = 10`
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Const {
    /// Its name.
    pub name: Ident,
    /// Absent: the value's.
    pub ty: Option<Type>,
    /// Its value.
    pub value: Expr,
}

/// `G score: i64 = 0`
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Global {
    /// Its name.
    pub name: Ident,
    /// Absent: the value's.
    pub ty: Option<Type>,
    /// Absent: zero or the field defaults.
    pub value: Option<Expr>,
}

/// `T Id = i64`
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Alias {
    /// Its name.
    pub name: Ident,
    /// Type parameters.
    pub generics: Generics,
    /// What it stands for.
    pub ty: Type,
}

/// A type as written.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Type {
    /// Which.
    pub kind: TypeKind,
    /// Where.
    pub span: Span,
}

/// The forms of a type.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum TypeKind {
    /// `i64`, `Vec<T>`, `Self`, `physics.Body`
    Path(TypePath),
    /// `*T`
    Pointer(Box<Type>),
    /// `&T`, `&mut T`
    Reference(Box<Type>),
    /// `[T; N]`
    Array(Box<Type>, Box<Expr>),
    /// `[T]`, also `&[T]`
    Slice(Box<Type>),
    /// `(A, B)`; `()` is unit.
    Tuple(Vec<Type>),
    /// `fn(A) -> B`
    Function(Vec<Type>, Option<Box<Type>>),
    /// `dyn Trait`
    Dyn(Box<Type>),
    /// `_`, or what could not be parsed.
    Infer,
}

/// A possibly qualified, possibly instantiated name of a type.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TypePath {
    /// `physics`, `Body`
    pub segments: Vec<Ident>,
    /// `<A, B>`
    pub arguments: Vec<Type>,
}

/// `{ ... }`
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Block {
    /// The statements; a last one that is an expression without `;` after it is the block's value.
    pub statements: Vec<Statement>,
    /// Does a `;` end the last statement, so that the block has no value?
    pub ends_with_semicolon: bool,
    /// Braces included.
    pub span: Span,
}

/// One statement.
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
    /// `x := e`, `x: T = e`, `(a, b) := pair`
    Let {
        /// What is bound.
        pattern: Pattern,
        /// The declared type.
        ty: Option<Type>,
        /// `:= mut`
        mutable: bool,
        /// The value.
        value: Expr,
    },
    /// `x = e`, `x += e`
    Assign {
        /// What is written.
        target: Expr,
        /// The operator of `+=`.
        op: Option<(BinaryOp, Span)>,
        /// The value.
        value: Expr,
    },
    /// `e`
    Expr(Expr),
    /// `D { ... }`, `D f()`
    Defer(Expr),
    /// `G n: i64 = 0` inside a function.
    Global(Global),
    /// `const N: i64 = 3`, `C N: i64 = 3` inside a function.
    Const(Const),
    /// What could not be parsed.
    Error,
}

/// An expression.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Expr {
    /// Which.
    pub kind: Box<ExprKind>,
    /// Where.
    pub span: Span,
}

impl Expr {
    /// An expression at a span.
    pub fn new(kind: ExprKind, span: Span) -> Expr {
        Expr { kind: Box::new(kind), span }
    }
}

/// The forms of an expression.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum ExprKind {
    /// `42`, `0xff`; whether it is decimal.
    Int(u128, bool),
    /// `3.14`; the bits of the `f64`.
    Float(u64),
    /// `true`
    Bool(bool),
    /// `"..."`
    Str(StrLiteral),
    /// `x`
    Name(Name),
    /// `Color::Red`, `Type::new`, `Vec<i64>::new`, `Pair<i64>.new`: a member of a type or module.
    Path(TypePath, Ident),
    /// `@`: the enclosing function before `(`, `self` before `.`.
    At,
    /// `-x`, `!x`, `~x`, `*p`
    Unary(UnaryOp, Expr),
    /// `&x`, `&mut x`
    AddressOf(Expr),
    /// `a + b`; the span is the operator's.
    Binary(BinaryOp, Span, Expr, Expr),
    /// `x |> f`
    Pipe(Expr, Expr),
    /// `c ? a : b`
    Ternary(Expr, Expr, Expr),
    /// `f(x)`
    Call(Expr, Vec<Expr>),
    /// `a.m(x)`, `a.m<T>(x)`. Also `Type.new()`, `module.f()` and calls of fields that hold functions: the checker
    /// tells them apart.
    MethodCall {
        /// Before the dot.
        receiver: Expr,
        /// The method.
        method: Ident,
        /// `<T>`
        type_arguments: Vec<Type>,
        /// In the parentheses.
        arguments: Vec<Expr>,
    },
    /// `f<T>` before `(`: a name with type arguments.
    Instance(Ident, Vec<Type>),
    /// `a.b`, also `Color.Red`
    Field(Expr, Ident),
    /// `t.0`
    TupleField(Expr, u32, Span),
    /// `a[i]`; slices have a range as index.
    Index(Expr, Expr),
    /// `a..b`, `a..=b`, with either end absent in a slice.
    Range {
        /// First.
        start: Option<Expr>,
        /// Last, or one past it.
        end: Option<Expr>,
        /// `..=`
        inclusive: bool,
    },
    /// `e as T`
    Cast(Expr, Type),
    /// `e?`
    Try(Expr),
    /// `e!`
    Unwrap(Expr),
    /// `P { x: 1, y }`
    Struct(TypePath, Vec<FieldValue>),
    /// `[1, 2, 3]`
    Array(Vec<Expr>),
    /// `[0; 100]`
    Repeat(Expr, Expr),
    /// `(1, "x")`; `()` is unit.
    Tuple(Vec<Expr>),
    /// `|x: i64, y| e`
    Closure {
        /// The parameters; defaults are never present.
        params: Vec<(Pattern, Option<Type>)>,
        /// After `->`.
        result: Option<Type>,
        /// The body.
        body: Expr,
    },
    /// `{ ... }`
    Block(Block),
    /// `I c { } E I c2 { } E { }`
    If {
        /// The condition.
        condition: Expr,
        /// When it holds.
        then: Block,
        /// A block or another `If`.
        otherwise: Option<Expr>,
    },
    /// `L ...`
    Loop(LoopKind, Block),
    /// `M e { p => e }`
    Match(Expr, Vec<Arm>),
    /// `B`, `B e`
    Break(Option<Expr>),
    /// `C`
    Continue,
    /// `R`, `R e`
    Return(Option<Expr>),
    /// What could not be parsed; a diagnostic has been given.
    Error,
}

/// `name: value` in a struct literal; the shorthand repeats the name as value.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct FieldValue {
    /// The field.
    pub name: Ident,
    /// Its value.
    pub value: Expr,
}

/// The forms of a loop.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum LoopKind {
    /// `L { }`
    Infinite,
    /// `L cond { }`, `LW cond { }`
    While(Expr),
    /// `L x: xs { }`, `LF x: xs { }`; a range is an [`ExprKind::Range`].
    For(Pattern, Expr),
}

/// One arm of a match.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Arm {
    /// What it matches.
    pub pattern: Pattern,
    /// `I cond` or `if cond`.
    pub guard: Option<Expr>,
    /// Its value.
    pub body: Expr,
    /// All of it.
    pub span: Span,
}

/// A pattern.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Pattern {
    /// Which.
    pub kind: PatternKind,
    /// Where.
    pub span: Span,
}

/// The forms of a pattern.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum PatternKind {
    /// `_`
    Wildcard,
    /// `x`: a binding, unless a variant or constant of that name is in scope.
    Name(Name),
    /// `n @ 10..20`
    At(Ident, Box<Pattern>),
    /// `0`, `-1`, `"x"`, `true`, `1.5`
    Literal(Expr),
    /// `1..=9`, `10..20`; ends are literals or constants.
    Range {
        /// First.
        start: Option<Expr>,
        /// Last, or one past it.
        end: Option<Expr>,
        /// `..=`
        inclusive: bool,
    },
    /// `Color::Red`, `Color.Red`, without payload.
    Path(TypePath),
    /// `Some(x)`, `Color.Rgb(r, _, _)`
    Tuple(Option<TypePath>, Vec<Pattern>),
    /// `P { x, y: 0, .. }`
    Struct(TypePath, Vec<(Ident, Pattern)>),
    /// `A | B`
    Or(Vec<Pattern>),
    /// What could not be parsed.
    Error,
}

/// A string literal.
///
/// `parts` is the text cut at its brace groups when every group parses as an expression (or is `{}` or `{{`/`}}`); a
/// literal without groups, or one with a group that does not parse, is one `Text` part. Whether the groups are
/// interpolated depends on where the literal stands and which names are in scope, so `raw` is kept beside.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct StrLiteral {
    /// The whole text with escapes resolved and braces as written.
    pub raw: String,
    /// The text as interpolation sees it.
    pub parts: Vec<StrPart>,
    /// Set when a brace group does not parse: where, and what is wrong with it.
    pub broken: Option<(Span, String)>,
}

/// A piece of a string literal.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum StrPart {
    /// Plain text; `{{` and `}}` are single braces here.
    Text(String),
    /// `{expr}`, `{expr:.2}`; `None` is `{}`, which takes the next argument.
    Hole(Option<Expr>, FormatSpec, Span),
}

/// `{x:>8.2}`, as in Rust.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub struct FormatSpec {
    /// Fill character, a space by default.
    pub fill: Option<char>,
    /// `<`, `>` or `^`.
    pub align: Option<char>,
    /// `+`
    pub sign: bool,
    /// `#`
    pub alternate: bool,
    /// `0` before the width.
    pub zero: bool,
    /// Least number of characters.
    pub width: Option<u32>,
    /// Digits after the point, or characters of a string.
    pub precision: Option<u32>,
    /// `x`, `X`, `b`, `o`, `e`, `?`
    pub kind: Option<char>,
}

/// Operators before an operand.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum UnaryOp {
    /// `-`
    Negate,
    /// `!`
    Not,
    /// `~`
    BitNot,
    /// `*`
    Deref,
}

/// Operators between two operands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum BinaryOp {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `%`
    Rem,
    /// `&`
    BitAnd,
    /// `|`
    BitOr,
    /// `^`
    BitXor,
    /// `<<`
    Shl,
    /// `>>`
    Shr,
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
    /// `&&`
    And,
    /// `||`
    Or,
}

impl BinaryOp {
    /// As it is written.
    pub fn symbol(self) -> &'static str {
        match self {
            BinaryOp::Add => "+",
            BinaryOp::Sub => "-",
            BinaryOp::Mul => "*",
            BinaryOp::Div => "/",
            BinaryOp::Rem => "%",
            BinaryOp::BitAnd => "&",
            BinaryOp::BitOr => "|",
            BinaryOp::BitXor => "^",
            BinaryOp::Shl => "<<",
            BinaryOp::Shr => ">>",
            BinaryOp::Eq => "==",
            BinaryOp::Ne => "!=",
            BinaryOp::Lt => "<",
            BinaryOp::Le => "<=",
            BinaryOp::Gt => ">",
            BinaryOp::Ge => ">=",
            BinaryOp::And => "&&",
            BinaryOp::Or => "||",
        }
    }
}
