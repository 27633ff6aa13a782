//! Bodies as a whole: from a declaration to a checked body with what it needs and says.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use vaisjit_syntax::ast::{self, ItemKind};
use vaisjit_syntax::{Diagnostic, Name, Place};

use crate::check::{Checker, Want};
use crate::codes;
use crate::hir::{self, BodyItem};
use crate::index::{DefId, DefKind};
use crate::infer::{Known, substitute};
use crate::interface::{FnSig, Interface, ParamSig};
use crate::lower::{TypeScope, lower_type};
use crate::program::{Global, Hook, Signature};
use crate::state::BodyEntry;
use crate::types::{Instance, ItemPath, Ty, TyKind, TyList};
use crate::walk;
use crate::world::{Dep, World};

/// Checks a function; `None` when its signature needs itself.
pub(crate) fn check_instance(world: &World<'_>, id: DefId, instance: Instance) -> Option<Arc<BodyEntry>> {
    if let Some(known) = world.early.borrow().get(&instance) {
        return Some(known.clone());
    }
    let Some(Interface::Function(sig)) = world.interface(id) else { return None };
    if let Some(known) = world.early.borrow().get(&instance) {
        return Some(known.clone());
    }
    let entry = Arc::new(check_function(world, id, instance, &sig));
    world.early.borrow_mut().insert(instance, entry.clone());
    Some(entry)
}

/// What the generic parameters of a function stand for in an instance.
fn arguments_of(sig: &FnSig, instance: Instance) -> FxHashMap<Name, Ty> {
    sig.generics.iter().map(|generic| generic.name).zip(instance.arguments.iter().copied()).collect()
}

fn check_function(world: &World<'_>, id: DefId, instance: Instance, sig: &FnSig) -> BodyEntry {
    let map = arguments_of(sig, instance);
    let concrete = |ty: Ty| substitute(ty, &|name| map.get(&name).copied());
    let params: Vec<Ty> = sig.params.iter().map(|param| concrete(param.ty)).collect();
    let open = sig.result == Ty::new(TyKind::Param(Name::new("{result}")));
    let result = if open { None } else { Some(concrete(sig.result)) };
    check_body(world, id, instance, map.clone(), sig.self_ty.map(concrete), &params, &sig.params, result)
}

#[expect(clippy::too_many_arguments, reason = "the parts of a signature, some of them still unknown")]
fn check_body(
    world: &World<'_>,
    id: DefId,
    instance: Instance,
    generics: FxHashMap<Name, Ty>,
    self_ty: Option<Ty>,
    params: &[Ty],
    sigs: &[ParamSig],
    result: Option<Ty>,
) -> BodyEntry {
    world.bodies_checked.set(world.bodies_checked.get() + 1);
    let item = world.item_id(id);
    let tree = world.function(id);
    let made = world.recorded(|| {
        world.reads(Dep::Def(instance.path));
        let mut scope = TypeScope::new(id.module, item);
        scope.generics = generics;
        scope.self_ty = self_ty;
        let mut checker = Checker::new(world, scope, Ty::unit());
        let result = result.unwrap_or_else(|| checker.fresh());
        checker.frames[0].result = result;
        checker.path = Some(instance.path);
        checker.instance = Some(instance);
        checker.tree = tree;
        checker.recovering = world.has_syntax_errors(id);
        let Some(tree) = tree else { return (None, result, checker, Vec::new(), Vec::new()) };
        let locals = checker.parameters(tree, params);
        params.iter().chain([&result]).for_each(|ty| checker.check_written(*ty, tree.name.span));
        for (sig, ty) in sigs.iter().zip(params) {
            if let Some(default) = &sig.default {
                let scopes = std::mem::replace(&mut checker.frame().scopes, vec![Vec::new()]);
                let receiver = checker.receiver.take();
                checker.check_to(default, *ty, crate::check::Why::Binding(sig.name));
                checker.receiver = receiver;
                checker.frame().scopes = scopes;
            }
        }
        let value = checker.body(tree);
        let (value, types) = checker.finish_expr(value);
        if !checker.diagnostics.iter().any(Diagnostic::is_error) {
            checker.unused_locals();
        }
        let result = checker.table.resolve(result, true);
        let sketch = instance.arguments.contains(&Ty::error());
        if crate::infer::has_variables(result) && !sketch && value.ty != Ty::error() {
            checker.undetermined_type(tree.name.name, tree.name.span);
        }
        (Some(value), known_or_error(result), checker, locals, types)
    });
    let ((value, result, mut checker, locals, types), deps) = made;
    let unknown = |ty: Ty| crate::infer::has_variables(ty) || ty == Ty::error();
    let errors = checker.diagnostics.iter().any(Diagnostic::is_error)
        || unknown(result)
        || params.iter().chain(instance.arguments.iter()).any(|ty| unknown(*ty));
    let parts: Vec<Ty> = locals.iter().map(|local| checker.frames[0].locals[*local].ty).collect();
    let names = locals.iter().map(|local| checker.frames[0].locals[*local].name).collect();
    let exposed = checker.take_exposed();
    let dyns = std::mem::take(&mut checker.dyns);
    let frame = checker.frames.remove(0);
    let mut value = value;
    if let (Some(value), false) = (&mut value, errors) {
        crate::closures::renumber(world, instance, value, &mut checker.closure_bodies);
    }
    let body = value.filter(|_| !errors).map(|value| {
        Arc::new(hir::Body {
            instance,
            item: BodyItem(item),
            params: locals,
            captures: 0,
            locals: frame.locals,
            result,
            value,
            exposed,
            dyns,
        })
    });
    let Marks { hot, inline, test, hook } = attributes(world, id);
    BodyEntry {
        closures: if body.is_some() { checker.closure_bodies } else { Vec::new() },
        body,
        signature: Arc::new(Signature { names, params: parts, result }),
        head: world.head(id),
        hot,
        inline,
        test,
        hook,
        diagnostics: checker.diagnostics,
        deps,
        requests: checker.requests,
        types,
        globals: checker.globals,
    }
}

