//! The list of models known by name (`models.toml`): reading, checking, looking up.
//! A registry may come from anywhere, so everything that becomes a path or a URL is checked here.

use crate::error::{Kind, did_you_mean};
use crate::library::{Shelf, is_alike};
use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

const BUILT_IN: &str = include_str!("../../models.toml");
/// Registries are small; anything larger is another file given by mistake.
const MAX_REGISTRY_BYTES: u64 = 4 << 20;

/// What a model is used as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelKind {
    Bark,
    Codec,
    Hubert,
    Quantizer,
    Tokenizer,
    Voices,
    Speaker,
    Recogniser,
}

impl fmt::Display for ModelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ModelKind::Bark => "bark",
            ModelKind::Codec => "codec",
            ModelKind::Hubert => "hubert",
            ModelKind::Quantizer => "quantizer",
            ModelKind::Tokenizer => "tokenizer",
            ModelKind::Voices => "voices",
            ModelKind::Speaker => "speaker",
            ModelKind::Recogniser => "recogniser",
        })
    }
}

/// One published file and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFile {
    /// Path within the repository.
    pub file: String,
    /// Exact size in bytes; enforced where the entry's revision is a commit, else a quote.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// A rounded size in bytes, for messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about_bytes: Option<u64>,
    /// SHA-256, 64 lower-case hex digits; enforced where the entry's revision is a commit, else a quote.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The first digits of the SHA-256, as they were quoted somewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256_prefix: Option<String>,
}

impl ModelFile {
    /// The best known size in bytes, exact or rounded.
    pub fn bytes(&self) -> Option<u64> {
        self.size.or(self.about_bytes)
    }

    /// The known digits of the SHA-256: all, some, or none.
    pub fn sha256_start(&self) -> &str {
        self.sha256.as_deref().or(self.sha256_prefix.as_deref()).unwrap_or_default()
    }
}

/// One model of the registry.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub name: String,
    pub kind: ModelKind,
    /// Within the program itself: no files.
    #[serde(default)]
    pub builtin: bool,
    /// `owner/name` on the hub.
    #[serde(default)]
    pub repo: String,
    /// Branch, tag or commit.
    #[serde(default)]
    pub revision: String,
    #[serde(default)]
    pub format: String,
    /// The file to hand to a loader, where the folder is shared by several models.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub main: Option<String>,
    pub licence: String,
    pub purpose: String,
    /// Patterns of preset names, for voices: `{lang}` and `{0-9}` stand for their choices.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub presets: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub languages: Vec<String>,
    #[serde(default)]
    pub files: Vec<ModelFile>,
    /// Other repositories that hold the same files, tried in order where this one is gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mirrors: Vec<Mirror>,
}

/// Another repository with the files of an entry.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Mirror {
    /// `owner/name` on the hub.
    pub repo: String,
    #[serde(default = "main_branch")]
    pub revision: String,
    /// What the file is called there; only for entries of one file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

fn main_branch() -> String {
    "main".to_string()
}

impl Entry {
    /// Every preset name of a voices entry, in the registry's order.
    pub fn preset_names(&self) -> Vec<String> {
        let digits: Vec<String> = (0..10).map(|d| d.to_string()).collect();
        let spread = |names: Vec<String>, slot: &str, choices: &[String]| -> Vec<String> {
            let one = |name: String| match name.contains(slot) {
                true => choices.iter().map(|choice| name.replace(slot, choice)).collect(),
                false => vec![name],
            };
            names.into_iter().flat_map(one).collect()
        };
        spread(spread(self.presets.clone(), "{lang}", &self.languages), "{0-9}", &digits)
    }

    /// The three arrays (semantic, coarse, fine) of one preset as an entry of its own.
    pub fn preset(&self, name: &str) -> Entry {
        let file = |f: &ModelFile| ModelFile { file: f.file.replace("{preset}", name), ..f.clone() };
        Entry {
            name: name.to_string(),
            purpose: format!("the voice {name}"),
            presets: Vec::new(),
            languages: Vec::new(),
            files: self.files.iter().map(file).collect(),
            ..self.clone()
        }
    }

