//! Every setting: its default, its meaning, where its value came from. The only reader of the environment.
//!
//! Order: defaults < `keypool.toml` < environment < flags. All mistakes are found at once and none of them prints a value.

mod amounts;
mod check;
mod effective;
mod later;
mod layers;
mod log_filter;
mod names;
mod settings;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;

use crate::store::MongoAddress;
use crate::usage::Durability;

pub use amounts::{LimitsFault, limits as parse_limits};
pub use check::{Mistake, Mistakes, check};
pub use effective::{Effective, effective, plain_value};
pub use layers::{Layers, Source};
pub use settings::{SETTINGS, Setting};

/// Settings that passed every check.
#[derive(Clone, Debug)]
pub struct Config {
    pub host: IpAddr,
    pub port: u16,
    pub data_dir: PathBuf,
    /// Where the data is instead of in a file in `data_dir`.
    pub mongo: Option<MongoAddress>,
    /// The built browser half: `manifest.json`, `pkg-…/`, icons.
    pub site_dir: PathBuf,
    pub jwt_secret: Option<SecretString>,
    /// Verifies tokens, signs none.
    pub jwt_secret_previous: Option<SecretString>,
    pub master_key: Option<SecretString>,
    /// Opens values, seals none.
    pub master_key_previous: Option<SecretString>,
    /// `GOOGLE_AI_API_KEY_n` with its n, in the order of n.
    pub environment_keys: Vec<(u32, SecretString)>,
    /// Without a slash at its end.
    pub gemini_base_url: String,
    pub text_model: String,
    pub vision_model: String,
    pub first_admin: Option<FirstAdmin>,
    pub registration: Registration,
    pub history: HistorySettings,
    /// Of each caller.
    pub rate_limit: RateLimit,
    pub connections: ConnectionBounds,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Exact origins, such as `https://app.example.org`.
    pub cors_origins: Vec<String>,
    /// Networks that webhooks may reach although they are not public.
    pub endpoint_networks: Vec<IpNet>,
    pub strategy: pool::Strategy,
    /// What is known of the provider's limits, in the order written.
    pub limits: Vec<ModelLimits>,
    /// Towards the provider, per key; absent: as fast as asked.
    pub pace: Option<pool::Pace>,
    pub queue: QueueBounds,
    pub cache: CacheBounds,
    /// Asked in this order when the wanted model cannot answer.
    pub fallback_models: Vec<String>,
    pub webhook: Option<WebhookSettings>,
    pub mail: Option<MailSettings>,
    pub chat: Option<ChatSettings>,
    /// Directives for `tracing_subscriber`'s `EnvFilter`, which takes them without an error.
    pub log_filter: String,
    pub log_format: LogFormat,
    pub analytics: AnalyticsConfig,
    pub production: bool,
    /// Settings that are known but not used by this version; said at start.
    pub unused: Vec<&'static str>,
    /// Every setting with its source, for people; what the server does comes from the fields above.
    pub effective: Vec<Effective>,
}

#[derive(Clone, Debug)]
pub struct FirstAdmin {
    pub email: String,
    pub password: SecretString,
}

/// Who may make an account of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// Anyone.
    Open,
    /// Who has an admin's invitation.
    Invited,
    /// Nobody: admins make accounts.
    Closed,
}

/// Whether and how usage events are recorded, and how long each is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnalyticsConfig {
    pub recording: bool,
    pub durability: Durability,
    pub retention: Duration,
}

/// Whether analyses are kept, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistorySettings {
    pub keep: bool,
    /// Absent: until their owner deletes them.
    pub retention: Option<Duration>,
}

/// So many requests at once, and as many more over a window of this length, evenly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// 0: no limit.
    pub requests: u64,
    pub window: Duration,
}

/// How many connections may be open at once; 0 is no bound of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionBounds {
    pub max: usize,
    pub per_address: usize,
}

/// The provider's limits for keys of one tier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelLimits {
    /// Absent: any model that is not named.
    pub model: Option<String>,
    pub tier: pool::Tier,
    pub limits: pool::Limits,
}

/// How many requests wait for a key, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueBounds {
    pub waiting_max: usize,
    pub wait_max: Duration,
}

/// Size and life of the response cache; either zero switches it off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheBounds {
    pub entries_max: u64,
    pub ttl: Duration,
}

/// Where notifications are posted. The address is a secret too: most services put a token into it.
#[derive(Clone, Debug)]
pub struct WebhookSettings {
    pub url: SecretString,
    /// `whsec_` and base64, as Standard Webhooks has it.
    pub secret: SecretString,
}

/// Who gets notifications by e-mail, and how they are sent.
#[derive(Clone, Debug)]
pub struct MailSettings {
    /// `smtp://` or `smtps://`, with a password perhaps.
    pub smtp_url: SecretString,
    pub from: String,
    pub to: Vec<String>,
}

/// Where notifications become messages of a chat. The address is a secret: it has the right to write there in it.
#[derive(Clone, Debug)]
pub struct ChatSettings {
    pub url: SecretString,
    /// By the address when absent.
    pub format: Option<ChatFormat>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChatFormat {
    Slack,
    Discord,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Pretty,
    Json,
}
