//! Texts of callers inside LIKE patterns (with `ESCAPE '\'`): what they hold means itself.

/// Finds texts that hold `text`.
pub(super) fn part(text: &str) -> String {
    format!("%{}%", escaped(text))
}

/// Finds texts that begin with `text`.
pub(super) fn beginning(text: &str) -> String {
    format!("{}%", escaped(text))
}

fn escaped(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern
}
