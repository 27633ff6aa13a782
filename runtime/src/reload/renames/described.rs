//! The description of the running program with other names of items. Its code and its values are not touched.

use std::sync::Arc;

use rustc_hash::FxHashSet;
use vaisjit_semantics::{Instance, Renames};

use crate::linkage::Linkage;
use crate::live::{FunctionMeta, Live, LiveFunction};
use crate::reload::links::Links;

/// The running program under the names that a version which is being prepared has for it.
pub(crate) struct Described {
    renames: Renames,
    other: Live,
}

impl Described {
    pub fn new(live: &Live, renames: Renames) -> Described {
        Described { other: renamed(live, &renames), renames }
    }

    /// Describes the running program by the new names.
    pub fn enter(&mut self, live: &mut Live, linkage: &mut Linkage) {
        // Code may have been freed meanwhile.
        self.other.metas.retain(|unit, _| live.metas.contains_key(unit));
        exchange(live, &mut self.other);
        linkage.rename(&self.renames);
    }

    /// Describes it as before.
    pub fn leave(&mut self, live: &mut Live, linkage: &mut Linkage) {
        exchange(live, &mut self.other);
        linkage.rename(&self.renames.inverse());
    }

    /// Does something under the new names with what is linked.
    pub fn within(&self, linkage: &mut Linkage, act: impl FnOnce(&mut Linkage)) {
        linkage.rename(&self.renames);
        act(linkage);
        linkage.rename(&self.renames.inverse());
    }

    /// Links of the running version under the new names.
    pub fn links(&self, links: &Links) -> Links {
        links.renamed(&self.renames)
    }

    /// Functions under the new names.
    pub fn functions(&self, functions: &FxHashSet<Instance>) -> FxHashSet<Instance> {
        functions.iter().map(|function| self.renames.instance(*function)).collect()
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

/// What [`exchange`] takes; the rest is empty.
fn renamed(live: &Live, renames: &Renames) -> Live {
    let functions = live.functions.iter().map(|(instance, of)| (renames.instance(*instance), function(of, renames)));
    let metas = live.metas.iter().map(|(unit, list)| (*unit, list.iter().map(|of| meta(of, renames)).collect()));
    Live {
        functions: functions.collect(),
        metas: metas.collect(),
        globals: live.globals.iter().map(|(path, of)| (renames.path(*path), renames.global(of))).collect(),
        orphans: live.orphans.iter().map(|of| function(of, renames)).collect(),
        shapes: live.shapes.renamed(renames),
        layouts: Arc::new(live.layouts.renamed(renames)),
        history: Arc::new(live.history.renamed(renames)),
        closures: Arc::new(live.closures.iter().map(|(of, next)| (renames.instance(*of), *next)).collect()),
        checked: Arc::new(renames.checked(&live.checked)),
        ..Live::default()
    }
}

fn function(function: &LiveFunction, renames: &Renames) -> LiveFunction {
    LiveFunction {
        body: renames.body(&function.body),
        types: function.types.iter().map(|ty| renames.ty(*ty)).collect(),
        signature: function.signature.renamed(renames),
        summary: function.summary.renamed(renames),
        direct: function.direct.iter().map(|callee| renames.instance(*callee)).collect(),
        meta: meta(&function.meta, renames),
        ..function.clone()
    }
}

fn meta(meta: &Arc<FunctionMeta>, renames: &Renames) -> Arc<FunctionMeta> {
    let (instance, body, frame) =
        (renames.instance(meta.instance), renames.body(&meta.body), meta.frame.renamed(renames));
    if instance == meta.instance && Arc::ptr_eq(&body, &meta.body) && frame == *meta.frame {
        return meta.clone();
    }
    Arc::new(FunctionMeta { instance, body, frame: Arc::new(frame), ..(**meta).clone() })
}
