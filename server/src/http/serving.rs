//! Accepts connections and serves them within bounds: of number, of time, of memory. Ends them without breaking a request.
//!
//! `axum::serve` sets no timer: whoever sends one byte of a head and waits would hold a connection for ever.

mod descriptors;
mod driving;
mod exchange;
mod frames;
mod head;
mod io;
mod limits;
mod pace;
mod places;
mod state;
mod upload;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use ipnet::IpNet;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use super::connection::Connection;
use crate::config::ConnectionBounds;
use places::Places;
use upload::UploadBudget;

pub use limits::ServeLimits;
pub(super) use upload::{BodyFault, Sender, at_most, discarded, sent_by};

/// While the system has no descriptor or no memory for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Without a failure to accept: then the next one is news.
const ACCEPT_QUIET: Duration = Duration::from_secs(60);
/// How long dropped connections may take to end their tasks.
const CUT_TIME_MAX: Duration = Duration::from_millis(500);

/// Told to a connection for which there is no place.
const NO_PLACE: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// A listener with all that its connections are served by.
pub struct Serving {
    pub listener: TcpListener,
    pub router: Router,
    pub limits: ServeLimits,
    pub bounds: ConnectionBounds,
    /// Proxies speak for many callers: the bound of one address is not theirs.
    pub proxies: Vec<IpNet>,
}

/// What every connection shares.
struct Shared {
    router: Router,
    limits: ServeLimits,
    uploads: Arc<UploadBudget>,
    tasks: TaskTracker,
    /// Requests are answered, and callers are told to come back on another connection.
    draining: CancellationToken,
    /// Connections end with the requests on them.
    closing: CancellationToken,
    /// Connections end now.
    cut: CancellationToken,
}

impl Serving {
    /// Serves until `draining`; then lets requests end, those that arrive within the lame-duck time too. `cut` breaks off what
    /// is left.
    pub async fn run(self, draining: CancellationToken, cut: CancellationToken) {
        let places = Places::new(descriptors::within_limit(self.bounds), self.proxies);
        let (listener, limits) = (self.listener, self.limits);
        let shared = Arc::new(Shared {
            router: self.router,
            limits,
            uploads: Arc::new(UploadBudget::new(limits.uploads_bytes_max)),
            tasks: TaskTracker::new(),
            draining: draining.clone(),
            closing: CancellationToken::new(),
            cut: cut.clone(),
        });
        tokio::select! {
            () = accept(&listener, &places, &shared) => {}
            () = draining.cancelled() => {}
        }
        if places.len() > 0 {
            // Whoever balances the load needs a moment to see that this instance is not ready any more.
            tokio::select! {
                () = accept(&listener, &places, &shared) => {}
                () = tokio::time::sleep(limits.lame_duck) => {}
                () = cut.cancelled() => {}
            }
        }
        drop(listener);
        shared.closing.cancel();
        shared.tasks.close();
        tokio::select! {
            () = shared.tasks.wait() => {}
            () = cut.cancelled() => {
                warn!(connections = places.len(), "connections that are still open are cut");
                if tokio::time::timeout(CUT_TIME_MAX, shared.tasks.wait()).await.is_err() {
                    warn!("not every connection has ended");
                }
            }
        }
    }
}

/// Never ends: a failure to accept is that of one connection, or passes.
async fn accept(listener: &TcpListener, places: &Places, shared: &Arc<Shared>) {
    let mut shortage = Shortage::default();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => begin(stream, peer, places, shared),
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                if shortage.begins(Instant::now()) {
                    warn!(%error, "no connection can be accepted");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// A time in which connections cannot be accepted, now and then or at all.
#[derive(Default)]
struct Shortage {
    last_failure: Option<Instant>,
}

impl Shortage {
    /// Notes a failure. Whether it is the first one of its time: it is logged once, not twenty times a second.
    fn begins(&mut self, now: Instant) -> bool {
        let before = self.last_failure.replace(now);
        before.is_none_or(|at| now.duration_since(at) >= ACCEPT_QUIET)
    }
}

fn is_of_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionRefused | ConnectionAborted | ConnectionReset | Interrupted
    )
}

fn begin(stream: TcpStream, peer: SocketAddr, places: &Places, shared: &Arc<Shared>) {
    let Some(place) = places.enter(peer.ip()) else {
        debug!("a connection is refused: there are too many");
        // Best effort: who does not read it sees the connection closed.
        let _ = stream.try_write(NO_PLACE);
        return;
    };
    // Small pieces of a stream must not wait for an acknowledgement of the piece before.
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "TCP_NODELAY could not be set");
    }
    let connection = Connection {
        peer,
        local: stream.local_addr().ok(),
    };
    let shared_by = Arc::clone(shared);
    shared.tasks.spawn(driving::drive(stream, connection, place, shared_by));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortage_is_told_once() {
        let (mut shortage, mut now) = (Shortage::default(), Instant::now());
        assert!(shortage.begins(now));
        for _ in 0..10_000 {
            now += ACCEPT_PAUSE;
            assert!(!shortage.begins(now));
        }
        assert!(shortage.begins(now + ACCEPT_QUIET), "the next one");
    }
}
