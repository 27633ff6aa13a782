//! `hot_save` and `hot_load`: state that outlives the process, edits of the program, full disks and sudden ends.

use std::process::Command;

use crate::harness::{Project, Run, run_to_end};

const FILE: &str = "game.vais";

const GAME: &str = r#"
S Item { name: str, count: i64, weight: f64 }
G items: Vec<Item>
G best: *Item

#[hot]
F go() -> i64 { 0 }

F main() -> i64 {
    L i: 0..20000 { items.push(Item { name: "item {i}", count: i, weight: 0.5 }) }
    best = &items[7]
    println("first {hot_save(\"state.json\")}")
    L go() == 0 { usleep(2000) }
    I go() == 1 { items.clear() }
    best = malloc(24) as *Item
    println("second {hot_save(\"state.json\")}")
    0
}
"#;

const LATER: &str = r#"
S Item { weight: f64, label: str = "none", count: i32, name: str }
G items: Vec<Item>
G best: *Item
G runs: i64 = 1

F main() -> i64 {
    loaded := hot_load("state.json")
    I loaded != 0 { R 0 - loaded }
    println("{items.len()} {items[19999].name} {items[19999].count} {items[3].label} {best.name} {runs}")
    0
}
"#;

#[test]
fn state_is_loaded_by_a_later_version_in_another_process() {
    let project = Project::new(&[(FILE, GAME), ("later.vais", LATER)]);
    let mut run = Run::hot(&project, FILE);
    run.out.line("the first state", |line| line == "first 0");
    let later = run_to_end(&project, ["run", "later.vais"]);
    assert_eq!((later.status, &*later.out), (Some(0), "20000 item 19999 19999 none item 7 1\n"), "{}", later.err);
    assert!(later.err.contains("`runs` is not in the file and keeps its value"), "{}", later.err);
    project.edit(FILE, "-> i64 { 0 }", "-> i64 { 1 }");
    run.out.line("the second state", |line| line == "second 0");
    let finished = run.finish();
    assert_eq!(finished.status, Some(0));
    assert!(finished.err.contains("hot_save: `best` points to memory that vaisjit does not know"), "{}", finished.err);
    assert!(project.read("state.json").contains("\"objects\": [\n{\"type\": \"Vec<Item>\", \"value\": []}\n]"));
}

#[test]
fn a_missing_and_a_damaged_file_are_codes_and_notices() {
    let project = Project::new(&[("later.vais", LATER)]);
    let missing = run_to_end(&project, ["run", "later.vais"]);
    assert_eq!(missing.status, Some(1), "{}", missing.err);
    assert!(missing.err.contains("hot_load: cannot read `"), "{}", missing.err);
    project.write("state.json", "{\"vaisjit\": \"state\", \"format\": 1, \"globals\": {");
    let damaged = run_to_end(&project, ["run", "later.vais"]);
    assert_eq!(damaged.status, Some(2), "{}", damaged.err);
    assert!(damaged.err.contains("hot_load: cannot load `") && damaged.err.contains("line 1"), "{}", damaged.err);
    std::fs::write(project.path("state.json"), [b'{', 0xff, b'}']).unwrap();
    let garbled = run_to_end(&project, ["run", "later.vais"]);
    assert_eq!(garbled.status, Some(2), "{}", garbled.err);
    assert!(garbled.err.contains("it is not UTF-8"), "{}", garbled.err);
}

/// Starts the game with the signal of too large files ignored or not, lets it save once, and then leaves it room for small
/// files only.
#[cfg(target_os = "linux")]
fn without_room(ignored: bool) -> (Project, Run, String) {
    let project = Project::new(&[(FILE, GAME)]);
    let mut command = Command::new("sh");
    let trap = if ignored { "trap '' XFSZ; " } else { "" };
    command.arg("-c").arg(format!("{trap}exec \"$0\" run {FILE}")).arg(env!("CARGO_BIN_EXE_vaisjit"));
    command.current_dir(project.folder());
    let mut run = Run::foreign(&project, command);
    run.out.line("the first state", |line| line == "first 0");
    let before = project.read("state.json");
    let limit = libc::rlimit { rlim_cur: 1000, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the limit lives as long as the call, and nothing is written back.
    let set = unsafe { libc::prlimit(run.id() as i32, libc::RLIMIT_FSIZE, &limit, std::ptr::null_mut()) };
    assert_eq!(set, 0);
    project.edit(FILE, "-> i64 { 0 }", "-> i64 { 2 }");
    (project, run, before)
}

#[cfg(target_os = "linux")]
fn names(project: &Project) -> Vec<String> {
    let entries = std::fs::read_dir(project.folder()).expect("a folder");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| name.contains("state.json"));
    names
}

#[test]
#[cfg(target_os = "linux")]
fn without_room_the_file_before_stays_and_nothing_is_left() {
    let (project, mut run, before) = without_room(true);
    run.out.line("the failure", |line| line == "second -1");
    assert!(run.finish().err.contains("hot_save: cannot write `"));
    assert_eq!(project.read("state.json"), before);
    assert_eq!(names(&project), ["state.json"]);
}

#[test]
#[cfg(target_os = "linux")]
fn killed_while_it_writes_it_leaves_the_file_before() {
    let (project, run, before) = without_room(false);
    let finished = run.finish();
    assert_eq!(finished.status, None, "{}", finished.err);
    assert_eq!(project.read("state.json"), before);
}
