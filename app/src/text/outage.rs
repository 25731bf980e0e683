//! One sentence on how the service is doing: cause, effect, next step. The countdown to a reset is added where it is known.

use super::remaining;
use crate::types::{KeyState, KeyStatus, Level, Obstacle, ObstacleKind};

/// What the whole service can do, from its keys and from what keeps calls back whatever the key. `replaced`: the models in
/// whose place others answer.
pub fn message(level: Level, keys: &[KeyStatus], obstacles: &[Obstacle], replaced: &[&str]) -> String {
    if keys.is_empty() {
        return "No provider key is configured yet.".to_owned();
    }
    if level == Level::Degraded && !replaced.is_empty() {
        let models = replaced.join(" and ");
        return format!("{models} cannot answer right now; another model answers.");
    }
    let out = keys.iter().filter(|key| Reason::of(key).is_some()).count();
    // Where no key could serve anyway, the keys are what is to be mended. Where some could, what holds them back is.
    let beyond = match level {
        Level::Operational => None,
        _ if out == keys.len() => None,
        Level::Degraded => obstacles
            .iter()
            .find(|obstacle| holds_back(obstacle))
            .or_else(|| obstacles.first().filter(|_| out == 0)),
        Level::PartialOutage | Level::MajorOutage => obstacles.first(),
    };
    // Short of an outage, what cannot be served at once is served in a moment.
    let waits = out == keys.len() || beyond.is_some_and(holds_back);
    let cause = || beyond.map_or_else(|| keys_out(keys), obstacle);
    match level {
        Level::Operational => "All keys are available.".to_owned(),
        Level::Degraded if waits => format!("{} Requests wait in line for a moment.", cause()),
        Level::Degraded => format!("{} Requests still work.", cause()),
        Level::PartialOutage => format!("{} Part of the service is not available.", cause()),
        Level::MajorOutage if all_are(keys, Reason::Spent) && keys.len() > 1 => {
            let total = keys.len();
            format!("All {total} keys have reached their quota. Analyses are not possible right now.")
        }
        Level::MajorOutage => format!("{} Analyses are not possible.", cause()),
    }
}

/// No call is made for the moment.
fn holds_back(obstacle: &Obstacle) -> bool {
    let is_breaker = matches!(obstacle.kind, ObstacleKind::ProviderDown | ObstacleKind::ModelDown);
    is_breaker && obstacle.retry_in_ms.is_some_and(|ms| ms > 0)
}

/// One thing that keeps calls back, as a sentence.
pub fn obstacle(obstacle: &Obstacle) -> String {
    let model = obstacle.model.as_deref().unwrap_or("The model");
    match obstacle.kind {
        ObstacleKind::ProviderDown => "The AI provider is not answering right now.".to_owned(),
        ObstacleKind::ModelDown => format!("{model} is failing at the AI provider right now."),
        ObstacleKind::ModelGone => format!("The AI provider says that it has no model {model}."),
        ObstacleKind::RegionRefused => {
            "The AI provider does not serve this server's location to keys without billing.".to_owned()
        }
    }
}

/// When or how it ends. `left_ms`: until one call tries again, where that is known.
pub fn what_next(kind: ObstacleKind, left_ms: Option<u64>) -> String {
    match (kind, left_ms) {
        (ObstacleKind::RegionRefused, _) => {
            "Keys of a project with billing are still asked. An administrator can add one.".to_owned()
        }
        (ObstacleKind::ModelGone, Some(left_ms)) if left_ms > 0 => {
            format!(
                "It is asked again in {}. An administrator can set another model.",
                remaining(left_ms)
            )
        }
        (_, Some(left_ms)) if left_ms > 0 => format!("One call tries again in {}.", remaining(left_ms)),
        (_, Some(_)) => "The next call tries again.".to_owned(),
        (_, None) => "One call is trying right now.".to_owned(),
    }
}

/// Why a key cannot serve, as far as people have to tell the cases apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    Spent,
    Resting,
    Checking,
    Invalid,
    Revoked,
    NeedsSetup,
    NoCredit,
    Disabled,
}

impl Reason {
    const ALL: [Self; 8] = [
        Self::Spent,
        Self::Invalid,
        Self::Revoked,
        Self::NeedsSetup,
        Self::NoCredit,
        Self::Resting,
        Self::Checking,
        Self::Disabled,
    ];

    fn of(key: &KeyStatus) -> Option<Self> {
        Some(match key.state {
            KeyState::Available | KeyState::InUse if key.quota_exceeded => Self::Spent,
            KeyState::Available | KeyState::InUse => return None,
            KeyState::QuotaReached => Self::Spent,
            KeyState::CoolingDown => Self::Resting,
            KeyState::Checking => Self::Checking,
            KeyState::Invalid => Self::Invalid,
            KeyState::Revoked => Self::Revoked,
            KeyState::NeedsSetup => Self::NeedsSetup,
            KeyState::NoCredit => Self::NoCredit,
            KeyState::Disabled => Self::Disabled,
        })
    }

    /// For one key and for several.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Spent => ("has reached its quota", "have reached their quota"),
            Self::Resting => ("is resting", "are resting"),
            Self::Checking => ("is being checked", "are being checked"),
            Self::Invalid => ("is invalid and must be replaced", "are invalid and must be replaced"),
            Self::Revoked => ("was withdrawn by the provider", "were withdrawn by the provider"),
            Self::NeedsSetup => ("needs set-up at the provider", "need set-up at the provider"),
            Self::NoCredit => ("has no credit", "have no credit"),
            Self::Disabled => ("is switched off", "are switched off"),
        }
    }

    fn said_of(self, count: usize) -> &'static str {
        let (one, several) = self.words();
        if count == 1 { one } else { several }
    }
}

