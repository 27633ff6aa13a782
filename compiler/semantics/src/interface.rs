//! Interfaces: what of a declaration the rest of the program can see. A body is checked again only when an interface
//! it read has changed.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use vaisjit_syntax::ast::{self, ItemKind};
use vaisjit_syntax::{Diagnostic, ItemId, Name, Place};

use crate::attributes::{reserve, was};
use crate::check::Checker;
use crate::codes;
use crate::hir;
use crate::index::{DefId, DefKind};
use crate::lower::{TypeScope, lower_type};
use crate::types::{ItemPath, Ty, TyKind, TyList};
use crate::world::{Dep, World};

/// A cached interface.
#[derive(Debug)]
pub(crate) struct Entry {
    pub interface: Interface,
    pub diagnostics: Vec<Diagnostic>,
    pub deps: Box<[Dep]>,
}

/// What a declaration shows to others. Equality ignores spans.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Interface {
    Function(Arc<FnSig>),
    Struct(Arc<StructSig>),
    Enum(Arc<EnumSig>),
    Const(Arc<ConstSig>),
    Global(Ty),
    Alias(Arc<AliasSig>),
    Trait(Arc<TraitSig>),
    Impl(Arc<ImplSig>),
    Error,
}

/// How a function is called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Abi {
    Program,
    C,
    Host,
}

/// A generic parameter and the traits it must implement.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct GenericSig {
    pub name: Name,
    pub bounds: Vec<ItemPath>,
    /// How many bounds are written, unknown ones included.
    pub written: usize,
}

/// A parameter.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct ParamSig {
    pub name: Name,
    pub ty: Ty,
    pub default: Option<ast::Expr>,
    /// Of a field: its name before.
    pub was: Option<Name>,
}

/// A function's types; `Ty::Param` stands for its generic parameters and those of its impl.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct FnSig {
    pub abi: Abi,
    /// The impl's first; for a trait's default method `Self` first of all.
    pub generics: Vec<GenericSig>,
    /// How many of `generics` come from the impl or trait.
    pub outer: usize,
    pub receiver: Option<ast::ReceiverKind>,
    pub self_ty: Option<Ty>,
    /// Without the receiver.
    pub params: Vec<ParamSig>,
    pub variadic: bool,
    pub result: Ty,
    /// Pointers and addresses convert freely: the prelude's C functions take plain addresses.
    pub addresses: bool,
}

/// A struct's fields.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct StructSig {
    pub generics: Vec<GenericSig>,
    pub fields: Vec<ParamSig>,
    pub repr_c: bool,
    pub was: Option<Name>,
    pub reserve: u32,
}

/// An enum's variants.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct EnumSig {
    pub generics: Vec<GenericSig>,
    pub variants: Vec<VariantSig>,
    pub was: Option<Name>,
    pub reserve: u32,
}

/// A variant.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct VariantSig {
    pub name: Name,
    pub fields: Vec<ParamSig>,
    pub was: Option<Name>,
    /// Written with braces.
    pub named: bool,
}

/// A constant with its value, a tree without names.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct ConstSig {
    pub value: hir::Expr,
}

/// An alias.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct AliasSig {
    pub params: Vec<Name>,
    pub ty: Ty,
}

/// A trait.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct TraitSig {
    pub supertraits: Vec<ItemPath>,
    /// Name of each method and whether it has a body.
    pub methods: Vec<(Name, bool)>,
}

/// The head of an impl.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct ImplSig {
    pub generics: Vec<GenericSig>,
    pub target: Ty,
    pub of_trait: Option<ItemPath>,
    /// What the trait's own parameters stand for.
    pub trait_arguments: Vec<Ty>,
}

/// Makes the interface of a declaration.
pub(crate) fn make(world: &World<'_>, id: DefId) -> (Interface, Vec<Diagnostic>) {
    let mut maker = Maker { world, id, item: world.item_id(id), diagnostics: Vec::new() };
    let interface = maker.interface();
    (interface, maker.diagnostics)
}

