//! The initial values of the locals around a loop, as they are written.

use vaisjit_codegen::lower::children;
use vaisjit_semantics::hir::{Body, Expr, ExprKind, LoopId, PatternKind, Stmt};
use vaisjit_syntax::{Name, Span};

/// The locals declared around a loop, each with the text of its initial value, white space left out.
pub(crate) fn texts(body: &Body, at: LoopId, text: &dyn Fn(Span) -> Option<String>) -> Vec<(Name, String)> {
    let mut found = Vec::new();
    search(body, &body.value, at, &mut found);
    let texts = found.into_iter().filter_map(|(name, span)| Some((name, text(span)?)));
    texts.map(|(name, text)| (name, text.split_whitespace().collect())).collect()
}

/// The names whose initial values differ; of locals with one name the innermost counts.
pub(crate) fn changed(old: &[(Name, String)], new: &[(Name, String)]) -> Vec<Name> {
    let innermost = |list: &[(Name, String)], name: Name| {
        list.iter().rev().find(|(known, _)| *known == name).map(|(_, text)| text.clone())
    };
    let mut names: Vec<Name> = old.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| innermost(new, *name).is_some_and(|text| innermost(old, *name) != Some(text)));
    names
}

/// Looks for the loop; `found` then holds the declarations that are in scope there.
fn search(body: &Body, expr: &Expr, at: LoopId, found: &mut Vec<(Name, Span)>) -> bool {
    let is_it = match &*expr.kind {
        ExprKind::Loop(id, _) | ExprKind::While(id, ..) => *id == at,
        ExprKind::ForRange { id, .. } | ExprKind::ForEach { id, .. } => *id == at,
        _ => false,
    };
    if is_it {
        return true;
    }
    let before = found.len();
    let mut inside = false;
    if let ExprKind::Block(statements, value) = &*expr.kind {
        for statement in statements {
            match statement {
                Stmt::Let(pattern, value) => {
                    inside = inside || search(body, value, at, found);
                    if let (false, PatternKind::Bind(local, _)) = (inside, &pattern.kind) {
                        found.push((body.locals[*local].name, value.span));
                    }
                }
                Stmt::Expr(value) | Stmt::Defer(value) => inside = inside || search(body, value, at, found),
            }
        }
        inside = inside || value.as_ref().is_some_and(|value| search(body, value, at, found));
    } else {
        children(expr, &mut |child| inside = inside || search(body, child, at, found));
    }
    if !inside {
        found.truncate(before);
    }
    inside
}
