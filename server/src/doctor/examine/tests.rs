use std::time::Duration;

use super::*;
use crate::config::Source;
use crate::keyring::MasterKeyId;

const NOW: Timestamp = Timestamp::from_millis(1_768_478_400_000);

/// A server on which all is well.
fn fine() -> Facts {
    Facts {
        mistakes: Vec::new(),
        without_effect: Vec::new(),
        data_dir_path: "data".into(),
        data_dir: DataDir::Usable { open_to_others: false },
        free_bytes: Some(50 * 1024 * 1024 * 1024),
        store: StoreFacts::Ready {
            engine: "SQLite 3.51.3".to_owned(),
            schema: 3,
        },
        secrets: vec![
            ("KEYPOOL_MASTER_KEY", SecretSource::Generated),
            ("JWT_SECRET", SecretSource::Set(Source::Environment)),
        ],
        vault: Some(standing(5, 0, false)),
        reach: Some(answered(Some(NOW))),
        now: NOW,
        status: Some(status(Level::Operational, &[KeyState::Available, KeyState::InUse])),
        siblings: 0,
        repeated_variables: 0,
        site_dir: "site".into(),
        site_is_built: true,
        mail_in_the_clear: false,
        channels: vec![ChannelFacts {
            name: "webhook",
            last: Some((DeliveryState::Delivered, None)),
        }],
    }
}

fn standing(values: usize, left: usize, two_keys: bool) -> Standing {
    Standing {
        current: MasterKeyId([1; 8]),
        previous: two_keys.then_some(MasterKeyId([2; 8])),
        values,
        left,
        is_made: false,
    }
}

#[test]
fn a_rotation_that_is_not_finished_says_what_is_left_and_what_to_do() {
    use CheckLevel::Warning;
    let (left, done) = (Some(standing(5, 2, true)), Some(standing(5, 0, true)));
    check(
        |facts| facts.vault.clone_from(&left),
        "Master key",
        Warning,
        "2 of 5 stored secrets",
    );
    check(
        |facts| facts.vault.clone_from(&left),
        "Master key",
        Warning,
        "keypool keys rewrap",
    );
    check(
        |facts| facts.vault = done,
        "Master key",
        Warning,
        "Remove KEYPOOL_MASTER_KEY_PREVIOUS",
    );
}

fn answered(date: Option<Timestamp>) -> Reach {
    Reach::Answered { ms: 12, date }
}

fn status(level: Level, keys: &[KeyState]) -> ServiceStatus {
    let keys: Vec<KeyStatus> = (1..)
        .zip(keys)
        .map(|(key_number, &state)| KeyStatus {
            key_number,
            state,
            quota_exceeded: state == KeyState::QuotaReached,
            quota_reset_time: None,
            ready_in_ms: None,
            request_count: 0,
            success_count: 0,
            error_count: 0,
            last_used: None,
            cells: Vec::new(),
        })
        .collect();
    let count = |count: usize| u32::try_from(count).expect("a few keys");
    ServiceStatus {
        total_keys: count(keys.len()),
        current_key_index: 0,
        level,
        healthy_keys: count(keys.iter().filter(|key| key.state.serves()).count()),
        available_keys: keys,
        message: "As it is.".to_owned(),
        next_reset: Some("2026-01-16T08:00:00.000Z".to_owned()),
        next_reset_in_ms: None,
        components: Vec::new(),
        obstacles: Vec::new(),
        simulated: false,
        checked_at: String::new(),
    }
}

/// The fact changed makes one check of this level whose text has the words; everything but `name` stays fine.
fn check(change: impl FnOnce(&mut Facts), name: &str, level: CheckLevel, words: &str) {
    let mut facts = fine();
    change(&mut facts);
    let checks = examine(&facts);
    let of_name: Vec<&Check> = checks.iter().filter(|check| check.name == name).collect();
    let found = of_name.iter().find(|check| {
        let remedy = check.remedy.as_deref().unwrap_or_default();
        check.level == level && format!("{} {remedy}", check.message).contains(words)
    });
    assert!(found.is_some(), "no {level:?} of {name} says {words:?}: {checks:#?}");
    for check in &checks {
        let harmful = check.level > CheckLevel::Ok;
        assert_eq!(
            harmful,
            check.remedy.is_some(),
            "what is harmful has a remedy, and nothing else: {check:?}"
        );
    }
}

