//! A random program full of data, and random edits of it.

use std::fmt::Write;

use crate::random::Random;

pub const STRUCTS: usize = 4;
pub const ENUMS: usize = 2;
const HELPERS: usize = 4;
const NUMBERS: [&str; 8] = ["i64", "i32", "u8", "f64", "i16", "u64", "f32", "u32"];

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
    Option(Box<Type>),
    Map(Box<Type>),
}

impl Type {
    /// Of a field of the struct with this number: structs hold only those with higher numbers.
    fn random(random: &mut Random, holder: usize, depth: usize) -> Type {
        let inner = |random: &mut Random| Box::new(Type::random(random, holder, depth - 1));
        match random.below(if depth == 0 { 8 } else { 13 }) {
            0..=2 => Type::Number(NUMBERS[random.below(NUMBERS.len())]),
            3 => Type::Bool,
            4 | 5 => Type::Str,
            6 if holder < STRUCTS => Type::Enum(random.below(ENUMS)),
            7 | 8 if holder + 1 < STRUCTS => Type::Struct(holder + 1 + random.below(STRUCTS - holder - 1)),
            9 => {
                let inner = match *inner(random) {
                    Type::Struct(_) | Type::Array(..) => Type::Str,
                    other => other,
                };
                Type::Array(Box::new(inner), 1 + random.below(3))
            }
            10 => Type::Option(inner(random)),
            11 => Type::Map(inner(random)),
            12 => Type::Vec(inner(random)),
            _ => Type::Number("i64"),
        }
    }

    fn text(&self) -> String {
        match self {
            Type::Number(name) => (*name).to_owned(),
            Type::Bool => "bool".to_owned(),
            Type::Str => "str".to_owned(),
            Type::Struct(number) => format!("S{number}"),
            Type::Enum(number) => format!("E{number}"),
            Type::Vec(of) => format!("Vec<{}>", of.text()),
            Type::Array(of, length) => format!("[{}; {length}]", of.text()),
            Type::Option(of) => format!("Option<{}>", of.text()),
            Type::Map(of) => format!("HashMap<str, {}>", of.text()),
        }
    }

    /// An expression for a number that depends on all of a value.
    fn read(&self, value: &str, depth: usize) -> String {
        let name = format!("x{depth}");
        match self {
            Type::Number("f64" | "f32") => format!("(({value} as f64) * 2.0) as i64"),
            Type::Number(_) | Type::Bool => format!("({value} as i64)"),
            Type::Str => format!("({value}.len() * 3)"),
            Type::Struct(number) => format!("read_s{number}({value})"),
            Type::Enum(number) => format!("read_e{number}({value})"),
            Type::Option(of) => {
                format!("(M {value} {{ Some({name}) => {} + 1, None => 7 }})", of.read(&name, depth + 1))
            }
            Type::Map(_) => format!("({value}.len() * 5)"),
            Type::Vec(of) | Type::Array(of, _) => {
                let (sum, inner) = (format!("n{depth}"), of.read(&name, depth + 1));
                format!("({{ {sum} := mut 1\n L {name}: {value} {{ {sum} = {sum} * 31 + {inner} }}\n {sum} }})")
            }
        }
    }

    /// An expression for a value, different for different `k`.
    fn make(&self, random: &mut Random, source: &Source) -> String {
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
            Type::Enum(number) => format!("make_e{number}(k + {})", random.below(9)),
            Type::Option(of) if random.one_in(3) => format!("none_of_{}()", source.noted(of)),
            Type::Option(of) => format!("Some({})", of.make(random, source)),
            Type::Map(of) => format!("map_of_{}(k)", source.noted(of)),
            Type::Vec(of) => {
                format!("vec_of_{}(k)", source.noted(of))
            }
            Type::Array(of, length) => {
                let parts: Vec<String> = (0..*length).map(|_| of.make(random, source)).collect();
                format!("[{}]", parts.join(", "))
            }
        }
    }

    fn default(&self, random: &mut Random) -> Option<String> {
        match self {
            Type::Number("f64" | "f32") => Some(format!("{}.5", random.below(100))),
            Type::Number(_) => Some(random.below(100).to_string()),
            Type::Bool => Some("true".to_owned()),
            Type::Str => Some(format!("\"default {}\"", random.below(9))),
            _ => None,
        }
    }
}

