use std::net::{Ipv4Addr, Ipv6Addr};

use super::buckets::CALLERS_MAX;
use super::*;

const NOON: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn limiter(requests: u64, window_ms: u64) -> (RateLimiter, Clock) {
    let clock = Clock::by_hand(NOON);
    let limit = RateLimit {
        requests,
        window: Duration::from_millis(window_ms),
    };
    (RateLimiter::new(limit, clock.clone()), clock)
}

fn address(text: &str) -> Caller<'static> {
    Caller::Address(text.parse().expect("an address"))
}

fn token(id: &str, requests_per_minute: Option<u32>) -> Caller<'_> {
    Caller::Token {
        owner: "ada",
        id,
        requests_per_minute,
    }
}

/// How many of `tries` are taken.
fn taken(limiter: &RateLimiter, caller: &Caller<'_>, tries: usize) -> usize {
    (0..tries).filter(|_| limiter.take(caller).allowed()).count()
}

#[test]
fn a_quota_may_be_sent_at_once_and_comes_back_evenly() {
    let (limiter, clock) = limiter(5, 60_000);
    let ada = Caller::User("ada");
    for remaining in (0..5).rev() {
        let decision = limiter.take(&ada);
        let standing = decision.standings[0];
        assert!(decision.allowed());
        assert_eq!((standing.quota, standing.remaining), (5, remaining));
        assert_eq!(standing.reset_after, Duration::from_secs((5 - remaining) * 12));
    }
    let refused = limiter.take(&ada);
    assert_eq!(refused.retry_after, Some(Duration::from_secs(12)));
    assert_eq!(
        refused.standings[0].reset_after,
        Duration::from_secs(60),
        "a refused request costs nothing"
    );
    clock.advance(Duration::from_millis(11_999));
    assert_eq!(limiter.take(&ada).retry_after, Some(Duration::from_millis(1)));
    clock.advance(Duration::from_millis(1));
    assert_eq!(taken(&limiter, &ada, 2), 1);
    clock.advance(Duration::from_secs(60));
    assert_eq!(
        taken(&limiter, &ada, 9),
        5,
        "a whole window brings all of it back, no more"
    );
}

#[test]
fn the_quota_is_exact_for_every_size_of_window() {
    for (requests, window_ms) in [(1, 1), (7, 60_000), (1000, 900_000), (999, 1000), (3, 86_400_000)] {
        let (limiter, _) = limiter(requests, window_ms);
        let ada = Caller::User("ada");
        let tries = usize::try_from(requests).expect("small") + 5;
        assert_eq!(
            taken(&limiter, &ada, tries) as u64,
            requests,
            "{requests} in {window_ms} ms"
        );
    }
}

#[test]
fn more_requests_than_nanoseconds_and_a_window_without_end_do_not_overflow() {
    for (requests, window_ms) in [(u64::MAX, 1), (1, u64::MAX), (u64::MAX, u64::MAX)] {
        let (limiter, _) = limiter(requests, window_ms);
        let decision = limiter.take(&Caller::User("ada"));
        assert!(decision.allowed());
        assert_eq!(decision.standings[0].remaining, requests - 1);
    }
}

#[test]
fn nothing_is_no_limit() {
    let (limiter, _) = limiter(0, 900_000);
    assert_eq!(taken(&limiter, &address("192.0.2.1"), 5_000), 5_000);
    assert!(limiter.take(&Caller::User("ada")).standings.is_empty());
    assert_eq!(limiter.buckets.lock().expect("whole").len(), 0);
}

#[test]
fn callers_do_not_use_up_each_others_quota() {
    let (limiter, _) = limiter(3, 60_000);
    for caller in [
        Caller::User("ada"),
        Caller::User("grace"),
        address("192.0.2.1"),
        address("192.0.2.2"),
        // A user may be named as an address is.
        Caller::User("192.0.2.1"),
    ] {
        assert_eq!(taken(&limiter, &caller, 5), 3, "{caller:?}");
    }
}

