use app::charts::{ChartSeries, Unit};

use super::*;

const KINDS: [ChartKind; 3] = [ChartKind::Lines, ChartKind::StackedBars, ChartKind::HorizontalBars];

fn series(name: &str, color: u8, values: Vec<Option<f64>>) -> ChartSeries {
    ChartSeries {
        name: name.to_owned(),
        values,
        color,
    }
}

fn spec(kind: ChartKind, labels: Vec<String>, series: Vec<ChartSeries>) -> ChartSpec {
    ChartSpec {
        kind,
        title: "Requests".to_owned(),
        labels,
        series,
        unit: Unit::Count,
    }
}

fn hours(count: usize) -> Vec<String> {
    (0..count).map(|hour| format!("{:02}:00", hour % 24)).collect()
}

/// Three series of so many hours, none of them zero.
fn day(kind: ChartKind, count: usize) -> ChartSpec {
    let values = |factor: usize| (0..count).map(|hour| Some((hour % 24 * factor + 1) as f64)).collect();
    let drawn = (1..=3).map(|key| series(&format!("Key {key}"), key as u8, values(key)));
    spec(kind, hours(count), drawn.collect())
}

fn texts(svg: &str) -> Vec<&str> {
    let parts = svg.split("<text").skip(1);
    parts
        .filter_map(|part| part.split_once('>')?.1.split_once("</text>"))
        .map(|(text, _)| text)
        .collect()
}

