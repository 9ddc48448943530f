//! Text: one embedded font that both the SVG and the PNG backend measure by, so that they show the same picture.
//! Glyphs are set here and not by plotters, which drops their side bearings.

use std::sync::LazyLock;

use ab_glyph::{Font, FontRef, Glyph, InvalidFont, PxScale, PxScaleFont, ScaleFont, point};
use plotters_backend::text_anchor::{HPos, Pos, VPos};
use plotters_backend::{BackendColor, BackendTextStyle, FontFamily, FontTransform};

use super::figure::Rgb;
use super::number::unbroken;

/// What an SVG asks for: the font that is measured here, else Verdana, which is as broad.
const FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";

/// Where the SVG backend puts the baseline below the position of top-anchored text, in ems.
pub const BASELINE: f64 = 0.76;

/// The SVG backend divides sizes by this.
const SVG_SIZE_DIVISOR: f64 = 1.24;

static FONT: LazyLock<Result<FontRef<'static>, InvalidFont>> =
    LazyLock::new(|| FontRef::try_from_slice(include_bytes!("../../assets/DejaVuSans.ttf")));

/// The font with `em` pixels to the em; the rasteriser's own scale counts ascent plus descent.
fn font(em: f64) -> Result<PxScaleFont<&'static FontRef<'static>>, InvalidFont> {
    let font = FONT.as_ref().map_err(|_| InvalidFont)?;
    let height = font.units_per_em().map_or(1.0, |units| font.height_unscaled() / units);
    Ok(font.as_scaled(PxScale::from(em as f32 * height)))
}

/// The glyphs of `text` with their places from the origin on, and where the text ends.
fn set(text: &str, em: f64) -> Result<(Vec<Glyph>, f32), InvalidFont> {
    let font = font(em)?;
    let (mut glyphs, mut end) = (Vec::new(), 0.0);
    let mut previous = None;
    for c in text.chars() {
        let id = font.glyph_id(c);
        end += previous.map_or(0.0, |previous| font.kern(previous, id));
        glyphs.push(id.with_scale_and_position(font.scale(), point(end, 0.0)));
        end += font.h_advance(id);
        previous = Some(id);
    }
    Ok((glyphs, end))
}

/// The breadth of `text` in pixels when an em is `em` pixels.
pub fn breadth(text: &str, em: f64) -> f64 {
    set(text, em).map_or(0.0, |(_, end)| f64::from(end))
}

/// Breaks `text` at spaces into lines no broader than `most`; a single word may be.
pub fn wrap(text: &str, em: f64, most: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in unbroken(text).split(' ') {
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
    type FontError = InvalidFont;

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

    fn layout_box(&self, text: &str) -> Result<((i32, i32), (i32, i32)), InvalidFont> {
        let height = self.em.round() as i32;
        set(text, self.em).map(|(_, end)| ((0, 0), (end.round() as i32, height)))
    }

    fn draw<E, D: FnMut(i32, i32, BackendColor) -> Result<(), E>>(
        &self,
        text: &str,
        (x, y): (i32, i32),
        mut draw: D,
    ) -> Result<Result<(), E>, InvalidFont> {
        let font = font(self.em)?;
        let baseline = (BASELINE * self.em).round() as i32;
        let color = |coverage: f32| BackendColor { alpha: f64::from(coverage.min(1.0)), ..self.color() };
        for glyph in set(text, self.em)?.0 {
            let Some(outline) = font.outline_glyph(glyph) else { continue };
            let corner = outline.px_bounds().min;
            let (left, top) = (x + corner.x as i32, y + baseline + corner.y as i32);
            let mut drawn = Ok(());
            outline.draw(|dx, dy, coverage| {
                if drawn.is_ok() && coverage > 0.0 {
                    drawn = draw(left + dx as i32, top + dy as i32, color(coverage));
                }
            });
            if drawn.is_err() {
                return Ok(drawn);
            }
        }
        Ok(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_as_broad_as_the_font_says() {
        // DejaVu Sans: a zero advances by 1303 of 2048 units.
        assert!((breadth("0000", 100.0) - 4.0 * 130_300.0 / 2048.0).abs() < 0.01);
    }

    #[test]
    fn the_font_has_every_symbol_that_figures_use() {
        let font = font(10.0).unwrap();
        for c in "10⁻⁰¹²³⁴⁵⁶⁷⁸⁹ λ₀ χ₁ ‖G − K⁽ᴴ⁾‖₂ Hᵇ eᵇ ᵏ ∝ × ≥ δ η √ ¼ … ∞ \u{202f}\u{a0}".chars()
        {
            assert_ne!(font.glyph_id(c).0, 0, "{c}");
        }
    }

    #[test]
    fn wrapping_keeps_every_word_and_the_width() {
        let text = "a fairly long line that has to be broken";
        let lines = wrap(text, 10.0, 90.0);
        assert_eq!(lines.join(" "), text);
        assert!(lines.len() > 1 && lines.iter().all(|line| breadth(line, 10.0) <= 90.0));
    }
}
