//! Which loop of a function's new text is which of its old one.
//!
//! Loops are compared by their heads (kind, loop variable, what they run over, condition) and by the parts and statements
//! of their bodies. The most similar pair goes together first, then the next, as long as what is around and inside stays
//! so: a loop in another one stays in it, though loops may have come or gone between them. Where a loop lies counts
//! only among loops that are as similar: as many of them in both texts go together in order; otherwise nobody can tell,
//! and they stay without a match, as does a loop that is like none. Where just one loop is left at one place of both
//! texts, little likeness is enough; none is needed if there is no other at that place of either text, and both only look
//! at a condition.

use rustc_hash::FxHashSet;
use vaisjit_semantics::hir::{Body, Expr, ExprKind, LoopId, Stmt, children};
use vaisjit_syntax::{Name, Span};

use super::parts::{Bag, EQUAL, Namer, likeness};

/// Loops less similar than this do not match. Chosen by feel.
const LEAST: u64 = 300;
/// The same for the only ones left at a place. Chosen by feel.
const LEAST_ALONE: u64 = 120;
/// What differs by less is as similar. Chosen by feel.
const MARGIN: u64 = 50;
/// The shares of head and body in the similarity.
const HEAD: u64 = 2;
const BODY: u64 = 3;

/// Why a loop has no counterpart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Lost {
    /// No loop of the new text is like it.
    Gone,
    /// These loops of the new text are like it, and like others, in the same way.
    Ambiguous(Vec<Span>),
}

/// A loop with what stands in it.
pub(super) struct Node<'a> {
    pub id: LoopId,
    pub expr: &'a Expr,
    /// The loops around it, as indices, and whether it is in a deferred block.
    pub around: Vec<usize>,
    deferred: bool,
    head: Bag,
    body: Bag,
    whole: u64,
}

/// The loops of both texts that belong together, as indices; and of others of the old text why not.
pub(super) struct Matched {
    pub pairs: Vec<(usize, usize)>,
    pub lost: Vec<(usize, Lost)>,
}

/// The loops of a body, outer ones first.
pub(super) fn loops<'a>(body: &'a Body, shared: &FxHashSet<Name>) -> Vec<Node<'a>> {
    let mut found = Found { namer: Namer { body, shared, own: None }, nodes: Vec::new() };
    found.look(&body.value, &mut Vec::new(), false);
    found.nodes
}

/// The number of a loop.
pub fn loop_id(expr: &Expr) -> Option<LoopId> {
    match &*expr.kind {
        ExprKind::Loop(id, _) | ExprKind::While(id, ..) => Some(*id),
        ExprKind::ForRange { id, .. } | ExprKind::ForEach { id, .. } => Some(*id),
        _ => None,
    }
}

/// The loops around a loop.
pub fn loops_around(body: &Body, of: LoopId) -> Vec<LoopId> {
    let nodes = loops(body, &FxHashSet::default());
    let node = nodes.iter().find(|node| node.id == of);
    node.map_or_else(Vec::new, |node| node.around.iter().map(|place| nodes[*place].id).collect())
}

/// How much the most similar loop of another function has in common with one of this, of 1,000.
pub fn most_similar(body: &Body, of: LoopId, other: &Body) -> u64 {
    let shared = super::parts::shared_names(body, other);
    let nodes = loops(body, &shared);
    let Some(node) = nodes.iter().find(|node| node.id == of) else { return 0 };
    loops(other, &shared).iter().map(|other| similarity(node, other)).max().unwrap_or(0)
}

struct Found<'a, 'n> {
    namer: Namer<'n>,
    nodes: Vec<Node<'a>>,
}

