//! `barkclone voice inspect`, `check` and `diff`: what voices hold, on stdout.

use crate::cli::choice::find_voice;
use crate::cli::{one_line, out};
use anyhow::{Result, ensure};
use barkclone::error::Kind;
use barkclone::voice::provenance::ModelName;
use barkclone::voice::{Difference, Heard, Place, Provenance, RawVoice, Voice, differences, problems};
use clap::Args;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::ops::Range;
use std::path::PathBuf;

/// Show what voices hold: lengths, the seconds that each stage hears, how they are stored, and where they come from
///
/// What Bark would refuse is shown too; only a file that holds no voice at all is an error.
#[derive(Args, Debug)]
pub struct InspectArgs {
    /// Voice files
    #[arg(required = true, value_name = "VOICE")]
    voices: Vec<PathBuf>,
    /// Print a JSON object a voice, each on a line of its own
    #[arg(long)]
    json: bool,
}

/// Say whether Bark's own loader would take voices as they stand
///
/// Prints a line for each voice that it would take, and one for each reason why it would not take another. Exit code 3 if there
/// is any reason.
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// Voice files
    #[arg(required = true, value_name = "VOICE")]
    voices: Vec<PathBuf>,
}

/// Compare two voices: lengths, the share of equal tokens, and the first that differs
///
/// Voices of different lengths are laid side by side at their ends, which is what the models hear.
#[derive(Args, Debug)]
pub struct DiffArgs {
    /// A voice file
    #[arg(value_name = "VOICE")]
    first: PathBuf,
    /// Another one
    #[arg(value_name = "VOICE")]
    second: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn inspect(args: &InspectArgs) -> Result<()> {
    for path in &args.voices {
        let place = find_voice(path)?;
        let raw = place.read()?;
        match args.json {
            true => out(format!("{}\n", described_json(&place, &raw)))?,
            false => out(described(&place, &raw)?)?,
        }
    }
    Ok(())
}

pub fn check(args: &CheckArgs) -> Result<()> {
    let mut refused = 0;
    for path in &args.voices {
        let found = find_voice(path).and_then(|place| Ok(problems(&place.read()?)));
        let problems = found.unwrap_or_else(|error| vec![format!("{:#}", error.root_cause())]);
        refused += usize::from(!problems.is_empty());
        let lines = if problems.is_empty() { vec!["ok".to_owned()] } else { problems };
        out(lines.iter().map(|line| format!("{}: {}\n", path.display(), one_line(line))).collect::<String>())?;
    }
    ensure!(
        refused == 0,
        Kind::Input.error(format!(
            "Bark would refuse {refused} of {} voices; `barkclone voice fix` mends what can be mended",
            args.voices.len()
        ))
    );
    Ok(())
}

pub fn diff(args: &DiffArgs) -> Result<()> {
    let open = |path: &PathBuf| Ok::<_, anyhow::Error>(find_voice(path)?.voice()?.voice);
    let (a, b) = (open(&args.first)?, open(&args.second)?);
    let differences = differences(&a, &b);
    let lines = match args.json {
        true => Value::from_iter(differences.iter().map(|d| (d.array, difference_json(d)))).to_string() + "\n",
        false if a == b => "the same tokens\n".to_owned(),
        false => differences.iter().map(|d| format!("{:<10}{}\n", d.array, compared(d))).collect(),
    };
    out(lines)
}

fn compared(d: &Difference) -> String {
    let share = 100.0 * d.equal as f64 / d.compared as f64;
    let lengths = match d.lengths {
        [a, b] if a == b => format!("{a} each"),
        [a, b] => format!("{a} and {b}, of which the last {} are compared", d.compared),
    };
    match d.first {
        None => format!("{lengths}: all equal"),
        Some(first) => format!("{lengths}: {share:.1} % equal, the first that differs is {first}"),
    }
}

fn difference_json(d: &Difference) -> Value {
    json!({ "lengths": d.lengths, "compared": d.compared, "equal": d.equal, "first_difference": d.first })
}

fn described_json(place: &Place, raw: &RawVoice) -> Value {
    let voice = raw.voice().ok();
    let span = |range: &Range<f64>| json!([range.start, range.end]);
    let heard = |h: Heard| json!({ "text": span(&h.text), "coarse": span(&h.coarse), "fine": span(&h.fine) });
    let array = |array: &barkclone::voice::RawArray| {
        json!({
            "name": array.name, "shape": array.values.shape(), "type": array.kind,
            "order": if array.fortran { "F" } else { "C" }, "deflated": array.deflated,
        })
    };
    json!({
        "path": place.to_string(),
        "seconds": voice.as_ref().map(Voice::seconds),
        "semantic_tokens": voice.as_ref().map(|v| v.semantic().len()),
        "coarse_frames": voice.as_ref().map(|v| v.coarse().frames()),
        "fine_frames": voice.as_ref().map(|v| v.fine().frames()),
        "heard": voice.as_ref().map(|v| heard(v.heard())),
        "hash": voice.as_ref().map(Voice::hash),
        "arrays": raw.arrays.iter().flatten().map(array).collect::<Vec<_>>(),
        "other_arrays": raw.others,
        "problems": problems(raw),
        "notes": raw.notes,
        "provenance": raw.provenance,
    })
}

fn described(place: &Place, raw: &RawVoice) -> Result<String> {
    let mut text = format!("{place}\n");
    let mut line = |name: &str, value: String| writeln!(text, "  {name:<12}{}", one_line(&value));
    if let Ok(voice) = raw.voice() {
        line("length", length(&voice))?;
        line("heard", heard(&voice.heard()))?;
        line("hash", voice.hash())?;
    }
    for array in raw.arrays.iter().flatten() {
        line("array", array.stored())?;
    }
    if !raw.others.is_empty() {
        line("ignored", raw.others.join(", "))?;
    }
    for problem in problems(raw) {
        line("problem", problem)?;
    }
    for note in &raw.notes {
        line("note", note.clone())?;
    }
    for (name, value) in raw.provenance.iter().flat_map(|provenance| origin(provenance, 0)) {
        line(name, value)?;
    }
    Ok(text)
}

fn length(voice: &Voice) -> String {
    let (s, t, f) = (voice.semantic().len(), voice.coarse().frames(), voice.fine().frames());
    let frames = if t == f { format!("{t} frames") } else { format!("{t} coarse and {f} fine frames") };
    format!("{:.2} s: {s} semantic tokens, {frames}", voice.seconds())
}

fn heard(heard: &Heard) -> String {
    let span = |r: &Range<f64>| format!("{:.1} to {:.1} s", r.start, r.end);
    format!("text stage {}, coarse {}, fine {}", span(&heard.text), span(&heard.coarse), span(&heard.fine))
}

/// What is known of a voice's origin, line by line; of merged voices, part by part.
fn origin(provenance: &Provenance, part: usize) -> Vec<(&'static str, String)> {
    let of = |text: &str| if part > 0 { format!("(part {part}) {text}") } else { text.to_owned() };
    let mut lines = Vec::new();
    let made = format!("{} {}", provenance.tool, provenance.date.as_deref().unwrap_or_default());
    lines.push(("made by", of(if made.trim().is_empty() { "unknown" } else { made.trim() })));
    if let Some(quantizer) = &provenance.quantizer {
        let language = quantizer.language.as_ref().map_or("unknown".to_owned(), String::clone);
        lines.push(("quantizer", of(&format!("{} (language: {language})", quantizer.name))));
    }
    lines.extend(provenance.codec.iter().map(|codec| ("codec", of(&codec.name))));
    let hash =
        |model: &ModelName| model.sha256.as_ref().map(|hash| ("", of(&format!("{}: sha256 {hash}", model.name))));
    lines.extend(provenance.quantizer.iter().chain(&provenance.codec).filter_map(hash));
    lines.extend(provenance.source_sha256.iter().map(|hash| ("source", of(&format!("sha256 {hash}")))));
    let stretch = |[start, end]: &[f64; 2]| ("", of(&format!("{start:.2} to {end:.2} s of it")));
    lines.extend(provenance.source_seconds.iter().map(stretch));
    lines.extend(provenance.consent.iter().map(|consent| ("consent", of(consent))));
    lines.extend(provenance.edits.iter().map(|edit| ("edited", of(edit))));
    lines.extend(provenance.parts.iter().enumerate().flat_map(|(i, voice)| origin(voice, i + 1)));
    lines
}
