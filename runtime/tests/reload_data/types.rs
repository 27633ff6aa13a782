//! The types of a random program's data, and what its text says of their values.

use crate::random::Random;

pub const STRUCTS: usize = 4;
pub const ENUMS: usize = 2;
pub const NUMBERS: [&str; 8] = ["i64", "i32", "u8", "f64", "i16", "u64", "f32", "u32"];
/// The structs that stand behind a `dyn`.
pub const SHAPES: [usize; 2] = [STRUCTS - 2, STRUCTS - 1];

/// A type of the program.
#[derive(Clone, PartialEq)]
pub enum Type {
    Number(&'static str),
    Bool,
    Str,
    Struct(usize),
    Enum(usize),
    Vec(Box<Type>),
    Array(Box<Type>, usize),
    Tuple(Vec<Type>),
    Option(Box<Type>),
    Map(Box<Type>),
    Boxed(usize),
    Dyn,
    Pair(Box<Type>),
}

impl Type {
    /// Of a field of the struct with this number: structs hold only those with higher numbers.
    pub fn random(random: &mut Random, holder: usize, depth: usize) -> Type {
        let inner = |random: &mut Random| Box::new(Type::random(random, holder, depth - 1));
        match random.below(if depth == 0 { 8 } else { 16 }) {
            0..=2 => Type::Number(NUMBERS[random.below(NUMBERS.len())]),
            3 => Type::Bool,
            4 | 5 => Type::Str,
            6 if holder < STRUCTS => Type::Enum(random.below(ENUMS)),
            7 | 8 if holder + 1 < STRUCTS => Type::above(random, holder),
            9 => Type::Array(inner(random), 1 + random.below(3)),
            10 => Type::Option(Box::new(Type::inside(random, holder, depth - 1))),
            11 => Type::Map(inner(random)),
            12 | 13 => Type::Vec(Box::new(Type::inside(random, holder, depth - 1))),
            14 => Type::Tuple(vec![*inner(random), *inner(random)]),
            15 => Type::Pair(inner(random)),
            _ => Type::Number("i64"),
        }
    }

    /// What stands in an `Option` or a list: it needs no default.
    fn inside(random: &mut Random, holder: usize, depth: usize) -> Type {
        match random.below(8) {
            0 if holder < SHAPES[0] => Type::Dyn,
            1 if holder + 1 < STRUCTS => match Type::above(random, holder) {
                Type::Struct(number) => Type::Boxed(number),
                other => other,
            },
            _ => Type::random(random, holder, depth),
        }
    }

    /// The type with other numbers somewhere inside.
    pub fn with_other_numbers(&self, random: &mut Random) -> Type {
        let inner = |of: &Type, random: &mut Random| Box::new(of.with_other_numbers(random));
        match self {
            Type::Number(_) => Type::Number(NUMBERS[random.below(NUMBERS.len())]),
            Type::Vec(of) => Type::Vec(inner(of, random)),
            Type::Array(of, length) => Type::Array(inner(of, random), *length),
            Type::Option(of) => Type::Option(inner(of, random)),
            Type::Map(of) => Type::Map(inner(of, random)),
            Type::Tuple(of) => {
                let mut of = of.clone();
                let place = random.below(of.len());
                of[place] = of[place].with_other_numbers(random);
                Type::Tuple(of)
            }
            other => other.clone(),
        }
    }

    /// Is a value all there again that was of another type meanwhile?
    pub fn comes_back_from(&self, other: &Type) -> bool {
        match (self, other) {
            (Type::Number(_), Type::Number(_)) | (Type::Str, _) | (_, Type::Str) => true,
            (Type::Array(a, n), Type::Array(b, m)) => n == m && a.comes_back_from(b),
            (Type::Vec(a), Type::Vec(b)) | (Type::Option(a), Type::Option(b)) | (Type::Map(a), Type::Map(b)) => {
                a.comes_back_from(b)
            }
            (Type::Tuple(a), Type::Tuple(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.comes_back_from(b))
            }
            (a, b) => a == b,
        }
    }

    /// Is there an array in it?
    pub fn has_array(&self) -> bool {
        match self {
            Type::Array(..) => true,
            Type::Vec(of) | Type::Option(of) | Type::Map(of) | Type::Pair(of) => of.has_array(),
            Type::Tuple(of) => of.iter().any(Type::has_array),
            _ => false,
        }
    }

    fn above(random: &mut Random, holder: usize) -> Type {
        Type::Struct(holder + 1 + random.below(STRUCTS - holder - 1))
    }

    pub fn text(&self) -> String {
        match self {
            Type::Number(name) => (*name).to_owned(),
            Type::Bool => "bool".to_owned(),
            Type::Str => "str".to_owned(),
            Type::Struct(number) => format!("S{number}"),
            Type::Enum(number) => format!("E{number}"),
            Type::Vec(of) => format!("Vec<{}>", of.text()),
            Type::Array(of, length) => format!("[{}; {length}]", of.text()),
            Type::Tuple(of) => format!("({})", of.iter().map(Type::text).collect::<Vec<_>>().join(", ")),
            Type::Option(of) => format!("Option<{}>", of.text()),
            Type::Map(of) => format!("HashMap<str, {}>", of.text()),
            Type::Boxed(number) => format!("Box<S{number}>"),
            Type::Dyn => "Box<dyn Shape>".to_owned(),
            Type::Pair(of) => format!("Pair<{}>", of.text()),
        }
    }

