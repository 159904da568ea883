"""CrispASR's `bark` backend (C++ on ggml) as a peer of bench_peers.py, through its wheel's library, or another build's.

    python examples/peer_crispasr.py LIBRARY MODEL.gguf TEXT TOKENS THREADS [VOICE.npz]     # prints the seconds of speech

It computes less than barkclone: one coarse pass over at most 1024 positions instead of sliding windows, of a voice what
room they leave, and no fine history.
"""

import ctypes
import json
import re
import sys
from pathlib import Path

BLOCKS = {"q8_0": "Q8_0", "q4_k": "Q4_K"}
PARTS = {"semantic": "text", "coarse_acoustics": "coarse", "fine_acoustics": "fine", "codec_model": "encodec"}
# Hugging Face's names, and those of CrispASR's models/convert-bark-to-gguf.py.
NAMES = [
    (r"input_embeds_layers?", "token_embd"), (r"position_embeds_layer", "pos_embd"), (r"lm_heads?", "output"),
    (r"layernorm_final", "output_norm"), (r"layers\.(\d+)\.layernorm_1", r"blk.\1.attn_norm"),
    (r"layers\.(\d+)\.layernorm_2", r"blk.\1.ffn_norm"), (r"layers\.(\d+)\.attn\.att_proj", r"blk.\1.attn_qkv"),
    (r"layers\.(\d+)\.attn\.out_proj", r"blk.\1.attn_output"), (r"layers\.(\d+)\.mlp\.in_proj", r"blk.\1.ffn_up"),
    (r"layers\.(\d+)\.mlp\.out_proj", r"blk.\1.ffn_down"), (r"quantizer\.layers\.([0-7])\.codebook", r"quantizer.\1"),
    (r"decoder\.layers\.(3|6|9|12)\.conv", r"decoder.\1.convtr.convtr"),
    (r"decoder\.layers\.(\d+\.(?:block\.\d\.|shortcut\.)?)conv", r"decoder.\1conv.conv"),
    (r"decoder\.layers\.1\.lstm", "decoder.1.lstm"),
]


def renamed(name):
    """CrispASR's name of a tensor; None: of none that it has."""
    part, _, rest = name.partition(".")
    for old, new in NAMES:
        changed, found = re.subn(rf"^{old}\.", new + ".", rest)
        if found:
            return f"{PARTS[part]}.{changed}"
    return None


def converted(packed):
    """The GGUF of a packed file: the same numbers, in the same blocks of ggml. It is made once."""
    import numpy as np
    from gguf import GGMLQuantizationType, GGUFWriter

    path = Path(packed).with_suffix(".gguf")
    if path.exists():
        return path
    with open(packed, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        tensors = json.loads(file.read(size))
    config = json.loads(tensors.pop("__metadata__")["barkclone"])["config"]
    data = np.memmap(packed, dtype=np.uint8, mode="r", offset=8 + size)
    writer = GGUFWriter(path, arch="bark")
    for part, name in list(PARTS.items())[:3]:
        said = config[f"{part}_config"]
        for key in ("block_size", "input_vocab_size", "output_vocab_size"):
            writer.add_uint32(f"bark.{name}.{key}", said[key])
        for key, value in (("n_layer", "num_layers"), ("n_head", "num_heads"), ("n_embd", "hidden_size")):
            writer.add_uint32(f"bark.{name}.{key}", said[value])
    for stored, entry in tensors.items():
        plain, _, kind = stored.rpartition(".")
        blocks = BLOCKS.get(kind)
        name = renamed(plain if blocks else stored)
        begin, end = entry["data_offsets"]
        array = data[begin:end] if blocks else data[begin:end].view(np.float32)
        raw = getattr(GGMLQuantizationType, blocks or "F32")
        if name:
            writer.add_tensor(name, array.reshape(entry["shape"]), raw_dtype=raw)
        # The fine stage's heads are its tables.
        table = re.fullmatch(r"fine\.token_embd\.([1-7])\.weight", name or "")
        if table:
            writer.add_tensor(f"fine.output.{int(table[1]) - 1}.weight", array.reshape(entry["shape"]), raw_dtype=raw)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


class Params(ctypes.Structure):
    """`bark_context_params` of its bark_tts.h."""
    _fields_ = [("n_threads", ctypes.c_int), ("verbosity", ctypes.c_int), ("use_gpu", ctypes.c_bool),
                ("temperature_semantic", ctypes.c_float), ("temperature_coarse", ctypes.c_float),
                ("temperature_fine", ctypes.c_float), ("seed", ctypes.c_uint64), ("max_semantic_tokens", ctypes.c_int),
                ("flash_attn", ctypes.c_bool)]


def speak(library, model, text, tokens, threads, voice=None):
    """Seconds of speech of `tokens` semantic tokens, unless it ends before."""
    lib = ctypes.CDLL(library)
    lib.bark_context_default_params.restype = Params
    lib.bark_init_from_file.argtypes, lib.bark_init_from_file.restype = [ctypes.c_char_p, Params], ctypes.c_void_p
    lib.bark_set_speaker_npz.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    lib.bark_synthesize.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.POINTER(ctypes.c_int)]
    lib.bark_synthesize.restype = ctypes.POINTER(ctypes.c_float)
    params = lib.bark_context_default_params()
    params.n_threads, params.verbosity, params.use_gpu = int(threads), 0, False
    params.seed, params.max_semantic_tokens = 1, int(tokens)
    context = lib.bark_init_from_file(model.encode(), params)
    assert context, model
    assert voice is None or lib.bark_set_speaker_npz(context, voice.encode()) == 0, voice
    samples = ctypes.c_int()
    assert lib.bark_synthesize(context, text.encode(), ctypes.byref(samples))
    return samples.value / 24_000


if __name__ == "__main__":
    print(f"{speak(*sys.argv[1:]):.2f}")
