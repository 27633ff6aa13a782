//! A small builder of MIR bodies, and layouts of tuples, arrays and slices.

use smallvec::SmallVec;
use vaisjit_abi::TrapCode;
use vaisjit_codegen::layout::{Layout, Layouts};
use vaisjit_codegen::mir::*;
use vaisjit_semantics::hir::{BinaryOp, BodyItem, CastKind, UnaryOp};
use vaisjit_semantics::types::{FloatKind, TyList};
use vaisjit_semantics::{Instance, ItemPath, Ty, TyKind};
use vaisjit_syntax::{ItemId, Name, Span};

/// Natural layouts of tuples, arrays and slices.
pub struct TestLayouts;

impl Layouts for TestLayouts {
    fn layout(&self, ty: Ty) -> Layout {
        let same = |size| Layout { size, align: size };
        match ty.kind() {
            TyKind::Int(kind) => same(kind.bits() / 8),
            TyKind::Float(FloatKind::F32) => same(4),
            TyKind::Bool => same(1),
            TyKind::Tuple(parts) => {
                let align = parts.iter().map(|part| self.layout(*part).align).max().unwrap_or(1);
                let end = parts
                    .last()
                    .map_or(0, |last| self.field_offset(ty, parts.len() as u32 - 1) + self.layout(*last).size);
                Layout { size: end.next_multiple_of(align), align }
            }
            TyKind::Array(of, length) => {
                let of = self.layout(*of);
                Layout { size: of.size * *length as u32, align: of.align }
            }
            TyKind::Slice(_) => Layout { size: 16, align: 8 },
            _ => same(8),
        }
    }

    fn field_offset(&self, ty: Ty, field: u32) -> u32 {
        if matches!(ty.kind(), TyKind::Slice(_)) {
            return field * 8;
        }
        let mut offset = 0;
        for index in 0..=field {
            let layout = self.layout(self.field_ty(ty, index));
            offset = u32::next_multiple_of(offset, layout.align);
            if index < field {
                offset += layout.size;
            }
        }
        offset
    }

    fn field_ty(&self, ty: Ty, field: u32) -> Ty {
        match ty.kind() {
            TyKind::Tuple(parts) => parts[field as usize],
            TyKind::Slice(of) if field == 0 => Ty::pointer(*of),
            _ => Ty::i64(),
        }
    }

    fn variant_field_offset(&self, ty: Ty, _variant: u32, field: u32) -> u32 {
        self.field_offset(ty, field)
    }

    fn variant_field_ty(&self, ty: Ty, _variant: u32, field: u32) -> Ty {
        self.field_ty(ty, field)
    }

    fn discriminant(&self, _ty: Ty, variant: u32) -> i64 {
        i64::from(variant)
    }
}

pub fn tuple(parts: &[Ty]) -> Ty {
    Ty::new(TyKind::Tuple(TyList::new(parts)))
}

pub fn array(of: Ty, length: u64) -> Ty {
    Ty::new(TyKind::Array(of, length))
}

pub fn instance(name: &str) -> Instance {
    Instance::plain(ItemPath::new(Name::new("test"), name))
}

pub fn place(local: Local, ty: Ty) -> Place {
    Place::local(local, ty)
}

/// A field of a place, of this type.
pub fn field(of: &Place, index: u32, ty: Ty) -> Place {
    project(of, Projection::Field(index), ty)
}

pub fn project(of: &Place, projection: Projection, ty: Ty) -> Place {
    let mut place = of.clone();
    place.projections.push(projection);
    place.ty = ty;
    place
}

pub fn deref(pointer: Local, ty: Ty) -> Place {
    Place { base: PlaceBase::Deref(pointer, ty), projections: SmallVec::new(), ty }
}

pub fn c(place: &Place) -> Operand {
    Operand::Copy(place.clone())
}

pub fn int(value: i128, ty: Ty) -> Operand {
    Operand::Const(Const::Int(value, ty))
}

/// A body under construction; statements go to the current block.
pub struct FnBuilder {
    pub body: Body,
    current: BlockId,
}

impl FnBuilder {
    pub fn new(name: &str, params: &[Ty], result: Ty) -> FnBuilder {
        let mut body = Body {
            instance: instance(name),
            item: BodyItem(ItemId::fresh()),
            locals: Default::default(),
            params: params.len() as u32,
            blocks: Default::default(),
            loops: Vec::new(),
            resumed: None,
            cleanup: None,
            cleans: None,
        };
        for ty in [result].iter().chain(params) {
            body.locals.alloc(LocalDecl {
                ty: *ty,
                name: None,
                in_memory: ty.is_aggregate(),
                pinned: None,
                loan: false,
            });
        }
        let current = body.blocks.alloc(empty_block(None));
        FnBuilder { body, current }
    }

