//! Values the store keeps but cannot read.

/// A sealed value and the place its seal is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedValue {
    /// "key/{id}", "user/{id}" or "server/{name}".
    pub record: String,
    /// "secret" of a key and of the server, "totp" of a user.
    pub field: String,
    pub sealed: Vec<u8>,
}
