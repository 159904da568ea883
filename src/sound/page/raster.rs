//! The picture as a PNG: the same lanes, drawn into pixels, on white.

use super::lanes::{Kind, Lane};
use super::spectrogram::{HEIGHT, Spectrogram};
use super::{COLUMNS, Picture, seconds, ticks};
use crate::sound::Level;
use anyhow::Result;
use font8x8::legacy::BASIC_LEGACY;

type Colour = [u8; 3];

const WIDTH: usize = 1200;
const LEFT: usize = 140;
const WAVE_TOP: usize = 44;
const WAVE_HEIGHT: usize = 120;
const SPECTROGRAM_TOP: usize = WAVE_TOP + WAVE_HEIGHT + 8;
const LANES_TOP: usize = SPECTROGRAM_TOP + HEIGHT + 12;
const LANE: usize = 20;

const PAPER: Colour = [255, 255, 255];
const INK: Colour = [60, 56, 52];
const GRID: Colour = [226, 221, 214];
const EMPTY: Colour = [239, 236, 231];
const WAVE: Colour = [61, 90, 128];
const HEARD: Colour = [122, 94, 168];

/// The image's bytes.
pub fn draw(picture: &Picture) -> Result<Vec<u8>> {
    let bottom = LANES_TOP + LANE * picture.lanes.len();
    let mut canvas = Canvas::new(WIDTH, bottom + 24);
    let verdict = picture.report.verdict();
    canvas.text(LEFT, 10, &format!("{}  {}", picture.name, verdict), INK);
    axis(&mut canvas, picture, bottom);
    wave(&mut canvas, picture);
    spectrogram(&mut canvas, &picture.spectrogram);
    unheard(&mut canvas, picture);
    for (row, lane) in picture.lanes.iter().enumerate() {
        draw_lane(&mut canvas, picture, lane, LANES_TOP + LANE * row);
    }
    canvas.png()
}

/// Where a second lies.
fn x(picture: &Picture, second: f64) -> usize {
    let span = picture.span();
    let share = (second - span.start) / (span.end - span.start).max(f64::MIN_POSITIVE);
    LEFT + (COLUMNS as f64 * share.clamp(0.0, 1.0)).round() as usize
}

fn axis(canvas: &mut Canvas, picture: &Picture, bottom: usize) {
    for tick in ticks(&picture.span()) {
        let (x, text) = (x(picture, tick), format!("{} s", seconds(tick)));
        canvas.fill(x, WAVE_TOP, 1, bottom - WAVE_TOP, GRID);
        canvas.text(x - 4 * text.len(), bottom + 8, &text, INK);
    }
}

fn wave(canvas: &mut Canvas, picture: &Picture) {
    canvas.label(WAVE_TOP + WAVE_HEIGHT / 2, "waveform");
    let loudest = picture.wave.iter().fold(1e-4, |high: f32, part| high.max(part.start.abs()).max(part.end.abs()));
    let y = |level: f32| WAVE_TOP + ((1.0 - level / loudest) * (WAVE_HEIGHT - 1) as f32 / 2.0).round() as usize;
    for (column, part) in picture.wave.iter().enumerate() {
        canvas.fill(LEFT + column, y(part.end), 1, y(part.start) - y(part.end) + 1, WAVE);
    }
}

fn spectrogram(canvas: &mut Canvas, spectrogram: &Spectrogram) {
    for (row, levels) in spectrogram.levels.chunks(spectrogram.width).enumerate() {
        for (column, &level) in levels.iter().enumerate() {
            canvas.fill(LEFT + column, SPECTROGRAM_TOP + row, 1, 1, Spectrogram::colour(level));
        }
    }
    for hz in [500.0, 1000.0, 2000.0, 4000.0, 8000.0].into_iter().filter(|&hz| hz < spectrogram.highest) {
        let text = if hz < 1000.0 { format!("{hz} Hz") } else { format!("{} kHz", hz / 1000.0) };
        let y = SPECTROGRAM_TOP + spectrogram.row(hz) as usize;
        canvas.label(y, &text);
        canvas.fill(LEFT - 5, y, 5, 1, INK);
    }
}

