//! What else can be in the place of the program's file: reloading says so, never waits, and goes on when there is a file
//! again.

use std::ffi::CString;
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;

use crate::harness::{Project, Run, run_to_end};

const FILE: &str = "a.vais";

/// Prints a number all the time.
fn program(number: i64) -> String {
    format!(
        "F step() -> i64 {{ {number} }}\nF main() -> i64 {{\n    L {{\n        println(\"is {{step()}}\")\n        usleep(1000)\n    }}\n    0\n}}\n"
    )
}

fn pipe(path: &Path) {
    let path = CString::new(path.to_string_lossy().as_bytes()).expect("no zero byte");
    // SAFETY: the path is a C string.
    assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }, 0, "the pipe is made");
}

/// Puts something else in the file's place; then a notice with these words must come, and after it another version.
fn survives(options: &[&str], words: &str, replace: impl FnOnce(&Project, &Path)) {
    let project = Project::new(&[(FILE, &program(1))]);
    let mut run = Run::hot_with(&project, FILE, options);
    run.out.line("the first version", |line| line == "is 1");
    let path = project.path(FILE);
    replace(&project, &path);
    notice(&mut run, words);
    run.out.skip();
    run.out.line("the program goes on", |line| line == "is 1");
    if path.is_dir() {
        fs::remove_dir(&path).expect("the folder is empty");
    }
    project.save(FILE, &program(2));
    run.out.line("the next version", |line| line == "is 2");
    assert!(run.is_running());
}

/// Waits for a notice with these words.
fn notice(run: &mut Run, words: &str) {
    loop {
        let notice = run.event("notice");
        if notice["text"].as_str().is_some_and(|text| text.contains(words)) {
            return;
        }
    }
}

#[test]
fn a_pipe() {
    for options in [&[][..], &["--poll"]] {
        survives(options, "is a pipe, not a source file; v1 runs on", |project, path| {
            let other = project.path("pipe");
            pipe(&other);
            fs::rename(other, path).expect("renamed");
        });
    }
}

#[test]
fn a_socket() {
    survives(&[], "is a socket, not a source file", |project, path| {
        let other = project.path("socket");
        UnixListener::bind(&other).expect("bound");
        fs::rename(other, path).expect("renamed");
    });
}

#[test]
fn a_folder() {
    survives(&[], "is a folder, not a source file", |_, path| {
        fs::remove_file(path).expect("removed");
        fs::create_dir(path).expect("made");
    });
}

#[test]
fn a_link_to_a_device() {
    survives(&[], "is a device, not a source file", |project, path| {
        symlink("/dev/zero", project.path("link")).expect("linked");
        fs::rename(project.path("link"), path).expect("renamed");
    });
}

#[test]
fn a_text_that_is_far_too_long() {
    survives(&[], "is longer than 16 MiB", |project, path| {
        let other = project.path("long");
        fs::File::create(&other).and_then(|file| file.set_len(1 << 33)).expect("a long file");
        fs::rename(other, path).expect("renamed");
    });
}

/// The link's end is made later, in another folder.
#[test]
fn a_link_that_leads_nowhere() {
    let project = Project::new(&[(FILE, &program(1)), ("other/readme", "")]);
    let mut run = Run::hot(&project, FILE);
    run.out.line("the first version", |line| line == "is 1");
    symlink("other/b.vais", project.path("link")).expect("linked");
    fs::rename(project.path("link"), project.path(FILE)).expect("renamed");
    notice(&mut run, "is a symbolic link to a file that does not exist");
    project.write("other/b.vais", &program(2));
    run.out.line("the next version", |line| line == "is 2");
}

/// An editor that makes the new file under another name and gives it the name by a hard link.
#[test]
fn a_hard_link() {
    let project = Project::new(&[(FILE, &program(1))]);
    let mut run = Run::hot(&project, FILE);
    for number in 2..5 {
        project.write("new", &program(number));
        fs::remove_file(project.path(FILE)).expect("removed");
        fs::hard_link(project.path("new"), project.path(FILE)).expect("linked");
        fs::remove_file(project.path("new")).expect("removed");
        run.out.line("the next version", |line| line == format!("is {number}"));
    }
}

/// It comes back as it was: that is said, too.
#[test]
fn a_file_that_is_away_for_a_while() {
    let project = Project::new(&[(FILE, &program(1))]);
    let mut run = Run::hot(&project, FILE);
    fs::rename(project.path(FILE), project.path("away")).expect("renamed");
    notice(&mut run, "there is no file");
    fs::rename(project.path("away"), project.path(FILE)).expect("renamed");
    notice(&mut run, "all files can be read again");
}

/// An import that is no file at first.
#[test]
fn an_import_that_becomes_readable() {
    let text = program(1);
    let project = Project::new(&[(FILE, &text)]);
    let mut run = Run::hot(&project, FILE);
    run.out.line("the first version", |line| line == "is 1");
    pipe(&project.path("side.vais"));
    project.save(FILE, &format!("U side\n{}", text.replace("{ 1 }", "{ other() }")));
    run.err.line("the mistake", |line| line.contains("side.vais` is a pipe, not a source file"));
    project.save("side.vais", "F other() -> i64 { 2 }\n");
    run.out.line("the next version", |line| line == "is 2");
}

#[test]
fn none_of_them_can_be_run() {
    let project = Project::new(&[("readme", "")]);
    pipe(&project.path("pipe.vais"));
    let finished = run_to_end(&project, ["run", "pipe.vais"]);
    assert_eq!(finished.status, Some(1), "{finished:?}");
    assert!(finished.err.contains("`pipe.vais` is a pipe, not a source file"), "{finished:?}");
}
