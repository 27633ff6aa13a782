//! Names: what they stand for, and what to say when they stand for nothing.

use std::sync::Arc;

use vaisjit_syntax::{Diagnostic, Name, Span, ast};

use super::builtin::is_builtin;
use super::{Binding, Checker, Want};
use crate::codes;
use crate::hir::{CFunction, Callee, Expr, ExprKind, LocalId};
use crate::index::{DefId, DefKind};
use crate::interface::{Abi, FnSig, Interface};
use crate::types::{Instance, Ty, TyKind, TyList};
use crate::walk;
use crate::world::{Dep, Value};

/// What a bare name stands for.
pub(crate) enum Found {
    Binding(Binding),
    /// A field of the receiver, by number.
    OwnField(u32),
    Def(DefId),
    Variant(DefId, u32),
    /// An operation of the compiler's own.
    Builtin,
    /// A host function without declaration.
    Host,
}

impl<'a> Checker<'_, 'a> {
    pub fn resolve(&mut self, name: Name) -> Option<Found> {
        if let Some(binding) = self.binding(name) {
            return Some(Found::Binding(binding));
        }
        if let Some(index) = self.own_field(name) {
            return Some(Found::OwnField(index));
        }
        let found = self.world.value(self.scope.module, name);
        let from_prelude = |value: Value| match value {
            Value::Def(id) | Value::Variant(id, _) => Some(id.module) == self.world.prelude,
        };
        match found {
            Some(value) if from_prelude(value) && is_builtin(name) => Some(Found::Builtin),
            // What the host has registered wins over C functions of the same name.
            Some(Value::Def(id))
                if from_prelude(Value::Def(id))
                    && self.world.def(id).kind == DefKind::C
                    && self.world.input.host.contains_key(&name) =>
            {
                Some(Found::Host)
            }
            Some(Value::Def(id)) => Some(Found::Def(id)),
            Some(Value::Variant(id, number)) => Some(Found::Variant(id, number)),
            None if is_builtin(name) || self.is_library_operation(name) => Some(Found::Builtin),
            None if self.world.input.host.contains_key(&name) => Some(Found::Host),
            None => None,
        }
    }

    /// The local binding of a name; a local of a function around this closure is captured.
    pub fn binding(&mut self, name: Name) -> Option<Binding> {
        let (depth, binding) = self.frames.iter().enumerate().rev().find_map(|(depth, frame)| {
            let mut scopes = frame.scopes.iter().rev();
            let found = scopes.find_map(|scope| scope.iter().rev().find(|(other, _)| *other == name))?;
            Some((depth, found.1.clone()))
        })?;
        let Binding::Local(mut local) = binding else { return Some(binding) };
        self.frames[depth].used.insert(local);
        for inner in depth + 1..self.frames.len() {
            local = self.capture(inner, local);
        }
        Some(Binding::Local(local))
    }

    fn capture(&mut self, depth: usize, outer: LocalId) -> LocalId {
        if let Some((_, inner)) = self.frames[depth].captures.iter().find(|(known, _)| *known == outer) {
            return *inner;
        }
        let copy = self.frames[depth - 1].locals[outer].clone();
        let frame = &mut self.frames[depth];
        let inner = frame.locals.alloc(crate::hir::Local { address_taken: false, ..copy });
        frame.used.insert(inner);
        frame.captures.push((outer, inner));
        inner
    }

    fn own_field(&mut self, name: Name) -> Option<u32> {
        self.receiver?;
        let TyKind::Struct(path, _) = *self.scope.self_ty?.kind() else { return None };
        let (sig, _) = self.struct_fields(path)?;
        sig.fields.iter().position(|field| field.name == name).map(|index| index as u32)
    }

    /// The receiver, as the local that holds it.
    pub fn receiver_value(&mut self, span: Span) -> Option<Expr> {
        self.receiver?;
        match self.binding(Name::new("self"))? {
            Binding::Local(local) => Some(self.local(local, span)),
            _ => None,
        }
    }

    /// `self` of a number, a `bool` or a `str` is the value, also when the method takes it by reference.
    fn plain_receiver(&mut self, receiver: Expr) -> Expr {
        let ty = self.shallow(receiver.ty);
        match ty.kind() {
            &TyKind::Reference(to) if self.receiver.is_some() && is_plain(self.shallow(to)) => {
                let span = receiver.span;
                Expr::new(ExprKind::Deref(receiver), to, span)
            }
            _ => receiver,
        }
    }

    /// A bare name as a value.
    pub fn name(&mut self, name: Name, span: Span, want: Want) -> Expr {
        let Some(found) = self.resolve(name) else {
            return match self.foreign_name(name, span, want) {
                Some(reported) => reported,
                None => self.unknown_name(name, span),
            };
        };
        if let Found::Def(_) = found {
            self.refuse_ambiguous(name, span);
        }
        match found {
            Found::Binding(Binding::Local(local)) => {
                let value = self.local(local, span);
                if name == "self" { self.plain_receiver(value) } else { value }
            }
            Found::Binding(Binding::Const(value)) => self.placed(&value, span),
            Found::Binding(Binding::Global(path, ty)) => self.make(ExprKind::Global(path), ty, span),
            Found::OwnField(index) => match self.receiver_value(span) {
                Some(this) => self.field_of(this, index, span),
                None => self.wrong(span),
            },
            Found::Def(id) => self.definition(id, name, span),
            Found::Variant(id, number) => self.variant_value(id, number, name, span, want),
            Found::Builtin if self.recovering => self.wrong(span),
            Found::Builtin => {
                let diagnostic = self.error(codes::NOT_A_VALUE, span, format!("`{name}` can only be called"));
                self.fail(diagnostic, span)
            }
            Found::Host => match self.host_signature(name) {
                Some(sig) => self.function_value(Callee::Host(name), &sig, span),
                None => self.wrong(span),
            },
        }
    }

    /// Reports a name that two imports give.
    pub fn refuse_ambiguous(&mut self, name: Name, span: Span) {
        if let Some((one, other)) = self.world.ambiguous(self.scope.module, name) {
            let diagnostic = self
                .error(codes::DUPLICATE, span, format!("`{name}` comes from both `{one}` and `{other}`"))
                .with_help(format!("say which is meant: `{one}.{name}`"));
            self.report(diagnostic);
        }
    }

    /// A constant's value, as if written at `span`.
    pub fn placed(&mut self, value: &Expr, span: Span) -> Expr {
        let mut value = value.clone();
        let span = self.span(span);
        super::finish::each(&mut value, &mut |part| part.span = span);
        value
    }

    /// A declared item as a value.
    pub fn definition(&mut self, id: DefId, name: Name, span: Span) -> Expr {
        let path = self.world.def(id).path;
        match self.world.interface(id) {
            Some(Interface::Function(sig)) => {
                if !sig.generics.is_empty() {
                    let message = format!("the generic function `{name}` needs type arguments to be a value");
                    let diagnostic = self.error(codes::UNDETERMINED, span, message);
                    return self.fail(diagnostic, span);
                }
                let callee = self.callee(id, &sig, TyList::EMPTY);
                self.function_value(callee, &sig, span)
            }
            Some(Interface::Const(sig)) => self.placed(&sig.value.clone(), span),
            Some(Interface::Global(ty)) => self.make(ExprKind::Global(path), ty, span),
            Some(_) => self.wrong(span),
            None => {
                let kind = self.world.def(id).kind;
                let diagnostic = match kind {
                    DefKind::Const => {
                        self.error(codes::CIRCLE, span, format!("the constant `{name}` is defined by itself"))
                    }
                    DefKind::Global => {
                        self.error(codes::CIRCLE, span, format!("the type of `{name}` depends on itself"))
                    }
                    _ => self.recursive_result(id, name, span),
                };
                self.fail(diagnostic, span)
            }
        }
    }

    /// The message for a function whose result type depends on itself.
    pub fn recursive_result(&mut self, id: DefId, name: Name, span: Span) -> Diagnostic {
        self.error(codes::RECURSIVE_RESULT, span, format!("the result type of `{name}` depends on itself"))
            .with_label(self.world.place(id), "it is declared without a result type")
            .with_help("write the result type: `-> i64`")
    }

    /// How a function is called.
    pub fn callee(&mut self, id: DefId, sig: &FnSig, arguments: TyList) -> Callee {
        let def = self.world.def(id);
        let path = def.path;
        match sig.abi {
            Abi::Program => Callee::Function(Instance { path, arguments }),
            Abi::Host => Callee::Host(path.name),
            Abi::C => {
                Callee::C(CFunction { symbol: path.name, fixed: sig.variadic.then_some(sig.params.len() as u32) })
            }
        }
    }

    fn function_value(&mut self, callee: Callee, sig: &FnSig, span: Span) -> Expr {
        let params: Vec<Ty> = sig.params.iter().map(|param| param.ty).collect();
        let ty = Ty::new(TyKind::Function(TyList::new(&params), sig.result));
        self.make(ExprKind::Function(callee), ty, span)
    }

    /// The signature of a host function that is in the table only.
    pub fn host_signature(&mut self, name: Name) -> Option<Arc<FnSig>> {
        self.world.reads(Dep::Name(name));
        let declaration = self.world.input.host.get(&name)?;
        let function = declaration.function.clone();
        let params = function.params.iter().map(|param| crate::interface::ParamSig {
            name: param.name.name,
            ty: param.ty.as_ref().map_or(Ty::error(), |ty| self.lower(ty)),
            default: None,
            was: None,
        });
        let params = params.collect();
        let result = function.result.as_ref().map_or(Ty::unit(), |ty| self.lower(ty));
        Some(Arc::new(FnSig {
            abi: Abi::Host,
            generics: Vec::new(),
            outer: 0,
            receiver: None,
            self_ty: None,
            params,
            variadic: false,
            result,
            addresses: false,
        }))
    }

    /// Reports a name that stands for nothing.
    pub fn unknown_name(&mut self, name: Name, span: Span) -> Expr {
        if self.recovering || self.world.has_failed_import(self.scope.module, name) {
            return self.wrong(span);
        }
        if name == "self" {
            let diagnostic = self
                .error(codes::NO_SELF, span, "there is no `self` here")
                .with_help("a method takes it as its first parameter: `F name(&self)`");
            return self.fail(diagnostic, span);
        }
        if self.reported.contains(&name) {
            self.unknown_again(name, span);
            return self.wrong(span);
        }
        // In a method of an unknown type the names may be its fields.
        if self.receiver.is_some() && self.scope.self_ty == Some(Ty::error()) && !self.is_sketch() {
            return self.wrong(span);
        }
        self.reported.push(name);
        if self.declaring == Some(name) {
            // Most often the next statement stands on the same line and continues this one.
            self.recovering = true;
            let diagnostic = self
                .error(codes::USED_BEFORE, span, format!("`{name}` is used in its own value"))
                .with_help("a `(`, `[` or operator on the same line continues a statement: begin a new line");
            return self.fail(diagnostic, span);
        }
        let later = self.tree.and_then(|tree| walk::declaration(tree, name));
        if let Some(declared) = later {
            let place = self.place(declared);
            let before = span.start < declared.start;
            let (message, label) = match before {
                true => (format!("`{name}` is used before it is declared"), "declared only here"),
                false => (format!("`{name}` is not in scope here"), "it is declared here, in another block"),
            };
            let diagnostic = self.error(codes::USED_BEFORE, span, message).with_label(place, label);
            return self.fail(diagnostic, span);
        }
        if self.world.ty(self.scope.module, name).is_some() || crate::lower::builtin_type(name.as_str()).is_some() {
            let diagnostic = self.error(codes::NOT_A_VALUE, span, format!("`{name}` is a type, not a value"));
            return self.fail(diagnostic, span);
        }
        if self.world.module_named(self.scope.module, name).is_some() {
            let diagnostic = self
                .error(codes::NOT_A_VALUE, span, format!("`{name}` is a module, not a value"))
                .with_help(format!("name something in it: `{name}.x`"));
            return self.fail(diagnostic, span);
        }
        if let Some(what) = vaisjit_syntax::left_out_name(name.as_str()) {
            let diagnostic = self
                .error(vaisjit_syntax::codes::LEFT_OUT, span, format!("this language has no {what}"))
                .with_text("left out on purpose")
                .with_help(vaisjit_syntax::LEFT_OUT_HELP);
            return self.fail(diagnostic, span);
        }
        let diagnostic = self.error(codes::UNKNOWN_NAME, span, format!("there is no `{name}` here"));
        let diagnostic = match self.with_output(diagnostic.clone(), name) {
            Some(diagnostic) => diagnostic,
            None => self.did_you_mean(diagnostic, name, span),
        };
        self.fail(diagnostic, span)
    }

    /// Adds the nearest known name to a message.
    pub fn did_you_mean(&mut self, diagnostic: Diagnostic, name: Name, span: Span) -> Diagnostic {
        let mut names: Vec<Name> =
            self.frames.iter().flat_map(|frame| frame.scopes.iter().flatten().map(|(name, _)| *name)).collect();
        names.extend(self.world.value_names(self.scope.module));
        names.extend(super::builtin::NAMES.iter().map(|name| Name::new(name)));
        // A module is nothing by itself.
        if self.tree.is_some_and(|tree| walk::is_before_dot(tree, span)) {
            names.extend(self.world.module_names(self.scope.module));
        }
        if let (Some(_), Some(this)) = (self.receiver, self.scope.self_ty)
            && let TyKind::Struct(path, _) = *this.kind()
            && let Some((sig, _)) = self.struct_fields(path)
        {
            names.extend(sig.fields.iter().map(|field| field.name));
        }
        self.with_nearest(diagnostic, name, span, names)
    }

    /// `f<T>` as a value.
    pub fn generic_value(&mut self, ident: ast::Ident, types: &[ast::Type], span: Span, want: Want) -> Expr {
        let arguments: Vec<Ty> = types.iter().map(|ty| self.lower(ty)).collect();
        match self.resolve(ident.name) {
            Some(Found::Def(id)) => match self.world.interface(id) {
                Some(Interface::Function(sig)) if sig.generics.len() == arguments.len() => {
                    let map: Vec<(Name, Ty)> =
                        sig.generics.iter().map(|g| g.name).zip(arguments.iter().copied()).collect();
                    let callee = self.callee(id, &sig, TyList::new(&arguments));
                    let params: Vec<Ty> = sig.params.iter().map(|p| super::literal::replace(p.ty, &map)).collect();
                    let result = super::literal::replace(sig.result, &map);
                    let ty = Ty::new(TyKind::Function(TyList::new(&params), result));
                    self.make(ExprKind::Function(callee), ty, span)
                }
                _ => self.name(ident.name, span, want),
            },
            _ => self.name(ident.name, span, want),
        }
    }
}

/// Is this a number, a `bool` or a `str`?
fn is_plain(ty: Ty) -> bool {
    matches!(ty.kind(), TyKind::Int(_) | TyKind::Float(_) | TyKind::Bool | TyKind::Str)
}
