//! Diagnostics to text, for people, for scripts and for programs; the only user of `ariadne`.

use std::ops::Range;

use ariadne::{Config, IndexType, Label, Report, ReportKind, Source};
use rustc_hash::FxHashMap;
use serde::Serialize;

use crate::source::position_in;
use crate::{Diagnostic, FileId, Place, Severity, Sources};

/// The forms of a rendered diagnostic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// With the marked source text, for people.
    Human,
    /// `file:line:column: error[E0123]: text`, one a line.
    Short,
    /// One JSON object a line.
    Json,
}

/// Renders diagnostics, in the order given. Places whose item or file is gone are left out.
pub fn render(diagnostics: &[Diagnostic], sources: &Sources, format: Format, color: bool) -> String {
    let mut out = String::new();
    let mut cache = Cache { sources, parsed: FxHashMap::default() };
    for diagnostic in diagnostics {
        match format {
            Format::Human => out.push_str(&human(diagnostic, sources, &mut cache, color)),
            Format::Short => out.push_str(&short(diagnostic, sources)),
            Format::Json => {
                let line = serde_json::to_string(&json(diagnostic, sources));
                out.push_str(&line.expect("strings and numbers can always be written"));
                out.push('\n');
            }
        }
    }
    out
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Lint => "lint",
    }
}

/// The file and range of a place; within the text and between characters.
fn resolve(place: Place, sources: &Sources) -> Option<(FileId, Range<usize>)> {
    let (file, range) = sources.resolve(place)?;
    let text = &sources.get(file)?.text;
    let start = text.floor_char_boundary(range.start.min(text.len()));
    let end = text.ceil_char_boundary(range.end.min(text.len()));
    Some((file, start..end.max(start)))
}

fn path(file: FileId, sources: &Sources) -> String {
    sources.get(file).map_or_else(|| "<unknown>".to_string(), |file| file.path.display().to_string())
}

/// `ariadne`'s view of our files: parsed once a call, whatever the number of diagnostics.
struct Cache<'s> {
    sources: &'s Sources,
    parsed: FxHashMap<FileId, Source<String>>,
}

impl ariadne::Cache<FileId> for &mut Cache<'_> {
    type Storage = String;

    fn fetch(&mut self, id: &FileId) -> Result<&Source<String>, impl std::fmt::Debug> {
        let text = || self.sources.get(*id).map_or_else(String::new, |file| file.text.to_string());
        Ok::<_, String>(self.parsed.entry(*id).or_insert_with(|| Source::from(text())))
    }

    fn display<'a>(&self, id: &'a FileId) -> Option<impl std::fmt::Display + 'a> {
        Some(path(*id, self.sources))
    }
}

fn human(diagnostic: &Diagnostic, sources: &Sources, cache: &mut Cache, color: bool) -> String {
    let Some((file, range)) = resolve(diagnostic.primary.place, sources) else {
        return format!("{}[{}]: {}\n", severity(diagnostic.severity), diagnostic.code, diagnostic.message);
    };
    let kind = match diagnostic.severity {
        Severity::Error => ReportKind::Error,
        Severity::Warning => ReportKind::Warning,
        Severity::Lint => ReportKind::Advice,
    };
    let config = Config::default().with_index_type(IndexType::Byte).with_color(color);
    let mut report = Report::build(kind, (file, range.clone()))
        .with_config(config)
        .with_code(diagnostic.code)
        .with_message(&diagnostic.message);
    for (index, (place, text)) in marks(diagnostic, sources).into_iter().enumerate() {
        let primary = place == (file, range.clone());
        let color = if primary { ariadne::Color::Red } else { ariadne::Color::Blue };
        let label = Label::new(place).with_color(color).with_order(index as i32);
        // A label without a message is not drawn at all.
        report = report.with_label(label.with_message(if text.is_empty() { "here" } else { &text }));
    }
    report.with_helps(diagnostic.help.iter().chain(&suggested(diagnostic, sources)));
    let mut bytes = Vec::new();
    let written = report.finish().write(cache, &mut bytes);
    debug_assert!(written.is_ok());
    String::from_utf8_lossy(&bytes).into_owned()
}

/// All labels, sorted by where they stand; those of the primary label's file first.
fn marks(diagnostic: &Diagnostic, sources: &Sources) -> Vec<((FileId, Range<usize>), String)> {
    let primary = diagnostic.primary.place;
    let home = resolve(primary, sources).map(|(file, _)| file);
    let labels = std::iter::once(&diagnostic.primary).chain(&diagnostic.labels);
    let mut marks: Vec<_> =
        labels.filter_map(|label| Some((resolve(label.place, sources)?, label.text.clone()))).collect();
    marks.sort_by_key(|((file, range), _)| (Some(*file) != home, *file, range.start, range.end));
    marks
}

/// Suggestions in words: what to replace, or how the first line they touch reads afterwards.
fn suggested(diagnostic: &Diagnostic, sources: &Sources) -> Option<String> {
    let resolved = |suggestion: &crate::Suggestion| {
        let (file, range) = resolve(suggestion.place, sources)?;
        Some((file, range, suggestion.replacement.clone()))
    };
    let mut edits: Vec<_> = diagnostic.suggestions.iter().filter_map(resolved).collect();
    edits.sort_by_key(|(file, range, _)| (*file, range.start, range.end));
    let (file, first, replacement) = edits.first()?.clone();
    let text = &sources.get(file)?.text;
    if edits.len() == 1 {
        match (&text[first.clone()], replacement.trim()) {
            ("", _) => {}
            (old, "") if !old.contains('\n') => return Some(format!("remove `{}`", old.trim())),
            (old, new) if !old.contains('\n') => return Some(format!("replace `{}` by `{new}`", old.trim())),
            _ => return None,
        }
    }
    let start = text[..first.start].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[first.start..].find('\n').map_or(text.len(), |newline| first.start + newline);
    let mut line = text[start..end].to_string();
    for (_, range, replacement) in edits.iter().rev().filter(|edit| edit.0 == file && edit.1.start <= end) {
        if range.end > end || replacement.contains('\n') {
            return None;
        }
        line.replace_range(range.start - start..range.end - start, replacement);
    }
    Some(format!("write `{}`", line.trim()))
}