struct Maker<'w, 'a> {
    world: &'w World<'a>,
    id: DefId,
    item: ItemId,
    diagnostics: Vec<Diagnostic>,
}

impl Maker<'_, '_> {
    fn interface(&mut self) -> Interface {
        let item = self.world.item(self.id);
        match (self.world.def(self.id).kind, &item.kind) {
            (DefKind::Struct, ItemKind::Struct(def)) => {
                let (scope, generics) = self.generics(&def.generics, None);
                let fields = self.fields(&def.fields, &scope);
                let repr_c = item.attributes.iter().any(|a| a.name.name == "repr");
                self.contains_itself("struct", def.name.name, def.fields.iter().map(|field| &field.ty));
                let (was, reserve) = (was(&item.attributes), reserve(&item.attributes));
                Interface::Struct(Arc::new(StructSig { generics, fields, repr_c, was, reserve }))
            }
            (DefKind::Enum, ItemKind::Enum(def)) => self.enumeration(def),
            (DefKind::Trait, ItemKind::Trait(def)) => {
                let supertraits: Vec<ItemPath> =
                    def.supertraits.iter().filter_map(|ty| self.trait_path(ty, true)).collect();
                self.trait_mistakes(def, &supertraits);
                let methods = def.methods.iter().map(|m| (m.name.name, m.body.is_some())).collect();
                Interface::Trait(Arc::new(TraitSig { supertraits, methods }))
            }
            (DefKind::Alias, ItemKind::Alias(def)) => {
                let (scope, generics) = self.generics(&def.generics, None);
                let ty = self.lower(&def.ty, &scope);
                Interface::Alias(Arc::new(AliasSig { params: generics.iter().map(|g| g.name).collect(), ty }))
            }
            (DefKind::Impl, ItemKind::Impl(def)) => {
                let sig = self.implementation(def, true);
                Interface::Impl(Arc::new(sig))
            }
            (DefKind::Const, ItemKind::Const(def)) => self.constant(def),
            (DefKind::Global, ItemKind::Global(def)) => self.global(def),
            (
                DefKind::Function | DefKind::C | DefKind::Host | DefKind::Method { .. } | DefKind::TraitMethod { .. },
                _,
            ) => match self.world.function(self.id) {
                Some(function) => self.function(function),
                None => Interface::Error,
            },
            _ => Interface::Error,
        }
    }

    /// Methods declared twice, and a trait above itself.
    fn trait_mistakes(&mut self, def: &ast::Trait, supertraits: &[ItemPath]) {
        for (index, method) in def.methods.iter().enumerate() {
            let name = method.name.name;
            if let Some(first) = def.methods[..index].iter().find(|other| other.name.name == name) {
                let place = Place::item(self.item, method.name.span);
                let message = format!("the method `{name}` is declared twice");
                let diagnostic = Diagnostic::error(codes::DUPLICATE, place, message)
                    .with_label(Place::item(self.item, first.name.span), "first here");
                self.diagnostics.push(diagnostic);
            }
        }
        let own = self.world.def(self.id).path;
        let mut above = supertraits.to_vec();
        let mut next = 0;
        while let Some(path) = above.get(next).copied().filter(|path| *path != own) {
            next += 1;
            let Some(id) = self.world.find(path) else { continue };
            let ItemKind::Trait(other) = &self.world.item(id).kind else { continue };
            self.world.reads(Dep::Def(path));
            for name in other.supertraits.iter().map(crate::index::head_name) {
                let found = self.world.ty(id.module, name).map(|id| self.world.def(id).path);
                above.extend(found.filter(|path| !above.contains(path)));
            }
        }
        if above.contains(&own) {
            let place = Place::item(self.item, def.name.span);
            let message = format!("the trait `{}` is above itself", def.name.name);
            self.diagnostics.push(Diagnostic::error(codes::CIRCLE, place, message));
        }
    }

