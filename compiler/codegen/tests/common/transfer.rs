//! What the runtime does when a loop goes on in other code, here between bodies of one version: every poll goes on in a
//! body that starts at its loop, and every poll there in one more.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Mutex;

use vaisjit_abi::CallContext;
use vaisjit_codegen::clif::frame::FrameLayout;
use vaisjit_codegen::layout::{Layouts, TypeLayouts};
use vaisjit_codegen::lower::{Options, lower_resumed};
use vaisjit_codegen::mir::Body;
use vaisjit_codegen::resume::{CarriedValue, CarryHome, CarryKey, LoopState, SPILL_RESULT, part_of};
use vaisjit_semantics::types::TyKind;
use vaisjit_semantics::{Checked, Ty, hir};

use super::{Machine, instance, key};

/// Bodies that start in the middle of loops.
#[derive(Default)]
pub struct Resumed {
    pub bodies: Vec<Body>,
    /// The blocks they take over.
    pub keep: Vec<FrameLayout>,
    /// By name of the function and number of the loop in it: the name of the body.
    pub entries: HashMap<(String, u32), String>,
}

impl Resumed {
    /// Adds bodies for the loops of a function, and for the loops of these.
    pub fn add(&mut self, hir: &hir::Body, body: &Body, program: &Checked, layouts: &TypeLayouts, options: Options) {
        let mut open = vec![(body.clone(), None, 0)];
        while let Some((from, keep, generation)) = open.pop() {
            let frame = FrameLayout::polled(&from, layouts, keep.as_ref()).unwrap();
            for state in frame.loops.iter().filter(|_| generation < 2) {
                let Ok(mut made) = lower_resumed(hir, state.id, &state.values, program, layouts, options) else {
                    continue;
                };
                made.instance = instance(&format!("resumed{}", self.bodies.len()));
                if let Some(cleanup) = &mut made.cleanup {
                    cleanup.instance = made.instance;
                }
                self.entries.insert((key(from.instance), state.number), key(made.instance));
                self.bodies.push(made.clone());
                self.keep.push(frame.clone());
                open.push((made, Some(frame.clone()), generation + 1));
            }
        }
    }
}

/// By number of a loop: where it goes on, and what is wanted there.
type Entries = HashMap<u32, (usize, FrameLayout)>;

/// What the polls of a machine need to know.
struct Table {
    /// Where code lies, what it hands over, and where its loops go on: entry and what that wants.
    functions: Vec<(Range<usize>, FrameLayout, Entries)>,
    program: Checked,
    layouts: TypeLayouts,
    buffer: Vec<u64>,
    polls: u64,
    every: u64,
    transfers: u64,
}

static TABLE: Mutex<Option<Table>> = Mutex::new(None);

/// From now on every so many polls of this machine one goes on elsewhere.
pub fn start(machine: &Machine, resumed: &Resumed, program: &Checked, every: u64) {
    let tables = machine.tables();
    let named = |name: &str| tables.iter().find(|(_, function)| key(function.instance) == name);
    let entry = |(number, name): (u32, &String)| {
        let (address, function) = named(name).expect("a resumed body in the machine");
        (number, (*address, function.frame.clone()))
    };
    let functions = tables.iter().map(|(start, function)| {
        let name = key(function.instance);
        let entries = resumed.entries.iter().filter(|((from, _), _)| *from == name);
        let entries = entries.map(|((_, number), name)| entry((*number, name))).collect();
        (*start..*start + function.info.size as usize, function.frame.clone(), entries)
    });
    let table = Table {
        functions: functions.collect(),
        program: program.clone(),
        layouts: TypeLayouts::new(program),
        buffer: vec![0; 1 << 12],
        polls: 0,
        every,
        transfers: 0,
    };
    *TABLE.lock().unwrap() = Some(table);
    machine.context.poll.store(1, std::sync::atomic::Ordering::Relaxed);
}

/// No poll goes on elsewhere any more; how many did.
pub fn stop(machine: &Machine) -> u64 {
    machine.context.poll.store(0, std::sync::atomic::Ordering::Relaxed);
    TABLE.lock().unwrap().take().map_or(0, |table| table.transfers)
}

