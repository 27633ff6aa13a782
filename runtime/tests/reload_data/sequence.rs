//! A sequence of edits of one running program, and what has to hold after each.

use std::path::PathBuf;
use std::thread::JoinHandle;

use vaisjit::{Edit, Error, OptLevel, Outcome, Program, Report, Trap, Update};

use crate::loaded::{Loaded, difference, shown};
use crate::random::Random;
use crate::source::Source;
use crate::types::{ENUMS, STRUCTS};
use crate::write::Texts;

/// What a sequence has done.
#[derive(Default, Clone, Copy)]
pub struct Counts {
    pub edits: usize,
    pub reloads: usize,
    pub refused: usize,
    pub rejected: usize,
    pub compared: usize,
    pub traps: usize,
    pub rollbacks: usize,
}

impl Counts {
    pub fn add(&mut self, other: Counts) {
        let own = [&mut self.edits, &mut self.reloads, &mut self.refused, &mut self.rejected];
        let more = [&mut self.compared, &mut self.traps, &mut self.rollbacks];
        let others = [other.edits, other.reloads, other.refused, other.rejected, other.compared, other.traps];
        own.into_iter().chain(more).zip(others.into_iter().chain([other.rollbacks])).for_each(|(to, from)| *to += from);
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Counts { edits, reloads, refused, rejected, compared, traps, rollbacks } = self;
        write!(f, "{edits} edits: {reloads} reloads, {refused} refused, {rejected} rejected, {traps} traps, ")?;
        write!(f, "{rollbacks} rollbacks, {compared} compared")
    }
}

/// One program that is edited.
pub struct Sequence {
    seed: u64,
    running: Loaded,
    main: Option<JoinHandle<Result<u8, Trap>>>,
    source: Source,
    texts: Texts,
    /// The texts that were saved last.
    tried: Texts,
    folder: tempfile::TempDir,
    /// Each how many edits a new program is started.
    stride: usize,
    /// A call has trapped: what it held is not given back.
    has_trapped: bool,
    pub told: Vec<String>,
    pub counts: Counts,
}

impl Sequence {
    pub fn start(seed: u64, stride: usize) -> Sequence {
        let source = Source::new(&mut Random(seed), seed.is_multiple_of(2));
        let texts = source.texts();
        let running = Loaded::new(&texts, OptLevel::Speed);
        let folder = tempfile::tempdir().expect("a folder");
        let run = |program: Program| std::thread::spawn(move || program.run_main());
        let main = (seed.is_multiple_of(2)).then(|| run(running.program.clone()));
        let sequence = Sequence {
            seed,
            running,
            main,
            source,
            tried: texts.clone(),
            texts,
            folder,
            stride,
            has_trapped: false,
            told: Vec::new(),
            counts: Counts::default(),
        };
        sequence.running.fill("set_rest", 1);
        sequence.goes_on();
        sequence
    }

    /// The edits so far, and the last two versions.
    pub fn story(&self) -> String {
        let numbered: Vec<String> = self.told.iter().enumerate().map(|(n, told)| format!("{n}: {told}")).collect();
        format!("{}\n{}----- then\n{}", numbered.join("\n"), shown(&self.texts), shown(&self.tried))
    }

