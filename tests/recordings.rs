//! Recordings as ffmpeg and sox write them, over containers, codecs, rates, depths, channels, cuts and metadata: each is decoded to
//! what ffmpeg decodes (Opus by libopus) to a sample in start and length and within 60 dB, or refused by name. It makes some 150
//! files, so it is run by name: `cargo test --release -- --ignored recordings`.

use barkclone::audio::{self, Input};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const REFERENCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/reference.wav");
/// How near a decoder has to come to ffmpeg's, dB.
const NEAR: f64 = 60.0;

/// Files whose judge is sox, the samples that it does not skip, and how many there are after them. ffmpeg reads no big-endian WAV; its MP3 decoder is 46 dB off
/// libmad, and off symphonia, at 24 kHz; and between joined Ogg streams it leaves 128 samples that are in none.
const BY_SOX: [(&str, usize, usize); 3] =
    [("sox-rifx.wav", 0, 48_000), ("24000-1.mp3", 1_681, 48_000), ("joined.ogg", 0, 176_400)];
/// Files that are cut within their last frame, of which ffmpeg makes what it can.
const CUT_FRAMES: [&str; 1] = ["cut.mp3"];

/// Files of kinds that are no aim, and how an error names them.
const NO_AIM: [(&str, &str); 12] = [
    (".au", "it is AU"),
    (".voc", "it is VOC"),
    (".ac3", "it is Dolby Digital (AC-3)"),
    (".wma", "it is WMA"),
    (".avi", "it is AVI"),
    (".ts", "it is MPEG-TS"),
    (".wv", "it is WavPack"),
    (".tta", "it is TTA"),
    (".flv", "it is FLV"),
    ("speex.ogg", "it is Speex"),
    ("alac.mov", "it holds alac"),
    ("flac.caf", "it holds flac"),
];

/// One file, how it is made, and how ffmpeg decodes it.
struct Case {
    name: String,
    /// Arguments of ffmpeg after its input, or of sox between input and output.
    made: Made,
    decoder: &'static [&'static str],
}

/// What is done to a file's bytes.
type Change = fn(Vec<u8>) -> Vec<u8>;

enum Made {
    Ffmpeg(String),
    Sox(String, String),
    /// By changing the bytes of another case's file.
    Bytes(&'static str, Change),
    /// By joining other cases' files end to end.
    Joined(&'static [&'static str]),
    /// By ffmpeg from another case's file, which is copied, not encoded: arguments before and after the input.
    Copied(&'static str, &'static str, &'static str),
}

fn ffmpeg(cases: &mut Vec<Case>, name: String, args: String) {
    let decoder: &[&str] = if args.contains("libopus") { &["-c:a", "libopus"] } else { &[] };
    cases.push(Case { name, made: Made::Ffmpeg(args), decoder });
}

/// All of them.
fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    plain(&mut cases);
    compressed(&mut cases);
    by_sox(&mut cases);
    changed(&mut cases);
    cases
}

fn plain(cases: &mut Vec<Case>) {
    for codec in ["u8", "s16le", "s24le", "s32le", "f32le", "f64le", "alaw", "mulaw"] {
        for (rate, channels) in [(8_000, 1), (44_100, 2), (192_000, 1), (48_000, 6)] {
            let name = format!("{codec}-{rate}-{channels}.wav");
            ffmpeg(cases, name, format!("-c:a pcm_{codec} -ar {rate} -ac {channels}"));
        }
    }
    for codec in ["adpcm_ms", "adpcm_ima_wav"] {
        for (rate, channels) in [(8_000, 1), (22_050, 2)] {
            ffmpeg(cases, format!("{codec}-{rate}.wav"), format!("-c:a {codec} -ar {rate} -ac {channels}"));
        }
    }
    let others = [
        ("rf64.wav", "-c:a pcm_s24le -rf64 always -ac 2"),
        ("w64.w64", "-c:a pcm_s16le"),
        ("w64f.w64", "-c:a pcm_f32le -ac 2 -ar 48000"),
        ("bwf.wav", "-c:a pcm_s16le -write_bext 1 -metadata description=x -metadata originator=y"),
        ("gsm.wav", "-c:a libgsm_ms -ar 8000"),
        ("mp3.wav", "-c:a libmp3lame -ar 44100"),
        ("mp2.wav", "-c:a mp2 -ar 48000 -ac 2"),
        ("pcm.aiff", "-c:a pcm_s16be"),
        ("pcm24.aiff", "-c:a pcm_s24be -ar 96000 -ac 2"),
        ("float.aiff", "-c:a pcm_f32be"),
        ("sowt.aiff", "-c:a pcm_s16le"),
        ("pcm.caf", "-c:a pcm_s16be"),
        ("float.caf", "-c:a pcm_f32le -ac 2"),
        ("alaw.caf", "-c:a pcm_alaw -ar 8000"),
        ("pcm.mov", "-c:a pcm_s16be -ac 2"),
        ("pcm24.mov", "-c:a pcm_s24be"),
        ("pcm24le.mov", "-c:a pcm_s24le"),
        ("pcm32.mov", "-c:a pcm_s32be -ac 2"),
        ("float.mov", "-c:a pcm_f32be"),
        ("float-le.mov", "-c:a pcm_f32le"),
        ("double.mov", "-c:a pcm_f64be"),
        ("pcm.mkv", "-c:a pcm_s16le"),
        ("pcm.au", "-c:a pcm_s16be"),
        ("pcm.voc", "-c:a pcm_s16le"),
    ];
    others.into_iter().for_each(|(name, args)| ffmpeg(cases, name.into(), args.into()));
}

