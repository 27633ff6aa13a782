//! Random MIR, interpreted and compiled: the results must agree, at both levels and however calls are linked.

mod common;
#[path = "../../../tests/generate/random.rs"]
mod random;

use std::sync::Arc;

use common::*;
use random::Random;
use smallvec::smallvec;
use vaisjit_codegen::isa::OptLevel;
use vaisjit_codegen::mir::interp::{Exit, Interp, Program};
use vaisjit_codegen::mir::*;
use vaisjit_semantics::Ty;
use vaisjit_semantics::hir::{BinaryOp, CastKind, UnaryOp};
use vaisjit_semantics::types::IntKind;

const ARITHMETIC: [BinaryOp; 10] = [
    BinaryOp::Add,
    BinaryOp::Sub,
    BinaryOp::Mul,
    BinaryOp::BitAnd,
    BinaryOp::BitOr,
    BinaryOp::BitXor,
    BinaryOp::Shl,
    BinaryOp::Shr,
    BinaryOp::Div,
    BinaryOp::Rem,
];
const COMPARISONS: [BinaryOp; 6] = [BinaryOp::Eq, BinaryOp::Ne, BinaryOp::Lt, BinaryOp::Le, BinaryOp::Gt, BinaryOp::Ge];

fn pair() -> Ty {
    tuple(&[Ty::i64(), Ty::int(IntKind::U8), Ty::f64()])
}
fn outer() -> Ty {
    tuple(&[pair(), Ty::int(IntKind::I32), array(Ty::int(IntKind::I16), 4), Ty::int(IntKind::I128)])
}

/// What a generated function takes and gives.
#[derive(Clone)]
struct Callee {
    name: String,
    params: Vec<Ty>,
    result: Ty,
}

struct Generator<'r> {
    random: &'r mut Random,
    f: FnBuilder,
    ints: Vec<Place>,
    floats: Vec<Place>,
    bools: Vec<Place>,
    aggregates: Vec<Place>,
    callees: Vec<Callee>,
    pointers: Vec<(Place, Ty)>,
    index: Place,
    in_loop: Option<u32>,
    budget: usize,
}

