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
        let held = unit.info(function).values.iter().filter(|held| (held.start..held.end).contains(&offset));
        held.filter_map(|held| Some((held.label, self.at(held.spot)?))).collect()
    }
}
