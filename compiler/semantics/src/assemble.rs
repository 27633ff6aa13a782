//! The result of a check, put together from its parts in source order.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use vaisjit_syntax::ast::ItemKind;
use vaisjit_syntax::{Diagnostic, Name, Place, Severity};

use crate::bodies::{Computed, FieldKey, Initial, default_instance, defaults_of, initial_value};
use crate::check::is_library;
use crate::codes;
use crate::half::HalfTyped;
use crate::hir::{BodyItem, MadeDyn};
use crate::index::{DefId, DefKind};
use crate::infer::{substitute, walk};
use crate::interface::{EnumSig, GenericSig, Interface, ParamSig, StructSig, VariantSig};
use crate::lower::TypeScope;
use crate::program::{Checked, EnumDef, FieldDef, Function, FxIndexMap, Input, Signature, StructDef, VariantDef};
use crate::state::{BodyEntry, State};
use crate::types::{Instance, ItemPath, Ty, TyKind, TyList};
use crate::world::{Dep, World};

/// How deeply type arguments may lie in each other. Chosen by feel.
pub(crate) const MOST_NESTED: usize = 24;

type Bodies = [Arc<Vec<Option<Arc<BodyEntry>>>>];

/// Where the program first asks for each instance, and what it calls there.
pub(crate) type Asked = FxHashMap<Instance, (Place, Instance)>;

/// The result before, with the bodies that were checked again; `None` when more than bodies may have changed.
pub(crate) fn patched(
    world: &World<'_>,
    old: &Input,
    before: &Checked,
    state: &State,
    bodies: &Bodies,
    redone: &[(DefId, Option<Arc<BodyEntry>>)],
) -> Option<Checked> {
    let quiet = |id: DefId| {
        let path = world.def(id).path;
        let new = world.entry(id).is_none_or(|entry| entry.diagnostics.is_empty());
        new && state.interfaces.get(&path).is_none_or(|entry| entry.diagnostics.is_empty())
    };
    let was_broken = old
        .modules
        .iter()
        .zip(&world.input.modules)
        .any(|(before, now)| !Arc::ptr_eq(&before.tree, &now.tree) && (is_unsure(before) || is_unsure(now)));
    let imports = |(id, _): &(DefId, _)| !world.tables[id.module as usize].imports.is_empty();
    // Whether a missing `main` is only being typed is found out with the whole.
    let no_main = world.input.needs_main && before.main.is_none();
    if was_broken || no_main || world.lints && redone.iter().any(imports) {
        return None;
    }
    for (id, entry) in redone {
        let new = bodies[id.module as usize][id.index as usize].as_ref();
        let item = world.item(*id);
        let inner = crate::attributes::functions_in(item).iter().flat_map(|function| &function.attributes);
        let attributes = item.attributes.iter().chain(inner).all(crate::attributes::is_quiet);
        // What is said about a test that cannot be one is found out with the whole.
        let attributes = attributes && item.attributes.iter().all(|attribute| attribute.name.name != "test");
        let calm = matches!(item.kind, ItemKind::Impl(_)) && before.diagnostics.is_empty();
        if !matches!(item.kind, ItemKind::Function(_)) && !calm || !attributes || !quiet(*id) {
            return None;
        }
        match (entry, new) {
            (Some(a), Some(b)) => {
                let same = a.body.is_some()
                    && b.body.is_some()
                    && a.diagnostics.is_empty()
                    && b.diagnostics.is_empty()
                    && same_requests(a, b)
                    && a.types == b.types
                    && exposed_by(a) == exposed_by(b)
                    && dyns_of(a) == dyns_of(b)
                    && a.globals.is_empty()
                    && b.globals.is_empty()
                    && a.closures.is_empty()
                    && b.closures.is_empty();
                if !same {
                    return None;
                }
            }
            (None, None) if world.def(*id).kind == DefKind::Impl => {}
            _ => return None,
        }
    }
    for (number, module) in world.input.modules.iter().enumerate() {
        let twin = old.modules.iter().position(|other| other.name == module.name)?;
        if twin != number {
            return None;
        }
    }
    let mut checked = Checked { state: None, ..before.clone() };
    for (id, _) in redone {
        if let Some(entry) = &bodies[id.module as usize][id.index as usize]
            && let Some(function) = function_of(entry)
        {
            checked.functions.insert(Instance::plain(world.def(*id).path), function);
        }
    }
    Some(checked)
}

