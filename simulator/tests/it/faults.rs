use std::io::ErrorKind;
use std::time::Duration;

use reqwest::Response;
use simulator::{Behaviour, Ended, Simulator, fixtures};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::{Bed, MODEL, asking};

fn stream_body() -> &'static [u8] {
    fixtures::get("stream-ok").unwrap().body.as_bytes()
}

/// Reads so many bytes and no more.
async fn read_bytes(response: &mut Response, len: usize) -> Vec<u8> {
    let mut read = Vec::new();
    while read.len() < len {
        read.extend_from_slice(&response.chunk().await.unwrap().unwrap());
    }
    read
}

/// A call over a bare socket, to see what TCP says.
async fn call_raw(sim: &Simulator) -> TcpStream {
    let mut socket = TcpStream::connect(sim.addr()).await.unwrap();
    let body = asking("hello").to_string();
    let head = format!(
        "POST /v1beta/models/{MODEL}:generateContent HTTP/1.1\r\nhost: x\r\nx-goog-api-key: k1\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    socket.write_all((head + &body).as_bytes()).await.unwrap();
    socket
}

/// Everything that came, and how it ended.
async fn read_raw(mut socket: TcpStream) -> (String, Option<ErrorKind>) {
    let mut bytes = Vec::new();
    let end = socket.read_to_end(&mut bytes).await.err().map(|error| error.kind());
    (String::from_utf8(bytes).unwrap(), end)
}

async fn all_left(sim: &Simulator) {
    sim.wait_for(|calls| calls.iter().all(|call| call.ended != Ended::InProgress))
        .await
        .unwrap();
    assert_eq!(sim.in_progress(), 0);
}

#[tokio::test]
async fn a_stalled_answer_sends_its_bytes_and_nothing_more_until_the_caller_leaves() {
    let bed = Bed::start().await;
    for len in [0, 1, 50, stream_body().len()] {
        bed.sim.script(
            "k1",
            "*",
            vec![Behaviour::fixture("stream-ok").stall_after_bytes(len as u64)],
        );
        let mut response = bed.generate("k1", "hello").await;
        assert_eq!(response.status(), 200);
        assert_eq!(read_bytes(&mut response, len).await, &stream_body()[..len]);
        assert!(futures::FutureExt::now_or_never(response.chunk()).is_none(), "{len}");
        assert_eq!(
            (bed.sim.in_progress(), bed.sim.calls().last().unwrap().ended),
            (1, Ended::InProgress)
        );
        drop(response);
        all_left(&bed.sim).await;
        assert_eq!(bed.sim.calls().last().unwrap().ended, Ended::ClosedByCaller);
    }
}

#[tokio::test]
async fn a_caller_who_leaves_before_the_head_is_seen() {
    let bed = Bed::start().await;
    for behaviour in [
        Behaviour::answer().hang_before_headers(),
        Behaviour::answer().delayed_ms(3_600_000),
    ] {
        bed.sim.script("k1", "*", vec![behaviour]);
        let waiting = bed.call("k1", MODEL, "generateContent", &asking("hello")).send();
        let seen = bed
            .sim
            .wait_for(|calls| calls.last().is_some_and(|call| call.ended == Ended::InProgress));
        tokio::select! {
            answered = waiting => panic!("answered: {answered:?}"),
            seen = seen => seen.unwrap(),
        }
        all_left(&bed.sim).await;
        assert_eq!(bed.sim.calls().last().unwrap().ended, Ended::ClosedByCaller);
    }
}

#[tokio::test]
async fn a_delayed_answer_comes_after_its_delay() {
    let bed = Bed::start().await;
    bed.sim.script("k1", "*", vec![Behaviour::fixture("ok").delayed_ms(50)]);
    let began = tokio::time::Instant::now();
    assert_eq!(bed.generate("k1", "hello").await.status(), 200);
    assert!(began.elapsed() >= Duration::from_millis(50));
}

#[tokio::test]
async fn a_reset_comes_after_exactly_its_bytes() {
    let bed = Bed::start().await;
    for len in [0, 1, 50, stream_body().len()] {
        bed.sim.script(
            "k1",
            "*",
            vec![Behaviour::fixture("stream-ok").reset_after_bytes(len as u64)],
        );
        let (received, end) = read_raw(call_raw(&bed.sim).await).await;
        assert_eq!(end, Some(ErrorKind::ConnectionReset), "{len}");
        let body = received.split_once("\r\n\r\n").unwrap().1;
        let expected = std::str::from_utf8(&stream_body()[..len]).unwrap();
        let chunk = if len == 0 {
            String::new()
        } else {
            format!("{len:X}\r\n{expected}\r\n")
        };
        assert_eq!(body, chunk);
    }
    all_left(&bed.sim).await;
    assert!(bed.sim.calls().iter().all(|call| call.ended == Ended::Answered));
}

#[tokio::test]
async fn a_reset_before_the_head_sends_nothing() {
    let bed = Bed::start().await;
    bed.sim
        .script("k1", "*", vec![Behaviour::answer().reset_before_headers()]);
    assert_eq!(
        read_raw(call_raw(&bed.sim).await).await,
        (String::new(), Some(ErrorKind::ConnectionReset))
    );
    assert_eq!(
        bed.generate("k1", "hello").await.status(),
        200,
        "the next connection is well"
    );
}

#[tokio::test]
async fn a_truncated_body_ends_cleanly_at_every_byte() {
    let bed = Bed::start().await;
    for len in 0..=stream_body().len() {
        bed.sim.script(
            "k1",
            "*",
            vec![Behaviour::fixture("stream-ok").truncate_after_bytes(len as u64)],
        );
        let response = bed.generate("k1", "hello").await;
        assert_eq!(response.bytes().await.unwrap(), &stream_body()[..len]);
    }
    assert!(bed.sim.calls().iter().all(|call| call.ended == Ended::Answered));
}

#[tokio::test]
async fn a_cut_works_on_normal_answers_as_well() {
    let bed = Bed::start().await;
    bed.sim
        .script("k1", "*", vec![Behaviour::answer().truncate_after_bytes(100)]);
    let cut = bed.generate("k1", "hello").await.text().await.unwrap();
    assert_eq!(cut.len(), 100);
    assert!(serde_json::from_str::<serde_json::Value>(&cut).is_err());
}

#[tokio::test]
async fn a_huge_body_is_one_well_formed_answer_of_the_length_asked_for() {
    let bed = Bed::start().await;
    for len in [0, 1, 64 * 1024, 3_000_001] {
        bed.sim.script("k1", "*", vec![Behaviour::huge_body(len)]);
        let (_, message) = bed.generate_json("k1", MODEL, &asking("hello")).await;
        assert_eq!(crate::text_of(&message).len() as u64, len);
    }
    bed.sim.script("k1", "*", vec![Behaviour::huge_body(1_000_000)]);
    let events = bed
        .call("k1", MODEL, "streamGenerateContent?alt=sse", &asking("hello"))
        .send()
        .await
        .unwrap();
    let body = events.text().await.unwrap();
    assert!(body.starts_with("data: {") && body.trim_end().lines().count() == 1);
}

#[tokio::test]
async fn any_bytes_are_sent_as_they_are_with_their_headers() {
    let bed = Bed::start().await;
    let bytes: Vec<u8> = (0..=255).collect();
    let behaviour = Behaviour::respond_bytes(206, &bytes).with_header("content-encoding", "gzip");
    bed.sim.script("k1", "*", vec![behaviour]);
    let response = bed.generate("k1", "hello").await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()["content-encoding"]),
        (206, &"gzip".parse().unwrap())
    );
    assert_eq!(response.bytes().await.unwrap(), bytes);
    assert_eq!(bed.sim.calls()[0].sent_bytes, 256);
}

