//! Expressions and places of wanted types.

use super::{Maker, masked};
use crate::generate::{Argument, Expr, Int, Op, Place, Root, Step, Ty};

/// Numbers at which things go wrong.
const EDGES: [i128; 9] = [0, 1, 2, 7, 31, 63, 100, 127, 255];

impl Maker {
    /// A value, perhaps the result of a call.
    pub(super) fn value(&mut self, ty: &Ty) -> Expr {
        if self.random.one_in(3)
            && let Some(call) = self.call(ty)
        {
            return call;
        }
        self.simple(ty, 3)
    }

    /// A value without calls, unless the program is wild.
    pub(super) fn simple(&mut self, ty: &Ty, depth: usize) -> Expr {
        if self.wild
            && self.random.one_in(8)
            && let Some(call) = self.call(ty)
        {
            return call;
        }
        match ty {
            Ty::Int(int) => self.number(*int, depth),
            Ty::F32 | Ty::F64 => self.float(ty, depth),
            Ty::Bool => self.condition(depth),
            Ty::Str => self.text(depth),
            Ty::Struct(_) | Ty::Enum(_) | Ty::Array(..) => match self.random.one_in(3) {
                true => self.aggregate(ty),
                false => self.read(ty).unwrap_or_else(|| self.aggregate(ty)),
            },
        }
    }

    fn aggregate(&mut self, ty: &Ty) -> Expr {
        match ty {
            Ty::Struct(of) => {
                let fields = self.program.structs[*of].clone();
                Expr::Record(*of, fields.iter().map(|field| self.simple(field, 1)).collect())
            }
            Ty::Enum(of) => {
                let variant = self.random.below(self.program.enums[*of].len());
                let payload = self.program.enums[*of][variant].clone();
                Expr::Variant(*of, variant, payload.iter().map(|part| self.simple(part, 1)).collect())
            }
            Ty::Array(of, length) => Expr::Array((0..*length).map(|_| self.simple(of, 0)).collect(), ty.clone()),
            scalar => self.literal(scalar),
        }
    }

    /// A value made of constants.
    pub(super) fn literal(&mut self, ty: &Ty) -> Expr {
        match ty {
            Ty::Int(int) => {
                let value = match self.random.below(4) {
                    0 => *self.random.pick(&EDGES),
                    1 => -self.random.pick(&EDGES),
                    2 => i128::from(self.random.next() as i64),
                    _ => self.random.below(20) as i128,
                };
                // Literals have 64 bits.
                Expr::Int(if int.signed { int.wrap(value) } else { int.wrap(value) & i128::from(i64::MAX) }, *int)
            }
            Ty::F32 | Ty::F64 => Expr::Float(self.random.below(4000) as i32 - 2000, ty.clone()),
            Ty::Bool => Expr::Bool(self.random.one_in(2)),
            Ty::Str => Expr::Text(["", "x", "ab", "añ\n"][self.random.below(4)].to_owned()),
            Ty::Struct(of) => {
                let fields = self.program.structs[*of].clone();
                Expr::Record(*of, fields.iter().map(|field| self.literal(field)).collect())
            }
            Ty::Enum(of) => {
                let variant = self.random.below(self.program.enums[*of].len());
                let payload = self.program.enums[*of][variant].clone();
                Expr::Variant(*of, variant, payload.iter().map(|part| self.literal(part)).collect())
            }
            Ty::Array(of, length) => Expr::Array((0..*length).map(|_| self.literal(of)).collect(), ty.clone()),
        }
    }

    fn read(&mut self, ty: &Ty) -> Option<Expr> {
        self.place(ty, false).map(Expr::Read)
    }

    fn leaf(&mut self, ty: &Ty) -> Expr {
        let read = if self.random.one_in(4) { None } else { self.read(ty) };
        read.unwrap_or_else(|| self.literal(ty))
    }