/// Fades what no stage hears.
fn unheard(canvas: &mut Canvas, picture: &Picture) {
    let Some(stages) = &picture.report.stages else { return };
    let start = x(picture, stages.any().start);
    canvas.fade(LEFT, WAVE_TOP, start - LEFT, SPECTROGRAM_TOP + HEIGHT - WAVE_TOP);
    let text = if start > LEFT { "the models hear from here on" } else { "the models hear all of it" };
    canvas.fill(start, 28, 1, SPECTROGRAM_TOP + HEIGHT - 28, HEARD);
    canvas.text((start + 6).min(WIDTH - 8 * text.len() - 20), 30, text, HEARD);
}

fn draw_lane(canvas: &mut Canvas, picture: &Picture, lane: &Lane, top: usize) {
    canvas.label(top + LANE / 2, &lane.label);
    canvas.fill(LEFT, top + 3, COLUMNS, LANE - 6, EMPTY);
    for span in &lane.spans {
        let (start, end) = (x(picture, span.start), x(picture, span.end));
        let width = (end - start).max(3);
        canvas.fill(start.min(LEFT + COLUMNS - width), top + 3, width, LANE - 6, colour(lane.kind));
    }
}

fn colour(kind: Kind) -> Colour {
    match kind {
        Kind::Speech => WAVE,
        Kind::Heard => HEARD,
        Kind::Finding(Level::Note) => [47, 95, 143],
        Kind::Finding(Level::Warning) => [208, 131, 18],
        Kind::Finding(Level::Bad) => [190, 30, 34],
    }
}

/// Pixels, and what draws in them; what lies outside is not drawn.
struct Canvas {
    width: usize,
    pixels: Vec<Colour>,
}

impl Canvas {
    fn new(width: usize, height: usize) -> Self {
        Self { width, pixels: vec![PAPER; width * height] }
    }

    /// The pixels of a rectangle, row by row.
    fn each(&mut self, x: usize, y: usize, width: usize, height: usize, mut paint: impl FnMut(&mut Colour)) {
        let end = (x + width).min(self.width);
        for row in self.pixels.chunks_mut(self.width).skip(y).take(height) {
            row[x.min(end)..end].iter_mut().for_each(&mut paint);
        }
    }

    fn fill(&mut self, x: usize, y: usize, width: usize, height: usize, colour: Colour) {
        self.each(x, y, width, height, |pixel| *pixel = colour);
    }

    /// Two thirds of the way to white.
    fn fade(&mut self, x: usize, y: usize, width: usize, height: usize) {
        self.each(x, y, width, height, |pixel| *pixel = pixel.map(|value| 255 - (255 - value) / 3));
    }

    /// Text in an 8-pixel font; letters beyond ASCII are shown as `?`.
    fn text(&mut self, x: usize, y: usize, text: &str, colour: Colour) {
        for (place, letter) in text.chars().enumerate() {
            let glyph = BASIC_LEGACY.get(letter as usize).unwrap_or(&BASIC_LEGACY['?' as usize]);
            for (row, bits) in glyph.iter().enumerate() {
                for column in (0..8).filter(|column| bits >> column & 1 == 1) {
                    self.fill(x + 8 * place + column, y + row, 1, 1, colour);
                }
            }
        }
    }

    /// Text that ends at the left margin, centred on `y`.
    fn label(&mut self, y: usize, text: &str) {
        self.text((LEFT - 10).saturating_sub(8 * text.chars().count()), y.saturating_sub(4), text, INK);
    }

    fn png(self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let height = self.pixels.len() / self.width;
        let mut encoder = png::Encoder::new(&mut bytes, self.width as u32, height as u32);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(self.pixels.as_flattened())?;
        writer.finish()?;
        Ok(bytes)
    }
}
