//! Takes structs, tuples and slices apart whose address nobody takes: every scalar in them becomes a local of its own,
//! and so does every array or enum in them, which stays in memory.
//!
//! Parameters are read once on entry. What is passed to or comes from a call as a whole stays whole.

use smallvec::SmallVec;
use vaisjit_semantics::{Checked, Ty, TyKind};
use vaisjit_syntax::{Name, Span};

use crate::layout::{Layouts, parked_bytes};
use crate::lower::PARTS;
use crate::mir::visit::{Access, places_mut, statement_places, terminator_operand_mut};
use crate::mir::{
    Body, Carried, Const, Local, LocalDecl, Operand, Place, PlaceBase, Projection, Rvalue, Statement, StatementKind,
    Taken,
};
use crate::resume::CarryKey;
use crate::shape::is_counted;

/// Types with more parts than this stay in memory. Chosen by feel.
const MOST_PARTS: usize = 16;
/// The same for parameters, which are read on every call.
const MOST_PARAMETER_PARTS: usize = 8;

/// A type taken apart: a tree whose leaves are locals.
struct Node {
    ty: Ty,
    /// The path of fields down to it.
    part: Option<Name>,
    /// The local of a leaf.
    local: Option<Local>,
    fields: Vec<Node>,
}

pub(super) fn replace(body: &mut Body, program: &Checked, layouts: &dyn Layouts) {
    let candidates = candidates(body, program, layouts);
    if candidates.iter().all(|candidate| !candidate) {
        return;
    }
    let mut trees: Vec<Option<Node>> = Vec::with_capacity(candidates.len());
    for (index, candidate) in candidates.into_iter().enumerate() {
        trees.push(candidate.then(|| take_apart(body, body.local(index as u32), program, layouts)));
    }
    read_parameters(body, &trees);
    let ids: Vec<_> = body.blocks.iter().map(|(id, _)| id).collect();
    let entry = ids[0];
    for id in ids {
        let block = &mut body.blocks[id];
        let skip = if id == entry { parameter_parts(&trees, body.params) } else { 0 };
        let statements = std::mem::take(&mut block.statements);
        let mut made = Vec::with_capacity(statements.len());
        for (index, statement) in statements.into_iter().enumerate() {
            if index < skip {
                made.push(statement);
            } else {
                rewrite(statement, &trees, (program, layouts), &mut made);
            }
        }
        block.statements = made;
        if let Some(Operand::Copy(place)) = terminator_operand_mut(&mut block.terminator) {
            resolve(place, &trees);
        }
    }
}

/// By local: can it be taken apart?
fn candidates(body: &Body, program: &Checked, layouts: &dyn Layouts) -> Vec<bool> {
    let mut candidates: Vec<bool> = body
        .locals
        .iter()
        .map(|(local, declared)| {
            let number = u32::from(local.into_raw());
            let most = if number <= body.params { MOST_PARAMETER_PARTS } else { MOST_PARTS };
            number != Body::RESULT
                && declared.pinned.is_none()
                && is_apart(declared.ty)
                && count_parts(declared.ty, layouts, most).is_some()
        })
        .collect();
    let mut whole = |place: &Place| {
        if let PlaceBase::Local(local) = place.base {
            candidates[index(local)] = false;
        }
    };
    for block in body.blocks.values() {
        // What is taken apart has no parked fields any more, and is released part by part.
        let splits = |statement: &&Statement| match &statement.kind {
            StatementKind::FillParked(..) => true,
            StatementKind::Release { place, .. } => is_released_in_parts(place, program, layouts),
            _ => false,
        };
        for statement in block.statements.iter().filter(|statement| !splits(statement)) {
            statement_places(statement, &mut |place, access| {
                if access == Access::Address {
                    whole(place);
                }
            });
        }
        for statement in &block.statements {
            if let StatementKind::Call(call) = &statement.kind {
                for argument in &call.arguments {
                    if let Operand::Copy(place) = argument
                        && place.ty.is_aggregate()
                    {
                        whole(place);
                    }
                }
                call.result.iter().filter(|place| place.ty.is_aggregate()).for_each(&mut whole);
            }
        }
    }
    candidates
}

