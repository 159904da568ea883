//! Packed files: the same model in one file, in a type of choice.

use crate::noise::rule;
use crate::noise::{self, Size};
use barkclone::checkpoint::{self, Bark};
use barkclone::error::exit_code;
use barkclone::net::gpt::{FineGpt, FineInput, Gpt, GptConfig, Input};
use barkclone::net::repr::Repr;
use barkclone::progress::{Progress, Silent};
use barkclone::stage::Stage;
use candle_core::{DType, Device};
use std::path::PathBuf;
use std::sync::Mutex;
use tempfile::TempDir;

/// A model whose rows are whole blocks of every type, with vocabularies as published.
fn source() -> Bark {
    let config = |stage| GptConfig { layers: 1, heads: 4, width: 256, ..noise::gpt_config(stage, Size::Tiny) };
    let mut configs = Stage::ALL.map(config);
    (configs[0].input_vocab, configs[0].output_vocab) = (129_600, 10_048);
    noise::bark_of(configs, 5)
}

fn packed(folder: &TempDir, bark: &Bark, repr: Repr) -> PathBuf {
    let path = folder.path().join(format!("{repr}.safetensors"));
    checkpoint::pack(bark, (Some(&noise::codec(5)), None), repr, &path, &Silent).unwrap();
    path
}

/// Logits of a short prompt in the coarse stage.
fn logits(bark: &Bark) -> Vec<f32> {
    let (config, weights) = bark.stage(Stage::Coarse, DType::F32, &Device::Cpu).unwrap();
    let gpt = Gpt::new(&config, &weights).unwrap();
    let input = Input { slot: 0, tokens: &[1, 500, 12_050, 10_001], merged: &[] };
    gpt.forward(&[input], &mut gpt.cache(1).unwrap(), 10_000..11_024).unwrap()
}

/// Root of the mean square of the differences, over that of the expected values.
fn error(got: &[f32], expected: &[f32]) -> f32 {
    let square = |x: f32| x * x;
    let apart: f32 = got.iter().zip(expected).map(|(a, b)| square(a - b)).sum();
    (apart / expected.iter().map(|&b| square(b)).sum::<f32>()).sqrt()
}

#[test]
fn every_type_loads_in_all_stages_and_computes_what_its_precision_allows() {
    let folder = TempDir::new().unwrap();
    let source = source();
    let exact = logits(&source);
    for ((name, repr), most) in Repr::PACKED.into_iter().zip([0.0, 1e-3, 8e-3, 2e-2, 2e-1]) {
        let bark = checkpoint::bark(&packed(&folder, &source, repr)).unwrap();
        assert_eq!(bark.protocol, source.protocol);
        let apart = error(&logits(&bark), &exact);
        println!("{name}: relative error of the logits {apart:.1e}");
        assert!(apart <= most, "{name}: {apart}");
        let (config, weights) = bark.stage(Stage::Fine, DType::F32, &Device::Cpu).unwrap();
        let fine = FineGpt::new(&config, &weights).unwrap();
        let window = FineInput { codes: [&[3, 4, 5]; 8], from: 1 };
        assert_eq!(fine.forward(&[window], 2, 1024).unwrap()[0].len(), 2 * 1024);
        assert!(bark.codec().unwrap().is_some(), "{name}: the codec is packed along");
    }
}

#[test]
fn types_get_smaller_in_their_order() {
    let folder = TempDir::new().unwrap();
    let source = source();
    let sizes: Vec<u64> = ["f32", "f16", "q8_0", "q4_k"]
        .iter()
        .map(|wanted| {
            let repr = Repr::PACKED.iter().find(|(name, _)| name == wanted).unwrap().1;
            std::fs::metadata(packed(&folder, &source, repr)).unwrap().len()
        })
        .collect();
    assert!(sizes.is_sorted_by(|a, b| a > b), "{sizes:?}");
}

#[test]
fn rows_that_are_not_whole_blocks_are_refused_and_leave_nothing_behind() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("tiny.safetensors");
    let tiny = noise::bark(Size::Tiny, 5);
    let refused = checkpoint::pack(&tiny, (Some(&noise::codec(5)), None), Repr::Q4K, &path, &Silent).unwrap_err();
    assert_eq!(exit_code(&refused), 2, "{refused:#}");
    assert!(format!("{refused:#}").contains("take another type"), "{refused:#}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// Remembers which files lie in a folder while the work goes on.
struct Onlooker<'a>(&'a TempDir, Mutex<std::collections::BTreeSet<String>>);

impl Progress for Onlooker<'_> {
    fn start(&self, _: &str, _: u64, _: &str) {}
    fn finish(&self) {}
    fn advance(&self, _: u64) {
        let names = std::fs::read_dir(self.0.path()).unwrap().map(|entry| entry.unwrap().file_name());
        self.1.lock().unwrap().extend(names.map(|name| name.into_string().unwrap()));
    }
}

#[test]
fn packing_fills_one_file_that_a_sweep_finds() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("tiny.safetensors");
    let onlooker = Onlooker(&folder, Mutex::default());
    checkpoint::pack(&noise::bark(Size::Tiny, 5), (None, None), Repr::Q8_0, &path, &onlooker).unwrap();
    let seen = onlooker.1.into_inner().unwrap();
    assert!(seen.len() == 1 && seen.iter().all(|name| name.starts_with(".barkclone-tiny-")), "{seen:?}");
}

#[test]
fn a_packed_file_cut_short_is_refused_by_name() {
    let folder = TempDir::new().unwrap();
    let path = packed(&folder, &noise::bark(Size::Tiny, 5), Repr::Q8_0);
    let bytes = std::fs::read(&path).unwrap();
    for len in [9, 1000, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..len]).unwrap();
        let Err(refused) = checkpoint::bark(&path) else { panic!("{len} bytes were accepted") };
        assert!(format!("{refused:#}").contains("q8_0.safetensors"), "{refused:#}");
    }
}

#[test]
fn packing_as_f32_keeps_every_bit() {
    let folder = TempDir::new().unwrap();
    let bark = checkpoint::bark(&packed(&folder, &noise::bark(Size::Tiny, 5), DType::F32.into())).unwrap();
    let (_, weights) = bark.stage(Stage::Semantic, DType::F32, &Device::Cpu).unwrap();
    let array = weights.array((96, 32), "layers.1.attn.att_proj.weight").unwrap();
    let expected = rule::values("text.transformer.h.1.attn.c_attn.weight", &[96, 32], 5);
    assert!(array.bytes[..] == *bytemuck::cast_slice::<f32, u8>(&expected));
}
