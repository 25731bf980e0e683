//! A backup as bytes: a header, then the data in chunks, each with its own tag.
//!
//! `magic (8) | version (1) | made at, ms (8) | master key id (8) | salt (32) | nonce (19)`, then the chunks: 64 KiB each, but
//! for the last, each 16 bytes longer than its plaintext. They are a STREAM of XChaCha20-Poly1305 (Hoang, Reyhanitabar,
//! Rogaway, Vizár: "Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance", 2015): the nonce of a chunk holds
//! its number and whether it is the last, so none can be left out, moved or added. The header is associated data of all.
//! The key is made from the master key and the salt, for this one file.

use std::io::{self, Read, Write};

use aead_stream::{DecryptorBE32, EncryptorBE32, Nonce, StreamBE32};
use chacha20poly1305::aead::Payload;
use chacha20poly1305::{Key, XChaCha20Poly1305};
use pool::Timestamp;
use secrecy::zeroize::Zeroizing;

use super::{BackupError, Origin};
use crate::keyring::{MasterKey, MasterKeyId};

const MAGIC: [u8; 8] = *b"KEYPOOLB";
const VERSION: u8 = 1;
const CHUNK_BYTES: usize = 64 * 1024;
const TAG_BYTES: usize = 16;
const HEADER_BYTES: usize = 8 + 1 + 8 + 8 + 32 + 19;
const SALT_BYTES: usize = 32;
const STREAM_NONCE_BYTES: usize = 19;

/// The start of a backup that was read, with what it takes to read on.
pub struct Header {
    pub origin: Origin,
    bytes: [u8; HEADER_BYTES],
    salt: [u8; SALT_BYTES],
    nonce: [u8; STREAM_NONCE_BYTES],
}

impl Header {
    fn new(master: &MasterKey, made_at: Timestamp) -> Self {
        let (mut salt, mut nonce) = ([0; SALT_BYTES], [0; STREAM_NONCE_BYTES]);
        rand::fill(&mut salt[..]);
        rand::fill(&mut nonce[..]);
        let origin = Origin {
            made_at,
            master_key: master.id(),
        };
        let mut bytes = [0; HEADER_BYTES];
        let parts: [&[u8]; 6] = [
            &MAGIC,
            &[VERSION],
            &made_at.as_millis().to_be_bytes(),
            &origin.master_key.0,
            &salt,
            &nonce,
        ];
        for (place, byte) in bytes.iter_mut().zip(parts.into_iter().flatten()) {
            *place = *byte;
        }
        Self {
            origin,
            bytes,
            salt,
            nonce,
        }
    }

    fn key(&self, master: &MasterKey) -> Zeroizing<[u8; 32]> {
        master.backup_key(&self.salt)
    }

    fn nonce(&self) -> Nonce<XChaCha20Poly1305, StreamBE32<XChaCha20Poly1305>> {
        self.nonce.into()
    }
}

/// Encrypts all of `plain`. Nothing in `sealed` tells of it but its length.
///
/// # Errors
/// `Io` when reading or writing fails, `TooLarge` over 256 TiB.
pub fn encrypt(
    master: &MasterKey,
    made_at: Timestamp,
    mut plain: impl Read,
    mut sealed: impl Write,
) -> Result<(), BackupError> {
    let header = Header::new(master, made_at);
    sealed.write_all(&header.bytes)?;
    let key = header.key(master);
    let mut encryptor = EncryptorBE32::<XChaCha20Poly1305>::new(&Key::from(*key), &header.nonce());
    let (mut chunk, mut next) = (chunk_of(CHUNK_BYTES), chunk_of(CHUNK_BYTES));
    read_chunk(&mut plain, &mut chunk, CHUNK_BYTES)?;
    loop {
        // Only the next one tells whether this one is the last.
        read_chunk(&mut plain, &mut next, CHUNK_BYTES)?;
        let payload = Payload {
            msg: &chunk,
            aad: &header.bytes,
        };
        if next.is_empty() {
            let last = encryptor.encrypt_last(payload).map_err(|_| BackupError::TooLarge)?;
            sealed.write_all(&last)?;
            return Ok(sealed.flush()?);
        }
        sealed.write_all(&encryptor.encrypt_next(payload).map_err(|_| BackupError::TooLarge)?)?;
        std::mem::swap(&mut chunk, &mut next);
    }
}

