"""FP8-LM's gradients as a trace has them: summed in E4M3 over micro-batches, with scales 2^e times a factor; the factors follow
the saturated codes. All of it is computed again here, from the FP32 gradients of the micro-batches, without fpx's arithmetic.
test_fp8lm.py FPX ROOT"""
import decimal
import json
import math
import os
import re
import struct
import sys

from harness import enter_folder, expect, finish, root, run_text

try:
    import h5py
    import numpy as np
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

STEPS, MICROS = 16, 3
f32 = np.float32

# E4M3 (OCP): sign, 4 bits of exponent with bias 7, 3 of fraction; 0x7f is NaN, 0x7e 448.
values = np.array([(c & 7) / 8 * 2.0**-6 if c < 8 else (1 + (c & 7) / 8) * 2.0 ** ((c >> 3) - 7) for c in range(127)])


def decode(codes):
    return np.where(codes & 0x80, -1.0, 1.0) * values[codes & 0x7F]


def encode(x):
    """The nearest value, ties to the even code, no farther than 448."""
    a = np.abs(x.astype(np.float64))
    above = np.clip(np.searchsorted(values, a), 1, 126)
    low, high = a - values[above - 1], values[above] - a
    up = (high < low) | ((high == low) & (above % 2 == 0))
    return (np.where(up, above, above - 1) | np.where(np.signbit(x), 0x80, 0)).astype(np.uint8)


def growth(window):
    decimal.getcontext().prec = 60
    return f32(float(decimal.Decimal(2) ** (decimal.Decimal(1) / decimal.Decimal(window))))


def power(amax):
    """The largest e with amax 2^e <= 448 = 0.875 2^9."""
    fraction, exponent = math.frexp(float(amax))
    return 9 - exponent - (fraction > 0.875)


class Trace:
    def __init__(self, path):
        self.file = h5py.File(path)
        self.part = self.file["segments/000000"]
        self.names = [r["tensor"].decode() for r in self.file["records"]]
        columns = self.part["stats"].attrs["columns"]
        self.scale = (columns.decode() if isinstance(columns, bytes) else str(columns)).split().index("scale")

    def codes(self, step, name):
        return self.part["values/" + name.replace("/", ":")][step].ravel()

    def reals(self, step, name):
        return self.codes(step, name).view(np.float32)

    def scale_of(self, step, name):
        return self.part["stats"][step][self.names.index(name)][self.scale]


def follow(trace, gradient, freq, ratio, window):
    """One parameter's gradient over all steps. Returns how often its factor fell and rose."""
    site = gradient.rsplit("/", 1)[0]
    parameter = site + ("/gain" if gradient.endswith("dgain") else "/w")
    factor, moves, grows = f32(1), [0, 0], growth(window) if window else None

    for step in range(STEPS):
        codes = scale = None
        for micro in range(MICROS):
            name = f"micro.{micro}/{gradient}"
            x = trace.reals(step, name)
            if micro > 0:
                x = (decode(codes).astype(f32) * scale).astype(f32) + x
            name += (micro > 0) * "+" + ".e4m3"
            amax = np.max(np.abs(x))
            times = f32(np.ldexp(float(factor), power(amax))) if amax > 0 else f32(1)
            codes, scale = encode(x * times), f32(1) / times
            expect(f"{name}, step {step}: codes", np.array_equal(codes, trace.codes(step, name)))
            expect(f"{name}, step {step}: scale", trace.scale_of(step, name) == float(scale), trace.scale_of(step, name))
        if window and step % freq == 0:
            full = np.count_nonzero((trace.codes(step, name) & 0x7F) == 0x7E) / codes.size > ratio
            factor = factor / f32(2) if full else factor * grows
            moves[not full] += 1
        if window:
            now = trace.reals(step, parameter + ".factor")
            expect(f"{parameter}.factor, step {step}", now[0] == factor, (now[0], factor))
    return moves, parameter, factor


def stored(path):
    """Names and FP32 values of a safetensors file."""
    data = open(path, "rb").read()
    size = struct.unpack("<Q", data[:8])[0]
    entries = json.loads(data[8:8 + size])
    return {name: np.frombuffer(data[8 + size:], np.float32, (e["data_offsets"][1] - e["data_offsets"][0]) // 4,
                                e["data_offsets"][0])
            for name, e in entries.items() if name != "__metadata__" and e["dtype"] == "F32"}


