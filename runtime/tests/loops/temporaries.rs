//! Types grow while a function waits in a call, above which values without a name have been used.

use super::harness::{program, run};

const ITEM: &str = "S Item { name: str, price: i64 }
F mk(n: i64) -> Item = Item { name: \"n{n}\", price: n }
";
const PLAIN: &str = "S Item { price: i64 }
F mk(n: i64) -> Item = Item { price: n }
";
/// What comes behind either.
const SHOP: &str = "G shop: Vec<Item>
G seen: *Item
F save() -> i64 {
    next_text()
    hot_reload()
    look()
}
F look() -> i64 = shop[0].price
F size() -> i64 = shop.len()
F game(n: i64) -> i64 = save() + n * 100000
";
/// What `look` gives for items 3 and 4, once there are five 7s in each.
const GROWN: i64 = 3 + 40 + 700 + 7000;

/// `Item` grows in the call of `save`; gives the result of `run` and what was told.
fn grows(types: &str, run: &str) -> (i64, Vec<String>) {
    let text = format!("{types}{SHOP}{run}");
    let played = program(
        &text,
        &[&[
            ("price: i64 }", "price: i64, more: [i64; 5] = [7; 5] }"),
            (
                "F look() -> i64 = shop[0].price",
                "F look() -> i64 = shop[0].price + shop[1].price * 10 + shop[0].more[4] * 100 + shop[1].more[0] * 1000",
            ),
        ]],
    );
    let result = played.call("run");
    played.assert_no_leaks();
    (result, played.told())
}

/// It does, and nothing is in the way.
fn grows_to(types: &str, run: &str, result: i64) {
    let (found, told) = grows(types, run);
    assert!(!told.iter().any(|told| told.contains("refused")), "{run}\n{told:#?}");
    assert_eq!(found, result, "{run}\n{told:#?}");
}

/// It does not, for a value in `run` is still wanted.
fn is_refused(types: &str, run: &str, price: i64) {
    let (found, told) = grows(types, run);
    assert!(told.iter().any(|told| told.contains("refused")), "{run}\n{told:#?}");
    assert_eq!(found, price, "{run}\n{told:#?}");
}

#[test]
fn the_elements_that_a_list_was_made_of() {
    for types in [ITEM, PLAIN] {
        grows_to(types, "F run() -> i64 {\n shop = [mk(3), mk(4)]\n game(0) }", GROWN);
        grows_to(types, "F run() -> i64 {\n shop = [mk(3), mk(4)]\n game(0) + size() * 10000 }", GROWN + 20000);
        let list = "F run() -> i64 {\n list: Vec<Item> = [mk(3), mk(4)]\n shop = list\n game(list.len()) }";
        grows_to(types, list, GROWN + 200000);
        let turns = "F run() -> i64 {\n sum := mut 0\n L i: 0..1 {\n shop = [mk(3), mk(4)]\n sum += game(0) }\n sum }";
        grows_to(types, turns, GROWN);
    }
    let literals = "F run() -> i64 {
    shop = [Item { name: \"a\", price: 3 }, Item { name: \"b\", price: 4 }]
    game(0)
}";
    grows_to(ITEM, literals, GROWN);
    let inside = "S Shop { items: Vec<Item>, cash: i64 }
F run() -> i64 {
    one := Shop { items: [mk(3), mk(4)], cash: 5 }
    shop = one.items
    game(one.cash)
}";
    grows_to(ITEM, inside, GROWN + 500000);
}

#[test]
fn a_value_of_which_one_part_is_wanted() {
    let start = "F run() -> i64 {\n shop = [mk(3), mk(4)]\n";
    for types in [ITEM, PLAIN] {
        grows_to(types, &format!("{start} game(mk(2).price) }}"), GROWN + 200000);
        grows_to(types, &format!("{start} mk(2).price * 100000 + game(0) }}"), GROWN + 200000);
    }
    let text = format!("F named(s: str, n: i64) -> i64 = game(n) + s.len() * 1000000\n{start} named(mk(2).name, 1) }}");
    grows_to(ITEM, &text, GROWN + 100000 + 2000000);
}

#[test]
fn a_value_that_has_ended() {
    let look = "F keep(i: *Item) -> i64 {\n seen = i\n i.price }\n";
    let ended = "F run() -> i64 {\n shop = [mk(3), mk(4)]\n I true { keep(&mk(1)) }\n game(0) }";
    grows_to(ITEM, &format!("{look}{ended}"), GROWN);
}

/// Old code, or somebody with its address, still reads it: it has to stay what it is.
#[test]
fn a_value_whose_address_somebody_holds() {
    let look = "F keep(i: *Item) -> i64 {\n seen = i\n 0 }\nF with(i: &Item) -> i64 = game(0) + i.price * 100000\n";
    let part = "F part(items: [Item]) -> i64 = game(0) + items[1].price * 100000\n";
    let start = "F run() -> i64 {\n shop = [mk(3), mk(4)]\n";
    for types in [ITEM, PLAIN] {
        is_refused(types, &format!("{look}{start} with(&mk(1)) }}"), 100003);
        is_refused(types, &format!("{part}{start} part([mk(1), mk(2)]) }}"), 200003);
        is_refused(types, &format!("{look}{start} keep(&mk(1))\n game(0) + seen.price * 100000 }}"), 100003);
        let local = "a := [mk(1), mk(2)]\n list: Vec<Item> = a\n game(0) + list.len() * a[1].price * 100000 }";
        is_refused(types, &format!("{start} {local}"), 400003);
    }
}

/// What was put together for one call only, of values that belong to somebody else, is not looked at afterwards.
#[test]
fn an_argument_that_has_been_given_to_its_call() {
    let text = "
S Job { id: i64, data: Vec<str> }
G spare: Vec<str>
F len(j: Job) -> i64 {
    n := 0
    L d: j.data { n += d.len() }
    n
}
F crunch(j: Job, w: i64) -> i64 = len(j) + w
F next(n: i64) -> Option<Job> { I n % 2 == 0 { None } E { Some(Job { id: n, data: [\"a\", \"b{n}\"].to_vec() }) } }
F run() -> i64 {
    n := 0
    sum := 0
    L n < 8 {
        n += 1
        M next(n) {
            Some(j) => { sum += crunch(j, 1) }
            None => {}
        }
        spare = [\"c\", \"d{n}\"].to_vec()
        I n == 2 || n == 4 || n == 6 {
            next_text()
            hot_reload()
        }
    }
    sum + spare[1].len() * 1000
}
";
    let there = [
        ("data: Vec<str>", "data: Vec<(str, i64)>"),
        ("n += d.len()", "n += d.0.len() + d.1"),
        ("[\"a\", \"b{n}\"]", "[(\"a\", 1), (\"b\", n)]"),
    ];
    let back = there.map(|(from, to)| (to, from));
    let (result, told) = run(text, &[&there, &back, &there]);
    assert_eq!(result, 2000 + 4 + (2 + 1 + 3 + 1) + 4 + (2 + 1 + 7 + 1), "{told:#?}");
    assert!(!told.iter().any(|line| line.contains("could not become")), "{told:#?}");
}

/// Whatever has been done with a value that has ended with its turn, nothing of it is looked at while later ones lie there.
#[test]
fn values_that_have_ended_with_a_turn() {
    let uses = [
        "sum += crunch(j, 1)",
        "hit(&j)  sum += j.id",
        "sum += j.size()",
        "sum += j.look()",
        "k := j  sum += crunch(k, 1)",
        "k := j  hit(&k)  sum += crunch(k, 1)",
        "sum += pair((j, 2))",
        "sum += opt(Some(j))",
        "sum += arr([j, j])",
        "x := Some(j)  sum += opt(x)",
        "sum += two(j, j)",
        "sum += two(j, Job { id: n, data: j.data })",
        "sum += crunch(Job { data: j.data, id: count(n) }, 1)",
        "D { sum += j.id }",
        "c := || j.id + n  sum += c()",
        "kept = [j]",
        "L d: j.data { sum += d.len() }",
        "b := Box.new(j)  sum += b.id",
        "M j { Job { id, data } => { sum += id + data.len() } }",
        "v := j.data  sum += v.len()",
        "r := &j  sum += r.id",
        "t := (j, n)  sum += t.0.id + t.1",
        "a := [j; 2]  sum += a[1].id",
        "M Some(j) { Some(q) => { sum += crunch(q, 2) } None => {} }",
        "M (j, n) { (q, m) => { sum += crunch(q, m) } }",
        "last = j  sum += crunch(last, 1)",
        "w := Wrap { inner: j, k: n }  hit(&w.inner)  sum += w.inner.id",
        "sum += wrap(Wrap { inner: j, k: n })",
        "o := mk(n)  sum += o.id + crunch(o, 2)",
        "o := mk(n)  hit(&o)  sum += o.id",
        "sum += mk(n).look() + crunch(mk(n), 1)",
        "M pick(j, n) { Some(q) => { hit(&q)  sum += q.id } None => {} }",
        "I crunch(j, 1) > 2 { q := j  hit(&q)  sum += 1 }",
        "q := I n > 2 { j } E { mk(n) }  sum += crunch(q, 1)",
    ];
    for what in uses {
        let text = format!(
            "
S Job {{ id: i64, data: Vec<str> }}
S Wrap {{ inner: Job, k: i64 }}
X Job {{
    F size(self) -> i64 = self.data.len() + self.id
    F look(&self) -> i64 = self.data.len() + self.id
}}
G spare: Vec<str>
G kept: Vec<Job>
G last: Job = Job {{ id: 0, data: [] }}
F count(n: i64) -> i64 {{ spare = [\"c\", \"d{{n}}\"].to_vec()  n }}
F len(j: Job) -> i64 {{
    n := 0
    L d: j.data {{ n += d.len() }}
    n
}}
F crunch(j: Job, w: i64) -> i64 = len(j) + w
F hit(j: *Job) {{ j.id += 1 }}
F two(a: Job, b: Job) -> i64 = len(a) + len(b)
F wrap(w: Wrap) -> i64 = len(w.inner) + w.k
F pair(p: (Job, i64)) -> i64 = len(p.0) + p.1
F opt(o: Option<Job>) -> i64 = M o {{ Some(j) => len(j), None => 0 }}
F arr(a: [Job; 2]) -> i64 = len(a[0]) + len(a[1])
F pick(j: Job, n: i64) -> Option<Job> {{ I n > 0 {{ Some(j) }} E {{ None }} }}
F mk(n: i64) -> Job = Job {{ id: n, data: [\"a\", \"b{{n}}\"].to_vec() }}
F next(n: i64) -> Option<Job> {{ I n % 2 == 0 {{ None }} E {{ Some(mk(n)) }} }}
F run() -> i64 {{
    n := 0
    sum := 0
    L n < 8 {{
        n += 1
        M next(n) {{
            Some(j) => {{ {what} }}
            None => {{}}
        }}
        spare = [\"c\", \"d{{n}}\"].to_vec()
        I n == 2 || n == 4 || n == 6 {{
            next_text()
            hot_reload()
        }}
    }}
    sum + spare[1].len() * 1000
}}
"
        );
        let there = [
            ("data: Vec<str>", "data: Vec<(str, i64)>"),
            ("n += d.len()", "n += d.0.len() + d.1"),
            ("sum += d.len()", "sum += d.0.len() + d.1"),
            ("[\"a\", \"b{n}\"]", "[(\"a\", 1), (\"b\", n)]"),
        ];
        let there: Vec<_> = there.into_iter().filter(|(from, _)| text.contains(from)).collect();
        let back: Vec<_> = there.iter().map(|(from, to)| (*to, *from)).collect();
        let (_, told) = run(&text, &[&there, &back, &there]);
        let refused = told.iter().any(|line| line.contains("refused"));
        assert!(!refused, "{what}: {told:#?}");
    }
}

/// What was put together only to be stored somewhere has ended with that: the references in it belong to the place where
/// it lies, and are not parked a second time when a save removes the field they lie in.
#[test]
fn what_was_put_together_to_be_stored() {
    let uses = [
        "keep = Some(mk(n))  all.push(keep!)",
        "e := mk(n)  keep = Some(e)  all.push(e)",
        "keep = M n { 1 => None, _ => Some(mk(n)) }  all.push(mk(n))",
        "keep = I n == 100 { None } E { Some(mk(n)) }  own = Some(keep)  all.push(own!!)",
        "own = Some(Some(mk(n)))  keep = M own { Some(o) => o, None => None }  all.push(keep!)",
        "kept[n % 2] = Some(mk(n))  all.push(kept[n % 2]!)",
        "kept = [Some(mk(n)), Some(mk(n + 1))]  all.push(kept[0]!)  all.push(kept[1]!)",
        "both = (mk(n), Some(mk(n)))  all.push(both.0)  all.push(both.1!)",
        "global = Some(mk(n))  all.push(global!)",
    ];
    for what in uses {
        let text = format!(
            "
S Job {{ id: i64, name: str }}
G all: Vec<Job>
G spare: Vec<str>
G global: Option<Job> = None
F mk(n: i64) -> Job = Job {{ id: n, name: \"n{{n}}\" }}
F is_right(j: Job) -> bool = j.name == \"\" || j.name == \"n{{j.id}}\"
F run() -> i64 {{
    n := 0
    wrong := 0
    keep: Option<Job> = None
    own: Option<Option<Job>> = None
    kept: [Option<Job>; 2] = [None, None]
    both: (Job, Option<Job>) = (mk(0), None)
    L n < 10 {{
        n += 1
        {what}
        L i: 0..30 {{ spare.push(\"x{{i}}\") }}
        I n % 2 == 0 && n < 10 {{
            next_text()
            hot_reload()
        }}
        L i: 0..30 {{ spare.push(\"y{{i}}\") }}
        spare.clear()
    }}
    L j: all {{ I !is_right(j) {{ wrong += 1 }} }}
    wrong
}}
"
        );
        let there = [
            ("id: i64, name: str", "id: i64"),
            ("id: n, name: \"n{n}\"", "id: n"),
            ("j.name == \"\" || j.name == \"n{j.id}\"", "true"),
        ];
        let back = there.map(|(from, to)| (to, from));
        let (wrong, told) = run(&text, &[&there, &back, &there, &back]);
        assert_eq!(wrong, 0, "{what}: {told:#?}");
        assert!(!told.iter().any(|line| line.contains("refused")), "{what}: {told:#?}");
    }
}
