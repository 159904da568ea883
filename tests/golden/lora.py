"""What peft makes of a LoRA adapter: golden numbers for `--lora`.

A semantic GPT's linears of two layers, 32 wide, under Hugging Face's names and weights by rule, get adapters by rule;
peft saves them (`lora/plain`, and `lora/rs` with rank-stabilised scaling and an alpha of its own for one kind of
module), and merges them. Writes the adapters and `lora/merged.npz`: every 17th number of each weight after merging.

    pip install torch==2.8.0 peft==0.17.1 transformers==4.57.1 numpy==2.0.2
    python lora.py
"""

import pathlib

import numpy as np
import peft
import torch
from torch import nn

import rule

HERE = pathlib.Path(__file__).parent / "lora"
WIDTH, SEED = 32, 1
SUNO = {"attn.att_proj": "attn.c_attn", "attn.out_proj": "attn.c_proj", "mlp.in_proj": "mlp.c_fc", "mlp.out_proj": "mlp.c_proj"}
SIZES = {"attn.att_proj": (96, 32), "attn.out_proj": (32, 32), "mlp.in_proj": (128, 32), "mlp.out_proj": (32, 128)}


class Gpt(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList()
        for layer in range(2):
            block = nn.ModuleDict({"attn": nn.ModuleDict(), "mlp": nn.ModuleDict()})
            for name, (out, width) in SIZES.items():
                part, leaf = name.split(".")
                block[part][leaf] = nn.Linear(width, out, bias=False)
                values = rule.values(f"text.transformer.h.{layer}.{SUNO[name]}.weight", (out, width), SEED)
                block[part][leaf].weight.data = torch.from_numpy(values).view(out, width)
            self.layers.append(block)


def adapted(name, **options):
    model = peft.get_peft_model(Gpt(), peft.LoraConfig(lora_alpha=6, **options))
    with torch.no_grad():
        for key, tensor in model.named_parameters():
            if "lora_" in key:
                values = rule.uniform(f"{name}.{key}", tensor.numel(), SEED) * np.float32(0.2)
                tensor.copy_(torch.from_numpy(values).view(tensor.shape))
    model.save_pretrained(HERE / name)
    (HERE / name / "README.md").unlink()
    merged = model.merge_and_unload()
    return {f"{name}.{key}": tensor.detach().numpy().ravel()[::17] for key, tensor in merged.named_parameters()}


if __name__ == "__main__":
    plain = adapted("plain", r=4, target_modules=["att_proj", "out_proj"])
    rs = adapted("rs", r=3, target_modules=["in_proj", "att_proj"], use_rslora=True, alpha_pattern={"in_proj": 2})
    np.savez_compressed(HERE / "merged.npz", **plain, **rs)
