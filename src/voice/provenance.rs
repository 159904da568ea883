//! Where a voice comes from, in an array of its own that numpy, Bark and other readers pass over: UTF-8 JSON as uint8.

use crate::error::Kind;
use crate::output::hex;
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// The name of the array.
pub const KEY: &str = "barkclone_provenance";
/// Largest array of that name, with numpy's header.
pub(super) const MAX_BYTES: u64 = 256 << 10;
/// Longest consent, characters.
const MAX_CONSENT: usize = 10_000;

/// Where a voice comes from. Every part may be unknown; parts that are not known here are passed over.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Provenance {
    /// The program that wrote it, with its version.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub tool: String,
    /// The day it was made, UTC, as `2026-11-22`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// What its semantic tokens were made with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantizer: Option<ModelName>,
    /// The codec that its codes are of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codec: Option<ModelName>,
    /// SHA-256 of the recording's file, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_sha256: Option<String>,
    /// Where in it the voice's reference lies, seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_seconds: Option<[f64; 2]>,
    /// Who agreed to what, in the words of whoever made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consent: Option<String>,
    /// What was done to it since, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub edits: Vec<String>,
    /// What is known of the voices that it was merged from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Provenance>,
}

/// A quantizer, and the language it was trained on; or a codec.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelName {
    /// Its name in the registry, or its file's.
    pub name: String,
    /// Two letters, as `pt`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Of its weights, whatever file they lie in ([`crate::checkpoint::Checkpoint::identity`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

impl ModelName {
    /// What `choice` names: a quantizer of the registry, which begins with its language, or a file, of which that is unknown.
    pub fn of(choice: &str) -> Self {
        let path = Path::new(choice);
        if path.extension().is_some() || path.components().count() > 1 {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            return Self { name, ..Self::default() };
        }
        let language = choice.split('-').next().filter(|code| crate::normalize::is_language(code));
        Self { name: choice.to_owned(), language: language.map(str::to_owned), sha256: None }
    }

    /// With the hash of its weights.
    pub fn with_hash(self, sha256: String) -> Self {
        Self { sha256: Some(sha256), ..self }
    }
}

impl Provenance {
    /// Of something made by this program today.
    pub fn new() -> Self {
        Self { tool: concat!("barkclone ", env!("CARGO_PKG_VERSION")).into(), date: Some(today()), ..Self::default() }
    }

    /// With one more thing that was done to it.
    pub fn edited(mut self, edit: impl Into<String>) -> Self {
        self.edits.push(edit.into());
        self
    }

    /// With somebody's consent, which must be something and no book.
    pub fn consented(mut self, consent: Option<&str>) -> Result<Self> {
        let consent = consent.map(str::trim);
        ensure!(consent != Some(""), Kind::Usage.error("--consent is empty: say who agreed to what"));
        let long = consent.is_some_and(|text| text.chars().count() > MAX_CONSENT);
        ensure!(!long, Kind::Usage.error(format!("--consent is longer than {MAX_CONSENT} characters")));
        self.consent = consent.map(str::to_owned);
        Ok(self)
    }

    /// The languages of all quantizers that had a part in it, each once.
    pub fn languages(&self) -> Vec<&str> {
        let own = self.quantizer.as_ref().and_then(|quantizer| quantizer.language.as_deref());
        let mut languages: Vec<_> = own.into_iter().chain(self.parts.iter().flat_map(Provenance::languages)).collect();
        languages.sort_unstable();
        languages.dedup();
        languages
    }

    /// The codecs of all its parts.
    pub fn codecs(&self) -> Vec<&ModelName> {
        self.codec.iter().chain(self.parts.iter().flat_map(Provenance::codecs)).collect()
    }

    pub(super) fn to_bytes(&self) -> Result<Vec<u8>> {
        let bytes = serde_json::to_vec(self)?;
        let fits = (bytes.len() as u64) < MAX_BYTES / 2;
        ensure!(fits, Kind::Input.error("its provenance is too long: merge and edit less, or leave it out"));
        Ok(bytes)
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        serde_json::from_slice(bytes).context("not the JSON that was expected")
    }
}

/// SHA-256 of a file, in hexadecimal.
pub fn sha256_of(path: &Path) -> Result<String> {
    let hash = File::open(path).and_then(sha256);
    hash.with_context(|| Kind::Input.error(format!("{}: cannot be read", path.display())))
}

/// SHA-256 of all that is read, in hexadecimal.
pub fn sha256(source: impl Read) -> io::Result<String> {
    let mut sha = Sha256::new();
    let mut source = BufReader::with_capacity(1 << 16, source);
    loop {
        let bytes = source.fill_buf()?;
        if bytes.is_empty() {
            return Ok(hex(&sha.finalize()));
        }
        sha.update(bytes);
        let read = bytes.len();
        source.consume(read);
    }
}

/// The present day, UTC; that of `SOURCE_DATE_EPOCH` where that is set, so that results can be made again bit for bit.
fn today() -> String {
    let set = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|seconds| seconds.parse().ok());
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    date(set.unwrap_or_else(now))
}

/// The day in UTC, `2026-11-22`, of a second since 1970 (Hinnant, "chrono-compatible low-level date algorithms"). Years begin in
/// March there, so that the day that some Februaries have comes last.
fn date(seconds: u64) -> String {
    let days = seconds / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = 400 * era + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    #[test]
    fn days_are_those_of_the_calendar() {
        let days = [
            (0, "1970-01-01"),
            (68_169_600, "1972-02-29"),
            (951_868_799, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_795_305_600, "2026-11-22"),
            (4_107_542_400, "2100-03-01"),
        ];
        assert!(days.iter().all(|&(seconds, day)| super::date(seconds) == day));
    }
}
