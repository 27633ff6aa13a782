//! Programs from source: what the interpreter makes of them and what the machine makes of them must be the same:
//! output, status, and in which place they trap.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod common;
#[path = "source/earlier.rs"]
mod earlier;
#[path = "source/random.rs"]
mod random;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use common::*;
use vaisjit_abi::CallContext;
use vaisjit_codegen::clif::locations;
use vaisjit_codegen::isa::OptLevel;
use vaisjit_codegen::layout::{Layouts, TypeLayouts};
use vaisjit_codegen::link::Import;
use vaisjit_codegen::lower::{Options, closures};
use vaisjit_codegen::mir::Body;
use vaisjit_codegen::mir::interp::{Exit, Interp, Outcome, Program};
use vaisjit_semantics::{Checked, Input, ModuleInput, Ty, TyKind, check};
use vaisjit_syntax::{FileId, Name, parse};

static OUTPUT: Mutex<String> = Mutex::new(String::new());

fn output() -> MutexGuard<'static, String> {
    OUTPUT.lock().unwrap_or_else(|e| e.into_inner())
}

unsafe fn text<'a>(value: *const u8) -> &'a [u8] {
    if value.is_null() {
        return b"";
    }
    // SAFETY: the caller has a `str`, which has its length in front of its bytes.
    unsafe { std::slice::from_raw_parts(value, value.offset(-8).cast::<i64>().read_unaligned() as usize) }
}

extern "C" fn print_str(_: &CallContext, value: *const u8) {
    // SAFETY: generated code passes a `str`.
    *output() += &String::from_utf8_lossy(unsafe { text(value) });
}
extern "C" fn print_i64(_: &CallContext, value: i64) {
    *output() += &value.to_string();
}
extern "C" fn print_u64(_: &CallContext, value: u64) {
    *output() += &value.to_string();
}
extern "C" fn print_i128(_: &CallContext, value: i128) {
    *output() += &value.to_string();
}
extern "C" fn print_u128(_: &CallContext, value: u128) {
    *output() += &value.to_string();
}
extern "C" fn print_f64(_: &CallContext, value: f64) {
    *output() += &match value {
        value if value.is_nan() => "nan".into(),
        value if value.is_infinite() => if value > 0.0 { "inf" } else { "-inf" }.into(),
        value => format!("{value:.6}"),
    };
}
extern "C" fn str_eq(_: &CallContext, a: *const u8, b: *const u8) -> u8 {
    // SAFETY: generated code passes two `str`s.
    u8::from(unsafe { text(a) == text(b) })
}
extern "C" fn str_cmp(_: &CallContext, a: *const u8, b: *const u8) -> i64 {
    // SAFETY: generated code passes two `str`s.
    unsafe { text(a) }.cmp(unsafe { text(b) }) as i64
}
extern "C" fn putchar(value: i32) -> i32 {
    output().push(value as u8 as char);
    value
}

fn hosts() -> Vec<(&'static str, usize)> {
    vec![
        ("print_str", print_str as *const () as usize),
        ("print_i64", print_i64 as *const () as usize),
        ("print_u64", print_u64 as *const () as usize),
        ("print_i128", print_i128 as *const () as usize),
        ("print_u128", print_u128 as *const () as usize),
        ("print_f64", print_f64 as *const () as usize),
        ("str_eq", str_eq as *const () as usize),
        ("str_cmp", str_cmp as *const () as usize),
        ("safepoint", transfer::safepoint as *const () as usize),
        ("putchar", putchar as *const () as usize),
        ("malloc", libc::malloc as *const () as usize),
        ("free", libc::free as *const () as usize),
        ("strlen", libc::strlen as *const () as usize),
        ("trap_message", trap::trap_message as *const () as usize),
    ]
}

/// A prelude of its own, so that these tests depend on no library.
const PRELUDE: &str = r#"
E Option<T> { None, Some(T) }
E Result<T, E> { Ok(T), Err(E) }
N "C" {
    F malloc(n: i64) -> i64
    F free(p: i64)
    F sqrt(x: f64) -> f64
    F floor(x: f64) -> f64
    F ceil(x: f64) -> f64
}
"#;

