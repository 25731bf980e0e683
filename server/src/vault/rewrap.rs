//! Moves sealed values from the previous master key to the current one: one at a time and by compare and set, so that it
//! may end at any point and be begun again, and so that nobody who writes meanwhile loses what they wrote.

use app::error::{AppError, ErrorCode};
use app::types::{MasterKeyStanding, RewrapReport};
use tracing::{info, warn};

use super::{Vault, VaultError, files};
use crate::keyring::cipher::MasterKeyId;
use crate::store::SealedValue;

/// Others write while values are gone through; after so many rounds with work left, something is wrong.
const ROUNDS_MAX: usize = 100;

/// How far a rotation is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    pub current: MasterKeyId,
    pub previous: Option<MasterKeyId>,
    /// Sealed values in all.
    pub values: usize,
    /// Those not under the current master key.
    pub left: usize,
    /// The server made the master key itself, so it can make another.
    pub is_made: bool,
}

/// What a run of it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewrapped {
    pub rewrapped: usize,
    /// Records of values that do not open; they are left as they are.
    pub unreadable: Vec<String>,
    pub standing: Standing,
}

impl Vault {
    /// # Errors
    /// When the store fails.
    pub async fn standing(&self) -> Result<Standing, VaultError> {
        let values = self.0.store.sealed_values().await?;
        let masters = self.masters();
        let current = masters.current.id();
        Ok(Standing {
            current,
            previous: masters.previous.as_ref().map(|previous| previous.id()),
            values: values.len(),
            left: values.iter().filter(|value| is_behind(value, current)).count(),
            is_made: masters.made_in.is_some(),
        })
    }

    /// Seals everything under the current master key, and forgets a previous one that the server made when nothing is
    /// under it any more. One at a time: a second caller waits.
    ///
    /// # Errors
    /// When the store or a file fails; what was done until then stays done.
    pub async fn rewrap(&self) -> Result<Rewrapped, VaultError> {
        let _one_at_a_time = self.0.rewrapping.lock().await;
        self.rewrap_and_forget().await
    }

    /// Makes a new master key, keeps the old one beside it, and seals everything under the new one. What was left from a
    /// rotation before is done first.
    ///
    /// # Errors
    /// `KeyIsSet` when the master key comes from the settings, `Unfinished` when values under the one before do not open.
    pub async fn rotate(&self) -> Result<Rewrapped, VaultError> {
        let _one_at_a_time = self.0.rewrapping.lock().await;
        let Some(data_dir) = self.masters().made_in.clone() else {
            return Err(VaultError::KeyIsSet);
        };
        let left = self.rewrap_and_forget().await?.standing.left;
        if left > 0 {
            return Err(VaultError::Unfinished { left });
        }
        {
            let _nobody_seals = self.0.sealing.write().await;
            files::keep_previous(&data_dir, &self.current())?;
            let new = files::put_new(&data_dir)?;
            info!(master_key = %new.id(), "a new master key was made; the one before is kept until nothing is under it");
            self.set_masters(|masters| {
                masters.previous = Some(std::mem::replace(&mut masters.current, new.into()));
            });
        }
        self.rewrap_and_forget().await
    }

    async fn rewrap_and_forget(&self) -> Result<Rewrapped, VaultError> {
        let (mut rewrapped, mut unreadable) = (0, Vec::new());
        for _ in 0..ROUNDS_MAX {
            unreadable.clear();
            let before = rewrapped;
            for value in self.behind().await? {
                match self.reseal(&value).await? {
                    Resealed::Done => rewrapped += 1,
                    Resealed::Changed => {}
                    Resealed::Unreadable => unreadable.push(value.record),
                }
            }
            if rewrapped == before {
                break;
            }
        }
        for record in &unreadable {
            warn!(record, "a sealed value does not open; it was left as it is");
        }
        self.forget().await?;
        let standing = self.standing().await?;
        let (left, master_key) = (standing.left, standing.current);
        info!(rewrapped, left, %master_key, "{rewrapped} secret(s) were sealed under master key {master_key}, {left} are left");
        Ok(Rewrapped {
            rewrapped,
            unreadable,
            standing,
        })
    }

    pub(super) async fn behind(&self) -> Result<Vec<SealedValue>, VaultError> {
        let (mut values, current) = (self.0.store.sealed_values().await?, self.current().id());
        values.retain(|value| is_behind(value, current));
        Ok(values)
    }

    pub(super) async fn reseal(&self, value: &SealedValue) -> Result<Resealed, VaultError> {
        let SealedValue { record, field, sealed } = value;
        let Ok(plain) = self.open(record, field, sealed) else {
            return Ok(Resealed::Unreadable);
        };
        let new = self.seal(record, field, &plain).map_err(|reason| VaultError::Sealed {
            record: record.clone(),
            reason,
        })?;
        // Somebody replaced or removed it meanwhile: the next round looks at what is there then.
        let is_done = self.0.store.replace_sealed(record, field, sealed.clone(), new).await?;
        Ok(if is_done { Resealed::Done } else { Resealed::Changed })
    }

    /// Only a key that the server made is forgotten here; one of the settings stays until the operator takes it out.
    async fn forget(&self) -> Result<(), VaultError> {
        // Nobody holds a value that is sealed under it and not stored yet.
        let _nobody_seals = self.0.sealing.write().await;
        let Some(data_dir) = self.masters().made_in.clone() else {
            return Ok(());
        };
        if self.behind().await?.is_empty() {
            files::forget_previous(&data_dir, &self.current())?;
            self.set_masters(|masters| masters.previous = None);
        }
        Ok(())
    }
}

pub(super) enum Resealed {
    Done,
    Changed,
    Unreadable,
}

fn is_behind(value: &SealedValue, current: MasterKeyId) -> bool {
    !value.sealed.is_empty() && MasterKeyId::of_sealed(&value.sealed) != Ok(current)
}

impl From<VaultError> for AppError {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Store(error) => error.into(),
            VaultError::KeyIsSet | VaultError::FileChanged | VaultError::Changing | VaultError::Unfinished { .. } => {
                let text = error.to_string();
                let mut letters = text.chars();
                let first = letters.next().into_iter().flat_map(char::to_uppercase);
                Self::new(
                    ErrorCode::Conflict,
                    format!("{}.", first.chain(letters).collect::<String>()),
                )
            }
            error => {
                tracing::error!(%error, "the vault did not do what was asked");
                Self::internal()
            }
        }
    }
}

impl From<Standing> for MasterKeyStanding {
    fn from(standing: Standing) -> Self {
        Self {
            master_key: standing.current.to_string(),
            previous_master_key: standing.previous.map(|previous| previous.to_string()),
            values: standing.values as u64,
            left: standing.left as u64,
            can_make_key: standing.is_made,
        }
    }
}

impl From<Rewrapped> for RewrapReport {
    fn from(done: Rewrapped) -> Self {
        Self {
            rewrapped: done.rewrapped as u64,
            unreadable: done.unreadable,
            standing: done.standing.into(),
        }
    }
}
