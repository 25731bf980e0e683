//! One connection from its first byte to its last.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpStream;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::task::TaskTracker;
use tracing::debug;

use super::Shared;
use super::exchange::answer;
use super::io::Watched;
use super::places::Place;
use super::state::{ConnectionState, Finding};
use crate::http::connection::Connection;

/// Of a head, and of what is read or written ahead.
const BUFFER_BYTES_MAX: usize = 32 * 1024;
const HEADERS_MAX: usize = 100;
const HEADER_LIST_BYTES_MAX: u32 = 32 * 1024;
const STREAMS_MAX: u32 = 100;
const STREAM_BUFFER_BYTES_MAX: usize = 16 * 1024;
/// Streams that were opened and reset before we looked at them, and streams that we had to reset.
const RESETS_MAX: usize = 20;
const PING_EVERY: Duration = Duration::from_secs(20);
const PING_PATIENCE: Duration = Duration::from_secs(20);

/// As good as at once.
const SOON: Duration = Duration::from_millis(10);

/// Streams of HTTP/2 are tasks of their own, joined like all others.
#[derive(Clone)]
struct Tasks(TaskTracker);

impl<F> Executor<F> for Tasks
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    fn execute(&self, task: F) {
        self.0.spawn(task);
    }
}

pub(super) async fn drive(stream: TcpStream, connection: Connection, place: Place, shared: Arc<Shared>) {
    let state = Arc::new(ConnectionState::new(place));
    let io = TokioIo::new(Watched {
        stream,
        state: Arc::clone(&state),
    });
    let service = service_fn(|request| {
        let answer = answer(request, connection, &state, &shared);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let builder = builder(&shared.tasks);
    let mut serving = pin!(builder.serve_connection(io, service));
    let mut look = tokio::time::interval(shared.limits.look());
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut told, mut closing_since) = (false, None::<Instant>);
    let at_end = shared.limits.lame_duck.max(SOON);
    loop {
        tokio::select! {
            ended = serving.as_mut() => {
                if let Err(error) = ended {
                    debug!(%error, "a connection broke off");
                }
                return;
            }
            () = state.place().lost(), if closing_since.is_none() => {
                if !state.had_request() {
                    return debug!("a connection without a request gave way to another");
                }
                closing_since = Some(Instant::now());
                serving.as_mut().graceful_shutdown();
            }
            () = shared.cut.cancelled() => return,
            () = shared.draining.cancelled(), if !told => {
                told = true;
                // HTTP/1 is told by a header of its next answer.
                if state.is_http2() {
                    serving.as_mut().graceful_shutdown();
                }
            }
            () = shared.closing.cancelled(), if closing_since.is_none() => {
                closing_since = Some(Instant::now());
                look = tokio::time::interval(shared.limits.look().min(at_end));
                serving.as_mut().graceful_shutdown();
            }
            _ = look.tick() => match state.look(&shared.limits) {
                Finding::Fine => {}
                Finding::Idle => serving.as_mut().graceful_shutdown(),
                Finding::Cut(why) => return debug!("a connection is cut: {why}"),
            }
        }
        // Who has not sent a head since then has nothing under way.
        if closing_since.is_some_and(|since| since.elapsed() >= at_end) && state.is_done() {
            return;
        }
    }
}

fn builder(tasks: &TaskTracker) -> Builder<Tasks> {
    let mut builder = Builder::new(Tasks(tasks.clone()));
    builder
        .http1()
        .timer(TokioTimer::new())
        // Ours tells a head that dribbles from a connection that rests.
        .header_read_timeout(None)
        .max_headers(HEADERS_MAX)
        .max_buf_size(BUFFER_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(HEADER_LIST_BYTES_MAX)
        .max_concurrent_streams(STREAMS_MAX)
        .max_pending_accept_reset_streams(RESETS_MAX)
        .max_local_error_reset_streams(RESETS_MAX)
        .max_send_buf_size(STREAM_BUFFER_BYTES_MAX)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_PATIENCE);
    builder
}
