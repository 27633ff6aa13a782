//! Threads that go on in new code, and saves that wait for one that cannot.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use vaisjit::{Engine, Event, MemoryLoader, Program};

use super::{DEADLINE, until};

/// A program whose `main` goes on until the test is over, which it asks `is_over()`.
struct Turning {
    program: Program,
    files: MemoryLoader,
    over: Arc<AtomicUsize>,
}

fn turning(text: String) -> Turning {
    let files = MemoryLoader::default();
    files.set("main.vais", text);
    let over = Arc::<AtomicUsize>::default();
    let ends = over.clone();
    let engine = Engine::builder().function("is_over", move || ends.load(Ordering::SeqCst) as i64);
    let engine = engine.build().expect("an engine");
    let program = engine.load_with("main.vais", Arc::new(files.clone())).unwrap_or_else(|error| panic!("{error}"));
    Turning { program, files, over }
}

impl Turning {
    /// Runs `main` while the test does something; it returns this.
    fn run(&self, status: u8, test: impl FnOnce()) {
        std::thread::scope(|scope| {
            let main = scope.spawn(|| self.program.run_main());
            let ending = Ending(&self.over);
            test();
            drop(ending);
            assert_eq!(main.join().expect("no panic").expect("no trap"), status);
        });
    }

    /// Saves the program, and it is live.
    fn save(&self, text: String) {
        self.files.set("main.vais", text);
        let saved = self.program.poll().expect("no error");
        assert!(saved.is_reloaded(), "{saved:?}");
    }

    fn number(&self, function: &str) -> i64 {
        self.program.function::<(), i64>(function).expect("the function").call(()).expect("no trap")
    }
}

/// Ends `main` when it is dropped, also by a test that fails.
struct Ending<'a>(&'a AtomicUsize);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(1, Ordering::SeqCst);
    }
}

/// The messages change while a thread waits for one, and all come.
#[test]
fn a_thread_that_waits_at_a_channel_is_taken_over() {
    let text = |variants: &str, arms: &str, send: &str| {
        format!(
            "
U std/thread
E Msg {{ Work(i64), {variants}Stop }}
G jobs: Channel<Msg> = Channel.new()
G total: i64 = 0
F worker() -> i64 {{
    L {{
        M jobs.receive() {{
            Some(m) => {{ M m {{ Work(n) => {{ total += n }} {arms} Stop => {{ B }} }} }}
            None => {{ B }}
        }}
    }}
    total
}}
F main() -> i64 {{
    t := spawn(worker)
    L is_over() == 0 {{ sleep_ms(2) }}
    jobs.send(Stop)
    M t.join() {{ Ok(sum) => sum, Err(_) => 0 }}
}}
F send() {{ {send} }}
F sum() -> i64 = total
"
        )
    };
    let turning = turning(text("", "", "jobs.send(Work(1))"));
    let send = turning.program.function::<(), ()>("send").expect("the function");
    let send_until = |after: i64| {
        send.call(()).expect("no trap");
        until("the message has come", || turning.number("sum") == after);
    };
    turning.run(13, || {
        // The thread may not have begun yet.
        send.call(()).expect("no trap");
        turning.save(text("Pause, ", "Pause => { total += 10 }", "jobs.send(Pause)"));
        send_until(11);
        turning.save(text("Text(str), ", "Text(s) => { total += s.len() }", "jobs.send(Text(\"ab\"))"));
        send_until(13);
    });
}

