//! `vaisjit test`: what passes and fails, isolation, and input that is no use.

use std::io::Read;

use crate::harness::{Project, Run, run_to_end};

const FILE: &str = "a.vais";

/// What it prints about a file with this text, and its status.
fn tested(text: &str) -> (String, Option<i32>) {
    let finished = run_to_end(&Project::new(&[(FILE, text)]), ["test", FILE]);
    assert_eq!(finished.err, "", "{finished:?}");
    (finished.out, finished.status)
}

#[test]
fn what_passes() {
    let text = "#[test]\nF unit() { assert(1 + 1 == 2) }\n#[test]\nF flag() -> bool { true }\n\
                #[test]\nF number() -> i64 = 0\n#[test]\nF byte() -> u8 { 0 }\nF no_test() { panic(\"never called\") }\n";
    let expected = "test unit ... ok\ntest flag ... ok\ntest number ... ok\ntest byte ... ok\n4 passed, 0 failed\n";
    assert_eq!(tested(text), (expected.to_owned(), Some(0)));
}

#[test]
fn what_fails_says_why_and_where() {
    let text = "#[test]\nF traps() {\n    n := 0\n    print(\"so far\")\n    x := 1 / n\n    print_i64(x)\n}\n\
                #[test]\nF asserts() { assert(1 > 2, \"order\") }\n#[test]\nF flag() -> bool { false }\n\
                #[test]\nF number() -> i32 { -3 }\n#[test]\nF ends() { exit(0) }\n#[test]\nF fine() { }\n";
    let (out, status) = tested(text);
    assert_eq!(status, Some(1));
    assert_eq!(out.lines().last(), Some("1 passed, 5 failed"));
    let about = |name: &str| {
        let rest = out.split(&format!("test {name} ... FAILED\n")).nth(1).unwrap_or_else(|| panic!("{out}"));
        rest.split("test ").next().unwrap().to_owned()
    };
    let traps = about("traps");
    for part in ["trap: division by zero", "a.vais:5:10", "x := 1 / n", "in traps", "printed before:\n    so far"] {
        assert!(traps.contains(part), "no `{part}` in {traps}");
    }
    assert!(about("asserts").contains("assertion failed: order"), "{out}");
    assert_eq!(about("flag"), "    returned false\n");
    assert_eq!(about("number"), "    returned -3\n");
    assert_eq!(about("ends"), "    ended the program with status 0\n");
    assert!(out.contains("test fine ... ok\n"), "{out}");
}

#[test]
fn globals_are_fresh_for_each_test() {
    let text = "G count: i64 = 5\n#[test]\nF one() -> bool { count += 1  count == 6 }\n\
                #[test]\nF two() -> bool { count += 1  count == 6 }\n";
    assert_eq!(tested(text), ("test one ... ok\ntest two ... ok\n2 passed, 0 failed\n".to_owned(), Some(0)));
}

#[test]
fn a_crash_and_endless_recursion_end_only_their_own_test() {
    let text = "F down(n: i64) -> i64 { 1 + down(n + 1) }\n#[test]\nF deep() { print_i64(down(0)) }\n\
                #[test]\nF crash() { abort() }\n#[test]\nF fine() { }\n";
    let (out, status) = tested(text);
    assert_eq!(status, Some(1));
    assert!(out.contains("test deep ... FAILED\n    trap:") && out.contains("test crash ... FAILED\n"), "{out}");
    assert!(out.ends_with("test fine ... ok\n1 passed, 2 failed\n"), "{out}");
}

#[test]
fn a_folder_with_all_its_files() {
    let project = Project::new(&[
        ("twice.vais", "F twice(n: i64) -> i64 = n * 2\n#[test]\nF own() -> bool { twice(1) == 2 }\n"),
        ("twice_tests.vais", "U twice\n#[test]\nF of_four() -> bool { twice(4) == 8 }\n"),
        ("deep/er/more.vais", "#[test]\nF more() { }\n"),
        (".hidden/no.vais", "#[test]\nF hidden() { }\n"),
        ("notes.txt", "no program"),
    ]);
    let finished = run_to_end(&project, ["test"]);
    let expected = "test deep/er/more::more ... ok\ntest twice::own ... ok\ntest twice_tests::of_four ... ok\n\
                    3 passed, 0 failed\n";
    assert_eq!((finished.out.as_str(), finished.status), (expected, Some(0)), "{finished:?}");
    let finished = run_to_end(&project, ["test", "deep"]);
    assert_eq!(finished.out, "test er/more::more ... ok\n1 passed, 0 failed\n", "{finished:?}");
}

#[test]
fn a_filter() {
    let project = Project::new(&[(FILE, "#[test]\nF red_one() { }\n#[test]\nF blue() { panic(\"\") }\n")]);
    let finished = run_to_end(&project, ["test", FILE, "--filter", "red"]);
    assert_eq!((finished.out.as_str(), finished.status), ("test red_one ... ok\n1 passed, 0 failed\n", Some(0)));
    let finished = run_to_end(&project, ["test", "--filter", "nothing"]);
    assert_eq!((finished.out.as_str(), finished.status), ("0 passed, 0 failed\n", Some(0)));
}

#[test]
fn a_file_with_mistakes_fails_and_the_others_go_on() {
    let project = Project::new(&[
        ("bad.vais", "#[test]\nF with(n: i64) { }\n"),
        ("good.vais", "#[test]\nF fine() { }\n"),
        ("later.vais", "#[test]\nF never() { unknown() }\n"),
    ]);
    let finished = run_to_end(&project, ["test"]);
    assert_eq!(finished.status, Some(1), "{finished:?}");
    assert!(finished.err.contains("E0511") && finished.err.contains("E0201"), "{finished:?}");
    assert!(finished.out.contains("test bad.vais ... FAILED\n"), "{finished:?}");
    assert!(finished.out.contains("test good::fine ... ok\n"), "{finished:?}");
    assert_eq!(finished.out.lines().last(), Some("1 passed, 2 failed"));
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let project = Project::new(&[(FILE, "#[test]\nF fine() { }\n")]);
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    let run = Run::prepared(&project, |command| {
        command.args(["test", FILE]).stdout(writer);
    });
    let mut some = [0; 4];
    reader.read_exact(&mut some).expect("it writes");
    drop(reader);
    let finished = run.finish();
    assert_eq!(finished.err, "", "{finished:?}");
}
