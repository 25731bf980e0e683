//! `keypool backup …`: one encrypted file with everything that is stored.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use server::audit::Actor;
use server::clock::rfc3339;
use server::config::Config;
use server::startup::{self, BackupFacts, StartError};
use server::store::StoreError;
use tempfile::NamedTempFile;

use super::remote::Remote;
use super::say;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
pub(super) struct Backup {
    #[command(subcommand)]
    command: Option<BackupCommand>,
    /// The file to make, as `backup create FILE`.
    file: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

#[derive(Subcommand)]
enum BackupCommand {
    /// Write everything that is stored into one encrypted file, also while a server runs. It never overwrites.
    #[command(after_help = "Example:\n  keypool backup create /backups/keypool-monday.backup")]
    Create {
        file: PathBuf,
        #[command(flatten)]
        common: Common,
    },
    /// Open a backup in full, with every secret in it, and change nothing.
    #[command(after_help = "Example:\n  keypool backup verify /backups/keypool-monday.backup")]
    Verify {
        file: PathBuf,
        #[command(flatten)]
        common: Common,
    },
    /// Put a backup into the data folder; no server may run on it. The backup is opened in full before anything is replaced.
    #[command(
        after_help = "Examples:\n  keypool backup restore monday.backup --data-dir /srv/new\n  keypool backup restore monday.backup --force"
    )]
    Restore {
        file: PathBuf,
        /// Move the data that is there aside.
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Args, Default)]
struct Common {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Address of the server, when one runs.
    #[arg(long)]
    host: Option<String>,
    /// Port of the server, when one runs.
    #[arg(long)]
    port: Option<String>,
    /// Folder of the data.
    #[arg(long)]
    data_dir: Option<String>,
}

impl Backup {
    fn common(&self) -> &Common {
        match &self.command {
            Some(
                BackupCommand::Create { common, .. }
                | BackupCommand::Verify { common, .. }
                | BackupCommand::Restore { common, .. },
            ) => common,
            None => &self.common,
        }
    }

    pub(super) fn flags(&self) -> BTreeMap<String, String> {
        let Common {
            host, port, data_dir, ..
        } = self.common();
        [("HOST", host), ("PORT", port), ("DATA_DIR", data_dir)]
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)))
            .collect()
    }
}

pub(super) async fn run(config: Config, backup: &Backup) -> Result<(), anyhow::Error> {
    let json = backup.common().json;
    match (&backup.command, &backup.file) {
        (Some(BackupCommand::Create { file, .. }), _) | (None, Some(file)) => create(&config, file, json).await,
        (Some(BackupCommand::Verify { file, .. }), _) => {
            let facts = startup::verify_backup(&config, file).await?;
            if json {
                say(as_json(&facts));
            } else {
                say(format_args!("{} can be restored: {}", file.display(), told(&facts)));
            }
            Ok(())
        }
        (Some(BackupCommand::Restore { file, force, .. }), _) => restore(&config, file, *force, json).await,
        (None, None) => bail!("name the file to make: `keypool backup create FILE`"),
    }
}

async fn create(config: &Config, file: &Path, json: bool) -> Result<(), anyhow::Error> {
    startup::require_data(config).await?;
    let exists = || anyhow!("{} exists already: name another file", file.display());
    if file.exists() {
        return Err(exists());
    }
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    // For the owner only; it gets its name when it is whole, and goes away by itself otherwise.
    let mut draft = NamedTempFile::with_prefix_in(".keypool-backup-", folder)
        .with_context(|| format!("no file can be made in {}", folder.display()))?;
    write(config, &mut draft).await?;
    draft
        .as_file()
        .sync_all()
        .with_context(|| format!("{} could not be written", file.display()))?;
    let bytes = draft.as_file().metadata().map_or(0, |metadata| metadata.len());
    draft
        .persist_noclobber(file)
        .map_err(|failed| match failed.error.kind() {
            io::ErrorKind::AlreadyExists => exists(),
            _ => anyhow::Error::from(failed.error).context(format!("{} could not be written", file.display())),
        })?;
    std::fs::File::open(folder)
        .and_then(|folder| folder.sync_all())
        .with_context(|| format!("{} could not be written", file.display()))?;
    if json {
        say(json!({ "file": file, "bytes": bytes }));
    } else {
        say(format_args!(
            "{} holds all that is stored ({bytes} bytes), encrypted under the master key.\n\
             The master key is not in it: keep a copy of master.key (or of KEYPOOL_MASTER_KEY) in another place.",
            file.display()
        ));
    }
    Ok(())
}

/// The store first: only its lock shows whether a server runs on this data.
async fn write(config: &Config, draft: &mut NamedTempFile) -> Result<(), anyhow::Error> {
    let in_use = match startup::open_backups(config).await {
        Ok(opened) => {
            let copied = opened.backups.begin().await?;
            let after = json!({ "masterKey": copied.origin().master_key.to_string() });
            let actor = Actor::command_line();
            let recorded = opened
                .audit
                .record(&actor, "backup.create", "backup", None, Some(after));
            recorded.await?;
            let file = draft.reopen()?;
            tokio::task::spawn_blocking(move || copied.write(BufWriter::new(file))).await??;
            return Ok(opened.close().await?);
        }
        Err(error @ StartError::Store(StoreError::InUse(_))) => error,
        Err(error) => return Err(error.into()),
    };
    let Some(remote) = Remote::find(config).await else {
        bail!("{in_use}; if that is a server, say where it listens with --host and --port");
    };
    remote.download("/api/admin/backup", draft).await?;
    Ok(draft.flush()?)
}

async fn restore(config: &Config, file: &Path, force: bool, json: bool) -> Result<(), anyhow::Error> {
    let has_jwt_secret = startup::operator_signer(config)?.is_some();
    let done = startup::restore_backup(config, file, force).await?;
    let mut text = format!("restored into {}: {}", config.data_dir.display(), told(&done.facts));
    if let Some(path) = &done.moved_to {
        text += &format!("\nthe data that was there is now {}", path.display());
    }
    if !has_jwt_secret {
        text += "\nthere is no jwt.secret here: the next start makes one, and access tokens of before end";
    }
    let made_at = rfc3339(done.facts.origin.made_at);
    text += "\neverybody signs in again, and links for invitations and passwords no longer work";
    text += &format!(
        "\naccounts and {} API tokens are back as they were on {made_at}: see `keypool user list`, and revoke the tokens \
         that ended since",
        done.access.api_tokens
    );
    if json {
        let mut said = as_json(&done.facts);
        said["movedTo"] = json!(done.moved_to);
        said["ended"] = json!(done.access.ended);
        said["apiTokens"] = json!(done.access.api_tokens);
        say(said);
    } else {
        say(text);
    }
    Ok(())
}

fn told(facts: &BackupFacts) -> String {
    format!(
        "made {} under master key {}, {} keys, {} users",
        rfc3339(facts.origin.made_at),
        facts.origin.master_key,
        facts.keys,
        facts.users
    )
}

fn as_json(facts: &BackupFacts) -> Value {
    json!({
        "madeAt": rfc3339(facts.origin.made_at),
        "masterKey": facts.origin.master_key.to_string(),
        "keys": facts.keys,
        "users": facts.users,
    })
}
