//! A host that embeds `vaisjit`: its game loop calls a script's `update`, and a save of the script is live at the next
//! frame. Run it with `cargo run -p vaisjit --example embed`, then edit `examples/embed/game.vais`.
//!
//! `cargo run -p vaisjit --example embed -- SCRIPT FRAMES` runs another script, or ends after so many frames.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use vaisjit::render::Format;
use vaisjit::{Engine, Event};

const FRAME: Duration = Duration::from_millis(16);

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let script = args.next().map_or_else(default_script, PathBuf::from);
    let frames = args.next().map_or(Ok(i64::MAX), |text| text.parse())?;
    play(&script, frames)
}

fn default_script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/embed/game.vais")
}

/// What became of a save, once for each.
fn tell(event: &Event) {
    match event {
        Event::Reloaded { version, report } => {
            eprintln!("v{version}: {}", report.functions().collect::<Vec<_>>().join(", "));
        }
        Event::Rejected { diagnostics, .. } => eprint!("{}", diagnostics.render(Format::Human, false)),
        Event::Refused { report, .. } => eprintln!("cannot be carried over: {}", report.refusals().count()),
        _ => {}
    }
}

/// The host's loop: apply what was saved, call the script, show what it said.
fn play(script: &Path, frames: i64) -> Result<(), Box<dyn Error>> {
    let spawned = Arc::new(AtomicI64::new(0));
    let counter = spawned.clone();
    let engine = Engine::builder()
        .function("spawn_enemy", move |x: f64, y: f64| -> i64 {
            let number = counter.fetch_add(1, Ordering::Relaxed) + 1;
            println!("enemy {number} appears at ({x:.2}, {y:.2})");
            1
        })
        .function("say", |text: &str| println!("{text}"))
        .on_event(tell)
        .build()?;
    let program = engine.load_file(script)?;
    // The signature is checked here, once; the handle always calls the newest version.
    let update = program.function::<(f64, i64), i64>("update")?;
    for frame in 0..frames {
        // A save that has mistakes or cannot be carried over is told of by an event; the version before runs on.
        let _ = program.poll();
        match update.call((0.016, frame)) {
            Ok(_) => {}
            // The script failed; the program stays usable, and the next save may mend it.
            Err(trap) => eprintln!("{}", trap.report()),
        }
        std::thread::sleep(FRAME);
    }
    println!("{} enemies in all", spawned.load(Ordering::Relaxed));
    Ok(())
}