fn exposed_by(entry: &BodyEntry) -> &[Ty] {
    entry.body.as_ref().map_or(&[], |body| &body.exposed)
}

fn dyns_of(entry: &BodyEntry) -> &[MadeDyn] {
    entry.body.as_ref().map_or(&[], |body| &body.dyns)
}

/// Do two bodies ask for the same instances?
fn same_requests(a: &BodyEntry, b: &BodyEntry) -> bool {
    let asks = |entry: &BodyEntry| {
        let mut list: Vec<Instance> = entry.requests.iter().map(|(instance, _)| *instance).collect();
        list.sort_unstable();
        list
    };
    a.requests.len() == b.requests.len() && asks(a) == asks(b)
}

fn function_of(entry: &BodyEntry) -> Option<Function> {
    Some(Function {
        signature: entry.signature.clone(),
        body: entry.body.clone()?,
        hot: entry.hot,
        inline: entry.inline,
        test: entry.test,
        hook: entry.hook,
        head: entry.head,
    })
}

/// A closure as the function it is compiled to.
fn closure_function(body: &Arc<crate::hir::Body>, head: Place, hot: bool) -> (Instance, Function) {
    let local = |id: &crate::hir::LocalId| &body.locals[*id];
    let signature = Signature {
        names: body.params.iter().map(|id| local(id).name).collect(),
        params: body.params.iter().map(|id| local(id).ty).collect(),
        result: body.result,
    };
    let (signature, body_instance) = (Arc::new(signature), body.instance);
    (body_instance, Function { signature, body: body.clone(), hot, inline: false, test: false, hook: None, head })
}

/// The methods of the `dyn`s that the running version makes.
pub(crate) fn requests_of_running(world: &World<'_>) -> Vec<(Instance, Place)> {
    let methods = crate::check::dyns_of_running(world).into_iter().flat_map(|made| made.methods);
    let place = |instance: Instance| Some((instance, world.place(world.find(instance.path)?)));
    methods.filter(|instance| !instance.arguments.is_empty()).filter_map(place).collect()
}

/// The generic instances that initial values of globals and defaults of fields call.
pub(crate) fn requests_of_values(world: &World<'_>) -> Vec<(Instance, Place)> {
    let mut requests = Vec::new();
    for module in 0..world.tables.len() as u32 {
        for (index, def) in world.tables[module as usize].defs.iter().enumerate() {
            let id = DefId { module, index: index as u32 };
            match def.kind {
                DefKind::Global => {
                    requests.extend(global_of(world, id).into_iter().flat_map(|made| made.value.requests))
                }
                DefKind::Struct | DefKind::Enum => {
                    let made = defaults_of(world, id, TyList::EMPTY).into_iter();
                    requests.extend(made.flat_map(|(_, made)| made.requests));
                }
                _ => {}
            }
        }
    }
    requests
}

fn global_of(world: &World<'_>, id: DefId) -> Option<Initial> {
    let ItemKind::Global(global) = &world.item(id).kind else { return None };
    let scope = TypeScope::new(id.module, world.item_id(id));
    let declared = match (&global.ty, world.interface(id)?) {
        (Some(_), Interface::Global(ty)) => Some(ty),
        _ => None,
    };
    let reset = world.item(id).attributes.iter().any(|attribute| attribute.name.name == "reset");
    if declared.is_none() && global.value.is_none() {
        return None;
    }
    Some(initial_value(world, &scope, world.def(id).path, global, declared, reset, world.place(id)))
}

/// The whole result.
pub(crate) fn whole(
    world: &World<'_>,
    before: Option<&Checked>,
    bodies: &Bodies,
    instances: &FxHashMap<Instance, Arc<BodyEntry>>,
    asked: &Asked,
) -> Checked {
    let mut whole = Whole {
        broken: world.input.modules.iter().any(is_broken),
        half: HalfTyped::of(world),
        world,
        before,
        checked: Checked::default(),
        types: FxHashSet::default(),
        defaults: FxHashMap::default(),
        by_path: FxHashMap::default(),
        asked,
    };
    for (instance, entry) in instances {
        whole.by_path.entry(instance.path).or_default().push((*instance, entry.clone()));
    }
    whole.by_path.values_mut().for_each(|list| list.sort_by_key(|(instance, _)| *instance));
    for module in 0..world.tables.len() as u32 {
        whole.module(module, &bodies[module as usize]);
    }
    whole.order_globals();
    whole.nominal_types();
    whole.exposed();
    whole.dyns();
    whole.main();
    whole.checked
}

