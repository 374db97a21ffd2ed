#!/usr/bin/env python3
"""The vectors that `fpx models X --vectors Y` finds, given to the oracle of big integers: for pairs of presets it must make of
each input what fpx says that X and Y make of it, and for the mutants of X what X does.

mma_witness.py FPX MMA_PEER"""
import json
import subprocess
import sys

import mma_models as mm
from mma_oracle import Oracle


def output(name, out, vector):
    """The oracle's code of D for a preset."""
    def codes(key):
        return [int(code, 16) for code in vector[key]]

    a_fmt, b_fmt, c_fmt, k = vector["a_format"], vector["b_format"], vector["c_format"], vector["k"]
    drop = 13 if "tf32" in name or "xf32" in name else 0
    row = [[mm.decode(fmt, code >> drop << drop if fmt == "fp32" else code) for code in codes(key)]
           for fmt, key in ((a_fmt, "a"), (b_fmt, "b"))]
    for key in ("scale_a", "scale_b"):
        row.append(None if key not in vector else
                   [mm.decode(vector["scale_format"], codes(key)[i // vector["scale_block"]]) for i in range(k)])
    oracle = Oracle(name, out, c_fmt)
    x = oracle.dot(row, mm.decode(c_fmt, int(vector["c"], 16)))
    return oracle.nan if x.kind == mm.NAN else mm.code_of(out, x.neg, mm.TOO_LARGE if x.kind == mm.INF else x.mag)


def main(fpx, peer):
    presets = [line.split("\t")[:2] for line in
               subprocess.run([peer, "--list"], capture_output=True, text=True, check=True).stdout.splitlines()]
    outputs = dict(presets)
    vectors = bad = 0
    for name, _ in presets:
        for kind in ("all", "mutants"):
            done = subprocess.run([fpx, "models", name, "--vectors", kind, "--json", "-"], capture_output=True, text=True,
                                  check=True)
            for other in json.loads(done.stdout)["comparisons"]:
                if other["verdict"] != "separated":
                    continue
                vector = other["vector"]
                got = [int(code, 16) for code in vector["d"]]
                want = [output(model, outputs[model], vector)
                        for model in ([name, other["other"]] if kind == "all" else [name])]
                vectors += 1
                if got[:len(want)] != want or got[0] == got[1]:
                    bad += 1
                    print(f"{name} and {other['other']}: D {[hex(x) for x in got]}, the oracle says {[hex(x) for x in want]}")
    print(f"{vectors} vectors that separate a preset from another or a mutant: {bad} differ from the oracle")
    return 1 if bad or not vectors else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