/// Can a local be released word by word?
fn is_released_in_parts(place: &Place, program: &Checked, layouts: &dyn Layouts) -> bool {
    place.as_local().is_some() && counted_words(place.ty, program, layouts).is_some_and(|words| words <= PARTS)
}

/// The number of counted words; none if there is anything else that is counted.
fn counted_words(ty: Ty, program: &Checked, layouts: &dyn Layouts) -> Option<usize> {
    if !is_counted(ty, program) {
        return Some(0);
    }
    if !is_apart(ty) {
        return ty.is_scalar().then_some(1);
    }
    (0..).map_while(|field| field_ty(ty, field, layouts)).map(|of| counted_words(of, program, layouts)).sum()
}

fn is_apart(ty: Ty) -> bool {
    matches!(ty.kind(), TyKind::Struct(..) | TyKind::Tuple(_) | TyKind::Slice(_))
}

/// The number of leaves; none when there are too many.
fn count_parts(ty: Ty, layouts: &dyn Layouts, most: usize) -> Option<usize> {
    if !is_apart(ty) {
        return Some(usize::from(!ty.is_unit()));
    }
    if matches!(ty.kind(), TyKind::Struct(..)) && !layouts.parked(ty, 0).is_empty() {
        // A copy has the parked bytes too.
        return None;
    }
    let mut parts = 0;
    for field in 0.. {
        let Some(field) = field_ty(ty, field, layouts) else { break };
        parts += count_parts(field, layouts, most - parts.min(most))?;
        if parts > most {
            return None;
        }
    }
    Some(parts)
}

/// The type of a field, if there are so many.
fn field_ty(ty: Ty, field: u32, layouts: &dyn Layouts) -> Option<Ty> {
    match ty.kind() {
        TyKind::Slice(_) if field > 1 => None,
        _ => Some(layouts.field_ty(ty, field)).filter(|ty| *ty != Ty::error()),
    }
}

fn take_apart(body: &mut Body, local: Local, program: &Checked, layouts: &dyn Layouts) -> Node {
    let LocalDecl { ty, name, loan, .. } = body.locals[local];
    node(body, (ty, loan), (name, None), program, layouts)
}

/// The tree of a type, whose parts are loans if the whole is; its local has this name and is this part of the whole.
fn node(
    body: &mut Body,
    (ty, loan): (Ty, bool),
    (name, part): (Option<Name>, Option<Name>),
    program: &Checked,
    layouts: &dyn Layouts,
) -> Node {
    if !is_apart(ty) {
        let local = (!ty.is_unit())
            .then(|| body.locals.alloc(LocalDecl { ty, name, in_memory: ty.is_aggregate(), pinned: None, loan }));
        return Node { ty, part, local, fields: Vec::new() };
    }
    let mut fields = Vec::new();
    for number in 0.. {
        let Some(of) = field_ty(ty, number, layouts) else { break };
        let field = field_name(program, ty, number);
        let below = |whole: Name| Name::new(&format!("{whole}.{field}"));
        let names = (name.map(below), Some(part.map_or_else(|| Name::new(&field), below)));
        fields.push(node(body, (of, loan), names, program, layouts));
    }
    Node { ty, part, local: None, fields }
}

fn field_name(program: &Checked, ty: Ty, number: u32) -> String {
    let definition = program.structs.get(&ty);
    let field = definition.and_then(|definition| definition.fields.get(number as usize));
    field.map_or_else(|| number.to_string(), |field| field.name.to_string())
}

/// Statements at the start of the entry block that read the parameters' parts.
fn read_parameters(body: &mut Body, trees: &[Option<Node>]) {
    let mut reads = Vec::new();
    let Some((entry, first)) = body.blocks.iter().next() else { return };
    let span = first.statements.first().map_or(first.terminator_span, |statement| statement.span);
    for local in body.param_locals() {
        let Some(tree) = &trees[index(local)] else { continue };
        let whole = Place::local(local, tree.ty);
        each_leaf(tree, &mut Vec::new(), &mut |leaf, ty, path| {
            let value = Rvalue::Use(Operand::Copy(step_into(&whole, tree, path)));
            reads.push(Statement { kind: StatementKind::Assign(Place::local(leaf, ty), value), span });
        });
    }
    body.blocks[entry].statements.splice(0..0, reads);
}