/// What every drawing is: one closed document of its size, in the page's colours alone, with numbers for coordinates.
fn check(spec: &ChartSpec, width: ChartWidth) -> String {
    let svg = draw(spec, width);
    assert_eq!(svg, draw(spec, width), "the same each time");
    let wide = match width {
        ChartWidth::Narrow => 340,
        ChartWidth::Small => 480,
        ChartWidth::Medium => 640,
        ChartWidth::Wide => 860,
    };
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>"), "{svg}");
    assert!(svg.contains(&format!(r#" width="{wide}" height=""#)), "{svg}");
    assert!(svg.contains(&format!(r#" viewBox="0 0 {wide} "#)), "{svg}");
    assert!(svg.contains(r#" role="img" aria-label=""#), "{svg}");
    for unwanted in [
        "style", "<script", "class=", " id=", " data-", "NaN", "inf", "#", "<title", " on",
    ] {
        assert!(!svg.contains(unwanted), "{unwanted} in {svg}");
    }
    for tag in ["svg", "g", "text"] {
        let opened = svg.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, svg.matches(&format!("</{tag}>")).count(), "{tag} in {svg}");
    }
    svg
}

#[test]
fn every_kind_is_drawn_at_every_width_in_the_colours_of_the_page() {
    for kind in KINDS {
        for width in ChartWidth::ALL {
            let svg = check(&day(kind, 24), width);
            let series = if kind == ChartKind::HorizontalBars { 1 } else { 3 };
            for color in 1..=3 {
                let drawn = svg.contains(&format!("var(--chart-{color})"));
                assert_eq!(drawn, color <= series, "{kind:?} {width:?} {color}: {svg}");
            }
        }
    }
}

#[test]
fn nothing_that_can_be_asked_for_makes_it_panic() {
    let odd = [
        None,
        Some(f64::NAN),
        Some(f64::INFINITY),
        Some(f64::NEG_INFINITY),
        Some(-3.0),
        Some(5.0),
    ];
    let many = |count: usize, value: f64| vec![Some(value); count];
    for kind in KINDS {
        for unit in [Unit::Count, Unit::Percent, Unit::Milliseconds] {
            let specs = [
                spec(kind, Vec::new(), Vec::new()),
                spec(kind, hours(3), Vec::new()),
                spec(kind, Vec::new(), vec![series("a", 1, many(3, 1.0))]),
                spec(kind, hours(24), vec![series("a", 1, many(24, 0.0))]),
                spec(kind, hours(1), vec![series("a", 1, many(1, 1.0))]),
                spec(
                    kind,
                    hours(6),
                    vec![series("a", 1, odd.to_vec()), series("b", 2, many(2, 1.0))],
                ),
                spec(kind, hours(2), vec![series("a", 1, many(9, 1.0))]),
                spec(
                    kind,
                    hours(5),
                    vec![series("a", 0, many(5, f64::MAX)), series("b", 255, many(5, f64::MAX))],
                ),
                spec(kind, hours(5), vec![series("a", 1, many(5, f64::MIN_POSITIVE))]),
                day(kind, 800),
                spec(
                    kind,
                    hours(9),
                    (0..20)
                        .map(|place| series("a", place, many(9, f64::from(place))))
                        .collect(),
                ),
                spec(
                    kind,
                    vec!["long ".repeat(10_000); 4],
                    vec![series("a", 1, many(4, 1.0))],
                ),
            ];
            for spec in specs {
                for width in ChartWidth::ALL {
                    check(&ChartSpec { unit, ..spec.clone() }, width);
                }
            }
        }
    }
}

#[test]
fn a_drawing_of_a_month_of_hours_stays_small() {
    for kind in KINDS {
        let bytes = draw(&day(kind, 720), ChartWidth::Wide).len();
        assert!(bytes < 100_000, "{kind:?}: {bytes}");
    }
}

#[test]
fn words_are_never_markup() {
    for kind in KINDS {
        let hostile = r#"<script>alert("1")</script>&"#;
        let mut spec = spec(
            kind,
            vec![hostile.to_owned(); 2],
            vec![series(hostile, 1, vec![Some(1.0); 2])],
        );
        spec.title = format!("{hostile}\" onload=\"x");
        let svg = draw(&spec, ChartWidth::Wide);
        assert!(!svg.contains("<script") && !svg.contains("\" onload"), "{svg}");
        assert!(
            svg.contains("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;"),
            "{svg}"
        );
    }
}

#[test]
fn words_of_the_horizontal_axis_do_not_touch_nor_leave_the_sheet() {
    for (width, sheet, font) in [
        (ChartWidth::Narrow, 340.0, 14.0),
        (ChartWidth::Small, 480.0, 13.0),
        (ChartWidth::Medium, 640.0, 13.0),
        (ChartWidth::Wide, 860.0, 12.0),
    ] {
        for count in [1, 2, 7, 24, 31, 96, 720, 800] {
            for label in ["14:00", "28 Nov, 14:00", "gemini-2.5-flash-lite"] {
                let svg = draw(
                    &spec(ChartKind::Lines, vec![label.to_owned(); count], Vec::new()),
                    width,
                );
                let axis = svg.split(r#"text-anchor="middle">"#).nth(1).unwrap();
                let mut end = 0.0;
                for part in axis.split("<text x=\"").skip(1) {
                    let middle: f64 = part.split_once('"').unwrap().0.parse().unwrap();
                    let text = part.split_once('>').unwrap().1.split_once('<').unwrap().0;
                    let half = words::width(text, font) / 2.0;
                    assert!(
                        middle - half >= end - 0.1 && middle + half <= sheet + 0.1,
                        "{count} {label}: {svg}"
                    );
                    end = middle + half;
                }
                assert!(end > 0.0, "at least one is written: {svg}");
            }
        }
    }
}

#[test]
fn a_phone_has_fewer_words_than_a_page() {
    let on = |width| texts(&draw(&day(ChartKind::Lines, 24), width)).len();
    let words = ChartWidth::ALL.map(on);
    assert!(words.is_sorted() && words[0] < words[3], "{words:?}");
}

#[test]
fn the_value_axis_counts_in_its_unit() {
    let check = |unit, highest, numbers: &[&str]| {
        let mut spec = spec(
            ChartKind::Lines,
            hours(2),
            vec![series("a", 1, vec![Some(highest), None])],
        );
        spec.unit = unit;
        let svg = draw(&spec, ChartWidth::Narrow);
        assert_eq!(&texts(&svg)[..numbers.len()], numbers, "{svg}");
    };
    check(Unit::Count, 4_700.0, &["0", "2k", "4k", "6k"]);
    check(Unit::Percent, 95.0, &["0 %", "25 %", "50 %", "75 %", "100 %"]);
    check(Unit::Milliseconds, 1_900.0, &["0", "500 ms", "1 s", "1.5 s", "2 s"]);
}

#[test]
fn a_gap_parts_a_line_and_a_point_alone_is_seen() {
    let at = |values: &[Option<f64>]| {
        let mut values = values.to_vec();
        values.resize(60, None);
        let spec = spec(ChartKind::Lines, hours(60), vec![series("a", 2, values)]);
        draw(&spec, ChartWidth::Narrow)
    };
    // Paths in the colour of the series, and of how many pieces each is.
    let pieces = |values: &[Option<f64>]| {
        let svg = at(values);
        let paths = svg
            .split("<path d=\"")
            .skip(1)
            .filter(|path| path.contains("var(--chart-2)"));
        paths
            .map(|path| path.split('"').next().unwrap().matches(['M', 'm']).count())
            .sum::<usize>()
    };
    assert_eq!(pieces(&[Some(1.0), Some(2.0), Some(3.0), Some(2.0)]), 1);
    assert_eq!(pieces(&[Some(1.0), Some(2.0), None, Some(2.0), Some(1.0)]), 2);
    let (alone, joined) = (at(&[None, Some(3.0)]), at(&[Some(3.0), Some(3.0)]));
    let dot = r#"fill="var(--chart-2)""#;
    assert!(alone.contains(dot) && !joined.contains(dot), "{alone}");
}

#[test]
fn lines_differ_by_their_dashes_and_where_there_is_room_by_their_markers() {
    let svg = draw(&day(ChartKind::Lines, 7), ChartWidth::Wide);
    for look in &day(ChartKind::Lines, 7).looks()[1..] {
        assert!(
            svg.contains(&format!(r#"stroke-dasharray="{}""#, look.dash.unwrap())),
            "{svg}"
        );
    }
    assert!(
        svg.contains("var(--bg)"),
        "markers are filled with the page's colour: {svg}"
    );
    assert!(!draw(&day(ChartKind::Lines, 240), ChartWidth::Wide).contains("var(--bg)"));
}

#[test]
fn horizontal_bars_are_named_from_the_top_down_with_their_values() {
    let names = [
        "Day quota",
        "Timeout",
        "A name that is much too long to stand beside its bar",
    ];
    let values = vec![Some(1_204.0), Some(17.0), None];
    let spec = spec(
        ChartKind::HorizontalBars,
        names.map(ToOwned::to_owned).to_vec(),
        vec![series("Errors", 1, values)],
    );
    let svg = check(&spec, ChartWidth::Narrow);
    let texts = texts(&svg);
    assert_eq!((texts[0], texts[1]), ("Day quota", "Timeout"));
    assert!(
        texts[2].starts_with("A name that") && texts[2].ends_with('…'),
        "{texts:?}"
    );
    assert_eq!(texts[3..], ["1,204", "17"]);
    let heights: Vec<f64> = svg
        .split(" y=\"")
        .skip(1)
        .map(|part| part.split_once('"').unwrap().0.parse().unwrap())
        .collect();
    assert!(heights[..3].is_sorted(), "{svg}");
}

#[test]
fn small_drawings_of_each_kind_stay_as_they_are() {
    for kind in KINDS {
        let mut spec = day(kind, 3);
        spec.series.truncate(2);
        let svg = draw(&spec, ChartWidth::Narrow).replace('>', ">\n");
        insta::assert_snapshot!(format!("{kind:?}"), svg);
    }
}
