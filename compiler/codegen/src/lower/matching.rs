//! Match and patterns: a switch on constants or variants where there is one, tests in order otherwise.

use vaisjit_abi::TrapCode;
use vaisjit_semantics::hir::{Arm, BinaryOp, Expr, ExprKind, LocalId, Pattern, PatternKind};
use vaisjit_semantics::{Ty, TyKind};

use super::owned::{ScopeKind, is_literal};
use super::visible::Origin;
use super::{Lowerer, Result, scan};
use crate::mir::{BlockId, Const, Local, Operand, Place, Rvalue, Terminator};

/// Fewer constants than this are compared one by one. Chosen by feel.
const SWITCH_FROM: usize = 3;

/// Said by old code that meets a new value.
const UNKNOWN_VARIANT: &str = "a match met a variant that this version of its function does not know";

/// One way into an arm: an alternative of its pattern.
#[derive(Clone, Copy)]
struct Way<'a> {
    arm: usize,
    /// Names bound to the whole value by `n @ ...` around the alternative.
    binds: &'a Pattern,
    /// What remains to be tested.
    pattern: &'a Pattern,
}

/// A match being lowered.
struct Matching<'a> {
    place: Place,
    arms: &'a [Arm],
    /// Where the bodies start.
    bodies: Vec<BlockId>,
    /// Where values go that no arm takes.
    none: BlockId,
}

impl<'a> Lowerer<'a> {
    pub(super) fn match_on(&mut self, value: &'a Expr, arms: &'a [Arm], ty: Ty, dest: Option<&Place>) -> Result {
        if matches!(value.ty.kind(), TyKind::Never) {
            return self.lower(value, None);
        }
        let steady = !scan::is_place(value) || self.steady(value);
        let place = self.scrutinee(value, arms)?;
        let bodies = arms.iter().map(|_| self.b.block()).collect();
        let (none, join) = (self.b.block(), self.b.block());
        let evolving = Some(place.clone()).filter(|place| self.options.hot && self.layouts.evolves(place.ty));
        let matching = Matching { place, arms, bodies, none };
        let ways = ways(arms);
        match self.switch_cases(&matching, &ways) {
            Some(cases) => self.switch(&matching, &ways, cases)?,
            None => self.chain(&matching, &ways.iter().collect::<Vec<_>>())?,
        }
        for (arm, body) in arms.iter().zip(&matching.bodies) {
            self.b.switch_to(*body);
            self.enter_scope(ScopeKind::Branch);
            self.own_names(&arm.pattern, steady);
            self.show_pattern(&arm.pattern, Origin::Arm(&arm.pattern, value));
            self.lower(&arm.body, dest)?;
            self.leave_scope();
            self.b.jump(join);
        }
        self.b.switch_to(none);
        let used = !ty.is_unit() || matches!(ty.kind(), TyKind::Never);
        match evolving.filter(|place| matches!(place.ty.kind(), TyKind::Enum(..))) {
            Some(place) => self.no_arm(&place, (!used).then_some(join)),
            None if used => self.b.close(Terminator::Trap(TrapCode::Unreachable, None)),
            None => self.b.jump(join),
        }
        self.b.switch_to(join);
        Ok(())
    }

    /// No arm takes an enum's value. A variant this code knows may be left out if the match has no value; any other is
    /// newer than the code.
    fn no_arm(&mut self, place: &Place, known: Option<BlockId>) {
        let message = Operand::Const(Const::Str(UNKNOWN_VARIANT.into()));
        let trap = Terminator::Trap(TrapCode::Unreachable, Some(message));
        let Some(known) = known else { return self.b.close(trap) };
        let value = self.b.value(Ty::i64(), Rvalue::Discriminant(place.clone()));
        let (declared, default) = (self.b.block(), self.b.block());
        let variants = self.program.enums.get(&place.ty).map_or(0, |definition| definition.variants.len());
        let number = |variant| self.layouts.discriminant(place.ty, variant) as u64;
        let cases = (0..variants as u32).map(|variant| (number(variant), declared)).collect();
        self.b.close(Terminator::Switch { value, cases, default });
        self.b.switch_to(declared);
        self.b.jump(known);
        self.b.switch_to(default);
        self.b.close(trap);
    }

