//! What the machine holds of a function's variables at a trap.

use vaisjit_codegen::info::Spot;

use super::stack::StackBounds;
use super::unit::CodeUnit;

/// How many words below the frame pointer are kept. Chosen by feel.
const WORDS: usize = 128;

/// The registers at a trap, and the innermost frame: noted by the signal handler.
pub(super) struct Held {
    /// By number in the machine's encoding.
    pub(super) ints: [u64; 16],
    pub(super) floats: [u64; 16],
    /// The words below the frame pointer, the nearest first.
    frame: [u64; WORDS],
    /// How many of them there are.
    words: usize,
}

impl Default for Held {
    fn default() -> Held {
        Held { ints: [0; 16], floats: [0; 16], frame: [0; WORDS], words: 0 }
    }
}

impl Held {
    /// Keeps the words of a frame. Called by the signal handler.
    pub(super) fn keep_frame(&mut self, bounds: StackBounds, sp: usize, fp: usize) {
        self.words = 0;
        let below = (1..=WORDS).map_while(|number| fp.checked_sub(8 * number).filter(|at| *at >= sp));
        for at in below.filter(|at| bounds.holds_word(*at)) {
            // SAFETY: a word of this thread's stack, above its stack pointer; it is only looked at.
            self.frame[self.words] = unsafe { (at as *const u64).read_volatile() };
            self.words += 1;
        }
    }

    fn at(&self, spot: Spot) -> Option<u64> {
        match spot {
            Spot::Int(number) => self.ints.get(usize::from(number)).copied(),
            Spot::Float(number) => self.floats.get(usize::from(number)).copied(),
            Spot::Frame(offset) => {
                let word = usize::try_from(-i64::from(offset)).ok().filter(|below| below.is_multiple_of(8))? / 8;
                self.frame[..self.words].get(word.checked_sub(1)?).copied()
            }
        }
    }

    /// The values that are held where a function has trapped, by their labels.
    pub(super) fn values(&self, unit: &CodeUnit, function: usize, offset: u32) -> Vec<(u32, u64)> {
        let info = unit.info(function);
        let Some(at) = branch_to(unit.code(function), offset) else { return Vec::new() };
        let held = info.values.iter().filter(|held| (held.start..held.end).contains(&at));
        let mut values: Vec<(u32, u64)> = held.filter_map(|held| Some((held.label, self.at(held.spot)?))).collect();
        values.dedup_by_key(|(label, _)| *label);
        values
    }
}

/// Where the tables have to be asked about a trap: the conditional jump to a trapping instruction that stands behind the
/// function's code, as no register changes in between; other instructions themselves.
fn branch_to(code: &[u8], offset: u32) -> Option<u32> {
    const UD2: [u8; 2] = [0x0f, 0x0b];
    let at = offset as usize;
    if code.get(at..at + 2) != Some(&UD2) {
        return Some(offset);
    }
    let leads_here = |start: &usize| {
        let [0x0f, 0x80..=0x8f, distance @ ..] = &code[*start..*start + 6] else { return false };
        let distance = i32::from_le_bytes([distance[0], distance[1], distance[2], distance[3]]);
        i64::from(distance) + *start as i64 + 6 == at as i64
    };
    let before = at.checked_sub(6).and_then(|start| code.get(start..start + 2));
    if matches!(before, Some([0x0f, 0x80..=0x8f])) {
        return Some(offset - 6);
    }
    let mut jumps = (0..code.len().saturating_sub(5)).filter(leads_here);
    let jump = jumps.next()?;
    jumps.next().is_none().then_some(jump as u32)
}
