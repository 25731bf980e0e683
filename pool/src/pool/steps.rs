//! A clock that steps back: what rests until an instant of the clock that was ahead would rest too long.

use core::time::Duration;

use super::{KeyPool, probes::Target};
use crate::{
    cell::Longest,
    record::Fault,
    roster::{Faulty, Probing},
    time::Timestamp,
};

impl KeyPool {
    /// Nothing rests longer than it would if it began now. What ends sooner is left alone, so a spent day is not woken
    /// before its end.
    /// `tolerance`: steps up to this size are no reason to cut anything.
    pub(super) fn step_back(&mut self, now: Timestamp, tolerance: Duration) {
        let policy = self.policy.clone();
        let from = now.plus(tolerance);
        let longest = Longest {
            cooling: from.plus(policy.minute_max.max(policy.minute_default)),
            spent: (self.next_reset)(from).plus(policy.day_jitter_max),
            not_entitled: from.plus(policy.not_entitled),
            key: from.plus(policy.bare_429.into_iter().max().unwrap_or_default()),
            trial: from.plus(policy.trial_lost_after),
        };
        for table in self.tables.iter_mut() {
            table.hidden.clamp(from.plus(policy.model_hidden), longest.trial);
            table
                .breaker
                .rest
                .clamp(from.plus(policy.breaker.longest), longest.trial);
            table.clamp_cells(&longest, now);
        }
        self.provider.rest.clamp(from.plus(policy.storm.longest), longest.trial);
        for account in 0..self.roster.accounts.end() {
            let Some(entry) = self.roster.accounts.get_mut(account) else {
                continue;
            };
            entry.spend.clamp(from.plus(policy.spend.longest), longest.trial);
            self.await_account(account);
        }
        self.clamp_probes(from);
        self.refresh_all(now);
    }

    fn clamp_probes(&mut self, from: Timestamp) {
        let soonest = |faulty: Faulty, wait: Duration| Probing {
            at: faulty.probing.at.min(from.plus(wait)),
            ..faulty.probing
        };
        let wait = |fault: Fault| match fault {
            Fault::Suspect => Some(self.policy.unanswered_probe.longest),
            Fault::NeedsSetup => Some(self.policy.setup_probe.longest),
            Fault::Invalid => Some(self.policy.invalid_probe_every),
            Fault::Revoked => None,
        };
        let of = |faulty: Option<Faulty>| {
            let faulty = faulty?;
            Some(soonest(faulty, wait(faulty.fault)?))
        };
        let keys = self.roster.keys.iter().filter_map(|(_, entry)| {
            let probing = of(entry.fault)?;
            Some((Target::Key(entry.key.id), probing))
        });
        let projects = self
            .roster
            .projects
            .iter()
            .filter_map(|(_, entry)| Some((Target::Project(entry.id), of(entry.fault)?)));
        let accounts = self.roster.accounts.iter().filter_map(|(_, entry)| {
            let probing = entry.no_credit?;
            let at = probing.at.min(from.plus(self.policy.credit_probe_every));
            Some((Target::Account(entry.id), Probing { at, ..probing }))
        });
        let due: alloc::vec::Vec<_> = keys.chain(projects).chain(accounts).collect();
        for (target, probing) in due {
            self.schedule(target, probing);
        }
    }
}
