//! What callers do to connections: dribble, stop reading, flood, smuggle. And how a server that stops lets them go.

mod bodies;
mod heads;
mod http2;
mod malformed;
mod readers;
mod stopping;

use std::time::Duration;

use server::http::ServeLimits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::support::{App, Setup};

/// As short as a bound must be that a test waits for.
const SHORT: Duration = Duration::from_millis(300);
/// Longer than anything takes that is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

fn with(change: impl FnOnce(&mut ServeLimits)) -> Setup {
    let mut setup = Setup::default();
    change(&mut setup.serving);
    setup
        .environment
        .push(("KEYPOOL_LIMITS", "* free rpm=1000000".to_owned()));
    setup
}

/// A caller that sends what it likes.
struct Raw {
    stream: TcpStream,
}

impl Raw {
    async fn open(app: &App) -> Self {
        let stream = TcpStream::connect(address(app)).await.unwrap();
        Self { stream }
    }

    /// One that takes few bytes before it is asked to.
    async fn open_narrow(app: &App, bytes: u32) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(bytes).unwrap();
        let stream = socket.connect(address(app).parse().unwrap()).await.unwrap();
        Self { stream }
    }

    /// Sends all at once and reads until the server closes the connection.
    async fn exchange(app: &App, bytes: impl AsRef<[u8]>) -> String {
        let mut raw = Self::open(app).await;
        raw.send(bytes).await;
        raw.rest().await
    }

    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // The server may have closed it already: then that is what the test is about.
        let _ = self.stream.write_all(bytes.as_ref()).await;
    }

    /// What comes until the connection is closed, in whichever way.
    async fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        let read = self.stream.read_to_end(&mut bytes);
        let _ = tokio::time::timeout(PATIENCE, read)
            .await
            .expect("the server closes it");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// What comes until these words are there.
    async fn until(&mut self, words: &str) -> String {
        let mut seen = Vec::new();
        let mut piece = [0; 1024];
        while !String::from_utf8_lossy(&seen).contains(words) {
            let read = tokio::time::timeout(PATIENCE, self.stream.read(&mut piece)).await;
            let count = read.expect("it comes").unwrap();
            assert!(count > 0, "closed after {:?}", String::from_utf8_lossy(&seen));
            seen.extend_from_slice(&piece[..count]);
        }
        String::from_utf8_lossy(&seen).into_owned()
    }
}

fn address(app: &App) -> String {
    app.base.trim_start_matches("http://").to_owned()
}

/// The status of the first answer; 0 when there is none.
fn status(answer: &str) -> u16 {
    let word = answer.split(' ').nth(1).filter(|_| answer.starts_with("HTTP/1."));
    word.map_or(0, |word| word.parse().unwrap())
}

fn is_healthy(answer: &str) -> bool {
    status(answer) == 200 && answer.ends_with(r#"{"status":"ok"}"#)
}

const HEALTHZ: &str = "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
