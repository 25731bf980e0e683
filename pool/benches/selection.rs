//! The cost of choosing with 3 and with 100,000 keys. Run: `cargo bench -p pool`.

#![allow(clippy::expect_used, reason = "a benchmark stops at the first surprise")]

use core::time::Duration;

use divan::{Bencher, black_box};
use pool::{
    AccountId, Key, KeyId, KeyPool, Limits, ModelId, Outcome, Policy, ProjectId, Strategy, Tier, Timestamp, Want,
};

const KEYS: [u64; 4] = [3, 100, 10_000, 100_000];
const DAY_MS: u64 = 86_400_000;
const START: Timestamp = Timestamp::from_millis(20_000 * DAY_MS);
const DAY_QUOTA: Outcome = Outcome::DayQuota { limit: None };

fn main() {
    divan::main();
}

fn next_reset(now: Timestamp) -> Timestamp {
    Timestamp::from_millis((now.as_millis() / DAY_MS + 1) * DAY_MS)
}

/// Keys with a project each, limits known, all of them used once.
fn pool_of(keys: u64, strategy: Strategy) -> (KeyPool, ModelId) {
    let mut pool = KeyPool::new(Policy::default(), strategy, next_reset);
    for id in 1..=keys {
        let key = Key {
            id: KeyId(id),
            number: u32::try_from(id).expect("few enough keys"),
            project: ProjectId(id),
            account: AccountId(id),
            tier: Tier::Free,
            priority: 0,
            weight: 1,
            enabled: true,
        };
        pool.upsert(key, START);
    }
    let model = pool.model("gemini-2.5-flash").expect("the first model");
    let limits = Limits {
        requests_per_minute: Some(1_000_000_000),
        tokens_per_minute: Some(1_000_000_000_000),
        requests_per_day: Some(1_000_000_000_000),
        tokens_per_day: None,
        calls_at_once: None,
    };
    let _ = pool.configure_limits(&[(None, Tier::Free, limits)], START);
    for id in 1..=keys {
        call(
            &mut pool,
            model,
            Some(ProjectId(id)),
            &Outcome::Success { tokens: 900 },
            START,
            0,
        );
    }
    (pool, model)
}

/// The same with all but one key out of their day's quota.
fn pool_with_one(keys: u64, strategy: Strategy) -> (KeyPool, ModelId) {
    let (mut pool, model) = pool_of(keys, strategy);
    for id in 1..keys {
        call(&mut pool, model, Some(ProjectId(id)), &DAY_QUOTA, START, 0);
    }
    (pool, model)
}

fn call(pool: &mut KeyPool, model: ModelId, owner: Option<ProjectId>, outcome: &Outcome, now: Timestamp, chance: u64) {
    let journey = pool.journey();
    let want = Want {
        model,
        tokens: 1_000,
        journey: &journey,
        owner,
    };
    let lease = pool.acquire(&want, now, chance).expect("a key is ready");
    let _changes = black_box(pool.report(lease, outcome, now));
}

/// A stream of random numbers (`SplitMix64`), cheap beside what is measured.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z ^ (z >> 27)
    }
}

/// One call at a time, a millisecond apart.
fn acquire_and_report(bencher: Bencher<'_, '_>, (mut pool, model): (KeyPool, ModelId)) {
    let mut chance = Chance(1);
    let mut now = START;
    let journey = pool.journey();
    bencher.bench_local(|| {
        now = now.plus(Duration::from_millis(1));
        let want = Want {
            model,
            tokens: 1_000,
            journey: &journey,
            owner: None,
        };
        let lease = pool.acquire(&want, now, chance.next()).expect("a key is ready");
        pool.report(lease, &Outcome::Success { tokens: 900 }, now)
    });
}

#[divan::bench(args = KEYS, sample_size = 1_000)]
fn acquire_and_report_all_usable(bencher: Bencher<'_, '_>, keys: u64) {
    acquire_and_report(bencher, pool_of(keys, Strategy::Headroom));
}

#[divan::bench(args = KEYS, sample_size = 1_000)]
fn acquire_and_report_one_usable(bencher: Bencher<'_, '_>, keys: u64) {
    acquire_and_report(bencher, pool_with_one(keys, Strategy::Headroom));
}

#[divan::bench(args = KEYS, sample_size = 1_000)]
fn acquire_and_report_sticky_all_usable(bencher: Bencher<'_, '_>, keys: u64) {
    acquire_and_report(bencher, pool_of(keys, Strategy::Sticky));
}

#[divan::bench(args = KEYS, sample_size = 1_000)]
fn acquire_and_report_sticky_one_usable(bencher: Bencher<'_, '_>, keys: u64) {
    acquire_and_report(bencher, pool_with_one(keys, Strategy::Sticky));
}