struct Whole<'w, 'a> {
    /// Items that did not parse: what seems to be unknown may be declared there.
    broken: bool,
    half: HalfTyped,
    world: &'w World<'a>,
    before: Option<&'w Checked>,
    checked: Checked,
    types: FxHashSet<Ty>,
    /// The defaults of fields of types without parameters.
    defaults: FxHashMap<DefId, Defaults>,
    by_path: FxHashMap<crate::types::ItemPath, Vec<(Instance, Arc<BodyEntry>)>>,
    asked: &'w Asked,
}

impl Whole<'_, '_> {
    fn module(&mut self, module: u32, bodies: &[Option<Arc<BodyEntry>>]) {
        let world = self.world;
        let input = &world.input.modules[module as usize];
        let table = world.tables[module as usize].clone();
        if is_library(input.name) {
            return self.library_module(module, &table);
        }
        let mut imports = input.imports.iter();
        for (number, parsed) in input.tree.items.iter().enumerate() {
            let mut found: Vec<Diagnostic> = Vec::new();
            if let ItemKind::Import(import) = &parsed.item.kind {
                self.import(module, import, imports.next(), parsed.id, &mut found);
                self.unused_import(module, import, number, bodies, parsed.id, &mut found);
            }
            crate::attributes::check(&parsed.item, parsed.id, &mut found);
            for index in table.by_item[number].clone() {
                let id = DefId { module, index };
                self.definition(id, bodies[index as usize].as_ref(), &mut found);
            }
            for (later, first) in table.duplicates.iter().filter(|(later, _)| table.by_item[number].contains(later)) {
                self.duplicate(DefId { module, index: *later }, DefId { module, index: *first }, &mut found);
            }
            found.retain(|diagnostic| diagnostic.is_error() || !allowed(diagnostic, &parsed.item));
            found.retain(|diagnostic| !self.follows(diagnostic));
            found.sort_by_key(|diagnostic| diagnostic.primary.place.span.start);
            for diagnostic in found {
                let twin = self.checked.diagnostics.iter().rev().take(64).any(|known| {
                    known.primary.place == diagnostic.primary.place
                        && known.code == diagnostic.code
                        && known.primary.place.span.start == diagnostic.primary.place.span.start
                        && known.primary.place.span.end == diagnostic.primary.place.span.end
                });
                if !twin {
                    self.checked.diagnostics.push(diagnostic);
                }
            }
        }
    }

    /// A module of the library: what the program uses of it.
    fn library_module(&mut self, module: u32, table: &crate::index::ModuleTable) {
        for (index, def) in table.defs.iter().enumerate() {
            let id = DefId { module, index: index as u32 };
            if matches!(def.kind, DefKind::Struct | DefKind::Enum | DefKind::Global) {
                self.definition(id, None, &mut Vec::new());
                continue;
            }
            for (instance, entry) in self.by_path.remove(&def.path).unwrap_or_default() {
                let mut found = Vec::new();
                self.body(instance, &entry, &mut found);
                self.misused(instance, found);
            }
        }
    }

    /// A function of the library that does not work with the types the program uses it with: said where that is.
    fn misused(&mut self, instance: Instance, found: Vec<Diagnostic>) {
        let Some(error) = found.into_iter().find(Diagnostic::is_error) else { return };
        let Some((place, called)) = self.asked.get(&instance) else { return };
        let name = called.path.name.rsplit('.').next().unwrap_or_default().to_string();
        let types: Vec<String> = called.arguments.iter().map(|ty| format!("`{ty}`")).collect();
        let message = match types.is_empty() {
            true => format!("`{name}` of the library is wrong: {}", error.message),
            false => format!("`{name}` does not work with {}: {}", types.join(" and "), error.message),
        };
        let known = |known: &Diagnostic| known.message == message && known.primary.place == *place;
        if self.checked.diagnostics.iter().any(known) {
            return;
        }
        self.checked.diagnostics.push(Diagnostic::error(error.code, *place, message));
    }

