//! A waveform as so many columns.

use std::ops::Range;

/// The lowest and highest sample of each of `columns` equal parts.
pub fn extremes(samples: &[f32], columns: usize) -> Vec<Range<f32>> {
    let edge = |column: usize| (column as u128 * samples.len() as u128 / columns as u128) as usize;
    let part = |column: usize| {
        let start = edge(column).min(samples.len().saturating_sub(1));
        let part = &samples[start..edge(column + 1).max(start + 1).min(samples.len())];
        let lowest = part.iter().copied().reduce(f32::min).unwrap_or_default();
        lowest..part.iter().copied().reduce(f32::max).unwrap_or_default()
    };
    (0..columns).map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_column_spans_its_part() {
        assert_eq!(extremes(&[0.0, 0.5, -1.0, 0.25], 2), [0.0..0.5, -1.0..0.25]);
        assert_eq!(extremes(&[0.5], 3), vec![0.5..0.5; 3]);
        assert_eq!(extremes(&[], 2), vec![0.0..0.0; 2]);
    }
}
