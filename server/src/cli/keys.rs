//! `keypool keys …`: the pool's keys without a browser.

mod rewrap;
mod tables;
mod way;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::bail;
use app::types::{ImportReport, KeyTest, PoolKey};
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use server::config::Config;
use server::startup;

use self::way::{NewKey, Way};
use super::{input, say};

#[derive(Subcommand)]
pub(super) enum KeysCommand {
    /// List the keys with what is known of them.
    #[command(after_help = "Examples:\n  keypool keys list\n  keypool keys list --json | jq '.[].state'")]
    List {
        #[command(flatten)]
        common: Common,
    },
    /// Test a key and add it. It is read from stdin or a file, never from an argument, which others could see.
    #[command(
        after_help = "Examples:\n  keypool keys add --label Team < key.txt\n  keypool keys add --file key.txt --tier paid"
    )]
    Add {
        /// What people call it.
        #[arg(long)]
        label: Option<String>,
        #[arg(long, value_enum)]
        tier: Option<Tier>,
        /// Read the key from the first line of this file instead of stdin.
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// Keep it without asking the provider first.
        #[arg(long)]
        no_test: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Test and add many keys, one a line: KEY, KEY LABEL, KEY,LABEL or NAME=KEY.
    #[command(after_help = "Examples:\n  keypool keys import keys.txt\n  grep GOOGLE_AI .env | keypool keys import -")]
    Import {
        /// The file; - reads stdin.
        file: PathBuf,
        #[arg(long, value_enum)]
        tier: Option<Tier>,
        /// Keep them without asking the provider first.
        #[arg(long)]
        no_test: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Ask the provider whether it accepts a key, with a call that costs no quota. Fails when one is not accepted.
    #[command(after_help = "Examples:\n  keypool keys test 2\n  keypool keys test --all")]
    Test {
        /// The key's number.
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        number: Option<u32>,
        /// Every key.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Switch a key on. Also takes a revocation away.
    #[command(after_help = "Example:\n  keypool keys enable 2")]
    Enable {
        /// The key's number.
        number: u32,
        #[command(flatten)]
        common: Common,
    },
    /// Switch a key off.
    #[command(after_help = "Examples:\n  keypool keys disable 2\n  keypool keys disable 1 --force")]
    Disable {
        /// The key's number.
        number: u32,
        /// Also when it is the last one that can serve.
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Seal every stored secret under the current master key, also while a server runs. Can be broken off and run again.
    #[command(
        after_help = "Examples:\n  keypool keys rewrap\n  keypool keys rewrap --new-key\n  keypool keys rewrap --status"
    )]
    Rewrap {
        /// Make a new master.key first; not when `KEYPOOL_MASTER_KEY` is set.
        #[arg(long)]
        new_key: bool,
        /// Only say how many are left.
        #[arg(long, conflicts_with = "new_key")]
        status: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Take rests and faults away: of one key, of one model, or of everything.
    #[command(after_help = "Examples:\n  keypool keys reset\n  keypool keys reset 2 --model gemini-2.5-pro")]
    Reset {
        /// The key's number; absent: all keys.
        number: Option<u32>,
        /// Only for this model.
        #[arg(long)]
        model: Option<String>,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Args)]
pub(super) struct Common {
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

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Tier {
    /// Calls cost nothing; chosen first.
    Free,
    /// Calls are billed.
    Paid,
}

impl From<Tier> for app::types::KeyTier {
    fn from(tier: Tier) -> Self {
        match tier {
            Tier::Free => Self::Free,
            Tier::Paid => Self::Paid,
        }
    }
}

impl KeysCommand {
    fn common(&self) -> &Common {
        match self {
            Self::List { common }
            | Self::Add { common, .. }
            | Self::Import { common, .. }
            | Self::Test { common, .. }
            | Self::Enable { common, .. }
            | Self::Disable { common, .. }
            | Self::Rewrap { common, .. }
            | Self::Reset { common, .. } => common,
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

    fn makes_data(&self) -> bool {
        matches!(self, Self::Add { .. } | Self::Import { .. })
    }
}

pub(super) async fn run(config: Config, command: &KeysCommand) -> Result<(), anyhow::Error> {
    if !command.makes_data() {
        startup::require_data(&config).await?;
    }
    let way = Way::open(&config).await?;
    let result = act(&way, command).await;
    way.close().await?;
    result
}

async fn act(way: &Way, command: &KeysCommand) -> Result<(), anyhow::Error> {
    let json = command.common().json;
    match command {
        KeysCommand::List { .. } => {
            let keys = way.list().await?;
            show(json, &keys, || tables::keys(&keys))
        }
        KeysCommand::Add {
            label,
            tier,
            file,
            no_test,
            ..
        } => {
            let secret = match file {
                Some(path) => input::first_line_of(path, "Key")?,
                None => input::first_line("Key")?,
            };
            let key = way
                .add(NewKey {
                    secret,
                    label: label.clone(),
                    tier: tier.map(Into::into),
                    test: !no_test,
                })
                .await?;
            show(json, &key, || tables::added(&key))
        }
        KeysCommand::Import {
            file, tier, no_test, ..
        } => {
            let text = input::all(file, "One key a line")?;
            let report = way.import(text, tier.map(Into::into), !no_test).await?;
            show(json, &report, || tables::import(&report))?;
            check_import(&report)
        }
        KeysCommand::Test { number, .. } => {
            let tests = match number {
                Some(number) => vec![way.test(*number).await?],
                None => way.test_all().await?,
            };
            show(json, &tests, || tables::tests(&tests))?;
            check_tests(&tests)
        }
        KeysCommand::Enable { number, .. } => {
            let key = way.enable(*number).await?;
            show(json, &key, || said_of(&key, "is on"))
        }
        KeysCommand::Disable { number, force, .. } => {
            let key = way.disable(*number, *force).await?;
            show(json, &key, || said_of(&key, "is off"))
        }
        KeysCommand::Rewrap { status: true, .. } => {
            let standing = way.master_key().await?;
            show(json, &standing, || rewrap::standing(&standing))
        }
        KeysCommand::Rewrap { new_key, .. } => {
            let report = way.rewrap(*new_key).await?;
            show(json, &report, || rewrap::report(&report))?;
            rewrap::check(&report)
        }
        KeysCommand::Reset { number, model, .. } => {
            let keys = way.reset(*number, model.as_deref()).await?;
            let of = number.map_or_else(|| "all keys".to_owned(), |number| format!("key {number}"));
            let on = model.as_ref().map(|model| format!(" on {model}")).unwrap_or_default();
            show(json, &keys, || format!("the rests of {of}{on} are taken away"))
        }
    }
}

fn said_of(key: &PoolKey, what: &str) -> String {
    format!("{} {what}: {}", tables::name(key), key.status.state.label())
}

fn show<T: Serialize>(json: bool, value: &T, text: impl FnOnce() -> String) -> Result<(), anyhow::Error> {
    say(if json { serde_json::to_string(value)? } else { text() });
    Ok(())
}

fn check_import(report: &ImportReport) -> Result<(), anyhow::Error> {
    match report.refused {
        0 => Ok(()),
        1 => bail!("1 line was refused"),
        refused => bail!("{refused} lines were refused"),
    }
}

fn check_tests(tests: &[KeyTest]) -> Result<(), anyhow::Error> {
    let failed = tests.iter().filter(|test| test.status != "success").count();
    match failed {
        0 => Ok(()),
        failed => bail!("{failed} of {} keys did not pass", tests.len()),
    }
}
