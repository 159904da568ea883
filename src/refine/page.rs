//! The search as a page: each candidate with its numbers, the best of each round first, and its takes to listen to
//! where they are asked for.

use super::{Refined, Take, Tried};
use crate::audio::{Encoding, Pcm, write_wav};
use crate::sound::Level;
use crate::sound::page::{chip, escape, foot, head};
use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt::Write;

/// The whole page, which asks nothing of any network; `title` is plain text. With `reference`, it holds that and every
/// take as sounds.
pub fn page(title: &str, refined: &Refined, reference: Option<&Pcm>) -> Result<String> {
    let title = escape(title);
    let mut page = head(&format!("{title} · barkclone clone"), if reference.is_some() { "data:" } else { "'none'" });
    let (kept, plain) = (refined.kept(), refined.plain());
    writeln!(
        page,
        "<h1>{title}</h1>\n<p class=facts>Kept: the clone of {}, {}</p>",
        escape(&kept.candidate.way),
        numbers(kept)
    )?;
    writeln!(page, "<p class=facts>The plain clone: {}</p>", numbers(plain))?;
    reference.map_or(Ok(()), |pcm| player(&mut page, pcm))?;
    for (number, round) in refined.rounds.iter().enumerate() {
        writeln!(page, "<article class=spoken>\n<h2>Round {}</h2>\n<div class=takes>", number + 1)?;
        let mut order: Vec<_> = round.iter().collect();
        order.sort_by(|a, b| b.total.total_cmp(&a.total));
        for tried in order {
            section(&mut page, tried, std::ptr::eq(tried, kept), reference.is_some())?;
        }
        page.push_str("</div>\n</article>\n");
    }
    page.push_str(&foot());
    Ok(page)
}

fn numbers(tried: &Tried) -> String {
    format!("similarity {:.3}, score {:.3}", tried.similarity, tried.total)
}

fn section(page: &mut String, tried: &Tried, kept: bool, audio: bool) -> Result<()> {
    let mark = if kept { format!("{} ", chip(None)) } else { String::new() };
    writeln!(page, "<section class=take>\n<p>{mark}{}</p>", escape(&tried.candidate.way))?;
    writeln!(page, "<p class=facts>{}</p>", numbers(tried))?;
    tried.takes.iter().try_for_each(|take| said(page, take, audio))?;
    page.push_str("</section>\n");
    Ok(())
}

fn said(page: &mut String, take: &Take, audio: bool) -> Result<()> {
    writeln!(page, "<p class=facts>{} · {}</p>", escape(&take.text), take.score)?;
    for finding in &take.findings {
        writeln!(page, "<p>{} {}</p>", chip(Some(Level::Warning)), escape(&finding.message))?;
    }
    if audio { player(page, &take.pcm) } else { Ok(()) }
}

fn player(page: &mut String, pcm: &Pcm) -> Result<()> {
    let mut wav = Vec::new();
    write_wav(&mut wav, pcm, Encoding::Pcm16, &[])?;
    Ok(writeln!(page, "<audio controls preload=none src=\"data:audio/wav;base64,{}\"></audio>", STANDARD.encode(wav))?)
}
