use anyhow::{Context, bail};
use server::config::Config;
use server::logging;
use server::startup::{self, Options, Server};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

use super::say;
use crate::demo::{self, Demo};

pub(super) async fn serve(mut config: Config, with_demo: bool) -> Result<(), anyhow::Error> {
    logging::start(&config);
    let demo = if with_demo {
        Some(
            demo::start(&mut config)
                .await
                .context("the simulated provider did not start")?,
        )
    } else {
        None
    };
    let mut options = Options::new(config);
    options.demo = demo.as_ref().map(|demo| demo.accounts.clone());
    let server = startup::build(options).await?;
    if let Some(demo) = &demo {
        demo::prepare_accounts(&server, &demo.accounts).await?;
    }
    greet(&server, demo.as_ref());
    let twice = run(server).await;
    if let Some(demo) = demo {
        demo.simulator.stop().await;
    }
    if twice {
        bail!("stopped at once by a second signal: answers under way were cut");
    }
    Ok(())
}

fn greet(server: &Server, demo: Option<&Demo>) {
    say(format_args!("Keypool is listening on http://{}", server.address));
    if let Some(demo) = demo {
        say("Demo: every answer is simulated. Sign in as");
        for account in &demo.accounts {
            say(format_args!(
                "  {:<6} {}  password {}",
                account.role, account.email, account.password
            ));
        }
    } else if let Some(token) = &server.set_up_token {
        say(format_args!(
            "There is no admin yet. Within 30 minutes, open {}",
            startup::set_up_url(server.address, token)
        ));
    }
}

/// Whether a second signal ended it.
async fn run(server: Server) -> bool {
    let (first, second) = (CancellationToken::new(), CancellationToken::new());
    let signals = async {
        let mut signals = Signals::new();
        signals.next().await;
        first.cancel();
        signals.next().await;
        second.cancel();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = server.run_until(first.clone().cancelled_owned(), second.clone().cancelled_owned()) => {}
        () = signals => {}
    }
    second.is_cancelled()
}

/// Ctrl+C, and SIGTERM from whoever runs the process. Without a handler a signal ends the process by itself.
struct Signals {
    #[cfg(unix)]
    terminate: Option<tokio::signal::unix::Signal>,
}

impl Signals {
    fn new() -> Self {
        Self {
            #[cfg(unix)]
            terminate: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).ok(),
        }
    }

    async fn next(&mut self) {
        let interrupt = async {
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        #[cfg(unix)]
        if let Some(terminate) = &mut self.terminate {
            tokio::select! {
                () = interrupt => {}
                _ = terminate.recv() => {}
            }
            return;
        }
        interrupt.await;
    }
}

pub(super) async fn healthcheck(config: Config) -> Result<(), anyhow::Error> {
    let host = if config.host.is_unspecified() {
        "127.0.0.1".to_owned()
    } else {
        config.host.to_string()
    };
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(3))
        .build()?;
    let url = format!("http://{host}:{}/readyz", config.port);
    let response = client
        .get(&url)
        .send()
        .await
        .map_err(|_| anyhow::anyhow!("nothing answers on {url}"))?;
    if !response.status().is_success() {
        bail!("the server is not ready ({})", response.status());
    }
    say("ready");
    Ok(())
}
