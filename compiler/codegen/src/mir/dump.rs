//! MIR as text: what `vaisjit dump --stage mir` shows and what ui tests compare.

use std::fmt::Write;

use vaisjit_semantics::Ty;
use vaisjit_semantics::hir::{BinaryOp, CastKind, UnaryOp};

use super::{
    BlockId, Body, Call, Callee, Carried, Const, Intrinsic, Local, Operand, Place, PlaceBase, Projection, Rvalue,
    StatementKind, Terminator,
};

/// The text of a body.
pub fn dump(body: &Body) -> String {
    let mut text = String::new();
    let params: Vec<String> = body.param_locals().map(|local| declaration(body, local)).collect();
    let result = body.signature().result;
    let arrow = if result.is_unit() { String::new() } else { format!(" -> {result}") };
    let _ = writeln!(text, "fn {}({}){arrow} {{", body.instance, params.join(", "));
    for (local, _) in body.locals.iter().skip(1 + body.params as usize) {
        let _ = writeln!(text, "    let {}", declaration(body, local));
    }
    for (index, info) in body.loops.iter().enumerate() {
        let parent = info.parent.map_or(String::new(), |parent| format!(" in loop {parent}"));
        let polled = if info.polled { ", polled" } else { "" };
        let _ = writeln!(text, "    loop {index}{parent}: {}{polled}", block_name(info.header));
    }
    for (id, block) in body.blocks.iter() {
        let within = block.in_loop.map_or(String::new(), |index| format!("  ; loop {index}"));
        let _ = writeln!(text, "    {}:{within}", block_name(id));
        for statement in &block.statements {
            let _ = writeln!(text, "        {}", statement_text(&statement.kind));
        }
        let _ = writeln!(text, "        {}", terminator_text(&block.terminator));
    }
    text.push_str("}\n");
    text
}

fn declaration(body: &Body, local: Local) -> String {
    let declared = &body.locals[local];
    let memory = if declared.in_memory && declared.ty.is_scalar() { " in memory" } else { "" };
    match declared.name {
        Some(name) => format!("{} {name}: {}{memory}", local_name(local), declared.ty),
        None => format!("{}: {}{memory}", local_name(local), declared.ty),
    }
}

fn local_name(local: Local) -> String {
    format!("_{}", local.into_raw())
}

fn block_name(block: BlockId) -> String {
    format!("bb{}", block.into_raw())
}

/// The text of a statement.
pub fn statement_text(kind: &StatementKind) -> String {
    match kind {
        StatementKind::Assign(place, value) => format!("{} = {}", place_text(place), rvalue(value)),
        StatementKind::Call(call) => call_text(call),
        StatementKind::FillParked(place, _) => format!("fill parked {}", place_text(place)),
        StatementKind::Zero(place) => format!("zero {}", place_text(place)),
        StatementKind::CheckIndex { index, length } => format!("check {} < {}", operand(index), operand(length)),
        StatementKind::CopyBytes { to, from, bytes } => {
            format!("copy_bytes {}, {}, {}", operand(to), operand(from), operand(bytes))
        }
        StatementKind::Retain(place) => format!("retain {}", place_text(place)),
        StatementKind::Release { place, checked: false } => format!("release {}", place_text(place)),
        StatementKind::Release { place, checked: true } => format!("release_checked {}", place_text(place)),
        StatementKind::Safepoint(carried) => safepoint_text(carried),
    }
}

fn safepoint_text(carried: &[Carried]) -> String {
    let entry = |carried: &Carried| {
        format!("{}{} = {}", carried.key, if carried.owned { " owned" } else { "" }, operand(&carried.value))
    };
    let entries: Vec<String> = carried.iter().map(entry).collect();
    if entries.is_empty() { "safepoint".to_owned() } else { format!("safepoint [{}]", entries.join(", ")) }
}

fn call_text(call: &Call) -> String {
    let callee = match &call.callee {
        Callee::Function(instance, _) => instance.to_string(),
        Callee::Host(name) => format!("host:{name}"),
        Callee::C(name, None) => format!("c:{name}"),
        Callee::C(name, Some(fixed)) => format!("c:{name}...{fixed}"),
        Callee::Value(value, _) => format!("({})", operand(value)),
        Callee::Slot(value, _) => format!("slot({})", operand(value)),
    };
    let arguments: Vec<String> = call.arguments.iter().map(operand).collect();
    let result = call.result.as_ref().map_or(String::new(), |place| format!(" -> {}", place_text(place)));
    format!("call {callee}({}){result}", arguments.join(", "))
}

