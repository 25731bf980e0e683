//! Every setting: its default, its meaning, where its value came from. The only reader of the environment.
//!
//! Order: defaults < `keypool.toml` < environment < flags. All mistakes are found at once and none of them prints a value.

mod check;
mod later;
mod layers;
mod log_filter;
mod names;
mod settings;

use std::net::IpAddr;
use std::path::PathBuf;

use secrecy::SecretString;

pub use check::{Mistake, Mistakes, check};
pub use layers::{Layers, Source};
pub use settings::{SETTINGS, Setting};

/// Settings that passed every check.
#[derive(Clone, Debug)]
pub struct Config {
    pub host: IpAddr,
    pub port: u16,
    pub data_dir: PathBuf,
    /// The built browser half: `manifest.json`, `pkg-…/`, icons.
    pub site_dir: PathBuf,
    pub jwt_secret: Option<SecretString>,
    pub master_key: Option<SecretString>,
    /// `GOOGLE_AI_API_KEY_n` with its n, in the order of n.
    pub environment_keys: Vec<(u32, SecretString)>,
    /// Without a slash at its end.
    pub gemini_base_url: String,
    pub text_model: String,
    pub vision_model: String,
    pub first_admin: Option<FirstAdmin>,
    pub registration_open: bool,
    pub strategy: pool::Strategy,
    /// Directives for `tracing_subscriber`'s `EnvFilter`, which takes them without an error.
    pub log_filter: String,
    pub log_format: LogFormat,
    pub analytics: bool,
    pub production: bool,
    /// Settings that are known but not used by this version; said at start.
    pub unused: Vec<&'static str>,
}

#[derive(Clone, Debug)]
pub struct FirstAdmin {
    pub email: String,
    pub password: SecretString,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Pretty,
    Json,
}
