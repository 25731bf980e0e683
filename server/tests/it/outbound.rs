//! Where the server goes by itself: to addresses that somebody typed in, and no further.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::Url;
use serde_json::json;
use server::config::{self, Layers};
use server::url_guard::{self, GuardedResolver};
use simulator::Simulator;
use tempfile::TempDir;

use crate::notify::SECRET;
use crate::process::{sign_in, start_with};
use crate::support::{Setup, spawn};

/// Counts who connects, and refuses them with a status.
struct Trap {
    port: u16,
    count: Arc<AtomicUsize>,
}

impl Trap {
    fn set(status: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, count) = (listener.local_addr().unwrap().port(), Arc::<AtomicUsize>::default());
        let counted = Arc::clone(&count);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                counted.fetch_add(1, Ordering::SeqCst);
                let mut stream = stream.unwrap();
                stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
                let _ = stream.read(&mut [0; 4096]);
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                );
            }
        });
        Self { port, count }
    }

    fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }
}

/// The settings with a webhook at this address, where these networks are allowed.
fn check_setting(url: &str, networks: &str, must: Option<&str>) {
    let environment = [
        ("ALERT_WEBHOOK_URL", url),
        ("ALERT_WEBHOOK_SECRET", SECRET),
        ("ENDPOINT_ALLOWED_NETWORKS", networks),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let checked = config::check(&Layers {
        environment: environment.into(),
        ..Layers::default()
    });
    let told = checked.err().map(|mistakes| mistakes.to_string()).unwrap_or_default();
    match must {
        None => assert_eq!(told, "", "{url}"),
        Some(must) => assert!(
            told.contains("ALERT_WEBHOOK_URL") && told.contains(must),
            "{url}: {told}"
        ),
    }
    assert!(!told.contains("canary-path-token"), "the address is in: {told}");
}

#[test]
fn a_webhook_that_is_not_public_is_refused_before_the_start_unless_its_network_is_allowed() {
    let (loopback, private) = (
        "http://127.0.0.1:9000/canary-path-token",
        "https://10.1.2.3/canary-path-token",
    );
    check_setting(loopback, "", Some("https"));
    check_setting(loopback, "10.0.0.0/8", Some("https"));
    check_setting(loopback, "127.0.0.1", None);
    check_setting(private, "127.0.0.0/8", Some("public"));
    check_setting(private, "10.0.0.0/8", None);
    check_setting("https://169.254.169.254/latest", "0.0.0.0/0", Some("public"));
    check_setting("https://0x7f000001/canary-path-token", "", Some("public"));
    check_setting(
        "http://hooks.example.org/canary-path-token",
        "127.0.0.0/8",
        Some("https"),
    );
    check_setting("https://user:word@hooks.example.org/", "", Some("password"));
    check_setting("https://hooks.example.org/canary-path-token", "", None);
}

/// Sends to a name that leads to these addresses. Whether it was refused for them, and how many connected.
async fn send_to_name(leads_to: &[&str], networks: &[&str]) -> (bool, usize) {
    let trap = Trap::set("204 No Content");
    let addresses: Vec<IpAddr> = leads_to.iter().map(|text| text.parse().unwrap()).collect();
    let networks: Vec<_> = networks.iter().map(|text| text.parse().unwrap()).collect();
    let asked = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&asked);
    let lookup = move |name: String| -> futures::future::BoxFuture<'static, std::io::Result<Vec<IpAddr>>> {
        assert_eq!(name, "hooks.example.org");
        counted.fetch_add(1, Ordering::SeqCst);
        let addresses = addresses.clone();
        Box::pin(async move { Ok(addresses) })
    };
    let url: Url = format!("http://hooks.example.org:{}/", trap.port).parse().unwrap();
    let resolver = GuardedResolver::asking(&networks, Arc::new(lookup));
    let client = url_guard::client(&url, resolver, Duration::from_secs(5)).unwrap();
    let sent = client.post(url).send().await;
    assert_eq!(asked.load(Ordering::SeqCst), 1, "the name is looked up once");
    let refused = sent.err().is_some_and(|error| url_guard::is_refused(&error));
    (refused, trap.count())
}

