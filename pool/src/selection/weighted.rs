//! At random, in proportion to the weights of the usable keys.

use alloc::vec::Vec;

use crate::{
    journey::scaled,
    selection::{Choice, Search, remixed},
    table::{Drawn, Urn},
};

/// A request rules out a handful of keys; after more draws than this it is cheaper to look at all.
const DRAWS_MAX: usize = 32;

pub(super) fn choose(search: &Search<'_>) -> Option<Choice> {
    let urns = search.table.weights()?.urns();
    let mut urns = urns.iter().filter(|(class, _)| search.allows_class(class));
    urns.find_map(|(_, urn)| draw(search, urn))
}

/// Draws without putting back what this request must not use, so the others keep their proportions.
fn draw(search: &Search<'_>, urn: &Urn) -> Option<Choice> {
    let mut refused: Vec<Drawn> = Vec::new();
    let mut left = urn.total();
    let mut chance = search.chance;
    for _ in 0..DRAWS_MAX {
        if left == 0 {
            return None;
        }
        let mut point = scaled(chance, left);
        for gap in &refused {
            if gap.start <= point {
                point += gap.weight;
            }
        }
        let drawn = urn.find(point)?;
        if let Some(choice) = search.choice_of_key(drawn.key) {
            return Some(choice);
        }
        left -= drawn.weight;
        let at = refused.partition_point(|gap| gap.start < drawn.start);
        refused.insert(at, drawn);
        chance = remixed(chance);
    }
    look_at_all(search, urn, chance)
}

fn look_at_all(search: &Search<'_>, urn: &Urn, chance: u64) -> Option<Choice> {
    let choices = || {
        urn.keys()
            .filter_map(|(key, weight)| Some((search.choice_of_key(key)?, weight)))
    };
    let mut point = scaled(chance, choices().map(|(_, weight)| weight).sum());
    choices()
        .find(|(_, weight)| match point.checked_sub(*weight) {
            Some(beyond) => {
                point = beyond;
                false
            }
            None => true,
        })
        .map(|(choice, _)| choice)
}
