//! The signal handlers behind traps. They run on their own stack, take no lock and allocate nothing.

use std::mem::MaybeUninit;
use std::ops::ControlFlow;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use vaisjit_abi::TrapCode;
use vaisjit_abi::context::{EntryRecord, GuardRecord, IN_HEAP, RUNNING};

use super::arch::{self, Place, Registers};
use super::landing;
use super::registry::{Found, find};
use super::thread::{ThreadRecord, innermost};
use super::traps::{NULL_PAGE, NativeFault, fault_reporter};
use super::walk;

const SIGNALS: [libc::c_int; 5] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGTRAP];
/// How a process ends that failed, as the shell shows it.
const EXIT_STATUS: libc::c_int = 134;

/// How far a guard must be from the limit of the stack to be used: its handler runs the host. Chosen by feel.
const GUARD_ROOM: usize = 256 << 10;

/// What handled the signals before; it gets what is not ours.
static PREVIOUS: OnceLock<[libc::sigaction; SIGNALS.len()]> = OnceLock::new();

/// Installs the handlers, once in the life of the process.
pub(super) fn install() {
    PREVIOUS.get_or_init(|| SIGNALS.map(previous));
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        for signal in SIGNALS {
            replace(signal);
        }
    });
}

fn previous(signal: libc::c_int) -> libc::sigaction {
    let mut action = MaybeUninit::zeroed();
    // SAFETY: the call only writes the action; all zeroes is a valid one too.
    unsafe {
        libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr());
        action.assume_init()
    }
}

fn replace(signal: libc::c_int) {
    // SAFETY: `handler` keeps the rules of signal handlers.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        libc::sigemptyset(&mut action.sa_mask);
        libc::sigaction(signal, &action, std::ptr::null_mut());
    }
}

/// Signals that end a process if nobody answers them, without those above and those of Ctrl-C and `kill`.
const DEADLY: [libc::c_int; 12] = [
    libc::SIGHUP,
    libc::SIGQUIT,
    libc::SIGABRT,
    libc::SIGALRM,
    libc::SIGPIPE,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGVTALRM,
    libc::SIGPROF,
    libc::SIGXCPU,
    libc::SIGXFSZ,
    libc::SIGSYS,
];

/// What is done before the process ends by a fault or a signal.
static BEFORE_END: OnceLock<fn()> = OnceLock::new();
/// The process that does it: a child of it has nothing to put in order.
static OWNER: AtomicU32 = AtomicU32::new(0);

/// Has this done before the process ends by a fault in C code, by `abort`, or by a signal that nobody answers; the first
/// caller's counts. Signals that are answered or ignored now are left alone. It must take no lock that may be held and
/// allocate nothing.
pub fn before_end(action: fn()) {
    if BEFORE_END.set(action).is_ok() {
        OWNER.store(std::process::id(), Ordering::SeqCst);
        DEADLY.into_iter().chain(only_here()).filter(|number| is_default(*number)).for_each(answer);
    }
}

/// Further ones that this system has.
#[cfg(target_os = "linux")]
fn only_here() -> impl Iterator<Item = libc::c_int> {
    [libc::SIGSTKFLT, libc::SIGPWR, libc::SIGIO].into_iter().chain(libc::SIGRTMIN()..=libc::SIGRTMAX())
}
#[cfg(not(target_os = "linux"))]
fn only_here() -> impl Iterator<Item = libc::c_int> {
    std::iter::empty()
}

fn answer(number: libc::c_int) {
    // SAFETY: `ending_handler` keeps the rules of signal handlers.
    unsafe {
        let mut handling: libc::sigaction = std::mem::zeroed();
        handling.sa_sigaction = ending_handler as *const () as usize;
        handling.sa_flags = libc::SA_ONSTACK | libc::SA_RESETHAND as libc::c_int;
        libc::sigemptyset(&mut handling.sa_mask);
        libc::sigaction(number, &handling, std::ptr::null_mut());
    }
}

/// Would the system do what it does by itself?
fn is_default(number: libc::c_int) -> bool {
    previous(number).sa_sigaction == libc::SIG_DFL
}

