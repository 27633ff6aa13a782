//! The types of generated programs.

/// An integer type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Int {
    pub bits: u32,
    pub signed: bool,
}

impl Int {
    pub const I64: Int = Int { bits: 64, signed: true };

    pub const ALL: [Int; 10] = {
        let mut all = [Int::I64; 10];
        let mut index = 0;
        while index < 10 {
            all[index] = Int { bits: 8 << (index / 2), signed: index % 2 == 0 };
            index += 1;
        }
        all
    };

    /// Its name in the language, and in generated C.
    pub fn name(self) -> String {
        format!("{}{}", if self.signed { 'i' } else { 'u' }, self.bits)
    }

    /// The number cut to the type.
    pub fn wrap(self, value: i128) -> i128 {
        let unused = 128 - self.bits;
        let shifted = value << unused;
        if self.signed { shifted >> unused } else { ((shifted as u128) >> unused) as i128 }
    }
}

/// A type.
#[derive(Clone, PartialEq, Debug)]
pub enum Ty {
    Int(Int),
    F32,
    F64,
    Bool,
    Struct(usize),
    Enum(usize),
    Array(Box<Ty>, usize),
    Str,
}

impl Ty {
    pub const I64: Ty = Ty::Int(Int::I64);

    pub fn is_float(&self) -> bool {
        matches!(self, Ty::F32 | Ty::F64)
    }

    /// Its name in the language.
    pub fn name(&self) -> String {
        match self {
            Ty::Int(int) => int.name(),
            Ty::F32 => "f32".to_owned(),
            Ty::F64 => "f64".to_owned(),
            Ty::Bool => "bool".to_owned(),
            Ty::Struct(n) => format!("Rec{n}"),
            Ty::Enum(n) => format!("Enm{n}"),
            Ty::Array(of, length) => format!("[{}; {length}]", of.name()),
            Ty::Str => "str".to_owned(),
        }
    }
}
