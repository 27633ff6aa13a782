//! A generated program as source text.

use std::fmt::Write;

use super::{Argument, Arm, BUDGET, Expr, Function, Int, Op, Place, Program, Root, Step, Stmt, Ty};

/// The text of a program.
pub fn text(program: &Program) -> String {
    let mut text = String::new();
    for (n, fields) in program.structs.iter().enumerate() {
        let fields: Vec<String> = fields.iter().enumerate().map(|(f, ty)| format!("m{f}: {}", ty.name())).collect();
        let _ = writeln!(text, "S Rec{n} {{ {} }}", fields.join(", "));
    }
    for (n, variants) in program.enums.iter().enumerate() {
        let variants: Vec<String> = variants.iter().enumerate().map(|(v, payload)| variant(n, v, payload)).collect();
        let _ = writeln!(text, "E Enm{n} {{ {} }}", variants.join(", "));
    }
    for (n, (ty, value)) in program.globals.iter().enumerate() {
        let _ = writeln!(text, "G g{n}: {} = {}", ty.name(), expr(value));
    }
    let _ = writeln!(text, "G budget: i64 = {BUDGET}");
    program.functions.iter().for_each(|made| function(made, program, &mut text));
    text.push_str("F main() -> i64 = 0\n");
    text
}

fn variant(of: usize, number: usize, payload: &[Ty]) -> String {
    let types: Vec<String> = payload.iter().map(Ty::name).collect();
    if types.is_empty() { format!("Va{of}x{number}") } else { format!("Va{of}x{number}({})", types.join(", ")) }
}

fn function(function: &Function, program: &Program, text: &mut String) {
    let params = function.params.iter().map(|param| {
        let star = if param.pointer { "*" } else { "" };
        format!("{}: {star}{}", param.name, param.ty.name())
    });
    let params = params.collect::<Vec<_>>().join(", ");
    let _ = writeln!(text, "F {}({params}) -> {} {{", function.name, function.result.name());
    block(&function.body, program, 1, text);
    text.push_str("}\n");
}

fn block(body: &[Stmt], program: &Program, depth: usize, text: &mut String) {
    body.iter().for_each(|stmt| statement(stmt, program, depth, text));
}

fn statement(stmt: &Stmt, program: &Program, depth: usize, text: &mut String) {
    let pad = "    ".repeat(depth);
    let mut nested = |head: String, body: &[Stmt]| {
        let _ = writeln!(text, "{pad}{head} {{");
        block(body, program, depth + 1, text);
    };
    match stmt {
        Stmt::Let(name, ty, value) => {
            let _ = writeln!(text, "{pad}{name}: {} = {}", ty.name(), expr(value));
        }
        Stmt::Assign(to, op, value, _) => {
            let sign = op.map_or("", sign);
            let _ = writeln!(text, "{pad}{} {sign}= {}", place(to), expr(value));
        }
        Stmt::If(condition, then, otherwise) => {
            nested(format!("I {}", expr(condition)), then);
            if !otherwise.is_empty() {
                nested("} E".to_owned(), otherwise);
            }
            let _ = writeln!(text, "{pad}}}");
        }
        Stmt::For(name, from, to, body) => {
            nested(format!("L {name}: {}..{}", expr(from), expr(to)), body);
            let _ = writeln!(text, "{pad}}}");
        }
        Stmt::While(name, turns, condition, body) => {
            let _ = writeln!(text, "{pad}{name} := 0");
            let _ = writeln!(text, "{pad}L {name} < {turns} && {} {{\n{pad}    {name} += 1", expr(condition));
            block(body, program, depth + 1, text);
            let _ = writeln!(text, "{pad}}}");
        }
        Stmt::Match(name, of, arms) => {
            let _ = writeln!(text, "{pad}M {name} {{");
            arms.iter().for_each(|one| arm(one, *of, program, depth + 1, text));
            let _ = writeln!(text, "{pad}}}");
        }
        Stmt::Break => {
            let _ = writeln!(text, "{pad}B");
        }
        Stmt::Continue => {
            let _ = writeln!(text, "{pad}C");
        }
        Stmt::Return(value) => {
            let _ = writeln!(text, "{pad}R {}", expr(value));
        }
        Stmt::Closure(name, param, body) => {
            let _ = writeln!(text, "{pad}{name} := |{param}: i64| {}", expr(body));
        }
    }
}

