//! The formatter: a text to the same program in the house style. Pure, and careful: what it returns parses to the same
//! tree, with the same comments, or it returns an error.
//!
//! It works on tokens. The author's line breaks stay, indentation follows the brackets, and what stands between two
//! tokens of a line follows from the two. Lines are never broken or joined, but for braces: a block with a line break
//! in it has its braces at the ends of lines of their own, and `{` and `E` are pulled up to what they belong to.

mod indent;
mod spacing;
mod units;

use crate::{Diagnostic, Module, parse};
use units::Unit;

/// Why a text was not formatted.
#[derive(Debug)]
pub enum Unformatted {
    /// It has mistakes; they stand in the items of its module.
    Mistakes(Module),
    /// The formatter would have changed the program, which is a mistake of its own.
    Internal(String),
}

/// The text in the house style.
pub fn format(text: &str) -> Result<String, Unformatted> {
    let module = parse(text);
    let mut diagnostics = module.items.iter().flat_map(|item| item.diagnostics.iter());
    if diagnostics.any(Diagnostic::is_error) {
        return Err(Unformatted::Mistakes(module));
    }
    let mut units = units::collect(text);
    units::arrange(&mut units);
    let gaps = spacing::gaps(&units);
    let formatted = indent::print(&units, &gaps, line_end(text));
    same_program(&module, &units, &formatted)?;
    Ok(formatted)
}

/// The line end of the first line.
fn line_end(text: &str) -> &'static str {
    let first = text.find('\n').unwrap_or(0);
    if text[..first].ends_with('\r') { "\r\n" } else { "\n" }
}

/// Is the formatted text the same program with the same comments?
fn same_program(before: &Module, units: &[Unit], formatted: &str) -> Result<(), Unformatted> {
    let after = parse(formatted);
    let differs = |what: String| Err(Unformatted::Internal(format!("formatting would change {what}")));
    if before.items.len() != after.items.len() {
        return differs(format!("the number of items, {} to {}", before.items.len(), after.items.len()));
    }
    for (number, (old, new)) in before.items.iter().zip(&after.items).enumerate() {
        let same_docs = old.item.docs.0 == new.item.docs.0;
        if old.item != new.item || !same_docs || new.diagnostics.iter().any(Diagnostic::is_error) {
            return differs(format!("item {}", number + 1));
        }
    }
    let comments = |units: &[Unit]| -> Vec<String> {
        units.iter().filter(|unit| unit.is_comment()).map(|unit| unit.text.to_owned()).collect()
    };
    if comments(units) != comments(&units::collect(formatted)) {
        return differs("a comment".to_owned());
    }
    Ok(())
}