    /// Every file by its full name: those of all presets, for voices.
    pub fn all_files(&self) -> Vec<ModelFile> {
        match self.presets.is_empty() {
            true => self.files.clone(),
            false => self.preset_names().iter().flat_map(|name| self.preset(name).files).collect(),
        }
    }

    /// The entry as published, then as each of its mirrors has it.
    pub fn places(&self) -> Vec<Entry> {
        let at = |mirror: &Mirror| {
            let renamed = |file: &ModelFile| ModelFile {
                file: mirror.file.clone().unwrap_or_else(|| file.file.clone()),
                ..file.clone()
            };
            Entry {
                repo: mirror.repo.clone(),
                revision: mirror.revision.clone(),
                files: self.files.iter().map(renamed).collect(),
                main: self.main.clone().filter(|_| mirror.file.is_none()),
                mirrors: Vec::new(),
                ..self.clone()
            }
        };
        std::iter::once(self.clone()).chain(self.mirrors.iter().map(at)).collect()
    }

    /// The known size of all files in bytes, and whether that is exact; `None` if no size is known.
    pub fn bytes(&self) -> Option<(u64, bool)> {
        let known: Vec<u64> = self.files.iter().filter_map(ModelFile::bytes).collect();
        let exact = self.files.iter().all(|f| f.size.is_some());
        (!known.is_empty()).then(|| (known.iter().fold(0u64, |sum, &n| sum.saturating_add(n)), exact))
    }

    fn check(&self) -> Result<()> {
        let name = &self.name;
        ensure!(!name.is_empty() && !name.chars().any(char::is_whitespace), "`{name}` is not a model name");
        if self.builtin {
            ensure!(self.files.is_empty() && self.repo.is_empty(), "`{name}` is built in, so it has no repo and files");
            return Ok(());
        }
        let safe_repo = self.repo.split('/').count() == 2 && is_plain_path(&self.repo);
        ensure!(safe_repo, "`{name}`: repo `{}` is not of the form owner/name", self.repo);
        ensure!(is_plain_path(&self.revision), "`{name}`: revision `{}` is not a branch or commit", self.revision);
        ensure!(!self.files.is_empty(), "`{name}` has no files");
        self.files.iter().try_for_each(|f| check_file(f).with_context(|| format!("`{name}`: file `{}`", f.file)))?;
        for mirror in &self.mirrors {
            let one = mirror.file.is_none() || self.files.len() == 1;
            let named = mirror.file.as_deref().is_none_or(is_plain_path);
            let safe = mirror.repo.split('/').count() == 2 && is_plain_path(&mirror.repo);
            ensure!(
                one && named && safe && is_plain_path(&mirror.revision),
                "`{name}`: mirror `{}` is not of the form owner/name, or renames more than one file",
                mirror.repo
            );
        }
        if let Some(main) = &self.main {
            ensure!(self.files.iter().any(|f| &f.file == main), "`{name}`: main `{main}` is none of its files");
        }
        self.check_presets()
    }

    fn check_presets(&self) -> Result<()> {
        let name = &self.name;
        if self.kind != ModelKind::Voices {
            ensure!(self.presets.is_empty(), "`{name}`: only voices have presets");
            return Ok(());
        }
        ensure!(self.files.len() == 3, "`{name}`: voices need three files: semantic, coarse, fine");
        ensure!((1..=100).contains(&self.presets.len()), "`{name}`: voices need 1 to 100 `presets`");
        ensure!(self.languages.len() <= 200, "`{name}`: at most 200 languages");
        let preset_names = self.preset_names();
        let plain = preset_names.iter().find(|p| !is_plain_path(p));
        ensure!(plain.is_none(), "`{name}`: `{}` is not a preset name", plain.map_or("", |p| p));
        Ok(())
    }
}

fn check_file(file: &ModelFile) -> Result<()> {
    ensure!(is_plain_path(&file.file.replace("{preset}", "x")), "not a relative path");
    let is_hex = |s: &str| s.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'));
    if let Some(sha256) = &file.sha256 {
        ensure!(sha256.len() == 64 && is_hex(sha256), "sha256 must be 64 lower-case hex digits");
    }
    if let Some(prefix) = &file.sha256_prefix {
        ensure!((1..=64).contains(&prefix.len()) && is_hex(prefix), "sha256_prefix must be lower-case hex digits");
    }
    Ok(())
}

