//! Draws a figure on any backend.

use anyhow::Result;
use plotters_backend::DrawingBackend;
use plotters_backend::text_anchor::HPos;

use super::axis::{Axis, Kind, Scale};
use super::canvas::{Area, Canvas, Spot};
use super::figure::{Datum, Element, Entry, Figure, Form, GREY, INK, Panel, Rgb, Sample, Stroke};
use super::layout::{Layout, PanelPlace, PlacedEntry, SAMPLE, TEXT_EM, TICK_EM, TITLE_EM, y_labels};

const GRID: Rgb = [0xe8, 0xe8, 0xe8];
const FRAME: Rgb = [0x55, 0x55, 0x55];
const RADIUS: f64 = 4.0;
const ARROW: f64 = 24.0;

/// Draws `figure` as `layout` places it.
pub fn figure<B: DrawingBackend>(canvas: &mut Canvas<'_, B>, figure: &Figure, layout: &Layout) -> Result<()> {
    for (line, y) in &layout.title {
        canvas.text(line, [layout.left, *y], HPos::Left, TITLE_EM, INK)?;
    }
    for (line, y) in &layout.subtitle {
        canvas.text(line, [layout.left, *y], HPos::Left, TEXT_EM, GREY)?;
    }
    for (panel, place) in figure.panels.iter().zip(&layout.panels) {
        self::panel(canvas, panel, place)?;
    }
    layout.key.iter().try_for_each(|entry| self::entry(canvas, entry))
}

fn panel<B: DrawingBackend>(canvas: &mut Canvas<'_, B>, panel: &Panel, place: &PanelPlace) -> Result<()> {
    for (line, y) in &place.title {
        canvas.text(line, [place.plot.x, *y], HPos::Left, TEXT_EM, INK)?;
    }
    axes(canvas, panel, place)?;
    let spots = Spots { x: &panel.x, y: &panel.y, area: place.plot };
    for element in &panel.elements {
        self::element(canvas, element, &spots)?;
    }
    place.legend.iter().try_for_each(|entry| self::entry(canvas, entry))
}

fn axes<B: DrawingBackend>(canvas: &mut Canvas<'_, B>, panel: &Panel, place: &PanelPlace) -> Result<()> {
    let Area { x, y, w, h } = place.plot;
    let thin = |color| Stroke::solid(color, 1.0);
    for tick in panel.y.ticks(y_labels(h)) {
        let at = y + h * (1.0 - panel.y.position(tick.at));
        if let Some(label) = &tick.label {
            canvas.line(&[[x, at], [x + w, at]], thin(GRID), None)?;
            canvas.text(label, [x - 9.0, at + 0.36 * TICK_EM], HPos::Right, TICK_EM, INK)?;
        }
        let length = if tick.label.is_some() { 5.0 } else { 2.5 };
        canvas.line(&[[x - length, at], [x, at]], thin(FRAME), None)?;
    }
    let room = match (panel.x.kind, panel.x.scale) {
        (Kind::Whole, _) => 24.0,
        (Kind::Real, Scale::Log) => 34.0,
        (Kind::Real, Scale::Linear) => 46.0,
    };
    for tick in panel.x.ticks((w / room) as usize) {
        let at = x + w * panel.x.position(tick.at);
        let length = if tick.label.is_some() { 5.0 } else { 2.5 };
        canvas.line(&[[at, y + h], [at, y + h + length]], thin(FRAME), None)?;
        if let Some(label) = &tick.label {
            canvas.text(label, [at, y + h + 7.0 + TICK_EM], HPos::Center, TICK_EM, INK)?;
        }
    }
    canvas.line(&[[x, y], [x, y + h], [x + w, y + h]], thin(FRAME), None)?;
    canvas.text(&panel.x.title, [x + w / 2.0, y + h + 36.0], HPos::Center, TEXT_EM, INK)?;
    canvas.text_upward(&panel.y.title, [place.y_title, y + h / 2.0], TEXT_EM, INK)
}

/// Where data lies in a plot.
struct Spots<'a> {
    x: &'a Axis,
    y: &'a Axis,
    area: Area,
}

