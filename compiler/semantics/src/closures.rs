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
    let gone = gone(&running.gone, owner, &before);
    let used = running.closures.get(&owner).copied().unwrap_or(0);
    let first_new = before.iter().chain(&gone).map(|known| known.number + 1).max().unwrap_or(0).max(used);
    let twins = matched(&before, &now);
    let back = returned(&gone, &now, &twins);
    let mut new = first_new..;
    let numbers: FxHashMap<u32, u32> = now
        .iter()
        .zip(twins.iter().zip(back))
        .filter_map(|(closure, (twin, back))| {
            let number = twin.map(|twin| before[twin].number).or(back).or_else(|| new.next())?;
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

/// The closures of a function that earlier versions had and the running one has not.
fn gone(gone: &[Arc<Body>], owner: Instance, before: &[Described]) -> Vec<Described> {
    let of_owner = |body: &&Arc<Body>| owner_and_number(body.instance).is_some_and(|(of, _)| of == owner);
    let all = gone.iter().filter(of_owner).map(|body| describe(body, 0));
    all.filter(|closure| before.iter().all(|known| known.number != closure.number)).collect()
}

/// For each closure that is new, the number of one that was gone and is back just as it was.
fn returned(gone: &[Described], now: &[Described], twins: &[Option<usize>]) -> Vec<Option<u32>> {
    let mut taken = Vec::new();
    let mut back = |closure: &Described| {
        let same = |known: &&Described| known.types == closure.types && known.words == closure.words;
        let found = gone.iter().filter(same).map(|known| known.number).find(|number| !taken.contains(number))?;
        taken.push(found);
        Some(found)
    };
    now.iter().zip(twins).map(|(closure, twin)| if twin.is_some() { None } else { back(closure) }).collect()
}

/// A closure, as far as it matters to find it again.
struct Described {
    number: u32,
    /// How many closures it stands in.
    level: u32,
    /// Types of captures, parameters and result.
    types: String,
    /// The words of its text, sorted.
    words: Vec<String>,
}

/// The closures in an expression, outer ones first, in source order.
fn described(value: &Expr) -> Vec<Described> {
    let mut found = Vec::new();
    describe_inside(value, 0, &mut found);
    found
}

fn describe_inside(value: &Expr, level: u32, found: &mut Vec<Described>) {
    each(&mut value.clone(), &mut |e| {
        if let ExprKind::Closure(body, _) = &*e.kind {
            found.push(describe(body, level));
            describe_inside(&body.value, level + 1, found);
        }
    });
}

fn describe(body: &Body, level: u32) -> Described {
    let text = dump_body(body);
    let (head, rest) = text.split_once(") -> ").unwrap_or(("", &text));
    let number = owner_and_number(body.instance).map_or(0, |(_, number)| number);
    let mut words: Vec<String> = words_of(rest).collect();
    words.sort_unstable();
    let types = head.split(',').map(|param| param.split_once(": ").map_or("", |(_, ty)| ty));
    let types = types.chain([body.result.to_string().as_str()]).collect::<Vec<_>>().join(",");
    Described { number, level, types, words }
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

/// For each closure that there is now, which it was: at first of those that stand in as many closures, then of the others.
fn matched(before: &[Described], now: &[Described]) -> Vec<Option<usize>> {
    let mut twins = vec![None; now.len()];
    let deepest = before.iter().chain(now).map(|closure| closure.level).max().unwrap_or(0);
    for level in 0..=deepest {
        let there = |list: &[Described]| -> Vec<usize> {
            (0..list.len()).filter(|place| list[*place].level == level).collect()
        };
        let (old, new) = (there(before), there(now));
        let mut found = vec![None; new.len()];
        by_likeness((before, &old), (now, &new), &mut found);
        by_place(old.len(), &mut found);
        for (place, twin) in found.iter().enumerate().filter_map(|(place, twin)| Some((new[place], old[(*twin)?]))) {
            if !is_within((before, twin), (now, place)) {
                twins[place] = Some(twin);
            }
        }
    }
    let all = |list: &[Described]| (0..list.len()).collect::<Vec<usize>>();
    by_likeness((before, &all(before)), (now, &all(now)), &mut twins);
    by_place(before.len(), &mut twins);
    twins
}

/// Is one of two closures with other types, which can inherit no value from the other, just put around that one?
fn is_within((before, old): (&[Described], usize), (now, new): (&[Described], usize)) -> bool {
    let inside = |list: &[Described], of: usize, wanted: &Described| {
        let level = list[of].level;
        let inner = list[of + 1..].iter().take_while(|closure| closure.level > level);
        inner.into_iter().any(|inner| inner.types == wanted.types && likeness(inner, wanted) >= ALIKE)
    };
    before[old].types != now[new].types && (inside(before, old, &now[new]) || inside(now, new, &before[old]))
}

/// Of some closures of both versions, those that have no twin yet: the most alike first.
fn by_likeness(
    (before, old): (&[Described], &[usize]),
    (now, new): (&[Described], &[usize]),
    twins: &mut [Option<usize>],
) {
    let mut pairs: Vec<(f64, usize, usize)> = Vec::new();
    for (new_place, closure) in new.iter().enumerate() {
        for (old_place, known) in old.iter().enumerate() {
            let (closure, known) = (&now[*closure], &before[*known]);
            let same_types = if known.types == closure.types { 1.0 } else { 0.0 };
            let score = likeness(known, closure);
            if score >= ALIKE {
                let apart = old_place.abs_diff(new_place) as f64;
                pairs.push((score + same_types - apart / 1_000_000.0, old_place, new_place));
            }
        }
    }
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
    for (_, old, new) in pairs {
        if twins[new].is_none() && !twins.contains(&Some(old)) {
            twins[new] = Some(old);
        }
    }
}

/// Those that are left, where as many are left of both versions between two that are known.
fn by_place(before: usize, twins: &mut [Option<usize>]) {
    let (taken, now): (Vec<usize>, usize) = (twins.iter().flatten().copied().collect(), twins.len());
    let mut new = 0;
    while new < now {
        let end = (new..now).find(|place| twins[*place].is_some()).unwrap_or(now);
        let from = if new == 0 { 0 } else { twins[new - 1].map_or(0, |old| old + 1) };
        let until = twins.get(end).copied().flatten().unwrap_or(before);
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
            level: 0,
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
