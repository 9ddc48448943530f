//! Drawing in nominal pixels on any plotters backend.

use anyhow::{Result, anyhow};
use plotters::style::{RGBColor, ShapeStyle};
use plotters_backend::DrawingBackend;
use plotters_backend::text_anchor::HPos;

use super::figure::{Look, Marker, Rgb, Stroke};
use super::lettering::{BASELINE, Lettering};

/// A point in nominal pixels, y downwards.
pub type Spot = [f64; 2];

/// A rectangle in nominal pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    /// Left.
    pub x: f64,
    /// Top.
    pub y: f64,
    /// Breadth.
    pub w: f64,
    /// Height.
    pub h: f64,
}

/// A backend of which `scale` pixels make one nominal pixel: backends take whole pixels only, so a finer grid is what
/// makes curves smooth.
pub struct Canvas<'a, B: DrawingBackend> {
    backend: &'a mut B,
    scale: f64,
}

impl<'a, B: DrawingBackend> Canvas<'a, B> {
    /// Draws on `backend`.
    pub fn new(backend: &'a mut B, scale: f64) -> Self {
        Self { backend, scale }
    }

    fn pixel(&self, [x, y]: Spot) -> (i32, i32) {
        ((x * self.scale).round() as i32, (y * self.scale).round() as i32)
    }

    /// Text with its baseline at `y`, its `anchor` end (of a text read upwards: along y) at the spot.
    pub fn text(&mut self, text: &str, [x, y]: Spot, anchor: HPos, em: f64, color: Rgb) -> Result<()> {
        let at = self.pixel([x, y - BASELINE * em]);
        let style = Lettering { em: em * self.scale, color, anchor, upward: false };
        self.backend.draw_text(text, &style, at).map_err(|error| anyhow!("{error}"))
    }

    /// Text that reads upwards, centred on the spot's y, its baseline at x.
    pub fn text_upward(&mut self, text: &str, [x, y]: Spot, em: f64, color: Rgb) -> Result<()> {
        let at = self.pixel([x - BASELINE * em, y]);
        let style = Lettering { em: em * self.scale, color, anchor: HPos::Center, upward: true };
        self.backend.draw_text(text, &style, at).map_err(|error| anyhow!("{error}"))
    }

    /// The part of a filled polygon that lies in `clip`.
    pub fn clipped_polygon(&mut self, corners: &[Spot], clip: Area, color: Rgb) -> Result<()> {
        let corners = inside(corners, clip);
        if corners.len() < 3 { Ok(()) } else { self.polygon(&corners, color) }
    }

    /// A filled polygon.
    pub fn polygon(&mut self, corners: &[Spot], color: Rgb) -> Result<()> {
        let corners: Vec<(i32, i32)> = corners.iter().map(|&corner| self.pixel(corner)).collect();
        self.backend.fill_polygon(corners, &solid(color, 1)).map_err(|error| anyhow!("{error}"))
    }

    /// A polyline, cut off at `clip` if given.
    pub fn line(&mut self, path: &[Spot], stroke: Stroke, clip: Option<Area>) -> Result<()> {
        let style = solid(stroke.color, ((stroke.breadth * self.scale).round() as u32).max(1));
        for piece in dashed(&clipped(path, clip), stroke.dash) {
            let mut points: Vec<(i32, i32)> = piece.iter().map(|&spot| self.pixel(spot)).collect();
            points.dedup();
            if points.len() > 1 {
                self.backend.draw_path(points, &style).map_err(|error| anyhow!("{error}"))?;
            }
        }
        Ok(())
    }

    /// A marker of `radius`, filled or hollow, with a white rim that sets it off from lines.
    pub fn marker(&mut self, at: Spot, radius: f64, look: Look, filled: bool) -> Result<()> {
        const WHITE: Rgb = [255; 3];
        self.polygon(&outline(look.marker, at, radius + 0.7), WHITE)?;
        self.polygon(&outline(look.marker, at, radius), look.color)?;
        if !filled {
            self.polygon(&outline(look.marker, at, radius - inset(look.marker)), WHITE)?;
        }
        Ok(())
    }