impl Spots<'_> {
    fn height(&self, value: f64) -> f64 {
        self.area.y + self.area.h * (1.0 - self.y.position(value))
    }

    fn spot(&self, datum: &Datum, nudge: f64) -> Option<Spot> {
        let shown = self.x.shows(datum.x) && self.y.shows(datum.y);
        shown.then(|| [self.area.x + self.area.w * self.x.position(datum.x) + nudge, self.height(datum.y)])
    }
}

fn element<B: DrawingBackend>(canvas: &mut Canvas<'_, B>, element: &Element, spots: &Spots<'_>) -> Result<()> {
    let placed = element.data.iter().filter_map(|datum| Some((datum, spots.spot(datum, element.nudge)?)));
    match element.form {
        Form::Line(stroke) => {
            let path: Vec<Spot> = placed.map(|(_, spot)| spot).collect();
            canvas.line(&path, stroke, Some(spots.area))
        }
        Form::Band(color) => {
            let placed: Vec<(&Datum, Spot)> = placed.collect();
            placed.windows(2).try_for_each(|pair| band(canvas, [pair[0], pair[1]], color, spots))
        }
        Form::Points { look, filled } => {
            let placed: Vec<(&Datum, Spot)> = placed.collect();
            for (datum, spot) in &placed {
                bar(canvas, datum, *spot, look.color, spots)?;
            }
            placed.iter().try_for_each(|(_, spot)| canvas.marker(*spot, RADIUS, look, filled))
        }
        Form::Arrows { look } => {
            placed.map(|(_, spot)| spot).collect::<Vec<Spot>>().into_iter().try_for_each(|spot| {
                // The arrow's head stays inside the axes.
                let length = ARROW.min(spot[1] - spots.area.y).max(10.0);
                canvas.arrow(spot, length, look.color)
            })
        }
    }
}

/// The area between the intervals of two neighbours.
fn band<B: DrawingBackend>(
    canvas: &mut Canvas<'_, B>,
    pair: [(&Datum, Spot); 2],
    color: Rgb,
    spots: &Spots<'_>,
) -> Result<()> {
    let height = |value: Option<f64>, at: f64| {
        value.filter(|&value| spots.y.shows(value)).map_or(at, |value| spots.height(value))
    };
    let [(first, [x0, y0]), (second, [x1, y1])] = pair;
    let corners = [
        [x0, height(first.low, y0)],
        [x1, height(second.low, y1)],
        [x1, height(second.high, y1)],
        [x0, height(first.high, y0)],
    ];
    canvas.clipped_polygon(&corners, spots.area, color)
}

/// The bar of an interval; an end that is not known has no cap.
fn bar<B: DrawingBackend>(
    canvas: &mut Canvas<'_, B>,
    datum: &Datum,
    [x, y]: Spot,
    color: Rgb,
    spots: &Spots<'_>,
) -> Result<()> {
    for end in [datum.low, datum.high].into_iter().flatten().filter(|&end| spots.y.shows(end)) {
        let at = spots.height(end);
        let stroke = Stroke::solid(color, 1.2);
        canvas.line(&[[x, y], [x, at]], stroke, Some(spots.area))?;
        canvas.line(&[[x - 3.5, at], [x + 3.5, at]], stroke, Some(spots.area))?;
    }
    Ok(())
}

fn entry<B: DrawingBackend>(canvas: &mut Canvas<'_, B>, placed: &PlacedEntry) -> Result<()> {
    let Entry { sample, .. } = &placed.entry;
    self::sample(canvas, sample, [placed.x, placed.y - 0.36 * TEXT_EM])?;
    for (i, line) in placed.lines.iter().enumerate() {
        canvas.text(line, [placed.x + SAMPLE + 8.0, placed.baseline(i)], HPos::Left, TEXT_EM, INK)?;
    }
    Ok(())
}

fn sample<B: DrawingBackend>(canvas: &mut Canvas<'_, B>, sample: &Sample, [x, y]: Spot) -> Result<()> {
    let middle = x + SAMPLE / 2.0;
    if let Some(stroke) = sample.line {
        canvas.line(&[[x, y], [x + SAMPLE, y]], stroke, None)?;
    }
    if let Some((look, filled)) = sample.marker {
        canvas.marker([middle, y], RADIUS, look, filled)?;
    }
    if let Some(color) = sample.arrow {
        canvas.arrow([middle, y + 7.0], 15.0, color)?;
    }
    Ok(())
}
