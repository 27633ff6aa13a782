//! Inference variables of one body: unification and the types found so far.

use ena::unify::{InPlaceUnificationTable, NoError, UnifyKey, UnifyValue};
use std::sync::LazyLock;

use crate::types::{Ty, TyKind, TyList};

/// A variable of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Var(u32);

/// What is known about a variable.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Known {
    /// Nothing.
    Nothing,
    /// It is an integer type; `i64` when nothing else says more.
    Int,
    /// It is a float type; `f64` when nothing else says more.
    Float,
    /// It is this type.
    Type(Ty),
}

impl UnifyKey for Var {
    type Value = Known;
    fn index(&self) -> u32 {
        self.0
    }
    fn from_index(index: u32) -> Var {
        Var(index)
    }
    fn tag() -> &'static str {
        "Var"
    }
}

impl UnifyValue for Known {
    type Error = NoError;
    fn unify_values(a: &Known, b: &Known) -> Result<Known, NoError> {
        Ok(match (a, b) {
            (Known::Type(_), _) => *a,
            (_, Known::Type(_)) => *b,
            (Known::Nothing, _) => *b,
            _ => *a,
        })
    }
}

/// The variables of one body.
#[derive(Default)]
pub(crate) struct Table {
    table: InPlaceUnificationTable<Var>,
}

/// The type of a variable; the first ones are made once.
fn variable_type(index: u32) -> Ty {
    static FIRST: LazyLock<Vec<Ty>> = LazyLock::new(|| (0..1024).map(|i| Ty::new(TyKind::Infer(i))).collect());
    FIRST.get(index as usize).copied().unwrap_or_else(|| Ty::new(TyKind::Infer(index)))
}

impl Table {
    /// A new variable.
    pub fn fresh(&mut self, known: Known) -> Ty {
        variable_type(self.table.new_key(known).0)
    }

    /// What is known about a variable type; `Known::Type` for every other type.
    pub fn known(&mut self, ty: Ty) -> Known {
        match *ty.kind() {
            TyKind::Infer(index) => self.table.probe_value(Var(index)),
            _ => Known::Type(ty),
        }
    }

    /// The type behind a variable, as far as it is known; parts of it may be variables still.
    pub fn shallow(&mut self, ty: Ty) -> Ty {
        let mut ty = ty;
        while let TyKind::Infer(index) = *ty.kind() {
            match self.table.probe_value(Var(index)) {
                Known::Type(known) => ty = known,
                _ => return variable_type(self.table.find(Var(index)).0),
            }
        }
        ty
    }

    /// Makes two types equal; `false` if they cannot be.
    pub fn unify(&mut self, a: Ty, b: Ty) -> bool {
        let (a, b) = (self.shallow(a), self.shallow(b));
        if a == b {
            return true;
        }
        match (a.kind(), b.kind()) {
            (TyKind::Error, _) | (_, TyKind::Error) => true,
            (&TyKind::Infer(x), &TyKind::Infer(y)) => {
                let (kx, ky) = (self.table.probe_value(Var(x)), self.table.probe_value(Var(y)));
                if matches!((kx, ky), (Known::Int, Known::Float) | (Known::Float, Known::Int)) {
                    return false;
                }
                self.table.union(Var(x), Var(y));
                true
            }
            (&TyKind::Infer(x), _) => self.bind(x, b),
            (_, &TyKind::Infer(y)) => self.bind(y, a),
            (&TyKind::Pointer(x), &TyKind::Pointer(y))
            | (&TyKind::Reference(x), &TyKind::Reference(y))
            | (&TyKind::Slice(x), &TyKind::Slice(y))
            | (&TyKind::Vec(x), &TyKind::Vec(y))
            | (&TyKind::Box(x), &TyKind::Box(y)) => self.unify(x, y),
            (&TyKind::Array(x, n), &TyKind::Array(y, m)) => n == m && self.unify(x, y),
            (&TyKind::Tuple(x), &TyKind::Tuple(y)) => self.unify_lists(x, y),
            (&TyKind::HashMap(k, v), &TyKind::HashMap(l, w)) => self.unify(k, l) && self.unify(v, w),
            (&TyKind::Struct(p, x), &TyKind::Struct(q, y)) | (&TyKind::Enum(p, x), &TyKind::Enum(q, y)) => {
                p == q && self.unify_lists(x, y)
            }
            (&TyKind::Function(x, r), &TyKind::Function(y, s)) => self.unify_lists(x, y) && self.unify(r, s),
            _ => false,
        }
    }

    fn unify_lists(&mut self, a: TyList, b: TyList) -> bool {
        a.len() == b.len() && a.iter().zip(b.iter()).all(|(x, y)| self.unify(*x, *y))
    }

    fn bind(&mut self, index: u32, ty: Ty) -> bool {
        let fits = match self.table.probe_value(Var(index)) {
            Known::Int => matches!(ty.kind(), TyKind::Int(_)),
            Known::Float => matches!(ty.kind(), TyKind::Float(_)),
            _ => !self.occurs(index, ty),
        };
        if fits {
            let _ = self.table.unify_var_value(Var(index), Known::Type(ty));
        }
        fits
    }

