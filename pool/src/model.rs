//! Model names, interned so that choosing compares small numbers.

use core::fmt;

/// A model known to one pool. Valid while the pool remembers the model, at most for the life of the process: store
/// names, not ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelId {
    /// Models that came before it, so that no id is ever given twice.
    pub(crate) born: u32,
    /// Given to another model when this one is forgotten.
    pub(crate) place: u32,
}

impl ModelId {
    pub(crate) const fn place(self) -> usize {
        self.place as usize
    }
}

/// The pool knows as many models as its policy allows, and each has answered or is being called. Names may come from
/// callers, so they are bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyModels {
    /// The bound.
    pub models_max: usize,
}

impl fmt::Display for TooManyModels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the pool knows {} models already and can forget none of them",
            self.models_max
        )
    }
}

impl core::error::Error for TooManyModels {}