/// Whether `path` is safe below a folder and in a URL: relative, `/` between plain names, no `.` or `..`.
pub(super) fn is_plain_path(path: &str) -> bool {
    let plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+'))
    };
    path.split('/').all(plain)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listing {
    model: Vec<Entry>,
}

/// The known models.
#[derive(Clone, Debug)]
pub struct Registry {
    entries: Vec<Entry>,
}

impl Registry {
    /// The registry that this program was built with.
    pub fn builtin() -> Result<Self> {
        Self::parse(BUILT_IN).with_context(|| Kind::Model.error("the built-in models.toml"))
    }

    /// A registry file of the form of `models.toml`.
    pub fn load(path: &Path) -> Result<Self> {
        let shown = path.display();
        let unreadable = || Kind::Usage.error(format!("--registry {shown}: cannot be read"));
        let size = std::fs::metadata(path).with_context(unreadable)?.len();
        ensure!(size <= MAX_REGISTRY_BYTES, Kind::Usage.error(format!("--registry {shown}: too large for a registry")));
        let text = std::fs::read_to_string(path).with_context(unreadable)?;
        Self::parse(&text).with_context(|| Kind::Usage.error(format!("--registry {shown}: not a model registry")))
    }

    fn parse(text: &str) -> Result<Self> {
        let entries = toml::from_str::<Listing>(text)?.model;
        entries.iter().try_for_each(Entry::check)?;
        let mut seen = BTreeSet::new();
        for entry in &entries {
            // Published models are told apart by name alone, so that `models fetch NAME` needs no kind.
            let kind = entry.builtin.then_some(entry.kind);
            ensure!(seen.insert((entry.name.as_str(), kind)), "two models are named `{}`", entry.name);
        }
        Ok(Self { entries })
    }

    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The model `name` of that kind, else an error that lists the names of the kind, and those of the user's `own`.
    pub fn find(&self, kind: ModelKind, name: &str, own: &[String]) -> Result<&Entry> {
        let of_kind = || self.entries.iter().filter(|e| e.kind == kind);
        if let Some(entry) = of_kind().find(|e| e.name == name) {
            return Ok(entry);
        }
        let names: Vec<&str> = of_kind().map(|e| e.name.as_str()).chain(own.iter().map(String::as_str)).collect();
        let hint = match (speaking(of_kind(), name), self.entries.iter().find(|e| e.name == name)) {
            (None, Some(other)) => format!(", which is a {}", other.kind),
            (spoken, _) => suggestion(spoken, name, &names),
        };
        bail!(Kind::Model.error(format!("no {kind} is named `{name}`{hint}; the names are: {}", names.join(", "))))
    }

    /// Every model of that name, of any kind; a voice preset counts as a model. The error lists the user's `own` names
    /// too.
    pub fn named(&self, name: &str, own: &[String]) -> Result<Vec<Entry>> {
        let found: Vec<Entry> = self.entries.iter().filter(|e| e.name == name).cloned().collect();
        if !found.is_empty() {
            return Ok(found);
        }
        if let Ok(preset) = self.preset(name, &[]) {
            return Ok(vec![preset]);
        }
        let mut names: Vec<String> = self.entries.iter().map(|e| e.name.clone()).chain(own.iter().cloned()).collect();
        let listed = names.clone();
        names.extend(self.preset_names());
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let hint = suggestion(speaking(self.entries.iter(), name), name, &names);
        bail!(Kind::Usage.error(format!("no model is named `{name}`{hint}; the names are: {}", unique(&listed))))
    }

