"""The demo's numbers of Bark's protocol, as its config.json and generation_config.json state them, and its tokenizer."""

import json

CHARACTERS = " '!,-.?abcdefghijklmnopqrstuvwxyzàáâãçéêíóôõúü"
UNKNOWN = len(CHARACTERS)
TEXT_LENGTH, MAX_STEPS = 96, 400
COARSE_SEMANTIC, COARSE_HISTORY, COARSE_WINDOW = 192, 390, 60
FINE_HISTORY, FINE_WINDOW = 256, 512
CODES, BOOKS = 1024, 8
TEMPERATURES = 0.3, 0.15, 0.1  # of the text, coarse and fine stages


class Protocol:
    """Special tokens, by the number of semantic tokens."""

    def __init__(self, semantic):
        self.semantic = semantic
        self.end = semantic  # also pads the history
        self.text_offset = semantic + 2
        self.text_pad = self.text_offset + UNKNOWN + 1
        self.semantic_infer = self.text_pad + 1
        self.semantic_inputs = -(-(self.semantic_infer + 1) // 8) * 8
        self.semantic_outputs = semantic + 2
        self.coarse_pad = semantic + 2 * CODES
        self.coarse_infer = self.coarse_pad + 2
        self.coarse_inputs = -(-(self.coarse_infer + 1) // 8) * 8
        self.semantic_block = TEXT_LENGTH + 1 + MAX_STEPS
        self.coarse_block = COARSE_SEMANTIC + 1 + COARSE_HISTORY + COARSE_WINDOW

    def generation(self):
        """generation_config.json"""
        text, coarse, fine = TEMPERATURES
        return {
            "model_type": "bark", "sample_rate": 24_000, "codebook_size": CODES,
            "semantic_config": {
                "model_type": "semantic", "do_sample": True, "temperature": text, "eos_token_id": self.end,
                "semantic_pad_token": self.end, "semantic_vocab_size": self.semantic, "semantic_rate_hz": 50.0,
                "text_encoding_offset": self.text_offset, "text_pad_token": self.text_pad,
                "semantic_infer_token": self.semantic_infer, "max_input_semantic_length": TEXT_LENGTH,
                "max_new_tokens": MAX_STEPS, "min_eos_p": 0.3},
            "coarse_acoustics_config": {
                "model_type": "coarse_acoustics", "do_sample": True, "temperature": coarse,
                "coarse_semantic_pad_token": self.coarse_pad, "coarse_infer_token": self.coarse_infer,
                "coarse_rate_hz": 75, "n_coarse_codebooks": 2, "max_coarse_input_length": COARSE_SEMANTIC,
                "max_coarse_history": COARSE_HISTORY, "sliding_window_len": COARSE_WINDOW},
            "fine_acoustics_config": {
                "model_type": "fine_acoustics", "temperature": fine, "max_fine_history_length": FINE_HISTORY,
                "max_fine_input_length": FINE_WINDOW, "n_fine_codebooks": BOOKS},
        }


def text_ids(text):
    """As the tokenizer gives them: one a character, in lower case."""
    ids = [CHARACTERS.find(c) for c in text.lower()]
    return [i if i >= 0 else UNKNOWN for i in ids]


def tokenizer():
    """tokenizer.json: lower case, one token a character."""
    vocab = {c: i for i, c in enumerate(CHARACTERS)} | {"[UNK]": UNKNOWN}
    split = {"type": "Split", "pattern": {"Regex": "."}, "behavior": "Isolated", "invert": False}
    return json.dumps({
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [],
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Lowercase"}]},
        "pre_tokenizer": split, "post_processor": None, "decoder": None,
        "model": {"type": "WordLevel", "vocab": vocab, "unk_token": "[UNK]"}}, ensure_ascii=False, indent=1)
