//! Port to the channels on which people are told something, and the one task that delivers.
//!
//! What is announced is stored first, then sent on every channel, each at its own pace: a channel that does not accept
//! is tried again after 5 s, 30 s, 2 min, 10 min and then every hour, and given up after a day. What is pending at the
//! end of the process goes on with the next one. A channel that accepted a notification does not get it again; only a
//! crash between its answer and our note of it can repeat one, which is why each carries an id that stays the same.
//!
//! The log is no channel that can fail: whatever is announced is a line there too, at the level of its severity.

pub mod chat;
mod delivery;
pub mod mail;
mod posting;
pub mod webhook;

use std::sync::Arc;

use app::types::ChannelTest;
use async_trait::async_trait;
use pool::Timestamp;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tracing::{error, info, warn};
use uuid::Uuid;

pub use crate::store::{Severity, StoredNotification as Notification};
pub use delivery::Inbox;

use crate::clock::Clock;
use crate::store::{Cursor, NotificationPage, Store, StoreError, Word};

/// A way to reach people.
#[async_trait]
pub trait Channel: Send + Sync + 'static {
    /// In the delivery log; one channel a name.
    fn name(&self) -> &'static str;

    /// Returns once the receiver has accepted the notification.
    ///
    /// # Errors
    /// [`SendError`]; it took at most some ten seconds to know.
    async fn send(&self, notification: &Notification, now: Timestamp) -> Result<(), SendError>;
}

/// Why a channel did not take a notification.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct SendError {
    /// Whether it may be taken later, unchanged.
    pub retryable: bool,
    /// Cause and next step in our own words: no address, no secret, nothing the receiver said.
    pub what: String,
}

/// A channel's setting that cannot be used. Its value is not told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting} {must}")]
pub struct SetupError {
    pub setting: &'static str,
    pub must: &'static str,
}

/// Something to announce; [`Notifier::announce`] gives it its id and its time.
#[derive(Debug, Clone, PartialEq)]
pub struct Announcement {
    /// Such as `service.down`.
    pub kind: Word,
    pub severity: Severity,
    pub title: String,
    pub text: String,
    /// An object.
    pub data: Value,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Notifier(Arc<Inner>);

struct Inner {
    store: Arc<dyn Store>,
    channels: Vec<Arc<dyn Channel>>,
    clock: Clock,
    incoming: mpsc::UnboundedSender<Notification>,
    /// Announced and neither stored yet nor given up.
    unstored: watch::Sender<usize>,
}

impl Notifier {
    /// The inbox belongs to [`Notifier::run`].
    pub fn new(store: Arc<dyn Store>, channels: Vec<Arc<dyn Channel>>, clock: Clock) -> (Self, Inbox) {
        // Unbounded: who announces says each change once and damps what flaps.
        let (incoming, inbox) = mpsc::unbounded_channel();
        let inner = Inner {
            store,
            channels,
            clock,
            incoming,
            unstored: watch::Sender::new(0),
        };
        (Self(Arc::new(inner)), Inbox(inbox))
    }

    /// Logs it and hands it over for storing and delivery. Never waits.
    pub fn announce(&self, announcement: Announcement) {
        let Announcement {
            kind,
            severity,
            title,
            text,
            data,
        } = announcement;
        match severity {
            Severity::Info => info!(kind = %kind, "{title}: {text}"),
            Severity::Warning => warn!(kind = %kind, "{title}: {text}"),
            Severity::Critical => error!(kind = %kind, "{title}: {text}"),
        }
        let notification = Notification {
            id: Uuid::now_v7().to_string(),
            created_at: self.0.clock.now(),
            kind,
            severity,
            title,
            text,
            data,
        };
        self.0.unstored.send_modify(|count| *count += 1);
        // The task ends with the process: the log line is then all there is.
        let _ = self.0.incoming.send(notification);
    }

    /// How many of the announced ones are not stored yet: what is told by them must not count as told before it is 0.
    pub fn unstored(&self) -> watch::Receiver<usize> {
        self.0.unstored.subscribe()
    }

    /// In the order in which they are set up; the log is none.
    pub fn channel_names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.0.channels.iter().map(|channel| channel.name())
    }

    /// What was announced in the last 30 days, newest first, with how it was delivered.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn log(&self, cursor: Option<&Cursor>, limit: u32) -> Result<NotificationPage, StoreError> {
        self.0.store.notifications(cursor, limit).await
    }

    /// Sends a test notification on every channel at once and tells what became of it. It is neither stored nor
    /// repeated: who asked is waiting for the answer.
    pub async fn test(&self) -> Vec<ChannelTest> {
        let now = self.0.clock.now();
        let notification = Notification {
            id: Uuid::now_v7().to_string(),
            created_at: now,
            kind: "notification.test".into(),
            severity: Severity::Info,
            title: "Test notification".to_owned(),
            text: "An admin asked for this message to see whether notifications arrive. Nothing has to be done."
                .to_owned(),
            data: json!({}),
        };
        info!(kind = %notification.kind, "{}: {}", notification.title, notification.text);
        let log = ChannelTest {
            channel: "log".to_owned(),
            delivered: true,
            error: None,
        };
        let sent = self.0.channels.iter().map(|channel| async {
            let result = channel.send(&notification, now).await;
            ChannelTest {
                channel: channel.name().to_owned(),
                delivered: result.is_ok(),
                error: result.err().map(|error| error.what),
            }
        });
        let mut tests = vec![log];
        tests.extend(futures::future::join_all(sent).await);
        tests
    }
}
