//! The description of the running program with other names of items. Its code and its values are not touched.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use vaisjit_codegen::layout::TypeLayouts;
use vaisjit_codegen::link::SlotKey;
use vaisjit_semantics::hir::Body;
use vaisjit_semantics::{Checked, Instance, Renames};

use crate::host::HostTable;
use crate::linkage::{LinkNames, Linkage};
use crate::live::{FunctionMeta, Live, LiveFunction, Past};
use crate::reload::compile::lower;
use crate::reload::guards::guards;
use crate::reload::kept::Recipe;
use crate::reload::links::Links;
use crate::reload::prepare::Mode;

/// The running program under the names that a version which is being prepared has for it.
pub(crate) struct Described {
    renames: Renames,
    links: LinkNames,
    other: Live,
}

/// How code is made.
pub(crate) struct Making<'a> {
    pub mode: &'a Mode,
    pub host: &'a HostTable,
    /// Links of the running version.
    pub links: &'a Links,
}

impl Described {
    pub fn new(live: &Live, renames: Renames, making: &Making<'_>) -> Described {
        let mut other =
            Maker { renames: &renames, bodies: FxHashMap::default(), pasts: FxHashMap::default() }.live(live);
        let links = making.links.renamed(&renames);
        let (checked, layouts) = (other.checked.clone(), other.layouts.clone());
        // The code is what would be made of the same text under the new names.
        for (before, of) in &live.functions {
            let instance = renames.instance(*before);
            let Some(function) = other.functions.get_mut(&instance) else { continue };
            let same = Arc::ptr_eq(&function.body, &of.body);
            let made = || lower(&function.body, &checked, &layouts, making.mode.polled, making.host).ok();
            if let Some(mut made) = (!same).then(made).flatten() {
                made.seal(instance, &links, &layouts, guards(&checked, making.mode, instance));
                (function.plain_fingerprint, function.fingerprint) = (made.plain_fingerprint, made.fingerprint);
            }
        }
        rename_recipes(&mut other, &renames);
        let live = live.functions.iter();
        let live = live.map(|(of, function)| SlotKey { instance: *of, signature: function.signature.clone() });
        Described { other, renames, links: LinkNames::new(live.collect()) }
    }

    /// Describes the running program by the new names.
    pub fn enter(&mut self, live: &mut Live, linkage: &mut Linkage) {
        // Code may have been freed meanwhile.
        self.other.metas.retain(|unit, _| live.metas.contains_key(unit));
        exchange(live, &mut self.other);
        linkage.enter_names(&mut self.links, &self.renames);
    }

    /// Describes it as before.
    pub fn leave(&mut self, live: &mut Live, linkage: &mut Linkage) {
        exchange(live, &mut self.other);
        linkage.leave_names(&mut self.links);
    }

    /// Does something under the new names with what is linked.
    pub fn within(&self, linkage: &mut Linkage, act: impl FnOnce(&mut Linkage)) {
        let mut names = self.links.clone();
        linkage.enter_names(&mut names, &self.renames);
        act(linkage);
        linkage.leave_names(&mut names);
    }

    /// The names are for good, and the program goes by them.
    pub fn leave_former(&self, live: &Live, linkage: &mut Linkage) {
        let signature = |key: &SlotKey| live.functions.get(&key.instance).map(|function| &function.signature);
        linkage.leave_former(&self.renames, &|key| signature(key) == Some(&key.signature));
    }

    /// Links of the running version under the new names.
    pub fn links(&self, links: &Links) -> Arc<Links> {
        Arc::new(links.renamed(&self.renames))
    }

    /// Functions under the new names.
    pub fn functions(&self, functions: &FxHashSet<Instance>) -> FxHashSet<Instance> {
        functions.iter().map(|function| self.renames.instance(*function)).collect()
    }
}

/// Names what the code of the described functions was made from as they are.
fn rename_recipes(other: &mut Live, renames: &Renames) {
    let made =
        other.functions.iter().map(|(of, function)| (*of, (Arc::as_ptr(&function.recipe), function.fingerprint)));
    let made: FxHashMap<Instance, (*const Recipe, u64)> = made.collect();
    let mut known: FxHashMap<*const Recipe, Arc<Recipe>> = FxHashMap::default();
    for function in other.functions.values_mut() {
        let of = Arc::as_ptr(&function.recipe);
        // Of a unit some functions may have been compiled anew since, elsewhere.
        let fingerprint = |instance: Instance| made.get(&instance).filter(|made| made.0 == of).map(|made| made.1);
        let renamed = || function.recipe.renamed(renames, &fingerprint);
        let recipe = known.entry(of).or_insert_with(renamed).clone();
        function.recipe = recipe;
    }
}

