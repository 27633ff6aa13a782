//! The pages behind code memory, as the operating system gives them.
//!
//! `Twin`: one memory file mapped twice, writable in one place and executable in the other, so that no page ever
//! changes its protection. `Protected`: one mapping whose pages are writable first and executable afterwards, for
//! systems that have no memory files or forbid the first way.

use std::io;
use std::ops::Range;

/// Share of the reserve that holds writable data of modules; the rest holds code and constants.
const DATA_SHARE: usize = 16;

/// Sizes to try, largest first. A `bl` of aarch64 reaches 128 MiB, and the calls between functions of a module are made
/// with it.
#[cfg(target_arch = "aarch64")]
const RESERVES: [usize; 2] = [128 << 20, 32 << 20];
/// Sizes to try, largest first. Limits on address space (`ulimit -v`, containers) may refuse the first.
#[cfg(not(target_arch = "aarch64"))]
const RESERVES: [usize; 3] = [1 << 30, 256 << 20, 32 << 20];

/// Set to `protected` to get that kind of backing where the other one would be used; for tests and odd systems.
const CHOICE: &str = "VAISJIT_CODE_MEMORY";

/// Reserved address space for code and data of modules. Never given back: the process has one.
pub(super) struct Backing {
    /// Where code runs.
    exec: usize,
    /// What to add to an address in `exec` to write there; 0 when protected.
    to_write: usize,
    size: usize,
    page: usize,
    #[cfg(target_os = "linux")]
    file: Option<std::os::fd::OwnedFd>,
}

impl Backing {
    pub(super) fn reserve() -> io::Result<Backing> {
        let protected = std::env::var_os(CHOICE).is_some_and(|choice| choice == "protected");
        let mut failure = io::Error::from(io::ErrorKind::Unsupported);
        for size in RESERVES {
            #[cfg(target_os = "linux")]
            if !protected && let Ok(backing) = twin(size) {
                return Ok(backing);
            }
            match self::protected(size) {
                Ok(backing) => return Ok(backing),
                Err(error) => failure = error,
            }
        }
        let _ = protected;
        Err(failure)
    }

    /// First address where code can run.
    pub(super) fn base(&self) -> usize {
        self.exec
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Offsets for code and constants.
    pub(super) fn code(&self) -> Range<usize> {
        0..data_start(self.size)
    }

    /// Offsets for writable data.
    pub(super) fn data(&self) -> Range<usize> {
        data_start(self.size)..self.size
    }

    /// Where the byte at `offset` is executed or read.
    pub(super) fn exec_address(&self, offset: usize) -> usize {
        self.exec + offset
    }

    /// Where the byte at `offset` is written.
    pub(super) fn write_address(&self, offset: usize) -> usize {
        self.exec.wrapping_add(self.to_write) + offset
    }

    /// Does an allocation have pages of its own?
    pub(super) fn is_protected(&self) -> bool {
        self.to_write == 0
    }

    pub(super) fn page(&self) -> usize {
        self.page
    }
}

fn data_start(size: usize) -> usize {
    size - size / DATA_SHARE
}

#[cfg(unix)]
pub(super) use unix::{Mapping, Protection};
#[cfg(unix)]
use unix::{page_size, protected};

#[cfg(unix)]
mod unix {
    //! `mmap` and its relatives.

    use super::*;

    #[derive(Clone, Copy)]
    pub(in crate::code) enum Protection {
        None,
        Write,
        Read,
        Execute,
    }

    impl Protection {
        fn flags(self) -> libc::c_int {
            match self {
                Protection::None => libc::PROT_NONE,
                Protection::Write => libc::PROT_READ | libc::PROT_WRITE,
                Protection::Read => libc::PROT_READ,
                Protection::Execute => libc::PROT_READ | libc::PROT_EXEC,
            }
        }
    }

    pub(in crate::code) fn page_size() -> usize {
        // SAFETY: asks for a constant of the system.
        let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        usize::try_from(size).unwrap_or(4096)
    }

