//! Blocks, statements, branches and loops.

use vaisjit_syntax::{Name, Span, ast};

use super::coerce::{Why, widens};
use super::{Binding, Checker, LoopFrame, Want};
use crate::codes;
use crate::hir::{Expr, ExprKind, LoopId, Stmt};
use crate::infer::Known;
use crate::types::{Ty, TyKind};

impl Checker<'_, '_> {
    pub fn block(&mut self, block: &ast::Block, want: Want) -> Expr {
        self.push_scope();
        let mut statements = Vec::with_capacity(block.statements.len());
        let mut value = None;
        let mut diverges = false;
        let last = block.statements.len().wrapping_sub(1);
        for (index, statement) in block.statements.iter().enumerate() {
            if index == last
                && !block.ends_with_semicolon
                && let ast::StatementKind::Expr(e) = &statement.kind
            {
                if diverges && !is_plain(e) {
                    self.unreachable(e.span);
                }
                value = Some(self.check(e, want));
                break;
            }
            if diverges && index > 0 {
                self.unreachable(statement.span);
            }
            let before = statements.len();
            self.statement(statement, &mut statements);
            diverges |= statements[before..].iter().any(|s| self.never_ends(s));
        }
        self.pop_scope();
        let span = self.span(block.span);
        let value = match (value, want) {
            (Some(value), Want::Nothing) if self.shallow(value.ty) != Ty::unit() => {
                diverges |= self.shallow(value.ty) == Ty::never();
                statements.push(Stmt::Expr(value));
                None
            }
            (value, _) => value,
        };
        let ty = match &value {
            Some(value) => value.ty,
            None if diverges => Ty::never(),
            None => Ty::unit(),
        };
        Expr::new(ExprKind::Block(statements, value), ty, span)
    }

    fn never_ends(&mut self, statement: &Stmt) -> bool {
        match statement {
            Stmt::Expr(e) | Stmt::Let(_, e) => self.shallow(e.ty) == Ty::never(),
            Stmt::Defer(_) => false,
        }
    }

    fn unreachable(&mut self, span: Span) {
        if self.diagnostics.iter().any(|known| known.code == codes::UNREACHABLE) {
            return;
        }
        self.lint(codes::UNREACHABLE, span, "this is never reached", "");
    }

    fn statement(&mut self, statement: &ast::Statement, out: &mut Vec<Stmt>) {
        let span = statement.span;
        match &statement.kind {
            ast::StatementKind::Let { pattern, ty, value, .. } => self.let_statement(pattern, ty.as_ref(), value, out),
            ast::StatementKind::Assign { target, op, value } => {
                let e = self.assign(target, *op, value, span);
                out.push(Stmt::Expr(e));
            }
            ast::StatementKind::Expr(e) => {
                let value = self.check(e, Want::Nothing);
                self.dropped(e, &value);
                out.push(Stmt::Expr(value));
            }
            ast::StatementKind::Defer(e) => {
                let e = self.check(e, Want::Nothing);
                out.push(Stmt::Defer(e));
            }
            ast::StatementKind::Global(global) => self.local_global(global),
            ast::StatementKind::Const(def) => {
                let ty = def.ty.as_ref().map(|ty| self.lower(ty));
                let scope = self.scope_with_consts();
                let (value, diagnostics) = Checker::constant(self.world, &scope, &def.value, ty, &scope.consts);
                self.diagnostics.extend(diagnostics);
                self.bind(def.name.name, Binding::Const(value));
            }
            ast::StatementKind::Error => self.recovering = true,
        }
    }

    fn let_statement(
        &mut self,
        pattern: &ast::Pattern,
        ty: Option<&ast::Type>,
        value: &ast::Expr,
        out: &mut Vec<Stmt>,
    ) {
        let declared = ty.map(|ty| self.lower(ty));
        let name = match &pattern.kind {
            ast::PatternKind::Name(name) => Some(*name),
            _ => None,
        };
        let outer = std::mem::replace(&mut self.declaring, name);
        let value = match declared {
            Some(ty) => self.check_to(value, ty, name.map_or(Why::Plain, Why::Binding)),
            None => self.value(value),
        };
        if declared.is_none() {
            self.settle_literals(value.ty);
        }
        self.declaring = outer;
        let ty = declared.unwrap_or(value.ty);
        let pattern = match name {
            Some(name) => {
                let local = self.declare(name, ty, pattern.span);
                super::bind_pattern(local, ty, self.span(pattern.span))
            }
            None => self.irrefutable(pattern, ty),
        };
        out.push(Stmt::Let(pattern, value));
    }

