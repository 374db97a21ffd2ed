"""test_optimizers.py DUMP: each optimizer's step, computed again in numpy's float32, operation by operation, from
the published formulas; the bits must be equal, a NaN being 0x7fc00000. Then the scales of states in exact integers, and
COAT's groups in extended precision, where only what lies within 1e-12 of a tie may differ."""
import subprocess
import sys
from fractions import Fraction

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


raw = subprocess.run([sys.argv[1]], check=True, stdout=subprocess.PIPE).stdout
data = np.frombuffer(raw[:len(raw) // 4 * 4], dtype=np.float32)
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


def pow2_exponent(largest, amax):
    """floor(log2(largest / amax)) in exact arithmetic, held in -126 .. 126."""
    ratio = Fraction(largest) / Fraction(amax)
    e = ratio.numerator.bit_length() - ratio.denominator.bit_length()
    e -= Fraction(2) ** e > ratio
    assert Fraction(2) ** e <= ratio < Fraction(2) ** (e + 1)
    return min(max(e, -126), 126)


for largest in (448, 65504):
    x, scales = np.abs(take(1536)), take(2 * 1536).reshape(-1, 2)
    for amax, (encode, decode) in zip(x, scales):
        good = amax > 0 and np.isfinite(amax)
        e = pow2_exponent(largest, float(amax)) if good else 0
        if float(encode) != 2.0 ** e or float(decode) != 2.0 ** -e:
            wrong += 1
            print(f"scale of {amax!r} to {largest}: {encode!r}, {decode!r}, not 2^{e}")

# COAT: RECIPES of arXiv 2410.19313 with k of 1/16ths; x87's 64-bit mantissas.
long = np.longdouble
count, ngroups = 128 * 150 + 77, 151
x, groups, y = take(count), take(3 * ngroups).reshape(-1, 3), take(count)
codes = np.frombuffer(raw, dtype=np.uint8)[4 * at:]
assert len(codes) == count and np.finfo(long).nmant >= 63
grid = np.array([(m / 8 * 2.0 ** -6 if e == 0 else (1 + m / 8) * 2.0 ** (e - 7))
                 for e in range(16) for m in range(8)][:127])
ties, flushed, nonzero = 0, 0, 0
for g in range(ngroups):
    part = slice(128 * g, min(128 * g + 128, count))
    a = np.abs(x[part].astype(long))
    if not a.any():
        want = np.float32([1, 1, 1])
    else:
        top, low = a.max() + long(1e-30), a[a > 0].min() + long(1e-30)
        k = 1.0 if top == low else float(np.floor(16 * np.log2(long(448) ** 2 / 2) / np.log2(top / low)) / 16)
        root = np.float32(np.sqrt(top * low))
        want = np.float32([k, root, (top / long(root)) ** long(k) / 448])
    if (want.view(np.uint32) != groups[g].view(np.uint32)).any():
        wrong += 1
        print(f"coat: group {g} is {groups[g]}, not {want}")
    k, root, scale = (long(v) for v in groups[g])
    q = np.where(a > 0, (a / root) ** k, 0) / scale
    got = grid[codes[part] & 0x7F]
    step = np.where(q < 2.0 ** -6, 2.0 ** -9, 2.0 ** (np.floor(np.log2(np.maximum(q, 2.0 ** -9))) - 3))
    near = np.minimum(np.rint(q / step) * step, 448)
    bad = (near != got) & (np.abs(q / step % 1 - 0.5) > 1e-12)
    ties += int(((near != got) & ~bad).sum())
    bad |= ((codes[part] >> 7) != np.signbit(x[part]))
    back = np.where(got > 0, (got * scale) ** (1 / k) * root, 0).astype(np.float32)
    bad |= np.abs(np.abs(y[part]) - back) > np.spacing(np.abs(back))
    nonzero += int((a > 0).sum())
    flushed += int(((a > 0) & (got == 0)).sum())
    wrong += int(bad.sum())
    if bad.any():
        i = int(np.nonzero(bad)[0][0])
        print(f"coat: group {g}, element {i}: {x[part][i]!r} is {got[i]} and {y[part][i]!r}, q = {q[i]}")
print(f"coat: {flushed} of {nonzero} flushed to zero, {ties} at ties")
print(f"{3 * N} elements of three optimizers, {wrong} wrong")
sys.exit(wrong != 0)
