//! The master key and backups, for admins.

use std::io::{self, Write};

use app::error::AppError;
use app::types::{MasterKeyStanding, RewrapReport, RewrapRequest};
use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tokio::sync::mpsc;

use super::answer::{Answer, Success};
use super::{AppState, body};
use crate::audit::Actor;
use crate::vault::{Rewrapped, Vault, VaultError};

/// Chunks of a backup that wait for a slow reader.
const CHUNKS_WAITING_MAX: usize = 4;

pub(super) async fn standing(State(state): State<AppState>) -> Answer<Success<MasterKeyStanding>> {
    let standing = state.keys.keyring.vault().standing().await;
    Ok(Success(standing.map_err(AppError::from)?.into()))
}

/// Goes on to its end also when nobody waits for the answer any more.
pub(super) async fn rewrap(
    State(state): State<AppState>,
    Extension(actor): Extension<Actor>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Success<RewrapReport>> {
    let RewrapRequest { new_key } = body::optional_json(&headers, body).await?;
    let audit = state.audit.clone();
    let act = async move {
        let vault = state.keys.keyring.vault();
        let before = vault.current().id();
        let done = run(vault, new_key).await?;
        let after = json!({
            "masterKey": done.standing.current.to_string(),
            "rewrapped": done.rewrapped,
            "left": done.standing.left,
        });
        let before = json!({ "masterKey": before.to_string() });
        state
            .audit
            .record(&actor, "vault.rewrap", "vault", Some(before), Some(after))
            .await?;
        Ok::<_, AppError>(done)
    };
    Ok(Success(audit.act(act).await?.into()))
}

async fn run(vault: &Vault, new_key: bool) -> Result<Rewrapped, VaultError> {
    if new_key {
        vault.rotate().await
    } else {
        vault.rewrap().await
    }
}

/// The file, as it is encrypted: at no time is more than a few chunks of it in memory.
pub(super) async fn backup(State(state): State<AppState>, Extension(actor): Extension<Actor>) -> Answer<Response> {
    let copied = state.backups.begin().await?;
    let origin = copied.origin();
    let after = json!({ "masterKey": origin.master_key.to_string() });
    state
        .audit
        .record(&actor, "backup.create", "backup", None, Some(after))
        .await?;
    let (to, mut chunks) = mpsc::channel::<io::Result<Bytes>>(CHUNKS_WAITING_MAX);
    // It ends with the reader: when nobody takes chunks any more, the next one cannot be sent.
    tokio::task::spawn_blocking(move || {
        if let Err(error) = copied.write(Chunks(&to)) {
            tracing::warn!(%error, "a backup was broken off");
            // The connection breaks, so that nobody takes what was sent for a whole file.
            let _ = to.blocking_send(Err(io::Error::other("broken off")));
        }
    });
    let stream = futures::stream::poll_fn(move |context| chunks.poll_recv(context));
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"keypool.backup\""),
    ];
    Ok((headers, Body::from_stream(stream)).into_response())
}

struct Chunks<'a>(&'a mpsc::Sender<io::Result<Bytes>>);

impl Write for Chunks<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.0.blocking_send(Ok(Bytes::copy_from_slice(bytes)));
        sent.map(|()| bytes.len()).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