    /// A binding without a type says no more of its literals than that they are `i64` and `f64`. The types of closures
    /// wait for their uses.
    fn settle_literals(&mut self, ty: Ty) {
        let ty = self.table.resolve(ty, false);
        let mut open = Vec::new();
        crate::infer::walk_values(ty, &mut |part| {
            if matches!(part.kind(), TyKind::Infer(_)) {
                open.push(part);
            }
        });
        for part in open {
            match self.table.known(part) {
                Known::Int => self.table.unify(part, Ty::i64()),
                Known::Float => self.table.unify(part, Ty::f64()),
                _ => true,
            };
        }
    }

    fn local_global(&mut self, global: &ast::Global) {
        let declared = global.ty.as_ref().map(|ty| self.lower(ty));
        let scope = self.scope_with_consts();
        let owner = self.path.map_or("?".to_string(), |path| path.name.to_string());
        let module = self.world.input.modules[self.scope.module as usize].name;
        let mut name = format!("{owner}.{}", global.name.name);
        let mut twin = 1;
        while self.globals.iter().any(|(path, _)| path.name == name.as_str()) {
            twin += 1;
            name = format!("{owner}.{}#{twin}", global.name.name);
        }
        let path = crate::types::ItemPath::new(module, &name);
        let place = self.place(global.name.span);
        let made = crate::bodies::initial_value(self.world, &scope, path, global, declared, false, place);
        self.diagnostics.extend(made.value.diagnostics);
        self.requests.extend(made.value.requests);
        let ty = made.global.ty;
        self.globals.push((path, made.global));
        self.bind(global.name.name, Binding::Global(path, ty));
    }

    /// The scope for types and constants, with the constants of the function.
    pub fn scope_with_consts(&self) -> crate::lower::TypeScope {
        let mut scope = self.scope.clone();
        for frame in &self.frames {
            for (name, binding) in frame.scopes.iter().flatten() {
                if let Binding::Const(value) = binding {
                    scope.consts.push((*name, value.clone()));
                }
            }
        }
        scope
    }

    pub fn if_expr(
        &mut self,
        condition: &ast::Expr,
        then: &ast::Block,
        otherwise: Option<&ast::Expr>,
        span: Span,
        want: Want,
    ) -> Expr {
        // A chain of any length is checked in a loop and put together from its end.
        let mut heads = vec![(
            self.condition(condition),
            self.block(then, if otherwise.is_none() { Want::Nothing } else { want }),
            span,
        )];
        let mut rest = otherwise;
        while let Some(e) = rest {
            let ast::ExprKind::If { condition, then, otherwise } = &*e.kind else { break };
            let condition = self.condition(condition);
            heads.push((condition, self.block(then, want), e.span));
            rest = otherwise.as_ref();
        }
        let last = rest.map(|e| self.check(e, want));
        let complete = last.is_some();
        let mut values: Vec<Expr> = Vec::with_capacity(heads.len() + 1);
        let mut conditions = Vec::with_capacity(heads.len());
        for (condition, value, span) in heads {
            conditions.push((condition, span));
            values.push(value);
        }
        values.extend(last);
        let ty = if complete { self.join_branches(&mut values, want, span) } else { Ty::unit() };
        let mut tail = if complete { values.pop() } else { None };
        for ((condition, span), value) in conditions.into_iter().rev().zip(values.into_iter().rev()) {
            let ty = if tail.is_none() { Ty::unit() } else { ty };
            tail = Some(self.make(ExprKind::If(condition, value, tail), ty, span));
        }
        tail.unwrap_or_else(|| self.wrong(span))
    }

    pub fn ternary(&mut self, c: &ast::Expr, a: &ast::Expr, b: &ast::Expr, span: Span, want: Want) -> Expr {
        let condition = self.condition(c);
        let mut values = vec![self.check(a, want), self.check(b, want)];
        let ty = self.join_branches(&mut values, want, span);
        let b = values.pop();
        let a = values.pop().unwrap_or_else(|| self.wrong(span));
        self.make(ExprKind::If(condition, a, b), ty, span)
    }

