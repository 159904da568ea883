//! Bounds-checked reads from a pickle's bytes.

use anyhow::{Context, Result};

pub(super) struct Reader<'a> {
    data: &'a [u8],
    pub at: usize,
}

impl<'a> Reader<'a> {
    pub fn new(data: &'a [u8]) -> Self {
        Self { data, at: 0 }
    }

    pub fn len(&self) -> usize {
        self.data.len()
    }

    pub fn bytes(&mut self, count: u64) -> Result<&'a [u8]> {
        let rest = &self.data[self.at..];
        let count = usize::try_from(count).ok().filter(|&n| n <= rest.len());
        let count = count.with_context(|| format!("the pickle ends early, at byte {}", self.data.len()))?;
        self.at += count;
        Ok(&rest[..count])
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        Ok(self.bytes(N as u64)?.try_into()?)
    }

    pub fn u8(&mut self) -> Result<u8> {
        Ok(self.array::<1>()?[0])
    }

    /// A little-endian unsigned number of `N` bytes.
    pub fn uint<const N: usize>(&mut self) -> Result<u64> {
        let mut wide = [0; 8];
        wide[..N].copy_from_slice(&self.array::<N>()?);
        Ok(u64::from_le_bytes(wide))
    }

    /// `N` bytes of length, then as many bytes.
    pub fn counted<const N: usize>(&mut self) -> Result<&'a [u8]> {
        let count = self.uint::<N>()?;
        self.bytes(count)
    }

    pub fn text<const N: usize>(&mut self) -> Result<&'a str> {
        utf8(self.counted::<N>()?)
    }

    /// Up to the next line feed, which is taken but not returned.
    pub fn line(&mut self) -> Result<&'a str> {
        let rest = &self.data[self.at..];
        let end = rest.iter().position(|&b| b == b'\n').context("the pickle ends within a line")?;
        self.at += end + 1;
        utf8(&rest[..end])
    }
}

fn utf8(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).context("a text in the pickle is not UTF-8")
}
