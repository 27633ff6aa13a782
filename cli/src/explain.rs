//! `vaisjit explain CODE`.

use std::process::ExitCode;

use crate::args::ExplainOptions;
use crate::status::say;
use crate::{FAILURE, USAGE};

/// Prints the explanation of a code, or the list of all.
pub fn explain(options: &ExplainOptions) -> ExitCode {
    let Some(asked) = &options.code else {
        let lines: String = vaisjit::codes().map(|info| format!("{}  {}\n", info.code, info.title)).collect();
        return print(&lines);
    };
    let digits = asked.trim_start_matches(['E', 'e']);
    let found = digits.parse().ok().and_then(|number: u16| vaisjit::codes().find(|info| info.code.0 == number));
    match found {
        Some(info) => print(&format!(
            "{}: {}\n\n{}\n\nWrong:\n{}\n\nRight:\n{}\n",
            info.code,
            info.title,
            info.explanation,
            indented(info.wrong),
            indented(info.right)
        )),
        None if digits.chars().all(|c| c.is_ascii_digit()) && !digits.is_empty() => {
            say(&format!("error: there is no diagnostic {asked}; `vaisjit explain` lists all"));
            ExitCode::from(FAILURE)
        }
        None => {
            say(&format!("error: `{asked}` is no diagnostic code; one looks like E0301"));
            ExitCode::from(USAGE)
        }
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect::<String>().trim_end().to_owned()
}

fn print(text: &str) -> ExitCode {
    // A closed pipe (`| head`) is nobody's mistake.
    let _ = vaisjit::write_to_stdout(text);
    ExitCode::SUCCESS
}
