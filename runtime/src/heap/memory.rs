//! The address space behind a heap, as the operating system gives it: reserved at once, usable from its start up to a
//! mark that only rises.

use std::io;

/// Sizes to try, largest first. Limits on address space (`ulimit -v`, containers) may refuse the first.
const RESERVES: [usize; 5] = [64 << 30, 8 << 30, 1 << 30, 256 << 20, 32 << 20];
/// The mark rises in steps of this.
const STEP: usize = 4 << 20;

/// Reserved address space; given back when dropped.
pub(super) struct Memory {
    base: usize,
    size: usize,
    /// What may be used of it, whatever is reserved: no more than the machine has.
    most: usize,
    usable: usize,
}

impl Memory {
    pub(super) fn reserve() -> io::Result<Memory> {
        let mut failure = io::Error::from(io::ErrorKind::Unsupported);
        for size in RESERVES {
            match system::reserve(size) {
                Ok(base) => return Ok(Memory { base, size, most: size.min(system::physical()), usable: 0 }),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    pub(super) fn base(&self) -> usize {
        self.base
    }

    /// How many bytes may be used.
    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// Makes the first `size` bytes usable; what is new is zero.
    pub(super) fn raise(&mut self, size: usize) -> io::Result<()> {
        if size <= self.usable {
            return Ok(());
        }
        if size > self.most {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        let to = size.next_multiple_of(STEP).min(self.size);
        system::commit(self.base + self.usable, to - self.usable)?;
        self.usable = to;
        Ok(())
    }

    /// Gives the memory of a range back to the system; it reads as zero afterwards.
    pub(super) fn discard(&self, offset: usize, size: usize) {
        debug_assert!(offset + size <= self.usable);
        system::discard(self.base + offset, size);
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        system::release(self.base, self.size);
    }
}

#[cfg(unix)]
mod system {
    //! `mmap` and its relatives.

    use super::*;

    pub(super) fn reserve(size: usize) -> io::Result<usize> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_NORESERVE;
        // SAFETY: a new mapping at an address of the system's choice touches nothing that exists.
        let address = unsafe { libc::mmap(std::ptr::null_mut(), size, libc::PROT_NONE, flags, -1, 0) };
        if address == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(address as usize) }
    }

    pub(super) fn commit(address: usize, size: usize) -> io::Result<()> {
        // SAFETY: the range lies in a mapping of ours that nothing uses yet.
        match unsafe { libc::mprotect(address as *mut libc::c_void, size, libc::PROT_READ | libc::PROT_WRITE) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    pub(super) fn discard(address: usize, size: usize) {
        // SAFETY: the range lies in our mapping and holds no block.
        unsafe { libc::madvise(address as *mut libc::c_void, size, libc::MADV_DONTNEED) };
    }

    pub(super) fn release(address: usize, size: usize) {
        // SAFETY: the mapping was made by `reserve`, and nothing refers to it any more.
        unsafe { libc::munmap(address as *mut libc::c_void, size) };
    }

    /// Bytes of memory of the machine.
    pub(super) fn physical() -> usize {
        // SAFETY: asks for constants of the system.
        let (pages, page) = unsafe { (libc::sysconf(libc::_SC_PHYS_PAGES), libc::sysconf(libc::_SC_PAGESIZE)) };
        match (usize::try_from(pages), usize::try_from(page)) {
            (Ok(pages), Ok(page)) if pages > 0 => pages.saturating_mul(page),
            _ => usize::MAX,
        }
    }
}

#[cfg(not(unix))]
mod system {
    //! Systems nobody has ported this to: the heap is always out of memory, and nothing crashes.

    use super::*;

    pub(super) fn reserve(_: usize) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }
    pub(super) fn commit(_: usize, _: usize) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
    pub(super) fn discard(_: usize, _: usize) {}
    pub(super) fn release(_: usize, _: usize) {}
    pub(super) fn physical() -> usize {
        0
    }
}
