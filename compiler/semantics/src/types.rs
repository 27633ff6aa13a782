//! Types and the identity of items.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{LazyLock, RwLock};

use rustc_hash::FxHashSet;
use vaisjit_syntax::Name;

/// The identity of an item across versions of a program: its module and its name in it.
///
/// Methods are `Player.step`, methods of a trait's implementation `Player:Shape.area`, globals inside a function
/// `update.counter`, closures `update.{0}`, the initial value of a global `{init}score`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ItemPath {
    /// The module's name, such as `game` or `std/math`.
    pub module: Name,
    /// The item's name in the module.
    pub name: Name,
}

impl ItemPath {
    /// The item `name` of `module`.
    pub fn new(module: Name, name: &str) -> ItemPath {
        ItemPath { module, name: Name::new(name) }
    }
}

impl fmt::Display for ItemPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.module, self.name)
    }
}
impl fmt::Debug for ItemPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A function with its type arguments: what is compiled and called.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Instance {
    /// Which function.
    pub path: ItemPath,
    /// Its type arguments, those of the enclosing impl first; empty for most.
    pub arguments: TyList,
}

impl Instance {
    /// A function without type arguments.
    pub fn plain(path: ItemPath) -> Instance {
        Instance { path, arguments: TyList::EMPTY }
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path)?;
        if !self.arguments.is_empty() { write!(f, "{}", self.arguments) } else { Ok(()) }
    }
}
impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A type: one word, compared by address, hashed and ordered by content.
#[derive(Clone, Copy)]
pub struct Ty(&'static TyKind);

/// The forms of a type.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum TyKind {
    /// `i8` ... `u128`
    Int(IntKind),
    /// `f32`, `f64`
    Float(FloatKind),
    /// `bool`
    Bool,
    /// `str`
    Str,
    /// No value.
    Unit,
    /// The type of what does not return; converts to every type.
    Never,
    /// `*T`
    Pointer(Ty),
    /// `&T`; the same word as `*T`.
    Reference(Ty),
    /// `[T; N]`
    Array(Ty, u64),
    /// `[T]`: address and length.
    Slice(Ty),
    /// `(A, B)`
    Tuple(TyList),
    /// A struct with its type arguments.
    Struct(ItemPath, TyList),
    /// An enum with its type arguments.
    Enum(ItemPath, TyList),
    /// `fn(A) -> B`
    Function(TyList, Ty),
    /// `dyn Trait`, also behind `&`, `*` and `Box`: a counted cell with a table of methods and a value.
    Dyn(ItemPath),
    /// `Vec<T>`
    Vec(Ty),
    /// `HashMap<K, V>`
    HashMap(Ty, Ty),
    /// `Box<T>`: a counted heap object with one value; a place like a pointer's.
    Box(Ty),
    /// A generic parameter; only in declared signatures, never in HIR.
    Param(Name),
    /// An inference variable; only while a body is being checked.
    Infer(u32),
    /// What a reported mistake left behind; agrees with everything.
    Error,
}

/// The integer types.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum IntKind {
    /// 8 bits, signed.
    I8,
    /// 16 bits, signed.
    I16,
    /// 32 bits, signed.
    I32,
    /// 64 bits, signed: the type of a plain literal.
    I64,
    /// 128 bits, signed.
    I128,
    /// 8 bits.
    U8,
    /// 16 bits.
    U16,
    /// 32 bits.
    U32,
    /// 64 bits.
    U64,
    /// 128 bits.
    U128,
}

impl IntKind {
    /// Every integer type.
    pub const ALL: [IntKind; 10] = [
        IntKind::I8,
        IntKind::I16,
        IntKind::I32,
        IntKind::I64,
        IntKind::I128,
        IntKind::U8,
        IntKind::U16,
        IntKind::U32,
        IntKind::U64,
        IntKind::U128,
    ];

    /// Width in bits.
    pub fn bits(self) -> u32 {
        match self {
            IntKind::I8 | IntKind::U8 => 8,
            IntKind::I16 | IntKind::U16 => 16,
            IntKind::I32 | IntKind::U32 => 32,
            IntKind::I64 | IntKind::U64 => 64,
            IntKind::I128 | IntKind::U128 => 128,
        }
    }

    /// Does it have a sign?
    pub fn signed(self) -> bool {
        matches!(self, IntKind::I8 | IntKind::I16 | IntKind::I32 | IntKind::I64 | IntKind::I128)
    }

    /// Its name in the language.
    pub fn name(self) -> &'static str {
        match self {
            IntKind::I8 => "i8",
            IntKind::I16 => "i16",
            IntKind::I32 => "i32",
            IntKind::I64 => "i64",
            IntKind::I128 => "i128",
            IntKind::U8 => "u8",
            IntKind::U16 => "u16",
            IntKind::U32 => "u32",
            IntKind::U64 => "u64",
            IntKind::U128 => "u128",
        }
    }
}

/// The floating point types.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum FloatKind {
    /// 32 bits.
    F32,
    /// 64 bits: the type of a plain literal.
    F64,
}

