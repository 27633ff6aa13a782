//! `vaisjit fmt`: files, folders, standard input, `--check`, and files that are left alone.

use std::fs;
use std::process::Stdio;

use crate::harness::{Finished, Project, Run, run_to_end};

const UGLY: &str = "F  f( a:i64 )->i64{\n# one\n  a+1 }\n";
const NEAT: &str = "F f(a: i64) -> i64 {\n    # one\n    a + 1\n}\n";
const BROKEN: &str = "F  f( {\n";

/// `vaisjit fmt` with a text at standard input.
fn piped(args: &[&str], text: &[u8]) -> Finished {
    let project = Project::new(&[]);
    fs::write(project.path("input"), text).unwrap();
    let input = fs::File::open(project.path("input")).unwrap();
    let run = Run::prepared(&project, |command| {
        command.arg("fmt").args(args).stdin(Stdio::from(input));
    });
    run.finish()
}

#[test]
fn a_file_is_formatted_once() {
    let project = Project::new(&[("a.vais", UGLY)]);
    let first = run_to_end(&project, ["fmt", "a.vais"]);
    assert_eq!((first.status, first.out.as_str(), first.err.as_str()), (Some(0), "", "formatted a.vais\n"));
    assert_eq!(project.read("a.vais"), NEAT);
    let time = fs::metadata(project.path("a.vais")).unwrap().modified().unwrap();
    let second = run_to_end(&project, ["fmt", "a.vais"]);
    assert_eq!((second.status, second.err.as_str()), (Some(0), ""));
    assert_eq!(fs::metadata(project.path("a.vais")).unwrap().modified().unwrap(), time, "not written again");
    let left: Vec<_> = fs::read_dir(project.folder()).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["a.vais"], "no temporary file is left");
}

#[test]
fn check_lists_and_changes_nothing() {
    let project = Project::new(&[("ugly.vais", UGLY), ("neat.vais", NEAT), ("deep/ugly.vais", UGLY)]);
    let finished = run_to_end(&project, ["fmt", "--check", "."]);
    assert_eq!((finished.status, finished.out.as_str()), (Some(1), "deep/ugly.vais\nugly.vais\n"), "{finished:?}");
    assert_eq!(project.read("ugly.vais"), UGLY);
    let finished = run_to_end(&project, ["fmt", "."]);
    assert_eq!(finished.status, Some(0), "{finished:?}");
    let finished = run_to_end(&project, ["fmt", "--check", ".", "neat.vais"]);
    assert_eq!((finished.status, finished.out.as_str()), (Some(0), ""), "{finished:?}");
}

#[test]
fn a_file_with_mistakes_is_left_alone_and_the_others_are_formatted() {
    let project = Project::new(&[("broken.vais", BROKEN), ("ugly.vais", UGLY)]);
    let finished = run_to_end(&project, ["fmt", "."]);
    assert_eq!(finished.status, Some(1), "{finished:?}");
    assert!(finished.err.contains("broken.vais:1:") && finished.err.contains("E01"), "{finished:?}");
    assert_eq!(project.read("broken.vais"), BROKEN);
    assert_eq!(project.read("ugly.vais"), NEAT);
}

#[test]
fn standard_input() {
    let finished = piped(&["-"], UGLY.as_bytes());
    assert_eq!((finished.status, finished.out.as_str(), finished.err.as_str()), (Some(0), NEAT, ""));
    let finished = piped(&["--check", "-"], UGLY.as_bytes());
    assert_eq!((finished.status, finished.out.as_str()), (Some(1), "<stdin>\n"));
    let finished = piped(&["-"], BROKEN.as_bytes());
    assert_eq!((finished.status, finished.out.as_str()), (Some(1), ""));
    let finished = piped(&["-"], &[b'F', 0xff]);
    assert_eq!(finished.status, Some(1));
    assert!(finished.err.contains("UTF-8") && finished.err.lines().count() == 1, "{finished:?}");
}

#[test]
fn permissions_and_links_stay() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let project = Project::new(&[("real.vais", UGLY)]);
    fs::set_permissions(project.path("real.vais"), fs::Permissions::from_mode(0o750)).unwrap();
    symlink("real.vais", project.path("link.vais")).unwrap();
    assert_eq!(run_to_end(&project, ["fmt", "link.vais"]).status, Some(0));
    assert_eq!(project.read("real.vais"), NEAT);
    assert!(fs::symlink_metadata(project.path("link.vais")).unwrap().is_symlink());
    assert_eq!(fs::metadata(project.path("real.vais")).unwrap().permissions().mode() & 0o777, 0o750);
}

#[test]
fn what_cannot_be_written_is_told_in_a_line() {
    use std::os::unix::fs::PermissionsExt;
    let project = Project::new(&[("locked.vais", UGLY), ("folder/a.vais", UGLY)]);
    let lock = |name: &str, mode| fs::set_permissions(project.path(name), fs::Permissions::from_mode(mode)).unwrap();
    lock("locked.vais", 0o444);
    lock("folder", 0o555);
    let file = run_to_end(&project, ["fmt", "locked.vais"]);
    // Root may write where others may not.
    let may_write = fs::write(project.path("folder/probe"), "").is_ok();
    let folder = run_to_end(&project, ["fmt", "folder"]);
    lock("folder", 0o755);
    assert_eq!((file.status, project.read("locked.vais").as_str()), (Some(1), UGLY), "{file:?}");
    assert!(file.err.starts_with("error: cannot write `locked.vais`") && file.err.lines().count() == 1, "{file:?}");
    if !may_write {
        assert_eq!((folder.status, project.read("folder/a.vais").as_str()), (Some(1), UGLY), "{folder:?}");
        assert_eq!(folder.err.lines().count(), 1, "{folder:?}");
    }
}
