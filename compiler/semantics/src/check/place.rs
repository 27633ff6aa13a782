//! Places: fields, elements, addresses and what they point at.

use vaisjit_syntax::{Diagnostic, Name, Span, ast};

use super::coerce::{Why, cast, is_place};
use super::name::Found;
use super::{Checker, Want};
use crate::codes;
use crate::hir::{Callee, CastKind, Expr, ExprKind, Stmt};
use crate::infer::Known;
use crate::types::{IntKind, Ty, TyKind, TyList};

impl Checker<'_, '_> {
    /// `&x`
    pub fn address(&mut self, of: &ast::Expr, span: Span, want: Want) -> Expr {
        if let ast::ExprKind::Index(array, index) = &*of.kind
            && let ast::ExprKind::Range { .. } = &*index.kind
        {
            return self.index(array, index, span);
        }
        let hint = want.hint().map(|ty| self.shallow(ty)).and_then(|ty| match *ty.kind() {
            TyKind::Slice(of) => Some(Ty::new(TyKind::Slice(of))),
            _ => ty.pointee(),
        });
        let value = self.check(of, hint.map_or(Want::Any, Want::Of));
        let value = self.must_have_value(value);
        if let ExprKind::Function(_) = &*value.kind {
            return value;
        }
        // `&[1, 2]` where a `&Vec<i64>` is wanted.
        let value = match (hint.map(Ty::kind), self.shallow(value.ty).kind()) {
            (Some(TyKind::Vec(_)), TyKind::Array(..)) => self.coerce(value, hint.unwrap_or(Ty::error()), Why::Plain),
            _ => value,
        };
        let ty = self.shallow(value.ty);
        if matches!(ty.kind(), TyKind::Error | TyKind::Slice(_)) {
            return value;
        }
        let reference = Ty::new(TyKind::Reference(value.ty));
        let mut e = self.with_place(value, |this, place| this.address_of(place, reference));
        e.span = self.span(span);
        e
    }

    /// `*p`
    pub fn dereference(&mut self, of: &ast::Expr, span: Span) -> Expr {
        let value = self.value(of);
        if let (ast::ExprKind::Name(name), ExprKind::Deref(_)) = (&*of.kind, &*value.kind)
            && *name == "self"
        {
            return value;
        }
        let ty = self.shallow(value.ty);
        match inside(ty) {
            Some(to) => self.make(ExprKind::Deref(value), to, span),
            // `*shape` of a `dyn` is what a pointer to it would point at: itself.
            None if matches!(ty.kind(), TyKind::Error | TyKind::Dyn(_)) => value,
            None => {
                let shown = self.show(ty);
                let diagnostic = self
                    .error(codes::NOT_POINTER, span, format!("`*` needs a pointer, and this is `{shown}`"))
                    .with_help("an address in an `i64` must become a pointer first: `*(p as *i64)`");
                self.fail(diagnostic, span)
            }
        }
    }

    /// The value with every pointer around it followed.
    pub fn follow_pointers(&mut self, value: Expr) -> Expr {
        self.follow_while(value, Ty::pointee)
    }

    /// The value with every pointer and `Box` around it followed.
    pub fn follow(&mut self, value: Expr) -> Expr {
        self.follow_while(value, inside)
    }

    /// The type behind all pointers and `Box`es.
    pub fn follow_type(&mut self, ty: Ty) -> Ty {
        let mut ty = self.shallow(ty);
        while let Some(to) = inside(ty) {
            ty = self.shallow(to);
        }
        ty
    }

    fn follow_while(&mut self, mut value: Expr, behind: fn(Ty) -> Option<Ty>) -> Expr {
        loop {
            let ty = self.shallow(value.ty);
            match behind(ty) {
                Some(to) => {
                    let span = value.span;
                    value = Expr::new(ExprKind::Deref(value), to, span);
                }
                None => return Expr { ty, ..value },
            }
        }
    }

    /// `a.b`: a field, or a member of a type or module.
    pub fn field(&mut self, of: &ast::Expr, ident: ast::Ident, span: Span, want: Want) -> Expr {
        if let Some(found) = self.member(of, ident, span, want) {
            return found;
        }
        let value = match &*of.kind {
            ast::ExprKind::At => self.at_value(of.span),
            _ => self.value(of),
        };
        let value = self.follow(value);
        let ty = value.ty;
        match *ty.kind() {
            TyKind::Struct(path, _) => {
                let Some((sig, _)) = self.struct_fields(path) else { return self.wrong(span) };
                match sig.fields.iter().position(|field| field.name == ident.name) {
                    Some(index) => self.field_of(value, index as u32, span),
                    None => self.no_field(ty, ident, span),
                }
            }
            TyKind::Error => value,
            TyKind::Infer(_) if !self.is_number(ty) => self.undetermined(ident.span, of.span),
            _ => self.no_field(ty, ident, span),
        }
    }

