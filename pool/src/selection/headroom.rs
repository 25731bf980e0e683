//! Two random choices, the better by what is left: nearly as even as looking at all, at the cost of looking at two.
//! (Mitzenmacher, "The power of two choices in randomized load balancing", 2001.)

use crate::{
    journey::scaled,
    roster::Class,
    selection::{Choice, Search},
    slots::NOWHERE,
    table::{Merit, Reading, Score, Spot},
};

pub(super) fn choose(search: &Search<'_>) -> Option<Choice> {
    search
        .classes()
        .find_map(|(class, spots)| in_class(search, class, spots))
}

fn in_class(search: &Search<'_>, class: &Class, spots: &[Spot]) -> Option<Choice> {
    let (first, second) = two_places(search.chance, spots.len());
    if search.want.journey.is_fresh() {
        let places = (*spots.get(first)?, *spots.get(second)?);
        let (spot, at) = if is_first_better(search, class, places.0, places.1) {
            (places.0, first)
        } else {
            (places.1, second)
        };
        // A ready project has a key that passes, except where the clock stepped back.
        if let Some(choice) = search.choice(spot, u32::try_from(at).unwrap_or(NOWHERE)) {
            return Some(choice);
        }
    }
    // The journey leaves out a handful of projects: neighbours of an excluded one are as random as itself.
    let first = allowed_from(search, spots, first)?;
    let second = allowed_from(search, spots, second)?;
    let better = is_first_better(search, class, first.spot, second.spot);
    Some(if better { first } else { second })
}

/// Two different places, if there are two.
fn two_places(chance: u64, len: usize) -> (usize, usize) {
    let len = u64::try_from(len).unwrap_or(u64::MAX);
    let first = scaled(chance, len);
    let step = 1 + scaled(remixed(chance), len.saturating_sub(1));
    let second = first + step;
    let second = if second >= len {
        second.saturating_sub(len)
    } else {
        second
    };
    (
        usize::try_from(first).unwrap_or(0),
        usize::try_from(second).unwrap_or(0),
    )
}

fn allowed_from(search: &Search<'_>, spots: &[Spot], start: usize) -> Option<Choice> {
    let (before, after) = spots.split_at_checked(start)?;
    let after = (start..).zip(after);
    after
        .chain((0..).zip(before))
        .find_map(|(at, spot)| search.choice(*spot, u32::try_from(at).unwrap_or(NOWHERE)))
}

fn is_first_better(search: &Search<'_>, class: &Class, first: Spot, second: Spot) -> bool {
    let reading = Reading::at(search.now, search.day_end);
    first == second || merit(search, class, first, reading) >= merit(search, class, second, reading)
}

fn merit(search: &Search<'_>, class: &Class, spot: Spot, reading: Reading) -> Merit {
    if let Some(merit) = spot.score.merit(reading) {
        return merit;
    }
    let Some(usage) = search.table.usage(spot.cell) else {
        return Score::merit_unused();
    };
    let limits = search.table.limits(usage, class.tier, search.now);
    Score::of(usage, &limits, search.now, search.day_end).merit_now()
}

/// A second random number out of the first (the finaliser of `SplitMix64`).
pub(crate) const fn remixed(chance: u64) -> u64 {
    let mut z = chance.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
