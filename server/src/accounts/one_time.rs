//! Opaque tokens: refresh tokens, set-up links, invitations, password links.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest as _, Sha256};

use crate::store::Digest;

/// 256 random bits in base64url. The store keeps the SHA-256 only; that many bits need no slower hash.
pub(super) struct OneTimeToken(SecretString);

impl OneTimeToken {
    pub(super) fn random() -> Self {
        let mut bits = Zeroizing::new([0_u8; 32]);
        rand::fill(&mut bits[..]);
        Self(URL_SAFE_NO_PAD.encode(bits.as_slice()).into())
    }

    /// `None` when it cannot be one of ours.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bits = URL_SAFE_NO_PAD.decode(text).ok()?;
        (bits.len() == 32).then(|| Self(text.into()))
    }

    pub(super) fn digest(&self) -> Digest {
        Sha256::digest(self.expose().as_bytes()).into()
    }

    pub(super) fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    pub(super) fn into_secret(self) -> SecretString {
        self.0
    }
}
