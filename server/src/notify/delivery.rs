//! The task behind the notifier: stores what was announced, then delivers it, each channel at its own pace.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use futures::future::{join, join_all};
use pool::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::{Channel, Notification, Notifier, SendError};
use crate::store::{Delivery, DeliveryState, DueDelivery, StoreError};

/// Pauses after the first, the second … try that failed; the last one repeats.
const PAUSES: [Duration; 5] = [
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(120),
    Duration::from_secs(600),
    Duration::from_secs(3600),
];
const GIVEN_UP_AFTER: Duration = Duration::from_secs(24 * 3600);
/// Read from the store at once.
const GROUP_MAX: u32 = 10;
/// While the store does not answer.
const STORE_PAUSE: Duration = Duration::from_secs(5);
/// Notifications kept in memory while the store refuses; the oldest are left out above it. They are in the log.
const UNSTORED_MAX: usize = 1_000;

/// What was announced and not yet taken up.
pub struct Inbox(pub(super) mpsc::UnboundedReceiver<Notification>);

impl Notifier {
    /// Runs until `stop`; what was announced by then is still stored, and delivered by the next process.
    pub async fn run(self, inbox: Inbox, stop: CancellationToken) {
        let stored = watch::Sender::new(());
        let workers = self
            .0
            .channels
            .iter()
            .map(|channel| self.deliver(channel.as_ref(), stored.subscribe(), &stop));
        join(self.store(inbox.0, &stored, &stop), join_all(workers)).await;
    }

    async fn store(
        &self,
        mut inbox: mpsc::UnboundedReceiver<Notification>,
        stored: &watch::Sender<()>,
        stop: &CancellationToken,
    ) {
        let mut waiting = VecDeque::new();
        let mut is_dropping = false;
        loop {
            let behind = !self.store_waiting(&mut waiting, stored).await;
            is_dropping &= behind;
            tokio::select! {
                biased;
                Some(notification) = inbox.recv() => waiting.push_back(notification),
                () = tokio::time::sleep(STORE_PAUSE), if behind => {}
                () = stop.cancelled() => break,
            }
            if waiting.len() > UNSTORED_MAX {
                waiting.pop_front();
                self.count_off();
                if !std::mem::replace(&mut is_dropping, true) {
                    warn!("more than {UNSTORED_MAX} notifications wait to be stored: the oldest are left out");
                }
            }
        }
        inbox.close();
        while let Some(notification) = inbox.recv().await {
            waiting.push_back(notification);
        }
        self.store_waiting(&mut waiting, stored).await;
    }

    /// False when the store refused.
    async fn store_waiting(&self, waiting: &mut VecDeque<Notification>, stored: &watch::Sender<()>) -> bool {
        while let Some(next) = waiting.front() {
            let channels = self.0.channels.iter().map(|channel| channel.name().to_owned());
            if let Err(error) = self.0.store.insert_notification(next.clone(), channels.collect()).await {
                warn!(%error, "a notification could not be stored and waits in memory");
                return false;
            }
            waiting.pop_front();
            self.count_off();
            stored.send_replace(());
        }
        true
    }

    /// One notification less waits to be stored.
    fn count_off(&self) {
        self.0.unstored.send_modify(|count| *count = count.saturating_sub(1));
    }

    /// `stop` is looked at between deliveries only: an accepted notification whose note is lost would be sent again.
    async fn deliver(&self, channel: &dyn Channel, mut stored: watch::Receiver<()>, stop: &CancellationToken) {
        // How deliveries ended that the store has not taken yet: they are not sent again.
        let mut unsaved = BTreeMap::new();
        while !stop.is_cancelled() {
            stored.mark_unchanged();
            let clock = &self.0.clock;
            match self.round(channel, &mut unsaved, stop).await {
                Round::Delivered => {}
                Round::NothingDueUntil(at) => pause(clock.sleep_towards(at), &mut stored, stop).await,
                Round::StoreRefused => pause(tokio::time::sleep(STORE_PAUSE), &mut stored, stop).await,
            }
        }
    }

    async fn round(
        &self,
        channel: &dyn Channel,
        unsaved: &mut BTreeMap<String, Delivery>,
        stop: &CancellationToken,
    ) -> Round {
        let due = match self.due(channel).await {
            Ok(Found::Due(due)) => due,
            Ok(Found::NothingUntil(at)) => return Round::NothingDueUntil(at),
            Err(error) => {
                debug!(%error, channel = channel.name(), "due notifications cannot be read");
                return Round::StoreRefused;
            }
        };
        for delivery in due {
            if stop.is_cancelled() {
                break;
            }
            if !self.handle(channel, delivery, unsaved).await {
                return Round::StoreRefused;
            }
        }
        Round::Delivered
    }

    async fn due(&self, channel: &dyn Channel) -> Result<Found, StoreError> {
        let now = self.0.clock.now();
        let due = self.0.store.due_deliveries(channel.name(), now, GROUP_MAX).await?;
        if !due.is_empty() {
            return Ok(Found::Due(due));
        }
        let next_at = self.0.store.next_delivery_at(channel.name()).await?;
        match next_at {
            // No pause is that long: the clock was stepped back since, and what is pending has waited enough.
            Some(at) if at.since(now) > PAUSES[PAUSES.len() - 1] => {
                let due = self.0.store.due_deliveries(channel.name(), at, GROUP_MAX).await?;
                Ok(Found::Due(due))
            }
            at => Ok(Found::NothingUntil(at.unwrap_or(Timestamp::MAX))),
        }
    }

