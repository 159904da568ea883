"""Weights by rule, as tests/noise/rule.rs defines them: each value is a function of (seed, tensor name, index)."""

import numpy as np
import torch

GOLDEN = 0x9E3779B97F4A7C15
WRAP = (1 << 64) - 1


def fnv1a64(text):
    state = 0xCBF29CE484222325
    for byte in text.encode():
        state = ((state ^ byte) * 0x100000001B3) & WRAP
    return state


def uniform(name, count, seed):
    """`count` float32 values in [-1, 1)."""
    key = np.uint64(fnv1a64(name) ^ (seed * GOLDEN & WRAP))
    with np.errstate(over="ignore"):
        z = key + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(GOLDEN)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return np.float32(2) * ((z >> np.uint64(40)).astype(np.float32) / np.float32(1 << 24)) - np.float32(1)


def integers(name, count, seed, limit):
    """`count` integers in 0..limit, from the same stream."""
    return np.minimum((uniform(name, count, seed).astype(np.float64) + 1) / 2 * limit, limit - 1).astype(np.int64)


def voice(frames, seed):
    """A made-up voice history; the Rust tests make the same one."""
    if frames == 0:
        return None
    codes = integers("voice.fine", 8 * frames, seed, 1024).reshape(8, frames)
    semantic = integers("voice.semantic", round(frames / 1.5), seed, 10_000)
    return dict(semantic_prompt=semantic, coarse_prompt=codes[:2], fine_prompt=codes)


def spread(name, shape):
    """(center, half width) by the kind of tensor."""
    leaf = name.rsplit(".", 1)[-1]
    if leaf == "weight_g":
        return 1.0, 0.1
    if leaf in ("weight_v", "embed"):
        return 0.0, 1.0
    if "bias" in leaf:
        return 0.0, 0.05
    if len(shape) == 1:
        return 1.0, 0.1
    if "wpe" in name:
        return 0.0, 1.0
    if "wte" in name:
        return 0.0, 0.5
    if "lstm" in name:
        return 0.0, 4.0 / np.sqrt(shape[-1])
    return 0.0, np.sqrt(3.0 / np.prod(shape[1:]))


def values(name, shape, seed):
    """The tensor's values, flat."""
    center, half = spread(name, tuple(shape))
    return uniform(name, int(np.prod(shape)), seed) * np.float32(half) + np.float32(center)


@torch.no_grad()
def fill(module, prefix, seed, rename=lambda name: name):
    """Fill a module's parameters and codebooks; tied tensors take the values of the name they appear under first."""
    done = set()
    arrays = list(module.named_parameters(remove_duplicate=False))
    arrays += [(name, buffer) for name, buffer in module.named_buffers() if name.endswith("embed")]
    for name, array in arrays:
        if array.data_ptr() not in done:
            done.add(array.data_ptr())
            array.copy_(torch.from_numpy(values(f"{prefix}.{rename(name)}", array.shape, seed)).view(array.shape))
    for name, buffer in module.named_buffers():
        if name.endswith("inited"):
            buffer.fill_(1)
    return module.eval()
