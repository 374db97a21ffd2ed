"""quantize --block and back: codes and scales against the rules of fpx/block.h in numpy's float32, for tensors that
take several strips; names, metadata, and what is refused.  test_quantize_blocks.py FPX ROOT"""
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile

import numpy as np

fpx, root = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
random = np.random.default_rng(int(os.environ.get("FPX_TEST_SEED", "20265")))
checks, failures = 0, 0
f32 = np.float32
np.seterr(all="ignore")


def expect(name, condition, got=""):
    global checks, failures
    checks += 1
    if not condition:
        failures += 1
        print(f"FAILED  {name}: got {got}")


def run(*args):
    return subprocess.run([fpx, *args], capture_output=True, text=True, timeout=300)


def works(*args):
    done = run(*args)
    expect(f"runs: {args}", done.returncode == 0 and not done.stderr, (done.returncode, done.stderr[-300:]))


def refused(name, words, *args):
    before = sorted(os.listdir("."))
    done = run(*args)
    expect(name, done.returncode == 2 and all(word in done.stderr for word in words)
           and sorted(os.listdir(".")) == before, (done.returncode, done.stderr))


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


# ---- element formats: tables of values ----
def table(ebits, mbits, bias, top):
    code = np.arange(top + 1)
    e, m = code >> mbits, code & ((1 << mbits) - 1)
    return np.where(e == 0, m * 2.0 ** (1 - bias - mbits), ((1 << mbits) + m) * 2.0 ** (e - bias - mbits))


E4M3, E2M1 = table(4, 3, 7, 0x7E), table(2, 1, 1, 7)


def encode(values, x):
    """Nearest, ties to the even code, saturating; the sign bit above the table."""
    size = np.abs(x.astype(np.float64))
    low = np.clip(np.searchsorted(values, size, "right") - 1, 0, len(values) - 2)
    middle = (values[low] + values[low + 1]) / 2
    code = np.where(size >= values[-1], len(values) - 1, low + ((size > middle) | ((size == middle) & (low % 2 == 1))))
    return (code + np.where(np.signbit(x), 128 if len(values) == 127 else 8, 0)).astype(np.uint8)


def decode(values, codes):
    half = 128 if len(values) == 127 else 8
    size = values[codes % half].astype(f32)
    return np.where(codes >= half, -size, size)


def pack(codes):
    pairs = codes.reshape(-1, 2)
    return (pairs[:, 0] | pairs[:, 1] << 4).astype(np.uint8).tobytes()


def blocks_amax(x, rows, cols):
    """Largest magnitude of each block of a matrix, and which block an element is of."""
    r, c = np.arange(x.shape[0]) // rows, np.arange(x.shape[1]) // cols
    amax = np.zeros((r[-1] + 1, c[-1] + 1), f32)
    np.maximum.at(amax, (r[:, None], c[None, :]), np.abs(x))
    return amax, (r[:, None], c[None, :])


def mx(values, emax, x):
    amax, at = blocks_amax(x, 1, 32)
    e = np.clip(np.where(amax > 0, np.frexp(amax)[1] - 1 - emax, -127), -127, 127)
    scale = 2.0 ** e
    codes = encode(values, x / scale[at])
    return codes, (e + 127).astype(np.uint8), (decode(values, codes) * scale[at]).astype(f32)


def nvfp4(x, rows, cols):
    amax, at = blocks_amax(x, rows, cols)
    top = np.abs(x).max()
    S = min(f32(2688) / top, np.finfo(f32).max) if top > 0 else f32(1)
    stored = encode(E4M3, amax * f32(S * (f32(1) / f32(6))))
    s = decode(E4M3, stored)
    codes = encode(E2M1, x * np.minimum(f32(1) / (s * (f32(1) / S)), np.finfo(f32).max)[at])
    return codes, stored, decode(E2M1, codes) * ((s * top) * (f32(1) / f32(2688)))[at]


def tile(x, rows, cols):
    amax, at = blocks_amax(x, rows, cols)
    enc = np.where(amax > 0, f32(448) / amax, f32(1)).astype(f32)
    codes = encode(E4M3, x * enc[at])
    stored = f32(1) / enc
    return codes, stored, decode(E4M3, codes) * stored[at]


