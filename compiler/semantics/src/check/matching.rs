//! `M`: arms, and whether they cover every value.

use vaisjit_syntax::{Diagnostic, Span, ast};

use super::literal::replace;
use super::{Checker, Want};
use crate::codes;
use crate::hir::{Arm, Expr, ExprKind, Pattern, PatternKind};
use crate::types::{Ty, TyKind};

impl Checker<'_, '_> {
    pub fn match_expr(&mut self, subject: &ast::Expr, arms: &[ast::Arm], span: Span, want: Want) -> Expr {
        let subject = self.value(subject);
        let ty = self.shallow(subject.ty);
        let subject = match super::place::inside(ty) {
            Some(_) if !arms.iter().all(|arm| takes_anything(&arm.pattern)) => self.follow(subject),
            _ => subject,
        };
        let ty = self.shallow(subject.ty);
        let mut checked = Vec::with_capacity(arms.len());
        let mut values = Vec::with_capacity(arms.len());
        for arm in arms {
            self.push_scope();
            let pattern = self.whole_pattern(&arm.pattern, ty);
            let guard = arm.guard.as_ref().map(|guard| self.condition(guard));
            let value = self.check(&arm.body, want);
            self.pop_scope();
            checked.push((pattern, guard));
            values.push(value);
        }
        let result = if arms.is_empty() { Ty::unit() } else { self.join_branches(&mut values, want, span) };
        let ty = self.shallow(ty);
        let missing = self.not_covered(&checked, ty);
        if let Some(example) = missing {
            let needed = want != Want::Nothing && !matches!(result.kind(), TyKind::Unit | TyKind::Error);
            let message = format!("this match does not cover `{example}`");
            let place = self.place(Span { start: span.start, end: subject.span.end.max(span.start + 1) });
            let help = format!("add an arm: `{example} => ...` or `_ => ...`");
            let diagnostic = match needed {
                true => Diagnostic::error(codes::NOT_EXHAUSTIVE, place, message),
                false => Diagnostic::warning(codes::NOT_EXHAUSTIVE, place, message),
            };
            self.report(diagnostic.with_help(help));
        }
        let arms =
            checked.into_iter().zip(values).map(|((pattern, guard), body)| Arm { pattern, guard, body }).collect();
        self.make(ExprKind::Match(subject, arms), result, span)
    }

    /// A value no arm matches, as a pattern.
    fn not_covered(&mut self, arms: &[(Pattern, Option<Expr>)], ty: Ty) -> Option<String> {
        if ty == Ty::error() || arms.iter().any(|(pattern, _)| has_error(pattern)) {
            return None;
        }
        let rows: Vec<Vec<&Pattern>> =
            arms.iter().filter(|(_, guard)| guard.is_none()).map(|(pattern, _)| vec![pattern]).collect();
        let mut budget = 20_000;
        uncovered(self, rows, &[ty], &mut budget).and_then(|mut example| example.pop())
    }
}

/// Does the pattern, as written, look into nothing? Capitalised names are variants and constants.
fn takes_anything(pattern: &ast::Pattern) -> bool {
    match &pattern.kind {
        ast::PatternKind::Wildcard => true,
        ast::PatternKind::Name(name) => !name.starts_with(|first: char| first.is_uppercase()),
        _ => false,
    }
}

fn has_error(pattern: &Pattern) -> bool {
    if pattern.ty == Ty::error() {
        return true;
    }
    match &pattern.kind {
        PatternKind::Bind(_, Some(inner)) => has_error(inner),
        PatternKind::Variant(_, parts) | PatternKind::Or(parts) => parts.iter().any(has_error),
        PatternKind::Fields(parts) => parts.iter().any(|(_, part)| has_error(part)),
        _ => false,
    }
}

/// Does a pattern match every value of its type?
pub(crate) fn matches_all(checker: &mut Checker<'_, '_>, pattern: &Pattern) -> bool {
    let mut budget = 10_000;
    has_error(pattern) || uncovered(checker, vec![vec![pattern]], &[pattern.ty], &mut budget).is_none()
}