    /// False when the store refused.
    async fn handle(&self, channel: &dyn Channel, due: DueDelivery, unsaved: &mut BTreeMap<String, Delivery>) -> bool {
        let id = due.delivery.notification_id.clone();
        let ended = match unsaved.remove(&id) {
            Some(ended) => ended,
            None => self.attempt(channel, due).await,
        };
        if let Err(error) = self.0.store.save_delivery(ended.clone()).await {
            warn!(%error, channel = channel.name(), "how a delivery ended could not be stored; it is stored again soon");
            unsaved.insert(id, ended);
            return false;
        }
        true
    }

    async fn attempt(&self, channel: &dyn Channel, due: DueDelivery) -> Delivery {
        let DueDelivery { notification, delivery } = due;
        let result = channel.send(&notification, self.0.clock.now()).await;
        let ended = after(delivery, &result, notification.created_at, self.0.clock.now());
        match (&result, ended.state) {
            (Ok(()), _) => info!(channel = channel.name(), kind = %notification.kind, "a notification was delivered"),
            (Err(error), DeliveryState::Failed) => {
                warn!(channel = channel.name(), kind = %notification.kind, "a notification is given up: {error}");
            }
            (Err(error), _) => {
                warn!(channel = channel.name(), kind = %notification.kind, attempts = ended.attempts, "a notification will be sent again: {error}");
            }
        }
        ended
    }
}

enum Found {
    /// At least one.
    Due(Vec<DueDelivery>),
    NothingUntil(Timestamp),
}

enum Round {
    /// There may be more.
    Delivered,
    NothingDueUntil(Timestamp),
    StoreRefused,
}

/// Until `over`, unless something new is stored or the process ends before.
async fn pause(over: impl Future<Output = ()>, stored: &mut watch::Receiver<()>, stop: &CancellationToken) {
    tokio::select! {
        () = over => {}
        // The sender lives as long as the tasks that wait for it.
        Ok(()) = stored.changed() => {}
        () = stop.cancelled() => {}
    }
}

/// What a delivery is after one more try.
fn after(delivery: Delivery, result: &Result<(), SendError>, created_at: Timestamp, now: Timestamp) -> Delivery {
    let attempts = delivery.attempts.saturating_add(1);
    let pause = PAUSES[(delivery.attempts as usize).min(PAUSES.len() - 1)];
    let due_at = now.plus(pause);
    let (state, last_error) = match result {
        Ok(()) => (DeliveryState::Delivered, None),
        Err(error) if error.retryable && due_at.since(created_at) <= GIVEN_UP_AFTER => {
            (DeliveryState::Pending, Some(error.what.clone()))
        }
        Err(error) => (DeliveryState::Failed, Some(error.what.clone())),
    };
    Delivery {
        state,
        attempts,
        due_at,
        last_error,
        updated_at: now,
        ..delivery
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MADE: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn fresh() -> Delivery {
        Delivery {
            notification_id: "1".to_owned(),
            channel: "webhook".to_owned(),
            state: DeliveryState::Pending,
            attempts: 0,
            due_at: MADE,
            last_error: None,
            updated_at: MADE,
        }
    }

    fn refused(retryable: bool) -> Result<(), SendError> {
        Err(SendError {
            retryable,
            what: "no".to_owned(),
        })
    }

    #[test]
    fn pauses_grow_to_an_hour_and_a_delivery_is_given_up_after_a_day() {
        let (mut delivery, mut pauses) = (fresh(), Vec::new());
        while delivery.state == DeliveryState::Pending {
            let now = delivery.due_at;
            delivery = after(delivery, &refused(true), MADE, now);
            pauses.push(delivery.due_at.since(now).as_secs());
        }
        assert_eq!(pauses[..6], [5, 30, 120, 600, 3600, 3600]);
        assert_eq!((delivery.state, delivery.attempts), (DeliveryState::Failed, 28));
        assert!(delivery.updated_at.since(MADE) <= GIVEN_UP_AFTER);
        assert!(delivery.updated_at.since(MADE) > Duration::from_secs(23 * 3600));
    }

    #[test]
    fn what_is_refused_for_good_is_not_tried_again() {
        let ended = after(fresh(), &refused(false), MADE, MADE);
        assert_eq!(
            (ended.state, ended.attempts, ended.last_error.as_deref()),
            (DeliveryState::Failed, 1, Some("no"))
        );
    }

    #[test]
    fn a_delivery_that_is_accepted_at_last_keeps_no_error() {
        let tried = after(fresh(), &refused(true), MADE, MADE);
        let ended = after(tried, &Ok(()), MADE, MADE.plus(Duration::from_secs(5)));
        assert_eq!(
            (ended.state, ended.attempts, ended.last_error),
            (DeliveryState::Delivered, 2, None)
        );
    }
}
