//! What the program says of itself: help, completions, manual pages.

use super::Desk;

/// Some flags of `speak`, of every group.
const FLAGS: [&str; 8] =
    ["--voice", "--output", "--save-voice", "--text-temp", "--top-p", "--coarse-history", "--seed", "--keep-loaded"];

#[test]
fn help_holds_examples_exit_codes_and_every_command() {
    let desk = Desk::new();
    for arguments in [&["--help"][..], &["-h"], &["help"]] {
        let ran = desk.run(arguments);
        let help = ran.prints();
        for word in
            ["clone", "speak", "convert", "voice", "models", "completions", "man", "barkclone clone ref.wav -o voz.npz"]
        {
            assert!(help.contains(word), "{word}: {help}");
        }
        let flat = help.split_whitespace().collect::<Vec<_>>().join(" ");
        for code in [
            "0 done",
            "1 other",
            "2 wrong usage",
            "3 unusable",
            "4 missing",
            "5 failed download",
            "6 output",
            "7 some",
            "130",
        ] {
            assert!(flat.contains(code), "{code}: {flat}");
        }
        assert_eq!(ran.stderr, "");
    }
}

#[test]
fn each_commands_help_names_its_flags_and_defaults() {
    let desk = Desk::new();
    let ran = desk.run(&["speak", "--help"]);
    let speak = ran.prints();
    for word in
        FLAGS.iter().chain(&["[default: 0.7]", "[default: 0.2]", "standard input", "v2/pt_speaker_3", "synthetic"])
    {
        assert!(speak.contains(word), "{word}: {speak}");
    }
    let ran = desk.run(&["clone", "--help"]);
    for word in
        ["--quantizer", "[default: pt]", "en-large", "--force", "last 60 s", "5 to 12 seconds", "--raw", "--each"]
    {
        assert!(ran.prints().contains(word), "{word}: {}", ran.prints());
    }
    assert!(desk.run(&["--version"]).prints().starts_with("barkclone 0."));
}

#[test]
fn each_shell_has_a_script_that_asks_for_completions() {
    let desk = Desk::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = desk.run(&["completions", shell]);
        assert!(ran.prints().contains("BARKCLONE_COMPLETE") && ran.prints().contains("barkclone"), "{shell}");
    }
    desk.run(&["completions", "dos"]).fails(2, &["dos", "bash"]);
}

#[test]
fn manual_pages_name_the_flags() {
    let desk = Desk::new();
    let page = |arguments: &[&str]| desk.run(&[&["man"], arguments].concat()).prints().replace("\\-", "-");
    let whole = page(&[]);
    for word in [".TH barkclone", "barkclone clone ref.wav", "--threads", "Exit codes", "speak"] {
        assert!(whole.contains(word), "{word}: {whole}");
    }
    let speak = page(&["speak"]);
    for word in FLAGS.iter().chain(&[".TH barkclone-speak"]) {
        assert!(speak.contains(word), "{word}: {speak}");
    }
    desk.run(&["man", "sing"]).fails(2, &["there is no command `sing`"]);
}

#[test]
fn wrong_usage_is_told_on_stderr() {
    let desk = Desk::new();
    desk.run(&[]).fails(2, &["Usage: barkclone"]);
    desk.run(&["sing"]).fails(2, &["unrecognized subcommand 'sing'"]);
    desk.run(&["clone"]).fails(2, &["<RECORDING>"]);
    desk.run(&["speak", "oi", "--sped", "1"]).fails(2, &["unexpected argument '--sped'"]);
    desk.run(&["speak", "oi", "--registry", "none.toml"]).fails(2, &["--registry none.toml"]);
}
