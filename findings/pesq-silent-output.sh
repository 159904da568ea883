#!/bin/sh
# pesq 0.0.4: scoring a system whose output is all zeros.
# Expected: the worst score, about 1, or one of the package's own errors, as a silent reference gives
# NoUtterancesError.
# Seen: ValueError "cannot convert float NaN to integer", which is no PesqError; with on_error=RETURN_VALUES, which is
# to turn errors into -1, it is nan. An output a million times too quiet scores 4.64, the best there is: PESQ adjusts
# the level.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check pesq==0.0.4 numpy==2.4.6 scipy==1.17.1
"$dir/venv/bin/python" - "$dir" <<'EOF'
import numpy as np
from pesq import NoUtterancesError, PesqError, pesq

rng = np.random.default_rng(0)
x = rng.standard_normal(16000) * 0.1 * (np.sin(2 * np.pi * 2 * np.arange(16000) / 16000) > 0)
silence = np.zeros_like(x)
try:
    pesq(16000, silence, x, "wb")
    raise SystemExit("a silent reference has a score now")
except NoUtterancesError as error:
    print("silent reference:", repr(error))
try:
    pesq(16000, x, silence, "wb")
    raise SystemExit("a silent output has a score now")
except ValueError as error:
    print("silent output:", repr(error))
    assert "NaN" in str(error)
value = pesq(16000, x, silence, "wb", on_error=PesqError.RETURN_VALUES)
print("silent output, RETURN_VALUES:", value)
assert np.isnan(value)
quiet = pesq(16000, x, x * 1e-6, "wb")
print("output times 1e-6:", quiet)
assert quiet > 4.6
EOF
