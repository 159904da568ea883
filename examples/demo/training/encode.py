"""Listens to the data with the trained codec and HuBERT: codes `[8, frames]` and semantic tokens of every utterance.

    python encode.py WORK_FOLDER
"""

import numpy as np
import torch
import torchaudio

import loop
from codec import Codec
from hubert import Listener, tokens


def trained(work, name, module):
    module.load_state_dict(torch.load(work / f"{name}.pt", weights_only=True)["module"])
    return module.eval()


@torch.no_grad()
def main():
    args = loop.arguments(0)
    codec, listener = trained(args.work, "codec", Codec()), trained(args.work, "hubert", Listener(tokens(args.work)))
    resample = torchaudio.transforms.Resample(24_000, 16_000)
    corpus, codes, heard = loop.Corpus(args.work, "speech"), [], []
    for i, row in enumerate(corpus.rows):
        # One by one: what pads a batch would change HuBERT's first normalisation, which is over time.
        wav = corpus.wav(i)
        codes.append(codec.encode(wav).numpy().astype(np.uint16))
        heard.append(listener(resample(wav)[None])[0, : row["labels"]].argmax(-1).numpy().astype(np.int16))
        if len(heard[-1]) != row["labels"] or codes[-1].shape[1] != -(-len(wav) // 320):
            raise ValueError(f"utterance {i}: {len(heard[-1])} tokens and {codes[-1].shape[1]} frames")
        if i % 500 == 0:
            print(f"{i} of {len(corpus.rows)} utterances", flush=True)
    np.save(args.work / "speech.codes.npy", np.concatenate(codes, 1))
    np.save(args.work / "speech.heard.npy", np.concatenate(heard))


if __name__ == "__main__":
    main()
