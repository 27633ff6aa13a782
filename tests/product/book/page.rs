//! The fenced blocks of a Markdown page: programs, the files they import, and the output below them.

/// What a page says of a program, in the words after `vais` in its fence.
#[derive(Debug, PartialEq)]
pub enum Kind {
    /// `vais`: runs without a word on standard error.
    Run,
    /// `vais,live`: the same with reloading, of files that it saves itself; may be told what is wrong with them.
    Live,
    /// `vais,trap`: ends in a trap.
    Trap,
    /// `vais,error(E0201)`: is refused with these codes and no others.
    Refused(Vec<String>),
    /// `vais,warning(E0509)`: runs, with these warnings.
    Warned(Vec<String>),
    /// `vais,test`: its `#[test]` functions pass.
    Tests,
    /// `vais,check`: has no mistakes, but is not run.
    Checked,
    /// `vais,fragment`: items or statements; only the grammar is looked at.
    Fragment,
    /// `vais,ignore`: nothing is looked at; the page says why. `vais,example`: the test of the library runs it.
    Ignored,
}

/// A program on a page.
#[derive(Debug)]
pub struct Program {
    /// The line of its fence, counted from 1.
    pub line: usize,
    pub kind: Kind,
    /// `report`: the output block shows the whole report, not its first line.
    pub in_full: bool,
    pub text: String,
    /// The blocks `vais,file(NAME)` before it.
    pub files: Vec<(String, String)>,
    output: Option<String>,
}

impl Program {
    /// The text of its output block.
    pub fn expected(&self) -> &str {
        self.output.as_deref().unwrap_or_default()
    }

    /// Is there an output block?
    pub fn has_output(&self) -> bool {
        self.output.is_some()
    }
}

/// A fenced block: its words, its lines, and the lines of its two fences, counted from 0.
struct Block<'a> {
    words: &'a str,
    text: String,
    open: usize,
    close: usize,
}

fn blocks(page: &str) -> Vec<Block<'_>> {
    let mut found: Vec<Block<'_>> = Vec::new();
    let mut current: Option<Block<'_>> = None;
    for (number, line) in page.lines().enumerate() {
        match (&mut current, line.strip_prefix("```")) {
            (None, Some(words)) => {
                current = Some(Block { words, text: String::new(), open: number, close: number });
            }
            (Some(_), Some(_)) => {
                let done = current.take().expect("one is open");
                found.push(Block { close: number, ..done });
            }
            (Some(block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(current.is_none(), "a block without an end:\n{page}");
    found
}

/// All programs of a page.
pub fn programs(page: &str) -> Vec<Program> {
    let blocks = blocks(page);
    let lines: Vec<&str> = page.lines().collect();
    let mut found = Vec::new();
    let mut files = Vec::new();
    for (i, block) in blocks.iter().enumerate() {
        let mut words = block.words.split(',').map(str::trim);
        if words.next() != Some("vais") {
            continue;
        }
        let mut kind = Kind::Run;
        let mut in_full = false;
        let mut file = None;
        for word in words {
            let (name, argument) = word.split_once('(').unwrap_or((word, ""));
            let argument = argument.trim_end_matches(')');
            let codes = || argument.split_whitespace().map(str::to_owned).collect();
            match name {
                "live" => kind = Kind::Live,
                "test" => kind = Kind::Tests,
                "trap" => kind = Kind::Trap,
                "error" => kind = Kind::Refused(codes()),
                "warning" => kind = Kind::Warned(codes()),
                "check" => kind = Kind::Checked,
                "fragment" => kind = Kind::Fragment,
                "ignore" | "example" => kind = Kind::Ignored,
                "report" => in_full = true,
                "file" => file = Some(argument.to_owned()),
                _ => panic!("line {}: what is `{word}`?", block.open + 1),
            }
        }
        if let Some(name) = file {
            files.push((name, block.text.clone()));
            continue;
        }
        let below = blocks.get(i + 1).filter(|next| next.words == "output");
        let below = below.filter(|next| lines[block.close + 1..next.open].iter().all(|line| line.is_empty()));
        found.push(Program {
            line: block.open + 1,
            kind,
            in_full,
            text: block.text.clone(),
            files: std::mem::take(&mut files),
            output: below.map(|next| next.text.trim_end_matches('\n').to_owned()),
        });
    }
    found
}

/// The page with other output below the programs whose fences are in these lines.
pub fn with_outputs<'a>(page: &str, outputs: impl Iterator<Item = (usize, &'a str)>) -> String {
    let blocks = blocks(page);
    let mut lines: Vec<&str> = page.lines().collect();
    let mut outputs: Vec<(usize, &str)> = outputs.collect();
    outputs.sort();
    // From the end, so that the lines above stay where they are.
    for (line, output) in outputs.into_iter().rev() {
        let i = blocks.iter().position(|block| block.open + 1 == line).expect("the block is there");
        let after = blocks[i].close + 1;
        let below = blocks.get(i + 1).filter(|next| next.words == "output");
        let below = below.filter(|next| lines[after..next.open].iter().all(|line| line.is_empty()));
        let end = below.map_or(after, |next| next.close + 1);
        let mut block = vec![];
        if !output.is_empty() {
            block.extend(["", "```output"]);
            block.extend(output.lines());
            block.push("```");
        }
        lines.splice(after..end, block);
    }
    lines.join("\n") + "\n"
}

#[test]
fn outputs_are_rewritten_in_their_places() {
    let page = "# A\n\n```vais\nF main() = 1\n```\n\ntext\n\n```vais,trap\nx\n```\n\n```output\nold\n```\nend\n";
    let found = programs(page);
    assert_eq!((found[0].line, found[0].has_output()), (3, false));
    assert_eq!((found[1].line, found[1].expected()), (9, "old"));
    let new = with_outputs(page, [(3, "exit 1"), (9, "new\nlines")].into_iter());
    let found = programs(&new);
    assert_eq!((found[0].expected(), found[1].expected()), ("exit 1", "new\nlines"));
    assert!(new.ends_with("```\nend\n") && new.contains("```\n\ntext\n"), "{new}");
    assert_eq!(programs(&with_outputs(&new, [(3, "")].into_iter()))[0].expected(), "");
}