    /// The text as part of a name.
    pub fn word(&self) -> String {
        self.text().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
    }

    /// An expression for a number that depends on all of a value.
    pub fn read(&self, value: &str, depth: usize) -> String {
        let name = format!("x{depth}");
        match self {
            Type::Number("f64" | "f32") => format!("(({value} as f64) * 2.0) as i64"),
            // A text has no such operations: half-saved texts with a stale one are rejected, and not read as addresses.
            Type::Number(_) => format!("(({value} - {value} + {value}) as i64)"),
            Type::Bool => format!("(({value} == true) as i64)"),
            Type::Str => format!("({value}.len() * 3)"),
            Type::Struct(number) => format!("read_s{number}({value})"),
            Type::Boxed(number) => format!("read_s{number}(*{value})"),
            Type::Enum(number) => format!("read_e{number}({value})"),
            Type::Dyn => format!("{value}.area()"),
            Type::Option(of) => {
                format!("(M {value} {{ Some({name}) => {} + 1, None => 7 }})", of.read(&name, depth + 1))
            }
            Type::Map(_) => format!("({value}.len() * 5)"),
            Type::Vec(of) | Type::Array(of, _) => {
                let (sum, inner) = (format!("n{depth}"), of.read(&name, depth + 1));
                format!("({{ {sum} := mut 1\n L {name}: {value} {{ {sum} = {sum} * 31 + {inner} }}\n {sum} }})")
            }
            Type::Tuple(of) => {
                let parts = of.iter().enumerate().map(|(n, of)| of.read(&format!("{value}.{n}"), depth + 1));
                format!("({})", parts.collect::<Vec<_>>().join(" * 3 + "))
            }
            Type::Pair(of) => format!("({} * 3 + {value}.more())", of.read(&format!("{value}.one"), depth + 1)),
        }
    }

    /// An expression for a value, different for different `k`. Types that are made by a function are added to `noted`.
    pub fn make(&self, random: &mut Random, noted: &mut Vec<Type>) -> String {
        let number = random.below(1000);
        match self {
            Type::Number(name @ ("f64" | "f32")) => format!("((k * {number}) as f64 * 0.5) as {name}"),
            Type::Number("u8") => format!("((k * {number}) % 200) as u8"),
            Type::Number(name @ ("i64" | "i32")) => format!("(k * {number} - 500) as {name}"),
            Type::Number(name) => format!("(k * {number} % 30000) as {name}"),
            Type::Bool => format!("(k % 3 == {})", random.below(3)),
            Type::Str if random.one_in(3) => format!("\"text {number}\""),
            Type::Str => format!("(\"t{number} \" + (k as str))"),
            Type::Struct(number) => format!("make_s{number}(k + {})", random.below(9)),
            Type::Boxed(number) => format!("Box.new(make_s{number}(k + {}))", random.below(9)),
            Type::Dyn => format!("shape_of(k + {})", random.below(9)),
            Type::Enum(number) => format!("make_e{number}(k + {})", random.below(9)),
            Type::Array(of, length) => {
                let parts: Vec<String> = (0..*length).map(|_| of.make(random, noted)).collect();
                format!("[{}]", parts.join(", "))
            }
            Type::Tuple(of) => {
                let parts: Vec<String> = of.iter().map(|of| of.make(random, noted)).collect();
                format!("({})", parts.join(", "))
            }
            Type::Option(_) | Type::Map(_) | Type::Vec(_) | Type::Pair(_) => {
                if !noted.contains(self) {
                    noted.push(self.clone());
                }
                format!("of_{}(k + {})", self.word(), random.below(9))
            }
        }
    }

    /// The function that makes values of this type.
    pub fn maker(&self, random: &mut Random, noted: &mut Vec<Type>) -> String {
        let (ty, name) = (self.text(), self.word());
        let head = format!("F of_{name}(k: i64) -> {ty} {{");
        match self {
            Type::Option(of) => {
                format!("{head}\n    I k % 3 == 0 {{ R None }}\n    Some({})\n}}\n", of.make(random, noted))
            }
            Type::Vec(of) => {
                let value = of.make(random, noted);
                format!("{head}\n    v: {ty} = Vec.new()\n    L i: 0..(k % 3) {{ v.push({value}) }}\n    v\n}}\n")
            }
            Type::Map(of) => {
                let value = of.make(random, noted);
                format!(
                    "{head}\n    m: {ty} = HashMap.new()\n    L i: 0..(k % 3) {{ m.insert(\"key\" + (i as str), {value}) }}\n    m\n}}\n"
                )
            }
            Type::Pair(of) => format!("{head}\n    Pair {{ one: {} }}\n}}\n", of.make(random, noted)),
            _ => String::new(),
        }
    }

    /// A constant of the type, where there is one.
    pub fn constant(&self, random: &mut Random) -> Option<String> {
        match self {
            Type::Number("f64" | "f32") => Some(format!("{}.5", random.below(100))),
            Type::Number(_) => Some(random.below(100).to_string()),
            Type::Bool => Some("true".to_owned()),
            Type::Str => Some(format!("\"default {}\"", random.below(9))),
            _ => None,
        }
    }

    /// A call that makes a value, for types with a function for it.
    pub fn computed(&self) -> Option<String> {
        let has_one = matches!(self, Type::Option(_) | Type::Map(_) | Type::Vec(_));
        has_one.then(|| format!("of_{}(4)", self.word()))
    }
}
