//! Logits to token: top-p, top-k, temperature, draw, in the order of suno-ai/bark `generation.py`.

use crate::error::Kind;
use anyhow::{Context, Result, ensure};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// How a stage turns logits into tokens. Temperature 0 takes the largest logit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    pub temperature: f64,
    /// Keep only the `k` largest logits (and those equal to the k-th).
    pub top_k: Option<usize>,
    /// Keep the smallest set of tokens whose probability before the temperature reaches `p`.
    pub top_p: Option<f64>,
}

impl Sampling {
    /// The largest logit, always.
    pub const GREEDY: Sampling = Sampling::at(0.0);

    /// All candidates, at this temperature.
    pub const fn at(temperature: f64) -> Self {
        Self { temperature, top_k: None, top_p: None }
    }

    /// Refuses settings that select nothing or are not numbers; `what` names them in the message.
    pub fn check(&self, what: &str) -> Result<()> {
        let usage = |message: String| Kind::Usage.error(message);
        let temperature = self.temperature;
        ensure!(
            temperature == 0.0 || (LEAST_TEMPERATURE..f64::from(f32::MAX)).contains(&temperature),
            usage(format!("{what} {temperature}: expected 0 (the likeliest) or at least {LEAST_TEMPERATURE}"))
        );
        ensure!(self.top_k != Some(0), usage("--top-k 0: expected at least 1".into()));
        ensure!(
            self.top_p.is_none_or(|p| p > 0.0 && p <= 1.0),
            usage(format!("--top-p {}: expected more than 0 and at most 1", self.top_p.unwrap_or_default()))
        );
        Ok(())
    }
}

/// Logits divided by less than this may leave the range of f32.
const LEAST_TEMPERATURE: f64 = 1e-6;

/// One request's source of tokens for one stage: settings, random numbers of its own, and scratch space.
#[derive(Clone)]
pub struct Sampler {
    sampling: Sampling,
    rng: ChaCha8Rng,
    probabilities: Vec<f32>,
    order: Vec<u32>,
}

impl Sampler {
    /// `stream` separates the stages of one `seed`, so that one stage's draws do not shift the next one's.
    pub fn new(sampling: Sampling, seed: u64, stream: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Self { sampling, rng, probabilities: Vec::new(), order: Vec::new() }
    }

    /// Draws an index of `logits`; [`Sampler::probability`] then tells each candidate's chance.
    pub fn draw(&mut self, logits: &[f32]) -> Result<usize> {
        let best = argmax(logits)?;
        self.probabilities.clear();
        if self.sampling.temperature == 0.0 {
            self.probabilities.resize(logits.len(), 0.0);
            self.probabilities[best] = 1.0;
            return Ok(best);
        }
        self.probabilities.extend_from_slice(logits);
        self.keep_top_p();
        self.keep_top_k();
        let temperature = self.sampling.temperature as f32;
        self.probabilities.iter_mut().for_each(|p| *p /= temperature);
        let largest = self.probabilities[best];
        ensure!(largest.is_finite(), infinite(logits[best]));
        softmax(&mut self.probabilities);
        Ok(self.pick(best))
    }

    /// The chance that candidate `index` had in the last draw, after the temperature.
    pub fn probability(&self, index: usize) -> f32 {
        self.probabilities[index]
    }

    fn keep_top_p(&mut self) {
        let Some(top_p) = self.sampling.top_p else { return };
        let logits = &mut self.probabilities;
        self.order.clear();
        self.order.extend(0..logits.len() as u32);
        self.order.sort_unstable_by(|&a, &b| logits[b as usize].total_cmp(&logits[a as usize]).then(a.cmp(&b)));
        let mut sorted: Vec<f32> = self.order.iter().map(|&i| logits[i as usize]).collect();
        softmax(&mut sorted);
        let mut cumulative = 0.0f32;
        for (&index, p) in self.order.iter().zip(sorted) {
            if f64::from(cumulative) > top_p {
                logits[index as usize] = f32::NEG_INFINITY;
            }
            cumulative += p;
        }
    }

    fn keep_top_k(&mut self) {
        let Some(top_k) = self.sampling.top_k.filter(|&k| k < self.probabilities.len()) else { return };
        let mut sorted = self.probabilities.clone();
        let (_, threshold, _) = sorted.select_nth_unstable_by(top_k - 1, |a, b| b.total_cmp(a));
        let threshold = *threshold;
        self.probabilities.iter_mut().filter(|p| **p < threshold).for_each(|p| *p = f32::NEG_INFINITY);
    }

