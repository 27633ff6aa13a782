//! Traps, seen from a child process: its signal handler looks the faulting instruction up in the side tables.

use std::sync::atomic::{AtomicI32, AtomicPtr, Ordering};

use vaisjit_abi::TrapCode;
use vaisjit_abi::trap::FAILED_CHECK;
use vaisjit_codegen::unit::CompiledFunction;

use super::Machine;

/// What the child saw.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seen {
    pub code: TrapCode,
    /// Number of the location, 0 for none.
    pub location: u32,
    /// What a trap function of the host was told.
    pub details: [i64; 2],
}

static PIPE: AtomicI32 = AtomicI32::new(-1);
static CONTEXT: AtomicPtr<vaisjit_abi::CallContext> = AtomicPtr::new(std::ptr::null_mut());
static TABLES: AtomicPtr<Vec<(usize, &CompiledFunction)>> = AtomicPtr::new(std::ptr::null_mut());

impl Machine {
    /// The trap a call ends with.
    pub fn trap(&mut self, name: &str, arguments: &[u128]) -> Seen {
        let mut ends = [0; 2];
        // SAFETY: plain system calls; the child only runs generated code and the handler, and never returns.
        unsafe {
            assert_eq!(libc::pipe(ends.as_mut_ptr()), 0);
            let child = libc::fork();
            if child == 0 {
                self.run_child(ends[1], name, arguments);
            }
            libc::close(ends[1]);
            let mut words = [0i64; 4];
            let read = libc::read(ends[0], words.as_mut_ptr().cast(), 32);
            libc::close(ends[0]);
            let mut status = 0;
            libc::waitpid(child, &mut status, 0);
            assert_eq!(read, 32, "{name}{arguments:?} did not trap: status {status:#x}");
            let code = TrapCode::from_number(words[0] as u8).unwrap_or_else(|| panic!("{name}: trap {words:?}"));
            Seen { code, location: words[1] as u32, details: [words[2], words[3]] }
        }
    }

    fn run_child(&mut self, pipe: i32, name: &str, arguments: &[u128]) -> ! {
        CONTEXT.store(&mut *self.context, Ordering::Relaxed);
        let mut tables = self.tables();
        let tables: *mut Vec<(usize, &CompiledFunction)> = &mut tables;
        PIPE.store(pipe, Ordering::Relaxed);
        TABLES.store(tables.cast(), Ordering::Relaxed);
        // SAFETY: the handler is made for this signature and ends the process.
        unsafe {
            let stack = libc::mmap(
                std::ptr::null_mut(),
                1 << 16,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            );
            libc::sigaltstack(&libc::stack_t { ss_sp: stack, ss_flags: 0, ss_size: 1 << 16 }, std::ptr::null_mut());
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            for signal in [libc::SIGSEGV, libc::SIGILL, libc::SIGFPE, libc::SIGBUS] {
                libc::sigaction(signal, &action, std::ptr::null_mut());
            }
        }
        let here = 0u8;
        self.context.stack_limit = &raw const here as usize - (256 << 10);
        self.call(name, arguments);
        // SAFETY: ends the child.
        unsafe { libc::_exit(0) }
    }
}

fn tell(words: [i64; 4]) -> ! {
    // SAFETY: writes the words to the pipe and ends the child.
    unsafe {
        libc::write(PIPE.load(Ordering::Relaxed), words.as_ptr().cast(), 32);
        libc::_exit(1)
    }
}

extern "C" fn handler(_: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel hands over valid records; the tables live as long as the child.
    let (pc, address, tables) = unsafe {
        let context = &*context.cast::<libc::ucontext_t>();
        let pc = context.uc_mcontext.gregs[libc::REG_RIP as usize] as usize;
        (pc, (*info).si_addr() as usize, &*TABLES.load(Ordering::Relaxed))
    };
    let found = tables.iter().find(|(start, f)| (*start..*start + f.info.size as usize).contains(&pc));
    let Some((start, function)) = found else { tell([0, pc as i64, address as i64, 0]) };
    let offset = (pc - start) as u32;
    let code = match function.info.trap_at(offset) {
        Some(251) => TrapCode::StackOverflow as u8,
        Some(254) => TrapCode::DivisionByZero as u8,
        Some(253) if address < 4096 => TrapCode::NullPointer as u8,
        Some(253) => TrapCode::BadAddress as u8,
        Some(FAILED_CHECK) => TrapCode::IndexOutOfBounds as u8,
        other => other.unwrap_or(0),
    };
    // SAFETY: the context lives as long as the child.
    let [index, length] = unsafe { (*CONTEXT.load(Ordering::Relaxed)).failed_check };
    tell([i64::from(code), i64::from(function.info.location_at(offset).unwrap_or(0)), index, length])
}

/// A safepoint that does nothing.
pub extern "C" fn no_safepoint(_: &vaisjit_abi::CallContext) -> usize {
    0
}

/// The host function `trap_message`; tells the length of the text.
pub extern "C" fn trap_message(_: &vaisjit_abi::CallContext, code: i64, text: *const u8) {
    // SAFETY: a `str` has its length in front of its bytes.
    let length = unsafe { text.offset(-8).cast::<i64>().read() };
    tell([code, 0, length, 0]);
}