/// What a function is marked as.
struct Marks {
    hot: bool,
    inline: bool,
    test: bool,
    hook: Option<Hook>,
}

fn attributes(world: &World<'_>, id: DefId) -> Marks {
    let own = match world.def(id).kind {
        DefKind::Method { .. } | DefKind::TraitMethod { .. } => {
            world.function(id).map(|function| &function.attributes[..])
        }
        _ => None,
    };
    let item = &world.item(id).attributes[..];
    let all = || own.into_iter().flatten().chain(item);
    let has = |name: &str| all().any(|attribute| attribute.name.name == name);
    // The library's functions are never replaced.
    let library = crate::check::is_library(world.input.modules[id.module as usize].name);
    let hot = world.input.all_hot && !library || has("hot");
    let hook = item.iter().find_map(|attribute| Hook::of(&attribute.name.name)).filter(|_| own.is_none());
    Marks { hot, inline: has("inline"), test: has("test"), hook }
}

/// The result type of a function written `= expr`, or of a global's value.
pub(crate) fn inferred_result(world: &World<'_>, id: DefId) -> Ty {
    if let (DefKind::Global, ItemKind::Global(global)) = (world.def(id).kind, &world.item(id).kind) {
        let scope = TypeScope::new(id.module, world.item_id(id));
        let path = world.def(id).path;
        let place = world.place(id);
        return known_or_error(initial_value(world, &scope, path, global, None, false, place).value.ty);
    }
    let Some(tree) = world.function(id) else { return Ty::error() };
    let path = world.def(id).path;
    let instance = Instance::plain(path);
    let scope_item = world.item_id(id);
    let mut scope = TypeScope::new(id.module, scope_item);
    scope.self_ty = method_self(world, id);
    let mut params = Vec::new();
    for (index, param) in tree.params.iter().enumerate() {
        let ty = match &param.ty {
            Some(ty) => lower_type(world, &scope, ty, &mut Vec::new()),
            None => inferred_parameter(world, id, index).0,
        };
        params.push(ParamSig { name: param.name.name, ty, default: param.default.clone(), was: None });
    }
    let types: Vec<Ty> = params.iter().map(|param| param.ty).collect();
    let entry = Arc::new(check_body(world, id, instance, FxHashMap::default(), scope.self_ty, &types, &params, None));
    // The body's reads are this interface's, too.
    entry.deps.iter().for_each(|dep| world.reads(*dep));
    let result = entry.signature.result;
    world.early.borrow_mut().insert(instance, entry);
    known_or_error(result)
}

