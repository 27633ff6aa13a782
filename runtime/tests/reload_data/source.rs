//! A random program full of data, and random edits of it.

use std::collections::BTreeMap;

use crate::random::Random;
use crate::types::{ENUMS, NUMBERS, STRUCTS, Type};

pub const HELPERS: usize = 4;
/// The files; the last one is there only while something has been moved into it.
pub const FILES: [&str; 4] = ["main", "one", "two", "three"];

#[derive(Clone)]
pub struct Field {
    pub name: usize,
    pub was: Option<usize>,
    pub ty: Type,
    pub default: Option<String>,
    /// May it become a text, or cease to be one? One of them only: what comes back has the value from before.
    to_text: bool,
}

/// A variant with its payloads.
#[derive(Clone)]
pub struct Variant {
    pub name: usize,
    pub payload: Vec<Type>,
    /// Has the payload names?
    pub named: bool,
}

#[derive(Clone)]
pub struct Global {
    pub name: usize,
    pub ty: Type,
    /// Its file, for ever.
    pub home: usize,
    pub initial: Option<String>,
    /// The types it has had before.
    pub had: Vec<Type>,
}

/// A closure that a global keeps, with a struct it has captured.
#[derive(Clone)]
pub struct Closure {
    pub name: usize,
    pub captures: usize,
    pub factor: usize,
}

#[derive(Clone)]
pub struct Helper {
    pub parameters: Vec<usize>,
    pub number: usize,
    pub hot: bool,
    pub generic: bool,
}

#[derive(Clone)]
pub struct Source {
    /// The next name that nothing has had.
    next: usize,
    /// What the bodies' random numbers start from.
    pub seed: u64,
    /// How often a body has been edited.
    pub touched: BTreeMap<String, u64>,
    /// Functions that are not in the file where they began.
    pub moved: BTreeMap<String, usize>,
    pub structs: Vec<Vec<Field>>,
    pub enums: Vec<Vec<Variant>>,
    pub globals: Vec<Global>,
    pub closures: Vec<Closure>,
    pub helpers: Vec<Helper>,
    /// Number fields of a generic struct.
    pub pair: Vec<(usize, &'static str)>,
    pub constant: usize,
    pub reset: usize,
    pub condition: usize,
    pub main_extra: usize,
    pub work: usize,
    /// Does `main` wait in a function with a loop of its own?
    pub nested: bool,
    pub trap: bool,
    /// What the structs and enums are called, and what they were called in the version that runs.
    pub names: [[usize; 2]; STRUCTS + ENUMS],
    /// What the trait behind the `dyn`s is called, and what it was called in the version that runs.
    pub shape: [usize; 2],
    /// Does `main` run?
    looping: bool,
}

/// What an edit does.
pub struct Told {
    pub what: String,
    /// May it be refused, because there are values that it does not allow?
    pub refusable: bool,
}

impl Source {
    /// `looping`: does `main` hold values in a loop?
    pub fn new(random: &mut Random, looping: bool) -> Source {
        let mut source = Source {
            next: 0,
            seed: random.next(),
            touched: BTreeMap::new(),
            moved: BTreeMap::new(),
            structs: vec![Vec::new(); STRUCTS],
            enums: vec![Vec::new(); ENUMS],
            globals: Vec::new(),
            closures: Vec::new(),
            helpers: vec![Helper { parameters: vec![0], number: 1, hot: false, generic: false }; HELPERS],
            pair: Vec::new(),
            constant: 3,
            reset: 1,
            condition: 0,
            main_extra: 0,
            work: 0,
            nested: random.one_in(2),
            trap: false,
            names: Default::default(),
            shape: Default::default(),
            looping,
        };
        for of in 0..STRUCTS {
            (0..1 + random.below(3)).for_each(|_| source.add_field(random, of));
        }
        for of in 0..ENUMS {
            let name = source.fresh();
            source.enums[of].push(Variant { name, payload: Vec::new(), named: false });
            source.add_variant(random, of);
        }
        (0..3).for_each(|_| source.add_global(random));
        if random.one_in(2) {
            let (name, captures) = (source.fresh(), random.below(STRUCTS));
            source.closures.push(Closure { name, captures, factor: 2 });
        }
        source
    }

    fn fresh(&mut self) -> usize {
        self.next += 1;
        self.next
    }

    fn add_field(&mut self, random: &mut Random, of: usize) {
        let ty = Type::random(random, of, 2);
        let default = if random.one_in(2) { ty.constant(random).or_else(|| ty.computed()) } else { None };
        let field = Field { name: self.fresh(), was: None, ty, default, to_text: random.one_in(2) };
        let place = random.below(self.structs[of].len() + 1);
        self.structs[of].insert(place, field);
    }

    fn add_variant(&mut self, random: &mut Random, of: usize) {
        let payload = (0..random.below(3)).map(|_| Type::random(random, STRUCTS, 1)).collect();
        let variant = Variant { name: self.fresh(), payload, named: random.one_in(4) };
        self.enums[of].push(variant);
    }

