"""The codec's encoder: hears envelope and pulses, as analysis.py finds them with more time and both directions.

    python encoder.py WORK_FOLDER
"""

import random

import torch

import loop
from analysis import ENVELOPE, PULSES
from codec import Codec, Crops, calibrate

BATCH, FRAMES, LEAD = 10, 40, 6  # of the first frames of a crop too little is known


def main():
    args = loop.arguments(7800)
    crops, encoder = Crops(args.work), Codec().encoder
    calibrate(encoder, crops(random.Random(0), 16, FRAMES)[0], last=0.2)

    def step(number):
        rng = random.Random(number)
        wav, wanted = crops(rng, BATCH, FRAMES)
        off = (encoder(wav * 10 ** rng.uniform(-0.02, 0.02)).transpose(1, 2) - wanted)[:, LEAD:].pow(2)
        envelope, pulses = off[..., ENVELOPE].sum(-1).mean(), off[..., PULSES].sum(-1).mean()
        return envelope + 2 * pulses + off[..., PULSES.stop :].sum(-1).mean(), {"envelope": envelope, "pulses": pulses}

    loop.train("encoder", args, encoder, 1.5e-3, step, second=0.99)


if __name__ == "__main__":
    main()