/// Variables of one body mean nothing outside of it.
fn known_or_error(ty: Ty) -> Ty {
    if crate::infer::has_variables(ty) { Ty::error() } else { ty }
}

fn method_self(world: &World<'_>, id: DefId) -> Option<Ty> {
    let owner = match world.def(id).kind {
        DefKind::Method { owner } => DefId { module: id.module, index: owner },
        _ => return None,
    };
    match &world.item(owner).kind {
        ItemKind::Impl(_) => match world.interface(owner)? {
            Interface::Impl(sig) => Some(sig.target),
            _ => None,
        },
        ItemKind::Struct(_) => Some(Ty::new(TyKind::Struct(world.def(owner).path, TyList::EMPTY))),
        _ => Some(Ty::new(TyKind::Enum(world.def(owner).path, TyList::EMPTY))),
    }
}

/// The result type of an instance of a generic function written `= expr`.
pub(crate) fn instance_result(world: &World<'_>, id: DefId, instance: Instance) -> Option<Ty> {
    thread_local! {
        static BUSY: std::cell::RefCell<Vec<Instance>> = const { std::cell::RefCell::new(Vec::new()) };
    }
    if BUSY.with_borrow(|busy| busy.contains(&instance)) {
        return None;
    }
    BUSY.with_borrow_mut(|busy| busy.push(instance));
    let entry = check_instance(world, id, instance);
    BUSY.with_borrow_mut(|busy| busy.pop());
    let entry = entry?;
    entry.deps.iter().for_each(|dep| world.reads(*dep));
    Some(entry.signature.result)
}

/// The type of a parameter written without one: what its uses say, else what the calls in its module pass.
pub(crate) fn inferred_parameter(world: &World<'_>, id: DefId, index: usize) -> (Ty, Vec<Diagnostic>) {
    let Some(tree) = world.function(id) else { return (Ty::error(), Vec::new()) };
    let module = world.input.modules[id.module as usize].name;
    world.reads(Dep::Module(module));
    if let Some(default) = &tree.params[index].default {
        let scope = TypeScope::new(id.module, world.item_id(id));
        let mut checker = Checker::new(world, scope, Ty::unit());
        let value = checker.value(default);
        let ty = checker.table.resolve(value.ty, true);
        if crate::infer::has_variables(ty) {
            let name = tree.params[index].name;
            checker.undetermined_type(name.name, name.span);
            return (Ty::error(), checker.diagnostics);
        }
        return (ty, checker.diagnostics);
    }
    let mut weak = None;
    match used_as(world, id, tree, index) {
        Some((ty, true)) => return (ty, Vec::new()),
        Some((ty, false)) => weak = Some(ty),
        None => {}
    }
    let mut found: Option<Ty> = None;
    for (ty, place) in call_sites(world, id, tree, index) {
        match found {
            None => found = Some(ty),
            Some(before) if before == ty || ty == Ty::error() => {}
            Some(before) => {
                let name = tree.params[index].name.name;
                let message =
                    format!("the calls of `{}` give `{name}` different types: `{before}` and `{ty}`", tree.name.name);
                let own = Place::item(world.item_id(id), tree.params[index].name.span);
                let diagnostic = Diagnostic::error(codes::PARAMETER_TYPE, own, message)
                    .with_label(place, format!("here it is `{ty}`"))
                    .with_help(format!("declare its type: `{name}: {before}`"));
                return (Ty::error(), vec![diagnostic]);
            }
        }
    }
    if let Some(ty) = found.or(weak) {
        return (ty, Vec::new());
    }
    let name = tree.params[index].name.name;
    let place = Place::item(world.item_id(id), tree.params[index].name.span);
    let diagnostic =
        Diagnostic::error(codes::PARAMETER_TYPE, place, format!("nothing says what type the parameter `{name}` has"))
            .with_help(format!("declare it: `{name}: i64`"));
    (Ty::error(), vec![diagnostic])
}

