//! Random well-typed programs, printed as source of the language and, where C can say the same, as C.
//!
//! A program is a set of types, globals and functions; every function has an *entry* `entry<n>(a: i64, b: i64) -> i64`
//! that sets the globals back, calls it and mixes everything it can see into one number. Loops are bounded, calls are
//! limited by a budget; divisions and indices may trap.
#![allow(dead_code, reason = "each test uses a part of it")]

pub mod c;
mod make;
mod random;
pub mod shrink;
mod types;
pub mod vais;

pub use make::program;
pub use random::Random;
pub use types::{Int, Ty};

/// The numbers every entry is called with.
pub const ARGUMENTS: [(i64, i64); 4] = [(0, 1), (5, -77), (i64::MIN, 3), (-1, 0x1234_5678_9abc)];
/// How many calls an entry may make.
pub const BUDGET: i128 = 40;

/// A program.
#[derive(Clone, Debug, Default)]
pub struct Program {
    pub structs: Vec<Vec<Ty>>,
    /// Variants with their payloads.
    pub enums: Vec<Vec<Vec<Ty>>>,
    pub globals: Vec<(Ty, Expr)>,
    pub functions: Vec<Function>,
}

/// A function.
#[derive(Clone, Debug)]
pub struct Function {
    pub name: String,
    pub params: Vec<Param>,
    pub result: Ty,
    /// Ends in a `Return`.
    pub body: Vec<Stmt>,
    /// Does it count against the budget?
    pub counted: bool,
}

/// A parameter.
#[derive(Clone, Debug)]
pub struct Param {
    pub name: String,
    pub ty: Ty,
    /// Is it a pointer to the type?
    pub pointer: bool,
}

#[derive(Clone, Debug)]
pub enum Stmt {
    Let(String, Ty, Expr),
    Assign(Place, Option<Op>, Expr, Ty),
    If(Expr, Vec<Stmt>, Vec<Stmt>),
    /// From one number up to another, without it.
    For(String, Expr, Expr, Vec<Stmt>),
    /// At most so many turns, counted by a variable of this name.
    While(String, i128, Expr, Vec<Stmt>),
    /// Of a local.
    Match(String, usize, Vec<Arm>),
    Break,
    Continue,
    Return(Expr),
    /// A local that is a closure from `i64` to `i64`: its name, its parameter, its body.
    Closure(String, String, Expr),
}

/// An arm for one variant, which binds the payload.
#[derive(Clone, Debug)]
pub struct Arm {
    pub variant: usize,
    pub names: Vec<String>,
    pub body: Vec<Stmt>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Op {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    And,
    Or,
    Xor,
    Shl,
    Shr,
}

#[derive(Clone, Debug)]
pub enum Expr {
    Int(i128, Int),
    /// Eighths; in `f32` or `f64`.
    Float(i32, Ty),
    Bool(bool),
    Read(Place),
    Binary(Op, Box<Expr>, Box<Expr>, Ty),
    Compare(&'static str, Box<Expr>, Box<Expr>),
    /// `&&` or `||`
    Logic(&'static str, Box<Expr>, Box<Expr>),
    Not(Box<Expr>),
    Neg(Box<Expr>, Ty),
    Flip(Box<Expr>, Int),
    Cast(Box<Expr>, Ty, Ty),
    Choose(Box<Expr>, Box<Expr>, Box<Expr>),
    Call(usize, Vec<Argument>),
    Record(usize, Vec<Expr>),
    Array(Vec<Expr>, Ty),
    Variant(usize, usize, Vec<Expr>),
    /// A call of a closure.
    Apply(String, Box<Expr>),
    Text(String),
    Join(Box<Expr>, Box<Expr>),
    /// A number between two texts.
    Shown(String, Box<Expr>),
    Length(Box<Expr>),
}

#[derive(Clone, Debug)]
pub enum Argument {
    Value(Expr),
    Address(Place),
}

#[derive(Clone, Debug)]
pub struct Place {
    pub root: Root,
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub enum Root {
    Local(String),
    /// Behind a parameter.
    Pointer(String),
    Global(usize),
    /// The number of calls that are left.
    Budget,
}

#[derive(Clone, Debug)]
pub enum Step {
    Field(usize),
    /// The index is an `i64`; the length is the array's.
    Index(Box<Expr>, usize),
}

impl Program {
    /// The functions to call from outside.
    pub fn entries(&self) -> Vec<String> {
        let names = self.functions.iter().map(|function| function.name.clone());
        names.filter(|name| name.starts_with("entry")).collect()
    }
}
