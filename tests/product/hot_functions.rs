//! `std/hot`: programs that steer their own reloads.

use crate::harness::{Project, Run, run_to_end, until};

const FILE: &str = "game.vais";

/// Starts a program of `main`'s body, with a hot function `tag` to edit.
fn start(body: &str) -> (Project, Run) {
    let text = format!("#[hot]\nF tag() -> i64 {{ 1 }}\n\nF main() -> i64 {{\n{body}\n}}\n");
    let project = Project::new(&[(FILE, &text)]);
    let run = Run::hot(&project, FILE);
    (project, run)
}

fn save_tag(project: &Project, tag: i64) {
    let text = project.read(FILE);
    let (before, rest) = text.split_once("-> i64 { ").unwrap();
    let (_, after) = rest.split_once(" }").unwrap();
    project.save(FILE, &format!("{before}-> i64 {{ {tag} }}{after}"));
}

#[test]
fn a_program_that_called_hot_init_reloads_where_it_checks() {
    let (project, mut run) = start(
        r#"    r := hot_init("./game.vais")
    println("init {r}")
    n := 0
    L n < 1000000 {
        before := tag()
        usleep(3000)
        after := tag()
        I before != after { println("MIXED") }
        c := hot_check()
        I c > 0 { println("reloaded {hot_version()} {tag()}") }
        I c < 0 { println("failed {c < 0} {tag()}") }
        n += 1
    }
    0"#,
    );
    run.out.line("a good init", |line| line == "init 0");
    save_tag(&project, 2);
    run.out.line("the reload", |line| line == "reloaded 2 2");
    let good = project.read(FILE);
    project.save(FILE, &good.replace("{ 2 }", "{ tog() }"));
    run.out.line("the failure, once", |line| line == "failed 1 2");
    save_tag(&project, 3);
    run.out.line("the next reload, no second failure", |line| {
        assert!(!line.starts_with("failed") && line != "MIXED", "{line}");
        line == "reloaded 3 3"
    });
}

#[test]
fn hot_check_in_a_program_that_reloads_by_itself_tells_of_each_reload_once() {
    let (project, mut run) = start(
        r#"    r := hot_start("./game.vais")
    println("start {r}")
    n := 0
    L n < 1000000 {
        I hot_check() == 1 { println("told {hot_version()} {tag()}") }
        usleep(2000)
        n += 1
    }
    0"#,
    );
    run.out.line("a good start", |line| line == "start 0");
    for version in 2..6 {
        save_tag(&project, version);
        run.event("reloaded");
        let line = run.out.line("the news", |line| line.starts_with("told "));
        assert_eq!(line, format!("told {version} {version}"));
    }
}

#[test]
fn hot_reload_is_told_whether_it_swapped() {
    let (project, mut run) = start(
        r#"    hot_init("./game.vais")
    n := 0
    L n < 1000000 {
        I hot_reload() == 1 { println("swapped {hot_version()} {tag()}") }
        usleep(2000)
        n += 1
    }
    0"#,
    );
    save_tag(&project, 2);
    run.out.line("the swap", |line| line == "swapped 2 2");
}

#[test]
fn a_missing_file_is_a_negative_result_and_the_running_file_is_watched_all_the_same() {
    let (project, mut run) = start(
        r#"    r := hot_start("./nowhere.vais")
    I r < 0 { println("negative") }
    n := 0
    L n < 1000000 {
        println("tag {tag()}")
        usleep(2000)
        n += 1
    }
    0"#,
    );
    run.out.line("the result", |line| line == "negative");
    run.err.line("a notice", |line| line.contains("nowhere.vais"));
    save_tag(&project, 2);
    run.event("reloaded");
    run.out.line("the new code", |line| line == "tag 2");
}

#[test]
fn hot_loop_ends_with_the_first_result_that_is_not_zero() {
    let text = "#[hot]\nF update() -> i64 {\n    0\n}\n\nF main() -> i64 {\n    hot_loop(update)\n}\n";
    let project = Project::new(&[(FILE, text)]);
    let mut run = Run::hot(&project, FILE);
    project.save(FILE, &text.replace("    0\n", "    41 + 1\n"));
    run.event("reloaded");
    assert_eq!(run.finish().status, Some(42));
}

#[test]
fn hot_loop_yields_the_processor() {
    let text = "#[hot]\nF update() -> i64 {\n    0\n}\n\nF main() -> i64 {\n    hot_loop(update)\n}\n";
    let project = Project::new(&[(FILE, text)]);
    let run = Run::hot(&project, FILE);
    // A loop that spins never gives up the processor by itself.
    let before = given_up(run.id());
    until("a hundred turns that end with a rest", || (given_up(run.id()) >= before + 100).then_some(()));
}

/// How often the main thread of a process has given up the processor by itself.
fn given_up(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("the process runs");
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    line.and_then(|count| count.trim().parse().ok()).expect("it is counted")
}

#[test]
fn hot_on_reload_calls_back() {
    let text = r#"F news(version: i64) -> i64 {
    println("news of {version}, {hot_version()}")
    0
}

#[hot]
F tag() -> i64 { 1 }

F main() -> i64 {
    hot_on_reload(news)
    n := 0
    L n < 1000000 {
        hot_check()
        usleep(2000)
        n += 1
    }
    0
}
"#;
    let project = Project::new(&[(FILE, text)]);
    let mut run = Run::hot(&project, FILE);
    project.save(FILE, &text.replace("{ 1 }", "{ 2 }"));
    run.event("reloaded");
    run.out.line("the callback", |line| line == "news of 2, 2");
}

#[test]
fn the_version_and_the_clean_up_without_any_reload() {
    let project = Project::new(&[(
        FILE,
        "F main() -> i64 {\n    println(\"{hot_version()} {hot_check()} {hot_cleanup()}\")\n    0\n}\n",
    )]);
    let finished = run_to_end(&project, ["run", FILE]);
    assert_eq!((finished.status, &*finished.out), (Some(0), "1 0 0\n"), "{finished:?}");
}
