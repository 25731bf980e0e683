//! Whoever is told what happens, and by what.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::alerts::{self, Alerts};
use crate::announcer::{self, Announcer};
use crate::clock::Clock;
use crate::config::Config;
use crate::keys::Keys;
use crate::notify::chat::Chat;
use crate::notify::mail::Mail;
use crate::notify::webhook::Webhook;
use crate::notify::{self, Channel, Notifier, SetupError};
use crate::schedule;
use crate::status::StatusReader;
use crate::store::Store;

/// Notifications before their tasks run.
pub(super) struct Telling {
    pub(super) notifier: Notifier,
    pub(super) announcer: Announcer,
    store: Arc<dyn Store>,
    clock: Clock,
    notifications: notify::Inbox,
    changes: announcer::Inbox,
}

impl Telling {
    /// The channels that are set up; the log is always one.
    pub(super) fn new(config: &Config, store: Arc<dyn Store>, clock: Clock) -> Result<Self, SetupError> {
        let mut channels: Vec<Arc<dyn Channel>> = Vec::new();
        if let Some(webhook) = &config.webhook {
            channels.push(Arc::new(Webhook::new(
                &webhook.url,
                &webhook.secret,
                &config.endpoint_networks,
            )?));
        }
        if let Some(mail) = &config.mail {
            channels.push(Arc::new(Mail::new(&mail.smtp_url, &mail.from, &mail.to)?));
        }
        if let Some(chat) = &config.chat {
            channels.push(Arc::new(Chat::new(&chat.url, chat.format, &config.endpoint_networks)?));
        }
        let (notifier, notifications) = Notifier::new(Arc::clone(&store), channels, clock.clone());
        let (announcer, changes) = Announcer::new();
        Ok(Self {
            notifier,
            announcer,
            store,
            clock,
            notifications,
            changes,
        })
    }

    /// Starts what looks, announces and delivers. Delivery goes on until the last answers are out.
    pub(super) fn start(
        self,
        tasks: &TaskTracker,
        (status, alerts): (StatusReader, Alerts),
        keys: &Arc<Keys>,
        stop: &CancellationToken,
        finish: &CancellationToken,
    ) {
        tasks.spawn(self.notifier.clone().run(self.notifications, finish.clone()));
        let scheduled = schedule::Deps {
            keys: Arc::clone(keys),
            status: status.clone(),
            store: Arc::clone(&self.store),
            announcer: self.announcer,
            clock: self.clock,
        };
        tasks.spawn(schedule::run(scheduled, stop.clone()));
        let announcing = announcer::Deps {
            status,
            keyring: Arc::clone(&keys.keyring),
            notifier: self.notifier,
            store: self.store,
        };
        tasks.spawn(alerts::run(alerts, stop.clone()));
        tasks.spawn(announcer::run(announcing, self.changes, stop.clone()));
    }
}
