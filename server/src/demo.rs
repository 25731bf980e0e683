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

/// The demo's accounts, an admin among them, are for everybody who can reach it.
///
/// # Errors
/// When `HOST` is reachable from other machines; the text is for the person who started it.
pub(crate) fn check_host(config: &Config) -> Result<(), &'static str> {
    if config.host.to_canonical().is_loopback() {
        Ok(())
    } else {
        Err(
            "keypool: the demo shows its passwords to every visitor, so HOST must be this machine's own, such as 127.0.0.1",
        )
    }
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
    config.mongo = None;
    config.first_admin = None;
    // One key after the other, so that the switch comes when the first has answered three times.
    config.strategy = pool::Strategy::Sticky;
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
    let known = server.accounts.accounts().await?;
    for account in accounts {
        if let Some(known) = known.iter().find(|known| known.email == account.email) {
            let password = account.password.clone().into();
            server
                .accounts
                .set_password(&known.id, &password, server::store::OPERATOR)
                .await?;
            continue;
        }
        let role = Role::parse(account.role).unwrap_or(Role::User);
        let form = Registration {
            email: account.email.clone(),
            password: account.password.clone(),
            name: format!("Demo {}", account.role),
            invitation: None,
        };
        server.accounts.create(form, role, server.clock.now()).await?;
    }
    Ok(())
}

/// New at every start. The sign-in page shows it too, which is why the demo serves this machine only.
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
