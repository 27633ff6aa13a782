//! A compact text form of trees, for tests and for `vaisjit dump --stage ast`: one S-expression an item.

use std::fmt::Write;

use crate::Module;
use crate::ast::*;
use crate::layout::Layout;
use crate::source::position_in;

/// The whole module, one item a line; blocks and members are indented.
pub fn dump(module: &Module) -> String {
    module.items.iter().map(|parsed| dump_item(&parsed.item)).collect()
}

/// The items that declare this name or have a method of it.
pub fn dump_named(module: &Module, name: &str) -> String {
    let items = module.items.iter().filter(|parsed| declares(&parsed.item, name));
    items.map(|parsed| dump_item(&parsed.item)).collect()
}

fn dump_item(item: &Item) -> String {
    let mut dumper = Dumper::default();
    dumper.item(item);
    dumper.out.push('\n');
    dumper.out
}

fn declares(item: &Item, name: &str) -> bool {
    let has = |methods: &[Function]| methods.iter().any(|method| method.name.name == name);
    match &item.kind {
        ItemKind::Function(item) => item.name.name == name,
        ItemKind::Struct(item) => item.name.name == name || has(&item.methods),
        ItemKind::Enum(item) => item.name.name == name || has(&item.methods),
        ItemKind::Trait(item) => item.name.name == name || has(&item.methods),
        ItemKind::Impl(item) => has(&item.methods),
        ItemKind::Extern(item) => has(&item.functions),
        ItemKind::Const(item) => item.name.name == name,
        ItemKind::Global(item) => item.name.name == name,
        ItemKind::Alias(item) => item.name.name == name,
        ItemKind::Import(_) | ItemKind::Error => false,
    }
}

/// The tokens as the grammar sees them: line, column, kind and text, an empty line between items.
pub fn dump_tokens(text: &str) -> String {
    let mut layout = Layout::new(text, 0);
    let mut out = String::new();
    while let Some(chunk) = layout.next_chunk() {
        out.push_str(if out.is_empty() { "" } else { "\n" });
        for (kind, span) in &chunk.tokens {
            let range = (chunk.start + span.start) as usize..(chunk.start + span.end) as usize;
            let at = position_in(text, range.start);
            let shown = text.get(range).unwrap_or("").escape_debug();
            let line = format!("{}:{}\t{kind:?}\t{shown}", at.line, at.column);
            let _ = writeln!(out, "{}", line.trim_end());
        }
    }
    out
}

/// One expression, on its own.
pub fn dump_expr(expr: &Expr) -> String {
    let mut dumper = Dumper::default();
    dumper.expr(expr);
    dumper.out
}

#[derive(Default)]
struct Dumper {
    out: String,
    depth: usize,
}

impl Dumper {
    fn put(&mut self, text: impl std::fmt::Display) {
        let _ = write!(self.out, "{text}");
    }

    /// `(head`, the contents, `)`.
    fn node(&mut self, head: &str, contents: impl FnOnce(&mut Dumper)) {
        self.put('(');
        self.put(head);
        contents(self);
        self.put(')');
    }

    /// The contents on lines of their own.
    fn lines<T>(&mut self, all: &[T], mut one: impl FnMut(&mut Dumper, &T)) {
        self.depth += 1;
        for item in all {
            self.out.push('\n');
            self.out.push_str(&"  ".repeat(self.depth));
            one(self, item);
        }
        self.depth -= 1;
    }

