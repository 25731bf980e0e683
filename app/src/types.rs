//! Every value that crosses the wire. Only serde, no `cfg`: the same shapes on both sides.
//!
//! JSON is camelCase. Instants are RFC 3339 strings in UTC, except the seed's `quotaResetTime`, which stays
//! milliseconds since the Unix epoch. What a page counts down is a duration, so a wrong clock in the browser does no harm.

mod account;
mod alerts;
mod analysis;
mod analytics;
mod audit;
mod doctor;
mod keys;
mod notifications;
mod performance;
mod service;
mod settings;
mod token;
mod vault;

pub use account::{
    Account, ActiveSession, Credentials, Invitation, NewAccount, NewInvitation, NewLink, PasswordChange, RecoveryCodes,
    Registration, Role, SessionKind, SetUp, SignedIn, TwoFactor, TwoFactorSecret, User, UserPatch,
};
pub use alerts::{
    AlertChannel, AlertRule, AlertRulePatch, AlertSeverity, AlertThreshold, Alerts, Incident, IncidentPage,
    IncidentState, PreviewBasis, PreviewedIncident, RulePreview, Silence,
};
pub use analysis::{
    Analysis, AnalysisPage, AnalysisResult, AnalysisState, AnalysisSummary, AnalyzeRequest, Attempt, IMAGE_TYPES,
    IMAGES_BYTES_MAX, IMAGES_MAX, Image, Kind, PROMPT_CHARS_MAX, Phase, Progress, StreamEvent, TokenUsage,
    is_model_name,
};
pub use analytics::{
    ApiUsage, AttemptRow, Bucket, CellForecast, Coverage, ErrorCount, ErrorReport, ErrorRow, Forecast, HourOfKey,
    HourlyPattern, HourlyRow, KeyCount, KeyStat, Measures, Overview, RealTimeMetrics, RealTimeStatistics,
    RequestDetail, RequestPage, RequestQuery, RequestRow, SeedAlert, Series, SeriesBy, Step, TimeRange, Timeseries,
    UsageQuery, UsageStat, UsageSummary,
};
pub use audit::{AuditEntry, AuditFault, AuditPage, AuditVerdict};
pub use doctor::{
    Check, CheckLevel, DoctorReport, DoctorTests, EnvironmentEntry, EnvironmentState, KeyUsage, PerformanceTest,
    QueueReport, UsageStatistics,
};
pub use keys::{
    AddedKey, IMPORT_LINES_MAX, ImportReport, ImportResult, ImportedLine, KeyImport, KeyOrigin, KeyPatch, KeyTest,
    KeyTier, NewKey, PoolKey, SiblingKey, SiblingProposal,
};
pub use notifications::{ChannelTest, Delivery, Notification, NotificationPage};
pub use performance::{CacheStats, KeyPerformance, KeyPerformanceDetails, PerformanceReport};
pub use service::{
    CellState, CellStatus, Component, KeyState, KeyStatus, Level, Obstacle, ObstacleKind, PublicStatus, ServiceStatus,
};
pub use settings::{EffectiveSetting, SettingSource};
pub use token::{ApiToken, CreatedToken, NewToken, TokenScope};
pub use vault::{MasterKeyStanding, RewrapReport, RewrapRequest};