impl Generator<'_> {
    fn new<'r>(random: &'r mut Random, this: &Callee, callees: &[Callee]) -> Generator<'r> {
        let mut f = FnBuilder::new(&this.name, &this.params, this.result);
        let index = f.temp(Ty::i64());
        let mut g = Generator {
            random,
            f,
            ints: vec![],
            floats: vec![],
            bools: vec![],
            aggregates: vec![],
            callees: callees.to_vec(),
            pointers: vec![],
            index,
            in_loop: None,
            budget: 60,
        };
        g.locals(this);
        g
    }

    /// Declares the locals and gives each a first value.
    fn locals(&mut self, this: &Callee) {
        for n in 0..this.params.len() as u32 {
            let place = self.f.param(n);
            self.sort(place);
        }
        for kind in IntKind::ALL {
            for _ in 0..2 {
                let memory = self.random.chance(25);
                let place = if memory { self.f.mem(Ty::int(kind)) } else { self.f.temp(Ty::int(kind)) };
                let value = self.constant(kind);
                self.f.set(&place, value);
                self.ints.push(place);
            }
        }
        for ty in [Ty::f32(), Ty::f64(), Ty::f64()] {
            let place = self.f.temp(ty);
            let bits = (self.random.below(1000) as f64 - 300.5).to_bits();
            self.f.set(&place, Operand::Const(Const::Float(bits, ty)));
            self.floats.push(place);
        }
        for _ in 0..2 {
            let place = self.f.temp(Ty::bool());
            self.f.set(&place, int(self.random.below(2) as i128, Ty::bool()));
            self.bools.push(place);
        }
        for ty in [pair(), pair(), outer(), outer()] {
            let place = self.f.temp(ty);
            self.f.push(StatementKind::Zero(place.clone()));
            self.sort(place);
        }
        let result = self.f.result();
        match this.result.is_aggregate() {
            true => self.f.push(StatementKind::Zero(result.clone())),
            false => self.f.set(&result, int(0, this.result)),
        }
        self.sort(result);
        self.take_addresses();
    }

    fn take_addresses(&mut self) {
        let mut targets: Vec<Place> = self.ints.iter().filter(|place| self.is_in_memory(place)).cloned().collect();
        targets.extend(self.aggregates.iter().cloned());
        for target in targets {
            if self.random.chance(30) {
                let pointer = self.f.temp(Ty::pointer(target.ty));
                self.f.assign(&pointer, Rvalue::AddressOf(target.clone()));
                self.pointers.push((pointer, target.ty));
            }
        }
    }

    fn is_in_memory(&self, place: &Place) -> bool {
        place.as_local().is_some_and(|local| self.f.body.locals[local].in_memory)
    }

    fn sort(&mut self, place: Place) {
        if place.ty.int_kind().is_some() {
            self.ints.push(place);
        } else if place.ty.is_aggregate() {
            self.aggregates.push(place);
        } else if place.ty == Ty::bool() {
            self.bools.push(place);
        } else {
            self.floats.push(place);
        }
    }

    fn constant(&mut self, kind: IntKind) -> Operand {
        let raw = match self.random.below(4) {
            0 => self.random.below(5) as i128 - 2,
            1 => 1i128 << self.random.below(kind.bits() as usize),
            2 => i128::from(self.random.next()) << 64 | i128::from(self.random.next()),
            _ => self.random.below(300) as i128,
        };
        let unused = 128 - kind.bits();
        let value = if kind.signed() { raw << unused >> unused } else { ((raw << unused) as u128 >> unused) as i128 };
        int(value, Ty::int(kind))
    }

    /// A place of an integer: a local, a field, an element, or behind a pointer.
    fn int_place(&mut self) -> Place {
        match self.random.below(10) {
            0..6 => self.random.pick(&self.ints).clone(),
            6..9 => {
                let from = self.aggregate_place();
                self.inside(&from)
            }
            _ => match self.pointer() {
                Some((pointer, ty)) if ty.is_aggregate() => self.inside(&deref(pointer.as_local().unwrap(), ty)),
                Some((pointer, ty)) => deref(pointer.as_local().unwrap(), ty),
                None => self.random.pick(&self.ints).clone(),
            },
        }
    }

    fn pointer(&mut self) -> Option<(Place, Ty)> {
        (!self.pointers.is_empty()).then(|| self.random.pick(&self.pointers).clone())
    }

    fn aggregate_place(&mut self) -> Place {
        let place = self.random.pick(&self.aggregates).clone();
        if place.ty == outer() && self.random.chance(30) { field(&place, 0, pair()) } else { place }
    }

    fn inside(&mut self, place: &Place) -> Place {
        if place.ty == pair() {
            return if self.random.chance(50) {
                field(place, 0, Ty::i64())
            } else {
                field(place, 1, Ty::int(IntKind::U8))
            };
        }
        match self.random.below(5) {
            0 => field(place, 1, Ty::int(IntKind::I32)),
            1 => field(place, 3, Ty::int(IntKind::I128)),
            2 => field(&field(place, 0, pair()), 0, Ty::i64()),
            n => {
                let of = Ty::int(IntKind::I16);
                let cells = field(place, 2, array(of, 4));
                if n == 3 {
                    return project(&cells, Projection::ConstIndex(self.random.below(4) as u64), of);
                }
                let from = self.random.pick(&self.ints).clone();
                let index = self.index.clone();
                self.f.cast(&index, CastKind::IntToInt, c(&from));
                self.f.binary(&index, BinaryOp::BitAnd, c(&index), int(3, Ty::i64()));
                project(&cells, Projection::Index(index.as_local().unwrap()), of)
            }
        }
    }

    /// An operand of this integer type, converted if need be.
    fn operand(&mut self, ty: Ty) -> Operand {
        let kind = ty.int_kind().unwrap();
        if self.random.chance(20) {
            return self.constant(kind);
        }
        let place = self.int_place();
        let temp = self.f.temp(ty);
        self.f.cast(&temp, CastKind::IntToInt, c(&place));
        c(&temp)
    }

    fn float_operand(&mut self, ty: Ty) -> Operand {
        let place = self.random.pick(&self.floats).clone();
        if place.ty == ty {
            return c(&place);
        }
        let temp = self.f.temp(ty);
        self.f.cast(&temp, CastKind::FloatToFloat, c(&place));
        c(&temp)
    }

    fn statement(&mut self) {
        match self.random.below(16) {
            0..4 => self.arithmetic(),
            4 => self.compare(),
            5 => self.conversion(),
            6 => self.float(),
            7 => self.extreme(),
            8 => self.unary(),
            9 => self.copy(),
            10 => {
                let place = self.random.pick(&self.aggregates).clone();
                let place = if self.random.chance(50) { self.inside(&place) } else { place };
                self.f.push(StatementKind::Zero(place));
            }
            11 => self.call(),
            12 => self.raw_memory(),
            13 => self.choice(),
            14 => self.bounded_loop(),
            _ => self.switch(),
        }
    }

    fn arithmetic(&mut self) {
        let to = self.int_place();
        let op = *self.random.pick(&ARITHMETIC);
        let (a, mut b) = (self.operand(to.ty), self.operand(to.ty));
        if matches!(op, BinaryOp::Div | BinaryOp::Rem) {
            let divisor = self.f.temp(to.ty);
            self.f.binary(&divisor, BinaryOp::BitOr, b, int(1, to.ty));
            b = c(&divisor);
        }
        self.f.binary(&to, op, a, b);
    }

    fn compare(&mut self) {
        let to = self.random.pick(&self.bools).clone();
        let op = *self.random.pick(&COMPARISONS);
        if self.random.chance(30) {
            let (a, b) = (self.float_operand(Ty::f64()), self.float_operand(Ty::f64()));
            return self.f.binary(&to, op, a, b);
        }
        let ty = Ty::int(*self.random.pick(&IntKind::ALL));
        let (a, b) = (self.operand(ty), self.operand(ty));
        self.f.binary(&to, op, a, b);
    }

    fn conversion(&mut self) {
        match self.random.below(4) {
            0 => {
                let (from, to) = (self.int_place(), self.random.pick(&self.floats).clone());
                self.f.cast(&to, CastKind::IntToFloat, c(&from));
            }
            1 => {
                let (from, to) = (self.random.pick(&self.floats).clone(), self.int_place());
                self.f.cast(&to, CastKind::FloatToInt, c(&from));
            }
            2 => {
                let (from, to) = (self.int_place(), self.random.pick(&self.bools).clone());
                self.f.cast(&to, CastKind::ToBool, c(&from));
            }
            _ => {
                let (from, to) = (self.random.pick(&self.bools).clone(), self.int_place());
                self.f.cast(&to, CastKind::IntToInt, c(&from));
            }
        }
    }

    fn float(&mut self) {
        let to = self.random.pick(&self.floats).clone();
        let op = *self.random.pick(&[BinaryOp::Add, BinaryOp::Sub, BinaryOp::Mul, BinaryOp::Div, BinaryOp::Rem]);
        let (a, b) = (self.float_operand(to.ty), self.float_operand(to.ty));
        self.f.binary(&to, op, a, b);
    }

    fn extreme(&mut self) {
        let which = *self.random.pick(&[Intrinsic::Min, Intrinsic::Max]);
        if self.random.chance(30) {
            let to = self.random.pick(&self.floats).clone();
            let operands = smallvec![self.float_operand(to.ty), self.float_operand(to.ty)];
            return self.f.assign(&to, Rvalue::Intrinsic(which, operands));
        }
        let to = self.int_place();
        let operands = smallvec![self.operand(to.ty), self.operand(to.ty)];
        self.f.assign(&to, Rvalue::Intrinsic(which, operands));
    }

    fn unary(&mut self) {
        if self.random.chance(20) {
            let (from, to) = (self.random.pick(&self.bools).clone(), self.random.pick(&self.bools).clone());
            return self.f.unary(&to, UnaryOp::Not, c(&from));
        }
        let to = self.int_place();
        let from = self.operand(to.ty);
        match self.random.below(3) {
            0 => self.f.unary(&to, UnaryOp::Negate, from),
            1 => self.f.unary(&to, UnaryOp::BitNot, from),
            _ => self.f.assign(&to, Rvalue::Intrinsic(Intrinsic::Abs, smallvec![from])),
        }
    }

    fn copy(&mut self) {
        let to = self.aggregate_place();
        let from = self.aggregate_of(to.ty);
        if from != to {
            self.f.set(&to, c(&from));
        }
    }

    fn aggregate_of(&mut self, ty: Ty) -> Place {
        let fitting: Vec<Place> = self.aggregates.iter().filter(|place| place.ty == ty).cloned().collect();
        self.random.pick(&fitting).clone()
    }

    fn call(&mut self) {
        if self.callees.is_empty() {
            return;
        }
        let callee = self.random.pick(&self.callees).clone();
        let mut arguments = Vec::new();
        for ty in &callee.params {
            let argument = if ty.is_aggregate() {
                let (from, copy) = (self.aggregate_of(*ty), self.f.temp(*ty));
                self.f.set(&copy, c(&from));
                c(&copy)
            } else if ty.int_kind().is_some() {
                self.operand(*ty)
            } else if *ty == Ty::bool() {
                c(&self.random.pick(&self.bools).clone())
            } else {
                self.float_operand(*ty)
            };
            arguments.push(argument);
        }
        let to =
            if callee.result.is_aggregate() { self.aggregate_of(callee.result) } else { self.f.temp(callee.result) };
        self.f.call_fn(&callee.name, &callee.params, &arguments, &to);
        if to.ty.int_kind().is_some() {
            self.ints.push(to);
        }
    }

    /// Copies and loads by address.
    fn raw_memory(&mut self) {
        let Some((pointer, ty)) = self.pointer() else { return };
        if ty.int_kind().is_some() {
            let to = self.f.temp(ty);
            self.f.assign(&to, Rvalue::LoadAt(c(&pointer), ty));
            return self.ints.push(to);
        }
        let fitting: Vec<Place> = (self.pointers.iter()).filter(|(_, of)| *of == ty).map(|(p, _)| p.clone()).collect();
        let other = self.random.pick(&fitting).clone();
        let bytes = *self.random.pick(&[0i128, 8, 16, 24]);
        self.f.push(StatementKind::CopyBytes { to: c(&pointer), from: c(&other), bytes: int(bytes, Ty::i64()) });
    }

    fn some(&mut self) {
        for _ in 0..1 + self.random.below(4) {
            if self.budget > 0 {
                self.budget -= 1;
                self.statement();
            }
        }
    }

    fn choice(&mut self) {
        let (then, otherwise, done) =
            (self.f.block(self.in_loop), self.f.block(self.in_loop), self.f.block(self.in_loop));
        let condition = self.random.pick(&self.bools).clone();
        self.f.branch(c(&condition), then, otherwise);
        let ints = self.ints.len();
        for block in [then, otherwise] {
            self.f.at(block);
            self.some();
            self.f.goto(done);
            self.ints.truncate(ints);
        }
        self.f.at(done);
    }

    fn switch(&mut self) {
        let value = self.random.pick(&self.ints).clone();
        if value.ty.int_kind().is_none_or(|kind| kind.bits() > 64) {
            return;
        }
        let done = self.f.block(self.in_loop);
        let cases: Vec<(u64, BlockId)> =
            [0u64, 1, 2, 255, 300].map(|case| (case, self.f.block(self.in_loop))).into_iter().collect();
        let default = self.f.block(self.in_loop);
        self.f.end(Terminator::Switch { value: c(&value), cases: cases.clone(), default });
        let ints = self.ints.len();
        for block in cases.iter().map(|case| case.1).chain([default]) {
            self.f.at(block);
            self.some();
            self.f.goto(done);
            self.ints.truncate(ints);
        }
        self.f.at(done);
    }

    fn bounded_loop(&mut self) {
        let parent = self.in_loop;
        let number = self.f.body.loops.len() as u32;
        let (counter, more) = (self.f.temp(Ty::i64()), self.f.temp(Ty::bool()));
        let (header, body, done) = (self.f.block(Some(number)), self.f.block(Some(number)), self.f.block(parent));
        let polled = self.random.chance(60);
        let number = self.f.body.loops.len() as u32;
        self.f.body.loops.push(LoopInfo::new(number, parent, header, polled));
        self.f.set(&counter, int(0, Ty::i64()));
        self.f.goto(header);
        self.f.at(header);
        self.f.binary(&more, BinaryOp::Lt, c(&counter), int(1 + self.random.below(4) as i128, Ty::i64()));
        self.f.branch(c(&more), body, done);
        self.f.at(body);
        self.in_loop = Some(number);
        let ints = self.ints.len();
        self.some();
        self.ints.truncate(ints);
        self.f.binary(&counter, BinaryOp::Add, c(&counter), int(1, Ty::i64()));
        if polled {
            self.f.push(StatementKind::Safepoint(Box::default()));
        }
        self.f.goto(header);
        self.in_loop = parent;
        self.f.at(done);
    }

    /// Mixes everything into the result.
    fn finish(mut self) -> Body {
        while self.budget > 0 {
            self.some();
        }
        let result = self.f.result();
        if result.ty == Ty::i64() {
            let mut places = self.ints.clone();
            for place in self.aggregates.clone() {
                places.extend(
                    (0..6)
                        .map(|_| self.inside(&place))
                        .filter(|p| !matches!(p.projections.last(), Some(Projection::Index(_)))),
                );
            }
            let (mix, part) = (self.f.temp(Ty::i64()), self.f.temp(Ty::i64()));
            self.f.set(&mix, int(17, Ty::i64()));
            for (place, kind) in places
                .iter()
                .map(|place| (place, CastKind::IntToInt))
                .chain(self.bools.iter().map(|place| (place, CastKind::IntToInt)))
                .chain(self.floats.iter().map(|place| (place, CastKind::FloatToInt)))
            {
                self.f.cast(&part, kind, c(place));
                self.f.binary(&mix, BinaryOp::Mul, c(&mix), int(31, Ty::i64()));
                self.f.binary(&mix, BinaryOp::BitXor, c(&mix), c(&part));
            }
            self.f.set(&result, c(&mix));
        }
        self.f.ret();
        self.f.done()
    }
}