/// A thread that nobody gives anything to do comes to its loop for a save that has to find it there.
#[test]
fn what_grows_in_a_thread_that_waits_is_taken_over() {
    let text = |fields: &str, zeros: &str| {
        format!(
            "
U std/thread
S Tally {{ n: i64, last: i64{fields} }}
G jobs: Channel<i64> = Channel.new()
G total: i64 = 0
F note(t: *Tally, job: i64) {{ t.n += 1 t.last = job total += t.n * 100 + t.last }}
F worker() -> i64 {{
    t := Tally {{ n: 0, last: 0{zeros} }}
    L {{ M jobs.receive() {{ Some(job) => note(&t, job), None => {{ R t.n }} }} }}
}}
F main() -> i64 {{
    t := spawn(worker)
    L is_over() == 0 {{ sleep_ms(2) }}
    jobs.close()
    M t.join() {{ Ok(sum) => sum, Err(_) => 0 }}
}}
F send() {{ jobs.send(5) }}
F sum() -> i64 = total
"
        )
    };
    let turning = turning(text("", ""));
    let send = turning.program.function::<(), ()>("send").expect("the function");
    let send_until = |after: i64| {
        send.call(()).expect("no trap");
        until("the job is done", || turning.number("sum") == after);
    };
    turning.run(2, || {
        send_until(105);
        turning.save(text(", a: i64, b: i64, c: str, d: i64, e: i64", ", a: 0, b: 0, c: \"\", d: 0, e: 0"));
        send_until(310);
    });
}

