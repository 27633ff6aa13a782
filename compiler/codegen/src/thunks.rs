//! Placeholder until the fence's thunks arrive: the ABI types of a call.

use smallvec::SmallVec;

/// A machine type in a call.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum AbiType {
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    I128,
    F32,
    F64,
}

/// The machine types of a call.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct AbiSignature {
    pub params: SmallVec<[AbiType; 6]>,
    pub result: Option<AbiType>,
}

impl std::fmt::Display for AbiSignature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}
