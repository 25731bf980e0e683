//! Usage events on the disk while the store is away, a file a group: written before anybody counts on it, removed when the
//! store has its events. What a crash leaves is found by the next start; an event that is delivered twice is stored once.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tracing::error;

use crate::private_files::{make_private_dir, owner_only};
use crate::store::UsageEvent;

const ENDING: &str = "events";

/// Of the whole folder; about a million events.
pub const BYTES_MAX: u64 = 512 << 20;

pub struct Spool {
    dir: PathBuf,
    bytes_max: u64,
    held: Mutex<Held>,
    filled: Notify,
}

#[derive(Default)]
struct Held {
    /// Oldest first.
    groups: VecDeque<Group>,
    next: u64,
}

/// What a file's name and size say.
#[derive(Debug, Clone, Copy)]
struct Group {
    number: u64,
    events: u64,
    bytes: u64,
}

impl Group {
    fn name(self) -> String {
        format!("{:020}-{}.{ENDING}", self.number, self.events)
    }

    fn of_file(path: &Path, bytes: u64) -> Option<Self> {
        let (name, ending) = path.file_name()?.to_str()?.split_once('.')?;
        let (number, events) = name.split_once('-')?;
        let group = Self {
            number: number.parse().ok()?,
            events: events.parse().ok()?,
            bytes,
        };
        (ending == ENDING).then_some(group)
    }
}

impl Spool {
    /// With what an earlier process left there.
    ///
    /// # Errors
    /// What the file system says.
    pub fn open(dir: &Path, bytes_max: u64) -> io::Result<Self> {
        make_private_dir(dir)?;
        let mut groups = Vec::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            match Group::of_file(&entry.path(), entry.metadata()?.len()) {
                Some(group) => groups.push(group),
                // Broken off while it was written.
                None if entry.path().extension().is_some_and(|ending| ending == "part") => {
                    fs::remove_file(entry.path())?
                }
                None => {}
            }
        }
        groups.sort_unstable_by_key(|group| group.number);
        let next = groups.last().map_or(0, |last| last.number + 1);
        let held = Held {
            groups: groups.into(),
            next,
        };
        Ok(Self {
            dir: dir.to_owned(),
            bytes_max,
            held: Mutex::new(held),
            filled: Notify::new(),
        })
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Events that wait here.
    pub(super) fn events(&self) -> u64 {
        self.held().groups.iter().map(|group| group.events).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held().groups.is_empty()
    }

    /// Until there is something to deliver.
    pub(super) async fn filled(&self) {
        while self.is_empty() {
            self.filled.notified().await;
        }
    }

    /// On the disk when it returns. `false`: there is no room, or the disk refuses; nothing was kept then.
    pub(super) async fn keep(&self, events: &[UsageEvent]) -> bool {
        let Ok(text) = serde_json::to_vec(events) else {
            return false;
        };
        let group = {
            let mut held = self.held();
            let bytes = text.len() as u64;
            if held.groups.iter().map(|group| group.bytes).sum::<u64>() + bytes > self.bytes_max {
                return false;
            }
            held.next += 1;
            Group {
                number: held.next - 1,
                events: events.len() as u64,
                bytes,
            }
        };
        let path = self.dir.join(group.name());
        let written = spawn_blocking(move || write(&path, &text)).await;
        match written.map_err(io::Error::other).flatten() {
            Ok(()) => {
                self.held().groups.push_back(group);
                self.filled.notify_one();
                true
            }
            Err(error) => {
                error!(%error, "usage events could not be kept on the disk");
                false
            }
        }
    }

    /// The oldest group; `None` when there is none. One that cannot be read is put aside and counted as lost.
    pub(super) async fn oldest(&self) -> Result<Option<Vec<UsageEvent>>, Lost> {
        let Some(group) = self.held().groups.front().copied() else {
            return Ok(None);
        };
        let path = self.dir.join(group.name());
        let read = spawn_blocking(move || {
            let read = fs::read(&path).and_then(|text| Ok(serde_json::from_slice(&text)?));
            if read.is_err() {
                let _ = fs::rename(&path, path.with_extension("damaged"));
            }
            read
        });
        match read.await.map_err(io::Error::other).flatten() {
            Ok(events) => Ok(Some(events)),
            Err(error) => {
                error!(%error, "usage events that were kept on the disk cannot be read");
                self.held().groups.pop_front();
                Err(Lost(group.events))
            }
        }
    }

    /// The oldest group is in the store.
    pub(super) async fn delivered(&self) {
        let Some(group) = self.held().groups.pop_front() else {
            return;
        };
        let path = self.dir.join(group.name());
        // One that stays is delivered again by the next start, and stored once all the same.
        let _ = spawn_blocking(move || fs::remove_file(path)).await;
    }
}

/// So many events.
pub(super) struct Lost(pub(super) u64);

fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    let part = path.with_extension("part");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    owner_only(&mut options);
    let mut file = options.open(&part)?;
    file.write_all(text)?;
    file.sync_all()?;
    fs::rename(&part, path)?;
    path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
}
