//! Saves as real editors and tools do them: each is noticed, becomes live as a whole, and loses no step and no data.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::time::Duration;

use crate::counter::{Counter, FILE, TEXT, names, tagged};
use crate::harness::{Project, Run};

/// Saves "two" by whatever means and checks all that a good save must do.
fn saves_well(save: impl FnOnce(&Project)) {
    // A long debounce: a slow machine must not turn a half-written file into a mistake.
    let mut counter = Counter::with(&["--debounce", "60000"]);
    save(&counter.project);
    let event = counter.run.event("reloaded");
    assert_eq!(event["version"], 2);
    assert_eq!(names(&event, "functions"), ["step"]);
    counter.sees("two");
    counter.still("two");
    counter.is_continuous();
}

#[test]
fn in_place() {
    saves_well(|project| project.write(FILE, &tagged("two")));
}

#[test]
fn truncated_first_and_written_later() {
    saves_well(|project| {
        let mut file = File::create(project.path(FILE)).unwrap();
        std::thread::sleep(Duration::from_millis(15));
        file.write_all(tagged("two").as_bytes()).unwrap();
    });
}

#[test]
fn written_in_two_halves() {
    saves_well(|project| {
        let text = tagged("two");
        let mut file = File::create(project.path(FILE)).unwrap();
        file.write_all(&text.as_bytes()[..text.len() / 2]).unwrap();
        std::thread::sleep(Duration::from_millis(15));
        file.write_all(&text.as_bytes()[text.len() / 2..]).unwrap();
    });
}

#[test]
fn a_temporary_file_renamed_over_the_old_one() {
    saves_well(|project| project.save(FILE, &tagged("two")));
}

#[test]
fn a_backup_renamed_away_first() {
    saves_well(|project| {
        fs::rename(project.path(FILE), project.path("game.vais~")).unwrap();
        project.write(FILE, &tagged("two"));
    });
}

#[test]
fn deleted_and_created_again() {
    saves_well(|project| {
        fs::remove_file(project.path(FILE)).unwrap();
        std::thread::sleep(Duration::from_millis(15));
        project.write(FILE, &tagged("two"));
    });
}

#[test]
fn many_saves_in_a_row_by_each_means() {
    let mut counter = Counter::start();
    for round in 0..5 {
        for (tag, in_place) in [("inplace", true), ("renamed", false)] {
            let tag = format!("{tag}{round}");
            match in_place {
                true => counter.project.write(FILE, &tagged(&tag)),
                false => counter.project.save(FILE, &tagged(&tag)),
            }
            counter.run.event_after("reloaded", &["rejected", "notice"]);
            counter.sees(&tag);
        }
    }
    counter.is_continuous();
}

#[test]
fn a_burst_of_fifty_saves_ends_with_the_last() {
    let mut counter = Counter::with(&["--debounce", "60000"]);
    for number in 1..=50 {
        counter.project.save(FILE, &tagged(&format!("burst{number}")));
    }
    counter.sees("burst50");
    counter.still("burst50");
    counter.is_continuous();
    let events = counter.run.events_so_far();
    let reloads = events.iter().filter(|event| event["event"] == "reloaded").count();
    assert!((1..=50).contains(&reloads), "{events:#?}");
    assert!(events.iter().all(|event| event["event"] != "rejected"), "{events:#?}");
}

const PAIR_MAIN: &str = r#"U left
U right

