//! How near each kernel comes to this machine's limits:
//!
//!     cargo run --release --example kernels -- [THREADS] [PART OF A NAME] [scalar | avx2 | avx512 | amx]
//!
//! Kernels that stream weights are given in GB/s and as a share of the read bandwidth, the others in GFLOP/s and as a
//! share of the multiply-add peak of the same instruction set, both measured beside each run. On one thread, times are of
//! the processor, so that a busy machine does not count. Weights cycle through memory larger than the caches.

mod paired;

use barkclone::kernels::*;
use half::{bf16, f16};
use paired::{Limit, Machine};
use std::cell::LazyCell;

struct Bench {
    machine: Machine,
    only: String,
}

impl Bench {
    fn wants(&self, name: &str) -> bool {
        name.contains(&self.only)
    }

    fn streams(&self, name: &str, bytes: usize, work: impl FnMut()) {
        self.print(name, bytes as f64, work, (Limit::Bandwidth, "GB/s"));
    }

    fn computes(&self, name: &str, operations: usize, work: impl FnMut()) {
        self.print(name, operations as f64, work, (Limit::MultiplyAdd, "GFLOP/s"));
    }

    fn print(&self, name: &str, amount: f64, mut work: impl FnMut(), (limit, unit): (Limit, &str)) {
        if self.wants(name) {
            let speed = self.machine.compare(amount, limit, &mut work);
            let (ms, rate, share) = (speed.seconds * 1e3, amount / speed.seconds / 1e9, speed.share * 100.0);
            println!("{name:44} {ms:9.3} ms {rate:8.1} {unit:7} {share:5.0} %");
        }
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let threads = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(0);
    let only = arguments.next().unwrap_or_default();
    let isa = arguments.next().map_or(Isa::current(), |name| {
        *Isa::available().iter().find(|isa| isa.name() == name).expect("a set of this machine")
    });
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads can be started");
    pool.install(|| isa.with(|| measure(only)));
}

fn measure(only: String) {
    let bench = Bench { machine: Machine::new(), only };
    let limit = |limit| (0..100).map(|_| bench.machine.limit(limit) / 1e9).fold(0.0, f64::max);
    println!("{:?}, {} threads", Isa::current(), rayon::current_num_threads());
    println!("read {:.1} GB/s, multiply-add {:.1} GFLOP/s", limit(Limit::Bandwidth), limit(Limit::MultiplyAdd));
    decode(&bench);
    products(&bench);
    attentions(&bench);
    convolutions(&bench);
    recurrences(&bench);
    pointwise(&bench);
}

fn noise(len: usize) -> Vec<f32> {
    (0..len as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 8) as f32 / (1 << 23) as f32 - 1.0).collect()
}

/// The weight that starts at a place in memory.
type At<'a> = Box<dyn Fn(usize) -> Matrix<'a> + 'a>;

/// Few rows by weights of each type.
fn decode(bench: &Bench) {
    const SHAPES: [(usize, usize); 7] =
        [(3072, 1024), (1024, 1024), (4096, 1024), (1024, 4096), (10048, 1024), (2304, 768), (768, 3072)];
    const POOL: usize = 1 << 26;
    let pool = LazyCell::new(|| noise(POOL));
    let f16s = LazyCell::new(|| pool.iter().map(|&w| f16::from_f32(w)).collect::<Vec<_>>());
    let bf16s = LazyCell::new(|| pool.iter().map(|&w| bf16::from_f32(w)).collect::<Vec<_>>());
    let q8_0 = LazyCell::new(|| quantize_q8_0(&pool));
    let q4k = LazyCell::new(|| quantize_q4k(&pool[..1 << 23]).repeat(8));
    for (n, k) in SHAPES {
        let size = n * k;
        let types: [(&str, At); 5] = [
            ("f32", Box::new(|at| Matrix::F32(&pool[at..][..size]))),
            ("f16", Box::new(|at| Matrix::F16(&f16s[at..][..size]))),
            ("bf16", Box::new(|at| Matrix::Bf16(&bf16s[at..][..size]))),
            ("q8_0", Box::new(|at| Matrix::Q8_0(&q8_0[at / 32..][..size / 32]))),
            ("q4_k", Box::new(|at| Matrix::Q4K(&q4k[at / 256..][..size / 256]))),
        ];
        for (name, matrix) in &types {
            for m in [1, 2, 4, 8, 16] {
                let name = format!("linear {name} m={m} {n}x{k}");
                if bench.wants(&name) {
                    let (x, mut out) = (noise(m * k), vec![0.0; m * n]);
                    let mut places = (0..POOL / size).cycle();
                    bench.streams(&name, n * matrix(0).row_bytes(k), || {
                        linear(&x, m, matrix(places.next().unwrap_or(0) * size), n, k, None, &mut out);
                    });
                }
            }
        }
    }
}

