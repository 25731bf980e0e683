use app::types::{KeyStatus, Obstacle};

use super::*;

const START: Timestamp = Timestamp::from_millis(1_768_478_400_000);

/// A pool as `at` seconds see it.
struct Scene {
    keys: Vec<KeyState>,
    sights: Vec<Sight>,
    level: Level,
    obstacles: Vec<Obstacle>,
}

impl Scene {
    fn well() -> Self {
        Self {
            keys: vec![KeyState::Available; 3],
            sights: vec![Sight::Well; 3],
            level: Level::Operational,
            obstacles: Vec::new(),
        }
    }

    /// The first keys are in this state, the others well.
    fn out(count: usize, state: KeyState) -> Self {
        let mut scene = Self::well();
        scene.keys[..count].fill(state);
        scene.level = if count == 3 {
            Level::MajorOutage
        } else {
            Level::Degraded
        };
        scene
    }

    fn faulty(numbers: &[usize], fault: KeyFault) -> Self {
        let mut scene = Self::well();
        for number in numbers {
            scene.sights[number - 1] = Sight::Faulty(fault);
        }
        scene
    }

    fn obstacle(kind: ObstacleKind, retry_in_ms: Option<u64>) -> Self {
        Self {
            obstacles: vec![Obstacle {
                kind,
                model: None,
                retry_in_ms,
            }],
            ..Self::well()
        }
    }

    fn seen(&self, at: u64) -> Seen {
        let key = |(number, state): (u32, &KeyState)| KeyStatus {
            key_number: number,
            state: *state,
            quota_exceeded: *state == KeyState::QuotaReached,
            quota_reset_time: None,
            ready_in_ms: None,
            request_count: 0,
            success_count: 0,
            error_count: 0,
            last_used: None,
            cells: Vec::new(),
        };
        let keys: Vec<KeyStatus> = (1..).zip(&self.keys).map(key).collect();
        let healthy = keys.iter().filter(|key| key.state.serves()).count();
        Seen {
            status: ServiceStatus {
                total_keys: u32::try_from(keys.len()).expect("few"),
                current_key_index: 0,
                available_keys: keys,
                level: self.level,
                healthy_keys: u32::try_from(healthy).expect("few"),
                message: "What the status page says.".to_owned(),
                next_reset: None,
                next_reset_in_ms: None,
                components: Vec::new(),
                obstacles: self.obstacles.clone(),
                simulated: false,
                checked_at: String::new(),
            },
            labels: [(1, "first".to_owned()), (2, "second".to_owned())].into(),
            keys: (1..).zip(self.sights.iter().copied()).collect(),
            now: START.plus(Duration::from_secs(at)),
        }
    }
}

/// What is told of a story: instants in seconds and what is seen then; whoever is due between is looked at too.
fn told(rules: &mut Rules, story: &[(u64, &Scene)]) -> Vec<(u64, String)> {
    let mut told = Vec::new();
    for (place, (at, scene)) in story.iter().enumerate() {
        let until = story.get(place + 1).map_or(*at, |(next, _)| *next);
        let mut look = |at: u64, rules: &mut Rules| {
            told.extend(
                rules
                    .judge(&scene.seen(at))
                    .into_iter()
                    .map(|said| (at, said.kind.into_owned())),
            );
        };
        look(*at, rules);
        while let Some(due) = rules.due_at().map(|due| due.since(START).as_secs())
            && due < until
            && due > *at
        {
            look(due, rules);
            if rules.due_at().map(|due| due.since(START).as_secs()) == Some(due) {
                break;
            }
        }
    }
    told
}

fn check(story: &[(u64, &Scene)], expected: &[(u64, &str)]) {
    let told = told(&mut Rules::new(Announced::default()), story);
    let told: Vec<(u64, &str)> = told.iter().map(|(at, kind)| (*at, kind.as_str())).collect();
    assert_eq!(told, expected);
}

#[test]
fn a_service_that_goes_down_and_comes_back_is_told_once_each_when_it_has_held() {
    let (well, down) = (Scene::well(), Scene::out(3, KeyState::QuotaReached));
    check(
        &[(0, &well), (100, &down), (200, &down), (3600, &well), (3700, &well)],
        &[(110, "service.down"), (3610, "service.restored")],
    );
}

#[test]
fn an_outage_of_under_ten_seconds_is_not_told() {
    let (well, down) = (Scene::well(), Scene::out(3, KeyState::CoolingDown));
    check(&[(0, &down), (9, &well), (30, &down), (39, &well), (100, &well)], &[]);
}

#[test]
fn keys_that_are_out_again_and_again_do_not_fill_a_mailbox() {
    let (well, down) = (Scene::well(), Scene::out(3, KeyState::CoolingDown));
    // A minute out, 20 s in, for half an hour.
    let story: Vec<(u64, &Scene)> = (0..23)
        .flat_map(|round| [(round * 80, &down), (round * 80 + 60, &well)])
        .collect();
    let told = told(&mut Rules::new(Announced::default()), &story);
    assert_eq!(told[0], (10, "service.down".to_owned()));
    assert!((2..=14).contains(&told.len()), "{told:?}");
    for pair in told.windows(3) {
        assert!(pair[2].0 - pair[0].0 >= 300, "three words in five minutes: {told:?}");
    }
}