    /// Gives the branches of a choice one type, where their value is wanted.
    pub fn join_branches(&mut self, values: &mut [Expr], want: Want, span: Span) -> Ty {
        let shallow: Vec<Ty> = values.iter().map(|e| self.shallow(e.ty)).collect();
        if shallow.iter().all(|ty| *ty == Ty::never()) {
            return Ty::never();
        }
        if want == Want::Nothing {
            return Ty::unit();
        }
        if shallow.contains(&Ty::error()) {
            return Ty::error();
        }
        if let Want::Of(wanted) = want
            && !matches!(self.shallow(wanted).kind(), TyKind::Infer(_))
            && !shallow.contains(&Ty::unit())
        {
            for value in values.iter_mut() {
                let e = std::mem::replace(value, self.wrong(span));
                *value = self.coerce(e, wanted, Why::Plain);
            }
            return wanted;
        }
        let mut joined: Option<Ty> = None;
        for (value, ty) in values.iter().zip(shallow) {
            if ty == Ty::never() {
                continue;
            }
            let ty = self.shallow(ty);
            joined = Some(match joined {
                None => ty,
                Some(before) => match self.common(before, ty) {
                    Some(common) => common,
                    None => {
                        let (a, b) = (self.show(before), self.show(ty));
                        let of = |ty: String| if ty == "()" { "nothing".to_string() } else { format!("`{ty}`") };
                        let message = format!("the branches have different types: {} and {}", of(a), of(b));
                        let first = values[0].span;
                        let diagnostic = self
                            .error(codes::BRANCHES, last_value(value), message)
                            .with_label(self.place(first), "the first branch");
                        self.report(diagnostic);
                        return Ty::error();
                    }
                },
            });
        }
        let joined = joined.unwrap_or(Ty::never());
        if joined != Ty::unit() {
            for value in values.iter_mut() {
                let e = std::mem::replace(value, self.wrong(span));
                *value = self.coerce(e, joined, Why::Plain);
            }
        }
        joined
    }

    /// The type both types convert to.
    pub fn common(&mut self, a: Ty, b: Ty) -> Option<Ty> {
        let (a, b) = (self.shallow(a), self.shallow(b));
        if let (&TyKind::Int(x), &TyKind::Int(y)) = (a.kind(), b.kind()) {
            return if widens(x, y) { Some(b) } else { widens(y, x).then_some(a) };
        }
        match (a.kind(), b.kind()) {
            (TyKind::Pointer(_), TyKind::Reference(_)) => self.table.unify(a.pointee()?, b.pointee()?).then_some(a),
            (TyKind::Reference(_), TyKind::Pointer(_)) => self.table.unify(a.pointee()?, b.pointee()?).then_some(b),
            _ => self.table.unify(a, b).then_some(a),
        }
    }

    fn enter_loop(&mut self, value: Option<Ty>) -> LoopId {
        let frame = self.frame();
        let id = LoopId(frame.next_loop);
        frame.next_loop += 1;
        frame.loops.push(LoopFrame { id, value, breaks: false });
        id
    }

    /// A loop of the checker's own, in which nothing is written.
    pub(super) fn loop_without_body(&mut self) -> LoopId {
        let id = self.enter_loop(None);
        self.leave_loop();
        id
    }

    fn leave_loop(&mut self) -> LoopFrame {
        self.frame().loops.pop().expect("a loop was entered")
    }

    pub fn loop_expr(&mut self, kind: &ast::LoopKind, body: &ast::Block, span: Span, want: Want) -> Expr {
        match kind {
            ast::LoopKind::Infinite => self.endless(body, span, want),
            ast::LoopKind::While(condition) if matches!(&*condition.kind, ast::ExprKind::Bool(true)) => {
                self.endless(body, span, want)
            }
            ast::LoopKind::While(condition) => {
                let id = self.enter_loop(None);
                let condition = self.condition(condition);
                let body = self.block(body, Want::Nothing);
                self.leave_loop();
                self.make(ExprKind::While(id, condition, body), Ty::unit(), span)
            }
            ast::LoopKind::For(pattern, over) => self.for_loop(pattern, over, body, span),
        }
    }

    fn endless(&mut self, body: &ast::Block, span: Span, want: Want) -> Expr {
        let value = match want {
            Want::Of(ty) => ty,
            _ => self.fresh(),
        };
        let id = self.enter_loop(Some(value));
        let body = self.block(body, Want::Nothing);
        let frame = self.leave_loop();
        let ty = match (frame.breaks, frame.value) {
            (false, _) => Ty::never(),
            (true, Some(ty)) => match self.shallow(ty).kind() {
                TyKind::Infer(_) if matches!(self.table.known(ty), Known::Nothing) => Ty::unit(),
                _ => ty,
            },
            (true, None) => Ty::unit(),
        };
        self.make(ExprKind::Loop(id, body), ty, span)
    }

