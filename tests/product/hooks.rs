//! Reload hooks and the program's own migrations: a game that takes no new version in the middle of a level.

use crate::harness::{Project, Run, replaced};

const FILE: &str = "game.vais";

const GAME: &str = r#"S Player { hp: i64, name: str }

G player: Player
G in_level: i64 = 1
G frames: i64

#[before_reload]
F ready(old: i64, new: i64) -> i64 {
    println("asked {old} {new}")
    in_level
}

#[after_reload]
F news(old: i64, new: i64) {
    println("welcome {new} after {old}, hp {player.hp}")
}

F watched(version: i64) -> i64 {
    println("called for {version}")
    0
}

#[hot]
F frame() -> i64 {
    frames += 1
    I in_level == 1 && load_file("over") {
        in_level = 0
        println("level over")
    }
    println("one {player.hp} {player.name}")
    0
}

F load_file(name: str) -> bool { access(name, 0) == 0 }

N "C" { F access(name: str, mode: i32) -> i32; }

F start() { n := 1  player = Player { hp: 40, name: "p{n}" } }

F main() -> i64 {
    start()
    hot_on_reload(watched)
    L {
        frame()
        usleep(2000)
    }
    0
}
"#;

/// A running game.
fn game(text: &str) -> (Project, Run) {
    let project = Project::new(&[(FILE, text)]);
    let mut run = Run::hot(&project, FILE);
    run.out.line("the first frame", |line| line == "one 40 p1");
    (project, run)
}

#[test]
fn a_game_declines_until_its_level_is_over() {
    let (project, mut run) = game(GAME);
    let second = replaced(GAME, "\"one ", "\"two ");
    project.save(FILE, &second);
    run.out.line("the question", |line| line == "asked 1 2");
    run.err.line("the refusal", |line| line.contains("`ready` of module `game` declined with 1"));
    run.err.line("the status line", |line| line.starts_with("refused v1"));
    run.out.line("the old version", |line| line.starts_with("one "));
    project.save("over", "");
    run.out.line("the end of the level", |line| line == "level over");
    let third = replaced(GAME, "\"one ", "\"three ");
    project.save(FILE, &third);
    run.out.line("the question", |line| line == "asked 1 2");
    run.out.line("the hook", |line| line == "welcome 2 after 1, hp 40");
    run.out.line("the call", |line| line == "called for 2");
    run.out.line("the new version", |line| line == "three 40 p1");
}

#[test]
fn a_hook_that_traps_leaves_everything_as_it_was() {
    let text = replaced(GAME, "in_level: i64 = 1", "in_level: i64 = 0");
    let (project, mut run) = game(&text);
    let broken = replaced(
        &text,
        "    println(\"welcome {new} after {old}, hp {player.hp}\")",
        "    println(\"{1 / (in_level)}\")",
    );
    let broken = replaced(&broken, "S Player { hp: i64, name: str }", "S Player { name: str, hp: f64, more: str }");
    let broken =
        replaced(&broken, "Player { hp: 40, name: \"p{n}\" }", "Player { hp: 40.0, name: \"p{n}\", more: \"\" }");
    let broken = replaced(&broken, "\"one {player.hp}", "\"two {player.more}{in_level}");
    project.save(FILE, &broken);
    run.err.line("the refusal", |line| line.contains("`news` of module `game` trapped: "));
    run.err.line("the status line", |line| line.starts_with("refused v1"));
    run.out.line("the old version, with its values", |line| line == "one 40 p1");
    project.save(FILE, &replaced(&text, "\"one ", "\"three "));
    run.out.line("the next save", |line| line == "welcome 2 after 1, hp 40");
    run.out.line("the new version", |line| line == "three 40 p1");
}

#[test]
fn a_player_is_migrated_by_the_game() {
    let text = replaced(GAME, "in_level: i64 = 1", "in_level: i64 = 0");
    let (project, mut run) = game(&text);
    let new = replaced(
        &text,
        "S Player { hp: i64, name: str }",
        "S Player { health: f64, title: str }\n\n#[was(\"Player\")]\nS PlayerV1 { hp: i64, name: str }\n\n\
         F migrate(old: PlayerV1, new: *Player) {\n    new.health = old.hp as f64 / 100.0\n    new.title = \"Sir {old.name}\"\n}",
    );
    let new = replaced(&new, "hp {player.hp}", "health {player.health:.2}");
    let new = replaced(&new, "\"one {player.hp} {player.name}\"", "\"two {player.health:.2} {player.title}\"");
    let new = replaced(&new, "Player { hp: 40, name: \"p{n}\" }", "Player { health: 0.4, title: \"p{n}\" }");
    project.save(FILE, &new);
    run.err.line("the notice", |line| line.contains("migrated 1 instance by `migrate`"));
    run.out.line("the hook", |line| line == "welcome 2 after 1, health 0.40");
    run.out.line("the player", |line| line == "two 0.40 Sir p1");
}

#[test]
fn hooks_are_called_once_while_threads_run() {
    let text = r#"U std/thread

#[hot]
F tag() -> i64 { 1 }

G asked: i64
G told: i64
G called: i64

#[before_reload]
F ready() { asked += 1 }

#[after_reload]
F news() { told += 1 }

F watched(version: i64) -> i64 {
    called += 1
    println("version {version} asked {asked} told {told} called {called} tag {tag()}")
    0
}

F work(quick: bool) -> i64 {
    n := 0
    L tag() != 99 {
        n += tag()
        I !quick { sleep_ms(1) }
    }
    0
}

F main() -> i64 {
    hot_on_reload(watched)
    a := spawn(|| work(true))
    b := spawn(|| work(false))
    println("started")
    a.join()!
    b.join()!
}
"#;
    let project = Project::new(&[(FILE, text)]);
    let mut run = Run::hot(&project, FILE);
    run.out.line("the start", |line| line == "started");
    for version in 2..6 {
        project.save(FILE, &replaced(text, "{ 1 }", &format!("{{ {version} }}")));
        let before = version - 1;
        let wanted = format!("version {version} asked {before} told {before} called {before} tag {version}");
        run.out.line("the calls of this version", |line| line == wanted);
    }
    project.save(FILE, &replaced(text, "{ 1 }", "{ 99 }"));
    assert_eq!(run.finish().status, Some(0));
}
