//! The texts of a random program.

use crate::source::{Field, Form, Function, Kind, MODULES, Source, Use};

/// The globals of the structs, with their types and the number of the struct. Letters behind `$` stand for names of types.
const STRUCTS: [(&str, &str, usize); 4] =
    [("ga", "$A", 0), ("gb", "$B", 1), ("gp", "$P<i64>", 2), ("gq", "$P<f64>", 2)];

impl Kind {
    fn ty(self) -> &'static str {
        match self {
            Kind::Whole => "i64",
            Kind::Short => "i32",
            Kind::Float => "f64",
            Kind::Array => "[i64; N]",
        }
    }
}

/// A field of a global: what its functions are called by, how it is written in the language, and its type.
pub struct Leaf {
    pub name: String,
    place: String,
    ty: &'static str,
    number: usize,
}

impl Source {
    /// The fields of the globals, in a fixed order.
    pub fn leaves(&self) -> Vec<Leaf> {
        let mut leaves = Vec::new();
        let mut add = |prefix: &str, fields: &[Field]| {
            leaves.extend(fields.iter().map(|field| Leaf {
                name: format!("{}_x{}", prefix.replace('.', "_"), field.name),
                place: format!("{prefix}.x{}{}", field.name, if field.kind == Kind::Array { "[0]" } else { "" }),
                ty: if field.kind == Kind::Array { "i64" } else { field.kind.ty() },
                number: field.name,
            }));
        };
        STRUCTS.iter().for_each(|(global, _, of)| add(global, &self.fields[*of]));
        add("gb.a", &self.fields[0]);
        leaves
    }

    fn term(&self, of: Use) -> Option<String> {
        let leaves = self.leaves();
        Some(match of {
            Use::Global(global) => {
                self.globals[global]?;
                format!("get{global}()")
            }
            Use::Field(field) => {
                let of = leaves.iter().min_by_key(|leaf| (leaf.number % 40).abs_diff(field))?;
                format!("read_{}()", of.name)
            }
            Use::Whole(of) => format!("take_{0}(get_{0}())", ["ga", "gb", "gp"][of]),
            Use::Made(of) => format!(
                "take_{}({})",
                ["ga", "gb", "gq"][of],
                ["$A {}", "$B { a: $A {} }", "$P<f64> { first: 1.5 }"][of]
            ),
            Use::Variant => "match_e()".to_owned(),
            Use::Constant(constant) => ["K", "KK", "N"][constant].to_owned(),
        })
    }

    fn body(&self, function: &Function) -> String {
        let mut text = match function.loops {
            true => "sum := mut 0\n    L i:0..N { sum += i * KK }\n    sum".to_owned(),
            false => format!("{} + K", function.number),
        };
        text += " + (x as i64) % 1000";
        for of in function.uses.iter().filter_map(|of| self.term(*of)) {
            text += &format!(" + {of}");
        }
        for (place, callee) in function.calls.iter().enumerate() {
            if let Some(call) = self.call(*callee, place, function.form == Form::Circle) {
                text += &format!(" + {call} * {}", callee + 1);
            }
        }
        text
    }

    /// A call of a function, if there is one of that number.
    fn call(&self, callee: usize, salt: usize, inside: bool) -> Option<String> {
        let function = &self.functions[callee];
        let name = function.name;
        function.exists.then(|| match function.form {
            Form::Plain => format!("n{name}(2)"),
            Form::Float => format!("n{name}(1.5)"),
            Form::Method => format!("get_ga().n{name}(2)"),
            Form::Generic => format!("n{name}({})", if salt.is_multiple_of(2) { "2" } else { "1.5" }),
            Form::Dyn | Form::Bound => format!("d{name}(get_ga())"),
            Form::Circle => format!("n{name}({})", if inside { "x - 1" } else { "3" }),
        })
    }

    fn function(&self, index: usize) -> String {
        let function = &self.functions[index];
        let (name, body) = (function.name, self.body(function));
        let remarks: String = (0..function.comment).map(|line| format!("# remark {line}\n")).collect();
        let hot = if function.hot { "#[hot]\n" } else { "" };
        let head = format!("{remarks}{hot}");
        let by_trait = |call: &str| {
            format!(
                "W W{name} {{ F n{name}(&self, x: i64) -> i64 }}\nX $A: W{name} {{\n{head}F n{name}(&self, x: i64) -> i64 \
                 {{\n    {body}\n}}\n}}\nX $B: W{name} {{ F n{name}(&self, x: i64) -> i64 {{ {} }} }}\n{call}\n",
                function.number
            )
        };
        match function.form {
            Form::Plain => format!("{head}F n{name}(x: i64) -> i64 {{\n    {body}\n}}\n"),
            Form::Float => format!("{head}F n{name}(x: f64) -> i64 {{\n    {body}\n}}\n"),
            Form::Generic => format!("{head}F n{name}<T>(x: T) -> i64 {{\n    {body}\n}}\n"),
            Form::Method => format!("X $A {{\n{head}F n{name}(&self, x: i64) -> i64 {{\n    {body}\n}}\n}}\n"),
            Form::Dyn => by_trait(&format!("F d{name}(v: dyn W{name}) -> i64 {{ v.n{name}(2) }}")),
            Form::Bound => by_trait(&format!("F d{name}<T: W{name}>(v: T) -> i64 {{ v.n{name}(2) }}")),
            Form::Circle => {
                format!("{head}F n{name}(x: i64) -> i64 {{\n    I x <= 0 {{ R {} }}\n    {body}\n}}\n", function.number)
            }
        }
    }