    fn occurs(&mut self, index: u32, ty: Ty) -> bool {
        let mut found = false;
        let root = self.table.find(Var(index));
        walk(ty, &mut |part| {
            if let TyKind::Infer(other) = *part.kind() {
                found |= self.table.find(Var(other)) == root;
            }
        });
        found
    }

    /// The type with every known variable replaced. With `default`, unknown integers become `i64`, floats `f64`.
    pub fn resolve(&mut self, ty: Ty, default: bool) -> Ty {
        match ty.kind() {
            TyKind::Int(_) | TyKind::Float(_) | TyKind::Bool | TyKind::Str | TyKind::Unit => ty,
            TyKind::Infer(_) => {
                let shallow = self.shallow(ty);
                match self.known(shallow) {
                    Known::Type(known) => self.resolve(known, default),
                    Known::Int if default => Ty::i64(),
                    Known::Float if default => Ty::f64(),
                    _ => shallow,
                }
            }
            _ => map_parts(ty, &mut |part| self.resolve(part, default)),
        }
    }
}

/// Calls `visit` for a type and all its parts.
pub(crate) fn walk(ty: Ty, visit: &mut dyn FnMut(Ty)) {
    visit(ty);
    match *ty.kind() {
        TyKind::Pointer(x)
        | TyKind::Reference(x)
        | TyKind::Array(x, _)
        | TyKind::Slice(x)
        | TyKind::Vec(x)
        | TyKind::Box(x) => {
            walk(x, visit);
        }
        TyKind::Tuple(xs) | TyKind::Struct(_, xs) | TyKind::Enum(_, xs) => xs.iter().for_each(|x| walk(*x, visit)),
        TyKind::Function(xs, result) => {
            xs.iter().for_each(|x| walk(*x, visit));
            walk(result, visit);
        }
        TyKind::HashMap(k, v) => {
            walk(k, visit);
            walk(v, visit);
        }
        _ => {}
    }
}

/// Calls `visit` for a type and all its parts, those of function types apart.
pub(crate) fn walk_values(ty: Ty, visit: &mut dyn FnMut(Ty)) {
    match *ty.kind() {
        TyKind::Function(..) => {}
        TyKind::Pointer(x) | TyKind::Reference(x) | TyKind::Array(x, _) | TyKind::Slice(x) | TyKind::Vec(x) => {
            walk_values(x, visit);
        }
        TyKind::Tuple(xs) | TyKind::Struct(_, xs) | TyKind::Enum(_, xs) => {
            xs.iter().for_each(|x| walk_values(*x, visit));
        }
        TyKind::HashMap(k, v) => {
            walk_values(k, visit);
            walk_values(v, visit);
        }
        _ => visit(ty),
    }
}

/// Is there an inference variable in a type?
pub(crate) fn has_variables(ty: Ty) -> bool {
    let mut found = false;
    walk(ty, &mut |part| found |= matches!(part.kind(), TyKind::Infer(_)));
    found
}

/// The type with its direct parts mapped.
pub(crate) fn map_parts(ty: Ty, map: &mut dyn FnMut(Ty) -> Ty) -> Ty {
    let mut list = |types: TyList| {
        if types.is_empty() {
            return types;
        }
        let mapped: Vec<Ty> = types.iter().map(|x| map(*x)).collect();
        if mapped == types[..] { types } else { TyList::new(&mapped) }
    };
    let mapped = match *ty.kind() {
        TyKind::Tuple(xs) => TyKind::Tuple(list(xs)),
        TyKind::Struct(path, xs) => {
            if xs.is_empty() {
                return ty;
            }
            TyKind::Struct(path, list(xs))
        }
        TyKind::Enum(path, xs) => {
            if xs.is_empty() {
                return ty;
            }
            TyKind::Enum(path, list(xs))
        }
        TyKind::Function(xs, result) => TyKind::Function(list(xs), map(result)),
        TyKind::Pointer(x) => TyKind::Pointer(map(x)),
        TyKind::Reference(x) => TyKind::Reference(map(x)),
        TyKind::Array(x, n) => TyKind::Array(map(x), n),
        TyKind::Slice(x) => TyKind::Slice(map(x)),
        TyKind::Vec(x) => TyKind::Vec(map(x)),
        TyKind::Box(x) => TyKind::Box(map(x)),
        TyKind::HashMap(k, v) => TyKind::HashMap(map(k), map(v)),
        _ => return ty,
    };
    if mapped == *ty.kind() { ty } else { Ty::new(mapped) }
}

/// The type with its generic parameters replaced.
pub(crate) fn substitute(ty: Ty, replace: &dyn Fn(vaisjit_syntax::Name) -> Option<Ty>) -> Ty {
    match *ty.kind() {
        TyKind::Param(name) => replace(name).unwrap_or(ty),
        _ => map_parts(ty, &mut |part| substitute(part, replace)),
    }
}
