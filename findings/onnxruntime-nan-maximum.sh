#!/bin/sh
# onnxruntime 1.32.0 (CPU): the largest of a row of logits that holds one NaN, as greedy decoding takes it.
# Expected: NaN wins everywhere (as in numpy) or nowhere.
# Seen: ReduceMax and ArgMax pass over a NaN in the middle (3.0 at index 2), the operator Max keeps it, and TopK puts
# it first. If the NaN comes first, ArgMax answers it after all. So a broken model looks healthy to a check of the
# maximum.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
"$dir/venv/bin/python" - "$dir" <<'EOF'
import numpy as np
import onnxruntime
from onnx import TensorProto, helper

def run(operator, inputs, outputs=1, **attributes):
    names = [f"i{k}" for k in range(len(inputs))]
    results = [f"o{k}" for k in range(outputs)]
    node = helper.make_node(operator, names, results, **attributes)
    given = [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
             for n, v in zip(names, inputs)]
    graph = helper.make_graph([node], "g", given, [helper.make_empty_tensor_value_info(r) for r in results])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, dict(zip(names, inputs)))

x = np.array([1, np.nan, 3, 3, 2], np.float32)
reduced = float(run("ReduceMax", [x], keepdims=0)[0])
index = int(run("ArgMax", [x], axis=0, keepdims=0)[0])
both = run("Max", [x, np.zeros(5, np.float32)])[0]
top = run("TopK", [x, np.array([2])], 2)
first = int(run("ArgMax", [x[[1, 0, 2]]], axis=0, keepdims=0)[0])
print("of", x.tolist(), ": ReduceMax", reduced, "ArgMax", index)
print("Max", both.tolist(), "TopK", top[0].tolist(), top[1].tolist())
print("numpy: max", np.max(x), "argmax", np.argmax(x), "; with the NaN first ArgMax says", first)
assert reduced == 3.0 and index == 2 and first == 0, "NaN is handled in another way now"
assert np.isnan(both[1]) and top[1][0] == 1
EOF
