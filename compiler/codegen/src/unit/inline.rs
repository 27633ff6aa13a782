//! Inlining of small functions into their direct callers, callees before callers.
//!
//! Cranelift copies the body; which, is decided here. Where an instruction comes from is kept through the copying by
//! debug tags: each carries its function and location, and Cranelift puts the tags of the call in front.

use std::borrow::Cow;
use std::sync::Arc;

use cranelift::prelude::FunctionBuilderContext;
use cranelift_codegen::Context;
use cranelift_codegen::inline::{Inline, InlineCommand};
use cranelift_codegen::ir::{self, DebugTag, ExternalName};
use cranelift_codegen::isa::TargetIsa;
use cranelift_codegen::settings::OptLevel;
use rustc_hash::{FxHashMap, FxHashSet};
use vaisjit_semantics::Instance;

use super::parallel::on_threads;
use super::{MachineFunction, UnitInput, error_text};
use crate::clif::frame::FrameLayout;
use crate::clif::{CompileError, Env, Numbers, translate};
use crate::info::{cold, is_cold, warm};
use crate::link::{Import, Link, Linker};
use crate::mir::{Body, Callee, StatementKind};

/// Instructions of a body that may be inlined anywhere; chosen by feel.
const SMALL: usize = 60;
/// Blocks of such a body.
const SMALL_BLOCKS: usize = 16;
/// Bytes of its stack slots.
const SMALL_FRAME: u64 = 256;
/// Instructions a function may grow to by inlining.
const GROWN: usize = 3000;
/// Instructions a function may grow to by inlining itself, and how often it does.
const UNROLLED: usize = 250;
const UNROLL_ROUNDS: usize = 3;

/// A place in an inlined body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InlinedLocation {
    /// The function whose body was inlined.
    pub instance: Instance,
    /// Number of the location in that function's table.
    pub location: u32,
    /// Number of the call's location, in the caller's table or above it.
    pub call: u32,
}

/// Is there a call in the unit that may be inlined?
pub(super) fn wanted(input: &UnitInput<'_>, linker: &dyn Linker, isa: &dyn TargetIsa) -> bool {
    isa.flags().opt_level() != OptLevel::None
        && input.functions.iter().any(|body| {
            calls(body).any(|callee| {
                linker.link(body.instance, callee) == Link::Direct && linker.may_inline(body.instance, callee)
            })
        })
}

fn calls(body: &Body) -> impl Iterator<Item = Instance> {
    let statements = body.blocks.iter().flat_map(|(_, block)| &block.statements);
    statements.filter_map(|statement| match &statement.kind {
        StatementKind::Call(call) => match call.callee {
            Callee::Function(instance, _) => Some(instance),
            _ => None,
        },
        _ => None,
    })
}

/// Compiles the functions of a unit with their small callees inlined.
pub(super) fn compile(
    input: &UnitInput<'_>,
    env: &Env<'_>,
    threads: usize,
) -> Result<Vec<MachineFunction>, CompileError> {
    let mut unit = Unit::new(input);
    unit.translate(env)?;
    unit.inline(env)?;
    let imports: Arc<[Import]> = unit.numbers.iter().cloned().collect();
    let isa = env.isa;
    on_threads(threads, input.functions.len(), |compiler, index| {
        let function = &unit.functions[index];
        compiler.context.clear();
        compiler.context.func = function.clif.clone();
        let locations = unit.take_tags(index, &mut compiler.context.func);
        let mut machine = compiler.finish(function.body.instance, isa, imports.clone(), function.frame.clone())?;
        machine.inlined = locations;
        Ok(machine)
    })
}

/// A function on its way.
struct Function<'a> {
    body: &'a Body,
    /// The block it takes over.
    keep: Option<&'a FrameLayout>,
    /// Its code: as translated, then with its callees inlined.
    clif: ir::Function,
    frame: FrameLayout,
    /// What is inlined elsewhere, if it is small: its code without what it inlined of itself.
    small: Option<ir::Function>,
}

