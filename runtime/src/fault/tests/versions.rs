//! The versions that faults are injected between. `look` says what a version holds.

/// Values of all kinds: each version migrates what the one before has left.
pub const VALUES: [&str; 4] = [
    r#"
S Item { n: i32, name: str }
E Job { Idle, Work(Item) }
G items: Vec<Item>
G by_name: HashMap<str, Item>
G job: Job
G total: i64 = 5
S Note { n: i32, word: str }
G note: Note
F tick(n: i64) -> i64 {
    items.push(Item { n: n as i32, name: "item {n}" })
    by_name["key {n}"] = Item { n: n as i32, name: "value {n}" }
    job = Work(Item { n: 1, name: "job {n}" })
    total += 1
    note = Note { n: 2, word: "note {n}" }
    items.len()
}
F look() -> i64 { items.len() * 1000 + items[items.len() - 1].name.len() * 100 + by_name.len() * 10 + total + note.word.len() }
"#,
    r#"
S Item { n: i64, name: str, tags: Vec<str> = [], id: i64 = 40 + base() }
E Job { Wait(i64), Idle, Work(Item, i64) }
G items: Vec<Item>
G by_name: HashMap<str, Item>
G job: Job
G total: f64 = 5.0
G note: i64
G extra: Vec<str> = ["a" + "b"]
F base() -> i64 { 2 }
F tick(n: i64) -> i64 {
    items.push(Item { n: n, name: "item {n}" })
    total += 1.0
    items[0].tags.push("tag {n}")
    items.len() + extra.len() - 1
}
F look() -> i64 { items.len() * 1000 + items[0].tags.len() * 100 + items[0].id * 10 + by_name.len() + total as i64 + note }
"#,
    r#"
S Item { n: u8, tags: Vec<str> = [], a: i64 = 0, b: i64 = 0, c: i64 = 0, d: i64 = 0, e: str = "e", f: i64 = 0 }
E Job { Wait(i64), Idle, Work(Item) }
G items: Vec<Item>
G by_name: HashMap<str, Item>
G job: Job
G total: Option<f64>
G note: Vec<Item>
F tick(n: i64) -> i64 {
    items.push(Item { n: 1 })
    note.push(Item { n: 4 })
    by_name["other {n}"] = Item { n: 3 }
    total = M total { Some(x) => Some(x + 1.0), None => None }
    items.len()
}
F look() -> i64 { items.len() * 1000 + items[0].n as i64 * 100 + items[0].tags.len() * 10 + by_name.len() + note.len() }
"#,
    r#"
S Item { n: i32, name: str = "none" }
E Job { Idle, Work(Item) }
G items: Vec<Item>
G by_name: HashMap<str, Item>
G job: Job
G total: i64 = 5
S Note { n: i32, word: str }
G note: Note
#[reset] G extra: Vec<str> = ["other" + "!"]
F tick(n: i64) -> i64 {
    items.push(Item { n: n as i32, name: "item {n}" })
    items.len()
}
F look() -> i64 { items.len() * 1000 + items[0].n + items[0].name.len() * 100 + by_name.len() * 10 + total + note.word.len() }
"#,
];