impl Ty {
    /// The type of this form; equal forms give the same type.
    pub fn new(kind: TyKind) -> Ty {
        static TYPES: LazyLock<RwLock<FxHashSet<&'static TyKind>>> = LazyLock::new(Default::default);
        if let Some(known) = TYPES.read().unwrap_or_else(|e| e.into_inner()).get(&kind) {
            return Ty(known);
        }
        let mut types = TYPES.write().unwrap_or_else(|e| e.into_inner());
        if let Some(known) = types.get(&kind) {
            return Ty(known);
        }
        let kept: &'static TyKind = Box::leak(Box::new(kind));
        types.insert(kept);
        Ty(kept)
    }

    /// Its form.
    pub fn kind(self) -> &'static TyKind {
        self.0
    }

    /// `i64`
    pub fn i64() -> Ty {
        Ty::int(IntKind::I64)
    }

    /// An integer type.
    pub fn int(kind: IntKind) -> Ty {
        const KINDS: [TyKind; 10] = {
            use IntKind::*;
            [
                TyKind::Int(I8),
                TyKind::Int(I16),
                TyKind::Int(I32),
                TyKind::Int(I64),
                TyKind::Int(I128),
                TyKind::Int(U8),
                TyKind::Int(U16),
                TyKind::Int(U32),
                TyKind::Int(U64),
                TyKind::Int(U128),
            ]
        };
        static TYPES: LazyLock<[Ty; 10]> = LazyLock::new(|| KINDS.map(Ty::new));
        TYPES[kind as usize]
    }

    /// `f64`
    pub fn f64() -> Ty {
        static TYPE: LazyLock<Ty> = LazyLock::new(|| Ty::new(TyKind::Float(FloatKind::F64)));
        *TYPE
    }

    /// `f32`
    pub fn f32() -> Ty {
        static TYPE: LazyLock<Ty> = LazyLock::new(|| Ty::new(TyKind::Float(FloatKind::F32)));
        *TYPE
    }

    /// `bool`
    pub fn bool() -> Ty {
        static TYPE: LazyLock<Ty> = LazyLock::new(|| Ty::new(TyKind::Bool));
        *TYPE
    }

    /// `str`
    pub fn str() -> Ty {
        static TYPE: LazyLock<Ty> = LazyLock::new(|| Ty::new(TyKind::Str));
        *TYPE
    }

    /// Unit
    pub fn unit() -> Ty {
        static TYPE: LazyLock<Ty> = LazyLock::new(|| Ty::new(TyKind::Unit));
        *TYPE
    }

    /// Never
    pub fn never() -> Ty {
        static TYPE: LazyLock<Ty> = LazyLock::new(|| Ty::new(TyKind::Never));
        *TYPE
    }

    /// The type of a reported mistake.
    pub fn error() -> Ty {
        static TYPE: LazyLock<Ty> = LazyLock::new(|| Ty::new(TyKind::Error));
        *TYPE
    }

    /// `*T`
    pub fn pointer(to: Ty) -> Ty {
        Ty::new(TyKind::Pointer(to))
    }

    /// What a pointer or reference points at.
    pub fn pointee(self) -> Option<Ty> {
        match *self.kind() {
            TyKind::Pointer(to) | TyKind::Reference(to) => Some(to),
            _ => None,
        }
    }

    /// Does a value fit in one machine value (integer, float, `bool`, `str`, pointer, function value)? Everything else
    /// lives in memory, unit and never apart.
    pub fn is_scalar(self) -> bool {
        matches!(
            self.kind(),
            TyKind::Int(_)
                | TyKind::Float(_)
                | TyKind::Bool
                | TyKind::Str
                | TyKind::Pointer(_)
                | TyKind::Reference(_)
                | TyKind::Function(..)
                | TyKind::Vec(_)
                | TyKind::HashMap(..)
                | TyKind::Box(_)
                | TyKind::Dyn(_)
        )
    }

    /// How many lists of type arguments are in it: more than lie in each other, but it grows with them.
    pub fn nesting(self) -> usize {
        self.to_string().matches('<').count()
    }

    /// Is an empty `Vec` or `HashMap` part of a zero value of the type? Structs apart, whose fields are asked one by one.
    pub fn holds_collection(self) -> bool {
        match *self.kind() {
            TyKind::Vec(_) | TyKind::HashMap(..) => true,
            TyKind::Tuple(parts) => parts.iter().any(|part| part.holds_collection()),
            TyKind::Array(of, _) => of.holds_collection(),
            _ => false,
        }
    }

    /// Is there no value at all?
    pub fn is_unit(self) -> bool {
        matches!(self.kind(), TyKind::Unit | TyKind::Never)
    }

    /// Is it passed and returned in memory, by address?
    pub fn is_aggregate(self) -> bool {
        !self.is_scalar() && !self.is_unit()
    }

    /// Its text with the modules of structs, enums and traits: no two types share it.
    pub fn qualified(self) -> String {
        let list = |parts: &TyList| parts.iter().map(|part| part.qualified()).collect::<Vec<_>>().join(", ");
        match self.kind() {
            TyKind::Pointer(to) => format!("*{}", to.qualified()),
            TyKind::Reference(to) => format!("&{}", to.qualified()),
            TyKind::Array(of, length) => format!("[{}; {length}]", of.qualified()),
            TyKind::Slice(of) => format!("[{}]", of.qualified()),
            TyKind::Tuple(parts) => format!("({})", list(parts)),
            TyKind::Struct(path, arguments) | TyKind::Enum(path, arguments) => format!("{path}<{}>", list(arguments)),
            TyKind::Function(params, result) => format!("fn({}) -> {}", list(params), result.qualified()),
            TyKind::Dyn(path) => format!("dyn {path}"),
            TyKind::Vec(of) => format!("Vec<{}>", of.qualified()),
            TyKind::Box(of) => format!("Box<{}>", of.qualified()),
            TyKind::HashMap(key, value) => format!("HashMap<{}, {}>", key.qualified(), value.qualified()),
            _ => self.to_string(),
        }
    }

    /// Its integer kind.
    pub fn int_kind(self) -> Option<IntKind> {
        match *self.kind() {
            TyKind::Int(kind) => Some(kind),
            _ => None,
        }
    }
}

