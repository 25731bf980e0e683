//! Moving projects between the ready lists, the order and the tree of rests.

use super::{Place, Spot, Standing, Table};
use crate::{roster::Class, slots::NOWHERE, time::Timestamp};

impl Table {
    /// Follows an order from now on, or no more.
    pub(crate) fn set_ordered(&mut self, ordered: bool) {
        if ordered == self.order.is_some() {
            return;
        }
        self.order = ordered.then(|| {
            (0_u32..)
                .zip(&self.places)
                .filter_map(|(project, place)| match place.standing {
                    Standing::Ready { class, number, .. } => Some((class, number, project)),
                    Standing::Later(_) | Standing::Never => None,
                })
                .collect()
        });
    }

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

    fn leave(&mut self, project: u32, before: Standing) {
        match before {
            Standing::Never => {}
            Standing::Later(at) => {
                self.due.remove(&(at, project));
            }
            Standing::Ready {
                class,
                number,
                spot,
                review_at,
                ..
            } => {
                self.due.remove(&(review_at, project));
                if let Some(order) = &mut self.order {
                    order.remove(&(class, number, project));
                }
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
            Standing::Later(at) => {
                self.due.insert((*at, project));
            }
            Standing::Ready {
                class,
                number,
                spot,
                review_at,
                key,
                calm,
            } => {
                if *review_at != Timestamp::MAX {
                    self.due.insert((*review_at, project));
                }
                if let Some(order) = &mut self.order {
                    order.insert((*class, *number, project));
                }
                let spots = self.ready.entry(*class).or_default();
                *spot = u32::try_from(spots.len()).unwrap_or(NOWHERE);
                spots.push(Spot {
                    project,
                    cell,
                    key: *key,
                    calm: *calm,
                });
            }
        }
    }
}
