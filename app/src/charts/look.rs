use super::ChartSpec;

/// What tells one series from another: never the colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// 1 to 6: the custom property `--chart-n`.
    pub color: u8,
    /// As `stroke-dasharray` takes it; `None` is a line without gaps.
    pub dash: Option<&'static str>,
    pub marker: Marker,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marker {
    Circle,
    Square,
    Triangle,
    Diamond,
}

const DASHES: [Option<&str>; 6] = [
    None,
    Some("7 4"),
    Some("2 3"),
    Some("10 3 2 3"),
    Some("14 4"),
    Some("5 3 2 3 2 3"),
];
const MARKERS: [Marker; 4] = [Marker::Circle, Marker::Square, Marker::Triangle, Marker::Diamond];

impl ChartSpec {
    /// One a series. Where a colour comes again, its dash and marker are others.
    pub fn looks(&self) -> Vec<Look> {
        let places = self
            .series
            .iter()
            .map(|series| usize::from(series.color.max(1) - 1) % 6);
        let mut seen = [0_usize; 6];
        places
            .map(|place| {
                let again = seen[place];
                seen[place] += 1;
                Look {
                    color: place as u8 + 1,
                    dash: DASHES[(place + again) % DASHES.len()],
                    marker: MARKERS[(place + again) % MARKERS.len()],
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::charts::{ChartKind, ChartSeries, Unit};

    fn looks(colors: &[u8]) -> Vec<Look> {
        let series = |color: &u8| ChartSeries {
            name: String::new(),
            values: Vec::new(),
            color: *color,
        };
        let spec = ChartSpec {
            kind: ChartKind::Lines,
            title: String::new(),
            labels: Vec::new(),
            series: colors.iter().map(series).collect(),
            unit: Unit::Count,
        };
        spec.looks()
    }

    #[test]
    fn no_two_of_two_dozen_series_look_the_same() {
        let colors: Vec<u8> = (1..=24).collect();
        let looks = looks(&colors);
        for (place, look) in looks.iter().enumerate() {
            assert!((1..=6).contains(&look.color), "{look:?}");
            assert!(!looks[..place].contains(look), "{look:?} comes twice");
        }
    }

    #[test]
    fn a_colour_keeps_its_dash_wherever_its_series_stands() {
        assert_eq!(looks(&[3, 1])[0], looks(&[1, 2, 3])[2]);
        assert_eq!(looks(&[0])[0].color, 1);
        assert_eq!(looks(&[255])[0].color, 3);
    }
}
