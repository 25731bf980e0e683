use app::charts::{Look, Marker};
use charts_rs::{
    BarChart, Box as Margin, ChartBase, Color, HorizontalBarChart, LineChart, Series, Symbol, THEME_LIGHT, YAxisConfig,
    compact_svg,
};

use super::plot::Plot;

/// Points this far apart have room for markers.
const MARKER_ROOM: f64 = 20.0;
/// charts-rs leaves this much of the room of a bar free, however large that is.
const FREE: f64 = 10.0;
const FEW_PIXELS: f64 = 4.0;
/// Wider bars look like blocks.
const BAR_MAX: f64 = 44.0;

pub(super) fn lines(plot: &Plot, series: &[Vec<Option<f64>>], looks: &[Look]) -> String {
    let marked = plot.column() >= MARKER_ROOM;
    let mut drawn = Vec::new();
    for (values, look) in series.iter().zip(looks) {
        let line = of(plot, values, *look);
        if !marked {
            // A line of one point is none: without markers it would not be seen.
            let alone = Series {
                symbol: Some(symbol(look.marker, 2.5, color(*look))),
                data: alone(&line.data),
                ..line.clone()
            };
            drawn.push(alone);
        }
        let symbol = match marked {
            true => symbol(look.marker, 3.0, BACKGROUND),
            false => Symbol::None,
        };
        drawn.push(Series {
            symbol: Some(symbol),
            stroke_dash_array: look.dash.map(ToOwned::to_owned),
            ..line
        });
    }
    let mut chart = LineChart::new_with_theme(drawn, vec![String::new(); plot.labels], THEME_LIGHT);
    prepare(&mut chart.base, &mut chart.y_axis_configs, plot, 1.0);
    chart.svg().map_or_else(|_| String::new(), |svg| cleaned(&svg))
}

pub(super) fn stacked_bars(plot: &Plot, series: &[Vec<Option<f64>>], looks: &[Look]) -> String {
    let column = plot.column();
    let stacked = series.iter().zip(looks).map(|(values, look)| Series {
        stack: Some("all".to_owned()),
        ..of(plot, values, *look)
    });
    let (before, after) = (beside("before", column), beside("after", column));
    let places = looks.iter().map(|look| Some(place(*look)));
    let places: Vec<_> = before.iter().map(|_| None).chain(places).collect();
    let drawn = before.into_iter().chain(stacked).chain(after).collect();
    let zoom = zoom(column);
    let mut chart = BarChart::new_with_theme(drawn, vec![String::new(); plot.labels], THEME_LIGHT);
    for (series, place) in chart.base.series_list.iter_mut().zip(places) {
        series.index = place;
    }
    prepare(&mut chart.base, &mut chart.y_axis_configs, plot, zoom);
    let svg = chart.svg().map_or_else(|_| String::new(), |svg| cleaned(&svg));
    zoomed(&parted(svg, column), zoom)
}

/// Stacks without values, which take their share of the room and so make the bars narrower.
fn beside(name: &str, column: f64) -> Vec<Series> {
    let stacks = ((column - FREE) / BAR_MAX / 2.0).max(0.0) as usize;
    let empty = |place: usize| Series {
        stack: Some(format!("{name} {place}")),
        ..Series::default()
    };
    (0..stacks).map(empty).collect()
}

pub(super) fn horizontal_bars(plot: &Plot, values: &[Option<f64>], look: Look) -> String {
    let mut drawn = of(plot, values, look);
    // It draws from the bottom up.
    drawn.data.reverse();
    let zoom = zoom(plot.row());
    let mut chart = HorizontalBarChart::new_with_theme(vec![drawn], vec![String::new(); plot.labels], THEME_LIGHT);
    prepare(&mut chart.base, &mut chart.y_axis_configs, plot, zoom);
    chart
        .svg()
        .map_or_else(|_| String::new(), |svg| zoomed(&cleaned(&svg), zoom))
}

/// Values as shares of the axis: no number is too large for the library's `f32` then.
fn of(plot: &Plot, values: &[Option<f64>], look: Look) -> Series {
    let share = |value: &Option<f64>| value.map(|value| (value / plot.highest) as f32);
    Series {
        data: values.iter().map(share).collect(),
        index: Some(place(look)),
        ..Series::default()
    }
}

