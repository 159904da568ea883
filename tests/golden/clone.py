"""What upstream's packages hear in a clip: golden numbers for the nets that clone a voice.

transformers' HubertModel (eager), facebook's `encodec` and a torch LSTM quantizer run, float32 on CPU, over weights
that are made by rule (`tests/noise/rule.rs` states it). Two kinds of file are written beside this script, in `clone/`:

* `models.json`: for each model its config (Hugging Face's field names, defaults left out) and the name and shape of
  every tensor as the published files name them, so that the test can make the same weights;
* `CASE.npz`: what came out for one seed and clip. `*_gap` is how much better the chosen token or code was than the
  runner-up (codes: the least of a frame's eight): a flip where the gap is near float rounding is a tie, elsewhere a
  bug.

    pip install torch transformers encodec numpy
    python clone.py            # everything but the full-size case takes seconds
"""

import json
import pathlib

import encodec
import encodec.modules
import encodec.quantization
import numpy as np
import torch
from transformers import EncodecConfig, HubertConfig, HubertModel

import rule

HERE = pathlib.Path(__file__).parent / "clone"


def published(name):
    """Today's torch spells weight norm otherwise than the published files."""
    for new, old in (("original0", "weight_g"), ("original1", "weight_v")):
        name = name.replace(f"parametrizations.weight.{new}", old)
    return name


def tensors(model):
    """Published name and tensor of all that the rule fills."""
    named = [*model.named_parameters(), *((n, b) for n, b in model.named_buffers() if n.endswith("embed"))]
    return [(published(name), tensor) for name, tensor in named]


class Quantizer(torch.nn.Module):
    def __init__(self, input_size, hidden_size, output_size, version):
        super().__init__()
        self.lstm = torch.nn.LSTM(input_size, hidden_size, num_layers=2, batch_first=True)
        self.intermediate = torch.nn.Linear(hidden_size, 4096) if version == 1 else torch.nn.Identity()
        self.fc = torch.nn.Linear(4096 if version == 1 else hidden_size, output_size)

    def forward(self, features):
        return self.fc(self.intermediate(self.lstm(features)[0]))


def build_codec(c):
    """facebook's EncodecModel of any width."""
    common = dict(channels=1, dimension=c.hidden_size, n_filters=c.num_filters, ratios=c.upsampling_ratios,
                  n_residual_layers=c.num_residual_layers, norm="weight_norm", kernel_size=c.kernel_size,
                  last_kernel_size=c.last_kernel_size, residual_kernel_size=c.residual_kernel_size,
                  dilation_base=c.dilation_growth_rate, causal=True, true_skip=not c.use_conv_shortcut,
                  compress=c.compress, lstm=c.num_lstm_layers)
    quantizer = encodec.quantization.ResidualVectorQuantizer(c.hidden_size, n_q=8, bins=c.codebook_size)
    return encodec.EncodecModel(encodec.modules.SEANetEncoder(**common), encodec.modules.SEANetDecoder(**common),
                                quantizer, [6.0], 24_000, 1)


MODELS = {
    "hubert-tiny": HubertConfig(hidden_size=32, num_hidden_layers=10, num_attention_heads=2, intermediate_size=64,
                                conv_dim=[32] * 7),
    "hubert-odd": HubertConfig(hidden_size=24, num_hidden_layers=9, num_attention_heads=3, intermediate_size=40,
                               conv_dim=[16, 24, 12, 24, 20], conv_stride=[4, 3, 2, 2, 2], conv_kernel=[8, 5, 3, 3, 2],
                               conv_bias=True, num_conv_pos_embeddings=15, num_conv_pos_embedding_groups=4,
                               layer_norm_eps=1e-3),
    "hubert-base": HubertConfig(),
    "quantizer-tiny-v0": dict(input_size=32, hidden_size=48, output_size=10_000, version=0),
    "quantizer-tiny-v1": dict(input_size=32, hidden_size=48, output_size=10_000, version=1),
    "quantizer-odd-v1": dict(input_size=24, hidden_size=20, output_size=300, version=1),
    "quantizer-base-v1": dict(input_size=768, hidden_size=1024, output_size=10_000, version=1),
    "codec-24khz": EncodecConfig(),
    "codec-odd": EncodecConfig(hidden_size=20, num_filters=6, num_residual_layers=2, upsampling_ratios=[5, 3, 2],
                               kernel_size=5, last_kernel_size=3, residual_kernel_size=5, dilation_growth_rate=3,
                               compress=3, num_lstm_layers=1, codebook_size=64, use_conv_shortcut=False),
}

# case: (HuBERT, quantizer, codec, seed, seconds, every how many frames features are kept)
CASES = {
    "tiny": ("hubert-tiny", "quantizer-tiny-v1", "codec-24khz", 1, 2.03, 2),
    "tiny-v0": ("hubert-tiny", "quantizer-tiny-v0", "codec-24khz", 7, 1.0, 1),
    "odd": ("hubert-odd", "quantizer-odd-v1", "codec-odd", 3, 1.51, 5),
    "base": ("hubert-base", "quantizer-base-v1", "codec-24khz", 2, 1.0, 7),
}


