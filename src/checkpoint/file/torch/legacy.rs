//! The stream that torch wrote before 1.6: pickles of a magic number, a version, the machine and the saved object, then
//! the list of storage keys, then each storage as a 64-bit count and its elements.

use super::tensor::StorageRef;
use crate::checkpoint::file::pickle::Pickle;
use anyhow::{Context, Result, ensure};
use std::collections::HashMap;
use std::ops::Range;

/// 0x1950a86a20f9469cfc6c, little-endian.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
const VERSION: i64 = 1001;
/// The magic number's pickle in its longest form, with a frame.
const LONGEST_MAGIC: usize = 32;

/// Whether `data` begins with the magic number.
pub(super) fn recognise(data: &[u8]) -> bool {
    let head = &data[..data.len().min(LONGEST_MAGIC)];
    Pickle::read(head).is_ok_and(|pickle| pickle.root().bytes() == Some(&MAGIC))
}

/// The saved object's pickle, and where each storage lies.
pub(super) fn read(data: &[u8]) -> Result<(Pickle, HashMap<String, Range<usize>>)> {
    let mut at = 0;
    let mut next = |what: &str| -> Result<Pickle> {
        let pickle = Pickle::read(&data[at..]).with_context(|| format!("its {what} cannot be read"))?;
        at += pickle.len;
        Ok(pickle)
    };
    next("magic number")?;
    ensure!(next("version")?.root().int() == Some(VERSION), "a torch stream of another version than {VERSION}");
    let machine = next("description of the machine")?;
    let little = machine.root().get("little_endian").and_then(|v| v.bool());
    ensure!(little != Some(false), "its numbers are big-endian: save it again on a little-endian machine");
    let object = next("object")?;
    let keys = next("list of storages")?;
    let ranges = storages(data, at, &object, &keys)?;
    Ok((object, ranges))
}

fn storages(data: &[u8], mut at: usize, object: &Pickle, keys: &Pickle) -> Result<HashMap<String, Range<usize>>> {
    let described = object.persistent().map(StorageRef::new).collect::<Result<Vec<_>>>()?;
    let described: HashMap<_, _> = described.iter().map(|storage| (storage.key, storage)).collect();
    let mut ranges = HashMap::new();
    for key in keys.root().items() {
        let key = key.str().context("a storage's key is no text")?;
        let storage = described.get(key).with_context(|| format!("storage {key} is described nowhere"))?;
        let cut = || format!("storage {key} is incomplete: the file is cut short");
        let count = data.get(at..).and_then(|rest| rest.first_chunk::<8>()).with_context(cut)?;
        let count = usize::try_from(u64::from_le_bytes(*count)).with_context(cut)?;
        ensure!(count == storage.len, "storage {key} holds {count} elements, {} were described", storage.len);
        at += 8;
        let end = storage.byte_len()?.checked_add(at).filter(|&end| end <= data.len()).with_context(cut)?;
        ranges.insert(key.to_owned(), at..end);
        at = end;
    }
    Ok(ranges)
}
