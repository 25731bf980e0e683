//! What an API token looks like: `kp_`, 256 random bits, a checksum.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest as _, Sha256};

/// Tells our tokens from other credentials, for people and for scanners of leaked secrets.
pub const PREFIX: &str = "kp_";
const RANDOM_BYTES: usize = 32;
/// Finds typing mistakes and cut-off copies before the store is asked.
const CHECKSUM_BYTES: usize = 4;
const MASK_CHARS: usize = 4;

/// The credential itself.
pub(super) struct TokenSecret(SecretString);

impl TokenSecret {
    pub(super) fn random() -> Self {
        let mut bytes = Zeroizing::new([0_u8; RANDOM_BYTES + CHECKSUM_BYTES]);
        let (random, checksum) = bytes.split_at_mut(RANDOM_BYTES);
        rand::fill(&mut *random);
        checksum.copy_from_slice(&checksum_of(random));
        let encoded = Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice()));
        Self(format!("{PREFIX}{}", *encoded).into())
    }

    /// `None` when it cannot be one of ours: another shape, or a checksum that is not right.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?);
        let (random, checksum) = bytes.split_at_checked(RANDOM_BYTES)?;
        (checksum == checksum_of(random)).then(|| Self(text.into()))
    }

    pub(super) fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// The end of it.
    pub(super) fn hint(&self) -> String {
        let text = self.expose();
        text.chars().skip(text.len().saturating_sub(MASK_CHARS)).collect()
    }
}

fn checksum_of(random: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let digest: [u8; 32] = Sha256::digest(random).into();
    let mut checksum = [0; CHECKSUM_BYTES];
    checksum.copy_from_slice(digest.split_at(CHECKSUM_BYTES).0);
    checksum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_whose_it_is_and_no_two_are_alike() {
        let (one, two) = (TokenSecret::random(), TokenSecret::random());
        assert!(one.expose().starts_with(PREFIX) && one.expose().len() == 51);
        assert_ne!(one.expose(), two.expose());
        assert!(one.expose().ends_with(&one.hint()) && one.hint().len() == MASK_CHARS);
        assert!(TokenSecret::parse(one.expose()).is_some());
    }

    #[test]
    fn one_wrong_character_anywhere_is_noticed() {
        let token = TokenSecret::random();
        let text = token.expose();
        for place in PREFIX.len()..text.len() {
            let mut wrong: Vec<char> = text.chars().collect();
            wrong[place] = if wrong[place] == 'A' { 'B' } else { 'A' };
            let wrong: String = wrong.into_iter().collect();
            assert!(TokenSecret::parse(&wrong).is_none(), "character {place}");
        }
        for wrong in ["", "kp_", &text[..50], &format!("{text}A"), &text[3..], "kp_🦀"] {
            assert!(TokenSecret::parse(wrong).is_none());
        }
    }
}