/// The safepoint of such a machine.
pub extern "C" fn safepoint(context: *mut CallContext, spill: *const u8, number: u64) -> usize {
    let mut table = TABLE.lock().unwrap();
    let Some(table) = table.as_mut() else { return 0 };
    table.polls += 1;
    if !table.polls.is_multiple_of(table.every) {
        return 0;
    }
    // SAFETY: the thunk has recorded its frame; above its frame pointer is the address it returns to. Context, spill area
    // and block belong to the code that waits for the answer.
    unsafe {
        let caller = *((*context).exit_fp as *const usize).add(1);
        let Some((_, from, entries)) = table.functions.iter().find(|(range, ..)| range.contains(&caller)) else {
            panic!("a poll of nobody's");
        };
        let Some((entry, to)) = entries.get(&(number as u32)) else { return 0 };
        let state = from.loops.iter().find(|state| u64::from(state.number) == number).expect("a loop with a state");
        let block = (*context).data_top - from.size as usize;
        let old = Old { state, spill, block: copied(block as *const u8, from.size as usize), table };
        let values: Vec<Vec<u8>> = to.wanted.iter().map(|wanted| old.value(wanted)).collect();
        let buffer = table.buffer.as_ptr().cast_mut();
        *buffer = block as u64;
        *buffer.add(1) = spill.add(SPILL_RESULT as usize).cast::<u64>().read_unaligned();
        for (wanted, value) in to.wanted.iter().zip(values) {
            let target = match wanted.home {
                CarryHome::Word(offset) => buffer.cast::<u8>().add(offset as usize),
                CarryHome::Block(offset) => (block as *mut u8).add(offset as usize),
            };
            std::ptr::copy(value.as_ptr(), target, value.len());
        }
        (*context).carried = buffer;
        let entry = *entry;
        table.transfers += 1;
        entry
    }
}

unsafe fn copied(from: *const u8, bytes: usize) -> Vec<u8> {
    // SAFETY: by the caller.
    unsafe { std::slice::from_raw_parts(from, bytes) }.to_vec()
}

/// What a poll hands over.
struct Old<'a> {
    state: &'a LoopState,
    spill: *const u8,
    block: Vec<u8>,
    table: &'a Table,
}

impl Old<'_> {
    fn size(&self, ty: Ty) -> usize {
        self.table.layouts.layout(ty).size as usize
    }

    fn bytes(&self, value: &CarriedValue) -> Vec<u8> {
        let size = self.size(value.ty);
        match value.home {
            // SAFETY: the value lies in the spill area.
            CarryHome::Word(offset) => unsafe { copied(self.spill.add(offset as usize), size) },
            CarryHome::Block(offset) => self.block[offset as usize..offset as usize + size].to_vec(),
        }
    }

    /// The value that new code wants: as it is, a part of one, or put together of parts.
    fn value(&self, wanted: &CarriedValue) -> Vec<u8> {
        let key = wanted.key;
        let part = |ty, path| part_of(ty, path, &self.table.program, &self.table.layouts).unwrap().0 as usize;
        if let Some(same) = self.state.values.iter().find(|value| value.key == key) {
            assert_eq!((same.ty, same.owned), (wanted.ty, wanted.owned), "{key}");
            return self.bytes(same);
        }
        let whole = self.state.values.iter().find(|value| value.key == CarryKey { part: None, ..key });
        if let (Some(path), Some(whole)) = (key.part, whole) {
            let at = part(whole.ty, path);
            return self.bytes(whole)[at..at + self.size(wanted.ty)].to_vec();
        }
        let mut made = vec![0; self.size(wanted.ty)];
        let parts = self.state.values.iter().filter(|value| (value.key.name, value.key.nth) == (key.name, key.nth));
        let mut any = matches!(wanted.ty.kind(), TyKind::Struct(..)) && made.is_empty();
        for value in parts {
            let (at, bytes) = (part(wanted.ty, value.key.part.expect("a part")), self.bytes(value));
            made[at..at + bytes.len()].copy_from_slice(&bytes);
            any = true;
        }
        assert!(any, "{key} is handed over by nobody");
        made
    }
}
