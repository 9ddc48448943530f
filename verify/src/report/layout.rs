//! Where the parts of a figure go: measured text, so that nothing overlaps and nothing is cut off.

use super::canvas::Area;
use super::figure::{Entry, Figure, Panel};
use super::lettering::{breadth, wrap};

/// Ems in nominal pixels.
pub const TITLE_EM: f64 = 15.0;
/// Subtitle, legends and axis titles.
pub const TEXT_EM: f64 = 11.5;
/// Tick labels.
pub const TICK_EM: f64 = 11.0;
/// Breadth of the sample before a legend's text.
pub const SAMPLE: f64 = 30.0;

const LEADING: f64 = 15.5;
const ENTRY_GAP: f64 = 4.0;
const MARGIN: f64 = 14.0;
const COLUMN_GAP: f64 = 26.0;

/// The shape of the page that a figure is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Panels side by side.
    Wide,
    /// Panels one under the other, for a phone.
    Narrow,
}

impl Format {
    /// Breadth in nominal pixels.
    pub fn breadth(self) -> f64 {
        match self {
            Format::Wide => 820.0,
            Format::Narrow => 380.0,
        }
    }
}

/// A legend's entry with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct PlacedEntry {
    /// The entry.
    pub entry: Entry,
    /// Left end of the sample.
    pub x: f64,
    /// Baseline of the first line.
    pub y: f64,
    /// The text, broken into lines.
    pub lines: Vec<String>,
}

impl PlacedEntry {
    /// Baseline of a line of its text.
    pub fn baseline(&self, line: usize) -> f64 {
        self.y + line as f64 * LEADING
    }
}

/// Lines of text with their baselines.
pub type Placed = Vec<(String, f64)>;

/// A panel's places.
#[derive(Clone, Debug, PartialEq)]
pub struct PanelPlace {
    /// Title lines.
    pub title: Placed,
    /// Inside of the axes.
    pub plot: Area,
    /// Baseline of the vertical axis title (read upwards).
    pub y_title: f64,
    /// The legend.
    pub legend: Vec<PlacedEntry>,
}

/// A figure's places.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    /// Total size.
    pub size: [f64; 2],
    /// Title lines.
    pub title: Placed,
    /// Subtitle lines.
    pub subtitle: Placed,
    /// Left end of both.
    pub left: f64,
    /// The panels in order.
    pub panels: Vec<PanelPlace>,
    /// The key.
    pub key: Vec<PlacedEntry>,
}

impl Layout {
    /// Places everything.
    pub fn new(figure: &Figure, format: Format) -> Self {
        let full = format.breadth();
        let inner = full - 2.0 * MARGIN;
        let mut y = MARGIN + TITLE_EM * 0.8;
        let title = stack(&figure.title, TITLE_EM, inner, &mut y);
        let subtitle = stack(&figure.subtitle, TEXT_EM, inner, &mut y);
        y += 2.0;

        let columns = if format == Format::Narrow { 1 } else { figure.panels.len().min(3) };
        let beside = format == Format::Wide && figure.panels.len() == 1;
        let column = (inner - COLUMN_GAP * (columns.max(1) - 1) as f64) / columns.max(1) as f64;
        let mut panels = Vec::new();
        for row in figure.panels.chunks(columns.max(1)) {
            // Panels of a row start and end their axes at the same heights, whatever the lengths of their titles.
            let titles: Vec<Vec<String>> = row.iter().map(|panel| title_lines(&panel.title, column)).collect();
            let most_lines = titles.iter().map(Vec::len).max().unwrap_or(0) as f64;
            let mut bottom = y;
            for (i, (panel, title)) in row.iter().zip(titles).enumerate() {
                let at = [MARGIN + i as f64 * (column + COLUMN_GAP), y];
                let shape =
                    Shape { column, title_height: most_lines * LEADING, height: height(columns, beside), beside };
                let (place, end) = place_panel(panel, title, at, &shape);
                bottom = bottom.max(end);
                panels.push(place);
            }
            y = bottom + 14.0;
        }
        let (key, bottom) = place_key(&figure.key, MARGIN, y, inner);
        Self { size: [full, bottom + MARGIN - 6.0], title, subtitle, left: MARGIN, panels, key }
    }
}