/// A row of values that no row of patterns matches. The last element of the result belongs to the first column.
fn uncovered(
    checker: &mut Checker<'_, '_>,
    rows: Vec<Vec<&Pattern>>,
    types: &[Ty],
    budget: &mut u32,
) -> Option<Vec<String>> {
    let Some((first, rest)) = types.split_first() else {
        return if rows.is_empty() { Some(Vec::new()) } else { None };
    };
    if *budget == 0 {
        return None;
    }
    *budget -= 1;
    let rows = spread(rows);
    let ty = checker.shallow(*first);
    let plain = rows.iter().all(|row| is_open(row[0]));
    if plain {
        let rows = rows.into_iter().map(|row| row[1..].to_vec()).collect();
        let mut example = uncovered(checker, rows, rest, budget)?;
        example.push("_".into());
        return Some(example);
    }
    match *ty.kind() {
        TyKind::Enum(path, _) => {
            let (_, sig) = checker.enum_sig(path)?;
            let map = checker.argument_map(ty);
            for (number, variant) in sig.variants.iter().enumerate() {
                let fields: Vec<Ty> = variant.fields.iter().map(|field| replace(field.ty, &map)).collect();
                let narrowed = narrow(&rows, fields.len(), |pattern| match &pattern.kind {
                    PatternKind::Variant(other, parts) if *other == number as u32 => {
                        Some(parts.iter().map(Some).collect())
                    }
                    _ => None,
                });
                let all: Vec<Ty> = fields.iter().chain(rest).copied().collect();
                if let Some(mut example) = uncovered_owned(checker, narrowed, &all, budget) {
                    let inner = take(&mut example, fields.len());
                    let shown = if fields.is_empty() {
                        variant.name.to_string()
                    } else if variant.named {
                        let parts: Vec<String> = variant
                            .fields
                            .iter()
                            .zip(inner)
                            .map(|(field, part)| format!("{}: {part}", field.name))
                            .collect();
                        format!("{} {{ {} }}", variant.name, parts.join(", "))
                    } else {
                        format!("{}({})", variant.name, inner.join(", "))
                    };
                    example.push(shown);
                    return Some(example);
                }
            }
            None
        }
        TyKind::Bool => {
            for value in [true, false] {
                let narrowed = narrow(&rows, 0, |pattern| match &pattern.kind {
                    PatternKind::Constant(e) if *e.kind == ExprKind::Bool(value) => Some(Vec::new()),
                    _ => None,
                });
                if let Some(mut example) = uncovered_owned(checker, narrowed, rest, budget) {
                    example.push(value.to_string());
                    return Some(example);
                }
            }
            None
        }
        TyKind::Tuple(_) | TyKind::Struct(..) => {
            let fields: Vec<Ty> = match *ty.kind() {
                TyKind::Tuple(parts) => parts.to_vec(),
                TyKind::Struct(path, _) => {
                    let (sig, _) = checker.struct_fields(path)?;
                    let map = checker.argument_map(ty);
                    sig.fields.iter().map(|field| replace(field.ty, &map)).collect()
                }
                _ => Vec::new(),
            };
            let count = fields.len();
            let narrowed = narrow(&rows, count, |pattern| match &pattern.kind {
                PatternKind::Fields(parts) => {
                    let mut inner: Vec<Option<&Pattern>> = vec![None; count];
                    for (index, part) in parts {
                        inner[*index as usize] = Some(part);
                    }
                    Some(inner)
                }
                _ => None,
            });
            let all: Vec<Ty> = fields.iter().chain(rest).copied().collect();
            let mut example = uncovered_owned(checker, narrowed, &all, budget)?;
            let inner = take(&mut example, count);
            example.push(match ty.kind() {
                TyKind::Tuple(_) => format!("({})", inner.join(", ")),
                _ => "_".to_string(),
            });
            Some(example)
        }
        TyKind::Int(_) | TyKind::Infer(_) => integers(checker, &rows, ty, rest, budget),
        _ => {
            let open: Vec<Vec<&Pattern>> =
                rows.iter().filter(|row| is_open(row[0])).map(|row| row[1..].to_vec()).collect();
            let mut example = uncovered(checker, open, rest, budget)?;
            example.push("_".into());
            Some(example)
        }
    }
}

