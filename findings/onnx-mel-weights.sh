#!/bin/sh
# onnxruntime 1.32.0: the ONNX operator MelWeightMatrix (80 bands, FFT of 512, 16 kHz) beside librosa 0.11.0's filters
# with htk=True.
# Expected: the same HTK-scale triangles, as both use 2595 log10(1 + f / 700).
# Seen: ONNX rounds each corner of a triangle down to a whole FFT bin: its first bands are single bins of weight 1,
# and the lowest hears the constant alone, weights differ by up to 1.0, and white noise differs by -1.3 to 1.7 dB from
# band to band.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check \
    onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6 librosa==0.11.0 numba==0.68.1
"$dir/venv/bin/python" - "$dir" <<'EOF'
import librosa
import numpy as np
import onnxruntime
from onnx import TensorProto, helper

inputs = {"bands": np.array(80), "fft": np.array(512), "rate": np.array(16000), "low": np.array(0, np.float32),
          "high": np.array(8000, np.float32)}
given = [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), []) for n, v in inputs.items()]
node = helper.make_node("MelWeightMatrix", list(inputs), ["o"])
graph = helper.make_graph([node], "g", given, [helper.make_empty_tensor_value_info("o")])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
onnx_mel = session.run(None, inputs)[0]
other = librosa.filters.mel(sr=16000, n_fft=512, n_mels=80, fmin=0, fmax=8000, htk=True, norm=None).T
single = int(((onnx_mel > 0).sum(0) == 1).sum())
largest = float(np.abs(onnx_mel - other).max())
print("shapes", onnx_mel.shape, other.shape, "; largest difference", round(largest, 3), "; bands of one bin", single,
      "; first band, ONNX", onnx_mel[:4, 0].tolist(), "librosa", other[:4, 0].round(3).tolist())
noise = np.random.default_rng(0).standard_normal(16000)
power = np.abs(librosa.stft(noise, n_fft=512)) ** 2
apart = 10 * np.log10((onnx_mel.T @ power).mean(1) / (other.T @ power).mean(1))
print("white noise, ONNX against librosa by band: from", apart.min().round(1), "to", apart.max().round(1), "dB")
assert largest > 0.9 and single > 5 and onnx_mel[:2, 0].tolist() == [1, 0], "the corners are no longer rounded to bins"
EOF
