//! Which loop of a function's new text is which of its old one.
//!
//! The loops of both are trees. From the outside in, the inner loops of two matched loops (at first those outside all
//! others) are matched with each other: if there are as many in both, by their position, whatever has become of them.
//! Otherwise they are aligned in order so that they are together as similar as can be; a loop that could go with another
//! one just as well, or is similar to none, stays without a match. So an edit of a loop's condition, body or kind keeps
//! its match, and so does a loop added beside different ones.

use std::hash::{Hash, Hasher};
use std::mem::discriminant;

use rustc_hash::{FxHashMap, FxHasher};
use vaisjit_semantics::hir::{Body, Callee, Expr, ExprKind, LoopId};

use crate::lower::scan::children;

/// Loops less similar than this share of their parts do not match. Chosen by feel.
const LEAST: u64 = 300;
/// The similarity of equal loops.
const EQUAL: u64 = 1000;

/// The loops of the old text that go on as loops of the new one.
pub fn match_loops(old: &Body, new: &Body) -> Vec<(LoopId, LoopId)> {
    let mut matched = Vec::new();
    match_lists(&loops_of(old, &old.value), &loops_of(new, &new.value), &mut matched);
    matched
}

/// A loop with what stands in it.
struct Node {
    id: LoopId,
    parts: FxHashMap<u64, u32>,
    inner: Vec<Node>,
}

fn match_lists(old: &[Node], new: &[Node], matched: &mut Vec<(LoopId, LoopId)>) {
    for (before, after) in pairs(old, new) {
        matched.push((old[before].id, new[after].id));
        match_lists(&old[before].inner, &new[after].inner, matched);
    }
}

fn pairs(old: &[Node], new: &[Node]) -> Vec<(usize, usize)> {
    if old.len() == new.len() {
        return (0..old.len()).map(|place| (place, place)).collect();
    }
    let mut scores: Vec<Vec<u64>> =
        old.iter().map(|old| new.iter().map(|new| similarity(&old.parts, &new.parts)).collect()).collect();
    let (best, pairs) = align(&scores);
    let certain = |pair: &(usize, usize)| {
        let score = std::mem::take(&mut scores[pair.0][pair.1]);
        let otherwise = align(&scores).0;
        scores[pair.0][pair.1] = score;
        otherwise < best
    };
    pairs.into_iter().filter(certain).collect()
}

/// The alignment in order with the largest sum of scores; pairs with score 0 are not in it.
fn align(scores: &[Vec<u64>]) -> (u64, Vec<(usize, usize)>) {
    let (rows, columns) = (scores.len(), scores.first().map_or(0, Vec::len));
    let mut best = vec![vec![0; columns + 1]; rows + 1];
    for row in (0..rows).rev() {
        for column in (0..columns).rev() {
            let paired = best[row + 1][column + 1] + scores[row][column];
            best[row][column] = paired.max(best[row + 1][column]).max(best[row][column + 1]);
        }
    }
    let (mut row, mut column, mut pairs) = (0, 0, Vec::new());
    while row < rows && column < columns {
        let score = scores[row][column];
        if score > 0 && best[row][column] == best[row + 1][column + 1] + score {
            pairs.push((row, column));
            (row, column) = (row + 1, column + 1);
        } else if best[row][column] == best[row + 1][column] {
            row += 1;
        } else {
            column += 1;
        }
    }
    (best[0][0], pairs)
}

/// How much two loops have in common, of [`EQUAL`]; 0 if it is too little.
fn similarity(old: &FxHashMap<u64, u32>, new: &FxHashMap<u64, u32>) -> u64 {
    let count = |parts: &FxHashMap<u64, u32>| parts.values().map(|count| u64::from(*count)).sum::<u64>();
    let common: u64 = old.iter().map(|(part, count)| u64::from(*new.get(part).unwrap_or(&0).min(count))).sum();
    let share = 2 * EQUAL * common / (count(old) + count(new)).max(1);
    if share < LEAST { 0 } else { share }
}

/// The loops in an expression that stand in no other loop of it.
fn loops_of(body: &Body, expr: &Expr) -> Vec<Node> {
    let mut found = Vec::new();
    collect(body, expr, &mut found);
    found
}

fn collect(body: &Body, expr: &Expr, found: &mut Vec<Node>) {
    let Some(id) = loop_id(expr) else {
        return children(expr, &mut |child| collect(body, child, found));
    };
    let mut node = Node { id, parts: FxHashMap::default(), inner: Vec::new() };
    count_parts(body, expr, &mut node.parts);
    children(expr, &mut |child| collect(body, child, &mut node.inner));
    found.push(node);
}

fn loop_id(expr: &Expr) -> Option<LoopId> {
    match &*expr.kind {
        ExprKind::Loop(id, _) | ExprKind::While(id, ..) => Some(*id),
        ExprKind::ForRange { id, .. } | ExprKind::ForEach { id, .. } => Some(*id),
        _ => None,
    }
}

fn count_parts(body: &Body, expr: &Expr, parts: &mut FxHashMap<u64, u32>) {
    *parts.entry(part(body, expr)).or_default() += 1;
    children(expr, &mut |child| count_parts(body, child, parts));
}

/// What an expression is, without its parts and places.
fn part(body: &Body, expr: &Expr) -> u64 {
    let mut hasher = FxHasher::default();
    discriminant(&*expr.kind).hash(&mut hasher);
    match &*expr.kind {
        ExprKind::Int(value) => value.hash(&mut hasher),
        ExprKind::Float(bits) => bits.hash(&mut hasher),
        ExprKind::Bool(value) => value.hash(&mut hasher),
        ExprKind::Str(text) => text.hash(&mut hasher),
        ExprKind::Local(local) => body.locals[*local].name.hash(&mut hasher),
        ExprKind::ForRange { local, .. } => body.locals[*local].name.hash(&mut hasher),
        ExprKind::Global(path) => path.hash(&mut hasher),
        ExprKind::Unary(op, _) => op.hash(&mut hasher),
        ExprKind::Binary(op, ..) | ExprKind::AssignOp(op, ..) => op.hash(&mut hasher),
        ExprKind::Field(_, field) => field.hash(&mut hasher),
        ExprKind::Call(callee, _) => callee_part(callee, &mut hasher),
        _ => {}
    }
    hasher.finish()
}

fn callee_part(callee: &Callee, hasher: &mut FxHasher) {
    discriminant(callee).hash(hasher);
    match callee {
        Callee::Function(instance) => instance.path.hash(hasher),
        Callee::Host(name) => name.hash(hasher),
        Callee::C(function) => function.symbol.hash(hasher),
        Callee::Builtin(builtin) => builtin.hash(hasher),
        Callee::Value(_) | Callee::Dyn(..) => {}
    }
}