#[derive(Clone)]
pub struct Field {
    name: usize,
    was: Option<usize>,
    ty: Type,
    default: Option<String>,
}

/// A variant with its payloads.
#[derive(Clone)]
struct Variant {
    name: usize,
    payload: Vec<Type>,
}

#[derive(Clone)]
struct Global {
    name: usize,
    ty: Type,
    initial: Option<String>,
}

#[derive(Clone)]
struct Helper {
    parameters: Vec<usize>,
    number: usize,
    hot: bool,
    generic: bool,
}

#[derive(Clone)]
pub struct Source {
    /// The next name that nothing has had.
    next: usize,
    /// What the bodies' random numbers start from.
    bodies: u64,
    structs: Vec<Vec<Field>>,
    enums: Vec<Vec<Variant>>,
    globals: Vec<Global>,
    helpers: Vec<Helper>,
    constant: usize,
    main_extra: usize,
    /// What the structs and enums are called, and what they were called in the version that runs.
    names: [[usize; 2]; STRUCTS + ENUMS],
    noted: std::cell::RefCell<Vec<Type>>,
}

impl Source {
    pub fn new(random: &mut Random) -> Source {
        let mut source = Source {
            next: 0,
            bodies: random.next(),
            structs: vec![Vec::new(); STRUCTS],
            enums: vec![Vec::new(); ENUMS],
            globals: Vec::new(),
            helpers: vec![Helper { parameters: vec![0], number: 1, hot: false, generic: false }; HELPERS],
            constant: 3,
            main_extra: 0,
            names: Default::default(),
            noted: Default::default(),
        };
        for of in 0..STRUCTS {
            (0..1 + random.below(3)).for_each(|_| source.add_field(random, of));
        }
        for of in 0..ENUMS {
            let name = source.fresh();
            source.enums[of].push(Variant { name, payload: Vec::new() });
            source.add_variant(random, of);
        }
        (0..3).for_each(|_| source.add_global(random));
        source
    }

    fn fresh(&mut self) -> usize {
        self.next += 1;
        self.next
    }

    fn add_field(&mut self, random: &mut Random, of: usize) {
        let ty = Type::random(random, of, 2);
        let default = if random.one_in(2) { ty.default(random) } else { None };
        let field = Field { name: self.fresh(), was: None, ty, default };
        let place = random.below(self.structs[of].len() + 1);
        self.structs[of].insert(place, field);
    }

    fn add_variant(&mut self, random: &mut Random, of: usize) {
        let payload = (0..random.below(3)).map(|_| Type::random(random, STRUCTS, 1)).collect();
        let variant = Variant { name: self.fresh(), payload };
        self.enums[of].push(variant);
    }

    fn add_global(&mut self, random: &mut Random) {
        // A struct would be read by the field where its type cannot be carried: without a value both ways agree.
        let ty = match random.below(3) {
            0 => Type::Struct(random.below(STRUCTS)),
            1 => Type::Vec(Box::new(Type::Struct(random.below(STRUCTS)))),
            _ => Type::random(random, 0, 2),
        };
        let initial = ty.default(random);
        let global = Global { name: self.fresh(), ty, initial };
        self.globals.push(global);
    }

