//! Which types a body exposes: those whose values may lie in memory that only the programmer knows of, so that a reload
//! cannot find them all.

use super::place::inside;
use super::{Checker, is_library};
use crate::hir::{Builtin, Callee, CastKind, Expr, ExprKind};
use crate::infer::walk;
use crate::types::{Ty, TyKind};

impl Checker<'_, '_> {
    /// Notes what an expression, with its types resolved, exposes. `sizeof` is made of a cast, too.
    pub fn note_exposed(&mut self, e: &Expr) {
        match &*e.kind {
            ExprKind::Cast(CastKind::Pointer, from) => self.cast_exposes(from, e.ty),
            ExprKind::Call(Callee::Builtin(Builtin::Load), arguments) => self.access_exposes(arguments, e.ty),
            ExprKind::Call(Callee::Builtin(Builtin::Store), arguments) => {
                let stored = arguments.get(1).map_or(Ty::unit(), |value| value.ty);
                self.access_exposes(arguments, stored);
            }
            ExprKind::Call(callee @ (Callee::C(_) | Callee::Host(_)), arguments) if self.is_foreign(callee) => {
                arguments.iter().for_each(|argument| self.expose_all(argument.ty));
                self.expose_all(e.ty);
            }
            ExprKind::Function(callee @ (Callee::C(_) | Callee::Host(_))) if self.is_foreign(callee) => {
                self.expose_all(e.ty);
            }
            _ => {}
        }
    }

    /// What was noted, sorted; nothing for the library's own functions, which go by the types' layouts.
    pub fn take_exposed(&mut self) -> Vec<Ty> {
        let found = std::mem::take(&mut self.exposed);
        let library = self.path.is_some_and(|path| is_library(path.module));
        let mut found: Vec<Ty> = if library { Vec::new() } else { found.into_iter().collect() };
        found.sort();
        found
    }

    /// A null pointer, a pointer to the same or to what lies in a `Box`, and one to the first element of an array or of a
    /// slice show nothing new.
    fn cast_exposes(&mut self, from: &Expr, to: Ty) {
        let Some(to) = to.pointee() else { return };
        let known = match (&*from.kind, from.ty.kind()) {
            (ExprKind::Int(0), _) => true,
            (_, TyKind::Slice(element)) => *element == to,
            (_, _) => inside(from.ty)
                .is_some_and(|of| of == to || matches!(*of.kind(), TyKind::Array(element, _) if element == to)),
        };
        if !known {
            self.expose(to);
        }
    }

    fn access_exposes(&mut self, arguments: &[Expr], accessed: Ty) {
        if arguments.first().is_some_and(|address| address.ty.pointee() != Some(accessed)) {
            self.expose(accessed);
        }
    }

    /// Functions of the heap work by the types' layouts; others know what they were written for.
    fn is_foreign(&self, callee: &Callee) -> bool {
        match callee {
            Callee::Host(name) => self.world.input.host.get(name).is_none_or(|known| !known.flags.heap),
            _ => true,
        }
    }

    /// All that a value of a type leads to by its type: behind pointers, in the signatures of functions.
    fn expose_all(&mut self, ty: Ty) {
        walk(ty, &mut |part| self.expose(part));
    }

    fn expose(&mut self, ty: Ty) {
        if matches!(ty.kind(), TyKind::Struct(..) | TyKind::Enum(..) | TyKind::Array(..) | TyKind::Tuple(_)) {
            self.exposed.insert(ty);
        }
    }
}
