//! The passes on hand-made control flow; what they do to lowered code is tested with lowering.

use la_arena::{Arena, Idx, RawIdx};
use vaisjit_abi::TrapCode;
use vaisjit_semantics::hir::BodyItem;
use vaisjit_semantics::{Checked, Instance, ItemPath, Ty};
use vaisjit_syntax::{ItemId, Name, Span};

use super::*;
use crate::layout::TypeLayouts;
use crate::mir::check::check;
use crate::mir::{
    Block, BlockId, Const, Local, LocalDecl, LoopInfo, Operand, Place, Rvalue, Statement, StatementKind, Terminator,
};

fn id(index: u32) -> BlockId {
    Idx::from_raw(RawIdx::from_u32(index))
}

fn local(index: u32) -> Local {
    Idx::from_raw(RawIdx::from_u32(index))
}

/// A body without parameters of these blocks; each assigns its number to `_0`, unless it is empty.
fn graph(blocks: &[(Terminator, Option<u32>, bool)], loops: &[(Option<u32>, u32)]) -> Body {
    let mut locals = Arena::new();
    locals.alloc(LocalDecl { ty: Ty::i64(), name: None, in_memory: false, pinned: None, loan: false });
    locals.alloc(LocalDecl { ty: Ty::bool(), name: Some(Name::new("c")), in_memory: false, pinned: None, loan: false });
    let mut body = Body {
        instance: Instance::plain(ItemPath::new(Name::new("m"), "f")),
        item: BodyItem(ItemId::fresh()),
        locals,
        params: 0,
        blocks: Arena::new(),
        loops: Vec::new(),
        resumed: None,
        cleanup: None,
        cleans: None,
    };
    for (number, (terminator, in_loop, empty)) in blocks.iter().enumerate() {
        let kind = StatementKind::Assign(Place::local(local(0), Ty::i64()), Rvalue::Use(Operand::int(number as i64)));
        let statements = if *empty { vec![] } else { vec![Statement { kind, span: Span::default() }] };
        let terminator_span = Span::default();
        body.blocks.alloc(Block { statements, terminator: terminator.clone(), terminator_span, in_loop: *in_loop });
    }
    let infos = (0..).zip(loops);
    body.loops = infos.map(|(number, (parent, header))| LoopInfo::new(number, *parent, id(*header), false)).collect();
    body
}

fn goto(target: u32) -> Terminator {
    Terminator::Goto(id(target))
}

fn branch(then: u32, otherwise: u32) -> Terminator {
    Terminator::Branch { condition: Operand::local(local(1), Ty::bool()), then: id(then), otherwise: id(otherwise) }
}

fn cleaned(mut body: Body) -> Body {
    let program = Checked::default();
    let layouts = TypeLayouts::new(&program);
    run(&mut body, &program, &layouts, Passes { blocks: true, ..Passes::NONE });
    assert_eq!(check(&body, &layouts), Ok(()), "{}", crate::mir::dump::dump(&body));
    body
}

#[test]
fn unreachable_blocks_and_their_loops_go() {
    let trap = Terminator::Trap(TrapCode::Unreachable, None);
    let body = cleaned(graph(
        &[
            (branch(1, 4), None, false),
            (goto(4), None, false),
            (goto(3), Some(0), false),
            (branch(2, 4), Some(1), false),
            (Terminator::Return, None, false),
            (trap, None, false),
        ],
        &[(None, 2), (Some(0), 3)],
    ));
    assert_eq!(body.blocks.len(), 3);
    assert!(body.loops.is_empty());
}

#[test]
fn chains_become_one_block() {
    let body = cleaned(graph(
        &[(goto(2), None, false), (Terminator::Return, None, false), (goto(3), None, true), (goto(1), None, false)],
        &[],
    ));
    assert_eq!(body.blocks.len(), 1);
    assert_eq!(body.blocks[id(0)].statements.len(), 3);
}

#[test]
fn headers_stay() {
    let body = cleaned(graph(
        &[
            (goto(1), None, false),
            (goto(2), Some(0), true),
            (branch(1, 3), Some(0), false),
            (Terminator::Return, None, false),
        ],
        &[(None, 1)],
    ));
    assert_eq!(body.loops.len(), 1);
    assert_eq!(body.blocks[body.loops[0].header].in_loop, Some(0));
}

#[test]
fn rings_of_empty_blocks_end() {
    let body = cleaned(graph(&[(goto(1), None, true), (goto(2), None, true), (goto(1), None, true)], &[]));
    assert!(!body.blocks.is_empty());
}

#[test]
fn constant_branches_are_decided() {
    let condition = Operand::Const(Const::Int(0, Ty::bool()));
    let decided = Terminator::Branch { condition, then: id(1), otherwise: id(2) };
    let body = cleaned(graph(
        &[(decided, None, false), (Terminator::Return, None, false), (Terminator::Return, None, false)],
        &[],
    ));
    assert_eq!(body.blocks.len(), 1);
}

#[test]
fn the_checker_names_broken_rules() {
    let mut body = graph(&[(branch(0, 7), None, false)], &[(None, 0)]);
    let wrong =
        StatementKind::Assign(Place::local(local(1), Ty::bool()), Rvalue::AddressOf(Place::local(local(0), Ty::i64())));
    body.blocks[id(0)].statements.push(Statement { kind: wrong, span: Span::default() });
    let problems = check(&body, &TypeLayouts::new(&Checked::default())).unwrap_err().join("\n");
    for expected in [
        "a block that does not exist",
        "a header outside its loop",
        "the address of a value",
        "an address in no pointer",
    ] {
        assert!(problems.contains(expected), "{problems}");
    }
}
