#!/usr/bin/env bash
# Checks and times barkclone on a GPU, beside transformers: in one call of 8 minutes at most, with Python, PyTorch and
# transformers, and without cargo or network. examples/gpu/build.sh made target/gpu before, mostly on another machine.
#
#     bash examples/gpu/check.sh      # a table, also in $OUT/table.md (target/gpu-run where OUT is unset)
#     bash examples/gpu/check.sh --device candle --sizes tiny --seconds 1 --batches 2     # rehearsed on a CPU
#
# Models are made by rule. A step that fails or takes too long says so, leaves the others alone, and the exit code is 1.
set -euo pipefail
cd "$(dirname "$0")/../.."
export OUT=${OUT:-$PWD/target/gpu-run}
python=${PYTHON:-python3}
mkdir -p "$OUT"
"$python" -m tarfile --extract target/gpu/bin.tar.xz target/gpu-run
"$python" -u examples/gpu/check.py "$@" 2>&1 | tee "$OUT/log.txt"