fn all_are(keys: &[KeyStatus], reason: Reason) -> bool {
    keys.iter().all(|key| Reason::of(key) == Some(reason))
}

/// Such as "2 of 3 keys cannot serve: 1 has reached its quota, 1 is invalid and must be replaced."
fn keys_out(keys: &[KeyStatus]) -> String {
    let total = keys.len();
    let count = |reason: Reason| keys.iter().filter(|key| Reason::of(key) == Some(reason)).count();
    let groups: Vec<(Reason, usize)> = Reason::ALL
        .into_iter()
        .map(|reason| (reason, count(reason)))
        .filter(|(_, count)| *count > 0)
        .collect();
    match groups.as_slice() {
        [] => "No key can be used just now.".to_owned(),
        [(reason, 1)] if total == 1 => format!("The only key {}.", reason.said_of(1)),
        [(reason, count)] if *count == total => format!("All {total} keys {}.", reason.said_of(*count)),
        [(reason, count)] => format!("{count} of {total} keys {}.", reason.said_of(*count)),
        groups => {
            let out: usize = groups.iter().map(|(_, count)| count).sum();
            let parts: Vec<String> = groups
                .iter()
                .map(|(reason, count)| format!("{count} {}", reason.said_of(*count)))
                .collect();
            format!("{out} of {total} keys cannot serve: {}.", parts.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::message;
    use crate::types::{KeyState, KeyStatus, Level, Obstacle, ObstacleKind};

    fn keys(states: &[KeyState]) -> Vec<KeyStatus> {
        states
            .iter()
            .zip(1..)
            .map(|(state, key_number)| KeyStatus {
                key_number,
                state: *state,
                quota_exceeded: *state == KeyState::QuotaReached,
                quota_reset_time: None,
                ready_in_ms: None,
                request_count: 0,
                success_count: 0,
                error_count: 0,
                last_used: None,
                cells: Vec::new(),
            })
            .collect()
    }

    #[track_caller]
    fn check(level: Level, states: &[KeyState], said: &str) {
        assert_eq!(message(level, &keys(states), &[], &[]), said);
    }

    #[test]
    fn an_invalid_key_is_not_called_a_spent_one() {
        use KeyState::{Available, Invalid, QuotaReached};
        check(
            Level::Degraded,
            &[QuotaReached, Available, Available],
            "1 of 3 keys has reached its quota. Requests still work.",
        );
        check(
            Level::Degraded,
            &[Invalid, Available, Available],
            "1 of 3 keys is invalid and must be replaced. Requests still work.",
        );
        check(
            Level::Degraded,
            &[QuotaReached, Invalid, Available],
            "2 of 3 keys cannot serve: 1 has reached its quota, 1 is invalid and must be replaced. Requests still work.",
        );
    }

    #[test]
    fn an_outage_says_what_is_out() {
        use KeyState::{Available, CoolingDown, Invalid, QuotaReached};
        check(
            Level::MajorOutage,
            &[QuotaReached; 3],
            "All 3 keys have reached their quota. Analyses are not possible right now.",
        );
        check(
            Level::MajorOutage,
            &[QuotaReached],
            "The only key has reached its quota. Analyses are not possible.",
        );
        check(
            Level::MajorOutage,
            &[Invalid, Invalid, CoolingDown],
            "3 of 3 keys cannot serve: 2 are invalid and must be replaced, 1 is resting. \
             Analyses are not possible.",
        );
        check(
            Level::Degraded,
            &[KeyState::Revoked, Available],
            "1 of 2 keys was withdrawn by the provider. Requests still work.",
        );
        check(Level::Operational, &[Available; 2], "All keys are available.");
        check(Level::MajorOutage, &[], "No provider key is configured yet.");
    }

    #[test]
    fn a_short_rest_of_all_keys_is_a_wait() {
        assert_eq!(
            message(Level::Degraded, &keys(&[KeyState::CoolingDown; 2]), &[], &[]),
            "All 2 keys are resting. Requests wait in line for a moment."
        );
    }

    #[test]
    fn nobody_waits_where_another_model_answers() {
        let spent = keys(&[KeyState::QuotaReached; 2]);
        assert_eq!(
            message(Level::Degraded, &spent, &[], &["gemini-2.5-flash"]),
            "gemini-2.5-flash cannot answer right now; another model answers."
        );
        assert_eq!(
            message(Level::PartialOutage, &spent, &[], &["gemini-2.5-flash"]),
            "All 2 keys have reached their quota. Part of the service is not available."
        );
    }

    #[test]
    fn what_holds_good_keys_back_is_named_first() {
        use KeyState::{Available, QuotaReached};
        let check = |level, kind, model: Option<&str>, states: &[KeyState], said: &str| {
            let obstacle = Obstacle {
                kind,
                model: model.map(ToOwned::to_owned),
                retry_in_ms: Some(5_000),
            };
            assert_eq!(message(level, &keys(states), &[obstacle], &[]), said);
        };
        let some = &[QuotaReached, Available];
        check(
            Level::MajorOutage,
            ObstacleKind::ProviderDown,
            None,
            some,
            "The AI provider is not answering right now. Analyses are not possible.",
        );
        check(
            Level::Degraded,
            ObstacleKind::ModelDown,
            Some("gemini-2.5-flash"),
            &[Available; 2],
            "gemini-2.5-flash is failing at the AI provider right now. Requests wait in line for a moment.",
        );
        check(
            Level::Degraded,
            ObstacleKind::RegionRefused,
            None,
            some,
            "1 of 2 keys has reached its quota. Requests still work.",
        );
        check(
            Level::MajorOutage,
            ObstacleKind::RegionRefused,
            None,
            &[QuotaReached; 2],
            "All 2 keys have reached their quota. Analyses are not possible right now.",
        );
    }
}
