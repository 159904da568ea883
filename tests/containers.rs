//! Files of torch.save and safetensors, held to torch's own (tests/golden/weights.py), and every way in which they are
//! damaged.

use crate::layouts::fault;
use crate::standins::{Data, shared, write_json, write_safetensors, write_sharded};
use barkclone::checkpoint::file;
use barkclone::checkpoint::file::Opened;
use candle_core::{DType, Device};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

const VIEWS: [&str; 4] =
    ["weights_views.pt", "weights_views_protocol4.pt", "weights_views_legacy.pt", "weights_views_legacy4.pt"];

#[derive(Deserialize)]
struct View {
    shape: Vec<usize>,
    dtype: String,
    values: Vec<f64>,
}

#[test]
fn every_view_and_type_of_torch_is_read_exactly() {
    let expected: BTreeMap<String, View> =
        serde_json::from_slice(&fs::read(fixture("weights_views.json")).unwrap()).unwrap();
    assert_eq!(expected.len(), 19);
    for name in VIEWS {
        let tensors = file::open(&fixture(name)).unwrap().tensors().unwrap();
        assert_eq!(tensors.names(), expected.keys().cloned().collect::<Vec<_>>(), "{name}");
        for (tensor, view) in &expected {
            let array = tensors.array(tensor).unwrap().unwrap();
            assert_eq!(array.shape, view.shape, "{name}: {tensor}");
            let dtype = match view.dtype.as_str() {
                "float32" => DType::F32,
                "float16" => DType::F16,
                "bfloat16" => DType::BF16,
                "float64" => DType::F64,
                "int64" => DType::I64,
                "int32" => DType::I32,
                "int16" => DType::I16,
                _ => DType::U8,
            };
            assert_eq!(array.repr, dtype.into(), "{name}: {tensor}");
            let values = array.tensor(DType::F64, &Device::Cpu).unwrap().flatten_all().unwrap();
            assert_eq!(values.to_vec1::<f64>().unwrap(), view.values, "{name}: {tensor}");
        }
        assert!(tensors.array("none").unwrap().is_none());
    }
}

#[test]
fn foreign_objects_beside_the_tensors_are_inert() {
    for name in ["weights_objects.pt", "weights_objects_legacy4.pt"] {
        let Opened::Torch(torch) = file::open(&fixture(name)).unwrap() else { panic!("{name}") };
        let root = torch.root();
        let args = root.get("args").unwrap();
        assert_eq!(args.get("encoder_attention_heads").unwrap().int(), Some(2));
        let tensors = torch.tensors(root.get("model").unwrap()).unwrap();
        assert_eq!(tensors.array("weight").unwrap().unwrap().shape, [2]);
        let error = torch.tensors(args).err().unwrap().to_string();
        assert!(error.contains("no tensors"), "{error}");
    }
    assert!(!Path::new("weights_hostile_ran").exists());
}

/// Opens the file and reads all that it holds.
fn read_all(path: &Path) -> anyhow::Result<usize> {
    let opened = file::open(path)?;
    if let Opened::Torch(torch) = &opened {
        torch.note(".info")?;
    }
    let tensors = opened.tensors()?;
    let mut bytes = 0;
    for name in tensors.names() {
        bytes += tensors.array(&name)?.map_or(0, |array| array.bytes.len());
    }
    Ok(bytes)
}

fn small_safetensors() -> PathBuf {
    let state = vec![
        ("a".to_owned(), Data::Values(vec![1.0, 2.0, 3.0], vec![3])),
        ("b".to_owned(), Data::Values(vec![4.0; 6], vec![2, 3])),
    ];
    shared("safetensors", |dir| write_safetensors(&dir.join("small.safetensors"), &state)).join("small.safetensors")
}

#[test]
fn a_file_cut_at_any_byte_is_refused() {
    let mut paths: Vec<_> = VIEWS.iter().map(|name| fixture(name)).collect();
    paths.push(small_safetensors());
    let cut = shared("cut", |_| {}).join("cut.pt");
    for path in paths {
        let whole = fs::read(&path).unwrap();
        assert!(read_all(&path).unwrap() > 0);
        for length in 0..whole.len() {
            fs::write(&cut, &whole[..length]).unwrap();
            let text = fault(read_all(&cut), &cut);
            assert!(length > 0 || text.contains("empty"), "{length}: {text}");
        }
    }
}