extern "C" fn ending_handler(number: libc::c_int) {
    run_before_end();
    // SAFETY: the default action is in place again: it comes when this handler returns, whoever sent the signal.
    unsafe { libc::raise(number) };
}

fn run_before_end() {
    if let Some(action) = BEFORE_END.get()
        && OWNER.load(Ordering::SeqCst) == std::process::id()
    {
        action();
    }
}

/// What the kernel tells about a signal.
struct Signal {
    number: libc::c_int,
    /// Where memory could not be accessed; `None` if the machine does not tell.
    address: Option<usize>,
}

unsafe extern "C" fn handler(number: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel passes valid arguments.
    let (code, address, registers) = unsafe { ((*info).si_code, (*info).si_addr() as usize, arch::read(context)) };
    let record = innermost();
    // Sent by somebody, not by what the thread did.
    let sent = code <= 0;
    if !sent && !record.is_null() {
        // SAFETY: the record belongs to this thread and lives as long as its activations.
        let record = unsafe { &*record };
        // An address that no mapping could have is not told on x86-64.
        let told = !(cfg!(target_arch = "x86_64") && code == SI_KERNEL);
        let signal = Signal { number, address: told.then_some(address) };
        if let Some(target) = trap(record, &signal, &registers, context) {
            // SAFETY: the trampoline's handler expects these registers and no others.
            unsafe { arch::write(context, &target) };
            return;
        }
        native_fault(record, &signal, &registers);
    }
    // SAFETY: these are the arguments the handler itself got.
    unsafe { pass_on(number, info, context) };
}

#[cfg(target_os = "linux")]
const SI_KERNEL: libc::c_int = 0x80;
#[cfg(not(target_os = "linux"))]
const SI_KERNEL: libc::c_int = libc::c_int::MIN;

/// If generated code did this, notes the trap and gives the registers to go on with.
fn trap(
    record: &ThreadRecord,
    signal: &Signal,
    registers: &Registers,
    context: *mut libc::c_void,
) -> Option<Registers> {
    let entry = record.entry().load(Ordering::Relaxed);
    if entry.is_null() || record.state().load(Ordering::Relaxed) != RUNNING {
        return None;
    }
    // SAFETY: the entry record lies on this thread's stack, in a frame that has not returned.
    let entry = unsafe { &*entry };
    let (place, found) = match find(registers.pc) {
        Some(found) => (Place::Function(found.offset), Some(found)),
        None if is_wild_call(record, signal, registers) => (Place::Called, None),
        None if is_access(signal.number) && is_in_heap(record, registers) => {
            return Some(heap_trap(record, entry, signal, registers));
        }
        None => return None,
    };
    let code = match found {
        Some(found) => code_at(record, signal, registers, found)?,
        None => access(registers.pc) as u8,
    };
    let address = is_access(signal.number).then_some(signal.address).flatten();
    // SAFETY: only this thread uses its buffer, and it is in this handler.
    let caught = unsafe { &mut *record.caught.get() };
    caught.begin(code, address);
    if found.is_some() {
        caught.push(registers.pc);
        // SAFETY: the context is that of the running handler.
        caught.has_values = unsafe { arch::read_values(context, &mut caught.held.ints, &mut caught.held.floats) };
        caught.held.keep_frame(record.bounds, registers.sp, registers.fp);
    }
    let mut frame = registers.fp;
    if let Some(back) = arch::return_address(registers, place, record.bounds) {
        // The innermost frame is not set up: the frame pointer is its caller's. A fault in the first function of an
        // activation has the trampoline's.
        if frame < entry.trampoline_fp {
            caught.push(back.wrapping_sub(1));
        } else {
            frame = entry.trampoline_fp;
        }
    }
    let _ = walk::callers(record.bounds, frame, entry.trampoline_fp, |frame| {
        caught.push(frame.pc);
        ControlFlow::Continue(())
    });
    let target = resume_at(record, entry, registers.link);
    Some(landing::detour(record, registers, target))
}

/// Is the thread in a heap function that has not returned?
fn is_in_heap(record: &ThreadRecord, registers: &Registers) -> bool {
    let exit = record.exit_fp().load(Ordering::Relaxed);
    exit & IN_HEAP != 0 && registers.sp < exit
}

