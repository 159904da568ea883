"""What the coarse and the fine GPT learn from: of every utterance the codes `[8, frames]` of its latent, which they are to say, and
what encoder and HuBERT hear of it, codes and semantic tokens, which is all that is known of a cloned voice.

    python encode.py WORK_FOLDER
"""

import numpy as np
import torch
import torchaudio

import loop
from codec import Codec, whole
from hubert import Listener, tokens


@torch.no_grad()
def main():
    args = loop.arguments(0)
    codec, listener = Codec.trained(args.work), Listener(tokens(args.work))
    listener.load_state_dict(loop.load(args.work / "hubert.pt")["module"])
    listener.eval()
    latents = np.load(args.work / "speech.latents.npy", mmap_mode="r")
    resample = torchaudio.transforms.Resample(24_000, 16_000).to(args.device)
    corpus, begin, said, codes, heard = loop.Corpus(args.work, "speech"), 0, [], [], []
    for i, row in enumerate(corpus.rows):
        # One by one: what pads a batch would change HuBERT's first normalisation, which is over time.
        wav = corpus.wav(i)
        codes.append(codec.encode(wav).cpu().numpy().astype(np.uint16))
        end = begin + codes[-1].shape[1]
        said.append(codec.quantizer.encode(whole(latents[begin:end])).cpu().numpy().astype(np.uint16))
        heard.append(listener(resample(wav)[None])[0, : row["labels"]].argmax(-1).cpu().numpy().astype(np.int16))
        if len(heard[-1]) != row["labels"] or said[-1].shape != codes[-1].shape:
            raise ValueError(f"utterance {i}: {len(heard[-1])} tokens and {codes[-1].shape[1]} frames")
        begin = end
        if i % 500 == 0:
            print(f"{i} of {len(corpus.rows)} utterances", flush=True)
    np.save(args.work / "speech.codes.npy", np.concatenate(said, 1))
    np.save(args.work / "speech.heard.codes.npy", np.concatenate(codes, 1))
    np.save(args.work / "speech.heard.npy", np.concatenate(heard))


if __name__ == "__main__":
    main()
