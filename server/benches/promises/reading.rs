//! Promise 11: readers that stop reading cost little, and are cut.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::Amount;
use crate::app::question;
use crate::figures::Row;
use crate::process::Process;

/// Text of one event.
const EVENT_BYTES: usize = 4 * 1024;
const BYTES_MAX: u64 = 256 * 1024;
/// Until memory stands still.
const SETTLE: Duration = Duration::from_secs(3);
const LIMIT: Duration = Duration::from_secs(60);
/// How late a look at a connection may be, and what it takes to see it.
const LATE_MAX: Duration = Duration::from_secs(5);

/// What a reader takes before it stops: the first text, or so many bytes as fast as it can.
const TAKEN_BYTES: [usize; 2] = [0, 300_000];

pub(crate) async fn stopped_readers(amount: Amount) -> Result<Vec<Row>> {
    let readers = amount.of(200);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let base = format!("http://{}", listener.local_addr()?);
    let under_way = Arc::new(AtomicUsize::new(0));
    let mut provider = JoinSet::new();
    provider.spawn(axum::serve(listener, endless(Arc::clone(&under_way))).into_future());
    let provider = [("GOOGLE_AI_BASE_URL", base.as_str())];
    let mut rows = Vec::new();
    for taken in TAKEN_BYTES {
        // As with Google.
        let process = Process::start_over_http2(&provider).await?;
        let (held, each) = hold(&process, readers, taken).await?;
        let what = format!(
            "{readers} readers {}: memory of the process for each",
            stop_after(taken)
        );
        let kept = each <= BYTES_MAX;
        rows.push(Row::promised(what, kib(each), "≤ 256 KiB", kept));
        if taken == 0 {
            rows.push(cut(&under_way).await);
        }
        drop(held);
    }
    for taken in TAKEN_BYTES {
        let process = Process::start(&provider).await?;
        let (held, each) = hold(&process, readers, taken).await?;
        let what = format!("… whose provider speaks HTTP/1, {}", stop_after(taken));
        rows.push(Row::beside(what, kib(each)));
        drop(held);
    }
    Ok(rows)
}

fn stop_after(taken: usize) -> String {
    match taken {
        0 => "stop at the first text of an answer without end".to_owned(),
        bytes => format!("take {} KiB of it and stop, these left out", bytes / 1024),
    }
}

fn kib(bytes: u64) -> String {
    format!("{} KiB", bytes / 1024)
}

/// Readers that have stopped, and what memory each has in the process beside the answer's text that it has taken.
async fn hold(process: &Process, readers: usize, taken: usize) -> Result<(Vec<TcpStream>, u64)> {
    // What an allocator keeps from ordinary work is no reader's.
    let ready = format!("{}/readyz", process.base);
    let warming = stream::iter(0..400)
        .map(|_| process.client.get(&ready).send())
        .buffer_unordered(32);
    warming.try_collect::<Vec<_>>().await?;
    let before = process.memory_bytes()?;
    let stopping = stream::iter(0..readers)
        .map(|_| stop_reading(process, taken))
        .buffer_unordered(32);
    let held = stopping.try_collect().await?;
    tokio::time::sleep(SETTLE).await;
    let each = process.memory_bytes()?.saturating_sub(before) / readers as u64;
    Ok((held, each.saturating_sub(taken as u64)))
}

/// Waits until every call is closed.
async fn cut(under_way: &AtomicUsize) -> Row {
    let began = Instant::now();
    while under_way.load(Ordering::Relaxed) > 0 && SETTLE + began.elapsed() <= LIMIT + LATE_MAX * 2 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let cut_after = SETTLE + began.elapsed();
    let left = under_way.load(Ordering::Relaxed);
    Row::promised(
        "… the last of them cut after; calls left over",
        format!("{:.1} s; {left}", cut_after.as_secs_f64()),
        "60 s; 0",
        left == 0 && cut_after <= LIMIT + LATE_MAX,
    )
}

/// A provider that never stops talking. Calls count as long as they are open.
fn endless(under_way: Arc<AtomicUsize>) -> Router {
    let frame =
        json!({ "candidates": [{ "content": { "parts": [{ "text": "x".repeat(EVENT_BYTES) }], "role": "model" } }] });
    let frame = Bytes::from(format!("data: {frame}\r\n\r\n"));
    Router::new().fallback(move || {
        let call = Open::new(&under_way);
        let events = stream::repeat(frame.clone()).map(move |event| {
            let _open = &call;
            Ok::<_, Infallible>(event)
        });
        async move { ([(CONTENT_TYPE, "text/event-stream")], Body::from_stream(events)).into_response() }
    })
}

struct Open(Arc<AtomicUsize>);

impl Open {
    fn new(under_way: &Arc<AtomicUsize>) -> Self {
        under_way.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(under_way))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Reads up to the first text, and at least so many bytes, and then never again.
async fn stop_reading(process: &Process, taken: usize) -> Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(4096)?;
    let mut stream = socket.connect(process.address().parse()?).await?;
    let body = json!({ "prompt": question() }).to_string();
    let head = format!(
        "POST /api/ai-analysis/analyze/stream HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        process.token,
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    let (mut seen, mut piece) = (Vec::new(), [0; 512]);
    let mut has_begun = false;
    while !has_begun || seen.len() < taken {
        let count = stream.read(&mut piece).await?;
        let read = piece.get(..count).filter(|read| !read.is_empty());
        seen.extend_from_slice(read.with_context(|| format!("closed: {}", String::from_utf8_lossy(&seen)))?);
        has_begun = has_begun || String::from_utf8_lossy(&seen).contains("event: delta");
    }
    Ok(stream)
}