    fn item(&mut self, item: &Item) {
        self.attributes(&item.attributes);
        match &item.kind {
            ItemKind::Function(function) => self.function(function),
            ItemKind::Struct(item) => self.node(&format!("struct {}", item.name.name), |d| {
                d.generics(&item.generics);
                d.lines(&item.fields, Dumper::field);
                d.lines(&item.methods, Dumper::method);
            }),
            ItemKind::Enum(item) => self.node(&format!("enum {}", item.name.name), |d| {
                d.generics(&item.generics);
                d.lines(&item.variants, Dumper::variant);
                d.lines(&item.methods, Dumper::method);
            }),
            ItemKind::Trait(item) => self.node(&format!("trait {}", item.name.name), |d| {
                d.generics(&item.generics);
                d.bounds(&item.supertraits);
                d.lines(&item.methods, Dumper::method);
            }),
            ItemKind::Impl(item) => self.node("impl", |d| {
                d.generics(&item.generics);
                d.put(' ');
                d.ty(&item.target);
                if let Some(of_trait) = &item.of_trait {
                    d.put(": ");
                    d.ty(of_trait);
                }
                d.lines(&item.methods, Dumper::method);
            }),
            ItemKind::Extern(item) => self.node(&format!("extern {:?}", item.abi.as_str()), |d| {
                d.lines(&item.functions, Dumper::method);
            }),
            ItemKind::Import(item) => self.import(item),
            ItemKind::Const(item) => self.constant(item),
            ItemKind::Global(item) => self.global(item),
            ItemKind::Alias(item) => self.node(&format!("alias {}", item.name.name), |d| {
                d.generics(&item.generics);
                d.put(' ');
                d.ty(&item.ty);
            }),
            ItemKind::Error => self.put("(error)"),
        }
    }

    fn import(&mut self, import: &Import) {
        let join =
            |names: &[Ident], mark: &str| names.iter().map(|name| name.name.as_str()).collect::<Vec<_>>().join(mark);
        self.node(&format!("use {}", join(&import.path, "/")), |d| {
            if let Some(names) = &import.names {
                d.put(format_args!(" {{{}}}", join(names, " ")));
            }
        });
    }

    fn constant(&mut self, item: &Const) {
        self.node(&format!("const {}", item.name.name), |d| {
            d.declared(&item.ty);
            d.put(' ');
            d.expr(&item.value);
        });
    }

    fn global(&mut self, item: &Global) {
        self.node(&format!("global {}", item.name.name), |d| {
            d.declared(&item.ty);
            d.preset(&item.value);
        });
    }

    fn attributes(&mut self, attributes: &[Attribute]) {
        for attribute in attributes {
            self.put(format_args!("#{}", attribute.name.name));
            for (argument, _) in &attribute.arguments {
                self.put(format_args!("[{argument}]"));
            }
            self.put(' ');
        }
    }

    fn generics(&mut self, generics: &Generics) {
        if !generics.params.is_empty() {
            self.put('<');
            for (index, param) in generics.params.iter().enumerate() {
                self.put(if index > 0 { " " } else { "" });
                self.put(param.name.name);
                self.bounds(&param.bounds);
            }
            self.put('>');
        }
        for bound in &generics.bounds {
            self.put(" where ");
            self.ty(&bound.ty);
            self.bounds(&bound.bounds);
        }
    }

    fn bounds(&mut self, bounds: &[Type]) {
        for (index, bound) in bounds.iter().enumerate() {
            self.put(if index > 0 { "+" } else { ":" });
            self.ty(bound);
        }
    }

    fn method(&mut self, function: &Function) {
        self.attributes(&function.attributes);
        self.function(function);
    }

    fn function(&mut self, function: &Function) {
        self.node(&format!("fn {}", function.name.name), |d| {
            d.generics(&function.generics);
            d.put(" (");
            match function.receiver.map(|receiver| receiver.kind) {
                Some(ReceiverKind::Value) => d.put("self "),
                Some(ReceiverKind::Ref) => d.put("&self "),
                Some(ReceiverKind::RefMut) => d.put("&mut-self "),
                None => {}
            }
            for param in &function.params {
                d.put(param.name.name);
                d.declared(&param.ty);
                d.preset(&param.default);
                d.put(' ');
            }
            if function.variadic {
                d.put("...");
            }
            d.out.truncate(d.out.trim_end().len());
            d.put(')');
            if let Some(result) = &function.result {
                d.put(" -> ");
                d.ty(result);
            }
            match &function.body {
                Some(FunctionBody::Block(block)) => {
                    d.put(' ');
                    d.block(block);
                }
                Some(FunctionBody::Expr(expr)) => {
                    d.put(" = ");
                    d.expr(expr);
                }
                None => {}
            }
        });
    }