    /// The place of the matched value; a scalar is kept if a guard could change it.
    fn scrutinee(&mut self, value: &'a Expr, arms: &'a [Arm]) -> Result<Place> {
        if !value.ty.is_scalar() {
            let place = self.place(value)?;
            return Ok(self.stable_place(place));
        }
        let calm = arms.iter().flat_map(|arm| &arm.guard).all(scan::pure);
        let operand = self.operand(value)?;
        let operand = match &operand {
            Operand::Copy(place) if calm && place.as_local().is_some() => operand,
            _ => self.b.stable(operand),
        };
        match operand {
            Operand::Copy(place) => Ok(place),
            Operand::Const(_) => {
                let place = self.b.temp_place(value.ty);
                self.b.assign(place.clone(), Rvalue::Use(operand));
                Ok(place)
            }
        }
    }

    /// Tries the ways in order.
    fn chain(&mut self, matching: &Matching<'a>, ways: &[&Way<'a>]) -> Result {
        for way in ways {
            let next = self.b.block();
            self.test(way.pattern, &matching.place, next)?;
            if self.enter(matching, way, next)? {
                self.b.switch_to(next);
                self.b.close(Terminator::Trap(TrapCode::Unreachable, None));
                return Ok(());
            }
            self.b.switch_to(next);
        }
        self.b.jump(matching.none);
        Ok(())
    }

    /// Into an arm whose pattern matches. Is nothing left to try?
    fn enter(&mut self, matching: &Matching<'a>, way: &Way<'a>, next: BlockId) -> Result<bool> {
        self.bind_outer(way, &matching.place);
        let arm = &matching.arms[way.arm];
        match &arm.guard {
            Some(guard) => {
                let shown = self.shown();
                self.show_pattern(&arm.pattern, Origin::Given);
                self.branch_on(guard, matching.bodies[way.arm], next)?;
                self.hide_from(shown);
                Ok(false)
            }
            None => {
                self.b.jump(matching.bodies[way.arm]);
                Ok(scan::irrefutable(way.pattern))
            }
        }
    }

    /// Binds the names around an alternative.
    fn bind_outer(&mut self, way: &Way<'a>, place: &Place) {
        let mut pattern = way.binds;
        while let PatternKind::Bind(local, Some(inner)) = &pattern.kind {
            self.b.assign(self.local_place(*local), Rvalue::Use(Operand::Copy(place.clone())));
            pattern = inner;
        }
    }

    /// The distinct values a switch would have; none if testing in order is as good.
    fn switch_cases(&self, matching: &Matching<'a>, ways: &[Way<'a>]) -> Option<Vec<(u64, Key)>> {
        let ty = matching.place.ty;
        let switchable = matches!(ty.kind(), TyKind::Enum(..)) || ty.int_kind().is_some_and(|kind| kind.bits() <= 64);
        let mut cases: Vec<(u64, Key)> = Vec::new();
        for way in ways.iter().filter(|_| switchable) {
            if let Some(key) = key(way.pattern)
                && !cases.iter().any(|(_, known)| *known == key)
            {
                cases.push((self.case_bits(ty, key), key));
            }
        }
        let keyless = ways.iter().filter(|way| key(way.pattern).is_none() && !scan::irrefutable(way.pattern)).count();
        let enough = cases.len() >= SWITCH_FROM || matches!(ty.kind(), TyKind::Enum(..)) && cases.len() > 1;
        (enough && cases.len() * keyless <= 4 * ways.len()).then_some(cases)
    }

    fn case_bits(&self, ty: Ty, key: Key) -> u64 {
        match key {
            Key::Variant(variant) => self.layouts.discriminant(ty, variant) as u64,
            Key::Int(value) => {
                let bits = ty.int_kind().map_or(64, |kind| kind.bits());
                value as u64 & (u64::MAX >> (64 - bits.min(64)))
            }
        }
    }

    fn switch(&mut self, matching: &Matching<'a>, ways: &[Way<'a>], cases: Vec<(u64, Key)>) -> Result {
        let value = match matching.place.ty.kind() {
            TyKind::Enum(..) => self.b.value(Ty::i64(), Rvalue::Discriminant(matching.place.clone())),
            _ => Operand::Copy(matching.place.clone()),
        };
        let start = self.b.current;
        let mut targets = Vec::with_capacity(cases.len());
        for (bits, wanted) in cases {
            let fitting: Vec<&Way<'a>> =
                ways.iter().filter(|way| key(way.pattern).is_none_or(|key| key == wanted)).collect();
            let case = self.b.block();
            self.b.switch_to(case);
            self.case(matching, &fitting)?;
            targets.push((bits, case));
        }
        let default = self.b.block();
        self.b.switch_to(default);
        let rest: Vec<&Way<'a>> = ways.iter().filter(|way| key(way.pattern).is_none()).collect();
        self.chain(matching, &rest)?;
        self.b.switch_to(start);
        self.b.close(Terminator::Switch { value, cases: targets, default });
        Ok(())
    }

    /// Tries the ways of one case, whose constant or variant is known.
    fn case(&mut self, matching: &Matching<'a>, ways: &[&Way<'a>]) -> Result {
        for (index, way) in ways.iter().enumerate() {
            if key(way.pattern).is_none() {
                return self.chain(matching, &ways[index..]);
            }
            let next = self.b.block();
            self.test_payload(way.pattern, &matching.place, next)?;
            self.enter(matching, way, next)?;
            self.b.switch_to(next);
            if matching.arms[way.arm].guard.is_none() && payload_irrefutable(way.pattern) {
                self.b.close(Terminator::Trap(TrapCode::Unreachable, None));
                return Ok(());
            }
        }
        self.b.jump(matching.none);
        Ok(())
    }

    /// What a pattern asks beyond its variant.
    fn test_payload(&mut self, pattern: &'a Pattern, place: &Place, fail: BlockId) -> Result {
        if let PatternKind::Variant(variant, payload) = &pattern.kind {
            for (field, part) in payload.iter().enumerate() {
                let part_place = self.variant_field(place, *variant, field as u32);
                self.test(part, &part_place, fail)?;
            }
        }
        Ok(())
    }

    /// Goes on if the pattern matches, its names bound; to `fail` otherwise.
    fn test(&mut self, pattern: &'a Pattern, place: &Place, fail: BlockId) -> Result {
        match &pattern.kind {
            PatternKind::Wildcard => Ok(()),
            PatternKind::Bind(local, inner) => {
                if let Some(inner) = inner {
                    self.test(inner, place, fail)?;
                }
                self.b.assign(self.local_place(*local), Rvalue::Use(Operand::Copy(place.clone())));
                Ok(())
            }
            PatternKind::Constant(constant) => self.test_constant(constant, place, fail),
            PatternKind::Range(start, end, inclusive) => {
                if let Some(start) = start {
                    self.test_compare(BinaryOp::Ge, place, start, fail)?;
                }
                let upper = if *inclusive { BinaryOp::Le } else { BinaryOp::Lt };
                end.iter().try_for_each(|end| self.test_compare(upper, place, end, fail))
            }
            PatternKind::Variant(variant, _) => {
                let number = self.b.value(Ty::i64(), Rvalue::Discriminant(place.clone()));
                let wanted = Operand::int(self.layouts.discriminant(place.ty, *variant));
                self.require(Rvalue::Binary(BinaryOp::Eq, number, wanted), fail);
                self.test_payload(pattern, place, fail)
            }
            PatternKind::Fields(fields) => fields.iter().try_for_each(|(field, part)| {
                let part_place = self.field(place, *field);
                self.test(part, &part_place, fail)
            }),
            PatternKind::Or(alternatives) => self.test_any(alternatives, place, fail),
        }
    }

    /// Goes on if the pattern matches, without binding names; to `fail` otherwise. False for a pattern with alternatives, of which
    /// only the one that matches binds.
    pub(super) fn test_only(&mut self, pattern: &'a Pattern, place: &Place, fail: BlockId) -> Result<bool> {
        match &pattern.kind {
            PatternKind::Wildcard | PatternKind::Bind(_, None) => Ok(true),
            PatternKind::Bind(_, Some(inner)) => self.test_only(inner, place, fail),
            PatternKind::Constant(_) | PatternKind::Range(..) => self.test(pattern, place, fail).map(|()| true),
            PatternKind::Variant(variant, payload) => {
                let number = self.b.value(Ty::i64(), Rvalue::Discriminant(place.clone()));
                let wanted = Operand::int(self.layouts.discriminant(place.ty, *variant));
                self.require(Rvalue::Binary(BinaryOp::Eq, number, wanted), fail);
                let mut parts = payload.iter().zip(0..);
                parts.try_fold(true, |known, (part, field)| {
                    let part_place = self.variant_field(place, *variant, field);
                    Ok(known && self.test_only(part, &part_place, fail)?)
                })
            }
            PatternKind::Fields(fields) => fields.iter().try_fold(true, |known, (field, part)| {
                let part_place = self.field(place, *field);
                Ok(known && self.test_only(part, &part_place, fail)?)
            }),
            PatternKind::Or(_) => Ok(false),
        }
    }

    /// The part of a value that a name in the pattern it matches stands for.
    pub(super) fn bound_place(&mut self, pattern: &'a Pattern, place: &Place, name: Local) -> Option<Place> {
        match &pattern.kind {
            PatternKind::Bind(local, _) if self.local(*local) == name => Some(place.clone()),
            PatternKind::Bind(_, inner) => self.bound_place(inner.as_ref()?, place, name),
            PatternKind::Variant(variant, payload) => payload.iter().zip(0..).find_map(|(part, field)| {
                let part_place = self.variant_field(place, *variant, field);
                self.bound_place(part, &part_place, name)
            }),
            PatternKind::Fields(fields) => fields.iter().find_map(|(field, part)| {
                let part_place = self.field(place, *field);
                self.bound_place(part, &part_place, name)
            }),
            PatternKind::Wildcard | PatternKind::Constant(_) | PatternKind::Range(..) | PatternKind::Or(_) => None,
        }
    }

    fn test_any(&mut self, alternatives: &'a [Pattern], place: &Place, fail: BlockId) -> Result {
        let matched = self.b.block();
        for alternative in alternatives {
            let next = self.b.block();
            self.test(alternative, place, next)?;
            self.b.jump(matched);
            self.b.switch_to(next);
        }
        self.b.jump(fail);
        self.b.switch_to(matched);
        Ok(())
    }

    fn test_constant(&mut self, constant: &'a Expr, place: &Place, fail: BlockId) -> Result {
        if let ExprKind::Bool(wanted) = *constant.kind {
            let go_on = self.b.block();
            let (yes, no) = if wanted { (go_on, fail) } else { (fail, go_on) };
            self.b.branch(Operand::Copy(place.clone()), yes, no);
            self.b.switch_to(go_on);
            return Ok(());
        }
        self.test_compare(BinaryOp::Eq, place, constant, fail)
    }

    fn test_compare(&mut self, op: BinaryOp, place: &Place, constant: &'a Expr, fail: BlockId) -> Result {
        let (value, constant) = (Operand::Copy(place.clone()), self.operand(constant)?);
        let holds = match place.ty == Ty::str() {
            true => self.str_operator(op, value, constant)?,
            false => Rvalue::Binary(op, value, constant),
        };
        self.require(holds, fail);
        Ok(())
    }

    fn require(&mut self, condition: Rvalue, fail: BlockId) {
        let condition = self.b.value(Ty::bool(), condition);
        let go_on = self.b.block();
        self.b.branch(condition, go_on, fail);
        self.b.switch_to(go_on);
    }

    /// `pattern := value`
    pub(super) fn let_pattern(&mut self, pattern: &'a Pattern, value: &'a Expr) -> Result {
        match &pattern.kind {
            PatternKind::Bind(local, None) => {
                self.open_lets.push(self.local(*local));
                self.let_local(*local, value)?;
                self.open_lets.pop();
                self.show_local(*local, Origin::Let(pattern, value));
                Ok(())
            }
            PatternKind::Wildcard => self.in_statement(value, None),
            _ if value.ty.is_unit() => self.lower(value, None),
            _ => {
                // A copy: the pattern may bind a variable the value is made of.
                let place = self.b.temp_place(value.ty);
                self.in_statement(value, Some(&place))?;
                self.own_in_block(&place);
                self.bind(pattern, &place)?;
                self.own_names(pattern, true);
                self.show_pattern(pattern, Origin::Let(pattern, value));
                Ok(())
            }
        }
    }

    pub(super) fn in_statement(&mut self, value: &'a Expr, dest: Option<&Place>) -> Result {
        self.enter_scope(ScopeKind::Statement);
        let done = self.lower(value, dest);
        self.leave_scope();
        done
    }

    /// `x := value`: a name for something steady is a loan, any other owns its value.
    fn let_local(&mut self, local: LocalId, value: &'a Expr) -> Result {
        let place = self.local_place(local);
        if !self.counted(place.ty) {
            return self.in_statement(value, Some(&place));
        }
        if self.facts.deferred(local) {
            self.own_late(&place);
            self.enter_scope(ScopeKind::Statement);
            let made = self.moved_operand(value)?;
            self.leave_scope();
            self.replace(place, made);
            return Ok(());
        }
        if self.steady(value) && self.unchanging(local) {
            let from = self.place(value)?;
            self.lend(&place);
            self.b.assign(place, Rvalue::Use(Operand::Copy(from)));
            return Ok(());
        }
        self.in_statement(value, Some(&place))?;
        if !(self.unchanging(local) && is_literal(value)) {
            self.own(&place);
        }
        Ok(())
    }

    /// Binds the names of a pattern that cannot fail.
    pub(super) fn bind(&mut self, pattern: &'a Pattern, place: &Place) -> Result {
        let fail = self.b.block();
        self.test(pattern, place, fail)
    }
}

