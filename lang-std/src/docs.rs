//! The library's documentation: what its modules declare, with the text and the examples above each declaration.

/// A documented declaration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The type whose method it is, as written: `Vec<T>`.
    pub owner: Option<String>,
    /// The declaration without its body: `F push(self, value: T)`.
    pub declaration: String,
    /// What it says, examples apart.
    pub text: String,
    /// The fenced blocks: bodies of functions in which every `assert` holds.
    pub examples: Vec<String>,
}

impl Entry {
    /// The declared name.
    pub fn name(&self) -> &str {
        let rest = self.declaration.split_once(' ').map_or("", |(_, rest)| rest);
        rest.split(|character: char| !character.is_alphanumeric() && character != '_').next().unwrap_or("")
    }
}

/// What stands above the declarations: the comment at the top of a module.
pub fn introduction(source: &str) -> String {
    let lines = source.lines().take_while(|line| line.starts_with('#') && !line.starts_with("#["));
    let lines: Vec<&str> = lines.map(|line| line.trim_start_matches('#').trim()).collect();
    let text = lines.join(" ");
    text.split_once(": ").filter(|(name, _)| name.starts_with("std/")).map_or(text.clone(), |(_, rest)| rest.to_owned())
}

/// The documented declarations of a module, in order.
pub fn entries(source: &str) -> Vec<Entry> {
    let mut found = Vec::new();
    let mut owner = None;
    let mut docs: Vec<&str> = Vec::new();
    for line in source.lines() {
        let trimmed = line.trim();
        if let Some(text) = trimmed.strip_prefix("///") {
            docs.push(text.strip_prefix(' ').unwrap_or(text));
            continue;
        }
        if !line.starts_with(' ') {
            if line.starts_with('}') {
                owner = None;
            } else if line.starts_with("X ") || line.starts_with("X<") {
                owner = Some(target(line));
            }
        }
        if trimmed.starts_with("#[") || docs.is_empty() {
            continue;
        }
        let (text, examples) = split(&std::mem::take(&mut docs));
        found.push(Entry { owner: owner.clone(), declaration: declaration(trimmed), text, examples });
    }
    found
}

/// `Vec<T>` of `X<T> Vec<T> {`.
fn target(line: &str) -> String {
    let head = line.trim_end_matches([' ', '{']);
    let after = match head.strip_prefix("X<") {
        Some(rest) => rest.split_once("> ").map_or(rest, |(_, target)| target),
        None => head.trim_start_matches("X "),
    };
    after.trim().to_owned()
}

/// A declaration without what follows its head.
fn declaration(line: &str) -> String {
    let mut depth = 0_i32;
    for (at, character) in line.char_indices() {
        match character {
            '(' | '<' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            '>' if !line[..at].ends_with('-') => depth -= 1,
            '{' if depth == 0 && line.starts_with('F') => return line[..at].trim_end().to_owned(),
            '=' if depth == 0 && line.starts_with('F') => return line[..at].trim_end().to_owned(),
            _ => {}
        }
    }
    line.trim_end_matches(';').to_owned()
}

/// Text and fenced blocks.
fn split(docs: &[&str]) -> (String, Vec<String>) {
    let mut text = Vec::new();
    let mut examples = Vec::new();
    let mut example: Option<Vec<&str>> = None;
    for line in docs {
        match (line.starts_with("```"), &mut example) {
            (true, None) => example = Some(Vec::new()),
            (true, Some(lines)) => {
                examples.push(lines.join("\n"));
                example = None;
            }
            (false, Some(lines)) => lines.push(line),
            (false, None) => text.push(line.trim()),
        }
    }
    (text.join(" "), examples)
}

/// A program that runs every example of the modules, one after the other.
pub fn program(modules: &[(&str, &str)]) -> String {
    let mut imports = String::new();
    let mut functions = String::new();
    let mut calls = String::new();
    let mut count = 0;
    for (module, source) in modules {
        imports.push_str(&format!("U {module}\n"));
        for entry in entries(source) {
            for example in &entry.examples {
                functions
                    .push_str(&format!("# {module}: {}\nF example_{count}() {{\n{example}\n}}\n", entry.declaration));
                calls.push_str(&format!("    example_{count}()\n"));
                count += 1;
            }
        }
    }
    format!("{imports}{functions}F main() -> i64 {{\n{calls}    0\n}}\n")
}

/// A page on a module, in Markdown.
pub fn page(module: &str, source: &str) -> String {
    let mut page = format!("# {module}\n\n{}\n", introduction(source));
    let mut owner = None;
    for entry in entries(source) {
        if entry.owner != owner {
            owner = entry.owner.clone();
            if let Some(owner) = &owner {
                page.push_str(&format!("\n## Methods of `{owner}`\n"));
            }
        }
        page.push_str(&format!("\n### `{}`\n\n{}\n", entry.declaration, entry.text));
        for example in &entry.examples {
            page.push_str(&format!("\n```vais,example\n{example}\n```\n"));
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations_carry_their_docs() {
        let source = "# std/x: About\n# it.\n\nX<T> Vec<T> {\n    /// Adds.\n    /// ```\n    /// a()\n    /// ```\n    \
                      #[inline]\n    F push(self, f: fn(T) -> U = 1) -> T { x }\n}\n/// One.\nC ONE: i64 = 1\n";
        let found = entries(source);
        assert_eq!(introduction(source), "About it.");
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].owner.as_deref(), Some("Vec<T>"));
        assert_eq!(found[0].declaration, "F push(self, f: fn(T) -> U = 1) -> T");
        assert_eq!((found[0].name(), found[0].examples.len()), ("push", 1));
        assert_eq!((found[1].owner.as_deref(), &found[1].declaration[..]), (None, "C ONE: i64 = 1"));
        assert!(page("std/x", source).contains("### `C ONE: i64 = 1`"));
    }

    #[test]
    fn every_public_function_has_an_example() {
        for (module, source) in crate::modules() {
            for entry in entries(source) {
                let bare = matches!(*module, "std/prelude" | "std/hot");
                assert!(bare || !entry.examples.is_empty(), "{module}: {} has no example", entry.declaration);
            }
        }
    }
}
