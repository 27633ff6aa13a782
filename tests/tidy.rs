//! The rules of the house as tests: layers, the list of files with `unsafe`, doc comments at the top of files, the paths
//! named in ARCHITECTURE.md, and that every diagnostic code and trap code has a case.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace").to_path_buf()
}

/// All files below a folder with this ending, build output left out.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if name.ends_with(ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).to_string_lossy().replace('\\', "/")
}

/// The crates of the workspace that a crate may depend on.
const LAYERS: [(&str, &[&str]); 7] = [
    ("compiler/abi", &[]),
    ("compiler/syntax", &[]),
    ("compiler/semantics", &["vaisjit-abi", "vaisjit-syntax"]),
    ("compiler/codegen", &["vaisjit-abi", "vaisjit-semantics", "vaisjit-syntax"]),
    ("lang-std", &["vaisjit-abi"]),
    ("runtime", &["vaisjit-abi", "vaisjit-codegen", "vaisjit-semantics", "vaisjit-std", "vaisjit-syntax"]),
    ("cli", &["vaisjit", "vaisjit-std"]),
];

#[test]
fn crates_depend_only_on_lower_layers() {
    for (folder, allowed) in LAYERS {
        let manifest = fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
        let dependencies = manifest.split("[dependencies]").nth(1).unwrap_or("");
        let dependencies = dependencies.split("\n[").next().unwrap_or("");
        for line in dependencies.lines().filter(|line| line.starts_with("vaisjit")) {
            let name = line.split(['.', ' ', '=']).next().unwrap();
            assert!(allowed.contains(&name), "{folder} must not depend on {name}");
        }
    }
}

/// Where `unsafe` may stand.
const FENCE: [&str; 4] = ["runtime/src/code", "runtime/src/heap", "lang-std/src/shim", "compiler/abi/src"];

#[test]
fn unsafe_code_stays_behind_the_fence() {
    for folder in LAYERS.map(|(folder, _)| folder) {
        for file in files(&root().join(folder).join("src"), ".rs") {
            let name = relative(&file);
            let text = fs::read_to_string(&file).unwrap();
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            let uses = code.filter(|line| line.contains("unsafe ") && !line.contains("unsafe_")).count();
            let allowed = FENCE.iter().any(|place| name.starts_with(place));
            assert!(uses == 0 || allowed, "{name} contains unsafe code");
        }
    }
}

#[test]
fn every_file_says_what_it_is_for_and_none_is_too_long() {
    for file in files(&root(), ".rs") {
        let text = fs::read_to_string(&file).unwrap();
        let name = relative(&file);
        assert!(text.starts_with("//!"), "{name} does not begin with a doc comment");
        let lines = text.lines().count();
        assert!(lines <= 800, "{name} has {lines} lines: split it");
    }
}

#[test]
fn the_architecture_page_names_only_what_exists() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let roots = ["compiler/", "runtime/", "lang-std", "cli", "tests/", "examples/", "benches/"];
    for name in page.split('`').skip(1).step_by(2) {
        let path = name.trim_end_matches('/');
        let is_path = roots.iter().any(|root| path.starts_with(root)) && !path.contains([' ', ':', '(']);
        assert!(!is_path || root().join(path).exists(), "ARCHITECTURE.md names `{name}`, which does not exist");
    }
}

#[test]
fn every_diagnostic_code_has_a_case() {
    let mut cases = String::new();
    for folder in ["tests", "compiler", "runtime/src", "runtime/tests"] {
        for ending in [".vais", ".rs"] {
            for file in files(&root().join(folder), ending) {
                cases += &fs::read_to_string(file).unwrap_or_default();
            }
        }
    }
    for info in vaisjit::codes() {
        let code = info.code.to_string();
        let shown = cases.contains(&code) || !info.wrong.is_empty();
        assert!(shown, "{code} ({}) has no case", info.title);
    }
}

#[test]
fn diagnostic_codes_are_unique() {
    let codes: Vec<u16> = vaisjit::codes().map(|info| info.code.0).collect();
    let mut unique = codes.clone();
    unique.dedup();
    assert_eq!(codes, unique);
}