struct Unit<'a> {
    functions: Vec<Function<'a>>,
    by_instance: FxHashMap<Instance, usize>,
    numbers: Numbers,
}

impl<'a> Unit<'a> {
    fn new(input: &UnitInput<'a>) -> Unit<'a> {
        let mut unit = Unit { functions: Vec::new(), by_instance: FxHashMap::default(), numbers: Numbers::default() };
        for (index, body) in input.functions.iter().chain(&input.inline).enumerate() {
            let number = unit.functions.len();
            if index >= input.functions.len() && unit.by_instance.contains_key(&body.instance) {
                continue;
            }
            unit.by_instance.insert(body.instance, number);
            let (clif, frame) = (ir::Function::new(), FrameLayout::default());
            let keep = input.keep(index);
            unit.functions.push(Function { body, keep, clif, frame, small: None });
        }
        unit
    }

    fn translate(&mut self, env: &Env<'_>) -> Result<(), CompileError> {
        let env = Env { inlining: true, ..*env };
        let mut scratch = FunctionBuilderContext::new();
        for (number, function) in (0u32..).zip(&mut self.functions) {
            let Function { body, clif, keep, .. } = function;
            let keep = *keep;
            function.frame = translate(body, number, &env, &mut self.numbers, clif, &mut scratch, keep)?;
            tag(clif, number, body.location_count() as usize <= SMALL);
        }
        Ok(())
    }

    /// Inlines into every function, callees first; of the calls that close a circle only those of a function by itself
    /// are replaced.
    fn inline(&mut self, env: &Env<'_>) -> Result<(), CompileError> {
        let mut entered = FxHashSet::default();
        for root in 0..self.functions.len() {
            let mut stack = vec![(root, 0)];
            if !entered.insert(root) {
                continue;
            }
            while let Some((number, next)) = stack.pop() {
                let callee = calls(self.functions[number].body).nth(next);
                let Some(callee) = callee else {
                    self.inline_into(number, env)?;
                    continue;
                };
                stack.push((number, next + 1));
                if let Some(callee) = self.by_instance.get(&callee)
                    && entered.insert(*callee)
                {
                    stack.push((*callee, 0));
                }
            }
        }
        Ok(())
    }

    fn inline_into(&mut self, number: usize, env: &Env<'_>) -> Result<(), CompileError> {
        let clif = std::mem::replace(&mut self.functions[number].clif, ir::Function::new());
        let mut context = Context::for_function(clif);
        self.inline_calls(number, &mut context, env, GROWN)?;
        let function = &mut self.functions[number];
        // A polled loop of a hot program is replaced by itself when it is edited, so it stays apart.
        let polled = env.linker.hot() && function.body.loops.iter().any(|info| info.polled);
        // What a block on the data stack leads to belongs to one function.
        if !polled && function.body.cleanup.is_none() && is_small(&context.func) {
            function.small = Some(context.func.clone());
            for _ in 0..UNROLL_ROUNDS {
                if !self.inline_calls(number, &mut context, env, UNROLLED)? {
                    break;
                }
            }
        }
        self.functions[number].clif = context.func;
        Ok(())
    }

    /// Inlines into the function of the context until it has grown to a size. Was there anything to inline?
    fn inline_calls(
        &self,
        number: usize,
        context: &mut Context,
        env: &Env<'_>,
        limit: usize,
    ) -> Result<bool, CompileError> {
        let caller = self.functions[number].body.instance;
        let policy = Policy { unit: self, env, caller, size: instructions(&context.func), limit };
        let fail = |error| CompileError { function: Some(caller), message: error_text(&error) };
        context.inline(policy).map_err(fail)
    }

    /// Turns the tags of a finished function into locations: its own keep their number, those of inlined bodies get
    /// numbers above.
    fn take_tags(&self, number: usize, clif: &mut ir::Function) -> Vec<InlinedLocation> {
        let own = self.functions[number].body.location_count();
        let mut numbers = FxHashMap::default();
        let mut inlined = Vec::new();
        for block in clif.layout.blocks().collect::<Vec<_>>() {
            for inst in clif.layout.block_insts(block).collect::<Vec<_>>() {
                let mut at = 0;
                let tags: Vec<DebugTag> = clif.debug_tags.get(inst).to_vec();
                for (depth, pair) in tags.chunks_exact(2).enumerate() {
                    let [DebugTag::User(function), DebugTag::User(location)] = *pair else { continue };
                    at = if depth == 0 {
                        location
                    } else {
                        *numbers.entry((function, location, at)).or_insert_with(|| {
                            let instance = self.functions[function as usize].body.instance;
                            inlined.push(InlinedLocation { instance, location, call: at });
                            own + inlined.len() as u32
                        })
                    };
                }
                if tags.len() > 2 {
                    let place = ir::SourceLoc::new(at);
                    clif.set_srcloc(inst, if is_cold(clif.srcloc(inst)) { cold(place) } else { place });
                }
            }
        }
        clif.debug_tags.clear();
        inlined
    }
}

/// Marks instructions with their function and location: all of them in a function that may be inlined itself, else
/// those that may be replaced by a body.
fn tag(clif: &mut ir::Function, number: u32, all: bool) {
    for block in clif.layout.blocks().collect::<Vec<_>>() {
        for inst in clif.layout.block_insts(block).collect::<Vec<_>>() {
            let location = clif.srcloc(inst);
            if !location.is_default() && (all || clif.dfg.insts[inst].opcode() == ir::Opcode::Call) {
                clif.debug_tags.set(inst, [DebugTag::User(number), DebugTag::User(warm(location).bits())]);
            }
        }
    }
}

fn instructions(clif: &ir::Function) -> usize {
    clif.layout.blocks().map(|block| clif.layout.block_insts(block).count()).sum()
}

/// Only a small function may be inlined; it was small before its own callees were, so all of it carries tags.
fn is_small(clif: &ir::Function) -> bool {
    let frame: u64 = clif.sized_stack_slots.values().map(|slot| u64::from(slot.size)).sum();
    clif.layout.blocks().count() <= SMALL_BLOCKS && frame <= SMALL_FRAME && instructions(clif) <= SMALL
}

/// Decides about the calls in one function.
struct Policy<'u, 'a> {
    unit: &'u Unit<'a>,
    env: &'u Env<'u>,
    caller: Instance,
    size: usize,
    limit: usize,
}

impl<'u> Policy<'u, '_> {
    fn candidate(&self, caller: &ir::Function, callee: ir::FuncRef) -> Option<&'u ir::Function> {
        let ExternalName::User(name) = caller.dfg.ext_funcs[callee].name else { return None };
        let number = caller.params.user_named_funcs()[name].index;
        let Some(Import::Function(instance)) = self.unit.numbers.get_index(number as usize) else { return None };
        let number = *self.unit.by_instance.get(instance)?;
        let body = self.unit.functions[number].small.as_ref()?;
        let same = caller.dfg.signatures[caller.dfg.ext_funcs[callee].signature] == body.signature;
        (same && self.env.linker.may_inline(self.caller, *instance)).then_some(body)
    }
}

impl Inline for Policy<'_, '_> {
    fn inline(
        &mut self,
        caller: &ir::Function,
        _: ir::Inst,
        _: ir::Opcode,
        callee: ir::FuncRef,
        _: &[ir::Value],
    ) -> InlineCommand<'_> {
        let Some(body) = self.candidate(caller, callee) else { return InlineCommand::KeepCall };
        let size = self.size + instructions(body);
        if size > self.limit {
            return InlineCommand::KeepCall;
        }
        self.size = size;
        InlineCommand::Inline { callee: Cow::Borrowed(body), visit_callee: false }
    }
}