fn parameter_parts(trees: &[Option<Node>], params: u32) -> usize {
    let mut parts = 0;
    for tree in trees[1..=params as usize].iter().flatten() {
        each_leaf(tree, &mut Vec::new(), &mut |_, _, _| parts += 1);
    }
    parts
}

fn each_leaf(node: &Node, path: &mut Vec<u32>, f: &mut impl FnMut(Local, Ty, &[u32])) {
    if let Some(local) = node.local {
        f(local, node.ty, path);
    }
    for (number, field) in node.fields.iter().enumerate() {
        path.push(number as u32);
        each_leaf(field, path, f);
        path.pop();
    }
}

/// A place of the node's type, followed along fields.
fn step_into(place: &Place, node: &Node, path: &[u32]) -> Place {
    let (mut place, mut node) = (place.clone(), node);
    for number in path {
        node = &node.fields[*number as usize];
        place = place.project(Projection::Field(*number), node.ty);
    }
    place
}

/// Where a place ends in its local's tree.
enum Found<'a> {
    /// Not in a local that is taken apart.
    Elsewhere,
    /// In a leaf, at a place.
    Leaf(Place),
    /// At a part that has no local itself.
    Part(&'a Node),
}

fn find<'a>(place: &Place, trees: &'a [Option<Node>]) -> Found<'a> {
    let PlaceBase::Local(local) = place.base else { return Found::Elsewhere };
    let Some(mut node) = trees.get(index(local)).and_then(Option::as_ref) else { return Found::Elsewhere };
    for (used, step) in place.projections.iter().enumerate() {
        if let Some(leaf) = node.local {
            let projections: SmallVec<_> = place.projections[used..].iter().cloned().collect();
            return Found::Leaf(Place { base: PlaceBase::Local(leaf), projections, ty: place.ty });
        }
        match step {
            Projection::Field(field) if (*field as usize) < node.fields.len() => node = &node.fields[*field as usize],
            _ => return Found::Elsewhere,
        }
    }
    match node.local {
        Some(leaf) => Found::Leaf(Place::local(leaf, place.ty)),
        None => Found::Part(node),
    }
}

fn resolve(place: &mut Place, trees: &[Option<Node>]) {
    if let Found::Leaf(leaf) = find(place, trees) {
        *place = leaf;
    }
}

fn rewrite(
    mut statement: Statement,
    trees: &[Option<Node>],
    (program, layouts): (&Checked, &dyn Layouts),
    made: &mut Vec<Statement>,
) {
    match &statement.kind {
        StatementKind::Assign(to, Rvalue::Use(Operand::Copy(from))) if to.ty.is_aggregate() => {
            let part = match (find(to, trees), find(from, trees)) {
                (Found::Part(node), _) | (_, Found::Part(node)) => Some(node),
                _ => None,
            };
            if let Some(node) = part {
                copy_parts(to, from, node, trees, &statement, made);
                if !matches!(find(to, trees), Found::Part(_)) {
                    fill_parts(to, node, layouts, statement.span, made);
                }
                return;
            }
        }
        StatementKind::FillParked(place, _) if matches!(find(place, trees), Found::Part(_)) => return,
        StatementKind::Release { place, checked } => {
            if let Found::Part(node) = find(place, trees) {
                each_leaf(node, &mut Vec::new(), &mut |leaf, ty, _| {
                    if is_counted(ty, program) {
                        let kind = StatementKind::Release { place: Place::local(leaf, ty), checked: *checked };
                        made.push(Statement { kind, span: statement.span });
                    }
                });
                return;
            }
        }
        StatementKind::Assign(to, Rvalue::Carried(taken)) => {
            if let Found::Part(node) = find(to, trees) {
                take_parts(node, *taken, statement.span, made);
                return;
            }
        }
        StatementKind::Safepoint(carried) => {
            let carried = carried.iter().flat_map(|carried| carried_parts(carried, trees)).collect();
            made.push(Statement { kind: StatementKind::Safepoint(carried), span: statement.span });
            return;
        }
        StatementKind::Zero(place) => {
            if let Found::Part(node) = find(place, trees) {
                each_leaf(node, &mut Vec::new(), &mut |leaf, ty, _| {
                    made.push(Statement { kind: zero(leaf, ty), span: statement.span });
                });
                return;
            }
            if let Found::Leaf(leaf) = find(place, trees)
                && let Some(local) = leaf.as_local()
            {
                made.push(Statement { kind: zero(local, leaf.ty), span: statement.span });
                return;
            }
        }
        _ => {}
    }
    places_mut(&mut statement, &mut |place, _| resolve(place, trees));
    made.push(statement);
}