impl PartialEq for Ty {
    fn eq(&self, other: &Ty) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}
impl Eq for Ty {}
impl Hash for Ty {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}
impl PartialOrd for Ty {
    fn partial_cmp(&self, other: &Ty) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Ty {
    fn cmp(&self, other: &Ty) -> std::cmp::Ordering {
        if self == other { std::cmp::Ordering::Equal } else { self.0.cmp(other.0) }
    }
}

impl fmt::Display for Ty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind() {
            TyKind::Int(kind) => f.write_str(kind.name()),
            TyKind::Float(FloatKind::F32) => f.write_str("f32"),
            TyKind::Float(FloatKind::F64) => f.write_str("f64"),
            TyKind::Bool => f.write_str("bool"),
            TyKind::Str => f.write_str("str"),
            TyKind::Unit => f.write_str("()"),
            TyKind::Never => f.write_str("never"),
            TyKind::Pointer(to) => write!(f, "*{to}"),
            TyKind::Reference(to) => write!(f, "&{to}"),
            TyKind::Array(of, length) => write!(f, "[{of}; {length}]"),
            TyKind::Slice(of) => write!(f, "[{of}]"),
            TyKind::Tuple(parts) => write!(f, "({})", parts.joined()),
            TyKind::Struct(path, arguments) | TyKind::Enum(path, arguments) => {
                write!(f, "{}{arguments}", path.name)
            }
            TyKind::Function(params, result) if result.is_unit() => write!(f, "fn({})", params.joined()),
            TyKind::Function(params, result) => write!(f, "fn({}) -> {result}", params.joined()),
            TyKind::Dyn(path) => write!(f, "dyn {}", path.name),
            TyKind::Vec(of) => write!(f, "Vec<{of}>"),
            TyKind::Box(of) => write!(f, "Box<{of}>"),
            TyKind::HashMap(key, value) => write!(f, "HashMap<{key}, {value}>"),
            TyKind::Param(name) => write!(f, "{name}"),
            TyKind::Infer(_) => f.write_str("_"),
            TyKind::Error => f.write_str("?"),
        }
    }
}
impl fmt::Debug for Ty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// An interned list of types.
#[derive(Clone, Copy)]
pub struct TyList(&'static [Ty]);

impl TyList {
    /// No types.
    pub const EMPTY: TyList = TyList(&[]);

    /// The list of these types; equal lists are the same.
    pub fn new(types: &[Ty]) -> TyList {
        static LISTS: LazyLock<RwLock<FxHashSet<&'static [Ty]>>> = LazyLock::new(Default::default);
        if types.is_empty() {
            return TyList::EMPTY;
        }
        if let Some(known) = LISTS.read().unwrap_or_else(|e| e.into_inner()).get(types) {
            return TyList(known);
        }
        let mut lists = LISTS.write().unwrap_or_else(|e| e.into_inner());
        if let Some(known) = lists.get(types) {
            return TyList(known);
        }
        let kept: &'static [Ty] = Box::leak(types.into());
        lists.insert(kept);
        TyList(kept)
    }

    fn joined(self) -> String {
        let parts: Vec<String> = self.0.iter().map(Ty::to_string).collect();
        parts.join(", ")
    }
}

impl std::ops::Deref for TyList {
    type Target = [Ty];
    fn deref(&self) -> &[Ty] {
        self.0
    }
}
impl PartialEq for TyList {
    fn eq(&self, other: &TyList) -> bool {
        self.0.is_empty() && other.0.is_empty() || std::ptr::eq(self.0, other.0)
    }
}
impl Eq for TyList {}
impl Hash for TyList {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}
impl PartialOrd for TyList {
    fn partial_cmp(&self, other: &TyList) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for TyList {
    fn cmp(&self, other: &TyList) -> std::cmp::Ordering {
        self.0.cmp(other.0)
    }
}
impl fmt::Display for TyList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, "<{}>", self.joined()) }
    }
}
impl fmt::Debug for TyList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
