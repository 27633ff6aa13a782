//! Code memory: one allocator for the whole process, handed to `cranelift-jit` as a memory provider per module.
//!
//! Functions of all modules lie densely side by side. What a module got is freed when its [`ModuleMemory`] is dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use cranelift_jit::{BranchProtection, JITMemoryKind, JITMemoryProvider};
use cranelift_module::{ModuleError, ModuleResult};

use super::backing::{Backing, Protection};

/// Allocations are multiples of this, and the registry has one entry for each: a cache line, and small enough that
/// little of a small function's last granule is lost.
pub(super) const GRANULE: usize = 64;
/// Memory is given back to the system in pieces of this size. Chosen by feel.
const CHUNK: usize = 64 << 10;
/// This many empty chunks are kept for the next allocations. Chosen by feel.
const SPARE_CHUNKS: usize = 16;
/// What freed code is overwritten with: an instruction that traps (`int3`), so that a stray call is noticed.
const FREED: u8 = 0xcc;

/// The memory all modules of the process share.
pub(super) struct CodeMemory {
    backing: Backing,
    space: Mutex<Space>,
}

struct Space {
    code: Area,
    data: Area,
}

/// What one module asked for.
#[derive(Clone, Copy)]
enum Kind {
    Code,
    Constant,
    Data,
}

struct Allocation {
    range: Range<usize>,
    kind: Kind,
}

impl CodeMemory {
    /// The process's memory; reserved at first use.
    pub(super) fn shared() -> io::Result<&'static CodeMemory> {
        static SHARED: OnceLock<Result<CodeMemory, io::ErrorKind>> = OnceLock::new();
        let made = SHARED.get_or_init(|| Backing::reserve().map(CodeMemory::new).map_err(|error| error.kind()));
        made.as_ref().map_err(|kind| io::Error::new(*kind, "no memory for code could be reserved"))
    }

    fn new(backing: Backing) -> CodeMemory {
        let space = Space { code: Area::new(backing.code()), data: Area::new(backing.data()) };
        CodeMemory { backing, space: Mutex::new(space) }
    }

    /// Addresses at which code may run.
    pub(super) fn addresses(&self) -> Range<usize> {
        self.backing.base()..self.backing.base() + self.backing.size()
    }

    /// The address at which what was written at `address` runs.
    pub(super) fn executable(&self, address: usize) -> usize {
        address.wrapping_sub(self.backing.write_address(0)) + self.backing.base()
    }

    #[cfg(all(test, target_os = "linux"))]
    pub(super) fn resident(&self) -> Option<u64> {
        self.backing.resident()
    }

    fn allocate(&self, size: usize, align: usize, kind: Kind) -> io::Result<(Allocation, usize)> {
        let granule = if self.backing.is_protected() { self.backing.page() } else { GRANULE };
        let padding = align.saturating_sub(granule);
        let size = size.max(1).checked_add(padding + granule - 1).ok_or(io::ErrorKind::OutOfMemory)? & !(granule - 1);
        let range = self
            .space()
            .area(kind)
            .take(size)
            .ok_or_else(|| io::Error::new(io::ErrorKind::OutOfMemory, "the memory reserved for code is used up"))?;
        if let Err(error) = self.backing.open(range.clone()) {
            self.space().area(kind).give(range, &self.backing);
            return Err(error);
        }
        let start = range.start.next_multiple_of(align.max(1));
        Ok((Allocation { range, kind }, self.backing.write_address(start)))
    }

    fn close(&self, allocation: &Allocation) -> io::Result<()> {
        let protection = match allocation.kind {
            Kind::Code => Protection::Execute,
            Kind::Constant => Protection::Read,
            Kind::Data => return Ok(()),
        };
        self.backing.close(allocation.range.clone(), protection)
    }

    fn free(&self, allocation: Allocation) {
        let Allocation { range, kind } = allocation;
        if matches!(kind, Kind::Code) && !self.backing.is_protected() {
            let address = self.backing.write_address(range.start) as *mut u8;
            // SAFETY: the range was allocated, so it lies in the writable view, and its owner has given it up.
            unsafe { address.write_bytes(FREED, range.len()) };
        }
        if self.backing.is_protected() {
            // A page of unknown history must not stay executable. If the system refuses, it is only a page lost.
            if self.backing.open(range.clone()).is_err() {
                return;
            }
        }
        self.space().area(kind).give(range, &self.backing);
    }

    fn space(&self) -> MutexGuard<'_, Space> {
        self.space.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Space {
    fn area(&mut self, kind: Kind) -> &mut Area {
        match kind {
            Kind::Code | Kind::Constant => &mut self.code,
            Kind::Data => &mut self.data,
        }
    }
}

