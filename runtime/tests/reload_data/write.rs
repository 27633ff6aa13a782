//! The texts of a random program.

use std::fmt::Write;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::random::Random;
use crate::source::{Closure, FILES, Field, Global, Source, Variant};
use crate::types::{NUMBERS, SHAPES, STRUCTS, Type};

/// The name and text of each file.
pub type Texts = Vec<(String, String)>;

/// The texts while they are written.
struct Writer<'s> {
    source: &'s Source,
    files: [String; FILES.len()],
    noted: Vec<Type>,
}

impl Source {
    /// The texts of the program.
    pub fn texts(&self) -> Texts {
        let mut writer = Writer { source: self, files: Default::default(), noted: Vec::new() };
        writer.all();
        let texts: Vec<(&str, String)> =
            FILES.into_iter().zip(writer.files).filter(|(name, text)| *name == "main" || !text.is_empty()).collect();
        let uses: Vec<&str> = texts.iter().map(|(name, _)| *name).collect();
        let with_uses = |(name, text): (&str, String)| {
            let others = uses.iter().filter(|other| **other != name).map(|other| format!("U {other}\n"));
            (format!("{name}.vais"), format!("{}{}", others.collect::<String>(), self.named(&text)))
        };
        texts.iter().cloned().map(with_uses).collect()
    }

    /// A text with the names that the structs and enums have now.
    fn named(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (of, [now, before]) in self.names.iter().enumerate() {
            let (letter, number) = if of < STRUCTS { ('S', of) } else { ('E', of - STRUCTS) };
            let plain = format!("{letter}{number}");
            let name = |given: usize| if given == 0 { number.to_string() } else { format!("{number}x{given}") };
            let declared = format!("{letter} {plain} {{");
            if now != before {
                text = text.replace(&declared, &format!("#[was(\"\0{}\")]\n{declared}", name(*before)));
            }
            let named = format!("{letter}{}", name(*now));
            text = text.replace(&plain, &named).replace('\0', &letter.to_string());
        }
        self.with_trait(&text)
    }

    /// A text with the name that the trait has now.
    fn with_trait(&self, text: &str) -> String {
        let [now, before] =
            self.shape.map(|given| if given == 0 { "Shape".to_owned() } else { format!("Shape{given}") });
        let text = text.replace("Shape", &now);
        match now == before {
            true => text,
            false => text.replace(&format!("W {now} {{"), &format!("#[was(\"{before}\")]\nW {now} {{")),
        }
    }

    /// The random numbers of a body: the same until it is touched.
    fn body(&self, name: &str) -> Random {
        let mut hasher = DefaultHasher::new();
        (self.seed, name, self.touched.get(name)).hash(&mut hasher);
        Random(hasher.finish())
    }
}

