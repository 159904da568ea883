//! `barkclone quantizer eval`: how many tokens a quantizer gets right.

use super::ear::{ByEar, ByEarArgs, Heard};
use super::{DataArgs, percent};
use crate::cli::nets;
use crate::cli::out;
use crate::cli::progress::Terminal;
use anyhow::{Result, ensure};
use barkclone::error::Kind;
use barkclone::models::Models;
use barkclone::net::quantizer::Engine;
use barkclone::progress::Progress;
use barkclone::train::{Clip, ClipScore, Score, Spread, evaluate};
use barkclone::voice::provenance::ModelName;
use clap::Args;
use serde_json::json;

/// Judge a quantizer on pairs that it was not trained on
///
/// Prints the share of tokens that it gets right, that are among its five likeliest, and of the wrong ones those that
/// are right for the frame before or after; the edits that would mend its tokens, repeats taken once, for each right
/// token; and how far the clips are apart. --by-ear also clones and converts clips with it, and hears how much of the
/// voices is kept, and of the words where Whisper is at hand.
#[derive(Args, Debug)]
#[command(args = nets::all())]
pub struct EvalArgs {
    /// A quantizer: a file, or a name from `models list`
    #[arg(value_name = "QUANTIZER")]
    quantizer: String,
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    by_ear: ByEarArgs,
    /// Print a line of JSON for each clip, one for each conversion of --by-ear, and one for all
    #[arg(long)]
    json: bool,
}

pub fn run(args: &EvalArgs, models: &Models, terminal: &Terminal) -> Result<()> {
    let quantizer = nets::quantizer(&args.quantizer, models, terminal)?;
    let spare = args.data.spare(terminal)?;
    let clips = args.data.open((spare.as_ref(), None), models, terminal)?;
    let (taken, given) = (quantizer.config.input_size, clips.width);
    let misfit = format!("{}: it takes {taken} features a frame, HuBERT gives {given}", quantizer.origin());
    ensure!(taken == given, Kind::Model.error(misfit));
    let size = quantizer.config.output_size;
    let known = |clip: &&Clip| clip.tokens.iter().all(|&token| (token as usize) < size);
    let chosen: Vec<_> = clips.clips.iter().filter(known).collect();
    let beyond = clips.clips.len() - chosen.len();
    let none = format!("{}: all of its clips have tokens beyond the quantizer's {size}", args.data.data.display());
    ensure!(!chosen.is_empty(), Kind::Input.error(none));
    if beyond > 0 {
        terminal.note(&format!("warning: left out: {beyond} with tokens beyond the quantizer's {size}"));
    }
    let known = nets::training_sounds(&args.quantizer, models, terminal)?;
    let trained_on = chosen.iter().filter(|clip| known.contains(&clip.mark())).count();
    if trained_on > 0 {
        let told = "are among those that it was trained on; of others it gets fewer tokens right";
        terminal.note(&format!("warning: {trained_on} of {} clips {told}", chosen.len()));
    }
    let (hubert, device) = args.data.nets(models, terminal)?;
    let parameters = quantizer.parameters()?;
    let told = parameters.judge(&Engine::of(&device))?;
    let (score, each) = evaluate(told, &clips, &chosen, terminal)?;
    let said = nets::training_record(&args.quantizer, models, terminal)?.and_then(|record| record.language);
    let language = ModelName::of(&args.quantizer).language.or(said);
    let heard = args.by_ear.run((&chosen, language), (&hubert, &quantizer, &device), models, terminal)?;
    if args.json {
        return out(lines((&score, trained_on), &each, heard.as_deref())?);
    }
    out(shown(&score, &each) + &heard.map_or(String::new(), |heard| ByEar::of(&heard).told()))
}

/// A line for each clip and conversion, and one for all.
fn lines((score, trained_on): (&Score, usize), each: &[ClipScore], heard: Option<&[Heard]>) -> Result<String> {
    let mut lines: Vec<_> = each.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
    let conversions = heard.iter().copied().flatten().map(serde_json::to_string);
    lines.extend(conversions.collect::<Result<Vec<_>, _>>()?);
    let all = json!({"clips": each.len(), "trained_on": trained_on, "score": score, "accuracy_spread": right(each),
        "edits_spread": edits(each), "by_ear": heard.map(ByEar::of)});
    lines.push(all.to_string());
    Ok(lines.join("\n") + "\n")
}

fn right(each: &[ClipScore]) -> Spread {
    Spread::of(each.iter().map(|clip| clip.score.accuracy))
}

fn edits(each: &[ClipScore]) -> Spread {
    Spread::of(each.iter().map(|clip| clip.edits))
}

fn shown(score: &Score, each: &[ClipScore]) -> String {
    let (right, edits) = (right(each), edits(each));
    format!(
        "right          {}\nin first five  {}\nneighbours     {} of the wrong ones\nloss           {:.3}\n\
         of one clip    {} to {} right, {} in the middle\nedits          {:.2} to {:.2} a token, {:.2} in the middle\n",
        percent(score.accuracy),
        percent(score.top5),
        percent(score.neighbours),
        score.loss,
        percent(right.least),
        percent(right.most),
        percent(right.median),
        edits.least,
        edits.most,
        edits.median
    )
}
