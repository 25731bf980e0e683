//! Where the server listens, and the files that it serves.

use std::net::SocketAddr;
use std::path::Path;

use leptos::config::LeptosOptions;
use tokio::net::{TcpListener, TcpSocket};

use super::StartError;
use crate::http::Site;

/// What is sent and not acknowledged: as much as a reader far away needs.
const SEND_BUFFER_BYTES: u32 = 64 * 1024;
/// Of that, what waits to be sent. More would be read from the provider, and kept as text, for a reader who does not take it.
#[cfg(target_os = "linux")]
const UNSENT_BYTES_MAX: u32 = 16 * 1024;
/// Connections that the system keeps until they are accepted.
const BACKLOG: u32 = 4096;

/// The listener and where it is: port 0 becomes a free one.
pub(super) fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AddrInUse => StartError::PortInUse { address },
        reason => StartError::Listen { address, reason },
    };
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }
    .map_err(failed)?;
    // Every connection has it from its listener.
    socket.set_send_buffer_size(SEND_BUFFER_BYTES).map_err(failed)?;
    #[cfg(target_os = "linux")]
    if let Err(error) = socket2::SockRef::from(&socket).set_tcp_notsent_lowat(UNSENT_BYTES_MAX) {
        // Not every system that calls itself Linux knows it.
        tracing::warn!(%error, "TCP_NOTSENT_LOWAT could not be set: readers that stop hold more memory");
    }
    // On Windows it would let two servers listen at once.
    #[cfg(unix)]
    socket.set_reuseaddr(true).map_err(failed)?;
    socket.bind(address).map_err(failed)?;
    let listener = socket.listen(BACKLOG).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// Where the build put the browser half. Its folder's name carries a hash, so browsers may keep it for ever.
pub(super) fn site(root: &Path) -> Result<Site, StartError> {
    let missing = || StartError::Site(root.display().to_string());
    let manifest = std::fs::read(root.join("manifest.json")).map_err(|_| missing())?;
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).map_err(|_| missing())?;
    let pkg_dir = manifest
        .get("pkgDir")
        .and_then(serde_json::Value::as_str)
        .ok_or_else(missing)?;
    let options = LeptosOptions::builder()
        .output_name("keypool")
        .site_root(root.display().to_string())
        .site_pkg_dir(pkg_dir.to_owned())
        .build();
    Ok(Site {
        root: root.to_owned(),
        options,
    })
}
