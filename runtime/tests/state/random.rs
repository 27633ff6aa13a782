//! Random types and values, as the text of a program.

use std::fmt;

#[path = "../../../tests/generate/random.rs"]
mod numbers;

pub use numbers::Random;

/// A type and how to make a value of it.
#[derive(Clone)]
enum Type {
    Int(&'static str, u32, bool),
    Float,
    Bool,
    Str,
    Option(Box<Type>),
    Vec(Box<Type>),
    Map(Box<Type>),
    Boxed(Box<Type>),
    Array(Box<Type>, usize),
    Pair(Box<Type>, Box<Type>),
    /// A struct or enum with the number and its fields.
    Struct(usize, Vec<Type>),
    Enum(usize, Vec<Vec<Type>>),
}

fn random_type(random: &mut Random, depth: usize, items: &mut Vec<String>) -> Type {
    let inner = |random: &mut Random, items: &mut Vec<String>| Box::new(random_type(random, depth - 1, items));
    match random.below(if depth == 0 { 4 } else { 12 }) {
        0 => {
            let kinds =
                [("i8", 8, true), ("u16", 16, false), ("i64", 64, true), ("u64", 64, false), ("i128", 128, true)];
            let (name, bits, signed) = kinds[random.below(5)];
            Type::Int(name, bits, signed)
        }
        1 => Type::Float,
        2 => Type::Bool,
        3 => Type::Str,
        4 => Type::Option(inner(random, items)),
        5 => Type::Vec(inner(random, items)),
        6 => Type::Map(inner(random, items)),
        7 => Type::Boxed(inner(random, items)),
        8 => Type::Array(inner(random, items), 1 + random.below(3)),
        9 => Type::Pair(inner(random, items), inner(random, items)),
        10 => {
            let fields: Vec<Type> = (0..1 + random.below(4)).map(|_| *inner(random, items)).collect();
            let list: Vec<String> = fields.iter().enumerate().map(|(n, ty)| format!("f{n}: {ty}")).collect();
            items.push(format!("S S{} {{ {} }}", items.len(), list.join(", ")));
            Type::Struct(items.len() - 1, fields)
        }
        _ => {
            let payload = |random: &mut Random, items: &mut Vec<String>| -> Vec<Type> {
                (0..random.below(3)).map(|_| random_type(random, depth - 1, items)).collect()
            };
            let variants: Vec<Vec<Type>> = (0..1 + random.below(3)).map(|_| payload(random, items)).collect();
            let number = items.len();
            let variant = |(n, types): (usize, &Vec<Type>)| {
                let types: Vec<String> = types.iter().map(Type::to_string).collect();
                let name = format!("V{number}x{n}");
                if types.is_empty() { name } else { format!("{name}({})", types.join(", ")) }
            };
            let list: Vec<String> = variants.iter().enumerate().map(variant).collect();
            items.push(format!("E E{number} {{ {} }}", list.join(", ")));
            Type::Enum(number, variants)
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Int(name, ..) => f.write_str(name),
            Type::Float => f.write_str("f64"),
            Type::Bool => f.write_str("bool"),
            Type::Str => f.write_str("str"),
            Type::Option(of) => write!(f, "Option<{of}>"),
            Type::Vec(of) => write!(f, "Vec<{of}>"),
            Type::Map(of) => write!(f, "HashMap<str, {of}>"),
            Type::Boxed(of) => write!(f, "Box<{of}>"),
            Type::Array(of, length) => write!(f, "[{of}; {length}]"),
            Type::Pair(left, right) => write!(f, "({left}, {right})"),
            Type::Struct(number, _) => write!(f, "S{number}"),
            Type::Enum(number, _) => write!(f, "E{number}"),
        }
    }
}

/// The statements that make a value, appended to a body, and the name of the variable that holds it.
fn make(random: &mut Random, ty: &Type, body: &mut Vec<String>) -> String {
    let value = match ty {
        Type::Int(_, bits, signed) => {
            let wide = (random.below(1 << 40) as u128) << 64 | (random.below(1 << 40) as u128) << 30;
            let value = (wide >> random.below(100)) & ((1u128 << (bits - u32::from(*signed))) - 1);
            if *signed && random.below(2) == 0 { format!("-{value}") } else { value.to_string() }
        }
        Type::Float => {
            let texts = ["0.1", "-0.0", "1.0e300", "5.0e-324", "123456.789", "0.0 / 0.0", "1.0 / 0.0"];
            match random.below(8) {
                7 => format!("{}.5 / 3.0", random.below(1_000_000)),
                n => texts[n].to_owned(),
            }
        }
        Type::Bool => ["true", "false"][random.below(2)].to_owned(),
        Type::Str => ["\"\"", "\"a\"", "\"\\\"\\\\\\n\\t\\0\"", "\"\u{e4}\u{1f600}\"", "\"long text, long text\""]
            [random.below(5)]
        .to_owned(),
        Type::Option(of) if random.below(3) > 0 => {
            let inner = make(random, of, body);
            format!("Some({inner})")
        }
        Type::Option(_) => "None".to_owned(),
        Type::Vec(of) => {
            let parts: Vec<String> = (0..random.below(4)).map(|_| make(random, of, body)).collect();
            format!("[{}]", parts.join(", "))
        }
        Type::Map(of) => {
            let name = format!("v{}", body.len());
            body.push(format!("{name}: {ty} = HashMap.new()"));
            for n in 0..random.below(4) {
                let value = make(random, of, body);
                body.push(format!("{name}.insert(\"k{n}\", {value})"));
            }
            return name;
        }
        Type::Boxed(of) => {
            let inner = make(random, of, body);
            format!("Box.new({inner})")
        }
        Type::Array(of, length) => {
            let parts: Vec<String> = (0..*length).map(|_| make(random, of, body)).collect();
            format!("[{}]", parts.join(", "))
        }
        Type::Pair(left, right) => {
            let (left, right) = (make(random, left, body), make(random, right, body));
            format!("({left}, {right})")
        }
        Type::Struct(number, fields) => {
            let parts: Vec<String> =
                fields.iter().enumerate().map(|(n, of)| format!("f{n}: {}", make(random, of, body))).collect();
            format!("S{number} {{ {} }}", parts.join(", "))
        }
        Type::Enum(number, variants) => {
            let n = random.below(variants.len());
            let parts: Vec<String> = variants[n].iter().map(|of| make(random, of, body)).collect();
            let name = format!("V{number}x{n}");
            if parts.is_empty() { name } else { format!("{name}({})", parts.join(", ")) }
        }
    };
    let name = format!("v{}", body.len());
    body.push(format!("{name}: {ty} = {value}"));
    name
}

/// A program with globals of random types that `fill` gives random values.
pub fn program(random: &mut Random) -> String {
    let (mut items, mut globals, mut body) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..1 + random.below(4) {
        let ty = random_type(random, 3, &mut items);
        let value = make(random, &ty, &mut body);
        globals.push(format!("G g{number}: {ty}"));
        body.push(format!("g{number} = {value}"));
    }
    let (items, globals, body) = (items.join("\n"), globals.join("\n"), body.join("\n    "));
    format!("{items}\n{globals}\nF fill() -> i64 {{\n    {body}\n    0\n}}\n")
}
