//! The README: every block of shell in it is run, on the built-in models, by someone who has the files that it names.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

const README: &str = include_str!("../README.md");
/// What stands above a block that is not run, with the reason.
const NOT_RUN: &str = "<!-- not run: ";
/// The program, on the built-in models wherever a command takes models; it refines for one round, by one short sentence.
const PROGRAM: &str = concat!(
    "#!/bin/sh\n",
    "models=\n",
    "case \"$1 ${2-}\" in clone*|speak*|convert*|score*|'voice preview'|'voice rank'|'quantizer data') models=--demo ;; esac\n",
    "for argument in \"$@\"; do [ \"$argument\" != --demo ] || models=; done\n",
    "case \" $* \" in *' --refine '*) models=\"$models --rounds 1 --say Oi.\" ;; esac\n",
    "exec '",
    env!("CARGO_BIN_EXE_barkclone"),
    "' \"$@\" $models\n"
);

/// The blocks of shell, each with whether it can be run.
fn blocks() -> Vec<(String, bool)> {
    let (mut blocks, mut above) = (Vec::new(), "");
    let mut lines = README.lines();
    while let Some(line) = lines.next() {
        if line == "```sh" {
            let block: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push((block.join("\n"), !above.starts_with(NOT_RUN)));
        }
        above = line;
    }
    blocks
}

/// A folder with what the README's reader has.
fn desk() -> tempfile::TempDir {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let desk = tempfile::tempdir().unwrap();
    let copy = |from: &str, to: &str| {
        let to = desk.path().join(to);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(root.join(from), to).unwrap();
    };
    let recording = "examples/demo/reference.wav";
    [recording, "takes/a.wav"].iter().for_each(|to| copy(recording, to));
    copy("examples/reference.wav", "takes/b.wav");
    // What a file holds decides how it is read, not its name.
    ["talk.mp3", "talks/talk.mp3"].iter().for_each(|to| copy("examples/reference.wav", to));
    let write = |name: &str, text: &str| fs::write(desk.path().join(name), text).unwrap();
    write("prompts.txt", "Bom dia.\nAté logo.\n");
    write("book.txt", "Bom dia.\n\nA minha casa tem uma porta.\n");
    fs::create_dir(desk.path().join("bin")).unwrap();
    write("bin/barkclone", PROGRAM);
    fs::set_permissions(desk.path().join("bin/barkclone"), fs::Permissions::from_mode(0o755)).unwrap();
    desk
}

#[test]
fn every_block_of_shell_runs_as_it_stands() {
    let desk = desk();
    let path = format!("{}:{}", desk.path().join("bin").display(), std::env::var("PATH").unwrap());
    let blocks: Vec<_> = blocks().into_iter().filter(|(_, runs)| *runs).map(|(block, _)| block).collect();
    assert!(blocks.len() >= 10);
    for block in blocks {
        let mut shell = Command::new("sh");
        shell.args(["-eu", "-c", &block]).current_dir(desk.path()).env("PATH", &path);
        shell.env("HF_HOME", desk.path().join("hub")).env("HF_HUB_OFFLINE", "1");
        shell.env("XDG_CONFIG_HOME", desk.path().join("config"));
        let ran = shell.output().unwrap();
        let told = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{block}\n{told}");
        assert!(!told.contains("panicked"), "{block}\n{told}");
    }
    let made = [
        "voz.npz",
        "ola.wav",
        "heard.wav",
        "voices/a.npz",
        "voices/b.npz",
        "nova.npz",
        "book.srt",
        "mine.wav",
        "near.npz",
        "near.html",
    ];
    for made in made {
        assert!(desk.path().join(made).is_file(), "{made}");
    }
}

#[test]
fn a_block_that_is_not_run_says_why_and_no_line_is_too_wide() {
    let reasons: Vec<_> = README.lines().filter_map(|line| line.strip_prefix(NOT_RUN)).collect();
    assert_eq!(reasons.len(), blocks().iter().filter(|(_, runs)| !runs).count());
    assert!(reasons.iter().all(|reason| reason.len() > " -->".len() && reason.ends_with(" -->")), "{reasons:?}");
    let wide: Vec<_> = README.lines().filter(|line| line.chars().count() > 120).collect();
    assert!(wide.is_empty(), "{wide:?}");
}
