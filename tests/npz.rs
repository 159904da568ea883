//! numpy's archives for tests, by ndarray's reader and writer of `.npy`.

use ndarray::{Array, Dimension};
use ndarray_npy::{ReadNpyExt, ReadableElement, WriteNpyExt};
use std::fs::File;
use std::path::Path;
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

pub struct NpzReader(ZipArchive<File>);

impl NpzReader {
    pub fn open(path: impl AsRef<Path>) -> Self {
        Self(ZipArchive::new(File::open(path).unwrap()).unwrap())
    }

    pub fn names(&self) -> Vec<String> {
        self.0.file_names().map(|name| name.unwrap().trim_end_matches(".npy").to_owned()).collect()
    }

    pub fn array<T: ReadableElement, D: Dimension>(&mut self, name: &str) -> Array<T, D> {
        Array::read_npy(self.0.by_name(&format!("{name}.npy")).unwrap()).unwrap()
    }
}

/// Writes an `.npz` of named arrays.
pub fn write_npz(path: impl AsRef<Path>, arrays: &[(&str, &dyn Written)]) {
    let mut archive = ZipWriter::new(File::create(path).unwrap());
    for (name, array) in arrays {
        archive.start_file(format!("{name}.npy"), SimpleFileOptions::default()).unwrap();
        array.write(&mut archive);
    }
    archive.finish().unwrap();
}

/// An array that can be written.
pub trait Written {
    fn write(&self, archive: &mut ZipWriter<File>);
}

impl<A: WriteNpyExt> Written for A {
    fn write(&self, archive: &mut ZipWriter<File>) {
        self.write_npy(archive).unwrap();
    }
}
