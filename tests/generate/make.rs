//! Makes programs up.

mod entry;
mod values;

use super::{Arm, Expr, Function, Int, Op, Param, Place, Program, Random, Root, Step, Stmt, Ty};

/// Functions of a program.
const FUNCTIONS: usize = 16;
/// How deep blocks are nested.
const DEEPEST: usize = 3;

/// A name that can be read.
#[derive(Clone)]
struct Var {
    root: Root,
    ty: Ty,
    writable: bool,
}

/// A function as its callers know it.
#[derive(Clone)]
struct Head {
    params: Vec<Param>,
    result: Ty,
}

struct Maker {
    random: Random,
    /// May it be a program that C cannot say?
    wild: bool,
    program: Program,
    heads: Vec<Head>,
    vars: Vec<Var>,
    closures: Vec<String>,
    /// Inside a closure nothing is addressed.
    in_closure: bool,
    loops: usize,
    names: usize,
    result: Ty,
}

/// The program of a seed. A wild one has closures, texts, and calls anywhere.
pub fn program(seed: u64, wild: bool) -> Program {
    let mut maker = Maker {
        random: Random(seed),
        wild,
        program: Program::default(),
        heads: Vec::new(),
        vars: Vec::new(),
        closures: Vec::new(),
        in_closure: false,
        loops: 0,
        names: 0,
        result: Ty::I64,
    };
    maker.types();
    maker.globals();
    for _ in 0..FUNCTIONS {
        let head = maker.head();
        maker.heads.push(head);
    }
    (0..FUNCTIONS).for_each(|number| maker.function(number));
    (0..FUNCTIONS).for_each(|number| maker.entry(number));
    maker.program
}

