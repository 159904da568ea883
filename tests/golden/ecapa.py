"""What speechbrain's own code hears with weights made by the rule: Fbank, InputNormalization and ECAPA_TDNN, as
`encode_batch` of `spkrec-ecapa-voxceleb` calls them, at small widths.

    python tests/golden/ecapa.py       (speechbrain 1.0.3, torch 2.8.0, torchaudio 2.8.0, numpy 2.0.2)

Writes ears/ecapa.json beside this script: the tensors' names and shapes in the order of the state dict, and of the sound
of ears.py two frames of features and the embedding. The published settings are those of its hyperparams.yaml: Fbank of
80 bands, sentence norm without deviation, lin_neurons 192, channels 1024 and 3072.
"""

import json
from pathlib import Path

import rule
import torch
from made_up import sound
from speechbrain.lobes.features import Fbank
from speechbrain.lobes.models.ECAPA_TDNN import ECAPA_TDNN
from speechbrain.processing.features import InputNormalization


def main():
    net = ECAPA_TDNN(80, lin_neurons=24, channels=[32, 32, 32, 32, 48], attention_channels=16, se_channels=16,
                     kernel_sizes=[5, 3, 3, 3, 1], dilations=[1, 2, 3, 4, 1])
    rule.fill(net, "ecapa", 1)
    statistics = {name: tensor for name, tensor in net.state_dict().items() if "running" in name}
    for name, tensor in statistics.items():
        tensor.copy_(torch.from_numpy(rule.values(f"ecapa.{name}", tensor.shape, 1)))
    wav, all_of_it = torch.from_numpy(sound())[None], torch.ones(1)
    with torch.no_grad():
        features = InputNormalization(norm_type="sentence", std_norm=False)(Fbank(n_mels=80)(wav), all_of_it)
        embedding = net(features, all_of_it)[0, 0]
    rounded = lambda values: [float(f"{value:.8g}") for value in values]  # noqa: E731
    shapes = [[name, list(tensor.shape)] for name, tensor in net.state_dict().items() if tensor.dim() > 0]
    golden = {"shapes": shapes, "features": {str(at): rounded(features[0, at]) for at in (0, 100)},
              "embedding": rounded(embedding)}
    (Path(__file__).parent / "ears/ecapa.json").write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
