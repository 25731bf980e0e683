//! The demo: a simulated provider inside this process, three keys that run dry one after the other, two accounts.

use app::context::DemoAccount;
use app::error::AppError;
use app::types::{Registration, Role};
use server::config::Config;
use server::startup::Server;
use simulator::{Limits, Options, Pace, Simulator};

/// The first two keys run dry soon, so that a visitor sees the pool switch; the third serves all day.
const REQUESTS_PER_DAY: [u64; 3] = [3, 12, 5_000];

pub(crate) struct Demo {
    /// Serves until it is dropped.
    pub simulator: Simulator,
    pub accounts: Vec<DemoAccount>,
}

/// Starts the simulator and points the settings at it. The demo's data is kept apart from real data.
pub(crate) async fn start(config: &mut Config) -> std::io::Result<Demo> {
    let simulator = Simulator::start(Options {
        pace: Pace::human(),
        ..Options::default()
    })
    .await?;
    config.environment_keys.clear();
    for (number, rpd) in (1..).zip(REQUESTS_PER_DAY) {
        let key = format!("demo-key-{number}-simulated");
        simulator.limit(
            &key,
            "*",
            Limits {
                rpm: Some(30),
                tpm: None,
                rpd: Some(rpd),
            },
        );
        config.environment_keys.push((number, key.into()));
    }
    config.gemini_base_url = simulator.base_url();
    config.data_dir = config.data_dir.join("demo");
    config.first_admin = None;
    let account = |role, name: &str| DemoAccount {
        role,
        email: format!("{name}@demo.example"),
        password: password(),
    };
    Ok(Demo {
        simulator,
        accounts: vec![account("admin", "admin"), account("user", "user")],
    })
}

/// Makes the accounts, or gives those of an earlier demo this start's passwords.
pub(crate) async fn prepare_accounts(server: &Server, accounts: &[DemoAccount]) -> Result<(), AppError> {
    let known = server.accounts.users().await?;
    for account in accounts {
        if known.iter().any(|user| user.email == account.email) {
            server
                .accounts
                .set_password(&account.email, &account.password.clone().into())
                .await?;
            continue;
        }
        let role = Role::parse(account.role).unwrap_or(Role::User);
        let form = Registration {
            email: account.email.clone(),
            password: account.password.clone(),
            name: format!("Demo {}", account.role),
        };
        server.accounts.create(form, role, server.clock.now()).await?;
    }
    Ok(())
}

/// New at every start: a demo that somebody leaves open to the network has no password that is known.
fn password() -> String {
    let word = || {
        uuid::Uuid::new_v4()
            .simple()
            .to_string()
            .chars()
            .take(6)
            .collect::<String>()
    };
    format!("{}-{}-{}", word(), word(), word())
}