impl Maker {
    fn name(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}{}", self.names)
    }

    fn int(&mut self) -> Int {
        if self.random.one_in(3) { Int::I64 } else { *self.random.pick(&Int::ALL) }
    }

    fn scalar(&mut self) -> Ty {
        match self.random.below(10) {
            0 => Ty::Bool,
            1 => Ty::F32,
            2 | 3 => Ty::F64,
            _ => Ty::Int(self.int()),
        }
    }

    fn types(&mut self) {
        for number in 0..3 {
            let mut fields = Vec::new();
            for _ in 0..=self.random.below(4) {
                let ty = match self.random.below(6) {
                    0 if number > 0 => Ty::Struct(self.random.below(number)),
                    1 => Ty::Array(Box::new(self.scalar()), 2),
                    2 if self.wild => Ty::Str,
                    _ => self.scalar(),
                };
                fields.push(ty);
            }
            self.program.structs.push(fields);
        }
        for _ in 0..2 {
            let mut variants = vec![Vec::new()];
            for _ in 0..=self.random.below(3) {
                let payload = (0..=self.random.below(2)).map(|_| self.ty(false)).collect();
                variants.push(payload);
            }
            self.program.enums.push(variants);
        }
    }

    /// Any type.
    fn ty(&mut self, enums: bool) -> Ty {
        match self.random.below(8) {
            0 | 1 => Ty::Struct(self.random.below(self.program.structs.len())),
            2 if enums => Ty::Enum(self.random.below(self.program.enums.len())),
            3 if enums => Ty::Array(Box::new(self.scalar()), 1 << self.random.below(4)),
            4 if self.wild => Ty::Str,
            _ => self.scalar(),
        }
    }

    fn globals(&mut self) {
        for _ in 0..3 {
            let ty = self.scalar();
            let value = self.literal(&ty);
            self.program.globals.push((ty, value));
        }
    }

    fn head(&mut self) -> Head {
        let mut params = Vec::new();
        for number in 0..self.random.below(4) {
            let ty = self.ty(true);
            let pointer = matches!(ty, Ty::Struct(_) | Ty::Int(_)) && self.random.one_in(3);
            params.push(Param { name: format!("a{number}"), ty, pointer });
        }
        Head { params, result: self.ty(true) }
    }

    fn function(&mut self, number: usize) {
        let Head { params, result } = self.heads[number].clone();
        self.result = result.clone();
        self.vars.clear();
        self.closures.clear();
        for (n, (ty, _)) in self.program.globals.iter().enumerate() {
            self.vars.push(Var { root: Root::Global(n), ty: ty.clone(), writable: true });
        }
        for Param { name, ty, pointer } in params.clone() {
            let root = if pointer { Root::Pointer(name) } else { Root::Local(name) };
            self.vars.push(Var { root, ty, writable: true });
        }
        let budget = Place { root: Root::Budget, steps: Vec::new() };
        let spent = Expr::Compare("<=", Box::new(Expr::Read(budget.clone())), Box::new(Expr::Int(0, Int::I64)));
        let mut body = vec![
            Stmt::If(spent, vec![Stmt::Return(self.literal(&result))], vec![]),
            Stmt::Assign(budget, Some(Op::Sub), Expr::Int(1, Int::I64), Ty::I64),
        ];
        for _ in 0..3 {
            let ty = self.ty(true);
            body.push(self.declare(ty));
        }
        for _ in 0..3 + self.random.below(6) {
            self.statement(0, &mut body);
        }
        body.push(Stmt::Return(self.value(&result)));
        self.program.functions.push(Function { name: format!("f{number}"), params, result, body, counted: true });
    }

    fn declare(&mut self, ty: Ty) -> Stmt {
        let value = self.value(&ty);
        let name = self.name("v");
        self.vars.push(Var { root: Root::Local(name.clone()), ty: ty.clone(), writable: true });
        Stmt::Let(name, ty, value)
    }

    /// A block with names of its own.
    fn block(&mut self, depth: usize, bound: Vec<Var>, end: Option<Stmt>) -> Vec<Stmt> {
        let (vars, closures) = (self.vars.len(), self.closures.len());
        self.vars.extend(bound);
        let mut body = Vec::new();
        for _ in 0..=self.random.below(3) {
            self.statement(depth + 1, &mut body);
        }
        body.extend(end);
        self.vars.truncate(vars);
        self.closures.truncate(closures);
        body
    }

    fn statement(&mut self, depth: usize, body: &mut Vec<Stmt>) {
        let made = match self.random.below(if depth < DEEPEST { 20 } else { 11 }) {
            0 => {
                let ty = self.ty(true);
                self.declare(ty)
            }
            1 if self.wild => self.closure(),
            1 | 2 if self.loops > 0 => {
                let leave = if self.random.one_in(2) { Stmt::Break } else { Stmt::Continue };
                Stmt::If(self.condition(2), vec![leave], vec![])
            }
            3 if self.random.one_in(3) => {
                let result = self.result.clone();
                let value = self.value(&result);
                Stmt::If(self.condition(2), vec![Stmt::Return(value)], vec![])
            }
            1..=10 => match self.assignment() {
                Some(made) => made,
                None => return,
            },
            11..=14 => {
                let condition = self.condition(2);
                let then = self.block(depth, vec![], None);
                let otherwise = if self.random.one_in(2) { self.block(depth, vec![], None) } else { vec![] };
                Stmt::If(condition, then, otherwise)
            }
            15 | 16 if self.loops < 2 => self.counted_loop(depth),
            17 if self.loops < 2 => {
                let (name, condition) = (self.name("w"), self.condition(1));
                let counter = Var { root: Root::Local(name.clone()), ty: Ty::I64, writable: false };
                self.loops += 1;
                let turn = self.block(depth, vec![counter], None);
                self.loops -= 1;
                Stmt::While(name, 1 + self.random.below(7) as i128, condition, turn)
            }
            _ => match self.matching(depth) {
                Some(made) => made,
                None => return,
            },
        };
        body.push(made);
    }

    fn counted_loop(&mut self, depth: usize) -> Stmt {
        let name = self.name("q");
        let from = Expr::Int(self.random.below(5) as i128 - 2, Int::I64);
        let to = match self.random.one_in(2) {
            true => Expr::Int(self.random.below(8) as i128, Int::I64),
            false => masked(self.number(Int::I64, 1), 7),
        };
        // What is written to the loop's variable changes only the turn's copy.
        let counter = Var { root: Root::Local(name.clone()), ty: Ty::I64, writable: true };
        self.loops += 1;
        let turn = self.block(depth, vec![counter], None);
        self.loops -= 1;
        Stmt::For(name, from, to, turn)
    }

    fn matching(&mut self, depth: usize) -> Option<Stmt> {
        let of = self.random.below(self.program.enums.len());
        let known = self.vars.iter().filter(|var| var.ty == Ty::Enum(of));
        let names: Vec<String> = known
            .filter_map(|var| match &var.root {
                Root::Local(name) => Some(name.clone()),
                _ => None,
            })
            .collect();
        if names.is_empty() {
            return None;
        }
        let name = self.random.pick(&names).clone();
        let mut arms = Vec::new();
        for (variant, payload) in self.program.enums[of].clone().into_iter().enumerate() {
            let names: Vec<String> = payload.iter().map(|_| self.name("b")).collect();
            let bind =
                |(name, ty): (&String, &Ty)| Var { root: Root::Local(name.clone()), ty: ty.clone(), writable: false };
            let bound = names.iter().zip(&payload).map(bind).collect();
            arms.push(Arm { variant, body: self.block(depth, bound, None), names });
        }
        Some(Stmt::Match(name, of, arms))
    }

    fn closure(&mut self) -> Stmt {
        let (name, param) = (self.name("k"), self.name("n"));
        self.vars.push(Var { root: Root::Local(param.clone()), ty: Ty::I64, writable: false });
        self.in_closure = true;
        let body = self.number(Int::I64, 2);
        self.in_closure = false;
        self.vars.pop();
        self.closures.push(name.clone());
        Stmt::Closure(name, param, body)
    }

    fn assignment(&mut self) -> Option<Stmt> {
        let ty = self.ty(true);
        let place = self.place(&ty, true)?;
        let plain = place.steps.iter().all(|step| matches!(step, Step::Field(_)));
        let op = match &ty {
            Ty::Int(_) => Some(*self.random.pick(&[Op::Add, Op::Sub, Op::Xor, Op::Mul, Op::Shl, Op::Shr, Op::Or])),
            Ty::F32 | Ty::F64 => Some(*self.random.pick(&[Op::Add, Op::Sub, Op::Mul])),
            Ty::Str => Some(Op::Add),
            _ => None,
        };
        let op = op.filter(|_| self.random.one_in(2));
        // In C the order of calls and of what they change is anybody's guess.
        let value = match op {
            Some(_) if ty == Ty::Str => self.literal(&ty),
            None if plain || self.wild => self.value(&ty),
            _ => self.simple(&ty, 2),
        };
        Some(Stmt::Assign(place, op, value, ty))
    }
}

/// A number cut to its low bits.
fn masked(value: Expr, mask: i128) -> Expr {
    Expr::Binary(Op::And, Box::new(value), Box::new(Expr::Int(mask, Int::I64)), Ty::I64)
}
