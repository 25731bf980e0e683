//! Connections within what the system gives this process.

use tracing::info;

use crate::config::ConnectionBounds;

/// For the store, the listener, files that are served and the like.
const RESERVED: usize = 64;
/// Never fewer, or nobody could ask why.
const LEAST: usize = 16;

/// The bound, lowered so that accepting never fails for want of a descriptor: a request may need one for its caller and one for
/// the provider.
pub(super) fn within_limit(bounds: ConnectionBounds) -> ConnectionBounds {
    let Some(limit) = limit() else { return bounds };
    let possible = (limit.saturating_sub(RESERVED) / 2).max(LEAST);
    if bounds.max > possible {
        info!(
            limit,
            connections = possible,
            "the limit of open files allows fewer connections than CONNECTIONS_MAX: raise it (ulimit -n, LimitNOFILE) for more"
        );
    }
    let max = if bounds.max == 0 {
        possible
    } else {
        bounds.max.min(possible)
    };
    ConnectionBounds { max, ..bounds }
}

/// Descriptors of this process, the soft limit raised to the hard one. `None`: without a limit.
#[cfg(unix)]
fn limit() -> Option<usize> {
    use rustix::process::{Resource, getrlimit, setrlimit};

    let mut limit = getrlimit(Resource::Nofile);
    let soft = limit.current;
    if limit.maximum.is_some() {
        limit.current = limit.maximum;
        if setrlimit(Resource::Nofile, limit).is_err() {
            limit.current = soft;
        }
    }
    limit.current.map(|count| usize::try_from(count).unwrap_or(usize::MAX))
}

#[cfg(not(unix))]
fn limit() -> Option<usize> {
    None
}
