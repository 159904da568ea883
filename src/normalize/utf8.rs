//! The bytes of a text file -> UTF-8, whichever of Unicode's encodings it was saved in.

use encoding_rs::{Encoding, UTF_16BE, UTF_16LE};
use encoding_rs_io::DecodeReaderBytesBuilder;
use std::io::{BufRead, BufReader, Result};

/// UTF-16 becomes UTF-8, by its mark or by the zero byte that is half of every Latin letter (PowerShell's `>`, Notepad's
/// "Unicode"); a mark of UTF-8 goes. All else stays as it is: whether it is UTF-8 is for who reads lines to tell.
pub fn utf8<R: BufRead>(mut reader: R) -> Result<impl BufRead + use<R>> {
    let encoding = unmarked(reader.fill_buf()?);
    let mut decoder = DecodeReaderBytesBuilder::new();
    decoder.encoding(encoding).utf8_passthru(true).strip_bom(true);
    Ok(BufReader::new(decoder.build(reader)))
}

/// UTF-16 without a mark.
fn unmarked(first: &[u8]) -> Option<&'static Encoding> {
    match first {
        [1..=127, 0, ..] => Some(UTF_16LE),
        [0, 1..=127, ..] => Some(UTF_16BE),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn read(bytes: &[u8]) -> Vec<u8> {
        let mut read = Vec::new();
        utf8(bytes).unwrap().read_to_end(&mut read).unwrap();
        read
    }

    #[test]
    fn utf16_of_either_order_with_and_without_a_mark_is_read() {
        let text = "Olá, ação 🎉\r\nfim";
        let bytes = |mark: bool, bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
            let mark = if mark { "\u{feff}" } else { "" };
            mark.encode_utf16().chain(text.encode_utf16()).flat_map(bytes).collect()
        };
        for mark in [true, false] {
            assert_eq!(read(&bytes(mark, u16::to_le_bytes)), text.as_bytes());
            assert_eq!(read(&bytes(mark, u16::to_be_bytes)), text.as_bytes());
        }
    }

    #[test]
    fn utf8_loses_its_mark_and_what_is_neither_stays() {
        assert_eq!(read("\u{feff}Olá".as_bytes()), "Olá".as_bytes());
        for bytes in [&b""[..], b"a", b"caf\xe9", b"\xff", "Olá".as_bytes(), b"\0\0"] {
            assert_eq!(read(bytes), bytes);
        }
    }
}
