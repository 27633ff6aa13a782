//! "Did you mean": the known name nearest to a misspelt one.

use vaisjit_syntax::Name;

/// The candidate nearest to `wanted`, if one is near enough; the first in text order among equals.
pub(crate) fn nearest(wanted: Name, candidates: impl IntoIterator<Item = Name>) -> Option<Name> {
    let limit = match wanted.chars().count() {
        0..=1 => return None,
        2..=4 => 1,
        5..=8 => 2,
        _ => 3,
    };
    candidates
        .into_iter()
        .filter(|candidate| *candidate != wanted)
        .filter_map(|candidate| Some((distance(wanted.as_str(), candidate.as_str(), limit)?, candidate)))
        .min()
        .map(|(_, candidate)| candidate)
}

/// The number of characters to insert, remove, replace or swap, if it is at most `limit`.
fn distance(a: &str, b: &str, limit: usize) -> Option<usize> {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > limit {
        return None;
    }
    if a.iter().flat_map(|c| c.to_lowercase()).eq(b.iter().flat_map(|c| c.to_lowercase())) {
        return Some(1);
    }
    let mut rows = [vec![0; b.len() + 1], (0..=b.len()).collect::<Vec<_>>(), vec![0; b.len() + 1]];
    for i in 1..=a.len() {
        rows[2][0] = i;
        for j in 1..=b.len() {
            let replaced = rows[1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[1][j] + 1).min(rows[2][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[0][j - 2] + 1);
            }
            rows[2][j] = best;
        }
        rows.rotate_left(1);
    }
    Some(rows[1][b.len()]).filter(|found| *found <= limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let names = ["counter", "count", "position"].map(Name::new);
        assert_eq!(nearest("conuter".into(), names), Some("counter".into()));
        assert_eq!(nearest("coutn".into(), names), Some("count".into()));
        assert_eq!(nearest("Position".into(), names), Some("position".into()));
        assert_eq!(nearest("zebra".into(), names), None);
    }
}
