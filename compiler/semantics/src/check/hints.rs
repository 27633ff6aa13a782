//! What would mend a mistake: names near a misspelt one, and edits of the program's text.

use vaisjit_syntax::{Diagnostic, Name, Place, Span};

use super::{Checker, Want};
use crate::codes;
use crate::hir::{Expr, ExprKind};
use crate::interface::FnSig;
use crate::suggest::nearest;
use crate::types::{FloatKind, Ty, TyKind};

/// Names of other languages for values: what they are here.
const FOREIGN_VALUES: &[(&str, &str)] = &[
    ("null", "0"),
    ("nullptr", "0"),
    ("NULL", "0"),
    ("nil", "0"),
    ("True", "true"),
    ("TRUE", "true"),
    ("False", "false"),
    ("FALSE", "false"),
    ("this", "self"),
];

/// Names of other languages that print.
const FOREIGN_OUTPUT: &[&str] =
    &["console", "fmt", "cout", "cerr", "System", "Console", "stdout", "echo", "eprintln", "fprint", "sys"];

/// The methods of the types the language brings along.
const METHODS: &[&str] = &[
    "len",
    "is_empty",
    "contains",
    "starts_with",
    "ends_with",
    "index_of",
    "substring",
    "trim",
    "split",
    "replace",
    "to_upper",
    "to_lower",
    "char_at",
    "byte_at",
    "repeat",
    "parse_i64",
    "parse_f64",
    "clone",
];

impl Checker<'_, '_> {
    /// Adds the nearest of some names.
    pub fn with_nearest(
        &self,
        diagnostic: Diagnostic,
        name: Name,
        span: Span,
        names: impl IntoIterator<Item = Name>,
    ) -> Diagnostic {
        did_you_mean(diagnostic, name, self.place(span), names)
    }

    /// The methods that a value of this type could be asked for, for suggestions.
    pub fn method_names(&mut self, ty: Ty, head: Name) -> Vec<Name> {
        let mut names = Vec::new();
        for table in &self.world.tables {
            names.extend(table.methods.keys().filter(|(owner, _)| *owner == head).map(|(_, name)| *name));
        }
        for of_trait in super::method::traits_of(self.world, ty) {
            if let Some(crate::interface::Interface::Trait(sig)) =
                self.world.find(of_trait).and_then(|id| self.world.interface(id))
            {
                names.extend(sig.methods.iter().map(|(name, _)| *name));
            }
        }
        if matches!(ty.kind(), TyKind::Str | TyKind::Array(..) | TyKind::Slice(_)) {
            let count = if matches!(ty.kind(), TyKind::Str) { METHODS.len() } else { 2 };
            names.extend(METHODS[..count].iter().map(|name| Name::new(name)));
        }
        names
    }

    /// Adds an edit that inserts a text.
    pub fn inserting(&self, diagnostic: Diagnostic, at: u32, text: &str) -> Diagnostic {
        let place = self.place(Span { start: at, end: at });
        diagnostic.with_suggestion(place, text)
    }

    /// Adds an edit that puts a text before and another behind an expression, with parentheses if it needs them.
    fn around(&self, diagnostic: Diagnostic, e: &Expr, before: &str, behind: &str) -> Diagnostic {
        let operator = matches!(
            &*e.kind,
            ExprKind::Binary(..) | ExprKind::And(..) | ExprKind::Or(..) | ExprKind::If(..) | ExprKind::Match(..)
        ) || !before.is_empty() && !before.ends_with('(') && matches!(&*e.kind, ExprKind::Cast(..));
        let (open, close) = if operator && !before.ends_with('(') { ("(", ")") } else { ("", "") };
        let mut diagnostic = diagnostic;
        let (before, behind) = (format!("{before}{open}"), format!("{close}{behind}"));
        if !before.is_empty() {
            diagnostic = self.inserting(diagnostic, e.span.start, &before);
        }
        if behind.is_empty() { diagnostic } else { self.inserting(diagnostic, e.span.end, &behind) }
    }

    /// Is something checked in place of what stands there, so that no edit of the text can mend it?
    fn is_elsewhere(&self) -> bool {
        self.at.is_some()
    }

    /// Adds `&` before a value.
    pub fn with_address(&self, diagnostic: Diagnostic, e: &Expr) -> Diagnostic {
        let diagnostic = diagnostic.with_help("take its address with `&`");
        let place = super::coerce::is_place(e);
        if place && !self.is_elsewhere() { self.around(diagnostic, e, "&", "") } else { diagnostic }
    }

    /// Adds `*` before a pointer.
    pub fn with_load(&self, diagnostic: Diagnostic, e: &Expr) -> Diagnostic {
        let diagnostic = diagnostic.with_help("read what it points at with `*`");
        if self.is_elsewhere() { diagnostic } else { self.around(diagnostic, e, "*", "") }
    }

    /// Adds a conversion of a value.
    pub fn with_cast(&mut self, diagnostic: Diagnostic, e: &Expr, to: Ty) -> Diagnostic {
        let shown = self.show(to);
        let float = matches!(to.kind(), TyKind::Float(FloatKind::F64 | FloatKind::F32));
        let literal = matches!(&*e.kind, ExprKind::Int(_)) && matches!(self.shallow(e.ty).kind(), TyKind::Infer(_));
        let (help, behind) = match float && literal {
            true => ("a number of this type has a point".to_string(), ".0".to_string()),
            false => (format!("convert it with `as {shown}`"), format!(" as {shown}")),
        };
        let diagnostic = diagnostic.with_help(help);
        if self.is_elsewhere() { diagnostic } else { self.around(diagnostic, e, "", &behind) }
    }

