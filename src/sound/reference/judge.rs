//! From the measures of a recording to findings, by the thresholds of [`crate::sound::thresholds`].

use crate::sound::thresholds::*;
use crate::sound::{Finding, Level, Measures, What};
use std::ops::Range;

/// All findings on a recording of `total` seconds, in no order; times as in the measures.
pub fn judge(m: &Measures, total: f64) -> Vec<Finding> {
    let speech = if m.speech_seconds < LEAST_SPEECH { vec![no_speech(m)] } else { voice(m) };
    let parts = [length(total), clipping(m), hum(m), music(m), loudness(m), offset(m)];
    speech.into_iter().chain(parts.into_iter().flatten()).collect()
}

/// What lies wholly outside of what the models hear is no more than a note.
pub fn soften(finding: &mut Finding, heard: &Range<f64>) {
    let outside = |at: &Range<f64>| at.end <= heard.start || at.start >= heard.end;
    if !finding.at.is_empty() && finding.at.iter().all(outside) {
        finding.level = Level::Note;
        finding.message += ", before what the models hear";
    }
}

/// Findings that need a voice.
fn voice(m: &Measures) -> Vec<Finding> {
    let parts = [little_speech(m), noise(m), second_speaker(m), bandwidth(m)];
    parts.into_iter().flatten().chain(cuts(m)).chain(silences(m)).collect()
}

fn no_speech(m: &Measures) -> Finding {
    let message = format!("{:.1} s of speech were found", m.speech_seconds);
    Finding::new(What::NoSpeech, Level::Bad, message, "record 5 to 12 s of one person speaking whole sentences")
}

fn length(total: f64) -> Option<Finding> {
    if total < SHORTEST {
        let message = format!("{total:.2} s");
        return Some(Finding::new(What::Short, Level::Bad, message, "at least 1 s is needed; 5 to 12 s work best"));
    }
    if total < SHORT {
        let message = format!("{total:.1} s, and the text stage could hear 5.1");
        return Some(Finding::new(What::Short, Level::Warning, message, "record 5 to 12 s"));
    }
    (total > LONGEST_REFERENCE).then(|| {
        let message = format!("{total:.0} s, of which `clone --raw` takes the last {LONGEST_REFERENCE:.0}");
        Finding::new(What::Long, Level::Note, message, "cut out the best 5 to 12 s, or leave that to `clone`")
    })
}

fn little_speech(m: &Measures) -> Option<Finding> {
    let share = m.heard_speech_seconds / m.heard_seconds.max(f64::MIN_POSITIVE);
    (share < LITTLE_SPEECH).then(|| {
        let level = if m.heard_speech_seconds < LEAST_SPEECH { Level::Bad } else { Level::Warning };
        let (speech, heard) = (m.heard_speech_seconds, m.heard_seconds);
        let message = format!("{speech:.1} s of speech in the last {heard:.1} s, which is what the models hear");
        Finding::new(What::LittleSpeech, level, message, "cut the recording so that it ends with speech")
    })
}

fn clipping(m: &Measures) -> Option<Finding> {
    let rate = m.clipping.tops as f64 / m.speech_seconds.max(LEAST_SPEECH);
    (rate >= CLIPPED).then(|| {
        let level = if rate >= CLIPPED_BADLY { Level::Bad } else { Level::Warning };
        let message = format!("{} peaks are cut off, {rate:.0} a second of speech", m.clipping.tops);
        let advice = "record again with less gain: the loudest word should peak at -6 dB";
        Finding::new(What::Clipping, level, message, advice).at(m.clipping.at.clone())
    })
}

fn noise(m: &Measures) -> Option<Finding> {
    let (snr, floor) = (m.snr?, m.floor?);
    if snr < SNR {
        let record = "record closer to the microphone or in a quieter place";
        let advice = match snr < DENOISE {
            true => format!("{record}, or clone it with --denoise"),
            false => format!("{record}; --denoise would take out as much of the voice as of the noise"),
        };
        let level = if snr < SNR_BAD { Level::Bad } else { Level::Warning };
        let message = format!("the speech is {snr:.0} dB over the noise (floor {floor:.0} dB); 20 and more are clean");
        return Some(Finding::new(What::Noise, level, message, advice));
    }
    None
}

fn hum(m: &Measures) -> Option<Finding> {
    let (hum, speech) = (m.hum.as_ref()?, m.speech_level.unwrap_or(0.0));
    let under = speech - hum.level;
    (under < HUM_UNDER_SPEECH).then(|| {
        let level = if under < HUM_BAD { Level::Bad } else { Level::Warning };
        let message = format!("{} Hz and {} multiples, {under:.0} dB under the speech", hum.hz, hum.multiples.len());
        let advice = format!("check the cable, or filter: sox IN OUT highpass 80 bandreject {} 5q", hum.hz);
        Finding::new(What::Hum, level, message, advice)
    })
}

