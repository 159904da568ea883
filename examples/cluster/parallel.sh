#!/bin/sh
# Speaks every job of a file with GNU parallel, in N shares; on the machines of a list where PARALLEL names one:
#
#   PARALLEL="--sshloginfile nodes.txt --jobs 1 --workdir ." sh examples/cluster/parallel.sh N jobs.jsonl out [barkclone speak flags...]
#   barkclone report merge out/report-*.jsonl -o out/report.jsonl
#
# All machines see the same folder. What was stopped goes on where its report ends: run the same command again.
set -eu
shards=$1 jobs=$2 out=$3
shift 3
seq "$shards" | parallel --quote "${BARKCLONE:-barkclone}" speak --jobs "$jobs" -d "$out" --shard "{}/$shards" \
  --report "$out/report-{}.jsonl" "$@"
