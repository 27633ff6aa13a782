//! What a random program consists of, and random edits of it.

use crate::random::Random;

/// Functions that call only such with higher numbers.
pub const LAYERED: usize = 9;
/// All functions; those behind the layered ones call each other in circles.
pub const FUNCTIONS: usize = LAYERED + 3;
/// Global numbers.
pub const GLOBALS: usize = 3;
/// The modules; the data is in the second or the third.
pub const MODULES: usize = 4;

/// How a function is written and called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// With a number.
    Plain,
    /// With a float.
    Float,
    /// A method of the first struct.
    Method,
    /// With a number or a float.
    Generic,
    /// A method of a trait, called by `dyn`.
    Dyn,
    /// A method of a trait, called by a generic function.
    Bound,
    /// With the depth that is left.
    Circle,
}

/// What else a body reads.
#[derive(Clone, Copy, Debug)]
pub enum Use {
    Global(usize),
    /// One of the fields of all globals.
    Field(usize),
    /// A whole struct that is passed.
    Whole(usize),
    /// A struct that is made of its defaults.
    Made(usize),
    Variant,
    Constant(usize),
}

#[derive(Clone, Debug)]
pub struct Function {
    pub exists: bool,
    pub hot: bool,
    pub module: usize,
    pub form: Form,
    pub loops: bool,
    pub number: i64,
    pub calls: Vec<usize>,
    pub uses: Vec<Use>,
    pub name: usize,
    pub comment: usize,
}

/// The type of a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Whole,
    Short,
    Float,
    Array,
}

/// A field, by the number in its name.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    pub name: usize,
    pub kind: Kind,
    pub default: i64,
}

/// A method of the trait of which there is a value.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    pub name: usize,
    pub number: i64,
    /// Is it the trait's own?
    pub by_default: bool,
    /// Does it take a number?
    pub takes: bool,
    pub calls: usize,
}

#[derive(Clone, Debug)]
pub struct Source {
    pub constants: [i64; 2],
    pub array: usize,
    pub globals: [Option<i64>; GLOBALS],
    pub functions: Vec<Function>,
    /// Of three structs; the second holds the first, the third is generic.
    pub fields: [Vec<Field>; 3],
    /// Payloads of the variants of the enum but the first, by their names.
    pub variants: Vec<(usize, Vec<Kind>)>,
    pub asked: Vec<Asked>,
    /// The names of the structs, the enum and the trait, with those that `#[was]` gives them.
    pub types: [(usize, Option<usize>); 5],
    /// The module of the data.
    pub data: usize,
    /// The numbers in the names of the modules' files; the first is `main.vais` whatever its number.
    pub files: [usize; MODULES],
    /// Does the second module import what it uses one by one?
    pub selective: bool,
    /// No name has had a number as high as this.
    pub names: usize,
}

impl Function {
    fn new(index: usize, random: &mut Random) -> Function {
        Function {
            exists: true,
            hot: random.one_in(4),
            module: random.below(MODULES),
            form: if index < LAYERED { form(random) } else { Form::Circle },
            loops: random.one_in(6),
            number: random.below(100) as i64,
            calls: calls(index, random),
            uses: uses(random),
            name: index,
            comment: 0,
        }
    }

    /// Can `fn(i64) -> i64` name it?
    pub fn is_value(&self) -> bool {
        self.exists && matches!(self.form, Form::Plain | Form::Circle)
    }
}

fn form(random: &mut Random) -> Form {
    *random.pick(&[
        Form::Plain,
        Form::Plain,
        Form::Plain,
        Form::Float,
        Form::Method,
        Form::Generic,
        Form::Dyn,
        Form::Bound,
    ])
}

fn calls(index: usize, random: &mut Random) -> Vec<usize> {
    let first = if index < LAYERED { index + 1 } else { LAYERED };
    (first..FUNCTIONS).filter(|_| random.one_in(3)).take(3).collect()
}

fn uses(random: &mut Random) -> Vec<Use> {
    (0..random.below(3))
        .map(|_| match random.below(8) {
            0 => Use::Global(random.below(GLOBALS)),
            1..=3 => Use::Field(random.below(40)),
            4 => Use::Whole(random.below(3)),
            5 => Use::Made(random.below(3)),
            6 => Use::Variant,
            _ => Use::Constant(random.below(3)),
        })
        .collect()
}

fn kind(random: &mut Random) -> Kind {
    *random.pick(&[Kind::Whole, Kind::Whole, Kind::Short, Kind::Float, Kind::Float, Kind::Array])
}

impl Source {
    pub fn new(random: &mut Random) -> Source {
        let field = |name| Field { name, kind: Kind::Whole, default: 5 };
        Source {
            constants: [3, 1],
            array: 3,
            globals: [Some(1); GLOBALS],
            functions: (0..FUNCTIONS).map(|index| Function::new(index, random)).collect(),
            fields: std::array::from_fn(|_| (0..2).map(field).collect()),
            variants: vec![(1, vec![Kind::Whole])],
            asked: vec![Asked { name: 0, number: 4, by_default: false, takes: false, calls: 0 }],
            types: [(0, None); 5],
            data: 1,
            files: std::array::from_fn(|module| module),
            selective: random.one_in(2),
            names: FUNCTIONS,
        }
    }