/// What one save has told of, another one that the thread cannot follow does not take back.
#[test]
fn a_thread_that_has_not_come_yet_to_where_a_save_takes_it_over() {
    let text = |id: &str, number: &str, tag: &str, (param, argument): (&str, &str)| {
        format!(
            "
U std/thread
S Req {{ id: {id}, body: str }}
G jobs: Channel<Req> = Channel.new()
G seen: str = \"\"
F worker({param}) -> i64 {{
    n := 0
    L {{
        M jobs.receive() {{
            Some(r) => {{ n += 1 seen = \"{{n}} {{r.id}} {{r.body}} {tag}\" }}
            None => {{ B }}
        }}
    }}
    n
}}
F main() -> i64 {{
    t := spawn(|| worker({argument}))
    L is_over() == 0 {{ sleep_ms(2) }}
    jobs.close()
    M t.join() {{ Ok(n) => n, Err(_) => 0 }}
}}
F send() {{ seen = \"\" jobs.send(Req {{ id: {number}, body: \"body\" }}) }}
F came() -> i64 = seen.len()
F is_right() -> i64 = seen == \"2 two body v2\" ? 1 : 0
"
        )
    };
    let turning = turning(text("i64", "1", "v1", ("", "")));
    let send = || {
        turning.program.function::<(), ()>("send").expect("the function").call(()).expect("no trap");
        until("the message", || turning.number("came") > 0);
    };
    turning.run(2, || {
        send();
        turning.save(text("str", "\"two\"", "v2", ("", "")));
        turning.save(text("str", "\"two\"", "v3", ("x: str", "\"x\"")));
        send();
        assert_eq!(turning.number("is_right"), 1);
    });
}

/// What the thread keeps in registers and words of its frame beside what goes on belongs to nobody any more, though it has
/// callers.
#[test]
fn structs_grow_that_a_thread_looks_at() {
    let text = |field: &str| {
        format!(
            "
U std/thread
S Conn {{ {field}id: i64, buf: Vec<str> }}
G seen: i64 = 0
F work() -> i64 {{
    hist: Vec<Conn> = []
    L is_over() == 0 {{
        I hist.len() < 3 {{ hist.push(Conn {{ id: hist.len(), buf: [\"w\"] }}) }}
        line := \"{{hist.len()}} {{hist[0].buf[0]}} {{hist[0].id}}\"
        seen += line.len()
        sleep_ms(10)
    }}
    hist.len()
}}
F main() -> i64 {{
    t := spawn(work)
    L is_over() == 0 {{ sleep_ms(2) }}
    I t.join() == Ok(3) {{ 0 }} E {{ 1 }}
}}
F count() -> i64 = seen
"
        )
    };
    let turning = turning(text(""));
    turning.run(0, || {
        until("all lines", || turning.number("count") > 20);
        turning.save(text("pad: [i64; 8] = [7; 8], "));
    });
}

/// A thread that cannot go on in the new version ends with `main`, and what it held does not count any more.
#[test]
fn a_restart_makes_way_for_a_save_that_a_thread_stands_in_the_way_of() {
    let text = |item: &str, captured: &str, build: &str| {
        format!(
            "
U std/thread
S Item {{ {item} }}
G items: Vec<Item> = []
G sum: i64 = 0
F main() -> i64 {{
    k := 5
    {captured}
    t := spawn(|| {{
        L is_over() == 0 {{ items.push(Item {{ {build} }}) sleep_ms(2) }}
        0
    }})
    L is_over() == 0 {{ sum += k sleep_ms(2) }}
    t.join()!
    0
}}
F count() -> i64 = items.len()
"
        )
    };
    let turning = turning(text("n: i64", "", "n: k"));
    let items = || turning.number("count");
    turning.run(0, || {
        until("the first items", || items() > 2);
        std::thread::scope(|scope| {
            let save = scope.spawn(|| turning.save(text("n: i64, s: str = \"s\"", "j := 6", "n: k + j")));
            until("the save", || {
                // It may only be prepared now, for a thread that has just started.
                let before = items();
                until("a few more items", || save.is_finished() || items() > before + 20);
                save.is_finished() || !turning.program.restart_main()
            });
        });
        let before = items();
        until("more items", || items() > before);
    });
}

/// A save waits for a thread that never comes to where it could be: meanwhile the others go on as ever, and it is named.
#[test]
fn a_program_runs_on_while_a_save_waits_for_one_of_its_threads() {
    const TURNS: usize = 200;
    let text = |field: &str, zeros: &str| {
        format!(
            "
U std/thread
S Pool {{ jobs: Channel<i64>, results: Channel<i64>{field} }}
X Pool {{
    F work(self) -> i64 {{
        L {{ M self.jobs.receive() {{ Some(job) => {{ self.results.send(job * 2) }} None => {{ B }} }} }}
        0
    }}
}}
F main() -> i64 {{
    pool := Pool {{ jobs: Channel.new(), results: Channel.new(){zeros} }}
    t := spawn(|| pool.work())
    L turn() == 0 {{
        L i: 0..10 {{ pool.jobs.send(i) }}
        sum := 0
        L i: 0..10 {{ sum += pool.results.receive().unwrap_or(0) }}
        assert(sum == 90)
        sleep_ms(3)
    }}
    pool.jobs.close()
    t.join()!
}}
"
        )
    };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("main.vais");
    std::fs::write(&path, text("", "")).expect("written");
    let [turns, over] = [(); 2].map(|()| Arc::<AtomicUsize>::default());
    let (counted, ends) = (turns.clone(), over.clone());
    let (sender, said) = std::sync::mpsc::channel();
    let sender = Mutex::new(sender);
    let turn = move || {
        counted.fetch_add(1, Ordering::SeqCst);
        ends.load(Ordering::SeqCst) as i64
    };
    let engine = Engine::builder().function("turn", turn).on_event(move |event| {
        if let Event::Pending { waits_for, .. } = event {
            sender.lock().unwrap().send(waits_for.clone()).expect("the test hears it");
        }
    });
    let program = engine.build().expect("an engine").load_file(&path).expect("a program");
    let watching = program.watch().expect("watched");
    let some_turns = || {
        let before = turns.load(Ordering::SeqCst);
        until("some turns", || turns.load(Ordering::SeqCst) > before + TURNS);
    };
    std::thread::scope(|scope| {
        let main = scope.spawn(|| program.run_main());
        let ending = Ending(&over);
        some_turns();
        std::fs::write(&path, text(", big: [i64; 30]", ", big: [0; 30]")).expect("written");
        let waits_for = said.recv_timeout(DEADLINE).expect("it is pending");
        assert_eq!(waits_for, "`main.{0}`, which has no room for what a value grows to");
        some_turns();
        drop(ending);
        assert_eq!(main.join().expect("no panic").expect("no trap"), 0);
    });
    drop(watching);
}

/// What is in the way is held where it may be while a thread with longer turns comes round, though others tire of standing still.
#[test]
fn one_that_was_in_the_way_is_held_until_all_have_come() {
    const LARGER: &str = ", name: str = \"x\", more: [i64; 6] = [6; 6]";
    let text = "
U std/thread
S Item { k: i64 }
G ticks: Channel<i64> = Channel.new()
F next() -> i64 = ticks.receive().unwrap_or(-1)
G turns: i64 = 0
F turned() -> i64 = turns
F deep(it: Item, depth: i64) -> i64 { I depth == 0 { next() + it.k } E { deep(it, depth - 1) + it.k } }
F worker() -> i64 {
    it := Item { k: 2 }
    L is_over() == 0 {
        deep(it, 3)
        turns += 1
    }
    it.k
}
F sleeper() -> i64 {
    it := Item { k: 3 }
    L is_over() == 0 {
        thread.sleep_ms(7)
        nothing(it.k)
    }
    it.k
}
F nothing(k: i64) -> i64 = k
F main() -> i64 {
    threads := [thread.spawn(worker), thread.spawn(sleeper), thread.spawn(sleeper)]
    L is_over() == 0 {
        L i: 0..8 { ticks.send(i) }
        thread.sleep_ms(20)
    }
    ticks.close()
    sum := 0
    L t: threads { sum += t.join()! }
    sum
}
";
    let turning = turning(text.to_owned());
    let (done, saved) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        turning.run(8, || {
            until("the worker turns", || turning.number("turned") > 20);
            scope.spawn(|| {
                turning.files.set("main.vais", text.replace("k: i64 }", &format!("k: i64{LARGER} }}")));
                done.send(turning.program.poll().map(|update| update.is_reloaded())).expect("the test hears it");
            });
            let saved = saved.recv_timeout(DEADLINE).expect("it is live while the program runs");
            assert!(saved.expect("no error"));
        });
    });
}

/// A call that asks for a reload does not wait for ever for a thread that waits for the caller.
#[test]
fn a_call_that_asks_for_a_reload_comes_back() {
    let text = |init: &str, ask: &str, field: &str| {
        format!(
            "
U std/thread
S Item {{ k: i64{field} }}
G ticks: Channel<i64> = Channel.new()
F make(k: i64) -> Item {{
    it := Item {{ k: k }}
    ticks.receive()
    it
}}
F worker() -> i64 {{
    sum := 0
    L turn() == 0 {{
        it := make(2)
        sum += it.k
    }}
    0
}}
F main() -> i64 {{
    {init}
    t := thread.spawn(worker)
    L turn() == 0 {{
        ticks.send(1)
        {ask}
        thread.sleep_ms(1)
    }}
    ticks.close()
    t.join()!
}}
"
        )
    };
    for (init, ask) in [("", "hot_reload()"), ("hot_init(\"main.vais\")", "hot_check()")] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("main.vais");
        std::fs::write(&path, text(init, ask, "")).expect("written");
        let [turns, over] = [(); 2].map(|()| Arc::<AtomicUsize>::default());
        let (counted, ends) = (turns.clone(), over.clone());
        let (sender, told) = std::sync::mpsc::channel();
        let sender = Mutex::new(sender);
        let turn = move || {
            counted.fetch_add(1, Ordering::SeqCst);
            ends.load(Ordering::SeqCst) as i64
        };
        let engine = Engine::builder().function("turn", turn).on_event(move |event| {
            if !matches!(event, Event::Notice(_) | Event::Ready { .. }) {
                sender.lock().unwrap().send(event.clone()).expect("the test hears it");
            }
        });
        let program = engine.build().expect("an engine").load_file(&path).expect("a program");
        let watching = program.watch().expect("watched");
        let some_turns = || {
            let before = turns.load(Ordering::SeqCst);
            until("some turns", || turns.load(Ordering::SeqCst) > before + 20);
        };
        std::thread::scope(|scope| {
            let main = scope.spawn(|| program.run_main());
            let ending = Ending(&over);
            some_turns();
            std::fs::write(&path, text(init, ask, ", more: i64 = 1")).expect("written");
            match told.recv_timeout(DEADLINE).expect("it is told of") {
                Event::Pending { waits_for, .. } => assert_eq!(waits_for, "`make`, which would build a `Item`"),
                event => assert!(matches!(event, Event::Reloaded { .. }), "{event:?}"),
            }
            some_turns();
            drop(ending);
            assert_eq!(main.join().expect("no panic").expect("no trap"), 0);
        });
        drop(watching);
    }
}
