//! Trap codes: the ways a running program can fail.

/// What thunks put at their trapping instruction in place of a [`TrapCode`]: the trap is the one that waits in the
/// thread's record.
pub const PENDING: u8 = 200;

/// What code puts at the trapping instruction of a failed index check in place of [`TrapCode::IndexOutOfBounds`]: index and
/// length are in the call context.
pub const FAILED_CHECK: u8 = 201;

/// Why a program stopped. The number is what generated code carries at the trapping instruction; it is never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum TrapCode {
    /// A null pointer was read, written or called (any address in the first page).
    NullPointer = 1,
    /// An address that is not mapped was read, written or called.
    BadAddress = 2,
    /// An integer was divided by zero.
    DivisionByZero = 3,
    /// An index was outside an array, slice or `Vec`.
    IndexOutOfBounds = 4,
    /// `!` on `None` or `Err`.
    UnwrapFailed = 5,
    /// `panic` was called.
    Panic = 6,
    /// An `assert` did not hold.
    AssertFailed = 7,
    /// The machine stack or the data stack is used up.
    StackOverflow = 8,
    /// Control reached a place the checker had ruled out, such as a match on an unknown discriminant.
    Unreachable = 9,
    /// A host function failed or panicked.
    HostFailure = 10,
    /// The host asked the program to stop.
    Interrupted = 11,
}

impl TrapCode {
    /// Every trap code, in the order of its number.
    pub const ALL: [TrapCode; 11] = [
        TrapCode::NullPointer,
        TrapCode::BadAddress,
        TrapCode::DivisionByZero,
        TrapCode::IndexOutOfBounds,
        TrapCode::UnwrapFailed,
        TrapCode::Panic,
        TrapCode::AssertFailed,
        TrapCode::StackOverflow,
        TrapCode::Unreachable,
        TrapCode::HostFailure,
        TrapCode::Interrupted,
    ];

    /// The code with this number, if there is one.
    pub fn from_number(number: u8) -> Option<TrapCode> {
        Self::ALL.into_iter().find(|code| *code as u8 == number)
    }

    /// What happened, as a report says it.
    pub fn message(self) -> &'static str {
        match self {
            TrapCode::NullPointer => "null pointer",
            TrapCode::BadAddress => "invalid memory access",
            TrapCode::DivisionByZero => "division by zero",
            TrapCode::IndexOutOfBounds => "index out of bounds",
            TrapCode::UnwrapFailed => "unwrapped a value that is not there",
            TrapCode::Panic => "panic",
            TrapCode::AssertFailed => "assertion failed",
            TrapCode::StackOverflow => "out of stack",
            TrapCode::Unreachable => "reached code that cannot be reached",
            TrapCode::HostFailure => "a host function failed",
            TrapCode::Interrupted => "interrupted by the host",
        }
    }
}

impl std::fmt::Display for TrapCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.message())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_stable_and_found_again() {
        for (index, code) in TrapCode::ALL.into_iter().enumerate() {
            assert_eq!(code as usize, index + 1);
            assert_eq!(TrapCode::from_number(code as u8), Some(code));
        }
        assert_eq!(TrapCode::from_number(0), None);
    }
}
