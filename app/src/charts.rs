//! What a chart shows. The server draws it (charts-rs is too large for a browser); pages put it in with its table.

mod look;
mod unit;

pub use look::{Look, Marker};

/// A chart without any drawing in it.
#[derive(Debug, Clone, PartialEq)]
pub struct ChartSpec {
    pub kind: ChartKind,
    /// What it shows, for people who cannot see it.
    pub title: String,
    /// One a point, such as `14:00`.
    pub labels: Vec<String>,
    pub series: Vec<ChartSeries>,
    pub unit: Unit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChartKind {
    Lines,
    /// A bar a label, one series upon the other.
    StackedBars,
    /// The first series only; a bar a label, from the top down.
    HorizontalBars,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ChartSeries {
    pub name: String,
    /// One a label; `None` is a gap.
    pub values: Vec<Option<f64>>,
    /// 1 to 6: the custom property `--chart-n`, and with it dash and marker. Others count on from there, 7 is 1 again.
    pub color: u8,
}

/// All are 0 or more; a value that is not, or is no number, is a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Count,
    /// 0 to 100.
    Percent,
    Milliseconds,
}

/// How wide the place for a chart is; all are put into the page, and its style shows the one that fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChartWidth {
    /// A phone: 340 px.
    Narrow,
    /// Half a page: 480 px.
    Small,
    /// A tablet: 640 px.
    Medium,
    /// 860 px.
    Wide,
}

impl ChartWidth {
    pub const ALL: [Self; 4] = [Self::Narrow, Self::Small, Self::Medium, Self::Wide];
}

impl ChartSpec {
    /// Whether there is nothing to draw.
    pub fn is_empty(&self) -> bool {
        let mut values = self.series.iter().flat_map(|series| &series.values);
        !values.any(|value| value.is_some_and(|value| value > 0.0))
    }
}
