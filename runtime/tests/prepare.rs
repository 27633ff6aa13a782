//! `Program::prepare`: a report before the commit, and no trace without one.

use std::path::Path;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use vaisjit::{Engine, Error, MemoryLoader, Outcome, Program, Update};

/// Nothing takes as long as this.
const LONG: Duration = Duration::from_secs(60);

const TEXT: &str = "G total: i64 = 5\n\n#[hot]\nF step() -> i64 { total += 1\n total }\n\nF other() -> i64 { 1 }\n";

struct Memory {
    files: MemoryLoader,
    program: Program,
}

impl Memory {
    fn new(text: &str) -> Memory {
        let files = MemoryLoader::default();
        files.set("main.vais", text);
        let engine = Engine::builder().build().expect("an engine");
        let program = engine.load_with("main.vais", Arc::new(files.clone())).expect("a program");
        Memory { files, program }
    }

    fn save(&self, from: &str, to: &str) {
        assert!(TEXT.contains(from));
        self.files.set("main.vais", TEXT.replace(from, to));
    }

    fn call(&self, name: &str) -> i64 {
        self.program.function::<(), i64>(name).expect("the function").call(()).expect("no trap")
    }
}

#[test]
fn a_report_comes_before_the_commit() {
    let memory = Memory::new(TEXT);
    memory.save("total += 1", "total += 100");
    let prepared = memory.program.prepare().expect("it is fine");
    assert_eq!((prepared.version(), memory.program.version()), (2, 1));
    let edits: Vec<String> = prepared.report().edits.iter().map(ToString::to_string).collect();
    assert_eq!(edits, ["function step changed: live now"]);
    assert_eq!(memory.call("step"), 6);
    assert!(prepared.commit().expect("it can be carried").is_reloaded());
    assert_eq!((memory.call("step"), memory.program.version()), (106, 2));
    assert!(matches!(memory.program.poll(), Ok(Update::Unchanged(_))), "the text on disk is the running one");
}

#[test]
fn dropped_it_leaves_no_trace() {
    let memory = Memory::new(TEXT);
    memory.save("F other", "G fresh: str = \"new\"\nF added() -> i64 { fresh.len() }\nF other");
    for _ in 0..50 {
        let prepared = memory.program.prepare().expect("it is fine");
        assert_eq!(prepared.report().edits.len(), 2, "{:?}", prepared.report());
    }
    assert_eq!((memory.call("step"), memory.program.version()), (6, 1));
    assert!(memory.program.function::<(), i64>("added").is_err());
    // What was dropped can be had after all, under the next number.
    assert!(matches!(memory.program.poll(), Ok(Update::Reloaded { version: 2, .. })));
    assert_eq!(memory.call("added"), 3);
}

/// A struct that only a dropped preparation knew may look otherwise in the next one, and is still used by nothing.
#[test]
fn types_of_a_dropped_preparation_are_forgotten() {
    let memory = Memory::new(TEXT);
    let user = "F fresh() -> i64 {\n    v: Vec<Fresh> = Vec.new()\n    v.push(Fresh { a: 3 })\n    v[0].a\n}\n";
    let used = [("main.vais", format!("S Fresh {{ a: i64 }}\n{TEXT}\n{user}"))];
    drop(memory.program.prepare_texts(&used).expect("it is fine"));
    let unused = [("main.vais", format!("S Fresh {{ s: str, b: i64 }}\n{TEXT}"))];
    let prepared = memory.program.prepare_texts(&unused).expect("it is fine");
    assert_eq!(prepared.version(), 1, "nothing that runs uses it: {:?}", prepared.report());
    assert_eq!(prepared.report().items[0].to_string(), "struct Fresh added: no code");
    assert!(prepared.commit().is_ok());
    let prepared = memory.program.prepare_texts(&used).expect("it is fine");
    assert!(prepared.commit().expect("it can be carried").is_reloaded());
    assert_eq!(memory.call("fresh"), 3);
}

