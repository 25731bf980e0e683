//! The Gemini adapter against the simulator over real HTTP.

use std::sync::Arc;
use std::time::Duration;

use app::types::TokenUsage;
use futures::StreamExt;
use pool::Outcome;
use secrecy::SecretString;
use server::provider::gemini::{Gemini, Limits};
use server::provider::{Answer, Call, Chunk, Content, Failure, Mode, Provider};
use simulator::{Behaviour, Ended, Options, Simulator, fixtures};

const KEY: &str = "AQ.canary-key-0001";
const MODEL: &str = "gemini-2.5-flash";

/// Long enough for a busy machine to answer on loopback.
const LIMITS: Limits = Limits {
    connect_timeout: Duration::from_secs(5),
    headers_timeout: Duration::from_secs(10),
    idle_timeout: Duration::from_secs(10),
    total_timeout: Duration::from_secs(20),
    refusal_timeout: Duration::from_secs(10),
    pool_idle_timeout: Duration::from_secs(15),
    body_bytes_max: 1024 * 1024,
    line_bytes_max: 256 * 1024,
    refusal_bytes_max: 64 * 1024,
    http2_prior_knowledge: false,
};

/// As short as a limit must be that a test waits for.
const SHORT: Duration = Duration::from_millis(200);

struct Setup {
    simulator: Simulator,
    gemini: Gemini,
}

async fn setup(limits: Limits) -> Setup {
    let simulator = Simulator::start(Options::default()).await.unwrap();
    let gemini = Gemini::new(&simulator.base_url(), limits).unwrap();
    Setup { simulator, gemini }
}

fn call(mode: Mode) -> Call {
    let content = Content {
        prompt: "Which key is next?".to_owned(),
        system: None,
        images: Vec::new(),
        temperature: None,
        max_output_tokens: None,
    };
    Call {
        secret: SecretString::from(KEY),
        model: MODEL.to_owned(),
        content: Arc::new(content),
        mode,
    }
}

/// What a caller saw of a call.
struct Seen {
    text: String,
    end: Result<(String, TokenUsage), Failure>,
}

impl Seen {
    fn outcome(&self) -> Outcome {
        match &self.end {
            Ok((_, usage)) => Outcome::Success {
                tokens: usage.prompt_tokens,
            },
            Err(failure) => failure.outcome.clone(),
        }
    }

    /// The outcome's name in the corpus.
    fn kind(&self) -> String {
        format!("{:?}", self.outcome())
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .collect()
    }

    fn failure(&self) -> &Failure {
        self.end.as_ref().expect_err("the call must fail")
    }
}

async fn read(mut answer: Answer) -> Seen {
    let mut text = String::new();
    while let Some(chunk) = answer.next().await {
        let end = match chunk {
            Ok(Chunk::Text(more)) => {
                assert!(!more.is_empty());
                text += &more;
                continue;
            }
            Ok(Chunk::Finished { finish_reason, usage }) => Ok((finish_reason, usage)),
            Err(failure) => Err(failure),
        };
        assert!(answer.next().await.is_none(), "nothing follows the end");
        return Seen { text, end };
    }
    panic!("the answer ended without a last word");
}

impl Setup {
    async fn ask(&self, mode: Mode) -> Seen {
        match self.gemini.generate(call(mode)).await {
            Ok(answer) => read(answer).await,
            Err(failure) => Seen {
                text: String::new(),
                end: Err(failure),
            },
        }
    }

    async fn ask_scripted(&self, mode: Mode, behaviour: Behaviour) -> Seen {
        self.simulator.script(KEY, MODEL, vec![behaviour]);
        self.ask(mode).await
    }

    async fn until_left(&self) {
        self.simulator
            .wait_for(|calls| calls.last().is_some_and(|call| call.ended == Ended::ClosedByCaller))
            .await
            .unwrap();
        assert_eq!(self.simulator.in_progress(), 0);
    }
}

#[tokio::test]
async fn an_answer_comes_whole_or_in_pieces_and_is_the_same() {
    let setup = setup(LIMITS).await;
    let whole = setup.ask(Mode::Whole).await;
    let streamed = setup.ask(Mode::Streamed).await;
    assert!(whole.text.len() > 100, "{}", whole.text);
    assert_eq!(whole.text, streamed.text);
    assert_eq!(whole.end.unwrap().0, "STOP");
    let (_, usage) = streamed.end.unwrap();
    assert!(usage.prompt_tokens > 0 && usage.output_tokens > 0, "{usage:?}");
}

