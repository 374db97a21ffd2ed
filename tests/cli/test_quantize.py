"""quantize, dequantize and formats on .npy and .safetensors: codes against an encoder of this file's own (tables of
values, midpoints, numpy), bounded memory, pipes, and every bad input.  test_quantize.py FPX ROOT SANITIZED"""
import json
import math
import os
import re
import resource
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import tempfile

import numpy as np

fpx, root, sanitized = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]), sys.argv[3] != "none"
seed = int(os.environ.get("FPX_TEST_SEED", "20264"))
print("FPX_TEST_SEED", seed)
random = np.random.default_rng(seed)
checks, failures = 0, 0


def expect(name, condition, got=""):
    global checks, failures
    checks += 1
    if not condition:
        failures += 1
        print(f"FAILED  {name}: got {got}")


def run(*args, **options):
    return subprocess.run([fpx, *args], stdout=options.pop("stdout", subprocess.PIPE), stderr=subprocess.PIPE,
                          timeout=300, **options)


def written(name):
    """Is there that file, or one beside it that is to become it?"""
    return [found for found in os.listdir(".") if found == name or (found.startswith(f".{name}.") and found.endswith(".tmp"))]


def works(*args, **options):
    done = run(*args, **options)
    expect(f"runs: {args}", done.returncode == 0 and not done.stderr, (done.returncode, done.stderr[-300:]))
    return done.stdout


def refused(name, words, *args, **options):
    """Exit 2, one message with these words, and nothing written."""
    before = sorted(os.listdir("."))
    done = run(*args, **options)
    text = done.stderr.decode(errors="replace")
    expect(name, done.returncode == 2 and all(word in text for word in words) and text.count("fpx") >= 1
           and sum(line.startswith("fpx") for line in text.splitlines()) == 1
           and sorted(os.listdir(".")) == before, (done.returncode, text))


# ---- an encoder and a decoder: tables of values from the bits' definition ----
def value_of(code, ebits, mbits, bias):
    e, m = code >> mbits, code & ((1 << mbits) - 1)
    return math.ldexp(m, 1 - bias - mbits) if e == 0 else math.ldexp((1 << mbits) + m, e - bias - mbits)


# ebits, mbits, bias, largest finite code, NaN code (None: NaN becomes the largest)
FORMATS = {"e4m3": (4, 3, 7, 0x7E, 0x7F), "e5m2": (5, 2, 15, 0x7B, 0x7E), "e2m1": (2, 1, 1, 7, None),
           "e3m2": (3, 2, 3, 31, None), "e2m3": (2, 3, 1, 31, None), "e3m4": (3, 4, 3, 0x6F, 0x78),
           "bf16": (8, 7, 127, 0x7F7F, 0x7FC0)}
TABLES = {name: np.array([value_of(code, *f[:3]) for code in range(f[3] + 1)]) for name, f in FORMATS.items()}
SIGN = {name: 1 << (f[0] + f[1]) for name, f in FORMATS.items()}


def encode(name, x, rule="rne"):
    """Saturating, from float64 values; midpoints of neighbours are exact in float64."""
    table, nan = TABLES[name], FORMATS[name][4]
    x = np.asarray(x, np.float64)
    size = np.abs(np.where(np.isnan(x), 0, x))
    low = np.clip(np.searchsorted(table, size, "right") - 1, 0, len(table) - 2)
    middle = (table[low] + table[low + 1]) / 2
    up = (size > middle) | ((size == middle) & (low % 2 == 1))
    if rule == "rz":
        up = size >= table[low + 1]
    elif rule == "ru":
        up = np.where(np.signbit(x), size >= table[low + 1], size > table[low])
    elif rule == "rd":
        up = np.where(np.signbit(x), size > table[low], size >= table[low + 1])
    code = np.where(size >= table[-1], len(table) - 1, low + up)
    code = np.where(np.isnan(x), len(table) - 1 if nan is None else nan, code)
    sign = np.signbit(x) & (~np.isnan(x) if nan is None else True)
    return (code | np.where(sign, SIGN[name], 0)).astype(np.uint16 if name == "bf16" else np.uint8)


def decode(name, codes):
    code = codes.astype(np.int64)
    size = code & (SIGN[name] - 1)
    f = FORMATS[name]
    values = np.where(size <= f[3], TABLES[name][np.minimum(size, f[3])], np.nan)
    values = np.where((size == f[3] + 1) & (name in ("e5m2", "e3m4", "bf16")), np.inf, values)
    return np.where(code & SIGN[name], -values, values)


def same(a, b):
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()


def sample(n):
    """Every exponent that matters, thresholds and their neighbours, specials."""
    x = random.standard_normal(n) * np.exp2(random.integers(-24, 20, n))
    edges = np.concatenate([(table[1:] + table[:-1]) / 2 for table in TABLES.values()])
    x[:1000] = random.choice(edges, 1000) * random.choice([1, -1], 1000)
    x[1000:2000] = x[:1000] * (1 + random.choice([1, -1], 1000) * 2.0 ** random.integers(-52, -20, 1000))
    x[2000:2008] = [np.nan, -np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-300, 1.0625 + 2.0**-50]
    return x


folder = tempfile.mkdtemp()
os.chdir(folder)
np.seterr(all="ignore")

