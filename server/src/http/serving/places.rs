//! Who has a connection. When places are short, those go first who have not sent a whole head yet, the oldest first, and then
//! those who rest between two requests; a newcomer is refused when all others are at work.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ipnet::IpNet;
use tokio_util::sync::CancellationToken;

use crate::config::ConnectionBounds;
use crate::network::subscriber;

/// In the order in which they lose their places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    BeforeFirstHead,
    Resting,
    AtWork,
}

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Places(Arc<Inner>);

struct Inner {
    bounds: ConnectionBounds,
    proxies: Vec<IpNet>,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    /// Counts up, so that a lower one is older.
    next: u64,
    connections: HashMap<u64, Entry>,
    /// A network of IPv6 is one subscriber's.
    by_address: HashMap<IpAddr, BTreeSet<(Stage, u64)>>,
    all: BTreeSet<(Stage, u64)>,
}

struct Entry {
    address: IpAddr,
    stage: Stage,
    lost: CancellationToken,
}

/// One connection's; given back when dropped.
pub(super) struct Place {
    places: Places,
    id: u64,
    lost: CancellationToken,
}

impl Places {
    pub(super) fn new(bounds: ConnectionBounds, proxies: Vec<IpNet>) -> Self {
        Self(Arc::new(Inner {
            bounds,
            proxies,
            table: Mutex::default(),
        }))
    }

    pub(super) fn len(&self) -> usize {
        self.table().connections.len()
    }

    /// A place, perhaps of another who waits. `None` when all are at work.
    pub(super) fn enter(&self, address: IpAddr) -> Option<Place> {
        let ConnectionBounds { max, per_address } = self.0.bounds;
        let peer = address.to_canonical();
        let is_proxy = self.0.proxies.iter().any(|network| network.contains(&peer));
        let address = subscriber(peer);
        let mut table = self.table();
        let of_address = table.by_address.get(&address).map_or(0, BTreeSet::len);
        if per_address > 0 && !is_proxy && of_address >= per_address {
            let first = table.by_address.get(&address)?.first().copied();
            table.take_from(first?)?;
        }
        if max > 0 && table.connections.len() >= max {
            let first = table.all.first().copied();
            table.take_from(first?)?;
        }
        let id = table.next;
        table.next += 1;
        let lost = CancellationToken::new();
        let stage = Stage::BeforeFirstHead;
        table.all.insert((stage, id));
        table.by_address.entry(address).or_default().insert((stage, id));
        let entry = Entry {
            address,
            stage,
            lost: lost.clone(),
        };
        table.connections.insert(id, entry);
        let places = self.clone();
        Some(Place { places, id, lost })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// `None` when even the first is at work.
    fn take_from(&mut self, (stage, id): (Stage, u64)) -> Option<()> {
        if stage == Stage::AtWork {
            return None;
        }
        self.remove(id)?.lost.cancel();
        Some(())
    }

    fn remove(&mut self, id: u64) -> Option<Entry> {
        let entry = self.connections.remove(&id)?;
        self.all.remove(&(entry.stage, id));
        if let Some(ids) = self.by_address.get_mut(&entry.address) {
            ids.remove(&(entry.stage, id));
            if ids.is_empty() {
                self.by_address.remove(&entry.address);
            }
        }
        Some(entry)
    }

    fn set(&mut self, id: u64, stage: Stage) {
        let Some(entry) = self.connections.get_mut(&id) else {
            return;
        };
        let before = std::mem::replace(&mut entry.stage, stage);
        let address = entry.address;
        self.all.remove(&(before, id));
        self.all.insert((stage, id));
        if let Some(ids) = self.by_address.get_mut(&address) {
            ids.remove(&(before, id));
            ids.insert((stage, id));
        }
    }
}

impl Place {
    pub(super) fn works(&self) {
        self.places.table().set(self.id, Stage::AtWork);
    }

    pub(super) fn rests(&self) {
        self.places.table().set(self.id, Stage::Resting);
    }

    /// Until the place is another's.
    pub(super) async fn lost(&self) {
        self.lost.cancelled().await;
    }

    #[cfg(test)]
    fn is_lost(&self) -> bool {
        self.lost.is_cancelled()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.table().remove(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(max: usize, per_address: usize, proxies: &[&str]) -> Places {
        let proxies = proxies.iter().map(|network| network.parse().unwrap()).collect();
        Places::new(ConnectionBounds { max, per_address }, proxies)
    }

    fn from(places: &Places, address: &str) -> Option<Place> {
        places.enter(address.parse().unwrap())
    }

    #[test]
    fn the_oldest_without_a_head_makes_room_then_the_oldest_that_rests_and_never_one_at_work() {
        let places = places(3, 0, &[]);
        let rests = from(&places, "192.0.2.1").unwrap();
        rests.works();
        rests.rests();
        let older = from(&places, "192.0.2.2").unwrap();
        let younger = from(&places, "192.0.2.3").unwrap();
        let works = from(&places, "192.0.2.4").unwrap();
        works.works();
        assert!(older.is_lost() && !younger.is_lost() && !rests.is_lost());
        let also_works = from(&places, "192.0.2.5").unwrap();
        also_works.works();
        assert!(younger.is_lost() && !rests.is_lost());
        let last = from(&places, "192.0.2.6").unwrap();
        last.works();
        assert!(rests.is_lost());
        assert!(from(&places, "192.0.2.7").is_none(), "all are at work");
        assert!(!works.is_lost() && !also_works.is_lost() && !last.is_lost());
        drop(works);
        assert!(from(&places, "192.0.2.7").is_some(), "a place was given back");
    }

    #[test]
    fn one_address_takes_places_from_itself_only() {
        let places = places(0, 2, &[]);
        let other = from(&places, "192.0.2.9").unwrap();
        let first = from(&places, "192.0.2.1").unwrap();
        let second = from(&places, "::ffff:192.0.2.1").unwrap();
        let third = from(&places, "192.0.2.1").unwrap();
        assert!(first.is_lost() && !second.is_lost() && !third.is_lost() && !other.is_lost());
        second.works();
        third.works();
        assert!(from(&places, "192.0.2.1").is_none());
        assert!(from(&places, "192.0.2.2").is_some());
    }

    #[test]
    fn all_addresses_of_an_ipv6_network_are_one() {
        let places = places(0, 2, &[]);
        let first = from(&places, "2001:db8:0:7::1").unwrap();
        let others: Vec<_> = (2..50)
            .map(|host| from(&places, &format!("2001:db8:0:7:{host:x}::{host:x}")).unwrap())
            .collect();
        assert!(first.is_lost() && others.iter().filter(|place| !place.is_lost()).count() == 2);
        let next = from(&places, "2001:db8:0:8::1").unwrap();
        assert!(!next.is_lost());
        drop((first, others, next));
        assert!(places.table().by_address.is_empty());
    }

    #[test]
    fn a_proxy_speaks_for_many() {
        let places = places(0, 1, &["10.0.0.0/8"]);
        let all: Vec<_> = (0..50).filter_map(|_| from(&places, "10.1.2.3")).collect();
        assert_eq!((all.len(), places.len()), (50, 50));
        assert!(all.iter().all(|place| !place.is_lost()));
        drop(all);
        assert_eq!(places.len(), 0);
        assert!(places.table().all.is_empty() && places.table().by_address.is_empty());
    }
}
