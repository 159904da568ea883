//! Voices as coqui-tts 0.28 keeps them: `torch.save` of a dictionary of the three arrays, as tensors of int64, and `metadata`
//! (`TTS/utils/voices.py`, `CloningMixin.clone_voice`; `TTS/tts/models/bark.py`, `load_voice_file`).

use super::arrays::{KEYS, MAX_NUMBERS, SUFFIX};
use super::provenance::{self, Provenance};
use super::raw::{RawArray, RawVoice};
use super::{Form, Voice};
use crate::checkpoint::file::{self, Opened, TorchWriter, Value, write_tensor, write_text};
use crate::net::repr::Repr;
use crate::net::weights::Array;
use crate::output::Sink;
use anyhow::{Context, Result, bail, ensure};
use candle_core::{DType, Device};
use ndarray::{ArrayD, IxDyn};
use std::io::{Cursor, Read, Write};
use std::path::Path;

/// Whether the file `path` is one of torch's: the description is the first entry of its archive, or a stream of pickles.
pub(super) fn is_torch(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(512).read_to_end(&mut head));
    let name_len = head.get(26..28).map_or(0, |b| usize::from(u16::from_le_bytes([b[0], b[1]])));
    let first = head.get(30..30 + name_len).unwrap_or_default();
    let zip = head.starts_with(b"PK\x03\x04") && first.ends_with(b"data.pkl");
    read.is_ok() && (zip || head.starts_with(b"\x80\x02\x8a\x0a"))
}

/// Reads what a torch file holds of a voice.
pub(super) fn read(path: &Path) -> Result<RawVoice> {
    let Opened::Torch(torch) = file::open(path)? else { bail!("not a torch file") };
    let root = torch.root();
    let named = |key: &str| [key.to_owned(), key.strip_suffix(SUFFIX).unwrap_or(key).to_owned()];
    let names = KEYS.map(|key| named(key).into_iter().find(|name| root.get(name).is_some()));
    if names.iter().all(Option::is_none) {
        bail!("{}", what_else(root));
    }
    let tensors = torch.tensors(root)?;
    let mut raw = RawVoice::default();
    for (place, name) in raw.arrays.iter_mut().zip(&names) {
        let Some(name) = name else { continue };
        let array = tensors.array(name)?.with_context(|| format!("`{name}` is no tensor"))?;
        *place = Some(raw_array(name, &array).with_context(|| format!("`{name}`"))?);
    }
    if let Some(text) = root.get(provenance::KEY).and_then(Value::str) {
        raw.provenance = Provenance::from_bytes(text.as_bytes()).ok();
    }
    let known = |key: &&str| !names.iter().flatten().any(|name| name == key) && *key != provenance::KEY;
    raw.others = root.pairs().filter_map(|(key, _)| key.str()).filter(known).map(str::to_owned).take(40).collect();
    Ok(raw)
}

fn raw_array(name: &str, array: &Array) -> Result<RawArray> {
    let numbers: usize = array.shape.iter().product();
    ensure!((1..=MAX_NUMBERS).contains(&numbers) && array.shape.len() <= 3, "a shape of {:?}", array.shape);
    let kind = match array.repr {
        Repr::Plain(DType::I64) => "i8",
        Repr::Plain(DType::I32) => "i4",
        Repr::Plain(DType::I16) => "i2",
        Repr::Plain(DType::U8) => "u1",
        Repr::Plain(DType::F64) => "f8",
        Repr::Plain(DType::F32) => "f4",
        Repr::Plain(DType::F16) => "f2",
        _ => bail!("its elements are of a type that tokens are not kept in"),
    };
    let values = array.tensor(DType::F64, &Device::Cpu)?.flatten_all()?.to_vec1::<f64>()?;
    let values = ArrayD::from_shape_vec(IxDyn(&array.shape), values)?;
    Ok(RawArray::new(name, kind, super::arrays::rounded(&values)?))
}