    fn name(&mut self) -> usize {
        self.names += 1;
        self.names - 1
    }

    /// One edit of something.
    pub fn edit(&mut self, random: &mut Random) {
        match random.below(21) {
            0..=9 => self.edit_function(random),
            10 | 11 => self.rename(random),
            12..=14 => self.edit_fields(random),
            15 => self.edit_variants(random),
            16 => self.edit_asked(random),
            17 if random.one_in(3) => self.data = 3 - self.data,
            17 if random.one_in(2) => {
                let (name, of) = (self.name(), random.below(5));
                self.types[of] = (name, Some(self.types[of].0));
            }
            17 => self.constants[random.below(2)] = random.below(50) as i64,
            18 => self.array = 1 + random.below(6),
            19 => self.edit_modules(random),
            _ => {
                let global = &mut self.globals[random.below(GLOBALS)];
                *global = if global.is_some() && random.one_in(2) { None } else { Some(random.below(9) as i64) };
            }
        }
    }

    fn edit_function(&mut self, random: &mut Random) {
        let index = random.below(FUNCTIONS);
        let function = &mut self.functions[index];
        match random.below(12) {
            0 | 1 => function.number = random.below(1000) as i64,
            2 | 3 => function.hot = !function.hot,
            4 => function.module = random.below(MODULES),
            5 if index < LAYERED => function.form = form(random),
            6 => function.loops = !function.loops,
            7 => function.calls = calls(index, random),
            8 => function.uses = uses(random),
            9 => function.exists = !function.exists,
            10 => function.comment += 1,
            _ => function.uses.push(Use::Field(random.below(40))),
        }
    }

    /// Another name for a module, or nothing is left in one.
    fn edit_modules(&mut self, random: &mut Random) {
        let (module, to) = (random.below(MODULES), random.below(MODULES));
        match random.below(4) {
            0 | 1 => self.files[module] = self.name(),
            2 => self.selective = !self.selective,
            _ => {
                let inside = self.functions.iter_mut().filter(|function| function.module == module);
                inside.for_each(|function| function.module = to);
            }
        }
    }

    /// Another name for a function, or two functions exchange theirs.
    fn rename(&mut self, random: &mut Random) {
        let (index, other) = (random.below(FUNCTIONS), random.below(FUNCTIONS));
        if random.one_in(2) {
            let name = self.functions[index].name;
            self.functions[index].name = self.functions[other].name;
            self.functions[other].name = name;
            return;
        }
        // A name that has been may come again.
        let taken = |name: usize| self.functions.iter().any(|function| function.name == name);
        let again = random.below(self.names);
        let name = if taken(again) || random.one_in(2) { self.name() } else { again };
        self.functions[index].name = name;
    }

    fn edit_fields(&mut self, random: &mut Random) {
        let (of, new) = (random.below(3), self.name());
        let fields = &mut self.fields[of];
        let at = random.below(fields.len());
        match random.below(6) {
            0 | 1 if fields.len() < 9 => {
                fields.insert(at, Field { name: new, kind: kind(random), default: random.below(9) as i64 });
            }
            0..=2 if fields.len() > 1 => _ = fields.remove(at),
            3 => fields.swap(0, at),
            4 if fields[at].kind != Kind::Array => {
                fields[at].kind = *random.pick(&[Kind::Whole, Kind::Short, Kind::Float]);
            }
            _ => fields[at].default = random.below(9) as i64,
        }
    }

    fn edit_variants(&mut self, random: &mut Random) {
        let (name, at) = (self.name(), random.below(self.variants.len()));
        let payload = (0..random.below(3)).map(|_| *random.pick(&[Kind::Whole, Kind::Float])).collect();
        match random.below(4) {
            0 if self.variants.len() < 5 => self.variants.insert(at, (name, payload)),
            1 if !self.variants.is_empty() => _ = self.variants.remove(at),
            2 if !self.variants.is_empty() => self.variants.swap(0, at),
            _ => self.variants.iter_mut().skip(at).take(1).for_each(|(_, of)| *of = payload.clone()),
        }
    }

    fn edit_asked(&mut self, random: &mut Random) {
        let (name, at) = (self.name(), random.below(self.asked.len()));
        let new = Asked {
            name,
            number: random.below(99) as i64,
            by_default: random.one_in(2),
            takes: random.one_in(2),
            calls: random.below(FUNCTIONS),
        };
        match random.below(4) {
            0 if self.asked.len() < 6 => self.asked.insert(at, new),
            1 if !self.asked.is_empty() => _ = self.asked.remove(at),
            2 if !self.asked.is_empty() => self.asked.swap(0, at),
            _ => self.asked.iter_mut().skip(at).take(1).for_each(|of| *of = Asked { name: of.name, ..new }),
        }
    }
}
