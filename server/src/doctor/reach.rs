//! Whether the provider can be reached from here, without any key: name, connection, answer.

use std::time::Duration;

use pool::Timestamp;
use reqwest::Url;
use reqwest::header::DATE;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout};

/// For each step.
const STEP_TIME_MAX: Duration = Duration::from_secs(3);

/// How far a call without a key got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Any answer will do: without a key it is a refusal.
    Answered {
        ms: u64,
        /// The provider's clock, in whole seconds.
        date: Option<Timestamp>,
    },
    Failed(Step),
}

/// The step that did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Address,
    Name,
    Connect,
    /// TLS, or HTTP behind it.
    Answer,
}

/// Asks for the root of the provider's address. Costs no quota and shows no key.
pub(super) async fn reach(base_url: &str) -> Reach {
    let started = Instant::now();
    match answer(base_url).await {
        Ok(date) => Reach::Answered {
            ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            date,
        },
        Err(step) => Reach::Failed(step),
    }
}

async fn answer(base_url: &str) -> Result<Option<Timestamp>, Step> {
    let url = Url::parse(base_url).map_err(|_| Step::Address)?;
    let host = url.host_str().ok_or(Step::Address)?;
    // As a name server knows it: without the brackets of an address of IPv6.
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let port = url.port_or_known_default().ok_or(Step::Address)?;
    let found = timeout(STEP_TIME_MAX, lookup_host((host, port))).await;
    let addresses: Vec<_> = found.map_err(|_| Step::Name)?.map_err(|_| Step::Name)?.collect();
    let connected = timeout(STEP_TIME_MAX, TcpStream::connect(addresses.as_slice())).await;
    connected.map_err(|_| Step::Connect)?.map_err(|_| Step::Connect)?;
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(STEP_TIME_MAX)
        .build()
        .map_err(|_| Step::Answer)?;
    let response = client.get(url).send().await.map_err(|_| Step::Answer)?;
    let date = response.headers().get(DATE).and_then(|value| value.to_str().ok());
    Ok(date.and_then(http_date))
}

/// Such as `Thu, 15 Jan 2026 12:00:00 GMT`.
fn http_date(text: &str) -> Option<Timestamp> {
    let zoned = jiff::fmt::rfc2822::parse(text).ok()?;
    let ms = u64::try_from(zoned.timestamp().as_millisecond()).ok()?;
    Some(Timestamp::from_millis(ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_header_is_read_to_the_second() {
        let read = http_date("Thu, 15 Jan 2026 12:00:00 GMT");
        assert_eq!(read, Some(Timestamp::from_millis(1_768_478_400_000)));
        assert_eq!(http_date("yesterday"), None);
    }

    #[tokio::test]
    async fn a_port_where_nobody_listens_fails_to_connect() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        drop(listener);
        assert_eq!(reach(&format!("http://{address}")).await, Reach::Failed(Step::Connect));
        assert_eq!(reach("nothing").await, Reach::Failed(Step::Address));
    }

    #[tokio::test]
    async fn who_listens_but_hangs_up_does_not_answer() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let hang_up = async {
            while let Ok((stream, _)) = listener.accept().await {
                drop(stream);
            }
        };
        let url = format!("http://{address}");
        tokio::select! {
            reached = reach(&url) => assert_eq!(reached, Reach::Failed(Step::Answer)),
            () = hang_up => {}
        }
    }
}