#[test]
fn a_server_on_which_all_is_well_has_no_warning() {
    for check in examine(&fine()) {
        assert_eq!(check.level, CheckLevel::Ok, "{check:?}");
    }
}

#[test]
fn settings_are_named_with_what_is_wrong_and_without_their_value() {
    use CheckLevel::{Failed, Warning};
    let mistake = |about: &str, what: &str| Mistake {
        about: about.to_owned(),
        what: what.to_owned(),
    };
    let two = [mistake("PORT", "must be a port"), mistake("JWT_SECRET", "is too short")];
    check(
        |facts| facts.mistakes = two.to_vec(),
        "Settings",
        Failed,
        "PORT: must be a port",
    );
    check(
        |facts| facts.mistakes = two.to_vec(),
        "Settings",
        Failed,
        "JWT_SECRET: is too short",
    );
    check(
        |facts| facts.without_effect = vec!["REDIS_URL".to_owned()],
        "Settings",
        Warning,
        "REDIS_URL",
    );
    check(
        |facts| facts.repeated_variables = 2,
        "Settings",
        Warning,
        "2 of the GOOGLE_AI_API_KEY",
    );
}

#[test]
fn the_data_folder_is_private_writable_and_has_room() {
    use CheckLevel::{Failed, Ok, Skipped, Warning};
    let dir = |dir: DataDir| move |facts: &mut Facts| facts.data_dir = dir;
    let refused = |kind| DataDir::Refused(kind);
    check(dir(DataDir::NotMade), "Data folder", Skipped, "first start");
    check(
        dir(refused(io::ErrorKind::PermissionDenied)),
        "Data folder",
        Failed,
        "right to read and write",
    );
    check(
        dir(refused(io::ErrorKind::NotADirectory)),
        "Data folder",
        Failed,
        "is a file",
    );
    check(
        dir(DataDir::Usable { open_to_others: true }),
        "Data folder",
        Warning,
        "chmod 700 data",
    );
    let free = |bytes| move |facts: &mut Facts| facts.free_bytes = bytes;
    check(free(Some(FREE_BYTES_FAIL - 1)), "Disk space", Failed, "99 MiB");
    check(free(Some(FREE_BYTES_FAIL)), "Disk space", Warning, "100 MiB");
    check(free(Some(FREE_BYTES_WARN)), "Disk space", Ok, "1024 MiB");
    check(free(None), "Disk space", Skipped, "not known");
}

#[test]
fn the_store_is_ready_or_says_why_not() {
    use CheckLevel::{Failed, Ok, Skipped};
    check(|_| {}, "Store", Ok, "SQLite 3.51.3 is ready with schema 3");
    check(
        |facts| facts.store = StoreFacts::NotMade,
        "Store",
        Skipped,
        "first start",
    );
    let in_use = StoreFacts::Failed("another Keypool is running on data".to_owned());
    check(
        |facts| facts.store = in_use,
        "Store",
        Failed,
        "Another Keypool is running on data. ",
    );
}

#[test]
fn the_provider_fails_at_the_step_that_did_not_succeed() {
    use CheckLevel::{Failed, Ok, Skipped};
    let reach = |reach| move |facts: &mut Facts| facts.reach = reach;
    check(reach(Some(answered(None))), "Provider", Ok, "12 ms");
    check(reach(None), "Provider", Skipped, "Not asked");
    check(reach(Some(Reach::Failed(Step::Name))), "Provider", Failed, "DNS");
    check(
        reach(Some(Reach::Failed(Step::Connect))),
        "Provider",
        Failed,
        "firewall",
    );
    check(reach(Some(Reach::Failed(Step::Answer))), "Provider", Failed, "TLS");
    check(
        reach(Some(Reach::Failed(Step::Address))),
        "Provider",
        Failed,
        "GOOGLE_AI_BASE_URL",
    );
}

