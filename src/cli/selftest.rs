//! `barkclone models selftest`, and which kernels run: what to ask where sound is wrong.

use super::out;
use anyhow::{Context, Result, ensure};
use barkclone::batch::hash;
use barkclone::checkpoint::builtin;
use barkclone::error::Kind;
use barkclone::kernels::Isa;
use barkclone::kernels::selftest::{self, Tested};
use barkclone::progress::{Progress, Silent};
use barkclone::speak::{Request, Settings, Sound, Speaker};
use barkclone::stage::sample::Sampling;
use candle_core::{DType, Device};
use serde_json::json;
use std::env;

/// Which instruction set the kernels are to use, instead of the best one.
const KERNELS: &str = "BARKCLONE_KERNELS";
/// What the built-in models say, and the hash of their likeliest tokens: semantic and fine.
const TEXT: &str = "Olá mundo";
const SAID: u64 = 0x5114_2dd2_081f_6e63;

/// Takes the set that the environment names.
pub fn choose_kernels() -> Result<()> {
    let Some(name) = env::var_os(KERNELS).filter(|name| !name.is_empty()) else { return Ok(()) };
    let available = Isa::available();
    let names: Vec<_> = available.iter().map(|isa| isa.name()).collect();
    let wrong = || Kind::Usage.error(format!("{KERNELS}={}: this machine has {}", name.display(), names.join(", ")));
    let chosen = available.iter().copied().find(|isa| name == isa.name()).with_context(wrong)?;
    ensure!(Isa::choose(chosen), wrong());
    Ok(())
}

/// Whether all that is asked for is `--version -v`.
pub fn asks_for_version() -> bool {
    let asked: Vec<_> = env::args_os().skip(1).collect();
    let is = |names: [&str; 2]| asked.iter().any(|argument| names.iter().any(|name| argument == name));
    asked.len() == 2 && is(["--version", "-V"]) && is(["-v", "--verbose"])
}

/// The version, and what it runs on.
pub fn version() -> String {
    let available: Vec<_> = Isa::available().into_iter().map(Isa::name).collect();
    let gpu = [("cuda", cfg!(feature = "cuda")), ("metal", cfg!(feature = "metal"))];
    let devices: Vec<_> = ["cpu"].into_iter().chain(gpu.into_iter().filter(|gpu| gpu.1).map(|gpu| gpu.0)).collect();
    format!(
        "barkclone {}\nkernels  {} (this machine has {}; {KERNELS} chooses)\nthreads  {}\ndevices  {}\n",
        env!("CARGO_PKG_VERSION"),
        Isa::current().name(),
        available.join(", "),
        super::available_threads(),
        devices.join(", "),
    )
}

pub fn run(json: bool, progress: &dyn Progress) -> Result<()> {
    let sets = Isa::available();
    progress.start("trying kernels", (selftest::COUNT + sets.len()) as u64, "");
    let tested = selftest::kernels(|| progress.advance(1));
    let mut said = Vec::new();
    for isa in sets {
        said.push((isa, isa.with(said_tokens)? == SAID));
        progress.advance(1);
    }
    progress.finish();
    out(if json { as_json(&tested, &said)? } else { table(&tested, &said) })?;
    let wrong = tested.iter().filter(|t| !t.is_right()).map(|t| format!("{} on {}", t.kernel, t.isa.name()));
    let wrong =
        wrong.chain(said.iter().filter(|said| !said.1).map(|said| format!("the utterance on {}", said.0.name())));
    let wrong: Vec<_> = wrong.collect();
    let advice =
        format!("{KERNELS} chooses another set; please report it with this table and `barkclone --version -v`");
    ensure!(wrong.is_empty(), "this machine computes wrongly: {}. {advice}", wrong.join(", "));
    Ok(())
}

/// The hash of what the built-in models make of the text.
fn said_tokens() -> Result<u64> {
    let bark = builtin::bark()?;
    let codec = bark.codec()?.context("the built-in Bark has no codec")?;
    let mut settings = Settings::new(&bark.protocol, 1);
    (settings.text, settings.coarse, settings.fine) = (Sampling::GREEDY, Sampling::GREEDY, Sampling::GREEDY);
    settings.stop.max_seconds = Some(1.5);
    let ids = builtin::tokenizer()?.ids(TEXT, bark.protocol.text_length)?;
    let request = Request { sound: Sound::None, ..Request::text(ids, None, settings) };
    let spoken = Speaker::new(bark, codec, DType::F32, &Device::Cpu, false).speak(&request, &Silent)?;
    let tokens = spoken.semantic.as_slice().iter().chain(spoken.fine.rows().iter().flatten());
    let bytes: Vec<u8> = tokens.flat_map(|token| token.to_le_bytes()).collect();
    Ok(hash(&[&bytes]))
}

fn table(tested: &[Tested], said: &[(Isa, bool)]) -> String {
    let verdict = |right: bool| if right { "right" } else { "WRONG" };
    let kernels = tested.iter().map(|t| {
        format!(
            "{:26} {:7} {} (differs by {:.0e} of the largest)\n",
            t.kernel,
            t.isa.name(),
            verdict(t.is_right()),
            t.difference
        )
    });
    let said = said.iter().map(|(isa, right)| format!("{:26} {:7} {}\n", "an utterance", isa.name(), verdict(*right)));
    kernels.chain(said).collect()
}

fn as_json(tested: &[Tested], said: &[(Isa, bool)]) -> Result<String> {
    let one = |t: &Tested| json!({"kernel": t.kernel, "set": t.isa.name(), "difference": t.difference, "right": t.is_right()});
    let kernels: Vec<_> = tested.iter().map(one).collect();
    let said: Vec<_> = said.iter().map(|(isa, right)| json!({"set": isa.name(), "right": right})).collect();
    Ok(format!("{}\n", serde_json::to_string_pretty(&json!({"kernels": kernels, "utterance": said}))?))
}