    /// Is it probably only the consequence of a syntax error?
    fn follows(&self, diagnostic: &Diagnostic) -> bool {
        let unknown = [codes::UNKNOWN_NAME, codes::UNKNOWN_TYPE, codes::UNKNOWN_FIELD, codes::UNKNOWN_METHOD];
        let others = [codes::UNKNOWN_VARIANT, codes::UNKNOWN_TRAIT, codes::NO_MAIN];
        if self.broken && (unknown.contains(&diagnostic.code) || others.contains(&diagnostic.code)) {
            return true;
        }
        if self.half.explains(diagnostic) {
            return true;
        }
        diagnostic.code == codes::ARGUMENT_COUNT
            && diagnostic.labels.iter().any(|label| {
                let items = self.world.input.modules.iter().flat_map(|module| &module.tree.items);
                let mut items = items.filter(|parsed| label.place.anchor == vaisjit_syntax::Anchor::Item(parsed.id));
                let head = label.place.span;
                items.any(|parsed| crate::interface::is_head_broken(&parsed.diagnostics, head))
            })
    }

    fn definition(&mut self, id: DefId, body: Option<&Arc<BodyEntry>>, found: &mut Vec<Diagnostic>) {
        let world = self.world;
        if let Some(entry) = world.entry(id) {
            found.extend(entry.diagnostics.iter().cloned());
        }
        let path = world.def(id).path;
        if matches!(world.def(id).kind, DefKind::Struct | DefKind::Enum) {
            let made = defaults_of(world, id, TyList::EMPTY);
            found.extend(made.iter().flat_map(|(_, made)| made.diagnostics.iter().cloned()));
            self.defaults.insert(id, made);
        }
        match world.def(id).kind {
            DefKind::Struct | DefKind::Enum
                if crate::interface::declared_generics(world, id).is_some_and(|params| params.is_empty()) =>
            {
                let ty = match world.def(id).kind {
                    DefKind::Struct => Ty::new(TyKind::Struct(path, TyList::EMPTY)),
                    _ => Ty::new(TyKind::Enum(path, TyList::EMPTY)),
                };
                self.types.insert(ty);
            }
            DefKind::Global => {
                if let Some(made) = global_of(world, id) {
                    found.extend(made.value.diagnostics);
                    self.types.extend(made.value.types);
                    // Perhaps nothing else is of its type.
                    walk(made.global.ty, &mut |ty| _ = self.types.insert(ty));
                    let place = made.global.place;
                    self.checked.globals.insert(path, made.global);
                    let closures = made.value.closures.iter().map(|body| closure_function(body, place, false));
                    self.checked.functions.extend(closures);
                }
            }
            DefKind::Impl => crate::conform::check(world, id, found),
            DefKind::Function | DefKind::C | DefKind::Method { .. } | DefKind::TraitMethod { .. } => {
                let result = body.map(|body| body.signature.result);
                crate::marked::test(world, id, result, found);
                crate::marked::hook(world, id, body.map(|body| &*body.signature), found);
            }
            _ => {}
        }
        if let Some(entry) = body {
            self.body(Instance::plain(path), entry, found);
        }
        for (instance, entry) in self.by_path.remove(&path).unwrap_or_default() {
            self.body(instance, &entry, found);
        }
    }

    fn body(&mut self, instance: Instance, entry: &Arc<BodyEntry>, found: &mut Vec<Diagnostic>) {
        found.extend(entry.diagnostics.iter().cloned());
        self.types.extend(entry.types.iter().copied());
        for (path, global) in &entry.globals {
            self.checked.globals.insert(*path, global.clone());
        }
        if let Some(function) = function_of(entry) {
            self.checked.functions.insert(instance, function);
            let closures = entry.closures.iter().map(|body| closure_function(body, entry.head, entry.hot));
            self.checked.functions.extend(closures);
        }
    }

    fn duplicate(&self, later: DefId, first: DefId, found: &mut Vec<Diagnostic>) {
        let world = self.world;
        if let (Some(a), Some(b)) = (world.function(later), world.function(first))
            && a.body.is_none()
            && a == b
        {
            return;
        }
        let name = world.def(later).path.name;
        let diagnostic = Diagnostic::error(codes::DUPLICATE, world.place(later), format!("`{name}` is declared twice"))
            .with_label(world.place(first), "first here");
        found.push(diagnostic);
    }

