//! A report as a page to listen to: each text with its sounds, what may not sound right in them, their seeds, and the
//! command that makes them once more. What has one text and one seed stands side by side.

use super::merge::{Summary, summary};
use super::record::Record;
use crate::error::Kind;
use crate::output::{self, Sink};
use crate::sound::Level;
use crate::sound::page::{chip, escape, foot, head};
use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::io::Write;
use std::path::{Component, Path, PathBuf};

/// Most sound that a page holds unless it is asked to hold all, bytes.
const MOST_EMBEDDED: u64 = 64 << 20;
/// Sounds by the endings of their names, and what browsers call them.
const TYPES: [(&str, &str); 7] = [
    ("wav", "audio/wav"),
    ("flac", "audio/flac"),
    ("opus", "audio/ogg"),
    ("ogg", "audio/ogg"),
    ("mp3", "audio/mpeg"),
    ("m4a", "audio/mp4"),
    ("aac", "audio/aac"),
];

/// Where a page's sounds are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sounds {
    /// In it, where they are not too many; else in their files.
    Auto,
    Embedded,
    Linked,
}

/// Writes the page `out` about `report`, whose sounds lie in `folder`; whether it holds them.
///
/// # Errors
/// Kind [`Kind::Input`]: the file is no report; [`Kind::Output`]: `out` cannot be written, or exists.
pub fn page(report: &Path, folder: &Path, out: &Path, (sounds, force): (Sounds, bool)) -> Result<bool> {
    let mut records = Vec::new();
    let sum = summary(&[report.to_owned()], |record| {
        records.push(record.clone());
        Ok(())
    })?;
    records.sort_by_key(|record| record.index);
    let embedded = match sounds {
        Sounds::Auto => sum.bytes <= MOST_EMBEDDED,
        asked => asked == Sounds::Embedded,
    };
    let way = if embedded { None } else { Some(way(out.parent().unwrap_or(Path::new("")), folder)?) };
    let page = Page { folder, way };
    output::write_atomically(out, force, |sink| page.write(report, &records, &sum, sink))?;
    Ok(embedded)
}

struct Page<'a> {
    folder: &'a Path,
    /// From the page's folder to the sounds', as a link has it; none: the page holds them.
    way: Option<String>,
}

impl Page<'_> {
    fn write(&self, report: &Path, records: &[Record], sum: &Summary, sink: &mut Sink) -> Result<()> {
        let (shown, media) =
            (escape(&report.to_string_lossy()), if self.way.is_some() { "file: 'self'" } else { "data:" });
        sink.write_all(head(&format!("{shown} · barkclone"), media).as_bytes())?;
        let doubtful =
            if sum.doubtful > 0 { format!(" · {} may not sound right", sum.doubtful) } else { String::new() };
        let failed = if sum.failed > 0 { format!(" · {} failed", sum.failed) } else { String::new() };
        writeln!(
            sink,
            "<h1>{shown}</h1>\n<p class=facts>{} done{failed}{doubtful} · {:.0} s</p>",
            sum.done, sum.seconds
        )?;
        contents(records, sink)?;
        for side_by_side in records.chunk_by(|a, b| a.text == b.text && a.seed == b.seed && !a.text.is_empty()) {
            self.article(side_by_side, sink)?;
        }
        Ok(sink.write_all(foot().as_bytes())?)
    }

    fn article(&self, records: &[Record], sink: &mut Sink) -> Result<()> {
        let Some(first) = records.first() else { return Ok(()) };
        let (place, title) = (escape(&first.place()), escape(&first.text));
        writeln!(sink, "<article class=spoken>\n<p class=facts>{place}</p>\n<h2>{title}</h2>")?;
        sink.write_all(b"<div class=takes>\n")?;
        for record in records {
            sink.write_all(self.take(record)?.as_bytes())?;
        }
        Ok(sink.write_all(b"</div>\n</article>\n")?)
    }

    /// One sound.
    fn take(&self, record: &Record) -> Result<String> {
        let mut html = format!("<section class=take id=n{}>\n", record.index);
        if let Some(source) = self.source(record)? {
            writeln!(html, "<audio controls preload=none src=\"{source}\"></audio>")?;
        }
        let facts = [record.voice.clone(), record.seed.map(|seed| format!("seed {seed}")), record.out.clone()];
        let facts: Vec<_> = facts.iter().flatten().map(|fact| escape(fact)).collect();
        let seconds = record.seconds.map_or(String::new(), |seconds| format!(" · {seconds:.1} s"));
        writeln!(html, "<p class=facts>{}{seconds}</p>", facts.join(" · "))?;
        let faults = record.findings.iter().map(|finding| (Level::Warning, &finding.message));
        let gone = "its file is gone".to_owned();
        let missing = record.out.as_ref().is_some_and(|out| record.error.is_none() && !self.folder.join(out).is_file());
        let errors = record.error.iter().chain(missing.then_some(&gone)).map(|error| (Level::Bad, error));
        for (level, message) in faults.chain(errors) {
            writeln!(html, "<p>{} {}</p>", chip(Some(level)), escape(message))?;
        }
        writeln!(html, "<p class=facts>Once more:</p><code>{}</code>\n</section>", escape(&again(record)))?;
        Ok(html)
    }

    /// What a player plays; none of what is gone, or no sound.
    fn source(&self, record: &Record) -> Result<Option<String>> {
        let Some(out) = record.out.as_ref().filter(|_| record.error.is_none()) else { return Ok(None) };
        let path = self.folder.join(out);
        let (Some(kind), true) = (kind(&path), path.is_file()) else { return Ok(None) };
        if let Some(way) = &self.way {
            return Ok(Some(format!("{way}{}", link(Path::new(out)))));
        }
        let unreadable = || Kind::Input.error(format!("{}: cannot be read", path.display()));
        Ok(Some(format!("data:{kind};base64,{}", STANDARD.encode(fs::read(&path).with_context(unreadable)?))))
    }
}