fn program(random: &mut Random) -> Vec<Body> {
    let types =
        [Ty::i64(), Ty::int(IntKind::I8), Ty::int(IntKind::U128), Ty::f32(), Ty::f64(), Ty::bool(), pair(), outer()];
    let mut callees: Vec<Callee> = Vec::new();
    let mut bodies = Vec::new();
    for number in 0..3 {
        let params = (0..random.below(4)).map(|_| *random.pick(&types)).collect();
        let result = *random.pick(&[Ty::i64(), Ty::int(IntKind::U16), Ty::int(IntKind::I128), pair(), outer()]);
        let this = Callee { name: format!("g{number}"), params, result };
        bodies.push(Generator::new(random, &this, &callees).finish());
        callees.push(this);
    }
    let this = Callee { name: "f".into(), params: vec![Ty::i64(), Ty::int(IntKind::U32)], result: Ty::i64() };
    bodies.push(Generator::new(random, &this, &callees).finish());
    bodies
}

/// The seeds of a run: `VAISJIT_SEEDS=first..last`, or a few.
fn seeds() -> std::ops::Range<u64> {
    let given = std::env::var("VAISJIT_SEEDS").ok();
    let given = given.as_deref().and_then(|text| text.split_once(".."));
    match given.map(|(first, last)| (first.parse(), last.parse())) {
        Some((Ok(first), Ok(last))) => first..last,
        _ => 0..60,
    }
}