    /// For sequences that end the process: what comes now, and the texts before it.
    fn show(&self) {
        if std::env::var_os("SHOW").is_some() {
            let last = self.told.last().map_or("", |told| told.as_str());
            eprintln!("{}\n{}: {last}", shown(&self.texts), self.told.len() - 1);
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn data(&self) -> String {
        self.running.data(&self.path("running.json"))
    }

    fn goes_on(&self) {
        if self.main.is_some() {
            self.running.has_turned();
        }
    }

    /// Does something that may reload. In half of the programs with a running `main` it is in its loop meanwhile, in the
    /// other half mostly in a function of the host's. Else it rests, for that takes the tests less time.
    fn update(&self, act: impl FnOnce(&Program) -> Result<Update, Error>) -> Result<Update, Error> {
        let turns = self.seed.is_multiple_of(4);
        if turns {
            self.running.fill("set_rest", 0);
        }
        let update = act(&self.running.program);
        if turns {
            self.running.fill("set_rest", 1);
        }
        update
    }

    /// One edit and all that has to hold afterwards.
    pub fn step(&mut self, step: usize) {
        let mut random = Random(self.seed.wrapping_mul(1 << 20).wrapping_add(step as u64));
        for name in self.source.fillers() {
            if random.one_in(4) {
                self.running.fill(&name, random.below(1000) as i64);
            }
        }
        self.running.fill("set_fresh", 5);
        self.counts.edits += 1;
        let before = self.data();
        match random.below(12) {
            0 | 1 => self.mistake(&mut random, &before),
            2 if self.seed.is_multiple_of(3) => self.trap(),
            3 => self.go_back(&mut random, &before),
            _ => self.edit(&mut random, &before),
        }
        self.running.is_whole();
        self.goes_on();
    }

    /// A text with an error, or half of one: nothing changes.
    fn mistake(&mut self, random: &mut Random, before: &str) {
        let file = random.below(self.texts.len());
        let (name, text) = &self.texts[file];
        let wrong = mistaken(text, random);
        self.told.push(format!("mistake in {name}"));
        self.running.save_one(name, &wrong);
        let update = self.update(Program::poll);
        assert!(matches!(update, Err(Error::Rejected(_))), "{update:?}\n=== {name}\n{wrong}");
        self.counts.rejected += 1;
        assert!(self.data() == before, "after a mistake");
        self.tried = vec![(name.clone(), wrong)];
        self.running.save(&self.texts, &Vec::new());
        self.is_as_before(before);
    }

    /// The last good texts are there again. Code may have been made once more, to be linked otherwise.
    fn is_as_before(&mut self, before: &str) {
        match self.update(Program::poll) {
            Ok(Update::Unchanged(_)) => {}
            Ok(Update::Reloaded { report, .. }) => {
                let same = |edit: &Edit| (edit.kind, edit.change) == ("function", "changed");
                assert!(report.edits.iter().all(same), "{report:?}");
                let texts = self.texts.clone();
                self.compare(before, &texts);
            }
            other => panic!("{other:?}"),
        }
        let data = self.data();
        assert!(data == before, "with the last good texts again: {}", difference(&data, before));
    }

    /// A version in which a call traps, and then the version before again.
    fn trap(&mut self) {
        let mut wrong = self.source.clone();
        wrong.trap = true;
        self.told.push("a trap".to_owned());
        self.reload(&wrong.texts());
        let trapped = self.running.try_call("all");
        assert!(trapped.is_err(), "{trapped:?}");
        (self.has_trapped, self.counts.traps) = (true, self.counts.traps + 1);
        let texts = self.texts.clone();
        self.reload(&texts);
    }

    /// A save that must be taken.
    fn reload(&mut self, texts: &Texts) {
        self.tried.clone_from(texts);
        self.running.save(texts, &self.texts);
        let update = self.update(Program::poll);
        assert!(matches!(update, Ok(Update::Reloaded { .. })), "{update:?}");
        self.running.is_whole();
        self.counts.reloads += 1;
    }

    fn edit(&mut self, random: &mut Random, before: &str) {
        let (mut next, mut refusable, mut told) = (self.source.clone(), false, Vec::new());
        next.settle();
        for _ in 0..1 + random.below(3) {
            let edit = next.edit(random);
            refusable |= edit.refusable;
            told.push(edit.what);
        }
        let mut other = Random(self.seed.wrapping_mul(3).wrapping_add(self.told.len() as u64));
        if other.one_in(4) {
            told.push(next.rename_type(other.below(STRUCTS + ENUMS), self.told.len() + 1));
        }
        let texts = next.texts();
        let pieces = !refusable && random.one_in(5);
        self.told.push(format!("{}{}", told.join("; "), if pieces { " (file by file)" } else { "" }));
        self.show();
        if pieces {
            self.save_in_pieces(&texts, random);
        }
        self.tried = texts.clone();
        // What the pieces have changed was looked at after each.
        let data = if pieces { self.data() } else { before.to_owned() };
        let before = data.as_str();
        self.running.is_whole();
        let number = self.running.program.version();
        self.running.save(&texts, &self.texts);
        let update = match random.one_in(3) {
            true => self.update(|program| program.prepare().and_then(|prepared| prepared.commit())),
            false => self.update(Program::poll),
        };
        match update {
            Ok(Update::Reloaded { version, .. }) => {
                assert_eq!(version, number + 1);
                self.running.is_whole();
                self.counts.reloads += 1;
                self.taken(next, before);
                let old = std::mem::replace(&mut self.texts, texts);
                let may_undo = !refusable && !pieces && told.iter().all(|what| has_way_back(what));
                if may_undo && random.one_in(3) {
                    self.undo(&old, before);
                }
            }
            Ok(Update::Unchanged(_)) => {
                (self.source, self.texts) = (next, texts);
                assert!(self.data() == before, "unchanged");
            }
            Err(Error::Refused(report)) if refusable || lacks_room(&report) => {
                self.counts.refused += 1;
                assert!(self.data() == before, "refused");
                self.running.save(&self.texts, &texts);
                match pieces {
                    true => drop(self.update(Program::poll)),
                    false => self.is_as_before(before),
                }
            }
            other => panic!("{other:#?}\n{before}"),
        }
    }

    /// The files are saved one after the other, with a reload between two. Most are rejected. The others are reloads
    /// like any: what a global begins with is computed by the text of that moment.
    fn save_in_pieces(&mut self, texts: &Texts, random: &mut Random) {
        let mut mixed = self.texts.clone();
        for (name, text) in texts {
            self.running.save_one(name, text);
            match mixed.iter_mut().find(|(other, _)| other == name) {
                Some((_, old)) => old.clone_from(text),
                None => mixed.push((name.clone(), text.clone())),
            }
            if random.one_in(2) {
                let before = self.data();
                self.tried.clone_from(&mixed);
                if let Ok(Update::Reloaded { .. }) = self.update(Program::poll) {
                    self.running.is_whole();
                    self.compare(&before, &mixed);
                }
            }
        }
    }

    /// A reload has happened.
    fn taken(&mut self, next: Source, before: &str) {
        if next.reset != self.source.reset {
            assert_eq!(self.running.call("read_fresh"), next.reset as i64, "`#[reset]`");
        }
        self.source = next;
        if self.counts.edits.is_multiple_of(self.stride) {
            let texts = self.tried.clone();
            self.compare(before, &texts);
        }
    }

    /// Back to the version before, by whatever means: what had been removed is there again. What nothing uses may not have
    /// been part of the change.
    fn undo(&mut self, old: &Texts, before: &str) {
        self.told.push("and back".to_owned());
        let without = self.data();
        let new = self.texts.clone();
        let mut loses = false;
        for (texts, others, data) in [(old, &new, before), (&new, old, &*without)] {
            self.running.save(texts, others);
            let update = self.update(Program::poll);
            let all_back = !loses;
            match update {
                Ok(Update::Reloaded { report, .. }) => {
                    self.counts.reloads += 1;
                    loses |= loses_variants(&report);
                }
                Ok(Update::Unchanged(_)) => {}
                other => panic!("{other:?}"),
            }
            self.running.is_whole();
            if all_back {
                self.has_back(data);
            }
        }
    }

    /// Everything is there again. A field that `main` held in a register when it was removed is not: the loop goes on
    /// without it.
    fn has_back(&self, data: &str) {
        if self.main.is_some() && self.told.iter().rev().take(2).any(|told| told.contains("field")) {
            return;
        }
        self.running.is_whole();
        let now = self.data();
        assert!(now == data, "what was removed comes back: {}", difference(&now, data));
    }

    /// Something is removed, the version before comes back with all data, and the removal is saved once more.
    fn go_back(&mut self, random: &mut Random, before: &str) {
        let removal = (0..200).find_map(|_| {
            let mut next = self.source.clone();
            let told = next.edit(random);
            (told.what.contains("removed") && !told.refusable).then_some((next, told))
        });
        // There may be too little left to remove anything.
        let Some((next, told)) = removal else { return };
        self.told.push(format!("{} and rolled back", told.what));
        self.show();
        let number = self.running.program.version();
        let texts = next.texts();
        if told.what == "field of Pair removed"
            && !texts.iter().any(|(_, text)| text.replace("Pair<T>", "").contains("Pair<"))
        {
            return;
        }
        self.reload(&texts);
        let update = self.update(|program| program.rollback(number));
        assert!(matches!(update, Ok(Update::Reloaded { version, .. }) if version == number + 2), "{update:?}");
        self.has_back(before);
        let update = self.update(Program::poll);
        assert!(matches!(update, Ok(Update::Unchanged(_))), "it holds until a file changes: {update:?}");
        self.running.save(&self.texts, &self.tried);
        let update = self.update(Program::poll);
        assert!(matches!(update, Ok(Update::Unchanged(_))), "{update:?}");
        self.counts.rollbacks += 1;
    }

    /// Is it as one that was started with these texts and got the data from before?
    fn compare(&mut self, before: &str, texts: &Texts) {
        self.counts.compared += 1;
        let path = self.path("fresh.json");
        // Most of the time would go into making its code fast.
        let fresh = Loaded::new(texts, OptLevel::None);
        let loaded = fresh.take(&path, before);
        // A file keeps no captures: these closures are made again of the values they captured.
        for name in self.source.closers() {
            fresh.call(&name);
        }
        // What `#[reset]` says is not in the file's hands either.
        let reset = self.running.call("read_fresh");
        for loaded in [&self.running, &fresh] {
            loaded.fill("set_fresh", 5);
        }
        let expected = fresh.data(&path);
        let data = self.data();
        assert!(data == expected, "{}\n{before}\n{:?}", difference(&data, &expected), loaded.notices);
        for name in ["look", "all"] {
            assert_eq!(self.running.call(name), fresh.call(name), "{name}\n{data}");
        }
        self.running.fill("set_fresh", reset);
        fresh.leaks_nothing("fresh");
    }

    /// Ends the program; nothing may be left of it.
    pub fn end(mut self) -> Counts {
        self.running.call("end");
        if let Some(main) = self.main.take() {
            assert_eq!(main.join().expect("no panic").expect("no trap"), 0);
        }
        if !self.has_trapped {
            self.running.leaks_nothing("at the end");
        }
        self.counts
    }
}

impl Drop for Sequence {
    fn drop(&mut self) {
        // After a failure `main` must not go on for ever.
        self.running.program.interrupt();
    }
}

/// A text that the compiler does not take.
fn mistaken(text: &str, random: &mut Random) -> String {
    let mistakes = [
        "F broken( {\n",
        "F broken() -> i64 { \"text\" }\n",
        "F broken() -> i64 { unknown }\n",
        "U nowhere\n",
        "F h0() -> i64 { 1 }\nF h0() -> i64 { 2 }\n",
        "F caller() -> i64 { all(1, 2) }\n",
    ];
    match random.below(3) {
        0 => {
            let braces: Vec<usize> = text.match_indices('{').map(|(at, _)| at).collect();
            text[..=*random.pick(&braces)].to_owned()
        }
        // A function whose callers are left behind.
        1 => {
            let heads: Vec<usize> = text.match_indices("F read_s").map(|(at, _)| at).collect();
            let Some(head) = heads.get(random.below(heads.len())) else { return format!("{text}F {{\n") };
            let open = head + text[*head..].find('(').unwrap_or(0) + 1;
            let comma = if text[open..].starts_with(')') { "" } else { ", " };
            format!("{}more: str{comma}{}", &text[..open], &text[open..])
        }
        _ => format!("{text}{}", random.pick(&mistakes)),
    }
}

/// Does the version before bring all data back? Conversions lose some, and a closure is made of what runs.
fn has_way_back(told: &str) -> bool {
    let lost = ["retyped", "payload", "to be taken", "closure", "main", "nothing"];
    told.contains("retyped: false") || !lost.iter().any(|what| told.contains(what))
}

/// Is it refused because a value that cannot move needs more room?
fn lacks_room(report: &Report) -> bool {
    ["there is room for", "would have to lie at a multiple of", "put together anew in another place"]
        .iter()
        .any(|why| is_refused_as(report, why))
}

/// Has what is removed lost values of a variant that is removed, too?
fn loses_variants(report: &Report) -> bool {
    report.notices.iter().any(|notice| notice.contains("only waited (in removed fields"))
}

fn is_refused_as(report: &Report, reason: &str) -> bool {
    let says = |edit: &Edit| matches!(&edit.outcome, Outcome::Refused { why, .. } if why.contains(reason));
    report.refusals().next().is_some() && report.refusals().all(says)
}