#[test]
fn a_subscribers_addresses_are_one_caller() {
    let (limiter, _) = limiter(3, 60_000);
    let hosts = (0..20_u16).map(|host| Caller::Address(Ipv6Addr::new(0x2001, 0xdb8, 0, 7, 0, 0, 0, host).into()));
    assert_eq!(hosts.filter(|caller| limiter.take(caller).allowed()).count(), 3);
    assert_eq!(taken(&limiter, &address("2001:db8:0:8::1"), 5), 3, "the next network");
    assert_eq!(taken(&limiter, &address("192.0.2.1"), 2), 2);
    assert_eq!(
        taken(&limiter, &address("::ffff:192.0.2.1"), 5),
        1,
        "the same address in IPv6's clothes"
    );
}

#[test]
fn a_tokens_own_limit_applies_beside_its_owners() {
    let (limiter, clock) = limiter(10, 900_000);
    let decision = limiter.take(&token("slow", Some(2)));
    let tightest = decision.tightest().expect("two limits");
    assert_eq!((tightest.policy, tightest.quota, tightest.remaining), ("token", 2, 1));
    assert_eq!(taken(&limiter, &token("slow", Some(2)), 5), 1);
    let refused = limiter.take(&token("slow", Some(2)));
    assert_eq!(refused.retry_after, Some(Duration::from_secs(30)));
    assert_eq!(
        refused.standings[0].remaining, 8,
        "what the token's limit refuses is not taken from the owner"
    );
    assert_eq!(
        taken(&limiter, &token("fast", None), 20),
        8,
        "more tokens are not more requests"
    );
    assert_eq!(taken(&limiter, &Caller::User("ada"), 3), 0, "nor is a sign-in");
    clock.advance(Duration::from_secs(60));
    let refused = limiter.take(&token("slow", Some(2)));
    assert_eq!(refused.tightest().map(|standing| standing.policy), Some("caller"));
    assert_eq!(refused.standings[1].remaining, 2, "nor the other way round");
    assert_eq!(
        refused.retry_after,
        Some(Duration::from_secs(30)),
        "the longer wait of the two"
    );
}

#[test]
fn a_tokens_own_limit_applies_where_the_general_one_is_off() {
    let (limiter, _) = limiter(0, 900_000);
    assert_eq!(taken(&limiter, &token("slow", Some(3)), 9), 3);
    assert_eq!(taken(&limiter, &token("fast", None), 9), 9);
}

#[test]
fn a_clock_that_is_set_back_keeps_nobody_out() {
    let (limiter, clock) = limiter(5, 60_000);
    clock.advance(Duration::from_secs(86_400));
    assert_eq!(taken(&limiter, &Caller::User("ada"), 9), 5);
    clock.set(NOON);
    assert_eq!(
        taken(&limiter, &Caller::User("ada"), 9),
        5,
        "what a clock a day ahead wrote is void"
    );
}

#[test]
fn a_flood_of_addresses_does_not_grow_memory_nor_free_who_is_over_the_limit() {
    let (limiter, clock) = limiter(50, 900_000);
    let heavy = address("192.0.2.1");
    assert_eq!(taken(&limiter, &heavy, 60), 50);
    for number in 0..200_000_u32 {
        limiter.take(&Caller::Address(Ipv4Addr::from_bits(0x0a00_0000 + number).into()));
        if number % 10_000 == 0 {
            let callers = limiter.buckets.lock().expect("whole").len();
            assert!(callers <= CALLERS_MAX, "{callers} after {number}");
        }
    }
    assert!(limiter.buckets.lock().expect("whole").len() <= CALLERS_MAX);
    assert!(
        !limiter.take(&heavy).allowed(),
        "the flood did not give the heavy caller a new quota"
    );
    clock.advance(Duration::from_secs(901));
    limiter.take(&address("192.0.2.2"));
    assert_eq!(limiter.buckets.lock().expect("whole").len(), 1, "the rest is forgotten");
}
