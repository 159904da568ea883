//! The arrays of a voice file <-> numbers. ndarray-npy knows numpy's format; this adds what keeps it safe with files
//! from anywhere: bounded sizes, shapes that the data can fill, and every element type, tried by its name.

use super::provenance::{self, Provenance};
use super::raw::{RawArray, RawVoice};
use super::{Form, Voice};
use crate::output::Sink;
use crate::tokens::{SEMANTIC_VOCAB, Semantic};
use anyhow::{Context, Result, bail, ensure};
use ndarray::{Array1, Array2, ArrayD};
use ndarray_npy::npy::header::Header;
use ndarray_npy::{ReadNpyExt, ReadableElement, WritableElement, WriteNpyExt};
use std::fs::File;
use std::io::{BufWriter, Cursor, Read, Write};
use std::path::Path;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// Bark's names of the three arrays.
pub(super) const KEYS: [&str; 3] = ["semantic_prompt", "coarse_prompt", "fine_prompt"];
/// What Hugging Face and some tools leave out of them.
pub(super) const SUFFIX: &str = "_prompt";

/// Largest array: half an hour of eight codebooks in int64, twice over.
const MAX_ARRAY: u64 = 16 << 20;
/// Most numbers in an array, whatever their type.
pub(super) const MAX_NUMBERS: usize = 2 << 20;
/// Largest file: three such arrays, and room for some that are ignored.
const MAX_FILE: u64 = 64 << 20;
/// Most entries in an archive. A directory of millions would take many times its size in memory.
const MAX_ENTRIES: usize = 1000;
/// How each entry of a zip archive's directory begins.
const ENTRY: &[u8] = b"PK\x01\x02";
/// How an `.npy` begins.
const NPY: &[u8] = b"\x93NUMPY";
/// Longest array header, and most brackets in it: a dictionary and a shape. Bounds the parser's recursion.
const MAX_HEADER: usize = 4096;
const MAX_BRACKETS: usize = 4;

type Archive<'a> = ZipArchive<Cursor<&'a [u8]>>;

/// Reads what an `.npz` holds of a voice.
pub(super) fn from_npz(bytes: &[u8]) -> Result<RawVoice> {
    // More of them than entries is possible by chance, as it were, but never so many.
    let entries = bytes.windows(ENTRY.len()).filter(|bytes| *bytes == ENTRY).count();
    ensure!(entries <= MAX_ENTRIES, "not a voice: an archive of more than {MAX_ENTRIES} entries");
    let mut archive = ZipArchive::new(Cursor::new(bytes)).context("not an .npz file (a zip of numpy arrays)")?;
    ensure!(!archive.has_duplicate_names(), "damaged: it holds two arrays of one name");
    let mut raw = RawVoice::default();
    let mut known = Vec::new();
    for (place, key) in raw.arrays.iter_mut().zip(KEYS) {
        let Some((index, name)) = find(&archive, key)? else { continue };
        known.push(index);
        *place = Some(entry(&mut archive, index, name).with_context(|| format!("`{key}`"))?);
    }
    if let Some(index) = archive.index_for_name(&format!("{}.npy", provenance::KEY)) {
        known.push(index);
        match provenance_at(&mut archive, index) {
            Ok(provenance) => raw.provenance = Some(provenance),
            Err(error) => raw.notes.push(format!("its provenance cannot be read: {error:#}")),
        }
    }
    raw.others = (0..archive.len()).filter(|index| !known.contains(index)).filter_map(|i| name(&archive, i)).collect();
    Ok(raw)
}

/// Reads the three arrays from an `.npy` each.
pub(super) fn from_npy(paths: [&Path; 3]) -> Result<RawVoice> {
    let read = |path: &Path| {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        array(name, &bounded(open(path, MAX_ARRAY)?, MAX_ARRAY)?)
    };
    let named = |path: &Path| read(path).with_context(|| path.display().to_string()).map(Some);
    let arrays = [named(paths[0])?, named(paths[1])?, named(paths[2])?];
    Ok(RawVoice { arrays, separate: true, ..Default::default() })
}

/// The semantic tokens that an `.npy` holds, or an `.npz` under one of a voice's names.
pub fn semantic_tokens(bytes: &[u8]) -> Result<Semantic> {
    let raw = match bytes.starts_with(NPY) {
        true => array("tokens".into(), bytes)?,
        false => from_npz(bytes)?.arrays[0].take().context("no semantic tokens in it")?,
    };
    let values = raw.squeezed(1);
    ensure!(values.ndim() == 1, "tokens of shape {:?}, expected one dimension", values.shape());
    let tokens = values.iter().map(|&token| u32::try_from(token).context("a token below 0")).collect::<Result<_>>()?;
    Semantic::new(tokens, SEMANTIC_VOCAB)
}