    /// An arrow that points up, `length` long, from `at`.
    pub fn arrow(&mut self, [x, y]: Spot, length: f64, color: Rgb) -> Result<()> {
        self.line(&[[x - 4.5, y], [x + 4.5, y]], Stroke::solid(color, 1.8), None)?;
        self.line(&[[x, y], [x, y - length + 5.0]], Stroke::solid(color, 1.6), None)?;
        self.polygon(&[[x, y - length], [x - 4.0, y - length + 7.5], [x + 4.0, y - length + 7.5]], color)
    }
}

fn solid([r, g, b]: Rgb, breadth: u32) -> ShapeStyle {
    ShapeStyle { color: plotters::style::Color::to_rgba(&RGBColor(r, g, b)), filled: true, stroke_width: breadth }
}

/// How far the inner outline of a hollow marker lies inside, along its radius, for a rim of even breadth.
fn inset(marker: Marker) -> f64 {
    const RIM: f64 = 1.5;
    match marker {
        Marker::Circle => RIM,
        Marker::Square | Marker::Diamond => RIM * std::f64::consts::SQRT_2,
        Marker::Triangle | Marker::Wedge => RIM * 2.0,
        Marker::Star => RIM * 2.2,
    }
}

/// Corners of a marker; shapes have about equal areas.
fn outline(marker: Marker, [x, y]: Spot, radius: f64) -> Vec<Spot> {
    use std::f64::consts::{FRAC_PI_2, PI, TAU};
    // (corners, growth of the radius, angle of the first corner)
    let (corners, growth, first) = match marker {
        Marker::Circle => (28, 1.0, 0.0),
        Marker::Square => (4, 1.25, PI / 4.0),
        Marker::Diamond => (4, 1.3, 0.0),
        Marker::Triangle => (3, 1.45, -FRAC_PI_2),
        Marker::Wedge => (3, 1.45, FRAC_PI_2),
        Marker::Star => (10, 1.5, -FRAC_PI_2),
    };
    (0..corners)
        .map(|i| {
            let angle = first + TAU * f64::from(i) / f64::from(corners);
            let reach = if marker == Marker::Star && i % 2 == 1 { 0.5 } else { 1.0 };
            [x + radius * growth * reach * angle.cos(), y + radius * growth * reach * angle.sin()]
        })
        .collect()
}

/// The parts of a path that lie in `clip`.
fn clipped(path: &[Spot], clip: Option<Area>) -> Vec<Vec<Spot>> {
    let Some(area) = clip else { return vec![path.to_vec()] };
    let mut pieces: Vec<Vec<Spot>> = Vec::new();
    for pair in path.windows(2) {
        let Some([from, to]) = cut(pair[0], pair[1], area) else { continue };
        match pieces.last_mut() {
            Some(piece) if piece.last() == Some(&from) => piece.push(to),
            _ => pieces.push(vec![from, to]),
        }
    }
    pieces
}

/// The part of a polygon in `area`, after Sutherland and Hodgman: one border after the other cuts it.
fn inside(corners: &[Spot], area: Area) -> Vec<Spot> {
    // (axis, border, whether the inside lies above it)
    let borders = [(0, area.x, true), (0, area.x + area.w, false), (1, area.y, true), (1, area.y + area.h, false)];
    borders.into_iter().fold(corners.to_vec(), |corners, (axis, border, above)| {
        let holds = |spot: &Spot| if above { spot[axis] >= border } else { spot[axis] <= border };
        let mut kept = Vec::new();
        for (i, to) in corners.iter().enumerate() {
            let from = &corners[(i + corners.len() - 1) % corners.len()];
            if holds(from) != holds(to) {
                let part = (border - from[axis]) / (to[axis] - from[axis]);
                kept.push([0, 1].map(|i| from[i] + part * (to[i] - from[i])));
            }
            if holds(to) {
                kept.push(*to);
            }
        }
        kept
    })
}