fn arm(arm: &Arm, of: usize, program: &Program, depth: usize, text: &mut String) {
    let pad = "    ".repeat(depth);
    let names = if arm.names.is_empty() { String::new() } else { format!("({})", arm.names.join(", ")) };
    let _ = writeln!(text, "{pad}Va{of}x{}{names} => {{", arm.variant);
    block(&arm.body, program, depth + 1, text);
    let _ = writeln!(text, "{pad}}}");
}

/// How an operator is written, in C too.
pub fn sign(op: Op) -> &'static str {
    match op {
        Op::Add => "+",
        Op::Sub => "-",
        Op::Mul => "*",
        Op::Div => "/",
        Op::Rem => "%",
        Op::And => "&",
        Op::Or => "|",
        Op::Xor => "^",
        Op::Shl => "<<",
        Op::Shr => ">>",
    }
}

fn literal(value: i128, ty: Int) -> String {
    if ty == Int::I64 { value.to_string() } else { format!("({value} as {})", ty.name()) }
}

fn list(values: &[Expr]) -> String {
    values.iter().map(expr).collect::<Vec<_>>().join(", ")
}

fn expr(value: &Expr) -> String {
    match value {
        Expr::Int(value, _) if *value == i128::from(i64::MIN) => "(-9223372036854775807 - 1)".to_owned(),
        Expr::Int(value, ty) if *value < 0 => format!("({})", literal(*value, *ty)),
        Expr::Int(value, ty) => literal(*value, *ty),
        Expr::Float(eighths, ty) => {
            let text = format!("{:?}", f64::from(*eighths) / 8.0);
            if *ty == Ty::F32 { format!("({text} as f32)") } else { format!("({text})") }
        }
        Expr::Bool(value) => value.to_string(),
        Expr::Read(from) => place(from),
        // The other operand says the literal's type.
        Expr::Binary(op, left, right, _) => match (&**left, &**right) {
            (Expr::Read(_), Expr::Int(value @ 0..=100, _)) => format!("({} {} {value})", expr(left), sign(*op)),
            _ => format!("({} {} {})", expr(left), sign(*op), expr(right)),
        },
        Expr::Compare(op, left, right) | Expr::Logic(op, left, right) => {
            format!("({} {op} {})", expr(left), expr(right))
        }
        Expr::Not(of) => format!("(!{})", expr(of)),
        Expr::Neg(of, _) => format!("(-{})", expr(of)),
        Expr::Flip(of, _) => format!("(~{})", expr(of)),
        Expr::Cast(of, _, to) => format!("({} as {})", expr(of), to.name()),
        Expr::Choose(condition, then, otherwise) => {
            format!("({} ? {} : {})", expr(condition), expr(then), expr(otherwise))
        }
        Expr::Call(function, arguments) => {
            let arguments = arguments.iter().map(|argument| match argument {
                Argument::Value(value) => expr(value),
                Argument::Address(of) => format!("&{}", place(of)),
            });
            format!("f{function}({})", arguments.collect::<Vec<_>>().join(", "))
        }
        Expr::Record(of, values) => {
            let fields = values.iter().enumerate().map(|(n, value)| format!("m{n}: {}", expr(value)));
            format!("Rec{of} {{ {} }}", fields.collect::<Vec<_>>().join(", "))
        }
        Expr::Array(values, _) => format!("[{}]", list(values)),
        Expr::Variant(of, number, values) if values.is_empty() => format!("Va{of}x{number}"),
        Expr::Variant(of, number, values) => format!("Va{of}x{number}({})", list(values)),
        Expr::Apply(name, argument) => format!("{name}({})", expr(argument)),
        Expr::Text(text) => format!("{text:?}"),
        Expr::Join(left, right) => format!("({} + {})", expr(left), expr(right)),
        Expr::Shown(text, value) => format!("format(\"{text}{{}}\", {})", expr(value)),
        Expr::Length(of) => format!("{}.len()", expr(of)),
    }
}

fn place(place: &Place) -> String {
    let mut text = match &place.root {
        Root::Local(name) => name.clone(),
        Root::Pointer(name) if place.steps.is_empty() => format!("*{name}"),
        Root::Pointer(name) if matches!(place.steps[0], Step::Index(..)) => format!("(*{name})"),
        Root::Pointer(name) => name.clone(),
        Root::Global(n) => format!("g{n}"),
        Root::Budget => "budget".to_owned(),
    };
    for step in &place.steps {
        let _ = match step {
            Step::Field(n) => write!(text, ".m{n}"),
            Step::Index(index, _) => write!(text, "[{}]", expr(index)),
        };
    }
    text
}