    fn lower(&mut self, ty: &ast::Type, scope: &TypeScope) -> Ty {
        lower_type(self.world, scope, ty, &mut self.diagnostics)
    }

    fn scope(&self) -> TypeScope {
        TypeScope::new(self.id.module, self.item)
    }

    /// The scope of a declaration's generic parameters and their bounds.
    fn generics(
        &mut self,
        generics: &ast::Generics,
        outer: Option<(TypeScope, Vec<GenericSig>)>,
    ) -> (TypeScope, Vec<GenericSig>) {
        let (mut scope, mut sigs) = outer.unwrap_or_else(|| (self.scope(), Vec::new()));
        for (index, param) in generics.params.iter().enumerate() {
            if generics.params[..index].iter().any(|other| other.name.name == param.name.name) {
                let place = Place::item(self.item, param.name.span);
                let message = format!("the type parameter `{}` is declared twice", param.name.name);
                self.diagnostics.push(Diagnostic::error(codes::DUPLICATE, place, message));
                continue;
            }
            scope.generics.insert(param.name.name, Ty::new(TyKind::Param(param.name.name)));
            let bounds = param.bounds.iter().filter_map(|bound| self.trait_path(bound, false)).collect();
            sigs.push(GenericSig { name: param.name.name, bounds, written: param.bounds.len() });
        }
        for bound in &generics.bounds {
            let ty = self.lower(&bound.ty, &scope);
            let paths: Vec<ItemPath> = bound.bounds.iter().filter_map(|bound| self.trait_path(bound, false)).collect();
            if let TyKind::Param(name) = *ty.kind()
                && let Some(sig) = sigs.iter_mut().find(|sig| sig.name == name)
            {
                sig.bounds.extend(paths);
                sig.written += bound.bounds.len();
            }
        }
        (scope, sigs)
    }

    /// The trait a type expression names; an unknown one is an error where it must exist, else a warning.
    fn trait_path(&mut self, ty: &ast::Type, required: bool) -> Option<ItemPath> {
        let ast::TypeKind::Path(path) = &ty.kind else { return None };
        let ident = path.segments.last()?;
        let module = match path.segments.len() {
            1 => None,
            n => self.world.module_named(self.id.module, path.segments[n - 2].name),
        };
        let found = match module {
            Some(module) => self.world.own_type(module, ident.name),
            None => self.world.ty(self.id.module, ident.name),
        };
        if let Some(id) = found.filter(|id| self.world.def(*id).kind == DefKind::Trait) {
            return Some(self.world.def(id).path);
        }
        let place = Place::item(self.item, ident.span);
        let message = format!("there is no trait `{}`", ident.name);
        let diagnostic = match required {
            true => {
                let diagnostic = Diagnostic::error(codes::UNKNOWN_TRAIT, place, message);
                crate::check::hints::did_you_mean(diagnostic, ident.name, place, self.world.trait_names(self.id.module))
            }
            false => Diagnostic::warning(codes::UNKNOWN_TRAIT, place, message).with_text("this bound is ignored"),
        };
        self.diagnostics.push(diagnostic);
        None
    }

    fn fields(&mut self, fields: &[ast::Field], scope: &TypeScope) -> Vec<ParamSig> {
        let mut seen: FxHashMap<Name, ast::Ident> = FxHashMap::default();
        let mut sigs = Vec::new();
        for field in fields {
            let ty = self.lower(&field.ty, scope);
            if let Some(first) = seen.insert(field.name.name, field.name) {
                let name = field.name.name;
                let place = Place::item(self.item, field.name.span);
                let diagnostic =
                    Diagnostic::error(codes::DUPLICATE, place, format!("the field `{name}` is declared twice"))
                        .with_label(Place::item(self.item, first.span), "first here");
                self.diagnostics.push(diagnostic);
            } else {
                let was = was(&field.attributes);
                sigs.push(ParamSig { name: field.name.name, ty, default: field.default.clone(), was });
            }
        }
        sigs
    }

