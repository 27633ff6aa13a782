//! A small language for making HIR by hand.

use std::sync::Arc;

use la_arena::Arena;
use vaisjit_semantics::hir::{self, *};
use vaisjit_semantics::program::{EnumDef, FieldDef, Function, Global, Signature, StructDef, VariantDef};
use vaisjit_semantics::types::TyList;
use vaisjit_semantics::{Checked, Instance, ItemPath, Ty, TyKind};
use vaisjit_syntax::ast::FormatSpec;
use vaisjit_syntax::{ItemId, Name, Place, Span};

pub fn path(name: &str) -> ItemPath {
    ItemPath::new(Name::new("m"), name)
}

/// A program being made.
#[derive(Default)]
pub struct Make {
    pub program: Checked,
}

fn item() -> BodyItem {
    BodyItem(ItemId::fresh())
}

fn fields(types: &[Ty]) -> Vec<FieldDef> {
    types.iter().enumerate().map(|(n, ty)| FieldDef::new(Name::new(&format!("f{n}")), *ty)).collect()
}

impl Make {
    /// A program whose `main` has this body and returns `i64`.
    pub fn main(body: impl FnOnce(&mut Fun) -> Expr) -> Make {
        let mut make = Make::default();
        make.function("main", &[], Ty::i64(), |f, _| body(f));
        make
    }

    pub fn structure(&mut self, name: &str, types: &[Ty]) -> Ty {
        let ty = Ty::new(TyKind::Struct(path(name), TyList::EMPTY));
        let definition = StructDef {
            fields: fields(types),
            repr_c: false,
            was: None,
            reserve: 0,
            item: item(),
            span: Span::default(),
        };
        self.program.structs.insert(ty, Arc::new(definition));
        ty
    }

    pub fn enumeration(&mut self, name: &str, variants: &[&[Ty]]) -> Ty {
        let ty = Ty::new(TyKind::Enum(path(name), TyList::EMPTY));
        let named = |(n, types): (usize, &&[Ty])| VariantDef {
            name: Name::new(&format!("V{n}")),
            was: None,
            fields: fields(types),
        };
        let variants = variants.iter().enumerate().map(named).collect();
        self.program
            .enums
            .insert(ty, Arc::new(EnumDef { variants, was: None, reserve: 0, item: item(), span: Span::default() }));
        ty
    }

    pub fn global(&mut self, name: &str, ty: Ty, init: Option<Expr>) -> Expr {
        let init = init.map(|value| {
            let mut fun = Fun::default();
            Arc::new(fun.body(&format!("{{init}}{name}"), vec![], ty, value))
        });
        let place = Place::item(ItemId::fresh(), Span::default());
        self.program.globals.insert(path(name), Global { ty, init, reset: false, place });
        expr(ExprKind::Global(path(name)), ty)
    }

    /// Adds a function; its parameters are handed to `body`.
    pub fn function(
        &mut self,
        name: &str,
        params: &[Ty],
        result: Ty,
        body: impl FnOnce(&mut Fun, &[LocalId]) -> Expr,
    ) -> hir::Callee {
        let mut fun = Fun::default();
        let locals: Vec<LocalId> = params.iter().enumerate().map(|(n, ty)| fun.local(&format!("p{n}"), *ty)).collect();
        let value = body(&mut fun, &locals);
        let made = fun.body(name, locals, result, value);
        let signature = Arc::new(Signature { names: vec![], params: params.to_vec(), result });
        let instance = made.instance;
        let head = Place::item(ItemId::fresh(), Span::default());
        let function =
            Function { signature, body: Arc::new(made), hot: true, inline: false, test: false, hook: None, head };
        self.program.functions.insert(instance, function);
        if name == "main" {
            self.program.main = Some(instance);
        }
        hir::Callee::Function(instance)
    }
}

/// A function being made.
#[derive(Default)]
pub struct Fun {
    locals: Arena<Local>,
    loops: u32,
}

impl Fun {
    pub fn local(&mut self, name: &str, ty: Ty) -> LocalId {
        self.locals.alloc(Local { name: Name::new(name), ty, address_taken: false, span: Span::default() })
    }

    pub fn loop_id(&mut self) -> LoopId {
        self.loops += 1;
        LoopId(self.loops - 1)
    }

    /// The value of a local.
    pub fn get(&self, local: LocalId) -> Expr {
        expr(ExprKind::Local(local), self.locals[local].ty)
    }

