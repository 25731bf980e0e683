//! Secrets at rest: each sealed under its own data key, and that under the master key, which is never in the store.
//!
//! A sealed value is `version (1) | master key id (8) | nonce (24) | wrapped data key (48) | nonce (24) | ciphertext`,
//! both parts XChaCha20-Poly1305. The associated data binds it to its version, tenant, record, field and master key, so
//! a value copied to another row does not open there.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{Key, KeyInit, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use crate::store::Digest;

/// Bytes of a master key; base64 in `KEYPOOL_MASTER_KEY`.
pub const MASTER_KEY_BYTES: usize = 32;
const VERSION: u8 = 1;
const TENANT: &str = "default";
const KEY_ID_BYTES: usize = 8;
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
const WRAPPED_BYTES: usize = 32 + TAG_BYTES;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CipherError {
    #[error("the master key must be {MASTER_KEY_BYTES} bytes in base64: make one with `openssl rand -base64 32`")]
    BadMasterKey,
    #[error("it is sealed under another master key than the one in KEYPOOL_MASTER_KEY or in master.key of DATA_DIR")]
    UnknownMasterKey,
    #[error("the sealed value is damaged, or it was moved here from another record: restore a backup")]
    Damaged,
}

/// Names a master key without telling anything of it; in every sealed value and in every backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MasterKeyId(pub [u8; KEY_ID_BYTES]);

impl MasterKeyId {
    /// Of the master key that a value is sealed under.
    ///
    /// # Errors
    /// `Damaged` when it is no sealed value.
    pub fn of_sealed(sealed: &[u8]) -> Result<Self, CipherError> {
        let (version, rest) = sealed.split_first().ok_or(CipherError::Damaged)?;
        if *version != VERSION {
            return Err(CipherError::Damaged);
        }
        Ok(Self(*take::<KEY_ID_BYTES>(rest)?.0))
    }
}

/// In hexadecimal, 16 digits.
impl fmt::Display for MasterKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What seals secrets and tells duplicates apart. Only keys derived from the master key are held.
pub struct MasterKey {
    id: [u8; KEY_ID_BYTES],
    wrap: Zeroizing<Digest>,
    fingerprint: Zeroizing<Digest>,
    backup: Zeroizing<Digest>,
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(hidden)")
    }
}

impl MasterKey {
    /// # Errors
    /// `BadMasterKey` unless it is 32 bytes in base64.
    pub fn parse(text: &SecretString) -> Result<Self, CipherError> {
        let bytes = Zeroizing::new(
            STANDARD
                .decode(text.expose_secret().trim())
                .map_err(|_| CipherError::BadMasterKey)?,
        );
        if bytes.len() != MASTER_KEY_BYTES || bytes.iter().all(|byte| byte == bytes.first().unwrap_or(&0)) {
            return Err(CipherError::BadMasterKey);
        }
        // One key a purpose, so that what one use shows tells nothing about another.
        let id_source = hmac(&bytes, b"keypool/1 master key id");
        let mut id = [0; KEY_ID_BYTES];
        id.copy_from_slice(id_source.split_at(KEY_ID_BYTES).0);
        Ok(Self {
            id,
            wrap: Zeroizing::new(hmac(&bytes, b"keypool/1 wrap data keys")),
            fingerprint: Zeroizing::new(hmac(&bytes, b"keypool/1 fingerprint secrets")),
            backup: Zeroizing::new(hmac(&bytes, b"keypool/1 encrypt backups")),
        })
    }

    pub fn id(&self) -> MasterKeyId {
        MasterKeyId(self.id)
    }

    /// What a store without a lookup key finds its secrets by: fingerprints were made with it before there was one.
    pub(crate) fn first_lookup_key(&self) -> &Digest {
        &self.fingerprint
    }

    /// The key of one backup. `salt` is of that backup alone.
    pub(crate) fn backup_key(&self, salt: &[u8]) -> Zeroizing<Digest> {
        Zeroizing::new(hmac(&*self.backup, salt))
    }

    /// Seals a value for one field of one record.
    ///
    /// # Errors
    /// `Damaged` when the value is larger than the cipher takes (256 GB).
    pub fn seal(&self, record: &str, field: &str, plaintext: &[u8]) -> Result<Vec<u8>, CipherError> {
        let mut data_key = Zeroizing::new([0; 32]);
        let (mut wrap_nonce, mut nonce) = ([0; NONCE_BYTES], [0; NONCE_BYTES]);
        rand::fill(&mut data_key[..]);
        rand::fill(&mut wrap_nonce[..]);
        rand::fill(&mut nonce[..]);
        let aad = self.associated_data(record, field);
        let wrapped = encrypt(&self.wrap, &wrap_nonce, &*data_key, &aad)?;
        let ciphertext = encrypt(&data_key, &nonce, plaintext, &aad)?;
        Ok([&[VERSION][..], &self.id, &wrap_nonce, &wrapped, &nonce, &ciphertext].concat())
    }