    /// Refuses a name of the user's own that a published model or voice has, however it is written ([`is_alike`]). A
    /// voice may be called as a model.
    pub fn check_free(&self, shelf: Shelf, name: &str) -> Result<()> {
        let models = self.entries.iter().filter(|_| shelf == Shelf::Quantizers).map(|entry| entry.name.clone());
        let voices = self.preset_names().map(|voice| (voice, "voice"));
        let taken = models.map(|model| (model, "model")).chain(voices).find(|(other, _)| is_alike(other, name));
        match taken {
            Some((other, what)) => {
                bail!(Kind::Usage.error(format!("`{other}` is a published {what}'s name: choose another one")))
            }
            None => Ok(()),
        }
    }

    fn preset_names(&self) -> impl Iterator<Item = String> {
        self.entries.iter().flat_map(Entry::preset_names)
    }

    /// The three files of the voice preset `name` as an entry; the error lists the voices that are `kept`, too.
    pub fn preset(&self, name: &str, kept: &[String]) -> Result<Entry> {
        let voices = || self.entries.iter().filter(|e| e.kind == ModelKind::Voices);
        if let Some(entry) = voices().find(|e| e.preset_names().iter().any(|p| p == name)) {
            return Ok(entry.preset(name));
        }
        let names: Vec<String> = self.preset_names().chain(kept.iter().cloned()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let kept = if kept.is_empty() { String::new() } else { format!("one that is kept ({}), ", kept.join(", ")) };
        let patterns: Vec<String> = voices().flat_map(|e| e.presets.clone()).collect();
        let languages: Vec<String> = voices().flat_map(|e| e.languages.clone()).collect();
        bail!(Kind::Input.error(format!(
            "no voice is named `{name}`{}; it is a voice file's path, {kept}or a preset: {}, lang one of {}",
            did_you_mean(name, &names),
            patterns.join(", "),
            languages.join(", ")
        )))
    }
}

/// The model of the language that is called `name`, such as `pt-BR`, `br` or `Portuguese`.
fn speaking<'a>(mut entries: impl Iterator<Item = &'a Entry>, name: &str) -> Option<&'a Entry> {
    let language = name.to_lowercase();
    // Of `pt-BR` and `pt_PT` the language.
    let alone = language.split(['-', '_']).next().unwrap_or_default();
    let called = |l: &String| l.to_lowercase() == language;
    let speaks = |e: &Entry| !e.languages.is_empty() && (e.name == alone || e.languages.iter().any(called));
    entries.find(|e| e.kind != ModelKind::Voices && speaks(e))
}

fn suggestion(spoken: Option<&Entry>, name: &str, names: &[&str]) -> String {
    spoken.map_or_else(|| did_you_mean(name, names), |entry| format!(" (did you mean `{}`?)", entry.name))
}

