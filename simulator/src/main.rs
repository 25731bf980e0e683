//! `keypool-simulator`: a fake Gemini API on a port of its own.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::{Context as _, bail};
use clap::{Parser, ValueEnum};
use simulator::{Limits, Options, Pace, Simulator};

/// A fake Gemini API over HTTP, for tests and demos. Answers are simulated and say so.
///
/// A browser test steers it over `/_control/`; the documentation of the crate describes how.
#[derive(Parser)]
#[command(
    version,
    after_help = "Example: keypool-simulator --port 9999 --pace human --assign key-2=p1 --limit 'p1:*:rpm=10,rpd=250'"
)]
struct Arguments {
    /// Address to listen on. It asks for no credentials, so leave it on this machine.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// How fast answers are written.
    #[arg(long, value_enum, default_value_t = PaceName::Instant)]
    pace: PaceName,
    /// Quotas of a project for a model, either of them `*` for any: `PROJECT:MODEL:rpm=10,tpm=250000,rpd=250`.
    #[arg(long = "limit", value_name = "PROJECT:MODEL:LIMITS", value_parser = parse_limit)]
    limits: Vec<(String, String, Limits)>,
    /// Puts a key into a project; a key without one is a project of its own, named as the key.
    #[arg(long = "assign", value_name = "KEY=PROJECT", value_parser = parse_assignment)]
    projects: Vec<(String, String)>,
    /// A key that exists; with one or more of them, all others are refused.
    #[arg(long = "key", value_name = "KEY")]
    known_keys: Vec<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum PaceName {
    Human,
    Instant,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let options = Options {
        addr: SocketAddr::new(arguments.host, arguments.port),
        pace: match arguments.pace {
            PaceName::Human => Pace::human(),
            PaceName::Instant => Pace::Instant,
        },
        known_keys_only: !arguments.known_keys.is_empty(),
        known_keys: arguments.known_keys,
        limits: arguments.limits,
        projects: arguments.projects,
        ..Options::default()
    };
    let simulator = Simulator::start(options)
        .await
        .context("the simulator could not start")?;
    writeln!(std::io::stdout(), "Simulated Gemini API on {}", simulator.base_url())?;
    tokio::signal::ctrl_c().await?;
    simulator.stop().await;
    Ok(())
}

fn parse_assignment(text: &str) -> anyhow::Result<(String, String)> {
    match text.split_once('=') {
        Some((key, project)) if !key.is_empty() && !project.is_empty() => Ok((key.to_owned(), project.to_owned())),
        _ => bail!("expected KEY=PROJECT"),
    }
}

fn parse_limit(text: &str) -> anyhow::Result<(String, String, Limits)> {
    let mut fields = text.splitn(3, ':');
    let (Some(project), Some(model), Some(pairs)) = (fields.next(), fields.next(), fields.next()) else {
        bail!("expected PROJECT:MODEL:rpm=..,tpm=..,rpd=..");
    };
    let mut limits = Limits::default();
    for pair in pairs.split(',') {
        let (name, value) = pair.split_once('=').context("expected rpm=.., tpm=.. or rpd=..")?;
        let value = Some(value.parse().with_context(|| format!("{name} wants a number"))?);
        match name {
            "rpm" => limits.rpm = value,
            "tpm" => limits.tpm = value,
            "rpd" => limits.rpd = value,
            _ => bail!("expected rpm, tpm or rpd, not {name:?}"),
        }
    }
    Ok((project.to_owned(), model.to_owned(), limits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_names_project_model_and_windows() {
        let limits = Limits {
            rpm: Some(10),
            tpm: None,
            rpd: Some(250),
        };
        assert_eq!(
            parse_limit("p1:*:rpm=10,rpd=250").unwrap(),
            ("p1".to_owned(), "*".to_owned(), limits)
        );
    }

    #[test]
    fn a_limit_that_is_not_understood_is_refused() {
        for text in ["p1", "p1:m", "p1:m:10", "p1:m:rpm=ten", "p1:m:rps=1"] {
            assert!(parse_limit(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_assignment_needs_both_sides() {
        assert_eq!(parse_assignment("k=p").unwrap(), ("k".to_owned(), "p".to_owned()));
        assert!(parse_assignment("k=").is_err());
        assert!(parse_assignment("k").is_err());
    }
}