    fn field(&mut self, field: &Field) {
        self.attributes(&field.attributes);
        self.put(field.name.name);
        self.put(": ");
        self.ty(&field.ty);
        self.preset(&field.default);
    }

    fn variant(&mut self, variant: &Variant) {
        self.attributes(&variant.attributes);
        self.put(variant.name.name);
        match &variant.payload {
            Payload::Unit => {}
            Payload::Tuple(types) => self.types('(', types, ')'),
            Payload::Struct(fields) => {
                self.put(" {");
                for field in fields {
                    self.put(' ');
                    self.field(field);
                }
                self.put(" }");
            }
        }
    }

    fn declared(&mut self, ty: &Option<Type>) {
        if let Some(ty) = ty {
            self.put(": ");
            self.ty(ty);
        }
    }

    fn preset(&mut self, value: &Option<Expr>) {
        if let Some(value) = value {
            self.put(" = ");
            self.expr(value);
        }
    }

    fn types(&mut self, open: char, types: &[Type], close: char) {
        self.put(open);
        for (index, ty) in types.iter().enumerate() {
            self.put(if index > 0 { ", " } else { "" });
            self.ty(ty);
        }
        self.put(close);
    }

    fn ty(&mut self, ty: &Type) {
        match &ty.kind {
            TypeKind::Path(path) => self.path(path),
            TypeKind::Pointer(ty) => {
                self.put('*');
                self.ty(ty);
            }
            TypeKind::Reference(ty) => {
                self.put('&');
                self.ty(ty);
            }
            TypeKind::Array(ty, length) => {
                self.put('[');
                self.ty(ty);
                self.put("; ");
                self.expr(length);
                self.put(']');
            }
            TypeKind::Slice(ty) => {
                self.put('[');
                self.ty(ty);
                self.put(']');
            }
            TypeKind::Tuple(types) => self.types('(', types, ')'),
            TypeKind::Function(params, result) => {
                self.put("fn");
                self.types('(', params, ')');
                if let Some(result) = result {
                    self.put(" -> ");
                    self.ty(result);
                }
            }
            TypeKind::Dyn(ty) => {
                self.put("dyn ");
                self.ty(ty);
            }
            TypeKind::Infer => self.put('_'),
        }
    }

    fn path(&mut self, path: &TypePath) {
        for (index, segment) in path.segments.iter().enumerate() {
            self.put(if index > 0 { "::" } else { "" });
            self.put(segment.name);
        }
        if !path.arguments.is_empty() {
            self.types('<', &path.arguments, '>');
        }
    }

    fn block(&mut self, block: &Block) {
        self.put('{');
        self.lines(&block.statements, Dumper::statement);
        self.put(if block.ends_with_semicolon { ";}" } else { "}" });
    }

    fn statement(&mut self, statement: &Statement) {
        match &statement.kind {
            StatementKind::Let { pattern, ty, mutable, value } => self.node("let ", |d| {
                d.put(if *mutable { "mut " } else { "" });
                d.pattern(pattern);
                d.declared(ty);
                d.put(' ');
                d.expr(value);
            }),
            StatementKind::Assign { target, op, value } => {
                let head = format!("{}= ", op.map_or("", |(op, _)| op.symbol()));
                self.node(&head, |d| {
                    d.expr(target);
                    d.put(' ');
                    d.expr(value);
                });
            }
            StatementKind::Expr(expr) => self.expr(expr),
            StatementKind::Defer(expr) => self.apply("defer", [expr]),
            StatementKind::Global(global) => self.global(global),
            StatementKind::Const(constant) => self.constant(constant),
            StatementKind::Error => self.put("(error)"),
        }
    }