/// Another function changes in the same save; of the implementation only how its method is called.
#[test]
fn an_implementation_without_a_method_that_changes_has_no_code() {
    let memory = Memory::new(TEXT);
    let with = |hot: &str, other: &str| {
        let text = TEXT.replace("{ 1 }", other);
        [(
            "main.vais",
            format!(
                "{text}S P {{ x: i64 }}\nX P {{\n{hot}F sum(&self) -> i64 {{ self.x }}\n}}\nF use_it() -> i64 {{ P {{ x: 3 }}.sum() }}\n"
            ),
        )]
    };
    assert!(memory.program.prepare_texts(&with("", "{ 1 }")).expect("it is fine").commit().is_ok());
    let prepared = memory.program.prepare_texts(&with("#[hot]\n", "{ 2 }")).expect("it is fine");
    let told: Vec<String> = prepared.report().all_edits().map(ToString::to_string).collect();
    assert_eq!(told, ["function other changed: live now", "impl P changed: no code"]);
}

#[test]
fn mistakes_and_refusals_are_errors() {
    let memory = Memory::new(TEXT);
    memory.save("{ 1 }", "{ missing }");
    assert!(matches!(memory.program.prepare(), Err(Error::Rejected(_))));
    memory.save("G total: i64 = 5", "G total: f64 = 5.0");
    assert!(matches!(memory.program.prepare(), Err(Error::Rejected(_) | Error::Refused(_))));
    assert_eq!(memory.call("step"), 6);
    memory.save("{ 1 }", "{ 2 }");
    assert!(memory.program.prepare().expect("it is fine").commit().is_ok());
    assert_eq!(memory.call("other"), 2);
}

#[test]
fn a_newer_preparation_takes_the_older_one_back() {
    let memory = Memory::new(TEXT);
    memory.save("{ 1 }", "{ 2 }");
    let older = memory.program.prepare().expect("it is fine");
    memory.save("{ 1 }", "{ 3 }");
    let newer = memory.program.prepare().expect("it is fine");
    assert!(matches!(older.commit(), Ok(Update::Superseded)));
    assert_eq!(memory.call("other"), 1);
    assert!(newer.commit().expect("it can be carried").is_reloaded());
    assert_eq!(memory.call("other"), 3);
    memory.save("{ 1 }", "{ 4 }");
    let prepared = memory.program.prepare().expect("it is fine");
    memory.program.patch("other", "F other() -> i64 { 9 }").expect("it can be carried");
    assert!(matches!(prepared.commit(), Ok(Update::Superseded)));
    assert_eq!(memory.call("other"), 9);
}

#[test]
fn nothing_to_do_is_no_version() {
    let memory = Memory::new(TEXT);
    let prepared = memory.program.prepare().expect("it is fine");
    assert_eq!((prepared.version(), prepared.report().edits.len()), (1, 0));
    assert!(matches!(prepared.commit(), Ok(Update::Unchanged(_))));
    memory.save("F other", "# A comment.\nF other");
    let prepared = memory.program.prepare().expect("it is fine");
    assert_eq!(prepared.version(), 1);
    assert!(matches!(prepared.commit(), Ok(Update::Unchanged(_))));
}

/// Texts from memory hold until the file changes on disk, as a patch does.
#[test]
fn texts_from_memory_hold_until_the_file_changes() {
    let memory = Memory::new(TEXT);
    let texts = [(Path::new("main.vais"), TEXT.replace("{ 1 }", "{ 8 }"))];
    drop(memory.program.prepare_texts(&texts).expect("it is fine"));
    assert!(matches!(memory.program.poll(), Ok(Update::Unchanged(_))));
    memory.program.prepare_texts(&texts).expect("it is fine").commit().expect("it can be carried");
    assert_eq!(memory.call("other"), 8);
    assert!(matches!(memory.program.poll(), Ok(Update::Unchanged(_))));
    memory.save("{ 1 }", "{ 4 }");
    assert!(memory.program.poll().expect("it can be carried").is_reloaded());
    assert_eq!(memory.call("other"), 4);
}