    fn at_value(&mut self, span: Span) -> Expr {
        match self.receiver_value(span) {
            Some(this) => this,
            None => {
                let diagnostic = self.error(codes::NO_SELF, span, "`@.` needs a method around it");
                self.fail(diagnostic, span)
            }
        }
    }

    /// Reports a type that nothing has determined where it must be known.
    pub fn undetermined(&mut self, span: Span, of: Span) -> Expr {
        if self.recovering || self.is_sketch() || self.diagnostics.iter().any(Diagnostic::is_error) {
            return self.wrong(span);
        }
        let diagnostic = self
            .error(codes::UNDETERMINED, of, "the type of this is not known here")
            .with_help("write its type where it is declared");
        self.fail(diagnostic, span)
    }

    /// Reports something declared whose type nothing determines, unless another mistake may be the reason.
    pub fn undetermined_type(&mut self, name: vaisjit_syntax::Name, span: Span) {
        if self.recovering || self.is_sketch() || self.diagnostics.iter().any(Diagnostic::is_error) {
            return;
        }
        let diagnostic = self
            .error(codes::UNDETERMINED, span, format!("nothing says what type `{name}` has"))
            .with_help("write its type where it is declared");
        self.report(diagnostic);
    }

    fn no_field(&mut self, ty: Ty, ident: ast::Ident, span: Span) -> Expr {
        if self.recovering {
            return self.wrong(span);
        }
        let (head, module) = self.head_of(ty);
        if !self.world.methods(module, head, ident.name).is_empty() {
            let message = format!("`{}` is a method: call it", ident.name);
            let diagnostic =
                self.error(codes::UNKNOWN_FIELD, ident.span, message).with_help(format!("`.{}()`", ident.name));
            let diagnostic = self.inserting(diagnostic, ident.span.end, "()");
            return self.fail(diagnostic, span);
        }
        let diagnostic = match *ty.kind() {
            TyKind::Struct(path, _) => {
                let names: Vec<_> = match self.struct_fields(path) {
                    Some((sig, _)) => sig.fields.iter().map(|field| field.name).collect(),
                    None => Vec::new(),
                };
                self.unknown_field(path.name, ident, names.into_iter())
            }
            _ => {
                let shown = self.show(ty);
                self.error(codes::UNKNOWN_FIELD, ident.span, format!("`{shown}` has no fields"))
            }
        };
        self.fail(diagnostic, span)
    }

    /// The field with this number of a struct value, place or pointer.
    pub fn field_of(&mut self, value: Expr, index: u32, span: Span) -> Expr {
        let value = self.follow(value);
        let ty = value.ty;
        let TyKind::Struct(path, _) = *ty.kind() else { return self.wrong(span) };
        let Some((sig, _)) = self.struct_fields(path) else { return self.wrong(span) };
        let arguments = self.argument_map(ty);
        let field = super::literal::replace(sig.fields[index as usize].ty, &arguments);
        self.make(ExprKind::Field(value, index), field, span)
    }

    /// `t.0`
    pub fn tuple_field(&mut self, of: &ast::Expr, index: u32, at: Span, span: Span) -> Expr {
        let value = self.value(of);
        let value = self.follow(value);
        let ty = value.ty;
        match ty.kind() {
            TyKind::Tuple(parts) => match parts.get(index as usize) {
                Some(part) => self.make(ExprKind::Field(value, index), *part, span),
                None => {
                    let shown = self.show(ty);
                    let diagnostic = self.error(codes::UNKNOWN_FIELD, at, format!("`{shown}` has no part {index}"));
                    self.fail(diagnostic, span)
                }
            },
            TyKind::Error => value,
            _ => {
                let shown = self.show(ty);
                let diagnostic = self.error(codes::UNKNOWN_FIELD, at, format!("`{shown}` is no tuple"));
                self.fail(diagnostic, span)
            }
        }
    }

