#!/bin/sh
# ml_dtypes 0.6.0 and onnxruntime 1.32.0: 500.0 and infinity as 8-bit float e4m3fn (largest value 448), and in other
# narrow types.
# Expected: one rule.
# Seen: ml_dtypes makes NaN of 500 in e4m3fn, infinity in e4m3 and 6 (its largest) in float4_e2m1fn; 464, half-way, is
# still 448. onnxruntime makes 448 of 500 and even of infinity. So an export that went well in one becomes NaN in the
# other.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check \
    onnxruntime==1.32.0 onnx==1.23.2 ml_dtypes==0.6.0 numpy==2.4.6
"$dir/venv/bin/python" - "$dir" <<'EOF'
import warnings
import ml_dtypes
import numpy as np
import onnxruntime
from onnx import TensorProto, helper

warnings.simplefilter("ignore")
x = np.array([448, 464, 500, np.inf, -500], np.float32)
nodes = [helper.make_node("Cast", ["x"], ["narrow"], to=TensorProto.FLOAT8E4M3FN),
         helper.make_node("Cast", ["narrow"], ["o"], to=TensorProto.FLOAT)]
graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
                          [helper.make_tensor_value_info("o", TensorProto.FLOAT, x.shape)])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
seen = {"onnxruntime e4m3fn": session.run(None, {"x": x})[0].tolist()}
for name in ("float8_e4m3fn", "float8_e4m3", "float8_e5m2", "float4_e2m1fn"):
    seen[name] = x.astype(getattr(ml_dtypes, name)).astype(np.float64).tolist()
print("of", x.tolist())
for name, values in seen.items():
    print(f"{name:18}", values)
nan, inf = np.nan, np.inf
expected = {"onnxruntime e4m3fn": [448, 448, 448, 448, -448], "float8_e4m3fn": [448, 448, nan, nan, nan],
            "float8_e4m3": [inf, inf, inf, inf, -inf], "float8_e5m2": [448, 448, 512, inf, -512],
            "float4_e2m1fn": [6, 6, 6, 6, -6]}
for name, values in expected.items():
    assert np.array_equal(seen[name], values, equal_nan=True), f"{name} overflows in another way now"
EOF
