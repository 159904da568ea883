"""What the coarse and the fine GPT learn from: of every utterance the codes `[8, frames]` of its latent, which they are to say, and
what encoder and HuBERT hear of it, codes and semantic tokens, which is all that is known of a cloned voice.

    python encode.py WORK_FOLDER
"""

from multiprocessing import Pool

import numpy as np
import torch
import torchaudio

import loop
from codec import Codec, whole
from hubert import Listener, tokens


class Ears:
    """Utterance number -> (said [8, frames] u16, codes [8, frames] u16, heard tokens [labels] i16)"""

    def __init__(self, args):
        self.corpus = loop.Corpus(args.work, "speech")
        frames = [-(-row["samples"] // 320) for row in self.corpus.rows]
        self.ends = np.cumsum(frames)
        self.latents = np.load(args.work / "speech.latents.npy", mmap_mode="r")
        self.codec, self.listener = Codec.trained(args.work), Listener(tokens(args.work))
        self.listener.load_state_dict(loop.load(args.work / "hubert.pt")["module"])
        self.listener.eval()
        self.resample = torchaudio.transforms.Resample(24_000, 16_000).to(args.device)

    @torch.no_grad()
    def __call__(self, i):
        # One by one: what pads a batch would change HuBERT's first normalisation, which is over time.
        wav, row = self.corpus.wav(i), self.corpus.rows[i]
        codes = self.codec.encode(wav)
        said = self.codec.quantizer.encode(whole(self.latents[self.ends[i - 1] if i else 0 : self.ends[i]]))
        heard = self.listener(self.resample(wav)[None])[0, : row["labels"]].argmax(-1)
        if len(heard) != row["labels"] or said.shape != codes.shape:
            raise ValueError(f"utterance {i}: {len(heard)} tokens and {codes.shape[1]} frames")
        return [x.cpu().numpy().astype(kind) for x, kind in [(said, np.uint16), (codes, np.uint16), (heard, np.int16)]]


def alone(args):
    """In a process of its own."""
    global ears
    torch.set_num_threads(1)
    ears = Ears(args)


def hear(i):
    return ears(i)


def main():
    args = loop.arguments(0)
    count = len(loop.Corpus(args.work, "speech").rows)
    if args.device == "cpu":
        with Pool(args.threads, alone, [args]) as pool:
            done = list(pool.imap(hear, range(count), chunksize=32))
    else:
        done = list(map(Ears(args), range(count)))
    for name, parts in zip(["codes", "heard.codes", "heard"], zip(*done)):
        np.save(args.work / f"speech.{name}.npy", np.concatenate(parts, -1))


if __name__ == "__main__":
    main()
