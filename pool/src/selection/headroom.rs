//! Two random choices, the better by what is left: nearly as even as looking at all, at the cost of looking at two.
//! (Mitzenmacher, "The power of two choices in randomized load balancing", 2001.)

use core::cmp::Reverse;

use crate::{
    journey::scaled,
    roster::Class,
    selection::{Choice, Search},
    table::Spot,
    usage::WHOLE_PPM,
};

pub(super) fn choose(search: &Search<'_>) -> Option<Choice> {
    search
        .classes()
        .find_map(|(class, spots)| in_class(search, class, spots))
}

fn in_class(search: &Search<'_>, class: &Class, spots: &[Spot]) -> Option<Choice> {
    let (first, second) = two_places(search.chance, spots.len());
    if search.want.journey.is_fresh() {
        let (first, second) = (*spots.get(first)?, *spots.get(second)?);
        let better = better(search, class, first, second);
        // A ready project has a key that passes, except where the clock stepped back.
        if let Some(choice) = search.choice(better) {
            return Some(choice);
        }
    }
    // The journey leaves out a handful of projects: neighbours of an excluded one are as random as itself.
    let first = allowed_from(search, spots, first)?;
    let second = allowed_from(search, spots, second)?;
    let better = better(search, class, first.spot, second.spot);
    Some(if better == first.spot { first } else { second })
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
    after.iter().chain(before).find_map(|spot| search.choice(*spot))
}

fn better(search: &Search<'_>, class: &Class, first: Spot, second: Spot) -> Spot {
    if first == second || merit(search, class, first) >= merit(search, class, second) {
        first
    } else {
        second
    }
}

/// Part of the quota left × recent success; among equals fewer calls in the last minute.
fn merit(search: &Search<'_>, class: &Class, spot: Spot) -> (u64, Reverse<u64>) {
    let Some(usage) = search.table.usage(spot.cell) else {
        return (u64::from(WHOLE_PPM) * 1_000, Reverse(0));
    };
    let limits = usage.learned().or(search.table.configured(class.tier));
    let used = usage.used(search.now, search.day_end);
    let left = u64::from(usage.headroom_ppm(&limits, &used));
    (left * u64::from(usage.success_permille), Reverse(used.requests_minute))
}

/// A second random number out of the first (the finaliser of `SplitMix64`).
pub(crate) const fn remixed(chance: u64) -> u64 {
    let mut z = chance.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
