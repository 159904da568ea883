"""What a frame of the codec's latent says, by signal processing: the spectrum's envelope and the phase of the voice's pulses.

    python analysis.py WORK_FOLDER

writes `speech.latents.npy`, f16 [frames, USED]. The encoder learns to hear this, the decoder to speak it. Left to
themselves, nets of this size code the waveform under 1 kHz and no formants.
"""

from multiprocessing import Pool

import numpy as np
import torch
import torchaudio

import loop

RATE, HOP = 24_000, 320
# Envelope: cepstrum of a mel spectrum of the 27 ms that end with the frame, whose distance is that of the logarithmic spectra.
WINDOW, MELS, CEPSTRA, FLOOR = 640, 48, 24, 6e-5
LOUDNESS = 0.4  # weight of the mean level
# Phase: cosines and sines of the fundamental's phase at POINTS of the frame, times how voiced the frame is.
POINTS, STEP, BLUR = 8, 40, 720
ENVELOPE, PULSES = slice(0, CEPSTRA), slice(CEPSTRA, CEPSTRA + 2 * POINTS)
USED = PULSES.stop
# Pitch: candidates, Hz, 36 an octave, and frames of 60 ms, 150 a second.
LOWEST = 50
CANDIDATES = torch.tensor(LOWEST * 2 ** (np.arange(118) / 36), dtype=torch.float32)
FRAME, EVERY = 1440, 160
OCTAVE = 0.08  # by so much a pitch may score less than the one an octave below and be preferred

_mel = torchaudio.transforms.MelSpectrogram(RATE, WINDOW, hop_length=HOP, n_mels=MELS, f_max=9000, power=1.0, center=False)
_dct = torchaudio.functional.create_dct(CEPSTRA, MELS, "ortho")  # [MELS, CEPSTRA]


def envelope(wav):
    """`wav` [samples] -> [frames, CEPSTRA]"""
    frames = -(-len(wav) // HOP)
    padded = torch.nn.functional.pad(wav, (WINDOW - HOP, frames * HOP - len(wav)))
    level = (_mel(padded) / (WINDOW / 4) + FLOOR).log().T  # [frames, MELS]
    cepstra = (level - np.log(FLOOR)) @ _dct / MELS**0.5
    cepstra[:, 0] *= LOUDNESS
    return cepstra


def pitch(wav):
    """`wav` [samples] -> Hz and voicing from 0 to 1, [frames]: the path of candidates whose autocorrelation is highest."""
    count = len(wav) // EVERY + 1
    padded = torch.nn.functional.pad(wav, (FRAME // 2, FRAME // 2 + EVERY))
    frames = padded.unfold(0, FRAME, EVERY)[:count]
    frames = frames - frames.mean(1, keepdim=True)
    window = torch.hann_window(FRAME)
    size = 4096
    auto = torch.fft.irfft(torch.fft.rfft(frames * window, size).abs().pow(2))[:, : FRAME // 2]
    taper = torch.fft.irfft(torch.fft.rfft(window, size).abs().pow(2))[: FRAME // 2]
    auto = auto / (auto[:, :1] + 1e-3) / (taper / taper[0])
    lags = RATE / CANDIDATES
    low = lags.floor().long()
    part = lags - low
    score = auto[:, low] * (1 - part) + auto[:, low + 1] * part
    # The longer of two lags that do as well is an octave too low.
    score = score + OCTAVE * torch.log2(CANDIDATES / LOWEST)
    best, back = score[0].clone(), []
    jump = 0.02 * (torch.arange(len(lags))[:, None] - torch.arange(len(lags))).abs()
    for row in score[1:]:
        reached, source = (best[None] - jump).max(1)
        back.append(source)
        best = reached + row
    path = [int(best.argmax())]
    for source in reversed(back):
        path.append(int(source[path[-1]]))
    path = torch.tensor(path[::-1])
    voiced = ((score[torch.arange(count), path] - OCTAVE * torch.log2(CANDIDATES[path] / LOWEST) - 0.45) / 0.3).clamp(0, 1)
    loud = frames.pow(2).mean(1).sqrt()
    voiced = voiced * ((loud / (0.02 * loud.max() + 1e-6)).log() / 1.5).clamp(0, 1)
    # Smooth what the grid of candidates made of steps.
    hertz = CANDIDATES[path]
    hertz = torch.nn.functional.avg_pool1d(torch.nn.functional.pad(hertz[None], (3, 3), "replicate"), 7, 1)[0]
    return hertz, voiced


def pulses(wav):
    """`wav` [samples] -> [frames, 2 * POINTS]: where the fundamental stands, by taking it down to 0 Hz along its pitch."""
    frames = -(-len(wav) // HOP)
    hertz, voiced = pitch(wav)
    dense = torch.nn.functional.interpolate(hertz[None, None], scale_factor=EVERY, mode="linear")[0, 0]
    dense = torch.cat([dense, dense[-1:].expand(frames * HOP + STEP)])[EVERY // 2 :][: frames * HOP]
    carrier = 2 * np.pi * (dense.double() / RATE).cumsum(0)
    padded = torch.nn.functional.pad(wav, (0, frames * HOP - len(wav)))
    down = torch.stack([padded * carrier.cos(), -padded * carrier.sin()]).float()[:, None]
    window = torch.hann_window(BLUR)[None, None]
    slow = torch.nn.functional.conv1d(torch.nn.functional.pad(down, (BLUR // 2, BLUR // 2)), window, stride=STEP)
    slow = slow[:, 0, : frames * POINTS]
    phase = carrier[::STEP][: frames * POINTS].float() + torch.atan2(slow[1], slow[0])
    voiced = torch.nn.functional.interpolate(voiced[None, None], size=frames * POINTS, mode="linear")[0, 0]
    rows = torch.stack([voiced * phase.cos(), voiced * phase.sin()], 1)
    return rows.reshape(frames, 2 * POINTS) / POINTS**0.5


def latent(wav):
    """`wav` [samples] -> [frames, USED]"""
    return torch.cat([envelope(wav), pulses(wav)], 1)


def half(wav):
    """In a process of its own, on the CPU."""
    torch.set_num_threads(1)
    with torch.no_grad():
        return latent(wav).numpy().astype(np.float16)


def main():
    args = loop.arguments(0)
    torch.set_default_device("cpu")
    corpus = loop.Corpus(args.work, "speech")
    with Pool() as pool:
        latents = list(pool.imap(half, map(corpus.wav, range(len(corpus.rows))), chunksize=32))
    np.save(args.work / "speech.latents.npy", np.concatenate(latents))


if __name__ == "__main__":
    main()
