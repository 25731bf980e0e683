//! A server whose data store cannot be reached is alive, says that it is not ready, and keeps trying.

use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use super::storing::open_store;
use super::{OpenStore, StartError};
use crate::config::Config;
use crate::http::{self, ServeLimits, Serving};
use crate::store::StoreError;

/// Between two tries, each of which waits by itself for a server to be found.
const PAUSE: Duration = Duration::from_secs(1);
/// Tries after which it is said once more that the store is still away.
const SAY_EVERY: u32 = 12;
/// How long answers that are on their way may take when the real server takes over.
const HAND_OVER_MAX: Duration = Duration::from_secs(2);

/// Opens the store, for as long as it takes if it is one that others run; serves what can be served meanwhile.
///
/// # Errors
/// As [`open_store`], but for a store that may be there later.
pub(super) async fn open_store_in_time(
    config: &Config,
    listener: TcpListener,
    limits: ServeLimits,
) -> Result<(TcpListener, OpenStore), StartError> {
    if config.mongo.is_none() {
        return Ok((listener, open_store(config).await?));
    }
    let (listener, meanwhile) = two_of(listener).map_err(|error| StartError::Listen {
        address: (config.host, config.port).into(),
        reason: error.kind(),
    })?;
    let (stop, cut, tasks) = (CancellationToken::new(), CancellationToken::new(), TaskTracker::new());
    let serving = Serving {
        listener: meanwhile,
        router: http::starting(config.production),
        limits: ServeLimits {
            lame_duck: Duration::ZERO,
            ..limits
        },
        bounds: config.connections,
        proxies: config.trusted_proxies.clone(),
    };
    tasks.spawn(serving.run(stop.clone(), cut.clone()));
    tasks.close();
    let opened = keep_trying(config).await;
    stop.cancel();
    if tokio::time::timeout(HAND_OVER_MAX, tasks.wait()).await.is_err() {
        cut.cancel();
        tasks.wait().await;
    }
    Ok((listener, opened?))
}

async fn keep_trying(config: &Config) -> Result<OpenStore, StartError> {
    let mut tries = 0_u32;
    loop {
        match open_store(config).await {
            Err(StartError::Store(StoreError::Unavailable(why))) => {
                if tries.is_multiple_of(SAY_EVERY) {
                    warn!("not ready: {why}. The start goes on when the data store is there");
                }
            }
            opened => {
                if tries > 0 && opened.is_ok() {
                    info!("the data store is there");
                }
                return opened;
            }
        }
        tries = tries.saturating_add(1);
        tokio::time::sleep(PAUSE).await;
    }
}

/// The same socket twice: who connects while one hands over to the other waits, and is not refused.
fn two_of(listener: TcpListener) -> std::io::Result<(TcpListener, TcpListener)> {
    let one = listener.into_std()?;
    let other = one.try_clone()?;
    Ok((TcpListener::from_std(one)?, TcpListener::from_std(other)?))
}