    fn for_loop(&mut self, pattern: &ast::Pattern, over: &ast::Expr, body: &ast::Block, span: Span) -> Expr {
        if let ast::ExprKind::Range { start, end, inclusive } = &*over.kind {
            let start = match start {
                Some(start) => self.value(start),
                None => self.integer(0, false, over.span, Want::Any),
            };
            let Some(end) = end else { return self.unsupported("a loop over a range without an end is", over.span) };
            let end = self.value(end);
            return self.range_loop(pattern, start, end, *inclusive, body, span);
        }
        let over = self.value(over);
        let ty = self.shallow(over.ty);
        let inner = self.follow_type(ty);
        let (over, inner) = match inner.kind() {
            TyKind::HashMap(..) => {
                let map = self.follow(over);
                let entries = self.library_call("std/hashmap", "HashMap.entries", vec![map], span);
                let ty = self.shallow(entries.ty);
                (entries, ty)
            }
            _ => (over, inner),
        };
        let element = match *inner.kind() {
            TyKind::Array(of, _) | TyKind::Slice(of) | TyKind::Vec(of) => of,
            TyKind::Error => Ty::error(),
            _ => {
                let shown = self.show(ty);
                let mut diagnostic =
                    self.error(codes::NOT_ITERABLE, over.span, format!("a loop cannot go over `{shown}`"));
                if matches!(ty.kind(), TyKind::Int(_) | TyKind::Infer(_)) {
                    diagnostic = diagnostic.with_help("to count, write a range: `0..n`");
                }
                self.report(diagnostic);
                Ty::error()
            }
        };
        let over = self.follow(over);
        let id = self.enter_loop(None);
        self.push_scope();
        let pattern = self.irrefutable(pattern, element);
        let body = self.block(body, Want::Nothing);
        self.pop_scope();
        self.leave_loop();
        self.with_place(over, |this, over| this.make(ExprKind::ForEach { id, pattern, over, body }, Ty::unit(), span))
    }

    fn range_loop(
        &mut self,
        pattern: &ast::Pattern,
        start: Expr,
        end: Expr,
        inclusive: bool,
        body: &ast::Block,
        span: Span,
    ) -> Expr {
        let (lt, rt) = (self.shallow(start.ty), self.shallow(end.ty));
        let number = |this: &mut Self, ty: Ty| match ty.kind() {
            TyKind::Int(_) | TyKind::Error | TyKind::Never => true,
            TyKind::Infer(_) => !matches!(this.table.known(ty), Known::Float),
            _ => false,
        };
        let mut ty = Ty::error();
        let (mut start, mut end) = (start, end);
        if !number(self, lt) || !number(self, rt) {
            let at = if number(self, lt) { end.span } else { start.span };
            let shown = if number(self, lt) { self.show(rt) } else { self.show(lt) };
            let diagnostic = self.error(codes::NOT_ITERABLE, at, format!("a range needs integers, not `{shown}`"));
            self.report(diagnostic);
        } else if lt != Ty::error() && rt != Ty::error() {
            match self.join(start.clone(), end.clone()) {
                Ok((a, b, joined)) => (start, end, ty) = (a, b, joined),
                Err(_) => {
                    let (a, b) = (self.show(lt), self.show(rt));
                    let diagnostic = self.error(
                        codes::MISMATCH,
                        end.span,
                        format!("the ends of this range have different types: `{a}` and `{b}`"),
                    );
                    self.report(diagnostic);
                }
            }
        }
        let id = self.enter_loop(None);
        self.push_scope();
        let name = match &pattern.kind {
            ast::PatternKind::Name(name) => *name,
            ast::PatternKind::Wildcard => Name::new("_"),
            _ => {
                let message = "a loop over a range has one number at a time, so its pattern is a name";
                let diagnostic = self.error(codes::PATTERN, pattern.span, message);
                self.report(diagnostic);
                self.recovering = true;
                Name::new("_")
            }
        };
        let local = self.declare(name, ty, pattern.span);
        let body = self.block(body, Want::Nothing);
        self.pop_scope();
        self.leave_loop();
        self.make(ExprKind::ForRange { id, local, start, end, inclusive, body }, Ty::unit(), span)
    }