    fn enumeration(&mut self, def: &ast::Enum) -> Interface {
        let (scope, generics) = self.generics(&def.generics, None);
        let mut seen: FxHashMap<Name, ast::Ident> = FxHashMap::default();
        let mut variants = Vec::new();
        for variant in &def.variants {
            if let Some(first) = seen.insert(variant.name.name, variant.name) {
                let place = Place::item(self.item, variant.name.span);
                let message = format!("the variant `{}` is declared twice", variant.name.name);
                let diagnostic = Diagnostic::error(codes::DUPLICATE, place, message)
                    .with_label(Place::item(self.item, first.span), "first here");
                self.diagnostics.push(diagnostic);
                continue;
            }
            let (fields, named) = match &variant.payload {
                ast::Payload::Unit => (Vec::new(), false),
                ast::Payload::Tuple(types) => {
                    let field = |(i, ty): (usize, &ast::Type)| ParamSig {
                        name: Name::new(&i.to_string()),
                        ty: self.lower(ty, &scope),
                        default: None,
                        was: None,
                    };
                    (types.iter().enumerate().map(field).collect(), false)
                }
                ast::Payload::Struct(fields) => (self.fields(fields, &scope), true),
            };
            let was = was(&variant.attributes);
            variants.push(VariantSig { name: variant.name.name, fields, was, named });
        }
        self.contains_itself("enum", def.name.name, parts_of(&self.world.item(self.id).kind).into_iter());
        let attributes = &self.world.item(self.id).attributes;
        let (was, reserve) = (was(attributes), reserve(attributes));
        Interface::Enum(Arc::new(EnumSig { generics, variants, was, reserve }))
    }

    fn implementation(&mut self, def: &ast::Impl, report: bool) -> ImplSig {
        let known = self.diagnostics.len();
        let adopted = self.adopted_generics(def);
        let (mut scope, mut generics) = self.generics(&def.generics, Some(adopted));
        let target = match self.bare_generic_target(def, &mut scope, &mut generics) {
            Some(target) => target,
            None => self.lower(&def.target, &scope),
        };
        let of_trait = def.of_trait.as_ref().and_then(|ty| self.trait_path(ty, true));
        let trait_arguments = match def.of_trait.as_ref().map(|ty| &ty.kind) {
            Some(ast::TypeKind::Path(path)) => path.arguments.iter().map(|ty| self.lower(ty, &scope)).collect(),
            _ => Vec::new(),
        };
        if !report {
            self.diagnostics.truncate(known);
        }
        ImplSig { generics, target, of_trait, trait_arguments }
    }

    /// `X Pair<A, B> { ... }` without a list after the `X`: arguments that are the type's own parameters, or one letter
    /// that names no type, are the impl's parameters.
    fn adopted_generics(&mut self, def: &ast::Impl) -> (TypeScope, Vec<GenericSig>) {
        let mut scope = self.scope();
        let mut sigs = Vec::new();
        let ast::TypeKind::Path(path) = &def.target.kind else { return (scope, sigs) };
        let Some(head) = path.segments.last().and_then(|head| self.world.ty(self.id.module, head.name)) else {
            return (scope, sigs);
        };
        let params = declared_generics(self.world, head).unwrap_or_default();
        for argument in &path.arguments {
            let ast::TypeKind::Path(argument) = &argument.kind else { continue };
            let [ident] = &argument.segments[..] else { continue };
            let name = ident.name;
            let declared = def.generics.params.iter().any(|param| param.name.name == name);
            let known = self.world.ty(self.id.module, name).is_some() || crate::lower::builtin_type(&name).is_some();
            if declared || known || !argument.arguments.is_empty() || !params.contains(&name) && name.len() > 1 {
                continue;
            }
            if scope.generics.insert(name, Ty::new(TyKind::Param(name))).is_none() {
                sigs.push(GenericSig { name, bounds: Vec::new(), written: 0 });
            }
        }
        (scope, sigs)
    }

