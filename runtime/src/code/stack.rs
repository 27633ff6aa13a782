//! A thread's stacks: where the machine stack lies, the stack signal handlers run on, and the data stack.

use std::io;

use super::backing::{Mapping, Protection};

/// What host and C functions may use of the stack below the limit of generated code. Chosen by feel; `printf` of a
/// float takes 10 KiB.
const RED_ZONE: usize = 128 << 10;
/// The data stack of a thread; only what is touched takes memory.
const DATA_STACK: usize = 64 << 20;
/// Behind the data stack, so that a missing check is a fault and not a silent overwrite.
const DATA_GUARD: usize = 64 << 10;

/// The machine stack of a thread.
#[derive(Clone, Copy, Debug)]
pub(super) struct StackBounds {
    pub(super) low: usize,
    pub(super) high: usize,
}

impl StackBounds {
    /// Of the current thread.
    pub(super) fn current() -> io::Result<StackBounds> {
        system::bounds()
    }

    /// How far generated code may go down.
    pub(super) fn limit(&self) -> usize {
        self.low + RED_ZONE.min((self.high - self.low) / 2)
    }

    /// Is there a word at this address?
    pub(super) fn holds_word(&self, address: usize) -> bool {
        address >= self.low && address.is_multiple_of(8) && address.checked_add(8).is_some_and(|end| end <= self.high)
    }
}

/// Makes a data stack.
pub(super) fn data_stack() -> io::Result<Mapping> {
    let mapping = Mapping::new(DATA_STACK + DATA_GUARD, Protection::Write)?;
    mapping.protect(DATA_STACK..DATA_STACK + DATA_GUARD, Protection::None)?;
    Ok(mapping)
}

/// First address behind a data stack.
pub(super) fn data_end(stack: &Mapping) -> usize {
    stack.address() + DATA_STACK
}

pub(super) use system::SignalStack;

#[cfg(unix)]
mod system {
    use super::*;

    /// Large enough for the registers of today's largest machines, our handler, and one we pass the signal on to.
    const SIGNAL_STACK: usize = 64 << 10;

    #[cfg(target_os = "linux")]
    pub(super) fn bounds() -> io::Result<StackBounds> {
        // SAFETY: the attributes are initialised by `pthread_getattr_np` before they are read, and destroyed once.
        unsafe {
            let mut attributes: libc::pthread_attr_t = std::mem::zeroed();
            if libc::pthread_getattr_np(libc::pthread_self(), &mut attributes) != 0 {
                return Err(io::Error::other("where the stack lies is unknown"));
            }
            let (mut low, mut size) = (std::ptr::null_mut(), 0);
            let status = libc::pthread_attr_getstack(&attributes, &mut low, &mut size);
            libc::pthread_attr_destroy(&mut attributes);
            if status != 0 {
                return Err(io::Error::other("where the stack lies is unknown"));
            }
            Ok(StackBounds { low: low as usize, high: low as usize + size })
        }
    }

    #[cfg(target_vendor = "apple")]
    pub(super) fn bounds() -> io::Result<StackBounds> {
        // SAFETY: both ask about the current thread, which exists.
        let (high, size) = unsafe {
            let thread = libc::pthread_self();
            (libc::pthread_get_stackaddr_np(thread) as usize, libc::pthread_get_stacksize_np(thread))
        };
        Ok(StackBounds { low: high - size, high })
    }

    #[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
    pub(super) fn bounds() -> io::Result<StackBounds> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// The stack signal handlers of this thread run on, if the one it had was too small; taken out of use when dropped.
    pub(in crate::code) struct SignalStack {
        own: Option<Mapping>,
    }

    impl SignalStack {
        /// For the current thread, which must also be the one that drops it.
        pub(in crate::code) fn install() -> io::Result<SignalStack> {
            let old = exchange(None)?;
            if old.ss_flags & libc::SS_DISABLE == 0 && old.ss_size >= SIGNAL_STACK {
                return Ok(SignalStack { own: None });
            }
            let memory = Mapping::new(SIGNAL_STACK, Protection::Write)?;
            let stack =
                libc::stack_t { ss_sp: memory.address() as *mut libc::c_void, ss_flags: 0, ss_size: memory.size() };
            exchange(Some(stack))?;
            Ok(SignalStack { own: Some(memory) })
        }
    }

    impl Drop for SignalStack {
        fn drop(&mut self) {
            let Some(memory) = &self.own else { return };
            // The stack that was there before is not put back: its owner may have freed it.
            let ours = exchange(None).is_ok_and(|now| now.ss_sp as usize == memory.address());
            if ours {
                let off =
                    libc::stack_t { ss_sp: std::ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: SIGNAL_STACK };
                let _ = exchange(Some(off));
            }
        }
    }

    fn exchange(new: Option<libc::stack_t>) -> io::Result<libc::stack_t> {
        // SAFETY: a new stack is memory that stays mapped until it has been taken out of use again.
        unsafe {
            let mut old: libc::stack_t = std::mem::zeroed();
            let new = new.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
            match libc::sigaltstack(new, &mut old) {
                0 => Ok(old),
                _ => Err(io::Error::last_os_error()),
            }
        }
    }
}

#[cfg(not(unix))]
mod system {
    use super::*;

    pub(super) fn bounds() -> io::Result<StackBounds> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(in crate::code) struct SignalStack;

    impl SignalStack {
        pub(in crate::code) fn install() -> io::Result<SignalStack> {
            Err(io::ErrorKind::Unsupported.into())
        }
    }
}