fn compressed(cases: &mut Vec<Case>) {
    for (rate, channels) in [(8_000, 1), (16_000, 1), (44_100, 2), (96_000, 2), (192_000, 1)] {
        ffmpeg(cases, format!("{rate}-{channels}.flac"), format!("-c:a flac -ar {rate} -ac {channels}"));
    }
    ffmpeg(cases, "24.flac".into(), "-c:a flac -sample_fmt s32 -ac 6 -ar 48000".into());
    ffmpeg(cases, "flac.ogg".into(), "-c:a flac".into());
    for (rate, channels) in [(8_000, 1), (11_025, 1), (16_000, 2), (24_000, 1), (44_100, 2), (48_000, 1)] {
        ffmpeg(cases, format!("{rate}-{channels}.mp3"), format!("-c:a libmp3lame -ar {rate} -ac {channels} -b:a 64k"));
    }
    ffmpeg(cases, "vbr.mp3".into(), "-c:a libmp3lame -q:a 4 -ar 44100".into());
    ffmpeg(cases, "plain.mp3".into(), "-c:a libmp3lame -ar 44100 -write_xing 0 -id3v2_version 0".into());
    ffmpeg(
        cases,
        "titled.mp3".into(),
        "-c:a libmp3lame -ar 44100 -metadata title=Olá -id3v2_version 3 -write_id3v1 1".into(),
    );
    ffmpeg(cases, "layer2.mp2".into(), "-c:a mp2 -ar 44100 -ac 2".into());
    for (rate, channels) in [(8_000, 1), (16_000, 1), (44_100, 2), (48_000, 6)] {
        ffmpeg(cases, format!("{rate}-{channels}.ogg"), format!("-c:a libvorbis -ar {rate} -ac {channels}"));
    }
    for (rate, channels, bits) in [(8_000, 1, 12), (16_000, 1, 16), (24_000, 1, 24), (48_000, 2, 64), (48_000, 6, 128)]
    {
        let args = format!("-c:a libopus -ar {rate} -ac {channels} -b:a {bits}k");
        ffmpeg(cases, format!("{rate}-{channels}.opus"), args.clone());
        if channels < 6 {
            ffmpeg(cases, format!("opus-{rate}-{channels}.webm"), args.clone());
        }
    }
    ffmpeg(cases, "opus.caf".into(), "-c:a libopus -ar 48000".into());
    ffmpeg(cases, "opus.mp4".into(), "-c:a libopus -ar 48000 -ac 2".into());
    ffmpeg(cases, "opus.mkv".into(), "-c:a libopus -ar 48000 -ac 2".into());
    for (rate, channels) in [(8_000, 1), (16_000, 1), (22_050, 2), (24_000, 1), (44_100, 2), (48_000, 6), (96_000, 2)] {
        let args = format!("-c:a aac -ar {rate} -ac {channels}");
        ffmpeg(cases, format!("aac-{rate}-{channels}.m4a"), args.clone());
        ffmpeg(cases, format!("aac-{rate}-{channels}.aac"), args);
    }
    let others = [
        ("aac.mov", "-c:a aac -ar 44100"),
        ("aac.mkv", "-c:a aac -ar 44100"),
        ("aac.3gp", "-c:a aac -ar 16000 -ac 1"),
        ("fragments.mp4", "-c:a aac -ar 44100 -movflags frag_keyframe+empty_moov"),
        ("faststart.m4a", "-c:a aac -ar 44100 -movflags faststart"),
        ("alac.m4a", "-c:a alac -ar 44100 -ac 2"),
        ("alac24.m4a", "-c:a alac -sample_fmt s32p -ar 96000"),
        ("alac.caf", "-c:a alac"),
        ("mp3.mp4", "-c:a libmp3lame -ar 44100"),
        ("mp3.mkv", "-c:a libmp3lame -ar 44100"),
        ("vorbis.webm", "-c:a libvorbis -ar 48000"),
        ("vorbis.mkv", "-c:a libvorbis -ar 44100 -ac 2"),
        ("flac.mkv", "-c:a flac"),
        ("flac.mp4", "-c:a flac -strict -2"),
        ("flac.caf", "-c:a flac"),
        ("alac.mov", "-c:a alac -ac 4"),
        ("aac.ts", "-c:a aac -ar 96000 -f mpegts"),
        ("ac3.ac3", "-c:a ac3 -ar 48000"),
        ("wma.wma", "-c:a wmav2 -ar 44100"),
        ("pcm.avi", "-c:a pcm_s16le"),
        ("mp2.ts", "-c:a mp2 -ar 48000 -f mpegts"),
        ("wavpack.wv", "-c:a wavpack"),
        ("tta.tta", "-c:a tta"),
        ("mp3.flv", "-c:a libmp3lame -ar 44100"),
        ("speex.ogg", "-c:a libspeex -ar 16000"),
    ];
    others.into_iter().for_each(|(name, args)| ffmpeg(cases, name.into(), args.into()));
}

