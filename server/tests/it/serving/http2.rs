//! HTTP/2 without TLS: served, and bounded. Frames are made by hand (RFC 9113, RFC 7541).

use reqwest::{Client, Method};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{HEALTHZ, PATIENCE, Raw, SHORT, is_healthy, with};
use crate::support::{App, spawn};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// `:method: GET`, `:scheme: http`, `:path: /` from the static table, and `:authority: x`.
const GET: &[u8] = &[0x82, 0x86, 0x84, 0x41, 0x01, b'x'];

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

fn literal(name: &str, value: &str) -> Vec<u8> {
    // Values of 127 bytes and more take a second byte of length.
    let length = |text: &str| match text.len() {
        short @ 0..127 => vec![u8::try_from(short).unwrap()],
        long => {
            let rest = long - 127;
            assert!(rest < 128 * 128);
            vec![
                127,
                u8::try_from(rest % 128).unwrap() | 128,
                u8::try_from(rest / 128).unwrap(),
            ]
        }
    };
    [
        &[0],
        &length(name)[..],
        name.as_bytes(),
        &length(value),
        value.as_bytes(),
    ]
    .concat()
}

/// Kinds of the frames that come until the connection is closed.
async fn frames(raw: &mut Raw) -> Vec<u8> {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(PATIENCE, raw.stream.read_to_end(&mut bytes)).await;
    let _ = read.expect("the server closes it");
    let (mut rest, mut kinds) = (&bytes[..], Vec::new());
    while let [a, b, c, kind, ..] = *rest {
        kinds.push(kind);
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        rest = rest.get(9 + length..).unwrap_or_default();
    }
    kinds
}

async fn open(app: &App) -> Raw {
    let mut raw = Raw::open(app).await;
    raw.send([PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()).await;
    raw
}

#[tokio::test]
async fn http2_is_spoken_to_those_who_begin_with_it() {
    let app = spawn(with(|_| {})).await;
    let client = Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    let answers = (0..20).map(|_| client.request(Method::GET, format!("{}/healthz", app.base)).send());
    for answer in futures::future::join_all(answers).await {
        let answer = answer.unwrap();
        assert_eq!(
            (answer.status().as_u16(), answer.version()),
            (200, reqwest::Version::HTTP_2)
        );
    }
}

#[tokio::test]
async fn streams_that_are_opened_to_be_reset_end_the_connection_and_nothing_else() {
    let app = spawn(with(|_| {})).await;
    let mut raw = open(&app).await;
    for number in 0..2_000 {
        let stream = 2 * number + 1;
        let pair = [
            frame(HEADERS, END_STREAM | END_HEADERS, stream, GET),
            frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()),
        ];
        raw.send(pair.concat()).await;
    }
    let kinds = frames(&mut raw).await;
    assert!(kinds.is_empty() || kinds.contains(&GOAWAY), "{kinds:?}");
    assert!(is_healthy(&Raw::exchange(&app, HEALTHZ).await));
}

#[tokio::test]
async fn a_head_in_endless_pieces_is_refused() {
    let app = spawn(with(|_| {})).await;
    let mut raw = open(&app).await;
    let header = literal("x", &"y".repeat(1_000));
    raw.send(frame(HEADERS, END_STREAM, 1, &[GET, &header].concat())).await;
    for _ in 0..5_000 {
        raw.send(frame(CONTINUATION, 0, 1, &header)).await;
    }
    let kinds = frames(&mut raw).await;
    assert!(
        kinds.is_empty() || kinds.contains(&GOAWAY) || kinds.contains(&RST_STREAM),
        "{kinds:?}"
    );
    assert!(is_healthy(&Raw::exchange(&app, HEALTHZ).await));
}

#[tokio::test]
async fn a_connection_of_pings_only_is_closed() {
    let app = spawn(with(|limits| limits.head = SHORT)).await;
    let mut raw = open(&app).await;
    for _ in 0..5 {
        raw.send(frame(PING, 0, 0, &[0; 8])).await;
    }
    let kinds = frames(&mut raw).await;
    assert!(kinds.contains(&SETTINGS), "{kinds:?}");
}

#[tokio::test]
async fn a_stream_without_a_window_is_cut() {
    let app = spawn(with(|limits| limits.stall = SHORT)).await;
    let token = app.user().await;
    let mut raw = Raw::open(&app).await;
    // SETTINGS_INITIAL_WINDOW_SIZE of 0: no byte of an answer may be sent.
    let settings = frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
    let head = [
        &[0x82, 0x86][..],
        &literal(":path", "/api/ai-analysis/service-status/stream"),
        &literal(":authority", "x"),
        &literal("authorization", &format!("Bearer {token}")),
    ];
    let request = frame(HEADERS, END_STREAM | END_HEADERS, 1, &head.concat());
    raw.send([PREFACE, &settings, &request].concat()).await;
    let kinds = frames(&mut raw).await;
    assert!(kinds.contains(&HEADERS), "it was answered before: {kinds:?}");
    assert!(!kinds.contains(&0), "no data was sent: {kinds:?}");
}

#[tokio::test]
async fn a_head_in_pieces_that_dribbles_behind_another_request_is_cut() {
    let app = spawn(with(|limits| limits.head = SHORT)).await;
    let mut raw = open(&app).await;
    raw.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, GET)).await;
    raw.send(frame(HEADERS, END_STREAM, 3, GET)).await;
    let (mut reader, mut writer) = raw.stream.split();
    let mut pace = tokio::time::interval(SHORT / 10);
    let dribbling = async {
        loop {
            pace.tick().await;
            if writer.write_all(&frame(CONTINUATION, 0, 3, &[])).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    let mut bytes = Vec::new();
    tokio::select! {
        read = tokio::time::timeout(PATIENCE, reader.read_to_end(&mut bytes)) => drop(read.expect("it is cut")),
        () = dribbling => {}
    }
    assert!(!bytes.is_empty(), "the first request was answered");
}
