//! What the runtime must know about a piece of machine code besides its bytes: where it may trap and why, which source
//! location an instruction came from, and where traps that unwind through a call continue.

use cranelift_codegen::ir::SourceLoc;
use cranelift_codegen::isa::unwind::UnwindInst;
use cranelift_codegen::{
    Context, FinalizedMachCallSite, FinalizedMachExceptionHandler, LabelValueLoc, RegClass, ValueLocRange,
};

/// From the frame pointer to the address that Cranelift counts from: return address and saved frame pointer.
const FRAME: i64 = 16;

/// Side tables of one compiled function. All offsets count from its first byte; every table is sorted by offset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CodeInfo {
    /// Length of the code in bytes.
    pub size: u32,
    /// Offsets of instructions that may trap, with the trap code: a [`vaisjit_abi::TrapCode`], a
    /// [`vaisjit_abi::trap::PENDING`], a [`vaisjit_abi::trap::FAILED_CHECK`], or one of Cranelift's own (from 251 upwards).
    pub traps: Vec<(u32, u8)>,
    /// `(start, end, location)`: the source location (an index into a table the compiler keeps) of `start..end`.
    pub locations: Vec<(u32, u32, u32)>,
    /// Call sites that catch traps.
    pub handlers: Vec<Handler>,
    /// Where values of variables are.
    pub values: Vec<Held>,
    /// Registers of its callers that it saves below its frame pointer.
    pub saved: Saved,
}

/// What a function saves of its callers' registers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Saved {
    /// How many bytes below the frame pointer.
    pub bytes: u32,
    /// Which registers that can hold addresses, a bit for each by its number in the instruction set.
    pub registers: u32,
}

/// Where a value is while the code runs between two offsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Which value: see [`NamedAt`](crate::clif::NamedAt).
    pub label: u32,
    /// From this offset on.
    pub start: u32,
    /// To this one.
    pub end: u32,
    /// Where it is.
    pub spot: Spot,
}

/// A place in the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spot {
    /// A register for integers, by its number in the machine's encoding.
    Int(u8),
    /// One for floats.
    Float(u8),
    /// A word of the frame, at a distance from the frame pointer.
    Frame(i32),
}

/// A call that catches traps: an entry trampoline has one, other functions none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handler {
    /// Offset of the instruction after the call.
    pub return_offset: u32,
    /// Offset of the code that goes on after a trap.
    pub handler_offset: u32,
    /// Distance from the frame pointer down to the stack pointer during the call.
    pub frame_offset: u32,
}

impl CodeInfo {
    /// The tables of the function `context` has just compiled; empty if it has not compiled any.
    pub fn of(context: &Context) -> CodeInfo {
        let Some(code) = context.compiled_code() else { return CodeInfo::default() };
        let buffer = &code.buffer;
        let places: Vec<(u32, u32, SourceLoc)> =
            buffer.get_srclocs_sorted().iter().map(|range| (range.start, range.end, range.loc)).collect();
        let layout = Blocks::of(&places);
        let mut info = CodeInfo {
            size: buffer.total_size(),
            traps: buffer.traps().iter().map(|trap| (trap.offset, trap.code.as_raw().get())).collect(),
            locations: (places.iter().filter(|(.., at)| !at.is_default()))
                .map(|(start, end, at)| (*start, *end, warm(*at).bits()))
                .collect(),
            handlers: buffer.call_sites().filter_map(|site| handler_of(&site)).collect(),
            values: code
                .value_labels_ranges
                .iter()
                .flat_map(|(label, ranges)| held(label.as_u32(), ranges, &layout))
                .collect(),
            saved: saved(code.buffer.unwind_info.iter().map(|(_, what)| what)),
        };
        info.values.sort_unstable_by_key(|held| (held.label, held.start));
        info.traps.sort_unstable();
        info
    }

    /// The code of the trap at `offset`.
    pub fn trap_at(&self, offset: u32) -> Option<u8> {
        let found = self.traps.binary_search_by_key(&offset, |(at, _)| *at).ok()?;
        Some(self.traps[found].1)
    }

    /// The source location of the instruction that contains `offset`. Instructions that the optimiser made anew have
    /// none of their own: they are mostly operands, so the next one stands for them. Prologues and what
    /// belongs to them have none.
    pub fn location_at(&self, offset: u32) -> Option<u32> {
        let after = self.locations.partition_point(|(start, ..)| *start <= offset);
        let before = self.locations[..after].last();
        let next = self.locations.get(after);
        match (before, next) {
            (Some((_, end, location)), _) if offset < *end => Some(*location),
            (Some(_), Some((.., location))) => Some(*location),
            _ => None,
        }
    }
}