    /// Private memory of our own; unmapped when dropped.
    pub(in crate::code) struct Mapping {
        address: usize,
        size: usize,
    }

    impl Mapping {
        /// Zeroed memory that takes real pages only where it is touched.
        pub(in crate::code) fn new(size: usize, protection: Protection) -> io::Result<Mapping> {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_NORESERVE;
            // SAFETY: a new mapping at an address of the system's choice touches nothing that exists.
            let address = unsafe { libc::mmap(std::ptr::null_mut(), size, protection.flags(), flags, -1, 0) };
            if address == libc::MAP_FAILED {
                return Err(io::Error::last_os_error());
            }
            Ok(Mapping { address: address as usize, size })
        }

        pub(in crate::code) fn address(&self) -> usize {
            self.address
        }

        pub(in crate::code) fn size(&self) -> usize {
            self.size
        }

        /// Changes what may be done with some of its pages.
        pub(in crate::code) fn protect(&self, range: Range<usize>, protection: Protection) -> io::Result<()> {
            assert!(range.start <= range.end && range.end <= self.size);
            protect(self.address + range.start, range.len(), protection)
        }
    }

    impl Drop for Mapping {
        fn drop(&mut self) {
            // SAFETY: the mapping was made by `new` with this address and size, and nothing refers to it any more.
            unsafe { libc::munmap(self.address as *mut libc::c_void, self.size) };
        }
    }

