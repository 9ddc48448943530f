//! Text: one embedded font that both the SVG and the PNG backend measure by, so that they show the same picture.

use std::sync::Once;

use plotters::style::{FontDesc, FontError, RGBColor, register_font};
use plotters_backend::text_anchor::{HPos, Pos, VPos};
use plotters_backend::{BackendColor, BackendTextStyle, FontFamily, FontStyle, FontTransform};

use super::figure::Rgb;

/// What an SVG asks for: the font that was measured, else Verdana, which is as broad.
const FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";

/// Ascent plus descent of DejaVu Sans in ems (2384 / 2048): the rasteriser counts size as this height, SVG as the em.
const HEIGHT_PER_EM: f64 = 2384.0 / 2048.0;

/// Where the SVG backend puts the baseline below the position of top-anchored text, in ems.
pub const BASELINE: f64 = 0.76;

/// The SVG backend divides sizes by this.
const SVG_SIZE_DIVISOR: f64 = 1.24;

fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let font = include_bytes!("../../assets/DejaVuSans.ttf");
        // A font that cannot be parsed shows as an error at the first measurement.
        let _ = register_font(FAMILY, FontStyle::Normal, font);
    });
}

fn font(em: f64) -> FontDesc<'static> {
    register();
    FontDesc::new(FontFamily::Name(FAMILY), em * HEIGHT_PER_EM, FontStyle::Normal)
}

/// The breadth of `text` in pixels when an em is `em` pixels.
pub fn breadth(text: &str, em: f64) -> f64 {
    // The rasteriser answers in whole pixels: ask at a thousand of them to the em.
    let size = font(1000.0).box_size(text).map_or(0, |(breadth, _)| breadth);
    f64::from(size) * em / 1000.0
}

/// Breaks `text` at spaces into lines no broader than `most`; a single word may be.
pub fn wrap(text: &str, em: f64, most: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if breadth(&format!("{line} {word}"), em) <= most => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// How a text is set. Its position is that of the baseline minus [`BASELINE`] ems, in both backends.
pub struct Lettering {
    /// Pixels to the em.
    pub em: f64,
    /// Colour.
    pub color: Rgb,
    /// Which end of the text its position is.
    pub anchor: HPos,
    /// Read from below.
    pub upward: bool,
}

impl BackendTextStyle for Lettering {
    type FontError = FontError;

    fn color(&self) -> BackendColor {
        let [r, g, b] = self.color;
        BackendColor { alpha: 1.0, rgb: (r, g, b) }
    }

    fn size(&self) -> f64 {
        self.em * SVG_SIZE_DIVISOR
    }

    fn transform(&self) -> FontTransform {
        if self.upward { FontTransform::Rotate270 } else { FontTransform::None }
    }

    fn anchor(&self) -> Pos {
        Pos::new(self.anchor, VPos::Top)
    }

    fn family(&self) -> FontFamily<'_> {
        FontFamily::Name(FAMILY)
    }

    fn layout_box(&self, text: &str) -> Result<((i32, i32), (i32, i32)), FontError> {
        font(self.em).layout_box(text)
    }

    fn draw<E, D: FnMut(i32, i32, BackendColor) -> Result<(), E>>(
        &self,
        text: &str,
        (x, y): (i32, i32),
        mut draw: D,
    ) -> Result<Result<(), E>, FontError> {
        // The rasteriser puts the baseline half its size below the position.
        let lower = (self.em * (BASELINE - HEIGHT_PER_EM / 2.0)).round() as i32;
        let [r, g, b] = self.color;
        let color = |alpha: f32| plotters::style::Color::mix(&RGBColor(r, g, b), f64::from(alpha));
        font(self.em).draw(text, (x, y + lower), |x, y, coverage| {
            draw(x, y, plotters::style::Color::to_backend_color(&color(coverage)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_as_broad_as_the_font_says() {
        // DejaVu Sans: a zero advances by 1303 of 2048 units.
        assert!((breadth("0000", 100.0) - 4.0 * 130_300.0 / 2048.0).abs() < 0.5);
        assert!(breadth("10⁻¹² λ₀ χ₁ ‖G − K‖₂ ∝ δ η √", 10.0) > 100.0);
    }

    #[test]
    fn wrapping_keeps_every_word_and_the_width() {
        let text = "a fairly long line that has to be broken";
        let lines = wrap(text, 10.0, 90.0);
        assert_eq!(lines.join(" "), text);
        assert!(lines.len() > 1 && lines.iter().all(|line| breadth(line, 10.0) <= 90.0));
    }
}