    /// One edit, and what it is called. It may say that the edit can be refused.
    pub fn edit(&mut self, random: &mut Random) -> (String, bool) {
        let of = random.below(STRUCTS);
        let fields = self.structs[of].len();
        let field = random.below(fields);
        match random.below(20) {
            0 => {
                self.bodies = random.next();
                ("bodies".to_owned(), false)
            }
            1..=3 => {
                self.add_field(random, of);
                (format!("field added to S{of}"), false)
            }
            4 | 5 if fields > 1 => {
                let gone = self.structs[of].remove(field);
                (format!("field f{} removed from S{of}", gone.name), false)
            }
            6 if fields > 1 => {
                let other = random.below(fields);
                self.structs[of].swap(field, other);
                (format!("fields of S{of} reordered"), false)
            }
            7 | 8 => self.rename(of, field, random),
            9 | 10 => self.retype(of, field, random),
            11 => {
                let of = random.below(ENUMS);
                self.add_variant(random, of);
                (format!("variant added to E{of}"), false)
            }
            12 => {
                let of = random.below(ENUMS);
                let (a, b) = (random.below(self.enums[of].len()), random.below(self.enums[of].len()));
                self.enums[of].swap(a, b);
                (format!("variants of E{of} reordered"), false)
            }
            13 => self.remove_variant(random),
            14 => {
                self.add_global(random);
                ("global added".to_owned(), false)
            }
            15 if self.globals.len() > 2 => {
                let gone = random.below(self.globals.len());
                let gone = self.globals.remove(gone);
                (format!("global g{} removed", gone.name), false)
            }
            16 => self.change_payload(random),
            17 => {
                self.constant = random.below(100);
                ("constant".to_owned(), false)
            }
            18 => {
                self.main_extra = random.below(9);
                ("main".to_owned(), false)
            }
            _ => self.change_helper(random),
        }
    }

    /// Gives a struct or enum another name, and says what it was called.
    pub fn rename_type(&mut self, of: usize, name: usize) -> String {
        self.names[of][0] = name;
        format!("type {of} renamed to number {name}")
    }

    /// What there is to edit is running now.
    pub fn settle(&mut self) {
        self.names.iter_mut().for_each(|[now, before]| *before = *now);
    }

    /// The text with the names that the structs and enums have now.
    fn named(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (of, [now, before]) in self.names.iter().enumerate() {
            let plain = if of < STRUCTS { format!("S{of}") } else { format!("E{}", of - STRUCTS) };
            let name = |number: &usize| if *number == 0 { plain.clone() } else { format!("{plain}x{number}") };
            let letter = &plain[..1];
            let declared = format!("{letter} {plain} {{");
            if now != before {
                text = text.replace(&declared, &format!("#[was(\"\0{}\")]\n{declared}", name(before)[1..].to_owned()));
            }
            text = text.replace(&plain, &name(now)).replace('\0', letter);
        }
        text
    }

    fn rename(&mut self, of: usize, field: usize, random: &mut Random) -> (String, bool) {
        let name = self.fresh();
        let retype = random.one_in(3);
        let field = &mut self.structs[of][field];
        field.was = Some(std::mem::replace(&mut field.name, name));
        if retype && let Type::Number(_) = field.ty {
            field.ty = Type::Number(NUMBERS[random.below(NUMBERS.len())]);
            field.default = None;
        }
        (format!("field of S{of} renamed to f{name}, retyped: {retype}"), false)
    }

    fn retype(&mut self, of: usize, field: usize, random: &mut Random) -> (String, bool) {
        let field = &mut self.structs[of][field];
        field.ty = match &field.ty {
            Type::Number(_) | Type::Vec(_) if random.one_in(5) => Type::Str,
            Type::Number(_) | Type::Str => Type::Number(NUMBERS[random.below(NUMBERS.len())]),
            Type::Array(inner, _) => Type::Array(inner.clone(), 1 + random.below(4)),
            other => other.clone(),
        };
        field.default = None;
        (format!("field f{} of S{of} retyped", field.name), false)
    }

    fn remove_variant(&mut self, random: &mut Random) -> (String, bool) {
        let of = random.below(ENUMS);
        let removable: Vec<usize> =
            (0..self.enums[of].len()).filter(|index| !self.enums[of][*index].payload.is_empty()).collect();
        if removable.is_empty() {
            return ("nothing".to_owned(), false);
        }
        let gone = self.enums[of].remove(*random.pick(&removable));
        (format!("variant V{} removed from E{of}", gone.name), true)
    }

    fn change_payload(&mut self, random: &mut Random) -> (String, bool) {
        let of = random.below(ENUMS);
        let index = random.below(self.enums[of].len());
        let variant = &mut self.enums[of][index];
        let name = variant.name;
        if variant.payload.is_empty() {
            return ("nothing".to_owned(), false);
        }
        if random.one_in(2) {
            variant.payload.push(Type::random(random, STRUCTS, 1));
        } else if let Type::Number(_) = variant.payload[0] {
            variant.payload[0] = Type::Number(NUMBERS[random.below(NUMBERS.len())]);
        }
        (format!("payload of V{name} in E{of}"), false)
    }

