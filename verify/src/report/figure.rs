//! A figure as data: panels, axes, what is drawn in them, and the table of exactly that.

use super::axis::Axis;

/// Red, green, blue.
pub type Rgb = [u8; 3];

/// Text and axes.
pub const INK: Rgb = [0x22, 0x22, 0x22];
/// Secondary text and guides that belong to no series.
pub const GREY: Rgb = [0x66, 0x66, 0x66];

/// The colours of Okabe and Ito (2008), which readers with any common colour blindness can tell apart; yellow is left
/// out, being too faint on white.
const OKABE_ITO: [Rgb; 7] = [
    [0xd5, 0x5e, 0x00],
    [0x00, 0x72, 0xb2],
    [0x00, 0x9e, 0x73],
    [0xcc, 0x79, 0xa7],
    [0xe6, 0x9f, 0x00],
    [0x56, 0xb4, 0xe9],
    [0x22, 0x22, 0x22],
];

/// The shape of a data point. Series differ in shape as well as in colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marker {
    /// A disc.
    Circle,
    /// A square on its side.
    Square,
    /// A triangle, point up.
    Triangle,
    /// A square on its corner.
    Diamond,
    /// A triangle, point down.
    Wedge,
    /// A five-pointed star.
    Star,
}

const MARKERS: [Marker; 6] =
    [Marker::Circle, Marker::Square, Marker::Triangle, Marker::Diamond, Marker::Wedge, Marker::Star];

/// How one series looks wherever it appears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Its colour.
    pub color: Rgb,
    /// Its marker.
    pub marker: Marker,
}

impl Look {
    /// An architecture's look: the same in every figure. `order` is its place among the architectures present, for
    /// those that are not among the three known ones.
    pub fn of_arch(arch: &str, order: usize) -> Self {
        let index = match arch {
            "fc" => 0,
            "resnet" => 1,
            "conv-resnet" => 2,
            _ => 3 + order % 4,
        };
        Self { color: OKABE_ITO[index], marker: MARKERS[index % MARKERS.len()] }
    }

    /// The look of the `index`-th of `count` values in order, such as depths: from dark blue over green to orange, which
    /// also brightens evenly in grey.
    pub fn graded(index: usize, count: usize) -> Self {
        const STOPS: [[f64; 3]; 4] =
            [[45.0, 30.0, 107.0], [31.0, 120.0, 156.0], [43.0, 166.0, 106.0], [224.0, 154.0, 0.0]];
        let place = if count > 1 { 3.0 * index as f64 / (count - 1) as f64 } else { 1.0 };
        let from = (place.floor() as usize).min(2);
        let part = place - from as f64;
        let mix = |c: usize| (STOPS[from][c] * (1.0 - part) + STOPS[from + 1][c] * part).round() as u8;
        Self { color: [mix(0), mix(1), mix(2)], marker: MARKERS[index % MARKERS.len()] }
    }
}

/// `color` mixed with white: the part that stays is `strength`.
pub fn tint(color: Rgb, strength: f64) -> Rgb {
    color.map(|c| (255.0 - (255.0 - f64::from(c)) * strength).round() as u8)
}

/// How a line is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stroke {
    /// Its colour.
    pub color: Rgb,
    /// Its breadth in pixels.
    pub breadth: f64,
    /// Lengths of dash and gap; solid when absent.
    pub dash: Option<[f64; 2]>,
}

impl Stroke {
    /// A solid line.
    pub fn solid(color: Rgb, breadth: f64) -> Self {
        Self { color, breadth, dash: None }
    }

    /// Dashes: what is not measured.
    pub fn dashed(color: Rgb, breadth: f64) -> Self {
        Self { color, breadth, dash: Some([5.0, 3.5]) }
    }

    /// Dots: what theory says.
    pub fn dotted(color: Rgb, breadth: f64) -> Self {
        Self { color, breadth, dash: Some([1.6, 3.0]) }
    }
}

/// A value with its interval, where it has one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Datum {
    /// Abscissa.
    pub x: f64,
    /// Ordinate.
    pub y: f64,
    /// Lower end of the interval.
    pub low: Option<f64>,
    /// Upper end of the interval.
    pub high: Option<f64>,
}

impl Datum {
    /// A value without an interval.
    pub fn bare(x: f64, y: f64) -> Self {
        Self { x, y, low: None, high: None }
    }
}

/// What an element looks like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Form {
    /// A line through the data.
    Line(Stroke),
    /// A marker at each datum, with a bar for its interval.
    Points {
        /// Shape and colour.
        look: Look,
        /// Filled, or an outline.
        filled: bool,
    },
    /// The area between the intervals' ends, from datum to datum.
    Band(Rgb),
    /// An arrow upwards from each datum: "at least this".
    Arrows {
        /// Shape and colour.
        look: Look,
    },
}