/// A heap function was given an address that it could not use: a trap at its call. It holds no lock where it touches the
/// program's memory, so it can be left where it is.
fn heap_trap(record: &ThreadRecord, entry: &EntryRecord, signal: &Signal, registers: &Registers) -> Registers {
    // SAFETY: only this thread uses its buffer, and it is in this handler.
    let caught = unsafe { &mut *record.caught.get() };
    let code = match signal.address {
        Some(address) if is_stack_end(record, registers, address) => TrapCode::StackOverflow,
        Some(address) => access(address),
        None => TrapCode::BadAddress,
    };
    caught.begin(code as u8, signal.address);
    let exit = record.exit_fp().load(Ordering::Relaxed) & !IN_HEAP;
    let _ = walk::callers(record.bounds, exit, entry.trampoline_fp, |frame| {
        caught.push(frame.pc);
        ControlFlow::Continue(())
    });
    let target = resume_at(record, entry, registers.link);
    landing::detour(record, registers, target)
}

/// The handler of the innermost guard that has room, or that of the trampoline.
pub(super) fn resume_at(record: &ThreadRecord, entry: &EntryRecord, link: usize) -> Registers {
    let (pc, fp, frame) = match guard(record) {
        None => (entry.handler_pc, entry.trampoline_fp, entry.handler_frame),
        Some(guard) => {
            // SAFETY: targets live as long as the program.
            let target = unsafe { &*guard.target };
            let (pc, frame) = (&target.handler_pc, &target.handler_frame);
            (pc.load(Ordering::Relaxed), guard.frame_fp, frame.load(Ordering::Relaxed))
        }
    };
    Registers { pc, sp: fp - frame, fp, link }
}

/// The innermost guard that leaves the host enough stack for a report and a reload; it becomes the head of the chain.
fn guard(record: &ThreadRecord) -> Option<&GuardRecord> {
    let mut at = record.guard().load(Ordering::Relaxed);
    loop {
        // SAFETY: guard records lie in frames of this activation that have not returned.
        let guard = unsafe { at.as_ref() };
        if guard.is_none_or(|guard| guard.frame_fp > record.bounds.limit() + GUARD_ROOM) {
            record.guard().store(at, Ordering::Relaxed);
            return guard;
        }
        at = guard.map_or(std::ptr::null_mut(), |guard| guard.previous.cast_mut());
    }
}

fn is_access(signal: libc::c_int) -> bool {
    signal == libc::SIGSEGV || signal == libc::SIGBUS
}

fn access(address: usize) -> TrapCode {
    if address < NULL_PAGE { TrapCode::NullPointer } else { TrapCode::BadAddress }
}

/// Did generated code call an address that holds no code?
fn is_wild_call(record: &ThreadRecord, signal: &Signal, registers: &Registers) -> bool {
    is_access(signal.number)
        && signal.address == Some(registers.pc)
        && arch::return_address(registers, Place::Called, record.bounds)
            .is_some_and(|back| find(back.wrapping_sub(1)).is_some())
}

/// Why an instruction of generated code failed; `None` if it was not its fault.
fn code_at(record: &ThreadRecord, signal: &Signal, registers: &Registers, found: Found) -> Option<u8> {
    if is_access(signal.number) {
        let code = match signal.address {
            Some(address) if is_stack_end(record, registers, address) => TrapCode::StackOverflow,
            Some(address) => access(address),
            None => TrapCode::BadAddress,
        };
        return Some(code as u8);
    }
    // SAFETY: the unit's code is running on this thread.
    let unit = unsafe { found.unit() };
    let told = unit.info(found.function).trap_at(found.offset);
    match signal.number {
        libc::SIGFPE => Some(told.unwrap_or(TrapCode::DivisionByZero as u8)),
        libc::SIGILL => Some(told.unwrap_or(TrapCode::Unreachable as u8)),
        // A breakpoint is the debugger's business, unless it is a trap instruction of ours.
        _ => told,
    }
}