#[test]
fn a_clock_that_is_off_is_told_by_the_providers() {
    use CheckLevel::{Failed, Ok, Skipped, Warning};
    let ahead = |seconds| move |facts: &mut Facts| facts.now = NOW.plus(Duration::from_secs(seconds));
    check(ahead(29), "Clock", Ok, "agrees");
    check(ahead(30), "Clock", Warning, "30 s ahead");
    check(ahead(300), "Clock", Failed, "NTP");
    let behind = answered(Some(NOW.plus(Duration::from_secs(45))));
    check(|facts| facts.reach = Some(behind), "Clock", Warning, "45 s behind");
    check(|facts| facts.reach = Some(answered(None)), "Clock", Skipped, "no time");
}

#[test]
fn keys_that_need_a_person_have_a_line_with_what_to_do() {
    use CheckLevel::{Failed, Ok, Skipped, Warning};
    let with = |level, keys: &'static [KeyState]| move |facts: &mut Facts| facts.status = Some(status(level, keys));
    let mixed = &[
        KeyState::Available,
        KeyState::Invalid,
        KeyState::NeedsSetup,
        KeyState::NoCredit,
    ];
    check(with(Level::Degraded, mixed), "Keys", Ok, "1 of 4");
    check(with(Level::Degraded, mixed), "Service", Warning, "As it is");
    check(with(Level::Degraded, mixed), "Key 2", Warning, "AI Studio");
    check(
        with(Level::Degraded, mixed),
        "Key 3",
        Warning,
        "Generative Language API",
    );
    check(with(Level::Degraded, mixed), "Key 4", Warning, "without credit");
    check(with(Level::MajorOutage, &[KeyState::Invalid]), "Keys", Failed, "0 of 1");
    check(
        with(Level::MajorOutage, &[KeyState::Invalid]),
        "Service",
        Failed,
        "As it is",
    );
    check(with(Level::MajorOutage, &[]), "Keys", Skipped, "no key");
    check(with(Level::MajorOutage, &[]), "Service", Failed, "GOOGLE_AI_API_KEY_1");
    check(
        with(Level::MajorOutage, &[KeyState::Invalid; 25]),
        "Keys",
        Warning,
        "5 more keys",
    );
    check(with(Level::MajorOutage, &[]), "Service", Failed, "`keypool keys add`");
    check(
        with(Level::Degraded, &[KeyState::Revoked, KeyState::Available]),
        "Key 1",
        Warning,
        "withdrawn it (leaked or suspended). Make a new one",
    );
    check(|facts| facts.status = None, "Keys", Skipped, "could not be opened");
    let spent = &[KeyState::QuotaReached, KeyState::Available];
    check(
        with(Level::Degraded, spent),
        "Quota",
        Warning,
        "1 key has used up the day's quota. The next comes back at 2026-01-16T08",
    );
    check(|_| {}, "Quota", Ok, "No key is out");
}

#[test]
fn keys_that_rest_are_a_warning_and_say_when_they_are_back() {
    use CheckLevel::{Failed, Warning};
    let resting = |level, keys: &'static [KeyState], ready_in_ms| {
        move |facts: &mut Facts| {
            let mut seen = status(level, keys);
            let with_rest = seen.available_keys.iter_mut().zip(ready_in_ms);
            with_rest.for_each(|(key, ms): (&mut KeyStatus, Option<u64>)| key.ready_in_ms = ms);
            facts.status = Some(seen);
        }
    };
    let minute = &[KeyState::CoolingDown, KeyState::CoolingDown];
    for name in ["Keys", "Service"] {
        let change = resting(Level::MajorOutage, minute, [Some(42_000), Some(55_000)]);
        check(
            change,
            name,
            Warning,
            "Waiting is enough: keys come back by themselves, the first in 42 s.",
        );
    }
    let day = &[KeyState::QuotaReached, KeyState::Invalid];
    let change = resting(Level::MajorOutage, day, [Some(33_184_000), None]);
    check(change, "Keys", Warning, "the first in 9 h 13 min.");
    let change = resting(Level::MajorOutage, &[KeyState::Checking], [None, None]);
    check(change, "Keys", Warning, "Wait a minute");
    let never = &[KeyState::Invalid, KeyState::Disabled];
    let change = resting(Level::MajorOutage, never, [None, None]);
    check(change, "Keys", Failed, "0 of 2");
}

