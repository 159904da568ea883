//! What `barkclone speak` is given to say, and by which way.

use super::{Desk, SPEAK};
use crate::info::read_info;
use barkclone::audio::read_wav;

/// The text that the WAV file says it speaks.
fn spoken(desk: &Desk, wav: &str) -> String {
    let info = read_info(&desk.path(wav));
    info.into_iter().find(|(tag, _)| tag == "INAM").unwrap().1
}

fn piped(desk: &Desk, input: &[u8], arguments: &[&str]) -> super::Ran {
    desk.run_with(input, &[&["speak"], arguments, &SPEAK[..]].concat())
}

#[test]
fn an_argument_a_dash_and_a_pipe_all_bring_the_same_text() {
    let desk = Desk::new();
    let text = "Olá, São João!";
    desk.speak(text, &["-o", "argument.wav", "--seed", "5"]).prints();
    piped(&desk, format!("  {text}\n").as_bytes(), &["-", "-o", "dash.wav", "--seed", "5"]).prints();
    piped(&desk, text.replace(' ', "\n\t").as_bytes(), &["-o", "pipe.wav", "--seed", "5"]).prints();
    assert_eq!(spoken(&desk, "argument.wav"), text);
    assert!(desk.bytes("argument.wav") == desk.bytes("dash.wav"), "white space is normalised");
    assert!(desk.bytes("argument.wav") == desk.bytes("pipe.wav"));
}

#[test]
fn a_text_saved_as_utf16_or_with_loose_accents_is_the_same_text() {
    let desk = Desk::new();
    desk.speak("Olá, São João!", &["-o", "plain.wav", "--seed", "5"]).prints();
    let utf16 = "\u{feff}Olá, São João!\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    piped(&desk, &utf16, &["-o", "utf16.wav", "--seed", "5"]).prints();
    desk.speak("Ola\u{301}, Sa\u{303}o\u{200b} Joa\u{303}o!", &["-o", "loose.wav", "--seed", "5"]).prints();
    assert!(desk.bytes("plain.wav") == desk.bytes("utf16.wav"));
    assert!(desk.bytes("plain.wav") == desk.bytes("loose.wav"));
    std::fs::write(desk.path("lines.txt"), utf16).unwrap();
    let ran = desk.run(&[&["speak", "--lines", "lines.txt", "-d", "out"], &SPEAK[..]].concat());
    assert_eq!(ran.prints(), "out/00001-ola-sao-joao.wav");
}

#[test]
fn an_argument_is_preferred_to_a_pipe() {
    let desk = Desk::new();
    assert_eq!(piped(&desk, b"sim", &["Bom dia"]).prints(), "bom-dia.wav");
    assert_eq!(spoken(&desk, "bom-dia.wav"), "Bom dia");
}

#[test]
fn case_and_accents_are_kept() {
    let desk = Desk::new();
    for (name, text) in [("1.wav", "avó"), ("2.wav", "avô"), ("3.wav", "Avó")] {
        desk.speak(text, &["-o", name, "--text-temp", "0"]).prints();
        assert_eq!(spoken(&desk, name), text);
    }
    let samples = |name: &str| read_wav(&desk.path(name), 60.0).unwrap().pcm.samples;
    assert!(samples("1.wav") != samples("2.wav") && samples("1.wav") != samples("3.wav"));
}

#[test]
fn numbers_are_put_into_words_where_that_is_asked_for_and_nowhere_else() {
    let desk = Desk::new();
    let text = "Custa R$ 1,50.";
    desk.speak(text, &["-o", "off.wav"]).prints();
    assert_eq!(spoken(&desk, "off.wav"), text);
    for (language, words) in [("pt", "centavos"), ("pt-pt", "cêntimos"), ("auto", "centavos")] {
        let wav = format!("{language}.wav");
        desk.speak(text, &["-o", &wav, "--normalize", language]).prints();
        assert_eq!(spoken(&desk, &wav), format!("Custa um real e cinquenta {words}."));
    }
    let english = "The meeting is at 14:30 in room 2.";
    desk.speak(english, &["-o", "english.wav", "--normalize", "auto"]).prints();
    assert_eq!(spoken(&desk, "english.wav"), english);
    let portuguese = "A reunião é às 14:30 na sala 2 do nosso escritório.";
    desk.speak(portuguese, &["-o", "hint.wav"]).says(&["--normalize pt"]);
}

#[test]
fn a_plan_lists_what_is_put_into_words() {
    let desk = Desk::new();
    std::fs::write(desk.path("a.txt"), "Tenho 2 filhas.\n\nOlá.\n").unwrap();
    for source in [&["--lines", "a.txt", "-d", "out"][..], &["--file", "a.txt", "-o", "a.wav"]] {
        let flags = ["--normalize", "pt", "--dry-run", "--json"];
        let ran = desk.run(&[&["speak"], source, &flags, &SPEAK[..]].concat());
        let plan: Vec<serde_json::Value> = ran.prints().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(plan[0]["text"], "Tenho duas filhas.");
        assert_eq!(plan[0]["replaced"], serde_json::json!([{"written": "2", "said": "duas"}]));
        assert_eq!(plan[1]["replaced"], serde_json::json!([]));
    }
}

#[test]
fn an_empty_text_is_refused() {
    let desk = Desk::new();
    for text in ["", " \t\n", "\u{a0}\u{3000}"] {
        desk.run(&["speak", text, "--bark", "large"]).fails(3, &["the text is empty"]);
        desk.run_with(text.as_bytes(), &["speak", "--bark", "large"]).fails(3, &["the text is empty"]);
    }
    desk.run(&["speak", "--bark", "large"]).fails(3, &["the text is empty"]);
    assert!(desk.files().is_empty());
}

#[test]
fn a_text_past_256_tokens_is_refused_with_a_hint() {
    let desk = Desk::new();
    // The built-in tokenizer makes a token of every byte.
    let ran = desk.speak(&"palavra ".repeat(40), &[]);
    ran.fails(3, &["too long", "319 tokens, 256 fit", "split it into sentences of about 32 words"]);
    desk.speak(&"á".repeat(129), &[]).fails(3, &["258 tokens, 256 fit"]);
    assert!(desk.files().is_empty());
    desk.speak(&"á".repeat(128), &["-o", "full.wav"]).prints();
}

#[test]
fn a_text_that_is_not_utf8_is_refused() {
    let desk = Desk::new();
    desk.run_with(b"caf\xe9", &["speak", "--bark", "large"]).fails(3, &["stdin is not UTF-8"]);
    desk.run_with(&vec![b'a'; (1 << 20) + 1], &["speak", "-", "--bark", "large"]).fails(3, &["longer than 1 MiB"]);
}

#[cfg(unix)]
#[test]
fn an_argument_that_is_not_utf8_is_wrong_usage() {
    use std::os::unix::ffi::OsStrExt;
    let desk = Desk::new();
    let mut command = desk.command(&["speak"]);
    command.arg(std::ffi::OsStr::from_bytes(b"caf\xe9"));
    super::Ran::of(command.output().unwrap()).fails(2, &["UTF-8"]);
}

#[test]
fn a_text_that_begins_with_a_dash_follows_two() {
    let desk = Desk::new();
    desk.run(&["speak", "-sim"]).fails(2, &["begins with a dash"]);
    assert_eq!(desk.run(&[&["speak"], &SPEAK[..], &["--", "-sim, claro"]].concat()).prints(), "sim-claro.wav");
}
