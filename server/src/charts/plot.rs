use app::charts::{ChartKind, ChartSpec, ChartWidth};

/// The whole drawing.
pub(super) struct Sheet {
    pub(super) width: f64,
    pub(super) height: f64,
    /// Size of its words. A drawing is as wide as its place: from about 270 px on for a phone's, then from 416, 592 and 792.
    /// Words are never smaller than 11 px there, nor larger than 17. `style/charts.css` has these widths.
    pub(super) font: f64,
    pub(super) intervals_max: u32,
}

/// Room for a row of horizontal bars; many rows share the height that 20 have.
const ROW: f64 = 34.0;
const ROWS_HEIGHT_MAX: f64 = 20.0 * ROW;
/// Between the words of an axis and the plot.
const GAP: f64 = 8.0;

impl Sheet {
    pub(super) fn new(spec: &ChartSpec, width: ChartWidth) -> Self {
        let (width, height, font, intervals_max) = match width {
            ChartWidth::Narrow => (340.0, 220.0, 14.0, 4),
            ChartWidth::Small => (480.0, 250.0, 13.0, 5),
            ChartWidth::Medium => (640.0, 270.0, 13.0, 5),
            ChartWidth::Wide => (860.0, 280.0, 12.0, 5),
        };
        let height = match spec.kind {
            ChartKind::Lines | ChartKind::StackedBars => height,
            ChartKind::HorizontalBars => (spec.labels.len().max(1) as f64 * ROW).min(ROWS_HEIGHT_MAX).round(),
        };
        Self {
            width,
            height,
            font,
            intervals_max,
        }
    }
}

/// Where values are drawn: edges on the sheet, and what they stand for.
pub(super) struct Plot {
    pub(super) sheet_width: f64,
    pub(super) sheet_height: f64,
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
    /// The value at the end of the axis; above zero.
    pub(super) highest: f64,
    pub(super) labels: usize,
}

impl Plot {
    pub(super) fn upright(sheet: &Sheet, numbers_width: f64, highest: f64, labels: usize) -> Self {
        Self {
            sheet_width: sheet.width,
            sheet_height: sheet.height,
            left: (numbers_width + GAP).ceil(),
            right: sheet.width - 4.0,
            // Half of the uppermost number, and half of the line on the edges: those are one pixel wide, and sharp.
            top: (sheet.font / 2.0).ceil() + 0.5,
            bottom: sheet.height - (sheet.font + GAP + 4.0).ceil() + 0.5,
            highest,
            labels,
        }
    }

    pub(super) fn lying(sheet: &Sheet, names_width: f64, said_width: f64, highest: f64, labels: usize) -> Self {
        Self {
            sheet_width: sheet.width,
            sheet_height: sheet.height,
            left: (names_width + GAP).ceil() + 0.5,
            right: sheet.width - (said_width + GAP).ceil(),
            top: 0.0,
            bottom: sheet.height,
            highest: if highest > 0.0 { highest } else { 1.0 },
            labels,
        }
    }

    pub(super) fn width(&self) -> f64 {
        self.right - self.left
    }

    pub(super) fn height(&self) -> f64 {
        self.bottom - self.top
    }

    /// Room for a label across.
    pub(super) fn column(&self) -> f64 {
        self.width() / self.labels.max(1) as f64
    }

    /// Room for a label downwards.
    pub(super) fn row(&self) -> f64 {
        self.height() / self.labels.max(1) as f64
    }
}
