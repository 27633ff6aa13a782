//! `Vec`, `HashMap` and `Box`: how they are made, converted and indexed. Most of what they do is written in the
//! language, in the library.

use vaisjit_syntax::{Name, Span, ast};

use super::coerce::{Why, cast, is_place};
use super::{Checker, Want};
use crate::hir::{Builtin, Callee, CastKind, Expr, ExprKind};
use crate::interface::Interface;
use crate::types::{ItemPath, Ty, TyKind};

/// The methods of `Vec` that neither change it nor give it away.
const READING: &[&str] = &[
    "all",
    "any",
    "chunks",
    "collect",
    "concat",
    "contains",
    "count",
    "count_of",
    "each",
    "enumerate",
    "filter",
    "filter_map",
    "find",
    "first",
    "flat_map",
    "fold",
    "get",
    "get_or",
    "index_of",
    "iter",
    "join",
    "last",
    "last_index_of",
    "map",
    "max",
    "min",
    "position",
    "product",
    "reduce",
    "reversed",
    "skip",
    "slice",
    "sorted",
    "sum",
    "take",
    "to_vec",
    "zip",
];

/// Does this method of `Vec` only read? Arrays and slices have it, too.
pub fn only_reads(method: &str) -> bool {
    READING.contains(&method)
}

/// The library's method behind `m[key]`.
const MAP_PLACE: &str = "HashMap.place_of";

impl Checker<'_, '_> {
    /// The call of a function of the library on checked values.
    pub fn library_call(&mut self, module: &str, name: &str, values: Vec<Expr>, span: Span) -> Expr {
        let path = ItemPath::new(Name::new(module), name);
        let Some(id) = self.world.find(path) else {
            return self.unsupported(&format!("without the library's `{module}` this is"), span);
        };
        let Some(Interface::Function(sig)) = self.world.interface(id) else { return self.wrong(span) };
        let map: Vec<(Name, Ty)> = sig.generics.iter().map(|generic| (generic.name, self.fresh())).collect();
        let receiver = sig.receiver.and(sig.self_ty);
        let types = receiver.into_iter().chain(sig.params.iter().map(|param| param.ty));
        for (value, ty) in values.iter().zip(types) {
            self.table.unify(value.ty, super::literal::replace(ty, &map));
        }
        self.finish_call(Some(id), &sig, &map, values, path.name, span)
    }

    /// `Box.new(e)`
    pub fn box_new(&mut self, of: Ty, arguments: &[ast::Expr], span: Span, want: Want) -> Option<Expr> {
        let [argument] = arguments else { return None };
        if let Some(hint) = want.hint()
            && let TyKind::Box(inner) = *self.shallow(hint).kind()
        {
            self.table.unify(of, inner);
        }
        let value = self.check_to(argument, of, Why::Plain);
        Some(self.make(ExprKind::BoxNew(value), Ty::new(TyKind::Box(of)), span))
    }

    /// An array as the `Vec` that is wanted.
    pub fn vec_of_array(&mut self, array: Expr, of: Ty, length: u64, to: Ty) -> Expr {
        let span = array.span;
        let mut made = self.with_place(array, |this, place| {
            this.take_address(&place);
            let first = cast(CastKind::ArrayToPointer, place, Ty::pointer(of));
            let length = this.make(ExprKind::Int(i128::from(length)), Ty::i64(), span);
            this.library_call("std/vec", "vec_from_array", vec![first, length], span)
        });
        made.ty = to;
        made
    }

    /// A slice as the `Vec` that is wanted: a copy.
    pub fn vec_of_slice(&mut self, slice: Expr, to: Ty) -> Expr {
        let span = slice.span;
        let made = self.library_call("std/vec", "vec_from_slice", vec![slice], span);
        Expr { ty: to, ..made }
    }

    /// All elements of a `Vec` as a slice.
    pub fn slice_of_vec(&mut self, vec: Expr, of: Ty, to: Ty) -> Expr {
        let span = vec.span;
        self.with_place(vec, |this, place| {
            let first = this.elements(place.clone(), of, span);
            let length = this.length_of(place, span);
            this.make(ExprKind::Aggregate(vec![first, length], vec![0, 1]), to, span)
        })
    }

    /// The address of a `Vec`'s first element.
    pub fn elements(&mut self, vec: Expr, of: Ty, span: Span) -> Expr {
        let address = cast(CastKind::IntToInt, vec, Ty::i64());
        self.make(ExprKind::Call(Callee::Builtin(Builtin::Load), vec![address]), Ty::pointer(of), span)
    }

    /// `m[key]`: the place of the value; a key that has none traps.
    pub fn map_element(&mut self, map: Expr, key: Ty, value: Ty, index: &ast::Expr, span: Span) -> Expr {
        let index = self.check_to(index, key, Why::Plain);
        let address = self.library_call("std/hashmap", MAP_PLACE, vec![map, index], span);
        self.make(ExprKind::Deref(address), value, span)
    }

    /// Map and key, if the place is `m[key]`.
    pub fn map_entry(place: &Expr) -> Option<&[Expr]> {
        let ExprKind::Deref(address) = &*place.kind else { return None };
        match &*address.kind {
            ExprKind::Call(Callee::Function(instance), arguments)
                if instance.path.name == MAP_PLACE && instance.path.module == "std/hashmap" =>
            {
                Some(arguments)
            }
            _ => None,
        }
    }

    /// What lies in a `Box`, as an address.
    pub fn address_in_box(&mut self, boxed: Expr, inner: Ty, to: Ty) -> Result<Expr, Expr> {
        if !is_place(&boxed) {
            return Err(boxed);
        }
        let span = boxed.span;
        let place = Expr::new(ExprKind::Deref(boxed), inner, span);
        Ok(Expr::new(ExprKind::AddressOf(place), to, span))
    }
}
