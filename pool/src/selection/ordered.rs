//! The first usable key of the order. By number it is `fill_first`; by the last turn, which the chosen key takes anew, it
//! is `round_robin`: whom a request passes by is the first for the next one.

use crate::selection::{Choice, Search};

pub(super) fn first(search: &Search<'_>) -> Option<Choice> {
    let order = search.table.order()?;
    let mut classes = order.classes().filter(|class| search.allows_class(class));
    classes.find_map(|class| order.keys(class).find_map(|rank| search.choice_of_key(rank.slot)))
}
