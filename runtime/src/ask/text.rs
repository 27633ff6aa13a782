//! An answer in words.

use vaisjit_syntax::render::Format;

use super::wire::AskFormat;
use crate::events::Event;
use crate::report::{Location, Outcome, Report};

/// The lines that say what a save would do, each with its end.
pub(super) fn text(event: &Event, format: AskFormat, color: bool) -> String {
    let mut text = String::new();
    match event {
        Event::Rejected { diagnostics, .. } => {
            let (format, color) =
                if format == AskFormat::Short { (Format::Short, false) } else { (Format::Human, color) };
            text += &diagnostics.render(format, color);
            if !text.ends_with('\n') {
                text.push('\n');
            }
        }
        Event::Reloaded { report, .. }
        | Event::Unchanged { report, .. }
        | Event::Refused { report, .. }
        | Event::Pending { report, .. } => edits(report, format, &mut text),
        _ => {}
    }
    if let (Event::Pending { help, .. }, AskFormat::Human) = (event, format) {
        text += &format!("  help: {help}\n");
    }
    if format == AskFormat::Human {
        text += &verdict(event);
        text.push('\n');
    }
    text
}

fn edits(report: &Report, format: AskFormat, text: &mut String) {
    for edit in report.all_edits() {
        if let Some(at) = &edit.at {
            *text += &place(at, format);
        }
        *text += &format!("{edit}\n");
        if let Outcome::Refused { help, .. } = &edit.outcome
            && format == AskFormat::Human
        {
            *text += &format!("  help: {help}\n");
        }
    }
    let notices = report.notices.iter().filter(|_| format == AskFormat::Human);
    notices.for_each(|notice| *text += &format!("{notice}\n"));
}

fn place(at: &Location, format: AskFormat) -> String {
    match format {
        AskFormat::Short => format!("{at}:{}: ", at.column),
        _ => format!("{at}: "),
    }
}

fn verdict(event: &Event) -> String {
    match event {
        Event::Reloaded { version, .. } => format!("would be reloaded as v{version}"),
        Event::Unchanged { version, .. } => format!("unchanged: nothing that runs in v{version} would change"),
        Event::Pending { waits_for, .. } => format!("would be pending: compiled, and waits for {waits_for}"),
        Event::Rejected { version, .. } => format!("would be rejected; v{version} would run on"),
        Event::Refused { version, .. } => format!("would be refused; v{version} would run on"),
        other => other.name().to_owned(),
    }
}