/// Something drawn in a panel.
#[derive(Clone, Debug, PartialEq)]
pub struct Element {
    /// The series it belongs to, for the data file.
    pub series: String,
    /// What it is: `measured`, `fit`, ..., for the data file; empty for a line that only joins what is listed already.
    pub role: &'static str,
    /// Its data.
    pub data: Vec<Datum>,
    /// Its look.
    pub form: Form,
    /// Pixels by which it is moved to the right, so that series with equal values stay apart.
    pub nudge: f64,
}

impl Element {
    /// A line.
    pub fn line(series: &str, role: &'static str, data: Vec<Datum>, stroke: Stroke) -> Self {
        Self { series: series.to_owned(), role, data, form: Form::Line(stroke), nudge: 0.0 }
    }

    /// Markers.
    pub fn points(series: &str, role: &'static str, data: Vec<Datum>, look: Look, filled: bool) -> Self {
        Self { series: series.to_owned(), role, data, form: Form::Points { look, filled }, nudge: 0.0 }
    }

    /// The area between the intervals' ends.
    pub fn band(series: &str, role: &'static str, data: Vec<Datum>, color: Rgb) -> Self {
        Self { series: series.to_owned(), role, data, form: Form::Band(color), nudge: 0.0 }
    }

    /// The same, moved to the right.
    pub fn nudged(self, nudge: f64) -> Self {
        Self { nudge, ..self }
    }
}

/// A sample in a legend.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// A line.
    pub line: Option<Stroke>,
    /// A marker, filled or hollow.
    pub marker: Option<(Look, bool)>,
    /// An arrow of this colour.
    pub arrow: Option<Rgb>,
}

impl Sample {
    /// A line.
    pub fn line(stroke: Stroke) -> Self {
        Self { line: Some(stroke), marker: None, arrow: None }
    }

    /// A marker.
    pub fn marker(look: Look, filled: bool) -> Self {
        Self { line: None, marker: Some((look, filled)), arrow: None }
    }

    /// A line with a marker on it.
    pub fn marked(stroke: Stroke, look: Look, filled: bool) -> Self {
        Self { line: Some(stroke), marker: Some((look, filled)), arrow: None }
    }

    /// An arrow.
    pub fn arrow(color: Rgb) -> Self {
        Self { line: None, marker: None, arrow: Some(color) }
    }
}

/// A line of a legend.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// What it looks like.
    pub sample: Sample,
    /// What it is.
    pub text: String,
}

impl Entry {
    /// An entry.
    pub fn new(sample: Sample, text: impl Into<String>) -> Self {
        Self { sample, text: text.into() }
    }
}

/// One pair of axes with its legend.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    /// What sets it apart from the other panels.
    pub title: String,
    /// Its name in the data file.
    pub id: String,
    /// Horizontal axis.
    pub x: Axis,
    /// Vertical axis.
    pub y: Axis,
    /// Drawn in this order.
    pub elements: Vec<Element>,
    /// Placed outside the axes.
    pub legend: Vec<Entry>,
}

/// A figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// File name without its ending.
    pub stem: String,
    /// Its heading.
    pub title: String,
    /// What was measured on what.
    pub subtitle: String,
    /// Side by side on a wide page, one under the other on a narrow one.
    pub panels: Vec<Panel>,
    /// How to read the marks; holds for all panels.
    pub key: Vec<Entry>,
    /// What it shows and what it does not, for the page.
    pub caption: String,
}

impl Figure {
    /// Shows a legend that all of several panels have only once, before the key.
    pub fn with_shared_legend(mut self) -> Self {
        if let [first, rest @ ..] = self.panels.as_mut_slice()
            && !rest.is_empty()
            && rest.iter().all(|panel| panel.legend == first.legend)
        {
            self.key.splice(0..0, std::mem::take(&mut first.legend));
            rest.iter_mut().for_each(|panel| panel.legend.clear());
        }
        self
    }

    /// Exactly what is drawn, one datum a line. The panels of a figure share the meaning of their axes.
    pub fn csv(&self) -> Result<Vec<u8>, csv::Error> {
        let mut table = csv::Writer::from_writer(Vec::new());
        let (x, y) = self.panels.first().map_or(("x", "y"), |panel| (panel.x.column, panel.y.column));
        table.write_record(["panel", "series", "element", x, y, "low", "high"])?;
        let optional = |value: Option<f64>| value.map(|v| v.to_string()).unwrap_or_default();
        for panel in &self.panels {
            for element in panel.elements.iter().filter(|element| !element.role.is_empty()) {
                for datum in &element.data {
                    let (x, y) = (datum.x.to_string(), datum.y.to_string());
                    let (low, high) = (optional(datum.low), optional(datum.high));
                    table.write_record([&panel.id, &element.series, element.role, &x, &y, &low, &high])?;
                }
            }
        }
        table.into_inner().map_err(|error| error.into_error().into())
    }
}