fn checked(source: &str) -> Result<Checked, String> {
    let module = |name: &str, file: u32, text: &str| ModuleInput {
        name: Name::new(name),
        file: FileId(file),
        tree: Arc::new(parse(text)),
        imports: Vec::new(),
    };
    let modules = vec![module("main", 0, source), module("std/prelude", 1, PRELUDE)];
    let problems: Vec<String> = (modules[0].tree.items.iter())
        .flat_map(|item| item.diagnostics.iter().map(|diagnostic| diagnostic.message.clone()))
        .collect();
    if !problems.is_empty() {
        return Err(problems.join("; "));
    }
    let checked =
        check(&Input { modules, host: Arc::default(), all_hot: false, needs_main: true, running: None }, None);
    if checked.has_errors() {
        let problems: Vec<String> = checked.diagnostics.iter().map(|d| d.message.clone()).collect();
        return Err(problems.join("; "));
    }
    Ok(checked)
}

/// Bodies in a fixed order.
fn bodies(program: &Program) -> Vec<Body> {
    let mut bodies: Vec<Body> = program.functions.values().map(|body| (**body).clone()).collect();
    bodies.sort_by_key(|body| body.instance);
    bodies
}

fn initialise(machine: &mut Machine, program: &Program, layouts: &dyn Layouts) {
    for global in &program.globals {
        let Some(init) = &global.init else { continue };
        let import = Import::Global(global.path);
        let known = machine.unit.imports.contains(&import);
        let name = run::key(init.instance);
        let mut scratch = [0u128; 4096];
        let address = if known { machine.data(&import) } else { scratch.as_mut_ptr() as usize };
        let bits = machine.call(&name, &[address as u128]);
        if global.ty.is_scalar() {
            let size = layouts.layout(global.ty).size as usize;
            // SAFETY: the global has room for a value of its type.
            unsafe { std::ptr::copy(bits.to_le_bytes().as_ptr(), address as *mut u8, size) };
        }
    }
}

/// Runs a program both ways in every mode; says what differs.
fn compare(name: &str, source: &str) {
    let checked = checked(source).unwrap_or_else(|problem| panic!("{name}: {problem}"));
    let (natural, edited) = (TypeLayouts::new(&checked), earlier::layouts(&checked));
    for (hot, layouts) in [(false, &natural), (true, &natural), (true, &edited)] {
        for options in [Options::plain(hot), Options::all(hot)] {
            let program = Program::lower(&checked, layouts, options).unwrap_or_else(|e| panic!("{name}: {e}"));
            let expected = Interp::new(&program, layouts).run_main();
            for opt in [OptLevel::None, OptLevel::Speed] {
                let linker = TestLinker { hot, slots: hot, inline: !hot, library: 0 };
                let what = format!("{name} {options:?} {opt:?}");
                run_one(&what, &program, layouts, linker, opt, &expected);
                if hot && matches!(expected.exit, Exit::Status(_)) {
                    for every in [1, 3] {
                        run_resumed(&what, &checked, &program, layouts, (options, opt, every), &expected);
                    }
                }
            }
        }
    }
}

/// Runs a program whose loops go on in other code at their polls.
fn run_resumed(
    what: &str,
    checked: &Checked,
    program: &Program,
    layouts: &TypeLayouts,
    (options, opt, every): (Options, OptLevel, u64),
    expected: &Outcome,
) {
    let mut resumed = transfer::Resumed::default();
    let functions = checked.functions.values().map(|function| function.body.clone());
    for hir in functions.flat_map(|body| closures(&body).into_iter().chain([body])) {
        if let Some(body) = program.functions.get(&hir.instance) {
            resumed.add(&hir, body, checked, layouts, options);
        }
    }
    let bodies: Vec<Body> = bodies(program).into_iter().chain(resumed.bodies.iter().cloned()).collect();
    let linker = TestLinker { hot: true, slots: true, inline: false, library: 0 };
    let mut machine = Machine::taking_over(&bodies, &resumed.keep, layouts, linker, opt, &hosts());
    initialise(&mut machine, program, layouts);
    let (main, top) = (program.main.unwrap(), machine.context.data_top);
    output().clear();
    transfer::start(&machine, &resumed, checked, every);
    let bits = machine.call(&run::key(main), &[]);
    let transfers = transfer::stop(&machine);
    TRANSFERS.fetch_add(transfers, Ordering::Relaxed);
    assert_eq!(*output(), expected.output, "{what}, resumed {transfers} times");
    assert_eq!(machine.context.data_top, top, "{what}: the data stack");
    if let (Exit::Status(status), true) = (&expected.exit, program.functions[&main].signature().result == Ty::i64()) {
        assert_eq!((bits as i64).rem_euclid(256), i64::from(*status), "{what}, resumed {transfers} times");
    }
}

