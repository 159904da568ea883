//! How the files of many utterances are named.

use crate::audio::{refuse_unwritten, unwritten};
use crate::error::{Error, Kind};
use crate::output::slug;
use anyhow::{Result, bail, ensure};
use std::path::{Component, Path, PathBuf};

/// A name with places for what differs: `{index:05}-{slug}`. It may hold folders.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    parts: Vec<Part>,
    /// What the names may end with, without the dots, and which of them where none is given.
    endings: &'static [&'static str],
    ending: &'static str,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(String),
    /// Zero-padded to this width.
    Index(usize),
    Slug,
    Stem,
    Id,
    Seed,
    Voice,
}

/// What a name is made of.
pub struct Named<'a> {
    pub index: u64,
    pub id: &'a str,
    /// The text, or the name of the recording.
    pub title: &'a str,
    pub seed: u64,
    /// As it was asked for; `None`: a random one.
    pub voice: Option<&'a str>,
}

impl Template {
    /// Names end with one of `endings`: with that of the template, or with the first.
    ///
    /// # Errors
    /// A place of another name, a brace without its other, a name that leaves the folder, or an ending that is none of
    /// those and comes of no place.
    pub fn parse(template: &str, endings: &'static [&'static str]) -> Result<Self> {
        let mut parts = Vec::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            let (place, after) = after.split_once('}').ok_or_else(|| unfit(template, "`{` without `}`"))?;
            parts.push(Part::Text(before.to_owned()));
            parts.push(part(place).ok_or_else(|| {
                unfit(
                    template,
                    &format!(
                        "`{{{place}}}` is none of {{index}}, {{index:05}}, {{slug}}, {{stem}}, {{id}}, {{seed}}, \
                         {{voice}}"
                    ),
                )
            })?);
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        let template_is_whole = !parts.iter().any(|p| matches!(p, Part::Text(text) if text.contains('}')));
        ensure!(template_is_whole, unfit(template, "`}` without `{`"));
        let ending = ending_of(Path::new(template), endings).or(endings.first().copied()).unwrap_or_default();
        let this = Self { parts, endings, ending };
        let example = Named { index: 1, id: "id", title: "title", seed: 1, voice: None };
        this.path(&example, 1).map_err(|error| unfit(template, &error.to_string()))?;
        let file = Path::new(template);
        let other = file.extension().is_some_and(|own| !own.to_string_lossy().contains('{'));
        let known = !other || ending_of(file, endings).is_some();
        ensure!(known, Kind::Usage.error(format!("--names {}", unwritten(file, endings))));
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let alone =
            name.strip_prefix('.').is_some_and(|rest| endings.iter().any(|known| known.eq_ignore_ascii_case(rest)));
        ensure!(!alone, unfit(template, "an ending without a name before it"));
        Ok(this)
    }

    /// The path below the output folder; `number` above 1 tells apart what would have the same name.
    pub fn path(&self, named: &Named, number: u64) -> Result<PathBuf> {
        let mut name: String = self.parts.iter().map(|part| part.fill(named)).collect();
        if number > 1 {
            let ending = format!(".{}", self.ending);
            let stem = name.strip_suffix(&ending).unwrap_or(&name);
            name = format!("{stem}-{number}");
        }
        self.below(&name, &[self.ending])
    }

    /// What the names end with, without the dot, unless they are given one by one.
    pub fn ending(&self) -> &'static str {
        self.ending
    }

    /// The path below a folder of a name that is given, with one of the endings; refused if it leads out of it.
    pub fn inside(&self, name: &str) -> Result<PathBuf> {
        refuse_unwritten(Path::new(name), self.endings)?;
        self.below(name, self.endings)
    }

    fn below(&self, name: &str, endings: &[&'static str]) -> Result<PathBuf> {
        let path = Path::new(name);
        let stays = path.components().all(|c| matches!(c, Component::Normal(_)));
        let ends = path.file_name().is_some() && !name.ends_with(['/', '\\']) && !name.contains(char::is_control);
        if !stays || !ends {
            bail!(Kind::Input.error(format!("`{name}`: expected a file name, or a path below the output folder")));
        }
        ensure!(
            path.components().all(|c| c.as_os_str().len() <= 250),
            Kind::Input.error(format!("`{name}`: the name is too long"))
        );
        let whole = ending_of(path, endings).is_some();
        Ok(if whole { path.to_owned() } else { PathBuf::from(format!("{name}.{}", self.ending)) })
    }
}

