//! HTTP/2 puts calls on one connection, and its server takes so many at once: the next would wait until one of them ends, and a
//! call whose reader has stopped does not end soon. So calls are spread over lanes, each with connections of its own.

use std::sync::{Arc, Mutex, PoisonError};

/// At once on one connection. A server should not take fewer (RFC 9113, section 6.5.2).
pub(super) const CALLS_MAX: usize = 100;

/// Never empty.
#[derive(Debug)]
pub(super) struct Lanes<T>(Mutex<Vec<Lane<T>>>);

#[derive(Debug)]
struct Lane<T> {
    client: T,
    /// Every call holds another one of it.
    calls: Arc<()>,
}

/// Of one call, from before it is sent until its answer is read or left.
#[derive(Debug)]
pub(in super::super) struct Place {
    _call: Arc<()>,
}

impl<T: Clone> Lanes<T> {
    pub(super) fn new(first: T) -> Self {
        Self(Mutex::new(vec![Lane::new(first)]))
    }

    /// The first lane with room, so that few calls share few connections. When all are full `another` is added, or else the
    /// emptiest takes one more.
    pub(super) fn enter(&self, another: impl FnOnce() -> Option<T>) -> (T, Place) {
        let mut lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lanes.iter().all(|lane| lane.calls() >= CALLS_MAX) {
            lanes.extend(another().map(Lane::new));
        }
        let with_room = lanes.iter().position(|lane| lane.calls() < CALLS_MAX);
        let emptiest = || (0..lanes.len()).min_by_key(|at| lanes[*at].calls());
        let lane = &lanes[with_room.or_else(emptiest).unwrap_or_default()];
        let place = Place {
            _call: Arc::clone(&lane.calls),
        };
        (lane.client.clone(), place)
    }
}

impl<T> Lane<T> {
    fn new(client: T) -> Self {
        Self {
            client,
            calls: Arc::default(),
        }
    }

    fn calls(&self) -> usize {
        Arc::strong_count(&self.calls) - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enter(lanes: &Lanes<usize>, count: usize, another: Option<usize>) -> Vec<(usize, Place)> {
        (0..count).map(|_| lanes.enter(|| another)).collect()
    }

    fn lanes_of(calls: &[(usize, Place)]) -> Vec<usize> {
        let mut lanes: Vec<usize> = calls.iter().map(|(lane, _)| *lane).collect();
        lanes.dedup();
        lanes
    }

    #[test]
    fn a_lane_is_filled_before_another_is_opened() {
        let lanes = Lanes::new(0);
        let first = enter(&lanes, CALLS_MAX, None);
        assert_eq!(lanes_of(&first), [0]);
        let second = enter(&lanes, CALLS_MAX, Some(1));
        assert_eq!(lanes_of(&second), [1]);
        assert_eq!(lanes_of(&enter(&lanes, 1, Some(2))), [2]);
    }

    #[test]
    fn a_place_that_is_left_is_taken_again() {
        let lanes = Lanes::new(0);
        let mut calls = enter(&lanes, CALLS_MAX, None);
        let _second = enter(&lanes, 1, Some(1));
        calls.pop();
        assert_eq!(lanes_of(&enter(&lanes, 1, None)), [0]);
        calls.clear();
        assert_eq!(lanes_of(&enter(&lanes, CALLS_MAX, None)), [0]);
    }

    #[test]
    fn when_no_lane_can_be_opened_the_emptiest_takes_more() {
        let lanes = Lanes::new(0);
        let _first = enter(&lanes, CALLS_MAX, None);
        let _second = enter(&lanes, CALLS_MAX, Some(1));
        let beyond = enter(&lanes, 4, None);
        let mut taken: Vec<usize> = beyond.iter().map(|(lane, _)| *lane).collect();
        taken.sort_unstable();
        assert_eq!(taken, [0, 0, 1, 1]);
    }
}
