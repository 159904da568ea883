"""What examples/gpu/check.sh runs: see there."""

import argparse
import ctypes
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BIN = ROOT / "target/gpu-run/bin"
OUT = Path(os.environ["OUT"])
PEER = "transformers"
LINE = re.compile(r"^(\S.{42,}?) +([0-9.]+) (ms|s)\b")
BATCH = re.compile(r"(batch of [0-9]+)\b.*? ([0-9.]+) s/s")
FAR = re.compile(r"^(\S+) (f32|f16|bf16) +divergence (\S+) nats, same likeliest token (\S+) %")


def library_path():
    """Where CUDA's libraries are: with PyTorch, in the system, where build.sh put them.

    The driver's stand-in is last, and only where there is no driver: a path goes before the system's own.
    """
    wheels = [folder / "nvidia" for folder in map(Path, sys.path) if (folder / "nvidia").is_dir()]
    found = [library for wheel in wheels for library in sorted(wheel.glob("*/lib"))]
    toolkit = ROOT / "target/cuda-toolkit/nvidia/cu13/lib"
    found += [Path("/usr/local/nvidia/lib64"), Path("/usr/local/cuda/lib64"), toolkit]
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        found.append(toolkit / "stubs")
    return ":".join(map(str, found))


def smi(what):
    """What nvidia-smi tells of the GPUs, a line each; nothing where there is none."""
    command = ["nvidia-smi", f"--query-gpu={what}", "--format=csv,noheader,nounits"]
    return subprocess.run(command, capture_output=True, text=True).stdout if shutil.which(command[0]) else ""


class Memory:
    """The most memory that is taken while it watches: of the GPU, or of a process and its children."""

    def __init__(self, on_gpu):
        self.on_gpu, self.most, self.over = on_gpu, 0.0, threading.Event()

    def gigabytes(self, process):
        if self.on_gpu:
            return float(smi("memory.used").split()[0]) * 2**20 / 1e9
        status = Path(f"/proc/{process}/status").read_text()
        return float(re.search(r"VmHWM:\s+(\d+)", status)[1]) * 1024 / 1e9

    def watch(self, process):
        while not self.over.wait(0.1):
            try:
                self.most = max(self.most, self.gigabytes(process))
            except (OSError, TypeError, ValueError, IndexError):
                return


