use serde::{Deserialize, Serialize};

/// How the service as a whole is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Every key can serve.
    Operational,
    /// Some keys cannot; requests are served.
    Degraded,
    /// One capability (text or image) cannot be served.
    PartialOutage,
    /// Nothing can be served.
    MajorOutage,
}

/// The seed's status and what it became: `GET /api/ai-analysis/service-status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceStatus {
    pub total_keys: u32,
    /// 0-based place in `available_keys` of the key that answered last or is current; -1 without keys.
    pub current_key_index: i64,
    /// *All* keys, in the order of their numbers (the seed's name for the list).
    pub available_keys: Vec<KeyStatus>,
    pub level: Level,
    pub healthy_keys: u32,
    /// One sentence: cause, effect, next step.
    pub message: String,
    /// When the next spent quota comes back.
    pub next_reset: Option<String>,
    pub next_reset_in_ms: Option<u64>,
    /// What people can use, and how each is doing.
    pub components: Vec<Component>,
    /// What keeps calls back whatever the key; mostly nothing.
    #[serde(default)]
    pub obstacles: Vec<Obstacle>,
    /// Every answer comes from the provider simulator.
    pub simulated: bool,
    /// When this was read.
    pub checked_at: String,
}

/// Something people use, such as "Text analysis".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Component {
    pub name: String,
    pub level: Level,
}

/// Something that keeps calls back whatever the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Obstacle {
    pub kind: ObstacleKind,
    /// The model it is about; absent when it is about all. Only models that this server is set up for are ever named.
    pub model: Option<String>,
    /// Until one call tries again; 0 when the next one does; absent when nobody can say.
    pub retry_in_ms: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObstacleKind {
    /// The provider refuses everybody for the moment.
    ProviderDown,
    /// Too many calls of one model failed.
    ModelDown,
    /// The provider says that there is no such model.
    ModelGone,
    /// The provider does not serve this server's location to keys without billing.
    RegionRefused,
}

/// What anyone may know: no key numbers, no masks. `GET /api/status.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PublicStatus {
    pub level: Level,
    pub message: String,
    pub healthy_keys: u32,
    pub total_keys: u32,
    pub next_reset: Option<String>,
    pub next_reset_in_ms: Option<u64>,
    pub components: Vec<Component>,
    #[serde(default)]
    pub obstacles: Vec<Obstacle>,
    pub simulated: bool,
    pub checked_at: String,
}

impl From<&ServiceStatus> for PublicStatus {
    fn from(status: &ServiceStatus) -> Self {
        Self {
            level: status.level,
            message: status.message.clone(),
            healthy_keys: status.healthy_keys,
            total_keys: status.total_keys,
            next_reset: status.next_reset.clone(),
            next_reset_in_ms: status.next_reset_in_ms,
            components: status.components.clone(),
            obstacles: status.obstacles.clone(),
            simulated: status.simulated,
            checked_at: status.checked_at.clone(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyStatus {
    /// 1-based, never reused.
    pub key_number: u32,
    pub state: KeyState,
    /// Out of a day quota on at least one model.
    pub quota_exceeded: bool,
    /// Milliseconds since the Unix epoch, as the seed has it.
    pub quota_reset_time: Option<u64>,
    /// Until the state ends by itself.
    pub ready_in_ms: Option<u64>,
    pub request_count: u64,
    pub success_count: u64,
    pub error_count: u64,
    pub last_used: Option<String>,
    /// One entry a model that was asked for.
    pub cells: Vec<CellStatus>,
}

/// A key's state in one word; `label` is what people read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    Available,
    InUse,
    CoolingDown,
    QuotaReached,
    /// Reported invalid once; being checked.
    Checking,
    Invalid,
    /// Withdrawn by the provider for good: leaked or suspended.
    Revoked,
    NeedsSetup,
    NoCredit,
    Disabled,
}

impl KeyState {
    pub fn label(self) -> &'static str {
        match self {
            Self::Available => "Available",
            Self::InUse => "In use",
            Self::CoolingDown => "Cooling down",
            Self::QuotaReached => "Quota reached",
            Self::Checking => "Being checked",
            Self::Invalid => "Invalid",
            Self::Revoked => "Revoked",
            Self::NeedsSetup => "Needs set-up",
            Self::NoCredit => "No credit",
            Self::Disabled => "Disabled",
        }
    }

    pub fn serves(self) -> bool {
        matches!(self, Self::Available | Self::InUse)
    }
}

/// What one key's project has left on one model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CellStatus {
    pub model: String,
    pub state: CellState,
    pub ready_in_ms: Option<u64>,
    /// Requests of the last 60 seconds, those under way included.
    #[serde(default)]
    pub used_minute: u64,
    /// As configured or as the provider told it; unknown until then.
    #[serde(default)]
    pub limit_per_minute: Option<u64>,
    /// Requests since the provider's midnight.
    pub used_today: u64,
    /// As configured or as the provider told it; unknown until then.
    pub limit_per_day: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CellState {
    Available,
    /// The rest is over; the next call tries whether it holds.
    Trial,
    /// For a moment: that call is under way, or the key or its project is used as fast, or as often at once, as it may be.
    Busy,
    CoolingDown,
    QuotaReached,
    /// The model is not on this project's tier.
    NotEntitled,
}
