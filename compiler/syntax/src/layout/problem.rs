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
    pub suggestion: Option<(Span, String)>,
}

impl Problem {
    pub fn new(code: Code, span: Span, message: impl Into<String>) -> Problem {
        let message = message.into();
        Problem { code, span, message, text: String::new(), labels: Vec::new(), help: None, suggestion: None }
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
        self.suggestion = Some((span, replacement.into()));
        self
    }

    /// The diagnostic, anchored to an item.
    pub fn anchor(self, item: ItemId) -> Diagnostic {
        let mut diagnostic =
            Diagnostic::error(self.code, Place::item(item, self.span), self.message).with_text(self.text);
        for (span, text) in self.labels {
            diagnostic = diagnostic.with_label(Place::item(item, span), text);
        }
        diagnostic.help.extend(self.help);
        if let Some((span, replacement)) = self.suggestion {
            diagnostic = diagnostic.with_suggestion(Place::item(item, span), replacement);
        }
        diagnostic
    }
}
