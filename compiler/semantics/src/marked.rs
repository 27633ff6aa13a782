//! What functions marked `#[test]`, `#[before_reload]` and `#[after_reload]` must look like.

use vaisjit_syntax::Diagnostic;

use crate::codes;
use crate::index::{DefId, DefKind};
use crate::interface::Interface;
use crate::program::{Hook, Signature};
use crate::types::{Ty, TyKind};
use crate::world::World;

/// Reports a test that cannot be run; `result` is the type its checked body gives.
pub(crate) fn test(world: &World<'_>, id: DefId, result: Option<Ty>, found: &mut Vec<Diagnostic>) {
    let method = matches!(world.def(id).kind, DefKind::Method { .. } | DefKind::TraitMethod { .. });
    let Some(function) = world.function(id) else { return };
    let attributes = if method { &function.attributes } else { &world.item(id).attributes };
    if !attributes.iter().any(|attribute| attribute.name.name == "test") {
        return;
    }
    let Some(Interface::Function(sig)) = world.interface(id) else { return };
    let tells =
        |ty: Ty| matches!(ty.kind(), TyKind::Int(_) | TyKind::Bool | TyKind::Unit | TyKind::Never | TyKind::Error);
    let problem = match () {
        () if method => "a test is a function of its own, not a method",
        () if function.body.is_none() => "a test needs a body",
        () if !function.params.is_empty() => "a test takes no parameters",
        () if !sig.generics.is_empty() => "a test cannot be generic",
        () if !result.is_none_or(tells) => "a test gives nothing, a `bool` or an integer",
        () => return,
    };
    let name = function.name.name;
    let help = format!(
        "`vaisjit test` calls it as `{name}()`; it fails by a trap such as a failed `assert`, by `false`, or by a number other than 0"
    );
    found.push(Diagnostic::error(codes::BAD_TEST, world.head(id), problem).with_help(help));
}

/// Reports a reload hook that cannot be called; `signature` is that of its checked body.
pub(crate) fn hook(world: &World<'_>, id: DefId, signature: Option<&Signature>, found: &mut Vec<Diagnostic>) {
    if !matches!(world.def(id).kind, DefKind::Function) {
        return;
    }
    let marks = world.item(id).attributes.iter().filter_map(|attribute| Hook::of(&attribute.name.name));
    let hooks: Vec<Hook> = marks.collect();
    let (Some(hook), Some(function)) = (hooks.first().copied(), world.function(id)) else { return };
    let Some(Interface::Function(sig)) = world.interface(id) else { return };
    let numbers = |signature: &Signature| {
        let is_number = |ty: &Ty| *ty == Ty::i64() || matches!(ty.kind(), TyKind::Error);
        matches!(signature.params.len(), 0 | 2) && signature.params.iter().all(is_number)
    };
    let gives = |signature: &Signature| match signature.result.kind() {
        TyKind::Unit | TyKind::Never | TyKind::Error => true,
        _ => hook == Hook::Before && signature.result == Ty::i64(),
    };
    let problem = match () {
        () if hooks.iter().any(|other| *other != hook) => "a function is called before a reload or after it, not both",
        () if !sig.generics.is_empty() => "a reload hook cannot be generic",
        () if !signature.is_none_or(numbers) => {
            "a reload hook takes nothing, or two `i64`: the old and the new version"
        }
        () if !signature.is_none_or(gives) && hook == Hook::Before => "this hook gives nothing or an `i64`",
        () if !signature.is_none_or(gives) => "this hook gives nothing",
        () => return,
    };
    let name = function.name.name;
    let (result, more) = match hook {
        Hook::Before => (" -> i64", ", which declines with anything but 0"),
        Hook::After => ("", ""),
    };
    let help = format!("write `#[{}] F {name}(old: i64, new: i64){result}`{more}", hook.attribute());
    found.push(Diagnostic::error(codes::BAD_HOOK, world.head(id), problem).with_help(help));
}
