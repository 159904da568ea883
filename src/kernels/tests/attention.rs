use super::*;
use crate::kernels::*;
use half::f16;

/// Attention in f64.
fn plain(a: &Attention) -> Vec<f64> {
    let mut out = Vec::new();
    let at = |rows: &Rows, head: usize, row: usize, d: usize| {
        f64::from(rows.data[row * rows.row_stride + head * rows.head_stride + d])
    };
    for i in 0..a.t {
        for head in 0..a.heads {
            let seen = if a.causal { a.len - a.t + i + 1 } else { a.len };
            let score = |j: usize| {
                (0..a.dim).map(|d| at(&a.q, head, i, d) * at(&a.k, head, j, d)).sum::<f64>() / (a.dim as f64).sqrt()
            };
            let weights: Vec<f64> = (0..seen).map(|j| score(j).exp()).collect();
            let total: f64 = weights.iter().sum();
            let value =
                |d: usize| weights.iter().enumerate().map(|(j, w)| w * at(&a.v, head, j, d)).sum::<f64>() / total;
            out.extend((0..a.dim).map(value));
        }
    }
    out
}

/// Queries `[t, heads * dim]`, keys and values as caches `[heads, capacity, dim]`.
struct Cached {
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
}

const CAPACITY: usize = 700;

impl Cached {
    fn new(heads: usize, dim: usize, t: usize) -> Self {
        let cache = |seed| noise(seed, heads * CAPACITY * dim).iter().map(|x| 2.0 * x).collect();
        Cached { q: noise(1, t * heads * dim).iter().map(|x| 3.0 * x).collect(), k: cache(2), v: cache(3) }
    }

    fn attention(&self, heads: usize, dim: usize, t: usize, len: usize) -> Attention<'_> {
        let cache = |data| Rows { data, row_stride: dim, head_stride: CAPACITY * dim };
        let q = Rows { data: &self.q, row_stride: heads * dim, head_stride: dim };
        Attention { q, k: cache(&self.k), v: cache(&self.v), heads, dim, t, len, causal: true }
    }
}

fn run<T: KeyValue>(a: Attention<T>) -> Vec<f32> {
    let mut out = vec![f32::NAN; a.t * a.heads * a.dim];
    attention(a, &mut out);
    out
}

#[test]
fn causal_attention_over_a_cache_equals_f64() {
    let shapes: &[(usize, usize, usize, usize)] = if cfg!(miri) {
        &[(1, 8, 1, 3), (2, 8, 9, 70), (1, 24, 3, 5), (1, 260, 9, 10)]
    } else {
        &[
            (1, 64, 1, 1),
            (3, 64, 1, 300),
            (2, 8, 1, 65),
            (2, 24, 5, 131),
            (2, 64, 9, 9),
            (2, 64, 13, 140),
            (1, 40, 150, 150),
            (2, 64, 301, 700),
            (1, 136, 20, 257),
            (1, 7, 30, 31),
            (2, 257, 1, 70),
            (1, 384, 3, 90),
            (1, 600, 20, 90),
        ]
    };
    on_each_isa(|| {
        for &(heads, dim, t, len) in shapes {
            let cached = Cached::new(heads, dim, t);
            let a = cached.attention(heads, dim, t, len);
            // The longer the sums, the larger their rounding.
            let tolerance = 4e-6 * (dim as f64 / 64.0).max(1.0).sqrt();
            assert_close(&run(a), &plain(&a), tolerance);
        }
    });
}

#[test]
fn attention_over_a_fused_buffer_equals_f64() {
    on_each_isa(|| {
        let (heads, dim) = (3, 64);
        for t in if cfg!(miri) { vec![10] } else { vec![2, 17, 145, 333] } {
            let qkv: Vec<f32> = noise(4, t * 3 * heads * dim).iter().map(|x| 2.0 * x).collect();
            let part = |i: usize| Rows { data: &qkv[i * heads * dim..], row_stride: 3 * heads * dim, head_stride: dim };
            let a = Attention { q: part(0), k: part(1), v: part(2), heads, dim, t, len: t, causal: false };
            assert_close(&run(a), &plain(&a), 4e-6);
        }
    });
}

/// Keys or values rounded to f16, and what they then stand for.
fn halves(x: &mut [f32]) -> Vec<f16> {
    let halves: Vec<_> = x.iter().copied().map(f16::from_f32).collect();
    x.iter_mut().zip(&halves).for_each(|(x, half)| *x = half.to_f32());
    halves
}

