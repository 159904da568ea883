//! A document of an EPUB from anywhere: it becomes text or is refused, and no text is longer than its document allows.
#![no_main]

use barkclone::book::epub;
use libfuzzer_sys::fuzz_target;
use std::fs::File;
use std::io::Write;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

const CONTAINER: &str = "<container version='1.0' xmlns='urn:oasis:names:tc:opendocument:xmlns:container'><rootfiles>\
<rootfile full-path='b.opf' media-type='application/oebps-package+xml'/></rootfiles></container>";
const PACKAGE: &str = "<package xmlns='http://www.idpf.org/2007/opf' version='2.0'><metadata \
xmlns:dc='http://purl.org/dc/elements/1.1/'><dc:title>T</dc:title></metadata><manifest><item id='a' href='a.xhtml' \
media-type='application/xhtml+xml'/></manifest><spine><itemref idref='a'/></spine></package>";
/// Parts of documents: a first byte that is even makes each other byte stand for one.
const PARTS: [&str; 40] = [
    "<p>", "</p>", "<h1>", "</h1>", "<br/>", "<ul>", "<li>", "</li>", "</ul>", "<pre>", "</pre>", "<!--", "-->",
    "<![CDATA[", "]]>", "<script>", "</script>", "<ruby>", "<rt>", "</rt>", "</ruby>", "<span epub:type='pagebreak'>",
    "</span>", "<a epub:type='noteref'>", "</a>", "<", ">", "&amp;", "&nbsp;", "&#x301;", "&", ";", "/", "'", "\"", " ",
    "\n", "Olá", ".", "[pause 1]",
];

fuzz_target!(|data: &[u8]| {
    let document = match data.split_first() {
        Some((first, parts)) if first % 2 == 0 => {
            parts.iter().flat_map(|part| PARTS[*part as usize % PARTS.len()].bytes()).collect()
        }
        _ => data.to_vec(),
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.epub");
    let mut archive = ZipWriter::new(File::create(&path).unwrap());
    let files = [("META-INF/container.xml", CONTAINER.as_bytes()), ("b.opf", PACKAGE.as_bytes()), ("a.xhtml", &document)];
    for (name, bytes) in files {
        archive.start_file(name, SimpleFileOptions::default()).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap();
    if let Ok(chapters) = epub(&path) {
        let bytes: usize = chapters.iter().map(|chapter| chapter.text.len()).sum();
        assert!(bytes <= 16 * document.len() + 64, "{bytes} of {}", document.len());
    }
});
