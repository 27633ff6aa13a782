//! A `#[before_reload]` that is itself wrong: it cannot keep the program from being mended.

use crate::harness::until;
use crate::keys::{FILE, Session};

/// A program whose hook does this.
fn asking(hook: &str, number: i64) -> String {
    format!(
        "#[before_reload]\nF ready() -> i64 {{\n    {hook}\n}}\n\nF helper(n: i64) -> i64 {{ 10 / n }}\n\nF step() -> i64 {{ {number} }}\n\n\
         F main() -> i64 {{\n    println(\"main starts with {{step()}}\")\n    last := 0\n    L {{\n        \
         I step() != last {{ last = step()  println(\"is {{last}}\") }}\n        usleep(1000)\n    }}\n    0\n}}\n"
    )
}

fn start(hook: &str) -> Session {
    let mut session = Session::start(&asking(hook, 1));
    session.sees("is 1");
    session
}

/// Waits until all of this has been shown, in whatever order: the program and the reload write at the same time.
fn shows(session: &Session, parts: &[&str]) {
    let all = |text: String| parts.iter().all(|part| text.contains(part)).then_some(());
    until(&format!("{parts:?}"), || all(session.terminal.screen.text()));
}

/// Saves, which is refused with these words.
fn refused(session: &mut Session, text: &str, words: &str) {
    session.project.save(FILE, text);
    session.sees(words);
    session.run.event_after("refused", &["ready", "pending", "notice"]);
}

/// The first time the hook is asked; a save that mends it, after that, does not ask it again.
#[test]
fn one_that_traps_is_mended_by_the_next_save() {
    let mut session = start("helper(0)");
    refused(&mut session, &asking("helper(0)", 2), "`ready` of module `quiet` trapped: division by zero");
    session.project.save(FILE, &asking("helper(0) * 0", 3));
    shows(&session, &["`ready` of module `quiet` was not asked again: it failed, and this save changes it", "is 3"]);
}

#[test]
fn one_that_traps_in_what_it_calls_is_mended_there() {
    let mut session = start("helper(0)");
    refused(&mut session, &asking("helper(0)", 2), "`ready` of module `quiet` trapped");
    session.project.save(FILE, &asking("helper(0)", 3).replace("10 / n", "0"));
    shows(&session, &["was not asked again", "is 3"]);
}

#[test]
fn one_that_traps_can_be_removed() {
    let mut session = start("helper(0)");
    let without = asking("helper(0)", 3).replace("#[before_reload]\n", "");
    refused(&mut session, &without, "this save changes it: press r, and it is not asked again");
    session.terminal.types("r");
    shows(&session, &["was not asked again", "is 3"]);
}

#[test]
fn one_that_never_ends_is_stopped_and_mended() {
    let mut session = start("L { }\n    0");
    session.project.save(FILE, &asking("L { }\n    0", 2));
    session.sees("waits for `ready` of module `quiet`, which the reload calls, to return");
    session.sees("`ready` of module `quiet` did not end within 2 s");
    session.run.event_after("refused", &["ready", "pending", "notice"]);
    session.project.save(FILE, &asking("0", 3));
    shows(&session, &["was not asked again", "is 3"]);
}

/// So is other code that a save brings with it, and the user is told what is waited for.
#[test]
fn first_values_and_migrations_that_never_end_are_stopped() {
    let mut session = start("0");
    let text = asking("0", 1) + "\nS Score { a: i64 }\nG score: Score = Score { a: 5 }\n";
    session.saves(&text);
    session.project.save(FILE, &format!("{text}G late: i64 = endless()\nF endless() -> i64 {{ L {{ }}  1 }}\n"));
    session.sees("waits for the code of the first value of `late`, which the reload calls, to return");
    session.sees("global `late` added: computing its first value failed: it did not end within 2 s");
    let shape = "S Score { a: i64, b: i64 = 2 }\n#[was(\"Score\")] S Old { a: i64 }\nF migrate(old: Old, new: *Score) { L { } }";
    session.project.save(FILE, &text.replace("S Score { a: i64 }", shape));
    session.sees("waits for `migrate` of module `quiet`, which the reload calls, to return");
    session.sees("struct `Score` changed: `migrate` did not end within 2 s");
    session.project.save(FILE, &text.replace("{ 1 }", "{ 7 }"));
    session.sees("is 7");
}

/// It is obeyed, also about a save that changes it: until the user insists.
#[test]
fn one_that_always_declines_is_overridden_by_r_twice() {
    let mut session = start("7");
    refused(&mut session, &asking("0", 2), "`ready` of module `quiet` declined with 7");
    session.sees("r once more");
    session.terminal.types("r");
    session.run.event_after("refused", &["ready", "pending", "notice"]);
    session.terminal.types("r");
    shows(&session, &["declined with 7; applied all the same, as you asked for it", "is 2"]);
    session.project.save(FILE, &asking("0", 3));
    session.sees("is 3");
}

/// A save between the two is another matter.
#[test]
fn r_for_another_text_is_not_the_second_one() {
    let mut session = start("7");
    refused(&mut session, &asking("7", 2), "declined with 7");
    session.terminal.types("r");
    session.run.event_after("refused", &["ready", "pending", "notice"]);
    refused(&mut session, &asking("7", 3), "declined with 7");
    session.terminal.types("r");
    session.run.event_after("refused", &["ready", "pending", "notice"]);
    session.terminal.types("r");
    session.sees("is 3");
}

#[test]
fn a_restart_does_not_obey() {
    let mut session = start("7");
    refused(&mut session, &asking("7", 2), "declined with 7");
    session.terminal.types("R");
    shows(&session, &["applied all the same, as you asked for it", "main starts with 2"]);
}

/// Not even for as long as it takes to find out again that it never ends.
#[test]
fn a_restart_ends_one_that_never_ends() {
    let mut session = start("L { }\n    0");
    session.project.save(FILE, &asking("L { }\n    0", 2));
    session.sees("which the reload calls, to return");
    session.terminal.types("R");
    shows(&session, &["`ready` of module `quiet` was not asked again: it failed, and you want the save all the same"]);
    shows(&session, &["main starts with 2"]);
}