    /// `X Pair { ... }` of a generic struct: the parameters are those of the struct.
    fn bare_generic_target(
        &mut self,
        def: &ast::Impl,
        scope: &mut TypeScope,
        generics: &mut Vec<GenericSig>,
    ) -> Option<Ty> {
        let ast::TypeKind::Path(path) = &def.target.kind else { return None };
        if !path.arguments.is_empty() || path.segments.len() != 1 {
            return None;
        }
        let id = self.world.ty(self.id.module, path.segments[0].name)?;
        let params = declared_generics(self.world, id)?;
        if params.is_empty() {
            return None;
        }
        let mut arguments = Vec::new();
        for param in params {
            let ty = Ty::new(TyKind::Param(param));
            scope.generics.insert(param, ty);
            if !generics.iter().any(|sig| sig.name == param) {
                generics.push(GenericSig { name: param, bounds: Vec::new(), written: 0 });
            }
            arguments.push(ty);
        }
        let path = self.world.def(id).path;
        Some(match self.world.def(id).kind {
            DefKind::Struct => Ty::new(TyKind::Struct(path, TyList::new(&arguments))),
            _ => Ty::new(TyKind::Enum(path, TyList::new(&arguments))),
        })
    }

    fn constant(&mut self, def: &ast::Const) -> Interface {
        let scope = self.scope();
        let ty = def.ty.as_ref().map(|ty| self.lower(ty, &scope));
        let (value, diagnostics) = Checker::constant(self.world, &scope, &def.value, ty, &[]);
        self.diagnostics.extend(diagnostics);
        Interface::Const(Arc::new(ConstSig { value }))
    }

    fn global(&mut self, def: &ast::Global) -> Interface {
        let scope = self.scope();
        if let Some(ty) = &def.ty {
            return Interface::Global(self.lower(ty, &scope));
        }
        let Some(_) = &def.value else {
            let place = Place::item(self.item, def.name.span);
            let message = format!("the global `{}` has neither a type nor a value", def.name.name);
            let help = format!("write `G {}: i64`, or give it a value", def.name.name);
            self.diagnostics.push(Diagnostic::error(codes::UNDETERMINED, place, message).with_help(help));
            return Interface::Error;
        };
        Interface::Global(crate::bodies::inferred_result(self.world, self.id))
    }

    /// The scope in which a function's types are read: its own generic parameters and those around it, and `Self`.
    fn function_scope(&mut self, function: &ast::Function) -> (TypeScope, Vec<GenericSig>, usize) {
        let mut scope = self.scope();
        let mut outer = Vec::new();
        let owner = match self.world.def(self.id).kind {
            DefKind::Method { owner } | DefKind::TraitMethod { owner } => {
                Some(DefId { module: self.id.module, index: owner })
            }
            _ => None,
        };
        if let Some(owner) = owner {
            match &self.world.item(owner).kind {
                ItemKind::Impl(def) => {
                    let sig = self.implementation(def, false);
                    scope.self_ty = Some(sig.target);
                    outer = sig.generics;
                }
                ItemKind::Struct(ast::Struct { generics, .. }) | ItemKind::Enum(ast::Enum { generics, .. }) => {
                    let known = self.diagnostics.len();
                    outer = self.generics(generics, None).1;
                    self.diagnostics.truncate(known);
                    let arguments: Vec<Ty> = outer.iter().map(|g| Ty::new(TyKind::Param(g.name))).collect();
                    let path = self.world.def(owner).path;
                    let arguments = TyList::new(&arguments);
                    scope.self_ty = Some(match self.world.def(owner).kind {
                        DefKind::Struct => Ty::new(TyKind::Struct(path, arguments)),
                        _ => Ty::new(TyKind::Enum(path, arguments)),
                    });
                }
                ItemKind::Trait(def) => {
                    let this = Name::new("Self");
                    outer.push(GenericSig { name: this, bounds: vec![self.world.def(owner).path], written: 1 });
                    let known = self.diagnostics.len();
                    outer.extend(self.generics(&def.generics, None).1);
                    self.diagnostics.truncate(known);
                    scope.self_ty = Some(Ty::new(TyKind::Param(this)));
                }
                _ => {}
            }
        }
        for sig in &outer {
            scope.generics.insert(sig.name, Ty::new(TyKind::Param(sig.name)));
        }
        let count = outer.len();
        let (scope, generics) = self.generics(&function.generics, Some((scope, outer)));
        (scope, generics, count)
    }

