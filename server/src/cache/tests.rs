use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::*;
use crate::provider::Content;

const START: Timestamp = Timestamp::from_millis(1_768_478_400_000);
const TTL: Duration = Duration::from_secs(900);
const IDLE: QueueFigures = QueueFigures {
    length: 0,
    is_processing: false,
};

fn cache(entries_max: u64) -> (Arc<Cache>, Clock) {
    let clock = Clock::by_hand(START);
    let bounds = CacheBounds { entries_max, ttl: TTL };
    (Arc::new(Cache::new(bounds, clock.clone())), clock)
}

fn key(prompt: &str) -> CacheKey {
    let content = Content {
        prompt: prompt.to_owned(),
        system: None,
        images: Vec::new(),
        temperature: None,
        max_output_tokens: None,
    };
    CacheKey::new("ada", "gemini-2.5-flash", &content)
}

fn answer(text: &str) -> Cached {
    Cached {
        text: text.to_owned(),
        finish_reason: "STOP".to_owned(),
        usage: TokenUsage {
            prompt_tokens: 7,
            output_tokens: 11,
            total_tokens: 18,
        },
        model: "gemini-2.5-flash".to_owned(),
    }
}

fn lead(cache: &Cache, prompt: &str) -> Lead {
    match cache.enter(key(prompt)) {
        Entry::Lead(lead) => lead,
        other => panic!("{prompt}: {} instead of a lead", name(&other)),
    }
}

fn follow(cache: &Cache, prompt: &str) -> Follow {
    match cache.enter(key(prompt)) {
        Entry::Follow(follow) => follow,
        other => panic!("{prompt}: {} instead of following", name(&other)),
    }
}

fn hit(cache: &Cache, prompt: &str) -> Option<String> {
    match cache.enter(key(prompt)) {
        Entry::Hit(cached) => Some(cached.text.clone()),
        Entry::Lead(_) | Entry::Follow(_) | Entry::Off => None,
    }
}

fn name(entry: &Entry) -> &'static str {
    match entry {
        Entry::Hit(_) => "a hit",
        Entry::Lead(_) => "a lead",
        Entry::Follow(_) => "a follower",
        Entry::Off => "nothing",
    }
}

/// Size, hits, misses and followers served.
fn check(cache: &Cache, expected: (u64, u64, u64, u64)) {
    let stats = cache.stats(IDLE);
    assert_eq!((stats.size, stats.hits, stats.misses, stats.followers), expected);
}

#[test]
fn what_was_filled_is_found_whole() {
    let (cache, _) = cache(10);
    lead(&cache, "one").fill(answer("rivers"));
    let Entry::Hit(found) = cache.enter(key("one")) else {
        panic!("it was filled");
    };
    assert_eq!(*found, answer("rivers"));
    assert_eq!(hit(&cache, "two"), None);
    check(&cache, (1, 1, 2, 0));
}

#[test]
fn either_bound_at_zero_switches_it_off() {
    for (entries_max, ttl) in [(0, TTL), (10, Duration::ZERO), (0, Duration::ZERO)] {
        let cache = Cache::new(CacheBounds { entries_max, ttl }, Clock::by_hand(START));
        assert!(!cache.is_on());
        assert_eq!(name(&cache.enter(key("one"))), "nothing");
        assert!(cache.lead_fresh(key("one")).is_none());
        cache.clear();
        assert_eq!(cache.stats(IDLE), CacheStats::default());
    }
}

#[test]
fn a_life_longer_than_the_library_takes_is_no_mistake() {
    let bounds = CacheBounds {
        entries_max: 1,
        ttl: Duration::MAX,
    };
    let cache = Cache::new(bounds, Clock::by_hand(START));
    lead(&cache, "one").fill(answer("rivers"));
    assert_eq!(hit(&cache, "one").as_deref(), Some("rivers"));
}

#[test]
fn an_answer_lives_its_time_and_is_replaced_after_it() {
    let (cache, clock) = cache(10);
    lead(&cache, "one").fill(answer("old"));
    clock.advance(TTL - Duration::from_millis(1));
    assert_eq!(hit(&cache, "one").as_deref(), Some("old"));
    clock.advance(Duration::from_millis(1));
    let new = lead(&cache, "one");
    assert_eq!(
        name(&cache.enter(key("one"))),
        "a follower",
        "its time is over for everybody"
    );
    new.fill(answer("new"));
    assert_eq!(hit(&cache, "one").as_deref(), Some("new"));
    check(&cache, (1, 2, 2, 0));
}