fn exchange(live: &mut Live, other: &mut Live) {
    std::mem::swap(&mut live.functions, &mut other.functions);
    std::mem::swap(&mut live.metas, &mut other.metas);
    std::mem::swap(&mut live.globals, &mut other.globals);
    std::mem::swap(&mut live.orphans, &mut other.orphans);
    std::mem::swap(&mut live.shapes, &mut other.shapes);
    std::mem::swap(&mut live.layouts, &mut other.layouts);
    std::mem::swap(&mut live.history, &mut other.history);
    std::mem::swap(&mut live.closures, &mut other.closures);
    std::mem::swap(&mut live.checked, &mut other.checked);
}

/// Makes the other description. What several parts share they go on sharing.
struct Maker<'a> {
    renames: &'a Renames,
    bodies: FxHashMap<*const Body, Arc<Body>>,
    pasts: FxHashMap<*const TypeLayouts, Past>,
}

impl Maker<'_> {
    /// What [`exchange`] takes; the rest is empty.
    fn live(&mut self, live: &Live) -> Live {
        let renames = self.renames;
        let functions = live.functions.iter().map(|(of, function)| (renames.instance(*of), self.function(function)));
        let functions = functions.collect();
        let orphans = live.orphans.iter().map(|of| self.function(of)).collect();
        let metas = live.metas.iter().map(|(unit, list)| (*unit, list.iter().map(|of| self.meta(of)).collect()));
        Live {
            functions,
            metas: metas.collect(),
            globals: live.globals.iter().map(|(path, of)| (renames.path(*path), renames.global(of))).collect(),
            orphans,
            shapes: live.shapes.renamed(renames),
            layouts: Arc::new(live.layouts.renamed(renames)),
            history: Arc::new(live.history.renamed(renames)),
            closures: Arc::new(live.closures.iter().map(|(of, next)| (renames.instance(*of), *next)).collect()),
            checked: Arc::new(self.checked(&live.checked)),
            ..Live::default()
        }
    }

    /// The program, with the bodies that are described for its code.
    fn checked(&mut self, checked: &Checked) -> Checked {
        let mut other = self.renames.checked(checked);
        for (of, function) in &checked.functions {
            if let Some(renamed) = other.functions.get_mut(&self.renames.instance(*of)) {
                renamed.body = self.body(&function.body);
            }
        }
        for (path, global) in &checked.globals {
            let renamed = other.globals.get_mut(&self.renames.path(*path));
            if let Some((renamed, init)) = renamed.zip(global.init.as_ref()) {
                renamed.init = Some(self.body(init));
            }
        }
        other
    }

    fn body(&mut self, body: &Arc<Body>) -> Arc<Body> {
        self.bodies.entry(Arc::as_ptr(body)).or_insert_with(|| self.renames.body(body)).clone()
    }

    fn function(&mut self, function: &LiveFunction) -> LiveFunction {
        let renames = self.renames;
        LiveFunction {
            body: self.body(&function.body),
            types: function.types.iter().map(|ty| renames.ty(*ty)).collect(),
            signature: function.signature.renamed(renames),
            summary: function.summary.renamed(renames),
            direct: function.direct.iter().map(|callee| renames.instance(*callee)).collect(),
            meta: self.meta(&function.meta),
            ..function.clone()
        }
    }

    /// The types of a version before, which code goes by that a save has left behind.
    fn past(&mut self, past: &Past) -> Past {
        let renames = self.renames;
        let renamed = || Past {
            checked: Arc::new(renames.checked(&past.checked)),
            layouts: Arc::new(past.layouts.renamed(renames)),
            history: Arc::new(past.history.renamed(renames)),
        };
        self.pasts.entry(Arc::as_ptr(&past.layouts)).or_insert_with(renamed).clone()
    }

    fn meta(&mut self, meta: &Arc<FunctionMeta>) -> Arc<FunctionMeta> {
        let (instance, body) = (self.renames.instance(meta.instance), self.body(&meta.body));
        let frame = meta.frame.renamed(self.renames);
        let same = instance == meta.instance && Arc::ptr_eq(&body, &meta.body) && frame == *meta.frame;
        let resumed = meta.resumed.as_ref().map(|body| Arc::new(body.renamed(self.renames)));
        let past = meta.past.as_ref().map(|past| self.past(past));
        if same && past.is_none() && resumed == meta.resumed {
            return meta.clone();
        }
        Arc::new(FunctionMeta { instance, body, frame: Arc::new(frame), resumed, past, ..(**meta).clone() })
    }
}
