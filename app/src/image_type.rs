//! Which image a file is, by its first bytes: names lie, and some browsers know no type for HEIC.

use crate::types::IMAGE_TYPES;

/// Bytes from a file's start that are enough for [`sniff`].
pub const SNIFF_BYTES: usize = 16;

/// The media type, one of [`IMAGE_TYPES`]; `None` for everything else.
/// Signatures: PNG and JPEG specifications, RIFF for WebP, ISO/IEC 23008-12 brands for HEIC and HEIF.
pub fn sniff(start: &[u8]) -> Option<&'static str> {
    let [png, jpeg, webp, heic, heif] = IMAGE_TYPES;
    match start {
        [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Some(png),
        [0xff, 0xd8, 0xff, ..] => Some(jpeg),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(webp),
        [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] => match brand.get(..4)? {
            b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"hevm" | b"hevs" => Some(heic),
            b"mif1" | b"msf1" | b"heif" => Some(heif),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::sniff;

    #[test]
    fn the_content_decides_the_type() {
        let table: [(&[u8], Option<&str>); 13] = [
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", Some("image/png")),
            (b"\xff\xd8\xff\xe0\0\x10JFIF", Some("image/jpeg")),
            (b"RIFF\x24\0\0\0WEBPVP8 ", Some("image/webp")),
            (b"\0\0\0\x18ftypheic\0\0\0\0", Some("image/heic")),
            (b"\0\0\0\x18ftyphevx\0\0\0\0", Some("image/heic")),
            (b"\0\0\0\x18ftypmif1\0\0\0\0", Some("image/heif")),
            (b"\0\0\0\x18ftypmp42\0\0\0\0", None),
            (b"\0\0\0\x18ftyphe", None),
            (b"RIFF\x24\0\0\0WAVEfmt ", None),
            (b"GIF89a", None),
            (b"%PDF-1.7", None),
            (b"<svg xmlns=", None),
            (b"", None),
        ];
        for (start, expected) in table {
            assert_eq!(sniff(start), expected, "{start:?}");
        }
    }
}