/// Many rows.
fn products(bench: &Bench) {
    for (m, n, k) in [
        (64, 3072, 1024),
        (256, 3072, 1024),
        (513, 4096, 1024),
        (887, 1024, 4096),
        (1024, 1024, 1024),
        (1024, 768, 768),
        (1024, 3072, 768),
        (499, 768, 3072),
    ] {
        let (x, w, mut out) = (noise(m * k), noise(n * k), vec![0.0; m * n]);
        let q8_0 = quantize_q8_0(&w);
        bench.computes(&format!("linear f32 m={m} {n}x{k}"), 2 * m * n * k, || {
            linear(&x, m, Matrix::F32(&w), n, k, None, &mut out)
        });
        bench.computes(&format!("linear q8_0 m={m} {n}x{k}"), 2 * m * n * k, || {
            linear(&x, m, Matrix::Q8_0(&q8_0), n, k, None, &mut out)
        });
        let q4_k = quantize_q4k(&w);
        bench.computes(&format!("linear q4_k rounded m={m} {n}x{k}"), 2 * m * n * k, || {
            let layer = Linear { w: Matrix::Q4K(&q4_k), n, k, bias: None, sums: Sums::Blocked };
            linear_rounded(&x, m, layer, Epilogue::None, &mut out)
        });
        bench.computes(&format!("linear q8_0 rounded m={m} {n}x{k}"), 2 * m * n * k, || {
            let layer = Linear { w: Matrix::Q8_0(&q8_0), n, k, bias: None, sums: Sums::Blocked };
            linear_rounded(&x, m, layer, Epilogue::None, &mut out)
        });
    }
}

/// 16 heads of 64: a step over caches that do not fit the processor's, prefill, a fine pass.
fn attentions(bench: &Bench) {
    const HEADS: usize = 16;
    const DIM: usize = 64;
    const CAPACITY: usize = 1024;
    const WIDTH: usize = HEADS * DIM;
    let caches = noise(24 * WIDTH * CAPACITY);
    let cache = |at: usize| Rows {
        data: &caches[at % 24 * WIDTH * CAPACITY..][..WIDTH * CAPACITY],
        row_stride: DIM,
        head_stride: CAPACITY * DIM,
    };
    let qkv = noise(CAPACITY * 3 * WIDTH);
    let part = |i: usize| Rows { data: &qkv[i * WIDTH..], row_stride: 3 * WIDTH, head_stride: DIM };
    let mut out = vec![0.0; CAPACITY * WIDTH];
    for (t, len) in [(1, 512), (1, 887), (4, 887), (8, 887)] {
        let mut layers = (0..24).step_by(2).cycle();
        bench.streams(&format!("attention t={t} len={len}"), 2 * 4 * len * WIDTH, || {
            let at = layers.next().unwrap_or(0);
            let (k, v) = (cache(at), cache(at + 1));
            attention(
                Attention { q: part(0), k, v, heads: HEADS, dim: DIM, t, len, causal: true },
                &mut out[..t * WIDTH],
            );
        });
    }
    for (t, causal) in [(513, true), (887, true), (1024, false)] {
        let operations = 4 * t * t * WIDTH / if causal { 2 } else { 1 };
        bench.computes(&format!("attention t={t} causal={causal}"), operations, || {
            let (q, k, v) = (part(0), part(1), part(2));
            attention(Attention { q, k, v, heads: HEADS, dim: DIM, t, len: t, causal }, &mut out[..t * WIDTH]);
        });
    }
}

