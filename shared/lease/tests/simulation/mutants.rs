//! Rules that are a little wrong, and by what each is found out.

use watchkeeper_lease::{Answer, Fence, Item, Step, step};

use crate::world::Rule;

/// Name, rule, and a word of the fault that it leads to.
pub(crate) const ALL: &[(&str, Rule, &str)] = &[
    ("a claim does not look at the holder's time", claims_what_is_held, "overlap"),
    ("a claim never takes what a dead holder has", never_claims_what_is_held, "stuck"),
    ("a claim does not raise the fence", keeps_the_fence, "fence:"),
    ("the fence begins at one again after the item aged away", begins_at_one, "fence:"),
    ("a release does not look at the mark", releases_what_is_dirty, "lost"),
    ("a mark is not written", forgets_the_mark, "lost"),
    (
        "another run does not raise the fence, so that a late call clears a newer mark",
        again_with_the_same_fence,
        "fence:",
    ),
    ("a key that is left is not dirty", leaves_it_clean, "lost"),
    ("who was overtaken still releases", releases_what_another_holds, "overlap"),
];

fn freed(item: &Item) -> Item {
    Item { hold: None, ..item.clone() }
}

fn claims_what_is_held(found: Option<Item>, wanted: &Step) -> Answer {
    match wanted {
        Step::Take { .. } => step(found.as_ref().map(freed), wanted),
        _ => step(found, wanted),
    }
}

fn never_claims_what_is_held(found: Option<Item>, wanted: &Step) -> Answer {
    match wanted {
        Step::Take { .. } if found.as_ref().is_some_and(|item| item.hold.is_some()) => Answer::Refused(found),
        _ => step(found, wanted),
    }
}

fn keeps_the_fence(found: Option<Item>, wanted: &Step) -> Answer {
    let before = found.as_ref().map(|item| item.fence);
    match (step(found, wanted), wanted, before) {
        (Answer::Done(item), Step::Take { .. }, Some(fence)) => Answer::Done(Item { fence, ..item }),
        (answer, ..) => answer,
    }
}

fn begins_at_one(found: Option<Item>, wanted: &Step) -> Answer {
    let absent = found.is_none();
    match step(found, wanted) {
        Answer::Done(item) if absent => Answer::Done(Item { fence: Fence(1), ..item }),
        answer => answer,
    }
}

fn releases_what_is_dirty(found: Option<Item>, wanted: &Step) -> Answer {
    match wanted {
        Step::Free { .. } => step(found.map(|item| Item { dirty: false, ..item }), wanted),
        _ => step(found, wanted),
    }
}

fn forgets_the_mark(found: Option<Item>, wanted: &Step) -> Answer {
    match (step(found, wanted), wanted) {
        (Answer::Done(item), Step::Mark { .. }) => Answer::Done(Item { dirty: false, ..item }),
        (answer, _) => answer,
    }
}

fn again_with_the_same_fence(found: Option<Item>, wanted: &Step) -> Answer {
    match (step(found, wanted), wanted) {
        (Answer::Done(item), Step::Again { fence, .. }) => Answer::Done(Item { fence: *fence, ..item }),
        (answer, _) => answer,
    }
}

fn leaves_it_clean(found: Option<Item>, wanted: &Step) -> Answer {
    match (step(found, wanted), wanted) {
        (Answer::Done(item), Step::Leave { .. }) => Answer::Done(Item { dirty: false, ..item }),
        (answer, _) => answer,
    }
}

fn releases_what_another_holds(found: Option<Item>, wanted: &Step) -> Answer {
    match (&found, wanted) {
        (Some(item), Step::Free { .. }) if !item.dirty => Answer::Done(freed(item)),
        _ => step(found, wanted),
    }
}
