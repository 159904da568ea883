#!/bin/sh
# gguf 0.19.0, GGUFWriter.add_array: an empty list, and integers beyond 32 bits.
# Expected: an empty array is stored as an empty array; 64-bit integers, which the format has, are stored as such.
# Seen: the key of an empty list is left out of the file without a word, and a list of integers is always INT32: 2**31
# is accepted by add_array and fails later, when the file is written.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check gguf==0.19.0 numpy==2.4.6
"$dir/venv/bin/python" - "$dir" <<'EOF'
import struct, sys
import gguf

def written(value, path=sys.argv[1] + "/a.gguf"):
    writer = gguf.GGUFWriter(path, "test")
    writer.add_array("key", value)
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
    except struct.error as error:
        return str(error)
    writer.write_tensors_to_file()
    writer.close()
    return gguf.GGUFReader(path).get_field("key")

kept, empty, large = written([1, 2]), written([]), written([2**31])
print("[1, 2] ->", [t.name for t in kept.types], "; [] ->", empty, "; [2**31] ->", large)
assert kept.types[1].name == "INT32"
assert empty is None, "an empty array is stored now"
assert isinstance(large, str) and "2147483647" in large, "large integers are stored now"
EOF
