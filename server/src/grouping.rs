//! Which keys belong to one project and so share its quota. What calls reveal is noted here without waiting, and one task
//! writes it down: the project a key is of by the provider's word, and keys that only look like siblings as a proposal.

use std::sync::Arc;

use app::error::AppError;
use pool::{KeyId, ModelId, ProjectId};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::keyring::Keyring;
use crate::keys::Keys;

/// More than wait at once are let go: the next error tells the same again.
const HINTS_MAX: usize = 256;

enum Hint {
    Project {
        key: KeyId,
        project: String,
    },
    Siblings {
        first: ProjectId,
        second: ProjectId,
        model: ModelId,
    },
}

/// Takes hints. Never blocks; cheap to clone.
#[derive(Clone)]
pub struct Grouping {
    keyring: Arc<Keyring>,
    hints: mpsc::Sender<Hint>,
}

/// What waits to be written down; for [`run`].
pub struct Hints(mpsc::Receiver<Hint>);

impl Grouping {
    pub fn new(keyring: Arc<Keyring>) -> (Self, Hints) {
        let (hints, waiting) = mpsc::channel(HINTS_MAX);
        (Self { keyring, hints }, Hints(waiting))
    }

    /// The provider said which project a key is of. Costs a look at the keyring when that is known.
    pub fn learn(&self, key: KeyId, project: &str) {
        if !self.keyring.is_of_project(key, project) {
            let project = project.to_owned();
            self.note(Hint::Project { key, project });
        }
    }

    /// Two projects spent a model's day within seconds of each other.
    pub fn suspect(&self, first: ProjectId, second: ProjectId, model: ModelId) {
        self.note(Hint::Siblings { first, second, model });
    }

    fn note(&self, hint: Hint) {
        if self.hints.try_send(hint).is_err() {
            debug!("too much is waiting to be grouped: a hint was let go");
        }
    }
}

/// Runs until `stop`, then writes down what is left and waits for the changes of keys under way.
pub async fn run(keys: Arc<Keys>, Hints(mut hints): Hints, stop: CancellationToken) {
    loop {
        tokio::select! {
            biased;
            Some(hint) = hints.recv() => take(&keys, hint).await,
            () = stop.cancelled() => break,
        }
    }
    hints.close();
    while let Some(hint) = hints.recv().await {
        take(&keys, hint).await;
    }
    keys.finish().await;
}

async fn take(keys: &Keys, hint: Hint) {
    let done: Result<(), AppError> = match hint {
        Hint::Project { key, project } => keys.learn_project(key, &project).await,
        Hint::Siblings { first, second, model } => keys.propose_siblings(first, second, model).await,
    };
    if let Err(error) = done {
        warn!(%error, "what a call told of its key's project could not be kept; the next one tells it again");
    }
}