    fn import(
        &self,
        module: u32,
        import: &vaisjit_syntax::ast::Import,
        target: Option<&Result<Name, String>>,
        item: vaisjit_syntax::ItemId,
        found: &mut Vec<Diagnostic>,
    ) {
        let place = import.path.iter().map(|ident| ident.span).reduce(|a, b| a.to(b)).unwrap_or_default();
        let place = Place::item(item, place);
        match target {
            Some(Ok(name)) => {
                let Some(from) = self.world.modules.get(name) else { return };
                let table = &self.world.tables[*from as usize];
                for ident in import.names.iter().flatten() {
                    let known = table.values.contains_key(&ident.name)
                        || table.types.contains_key(&ident.name)
                        || table.variants.contains_key(&ident.name);
                    let everywhere = is_library(*name)
                        && (crate::lower::BUILTIN_TYPES.contains(&ident.name.as_str())
                            || self.world.ty(module, ident.name).is_some()
                            || self.world.value(module, ident.name).is_some());
                    if known || everywhere {
                        continue;
                    }
                    let place = Place::item(item, ident.span);
                    let mut diagnostic = Diagnostic::error(
                        codes::UNKNOWN_NAME,
                        place,
                        format!("the module `{name}` has no `{}`", ident.name),
                    );
                    if let Some(near) =
                        crate::suggest::nearest(ident.name, table.values.keys().chain(table.types.keys()).copied())
                    {
                        diagnostic = diagnostic
                            .with_help(format!("did you mean `{near}`?"))
                            .with_suggestion(place, near.as_str());
                    }
                    found.push(diagnostic);
                }
            }
            Some(Err(why)) => {
                let written: Vec<&str> = import.path.iter().map(|ident| ident.name.as_str()).collect();
                let others = self.world.input.modules.iter().map(|known| known.name);
                let others = others.filter(|known| *known != self.world.input.modules[module as usize].name);
                let diagnostic = Diagnostic::error(codes::UNKNOWN_MODULE, place, why.clone());
                let written = Name::new(&written.join("/"));
                found.push(crate::check::hints::did_you_mean(diagnostic, written, place, others));
            }
            None => {}
        }
    }

    /// Notes an import that nothing in the module uses.
    fn unused_import(
        &self,
        module: u32,
        import: &vaisjit_syntax::ast::Import,
        item: usize,
        bodies: &[Option<Arc<BodyEntry>>],
        id: vaisjit_syntax::ItemId,
        found: &mut Vec<Diagnostic>,
    ) {
        let table = &self.world.tables[module as usize];
        let entry = table.imports.iter().find(|entry| entry.item as usize == item);
        let Some(target) = entry.and_then(|entry| entry.module).filter(|_| self.world.lints) else { return };
        let names: Vec<Name> = import.names.iter().flatten().map(|ident| ident.name).collect();
        let uses = |dep: &Dep| match dep {
            Dep::Def(path) if names.is_empty() => path.module == target,
            Dep::Def(path) => path.module == target && names.iter().any(|name| path.name.starts_with(name.as_str())),
            _ => false,
        };
        let mut own = (0..table.defs.len() as u32).filter_map(|index| self.world.entry(DefId { module, index }));
        let used = bodies.iter().flatten().any(|body| body.deps.iter().any(uses))
            || own.any(|entry| entry.deps.iter().any(uses))
            || self.by_path.values().flatten().any(|(_, body)| body.deps.iter().any(uses));
        if used {
            return;
        }
        let span = import.path.iter().map(|ident| ident.span).reduce(|a, b| a.to(b)).unwrap_or_default();
        let message = format!("nothing uses this import of `{target}`");
        let diagnostic = Diagnostic::warning(codes::UNUSED_IMPORT, Place::item(id, span), message);
        found.push(Diagnostic { severity: Severity::Lint, ..diagnostic });
    }

    /// Globals of imported modules come first.
    fn order_globals(&mut self) {
        let mut order: Vec<Name> = Vec::new();
        let mut seen = FxHashSet::default();
        for module in 0..self.world.tables.len() as u32 {
            visit(self.world, module, &mut seen, &mut order);
        }
        let rank: FxHashMap<Name, usize> = order.into_iter().enumerate().map(|(rank, name)| (name, rank)).collect();
        self.checked.globals.sort_by(|a, _, b, _| rank.get(&a.module).cmp(&rank.get(&b.module)));
    }

