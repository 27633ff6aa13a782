//! From a program counter to the code unit it lies in: what signal handlers and stack walks ask.
//!
//! Two flat tables of atomics in reserved memory: granule of code memory to unit number, unit number to unit. A look-up
//! is two loads; it takes no lock and allocates nothing, so signal handlers may do it.

use std::io;
use std::ops::Range;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::backing::{Mapping, Protection};
use super::memory::{CodeMemory, GRANULE};
use super::unit::CodeUnit;

/// The most units that may live at once.
const UNITS: usize = 1 << 20;

pub(super) struct Registry {
    base: usize,
    end: usize,
    granules: Mapping,
    units: Mapping,
    numbers: Mutex<Numbers>,
}

/// Unit numbers; 0 means none.
struct Numbers {
    next: u32,
    free: Vec<u32>,
}

/// A place in generated code.
#[derive(Clone, Copy)]
pub(super) struct Found {
    unit: *const CodeUnit,
    pub(super) function: usize,
    /// Bytes from the function's start.
    pub(super) offset: u32,
}

impl Found {
    /// The unit's address.
    pub(super) fn unit_address(&self) -> usize {
        self.unit as usize
    }

    /// The unit.
    ///
    /// # Safety
    /// The program counter that was looked up belongs to an activation on a stack, so that its unit is alive, and the
    /// activation lasts as long as `'a`.
    pub(super) unsafe fn unit<'a>(&self) -> &'a CodeUnit {
        // SAFETY: by the promise above; units leave the registry before they are freed.
        unsafe { &*self.unit }
    }

    /// A share of the unit.
    ///
    /// # Safety
    /// As for [`Found::unit`].
    pub(super) unsafe fn share(&self) -> Arc<CodeUnit> {
        // SAFETY: by the promise above the count is at least one; the pointer came from `Arc::as_ptr`.
        unsafe {
            Arc::increment_strong_count(self.unit);
            Arc::from_raw(self.unit)
        }
    }
}

static SHARED: OnceLock<Registry> = OnceLock::new();

impl Registry {
    /// The process's registry; made at first use.
    pub(super) fn shared() -> io::Result<&'static Registry> {
        if let Some(registry) = SHARED.get() {
            return Ok(registry);
        }
        let registry = Registry::new(CodeMemory::shared()?.addresses())?;
        Ok(SHARED.get_or_init(|| registry))
    }

    fn new(addresses: Range<usize>) -> io::Result<Registry> {
        Ok(Registry {
            granules: Mapping::new(addresses.len() / GRANULE * size_of::<AtomicU32>(), Protection::Write)?,
            units: Mapping::new(UNITS * size_of::<AtomicPtr<CodeUnit>>(), Protection::Write)?,
            base: addresses.start,
            end: addresses.end,
            numbers: Mutex::new(Numbers { next: 1, free: Vec::new() }),
        })
    }

    fn granule(&self, pc: usize) -> &AtomicU32 {
        let index = (pc - self.base) / GRANULE;
        assert!(index * size_of::<AtomicU32>() < self.granules.size());
        // SAFETY: the index is inside the mapping, which lives as long as `self` and is zeroed, a valid atomic.
        unsafe { &*(self.granules.address() as *const AtomicU32).add(index) }
    }

    fn unit(&self, number: u32) -> &AtomicPtr<CodeUnit> {
        assert!((number as usize) < UNITS);
        // SAFETY: as above.
        unsafe { &*(self.units.address() as *const AtomicPtr<CodeUnit>).add(number as usize) }
    }

    /// Takes a number for a unit.
    pub(super) fn number(&self) -> io::Result<u32> {
        let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = numbers.free.pop() {
            return Ok(number);
        }
        if numbers.next as usize >= UNITS {
            return Err(io::Error::new(io::ErrorKind::OutOfMemory, "too many pieces of code are alive"));
        }
        numbers.next += 1;
        Ok(numbers.next - 1)
    }

    /// Makes a unit known under its number.
    pub(super) fn insert(&self, number: u32, unit: &Arc<CodeUnit>) {
        self.unit(number).store(Arc::as_ptr(unit).cast_mut(), Ordering::Release);
        for range in unit.ranges() {
            self.fill(range, number);
        }
    }

    /// Forgets a unit that is about to be freed.
    pub(super) fn remove(&self, number: u32, unit: &CodeUnit) {
        for range in unit.ranges() {
            self.fill(range, 0);
        }
        self.unit(number).store(ptr::null_mut(), Ordering::Release);
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner).free.push(number);
    }

    fn fill(&self, range: Range<usize>, number: u32) {
        for pc in range.step_by(GRANULE) {
            self.granule(pc).store(number, Ordering::Release);
        }
    }

    fn look_up(&self, pc: usize) -> Option<Found> {
        if !(self.base..self.end).contains(&pc) {
            return None;
        }
        let number = self.granule(pc).load(Ordering::Acquire);
        if number == 0 {
            return None;
        }
        let unit = self.unit(number).load(Ordering::Acquire).cast_const();
        if unit.is_null() {
            return None;
        }
        // SAFETY: units leave the registry before they are freed, and a look-up of a pc that no stack holds (a wild
        // jump into code just being freed) is the only one that can lose the race.
        let (function, offset) = unsafe { (*unit).function_at(pc)? };
        Some(Found { unit, function, offset })
    }
}

/// Looks a program counter up.
pub(super) fn find(pc: usize) -> Option<Found> {
    SHARED.get()?.look_up(pc)
}
