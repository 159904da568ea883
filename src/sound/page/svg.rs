//! The picture as inline SVG, coloured by the page's style sheet.

use super::lanes::{Kind, Lane};
use super::spectrogram::{HEIGHT, Spectrogram};
use super::{COLUMNS, Picture, html::escape, seconds, ticks};
use crate::sound::Level;
use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt::Write;
use std::ops::Range;

/// Room for the labels at the left, and of the whole.
const LEFT: f64 = 140.0;
const WIDTH: f64 = LEFT + COLUMNS as f64 + 20.0;
const WAVE: Range<f64> = 26.0..146.0;
const SPECTROGRAM: f64 = 156.0;
const LANES: f64 = SPECTROGRAM + HEIGHT as f64 + 12.0;
const LANE: f64 = 22.0;
/// Frequencies that are marked, Hz.
const MARKED: [f64; 6] = [250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0];

/// The picture; `id` is its own on the page.
pub fn draw(picture: &Picture, id: usize) -> Result<String> {
    let bottom = LANES + LANE * picture.lanes.len() as f64;
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {:.0}\" role=\"img\" aria-labelledby=\"t{id}\">\
         <title id=\"t{id}\">Waveform, spectrogram, speech and findings of {} over time</title>\n",
        bottom + 30.0,
        escape(&picture.name)
    );
    axis(&mut svg, picture, bottom)?;
    wave(&mut svg, picture)?;
    spectrogram(&mut svg, &picture.spectrogram)?;
    unheard(&mut svg, picture)?;
    for (row, lane) in picture.lanes.iter().enumerate() {
        draw_lane(&mut svg, picture, lane, LANES + LANE * row as f64)?;
    }
    svg.push_str("</svg>");
    Ok(svg)
}

/// Where a second lies.
fn x(picture: &Picture, second: f64) -> f64 {
    let span = picture.span();
    let share = (second - span.start) / (span.end - span.start).max(f64::MIN_POSITIVE);
    LEFT + COLUMNS as f64 * share.clamp(0.0, 1.0)
}

fn axis(svg: &mut String, picture: &Picture, bottom: f64) -> Result<()> {
    for tick in ticks(&picture.span()) {
        let x = x(picture, tick);
        writeln!(svg, "<line class=grid x1={x:.1} x2={x:.1} y1={} y2={bottom:.0} />", WAVE.start)?;
        writeln!(svg, "<text class=tick x={x:.1} y={:.0}>{} s</text>", bottom + 20.0, seconds(tick))?;
    }
    Ok(())
}

fn wave(svg: &mut String, picture: &Picture) -> Result<()> {
    let (middle, half) = ((WAVE.start + WAVE.end) / 2.0, (WAVE.end - WAVE.start) / 2.0);
    let loudest = picture.wave.iter().fold(0.0, |high: f32, part| high.max(part.start.abs()).max(part.end.abs()));
    // Drawn as tall as fits; the level is told in numbers.
    let scale = half / f64::from(loudest.max(1e-4));
    let y = |level: f32| middle - scale * f64::from(level);
    let upper = picture.wave.iter().enumerate().map(|(i, part)| (i, y(part.end) - 0.4));
    let lower = picture.wave.iter().enumerate().rev().map(|(i, part)| (i, y(part.start) + 0.4));
    svg.push_str("<path class=wave d=\"");
    for (step, (column, y)) in upper.chain(lower).enumerate() {
        write!(svg, "{}{:.0} {y:.1}", if step == 0 { 'M' } else { 'L' }, LEFT + column as f64)?;
    }
    writeln!(svg, "Z\" /><text class=label x={:.0} y={:.0}>waveform</text>", LEFT - 12.0, middle + 4.0)?;
    Ok(())
}

fn spectrogram(svg: &mut String, spectrogram: &Spectrogram) -> Result<()> {
    let data = STANDARD.encode(spectrogram.png()?);
    writeln!(
        svg,
        "<image x={LEFT} y={SPECTROGRAM} width={COLUMNS} height={HEIGHT} preserveAspectRatio=none \
         href=\"data:image/png;base64,{data}\" />"
    )?;
    for hz in MARKED.into_iter().filter(|hz| *hz < spectrogram.highest) {
        let y = SPECTROGRAM + spectrogram.row(hz);
        let text = if hz < 1000.0 { format!("{hz} Hz") } else { format!("{} kHz", hz / 1000.0) };
        writeln!(svg, "<line class=mark x1={:.0} x2={LEFT} y1={y:.1} y2={y:.1} />", LEFT - 6.0)?;
        writeln!(svg, "<text class=label x={:.0} y={:.1}>{text}</text>", LEFT - 12.0, y + 4.0)?;
    }
    Ok(())
}

/// Fades what no stage hears, and marks where hearing begins.
fn unheard(svg: &mut String, picture: &Picture) -> Result<()> {
    let Some(stages) = &picture.report.stages else { return Ok(()) };
    let (start, bottom) = (x(picture, stages.any().start), SPECTROGRAM + HEIGHT as f64);
    if start > LEFT + 1.0 {
        let (width, height) = (start - LEFT, bottom - WAVE.start);
        writeln!(svg, "<rect class=unheard x={LEFT} y={} width={width:.1} height={height:.0} />", WAVE.start)?;
        writeln!(svg, "<line class=begin x1={start:.1} x2={start:.1} y1=12 y2={bottom:.0} />")?;
    }
    let (side, anchor) = if start > WIDTH - 300.0 { (-6.0, "end") } else { (6.0, "start") };
    let text = if start > LEFT + 1.0 { "the models hear from here on" } else { "the models hear all of it" };
    writeln!(svg, "<text class=begin x={:.1} y=18 text-anchor={anchor}>{text}</text>", start + side)?;
    Ok(())
}

fn draw_lane(svg: &mut String, picture: &Picture, lane: &Lane, top: f64) -> Result<()> {
    let class = match lane.kind {
        Kind::Speech => "speech",
        Kind::Heard => "heard",
        Kind::Finding(Level::Note) => "note",
        Kind::Finding(Level::Warning) => "warning",
        Kind::Finding(Level::Bad) => "bad",
    };
    writeln!(svg, "<text class=label x={:.0} y={:.0}>{}</text>", LEFT - 12.0, top + 14.0, escape(&lane.label))?;
    writeln!(svg, "<rect class=lane x={LEFT} y={:.0} width={COLUMNS} height=14 rx=3 />", top + 3.0)?;
    for span in &lane.spans {
        let (start, end) = (x(picture, span.start), x(picture, span.end));
        let width = (end - start).max(3.0);
        let start = start.min(LEFT + COLUMNS as f64 - width);
        writeln!(
            svg,
            "<rect class=\"span {class}\" x={start:.1} y={:.0} width={width:.1} height=14 rx=3>\
             <title>{}: {:.2} to {:.2} s</title></rect>",
            top + 3.0,
            escape(&lane.label),
            span.start,
            span.end
        )?;
    }
    Ok(())
}