    fn change_helper(&mut self, random: &mut Random) -> (String, bool) {
        let index = random.below(HELPERS);
        self.helpers[index] = Helper {
            parameters: (0..random.below(4)).map(|_| random.below(NUMBERS.len())).collect(),
            number: random.below(1000),
            hot: random.one_in(3),
            generic: random.one_in(3),
        };
        (format!("signature of h{index}"), false)
    }

    /// The number of a type that is made by a function.
    fn noted(&self, of: &Type) -> usize {
        let mut noted = self.noted.borrow_mut();
        noted.iter().position(|known| known == of).unwrap_or_else(|| {
            noted.push(of.clone());
            noted.len() - 1
        })
    }

    /// Names of the functions that give globals new values.
    pub fn fillers(&self) -> Vec<String> {
        self.globals.iter().map(|global| format!("fill_g{}", global.name)).collect()
    }

    /// The text of the program.
    pub fn text(&self) -> String {
        self.noted.borrow_mut().clear();
        let mut text = String::new();
        self.write(&mut text).expect("written to a string");
        self.named(&text)
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        let mut random = Random(self.bodies);
        writeln!(text, "C K: i64 = {}", self.constant)?;
        writeln!(
            text,
            "G stop: i64\nG turned: i64\nF has_turned() -> i64 {{ turned }}\nF end() -> i64 {{ stop = 1\n 0 }}\nG copy: S0"
        )?;
        self.write_main(text)?;
        for (number, fields) in self.structs.iter().enumerate() {
            self.write_struct(text, number, fields, &mut random)?;
        }
        for (number, variants) in self.enums.iter().enumerate() {
            self.write_enum(text, number, variants, &mut random)?;
        }
        let mut look = String::from("    n := mut read_s0(copy) * K\n");
        for global in &self.globals {
            let (name, ty) = (format!("g{}", global.name), global.ty.text());
            match &global.initial {
                Some(initial) => writeln!(text, "G {name}: {ty} = {initial}")?,
                None => writeln!(text, "G {name}: {ty}")?,
            }
            let value = global.ty.make(&mut random, self);
            writeln!(text, "F fill_{name}(k: i64) -> i64 {{\n    {name} = {value}\n    0\n}}")?;
            writeln!(text, "F read_{name}() -> i64 {{\n    {}\n}}", global.ty.read(&name, 0))?;
            writeln!(look, "    n = n * 17 + read_{name}()")?;
        }
        self.write_helpers(text)?;
        writeln!(text, "F look() -> i64 {{\n{look}    n\n}}")?;
        self.write_noted(text, &mut random)
    }

    fn write_main(&self, text: &mut String) -> std::fmt::Result {
        let locals: String = (0..self.main_extra).map(|n| format!("    l{n} := {n}\n")).collect();
        let used: String = (0..self.main_extra).map(|n| format!(" + l{n}")).collect();
        writeln!(
            text,
            "F main() -> i64 {{\n    local := mut make_s0(3)\n{locals}    sum := mut 0\n    L stop == 0 {{\n        copy = local\n        turned = 1\n        sum += 1{used}\n    }}\n    0\n}}"
        )
    }

    fn write_struct(
        &self,
        text: &mut String,
        number: usize,
        fields: &[Field],
        random: &mut Random,
    ) -> std::fmt::Result {
        let (mut list, mut values, mut reads) = (String::new(), Vec::new(), String::new());
        for field in fields {
            if let Some(was) = field.was {
                writeln!(list, "    #[was(\"f{was}\")]")?;
            }
            write!(list, "    f{}: {}", field.name, field.ty.text())?;
            writeln!(list, "{}", field.default.as_ref().map_or(String::new(), |default| format!(" = {default}")))?;
            values.push(format!("f{}: {}", field.name, field.ty.make(random, self)));
            writeln!(reads, "    n = n * 31 + {}", field.ty.read(&format!("v.f{}", field.name), 0))?;
        }
        writeln!(text, "S S{number} {{\n{list}}}")?;
        writeln!(text, "F make_s{number}(k: i64) -> S{number} {{\n    S{number} {{ {} }}\n}}", values.join(", "))?;
        writeln!(text, "F read_s{number}(v: S{number}) -> i64 {{\n    n := mut 1\n{reads}    n\n}}")
    }

