//! `vaisjit check --against PID FILE`: what it says is what the save then does, and the program that is asked does not
//! notice, whoever asks and whatever comes over the socket.

use std::io::{Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::time::Duration;

use serde_json::{Value, json};

use crate::counter::{Counter, FILE};
use crate::harness::{Finished, Project, Run, replaced, run_to_end, until};

/// A program with something of each kind that can be edited. `round` runs a loop of its own, `main` runs all the time.
const KINDS: &str = r#"U util
U std/math

C STEP: i64 = 1
C UNUSED: i64 = 1
T Count = i64

S Point {
    x: i64,
    y: i64,
}
S Idle { a: i64 }
E Mood { Good, Bad }
E Later { One, Two }

W Named {
    F tag(self) -> i64
}

X Point: Named {
    F tag(self) -> i64 { self.x }
}

X Point {
    F sum(self) -> i64 { self.x + self.y }
}

G total: Count = 0
G place: Point
G mood: Mood
G idle: i64 = 1
E Season { Summer, Winter }
G season: Season = Winter

N "C" {
    F abs(n: i32) -> i32
}

F unused() -> i64 { 3 }

F twice<A>(a: A) -> A { a }

F scaled(n: i64) -> i64 { n * STEP }

#[hot]
F step(n: i64) -> i64 {
    total += scaled(1)
    place.x += 1
    M mood { Good => total, Bad => 0 - total }
    println("one {n} {total} {place.sum()} {place.tag()} {helper(n)} {twice(n)} {abs(-3 as i32)}")
    0
}

F main() -> i64 {
    n := 0
    L n < 1000000 {
        step(n)
        n += 1
        usleep(2000)
    }
    0
}

#[test]
F works() { assert(1 == 1) }
"#;

/// Only counting the values in memory shows that one of them is in the way of an edit.
const WINTER: &str = "E Season { Summer, Winter }\nG season: Season = Winter\n";

/// Edits, and what becomes of each.
const EDITS: &[(&str, &str, &str, &str)] = &[
    ("body", "\"one {n}", "\"two {n}", "reloaded"),
    ("body of a function that is not hot", "n * STEP", "n * STEP + 1", "reloaded"),
    (
        "signature with its caller",
        "F scaled(n: i64) -> i64 { n *",
        "F scaled(n: i64, k: i64 = 2) -> i64 { n * k *",
        "reloaded",
    ),
    ("signature without", "F scaled(n: i64)", "F scaled(n: i64, k: i64)", "rejected"),
    ("result", "F unused() -> i64 { 3 }", "F unused() -> f64 { 3.0 }", "reloaded"),
    ("constant", "C STEP: i64 = 1", "C STEP: i64 = 10", "reloaded"),
    ("constant that nothing uses", "C UNUSED: i64 = 1", "C UNUSED: i64 = 2", "unchanged"),
    ("constant added", "C UNUSED", "C ANOTHER: i64 = 4\nC UNUSED", "unchanged"),
    ("constant removed", "C UNUSED: i64 = 1\n", "", "unchanged"),
    ("alias", "T Count = i64", "T Count = i64\nT Other = i8", "unchanged"),
    ("global's initial value", "G idle: i64 = 1", "G idle: i64 = 5", "unchanged"),
    ("global added", "G idle", "G brand: i64 = 5\nG idle", "reloaded"),
    ("global removed", "G idle: i64 = 1\n", "", "unchanged"),
    ("global retyped", "G idle: i64 = 1", "G idle: f64 = 1.0", "any"),
    ("struct that nothing uses", "S Idle { a: i64 }", "S Idle { a: i64, b: i64 }", "unchanged"),
    ("struct that is used", "    y: i64,\n", "    y: i64,\n    z: i64,\n", "any"),
    ("field retyped", "    y: i64,\n", "    y: f64,\n", "any"),
    ("field removed that is used", "    x: i64,\n", "", "rejected"),
    ("fields reordered", "    x: i64,\n    y: i64,\n", "    y: i64,\n    x: i64,\n", "any"),
    ("struct added", "S Idle", "S Fresh { q: i64 }\nS Idle", "unchanged"),
    ("enum that nothing uses", "One, Two", "One, Two, Three", "unchanged"),
    ("enum that is used", "Good, Bad", "Good, Bad, Ugly", "any"),
    ("variant removed that a variable holds", WINTER, "E Season { Summer }\nG season: Season\n", "refused"),
    ("trait", "W Named", "W Other { F o(self) -> i64 }\nW Named", "unchanged"),
    ("method", "{ self.x }", "{ self.x + 5 }", "reloaded"),
    ("method added", "    F sum(self)", "    F gap(self) -> i64 { self.x - self.y }\n    F sum(self)", "reloaded"),
    ("implementation added", "G total", "X Idle: Named { F tag(self) -> i64 { 1 } }\nG total", "reloaded"),
    ("generic function", "-> A { a }", "-> A { b := a\n b }", "reloaded"),
    ("new function", "F unused", "F brand_new() -> i64 { 2 }\nF unused", "reloaded"),
    ("removed function", "F unused() -> i64 { 3 }\n", "", "reloaded"),
    ("removed function that is called", "F scaled(n: i64) -> i64 { n * STEP }\n", "", "rejected"),
    ("import", "U util", "U util\nU other", "reloaded"),
    ("import of nothing", "U util", "U util\nU nowhere", "rejected"),
    ("import of the library", "U std/math", "U std/math\nU std/time", "unchanged"),
    ("import removed", "U std/math\n", "", "unchanged"),
    ("C function declared", "F abs(n: i32) -> i32", "F abs(n: i32) -> i32\n    F labs(n: i64) -> i64", "unchanged"),
    (
        "C function that does not exist",
        "F unused() -> i64 { 3 }",
        "N \"C\" { F no_such(n: i64) -> i64 }\nF unused() -> i64 { no_such(3) }",
        "rejected",
    ),
    ("comment", "F unused", "# Hardly used.\nF unused", "unchanged"),
    ("comment inside", "    place.x += 1", "    # One on.\n    place.x += 1", "unchanged"),
    ("documentation", "F unused", "/// Hardly used.\nF unused", "unchanged"),
    ("attribute", "F unused", "#[hot]\nF unused", "unchanged"),
    ("test", "1 == 1", "2 == 2", "reloaded"),
    ("error", "{n} {total}", "{nn} {total}", "rejected"),
    ("error of syntax", "F main() -> i64 {", "F main( -> i64 {", "rejected"),
    ("main", "        n += 1\n", "        n += 2\n", "any"),
];

fn project() -> Project {
    let other = "F extra(n: i64) -> i64 { n + 7 }\n";
    Project::new(&[(FILE, KINDS), ("util.vais", "F helper(n: i64) -> i64 { n + 1 }\n"), ("other.vais", other)])
}

/// Asks what a save of the text would do.
fn ask(project: &Project, process: u32, format: &str, text: &str) -> Finished {
    project.write("draft", text);
    let process = process.to_string();
    run_to_end(project, ["check", "--against", &process, "--format", format, "--text", "draft", FILE])
}

fn verdict(project: &Project, process: u32, text: &str) -> (Option<i32>, Value) {
    let finished = ask(project, process, "json", text);
    let answer = serde_json::from_str(&finished.out);
    (finished.status, answer.unwrap_or_else(|_| panic!("no answer: {finished:?}")))
}

/// What became of a save.
fn decided(run: &mut Run) -> Value {
    let decides =
        |event: &Value| ["reloaded", "unchanged", "rejected", "refused"].iter().any(|name| event["event"] == **name);
    until("what becomes of the save", || run.events_so_far().into_iter().find(decides))
}

#[test]
fn the_verdict_is_what_the_save_then_does() {
    let project = project();
    let mut run = Run::hot(&project, FILE);
    run.out.line("it runs", |line| line.starts_with("one "));
    for (what, from, to, expected) in EDITS {
        let edited = replaced(KINDS, from, to);
        let (status, answer) = verdict(&project, run.id(), &edited);
        assert_eq!(run.events_so_far(), [] as [Value; 0], "{what}: an ask must leave no trace");
        project.save(FILE, &edited);
        let event = decided(&mut run);
        assert_eq!(answer["verdict"], event["event"], "{what}: {answer:#} {event:#}");
        for fact in ["version", "functions", "types", "items", "notices", "diagnostics"] {
            assert_eq!(answer[fact], event[fact], "{what}: {fact}");
        }
        assert!(*expected == "any" || event["event"] == *expected, "{what}: {event:#}");
        let good = event["event"] == "reloaded" || event["event"] == "unchanged";
        assert_eq!(status, Some(if good { 0 } else { 1 }), "{what}");
        project.save(FILE, KINDS);
        decided(&mut run);
    }
}

/// A file that is saved for the first time, with the import of it.
#[test]
fn a_file_may_be_new() {
    let project = project();
    let mut run = Run::hot(&project, FILE);
    let edited = replaced(KINDS, "U util\n", "U util\nU fresh/shows\n").replace("\"one {n}", "\"new {shown(n)} {n}");
    let shows = "F shown(n: i64) -> i64 { n * 2 }\n";
    let new = json!({ "file": project.path("fresh/shows.vais"), "text": shows });
    let ask = |check: Value| ask_directly(run.id(), &json!({ "vaisjit": 1, "check": check, "format": "json" }));
    let answer = ask(json!([{ "file": project.path(FILE), "text": edited }, new]));
    assert_eq!(answer["verdict"], "reloaded", "{answer:#}");
    let alone = ask(json!([{ "file": project.path(FILE), "text": edited }]));
    assert_eq!(alone["verdict"], "rejected", "what was asked before leaves nothing: {alone:#}");
    assert_eq!(ask(json!([new]))["verdict"], "error");
    std::fs::create_dir(project.path("fresh")).expect("a folder");
    project.save("fresh/shows.vais", shows);
    project.save(FILE, &edited);
    let event = decided(&mut run);
    for fact in ["version", "functions", "types", "items", "notices", "diagnostics"] {
        assert_eq!(answer[fact], event[fact], "{fact}");
    }
}

/// Items whose edit changes no code are named all the same.
#[test]
fn every_edited_item_is_named() {
    let project = project();
    let run = Run::hot(&project, FILE);
    let names = |text: &str| {
        let (_, answer) = verdict(&project, run.id(), text);
        let entries = ["functions", "types", "items"]
            .into_iter()
            .flat_map(|list| answer[list].as_array().cloned().unwrap_or_default());
        entries
            .map(|entry| {
                format!("{} {}", entry["kind"].as_str().unwrap_or_default(), entry["name"].as_str().unwrap_or_default())
            })
            .collect::<Vec<_>>()
    };
    for (from, to, named) in [
        ("C UNUSED: i64 = 1", "C UNUSED: i64 = 2", "constant UNUSED"),
        ("T Count = i64", "T Count = i64\nT Other = i8", "alias Other"),
        ("W Named", "W Other { F o(self) -> i64 }\nW Named", "trait Other"),
        ("U std/math\n", "", "import std/math"),
        ("U util\n", "U util\nU other\n", "import other"),
        ("S Idle { a: i64 }\n", "", "struct Idle"),
        ("F abs(n: i32) -> i32", "F abs(n: i32) -> i32\n    F labs(n: i64) -> i64", "extern abs, labs"),
        ("F unused", "#[hot]\nF unused", "function unused"),
        ("X Point {", "X Idle {}\nX Point {", "impl Idle"),
    ] {
        let found = names(&replaced(KINDS, from, to));
        assert!(found.iter().any(|name| name == named), "`{named}` is not among {found:?}");
    }
}

#[test]
fn people_get_sentences() {
    let project = project();
    let run = Run::hot(&project, FILE);
    let edited = replaced(KINDS, "\"one {n}", "\"two {n}");
    let human = ask(&project, run.id(), "human", &edited);
    let at = format!("{}:46", project.path(FILE).display());
    assert_eq!(human.out, format!("{at}: function step changed: live now\nwould be reloaded as v2\n"), "{}", human.err);
    let short = ask(&project, run.id(), "short", &edited);
    assert_eq!(short.out, format!("{at}:1: function step changed: live now\n"));
    let wrong = replaced(KINDS, "{n} {total}", "{nn} {total}");
    let human = ask(&project, run.id(), "human", &wrong);
    assert!(
        human.out.contains("[E0201]") && human.out.ends_with("would be rejected; v1 would run on\n"),
        "{}",
        human.out
    );
    let short = ask(&project, run.id(), "short", &wrong);
    assert!(short.out.contains("error[E0201]: ") && short.out.lines().count() == 1, "{}", short.out);
    let refused = ask(&project, run.id(), "human", &replaced(KINDS, WINTER, "E Season { Summer }\nG season: Season\n"));
    assert!(refused.out.contains(": refused: ") && refused.out.contains("\n  help: "), "{}", refused.out);
}

/// Without `--text` it is about the file as it lies on disk, with it about a draft, also from standard input.
#[test]
fn the_text_comes_from_the_file_a_draft_or_standard_input() {
    let counter = Counter::start();
    let process = counter.run.id().to_string();
    let asked = run_to_end(&counter.project, ["check", "--against", &process, FILE]);
    assert_eq!((asked.status, asked.out.contains("unchanged")), (Some(0), true), "{asked:?}");
    let draft = counter.project.read(FILE).replace("\"one ", "\"draft ");
    counter.project.write("draft", &draft);
    let file = std::fs::File::open(counter.project.path("draft")).expect("it exists");
    let asked = Run::prepared(&counter.project, |command| {
        command.args(["check", "--against", &process, "--text", "-", FILE]).stdin(file);
    });
    let asked = asked.finish();
    assert!(asked.out.contains("step changed: live now"), "{asked:?}");
}

#[test]
fn wrong_usage_is_2_and_says_why() {
    let counter = Counter::start();
    let process = counter.run.id().to_string();
    counter.project.write("stranger.vais", "F main() -> i64 { 0 }\n");
    counter.project.write("bytes.vais", "");
    std::fs::write(counter.project.path("bytes.vais"), [0xff, 0xfe]).expect("written");
    let own = std::process::id().to_string();
    for (arguments, why) in [
        (vec!["check", "--against", &process, "stranger.vais"], "is no file of the program"),
        (vec!["check", "--against", &process, "missing.vais"], "there is no file"),
        (vec!["check", "--against", &process, "bytes.vais"], "UTF-8"),
        (vec!["check", "--against", &process, "--text", "draft", FILE, FILE], "--text goes with one file"),
        (vec!["check", "--against", &own, FILE], "is no `vaisjit run`"),
        (vec!["check", "--against", "4194305", FILE], "there is no process 4194305"),
        (vec!["check", "--against", "0", FILE], "invalid value"),
        (vec!["check", "--against", "-1", FILE], "unexpected argument"),
        (vec!["check", "--against", "me", FILE], "invalid value"),
        (vec!["check", "--text", "draft", FILE], "required"),
        (vec!["check", "--against", "1", "--warn", "all", FILE], "cannot be used with"),
    ] {
        let finished = run_to_end(&counter.project, &arguments);
        assert_eq!(finished.status, Some(2), "{arguments:?}: {finished:?}");
        assert!(finished.err.contains(why), "{arguments:?}: {}", finished.err);
        assert_eq!(finished.out, "", "{arguments:?}");
    }
}

fn name_of(process: u32) -> SocketAddr {
    // SAFETY: it takes nothing and cannot fail.
    let user = unsafe { libc::geteuid() };
    SocketAddr::from_abstract_name(format!("vaisjit-{user}-{process}")).expect("a name")
}

fn connect(process: u32) -> UnixStream {
    let name = name_of(process);
    until("the socket", || UnixStream::connect_addr(&name).ok())
}

#[test]
fn the_socket_is_gone_with_the_process() {
    let counter = Counter::start();
    let process = counter.run.id();
    drop(connect(process));
    counter.run.interrupt();
    assert_eq!(counter.run.finish().status, Some(130));
    assert!(UnixStream::connect_addr(&name_of(process)).is_err());
}

/// Sends bytes and returns the answer, if any comes: who is kept from sending for a moment is taken for somebody without
/// a question.
fn send_once(process: u32, bytes: &[u8]) -> String {
    let mut stream = connect(process);
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("set");
    // It may have hung up already.
    let _ = stream.write_all(bytes);
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

/// Sends bytes until there is an answer to them.
fn send(process: u32, bytes: &[u8]) -> String {
    until("an answer", || Some(send_once(process, bytes)).filter(|answer| !answer.is_empty()))
}

#[test]
fn whatever_comes_over_the_socket_the_program_runs_on() {
    let mut counter = Counter::start();
    let process = counter.run.id();
    let deep = "[".repeat(100_000);
    for wrong in [
        "",
        "{}",
        "[]",
        "null",
        "1e999",
        "{\"vaisjit\":1}",
        "\u{0}\u{1}",
        &deep,
        "{\"vaisjit\":99,\"check\":[],\"format\":\"json\"}",
    ] {
        let answer = send(process, format!("{wrong}\n").as_bytes());
        assert!(answer.contains("\"verdict\":\"error\""), "{:.40}: {answer}", wrong);
    }
    assert_eq!(send_once(process, &vec![b'x'; 20 << 20]), "", "a line without an end is given up");
    let nothing = json!({ "vaisjit": 1, "check": [], "format": "json" });
    assert!(send(process, format!("{nothing}\n").as_bytes()).contains("unchanged"));
    // Connections that say nothing, that go away with their question asked, and that never read their answer.
    let silent: Vec<UnixStream> = (0..3).map(|_| connect(process)).collect();
    let large = json!({ "vaisjit": 1, "check": [{ "file": counter.project.path(FILE), "text": "F ".repeat(100_000) }], "format": "human" });
    let ask = || {
        let mut stream = connect(process);
        // It may have hung up if this thread was kept from sending.
        let _ = stream.write_all(format!("{large}\n").as_bytes());
        stream
    };
    (0..3).for_each(|_| drop(ask()));
    let deaf = ask();
    let (status, answer) = verdict(&counter.project, process, &counter.project.read(FILE));
    assert_eq!((status, &answer["verdict"]), (Some(0), &json!("unchanged")));
    drop((silent, deaf));
    counter.project.save(FILE, &crate::counter::tagged("two"));
    assert_eq!(counter.run.event("reloaded")["version"], 2);
    counter.sees("two");
    counter.is_continuous();
}

/// Bytes of memory that a process has in use, without its executable's: who else maps that decides how it counts.
fn memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup")).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("Anonymous:")).expect("there is such a line");
    line.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok()).expect("a number") * 1024
}

