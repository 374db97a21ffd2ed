#!/usr/bin/env python3
"""Compares the encoder with two public ones, where Python has them (`pip install ml_dtypes gfloat`): ml_dtypes from
float32 in its own profile; gfloat from float64 in each rounding that it has, stochastic too, for its formats and the
whole P3109 family of 3 to 8 bits. The numbers are every value and midpoint with neighbours at an ulp and at 2^-29.

peers.py ENCODE_PEER ml_dtypes|gfloat
"""
import os
import subprocess
import sys

try:
    import numpy as np

    if sys.argv[2] == "gfloat":
        import gfloat
        from gfloat import Domain, RoundMode, Signedness
        from gfloat import formats as gf
    else:
        import ml_dtypes
except ImportError as missing:
    print(f"skipped: Python has no {missing.name}")
    sys.exit(77)

RNE, RNA, RZ, RU, RD, _RO, SR = range(7)
SATFINITE, _PROPAGATE, NONE = range(3)
EFFORT = max(1, int(os.environ.get("FPX_TEST_EFFORT", "1")))


class Peer:
    def __init__(self, program):
        self.pipe = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def encode(self, fmt, x, rnd=-1, overflow=NONE, profile="-", words=None, bits=0, variant=0):
        """Codes of x in chunks that fit the pipe's reader: writes all, then reads all."""
        source = "f64" if x.dtype == np.float64 else "f32"
        head = f"{profile} {fmt} {rnd} {overflow} {bits} {variant} {source} {len(x)}\n"
        self.pipe.stdin.write(head.encode() + x.tobytes() + (b"" if words is None else words.tobytes()))
        self.pipe.stdin.flush()
        return np.frombuffer(self.pipe.stdout.read(4 * len(x)), dtype=np.uint32)


def report(what, x, got, want):
    bad = np.flatnonzero(got != want)
    if len(bad):
        i = bad[0]
        print(f"{what}: {len(bad)} of {len(x)}; {float(x[i]).hex()} gave {got[i]:#x}, not {want[i]:#x}")
    return len(bad)


# ml_dtypes --------------------------------------------------------------------------------------

def floats():
    """Every exponent and sign with fractions next to the ends, the middle, and random ones: float32."""
    rng = np.random.default_rng(1)
    edges = np.concatenate([np.arange(0, 3), 2**22 + np.arange(-2, 3), 2**23 - np.arange(1, 4)])
    top = (np.arange(256)[:, None] << 5 | np.arange(32)[None, :]).ravel() << 18  # the fraction's upper bits, all
    near = (top[:, None] + np.array([0, 1, 2, 2**17 - 1, 2**17, 2**17 + 1, 2**18 - 1])[None, :]).ravel()
    some = rng.integers(0, 2**31, 1 << 20 if EFFORT == 1 else 1 << 25)
    u = np.concatenate([(np.arange(256)[:, None] << 23 | edges[None, :]).ravel(), near, some]).astype(np.uint32)
    return np.concatenate([u, u | np.uint32(1 << 31)]).view(np.float32)


def compare_ml_dtypes(peer):
    names = {
        "e4m3": "float8_e4m3fn", "e5m2": "float8_e5m2", "e4m3fnuz": "float8_e4m3fnuz", "e5m2fnuz": "float8_e5m2fnuz",
        "e4m3b11fnuz": "float8_e4m3b11fnuz", "e3m4": "float8_e3m4", "ieee_e4m3": "float8_e4m3",
        "e3m2": "float6_e3m2fn", "e2m3": "float6_e2m3fn", "e2m1": "float4_e2m1fn", "e8m0": "float8_e8m0fnu",
        "bf16": "bfloat16",
    }
    x = floats()
    bad = 0
    for fmt, name in names.items():
        with np.errstate(all="ignore"):
            want = x.astype(getattr(ml_dtypes, name)).view(np.uint16 if fmt == "bf16" else np.uint8)
        got = peer.encode(fmt, x, profile="ml_dtypes")
        if fmt == "e8m0":  # its own slip among float32's subnormals: all above 2^-127 goes to 2^-126, not the nearest
            slip = (x > 2.0**-127) & (x < 1.5 * 2.0**-127)
            bad += report("ml_dtypes e8m0 slip", x[slip], got[slip] + 1, want[slip].astype(np.uint32))
            got = np.where(slip, want, got)
        bad += report(f"ml_dtypes {fmt}", x, got, want.astype(np.uint32))
    print(f"{len(names)} formats, {len(x)} float32 each: {bad} differences from ml_dtypes {ml_dtypes.__version__}")
    return bad


# gfloat -----------------------------------------------------------------------------------------

