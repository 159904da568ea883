//! The page: a section for each recording, with its picture, its findings and its measures.

use super::{Picture, seconds, svg};
use crate::sound::{Finding, Level, Report};
use anyhow::Result;
use std::fmt::Write;

const STYLE: &str = include_str!("style.css");

/// The whole page; it asks nothing of any network.
pub fn page(pictures: &[Picture]) -> Result<String> {
    let title = match pictures {
        [one] => escape(&one.name),
        many => format!("{} recordings", many.len()),
    };
    let mut page = head(&format!("{title} · barkclone check"), "'none'");
    if pictures.len() > 1 {
        contents(&mut page, pictures)?;
    }
    for (id, picture) in pictures.iter().enumerate() {
        section(&mut page, picture, id)?;
    }
    page.push_str(&foot());
    Ok(page)
}

/// A page up to its content; `title` is HTML. Its sounds may come from `media`, as a Content-Security-Policy has it.
pub fn head(title: &str, media: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n\
         <meta name=viewport content=\"width=device-width, initial-scale=1\">\n\
         <meta name=color-scheme content=\"light dark\">\n\
         <meta http-equiv=Content-Security-Policy content=\"default-src 'none'; img-src data:; media-src {media}; \
         style-src 'unsafe-inline'\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n"
    )
}

/// A page from the end of its content.
pub fn foot() -> String {
    format!("</main>\n<footer>Made by barkclone {}.</footer>\n</body>\n</html>\n", env!("CARGO_PKG_VERSION"))
}

/// Text as HTML, in and out of attributes.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(c),
        }
    }
    escaped
}

fn contents(page: &mut String, pictures: &[Picture]) -> Result<()> {
    writeln!(page, "<h1>{} recordings</h1>\n<nav><ul>", pictures.len())?;
    for (id, picture) in pictures.iter().enumerate() {
        writeln!(page, "<li>{} <a href=\"#r{id}\">{}</a></li>", chip(picture.report.worst), escape(&picture.name))?;
    }
    page.push_str("</ul></nav>\n");
    Ok(())
}

fn section(page: &mut String, picture: &Picture, id: usize) -> Result<()> {
    let report = &picture.report;
    let channels = match report.channels {
        1 => "mono".to_owned(),
        n => format!("{n} channels"),
    };
    writeln!(page, "<article id=r{id}>\n<header>\n<h2>{}</h2>", escape(&picture.name))?;
    writeln!(page, "<p class=facts>{:.1} s · {} Hz · {channels}</p>", report.seconds, report.rate)?;
    writeln!(page, "<p class=verdict>{} {}</p>\n</header>", chip(report.worst), report.verdict())?;
    writeln!(page, "<figure><div class=scroll>{}</div></figure>", svg::draw(picture, id)?)?;
    findings(page, &report.findings)?;
    measures(page, report)?;
    page.push_str("</article>\n");
    Ok(())
}

/// How bad something is, as a label.
pub fn chip(level: Option<Level>) -> String {
    let (class, text) = match level {
        None => ("good", "good"),
        Some(Level::Note) => ("note", "note"),
        Some(Level::Warning) => ("warning", "warning"),
        Some(Level::Bad) => ("bad", "bad"),
    };
    format!("<span class=\"chip {class}\">{text}</span>")
}

fn findings(page: &mut String, findings: &[Finding]) -> Result<()> {
    page.push_str("<h3>Findings</h3>\n");
    if findings.is_empty() {
        page.push_str("<p>Nothing is wrong with it.</p>\n");
        return Ok(());
    }
    page.push_str("<ul class=findings>\n");
    for finding in findings {
        writeln!(page, "<li>{}<div><strong>{}</strong>", chip(Some(finding.level)), finding.what)?;
        if let Some(confidence) = finding.confidence {
            write!(page, " <span class=hint>a hint, {:.0} % sure</span>", 100.0 * confidence)?;
        }
        write!(page, "<p>{}{}.</p>", sentence(&finding.message), places(finding))?;
        writeln!(page, "<p class=advice>{}.</p></div></li>", sentence(&finding.advice))?;
    }
    page.push_str("</ul>\n");
    Ok(())
}

/// The first few places of a finding.
fn places(finding: &Finding) -> String {
    const SHOWN: usize = 4;
    if finding.at.is_empty() {
        return String::new();
    }
    let shown: Vec<_> = finding.at.iter().take(SHOWN).map(|at| format!("{:.1} to {:.1} s", at.start, at.end)).collect();
    let more = finding.at.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more places") } else { String::new() };
    format!(" ({}{more})", shown.join(", "))
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    escape(&format!("{first}{}", chars.as_str()))
}

/// Name, value and what is usual.
fn measures(page: &mut String, report: &Report) -> Result<()> {
    page.push_str("<h3>Measures</h3>\n<dl>\n");
    for row in report.table() {
        let (name, value, usual) = (escape(row.name), escape(&row.value), escape(row.usual));
        writeln!(page, "<div><dt>{name}</dt><dd>{value}</dd><dd class=usual>good: {usual}</dd></div>")?;
    }
    page.push_str("</dl>\n");
    if report.start > 0.0 {
        writeln!(page, "<p>Only what follows {} s was looked at.</p>", seconds(report.start))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_become_markup() {
        assert_eq!(escape("<b a=\"'\">&"), "&lt;b a=&quot;&#39;&quot;&gt;&amp;");
    }
}
