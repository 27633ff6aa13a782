//! Does an implementation of a trait give what the trait asks for?

use vaisjit_syntax::ast::{self, ItemKind};
use vaisjit_syntax::{Diagnostic, Name, Place};

use crate::codes;
use crate::index::{DefId, head_name};
use crate::infer::{substitute, walk};
use crate::interface::{FnSig, Interface};
use crate::lower::plural;
use crate::suggest::nearest;
use crate::types::{ItemPath, Ty, TyKind};
use crate::world::World;

/// Reports what is missing, unknown or different in an implementation.
pub(crate) fn check(world: &World<'_>, id: DefId, found: &mut Vec<Diagnostic>) {
    let ItemKind::Impl(tree) = &world.item(id).kind else { return };
    let Some(Interface::Impl(sig)) = world.interface(id) else { return };
    let Some(of_trait) = sig.of_trait else { return };
    let Some(trait_id) = world.find(of_trait) else { return };
    let ItemKind::Trait(wanted) = &world.item(trait_id).kind else { return };
    let place = |span| Place::item(world.item_id(id), span);
    let missing: Vec<String> = wanted
        .methods
        .iter()
        .filter(|method| method.body.is_none() && !tree.methods.iter().any(|own| own.name.name == method.name.name))
        .filter(|method| misspelt(wanted, tree, method.name.name).is_none())
        .map(|method| format!("`{}`", method.name.name))
        .collect();
    if !missing.is_empty() {
        let at = tree.of_trait.as_ref().map_or(tree.target.span, |ty| ty.span);
        let message = format!("`{}` for `{}` lacks {}", of_trait.name, sig.target, missing.join(", "));
        found.push(
            Diagnostic::error(codes::TRAIT_IMPL, place(at), message).with_label(world.place(trait_id), "the trait"),
        );
    }
    for (sub, own) in tree.methods.iter().enumerate() {
        let Some(position) = wanted.methods.iter().position(|method| method.name.name == own.name.name) else {
            let message = format!("the trait `{}` has no method `{}`", of_trait.name, own.name.name);
            let mut diagnostic = Diagnostic::error(codes::TRAIT_IMPL, place(own.name.span), message);
            if let Some(near) = nearest(own.name.name, wanted.methods.iter().map(|method| method.name.name)) {
                diagnostic = diagnostic
                    .with_help(format!("did you mean `{near}`?"))
                    .with_suggestion(place(own.name.span), near.as_str());
            }
            found.push(diagnostic.with_label(world.place(trait_id), "the trait"));
            continue;
        };
        let own_id = DefId { module: id.module, index: id.index + 1 + sub as u32 };
        let asked = DefId { module: trait_id.module, index: trait_id.index + 1 + position as u32 };
        let mut known = vec![(Name::new("Self"), sig.target)];
        known.extend(wanted.generics.params.iter().map(|param| param.name.name).zip(sig.trait_arguments.clone()));
        if let Some(why) = difference(world, own_id, asked, &known) {
            let message = format!("`{}` is not as the trait `{}` declares it: {why}", own.name.name, of_trait.name);
            let diagnostic = Diagnostic::error(codes::TRAIT_IMPL, place(own.name.span), message);
            found.push(diagnostic.with_label(world.head(asked), "declared here"));
        }
    }
    supertraits(world, trait_id, tree, of_trait, place(tree.target.span), found);
}

/// The method of the implementation that is probably meant for one it lacks.
fn misspelt(wanted: &ast::Trait, tree: &ast::Impl, lacking: Name) -> Option<Name> {
    let unknown = tree.methods.iter().map(|own| own.name.name);
    let unknown = unknown.filter(|own| !wanted.methods.iter().any(|method| method.name.name == *own));
    nearest(lacking, unknown)
}

fn difference(world: &World<'_>, own: DefId, asked: DefId, known: &[(Name, Ty)]) -> Option<String> {
    let (Some(Interface::Function(own)), Some(Interface::Function(asked))) =
        (world.interface(own), world.interface(asked))
    else {
        return None;
    };
    if own.receiver.is_some() != asked.receiver.is_some() {
        return Some(if asked.receiver.is_some() { "it needs `self`" } else { "it takes no `self`" }.to_string());
    }
    let count = |sig: &FnSig| sig.generics.len() - sig.outer;
    if count(&own) != count(&asked) {
        let wanted = count(&asked);
        return Some(format!("it has {wanted} type parameter{} there, and {} here", plural(wanted), count(&own)));
    }
    if own.params.len() != asked.params.len() {
        return Some(format!("it takes {} parameters, not {}", asked.params.len(), own.params.len()));
    }
    let wanted = |ty: Ty, sig: &FnSig| {
        let _ = sig;
        substitute(ty, &|name| known.iter().find(|(param, _)| *param == name).map(|(_, ty)| *ty))
    };
    for (mine, theirs) in own.params.iter().zip(&asked.params) {
        let ty = wanted(theirs.ty, &asked);
        if differ(mine.ty, ty) {
            return Some(format!("`{}` is `{ty}` there, and `{}` here", theirs.name, mine.ty));
        }
    }
    let ty = wanted(asked.result, &asked);
    let shown = |ty: Ty| if ty == Ty::unit() { "nothing".to_string() } else { format!("`{ty}`") };
    differ(own.result, ty).then(|| format!("it gives {} there, and {} here", shown(ty), shown(own.result)))
}

/// Are two types surely different? Generic parameters may have other names.
fn differ(a: Ty, b: Ty) -> bool {
    let mut open = false;
    for ty in [a, b] {
        walk(ty, &mut |part| open |= matches!(part.kind(), TyKind::Param(_) | TyKind::Error));
    }
    !open && a != b
}

fn supertraits(
    world: &World<'_>,
    trait_id: DefId,
    tree: &ast::Impl,
    of_trait: ItemPath,
    place: Place,
    found: &mut Vec<Diagnostic>,
) {
    let Some(Interface::Trait(sig)) = world.interface(trait_id) else { return };
    let target = head_name(&tree.target);
    for wanted in &sig.supertraits {
        let there = world.impls().any(|other| match &world.item(other).kind {
            ItemKind::Impl(def) => {
                head_name(&def.target) == target && def.of_trait.as_ref().is_some_and(|ty| head_name(ty) == wanted.name)
            }
            _ => false,
        });
        if !there {
            let message =
                format!("`{target}` implements `{}`, so it must implement `{}`, too", of_trait.name, wanted.name);
            found.push(Diagnostic::error(codes::TRAIT_IMPL, place, message));
        }
    }
}