/// What a switch can tell apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Int(i128),
    Variant(u32),
}

fn key(pattern: &Pattern) -> Option<Key> {
    match &pattern.kind {
        PatternKind::Variant(variant, _) => Some(Key::Variant(*variant)),
        PatternKind::Constant(constant) => match *constant.kind {
            ExprKind::Int(value) => Some(Key::Int(value)),
            _ => None,
        },
        _ => None,
    }
}

/// Does the pattern match every value of its variant or constant?
fn payload_irrefutable(pattern: &Pattern) -> bool {
    match &pattern.kind {
        PatternKind::Variant(_, payload) => payload.iter().all(scan::irrefutable),
        _ => true,
    }
}

/// The alternatives of all arms, in order.
fn ways(arms: &[Arm]) -> Vec<Way<'_>> {
    let mut ways = Vec::with_capacity(arms.len());
    for (index, arm) in arms.iter().enumerate() {
        let mut inner = &arm.pattern;
        while let PatternKind::Bind(_, Some(behind)) = &inner.kind {
            inner = behind;
        }
        match &inner.kind {
            PatternKind::Or(alternatives) => {
                ways.extend(alternatives.iter().map(|pattern| Way { arm: index, binds: &arm.pattern, pattern }));
            }
            _ => ways.push(Way { arm: index, binds: &arm.pattern, pattern: inner }),
        }
    }
    ways
}