folder = tempfile.mkdtemp()
os.chdir(folder)

# ---- codes, scales, metadata, and back ----
def sample(*shape):
    return (random.standard_normal(shape) * np.exp2(random.integers(-12, 12, shape))).astype(f32)


big, deep, odd = sample(1000, 130), sample(2, 3, 40), sample(300, 202)
deep[0, 0, :32] = 0
half = odd.astype(np.float16)
model = {"big": ("F32", big.shape, big.tobytes()), "deep": ("F32", deep.shape, deep.tobytes()),
         "half": ("F16", half.shape, half.tobytes()), "bias": ("F32", (5,), bytes(20)), "ids": ("I64", (1, 2), bytes(16))}
write_st("m.safetensors", model, {"note": "kept"})
E8M0, UE4M3, FP32 = ("F8_E8M0", np.uint8), ("F8_E4M3", np.uint8), ("F32", f32)
for block, options, dtype, (scales_dtype, kind), rule, along_rows in (
        ("mx-ocp", (), "F8_E4M3", E8M0, lambda x: mx(E4M3, 8, x), 1),
        ("mx-ocp", ("--format", "e2m1"), "F4", E8M0, lambda x: mx(E2M1, 2, x), 1),
        ("nvfp4-te", (), "F4", UE4M3, lambda x: nvfp4(x, 1, 16), 1),
        ("nvfp4-te-16x16", (), "F4", UE4M3, lambda x: nvfp4(x, 16, 16), 0),
        ("tile-te", (), "F8_E4M3", FP32, lambda x: tile(x, 1, 128), 1),
        ("tile-te-128x128", (), "F8_E4M3", FP32, lambda x: tile(x, 128, 128), 0),
        ("column-te", (), "F8_E4M3", FP32, lambda x: tile(x, len(x), 1), 0),
        ("tensor-te", (), "F8_E4M3", FP32, lambda x: tile(x, *x.shape), 0)):
    works("quantize", "m.safetensors", "-o", "q.safetensors", "--block", block, *options)
    tensors, metadata = read_st("q.safetensors")
    expect(f"{block}: order", list(tensors) == ["big", "big_scale", "deep", "deep_scale", "half", "half_scale", "bias", "ids"])
    works("dequantize", "q.safetensors", "-o", "v.safetensors")
    back, said = read_st("v.safetensors")
    expect(f"{block}: what is no matrix of floats is copied", tensors["bias"] == model["bias"] and tensors["ids"] == model["ids"])
    expect(f"{block}: back to the same tensors", list(back) == list(model) and said["note"] == "kept" and
           not any(key.startswith("fpx.block") or key.startswith("fpx.amax") for key in said), said)
    for key, x in (("big", big), ("deep", deep), ("half", half)):
        flat = x.reshape(-1, x.shape[-1]).astype(f32)
        codes, scales, values = rule(flat)
        want = pack(codes.reshape(-1)) if dtype == "F4" else codes.tobytes()
        expect(f"{block}, {dtype}: codes of {key}", tensors[key] == (dtype, x.shape, want))
        shape = (*x.shape[:-1], scales.shape[1]) if along_rows else scales.shape
        expect(f"{block}, {dtype}: scales of {key}", tensors[key + "_scale"] == (scales_dtype, shape, scales.astype(kind).tobytes()),
               (tensors[key + "_scale"][:2], shape))
        expect(f"{block}, {dtype}: {key} back", back[key] == ("F32", x.shape, values.astype(f32).tobytes()))
        expect(f"{block}: metadata of {key}", metadata[f"fpx.block.{key}"] == block and
               (f"fpx.amax.{key}" in metadata) == block.startswith("nvfp4") and
               float(metadata.get(f"fpx.amax.{key}", np.abs(flat).max())) == float(np.abs(flat).max()), metadata)

