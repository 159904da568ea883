#!/bin/sh
# wavefile 11.0.0 (npm): toBitDepth from 16 to 24 bits and back to 16.
# Expected: the same samples; widening loses nothing.
# Seen: positive samples become one step smaller (1 becomes 0, 100 becomes 99), negative ones stay. By way of 32-bit
# floats it goes on with every round: 100, 99, 98, 97.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
npm install --prefix "$dir" --silent --no-audit --no-fund wavefile@11.0.0
cat >"$dir/finding.mjs" <<'EOF'
import assert from "node:assert";
import wavefile from "wavefile";

const first = [1, -1, 2, -2, 100, -100];
const through = (samples, depth) => {
  const wav = new wavefile.WaveFile();
  wav.fromScratch(1, 24000, "16", samples);
  wav.toBitDepth(depth);
  wav.toBitDepth("16");
  return [...wav.getSamples(false)];
};
const back = through(first, "24");
console.log("16 bits", first, "-> 24 bits and back", back);
assert.deepStrictEqual(back, [0, -1, 1, -2, 99, -100], "widening changed");
let float = first;
for (const expected of [99, 98, 97]) {
  float = through(float, "32f");
  console.log("by way of floats", float);
  assert.strictEqual(float[4], expected, "the round trip changed");
}
EOF
node "$dir/finding.mjs"