#[test]
fn flipped_bytes_never_panic() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let flipped = shared("flipped", |_| {}).join("flipped.pt");
    let mut paths: Vec<_> = VIEWS.iter().map(|name| fixture(name)).collect();
    paths.extend([fixture("weights_objects.pt"), fixture("weights_objects_legacy4.pt"), small_safetensors()]);
    let (mut read, mut refused) = (0, 0);
    for path in paths {
        let whole = fs::read(&path).unwrap();
        for _ in 0..600 {
            let mut bytes = whole.clone();
            for _ in 0..1 + rng.next_u32() % 3 {
                let at = rng.next_u64() as usize % bytes.len();
                bytes[at] = rng.next_u32() as u8;
            }
            fs::write(&flipped, &bytes).unwrap();
            match read_all(&flipped) {
                Ok(_) => read += 1,
                Err(_) => refused += 1,
            }
        }
    }
    assert!(read > 300 && refused > 300, "{read} read, {refused} refused");
}

#[test]
fn what_is_no_model_is_told_by_its_look() {
    let dir = shared("no-models", |_| {});
    for (content, expected) in [
        (&b""[..], "the file is empty"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"\n  <html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "git lfs pull"),
        (b"GGUF\x03\0\0\0", "GGUF"),
        (b"{\"model_type\": \"bark\"}", "no index"),
        (b"{}", "no index"),
        (b"PK\x03\x04", "cut short"),
        (b"PK", "cut short"),
        (b"\x80\x02}.", "not one that torch.save wrote"),
        (b"RIFF1234WAVE", "unknown"),
        (b"    ", "blank"),
    ] {
        let path = dir.join("model.pt");
        fs::write(&path, content).unwrap();
        let text = fault(file::open(&path), &path);
        assert!(text.contains(expected), "{expected:?} is not in: {text}");
    }
    assert!(fault(file::open(&dir), &dir).contains("a file was expected"));
    let zip = dir.join("other.zip");
    let mut writer = zip::ZipWriter::new(fs::File::create(&zip).unwrap());
    writer.start_file("readme.txt", zip::write::SimpleFileOptions::default()).unwrap();
    writer.finish().unwrap();
    assert!(fault(file::open(&zip), &zip).contains("without `data.pkl`"));
}

#[test]
fn names_do_not_matter_only_content_does() {
    let dir = shared("misnamed", |_| {});
    let path = dir.join("model.safetensors");
    fs::copy(fixture("weights_views.pt"), &path).unwrap();
    assert!(matches!(file::open(&path).unwrap(), Opened::Torch(_)));
    let path = dir.join("model.pt");
    fs::copy(small_safetensors(), &path).unwrap();
    assert_eq!(file::open(&path).unwrap().tensors().unwrap().names(), ["a", "b"]);
}

#[test]
fn an_index_is_held_to_its_shards() {
    let state: Vec<_> = ["a", "b", "c"].map(|name| (name.to_owned(), Data::Values(vec![1.0], vec![1]))).into();
    let dir = shared("sharded", |dir| write_sharded(dir, &state, 2));
    let index = dir.join("model.safetensors.index.json");
    let tensors = file::open(&index).unwrap().tensors().unwrap();
    assert_eq!(tensors.names(), ["a", "b", "c"]);
    let shard = "model-00001-of-00002.safetensors";
    for (map, expected) in [
        (json!({"a": shard, "b": shard, "c": shard}), "disagree on `c`"),
        (json!({"a": shard}), "disagree on `b`"),
        (json!({"a": "../sharded/model-00001-of-00002.safetensors"}), "no file beside it"),
        (json!({"a": "/etc/passwd"}), "no file beside it"),
        (json!({"a": "missing.safetensors"}), "missing.safetensors"),
        (json!({"a": "index.json"}), "no file beside it"),
        (json!({}), "names no weights"),
    ] {
        let path = dir.join("index.json");
        write_json(&path, &json!({ "weight_map": map }));
        let text = fault(file::open(&path), &path);
        assert!(text.contains(expected), "{expected:?} is not in: {text}");
    }
}
