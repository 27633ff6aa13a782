//! The formatter, for hosts: a source text in the house style, or why not.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use vaisjit_syntax::format::Unformatted;
use vaisjit_syntax::{FileId, Module, SourceFile, Sources};

use crate::events::Diagnostics;

/// Why a text was not formatted.
#[derive(Clone)]
pub enum FormatError {
    /// It has mistakes.
    Mistakes(Diagnostics),
    /// The formatter would have changed what the program means. A mistake of the formatter's own.
    Internal(String),
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FormatError::Mistakes(diagnostics) => write!(f, "{diagnostics:?}"),
            FormatError::Internal(why) => f.write_str(why),
        }
    }
}

impl fmt::Debug for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for FormatError {}

/// A source text in the house style; `path` is named in diagnostics. The result is the same program with the same
/// comments, which is checked.
///
/// ```
/// let formatted = vaisjit::format_source("game.vais", "F  twice(n:i64)->i64{n*2}")?;
/// assert_eq!(formatted, "F twice(n: i64) -> i64 { n * 2 }\n");
/// # Ok::<(), vaisjit::FormatError>(())
/// ```
pub fn format_source(path: impl AsRef<Path>, text: &str) -> Result<String, FormatError> {
    vaisjit_syntax::format(text).map_err(|why| match why {
        Unformatted::Mistakes(module) => FormatError::Mistakes(diagnostics(path.as_ref(), text, module)),
        Unformatted::Internal(why) => FormatError::Internal(why),
    })
}

fn diagnostics(path: &Path, text: &str, module: Module) -> Diagnostics {
    let list = module.items.iter().flat_map(|item| item.diagnostics.iter().cloned()).collect();
    let mut sources = Sources::default();
    let file = SourceFile { path: path.to_path_buf(), text: text.into(), module: Arc::new(module) };
    sources.insert(FileId(0), file);
    Diagnostics { list, sources: Arc::new(sources) }
}
