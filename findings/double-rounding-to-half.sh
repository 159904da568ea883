#!/bin/sh
# onnxruntime 1.32.0, ml_dtypes 0.6.0, numpy 2.4.6: 64-bit floats to 16 bits, of a value a hair above the middle of
# two.
# Expected: rounded to the nearest, so up, as numpy's float16 does.
# Seen: onnxruntime's Cast to float16 and ml_dtypes' bfloat16 and float8 go through 32 bits, where the hair is lost,
# and then round the tie to even, so down: 1 + 2**-11 + 2**-40 becomes 1.0 instead of 1.00098. Weights converted from
# doubles can differ by one unit between tools.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check \
    onnxruntime==1.32.0 onnx==1.23.2 ml_dtypes==0.6.0 numpy==2.4.6
"$dir/venv/bin/python" - "$dir" <<'EOF'
import ml_dtypes
import numpy as np
import onnxruntime
from onnx import TensorProto, helper

def cast(x):
    node = helper.make_node("Cast", ["x"], ["o"], to=TensorProto.FLOAT16)
    graph = helper.make_graph([node], "g", [helper.make_tensor_value_info("x", TensorProto.DOUBLE, x.shape)],
                              [helper.make_tensor_value_info("o", TensorProto.FLOAT16, x.shape)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return float(session.run(None, {"x": x})[0][0])

def tie(bits):
    return np.array([1 + 2.0 ** -bits + 2.0 ** -40])

numpy_half, onnx_half = float(tie(11).astype(np.float16)[0]), cast(tie(11))
print("float16: numpy", numpy_half, "onnxruntime", onnx_half)
assert numpy_half == 1 + 2**-10 and onnx_half == 1.0, "onnxruntime rounds once now"
for kind, bits in ((ml_dtypes.bfloat16, 8), (ml_dtypes.float8_e4m3fn, 4)):
    tiny, plain = float(tie(bits).astype(kind)[0]), float((tie(bits) + 2.0**-20).astype(kind)[0])
    print(kind.__name__, "a hair (2**-40) above the middle:", tiny, "; 2**-20 above:", plain)
    assert tiny == 1.0 and plain == 1 + 2.0 ** (1 - bits), "ml_dtypes rounds once now"
EOF
