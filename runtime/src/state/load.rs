//! From the text of a file of state to values in the memory of a stopped program. Everything is built aside; the globals
//! take it over when nothing can fail any more.

mod boxes;
mod build;
mod computed;
mod finish;
mod misfits;
mod options;
mod value;

use std::borrow::Cow;
use std::collections::VecDeque;
use std::rc::Rc;

use crate::reload::renames::was;
use rustc_hash::FxHashMap;
use vaisjit_semantics::Ty;

use super::json::{self, Damaged};
use super::regions::{Kind, Region, Regions};
use super::types::{Id, Node, Types};
use super::view::{DynValue, Notices, View};
use super::{FORMAT, StateReport};
use computed::Declared;
pub(super) use computed::{Computed, Wanted};

/// Memory that a file may take, whatever its size, and for each of its bytes.
const ROOM: usize = 256 << 20;
const ROOM_PER_BYTE: usize = 256;

/// A file of state, not yet looked into.
pub(super) struct File<'t> {
    /// Name, type and value of each.
    globals: Vec<(Cow<'t, str>, Cow<'t, str>, &'t str)>,
    /// Type and value of each.
    objects: Vec<(Cow<'t, str>, &'t str)>,
    length: usize,
}

impl<'t> File<'t> {
    /// Reads the outer layers of a text.
    pub fn new(text: &'t str) -> Result<File<'t>, Damaged> {
        let whole = json::check(text)?;
        if json::Kind::of(whole) != json::Kind::Object {
            return Err(Damaged("this is no file of state".to_owned()));
        }
        let mut file = File { globals: Vec::new(), objects: Vec::new(), length: text.len() };
        let (mut kind, mut format) = (None, None);
        json::members(whole, &mut |key, part| {
            match &*key {
                "vaisjit" => kind = Some(part),
                "format" => format = Some(part),
                "globals" => json::members(part, &mut |name, part| {
                    let (ty, value) = typed(part)?;
                    file.globals.push((name, ty, value));
                    Ok(())
                })?,
                "objects" => json::elements(part, &mut |part| {
                    file.objects.push(typed(part)?);
                    Ok(())
                })?,
                _ => return Err(Damaged(format!("a file of state has no part `{key}`"))),
            }
            Ok(())
        })?;
        match (kind, format.map(json::number)) {
            (Some("\"state\""), Some(Some(json::Number::Int(FORMAT)))) => Ok(file),
            (Some("\"state\""), Some(_)) => {
                Err(Damaged(format!("its format is not {FORMAT}, which this version reads")))
            }
            _ => Err(Damaged("this is no file of state".to_owned())),
        }
    }
}

/// `{"type": "i64", "value": 1}`
fn typed(text: &str) -> Result<(Cow<'_, str>, &str), Damaged> {
    let (mut ty, mut value) = (None, None);
    json::members(text, &mut |key, part| {
        match &*key {
            "type" => ty = Some(json::string(part)?),
            "value" => value = Some(part),
            _ => return Err(Damaged(format!("a saved value has no part `{key}`"))),
        }
        Ok(())
    })?;
    ty.zip(value).ok_or_else(|| Damaged("a saved value has a `type` and a `value`".to_owned()))
}

/// A global with its new value.
struct Staged {
    /// Where the global lies.
    at: usize,
    node: Rc<Node>,
    /// The new value; after the commit the old one.
    value: Box<[u128]>,
    region: usize,
}

impl Staged {
    fn address(&self) -> usize {
        self.value.as_ptr() as usize
    }
}

/// An object that still has to be filled.
struct Work<'t> {
    text: &'t str,
    payload: usize,
    /// Of a `dyn` the type of the value behind it, otherwise that of the handle.
    of: Id,
    region: usize,
    kind: WorkKind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum WorkKind {
    Handle,
    /// A `dyn` that owns its value.
    Cell,
    /// A `dyn` of a value that lies elsewhere.
    Borrowing,
}

/// A pointer to be set when everything has its place.
struct Fixup<'t> {
    /// Region and address.
    place: (usize, usize),
    /// The cell of a `dyn`, otherwise the word at the place.
    cell: Option<usize>,
    to: Goal<'t>,
    path: Cow<'t, str>,
    pointee: Ty,
    /// Of a slice.
    length: Option<usize>,
}

enum Goal<'t> {
    Global(Cow<'t, str>),
    Object(usize),
}

/// A map whose entries wait until everything their keys hold is there.
struct PendingMap {
    payload: usize,
    of: Id,
    entries: Box<[u128]>,
    /// Is the entry to be inserted?
    wanted: Vec<bool>,
    region: usize,
}

