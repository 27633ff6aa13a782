//! Simulated memory: every local, global, literal, heap block and `malloc` is an allocation of its own, far from all
//! others, so that an address outside its allocation is always noticed.
//!
//! ```text
//! address = allocation number << 32 | 0x4000_0000 + offset
//! ```

use std::cell::RefCell;
use std::collections::VecDeque;

use vaisjit_abi::TrapCode;

/// Freed allocations wait behind so many others before their number is used again.
const QUARANTINE: usize = 1 << 12;
/// Where in its 4 GiB region an allocation starts.
const START: u64 = 0x4000_0000;
/// Addresses below are the null page.
const NULL_PAGE: u64 = 4096;
/// Largest allocation.
const LARGEST: u64 = 1 << 30;
/// Bytes of fresh stack memory: nobody may rely on them.
const FRESH: u8 = 0xaa;

/// Why an access failed.
pub type Access<T> = Result<T, TrapCode>;

/// What an allocation is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A local.
    Local,
    /// A global or a table.
    Static,
    /// A literal.
    Literal,
    /// A counted block.
    Block,
    /// From `malloc`.
    Foreign,
}

struct Allocation {
    bytes: Vec<u8>,
    live: bool,
    kind: Kind,
}

/// All simulated memory.
#[derive(Default)]
pub struct Memory {
    allocations: Vec<Allocation>,
    free: VecDeque<u32>,
    /// An access to a block that has been freed: never the program's fault.
    complaint: RefCell<Option<String>>,
}

impl Memory {
    /// Room for a local; its bytes are garbage.
    pub fn allocate_local(&mut self, size: u32) -> u64 {
        self.allocate(vec![FRESH; size as usize], Kind::Local)
    }

    /// Memory with these bytes that is never freed.
    pub fn allocate_static(&mut self, bytes: Vec<u8>) -> u64 {
        self.allocate(bytes, Kind::Static)
    }

    /// The image of a literal.
    pub fn allocate_literal(&mut self, bytes: Vec<u8>) -> u64 {
        self.allocate(bytes, Kind::Literal)
    }

    /// A block with its header; zeroed. Nothing when the size is absurd.
    pub fn allocate_block(&mut self, size: u64) -> Option<u64> {
        (size <= LARGEST).then(|| self.allocate(vec![0; size as usize], Kind::Block))
    }

    /// `malloc`, zeroed; 0 when the size is absurd.
    pub fn allocate_heap(&mut self, size: u64) -> u64 {
        if size > LARGEST { 0 } else { self.allocate(vec![0; size as usize], Kind::Foreign) }
    }

    fn allocate(&mut self, bytes: Vec<u8>, kind: Kind) -> u64 {
        let allocation = Allocation { bytes, live: true, kind };
        let index = match self.free.len() > QUARANTINE {
            true => self.free.pop_front(),
            false => None,
        };
        let index = match index {
            Some(index) => {
                self.allocations[index as usize] = allocation;
                index
            }
            None => {
                self.allocations.push(allocation);
                self.allocations.len() as u32 - 1
            }
        };
        (u64::from(index) + 1) << 32 | START
    }

    /// Ends the life of a local or block.
    pub fn release(&mut self, address: u64) {
        let index = index_of(address);
        if let Some((index, known)) = index.and_then(|index| Some((index, self.allocations.get_mut(index)?))) {
            *known = Allocation { bytes: Vec::new(), live: false, kind: known.kind };
            self.free.push_back(index as u32);
        }
    }

    /// What the memory at an address is for; nothing if there is none.
    pub fn kind_of(&self, address: u64) -> Option<Kind> {
        let allocation = self.allocations.get(index_of(address)?)?;
        allocation.live.then_some(allocation.kind)
    }

    /// What is wrong with the program's counting, if an access has shown it.
    pub fn complaint(&self) -> Option<String> {
        self.complaint.borrow_mut().take()
    }

    /// Notes why there is nothing at an address.
    fn missing(&self, address: u64, allocation: Option<&Allocation>) -> TrapCode {
        if allocation.is_some_and(|allocation| !allocation.live && allocation.kind == Kind::Block) {
            self.complaint.borrow_mut().get_or_insert_with(|| format!("use of a freed heap block at {address:#x}"));
        }
        TrapCode::BadAddress
    }

    /// `free`: null is fine, anything but the start of a live heap block is not.
    pub fn free(&mut self, address: u64) -> Access<()> {
        if address == 0 {
            return Ok(());
        }
        let known = index_of(address).and_then(|index| self.allocations.get(index));
        match known {
            Some(Allocation { live: true, kind: Kind::Foreign, .. }) if address & 0xffff_ffff == START => {
                self.release(address);
                Ok(())
            }
            _ => Err(TrapCode::BadAddress),
        }
    }

