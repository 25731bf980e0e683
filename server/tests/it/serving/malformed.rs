//! Whatever is sent to whichever route, it is never answered with a 5xx. (Promise 25)

use futures::{StreamExt as _, stream};
use server::http::policies;
use tokio::io::AsyncReadExt as _;

use super::{HEALTHZ, PATIENCE, Raw, SHORT, is_healthy, status, with};
use crate::support::{App, spawn};

/// xorshift64*: the same seed is the same requests.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap() % bound
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next().to_le_bytes()[3]).collect()
    }
}

const METHODS: &[&str] = &[
    "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "get", "X-Y",
];
const TYPES: &[&str] = &[
    "application/json",
    "application/json; charset=utf-16",
    "multipart/form-data; boundary=x",
    "multipart/form-data; boundary=\"",
    "application/x-www-form-urlencoded",
    "text/plain",
    "\u{e4}/\u{f6}",
    "",
];
const SEGMENTS: &[&str] = &[
    "%00",
    "%ff",
    "%2e%2e",
    "..",
    "-1",
    "18446744073709551616",
    "a%2fb",
    "%",
    "\u{fc}",
    "%F0%9F%92%A9",
];
const QUERIES: &[&str] = &[
    "",
    "?",
    "?limit=-1&cursor=%ff",
    "?cursor=%00&action=%",
    "?token=%ff%fe",
    "?token[]=1&token=2",
    "?from=9999-99-99&to=x&limit=999999999999999999999",
    "?key=%00&key=1",
    "?next=//evil.example&next=javascript:1",
];
const HEADERS: &[&str] = &[
    "cookie: keypool_session=%00; a=; =b; ;;;",
    "cookie: keypool_session=AAAAAAAAAAAAAAAAAAAAAA",
    "accept: application/problem+json, */*;q=x",
    "accept: text/html",
    "accept-language: \u{fc}-\u{df}",
    "range: bytes=5-1,-0,x",
    "if-none-match: W/\"",
    "if-modified-since: Thu, 99 Jan 99999 99:99:99 GMT",
    "idempotency-key: \u{e4}",
    "idempotency-key: ",
    "origin: null",
    "sec-fetch-site: \u{fc}",
    "x-forwarded-for: 1.2.3.4.5, [::1, \u{fc}",
    "forwarded: for=\"[",
    "content-encoding: gzip",
    "expect: 200-ok",
    "upgrade: h2c, websocket",
    "host: \u{fc}:99999",
    "te: trailers, deflate",
];
const BODIES: &[&[u8]] = &[
    b"",
    b"{",
    b"null",
    b"[]",
    b"{}",
    b"\"\\ud800\"",
    b"{\"prompt\":\"\\u0000\",\"model\":\"\\u0000\"}",
    b"{\"email\":{\"email\":[]},\"password\":1e999,\"name\":null}",
    b"{\"email\":\"\xff\xfe@example.org\"}",
    b"{\"key\":\"\\u0000\",\"label\":\"\\ud83d\",\"enabled\":\"yes\"}",
    b"{\"prompt\":\"x\",\"images\":[{\"mimeType\":\"image/png\",\"data\":\"iVBORw0KGgo\"}]}",
    b"{\"a\":1}{\"a\":2}",
    b"a=%ff&b=%&=&&email=%00",
    b"--x\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\nhello",
    b"--x\r\nContent-Disposition: form-data; name=\"\xff\"; filename=\"\"\r\nContent-Type: \xff\r\n\r\n--x--",
    b"--x\r\n\r\n\r\n--x--\r\n",
    b"--x--",
];

/// With nothing right about it that does not have to be: method, path, query, type, length and body.
fn request(random: &mut Random, path: &str, token: Option<&str>) -> Vec<u8> {
    let path: Vec<&str> = path
        .split('/')
        .map(|segment| {
            if segment.starts_with('{') {
                random.of(SEGMENTS)
            } else {
                segment
            }
        })
        .collect();
    let (method, query) = (random.of(METHODS), random.of(QUERIES));
    let mut text = format!("{method} {}{query} HTTP/1.1\r\nconnection: close\r\n", path.join("/"));
    if let Some(token) = token {
        text += &format!("authorization: Bearer {token}\r\n");
    }
    for _ in 0..random.below(4) {
        text += random.of(HEADERS);
        text += "\r\n";
    }
    let mut body = random.of(BODIES).to_vec();
    match random.below(4) {
        0 => body = random.bytes(64),
        1 => {
            let at = random.below(body.len() + 1);
            body.insert(at, random.bytes(1)[0]);
        }
        _ => {}
    }
    text += &format!("content-type: {}\r\n", random.of(TYPES));
    match random.below(8) {
        0 => text += "transfer-encoding: chunked\r\n\r\n",
        // Longer than it is: the rest never comes.
        1 => text += &format!("content-length: {}\r\n\r\n", body.len() + 3),
        _ => text += &format!("content-length: {}\r\n\r\n", body.len()),
    }
    [text.into_bytes(), body].concat()
}

async fn told(app: &App, bytes: &[u8]) -> u16 {
    let mut raw = Raw::open(app).await;
    raw.send(bytes).await;
    let mut head = vec![0; 64];
    let read = tokio::time::timeout(PATIENCE, raw.stream.read(&mut head)).await;
    let count = read.expect("an answer or the end").unwrap_or(0);
    status(&String::from_utf8_lossy(&head[..count]))
}

#[tokio::test]
async fn no_malformed_request_to_any_route_is_answered_with_a_5xx() {
    // What is left out of a body never comes.
    let app = spawn(with(|limits| limits.body_piece = SHORT)).await;
    let (admin, user) = (app.admin().await, app.user().await);
    let mut random = Random(0x5eed_2026);
    let routes = policies();
    let mut requests = Vec::new();
    for round in 0..6 {
        let token = [Some(admin.as_str()), Some(user.as_str()), None][round % 3];
        requests.extend(routes.iter().map(|(_, path)| request(&mut random, path, token)));
    }
    assert!(requests.len() > 300, "{}", requests.len());
    let answers = stream::iter(&requests).map(|bytes| told(&app, bytes)).buffered(8);
    let answers: Vec<u16> = answers.collect().await;
    for (bytes, told) in requests.iter().zip(&answers) {
        assert!(*told < 500, "{told} for\n{}", String::from_utf8_lossy(bytes));
    }
    let refused = answers.iter().filter(|told| (400..500).contains(*told)).count();
    assert!(
        refused * 2 > answers.len(),
        "most of them are mistakes: {refused} of {}",
        answers.len()
    );
    assert!(is_healthy(&Raw::exchange(&app, HEALTHZ).await));
}
