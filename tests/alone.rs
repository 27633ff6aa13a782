//! Tests that measure the memory of their process: in one of their own, for whatever runs beside them would be measured, too.

use std::process::Command;

/// True in a process that runs only this test; otherwise runs it in one, where it must succeed.
pub fn is_alone(test: &str) -> bool {
    const ALONE: &str = "VAISJIT_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let mut own = Command::new(std::env::current_exe().expect("this program has a file"));
    let finished = own.args(["--exact", test, "--nocapture"]).env(ALONE, "1").output().expect("it starts again");
    let shown = String::from_utf8_lossy(&finished.stdout).into_owned() + &String::from_utf8_lossy(&finished.stderr);
    println!("{shown}");
    assert!(finished.status.success() && shown.contains("1 passed"), "{shown}");
    false
}