fn by_sox(cases: &mut Vec<Case>) {
    let sox = [
        ("sox-16.wav", "-b 16", ""),
        ("sox-24.wav", "-b 24 -c 2", ""),
        ("sox-float.wav", "-e floating-point -b 32", ""),
        ("sox-8.wav", "-b 8", "rate 11025"),
        ("sox-ms.wav", "-e ms-adpcm", ""),
        ("sox-ima.wav", "-e ima-adpcm", ""),
        ("sox-gsm.wav", "-e gsm -r 8000", ""),
        ("sox-mulaw.wav", "-e mu-law -r 8000", ""),
        ("sox-rifx.wav", "-B -b 24", ""),
        ("sox.w64", "-b 24", ""),
        ("sox.aiff", "-b 16", ""),
        ("sox.aifc", "-b 24", ""),
        ("sox.flac", "-b 16 -r 32000", ""),
        ("sox.ogg", "-r 22050", ""),
        ("sox.caf", "-b 16", ""),
    ];
    for (name, format, effects) in sox {
        cases.push(Case { name: name.into(), made: Made::Sox(format.into(), effects.into()), decoder: &[] });
    }
}

/// Puts `patch` at byte `at`.
fn patched(mut bytes: Vec<u8>, at: usize, patch: &[u8]) -> Vec<u8> {
    bytes[at..at + patch.len()].copy_from_slice(patch);
    bytes
}

