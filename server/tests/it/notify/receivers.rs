//! Whoever gets notifications: a receiver of posts and a mail server, both on loopback.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex as AsyncMutex, mpsc, watch};
use tokio::task::JoinSet;

/// Long enough for anything on loopback.
const PATIENCE: Duration = Duration::from_secs(10);
/// What did not come by then does not come.
const QUIET: Duration = Duration::from_millis(400);

#[derive(Debug)]
pub(crate) struct Post {
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Post {
    pub(crate) fn body(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }
}

pub(crate) struct Receiver {
    pub(crate) base: String,
    inner: Arc<Inner>,
    posts: AsyncMutex<mpsc::UnboundedReceiver<Post>>,
    serving: JoinSet<()>,
}

struct Inner {
    /// Answers of the first posts; later ones are accepted.
    statuses: Mutex<Vec<u16>>,
    location: Mutex<Option<String>>,
    /// Posts of other types are accepted and forgotten.
    only: &'static str,
    count: Mutex<usize>,
    sender: mpsc::UnboundedSender<Post>,
    /// Posts that came wait for their answer while it is true.
    is_held: watch::Sender<bool>,
}

impl Receiver {
    /// Hears of posts of one type, all with "".
    pub(crate) async fn start(statuses: &[u16], only: &'static str) -> Self {
        let (sender, posts) = mpsc::unbounded_channel();
        let inner = Arc::new(Inner {
            statuses: Mutex::new(statuses.to_vec()),
            location: Mutex::default(),
            only,
            count: Mutex::default(),
            sender,
            is_held: watch::Sender::new(false),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(take).with_state(Arc::clone(&inner));
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            base,
            inner,
            posts: AsyncMutex::new(posts),
            serving,
        }
    }

    pub(crate) fn redirect_to(&self, base: &str) {
        *self.inner.location.lock().unwrap() = Some(base.to_owned());
    }

    /// Whether answers are kept back from now on.
    pub(crate) fn hold(&self, is_held: bool) {
        self.inner.is_held.send_replace(is_held);
    }

    pub(crate) async fn next(&self) -> Post {
        let mut posts = self.posts.lock().await;
        tokio::time::timeout(PATIENCE, posts.recv())
            .await
            .expect("a post")
            .unwrap()
    }

    pub(crate) async fn stays_quiet(&self) -> bool {
        let mut posts = self.posts.lock().await;
        tokio::time::timeout(QUIET, posts.recv()).await.is_err()
    }

    pub(crate) fn count(&self) -> usize {
        *self.inner.count.lock().unwrap()
    }

    pub(crate) async fn stop(mut self) {
        self.serving.shutdown().await;
    }
}

async fn take(State(inner): State<Arc<Inner>>, headers: HeaderMap, body: Bytes) -> Response {
    let text = String::from_utf8(body.to_vec()).unwrap();
    let kind = serde_json::from_str::<Value>(&text).unwrap()["type"].clone();
    if !inner.only.is_empty() && kind != inner.only {
        return StatusCode::NO_CONTENT.into_response();
    }
    *inner.count.lock().unwrap() += 1;
    inner.sender.send(Post { headers, text }).unwrap();
    let mut held = inner.is_held.subscribe();
    held.wait_for(|is_held| !is_held).await.unwrap();
    let mut statuses = inner.statuses.lock().unwrap();
    let status = if statuses.is_empty() { 204 } else { statuses.remove(0) };
    let location = inner.location.lock().unwrap().clone();
    let headers = location.map(|location| [(header::LOCATION, location)]);
    (
        StatusCode::from_u16(status).unwrap(),
        headers.map(IntoResponse::into_response).unwrap_or_default(),
    )
        .into_response()
}

/// Takes every mail and says what SMTP wants to hear.
pub(crate) struct MailServer {
    pub(crate) port: u16,
    mails: AsyncMutex<mpsc::UnboundedReceiver<String>>,
    _serving: JoinSet<()>,
}

impl MailServer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, mails) = mpsc::unbounded_channel();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                talk(stream, &sender).await;
            }
        });
        Self {
            port,
            mails: AsyncMutex::new(mails),
            _serving: serving,
        }
    }

    /// Envelope, headers and text of the next mail.
    pub(crate) async fn next(&self) -> String {
        let mut mails = self.mails.lock().await;
        tokio::time::timeout(PATIENCE, mails.recv())
            .await
            .expect("a mail")
            .unwrap()
    }
}

async fn talk(stream: TcpStream, mails: &mpsc::UnboundedSender<String>) {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    write.write_all(b"220 mail.test\r\n").await.unwrap();
    let mut mail = String::new();
    let mut in_data = false;
    while let Ok(Some(line)) = lines.next_line().await {
        mail.push_str(&line);
        mail.push('\n');
        let answer = match (in_data, line.as_str()) {
            (true, ".") => {
                in_data = false;
                mails.send(std::mem::take(&mut mail)).unwrap();
                "250 taken\r\n"
            }
            (true, _) => continue,
            (false, "DATA") => {
                in_data = true;
                "354 go on\r\n"
            }
            (false, "QUIT") => "221 bye\r\n",
            (false, _) => "250 fine\r\n",
        };
        if write.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}