#[test]
fn only_what_lasts_is_degraded() {
    for (state, is_told) in [
        (KeyState::QuotaReached, true),
        (KeyState::Invalid, true),
        (KeyState::NeedsSetup, true),
        (KeyState::NoCredit, true),
        (KeyState::CoolingDown, false),
        (KeyState::Checking, false),
        (KeyState::Disabled, false),
    ] {
        let degraded = Scene::out(1, state);
        let expected: &[(u64, &str)] = if is_told { &[(10, "service.degraded")] } else { &[] };
        check(&[(0, &degraded), (100, &degraded)], expected);
    }
}

#[test]
fn a_capability_that_is_gone_is_degraded() {
    let partial = Scene {
        level: Level::PartialOutage,
        ..Scene::well()
    };
    check(&[(0, &partial), (100, &partial)], &[(10, "service.degraded")]);
}

#[test]
fn from_degraded_to_down_and_back_every_step_is_told() {
    let (some, all) = (Scene::out(1, KeyState::Invalid), Scene::out(3, KeyState::Invalid));
    check(
        &[
            (0, &some),
            (1000, &all),
            (2000, &some),
            (3000, &Scene::well()),
            (4000, &Scene::well()),
        ],
        &[
            (10, "service.degraded"),
            (1010, "service.down"),
            (2010, "service.restored"),
            (3010, "service.restored"),
        ],
    );
}

#[test]
fn a_pool_without_keys_is_nobodys_news() {
    let empty = Scene {
        keys: Vec::new(),
        sights: Vec::new(),
        level: Level::MajorOutage,
        obstacles: Vec::new(),
    };
    check(&[(0, &empty), (100, &empty)], &[]);
}

#[test]
fn a_restart_repeats_nothing_and_tells_what_changed_meanwhile() {
    let mut rules = Rules::new(Announced::default());
    let mut scene = Scene::out(3, KeyState::Invalid);
    scene.sights.fill(Sight::Faulty(KeyFault::Invalid));
    assert_eq!(told(&mut rules, &[(0, &scene), (60, &scene)]).len(), 2);
    let stored = serde_json::to_value(rules.announced()).expect("written");
    let restored: Announced = serde_json::from_value(stored).expect("read");
    assert_eq!(restored, *rules.announced());
    let mut rules = Rules::new(restored.clone());
    assert_eq!(told(&mut rules, &[(1000, &scene), (2000, &scene)]), []);
    let mut rules = Rules::new(restored);
    let kinds: Vec<String> = told(&mut rules, &[(1000, &Scene::well()), (2000, &Scene::well())])
        .into_iter()
        .map(|(_, kind)| kind)
        .collect();
    assert_eq!(kinds, ["key.recovered", "service.restored"]);
}

#[test]
fn a_key_that_needs_a_person_is_told_once_a_fault_with_its_severity() {
    for (fault, word, severity) in [
        (KeyFault::Revoked, "revoked", crate::notify::Severity::Critical),
        (KeyFault::Invalid, "invalid", crate::notify::Severity::Warning),
        (KeyFault::NeedsSetup, "needs_setup", crate::notify::Severity::Warning),
        (KeyFault::NoCredit, "no_credit", crate::notify::Severity::Warning),
    ] {
        let mut rules = Rules::new(Announced::default());
        let scene = Scene::faulty(&[2], fault);
        let said = rules.judge(&scene.seen(0)).pop().expect("told");
        assert_eq!((said.kind.as_ref(), said.severity), ("key.needs_person", severity));
        assert_eq!(
            (&said.data["reason"], &said.data["keys"][0]["keyNumber"]),
            (&word.into(), &2.into())
        );
        assert!(said.text.starts_with("Key 2 (second)."), "{}", said.text);
        assert!(rules.judge(&scene.seen(60)).is_empty());
    }
}

#[test]
fn keys_that_fail_together_are_one_message() {
    let mut rules = Rules::new(Announced::default());
    let said = rules.judge(&Scene::faulty(&[1, 2, 3], KeyFault::NoCredit).seen(0));
    assert_eq!(said.len(), 1);
    assert_eq!(said[0].title, "3 keys are out of credit");
    let said = rules.judge(&Scene::well().seen(60));
    assert_eq!((said.len(), said[0].title.as_str()), (1, "3 keys are usable again"));
}

#[test]
fn a_key_being_checked_is_neither_recovered_nor_news() {
    let mut rules = Rules::new(Announced::default());
    let faulty = Scene::faulty(&[1], KeyFault::Invalid);
    let unsure = Scene {
        sights: vec![Sight::Unsure, Sight::Unsure, Sight::Well],
        ..Scene::well()
    };
    assert_eq!(
        told(&mut rules, &[(0, &unsure), (1, &faulty), (2, &unsure), (3, &faulty)]),
        [(1, "key.needs_person".to_owned())]
    );
}

