//! The arrays of a voice file <-> numbers. ndarray-npy knows numpy's format; this adds what keeps it safe with files
//! from anywhere: bounded sizes, shapes that the data can fill, and every integer type, tried by its name.

use super::Voice;
use crate::output::Sink;
use anyhow::{Context, Result, anyhow, bail, ensure};
use ndarray::{Array1, Array2, ArrayD};
use ndarray_npy::npy::header::Header;
use ndarray_npy::{NpzWriter, ReadNpyExt, ReadableElement};
use std::fmt::Display;
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;
use zip::ZipArchive;

/// Bark's names of the three arrays.
pub(super) const KEYS: [&str; 3] = ["semantic_prompt", "coarse_prompt", "fine_prompt"];
/// What Hugging Face and some tools leave out of them.
const SUFFIX: &str = "_prompt";

/// Largest array: half an hour of eight codebooks in int64, twice over.
const MAX_ARRAY: u64 = 16 << 20;
/// Largest file: room for arrays that are ignored.
const MAX_FILE: u64 = 256 << 20;
/// Longest array header, and most brackets in it: a dictionary and a shape. Bounds the parser's recursion.
const MAX_HEADER: usize = 4096;
const MAX_BRACKETS: usize = 4;

/// The semantic, coarse and fine arrays, of any shape.
pub(super) type Arrays = [ArrayD<u32>; 3];

/// Reads the three arrays from an `.npz`; others are ignored.
pub(super) fn from_npz(path: &Path) -> Result<Arrays> {
    let file = open(path, MAX_FILE)?;
    let mut archive = ZipArchive::new(BufReader::new(file)).context("not an .npz file (a zip of numpy arrays)")?;
    ensure!(!archive.has_duplicate_names(), "damaged: it holds two arrays of one name");
    let mut read = |key: &str| {
        let bytes = entry(&mut archive, key)?;
        tokens(&bytes).with_context(|| format!("`{key}`"))
    };
    Ok([read(KEYS[0])?, read(KEYS[1])?, read(KEYS[2])?])
}

/// Reads the three arrays from an `.npy` each.
pub(super) fn from_npy(paths: [&Path; 3]) -> Result<Arrays> {
    let read = |path: &Path| {
        let bytes = bounded(open(path, MAX_ARRAY)?)?;
        tokens(&bytes)
    };
    let named = |path: &Path| read(path).with_context(|| path.display().to_string());
    Ok([named(paths[0])?, named(paths[1])?, named(paths[2])?])
}

/// Writes the voice's arrays, int64 in C order, stored: what numpy.savez writes.
pub(super) fn to_npz(voice: &Voice, sink: &mut Sink) -> Result<()> {
    let wide = |row: &[u32]| row.iter().copied().map(i64::from).collect::<Vec<_>>();
    let codes = |rows: &[Vec<u32>]| {
        let flat: Vec<_> = rows.iter().flat_map(|row| wide(row)).collect();
        Array2::from_shape_vec((rows.len(), rows[0].len()), flat)
    };
    let mut npz = NpzWriter::new(sink);
    npz.add_array(KEYS[0], &Array1::from_vec(wide(voice.semantic.as_slice())))?;
    npz.add_array(KEYS[1], &codes(voice.coarse.rows())?)?;
    npz.add_array(KEYS[2], &codes(voice.fine.rows())?)?;
    npz.finish()?;
    Ok(())
}

fn open(path: &Path, limit: u64) -> Result<File> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    ensure!(metadata.is_file(), "not a regular file");
    ensure!(metadata.len() <= limit, "too large for a voice ({} MiB)", metadata.len() >> 20);
    Ok(file)
}

