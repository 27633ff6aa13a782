//! Runs `tests/reload/*.vais`: versions of a program, and what must be seen between them, through the library that the
//! command line uses. `UPDATE=1` rewrites the expectations, `CASES=part` takes only files with this in their names.
//!
//! ```text
//! --- a name
//! === v1                           the text of the root file follows
//! === v1 other.vais                another file of the same version
//! === call tick() => 1             calls a function; `=> trap DivisionByZero` where it fails
//! === v2                           only files that change need be given; `=== v2 gone.vais delete` removes one
//! === reload: changed tick         what `Program::poll` reports of the files above
//! ```

#[path = "reload/case.rs"]
mod case;
#[path = "reload/play.rs"]
mod play;

use std::fs;
use std::path::Path;

#[test]
fn versions_and_what_is_seen_between_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/reload");
    let mut paths: Vec<_> =
        fs::read_dir(&folder).expect("the folder of the cases").map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    let part = std::env::var("CASES").unwrap_or_default();
    paths.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().contains(&part)));
    let update = std::env::var_os("UPDATE").is_some_and(|value| value == "1");
    let (mut count, mut failures) = (0, Vec::new());
    for path in paths.iter().filter(|path| path.extension().is_some_and(|extension| extension == "vais")) {
        let text = fs::read_to_string(path).expect("a file of cases");
        let mut cases = case::parse(&text);
        for case in &mut cases {
            count += 1;
            let seen = play::play(case);
            for (index, what) in seen {
                let expected = case.steps[index].expected().to_owned();
                if expected != what && !update {
                    let place = format!("{}: {}", path.file_name().unwrap_or_default().display(), case.name);
                    failures.push(format!(
                        "{place}: `{}`\n  expected {expected}\n  but saw  {what}",
                        case.steps[index].head()
                    ));
                }
                case.steps[index].expect(&what);
            }
        }
        if update {
            fs::write(path, case::print(&cases)).expect("the expectations can be written");
        }
    }
    assert!(failures.is_empty(), "{} of {count} cases:\n{}", failures.len(), failures.join("\n"));
    println!("{count} cases");
}
