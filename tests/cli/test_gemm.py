"""fpx gemm on files: D bit for bit against exact integers (tests/emul/mma_oracle.py, written from the published models)
and numpy; batches, transposes, scales, epilogue, formats, every mistake.  test_gemm.py FPX ROOT"""
import json
import os
import re
import shlex
import signal
import struct
import subprocess
import sys
import time

import numpy as np

from harness import enter_folder, expect, finish, fpx, root, run

sys.path.insert(0, os.path.join(root, "tests/emul"))
import mma_models as mm
from finish_oracle import finished
from mma_oracle import Oracle

seed = int(os.environ.get("FPX_TEST_SEED", "20266"))
print("FPX_TEST_SEED", seed)
random = np.random.default_rng(seed)
ONE = 0x3F800000


def works(*args, **environment):
    done = run(*args, **environment)
    expect(f"runs: {args}", done.returncode == 0 and not done.stderr, (done.returncode, done.stderr[-300:]))
    return done.stdout.decode()


def refused(name, words, *args):
    """Exit 2, one message with these words, and nothing written."""
    before = {f: os.stat(f).st_mtime_ns for f in os.listdir(".")}
    done = run("gemm", *args)
    text = done.stderr.decode(errors="replace")
    expect(name, done.returncode == 2 and all(word in text for word in words)
           and sum(line.startswith("fpx") for line in text.splitlines()) == 1 and not done.stdout
           and {f: os.stat(f).st_mtime_ns for f in os.listdir(".")} == before, (done.returncode, text))


def write_st(name, tensors, metadata=None):
    header, at, data = {"__metadata__": metadata} if metadata else {}, 0, b""
    for key, (dtype, shape, raw) in tensors.items():
        header[key] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + len(raw)]}
        at, data = at + len(raw), data + raw
    text = json.dumps(header).encode()
    with open(name, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def read_st(name):
    raw = open(name, "rb").read()
    n = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8:8 + n])
    metadata = header.pop("__metadata__", {})
    return {key: (t["dtype"], tuple(t["shape"]), raw[8 + n + t["data_offsets"][0]:8 + n + t["data_offsets"][1]])
            for key, t in header.items()}, metadata


# ---- codes as files: floats where numpy has them ----
FLOATS = {"fp16": (np.uint16, np.float16), "fp32": (np.uint32, np.float32), "fp64": (np.uint64, np.float64)}


def save(name, fmt, codes):
    """An array of codes; what the command line must say of it."""
    codes = np.ascontiguousarray(codes)
    if fmt in FLOATS:
        np.save(name, codes.astype(FLOATS[fmt][0]).view(FLOATS[fmt][1]))
        return None
    np.save(name, codes.astype(np.uint8 if mm.bits_of(fmt) <= 8 else np.uint16))
    return fmt


def load(name, fmt):
    array = np.load(name)
    return array.view(FLOATS[fmt][0]) if fmt in FLOATS else array


def values(name, fmt):
    array = np.load(name)
    return (array.astype(np.uint32) << 16).view(np.float32) if fmt == "bf16" else array


def code_of(fmt, x):
    """The code of a number that the format has."""
    return mm.code_of(fmt, int(x < 0), int(abs(x) * 64) << mm.Q - 6)


def told(a, b):
    return [word for option, fmt in (("--a-format", a), ("--b-format", b)) if fmt for word in (option, fmt)]


def gemm(model, a, b, *more, out="d.npy", **environment):
    """a, b: (format, codes)."""
    formats = told(save("a.npy", *a), save("b.npy", *b))
    return works("gemm", "a.npy", "b.npy", "-o", out, "--model", model, *formats, *more, **environment)