    /// Definitions of all struct and enum types in use, parts of others included.
    fn nominal_types(&mut self) {
        let mut queue: Vec<Ty> = self.types.iter().copied().collect();
        queue.sort();
        let mut known: FxHashSet<Ty> = queue.iter().copied().collect();
        let (mut structs, mut enums) = (Vec::new(), Vec::new());
        while let Some(ty) = queue.pop() {
            let (TyKind::Struct(path, arguments) | TyKind::Enum(path, arguments)) = *ty.kind() else { continue };
            let Some(id) = self.world.find(path) else { continue };
            let (mut defaults, mut parts) = self.defaults(id, arguments);
            match self.world.interface(id) {
                Some(Interface::Struct(sig)) => {
                    let definition = self.structure(id, &sig, arguments, &mut defaults);
                    parts.extend(definition.fields.iter().map(|field| field.ty));
                    structs.push((ty, id, definition));
                }
                Some(Interface::Enum(sig)) => {
                    let definition = self.enumeration(id, &sig, arguments, &mut defaults);
                    parts.extend(definition.variants.iter().flat_map(|v| v.fields.iter().map(|field| field.ty)));
                    enums.push((ty, id, definition));
                }
                _ => continue,
            }
            let mut news = Vec::new();
            for part in parts {
                walk(part, &mut |part| {
                    if matches!(part.kind(), TyKind::Struct(..) | TyKind::Enum(..)) && known.insert(part) {
                        news.push(part);
                    }
                });
            }
            if news.iter().any(|part| part.nesting() > MOST_NESTED) {
                self.endless(id, path);
            } else {
                queue.append(&mut news);
            }
        }
        structs.sort_by_key(|(ty, id, _)| (*id, *ty));
        enums.sort_by_key(|(ty, id, _)| (*id, *ty));
        self.checked.structs = structs.into_iter().map(|(ty, _, def)| (ty, Arc::new(def))).collect();
        self.checked.enums = enums.into_iter().map(|(ty, _, def)| (ty, Arc::new(def))).collect();
    }

    /// A generic type holds itself with arguments that become larger and larger.
    fn endless(&mut self, id: DefId, path: ItemPath) {
        if self.checked.diagnostics.iter().any(|known| known.code == codes::RECURSIVE_TYPE) {
            return;
        }
        let message = format!("`{}` holds itself with larger and larger type arguments, without end", path.name);
        let diagnostic = Diagnostic::error(codes::RECURSIVE_TYPE, self.world.place(id), message);
        self.checked.diagnostics.push(diagnostic.with_help("hold it with the same arguments"));
    }

    fn structure(&self, id: DefId, sig: &StructSig, arguments: TyList, defaults: &mut FieldBodies) -> StructDef {
        StructDef {
            fields: concrete(&sig.fields, &sig.generics, arguments, (None, defaults)),
            repr_c: sig.repr_c,
            was: sig.was,
            reserve: sig.reserve,
            item: BodyItem(self.world.item_id(id)),
            span: self.world.place(id).span,
        }
    }

    fn enumeration(&self, id: DefId, sig: &EnumSig, arguments: TyList, defaults: &mut FieldBodies) -> EnumDef {
        let variant = |variant: &VariantSig| VariantDef {
            name: variant.name,
            was: variant.was,
            fields: concrete(&variant.fields, &sig.generics, arguments, (Some(variant.name), defaults)),
        };
        EnumDef {
            variants: sig.variants.iter().map(variant).collect(),
            was: sig.was,
            reserve: sig.reserve,
            item: BodyItem(self.world.item_id(id)),
            span: self.world.place(id).span,
        }
    }

    /// The defaults of a type's fields as functions, and the types in them. One that calls an instance that nobody else
    /// calls is left out: that happens to generic types only.
    fn defaults(&mut self, id: DefId, arguments: TyList) -> (FieldBodies, Vec<Ty>) {
        let made = match arguments.is_empty() {
            true => self.defaults.remove(&id).unwrap_or_default(),
            false => defaults_of(self.world, id, arguments),
        };
        let (mut bodies, mut types) = (FieldBodies::default(), Vec::new());
        for (key, made) in made {
            let Some(body) = made.body else { continue };
            if !made.requests.iter().all(|(instance, _)| self.checked.functions.contains_key(instance)) {
                continue;
            }
            let place = self.world.place(id);
            self.checked.functions.extend(made.closures.iter().map(|body| closure_function(body, place, false)));
            types.extend(made.types);
            let body = self.before.and_then(|before| same_default(before, &body, &key)).unwrap_or(body);
            bodies.insert(key, body);
        }
        (bodies, types)
    }

