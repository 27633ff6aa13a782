//! Diagnostics: messages to the author of a program.

use crate::Place;

/// A stable diagnostic code, shown as `E0201`. The registry of all codes, with their explanations, is in `codes`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(pub u16);

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "E{:04}", self.0)
    }
}
impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "E{:04}", self.0)
    }
}

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Severity {
    /// The program cannot be run.
    Error,
    /// It can, but this is probably a mistake; shown by default.
    Warning,
    /// Shown with `--warn all` only.
    Lint,
}

/// A marked range of source text and what to say about it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Label {
    /// What is marked.
    pub place: Place,
    /// What is said; may be empty.
    pub text: String,
}

/// An edit that would mend the mistake.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Suggestion {
    /// What to replace; an empty span inserts.
    pub place: Place,
    /// What to put there.
    pub replacement: String,
}

/// One message to the author.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Diagnostic {
    /// Which kind of message.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in the author's words; no final full stop.
    pub message: String,
    /// The exact tokens at fault.
    pub primary: Label,
    /// Other places that matter.
    pub labels: Vec<Label>,
    /// How to mend it, or what the reader should know.
    pub help: Vec<String>,
    /// Edits that would mend it.
    pub suggestions: Vec<Suggestion>,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(code: Code, place: Place, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            code,
            severity: Severity::Error,
            message: message.into(),
            primary: Label { place, text: String::new() },
            labels: Vec::new(),
            help: Vec::new(),
            suggestions: Vec::new(),
        }
    }

    /// A warning at a place.
    pub fn warning(code: Code, place: Place, message: impl Into<String>) -> Diagnostic {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(code, place, message) }
    }

    /// The text beside the primary label.
    pub fn with_text(mut self, text: impl Into<String>) -> Diagnostic {
        self.primary.text = text.into();
        self
    }

    /// Marks another place.
    pub fn with_label(mut self, place: Place, text: impl Into<String>) -> Diagnostic {
        self.labels.push(Label { place, text: text.into() });
        self
    }

    /// Adds a line of help.
    pub fn with_help(mut self, text: impl Into<String>) -> Diagnostic {
        self.help.push(text.into());
        self
    }

    /// Adds an edit that would mend the mistake.
    pub fn with_suggestion(mut self, place: Place, replacement: impl Into<String>) -> Diagnostic {
        self.suggestions.push(Suggestion { place, replacement: replacement.into() });
        self
    }

    /// Does it keep the program from running?
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}