/// Asks over the socket, without starting a process for each.
fn ask_directly(process: u32, question: &Value) -> Value {
    serde_json::from_str(&send(process, format!("{question}\n").as_bytes())).expect("an answer")
}

/// Thousands of asks: no memory, no version, no event, and the next save is a save like any other.
#[test]
fn asks_leave_nothing_behind() {
    let project = project();
    let mut run = Run::hot(&project, FILE);
    let edited = |round: usize| {
        let text = KINDS.replace("\"one {n}", &format!("\"asked {round} {} {{n}}", "x".repeat(1000)));
        match round % 4 {
            0 => text,
            1 => text.replace("G idle", "G brand: i64 = 5\nG idle"),
            2 => text.replace("F unused", "F brand_new(v: Vec<Mood>) -> i64 { v.len() }\nF unused"),
            _ => text.replace("{twice(n)}", "{twic(n)}"),
        }
    };
    let ask = |rounds: std::ops::Range<usize>| {
        for round in rounds {
            let check = json!([{ "file": project.path(FILE), "text": edited(round) }]);
            let answer = ask_directly(run.id(), &json!({ "vaisjit": 1, "check": check, "format": "json" }));
            let expected = if round % 4 == 3 { "rejected" } else { "reloaded" };
            assert_eq!(answer["verdict"], expected, "{answer:#}");
            assert!(answer["version"] == 1 || answer["version"] == 2, "{answer:#}");
        }
        memory(run.id())
    };
    let before = ask(0..200);
    // What is only in use for a while, as code that nobody has swept yet, is not counted: the least of some looks.
    let mut looks = vec![ask(200..2200)];
    let fits = |looks: &[u64]| looks.iter().any(|after| *after < before + (1 << 20));
    while !fits(&looks) && looks.len() < 5 {
        let next = 2100 + 100 * looks.len();
        looks.push(ask(next..next + 100));
    }
    assert!(fits(&looks), "{before} bytes became {looks:?} by 2,000 asks and more");
    println!("{before} bytes became {looks:?}");
    assert_eq!(run.events_so_far(), [] as [Value; 0]);
    project.save(FILE, &edited(1));
    let event = decided(&mut run);
    assert_eq!((&event["event"], &event["version"]), (&json!("reloaded"), &json!(2)), "{event:#}");
    run.out.line("the new code", |line| line.starts_with("asked 1 "));
}

#[test]
fn a_process_that_is_stopped_is_not_waited_for() {
    let project = project();
    let mut run = Run::hot(&project, FILE);
    run.out.line("it runs", |line| line.starts_with("one "));
    assert_eq!(verdict(&project, run.id(), KINDS).0, Some(0));
    run.signal(libc::SIGSTOP);
    let finished = ask(&project, run.id(), "human", KINDS);
    run.signal(libc::SIGCONT);
    assert_eq!(finished.status, Some(2), "{}", finished.err);
    assert!(finished.err.contains("does not answer: it is stopped"), "{}", finished.err);
    assert_eq!(verdict(&project, run.id(), KINDS).0, Some(0), "it goes on");
}
