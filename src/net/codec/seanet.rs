//! SEANet, EnCodec's encoder and decoder: causal convolutions around an LSTM (Défossez et al. 2022, section 3.1;
//! facebook `encodec.modules.{seanet,conv,lstm}`, key names of transformers' `modeling_encodec.py`).

use crate::net::codec::CodecConfig;
use crate::net::conv::{Conv1d, ConvTranspose1d, Geometry, weight_norm};
use crate::net::layers::Then;
use crate::net::lstm::{Lstm, State};
use crate::net::weights::Weights;
use anyhow::Result;
use candle_core::Tensor;

/// One entry of the checkpoint's `layers` list.
pub enum Layer {
    Conv(CausalConv),
    Upsample(Upsample),
    Residual(Residual),
    Lstm(SkipLstm),
    /// Done by the convolution that comes next, as it reads its input.
    Elu,
}

impl Layer {
    /// `[B, C, T]` -> `[B, C', T']`
    fn forward(&self, x: Tensor) -> Result<Tensor> {
        match self {
            Layer::Conv(conv) => conv.forward(&x),
            Layer::Upsample(upsample) => upsample.0.forward(&x),
            Layer::Residual(residual) => residual.forward(&x),
            Layer::Lstm(lstm) => lstm.forward(&x),
            Layer::Elu => Ok(x),
        }
    }

    /// How many input steps before its own an output step may depend on.
    fn reach(&self) -> usize {
        match self {
            Layer::Conv(conv) => conv.left,
            Layer::Upsample(upsample) => upsample.reach(),
            Layer::Residual(residual) => residual.block.iter().map(|conv| conv.left).sum(),
            Layer::Lstm(_) => usize::MAX,
            Layer::Elu => 0,
        }
    }
}

/// The layers in turn.
pub fn run(layers: &[Layer], x: Tensor) -> Result<Tensor> {
    layers.iter().try_fold(x, |x, layer| layer.forward(x))
}

/// How many input frames before its own an output of the whole upsampling stack `layers` may depend on.
pub fn context(layers: &[Layer]) -> usize {
    layers.iter().rev().fold(0, |steps: usize, layer| match layer {
        Layer::Upsample(upsample) => steps.div_ceil(upsample.0.stride).saturating_add(layer.reach()),
        _ => steps.saturating_add(layer.reach()),
    })
}

/// `[B, 1, L]` audio -> `[B, hidden_size, T]` latent frames
pub fn encoder(config: &CodecConfig, weights: &Weights) -> Result<Vec<Layer>> {
    let mut build = Builder::new(config, weights);
    let mut width = config.num_filters;
    build.conv((config.audio_channels, width, config.kernel_size), 1)?;
    for &ratio in config.upsampling_ratios.iter().rev() {
        build.residuals(width)?;
        build.elu();
        build.conv((width, width * 2, ratio * 2), ratio)?;
        width *= 2;
    }
    build.lstm(width)?;
    build.elu();
    build.conv((width, config.hidden_size, config.last_kernel_size), 1)?;
    Ok(build.layers)
}

/// `[B, hidden_size, T]` latent frames -> `[B, 1, L]` audio. The first two layers (convolution and LSTM) run at the
/// frame rate; all after them is the upsampling stack.
pub fn decoder(config: &CodecConfig, weights: &Weights) -> Result<Vec<Layer>> {
    let mut build = Builder::new(config, weights);
    let mut width = config.deepest_width();
    build.conv((config.hidden_size, width, config.kernel_size), 1)?;
    build.lstm(width)?;
    for &ratio in &config.upsampling_ratios {
        build.elu();
        build.upsample(width, width / 2, ratio)?;
        width /= 2;
        build.residuals(width)?;
    }
    build.elu();
    build.conv((width, config.audio_channels, config.last_kernel_size), 1)?;
    Ok(build.layers)
}

/// Layers by their place in the list, which is part of their key (an ELU takes a place and has no key).
struct Builder<'a> {
    config: &'a CodecConfig,
    weights: Weights,
    layers: Vec<Layer>,
}

impl<'a> Builder<'a> {
    fn new(config: &'a CodecConfig, weights: &Weights) -> Self {
        Self { config, weights: weights.pp("layers"), layers: Vec::new() }
    }

    fn next(&self) -> Weights {
        self.weights.pp(self.layers.len())
    }

    fn elu(&mut self) {
        self.layers.push(Layer::Elu);
    }

    fn after_elu(&self) -> bool {
        matches!(self.layers.last(), Some(Layer::Elu))
    }

    fn conv(&mut self, shape: (usize, usize, usize), stride: usize) -> Result<()> {
        let conv = CausalConv::new(&self.next(), shape, (stride, 1), self.after_elu())?;
        self.layers.push(Layer::Conv(conv));
        Ok(())
    }

    fn upsample(&mut self, input: usize, output: usize, ratio: usize) -> Result<()> {
        let upsample = Upsample::new(&self.next(), (input, output), ratio, self.after_elu())?;
        self.layers.push(Layer::Upsample(upsample));
        Ok(())
    }