/// Free and used ranges of offsets; best fit, neighbours are merged.
struct Area {
    start: usize,
    /// Start to length.
    free: BTreeMap<usize, usize>,
    /// The same as (length, start).
    by_size: BTreeSet<(usize, usize)>,
    /// How many bytes of each chunk are in use.
    used: Vec<u32>,
    /// Chunks that hold pages but nothing in use.
    empty: BTreeSet<usize>,
}

impl Area {
    fn new(range: Range<usize>) -> Area {
        Area {
            start: range.start,
            free: BTreeMap::from([(range.start, range.len())]),
            by_size: BTreeSet::from([(range.len(), range.start)]),
            used: vec![0; range.len().div_ceil(CHUNK)],
            empty: BTreeSet::new(),
        }
    }

    fn take(&mut self, size: usize) -> Option<Range<usize>> {
        let (length, start) = self.by_size.range((size, 0)..).next().copied()?;
        self.remove(start, length);
        if length > size {
            self.insert(start + size, length - size);
        }
        for (chunk, bytes) in self.chunks(start..start + size) {
            self.used[chunk] += bytes;
            self.empty.remove(&chunk);
        }
        Some(start..start + size)
    }

    fn give(&mut self, range: Range<usize>, backing: &Backing) {
        for (chunk, bytes) in self.chunks(range.clone()) {
            self.used[chunk] -= bytes;
            if self.used[chunk] == 0 {
                self.empty.insert(chunk);
            }
        }
        let (mut start, mut length) = (range.start, range.len());
        if let Some((before, size)) = self.free.range(..start).next_back().map(|(at, size)| (*at, *size))
            && before + size == start
        {
            self.remove(before, size);
            (start, length) = (before, size + length);
        }
        if let Some(size) = self.free.get(&(start + length)).copied() {
            self.remove(start + length, size);
            length += size;
        }
        self.insert(start, length);
        if self.empty.len() > SPARE_CHUNKS {
            self.discard(backing);
        }
    }

    fn discard(&mut self, backing: &Backing) {
        let end = self.start + self.used.len() * CHUNK;
        for chunk in std::mem::take(&mut self.empty) {
            let start = self.start + chunk * CHUNK;
            backing.discard(start..(start + CHUNK).min(end));
        }
    }

    fn insert(&mut self, start: usize, length: usize) {
        self.free.insert(start, length);
        self.by_size.insert((length, start));
    }

    fn remove(&mut self, start: usize, length: usize) {
        self.free.remove(&start);
        self.by_size.remove(&(length, start));
    }

    /// The chunks a range touches, with the bytes it has in each.
    fn chunks(&self, range: Range<usize>) -> impl Iterator<Item = (usize, u32)> + use<> {
        let (start, end) = (range.start - self.start, range.end - self.start);
        (start / CHUNK..end.div_ceil(CHUNK)).map(move |chunk| {
            let inside = end.min((chunk + 1) * CHUNK) - start.max(chunk * CHUNK);
            (chunk, inside as u32)
        })
    }
}

/// What one module has been given. The module fills it through a [`Provider`]; whoever drops it promises that none of
/// the module's code runs or is called any more.
pub(super) struct ModuleMemory {
    memory: &'static CodeMemory,
    allocations: Arc<Mutex<Vec<Allocation>>>,
}

impl ModuleMemory {
    pub(super) fn new() -> io::Result<ModuleMemory> {
        Ok(ModuleMemory { memory: CodeMemory::shared()?, allocations: Arc::default() })
    }

    /// The provider for the module. It does not own the memory: dropping the module frees nothing.
    pub(super) fn provider(&self) -> Box<Provider> {
        Box::new(Provider { memory: self.memory, allocations: self.allocations.clone() })
    }
}

impl Drop for ModuleMemory {
    fn drop(&mut self) {
        let allocations = std::mem::take(&mut *lock(&self.allocations));
        for allocation in allocations {
            self.memory.free(allocation);
        }
    }
}

/// The way to [`ModuleMemory`] that `cranelift-jit` knows.
pub(super) struct Provider {
    memory: &'static CodeMemory,
    allocations: Arc<Mutex<Vec<Allocation>>>,
}

impl JITMemoryProvider for Provider {
    fn allocate(&mut self, size: usize, align: u64, kind: JITMemoryKind) -> io::Result<*mut u8> {
        let kind = match kind {
            JITMemoryKind::Executable => Kind::Code,
            JITMemoryKind::ReadOnly => Kind::Constant,
            JITMemoryKind::Writable => Kind::Data,
        };
        let (allocation, address) = self.memory.allocate(size, align as usize, kind)?;
        lock(&self.allocations).push(allocation);
        Ok(address as *mut u8)
    }

    unsafe fn free_memory(&mut self) {}

    fn finalize(&mut self, _: BranchProtection) -> ModuleResult<()> {
        for allocation in lock(&self.allocations).iter() {
            self.memory.close(allocation).map_err(|err| ModuleError::Allocation { err })?;
        }
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