# ---- .npy: every dtype, one rounding from it ----
x = sample(60000).reshape(300, 200)
for dtype in ("<f2", "<f4", "<f8", ">f2", ">f4", ">f8"):
    source = x.astype(dtype)
    np.save("x.npy", source)
    for name in FORMATS:
        works("quantize", "x.npy", "-o", "c.npy", "--format", name)
        expect(f"{dtype} to {name}", same(np.load("c.npy"), encode(name, source)),
               np.flatnonzero(np.load("c.npy") != encode(name, source))[:5])
    for rule in ("rz", "ru", "rd"):
        works("quantize", "x.npy", "-o", "c.npy", "--format", "e4m3", "--round", rule)
        expect(f"{dtype}, {rule}", same(np.load("c.npy"), encode("e4m3", source, rule)))
single = x.astype(np.float32)
np.save("x.npy", single)
for shape in ((), (1,), (0,), (3, 0), (2, 3, 4, 5, 6), (16384,), (16385,), (2, 16384)):
    part = single.reshape(-1)[:int(np.prod(shape))].reshape(shape)
    np.save("s.npy", part)
    works("quantize", "s.npy", "-o", "c.npy", "--format", "e4m3")
    works("dequantize", "c.npy", "-o", "v.npy", "--format", "e4m3")
    expect(f"shape {shape}", same(np.load("c.npy"), encode("e4m3", part)) and np.load("v.npy").shape == shape)
for version in ((2, 0), (3, 0)):
    with open("v2.npy", "wb") as file:
        np.lib.format.write_array(file, single, version)
    works("quantize", "v2.npy", "-o", "c.npy", "--format", "e5m2")
    expect(f"version {version}", same(np.load("c.npy"), encode("e5m2", single)))
np.save("f.npy", np.asfortranarray(single[:, :1]))
works("quantize", "f.npy", "-o", "c.npy", "--format", "e5m2")
expect("Fortran order of one column is C order", same(np.load("c.npy"), encode("e5m2", single[:, :1])))

# ---- back: each code of each format, to each float ----
for name in FORMATS:
    codes = np.arange(2 * SIGN[name]).astype(np.uint16 if name == "bf16" else np.uint8)
    np.save("c.npy", codes)
    values = decode(name, codes)
    for to, dtype in (("fp32", np.float32), ("fp64", np.float64), ("fp16", np.float16)):
        if (name, to) == ("bf16", "fp16"):
            finite, shrunk = np.isfinite(values), values.astype(np.float16)
            said = run("dequantize", "c.npy", "-o", "v.npy", "--format", name, "--to", to).stderr.decode()
            expect("bf16 to fp16 says what is beyond fp16",
                   f"{(finite & np.isinf(shrunk)).sum()} values became Inf and "
                   f"{((values != 0) & (shrunk == 0)).sum()} became 0" in said, said)
        else:
            works("dequantize", "c.npy", "-o", "v.npy", "--format", name, "--to", to)
        got, want = np.load("v.npy"), values.astype(dtype)
        expect(f"{name} to {to}", got.dtype == dtype and np.array_equal(got, want, equal_nan=True) and
               np.array_equal(np.signbit(got), np.signbit(want)))
    works("dequantize", "c.npy", "-o", "v.npy", "--format", name, "--to", "bf16")
    expect(f"{name} to bf16", np.load("v.npy").dtype == np.uint16 and
           np.array_equal(decode("bf16", np.load("v.npy")), values, equal_nan=True))
works("quantize", "x.npy", "-o", "h.npy", "--format", "fp16", "--overflow", "none")
expect("fp16 is written as numpy's", np.array_equal(np.load("h.npy"), single.astype(np.float16), equal_nan=True))
works("dequantize", "h.npy", "-o", "v.npy")
expect("and needs no name", np.array_equal(np.load("v.npy"), single.astype(np.float16).astype("f4"), equal_nan=True))

# ---- codes of ml_dtypes as numpy.save leaves them, and codes to codes ----
bf16 = encode("bf16", single)
for name, array in (("u2", bf16), ("V2", bf16.view("V2"))):
    np.save("b.npy", array)
    works("quantize", "b.npy", "-o", "c.npy", "--format", "e4m3", "--from", "bfloat16")
    expect(f"bfloat16 as {name}", same(np.load("c.npy"), encode("e4m3", decode("bf16", bf16))))
np.save("b.npy", np.arange(256, dtype=np.uint8).view("V1"))
works("dequantize", "b.npy", "-o", "v.npy", "--format", "float8_e4m3fn")
expect("float8 as V1", np.array_equal(np.load("v.npy"), decode("e4m3", np.arange(256)).astype("f4"), equal_nan=True))

# ---- scales ----
np.save("x.npy", single[20:])
np.save("d.npy", x[20:])
part = single[20:]
for text in ("0.3", "16", "1e-3"):
    factor = np.float32(text)
    works("quantize", "x.npy", "-o", "c.npy", "--format", "e4m3", "--scale", text)
    expect(f"scale {text}: a float32 product", same(np.load("c.npy"), encode("e4m3", part * factor)))
    works("dequantize", "c.npy", "-o", "v.npy", "--format", "e4m3", "--scale", text)
    expect(f"scale {text}: a float32 quotient",
           same(np.load("v.npy"), decode("e4m3", np.load("c.npy")).astype("f4") / factor))
    works("quantize", "d.npy", "-o", "c.npy", "--format", "e4m3", "--scale", text)
    expect(f"scale {text}: a float64 product", same(np.load("c.npy"), encode("e4m3", x[20:] * float(text))))
