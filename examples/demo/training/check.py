"""Checks that training and barkclone compute the same: greedy tokens of every stage, prompts and windows included.

    python check.py MODEL_FOLDER      (after export.py; trained or not)

Clones examples/reference.wav, says a sentence, and computes both again in torch from the exported files.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
import torchaudio
from safetensors.torch import load_file
from tokenizers import Tokenizer

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "examples" / "demo"))

import coarse  # noqa: E402
import evaluate  # noqa: E402
import fine  # noqa: E402
import semantic  # noqa: E402
from hubert import Listener  # noqa: E402
from protocol import BOOKS, CODES, COARSE_WINDOW, FINE_HISTORY, FINE_WINDOW, TEXT_LENGTH, Protocol, text_ids  # noqa: E402

TEXT = "Olá! Esta é A minha voz-clonada, não? €"
REFERENCE = ROOT / "examples" / "reference.wav"


def part(weights, prefix, module):
    module.load_state_dict({n.removeprefix(prefix): w.float() for n, w in weights.items() if n.startswith(prefix)})
    return module.eval()


def listen(model):
    """-> the semantic tokens and the codes of the reference, `[S]` and `[8, T]`"""
    weights = {f"hubert.{n}": w.float() for n, w in load_file(model / "hubert" / "model.safetensors").items()}
    weights |= {n: w.float() for n, w in torch.load(model / "quantizer.pth", weights_only=True).items()}
    weights = {n.replace("weight_g", "parametrizations.weight.original0").replace(
        "weight_v", "parametrizations.weight.original1"): w for n, w in weights.items()}
    listener = Listener(len(weights["fc.bias"]))
    listener.load_state_dict(weights)
    wav, rate = torchaudio.load(REFERENCE)
    resample = torchaudio.functional.resample
    tokens = listener.eval()(resample(wav.mean(0, keepdim=True), rate, 16_000))[0].argmax(-1)
    return tokens, evaluate.codec(model).encode(resample(wav.mean(0), rate, 24_000))


def semantic_again(gpt, protocol, history, count):
    x, said = semantic.prompt(gpt, protocol, [text_ids(TEXT)], [history[-TEXT_LENGTH:]]), []
    for _ in range(count):
        said.append(int(gpt.lm_head(gpt(x, x.shape[1] - 1)[0])[0, -1, : protocol.semantic].argmax()))
        x = torch.cat([x, gpt.input_embeds_layer(torch.tensor([[said[-1]]]))], 1)
    return said


def coarse_again(gpt, protocol, voice, utterance):
    """The likeliest token at each step, given the tokens before it; and the tokens"""
    stream = coarse.stream(protocol, voice, utterance)
    steps, again = len(stream[1]) - stream[4], []
    for number in range(-(-steps // COARSE_WINDOW)):
        prompt, codes, _ = coarse.window(protocol, stream, number)
        hidden = gpt(gpt.input_embeds_layer(torch.cat([prompt, codes])[None]), len(prompt) - 1)[0][0]
        for at in range(len(codes) - min(COARSE_WINDOW, steps - COARSE_WINDOW * number), len(codes)):
            begin = protocol.semantic + at % 2 * CODES
            again.append(begin + int((hidden[at] @ gpt.lm_head.weight[begin : begin + CODES].T).argmax()))
    return again, stream[1][stream[4] :].tolist()


def fine_again(gpt, voice, codes):
    whole = torch.full((BOOKS, FINE_WINDOW), CODES)
    voice, frames = voice[:, -FINE_HISTORY:], codes.shape[1]
    begin = voice.shape[1]
    whole[:, :begin], whole[:2, begin : begin + frames] = voice, codes[:2]
    for book in range(2, BOOKS):
        whole[book, begin:] = gpt(whole[None], book)[0, begin:, :CODES].argmax(-1)
    return whole[:, begin : begin + frames]


def agree(what, ours, theirs):
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    share = float((ours == theirs).mean()) if ours.shape == theirs.shape else 0.0
    print(f"{what}: {100 * share:.1f} % of {theirs.size} tokens agree")
    return share > 0.995


@torch.no_grad()
def main():
    model, folder = Path(sys.argv[1]), Path(tempfile.mkdtemp())
    evaluate.run("clone", REFERENCE, "--hubert", model / "hubert", "--quantizer", model / "quantizer.pth", "--codec",
                 model / "bark", "-o", folder / "voice.npz", "-q")
    evaluate.run("speak", TEXT, "--bark", model / "bark", "--voice", folder / "voice.npz", "--save-voice",
                 folder / "said.npz", "-o", folder / "said.wav", "--text-temp", 0, "--waveform-temp", 0, "--fine-temp", 0,
                 "--min-eos-p", 1, "--max-seconds", 1.5, "--seed", 1, "-q")
    voice, said = ([torch.from_numpy(np.load(folder / f"{name}.npz")[f"{stage}_prompt"])
                    for stage in ("semantic", "coarse", "fine")] for name in ("voice", "said"))
    heard, codes = listen(model)
    ids = Tokenizer.from_file(str(model / "bark" / "tokenizer.json")).encode(TEXT, add_special_tokens=False).ids
    stored = load_file(model / "bark" / "model.safetensors")
    protocol = Protocol(stored["semantic.lm_head.weight"].shape[0] - 2)
    texts = part(stored, "semantic.", semantic.model(protocol))
    sounds = part(stored, "coarse_acoustics.", coarse.model(protocol))
    same = [
        agree("tokenizer", text_ids(TEXT), ids),
        agree("HuBERT and quantizer", heard[-len(voice[0]):], voice[0]),
        agree("codec", codes[:, -voice[2].shape[1]:], voice[2]),
        agree("semantic", semantic_again(texts, protocol, voice[0], len(said[0])), said[0]),
        agree("coarse", *coarse_again(sounds, protocol, voice[:2], said[:2])),
        agree("fine", fine_again(part(stored, "fine_acoustics.", fine.model()), voice[2], said[2]), said[2]),
    ]
    raise SystemExit(0 if all(same) else 1)


if __name__ == "__main__":
    main()