#[tokio::test]
async fn connections_are_counted_while_they_are_open() {
    let bed = Bed::start().await;
    let sockets = [
        TcpStream::connect(bed.sim.addr()).await.unwrap(),
        TcpStream::connect(bed.sim.addr()).await.unwrap(),
    ];
    bed.sim.wait_for_connections(2).await.unwrap();
    assert_eq!(bed.sim.connections(), 2);
    drop(sockets);
    bed.sim.wait_for_connections(0).await.unwrap();
}

#[tokio::test]
async fn a_body_without_end_stops_when_the_caller_leaves() {
    let bed = Bed::start().await;
    bed.sim.script("k1", "*", vec![Behaviour::huge_body(u64::MAX)]);
    let mut response = bed.generate("k1", "hello").await;
    read_bytes(&mut response, 1_000_000).await;
    drop(response);
    all_left(&bed.sim).await;
    assert_eq!(bed.sim.calls()[0].ended, Ended::ClosedByCaller);
    let sent_bytes = bed.sim.calls()[0].sent_bytes;
    assert!((1_000_000..32 << 20).contains(&sent_bytes), "{sent_bytes}");
}

#[tokio::test]
async fn stopping_closes_hung_stalled_blocked_and_idle_connections() {
    let bed = Bed::start().await;
    let hang = Behaviour::answer().hang_before_headers();
    let stall = Behaviour::fixture("stream-ok").stall_after_bytes(10);
    bed.generate("k1", "idle").await.text().await.unwrap();
    bed.sim
        .script("k1", "*", vec![hang, stall, Behaviour::huge_body(u64::MAX)]);
    let mut sockets = Vec::new();
    for calls in 2..=4 {
        sockets.push(call_raw(&bed.sim).await);
        bed.sim.wait_for(|seen| seen.len() == calls).await.unwrap();
    }
    assert_eq!(bed.sim.in_progress(), 3);
    let addr = bed.sim.addr();
    tokio::time::timeout(Duration::from_secs(5), bed.sim.stop())
        .await
        .expect("it stops at once");
    assert!(TcpStream::connect(addr).await.is_err());
}

#[tokio::test]
async fn a_dropped_simulator_stops_listening() {
    let (addr, mut idle) = {
        let sim = Simulator::start(simulator::Options::default()).await.unwrap();
        (sim.addr(), TcpStream::connect(sim.addr()).await.unwrap())
    };
    assert_eq!(idle.read(&mut [0]).await.unwrap_or(0), 0);
    assert!(TcpStream::connect(addr).await.is_err());
}

#[tokio::test]
async fn running_serves_until_the_future_is_dropped() {
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let options = simulator::Options {
        addr: free,
        ..simulator::Options::default()
    };
    let running = simulator::run(options);
    let url = format!("http://{free}/v1beta/models?key=k1");
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answered = async {
        loop {
            match client.get(&url).send().await {
                Ok(response) => break response.status(),
                Err(_) => tokio::task::yield_now().await,
            }
        }
    };
    tokio::select! {
        ended = running => panic!("ended: {ended:?}"),
        status = answered => assert_eq!(status, 200),
    }
}
