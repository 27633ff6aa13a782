//! Traps: from a signal in generated code to a value at the entry.
//!
//! The handler notes where the frames are, and makes the thread go on in the handler of the innermost entry
//! trampoline. Everything else happens afterwards, in ordinary code.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cranelift_codegen::ir::TrapCode as Cranelift;
use vaisjit_abi::TrapCode;
use vaisjit_abi::trap::{FAILED_CHECK, PENDING};

use super::held::Held;
use super::registry::find;
use super::thread::ThreadRecord;
use super::unit::{CodeUnit, NO_LOCATION};

/// How many frames a trap keeps, counted from the innermost.
const FRAMES: usize = 256;
/// Addresses below this are null pointers with an offset.
pub(super) const NULL_PAGE: usize = 4096;

/// A trap as it arrives at the entry.
#[derive(Clone, Debug)]
pub struct RawTrap {
    /// What happened.
    pub code: TrapCode,
    /// The address that could not be used, if the machine told it.
    pub address: Option<usize>,
    /// What a host function had to say.
    pub message: Option<String>,
    /// Generated frames, innermost first. A trap that passed through a callback has the frames on both sides of it.
    pub frames: Vec<RawFrame>,
    /// How many frames are missing at the end of `frames`.
    pub truncated: usize,
    /// What the machine held of the variables of the innermost frame, by their labels.
    pub values: Vec<(u32, u64)>,
    /// What it has stored of them on the way to the trap, by their numbers among its named ones.
    pub shown: Vec<(usize, u64)>,
    /// Traps in what was deferred in the calls that it has ended, in the order in which they came.
    pub deferred: Vec<RawTrap>,
    /// Does `frames` reach down to the entry of the current activation already?
    pub(super) complete: bool,
}

impl RawTrap {
    /// A trap that happened outside generated code.
    pub fn new(code: TrapCode, message: Option<String>) -> RawTrap {
        RawTrap {
            code,
            address: None,
            message,
            frames: Vec::new(),
            truncated: 0,
            values: Vec::new(),
            shown: Vec::new(),
            deferred: Vec::new(),
            complete: false,
        }
    }
}

impl fmt::Display for RawTrap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message.as_deref().unwrap_or(self.code.message()))
    }
}

/// One frame of generated code.
#[derive(Clone, Debug)]
pub struct RawFrame {
    /// The code it ran; kept alive.
    pub unit: Arc<CodeUnit>,
    /// Which function of the unit.
    pub function: usize,
    /// Where in it: [`NO_LOCATION`](super::NO_LOCATION) if unknown.
    pub srcloc: u32,
}

impl RawFrame {
    /// The name of its function.
    pub fn name(&self) -> &str {
        self.unit.name(self.function)
    }
}

/// What a signal handler notes down. It belongs to its thread.
pub(super) struct TrapBuffer {
    /// The number at the trapping instruction, or one of [`TrapCode`].
    pub(super) code: u8,
    pub(super) address: Option<usize>,
    pcs: [usize; FRAMES],
    /// How many frames there were, `pcs` holds the first of them.
    count: usize,
    /// What the machine held of the innermost.
    pub(super) held: Held,
    pub(super) has_values: bool,
}

impl Default for TrapBuffer {
    fn default() -> Self {
        TrapBuffer { code: 0, address: None, pcs: [0; FRAMES], count: 0, held: Held::default(), has_values: false }
    }
}

impl TrapBuffer {
    pub(super) fn begin(&mut self, code: u8, address: Option<usize>) {
        (self.code, self.address, self.count, self.has_values) = (code, address, 0, false);
    }

    /// The values of the innermost frame's variables that are known.
    fn values(&self) -> Vec<(u32, u64)> {
        let Some(found) = find(self.pcs[0]).filter(|_| self.has_values && self.count > 0) else { return Vec::new() };
        // SAFETY: as in `frame`.
        let unit = unsafe { found.unit() };
        if unit.is_cleanup(found.function) {
            return Vec::new();
        }
        self.held.values(unit, found.function, found.offset)
    }

    pub(super) fn push(&mut self, pc: usize) {
        match self.pcs.get_mut(self.count) {
            Some(place) => *place = pc,
            // No call of the program's, and nobody looks at it any more.
            None if is_guard(pc) => return,
            None => {}
        }
        self.count += 1;
    }
}

/// Does this place of a stack belong to a guard's thunk?
fn is_guard(pc: usize) -> bool {
    // SAFETY: the place is on the stack of the thread whose handler this is.
    find(pc).is_some_and(|found| !unsafe { found.unit() }.info(found.function).handlers.is_empty())
}

