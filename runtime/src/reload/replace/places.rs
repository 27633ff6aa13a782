//! White space moves the places in code that goes on in the middle of a loop, too: it is in no slot, but made of the
//! running text.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use vaisjit_codegen::clif;
use vaisjit_codegen::layout::TypeLayouts;
use vaisjit_codegen::lower::{Options, lower_resumed};
use vaisjit_semantics::{Checked, Instance, hir};

use crate::live::{FunctionMeta, Live};

/// What is known of a function of a unit from now on: the unit's key in `Live::metas`, the function's index.
pub(crate) type Moved = (usize, usize, Arc<FunctionMeta>);

/// For functions whose code stays while their text moves: the new places of loops that run on in code of their own.
pub(crate) fn moved(
    refreshed: &FxHashMap<Instance, Arc<hir::Body>>,
    live: &Live,
    checked: &Checked,
    layouts: &TypeLayouts,
) -> Vec<Moved> {
    let mut found = Vec::new();
    // Code of its own is in no slot.
    for (unit, metas) in live.retired.keys().filter_map(|unit| live.metas.get_key_value(unit)) {
        for (index, meta) in metas.iter().enumerate().filter(|(_, meta)| meta.resumed.is_some()) {
            let is_running =
                || live.functions.get(&meta.instance).is_some_and(|now| Arc::ptr_eq(&now.body, &meta.body));
            let body = refreshed.get(&meta.instance).filter(|_| is_running());
            found.extend(body.and_then(|body| Some((*unit, index, again(meta, body, checked, layouts)?))));
        }
    }
    found
}

fn again(
    meta: &FunctionMeta,
    body: &Arc<hir::Body>,
    checked: &Checked,
    layouts: &TypeLayouts,
) -> Option<Arc<FunctionMeta>> {
    let before = meta.resumed.as_ref()?;
    let from = before.resumed.as_ref()?;
    let made = lower_resumed(body, from.at, &from.have, checked, layouts, Options::all(true)).ok()?;
    let same = made.fingerprint() == before.fingerprint();
    same.then(|| {
        Arc::new(FunctionMeta {
            body: body.clone(),
            locations: clif::locations(&made).into(),
            resumed: Some(Arc::new(made)),
            item: body.item,
            frozen: None,
            ..meta.clone()
        })
    })
}
