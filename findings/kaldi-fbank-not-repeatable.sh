#!/bin/sh
# kaldi-native-fbank 1.23.0: the filterbank features of one recording, computed twice with the options as they come.
# Expected: the same features; Kaldi's noise (dither) of one step is known, and here samples are taken as given.
# Seen: there is noise by default (3e-05), also on samples within [-1, 1], and it is drawn anew at every call: a pure
# tone's log features differ by more than 1 between two calls and by up to 5 from those without it, and silence is not
# constant.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check kaldi-native-fbank==1.23.0 numpy==2.4.6
"$dir/venv/bin/python" - "$dir" <<'EOF'
import kaldi_native_fbank
import numpy as np

def features(x, **options):
    chosen = kaldi_native_fbank.FbankOptions()
    for name, value in options.items():
        setattr(chosen.frame_opts, name, value)
    fbank = kaldi_native_fbank.OnlineFbank(chosen)
    fbank.accept_waveform(16000, x.tolist())
    fbank.input_finished()
    return np.array([fbank.get_frame(i) for i in range(fbank.num_frames_ready)])

tone = 0.5 * np.sin(2 * np.pi * 200 * np.arange(16000) / 16000)
first, second, plain = features(tone), features(tone), features(tone, dither=0.0)
apart, off = float(np.abs(first - second).max()), float(np.abs(first - plain).max())
print("two calls differ by up to", round(apart, 2), "; from no dither by up to", round(off, 2))
assert apart > 0.5 and off > 2, "the features are repeatable now"
assert np.array_equal(plain, features(tone, dither=0.0))
silence = features(tone * 0)
print("silence is between", round(float(silence.min()), 2), "and", round(float(silence.max()), 2))
assert silence.max() > silence.min() + 1
EOF
