//! EPUBs of another tool, and files that only look like one.

use barkclone::book::epub;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

pub const BOOK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/epub/book.epub");

#[test]
fn chapters_have_the_titles_of_the_contents_and_the_words_of_their_documents() {
    let chapters = epub(Path::new(BOOK)).unwrap();
    let read: Vec<_> = chapters.iter().map(|c| (c.number, c.title.as_str(), c.text.replace('\u{a0}', " "))).collect();
    let texts = [
        "Capítulo um\n[pause 1]\n\nEra uma vez um rei & uma rainha.\n\nVerso um\nVerso dois\n\n",
        "Capítulo dois\n[pause 1]\n\nPão.\nLeite;\n\n1 < 2.\n\nAinda o segundo.\n\n",
        "漢字を読む。[pausa 1] Fim.\n\n",
    ];
    let titles = ["Um", "Dois & meio", "Três"];
    for (number, chapter) in read.iter().enumerate() {
        assert_eq!(chapter, &(number + 1, titles[number], texts[number].to_owned()));
    }
    assert_eq!(read.len(), 3);
}

/// A made-up archive.
pub fn archive(folder: impl AsRef<Path>, files: &[(&str, &[u8])]) -> PathBuf {
    let path = folder.as_ref().join("made.epub");
    let mut zip = ZipWriter::new(File::create(&path).unwrap());
    for (name, bytes) in files {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap();
    path
}

pub const CONTAINER: &[u8] =
    b"<container version='1.0' xmlns='urn:oasis:names:tc:opendocument:xmlns:container'><rootfiles>\
<rootfile full-path='b.opf' media-type='application/oebps-package+xml'/></rootfiles></container>";

/// An EPUB 2 of one document.
fn package(document: &str) -> String {
    format!(
        "<package xmlns='http://www.idpf.org/2007/opf' version='2.0'><metadata xmlns:dc='http://purl.org/dc/elements/1.1/'><dc:title>T</dc:title></metadata><manifest><item id='a' \
         href='{document}' media-type='application/xhtml+xml'/></manifest><spine><itemref idref='a'/></spine></package>"
    )
}

fn refusal(path: &Path) -> String {
    let error = epub(path).unwrap_err();
    assert_eq!(barkclone::error::exit_code(&error), 3, "{error:#}");
    format!("{error:#}")
}

#[test]
fn a_book_without_contents_has_a_chapter_for_each_document() {
    let folder = tempfile::tempdir().unwrap();
    let opf = package("a.xhtml");
    let files: [(&str, &[u8]); 3] =
        [("META-INF/container.xml", CONTAINER), ("b.opf", opf.as_bytes()), ("a.xhtml", b"<h1>Oi</h1>Fim.")];
    let chapters = epub(&archive(folder.path(), &files)).unwrap();
    assert_eq!((chapters.len(), chapters[0].title.as_str()), (1, "Oi"));
    assert_eq!(chapters[0].text, "Oi\n[pause 1]\n\nFim.\n\n");
}

#[test]
fn what_is_no_book_or_too_large_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let made = |files: &[(&str, &[u8])]| refusal(&archive(folder.path(), files));
    let opf = package("a.xhtml");
    let head: [(&str, &[u8]); 2] = [("META-INF/container.xml", CONTAINER), ("b.opf", opf.as_bytes())];
    assert!(made(&[("a.txt", b"x")]).contains("made.epub: cannot be read as an EPUB"));
    assert!(made(&head).contains("a.xhtml cannot be read"));
    assert!(made(&[&head[..], &[("a.xhtml", b"\xff\xfe\xfd\x00\xd8")]].concat()).contains("protected"));
    assert!(made(&[&head[..], &[("a.xhtml", b"<p/>")]].concat()).contains("nothing to say"));
    let bomb = vec![b' '; (128 << 20) + 1];
    assert!(made(&[&head[..], &[("a.xhtml", &bomb)]].concat()).contains("unpacks to more than 128 MiB"));
    let cut = folder.path().join("cut.epub");
    std::fs::write(&cut, &std::fs::read(BOOK).unwrap()[..2000]).unwrap();
    assert!(refusal(&cut).contains("cut.epub: cannot be read as an EPUB"));
}