#[divan::bench(args = KEYS, sample_size = 1_000)]
fn acquire_and_report_fill_first_all_usable(bencher: Bencher<'_, '_>, keys: u64) {
    acquire_and_report(bencher, pool_of(keys, Strategy::FillFirst));
}

#[divan::bench(args = KEYS, sample_size = 1_000)]
fn acquire_and_report_fill_first_one_usable(bencher: Bencher<'_, '_>, keys: u64) {
    acquire_and_report(bencher, pool_with_one(keys, Strategy::FillFirst));
}

#[divan::bench(args = KEYS, sample_size = 1_000)]
fn acquire_and_report_round_robin_all_usable(bencher: Bencher<'_, '_>, keys: u64) {
    acquire_and_report(bencher, pool_of(keys, Strategy::RoundRobin));
}

#[divan::bench(args = KEYS, sample_size = 1_000)]
fn acquire_and_report_round_robin_one_usable(bencher: Bencher<'_, '_>, keys: u64) {
    acquire_and_report(bencher, pool_with_one(keys, Strategy::RoundRobin));
}

#[divan::bench(args = KEYS, sample_size = 1_000)]
fn acquire_and_report_weighted_all_usable(bencher: Bencher<'_, '_>, keys: u64) {
    acquire_and_report(bencher, pool_of(keys, Strategy::Weighted));
}

#[divan::bench(args = KEYS, sample_size = 1_000)]
fn acquire_and_report_weighted_one_usable(bencher: Bencher<'_, '_>, keys: u64) {
    acquire_and_report(bencher, pool_with_one(keys, Strategy::Weighted));
}

/// Choosing alone: which place, before anything of the key there is read, reserved or leased.
fn choose(bencher: Bencher<'_, '_>, (pool, model): (KeyPool, ModelId)) {
    let mut chance = Chance(1);
    let journey = pool.journey();
    let want = Want {
        model,
        tokens: 0,
        journey: &journey,
        owner: None,
    };
    bencher.bench_local(|| black_box(pool.peek(&want, START, chance.next())).is_some());
}

#[divan::bench(args = KEYS, sample_size = 1_000)]
fn choose_all_usable(bencher: Bencher<'_, '_>, keys: u64) {
    choose(bencher, pool_of(keys, Strategy::Headroom));
}

#[divan::bench(args = KEYS, sample_size = 1_000)]
fn choose_one_usable(bencher: Bencher<'_, '_>, keys: u64) {
    choose(bencher, pool_with_one(keys, Strategy::Headroom));
}

/// Leases without reports: choosing and reserving.
fn acquire(bencher: Bencher<'_, '_>, (mut pool, model): (KeyPool, ModelId)) {
    let mut chance = Chance(1);
    let journey = pool.journey();
    let want = Want {
        model,
        tokens: 0,
        journey: &journey,
        owner: None,
    };
    // The lease is forgotten at once: keeping thousands of them would measure the keeping.
    bencher.bench_local(|| black_box(pool.acquire(&want, START, chance.next())).is_ok());
}

#[divan::bench(args = KEYS, sample_size = 1_000)]
fn acquire_all_usable(bencher: Bencher<'_, '_>, keys: u64) {
    acquire(bencher, pool_of(keys, Strategy::Headroom));
}

#[divan::bench(args = KEYS, sample_size = 1_000)]
fn acquire_one_usable(bencher: Bencher<'_, '_>, keys: u64) {
    acquire(bencher, pool_with_one(keys, Strategy::Headroom));
}

/// The answer "nothing is left", asked again and again.
#[divan::bench(args = KEYS)]
fn refuse(bencher: Bencher<'_, '_>, keys: u64) {
    let (mut pool, model) = pool_with_one(keys, Strategy::Headroom);
    call(&mut pool, model, None, &DAY_QUOTA, START, 0);
    let journey = pool.journey();
    let want = Want {
        model,
        tokens: 1_000,
        journey: &journey,
        owner: None,
    };
    bencher.bench_local(|| pool.acquire(&want, START, 0));
}

/// A key is spent, rests and comes back: the ready list and the tree of rests are both moved.
#[divan::bench(args = KEYS, sample_size = 1_000)]
fn rest_and_return(bencher: Bencher<'_, '_>, keys: u64) {
    let (mut pool, model) = pool_of(keys, Strategy::Headroom);
    let mut chance = Chance(1);
    let mut now = START;
    let journey = pool.journey();
    let cool = Outcome::MinuteQuota {
        retry_after: None,
        limit: None,
    };
    bencher.bench_local(|| {
        // A rest lasts a minute: after a minute every call finds one that returned.
        now = now.plus(Duration::from_secs(61));
        let want = Want {
            model,
            tokens: 1_000,
            journey: &journey,
            owner: None,
        };
        let lease = pool.acquire(&want, now, chance.next()).expect("a key is ready");
        pool.report(lease, &cool, now)
    });
}
