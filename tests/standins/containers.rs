//! The containers that weights come in.

use super::State;
use super::python::{Pickler, Py};
use serde_json::{Map, json};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// The zip of torch.save, its entries below `folder`; `extra` entries (name, text) come last.
pub fn write_zip(path: &Path, folder: &str, root: &Py, extra: &[(String, String)]) {
    let mut pickler = Pickler::new(false);
    let pickle = pickler.dump(root);
    let mut zip = ZipWriter::new(BufWriter::new(File::create(path).unwrap()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut entry = |name: String, bytes: &[u8]| {
        zip.start_file(name, options.large_file(bytes.len() >= 1 << 31)).unwrap();
        zip.write_all(bytes).unwrap();
    };
    entry(format!("{folder}/data.pkl"), &pickle);
    entry(format!("{folder}/byteorder"), b"little");
    for (key, tensor) in pickler.tensors.iter().enumerate() {
        entry(format!("{folder}/data/{key}"), &tensor.bytes());
    }
    entry(format!("{folder}/version"), b"3\n");
    for (name, text) in extra {
        entry(name.clone(), text.as_bytes());
    }
    zip.finish().unwrap().flush().unwrap();
}

/// The stream of torch before 1.6.
pub fn write_legacy(path: &Path, root: &Py) {
    let mut out = BufWriter::new(File::create(path).unwrap());
    out.write_all(b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.").unwrap();
    let mut pickler = Pickler::new(true);
    let version = pickler.dump(&Py::Int(1001));
    let sizes = Py::dict([("short", Py::Int(2)), ("int", Py::Int(4)), ("long", Py::Int(4))]);
    let machine = [("protocol_version", Py::Int(1001)), ("little_endian", Py::Bool(true)), ("type_sizes", sizes)];
    let machine = pickler.dump(&Py::dict(machine));
    let object = pickler.dump(root);
    let keys = (0..pickler.tensors.len()).map(|key| Py::Str(key.to_string())).collect();
    let keys = pickler.dump(&Py::List(keys));
    for pickle in [version, machine, object, keys] {
        out.write_all(&pickle).unwrap();
    }
    for tensor in &pickler.tensors {
        out.write_all(&(tensor.count() as u64).to_le_bytes()).unwrap();
        out.write_all(&tensor.bytes()).unwrap();
    }
    out.flush().unwrap();
}

/// A `.safetensors` file.
pub fn write_safetensors(path: &Path, state: &State) {
    let mut header = Map::from_iter([("__metadata__".to_owned(), json!({"format": "pt"}))]);
    let mut end = 0;
    for (name, data) in state {
        let start = end;
        end += 4 * data.count();
        header.insert(name.clone(), json!({"dtype": "F32", "shape": data.shape(), "data_offsets": [start, end]}));
    }
    let mut header = serde_json::to_vec(&header).unwrap();
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut out = BufWriter::new(File::create(path).unwrap());
    out.write_all(&(header.len() as u64).to_le_bytes()).unwrap();
    out.write_all(&header).unwrap();
    for (_, data) in state {
        out.write_all(&data.bytes()).unwrap();
    }
    out.flush().unwrap();
}

/// `model.safetensors.index.json` and `shards` files.
pub fn write_sharded(dir: &Path, state: &State, shards: usize) {
    let mut places = Map::new();
    for (i, part) in state.chunks(state.len().div_ceil(shards)).enumerate() {
        let file = format!("model-{:05}-of-{shards:05}.safetensors", i + 1);
        places.extend(part.iter().map(|(name, _)| (name.clone(), file.clone().into())));
        write_safetensors(&dir.join(&file), &part.to_vec());
    }
    super::write_json(&dir.join("model.safetensors.index.json"), &json!({"metadata": {}, "weight_map": places}));
}
