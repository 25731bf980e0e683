//! Model names, interned so that choosing compares small numbers.

use core::fmt;

/// A model known to one pool. Valid for the life of the process only: store names, not ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelId(pub(crate) u32);

impl ModelId {
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The pool already knows as many model names as its policy allows. Names may come from callers, so they are bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyModels {
    /// The bound.
    pub models_max: usize,
}

impl fmt::Display for TooManyModels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the pool knows {} models already and learns no more",
            self.models_max
        )
    }
}

impl core::error::Error for TooManyModels {}
