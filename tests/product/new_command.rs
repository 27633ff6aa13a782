//! `vaisjit new`: the project runs, can be edited while it does, passes its tests and is formatted.

use crate::harness::{Project, Run, run_to_end};

/// A folder with a new project in it, as its own.
fn made() -> Project {
    let outside = Project::new(&[]);
    let finished = run_to_end(&outside, ["new", "wave"]);
    assert_eq!((finished.status, finished.out.as_str()), (Some(0), ""), "{finished:?}");
    let project = Project::new(&[]);
    for entry in std::fs::read_dir(outside.path("wave")).unwrap().flatten() {
        std::fs::copy(entry.path(), project.path(&entry.file_name().to_string_lossy())).unwrap();
    }
    project
}

#[test]
fn it_runs_and_takes_edits() {
    let project = made();
    let mut run = Run::hot(&project, "main.vais");
    run.out.line("the wave", |line| line.trim_start() == "*");
    project.edit("main.vais", "C MARK: str = \"*\"", "C MARK: str = \"~\"");
    run.event("reloaded");
    run.out.line("the new mark", |line| line.trim_start() == "~");
    project.edit("wave.vais", "(swing * (width - 1) as f64) as i64", "1");
    run.event("reloaded");
    run.out.line("the new place", |line| line == " ~");
    run.interrupt();
    let finished = run.finish();
    assert_eq!(finished.status, Some(130));
    assert!(!finished.err.contains("arning") && !finished.err.contains("rror"), "{finished:?}");
}

#[test]
fn it_is_tested_checked_and_formatted() {
    let project = made();
    let tests = run_to_end(&project, ["test"]);
    assert_eq!((tests.status, tests.out.lines().last()), (Some(0), Some("2 passed, 0 failed")), "{tests:?}");
    let check = run_to_end(&project, ["check", "--warn", "all", "main.vais", "wave.vais", "tests.vais"]);
    assert_eq!((check.status, check.out.as_str()), (Some(0), ""), "{check:?}");
    let fmt = run_to_end(&project, ["fmt", "--check", "."]);
    assert_eq!((fmt.status, fmt.out.as_str()), (Some(0), ""), "{fmt:?}");
    let readme = project.read("README.md");
    assert!(readme.starts_with("# wave\n") && readme.contains("vaisjit run main.vais"), "{readme}");
    assert!(!project.read(".gitignore").is_empty());
}

#[test]
fn folders_that_have_something_in_them_are_refused() {
    let project = Project::new(&[("full/file", ""), ("file", "")]);
    std::fs::create_dir(project.path("empty")).unwrap();
    for name in ["full", "file", "file/inside"] {
        let finished = run_to_end(&project, ["new", name]);
        assert_eq!((finished.status, finished.err.lines().count()), (Some(1), 1), "{name}: {finished:?}");
        assert!(finished.err.contains(&format!("`{name}`")), "{finished:?}");
    }
    assert_eq!(run_to_end(&project, ["new", "empty"]).status, Some(0));
    assert_eq!(run_to_end(&project, ["new", "in/between"]).status, Some(0));
    assert!(project.read("in/between/main.vais").contains("F main"));
}

#[test]
fn bad_names_are_refused() {
    let project = Project::new(&[]);
    for name in ["9lives", "two words", "..", ".", "a.b", "ä"] {
        let finished = run_to_end(&project, ["new", name]);
        assert_eq!((finished.status, finished.err.lines().count()), (Some(2), 1), "{name}: {finished:?}");
    }
    assert_eq!(std::fs::read_dir(project.folder()).unwrap().count(), 0);
}

#[test]
fn a_read_only_folder_is_told_in_a_line() {
    use std::os::unix::fs::PermissionsExt;
    let project = Project::new(&[]);
    let lock = |mode| std::fs::set_permissions(project.folder(), std::fs::Permissions::from_mode(mode)).unwrap();
    lock(0o555);
    // Root may write where others may not.
    let may_write = std::fs::write(project.path("probe"), "").is_ok();
    let finished = run_to_end(&project, ["new", "wave"]);
    lock(0o755);
    if !may_write {
        assert_eq!((finished.status, finished.err.lines().count()), (Some(1), 1), "{finished:?}");
    }
}
