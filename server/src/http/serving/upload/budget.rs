//! How much of all bodies is held at once, and whose it is. Nobody's bodies fill it: one account has a quarter of it, and who
//! has none has another budget, of which one address has a quarter.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::http::body::BODY_BYTES_MAX;
use crate::network::subscriber;

/// So much of every body is always taken: nobody's uploads keep others from signing in.
pub(super) const ALWAYS_TAKEN: usize = 8 * 1024;
/// It takes so many senders to fill a budget.
const SENDERS_MIN: usize = 4;
/// Of requests without an account: this part of what there is for those with one.
const ANONYMOUS_PART: usize = 4;

/// Whose bodies count together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::http) enum Sender {
    Account(String),
    /// As [`subscriber`] has it.
    Address(IpAddr),
}

impl Sender {
    pub(in crate::http) fn address(address: IpAddr) -> Self {
        Self::Address(subscriber(address))
    }
}

/// Of one kind of senders.
struct Pot {
    bytes_max: usize,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    all: usize,
    by_sender: HashMap<Sender, usize>,
}

impl Pot {
    fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            held: Mutex::default(),
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn allows(&self, held: &Held, sender: &Sender, bytes: usize) -> bool {
        let own = held.by_sender.get(sender).copied().unwrap_or_default();
        held.all.saturating_add(bytes) <= self.bytes_max && own.saturating_add(bytes) <= self.bytes_max / SENDERS_MIN
    }

    fn has_room(&self, sender: &Sender, bytes: usize) -> bool {
        self.allows(&self.held(), sender, bytes)
    }

    fn take(&self, sender: &Sender, bytes: usize) -> bool {
        let mut held = self.held();
        if !self.allows(&held, sender, bytes) {
            return false;
        }
        held.all += bytes;
        *held.by_sender.entry(sender.clone()).or_default() += bytes;
        true
    }

    fn give_back(&self, sender: &Sender, bytes: usize) {
        let mut held = self.held();
        held.all = held.all.saturating_sub(bytes);
        if let Some(own) = held.by_sender.get_mut(sender) {
            *own = own.saturating_sub(bytes);
            if *own == 0 {
                held.by_sender.remove(sender);
            }
        }
    }
}

pub(in crate::http::serving) struct UploadBudget {
    accounts: Pot,
    anonymous: Pot,
}

impl UploadBudget {
    pub(in crate::http::serving) fn new(bytes_max: usize) -> Self {
        Self {
            accounts: Pot::new(bytes_max),
            anonymous: Pot::new(bytes_max / ANONYMOUS_PART),
        }
    }

    fn of(&self, sender: &Sender) -> &Pot {
        match sender {
            Sender::Account(_) => &self.accounts,
            Sender::Address(_) => &self.anonymous,
        }
    }
}

/// One request's part of the budget; given back when the request has ended, because what was read lives on in it.
pub(in crate::http) struct Share {
    budget: Arc<UploadBudget>,
    part: Mutex<Part>,
}

struct Part {
    sender: Sender,
    /// What the route takes.
    bytes_max: usize,
    came: usize,
    taken: usize,
    is_discarded: bool,
}

tokio::task_local! {
    /// Of the request that this task answers.
    static CURRENT: Arc<Share>;
}

/// Who sends the body of the request that is answered here. Told before it is read.
pub(in crate::http) fn sent_by(sender: Sender) {
    let _ = CURRENT.try_with(|share| {
        let mut part = share.part();
        if part.taken == 0 {
            part.sender = sender;
        }
    });
}

/// So much of it is taken. Told before it is read.
pub(in crate::http) fn at_most(bytes_max: usize) {
    let _ = CURRENT.try_with(|share| share.part().bytes_max = bytes_max);
}

/// Nothing of it is kept any more: what came is given back, and what still comes is not counted.
pub(in crate::http) fn discarded() {
    let _ = CURRENT.try_with(|share| share.discard());
}

impl Share {
    /// Until more is known it is a small body of an address.
    pub(in crate::http::serving) fn new(budget: &Arc<UploadBudget>, peer: IpAddr) -> Arc<Self> {
        Arc::new(Self {
            budget: Arc::clone(budget),
            part: Mutex::new(Part {
                sender: Sender::address(peer),
                bytes_max: BODY_BYTES_MAX,
                came: 0,
                taken: 0,
                is_discarded: false,
            }),
        })
    }

    /// Answers a request whose handler may say more about its body.
    pub(in crate::http::serving) async fn within<F: Future>(self: &Arc<Self>, answering: F) -> F::Output {
        CURRENT.scope(Arc::clone(self), answering).await
    }

