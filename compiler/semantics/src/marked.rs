//! What a function marked `#[test]` must look like.

use vaisjit_syntax::Diagnostic;

use crate::codes;
use crate::index::{DefId, DefKind};
use crate::interface::Interface;
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
