//! What can only be seen from outside: how a process ends, and what it does on its main thread or with other memory.
//!
//! Each test runs the test program again with one of its tests; those that only make sense there are ignored otherwise.

use std::process::{Command, Output};

use vaisjit_abi::CallContext;
use vaisjit_codegen::thunks::ExitKind;

use super::kit::{Kit, i64s};

fn again(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(arguments).args(["--test-threads=1", "--include-ignored", "--nocapture"]);
    command.envs(environment.iter().copied()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn everything_works_on_pages_that_are_writable_first() {
    for filter in ["code::tests::entering", "code::tests::trapping", "code::tests::callbacks", "large_units"] {
        let output = again(&[filter], &[("VAISJIT_CODE_MEMORY", "protected")]);
        assert!(output.status.success(), "{}", text(&output.stdout));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_main_thread_traps_like_any_other() {
    let output = again(&["no such test"], &[(ON_MAIN, "1")]);
    assert_eq!(output.status.code(), Some(ON_MAIN_DONE), "{}", text(&output.stderr));
}

const ON_MAIN: &str = "VAISJIT_TEST_ON_MAIN";
const ON_MAIN_DONE: i32 = 55;

/// The test harness runs every test on a thread of its own; what runs before it is on the main thread.
#[cfg(target_os = "linux")]
#[used]
// SAFETY: the section holds addresses of functions of this type.
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = before_main;

#[cfg(target_os = "linux")]
extern "C" fn before_main() {
    if std::env::var_os(ON_MAIN).is_some() {
        // SAFETY: asks for the numbers of the process and of the thread.
        let (process, thread) = unsafe { (libc::getpid(), libc::gettid()) };
        assert_eq!(process, thread);
        super::trapping::recursion_on_this_thread();
        std::process::exit(ON_MAIN_DONE);
    }
}

#[test]
fn a_fault_in_native_code_ends_with_a_report() {
    let output = again(&["code::tests::processes::native_fault"], &[]);
    assert_eq!(output.status.code(), Some(134), "{}", text(&output.stderr));
    let report = "vaisjit: invalid memory access in native code called by unlucky; the process cannot go on";
    assert!(text(&output.stderr).contains(report), "{}", text(&output.stderr));
}

extern "C" fn stumble(_: *mut CallContext, at: *const i64) -> i64 {
    // SAFETY: none: this is the fault the test is about.
    unsafe { at.read_volatile() }
}

#[test]
#[ignore = "run by a_fault_in_native_code_ends_with_a_report"]
fn native_fault() {
    let kit = Kit::new();
    kit.exit("stumble", stumble as *const () as usize, &i64s(1), ExitKind::Host { safepoint: false });
    let unit = kit.simple("unlucky", 1, |f| {
        let result = f.call("stumble", &i64s(1), &[f.params[0]]).unwrap();
        f.ret(result);
    });
    let _ = kit.call(&unit, &[8]);
}

#[test]
fn faults_that_are_not_ours_go_their_way() {
    use std::os::unix::process::ExitStatusExt;
    let output = again(&["code::tests::processes::foreign_fault"], &[]);
    assert_eq!(output.status.signal(), Some(libc::SIGSEGV), "{}", text(&output.stderr));
}

#[test]
#[ignore = "run by faults_that_are_not_ours_go_their_way"]
fn foreign_fault() {
    let kit = Kit::new();
    let unit = kit.simple("fine", 0, |f| {
        let value = f.number(1);
        f.ret(value);
    });
    kit.call(&unit, &[]).unwrap();
    // SAFETY: none: this is the fault the test is about.
    unsafe { (std::hint::black_box(8usize) as *const i64).read_volatile() };
}
