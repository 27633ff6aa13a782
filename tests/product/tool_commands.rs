//! `vaisjit dump` and `vaisjit completions`, the help of all tools, and what all of them do with input that is no use.

use std::io::Read;

use crate::harness::{Project, Run, run_to_end};

const FILE: &str = "a.vais";
const TEXT: &str = "S P { x: i64 }\nX P { F twice(&self) -> i64 = x * 2 }\nF half(n: i64) -> i64 { n / 2 }\n\
                    F main() -> i64 {\n    p := P { x: 21 }\n    half(p.twice())\n}\n";

fn dumped(args: &[&str]) -> String {
    let project = Project::new(&[(FILE, TEXT)]);
    let finished = run_to_end(&project, [&["dump", "--stage"], args].concat());
    assert_eq!((finished.status, finished.err.as_str()), (Some(0), ""), "{args:?}: {finished:?}");
    finished.out
}

#[test]
fn every_stage_shows_every_function() {
    let expected = [
        ("tokens", "3:1\tKwF\tF\n"),
        ("ast", "(fn half (n: i64) -> i64 {"),
        ("hir", "F a.half(n.0: i64) -> i64"),
        ("mir", "fn a.half(_1 n: i64) -> i64 {"),
        ("clif", "sdiv"),
        ("asm", "; a.half\n"),
    ];
    for (stage, part) in expected {
        let whole = dumped(&[stage, FILE]);
        assert!(whole.contains(part) && whole.contains("main"), "{stage}: {whole}");
        if stage != "tokens" {
            let one = dumped(&[stage, FILE, "half"]);
            assert!(one.contains(part) && !one.contains("fn main") && one.len() < whole.len(), "{stage}: {one}");
            assert!(dumped(&[stage, FILE, "P.twice"]).contains("twice"), "{stage}");
        }
    }
}

#[test]
fn code_without_slots() {
    let project = Project::new(&[(FILE, &TEXT.replace("F half", "#[hot]\nF half"))]);
    let dumped = |options: &[&str]| {
        let finished = run_to_end(&project, [&["dump", "--stage", "clif", FILE, "main"], options].concat());
        assert_eq!(finished.status, Some(0), "{finished:?}");
        finished.out
    };
    let (hot, direct) = (dumped(&[]), dumped(&["--static"]));
    assert!(hot.contains("= slot:a.half") && !direct.contains("slot:"), "{hot}{direct}");
    assert!(direct.contains("= code:a.half"), "{direct}");
}

#[test]
fn a_dump_of_what_is_not_there() {
    let project = Project::new(&[(FILE, TEXT), ("bad.vais", "F f() -> i64 { unknown }\n")]);
    for stage in ["ast", "hir", "mir", "clif", "asm"] {
        let finished = run_to_end(&project, ["dump", "--stage", stage, FILE, "nothing"]);
        assert_eq!((finished.status, finished.err.lines().count()), (Some(1), 1), "{finished:?}");
        assert!(finished.err.contains("`nothing`"), "{finished:?}");
    }
    for stage in ["hir", "mir", "clif", "asm"] {
        let finished = run_to_end(&project, ["dump", "--stage", stage, "bad.vais"]);
        assert_eq!(finished.status, Some(1), "{finished:?}");
        assert!(finished.err.contains("E0201"), "{finished:?}");
    }
    // Trees are shown of texts with mistakes too.
    assert_eq!(run_to_end(&project, ["dump", "--stage", "ast", "bad.vais"]).status, Some(0));
    assert_eq!(run_to_end(&project, ["dump", FILE]).status, Some(2));
    assert_eq!(run_to_end(&project, ["dump", "--stage", "none", FILE]).status, Some(2));
}

#[test]
fn completions_name_every_command() {
    let project = Project::new(&[]);
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let finished = run_to_end(&project, ["completions", shell]);
        assert_eq!((finished.status, finished.err.as_str()), (Some(0), ""), "{shell}: {finished:?}");
        for command in ["run", "check", "watch", "explain", "test", "fmt", "new", "dump", "completions"] {
            assert!(finished.out.contains(command), "{shell}: no `{command}`");
        }
    }
    let unknown = run_to_end(&project, ["completions", "tcsh"]);
    assert_eq!(unknown.status, Some(2));
    assert!(unknown.err.contains("bash"), "{unknown:?}");
}

/// The script does what it is for, where the shell is installed.
#[test]
fn bash_completes() {
    let project = Project::new(&[]);
    let script = run_to_end(&project, ["completions", "bash"]).out;
    project.write("vaisjit.bash", &script);
    let ask = "source ./vaisjit.bash && COMP_WORDS=(vaisjit fm) COMP_CWORD=1 && _vaisjit vaisjit fm vaisjit && echo ${COMPREPLY[*]}";
    let Ok(output) = std::process::Command::new("bash").current_dir(project.folder()).args(["-c", ask]).output() else {
        return;
    };
    assert_eq!(String::from_utf8_lossy(&output.stdout), "fmt\n", "{output:?}");
}

#[test]
fn every_help_has_examples() {
    let project = Project::new(&[]);
    for command in ["run", "watch", "explain", "test", "fmt", "new", "dump", "completions"] {
        let finished = run_to_end(&project, [command, "--help"]);
        assert_eq!(finished.status, Some(0), "{command}");
        let example = format!("\n  vaisjit {command} ");
        assert!(finished.out.contains("Examples:") && finished.out.contains(&example), "{command}: {}", finished.out);
    }
}

#[test]
fn input_that_is_no_use_is_told_in_a_line() {
    let project = Project::new(&[]);
    std::fs::write(project.path("binary.vais"), [0x7f, b'E', 0xff, 0xfe]).unwrap();
    std::fs::create_dir(project.path("folder.vais")).unwrap();
    let commands: [&[&str]; 3] = [&["test"], &["fmt"], &["dump", "--stage", "mir"]];
    for command in commands {
        for name in ["missing.vais", "binary.vais"] {
            let finished = run_to_end(&project, command.iter().chain([&name]));
            assert_eq!((finished.status, finished.out.as_str()), (Some(1), ""), "{command:?}: {finished:?}");
            assert!(finished.err.starts_with("error: ") && finished.err.contains(name), "{command:?}: {finished:?}");
            assert_eq!(finished.err.lines().count(), 1, "{command:?}: {finished:?}");
        }
    }
    let finished = run_to_end(&project, ["dump", "--stage", "ast", "folder.vais"]);
    assert_eq!((finished.status, finished.err.lines().count()), (Some(1), 1), "{finished:?}");
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let body: String = (0..2000).map(|n| format!("F f{n}() -> i64 {{ {n} }}\n")).collect();
    let project = Project::new(&[(FILE, &body)]);
    let commands: [&[&str]; 2] = [&["dump", "--stage", "tokens", FILE], &["completions", "bash"]];
    for command in commands {
        let (mut reader, writer) = std::io::pipe().expect("a pipe");
        let run = Run::prepared(&project, |process| {
            process.args(command).stdout(writer);
        });
        let mut some = [0; 4];
        reader.read_exact(&mut some).expect("it writes");
        drop(reader);
        assert_eq!(run.finish().err, "", "{command:?}");
    }
}
