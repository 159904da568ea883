use super::*;
use crate::kernels::*;

#[test]
fn a_transpose_turns_rows_into_columns() {
    for (rows, columns) in [(1, 1), (3, 70), (70, 3), (33, 65)] {
        let x = noise(1, rows * columns);
        let turned = transpose(&x, rows, columns);
        assert!((0..rows * columns).all(|i| turned[i % columns * rows + i / columns] == x[i]));
    }
    assert_eq!(column_sums(&[1.0, 2.0, 3.0, 4.0], 2), [4.0, 6.0]);
}

/// Loss and slope by a logit of one row, in f64.
fn plain_loss(logits: &[f32], target: usize) -> (f64, Vec<f64>) {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f64> = logits.iter().map(|&x| f64::from(x - top).exp()).collect();
    let sum: f64 = powers.iter().sum();
    let slope = |i: usize| powers[i] / sum - f64::from(u8::from(i == target));
    (sum.ln() + f64::from(top - logits[target]), (0..logits.len()).map(slope).collect())
}

#[test]
fn the_loss_equals_f64_and_counts_what_is_likelier() {
    on_each_isa(|| {
        for width in [1, 7, 40, 1000] {
            let logits: Vec<f32> = noise(2, 3 * width).iter().map(|x| x * 20.0).collect();
            let targets = [0, (width / 2) as u32, width as u32 - 1];
            let (mut slopes, mut told) = (logits.clone(), vec![0.0; 9]);
            cross_entropy(&mut slopes, width, &targets, 0.5, &mut told);
            for (row, &target) in targets.iter().enumerate() {
                let logits = &logits[row * width..][..width];
                let (loss, wanted) = plain_loss(logits, target as usize);
                assert_close(&told[3 * row..][..1], &[loss], 2e-5);
                let halves: Vec<_> = wanted.iter().map(|slope| slope / 2.0).collect();
                assert_close(&slopes[row * width..][..width], &halves, 1e-6);
                let above = logits.iter().filter(|&&x| x > logits[target as usize]).count();
                assert_eq!(told[3 * row + 1], above as f32);
                assert!(logits.iter().all(|&x| x <= logits[told[3 * row + 2] as usize]));
            }
        }
        let mut told = vec![0.0; 3];
        cross_entropy(&mut [1.0, 2.0, 2.0], 3, &[2], 1.0, &mut told);
        assert_eq!(told[1..], [1.0, 1.0], "of two equal ones the first is likelier");
    });
}

#[test]
fn a_step_of_an_lstm_and_its_way_back_equal_differences() {
    let hidden = 19;
    on_each_isa(|| {
        let (sums, before) = (noise(1, 4 * hidden), noise(2, hidden));
        let forward = |sums: &[f32], before: &[f32]| {
            let (mut c, mut h, mut gates) = (before.to_vec(), vec![0.0; hidden], vec![0.0; 4 * hidden]);
            lstm_step(sums, &mut c, &mut h, &mut gates);
            (c, h, gates)
        };
        let (after, _, mut gates) = forward(&sums, &before);
        let (dh, into) = (noise(3, hidden), noise(4, hidden));
        let mut dc = into.clone();
        lstm_step_back(&mut gates, &before, &after, &dh, &mut dc);
        // The loss is what the slopes above make of the outputs.
        let loss = |sums: &[f32], before: &[f32]| {
            let (c, h, _) = forward(sums, before);
            let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
            dot(&h, &dh) + dot(&c, &into)
        };
        let slope = |x: &[f32], at: usize, loss: &dyn Fn(&[f32]) -> f64| {
            let moved = |by: f32| {
                let mut x = x.to_vec();
                x[at] += by;
                loss(&x)
            };
            (moved(0.01) - moved(-0.01)) / 0.02
        };
        let by_sums: Vec<_> = (0..4 * hidden).map(|at| slope(&sums, at, &|x| loss(x, &before))).collect();
        let by_cell: Vec<_> = (0..hidden).map(|at| slope(&before, at, &|x| loss(&sums, x))).collect();
        assert_close(&gates, &by_sums, 2e-4);
        assert_close(&dc, &by_cell, 2e-4);
    });
}

#[test]
fn a_step_of_adam_is_the_same_on_any_threads() {
    let len = 40_000;
    let settings = Adam { rate: 0.1, betas: [0.9, 0.999], eps: 1e-8, step: 1 };
    on_each_isa(|| {
        assert_same_on_any_threads(len, |out| {
            out.copy_from_slice(&noise(1, len));
            let (mut first, mut second) = (vec![0.0; len], vec![0.0; len]);
            adam(out, [&mut first, &mut second], &noise(2, len), 0.5, settings);
        });
        // The first step is as long as the rate, against the slope.
        let (mut x, mut first, mut second) = ([0.0; 2], [0.0; 2], [0.0; 2]);
        adam(&mut x, [&mut first, &mut second], &[3.0, -4.0], 0.5, settings);
        assert_close(&x, &[-0.1, 0.1], 1e-6);
    });
}