    fn add_global(&mut self, random: &mut Random) {
        let ty = match random.below(4) {
            0 => Type::Struct(random.below(STRUCTS)),
            1 => Type::Vec(Box::new(Type::Struct(random.below(STRUCTS)))),
            2 => Type::Vec(Box::new(Type::Map(Box::new(Type::Struct(random.below(STRUCTS)))))),
            _ => Type::random(random, 0, 2),
        };
        let initial = ty.constant(random).or_else(|| ty.computed().filter(|_| random.one_in(2)));
        let global = Global { name: self.fresh(), ty, home: random.below(3), initial, had: Vec::new() };
        self.globals.push(global);
    }

    /// One edit.
    pub fn edit(&mut self, random: &mut Random) -> Told {
        let mut refusable = false;
        let of = random.below(STRUCTS);
        let fields = self.structs[of].len();
        let field = random.below(fields);
        let what = match random.below(31) {
            0 => self.touch(random),
            1..=3 => {
                self.add_field(random, of);
                format!("field added to S{of}")
            }
            4 | 5 if fields > 1 => {
                let gone = self.structs[of].remove(field);
                format!("field f{} removed from S{of}", gone.name)
            }
            6 if fields > 1 => {
                let other = random.below(fields);
                self.structs[of].swap(field, other);
                format!("fields of S{of} reordered")
            }
            7 | 8 => self.rename(of, field, random),
            9 | 10 => self.retype(of, field, random),
            11 => {
                let of = random.below(ENUMS);
                self.add_variant(random, of);
                format!("variant added to E{of}")
            }
            12 => {
                let of = random.below(ENUMS);
                let (a, b) = (random.below(self.enums[of].len()), random.below(self.enums[of].len()));
                self.enums[of].swap(a, b);
                format!("variants of E{of} reordered")
            }
            13 => {
                refusable = true;
                self.remove_variant(random)
            }
            14 => {
                self.add_global(random);
                "global added".to_owned()
            }
            15 if self.globals.len() > 2 => {
                let gone = random.below(self.globals.len());
                let gone = self.globals.remove(gone);
                format!("global g{} removed", gone.name)
            }
            16 => self.change_payload(random),
            17 => {
                self.constant = random.below(100);
                "constant".to_owned()
            }
            18 => {
                (self.main_extra, self.condition) = (random.below(9), random.below(3));
                "main".to_owned()
            }
            19 => {
                self.work = random.below(9);
                "work".to_owned()
            }
            20 => self.retype_global(random),
            21 => {
                self.reset += 1;
                "initial value to be taken".to_owned()
            }
            22 => self.change_pair(random),
            23 => self.change_closure(random),
            24 | 25 => self.move_function(random),
            26 => self.name_payload(random),
            27 => {
                self.shape[0] = self.fresh();
                format!("trait renamed to number {}", self.shape[0])
            }
            28 | 29 => self.retype_inside(of, field, random),
            _ => self.change_helper(random),
        };
        Told { what, refusable }
    }

    /// Gives a struct or enum another name, and says what it was called.
    pub fn rename_type(&mut self, of: usize, name: usize) -> String {
        self.names[of][0] = name;
        format!("type {of} renamed to number {name}")
    }

    /// What there is to edit is running now.
    pub fn settle(&mut self) {
        self.names.iter_mut().chain([&mut self.shape]).for_each(|[now, before]| *before = *now);
    }

    /// Another body for a function that makes values.
    fn touch(&mut self, random: &mut Random) -> String {
        let name = match random.below(3) {
            0 => format!("make_s{}", random.below(STRUCTS)),
            1 => format!("make_e{}", random.below(ENUMS)),
            _ => format!("fill_g{}", random.pick(&self.globals).name),
        };
        *self.touched.entry(name.clone()).or_default() += 1;
        format!("body of {name}")
    }

    fn rename(&mut self, of: usize, field: usize, random: &mut Random) -> String {
        let name = self.fresh();
        let retype = random.one_in(3);
        let field = &mut self.structs[of][field];
        field.was = Some(std::mem::replace(&mut field.name, name));
        if retype && let Type::Number(_) = field.ty {
            field.ty = Type::Number(NUMBERS[random.below(NUMBERS.len())]);
            field.default = None;
        }
        format!("field of S{of} renamed to f{name}, retyped: {retype}")
    }

    fn retype(&mut self, of: usize, field: usize, random: &mut Random) -> String {
        let looping = self.looping;
        let field = &mut self.structs[of][field];
        field.ty = match &field.ty {
            // An array that a loop holds in a struct taken apart gets the default where others keep their elements.
            Type::Array(..) if looping => return "nothing".to_owned(),
            Type::Number(_) | Type::Vec(_) if field.to_text && random.one_in(5) => Type::Str,
            Type::Str if field.to_text => Type::Str,
            Type::Number(_) | Type::Str => Type::Number(NUMBERS[random.below(NUMBERS.len())]),
            Type::Array(inner, _) => Type::Array(inner.clone(), 1 + random.below(4)),
            other => other.clone(),
        };
        field.default = None;
        format!("field f{} of S{of} retyped", field.name)
    }

