//! Training a quantizer: on sounds whose right tokens are those of the built-in quantizer, which HuBERT's features decide.

use barkclone::audio::{Encoding, Pcm, write_wav};
use barkclone::checkpoint::{self, builtin, write_quantizer};
use barkclone::clone::Listener;
use barkclone::net::quantizer::{Engine, Parameters, Quantizer, QuantizerConfig};
use barkclone::output;
use barkclone::progress::Silent;
use barkclone::train::{self, Align, Cache, Clip, Clips, Epoch, Settings};
use candle_core::{DType, Device, Tensor};
use ndarray::Array1;
use ndarray_npy::write_npy;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// The tokens of the built-in quantizer.
const VOCAB: usize = 249;

/// A buzz whose pitch and colour wander, another one for each `seed`.
pub fn babble(seconds: f64, seed: u32) -> Pcm {
    let rate = 24_000;
    let mut phase = 0.0;
    let sample = |i: usize| {
        let t = i as f64 / f64::from(rate);
        phase += (120.0 + 10.0 * f64::from(seed) + 50.0 * (5.0 * t + f64::from(seed)).sin()) / f64::from(rate);
        let tone: f64 =
            (1..8).map(|k| (std::f64::consts::TAU * f64::from(k) * phase).sin() * (f64::from(k) * 3.0 * t).cos()).sum();
        (0.08 * tone * (1.0 + (9.0 * t).sin())) as f32
    };
    Pcm { samples: (0..(seconds * f64::from(rate)) as usize).map(sample).collect(), rate }
}

/// Writes `count` pairs into `folder`.
pub fn write_pairs(folder: &Path, count: u32) {
    let listener = Listener::new(&builtin::hubert().unwrap(), &builtin::quantizer().unwrap(), &Device::Cpu).unwrap();
    for seed in 0..count {
        let pcm = babble(1.0 + 0.3 * f64::from(seed % 4), seed);
        let mut wav = BufWriter::new(File::create(folder.join(format!("{seed}_wav.wav"))).unwrap());
        write_wav(&mut wav, &pcm, Encoding::Pcm16, &[]).unwrap();
        wav.flush().unwrap();
        let tokens = listener.clip(&pcm).unwrap();
        let tokens: Array1<i64> = tokens.as_slice().iter().map(|&token| i64::from(token)).collect();
        write_npy(folder.join(format!("{seed}_semantic.npy")), &tokens).unwrap();
    }
}

fn clips(folder: &Path) -> Clips {
    let kept = folder.join("kept");
    clips_in(folder, Cache { folder: &kept, spare: None })
}

fn clips_in(folder: &Path, cache: Cache) -> Clips {
    let hubert = builtin::hubert().unwrap();
    Clips::open(folder, (&hubert, &Device::Cpu), (cache, Align::Cut), None, &Silent).unwrap()
}

fn first() -> Parameters {
    let config = QuantizerConfig { input_size: 96, hidden_size: 24, output_size: VOCAB, version: 0 };
    train::random(config, 3).unwrap()
}

fn settings(epochs: usize) -> Settings {
    Settings { epochs, rate: 0.01, batch: 3, valid: 0.2, longest: 1.0, seed: 5 }
}

#[test]
fn a_training_that_was_stopped_ends_at_the_weights_of_one_that_was_not() {
    let folder = tempfile::tempdir().unwrap();
    write_pairs(folder.path(), 8);
    let clips = clips(folder.path());
    assert!(clips.clips.len() == 8 && clips.width == 96 && clips.left_out.is_empty());
    let run = |kept: &str, most: usize, engine: &Engine| {
        let mut watch = |history: &[Epoch]| {
            anyhow::ensure!(history.len() < most, "stopped");
            Ok(())
        };
        let kept = folder.path().join(kept);
        train::train(first(), &clips, (&settings(4), engine), &kept, (&mut watch, &Silent))
    };
    let (kernels, candle) = (Engine::KERNELS, Engine::autograd(Device::Cpu));
    let (whole, history) = run("one", 9, &kernels).unwrap();
    assert!(run("two", 2, &kernels).is_err());
    let (resumed, again) = run("two", 9, &kernels).unwrap();
    assert!(whole == resumed && history == again);
    assert!(history[3].train.loss < history[0].train.loss - 0.3, "{history:?}");
    assert!(history.iter().all(|epoch| epoch.valid.is_some()));

    // So on a GPU, and what one of them left the other one goes on with.
    let (other, told) = run("three", 9, &candle).unwrap();
    assert!(run("four", 2, &candle).is_err());
    assert!(run("four", 9, &candle).unwrap() == (other, told.clone()));
    assert!(run("five", 2, &candle).is_err());
    let (_, mixed) = run("five", 9, &kernels).unwrap();
    for other in [&told, &mixed] {
        let apart = |(a, b): (&Epoch, &Epoch)| (a.train.loss - b.train.loss).abs();
        let worst = history.iter().zip(other).map(apart).fold(0.0, f64::max);
        assert!(worst < 1e-3 && other.len() == 4, "{worst}");
    }

    let settings = Settings { seed: 6, ..settings(4) };
    let (mut watch, kept) = (|_: &[Epoch]| Ok(()), folder.path().join("two"));
    let error = train::train(first(), &clips, (&settings, &kernels), &kept, (&mut watch, &Silent)).unwrap_err();
    assert!(error.to_string().contains("two: holds a training of other data or settings"), "{error}");
}