fn title_lines(title: &str, most: f64) -> Vec<String> {
    if title.is_empty() { Vec::new() } else { wrap(title, TEXT_EM, most) }
}

/// What the panels of one row have in common.
struct Shape {
    column: f64,
    title_height: f64,
    height: f64,
    beside: bool,
}

fn height(columns: usize, beside: bool) -> f64 {
    match (columns, beside) {
        (_, true) => 340.0,
        (3, _) => 250.0,
        (2, _) => 300.0,
        _ => 270.0,
    }
}

fn stack(text: &str, em: f64, most: f64, y: &mut f64) -> Placed {
    let lines = wrap(text, em, most);
    let placed = lines.into_iter().enumerate().map(|(i, line)| (line, *y + i as f64 * em * 1.35)).collect::<Placed>();
    *y += placed.len() as f64 * em * 1.35 + 2.0;
    placed
}

/// Places a panel with its top left corner at `at`; also gives where it ends.
fn place_panel(panel: &Panel, title: Vec<String>, at: [f64; 2], shape: &Shape) -> (PanelPlace, f64) {
    let [left, top] = at;
    let title = title.into_iter().enumerate().map(|(i, line)| (line, top + 11.0 + i as f64 * LEADING)).collect();
    let labels = panel.y.ticks(y_labels(shape.height)).into_iter().filter_map(|tick| tick.label);
    let label_breadth = labels.map(|label| breadth(&label, TICK_EM)).fold(0.0, f64::max);
    let y_title = left + TEXT_EM;
    let plot_left = y_title + 8.0 + label_breadth + 9.0;

    let legend_breadth = if shape.beside && !panel.legend.is_empty() { 250.0 } else { 0.0 };
    let right = left + shape.column - legend_breadth - if shape.beside { 24.0 } else { 6.0 };
    let plot = Area { x: plot_left, y: top + shape.title_height + 8.0, w: right - plot_left, h: shape.height };
    let axis_end = plot.y + plot.h + 40.0;
    let (legend, end) = if shape.beside {
        let x = left + shape.column - legend_breadth;
        place_legend(&panel.legend, x, plot.y + 12.0, legend_breadth)
    } else {
        place_legend(&panel.legend, left, axis_end + 16.0, shape.column)
    };
    (PanelPlace { title, plot, y_title, legend }, end.max(axis_end))
}

/// How many labels a vertical axis has room for.
pub fn y_labels(height: f64) -> usize {
    (height / 26.0) as usize
}

fn place_legend(entries: &[Entry], x: f64, top: f64, most: f64) -> (Vec<PlacedEntry>, f64) {
    let mut y = top;
    let mut placed = Vec::new();
    for entry in entries {
        let lines = wrap(&entry.text, TEXT_EM, most - SAMPLE - 8.0);
        let height = lines.len() as f64 * LEADING + ENTRY_GAP;
        placed.push(PlacedEntry { entry: entry.clone(), x, y, lines });
        y += height;
    }
    (placed, if entries.is_empty() { top - 16.0 } else { y - LEADING + 6.0 })
}

/// Entries in a row, wrapped like words.
fn place_key(entries: &[Entry], left: f64, top: f64, most: f64) -> (Vec<PlacedEntry>, f64) {
    if entries.is_empty() {
        return (Vec::new(), top);
    }
    let (mut x, mut y) = (left, top + 12.0);
    let mut placed = Vec::new();
    for entry in entries {
        let lines = wrap(&entry.text, TEXT_EM, most - SAMPLE - 8.0);
        let needed = SAMPLE + 8.0 + lines.iter().map(|line| breadth(line, TEXT_EM)).fold(0.0, f64::max);
        if x > left && x + needed > left + most {
            (x, y) = (left, y + LEADING + ENTRY_GAP);
        }
        let extra = (lines.len() - 1) as f64 * LEADING;
        placed.push(PlacedEntry { entry: entry.clone(), x, y, lines });
        x += needed + 20.0;
        if extra > 0.0 {
            (x, y) = (left + most, y + extra);
        }
    }
    (placed, y + 8.0)
}