def points(fi):
    """All finite values of a format, the midpoints and one step above, each with its neighbours: float64."""
    codes = np.arange(2**fi.bits)
    value = np.array([gfloat.decode_float(fi, int(c)).fval for c in codes])
    value = np.unique(np.abs(value[np.isfinite(value)]))
    step = 2 * value[-1] - value[-2] if len(value) > 1 else 2 * value[-1]
    value = np.append(value, step)
    if len(value) > 2000:
        value = np.unique(np.concatenate([value[:: len(value) // 1000], value[:20], value[-20:]]))
    p = np.concatenate([value, (value[1:] + value[:-1]) / 2, value[:-1] + np.diff(value) * 0.3125])
    p = p[p > 0]
    near = [p, np.nextafter(p, np.inf), np.nextafter(p, 0), p * (1 + 2.0**-29), p * (1 - 2.0**-29)]
    return np.concatenate(near), p


def same_nan(fi, got, want):
    """gfloat writes one NaN, e4m3's with the sign: which one it is belongs to profiles."""
    return np.where((want == fi.code_of_nan) & (got | 1 << (fi.bits - 1) == want), want, got) if fi.num_nans else got


def expected(fi, x, rnd, sat, words=None, bits=0):
    """gfloat's codes. Without saturation it has no answer where a format has neither Inf nor NaN."""
    more = {} if words is None else {"srbits": words.astype(np.int64), "srnumbits": bits}
    with np.errstate(all="ignore"):
        return gfloat.encode_ndarray(fi, gfloat.round_ndarray(fi, x, rnd, sat, **more)).astype(np.uint32)


def gfloat_formats():
    yield from [("e4m3", gf.format_info_ocp_e4m3), ("e5m2", gf.format_info_ocp_e5m2),
                ("e3m2", gf.format_info_ocp_e3m2), ("e2m3", gf.format_info_ocp_e2m3),
                ("e2m1", gf.format_info_ocp_e2m1), ("fp16", gf.format_info_binary16),
                ("bf16", gf.format_info_bfloat16)]
    for k in range(3, 9):
        for p in range(1, k + 1):
            for s, sign in (("s", Signedness.Signed), ("u", Signedness.Unsigned)):
                for d, domain in (("e", Domain.Extended), ("f", Domain.Finite)):
                    if p < k or s == "u":
                        yield f"binary{k}p{p}{s}{d}", gf.format_info_p3109(k, p, sign, domain)


def compare_gfloat(peer):
    rounds = {RNE: RoundMode.TiesToEven, RNA: RoundMode.TiesToAway, RZ: RoundMode.TowardZero,
              RU: RoundMode.TowardPositive, RD: RoundMode.TowardNegative}
    variants = {0: RoundMode.StochasticFastest, 1: RoundMode.StochasticFast, 2: RoundMode.Stochastic}
    rng = np.random.default_rng(2)
    bad = compared = formats = 0
    for fmt, fi in gfloat_formats():
        formats += 1
        near, exact = points(fi)
        # gfloat's RNA, A and B add in float64 and err within 2^-54 of a threshold: they get points half a unit of
        # float32 away or more.
        safe = np.concatenate([exact, exact * (1 + 2.0**-29), exact * (1 - 2.0**-29)])
        if fi.is_signed:
            near, safe = np.concatenate([near, -near]), np.concatenate([safe, -safe])
        for sat, overflow in ((True, SATFINITE), (False, NONE)):
            if not sat and fi.num_nans == 0 and fi.num_infs == 0:
                continue
            for rnd, mode in rounds.items():
                x = safe if rnd == RNA else near
                want = expected(fi, x, mode, sat)
                got = same_nan(fi, peer.encode(fmt, x, rnd, overflow), want)
                bad += report(f"gfloat {fmt} round {rnd} sat {sat}", x, got, want)
                compared += len(x)
            for variant, mode in variants.items():
                for bits in (1, 3, 8, 16, 23):
                    x = safe[:: 1 + len(safe) // (1500 * EFFORT)]
                    words = rng.integers(0, 2**bits, len(x)).astype(np.uint32)
                    want = expected(fi, x, mode, sat, words, bits)
                    got = peer.encode(fmt, x, SR, overflow, words=words, bits=bits, variant=variant)
                    got = same_nan(fi, got, want)
                    bad += report(f"gfloat {fmt} SR {variant} of {bits} bits sat {sat}", x, got, want)
                    compared += len(x)
    print(f"{formats} formats, {compared} conversions from float64: {bad} differences from gfloat")
    return bad


def main(args):
    peer = Peer(args[0])
    return 1 if (compare_gfloat if args[1] == "gfloat" else compare_ml_dtypes)(peer) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