    /// An index as `i64`.
    pub fn index_value(&mut self, index: Expr) -> Expr {
        let ty = self.shallow(index.ty);
        match ty.kind() {
            TyKind::Int(IntKind::I64) | TyKind::Error | TyKind::Never => index,
            TyKind::Int(_) => cast(CastKind::IntToInt, index, Ty::i64()),
            TyKind::Infer(_) if !matches!(self.table.known(ty), Known::Float) => {
                self.table.unify(ty, Ty::i64());
                index
            }
            _ => {
                let shown = self.show(ty);
                let mut diagnostic =
                    self.error(codes::MISMATCH, index.span, format!("an index must be an integer, not `{shown}`"));
                if self.is_number(ty) {
                    diagnostic = self.with_cast(diagnostic, &index, Ty::i64());
                }
                self.fail(diagnostic, index.span)
            }
        }
    }

    /// `a[i]`
    pub fn index(&mut self, of: &ast::Expr, index: &ast::Expr, span: Span) -> Expr {
        let value = self.value(of);
        if let ast::ExprKind::Range { start, end, inclusive } = &*index.kind {
            return self.slice(value, start.as_ref(), end.as_ref(), *inclusive, span);
        }
        let mut ty = self.shallow(value.ty);
        let mut value = value;
        while let Some(to) = inside(ty) {
            let to = self.shallow(to);
            let followed = match (ty.kind(), to.kind()) {
                (TyKind::Box(_), _) => true,
                // `names: *str` is where texts lie, one after the other; so it is with `*T` when `T` is a `Vec`.
                (TyKind::Pointer(_), TyKind::Str | TyKind::Vec(_) | TyKind::HashMap(..)) => false,
                _ => is_indexed(to) || inside(to).is_some_and(|to| is_indexed(self.shallow(to))),
            };
            if !followed {
                break;
            }
            let at = value.span;
            value = Expr::new(ExprKind::Deref(value), to, at);
            ty = to;
        }
        if let TyKind::HashMap(key, of) = *ty.kind() {
            return self.map_element(value, key, of, index, span);
        }
        let index = self.value(index);
        let index = self.index_value(index);
        let element = match *ty.kind() {
            TyKind::Array(of, _)
            | TyKind::Slice(of)
            | TyKind::Vec(of)
            | TyKind::Pointer(of)
            | TyKind::Reference(of) => of,
            TyKind::Str => return self.element_of_text("str_byte_at", vec![value, index], span),
            TyKind::Error => return self.wrong(span),
            TyKind::Infer(_) if matches!(self.table.known(ty), Known::Nothing) => {
                return self.undetermined(span, of.span);
            }
            _ => {
                let shown = self.show(ty);
                let diagnostic = self
                    .error(codes::NOT_INDEXABLE, span, format!("`{shown}` cannot be indexed"))
                    .with_text("only arrays, slices, `Vec`s, `HashMap`s, `str` and pointers can");
                return self.fail(diagnostic, span);
            }
        };
        if let (TyKind::Array(..) | TyKind::Vec(_), false) = (ty.kind(), is_place(&value)) {
            return self.with_place(value, |this, place| this.make(ExprKind::Index(place, index), element, span));
        }
        self.make(ExprKind::Index(value, index), element, span)
    }

    /// The place an assignment writes; `None` after a report.
    pub fn target(&mut self, e: &ast::Expr) -> Option<Expr> {
        // Writing is no use.
        let used = self.is_plain_local(e).filter(|local| self.frame().used.contains(local));
        if let ast::ExprKind::Name(name) = &*e.kind {
            match self.resolve(*name) {
                None => {
                    self.unknown_target(*name, e.span);
                    return None;
                }
                Some(Found::Binding(super::Binding::Const(_))) => {
                    let diagnostic = self.error(codes::ASSIGN_CONSTANT, e.span, format!("`{name}` is a constant"));
                    self.report(diagnostic);
                    return None;
                }
                Some(Found::Def(id)) if self.world.def(id).kind != crate::index::DefKind::Global => {
                    let constant = self.world.def(id).kind == crate::index::DefKind::Const;
                    let place = self.world.place(id);
                    let diagnostic = match constant {
                        true => self
                            .error(codes::ASSIGN_CONSTANT, e.span, format!("`{name}` is a constant"))
                            .with_label(place, "declared here")
                            .with_help("a value that changes is declared with `G`"),
                        false => self.error(
                            codes::NOT_A_PLACE,
                            e.span,
                            format!("`{name}` is a function: it cannot be assigned to"),
                        ),
                    };
                    self.report(diagnostic);
                    return None;
                }
                _ => {}
            }
        }
        let place = self.value(e);
        if used.is_none()
            && let ExprKind::Local(local) = &*place.kind
        {
            let local = *local;
            self.frame().used.remove(&local);
        }
        if self.is_error(place.ty) {
            return None;
        }
        let element = matches!(&*e.kind, ast::ExprKind::Index(..)) && self.is_element(&place);
        if !is_place(&place) && !element {
            let diagnostic =
                self.error(codes::NOT_A_PLACE, e.span, "this cannot be assigned to: it is a value, not a variable");
            self.report(diagnostic);
            return None;
        }
        Some(place)
    }

