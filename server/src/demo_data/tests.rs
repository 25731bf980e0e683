use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::store::EventKind;

/// Monday 23 November 2026, 20:00 UTC: noon in Los Angeles.
const NOW: Timestamp = Timestamp::from_millis(1_795_464_000_000);
const HOUR_MS: u64 = 3_600_000;

fn plan(events: u64, days: u32) -> Plan {
    Plan {
        events,
        ..Plan::of_days(days, NOW)
    }
}

fn by_request(events: &[UsageEvent]) -> BTreeMap<&str, Vec<&UsageEvent>> {
    let mut requests: BTreeMap<&str, Vec<&UsageEvent>> = BTreeMap::new();
    for event in events {
        requests.entry(&event.request_id).or_default().push(event);
    }
    requests
}

/// What every history keeps, whatever it is about.
fn check(plan: &Plan) {
    let events: Vec<_> = plan.events().collect();
    assert_eq!(events.len() as u64, plan.events);
    let ids: BTreeSet<_> = events.iter().map(|event| &event.id).collect();
    assert_eq!(ids.len(), events.len(), "ids are given once");
    let in_order = |pair: &[UsageEvent]| (pair[0].at, &pair[0].id) < (pair[1].at, &pair[1].id);
    assert!(events.windows(2).all(in_order));
    assert!(events.iter().all(|event| plan.from <= event.at && event.at <= plan.to));
    for (id, of_one) in by_request(&events) {
        check_request(id, &of_one);
    }
    assert_eq!(
        plan.events().collect::<Vec<_>>(),
        events,
        "the same plan is the same history"
    );
}