/// The bytes of a file that may be an `.npz`.
pub(super) fn file(path: &Path) -> Result<Vec<u8>> {
    bounded(open(path, MAX_FILE)?, MAX_FILE)
}

/// Writes the voice's arrays in C order, and below them what is known of their origin.
pub(super) fn to_npz(voice: &Voice, provenance: Option<&Provenance>, form: Form, sink: &mut Sink) -> Result<()> {
    // In memory first: where a disk is full, the archive's own end would fail once more, and say so by itself.
    let archive = ZipWriter::new(Cursor::new(Vec::new()));
    let compression = match form {
        Form::Bark => CompressionMethod::Stored,
        Form::Compact => CompressionMethod::Deflated,
    };
    let options = SimpleFileOptions::default().compression_method(compression);
    let mut npz = Npz { archive, options };
    match form {
        Form::Bark => npz.add_voice::<i64>(voice)?,
        Form::Compact => npz.add_voice::<u16>(voice)?,
    }
    if let Some(provenance) = provenance {
        npz.add(provenance::KEY, &Array1::from_vec(provenance.to_bytes()?))?;
    }
    Ok(sink.write_all(npz.archive.finish()?.get_ref())?)
}

/// An `.npz` that is being written.
struct Npz {
    archive: ZipWriter<Cursor<Vec<u8>>>,
    options: SimpleFileOptions,
}

impl Npz {
    fn add(&mut self, key: &str, array: &impl WriteNpyExt) -> Result<()> {
        self.archive.start_file(format!("{key}.npy"), self.options)?;
        Ok(array.write_npy(BufWriter::new(&mut self.archive))?)
    }

    fn add_voice<T: TryFrom<u32> + WritableElement>(&mut self, voice: &Voice) -> Result<()>
    where
        T::Error: Send + Sync + std::error::Error + 'static,
    {
        self.add(KEYS[0], &Array1::<T>::from_vec(numbers(voice.semantic.as_slice())?))?;
        self.add(KEYS[1], &table::<T>(voice.coarse.rows())?)?;
        self.add(KEYS[2], &table::<T>(voice.fine.rows())?)
    }
}

/// Writes one array of the voice as an `.npy`, int64: `index` counts as [`KEYS`] do.
pub(super) fn to_npy(voice: &Voice, index: usize, sink: &mut impl Write) -> Result<()> {
    match index {
        0 => write_semantic_tokens(&voice.semantic, sink)?,
        1 => table::<i64>(voice.coarse.rows())?.write_npy(sink)?,
        _ => table::<i64>(voice.fine.rows())?.write_npy(sink)?,
    }
    Ok(())
}

/// Writes semantic tokens as an `.npy`, int64.
pub fn write_semantic_tokens(semantic: &Semantic, sink: &mut impl Write) -> Result<()> {
    Ok(Array1::<i64>::from_vec(numbers(semantic.as_slice())?).write_npy(sink)?)
}

fn numbers<T: TryFrom<u32>>(row: &[u32]) -> Result<Vec<T>>
where
    T::Error: Send + Sync + std::error::Error + 'static,
{
    Ok(row.iter().map(|&token| T::try_from(token)).collect::<Result<_, _>>()?)
}

fn table<T: TryFrom<u32>>(rows: &[Vec<u32>]) -> Result<Array2<T>>
where
    T::Error: Send + Sync + std::error::Error + 'static,
{
    Ok(Array2::from_shape_vec((rows.len(), rows[0].len()), numbers(&rows.concat())?)?)
}

fn open(path: &Path, limit: u64) -> Result<File> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    ensure!(metadata.is_file(), "not a regular file");
    ensure!(metadata.len() <= limit, "too large for a voice ({} MiB)", metadata.len() >> 20);
    Ok(file)
}

/// Where the array `key` lies, and under which of its names.
fn find(archive: &Archive, key: &str) -> Result<Option<(usize, String)>> {
    let short = key.strip_suffix(SUFFIX).unwrap_or(key);
    let names = [key, short].into_iter().flat_map(|name| [(format!("{name}.npy"), name), (name.to_owned(), name)]);
    let mut found = names.filter_map(|(entry, name)| Some((archive.index_for_name(&entry)?, name.to_owned())));
    let first = found.next();
    ensure!(found.next().is_none(), "more than one array `{key}` or `{short}`: which one is meant?");
    Ok(first)
}

