#!/bin/bash
# Runs examples/cluster/slurm.sbatch on a real Slurm of four nodes, all on this machine: 40 jobs in an array of 4 on the built-in
# `demo` models, one task killed midway and requeued. The WAVs and the merged report must be those of one run on one machine.
#
#   bash tests/slurm.sh          takes about a minute; exits with 0 only if everything is equal
#
# Needs Debian's packages slurmctld, slurmd, slurm-client and munge (22.05 was tried), root, and a release build, or a program named
# in BARKCLONE. The daemons of the system are left alone: these have a folder, a key and ports of their own, and are gone at the end.
set -euo pipefail
cd "$(dirname "$0")/.."
for tool in munged slurmctld slurmd sbatch scontrol; do
  PATH=$PATH:/usr/sbin command -v $tool >/dev/null || { echo "$tool is missing: apt-get install slurmctld slurmd slurm-client munge" >&2; exit 2; }
done
[ "$(id -u)" = 0 ] || { echo "slurmctld and slurmd start as root only here" >&2; exit 2; }
[ -n "${BARKCLONE-}" ] || cargo build --release --bin barkclone >&2
BARKCLONE=$(realpath "${BARKCLONE:-target/release/barkclone}")
export BARKCLONE PATH=$PATH:/usr/sbin
script=$PWD/examples/cluster/slurm.sbatch

folder=$(mktemp -d)
chmod 711 "$folder" # munged wants its socket to be reachable
stop() {
  for daemon in "$folder"/*.pid; do kill "$(cat "$daemon")" 2>/dev/null || true; done
  for _ in $(seq 50); do ls "$folder"/*.pid >/dev/null 2>&1 || break; sleep 0.1; done
  rm -rf "$folder"
}
trap stop EXIT
fail() { echo "FAILED: $*" >&2; tail -n 5 "$folder"/*.log "$folder"/*.out >&2 || true; exit 1; }

# A Slurm of four nodes on the loopback interface.
port=$((20000 + $$ % 1200 * 10))
dd if=/dev/urandom of="$folder/munge.key" bs=128 count=1 2>/dev/null
chmod 600 "$folder/munge.key"
cat >"$folder/slurm.conf" <<CONF
ClusterName=loopback
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
CredType=cred/munge
SlurmctldPort=$port
SlurmctldPidFile=$folder/slurmctld.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdPidFile=$folder/slurmd-%n.pid
SlurmdLogFile=$folder/slurmd-%n.log
SlurmdSpoolDir=$folder/spool-%n
StateSaveLocation=$folder/state
MpiDefault=none
ProctrackType=proctrack/linuxproc
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SwitchType=switch/none
TaskPlugin=task/none
NodeName=n[1-4] NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 Port=[$((port + 1))-$((port + 4))] CPUs=1
PartitionName=all Nodes=ALL Default=YES State=UP
CONF
export SLURM_CONF=$folder/slurm.conf
mkdir "$folder/state"
munged --key-file="$folder/munge.key" --socket="$folder/munge.socket" --pid-file="$folder/munged.pid" \
  --log-file="$folder/munged.log" --seed-file="$folder/munged.seed"
slurmctld
for node in n1 n2 n3 n4; do slurmd -N $node; done
for _ in $(seq 100); do [ "$(sinfo -h -t idle -o %D 2>/dev/null)" = 4 ] && break; sleep 0.2; done
[ "$(sinfo -h -t idle -o %D)" = 4 ] || fail "the four nodes did not come up"

# The same jobs by one process and by an array of tasks.
cd "$folder"
for i in $(seq 40); do echo "{\"id\": \"p$i\", \"text\": \"Esta é a frase número $i.\", \"seed\": $i}"; done >jobs.jsonl
flags=(--bark demo --codec demo --tokenizer demo --max-seconds 1 --quiet)
"$BARKCLONE" speak --jobs jobs.jsonl -d single "${flags[@]}" >/dev/null
array=$(sbatch --parsable --array=1-4 --cpus-per-task=1 --output=task-%a.out "$script" jobs.jsonl array "${flags[@]}")

lines() { cat "array/report-2.jsonl" 2>/dev/null | wc -l; }
until [ "$(lines)" -ge 2 ]; do
  [ -n "$(squeue -h -j "$array")" ] || fail "the array ended before task 2 had spoken"
  sleep 0.05
done
task=$(pgrep -f "^$BARKCLONE speak .*--shard 2/4 .*") && kill -KILL $task || fail "task 2 was not running any more"
until [ "$(squeue -h -r -j "$array" -o %K | grep -cx 2)" = 0 ]; do sleep 0.1; done
cut=$(lines)
scontrol requeue "${array}_2"
scontrol update JobId="${array}_2" StartTime=now # not in the two minutes that Slurm gives a broken node
for _ in $(seq 1200); do [ -n "$(squeue -h -j "$array")" ] || break; sleep 0.25; done
states=$(scontrol -o show job "$array" | grep -o "ArrayTaskId=[0-9]*\|JobState=[A-Z]*\|Restarts=[0-9]*" | paste -sd' ' -)
[ "$(grep -o COMPLETED <<<"$states" | wc -l)" = 4 ] || fail "not every task is completed: $states"

# Everything but the times must be equal.
without_times() { sed -E 's/,"(took|share|real_time_factor|at)":[0-9.e+-]+//g' "$1"; }
for run in single array; do "$BARKCLONE" report merge $run/report*.jsonl -o $run.jsonl >/dev/null; done
diff <(without_times single.jsonl) <(without_times array.jsonl) >&2 || fail "the merged reports differ"
diff -rq --exclude='report*' single array >&2 || fail "the WAVs differ"
[ "$(ls array/*.wav | wc -l)-$(wc -l <array.jsonl)" = 40-40 ] || fail "there are not 40 WAVs, each with its line"
whole=$(lines)
[ "$cut" -lt "$whole" ] || fail "task 2 had finished before it was killed"
[ "$(cut -d, -f1 array/report-2.jsonl | sort -u | wc -l)" = "$whole" ] || fail "task 2 spoke again what it had done"
echo "equal: 40 WAVs and their report, by one process and by four Slurm tasks, one killed after $cut of its $whole jobs ($states)"
