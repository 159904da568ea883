#!/bin/sh
# Speaks every job of a file with GNU parallel, in N shares; on the machines of a list where PARALLEL names one:
#
#   sh examples/cluster/parallel.sh N jobs.jsonl out [barkclone speak flags...]
#   PARALLEL="--sshloginfile nodes.txt --jobs 1 --workdir ." THREADS= sh examples/cluster/parallel.sh N jobs.jsonl out ...
#   barkclone report merge out/report-*.jsonl -o out/report.jsonl
#
# GNU parallel runs as many shares at a time as a machine has processors: one thread each (THREADS). With `--jobs 1` a
# machine runs one share, and an empty THREADS gives it all processors. All machines see the same folder. What was stopped
# goes on where its report ends: run the same command again.
set -eu
shards=$1 jobs=$2 out=$3 threads=${THREADS-1}
shift 3
seq "$shards" | parallel --quote "${BARKCLONE:-barkclone}" speak --jobs "$jobs" -d "$out" --shard "{}/$shards" \
  --report "$out/report-{}.jsonl" ${threads:+--threads "$threads"} "$@"
