//! Entries: functions that call another one from a known state and mix all they see into a number.

use super::Maker;
use crate::generate::{Argument, Arm, BUDGET, Expr, Function, Int, Op, Param, Place, Root, Step, Stmt, Ty};

impl Maker {
    pub(super) fn entry(&mut self, number: usize) {
        let mut body = Vec::new();
        for (n, (ty, value)) in self.program.globals.clone().into_iter().enumerate() {
            let place = Place { root: Root::Global(n), steps: Vec::new() };
            body.push(Stmt::Assign(place, None, value, ty));
        }
        let budget = Place { root: Root::Budget, steps: Vec::new() };
        body.push(Stmt::Assign(budget, None, Expr::Int(BUDGET, Int::I64), Ty::I64));
        body.push(Stmt::Let("h".to_owned(), Ty::I64, Expr::Int(17, Int::I64)));
        let head = self.heads[number].clone();
        let mut seen: Vec<(Place, Ty)> = Vec::new();
        let mut arguments = Vec::new();
        for param in &head.params {
            let value = self.given(&param.ty);
            if !param.pointer {
                arguments.push(Argument::Value(value));
                continue;
            }
            let name = self.name("t");
            body.push(Stmt::Let(name.clone(), param.ty.clone(), value));
            arguments.push(Argument::Address(local(&name)));
            seen.push((local(&name), param.ty.clone()));
        }
        body.push(Stmt::Let("r".to_owned(), head.result.clone(), Expr::Call(number, arguments)));
        seen.push((local("r"), head.result.clone()));
        for (n, (ty, _)) in self.program.globals.iter().enumerate() {
            seen.push((Place { root: Root::Global(n), steps: Vec::new() }, ty.clone()));
        }
        for (place, ty) in seen {
            self.mix(place, &ty, &mut body);
        }
        body.push(Stmt::Return(Expr::Read(local("h"))));
        let param = |name: &str| Param { name: name.to_owned(), ty: Ty::I64, pointer: false };
        let params = vec![param("a"), param("b")];
        let name = format!("entry{number}");
        self.program.functions.push(Function { name, params, result: Ty::I64, body, counted: false });
    }

    /// A value that depends on the numbers the entry is called with.
    fn given(&mut self, ty: &Ty) -> Expr {
        let from = if self.random.one_in(2) { "a" } else { "b" };
        let read = Box::new(Expr::Read(local(from)));
        match ty {
            Ty::Int(Int::I64) => *read,
            Ty::Int(_) | Ty::F32 | Ty::F64 => Expr::Cast(read, Ty::I64, ty.clone()),
            Ty::Bool => Expr::Compare("<", read, Box::new(Expr::Int(2, Int::I64))),
            Ty::Str => Expr::Shown("a".to_owned(), read),
            Ty::Struct(of) => {
                let fields = self.program.structs[*of].clone();
                Expr::Record(*of, fields.iter().map(|field| self.given(field)).collect())
            }
            Ty::Enum(of) => {
                let variant = self.random.below(self.program.enums[*of].len());
                let payload = self.program.enums[*of][variant].clone();
                Expr::Variant(*of, variant, payload.iter().map(|part| self.given(part)).collect())
            }
            Ty::Array(of, length) => Expr::Array((0..*length).map(|_| self.given(of)).collect(), ty.clone()),
        }
    }

    fn mix(&mut self, place: Place, ty: &Ty, body: &mut Vec<Stmt>) {
        let read = Expr::Read(place.clone());
        let cast = |value: Expr, from: &Ty| Expr::Cast(Box::new(value), from.clone(), Ty::I64);
        let further = |step: Step| {
            let mut inner = place.clone();
            inner.steps.push(step);
            inner
        };
        match ty {
            Ty::Int(Int { bits: 128, .. }) => {
                let count = Box::new(Expr::Cast(Box::new(Expr::Int(64, Int::I64)), Ty::I64, ty.clone()));
                let high = Expr::Binary(Op::Shr, Box::new(read.clone()), count, ty.clone());
                body.push(mixed(cast(high, ty)));
                body.push(mixed(cast(read, ty)));
            }
            Ty::Int(_) | Ty::Bool => body.push(mixed(cast(read, ty))),
            Ty::F32 | Ty::F64 => {
                let large = Box::new(Expr::Float(8192, ty.clone()));
                let scaled = Expr::Binary(Op::Mul, Box::new(read), large, ty.clone());
                body.push(mixed(cast(scaled, ty)));
            }
            Ty::Str => {
                body.push(mixed(Expr::Length(Box::new(read.clone()))));
                let after = Expr::Compare("<", Box::new(read), Box::new(Expr::Text("m".to_owned())));
                body.push(mixed(cast(after, &Ty::Bool)));
            }
            Ty::Struct(of) => {
                for (n, field) in self.program.structs[*of].clone().iter().enumerate() {
                    self.mix(further(Step::Field(n)), field, body);
                }
            }
            Ty::Array(of, length) => {
                for index in 0..*length {
                    let index = Box::new(Expr::Int(index as i128, Int::I64));
                    self.mix(further(Step::Index(index, *length)), of, body);
                }
            }
            Ty::Enum(of) => self.mix_enum(read, *of, body),
        }
    }

    fn mix_enum(&mut self, read: Expr, of: usize, body: &mut Vec<Stmt>) {
        let name = self.name("e");
        body.push(Stmt::Let(name.clone(), Ty::Enum(of), read));
        let mut arms = Vec::new();
        for (variant, payload) in self.program.enums[of].clone().iter().enumerate() {
            let mut arm = Arm { variant, names: Vec::new(), body: vec![mixed(Expr::Int(variant as i128, Int::I64))] };
            for ty in payload {
                let bound = self.name("b");
                self.mix(local(&bound), ty, &mut arm.body);
                arm.names.push(bound);
            }
            arms.push(arm);
        }
        body.push(Stmt::Match(name, of, arms));
    }
}

fn local(name: &str) -> Place {
    Place { root: Root::Local(name.to_owned()), steps: Vec::new() }
}

/// `h = h * 1000003 ^ value`
fn mixed(value: Expr) -> Stmt {
    let scaled =
        Expr::Binary(Op::Mul, Box::new(Expr::Read(local("h"))), Box::new(Expr::Int(1_000_003, Int::I64)), Ty::I64);
    Stmt::Assign(local("h"), None, Expr::Binary(Op::Xor, Box::new(scaled), Box::new(value), Ty::I64), Ty::I64)
}
