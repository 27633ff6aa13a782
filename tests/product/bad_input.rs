//! What bad input gets: a clear diagnostic with its code and exact place, status 1, and never a panic or a hang.

use crate::harness::{Finished, Project, run_to_end};

const FILE: &str = "a.vais";

/// Nothing of Rust's own failures may ever be shown.
fn is_calm(finished: &Finished) {
    for word in ["panicked", "RUST_BACKTRACE", "overflowed its stack", "unwrap()"] {
        assert!(!finished.err.contains(word) && !finished.out.contains(word), "{word}: {finished:?}");
    }
}

/// `run` and `check` of these files must each report `code` at `line:column` of `file`.
fn reports_in(files: &[(&str, &str)], file: &str, code: &str, line: u32, column: u32) {
    let project = Project::new(files);
    let root = files[0].0;
    let place = format!("{line}:{column}");
    let checked = run_to_end(&project, ["check", "--format", "short", root]);
    is_calm(&checked);
    assert_eq!(checked.status, Some(1), "{checked:?}");
    let start = format!("{file}:{place}: error[{code}]: ");
    let found = checked.out.lines().any(|text| text.contains(&start));
    assert!(found, "no `{start}` in:\n{}", checked.out);
    runs_into(&project, root, code, &place);
}

/// `run` must end with status 1 and a diagnostic for people that has the code, the place and a help or note.
fn runs_into(project: &Project, root: &str, code: &str, place: &str) {
    let run = run_to_end(project, ["run", "--color", "never", root]);
    is_calm(&run);
    assert_eq!(run.status, Some(1), "{run:?}");
    assert!(run.err.contains(code), "no {code} in:\n{}", run.err);
    assert!(run.err.contains(place), "no {place} in:\n{}", run.err);
    assert!(run.out.is_empty(), "nothing of the program may run: {run:?}");
}

fn reports(text: &str, code: &str, line: u32, column: u32) {
    reports_in(&[(FILE, text)], FILE, code, line, column);
}

#[test]
fn an_empty_file() {
    runs_into(&Project::new(&[(FILE, "")]), FILE, "E0505", "1:1");
}

#[test]
fn nothing_but_comments() {
    runs_into(&Project::new(&[(FILE, "# Nothing yet.\n")]), FILE, "E0505", FILE);
}

#[test]
fn no_main() {
    runs_into(&Project::new(&[(FILE, "F other() -> i64 { 0 }\n")]), FILE, "E0505", FILE);
}

/// What it lacks is said, and not that it is missing.
#[test]
fn a_main_that_is_being_typed() {
    let run = run_to_end(&Project::new(&[(FILE, "# Started.\nF main( { }\n")]), ["run", FILE]);
    assert!(run.err.contains("E0102") && !run.err.contains("E0505"), "{}", run.err);
}

#[test]
fn an_unclosed_string() {
    reports("F main() -> i64 {\n    puts(\"hello)\n    0\n}\n", "E0002", 2, 10);
}

#[test]
fn an_unknown_name() {
    reports("F main() -> i64 {\n    count := 1\n    cuont + 1\n}\n", "E0201", 3, 5);
}

#[test]
fn an_unknown_function() {
    reports("F main() -> i64 {\n    0 + udpate(1)\n}\n\nF update(n: i64) -> i64 { n }\n", "E0201", 2, 9);
}

#[test]
fn an_unknown_type() {
    reports("F main() -> i64 { f(1) }\nF f(n: i46) -> i64 { 0 }\n", "E0202", 2, 8);
}

#[test]
fn an_unknown_field() {
    reports("S P { x: i64 }\nF main() -> i64 {\n    p := P { x: 1 }\n    p.y\n}\n", "E0204", 4, 7);
}

#[test]
fn a_result_of_the_wrong_type() {
    reports("F main() -> i64 {\n    \"text\"\n}\n", "E0301", 2, 5);
}

#[test]
fn an_argument_of_the_wrong_type() {
    reports("F f(n: i64) -> i64 { n }\nF main() -> i64 {\n    f(1.5)\n}\n", "E0301", 3, 7);
}