fn short(diagnostic: &Diagnostic, sources: &Sources) -> String {
    let (severity, code) = (severity(diagnostic.severity), diagnostic.code);
    let message = diagnostic.message.replace('\n', " ");
    match resolve(diagnostic.primary.place, sources) {
        Some((file, range)) => {
            let text = sources.get(file).map_or("", |file| &file.text);
            let at = position_in(text, range.start);
            format!("{}:{}:{}: {severity}[{code}]: {message}\n", path(file, sources), at.line, at.column)
        }
        None => format!("{severity}[{code}]: {message}\n"),
    }
}

/// Where something stands, as in the top level of a diagnostic.
#[derive(Serialize, Default)]
struct JsonPlace {
    file: String,
    line: u32,
    column: u32,
    end_line: u32,
    end_column: u32,
}

#[derive(Serialize)]
struct JsonLabel {
    #[serde(flatten)]
    place: JsonPlace,
    text: String,
}

#[derive(Serialize)]
struct JsonSuggestion {
    #[serde(flatten)]
    place: JsonPlace,
    replacement: String,
}

#[derive(Serialize)]
struct JsonDiagnostic<'d> {
    #[serde(flatten)]
    place: JsonPlace,
    code: String,
    severity: &'static str,
    message: &'d str,
    labels: Vec<JsonLabel>,
    help: &'d [String],
    suggestions: Vec<JsonSuggestion>,
}

fn json<'d>(diagnostic: &'d Diagnostic, sources: &Sources) -> JsonDiagnostic<'d> {
    let label = |label: &crate::Label| JsonLabel { place: json_place(label.place, sources), text: label.text.clone() };
    let labels = std::iter::once(&diagnostic.primary).chain(&diagnostic.labels).map(label).collect();
    let suggestion = |suggestion: &crate::Suggestion| JsonSuggestion {
        place: json_place(suggestion.place, sources),
        replacement: suggestion.replacement.clone(),
    };
    JsonDiagnostic {
        place: json_place(diagnostic.primary.place, sources),
        code: diagnostic.code.to_string(),
        severity: severity(diagnostic.severity),
        message: &diagnostic.message,
        labels,
        help: &diagnostic.help,
        suggestions: diagnostic.suggestions.iter().map(suggestion).collect(),
    }
}

fn json_place(place: Place, sources: &Sources) -> JsonPlace {
    let Some((file, range)) = resolve(place, sources) else { return JsonPlace::default() };
    let text = sources.get(file).map_or("", |file| &file.text);
    let (start, end) = (position_in(text, range.start), position_in(text, range.end));
    JsonPlace {
        file: path(file, sources),
        line: start.line,
        column: start.column,
        end_line: end.line,
        end_column: end.column,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Anchor, Code, SourceFile, Span};
    use std::sync::Arc;

    fn sources(texts: &[&str]) -> Sources {
        let mut sources = Sources::default();
        for (index, text) in texts.iter().enumerate() {
            let path = format!("{index}.vais").into();
            sources.insert(FileId(index as u32), SourceFile { path, text: (*text).into(), module: Arc::default() });
        }
        sources
    }

    fn place(file: u32, start: usize, end: usize) -> Place {
        Place { anchor: Anchor::File(FileId(file)), span: Span::new(start, end) }
    }

    #[test]
    fn short_and_json() {
        let sources = sources(&["F main() {\n  é + x\n}\n"]);
        let diagnostic = Diagnostic::error(Code(201), place(0, 18, 19), "unknown name `x`")
            .with_help("declare it")
            .with_suggestion(place(0, 18, 19), "y");
        let all = [diagnostic];
        assert_eq!(render(&all, &sources, Format::Short, false), "0.vais:2:7: error[E0201]: unknown name `x`\n");
        let json = render(&all, &sources, Format::Json, false);
        let value: serde_json::Value = serde_json::from_str(&json).expect("valid JSON");
        assert_eq!(value["line"], 2);
        assert_eq!(value["end_column"], 8);
        assert_eq!(value["code"], "E0201");
        assert_eq!(value["suggestions"][0]["replacement"], "y");
        let human = render(&all, &sources, Format::Human, false);
        for part in ["E0201", "unknown name `x`", "0.vais:2:7", "declare it", "replace `x` by `y`"] {
            assert!(human.contains(part), "{part} is missing in\n{human}");
        }
    }

    #[test]
    fn odd_places() {
        let sources = sources(&["", "aé", "x := 1\ny := 2\n"]);
        let diagnostic = Diagnostic::error(Code(1), place(1, 2, 2), "inside a character")
            .with_label(place(0, 0, 0), "an empty file")
            .with_label(place(1, 3, 99), "past the end")
            .with_label(place(2, 14, 14), "at the end")
            .with_label(place(2, 0, 1), "in another file")
            .with_label(place(9, 0, 1), "gone");
        let human = render(std::slice::from_ref(&diagnostic), &sources, Format::Human, true);
        assert!(human.contains("in another file"), "{human}");
        let gone = Diagnostic::error(Code(1), place(9, 0, 1), "in a file that is gone");
        for format in [Format::Human, Format::Short, Format::Json] {
            assert!(render(std::slice::from_ref(&gone), &sources, format, false).contains("gone"));
        }
    }
}
