//! `keypool keys rewrap`: everything under the current master key, through the server when one runs.

use anyhow::bail;
use app::types::{MasterKeyStanding, RewrapReport, RewrapRequest};
use serde_json::json;
use server::audit::Actor;
use server::startup::OpenKeys;

use super::way::{Way, read};

impl Way {
    pub(super) async fn rewrap(&self, new_key: bool) -> Result<RewrapReport, anyhow::Error> {
        match self {
            Self::Server(remote) => {
                let body = serde_json::to_value(RewrapRequest { new_key })?;
                read(remote.post("/api/admin/keys/rewrap", &body).await?)
            }
            Self::Store(opened) => rewrap_here(opened, new_key).await,
        }
    }

    pub(super) async fn master_key(&self) -> Result<MasterKeyStanding, anyhow::Error> {
        match self {
            Self::Server(remote) => read(remote.get("/api/admin/keys/rewrap").await?),
            Self::Store(opened) => Ok(opened.keys.keyring.vault().standing().await?.into()),
        }
    }
}

async fn rewrap_here(opened: &OpenKeys, new_key: bool) -> Result<RewrapReport, anyhow::Error> {
    let vault = opened.keys.keyring.vault();
    let before = vault.current().id();
    let done = if new_key {
        vault.rotate().await?
    } else {
        vault.rewrap().await?
    };
    let (before, after) = (
        json!({ "masterKey": before.to_string() }),
        json!({ "masterKey": done.standing.current.to_string(), "rewrapped": done.rewrapped, "left": done.standing.left }),
    );
    let actor = Actor::command_line();
    opened
        .audit
        .record(&actor, "vault.rewrap", "vault", Some(before), Some(after))
        .await?;
    Ok(done.into())
}

pub(super) fn standing(standing: &MasterKeyStanding) -> String {
    let MasterKeyStanding {
        master_key,
        previous_master_key,
        values,
        left,
        ..
    } = standing;
    match previous_master_key {
        Some(previous) => format!(
            "{left} of {values} secrets are still under master key {previous}; the others are under {master_key}"
        ),
        None => format!("all {values} secrets are under master key {master_key}"),
    }
}

pub(super) fn report(report: &RewrapReport) -> String {
    let standing = &report.standing;
    let mut text = format!(
        "{} secrets were sealed anew; {} of {} are under master key {}",
        report.rewrapped,
        standing.values.saturating_sub(standing.left),
        standing.values,
        standing.master_key
    );
    if standing.left == 0 {
        text += match (standing.can_make_key, standing.previous_master_key.is_some()) {
            (false, true) => {
                "\nnothing that is stored needs the old master key any more: remove KEYPOOL_MASTER_KEY_PREVIOUS. Backups of before still open with it alone"
            }
            (true, _) => {
                "\nkeep a copy of master.key in another place than backups: without it they open nowhere. Backups of before open with the old key alone, which is not here any more: make a new one"
            }
            (false, false) => "",
        };
    }
    text
}

/// A rotation that left something behind has failed.
pub(super) fn check(report: &RewrapReport) -> Result<(), anyhow::Error> {
    if report.standing.left == 0 {
        return Ok(());
    }
    bail!(
        "{} secrets are still under the previous master key, so keep it. These do not open: {}",
        report.standing.left,
        report.unreadable.join(", ")
    )
}
