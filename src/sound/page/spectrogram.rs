//! A spectrogram of fixed size, however long the sound is.

use crate::audio::Pcm;
use crate::sound::level::decibels;
use crate::sound::spectra::Spectra;
use anyhow::Result;

/// Rows.
pub const HEIGHT: usize = 224;
/// Highest frequency that is drawn, Hz: EnCodec hears no more.
const HIGHEST: f64 = 12_000.0;
/// Length of a frame, seconds.
const FRAME: f64 = 0.03;
/// What is drawn under the loudest, dB.
const RANGE: f64 = 85.0;
/// matplotlib's `magma` (Nathaniel Smith and Stéfan van der Walt), at every eighth.
const COLOURS: [[u8; 3]; 9] = [
    [0, 0, 4],
    [28, 16, 68],
    [79, 18, 123],
    [129, 37, 129],
    [181, 54, 122],
    [229, 89, 100],
    [251, 135, 97],
    [254, 194, 135],
    [252, 253, 191],
];

/// Levels `[HEIGHT, width]`, 0 to 255, the highest frequency first; the rows are evenly spaced in mel.
pub struct Spectrogram {
    pub width: usize,
    pub levels: Vec<u8>,
    /// The frequency of the top, Hz.
    pub highest: f64,
}

impl Spectrogram {
    /// Each column is the mean power of its part of the sound.
    pub fn of(pcm: &Pcm, width: usize) -> Result<Self> {
        let rate = f64::from(pcm.rate);
        let highest = HIGHEST.min(rate / 2.0);
        let length = ((FRAME * rate) as usize).next_power_of_two();
        // At least two frames a column, and frames that overlap.
        let hop = (pcm.samples.len() / (2 * width)).clamp(1, length / 2);
        let spectra = Spectra::new(length, hop);
        let frames = spectra.frames(pcm.samples.len());
        let bins = rows(length, rate, highest);
        let mut sums = vec![0.0; width * HEIGHT];
        let mut counts = vec![0u32; width];
        spectra.each(&pcm.samples, |frame, power| {
            let column = (frame as u128 * width as u128 / frames as u128) as usize;
            counts[column] += 1;
            for (row, &(low, high)) in bins.iter().enumerate() {
                let loudest = power[low..=high].iter().fold(0.0, |a: f32, &b| a.max(b));
                sums[row * width + column] += f64::from(loudest);
            }
        })?;
        Ok(Self { width, levels: levels(&mut sums, &counts, width), highest })
    }

    /// The row, from the top, of a frequency.
    pub fn row(&self, hz: f64) -> f64 {
        HEIGHT as f64 * (1.0 - mel(hz) / mel(self.highest))
    }

    /// The colour of a level.
    pub fn colour(level: u8) -> [u8; 3] {
        let place = f32::from(level) / 255.0 * (COLOURS.len() - 1) as f32;
        let (below, part) = ((place as usize).min(COLOURS.len() - 2), place.fract());
        let part = if place as usize > below { 1.0 } else { part };
        let mix = |k: usize| {
            let [low, high] = [COLOURS[below][k], COLOURS[below + 1][k]].map(f32::from);
            (low + part * (high - low)).round() as u8
        };
        [mix(0), mix(1), mix(2)]
    }

    /// As a PNG with a palette.
    pub fn png(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.width as u32, HEIGHT as u32);
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_palette((0..=255).flat_map(Self::colour).collect::<Vec<u8>>());
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.levels)?;
        writer.finish()?;
        Ok(bytes)
    }
}

/// Mean powers to levels; a column without a frame repeats the one before.
fn levels(sums: &mut [f64], counts: &[u32], width: usize) -> Vec<u8> {
    for row in sums.chunks_mut(width) {
        for column in 0..width {
            row[column] = match counts[column] {
                0 => row[column.saturating_sub(1)],
                count => row[column] / f64::from(count),
            };
        }
    }
    let top = decibels(sums.iter().fold(0.0, |high: f64, &p| high.max(p)));
    // Of digital silence nothing is drawn.
    let level = |&p: &f64| if p > 0.0 { (255.0 * (1.0 + (decibels(p) - top) / RANGE)).clamp(0.0, 255.0) } else { 0.0 };
    sums.iter().map(|p| level(p) as u8).collect()
}

/// The first and last bin of each row.
fn rows(length: usize, rate: f64, highest: f64) -> Vec<(usize, usize)> {
    let bin = |hz: f64| ((hz * length as f64 / rate).round() as usize).min(length / 2);
    let edge = |row: usize| hz(mel(highest) * (HEIGHT - row) as f64 / HEIGHT as f64);
    (0..HEIGHT).map(|row| (bin(edge(row + 1)), bin(edge(row)).saturating_sub(1).max(bin(edge(row + 1))))).collect()
}

/// O'Shaughnessy's mel scale.
fn mel(hz: f64) -> f64 {
    2595.0 * (1.0 + hz / 700.0).log10()
}

fn hz(mel: f64) -> f64 {
    700.0 * (10f64.powf(mel / 2595.0) - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_is_a_line_at_its_row_and_silence_is_nothing() -> Result<()> {
        let tone = |i| if i < 24_000 { (std::f32::consts::TAU * 1000.0 * i as f32 / 24_000.0).sin() } else { 0.0 };
        let pcm = Pcm { samples: (0..48_000).map(tone).collect(), rate: 24_000 };
        let spectrogram = Spectrogram::of(&pcm, 100)?;
        let brightest = |column: usize| (0..HEIGHT).max_by_key(|row| spectrogram.levels[row * 100 + column]).unwrap();
        assert!((brightest(20) as f64 - spectrogram.row(1000.0)).abs() <= 2.0, "{}", brightest(20));
        assert!((0..HEIGHT).all(|row| spectrogram.levels[row * 100 + 80] == 0));
        Ok(())
    }

    #[test]
    fn colours_run_from_dark_to_light() {
        assert_eq!(Spectrogram::colour(0), COLOURS[0]);
        assert_eq!(Spectrogram::colour(255), COLOURS[8]);
    }

    #[test]
    fn any_length_has_the_same_size() -> Result<()> {
        for samples in [0, 1, 5000] {
            let pcm = Pcm { samples: vec![0.1; samples], rate: 8000 };
            assert_eq!(Spectrogram::of(&pcm, 64)?.levels.len(), 64 * HEIGHT);
        }
        Ok(())
    }
}