    /// Other numbers in a collection, or one value more in a tuple.
    fn retype_inside(&mut self, of: usize, field: usize, random: &mut Random) -> String {
        let looping = self.looping;
        let field = &mut self.structs[of][field];
        if looping && field.ty.has_array() {
            return "nothing".to_owned();
        }
        let other = field.ty.with_other_numbers(random);
        if other == field.ty {
            return "nothing".to_owned();
        }
        (field.ty, field.default) = (other, None);
        format!("inside of field f{} of S{of} retyped", field.name)
    }

    /// A type that it has had already is not given to it again: the value it had then would come back, which the other
    /// program does not have.
    fn retype_global(&mut self, random: &mut Random) -> String {
        let global = random.below(self.globals.len());
        let global = &mut self.globals[global];
        let other = match &global.ty {
            Type::Str => Type::Number(NUMBERS[random.below(NUMBERS.len())]),
            // A file says in words which variant there was, and a text takes the word.
            Type::Enum(_) | Type::Option(_) => global.ty.with_other_numbers(random),
            _ if random.one_in(3) => Type::Str,
            ty => ty.with_other_numbers(random),
        };
        if other == global.ty || global.had.contains(&other) {
            return "nothing".to_owned();
        }
        let comes_back = global.ty.comes_back_from(&other);
        global.had.push(std::mem::replace(&mut global.ty, other));
        global.initial = None;
        let how = if comes_back { "of another type" } else { "retyped" };
        format!("global g{} {how}", global.name)
    }

    fn remove_variant(&mut self, random: &mut Random) -> String {
        let of = random.below(ENUMS);
        let removable: Vec<usize> =
            (0..self.enums[of].len()).filter(|index| !self.enums[of][*index].payload.is_empty()).collect();
        if removable.is_empty() {
            return "nothing".to_owned();
        }
        let gone = self.enums[of].remove(*random.pick(&removable));
        format!("variant V{} removed from E{of}", gone.name)
    }

    fn change_payload(&mut self, random: &mut Random) -> String {
        let of = random.below(ENUMS);
        let index = random.below(self.enums[of].len());
        let variant = &mut self.enums[of][index];
        let name = variant.name;
        if variant.payload.is_empty() {
            return "nothing".to_owned();
        }
        if random.one_in(2) {
            variant.payload.push(Type::random(random, STRUCTS, 1));
        } else if let Type::Number(_) = variant.payload[0] {
            variant.payload[0] = Type::Number(NUMBERS[random.below(NUMBERS.len())]);
        }
        format!("payload of V{name} in E{of}")
    }

    /// The fields of a payload get names, or lose them.
    fn name_payload(&mut self, random: &mut Random) -> String {
        let of = random.below(ENUMS);
        let index = random.below(self.enums[of].len());
        let variant = &mut self.enums[of][index];
        variant.named = !variant.named;
        format!("payload of V{} in E{of} named: {}", variant.name, variant.named)
    }

    fn change_helper(&mut self, random: &mut Random) -> String {
        let index = random.below(HELPERS);
        self.helpers[index] = Helper {
            parameters: (0..random.below(4)).map(|_| random.below(NUMBERS.len())).collect(),
            number: random.below(1000),
            hot: random.one_in(3),
            generic: random.one_in(3),
        };
        format!("signature of h{index}")
    }

    fn change_pair(&mut self, random: &mut Random) -> String {
        if self.pair.len() > 3 {
            let gone = random.below(self.pair.len());
            self.pair.remove(gone);
            return "field of Pair removed".to_owned();
        }
        let field = (self.fresh(), *random.pick(&NUMBERS));
        self.pair.push(field);
        "field added to Pair".to_owned()
    }

    fn change_closure(&mut self, random: &mut Random) -> String {
        if let Some(closure) = self.closures.first_mut() {
            closure.factor = random.below(100);
        }
        "closure".to_owned()
    }

    fn move_function(&mut self, random: &mut Random) -> String {
        let name = match random.below(4) {
            0 => format!("make_s{}", random.below(STRUCTS)),
            1 => format!("read_s{}", random.below(STRUCTS)),
            2 => format!("make_e{}", random.below(ENUMS)),
            _ => format!("h{}", random.below(HELPERS)),
        };
        let to = random.below(FILES.len());
        self.moved.insert(name.clone(), to);
        format!("{name} moved to {}", FILES[to])
    }

    /// Names of the functions that give globals new values.
    pub fn fillers(&self) -> Vec<String> {
        let of_global = |global: &Global| {
            let there = if global.home == 0 { "" } else { "_there" };
            format!("fill_g{}{there}", global.name)
        };
        let closures = self.closures.iter().map(|closure| format!("fill_c{}", closure.name));
        self.globals.iter().map(of_global).chain(closures).collect()
    }

    /// Names of the functions that make closures again.
    pub fn closers(&self) -> impl Iterator<Item = String> {
        self.closures.iter().map(|closure| format!("again_c{}", closure.name))
    }
}
