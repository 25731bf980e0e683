use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

const MADE_AT: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const SEALED_CHUNK: usize = CHUNK_BYTES + TAG_BYTES;

fn master(byte: u8) -> MasterKey {
    let mut bytes = [byte; 32];
    bytes[0] = !byte;
    MasterKey::parse(&STANDARD.encode(bytes).into()).expect("a master key")
}

/// So many bytes, no two chunks alike.
fn plain(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|index| (index % 251) as u8).collect()
}

fn sealed(plain: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::new();
    encrypt(&master(1), MADE_AT, plain, &mut sealed).expect("encrypted");
    sealed
}

fn open(master: &MasterKey, mut sealed: &[u8]) -> Result<Vec<u8>, BackupError> {
    let header = read_header(&mut sealed)?;
    let mut plain = Vec::new();
    decrypt(master, &header, sealed, &mut plain)?;
    Ok(plain)
}

fn check_refused(sealed: &[u8], why: &str) {
    assert!(open(&master(1), sealed).is_err(), "{why}");
}

#[test]
fn what_was_encrypted_comes_back_at_every_length_around_a_chunk() {
    for bytes in [
        0,
        1,
        CHUNK_BYTES - 1,
        CHUNK_BYTES,
        CHUNK_BYTES + 1,
        2 * CHUNK_BYTES,
        3 * CHUNK_BYTES + 7,
    ] {
        let opened = open(&master(1), &sealed(&plain(bytes))).expect("opens");
        assert!(opened == plain(bytes), "{bytes} bytes");
    }
}

#[test]
fn a_source_that_gives_little_at_a_time_makes_the_same_chunks() {
    struct Slow<'a>(&'a [u8]);
    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let some = buffer.len().min(977);
            self.0.read(&mut buffer[..some])
        }
    }
    let plain = plain(2 * CHUNK_BYTES + 5);
    let mut sealed = Vec::new();
    encrypt(&master(1), MADE_AT, Slow(&plain), &mut sealed).expect("encrypted");
    assert_eq!(sealed.len(), HEADER_BYTES + plain.len() + 3 * TAG_BYTES);
    assert!(open(&master(1), &sealed).expect("opens") == plain);
}

#[test]
fn a_backup_shows_nothing_of_the_data_and_never_repeats() {
    let plain = b"SQLite format 3 and ada@example.org".repeat(1000);
    let (first, second) = (sealed(&plain), sealed(&plain));
    for words in [&b"SQLite"[..], b"example"] {
        assert!(!first.windows(words.len()).any(|window| window == words));
    }
    assert_ne!(first[HEADER_BYTES..], second[HEADER_BYTES..]);
    let header = read_header(first.as_slice()).expect("a header");
    assert_eq!(
        (header.origin.made_at, header.origin.master_key),
        (MADE_AT, master(1).id())
    );
}

#[test]
fn every_changed_byte_of_the_header_is_noticed() {
    let sealed = sealed(&plain(100));
    for index in 0..HEADER_BYTES {
        let mut changed = sealed.clone();
        changed[index] ^= 1;
        check_refused(&changed, &format!("byte {index} of the header"));
    }
}

#[test]
fn a_changed_byte_of_any_chunk_is_noticed() {
    let sealed = sealed(&plain(3 * CHUNK_BYTES));
    for index in (HEADER_BYTES..sealed.len()).step_by(7919) {
        let mut changed = sealed.clone();
        changed[index] ^= 0x80;
        check_refused(&changed, &format!("byte {index}"));
    }
}

#[test]
fn a_backup_that_was_cut_anywhere_is_refused() {
    let sealed = sealed(&plain(2 * CHUNK_BYTES + 100));
    // Also at the ends of chunks, where what is left is whole in itself.
    let ends = [0, 1, 2].map(|chunks| HEADER_BYTES + chunks * SEALED_CHUNK);
    let others = [0, 1, 8, 9, HEADER_BYTES - 1, HEADER_BYTES + 1, sealed.len() - 1];
    for bytes in ends.into_iter().chain(others) {
        check_refused(&sealed[..bytes], &format!("cut after {bytes} bytes"));
    }
}

#[test]
fn chunks_that_change_places_or_are_left_out_or_repeated_are_refused() {
    let sealed = sealed(&plain(4 * CHUNK_BYTES));
    let (header, body) = sealed.split_at(HEADER_BYTES);
    let chunks: Vec<&[u8]> = body.chunks(SEALED_CHUNK).collect();
    for order in [
        &[1, 0, 2, 3][..],
        &[0, 2, 1, 3],
        &[0, 1, 3],
        &[0, 1, 2, 3, 3],
        &[0, 1, 1, 2, 3],
        &[3],
    ] {
        let body = order.iter().flat_map(|index| chunks[*index].iter().copied());
        let changed: Vec<u8> = header.iter().copied().chain(body).collect();
        check_refused(&changed, &format!("{order:?}"));
    }
}

#[test]
fn bytes_behind_the_end_are_refused() {
    for bytes in [100, CHUNK_BYTES] {
        let sealed = sealed(&plain(bytes));
        for more in [&[0][..], &[0; SEALED_CHUNK], &sealed] {
            check_refused(&[&sealed, more].concat(), &format!("{} bytes more", more.len()));
        }
    }
}

#[test]
fn chunks_of_another_backup_of_the_same_key_do_not_fit() {
    let (first, second) = (sealed(&plain(2 * CHUNK_BYTES)), sealed(&plain(2 * CHUNK_BYTES)));
    let mixed = [
        &first[..HEADER_BYTES + SEALED_CHUNK],
        &second[HEADER_BYTES + SEALED_CHUNK..],
    ]
    .concat();
    check_refused(&mixed, "the second half of another backup");
}

#[test]
fn another_master_key_is_told_from_damage_and_named() {
    let refused = open(&master(2), &sealed(&plain(10))).expect_err("another key");
    let BackupError::OtherMasterKey { under, .. } = &refused else {
        panic!("{refused}");
    };
    assert_eq!(*under, master(1).id());
    assert!(refused.to_string().contains(&master(1).id().to_string()) && refused.to_string().contains("master.key"));
    assert!(matches!(
        open(&master(1), b"SQLite format 3\0"),
        Err(BackupError::NotABackup)
    ));
    let mut newer = sealed(&plain(10));
    newer[MAGIC.len()] = VERSION + 1;
    assert!(matches!(open(&master(1), &newer), Err(BackupError::UnknownVersion)));
}
