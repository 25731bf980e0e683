//! What the person at the terminal types or pipes in. Secrets come this way, never as arguments, which others can see.

use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal, Read};
use std::path::Path;

use anyhow::{Context, bail};

use super::print::ask;

/// More is no list of keys.
const BYTES_MAX: u64 = 1024 * 1024;

/// The first line of stdin without its end; asked for, and not shown, when somebody sits at a terminal.
pub(super) fn first_line(what: &str) -> Result<String, anyhow::Error> {
    let _hidden = prompt(&format!("{what} (not shown as you type): "));
    line_of(std::io::stdin().lock(), what)
}

/// The first line of a file without its end.
pub(super) fn first_line_of(path: &Path, what: &str) -> Result<String, anyhow::Error> {
    let file = File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
    line_of(BufReader::new(file), what)
}

/// All of a file, or of stdin when its name is `-`.
pub(super) fn all(path: &Path, what: &str) -> Result<String, anyhow::Error> {
    if path == Path::new("-") {
        let _hidden = prompt(&format!("{what} (not shown as you type), then Ctrl+D:\n"));
        return text_of(std::io::stdin().lock(), "stdin");
    }
    let name = path.display().to_string();
    let file = File::open(path).with_context(|| format!("{name} cannot be read"))?;
    text_of(file, &name)
}

/// Asks when somebody sits at a terminal. What they type is not shown until the result is dropped.
fn prompt(text: &str) -> Option<Hidden> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return None;
    }
    // First: who types ahead of the question must not be shown either.
    let hidden = Hidden::begin(&stdin);
    if hidden.is_none() {
        ask("This terminal shows what is typed.\n");
    }
    ask(text);
    hidden
}

/// A terminal that does not repeat what is typed, but for the end of a line.
#[cfg(unix)]
struct Hidden {
    terminal: std::os::fd::OwnedFd,
    before: rustix::termios::Termios,
}

#[cfg(unix)]
impl Hidden {
    /// `None` where it cannot be had.
    fn begin(terminal: &impl std::os::fd::AsFd) -> Option<Self> {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let terminal = terminal.as_fd().try_clone_to_owned().ok()?;
        let before = tcgetattr(&terminal).ok()?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        silent.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(&terminal, OptionalActions::Now, &silent).ok()?;
        Some(Self { terminal, before })
    }
}

#[cfg(unix)]
impl Drop for Hidden {
    fn drop(&mut self) {
        let now = rustix::termios::OptionalActions::Now;
        let _ = rustix::termios::tcsetattr(&self.terminal, now, &self.before);
    }
}

#[cfg(not(unix))]
struct Hidden;

#[cfg(not(unix))]
impl Hidden {
    fn begin<T>(_terminal: &T) -> Option<Self> {
        None
    }
}

fn line_of(reader: impl BufRead, what: &str) -> Result<String, anyhow::Error> {
    let mut line = String::new();
    reader
        .take(BYTES_MAX)
        .read_line(&mut line)
        .with_context(|| format!("the {} could not be read from stdin", what.to_lowercase()))?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn text_of(reader: impl Read, name: &str) -> Result<String, anyhow::Error> {
    let mut text = String::new();
    reader
        .take(BYTES_MAX + 1)
        .read_to_string(&mut text)
        .with_context(|| format!("{name} could not be read as text"))?;
    if text.len() as u64 > BYTES_MAX {
        bail!(
            "{name} is larger than {} MB: that is no list of keys",
            BYTES_MAX / 1024 / 1024
        );
    }
    Ok(text)
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use rustix::termios::{LocalModes, tcgetattr};

    use super::*;

    /// What a terminal shows of a line that is typed while `hidden` says so.
    fn shown(hide: bool) -> (String, String) {
        let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&keyboard).expect("granted");
        unlockpt(&keyboard).expect("unlocked");
        let name = ptsname(&keyboard, Vec::new()).expect("a name");
        let name = name.into_string().expect("UTF-8");
        let terminal = File::options().read(true).write(true).open(name).expect("opened");
        let mut keyboard = File::from(keyboard);
        let hidden = hide.then(|| Hidden::begin(&terminal).expect("hidden"));
        keyboard.write_all(b"canary-password\n").expect("typed");
        let read = line_of(BufReader::new(&terminal), "Password").expect("read");
        drop(hidden);
        let modes = tcgetattr(&terminal).expect("modes").local_modes;
        assert!(modes.contains(LocalModes::ECHO), "shown again afterwards");
        (&terminal).write_all(b"end").expect("written");
        let mut screen = Vec::new();
        while !screen.ends_with(b"end") {
            let mut bytes = [0; 64];
            let count = keyboard.read(&mut bytes).expect("the screen");
            screen.extend_from_slice(&bytes[..count]);
        }
        (read, String::from_utf8_lossy(&screen).into_owned())
    }

    #[test]
    fn a_secret_typed_at_a_terminal_is_not_shown() {
        assert_eq!(shown(true), ("canary-password".to_owned(), "\r\nend".to_owned()));
        let (read, screen) = shown(false);
        assert_eq!(read, "canary-password");
        assert!(
            screen.contains("canary-password"),
            "a terminal shows it by itself: {screen}"
        );
    }
}
