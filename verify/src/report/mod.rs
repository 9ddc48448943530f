//! The report: figures and one page, made from rows alone.

mod axis;
mod canvas;
mod deviation;
mod draw;
mod figure;
mod finding;
mod fit;
mod group;
mod html;
mod lambda;
mod layout;
mod lettering;
mod loss;
mod number;
mod picture;
mod required_width;
mod tables;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use self::figure::Figure;
use self::finding::{Finding, findings};
use self::group::{Group, Sorted};
use crate::rows::Row;

/// What [`write()`] made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Files written, the page first.
    pub paths: Vec<PathBuf>,
    /// The findings for init-closeness, one sentence or two for each architecture, as plain text.
    pub headlines: Vec<String>,
}

/// A group with what was found in it and the figures of it.
struct Section<'a> {
    group: &'a Group<'a>,
    findings: Vec<Finding<'a>>,
    figures: Vec<Figure>,
}

/// The criterion of the headline: the lemma that the theorems start from, and the only one with a predicted growth.
const HEADLINE: &str = "init-closeness";

/// Writes `report.html` and `figures/` into `out`, which is made if it is missing. Files of an earlier report with the
/// same names are replaced.
pub fn write(rows: &[Row], out: &Path) -> Result<Report> {
    let sorted = Sorted::new(rows);
    let sections = sections(&sorted);
    let folder = out.join("figures");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make the directory {}", folder.display()))?;

    let page = out.join("report.html");
    let mut paths = vec![page.clone()];
    for figure in sections.iter().flat_map(|section| &section.figures) {
        paths.extend(write_figure(figure, &folder)?);
    }
    let headlines = headlines(&sections);
    // The page goes last, so that it never points at figures that could not be written.
    put(&page, html::page(rows, &sorted, &sections)?.as_bytes())?;
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

fn sections<'a>(sorted: &'a Sorted<'a>) -> Vec<Section<'a>> {
    let several = sorted.groups.len() > 1;
    let mut sections = Vec::new();
    for (i, group) in sorted.groups.iter().enumerate() {
        let findings = findings(group);
        let mut figures: Vec<Figure> = Vec::new();
        for criterion in group.criteria() {
            let of_criterion: Vec<&Finding<'_>> =
                findings.iter().filter(|finding| finding.criterion == criterion).collect();
            figures.extend(required_width::figure(group, criterion, &of_criterion));
        }
        figures.extend(lambda::figure(group));
        figures.extend(loss::figure(group));
        figures.extend(deviation::figures(group));
        for figure in &mut figures {
            figure.stem = stem(&figure.stem, several.then_some((i, group)));
        }
        sections.push(Section { group, findings, figures });
    }
    sections
}

/// A file name; with several groups, one that tells them apart.
fn stem(name: &str, group: Option<(usize, &Group<'_>)>) -> String {
    let prefix = group.map(|(i, group)| format!("{}-{}-", i + 1, group.activation)).unwrap_or_default();
    let safe = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '.' { c } else { '-' };
    format!("{prefix}{name}").chars().map(safe).collect()
}

fn headlines(sections: &[Section<'_>]) -> Vec<String> {
    let several = sections.len() > 1;
    let mut lines = Vec::new();
    for section in sections {
        let setting = if several { format!("[{}] ", section.group.setting()) } else { String::new() };
        let chi1 = section.group.chi1();
        let before = lines.len();
        for finding in section.findings.iter().filter(|finding| finding.criterion == HEADLINE) {
            lines.push(format!("{setting}{}", finding.sentence(chi1)));
        }
        if lines.len() == before {
            lines.push(format!("{setting}No required width was measured for {HEADLINE}."));
        }
    }
    lines
}
