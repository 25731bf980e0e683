//! What an image says about itself in its first bytes.

use crate::request::Inline;

/// Kind, dimensions and size: `PNG, 640 × 480 pixels, 12.3 KB (image/png)`.
pub(super) fn describe(inline: &Inline) -> String {
    let kind_and_size = match dimensions(&inline.bytes) {
        Some((kind, width, height)) => format!("{kind}, {width} × {height} pixels"),
        None => "unknown format".to_owned(),
    };
    // The type is the caller's word: only what belongs into one may reach the answer.
    let mime_type: String = inline
        .mime_type
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || "/+.-".contains(*c))
        .take(60)
        .collect();
    format!("{kind_and_size}, {} ({mime_type})", byte_size(inline.bytes.len()))
}

fn byte_size(bytes: usize) -> String {
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{}.{} KB", bytes / 1_000, bytes % 1_000 / 100),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}

/// Kind, width and height, read from the header.
fn dimensions(bytes: &[u8]) -> Option<(&'static str, u32, u32)> {
    png(bytes)
        .map(|(width, height)| ("PNG", width, height))
        .or_else(|| gif(bytes).map(|(width, height)| ("GIF", width, height)))
        .or_else(|| webp(bytes).map(|(width, height)| ("WebP", width, height)))
        .or_else(|| jpeg(bytes).map(|(width, height)| ("JPEG", width, height)))
}

/// PNG, section 11.2.2: the IHDR chunk comes first.
fn png(bytes: &[u8]) -> Option<(u32, u32)> {
    let header = bytes.strip_prefix(b"\x89PNG\r\n\x1a\n")?;
    if header.get(4..8)? != b"IHDR" {
        return None;
    }
    Some((big_endian(header, 8, 4)?, big_endian(header, 12, 4)?))
}

/// GIF 89a, section 18: the logical screen follows the signature.
fn gif(bytes: &[u8]) -> Option<(u32, u32)> {
    let screen = bytes
        .strip_prefix(b"GIF87a")
        .or_else(|| bytes.strip_prefix(b"GIF89a"))?;
    Some((little_endian(screen, 0, 2)?, little_endian(screen, 2, 2)?))
}

/// RFC 9649: lossy, lossless and extended files keep their size in three ways.
fn webp(bytes: &[u8]) -> Option<(u32, u32)> {
    if bytes.get(..4)? != b"RIFF" || bytes.get(8..12)? != b"WEBP" {
        return None;
    }
    let (kind, data) = (bytes.get(12..16)?, bytes.get(20..)?);
    match kind {
        b"VP8 " if data.get(3..6)? == b"\x9d\x01\x2a" => {
            Some((little_endian(data, 6, 2)? & 0x3fff, little_endian(data, 8, 2)? & 0x3fff))
        }
        b"VP8L" if data.first()? == &0x2f => {
            let bits = little_endian(data, 1, 4)?;
            Some(((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1))
        }
        b"VP8X" => Some((little_endian(data, 4, 3)? + 1, little_endian(data, 7, 3)? + 1)),
        _ => None,
    }
}

/// ITU-T T.81, annex B: segments up to the first start of frame.
fn jpeg(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut rest = bytes.strip_prefix(b"\xff\xd8")?;
    // Every turn takes at least one byte off, so it ends.
    loop {
        let (marker, segment) = (rest.get(..2)?, rest.get(2..)?);
        match *marker {
            // Any number of fill bytes may come before a marker.
            [0xff, 0xff] => rest = rest.get(1..)?,
            [0xff, 0x01 | 0xd0..=0xd8] => rest = segment,
            // Start of frame; C4, C8 and CC mean something else.
            [0xff, 0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf] => {
                return Some((big_endian(segment, 5, 2)?, big_endian(segment, 3, 2)?));
            }
            [0xff, 0xd9 | 0xda] => return None,
            [0xff, _] => rest = segment.get(usize::try_from(big_endian(segment, 0, 2)?.max(2)).ok()?..)?,
            _ => return None,
        }
    }
}

fn big_endian(bytes: &[u8], at: usize, len: usize) -> Option<u32> {
    Some(
        bytes
            .get(at..at + len)?
            .iter()
            .fold(0, |value, byte| value << 8 | u32::from(*byte)),
    )
}

fn little_endian(bytes: &[u8], at: usize, len: usize) -> Option<u32> {
    Some(
        bytes
            .get(at..at + len)?
            .iter()
            .rev()
            .fold(0, |value, byte| value << 8 | u32::from(*byte)),
    )
}
