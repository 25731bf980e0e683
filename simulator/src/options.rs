//! How a simulator is set up.

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

/// Settings of a [`crate::Simulator`].
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub addr: SocketAddr,
    /// How fast simulated answers are written. Fixtures and hand-made replies never wait.
    pub pace: Pace,
    /// Answer `API_KEY_INVALID` to keys that were neither listed here, nor added, assigned or scripted by name.
    pub known_keys_only: bool,
    /// Keys known from the start.
    pub known_keys: Vec<String>,
    /// The zone whose midnight resets requests per day.
    pub quota_zone: String,
    /// Model names that `GET models` lists. Generating calls accept any model.
    pub models: Vec<String>,
    /// `(project, model, limits)` from the start, see [`crate::Simulator::limit`].
    pub limits: Vec<(String, String, Limits)>,
    /// `(key, project)` from the start, see [`crate::Simulator::assign`].
    pub projects: Vec<(String, String)>,
    /// How many calls [`crate::Simulator::calls`] remembers, the newest ones.
    pub calls_kept_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            pace: Pace::Instant,
            known_keys_only: false,
            known_keys: Vec::new(),
            quota_zone: "America/Los_Angeles".to_owned(),
            models: ["gemini-2.5-flash", "gemini-2.5-flash-lite", "gemini-2.5-pro"]
                .map(str::to_owned)
                .to_vec(),
            limits: Vec::new(),
            projects: Vec::new(),
            calls_kept_max: 10_000,
        }
    }
}

/// How fast simulated answers are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Without waiting, for tests.
    Instant,
    /// At the speed of a real model, for people. The waits vary within the ranges but are the same for the same input.
    Human {
        /// Before the first chunk.
        first_ms: RangeInclusive<u64>,
        /// Between chunks of about three words.
        chunk_ms: RangeInclusive<u64>,
    },
}

impl Pace {
    /// 300–700 ms to the first chunk, 25–40 ms between chunks.
    pub fn human() -> Self {
        Self::Human {
            first_ms: 300..=700,
            chunk_ms: 25..=40,
        }
    }
}

/// Quotas of one project for one model; `None` is unlimited, `Some(0)` is a model that the project may not use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Requests in any 60 seconds.
    #[serde(default)]
    pub rpm: Option<u64>,
    /// Input tokens in any 60 seconds.
    #[serde(default)]
    pub tpm: Option<u64>,
    /// Requests between two midnights of [`Options::quota_zone`].
    #[serde(default)]
    pub rpd: Option<u64>,
}
