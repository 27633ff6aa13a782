//! Which types count as raw-exposed: only those that a program names in `sizeof`, in a cast or in a foreign signature.

mod support;

/// What a program is checked to expose, by name.
fn exposed(body: &str) -> Vec<String> {
    let text =
        format!("{DECLARED}\nF main() -> i64 {{\n    b := Box.new(P {{ n: 1, s: \"a\" }})\n    {body}\n    0\n}}\n");
    let (checked, sources) = support::check(&text);
    let errors: Vec<String> =
        support::shown(&checked, &sources).into_iter().filter(|line| line.contains("Error")).collect();
    assert!(errors.is_empty(), "{body}: {errors:?}");
    let mut names: Vec<String> = checked.exposed.iter().map(|ty| ty.to_string()).collect();
    names.sort();
    names
}

const DECLARED: &str = r#"
S P { n: i64, s: str }
S Q { n: i64 }
E V { A(i64), B(Box<V>) }
W Shape { F area(&self) -> i64 }
X P { F t(&self) -> i64 = n  F m(&self) { n += 1 }  F by(self) -> i64 = n  F me(&self) -> *P = self }
X P: Shape { F area(&self) -> i64 = n }
X V { F eval(&self) -> i64 = M self { A(n) => n, B(v) => v.eval() } }
G at: *P
G map: HashMap<str, Box<P>>
G table: [[P; 2]; 2]
N "C" { F foreign(p: *Q) }
F none() -> *P = 0 as *P
F pointer(p: *P) -> i64 = p.n
F reference(p: &P) -> i64 = p.n
F generic<T: Shape>(p: *T) -> i64 = p.area()
F row(p: *[P; 2]) -> i64 = p[1].n
F part(l: &[P]) -> i64 {
    s := 0
    L p: l[1..2] { s += p.t() }
    q := l[0..1]
    s + q[0].t()
}
"#;

#[test]
fn plain_use_exposes_nothing() {
    for body in [
        "b.t() + b.by() + b.area()",
        "b.m()",
        "x := &b\n    x.m()\n    (*x).m()",
        "v: Vec<Box<P>> = [b]\n    v[0].m()\n    L q: v { q.m() }",
        "map.set(\"a\", b)\n    map.get(\"a\")!.m()\n    map[\"a\"].m()\n    M map.get(\"a\") { Some(q) => q.m(), None => {} }",
        "o := Some(b)\n    o!.m()\n    M o { Some(q) => q.m(), None => {} }",
        "c := || b.t()\n    c()",
        "d: Box<dyn Shape> = b\n    d.area()\n    e: Vec<Box<dyn Shape>> = [d]\n    e[0].area()",
        "e := B(Box.new(A(3)))\n    e.eval()",
        "bb := Box.new(Box.new(*b))\n    bb.m()\n    (bb, 1).0.m()",
        "pointer(b) + pointer(&*b) + reference(b) + reference(&b) + generic(b)",
        "b.me().m()\n    at = b\n    at.m()\n    at[0].m()\n    q := at + 1\n    pointer(q - 1)",
        "v: Vec<P> = [*b, *b]\n    part(v) + part(v[0..2]) + part(&table[0]) + part(at[0..2])",
        "w := Box.new([*b, *b])\n    w[1].m()\n    pointer(&*w) + row(&table[0]) + row(&table)",
        "println(\"{b.t()} {Box.new(*b).t()}\")",
        "I none() == at { at = none() }",
    ] {
        assert!(exposed(body).is_empty(), "{body}: {:?}", exposed(body));
    }
}

#[test]
fn what_is_named_is_exposed() {
    assert_eq!(exposed("sizeof(P)"), ["P"]);
    assert_eq!(exposed("(&*b) as *Q"), ["Q"]);
    assert_eq!(exposed("(&b) as *P"), ["P"]);
    assert_eq!(exposed("1000 as *Q"), ["Q"]);
    assert_eq!(exposed("foreign(0 as *Q)"), ["Q"]);
}