fn name(archive: &Archive, index: usize) -> Option<String> {
    let name = archive.name_for_index(index)?.ok()?;
    Some(name.strip_suffix(".npy").unwrap_or(&name).chars().take(40).collect())
}

fn entry(archive: &mut Archive, index: usize, name: String) -> Result<RawArray> {
    let file = archive.by_index(index)?;
    let deflated = file.compression() != CompressionMethod::Stored;
    Ok(RawArray { deflated, ..array(name, &bounded(file, MAX_ARRAY)?)? })
}

fn provenance_at(archive: &mut Archive, index: usize) -> Result<Provenance> {
    let npy = bounded(archive.by_index(index)?, provenance::MAX_BYTES)?;
    let (kind, _) = element_type(&npy)?;
    ensure!(kind == "u1", "its bytes are of type {kind}");
    Provenance::from_bytes(&Array1::<u8>::read_npy(&npy[..])?.to_vec())
}

fn bounded(reader: impl Read, limit: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(limit + 1).read_to_end(&mut bytes)?;
    ensure!(bytes.len() as u64 <= limit, "too large for a voice (over {})", size(limit));
    Ok(bytes)
}

fn size(bytes: u64) -> String {
    if bytes >> 20 > 0 { format!("{} MiB", bytes >> 20) } else { format!("{} KiB", bytes >> 10) }
}

/// One `.npy` of whole numbers, in whatever type.
fn array(name: String, npy: &[u8]) -> Result<RawArray> {
    let (kind, fortran) = element_type(npy)?;
    let values = match kind.as_str() {
        "i1" => whole::<i8>(npy),
        "i2" => whole::<i16>(npy),
        "i4" => whole::<i32>(npy),
        "i8" => whole::<i64>(npy),
        "u1" => whole::<u8>(npy),
        "u2" => whole::<u16>(npy),
        "u4" => whole::<u32>(npy),
        // What is beyond i64 is beyond every vocabulary too.
        "u8" => Ok(read::<u64>(npy)?.mapv(|value| i64::try_from(value).unwrap_or(i64::MAX))),
        "b1" => Ok(read::<bool>(npy)?.mapv(i64::from)),
        "f4" => rounded(&read::<f32>(npy)?.mapv(f64::from)),
        "f8" => rounded(&read::<f64>(npy)?),
        other => bail!("its elements are of type {other}, expected integers: convert it with `.astype(int)`"),
    }?;
    Ok(RawArray { fortran, ..RawArray::new(&name, &kind, values) })
}

fn read<T: ReadableElement>(npy: &[u8]) -> Result<ArrayD<T>> {
    ArrayD::<T>::read_npy(npy).context("damaged")
}

fn whole<T: ReadableElement + Copy>(npy: &[u8]) -> Result<ArrayD<i64>>
where
    i64: From<T>,
{
    Ok(read::<T>(npy)?.mapv(i64::from))
}

pub(super) fn rounded(values: &ArrayD<f64>) -> Result<ArrayD<i64>> {
    let other = values.iter().find(|value| value.fract() != 0.0);
    ensure!(other.is_none(), "it holds {}, which is no token", other.unwrap_or(&0.0));
    Ok(values.mapv(|value| value as i64))
}

/// The array's element type without its byte order, as `i8`, `u2`, `f4`, `O`..., and whether it is in Fortran order.
fn element_type(npy: &[u8]) -> Result<(String, bool)> {
    check_header(npy)?;
    let mut data = npy;
    let header = Header::from_reader(&mut data).context("not a numpy array")?;
    let count = header.shape.iter().try_fold(1usize, |count, &len| count.checked_mul(len));
    // Every element takes a byte at least; a zero length would let the others be anything.
    let filled = count.is_some_and(|count| (1..=data.len()).contains(&count) && count <= MAX_NUMBERS);
    let (shape, len) = (&header.shape, data.len());
    ensure!(filled && shape.len() <= 3, "a shape of {shape:?} cannot be read from {len} bytes");
    let name = header.type_descriptor.to_string();
    let kind = name.trim_matches('\'').trim_start_matches(['<', '>', '|', '=']).chars().take(40).collect();
    Ok((kind, header.layout == ndarray_npy::npy::header::Layout::Fortran))
}

/// Refuses headers that are no small dictionary before they are parsed: `\x93NUMPY version len header`.
fn check_header(npy: &[u8]) -> Result<()> {
    let (len, rest) = match npy.strip_prefix(NPY) {
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
