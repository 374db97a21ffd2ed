"""fpx gemm --bounds: errors against fractions.Fraction, what it counts, samples, batches, finding nothing.
test_gemm_bounds.py FPX ROOT"""
import json
import os
from fractions import Fraction

import numpy as np

from harness import enter_folder, expect, finish, run as run_fpx

seed = int(os.environ.get("FPX_TEST_SEED", "20268"))
print("FPX_TEST_SEED", seed)
random = np.random.default_rng(seed)


def run(*args):
    return run_fpx("gemm", *args)


def judged(*args):
    """The JSON's bounds, having held."""
    done = run(*args, "-o", "d.npy", "--bounds", "--json", "-")
    expect(f"holds: {args}", done.returncode == 0, (done.returncode, done.stderr[-300:]))
    return json.loads(done.stdout)["bounds"]


def exact(a, b, i, j, c=None):
    total = sum((Fraction(float(x)) * Fraction(float(y)) for x, y in zip(a[i], b[:, j])), Fraction(0))
    return total + (Fraction(float(c[i, j])) if c is not None else 0)


def largest_error(a, b, c=None):
    d = np.load("d.npy")
    return max(abs(Fraction(float(d[i, j])) - exact(a, b, i, j, c))
               for i in range(d.shape[0]) for j in range(d.shape[1]))


def same(x, y):
    """Rounded upward to float64."""
    return y <= Fraction(x) <= y * (1 + Fraction(1, 2 ** 50))


def save(name, x):
    np.save(name, x)
    return x


enter_folder()
a = save("a.npy", random.standard_normal((6, 40)).astype("f4"))
b = save("b.npy", random.standard_normal((40, 5)).astype("f4"))
c = save("c.npy", random.standard_normal((6, 5)).astype("f4"))

for model in ("ampere", "hopper", "cdna3", "cdna1", "cdna3/mfma/xf32-fp32", "ideal/exact/any-fp32", "ideal/fma/any-fp32",
              "ideal/pairwise/any-fp32"):
    for start in ((), ("-c", "c.npy")):
        r = judged("a.npy", "b.npy", *start, "--model", model)
        expect(f"{model}: all are compared", (r["sums"], r["compared"], r["unbounded"]) == (30, 30, 0), r)
        expect(f"{model}: none is beyond", r["violations"] == 0 and r["error"] <= r["bound"], r)
        expect(f"{model}: the largest error", same(r["max_error"], largest_error(a, b, c if start else None)),
               (r["max_error"], float(largest_error(a, b, c if start else None))))
        expect(f"{model}: the tight bound is below the cheap one",
               0 < r["cheap"]["max"] <= r["tight"]["max"] <= 1 and r["cheap"]["median"] <= r["tight"]["median"], r)
        if model.startswith("ideal/exact"):
            expect("one rounding is never open", r["undecided"] == 0 and r["max_ulps"] <= 0.5, r)

# Products that no unit here rounds: no error, nothing open.
save("i.npy", random.integers(-8, 9, (7, 32)).astype("f4"))
save("j.npy", random.integers(-8, 9, (32, 3)).astype("f4"))
for model in ("ampere", "hopper", "cdna3", "ideal/fma/any-fp32"):
    r = judged("i.npy", "j.npy", "--model", model)
    expect(f"{model}: integers", r["max_error"] == 0 and r["undecided"] == 0 and r["tight"]["max"] == 0, r)

# Hopper's FP8 keeps nothing of 0.875 beside 2^23: the error is what the terms amount to, and so is the bound.
save("x.npy", np.array([[0xE8, 0xB8, 0xB4, 0xB0]], "u1"))  # -2048, -0.5, -0.25, -0.125 in e5m2
save("y.npy", np.array([[0x6C], [0x3C], [0x3C], [0x3C]], "u1"))  # 4096, 1, 1, 1
save("z.npy", np.array([[2.0 ** 23]], "f4"))
r = judged("x.npy", "y.npy", "-c", "z.npy", "--a-format", "e5m2", "--b-format", "e5m2", "--model",
           "hopper/wgmma/fp8-fp32")
expect("Hopper's FP8 loses 0.875", r["max_error"] == 0.875 and r["error"] == 0.875 and r["bound"] >= 0.875, r)

# NaN and Inf: no claim.
special = a.copy()
special[2, 3], special[4, 0] = np.nan, np.inf
save("s.npy", special)
r = judged("s.npy", "b.npy", "--model", "ampere")
expect("two rows have no bound", (r["compared"], r["unbounded"], r["violations"]) == (30, 10, 0), r)

# A batch; sums are judged, whatever follows them.
save("ab.npy", random.standard_normal((3, 4, 16)).astype("f4"))
save("bb.npy", random.standard_normal((3, 16, 2)).astype("f4"))
r = judged("ab.npy", "bb.npy", "--model", "ampere")
expect("a batch", (r["sums"], r["compared"]) == (24, 24) and r["violations"] == 0, r)
r2 = judged("ab.npy", "bb.npy", "--model", "ampere", "--scale", "0.5", "--out-format", "bf16")
expect("before the epilogue", r2 == r, r2)

# Large products: a sample, the same for any number of threads.
save("la.npy", random.standard_normal((300, 600)).astype("f4"))
save("lb.npy", random.standard_normal((600, 200)).astype("f4"))
r = judged("la.npy", "lb.npy", "--model", "ampere", "--threads", "1")
expect("a sample", r["sums"] == 60000 and 1000 <= r["compared"] < 60000 and r["violations"] == 0, r)
expect("its place", r["place"][0] == 0 and r["place"][1] < 300 and r["place"][2] < 200, r["place"])
expect("threads", judged("la.npy", "lb.npy", "--model", "ampere", "--threads", "2") == r)
d = np.load("d.npy")
i, j = r["place"][1:]
wide_a, wide_b = np.load("la.npy"), np.load("lb.npy")
expect("the error there", same(r["error"], abs(Fraction(float(d[i, j])) - exact(wide_a, wide_b, i, j))), r)

# For people.
before = sorted(os.listdir("."))
done = run("a.npy", "b.npy", "--model", "ampere", "--bounds")
expect("without -o", done.returncode == 0 and b"sums compared" in done.stdout and sorted(os.listdir(".")) == before, done)
text = run("a.npy", "b.npy", "-o", "d.npy", "--model", "ampere", "--bounds").stdout.decode()
for words in ("bounds: 30 of 30 sums compared", "largest error", "ulp of fp32", "cheap: at most", "tight: at most",
              "undecided; none is beyond the tight one"):
    expect(f"text: {words}", words in text, text)
plain = run("a.npy", "b.npy", "-o", "d.npy", "--model", "ampere", "--json", "-")
expect("nothing where it was not asked for", json.loads(plain.stdout)["bounds"] is None)

finish()