# ---- some of them, other targets, every profile ----
works("quantize", "m.safetensors", "-o", "q.safetensors", "--block", "nvfp4-te", "--tensor", "b*g", "--tensor", "deep")
tensors, metadata = read_st("q.safetensors")
expect("some tensors", list(tensors) == ["big", "big_scale", "deep", "deep_scale", "half", "bias", "ids"] and tensors["half"] == model["half"])
works("dequantize", "q.safetensors", "-o", "v.safetensors", "--tensor", "deep", "--to", "fp64")
back, said = read_st("v.safetensors")
expect("the others keep scales and metadata", back["big_scale"] == tensors["big_scale"] and "deep_scale" not in back and
       said["fpx.block.big"] == "nvfp4-te" and "fpx.block.deep" not in said, said)
expect("to fp64", np.array_equal(np.frombuffer(back["deep"][2]), nvfp4(deep.reshape(-1, 40), 1, 16)[2].reshape(-1)))
works("dequantize", "q.safetensors", "-o", "v.safetensors", "--tensor", "deep", "--to", "fp16")
expect("to fp16", read_st("v.safetensors")[0]["deep"][2] ==
       nvfp4(deep.reshape(-1, 40), 1, 16)[2].astype(np.float16).tobytes())
names = re.search("one of (.*)", run("quantize", "m.safetensors", "-o", "z.safetensors", "--block", "mx").stderr)[1].split(", ")
expect("all profiles are named", {"mx-te", "nvfp4-torchao", "nvfp4-46", "deepseek-v3", "deepgemm"} < set(names), names)
smooth = random.standard_normal((40, 256)).astype(f32) + f32(3)
write_st("s.safetensors", {"w": ("F32", smooth.shape, smooth.tobytes())})
for name in names:
    works("quantize", "s.safetensors", "-o", "q.safetensors", "--block", name)
    works("dequantize", "q.safetensors", "-o", "v.safetensors")
    back = np.frombuffer(read_st("v.safetensors")[0]["w"][2], f32).reshape(smooth.shape)
    error = np.abs(back - smooth).max() / smooth.max()
    # mx-quest cuts off what is far from the mean 0 that it is made for.
    bound = 0.2 if name.startswith(("nvfp4", "fp4")) else 1 if name == "mx-quest" else 0.07
    expect(f"{name} comes back", error < bound, error)

# ---- mx-quest: its own rounding, unless another is asked for ----
ties = np.array([0.75, 1.25, 2.5, 3.5, 5.0, 0.25, 1.75, -0.75] + [3.0, -3.0] * 12, f32)  # scale 1: std is 2.7
write_st("t.safetensors", {"w": ("F32", (1, 32), ties.tobytes())})
for rounding, want in (((), [0.5, 1, 2, 3, 4, 0, 1.5, -0.5]), (("--round", "rne"), [1, 1, 2, 4, 4, 0, 2, -1]),
                       (("--round", "rna"), [1, 1.5, 3, 4, 6, 0.5, 2, -1])):
    works("quantize", "t.safetensors", "-o", "q.safetensors", "--block", "mx-quest", *rounding)
    works("dequantize", "q.safetensors", "-o", "v.safetensors")
    got = np.frombuffer(read_st("v.safetensors")[0]["w"][2], f32)[:8]
    expect(f"ties of mx-quest {rounding}", got.tolist() == want, got)

# ---- stochastic: seed and name decide, not the strips; scales are the same ----
def philox(counter, key):
    c, k = list(counter), list(key)
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ k[0], b & 0xFFFFFFFF, (a >> 32) ^ c[3] ^ k[1], a & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


site = 0xCBF29CE484222325
for byte in b"big":
    site = (site ^ byte) * 0x100000001B3 % 2**64
