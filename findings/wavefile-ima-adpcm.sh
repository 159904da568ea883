#!/bin/sh
# wavefile 11.0.0 (npm): toIMAADPCM and fromIMAADPCM, 4-bit coding in blocks of 256 bytes (505 samples).
# Expected: the sound comes back with coding noise, at most padded to whole blocks: 1010 samples make two blocks.
# Seen: 505 samples come back as 1012 (the added ones are zeros) and 5050 as 6148: samples are added in every block,
# so the sound is ever later; one second is 14 % too long. The fact chunk states the longer length as well.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
npm install --prefix "$dir" --silent --no-audit --no-fund wavefile@11.0.0
cat >"$dir/finding.mjs" <<'EOF'
import assert from "node:assert";
import wavefile from "wavefile";

const seen = {};
for (const n of [505, 1010, 5050, 8000]) {
  const wav = new wavefile.WaveFile();
  wav.fromScratch(1, 8000, "16", Int16Array.from({ length: n }, (_, k) => 8000 * Math.sin(k * 0.05)));
  wav.toIMAADPCM();
  const fact = wav.fact.dwSampleLength;
  wav.fromIMAADPCM();
  seen[n] = wav.getSamples(false).length;
  console.log(n, "samples ->", seen[n], "fact chunk", fact);
  assert.strictEqual(fact, seen[n]);
}
assert.deepStrictEqual(seen, { 505: 1012, 1010: 2020, 5050: 6148, 8000: 9144 }, "the length is another now");
EOF
node "$dir/finding.mjs"