    fn is_plain_local(&self, e: &ast::Expr) -> Option<crate::hir::LocalId> {
        let ast::ExprKind::Name(name) = &*e.kind else { return None };
        let frame = self.frames.last()?;
        let found = frame.scopes.iter().rev().find_map(|scope| scope.iter().rev().find(|(other, _)| other == name))?;
        match &found.1 {
            super::Binding::Local(local) => Some(*local),
            _ => None,
        }
    }

    fn unknown_target(&mut self, name: vaisjit_syntax::Name, span: Span) {
        let known = self.diagnostics.len();
        self.unknown_name(name, span);
        if let Some(diagnostic) = self.diagnostics.get_mut(known)
            && diagnostic.code == codes::UNKNOWN_NAME
            && diagnostic.help.is_empty()
        {
            diagnostic.help.push(format!("to declare a new variable, write `{name} := ...`"));
        }
    }

    /// After the report of a target: `x = 1` of an unknown name is taken for `x := 1`.
    fn declare_instead(&mut self, known: usize, target: &ast::Expr, plain: bool, value: &ast::Expr) {
        let value_of = self.check(value, Want::Any);
        let ast::ExprKind::Name(name) = &*target.kind else { return };
        let between = self.place(Span { start: target.span.end, end: value.span.start });
        let Some(diagnostic) = self.diagnostics.get_mut(known) else { return };
        if plain && diagnostic.code == codes::UNKNOWN_NAME && diagnostic.suggestions.is_empty() && self.at.is_none() {
            diagnostic.suggestions.push(vaisjit_syntax::Suggestion { place: between, replacement: " := ".into() });
            let local = self.declare(*name, value_of.ty, target.span);
            self.frame().exempt.insert(local);
        }
    }

    /// `(a, b) = (b, a)`: the value is made first.
    fn assign_parts(&mut self, targets: &[ast::Expr], value: &ast::Expr, span: Span) -> Expr {
        let targets: Vec<Option<Expr>> = targets.iter().map(|target| self.target(target)).collect();
        let types = targets.iter().map(|place| place.as_ref().map_or(Ty::error(), |place| place.ty));
        let ty = Ty::new(TyKind::Tuple(TyList::new(&types.collect::<Vec<_>>())));
        let value = self.check_to(value, ty, Why::Assigned);
        let local = self.hidden(Name::new("{parts}"), ty, span);
        self.frame().exempt.insert(local);
        let mut statements = vec![Stmt::Let(super::bind_pattern(local, ty, self.span(span)), value)];
        for (index, place) in targets.into_iter().enumerate() {
            let Some(place) = place else { return self.wrong(span) };
            let (whole, part) = (self.local(local, span), place.ty);
            let part = self.make(ExprKind::Field(whole, index as u32), part, span);
            let assigned = match &*place.kind {
                ExprKind::Call(_, arguments) => self.set_key(arguments.clone(), part, span),
                _ => self.make(ExprKind::Assign(place, part), Ty::unit(), span),
            };
            statements.push(Stmt::Expr(assigned));
        }
        self.make(ExprKind::Block(statements, None), Ty::unit(), span)
    }

    /// `map[key] = e` and `map[key] op= e`
    fn assign_to_key(
        &mut self,
        mut arguments: Vec<Expr>,
        op: Option<(ast::BinaryOp, Span)>,
        value: &ast::Expr,
        ty: Ty,
        span: Span,
    ) -> Expr {
        let Some((op, at)) = op else {
            let value = self.check_to(value, ty, Why::Assigned);
            return self.set_key(arguments, value, span);
        };
        let mut statements = Vec::new();
        for argument in &mut arguments {
            let local = self.hidden(Name::new("{key}"), argument.ty, span);
            self.frame().exempt.insert(local);
            let kept = self.local(local, span);
            let pattern = super::bind_pattern(local, argument.ty, self.span(span));
            statements.push(Stmt::Let(pattern, std::mem::replace(argument, kept)));
        }
        let old = self.library_call("std/hashmap", "HashMap.at", arguments.clone(), span);
        let value = self.value(value);
        let combined = self.operate(op, at, old, value, span);
        let combined = self.coerce(combined, ty, Why::Assigned);
        let set = self.set_key(arguments, combined, span);
        statements.push(Stmt::Expr(set));
        self.make(ExprKind::Block(statements, None), Ty::unit(), span)
    }

