//! Walks over trees as written: which names they mention, which they declare.

use vaisjit_syntax::ast::{
    Block, Expr, ExprKind, Function, FunctionBody, LoopKind, Pattern, PatternKind, Statement, StatementKind, StrPart,
};
use vaisjit_syntax::{Name, Span};

/// A node of a tree.
#[derive(Clone, Copy)]
pub(crate) enum Node<'a> {
    Expr(&'a Expr),
    Pattern(&'a Pattern),
    Statement(&'a Statement),
}

/// Calls `visit` for every node of a function's body.
pub(crate) fn function<'a>(function: &'a Function, visit: &mut dyn FnMut(Node<'a>)) {
    match &function.body {
        Some(FunctionBody::Block(body)) => block(body, visit),
        Some(FunctionBody::Expr(body)) => expr(body, visit),
        None => {}
    }
}

fn block<'a>(block: &'a Block, visit: &mut dyn FnMut(Node<'a>)) {
    for statement in &block.statements {
        visit(Node::Statement(statement));
        match &statement.kind {
            StatementKind::Let { pattern: bound, value, .. } => {
                pattern(bound, visit);
                expr(value, visit);
            }
            StatementKind::Assign { target, value, .. } => {
                expr(target, visit);
                expr(value, visit);
            }
            StatementKind::Expr(e) | StatementKind::Defer(e) => expr(e, visit),
            StatementKind::Global(global) => global.value.iter().for_each(|value| expr(value, visit)),
            StatementKind::Const(def) => expr(&def.value, visit),
            StatementKind::Error => {}
        }
    }
}

fn pattern<'a>(pattern_: &'a Pattern, visit: &mut dyn FnMut(Node<'a>)) {
    visit(Node::Pattern(pattern_));
    match &pattern_.kind {
        PatternKind::At(_, inner) => pattern(inner, visit),
        PatternKind::Tuple(_, parts) | PatternKind::Or(parts) => parts.iter().for_each(|part| pattern(part, visit)),
        PatternKind::Struct(_, fields) => fields.iter().for_each(|(_, part)| pattern(part, visit)),
        PatternKind::Literal(e) => expr(e, visit),
        PatternKind::Range { start, end, .. } => start.iter().chain(end).for_each(|e| expr(e, visit)),
        PatternKind::Wildcard | PatternKind::Name(_) | PatternKind::Path(_) | PatternKind::Error => {}
    }
}

/// Calls `visit` for an expression and everything in it.
pub(crate) fn expr<'a>(e: &'a Expr, visit: &mut dyn FnMut(Node<'a>)) {
    stacker::maybe_grow(128 << 10, 2 << 20, || {
        visit(Node::Expr(e));
        children(e, visit);
    });
}

fn children<'a>(e: &'a Expr, visit: &mut dyn FnMut(Node<'a>)) {
    match &*e.kind {
        ExprKind::Unary(_, a)
        | ExprKind::AddressOf(a)
        | ExprKind::Field(a, _)
        | ExprKind::TupleField(a, ..)
        | ExprKind::Cast(a, _)
        | ExprKind::Try(a)
        | ExprKind::Unwrap(a) => expr(a, visit),
        ExprKind::Binary(_, _, a, b) | ExprKind::Pipe(a, b) | ExprKind::Index(a, b) | ExprKind::Repeat(a, b) => {
            expr(a, visit);
            expr(b, visit);
        }
        ExprKind::Ternary(a, b, c) => [a, b, c].into_iter().for_each(|e| expr(e, visit)),
        ExprKind::Call(callee, arguments) => {
            expr(callee, visit);
            arguments.iter().for_each(|e| expr(e, visit));
        }
        ExprKind::MethodCall { receiver, arguments, .. } => {
            expr(receiver, visit);
            arguments.iter().for_each(|e| expr(e, visit));
        }
        ExprKind::Range { start, end, .. } => start.iter().chain(end).for_each(|e| expr(e, visit)),
        ExprKind::Struct(_, fields) => fields.iter().for_each(|field| expr(&field.value, visit)),
        ExprKind::Array(parts) | ExprKind::Tuple(parts) => parts.iter().for_each(|e| expr(e, visit)),
        ExprKind::Closure { params, body, .. } => {
            params.iter().for_each(|(param, _)| pattern(param, visit));
            expr(body, visit);
        }
        ExprKind::Block(body) => block(body, visit),
        ExprKind::If { condition, then, otherwise } => {
            expr(condition, visit);
            block(then, visit);
            otherwise.iter().for_each(|e| expr(e, visit));
        }
        ExprKind::Loop(kind, body) => {
            match kind {
                LoopKind::Infinite => {}
                LoopKind::While(condition) => expr(condition, visit),
                LoopKind::For(bound, over) => {
                    pattern(bound, visit);
                    expr(over, visit);
                }
            }
            block(body, visit);
        }
        ExprKind::Match(subject, arms) => {
            expr(subject, visit);
            for arm in arms {
                pattern(&arm.pattern, visit);
                arm.guard.iter().for_each(|guard| expr(guard, visit));
                expr(&arm.body, visit);
            }
        }
        ExprKind::Break(value) | ExprKind::Return(value) => value.iter().for_each(|e| expr(e, visit)),
        ExprKind::Str(literal) => {
            for part in &literal.parts {
                if let StrPart::Hole(Some(hole), ..) = part {
                    expr(hole, visit);
                }
            }
        }
        ExprKind::Int(..)
        | ExprKind::Float(_)
        | ExprKind::Bool(_)
        | ExprKind::Name(_)
        | ExprKind::Path(..)
        | ExprKind::At
        | ExprKind::Instance(..)
        | ExprKind::Continue
        | ExprKind::Error => {}
    }
}

/// Does a function's body call or mention this name?
pub(crate) fn mentions(body: &Function, name: Name) -> bool {
    let mut found = false;
    function(body, &mut |node| {
        if let Node::Expr(e) = node {
            found |= match &*e.kind {
                ExprKind::Name(other) => *other == name,
                ExprKind::Instance(ident, _) => ident.name == name,
                ExprKind::MethodCall { method, .. } => method.name == name,
                ExprKind::At => name == body.name.name,
                _ => false,
            };
        }
    });
    found
}

/// Does something in a function's body come after the expression at a place, by a `.`?
pub(crate) fn is_before_dot(body: &Function, place: Span) -> bool {
    let mut found = false;
    function(body, &mut |node| {
        let Node::Expr(e) = node else { return };
        if let ExprKind::Field(base, _) | ExprKind::MethodCall { receiver: base, .. } = &*e.kind {
            found |= (base.span.start, base.span.end) == (place.start, place.end);
        }
    });
    found
}

/// Where a function's body declares a local of this name.
pub(crate) fn declaration(body: &Function, name: Name) -> Option<Span> {
    let mut found = None;
    function(body, &mut |node| {
        let here = match node {
            Node::Pattern(Pattern { kind: PatternKind::Name(other), span }) if *other == name => Some(*span),
            Node::Pattern(Pattern { kind: PatternKind::At(ident, _), .. }) if ident.name == name => Some(ident.span),
            Node::Statement(Statement { kind: StatementKind::Global(global), .. }) if global.name.name == name => {
                Some(global.name.span)
            }
            Node::Statement(Statement { kind: StatementKind::Const(def), .. }) if def.name.name == name => {
                Some(def.name.span)
            }
            _ => None,
        };
        if found.is_none() {
            found = here;
        }
    });
    found
}
