//! The pages on which many utterances are heard.

use super::many::{VOICE, many, report};
use super::{Desk, SPEAK};
use crate::sound::reference::browser;
use std::fs;

/// Headless Chromium opens it, where that is at hand: the players find their sounds, and nothing is refused.
fn listen_in_a_browser(desk: &Desk, page: &str, sounds: usize) {
    if browser::chromium().is_none() {
        eprintln!("no chromium on the PATH: {page} was not opened in a browser");
        return;
    }
    // Not part of the page: a page has not loaded before all that its players fetch at once (HTML's standard:
    // "delaying the load event"), so each can then say how long it takes its sound to be, however slow the machine is.
    let listening = "<script>addEventListener('load', () => { for (const player of document.querySelectorAll('audio')) \
                     { player.title = 'lasts ' + player.duration.toFixed(2); } })</script></main>";
    let html = fs::read_to_string(desk.path(page)).unwrap();
    let html = html.replace("</main>", listening).replace("preload=none", "preload=metadata");
    let html = html.replace("style-src", "script-src 'unsafe-inline'; style-src");
    fs::write(desk.path("listened.html"), html).unwrap();
    let url = format!("file://{}", desk.path("listened.html").display());
    let dom = browser::browse(desk.folder.path(), &["--dump-dom", &url]);
    assert_eq!(dom.matches("title=\"lasts 0.").count(), sounds, "{page}: {dom:.2000}");
}

#[test]
fn a_report_becomes_a_page_that_holds_or_plays_its_sounds() {
    let desk = Desk::new();
    fs::write(desk.path("p"), "um <b>\ndois & meio\n").unwrap();
    many(&desk, &["--lines", "p", "--voice", VOICE, "--redo", "2"]).prints();
    let page = |flags: &[&str]| desk.run(&[&["report", "page", "out/report.jsonl"], flags].concat());
    let ran = page(&["-o", "page.html"]);
    assert_eq!(ran.prints(), "page.html");
    let html = fs::read_to_string(desk.path("page.html")).unwrap();
    assert_eq!(html.matches("src=\"data:audio/wav;base64,").count(), 2);
    assert!(html.contains("<h2>um &lt;b&gt;</h2>") && html.contains("<h2>dois &amp; meio</h2>"), "{html:.3000}");
    assert!(html.contains("2 may not sound right") && !html.contains("://"), "{html:.3000}");
    let command = format!("--lines p --voice {VOICE} --redo 2</code>");
    assert!(html.contains("<code>barkclone speak ") && html.contains(&command), "{html:.9000}");
    listen_in_a_browser(&desk, "page.html", 2);
    page(&["-o", "page.html"]).fails(6, &["page.html: exists already"]);
    let ran = page(&["-o", "linked.html", "--sounds", "link"]);
    ran.says(&["linked.html plays the sounds in out: keep both"]);
    let html = fs::read_to_string(desk.path("linked.html")).unwrap();
    assert!(html.contains("src=\"out/00001-um-b.wav\"") && !html.contains("base64"), "{html:.3000}");
    listen_in_a_browser(&desk, "linked.html", 2);
    assert_eq!(page(&[]).prints(), "out/report.html");
    desk.run(&["report", "page", "p"]).fails(3, &["p: line 1 is no line of a report"]);
}

#[test]
fn voices_are_compared_side_by_side() {
    let desk = Desk::new();
    for name in ["a.npz", "b.npz"] {
        fs::copy(VOICE, desk.path(name)).unwrap();
    }
    let ab = |more: &[&str]| desk.run(&[&["speak"], &SPEAK[..], &["--seed", "5"], more].concat());
    let ran = ab(&["--ab", "a.npz", "b.npz", "Bom dia"]);
    assert_eq!(
        ran.prints(),
        "ab/bom-dia-1-a.wav\nab/bom-dia-2-b.wav\nab/bom-dia-3-a.wav\nab/bom-dia-4-b.wav\nab/ab.html"
    );
    ran.says(&["seed 5: each take's own seed is made of it, the same in all voices"]);
    let seeds =
        || report(&desk, "ab/report.jsonl").into_iter().map(|r| r["seed"].as_u64().unwrap()).collect::<Vec<_>>();
    let first = seeds();
    assert!(first[0] == first[1] && first[2] == first[3] && first[0] != first[2], "{first:?}");
    let html = fs::read_to_string(desk.path("ab/ab.html")).unwrap();
    assert_eq!((html.matches("<article").count(), html.matches("<audio").count()), (2, 4));
    listen_in_a_browser(&desk, "ab/ab.html", 4);
    ab(&["Bom dia", "--ab", "a.npz", "b.npz"]).says(&["0 spoken, 4 there already"]);
    assert_eq!(ab(&["--ab", "a.npz", "b.npz", "Bom dia", "--redo", "2"]).prints().lines().count(), 3);
    let again = seeds();
    assert!(again.len() == 6 && again[4] == again[5] && again[4] != first[2], "{again:?}");
    // Another text in the same folder stands beside the first.
    ab(&["--ab", "a.npz", "b.npz", "Boa noite"]).says(&["4 spoken"]);
    let html = fs::read_to_string(desk.path("ab/ab.html")).unwrap();
    assert!(desk.path("ab/bom-dia-1-a.wav").is_file() && html.matches("<audio").count() == 8, "{html:.3000}");
    ab(&["--ab", "a.npz", "Oi"]).fails(2, &["--ab: give at least two voices, and a text"]);
    ab(&["--ab", "a.npz", "none.npz", "Oi"]).fails(3, &["none.npz"]);
    ab(&["--ab", "a.npz", "b.npz", "Oi", "--voice", "a.npz"]).fails(2, &["cannot be used with"]);
    fs::create_dir(desk.path("mine")).unwrap();
    fs::write(desk.path("mine/ab.html"), "precious").unwrap();
    ab(&["--ab", "a.npz", "b.npz", "Oi", "-d", "mine"]).fails(6, &["mine/ab.html: exists already"]);
}
