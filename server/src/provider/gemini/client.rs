//! The HTTP client: few connections, no redirects, no proxies, and one free retry on a connection that went stale.

mod lanes;

use std::error::Error;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use reqwest::redirect::Policy;
use reqwest::{Request, Response};
use tower::{Layer, Service};

use self::lanes::{CALLS_MAX, Lanes, Place};
use super::Limits;

/// What one answer may send ahead of a caller that reads it slowly. Far more than a model writes in the time of a round trip.
const STREAM_WINDOW_BYTES: u32 = 16 * 1024;
/// Of all answers on one connection. What is read slowly counts in it, and must not hold up the others.
const CONNECTION_WINDOW_BYTES: u32 = 16 * 1024 * 1024;
const _: () = assert!(CALLS_MAX * STREAM_WINDOW_BYTES as usize <= CONNECTION_WINDOW_BYTES as usize / 2);
/// One HTTP/2 connection carries the calls of many keys: if it dies silently, it must be noticed before the calls time out.
const PING_INTERVAL: Duration = Duration::from_secs(8);
const PING_TIMEOUT: Duration = Duration::from_secs(4);

/// A call that brought no status line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoAnswer {
    TimedOut,
    /// Name lookup, connect, TLS, or a connection that broke.
    Lost,
}

#[derive(Debug, Clone)]
pub(super) struct Client {
    lanes: Arc<Lanes<Http>>,
    limits: Limits,
}

/// What came, with the place of its call.
pub(super) struct Answered {
    pub(super) response: Response,
    place: Place,
}

impl Answered {
    /// The place is free when this is dropped.
    pub(super) fn into_body(self) -> impl Stream<Item = reqwest::Result<Bytes>> + Send + use<> {
        let Self { response, place } = self;
        response.bytes_stream().map(move |piece| {
            let _held = &place;
            piece
        })
    }
}

impl Client {
    /// The error is the TLS library's, in words.
    pub(super) fn new(limits: &Limits) -> Result<Self, String> {
        Ok(Self {
            lanes: Arc::new(Lanes::new(Http::new(limits)?)),
            limits: *limits,
        })
    }

    /// Sends a request and waits for the status line, at most `limit` for both tries together.
    pub(super) async fn send(&self, request: Request, limit: Duration) -> Result<Answered, NoAnswer> {
        let (http, place) = self.lanes.enter(|| Http::new(&self.limits).ok());
        match tokio::time::timeout(limit, http.send_patiently(request)).await {
            Ok(Ok(response)) => Ok(Answered { response, place }),
            Ok(Err(error)) => {
                tracing::debug!(cause = chain(&error.without_url()), "the provider did not answer");
                Err(NoAnswer::Lost)
            }
            Err(_) => Err(NoAnswer::TimedOut),
        }
    }
}

/// One pool of connections.
#[derive(Debug, Clone)]
struct Http {
    client: reqwest::Client,
    connects: Connects,
}

impl Http {
    fn new(limits: &Limits) -> Result<Self, String> {
        let connects = Connects::default();
        let mut client = reqwest::Client::builder();
        if limits.http2_prior_knowledge {
            client = client.http2_prior_knowledge();
        }
        let client = client
            .user_agent(concat!("keypool/", env!("CARGO_PKG_VERSION")))
            // A redirect would carry the key to whoever is named in it.
            .redirect(Policy::none())
            .referer(false)
            .no_proxy()
            .connect_timeout(limits.connect_timeout)
            .pool_idle_timeout(limits.pool_idle_timeout)
            .tcp_nodelay(true)
            .http2_initial_stream_window_size(STREAM_WINDOW_BYTES)
            .http2_initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .http2_keep_alive_interval(PING_INTERVAL)
            .http2_keep_alive_timeout(PING_TIMEOUT)
            .connector_layer(connects.clone())
            .build()
            .map_err(|error| chain(&error.without_url()))?;
        Ok(Self { client, connects })
    }

    /// Once more, at no cost, when a connection that had served before was closed under the request.
    ///
    /// reqwest does not say which connection a request used. But when none was opened meanwhile, it was an old one.
    /// When another request did open one we do not know, and leave the retry to the pool.
    async fn send_patiently(&self, request: Request) -> Result<Response, reqwest::Error> {
        let again = request.try_clone();
        let connects_before = self.connects.count();
        let error = match self.client.execute(request).await {
            Ok(response) => return Ok(response),
            Err(error) => error,
        };
        let reused = self.connects.count() == connects_before && !error.is_connect();
        match again {
            Some(request) if reused => self.client.execute(request).await,
            _ => Err(error),
        }
    }
}

/// Counts the connections that were begun.
#[derive(Debug, Clone, Default)]
struct Connects(Arc<AtomicU64>);

impl Connects {
    fn count(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

impl<S> Layer<S> for Connects {
    type Service = Counted<S>;

    fn layer(&self, connector: S) -> Counted<S> {
        Counted {
            connector,
            connects: self.clone(),
        }
    }
}

#[derive(Debug, Clone)]
struct Counted<S> {
    connector: S,
    connects: Connects,
}

impl<S: Service<Target>, Target> Service<Target> for Counted<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.connector.poll_ready(context)
    }

    fn call(&mut self, target: Target) -> S::Future {
        self.connects.0.fetch_add(1, Ordering::SeqCst);
        self.connector.call(target)
    }
}

/// An error with its causes; the first one alone says only that sending failed.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}