#[test]
fn too_few_arguments() {
    reports("F f(n: i64, m: i64) -> i64 { n + m }\nF main() -> i64 {\n    f(1)\n}\n", "E0401", 3, 5);
}

#[test]
fn operands_that_do_not_mix() {
    reports("F main() -> i64 {\n    1 + true\n}\n", "E0302", 2, 7);
}

#[test]
fn a_format_that_does_not_fit() {
    reports("F main() -> i64 {\n    printf(\"%d\\n\", 1.5)\n    0\n}\n", "E0405", 2, 20);
}

#[test]
fn an_assignment_to_a_constant() {
    reports("C MAX: i64 = 3\nF main() -> i64 {\n    MAX = 4\n    0\n}\n", "E0503", 3, 5);
}

#[test]
fn a_break_outside_a_loop() {
    reports("F main() -> i64 {\n    B\n    0\n}\n", "E0501", 2, 5);
}

#[test]
fn a_missing_import() {
    reports("U nowhere\nF main() -> i64 { 0 }\n", "E0208", 1, 3);
}

#[test]
fn a_missing_module_of_the_library() {
    reports("U std/nowhere\nF main() -> i64 { 0 }\n", "E0208", 1, 3);
}

#[test]
fn a_mistake_in_an_imported_file() {
    let main = "U other\nF main() -> i64 { value() }\n";
    reports_in(&[(FILE, main), ("other.vais", "F value() -> i64 {\n    missing\n}\n")], "other.vais", "E0201", 2, 5);
}

#[test]
fn an_import_circle_that_needs_one() {
    let main = "U other\nC ONE: i64 = TWO - 1\nF main() -> i64 { ONE }\n";
    reports_in(&[(FILE, main), ("other.vais", "U a\nC TWO: i64 = ONE + 1\n")], "other.vais", "E0507", 2, 14);
}

#[test]
fn an_import_circle_that_needs_none() {
    let main = "U other\nF main() -> i64 { even(10) }\nF odd(n: i64) -> i64 { n == 0 ? 0 : even(n - 1) }\n";
    let other = "U a\nF even(n: i64) -> i64 { n == 0 ? 1 : odd(n - 1) }\n";
    let project = Project::new(&[(FILE, main), ("other.vais", other)]);
    let finished = run_to_end(&project, ["run", FILE]);
    assert_eq!(finished.status, Some(1), "{finished:?}");
    assert_eq!(finished.err.lines().filter(|line| line.contains("rror")).count(), 0, "{finished:?}");
}

#[test]
fn a_struct_that_contains_itself() {
    reports("S Loop { next: Loop }\nF main() -> i64 { 0 }\n", "E0316", 1, 16);
}

#[test]
fn an_unknown_c_function() {
    let project = Project::new(&[(
        FILE,
        "@[extern \"C\"]\nF no_such_function_anywhere(n: i64) -> i64\n\nF main() -> i64 {\n    no_such_function_anywhere(1)\n}\n",
    )]);
    runs_into(&project, FILE, "E0601", "5:5");
}

#[test]
fn something_left_out_on_purpose() {
    reports("comptime F f() -> i64 { 1 }\nF main() -> i64 { 0 }\n", "E0105", 1, 1);
}

#[test]
fn a_comment_of_another_language() {
    reports("// A program.\nF main() -> i64 { 0 }\n", "E0005", 1, 1);
}

#[test]
fn a_megabyte_of_brackets() {
    for bracket in ["(", "{", "[", "F f() -> i64 {", "-"] {
        let text = bracket.repeat(1_000_000 / bracket.len());
        for text in [text.clone(), format!("F main() -> i64 {{\n    {text}\n")] {
            let project = Project::new(&[(FILE, &text)]);
            let finished = run_to_end(&project, ["check", "--format", "short", FILE]);
            is_calm(&finished);
            assert_eq!(finished.status, Some(1), "{bracket}: status {:?}", finished.status);
            assert!(finished.out.contains("a.vais:") && finished.out.contains("error[E"), "{bracket}");
            assert!(finished.out.lines().count() < 1000, "{bracket}: {} lines", finished.out.lines().count());
        }
    }
}

