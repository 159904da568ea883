#!/bin/sh
# onnxruntime 1.32.0 (CPU): a model with RandomNormal and no seed, loaded twice in one process.
# Expected: two sessions draw different noise.
# Seen: the second session draws exactly the numbers of the first; only later runs of one session go on. Two workers
# of one process that draw noise for speech draw the same. The seed is a float of which only the whole part counts:
# 1.0 and 1.9 draw the same.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
"$dir/venv/bin/python" - "$dir" <<'EOF'
import numpy as np
import onnxruntime
from onnx import helper

def session(**seed):
    node = helper.make_node("RandomNormal", [], ["o"], shape=[3], **seed)
    graph = helper.make_graph([node], "g", [], [helper.make_empty_tensor_value_info("o")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])

first, second = session(), session()
a, b, later = first.run(None, {})[0], second.run(None, {})[0], first.run(None, {})[0]
print("no seed: first session", a.tolist(), "second", b.tolist(), "first again", later.tolist())
assert np.array_equal(a, b) and not np.array_equal(a, later), "sessions draw in another way now"
one, more, two = (session(seed=s).run(None, {})[0] for s in (1.0, 1.9, 2.0))
print("seed 1.0", one.tolist(), "seed 1.9", more.tolist(), "seed 2.0", two.tolist())
assert np.array_equal(one, more) and not np.array_equal(one, two), "seeds are read in another way now"
EOF
