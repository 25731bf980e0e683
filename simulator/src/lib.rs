//! A fake Gemini API over real HTTP, for tests, browser tests, benchmarks and the demo.
//!
//! It listens on a loopback port, answers `generateContent`, `streamGenerateContent`, `countTokens` and `models` with
//! text that says it is simulated, keeps quotas per project and model as Google does, and misbehaves when told to.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use simulator::{Behaviour, Limits, Options, Simulator};
//!
//! let sim = Simulator::start(Options::default()).await?;
//! sim.limit("key-1", "*", Limits { rpd: Some(2), ..Limits::default() });
//! sim.script("key-2", "*", vec![Behaviour::fixture("overloaded"), Behaviour::answer()]);
//! // … let the code under test call `sim.base_url()` …
//! sim.wait_for(|calls| calls.len() == 3).await?;
//! sim.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! # What takes a script's next behaviour
//!
//! Generating calls do, which is every method of a model but `countTokens`: methods that the simulator does not know
//! (`embedContent`) are not found unless a script answers them. Everything else (`countTokens`, `models`, and any path it
//! does not know, such as files) costs no quota at the provider and is called here a *probe*. A probe is answered well, with two exceptions: what was scripted for the pseudo-model
//! [`PROBES`], and a sticky behaviour that blames the key (an invalid, revoked or misconfigured key fails everywhere).
//! Only [`Reply::Answer`] is metered against quotas; fixtures and hand-made replies are not.
//!
//! # The control API
//!
//! For tests in another language the same methods are under `/_control/`. Bodies are JSON; the answer to a `POST` is
//! `{}`, or status 400 with `{"error": "…"}`.
//!
//! | call | body or answer |
//! | --- | --- |
//! | `POST /_control/script` | `{"key":"k1", "model":"*", "behaviours":[…], "always":false}`; `always` wants exactly one behaviour |
//! | `POST /_control/clear` | nothing |
//! | `POST /_control/limit` | `{"project":"k1", "model":"*", "rpm":10, "tpm":250000, "rpd":250}`, each limit optional |
//! | `POST /_control/assign` | `{"key":"k1", "project":"p1"}` |
//! | `POST /_control/now` | `{"ms":1772956800000}`, or `{"ms":null}` for real time |
//! | `GET /_control/calls` | `{"calls":[{"key", "model", "method", "path", "headers", "body", "at_ms", "sent_bytes", "ended"}], "in_progress":0}` |
//!
//! A behaviour is [`Behaviour`] as JSON, every field optional:
//! `{"reply":"answer", "opening":{"delay":{"ms":200}}, "chunking":{"bytes":16, "pause_ms":5}, "cut":{"stall":{"after_bytes":120}}}`.
//! Replies are `"answer"`, `{"fixture":"day-quota-paid"}`, `{"respond":{"status":500, "headers":[["a","b"]], "body":"text"}}`,
//! `{"bytes":{"status":200, "headers":[], "base64":"H4sI"}}` and `{"huge":{"bytes":1000000}}`; openings `"prompt"`, `"hang"`, `"reset"` and `{"delay":{"ms":200}}`; cuts `stall`, `reset` and `truncate`.

pub mod fixtures;

mod answer;
mod behaviour;
mod calls;
mod clock;
mod connection;
mod google_error;
mod handle;
mod http;
mod options;
mod playback;
mod quota;
mod request;
mod script;
mod state;

pub use behaviour::{Behaviour, Chunking, Cut, Opening, Reply};
pub use calls::{Call, Ended};
pub use handle::{NotSeen, Simulator, run};
pub use options::{Limits, Options, Pace};
pub use script::PROBES;