#[test]
fn a_megabyte_of_brackets_has_a_place() {
    let project = Project::new(&[(FILE, &"(".repeat(1_000_000))]);
    runs_into(&project, FILE, "E0", "1:");
}

#[test]
fn several_mistakes_in_one_run() {
    let text = "F main() -> i64 {\n    a := unknown_one\n    b := 1 + \"x\"\n    b := unknown_two\n    0\n}\n\
                F other() -> i64 { unknown_three }\n";
    let project = Project::new(&[(FILE, text)]);
    let checked = run_to_end(&project, ["check", "--format", "short", FILE]);
    for line in ["2:10", "3:", "4:10", "7:20"] {
        let start = format!("a.vais:{line}");
        assert!(checked.out.lines().any(|found| found.contains(&start)), "no {start} in:\n{}", checked.out);
    }
}

#[test]
fn a_mistake_of_syntax_does_not_hide_the_mistakes_of_other_functions() {
    let text = "F broken() -> i64 { 1 + }\nF main() -> i64 {\n    unknown\n}\nF also() -> i64 { ) }\n";
    let project = Project::new(&[(FILE, text)]);
    let checked = run_to_end(&project, ["check", "--format", "short", FILE]);
    for line in ["a.vais:1:", "a.vais:3:5", "a.vais:5:"] {
        assert!(checked.out.contains(line), "no {line} in:\n{}", checked.out);
    }
}

#[test]
fn a_misspelt_name_gets_a_suggestion() {
    let project = Project::new(&[(FILE, "F main() -> i64 {\n    counter := 1\n    countre\n}\n")]);
    let checked = run_to_end(&project, ["check", FILE]);
    assert!(checked.out.contains("did you mean") && checked.out.contains("`counter`"), "{}", checked.out);
}

/// One line, status 1 or 2, and the name that was asked for.
fn cannot_be_read(project: &Project, name: &str) {
    for command in ["run", "check", "watch"] {
        let finished = run_to_end(project, [command, name]);
        is_calm(&finished);
        assert!(matches!(finished.status, Some(1 | 2)), "{command}: {finished:?}");
        let said = format!("{}{}", finished.out, finished.err);
        assert!(said.contains(name), "{command}: {finished:?}");
        assert_eq!(said.trim_end().lines().count(), 1, "{command}: {finished:?}");
    }
}

#[test]
fn a_missing_file() {
    cannot_be_read(&Project::new(&[]), "nothing.vais");
}

#[test]
fn a_folder() {
    let project = Project::new(&[]);
    std::fs::create_dir(project.path("folder.vais")).unwrap();
    cannot_be_read(&project, "folder.vais");
}

#[test]
fn a_binary_file() {
    let project = Project::new(&[]);
    std::fs::write(project.path("b.vais"), [0x7f, b'E', b'L', b'F', 2, 1, 0xff, 0xfe, 0, 0x80]).unwrap();
    cannot_be_read(&project, "b.vais");
}

#[test]
fn a_file_that_ends_in_the_middle_of_everything() {
    let whole = crate::counter::TEXT;
    let project = Project::new(&[]);
    for length in (1..whole.len()).step_by(7).filter(|length| whole.is_char_boundary(*length)) {
        project.write(FILE, &whole[..length]);
        let finished = run_to_end(&project, ["check", "--format", "short", FILE]);
        is_calm(&finished);
        assert!(matches!(finished.status, Some(0 | 1)), "{length}: {finished:?}");
    }
}

#[test]
fn characters_beyond_ascii_count_as_one_column() {
    reports("F main() -> i64 {\n    puts(\"äöü→🦀\") + missing\n    0\n}\n", "E0201", 2, 21);
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_are_no_mistakes() {
    let project = Project::new(&[(FILE, "\u{feff}F main() -> i64 {\r\n    # A comment.\r\n    7\r\n}\r\n")]);
    let finished = run_to_end(&project, ["run", FILE]);
    assert_eq!(finished.status, Some(7), "{finished:?}");
}
