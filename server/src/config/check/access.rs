//! Who may come in and how far they get: accounts, secrets, limits, networks.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use reqwest::Url;
use secrecy::SecretString;

use super::Checker;
use crate::accounts::TokenSigner;
use crate::config::{AnalyticsConfig, ConnectionBounds, HistorySettings, RateLimit, Registration, amounts};
use crate::keyring::MasterKey;
use crate::usage::Durability;

/// What a page shows of yesterday is listed.
const USAGE_RETENTION_MIN: Duration = Duration::from_secs(2 * 24 * 3600);

impl Checker<'_> {
    pub(super) fn jwt_secret(&mut self, name: &str) -> Option<SecretString> {
        let value = SecretString::from(self.given(name)?);
        if let Err(weak) = TokenSigner::new(&value) {
            let text = weak.to_string();
            self.mistake(name, text.strip_prefix("JWT_SECRET ").unwrap_or(&text));
        }
        Some(value)
    }

    pub(super) fn master_key(&mut self, name: &str) -> Option<SecretString> {
        let value = SecretString::from(self.given(name)?);
        if let Err(error) = MasterKey::parse(&value) {
            self.mistake(name, error);
        }
        Some(value)
    }

    /// The one before the present one, so there must be a present one that differs.
    pub(super) fn previous_master_key(&mut self) -> Option<SecretString> {
        let name = "KEYPOOL_MASTER_KEY_PREVIOUS";
        let previous = self.master_key(name)?;
        match (self.given("KEYPOOL_MASTER_KEY"), self.given(name)) {
            (None, _) => self.mistake(name, "is set without KEYPOOL_MASTER_KEY: set that to the new key"),
            (current, before) if current == before => {
                self.mistake(name, "is the same as KEYPOOL_MASTER_KEY: remove it");
            }
            _ => {}
        }
        Some(previous)
    }

    pub(super) fn registration(&mut self) -> Registration {
        let choices = [
            ("open", Registration::Open),
            ("invite", Registration::Invited),
            ("closed", Registration::Closed),
        ];
        self.choice("KEYPOOL_REGISTRATION", &choices)
    }

    pub(super) fn analytics(&mut self) -> AnalyticsConfig {
        let durability = [("group", Durability::Group), ("strict", Durability::Strict)];
        let retention = self.duration("ANALYTICS_RETENTION");
        let given = amounts::duration(&self.text("ANALYTICS_RETENTION"));
        if given.is_some_and(|given| given < USAGE_RETENTION_MIN) {
            self.mistake("ANALYTICS_RETENTION", "must be at least 2d");
        }
        AnalyticsConfig {
            recording: self.choice("ENABLE_ANALYTICS", &[("true", true), ("false", false)]),
            durability: self.choice("ANALYTICS_DURABILITY", &durability),
            retention,
        }
    }

    pub(super) fn history(&mut self) -> HistorySettings {
        HistorySettings {
            keep: self.choice("KEYPOOL_HISTORY", &[("on", true), ("off", false)]),
            retention: Some(self.duration("HISTORY_RETENTION")).filter(|retention| !retention.is_zero()),
        }
    }

    pub(super) fn rate_limit(&mut self) -> RateLimit {
        let (requests, window_ms) = (self.whole("RATE_LIMIT_REQUESTS"), self.whole("RATE_LIMIT_WINDOW"));
        if requests > 0 && window_ms == 0 {
            self.mistake(
                "RATE_LIMIT_WINDOW",
                "must be at least 1; RATE_LIMIT_REQUESTS=0 switches the limit off",
            );
        }
        RateLimit {
            requests,
            window: Duration::from_millis(window_ms),
        }
    }

    pub(super) fn connections(&mut self) -> ConnectionBounds {
        let bound = |whole: u64| usize::try_from(whole).unwrap_or(usize::MAX);
        ConnectionBounds {
            max: bound(self.whole("CONNECTIONS_MAX")),
            per_address: bound(self.whole("CONNECTIONS_PER_ADDRESS_MAX")),
        }
    }

    /// An address alone is a network of one.
    pub(super) fn networks(&mut self, name: &str) -> Vec<IpNet> {
        networks_of(&self.list(name)).unwrap_or_else(|| {
            self.mistake(
                name,
                "must be networks such as 10.0.0.0/8 or addresses, separated by commas",
            );
            Vec::new()
        })
    }

    pub(super) fn cors_origins(&mut self) -> Vec<String> {
        let origins = self.list("CORS_ALLOWED_ORIGINS");
        if !origins.iter().all(|origin| is_origin(origin)) {
            self.mistake(
                "CORS_ALLOWED_ORIGINS",
                "must be origins as browsers send them, such as https://app.example.org, separated by commas; `*` is not taken",
            );
        }
        origins
    }
}

/// `None` when one of them is neither a network nor an address.
pub(super) fn networks_of(list: &[String]) -> Option<Vec<IpNet>> {
    let read = |text: &String| {
        let network = text.parse::<IpNet>().map(|network| network.trunc());
        network.or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).ok()
    };
    list.iter().map(read).collect()
}

/// Scheme, host and a port that is not the scheme's own: what a browser writes into `Origin`.
fn is_origin(text: &str) -> bool {
    let url = Url::parse(text).ok();
    url.is_some_and(|url| {
        matches!(url.scheme(), "http" | "https") && url.has_host() && url.origin().ascii_serialization() == text
    })
}
