//! What a WAV file says of itself, for tests.

use std::fs;
use std::path::Path;

/// The parts of RIFF in `bytes`, each its name and content: `name size content`, padded to even length.
fn parts(mut bytes: &[u8]) -> Vec<(String, &[u8])> {
    let mut parts = Vec::new();
    while let Some(([a, b, c, d, size @ ..], rest)) = bytes.split_first_chunk::<8>() {
        let (content, padded) = rest.split_at((u32::from_le_bytes(*size) as usize).min(rest.len()));
        parts.push((String::from_utf8_lossy(&[*a, *b, *c, *d]).into_owned(), content));
        bytes = padded.get(content.len() % 2..).unwrap_or_default();
    }
    parts
}

/// The remarks in the LIST/INFO chunks of the WAV file `path`: (tag such as `ISFT`, text), in their order.
pub fn read_info(path: &Path) -> Vec<(String, String)> {
    let file = fs::read(path).unwrap();
    let chunks = parts(&file[12..]).into_iter().filter(|(name, _)| name == "LIST");
    let lists = chunks.filter_map(|(_, content)| content.strip_prefix(b"INFO"));
    let text = |text: &[u8]| String::from_utf8(text.strip_suffix(&[0]).unwrap().to_vec()).unwrap();
    lists.flat_map(parts).map(|(tag, content)| (tag, text(content))).collect()
}