/// Links to what failed or may not sound right, the worst first.
fn contents(records: &[Record], sink: &mut Sink) -> Result<()> {
    let mut bad: Vec<_> = records.iter().filter(|record| record.error.is_some() || record.faults() > 0).collect();
    bad.sort_by_key(|record| (record.error.is_none(), std::cmp::Reverse(record.faults())));
    if bad.is_empty() {
        return Ok(());
    }
    sink.write_all(b"<nav><ul>\n")?;
    for record in bad {
        let level = if record.error.is_some() { Level::Bad } else { Level::Warning };
        let (place, text) = (escape(&record.place()), escape(&record.text));
        writeln!(sink, "<li>{} <a href=\"#n{}\">{place}</a> {text}</li>", chip(Some(level)), record.index)?;
    }
    Ok(sink.write_all(b"</ul></nav>\n")?)
}

/// The command that makes it once more; what failed is tried again by the same command.
fn again(record: &Record) -> String {
    let command = record.command.as_deref().unwrap_or("the same command with");
    match record.error {
        Some(_) => command.to_owned(),
        None => format!("{command} --redo {}", record.line),
    }
}

fn kind(path: &Path) -> Option<&'static str> {
    let ending = path.extension().and_then(OsStr::to_str)?.to_ascii_lowercase();
    BTreeMap::from(TYPES).get(ending.as_str()).copied()
}

/// How a page in the folder `from` refers to the folder `to`.
fn way(from: &Path, to: &Path) -> Result<String> {
    let whole = |path: &Path| {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        path.canonicalize().with_context(|| Kind::Input.error(format!("{}: cannot be read", path.display())))
    };
    let (from, to) = (whole(from)?, whole(to)?);
    let common = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let up = "../".repeat(from.components().count() - common);
    let down: PathBuf = to.components().skip(common).collect();
    let down = link(&down);
    Ok(if down.is_empty() { up } else { format!("{up}{down}/") })
}

/// A relative path as a link: what could mean something else is escaped.
fn link(path: &Path) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let name = |bytes: &[u8]| {
        bytes.iter().fold(String::new(), |mut link, &byte| {
            // Writing to a String cannot fail.
            let _ = if plain(byte) { write!(link, "{}", char::from(byte)) } else { write!(link, "%{byte:02X}") };
            link
        })
    };
    let names = path.components().filter_map(|part| match part {
        Component::Normal(part) => Some(name(part.as_encoded_bytes())),
        _ => None,
    });
    names.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_finds_its_sounds_from_wherever_it_lies() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        fs::create_dir_all(place("out/é b")).unwrap();
        assert_eq!(way(&place("out"), &place("out")).unwrap(), "");
        assert_eq!(way(folder.path(), &place("out/é b")).unwrap(), "out/%C3%A9%20b/");
        assert_eq!(way(&place("out/é b"), folder.path()).unwrap(), "../../");
        assert_eq!(link(Path::new("a#1/b?.wav")), "a%231/b%3F.wav");
    }
}
