//! `keypool user …`: accounts without a browser.

mod way;

use std::collections::BTreeMap;

use app::types::{Account, NewAccount, NewInvitation, Role, UserPatch};
use clap::{Args, Subcommand};
use serde::Serialize;
use server::config::Config;
use server::startup;

use self::way::Way;
use super::input::first_line;
use super::say;

#[derive(Subcommand)]
pub(super) enum UserCommand {
    /// Create an account; the password is asked for, or read from the first line of stdin.
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
        /// Print JSON.
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
    /// Replace an account's password and end its sessions; it is asked for, or read from the first line of stdin.
    #[command(after_help = "Example:\n  keypool user set-password ada@example.org < password.txt")]
    SetPassword {
        email: String,
        #[command(flatten)]
        common: Common,
    },
    /// Let nobody sign in to an account, and end its sessions.
    #[command(after_help = "Example:\n  keypool user disable ada@example.org")]
    Disable {
        email: String,
        #[command(flatten)]
        common: Common,
    },
    /// Let a disabled account sign in again.
    #[command(after_help = "Example:\n  keypool user enable ada@example.org")]
    Enable {
        email: String,
        #[command(flatten)]
        common: Common,
    },
    /// Delete an account with its history and tokens, for good.
    #[command(after_help = "Example:\n  keypool user delete ada@example.org")]
    Delete {
        email: String,
        #[command(flatten)]
        common: Common,
    },
    /// Print a link on which somebody makes an account of their own, once.
    #[command(
        after_help = "Examples:\n  keypool user invite --role viewer\n  keypool user invite --email ada@example.org --hours 24"
    )]
    Invite {
        /// The only address it is for.
        #[arg(long)]
        email: Option<String>,
        #[arg(long, default_value = "user", value_parser = role)]
        role: Role,
        /// How long it is good; 72 when it is left out.
        #[arg(long)]
        hours: Option<u32>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        common: Common,
    },
    /// End all sessions and sign-ins of an account.
    #[command(after_help = "Example:\n  keypool user sign-out ada@example.org")]
    SignOut {
        email: String,
        #[command(flatten)]
        common: Common,
    },
    /// Take an account's second factor away, for somebody who lost it, and end its sessions.
    #[command(after_help = "Example:\n  keypool user reset-two-factor ada@example.org")]
    ResetTwoFactor {
        email: String,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Args)]
pub(super) struct Common {
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

impl UserCommand {
    fn common(&self) -> &Common {
        match self {
            Self::Create { common, .. }
            | Self::List { common, .. }
            | Self::SetRole { common, .. }
            | Self::SetPassword { common, .. }
            | Self::Disable { common, .. }
            | Self::Enable { common, .. }
            | Self::Delete { common, .. }
            | Self::Invite { common, .. }
            | Self::SignOut { common, .. }
            | Self::ResetTwoFactor { common, .. } => common,
        }
    }

    pub(super) fn flags(&self) -> BTreeMap<String, String> {
        let Common { host, port, data_dir } = self.common();
        [("HOST", host), ("PORT", port), ("DATA_DIR", data_dir)]
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)))
            .collect()
    }

    fn makes_data(&self) -> bool {
        matches!(self, Self::Create { .. } | Self::Invite { .. })
    }
}

fn role(text: &str) -> Result<Role, String> {
    Role::parse(text).ok_or_else(|| "must be user, viewer or admin".to_owned())
}

pub(super) async fn run(config: Config, command: &UserCommand) -> Result<(), anyhow::Error> {
    if !command.makes_data() {
        startup::require_data(&config).await?;
    }
    let way = Way::open(&config).await?;
    let result = act(&way, command).await;
    way.close().await?;
    result
}

async fn act(way: &Way, command: &UserCommand) -> Result<(), anyhow::Error> {
    match command {
        UserCommand::Create { email, name, role, .. } => {
            let user = way.create(new_account(email, name.as_deref(), *role)?).await?;
            say(format_args!("created {} ({})", user.email, user.role.as_str()));
        }
        UserCommand::List { json, .. } => {
            let accounts = way.list().await?;
            show(*json, &accounts, || {
                accounts.iter().map(row).collect::<Vec<_>>().join("\n")
            })?;
        }
        UserCommand::SetRole { email, role, .. } => {
            let patch = UserPatch {
                role: Some(*role),
                ..UserPatch::default()
            };
            let account = way.change(email, &patch).await?;
            say(format_args!("{} is now {}", account.email, account.role.as_str()));
        }
        UserCommand::SetPassword { email, .. } => {
            way.set_password(email, first_line("Password")?).await?;
            say(format_args!(
                "the password of {email} is replaced; its sessions are ended"
            ));
        }
        UserCommand::Disable { email, .. } => {
            let account = way.change(email, &disabled(true)).await?;
            say(format_args!("{} is disabled; its sessions are ended", account.email));
        }
        UserCommand::Enable { email, .. } => {
            let account = way.change(email, &disabled(false)).await?;
            say(format_args!("{} may sign in again", account.email));
        }
        UserCommand::Delete { email, .. } => {
            way.delete(email).await?;
            say(format_args!("{email} is deleted with its history and tokens"));
        }
        UserCommand::Invite {
            email,
            role,
            hours,
            json,
            ..
        } => {
            let invitation = NewInvitation {
                role: *role,
                email: email.clone(),
                expires_in_hours: *hours,
            };
            let link = way.invite(invitation).await?;
            show(*json, &link, || {
                format!("{}\ngood once, until {}", link.url, link.expires_at)
            })?;
        }
        UserCommand::SignOut { email, .. } => {
            let ended = way.sign_out(email).await?;
            say(format_args!("{ended} session(s) of {email} are ended"));
        }
        UserCommand::ResetTwoFactor { email, .. } => {
            say(if way.reset_two_factor(email).await? {
                format!("the second factor of {email} is taken away; its sessions are ended")
            } else {
                format!("{email} had no second factor; its sessions are ended")
            });
        }
    }
    Ok(())
}

fn new_account(email: &str, name: Option<&str>, role: Role) -> Result<NewAccount, anyhow::Error> {
    let name = name.unwrap_or_else(|| email.split('@').next().unwrap_or_default());
    Ok(NewAccount {
        email: email.to_owned(),
        password: first_line("Password")?,
        name: name.to_owned(),
        role,
    })
}

fn disabled(disabled: bool) -> UserPatch {
    UserPatch {
        disabled: Some(disabled),
        ..UserPatch::default()
    }
}

fn row(account: &Account) -> String {
    let marks = [(account.disabled, "disabled"), (account.two_factor, "two factors")];
    let marks: Vec<&str> = marks
        .into_iter()
        .filter(|(holds, _)| *holds)
        .map(|(_, mark)| mark)
        .collect();
    let row = format!(
        "{:<8} {:<40} {:<24} {}",
        account.role.as_str(),
        account.email,
        account.name,
        marks.join(", ")
    );
    row.trim_end().to_owned()
}

fn show<T: Serialize>(json: bool, value: &T, text: impl FnOnce() -> String) -> Result<(), anyhow::Error> {
    say(if json { serde_json::to_string(value)? } else { text() });
    Ok(())
}