impl<'a> Found<'a, '_> {
    fn look(&mut self, expr: &'a Expr, around: &mut Vec<usize>, deferred: bool) {
        let is_loop = loop_id(expr).map(|id| self.add(id, expr, around, deferred)).is_some();
        if is_loop {
            around.push(self.nodes.len() - 1);
        }
        if let ExprKind::Block(statements, value) = &*expr.kind {
            for statement in statements {
                match statement {
                    Stmt::Let(_, value) | Stmt::Expr(value) => self.look(value, around, deferred),
                    Stmt::Defer(value) => self.look(value, around, true),
                }
            }
            value.iter().for_each(|value| self.look(value, around, deferred));
        } else {
            children(expr, &mut |child| self.look(child, around, deferred));
        }
        if is_loop {
            around.pop();
        }
    }

    fn add(&mut self, id: LoopId, expr: &'a Expr, around: &[usize], deferred: bool) {
        let (mut head, mut body) = (Bag::default(), Bag::default());
        head.insert(self.namer.part(expr), 2);
        match &*expr.kind {
            ExprKind::Loop(_, inside) => self.namer.count(inside, &mut body),
            ExprKind::While(_, condition, inside) => {
                self.namer.count(condition, &mut head);
                self.namer.count(inside, &mut body);
            }
            ExprKind::ForRange { start, end, body: inside, .. } => {
                [start, end].into_iter().for_each(|end| self.namer.count(end, &mut head));
                self.namer.count(inside, &mut body);
            }
            ExprKind::ForEach { over, body: inside, .. } => {
                self.namer.count(over, &mut head);
                self.namer.count(inside, &mut body);
            }
            _ => {}
        }
        let whole = self.namer.whole(expr);
        self.nodes.push(Node { id, expr, around: around.to_vec(), deferred, head, body, whole });
    }
}

/// How much two loops have in common, of [`EQUAL`].
fn similarity(old: &Node<'_>, new: &Node<'_>) -> u64 {
    match old.whole == new.whole {
        true => EQUAL,
        false => {
            (HEAD * likeness(&old.head, &new.head) + BODY * likeness(&old.body, &new.body)).min(EQUAL * 5 - 1)
                / (HEAD + BODY)
        }
    }
}

/// Matches the loops of two texts.
pub(super) fn matched(old: &[Node<'_>], new: &[Node<'_>]) -> Matched {
    let scores = old.iter().map(|old| new.iter().map(|new| similarity(old, new)).collect()).collect();
    let mut matcher = Matcher {
        old,
        new,
        scores,
        open: (vec![true; old.len()], vec![true; new.len()]),
        matched: Matched { pairs: Vec::new(), lost: Vec::new() },
    };
    while let Some((before, after, score)) = matcher.best() {
        matcher.settle(before, after, score);
    }
    while let Some((before, after)) = matcher.only_ones() {
        matcher.pair(before, after);
    }
    let mut done = matcher.matched;
    let has = |done: &Matched, at: usize| {
        done.pairs.iter().any(|(before, _)| *before == at) || done.lost.iter().any(|(before, _)| *before == at)
    };
    let gone: Vec<(usize, Lost)> = (0..old.len()).filter(|at| !has(&done, *at)).map(|at| (at, Lost::Gone)).collect();
    done.lost.extend(gone);
    done.pairs.sort_unstable();
    done
}

struct Matcher<'a> {
    old: &'a [Node<'a>],
    new: &'a [Node<'a>],
    scores: Vec<Vec<u64>>,
    /// Which have not been decided on.
    open: (Vec<bool>, Vec<bool>),
    matched: Matched,
}