def build(name):
    config = MODELS[name]
    if name.startswith("hubert"):
        config._attn_implementation = "eager"
        return HubertModel(config)
    return Quantizer(**config) if name.startswith("quantizer") else build_codec(config)


def describe(name):
    config = MODELS[name]
    config = config if isinstance(config, dict) else config.to_diff_dict()
    dropped = ("transformers_version", "architectures", "torch_dtype", "dtype", "codebook_dim")
    shapes = {n: list(t.shape) for n, t in tensors(build(name))}
    return {"config": {k: v for k, v in config.items() if k not in dropped}, "tensors": shapes}


def wave(turns):
    """A sine of sorts from sums and products alone, which every language rounds alike."""
    x = 2 * (turns - np.floor(turns)) - 1
    return 4 * x * (1 - np.abs(x))


def clip(seconds, rate, seed):
    """Gliding harmonics under a syllable envelope, hiss between the syllables."""
    t = np.arange(int(seconds * rate)) / rate
    turns = (100 + 7 * seed) * t + 12 * t * t
    peak = 4 + 3 * wave(1.7 * t)
    tone = np.zeros_like(t)
    for k in range(1, 13):
        d = k - peak
        tone += wave(k * turns) / (1 + d * d)
    syllable = wave(3.1 * t)
    hiss = rule.uniform(f"clip.{rate}", len(t), seed).astype(np.float64)
    return (0.15 * tone * np.maximum(syllable, 0) + 0.05 * hiss * np.maximum(-syllable, 0)).astype(np.float32)


def hear(codec, wav):
    """Codes by the package itself, and the gaps between nearest and second nearest entry."""
    latent = codec.encoder(torch.from_numpy(wav)[None, None])
    codes = codec.quantizer.vq.encode(latent, n_q=8)[:, 0]
    residual, gaps = latent, []
    for layer, chosen in zip(codec.quantizer.vq.layers, codes):
        x, e = residual[0].T.double(), layer.codebook.double()
        two = torch.topk(torch.cdist(x, e) ** 2, 2, largest=False).values
        gaps.append(two[:, 1] - two[:, 0])
        residual = residual - layer.decode(chosen[None])
    return codes, torch.stack(gaps)


def say(codec, codes):
    return codec.decoder(codec.quantizer.decode(codes[:, None])).flatten().numpy()


def long_codes(size):
    """Eight rows long enough that a decode by parts shows."""
    t, k = np.arange(1600)[None], np.arange(8)[:, None]
    return torch.from_numpy((t * 7 + k * 13 + t * t) % size)


@torch.no_grad()
def compute(hubert, quantizer, codec, seed, seconds, every):
    wav16, wav24 = clip(seconds, 16_000, seed), clip(seconds, 24_000, seed)
    features = rule.fill(build(hubert), "hubert", seed, published)(torch.from_numpy(wav16)[None], output_hidden_states=True)
    features = features.hidden_states[9]
    logits = rule.fill(build(quantizer), "quantizer", seed, published)(features)[0]
    best = torch.topk(logits, 2).values
    net = rule.fill(build(codec), "codec", seed, published)
    codes, code_gap = hear(net, wav24)
    audio = say(net, codes)
    long = say(net, long_codes(MODELS[codec].codebook_size)) if codec == "codec-odd" else np.zeros(0, np.float32)
    hop = MODELS[codec].hop_length
    return dict(
        wav_16k=wav16[::997], wav_24k=wav24[::997], features=features[0, ::every].numpy(),
        semantic=logits.argmax(-1).to(torch.int32).numpy(), semantic_gap=(best[:, 0] - best[:, 1]).numpy(),
        semantic_best=best[:, 0].numpy(), codes=codes.to(torch.int32).numpy(),
        code_gap=code_gap.min(0).values.to(torch.float32).numpy(),
        short_codes=np.stack([hear(net, wav24[8000:8000 + n])[0][:, 0].numpy() for n in (1, 5, 40)]).astype(np.int32),
        decode_length=np.array(len(audio), np.int32), decode_head=audio[:640], decode_tail=audio[-640:],
        decode_thinned=audio[::37], long_joints=np.concatenate([long[f * hop:(f + 10) * hop] for f in (745, 1495)]))


def main():
    torch.set_num_threads(2)
    HERE.mkdir(exist_ok=True)
    lines = (f"{json.dumps(name)}: {json.dumps(describe(name), separators=(',', ':'))}" for name in MODELS)
    (HERE / "models.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
    for name, case in CASES.items():
        out = compute(*case)
        np.savez_compressed(HERE / f"{name}.npz", **out)
        print(f"{name}: {len(set(out['semantic']))} of {len(out['semantic'])} tokens distinct, "
              f"{[len(set(row)) for row in out['codes']]} of {out['codes'].shape[1]} codes; smallest gaps: tokens "
              f"{out['semantic_gap'].min():.1e}, codes {out['code_gap'].min():.1e}; "
              f"features rms {out['features'].std():.2f}, audio rms {out['decode_thinned'].std():.3f}")


if __name__ == "__main__":
    main()
