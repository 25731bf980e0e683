use leptos::prelude::*;
use qrcode::{Color, QrCode as Code};

/// White space around the code, in modules: less than four and readers miss it (ISO/IEC 18004).
const QUIET: usize = 4;

/// `text` as a QR code, black on white in every theme: many readers do not take it the other way round.
#[component]
pub fn QrCode(#[prop(into)] text: String, label: &'static str) -> impl IntoView {
    drawing(&text).map(|(side, path)| {
        let view_box = format!("0 0 {side} {side}");
        view! {
            <svg class="qr" viewBox=view_box role="img" aria-label=label shape-rendering="crispEdges">
                <rect width=side height=side fill="#ffffff"></rect>
                <path d=path fill="#000000"></path>
            </svg>
        }
    })
}

/// Side in modules, quiet zone included, and the dark modules as a path: one stroke for each run in a row. `None` for a text
/// too long for a code.
fn drawing(text: &str) -> Option<(usize, String)> {
    let code = Code::new(text).ok()?;
    let width = code.width();
    let mut path = String::new();
    for (y, row) in code.to_colors().chunks(width).enumerate() {
        let mut x = 0;
        for run in row.chunk_by(|left, right| left == right) {
            if run.first() == Some(&Color::Dark) {
                let (left, top, length) = (x + QUIET, y + QUIET, run.len());
                path.push_str(&format!("M{left} {top}h{length}v1h-{length}z"));
            }
            x += run.len();
        }
    }
    Some((width + 2 * QUIET, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_drawn_with_its_three_corners_and_white_around() {
        let (side, path) =
            drawing("otpauth://totp/Keypool:ada%40example.com?secret=JBSWY3DPEHPK3PXP&issuer=Keypool").unwrap();
        // The upper edge of a corner mark is seven modules long.
        let far = side - QUIET - 7;
        for corner in [
            format!("M{QUIET} {QUIET}h7"),
            format!("M{far} {QUIET}h7"),
            format!("M{QUIET} {far}h7"),
        ] {
            assert!(path.contains(&corner), "{corner} in {path}");
        }
        assert!(
            !path.contains("M0 ") && !path.contains(" 3h"),
            "the quiet zone is empty"
        );
    }

    #[test]
    fn a_text_too_long_for_a_code_has_none() {
        assert_eq!(drawing(&"x".repeat(5_000)), None);
    }
}