/// The part of a segment in `area`, after Liang and Barsky: each border narrows the range of the parameter.
fn cut(from: Spot, to: Spot, area: Area) -> Option<[Spot; 2]> {
    let step = [to[0] - from[0], to[1] - from[1]];
    let (mut enter, mut leave) = (0.0f64, 1.0f64);
    let borders = [
        (-step[0], from[0] - area.x),
        (step[0], area.x + area.w - from[0]),
        (-step[1], from[1] - area.y),
        (step[1], area.y + area.h - from[1]),
    ];
    for (outward, room) in borders {
        if outward == 0.0 {
            if room < 0.0 {
                return None;
            }
        } else if outward < 0.0 {
            enter = enter.max(room / outward);
        } else {
            leave = leave.min(room / outward);
        }
    }
    let at = |t: f64| [from[0] + t * step[0], from[1] + t * step[1]];
    // Ends that lie inside stay equal to the bit, so that neighbouring segments join.
    let ends = [if enter > 0.0 { at(enter) } else { from }, if leave < 1.0 { at(leave) } else { to }];
    (enter < leave).then_some(ends)
}

/// Cuts paths into dashes; the pattern runs on around corners.
fn dashed(paths: &[Vec<Spot>], dash: Option<[f64; 2]>) -> Vec<Vec<Spot>> {
    let Some(dash) = dash else { return paths.to_vec() };
    let mut pieces = Vec::new();
    for path in paths {
        let (mut drawing, mut left) = (true, dash[0]);
        let mut piece: Vec<Spot> = path.first().copied().into_iter().collect();
        for pair in path.windows(2) {
            let length = (pair[1][0] - pair[0][0]).hypot(pair[1][1] - pair[0][1]);
            let mut done = 0.0;
            while length - done > left {
                done += left;
                let part = done / length;
                let spot = [0, 1].map(|i| pair[0][i] + part * (pair[1][i] - pair[0][i]));
                if drawing {
                    piece.push(spot);
                    pieces.push(std::mem::take(&mut piece));
                } else {
                    piece = vec![spot];
                }
                drawing = !drawing;
                left = if drawing { dash[0] } else { dash[1] };
            }
            left -= length - done;
            if drawing {
                piece.push(pair[1]);
            }
        }
        if drawing && piece.len() > 1 {
            pieces.push(piece);
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIT: Area = Area { x: 0.0, y: 0.0, w: 10.0, h: 10.0 };

    #[test]
    fn a_path_is_cut_where_it_leaves_and_goes_on_where_it_returns() {
        let path = [[5.0, 5.0], [5.0, 15.0], [8.0, 15.0], [8.0, 2.0]];
        let pieces = clipped(&path, Some(UNIT));
        assert_eq!(pieces, [vec![[5.0, 5.0], [5.0, 10.0]], vec![[8.0, 10.0], [8.0, 2.0]]]);
        assert!(clipped(&[[20.0, 0.0], [20.0, 9.0]], Some(UNIT)).is_empty());
    }

    #[test]
    fn a_polygon_is_cut_at_the_borders() {
        let square = [[5.0, 5.0], [15.0, 5.0], [15.0, 8.0], [5.0, 8.0]];
        let mut kept = inside(&square, UNIT);
        kept.sort_by(|a, b| a.partial_cmp(b).unwrap());
        assert_eq!(kept, [[5.0, 5.0], [5.0, 8.0], [10.0, 5.0], [10.0, 8.0]]);
        assert!(inside(&square.map(|[x, y]| [x + 6.0, y]), UNIT).is_empty());
    }

    #[test]
    fn dashes_add_up_to_their_share_of_the_path() {
        let path = vec![vec![[0.0, 0.0], [7.0, 0.0], [7.0, 13.0]]];
        let pieces = dashed(&path, Some([3.0, 2.0]));
        let length =
            |piece: &Vec<Spot>| -> f64 { piece.windows(2).map(|p| (p[1][0] - p[0][0]).hypot(p[1][1] - p[0][1])).sum() };
        assert_eq!(pieces.len(), 4);
        assert!((pieces.iter().map(length).sum::<f64>() - 12.0).abs() < 1e-9);
    }
}
