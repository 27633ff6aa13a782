//! The program's output: in program order, line by line, none lost, and a closed pipe ends quietly.

use std::io::Read;

use crate::counter::{FILE, TEXT};
use crate::harness::{Project, Run, run_to_end};

fn output_of(text: &str) -> String {
    let project = Project::new(&[("a.vais", text)]);
    let finished = run_to_end(&project, ["run", "a.vais"]);
    assert_eq!(finished.status, Some(0), "{finished:?}");
    finished.out
}

#[test]
fn printf_puts_and_println_come_in_program_order() {
    let text = r#"F main() -> i64 {
    L i: 0..3 {
        printf("printf %d\n", i)
        puts("puts")
        println("println {i}")
        print("print ")
        putchar(33)
        putchar(10)
    }
    0
}
"#;
    let expected: String = (0..3).map(|i| format!("printf {i}\nputs\nprintln {i}\nprint !\n")).collect();
    assert_eq!(output_of(text), expected);
}

#[test]
fn lines_arrive_while_the_program_runs() {
    let text = "F main() -> i64 {\n    println(\"one\")\n    printf(\"two\\n\")\n    usleep(60000000)\n    0\n}\n";
    let project = Project::new(&[("a.vais", text)]);
    let mut run = Run::with(&project, ["run", "a.vais"]);
    run.out.line("println", |line| line == "one");
    run.out.line("printf", |line| line == "two");
    assert!(run.is_running());
}

#[test]
fn values_are_printed_as_the_language_says() {
    let text = r#"F main() -> i64 {
    x := 1.5
    b := true
    s := "text"
    big := 9223372036854775807
    println("{x} {b} {!b} {s} {big} {0 - 7}")
    println("{x:.2} {{}} {1 + 2}")
    printf("%d %f %s %c %x %%\n", big, x, s, 65, 255)
    println("{} and {}", 1, 2)
    print_i64(5)
    print_f64(2.5)
    println("")
    0
}
"#;
    let out = output_of(text);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[0], "1.500000 1 0 text 9223372036854775807 -7");
    assert_eq!(lines[1], "1.50 {} 3");
    assert_eq!(lines[2], "9223372036854775807 1.500000 text A ff %");
    assert_eq!(lines[3], "1 and 2");
}

#[test]
fn a_lot_of_output_arrives_whole() {
    let text = "F main() -> i64 {\n    L i: 0..200000 { println(\"line {i}\") }\n    0\n}\n";
    let out = output_of(text);
    assert_eq!(out.lines().count(), 200_000);
    assert_eq!(out.lines().last(), Some("line 199999"));
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let project = Project::new(&[(FILE, TEXT)]);
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    let mut run = Run::prepared(&project, |command| {
        command.arg("run").arg(FILE).stdout(writer);
    });
    let mut some = [0; 8];
    reader.read_exact(&mut some).expect("the program writes");
    assert_eq!(&some, b"one 0 1\n");
    drop(reader);
    run.wait();
    let finished = run.finish();
    assert!(!finished.err.contains("panicked"), "{finished:?}");
    let complaints = finished.err.lines().filter(|line| !line.starts_with("ready"));
    assert_eq!(complaints.count(), 0, "{finished:?}");
}

/// The prelude declares it for addresses, the host's table for C strings: the prelude's declaration counts.
#[test]
fn puts_ptr_takes_an_address() {
    let text = "F main() -> i64 {\n    p := malloc(4)\n    store_byte(p, 72)\n    store_byte(p + 1, 105)\n    store_byte(p + 2, 0)\n    puts_ptr(p)\n    free(p)\n    0\n}\n";
    assert_eq!(output_of(text), "Hi\n");
}