/// The one of `endings` that `path` has.
fn ending_of(path: &Path, endings: &[&'static str]) -> Option<&'static str> {
    let ending = path.extension()?;
    endings.iter().copied().find(|known| ending.eq_ignore_ascii_case(known))
}

impl Part {
    fn fill(&self, named: &Named) -> String {
        match self {
            Part::Text(text) => text.clone(),
            Part::Index(width) => format!("{:0width$}", named.index),
            Part::Slug => slug(named.title),
            Part::Stem => plain(named.title),
            Part::Id => plain(named.id),
            Part::Seed => named.seed.to_string(),
            Part::Voice => match named.voice {
                None => "random".to_owned(),
                Some(voice) => {
                    plain(voice.strip_suffix(".npz").map_or(voice, |v| v.rsplit(['/', '\\']).next().unwrap_or(v)))
                }
            },
        }
    }
}

fn part(place: &str) -> Option<Part> {
    Some(match place {
        "slug" => Part::Slug,
        "stem" => Part::Stem,
        "id" => Part::Id,
        "seed" => Part::Seed,
        "voice" => Part::Voice,
        "index" => Part::Index(0),
        _ => Part::Index(place.strip_prefix("index:")?.parse().ok().filter(|&width| width <= 20)?),
    })
}

/// The name of a take that is kept beside the best: `ola.2.wav` of `ola.wav`.
pub fn ranked(path: &Path, rank: usize) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_os_string();
    name.push(format!(".{rank}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

/// What a file name cannot hold becomes `-`, on any system.
fn plain(text: &str) -> String {
    let odd = |c: char| c.is_control() || "/\\:*?\"<>|".contains(c);
    let plain: String = text.chars().map(|c| if odd(c) { '-' } else { c }).collect();
    plain.strip_prefix('.').map(|rest| format!("_{rest}")).unwrap_or(plain)
}

fn unfit(template: &str, why: &str) -> Error {
    Kind::Usage.error(format!("--names {template}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::ENDINGS;

    fn named(template: &str, number: u64) -> String {
        let named = Named { index: 7, id: "a/b", title: "Olá, mundo!", seed: 42, voice: Some("voices/ana.npz") };
        Template::parse(template, &ENDINGS).unwrap().path(&named, number).unwrap().to_str().unwrap().to_owned()
    }

    #[test]
    fn places_are_filled() {
        assert_eq!(named("{index:05}-{slug}", 1), "00007-ola-mundo.wav");
        assert_eq!(named("{voice}/{id}_{seed}.wav", 1), "ana/a-b_42.wav");
        assert_eq!(named("{slug}", 3), "ola-mundo-3.wav");
        assert_eq!(named("{slug}.wav", 3), "ola-mundo-3.wav");
        assert_eq!(named("{index}.flac", 1), "7.flac");
        assert_eq!(named("{slug}.mp3", 3), "ola-mundo-3.mp3");
        assert_eq!(named("v1.{index}", 1), "v1.7.wav");
        assert_eq!(named(".{slug}", 1), ".ola-mundo.wav");
        assert_eq!(named("{stem}", 1), "Olá, mundo!.wav");
    }

    #[test]
    fn takes_are_named_by_rank() {
        assert_eq!(ranked(Path::new("a/ola.wav"), 2), Path::new("a/ola.2.wav"));
        assert_eq!(ranked(Path::new("v1.0"), 12), Path::new("v1.12.0"));
        assert_eq!(ranked(Path::new("ola"), 3), Path::new("ola.3"));
    }

    #[test]
    fn templates_that_make_no_name_are_refused() {
        for template in [
            "{text}",
            "{index",
            "index}",
            "{index:99}",
            "../{index}",
            "/tmp/{index}",
            "",
            "{id}/",
            "a/./../b",
            "{slug}.ogg",
            "{stem}.AAC",
            "{index}.xyz",
            "{index}-{slug}.srt",
            "a. b",
            ".mp3",
            "{slug}/.WAV",
        ] {
            let error = Template::parse(template, &ENDINGS).unwrap_err().to_string();
            assert!(error.contains(&format!("--names {template}:")), "{error}");
        }
    }

    #[test]
    fn names_from_jobs_stay_in_the_folder() {
        let names = Template::parse("{id}", &ENDINGS).unwrap();
        let inside = |name: &str| names.inside(name);
        assert_eq!(inside("a/b.WAV").unwrap(), Path::new("a/b.WAV"));
        assert_eq!(inside("v1.0").unwrap(), Path::new("v1.0.wav"));
        assert_eq!(inside("a.opus").unwrap(), Path::new("a.opus"));
        for name in ["", "..", "../x", "/x", "a/../../x", "x/", "a\0b", "z.ogg", "a/z.WebM"] {
            assert!(inside(name).is_err(), "{name}");
        }
        assert_eq!(plain("../x"), "_.-x");
    }
}
