#!/usr/bin/env python3
"""Runs `barkclone check --json` over the set that make.py made and prints how often each finding is right.

    python examples/check/measure.py FOLDER [--half tune|report] [--barkclone PROGRAM] [--wrong]

Precision: how many of the files that a finding was told of have it. Recall: how many of the files that have it were told. What a
label allows (`may`) counts neither for nor against. --wrong lists each error.
"""

import argparse
import json
import subprocess
from collections import Counter
from pathlib import Path


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--half", choices=["tune", "report"], default="report")
    parser.add_argument("--barkclone", default="target/release/barkclone")
    parser.add_argument("--wrong", action="store_true")
    return parser.parse_args()


def reports(barkclone, paths):
    lines = subprocess.run([barkclone, "check", "--json", *map(str, paths)], check=True, stdout=subprocess.PIPE, text=True).stdout
    return [json.loads(line) for line in lines.splitlines()]


def ratio(part, whole):
    return f"{100 * part / whole:.0f} % ({part}/{whole})" if whole else "-"


def main():
    args = arguments()
    labels = json.loads((args.folder / "labels.json").read_text())
    labels = {name: label for name, label in labels.items() if label["half"] == args.half}
    right, told, there, wrong = Counter(), Counter(), Counter(), []
    clean = 0
    for (name, label), report in zip(labels.items(), reports(args.barkclone, [args.folder / name for name in labels])):
        found = {finding["fault"] for finding in report["findings"]}
        must, may = set(label["must"]), set(label["may"])
        there.update(must)
        right.update(found & must)
        told.update(found - may | found & must)
        clean += not must and not found - may
        wrong += [f"{name}: {', '.join(sorted(must - found))} missed" for _ in [0] if must - found]
        wrong += [f"{name}: {', '.join(sorted(found - must - may))} told" for _ in [0] if found - must - may]
    print(f"{len(labels)} recordings, half `{args.half}`\n\n| finding | precision | recall |\n|---|---|---|")
    for what in sorted(there | told):
        print(f"| {what} | {ratio(right[what], told[what])} | {ratio(right[what], there[what])} |")
    nothing = sum(not label["must"] for label in labels.values())
    print(f"\nRecordings without anything wrong of which nothing was told: {ratio(clean, nothing)}.")
    if args.wrong:
        print(*wrong, sep="\n")


if __name__ == "__main__":
    main()
