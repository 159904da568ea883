"""The codec's decoder: from codes to the waveform and its spectra.

    python decoder.py WORK_FOLDER        before the GPTs, and again after them: then most of what it hears is what they say
"""

import random

import torch
import torchaudio
from torch import nn

import loop
from codec import Codec, Crops, calibrate
from coarse import GUESSED

FRAMES = 40
BOOKS = [2, 8, 8, 3, 8, 8, 8, 8]  # codebooks that each example of a batch keeps
GUESSES = 5  # so many of them are what the GPTs say, once they do
EDGES = [60, 250, 500, 800, 1200, 1700, 2300, 3200, 4500]  # Hz, of the bands in which waveforms are compared
SIZES = [(256, 24), (512, 48), (1024, 80), (2048, 128)]  # windows in which spectra are compared, and their mel bands
FLOOR = 2e-5


class Spectra(nn.Module):
    """Distance of mel spectra at several scales, in amplitude and in its logarithm."""

    def __init__(self):
        super().__init__()
        self.scales = nn.ModuleList(
            torchaudio.transforms.MelSpectrogram(24_000, size, hop_length=size // 4, n_mels=mels, power=1.0,
                                                 normalized=False)
            for size, mels in SIZES)

    def forward(self, a, b):
        total = 0.0
        for mel in self.scales:
            x, y = mel(a) / mel.n_fft, mel(b) / mel.n_fft
            scale = y.mean() + 1e-6
            total = total + 0.5 * (x - y).abs().mean() / scale
            total = total + ((x + FLOOR).log() - (y + FLOOR).log()).abs().mean()
        return total / len(self.scales)


def bands(a, b):
    """The part of each band's energy that is wrong in `a` [B, 1, T], against `b`."""
    x, y = torch.fft.rfft(a[:, 0]), torch.fft.rfft(b[:, 0])
    wrong, whole = (x - y).abs().pow(2).sum(0), y.abs().pow(2).sum(0)
    at = [hertz * a.shape[-1] // 24_000 for hertz in EDGES]
    return torch.stack([wrong[i:j].sum() / whole[i:j].sum() for i, j in zip(at, at[1:])])


def main():
    args = loop.arguments(12000)
    crops, codec, spectra = Crops(args.work), Codec.trained(args.work), Spectra()
    decoder, quantizer = codec.decoder, codec.quantizer
    guessed = Crops(args.work, "guessed", GUESSED) if (args.work / "speech.guessed.npy").exists() else None

    def batch(number):
        rng = random.Random(number)
        wav, latents = crops(rng, len(BOOKS), FRAMES)
        with torch.no_grad():
            heard = torch.stack([quantizer.decode(quantizer.encode(x)[:count]).T for x, count in zip(latents, BOOKS)])
        if guessed:
            wav[-GUESSES:], latents = guessed(rng, GUESSES, FRAMES)
            heard[-GUESSES:] = latents.transpose(1, 2)
        return wav, heard

    if not (args.work / "decoder.pt").exists():
        calibrate(decoder, batch(0)[1], last=0.1)

    def step(number):
        wav, latents = batch(number)
        out = decoder(latents)[..., : wav.shape[-1]]
        spectral, wave = spectra(out, wav), bands(out, wav)
        figures = {f"{hertz} Hz": part for hertz, part in zip(EDGES, wave)}
        return 2 * spectral + wave.mean(), {"spectral": spectral, **figures}

    loop.train("decoder", args, decoder, 1.2e-3, step, second=0.99)


if __name__ == "__main__":
    main()
