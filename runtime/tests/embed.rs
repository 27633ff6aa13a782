//! Starts the example host of `examples/embed`, and edits its script while it runs.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The host; ended when dropped.
struct Host(Child);

impl Drop for Host {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Cargo builds examples together with tests, but not when only one test is asked for.
fn example() -> PathBuf {
    let test = std::env::current_exe().expect("this test");
    let path = test.ancestors().nth(2).expect("the folder of the profile").join("examples/embed");
    if !path.exists() {
        let mut build = Command::new(env!("CARGO"));
        let status = build.args(["build", "--quiet", "--example", "embed"]).current_dir(env!("CARGO_MANIFEST_DIR"));
        assert!(status.status().is_ok_and(|status| status.success()), "the example can be built");
    }
    path
}

/// All at once, as most editors save.
fn save(path: &Path, text: &str) {
    let temporary = path.with_extension("tmp");
    std::fs::write(&temporary, text).expect("written");
    std::fs::rename(&temporary, path).expect("renamed");
}

#[test]
fn the_host_calls_the_newest_script() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/embed/game.vais");
    let text = std::fs::read_to_string(source).expect("the example's script");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = folder.path().join("game.vais");
    std::fs::write(&script, &text).expect("written");
    // A thousand seconds: the test is over long before.
    let mut command = Command::new(example());
    command.arg(&script).arg("60000").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut host = Host(command.spawn().expect("the host starts"));
    let mut out = BufReader::new(host.0.stdout.take().expect("piped")).lines().map_while(Result::ok);
    let mut err = BufReader::new(host.0.stderr.take().expect("piped")).lines().map_while(Result::ok);
    assert_eq!(out.next().as_deref(), Some("enemy 1 appears at (0.00, 2.00)"));
    save(&script, &text.replace("enemies +=", "enemise +="));
    assert!(err.any(|line| line.contains("enemise")), "the mistake is shown, and the host goes on");
    save(&script, &text.replace("frame % 60 == 0", "frame % 2 == 0").replace("2.0)", "77.0)"));
    assert!(out.any(|line| line.ends_with(", 77.00)")), "the new script is called");
    assert!(host.0.try_wait().expect("the host can be asked").is_none(), "the host still runs");
}
