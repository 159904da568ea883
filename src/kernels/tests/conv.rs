use super::*;
use crate::kernels::*;

/// Of two channels, one output and three taps.
fn conv() -> Conv<'static> {
    Conv {
        w: &[1.0; 6],
        bias: None,
        c_in: 2,
        c_out: 1,
        kernel: 3,
        stride: 1,
        dilation: 1,
        groups: 1,
        pad: Pad::default(),
        elu: false,
        then: Epilogue::None,
    }
}

fn plain(x: &[f32], c: &Conv) -> Vec<f64> {
    let t = x.len() / c.c_in;
    let (ins, outs, positions) = (c.c_in / c.groups, c.c_out / c.groups, c.out_len(t));
    let element = |row: usize, padded: usize| {
        let at = padded as isize - c.pad.left as isize;
        let last = t as isize - 1;
        let mirrored = if at < 0 {
            -at
        } else if at > last {
            2 * last - at
        } else {
            at
        };
        activated(if at == mirrored || c.pad.mirrored { x[row * t + mirrored as usize] } else { 0.0 }, c.elu)
    };
    let mut out = Vec::new();
    for o in 0..c.c_out {
        for q in 0..positions {
            let mut sum = c.bias.map_or(0.0, |bias| f64::from(bias[o]));
            for i in 0..ins {
                for k in 0..c.kernel {
                    let x = element(o / outs * ins + i, q * c.stride + k * c.dilation);
                    sum += x * f64::from(c.w[(o * ins + i) * c.kernel + k]);
                }
            }
            out.push(match c.then {
                Epilogue::None => sum,
                Epilogue::Gelu => sum / 2.0 * (1.0 + erf_in_f64(sum * std::f64::consts::FRAC_1_SQRT_2)),
                Epilogue::Add(residual) => sum + f64::from(residual[out.len()]),
            });
        }
    }
    out
}

fn activated(x: f32, elu: bool) -> f64 {
    let x = f64::from(x);
    if elu && x < 0.0 { x.exp_m1() } else { x }
}

fn plain_transposed(x: &[f32], c: &ConvTranspose) -> Vec<f64> {
    let t = x.len() / c.c_in;
    let len = c.out_len(t);
    let mut out = vec![0.0; c.c_out * len];
    for (o, out) in out.chunks_mut(len).enumerate() {
        out.fill(c.bias.map_or(0.0, |bias| f64::from(bias[o])));
        for i in 0..c.c_in {
            for q in 0..t {
                for k in 0..c.kernel {
                    let w = c.w[(i * c.c_out + o) * c.kernel + k];
                    if let Some(out) = out.get_mut(q * c.stride + k) {
                        *out += activated(x[i * t + q], c.elu) * f64::from(w);
                    }
                }
            }
        }
    }
    out
}

/// `[c_in, c_out, kernel, stride, dilation, groups, t]`.
const SHAPES: [[usize; 7]; 14] = [
    [1, 1, 1, 1, 1, 1, 1],
    [1, 5, 10, 5, 1, 1, 103],
    [3, 7, 3, 2, 1, 1, 64],
    [2, 4, 3, 1, 1, 2, 9],
    [5, 13, 7, 1, 1, 1, 65],
    [4, 6, 3, 1, 2, 1, 40],
    [4, 6, 3, 2, 3, 2, 41],
    [6, 12, 2, 4, 1, 3, 37],
    [8, 8, 4, 1, 1, 8, 20],
    [1, 32, 7, 1, 1, 1, 500],
    [32, 1, 7, 1, 1, 1, 300],
    [40, 50, 16, 8, 1, 1, 333],
    [96, 96, 128, 1, 1, 2, 180],
    [70, 61, 3, 2, 1, 1, 700],
];

#[test]
fn conv1d_equals_f64() {
    let shapes = if cfg!(miri) { &SHAPES[..6] } else { &SHAPES[..] };
    on_each_isa(|| {
        for &[c_in, c_out, kernel, stride, dilation, groups, t] in shapes {
            let (x, w, bias) = (noise(1, c_in * t), noise(2, c_out * c_in / groups * kernel), noise(3, c_out));
            let pads = [(0, 0, false), (3, 2, false), (5, 1, true), (0, 6, true)];
            for (bias, (left, right, mirrored)) in [None, Some(&bias[..])].into_iter().cycle().zip(pads) {
                let pad = Pad { left, right, mirrored: mirrored && t > 6 };
                let conv = Conv { w: &w, bias, c_in, c_out, kernel, stride, dilation, groups, pad, ..conv() };
                let len = c_out * conv.out_len(t);
                let residual = noise(4, len);
                for (elu, then) in
                    [(false, Epilogue::None), (true, Epilogue::Add(&residual)), (bias.is_some(), Epilogue::Gelu)]
                {
                    let conv = Conv { elu, then, ..conv };
                    let mut out = vec![f32::NAN; len];
                    conv1d(&x, conv, &mut out);
                    let terms = (c_in / groups * kernel) as f64;
                    assert_close(&out, &plain(&x, &conv), 2e-6 * terms.sqrt() + 1e-6);
                }
            }
        }
    });
}

