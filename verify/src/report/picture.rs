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
    let body = text.split_once('\n').map_or("", |(_, body)| body).replace(" opacity=\"1\"", "");
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
    let fine_row = w * SAMPLES * 3;
    let white = vec![255; fine_row];
    let mut pixels = vec![255; w * h * 3];
    for (rows, out) in fine.chunks_exact(fine_row * SAMPLES).zip(pixels.chunks_exact_mut(w * 3)) {
        // Most of a figure is white: whole stretches of it are passed over.
        const STRETCH: usize = 20;
        for (block, out) in out.chunks_mut(STRETCH * 3).enumerate() {
            let start = block * STRETCH * SAMPLES * 3;
            let length = out.len() * SAMPLES;
            let lines: [&[u8]; SAMPLES] =
                std::array::from_fn(|line| &rows[line * fine_row + start..line * fine_row + start + length]);
            if lines.iter().all(|line| *line == &white[..length]) {
                continue;
            }
            for (at, pixel) in out.iter_mut().enumerate() {
                let first = at / 3 * SAMPLES * 3 + at % 3;
                let samples = lines.iter().flat_map(|line| line[first..].iter().step_by(3).take(SAMPLES));
                *pixel = (samples.map(|&sample| usize::from(sample)).sum::<usize>() / (SAMPLES * SAMPLES)) as u8;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pixel_is_the_mean_of_its_samples() {
        let (w, h) = (23, 2);
        let mut fine = vec![255; w * h * 3 * SAMPLES * SAMPLES];
        // Samples (44..46, 2..4) are pixel (22, 1); one of the four is black.
        let at = (2 * w * SAMPLES + 45) * 3;
        fine[at..at + 3].fill(0);
        let pixels = averaged(&fine, w, h);
        let changed = (w + 22) * 3;
        assert_eq!(pixels[changed..changed + 3], [191; 3]);
        assert!(pixels[..changed].iter().all(|&value| value == 255) && pixels.len() == w * h * 3);
    }
}