amax = np.abs(part).max()
works("quantize", "x.npy", "-o", "c.npy", "--format", "e4m3", "--scale", "amax", "--json", "j.json")
factor = np.float32(448) / amax
expect("amax", same(np.load("c.npy"), encode("e4m3", part * factor)))
expect("its scale is stated", json.load(open("j.json"))["arrays"][0]["scale"] == float(factor))
for what, value, said in (("zero", 0.0, ""), ("Inf", np.inf, "0 NaN and 4 Inf, which is all"),
                          ("NaN", np.nan, "4 NaN and 0 Inf, which is all")):
    np.save("s.npy", np.full(4, value, np.float32))
    done = run("quantize", "s.npy", "-o", "c.npy", "--format", "e4m3", "--scale", "amax", "--json", "j.json")
    expect(f"amax of {what} scales by 1", json.load(open("j.json"))["arrays"][0]["scale"] == 1.0 and
           said in done.stderr.decode() and (said != "" or not done.stderr), done.stderr)

# ---- stochastic rounding: the words of the published generator, by its definition ----
def philox(counter, key):
    c, k = list(counter), list(key)
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ k[0], b & 0xFFFFFFFF, (a >> 32) ^ c[3] ^ k[1], a & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def words(stream, site, first, n, bits):
    """Of 32 bits an element; where 16 are enough, of 16: the halves of a word, the lower first."""
    key = philox([stream & 0xFFFFFFFF, stream >> 32, site & 0xFFFFFFFF, site >> 32], [0x667078, 0])[:2]
    if bits > 16:
        return np.array([philox([i // 4, 0, 0, 0], key)[i % 4] for i in range(first, first + n)], np.int64)
    return np.array([philox([i // 8, 0, 0, 0], key)[i // 2 % 4] >> (16 * (i % 2)) & 0xFFFF
                     for i in range(first, first + n)], np.int64)


def stochastic(x, bits, random_words, variant):
    """e4m3 of values within its range: nu is the exact discarded fraction."""
    table = TABLES["e4m3"]
    size = np.abs(x)
    low = np.searchsorted(table, size, "right") - 1
    nu = (size - table[low]) / (table[low + 1] - table[low])
    r = random_words & ((1 << bits) - 1)
    if variant == "a":
        up = np.floor(nu * 2.0**bits) + r >= 2**bits
    elif variant == "b":
        up = nu * 2.0**(bits + 1) + 2 * r + 1 >= 2**(bits + 1)
    else:
        up = np.rint(nu * 2.0**bits) + r >= 2**bits
    return (low + up).astype(np.uint8) | np.where(np.signbit(x), 0x80, 0).astype(np.uint8)


def fnv(name):
    h = 0xCBF29CE484222325
    for byte in name.encode():
        h = (h ^ byte) * 0x100000001B3 % 2**64
    return h


y = (random.standard_normal(16384 + 600) * np.exp2(random.integers(-8, 6, 16384 + 600))).astype(np.float32)
np.save("y.npy", y)
for bits, variant in ((32, "a"), (16, "a"), (8, "b"), (4, "c")):
    works("quantize", "y.npy", "-o", "c.npy", "--format", "e4m3", "--round", "sr", "--sr-bits", str(bits),
          "--sr-variant", variant, "--seed", "12345678901")
    for first in (0, 16384 - 300):  # across the end of a piece
        expect(f"sr {bits} {variant} at {first}",
               np.array_equal(np.load("c.npy")[first:first + 600],
                              stochastic(y[first:first + 600].astype("f8"), bits,
                                         words(12345678901, 0, first, 600, bits), variant)))
np.save("y8.npy", y.astype(np.float64))
for bits in ("8", "16", "17", "32"):
    options = ("--format", "e4m3", "--round", "sr", "--sr-bits", bits, "--seed", "3")
    works("quantize", "y.npy", "-o", "c.npy", *options)
    works("quantize", "y8.npy", "-o", "c8.npy", *options)
    expect(f"float64 draws the same {bits} bits", same(np.load("c.npy"), np.load("c8.npy")))

# ---- packed ----
z = single[:64, :48]
np.save("z.npy", z)
for name, per, size in (("e2m1", 2, 1), ("e2m3", 4, 3), ("e3m2", 4, 3)):
    works("quantize", "z.npy", "-o", "p.npy", "--format", name, "--packed")
    codes = encode(name, z).astype(np.uint32).reshape(64, -1, per)
    width = 8 * size // per
    joined = sum(codes[..., i] << (width * i) for i in range(per))
    want = np.stack([(joined >> (8 * i)) & 255 for i in range(size)], -1).reshape(64, -1).astype(np.uint8)
    expect(f"{name} packed", same(np.load("p.npy"), want), np.load("p.npy").shape)
    works("dequantize", "p.npy", "-o", "v.npy", "--format", name, "--packed")
    expect(f"{name} unpacked", same(np.load("v.npy"), decode(name, encode(name, z)).astype("f4")))

# ---- what was lost, against numpy; the same for other orders of the same sums is not asked ----
np.save("x.npy", single)
part = single
works("quantize", "x.npy", "-o", "c.npy", "--format", "e4m3", "--json", "j.json")
loss = json.load(open("j.json"))
array, codes = loss["arrays"][0], np.load("c.npy")
v, q = part.astype(np.float64), decode("e4m3", codes)
ok = np.isfinite(v) & np.isfinite(q)
expect("schema", loss["schema"] == "fpx.quantize/1" and loss["format"] == "e4m3" and loss["round"] == "rne", loss)
for key, want in (("elements", v.size), ("nan", np.isnan(v).sum()), ("inf", np.isinf(v).sum()),
                  ("zero", (v == 0).sum()), ("exact", ((v == q) | (np.isnan(v) & np.isnan(q))).sum()),
                  ("saturated", (np.abs(v) > 448).sum()), ("underflowed", ((v != 0) & (q == 0)).sum()),
                  ("overflowed", 0), ("nan_lost", 0)):
    expect(f"count of {key}", array[key] == want, (array[key], want))
expect("amax, error", array["amax"] == np.abs(v[np.isfinite(v)]).max() and
       array["max_abs_error"] == np.abs(q - v)[ok].max(), array)
sqnr = 10 * math.log10((v[ok]**2).sum() / ((q - v)[ok]**2).sum())
expect("SQNR", abs(array["sqnr_db"] - sqnr) < 1e-9, (array["sqnr_db"], sqnr))
exponents = np.frexp(np.abs(v[np.isfinite(v) & (v != 0)]))[1] - 1
expect("exponents", array["exponents"] == {str(e): int(n) for e, n in zip(*np.unique(exponents, return_counts=True))})
done = works("quantize", "x.npy", "-o", "c2.npy", "--format", "e4m3", "--stats").decode()
expect("the table says the same", all(word in done for word in (f"{array['saturated']}  ", "SQNR", "subnormal", "2^-9 "))
       and max(map(len, done.splitlines())) <= 80 and not re.search(" $", done, re.M), done)
expect("and changes no code", same(np.load("c2.npy"), codes))
done = run("quantize", "x.npy", "-o", "-", "--format", "e4m3", "--stats")
expect("with codes on standard output it goes to the other stream", done.stdout.startswith(b"\x93NUMPY") and
       b"SQNR" in done.stderr)

# ---- pipes ----
with open("x.npy", "rb") as file:
    out = works("quantize", "-", "-o", "-", "--format", "e4m3", stdin=file)
expect("a file as standard input", out == open("c.npy", "rb").read())
piped = subprocess.run(f"cat x.npy | {shlex.quote(fpx)} quantize - -o - --format e4m3 | {shlex.quote(fpx)} dequantize "
                       "- -o - --format e4m3 | cat > v.npy", shell=True, timeout=120)
expect("a pipe of both", piped.returncode == 0 and np.array_equal(np.load("v.npy"),
       decode("e4m3", codes).astype("f4"), equal_nan=True))
with open("x.npy", "rb") as file:
    done = run("quantize", "-", "-o", "c3.npy", "--format", "e4m3", "--scale", "amax", stdin=file)
expect("a file as standard input can be read twice", done.returncode == 0, done.stderr)
done = subprocess.run(f"cat x.npy | {shlex.quote(fpx)} quantize - -o w.npy --format e4m3 --scale amax", shell=True,
                      stderr=subprocess.PIPE, timeout=120)
expect("amax of a pipe", done.returncode == 2 and b"cannot be read twice" in done.stderr and not os.path.exists("w.npy"))
for cut in (3, 100, 5000):
    head = open("x.npy", "rb").read()[:cut]
    done = run("quantize", "-", "-o", "w.npy", "--format", "e4m3", input=head)
    expect(f"a pipe cut at {cut}", done.returncode == 2 and b"standard input" in done.stderr and
           not written("w.npy"), done.stderr)
done = run("quantize", "-", "-o", "w.npy", "--format", "e4m3", input=open("x.npy", "rb").read() + b"x")
expect("a pipe that goes on", done.returncode == 2 and b"goes on" in done.stderr and not os.path.exists("w.npy"))
reader, writer = os.pipe()
os.close(reader)
done = run("quantize", "x.npy", "-o", "-", "--format", "e4m3", stdout=writer)
os.close(writer)
expect("nobody reads", done.returncode in (2, -signal.SIGPIPE), done)
with open("/dev/full", "wb") as full:
    done = run("quantize", "x.npy", "-o", "-", "--format", "e4m3", stdout=full)
expect("a full disk behind standard output", done.returncode == 2 and b"No space left" in done.stderr, done)

# ---- nothing is overwritten on failure ----
open("old.npy", "w").write("old")


def small():
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))


refused("a full disk", ["old.npy", "File too large"], "quantize", "x.npy", "-o", "old.npy", "--format", "e4m3",
        preexec_fn=small)
expect("the old file is there", open("old.npy").read() == "old")
os.symlink("x.npy", "link.npy")
os.link("x.npy", "hard.npy")
for other in ("x.npy", "./x.npy", "link.npy", "hard.npy"):
    refused(f"IN is OUT: {other}", ["-o would overwrite the input", "name another"], "quantize", "x.npy", "-o", other, "--format", "e4m3")
refused("OUT in no folder", ["none/c.npy"], "quantize", "x.npy", "-o", "none/c.npy", "--format", "e4m3")
refused("OUT is a device", ["no regular file"], "quantize", "x.npy", "-o", "/dev/full", "--format", "e4m3")

# ---- bad .npy files ----
good = open("x.npy", "rb").read()


def npy(name, descr="<f4", order=False, shape=(2, 2), data=16, version=1, magic=b"\x93NUMPY", header=None):
    text = (header or repr({"descr": descr, "fortran_order": order, "shape": shape})).encode() + b"\n"
    with open(name, "wb") as file:
        file.write(magic + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(text)) + text +
                   bytes(data))
    return name


for name, words_wanted, options in (
        ("complex", ["<c8", "astype"], {"descr": "<c8"}), ("int64", ["<i8", "astype"], {"descr": "<i8"}),
        ("bool", ["|b1"], {"descr": "|b1"}), ("text", ["<U4"], {"descr": "<U4"}), ("long double", ["<f16"], {"descr": "<f16"}),
        ("objects", ["Python objects"], {"descr": "|O"}), ("a structure", ["structure"], {"descr": [("a", "<f4")]}),
        ("Fortran order", ["Fortran", "ascontiguousarray"], {"order": True}),
        ("cut elements", ["is cut: 15 of the 16 bytes"], {"data": 15}),
        ("trailing bytes", ["1 bytes after the last element"], {"data": 17}),
        ("shape overflow", ["beyond any memory"], {"shape": (2**40, 2**40)}),
        ("shape overflow hidden by a zero", ["beyond any memory"], {"shape": (0, 2**40, 2**40)}),
        ("a huge shape", ["is cut"], {"shape": (2**40,)}),
        ("a negative shape", ["no number"], {"shape": (-1,)}), ("too many axes", ["32 axes"], {"shape": (1,) * 33}),
        ("another version", ["version 9.0"], {"version": 9}), ("no magic", ["no .npy file"], {"magic": b"\x93NUMPX"}),
        ("a header that is no dictionary", ["malformed"], {"header": "[1, 2]"}),
        ("a zero byte in the header", ["malformed", "a zero byte"],
         {"header": repr({"descr": "<f4", "fortran_order": False, "shape": (2, 2)}) + "\0"}),
        ("codes without a format", ["--from", "--format"], {"descr": "|u1", "data": 4}),
        ("bfloat16 without its name", ["2 bytes", "--from"], {"descr": "<V2", "data": 8})):
    npy("bad.npy", **options)
    refused(name, ["bad.npy", *words_wanted], "quantize", "bad.npy", "-o", "w.npy", "--format", "e4m3")
for cut in (0, 5, 8, 9, 10, 60, 127):
    open("bad.npy", "wb").write(good[:cut])
    refused(f"cut at {cut}", ["bad.npy"], "quantize", "bad.npy", "-o", "w.npy", "--format", "e4m3")
refused("missing", ["none.npy"], "quantize", "none.npy", "-o", "w.npy", "--format", "e4m3")
refused("no name", ["a name is missing"], "quantize", "", "-o", "w.npy", "--format", "e4m3")
refused("a folder", ["folder"], "quantize", ".", "-o", "w.npy", "--format", "e4m3")
np.save("odd.npy", np.zeros((4, 5), np.float32))
refused("odd nibbles", ["5 elements", "multiple of 2"], "quantize", "odd.npy", "-o", "w.npy", "--format", "e2m1", "--packed")
refused("6 bits that fill no bytes", ["multiple of 4"], "quantize", "odd.npy", "-o", "w.npy", "--format", "e2m3", "--packed")
np.save("odd.npy", np.zeros((4, 5), np.uint8))
refused("packed bytes that are no 6-bit codes", ["5 bytes"], "dequantize", "odd.npy", "-o", "w.npy", "--format", "e2m3",
        "--packed")
np.save("odd.npy", np.float32(1))
refused("a packed scalar", ["scalar"], "quantize", "odd.npy", "-o", "w.npy", "--format", "e2m1", "--packed")
np.save("odd.npy", np.array([1, 2, 0x31], np.uint8))
refused("a code that is too wide", ["element 2", "0x31", "--packed"], "dequantize", "odd.npy", "-o", "w.npy", "--format", "e2m1")
refused("codes of another width", ["1 byte,", "bf16", "2"], "dequantize", "odd.npy", "-o", "w.npy", "--format", "bf16")
refused("floats are no codes", ["float32"], "quantize", "x.npy", "-o", "w.npy", "--format", "e4m3", "--from", "bf16")
np.save("wide.npy", np.array([1, 2], np.uint16))
refused("a value that float32 lacks", ["fp64"], "dequantize", "wide.npy", "-o", "w.npy", "--format", "e11m4")
for name, words_wanted, args in (
        ("no format", ["--format"], ["-o", "w.npy"]), ("no OUT", ["-o"], ["--format", "e4m3"]),
        ("unknown format", ["e9m9", "fpx formats"], ["-o", "w.npy", "--format", "e9m9"]),
        ("indices", ["int32"], ["-o", "w.npy", "--format", "int32"]),
        ("unknown rounding", ["--round", "rne, rna"], ["-o", "w.npy", "--format", "e4m3", "--round", "up"]),
        ("unknown overflow", ["--overflow", "satfinite"], ["-o", "w.npy", "--format", "e4m3", "--overflow", "wrap"]),
        ("33 random bits", ["--sr-bits", "32"], ["-o", "w.npy", "--format", "e4m3", "--round", "sr", "--sr-bits", "33"]),
        ("random bits for rne", ["--round sr"], ["-o", "w.npy", "--format", "e4m3", "--sr-bits", "8"]),
        ("a seed for rne", ["--round sr"], ["-o", "w.npy", "--format", "e4m3", "--seed", "8"]),
        ("scale 0", ["--scale", "above 0"], ["-o", "w.npy", "--format", "e4m3", "--scale", "0"]),
        ("scale nan", ["--scale"], ["-o", "w.npy", "--format", "e4m3", "--scale", "nan"]),
        ("scale 1e99", ["--scale"], ["-o", "w.npy", "--format", "e4m3", "--scale", "1e99"]),
        ("packed bytes", ["--packed", "8 bits"], ["-o", "w.npy", "--format", "e4m3", "--packed"]),
        ("a tensor of .npy", ["--tensor"], ["-o", "w.npy", "--format", "e4m3", "--tensor", "a"]),
        ("two kinds of file", [".safetensors"], ["-o", "w.safetensors", "--format", "e4m3"]),
        ("two results in one stream", ["both"], ["-o", "-", "--format", "e4m3", "--json", "-"])):
    refused(name, words_wanted, "quantize", "x.npy", *args)
refused("to what is no float", ["--to"], "dequantize", "h.npy", "-o", "w.npy", "--to", "e4m3")

# ---- .safetensors ----
def write_st(name, tensors, metadata=None):
    header, at, data = {"__metadata__": metadata} if metadata else {}, 0, b""
    for key, (dtype, shape, content) in tensors.items():
        header[key] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + len(content)]}
        at, data = at + len(content), data + content
    text = json.dumps(header).encode()
    with open(name, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)
    return name


def read_st(name):
    raw = open(name, "rb").read()
    n = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8:8 + n])
    metadata = header.pop("__metadata__", {})
    return {key: (t["dtype"], tuple(t["shape"]), raw[8 + n + t["data_offsets"][0]:8 + n + t["data_offsets"][1]])
            for key, t in header.items()}, metadata