#[test]
fn an_input_shorter_than_the_kernel_has_no_output() {
    let conv = Conv { dilation: 2, ..conv() };
    on_each_isa(|| {
        conv1d(&[1.0; 8], conv, &mut []);
        conv1d(&[], conv, &mut []);
        conv1d(&[1.0; 10], conv, &mut [0.0]);
    });
}

#[test]
fn conv_transpose1d_equals_f64() {
    let shapes: &[[usize; 5]] = &[
        [1, 1, 1, 1, 1],
        [2, 3, 4, 2, 5],
        [3, 2, 3, 2, 7],
        [2, 5, 2, 3, 6],
        [4, 3, 7, 3, 50],
        [20, 10, 16, 8, 70],
        [33, 17, 4, 2, 333],
        [64, 32, 10, 5, 90],
        [2, 3, 3, 1, 5],
        [17, 5, 2, 1, 70],
    ];
    on_each_isa(|| {
        for &[c_in, c_out, kernel, stride, t] in if cfg!(miri) { &shapes[..4] } else { shapes } {
            let (x, w, bias) = (noise(1, c_in * t), noise(2, c_out * c_in * kernel), noise(3, c_out));
            for (trim, elu) in [(0, false), (kernel.saturating_sub(stride), true), (kernel - 1, false)] {
                let conv = ConvTranspose { w: &w, bias: Some(&bias), c_in, c_out, kernel, stride, trim, elu };
                let mut room = vec![f32::NAN; c_out * conv.out_len(t) + 64];
                let (out, beyond) = room.split_at_mut(c_out * conv.out_len(t));
                conv_transpose1d(&x, conv, out);
                assert!(beyond.iter().all(|x| x.is_nan()), "outputs end where they should");
                assert_close(out, &plain_transposed(&x, &conv), 2e-6 * ((c_in * kernel) as f64).sqrt() + 1e-6);
            }
        }
        let conv =
            ConvTranspose { w: &[1.0; 6], bias: None, c_in: 2, c_out: 1, kernel: 3, stride: 2, trim: 0, elu: false };
        conv_transpose1d(&[], conv, &mut []);
    });
}

#[test]
#[cfg_attr(miri, ignore = "too long to interpret")]
fn convolutions_do_not_depend_on_the_threads() {
    let (x, w) = (noise(1, 20 * 900), noise(2, 20 * 30 * 6));
    let conv = Conv { w: &w, c_in: 20, c_out: 30, kernel: 6, stride: 2, ..conv() };
    let transposed =
        ConvTranspose { w: &w, bias: None, c_in: 20, c_out: 30, kernel: 6, stride: 3, trim: 3, elu: false };
    on_each_isa(|| {
        assert_same_on_any_threads(30 * conv.out_len(900), |out| conv1d(&x, conv, out));
        assert_same_on_any_threads(30 * transposed.out_len(900), |out| conv_transpose1d(&x, transposed, out));
    });
}

#[test]
fn convolutions_of_wrong_shapes_are_refused() {
    let conv = conv();
    let refused = |conv: Conv, x: usize, out: usize| {
        let (x, mut out) = (vec![0.0; x], vec![0.0; out]);
        let call = std::panic::AssertUnwindSafe(|| conv1d(&x, conv, &mut out));
        assert!(std::panic::catch_unwind(call).is_err());
    };
    refused(conv, 7, 1);
    refused(conv, 10, 4);
    refused(Conv { kernel: 2, ..conv }, 10, 4);
    refused(Conv { groups: 2, ..conv }, 10, 3);
    refused(Conv { stride: 0, ..conv }, 10, 3);
    refused(Conv { bias: Some(&[]), ..conv }, 10, 3);
    refused(Conv { then: Epilogue::Add(&[0.0; 2]), ..conv }, 10, 3);
    refused(Conv { pad: Pad { left: 5, mirrored: true, ..Pad::default() }, ..conv }, 10, 8);
}