/// The text of how a block ends.
pub fn terminator_text(terminator: &Terminator) -> String {
    match terminator {
        Terminator::Goto(target) => format!("goto {}", block_name(*target)),
        Terminator::Branch { condition, then, otherwise } => {
            format!("branch {} ? {} : {}", operand(condition), block_name(*then), block_name(*otherwise))
        }
        Terminator::Switch { value, cases, default } => {
            let cases: Vec<String> =
                cases.iter().map(|(value, target)| format!("{value} -> {}", block_name(*target))).collect();
            format!("switch {} [{}] else {}", operand(value), cases.join(", "), block_name(*default))
        }
        Terminator::Return => "return".to_owned(),
        Terminator::Trap(code, None) => format!("trap {code:?}"),
        Terminator::Trap(code, Some(message)) => format!("trap {code:?}, {}", operand(message)),
    }
}

/// The text of a place.
pub fn place_text(place: &Place) -> String {
    let mut text = match place.base {
        PlaceBase::Local(local) => local_name(local),
        PlaceBase::Global(path, _) => path.to_string(),
        PlaceBase::Deref(local, _) => format!("(*{})", local_name(local)),
    };
    for step in &place.projections {
        let _ = match step {
            Projection::Field(field) => write!(text, ".{field}"),
            Projection::VariantField(variant, field) => write!(text, ".v{variant}.{field}"),
            Projection::Index(local) => write!(text, "[{}]", local_name(*local)),
            Projection::ConstIndex(index) => write!(text, "[{index}]"),
        };
    }
    text
}

fn operand(operand: &Operand) -> String {
    match operand {
        Operand::Copy(place) => place_text(place),
        Operand::Const(constant) => constant_text(constant),
    }
}

fn constant_text(constant: &Const) -> String {
    match constant {
        Const::Int(value, ty) if *ty == Ty::bool() => (if *value == 0 { "false" } else { "true" }).to_owned(),
        Const::Int(value, ty) => format!("{value}: {ty}"),
        Const::Float(bits, ty) => format!("{:?}: {ty}", f64::from_bits(*bits)),
        Const::Str(text) => format!("{text:?}"),
        Const::Function(instance, _) => format!("fn {instance}"),
        Const::Type(ty) => format!("type {ty}"),
        Const::Table(table) => {
            let keys: Vec<String> = table.keys().map(|key| key.instance.to_string()).collect();
            format!("table [{}]", keys.join(", "))
        }
    }
}

fn rvalue(value: &Rvalue) -> String {
    match value {
        Rvalue::Use(inner) => operand(inner),
        Rvalue::Unary(op, inner) => format!("{} {}", unary_name(*op), operand(inner)),
        Rvalue::Binary(op, left, right) => format!("{} {}, {}", binary_name(*op), operand(left), operand(right)),
        Rvalue::Cast(kind, inner, to) => format!("{} {} as {to}", cast_name(*kind), operand(inner)),
        Rvalue::AddressOf(place) => format!("&{}", place_text(place)),
        Rvalue::Discriminant(place) => format!("discriminant {}", place_text(place)),
        Rvalue::Intrinsic(op, operands) => {
            let operands: Vec<String> = operands.iter().map(operand).collect();
            format!("{} {}", intrinsic_name(*op), operands.join(", "))
        }
        Rvalue::LoadAt(address, ty) => format!("load {ty} at {}", operand(address)),
        Rvalue::Carried(taken) => format!("carried {}{}", taken.key, if taken.owned { " owned" } else { "" }),
    }
}

fn unary_name(op: UnaryOp) -> &'static str {
    match op {
        UnaryOp::Negate => "neg",
        UnaryOp::Not => "not",
        UnaryOp::BitNot => "bitnot",
    }
}

fn binary_name(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::Add => "add",
        BinaryOp::Sub => "sub",
        BinaryOp::Mul => "mul",
        BinaryOp::Div => "div",
        BinaryOp::Rem => "rem",
        BinaryOp::BitAnd => "and",
        BinaryOp::BitOr => "or",
        BinaryOp::BitXor => "xor",
        BinaryOp::Shl => "shl",
        BinaryOp::Shr => "shr",
        BinaryOp::Eq => "eq",
        BinaryOp::Ne => "ne",
        BinaryOp::Lt => "lt",
        BinaryOp::Le => "le",
        BinaryOp::Gt => "gt",
        BinaryOp::Ge => "ge",
        BinaryOp::And => "andalso",
        BinaryOp::Or => "orelse",
    }
}

fn cast_name(kind: CastKind) -> &'static str {
    match kind {
        CastKind::IntToInt => "int",
        CastKind::IntToFloat => "to_float",
        CastKind::FloatToInt => "to_int",
        CastKind::FloatToFloat => "float",
        CastKind::ToBool => "to_bool",
        CastKind::Pointer => "word",
        CastKind::ArrayToPointer => "array_pointer",
        CastKind::ArrayToSlice => "array_slice",
    }
}

fn intrinsic_name(op: Intrinsic) -> &'static str {
    match op {
        Intrinsic::Min => "min",
        Intrinsic::Max => "max",
        Intrinsic::Abs => "abs",
        Intrinsic::Sqrt => "sqrt",
        Intrinsic::Floor => "floor",
        Intrinsic::Ceil => "ceil",
        Intrinsic::Trunc => "trunc",
    }
}