#[test]
fn a_key_switched_off_or_removed_by_a_person_is_forgotten_without_a_word() {
    for gone in [vec![Sight::Off, Sight::Well, Sight::Well], vec![]] {
        let mut rules = Rules::new(Announced::default());
        let faulty = Scene::faulty(&[1], KeyFault::Revoked);
        let gone = Scene {
            sights: gone,
            ..Scene::well()
        };
        let kinds = told(
            &mut rules,
            &[(0, &faulty), (1, &gone), (2, &Scene::well()), (3, &faulty)],
        );
        assert_eq!(kinds.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 3]);
    }
}

#[test]
fn a_provider_that_fails_is_told_when_it_still_fails_after_half_a_minute() {
    let shut = Scene::obstacle(ObstacleKind::ModelDown, Some(4_000));
    check(
        &[(0, &shut), (40, &shut), (600, &Scene::well()), (700, &Scene::well())],
        &[(30, "provider.down"), (610, "provider.recovered")],
    );
    check(&[(0, &shut), (29, &Scene::well()), (100, &Scene::well())], &[]);
}

#[test]
fn a_provider_that_nobody_called_since_its_rest_is_not_told() {
    let (shut, trial) = (
        Scene::obstacle(ObstacleKind::ProviderDown, Some(4_000)),
        Scene::obstacle(ObstacleKind::ProviderDown, Some(0)),
    );
    check(&[(0, &shut), (5, &trial), (600, &trial)], &[]);
    check(&[(0, &shut), (5, &trial), (600, &shut)], &[(600, "provider.down")]);
}

#[test]
fn a_refused_region_is_told_once_until_it_is_over() {
    let refused = Scene::obstacle(ObstacleKind::RegionRefused, None);
    check(
        &[(0, &refused), (60, &refused), (120, &Scene::well()), (180, &refused)],
        &[(0, "region.refused"), (180, "region.refused")],
    );
}

#[test]
fn spent_keys_that_came_back_are_told_at_the_days_end_once() {
    let mut rules = Rules::new(Announced::default());
    // A third key that stays out keeps the service degraded: nothing else tells that the others are back.
    let mut spent = Scene::out(2, KeyState::QuotaReached);
    spent.keys[2] = KeyState::Invalid;
    spent.level = Level::MajorOutage;
    let mut back = Scene::well();
    back.keys[2] = KeyState::Invalid;
    back.level = Level::Degraded;
    rules.judge(&spent.seen(0));
    let said = rules.day_ended(&back.seen(72_300)).expect("told");
    assert_eq!(
        (said.kind.as_ref(), said.title.as_str(), &said.data["keysBack"]),
        (
            "service.restored",
            "Service restored: 2 keys came back with the new day",
            &2.into()
        )
    );
    assert_eq!(rules.day_ended(&back.seen(72_301)), None);
    assert_eq!(
        rules.day_ended(&back.seen(72_300 + 86_400)),
        None,
        "none were spent since"
    );
}

#[test]
fn a_service_that_was_said_to_be_restored_today_is_not_restored_again_at_five_past() {
    let mut rules = Rules::new(Announced::default());
    let spent = Scene::out(3, KeyState::QuotaReached);
    // START is 04:00 in Los Angeles: 20 hours later it is midnight.
    let story = [
        (0, &spent),
        (20, &spent),
        (72_060, &Scene::well()),
        (72_080, &Scene::well()),
    ];
    assert_eq!(told(&mut rules, &story).len(), 2);
    assert_eq!(rules.day_ended(&Scene::well().seen(72_300)), None);
}

#[test]
fn a_pool_that_was_never_spent_has_a_quiet_midnight() {
    let mut rules = Rules::new(Announced::default());
    rules.judge(&Scene::well().seen(0));
    assert_eq!(rules.day_ended(&Scene::well().seen(72_300)), None);
}

/// What is told five minutes after midnight, after a story of the day before.
fn told_after_midnight(story: &[(u64, &Scene)]) -> Option<String> {
    /// 00:00 in Los Angeles, in seconds after the start.
    const MIDNIGHT: u64 = 20 * 3600;
    let mut rules = Rules::new(Announced::default());
    told(&mut rules, story);
    let said = rules.day_ended(&Scene::well().seen(MIDNIGHT + 300));
    assert_eq!(rules.day_ended(&Scene::well().seen(MIDNIGHT + 301)), None, "once");
    said.map(|said| said.title)
}

#[test]
fn a_key_that_an_admin_reset_during_the_day_did_not_come_back_at_midnight() {
    let (spent, well) = (Scene::out(1, KeyState::QuotaReached), Scene::well());
    assert_eq!(told_after_midnight(&[(0, &spent), (3600, &well), (7200, &well)]), None);
}

#[test]
fn a_key_that_was_spent_at_midnight_is_told_even_when_it_was_seen_back_before() {
    let (spent, well) = (Scene::out(1, KeyState::QuotaReached), Scene::well());
    let title = "Service restored: 1 key came back with the new day".to_owned();
    // Not yet said by itself: a change holds for ten seconds first.
    let back_at = 20 * 3600 + 295;
    assert_eq!(told_after_midnight(&[(0, &spent), (back_at, &well)]), Some(title));
}
