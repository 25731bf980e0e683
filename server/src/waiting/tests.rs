use pool::{AccountId, Key, KeyId, KeyPool, LimitUnit, Limits, Outcome, Policy, ProjectId, Strategy, Tier, Verdict};

use super::*;
use crate::clock::next_provider_midnight;

const START: Timestamp = Timestamp::from_millis(1_768_478_400_000);
const MINUTE: Outcome = Outcome::MinuteQuota {
    retry_after: Some(Duration::from_secs(4)),
    limit: None,
};

/// One key that serves one call at a time, so that a line forms.
struct Scene {
    clock: Clock,
    pool: SharedPool,
    room: WaitingRoom,
    model: ModelId,
    stop: CancellationToken,
    serving: tokio::task::JoinHandle<()>,
}

impl Scene {
    fn new(bounds: QueueBounds) -> Self {
        let clock = Clock::by_hand(START);
        let core = KeyPool::new(Policy::default(), Strategy::Headroom, next_provider_midnight);
        let (pool, _) = SharedPool::new(core, clock.clone());
        let model = pool.model("flash").expect("room for a model");
        pool.upsert(Key {
            id: KeyId(1),
            number: 1,
            project: ProjectId(1),
            account: AccountId(1),
            tier: Tier::Free,
            priority: 0,
            weight: 1,
            enabled: true,
        });
        let one = Limits {
            calls_at_once: Some(1),
            ..Limits::default()
        };
        pool.set_limits(&[(None, Tier::Free, one)]);
        let room = WaitingRoom::new(pool.clone(), clock.clone(), bounds);
        let stop = CancellationToken::new();
        #[expect(clippy::disallowed_methods, reason = "joined by Scene::end")]
        let serving = tokio::spawn(run(room.clone(), stop.clone()));
        Self {
            clock,
            pool,
            room,
            model,
            stop,
            serving,
        }
    }

    fn usual() -> Self {
        Self::new(QueueBounds {
            waiting_max: 10,
            wait_max: Duration::from_secs(30),
        })
    }

    fn wish(&self, caller: &str) -> Wish {
        Wish {
            model: self.model,
            tokens: 10,
            journey: self.pool.journey(),
            caller: caller.to_owned(),
            deadline: Instant::now() + Duration::from_secs(60),
        }
    }

    fn lease(&self) -> LeaseGuard {
        match self.room.enter(self.wish("first")) {
            Entered::Leased(lease) => lease,
            other => panic!("{other:?}"),
        }
    }

    fn ticket(&self, caller: &str) -> Ticket {
        match self.room.enter(self.wish(caller)) {
            Entered::Waiting(ticket) => ticket,
            other => panic!("{other:?}"),
        }
    }

    fn under_way(&self) -> u32 {
        let snapshot = self.pool.snapshot();
        snapshot.keys[0].cells.first().map_or(0, |cell| cell.in_flight)
    }

    async fn end(self) {
        self.stop.cancel();
        self.serving.await.expect("the line is served to the end");
    }
}

async fn place(ticket: &mut Ticket) -> u32 {
    match ticket.next().await {
        Turn::Place(place) => place.position,
        other => panic!("{other:?}"),
    }
}

async fn served(ticket: &mut Ticket) -> LeaseGuard {
    loop {
        match ticket.next().await {
            Turn::Place(_) => {}
            Turn::Leased(lease) => return lease,
            Turn::Refused(refusal) => panic!("{refusal:?}"),
        }
    }
}

#[tokio::test]
async fn a_request_waits_for_its_turn_and_is_told_its_place() {
    let scene = Scene::usual();
    let first = scene.lease();
    let (mut second, mut third) = (scene.ticket("ann"), scene.ticket("ben"));
    assert_eq!((place(&mut second).await, place(&mut third).await), (1, 2));
    first.report(&Outcome::Success { tokens: 1 });
    let lease = served(&mut second).await;
    assert_eq!(place(&mut third).await, 1);
    lease.report(&Outcome::Success { tokens: 1 });
    served(&mut third).await.report(&Outcome::Success { tokens: 1 });
    assert!(scene.room.is_empty());
    scene.end().await;
}

#[tokio::test]
async fn callers_take_turns() {
    let scene = Scene::usual();
    let mut lease = scene.lease();
    let mut line: Vec<(&str, Ticket)> = ["ann", "ann", "ann", "ben"]
        .into_iter()
        .map(|caller| (caller, scene.ticket(caller)))
        .collect();
    let mut order = Vec::new();
    while !line.is_empty() {
        lease.report(&Outcome::Success { tokens: 1 });
        let turns = line.iter_mut().map(|(_, ticket)| Box::pin(served(ticket)));
        let (next, place, _) = futures::future::select_all(turns).await;
        lease = next;
        order.push(line.remove(place).0);
    }
    assert_eq!(order, ["ann", "ben", "ann", "ann"]);
    lease.report(&Outcome::Success { tokens: 1 });
    scene.end().await;
}

#[tokio::test]
async fn nobody_overtakes_who_waits() {
    let scene = Scene::usual();
    let first = scene.lease();
    let mut waiting = scene.ticket("ann");
    first.report(&Outcome::Success { tokens: 1 });
    // The key may be free for an instant before the line is served.
    assert!(scene.room.try_now(&scene.wish("ben")).is_err() || scene.room.is_empty());
    served(&mut waiting).await.report(&Outcome::Success { tokens: 1 });
    scene.end().await;
}

