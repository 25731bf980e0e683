//! Moving projects between the ready lists and the tree of rests.

use super::{Place, Score, Spot, Standing, Table};
use crate::{roster::Class, slots::NOWHERE, time::Timestamp};

impl Table {
    /// Moves a project between the lists.
    pub(super) fn stand(&mut self, project: u32, mut standing: Standing) {
        let place = self.place(project);
        if let (Standing::Ready { spot: kept, .. }, Standing::Ready { spot, .. }) = (place.standing, &mut standing) {
            *spot = kept;
        }
        // The usual case: nothing moves.
        if place.standing == standing {
            return;
        }
        self.leave(project, place.standing);
        self.enter(project, place.cell, &mut standing);
        self.set_place(project, Place { standing, ..place });
    }

    /// Keeps the project's score after a change of its usage. `at` is where it stood in the list of the class; it may
    /// have moved since.
    pub(crate) fn rescore(
        &mut self,
        (class, at): (Class, u32),
        project: u32,
        cell: u32,
        now: Timestamp,
        day_end: Timestamp,
    ) {
        // An index is followed without looking at scores.
        if !self.is_unindexed() {
            return;
        }
        let Some(usage) = self.usages.get(cell as usize) else {
            return;
        };
        let limits = self.limits(usage, class.tier, now);
        let score = Score::of(usage, &limits, now, day_end);
        let spots = self.ready.get_mut(&class);
        if let Some(spot) = spots.and_then(|spots| spots.get_mut(at as usize))
            && spot.project == project
        {
            spot.score = score.instead_of(spot.score);
        } else if let Some(spot) = self.spot_mut(project) {
            spot.score = score.instead_of(spot.score);
        }
    }

    /// Must follow every change of a usage that is not a call's.
    pub(crate) fn forget_score(&mut self, project: u32) {
        if let Some(spot) = self.spot_mut(project) {
            spot.score = Score::unknown(spot.score.calm);
        }
    }

    pub(super) fn forget_scores(&mut self) {
        for spot in self.ready.values_mut().flatten() {
            spot.score = Score::unknown(spot.score.calm);
        }
    }

    fn spot_mut(&mut self, project: u32) -> Option<&mut Spot> {
        match self.place(project).standing {
            Standing::Ready { class, spot, .. } => self.ready.get_mut(&class)?.get_mut(spot as usize),
            Standing::Later(_) | Standing::Never => None,
        }
    }

    fn leave(&mut self, project: u32, before: Standing) {
        match before {
            Standing::Never => {}
            Standing::Later(at) => {
                self.due.remove(&(at, project));
            }
            Standing::Ready {
                class, spot, review_at, ..
            } => {
                self.due.remove(&(review_at, project));
                self.give_up_spot(class, spot);
            }
        }
    }

    /// The last of the list moves to the free place.
    fn give_up_spot(&mut self, class: Class, spot: u32) {
        let Some(spots) = self.ready.get_mut(&class) else {
            return;
        };
        if (spot as usize) < spots.len() {
            spots.swap_remove(spot as usize);
        }
        let moved = spots.get(spot as usize).map(|moved| moved.project);
        if spots.is_empty() {
            self.ready.remove(&class);
        }
        if let Some(moved) = moved
            && let Some(place) = self.places.get_mut(moved as usize)
            && let Standing::Ready { spot: place, .. } = &mut place.standing
        {
            *place = spot;
        }
    }

    fn enter(&mut self, project: u32, cell: u32, after: &mut Standing) {
        match after {
            Standing::Never => {}
            // Not time, but the end of a call makes it ready.
            Standing::Later(Timestamp::MAX) => {}
            Standing::Later(at) => {
                self.due.insert((*at, project));
            }
            Standing::Ready {
                class,
                spot,
                review_at,
                key,
                calm,
            } => {
                if *review_at != Timestamp::MAX {
                    self.due.insert((*review_at, project));
                }
                let spots = self.ready.entry(*class).or_default();
                *spot = u32::try_from(spots.len()).unwrap_or(NOWHERE);
                spots.push(Spot {
                    project,
                    cell,
                    key: *key,
                    score: Score::unknown(*calm),
                });
            }
        }
    }
}