/// What a function's own body says about a parameter; the flag tells whether that is certain.
fn used_as(world: &World<'_>, id: DefId, tree: &ast::Function, index: usize) -> Option<(Ty, bool)> {
    let mut scope = TypeScope::new(id.module, world.item_id(id));
    scope.self_ty = method_self(world, id);
    let result = tree.result.as_ref().map(|ty| lower_type(world, &scope, ty, &mut Vec::new()));
    let block = matches!(tree.body, Some(ast::FunctionBody::Block(_)));
    let mut checker = Checker::new(world, scope, Ty::unit());
    checker.frames[0].result = match result {
        Some(ty) => ty,
        None if block => Ty::unit(),
        None => checker.fresh(),
    };
    checker.tree = None;
    checker.probe = Some((world.def(id).path, Vec::new()));
    let types: Vec<Ty> = tree
        .params
        .iter()
        .map(|param| match &param.ty {
            Some(ty) => checker.lower(ty),
            None => checker.fresh(),
        })
        .collect();
    checker.parameters(tree, &types);
    checker.body(tree);
    match checker.table.known(types[index]) {
        Known::Type(_) => {
            let ty = checker.table.resolve(types[index], false);
            (!crate::infer::has_variables(ty) && ty != Ty::error()).then_some((ty, true))
        }
        Known::Int => Some((Ty::i64(), false)),
        Known::Float => Some((Ty::f64(), true)),
        Known::Nothing => None,
    }
}

/// The types calls in the same module pass for a parameter.
fn call_sites(world: &World<'_>, id: DefId, tree: &ast::Function, index: usize) -> Vec<(Ty, Place)> {
    let path = world.def(id).path;
    let table = &world.tables[id.module as usize];
    let mut found = Vec::new();
    for number in 0..table.defs.len() as u32 {
        let caller = DefId { module: id.module, index: number };
        let kind = world.def(caller).kind;
        if caller == id || !matches!(kind, DefKind::Function | DefKind::Method { .. }) {
            continue;
        }
        let Some(body) = world.function(caller) else { continue };
        if !walk::mentions(body, tree.name.name) || !body.generics.params.is_empty() {
            continue;
        }
        let mut scope = TypeScope::new(id.module, world.item_id(caller));
        scope.self_ty = method_self(world, caller);
        let mut checker = Checker::new(world, scope, Ty::unit());
        checker.frames[0].result = match &body.result {
            Some(ty) => checker.lower(ty),
            None if matches!(body.body, Some(ast::FunctionBody::Block(_))) => Ty::unit(),
            None => checker.fresh(),
        };
        checker.probe = Some((path, Vec::new()));
        let types: Vec<Ty> = (0..body.params.len())
            .map(|index| match &body.params[index].ty {
                Some(ty) => checker.lower(ty),
                None if world.is_busy(caller) => checker.fresh(),
                None => match world.interface(caller) {
                    Some(Interface::Function(sig)) => sig.params[index].ty,
                    _ => checker.fresh(),
                },
            })
            .collect();
        checker.parameters(body, &types);
        checker.body(body);
        let calls = checker.probe.take().map_or(Vec::new(), |(_, calls)| calls);
        for (types, spans) in calls {
            if let (Some(ty), Some(span)) = (types.get(index), spans.get(index)) {
                let ty = checker.table.resolve(*ty, true);
                if !crate::infer::has_variables(ty) && ty != Ty::error() {
                    found.push((ty, Place::item(world.item_id(caller), *span)));
                }
            }
        }
    }
    found
}

/// A value that is computed when it is needed: a function without parameters.
pub(crate) struct Computed {
    /// Absent when there were errors, or nothing to compute.
    pub body: Option<Arc<hir::Body>>,
    pub ty: Ty,
    pub diagnostics: Vec<Diagnostic>,
    pub requests: Vec<(Instance, Place)>,
    pub types: Vec<Ty>,
    /// The bodies of the closures made in it.
    pub closures: Vec<Arc<hir::Body>>,
}

/// A checked initial value.
pub(crate) struct Initial {
    pub global: Global,
    pub value: Computed,
}

/// Checks the initial value of a global.
pub(crate) fn initial_value(
    world: &World<'_>,
    scope: &TypeScope,
    path: ItemPath,
    global: &ast::Global,
    declared: Option<Ty>,
    reset: bool,
    place: Place,
) -> Initial {
    let mut checker = Checker::new(world, scope.clone(), Ty::unit());
    for (name, value) in &scope.consts {
        checker.bind(*name, crate::check::Binding::Const(value.clone()));
    }
    let init = ItemPath::new(path.module, &format!("{{init}}{}", path.name));
    checker.path = Some(init);
    let value = match (&global.value, declared) {
        (Some(value), Some(ty)) => Some(checker.check_to(value, ty, crate::check::Why::Binding(global.name.name))),
        (Some(value), None) => {
            let value = checker.check(value, Want::Any);
            Some(checker.must_have_value(value))
        }
        (None, Some(ty)) => checker.default_value(ty, global.name.span),
        (None, None) => None,
    };
    let value = computed(checker, Instance::plain(init), value, declared, global.name);
    Initial { global: Global { ty: value.ty, init: value.body.clone(), reset, place }, value }
}