    /// `x := value`
    pub fn bind(&mut self, name: &str, value: Expr) -> (LocalId, Stmt) {
        let local = self.local(name, value.ty);
        (local, Stmt::Let(bound(local, value.ty), value))
    }

    /// `L i: start..end { }`
    pub fn range(
        &mut self,
        start: Expr,
        end: Expr,
        inclusive: bool,
        body: impl FnOnce(&mut Fun, Expr) -> Expr,
    ) -> Stmt {
        let local = self.local("i", start.ty);
        let id = self.loop_id();
        let counter = self.get(local);
        let body = body(self, counter);
        Stmt::Expr(unit(ExprKind::ForRange { id, local, start, end, inclusive, body }))
    }

    /// `L cond { }`
    pub fn while_(&mut self, condition: Expr, body: impl FnOnce(&mut Fun, LoopId) -> Expr) -> Stmt {
        let id = self.loop_id();
        let body = body(self, id);
        Stmt::Expr(unit(ExprKind::While(id, condition, body)))
    }

    pub fn body(&mut self, name: &str, params: Vec<LocalId>, result: Ty, value: Expr) -> Body {
        let locals = std::mem::take(&mut self.locals);
        let instance = Instance::plain(path(name));
        Body {
            instance,
            item: item(),
            params,
            captures: 0,
            locals,
            result,
            value,
            exposed: Vec::new(),
            dyns: Vec::new(),
        }
    }
}

pub fn expr(kind: ExprKind, ty: Ty) -> Expr {
    Expr::new(kind, ty, Span::default())
}

pub fn unit(kind: ExprKind) -> Expr {
    expr(kind, Ty::unit())
}

pub fn never(kind: ExprKind) -> Expr {
    expr(kind, Ty::never())
}

pub fn int(value: i64) -> Expr {
    typed(i128::from(value), Ty::i64())
}

pub fn typed(value: i128, ty: Ty) -> Expr {
    expr(ExprKind::Int(value), ty)
}

pub fn float(value: f64) -> Expr {
    expr(ExprKind::Float(value.to_bits()), Ty::f64())
}

pub fn boolean(value: bool) -> Expr {
    expr(ExprKind::Bool(value), Ty::bool())
}

pub fn text(value: &str) -> Expr {
    expr(ExprKind::Str(value.into()), Ty::str())
}

pub fn bin(op: BinaryOp, left: Expr, right: Expr) -> Expr {
    use BinaryOp::*;
    let ty = if matches!(op, Eq | Ne | Lt | Le | Gt | Ge) { Ty::bool() } else { left.ty };
    expr(ExprKind::Binary(op, left, right), ty)
}

pub fn add(left: Expr, right: Expr) -> Expr {
    bin(BinaryOp::Add, left, right)
}

pub fn mul(left: Expr, right: Expr) -> Expr {
    bin(BinaryOp::Mul, left, right)
}

pub fn eq(left: Expr, right: Expr) -> Expr {
    bin(BinaryOp::Eq, left, right)
}

pub fn lt(left: Expr, right: Expr) -> Expr {
    bin(BinaryOp::Lt, left, right)
}

pub fn set(place: Expr, value: Expr) -> Stmt {
    Stmt::Expr(unit(ExprKind::Assign(place, value)))
}

pub fn set_op(op: BinaryOp, place: Expr, value: Expr) -> Stmt {
    Stmt::Expr(unit(ExprKind::AssignOp(op, place, value)))
}

pub fn block(statements: Vec<Stmt>, value: Expr) -> Expr {
    let ty = value.ty;
    expr(ExprKind::Block(statements, Some(value)), ty)
}

pub fn run_all(statements: Vec<Stmt>) -> Expr {
    unit(ExprKind::Block(statements, None))
}

pub fn if_(condition: Expr, then: Expr, otherwise: Expr) -> Expr {
    let ty = if then.ty == Ty::never() { otherwise.ty } else { then.ty };
    expr(ExprKind::If(condition, then, Some(otherwise)), ty)
}

pub fn when(condition: Expr, then: Expr) -> Stmt {
    Stmt::Expr(unit(ExprKind::If(condition, then, None)))
}

pub fn call(callee: &hir::Callee, arguments: Vec<Expr>, ty: Ty) -> Expr {
    expr(ExprKind::Call(callee.clone(), arguments), ty)
}