/// The leaves of a tree with their parts.
fn parts_of(node: &Node, parts: &mut Vec<(Local, Ty, Option<Name>)>) {
    parts.extend(node.local.map(|local| (local, node.ty, node.part)));
    node.fields.iter().for_each(|field| parts_of(field, parts));
}

/// What a poll hands over of a local that is taken apart.
fn carried_parts(carried: &Carried, trees: &[Option<Node>]) -> Vec<Carried> {
    let mut parts = Vec::new();
    match &carried.value {
        Operand::Copy(place) => match find(place, trees) {
            Found::Part(node) => parts_of(node, &mut parts),
            _ => return vec![carried.clone()],
        },
        Operand::Const(_) => return vec![carried.clone()],
    }
    let part = |(local, ty, part)| {
        let key = CarryKey { part, ..carried.key };
        Carried { key, value: Operand::local(local, ty), owned: carried.owned }
    };
    parts.into_iter().map(part).collect()
}

/// Takes over a local that is taken apart.
fn take_parts(node: &Node, taken: Taken, span: Span, made: &mut Vec<Statement>) {
    let mut parts = Vec::new();
    parts_of(node, &mut parts);
    made.extend(parts.into_iter().map(|(local, ty, part)| {
        let taken = Taken { key: CarryKey { part, ..taken.key }, ..taken };
        Statement { kind: StatementKind::Assign(Place::local(local, ty), Rvalue::Carried(taken)), span }
    }));
}

fn copy_parts(
    to: &Place,
    from: &Place,
    node: &Node,
    trees: &[Option<Node>],
    statement: &Statement,
    made: &mut Vec<Statement>,
) {
    each_leaf(node, &mut Vec::new(), &mut |_, _, path| {
        let (mut to, mut from) = (step_into(to, node, path), step_into(from, node, path));
        resolve(&mut to, trees);
        resolve(&mut from, trees);
        let kind = StatementKind::Assign(to, Rvalue::Use(Operand::Copy(from)));
        made.push(Statement { kind, span: statement.span });
    });
}

/// A value in memory is put together from parts: its parked fields, and those of the structs in it.
fn fill_parts(to: &Place, node: &Node, layouts: &dyn Layouts, span: Span, made: &mut Vec<Statement>) {
    if let Some(bytes) = parked_bytes(node.ty, 0, layouts) {
        made.push(Statement { kind: StatementKind::FillParked(to.clone(), bytes), span });
    }
    for (number, field) in node.fields.iter().enumerate().filter(|(_, field)| field.local.is_none()) {
        let place = to.project(Projection::Field(number as u32), field.ty);
        fill_parts(&place, field, layouts, span, made);
    }
}

fn zero(local: Local, ty: Ty) -> StatementKind {
    let place = Place::local(local, ty);
    match ty.kind() {
        _ if ty.is_aggregate() => StatementKind::Zero(place),
        TyKind::Float(_) => StatementKind::Assign(place, Rvalue::Use(Operand::Const(Const::Float(0, ty)))),
        _ => StatementKind::Assign(place, Rvalue::Use(Operand::Const(Const::Int(0, ty)))),
    }
}

fn index(local: Local) -> usize {
    u32::from(local.into_raw()) as usize
}