/// The values of an integer column, cut where a pattern begins or ends.
fn integers(
    checker: &mut Checker<'_, '_>,
    rows: &[Vec<&Pattern>],
    ty: Ty,
    rest: &[Ty],
    budget: &mut u32,
) -> Option<Vec<String>> {
    let kind = ty.int_kind().unwrap_or(crate::types::IntKind::I64);
    let (least, most) = match (kind.signed(), kind.bits()) {
        (true, bits) => (i128::MIN >> (128 - bits), i128::MAX >> (128 - bits)),
        (false, 128) => (0, i128::MAX),
        (false, bits) => (0, (1i128 << bits) - 1),
    };
    let mut cuts = vec![least];
    for row in rows {
        if let Some((from, to)) = interval(row[0], least, most) {
            cuts.push(from);
            cuts.extend(to.checked_add(1).filter(|next| *next <= most));
        }
    }
    cuts.sort_unstable();
    cuts.dedup();
    cuts.retain(|cut| (least..=most).contains(cut));
    for from in cuts {
        let narrowed: Vec<Vec<&Pattern>> = rows
            .iter()
            .filter(|row| is_open(row[0]) || interval(row[0], least, most).is_some_and(|(a, b)| a <= from && from <= b))
            .map(|row| row[1..].to_vec())
            .collect();
        if let Some(mut example) = uncovered(checker, narrowed, rest, budget) {
            example.push(if from == least { "_".into() } else { from.to_string() });
            return Some(example);
        }
    }
    None
}

fn interval(pattern: &Pattern, least: i128, most: i128) -> Option<(i128, i128)> {
    let number = |e: &Expr| match &*e.kind {
        ExprKind::Int(value) => Some(*value),
        _ => None,
    };
    match &pattern.kind {
        PatternKind::Constant(e) => number(e).map(|value| (value, value)),
        PatternKind::Range(start, end, inclusive) => {
            let from = start.as_ref().map_or(Some(least), number)?;
            let to = end.as_ref().map_or(Some(most), number)?;
            let to = if *inclusive || end.is_none() { to } else { to.checked_sub(1)? };
            (from <= to).then_some((from, to))
        }
        _ => None,
    }
}

/// The first `count` columns' part of an example, in order.
fn take(example: &mut Vec<String>, count: usize) -> Vec<String> {
    let mut taken = example.split_off(example.len() - count.min(example.len()));
    taken.reverse();
    taken
}

fn is_open(pattern: &Pattern) -> bool {
    matches!(pattern.kind, PatternKind::Wildcard | PatternKind::Bind(_, None))
}

/// Rows with alternatives and bindings of the first column taken apart.
fn spread(rows: Vec<Vec<&Pattern>>) -> Vec<Vec<&Pattern>> {
    let mut out = Vec::with_capacity(rows.len());
    for row in rows {
        spread_row(row, &mut out);
    }
    out
}

fn spread_row<'p>(row: Vec<&'p Pattern>, out: &mut Vec<Vec<&'p Pattern>>) {
    match &row[0].kind {
        PatternKind::Or(parts) => {
            for part in parts {
                let mut row = row.clone();
                row[0] = part;
                spread_row(row, out);
            }
        }
        PatternKind::Bind(_, Some(inner)) => {
            let mut row = row.clone();
            row[0] = inner;
            spread_row(row, out);
        }
        _ => out.push(row),
    }
}

/// The rows that match one constructor, its parts in place of the first column; `None` stands for a wildcard.
fn narrow<'p>(
    rows: &[Vec<&'p Pattern>],
    count: usize,
    parts: impl Fn(&'p Pattern) -> Option<Vec<Option<&'p Pattern>>>,
) -> Vec<Vec<Option<&'p Pattern>>> {
    rows.iter()
        .filter_map(|row| {
            let first = if is_open(row[0]) { vec![None; count] } else { parts(row[0])? };
            Some(first.into_iter().chain(row[1..].iter().copied().map(Some)).collect())
        })
        .collect()
}

fn uncovered_owned(
    checker: &mut Checker<'_, '_>,
    rows: Vec<Vec<Option<&Pattern>>>,
    types: &[Ty],
    budget: &mut u32,
) -> Option<Vec<String>> {
    let any = Pattern { kind: PatternKind::Wildcard, ty: Ty::unit(), span: Span::default() };
    let rows = rows.iter().map(|row| row.iter().map(|part| part.unwrap_or(&any)).collect()).collect();
    uncovered(checker, rows, types, budget)
}