enter_folder()
experiment = open(os.path.join(root, "experiments/demo.yaml")).read()
for old, new in (("../datasets", os.path.join(root, "datasets")), ("width: 64, layers: 2, heads: 4, hidden: 176", "width: 32, layers: 1, heads: 2, hidden: 40"),
                 ("sequence: 64", "sequence: 32"), ("batch: 4", f"batch: 2\n  accumulate: {MICROS}"), ("steps: 40", f"steps: {STEPS}")):
    assert old in experiment
    experiment = experiment.replace(old, new)
open("e.yaml", "w").write(experiment)
recipe = open(os.path.join(root, "trainer/recipes/fp8-lm-o3.yaml")).read()
assert ", factor: main" in recipe

# What the recipe says, and what it means: freq, ratio, window.
for number, (word, rule) in enumerate({"": (0, 0, 0), ", factor: main": (0, 0, 0), ", factor: paper": (1, 1e-5, 1000),
                                       ", factor: adaptive": (10, 1e-3, 100),
                                       ', factor: "adaptive,freq=2,ratio=0.002,window=3"': (2, 0.002, 3)}.items()):
    open("r.yaml", "w").write(recipe.replace(", factor: main", word))
    done = run_text("train", "e.yaml", "--recipe", "r.yaml", "--device", "cpu,threads=1", "--trace", f"{number}.h5", "--values", "*",
                    "--checkpoint", f"{number}.state")
    expect(f"train{word}", done.returncode == 0, done.stderr)
    trace = Trace(f"{number}.h5")
    state = stored(f"{number}.state/step-{STEPS:06}.safetensors")
    gradients = [m[1] for m in (re.fullmatch(r"micro\.0/(.*/d(w|gain))\.e4m3", n) for n in trace.names) if m]
    expect(f"parameters{word}", len(gradients) == 9, gradients)
    fell = rose = 0
    for gradient in gradients:
        moves, parameter, factor = follow(trace, gradient, *rule)
        fell, rose = fell + moves[0], rose + moves[1]
        if rule[2]:
            expect(f"the checkpoint's factor of {parameter}{word}", state[parameter + ".factor"][0] == factor)
    expect(f"no factor{word}", any(n.endswith(".factor") for n in state) == (rule[2] > 0))
    expect(f"both ways{word}", rule[2] == 0 or (rose > 0 and (fell > 0 or word.endswith("adaptive"))), (fell, rose))
    print(f"'{word}': {len(gradients)} gradients, {STEPS} steps of {MICROS}: factors fell {fell} times, rose {rose} times")

expect("main is no factor", run_text("diff", "0.h5", "1.h5").returncode == 0)
expect("paper is one", run_text("diff", "0.h5", "2.h5").returncode == 1)

for word, text in {"papers": "'papers' is no factor; there is: paper, adaptive, main", "main,freq=2": "main has nothing",
                   "adaptive,freq=0": "'freq=0' cannot be", "adaptive,freq=1.5": "'freq=1.5' cannot be", "adaptive,": "'' cannot be",
                   "paper,ratio=1": "'ratio=1' cannot be", "paper,window": "'window' cannot be", "paper,freq=1x": "'freq=1x' cannot be",
                   "paper,freq=nan": "'freq=nan' cannot be"}.items():
    open("r.yaml", "w").write(recipe.replace(", factor: main", f', factor: "{word}"'))
    done = run_text("train", "e.yaml", "--recipe", "r.yaml", "--memory")
    expect(word, done.returncode == 2 and text in done.stderr and "state 2" in done.stderr, (done.returncode, done.stderr))
for rule in ("tensor: m, format: e4m3, scaling: tensor-pow2", "tensor: master, format: fp16, scaling: tensor-pow2"):
    open("r.yaml", "w").write(recipe.replace(rule, rule + ", factor: paper"))
    done = run_text("train", "e.yaml", "--recipe", "r.yaml", "--memory")
    expect(rule, done.returncode == 2 and "which is for grad with scaling tensor-pow2" in done.stderr, (done.returncode, done.stderr))
finish()
