//! Which closure of an edited body is which of the running version's.
//!
//! A closure's number is its identity: function values made by an earlier version run the new code of the closure with the
//! same number. So numbers follow the closures, wherever they move, and a new closure gets one that no closure of the
//! function has had while the program runs.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use vaisjit_syntax::Name;

use crate::check::each;
use crate::dump::dump_body;
use crate::hir::{Body, Expr, ExprKind};
use crate::program::Checked;
use crate::types::{Instance, ItemPath};
use crate::world::World;

/// Closures with less in common are not taken for the same, unless they stand at the same place.
const ALIKE: f64 = 0.5;

/// The function a closure stands in, and the closure's number in it.
pub fn owner_and_number(closure: Instance) -> Option<(Instance, u32)> {
    let (owner, number) = closure.path.name.as_str().rsplit_once(".{")?;
    let number = number.strip_suffix('}')?.parse().ok()?;
    Some((Instance { path: ItemPath::new(closure.path.module, owner), ..closure }, number))
}

/// Gives the closures in a body the numbers of those they were; `bodies` holds them all.
pub(crate) fn renumber(world: &World<'_>, owner: Instance, value: &mut Expr, bodies: &mut Vec<Arc<Body>>) {
    let Some(running) = &world.input.running else { return };
    if bodies.is_empty() {
        return;
    }
    let before = body_of(&running.checked, owner).map(|body| described(&body.value)).unwrap_or_default();
    let now = described(value);
    let used = running.closures.get(&owner).copied().unwrap_or(0);
    let first_new = before.iter().map(|known| known.number + 1).max().unwrap_or(0).max(used);
    let mut new = first_new..;
    let numbers: FxHashMap<u32, u32> = now
        .iter()
        .zip(matched(&before, &now))
        .filter_map(|(closure, twin)| {
            let number = twin.map(|twin| before[twin].number).or_else(|| new.next())?;
            Some((closure.number, number))
        })
        .collect();
    if numbers.iter().any(|(from, to)| from != to) {
        bodies.clear();
        rename(value, &numbers, bodies);
    }
}

/// The body of a function, of the initial value of a global, or of a field's default.
fn body_of(checked: &Checked, owner: Instance) -> Option<&Arc<Body>> {
    if let Some(function) = checked.functions.get(&owner) {
        return Some(&function.body);
    }
    let fields = checked.structs.values().flat_map(|def| &def.fields);
    let payloads = checked.enums.values().flat_map(|def| &def.variants).flat_map(|variant| &variant.fields);
    let defaults = fields.chain(payloads).filter_map(|field| field.default.as_ref());
    let inits = checked.globals.values().filter_map(|global| global.init.as_ref());
    inits.chain(defaults).find(|body| body.instance == owner)
}

/// A closure, as far as it matters to find it again.
struct Described {
    number: u32,
    /// Types of captures, parameters and result.
    types: String,
    /// The words of its text, sorted.
    words: Vec<String>,
}

/// The closures in an expression, outer ones first, in source order.
fn described(value: &Expr) -> Vec<Described> {
    let mut found = Vec::new();
    each(&mut value.clone(), &mut |e| {
        if let ExprKind::Closure(body, _) = &*e.kind {
            found.push(describe(body));
            found.extend(described(&body.value));
        }
    });
    found
}

fn describe(body: &Body) -> Described {
    let text = dump_body(body);
    let (head, rest) = text.split_once(") -> ").unwrap_or(("", &text));
    let number = owner_and_number(body.instance).map_or(0, |(_, number)| number);
    let mut words: Vec<String> = words_of(rest).collect();
    words.sort_unstable();
    let types = head.split(',').map(|param| param.split_once(": ").map_or("", |(_, ty)| ty));
    Described { number, types: types.chain([body.result.to_string().as_str()]).collect::<Vec<_>>().join(","), words }
}

/// The words of a dump, without the numbers of locals.
fn words_of(text: &str) -> impl Iterator<Item = String> {
    let word = |c: char| !(c.is_alphanumeric() || "_.{}\"".contains(c));
    let plain = |word: &str| match word.rsplit_once('.') {
        Some((name, number))
            if number.bytes().all(|byte| byte.is_ascii_digit()) && !name.starts_with(|c: char| c.is_ascii_digit()) =>
        {
            name.to_owned()
        }
        _ => word.to_owned(),
    };
    text.split_inclusive(word).flat_map(move |piece| {
        let end = piece.trim_end_matches(word).len();
        [plain(&piece[..end]), piece[end..].trim().to_owned()].into_iter().filter(|word| !word.is_empty())
    })
}