    fn part(&self) -> MutexGuard<'_, Part> {
        self.part.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn bytes_max(&self) -> usize {
        self.part().bytes_max
    }

    pub(super) fn has_room_for(&self, declared: Option<u64>) -> bool {
        let declared = declared.map_or(0, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        let part = self.part();
        let counted = declared.min(part.bytes_max).saturating_sub(ALWAYS_TAKEN);
        part.is_discarded || counted == 0 || self.budget.of(&part.sender).has_room(&part.sender, counted)
    }

    /// More bytes than the route takes are thrown away as they come.
    pub(super) fn take(&self, bytes: usize) -> bool {
        let mut part = self.part();
        if part.is_discarded {
            return true;
        }
        part.came = part.came.saturating_add(bytes);
        let wanted = part.came.min(part.bytes_max).saturating_sub(ALWAYS_TAKEN);
        let more = wanted.saturating_sub(part.taken);
        if more > 0 && !self.budget.of(&part.sender).take(&part.sender, more) {
            return false;
        }
        part.taken += more;
        true
    }

    fn discard(&self) {
        let mut part = self.part();
        part.is_discarded = true;
        let taken = std::mem::take(&mut part.taken);
        if taken > 0 {
            self.budget.of(&part.sender).give_back(&part.sender, taken);
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.discard();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: usize = 1_000_000;

    fn share(budget: &Arc<UploadBudget>, account: &str) -> Arc<Share> {
        let share = Share::new(budget, IpAddr::from([192, 0, 2, 1]));
        let mut part = share.part();
        part.sender = Sender::Account(account.to_owned());
        part.bytes_max = 20 * MB;
        drop(part);
        share
    }

    fn anonymous(budget: &Arc<UploadBudget>, address: &str) -> Arc<Share> {
        Share::new(budget, address.parse().unwrap())
    }

    fn held(pot: &Pot) -> usize {
        let held = pot.held();
        assert_eq!(held.all, held.by_sender.values().sum::<usize>());
        held.all
    }

    #[test]
    fn one_account_has_a_quarter_and_all_together_the_whole() {
        let budget = Arc::new(UploadBudget::new(4 * MB));
        let (one, more) = (share(&budget, "ada"), share(&budget, "ada"));
        assert!(one.take(MB));
        assert!(!more.has_room_for(Some(200_000)), "refused before it is read");
        assert!(more.take(ALWAYS_TAKEN), "small ones are always taken");
        assert!(!more.take(100_000));
        let others: Vec<_> = ["bob", "cleo", "dan"].map(|name| share(&budget, name)).into();
        assert!(
            others.iter().all(|other| other.take(MB)),
            "each of the others has as much"
        );
        assert!(!share(&budget, "fay").take(100_000), "all is taken");
        drop((one, others));
        assert!(more.has_room_for(Some(200_000)) && more.take(100_000));
        drop(more);
        assert_eq!(held(&budget.accounts), 0);
        assert!(budget.accounts.held().by_sender.is_empty());
    }

    #[test]
    fn whoever_has_no_account_takes_nothing_from_those_who_have_one() {
        let budget = Arc::new(UploadBudget::new(16 * MB));
        let mut taken = Vec::new();
        for number in 0..200 {
            let one = anonymous(&budget, &format!("2001:db8::{number:x}"));
            if one.take(500_000) {
                taken.push(one);
            }
        }
        assert_eq!(taken.len(), 2, "a subscriber's addresses are one sender");
        assert!(anonymous(&budget, "192.0.2.1").take(MB), "another has its own quarter");
        assert_eq!(held(&budget.accounts), 0);
        assert!(share(&budget, "ada").take(4 * MB));
    }

    #[test]
    fn what_is_thrown_away_is_given_back_and_not_counted() {
        let budget = Arc::new(UploadBudget::new(128 * MB));
        let share = share(&budget, "ada");
        assert!((0..20).all(|_| share.take(MB)));
        assert_eq!(held(&budget.accounts), 20 * MB - ALWAYS_TAKEN);
        share.discard();
        assert_eq!(held(&budget.accounts), 0);
        assert!((0..100).all(|_| share.take(MB)));
        assert_eq!(held(&budget.accounts), 0);
    }

    #[test]
    fn no_more_is_counted_than_the_route_takes() {
        let budget = Arc::new(UploadBudget::new(128 * MB));
        let one = anonymous(&budget, "192.0.2.1");
        assert!((0..50).all(|_| one.take(MB)));
        assert_eq!(held(&budget.anonymous), BODY_BYTES_MAX - ALWAYS_TAKEN);
    }
}