/// The bytes of the array `key`, under any of its names.
fn entry<R: Read + Seek>(archive: &mut ZipArchive<R>, key: &str) -> Result<Vec<u8>> {
    let short = key.strip_suffix(SUFFIX).unwrap_or(key);
    let names = [key.to_owned(), short.to_owned()].into_iter().flat_map(|name| [format!("{name}.npy"), name]);
    let found: Vec<_> = names.filter_map(|name| archive.index_for_name(&name)).collect();
    match found[..] {
        [index] => {
            let file = archive.by_index(index).with_context(|| format!("`{key}`"))?;
            bounded(file).with_context(|| format!("`{key}`"))
        }
        [] => bail!("no array `{key}` (nor `{short}`); it holds {}", held(archive)),
        _ => bail!("more than one array `{key}` or `{short}`: which one is meant?"),
    }
}

/// The first few names in the archive, for a message.
fn held<R: Read + Seek>(archive: &ZipArchive<R>) -> String {
    let names = archive.file_names().flatten().take(5);
    let names: Vec<_> = names.map(|name| name.chars().take(40).collect::<String>()).collect();
    if names.is_empty() { "nothing".to_owned() } else { format!("{names:?}") }
}

fn bounded(reader: impl Read) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(MAX_ARRAY + 1).read_to_end(&mut bytes)?;
    ensure!(bytes.len() as u64 <= MAX_ARRAY, "too large for a voice (over {} MiB)", MAX_ARRAY >> 20);
    Ok(bytes)
}

/// One `.npy` of whole numbers from 0 on, in whatever integer type.
fn tokens(npy: &[u8]) -> Result<ArrayD<u32>> {
    match element_type(npy)?.as_str() {
        "i1" => convert::<i8>(npy),
        "i2" => convert::<i16>(npy),
        "i4" => convert::<i32>(npy),
        "i8" => convert::<i64>(npy),
        "u1" => convert::<u8>(npy),
        "u2" => convert::<u16>(npy),
        "u4" => convert::<u32>(npy),
        "u8" => convert::<u64>(npy),
        other => bail!("its elements are of type {other}, expected integers: convert it with `.astype(int)`"),
    }
}

/// The array's element type without its byte order: `i8`, `u2`, `f4`, `O`...
fn element_type(npy: &[u8]) -> Result<String> {
    check_header(npy)?;
    let mut data = npy;
    let header = Header::from_reader(&mut data).context("not a numpy array")?;
    let count = header.shape.iter().try_fold(1usize, |count, &len| count.checked_mul(len));
    // Every element takes a byte at least; a zero length would let the others be anything.
    let filled = count.is_some_and(|count| (1..=data.len()).contains(&count));
    let (shape, len) = (&header.shape, data.len());
    ensure!(filled && shape.len() <= 2, "a shape of {shape:?} cannot be read from {len} bytes");
    let name = header.type_descriptor.to_string();
    Ok(name.trim_matches('\'').trim_start_matches(['<', '>', '|', '=']).chars().take(40).collect())
}

/// Refuses headers that are no small dictionary before they are parsed: `\x93NUMPY version len header`.
fn check_header(npy: &[u8]) -> Result<()> {
    let (len, rest) = match npy.strip_prefix(b"\x93NUMPY") {
        Some([1, _, a, b, rest @ ..]) => (usize::from(u16::from_le_bytes([*a, *b])), rest),
        Some([2 | 3, _, a, b, c, d, rest @ ..]) => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, rest),
        _ => bail!("not a numpy array"),
    };
    ensure!(len <= rest.len(), "not a numpy array: it ends within its header");
    let brackets = rest[..len].iter().filter(|byte| b"([{".contains(byte)).count();
    let small = len <= MAX_HEADER && brackets <= MAX_BRACKETS;
    ensure!(small, "not an array of integers: its header is {len} bytes long, with {brackets} brackets");
    Ok(())
}

fn convert<T: ReadableElement + Copy + Display>(npy: &[u8]) -> Result<ArrayD<u32>>
where
    u32: TryFrom<T>,
{
    let array = ArrayD::<T>::read_npy(npy).context("damaged")?;
    let token = |&value: &T| u32::try_from(value).map_err(|_| anyhow!("it holds {value}, which is no token"));
    let tokens = array.iter().map(token).collect::<Result<_>>()?;
    Ok(ArrayD::from_shape_vec(array.raw_dim(), tokens)?)
}