    /// The types that memory may hold of which nobody knows.
    fn exposed(&mut self) {
        let checked = &self.checked;
        let functions = checked.functions.values().map(|function| &function.body);
        let inits = checked.globals.values().filter_map(|global| global.init.as_ref());
        let named = functions.chain(inits).flat_map(|body| &body.exposed).copied();
        let c = checked.structs.iter().filter(|(_, def)| def.repr_c).map(|(ty, _)| *ty);
        let mut queue: Vec<Ty> = named.chain(c).collect();
        let mut exposed = FxHashSet::default();
        while let Some(ty) = queue.pop() {
            match *ty.kind() {
                TyKind::Array(of, _) => queue.push(of),
                TyKind::Tuple(parts) => queue.extend(parts.iter()),
                TyKind::Struct(..) if exposed.insert(ty) => {
                    let definition = checked.structs.get(&ty);
                    queue.extend(definition.iter().flat_map(|def| def.fields.iter().map(|field| field.ty)));
                }
                TyKind::Enum(..) if exposed.insert(ty) => {
                    let variants = checked.enums.get(&ty).into_iter().flat_map(|def| &def.variants);
                    queue.extend(variants.flat_map(|variant| variant.fields.iter().map(|field| field.ty)));
                }
                _ => {}
            }
        }
        self.checked.exposed = exposed;
    }

    /// What the program makes `dyn`s of, and what can be called through them.
    fn dyns(&mut self) {
        for table in &self.world.tables {
            for def in table.defs.iter().filter(|def| def.kind == DefKind::Trait) {
                let methods = crate::check::callable(self.world, def.path);
                self.checked.dyn_methods.insert(def.path, methods.into());
            }
        }
        let checked = &self.checked;
        let functions = checked.functions.values().map(|function| &function.body);
        let inits = checked.globals.values().filter_map(|global| global.init.as_ref());
        let fields = checked.structs.values().flat_map(|def| &def.fields);
        let payloads = checked.enums.values().flat_map(|def| &def.variants).flat_map(|variant| &variant.fields);
        let defaults = fields.chain(payloads).filter_map(|field| field.default.as_ref());
        let mut dyns: FxIndexMap<(ItemPath, Ty), Vec<Instance>> = FxIndexMap::default();
        for made in functions.chain(inits).chain(defaults).flat_map(|body| &body.dyns) {
            dyns.entry((made.of_trait, made.of)).or_insert_with(|| made.methods.clone());
        }
        for made in crate::check::dyns_of_running(self.world) {
            dyns.entry((made.of_trait, made.of)).or_insert(made.methods);
        }
        self.checked.dyns = dyns;
    }

    fn main(&mut self) {
        let world = self.world;
        let Some(root) = world.input.modules.first() else { return };
        let main = world.tables[0].values.get(&Name::new("main")).map(|index| DefId { module: 0, index: *index });
        let Some(id) = main.filter(|id| world.def(*id).kind == DefKind::Function) else {
            // A `main` that is being typed is not missing; what it lacks is said there.
            let whole = !root.tree.items.iter().any(|parsed| parsed.diagnostics.iter().any(Diagnostic::is_error));
            if world.input.needs_main && whole {
                let place = Place::file(root.file, vaisjit_syntax::Span::default());
                let diagnostic = Diagnostic::error(codes::NO_MAIN, place, "the program has no `main`")
                    .with_help("a program starts in `F main() -> i64 { ... }`");
                self.checked.diagnostics.push(diagnostic);
            }
            return;
        };
        self.checked.main = Some(Instance::plain(world.def(id).path));
        let Some(Interface::Function(sig)) = world.interface(id) else { return };
        let good = matches!(
            sig.result.kind(),
            TyKind::Int(_) | TyKind::Float(_) | TyKind::Unit | TyKind::Never | TyKind::Error
        );
        let problem = match () {
            () if !as_in_c(&sig.params) => "`main` takes no parameters",
            () if !good => "`main` must give a number or nothing",
            () if !sig.generics.is_empty() => "`main` cannot be generic",
            () => return,
        };
        let diagnostic = Diagnostic::error(codes::BAD_MAIN, world.head(id), problem);
        self.checked.diagnostics.push(diagnostic);
    }
}

/// The defaults of a type: by variant, if it is an enum, and field.
type Defaults = Vec<(FieldKey, Computed)>;
type FieldBodies = FxHashMap<FieldKey, Arc<crate::hir::Body>>;

