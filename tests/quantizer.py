"""Loads a quantizer by the rules of gitmylo's `customtokenizer.py` (`CustomTokenizer.load_from_checkpoint`, MIT), in torch.

    python quantizer.py mine.pth
"""

import json
import sys
from zipfile import ZipFile

import torch
from torch import nn


class CustomTokenizer(nn.Module):
    def __init__(self, hidden_size, input_size, output_size, version):
        super().__init__()
        self.lstm = nn.LSTM(input_size, hidden_size, 2, batch_first=True)
        if version == 1:
            self.intermediate = nn.Linear(hidden_size, 4096)
        self.fc = nn.Linear(4096 if version == 1 else hidden_size, output_size)

    def forward(self, x):
        x, _ = self.lstm(x)
        return self.fc(self.intermediate(x) if hasattr(self, "intermediate") else x)


path = sys.argv[1]
with ZipFile(path) as archive:
    assert archive.testzip() is None
    info = json.loads(archive.read([name for name in archive.namelist() if name.endswith("/.info")][0]))
sizes = [info[key] for key in ("hidden_size", "input_size", "output_size", "version")]
model = CustomTokenizer(*sizes)
for options in ({}, {"mmap": True}, {"weights_only": False}):
    state = torch.load(path, **options)
    model.load_state_dict(state)
    assert all(tensor.dtype == torch.float32 for tensor in state.values())
tokens = model(torch.zeros(1, 7, info["input_size"])).argmax(2)
assert tokens.shape == (1, 7)
print(f"gitmylo's loader takes it: version {info['version']}, {sizes[1]} -> {sizes[0]} -> {sizes[2]}")