/// Values without one before and after them.
fn alone(data: &[Option<f32>]) -> Vec<Option<f32>> {
    let is_some = |place: Option<usize>| place.and_then(|place| data.get(place)).is_some_and(Option::is_some);
    let lonely = |place: usize| !is_some(place.checked_sub(1)) && !is_some(place.checked_add(1));
    let kept = data
        .iter()
        .enumerate()
        .map(|(place, value)| value.filter(|_| lonely(place)));
    kept.collect()
}

/// The plot and nothing around it, drawn `zoom` times as large.
fn prepare(base: &mut ChartBase, axes: &mut Vec<YAxisConfig>, plot: &Plot, zoom: f64) {
    let zoomed = |length: f64| (length * zoom) as f32;
    base.width = zoomed(plot.sheet_width);
    base.height = zoomed(plot.sheet_height);
    base.margin = Margin {
        left: zoomed(plot.left),
        top: zoomed(plot.top),
        right: zoomed(plot.sheet_width - plot.right),
        bottom: zoomed(plot.sheet_height - plot.bottom),
    };
    base.background_color = Color::transparent();
    base.legend.show = Some(false);
    base.x_axis.hidden = true;
    base.y_axis_hidden = true;
    base.grid.stroke_width = 0.0;
    base.series.stroke_width = 2.0;
    base.series.colors = (0..6).map(series_color).collect();
    axes.truncate(1);
    for axis in axes {
        (axis.min, axis.max, axis.split_number) = (Some(0.0), Some(1.0), 1);
    }
}

/// How much larger bars are drawn and then shrunk, so that what the library leaves free is a third of their room, and next
/// to nothing between bars of a few pixels: there it would make stripes.
fn zoom(room: f64) -> f64 {
    let free = match room >= FEW_PIXELS {
        true => room * 0.3,
        false => room * 0.02,
    };
    // Coordinates have one decimal: much smaller, and bars would be out of place.
    (FREE / free.max(0.001)).max(0.4)
}

fn zoomed(svg: &str, zoom: f64) -> String {
    format!(r#"<g transform="scale({:.6})">{svg}</g>"#, 1.0 / zoom)
}

/// Bars upon each other with a line of the page's colour between them, where they are wide enough for it.
fn parted(svg: String, column: f64) -> String {
    match column >= 2.0 * FEW_PIXELS {
        true => svg.replace(
            r#"fill="var(--chart-"#,
            r#"stroke="var(--bg)" vector-effect="non-scaling-stroke" fill="var(--chart-"#,
        ),
        false => svg,
    }
}

fn symbol(marker: Marker, radius: f32, fill: Color) -> Symbol {
    let fill = Some(fill);
    match marker {
        Marker::Circle => Symbol::Circle(radius, fill),
        Marker::Square => Symbol::Rect(radius * 0.9, fill),
        Marker::Triangle => Symbol::Triangle(radius * 1.3, fill),
        Marker::Diamond => Symbol::Diamond(radius * 1.3, fill),
    }
}

/// Colours that stand for the page's, until [`cleaned`] puts those in.
const BACKGROUND: Color = Color {
    r: 0xE1,
    g: 0x07,
    b: 0xC9,
    a: 255,
};

fn series_color(place: u8) -> Color {
    Color {
        g: place + 1,
        ..BACKGROUND
    }
}

fn place(look: Look) -> usize {
    usize::from(look.color.max(1) - 1)
}

fn color(look: Look) -> Color {
    series_color(place(look) as u8)
}

/// What is inside of the library's document, in few bytes, in the page's colours and without the values in `data-`.
fn cleaned(svg: &str) -> String {
    let mut kept = String::with_capacity(svg.len());
    let mut parts = svg.split(" data-");
    kept.push_str(parts.next().unwrap_or_default());
    for part in parts {
        // `name="value"`; what is after the second quote goes on.
        kept.push_str(part.splitn(3, '"').nth(2).unwrap_or_default());
    }
    let compact = compact_svg(&kept);
    let inner = compact.split_once('>').map_or("", |(_, rest)| rest);
    let mut inner = inner.strip_suffix("</svg>").unwrap_or(inner).to_owned();
    inner = inner.replace(&BACKGROUND.hex(), "var(--bg)");
    for place in 0..6 {
        inner = inner.replace(&series_color(place).hex(), &format!("var(--chart-{})", place + 1));
    }
    inner
}
