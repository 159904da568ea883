"""EnCodec with few filters, trained on the waveform and on spectra at several scales.

First without codebooks. Then the encoder is frozen, k-means makes the codebooks, and the decoder learns to live with them, a
part of the examples with two codebooks only, which are those that the coarse GPT draws. Trained at once, encoder and codebooks
undo each other's work; noise on the latent in place of codebooks keeps it from telling formants.

    python codec.py WORK_FOLDER
"""

import random

import torch
import torchaudio
from torch import nn
from transformers import EncodecConfig
from transformers.models.encodec.modeling_encodec import EncodecDecoder, EncodecEncoder

import loop

CONFIG = EncodecConfig(num_filters=8, hidden_size=64, codebook_dim=64, codebook_size=1024,
                       target_bandwidths=[1.5, 3.0, 6.0], sampling_rate=24_000, upsampling_ratios=[8, 5, 4, 2])
CODEBOOKS, CROP = 8, 9_600
BOOKS = [2, 2, 2, 8, 8, 8, 8, 0]  # codebooks that each example of a batch keeps (0: not quantized)
BATCH = len(BOOKS)
UNQUANTIZED = 9000  # steps before the codebooks come in
# Deviations to begin with: of the encoder's even and odd channels, of the decoder's channels; and the residual branches' part.
QUIET, LOUD, MIDDLE, BRANCH = 0.25, 1.5, 0.5, 0.3


def slower(number):
    """Halves every 1500 steps: at the rate that learns fast at first, the net later comes apart. The decoder alone does not."""
    return 0.5 ** (max(0, number - 700) / 1500) if number < UNQUANTIZED else 0.4


class Quantizer(nn.Module):
    """Residual vector quantizer, by k-means."""

    def __init__(self, books=CODEBOOKS, size=CONFIG.codebook_size, width=CONFIG.hidden_size):
        super().__init__()
        self.register_buffer("embed", torch.zeros(books, size, width))

    @staticmethod
    def nearest(x, table):
        return (table.pow(2).sum(1) - 2 * x @ table.T).argmin(1)

    @torch.no_grad()
    def begin(self, x, rounds=15):
        """Makes the codebooks, one after the other, from `x` [N, width]."""
        for book in range(len(self.embed)):
            table = x[torch.randperm(len(x))[: self.embed.shape[1]]].clone()
            for _ in range(rounds):
                codes = self.nearest(x, table)
                counts = torch.bincount(codes, minlength=len(table)).float()
                sums = torch.zeros_like(table).index_add_(0, codes, x)
                used = counts > 0
                table[used] = sums[used] / counts[used, None]
                table[~used] = x[torch.randperm(len(x))[: int((~used).sum())]]
            self.embed[book] = table
            x = x - table[self.nearest(x, table)]

    @torch.no_grad()
    def encode(self, x):
        """`x` [N, width] -> codes [books, N]"""
        out = []
        for table in self.embed:
            codes = self.nearest(x, table)
            x = x - table[codes]
            out.append(codes)
        return torch.stack(out)

    def decode(self, codes):
        """`codes` [books, N], as many books as there are -> [N, width]"""
        return sum(table[row] for table, row in zip(self.embed, codes))


