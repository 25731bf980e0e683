use charts_rs::{DEFAULT_FONT_FAMILY, measure_text_width_family};

/// Pages are shown in the font of the device. The measured one is narrower than some of those.
const OTHER_FONTS: f64 = 1.18;
/// Characters of a label that are looked at.
const CHARS_MAX: usize = 80;

pub(super) fn width(text: &str, font: f64) -> f64 {
    let measured = measure_text_width_family(DEFAULT_FONT_FAMILY, font as f32, text);
    let width = measured.map(|size| f64::from(size.width()));
    // The font is a part of the crate, so this is never needed.
    width.unwrap_or_else(|_| text.chars().count() as f64 * font * 0.6) * OTHER_FONTS
}

pub(super) fn widest(texts: &[String], font: f64) -> f64 {
    texts.iter().map(|text| width(text, font)).fold(0.0, f64::max)
}

/// The text, or as much of its beginning as `width_max` has room for with an ellipsis.
pub(super) fn shortened(text: &str, font: f64, width_max: f64) -> String {
    let mut kept: Vec<char> = text.chars().take(CHARS_MAX).collect();
    if kept.len() < CHARS_MAX && width(text, font) <= width_max {
        return text.to_owned();
    }
    loop {
        let shown = kept.iter().collect::<String>();
        let shown = format!("{}…", shown.trim_end());
        if kept.is_empty() || width(&shown, font) <= width_max {
            return shown;
        }
        kept.pop();
    }
}

/// For text and for attributes in double quotes.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            char if char.is_control() => {}
            char => out.push(char),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_ends_in_an_ellipsis_and_fits() {
        let long = "gemini-2.5-flash-preview-native-audio-dialog".repeat(4);
        for width_max in [0.0, 20.0, 90.0, 200.0] {
            let short = shortened(&long, 13.0, width_max);
            assert!(short.ends_with('…') && short.chars().count() < 60, "{short}");
            assert!(width(&short, 13.0) <= width_max.max(width("…", 13.0)), "{short}");
        }
        assert_eq!(shortened("quota", 13.0, 90.0), "quota");
    }

    #[test]
    fn no_text_is_markup() {
        assert_eq!(
            escaped("<b a=\"1\">&\u{0}</b>"),
            "&lt;b a=&quot;1&quot;&gt;&amp;&lt;/b&gt;"
        );
    }
}
