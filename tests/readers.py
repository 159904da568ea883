"""What reads a voice elsewhere: coqui-tts 0.28.0 a `.pth` (and Bark's `.npz`), transformers 5.24.0 an `.npz`.

    python readers.py FOLDER        with FOLDER/voice.pth and FOLDER/other.npz of one voice

coqui's loader and the assertions by which its stages refuse a voice are its own code, cut out of their modules: to import
those would take all that synthesis needs.
"""

import ast
import importlib.util
import os
import runpy
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import BarkProcessor, BertTokenizer

KEYS = ["semantic_prompt", "coarse_prompt", "fine_prompt"]
folder = Path(sys.argv[1])
tts = Path(importlib.util.find_spec("TTS").origin).parent
expected = np.load(folder / "other.npz")


def part(path, kinds, wanted):
    nodes = [node for node in ast.walk(ast.parse((tts / path).read_text())) if isinstance(node, kinds) and wanted(node)]
    return [compile(ast.fix_missing_locations(ast.Module([node], [])), path, "exec") for node in nodes]


generic = runpy.run_path(str(tts / "utils/generic_utils.py"))
space = {name: generic[name] for name in ("slugify", "is_pytorch_at_least_2_4", "logger")}
space |= {"torch": torch, "np": np, "os": os, "Path": Path, "Any": Any}
loader = part("tts/models/bark.py", ast.FunctionDef, lambda node: node.name in ("load_voice_file", "get_voices"))
assert len(loader) == 2
for function in loader:
    exec(function, space)
bark = types.SimpleNamespace(get_voices=lambda folder: space["get_voices"](None, folder))

config = types.SimpleNamespace(SEMANTIC_VOCAB_SIZE=10_000, N_COARSE_CODEBOOKS=2, CODEBOOK_SIZE=1024, N_FINE_CODEBOOKS=8)
judges = part("tts/layers/bark/inference_funcs.py", ast.Assert, lambda node: "_history, torch.Tensor" in ast.unparse(node))
assert len(judges) == 3
for name in ("voice", "other"):
    voice = space["load_voice_file"](bark, name, folder)
    semantic, coarse, fine = (voice[key] for key in KEYS)
    for key in KEYS:
        assert np.array_equal(voice[key].numpy(), expected[key]), (name, key)
    seen = {"semantic_history": semantic, "x_semantic_history": semantic, "x_coarse_history": coarse}
    seen |= {"x_fine_history": fine, "semantic_to_coarse_ratio": 75 / 49.9 * 2}
    for judge in judges:
        exec(judge, {"torch": torch, "model": types.SimpleNamespace(config=config), **seen})
print("coqui-tts reads", voice["fine_prompt"].shape[1], "frames")

vocabulary = folder / "vocab.txt"
vocabulary.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "o", "##i"]))
processor = BarkProcessor(tokenizer=BertTokenizer(str(vocabulary)))
prompt = processor("oi", voice_preset=str(folder / "other.npz"))["history_prompt"]
for key in KEYS:
    assert np.array_equal(prompt[key].numpy(), expected[key]), key
print("transformers reads", prompt["fine_prompt"].shape[1], "frames")
