"""test_remedies.py DUMP: the remedies of FP4 training (arXiv 2501.17116) computed again in numpy, from the paper's formulas and
from what MS-AMP's code does step by step (operators/fp4_quantize of github.com/Azure/MS-AMP at 9746ea8). Powers are taken
in extended precision: a slope may differ where it lies within 2^-45 of a tie, which is counted. MS-AMP's golden slopes are of its
tests/operators/test_fp4_quantize.py."""
import subprocess
import sys
from fractions import Fraction

import numpy as np

F, LONG = np.float32, np.longdouble
EDGES = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6], F)
GOLDEN = [0.2002, 0.4375, 0.6055, 0.2168, 1.8359, 0.2695, 0.3027, 0.2695, 0.2402, 0.5781]

raw = np.frombuffer(subprocess.run([sys.argv[1]], check=True, stdout=subprocess.PIPE).stdout, F)
at = 0
failures = 0


def take(*shape):
    global at
    n = int(np.prod(shape))
    at += n
    return raw[at - n:at].reshape(shape)


def fails(what, wrong):
    global failures
    wrong = np.asarray(wrong)
    failures += int(wrong.sum())
    if wrong.any():
        print(f"{what}: {int(wrong.sum())} of {wrong.size} differ, the first at {np.argwhere(wrong)[0]}")


def bf16(x):
    u = np.ascontiguousarray(x, F).view(np.uint32).astype(np.uint64)
    rounded = (((u + 0x7FFF + ((u >> 16) & 1)) >> 16) << 16).astype(np.uint32).view(F)
    return np.where(np.isnan(x), F(np.nan), rounded)


def power(t, k):
    """t^(1/k - 1) / k, t a float32 that stands for itself."""
    with np.errstate(divide="ignore"):
        return t.astype(LONG) ** (LONG(1) / LONG(k) - 1) / LONG(k)


def near(got, want, cap):
    """got is want's float32, at most cap; or want's next float32 where want lies at a tie."""
    want = np.minimum(want, LONG(cap))
    exact = got == want.astype(F)
    tie = (got == (want * (1 + LONG(2) ** -45)).astype(F)) | (got == (want * (1 - LONG(2) ** -45)).astype(F))
    return exact | tie


def paper_slope(x, k):
    """Of |x| <= 6: (1/k) |2 (x - lo) / width - 1|^(1/k - 1), the bin's lower edge and width; t as float32 has it."""
    a = np.abs(x)
    i = np.minimum(np.searchsorted(EDGES, a, side="right") - 1, 6)
    lo, width = EDGES[i], EDGES[i + 1] - EDGES[i]
    return power(np.abs((a - lo) * (F(2) / width) - F(1)), k)


def code_slope(x, k, cap):
    """The chain of comparisons of quantize.cu, its additions in float32; its powf rounded from extended precision. Also how far
    from a tie of bf16 a slope is, relatively."""
    lower = np.array([-6, -4, -3, -2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 3, 4], F)
    width = np.array([2, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 1, 1, 2], F)
    with np.errstate(invalid="ignore"):
        i = np.maximum(np.searchsorted(lower, x, side="right") - 1, 0)  # what is below -6 is in the first
    t = np.abs(F(2) * (x - lower[i]) / width[i] - F(1))
    f = np.minimum(power(t, k), LONG(cap)).astype(F)
    f = np.where((x > 6) | np.isnan(x), F(0), f)
    tie = (f.view(np.uint32) & 0xFFFF).astype(np.int64) - 0x8000
    return bf16(f), np.abs(tie)


def code_scale(amax):
    """compute_scaling_factor on bf16, as TorchScript runs it: fp_max / amax is reciprocal and product."""
    with np.errstate(all="ignore"):
        exponent = np.floor(bf16(np.log2(bf16(bf16(F(1) / amax) * F(6)).astype(LONG)).astype(F)))
        scale = np.exp2(np.abs(exponent).astype(np.float64)).astype(F)
        scale = np.where((amax > 0) & np.isfinite(amax), scale, F(1))
        return np.where(exponent < 0, F(1) / scale, scale).astype(F)


# ---- slopes of every bf16 in the grid ----
grid = 0x40C0 + 1
down = (2 * grid + 126) // 127
w = take(down, 128)
paper, code = take(down, 128), take(down, 128)
assert len(np.unique(w.view(np.uint32))) == 2 * grid and w.max() == 6
fails("paper's slope", ~near(paper, paper_slope(w, 5), 3))
want, distance = code_slope(w, 5, 3)
fails("code's slope", code != want)
fails("slopes of the two", code != bf16(paper))
print(f"every bf16 in the grid: no slope within {distance[want < 3].min()} float32 ulp of a tie of bf16: any powf gives these bits")
points = bf16(np.linspace(-6, 6, 20).astype(F))
found = np.array([code[w == p][0] for p in points])
golden = bf16(np.array(GOLDEN + GOLDEN[::-1], F))
fails("MS-AMP's golden slopes", found != golden)
print("MS-AMP's golden slopes:", *found[:10])