/// The same attention over keys and values in f16.
fn over_halves<'a>(a: &Attention<'a>, [k, v]: [&'a [f16]; 2]) -> Attention<'a, f16> {
    let half = |data, like: &Rows| Rows { data, row_stride: like.row_stride, head_stride: like.head_stride };
    let Attention { q, heads, dim, t, len, causal, .. } = *a;
    Attention { q, k: half(k, &a.k), v: half(v, &a.v), heads, dim, t, len, causal }
}

#[test]
fn keys_and_values_in_f16_count_as_the_f32_that_they_stand_for() {
    let shapes: &[(usize, usize, usize, usize)] = match cfg!(miri) {
        true => &[(2, 8, 1, 70), (1, 24, 9, 10)],
        false => &[
            (3, 64, 1, 300),
            (2, 24, 5, 131),
            (2, 64, 13, 140),
            (1, 7, 30, 31),
            (1, 257, 2, 70),
            (2, 64, 301, 700),
            (1, 40, 33, 289),
            (1, 136, 20, 257),
            (1, 600, 33, 33),
        ],
    };
    on_each_isa(|| {
        for &(heads, dim, t, len) in shapes {
            let mut cached = Cached::new(heads, dim, t);
            let [k, v] = [&mut cached.k, &mut cached.v].map(|x| halves(x));
            for causal in [true, false] {
                let full = Attention { causal, ..cached.attention(heads, dim, t, len) };
                let got = run(over_halves(&full, [&k, &v]));
                if Isa::current() == Isa::Amx && t > FEW_QUERIES {
                    // Values of up to 2 and their weights are rounded to eight bits.
                    assert_close(&got, &plain(&full), 8e-3);
                } else {
                    assert_eq!(got, run(full), "{heads} {dim} {t} {len}");
                }
            }
        }
    });
}

#[test]
#[cfg_attr(miri, ignore = "too long to interpret")]
fn a_query_over_f16_depends_on_neither_its_neighbours_nor_the_threads() {
    let (heads, dim, t, len) = (5, 64, 350, 500);
    let mut cached = Cached::new(heads, dim, t);
    let [k, v] = [&mut cached.k, &mut cached.v].map(|x| halves(x));
    let all = cached.attention(heads, dim, t, len);
    on_each_isa(|| {
        assert_same_on_any_threads(t * heads * dim, |out| attention(over_halves(&all, [&k, &v]), out));
        for alone in [9, 50, 333] {
            let mut last = Attention { t: alone, ..all };
            last.q.data = &cached.q[(t - alone) * heads * dim..];
            let expected = &run(over_halves(&all, [&k, &v]))[(t - alone) * heads * dim..];
            assert_eq!(run(over_halves(&last, [&k, &v])), expected, "the last {alone}");
        }
    });
}

#[test]
fn what_is_not_finite_shows_in_attention_over_f16_too() {
    on_each_isa(|| {
        for t in [1, 12] {
            let mut cached = Cached::new(1, 8, t);
            let (k, mut v) = (halves(&mut cached.k), halves(&mut cached.v));
            v[8 * 20] = f16::NAN;
            let out = run(over_halves(&cached.attention(1, 8, t, 40), [&k, &v]));
            assert!(out.chunks(8).all(|row| row[0].is_nan() && row[1..].iter().all(|x| x.is_finite())));
            cached.q[0] = f32::NAN;
            let out = run(over_halves(&cached.attention(1, 8, t, 40), [&k, &v]));
            assert!(out[..8].iter().all(|x| x.is_nan()));
        }
    });
}

#[test]
#[cfg_attr(miri, ignore = "too long to interpret")]
fn huge_scores_do_not_overflow() {
    on_each_isa(|| {
        for t in [1, 12] {
            let mut cached = Cached::new(1, 8, t);
            cached.q.iter_mut().for_each(|x| *x *= 1e4);
            let [k, v] = [&mut cached.k, &mut cached.v].map(|x| halves(x));
            let a = cached.attention(1, 8, t, 150);
            for out in [run(a), run(over_halves(&a, [&k, &v]))] {
                assert!(out.iter().all(|x| x.is_finite() && x.abs() <= 2.0));
            }
        }
    });
}

#[test]
#[cfg_attr(miri, ignore = "too long to interpret")]
fn a_query_among_few_has_the_bits_of_the_query_alone() {
    on_each_isa(|| {
        let (heads, dim, t, len) = (2, 64, 8, 200);
        let cached = Cached::new(heads, dim, t);
        let all = run(cached.attention(heads, dim, t, len));
        for i in 0..t {
            let mut one = cached.attention(heads, dim, 1, len - t + i + 1);
            one.q.data = &cached.q[i * heads * dim..];
            assert_eq!(run(one), all[i * heads * dim..][..heads * dim], "query {i}");
        }
    });
}

#[test]
fn rows_that_are_attended_together_have_the_bits_that_each_has_alone() {
    on_each_isa(|| {
        let (heads, dim, lengths) = (2, 24, [5, 130, 1]);
        let cached = lengths.map(|_| Cached::new(heads, dim, 1));
        let rows = [0, 1, 2].map(|i| cached[i].attention(heads, dim, 1, lengths[i]));
        let mut out = vec![f32::NAN; 3 * heads * dim];
        attention_each(&rows, &mut out);
        assert_eq!(out, rows.map(run).concat());
    });
}

#[test]
#[cfg_attr(miri, ignore = "too long to interpret")]
fn attention_does_not_depend_on_the_threads() {
    let cached = Cached::new(5, 64, 350);
    on_each_isa(|| {
        for (t, len) in [(1, 300), (350, 500)] {
            assert_same_on_any_threads(t * 5 * 64, |out| attention(cached.attention(5, 64, t, len), out));
        }
    });
}

#[test]
fn attention_past_the_end_of_a_cache_is_refused() {
    let cached = Cached::new(2, 8, 3);
    let refused = |change: fn(&mut Attention)| {
        let mut a = cached.attention(2, 8, 3, 10);
        change(&mut a);
        let mut out = vec![0.0; 3 * 2 * 8];
        let call = std::panic::AssertUnwindSafe(|| attention(a, &mut out));
        assert!(std::panic::catch_unwind(call).is_err());
    };
    refused(|a| a.len = CAPACITY + 1);
    refused(|a| a.len = 2);
    refused(|a| a.t = 4);
    refused(|a| a.heads = 3);
    refused(|a| a.k.row_stride = usize::MAX);
    refused(|a| a.v.head_stride = usize::MAX / 2);
}
