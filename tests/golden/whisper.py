"""What transformers' own Whisper hears with weights made by the rule, greedily.

    python tests/golden/whisper.py       (transformers 4.57.1, torch 2.8.0, numpy 2.0.2)

Writes ears/whisper.json beside this script: its sizes, and of a window that the sound fills and one that it does not:
the features of some frames, two rows of the encoder, the logits after the prompt, the ids that `generate` writes, and how
likely a text is: the net's loss on it and the end, with the sign changed.
"""

import json
from pathlib import Path

import numpy as np
import rule
import torch
from ears import sound
from transformers import GenerationConfig, WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

# Ids below 80 are text; the times would follow `NO_TIMES`.
END, START, EN, PT, TRANSLATE, TRANSCRIBE, NO_TIMES = range(80, 87)
SIZES = dict(
    num_mel_bins=80, max_source_positions=50, d_model=32, encoder_attention_heads=2, encoder_layers=2, vocab_size=88,
    max_target_positions=24, decoder_attention_heads=2, decoder_layers=2,
)
SUPPRESSED, AT_FIRST = [1, 7, START, EN, PT, TRANSLATE, TRANSCRIBE], [3, END]
SAMPLES = {"full": 16_000, "short": 9_000}
FRAMES, ROWS = (0, 1, 40, 99), (0, 49)
TEXT = [25, 30, 9, 76, 25]


def rounded(values):
    return [float(f"{float(value):.8g}") for value in values]


@torch.no_grad()
def main():
    config = WhisperConfig(
        **SIZES, encoder_ffn_dim=128, decoder_ffn_dim=128, decoder_start_token_id=START, eos_token_id=END, pad_token_id=END,
        bos_token_id=END, suppress_tokens=None, begin_suppress_tokens=None,
    )
    model = rule.fill(WhisperForConditionalGeneration(config), "whisper", 5)
    settings = GenerationConfig(
        decoder_start_token_id=START, eos_token_id=END, pad_token_id=END, bos_token_id=END, is_multilingual=True,
        lang_to_id={"<|en|>": EN, "<|pt|>": PT}, task_to_id={"translate": TRANSLATE, "transcribe": TRANSCRIBE},
        no_timestamps_token_id=NO_TIMES, suppress_tokens=SUPPRESSED, begin_suppress_tokens=AT_FIRST,
        max_length=SIZES["max_target_positions"],
    )
    model.generation_config = settings
    extractor = WhisperFeatureExtractor(feature_size=80, chunk_length=1)
    golden = {"sizes": SIZES, "text": TEXT, "suppress_tokens": SUPPRESSED, "begin_suppress_tokens": AT_FIRST, "heard": {}}
    for name, count in SAMPLES.items():
        features = extractor(sound()[:count], sampling_rate=16_000, return_tensors="pt").input_features
        prompt = torch.tensor([[START, PT, TRANSCRIBE, NO_TIMES]])
        out = model(features, decoder_input_ids=prompt)
        given = torch.cat([prompt, torch.tensor([TEXT])], 1)
        # The prompt is given, and not asked for.
        wanted = torch.tensor([[-100] * (prompt.shape[1] - 1) + TEXT + [END]])
        loss = model(features, decoder_input_ids=given, labels=wanted).loss
        ids = model.generate(features, language="pt", task="transcribe", num_beams=1, do_sample=False)[0].tolist()
        ids = ids[4:] if ids[0] == START else ids
        golden["heard"][name] = {
            "samples": count,
            "features": {str(at): rounded(features[0, :, at]) for at in FRAMES},
            "encoded": {str(at): rounded(out.encoder_last_hidden_state[0, at]) for at in ROWS},
            "logits": rounded(out.logits[0, -1]),
            "likelihood": -rounded([loss])[0],
            "ids": [id for id in ids if id != END],
        }
        print(name, ids)
    (Path(__file__).parent / "ears/whisper.json").write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
