//! Bounds-checked reads from a pickle's bytes.

use anyhow::{Context, Result, anyhow};

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
        utf8(self.line_bytes()?)
    }

    /// A line of Latin-1, as protocol 0 writes texts.
    pub fn latin1_line(&mut self) -> Result<String> {
        Ok(self.line_bytes()?.iter().map(|&byte| char::from(byte)).collect())
    }

    fn line_bytes(&mut self) -> Result<&'a [u8]> {
        let rest = &self.data[self.at..];
        let end = rest.iter().position(|&b| b == b'\n').context("the pickle ends within a line")?;
        self.at += end + 1;
        Ok(&rest[..end])
    }
}

fn utf8(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).context("a text in the pickle is not UTF-8")
}

/// What the escapes of a protocol 0 text mean.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Escapes {
    /// Only `\u0000` and `\U00000000` (raw-unicode-escape).
    Unicode,
    /// Those of Python 2's `str`.
    Quoted,
}

/// The text that `text` with its escapes stands for.
pub(super) fn unescape(text: &str, escapes: Escapes) -> Result<String> {
    let quoted = escapes == Escapes::Quoted;
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next().context("a text in the pickle ends in a backslash")? {
            'u' if !quoted => out.push(hex(&mut chars, 4)?),
            'U' if !quoted => out.push(hex(&mut chars, 8)?),
            c if !quoted => out.extend(['\\', c]),
            'n' => out.push('\n'),
            'r' => out.push('\r'),
            't' => out.push('\t'),
            'x' => out.push(hex(&mut chars, 2)?),
            c => out.push(c),
        }
    }
    Ok(out)
}

fn hex(chars: &mut std::str::Chars<'_>, digits: usize) -> Result<char> {
    let text: String = chars.take(digits).collect();
    let code = u32::from_str_radix(&text, 16).ok().filter(|_| text.len() == digits);
    code.and_then(char::from_u32).ok_or_else(|| anyhow!("bad escape `{text}` in a text of the pickle"))
}

/// The text within the quotes of a protocol 0 `str`.
pub(super) fn unquote(line: &str) -> Result<&str> {
    let inner = |quote| line.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    inner('\'').or_else(|| inner('"')).ok_or_else(|| anyhow!("a text of the pickle lacks its quotes"))
}