#[test]
fn what_is_written_is_read_and_hears_the_same_tokens() {
    let folder = tempfile::tempdir().unwrap();
    write_pairs(folder.path(), 2);
    let clips = clips(folder.path());
    for version in [0, 1] {
        let config = QuantizerConfig { version, ..first().config };
        let parameters = train::random(config.clone(), 1).unwrap();
        let record = checkpoint::TrainingRecord { language: Some("gl".into()), clips: 2, ..Default::default() };
        let path = folder.path().join(format!("mine{version}.pth"));
        let sounds = clips.clips.iter().map(Clip::mark).collect();
        let written = (&record, &sounds);
        output::write_atomically(&path, false, |sink| write_quantizer(&parameters, written, "mine", sink)).unwrap();
        let read = checkpoint::quantizer(&path).unwrap();
        assert!(read.config == config && read.parameters().unwrap() == parameters);
        assert_eq!(checkpoint::training_record(&path).unwrap(), Some(record));
        assert!(checkpoint::training_sounds(&path, train::MARK).unwrap() == sounds && sounds.len() == 2);

        let chosen: Vec<&Clip> = clips.clips.iter().collect();
        let (score, each) = train::evaluate(|batch| Ok(parameters.told(batch)), &clips, &chosen, &Silent).unwrap();
        assert!(score.loss > 0.0 && each.len() == 2);
        let net = Quantizer::new(&config, &read.weights(DType::F32, &Device::Cpu)).unwrap();
        for (clip, score) in chosen.iter().zip(&each) {
            let features = clips.features(clip).unwrap();
            let features = Tensor::from_vec(features, (1, clip.tokens.len(), 96), &Device::Cpu).unwrap();
            let heard = net.tokens(&features).unwrap();
            let right = heard.iter().zip(&clip.tokens).filter(|(a, b)| a == b).count();
            assert_eq!(score.score.accuracy, right as f64 / heard.len() as f64);
        }
    }
}

#[test]
fn what_hubert_heard_is_heard_once_and_is_kept_in_half_the_bits() {
    let folder = tempfile::tempdir().unwrap();
    write_pairs(folder.path(), 2);
    let first = clips(folder.path());
    let kept = || std::fs::read_dir(folder.path().join("kept")).unwrap().map(|e| e.unwrap().path()).collect::<Vec<_>>();
    let times: Vec<_> = kept().iter().map(|path| path.metadata().unwrap().modified().unwrap()).collect();
    let again = clips(folder.path());
    assert_eq!(kept().iter().map(|path| path.metadata().unwrap().modified().unwrap()).collect::<Vec<_>>(), times);
    assert!(times.len() == 2 && first.identity() == again.identity());
    let bytes: u64 = kept().iter().map(|path| path.metadata().unwrap().len()).sum();
    let frames: usize = first.clips.iter().map(|clip| clip.tokens.len()).sum();
    assert!((frames * 96 * 2..frames * 96 * 2 + 1000).contains(&(bytes as usize)), "{bytes} for {frames} frames");
}

#[test]
fn where_nothing_can_be_kept_what_is_new_goes_elsewhere_and_the_rest_is_read() {
    let folder = tempfile::tempdir().unwrap();
    write_pairs(folder.path(), 1);
    let first = clips(folder.path());
    let [kept, spare] = ["kept", "spare"].map(|name| folder.path().join(name));
    let files = |path: &Path| std::fs::read_dir(path).unwrap().count();
    write_pairs(folder.path(), 2);
    let both = clips_in(folder.path(), Cache { folder: &kept, spare: Some(&spare) });
    assert_eq!((both.clips.len(), files(&kept), files(&spare)), (2, 1, 1));
    assert_eq!(both.features(&both.clips[0]).unwrap(), first.features(&first.clips[0]).unwrap());
    assert!(!both.features(&both.clips[1]).unwrap().is_empty());
}

#[test]
fn a_training_holds_its_state_alone_and_leaves_no_lock() {
    let folder = tempfile::tempdir().unwrap();
    let (kept, cache) = (folder.path().join("mine.pth.training"), folder.path().join("cache"));
    std::fs::create_dir(&cache).unwrap();
    let files = || std::fs::read_dir(&cache).unwrap().count();
    for _ in 0..2 {
        let held = train::hold(&kept, &cache).unwrap();
        let busy = train::hold(&kept, &cache).err().unwrap().to_string();
        assert!(busy.ends_with("another training is under way on it") && files() == 1, "{busy}");
        drop(held);
        assert_eq!(files(), 0);
    }
}

#[test]
fn pairs_that_do_not_fit_are_left_out_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    write_pairs(folder.path(), 5);
    let place = |name: &str| folder.path().join(name);
    std::fs::copy(place("0_semantic.npy"), place("1_semantic.npy")).unwrap();
    std::fs::write(place("2_semantic.npy"), "no tokens").unwrap();
    std::fs::remove_file(place("3_semantic.npy")).unwrap();
    let mut wav = Vec::new();
    let silence = Pcm { samples: vec![0.0; 24_000], rate: 24_000 };
    write_wav(&mut wav, &silence, Encoding::Pcm16, &[]).unwrap();
    std::fs::write(place("4_wav.wav"), wav).unwrap();
    let clips = clips(folder.path());
    assert_eq!(clips.clips.iter().map(|clip| clip.pair.name.as_str()).collect::<Vec<_>>(), ["0"]);
    let faults = clips.faults();
    for fault in
        ["1 without a partner", "1 silent", "1 with tokens of another length", "1 with tokens that cannot be read"]
    {
        assert!(faults.contains(fault), "{fault}: {faults}");
    }
}