    fn structs(&self) -> String {
        let fields = |of: usize| -> String {
            let field = |field: &Field| match field.kind {
                Kind::Array => format!("    x{}: [i64; N] = [{}; N]\n", field.name, field.default),
                Kind::Float => format!("    x{}: f64 = {}.0\n", field.name, field.default),
                kind => format!("    x{}: {} = {}\n", field.name, kind.ty(), field.default),
            };
            self.fields[of].iter().map(field).collect()
        };
        let sum = |of: usize| -> String {
            let place = |field: &Field| if field.kind == Kind::Array { "[0]" } else { "" };
            self.fields[of].iter().map(|field| format!(" + (v.x{}{} as i64)", field.name, place(field))).collect()
        };
        let mut text = format!(
            "$was0S $A {{\n{}}}\n$was1S $B {{\n    a: $A\n{}}}\n$was2S $P<T> {{\n    first: T\n{}}}\n",
            fields(0),
            fields(1),
            fields(2)
        );
        for (global, ty, of) in STRUCTS {
            let more = ["", " + take_ga(v.a)", " + (v.first as i64)"][of];
            text += &format!(
                "G {global}: {ty}\nF get_{global}() -> {ty} {{ {global} }}\nF take_{global}(v: {ty}) -> i64 {{ 0{}{more} }}\n",
                sum(of)
            );
        }
        for leaf in self.leaves() {
            let Leaf { name, place, ty, .. } = leaf;
            text += &format!("F read_{name}() -> i64 {{ {place} as i64 }}\n");
            text += &format!("F write_{name}(v: i64) -> i64 {{\n    {place} = v as {ty}\n    0\n}}\n");
        }
        text
    }

    fn enumeration(&self) -> String {
        let payload = |payload: &[Kind], of: &dyn Fn(usize, Kind) -> String| -> String {
            let parts: Vec<String> = payload.iter().enumerate().map(|(place, kind)| of(place, *kind)).collect();
            if parts.is_empty() { String::new() } else { format!("({})", parts.join(", ")) }
        };
        let value = |place: usize, kind: Kind| format!("{}{}", place + 2, if kind == Kind::Float { ".0" } else { "" });
        let (mut variants, mut set, mut arms) = (String::new(), String::new(), String::new());
        for (name, types) in &self.variants {
            variants += &format!(", V{name}{}", payload(types, &|_, kind| kind.ty().to_owned()));
            set += &format!("    I k == {name} {{ ge = V{name}{} }}\n", payload(types, &value));
            let sum: String = (0..types.len()).map(|place| format!(" + (p{place} as i64)")).collect();
            arms += &format!("V{name}{} => {name}{sum}\n", payload(types, &|place, _| format!("p{place}")));
        }
        format!(
            "$was3E $Q {{ V0{variants} }}\nG ge: $Q = V0\nF set_e(k: i64) -> i64 {{\n    ge = V0\n{set}    0\n}}\n\
             F match_e() -> i64 {{\n    M ge {{\nV0 => 0\n{arms}    }}\n}}\n"
        )
    }

    /// A trait of which a value lives on.
    fn asked(&self) -> String {
        let (mut of_trait, mut own, mut sum) = (String::new(), String::new(), String::from("0"));
        for asked in &self.asked {
            let (name, takes) = (asked.name, if asked.takes { ", x: i64" } else { "" });
            let call = self.call(asked.calls, 1, false).unwrap_or_default();
            let call = if call.is_empty() { call } else { format!(" + {call}") };
            let plus = if asked.takes { " + x" } else { "" };
            let body = format!(" {{ {} + K{call}{plus} }}\n", asked.number);
            of_trait += &format!("F m{name}(&self{takes}) -> i64{}", if asked.by_default { &body } else { "\n" });
            own += &if asked.by_default { String::new() } else { format!("F m{name}(&self{takes}) -> i64{body}") };
            sum += &format!(" + gd.m{name}({})", if asked.takes { "3" } else { "" });
        }
        format!(
            "$was4W $W {{\n{of_trait}}}\nX $A: $W {{\n{own}}}\nG gd: dyn $W = $A {{}}\nF ask() -> i64 {{ {sum} }}\n"
        )
    }

