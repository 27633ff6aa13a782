//! What the lexer and `layout` find wrong, before it is tied to an item.

use crate::{Code, Diagnostic, ItemId, Place, Span};

/// A diagnostic in the making; spans are relative to the item.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub code: Code,
    pub span: Span,
    pub message: String,
    pub text: String,
    pub labels: Vec<(Span, String)>,
    pub help: Option<String>,
    pub suggestions: Vec<(Span, String)>,
    /// Problems of one family in one item are one mistake: `if` and `else`, every `//`.
    pub family: &'static str,
}

impl Problem {
    pub fn new(code: Code, span: Span, message: impl Into<String>) -> Problem {
        let message = message.into();
        Problem {
            code,
            span,
            message,
            text: String::new(),
            labels: Vec::new(),
            help: None,
            suggestions: Vec::new(),
            family: "",
        }
    }

    pub fn text(mut self, text: impl Into<String>) -> Problem {
        self.text = text.into();
        self
    }

    pub fn label(mut self, span: Span, text: impl Into<String>) -> Problem {
        self.labels.push((span, text.into()));
        self
    }

    pub fn help(mut self, help: impl Into<String>) -> Problem {
        self.help = Some(help.into());
        self
    }

    pub fn suggest(mut self, span: Span, replacement: impl Into<String>) -> Problem {
        self.suggestions.push((span, replacement.into()));
        self
    }

    /// Part of the first problem of this family.
    pub fn family(mut self, family: &'static str) -> Problem {
        self.family = family;
        self
    }

    /// Joins the problems of a family to its first; one that no edit mends leaves the others without edits, too.
    pub fn join_families(problems: &mut Vec<Problem>) {
        let mut joined: Vec<Problem> = Vec::with_capacity(problems.len());
        for problem in problems.drain(..) {
            let first = joined.iter_mut().find(|first| !problem.family.is_empty() && first.family == problem.family);
            let Some(first) = first else {
                joined.push(problem);
                continue;
            };
            if problem.suggestions.is_empty() || first.suggestions.is_empty() {
                first.suggestions.clear();
                first.help = first.help.take().or(problem.help);
            } else {
                first.suggestions.extend(problem.suggestions);
            }
        }
        *problems = joined;
    }

    /// The diagnostic, anchored to an item.
    pub fn anchor(self, item: ItemId) -> Diagnostic {
        let mut diagnostic =
            Diagnostic::error(self.code, Place::item(item, self.span), self.message).with_text(self.text);
        for (span, text) in self.labels {
            diagnostic = diagnostic.with_label(Place::item(item, span), text);
        }
        diagnostic.help.extend(self.help);
        for (span, replacement) in self.suggestions {
            diagnostic = diagnostic.with_suggestion(Place::item(item, span), replacement);
        }
        diagnostic
    }
}
