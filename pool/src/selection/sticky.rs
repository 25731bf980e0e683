//! Stay on one key until it fails, then the next by number.

use core::ops::Bound;

use crate::{
    key::KeyId,
    selection::{Choice, Search},
    table::Rank,
};

/// The key to stay on. Its number tells where to go on when the key itself is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Current {
    pub(crate) key: KeyId,
    pub(crate) number: u32,
}

pub(super) fn choose(search: &Search<'_>, current: Option<Current>) -> Option<(Choice, Option<Current>)> {
    let slot = current.and_then(|current| search.roster.key_slot(current.key));
    let usable = slot.and_then(|key| {
        let (spot, at) = search.spot_of_key(key)?;
        Some(Choice { spot, at, key })
    });
    if let Some(choice) = usable
        && search.allows_project(choice.spot.project)
        && search.allows_key(choice.key)
    {
        return Some((choice, current));
    }
    let choice = successor(search, current.map_or(0, |current| current.number))?;
    // A key that only this request must not use is still the one to stay on.
    if usable.is_some() {
        return Some((choice, current));
    }
    let key = &search.roster.keys.get(choice.key)?.key;
    Some((
        choice,
        Some(Current {
            key: key.id,
            number: key.number,
        }),
    ))
}

/// The next usable key by number, after the last the first again.
fn successor(search: &Search<'_>, number: u32) -> Option<Choice> {
    let order = search.table.order()?;
    // Lowest number first among equals of a project.
    let ordered = Search { chance: 0, ..*search };
    search.classes().find_map(|(&class, _)| {
        let start: Rank = (class, number, u32::MAX);
        let after = order.range((Bound::Excluded(start), Bound::Included((class, u32::MAX, u32::MAX))));
        let before = order.range((class, 0, 0)..=start);
        after.chain(before).find_map(|&(_, _, project)| {
            let (spot, at) = search.table.spot(project)?;
            ordered.choice(spot, at)
        })
    })
}
