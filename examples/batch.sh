#!/bin/sh
# Speaks every line of a text file with one voice: PROMPTS.txt -> OUT/0001.wav, OUT/0002.wav, ...
#
#   sh examples/batch.sh PROMPTS.txt VOICE.npz OUT [barkclone speak flags...]
#
# Lines that are done already are skipped, so an interrupted run goes on where it stopped. Blank lines and lines that
# begin with # are not spoken. Exits with 1 if any line failed, after trying all of them.
set -eu
[ $# -ge 3 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
prompts=$1 voice=$2 out=$3
shift 3
barkclone=${BARKCLONE:-barkclone}

mkdir -p "$out"
number=0 failed=0
while IFS= read -r line || [ -n "$line" ]; do
  case $line in "" | \#*) continue ;; esac
  number=$((number + 1))
  wav=$(printf '%s/%04d.wav' "$out" "$number")
  [ -e "$wav" ] && continue
  # A file appears only when it is complete, so what exists is done.
  "$barkclone" speak --voice "$voice" -o "$wav" "$@" -- "$line" </dev/null || { echo "line $number failed: $line" >&2; failed=1; }
done <"$prompts"
exit $failed
