//! `keypool audit …`: who did what, and whether the log of it is as it was written.

use std::collections::BTreeMap;

use anyhow::{Context, anyhow, bail};
use app::types::{AuditPage, AuditVerdict};
use clap::{Args, Subcommand};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use server::config::Config;
use server::startup::{self, OpenAudit, StartError};
use server::store::{AuditFilter, StoreError};

use super::remote::Remote;
use super::{Listen, say};

#[derive(Subcommand)]
pub(super) enum AuditCommand {
    /// Check that no entry was changed, removed or moved. Fails naming the first that was.
    #[command(
        after_help = "Examples:\n  keypool audit verify\n  keypool audit verify --json | jq .head\n\nCompare the head with one that was noted elsewhere: an older copy of the whole file is intact in itself."
    )]
    Verify {
        #[command(flatten)]
        common: Common,
    },
    /// List the newest entries.
    #[command(after_help = "Examples:\n  keypool audit list\n  keypool audit list --action key. --limit 200 --json")]
    List {
        /// Only of this actor: an id, or a part of an e-mail.
        #[arg(long)]
        actor: Option<String>,
        /// Only actions that begin so, such as `key.`.
        #[arg(long)]
        action: Option<String>,
        /// Only targets that hold this, such as `key/7`.
        #[arg(long)]
        target: Option<String>,
        /// How many.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=200))]
        limit: u32,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Args)]
pub(super) struct Common {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    listen: Listen,
}

impl AuditCommand {
    pub(super) fn flags(&self) -> BTreeMap<String, String> {
        let (Self::Verify { common } | Self::List { common, .. }) = self;
        common.listen.flags()
    }
}

/// The two ways to the log: the server that runs on the data, or the store itself.
enum Way {
    Server(Box<Remote>),
    Store(Box<OpenAudit>),
}

pub(super) async fn run(config: Config, command: &AuditCommand) -> Result<(), anyhow::Error> {
    let way = Way::open(&config).await?;
    let done = act(&way, command).await;
    if let Way::Store(opened) = way {
        opened.close().await?;
    }
    done
}

async fn act(way: &Way, command: &AuditCommand) -> Result<(), anyhow::Error> {
    match command {
        AuditCommand::Verify { common } => {
            let verdict = way.verify().await?;
            if common.json {
                say(to_json(&verdict)?);
            }
            if let Some(fault) = &verdict.fault {
                bail!("the audit log was tampered with. {}", fault.message);
            }
            if !common.json {
                let head = verdict.head.as_deref().unwrap_or("none");
                say(format_args!("intact: {} entries, head {head}", verdict.entries));
            }
            Ok(())
        }
        AuditCommand::List {
            actor,
            action,
            target,
            limit,
            common,
        } => {
            let filter = AuditFilter {
                actor: actor.clone(),
                action: action.clone(),
                target: target.clone(),
            };
            let page = way.list(filter, *limit).await?;
            say(if common.json {
                to_json(&page.items)?
            } else {
                table(&page)
            });
            Ok(())
        }
    }
}

impl Way {
    /// The store first: only its lock shows that a server runs on this data.
    async fn open(config: &Config) -> Result<Self, anyhow::Error> {
        let in_use = match startup::open_audit(config).await {
            Ok(opened) => return Ok(Self::Store(Box::new(opened))),
            Err(error @ StartError::Store(StoreError::InUse(_))) => error,
            Err(error) => return Err(error.into()),
        };
        match Remote::find(config).await {
            Some(remote) => Ok(Self::Server(Box::new(remote))),
            None => Err(anyhow!(
                "{in_use}; if that is a server, say where it listens with --host and --port"
            )),
        }
    }

    async fn verify(&self) -> Result<AuditVerdict, anyhow::Error> {
        match self {
            Self::Server(remote) => read(remote.get("/api/admin/audit/verify").await?),
            Self::Store(opened) => Ok(opened.audit.verify().await?),
        }
    }

    async fn list(&self, filter: AuditFilter, limit: u32) -> Result<AuditPage, anyhow::Error> {
        match self {
            Self::Server(remote) => {
                let mut query = vec![("limit", limit.to_string())];
                for (name, text) in [
                    ("actor", filter.actor),
                    ("action", filter.action),
                    ("target", filter.target),
                ] {
                    query.extend(text.map(|text| (name, text)));
                }
                let query = serde_urlencoded::to_string(query)?;
                read(remote.get(&format!("/api/admin/audit?{query}")).await?)
            }
            Self::Store(opened) => Ok(opened.audit.page(filter, None, limit).await?),
        }
    }
}

fn table(page: &AuditPage) -> String {
    if page.items.is_empty() {
        return "no entries".to_owned();
    }
    let lines = page.items.iter().map(|entry| {
        format!(
            "{:>6}  {}  {:<3}  {:<24} {:<28} {}",
            entry.seq, entry.at, entry.surface, entry.action, entry.target, entry.actor
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn to_json(value: &impl Serialize) -> Result<String, anyhow::Error> {
    Ok(serde_json::to_string(value)?)
}

fn read<T: DeserializeOwned>(data: Value) -> Result<T, anyhow::Error> {
    serde_json::from_value(data).context("the server is of another version: use the `keypool` that it was started with")
}