    /// Size of the heap block that starts here.
    pub fn heap_size(&self, address: u64) -> Option<u64> {
        let allocation = self.allocations.get(index_of(address)?)?;
        (allocation.live && allocation.kind == Kind::Foreign).then_some(allocation.bytes.len() as u64)
    }

    /// The bytes at an address.
    pub fn read(&self, address: u64, size: u64) -> Access<&[u8]> {
        if size == 0 {
            return Ok(&[]);
        }
        let start = offset(address, size)?;
        let known = index_of(address).and_then(|index| self.allocations.get(index));
        let allocation = known.filter(|known| known.live).ok_or_else(|| self.missing(address, known))?;
        allocation.bytes.get(start..start + size as usize).ok_or(TrapCode::BadAddress)
    }

    /// The bytes at an address, to be changed.
    pub fn write(&mut self, address: u64, size: u64) -> Access<&mut [u8]> {
        if size == 0 {
            return Ok(&mut []);
        }
        let start = offset(address, size)?;
        let known = index_of(address).and_then(|index| self.allocations.get(index));
        known.filter(|known| known.live).ok_or_else(|| self.missing(address, known))?;
        let allocation = index_of(address).and_then(|index| self.allocations.get_mut(index));
        let allocation = allocation.ok_or(TrapCode::BadAddress)?;
        allocation.bytes.get_mut(start..start + size as usize).ok_or(TrapCode::BadAddress)
    }

    /// A number of up to 16 bytes.
    pub fn load(&self, address: u64, size: u32) -> Access<u128> {
        let mut bytes = [0; 16];
        bytes[..size as usize].copy_from_slice(self.read(address, u64::from(size))?);
        Ok(u128::from_le_bytes(bytes))
    }

    /// Stores a number of up to 16 bytes.
    pub fn store(&mut self, address: u64, size: u32, value: u128) -> Access<()> {
        let bytes = value.to_le_bytes();
        self.write(address, u64::from(size))?.copy_from_slice(&bytes[..size as usize]);
        Ok(())
    }

    /// `memmove`
    pub fn copy(&mut self, to: u64, from: u64, size: u64) -> Access<()> {
        let bytes = self.read(from, size)?.to_vec();
        self.write(to, size)?.copy_from_slice(&bytes);
        Ok(())
    }

    /// The bytes up to a zero.
    pub fn c_string(&self, address: u64) -> Access<Vec<u8>> {
        let mut bytes = Vec::new();
        loop {
            match self.read(address.wrapping_add(bytes.len() as u64), 1)?[0] {
                0 => return Ok(bytes),
                byte => bytes.push(byte),
            }
        }
    }
}

fn index_of(address: u64) -> Option<usize> {
    ((address >> 32) as usize).checked_sub(1)
}

fn offset(address: u64, size: u64) -> Access<usize> {
    if address < NULL_PAGE {
        return Err(TrapCode::NullPointer);
    }
    let offset = (address & 0xffff_ffff).checked_sub(START).ok_or(TrapCode::BadAddress)?;
    if size > LARGEST { Err(TrapCode::BadAddress) } else { Ok(offset as usize) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_access_must_lie_in_a_live_allocation() {
        let mut memory = Memory::default();
        let (first, second) = (memory.allocate_local(8), memory.allocate_heap(8));
        memory.store(first, 8, 7).unwrap();
        assert_eq!(memory.load(first, 8), Ok(7));
        assert_eq!(memory.load(first + 1, 8), Err(TrapCode::BadAddress));
        assert_eq!(memory.load(first.wrapping_sub(1), 1), Err(TrapCode::BadAddress));
        assert_eq!(memory.load(8, 1), Err(TrapCode::NullPointer));
        assert_eq!(memory.load(0x7fff_ffff_0000, 1), Err(TrapCode::BadAddress));
        memory.free(second).unwrap();
        assert_eq!(memory.load(second, 1), Err(TrapCode::BadAddress));
        assert_eq!(memory.free(second), Err(TrapCode::BadAddress));
        assert_eq!(memory.free(first), Err(TrapCode::BadAddress));
        memory.release(first);
        assert_eq!(memory.load(first, 8), Err(TrapCode::BadAddress));
    }

    #[test]
    fn strings_end_at_a_zero() {
        let mut memory = Memory::default();
        let text = memory.allocate_static(b"abc\0d".to_vec());
        assert_eq!(memory.c_string(text), Ok(b"abc".to_vec()));
        assert_eq!(memory.c_string(text + 4), Err(TrapCode::BadAddress));
    }
}