w = single[20:60]
half, double = w.astype(np.float16), x[20:60]
model = {"w": ("F32", w.shape, w.tobytes()), "h": ("F16", half.shape, half.tobytes()),
         "b": ("BF16", w.shape, encode("bf16", w).tobytes()), "d": ("F64", double.shape, double.tobytes()),
         "ids": ("I64", (3,), bytes(range(24))), "mask": ("BOOL", (0, 2), b""), "old": ("F8_E5M2", (5,), b"\0\1\2\3\4")}
write_st("m.safetensors", model, {"note": "kept"})
for name, dtype in (("e4m3", "F8_E4M3"), ("e5m2", "F8_E5M2"), ("e2m1", "F4"), ("e2m3", "F6_E2M3"), ("e3m2", "F6_E3M2"),
                    ("e3m4", "U8")):
    works("quantize", "m.safetensors", "-o", "q.safetensors", "--format", name)
    tensors, metadata = read_st("q.safetensors")
    expect(f"{name}: what is no float is copied", all(tensors[k] == model[k] for k in ("ids", "mask", "old")))
    expect(f"{name}: order and metadata", list(tensors) == list(model) and metadata["note"] == "kept" and
           len(metadata["fpx.digest"]) == 32 and ("fpx.format.w" in metadata) == (dtype == "U8"), metadata)
    for key, source in (("w", w), ("h", half), ("b", decode("bf16", encode("bf16", w))), ("d", double)):
        codes = encode(name, source).reshape(-1).astype(np.uint32)
        width = {"F4": 4}.get(dtype, 6 if dtype.startswith("F6") else 8)
        per = 8 // math.gcd(8, width)
        joined = sum(codes.reshape(-1, per)[:, i] << (width * i) for i in range(per))
        want = np.stack([(joined >> (8 * i)) & 255 for i in range(width * per // 8)], -1).astype(np.uint8).tobytes()
        expect(f"{name}: {key}", tensors[key] == (dtype, source.shape, want), tensors[key][:2])
    works("dequantize", "q.safetensors", "-o", "v.safetensors")
    tensors, metadata = read_st("v.safetensors")
    expect(f"{name}: back", tensors["w"] == ("F32", w.shape, decode(name, encode(name, w)).astype("f4").tobytes()) and
           tensors["old"][0] == "F32" and tensors["ids"] == model["ids"] and "fpx.format.w" not in metadata)
works("quantize", "m.safetensors", "-o", "q.safetensors", "--format", "e4m3", "--scale", "amax", "--tensor", "w",
      "--json", "j.json")
tensors, metadata = read_st("q.safetensors")
factor = np.float32(448) / np.abs(w).max()
expect("one tensor, its scale in the metadata", float(metadata["fpx.scale.w"]) == float(factor) and
       tensors["h"] == model["h"] and tensors["w"][2] == encode("e4m3", w * factor).tobytes(), metadata)
expect("its loss", [a["name"] for a in json.load(open("j.json"))["arrays"]] == ["w"])
works("dequantize", "q.safetensors", "-o", "v.safetensors", "--tensor", "w")
expect("the scale is divided out", read_st("v.safetensors")[0]["w"][2] ==
       (decode("e4m3", encode("e4m3", w * factor)).astype("f4") / factor).tobytes())
positive = np.abs(y[:600]) + np.float32(0.25)
write_st("s.safetensors", {"first": ("F32", (600,), positive.tobytes()), "other": ("F32", (600,), positive.tobytes())})
works("quantize", "s.safetensors", "-o", "q.safetensors", "--format", "e4m3", "--round", "sr", "--sr-bits", "16")
for key in ("first", "other"):
    expect(f"random bits of {key}", read_st("q.safetensors")[0][key][2] ==
           stochastic(positive.astype("f8"), 16, words(0, fnv(key), 0, 600, 16), "a").tobytes())
raw = bytearray(open("q.safetensors", "rb").read())
raw[-1] ^= 1
open("bad.safetensors", "wb").write(raw)
refused("a flipped bit", ["is corrupt"], "dequantize", "bad.safetensors", "-o", "w.safetensors")
open("bad.safetensors", "wb").write(raw[:-1])
refused("a cut file", ["cut"], "dequantize", "bad.safetensors", "-o", "w.safetensors")
write_st("bad.safetensors", {"a": ("F4", (3,), b"\0\0")})
refused("odd nibbles in a file", ["'a'", "whole number of bytes"], "dequantize", "bad.safetensors", "-o", "w.safetensors")
write_st("bad.safetensors", {"a": ("F32", (3,), bytes(12)), "b": ("F32", (4,), bytes(16))})
refused("odd nibbles to come", ["'a'", "--tensor"], "quantize", "bad.safetensors", "-o", "w.safetensors", "--format", "e2m1")
works("quantize", "bad.safetensors", "-o", "q.safetensors", "--format", "e2m1", "--tensor", "b")
ugly = "a\n\x1b[31mfpx: no"
write_st("ugly.safetensors", {ugly: ("F32", (3,), bytes(12))})
text = works("quantize", "ugly.safetensors", "-o", "q.safetensors", "--format", "e4m3", "--stats").decode()
expect("a terminal does not obey a name", text.startswith("a??[31mfpx: no: e4m3") and "\x1b" not in text, text[:80])
refused("nor in an error", ["a??[31mfpx: no"], "quantize", "ugly.safetensors", "-o", "w.safetensors", "--format", "e2m1")
expect("and the name is kept", list(read_st("q.safetensors")[0]) == [ugly])
refused("no such tensor", ["'c'"], "quantize", "bad.safetensors", "-o", "w.safetensors", "--format", "e4m3", "--tensor", "c")
refused("nothing to dequantize", ["nothing to convert"], "dequantize", "bad.safetensors", "-o", "w.safetensors")
write_st("bad.safetensors", {"a": ("I64", (1,), bytes(8))})
refused("no floats", ["nothing to convert"], "quantize", "bad.safetensors", "-o", "w.safetensors", "--format", "e4m3")
refused("no float", ["'a'", "no floats"], "quantize", "bad.safetensors", "-o", "w.safetensors", "--format", "e4m3",
        "--tensor", "a")
for key, value in (("fpx.scale.a", "x"), ("fpx.scale.a", "-1"), ("fpx.format.a", "e9m9"), ("fpx.format.a", "fp16")):
    write_st("bad.safetensors", {"a": ("U8", (1,), bytes(1))}, {"fpx.format.a": "e3m4", key: value})
    refused(f"metadata {key}={value}", [key, value], "dequantize", "bad.safetensors", "-o", "w.safetensors")
write_st("bad.safetensors", {"a": ("BF16", (1,), bytes(2))}, {"fpx.scale.a": "2"})
refused("scaled twice", ["scaled already"], "quantize", "bad.safetensors", "-o", "w.safetensors", "--format", "e4m3")
refused("a safetensors pipe", [".safetensors"], "quantize", "-", "-o", "w.safetensors", "--format", "e4m3", input=b"")
for args in (("--from", "bf16"), ("--packed",)):
    refused(f"{args} for safetensors", [args[0]], "quantize", "m.safetensors", "-o", "w.safetensors", "--format", "e4m3", *args)
refused("--format for safetensors", ["--format"], "dequantize", "q.safetensors", "-o", "w.safetensors", "--format", "e4m3")

# ---- memory: files larger than the address space ----
def narrow():
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))


LIMIT, LARGE = 160 << 20, 400 << 20
one_thread = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
if sanitized:
    print("under a sanitizer the address space has no limit: memory is not looked at")
else:
    npy("large.npy", shape=(LARGE // 4,), data=0)
    os.truncate("large.npy", os.path.getsize("large.npy") + LARGE)
    with open("/dev/null", "wb") as null:
        for args in (("--format", "e4m3"), ("--format", "e2m1", "--packed", "--scale", "amax")):
            done = run("quantize", "large.npy", "-o", "-", *args, stdout=null, preexec_fn=narrow, env=one_thread)
            expect(f"{LARGE >> 20} MB of .npy in {LIMIT >> 20} MB", done.returncode == 0, done.stderr)
    with subprocess.Popen([fpx, "quantize", "large.npy", "-o", "w.npy", "--format", "e4m3", "--stats"],
                          stderr=subprocess.PIPE) as child:
        while not written("w.npy") and child.poll() is None:
            pass
        child.send_signal(signal.SIGINT)
        text = child.stderr.read().decode()
    expect("interrupted: nothing is written", child.returncode == 2 and "interrupted" in text and
           not written("w.npy"), (child.returncode, text))
    header = json.dumps({"a": {"dtype": "F32", "shape": [LARGE // 4], "data_offsets": [0, LARGE]}}).encode()
    open("large.safetensors", "wb").write(struct.pack("<Q", len(header)) + header)
    os.truncate("large.safetensors", 8 + len(header) + LARGE)
    done = run("quantize", "large.safetensors", "-o", "q.safetensors", "--format", "e2m1", preexec_fn=narrow, env=one_thread)
    expect("and of .safetensors", done.returncode == 0 and os.path.getsize("q.safetensors") > LARGE // 8, done.stderr)

# ---- formats ----
pages = {"": works("formats").decode()}
listed = json.loads(works("formats", "--json", "-"))["formats"]
for f in listed:
    expect(f"{f['name']} is in the list", re.search(rf"^  {f['name']} ", pages[""], re.M))
for name in [f["name"] for f in listed] + ["binary8p4ue", "binary8p1ue", "binary3p1se", "binary5p5sf", "e3m4b5fn",
                                           "ue4m4", "e2m1finite", "e2m13", "float8_e4m3fn"]:
    pages[name] = works("formats", name).decode()
for name, text in pages.items():
    bad = [line for line in text.splitlines() if len(line) > 80 or line != line.rstrip()]
    expect(f"formats {name}: 80 columns, no blanks at ends", not bad, bad)
for name in ("e4m3", "e5m2", "e2m1", "e3m2", "e2m3", "e3m4"):
    f = json.loads(works("formats", name, "--json", "-"))["formats"][0]
    number = {"NaN": np.nan, "Infinity": np.inf, "-Infinity": -np.inf}
    got = np.array([number.get(v, v) for v in f["values"]], np.float64)
    want = decode(name, np.arange(2 * SIGN[name]))
    expect(f"values of {name}", np.array_equal(got, want, equal_nan=True), got)
    finite = np.isfinite(want)
    expect(f"facts of {name}", f["max"] == {"code": f"0x{FORMATS[name][3]:0{(f['bits'] + 3) // 4}x}", "value": want[finite].max()}
           and f["least"]["value"] == want[want > 0].min() and f["finite_codes"] == finite.sum() and
           f["nan_codes"] == np.isnan(want).sum() and f["inf_codes"] == np.isinf(want).sum() and
           f["least_normal"]["value"] == 2.0**(1 - FORMATS[name][2]), f)
    cells = [cell for line in pages[name].splitlines() if re.match(r"  0x[0-9a-f]+ {3}", line)
             for cell in re.split(r" {2,}", line.strip())[1:]]
    power = lambda c: float(c.replace("NaN", "nan").replace("Inf", "inf")) if "^" not in c else \
        float(c.split(" * ")[0] if "*" in c else 1) * 2.0**int(c.split("^")[1])
    expect(f"the page of {name} has each value", np.array_equal([power(c) for c in cells], want[:SIGN[name]], equal_nan=True),
           cells)
f = json.loads(works("formats", "binary8p3se", "--json", "-"))["formats"][0]
expect("P3109: one zero, one NaN, two Inf", (f["finite_codes"], f["nan_codes"], f["inf_codes"]) == (253, 1, 2), f)
refused("no such format", ["nonesuch", "binary<K>p<P>"], "formats", "nonesuch")
refused("no such fields", ["e99m1", "2 to 16 bits"], "formats", "e99m1")

# ---- the commands of README ----
shutil.copy("y.npy", "weights.npy")
write_st("model.safetensors", {name: tensor for name, tensor in model.items() if name != "d"})  # blocks take no float64
text = open(os.path.join(root, "README.md"), encoding="utf-8").read()
section = text[text.index("## Numbers to codes"):]
section = section[:section.index("\n## ")]
text = open(os.path.join(root, "docs/quantize.md"), encoding="utf-8").read()
section += text[text.index("## Blocks"):text.index("## NaN")]
commands = [line.split("     ")[0].replace("fpx ", shlex.quote(fpx) + " ") for line in section.splitlines()
            if re.match(r"(\$ )?(cat .* \| )?fpx ", line)]
expect("README has commands", len(commands) >= 5, commands)
for command in commands:
    done = subprocess.run(command.removeprefix("$ "), shell=True, capture_output=True, timeout=120)
    expect(f"README: {command}", done.returncode == 0, done.stderr)

os.chdir(root)
shutil.rmtree(folder)
print(f"100%: Checks: {checks}, Failures: {failures}, Errors: 0")
sys.exit(1 if failures else 0)