    fn residuals(&mut self, width: usize) -> Result<()> {
        for j in 0..self.config.num_residual_layers {
            let residual = Residual::new(self.config, &self.next(), width, self.config.dilation(j))?;
            self.layers.push(Layer::Residual(residual));
        }
        Ok(())
    }

    fn lstm(&mut self, width: usize) -> Result<()> {
        let lstm = Lstm::new(&self.next().pp("lstm"), width, width, self.config.num_lstm_layers)?;
        self.layers.push(Layer::Lstm(SkipLstm(lstm)));
        Ok(())
    }
}

/// A convolution that sees no future: all padding that keeps `T / stride` outputs lies on the left, and the last
/// window is completed on the right; both sides mirrored.
pub struct CausalConv {
    conv: Conv1d,
    /// Steps of padding on the left: `(K - 1) dilation + 1 - stride`.
    left: usize,
}

impl CausalConv {
    /// `shape`: channels in, channels out, kernel.
    fn new(
        weights: &Weights,
        shape: (usize, usize, usize),
        (stride, dilation): (usize, usize),
        elu: bool,
    ) -> Result<Self> {
        let (input, output, kernel) = shape;
        let weights = weights.pp("conv");
        let conv = Conv1d {
            weight: weight_norm(&weights, (output, input, kernel), 0)?,
            bias: Some(weights.get(output, "bias")?),
            geometry: Geometry { stride, dilation, ..Default::default() },
            elu,
        };
        Ok(Self { conv, left: (kernel - 1) * dilation + 1 - stride })
    }

    /// `[B, in, T]` -> `[B, out, ceil(T / stride)]`
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.forward_then(x, Then::Nothing)
    }

    fn forward_then(&self, x: &Tensor, then: Then) -> Result<Tensor> {
        let (len, stride) = (x.dim(2)?, self.conv.geometry.stride);
        self.conv.forward_reflect(x, [self.left, len.next_multiple_of(stride) - len], then)
    }
}

/// A transposed convolution, kernel twice its stride, whose surplus at the end is cut off.
pub struct Upsample(ConvTranspose1d);

impl Upsample {
    fn new(weights: &Weights, (input, output): (usize, usize), stride: usize, elu: bool) -> Result<Self> {
        let weights = weights.pp("conv");
        let weight = weight_norm(&weights, (input, output, 2 * stride), 0)?;
        Ok(Self(ConvTranspose1d { weight, bias: Some(weights.get(output, "bias")?), stride, elu }))
    }

    fn reach(&self) -> usize {
        1
    }
}

/// ELU and convolution, twice, beside a shortcut.
pub struct Residual {
    block: [CausalConv; 2],
    /// The identity where the config says so.
    shortcut: Option<CausalConv>,
}

impl Residual {
    fn new(config: &CodecConfig, weights: &Weights, width: usize, dilation: usize) -> Result<Self> {
        let inner = width / config.compress;
        let block = weights.pp("block");
        let first = CausalConv::new(&block.pp(1), (width, inner, config.residual_kernel_size), (1, dilation), true)?;
        let second = CausalConv::new(&block.pp(3), (inner, width, 1), (1, 1), true)?;
        let shortcut = || CausalConv::new(&weights.pp("shortcut"), (width, width, 1), (1, 1), false);
        Ok(Self { block: [first, second], shortcut: config.use_conv_shortcut.then(shortcut).transpose()? })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let [first, second] = &self.block;
        let y = first.forward(x)?;
        match &self.shortcut {
            Some(shortcut) => second.forward_then(&y, Then::Add(&shortcut.forward(x)?)),
            None => second.forward_then(&y, Then::Add(x)),
        }
    }
}

/// An LSTM over time whose input is added to its output.
pub struct SkipLstm(Lstm);

impl SkipLstm {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.forward_from(x, &mut self.start(x.dim(0)?)?)
    }

    /// Where all rows of a batch stand before their first step.
    pub fn start(&self, batch: usize) -> Result<State> {
        self.0.start(batch)
    }

    /// `[B, C, T]` -> `[B, C, T]`, on from `state`, which is left at the last step.
    pub fn forward_from(&self, x: &Tensor, state: &mut State) -> Result<Tensor> {
        let x = x.transpose(1, 2)?.contiguous()?; // [B, T, C]
        Ok((self.0.forward_from(&x, state)? + &x)?.transpose(1, 2)?.contiguous()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};

    fn upsample(stride: usize) -> Layer {
        let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
        Layer::Upsample(Upsample(ConvTranspose1d {
            weight: zeros(&[1, 1, 2 * stride]),
            bias: None,
            stride,
            elu: false,
        }))
    }

    #[test]
    fn the_context_of_an_upsampling_stack_counts_in_its_input_frames() {
        assert_eq!(context(&[Layer::Elu]), 0);
        assert_eq!(context(&[upsample(8)]), 1);
        assert_eq!(context(&[upsample(8), upsample(5)]), 2);
    }
}
