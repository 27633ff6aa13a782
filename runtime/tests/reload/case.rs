//! Cases as text.

/// What one case does.
pub struct Case {
    /// Its name; lines of comment before it are part of it.
    pub name: String,
    pub steps: Vec<Step>,
}

/// One line that begins with `===`, and the text below it.
pub enum Step {
    /// A file of a version; without text it is deleted.
    File { version: String, name: Option<String>, text: Option<String> },
    /// Reads the files and says what changed.
    Reload { expected: String },
    /// Calls a function.
    Call { function: String, arguments: Vec<String>, expected: String },
}

impl Step {
    /// What must be seen.
    pub fn expected(&self) -> &str {
        match self {
            Step::File { .. } => "",
            Step::Reload { expected } | Step::Call { expected, .. } => expected,
        }
    }

    /// Replaces what must be seen.
    pub fn expect(&mut self, what: &str) {
        match self {
            Step::File { .. } => {}
            Step::Reload { expected } | Step::Call { expected, .. } => what.clone_into(expected),
        }
    }

    /// The line without the expectation.
    pub fn head(&self) -> String {
        match self {
            Step::File { version, name, text } => {
                let name = name.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
                format!("=== {version}{name}{}", if text.is_none() { " delete" } else { "" })
            }
            Step::Reload { .. } => "=== reload:".to_owned(),
            Step::Call { function, arguments, .. } => format!("=== call {function}({}) =>", arguments.join(", ")),
        }
    }
}

/// All cases of a file.
pub fn parse(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("--- ") {
            cases.push(Case { name: name.to_owned(), steps: Vec::new() });
            continue;
        }
        let case = cases.last_mut().unwrap_or_else(|| panic!("`{line}` stands before the first case"));
        match line.strip_prefix("=== ") {
            Some(step) => case.steps.push(parse_step(step)),
            None => match case.steps.last_mut() {
                Some(Step::File { text: Some(text), .. }) => {
                    text.push_str(line);
                    text.push('\n');
                }
                _ => assert!(line.is_empty(), "`{line}` belongs to no file"),
            },
        }
    }
    cases
}

fn parse_step(line: &str) -> Step {
    if let Some(expected) = line.strip_prefix("reload:") {
        return Step::Reload { expected: expected.trim().to_owned() };
    }
    if let Some(call) = line.strip_prefix("call ") {
        let (call, expected) = call.split_once(" =>").unwrap_or_else(|| panic!("`{line}` expects nothing"));
        let (function, rest) = call.split_once('(').unwrap_or_else(|| panic!("`{line}` calls nothing"));
        let arguments = rest.trim_end_matches(')').split(',').map(|one| one.trim().to_owned());
        return Step::Call {
            function: function.to_owned(),
            arguments: arguments.filter(|one| !one.is_empty()).collect(),
            expected: expected.trim().to_owned(),
        };
    }
    let mut words = line.split(' ').map(str::to_owned);
    let version = words.next().unwrap_or_default();
    assert!(version.starts_with('v'), "`{line}` is no step");
    let name = words.next();
    let text = (words.next().as_deref() != Some("delete")).then(String::new);
    Step::File { version, name, text }
}

/// The text of a file of cases.
pub fn print(cases: &[Case]) -> String {
    let mut text = String::new();
    for case in cases {
        text += &format!("--- {}\n", case.name);
        for step in &case.steps {
            let line = format!("{} {}", step.head(), step.expected());
            text += line.trim_end();
            text.push('\n');
            if let Step::File { text: Some(content), .. } = step {
                text += content;
            }
        }
        // The blank line between two cases belongs to the last file, if one is last.
        if !matches!(case.steps.last(), Some(Step::File { .. })) {
            text.push('\n');
        }
    }
    format!("{}\n", text.trim_end())
}
