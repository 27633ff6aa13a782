//! The syntax files for editors know every word of the language.

use serde_json::Value;

fn read(name: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../editors").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Keywords, types and operations. The lexer's own words are read from its source, so that none is forgotten.
fn words() -> Vec<String> {
    let lexer = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../compiler/syntax/src/lexer.rs");
    let lexer = std::fs::read_to_string(lexer).expect("the lexer's source");
    let tokens = lexer.split("#[token(\"").skip(1).filter_map(|rest| rest.split('"').next());
    let own = tokens.filter(|token| token.starts_with(|c: char| c.is_ascii_alphabetic())).map(str::to_owned);
    let known = [vaisjit::KEYWORDS, vaisjit::BUILTIN_TYPES, vaisjit::BUILTIN_NAMES].concat();
    let mut all: Vec<String> = own.chain(known.into_iter().map(str::to_owned)).collect();
    for kind in ["true", "as", "F", "LW", "i64", "println"] {
        assert!(all.iter().any(|word| word == kind), "{kind} must be among them");
    }
    all.dedup();
    all
}

#[test]
fn vim_knows_every_word() {
    let text = read("vim/syntax/vais.vim");
    let lines = text.lines().filter(|line| line.starts_with("syntax keyword "));
    let known: Vec<&str> = lines.flat_map(|line| line.split_whitespace().skip(3)).collect();
    let missing: Vec<String> = words().into_iter().filter(|word| !known.contains(&word.as_str())).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(read("vim/ftdetect/vais.vim").contains("*.vais"));
    assert!(read("vim/indent/vais.vim").contains("indentexpr"));
}

#[test]
fn the_textmate_grammar_knows_every_word() {
    let grammar: Value = serde_json::from_str(&read("textmate/vais.tmLanguage.json")).expect("it is JSON");
    assert_eq!(grammar["scopeName"], "source.vais");
    let mut patterns = Vec::new();
    collect(&grammar["repository"], &mut patterns);
    let known: Vec<&str> =
        patterns.iter().flat_map(|pattern| pattern.split(|c: char| !c.is_alphanumeric() && c != '_')).collect();
    // `\bself` is cut as `bself`.
    let has = |word: &str| known.iter().any(|part| *part == word || part.strip_prefix('b') == Some(word));
    let missing: Vec<String> = words().into_iter().filter(|word| !has(word)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    for name in includes(&grammar) {
        assert!(grammar["repository"][name.trim_start_matches('#')].is_object(), "{name} leads nowhere");
    }
}

#[test]
fn the_extension_names_files_that_exist() {
    let manifest: Value = serde_json::from_str(&read("textmate/package.json")).expect("it is JSON");
    let contributes = &manifest["contributes"];
    for path in [&contributes["grammars"][0]["path"], &contributes["languages"][0]["configuration"]] {
        let name = path.as_str().expect("a path").trim_start_matches("./");
        serde_json::from_str::<Value>(&read(&format!("textmate/{name}"))).expect("it is JSON");
    }
    assert_eq!(contributes["languages"][0]["extensions"][0], ".vais");
}

/// All regular expressions.
fn collect<'v>(value: &'v Value, patterns: &mut Vec<&'v str>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| collect(value, patterns)),
        Value::Object(fields) => {
            for (key, value) in fields {
                match value.as_str() {
                    Some(pattern) if ["match", "begin", "end"].contains(&key.as_str()) => patterns.push(pattern),
                    _ => collect(value, patterns),
                }
            }
        }
        _ => {}
    }
}

fn includes(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(values) => values.iter().flat_map(includes).collect(),
        Value::Object(fields) => {
            let own = fields.get("include").and_then(Value::as_str);
            own.into_iter().chain(fields.values().flat_map(includes)).collect()
        }
        _ => Vec::new(),
    }
}