key = philox([5, 0, site & 0xFFFFFFFF, site >> 32], [0x667078, 0])[:2]
works("quantize", "m.safetensors", "-o", "q.safetensors", "--block", "mx-ocp", "--round", "sr", "--sr-bits", "16", "--seed", "5")
tensors = read_st("q.safetensors")[0]
amax, at = blocks_amax(big, 1, 32)
expect("scales without chance", np.frombuffer(tensors["big_scale"][2], np.uint8).tolist() == mx(E4M3, 8, big)[1].reshape(-1).tolist())
q = (big.astype(np.float64) / (2.0 ** (np.frexp(amax)[1] - 9))[at]).reshape(-1)
codes = np.frombuffer(tensors["big"][2], np.uint8)
for first in (0, 504 * 130 - 100, len(q) - 300):  # across the strips' ends too
    r = np.array([philox([i // 8, 0, 0, 0], key)[i // 2 % 4] >> 16 * (i % 2) & 0xFFFF for i in range(first, first + 300)])
    part = q[first:first + 300]
    low = np.minimum(np.searchsorted(E4M3, np.abs(part), "right") - 1, len(E4M3) - 2)
    nu = (np.abs(part) - E4M3[low]) / (E4M3[low + 1] - E4M3[low])
    code = np.minimum(low + (np.floor(nu * 65536) + r >= 65536), len(E4M3) - 1)
    inside = np.abs(part) < 448
    expect(f"sr at {first}", np.array_equal(codes[first:first + 300][inside], (code + 128 * np.signbit(part))[inside]))

# ---- what is refused ----
quantize = lambda source, *options: ("quantize", source, "-o", "z.safetensors", *options)
np.save("x.npy", big)
refused(".npy", [".safetensors", "two tensors"], "quantize", "x.npy", "-o", "z.npy", "--block", "mx-ocp")
for option in (("--scale", "amax"), ("--overflow", "none"), ("--profile", "ptx"), ("--stats",)):
    refused(f"{option[0]} with --block", [option[0], "--block"], *quantize("m.safetensors", "--block", "mx-ocp", *option))
refused("elements of another format", ["nvfp4-te", "e4m3"], *quantize("m.safetensors", "--block", "nvfp4-te", "--format", "e4m3"))
for name in ("mxfp8", "nvfp4"):
    refused(f"--format {name}", ["--block", "fpx/block.h"], *quantize("m.safetensors", "--format", name))
write_st("d.safetensors", {"w": ("F64", (2, 2), bytes(32))})
refused("float64", ["'w'", "float32"], *quantize("d.safetensors", "--block", "mx-ocp"))
write_st("d.safetensors", {"w": ("F32", (2, 2), bytes(16)), "w_scale": ("F32", (1,), bytes(4))})
refused("a name that is taken", ["w_scale"], *quantize("d.safetensors", "--block", "mx-ocp"))
write_st("d.safetensors", {"w": ("F32", (3, 7), bytes(84))})
refused("an odd number of nibbles", ["'w'", "whole number of bytes"], *quantize("d.safetensors", "--block", "nvfp4-te"))
refused("one axis", ["'bias'", "two axes"], *quantize("m.safetensors", "--block", "mx-ocp", "--tensor", "bias"))
scaled = {"w": ("F8_E4M3", (2, 40), bytes(80)), "w_scale": ("F8_E8M0", (2, 2), bytes(4))}
for what, tensors, metadata in (
        ("no scales", {"w": scaled["w"]}, {"fpx.block.w": "mx-ocp"}),
        ("another profile's scales", scaled, {"fpx.block.w": "tile-te"}),
        ("no such profile", scaled, {"fpx.block.w": "mx-mine"}),
        ("too few scales", {**scaled, "w_scale": ("F8_E8M0", (3,), bytes(3))}, {"fpx.block.w": "mx-ocp"}),
        ("a scale of the whole, too", scaled, {"fpx.block.w": "mx-ocp", "fpx.scale.w": "2"})):
    write_st("d.safetensors", tensors, metadata)
    refused(what, ["d.safetensors", "'w"], "dequantize", "d.safetensors", "-o", "z.safetensors")
write_st("d.safetensors", scaled, {"fpx.block.w": "mx-ocp"})
works("dequantize", "d.safetensors", "-o", "v.safetensors")

os.chdir(root)
shutil.rmtree(folder)
print(f"100%: Checks: {checks}, Failures: {failures}, Errors: 0")
sys.exit(1 if failures else 0)
