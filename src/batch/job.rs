//! What a line asks for: a plain text, or a JSON object with settings of its own.

use crate::audio::Input;
use crate::error::Kind;
use crate::normalize::{Replacement, Said, Wording, normalize};
use crate::speak::Settings;
use crate::stage::protocol::Protocol;
use crate::stage::text::check_said;
use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::borrow::Cow;

/// What a result is made of.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// To be said: white space normalised, not empty.
    Text(String),
    /// To be heard, and said in another voice or cloned.
    Recording(Source),
}

/// A recording, the SHA-256 of its file in hexadecimal, and its length in seconds as far as the file tells it.
#[derive(Clone, Debug)]
pub struct Source {
    pub input: Input,
    pub sha256: String,
    pub seconds: Option<f64>,
}

impl Source {
    /// What it is called, for messages.
    pub fn shown(&self) -> Cow<'_, str> {
        self.input.path().to_string_lossy()
    }
}

impl PartialEq for Source {
    fn eq(&self, other: &Self) -> bool {
        (self.input.path(), &self.sha256) == (other.input.path(), &other.sha256)
    }
}

impl Item {
    /// What its id follows from: the same content has the same id, wherever it lies.
    pub fn identity(&self) -> &[u8] {
        match self {
            Item::Text(text) => text.as_bytes(),
            Item::Recording(source) => source.sha256.as_bytes(),
        }
    }

    /// The text; of a recording, nothing.
    pub fn text(&self) -> &str {
        match self {
            Item::Text(text) => text,
            Item::Recording(_) => "",
        }
    }

    /// The text, or the recording's name without its ending.
    pub fn title(&self) -> Cow<'_, str> {
        match self {
            Item::Text(text) => text.into(),
            Item::Recording(source) => source.input.title(),
        }
    }
}

impl Default for Item {
    fn default() -> Self {
        Item::Text(String::new())
    }
}

/// One result that is asked for, as far as its own line says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Job {
    pub item: Item,
    pub id: Option<String>,
    pub voice: Option<String>,
    pub seed: Option<u64>,
    pub out: Option<String>,
    pub sampling: Sampling,
    /// The chain of utterances that it goes on in, each having the one before as its voice; `None`: the voice as it is.
    pub chain: Option<u64>,
    /// The chapter that it is a piece of: its line is then the number of the piece.
    pub chapter: Option<u64>,
    /// What of the text was written otherwise.
    pub replaced: Vec<Replacement>,
}

impl Job {
    /// With numbers and the like in words.
    pub fn worded(self, wording: Wording) -> Self {
        let Item::Text(text) = &self.item else { return self };
        let Said { text, replaced } = wording.said(text);
        Self { item: Item::Text(text), replaced, ..self }
    }
}

impl Job {
    /// To say `text`.
    pub fn text(text: &str) -> Self {
        Self { item: Item::Text(normalize(text)), ..Self::default() }
    }
}

/// Settings that are given, by the names of the flags; for the others the model's own hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sampling {
    pub text_temp: Option<f64>,
    pub waveform_temp: Option<f64>,
    pub fine_temp: Option<f64>,
    pub top_k: Option<usize>,
    pub top_p: Option<f64>,
    pub min_eos_p: Option<f64>,
    pub max_seconds: Option<f64>,
    pub coarse_history: Option<usize>,
    pub coarse_window: Option<usize>,
    pub fast: Option<bool>,
}

impl Sampling {
    /// These, and where one is not given, that of `base`.
    pub fn or(self, base: Sampling) -> Self {
        Self {
            text_temp: self.text_temp.or(base.text_temp),
            waveform_temp: self.waveform_temp.or(base.waveform_temp),
            fine_temp: self.fine_temp.or(base.fine_temp),
            top_k: self.top_k.or(base.top_k),
            top_p: self.top_p.or(base.top_p),
            min_eos_p: self.min_eos_p.or(base.min_eos_p),
            max_seconds: self.max_seconds.or(base.max_seconds),
            coarse_history: self.coarse_history.or(base.coarse_history),
            coarse_window: self.coarse_window.or(base.coarse_window),
            fast: self.fast.or(base.fast),
        }
    }

    /// These over the model's own settings.
    pub fn settings(self, protocol: &Protocol, seed: u64) -> Settings {
        let mut settings = Settings::new(protocol, seed);
        let set = |value: &mut f64, given: Option<f64>| *value = given.unwrap_or(*value);
        set(&mut settings.text.temperature, self.text_temp);
        set(&mut settings.coarse.temperature, self.waveform_temp);
        set(&mut settings.fine.temperature, self.fine_temp);
        for stage in [&mut settings.text, &mut settings.coarse] {
            (stage.top_k, stage.top_p) = (self.top_k, self.top_p);
        }
        settings.stop.min_eos_p = self.min_eos_p.or(settings.stop.min_eos_p);
        settings.stop.max_seconds = self.max_seconds;
        if self.fast == Some(true) {
            settings = settings.fast();
        }
        settings.windows.history = self.coarse_history.unwrap_or(settings.windows.history);
        settings.windows.window = self.coarse_window.unwrap_or(settings.windows.window);
        settings
    }
}

/// What the lines of a source are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A text each; blank lines and those that begin with `#` are none.
    Text,
    /// A JSON object each; blank lines are none.
    Json,
}

impl Form {
    /// Whether the line holds a job at all.
    pub fn is_job(self, line: &str) -> bool {
        let line = line.trim();
        !(line.is_empty() || self == Form::Text && line.starts_with('#'))
    }

