//! The typed tree of small functions, as text.

mod support;

use vaisjit_semantics::dump::dump;

fn shown(text: &str) -> String {
    let (checked, sources) = support::check(text);
    let errors: Vec<String> =
        support::shown(&checked, &sources).into_iter().filter(|line| line.contains("Error")).collect();
    assert_eq!(errors, Vec::<String>::new());
    dump(&checked, Some("main."))
}

#[test]
fn conversions_are_written_out() {
    let text = "S P { x: i64 }\nF f(p: *P, n: i32) -> i64 { p.x += n; n }\nF g() -> i64 { q := P { x: 2 }; I q.x { f(&q, 3) } E { puts(\"x\") } }";
    assert_eq!(
        shown(text),
        "F main.f(p.0: *P, n.1: i32) -> i64 = {
    (*p.0.0 += (n.1 as i64 IntToInt));
    (n.1 as i64 IntToInt)
}

F main.g() -> i64 = {
    q.0: P = P { 2i64 }
    I (q.0.0 as bool ToBool) {
        main.f((&q.0 as *P Pointer), 3i32)
    } E {
        {
            format Stdout(\"x\\n\");
            (0i32 as i64 IntToInt)
        }
    }
}

"
    );
}

#[test]
fn formats_of_printf_fit_their_arguments() {
    let found = shown("F main() { x: i32 = 1\n printf(\"%d %5d %s %c\\n\", 1, x, \"a\", 65) }");
    assert!(found.contains("C printf((\"%ld %5d %s %c\\n\" as *i8 Pointer), 1i64, x.0, (\"a\" as *i8 Pointer), (65i64 as i32 IntToInt))"), "{found}");
}