    fn protect(address: usize, size: usize, protection: Protection) -> io::Result<()> {
        // SAFETY: callers give page ranges of mappings they own; references into them do not exist, only addresses.
        match unsafe { libc::mprotect(address as *mut libc::c_void, size, protection.flags()) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    pub(in crate::code) fn protected(size: usize) -> io::Result<Backing> {
        let mapping = Mapping::new(size, Protection::None)?;
        let exec = mapping.address();
        std::mem::forget(mapping);
        #[cfg(target_os = "linux")]
        return Ok(Backing { exec, to_write: 0, size, page: page_size(), file: None });
        #[cfg(not(target_os = "linux"))]
        Ok(Backing { exec, to_write: 0, size, page: page_size() })
    }

    impl Backing {
        /// Makes a range ready to be written.
        pub(in crate::code) fn open(&self, range: Range<usize>) -> io::Result<()> {
            if !self.is_protected() {
                return Ok(());
            }
            protect(self.exec + range.start, range.len(), Protection::Write)
        }

        /// Makes a range that has been written ready for use.
        pub(in crate::code) fn close(&self, range: Range<usize>, protection: Protection) -> io::Result<()> {
            let address = self.exec_address(range.start);
            if matches!(protection, Protection::Execute) {
                // SAFETY: the range lies in our mapping; flushing instruction caches changes no memory.
                unsafe { wasmtime_jit_icache_coherence::clear_cache(address as *const libc::c_void, range.len()) }
                    .map_err(io::Error::other)?;
            }
            if self.is_protected() {
                protect(address, range.len(), protection)?;
            }
            if matches!(protection, Protection::Execute) {
                wasmtime_jit_icache_coherence::pipeline_flush_mt().map_err(io::Error::other)?;
            }
            Ok(())
        }

        /// Gives the pages of a range back to the system; its contents are lost.
        pub(in crate::code) fn discard(&self, range: Range<usize>) {
            #[cfg(target_os = "linux")]
            if let Some(file) = &self.file {
                use std::os::fd::AsRawFd;
                let mode = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
                // SAFETY: the range is free, so nothing is read from it before it has been written again.
                unsafe { libc::fallocate(file.as_raw_fd(), mode, range.start as i64, range.len() as i64) };
                return;
            }
            let address = (self.exec + range.start) as *mut libc::c_void;
            // SAFETY: as above; the pages are ours.
            unsafe { libc::madvise(address, range.len(), libc::MADV_DONTNEED) };
        }

        /// Bytes of memory in use; `None` where that cannot be asked.
        #[cfg(all(test, target_os = "linux"))]
        pub(in crate::code) fn resident(&self) -> Option<u64> {
            use std::os::unix::fs::MetadataExt;
            let file = std::fs::File::from(self.file.as_ref()?.try_clone().ok()?);
            Some(file.metadata().ok()?.blocks() * 512)
        }
    }
}

#[cfg(target_os = "linux")]
fn twin(size: usize) -> io::Result<Backing> {
    use std::os::fd::AsRawFd;

    let file = memory_file(size)?;
    let map = |at: usize, range: Range<usize>, protection: libc::c_int| {
        let fixed = if at == 0 { 0 } else { libc::MAP_FIXED };
        // SAFETY: at 0 the system chooses the place; otherwise `at` lies in the view made just before, which nothing
        // refers to yet.
        let address = unsafe {
            let (flags, offset) = (libc::MAP_SHARED | libc::MAP_NORESERVE | fixed, range.start as i64);
            libc::mmap(at as *mut libc::c_void, range.len(), protection, flags, file.as_raw_fd(), offset)
        };
        if address == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(address as usize) }
    };
    let unmap = |at: usize| {
        // SAFETY: the view was made here and nothing refers to it.
        unsafe { libc::munmap(at as *mut libc::c_void, size) };
    };
    let write = map(0, 0..size, libc::PROT_READ | libc::PROT_WRITE)?;
    let exec = map(0, 0..size, libc::PROT_READ | libc::PROT_EXEC).inspect_err(|_| unmap(write))?;
    // Modules address their data relative to their code, so the data needs to be writable next to the code as well.
    let data = data_start(size)..size;
    map(exec + data.start, data, libc::PROT_READ | libc::PROT_WRITE).inspect_err(|_| {
        unmap(write);
        unmap(exec);
    })?;
    Ok(Backing { exec, to_write: write.wrapping_sub(exec), size, page: page_size(), file: Some(file) })
}

#[cfg(target_os = "linux")]
fn memory_file(size: usize) -> io::Result<std::os::fd::OwnedFd> {
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

    /// Wanted where `vm.memfd_noexec` is set; unknown to kernels before 6.3.
    const MFD_EXEC: libc::c_uint = 0x10;
    for flags in [libc::MFD_CLOEXEC | MFD_EXEC, libc::MFD_CLOEXEC] {
        // SAFETY: the name is a C string; the result is a new descriptor that nobody else owns.
        let file = unsafe {
            let file = libc::memfd_create(c"vaisjit-code".as_ptr(), flags);
            if file < 0 {
                continue;
            }
            OwnedFd::from_raw_fd(file)
        };
        // SAFETY: the descriptor is open.
        if unsafe { libc::ftruncate(file.as_raw_fd(), size as i64) } == 0 {
            return Ok(file);
        }
    }
    Err(io::Error::last_os_error())
}

#[cfg(not(unix))]
use other::protected;
#[cfg(not(unix))]
pub(super) use other::{Mapping, Protection};

#[cfg(not(unix))]
mod other {
    //! Systems nobody has ported this to: everything is an error, nothing a crash.

    use super::*;

    #[derive(Clone, Copy)]
    pub(in crate::code) enum Protection {
        None,
        Write,
        Read,
        Execute,
    }

    pub(in crate::code) struct Mapping;

    impl Mapping {
        pub(in crate::code) fn new(_: usize, _: Protection) -> io::Result<Mapping> {
            Err(io::ErrorKind::Unsupported.into())
        }
        pub(in crate::code) fn address(&self) -> usize {
            0
        }
        pub(in crate::code) fn size(&self) -> usize {
            0
        }
        pub(in crate::code) fn protect(&self, _: Range<usize>, _: Protection) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }
    }

    pub(in crate::code) fn protected(_: usize) -> io::Result<Backing> {
        Err(io::ErrorKind::Unsupported.into())
    }

    impl Backing {
        pub(in crate::code) fn open(&self, _: Range<usize>) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }
        pub(in crate::code) fn close(&self, _: Range<usize>, _: Protection) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }
        pub(in crate::code) fn discard(&self, _: Range<usize>) {}
    }
}
