"""test_optimizers.py DUMP: each optimizer's step, computed again in numpy's float32, operation by operation, from
the published formulas; the bits must be equal, a NaN being 0x7fc00000."""
import subprocess
import sys

import numpy as np

N = 20011
f32 = np.float32


def adamw(p, m, v, g, factor, hyper):
    rate, fix1, fix2 = hyper
    g = g * factor
    m = f32(0.9) * m + f32(1.0 - 0.9) * g
    v = f32(0.95) * v + (f32(1.0 - 0.95) * g) * g
    u = (m * fix1) / (np.sqrt(v * fix2) + f32(1e-8))
    return p - rate * (u + f32(0.1) * p), m, v


def sgd(p, m, g, factor, hyper):
    m = f32(0.9) * m + (g * factor + f32(0.1) * p)
    return p - hyper[0] * m, m


def lion(p, m, g, factor, hyper):
    g = g * factor
    c = f32(0.9) * m + f32(1.0 - 0.9) * g
    return p - hyper[0] * (np.sign(c) + f32(0.1) * p), f32(0.99) * m + f32(1.0 - 0.99) * g


def bits(x):
    return np.where(np.isnan(x), np.uint32(0x7FC00000), x.view(np.uint32))


data = np.frombuffer(subprocess.run([sys.argv[1]], check=True, stdout=subprocess.PIPE).stdout, dtype=np.float32)
at = 0


def take(n):
    global at
    at += n
    return data[at - n:at]


np.seterr(all="ignore")
wrong = 0
for method, states in ((adamw, 3), (sgd, 2), (lion, 2)):
    inputs = [take(N) for _ in range(states + 1)] + [take(1)[0], take(3)]
    for name, want in zip("pmv", method(*inputs)):
        got = take(N).view(np.uint32)
        assert want.dtype == np.float32
        bad = np.nonzero(got != bits(want))[0]
        wrong += len(bad)
        if len(bad):
            print(f"{method.__name__}: {name}[{bad[0]}] is {got[bad[0]]:08x}, not {bits(want)[bad[0]]:08x}; "
                  f"{len(bad)} differ")
assert at == len(data), "the dump is longer than expected"
print(f"{3 * N} elements of three optimizers, {wrong} wrong")
sys.exit(wrong != 0)
