use serde::{Deserialize, Serialize};

use super::{CacheStats, KeyTest, PerformanceReport, ServiceStatus, SiblingProposal};

/// The seed's debug report: what is set, how the service is doing, what was used, and what the tests showed. Holds no value
/// of a secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DoctorReport {
    /// RFC 3339.
    pub generated_at: String,
    pub version: String,
    pub environment: Vec<EnvironmentEntry>,
    pub checks: Vec<Check>,
    /// Absent, like all that follows, where the pool could not be opened; the checks say why.
    pub service_status: Option<ServiceStatus>,
    pub usage_statistics: Option<UsageStatistics>,
    /// Only when the keys were tested.
    pub key_tests: Option<Vec<KeyTest>>,
    /// Only when a test request was made.
    pub performance_test: Option<PerformanceTest>,
    /// RFC 3339: when those tests ended.
    pub tested_at: Option<String>,
    pub queue: Option<QueueReport>,
    pub cache: Option<CacheStats>,
    /// Keys that may share a project's quota, for an admin to confirm.
    pub siblings: Vec<SiblingProposal>,
}

impl DoctorReport {
    /// How many checks and tests came out like this.
    pub fn count(&self, level: CheckLevel) -> usize {
        self.levels().filter(|found| *found == level).count()
    }

    /// The worst of the checks and tests; `Ok` when there are none.
    pub fn level(&self) -> CheckLevel {
        self.levels()
            .max()
            .map_or(CheckLevel::Ok, |worst| worst.max(CheckLevel::Ok))
    }

    fn levels(&self) -> impl Iterator<Item = CheckLevel> {
        let checks = self.checks.iter().map(|check| check.level);
        let keys = self.key_tests.iter().flatten().map(KeyTest::level);
        let performance = self.performance_test.iter().map(PerformanceTest::level);
        checks.chain(keys).chain(performance)
    }
}

/// One setting, without its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentEntry {
    pub name: String,
    pub state: EnvironmentState,
    /// Such as `environment` or `keypool.toml`.
    pub source: String,
    /// What it is for.
    pub meaning: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EnvironmentState {
    Set,
    Missing,
    Default,
    /// Set to what cannot be used.
    Invalid,
}

impl EnvironmentState {
    pub fn label(self) -> &'static str {
        match self {
            Self::Set => "Set",
            Self::Missing => "Missing",
            Self::Default => "Default",
            Self::Invalid => "Invalid",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// Such as `Data folder`.
    pub name: String,
    pub level: CheckLevel,
    /// What was found.
    pub message: String,
    /// What to do; absent where nothing needs to be done.
    pub remedy: Option<String>,
}

/// From harmless to harmful.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckLevel {
    /// Could not be looked at, or needs not be.
    Skipped,
    Ok,
    Warning,
    Failed,
}

impl CheckLevel {
    pub fn label(self) -> &'static str {
        match self {
            Self::Skipped => "Skipped",
            Self::Ok => "OK",
            Self::Warning => "Warning",
            Self::Failed => "Failed",
        }
    }
}

impl KeyTest {
    pub fn level(&self) -> CheckLevel {
        level_of(self.status == "success")
    }
}

/// The seed's usage statistics: of the provider's day from the stored events, of this process from its monitor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UsageStatistics {
    /// RFC 3339: the midnight in Los Angeles that the day is counted from.
    pub day_since: String,
    /// Calls to the provider by key, in the order of the numbers; keys without a call are left out.
    pub keys: Vec<KeyUsage>,
    pub performance: PerformanceReport,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyUsage {
    pub key_number: u32,
    pub requests: u64,
    pub successes: u64,
    pub failures: u64,
    pub total_tokens: u64,
}

/// One real request, as short as can be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PerformanceTest {
    pub passed: bool,
    /// From the request to the whole answer.
    pub ms: u64,
    pub model: String,
    /// The key that answered.
    pub key_number: Option<u32>,
    /// What went wrong, in our words.
    pub error: Option<String>,
}

impl PerformanceTest {
    pub fn level(&self) -> CheckLevel {
        level_of(self.passed)
    }
}

fn level_of(passed: bool) -> CheckLevel {
    if passed { CheckLevel::Ok } else { CheckLevel::Failed }
}

/// Requests that wait for a key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueReport {
    pub length: u64,
    /// A call to the provider is under way.
    pub is_processing: bool,
}

/// Body of `POST /api/admin/doctor`: which tests to run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DoctorTests {
    /// Every key, with calls that cost no quota.
    #[serde(default)]
    pub keys: bool,
    /// One real request.
    #[serde(default)]
    pub performance: bool,
    /// The provider is not called at all, not even to see whether it can be reached.
    #[serde(default)]
    pub offline: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(levels: &[CheckLevel], expected: CheckLevel) {
        let checks = levels.iter().map(|&level| Check {
            name: String::new(),
            level,
            message: String::new(),
            remedy: None,
        });
        let report = DoctorReport {
            generated_at: String::new(),
            version: String::new(),
            environment: Vec::new(),
            checks: checks.collect(),
            service_status: None,
            usage_statistics: None,
            key_tests: None,
            performance_test: None,
            tested_at: None,
            queue: None,
            cache: None,
            siblings: Vec::new(),
        };
        assert_eq!(report.level(), expected, "{levels:?}");
    }

    #[test]
    fn a_report_is_as_bad_as_its_worst_check() {
        use CheckLevel::{Failed, Ok, Skipped, Warning};
        check(&[], Ok);
        check(&[Skipped], Ok);
        check(&[Ok, Warning, Skipped], Warning);
        check(&[Failed, Ok], Failed);
    }
}