    pub fn break_expr(&mut self, value: Option<&ast::Expr>, span: Span) -> Expr {
        let Some(frame) = self.frame().loops.last_mut() else {
            let diagnostic = self.error(codes::OUTSIDE_LOOP, span, "`B` outside of a loop");
            if let Some(value) = value {
                self.check(value, Want::Any);
            }
            return self.fail(diagnostic, span);
        };
        frame.breaks = true;
        let (id, wanted) = (frame.id, frame.value);
        let value = match (value, wanted) {
            (Some(value), Some(wanted)) => Some(self.check_to(value, wanted, Why::Plain)),
            (Some(value), None) => {
                self.check(value, Want::Any);
                let diagnostic = self
                    .error(codes::NO_VALUE, value.span, "only a loop without condition can have a value")
                    .with_help("write `L { ... }`, with `B` where it ends");
                return self.fail(diagnostic, span);
            }
            (None, Some(wanted)) => {
                if !self.table.unify(wanted, Ty::unit()) {
                    let shown = self.show(wanted);
                    let message = format!("this loop has a value of type `{shown}`, so `B` needs one");
                    let diagnostic = self.error(codes::NO_VALUE, span, message).with_help("write it: `B value`");
                    return self.fail(diagnostic, span);
                }
                None
            }
            (None, None) => None,
        };
        self.make(ExprKind::Break(id, value), Ty::never(), span)
    }

    pub fn continue_expr(&mut self, span: Span) -> Expr {
        match self.frame().loops.last() {
            Some(frame) => {
                let id = frame.id;
                self.make(ExprKind::Continue(id), Ty::never(), span)
            }
            None => {
                let diagnostic = self.error(codes::OUTSIDE_LOOP, span, "`C` outside of a loop");
                self.fail(diagnostic, span)
            }
        }
    }

    pub fn return_expr(&mut self, value: Option<&ast::Expr>, span: Span) -> Expr {
        let wanted = self.frame().result;
        let wanted = self.shallow(wanted);
        let value = match value {
            Some(value) if wanted == Ty::unit() => {
                let e = self.check(value, Want::Any);
                if !matches!(self.shallow(e.ty).kind(), TyKind::Unit | TyKind::Never | TyKind::Error) {
                    let diagnostic = self
                        .error(codes::MISMATCH, value.span, "this function has no result type, so `R` takes no value")
                        .with_help("declare the result: `-> i64`");
                    self.report(diagnostic);
                }
                Some(e)
            }
            Some(value) => Some(self.check_to(value, wanted, Why::Result)),
            None => {
                if !self.table.unify(wanted, Ty::unit()) {
                    let shown = self.show(wanted);
                    let diagnostic = self.error(
                        codes::MISSING_RESULT,
                        span,
                        format!("`R` needs a value here: the result is `{shown}`"),
                    );
                    self.report(diagnostic);
                }
                None
            }
        };
        match value {
            // `R f()` of a function without result.
            Some(e) if wanted == Ty::unit() => {
                let back = self.make(ExprKind::Return(None), Ty::never(), span);
                self.make(ExprKind::Block(vec![Stmt::Expr(e)], Some(back)), Ty::never(), span)
            }
            value => self.make(ExprKind::Return(value), Ty::never(), span),
        }
    }

    /// A widening noted before its target was known.
    pub fn settle(&mut self) {
        for pending in std::mem::take(&mut self.pending) {
            let (from, to) = (self.table.resolve(pending.from, true), self.table.resolve(pending.to, true));
            if let (&TyKind::Int(a), &TyKind::Int(b)) = (from.kind(), to.kind())
                && !widens(a, b)
            {
                let message = format!("expected `{to}`, found `{from}`");
                let diagnostic =
                    self.error(codes::MISMATCH, pending.span, message).with_help(format!("convert it with `as {to}`"));
                self.report(diagnostic);
            }
        }
    }
}

/// Is this such a plain result that nobody minds its not being reached?
fn is_plain(e: &ast::Expr) -> bool {
    matches!(
        &*e.kind,
        ast::ExprKind::Int(..)
            | ast::ExprKind::Bool(_)
            | ast::ExprKind::Float(_)
            | ast::ExprKind::Tuple(_)
            | ast::ExprKind::Name(_)
    )
}

/// The span of a block's value, or of anything else as a whole.
pub(crate) fn last_value(e: &Expr) -> Span {
    match &*e.kind {
        ExprKind::Block(_, Some(value)) => last_value(value),
        _ => e.span,
    }
}