/// Makes a value of what the handler noted, on the thread that trapped, before anybody can free code.
pub(super) fn take(record: &ThreadRecord) -> Box<RawTrap> {
    let shown = record.take_shown();
    // SAFETY: only this thread touches the cell, and no reference to it outlives this statement.
    if let Some(trap) = unsafe { (*record.landed.get()).take() } {
        return trap;
    }
    // SAFETY: the handler has returned; only this thread touches the buffer.
    let buffer = unsafe { &*record.caught.get() };
    let known = &buffer.pcs[..buffer.count.min(FRAMES)];
    let mut frames: Vec<RawFrame> = known.iter().filter_map(|pc| frame(*pc)).collect();
    if let Some(first) = frames.first_mut().filter(|_| buffer.code == Cranelift::STACK_OVERFLOW.as_raw().get()) {
        // It has not begun: what lies beside the instruction that says so belongs to anything.
        first.srcloc = NO_LOCATION;
    }
    let truncated = buffer.count - known.len();
    let interrupted = record.interrupted.load(Ordering::SeqCst);
    if buffer.code == PENDING {
        let pending = record.take_pending();
        let mut trap = match pending {
            Some(trap) if !interrupted => trap,
            _ => Box::new(RawTrap::new(TrapCode::Interrupted, None)),
        };
        if !std::mem::take(&mut trap.complete) {
            if trap.frames.is_empty() {
                trap.shown = shown;
            }
            trap.frames.extend(frames);
            trap.truncated += truncated;
        }
        return trap;
    }
    let code = match trap_code(buffer.code) {
        TrapCode::StackOverflow if interrupted => TrapCode::Interrupted,
        code => code,
    };
    let values = buffer.values();
    let message = (buffer.code == FAILED_CHECK).then(|| {
        let [index, length] = record.failed_check();
        format!("index {index} is out of bounds of {length} elements")
    });
    Box::new(RawTrap { address: buffer.address, frames, truncated, values, shown, ..RawTrap::new(code, message) })
}

fn frame(pc: usize) -> Option<RawFrame> {
    let found = find(pc)?;
    // SAFETY: the frame was on this thread's stack when it trapped, and its unit cannot be freed before this thread
    // passes a safepoint, which it has not since.
    let unit = unsafe { found.share() };
    let srcloc = unit.location(found.function, found.offset);
    Some(RawFrame { function: unit.stands_for(found.function), unit, srcloc })
}

/// The frames of a thread at this moment; it is stopped, or the current one in a host call.
pub(super) fn frame_of(found: super::registry::Found) -> RawFrame {
    // SAFETY: the caller has just found the place on that thread's stack.
    let unit = unsafe { found.share() };
    let srcloc = unit.location(found.function, found.offset);
    RawFrame { function: unit.stands_for(found.function), unit, srcloc }
}

/// The meaning of the number at a trapping instruction, Cranelift's own included.
fn trap_code(number: u8) -> TrapCode {
    if let Some(code) = TrapCode::from_number(number) {
        return code;
    }
    let is = |code: Cranelift| code.as_raw().get() == number;
    if number == FAILED_CHECK {
        TrapCode::IndexOutOfBounds
    } else if is(Cranelift::STACK_OVERFLOW) {
        TrapCode::StackOverflow
    } else if is(Cranelift::INTEGER_DIVISION_BY_ZERO) {
        TrapCode::DivisionByZero
    } else if is(Cranelift::HEAP_OUT_OF_BOUNDS) {
        TrapCode::BadAddress
    } else {
        TrapCode::Unreachable
    }
}

/// A fault in C or host code that generated code called: nothing can be saved, as it may hold locks.
#[derive(Debug)]
pub struct NativeFault<'a> {
    /// The signal's number.
    pub signal: i32,
    /// The address that could not be used.
    pub address: usize,
    /// Where the native code was.
    pub pc: usize,
    /// The unit and function that made the call, and where in it.
    pub caller: Option<(&'a CodeUnit, usize, u32)>,
}

/// Called in a signal handler, with the process about to end: must not lock or allocate.
pub type FaultReporter = fn(&NativeFault<'_>);

static REPORTER: AtomicUsize = AtomicUsize::new(0);

/// Sets who reports faults in native code; without one a line goes to standard error.
pub fn set_fault_reporter(reporter: FaultReporter) {
    REPORTER.store(reporter as usize, Ordering::Release);
}

pub(super) fn fault_reporter() -> Option<FaultReporter> {
    let address = REPORTER.load(Ordering::Acquire);
    // SAFETY: the number is 0 or was made from a function of this type; 0 is `None`.
    unsafe { std::mem::transmute::<usize, Option<FaultReporter>>(address) }
}