    /// A place of a type.
    pub(super) fn place(&mut self, ty: &Ty, writable: bool) -> Option<Place> {
        let mut found = Vec::new();
        for var in self.vars.iter().filter(|var| var.writable || !writable) {
            let place = Place { root: var.root.clone(), steps: Vec::new() };
            self.places_within(place, &var.ty, ty, &mut found);
        }
        if found.is_empty() {
            return None;
        }
        let mut place = self.random.pick(&found).clone();
        for step in &mut place.steps {
            if let Step::Index(index, length) = step {
                **index = self.index(*length);
            }
        }
        Some(place)
    }

    fn places_within(&self, place: Place, ty: &Ty, wanted: &Ty, found: &mut Vec<Place>) {
        if ty == wanted {
            found.push(place.clone());
        }
        let further = |step: Step| {
            let mut inner = place.clone();
            inner.steps.push(step);
            inner
        };
        match ty {
            Ty::Struct(of) => {
                for (n, field) in self.program.structs[*of].iter().enumerate() {
                    self.places_within(further(Step::Field(n)), field, wanted, found);
                }
            }
            Ty::Array(of, length) => {
                let index = Step::Index(Box::new(Expr::Int(0, Int::I64)), *length);
                self.places_within(further(index), of, wanted, found);
            }
            _ => {}
        }
    }

    /// An index, seldom outside the array.
    fn index(&mut self, length: usize) -> Expr {
        match self.random.below(24) {
            0 => self.number(Int::I64, 1),
            n if n < 12 => Expr::Int(self.random.below(length) as i128, Int::I64),
            _ => masked(self.leaf(&Ty::I64), length as i128 - 1),
        }
    }

    pub(super) fn number(&mut self, int: Int, depth: usize) -> Expr {
        let ty = Ty::Int(int);
        if depth == 0 {
            return self.leaf(&ty);
        }
        let next = depth - 1;
        let boxed = |maker: &mut Maker| Box::new(maker.number(int, next));
        match self.random.below(22) {
            0..=3 => self.leaf(&ty),
            4 => Expr::Neg(boxed(self), ty),
            5 => Expr::Flip(boxed(self), int),
            6..=8 => self.converted(&ty, next),
            9 => Expr::Choose(Box::new(self.condition(next)), boxed(self), boxed(self)),
            10 | 11 => {
                let op = if self.random.one_in(2) { Op::Div } else { Op::Rem };
                let left = boxed(self);
                let mut right = boxed(self);
                if !self.random.one_in(12) {
                    right = Box::new(Expr::Binary(Op::Or, right, Box::new(Expr::Int(1, int)), ty.clone()));
                }
                Expr::Binary(op, left, right, ty)
            }
            12 | 13 => {
                let op = if self.random.one_in(2) { Op::Shl } else { Op::Shr };
                Expr::Binary(op, boxed(self), boxed(self), ty)
            }
            14 if int == Int::I64 && !self.closures.is_empty() => {
                let name = self.random.pick(&self.closures).clone();
                Expr::Apply(name, Box::new(self.number(int, next)))
            }
            15 if int == Int::I64 && self.wild => Expr::Length(Box::new(self.text(next))),
            _ => {
                let op = *self.random.pick(&[Op::Add, Op::Sub, Op::Mul, Op::And, Op::Or, Op::Xor]);
                Expr::Binary(op, boxed(self), boxed(self), ty)
            }
        }
    }

    /// A scalar of another type, converted.
    fn converted(&mut self, to: &Ty, depth: usize) -> Expr {
        let from = match self.scalar() {
            Ty::Bool if to.is_float() => Ty::F64,
            from => from,
        };
        let value = match &from {
            Ty::Int(int) => self.number(*int, depth),
            Ty::Bool => self.condition(depth),
            _ => self.float(&from, depth),
        };
        Expr::Cast(Box::new(value), from, to.clone())
    }

