//! Random programs: optimised or not, hot or not, the interpreter must see the same.

mod source;

#[path = "source/random.rs"]
mod random;

use random::program;

#[test]
fn all_modes_agree_on_random_programs() {
    let rounds = std::env::var("ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(150);
    for seed in 0..rounds {
        let text = program(seed);
        if let Err(error) = source::run(&text) {
            panic!("seed {seed}: {error}\n{text}");
        }
    }
}