/// The program chooses the moment, a version waits for it, and a look ahead in between does not lose that version.
#[test]
fn what_waits_for_the_program_goes_on_waiting() {
    let text = "F begin() -> i64 { hot_init(\"main.vais\") }\nF take() -> i64 { hot_check() }\nF done() -> i64 { hot_cleanup() }\n";
    let memory = Memory::new(&format!("{text}F other() -> i64 {{ 1 }}\n"));
    assert_eq!(memory.call("begin"), 0);
    memory.files.set("main.vais", format!("{text}F fresh() -> i64 {{ 4 }}\nF other() -> i64 {{ fresh() }}\n"));
    let third = [("main.vais", format!("{text}F fresh() -> i64 {{ 5 }}\nF other() -> i64 {{ fresh() + 1 }}\n"))];
    let prepared = memory.program.prepare_texts(&third).expect("it is fine");
    assert!(prepared.report().edits.iter().any(|edit| edit.outcome == Outcome::LiveNow));
    drop(prepared);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while memory.call("take") != 1 {
        drop(memory.program.prepare_texts(&third).expect("it is fine"));
        assert!(std::time::Instant::now() < deadline, "the save was lost");
    }
    assert_eq!(memory.call("other"), 4);
    // A commit while another version waits is the newest all the same.
    memory.program.prepare_texts(&third).expect("it is fine").commit().expect("it can be carried");
    assert_eq!(memory.call("other"), 6);
    memory.call("done");
}

#[test]
fn a_rename_that_is_dropped_leaves_the_names_as_they_were() {
    let text = "S Ball { x: i64, y: i64 }\nG list: Vec<Ball>\nF add() -> i64 { list.push(Ball { x: 2, y: 3 })\n list.len() }\nF sum() -> i64 { list[0].x }\n";
    let memory = Memory::new(text);
    assert_eq!(memory.call("add"), 1);
    let renamed = text.replace("Ball", "Orb").replace("list[0].x", "list[0].y * 10 + list[1].x + fresh(list[0])");
    let renamed = format!("{renamed}F fresh(orb: Orb) -> i64 {{ orb.x * 1000 }}\n");
    for _ in 0..20 {
        memory.files.set("main.vais", renamed.clone());
        drop(memory.program.prepare().expect("it is fine"));
        assert_eq!((memory.call("sum"), memory.program.version()), (2, 1));
        memory.files.set("main.vais", text);
        assert!(matches!(memory.program.poll(), Ok(Update::Unchanged(_))));
    }
    memory.call("add");
    memory.files.set("main.vais", renamed);
    assert!(memory.program.poll().expect("it can be carried").is_reloaded());
    assert_eq!(memory.call("sum"), 2032);
    assert_eq!(memory.call("add"), 3);
    assert!(memory.program.heap_check().expect("a report").is_empty());
}

/// What is prepared for a loop in one code fits it no more once it has gone on in other code, as the version between had
/// it do: it is prepared once more.
#[test]
fn a_loop_that_goes_on_elsewhere_after_the_preparation() {
    let text = |fields: &str| {
        format!(
            "S State {{ a: i64{fields} }}\nG seen: State\nG stop: i64\nF end() -> i64 {{\n    stop = 1\n    seen.a\n}}\n\
             F main() -> i64 {{\n    s := mut State {{ a: 1 }}\n    L stop == 0 {{\n        s.a += 1\n        seen = s\n        \
             wait()\n    }}\n    seen.a\n}}\n"
        )
    };
    let (enter, entered) = channel::<()>();
    let (leave, left) = channel::<()>();
    let doors = Mutex::new((enter, left));
    let wait = move || {
        let doors = doors.lock().expect("no panic");
        let _ = doors.0.send(());
        i64::from(doors.1.recv().is_ok())
    };
    let files = MemoryLoader::default();
    files.set("main.vais", text(""));
    let engine = Engine::builder().function("wait", wait).build().expect("an engine");
    let program = engine.load_with("main.vais", Arc::new(files.clone())).expect("a program");
    let main = std::thread::spawn({
        let program = program.clone();
        move || program.run_main()
    });
    let in_host = || entered.recv_timeout(LONG).expect("the loop turns");
    in_host();
    files.set("main.vais", text(", b: i64 = 5"));
    assert!(program.poll().expect("it can be carried").is_reloaded());
    files.set("main.vais", text(", b: i64 = 5, c: i64 = 6"));
    let prepared = program.prepare().expect("it is fine");
    leave.send(()).expect("it waits");
    in_host();
    let (done, told) = channel();
    std::thread::spawn(move || done.send(prepared.commit()));
    let update = told.recv_timeout(LONG).expect("it need not wait for ever");
    assert!(update.expect("it can be carried").is_reloaded());
    assert_eq!(program.function::<(), i64>("end").expect("the function").call(()).expect("no trap"), 3);
    drop(leave);
    assert_eq!(main.join().expect("no panic").expect("no trap"), 3);
}
