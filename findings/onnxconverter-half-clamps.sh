#!/bin/sh
# onnxconverter-common 1.16.0, float16.convert_float_to_float16: a model's weights in half precision.
# Expected: the nearest half-precision number, which reaches 65504.
# Seen: by default weights over 10000 become 10000, of 20000 as of a million, and tiny ones become 1e-7 instead of 0:
# dead weights of 1e-9 come alive. Infinity stays infinite. onnxruntime 1.32.0's copy of the same tool clamps at 65504
# and 5.96e-08.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check \
    onnxconverter-common==1.16.0 onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6 sympy==1.14.0
"$dir/venv/bin/python" - "$dir" <<'EOF'
import warnings
import numpy as np
from onnx import TensorProto, helper, numpy_helper
from onnxconverter_common.float16 import convert_float_to_float16
from onnxruntime.transformers.float16 import convert_float_to_float16 as other_convert

warnings.simplefilter("ignore")
weights = np.array([20000, -20000, 1e6, np.inf, 1e-9, 1.0], np.float32)

def converted(convert):
    shape = [len(weights)]
    graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "g",
                              [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
                              [numpy_helper.from_array(weights, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    return numpy_helper.to_array(convert(model).graph.initializer[0]).astype(float)

first, second = converted(convert_float_to_float16), converted(other_convert)
print("weights             ", weights.tolist())
print("onnxconverter-common", first.tolist())
print("onnxruntime         ", second.tolist())
assert first[:4].tolist() == [1e4, -1e4, 1e4, np.inf] and 9e-8 < first[4] < 1.3e-7, "the clamp changed"
assert second[:4].tolist() == [2e4, -2e4, 65504, np.inf] and second[4] > 0
EOF
