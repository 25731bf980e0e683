//! The program itself as a process of its own, where memory and signals are measured.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use reqwest::{Client, RequestBuilder};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use server::config::{self, Layers};
use server::startup::{self, Options};
use simulator::Simulator;
use tempfile::TempDir;

use crate::app::{ADMIN, PASSWORD, key, question};

/// As an argument of the benches: they are the server then.
pub(crate) const OVER_HTTP2: &str = "--serve-over-http2";

pub(crate) struct Process {
    pub(crate) sim: Simulator,
    pub(crate) base: String,
    pub(crate) client: Client,
    pub(crate) token: String,
    child: Child,
    _data: TempDir,
}

impl Process {
    pub(crate) async fn start(settings: &[(&str, &str)]) -> Result<Self> {
        Self::start_by(Command::new(env!("CARGO_BIN_EXE_keypool")), settings).await
    }

    /// The same server, which speaks HTTP/2 to its provider, as it does to one with TLS.
    pub(crate) async fn start_over_http2(settings: &[(&str, &str)]) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(OVER_HTTP2);
        Self::start_by(command, settings).await
    }

    async fn start_by(mut command: Command, settings: &[(&str, &str)]) -> Result<Self> {
        let sim = Simulator::start(simulator::Options::default()).await?;
        let data = TempDir::new()?;
        let site = data.path().join("site");
        std::fs::create_dir_all(&site)?;
        std::fs::write(site.join("manifest.json"), r#"{"pkgDir":"pkg-bench"}"#)?;
        let mut child = command
            .env_clear()
            .current_dir(data.path())
            .env("DATA_DIR", data.path().join("data"))
            .env("SITE_DIR", site)
            .env("PORT", "0")
            .env("GOOGLE_AI_BASE_URL", sim.base_url())
            .env("KEYPOOL_ADMIN_EMAIL", ADMIN)
            .env("KEYPOOL_ADMIN_PASSWORD", PASSWORD)
            .env("KEYPOOL_LIMITS", "* free rpm=1000000")
            .env("UPSTREAM_RPS", "0")
            .env("CACHE_MAX_ENTRIES", "0")
            .env("RATE_LIMIT_REQUESTS", "0")
            .envs((1..=3).map(|number| (format!("GOOGLE_AI_API_KEY_{number}"), key(number))))
            .envs(settings.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let base = listening(&mut child)?;
        let client = Client::builder().no_proxy().build()?;
        let login = client.post(format!("{base}/api/auth/login"));
        let answer = login
            .json(&json!({ "email": ADMIN, "password": PASSWORD }))
            .send()
            .await?;
        let answer: Value = answer.json().await?;
        let token = answer["data"]["accessToken"].as_str();
        Ok(Self {
            token: token
                .with_context(|| format!("signing in failed: {answer}"))?
                .to_owned(),
            sim,
            base,
            client,
            child,
            _data: data,
        })
    }

    pub(crate) fn address(&self) -> &str {
        self.base.trim_start_matches("http://")
    }

    pub(crate) fn ask(&self, path: &str, model: &str) -> RequestBuilder {
        let body = json!({ "prompt": question(), "model": model, "maxOutputTokens": 512 });
        let request = self.client.post(format!("{}{path}", self.base));
        request.bearer_auth(&self.token).json(&body)
    }

    pub(crate) async fn ask_whole(&self) -> Result<()> {
        let answer = self.ask("/api/ai-analysis/analyze", "gemini-2.5-flash").send().await?;
        ensure!(answer.status() == 200, "refused with {}", answer.status());
        answer.bytes().await?;
        Ok(())
    }

    /// Memory in use, without what is shared with files.
    pub(crate) fn memory_bytes(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next());
        Ok(kilobytes.context("no RssAnon")?.parse::<u64>()? * 1024)
    }

    pub(crate) fn terminate(&self) -> Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), Signal::TERM)?)
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self) -> Result<ExitStatus> {
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Its data goes with it, so nothing is to be kept.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The server with what its environment says, until it is killed.
#[expect(clippy::print_stdout, reason = "it says where it listens")]
pub(crate) async fn serve_over_http2() -> Result<()> {
    let config = config::check(&Layers::read(None, std::collections::BTreeMap::new()))?;
    let mut options = Options::new(config);
    options.limits.http2_prior_knowledge = true;
    let server = startup::build(options).await?;
    println!("listening on http://{}", server.address);
    server.run(std::future::pending()).await;
    Ok(())
}

fn listening(child: &mut Child) -> Result<String> {
    let (line, lines) = mpsc::channel();
    let stdout = BufReader::new(child.stdout.take().context("no output")?).lines();
    std::thread::spawn(move || stdout.map_while(Result::ok).try_for_each(|text| line.send(text)));
    for text in lines {
        if let Some(base) = text.split("listening on ").nth(1) {
            return Ok(base.to_owned());
        }
    }
    bail!("the server did not start")
}
