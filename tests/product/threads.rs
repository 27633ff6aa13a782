//! Programs with threads of their own: a save reaches all of them, and they end with the program.

use std::cell::Cell;

use crate::harness::{Project, Run, run_to_end};

const FILE: &str = "many.vais";

#[test]
fn a_save_reaches_every_thread() {
    let text = r#"U std/thread

#[hot]
F tag() -> i64 { 1 }

F twice() -> i64 { tag() * 2 }

F work(name: str, news: Channel<str>) -> i64 {
    seen := 0
    L tag() != 99 {
        now := twice()
        I now != seen { news.send("{name} {now}") }
        seen = now
        I name == "slow" { sleep_ms(1) }
    }
    0
}

F main() -> i64 {
    news: Channel<str> = Channel.new()
    a := spawn(|| work("quick", news))
    b := spawn(|| work("slow", news))
    ender := spawn(|| {
        a.join()!
        b.join()!
        news.close()
        0
    })
    L {
        M news.receive() {
            Some(line) => { println(line) }
            None => { B }
        }
    }
    ender.join()!
}
"#;
    let project = Project::new(&[(FILE, text)]);
    let path = project.path(FILE);
    let mut run = Run::prepared(&project, |command| {
        command.arg("run").arg(path).env("VAISJIT_LEAK_CHECK", "1");
    });
    let both = |run: &mut Run, value: i64| {
        let (quick, slow) = (Cell::new(false), Cell::new(false));
        run.out.line("the news from both threads", |line| {
            quick.set(quick.get() || line == format!("quick {value}"));
            slow.set(slow.get() || line == format!("slow {value}"));
            quick.get() && slow.get()
        });
    };
    both(&mut run, 2);
    for tag in 2..12 {
        // Every other save changes two functions, which takes a safepoint of all threads.
        let factor = 2 + tag % 2;
        let text = text.replace("{ 1 }", &format!("{{ {tag} }}")).replace("tag() * 2", &format!("tag() * {factor}"));
        project.save(FILE, &text);
        both(&mut run, tag * factor);
    }
    project.save(FILE, &text.replace("{ 1 }", "{ 99 }"));
    let finished = run.finish();
    assert_eq!(finished.status, Some(0), "{finished:?}");
}

#[test]
fn the_program_ends_with_main() {
    let text = "U std/thread\nF main() -> i64 {\n    spawn(|| {\n        L { sleep_ms(1) }\n    })\n    3\n}\n";
    let project = Project::new(&[(FILE, text)]);
    for mode in [&["run", FILE][..], &["run", "--static", FILE]] {
        let finished = run_to_end(&project, mode);
        assert_eq!(finished.status, Some(3), "{finished:?}");
    }
}

#[test]
fn exit_in_a_thread_does_not_wait_for_main() {
    let text = "U std/thread\nF main() -> i64 {\n    spawn(|| {\n        sleep_ms(5)\n        exit(7)\n        0\n    })\n    \
                L i: 0..1000000000000 { I i < 0 { B } }\n    3\n}\n";
    let project = Project::new(&[(FILE, text)]);
    for mode in [&["run", FILE][..], &["run", "--static", FILE]] {
        let finished = run_to_end(&project, mode);
        assert_eq!(finished.status, Some(7), "{finished:?}");
    }
}

#[test]
fn a_trap_in_a_thread_is_reported_and_main_goes_on() {
    let text = "U std/thread\nF main() -> i64 {\n    t := spawn(|| {\n        panic(\"oh no\")\n        1\n    })\n    \
                M t.join() {\n        Ok(_) => println(\"ok\")\n        Err(why) => println(\"why: {why}\")\n    }\n    5\n}\n";
    let project = Project::new(&[(FILE, text)]);
    let finished = run_to_end(&project, ["run", "--on-trap", "exit", FILE]);
    assert_eq!((finished.status, &*finished.out), (Some(5), "why: oh no\n"), "{finished:?}");
    assert!(finished.err.contains("trap: oh no"), "{finished:?}");
    assert!(finished.err.contains("the trap has ended its thread, the others run on"), "{finished:?}");
}

/// Who waits for a message does nothing as long as all others stand still: a save is live at once, although its loop has not come
/// round, and the service is not held up.
#[test]
fn a_thread_that_waits_for_messages_holds_up_no_save() {
    let text = |step: usize| {
        format!(
            "U std/thread\nF step() -> i64 = {step}\nF twice() -> i64 = step() * 2\nF worker(c: Channel<i64>) -> i64 {{\n    L {{\n        M c.receive() {{\n            Some(n) => {{ println(\"got {{n}}\") }}\n            None => {{ R 0 }}\n        }}\n    }}\n}}\nF main() -> i64 {{\n    c: Channel<i64> = Channel.new()\n    t := thread.spawn(|| worker(c))\n    L i: 0..1000000 {{\n        println(\"turn {{twice()}} {step}\")\n        usleep(2000)\n    }}\n    c.close()\n    t.join()!\n}}\n"
        )
    };
    let project = Project::new(&[("a.vais", &text(0))]);
    let mut run = Run::hot(&project, "a.vais");
    for step in 1..5 {
        run.out.line("a turn of the version before", |line| line == format!("turn {} {}", 2 * (step - 1), step - 1));
        project.save("a.vais", &text(step));
        let event = run.event("reloaded");
        assert!(!event["notices"].to_string().contains("no outermost loop came round"), "{event}");
    }
    run.out.line("a turn of the last version", |line| line == "turn 8 4");
}
