//! The page: one file, no scripts, nothing fetched.

use anyhow::Result;

use super::chapter::Chapter;
use super::figure::Figure;
use super::group::Sorted;
use super::layout::Format;
use super::number::unbroken;
use super::picture::{escaped, svg};
use super::tables;
use super::{HEADLINE, Headlines};
use crate::rows::Row;

/// The whole page.
pub fn page(rows: &[Row], sorted: &Sorted<'_>, chapters: &[Chapter], headlines: &Headlines) -> Result<String> {
    let mut body = format!(
        "<header><p class=\"kicker\">Fathom</p>\n<h1>How wide must a network of a given depth be?</h1>\n{}</header>\n",
        introduction()
    );
    body += &headline(headlines);
    body += &contents(chapters);
    for (i, chapter) in chapters.iter().enumerate() {
        body += &self::chapter(chapter)?;
        if i == 0 {
            body += &caveats();
        }
    }
    body += &heading("widths", "All required widths");
    body += "<p class=\"files\">As tables: <a href=\"laws.csv\">laws</a>, <a href=\"widths.csv\">widths</a>, \
             <a href=\"comparison.csv\">measured against predicted</a>.</p>\n";
    body += &tables::widths(sorted);
    if sorted.replaced > 0 {
        let (rows, were) = if sorted.replaced == 1 { ("row", "was") } else { ("rows", "were") };
        body += &format!("<p>{} {rows} of cells that {were} measured again later are left out.</p>\n", sorted.replaced);
    }
    if sorted.unresolved > 0 {
        let widths = if sorted.unresolved == 1 { "required width was" } else { "required widths were" };
        body += &format!("<p>{} {widths} not searched, because λ₀ is rounding noise there.</p>\n", sorted.unresolved);
    }
    body += &heading("sampler", "Is the sampler right?");
    body += &tables::crosschecks(&sorted.crosschecks);
    body += &heading("check", "Are the kernels right?");
    body += &tables::checked(sorted.checked);
    body += &heading("provenance", "Provenance");
    body += &tables::provenance(rows, sorted);
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
    escaped(&unbroken(text))
        .replace("λ_min", "λ<sub>min</sub>")
        .replace("c_res", "c<sub>res</sub>")
        .replace("χ_∥", "χ<sub>∥</sub>")
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

/// Sentences as a list; what stands before a colon is set off.
fn list(lines: &[String]) -> String {
    let item = |line: &String| match line.split_once(": ") {
        Some((subject, rest)) => format!("<li><strong>{}</strong>: {}</li>\n", typeset(subject), typeset(rest)),
        None => format!("<li>{}</li>\n", typeset(line)),
    };
    format!("<ul>\n{}</ul>\n", lines.iter().map(item).collect::<String>())
}

fn headline(headlines: &Headlines) -> String {
    let mut text = format!(
        "<section class=\"found\">\n<h2 id=\"found\">What was found</h2>\n<p class=\"setting\">{}</p>\n",
        typeset(&headlines.setting)
    );
    text += &if headlines.findings.is_empty() {
        format!("<p>No required width was measured for {HEADLINE}.</p>\n")
    } else {
        format!("<p>For the criterion {HEADLINE}:</p>\n{}", list(&headlines.findings))
    };
    if !headlines.separations.is_empty() {
        text += &list(&headlines.separations);
    }
    if let Some((first, rest)) = headlines.control.split_first() {
        let (name, said) = first.split_once(": ").unwrap_or(("Control", first));
        text += &format!("<p class=\"control\"><strong>{}</strong>: {}</p>\n", typeset(name), typeset(said));
        if !rest.is_empty() {
            text += &list(rest);
        }
    }
    for line in &headlines.theory {
        text += &format!("<p>{}</p>\n", typeset(line));
    }
    text + "</section>\n"
}

fn contents(chapters: &[Chapter]) -> String {
    let fixed = [
        ("widths", "All required widths"),
        ("sampler", "Is the sampler right?"),
        ("check", "Are the kernels right?"),
        ("provenance", "Provenance"),
    ];
    let listed = chapters.iter().map(|chapter| (chapter.id, chapter.title.as_str())).chain(fixed);
    let links: Vec<String> = listed.map(|(id, title)| format!("<a href=\"#{id}\">{}</a>", typeset(title))).collect();
    format!("<nav>{}</nav>\n", links.join(" "))
}

fn caveats() -> String {
    "<h3>How to read this</h3>\n<ul>\n\
     <li>Each curve shows one criterion. None of them is “the” necessary width: a network that misses a criterion may \
     still train.</li>\n\
     <li>Filled points are measured: widths on both sides were run. Hollow points are extrapolated from narrower \
     networks: the distance from the limit at the start falls as 1/√m, the move in training as 1/m. Arrows are censored: the required width lies above the widest \
     that was run. Networks are drawn slightly apart at each depth.</li>\n\
     <li>Fits start at H\u{a0}=\u{a0}2: at H\u{a0}=\u{a0}1 no layer lies below the last, so nothing accumulates, and no \
     network has a skip yet. Censored points take part in a fit with what is known of them, that they lie above.</li>\n\
     <li>A law is named only where the intervals decide it; otherwise the word is undecided. A name describes the depths \
     that were fitted, and proves nothing about deeper networks.</li>\n\
     </ul>\n"
        .to_owned()
}

fn chapter(chapter: &Chapter) -> Result<String> {
    let mut text = heading(chapter.id, &chapter.title) + &chapter.before;
    for figure in &chapter.figures {
        text += &self::figure(figure)?;
    }
    Ok(text + &chapter.after)
}

/// The figure twice, for a broad and for a narrow window; the style sheet shows one.
fn figure(figure: &Figure) -> Result<String> {
    let stem = escaped(&figure.stem);
    Ok(format!(
        "<figure id=\"figure-{stem}\">\n<div class=\"wide\">{}</div>\n<div class=\"narrow\">{}</div>\n\
         <figcaption>{} <span class=\"files\"><a href=\"figures/{stem}.svg\">SVG</a> \
         <a href=\"figures/{stem}.png\">PNG</a> <a href=\"figures/{stem}.csv\">data</a></span></figcaption>\n</figure>\n",
        svg(figure, Format::Wide)?,
        svg(figure, Format::Narrow)?,
        typeset(&figure.caption)
    ))
}
