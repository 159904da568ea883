//! Writing what `torch.load` reads: a zip archive that begins with a pickle of protocol 2, and the numbers of each tensor
//! in an entry of their own.

use anyhow::Result;
use std::io::{Seek, Write};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Where torch lets the numbers begin, bytes.
const ALIGNMENT: u16 = 64;

/// An archive that is being written.
pub struct TorchWriter<'a, W: Write + Seek> {
    archive: ZipWriter<W>,
    folder: &'a str,
}

impl<'a, W: Write + Seek> TorchWriter<'a, W> {
    /// Begins with `description`, the pickle of all that is saved; entries lie in `folder`.
    pub fn new(sink: W, folder: &'a str, description: &[u8]) -> Result<Self> {
        let mut writer = Self { archive: ZipWriter::new(sink), folder };
        writer.entry("data.pkl", description)?;
        writer.entry("byteorder", b"little")?;
        Ok(writer)
    }

    /// Writes the entry `name`; the numbers of the storage 3 are `data/3`.
    pub fn entry(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        self.archive.start_file(format!("{}/{name}", self.folder), options.with_alignment(ALIGNMENT))?;
        Ok(self.archive.write_all(bytes)?)
    }

    /// Writes what closes the archive.
    pub fn finish(mut self) -> Result<()> {
        self.entry("version", b"3\n")?;
        self.archive.finish()?;
        Ok(())
    }
}

/// Adds a tensor to a pickle: `torch._utils._rebuild_tensor_v2(storage, 0, shape, strides, False, OrderedDict())`, its
/// numbers in a storage of torch's class `class`, such as `FloatStorage`.
pub fn write_tensor(pickle: &mut Vec<u8>, shape: &[usize], storage: usize, class: &str) -> Result<()> {
    pickle.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
    write_text(pickle, "storage")?;
    pickle.extend(format!("ctorch\n{class}\n").bytes());
    write_text(pickle, &storage.to_string())?;
    write_text(pickle, "cpu")?;
    number(pickle, shape.iter().product())?;
    pickle.extend(b"tQ");
    number(pickle, 0)?;
    let strides: Vec<_> = (0..shape.len()).map(|axis| shape[axis + 1..].iter().product()).collect();
    for numbers in [shape, &strides] {
        pickle.push(b'(');
        numbers.iter().try_for_each(|&value| number(pickle, value))?;
        pickle.push(b't');
    }
    pickle.extend(b"\x89ccollections\nOrderedDict\n)RtR");
    Ok(())
}

/// Adds a text to a pickle.
pub fn write_text(pickle: &mut Vec<u8>, text: &str) -> Result<()> {
    pickle.push(b'X');
    pickle.extend(u32::try_from(text.len())?.to_le_bytes());
    pickle.extend(text.as_bytes());
    Ok(())
}

fn number(pickle: &mut Vec<u8>, number: usize) -> Result<()> {
    pickle.push(b'J');
    pickle.extend(i32::try_from(number)?.to_le_bytes());
    Ok(())
}