class Codec(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.decoder, self.quantizer = EncodecEncoder(CONFIG), EncodecDecoder(CONFIG), Quantizer()

    @torch.no_grad()
    def calibrate(self, wav):
        """Scales every convolution, with no bias. What is quiet passes ELU nearly unchanged, so that the net begins nearly
        linear and learns the waveform within a few hundred steps; what is loud is rectified, so that envelopes are heard too.
        With torch's own initial weights it stays at loudness and formants and hears no pitch."""
        convs = {n: m for n, m in self.named_modules() if isinstance(m, (nn.Conv1d, nn.ConvTranspose1d))}
        last = list(convs)[-1]

        def scale(name, out):
            """The factor on the norms of the weights, one for each output channel or one for all."""
            part = BRANCH if ".block.3" in name else 1.0
            if name == last:
                return wav.std() / out.std()
            if name.startswith("decoder"):
                return MIDDLE * part / out.std()
            wanted = torch.tensor([QUIET, LOUD]).repeat(-(-out.shape[1] // 2))[: out.shape[1]]
            return (wanted * part / out.std((0, 2)))[:, None]

        def rescale(name):
            def hook(conv, _, out):
                factor = scale(name, out)
                conv.parametrizations.weight.original0.mul_(factor[..., None])
                return out * factor
            return hook

        for conv in convs.values():
            nn.init.zeros_(conv.bias)
        hooks = [conv.register_forward_hook(rescale(name)) for name, conv in convs.items()]
        self.decoder(self.encoder(wav))
        for hook in hooks:
            hook.remove()

    @torch.no_grad()
    def encode(self, wav):
        """`wav` [samples] -> codes [books, frames]"""
        return self.quantizer.encode(self.encoder(wav[None, None])[0].T)

    @torch.no_grad()
    def decode(self, codes):
        """`codes` [books, frames] -> [samples]"""
        return self.decoder(self.quantizer.decode(codes).T[None])[0, 0]


class Spectra(nn.Module):
    """Distance of mel spectra at several scales, in amplitude and in its logarithm."""

    def __init__(self):
        super().__init__()
        self.scales = nn.ModuleList(
            torchaudio.transforms.MelSpectrogram(24_000, size, hop_length=size // 4, n_mels=mels, power=1.0,
                                                 normalized=False)
            for size, mels in [(128, 12), (512, 48), (1024, 80), (2048, 128)])

    def forward(self, a, b):
        total = 0.0
        for mel in self.scales:
            x, y = mel(a), mel(b)
            scale = y.mean() + 1e-3
            total = total + 0.5 * (x - y).abs().mean() / scale
            total = total + ((x + 0.02).log() - (y + 0.02).log()).abs().mean()
        return total / len(self.scales)


def some(quantizer, x, books):
    """`x` [T, width] as the first `books` codebooks tell it; as it is for 0."""
    return quantizer.decode(quantizer.encode(x)[:books]) if books else x


def crops(corpus, rng, count):
    out = []
    while len(out) < count:
        i = rng.randrange(len(corpus.rows))
        wav = corpus.wav(i)
        if len(wav) >= CROP:
            at = rng.randrange(len(wav) - CROP + 1)
            out.append(wav[at : at + CROP])
    return torch.stack(out)[:, None]


def main():
    args = loop.arguments(14000)
    corpus, codec, spectra = loop.Corpus(args.work, "speech"), Codec(), Spectra()

    codec.calibrate(crops(corpus, random.Random(0), 16))

    def step(number):
        rng = random.Random(number)
        wav = crops(corpus, rng, BATCH)
        books = torch.tensor(BOOKS)
        if number < UNQUANTIZED:
            latent = codec.encoder(wav)  # [B, width, T]
        else:
            with torch.no_grad():
                if number == UNQUANTIZED:
                    many = [codec.encoder(crops(corpus, rng, 16)).transpose(1, 2).flatten(0, 1) for _ in range(100)]
                    codec.quantizer.begin(torch.cat(many))
                latent = torch.stack([some(codec.quantizer, row.T, count).T for row, count in zip(codec.encoder(wav), BOOKS)])
        out = codec.decoder(latent)[..., :CROP]
        # Relative to silence, which is 2.
        wave = (out - wav).abs().mean((1, 2)) / wav.abs().mean() + (out - wav).pow(2).mean((1, 2)) / wav.pow(2).mean()
        spectral = spectra(out, wav)
        return 2 * spectral + wave.mean(), {
            "spectral": spectral, **{f"wave {count}": wave[books == count].mean() for count in sorted(set(BOOKS))}}

    loop.train("codec", args, codec, 1.2e-3, step, slower=slower, second=0.99)


if __name__ == "__main__":
    main()
