//! What reports say of values that keep the code of functions which are gone, or take something else now.

use std::collections::BTreeSet;

use vaisjit_semantics::{Instance, owner_and_number};

use super::Values;
use crate::code::Slot;
use crate::linkage::Answer;
use crate::reload::left::Left;
use crate::reload::migrate::Denied;
use crate::reload::prepare::Prepared;

/// What runs the old code of a function.
pub(super) enum By {
    /// So many function values.
    Functions(usize),
    /// The values of a type behind a `dyn`.
    Values(Answer),
    /// Perhaps a function that is running. What is only seen in a frame may be gone soon.
    Frame(String),
}

pub(super) fn found(left: &Left, values: &Values, holder: Option<String>) -> Option<By> {
    match (values.functions(&left.slot), values.answers(&left.slot).next()) {
        (1.., _) => Some(By::Functions(values.functions(&left.slot))),
        (_, Some(answer)) => Some(By::Values(answer.clone())),
        _ => holder.map(By::Frame),
    }
}

/// Code would run that is not right any more.
pub(super) fn denied(left: &Left, what: &str, by: By, prepared: &Prepared) -> Denied {
    let first = |kinds: &[&str]| prepared.report.edits.iter().find(|edit| kinds.contains(&edit.kind));
    let edit = first(&["struct", "enum"]).or_else(|| first(&["global"]));
    let of = name(left.instance);
    let held = match &by {
        By::Frame(holder) => format!("`{holder}` is running and may hold {of} with its old code"),
        By::Functions(1) => format!("1 function value of {of} keeps its old code"),
        By::Functions(count) => format!("{count} function values of {of} keep their old code"),
        By::Values(answer) => format!("{} the old code of {of}", behind(answer, "keeps", "keep")),
    };
    let leaves_now = prepared.left_functions.iter().any(|(_, slot)| slot.address() == left.slot.address());
    let way = match (leaves_now, &by, edit) {
        (true, ..) => format!("leave {of} as it is in this save"),
        (false, By::Values(_), _) => format!("bring {of} back"),
        (false, _, Some(edit)) => format!("leave `{}` as it is", edit.name),
        (false, _, None) => "leave its types as they are".to_owned(),
    };
    Denied {
        name: edit.map_or_else(String::new, |edit| edit.name.clone()),
        why: format!("{held}, which {what} as it was"),
        help: format!("{way}, or let the program give up these values first"),
        pinned_by: if let By::Frame(holder) = by { Some(holder) } else { None },
    }
}

/// How people call a function: of closures the function they are made in.
pub(super) fn name(instance: Instance) -> String {
    match owner_and_number(instance) {
        Some((owner, _)) => format!("a closure made in `{}`", owner.path.name.as_str().trim_start_matches("{init}")),
        None => format!("`{}`", instance.path.name),
    }
}

/// Values behind a `dyn`, and what they do.
fn behind(Answer { of_trait, of, values, .. }: &Answer, one: &str, more: &str) -> String {
    match values {
        1 => format!("1 value of `{of}` behind a `dyn {}` {one}", of_trait.name),
        _ => format!("{values} values of `{of}` behind a `dyn {}` {more}", of_trait.name),
    }
}

/// What a report says of the values whose code a version leaves.
pub(super) fn left(prepared: &Prepared, values: &Values, holders: impl Fn(&Slot) -> BTreeSet<String>) -> Vec<String> {
    let mut told = Vec::new();
    let mut methods: Vec<(&Answer, bool, Vec<String>)> = Vec::new();
    for (function, slot) in &prepared.left_functions {
        let is_there = prepared.snapshot.checked.functions.contains_key(function);
        let closure = owner_and_number(*function).is_some();
        let why = match (is_there, closure) {
            (false, _) => "it is gone from the text",
            (true, true) => "what it captures or takes changed",
            (true, false) => "its signature changed",
        };
        let of = name(*function);
        match (values.functions(slot), of.strip_prefix("a closure")) {
            (0, _) => {}
            (1, Some(made)) => told.push(format!("1 closure{made} keeps its old code: {why}")),
            (1, None) => told.push(format!("1 function value of {of} keeps its old code: {why}")),
            (count, Some(made)) => told.push(format!("{count} closures{made} keep their old code: {why}")),
            (count, None) => told.push(format!("{count} function values of {of} keep their old code: {why}")),
        }
        let running = |by: String| format!("`{by}` is running and may hold {of}, with its old code: {why}");
        told.extend(holders(slot).into_iter().map(running));
        for answer in values.answers(slot) {
            let same = |(known, there, _): &&mut (&Answer, bool, Vec<String>)| {
                (known.of_trait, known.of, *there) == (answer.of_trait, answer.of, is_there)
            };
            match methods.iter_mut().find(same) {
                Some((.., names)) => names.push(of.clone()),
                None => methods.push((answer, is_there, vec![of.clone()])),
            }
        }
    }
    told.extend(methods.iter().map(|(answer, is_there, names)| {
        let why = match (is_there, names.len()) {
            (true, 1) => "now takes something else",
            (true, _) => "now take something else",
            (false, 1) => "is gone from the text",
            (false, _) => "are gone from the text",
        };
        let why = format!("{} {why}", names.join(" and "));
        format!("{}: {why}", behind(answer, "keeps its old code", "keep their old code"))
    }));
    told
}