impl Writer<'_> {
    fn all(&mut self) {
        let source = self.source;
        self.files[1] += &format!("C K: i64 = {}\n", source.constant);
        self.main();
        for (number, fields) in source.structs.iter().enumerate() {
            self.structure(number, fields);
        }
        for (number, variants) in source.enums.iter().enumerate() {
            self.enumeration(number, variants);
        }
        self.pair();
        self.shapes();
        self.globals();
        source.closures.iter().for_each(|closure| self.closure(closure));
        self.helpers();
        let mut index = 0;
        while index < self.noted.len() {
            let of = self.noted[index].clone();
            let text = of.maker(&mut source.body(&of.word()), &mut self.noted);
            self.files[0] += &text;
            index += 1;
        }
    }

    /// Puts a function into the file where it is now.
    fn function(&mut self, name: &str, home: usize, text: &str) {
        let home = self.source.moved.get(name).copied().unwrap_or(home);
        self.files[home] += text;
    }

    fn main(&mut self) {
        let source = self.source;
        let locals: String = (0..source.main_extra).map(|n| format!("    l{n} := {n}\n")).collect();
        let used: String = (0..source.main_extra).map(|n| format!(" + l{n}")).collect();
        let condition = ["stop == 0", "stop < 1 && K < 1000", "stop != 1"][source.condition];
        self.files[0] += &format!(
            "G stop: i64\nG turned: i64\nG rest: i64\nG copy: S0\nG copies: Vec<S1>\nG seen: S1\n\
             #[reset]\nG fresh: i64 = {reset}\n\
             F set_fresh(to: i64) -> i64 {{\n    fresh = to\n    0\n}}\nF read_fresh() -> i64 {{ fresh }}\nF has_turned() -> i64 {{ turned }}\n\
             F turn() -> i64 {{\n    turned = 0\n    0\n}}\nF set_rest(to: i64) -> i64 {{\n    rest = to\n    0\n}}\nF end() -> i64 {{\n    stop = 1\n    0\n}}\n\
             F first_list() -> Vec<S1> {{\n    v: Vec<S1> = Vec.new()\n    v.push(make_s1(4))\n    v.push(make_s1(5))\n    v\n}}\n\
             F main() -> i64 {{\n    local := mut make_s0(3)\n    list := mut first_list()\n    one := mut make_s1(7)\n\
             {locals}    sum := mut 0\n    L {condition} {{\n        copy = local\n        copies = list\n\
             \x20       {waits}\n        I rest == 1 && turned == 1 {{ usleep(1000) }}\n\
             \x20       turned = 1\n        sum += 1{used}\n    }}\n    0\n}}\n\
             F work(s: S1, turns: i64) -> i64 {{\n    t := mut s\n    n := mut 0\n    L n < turns {{\n        n += 1\n\
             \x20       seen = t\n    }}\n    n + {work}\n}}\n",
            reset = source.reset,
            work = source.work,
            waits = if source.nested { "sum += work(one, 3)" } else { "seen = one" },
        );
    }

    fn structure(&mut self, number: usize, fields: &[Field]) {
        let name = format!("make_s{number}");
        let mut random = self.source.body(&name);
        let (mut list, mut values, mut reads) = (String::new(), Vec::new(), String::new());
        for field in fields {
            if let Some(was) = field.was {
                list += &format!("    #[was(\"f{was}\")]\n");
            }
            let default = field.default.as_ref().map_or(String::new(), |default| format!(" = {default}"));
            list += &format!("    f{}: {}{default}\n", field.name, field.ty.text());
            values.push(format!("f{}: {}", field.name, field.ty.make(&mut random, &mut self.noted)));
            reads += &format!("    n = n * 31 + {}\n", field.ty.read(&format!("v.f{}", field.name), 0));
        }
        let home = number % 3;
        self.files[home] += &format!("S S{number} {{\n{list}}}\n");
        let values = values.join(", ");
        self.function(&name, home, &format!("F {name}(k: i64) -> S{number} {{\n    S{number} {{ {values} }}\n}}\n"));
        let name = format!("read_s{number}");
        self.function(&name, home, &format!("F {name}(v: S{number}) -> i64 {{\n    n := mut 1\n{reads}    n\n}}\n"));
    }

    fn enumeration(&mut self, number: usize, variants: &[Variant]) {
        let name = format!("make_e{number}");
        let mut random = self.source.body(&name);
        let (mut list, mut arms, mut makes) = (Vec::new(), String::new(), String::new());
        for (index, variant) in variants.iter().enumerate() {
            let name = format!("V{}", variant.name);
            let names: Vec<String> = (0..variant.payload.len()).map(|n| format!("p{n}")).collect();
            let types: Vec<String> = variant.payload.iter().map(Type::text).collect();
            let values: Vec<String> = variant.payload.iter().map(|ty| ty.make(&mut random, &mut self.noted)).collect();
            let reads: String =
                variant.payload.iter().zip(&names).map(|(ty, name)| format!(" * 31 + {}", ty.read(name, 1))).collect();
            let wrap = |list: &[String]| match (list.join(", "), variant.named) {
                (list, _) if list.is_empty() => list,
                (list, true) => format!(" {{ {list} }}"),
                (list, false) => format!("({list})"),
            };
            let with_names = |list: Vec<String>| match variant.named {
                true => wrap(&names.iter().zip(list).map(|(name, of)| format!("{name}: {of}")).collect::<Vec<_>>()),
                false => wrap(&list),
            };
            list.push(format!("{name}{}", with_names(types)));
            arms += &format!("        {name}{} => {}{reads}\n", wrap(&names), variant.name);
            makes += &format!("    I k % {} == {index} {{ R {name}{} }}\n", variants.len(), with_names(values));
        }
        let first = variants.iter().find(|variant| variant.payload.is_empty()).map_or(0, |variant| variant.name);
        let home = 1 + number % 2;
        self.files[home] += &format!(
            "E E{number} {{ {} }}\nF read_e{number}(v: E{number}) -> i64 {{\n    M v {{\n{arms}    }}\n}}\n",
            list.join(", ")
        );
        self.function(&name, home, &format!("F {name}(k: i64) -> E{number} {{\n{makes}    V{first}\n}}\n"));
    }

    fn pair(&mut self) {
        let initial = |ty: &str| if ty.starts_with('f') { "5.5" } else { "5" };
        let field = |(name, ty): &(usize, &str)| format!(", e{name}: {ty} = {}", initial(ty));
        let fields: String = self.source.pair.iter().map(field).collect();
        let sum: String = self.source.pair.iter().map(|(name, _)| format!(" + (self.e{name} as i64)")).collect();
        self.files[2] +=
            &format!("S Pair<T> {{ one: T{fields} }}\nX<T> Pair<T> {{ F more(&self) -> i64 {{ 1{sum} }} }}\n");
    }

    fn shapes(&mut self) {
        let mut text = String::from("W Shape { F area(&self) -> i64 }\n");
        for number in SHAPES {
            text += &format!("X S{number}: Shape {{ F area(&self) -> i64 {{ read_s{number}(*self) }} }}\n");
        }
        let [a, b] = SHAPES;
        text += &format!(
            "F shape_of(k: i64) -> Box<dyn Shape> {{\n    I k % 2 == 0 {{ R Box.new(make_s{a}(k)) }}\n    Box.new(make_s{b}(k))\n}}\n"
        );
        self.files[1] += &text;
    }

    fn globals(&mut self) {
        let mut look = String::from("    n := mut read_s0(copy) * K + read_s1(seen)\n");
        for global in &self.source.globals {
            self.global(global);
            look += &format!("    n = n * 17 + read_g{}()\n", global.name);
        }
        for closure in &self.source.closures {
            look += &format!("    n = n * 17 + ask_c{}()\n", closure.name);
        }
        self.files[0] += &format!("F look() -> i64 {{\n{look}    n\n}}\n");
    }

    fn global(&mut self, global: &Global) {
        let (name, ty) = (format!("g{}", global.name), global.ty.text());
        let initial = global.initial.as_ref().map_or(String::new(), |initial| format!(" = {initial}"));
        let value = global.ty.make(&mut self.source.body(&format!("fill_{name}")), &mut self.noted);
        self.files[global.home] += &format!(
            "G {name}: {ty}{initial}\nF fill_{name}(k: i64) -> i64 {{\n    {name} = {value}\n    0\n}}\n\
             F read_{name}() -> i64 {{\n    {}\n}}\n",
            global.ty.read(&name, 0)
        );
        if global.home != 0 {
            self.files[0] += &format!("F fill_{name}_there(k: i64) -> i64 {{ fill_{name}(k) }}\n");
        }
    }

    fn closure(&mut self, closure: &Closure) {
        let Closure { name, captures, factor } = closure;
        self.files[0] += &format!(
            "G kept{name}: fn(i64) -> i64\nG from{name}: S{captures}\nG is{name}: i64\n\
             F close_c{name}(c: S{captures}) -> i64 {{\n    kept{name} = |x| x * {factor} + read_s{captures}(c)\n    is{name} = 1\n    0\n}}\n\
             F fill_c{name}(k: i64) -> i64 {{\n    from{name} = make_s{captures}(k)\n    close_c{name}(from{name})\n}}\n\
             F again_c{name}() -> i64 {{ I is{name} == 1 {{ close_c{name}(from{name}) }} E {{ 0 }} }}\n\
             F ask_c{name}() -> i64 {{ I is{name} == 1 {{ kept{name}(7) }} E {{ 0 }} }}\n"
        );
    }

    fn helpers(&mut self) {
        let source = self.source;
        let mut all = String::from("K");
        for (index, helper) in source.helpers.iter().enumerate() {
            let types: Vec<&str> = helper.parameters.iter().map(|kind| NUMBERS[*kind]).collect();
            let list: Vec<String> = types.iter().enumerate().map(|(n, ty)| format!("a{n}: {ty}")).collect();
            let sum: String = (0..types.len()).map(|n| format!(" + (a{n} as i64) * {}", n + 2)).collect();
            let values: Vec<String> = types.iter().enumerate().map(|(n, ty)| format!("({} as {ty})", n + 7)).collect();
            let hot = if helper.hot { "#[hot] " } else { "" };
            let body = if helper.generic { format!("same({} * K)", helper.number) } else { helper.number.to_string() };
            let name = format!("h{index}");
            self.function(&name, 2, &format!("{hot}F {name}({}) -> i64 {{ {body}{sum} }}\n", list.join(", ")));
            let _ = write!(all, " * 7 + h{index}({})", values.join(", "));
        }
        let trap = if source.trap { "    n := stop - stop\n    check(1 / n)\n" } else { "" };
        self.files[0] += &format!(
            "F check(n: i64) -> i64 {{ n }}\nF same<T>(v: T) -> T {{ v }}\nF all() -> i64 {{\n{trap}    {all}\n}}\n"
        );
    }
}
