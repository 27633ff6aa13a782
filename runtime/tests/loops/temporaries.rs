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