fn changed(cases: &mut Vec<Case>) {
    const WAV: &str = "sox-16.wav";
    let changes: [(&str, &'static str, Change); 16] = [
        ("byte-rate.wav", WAV, |bytes| patched(bytes, 28, &[0x12, 0x34, 0x56, 0])),
        ("size-0.wav", WAV, |bytes| patched(bytes, 40, &[0; 4])),
        ("both-sizes-0.wav", WAV, |bytes| patched(patched(bytes, 40, &[0; 4]), 4, &[0; 4])),
        ("size-44-more.wav", WAV, |bytes| {
            let size = u32::from_le_bytes(bytes[40..44].try_into().unwrap()) + 44;
            patched(bytes, 40, &size.to_le_bytes())
        }),
        ("size-unknown.wav", WAV, |bytes| patched(bytes, 40, &[0xFF; 4])),
        ("pro-tools.wav", "f32le-44100-2.wav", |bytes| {
            let mut longer = [&bytes[..16], &40u32.to_le_bytes(), &[3, 0], &bytes[22..36], &[0; 24]].concat();
            let fmt = 20 + u32::from_le_bytes(bytes[16..20].try_into().unwrap()) as usize;
            longer.extend(&bytes[fmt..]);
            longer
        }),
        ("cut.wav", WAV, |bytes| bytes[..bytes.len() * 2 / 3].to_vec()),
        ("cut-odd.wav", "s24le-44100-2.wav", |bytes| bytes[..bytes.len() / 2 + 1].to_vec()),
        ("cut.mp3", "44100-2.mp3", |bytes| bytes[..bytes.len() * 2 / 3].to_vec()),
        ("cut.flac", "44100-2.flac", |bytes| bytes[..bytes.len() * 2 / 3].to_vec()),
        ("cut.ogg", "44100-2.ogg", |bytes| bytes[..bytes.len() * 2 / 3].to_vec()),
        ("cut.opus", "48000-2.opus", |bytes| bytes[..bytes.len() * 2 / 3].to_vec()),
        ("cut.aac", "aac-44100-2.aac", |bytes| bytes[..bytes.len() * 2 / 3].to_vec()),
        ("cut.m4a", "faststart.m4a", |bytes| bytes[..bytes.len() * 2 / 3].to_vec()),
        ("cut-start.mp3", "44100-2.mp3", |bytes| bytes[bytes.len() / 3..].to_vec()),
        ("cut-start.aac", "aac-44100-2.aac", |bytes| bytes[bytes.len() / 3..].to_vec()),
    ];
    for (name, from, change) in changes {
        let decoder: &[&str] = if name.ends_with("opus") { &["-c:a", "libopus"] } else { &[] };
        cases.push(Case { name: name.into(), made: Made::Bytes(from, change), decoder });
    }
    let joins: [(&str, &'static [&'static str]); 4] = [
        ("joined.mp3", &["44100-2.mp3", "vbr.mp3"]),
        ("joined-plain.mp3", &["plain.mp3", "plain.mp3"]),
        ("joined.aac", &["aac-44100-2.aac", "aac-44100-2.aac"]),
        ("joined.ogg", &["44100-2.ogg", "44100-2.ogg"]),
    ];
    joins
        .into_iter()
        .for_each(|(name, parts)| cases.push(Case { name: name.into(), made: Made::Joined(parts), decoder: &[] }));
    let copies: [(&str, &'static str, &'static str, &'static str); 5] = [
        ("copied.m4a", "faststart.m4a", "-ss 0.7", "-t 0.9"),
        ("copied.mp4", "fragments.mp4", "-ss 0.5", "-t 1"),
        ("copied.mp3", "44100-2.mp3", "-ss 0.5", "-t 1"),
        ("copied.mkv", "mp3.mkv", "-ss 0.5", "-t 1"),
        ("tagged.m4a", "alac.m4a", "", "-metadata title=x -metadata comment=y"),
    ];
    for (name, from, before, after) in copies {
        cases.push(Case { name: name.into(), made: Made::Copied(from, before, after), decoder: &[] });
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(' ').filter(|word| !word.is_empty())
}

#[track_caller]
fn run(command: &mut Command) -> Vec<u8> {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn tool(name: &str) -> Command {
    let mut command = Command::new(name);
    if name == "ffmpeg" {
        command.args(["-hide_banner", "-loglevel", "error", "-y", "-fflags", "+bitexact"]);
    }
    command
}

impl Case {
    fn make(&self, folder: &Path) -> PathBuf {
        let (source, path) = (folder.join("source.wav"), folder.join(&self.name));
        match &self.made {
            Made::Ffmpeg(args) => drop(run(tool("ffmpeg").arg("-i").arg(source).args(words(args)).arg(&path))),
            Made::Sox(format, effects) => {
                drop(run(tool("sox").arg("-D").arg(source).args(words(format)).arg(&path).args(words(effects))))
            }
            Made::Bytes(from, change) => fs::write(&path, change(fs::read(folder.join(from)).unwrap())).unwrap(),
            Made::Joined(parts) => {
                let bytes: Vec<_> = parts.iter().map(|part| fs::read(folder.join(part)).unwrap()).collect();
                fs::write(&path, bytes.concat()).unwrap();
            }
            Made::Copied(from, before, after) => {
                let mut command = tool("ffmpeg");
                command.args(words(before)).arg("-i").arg(folder.join(from)).args(words(after));
                run(command.args(["-c", "copy"]).arg(&path));
            }
        }
        path
    }

    /// The mean of the channels that ffmpeg decodes. Of a damaged file it gives what it can.
    fn expected(&self, path: &Path) -> Vec<f32> {
        let floats = |bytes: Vec<u8>| {
            bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect::<Vec<_>>()
        };
        if let Some((_, skipped, _)) = self.by_sox() {
            let mono = ["-e", "floating-point", "-b", "32", "-t", "raw", "-", "channels", "1"];
            return floats(run(Command::new("sox").arg(path).args(mono))).split_off(skipped);
        }
        let probe = ["-v", "error", "-select_streams", "a:0", "-show_entries", "stream=channels", "-of", "csv=p=0"];
        let channels = run(Command::new("ffprobe").args(probe).arg(path));
        let channels: usize = String::from_utf8(channels).unwrap().trim().trim_end_matches(',').parse().unwrap();
        let mut command = tool("ffmpeg");
        command.args(self.decoder).arg("-i").arg(path).args(["-map", "0:a:0", "-c:a", "pcm_f32le", "-f", "f32le", "-"]);
        let samples = floats(command.stdin(Stdio::null()).output().unwrap().stdout);
        samples.chunks_exact(channels).map(|frame| frame.iter().sum::<f32>() / channels as f32).collect()
    }

    fn by_sox(&self) -> Option<(&'static str, usize, usize)> {
        BY_SOX.into_iter().find(|(name, ..)| *name == self.name)
    }

    /// What is wrong; nothing, if it is read as ffmpeg reads it.
    fn check(&self, folder: &Path) -> Option<String> {
        let path = self.make(folder);
        let clip = match audio::read(Input::from(&path).with_ffmpeg(false), 60.0) {
            Err(error) => return self.is_refused(&format!("{error:#}")),
            Ok(clip) => clip,
        };
        let expected = self.expected(&path);
        let cut = if CUT_FRAMES.contains(&&*self.name) { 1_152 } else { 0 };
        // sox drops libmad's last frame, and reads the first of joined streams alone.
        let theirs = self.by_sox().map_or(expected.len() - cut, |(_, _, frames)| frames);
        let ours = clip.pcm.samples.len();
        // ffmpeg makes stereo of the mono that follows, 3 dB lower.
        let alike = if self.name == "joined.mp3" { 88_200 } else { expected.len() };
        let near = nearness(&expected[..alike], &clip.pcm.samples);
        (ours != theirs || near < NEAR).then(|| format!("{ours} samples, not {theirs}; {near:.0} dB {:?}", clip.notes))
    }

    /// Whether a kind that is no aim is refused by its name, with what to do.
    fn is_refused(&self, error: &str) -> Option<String> {
        // What was cut off is what tells where the packets are.
        if self.name == "cut.m4a" {
            return (!error.contains("damaged")).then(|| error.to_owned());
        }
        let refused = NO_AIM.iter().any(|(file, name)| self.name.ends_with(file) && error.contains(name));
        (!refused || !error.contains("ffmpeg -i")).then(|| error.to_owned())
    }
}

/// How much louder `expected` is than what `got` differs from it by, dB.
fn nearness(expected: &[f32], got: &[f32]) -> f64 {
    let energy = |samples: &mut dyn Iterator<Item = f64>| samples.map(|x| x * x).sum::<f64>();
    let signal = energy(&mut expected.iter().map(|&x| f64::from(x)));
    let error = energy(&mut expected.iter().zip(got).map(|(&x, &y)| f64::from(x) - f64::from(y)));
    10.0 * (signal / error.max(1e-30)).log10()
}

#[test]
#[ignore = "needs ffmpeg and sox, and takes a minute"]
fn recordings_as_ffmpeg_and_sox_write_them_are_read_as_ffmpeg_reads_them() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("source.wav");
    run(tool("ffmpeg").args(["-ss", "2.5", "-t", "2", "-i", REFERENCE]).arg(source));
    let cases = cases();
    assert!(cases.len() >= 120, "{} files", cases.len());
    let faults = cases.iter().filter_map(|case| Some(format!("{}: {}", case.name, case.check(folder.path())?)));
    let faults: Vec<_> = faults.collect();
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), cases.len(), faults.join("\n"));
}