#[tokio::test]
async fn a_name_that_leads_to_a_public_and_a_private_address_is_refused() {
    assert_eq!(send_to_name(&["127.0.0.1"], &["127.0.0.0/8"]).await, (false, 1));
    assert_eq!(send_to_name(&["127.0.0.1"], &[]).await, (true, 0));
    assert_eq!(
        send_to_name(&["127.0.0.1", "10.0.0.1"], &["127.0.0.0/8"]).await,
        (true, 0)
    );
    assert_eq!(send_to_name(&["93.184.216.34", "127.0.0.1"], &[]).await, (true, 0));
    assert_eq!(
        send_to_name(&["127.0.0.1", "::ffff:169.254.169.254"], &["127.0.0.0/8"]).await,
        (true, 0)
    );
}

#[tokio::test]
async fn a_webhook_whose_name_leads_here_gets_nothing_and_the_admin_is_told_why() {
    let trap = Trap::set("204 No Content");
    let setup = Setup {
        environment: vec![
            // A name, so that only looking it up tells; this machine's own file knows it.
            (
                "ALERT_WEBHOOK_URL",
                format!("https://localhost:{}/canary-path-token", trap.port),
            ),
            ("ALERT_WEBHOOK_SECRET", SECRET.to_owned()),
            ("ENDPOINT_ALLOWED_NETWORKS", String::new()),
        ],
        ..Setup::default()
    };
    let app = spawn(setup).await;
    let admin = app.admin().await;
    let reply = app.post("/api/admin/notifications/test", &admin, &json!({})).await;
    let told = reply.text("/data/1/error");
    assert!(
        told.contains("not public") && told.contains("ENDPOINT_ALLOWED_NETWORKS"),
        "{told}"
    );
    assert_eq!(trap.count(), 0);
    app.stop().await;
}

#[tokio::test]
async fn a_redirect_to_another_address_is_not_followed() {
    let target = Trap::set("204 No Content");
    let location: &'static str =
        format!("307 Temporary Redirect\r\nLocation: http://127.0.0.1:{}/", target.port).leak();
    let trap = Trap::set(location);
    let setup = Setup {
        environment: vec![
            ("ALERT_WEBHOOK_URL", format!("http://127.0.0.1:{}/", trap.port)),
            ("ALERT_WEBHOOK_SECRET", SECRET.to_owned()),
        ],
        ..Setup::default()
    };
    let app = spawn(setup).await;
    let admin = app.admin().await;
    let reply = app.post("/api/admin/notifications/test", &admin, &json!({})).await;
    assert!(reply.text("/data/1/error").contains("redirect"), "{}", reply.body);
    assert_eq!((trap.count(), target.count()), (1, 0));
    app.stop().await;
}

#[tokio::test]
async fn no_proxy_of_the_environment_gets_a_call() {
    let (proxy, receiver) = (Trap::set("502 Bad Gateway"), Trap::set("204 No Content"));
    let (data, sim) = (
        TempDir::new().unwrap(),
        Simulator::start(simulator::Options::default()).await.unwrap(),
    );
    let (proxy_url, webhook) = (
        format!("http://127.0.0.1:{}", proxy.port),
        format!("http://127.0.0.1:{}/", receiver.port),
    );
    let mut settings: Vec<(&str, &str)> = [
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
    ]
    .map(|name| (name, proxy_url.as_str()))
    .to_vec();
    settings.extend([
        ("ALERT_WEBHOOK_URL", webhook.as_str()),
        ("ALERT_WEBHOOK_SECRET", SECRET),
        ("ENDPOINT_ALLOWED_NETWORKS", "127.0.0.0/8"),
    ]);
    let running = start_with(data.path(), &sim, &settings);
    let client = sign_in(&running).await;
    let post = |path: &str, body: serde_json::Value| {
        let request = client.post(format!("{}{path}", running.base));
        request.header("sec-fetch-site", "same-origin").json(&body).send()
    };
    let told = post("/api/admin/notifications/test", json!({})).await.unwrap();
    assert!(told.text().await.unwrap().contains("\"delivered\":true"));
    let answered = post(
        "/api/ai-analysis/analyze",
        json!({ "prompt": "Why do rivers meander?" }),
    )
    .await
    .unwrap();
    assert_eq!(answered.status(), 200);
    assert_eq!((receiver.count(), proxy.count()), (1, 0));
    running.kill();
}
