//! Texts that a file of cases cannot hold: other line ends, byte order marks, nothing at all; and where spans point.

use vaisjit_syntax::ast::{ExprKind, FunctionBody, ItemKind, StatementKind, StrPart};
use vaisjit_syntax::{ItemId, Module, dump, parse};

fn clean(text: &str) -> Module {
    let module = parse(text);
    for item in &module.items {
        assert!(item.diagnostics.is_empty(), "{:?}", item.diagnostics);
    }
    module
}

#[test]
fn nothing() {
    for text in ["", "\n", "# only a comment", "\u{feff}", "   \r\n\t"] {
        assert!(clean(text).items.is_empty(), "{text:?}");
    }
}

#[test]
fn line_ends_and_byte_order_marks() {
    let plain = "/// Says hello.\n#[hot]\nF main() {\n    x := \"a\"\n    y := 2 # two\n}\n";
    let windows = plain.replace('\n', "\r\n");
    let marked = format!("\u{feff}{plain}");
    let expected = dump(&clean(plain));
    for text in [windows, marked] {
        let module = clean(&text);
        assert_eq!(dump(&module), expected);
        assert_eq!(module.items[0].item.docs.0, "Says hello.");
    }
}

#[test]
fn places_of_items() {
    let text = "# first\n#[hot]\nF a() { }\n\n  G b: i64 = 0 # after\nC c = 1\n";
    let parts: Vec<&str> = clean(text).items.iter().map(|item| &text[item.start as usize..item.end as usize]).collect();
    assert_eq!(parts, ["#[hot]\nF a() { }", "G b: i64 = 0", "C c = 1"]);
}

#[test]
fn heads() {
    let text = "#[hot]\nF add(a: i64) -> i64 { a }\nS P<T> where T: A { x: T }\n";
    let module = clean(text);
    let heads: Vec<&str> = module
        .items
        .iter()
        .map(|item| {
            let head = item.item.head;
            &text[(item.start + head.start) as usize..(item.start + head.end) as usize]
        })
        .collect();
    assert_eq!(heads, ["F add(a: i64) -> i64", "S P<T> where T: A"]);
}

#[test]
fn spans_in_holes_of_strings() {
    let text = "F main() {\n    \"é\\n{first} {f(\\\"x\\\") + second}\"\n}\n";
    let module = clean(text);
    let ItemKind::Function(function) = &module.items[0].item.kind else { panic!("a function") };
    let Some(FunctionBody::Block(block)) = &function.body else { panic!("a block") };
    let StatementKind::Expr(expr) = &block.statements[0].kind else { panic!("an expression") };
    let ExprKind::Str(string) = &*expr.kind else { panic!("a string") };
    let mut seen = Vec::new();
    for part in &string.parts {
        if let StrPart::Hole(Some(expr), _, whole) = part {
            seen.push(&text[whole.start as usize..whole.end as usize]);
            seen.push(&text[expr.span.start as usize..expr.span.end as usize]);
        }
    }
    assert_eq!(seen, ["{first}", "first", "{f(\\\"x\\\") + second}", "f(\\\"x\\\") + second"]);
}

#[test]
fn ids_are_fresh() {
    let text = "F a() { }\nF b() { }\n";
    let ids = |module: &Module| module.items.iter().map(|item| item.id).collect::<Vec<ItemId>>();
    let (first, second) = (clean(text), clean(text));
    assert!(ids(&first).iter().all(|id| !ids(&second).contains(id)));
}

/// Trees ignore white space and comments.
#[test]
fn equal_trees() {
    let plain = clean("F a(x: i64) -> i64 { x + 1 }\n");
    let spread = clean("F a(x: i64)\n    -> i64\n{\n    # a comment\n    x + 1\n}\n");
    assert_eq!(plain.items[0].item, spread.items[0].item);
}