pub fn builtin(which: Builtin, arguments: Vec<Expr>, ty: Ty) -> Expr {
    expr(ExprKind::Call(hir::Callee::Builtin(which), arguments), ty)
}

pub fn c_call(symbol: &str, fixed: Option<u32>, arguments: Vec<Expr>, ty: Ty) -> Expr {
    expr(ExprKind::Call(hir::Callee::C(CFunction { symbol: Name::new(symbol), fixed }), arguments), ty)
}

/// A struct or tuple, fields in order.
pub fn record(ty: Ty, parts: Vec<Expr>) -> Expr {
    let order = (0..parts.len() as u32).collect();
    expr(ExprKind::Aggregate(parts, order), ty)
}

pub fn tuple_ty(types: &[Ty]) -> Ty {
    Ty::new(TyKind::Tuple(TyList::new(types)))
}

pub fn array_ty(of: Ty, length: u64) -> Ty {
    Ty::new(TyKind::Array(of, length))
}

pub fn slice_ty(of: Ty) -> Ty {
    Ty::new(TyKind::Slice(of))
}

pub fn array(elements: Vec<Expr>) -> Expr {
    let ty = array_ty(elements[0].ty, elements.len() as u64);
    expr(ExprKind::Array(elements), ty)
}

pub fn repeat(value: Expr, length: u64) -> Expr {
    let ty = array_ty(value.ty, length);
    expr(ExprKind::Repeat(value), ty)
}

pub fn field(base: Expr, number: u32, ty: Ty) -> Expr {
    expr(ExprKind::Field(base, number), ty)
}

/// A field of type `i64`.
pub fn part(base: Expr, number: u32) -> Expr {
    field(base, number, Ty::i64())
}

pub fn at(base: Expr, index: Expr) -> Expr {
    let ty = match *base.ty.kind() {
        TyKind::Array(of, _) | TyKind::Slice(of) | TyKind::Pointer(of) | TyKind::Reference(of) => of,
        _ => Ty::error(),
    };
    expr(ExprKind::Index(base, index), ty)
}

pub fn address(place: Expr) -> Expr {
    let ty = Ty::pointer(place.ty);
    expr(ExprKind::AddressOf(place), ty)
}

pub fn deref(pointer: Expr) -> Expr {
    let ty = pointer.ty.pointee().unwrap();
    expr(ExprKind::Deref(pointer), ty)
}

pub fn cast(kind: CastKind, value: Expr, to: Ty) -> Expr {
    expr(ExprKind::Cast(kind, value), to)
}

pub fn variant(ty: Ty, number: u32, payload: Vec<Expr>) -> Expr {
    expr(ExprKind::Variant(number, payload), ty)
}

pub fn print(pieces: Vec<FormatPiece>) -> Stmt {
    Stmt::Expr(unit(ExprKind::Format(FormatTarget::Stdout, pieces)))
}

pub fn shown(value: Expr) -> FormatPiece {
    FormatPiece::Value(value, FormatSpec::default())
}

pub fn plain(text: &str) -> FormatPiece {
    FormatPiece::Text(text.into())
}

/// Prints an integer and a space.
pub fn say(value: Expr) -> Stmt {
    print(vec![shown(value), plain(" ")])
}

pub fn pattern(kind: PatternKind, ty: Ty) -> Pattern {
    Pattern { kind, ty, span: Span::default() }
}

pub fn bound(local: LocalId, ty: Ty) -> Pattern {
    pattern(PatternKind::Bind(local, None), ty)
}

pub fn any(ty: Ty) -> Pattern {
    pattern(PatternKind::Wildcard, ty)
}

pub fn is(value: Expr) -> Pattern {
    let ty = value.ty;
    pattern(PatternKind::Constant(value), ty)
}

pub fn arm(pattern: Pattern, body: Expr) -> Arm {
    Arm { pattern, guard: None, body }
}

pub fn guarded(pattern: Pattern, guard: Expr, body: Expr) -> Arm {
    Arm { pattern, guard: Some(guard), body }
}

pub fn match_(value: Expr, arms: Vec<Arm>, ty: Ty) -> Expr {
    expr(ExprKind::Match(value, arms), ty)
}

pub fn ret(value: Expr) -> Expr {
    never(ExprKind::Return(Some(value)))
}

pub fn do_(value: Expr) -> Stmt {
    Stmt::Expr(value)
}