#[tokio::test]
async fn who_leaves_the_line_leaves_no_trace() {
    let scene = Scene::usual();
    let first = scene.lease();
    for _ in 0..1_000 {
        drop(scene.ticket("ann"));
    }
    let mut last = scene.ticket("ben");
    assert_eq!(place(&mut last).await, 1);
    let gone = scene.ticket("cleo");
    first.report(&Outcome::Success { tokens: 1 });
    let lease = served(&mut last).await;
    lease.report(&Outcome::Success { tokens: 1 });
    // Whether it was handed a lease or not.
    drop(gone);
    assert!(scene.room.is_empty());
    assert_eq!(scene.under_way(), 0);
    scene.lease().report(&Outcome::Success { tokens: 1 });
    scene.end().await;
}

#[tokio::test]
async fn a_rest_that_ends_serves_the_line() {
    let scene = Scene::usual();
    scene.lease().report(&MINUTE);
    let mut waiting = scene.ticket("ann");
    let Turn::Place(place) = waiting.next().await else {
        panic!("told its place first");
    };
    assert_eq!((place.position, place.estimate), (1, Duration::from_secs(5)));
    scene.clock.advance(Duration::from_secs(5));
    served(&mut waiting).await.report(&Outcome::Success { tokens: 1 });
    scene.end().await;
}

#[tokio::test]
async fn who_cannot_be_served_in_time_is_told_at_once() {
    let scene = Scene::new(QueueBounds {
        waiting_max: 10,
        wait_max: Duration::from_secs(3),
    });
    scene.lease().report(&MINUTE);
    let Entered::Refused(refusal) = scene.room.enter(scene.wish("ann")) else {
        panic!("the key rests for 5 s");
    };
    assert!(!refusal.line_is_full);
    assert_eq!(refusal.exhausted.retry_at, Some(START.plus(Duration::from_secs(5))));
    scene.end().await;
}

#[tokio::test]
async fn a_rest_that_grows_refuses_those_who_wait_for_it() {
    let scene = Scene::usual();
    let first = scene.lease();
    let mut waiting = scene.ticket("ann");
    let limit = Some(pool::Limit {
        unit: LimitUnit::Requests,
        value: 1,
    });
    first.report(&Outcome::DayQuota { limit });
    let refusal = loop {
        match waiting.next().await {
            Turn::Place(_) => {}
            Turn::Refused(refusal) => break refusal,
            Turn::Leased(lease) => panic!("{lease:?}"),
        }
    };
    assert_eq!(refusal.exhausted.verdict, Verdict::AllSpent);
    assert!(scene.room.is_empty());
    scene.end().await;
}

#[tokio::test]
async fn a_full_line_takes_nobody() {
    let scene = Scene::new(QueueBounds {
        waiting_max: 2,
        wait_max: Duration::from_secs(30),
    });
    let first = scene.lease();
    let line = [scene.ticket("ann"), scene.ticket("ben")];
    let Entered::Refused(refusal) = scene.room.enter(scene.wish("cleo")) else {
        panic!("two may wait");
    };
    assert!(refusal.line_is_full && refusal.exhausted.retry_at.is_some());
    drop(line);
    drop(first);
    scene.end().await;
}

#[tokio::test]
async fn a_server_that_stops_tells_those_who_wait() {
    let scene = Scene::usual();
    let first = scene.lease();
    let mut waiting = scene.ticket("ann");
    assert_eq!(place(&mut waiting).await, 1);
    scene.stop.cancel();
    assert!(matches!(waiting.next().await, Turn::Refused(_)));
    assert!(matches!(scene.room.enter(scene.wish("ben")), Entered::Refused(_)));
    drop(first);
    scene.end().await;
}

#[tokio::test]
async fn the_estimate_counts_those_who_go_first() {
    let scene = Scene::new(QueueBounds {
        waiting_max: 10,
        wait_max: Duration::from_secs(90),
    });
    let two = Limits {
        requests_per_minute: Some(2),
        ..Limits::default()
    };
    scene.pool.set_limits(&[(None, Tier::Free, two)]);
    for _ in 0..2 {
        scene.lease().report(&Outcome::Success { tokens: 1 });
    }
    let wish = |caller| Wish {
        deadline: Instant::now() + Duration::from_secs(900),
        ..scene.wish(caller)
    };
    let mut line = Vec::new();
    for _ in 0..2 {
        match scene.room.enter(wish("ann")) {
            Entered::Waiting(ticket) => line.push(ticket),
            other => panic!("{other:?}"),
        }
    }
    let Entered::Refused(refusal) = scene.room.enter(wish("ben")) else {
        panic!("two a minute, and two wait: the third comes after two minutes");
    };
    assert_eq!(refusal.exhausted.retry_at, Some(START.plus(Duration::from_secs(120))));
    let Turn::Place(place) = line[1].next().await else {
        panic!("told its place first");
    };
    assert_eq!((place.position, place.estimate), (2, Duration::from_secs(60)));
    drop(line);
    scene.end().await;
}

#[tokio::test]
async fn nobody_waits_longer_than_the_setting_says() {
    let scene = Scene::new(QueueBounds {
        waiting_max: 2,
        wait_max: Duration::from_millis(1_100),
    });
    let first = scene.lease();
    let mut waiting = scene.ticket("ann");
    let refusal = loop {
        match waiting.next().await {
            Turn::Place(_) => {}
            Turn::Refused(refusal) => break refusal,
            Turn::Leased(lease) => panic!("{lease:?}"),
        }
    };
    assert!(!refusal.line_is_full);
    drop(waiting);
    assert!(scene.room.is_empty());
    drop(first);
    scene.end().await;
}
