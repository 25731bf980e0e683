//! `keypool user …`: accounts without a browser.

use std::collections::BTreeMap;

use anyhow::bail;
use app::types::{Registration, Role};
use clap::{Args, Subcommand};
use secrecy::SecretString;
use server::config::Config;
use server::startup;

use super::input::first_line;
use super::say;

#[derive(Subcommand)]
pub(super) enum UserCommand {
    /// Create an account; the password is read from the first line of stdin.
    #[command(after_help = "Example:\n  keypool user create ada@example.org --name Ada --role admin < password.txt")]
    Create {
        email: String,
        #[arg(long)]
        name: Option<String>,
        #[arg(long, default_value = "user", value_parser = role)]
        role: Role,
        #[command(flatten)]
        common: Common,
    },
    /// List the accounts, oldest first.
    #[command(after_help = "Example:\n  keypool user list --json")]
    List {
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Give an account another role and end its sessions.
    #[command(after_help = "Example:\n  keypool user set-role ada@example.org viewer")]
    SetRole {
        email: String,
        #[arg(value_parser = role)]
        role: Role,
        #[command(flatten)]
        common: Common,
    },
    /// Replace an account's password, read from the first line of stdin, and end its sessions.
    #[command(after_help = "Example:\n  keypool user set-password ada@example.org < password.txt")]
    SetPassword {
        email: String,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Args)]
pub(super) struct Common {
    /// Folder of the data.
    #[arg(long)]
    data_dir: Option<String>,
}

impl UserCommand {
    pub(super) fn flags(&self) -> BTreeMap<String, String> {
        let (Self::Create { common, .. }
        | Self::List { common, .. }
        | Self::SetRole { common, .. }
        | Self::SetPassword { common, .. }) = self;
        common
            .data_dir
            .iter()
            .map(|dir| ("DATA_DIR".to_owned(), dir.clone()))
            .collect()
    }
}

fn role(text: &str) -> Result<Role, String> {
    Role::parse(text).ok_or_else(|| "must be user, viewer or admin".to_owned())
}

pub(super) async fn run(config: Config, command: &UserCommand) -> Result<(), anyhow::Error> {
    // A mistyped folder must not look like a server without accounts.
    if !matches!(command, UserCommand::Create { .. }) && !startup::has_data(&config) {
        bail!(
            "there is no data of Keypool in {}: check DATA_DIR or --data-dir",
            config.data_dir.display()
        );
    }
    let opened = startup::open_accounts(&config).await?;
    let result = act(&opened, command).await;
    opened.store.close().await?;
    result
}

async fn act(opened: &startup::OpenAccounts, command: &UserCommand) -> Result<(), anyhow::Error> {
    match command {
        UserCommand::Create { email, name, role, .. } => {
            let name = name
                .clone()
                .unwrap_or_else(|| email.split('@').next().unwrap_or_default().to_owned());
            let form = Registration {
                email: email.clone(),
                password: first_line("Password")?,
                name,
            };
            let user = opened.accounts.create(form, *role, opened.clock.now()).await?;
            say(format_args!("created {} ({})", user.email, user.role.as_str()));
        }
        UserCommand::List { json, .. } => {
            let users = opened.accounts.users().await?;
            if *json {
                say(serde_json::to_string(&users)?);
            } else {
                users.iter().for_each(|user| {
                    say(format_args!(
                        "{:<8} {:<40} {}",
                        user.role.as_str(),
                        user.email,
                        user.name
                    ))
                });
            }
        }
        UserCommand::SetRole { email, role, .. } => {
            let user = opened.accounts.set_role(email, *role).await?;
            say(format_args!("{} is now {}", user.email, user.role.as_str()));
        }
        UserCommand::SetPassword { email, .. } => {
            opened
                .accounts
                .set_password(email, &SecretString::from(first_line("Password")?))
                .await?;
            say(format_args!(
                "the password of {email} is replaced; its sessions are ended"
            ));
        }
    }
    Ok(())
}