class Check:
    def __init__(self, opts):
        self.opts, self.begin = opts, time.monotonic()
        self.on_gpu = opts.device.startswith("cuda")
        # (row, column): what the table says there
        self.cells, self.failures, self.memory = {}, [], 0.0
        self.environment = dict(os.environ, BARKCLONE_DEVICE=opts.device, LD_LIBRARY_PATH=library_path())

    def put(self, row, column, told):
        self.cells[row, column] = told

    def left(self):
        return self.opts.budget - (time.monotonic() - self.begin)

    def run(self, name, limit, command, ours=True):
        """The output of a step; nothing where it failed, which is then told."""
        limit, start = min(limit * self.opts.patience, self.left()), time.monotonic()
        print(f"== {name} (at most {max(limit, 0):.0f} s)", flush=True)
        if limit < 1:
            return self.fail(name, "there was no time left")
        with tempfile.TemporaryFile("w+", errors="replace") as sink:
            environment = self.environment if ours else None
            command = list(map(str, command))
            process = subprocess.Popen(command, cwd=ROOT, stdout=sink, stderr=subprocess.STDOUT, env=environment)
            memory = Memory(self.on_gpu)
            watch = threading.Thread(target=memory.watch, args=[process.pid])
            watch.start()
            try:
                code = process.wait(limit)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                code = f"nothing after {limit:.0f} s"
            memory.over.set()
            watch.join()
            sink.seek(0)
            output = sink.read()
        self.memory = memory.most
        print(f"{output}== {name}: {time.monotonic() - start:.1f} s, {memory.most:.2f} GB at most", flush=True)
        if code != 0:
            lines = output.strip().splitlines()
            why = next((line for line in lines if "rror" in line), lines[-1] if lines else "nothing was said")
            self.fail(name, code if isinstance(code, str) else f"exit code {code}: {why}")
            return output if isinstance(code, str) else None
        return output

    def fail(self, name, why):
        self.failures.append(f"{name}: {why}")
        print(f"FAILED {self.failures[-1]}", flush=True)

    def take(self, size, column, output):
        """Enters every time that is told."""
        loads = []
        for line in (output or "").splitlines():
            if found := BATCH.search(line):
                self.put(f"{size}: {found[1]}, speech a second", column, f"{float(found[2]):.3g} s")
            elif found := LINE.match(line):
                what, value, unit = found[1].strip(), float(found[2]), found[3]
                if what.endswith(": load"):
                    loads.append(value)
                elif not what.startswith("utterance") or "since Bark" in what or "all" in what:
                    more = line[found.end():].split("  ")[-1] if "real time" in line else ""
                    self.put(f"{size}: {what}", column, f"{value:g} {unit}" + (f", {more}" if more else ""))
        if loads:
            self.put(f"{size}: load all stages", column, f"{sum(loads):.0f} ms")

    def peak(self, size, column, what):
        self.put(f"{size}: most memory, {what}", column, f"{self.memory:.2f} GB")

    def correctness(self):
        self.run("selftest", 60, [BIN / "barkclone", "models", "selftest"])
        one = "--test-threads=1"
        self.goldens("tiny: equal to upstream's", 60, [BIN / "tests", "parity_speak", "parity_clone", one])
        self.goldens("batches of tiny: equal to one by one", 60, [BIN / "tests", "an_utterance_has_the_tokens", one])
        for size in self.opts.sizes:
            if size != "tiny":
                self.goldens(f"{size}: equal to upstream's", 90, [BIN / "tests", f"{size}_at_full_width", "--ignored"])
            arguments = ["--bark", size, "--steps", self.opts.steps, "--device", self.opts.device]
            far = self.run(f"divergence {size}", 60, [BIN / "approximate", *arguments])
            for line in (far or "").splitlines():
                if found := FAR.match(line):
                    self.put(f"{size}: {found[1].lower()}, likeliest tokens as in f32 on the CPU", found[2],
                             f"{found[4]} % ({found[3]} nats)")

    def goldens(self, which, limit, command):
        passed = re.search(r"test result: ok\. (\d+) passed", self.run(f"goldens {which}", limit, command) or "")
        self.put(f"{which} (goldens that passed)", "f32", f"{passed[1]} of {passed[1]}" if passed else "NO")

    def bench(self, size, kind, limit, only, *more):
        command = [BIN / "bench", "--device", self.opts.device, "--bark", size, "--only", only, *more]
        command += ["--seconds", self.opts.seconds] + (["--weights", kind] if kind != "f32" else [])
        output = self.run(" ".join(map(str, [size, kind, only, *more])), limit, command)
        self.take(size, kind, output)
        return output

    def peer(self, size, limit, what, *more):
        command = [sys.executable, ROOT / "examples/bench_peers.py", "--what", what, "--bark", size, *more]
        command += ["--seconds", self.opts.seconds, "--device", self.opts.device if self.on_gpu else "cpu"]
        command += ["--bench", BIN / "bench", "--rounds", 1, "--threads", os.cpu_count()]
        output = self.run(" ".join(map(str, [size, PEER, what, *more])), limit, command, ours=False)
        self.take(size, PEER, output)
        return output

    def times(self, size):
        nets = "steps,fine,codec,clone"
        packing = [BIN / "bench", "--bark", size, "--weights", self.packed, "--only", "packing"]
        self.run(f"{size} made by rule", 60, packing)
        # candle multiplies no bf16 on a CPU.
        for kind in ("f16", "f32", "bf16")[: 3 if self.on_gpu else 2]:
            if self.bench(size, kind, 60, "utterance"):
                self.peak(size, kind, "one utterance")
            self.bench(size, kind, 45, nets)
        if self.peer(size, 90, "nets"):
            self.peak(size, PEER, "one utterance")
        for batch in self.opts.batches:
            if self.bench(size, "f16", 60, "batch", "--batch", batch, "--utterances", batch):
                self.peak(size, "f16", f"batch of {batch}")
            if self.peer(size, 60, "batch", "--only", PEER, "--batches", batch):
                self.peak(size, PEER, f"batch of {batch}")

    @property
    def packed(self):
        """The type of the file that transformers reads."""
        return "f16" if self.on_gpu else "f32"

    def table(self):
        columns = ["f32", "f16", "bf16", PEER]
        rows = list(dict.fromkeys(row for row, _ in self.cells))
        said = f"{self.opts.seconds:g} s of speech, rule-made weights; {PEER} in {self.packed}"
        lines = [f"{machine(self.on_gpu)}, {datetime.now(timezone.utc):%Y-%m-%d}. {said}.", ""]
        lines += ["| | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
        told = [[row, *(self.cells.get((row, column), "") for column in columns)] for row in rows]
        lines += ["| " + " | ".join(cells) + " |" for cells in told]
        lines += [""] + [f"FAILED {failure}" for failure in self.failures]
        return "\n".join(lines).rstrip() + "\n"


def machine(on_gpu):
    if on_gpu:
        return ", driver ".join(smi("name,driver_version").strip().split(", ")) or "no nvidia-smi"
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return f"no GPU, {os.cpu_count()} threads of {model[1] if model else 'a CPU'}"


def main():
    parser = argparse.ArgumentParser(description="Check and time barkclone on a GPU, beside transformers")
    parser.add_argument("--device", default="cuda", help="cpu, or candle: the CPU, but running what a GPU would")
    parser.add_argument("--sizes", default="small,large", help="of tiny, small and large")
    parser.add_argument("--seconds", type=float, default=10.0, help="of speech in each utterance")
    parser.add_argument("--batches", default="8,32")
    parser.add_argument("--steps", type=int, default=100, help="tokens that the divergence is taken of")
    parser.add_argument("--budget", type=float, default=470.0, help="seconds for all of it")
    parser.add_argument("--patience", type=float, default=1.0, help="how many times its own limit a step may take")
    opts = parser.parse_args()
    opts.sizes, opts.batches = opts.sizes.split(","), opts.batches.split(",")
    check = Check(opts)
    check.correctness()
    for size in opts.sizes:
        check.times(size)
    table = check.table()
    (OUT / "table.md").write_text(table)
    print(f"\n{table}")
    sys.exit(bool(check.failures))


if __name__ == "__main__":
    main()
