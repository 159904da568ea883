#!/usr/bin/env bash
# Builds what examples/gpu/check.sh runs on a machine with a GPU, on one that needs neither GPU nor CUDA.
#
#     bash examples/gpu/build.sh              # CUDA 13.0, compute capability 9.0 (H100, H200): target/gpu/bin.tar.xz
#     CUDA_COMPUTE_CAP=89 bash examples/gpu/build.sh      # another GPU
#
# CUDA's compiler and libraries come from PyPI into target/cuda-toolkit (1.2 GB). target/gpu is what the other machine
# needs besides the repository; the sizes of both are printed, and over 64 MiB together it fails.
set -euo pipefail
cd "$(dirname "$0")/../.."
MOST=$((64 << 20))
wheels=$PWD/target/cuda-toolkit
toolkit=$wheels/nvidia/cu13
packed=target/gpu/bin.tar.xz

install_toolkit() {
    python3 -m pip install --quiet --no-deps --upgrade --target "$wheels" nvidia-cuda-nvcc==13.0.88 \
        nvidia-nvvm==13.0.88 nvidia-cuda-crt==13.0.88 nvidia-cuda-runtime==13.0.96 nvidia-cuda-cccl==13.0.85 \
        nvidia-cuda-nvrtc==13.0.88 nvidia-cublas==13.10.0.20 nvidia-curand==10.4.5.25
    # Linkers look for libNAME.so, which wheels leave out.
    for library in "$toolkit"/lib/lib*.so.*; do ln -sf "$(basename "$library")" "${library%%.so.*}.so"; done
    make_driver
}

# Wheels have no driver: a stand-in, with every function of cuda.h, that finds no device. Where there is a GPU there is
# a driver.
make_driver() {
    mkdir -p "$toolkit/lib/stubs"
    grep -ohE '\bcu[A-Z][A-Za-z0-9_]*' "$toolkit"/include/cuda*.h | sort -u |
        sed 's/.*/int &(void) { return 100; }/' |
        gcc -w -fno-builtin -shared -fPIC -Wl,-soname,libcuda.so.1 -x c - -o "$toolkit/lib/stubs/libcuda.so.1"
    ln -sf libcuda.so.1 "$toolkit/lib/stubs/libcuda.so"
}

# candle's products of GGUF's types would take most of an hour to compile, and nothing here calls them: each of those
# files becomes the one function that it has for callers, which stops the program.
make_compiler() {
    cat >"$wheels/nvcc" <<'END'
#!/usr/bin/env bash
case "${*: -1}" in
*/mmq_instance_*.cu)
    name=$(basename "${*: -1}" .cu)
    while [ "$1" != -o ]; do shift; done
    echo "extern \"C\" void launch_mmq_gguf_${name#mmq_instance_}() { __builtin_trap(); }" |
        g++ -c -fPIC -x c++ - -o "$2"
    ;;
*) exec "$(dirname "$0")/nvidia/cu13/bin/nvcc" "$@" ;;
esac
END
    chmod +x "$wheels/nvcc"
}

[ -e "$toolkit/lib/stubs/libcuda.so" ] || install_toolkit
make_compiler
export CUDA_HOME=$toolkit CUDA_PATH=$toolkit NVCC=$wheels/nvcc PATH=$toolkit/bin:$PATH
export CUDA_COMPUTE_CAP=${CUDA_COMPUTE_CAP:-90} LIBRARY_PATH=$toolkit/lib:$toolkit/lib/stubs
rm -rf target/gpu && mkdir -p target/gpu/bin
cargo build --release --features cuda --target-dir target/cuda-build --bin barkclone --example bench \
    --example approximate --test tests --message-format json-render-diagnostics | python3 -c '
import json, shutil, sys
for line in sys.stdin:
    if (message := json.loads(line)).get("executable"):
        shutil.copy(message["executable"], "target/gpu/bin/" + message["target"]["name"])'
strip target/gpu/bin/*
ls -l target/gpu/bin
# -9 remembers enough to store once the kernels that each program holds.
tar --create --directory target/gpu bin | xz -9 -T1 >"$packed"
rm -r target/gpu/bin
size=$(stat --format=%s "$packed")
tracked=$(git ls-files -z | du --files0-from=- --bytes --total | tail -1 | cut -f1)
echo "$packed: $((size >> 20)) MiB, the repository: $((tracked >> 20)) MiB"
((size + tracked <= MOST)) || { echo "more than 64 MiB together" >&2 && exit 1; }