    fn function(&mut self, function: &ast::Function) -> Interface {
        let (scope, generics, outer) = self.function_scope(function);
        let kind = self.world.def(self.id).kind;
        let abi = match kind {
            DefKind::C => Abi::C,
            DefKind::Host => Abi::Host,
            _ => Abi::Program,
        };
        if abi != Abi::Program
            && let Some(first) = function.generics.params.first()
            && !crate::check::is_library(self.world.input.modules[self.id.module as usize].name)
        {
            let place = Place::item(self.item, first.name.span);
            let message = "a function of C or of the host cannot be generic";
            self.diagnostics.push(Diagnostic::error(codes::TYPE_ARGUMENTS, place, message));
        }
        if let Some(receiver) = function.receiver.filter(|_| scope.self_ty.is_none()) {
            let place = Place::item(self.item, receiver.span);
            let diagnostic = Diagnostic::error(codes::NO_SELF, place, "only a method has a `self`")
                .with_help("write it into a struct, or into `X Type { ... }`");
            self.diagnostics.push(diagnostic);
        }
        let mut params = Vec::new();
        for (index, param) in function.params.iter().enumerate() {
            let ty = match &param.ty {
                Some(ty) => self.lower(ty, &scope),
                None if abi != Abi::Program => Ty::error(),
                None => {
                    let (ty, diagnostics) = crate::bodies::inferred_parameter(self.world, self.id, index);
                    self.diagnostics.extend(diagnostics);
                    ty
                }
            };
            if function.params[..index].iter().any(|other| other.name.name == param.name.name) {
                let place = Place::item(self.item, param.name.span);
                let message = format!("the parameter `{}` is declared twice", param.name.name);
                self.diagnostics.push(Diagnostic::error(codes::DUPLICATE, place, message));
            }
            self.needs_default(&function.params[..index], param);
            params.push(ParamSig { name: param.name.name, ty, default: param.default.clone(), was: None });
        }
        let mut sig = FnSig {
            abi,
            generics,
            outer,
            receiver: function.receiver.map(|receiver| receiver.kind),
            self_ty: scope.self_ty,
            params,
            variadic: function.variadic,
            result: Ty::unit(),
            addresses: abi != Abi::Program && Some(self.id.module) == self.world.prelude,
        };
        sig.result = match (&function.result, &function.body) {
            (Some(ty), _) => self.lower(ty, &scope),
            _ if self.is_head_broken(function) => Ty::error(),
            (None, Some(ast::FunctionBody::Expr(_))) if sig.generics.is_empty() => {
                crate::bodies::inferred_result(self.world, self.id)
            }
            (None, Some(ast::FunctionBody::Expr(_))) => Ty::new(TyKind::Param(Name::new("{result}"))),
            _ => Ty::unit(),
        };
        Interface::Function(Arc::new(sig))
    }

