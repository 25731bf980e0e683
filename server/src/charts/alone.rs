//! A chart as a file of its own: with its name, its legend, and the colours that it takes from a page elsewhere.

use std::fmt::Write as _;

use app::charts::{ChartKind, ChartSpec, ChartWidth, Look};

use super::plot::Sheet;
use super::{draw, words};

/// Where the pages' colours are said.
const TOKENS: &str = include_str!("../../../style/tokens.css");
const FONT: &str = "system-ui, sans-serif";

const MARGIN: f64 = 16.0;
const TITLE: f64 = 16.0;
/// From one line of the legend to the next.
const LINE: f64 = 22.0;
const MARK: f64 = 24.0;
const GAP: f64 = 8.0;

/// One document for light and dark, which follows the reader's own setting.
pub fn document(spec: &ChartSpec, width: ChartWidth) -> String {
    let sheet = Sheet::new(spec, width);
    let (legend, legend_height) = legend(spec, &sheet);
    let top = MARGIN + TITLE + MARGIN;
    let (full_width, full_height) = (sheet.width + 2.0 * MARGIN, top + legend_height + sheet.height + MARGIN);
    let title = words::escaped(&spec.title);
    let colors = colors();
    let body = if spec.is_empty() {
        let nothing = words::escaped(app::text::charts::EMPTY);
        let (x, y) = (sheet.width / 2.0, sheet.height / 2.0);
        let size = sheet.font;
        format!(r#"<text x="{x}" y="{y}" font-size="{size}" text-anchor="middle" fill="var(--muted)">{nothing}</text>"#)
    } else {
        draw(spec, width)
    };
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{full_width}" height="{full_height}" viewBox="0 0 {full_width} {full_height}" role="img" aria-label="{title}" font-family="{FONT}"><title>{title}</title><style>{colors}</style><rect width="100%" height="100%" fill="var(--bg)"/><text x="{MARGIN}" y="{}" font-size="{TITLE}" font-weight="600" fill="var(--text)">{title}</text><g transform="translate({MARGIN} {top})">{legend}</g><g transform="translate({MARGIN} {})">{body}</g></svg>"#,
        MARGIN + TITLE * 0.8,
        top + legend_height,
    )
}

/// The custom properties of the pages, in both themes.
fn colors() -> String {
    let (mut light, mut dark) = (String::new(), String::new());
    // Those of people who want more contrast, and of print, come after.
    for line in TOKENS.lines().take_while(|line| *line != "}") {
        let said = line
            .trim()
            .strip_suffix(");")
            .and_then(|line| line.split_once(": light-dark("));
        if let Some((name, (in_light, in_dark))) = said.and_then(|(name, both)| Some((name, both.split_once(", ")?))) {
            let _ = write!(light, "{name}:{in_light};");
            let _ = write!(dark, "{name}:{in_dark};");
        }
    }
    format!(":root{{{light}}}@media (prefers-color-scheme:dark){{:root{{{dark}}}}}")
}

/// Names of the series, as many a line as there is room for; and the height of it. One series needs none.
fn legend(spec: &ChartSpec, sheet: &Sheet) -> (String, f64) {
    if spec.series.len() < 2 || spec.is_empty() {
        return (String::new(), 0.0);
    }
    let (mut drawn, mut x, mut y) = (String::new(), 0.0, 0.0);
    for (series, look) in spec.series.iter().zip(spec.looks()) {
        let name = words::shortened(&series.name, sheet.font, sheet.width - MARK - GAP);
        let width = MARK + GAP + words::width(&name, sheet.font);
        if x > 0.0 && x + width > sheet.width {
            (x, y) = (0.0, y + LINE);
        }
        let mark = mark(spec.kind, look);
        let (name, font, text_x) = (words::escaped(&name), sheet.font, MARK + GAP);
        let _ = write!(
            drawn,
            r#"<g transform="translate({x:.1} {y})">{mark}<text x="{text_x}" y="6" dy=".35em" font-size="{font}" fill="var(--muted)">{name}</text></g>"#,
        );
        x += width + 2.0 * GAP;
    }
    (drawn, y + LINE + GAP)
}

fn mark(kind: ChartKind, look: Look) -> String {
    let color = look.color;
    match kind {
        ChartKind::Lines => {
            let dash = look.dash.map(|dash| format!(r#" stroke-dasharray="{dash}""#));
            let dash = dash.unwrap_or_default();
            format!(r#"<path d="M0 6h{MARK}" fill="none" stroke="var(--chart-{color})" stroke-width="2"{dash}/>"#)
        }
        ChartKind::StackedBars | ChartKind::HorizontalBars => {
            format!(r#"<rect x="12" width="12" height="12" rx="2" fill="var(--chart-{color})"/>"#)
        }
    }
}
