//! The page in a browser: it fits, nothing is loaded from elsewhere, and both colour schemes are drawn.

use super::{checked, clean, with_noise};
use barkclone::sound::page::{self, Picture};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The browser's program, if there is one.
pub fn chromium() -> Option<PathBuf> {
    let folders: Vec<_> = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let programs = folders.iter().flat_map(|folder| names.map(|name| folder.join(name)));
    programs.into_iter().find(|program| program.is_file())
}

/// Runs headless Chromium and returns what it printed.
pub fn browse(folder: &Path, arguments: &[&str]) -> String {
    let profile = format!("--user-data-dir={}", folder.join("profile").display());
    let common = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", &profile];
    let ran = Command::new(chromium().expect("no chromium on the PATH"))
        .args(common)
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap()
}

#[test]
#[ignore = "needs chromium"]
fn a_browser_draws_the_page_in_light_and_dark() {
    let folder = tempfile::tempdir().unwrap();
    let pcm = with_noise(&clean(), 0.05);
    let report = checked(pcm.clone());
    let (findings, lanes) = (report.findings.len(), 5);
    std::fs::write(
        folder.path().join("page.html"),
        page::html(&[Picture::new("ref.wav", &pcm, report).unwrap()]).unwrap(),
    )
    .unwrap();
    let url = format!("file://{}", folder.path().join("page.html").display());
    let dom = browse(folder.path(), &["--dump-dom", &url]);
    assert_eq!(dom.matches("<li>").count(), findings);
    assert!(dom.matches("class=\"lane\"").count() + 1 >= lanes, "{dom}");
    let shot = |name: &str, flags: &[&str]| {
        let screenshot = format!("--screenshot={}", folder.path().join(name).display());
        browse(folder.path(), &[&["--window-size=1200,1400", &screenshot], flags, &[&url]].concat());
        corner(&folder.path().join(name))
    };
    let light = shot("light.png", &["--blink-settings=preferredColorScheme=1"]);
    let dark = shot("dark.png", &["--blink-settings=preferredColorScheme=0"]);
    assert!(light > 200 && dark < 60, "the corners' brightness: {light} and {dark}");
}

/// Brightness of the first pixel, 0 to 255.
fn corner(path: &Path) -> u8 {
    let decoder = png::Decoder::new(std::io::BufReader::new(std::fs::File::open(path).unwrap()));
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut pixels).unwrap();
    pixels[0]
}
