//! Which key serves the next request, when, and why not.
//!
//! The pool decides and does nothing: it reads no clock, makes no call and keeps no secret. Time and chance are
//! arguments, so the same calls lead to the same result. A shell leases a key, makes the call, and reports the outcome:
//!
//! ```
//! # use pool::{AccountId, Key, KeyId, KeyPool, Outcome, Policy, ProjectId, Strategy, Tier, Timestamp, Want};
//! # use core::time::Duration;
//! # fn next_reset(now: Timestamp) -> Timestamp { now.plus(Duration::from_secs(3_600)) }
//! let now = Timestamp::from_millis(1_800_000_000_000);
//! let mut pool = KeyPool::new(Policy::default(), Strategy::Headroom, next_reset);
//! pool.upsert(
//!     Key {
//!         id: KeyId(1),
//!         number: 1,
//!         project: ProjectId(1),
//!         account: AccountId(1),
//!         tier: Tier::Free,
//!         priority: 0,
//!         weight: 1,
//!         enabled: true,
//!     },
//!     now,
//! );
//! let model = pool.model("gemini-2.5-flash")?;
//! let journey = pool.journey();
//! let want = Want { model, tokens: 1_200, journey: &journey, owner: None };
//! let lease = pool.acquire(&want, now, 0).expect("the only key is ready");
//! assert_eq!(lease.key(), KeyId(1));
//! let changes = pool.report(lease, &Outcome::Success { tokens: 1_187 }, now.plus(Duration::from_millis(840)));
//! assert!(changes.is_empty());
//! # Ok::<(), pool::TooManyModels>(())
//! ```
//!
//! # What rests, and how it returns
//!
//! A provider counts quota per project and model: that pair is a *cell*, and a key adds only its own validity. An
//! outcome puts one of these to rest:
//!
//! | scope | outcomes | returns by |
//! | --- | --- | --- |
//! | key | `InvalidKey`, `Revoked`, `KeyConfig` | a probe; `Revoked` by a person |
//! | project | `Revoked`, `KeyConfig` of the whole project | the same |
//! | account | `Billing`; `Spend` | a probe; time and a trial |
//! | cell | `DayQuota`, `MinuteQuota`, `ZeroLimit` | time and a trial |
//! | key on a model | `Bare429` | time and a trial |
//! | model | `ModelGone`; `Overload`, `Server`, `Transport` through the breaker | time and a trial |
//! | everything | `Bare429` of several projects at once | time and a trial |
//!
//! ```text
//!          rest                    time                  acquire
//!  Open ──────────▶ Resting{until} ─────▶ Waiting ─────────────────▶ Trying (one call)
//!   ▲                 │   ▲                  ▲                        │  │   │
//!   │    a later until│   │                  └── any other outcome ───┘  │   │
//!   │                 └───┤                      or lost after a while   │   │
//!   │                     └────────────────────── rest ──────────────────┘   │
//!   └──────────────── success, or a person's reset, from anywhere ───────────┘
//!
//!                   a call says invalid            a probe says invalid
//!  key:    Ready ──────────────────────▶ Suspect ───────────────────────▶ Invalid ◀─┐ every 6 h
//!            ▲                              │ a probe is let in               │ └───────┘
//!            └──────────────────────────────┴─────────────────────────────────┘
//! ```
//!
//! A rest that is over is a comparison with `now`, not a job. Of two deadlines the later wins. A call that was under
//! way before a rest neither shortens it nor makes the next one longer.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

extern crate alloc;

mod breaker;
mod budget;
mod cell;
mod journey;
mod key;
mod lease;
mod model;
mod outcome;
mod policy;
mod pool;
mod quota;
mod record;
mod rest;
mod roster;
mod selection;
mod slots;
mod snapshot;
mod table;
mod tables;
mod time;
mod usage;

pub use journey::{Journey, Next};
pub use key::{AccountId, Key, KeyId, KeyState, ProjectId, Tier};
pub use lease::{Exhausted, Lease, LeaseFacts, Want};
pub use model::{ModelId, TooManyModels};
pub use outcome::{Blame, Limit, LimitUnit, Outcome};
pub use policy::{Doubling, Pace, Policy};
pub use pool::{KeyPool, Place, Scope, UnknownKey};
pub use quota::{Limits, Used};
pub use record::{Changes, Fault, Notice, Record, RestCause, StoredBilling, StoredFault, StoredMinute, StoredRest};
pub use selection::Strategy;
pub use snapshot::{CellState, CellView, Counts, GateState, KeyView, ModelView, Snapshot, Verdict};
pub use time::Timestamp;
