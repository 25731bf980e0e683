//! Draws charts as SVG that stands in a page and takes its colours from it. A pure function of what is to be shown.
//!
//! charts-rs draws what has a value: lines and bars. Grid, axes and words are ours, because its words are laid out for its
//! own font and cannot be anchored, and its axes know no units.

mod axes;
mod marks;
mod plot;
mod ticks;
mod words;

#[cfg(test)]
mod tests;

use app::charts::{ChartKind, ChartSpec, ChartWidth};

use plot::{Plot, Sheet};

/// More than is ever counted, and few enough for stacks of them to have a sum.
const VALUE_MAX: f64 = 1e18;

/// Without style, script or identifiers: the content security policy allows none, and several may be in one page. Colours
/// are custom properties of the page (`--chart-1` to `--chart-6`, `--text`, `--muted`, `--border`, `--bg`).
pub fn draw(spec: &ChartSpec, width: ChartWidth) -> String {
    let sheet = Sheet::new(spec, width);
    let series = values(spec);
    let body = match spec.kind {
        ChartKind::Lines => {
            let (plot, grid, axis) = upright(spec, &sheet, highest(&series));
            grid + &axis + &marks::lines(&plot, &series, &spec.looks())
        }
        ChartKind::StackedBars => {
            let (plot, grid, axis) = upright(spec, &sheet, highest_stack(&series));
            grid + &marks::stacked_bars(&plot, &series, &spec.looks()) + &axis
        }
        ChartKind::HorizontalBars => lying(spec, &sheet, series.first().map_or(&[], Vec::as_slice)),
    };
    let (width, height) = (sheet.width, sheet.height);
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" aria-label="{}">{body}</svg>"#,
        words::escaped(&spec.title)
    )
}

/// Values on a vertical axis, labels along the horizontal one: lines of the grid go behind what is drawn, the axis stands
/// over bars.
fn upright(spec: &ChartSpec, sheet: &Sheet, highest: f64) -> (Plot, String, String) {
    let scale = ticks::scale(highest, spec.unit, sheet.intervals_max);
    let numbers = axes::numbers(&scale, spec.unit);
    let plot = Plot::upright(sheet, words::widest(&numbers, sheet.font), scale.top, spec.labels.len());
    let (grid, axis) = (
        axes::grid(&plot, &numbers, sheet),
        axes::along(&plot, &spec.labels, sheet),
    );
    (plot, grid, axis)
}

/// A row a label, with its value at the end of its bar in place of an axis.
fn lying(spec: &ChartSpec, sheet: &Sheet, values: &[Option<f64>]) -> String {
    let top = values.iter().flatten().copied().fold(0.0, f64::max);
    let said: Vec<String> = values
        .iter()
        .map(|value| value.map_or_else(String::new, |value| spec.unit.exact(value)))
        .collect();
    let name_max = sheet.width * 0.4;
    let names: Vec<String> = spec
        .labels
        .iter()
        .map(|label| words::shortened(label, sheet.font, name_max))
        .collect();
    let (names_width, said_width) = (words::widest(&names, sheet.font), words::widest(&said, sheet.font));
    let plot = Plot::lying(sheet, names_width, said_width, top, spec.labels.len());
    let look = spec.looks().first().copied();
    let bars = look.map_or_else(String::new, |look| marks::horizontal_bars(&plot, values, look));
    bars + &axes::beside(&plot, &names, values, &said, sheet)
}

/// One a label for each series; what is no number, or below zero, is a gap.
fn values(spec: &ChartSpec) -> Vec<Vec<Option<f64>>> {
    let at = |values: &[Option<f64>], place: usize| {
        let value = values.get(place).copied().flatten();
        let value = value.filter(|value| value.is_finite() && *value >= 0.0);
        value.map(|value| value.min(VALUE_MAX))
    };
    spec.series
        .iter()
        .map(|series| (0..spec.labels.len()).map(|place| at(&series.values, place)).collect())
        .collect()
}

fn highest(series: &[Vec<Option<f64>>]) -> f64 {
    series.iter().flatten().flatten().copied().fold(0.0, f64::max)
}

fn highest_stack(series: &[Vec<Option<f64>>]) -> f64 {
    let labels = series.first().map_or(0, Vec::len);
    let stack = |place: usize| series.iter().filter_map(|values| values[place]).sum::<f64>();
    (0..labels).map(stack).fold(0.0, f64::max)
}