#[tokio::test]
async fn every_body_of_the_corpus_gets_its_outcome_over_http() {
    let setup = setup(LIMITS).await;
    for fixture in fixtures::all() {
        let mode = if fixture.stream { Mode::Streamed } else { Mode::Whole };
        let seen = setup.ask_scripted(mode, Behaviour::fixture(fixture.name)).await;
        assert_eq!(seen.kind(), fixture.outcome, "{}", fixture.name);
        if !fixture.stream {
            let seen = setup
                .ask_scripted(Mode::Streamed, Behaviour::fixture(fixture.name))
                .await;
            assert_eq!(
                seen.kind(),
                fixture.outcome,
                "{} where a stream was asked for",
                fixture.name
            );
        }
    }
}

#[tokio::test]
async fn the_key_travels_in_its_header_only_and_no_compression_is_asked_for() {
    let setup = setup(LIMITS).await;
    setup.ask(Mode::Whole).await;
    setup.ask(Mode::Streamed).await;
    setup.gemini.probe(&SecretString::from(KEY), MODEL).await.unwrap();
    let calls = setup.simulator.calls();
    let paths: Vec<_> = calls.iter().map(|call| call.path.as_str()).collect();
    let expected = [
        "/v1beta/models/gemini-2.5-flash:generateContent",
        "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
        "/v1beta/models/gemini-2.5-flash",
    ];
    assert_eq!(paths, expected);
    for call in calls {
        assert_eq!(call.key, KEY);
        assert!(!call.body.to_string().contains(KEY));
        assert!(
            call.headers
                .iter()
                .all(|(name, value)| name != "accept-encoding" && !value.contains(KEY)),
            "{:?}",
            call.headers
        );
    }
}

#[tokio::test]
async fn an_echoed_key_reaches_nobody() {
    let setup = setup(LIMITS).await;
    let seen = setup
        .ask_scripted(Mode::Whole, Behaviour::fixture("key-suspended"))
        .await;
    assert_eq!(seen.outcome(), Outcome::Revoked { whole_project: false });
    let shown = format!("{:?}", seen.failure());
    assert!(!shown.contains("AIza") && !shown.contains(KEY), "{shown}");
}

#[tokio::test]
async fn a_refusal_is_known_before_any_answer() {
    let setup = setup(LIMITS).await;
    setup
        .simulator
        .script(KEY, MODEL, vec![Behaviour::fixture("minute-requests")]);
    let failure = setup
        .gemini
        .generate(call(Mode::Streamed))
        .await
        .err()
        .expect("a refusal");
    assert!(matches!(failure.outcome, Outcome::MinuteQuota { retry_after: Some(delay), .. } if delay.as_secs() == 21));
}

#[tokio::test]
async fn a_provider_that_hangs_before_headers_is_given_up() {
    let setup = setup(Limits {
        headers_timeout: SHORT,
        ..LIMITS
    })
    .await;
    let seen = setup
        .ask_scripted(Mode::Whole, Behaviour::answer().hang_before_headers())
        .await;
    assert_eq!(seen.outcome(), Outcome::Transport);
    assert!(seen.failure().evidence.timed_out);
    setup.until_left().await;
}

#[tokio::test]
async fn a_stall_ends_by_the_idle_limit_with_the_outcome_of_what_was_sent_on() {
    let setup = setup(Limits {
        idle_timeout: SHORT,
        ..LIMITS
    })
    .await;
    for (bytes, text, outcome) in [(5, "", Outcome::Transport), (450, "Four ", Outcome::Truncated)] {
        let seen = setup
            .ask_scripted(Mode::Streamed, Behaviour::fixture("stream-ok").stall_after_bytes(bytes))
            .await;
        assert_eq!(
            (seen.text.as_str(), seen.outcome()),
            (text, outcome),
            "after {bytes} bytes"
        );
        assert!(seen.failure().evidence.timed_out);
        setup.until_left().await;
    }
}