    /// `(head a b)`
    fn apply<'e>(&mut self, head: &str, operands: impl IntoIterator<Item = &'e Expr>) {
        self.node(head, |d| {
            for operand in operands {
                d.put(' ');
                d.expr(operand);
            }
        });
    }

    fn expr(&mut self, expr: &Expr) {
        match &*expr.kind {
            ExprKind::Int(value, _) => self.put(value),
            ExprKind::Float(bits) => self.put(format_args!("{:?}", f64::from_bits(*bits))),
            ExprKind::Bool(value) => self.put(value),
            ExprKind::Str(string) => self.string(string),
            ExprKind::Name(name) => self.put(name),
            ExprKind::Path(path, name) => {
                self.path(path);
                self.put(format_args!("::{}", name.name));
            }
            ExprKind::At => self.put('@'),
            ExprKind::Unary(op, operand) => {
                let head = match op {
                    UnaryOp::Negate => "neg",
                    UnaryOp::Not => "not",
                    UnaryOp::BitNot => "~",
                    UnaryOp::Deref => "deref",
                };
                self.apply(head, [operand]);
            }
            ExprKind::AddressOf(operand) => self.apply("&", [operand]),
            ExprKind::Binary(op, _, left, right) => self.apply(op.symbol(), [left, right]),
            ExprKind::Pipe(left, right) => self.apply("|>", [left, right]),
            ExprKind::Ternary(condition, yes, no) => self.apply("?:", [condition, yes, no]),
            ExprKind::Call(callee, arguments) => self.apply("call", std::iter::once(callee).chain(arguments)),
            ExprKind::MethodCall { receiver, method, type_arguments, arguments } => self.node("method ", |d| {
                d.expr(receiver);
                d.put(format_args!(" .{}", method.name));
                if !type_arguments.is_empty() {
                    d.types('<', type_arguments, '>');
                }
                for argument in arguments {
                    d.put(' ');
                    d.expr(argument);
                }
            }),
            ExprKind::Instance(name, arguments) => {
                self.put(name.name);
                self.types('<', arguments, '>');
            }
            ExprKind::Field(owner, name) => self.member(owner, name.name),
            ExprKind::TupleField(owner, index, _) => self.member(owner, index),
            ExprKind::Index(value, index) => self.apply("index", [value, index]),
            ExprKind::Range { start, end, inclusive } => {
                self.apply(if *inclusive { "..=" } else { ".." }, []);
                self.out.pop();
                for side in [start, end] {
                    self.put(' ');
                    match side {
                        Some(side) => self.expr(side),
                        None => self.put('-'),
                    }
                }
                self.put(')');
            }
            ExprKind::Cast(value, ty) => self.node("as ", |d| {
                d.expr(value);
                d.put(' ');
                d.ty(ty);
            }),
            ExprKind::Try(value) => self.apply("try", [value]),
            ExprKind::Unwrap(value) => self.apply("unwrap", [value]),
            ExprKind::Struct(path, fields) => self.node("new ", |d| {
                d.path(path);
                for field in fields {
                    d.put(format_args!(" {}: ", field.name.name));
                    d.expr(&field.value);
                }
            }),
            ExprKind::Array(values) => self.apply("array", values),
            ExprKind::Repeat(value, length) => self.apply("repeat", [value, length]),
            ExprKind::Tuple(values) => self.apply("tuple", values),
            ExprKind::Closure { params, result, body } => self.closure(params, result, body),
            ExprKind::Block(block) => self.block(block),
            ExprKind::If { condition, then, otherwise } => self.node("if ", |d| {
                d.expr(condition);
                d.put(' ');
                d.block(then);
                if let Some(otherwise) = otherwise {
                    d.put(" else ");
                    d.expr(otherwise);
                }
            }),
            ExprKind::Loop(kind, block) => self.looping(kind, block),
            ExprKind::Match(value, arms) => self.node("match ", |d| {
                d.expr(value);
                d.lines(arms, Dumper::arm);
            }),
            ExprKind::Break(value) => self.apply("break", value),
            ExprKind::Continue => self.put("(continue)"),
            ExprKind::Return(value) => self.apply("return", value),
            ExprKind::Error => self.put("(error)"),
        }
    }

    fn member(&mut self, owner: &Expr, name: impl std::fmt::Display) {
        self.node(". ", |d| {
            d.expr(owner);
            d.put(' ');
            d.put(name);
        });
    }

    fn closure(&mut self, params: &[(Pattern, Option<Type>)], result: &Option<Type>, body: &Expr) {
        self.node("closure (", |d| {
            for (index, (pattern, ty)) in params.iter().enumerate() {
                d.put(if index > 0 { " " } else { "" });
                d.pattern(pattern);
                d.declared(ty);
            }
            d.put(')');
            if let Some(result) = result {
                d.put(" -> ");
                d.ty(result);
            }
            d.put(' ');
            d.expr(body);
        });
    }

    fn looping(&mut self, kind: &LoopKind, block: &Block) {
        match kind {
            LoopKind::Infinite => self.node("loop ", |d| d.block(block)),
            LoopKind::While(condition) => self.node("while ", |d| {
                d.expr(condition);
                d.put(' ');
                d.block(block);
            }),
            LoopKind::For(pattern, values) => self.node("for ", |d| {
                d.pattern(pattern);
                d.put(' ');
                d.expr(values);
                d.put(' ');
                d.block(block);
            }),
        }
    }

    fn arm(&mut self, arm: &Arm) {
        self.pattern(&arm.pattern);
        if let Some(guard) = &arm.guard {
            self.put(" if ");
            self.expr(guard);
        }
        self.put(" => ");
        self.expr(&arm.body);
    }

    fn string(&mut self, string: &StrLiteral) {
        if string.broken.is_some() {
            return self.put(format_args!("(broken {:?})", string.raw));
        }
        if let [StrPart::Text(text)] = string.parts.as_slice()
            && *text == string.raw
        {
            return self.put(format_args!("{:?}", string.raw));
        }
        self.node("str", |d| {
            for part in &string.parts {
                d.put(' ');
                match part {
                    StrPart::Text(text) => d.put(format_args!("{text:?}")),
                    StrPart::Hole(expr, spec, _) => d.node("hole", |d| {
                        if let Some(expr) = expr {
                            d.put(' ');
                            d.expr(expr);
                        }
                        if *spec != FormatSpec::default() {
                            d.put(format_args!(" :{}", spec_text(spec)));
                        }
                    }),
                }
            }
        });
    }

    fn pattern(&mut self, pattern: &Pattern) {
        match &pattern.kind {
            PatternKind::Wildcard => self.put('_'),
            PatternKind::Name(name) => self.put(name),
            PatternKind::At(name, pattern) => {
                self.put(format_args!("{} @ ", name.name));
                self.pattern(pattern);
            }
            PatternKind::Literal(value) => self.expr(value),
            PatternKind::Range { start, end, inclusive } => {
                if let Some(start) = start {
                    self.expr(start);
                }
                self.put(if *inclusive { "..=" } else { ".." });
                if let Some(end) = end {
                    self.expr(end);
                }
            }
            PatternKind::Path(path) => self.path(path),
            PatternKind::Tuple(path, patterns) => {
                if let Some(path) = path {
                    self.path(path);
                }
                self.put('(');
                for (index, pattern) in patterns.iter().enumerate() {
                    self.put(if index > 0 { " " } else { "" });
                    self.pattern(pattern);
                }
                self.put(')');
            }
            PatternKind::Struct(path, fields) => {
                self.path(path);
                self.put('{');
                for (index, (name, pattern)) in fields.iter().enumerate() {
                    self.put(if index > 0 { " " } else { "" });
                    self.put(format_args!("{}: ", name.name));
                    self.pattern(pattern);
                }
                self.put('}');
            }
            PatternKind::Or(patterns) => {
                for (index, pattern) in patterns.iter().enumerate() {
                    self.put(if index > 0 { " | " } else { "" });
                    self.pattern(pattern);
                }
            }
            PatternKind::Error => self.put("(error)"),
        }
    }
}

/// As it is written after the colon of a hole.
fn spec_text(spec: &FormatSpec) -> String {
    let mut out = String::new();
    out.extend(spec.fill);
    out.extend(spec.align);
    out.push_str(if spec.sign { "+" } else { "" });
    out.push_str(if spec.alternate { "#" } else { "" });
    out.push_str(if spec.zero { "0" } else { "" });
    if let Some(width) = spec.width {
        let _ = write!(out, "{width}");
    }
    if let Some(precision) = spec.precision {
        let _ = write!(out, ".{precision}");
    }
    out.extend(spec.kind);
    out
}