impl Matcher<'_> {
    fn best(&self) -> Option<(usize, usize, u64)> {
        let open = |list: &[bool]| (0..list.len()).filter(|at| list[*at]).collect::<Vec<usize>>();
        let news = open(&self.open.1);
        let pairs = open(&self.open.0).into_iter().flat_map(|old| news.iter().map(move |new| (old, *new)));
        let scored = pairs.map(|(old, new)| (old, new, self.scores[old][new]));
        let fit = scored.filter(|(old, new, score)| *score >= LEAST && self.fits(*old, *new));
        // The first of equals: outer loops before inner ones, early ones before late ones.
        fit.fold(
            None,
            |best, one| if best.is_none_or(|best: (usize, usize, u64)| one.2 > best.2) { Some(one) } else { best },
        )
    }

    /// Loops that are the only ones left in the same loop, or outside all loops.
    fn only_ones(&self) -> Option<(usize, usize)> {
        let all_matched = |around: &[usize], one: &dyn Fn(&(usize, usize)) -> usize| {
            around.iter().all(|at| self.matched.pairs.iter().any(|pair| one(pair) == *at))
        };
        let olds =
            (0..self.old.len()).filter(|at| self.open.0[*at] && all_matched(&self.old[*at].around, &|pair| pair.0));
        let news =
            (0..self.new.len()).filter(|at| self.open.1[*at] && all_matched(&self.new[*at].around, &|pair| pair.1));
        let (olds, news): (Vec<usize>, Vec<usize>) = (olds.collect(), news.collect());
        olds.iter().find_map(|old| {
            let mut fit = news.iter().filter(|new| self.fits(*old, **new));
            let (Some(new), None) = (fit.next(), fit.next()) else { return None };
            let alone = olds.iter().filter(|old| self.fits(**old, *new)).count() == 1;
            let only = is_only(self.old, *old) && is_only(self.new, *new);
            (alone && (only || self.scores[*old][*new] >= LEAST_ALONE)).then_some((*old, *new))
        })
    }

    /// Do the loops around and inside that are matched stay around and inside?
    fn fits(&self, old: usize, new: usize) -> bool {
        let (one, other) = (&self.old[old], &self.new[new]);
        let around = |(before, after): &(usize, usize)| {
            one.around.contains(before) == other.around.contains(after)
                && self.old[*before].around.contains(&old) == self.new[*after].around.contains(&new)
        };
        one.deferred == other.deferred && self.matched.pairs.iter().all(around)
    }

    /// Decides on a pair, and on all that are as similar.
    fn settle(&mut self, old: usize, new: usize, score: u64) {
        let exact = score == EQUAL;
        let near = |other: u64| if exact { other == EQUAL } else { other + MARGIN > score };
        let news = |at: &usize| {
            let rival = self.open.1[*at] && near(self.scores[old][*at]) && self.fits(old, *at);
            *at == new || rival && (exact || !nested(self.new, *at, new))
        };
        let olds = |at: &usize| {
            let rival = self.open.0[*at] && near(self.scores[*at][new]) && self.fits(*at, new);
            *at == old || rival && (exact || !nested(self.old, *at, old))
        };
        let news: Vec<usize> = (0..self.new.len()).filter(news).collect();
        let olds: Vec<usize> = (0..self.old.len()).filter(olds).collect();
        if olds.len() != news.len() {
            return self.give_up(olds, news);
        }
        let decided = self.matched.pairs.len();
        for (old, new) in olds.into_iter().zip(news) {
            if self.fits(old, new) {
                self.pair(old, new);
            }
        }
        if self.matched.pairs.len() == decided {
            self.pair(old, new);
        }
    }

    fn pair(&mut self, old: usize, new: usize) {
        (self.open.0[old], self.open.1[new]) = (false, false);
        self.matched.pairs.push((old, new));
    }

    /// Nobody can tell which of them is which.
    fn give_up(&mut self, olds: Vec<usize>, news: Vec<usize>) {
        let spans: Vec<Span> = news.iter().map(|at| self.new[*at].expr.span).collect();
        for at in olds {
            self.open.0[at] = false;
            self.matched.lost.push((at, Lost::Ambiguous(spans.clone())));
        }
        news.into_iter().for_each(|at| self.open.1[at] = false);
    }
}

/// Does a loop run on a condition or for ever, with no other loop beside it?
fn is_only(nodes: &[Node<'_>], at: usize) -> bool {
    let node = &nodes[at];
    let bare = matches!(&*node.expr.kind, ExprKind::Loop(..) | ExprKind::While(..));
    bare && nodes.iter().filter(|other| other.around == node.around).count() == 1
}

/// Is one of the loops in the other?
fn nested(nodes: &[Node<'_>], one: usize, other: usize) -> bool {
    nodes[one].around.contains(&other) || nodes[other].around.contains(&one)
}