/// Makes a function of a checked value; `name` is what gets it, for messages.
fn computed(
    mut checker: Checker<'_, '_>,
    instance: Instance,
    value: Option<hir::Expr>,
    declared: Option<Ty>,
    name: ast::Ident,
) -> Computed {
    let mut made = Computed {
        body: None,
        ty: declared.unwrap_or(Ty::error()),
        diagnostics: Vec::new(),
        requests: Vec::new(),
        types: Vec::new(),
        closures: Vec::new(),
    };
    if let Some(value) = value {
        let (value, types) = checker.finish_expr(value);
        if declared.is_none() && crate::infer::has_variables(value.ty) {
            checker.undetermined_type(name.name, name.span);
        }
        made.types = types;
        made.ty = known_or_error(declared.unwrap_or(value.ty));
        if !checker.diagnostics.iter().any(Diagnostic::is_error) {
            let (world, mut value) = (checker.world, value);
            crate::closures::renumber(world, instance, &mut value, &mut checker.closure_bodies);
            made.closures = std::mem::take(&mut checker.closure_bodies);
            let exposed = checker.take_exposed();
            let dyns = std::mem::take(&mut checker.dyns);
            let body = hir::Body {
                instance,
                item: BodyItem(checker.scope.item),
                params: Vec::new(),
                captures: 0,
                locals: checker.frames.remove(0).locals,
                result: made.ty,
                value,
                exposed,
                dyns,
            };
            made.body = Some(Arc::new(body));
        }
    }
    Computed { diagnostics: checker.diagnostics, requests: checker.requests, ..made }
}

/// Which field of a type.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct FieldKey {
    /// The variant, in an enum.
    pub variant: Option<Name>,
    pub field: Name,
}

/// The function that computes the default of a field.
pub(crate) fn default_instance(owner: ItemPath, arguments: TyList, key: &FieldKey) -> Instance {
    let variant = key.variant.map_or(String::new(), |variant| format!(".{variant}"));
    let name = format!("{{default}}{}{variant}.{}", owner.name, key.field);
    Instance { path: ItemPath::new(owner.module, &name), arguments }
}

/// The defaults of a type's fields; none as long as its parameters are unknown.
pub(crate) fn defaults_of(world: &World<'_>, id: DefId, arguments: TyList) -> Vec<(FieldKey, Computed)> {
    let (generics, lists): (_, Vec<(Option<Name>, Vec<ParamSig>)>) = match world.interface(id) {
        Some(Interface::Struct(sig)) => (sig.generics.clone(), vec![(None, sig.fields.clone())]),
        Some(Interface::Enum(sig)) => {
            let lists = sig.variants.iter().map(|variant| (Some(variant.name), variant.fields.clone()));
            (sig.generics.clone(), lists.collect())
        }
        _ => return Vec::new(),
    };
    if generics.len() != arguments.len() {
        return Vec::new();
    }
    let owner = world.def(id).path;
    let map: FxHashMap<Name, Ty> = generics.iter().map(|g| g.name).zip(arguments.iter().copied()).collect();
    let mut made = Vec::new();
    for (variant, fields) in &lists {
        for sig in fields {
            let Some(default) = &sig.default else { continue };
            let key = FieldKey { variant: *variant, field: sig.name };
            let ty = substitute(sig.ty, &|name| map.get(&name).copied());
            let mut checker = Checker::new(world, TypeScope::new(id.module, world.item_id(id)), Ty::unit());
            let instance = default_instance(owner, arguments, &key);
            (checker.path, checker.instance) = (Some(instance.path), Some(instance));
            let value = checker.check_to(default, ty, crate::check::Why::Field(sig.name));
            let name = ast::Ident { name: sig.name, span: default.span };
            made.push((key, computed(checker, instance, Some(value), Some(ty), name)));
        }
    }
    made
}