    /// After a parameter with a default every one needs one: arguments are given in order.
    fn needs_default(&mut self, before: &[ast::Param], param: &ast::Param) {
        let Some(first) = before.iter().find(|other| other.default.is_some()) else { return };
        if param.default.is_none() {
            let place = Place::item(self.item, param.name.span);
            let message = format!("the parameter `{}` needs a default, too", param.name.name);
            let diagnostic = Diagnostic::error(codes::PARAMETER_TYPE, place, message)
                .with_label(Place::item(self.item, first.name.span), "this one has a default")
                .with_help("put the parameters with defaults last");
            self.diagnostics.push(diagnostic);
        }
    }

    /// Has the parser found a mistake in the signature, so that its result may have been lost?
    fn is_head_broken(&self, function: &ast::Function) -> bool {
        let items = &self.world.input.modules[self.id.module as usize].tree.items;
        let parsed = &items[self.world.def(self.id).item as usize];
        is_head_broken(&parsed.diagnostics, function.head)
    }

    /// Refuses a struct or enum that would hold itself.
    fn contains_itself<'t>(&mut self, what: &str, name: Name, parts: impl Iterator<Item = &'t ast::Type>) {
        let path = self.world.def(self.id).path;
        for part in parts {
            let mut seen = Vec::new();
            if crate::lower::holds(self.world, self.id.module, part, path, &mut seen)
                && !seen.iter().any(|other| self.reports_instead(*other, path))
            {
                let place = Place::item(self.item, part.span);
                let message = format!("the {what} `{name}` contains itself");
                let diagnostic = Diagnostic::error(codes::RECURSIVE_TYPE, place, message)
                    .with_text("so it would be infinitely large")
                    .with_help(format!("hold it by pointer: `*{name}`"));
                self.diagnostics.push(diagnostic);
                return;
            }
        }
    }
}

impl Maker<'_, '_> {
    /// Is `other` an earlier type of the same circle, which the report names already?
    fn reports_instead(&self, other: crate::types::ItemPath, path: crate::types::ItemPath) -> bool {
        let Some(id) = self.world.find(other).filter(|id| *id < self.id) else { return false };
        let mut parts = parts_of(&self.world.item(id).kind).into_iter();
        parts.any(|part| crate::lower::holds(self.world, id.module, part, path, &mut Vec::new()))
    }
}

/// The types a struct or enum is made of.
pub(crate) fn parts_of(kind: &ItemKind) -> Vec<&ast::Type> {
    match kind {
        ItemKind::Struct(def) => def.fields.iter().map(|field| &field.ty).collect(),
        ItemKind::Enum(def) => def.variants.iter().flat_map(payload_types).collect(),
        _ => Vec::new(),
    }
}

fn payload_types(variant: &ast::Variant) -> Vec<&ast::Type> {
    match &variant.payload {
        ast::Payload::Unit => Vec::new(),
        ast::Payload::Tuple(types) => types.iter().collect(),
        ast::Payload::Struct(fields) => fields.iter().map(|field| &field.ty).collect(),
    }
}

/// Is one of an item's syntax errors in this head, other than a mere habit of another language?
pub(crate) fn is_head_broken(diagnostics: &[Diagnostic], head: vaisjit_syntax::Span) -> bool {
    use vaisjit_syntax::codes::{UNCLOSED_BRACKET, UNEXPECTED_TOKEN, UNMATCHED_BRACKET};
    diagnostics.iter().any(|found| {
        let start = found.primary.place.span.start;
        matches!(found.code, UNEXPECTED_TOKEN | UNCLOSED_BRACKET | UNMATCHED_BRACKET)
            && head.start <= start
            && start <= head.end
            && found.suggestions.is_empty()
    })
}

/// The names of a type declaration's generic parameters.
pub(crate) fn declared_generics(world: &World<'_>, id: DefId) -> Option<Vec<Name>> {
    let generics = match &world.item(id).kind {
        ItemKind::Struct(def) => &def.generics,
        ItemKind::Enum(def) => &def.generics,
        ItemKind::Alias(def) => &def.generics,
        ItemKind::Trait(def) => &def.generics,
        _ => return None,
    };
    Some(generics.params.iter().map(|param| param.name.name).collect())
}
