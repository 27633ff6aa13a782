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
use rustc_hash::{FxHashMap, FxHashSet};
use vaisjit_semantics::Instance;

use super::parallel::on_threads;
use super::{MachineFunction, UnitInput, error_text};
use crate::clif::frame::FrameLayout;
use crate::clif::{CompileError, Env, Numbers, translate};
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
pub(super) fn wanted(input: &UnitInput<'_>, linker: &dyn Linker) -> bool {
    input.functions.iter().any(|body| {
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
    clif: ir::Function,
    frame: FrameLayout,
    /// Calls in it have been inlined.
    ready: bool,
    /// May it be inlined elsewhere?
    small: bool,
}

struct Unit<'a> {
    functions: Vec<Function<'a>>,
    by_instance: FxHashMap<Instance, usize>,
    numbers: Numbers,
}

impl<'a> Unit<'a> {
    fn new(input: &UnitInput<'a>) -> Unit<'a> {
        let mut unit = Unit { functions: Vec::new(), by_instance: FxHashMap::default(), numbers: Numbers::default() };
        for body in input.functions.iter().chain(&input.inline) {
            let number = unit.functions.len();
            if unit.by_instance.contains_key(&body.instance) {
                continue;
            }
            unit.by_instance.insert(body.instance, number);
            let (clif, frame) = (ir::Function::new(), FrameLayout::default());
            unit.functions.push(Function { body, clif, frame, ready: false, small: false });
        }
        unit
    }

    fn translate(&mut self, env: &Env<'_>) -> Result<(), CompileError> {
        let env = Env { inlining: true, ..*env };
        let mut scratch = FunctionBuilderContext::new();
        for (number, function) in (0u32..).zip(&mut self.functions) {
            let Function { body, clif, .. } = function;
            function.frame = translate(body, number, &env, &mut self.numbers, clif, &mut scratch)?;
            tag(clif, number);
        }
        Ok(())
    }

    /// Inlines into every function, callees first; a call that closes a circle stays.
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
        let instance = self.functions[number].body.instance;
        let clif = std::mem::replace(&mut self.functions[number].clif, ir::Function::new());
        let grown = instructions(&clif);
        let mut context = Context::for_function(clif);
        let policy = Policy { unit: self, env, caller: instance, grown };
        context.inline(policy).map_err(|error| CompileError {
            function: Some(instance),
            message: error_text(&error),
        })?;
        let function = &mut self.functions[number];
        function.clif = context.func;
        function.ready = true;
        function.small = function.frame.size == 0 && is_small(&function.clif);
        Ok(())
    }

    /// Turns the tags of a finished function into locations: its own keep their number, those of inlined bodies get
    /// numbers above.
    fn take_tags(&self, number: usize, clif: &mut ir::Function) -> Vec<InlinedLocation> {
        let own = location_count(self.functions[number].body);
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
                    clif.set_srcloc(inst, ir::SourceLoc::new(at));
                }
            }
        }
        clif.debug_tags.clear();
        inlined
    }
}

fn location_count(body: &Body) -> u32 {
    body.blocks.iter().map(|(_, block)| block.statements.len() as u32 + 1).sum()
}

/// Marks every instruction with its function and location.
fn tag(clif: &mut ir::Function, number: u32) {
    for block in clif.layout.blocks().collect::<Vec<_>>() {
        for inst in clif.layout.block_insts(block).collect::<Vec<_>>() {
            let location = clif.srcloc(inst);
            if !location.is_default() {
                clif.debug_tags.set(inst, [DebugTag::User(number), DebugTag::User(location.bits())]);
            }
        }
    }
}

fn instructions(clif: &ir::Function) -> usize {
    clif.layout.blocks().map(|block| clif.layout.block_insts(block).count()).sum()
}

fn is_small(clif: &ir::Function) -> bool {
    let frame: u64 = clif.sized_stack_slots.values().map(|slot| u64::from(slot.size)).sum();
    clif.layout.blocks().count() <= SMALL_BLOCKS && frame <= SMALL_FRAME && instructions(clif) <= SMALL
}

/// Decides about the calls in one function.
struct Policy<'u, 'a> {
    unit: &'u Unit<'a>,
    env: &'u Env<'u>,
    caller: Instance,
    grown: usize,
}

impl Policy<'_, '_> {
    fn candidate(&self, caller: &ir::Function, callee: ir::FuncRef) -> Option<usize> {
        let ExternalName::User(name) = caller.dfg.ext_funcs[callee].name else { return None };
        let number = caller.params.user_named_funcs()[name].index;
        let Some(Import::Function(instance)) = self.unit.numbers.get_index(number as usize) else { return None };
        let number = *self.unit.by_instance.get(instance)?;
        let function = &self.unit.functions[number];
        let same = caller.dfg.signatures[caller.dfg.ext_funcs[callee].signature] == function.clif.signature;
        (function.ready && function.small && same && self.env.linker.may_inline(self.caller, *instance))
            .then_some(number)
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
        let Some(number) = self.candidate(caller, callee) else { return InlineCommand::KeepCall };
        let clif = &self.unit.functions[number].clif;
        self.grown += instructions(clif);
        if self.grown > GROWN {
            return InlineCommand::KeepCall;
        }
        InlineCommand::Inline { callee: Cow::Borrowed(clif), visit_callee: false }
    }
}