#[hot]
F step(n: i64) -> i64 {
    println("{left_side()}{right_side()} {n}")
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
"#;

fn side(name: &str, value: i64) -> String {
    format!("#[hot]\nF {name}_side() -> i64 {{ {value} }}\n")
}

/// Two files that are saved together are seen together, though the tool may be quicker than the second save.
#[test]
fn two_files_at_once() {
    let project =
        Project::new(&[("main.vais", PAIR_MAIN), ("left.vais", &side("left", 1)), ("right.vais", &side("right", 1))]);
    let mut run = Run::hot(&project, "main.vais");
    run.out.line("the first step", |line| line.starts_with("11 "));
    project.save("left.vais", &side("left", 2));
    project.save("right.vais", &side("right", 2));
    let line = run.out.line("both new halves", |line| line.starts_with("22 "));
    assert!(line.starts_with("22 "));
    let mut changed: Vec<String> = Vec::new();
    while changed.len() < 2 {
        let event = run.event("reloaded");
        changed.extend(names(&event, "functions").into_iter().map(str::to_owned));
    }
    changed.sort();
    assert_eq!(changed, ["left_side", "right_side"]);
}

/// A caller and its callee's new signature lie in two files: neither half is good alone.
#[test]
fn two_files_that_need_each_other() {
    let project = Project::new(&[
        ("main.vais", &PAIR_MAIN.replace("U right\n", "").replace("{right_side()}", "")),
        ("left.vais", &side("left", 1)),
    ]);
    let mut run = Run::hot_with(&project, "main.vais", &["--debounce", "60000"]);
    run.out.line("the first step", |line| line.starts_with("1 "));
    let main = project.read("main.vais").replace("left_side()", "left_side(40)");
    project.save("main.vais", &main);
    project.save("left.vais", "#[hot]\nF left_side(n: i64) -> i64 { n + 2 }\n");
    run.event("reloaded");
    run.out.line("the new caller with the new callee", |line| line.starts_with("42 "));
}

/// As a branch switch by some tools: the folder goes away and another takes its name.
#[test]
fn the_folder_is_replaced_by_a_rename() {
    let project = Project::new(&[("work/game.vais", TEXT), ("other/game.vais", &tagged("two"))]);
    let mut run = Run::hot_with(&project, "work/game.vais", &["--debounce", "60000"]);
    run.out.line("the first step", |line| line.starts_with("one "));
    fs::rename(project.path("work"), project.path("old")).unwrap();
    fs::rename(project.path("other"), project.path("work")).unwrap();
    run.event("reloaded");
    run.out.line("the other folder's code", |line| line.starts_with("two "));
    // The new folder is watched from now on, the old one no longer.
    project.save("work/game.vais", &tagged("three"));
    run.event("reloaded");
    run.out.line("a save in the new folder", |line| line.starts_with("three "));
}

/// As a deployment does it: the folder is a symbolic link that is pointed elsewhere.
#[test]
fn the_folder_is_replaced_by_another_symbolic_link() {
    let project = Project::new(&[("one/game.vais", TEXT), ("two/game.vais", &tagged("two"))]);
    symlink("one", project.path("current")).unwrap();
    let mut run = Run::hot(&project, "current/game.vais");
    run.out.line("the first step", |line| line.starts_with("one "));
    symlink("two", project.path("next")).unwrap();
    fs::rename(project.path("next"), project.path("current")).unwrap();
    run.event("reloaded");
    run.out.line("the other folder's code", |line| line.starts_with("two "));
    project.save("two/game.vais", &tagged("three"));
    run.event("reloaded");
    run.out.line("a save where the link leads", |line| line.starts_with("three "));
}

/// A file that is itself a symbolic link is saved where it leads to.
#[test]
fn a_linked_file() {
    let project = Project::new(&[("real/game.vais", TEXT)]);
    symlink("real/game.vais", project.path(FILE)).unwrap();
    let mut run = Run::hot(&project, FILE);
    run.out.line("the first step", |line| line.starts_with("one "));
    project.save("real/game.vais", &tagged("two"));
    run.event("reloaded");
    run.out.line("the new code", |line| line.starts_with("two "));
}

/// As a checkout of another branch: many files change, some come, some go.
#[test]
fn a_branch_with_other_files() {
    let project = Project::new(&[
        ("main.vais", &PAIR_MAIN.replace("U right\n", "").replace("{right_side()}", "")),
        ("left.vais", &side("left", 1)),
    ]);
    let mut run = Run::hot_with(&project, "main.vais", &["--debounce", "60000"]);
    run.out.line("the first step", |line| line.starts_with("1 "));
    let without_left = PAIR_MAIN.replace("U left\n", "").replace("{left_side()}", "");
    fs::remove_file(project.path("left.vais")).unwrap();
    project.write("main.vais", &without_left);
    project.write("right.vais", &side("right", 7));
    run.event("reloaded");
    run.out.line("the other branch", |line| line.starts_with("7 "));
    project.save("right.vais", &side("right", 8));
    run.event("reloaded");
    run.out.line("a save of the new file", |line| line.starts_with("8 "));
}

#[test]
fn polling_sees_saves_too() {
    let mut counter = Counter::with(&["--poll"]);
    counter.retag("two");
    counter.is_continuous();
}
