"""Writes the trained nets as barkclone and transformers read them, in half precision.

    python export.py WORK_FOLDER MODEL_FOLDER

`bark/` is Hugging Face's layout with the codec inside; `hubert/` likewise; `quantizer.pth` is the quantizers' own;
`phonemes.json` says what the semantic tokens are (number * 3 + third). Beside the folder: the recogniser of evaluate.py,
`reference.wav` to clone and `other.wav` to convert.
"""

import json
import shutil
import sys
import wave
from pathlib import Path

import torch
from safetensors.torch import save_file

import coarse
import codec
import fine
import hubert
import loop
import semantic
from protocol import BOOKS, CODES, FINE_WINDOW, Protocol, tokenizer
from recogniser import Recogniser

# Held-out voices and sentences of the recordings beside the model.
REFERENCE_VOICE, LAST = 4, [39, 38, 37]
OTHER_VOICE, SENTENCE = 7, 9  # "Meu pai tem doze dias na rua."


def load(work, name, module):
    path = work / f"{name}.pt"
    if path.exists():
        module.load_state_dict(loop.load(path)["module"])
    else:
        print(f"{name}: not trained yet, random weights are written")
    return module.state_dict()


def half(weights, prefix=""):
    """Half precision, and the old names of weight normalisation, which published files have."""
    def rename(name):
        return name.replace("parametrizations.weight.original0", "weight_g").replace(
            "parametrizations.weight.original1", "weight_v")

    return {prefix + rename(name): w.half().contiguous().clone() for name, w in weights.items()}


def write(folder, name, value):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(value, indent=2) + "\n" if not isinstance(value, str) else value)


def gpt_config(kind, module, inputs, outputs, block, **more):
    return {"model_type": kind, "input_vocab_size": inputs, "output_vocab_size": outputs, "block_size": block,
            "num_layers": module.LAYERS, "num_heads": module.HEADS, "hidden_size": module.WIDTH, "bias": False,
            "dropout": 0.0, **more}


def bark(work, out, protocol):
    weights = half(load(work, "semantic", semantic.model(protocol)), "semantic.")
    weights |= half(load(work, "coarse", coarse.model(protocol)), "coarse_acoustics.")
    weights |= half(load(work, "fine", fine.model()), "fine_acoustics.")
    sound = codec.Codec.trained(work).state_dict()
    weights |= half({n: w for n, w in sound.items() if not n.startswith("quantizer.")}, "codec_model.")
    for book, table in enumerate(sound["quantizer.embed"]):
        weights |= half({f"quantizer.layers.{book}.codebook.embed": table}, "codec_model.")
    config = {
        "model_type": "bark", "architectures": ["BarkModel"],
        "semantic_config": gpt_config("semantic", semantic, protocol.semantic_inputs, protocol.semantic_outputs,
                                      protocol.semantic_block),
        "coarse_acoustics_config": gpt_config("coarse_acoustics", coarse, protocol.coarse_inputs, protocol.coarse_pad,
                                              protocol.coarse_block),
        "fine_acoustics_config": gpt_config("fine_acoustics", fine, CODES + 8, CODES + 8, FINE_WINDOW,
                                            n_codes_total=BOOKS, n_codes_given=1),
        "codec_config": codec.CONFIG.to_diff_dict(),
    }
    write(out / "bark", "config.json", config)
    write(out / "bark", "generation_config.json", protocol.generation())
    write(out / "bark", "tokenizer.json", tokenizer() + "\n")
    save_file(weights, out / "bark" / "model.safetensors", {"format": "pt"})


def listener(work, out, tokens):
    weights = load(work, "hubert", hubert.Listener(tokens))
    write(out / "hubert", "config.json", {**hubert.CONFIG.to_diff_dict(), "architectures": ["HubertModel"]})
    inner = {n.removeprefix("hubert."): w for n, w in weights.items() if n.startswith("hubert.")}
    save_file(half(inner), out / "hubert" / "model.safetensors", {"format": "pt"})
    torch.save(half({n: w for n, w in weights.items() if not n.startswith("hubert.")}), out / "quantizer.pth")


def judge(work, path):
    """The recogniser, beside the model and no part of it: evaluate.py reads it."""
    save_file(half({n: w for n, w in load(work, "recogniser", Recogniser()).items() if not n.startswith("mel.")}), path)


def recordings(work, folder):
    """Two held-out voices: one to clone, saying the last sentences, and one that says something to convert."""
    held = loop.Corpus(work, "held")
    for name, voice, sentences in [("reference", REFERENCE_VOICE, LAST), ("other", OTHER_VOICE, [SENTENCE])]:
        wav = torch.cat([held.wav(held.by_voice[voice][i]) for i in sentences])
        with wave.open(str(folder / f"{name}.wav"), "wb") as file:
            file.setparams((1, 2, 24_000, 0, "NONE", ""))
            file.writeframes((wav * 32767).short().numpy().tobytes())


def main():
    work, out = Path(sys.argv[1]), Path(sys.argv[2])
    tokens = hubert.tokens(work)
    bark(work, out, Protocol(tokens))
    listener(work, out, tokens)
    judge(work, out.parent / "recogniser.safetensors")
    recordings(work, out.parent)
    shutil.copy(work / "inventory.json", out / "phonemes.json")
    total = sum(f.stat().st_size for f in out.rglob("*") if f.is_file())
    print(f"{out}: {total / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