fn saved<'a>(unwinding: impl Iterator<Item = &'a UnwindInst>) -> Saved {
    let (mut area, mut saved) = (0, Saved::default());
    for what in unwinding {
        match what {
            UnwindInst::DefineNewFrame { offset_downward_to_clobbers, .. } => area = *offset_downward_to_clobbers,
            UnwindInst::SaveReg { reg, .. } => {
                saved.bytes = area;
                saved.registers |= u32::from(reg.class() == RegClass::Int) << reg.hw_enc();
            }
            _ => {}
        }
    }
    saved
}

/// Marks the location of code in a block that lies behind all others, out of the way.
const COLD: u32 = 1 << 31;

/// The location for code in such a block.
pub(crate) fn cold(at: SourceLoc) -> SourceLoc {
    if at.is_default() { at } else { SourceLoc::new(at.bits() | COLD) }
}

/// The location without the mark.
pub(crate) fn warm(at: SourceLoc) -> SourceLoc {
    if at.is_default() { at } else { SourceLoc::new(at.bits() & !COLD) }
}

/// Is it marked?
pub(crate) fn is_cold(at: SourceLoc) -> bool {
    !at.is_default() && at.bits() & COLD != 0
}

/// How the blocks of a function lie. Cranelift tells from where to where a value is held in the order in which it numbered
/// the instructions, where a block out of the way stands beside the one that leads to it.
struct Blocks<'a> {
    places: &'a [(u32, u32, SourceLoc)],
    /// Where those out of the way begin.
    cold: u32,
}

impl Blocks<'_> {
    fn of(places: &[(u32, u32, SourceLoc)]) -> Blocks<'_> {
        let cold = places.iter().find(|(.., at)| is_cold(*at)).map_or(u32::MAX, |(start, ..)| *start);
        Blocks { places, cold }
    }

    /// Where a range that Cranelift lets end at `end` surely has not ended yet.
    fn sure_end(&self, start: u32, end: u32) -> u32 {
        if start >= self.cold || end < self.cold {
            return end;
        }
        // It ends in a block out of the way: the code that leads there belongs to the same statement.
        match self.places.iter().find(|(_, until, at)| *until > end && !at.is_default()) {
            Some((.., at)) => {
                let before = self.places.iter().find(|(from, _, place)| *from >= start && *place == warm(*at));
                before.map_or(start, |(from, ..)| (*from).min(self.cold))
            }
            None => self.cold,
        }
    }
}

fn held(label: u32, ranges: &[ValueLocRange], blocks: &Blocks<'_>) -> impl Iterator<Item = Held> {
    ranges.iter().filter_map(move |range| {
        let spot = match range.loc {
            LabelValueLoc::CFAOffset(offset) => Spot::Frame(i32::try_from(offset + FRAME).ok()?),
            LabelValueLoc::Reg(register) => {
                let register = register.to_real_reg()?;
                match register.class() {
                    RegClass::Int => Spot::Int(register.hw_enc()),
                    RegClass::Float => Spot::Float(register.hw_enc()),
                    RegClass::Vector => return None,
                }
            }
        };
        let end = blocks.sure_end(range.start, range.end);
        (range.start < end).then_some(Held { label, start: range.start, end, spot })
    })
}

fn handler_of(site: &FinalizedMachCallSite<'_>) -> Option<Handler> {
    let handler_offset = site.exception_handlers.iter().find_map(|handler| match handler {
        FinalizedMachExceptionHandler::Default(offset) => Some(*offset),
        _ => None,
    })?;
    Some(Handler { return_offset: site.ret_addr, handler_offset, frame_offset: site.frame_offset? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn look_ups_between_ranges_find_the_next() {
        let info = CodeInfo {
            size: 20,
            traps: vec![(4, 3), (9, 1)],
            locations: vec![(2, 4, 7), (8, 10, 8)],
            ..CodeInfo::default()
        };
        assert_eq!(CodeInfo::default().location_at(0), None);
        assert_eq!([info.trap_at(4), info.trap_at(5)], [Some(3), None]);
        assert_eq!(
            [0, 3, 5, 7, 9, 15].map(|at| info.location_at(at)),
            [None, Some(7), Some(8), Some(8), Some(8), None]
        );
    }
}