#[test]
fn an_outage_of_the_provider_blames_no_key() {
    use CheckLevel::{Failed, Warning};
    let trouble = |level, keys: &'static [KeyState], kind| {
        move |facts: &mut Facts| {
            let mut seen = status(level, keys);
            seen.obstacles.push(Obstacle {
                kind,
                model: None,
                retry_in_ms: Some(12_000),
            });
            facts.status = Some(seen);
        }
    };
    let (down, model) = (ObstacleKind::ProviderDown, ObstacleKind::ModelDown);
    let good = &[KeyState::Available];
    let said = "No key is to blame, and calls are tried again by themselves. One call tries again in 12 s.";
    check(trouble(Level::MajorOutage, good, down), "Service", Failed, said);
    check(trouble(Level::Degraded, good, model), "Service", Warning, said);
    let mixed = &[KeyState::Available, KeyState::Invalid];
    check(trouble(Level::MajorOutage, mixed, down), "Service", Failed, said);
    check(
        trouble(Level::Degraded, mixed, model),
        "Service",
        Warning,
        "The checks below name the keys.",
    );
}

#[test]
fn shared_projects_site_and_notifications_say_what_to_do() {
    use CheckLevel::{Failed, Skipped, Warning};
    check(|facts| facts.siblings = 1, "Projects", Warning, "Confirm or dismiss");
    check(
        |facts| facts.site_is_built = false,
        "Web app",
        Failed,
        "cargo xtask build",
    );
    check(|facts| facts.channels.clear(), "Notifications", Skipped, "log only");
    let last = |state, error: Option<&str>| {
        let last = Some((state, error.map(ToOwned::to_owned)));
        move |facts: &mut Facts| facts.channels = vec![ChannelFacts { name: "mail", last }]
    };
    check(
        last(DeliveryState::Failed, Some("the address was refused")),
        "Notifications",
        Warning,
        "The address was refused.",
    );
    check(
        |facts| facts.mail_in_the_clear = true,
        "Notifications",
        Warning,
        "?tls=required",
    );
    check(
        last(DeliveryState::Pending, None),
        "Notifications",
        Warning,
        "still being tried",
    );
}

#[test]
fn a_channel_is_fine_only_when_it_was_looked_at() {
    use CheckLevel::{Failed, Ok, Skipped};
    let unsent = |facts: &mut Facts, store| {
        facts.channels = ["webhook", "mail"]
            .map(|name| ChannelFacts { name, last: None })
            .to_vec();
        facts.store = store;
    };
    let mistake = |facts: &mut Facts| {
        facts.mistakes = vec![Mistake {
            about: "ALERT_EMAIL_FROM".to_owned(),
            what: "must be an e-mail address".to_owned(),
        }];
    };
    check(
        |facts| unsent(facts, StoreFacts::NotMade),
        "Notifications",
        Ok,
        "nothing was sent yet",
    );
    check(
        |facts| unsent(facts, StoreFacts::NotLookedAt),
        "Notifications",
        Skipped,
        "By webhook: set up",
    );
    let broken = |facts: &mut Facts| {
        unsent(facts, StoreFacts::NotLookedAt);
        mistake(facts);
    };
    check(broken, "Notifications", Failed, "By mail: its settings are wrong.");
    check(broken, "Notifications", Skipped, "By webhook: set up");
}

#[test]
fn secrets_are_told_by_where_they_come_from() {
    use CheckLevel::{Ok, Skipped};
    check(|_| {}, "KEYPOOL_MASTER_KEY", Ok, "back it up");
    check(|_| {}, "JWT_SECRET", Ok, "environment");
    let fresh = |facts: &mut Facts| facts.secrets = vec![("JWT_SECRET", SecretSource::AtFirstStart)];
    check(fresh, "JWT_SECRET", Skipped, "first start");
}