#[tokio::test]
async fn a_stall_after_the_finish_frame_does_no_harm_and_is_not_waited_for() {
    let setup = setup(LIMITS).await;
    let body = fixtures::get("stream-ok").unwrap().body;
    let behaviour = Behaviour::respond(200, format!("{body}{body}")).stall_after_bytes(body.len() as u64);
    let asked = setup.ask_scripted(Mode::Streamed, behaviour);
    let seen = tokio::time::timeout(LIMITS.idle_timeout / 2, asked)
        .await
        .expect("an answer in time");
    assert_eq!((seen.text.as_str(), seen.kind().as_str()), ("Four keys.", "Success"));
}

#[tokio::test]
async fn a_dribbling_answer_ends_by_the_total_limit() {
    let setup = setup(Limits {
        total_timeout: SHORT,
        ..LIMITS
    })
    .await;
    let seen = setup
        .ask_scripted(Mode::Streamed, Behaviour::fixture("stream-ok").chunked(1, 20))
        .await;
    assert_eq!(seen.outcome(), Outcome::Transport);
    assert!(seen.failure().evidence.timed_out);
    setup.until_left().await;
}

#[tokio::test]
async fn a_reset_ends_an_answer_with_the_outcome_of_what_was_sent_on() {
    let setup = setup(LIMITS).await;
    for (bytes, outcome) in [(5, Outcome::Transport), (450, Outcome::Truncated)] {
        // Chunked slowly enough that the kernel does not drop what came before the reset.
        let behaviour = Behaviour::fixture("stream-ok").chunked(150, 5).reset_after_bytes(bytes);
        assert_eq!(
            setup.ask_scripted(Mode::Streamed, behaviour).await.outcome(),
            outcome,
            "after {bytes} bytes"
        );
    }
    let behaviour = Behaviour::fixture("ok").chunked(50, 5).reset_after_bytes(100);
    assert_eq!(
        setup.ask_scripted(Mode::Whole, behaviour).await.outcome(),
        Outcome::Transport
    );
}

#[tokio::test]
async fn an_answer_cut_cleanly_is_never_shown_complete() {
    let setup = setup(LIMITS).await;
    let body = fixtures::get("stream-ok").unwrap().body;
    let whole = body.trim_end().len();
    for at in (0..whole).step_by(13).chain([whole - 1]) {
        let behaviour = Behaviour::fixture("stream-ok").truncate_after_bytes(at as u64);
        let seen = setup.ask_scripted(Mode::Streamed, behaviour).await;
        let expected = if seen.text.is_empty() {
            Outcome::Empty
        } else {
            Outcome::Truncated
        };
        assert_eq!(seen.outcome(), expected, "after {at} bytes");
    }
}

#[tokio::test]
async fn a_huge_body_or_line_is_cut_off() {
    let setup = setup(LIMITS).await;
    for mode in [Mode::Whole, Mode::Streamed] {
        let seen = setup.ask_scripted(mode, Behaviour::huge_body(1 << 30)).await;
        assert_eq!(seen.outcome(), Outcome::Empty, "{mode:?}");
        assert!(seen.failure().evidence.garbled, "{mode:?}");
        setup.until_left().await;
    }
}

#[tokio::test]
async fn a_huge_refusal_is_judged_by_its_beginning() {
    let setup = setup(LIMITS).await;
    let seen = setup
        .ask_scripted(Mode::Whole, Behaviour::respond(503, "x".repeat(4 << 20)))
        .await;
    assert_eq!(seen.outcome(), Outcome::Overload);
}

#[tokio::test]
async fn a_refusal_whose_body_stalls_is_judged_by_its_status() {
    let setup = setup(Limits {
        refusal_timeout: SHORT,
        ..LIMITS
    })
    .await;
    let seen = setup
        .ask_scripted(Mode::Whole, Behaviour::fixture("overloaded").stall_after_bytes(10))
        .await;
    assert_eq!(seen.outcome(), Outcome::Overload);
    setup.until_left().await;
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let setup = setup(LIMITS).await;
    let elsewhere = Simulator::start(Options::default()).await.unwrap();
    for status in [301, 307, 308] {
        let behaviour = Behaviour::respond(status, "").with_header("location", &elsewhere.base_url());
        let seen = setup.ask_scripted(Mode::Whole, behaviour).await;
        assert_eq!(seen.outcome(), Outcome::Unknown, "{status}");
    }
    assert!(elsewhere.calls().is_empty());
}