def exact(model, out, a, b, c=None, scales=None):
    """D by the oracle: codes of A m x k and B k x n, C m x n; scales (format, block, of A m x kb, of B n x kb)."""
    fa, fb = a[0], b[0]
    oracle = Oracle(model, out, c[0] if c else None)
    drop = 13 if "tf32" in model or "xf32" in model else 0
    A, B = np.asarray(a[1]), np.asarray(b[1])
    D = np.zeros((A.shape[0], B.shape[1]), np.uint64)

    def numbers(fmt, codes):
        return [mm.decode(fmt, int(x) >> drop << drop if fmt == "fp32" else int(x)) for x in codes]

    def spread(row):
        return [mm.decode(scales[0], int(row[k // scales[1]])) for k in range(A.shape[1])]
    for i in range(D.shape[0]):
        for j in range(D.shape[1]):
            row = (numbers(fa, A[i]), numbers(fb, B[:, j]), spread(scales[2][i]) if scales else None,
                   spread(scales[3][j]) if scales else None)
            x = oracle.dot(row, mm.decode(c[0], int(c[1][i][j])) if c else None)
            D[i, j] = oracle.nan if x.kind == mm.NAN else \
                mm.code_of(out, x.neg, mm.TOO_LARGE if x.kind == mm.INF else x.mag)
    return D


def codes(fmt, *shape):
    """Of numbers about 1, with zeros and subnormals among them."""
    bits, (ebits, mbits, bias, specials) = mm.bits_of(fmt), mm.FORMATS[fmt]
    top = (1 << ebits) - (2 if specials == "ieee" else 1)
    field = np.clip(bias + random.integers(-4, 4, shape), 0, top if specials == "none" else top - 1)
    field = np.where(random.random(shape) < 0.1, 0, field)
    fraction = random.integers(0, 1 << min(mbits, 30), shape) << max(mbits - 30, 0)
    return (random.integers(0, 2, shape).astype(np.uint64) << np.uint64(bits - 1)) | \
        ((field.astype(np.uint64) << np.uint64(mbits)) | fraction.astype(np.uint64))


enter_folder()
os.environ.pop("FPX_CPU", None)
os.environ["FPX_THREADS"] = "2"

# ---- the vector of MMA-Sim's table 8: c = 2^23, products -2^23, -0.5, -0.25, -0.125 ----
np.save("c.npy", np.array([[2.0**23]], np.float32))
for fmt, model, want in (("fp16", "volta", 0), ("fp16", "turing", -0.5), ("fp16", "ampere", -0.5), ("fp16", "hopper", -0.75),
                         ("fp16", "blackwell", -0.75), ("e5m2", "ada", 0), ("e5m2", "hopper/wgmma", 0),
                         ("e5m2", "hopper/mma.sync", 0), ("e5m2", "blackwell/tcgen05", -0.75), ("fp16", "cdna1", -0.875),
                         ("fp16", "cdna2", 0), ("fp16", "cdna3", -0.5), ("e5m2fnuz", "cdna3", -1.0),
                         ("e5m2", "hopper/wgmma/fp8-fp32", 0)):
    a = [[code_of(fmt, x) for x in (-2.0**12, -1, -0.5, -0.25)]]
    b = [[code_of(fmt, x)] for x in (2.0**11, 0.5, 0.5, 0.5)]
    text = gemm(model, (fmt, a), (fmt, b), "-c", "c.npy")
    expect(f"table 8: {model} with {fmt}", np.load("d.npy").tolist() == [[want]], np.load("d.npy"))
    expect(f"{model} is named", re.search(rf"d\.npy = a\.npy .* as {model}[/ ].*known from: (hardware|source)", text), text)
text = works("gemm", "a.npy", "b.npy", "-o", "d.npy", "--model", "hopper", "--path", "wgmma", "--a-format", "e5m2",
             "--b-format", "e5m2")
expect("--path", "hopper/wgmma/fp8-fp32" in text, text)

# ---- small integers: exact in every unit, by name ----
models = json.loads(works("models", "--json", "-"))["models"]
a, b = random.integers(-2, 3, (5, 37)), random.integers(-2, 3, (37, 6))
for m in models:
    fmt = (m["inputs"] or "e5m2").split()[-1]
    more = []
    if m["scales"]:
        scale, block = m["scales"].split()[-1].split("/")
        for name, rows, value in (("sa.npy", 5, 2), ("sb.npy", 6, 4)):
            count = -(-37 // int(block))
            one = {"e8m0": 127 + value // 2, "ue4m3": code_of("e4m3", value)}[scale]
            np.save(name, np.full((rows, count) if name == "sa.npy" else (count, rows), one, np.uint8))
        more = ["--a-scales", "sa.npy", "--b-scales", "sb.npy", "--scale-format", scale]
    works_with = [[code_of(fmt, x) for x in row] for row in a], [[code_of(fmt, x) for x in row] for row in b]
    gemm(m["name"], (fmt, works_with[0]), (fmt, works_with[1]), *more)
    expect(f"integers in {m['name']}", np.array_equal(values("d.npy", m["output"]), a @ b * (8.0 if m["scales"] else 1.0)),
           np.load("d.npy"))

# ---- random codes against exact integers; every level and thread count has the same bits ----
CASES = (("hopper/wgmma/fp8-fp32", "e4m3", "e5m2", "fp32", "fp32"), ("hopper/mma.sync/fp8-fp16", "e5m2", "e4m3", "fp16", None),
         ("ampere/mma.sync/fp16-fp32", "fp16", "fp16", "fp32", "fp32"), ("volta/mma.sync/fp16-fp16", "fp16", "fp16", "fp16", "fp16"),
         ("ampere/mma.sync/tf32-fp32", "fp32", "fp32", "fp32", None), ("cdna3/mfma/bf16-fp32", "bf16", "bf16", "fp32", "fp32"),
         ("blackwell/tcgen05/f8f6f4-fp32", "e3m2", "e2m1", "fp32", "fp32"), ("ampere/mma.sync/fp64-fp64", "fp64", "fp64", "fp64", "fp64"),
         ("hopper/mma.sync/fp16-fp32", "fp16", "fp16", "fp32", "bf16"), ("ideal/exact/any-bf16", "e2m3", "fp16", "bf16", None), ("hopper/cublaslt-slow/fp8-fp32", "e4m3", "e4m3", "fp32", None))
for model, fa, fb, out, fc in CASES:
    A, B = (fa, codes(fa, 7, 67)), (fb, codes(fb, 67, 9))
    C = (fc, codes(fc, 7, 9)) if fc else None
    more = []
    if C:
        named = save("c.npy", *C)
        more = ["-c", "c.npy"] + (["--c-format", named] if named else [])
    text = gemm(model, A, B, *more)
    got, want = load("d.npy", out), exact(model, out, A, B, C)
    expect(f"{model} {fa} {fb} {fc}", np.array_equal(got, want), (got, want))
    scalar = "scalar reference" in text
    expect(f"{model}: who computed is said", scalar or "lanes" in text, text)
    gemm(model, A, B, *more, "--threads", "1", out="one.npy", FPX_CPU="scalar")
    gemm(model, A, B, *more, "--threads", "5", out="five.npy")
    expect(f"{model}: levels and threads", np.array_equal(load("one.npy", out), got) and np.array_equal(load("five.npy", out), got))
    # transposes: the same product
    names = told(save("at.npy", fa, A[1].T), save("bt.npy", fb, B[1].T))
    works("gemm", "at.npy", "bt.npy", "--trans-a", "--trans-b", "-o", "t.npy", "--model", model, *names, *more)
    expect(f"{model}: transposed", np.array_equal(load("t.npy", out), got))
    # a product of large numbers and specials: NaN and Inf by the model's rules
    special = codes(fa, 3, 20)
    if mm.FORMATS[fa][3] == "ieee":
        special[0, 3] = mm.code_of(fa, 0, mm.TOO_LARGE)
        special[1, 5] = mm.all_ones(fa)
    A, B = (fa, special), (fb, codes(fb, 20, 4))
    gemm(model, A, B)
    expect(f"{model}: specials", np.array_equal(load("d.npy", out), exact(model, out, A, B)))

# ---- what leaves a kernel's reach is said ----
A, B = ("bf16", codes("bf16", 4, 32)), ("bf16", codes("bf16", 32, 5))
A[1][0, :] = mm.code_of("bf16", 0, mm.power(120))
B[1][:, 0] = mm.code_of("bf16", 0, mm.power(-120))
text = gemm("hopper/mma.sync/bf16-fp32", A, B)
expect("far exponents", np.array_equal(load("d.npy", "fp32"), exact("hopper/mma.sync/bf16-fp32", "fp32", A, B)))
expect("shares", re.search(r"(\d+ of 40 lanes by the scalar reference \([\d.]+ % fast\)|all lanes fast|scalar reference)", text), text)

# ---- batches: each alone; shared operands ----
A, B, C = codes("fp16", 3, 4, 20), codes("fp16", 3, 20, 5), codes("fp32", 3, 4, 5)
save("ab.npy", "fp16", A), save("bb.npy", "fp16", B), save("cb.npy", "fp32", C), save("b1.npy", "fp16", B[1]), save("c1.npy", "fp32", C[1])
save("abt.npy", "fp16", A.transpose(0, 2, 1))
model = "hopper/mma.sync/fp16-fp32"
one = lambda a, b, c: exact(model, "fp32", ("fp16", a), ("fp16", b), ("fp32", c))
text = works("gemm", "ab.npy", "bb.npy", "-c", "cb.npy", "-o", "d.npy", "--model", model)
each = np.stack([one(A[p], B[p], C[p]) for p in range(3)])
expect("a batch is each alone", np.array_equal(load("d.npy", "fp32"), each) and "3 x 4 x 5 fp32" in text, text)
works("gemm", "abt.npy", "bb.npy", "-c", "cb.npy", "-o", "d.npy", "--model", model, "--trans-a")
expect("a transposed batch", np.array_equal(load("d.npy", "fp32"), each))
works("gemm", "ab.npy", "b1.npy", "-c", "c1.npy", "-o", "d.npy", "--model", model)
expect("B and C shared", np.array_equal(load("d.npy", "fp32"), np.stack([one(A[p], B[1], C[1]) for p in range(3)])))
save("a1.npy", "fp16", A[2])
works("gemm", "a1.npy", "bb.npy", "-c", "cb.npy", "-o", "d.npy", "--model", model)
expect("A shared", np.array_equal(load("d.npy", "fp32"), np.stack([one(A[2], B[p], C[p]) for p in range(3)])))

save("ab.npy", "fp16", A[:1])
works("gemm", "ab.npy", "b1.npy", "-o", "d.npy", "--model", model)
expect("a batch of one stays one", np.load("d.npy").shape == (1, 4, 5), np.load("d.npy").shape)

# ---- large enough for strips of rows: as one call would have it ----
A, B, C = codes("fp16", 2, 620, 90), codes("fp16", 90, 80), codes("fp32", 2, 620, 80)
save("a.npy", "fp16", A), save("b.npy", "fp16", B), save("c.npy", "fp32", C)
for level in ("scalar", None):  # the scalar reference has two strips a product
    works("gemm", "a.npy", "b.npy", "-c", "c.npy", "-o", "d.npy", "--model", "ampere", **({"FPX_CPU": level} if level else {}))
    whole = load("d.npy", "fp32")
    for p in range(2):
        for rows in (slice(0, 1), slice(310, 311), slice(560, 561), slice(619, 620)):
            expect(f"strips, {level}, product {p}, rows {rows}", np.array_equal(
                whole[p, rows], exact("ampere/mma.sync/fp16-fp32", "fp32", ("fp16", A[p, rows]), ("fp16", B), ("fp32", C[p, rows]))))

# ---- block scales: files of their own ----
for model, fa, fb, scale, block, k in (("blackwell/tcgen05/mxf8f6f4-fp32", "e4m3", "e2m1", "e8m0", 32, 80),
                                       ("blackwell/tcgen05/mxf4nvf4-fp32", "e2m1", "e2m1", "ue4m3", 16, 70),
                                       ("blackwell/tcgen05/mxf4nvf4-fp32", "e2m1", "e2m1", "e8m0", 16, 64),
                                       ("rtx-blackwell/mma.sync/mxf4nvf4-fp32", "e2m1", "e2m1", "e8m0", 32, 16)):
    A, B = (fa, codes(fa, 2, 6, k)), (fb, codes(fb, k, 5))
    count = -(-k // block)
    draw = lambda *shape: random.integers(120, 134, shape) if scale == "e8m0" else random.integers(0, 0x7F, shape)
    sa, sb = draw(2, 6, count), draw(5, count)
    if scale == "ue4m3":  # the sign is ignored
        sa |= random.integers(0, 2, sa.shape) << 7
    want = np.stack([exact(model, "fp32", (fa, A[1][p]), B, None, (scale, block, sa[p], sb)) for p in range(2)])
    np.save("sa.npy", sa.astype(np.uint8)), np.save("sb.npy", sb.T.astype(np.uint8).copy())
    scales = ["--a-scales", "sa.npy", "--b-scales", "sb.npy", "--scale-format", scale]
    text = gemm("blackwell" if "rtx" not in model else model, A, B, *scales)
    expect(f"{model} with {scale}/{block}", np.array_equal(load("d.npy", "fp32"), want) and model in text and
           f"{scale}/{block}" in text, (load("d.npy", "fp32"), want, text))
    names = told(save("at.npy", fa, A[1].transpose(0, 2, 1)), save("bt.npy", fb, B[1].T))
    np.save("sa.npy", sa.transpose(0, 2, 1).astype(np.uint8).copy()), np.save("sb.npy", sb.astype(np.uint8))
    works("gemm", "at.npy", "bt.npy", "-o", "d.npy", "--model", model, "--trans-a", "--trans-b", *names, *scales)
    expect(f"{model} transposed, with its scales", np.array_equal(load("d.npy", "fp32"), want))
    # the same as tensors, whose dtypes say the format
    pack = lambda x: (x[..., ::2] | x[..., 1::2] << 4).astype(np.uint8).tobytes()
    dtype = {"e4m3": "F8_E4M3", "e2m1": "F4", "e8m0": "F8_E8M0", "ue4m3": "F8_E4M3"}
    raw = lambda fmt, x: pack(x.astype(int)) if fmt == "e2m1" else x.astype(np.uint8).tobytes()
    write_st("ab.safetensors", {"a": (dtype[fa], A[1].shape, raw(fa, A[1])), "b": (dtype[fb], B[1].T.shape, raw(fb, B[1].T)),
                                "sa": (dtype[scale], sa.shape, sa.astype(np.uint8).tobytes()),
                                "sb": (dtype[scale], sb.shape, sb.astype(np.uint8).tobytes())})
    works("gemm", "ab.safetensors:a", "ab.safetensors:b", "-o", "d.npy", "--model", model, "--trans-b", "--a-scales",
          "ab.safetensors:sa", "--b-scales", "ab.safetensors:sb")
    expect(f"{model} from tensors", np.array_equal(load("d.npy", "fp32"), want))
    works("gemm", "ab.safetensors:a", "ab.safetensors:b", "-o", "d.npy", "--model", model, "--trans-b", "--a-scales",
          "ab.safetensors:sa", "--b-scales", "sb.npy", "--scale-format", scale)
    expect(f"{model} from tensors and arrays", np.array_equal(load("d.npy", "fp32"), want))
    write_st("a.safetensors", {"a": (dtype[fa], A[1].shape, raw(fa, A[1]))})
    refused("scales of A alone", ["a.safetensors: tensor 'a'", "none", "--b-scales"], "a.safetensors", "ab.safetensors:b", "-o",
            "x.npy", "--model", model, "--trans-b", "--a-scales", "ab.safetensors:sa")

# ---- block scales: those of quantize --block ----
x, w = random.standard_normal((2, 20, 64)).astype(np.float32), (random.standard_normal((24, 64)) / 8).astype(np.float32)
write_st("x.safetensors", {"x": ("F32", x.shape, x.tobytes())})
write_st("w.safetensors", {"w": ("F32", w.shape, w.tobytes()), "v": ("F32", w.T.shape, w.T.tobytes())})
unpack = lambda raw, shape: np.stack([np.frombuffer(raw, np.uint8) & 15, np.frombuffer(raw, np.uint8) >> 4], -1).reshape(shape)
f32 = np.float32
for profiles, model, fmt, scale, block in ((("mx-ocp", "mx-te"), "blackwell", "e4m3", "e8m0", 32),
                                           (("nvfp4-te", "nvfp4-te-16x16"), "blackwell", "e2m1", "ue4m3", 16),
                                           (("nvfp4-torchao", "nvfp4-46-256"), "rtx-blackwell", "e2m1", "ue4m3", 16)):
    works("quantize", "x.safetensors", "-o", "xq.safetensors", "--block", profiles[0])
    works("quantize", "w.safetensors", "-o", "wq.safetensors", "--block", profiles[1])
    text = works("gemm", "xq.safetensors", "wq.safetensors:w", "-o", "d.npy", "--model", model, "--trans-b", "--json", "j.json")
    (qx, mx), (qw, mw) = read_st("xq.safetensors"), read_st("wq.safetensors")
    take = lambda t, shape: unpack(t[2], shape) if fmt == "e2m1" else np.frombuffer(t[2], np.uint8).reshape(shape)
    A, B = take(qx["x"], x.shape), take(qw["w"], w.shape)
    sa, sb = (np.frombuffer(t[2], np.uint8).reshape(t[1]) for t in (qx["x_scale"], qw["w_scale"]))
    if "16x16" in profiles[1]:
        sb = np.repeat(sb, 16, 0)[:24]
    found = json.load(open("j.json"))
    sums = np.stack([exact(found["model"], "fp32", (fmt, A[p]), (fmt, B.T), None, (scale, block, sa[p], sb)) for p in range(2)])
    if fmt == "e2m1":  # the amax of the tensors multiplies afterwards
        factor = [f32(f32(m["fpx.amax." + t]) / f32(bound * 6)) for m, t, bound in
                  ((mx, "x", 448), (mw, "w", 256 if "256" in profiles[1] else 448))]
        S = [int(v.view(np.uint32)) for v in factor] + [ONE]
        sums = np.array([[[finished("fp32", int(v), S, None, "fp32", 0, 2) for v in row] for row in p] for p in sums])
    expect(f"{profiles} on {model}", np.array_equal(load("d.npy", "fp32"), sums), text)
    values = []
    for name in ("xq", "wq"):  # near the product of what the codes stand for
        works("dequantize", f"{name}.safetensors", "-o", "back.safetensors")
        t = read_st("back.safetensors")[0]["x" if name == "xq" else "w"]
        values.append(np.frombuffer(t[2], f32).reshape(t[1]).astype(float))
    near = values[0] @ values[1].T
    expect(f"{profiles}: near the values' product", np.allclose(np.load("d.npy"), near, 1e-4, 1e-4 * np.abs(near).max()))
    refused("blocks along n", ["blocks lie along n", "--trans-b"], "xq.safetensors", "wq.safetensors:v", "-o", "y.npy", "--model", model)
    refused("blocks along m", ["blocks lie along m", "--trans-a"], "wq.safetensors:w", "wq.safetensors:w", "-o", "y.npy", "--model", model,
            "--trans-a")
    refused("the unit takes no scales", ["without block scales", "--model blackwell/", "which"], "xq.safetensors", "wq.safetensors:w", "-o",
            "y.npy", "--trans-b", "--model", "blackwell/tcgen05/f8f6f4-fp32")
refused("no hardware takes them", ["hopper", "takes"], "xq.safetensors", "wq.safetensors:w", "-o", "y.npy", "--trans-b", "--model", "hopper")
works("quantize", "w.safetensors", "-o", "t.safetensors", "--block", "tensor-te", "--tensor", "w")
works("quantize", "x.safetensors", "-o", "tx.safetensors", "--block", "tensor-te")
works("gemm", "tx.safetensors", "t.safetensors:w", "-o", "d.npy", "--model", "hopper/cublaslt-fast", "--trans-b")
(qx, _), (qw, _) = read_st("tx.safetensors"), read_st("t.safetensors")
A, B = np.frombuffer(qx["x"][2], np.uint8).reshape(x.shape), np.frombuffer(qw["w"][2], np.uint8).reshape(w.shape)
S = [int(np.frombuffer(t[2], np.uint32)[0]) for t in (qx["x_scale"], qw["w_scale"])] + [ONE]
sums = [exact("hopper/cublaslt-fast/fp8-fp32", "fp32", ("e4m3", A[p]), ("e4m3", B.T)) for p in range(2)]
expect("scales of tensors", np.array_equal(load("d.npy", "fp32"), [[[finished("fp32", int(v), S, None, "fp32", 0, 2) for v in row]
                                                                    for row in p] for p in sums]))
works("quantize", "w.safetensors", "-o", "tile.safetensors", "--block", "tile-te")
refused("tiles", ["tile-te", "fp32", "dequantize"], "tx.safetensors", "tile.safetensors:w", "-o", "y.npy", "--model", "hopper", "--trans-b")

# ---- the epilogue: of the sums that the unit gives ----
A, B, bias = ("e4m3", codes("e4m3", 6, 48)), ("e4m3", codes("e4m3", 48, 10)), codes("fp32", 10)
gemm("hopper/wgmma", A, B)
sums = load("d.npy", "fp32")
save("bias.npy", "fp32", bias), save("bias16.npy", "bf16", bias >> 16)
half, third = int(f32(0.375).view(np.uint32)), f32(1 / 3)
np.save("s.npy", third)
for out, rounding, overflow, scale, with_bias in (
        ("bf16", None, None, None, True), ("fp16", "rz", None, "0.375", True), ("e4m3", None, None, None, False),
        ("e5m2", "ru", "none", "0.375", True), ("e2m1", "rd", None, None, True), ("fp32", None, None, "0.375", False),
        ("e4m3", "ro", "satpropagate", "3e4", False), ("fp64", None, None, None, True), ("e4m3", "rna", "none", "3e4", False)):
    more = ["--out-format", out] + (["--round", rounding] if rounding else []) + (["--overflow", overflow] if overflow else []) + \
        (["--scale", scale] if scale else []) + (["--bias", "bias.npy"] if with_bias else []) + ["--a-scales", "s.npy"]
    gemm("hopper/wgmma", A, B, *more)
    S = [int(third.view(np.uint32)), ONE, int(f32(scale or 1).view(np.uint32))]
    r = ["rne", "rna", "rz", "ru", "rd", "ro"].index(rounding or "rne")
    o = ["satfinite", "satpropagate", "none"].index(overflow or ("satfinite" if mm.bits_of(out) <= 8 else "none"))
    want = [[finished("fp32", int(v), S, mm.decode("fp32", int(bias[j])) if with_bias else None, out, r, o)
             for j, v in enumerate(row)] for row in sums]
    expect(f"epilogue {more}", np.array_equal(load("d.npy", out), want), (load("d.npy", out), want))
gemm("hopper/wgmma", A, B, "--bias", "bias16.npy", "--bias-format", "bf16")
want = [[finished("fp32", int(v), [ONE] * 3, mm.decode("bf16", int(bias[j]) >> 16), "fp32", 0, 2) for j, v in enumerate(row)] for row in sums]
expect("a bias in bf16", np.array_equal(load("d.npy", "fp32"), want))
A, B = ("fp64", codes("fp64", 3, 20)), ("fp64", codes("fp64", 20, 10))
gemm("ampere", A, B, "--bias", "bias.npy", "--out-format", "bf16", "--scale", "0.375")
want = [[finished("fp64", int(v), [ONE, ONE, half], mm.decode("fp32", int(bias[j])), "bf16", 0, 2) for j, v in enumerate(row)]
        for row in exact("ampere/mma.sync/fp64-fp64", "fp64", A, B)]
expect("sums in fp64", np.array_equal(load("d.npy", "bf16"), want))
a32, b32 = random.standard_normal((6, 48)).astype(f32), random.standard_normal((48, 10)).astype(f32)
write_st("ab.safetensors", {"a": ("F32", a32.shape, a32.tobytes()), "b": ("F32", b32.shape, b32.tobytes())})
works("quantize", "ab.safetensors", "-o", "q.safetensors", "--format", "e4m3", "--scale", "2.7")
works("gemm", "q.safetensors:a", "q.safetensors:b", "-o", "d.safetensors:y", "--model", "hopper", "--scale", "1.5", "--out-format", "bf16")
q, _ = read_st("q.safetensors")
sums = exact("hopper/mma.sync/fp8-fp32", "fp32", *[("e4m3", np.frombuffer(q[t][2], np.uint8).reshape(q[t][1])) for t in "ab"])
S = [int(f32(1 / 2.7).view(np.uint32))] * 2 + [int(f32(1.5).view(np.uint32))]
want = np.array([[finished("fp32", int(v), S, None, "bf16", 0, 2) for v in row] for row in sums], np.uint16)
d, metadata = read_st("d.safetensors")
x3 = np.array([[[-0.0] * 16 + [6.0] + [0.0] * 15]], f32) * f32(448)  # an amax of 2688 is a factor of 1, which has its step
write_st("one.safetensors", {"a": ("F32", (1, 32), x3.tobytes()), "b": ("F32", (1, 32), (x3 * 0 - x3).tobytes())})
works("quantize", "one.safetensors", "-o", "oneq.safetensors", "--block", "nvfp4-te")
works("gemm", "oneq.safetensors:a", "oneq.safetensors:b", "--trans-b", "-o", "d.npy", "--model", "blackwell", "--json", "j.json")
expect("a factor of 1 is one", json.load(open("j.json"))["epilogue"]["scale_a"] == 1.0 and np.load("d.npy").tolist() == [[-2688.0**2]], np.load("d.npy"))
expect("scales of quantize --scale, D as a tensor", d == {"y": ("BF16", (6, 10), want.tobytes())} and
       metadata.get("fpx.scale.y") == "1.5", (d, metadata))
works("dequantize", "d.safetensors", "-o", "back.safetensors", "--to", "fp32")
works("gemm", "q.safetensors:a", "q.safetensors:b", "-o", "d.safetensors", "--model", "hopper", "--out-format", "e4m3b11fnuz")
d, metadata = read_st("d.safetensors")
expect("a format without a dtype", d["D"][:2] == ("U8", (6, 10)) and metadata["fpx.format.D"] == "e4m3b11fnuz", (d, metadata))
works("gemm", "q.safetensors:a", "q.safetensors:b", "-o", "d.safetensors", "--model", "hopper", "--out-format", "e2m1")
expect("packed codes", read_st("d.safetensors")[0]["D"][:2] == ("F4", (6, 10)))

# ---- a unit of one's own; JSON; pipes ----
with open("mine.yaml", "w") as file:
    file.write("name: mine/wgmma/fp8-fp32\nsource: a guess\nlike: hopper/wgmma/fp8-fp32\nchanges:\n"
               "  - { field: fraction, to: 14 }\n  - { field: block, to: 16 }\n")
A = ("e5m2", [[code_of("e5m2", v) for v in (2.0**7, 2.0**-3, 2.0**-3, 2.0**-4)]])
B = ("e5m2", [[code_of("e5m2", v)] for v in (2.0**7, 1, 1, 1)])
gemm("hopper/wgmma", A, B)
own = np.load("d.npy").tolist()
text = gemm("mine.yaml", A, B)
expect("F is 14", own == [[2.0**14]] and np.load("d.npy").tolist() == [[2.0**14]] and "known from: custom" in text, (own, text))
B = ("e5m2", [[code_of("e5m2", v)] for v in (2.0**7, 8, 8, 8)])  # 2^14 + 1 + 1 + 0.5, kept to 2^0 or 2^1
gemm("hopper/wgmma", A, B)
own = np.load("d.npy").tolist()
gemm("mine.yaml", A, B)
expect("one bit more", (own, np.load("d.npy").tolist()) == ([[2.0**14]], [[2.0**14 + 2]]), (own, np.load("d.npy")))
A, B = codes("fp16", 8, 33), codes("fp16", 33, 7)
save("a.npy", "fp16", A), save("b.npy", "fp16", B)
text = works("gemm", "a.npy", "b.npy", "-o", "d.npy", "--model", "ampere", "--json", "j.json")
found = json.load(open("j.json"))
expect("JSON", found["schema"] == "fpx.gemm/1" and found["model"] == "ampere/mma.sync/fp16-fp32" and found["provenance"] == "hardware"
       and found["shape"] == {"batch": 1, "m": 8, "n": 7, "k": 33} and found["a"]["shape"] == [8, 33] and found["d_format"] == "fp32"
       and found["epilogue"] is None and found["threads"] == 2 and found["seconds"] >= 0
       and found["shares"]["lanes"] + found["shares"]["scalar_outputs"] > 0 and found["kernel"] in ("scalar", "avx2", "avx512"), found)
expect("one line", text.count("\n") == 1 and found["kernel"] in text, text)
done = run("gemm", "a.npy", "b.npy", "-o", "d.npy", "--model", "ampere", "--json", "-")
expect("--json -: nothing else", done.returncode == 0 and json.loads(done.stdout)["schema"] == "fpx.gemm/1" and b"ampere" in done.stderr, done)
done = subprocess.run([fpx, "gemm", "a.npy", "b.npy", "-o", "d.npy", "--model", "ampere", "--json", "-"], stdout=subprocess.PIPE,
                      stderr=subprocess.STDOUT, timeout=60)
expect("JSON, a line's end, then the text", b"\n}\nd.npy = " in done.stdout and done.stdout.endswith(b" s\n"), done.stdout[-300:])
done = run("gemm", "a.npy", "b.npy", "-o", "-", "--model", "ampere")
expect("-o -: D and nothing else", done.returncode == 0 and done.stdout == open("d.npy", "rb").read() and b"ampere" in done.stderr)
done = subprocess.run([fpx, "gemm", "-", "b.npy", "-o", "e.npy", "--model", "ampere"], stdin=open("a.npy", "rb"), capture_output=True)
expect("A from a pipe", done.returncode == 0 and open("e.npy", "rb").read() == open("d.npy", "rb").read(), done)
head = "{'descr': '<f2', 'fortran_order': False, 'shape': (%d, 2), }\n" % 2**50
done = subprocess.run([fpx, "gemm", "-", "b.npy", "-o", "x.npy", "--model", "ampere"], capture_output=True, timeout=60,
                      input=b"\x93NUMPY\1\0" + struct.pack("<H", len(head)) + head.encode() + bytes(1 << 20))
expect("a pipe that claims more than memory is not read", done.returncode == 2 and not os.path.exists("x.npy") and not done.stdout
       and b"standard input: 2251799813685248 elements of fp16: more than memory holds" in done.stderr, done)

# ---- mistakes ----
good = ("a.npy", "b.npy", "-o", "x.npy", "--model", "ampere")
np.save("c8.npy", np.zeros((8, 33), np.uint8)), np.save("empty.npy", np.zeros((8, 0), np.float16)), np.save("none.npy", np.zeros((0, 33), np.float16))
np.save("v.npy", np.zeros(33, np.float16)), np.save("four.npy", np.zeros((1, 1, 8, 33), np.float16)), np.save("i.npy", np.zeros((8, 33), np.int32))
np.save("two.npy", np.zeros((2, 8, 33), np.float16)), np.save("three.npy", np.zeros((3, 33, 7), np.float16)), np.save("c.npy", np.zeros((7, 8), np.float32))
np.save("bias.npy", np.zeros(8, np.float32)), np.save("f4.npy", np.zeros((8, 33), np.float32))
np.save("fortran.npy", np.asfortranarray(np.ones((8, 33), np.float16)))
np.save("wide.npy", np.full((8, 33), 17, np.uint8)), np.save("k0.npy", np.zeros((0, 7), np.float16))
np.save("a2.npy", np.zeros((2, 2), np.uint16)), np.save("c610.npy", np.zeros((6, 10), np.float32)), np.save("s8.npy", np.zeros((7, 2), np.uint8))
for name, content in (("cut.npy", open("a.npy", "rb").read()[:-5]), ("bad.yaml", b"name: x\n")):
    with open(name, "wb") as file:
        file.write(content)
refused("no -o", ["-o D"], "a.npy", "b.npy", "--model", "ampere")
refused("no model", ["--model", "fpx models"], "a.npy", "b.npy", "-o", "x.npy")
refused("no B", ["too little"], "a.npy", "-o", "x.npy", "--model", "ampere")
refused("A is missing", ["gone.npy"], "gone.npy", *good[1:])
refused("A is cut", ["cut.npy"], "cut.npy", *good[1:])
refused("shapes that do not fit", ["a.npy", "8 x 33", "do not share k", "--trans-b"], "a.npy", "a.npy", *good[2:])
refused("shapes that do not fit, transposed", ["with --trans-a", "do not share k"], *good, "--trans-a")
refused("K = 0", ["empty.npy", "empty"], "empty.npy", "k0.npy", *good[2:])
refused("M = 0", ["none.npy", "empty"], "none.npy", *good[1:])
refused("a vector", ["v.npy", "one axis"], "v.npy", *good[1:])
refused("four axes", ["four.npy", "4 axes"], "four.npy", *good[1:])
refused("integers", ["i.npy", "codes", "--a-format"], "i.npy", *good[1:])
refused("integers as int32", ["i.npy", "int32"], "i.npy", *good[1:], "--a-format", "int32")
refused("Fortran order", ["fortran.npy", "Fortran"], "fortran.npy", *good[1:])
refused("batches that differ", ["two.npy", "three.npy", "batches"], "two.npy", "three.npy", *good[2:])
refused("codes without a format", ["c8.npy", "--a-format"], "c8.npy", *good[1:])
refused("an unknown format", ["e9m9"], "c8.npy", *good[1:], "--a-format", "e9m9")
refused("a format for floats", ["a.npy", "float16", "e4m3"], *good, "--a-format", "e4m3")
refused("a format of another width", ["c8.npy", "bf16"], "c8.npy", *good[1:], "--a-format", "bf16")
refused("codes that are too wide", ["wide.npy", "0x11", "4 bits", "one code a byte"], "wide.npy", *good[1:], "--a-format", "e2m1")
refused("a format that no unit of the device takes", ["ampere", "e4m3 by fp16", "ideal"], "c8.npy", *good[1:], "--a-format", "e4m3")
refused("a format that the unit does not take", ["multiplies fp16", "bf16 by bf16", "--model ampere/mma.sync/bf16-fp32"], "a2.npy",
        "a2.npy", "-o", "x.npy", "--model", "ampere/mma.sync/fp16-fp32", "--a-format", "bf16", "--b-format", "bf16")
refused("an unknown model", ["ampre", "ampere", "fpx models"], *good[:-1], "ampre")
refused("an empty model", ["no matrix unit"], *good[:-1], "")
refused("an unknown path", ["ampere has no path wgmma; it has mma.sync"], *good, "--path", "wgmma")
refused("a path of a whole name", ["--path"], *good[:-1], "ampere/mma.sync/fp16-fp32", "--path", "wgmma")
refused("a file that is no unit", ["bad.yaml"], *good[:-1], "bad.yaml")
refused("a unit's file that is missing", ["gone.yaml"], *good[:-1], "gone.yaml")
refused("C of another shape", ["c.npy", "7 x 8", "8 x 7"], *good, "-c", "c.npy")
refused("a bias of another length", ["bias.npy", "7 columns"], *good, "--bias", "bias.npy")
refused("scales of another shape", ["f4.npy", "do not fit A", "one float32"], *good, "--a-scales", "f4.npy")
refused("scales of blocks of another shape", ["s8.npy", "7 x 2", "8 x 2 for blocks of 32"], *good, "--a-scales", "s8.npy",
        "--scale-format", "e8m0")
refused("codes of scales without a format", ["c8.npy", "--scale-format"], *good, "--a-scales", "c8.npy")
refused("a scale format without scales", ["--scale-format"], *good, "--scale-format", "e8m0")
refused("a format of C without C", ["--c-format", "-c"], *good, "--c-format", "fp32")
refused("a format of the bias without a bias", ["--bias-format", "--bias"], *good, "--bias-format", "fp32")
refused("scales given twice", ["q.safetensors", "own"], "q.safetensors:a", "q.safetensors:b", "-o", "x.npy", "--model", "hopper", "--a-scales", "s.npy")
refused("C with scales of tensors", ["-c", "--bias"], "q.safetensors:a", "q.safetensors:b", "-o", "x.npy", "--model", "hopper", "-c",
        "c610.npy")
refused("rounding nothing", ["--round", "--out-format"], *good, "--round", "rz")
refused("overflow of nothing", ["--overflow", "--out-format"], *good, "--overflow", "none")
refused("stochastic rounding", ["sr", "quantize"], *good, "--out-format", "bf16", "--round", "sr")
refused("an unknown rounding", ["rn", "rne"], *good, "--out-format", "bf16", "--round", "rn")
refused("an unknown output format", ["e9m9"], *good, "--out-format", "e9m9")
for text in ("nan", "inf", "-1", "0", "1e-60", "1e60", "x", ""):
    refused(f"scale {text}", ["--scale"], *good, "--scale", text)
for text in ("0", "-1", "nan", "2000", ""):
    refused(f"threads {text}", ["--threads"], *good, "--threads", text)
refused("over an input", ["a.npy", "overwrite"], "a.npy", "b.npy", "-o", "./a.npy", "--model", "ampere")
refused("over the tensor's file", ["q.safetensors", "overwrite"], "q.safetensors:a", "q.safetensors:b", "-o", "q.safetensors:d", "--model", "hopper")
refused("over a unit's file", ["mine.yaml"], *good[:-1], "mine.yaml", "--json", "mine.yaml")
refused("two outputs in one", ["x.npy"], *good, "--json", "x.npy")
refused("two in standard output", ["both"], "a.npy", "b.npy", "-o", "-", "--model", "ampere", "--json", "-")
refused("two from standard input", ["both"], "-", "-", "-o", "x.npy", "--model", "ampere")
refused("no folder", ["no/x.npy"], "a.npy", "b.npy", "-o", "no/x.npy", "--model", "ampere")
write_st("tiny.safetensors", {"a": ("F8_E4M3", (2, 33), bytes(66))}, {"fpx.scale.a": "1e-40"})
refused("a scale whose reciprocal is beyond float32", ["tiny.safetensors", "reciprocal"], "tiny.safetensors", "tiny.safetensors", "-o",
        "x.npy", "--trans-b", "--model", "hopper")
refused("no such tensor", ["q.safetensors", "'c'", "a"], "q.safetensors:c", "q.safetensors:b", "-o", "x.npy", "--model", "hopper")
refused("which tensor", ["q.safetensors", "2 tensors", "A", ":TENSOR"], "q.safetensors", "q.safetensors:b", "-o", "x.npy", "--model", "hopper")
refused("a tensor of another format", ["e5m2", "e4m3"], "q.safetensors:a", "q.safetensors:b", "-o", "x.npy", "--model", "hopper", "--a-format", "e5m2")
write_st("ids.safetensors", {"i": ("I64", (2, 2), bytes(32)), "b": ("BOOL", (2, 2), bytes(4))})
refused("tensors of no numbers", ["ids.safetensors", "'i'"], "ids.safetensors:i", "b.npy", "-o", "x.npy", "--model", "hopper")
# a D beyond memory: columns and rows of files that take no room
for name, shape in (("tall.npy", (1 << 22, 1)), ("flat.npy", (1, 1 << 24))):
    header = str({"descr": "<f2", "fortran_order": False, "shape": shape}).encode() + b"\n"
    with open(name, "wb") as file:
        file.write(b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header)
        file.truncate(10 + len(header) + 2 * max(shape))
os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":allocator_may_return_null=1"
refused("D beyond memory", ["4194304 x 16777216", "memory"], "tall.npy", "flat.npy", "-o", "x.npy", "--model", "ampere")

# ---- Ctrl-C: heard between strips, and nothing is written ----
save("wide.npy", "fp16", codes("fp16", 600, 900)), save("deep.npy", "fp16", codes("fp16", 900, 600))
for seconds in (1, 4, 16):  # a busy machine may not have begun yet
    with subprocess.Popen([fpx, "gemm", "wide.npy", "deep.npy", "-o", "x.npy", "--model", "ampere", "--threads", "1"],
                          stderr=subprocess.PIPE, env={**os.environ, "FPX_CPU": "scalar"}) as long:
        time.sleep(seconds)
        long.send_signal(signal.SIGINT)
        text = long.stderr.read()
    if long.returncode != -signal.SIGINT:
        break
expect("interrupted", long.returncode == 2 and b"interrupted" in text and not os.path.exists("x.npy"), (long.returncode, text))

# ---- damaged files: an answer or a message, never a crash ----
works("quantize", "w.safetensors", "-o", "wq.safetensors", "--block", "nvfp4-te")
whole = {"a.npy": ("a.npy", "b.npy", "--model", "ampere"), "wq.safetensors": ("wq.safetensors:w", "wq.safetensors:w", "--trans-b", "--model", "blackwell"),
         "mine.yaml": ("c8.npy", "c8.npy", "--trans-b", "--a-format", "e4m3", "--b-format", "e4m3", "--model", "mine.yaml")}
for name, args in whole.items():
    good_bytes = open(name, "rb").read()
    if name == "wq.safetensors":  # without its digest, which would find all of it
        good_bytes = re.sub(rb'"fpx.digest":"(\w)', rb'"fpx.digesX":"\1', good_bytes)
        expect("the digest is out of the way", b"fpx.digesX" in good_bytes)
    for i in range(40):
        damaged = bytearray(good_bytes)
        for _ in range(random.integers(1, 4)):
            damaged[random.integers(0, min(len(damaged), 700))] = random.choice(list(b'0123456789"{}[]:,. \xff\x00eF'))
        with open(name, "wb") as file:
            file.write(damaged if i % 4 else damaged[:random.integers(0, len(damaged))])
        done = run("gemm", *args, "-o", "x.npy")
        expect(f"damaged {name}, {i}", done.returncode in (0, 2) and (done.returncode == 0) != (done.stderr != b""),
               (done.returncode, done.stderr[-2000:]))
    with open(name, "wb") as file:
        file.write(good_bytes)

# ---- the examples of docs/gemm.md ----
for name in os.listdir("."):
    os.remove(name)
text = open(os.path.join(root, "docs/gemm.md"), encoding="utf-8").read()
for name, shape in (("a", (64, 96)), ("b", (96, 48)), ("bias", (48,))):
    np.save(name + ".npy", random.standard_normal(shape).astype(f32))
write_st("model.safetensors", {"x": ("F32", (64, 96), random.standard_normal((64, 96)).astype(f32).tobytes()),
                               "w": ("F32", (48, 96), random.standard_normal((48, 96)).astype(f32).tobytes())})
with open("mine.yaml", "w") as file:
    file.write("name: mine/wgmma/fp8-fp32\nsource: a guess\nlike: hopper/wgmma/fp8-fp32\nchanges:\n  - { field: fraction, to: 14 }\n")
commands = [line.split("     ")[0] for block in re.findall(r"```\n(.*?)```", text, re.S) for line in block.splitlines()
            if line.startswith("fpx ") and "[" not in line]
expect("docs/gemm.md has commands", len(commands) >= 8, commands)
for command in commands:
    done = run(*shlex.split(command)[1:])
    expect(f"docs/gemm.md: {command}", done.returncode == 0, done.stderr)

finish()
