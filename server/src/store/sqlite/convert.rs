//! SQLite's integers are signed; ours are not.

use pool::Timestamp;

pub(super) fn ms(at: Timestamp) -> i64 {
    whole(at.as_millis())
}

pub(super) fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(from_whole(ms))
}

pub(super) fn id(id: u64) -> i64 {
    whole(id)
}

pub(super) fn from_id(id: i64) -> u64 {
    from_whole(id)
}

/// A count, a duration, tokens. What is above 2^63 is "for ever" and stays so.
pub(super) fn whole(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn from_whole(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