/// The start of a backup, which is not secret. It is believed only once [`decrypt`] has read to the end.
///
/// # Errors
/// `NotABackup`, `UnknownVersion`, `Damaged` when it ends within.
pub fn read_header(mut sealed: impl Read) -> Result<Header, BackupError> {
    let mut magic = [0; MAGIC.len()];
    read_exact(&mut sealed, &mut magic, BackupError::NotABackup)?;
    let mut version = [0; 1];
    if magic != MAGIC {
        return Err(BackupError::NotABackup);
    }
    read_exact(&mut sealed, &mut version, BackupError::Damaged)?;
    if version != [VERSION] {
        return Err(BackupError::UnknownVersion);
    }
    let (mut made_at, mut master_key) = ([0; 8], [0; 8]);
    let (mut salt, mut nonce) = ([0; SALT_BYTES], [0; STREAM_NONCE_BYTES]);
    for part in [&mut made_at[..], &mut master_key[..], &mut salt[..], &mut nonce[..]] {
        read_exact(&mut sealed, part, BackupError::Damaged)?;
    }
    let mut bytes = [0; HEADER_BYTES];
    let parts: [&[u8]; 6] = [&magic, &version, &made_at, &master_key, &salt, &nonce];
    for (place, byte) in bytes.iter_mut().zip(parts.into_iter().flatten()) {
        *place = *byte;
    }
    Ok(Header {
        origin: Origin {
            made_at: Timestamp::from_millis(u64::from_be_bytes(made_at)),
            master_key: MasterKeyId(master_key),
        },
        bytes,
        salt,
        nonce,
    })
}

/// Decrypts what follows a header. `plain` is worth nothing until this returns: only the end tells that all of it is there.
///
/// # Errors
/// `OtherMasterKey`, `Damaged`, `Io`.
pub fn decrypt(
    master: &MasterKey,
    header: &Header,
    mut sealed: impl Read,
    mut plain: impl Write,
) -> Result<(), BackupError> {
    if master.id() != header.origin.master_key {
        return Err(BackupError::OtherMasterKey {
            under: header.origin.master_key,
            given: master.id().to_string(),
        });
    }
    let key = header.key(master);
    let mut decryptor = DecryptorBE32::<XChaCha20Poly1305>::new(&Key::from(*key), &header.nonce());
    let sealed_bytes = CHUNK_BYTES + TAG_BYTES;
    let (mut chunk, mut next) = (chunk_of(sealed_bytes), chunk_of(sealed_bytes));
    read_chunk(&mut sealed, &mut chunk, sealed_bytes)?;
    loop {
        read_chunk(&mut sealed, &mut next, sealed_bytes)?;
        let payload = Payload {
            msg: &chunk,
            aad: &header.bytes,
        };
        if next.is_empty() {
            let last = decryptor.decrypt_last(payload).map_err(|_| BackupError::Damaged)?;
            plain.write_all(&Zeroizing::new(last))?;
            return Ok(plain.flush()?);
        }
        let opened = decryptor.decrypt_next(payload).map_err(|_| BackupError::Damaged)?;
        plain.write_all(&Zeroizing::new(opened))?;
        std::mem::swap(&mut chunk, &mut next);
    }
}

fn chunk_of(bytes: usize) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(Vec::with_capacity(bytes))
}

/// Fills the chunk; it is shorter only where the source ends.
fn read_chunk(source: &mut impl Read, chunk: &mut Vec<u8>, bytes: usize) -> io::Result<()> {
    chunk.clear();
    source.by_ref().take(bytes as u64).read_to_end(chunk)?;
    Ok(())
}

fn read_exact(source: &mut impl Read, part: &mut [u8], too_short: BackupError) -> Result<(), BackupError> {
    source.read_exact(part).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => too_short,
        _ => error.into(),
    })
}

#[cfg(test)]
mod tests;
