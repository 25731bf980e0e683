use serde::{Deserialize, Serialize};

/// One setting as it is in effect. Secrets are none of these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EffectiveSetting {
    pub name: String,
    /// Absent when it is not set and has no default.
    pub value: Option<String>,
    pub source: SettingSource,
    /// Whether `PATCH /api/admin/settings` takes it.
    pub changeable: bool,
    pub meaning: String,
}

/// Where a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SettingSource {
    Default,
    /// `keypool.toml`.
    File,
    Environment,
    Flag,
    /// Set while the server ran; wins over all others, also after a restart.
    Console,
}
