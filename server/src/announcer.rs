//! Use case: tells people when the service or a key changes for the worse or the better, once each time.
//!
//! What was told last is remembered in the store, and what is seen is compared with it: a restart repeats nothing, and
//! what changed while no process ran is told by the next one. The rules are in `rules`, the sentences in `words`.
//!
//! | kind | severity | when |
//! | --- | --- | --- |
//! | `service.degraded` | warning | a key is out for longer than minutes (day quota, fault), or text or images cannot be served, for 10 s |
//! | `service.down` | critical | nothing can be served for 10 s |
//! | `service.restored` | info | better than what was told for 10 s; or at 00:05 Pacific when spent keys came back unannounced |
//! | `key.needs_person` | critical or warning | a key is revoked, confirmed invalid, not set up, or without credit |
//! | `key.recovered` | info | such a key serves again |
//! | `provider.down` | warning | the provider or a model fails for every key, and still does after 30 s |
//! | `provider.recovered` | info | it has answered again for 10 s |
//! | `region.refused` | critical | the provider does not serve this place to free keys |
//!
//! Of these facts, incidents are opened too (`alerts`), but not told once more: this table has their only notifications.
//! What else alerts find is told as `alert.opened`, `alert.escalated` and `alert.resolved`.
//!
//! Flapping: within five minutes of one word about the service the next one waits until it has held for a minute, so
//! that keys which are out of their minute quota again and again do not fill a mailbox. Rests of minutes alone never
//! count as degraded. A pool without keys is being set up or taken down by a person: that is not told.

mod rules;
mod words;

use std::sync::Arc;
use std::time::Duration;

use pool::{Counts, Notice, Timestamp, Verdict};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::clock::rfc3339;
use crate::keyring::Keyring;
use crate::notify::Notifier;
use crate::status::StatusReader;
use crate::store::{Store, StoreError};
use rules::{Announced, Rules, Seen};

pub use rules::KeyFault;
pub(crate) use rules::{Sight, sight};

/// The setting under which is remembered what was told last.
const SETTING: &str = "announced";
/// Gathers a burst of changes.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// Some changes come with time alone and show in nothing cheap: a rest that is now short enough to wait for.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// At the end of the process, for the store to take what was announced.
const STORING_MAX: Duration = Duration::from_secs(2);
/// Looking at a pool of very many keys takes its time; at most this part of it is spent on looking.
const LOOKING_SHARE: u32 = 20;

enum Message {
    Look,
    DayEnded,
}

/// Cheap to clone; never waits.
#[derive(Clone)]
pub struct Announcer(mpsc::UnboundedSender<Message>);

/// What the announcer's task is to do.
pub struct Inbox(mpsc::UnboundedReceiver<Message>);

impl Announcer {
    /// The inbox belongs to [`run`].
    pub fn new() -> (Self, Inbox) {
        let (messages, inbox) = mpsc::unbounded_channel();
        (Self(messages), Inbox(inbox))
    }

    /// Logs what the pool noticed, and looks whether a person has to be told.
    pub fn notice(&self, notice: Notice) {
        log(notice);
        self.send(Message::Look);
    }

    /// The provider's day has ended a few minutes ago: spent keys are back, or should be.
    pub fn day_ended(&self) {
        self.send(Message::DayEnded);
    }

    fn send(&self, message: Message) {
        // Without its task the process is ending; the next one compares.
        let _ = self.0.send(message);
    }
}

/// What the announcer looks at and tells by.
pub struct Deps {
    pub status: StatusReader,
    pub keyring: Arc<Keyring>,
    pub notifier: Notifier,
    pub store: Arc<dyn Store>,
}

/// Runs until `stop`.
pub async fn run(deps: Deps, mut inbox: Inbox, stop: CancellationToken) {
    let (pool, clock) = (deps.status.pool.clone(), deps.status.clock.clone());
    let mut changed = pool.subscribe();
    let mut stored = tokio::select! {
        stored = load(&deps) => stored,
        () = stop.cancelled() => return,
    };
    let mut rules = Rules::new(stored.clone());
    let mut unstored = deps.notifier.unstored();
    let mut last_signs = None;
    let mut looked_at = clock.now();
    let mut must_look = true;
    let mut day_ended = false;
    loop {
        changed.mark_unchanged();
        let signs = signs(&deps.status);
        let mut pause = PAUSE_MIN;
        let now = clock.now();
        // A clock that was stepped back is a reason too.
        must_look |= now < looked_at || now.since(looked_at) >= LOOK_EVERY;
        if must_look || rules.is_waiting(now) || last_signs.as_ref() != Some(&signs) {
            let started = Instant::now();
            look(&deps, &mut rules, day_ended);
            (must_look, day_ended) = (false, false);
            (looked_at, last_signs) = (now, Some(signs));
            pause = pause.max(started.elapsed() * LOOKING_SHARE);
        }
        // Not before: a process that ends in between would never tell.
        if *unstored.borrow_and_update() == 0 {
            remember(&deps, rules.announced(), &mut stored).await;
        }
        let now = clock.now();
        // What is due already has been looked at; more of it is a change that wakes by itself.
        let by_time = [rules.due_at(), pool.next_ready(), Some(looked_at.plus(LOOK_EVERY))]
            .into_iter()
            .flatten()
            .filter(|at| *at > now)
            .min();
        tokio::select! {
            message = inbox.0.recv() => match message {
                Some(Message::Look) => must_look = true,
                Some(Message::DayEnded) => (must_look, day_ended) = (true, true),
                None => break,
            },
            // The pool outlives this task, and so does the notifier.
            Ok(()) = changed.changed() => {}
            Ok(()) = unstored.changed() => {}
            () = clock.sleep_towards(by_time.unwrap_or(Timestamp::MAX)) => {}
            () = stop.cancelled() => break,
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => break,
        }
    }
    let is_stored = tokio::time::timeout(STORING_MAX, unstored.wait_for(|count| *count == 0))
        .await
        .is_ok();
    if is_stored {
        remember(&deps, rules.announced(), &mut stored).await;
    }
}