struct Loader<'v, 'a, 't> {
    view: &'v mut View<'a>,
    types: Types<'v>,
    file: &'v File<'t>,
    regions: Regions,
    staged: Vec<Staged>,
    /// Payload and region by object and type.
    built: FxHashMap<(usize, Ty), (usize, usize)>,
    work: VecDeque<Work<'t>>,
    made: Vec<usize>,
    fixups: Vec<Fixup<'t>>,
    maps: Vec<PendingMap>,
    /// Places that keep what the global has: new, old, bytes.
    kept: Vec<(usize, usize, usize)>,
    /// How many enums the place being read lies in: what lies there now may be of another variant.
    enums: usize,
    notices: Notices,
    saturated: usize,
    room: usize,
    dyn_values: Option<Rc<[DynValue]>>,
    functions: Option<FxHashMap<String, (Ty, usize)>>,
    defaults: FxHashMap<value::FieldOf, Declared>,
    computed: &'v mut Computed,
    wanted: Wanted,
    has_default: FxHashMap<Id, bool>,
}

/// What became of an attempt to load.
pub(super) enum Loaded {
    /// The globals have their new values.
    Done(StateReport),
    /// Nothing has changed: these defaults have to be computed first.
    Wants(Wanted),
}

/// Gives the globals the values of a file. After an error nothing has changed.
pub(super) fn load(view: &mut View<'_>, file: &File<'_>, computed: &mut Computed) -> Result<Loaded, Damaged> {
    computed.rewind();
    let live = view.live;
    let mut loader = Loader {
        types: Types::new(view.memory, &live.checked, &live.layouts),
        view,
        file,
        regions: Regions::default(),
        staged: Vec::new(),
        built: FxHashMap::default(),
        work: VecDeque::new(),
        made: Vec::new(),
        fixups: Vec::new(),
        maps: Vec::new(),
        kept: Vec::new(),
        enums: 0,
        notices: Notices::default(),
        saturated: 0,
        room: ROOM.saturating_add(file.length.saturating_mul(ROOM_PER_BYTE)),
        dyn_values: None,
        functions: None,
        defaults: FxHashMap::default(),
        computed,
        wanted: Wanted::default(),
        has_default: FxHashMap::default(),
    };
    let built = loader.build();
    if built.is_ok() && loader.wanted.is_empty() {
        return Ok(Loaded::Done(loader.commit()));
    }
    let memory = loader.view.memory;
    loader.made.iter().for_each(|payload| memory.discard(*payload));
    built.map(|()| Loaded::Wants(loader.wanted))
}

impl<'t> Loader<'_, '_, 't> {
    /// Builds everything the file has for the globals there are.
    fn build(&mut self) -> Result<(), Damaged> {
        let file = self.file;
        let mut known: FxHashMap<&str, &'t str> = FxHashMap::default();
        known.extend(file.globals.iter().map(|(name, _, value)| (&**name, *value)));
        for (path, ty, at) in self.view.globals() {
            let name = self.view.names.item(path);
            let of = self.types.id(ty);
            let node = self.types.node(of);
            let before = || Some(self.view.names.item(self.view.live.snapshot.as_ref().and_then(|of| was(of, path))?));
            let text = known.remove(&*name).or_else(|| known.remove(&*before()?));
            let Some(text) = text else {
                self.notices.once(format!("`{name}` is not in the file and keeps its value"));
                let region =
                    Region { base: at, size: node.size, kind: Kind::Value(of), name: Some(name), parent: None };
                self.regions.add(region);
                continue;
            };
            self.take_room(node.size)?;
            let value = vec![0u128; node.size.div_ceil(16)].into_boxed_slice();
            let base = value.as_ptr() as usize;
            let region = self.regions.add(Region {
                base,
                size: node.size,
                kind: Kind::Value(of),
                name: Some(name),
                parent: None,
            });
            self.staged.push(Staged { at, node: node.clone(), value, region });
            self.place(&node, base, text, region, None)?;
        }
        let mut gone: Vec<&str> = known.into_keys().collect();
        gone.sort_unstable();
        for name in gone {
            self.notices.once(format!("the program has no global `{name}`: its value in the file is left out"));
        }
        while let Some(work) = self.work.pop_front() {
            self.fill(work)?;
        }
        if !self.wanted.is_empty() {
            return Ok(());
        }
        self.point()?;
        self.fill_maps()
    }

    /// Takes note of memory before it is taken.
    fn take_room(&mut self, bytes: usize) -> Result<(), Damaged> {
        // A block costs more than what it holds.
        self.room = self.room.checked_sub(bytes.saturating_add(64)).ok_or_else(|| {
            Damaged(format!("the values it stands for take far more memory than its {} bytes", self.file.length))
        })?;
        Ok(())
    }
}