fn music(m: &Measures) -> Option<Finding> {
    let activation = m.music? - m.hum.as_ref().map_or(0.0, |_| MUSIC_BESIDE_HUM);
    (activation >= MUSIC).then(|| {
        let message = "tones are held that no voice holds: there may be music";
        let finding = Finding::new(What::Music, Level::Warning, message, "use a recording without music");
        finding.hint(0.5 + (activation - MUSIC) / (MUSIC_SURE - MUSIC) / 2.0)
    })
}

fn second_speaker(m: &Measures) -> Option<Finding> {
    let r = m.registers.as_ref()?;
    let apart = 12.0 * (r.hz[1] / r.hz[0]).log2();
    let two = r.separation >= SPEAKERS_SEPARATION
        && r.share >= SPEAKERS_SHARE
        && apart >= SPEAKERS_SEMITONES
        && r.changes <= SPEAKERS_CHANGES;
    two.then(|| {
        let message =
            format!("the pitch takes turns at {:.0} and {:.0} Hz: there may be two speakers", r.hz[0], r.hz[1]);
        let finding = Finding::new(What::SecondSpeaker, Level::Warning, message, "keep one person only");
        finding
            .hint(0.5 + (r.separation - SPEAKERS_SEPARATION) / (SPEAKERS_SEPARATION_SURE - SPEAKERS_SEPARATION) / 2.0)
    })
}

fn loudness(m: &Measures) -> Option<Finding> {
    let loudness = m.loudness?;
    if loudness < QUIET {
        let level = if loudness < QUIET_BAD { Level::Bad } else { Level::Warning };
        let message = format!("{loudness:.0} LUFS: the voice will be as quiet");
        return Some(Finding::new(What::Quiet, level, message, "raise the level to about -20 LUFS"));
    }
    (loudness > LOUD).then(|| {
        let message = format!("{loudness:.0} LUFS: limited or clipped");
        Finding::new(What::Loud, Level::Warning, message, "lower the level to about -20 LUFS")
    })
}

fn offset(m: &Measures) -> Option<Finding> {
    (m.offset.abs() >= OFFSET).then(|| {
        let level = if m.offset.abs() >= OFFSET_BAD { Level::Bad } else { Level::Warning };
        let message = format!("the mean is {:+.1} % of full scale instead of 0", 100.0 * m.offset);
        Finding::new(What::Offset, level, message, "filter: sox IN OUT highpass 20")
    })
}

fn bandwidth(m: &Measures) -> Option<Finding> {
    let khz = m.cutoff / 1000.0;
    let advice = "use the original recording, not one from a call, a messenger or a small file";
    if m.cutoff <= BAND_TELEPHONE {
        let message = format!("nothing above {khz:.1} kHz, as on a telephone");
        return Some(Finding::new(What::Bandwidth, Level::Bad, message, advice));
    }
    (m.cutoff <= BAND_NARROW).then(|| {
        let message = format!("nothing above {khz:.1} kHz: a low sample rate or a lossy codec");
        Finding::new(What::Bandwidth, Level::Warning, message, advice)
    })
}

fn cuts(m: &Measures) -> impl Iterator<Item = Finding> {
    let (start, end) = (0.0..0.1, m.length - 0.1..m.length);
    let cut = |what, level, text: &str, at: Range<f64>| {
        Finding::new(what, level, text, "leave a quarter of a second around the speech").at([at])
    };
    let start = m.edges.cut_start.then(|| cut(What::CutStart, Level::Note, "it begins in the middle of a word", start));
    let end = m.edges.cut_end.then(|| {
        cut(What::CutEnd, Level::Warning, "it ends in the middle of a word, and the models go on from there", end)
    });
    start.into_iter().chain(end)
}

fn silences(m: &Measures) -> impl Iterator<Item = Finding> {
    let silence = |what, level, seconds: f64, at: Vec<Range<f64>>| {
        Finding::new(what, level, format!("{seconds:.1} s without speech"), "cut it out").at(at)
    };
    let (before, after, length) = (m.edges.before, m.edges.after, m.length);
    let inside: Vec<_> = m.edges.pauses.iter().filter(|p| p.end - p.start >= SILENCE_INSIDE).cloned().collect();
    let seconds = inside.iter().map(|p| p.end - p.start).sum();
    let inside = (!inside.is_empty()).then(|| silence(What::SilenceInside, Level::Warning, seconds, inside));
    let start = (before >= SILENCE_START).then(|| silence(What::SilenceStart, Level::Note, before, vec![0.0..before]));
    let end =
        (after >= SILENCE_END).then(|| silence(What::SilenceEnd, Level::Warning, after, vec![length - after..length]));
    [start, inside, end].into_iter().flatten()
}
