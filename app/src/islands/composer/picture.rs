//! Which files can be sent as images, decided before anything is uploaded.

use crate::image_type::sniff;
use crate::text::compose as words;
use crate::types::{IMAGES_BYTES_MAX, IMAGES_MAX};

/// An image chosen for the next request. The file itself stays with the browser, under the same `id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    pub id: u32,
    pub name: String,
    pub bytes: u64,
    /// As the content says, not as the name or the browser claims.
    pub mime_type: &'static str,
    /// A `blob:` address for the thumbnail; none for what browsers cannot show.
    pub preview: Option<String>,
}

/// Browsers other than Safari draw a broken picture for these.
pub fn can_be_shown(mime_type: &str) -> bool {
    !matches!(mime_type, "image/heic" | "image/heif")
}

/// Whether one more file fits, given its first bytes and what is chosen already.
///
/// # Errors
/// One sentence naming the file, the cause and what is possible.
pub fn admit(name: &str, bytes: u64, start: &[u8], chosen: &[Picture]) -> Result<&'static str, String> {
    if bytes == 0 {
        return Err(words::file_empty(name));
    }
    let mime_type = sniff(start).ok_or_else(|| words::file_not_an_image(name))?;
    if chosen.len() >= IMAGES_MAX {
        return Err(words::too_many_images(IMAGES_MAX));
    }
    let together = chosen
        .iter()
        .map(|picture| picture.bytes)
        .sum::<u64>()
        .saturating_add(bytes);
    if together > IMAGES_BYTES_MAX as u64 {
        return Err(words::images_too_large(name, together));
    }
    Ok(mime_type)
}

#[cfg(test)]
mod tests {
    use super::{Picture, admit};
    use crate::types::IMAGES_MAX;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";

    fn picture(bytes: u64) -> Picture {
        Picture {
            id: 1,
            name: "a.png".to_owned(),
            bytes,
            mime_type: "image/png",
            preview: None,
        }
    }

    #[test]
    fn a_lying_name_is_refused_and_told() {
        let refused = admit("notes.png", 12, b"plain text", &[]).unwrap_err();
        assert!(
            refused.contains("notes.png") && refused.contains("PNG, JPEG, WebP"),
            "{refused}"
        );
    }

    #[test]
    fn an_empty_file_is_refused() {
        assert!(admit("a.png", 0, b"", &[]).unwrap_err().contains("empty"));
    }

    #[test]
    fn all_images_together_must_fit() {
        let chosen = [picture(15_000_000)];
        assert_eq!(admit("b.png", 5_000_000, PNG, &chosen), Ok("image/png"));
        let refused = admit("b.png", 6_000_000, PNG, &chosen).unwrap_err();
        assert!(refused.contains("20 MB"), "{refused}");
    }

    #[test]
    fn the_number_of_images_is_bounded() {
        let chosen = vec![picture(1); IMAGES_MAX];
        assert!(admit("b.png", 1, PNG, &chosen).unwrap_err().contains("16"));
    }
}
