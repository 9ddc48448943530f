//! The page: one file, no scripts, nothing fetched.

use anyhow::Result;

use super::figure::Figure;
use super::group::Sorted;
use super::layout::Format;
use super::number::unbroken;
use super::picture::{escaped, svg};
use super::{HEADLINE, Section, tables};
use crate::rows::Row;

/// The whole page.
pub fn page(rows: &[Row], sorted: &Sorted<'_>, sections: &[Section<'_>]) -> Result<String> {
    let several = sections.len() > 1;
    let mut body = format!(
        "<header><p class=\"kicker\">Fathom</p>\n<h1>How wide must a network of a given depth be?</h1>\n{}</header>\n",
        introduction()
    );
    body += &headline(sections);
    body += &caveats();
    for (i, section) in sections.iter().enumerate() {
        body += &self::section(i, section, several)?;
    }
    body += &heading("widths", "All required widths");
    body += &tables::widths(sections);
    if sorted.replaced > 0 {
        let (rows, were) = if sorted.replaced == 1 { ("row", "was") } else { ("rows", "were") };
        body += &format!("<p>{} {rows} of cells that {were} measured again later are left out.</p>\n", sorted.replaced);
    }
    body += &heading("check", "Are the kernels right?");
    body += &tables::checked(sorted.checked);
    body += &heading("provenance", "Provenance");
    body += &tables::provenance(rows);
    Ok(format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Fathom: required width against depth</title>\n<style>\n{}</style>\n</head>\n<body>\n<main>\n\
         {body}</main>\n</body>\n</html>\n",
        include_str!("page.css")
    ))
}

/// Text for the page: no breaks around relations, subscripts where the field writes them.
pub fn typeset(text: &str) -> String {
    escaped(&unbroken(text)).replace("λ_min", "λ<sub>min</sub>").replace("c_res", "c<sub>res</sub>")
}

fn heading(id: &str, text: &str) -> String {
    format!("<h2 id=\"{id}\">{}</h2>\n", typeset(text))
}

fn introduction() -> String {
    "<p>Du et al. (2018) prove that gradient descent finds a global minimum of a deep network if it is wide enough: \
     exponentially wide in the depth for a fully connected network, polynomially for a residual one. Proofs bound the \
     width from above. Here it is measured: the required width m* is the smallest at which at least a fraction \
     1 − δ of random starts meets a criterion from the proof.</p>\n"
        .to_owned()
}

fn headline(sections: &[Section<'_>]) -> String {
    let several = sections.len() > 1;
    let mut text = "<section class=\"found\">\n<h2 id=\"found\">What was found</h2>\n".to_owned();
    for section in sections {
        if several {
            text += &format!("<h3>{}</h3>\n", typeset(&section.group.setting()));
        } else {
            text += &format!("<p class=\"setting\">{}</p>\n", typeset(&section.group.setting()));
        }
        let chi1 = section.group.chi1();
        let found: Vec<String> = section
            .findings
            .iter()
            .filter(|finding| finding.criterion == HEADLINE)
            .map(|finding| {
                let sentence = finding.sentence(chi1);
                let (arch, rest) = sentence.split_once(':').unwrap_or((finding.arch, ""));
                format!("<li><strong>{}</strong>:{}</li>\n", escaped(arch), typeset(rest))
            })
            .collect();
        text += &if found.is_empty() {
            format!("<p>No required width was measured for {HEADLINE}.</p>\n")
        } else {
            format!("<p>For the criterion {HEADLINE}:</p>\n<ul>\n{}</ul>\n", found.concat())
        };
    }
    text + "</section>\n"
}

fn caveats() -> String {
    "<h3>How to read this</h3>\n<ul>\n\
     <li>Each curve shows one criterion. None of them is “the” necessary width: a network that misses a criterion may \
     still train.</li>\n\
     <li>The exponential law belongs to activations with χ₁ &lt; 1, such as softplus, the guiding example of the \
     paper. It is not universal: activations with χ₁ &gt; 1, such as tanh, are expected to show none.</li>\n\
     <li>Filled points are measured: widths on both sides were run. Hollow points are extrapolated from narrower \
     networks by the fall of the deviation as 1/√m. Arrows are censored: the required width lies above the widest \
     that was run. Censored points are left out of every fit. Networks are drawn slightly apart at each depth.</li>\n\
     <li>Drawn fits start at H\u{a0}=\u{a0}2, where three depths from there on allow it: at H\u{a0}=\u{a0}1 no layer \
     lies below the last, so nothing accumulates, and no network has a skip yet.</li>\n\
     <li>A fit describes the depths that it was fitted to. Few depths cannot tell an exponential from a power law \
     by themselves, and prove nothing about deeper networks.</li>\n\
     </ul>\n"
        .to_owned()
}

fn section(index: usize, section: &Section<'_>, several: bool) -> Result<String> {
    let mut text = String::new();
    if several {
        text += &heading(&format!("setting-{}", index + 1), &section.group.setting());
    }
    let tag = if several { "h3" } else { "h2" };
    if !section.findings.is_empty() {
        text += &format!("<{tag}>Growth with depth, by criterion</{tag}>\n");
        text += &tables::growth(section);
        text += &format!("<{tag}>What was measured, and how</{tag}>\n");
        text += &tables::setting(section);
    }
    if !section.figures.is_empty() {
        text += &format!("<{tag}>Figures</{tag}>\n");
    }
    for figure in &section.figures {
        text += &self::figure(figure)?;
    }
    Ok(text)
}

/// The figure twice, for a broad and for a narrow window; the style sheet shows one.
fn figure(figure: &Figure) -> Result<String> {
    let stem = escaped(&figure.stem);
    Ok(format!(
        "<figure id=\"{stem}\">\n<div class=\"wide\">{}</div>\n<div class=\"narrow\">{}</div>\n\
         <figcaption>{} <span class=\"files\"><a href=\"figures/{stem}.svg\">SVG</a> \
         <a href=\"figures/{stem}.png\">PNG</a> <a href=\"figures/{stem}.csv\">data</a></span></figcaption>\n</figure>\n",
        svg(figure, Format::Wide)?,
        svg(figure, Format::Narrow)?,
        typeset(&figure.caption)
    ))
}
