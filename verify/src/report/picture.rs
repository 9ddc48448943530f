//! A figure as SVG and as PNG: one drawing, two backends.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use plotters::backend::{BitMapBackend, SVGBackend};
use plotters_backend::{BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind};

use super::canvas::Canvas;
use super::draw;
use super::figure::Figure;
use super::layout::{Format, Layout};

/// Steps to a nominal pixel in an SVG.
const SVG_SCALE: f64 = 10.0;
/// Pixels of a PNG to a nominal pixel, and samples to each of these along a side.
const PNG_SCALE: usize = 2;
const SAMPLES: usize = 2;

/// The figure as an SVG document.
pub fn svg(figure: &Figure, format: Format) -> Result<String> {
    let layout = Layout::new(figure, format);
    let size = layout.size.map(|length| (length * SVG_SCALE).ceil() as u32);
    let mut text = String::new();
    let mut backend = SVGBackend::with_string(&mut text, (size[0], size[1]));
    draw::figure(&mut Canvas::new(&mut backend, SVG_SCALE), figure, &layout)?;
    backend.present().map_err(|error| anyhow!("{error}"))?;
    drop(backend);

    // The backend's own first line has no nominal size, no name, and mitred corners, which spike where data turns.
    let body = text.split_once('\n').map_or("", |(_, body)| body);
    let [w, h] = layout.size.map(f64::ceil);
    let name = escaped(&format!("{}. {}", figure.title, figure.subtitle));
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {} {}\" role=\"img\" \
         stroke-linejoin=\"round\" aria-label=\"{name}\">\n<title>{name}</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#FFFFFF\"/>\n{body}",
        size[0], size[1]
    ))
}

/// Writes the figure as a PNG file.
pub fn write_png(figure: &Figure, path: &Path) -> Result<()> {
    let layout = Layout::new(figure, Format::Wide);
    let scale = PNG_SCALE * SAMPLES;
    let [w, h] = layout.size.map(|length| length.ceil() as usize * PNG_SCALE);
    let (fine_w, fine_h) = (w * SAMPLES, h * SAMPLES);
    let mut fine = vec![255; fine_w * fine_h * 3];
    {
        let mut raster = Raster(BitMapBackend::with_buffer(&mut fine, (fine_w as u32, fine_h as u32)));
        draw::figure(&mut Canvas::new(&mut raster, scale as f64), figure, &layout)?;
    }
    let pixels = averaged(&fine, w, h);
    let context = || format!("cannot write {}", path.display());
    let mut file = BitMapBackend::new(path, (w as u32, h as u32));
    file.blit_bitmap((0, 0), (w as u32, h as u32), &pixels)
        .map_err(|error| anyhow!("{error}"))
        .with_context(context)?;
    file.present().map_err(|error| anyhow!("{error}")).with_context(context)
}

/// Each pixel the mean of its samples: smoother edges than the rasteriser's own.
fn averaged(fine: &[u8], w: usize, h: usize) -> Vec<u8> {
    let mut pixels = Vec::with_capacity(w * h * 3);
    for y in 0..h {
        for x in 0..w {
            for channel in 0..3 {
                let mut sum = 0usize;
                for dy in 0..SAMPLES {
                    for dx in 0..SAMPLES {
                        let at = (y * SAMPLES + dy) * w * SAMPLES + x * SAMPLES + dx;
                        sum += usize::from(fine[at * 3 + channel]);
                    }
                }
                pixels.push((sum / (SAMPLES * SAMPLES)) as u8);
            }
        }
    }
    pixels
}

/// The bitmap backend with broad lines drawn a segment at a time and round joints. Its own way, one polygon around the
/// whole path, breaks where a path turns within its breadth.
struct Raster<'a>(BitMapBackend<'a>);

type Drawn<'a> = Result<(), DrawingErrorKind<<BitMapBackend<'a> as DrawingBackend>::ErrorType>>;

impl<'a> DrawingBackend for Raster<'a> {
    type ErrorType = <BitMapBackend<'a> as DrawingBackend>::ErrorType;

    fn get_size(&self) -> (u32, u32) {
        self.0.get_size()
    }

    fn ensure_prepared(&mut self) -> Drawn<'a> {
        self.0.ensure_prepared()
    }

    fn present(&mut self) -> Drawn<'a> {
        self.0.present()
    }

    fn draw_pixel(&mut self, point: BackendCoord, color: BackendColor) -> Drawn<'a> {
        self.0.draw_pixel(point, color)
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Drawn<'a> {
        let path: Vec<BackendCoord> = path.into_iter().collect();
        for pair in path.windows(2) {
            self.0.draw_path(pair.iter().copied(), style)?;
        }
        let joints = path.get(1..path.len().saturating_sub(1)).unwrap_or_default();
        let radius = style.stroke_width() / 2;
        joints.iter().try_for_each(|&joint| self.0.draw_circle(joint, radius, &style.color(), true))
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        corners: I,
        style: &S,
    ) -> Drawn<'a> {
        self.0.fill_polygon(corners, style)
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, at: BackendCoord) -> Drawn<'a> {
        self.0.draw_text(text, style, at)
    }
}

/// `text` for HTML and SVG.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
