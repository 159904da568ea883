"""EnCodec with few filters. What its latent says is laid down (analysis.py): the encoder (encoder.py) learns to hear it, the
decoder (decoder.py) to speak it, and codebooks by k-means lie between.

The first codebook is the envelope alone, the second the pulses alone: what is said in which voice, and where its periods
begin. Both are easily foretold, which is all that the coarse GPT has to do.

    python codec.py WORK_FOLDER
"""

import random

import numpy as np
import torch
from torch import nn
from transformers import EncodecConfig
from transformers.models.encodec.modeling_encodec import EncodecDecoder, EncodecEncoder

import loop
from analysis import ENVELOPE, HOP, PULSES, USED

CONFIG = EncodecConfig(num_filters=8, hidden_size=64, codebook_dim=64, codebook_size=1024,
                       target_bandwidths=[1.5, 3.0, 6.0], sampling_rate=24_000, upsampling_ratios=[8, 5, 4, 2])
CODEBOOKS = 8
SHARES = [ENVELOPE, PULSES, ENVELOPE, ENVELOPE, PULSES, ENVELOPE, ENVELOPE, slice(0, USED)]


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
        """Makes the codebooks, one after the other, from `x` [N, width]; each knows only the part of SHARES."""
        whole = (x - x.mean(0)).pow(2).sum()
        for book, share in enumerate(SHARES):
            rest = x
            x = torch.zeros_like(rest)
            x[:, share] = rest[:, share]
            table = x[torch.randperm(len(x))[: self.embed.shape[1]]].clone()
            for _ in range(rounds):
                codes = self.nearest(x, table)
                counts = torch.bincount(codes, minlength=len(table)).float()
                sums = torch.zeros_like(table).index_add_(0, codes, x)
                used = counts > 0
                table[used] = sums[used] / counts[used, None]
                table[~used] = x[torch.randperm(len(x))[: int((~used).sum())]]
            if book >= 2:
                table[counts.argmin()] = 0  # what the fine GPT says where it cannot tell
            self.embed[book] = table
            x = rest - table[self.nearest(rest, table)]
            print(f"codebook {book}: {float(x.pow(2).sum() / whole):.3f} of the variance is left", flush=True)

    @torch.no_grad()
    def alike(self, book, spread):
        """`[size, size]`: for each entry the others' shares, falling with their distance (`spread`: variance of that fall, in mean
        squared distances of nearest neighbours). Codes that are aimed for like this may be missed by little; and of codes that
        nobody can foretell, it is the one in the middle that is likeliest, not the one whose cell happens to be largest."""
        apart = torch.cdist(self.embed[book], self.embed[book]).pow(2)
        nearest = apart.fill_diagonal_(torch.inf).amin(1).mean()
        return (-apart.fill_diagonal_(0) / (2 * spread * nearest)).softmax(1)

    @torch.no_grad()
    def apart(self, book):
        """`[size, size]`: squared distances of entries, in means of what the codebook is there to say: to be silent (the
        zero entry) costs about one."""
        return torch.cdist(self.embed[book], self.embed[book]).pow(2) / self.embed[book].pow(2).sum(1).mean()

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

    @classmethod
    def trained(cls, work):
        """Of encoder.pt, decoder.pt and codebooks.pt what there is."""
        codec = cls()
        for name, part in [("encoder", codec.encoder), ("decoder", codec.decoder), ("codebooks", codec.quantizer)]:
            if (work / f"{name}.pt").exists():
                part.load_state_dict(loop.load(work / f"{name}.pt")["module"])
            else:
                print(f"{name}: not trained yet")
        return codec.eval()

    @torch.no_grad()
    def encode(self, wav):
        """`wav` [samples] -> codes [books, frames]"""
        return self.quantizer.encode(self.encoder(wav[None, None])[0].T)

    @torch.no_grad()
    def decode(self, codes):
        """`codes` [books, frames] -> [samples]"""
        return self.decoder(self.quantizer.decode(codes).T[None])[0, 0]


@torch.no_grad()
def calibrate(net, x, last, deviation=0.5, branch=0.3):
    """Scales every convolution of `net`, with no bias, so that what comes out deviates by `deviation` (residual branches by that
    part of it, the last one by `last`): with torch's own initial weights sound dies away on its way through so many narrow layers."""
    def rescale(wanted):
        def hook(conv, _, out):
            factor = wanted / out.std()
            conv.parametrizations.weight.original0.mul_(factor)
            return out * factor
        return hook

    convs = [(n, m) for n, m in net.named_modules() if isinstance(m, (nn.Conv1d, nn.ConvTranspose1d))]
    hooks = []
    for name, conv in convs:
        nn.init.zeros_(conv.bias)
        wanted = last if conv is convs[-1][1] else deviation * (branch if ".block.3" in name else 1)
        hooks.append(conv.register_forward_hook(rescale(wanted)))
    net(x)
    for hook in hooks:
        hook.remove()


def whole(latents):
    """`latents` [frames, USED], as analysis.py stores them -> [frames, hidden_size]"""
    return nn.functional.pad(loop.here(latents.astype(np.float32)), (0, CONFIG.hidden_size - USED))


class Crops:
    """Random pieces of the data: sound and latent. `name`: whose latents; `every`: of which utterances there are some."""

    def __init__(self, work, name="latents", every=1):
        self.corpus, self.latents = loop.Corpus(work, "speech"), np.load(work / f"speech.{name}.npy", mmap_mode="r")
        self.every = every
        frames = np.array([-(-row["samples"] // HOP) for row in self.corpus.rows])
        self.begins, self.frames = np.cumsum(frames) - frames, frames

    def __call__(self, rng, count, frames):
        """-> wav [count, 1, frames * HOP], latents [count, frames, hidden_size]"""
        wavs, latents = [], []
        while len(wavs) < count:
            i = rng.randrange(0, len(self.frames), self.every)
            if self.frames[i] <= frames:
                continue
            at = rng.randrange(self.frames[i] - frames)
            begin = self.corpus.rows[i]["at"] + at * HOP
            wavs.append(loop.here(self.corpus.audio_[begin : begin + frames * HOP].copy()).float() / 32767)
            latents.append(whole(self.latents[self.begins[i] + at :][:frames]))
        return torch.stack(wavs)[:, None], torch.stack(latents)


def main():
    args = loop.arguments(0)
    quantizer = Quantizer()
    quantizer.begin(Crops(args.work)(random.Random(0), 5000, 40)[1].flatten(0, 1))
    torch.save({"module": quantizer.state_dict()}, args.work / "codebooks.pt")


if __name__ == "__main__":
    main()