    /// Puts the names of types in.
    fn named(&self, mut text: String) -> String {
        for (place, (letter, (name, was))) in ["A", "B", "P", "Q", "W"].iter().zip(self.types).enumerate() {
            let was = was.map_or_else(String::new, |was| format!("#[was(\"{letter}T{was}\")]\n"));
            text =
                text.replace(&format!("$was{place}"), &was).replace(&format!("${letter}"), &format!("{letter}T{name}"));
        }
        text
    }

    fn library(&self) -> String {
        let [first, second] = self.constants;
        let mut text = format!("C K: i64 = {first}\nC KK: i64 = K * 2 + {second}\nC N: i64 = {}\n", self.array);
        for (global, value) in self.globals.iter().enumerate().filter_map(|(of, value)| Some((of, (*value)?))) {
            text += &format!("G g{global}: i64 = {value}\nF get{global}() -> i64 {{ g{global} }}\n");
            text += &format!("F set{global}(to: i64) -> i64 {{ g{global} = to\n 0 }}\n");
        }
        let hold = self.functions.iter().filter(|function| function.is_value());
        let hold: String = hold.map(|of| format!("    I k == {0} {{ held = n{0} }}\n", of.name)).collect();
        text += "F idle(x: i64) -> i64 { 1 }\nG held: fn(i64) -> i64 = idle\n";
        text += &format!("F hold(k: i64) -> i64 {{\n{hold}    0\n}}\nF call_held() -> i64 {{ held(3) }}\n");
        text
    }

    fn root(&self) -> String {
        let mut text = String::from("G sink: i64\nF main() -> i64 { L { sink = all() }\n 0 }\n");
        let mut sum = String::from("ask()");
        let mut wrap = |name: String, takes: bool| {
            let (parameter, argument) = if takes { ("k: i64", "k") } else { ("", "") };
            text += &format!("F the_{name}({parameter}) -> i64 {{ {name}({argument}) }}\n");
        };
        for global in (0..self.globals.len()).filter(|global| self.globals[*global].is_some()) {
            wrap(format!("get{global}"), false);
            wrap(format!("set{global}"), true);
        }
        for leaf in self.leaves() {
            wrap(format!("read_{}", leaf.name), false);
            wrap(format!("write_{}", leaf.name), true);
        }
        ["ask", "call_held", "match_e"].iter().for_each(|name| wrap(name.to_string(), false));
        ["hold", "set_e"].iter().for_each(|name| wrap(name.to_string(), true));
        for index in 0..self.functions.len() {
            if let Some(call) = self.call(index, index, false) {
                text += &format!("F the_{index}() -> i64 {{ {call} }}\n");
                sum += &format!(" + {call}");
            }
        }
        text + &format!("F all() -> i64 {{ {sum} }}\n")
    }

    /// The name of a module.
    fn module(&self, module: usize) -> String {
        if module == 0 { "main".to_owned() } else { format!("file{}", self.files[module]) }
    }

    /// The files with their texts; a module in which nothing is has none.
    pub fn texts(&self) -> Vec<(String, String)> {
        let mut texts = [self.root(), self.library(), String::new(), String::new()];
        texts[self.data] += &(self.structs() + &self.enumeration() + &self.asked());
        for (index, function) in self.functions.iter().enumerate().filter(|(_, function)| function.exists) {
            texts[function.module] += &self.function(index);
        }
        let texts = texts.map(|text| self.named(text));
        let there: Vec<usize> = (0..MODULES).filter(|module| !texts[*module].is_empty()).collect();
        let imports = |module: usize| -> String {
            let others = there.iter().filter(|other| **other != module);
            others.map(|other| self.import(*other, &texts[*other], self.selective && module == 1)).collect()
        };
        let file = |module: &usize| (self.module(*module) + ".vais", imports(*module) + &texts[*module]);
        there.iter().map(file).collect()
    }

    /// An import of everything, or of all items by their names.
    fn import(&self, module: usize, text: &str, selective: bool) -> String {
        let name = self.module(module);
        if !selective {
            return format!("U {name}\n");
        }
        let is_item = |line: &&str| ["F ", "G ", "C ", "S ", "E ", "W "].iter().any(|start| line.starts_with(start));
        let word = |line: &str| line[2..].split(|c: char| !c.is_alphanumeric() && c != '_').next().map(str::to_owned);
        // Methods stand at the start of a line, too.
        let mut inside = false;
        let mut items = Vec::new();
        for line in text.lines() {
            items.extend(Some(line).filter(is_item).filter(|_| !inside).and_then(word));
            inside =
                (inside || line.starts_with("X ") || line.starts_with("W ")) && line != "}" && !line.ends_with(" } }");
        }
        format!("U {name}.{{{}}}\n", items.join(", "))
    }
}