fn unique(names: &[String]) -> String {
    names.iter().map(String::as_str).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(fields: &str) -> String {
        format!("[[model]]\nname = 'm'\nkind = 'codec'\nlicence = ''\npurpose = ''\n{fields}\n")
    }

    #[test]
    fn the_built_in_registry_is_sound_and_names_what_the_command_line_promises() {
        let registry = Registry::builtin().unwrap();
        for name in ["large", "small", "suno-large", "suno-small", "demo"] {
            registry.find(ModelKind::Bark, name, &[]).unwrap();
        }
        for name in ["pt", "en", "en-large", "de", "pl", "es", "ja", "tr", "demo"] {
            registry.find(ModelKind::Quantizer, name, &[]).unwrap();
        }
        registry.find(ModelKind::Codec, "encodec", &[]).unwrap();
        registry.find(ModelKind::Hubert, "hubert-base", &[]).unwrap();
        registry.find(ModelKind::Tokenizer, "bert-multilingual-cased", &[]).unwrap();
        let presets: usize = registry.entries().iter().map(|e| e.preset_names().len()).sum();
        assert_eq!(presets, 1 + 2 * 13 * 10);
    }

    #[test]
    fn both_bark_repositories_are_pinned_to_a_commit_with_every_size_and_hash() {
        let registry = Registry::builtin().unwrap();
        for (name, bytes) in [("large", 4_486_643_861 + 8806 + 4908), ("small", 1_676_663_913 + 8803 + 4908)] {
            let entry = registry.find(ModelKind::Bark, name, &[]).unwrap();
            assert!(entry.revision.len() == 40 && entry.revision.bytes().all(|b| b.is_ascii_hexdigit()), "{name}");
            assert!(entry.files.iter().all(|file| file.sha256.is_some()), "{name}");
            assert_eq!(entry.bytes(), Some((bytes, true)));
        }
    }

    #[test]
    fn mirrors_hold_the_same_files_under_names_of_their_own() {
        let files = |extra: &str| {
            entry(&format!(
                "repo = 'a/b'\nrevision = 'main'\nmirrors = [{{ repo = 'c/d'{extra} }}]\n\
                 files = [{{ file = 'x', size = 7 }}]"
            ))
        };
        let registry = Registry::parse(&files(", file = 'y'")).unwrap();
        let [own, mirror] = registry.entries()[0].places().try_into().unwrap();
        assert_eq!((own.repo.as_str(), own.files[0].file.as_str()), ("a/b", "x"));
        assert_eq!((mirror.repo.as_str(), mirror.revision.as_str()), ("c/d", "main"));
        assert_eq!((mirror.files[0].file.as_str(), mirror.files[0].size), ("y", Some(7)));
        for hostile in [", file = '../y'", ", revision = '../x'", ", repository = 'e'"] {
            assert!(Registry::parse(&files(hostile)).is_err(), "{hostile}");
        }
    }

    #[test]
    fn a_preset_becomes_its_three_files() {
        let registry = Registry::builtin().unwrap();
        let files =
            |name: &str| registry.preset(name, &[]).unwrap().files.into_iter().map(|f| f.file).collect::<Vec<_>>();
        assert_eq!(files("v2/pt_speaker_3")[0], "speaker_embeddings/v2/pt_speaker_3_semantic_prompt.npy");
        assert_eq!(files("pt_speaker_3")[1], "speaker_embeddings/pt_speaker_3_coarse_prompt.npy");
        assert_eq!(files("announcer")[2], "speaker_embeddings/announcer_fine_prompt.npy");
    }

    #[test]
    fn near_misses_are_answered_with_the_name_that_was_meant() {
        let registry = Registry::builtin().unwrap();
        let error = registry.find(ModelKind::Bark, "lrage", &[]).unwrap_err().to_string();
        assert!(error.contains("did you mean `large`?") && error.contains("suno-small"), "{error}");
        let error = registry.preset("v2/pt_speaker_33", &[]).unwrap_err().to_string();
        assert!(error.contains("did you mean `v2/pt_speaker_3`?"), "{error}");
        let error = registry.find(ModelKind::Quantizer, "klingon", &[]).unwrap_err().to_string();
        assert!(!error.contains("did you mean") && error.contains("pt, en, en-large"), "{error}");
    }

    #[test]
    fn registries_that_would_leave_the_cache_folder_are_refused() {
        let file = |file: &str| entry(&format!("repo = 'a/b'\nrevision = 'main'\nfiles = [{{ file = '{file}' }}]"));
        assert!(Registry::parse(&file("a/b.json")).is_ok());
        for hostile in ["../x", "/etc/passwd", "a/../../x", ".ssh/id", "a//b", "a\\\\b", ""] {
            assert!(Registry::parse(&file(hostile)).is_err(), "{hostile}");
        }
        for repo in ["b", "../b", "a/b/c", "a/..", "http://a/b"] {
            let text = entry(&format!("repo = '{repo}'\nrevision = 'main'\nfiles = [{{ file = 'x' }}]"));
            assert!(Registry::parse(&text).is_err(), "{repo}");
        }
    }

    #[test]
    fn misspelled_fields_wrong_hashes_and_double_names_are_refused() {
        let with = |rest: &str| entry(&format!("repo = 'a/b'\nrevision = 'main'\nfiles = [{{ file = 'x'{rest} }}]"));
        assert!(Registry::parse(&with(", sha265 = ''")).is_err());
        assert!(Registry::parse(&with(", sha256 = 'abc'")).is_err());
        assert!(Registry::parse(&with(", size = -1")).is_err());
        assert!(Registry::parse(&with("").repeat(2)).unwrap_err().to_string().contains("two models"));
    }
}
