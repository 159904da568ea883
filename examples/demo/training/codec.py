"""EnCodec with few filters, trained on spectra at several scales and a little on the waveform.

Half of the passes keep two codebooks only, so that these carry most of the sound: the coarse GPT draws them.

    python codec.py WORK_FOLDER
"""

import random

import torch
import torch.nn.functional as F
import torchaudio
from torch import nn
from transformers import EncodecConfig
from transformers.models.encodec.modeling_encodec import EncodecDecoder, EncodecEncoder

import loop

CONFIG = EncodecConfig(num_filters=8, hidden_size=64, codebook_dim=64, codebook_size=1024,
                       target_bandwidths=[1.5, 3.0, 6.0], sampling_rate=24_000, upsampling_ratios=[8, 5, 4, 2])
CODEBOOKS, CROP, BATCH = 8, 9_600, 8
UNQUANTIZED = 200  # steps before the codebooks come in


class Quantizer(nn.Module):
    """Residual vector quantizer: k-means to begin with, then moving averages; codes that are not used begin anew."""

    def __init__(self, books=CODEBOOKS, size=CONFIG.codebook_size, width=CONFIG.hidden_size, decay=0.99):
        super().__init__()
        self.decay = decay
        self.register_buffer("embed", torch.zeros(books, size, width))
        self.register_buffer("sums", torch.zeros(books, size, width))
        self.register_buffer("counts", torch.zeros(books, size))

    @staticmethod
    def nearest(x, table):
        return (table.pow(2).sum(1) - 2 * x @ table.T).argmin(1)

    @torch.no_grad()
    def begin(self, x):
        """k-means, book by book, of `x` [N, width]."""
        for book in range(len(self.embed)):
            table = x[torch.randperm(len(x))[: self.embed.shape[1]]].clone()
            for _ in range(8):
                codes = self.nearest(x, table)
                counts = torch.bincount(codes, minlength=len(table)).float()
                sums = torch.zeros_like(table).index_add_(0, codes, x)
                used = counts > 0
                table[used] = sums[used] / counts[used, None]
                table[~used] = x[torch.randperm(len(x))[: int((~used).sum())]]
            codes = self.nearest(x, table)
            # As if the tables had been met about this often in the recent past.
            self.embed[book], self.counts[book] = table, 0.5
            self.sums[book] = table * 0.5
            x = x - table[codes]

    def forward(self, x, books):
        """`x` [N, width] -> quantized with the first `books`, the commitment loss"""
        left, total, loss = x, 0, 0.0
        for book in range(books):
            codes = self.nearest(left.detach(), self.embed[book])
            if self.training:
                self.update(book, left.detach(), codes)
            chosen = self.embed[book][codes]
            loss = loss + F.mse_loss(left, chosen)
            total, left = total + chosen, left - chosen
        return x + (total - x).detach(), loss / books

    @torch.no_grad()
    def update(self, book, x, codes):
        fresh = 1 - self.decay
        counts = torch.bincount(codes, minlength=self.embed.shape[1]).float()
        self.counts[book].mul_(self.decay).add_(counts, alpha=fresh)
        self.sums[book].mul_(self.decay).add_(torch.zeros_like(self.sums[book]).index_add_(0, codes, x), alpha=fresh)
        dead = self.counts[book] < 0.01
        if dead.any():
            self.sums[book][dead] = x[torch.randint(len(x), (int(dead.sum()),))] * 0.1
            self.counts[book][dead] = 0.1
        self.embed[book] = self.sums[book] / self.counts[book][:, None].clamp_min(1e-6)

    @torch.no_grad()
    def encode(self, x):
        """`x` [N, width] -> codes [books, N]"""
        out = []
        for table in self.embed:
            codes = self.nearest(x, table)
            x = x - table[codes]
            out.append(codes)
        return torch.stack(out)


class Codec(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.decoder, self.quantizer = EncodecEncoder(CONFIG), EncodecDecoder(CONFIG), Quantizer()

    @torch.no_grad()
    def calibrate(self, wav):
        """Scales every convolution to an output of deviation 1 (the last: that of `wav`) with no bias. With torch's own
        initial weights what changes over time is a thousand times weaker than the biases by the end of the encoder, and
        nothing is learned for long."""
        def rescale(conv, _, out):
            spread = out.std() / (wav.std() if conv is last else 1.0)
            conv.parametrizations.weight.original0.div_(spread)
            return out / spread

        convs = [m for m in self.modules() if isinstance(m, (nn.Conv1d, nn.ConvTranspose1d))]
        last = convs[-1]
        for conv in convs:
            nn.init.zeros_(conv.bias)
        hooks = [conv.register_forward_hook(rescale) for conv in convs]
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
        latent = sum(table[row] for table, row in zip(self.quantizer.embed, codes))
        return self.decoder(latent.T[None])[0, 0]


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
    args = loop.arguments(12000)
    corpus, codec, spectra = loop.Corpus(args.work, "speech"), Codec(), Spectra()

    codec.calibrate(crops(corpus, random.Random(0), 16))

    def step(number):
        rng = random.Random(number)
        wav = crops(corpus, rng, BATCH)
        latent, commit = codec.encoder(wav), torch.zeros(())  # [B, width, T]
        if number == UNQUANTIZED:
            with torch.no_grad():
                many = [codec.encoder(crops(corpus, rng, BATCH)).transpose(1, 2).flatten(0, 1) for _ in range(60)]
            codec.quantizer.begin(torch.cat(many))
        if number >= UNQUANTIZED:
            books = 2 if number % 2 else CODEBOOKS
            flat = latent.transpose(1, 2).flatten(0, 1)
            flat, commit = codec.quantizer(flat, books)
            latent = flat.view(len(wav), -1, flat.shape[1]).transpose(1, 2)
        out = codec.decoder(latent)[..., :CROP]
        spectral, wave = spectra(out, wav), (out - wav).abs().mean() * 10
        return spectral + 0.1 * wave + 0.5 * commit, {"spectral": spectral, "wave": wave, "commit": commit}

    loop.train("codec", args, codec, 1.5e-3, step)


if __name__ == "__main__":
    main()