/// How much two closures have in common, from 0 to 1.
fn likeness(a: &Described, b: &Described) -> f64 {
    let (mut left, mut right, mut common) = (a.words.iter().peekable(), b.words.iter().peekable(), 0);
    while let (Some(one), Some(other)) = (left.peek(), right.peek()) {
        match one.cmp(other) {
            std::cmp::Ordering::Equal => {
                common += 1;
                left.next();
                right.next();
            }
            std::cmp::Ordering::Less => _ = left.next(),
            std::cmp::Ordering::Greater => _ = right.next(),
        }
    }
    2.0 * f64::from(common) / (a.words.len() + b.words.len()).max(1) as f64
}

/// For each closure that there is now, which it was: the most alike first, then by their places between those.
fn matched(before: &[Described], now: &[Described]) -> Vec<Option<usize>> {
    let mut pairs: Vec<(f64, usize, usize)> = Vec::new();
    for (new, closure) in now.iter().enumerate() {
        for (old, known) in before.iter().enumerate() {
            let same_types = if known.types == closure.types { 1.0 } else { 0.0 };
            let score = likeness(known, closure);
            if score >= ALIKE {
                let apart = old.abs_diff(new) as f64;
                pairs.push((score + same_types - apart / 1_000_000.0, old, new));
            }
        }
    }
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut twins = vec![None; now.len()];
    for (_, old, new) in pairs {
        if twins[new].is_none() && !twins.contains(&Some(old)) {
            twins[new] = Some(old);
        }
    }
    by_place(before, now, &mut twins);
    twins
}

/// Those that are left, where as many are left of both versions between two that are known.
fn by_place(before: &[Described], now: &[Described], twins: &mut [Option<usize>]) {
    let taken: Vec<usize> = twins.iter().flatten().copied().collect();
    let mut new = 0;
    while new < now.len() {
        let end = (new..now.len()).find(|place| twins[*place].is_some()).unwrap_or(now.len());
        let from = if new == 0 { 0 } else { twins[new - 1].map_or(0, |old| old + 1) };
        let until = twins.get(end).copied().flatten().unwrap_or(before.len());
        let left: Vec<usize> = (from..until).filter(|old| !taken.contains(old)).collect();
        if left.len() == end - new {
            (new..end).zip(left).for_each(|(place, old)| twins[place] = Some(old));
        }
        new = end + 1;
    }
}

/// Renames the closures in an expression, and collects them, inner ones first.
fn rename(value: &mut Expr, numbers: &FxHashMap<u32, u32>, bodies: &mut Vec<Arc<Body>>) {
    each(value, &mut |e| {
        let ExprKind::Closure(body, _) = &mut *e.kind else { return };
        let mut renamed = Body::clone(body);
        rename(&mut renamed.value, numbers, bodies);
        if let Some((owner, number)) = owner_and_number(renamed.instance) {
            let number = numbers.get(&number).copied().unwrap_or(number);
            let name = Name::new(&format!("{}.{{{number}}}", owner.path.name));
            renamed.instance.path = ItemPath::new(owner.path.module, name.as_str());
        }
        *body = Arc::new(renamed);
        bodies.push(body.clone());
    });
}

#[cfg(test)]
mod tests {
    use super::{Described, matched};

    fn closures(texts: &[&str]) -> Vec<Described> {
        let words = |text: &str| {
            let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
            words.sort_unstable();
            words
        };
        let one = |(number, text): (usize, &&str)| Described {
            number: number as u32,
            types: String::new(),
            words: words(text),
        };
        texts.iter().enumerate().map(one).collect()
    }

    fn twins(before: &[&str], now: &[&str]) -> Vec<Option<usize>> {
        matched(&closures(before), &closures(now))
    }

    #[test]
    fn a_new_one_before_the_others() {
        assert_eq!(twins(&["x + a", "x * b"], &["x - c - 1000", "x + a", "x * b"]), [None, Some(0), Some(1)]);
    }

    #[test]
    fn swapped() {
        assert_eq!(twins(&["x + a", "y * b"], &["y * b", "x + a"]), [Some(1), Some(0)]);
    }

    #[test]
    fn rewritten_at_the_same_place() {
        assert_eq!(twins(&["x + a"], &["print hello world"]), [Some(0)]);
        assert_eq!(twins(&["x + a", "y * b"], &["print hello world", "y * b"]), [Some(0), Some(1)]);
    }

    #[test]
    fn one_goes() {
        assert_eq!(twins(&["x + a", "y * b", "z"], &["x + a", "z"]), [Some(0), Some(2)]);
    }

    #[test]
    fn equal_ones_stay_in_order() {
        assert_eq!(twins(&["x", "x", "x"], &["x", "x", "x"]), [Some(0), Some(1), Some(2)]);
    }
}
