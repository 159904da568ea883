"""Expected results for sound and voice files: what torchaudio and numpy make.

    python tests/golden/sound.py        (numpy, torch, torchaudio; espeak-ng for --reference)

Writes, beside this script:
  sound/resample.npz       `input` (700,) f32, and for each pair of rates the output of `torchaudio.functional.resample`
                           (`functional_FROM_TO`) and of `torchaudio.transforms.Resample` (`transform_FROM_TO`);
                           `lengths` (K, 4): from, to, samples in, samples out
  sound/voices/*.npz       small made-up voices in the dialects that are met, and files that must be refused
With --reference also examples/reference.wav, a synthetic clip that is free to use: espeak-ng says a sentence.
"""

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import torch
import torchaudio

HERE = Path(__file__).parent / "sound"
PAIRS = [(44_100, 24_000), (44_100, 16_000), (48_000, 24_000), (48_000, 16_000), (22_050, 24_000), (22_050, 16_000),
         (8_000, 24_000), (8_000, 16_000), (11_025, 16_000), (192_000, 24_000), (24_000, 16_000)]
LENGTHS = [(44_100, 24_000, 441_000), (44_100, 24_000, 441_001), (44_100, 24_000, 441_068), (44_100, 16_000, 132_301),
           (44_100, 16_000, 999_999), (8_000, 24_000, 12_345), (24_000, 16_000, 100_001), (48_000, 24_000, 77_777)]


def resampled():
    generator = torch.Generator().manual_seed(5)
    x = torch.cumsum(torch.randn(700, generator=generator), 0) * 0.03
    x = (x - x.mean() + 0.1 * torch.randn(700, generator=generator)).clamp(-1, 1)
    arrays = {"input": x.numpy()}
    for a, b in PAIRS:
        arrays[f"functional_{a}_{b}"] = torchaudio.functional.resample(x, a, b).numpy()
        arrays[f"transform_{a}_{b}"] = torchaudio.transforms.Resample(a, b)(x).numpy()
    out = [torchaudio.functional.resample(torch.zeros(n), a, b).numel() for a, b, n in LENGTHS]
    arrays["lengths"] = np.array([(*row, n) for row, n in zip(LENGTHS, out)], dtype=np.int64)
    np.savez(HERE / "resample.npz", **arrays)


def voice(semantic=60, frames=90):
    """Tokens by formula, so that a test can compute them too."""
    s = (np.arange(semantic) * 7919 + 13) % 10_000
    fine = (np.arange(8)[:, None] * 131 + np.arange(frames)[None] * 17) % 1024
    return s, fine[:2], fine


def npz(name, compressed=False, **arrays):
    (np.savez_compressed if compressed or name.startswith("bad") else np.savez)(HERE / "voices" / name, **arrays)


def entry(array, header=None):
    """The bytes of one .npy; `header` replaces its dictionary."""
    data = io.BytesIO()
    np.save(data, array)
    if header is None:
        return data.getvalue()
    header = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data.getvalue()[-array.nbytes:]


def raw_npz(name, **entries):
    with zipfile.ZipFile(HERE / "voices" / name, "w", zipfile.ZIP_DEFLATED) as file:
        for key, data in entries.items():
            file.writestr(f"{key}.npy", data)


def long_keys(s, c, f):
    return {"semantic_prompt": s, "coarse_prompt": c, "fine_prompt": f}


def voices():
    (HERE / "voices").mkdir(exist_ok=True)
    s, c, f = voice()
    npz("announcer.npz", **long_keys(*(a.astype(np.uint16) for a in (s, c, f))))
    npz("preset.npz", **long_keys(s.astype(np.int64), np.asfortranarray(c, dtype=np.int64), f.astype(np.int32)))
    npz("int64.npz", **long_keys(s, np.ascontiguousarray(c), f), sample_rate=np.array(24_000), note=np.array("x"))
    npz("short_deflated.npz", compressed=True, semantic=s.astype(">i4"), coarse=c.astype(np.uint64),
        fine=np.asfortranarray(f, dtype=">u2"))
    for key, array in zip(("semantic", "coarse", "fine"), (s.astype(np.int32), c, f)):
        np.save(HERE / "voices" / f"hf_{key}_prompt.npy", array)

    npz("odd_float.npz", **long_keys(s.astype(np.float32), c, f))
    npz("bad_missing.npz", semantic_prompt=s, fine_prompt=f)
    npz("bad_twice.npz", **long_keys(s, c, f), semantic=s)
    npz("bad_negative.npz", **long_keys(s - 14, c, f))
    npz("bad_range.npz", **long_keys(s, c, f + 512))
    npz("bad_rows.npz", **long_keys(s, f[:3], f))
    npz("odd_flat.npz", **long_keys(s[None], c, f))
    npz("bad_ratio.npz", **long_keys(s, c[:, :75], f))
    npz("bad_empty.npz", **long_keys(s[:0], c[:, :0], f[:, :0]))
    rest = {"coarse_prompt": entry(c), "fine_prompt": entry(f)}
    head = "{'descr': '<i8', 'fortran_order': False, 'shape': %s, }"
    raw_npz("bad_shape.npz", semantic_prompt=entry(s, head % "(1152921504606846976, 1152921504606846976)"), **rest)
    raw_npz("bad_short.npz", semantic_prompt=entry(s, head % "(6000000,)"), **rest)
    raw_npz("bad_zero.npz", semantic_prompt=entry(s, head % "(0, 18446744073709551615)"), **rest)
    raw_npz("bad_nesting.npz", semantic_prompt=entry(s, "(" * 60_000), **rest)
    raw_npz("bad_pickle.npz", semantic_prompt=entry(s, "{'descr': '|O', 'fortran_order': False, 'shape': (60,), }"), **rest)
    raw_npz("bad_magic.npz", semantic_prompt=b"not an array", **rest)


def reference():
    text = "Olá! Esta é uma voz de exemplo. Ela serve para mostrar como uma gravação curta se torna uma nova voz."
    target = HERE.parents[2] / "examples" / "reference.wav"
    spoken = subprocess.run(["espeak-ng", "-v", "pt-br+f3", "-s", "168", "--stdout", text], check=True,
                            capture_output=True).stdout
    subprocess.run(["sox", "-t", "wav", "--ignore-length", "-", "-b", "16", "-r", "24000", "-D", str(target),
                    "gain", "-n", "-3"], input=spoken, check=True)


if __name__ == "__main__":
    HERE.mkdir(exist_ok=True)
    resampled()
    voices()
    if "--reference" in sys.argv[1:]:
        reference()