    pub fn result(&self) -> Place {
        self.local_place(0)
    }

    pub fn param(&self, n: u32) -> Place {
        self.local_place(n + 1)
    }

    fn local_place(&self, n: u32) -> Place {
        let local = self.body.local(n);
        Place::local(local, self.body.locals[local].ty)
    }

    /// A new local.
    pub fn temp(&mut self, ty: Ty) -> Place {
        let local = self.body.locals.alloc(LocalDecl {
            ty,
            name: None,
            in_memory: ty.is_aggregate(),
            pinned: None,
            loan: false,
        });
        Place::local(local, ty)
    }

    /// A new local that lives in memory.
    pub fn mem(&mut self, ty: Ty) -> Place {
        let place = self.temp(ty);
        let PlaceBase::Local(local) = place.base else { unreachable!() };
        self.body.locals[local].in_memory = true;
        place
    }

    pub fn block(&mut self, in_loop: Option<u32>) -> BlockId {
        self.body.blocks.alloc(empty_block(in_loop))
    }

    pub fn at(&mut self, block: BlockId) {
        self.current = block;
    }

    pub fn push(&mut self, kind: StatementKind) {
        let at = self.body.blocks[self.current].statements.len();
        self.body.blocks[self.current].statements.push(Statement { kind, span: Span::new(at, at + 1) });
    }

    pub fn end(&mut self, terminator: Terminator) {
        self.body.blocks[self.current].terminator = terminator;
    }

    pub fn assign(&mut self, to: &Place, value: Rvalue) {
        self.push(StatementKind::Assign(to.clone(), value));
    }

    pub fn set(&mut self, to: &Place, operand: Operand) {
        self.assign(to, Rvalue::Use(operand));
    }

    pub fn binary(&mut self, to: &Place, op: BinaryOp, a: Operand, b: Operand) {
        self.assign(to, Rvalue::Binary(op, a, b));
    }

    pub fn unary(&mut self, to: &Place, op: UnaryOp, a: Operand) {
        self.assign(to, Rvalue::Unary(op, a));
    }

    pub fn cast(&mut self, to: &Place, kind: CastKind, a: Operand) {
        self.assign(to, Rvalue::Cast(kind, a, to.ty));
    }

    pub fn call(&mut self, callee: Callee, arguments: &[Operand], result: Option<&Place>, result_ty: Ty) {
        let arguments = arguments.iter().cloned().collect();
        self.push(StatementKind::Call(Box::new(Call { callee, arguments, result: result.cloned(), result_ty })));
    }

    /// A call of a function of the program.
    pub fn call_fn(&mut self, name: &str, params: &[Ty], arguments: &[Operand], to: &Place) {
        let signature = Signature { params: params.iter().copied().collect(), result: to.ty };
        self.call(Callee::Function(instance(name), signature), arguments, Some(to), to.ty);
    }

    pub fn goto(&mut self, to: BlockId) {
        self.end(Terminator::Goto(to));
    }

    pub fn branch(&mut self, condition: Operand, then: BlockId, otherwise: BlockId) {
        self.end(Terminator::Branch { condition, then, otherwise });
    }

    pub fn ret(&mut self) {
        self.end(Terminator::Return);
    }

    pub fn done(self) -> Body {
        self.body
    }
}

fn empty_block(in_loop: Option<u32>) -> Block {
    Block {
        statements: Vec::new(),
        terminator: Terminator::Trap(TrapCode::Unreachable, None),
        terminator_span: Span::default(),
        in_loop,
    }
}

/// `fib(n)` by calling itself.
pub fn fib() -> Body {
    let mut f = FnBuilder::new("fib", &[Ty::i64()], Ty::i64());
    let (n, result) = (f.param(0), f.result());
    let small = f.temp(Ty::bool());
    let (leaf, inner) = (f.block(None), f.block(None));
    f.binary(&small, BinaryOp::Lt, c(&n), int(2, Ty::i64()));
    f.branch(c(&small), leaf, inner);
    f.at(leaf);
    f.set(&result, c(&n));
    f.ret();
    f.at(inner);
    let parts: Vec<Place> = [1, 2]
        .map(|less| {
            let (argument, part) = (f.temp(Ty::i64()), f.temp(Ty::i64()));
            f.binary(&argument, BinaryOp::Sub, c(&n), int(less, Ty::i64()));
            f.call_fn("fib", &[Ty::i64()], &[c(&argument)], &part);
            part
        })
        .into();
    f.binary(&result, BinaryOp::Add, c(&parts[0]), c(&parts[1]));
    f.ret();
    f.done()
}