/// The fields of a declaration with the type's arguments filled in.
fn concrete(
    fields: &[ParamSig],
    generics: &[GenericSig],
    arguments: TyList,
    (variant, defaults): (Option<Name>, &mut FieldBodies),
) -> Vec<FieldDef> {
    let map = |name: Name| generics.iter().position(|g| g.name == name).and_then(|i| arguments.get(i).copied());
    let field = |field: &ParamSig| FieldDef {
        name: field.name,
        ty: substitute(field.ty, &map),
        was: field.was,
        default: defaults.remove(&FieldKey { variant, field: field.name }),
    };
    fields.iter().map(field).collect()
}

/// The default of the check before, if it is the same.
fn same_default(before: &Checked, new: &crate::hir::Body, key: &FieldKey) -> Option<Arc<crate::hir::Body>> {
    let owner = |ty: &Ty| match *ty.kind() {
        TyKind::Struct(path, arguments) | TyKind::Enum(path, arguments) => {
            new.instance == default_instance(path, arguments, key)
        }
        _ => false,
    };
    let fields = match key.variant {
        None => &before.structs.iter().find(|(ty, _)| owner(ty))?.1.fields,
        Some(name) => {
            let definition = before.enums.iter().find(|(ty, _)| owner(ty))?.1;
            &definition.variants.iter().find(|variant| variant.name == name)?.fields
        }
    };
    let old = fields.iter().find(|field| field.name == key.field)?.default.as_ref()?;
    (**old == *new && old.item.0 == new.item.0).then(|| old.clone())
}

/// No parameters, or the two that C's `main` has: a number and an address.
fn as_in_c(params: &[ParamSig]) -> bool {
    let kinds: Vec<&TyKind> = params.iter().map(|param| param.ty.kind()).collect();
    let wide = |ty: Ty| ty.int_kind().is_some_and(|kind| matches!(kind.bits(), 32 | 64));
    params.iter().all(|param| param.default.is_none())
        && match kinds[..] {
            [] => true,
            [_, TyKind::Pointer(_)] => wide(params[0].ty),
            _ => false,
        }
}

/// May something be missing in the module that its text has?
fn is_unsure(module: &crate::program::ModuleInput) -> bool {
    is_broken(module) || crate::half::is_in(module)
}

/// Has the module an item of which nothing could be made, more than a lone bracket?
fn is_broken(module: &crate::program::ModuleInput) -> bool {
    module.tree.items.iter().any(|parsed| {
        let nested = parsed.diagnostics.iter().any(|found| found.code == vaisjit_syntax::codes::NOT_AN_ITEM);
        let nothing = matches!(parsed.item.kind, ItemKind::Error) && parsed.end > parsed.start + 2;
        nested || nothing && !parsed.diagnostics.is_empty()
    })
}

fn visit(world: &World<'_>, module: u32, seen: &mut FxHashSet<u32>, order: &mut Vec<Name>) {
    if !seen.insert(module) {
        return;
    }
    for import in &world.tables[module as usize].imports {
        if let Some(target) = import.module.and_then(|name| world.modules.get(&name)) {
            visit(world, *target, seen, order);
        }
    }
    order.push(world.input.modules[module as usize].name);
}

/// Does an `#[allow(...)]` of the item, or of the function in it where the warning stands, silence it?
fn allowed(diagnostic: &Diagnostic, item: &vaisjit_syntax::ast::Item) -> bool {
    let at = diagnostic.primary.place.span.start;
    let around = crate::attributes::functions_in(item)
        .iter()
        .filter(|function| function.span.start <= at && at < function.span.end);
    allows(diagnostic, &item.attributes) || around.into_iter().any(|function| allows(diagnostic, &function.attributes))
}

/// Does an `#[allow(E0212)]`, `#[allow(unused_variable)]` or `#[allow(unused)]` silence a warning?
fn allows(diagnostic: &Diagnostic, attributes: &[vaisjit_syntax::ast::Attribute]) -> bool {
    let code = diagnostic.code.to_string();
    let named = |text: &str| codes::WARNINGS.iter().any(|(name, code)| *name == text && *code == diagnostic.code);
    let unused = matches!(diagnostic.code, codes::UNUSED | codes::UNUSED_IMPORT | codes::UNUSED_VALUE);
    let is_it = |text: &str| {
        text.eq_ignore_ascii_case(&code) || named(text) || text == "unused" && unused || text == "warnings"
    };
    let allows = attributes.iter().filter(|attribute| attribute.name.name == "allow");
    allows.flat_map(|attribute| &attribute.arguments).any(|(text, _)| is_it(text))
}