    fn float(&mut self, ty: &Ty, depth: usize) -> Expr {
        if depth == 0 {
            return self.leaf(ty);
        }
        let next = depth - 1;
        let boxed = |maker: &mut Maker| Box::new(maker.float(ty, next));
        match self.random.below(12) {
            0..=2 => self.leaf(ty),
            3 => Expr::Neg(boxed(self), ty.clone()),
            4 | 5 => self.converted(ty, next),
            6 => Expr::Choose(Box::new(self.condition(next)), boxed(self), boxed(self)),
            _ => {
                let op = *self.random.pick(&[Op::Add, Op::Sub, Op::Mul, Op::Div]);
                Expr::Binary(op, boxed(self), boxed(self), ty.clone())
            }
        }
    }

    pub(super) fn condition(&mut self, depth: usize) -> Expr {
        if depth == 0 {
            return self.leaf(&Ty::Bool);
        }
        let next = depth - 1;
        match self.random.below(10) {
            0 => self.leaf(&Ty::Bool),
            1 => Expr::Not(Box::new(self.condition(next))),
            2 | 3 => {
                let op = if self.random.one_in(2) { "&&" } else { "||" };
                Expr::Logic(op, Box::new(self.condition(next)), Box::new(self.condition(next)))
            }
            _ => {
                let op = *self.random.pick(&["<", "<=", "==", "!=", ">", ">="]);
                let ty = match self.scalar() {
                    Ty::Bool => Ty::I64,
                    _ if self.wild && self.random.one_in(6) => Ty::Str,
                    ty => ty,
                };
                Expr::Compare(op, Box::new(self.simple(&ty, next)), Box::new(self.simple(&ty, next)))
            }
        }
    }

    fn text(&mut self, depth: usize) -> Expr {
        if depth == 0 {
            return self.leaf(&Ty::Str);
        }
        let next = depth - 1;
        match self.random.below(6) {
            0 | 1 => self.leaf(&Ty::Str),
            2 => self.joined(next),
            3 => Expr::Shown("n".to_owned(), Box::new(self.number(Int::I64, next))),
            4 => {
                let condition = self.condition(next);
                Expr::Choose(Box::new(condition), Box::new(self.text(next)), Box::new(self.text(next)))
            }
            _ => self.leaf(&Ty::Str),
        }
    }

    /// Two texts, if both are short: loops must not double them again and again.
    fn joined(&mut self, depth: usize) -> Expr {
        let (left, right) = (self.leaf(&Ty::Str), self.text(depth));
        let short = |text: &Expr| {
            let length = Box::new(Expr::Length(Box::new(text.clone())));
            Box::new(Expr::Compare("<", length, Box::new(Expr::Int(30, Int::I64))))
        };
        let both = Box::new(Expr::Logic("&&", short(&left), short(&right)));
        Expr::Choose(
            both,
            Box::new(Expr::Join(Box::new(left), Box::new(right))),
            Box::new(Expr::Text("long".to_owned())),
        )
    }

    /// A call of a function with this result.
    fn call(&mut self, ty: &Ty) -> Option<Expr> {
        let fitting: Vec<usize> = (0..self.heads.len()).filter(|number| self.heads[*number].result == *ty).collect();
        if fitting.is_empty() || self.in_closure {
            return None;
        }
        let number = *self.random.pick(&fitting);
        let mut arguments = Vec::new();
        for param in self.heads[number].params.clone() {
            arguments.push(match param.pointer {
                true => Argument::Address(self.place(&param.ty, true).filter(addressable)?),
                // Calls within calls would have an order.
                false if self.wild => Argument::Value(self.simple(&param.ty, 1)),
                false => Argument::Value(self.simple(&param.ty, 2)),
            });
        }
        Some(Expr::Call(number, arguments))
    }
}

/// A pointer to all of what another one points at is that one.
fn addressable(place: &Place) -> bool {
    !matches!(place.root, Root::Pointer(_)) || !place.steps.is_empty()
}