    fn write_enum(
        &self,
        text: &mut String,
        number: usize,
        variants: &[Variant],
        random: &mut Random,
    ) -> std::fmt::Result {
        let (mut list, mut arms, mut makes) = (Vec::new(), String::new(), String::new());
        for (index, variant) in variants.iter().enumerate() {
            let name = format!("V{}", variant.name);
            let names: Vec<String> = (0..variant.payload.len()).map(|n| format!("p{n}")).collect();
            let types: Vec<String> = variant.payload.iter().map(Type::text).collect();
            let values: Vec<String> = variant.payload.iter().map(|ty| ty.make(random, self)).collect();
            let reads: String =
                variant.payload.iter().zip(&names).map(|(ty, name)| format!(" * 31 + {}", ty.read(name, 1))).collect();
            let wrap = |list: &[String]| if list.is_empty() { String::new() } else { format!("({})", list.join(", ")) };
            list.push(format!("{name}{}", wrap(&types)));
            writeln!(arms, "        {name}{} => {}{reads}", wrap(&names), variant.name)?;
            writeln!(makes, "    I k % {} == {index} {{ R {name}{} }}", variants.len(), wrap(&values))?;
        }
        let first = variants.iter().find(|variant| variant.payload.is_empty()).map_or(0, |variant| variant.name);
        writeln!(text, "E E{number} {{ {} }}", list.join(", "))?;
        writeln!(text, "F make_e{number}(k: i64) -> E{number} {{\n{makes}    V{first}\n}}")?;
        writeln!(text, "F read_e{number}(v: E{number}) -> i64 {{\n    M v {{\n{arms}    }}\n}}")
    }

    fn write_helpers(&self, text: &mut String) -> std::fmt::Result {
        let mut all = String::from("K");
        for (index, helper) in self.helpers.iter().enumerate() {
            let types: Vec<&str> = helper.parameters.iter().map(|kind| NUMBERS[*kind]).collect();
            let list: Vec<String> = types.iter().enumerate().map(|(n, ty)| format!("a{n}: {ty}")).collect();
            let sum: String = (0..types.len()).map(|n| format!(" + (a{n} as i64) * {}", n + 2)).collect();
            let values: Vec<String> = types.iter().enumerate().map(|(n, ty)| format!("({} as {ty})", n + 7)).collect();
            let hot = if helper.hot { "#[hot] " } else { "" };
            let body = if helper.generic { format!("same({} * K)", helper.number) } else { helper.number.to_string() };
            writeln!(text, "{hot}F h{index}({}) -> i64 {{ {body}{sum} }}", list.join(", "))?;
            write!(all, " * 7 + h{index}({})", values.join(", "))?;
        }
        writeln!(text, "F same<T>(v: T) -> T {{ v }}\nF all() -> i64 {{ {all} }}")
    }

    /// What makes lists and maps; a type may need further ones.
    fn write_noted(&self, text: &mut String, random: &mut Random) -> std::fmt::Result {
        let mut index = 0;
        while index < self.noted.borrow().len() {
            let of = self.noted.borrow()[index].clone();
            let ty = of.text();
            let value = of.make(random, self);
            writeln!(text, "F none_of_{index}() -> Option<{ty}> {{ None }}")?;
            writeln!(
                text,
                "F vec_of_{index}(k: i64) -> Vec<{ty}> {{\n    v: Vec<{ty}> = Vec.new()\n    L i: 0..(k % 4) {{ v.push({value}) }}\n    v\n}}"
            )?;
            writeln!(
                text,
                "F map_of_{index}(k: i64) -> HashMap<str, {ty}> {{\n    m: HashMap<str, {ty}> = HashMap.new()\n    L i: 0..(k % 3) {{ m.insert(\"key\" + (i as str), {value}) }}\n    m\n}}"
            )?;
            index += 1;
        }
        Ok(())
    }
}