    /// A race, as torch.multinomial draws: each candidate takes an exponentially distributed time at the rate of its
    /// probability, and the first one wins. Each has a random number of its own, so that probabilities that are off by
    /// little choose the same. `best` has a chance.
    fn pick(&mut self, best: usize) -> usize {
        let (mut winner, mut fastest, mut inverse) = (best, 0.0, f64::INFINITY);
        for (index, &p) in self.probabilities.iter().enumerate() {
            let (u, p) = ((f64::from(self.rng.next_u32()) + 0.5) / 2f64.powi(32), f64::from(p));
            // It wins if u > exp(-p / fastest), which is at least 1 - p / fastest: most logarithms are not needed.
            if u > 1.0 - p * inverse && p / -u.ln() > fastest {
                (winner, fastest) = (index, p / -u.ln());
                inverse = 1.0 / fastest;
            }
        }
        winner
    }
}

/// Index of the largest value, the first of equals; refuses what is not a number, and infinities as the largest.
pub fn argmax(values: &[f32]) -> Result<usize> {
    let mut best = 0;
    for (index, &value) in values.iter().enumerate() {
        ensure!(!value.is_nan(), Kind::Model.error("the model computed NaN: damaged weights, or too small a type?"));
        if value > values[best] {
            best = index;
        }
    }
    let largest = *values.get(best).context("no logits to choose from")?;
    ensure!(largest.is_finite(), infinite(largest));
    Ok(best)
}

fn infinite(logit: f32) -> crate::error::Error {
    Kind::Model.error(format!("the model computed a logit of {logit}: damaged weights, or too small a type?"))
}

