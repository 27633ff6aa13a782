//! Going on in other code at a poll: the transfer that the runtime does, here between bodies of one version.

use std::sync::Arc;

use vaisjit_semantics::Ty;

use super::frame::{Done, Frame};
use super::{Interp, Stop};
use crate::mir::{Body, Carried, Local, Operand, Taken};
use crate::resume::{CarryKey, part_of};

/// Polls at which a loop goes on in its resumed body: all up to the first number, then every so many.
const ALL: u64 = 200;
const EVERY: u64 = 61;

/// What a poll hands over of one local.
struct Given {
    key: CarryKey,
    ty: Ty,
    owned: bool,
    from: Source,
}

#[derive(Clone, Copy)]
enum Source {
    Bits(u128),
    Memory(u64),
}

impl Interp<'_> {
    /// A poll: if the program has a body that starts at this loop, the activation goes on there.
    pub(super) fn safepoint(&mut self, carried: &[Carried]) -> Done {
        self.safepoints += 1;
        let frame = self.frame()?;
        let number = frame.body.blocks[frame.block].in_loop;
        let id = number.and_then(|number| frame.body.loops.get(number as usize)).map(|info| info.id);
        let instance = frame.body.instance;
        let resumed = id.and_then(|id| self.program.resumed.get(&(instance, id))).cloned();
        match resumed {
            Some(body) if self.resumes_now() => self.go_on_in(body, carried),
            _ => Ok(()),
        }
    }

    fn resumes_now(&self) -> bool {
        match self.program.resume_at {
            Some(wanted) => self.safepoints == wanted,
            None => self.safepoints <= ALL || self.safepoints.is_multiple_of(EVERY),
        }
    }

    fn go_on_in(&mut self, body: Arc<Body>, carried: &[Carried]) -> Done {
        let mut given = carried.iter().map(|carried| self.given(carried)).collect::<Done<Vec<Given>>>()?;
        // The names of the version that goes on, which a body that was resumed before has already.
        if self.frame()?.body.resumed.is_none() {
            let names = body.resumed.iter().flat_map(|resumed| &resumed.have);
            given.iter_mut().zip(names).for_each(|(given, have)| given.key = have.key);
        }
        let taken: Vec<(Local, Taken)> = body.taken().collect();
        self.settle_references(&given, &taken)?;
        let mut slots = Vec::with_capacity(body.locals.len());
        let mut owned = Vec::new();
        let result = self.frame()?.slots[0];
        for (index, (local, declared)) in body.locals.iter().enumerate() {
            let taken = taken.iter().find(|(to, _)| *to == local).map(|(_, taken)| taken.key);
            slots.push(match taken {
                _ if index == 0 && declared.ty.is_aggregate() => result,
                Some(key) => self.received(key, declared.ty, declared.in_memory, &given, &mut owned)?,
                None if declared.in_memory => self.local_memory(declared.ty, None, &mut owned)?,
                None => super::frame::SPOILT,
            });
        }
        let Some(entry) = body.blocks.iter().next().map(|(id, _)| id) else {
            return Err(Stop::Bug("a resumed body without blocks".to_owned()));
        };
        let frame = self.frame()?;
        owned.append(&mut frame.owned);
        *frame = Frame { body, block: entry, next: 0, slots, owned };
        Ok(())
    }

    /// What is owned from now on gets a reference, what nobody takes loses it. In one version both sides own the same.
    fn settle_references(&mut self, given: &[Given], taken: &[(Local, Taken)]) -> Done {
        let local = |key: CarryKey| (key.name, key.nth);
        for given in given {
            let takes: Vec<bool> = (taken.iter().filter(|(_, taken)| local(taken.key) == local(given.key)))
                .map(|(_, taken)| taken.owned)
                .collect();
            let owned = takes.contains(&true);
            let lost = given.owned && !owned && !takes.is_empty();
            if lost || self.program.resume_at.is_none() && owned != given.owned {
                return Err(Stop::Bug(format!("{} changes its owner at a poll", given.key)));
            }
            match (given.owned, owned, given.from) {
                (false, true, Source::Bits(bits)) => self.machine.retain_bits(bits as u64, given.ty)?,
                (false, true, Source::Memory(address)) => self.machine.retain_at(address, given.ty)?,
                (true, false, Source::Bits(bits)) => self.machine.release_bits(bits as u64, given.ty)?,
                (true, false, Source::Memory(address)) => self.machine.release_at(address, given.ty)?,
                (true, true, _) | (false, false, _) => {}
            }
        }
        Ok(())
    }

    fn given(&mut self, carried: &Carried) -> Done<Given> {
        let ty = carried.value.ty();
        let memory = match &carried.value {
            Operand::Copy(place) => match place.as_local() {
                Some(local) if self.frame()?.body.locals[local].in_memory => Some(self.frame()?.slot(local) as u64),
                _ => None,
            },
            Operand::Const(_) => None,
        };
        let from = match memory {
            Some(address) => Source::Memory(address),
            None => Source::Bits(self.scalar(&carried.value)?),
        };
        Ok(Given { key: carried.key, ty, owned: carried.owned, from })
    }

    /// The slot of a local that is taken over: what is in memory stays at its address.
    fn received(
        &mut self,
        key: CarryKey,
        ty: Ty,
        in_memory: bool,
        given: &[Given],
        owned: &mut Vec<u64>,
    ) -> Done<u128> {
        let same = |given: &&Given| given.key == key;
        match (given.iter().find(same), in_memory) {
            (Some(Given { ty: before, from: Source::Memory(address), .. }), true) if *before == ty => {
                Ok(u128::from(*address))
            }
            (Some(Given { from: Source::Memory(address), .. }), false) => {
                Ok(self.machine.memory.load(*address, self.size(ty))?)
            }
            (Some(Given { from: Source::Bits(bits), .. }), false) => Ok(*bits),
            (Some(Given { from: Source::Bits(bits), .. }), true) => self.local_memory(ty, Some(*bits), owned),
            (_, true) if key.part.is_some() => {
                let (from, size) = (part_address(self, key, given)?, self.size(ty));
                let address = self.local_memory(ty, None, owned)?;
                self.machine.memory.copy(address as u64, from, u64::from(size))?;
                Ok(address)
            }
            (_, true) => self.assembled(key, ty, given, owned),
            (None, false) => {
                let from = part_address(self, key, given)?;
                Ok(self.machine.memory.load(from, self.size(ty))?)
            }
        }
    }

    /// A local in memory, from the parts it was taken apart into.
    fn assembled(&mut self, key: CarryKey, ty: Ty, given: &[Given], owned: &mut Vec<u64>) -> Done<u128> {
        let address = self.local_memory(ty, None, owned)?;
        let mut found = false;
        for part in given.iter().filter(|part| (part.key.name, part.key.nth) == (key.name, key.nth)) {
            let at = part.key.part.and_then(|path| part_of(ty, path, &self.program.types, self.layouts));
            let Some((offset, _)) = at else { return Err(lost(key)) };
            let (to, size) = (address as u64 + u64::from(offset), self.size(part.ty));
            match part.from {
                Source::Bits(bits) => self.machine.memory.store(to, size, bits)?,
                Source::Memory(from) => self.machine.memory.copy(to, from, u64::from(size))?,
            }
            found = true;
        }
        if found { Ok(address) } else { Err(lost(key)) }
    }
}

/// Where a part of a local lies that was in memory as a whole.
fn part_address(interp: &Interp<'_>, key: CarryKey, given: &[Given]) -> Done<u64> {
    let whole = given.iter().find(|given| given.key == CarryKey { part: None, ..key });
    let Some((Given { ty: of, from: Source::Memory(address), .. }, path)) = whole.zip(key.part) else {
        return Err(lost(key));
    };
    let at = part_of(*of, path, &interp.program.types, interp.layouts).ok_or_else(|| lost(key))?;
    Ok(address + u64::from(at.0))
}

fn lost(key: CarryKey) -> Stop {
    Stop::Bug(format!("{key} is taken over, but not handed over"))
}
