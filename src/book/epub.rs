//! EPUB -> chapters of text: its documents in the order of its spine, under the titles of its table of contents.

use super::xhtml::text_of;
use crate::error::Kind;
use anyhow::{Context, Result, ensure};
use rbook::Epub;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use zip::ZipArchive;

/// Most bytes that one file of the archive may unpack to, that all of them may, and that all text may have: a small
/// archive can be made that unpacks without end.
const MOST: (u64, u64, usize) = (128 << 20, 1 << 30, 64 << 20);

/// What every EPUB begins with.
const CONTAINER: &str = "META-INF/container.xml";

/// A chapter of a book.
#[derive(Clone, Debug, PartialEq)]
pub struct Chapter {
    /// From 1, among all chapters of the book.
    pub number: usize,
    pub title: String,
    /// Its text, with directives for pauses after headings.
    pub text: String,
}

/// Reads all chapters that have a text, if only a picture of letters. A document that the table of contents does not name belongs to the one before
/// it.
///
/// # Errors
/// What is no EPUB, is protected, or is larger than any book; they name the file.
pub fn epub(path: &Path) -> Result<Vec<Chapter>> {
    let shown = path.display();
    check_size(path).with_context(|| Kind::Input.error(format!("{shown}: cannot be read as an EPUB")))?;
    let book = Epub::open(path).map_err(|error| {
        let why = anyhow::Error::new(error).root_cause().to_string();
        Kind::Input.error(format!("{shown}: cannot be read as an EPUB: {why}"))
    })?;
    let titles = titles(&book);
    let mut chapters: Vec<Chapter> = Vec::new();
    let mut bytes = 0;
    for entry in book.spine().iter() {
        let Some(document) = entry.manifest_entry().filter(|document| !document.properties().has_property("nav"))
        else {
            continue;
        };
        let name = document.href().as_str().to_owned();
        let protected = || Kind::Input.error(format!("{shown}: {name} cannot be read; is the book protected (DRM)?"));
        let text = text_of(&document.read_str().with_context(protected)?);
        bytes += text.text.len();
        ensure!(bytes <= MOST.2, Kind::Input.error(format!("{shown}: more than {} MiB of text", MOST.2 >> 20)));
        let title = titles.get(path_of(&name)).cloned();
        match chapters.last_mut() {
            Some(chapter) if title.is_none() && !titles.is_empty() => chapter.text.push_str(&text.text),
            _ => {
                chapters.push(Chapter { number: 0, title: title.or(text.heading).unwrap_or_default(), text: text.text })
            }
        }
    }
    chapters.retain(|chapter| !chapter.text.trim().is_empty());
    ensure!(!chapters.is_empty(), Kind::Input.error(format!("{shown}: there is nothing to say")));
    (1..).zip(&mut chapters).for_each(|(number, chapter)| chapter.number = number);
    Ok(chapters)
}

/// The titles of the table of contents, by the documents that they stand for.
fn titles(book: &Epub) -> HashMap<String, String> {
    let mut titles = HashMap::new();
    for entry in book.toc().contents().iter().flat_map(|contents| contents.flatten()) {
        let title = entry.label().split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some(href) = entry.href().filter(|_| !title.is_empty()) {
            titles.entry(path_of(href.as_str()).to_owned()).or_insert(title);
        }
    }
    titles
}

/// A reference without its fragment.
fn path_of(href: &str) -> &str {
    href.split(['#', '?']).next().unwrap_or(href)
}

/// Refuses an archive that is no EPUB, or that unpacks to more than any book: what it says of its sizes need not be true.
fn check_size(path: &Path) -> Result<()> {
    let mut archive = ZipArchive::new(File::open(path)?)?;
    ensure!(archive.index_for_name(CONTAINER).is_some(), "it is another ZIP archive, without {CONTAINER}");
    let mut all = 0;
    for index in 0..archive.len() {
        let mut file = archive.by_index(index)?;
        let bytes = io::copy(&mut file.by_ref().take(MOST.0 + 1), &mut io::sink())?;
        all += bytes;
        ensure!(bytes <= MOST.0, "file {index} of it unpacks to more than {} MiB", MOST.0 >> 20);
        ensure!(all <= MOST.1, "it unpacks to more than {} MiB", MOST.1 >> 20);
    }
    Ok(())
}
