//! GSM 6.10 as WAV files hold it (`wFormatTag` 0x31): two frames of 260 bits, lowest bits first, in 65 bytes.
//!
//! The arithmetic is that of ETSI EN 300 961 (GSM 06.10) 5.3, bit by bit; its numbers of sections are beside each step. No
//! maintained crate decodes it.

/// Bytes of a block, and the samples in it.
pub(super) const BLOCK: usize = 65;
pub(super) const FRAMES: usize = 2 * FRAME;

/// Samples of a frame and of each of its four sub-frames; pulses of a sub-frame.
const FRAME: usize = 160;
const PART: usize = 40;
const PULSES: usize = 13;
/// Reach of the long-term predictor, samples.
const REACH: usize = 120;

/// Bits of the log area ratios, and how they are expanded (tables 5.1 and 5.2): smallest code, offset, 1 / step.
const LAR_BITS: [u32; 8] = [6, 6, 5, 5, 4, 4, 3, 3];
const LAR_LEAST: [i16; 8] = [-32, -32, -16, -16, -8, -8, -4, -4];
const LAR_OFFSET: [i16; 8] = [0, 0, 2048, -2560, 94, -1792, -341, -1144];
const LAR_SCALE: [i16; 8] = [13107, 13107, 13107, 13107, 19223, 17476, 31454, 29708];
/// Gains of the long-term predictor (table 5.3b), and mantissas of the pulses (table 5.6).
const GAINS: [i16; 4] = [3277, 11469, 21299, 32767];
const MANTISSAS: [i16; 8] = [18431, 20479, 22527, 24575, 26623, 28671, 30719, 32767];

/// What is kept from one frame to the next.
pub(super) struct Gsm {
    /// The excitation's last samples.
    past: [i16; REACH],
    lag: usize,
    ratios: [i16; 8],
    lattice: [i16; 9],
    deemphasis: i16,
}

impl Default for Gsm {
    fn default() -> Self {
        Self { past: [0; REACH], lag: 40, ratios: [0; 8], lattice: [0; 9], deemphasis: 0 }
    }
}

impl Gsm {
    /// The samples of one block of [`BLOCK`] bytes, at 8 kHz.
    pub fn decode(&mut self, block: &[u8]) -> impl Iterator<Item = i16> + use<> {
        let mut bits = Bits { bytes: block, at: 0 };
        let frames = [self.frame(&mut bits), self.frame(&mut bits)];
        frames.into_iter().flatten()
    }

    fn frame(&mut self, bits: &mut Bits) -> [i16; FRAME] {
        let ratios = std::array::from_fn(|i| ratio(i, bits.take(LAR_BITS[i])));
        let mut excitation = [0; FRAME];
        for part in excitation.chunks_exact_mut(PART) {
            self.excite(bits, part);
        }
        let mut samples = excitation;
        let before = std::mem::replace(&mut self.ratios, ratios);
        // 5.3.3: the ratios go over from those of the frame before.
        let mixed = |i: usize, segment: usize| match segment {
            0 => add(add(before[i] >> 2, ratios[i] >> 2), before[i] >> 1),
            1 => add(before[i] >> 1, ratios[i] >> 1),
            2 => add(add(before[i] >> 2, ratios[i] >> 2), ratios[i] >> 1),
            _ => ratios[i],
        };
        for (segment, (start, end)) in [(0, 13), (13, 27), (27, 40), (40, FRAME)].into_iter().enumerate() {
            let coefficients = std::array::from_fn(|i| reflection(mixed(i, segment)));
            samples[start..end].iter_mut().for_each(|sample| *sample = self.synthesize(*sample, &coefficients));
        }
        samples
    }

    /// 5.3.1 and 5.3.2: the pulses of a sub-frame, and what the long-term predictor adds.
    fn excite(&mut self, bits: &mut Bits, part: &mut [i16]) {
        let (lag, gain) = (bits.take(7) as usize, GAINS[bits.take(2) as usize]);
        let grid = bits.take(2) as usize;
        let (exponent, mantissa) = scale(bits.take(6) as i16);
        part.fill(0);
        for pulse in 0..PULSES {
            part[grid + 3 * pulse] = amplitude(bits.take(3) as i16, exponent, mantissa);
        }
        if (40..=REACH).contains(&lag) {
            self.lag = lag;
        }
        for (at, sample) in part.iter_mut().enumerate() {
            *sample = add(*sample, multiply(gain, self.past[REACH - self.lag + at]));
        }
        self.past.rotate_left(PART);
        self.past[REACH - PART..].copy_from_slice(part);
    }

    /// 5.3.4 and 5.3.5: the short-term filter, and the de-emphasis.
    fn synthesize(&mut self, excitation: i16, coefficients: &[i16; 8]) -> i16 {
        let mut sample = excitation;
        for i in (0..8).rev() {
            sample = subtract(sample, multiply(coefficients[i], self.lattice[i]));
            self.lattice[i + 1] = add(self.lattice[i], multiply(coefficients[i], sample));
        }
        self.lattice[0] = sample;
        self.deemphasis = add(sample, multiply(self.deemphasis, 28_180));
        add(self.deemphasis, self.deemphasis) & !7
    }
}

/// Bits from the lowest of each byte on.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: u32) -> u16 {
        (0..count).fold(0, |value, bit| {
            let byte = self.bytes.get(self.at / 8).copied().unwrap_or(0);
            let set = (byte >> (self.at % 8)) & 1;
            self.at += 1;
            value | u16::from(set) << bit
        })
    }
}

/// 5.2.8: a log area ratio of its code.
fn ratio(i: usize, code: u16) -> i16 {
    let value = subtract((code as i16 + LAR_LEAST[i]) << 10, LAR_OFFSET[i] << 1);
    let value = multiply(LAR_SCALE[i], value);
    add(value, value)
}

/// 5.2.9.2: a reflection coefficient of its log area ratio.
fn reflection(ratio: i16) -> i16 {
    let size = ratio.saturating_abs();
    let value = match size {
        ..11_059 => size << 1,
        11_059..20_070 => size + 11_059,
        _ => add(size >> 2, 26_112),
    };
    if ratio < 0 { -value } else { value }
}

/// 5.2.15: exponent and mantissa of a block's highest pulse.
fn scale(code: i16) -> (i16, i16) {
    let mut exponent = if code > 15 { (code >> 3) - 1 } else { 0 };
    let mut mantissa = code - (exponent << 3);
    if mantissa == 0 {
        return (-4, 7);
    }
    while mantissa <= 7 {
        mantissa = mantissa << 1 | 1;
        exponent -= 1;
    }
    (exponent, mantissa - 8)
}

/// 5.2.16: a pulse.
fn amplitude(code: i16, exponent: i16, mantissa: i16) -> i16 {
    let shift = 6 - exponent;
    let half = if shift > 0 { 1 << (shift - 1) } else { 0 };
    add(multiply(MANTISSAS[mantissa as usize], ((code << 1) - 7) << 12), half) >> shift
}

fn add(a: i16, b: i16) -> i16 {
    a.saturating_add(b)
}

fn subtract(a: i16, b: i16) -> i16 {
    a.saturating_sub(b)
}

/// Product of fractions, rounded.
fn multiply(a: i16, b: i16) -> i16 {
    let product = (i32::from(a) * i32::from(b) + 16_384) >> 15;
    product.min(i32::from(i16::MAX)) as i16
}