#[test]
fn big_answers_count_for_as_many_as_they_are_big() {
    let (cache, _) = cache(4);
    let long = |bytes: usize| answer(&"a".repeat(bytes));
    let around = answer("").bytes() as usize;
    lead(&cache, "small").fill(long(1));
    assert_eq!(cache.stats(IDLE).weight, UNIT_BYTES);
    lead(&cache, "full").fill(long(UNIT_BYTES as usize - around));
    assert_eq!(cache.stats(IDLE).weight, 2 * UNIT_BYTES);
    lead(&cache, "over").fill(long(UNIT_BYTES as usize - around + 1));
    assert_eq!((cache.stats(IDLE).size, cache.stats(IDLE).weight), (3, 4 * UNIT_BYTES));
    lead(&cache, "one more").fill(long(1));
    assert_eq!(
        hit(&cache, "one more").map(|text| text.len()),
        Some(1),
        "the newest is kept"
    );
    let stats = cache.stats(IDLE);
    assert_eq!((stats.size, stats.weight), (3, 4 * UNIT_BYTES));
    assert_eq!(hit(&cache, "small"), None, "the one asked for longest ago makes room");
    lead(&cache, "too big").fill(long(5 * UNIT_BYTES as usize));
    let stats = cache.stats(IDLE);
    assert!(stats.weight <= 4 * UNIT_BYTES, "{stats:?}");
    assert_eq!(hit(&cache, "too big"), None);
}

#[test]
fn thousands_of_answers_stay_within_the_bound() {
    let (cache, _) = cache(100);
    for number in 0..3_000 {
        lead(&cache, &number.to_string()).fill(answer("rivers"));
    }
    let stats = cache.stats(IDLE);
    assert_eq!((stats.size, stats.weight), (100, 100 * UNIT_BYTES));
    assert!(hit(&cache, "2999").is_some());
    cache.clear();
    check(&cache, (0, 1, 3_000, 0));
    assert_eq!(cache.stats(IDLE).weight, 0);
    assert_eq!(hit(&cache, "2999"), None);
}