/// Cheap to ask for, and different whenever what is announced may be; of every model that a level is made of.
type Signs = Vec<Option<(Verdict, Counts)>>;

fn signs(status: &StatusReader) -> Signs {
    [&status.text_model, &status.vision_model]
        .into_iter()
        .chain(&status.fallback_models)
        .map(|name| status.pool.model(name).ok().map(|model| status.pool.verdict(model)))
        .collect()
}

fn look(deps: &Deps, rules: &mut Rules, day_ended: bool) {
    let seen = Seen::new(
        deps.status.read(),
        &deps.status.pool.snapshot(),
        deps.keyring.all(),
        deps.status.clock.now(),
    );
    let mut told = Vec::new();
    if day_ended {
        told.extend(rules.day_ended(&seen));
    }
    told.extend(rules.judge(&seen));
    for announcement in told {
        deps.notifier.announce(announcement);
    }
}

/// What was told last. Waits for a store that does not answer: guessing would repeat old news.
async fn load(deps: &Deps) -> Announced {
    loop {
        let settings: Result<_, StoreError> = deps.store.settings().await;
        match settings {
            Ok(settings) => {
                let found = settings.into_iter().find(|(name, _)| name == SETTING);
                // A newer version's words are not ours; then everything is news once.
                return found
                    .and_then(|(_, value)| serde_json::from_value(value).ok())
                    .unwrap_or_default();
            }
            Err(error) => {
                warn!(%error, "what was announced last cannot be read; trying again");
                tokio::time::sleep(Duration::from_secs(5)).await;
            }
        }
    }
}

/// A refusal is no harm: the next turn tries again, and a process that ends before it tells one thing twice at most.
async fn remember(deps: &Deps, announced: &Announced, stored: &mut Announced) {
    if announced == stored {
        return;
    }
    let Ok(value) = serde_json::to_value(announced) else {
        return;
    };
    match deps.store.save_setting(SETTING.to_owned(), Some(value)).await {
        Ok(()) => stored.clone_from(announced),
        Err(error) => warn!(%error, "what was announced could not be stored"),
    }
}

fn log(notice: Notice) {
    match notice {
        Notice::KeySuspect(key) => info!(%key, "key {key} was refused as invalid; checking it with a free call"),
        Notice::KeyInvalid(key) => warn!(%key, "key {key} is invalid"),
        Notice::KeyRevoked(key) => error!(%key, "key {key} was revoked by the provider: replace it"),
        Notice::ProjectRevoked(project) => error!(%project, "project {project} was denied access by the provider"),
        Notice::KeyNeedsSetup(key) => warn!(%key, "key {key} needs set-up at the provider"),
        Notice::ProjectNeedsSetup(project) => warn!(%project, "project {project} needs set-up at the provider"),
        Notice::NoCredit(account) => warn!(%account, "billing account {account} has no credit"),
        Notice::RegionRefused => error!("the provider does not serve this server's location to free keys"),
        Notice::Exhausted { project, until, .. } => {
            info!(%project, until = %rfc3339(until), "project {project} has used up its day quota on a model");
        }
        Notice::SuspectedSiblings { first, second, .. } => {
            info!(%first, %second, "projects {first} and {second} spent a model's day together: they may be one");
        }
        Notice::ModelHidden(_) => warn!("the provider does not know a model that was asked for"),
        Notice::BreakerOpened { until, .. } => {
            warn!(until = %rfc3339(until), "a model fails for every key; calls to it pause")
        }
        Notice::ProviderRefuses { until } => {
            warn!(until = %rfc3339(until), "the provider refuses every key; calls pause")
        }
        Notice::KeyRecovered(key) => info!(%key, "key {key} is usable again"),
    }
}
