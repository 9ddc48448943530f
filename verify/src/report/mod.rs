//! The report: figures and one page, made from rows alone.

mod axis;
mod canvas;
mod chapter;
mod comparison;
mod control;
mod data;
mod deviation;
mod draw;
mod figure;
mod finding;
mod group;
mod headline;
mod html;
mod lambda;
mod layout;
mod lettering;
mod loss;
mod multiples;
mod number;
mod outline;
mod picture;
mod pooled;
mod required_width;
mod series;
mod slope;
mod tables;
#[cfg(test)]
mod tests;
mod theory;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rayon::prelude::*;

use self::chapter::{Chapter, chapters};
use self::figure::Figure;
use self::group::Sorted;
pub use self::headline::Headlines;
use self::outline::Outline;
use crate::rows::Row;

/// What [`write()`] made.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Files written, the page first.
    pub paths: Vec<PathBuf>,
    /// What was found for init-closeness, as plain text.
    pub headlines: Headlines,
}

/// The criterion of the headline: the lemma that the theorems start from, and the only one with a predicted growth.
const HEADLINE: &str = "init-closeness";

/// Writes `report.html`, its tables as CSV and `figures/` into `out`, which is made if it is missing. Files of an earlier
/// report with the same names are replaced.
pub fn write(rows: &[Row], out: &Path) -> Result<Report> {
    let sorted = Sorted::new(rows);
    let outline = Outline::new(&sorted);
    let chapters = outline.as_ref().map(|outline| chapters(&sorted, outline)).unwrap_or_default();
    let headlines = outline.as_ref().map(|outline| Headlines::new(&sorted, outline)).unwrap_or_default();
    let folder = out.join("figures");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make the directory {}", folder.display()))?;

    let page = out.join("report.html");
    let mut paths = vec![page.clone()];
    for (name, bytes) in
        [("laws", data::laws(&sorted)?), ("widths", data::widths(&sorted)?), ("comparison", data::comparison(&sorted)?)]
    {
        let path = out.join(format!("{name}.csv"));
        put(&path, &bytes)?;
        paths.push(path);
    }
    let figures: Vec<&Figure> = chapters.iter().flat_map(|chapter: &Chapter| &chapter.figures).collect();
    let written: Vec<[PathBuf; 3]> =
        figures.par_iter().map(|figure| write_figure(figure, &folder)).collect::<Result<_>>()?;
    paths.extend(written.into_iter().flatten());
    // The page goes last, so that it never points at figures that could not be written.
    put(&page, html::page(rows, &sorted, &chapters, &headlines)?.as_bytes())?;
    Ok(Report { paths, headlines })
}

fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

fn write_figure(figure: &Figure, folder: &Path) -> Result<[PathBuf; 3]> {
    let [svg, png, csv] = ["svg", "png", "csv"].map(|ending| folder.join(format!("{}.{ending}", figure.stem)));
    put(&svg, picture::svg(figure, layout::Format::Wide)?.as_bytes())?;
    picture::write_png(figure, &png)?;
    put(&csv, &figure.csv()?)?;
    Ok([svg, png, csv])
}
