//! Promise 3: a provider that is down for everybody is not stormed.

use std::time::Duration;

use anyhow::{Context as _, Result};
use futures::{StreamExt as _, stream};
use simulator::Behaviour;

use crate::Amount;
use crate::app::{App, Setup};
use crate::figures::Row;

const MODEL: &str = "gemini-2.5-flash";

/// How the provider is down.
#[derive(Clone, Copy)]
enum Down {
    Overloaded,
    Refusing,
}

pub(crate) async fn calls_in_an_outage(amount: Amount) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    // What takes time are the pauses between repetitions, not work: all at the same time.
    let one_by_one = [Down::Overloaded, Down::Refusing].map(|down| outage(amount, down, 1));
    for row in futures::future::join_all(one_by_one).await {
        rows.push(row?);
    }
    for down in [Down::Overloaded, Down::Refusing] {
        rows.push(outage(amount, down, 100).await?);
    }
    Ok(rows)
}

/// One request after the other sees a second pass between two of them, so that the breaker closes, tries and opens many times.
/// Requests at once are the worst of an outage: all of them are under way before the first failure is known.
async fn outage(amount: Amount, down: Down, at_once: usize) -> Result<Row> {
    let mut setup = Setup::of_keys(3)
        .by_hand()
        .with("QUEUE_WAIT_MAX", "0s")
        // Else the pool tries out with single calls where the limits are, and fewer are under way.
        .with("KEYPOOL_LIMITS", "* free rpm=1000000");
    if let Down::Refusing = down {
        setup = setup.with("GOOGLE_AI_BASE_URL", nobody_listens().await?);
    }
    let app = App::start(setup).await?;
    app.sim.always("*", "*", Behaviour::fixture("overloaded"));
    let requests = amount.of(1_000);
    let mut token = app.token().await?;
    let (mut asked, mut first_wave) = (0, None);
    while asked < requests {
        let wave = at_once.min(requests - asked);
        let asking = stream::iter(0..wave).map(|_| app.ask(&token, MODEL));
        for reply in asking.buffer_unordered(at_once).collect::<Vec<_>>().await {
            anyhow::ensure!(reply?.status != 200, "the provider is not down");
        }
        asked += wave;
        first_wave.get_or_insert_with(|| format!("{} calls for the first {wave}", calls(&app, down)));
        app.clock.advance(Duration::from_secs(1));
        if asked % 600 < wave {
            token = app.token().await?;
        }
    }
    let calls = calls(&app, down);
    let ratio = calls as f64 / requests as f64;
    let what = match down {
        Down::Overloaded => "503 from every key",
        Down::Refusing => "connections refused",
    };
    Ok(Row::promised(
        format!("{what}, {at_once} at once, a second between: calls per request"),
        format!(
            "{ratio:.3} ({calls} calls, {requests} requests; {})",
            first_wave.unwrap_or_default()
        ),
        "≤ 1.10",
        ratio <= 1.10,
    ))
}

fn calls(app: &App, down: Down) -> u64 {
    match down {
        Down::Overloaded => app.sim.calls().len() as u64,
        Down::Refusing => app.leases(),
    }
}

/// The address of a port that was free a moment ago.
async fn nobody_listens() -> Result<String> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .context("no free port")?;
    Ok(format!("http://{}", listener.local_addr()?))
}
