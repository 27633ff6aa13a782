//! Which calls are direct and which go through slots, and in which groups functions are compiled.
//!
//! A hot function is always called through its slot. A function without `#[hot]` may be called directly, but only from
//! a *still* function: one that cannot meet a safepoint while it runs, because it has no polled loop, calls no host
//! function and calls nothing but still functions, directly. While threads are stopped for a commit no still function
//! is running, so the commit may replace it together with whatever it calls, and nobody ever continues into code that a
//! save has replaced. Every other caller loads the slot, so its next call runs the new code.

use rustc_hash::{FxHashMap, FxHashSet};
use vaisjit_codegen::link::{Link, Linker};
use vaisjit_codegen::mir::{self, Callee, StatementKind};
use vaisjit_semantics::{Instance, Renames};
use vaisjit_syntax::Name;

use crate::host::HostTable;

/// What linking needs to know of a function's body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The functions it calls, each once, in the order of its text.
    pub callees: Box<[Instance]>,
    /// Can a safepoint be met in its own code?
    pub meets_safepoints: bool,
    /// Does it call function values, or methods of `dyn`s?
    pub calls_values: bool,
}

impl Summary {
    /// Reads a body; `is_leaf` tells host and C functions that are no safepoints: leaves, and those of the heap.
    pub fn of(body: &mir::Body, is_leaf: &dyn Fn(&Callee) -> bool) -> Summary {
        let mut callees = Vec::new();
        let mut seen = FxHashSet::default();
        let (mut meets_safepoints, mut calls_values) = (false, false);
        for block in body.with_cleanup().flat_map(|body| body.blocks.values()) {
            for statement in &block.statements {
                match &statement.kind {
                    StatementKind::Safepoint(_) => meets_safepoints = true,
                    StatementKind::Call(call) => match &call.callee {
                        Callee::Function(instance, _) if seen.insert(*instance) => callees.push(*instance),
                        Callee::Function(..) => {}
                        other => {
                            meets_safepoints |= !is_leaf(other);
                            calls_values |= matches!(other, Callee::Value(..) | Callee::Slot(..));
                        }
                    },
                    _ => {}
                }
            }
        }
        Summary { callees: callees.into(), meets_safepoints, calls_values }
    }

    /// The same with other names of items.
    pub fn renamed(&self, renames: &Renames) -> Summary {
        let callees = self.callees.iter().map(|callee| renames.instance(*callee)).collect();
        Summary { callees, ..*self }
    }
}

/// The choice for a whole program.
#[derive(Clone, Debug, Default)]
pub struct Links {
    /// No slots at all (`--static`).
    all_direct: bool,
    /// Functions that are still and not called through slots.
    still: FxHashSet<Instance>,
}

impl Links {
    /// The same with other names of items.
    pub fn renamed(&self, renames: &Renames) -> Links {
        let still = self.still.iter().map(|function| renames.instance(*function)).collect();
        Links { still, ..*self }
    }

    /// Everything is called directly.
    pub fn direct() -> Links {
        Links { all_direct: true, still: FxHashSet::default() }
    }

    /// Chooses for these functions; `slotted` are those that are called through slots whoever calls them: hot ones and
    /// those that have been edited before.
    pub fn choose<'a>(
        functions: impl Iterator<Item = (Instance, &'a Summary)>,
        slotted: &dyn Fn(Instance) -> bool,
    ) -> Links {
        let mut candidates: FxHashMap<Instance, &Summary> =
            functions.filter(|(_, summary)| !summary.meets_safepoints).collect();
        let mut callers: FxHashMap<Instance, Vec<Instance>> = FxHashMap::default();
        let mut out: Vec<Instance> = Vec::new();
        for (caller, summary) in &candidates {
            for callee in &summary.callees {
                callers.entry(*callee).or_default().push(*caller);
                if slotted(*callee) || !candidates.contains_key(callee) {
                    out.push(*caller);
                }
            }
        }
        while let Some(instance) = out.pop() {
            if candidates.remove(&instance).is_some() {
                out.extend(callers.get(&instance).into_iter().flatten());
            }
        }
        let still = candidates.into_keys().filter(|instance| !slotted(*instance)).collect();
        Links { all_direct: false, still }
    }

    /// May somebody call it directly?
    pub fn has_direct_callers(&self, callee: Instance) -> bool {
        self.all_direct || self.still.contains(&callee)
    }

    /// Does `caller` call `callee` directly? A slotted caller may itself be still as far as its own code goes, but it
    /// calls through slots, so that it never has to be compiled again because of an edit elsewhere.
    pub fn is_direct(&self, caller: Instance, callee: Instance) -> bool {
        self.all_direct || (self.still.contains(&callee) && self.still.contains(&caller))
    }
}

/// The links as the back end asks for them.
pub(crate) struct UnitLinker<'a> {
    /// The choice.
    pub links: &'a Links,
    /// Is the program hot: polled, with data stack?
    pub hot: bool,
    /// May functions be inlined into each other? Then none can be replaced by itself.
    pub inlines: bool,
    /// Tells which host functions are leaves.
    pub host: &'a HostTable,
    /// Which functions outlive the traps of what they call.
    pub guards: &'a (dyn Fn(Instance) -> bool + Sync),
}

impl Linker for UnitLinker<'_> {
    fn link(&self, caller: Instance, callee: Instance) -> Link {
        if self.links.is_direct(caller, callee) { Link::Direct } else { Link::Slot }
    }

    fn hot(&self) -> bool {
        self.hot
    }

    fn may_inline(&self, _: Instance, _: Instance) -> bool {
        self.inlines
    }

    fn guards(&self, caller: Instance) -> bool {
        (self.guards)(caller)
    }

    fn heap(&self, host: Name) -> bool {
        self.host.get(host).is_some_and(|entry| entry.flags.heap)
    }

    fn leaf(&self, host: Name) -> bool {
        self.host.get(host).is_some_and(|entry| entry.flags.leaf)
    }
}