    /// Opens what [`MasterKey::seal`] made for the same field of the same record.
    ///
    /// # Errors
    /// `UnknownMasterKey` when another one sealed it, `Damaged` when it was changed or moved.
    pub fn open(&self, record: &str, field: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, CipherError> {
        if MasterKeyId::of_sealed(sealed)? != self.id() {
            return Err(CipherError::UnknownMasterKey);
        }
        let (_, rest) = take::<{ 1 + KEY_ID_BYTES }>(sealed)?;
        let (wrap_nonce, rest) = take::<NONCE_BYTES>(rest)?;
        let (wrapped, rest) = take::<WRAPPED_BYTES>(rest)?;
        let (nonce, ciphertext) = take::<NONCE_BYTES>(rest)?;
        let aad = self.associated_data(record, field);
        let unwrapped = decrypt(&self.wrap, wrap_nonce, wrapped, &aad)?;
        let data_key = Zeroizing::new(<Digest>::try_from(unwrapped.as_slice()).map_err(|_| CipherError::Damaged)?);
        decrypt(&data_key, nonce, ciphertext, &aad)
    }

    /// Each part behind its length, so that no two records run together to the same bytes.
    fn associated_data(&self, record: &str, field: &str) -> Vec<u8> {
        let parts: [&[u8]; 5] = [
            &[VERSION],
            TENANT.as_bytes(),
            record.as_bytes(),
            field.as_bytes(),
            &self.id,
        ];
        parts
            .into_iter()
            .flat_map(|part| {
                (part.len() as u64)
                    .to_be_bytes()
                    .into_iter()
                    .chain(part.iter().copied())
            })
            .collect()
    }
}

fn take<const N: usize>(bytes: &[u8]) -> Result<(&[u8; N], &[u8]), CipherError> {
    bytes.split_first_chunk().ok_or(CipherError::Damaged)
}

fn encrypt(key: &Digest, nonce: &[u8; NONCE_BYTES], msg: &[u8], aad: &[u8]) -> Result<Vec<u8>, CipherError> {
    let cipher = XChaCha20Poly1305::new(&Key::from(*key));
    cipher
        .encrypt(&XNonce::from(*nonce), Payload { msg, aad })
        .map_err(|_| CipherError::Damaged)
}

fn decrypt(key: &Digest, nonce: &[u8; NONCE_BYTES], msg: &[u8], aad: &[u8]) -> Result<Zeroizing<Vec<u8>>, CipherError> {
    let cipher = XChaCha20Poly1305::new(&Key::from(*key));
    cipher
        .decrypt(&XNonce::from(*nonce), Payload { msg, aad })
        .map(Zeroizing::new)
        .map_err(|_| CipherError::Damaged)
}

pub(crate) fn hmac(key: &[u8], message: &[u8]) -> Digest {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of every length: RFC 2104, section 2")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn master(byte: u8) -> MasterKey {
        let mut bytes = [byte; 32];
        bytes[0] = !byte;
        MasterKey::parse(&STANDARD.encode(bytes).into()).expect("a master key")
    }

    #[test]
    fn a_sealed_value_opens_where_it_was_sealed_and_nowhere_else() {
        let key = master(7);
        let sealed = key.seal("key/1", "secret", b"AIzaCANARY").expect("sealed");
        assert_eq!(
            key.open("key/1", "secret", &sealed).expect("opens").as_slice(),
            b"AIzaCANARY"
        );
        for (record, field) in [
            ("key/2", "secret"),
            ("key/1", "other"),
            ("key/1secret", ""),
            ("", "key/1secret"),
        ] {
            assert_eq!(
                key.open(record, field, &sealed),
                Err(CipherError::Damaged),
                "{record} {field}"
            );
        }
    }

    #[test]
    fn a_sealed_value_does_not_show_the_plaintext_and_never_repeats() {
        let key = master(7);
        let first = key.seal("key/1", "secret", b"AIzaCANARY").expect("sealed");
        let second = key.seal("key/1", "secret", b"AIzaCANARY").expect("sealed");
        assert!(!first.windows(6).any(|window| window == b"CANARY"));
        assert_ne!(first[9..], second[9..]);
    }

    #[test]
    fn a_changed_bit_anywhere_is_noticed() {
        let key = master(7);
        let sealed = key.seal("key/1", "secret", b"AIzaCANARY").expect("sealed");
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert!(key.open("key/1", "secret", &changed).is_err(), "byte {index}");
            assert!(key.open("key/1", "secret", &sealed[..index]).is_err(), "cut at {index}");
        }
    }

    #[test]
    fn another_master_key_is_told_from_damage_and_says_what_to_do() {
        let sealed = master(7).seal("key/1", "secret", b"AIzaCANARY").expect("sealed");
        let refused = master(8).open("key/1", "secret", &sealed).expect_err("another key");
        assert_eq!(refused, CipherError::UnknownMasterKey);
        assert_eq!(MasterKeyId::of_sealed(&sealed), Ok(master(7).id()));
        assert_ne!(master(7).id(), master(8).id());
    }

    #[test]
    fn each_purpose_has_a_key_of_its_own() {
        let key = master(7);
        assert_ne!(*key.backup_key(b"salt"), *key.backup_key(b"other"));
        assert_ne!(*key.backup_key(b"salt"), *master(8).backup_key(b"salt"));
        assert_ne!(*key.backup_key(b"salt"), hmac(key.first_lookup_key(), b"salt"));
    }

    #[test]
    fn a_master_key_is_32_bytes_in_base64_and_stays_hidden() {
        for text in [
            "",
            "short",
            "not base64 at all!",
            &STANDARD.encode([9; 31]),
            &STANDARD.encode([0; 32]),
        ] {
            assert_eq!(
                MasterKey::parse(&text.into()).err(),
                Some(CipherError::BadMasterKey),
                "{text}"
            );
        }
        assert_eq!(format!("{:?}", master(7)), "MasterKey(hidden)");
    }
}