/// What a torch file without a voice is, and what to do with it.
fn what_else(root: Value) -> String {
    let has = |key: &str| root.get(key).is_some();
    let vocabulary = root.get("model_args").and_then(|args| args.get("input_vocab_size")?.int());
    let begins = |prefix: &str| root.pairs().any(|(key, _)| key.str().is_some_and(|key| key.starts_with(prefix)));
    let what = match vocabulary {
        Some(129_600) => "a torch checkpoint of Bark's text model, not a voice: it is given with --bark",
        Some(12_096) => "a torch checkpoint of Bark's coarse model, not a voice: it is given with --bark",
        Some(_) => "a torch checkpoint of one of Bark's models, not a voice: it is given with --bark",
        None if has("model_args") => "a torch checkpoint of Bark's fine model, not a voice: it is given with --bark",
        None if begins("lstm.") => {
            "a torch checkpoint of a semantic quantizer, not a voice: it is given with --quantizer"
        }
        None if begins("encoder.") || has("best_state") => {
            "a torch checkpoint of a codec or of HuBERT, not a voice: it is given with --codec or --hubert"
        }
        None => {
            "a torch file without a voice's arrays: a voice has `semantic_prompt`, `coarse_prompt` and `fine_prompt`"
        }
    };
    what.to_owned()
}

/// Writes the voice called `name` as coqui's loader takes it.
pub(super) fn write(voice: &Voice, name: &str, provenance: Option<&Provenance>, sink: &mut Sink) -> Result<()> {
    let rows = |rows: &[Vec<u32>]| (vec![rows.len(), rows[0].len()], rows.concat());
    let semantic = (vec![voice.semantic().len()], voice.semantic().as_slice().to_vec());
    let tensors = [semantic, rows(voice.coarse().rows()), rows(voice.fine().rows())];
    // In memory first, as the `.npz`.
    let mut archive = Cursor::new(Vec::new());
    let mut writer = TorchWriter::new(&mut archive, "voice", &description(&tensors, name, provenance)?)?;
    for (index, (_, numbers)) in tensors.iter().enumerate() {
        let bytes: Vec<u8> = numbers.iter().flat_map(|&number| i64::from(number).to_le_bytes()).collect();
        writer.entry(&format!("data/{index}"), &bytes)?;
    }
    writer.finish()?;
    Ok(sink.write_all(archive.get_ref())?)
}

/// The pickle of the dictionary, protocol 2.
fn description(tensors: &[(Vec<usize>, Vec<u32>)], name: &str, provenance: Option<&Provenance>) -> Result<Vec<u8>> {
    let mut pickle = b"\x80\x02}(".to_vec();
    for ((key, (shape, _)), storage) in KEYS.iter().zip(tensors).zip(0..) {
        write_text(&mut pickle, key)?;
        write_tensor(&mut pickle, shape, storage, "LongStorage")?;
    }
    write_text(&mut pickle, "metadata")?;
    pickle.extend(b"}(");
    write_text(&mut pickle, "model")?;
    pickle.extend(b"}(");
    write_text(&mut pickle, "name")?;
    write_text(&mut pickle, "bark")?;
    pickle.push(b'u');
    write_text(&mut pickle, "speaker_id")?;
    write_text(&mut pickle, name)?;
    write_text(&mut pickle, "created_at")?;
    match provenance.and_then(|provenance| provenance.date.as_deref()) {
        Some(date) => write_text(&mut pickle, date)?,
        None => pickle.push(b'N'),
    }
    for unknown in ["source_files", "coqui_version"] {
        write_text(&mut pickle, unknown)?;
        pickle.push(b'N');
    }
    pickle.push(b'u');
    if let Some(provenance) = provenance {
        write_text(&mut pickle, provenance::KEY)?;
        write_text(&mut pickle, &String::from_utf8(provenance.to_bytes()?)?)?;
    }
    pickle.extend(b"u.");
    Ok(pickle)
}

/// The form that a voice at `path` is written in: a torch file where its name says so.
pub(super) fn is_asked_for(path: &Path, form: Form) -> bool {
    form == Form::Bark && path.extension().is_some_and(|extension| extension == "pth" || extension == "pt")
}