/// Groups functions for compilation: each group is a set of functions that call each other directly in a circle
/// (mostly just one function), and callees come before their direct callers.
pub fn groups(members: &[Instance], callees: &dyn Fn(Instance) -> Vec<Instance>) -> Vec<Vec<Instance>> {
    let mut search = Tarjan {
        members: members.iter().copied().collect(),
        callees,
        state: FxHashMap::default(),
        stack: Vec::new(),
        groups: Vec::new(),
    };
    for member in members {
        if !search.state.contains_key(member) {
            search.visit(*member);
        }
    }
    search.groups
}

/// Tarjan's search for strongly connected components (SIAM Journal on Computing 1972), without recursion.
struct Tarjan<'a> {
    members: FxHashSet<Instance>,
    callees: &'a dyn Fn(Instance) -> Vec<Instance>,
    state: FxHashMap<Instance, Visit>,
    stack: Vec<Instance>,
    groups: Vec<Vec<Instance>>,
}

#[derive(Clone, Copy)]
struct Visit {
    index: usize,
    low: usize,
    on_stack: bool,
}

impl Tarjan<'_> {
    fn visit(&mut self, root: Instance) {
        let mut path = vec![(root, self.enter(root))];
        while let Some((instance, pending)) = path.last_mut() {
            let instance = *instance;
            match pending.pop() {
                Some(callee) => match self.state.get(&callee) {
                    None => {
                        let next = self.enter(callee);
                        path.push((callee, next));
                    }
                    Some(visit) if visit.on_stack => {
                        let index = visit.index;
                        self.lower(instance, index);
                    }
                    Some(_) => {}
                },
                None => {
                    path.pop();
                    let visit = self.state[&instance];
                    if let Some((caller, _)) = path.last() {
                        self.lower(*caller, visit.low);
                    }
                    if visit.low == visit.index {
                        self.close(instance);
                    }
                }
            }
        }
    }

    fn enter(&mut self, instance: Instance) -> Vec<Instance> {
        let index = self.state.len();
        self.state.insert(instance, Visit { index, low: index, on_stack: true });
        self.stack.push(instance);
        let mut callees = (self.callees)(instance);
        callees.retain(|callee| self.members.contains(callee));
        callees.reverse();
        callees
    }

    fn lower(&mut self, instance: Instance, to: usize) {
        if let Some(visit) = self.state.get_mut(&instance) {
            visit.low = visit.low.min(to);
        }
    }

    fn close(&mut self, root: Instance) {
        let mut group = Vec::new();
        while let Some(member) = self.stack.pop() {
            if let Some(visit) = self.state.get_mut(&member) {
                visit.on_stack = false;
            }
            group.push(member);
            if member == root {
                break;
            }
        }
        group.reverse();
        self.groups.push(group);
    }
}

#[cfg(test)]
mod tests {
    use vaisjit_semantics::ItemPath;

    use super::*;

    fn function(name: &str) -> Instance {
        Instance::plain(ItemPath::new("game".into(), name))
    }

    fn summaries(text: &[(&str, &[&str], bool)]) -> Vec<(Instance, Summary)> {
        text.iter()
            .map(|(name, callees, meets_safepoints)| {
                let callees = callees.iter().map(|name| function(name)).collect();
                (function(name), Summary { callees, meets_safepoints: *meets_safepoints, calls_values: false })
            })
            .collect()
    }

    fn choose(text: &[(&str, &[&str], bool)], slotted: &[&str]) -> Links {
        let functions = summaries(text);
        let slotted: Vec<Instance> = slotted.iter().map(|name| function(name)).collect();
        Links::choose(functions.iter().map(|(instance, summary)| (*instance, summary)), &|instance| {
            slotted.contains(&instance)
        })
    }

    #[test]
    fn only_still_functions_call_directly() {
        let links = choose(
            &[
                ("main", &["area", "update"], true),
                ("update", &["area"], true),
                ("area", &["square"], false),
                ("square", &[], false),
            ],
            &["update"],
        );
        assert!(links.is_direct(function("area"), function("square")));
        assert!(!links.is_direct(function("main"), function("area")));
        assert!(!links.is_direct(function("update"), function("area")));
    }

    #[test]
    fn a_call_of_a_hot_function_ends_stillness_all_the_way_up() {
        let links = choose(
            &[
                ("top", &["middle"], false),
                ("middle", &["hot", "leaf"], false),
                ("hot", &[], false),
                ("leaf", &[], false),
            ],
            &["hot"],
        );
        assert!(!links.is_direct(function("middle"), function("leaf")));
        assert!(!links.is_direct(function("top"), function("middle")));
    }

    #[test]
    fn groups_are_circles_with_callees_first() {
        let calls =
            summaries(&[("a", &["b"], false), ("b", &["c", "d"], false), ("c", &["b"], false), ("d", &["d"], false)]);
        let members: Vec<Instance> = calls.iter().map(|(instance, _)| *instance).collect();
        let found = groups(&members, &|instance| {
            let (_, summary) = calls.iter().find(|(known, _)| *known == instance).unwrap();
            summary.callees.to_vec()
        });
        let names: Vec<Vec<&str>> =
            found.iter().map(|group| group.iter().map(|instance| instance.path.name.as_str()).collect()).collect();
        assert_eq!(names, [vec!["d"], vec!["b", "c"], vec!["a"]]);
    }
}