/// Did a push run into the guard pages? The check in prologues leaves room, so this is rare.
fn is_stack_end(record: &ThreadRecord, registers: &Registers, address: usize) -> bool {
    let near = registers.sp.abs_diff(address) <= 2 * NULL_PAGE;
    near && address < record.bounds.low + 2 * NULL_PAGE
}

/// C or host code that generated code called has failed. It may hold locks: the process ends, with a report.
fn native_fault(record: &ThreadRecord, signal: &Signal, registers: &Registers) -> ! {
    let caller = caller(record);
    let fault = NativeFault {
        signal: signal.number,
        address: signal.address.unwrap_or(0),
        pc: registers.pc,
        // SAFETY: the caller's frame is on this thread's stack.
        caller: caller.map(|found| unsafe {
            let unit = found.unit();
            (unit, found.function, unit.location(found.function, found.offset))
        }),
    };
    match fault_reporter() {
        Some(report) => report(&fault),
        None => report(&fault),
    }
    run_before_end();
    // SAFETY: ends the process without running anything else.
    unsafe { libc::_exit(EXIT_STATUS) }
}

/// The generated function that called out, if the thread left through an exit thunk.
fn caller(record: &ThreadRecord) -> Option<Found> {
    let mut innermost = None;
    if record.state().load(Ordering::Relaxed) != RUNNING {
        walk::stopped_thread(record, |found, _| {
            innermost = Some(found);
            ControlFlow::Break(())
        });
    }
    innermost
}

fn report(fault: &NativeFault<'_>) {
    let name = match fault.signal {
        libc::SIGSEGV => "invalid memory access",
        libc::SIGBUS => "bus error",
        libc::SIGFPE => "arithmetic error",
        _ => "invalid instruction",
    };
    write_error(b"vaisjit: ");
    write_error(name.as_bytes());
    write_error(b" in native code");
    if let Some((unit, function, _)) = fault.caller {
        write_error(b" called by ");
        write_error(unit.name(function).as_bytes());
    }
    write_error(b"; the process cannot go on\n");
}

fn write_error(text: &[u8]) {
    // SAFETY: the text is valid for its length; failure to write changes nothing.
    let _ = unsafe { libc::write(libc::STDERR_FILENO, text.as_ptr().cast(), text.len()) };
}

/// Says that somebody else has ended the process.
fn tell_sent(number: libc::c_int) {
    let name: &[u8] = match number {
        libc::SIGSEGV => b"SIGSEGV",
        libc::SIGBUS => b"SIGBUS",
        libc::SIGILL => b"SIGILL",
        libc::SIGFPE => b"SIGFPE",
        _ => b"SIGTRAP",
    };
    write_error(b"vaisjit: the process was sent the signal ");
    write_error(name);
    write_error(b", which ends it\n");
}

/// Does what would have happened without us.
///
/// # Safety
/// The arguments are those of the running signal handler.
unsafe fn pass_on(number: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the information is that of the running handler.
    let sent = unsafe { (*info).si_code } <= 0;
    if !sent {
        run_before_end();
    }
    let index = SIGNALS.iter().position(|signal| *signal == number);
    let Some(action) = PREVIOUS.get().zip(index).map(|(actions, index)| &actions[index]) else { return };
    match action.sa_sigaction {
        libc::SIG_IGN if sent => {}
        libc::SIG_DFL | libc::SIG_IGN => {
            // On return the instruction fails again, now without a handler.
            // SAFETY: puts back an action that was there before.
            unsafe { libc::sigaction(number, action, std::ptr::null_mut()) };
        }
        address if action.sa_flags & libc::SA_SIGINFO != 0 => {
            type Handler = unsafe extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);
            // SAFETY: whoever installed the action gave a function of this type.
            unsafe { std::mem::transmute::<usize, Handler>(address)(number, info, context) }
        }
        address => {
            // SAFETY: without `SA_SIGINFO` it is a function of this type.
            unsafe { std::mem::transmute::<usize, unsafe extern "C" fn(libc::c_int)>(address)(number) }
        }
    }
    // Rust's own handler relies on the fault to come again, too: a signal that was sent does not.
    if sent && is_default(number) {
        tell_sent(number);
        run_before_end();
        // SAFETY: the default action comes when this handler returns.
        unsafe { libc::raise(number) };
    }
}