/// A program that runs, with hooks, a migration of its own, tables of methods, closures and values that move.
pub const PROGRAM: [&str; 6] = [
    r#"
W Shape { F area(&self) -> i64 }
S Square { side: i64, name: str }
X Square: Shape { F area(&self) -> i64 { self.side + self.name.len() } }
S Item { n: i32, name: str }
S Player { hp: i64, name: str }
S Spot { x: i64 }
#[before_reload] F before(old: i64, new: i64) -> i64 { 0 }

G shapes: Vec<dyn Shape>
G boxes: Vec<Box<Item>>
G items: Vec<Item>
G players: Vec<Player>
G by: HashMap<str, Player>
G scores: Vec<i64>
G act: fn(i64) -> i64
G seen: i64
G on: i64 = 1
F stop() -> i64 { on = 0; 0 }
F base() -> i64 { 3 }
F rest() -> i64 {
    t := mut shapes.len() * 7 + boxes.len() * 11 + seen + act(5)
    L i: 0..items.len() { t = (t * 31 + items[i].n as i64) % 1000003 }
    L i: 0..boxes.len() { t = (t * 31 + boxes[i].n as i64) % 1000003 }
    L i: 0..shapes.len() { t = (t * 31 + shapes[i].area()) % 1000003 }
    L i: 0..players.len() { t = (t * 31 + players[i].name.len()) % 1000003 }
    t * 10 + scores.len()
}
F trim() -> i64 {
    I items.len() > 3 { items.clear(); boxes.clear(); players.clear(); by.clear(); shapes.clear(); scores.clear() }
    items.len()
}
F tick(n: i64) -> i64 {
    trim()
    items.push(Item { n: n as i32, name: "item {n}" })
    boxes.push(Box.new(Item { n: n as i32, name: "box {n}" }))
    players.push(Player { hp: n, name: "player {n}" })
    by["p{n}"] = players[0]
    scores.push(n)
    shapes.push(Square { side: n, name: "s{n}" })
    k := n + base()
    act = |x| x + k
    items.len()
}
F look() -> i64 { I players.len() > 0 { players[0].hp + rest() } E { rest() } }
F main() -> i64 {
    turns := mut 0
    spot := mut Spot { x: 5 }
    L on == 1 {
        I pass() == 1 {
            turns += 1
            spot.x += turns
            seen = spot.x
        }
    }
    0
}
"#,
    r#"
W Shape { F edges(&self) -> i64  F area(&self) -> i64 }
S Square { side: i64, name: str }
X Square: Shape { F area(&self) -> i64 { self.side * 2 }  F edges(&self) -> i64 { self.side + 4 } }
S Item { n: i32, name: str, id: i64 = base() * 2 }
S Player { health: f64, name: str, tags: Vec<str> = [] }
#[was("Player")] S PlayerV1 { hp: i64, name: str }
F migrate(old: PlayerV1, new: *Player) {
    new.health = old.hp as f64 / 2.0
    new.tags.push("was {old.name}")
}
S Spot { x: i64, y: i64 = 2 }
G told: i64
G fresh: Vec<str> = ["a" + "b", "c"]
G later: str = "literal {base()}"
#[before_reload] F before(old: i64, new: i64) -> i64 { 0 }
#[after_reload] F after(old: i64, new: i64) { told = new - old }

G shapes: Vec<dyn Shape>
G boxes: Vec<Box<Item>>
G items: Vec<Item>
G players: Vec<Player>
G by: HashMap<str, Player>
G scores: Vec<i64>
G act: fn(i64) -> i64
G seen: i64
G on: i64 = 1
F stop() -> i64 { on = 0; 0 }
F base() -> i64 { 3 }
F rest() -> i64 {
    t := mut shapes.len() * 7 + boxes.len() * 11 + seen + act(5)
    L i: 0..items.len() { t = (t * 31 + items[i].n as i64) % 1000003 }
    L i: 0..boxes.len() { t = (t * 31 + boxes[i].n as i64) % 1000003 }
    L i: 0..shapes.len() { t = (t * 31 + shapes[i].area()) % 1000003 }
    L i: 0..players.len() { t = (t * 31 + players[i].name.len()) % 1000003 }
    t * 10 + scores.len()
}
F trim() -> i64 {
    I items.len() > 3 { items.clear(); boxes.clear(); players.clear(); by.clear(); shapes.clear(); scores.clear() }
    items.len()
}
F tick(n: i64) -> i64 {
    trim()
    items.push(Item { n: n as i32, name: "item {n}" })
    boxes.push(Box.new(Item { n: n as i32, name: "box {n}" }))
    players.push(Player { health: n as f64, name: "player {n}" })
    by["p{n}"] = players[0]
    scores.push(n)
    shapes.push(Square { side: n, name: "s{n}" })
    k := n + base()
    act = |x| x * 2 + k
    items.len()
}
F look() -> i64 { t := mut rest() + fresh.len() + later.len()
    I players.len() > 0 { t += players[0].health as i64 + players[0].tags.len() * 3 + items[0].id + shapes[0].edges() }
    t
}
F main() -> i64 {
    turns := mut 0
    spot := mut Spot { x: 5 }
    more := mut 100
    L on == 1 {
        I pass() == 1 {
            turns += 1
            more += 2
            spot.x += turns
            spot.y += more
            seen = spot.x + spot.y
        }
    }
    0
}
"#,
    r#"
W Shape { F edges(&self) -> i64  F area(&self) -> i64 }
S Square { side: i64, name: str }
X Square: Shape { F area(&self) -> i64 { self.side * 2 }  F edges(&self) -> i64 { self.side + 5 } }
S Item { n: i64, a: [i64; 9] = [1; 9], name: str, tags: Vec<str> = [], id: i64 = base() * 2, by: HashMap<str, i64> = HashMap.new() }
S Player { health: f64, name: str, tags: Vec<str> = [] }
S Spot { x: i64, y: i64 = 2 }
G told: i64
#[reset] G fresh: Vec<str> = ["x" + "y", "z", "w"]
#[reset] G later: str = "another literal"
G wide: [Item; 2]
#[before_reload] F before(old: i64, new: i64) -> i64 { 0 }
#[after_reload] F after(old: i64, new: i64) { told = new - old + 1 }
#[after_reload] F again() { told += 1 }

G shapes: Vec<dyn Shape>
G boxes: Vec<Box<Item>>
G items: Vec<Item>
G players: Vec<Player>
G by: HashMap<str, Player>
G scores: Vec<f64>
G act: fn(i64) -> i64
G seen: i64
G on: i64 = 1
F stop() -> i64 { on = 0; 0 }
F base() -> i64 { 3 }
F rest() -> i64 {
    t := mut shapes.len() * 7 + boxes.len() * 11 + seen + act(5)
    L i: 0..items.len() { t = (t * 31 + items[i].n as i64) % 1000003 }
    L i: 0..boxes.len() { t = (t * 31 + boxes[i].n as i64) % 1000003 }
    L i: 0..shapes.len() { t = (t * 31 + shapes[i].area()) % 1000003 }
    L i: 0..players.len() { t = (t * 31 + players[i].name.len()) % 1000003 }
    t * 10 + scores.len()
}
F trim() -> i64 {
    I items.len() > 3 { items.clear(); boxes.clear(); players.clear(); by.clear(); shapes.clear(); scores.clear() }
    items.len()
}
F tick(n: i64) -> i64 {
    trim()
    items.push(Item { n: n as i64, name: "item {n}" })
    boxes.push(Box.new(Item { n: n as i64, name: "box {n}" }))
    players.push(Player { health: n as f64, name: "player {n}" })
    by["p{n}"] = players[0]
    scores.push(n as f64)
    shapes.push(Square { side: n, name: "s{n}" })
    k := n + base()
    s := "captured {n}"
    act = |x| x * 3 + k + s.len()
    items.len()
}
F look() -> i64 { t := mut rest() + fresh.len() + later.len()
    I players.len() > 0 { t += players[0].tags.len() * 3 + items[0].id + items[0].a[8] + boxes[0].a[3] + shapes[0].edges() }
    t
}
F main() -> i64 {
    turns := mut 0
    spot := mut Spot { x: 5 }
    more := mut 100
    L on == 1 {
        I pass() == 1 {
            turns += 1
            more += 3
            spot.x += turns * 2
            spot.y += more
            seen = spot.x + spot.y
        }
    }
    0
}
"#,
    r#"
W Shape { F area(&self) -> i64 }
E Kind { Round(i64), Flat, Named(str) }
S Square { side: i64, name: str, kind: Kind = Flat, kinds: Vec<Kind> = [] }
X Square: Shape { F area(&self) -> i64 { self.side * 3 + self.name.len() } }
S Item { n: i32, name: str, kind: Kind = Flat }
S Player { name: str, hp: i64 }
S Spot { x: i64, z: i64 = 9 }

G shapes: Vec<dyn Shape>
G boxes: Vec<Box<Item>>
G items: Vec<Item>
G players: Vec<Player>
G by: HashMap<str, Player>
G scores: Vec<i64>
G act: fn(i64) -> i64
G seen: i64
G on: i64 = 1
F stop() -> i64 { on = 0; 0 }
F base() -> i64 { 3 }
F rest() -> i64 {
    t := mut shapes.len() * 7 + boxes.len() * 11 + seen + act(5)
    L i: 0..items.len() { t = (t * 31 + items[i].n as i64) % 1000003 }
    L i: 0..boxes.len() { t = (t * 31 + boxes[i].n as i64) % 1000003 }
    L i: 0..shapes.len() { t = (t * 31 + shapes[i].area()) % 1000003 }
    L i: 0..players.len() { t = (t * 31 + players[i].name.len()) % 1000003 }
    t * 10 + scores.len()
}
F trim() -> i64 {
    I items.len() > 3 { items.clear(); boxes.clear(); players.clear(); by.clear(); shapes.clear(); scores.clear() }
    items.len()
}
F tick(n: i64) -> i64 {
    trim()
    items.push(Item { n: n as i32, name: "item {n}" })
    boxes.push(Box.new(Item { n: n as i32, name: "box {n}" }))
    players.push(Player { hp: n, name: "player {n}" })
    by["p{n}"] = players[0]
    scores.push(n)
    shapes.push(Square { side: n, name: "s{n}" })
    k := n + base()
    act = |x| x + k
    items.len()
}
F look() -> i64 { I players.len() > 0 { players[0].hp + rest() } E { rest() } }
F main() -> i64 {
    turns := mut 0
    spot := mut Spot { x: 5 }
    L on == 1 {
        I pass() == 1 {
            turns += 1
            spot.x += turns
            seen = spot.x + spot.z
        }
    }
    0
}
"#,
    r#"
W Shape { F area(&self) -> i64 }
E Kind { Round(i64), Flat, Named(str) }
S Square { side: i64, name: str, kind: Kind = Flat, kinds: Vec<Kind> = [] }
X Square: Shape { F area(&self) -> i64 { self.side * 3 + self.name.len() } }
S Item { n: i32, name: str, kind: Kind = Flat }
S Player { name: str, hp: i64 }
S Spot { x: i64, z: i64 = 9 }

G shapes: Vec<dyn Shape>
G boxes: Vec<Box<Item>>
G items: Vec<Item>
G players: Vec<Player>
G by: HashMap<str, Player>
G scores: Vec<i64>
G act: fn(i64) -> i64
G seen: i64
G on: i64 = 1
F stop() -> i64 { on = 0; 0 }
F base() -> i64 { 4 }
F rest() -> i64 {
    t := mut shapes.len() * 7 + boxes.len() * 11 + seen + act(5)
    L i: 0..items.len() { t = (t * 31 + items[i].n as i64) % 1000003 }
    L i: 0..boxes.len() { t = (t * 31 + boxes[i].n as i64) % 1000003 }
    L i: 0..shapes.len() { t = (t * 31 + shapes[i].area()) % 1000003 }
    L i: 0..players.len() { t = (t * 31 + players[i].name.len()) % 1000003 }
    t * 10 + scores.len()
}
F trim() -> i64 {
    I items.len() > 3 { items.clear(); boxes.clear(); players.clear(); by.clear(); shapes.clear(); scores.clear() }
    items.len()
}
F tick(n: i64) -> i64 {
    trim()
    items.push(Item { n: n as i32, name: "item {n}" })
    boxes.push(Box.new(Item { n: n as i32, name: "box {n}" }))
    players.push(Player { hp: n, name: "player {n}" })
    by["p{n}"] = players[0]
    scores.push(n)
    shapes.push(Square { side: n, name: "s{n}" })
    k := n + base()
    act = |x| x + k
    items.len()
}
F look() -> i64 { I players.len() > 0 { players[0].hp + rest() } E { rest() } }
F main() -> i64 {
    turns := mut 0
    spot := mut Spot { x: 5 }
    L on == 1 {
        I pass() == 1 {
            turns += 1
            spot.x += turns
            seen = spot.x + spot.z
        }
    }
    0
}
"#,
    r#"
W Shape { F area(&self) -> i64 }
E Kind { Flat, Named(str, i64), Square, Round(f64) }
S Square { side: i64, name: str, kind: Kind = Flat, kinds: Vec<Kind> = [] }
X Square: Shape { F area(&self) -> i64 { self.side * 3 + self.name.len() } }
S Item { n: i32, name: str, kind: Kind = Flat }
S Player { name: str, hp: i64 }
S Spot { x: i64, z: i64 = 9 }

G shapes: Vec<dyn Shape>
G boxes: Vec<Box<Item>>
G items: Vec<Item>
G players: Vec<Player>
G by: HashMap<str, Player>
G scores: Vec<i64>
G act: fn(i64) -> i64
G seen: i64
G on: i64 = 1
F stop() -> i64 { on = 0; 0 }
F base(n: i64) -> i64 { n + 1 }
F rest() -> i64 {
    t := mut shapes.len() * 7 + boxes.len() * 11 + seen + act(5)
    L i: 0..items.len() { t = (t * 31 + items[i].n as i64) % 1000003 }
    L i: 0..boxes.len() { t = (t * 31 + boxes[i].n as i64) % 1000003 }
    L i: 0..shapes.len() { t = (t * 31 + shapes[i].area()) % 1000003 }
    L i: 0..players.len() { t = (t * 31 + players[i].name.len()) % 1000003 }
    t * 10 + scores.len()
}
F trim() -> i64 {
    I items.len() > 3 { items.clear(); boxes.clear(); players.clear(); by.clear(); shapes.clear(); scores.clear() }
    items.len()
}
G odd: Kind = Named("odd", 4)
F tick(n: i64) -> i64 {
    trim()
    items.push(Item { n: n as i32, name: "item {n}" })
    boxes.push(Box.new(Item { n: n as i32, name: "box {n}" }))
    players.push(Player { hp: n, name: "player {n}" })
    by["p{n}"] = players[0]
    scores.push(n)
    shapes.push(Square { side: n, name: "s{n}" })
    k := n + base(2)
    act = |x| x + k
    items.len()
}
F look() -> i64 { I players.len() > 0 { players[0].hp + rest() } E { rest() } }
F main() -> i64 {
    turns := mut 0
    spot := mut Spot { x: 5 }
    L on == 1 {
        I pass() == 1 {
            turns += 1
            spot.x += turns
            seen = spot.x + spot.z
        }
    }
    0
}
"#,
];