    /// The job of a line that holds one.
    pub fn parse(self, line: &str) -> Result<Job> {
        // Normalizing would lose it without a word.
        let told = "the line has a zero byte: no text file, or a damaged one";
        ensure!(!line.contains('\0'), Kind::Input.error(told));
        let job = match self {
            Form::Text => Job::text(line),
            Form::Json => json(line)?,
        };
        check_said(job.item.text())?;
        Ok(job)
    }
}

/// The keys of a job that are not settings.
#[derive(Deserialize)]
struct Object {
    text: String,
    #[serde(default)]
    id: Option<Id>,
    voice: Option<String>,
    seed: Option<u64>,
    out: Option<String>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// All keys of a job.
const KEYS: [&str; 15] = [
    "text",
    "id",
    "voice",
    "seed",
    "out",
    "text_temp",
    "waveform_temp",
    "fine_temp",
    "top_k",
    "top_p",
    "min_eos_p",
    "max_seconds",
    "coarse_history",
    "coarse_window",
    "fast",
];

#[derive(Deserialize)]
#[serde(untagged)]
enum Id {
    Text(String),
    Number(u64),
}

fn json(line: &str) -> Result<Job> {
    let unfit = || Kind::Input.error("not a job");
    let object: Object = serde_json::from_str(line).with_context(unfit)?;
    if let Some(unknown) = object.rest.keys().find(|key| !KEYS.contains(&key.as_str())) {
        let keys = KEYS.join("`, `");
        bail!(Kind::Input.error(format!("not a job: unknown key `{unknown}`; the keys are `{keys}`")));
    }
    let sampling = serde_json::from_value(Value::Object(object.rest)).with_context(unfit)?;
    let id = object.id.map(|id| match id {
        Id::Text(text) => text,
        Id::Number(number) => number.to_string(),
    });
    ensure!(id.as_deref().is_none_or(is_plain), Kind::Input.error("`id`: expected 1 to 200 printable characters"));
    let Object { text, voice, seed, out, .. } = object;
    Ok(Job { id, voice, seed, out, sampling, ..Job::text(&text) })
}

fn is_plain(id: &str) -> bool {
    (1..=200).contains(&id.len()) && !id.chars().any(char::is_control) && id.trim() == id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_line_is_a_job_unless_it_is_blank_or_a_remark() {
        assert!(Form::Text.is_job("olá # mundo") && !Form::Text.is_job(" \t") && !Form::Text.is_job("  # não"));
        assert_eq!(Form::Text.parse("  Olá \t mundo ").unwrap(), Job::text("Olá mundo"));
    }

    #[test]
    fn an_object_says_what_it_wants_of_its_own() {
        let job = r#"{"text": "oi", "id": 7, "voice": "ana", "seed": 18446744073709551615, "out": "x.wav", "top_k": 5, "fast": true}"#;
        let sampling = Sampling { top_k: Some(5), fast: Some(true), ..Sampling::default() };
        let text = |text: &str| Some(text.to_string());
        let expected = Job {
            item: Item::Text("oi".into()),
            id: text("7"),
            voice: text("ana"),
            seed: Some(u64::MAX),
            out: text("x.wav"),
            sampling,
            ..Job::default()
        };
        assert_eq!(Form::Json.parse(job).unwrap(), expected);
        assert_eq!(Form::Json.parse(r#"{"text":"oi","id":null}"#).unwrap().id, None);
    }

    #[test]
    fn what_is_no_job_is_refused_with_the_cause() {
        let refused = |line: &str, word: &str| {
            let error = format!("{:#}", Form::Json.parse(line).unwrap_err());
            assert!(error.contains(word), "{line}: {error}");
        };
        refused(r#"{"text": "oi", "sped": 1}"#, "unknown key `sped`");
        refused(r#"{"text": "oi", "top_k": -1}"#, "-1");
        refused(r#"{"id": "a"}"#, "missing field `text`");
        refused(r#"{"text": "oi""#, "EOF");
        refused(r#"{"text": " "}"#, "the text is empty");
        refused(r#"{"text": "oi", "id": ""}"#, "`id`");
        refused(r#"{"text": "oi", "id": "a\nb"}"#, "`id`");
        refused(r#"["oi"]"#, "not a job");
        refused("oi", "not a job");
        refused(&"[".repeat(1 << 20), "not a job");
    }

    #[test]
    fn an_unknown_key_is_told_with_all_that_are_known_and_each_of_those_is() {
        let told = format!("{:#}", Form::Json.parse(r#"{"text": "oi", "sped": 1}"#).unwrap_err());
        for key in KEYS {
            assert!(told.contains(&format!("`{key}`")), "{told}");
            let value = if matches!(key, "text" | "voice" | "out") { "\"a\"" } else { "null" };
            let text = if key == "text" { "" } else { r#""text": "oi", "# };
            Form::Json.parse(&format!("{{{text}\"{key}\": {value}}}")).unwrap();
        }
    }

    #[test]
    fn a_jobs_own_settings_go_before_the_flags_and_those_before_the_models() {
        let flags =
            Sampling { text_temp: Some(0.1), waveform_temp: Some(0.2), fast: Some(true), ..Sampling::default() };
        let own = Sampling { text_temp: Some(0.9), fast: Some(false), ..Sampling::default() };
        let settings = own.or(flags).settings(&Protocol::default(), 3);
        let temperatures = [settings.text, settings.coarse, settings.fine].map(|s| s.temperature);
        assert_eq!((temperatures, settings.windows.history, settings.seed), ([0.9, 0.2, 0.5], 630, 3));
    }
}