    fn set_key(&mut self, mut arguments: Vec<Expr>, value: Expr, span: Span) -> Expr {
        arguments.push(value);
        self.library_call("std/hashmap", "HashMap.set", arguments, span)
    }

    /// Is it an element of a `HashMap`, which a call reads, or of a `Vec` that is bound to a hidden local first?
    fn is_element(&mut self, e: &Expr) -> bool {
        match &*e.kind {
            ExprKind::Call(Callee::Function(instance), arguments) => {
                instance.path.name == "HashMap.at" && arguments.len() == 2
            }
            ExprKind::Block(_, Some(element)) => match &*element.kind {
                ExprKind::Index(of, _) => matches!(self.shallow(of.ty).kind(), TyKind::Vec(_)),
                _ => false,
            },
            _ => false,
        }
    }

    /// `place = e` and `place op= e`
    pub fn assign(
        &mut self,
        target: &ast::Expr,
        op: Option<(ast::BinaryOp, Span)>,
        value: &ast::Expr,
        span: Span,
    ) -> Expr {
        if let (ast::ExprKind::Tuple(targets), None) = (&*target.kind, &op) {
            return self.assign_parts(targets, value, span);
        }
        let known = self.diagnostics.len();
        let Some(place) = self.target(target) else {
            self.declare_instead(known, target, op.is_none(), value);
            return self.wrong(span);
        };
        // An element of a `Vec` that is a value itself.
        let (mut before, place) = match *place.kind {
            ExprKind::Block(before, Some(element)) => (before, element),
            kind => (Vec::new(), Expr { kind: Box::new(kind), ..place }),
        };
        let assigned = self.assign_to(place, op, value, span);
        if before.is_empty() {
            return assigned;
        }
        before.push(Stmt::Expr(assigned));
        self.make(ExprKind::Block(before, None), Ty::unit(), span)
    }

    fn assign_to(&mut self, place: Expr, op: Option<(ast::BinaryOp, Span)>, value: &ast::Expr, span: Span) -> Expr {
        let ty = self.shallow(place.ty);
        if let ExprKind::Call(_, arguments) = &*place.kind {
            return self.assign_to_key(arguments.clone(), op, value, ty, span);
        }
        let Some((op, at)) = op else {
            let value = self.check_to(value, ty, Why::Assigned);
            if let Some(entry) = Self::map_entry(&place) {
                let values = entry.iter().cloned().chain([value]).collect();
                return self.library_call("std/hashmap", "HashMap.set", values, span);
            }
            return self.make(ExprKind::Assign(place, value), Ty::unit(), span);
        };
        let mut value = self.value(value);
        let shift = matches!(op, ast::BinaryOp::Shl | ast::BinaryOp::Shr);
        if let (TyKind::Infer(_), TyKind::Int(_), false) = (ty.kind(), self.shallow(value.ty).kind(), shift) {
            value = self.coerce(value, ty, Why::Assigned);
        }
        let known = self.diagnostics.len();
        let pointer = ty.pointee().is_some();
        let combined = self.operate(op, at, place.clone(), value, span);
        if self.diagnostics.len() > known || self.is_error(combined.ty) {
            return self.wrong(span);
        }
        match *combined.kind {
            ExprKind::Binary(op, left, right) if left == place && !pointer => {
                self.make(ExprKind::AssignOp(op, place, right), Ty::unit(), span)
            }
            // The value would be wider than the place, or the place is a pointer that moves.
            kind => {
                let combined = Expr { kind: Box::new(kind), ..combined };
                let value = self.coerce(combined, ty, Why::Assigned);
                self.make(ExprKind::Assign(place, value), Ty::unit(), span)
            }
        }
    }
}

/// What a pointer, reference or `Box` leads to.
pub(crate) fn inside(ty: Ty) -> Option<Ty> {
    match *ty.kind() {
        TyKind::Box(to) => Some(to),
        _ => ty.pointee(),
    }
}

/// Does an index take an element of a value of the type, pointers apart?
fn is_indexed(ty: Ty) -> bool {
    matches!(ty.kind(), TyKind::Array(..) | TyKind::Slice(_) | TyKind::Vec(_) | TyKind::HashMap(..) | TyKind::Str)
}
