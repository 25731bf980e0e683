//! Stay on one key until it fails, then the next by number.

use crate::{
    key::KeyId,
    selection::{Choice, Search, Trace},
};

/// The key to stay on. Its number tells where to go on when the key itself is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Current {
    pub(crate) key: KeyId,
    pub(crate) number: u32,
}

pub(super) fn choose(search: &Search<'_>, current: Option<Current>) -> Option<(Choice, Trace)> {
    let slot = current.and_then(|current| search.roster.key_slot(current.key));
    if let Some(choice) = slot.and_then(|slot| search.choice_of_key(slot)) {
        return Some((choice, Trace::Nothing));
    }
    let choice = successor(search, current)?;
    // A key that only this request must not use is still the one to stay on.
    if slot.and_then(|slot| search.spot_of_key(slot)).is_some() {
        return Some((choice, Trace::Nothing));
    }
    let key = &search.roster.keys.get(choice.key)?.key;
    let current = Current {
        key: key.id,
        number: key.number,
    };
    Some((choice, Trace::Stay(current)))
}

/// The next usable key by number, after the last the first again.
fn successor(search: &Search<'_>, current: Option<Current>) -> Option<Choice> {
    let order = search.table.order()?;
    // Before the first.
    let last = current.map_or((0, KeyId(0)), |current| (current.number, current.key));
    let mut classes = order.classes().filter(|class| search.allows_class(class));
    classes.find_map(|class| {
        let mut ranks = order.keys_after(class, last);
        ranks.find_map(|rank| search.choice_of_key(rank.slot))
    })
}