/// The last version of the values with other names for types, fields, a variant and a global; the first one takes them
/// back.
pub fn renamed_values() -> String {
    let changes = [
        (
            "S Item { n: i32, name: str",
            "#[was(\"Item\")] S Thing { #[was(\"n\")] count: i32, #[was(\"name\")] title: str",
        ),
        ("E Job { Idle, Work(Item)", "#[was(\"Job\")] E Task { Idle, #[was(\"Work\")] Busy { thing: Thing }"),
        ("G items", "#[was(\"items\")] G things"),
        ("G job: Job", "G job: Task"),
        ("Item { n:", "Thing { count:"),
        (" name: \"", " title: \""),
        ("].name", "].title"),
        ("].n ", "].count "),
        ("Item", "Thing"),
        ("items", "things"),
    ];
    let text = changes.iter().fold(VALUES[3].to_owned(), |text, (old, new)| text.replace(old, new));
    text.replace("#[was(\"Thing\")]", "#[was(\"Item\")]").replace("#[was(\"things\")]", "#[was(\"items\")]")
}

/// The last version of the program with other names for a trait, the type behind it and one in registers.
pub fn renamed_program() -> String {
    let changes = [
        ("Shape", "Form"),
        ("Square", "Quad"),
        ("S Spot {", "#[was(\"Spot\")] S Place {"),
        ("Spot {", "Place {"),
        ("S Player {", "#[was(\"Player\")] S Hero {"),
        ("Player", "Hero"),
    ];
    let text = changes.iter().fold(PROGRAM[5].to_owned(), |text, (old, new)| text.replace(old, new));
    text.replace("#[was(\"Hero\")]", "#[was(\"Player\")]")
}