static TRANSFERS: AtomicU64 = AtomicU64::new(0);

fn run_one(
    what: &str,
    program: &Program,
    layouts: &dyn Layouts,
    linker: TestLinker,
    opt: OptLevel,
    expected: &Outcome,
) {
    let bodies = bodies(program);
    let mut machine = Machine::with_layouts(&bodies, layouts, linker, opt, &hosts());
    let main = program.main.unwrap_or_else(|| panic!("{what}: no main"));
    let result = program.functions[&main].signature().result;
    initialise(&mut machine, program, layouts);
    match &expected.exit {
        Exit::Status(status) => {
            output().clear();
            let bits = machine.call(&run::key(main), &[]);
            let seen = match result.kind() {
                TyKind::Float(_) if layouts.layout(result).size == 4 => f64::from(f32::from_bits(bits as u32)) as i64,
                TyKind::Float(_) => f64::from_bits(bits as u64) as i64,
                _ if result.is_scalar() => bits as i64,
                _ => 0,
            };
            assert_eq!(*output(), expected.output, "{what}");
            assert_eq!(seen.rem_euclid(256), i64::from(*status), "{what}");
        }
        Exit::Trap(trap) => {
            let seen = machine.trap(&run::key(main), &[]);
            assert_eq!(seen.code, trap.code, "{what}");
            let body = trap.backtrace.first().and_then(|instance| program.functions.get(instance));
            if let (Some(body), true, false) = (body, seen.location > 0, linker.inline) {
                let span = locations(body)[seen.location as usize - 1].span;
                assert_eq!((span.start, span.end), (trap.span.start, trap.span.end), "{what}");
            }
        }
        other => panic!("{what}: {other:?}"),
    }
}

#[test]
fn programs_do_the_same_interpreted_and_compiled() {
    let _turn = TURN.lock().unwrap_or_else(|e| e.into_inner());
    let file = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs.vais")).unwrap();
    let (mut count, mut failed) = (0, Vec::new());
    for case in file.split("\n--- ").skip(1) {
        let (name, source) = case.split_once('\n').unwrap();
        eprintln!("--- {name}");
        if std::panic::catch_unwind(|| compare(name, source)).is_err() {
            failed.push(name);
        }
        count += 1;
    }
    assert!(failed.is_empty(), "{failed:?}");
    assert!(count >= 20, "only {count} programs");
    let transfers = TRANSFERS.load(Ordering::Relaxed);
    println!("{transfers} transfers");
    assert!(transfers > 150, "loops went on in other code only {transfers} times");
}

/// One test at a time: the output is shared.
static TURN: Mutex<()> = Mutex::new(());

#[test]
fn random_programs_go_on_in_other_code_at_every_poll() {
    let _turn = TURN.lock().unwrap_or_else(|e| e.into_inner());
    let rounds = std::env::var("ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(8);
    let before = TRANSFERS.load(Ordering::Relaxed);
    for seed in 0..rounds {
        compare(&format!("seed {seed}"), &random::program(seed));
    }
    let transfers = TRANSFERS.load(Ordering::Relaxed) - before;
    println!("{transfers} transfers");
    assert!(transfers > 20 * rounds, "loops went on in other code only {transfers} times");
}

#[test]
#[ignore = "needs a folder of programs: VAISJIT_PROGRAMS"]
fn a_folder_of_programs() {
    let _turn = TURN.lock().unwrap_or_else(|e| e.into_inner());
    let folder = std::env::var("VAISJIT_PROGRAMS").unwrap();
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let (mut same, mut skipped) = (0, 0);
    for file in files.iter().filter(|file| file.extension().is_some_and(|e| e == "vais")) {
        let source = std::fs::read_to_string(file).unwrap();
        let result = std::panic::catch_unwind(|| compare(&file.display().to_string(), &source));
        if result.is_ok() { same += 1 } else { skipped += 1 }
    }
    println!("{same} the same, {skipped} not comparable or different");
}
