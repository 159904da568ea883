//! A training as a page: its curves, and what came of each epoch.

use super::trainer::Epoch;
use crate::sound::page::{escape, foot, head};
use anyhow::Result;
use std::fmt::Write;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Of a curve's picture, in its own units.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 60.0;

/// One line of a picture.
struct Curve<'a> {
    class: &'a str,
    label: &'a str,
    values: Vec<f64>,
}

/// Bytes of a page that hold its title.
const BEGINNING: u64 = 4096;

/// As HTML.
fn title(name: &str) -> String {
    format!("{} · barkclone quantizer train", escape(name))
}

/// Whether the file at `path` is the page about the training of `name`.
pub fn is_page(path: &Path, name: &str) -> bool {
    let mut beginning = Vec::new();
    let read = File::open(path).and_then(|file| file.take(BEGINNING).read_to_end(&mut beginning));
    read.is_ok() && String::from_utf8_lossy(&beginning).contains(&format!("<title>{}</title>", title(name)))
}

/// The page about the training of `name`; it needs nothing else.
pub fn page(name: &str, history: &[Epoch]) -> Result<String> {
    let shown = escape(name);
    let mut page = head(&title(name), "'none'");
    writeln!(page, "<article>\n<h1>{shown}</h1>\n<p class=facts>{} epochs</p>", history.len())?;
    let train = |value: fn(&Epoch) -> f64| history.iter().map(value).collect();
    let valid =
        |value: fn(&crate::train::Score) -> f64| history.iter().filter_map(|e| e.valid.as_ref().map(value)).collect();
    let loss = [
        Curve { class: "speech", label: "learned from", values: train(|epoch| epoch.train.loss) },
        Curve { class: "heard", label: "held out", values: valid(|score| score.loss) },
    ];
    let right = [
        Curve { class: "speech", label: "right, learned from", values: train(|epoch| 100.0 * epoch.train.accuracy) },
        Curve { class: "heard", label: "right, held out", values: valid(|score| 100.0 * score.accuracy) },
        Curve { class: "note", label: "in the first five, held out", values: valid(|score| 100.0 * score.top5) },
    ];
    picture(&mut page, "Loss", &loss)?;
    picture(&mut page, "Tokens, %", &right)?;
    table(&mut page, history)?;
    page.push_str("</article>\n");
    page.push_str(&foot());
    Ok(page)
}

fn picture(page: &mut String, title: &str, curves: &[Curve]) -> Result<()> {
    let most = curves.iter().flat_map(|curve| &curve.values).fold(0.0, |most: f64, &value| most.max(value));
    let highest = if most > 0.0 { most * 1.05 } else { 1.0 };
    writeln!(page, "<h3>{title}</h3>\n<figure><div class=scroll><svg viewBox=\"0 0 {} 300\" role=img>", LEFT + WIDTH)?;
    writeln!(page, "<title>{title} by epoch</title>")?;
    for mark in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let y = HEIGHT * (1.0 - mark);
        writeln!(page, "<line class=grid x1={LEFT} x2={} y1={y:.1} y2={y:.1} />", LEFT + WIDTH)?;
        writeln!(page, "<text class=label x={:.0} y={:.1}>{:.1}</text>", LEFT - 8.0, y + 5.0, highest * mark)?;
    }
    for (row, curve) in curves.iter().filter(|curve| !curve.values.is_empty()).enumerate() {
        line(page, curve, highest)?;
        let x = LEFT + 320.0 * row as f64;
        writeln!(page, "<rect class=\"{}\" x={x:.0} y=280 width=14 height=14 rx=3 />", curve.class)?;
        writeln!(page, "<text x={:.0} y=292>{}</text>", x + 20.0, curve.label)?;
    }
    page.push_str("</svg></div></figure>\n");
    Ok(())
}

/// A point for each epoch, and what joins them.
fn line(page: &mut String, curve: &Curve, highest: f64) -> Result<()> {
    let step = WIDTH / curve.values.len().saturating_sub(1).max(1) as f64;
    let point = |(index, value): (usize, &f64)| (LEFT + step * index as f64, HEIGHT * (1.0 - value / highest));
    let points: Vec<_> = curve.values.iter().enumerate().map(point).collect();
    let joined: Vec<_> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    writeln!(page, "<polyline class=\"curve {}\" points=\"{}\" />", curve.class, joined.join(" "))?;
    for ((x, y), value) in points.iter().zip(&curve.values) {
        writeln!(page, "<circle class=\"{}\" cx={x:.1} cy={y:.1} r=3><title>{value:.3}</title></circle>", curve.class)?;
    }
    Ok(())
}

fn table(page: &mut String, history: &[Epoch]) -> Result<()> {
    page.push_str("<h3>Epochs</h3>\n<dl>\n");
    for epoch in history {
        let score = epoch.judged();
        let (right, near) = (100.0 * score.accuracy, 100.0 * score.top5);
        writeln!(
            page,
            "<div><dt>epoch {}</dt><dd>{right:.1} %</dd><dd class=usual>in the first five {near:.1} %, loss {:.3}</dd></div>",
            epoch.epoch, score.loss
        )?;
    }
    page.push_str("</dl>\n");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::Score;

    #[test]
    fn a_page_draws_each_curve_and_names_no_markup() {
        let score = |accuracy| Score { frames: 10, loss: 2.0, accuracy, top5: 0.5, neighbours: 0.0 };
        let epoch = |epoch, accuracy| Epoch { epoch, train: score(accuracy), valid: Some(score(accuracy / 2.0)) };
        let page = page("<mine>.pth", &[epoch(1, 0.2), epoch(2, 0.4)]).unwrap();
        assert!(page.contains("&lt;mine&gt;.pth") && !page.contains("<mine>"));
        assert_eq!(page.matches("<polyline").count(), 5);
        assert!(page.contains("epoch 2</dt><dd>20.0 %"), "{page}");
    }
}