fn softmax(values: &mut [f32]) {
    let max = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    values.iter_mut().for_each(|v| *v = (*v - max).exp());
    let total: f32 = values.iter().map(|&v| f64::from(v)).sum::<f64>() as f32;
    values.iter_mut().for_each(|v| *v /= total);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frequencies(sampling: Sampling, logits: &[f32], draws: usize) -> Vec<f64> {
        let mut sampler = Sampler::new(sampling, 7, 0);
        let mut counts = vec![0.0; logits.len()];
        for _ in 0..draws {
            counts[sampler.draw(logits).unwrap()] += 1.0;
        }
        counts
    }

    /// The reference distribution in f64, by its definition.
    fn reference(sampling: Sampling, logits: &[f32]) -> Vec<f64> {
        let softmax = |xs: &[f64]| -> Vec<f64> {
            let total: f64 = xs.iter().map(|x| x.exp()).sum();
            xs.iter().map(|x| x.exp() / total).collect()
        };
        let mut kept: Vec<f64> = logits.iter().map(|&l| f64::from(l)).collect();
        let mut order: Vec<usize> = (0..kept.len()).collect();
        order.sort_by(|&a, &b| kept[b].total_cmp(&kept[a]));
        let raw = softmax(&kept);
        if let Some(top_p) = sampling.top_p {
            let mut before = 0.0;
            for &i in &order {
                if before > top_p {
                    kept[i] = f64::NEG_INFINITY;
                }
                before += raw[i];
            }
        }
        if let Some(top_k) = sampling.top_k {
            order[top_k.min(order.len())..].iter().for_each(|&i| kept[i] = f64::NEG_INFINITY);
        }
        softmax(&kept.iter().map(|k| k / sampling.temperature).collect::<Vec<_>>())
    }

    /// Chi-square statistic over the candidates that can be drawn, and their number.
    fn chi_square(counts: &[f64], expected: &[f64], draws: f64) -> (f64, usize) {
        let possible: Vec<usize> = (0..expected.len()).filter(|&i| expected[i] > 0.0).collect();
        let statistic =
            possible.iter().map(|&i| (counts[i] - draws * expected[i]).powi(2) / (draws * expected[i])).sum();
        (statistic, possible.len())
    }

    #[test]
    fn draws_follow_the_reference_distribution() {
        let draws = 200_000;
        let logits: Vec<f32> = crate::noise::rule::uniform("logits", 40, 3).iter().map(|u| 3.0 * u).collect();
        let settings = [
            Sampling::at(0.7),
            Sampling { top_k: Some(12), ..Sampling::at(0.7) },
            Sampling { top_p: Some(0.8), ..Sampling::at(0.7) },
            Sampling { top_k: Some(9), top_p: Some(0.9), ..Sampling::at(0.7) },
        ];
        for sampling in settings {
            let counts = frequencies(sampling, &logits, draws);
            let expected = reference(sampling, &logits);
            for i in 0..logits.len() {
                assert!(expected[i] > 0.0 || counts[i] == 0.0, "{sampling:?} drew {i}, which it must not");
            }
            // Mean k, standard deviation sqrt(2k): five of them are far beyond p = 0.001.
            let (statistic, k) = chi_square(&counts, &expected, draws as f64);
            let k = (k - 1) as f64;
            assert!(statistic < k + 5.0 * (2.0 * k).sqrt(), "{sampling:?}: chi-square {statistic} with {k} degrees");
        }
    }

    #[test]
    fn logits_that_are_off_by_little_mostly_draw_the_same() {
        let logits = crate::noise::rule::uniform("logits", 1000, 4);
        let off = crate::noise::rule::uniform("off", 1000, 5);
        let near: Vec<f32> = logits.iter().zip(off).map(|(logit, off)| logit + 0.01 * off).collect();
        let sampling = Sampling { top_k: Some(900), ..Sampling::at(0.7) };
        let (mut a, mut b) = (Sampler::new(sampling, 1, 0), Sampler::new(sampling, 1, 0));
        let same = (0..1000).filter(|_| a.draw(&logits).unwrap() == b.draw(&near).unwrap()).count();
        assert!((970..1000).contains(&same), "{same} of 1000");
    }

    #[test]
    fn top_k_one_is_argmax() {
        let logits = [0.1, 3.0, 2.9, -1.0];
        let counts = frequencies(Sampling { top_k: Some(1), ..Sampling::at(5.0) }, &logits, 100);
        assert_eq!(counts, [0.0, 100.0, 0.0, 0.0]);
    }

    #[test]
    fn top_p_always_keeps_the_best_token() {
        let logits = [9.0, 0.0, 0.0];
        let counts = frequencies(Sampling { top_p: Some(0.01), ..Sampling::at(1.0) }, &logits, 100);
        assert_eq!(counts, [100.0, 0.0, 0.0]);
    }

    #[test]
    fn temperature_zero_takes_the_first_of_the_largest() {
        let mut sampler = Sampler::new(Sampling::GREEDY, 1, 0);
        assert_eq!(sampler.draw(&[0.0, 2.0, 2.0]).unwrap(), 1);
        assert_eq!(sampler.probability(1), 1.0);
    }

    #[test]
    fn equal_seeds_draw_equally_and_streams_differ() {
        let logits = vec![0.0; 1000];
        let draw = |seed, stream| {
            let mut sampler = Sampler::new(Sampling::at(1.0), seed, stream);
            (0..8).map(|_| sampler.draw(&logits).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(draw(1, 0), draw(1, 0));
        assert_ne!(draw(1, 0), draw(2, 0));
        assert_ne!(draw(1, 0), draw(1, 1));
    }

    #[test]
    fn logits_that_are_no_finite_numbers_are_an_error_and_not_a_token() {
        let infinity = f32::INFINITY;
        for temperature in [0.0, 1.0, LEAST_TEMPERATURE] {
            let draw = |logits: &[f32]| Sampler::new(Sampling::at(temperature), 1, 0).draw(logits);
            for logits in [[0.0, f32::NAN], [f32::NAN, 0.0], [0.0, infinity], [infinity; 2], [-infinity; 2]] {
                let error = draw(&logits).unwrap_err().to_string();
                assert!(error.contains("the model computed"), "{logits:?} at {temperature}: {error}");
            }
            assert!(draw(&[]).is_err());
            assert_eq!(draw(&[-infinity, 3.0]).unwrap(), 1, "a token may be impossible");
        }
        // Of this temperature they are too large, which is no reason to take the largest unasked.
        assert!(Sampler::new(Sampling::at(LEAST_TEMPERATURE), 1, 0).draw(&[0.0, 1e35]).is_err());
    }

    #[test]
    fn the_least_temperature_draws_the_largest_logit_with_certainty() {
        let sampling = Sampling::at(LEAST_TEMPERATURE);
        sampling.check("text").unwrap();
        let mut sampler = Sampler::new(sampling, 1, 0);
        assert_eq!(sampler.draw(&[0.0, 1e4, 2.0]).unwrap(), 1);
        assert_eq!((sampler.probability(0), sampler.probability(1)), (0.0, 1.0));
    }

    #[test]
    fn settings_that_select_nothing_are_refused() {
        assert!(Sampling::at(f64::NAN).check("text").is_err());
        assert!(Sampling::at(-0.1).check("text").is_err());
        assert!(Sampling::at(1e-46).check("text").is_err(), "0 as an f32");
        assert!(Sampling::at(1e39).check("text").is_err(), "infinite as an f32");
        assert!(Sampling { top_k: Some(0), ..Sampling::GREEDY }.check("text").is_err());
        assert!(Sampling { top_p: Some(1.5), ..Sampling::GREEDY }.check("text").is_err());
        assert!(Sampling { top_k: Some(1), top_p: Some(1.0), ..Sampling::GREEDY }.check("text").is_ok());
    }
}