# ---- rows with scales ----
rows, cols = 18 * 128 + 6, 24
dw, w = take(rows, cols), take(rows, cols)
amax = np.abs(w).max(axis=1, keepdims=True)
with np.errstate(all="ignore"):
    scale = np.where(np.isfinite(amax) & (amax > 0), np.minimum(F(6) / amax, np.finfo(F).max), F(1)).astype(F)
    x = w * scale
    bounded = np.isfinite(amax)
    x = np.where(bounded, np.clip(x, F(-6), F(6)), x)
    for k, cap in ((5, 3), (10, 2.5)):
        got = take(rows, cols)
        f = np.minimum(paper_slope(np.clip(np.nan_to_num(x), -6, 6), k), LONG(cap))
        f = np.where(np.abs(x) > 6, 0, np.where(np.isnan(x), np.nan, f))
        same = np.zeros(got.shape, bool)
        for off in (0, 1, -1):
            y = dw * (f * (1 + off * LONG(2) ** -45)).astype(F)
            same |= (got == y) | (np.isnan(got) & np.isnan(y))
        fails(f"paper's gradient, k {k}", ~same)
    got = take(rows, cols)
    rounded = bf16(w)
    scale = code_scale(np.abs(rounded).max(axis=1, keepdims=True))
    x = bf16(rounded * scale)
    f = code_slope(x, 5, 3)[0]
    y = bf16(bf16(dw) * f)
    fails("code's gradient", ~((got == y) | (np.isnan(got) & np.isnan(y))))
    single = np.exp2(np.floor(np.log2(((F(1) / amax) * F(6)).astype(LONG)).astype(F))).astype(F)
    doubled = (scale != single)[:2304]
    beyond = int((x < -6).sum()), int((x > 6).sum())
print(f"{int(doubled.sum())} of 2304 scales of bf16 arithmetic are not float32's; "
      f"{beyond[0]} weights then lie below -6, {beyond[1]} above 6")
assert doubled.sum() > 0 and min(beyond) > 0

# ---- clamps ----
rows, cols = 117, 100
for special in (0, 1):
    x = take(rows, cols)
    for over in ("tensor", "row", "column"):
        for alpha in (0.5, 0.97, 0.99, 0.999):
            got = take(rows, cols)
            axis = {"tensor": None, "row": 1, "column": 0}[over]
            s = np.sort(x, axis=axis)
            s = s if axis is not None else s.reshape(-1, 1)
            n = s.shape[axis or 0]
            low, high = int((1 - alpha) * n), int(alpha * n)
            low, high = (s[:, i:i + 1] if axis == 1 else s[i:i + 1, :] for i in (low, high))
            with np.errstate(invalid="ignore"):
                y = np.where(x < low, low, np.where(x > high, high, x))
            y = np.where(np.isnan(low) | np.isnan(high), F(np.nan), y)
            fails(f"clamp {over} {alpha}", ~((got == y) | (np.isnan(got) & np.isnan(y))))
            inside = (x >= low) & (x <= high)
            fails(f"clamp {over} {alpha}, bits inside", (got.view(np.uint32) != x.view(np.uint32)) & inside)
            if special == 0 and over == "tensor" and alpha > 0.9:
                share = (got != x).mean()
                assert abs(share - 2 * (1 - alpha)) < 0.002, share


# ---- residuals ----
def rounded_to_f32(q):
    """A fraction's nearest float32, ties to even; no subnormals here."""
    if q == 0:
        return F(0)
    e = 23 - (abs(q).numerator.bit_length() - abs(q).denominator.bit_length())
    while abs(q) * Fraction(2) ** e >= 2 ** 24:
        e -= 1
    while abs(q) * Fraction(2) ** e < 2 ** 23:
        e += 1
    return F(float(Fraction(round(q * Fraction(2) ** e)) / Fraction(2) ** e))


m, n, k = 19, 14, 41
terms = 0


def sparse_product(base, r, w):
    global terms
    want = np.zeros((m, n), F)
    for i in range(m):
        for j in range(n):
            chain = F(0)
            for at_k in np.nonzero(r[i])[0]:
                chain = rounded_to_f32(Fraction(float(r[i, at_k])) * Fraction(float(w[j, at_k])) + Fraction(float(chain)))
                terms += 1
            want[i, j] = base[i, j] + chain
    return want


base, x, y, w, d = take(m, n), take(m, k), take(m, k), take(n, k), take(m, n)
fails("residual's product", d.view(np.uint32) != sparse_product(base, x - y, w).view(np.uint32))
assert not (x - y)[4].any() and (d[4] == base[4]).all() and terms > 1000
codes, scales, d = take(n, k).astype(int), take(n, 1), take(m, n)
values = np.concatenate([EDGES, -EDGES])[codes]
fails("residual's product with codes", d.view(np.uint32) != sparse_product(base, x - y, values * scales).view(np.uint32))
assert at == len(raw)
print(f"{terms} terms of {2 * m * n * k} in the residual's products; {failures} wrong in all")
sys.exit(failures != 0)
