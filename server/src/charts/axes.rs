use std::fmt::Write as _;

use app::charts::Unit;

use super::plot::{Plot, Sheet};
use super::ticks::Scale;
use super::words;

/// Between two words of the horizontal axis.
const WORD_GAP: f64 = 8.0;
const TICK: f64 = 4.0;
/// Every so many labels one is written, if they do not all fit: hours and days fall into these.
const STEPS: [usize; 7] = [1, 2, 3, 4, 6, 12, 24];
/// So few labels are names rather than times: better all of them shortened than some left out.
const NAMES_MAX: usize = 8;

/// Words of the value axis from zero up.
pub(super) fn numbers(scale: &Scale, unit: Unit) -> Vec<String> {
    let step = scale.top / f64::from(scale.intervals);
    (0..=scale.intervals)
        .map(|place| unit.short(step * f64::from(place)))
        .collect()
}

/// Lines across with their numbers to the left; the lowest is the axis.
pub(super) fn grid(plot: &Plot, numbers: &[String], sheet: &Sheet) -> String {
    let (mut lines, mut texts) = (String::new(), String::new());
    let interval = plot.height() / numbers.len().saturating_sub(1).max(1) as f64;
    for (place, number) in numbers.iter().enumerate() {
        // On half a pixel, where a line one pixel wide is sharp.
        let y = (plot.bottom - interval * place as f64).floor() + 0.5;
        if place > 0 {
            let _ = write!(lines, "M{} {}H{}", plot.left, short(y), short(plot.right));
        }
        texts.push_str(&text(plot.left - WORD_GAP, y, number));
    }
    format!(
        r#"<path d="{lines}" fill="none" stroke="var(--border)"/>{}"#,
        group("end", "muted", sheet, &texts)
    )
}

/// The horizontal axis with as many of the labels as there is room for.
pub(super) fn along(plot: &Plot, labels: &[String], sheet: &Sheet) -> String {
    let column = plot.column();
    let width_max = match labels.len() {
        0..=NAMES_MAX => (column - WORD_GAP).max(sheet.font * 3.0),
        _ => sheet.width / 3.0,
    };
    let shown: Vec<String> = labels
        .iter()
        .map(|label| words::shortened(label, sheet.font, width_max))
        .collect();
    let needed = words::widest(&shown, sheet.font) + WORD_GAP;
    let step = step(needed, column, labels.len());
    let mut line = format!("M{} {}H{}", plot.left, short(plot.bottom), short(plot.right));
    let mut written = Vec::new();
    for (place, label) in shown.iter().enumerate().step_by(step) {
        let middle = plot.left + column * (place as f64 + 0.5);
        let _ = write!(line, "M{} {}v{TICK}", short(middle), short(plot.bottom));
        // The outermost are moved in to stay on the sheet.
        let half = words::width(label, sheet.font) / 2.0;
        let x = middle.min(sheet.width - half).max(half);
        written.push((x, half, label));
    }
    leave_out_moved(&mut written);
    let y = plot.bottom + TICK + sheet.font * 0.75 + 2.0;
    let texts: String = written.iter().map(|(x, _, label)| text(*x, y, label)).collect();
    format!(
        r#"<path d="{line}" fill="none" stroke="var(--control-border)"/>{}"#,
        group("middle", "muted", sheet, &texts)
    )
}

/// Takes the first and the last away if they were moved onto the one beside them. Middles, halves of the widths, words.
fn leave_out_moved(written: &mut Vec<(f64, f64, &String)>) {
    let touch = |left: &(f64, f64, &String), right: &(f64, f64, &String)| left.0 + left.1 + 3.0 > right.0 - right.1;
    if let [first, second, ..] = written.as_slice()
        && touch(first, second)
    {
        written.remove(0);
    }
    if let [.., before, last] = written.as_slice()
        && touch(before, last)
    {
        written.pop();
    }
}

/// The smallest usual step at which words so wide do not touch.
fn step(needed: f64, column: f64, labels: usize) -> usize {
    let least = (needed / column).ceil().max(1.0) as usize;
    let usual = STEPS.into_iter().find(|step| *step >= least);
    let doubled = || (1..).map(|day| day * 24).find(|step| *step >= least);
    usual.or_else(doubled).unwrap_or(least).min(labels.max(1))
}

/// Names to the left of horizontal bars, and what each comes to at its end.
pub(super) fn beside(plot: &Plot, names: &[String], values: &[Option<f64>], said: &[String], sheet: &Sheet) -> String {
    let (mut left, mut right) = (String::new(), String::new());
    let row = plot.row();
    let step = ((sheet.font + 3.0) / row).ceil().max(1.0) as usize;
    for (place, name) in names.iter().enumerate().step_by(step) {
        let y = plot.top + row * (place as f64 + 0.5);
        left.push_str(&text(plot.left - WORD_GAP, y, name));
        if let (Some(Some(value)), Some(said)) = (values.get(place), said.get(place)) {
            let end = plot.left + plot.width() * value / plot.highest;
            right.push_str(&text(end + WORD_GAP - 2.0, y, said));
        }
    }
    let axis = format!(
        r#"<path d="M{} {}V{}" fill="none" stroke="var(--control-border)"/>"#,
        plot.left,
        short(plot.top),
        short(plot.bottom)
    );
    axis + &group("end", "text", sheet, &left) + &group("start", "muted", sheet, &right)
}

fn group(anchor: &str, color: &str, sheet: &Sheet, texts: &str) -> String {
    let font = sheet.font;
    format!(r#"<g fill="var(--{color})" font-size="{font}" text-anchor="{anchor}">{texts}</g>"#)
}

/// Around a height, whatever the font.
fn text(x: f64, y: f64, words: &str) -> String {
    let words = words::escaped(words);
    format!(r#"<text x="{}" y="{}" dy=".35em">{words}</text>"#, short(x), short(y))
}

/// A place to a tenth of a pixel.
fn short(place: f64) -> f64 {
    (place * 10.0).round() / 10.0
}