/// HuBERT's feature extractor and positional convolution, and EnCodec's SEANet, on shapes of one to ten seconds.
fn convolutions(bench: &Bench) {
    for (c_in, c_out, kernel, stride, groups, t) in [
        (1, 512, 10, 5, 1, 160_000),
        (512, 512, 3, 2, 1, 16_000),
        (512, 512, 2, 2, 1, 2_000),
        (768, 768, 128, 1, 16, 627),
        (128, 512, 7, 1, 1, 756),
        (256, 128, 3, 1, 1, 6_002),
        (64, 32, 3, 1, 1, 60_000),
        (32, 16, 3, 1, 1, 120_000),
        (16, 32, 1, 1, 1, 120_000),
        (32, 1, 7, 1, 1, 120_000),
        (32, 64, 4, 2, 1, 120_000),
    ] {
        let (x, w) = (noise(c_in * t), noise(c_out * c_in / groups * kernel));
        let conv = Conv {
            w: &w,
            bias: None,
            c_in,
            c_out,
            kernel,
            stride,
            dilation: 1,
            groups,
            pad: Pad::default(),
            elu: false,
            then: Epilogue::None,
        };
        let mut out = vec![0.0; c_out * conv.out_len(t)];
        let name = format!("conv1d {c_in}->{c_out} kernel {kernel} stride {stride} groups {groups}");
        bench.computes(&name, 2 * out.len() * c_in / groups * kernel, || conv1d(&x, conv, &mut out));
    }
    for (c_in, c_out, kernel, t) in [(512, 256, 16, 750), (256, 128, 10, 6_000), (64, 32, 4, 60_000)] {
        let (x, w) = (noise(c_in * t), noise(c_in * c_out * kernel));
        let conv = ConvTranspose { w: &w, bias: None, c_in, c_out, kernel, stride: kernel / 2, trim: 0, elu: false };
        let mut out = vec![0.0; c_out * conv.out_len(t)];
        let name = format!("conv_transpose1d {c_in}->{c_out} kernel {kernel}");
        bench.computes(&name, 2 * t * c_in * c_out * kernel, || conv_transpose1d(&x, conv, &mut out));
    }
}

/// The recurrences of EnCodec over ten seconds and of the quantizer over 500 steps, which read 4 or 16 MB of weights a step, from the
/// last cache at best.
fn recurrences(bench: &Bench) {
    for (hidden, t) in [(512, 750), (1024, 500)] {
        let (gates, w_hh, mut out) = (noise(t * 4 * hidden), noise(4 * hidden * hidden), vec![0.0; t * hidden]);
        let operations = 2 * t * 4 * hidden * hidden;
        bench.computes(&format!("lstm of {hidden}, {t} steps"), operations, || {
            lstm(&gates, &w_hh, hidden, &mut vec![0.0; 2 * hidden], &mut out)
        });
    }
}

fn pointwise(bench: &Bench) {
    let (rows, width) = (513, 1024);
    let (x, mut y) = (noise(rows * 4 * width), noise(rows * 4 * width));
    let bytes = 2 * 4 * rows * width;
    bench.streams("gelu 513x4096", 4 * bytes, || gelu(&mut y));
    bench.streams("add 513x4096", 6 * bytes, || add(&mut y, &x));
    let norm = Norm { weight: &x[..width], bias: None, eps: 1e-5 };
    bench.streams("layer norm 513x1024", bytes, || layer_norm(&x[..rows * width], width, norm, &mut y[..rows * width]));
}