    /// Adds a text behind a value: `!`, ` != ""`.
    pub fn with_behind(&self, diagnostic: Diagnostic, e: &Expr, text: &str) -> Diagnostic {
        if self.is_elsewhere() { diagnostic } else { self.around(diagnostic, e, "", text) }
    }

    /// Adds a call of a variant around a value: `Some(x)`.
    pub fn with_variant(&self, diagnostic: Diagnostic, e: &Expr, name: &str) -> Diagnostic {
        let diagnostic = diagnostic.with_help(format!("wrap it: `{name}(...)`"));
        if self.is_elsewhere() { diagnostic } else { self.around(diagnostic, e, &format!("{name}("), ")") }
    }

    /// Removes all arguments from the `kept`th on.
    pub fn without_arguments(&self, diagnostic: Diagnostic, spans: &[Span], kept: usize) -> Diagnostic {
        let (Some(extra), Some(last)) = (spans.get(kept), spans.last()) else { return diagnostic };
        let start = if kept == 0 { extra.start } else { spans[kept - 1].end };
        if self.is_elsewhere() || last.end < start {
            return diagnostic;
        }
        diagnostic.with_suggestion(self.place(Span { start, end: last.end }), "")
    }

    /// A name of another language as a value, if the unknown name is one.
    pub fn foreign_name(&mut self, name: Name, span: Span, want: Want) -> Option<Expr> {
        if self.recovering {
            return None;
        }
        let (_, here) = FOREIGN_VALUES.iter().find(|(foreign, _)| *foreign == name.as_str())?;
        if *here == "self" && self.receiver.is_none() {
            return None;
        }
        let mut here = here.to_string();
        let wanted = want.hint().map(|ty| self.shallow(ty));
        if here == "0"
            && let Some(ty) = wanted
            && ty.pointee().is_some()
        {
            let shown = self.show(ty);
            here = format!("0 as {}", shown.replacen('&', "*", 1));
        }
        let diagnostic = self
            .error(codes::UNKNOWN_NAME, span, format!("`{name}` is written `{here}` here"))
            .with_suggestion(self.place(span), here);
        Some(self.fail(diagnostic, span))
    }

    /// Adds what an unknown name of another language is called here: the functions that print.
    pub fn with_output(&mut self, diagnostic: Diagnostic, name: Name) -> Option<Diagnostic> {
        if !FOREIGN_OUTPUT.contains(&name.as_str()) {
            return None;
        }
        self.reported.extend(["endl", "std"].map(Name::new));
        Some(diagnostic.with_help("to print, write `println(\"x is {x}\")`"))
    }

    /// The same unknown name once more: what mends the first mends this one, too.
    pub fn unknown_again(&mut self, name: Name, span: Span) {
        let place = self.place(span);
        let message = format!("there is no `{name}` here");
        let first = self.diagnostics.iter_mut().find(|known| known.message == message);
        if let Some(first) = first
            && let Some(suggestion) = first.suggestions.first().cloned()
            && suggestion.place.span.start != span.start
        {
            first.suggestions.push(vaisjit_syntax::Suggestion { place, ..suggestion });
        }
    }

    /// Where surplus arguments stand, else the whole call.
    pub fn surplus(&self, arguments: &[vaisjit_syntax::ast::Expr], wanted: usize, span: Span) -> (Span, Vec<Span>) {
        let spans: Vec<Span> = arguments.iter().map(|argument| argument.span).collect();
        match (spans.get(wanted), spans.last()) {
            (Some(first), Some(last)) => (first.to(*last), spans),
            _ => (span, spans),
        }
    }

    /// `P(1, 2)` for `P { x: 1, y: 2 }`: adds the edits, if the number of values is right.
    pub fn with_literal(
        &mut self,
        diagnostic: Diagnostic,
        id: crate::index::DefId,
        at: Span,
        arguments: &[vaisjit_syntax::ast::Expr],
        span: Span,
    ) -> Diagnostic {
        let Some(crate::interface::Interface::Struct(sig)) = self.world.interface(id) else { return diagnostic };
        let mut diagnostic = diagnostic.with_help("a struct is made with its fields: `P { x: 1 }`");
        if sig.fields.len() != arguments.len() || arguments.is_empty() || self.is_elsewhere() {
            return diagnostic;
        }
        let mut end = at.end;
        for (index, (field, argument)) in sig.fields.iter().zip(arguments).enumerate() {
            let before = if index == 0 { " { " } else { ", " };
            let gap = self.place(Span { start: end, end: argument.span.start });
            diagnostic = diagnostic.with_suggestion(gap, format!("{before}{}: ", field.name));
            end = argument.span.end;
        }
        diagnostic.with_suggestion(self.place(Span { start: end, end: span.end }), " }")
    }

    /// `f(a: i64, b: i64) -> i64`, as a help.
    pub fn declaration_of(&mut self, name: Name, sig: &FnSig) -> String {
        let mut params: Vec<String> =
            sig.params.iter().map(|param| format!("{}: {}", param.name, self.show(param.ty))).collect();
        if sig.variadic {
            params.push("...".to_string());
        }
        let result = match sig.result {
            ty if ty == Ty::unit() => String::new(),
            ty => format!(" -> {}", self.show(ty)),
        };
        format!("it is declared as `{name}({}){result}`", params.join(", "))
    }
}

/// Adds the nearest of some names to a message about the name at a place.
pub(crate) fn did_you_mean(
    diagnostic: Diagnostic,
    name: Name,
    place: Place,
    names: impl IntoIterator<Item = Name>,
) -> Diagnostic {
    match nearest(name, names) {
        Some(known) => diagnostic.with_help(format!("did you mean `{known}`?")).with_suggestion(place, known.as_str()),
        None => diagnostic,
    }
}