#[test]
fn the_figures_of_the_queue_stand_beside_those_of_the_cache() {
    let (cache, _) = cache(10);
    let stats = cache.stats(QueueFigures {
        length: 3,
        is_processing: true,
    });
    let shown = serde_json::to_value(stats).expect("figures are JSON");
    let expected = serde_json::json!({
        "size": 0, "max": 10, "queueLength": 3, "isProcessing": true,
        "hits": 0, "misses": 0, "followers": 0, "weight": 0,
    });
    assert_eq!(shown, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_identical_requests_have_one_lead() {
    let (cache, _) = cache(10);
    let (entered, mut entries) = tokio::sync::mpsc::unbounded_channel();
    let (land, landed) = tokio::sync::watch::channel(false);
    let mut requests = JoinSet::new();
    for _ in 0..100 {
        let (cache, entered, mut landed) = (Arc::clone(&cache), entered.clone(), landed.clone());
        requests.spawn(async move {
            let entry = cache.enter(key("one"));
            entered.send(name(&entry)).expect("the test listens");
            match entry {
                Entry::Lead(lead) => {
                    landed.wait_for(|landed| *landed).await.expect("the test says so");
                    lead.fill(answer("rivers"));
                    "rivers".to_owned()
                }
                Entry::Follow(follow) => follow.wait().await.expect("an answer").text.clone(),
                other => panic!("{} before there is an answer", name(&other)),
            }
        });
    }
    let mut leads = 0;
    for _ in 0..100 {
        leads += u32::from(entries.recv().await.expect("each enters") == "a lead");
    }
    assert_eq!(leads, 1);
    assert_eq!(hit(&cache, "two"), None, "one that takes long holds up nobody else");
    land.send_replace(true);
    while let Some(text) = requests.join_next().await {
        assert_eq!(text.expect("no request panics"), "rivers");
    }
    check(&cache, (1, 0, 2, 99));
    assert_eq!(hit(&cache, "one").as_deref(), Some("rivers"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn after_a_lead_that_gives_up_exactly_one_other_leads() {
    let (cache, _) = cache(10);
    let first = lead(&cache, "one");
    let (led, mut leads) = tokio::sync::mpsc::unbounded_channel();
    let mut requests = JoinSet::new();
    for _ in 0..100 {
        let (cache, led) = (Arc::clone(&cache), led.clone());
        // Entered here, so that all hundred follow the one that gives up.
        let follow = follow(&cache, "one");
        requests.spawn(async move {
            assert_eq!(follow.wait().await, None);
            match cache.enter(key("one")) {
                Entry::Lead(lead) => {
                    let (go, told) = oneshot::channel();
                    led.send(go).expect("the test listens");
                    told.await.expect("the test says so");
                    lead.fill(answer("rivers"));
                    true
                }
                Entry::Follow(follow) => {
                    assert_eq!(follow.wait().await.expect("an answer").text, "rivers");
                    false
                }
                Entry::Hit(cached) => {
                    assert_eq!(cached.text, "rivers");
                    false
                }
                Entry::Off => panic!("it is on"),
            }
        });
    }
    drop(led);
    drop(first);
    leads.recv().await.expect("one leads").send(()).expect("and waits");
    let mut leaders = 0;
    while let Some(is_leader) = requests.join_next().await {
        leaders += u32::from(is_leader.expect("no request panics"));
    }
    assert_eq!(leaders, 1);
    assert!(leads.recv().await.is_none(), "nobody else led");
    let stats = cache.stats(IDLE);
    assert_eq!((stats.misses, stats.hits + stats.followers), (2, 99));
}

#[tokio::test]
async fn a_follower_that_leaves_disturbs_nobody() {
    let (cache, _) = cache(10);
    let first = lead(&cache, "one");
    let (leaving, staying) = (follow(&cache, "one"), follow(&cache, "one"));
    let mut waiting = Box::pin(leaving.wait());
    assert!(futures::poll!(&mut waiting).is_pending());
    drop(waiting);
    drop(follow(&cache, "one"));
    first.fill(answer("rivers"));
    assert_eq!(staying.wait().await.expect("an answer").text, "rivers");
    check(&cache, (1, 0, 1, 1));
}

#[tokio::test]
async fn followers_of_an_answer_too_big_to_keep_get_it_all_the_same() {
    let (cache, _) = cache(1);
    let first = lead(&cache, "one");
    let follower = follow(&cache, "one");
    let big = "a".repeat(2 * UNIT_BYTES as usize);
    first.fill(answer(&big));
    assert_eq!(follower.wait().await.expect("an answer").text, big);
    assert_eq!(cache.stats(IDLE).size, 0);
}

#[tokio::test]
async fn a_fresh_lead_does_not_read_but_its_answer_serves_others() {
    let (cache, _) = cache(10);
    lead(&cache, "one").fill(answer("old"));
    let fresh = cache.lead_fresh(key("one")).expect("it is on");
    assert_eq!(hit(&cache, "one").as_deref(), Some("old"), "until the new one is there");
    fresh.fill(answer("new"));
    assert_eq!(hit(&cache, "one").as_deref(), Some("new"));

    let fresh = cache.lead_fresh(key("two")).expect("it is on");
    let follower = follow(&cache, "two");
    fresh.fill(answer("newer"));
    assert_eq!(follower.wait().await.expect("an answer").text, "newer");
}

#[tokio::test]
async fn a_fresh_lead_takes_over_and_an_earlier_call_cannot_replace_its_answer() {
    let (cache, _) = cache(10);
    let early = lead(&cache, "one");
    let follower = follow(&cache, "one");
    let fresh = cache.lead_fresh(key("one")).expect("it is on");
    let later = follow(&cache, "one");
    fresh.fill(answer("new"));
    early.fill(answer("old"));
    assert_eq!(follower.wait().await.expect("an answer").text, "old");
    assert_eq!(later.wait().await.expect("an answer").text, "new");
    assert_eq!(hit(&cache, "one").as_deref(), Some("new"));
}

#[tokio::test]
async fn an_early_lead_that_gives_up_leaves_the_one_that_took_over_alone() {
    let (cache, _) = cache(10);
    let early = lead(&cache, "one");
    let fresh = cache.lead_fresh(key("one")).expect("it is on");
    drop(early);
    let follower = follow(&cache, "one");
    fresh.fill(answer("new"));
    assert_eq!(follower.wait().await.expect("an answer").text, "new");
}

#[tokio::test]
async fn what_was_asked_before_clearing_is_not_kept_after_it() {
    let (cache, _) = cache(10);
    lead(&cache, "kept").fill(answer("old"));
    let early = lead(&cache, "one");
    let follower = follow(&cache, "one");
    cache.clear();
    assert_eq!(hit(&cache, "kept"), None);
    let late = lead(&cache, "one");
    early.fill(answer("old"));
    assert_eq!(follower.wait().await.expect("an answer").text, "old");
    assert_eq!(name(&cache.enter(key("one"))), "a follower", "only the late one counts");
    late.fill(answer("new"));
    assert_eq!(hit(&cache, "one").as_deref(), Some("new"));
    check(&cache, (1, 1, 4, 1));
}

#[tokio::test]
async fn what_is_forgotten_of_one_person_is_kept_of_another() {
    let (cache, _) = cache(10);
    let of_bob = CacheKey::new(
        "bob",
        "gemini-2.5-flash",
        &Content {
            prompt: "kept".to_owned(),
            system: None,
            images: Vec::new(),
            temperature: None,
            max_output_tokens: None,
        },
    );
    let Entry::Lead(bobs) = cache.enter(of_bob) else {
        panic!("bob shares an answer");
    };
    bobs.fill(answer("bob's"));
    lead(&cache, "kept").fill(answer("old"));
    let early = lead(&cache, "one");
    let follower = follow(&cache, "one");
    cache.forget("ada");
    assert_eq!(hit(&cache, "kept"), None);
    early.fill(answer("old"));
    assert_eq!(follower.wait().await.expect("an answer").text, "old");
    assert_eq!(hit(&cache, "one"), None, "it was under way when all was forgotten");
    assert_eq!(name(&cache.enter(of_bob)), "a hit");
}