#[test]
fn interpreter_and_machine_code_agree() {
    for seed in seeds() {
        let bodies = program(&mut Random(seed));
        for body in &bodies {
            if let Err(problems) = check::check(body, &TestLayouts) {
                panic!("seed {seed}: {problems:#?}");
            }
        }
        let interpreted = Program {
            functions: bodies.iter().map(|body| (body.instance, Arc::new(body.clone()))).collect(),
            ..Program::default()
        };
        let arguments = [[0u128, 0], [5, 77], [u128::from(u64::MAX), 3]];
        let expected = arguments.map(|arguments| {
            let (outcome, bits) = Interp::new(&interpreted, &TestLayouts).run_function(instance("f"), &arguments);
            assert_eq!(outcome.exit, Exit::Status(0), "seed {seed}");
            bits
        });
        for opt in [OptLevel::None, OptLevel::Speed] {
            for (hot, slots, inline) in
                [(false, false, false), (true, true, false), (true, false, false), (false, false, true)]
            {
                let linker = TestLinker { hot, slots, inline, library: 0 };
                let hosts = [("safepoint", never as *const () as usize)];
                let mut machine = Machine::new(&bodies, linker, opt, &hosts);
                let top = machine.context.data_top;
                for (arguments, expected) in arguments.iter().zip(expected) {
                    let seen = machine.call("f", arguments);
                    assert_eq!(seen as i64, expected as i64, "seed {seed} {opt:?} {linker:?} {arguments:?}");
                }
                assert_eq!(machine.context.data_top, top, "seed {seed} {opt:?} {linker:?}");
            }
        }
    }
}

extern "C" fn never(_: &vaisjit_abi::CallContext) -> usize {
    panic!("nobody asked for a poll");
}
