//! The preview of a rule over a recorded time opens exactly what the rule opened over that time.

use std::collections::BTreeMap;
use std::time::Duration;

use pool::Timestamp;
use server::alerts::{Change, Evaluator, Facts, Rule, RuleId, measured, preview_of_usage};
use server::store::sqlite::SqliteStore;
use server::store::{EventKey, EventKind, Store, StoredIncident, UsageEvent};

use crate::support::START;

const SECOND: Duration = Duration::from_secs(1);

/// A small generator of our own: the same seed is the same history.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// What the service is like for a while.
#[derive(Clone, Copy)]
struct Weather {
    per_minute: u64,
    fails_of_10: u64,
    ms: u64,
}

impl Weather {
    fn next(dice: &mut Dice) -> Self {
        Self {
            per_minute: [0, 1, 4, 12][dice.below(4) as usize],
            fails_of_10: [0, 0, 1, 4, 9][dice.below(5) as usize],
            ms: [80, 300, 900, 2_500][dice.below(4) as usize],
        }
    }
}

fn event(id: u64, at: Timestamp, kind: EventKind, key: u64, error: Option<&'static str>, ms: u64) -> UsageEvent {
    UsageEvent {
        id: format!("{id:08}"),
        kind,
        at,
        request_id: format!("r{id}"),
        key: (kind == EventKind::Attempt).then_some(EventKey {
            id: key,
            number: key as u32,
            project: None,
        }),
        attempts: 1,
        model: "gemini-2.5-flash".to_owned(),
        operation: "generateContentText".into(),
        surface: "api".into(),
        success: error.is_none(),
        outcome: error.unwrap_or("success").into(),
        error_type: error.map(Into::into),
        response_time_ms: ms,
        first_token_ms: None,
        prompt_tokens: 1,
        output_tokens: 1,
        cached_tokens: 0,
        thought_tokens: 0,
        total_tokens: 2,
        cached: false,
        user_id: None,
        token_id: None,
        user_agent: None,
    }
}

/// Events of one minute, as calls and as requests.
fn minute(dice: &mut Dice, weather: Weather, start: Timestamp, id: &mut u64) -> Vec<UsageEvent> {
    let mut events = Vec::new();
    for _ in 0..weather.per_minute {
        let at = start.plus(Duration::from_millis(dice.below(60_000)));
        let error = (dice.below(10) < weather.fails_of_10)
            .then(|| ["server_error", "quota", "bad_request"][dice.below(3) as usize]);
        let ms = weather.ms / 2 + dice.below(weather.ms);
        for kind in [EventKind::Attempt, EventKind::Request] {
            *id += 1;
            events.push(event(*id, at, kind, 1 + dice.below(3), error, ms));
        }
    }
    events
}

/// Opened and ended: subject, message, from when, until when.
type Story = BTreeMap<(Timestamp, String), (String, Option<Timestamp>)>;

#[derive(Default)]
struct Live {
    evaluator: Evaluator,
    open: Vec<StoredIncident>,
    story: Story,
}

impl Live {
    fn look(&mut self, rule: Rule, facts: &Facts) {
        for change in self.evaluator.judge(facts, &[rule], &self.open) {
            match change {
                Change::Open {
                    subject,
                    severity,
                    message,
                    baseline,
                    at,
                    ..
                } => {
                    self.story.insert((at, subject.clone()), (message.clone(), None));
                    self.open.push(StoredIncident {
                        id: format!("{} {subject}", at.as_millis()),
                        rule: rule.id.as_str().into(),
                        subject,
                        severity,
                        escalated: false,
                        message,
                        baseline,
                        opened_at: at,
                        last_seen_at: at,
                        acknowledged: None,
                        silenced_until: None,
                        resolved_at: None,
                        untold: None,
                    });
                }
                Change::Update {
                    id, severity, message, ..
                } => {
                    let incident = self.open.iter_mut().find(|incident| incident.id == id).unwrap();
                    (incident.severity, incident.message) = (severity, message);
                }
                Change::Resolve { id, at, .. } => {
                    let place = self.open.iter().position(|incident| incident.id == id).unwrap();
                    let ended = self.open.remove(place);
                    self.story.get_mut(&(ended.opened_at, ended.subject)).unwrap().1 = Some(at);
                }
            }
        }
    }
}

/// Three hours as they go by, looked at every 15 seconds or so; how many incidents there were.
async fn check(id: RuleId, seed: u64) -> usize {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&dir.path().join("keypool.db")).unwrap();
    let rule = Rule {
        window_minutes: Some(7),
        min_samples: Some(5),
        ..Rule::usual(id)
    };
    let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let (mut live, mut event_id, mut now) = (Live::default(), 0, START);
    let mut weather = Weather::next(&mut dice);
    let mut looked = None;
    for passed in 0..180_u64 {
        if dice.below(12) == 0 {
            weather = Weather::next(&mut dice);
        }
        let start = START.plus(SECOND * 60 * u32::try_from(passed).unwrap());
        // Stored when the minute is over, as the slowest of recorders would.
        let end = start.plus(60 * SECOND);
        while now < end {
            now = now.plus(SECOND * u32::try_from(13 + dice.below(5)).unwrap());
        }
        store
            .append_usage(minute(&mut dice, weather, start, &mut event_id))
            .await
            .unwrap();
        for _ in 0..3 {
            now = now.plus(Duration::from_secs(6));
            let usage = measured(&store, &[rule], now).await.unwrap();
            looked = usage.get(&id).map(|measured| measured.until);
            let facts = Facts {
                now,
                usage,
                ..Facts::default()
            };
            live.look(rule, &facts);
        }
    }
    assert!(looked.is_some());
    let preview = preview_of_usage(&store, rule, now).await.unwrap();
    let previewed: Story = preview
        .incidents
        .into_iter()
        .map(|incident| {
            (
                (incident.opened_at, incident.subject),
                (incident.message, incident.resolved_at),
            )
        })
        .collect();
    assert_eq!(previewed, live.story, "{id:?} with seed {seed}");
    previewed.len()
}

#[tokio::test]
async fn a_preview_opens_what_the_rule_opened() {
    for id in [RuleId::LowSuccessRate, RuleId::ErrorRateJump, RuleId::LatencyJump] {
        let mut opened = 0;
        for seed in 1..=4 {
            opened += check(id, seed).await;
        }
        assert!(opened > 0, "{id:?}: the test looks at nothing");
    }
}