/// The attempts in their order, then the request that they were for.
fn check_request(id: &str, events: &[&UsageEvent]) {
    let (request, attempts) = events.split_last().expect("a request has events");
    assert_eq!(request.kind, EventKind::Request, "{id} ends with its request");
    assert!(
        attempts
            .iter()
            .all(|event| event.kind == EventKind::Attempt && event.attempts == 1)
    );
    assert_eq!(request.attempts as usize, attempts.len(), "{id}");
    assert_eq!(request.key, attempts.last().and_then(|last| last.key.clone()), "{id}");
    for event in events {
        assert_eq!(uuid::Uuid::parse_str(&event.id).expect("a UUID").get_version_num(), 7);
        let same = (
            &event.model,
            &event.operation,
            &event.surface,
            &event.user_id,
            &event.token_id,
        );
        let of_request = (
            &request.model,
            &request.operation,
            &request.surface,
            &request.user_id,
            &request.token_id,
        );
        assert_eq!(same, of_request, "{id}");
        assert!(event.first_token_ms.unwrap_or(0) <= event.response_time_ms);
        assert_eq!(
            event.total_tokens,
            event.prompt_tokens + event.output_tokens + event.thought_tokens
        );
        assert!(event.cached_tokens <= event.prompt_tokens);
        assert_eq!(event.success, event.error_type.is_none(), "{id}");
    }
    for failed in attempts.iter().rev().skip(1) {
        assert!(!failed.success, "{id} went on after an answer");
    }
    if let Some(last) = attempts.last() {
        assert_eq!(request.outcome, last.outcome);
        assert!(!request.cached && request.response_time_ms >= last.response_time_ms);
    } else {
        assert!(request.cached || request.outcome == "no_key", "{id}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_history_is_whole_in_order_and_made_again_from_its_seed(
        seed in any::<u64>(),
        events in 0_u64..3_000,
        length_ms in prop_oneof![0_u64..5_000, 0_u64..3 * HOUR_MS, 0_u64..60 * 24 * HOUR_MS],
        keys in 0_u32..12,
        models in 0_usize..5,
    ) {
        check(&Plan {
            seed,
            events,
            from: NOW.minus(Duration::from_millis(length_ms)),
            to: NOW,
            keys: made_up_keys(keys, 1),
            models: (0..models).map(|number| format!("model-{number}")).collect(),
        });
    }
}

#[test]
fn another_seed_is_another_history() {
    let other = Plan {
        seed: 2,
        ..plan(500, 7)
    };
    let ids = |plan: &Plan| plan.events().map(|event| event.id).collect::<BTreeSet<_>>();
    assert!(ids(&plan(500, 7)).is_disjoint(&ids(&other)));
}

#[test]
fn nights_and_weekends_are_quiet() {
    // 14 days from Monday 9 November 2026, 20:00 UTC.
    let mut by_day_and_hour: BTreeMap<(u64, u64), u32> = BTreeMap::new();
    for event in plan(40_000, 14).events() {
        // New York is five hours behind in November; 1 January 1970 was a Thursday.
        let local = event.at.as_millis() - 5 * HOUR_MS;
        let (weekday, hour) = ((local / (24 * HOUR_MS) + 3) % 7, local / HOUR_MS % 24);
        *by_day_and_hour.entry((weekday, hour)).or_default() += 1;
    }
    let count = |days: std::ops::Range<u64>, hours: std::ops::Range<u64>| -> u32 {
        let places = days.flat_map(|day| hours.clone().map(move |hour| (day, hour)));
        places
            .map(|place| by_day_and_hour.get(&place).copied().unwrap_or(0))
            .sum()
    };
    assert!(count(0..5, 9..17) > 8 * count(0..5, 0..6), "{by_day_and_hour:?}");
    assert!(count(0..5, 0..24) > 6 * count(5..7, 0..24), "{by_day_and_hour:?}");
}

#[test]
fn there_is_something_of_everything() {
    let events: Vec<_> = plan(60_000, 30).events().collect();
    let outcomes: BTreeSet<_> = events.iter().map(|event| event.outcome.as_ref()).collect();
    for outcome in [
        "success",
        "day_quota",
        "minute_quota",
        "overload",
        "server",
        "transport",
        "blocked",
        "caller_fault",
        "cancelled",
        "invalid_key",
    ] {
        assert!(outcomes.contains(outcome), "no {outcome} in {outcomes:?}");
    }
    let failed_over = |events: &&UsageEvent| events.kind == EventKind::Request && events.success && events.attempts > 1;
    assert!(events.iter().filter(failed_over).count() > 100);
    assert!(events.iter().any(|event| event.cached));
    let surfaces: BTreeSet<_> = events.iter().map(|event| event.surface.as_ref()).collect();
    assert_eq!(surfaces, BTreeSet::from(["api", "gemini", "openai", "web"]));
    let requests = events.iter().filter(|event| event.kind == EventKind::Request);
    let (good, all) = requests.fold((0, 0), |(good, all), event| (good + u32::from(event.success), all + 1));
    assert!(
        (0.90..0.995).contains(&(f64::from(good) / f64::from(all))),
        "{good} of {all}"
    );
}

#[test]
fn a_key_that_is_dry_for_the_day_rests_until_midnight_and_others_serve() {
    let events: Vec<_> = plan(60_000, 14).events().collect();
    let mut dry_at: BTreeMap<(u64, &str, Timestamp), Timestamp> = BTreeMap::new();
    let (mut after, mut late) = (0, 0);
    for event in events.iter().filter(|event| event.kind == EventKind::Attempt) {
        let key = event.key.as_ref().expect("an attempt asks a key");
        // A call that was begun before may end later, so a minute is forgiven.
        let day = provider_day_start(event.at.minus(Duration::from_millis(event.response_time_ms)));
        let cell = (key.id, event.model.as_str(), day);
        if event.outcome == "day_quota" {
            dry_at.entry(cell).or_insert(event.at);
            late += u32::from(event.at.since(day) > Duration::from_secs(12 * 3600));
        } else if dry_at
            .get(&cell)
            .is_some_and(|dry| event.at.since(*dry) > Duration::from_secs(120))
        {
            after += 1;
        }
    }
    assert_eq!(after, 0, "calls of a dry key");
    assert!(
        dry_at.len() > 10 && late as usize * 10 > dry_at.len() * 8,
        "late in the day: {late} of {dry_at:?}"
    );
}

#[test]
fn yesterday_ends_before_todays_quotas_begin() {
    let end = end_of_yesterday(NOW);
    assert_eq!(crate::clock::next_provider_midnight(end), provider_day_start(NOW));
}

#[test]
fn models_of_the_settings_come_first() {
    assert_eq!(models(&["b", "b"]), ["b", "gemini-2.5-flash", "gemini-2.5-flash-lite"]);
    assert_eq!(models(&[]).len(), 3);
}