#[tokio::test]
async fn a_reset_on_a_connection_that_served_before_costs_nothing() {
    let setup = setup(LIMITS).await;
    setup.simulator.script(
        KEY,
        MODEL,
        vec![Behaviour::answer(), Behaviour::answer().reset_before_headers()],
    );
    assert_eq!(setup.ask(Mode::Streamed).await.kind(), "Success");
    assert_eq!(setup.ask(Mode::Streamed).await.kind(), "Success");
    assert_eq!(setup.simulator.call_count(KEY), 3);
}

#[tokio::test]
async fn a_reset_on_a_new_connection_is_not_tried_again() {
    let setup = setup(LIMITS).await;
    let seen = setup
        .ask_scripted(Mode::Whole, Behaviour::answer().reset_before_headers())
        .await;
    assert_eq!(seen.outcome(), Outcome::Transport);
    assert!(!seen.failure().evidence.timed_out);
    assert_eq!(setup.simulator.call_count(KEY), 1);
}

#[tokio::test]
async fn an_address_where_nobody_listens_or_speaks_tls_is_a_transport_failure() {
    let simulator = Simulator::start(Options::default()).await.unwrap();
    let plain = simulator.base_url();
    let gone = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    for address in [gone, plain.replace("http:", "https:")] {
        let gemini = Gemini::new(&address, LIMITS).unwrap();
        let failure = gemini.generate(call(Mode::Whole)).await.err().expect("no answer");
        assert_eq!(failure.outcome, Outcome::Transport, "{address}");
    }
    assert!(simulator.calls().is_empty());
}

#[tokio::test]
async fn leaving_an_answer_closes_the_call() {
    let setup = setup(LIMITS).await;
    setup
        .simulator
        .script(KEY, MODEL, vec![Behaviour::fixture("stream-ok").stall_after_bytes(450)]);
    let mut answer = setup.gemini.generate(call(Mode::Streamed)).await.expect("an answer");
    assert_eq!(answer.next().await, Some(Ok(Chunk::Text("Four ".to_owned()))));
    assert_eq!(setup.simulator.in_progress(), 1);
    drop(answer);
    setup.until_left().await;
}

#[tokio::test]
async fn a_failed_answer_holds_no_connection_even_while_it_is_held() {
    let setup = setup(Limits {
        idle_timeout: SHORT,
        ..LIMITS
    })
    .await;
    setup
        .simulator
        .script(KEY, MODEL, vec![Behaviour::fixture("stream-ok").stall_after_bytes(5)]);
    let mut answer = setup.gemini.generate(call(Mode::Streamed)).await.expect("an answer");
    assert!(matches!(answer.next().await, Some(Err(_))));
    setup.until_left().await;
    drop(answer);
}

#[tokio::test]
async fn leaving_before_the_headers_closes_the_call() {
    let setup = setup(LIMITS).await;
    setup
        .simulator
        .script(KEY, MODEL, vec![Behaviour::answer().hang_before_headers()]);
    tokio::select! {
        _ = setup.gemini.generate(call(Mode::Whole)) => panic!("nothing was answered"),
        seen = setup.simulator.wait_for(|calls| calls.len() == 1) => seen.unwrap(),
    }
    setup.until_left().await;
}

#[tokio::test]
async fn a_probe_tells_good_keys_from_bad_ones() {
    let simulator = Simulator::start(Options {
        known_keys_only: true,
        known_keys: vec![KEY.to_owned()],
        ..Options::default()
    })
    .await
    .unwrap();
    let gemini = Gemini::new(&simulator.base_url(), LIMITS).unwrap();
    gemini.probe(&SecretString::from(KEY), MODEL).await.unwrap();
    for secret in ["AQ.unknown", "", "two\nlines"] {
        let failure = gemini.probe(&SecretString::from(secret), MODEL).await.unwrap_err();
        assert_eq!(failure.outcome, Outcome::InvalidKey, "{secret:?}");
    }
}
