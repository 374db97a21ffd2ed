"""quantize and dequantize around their files and scales: writers of one name, what --scale takes and says, what is
refused and with which words.  test_quantize_files.py FPX ROOT"""
import json
import math
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from fractions import Fraction

import numpy as np

fpx, root = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
checks, failures = 0, 0


def expect(name, condition, got=""):
    global checks, failures
    checks += 1
    if not condition:
        failures += 1
        print(f"FAILED  {name}: got {got}")


def run(*args, **options):
    return subprocess.run([fpx, *args], capture_output=True, text=True, timeout=300, **options)


def works(*args, **options):
    done = run(*args, **options)
    expect(f"runs: {args}", done.returncode == 0, (done.returncode, done.stderr[-300:]))
    return done


def refused(name, words, *args, without=(), **options):
    """Exit 2, one message with these words and without the others, and nothing written."""
    before = sorted(os.listdir("."))
    done = run(*args, **options)
    expect(name, done.returncode == 2 and all(word in done.stderr for word in words)
           and not any(word in done.stderr for word in without)
           and sum(line.startswith("fpx") for line in done.stderr.splitlines()) == 1
           and sorted(os.listdir(".")) == before, (done.returncode, done.stderr))


folder = tempfile.mkdtemp()
os.chdir(folder)

# ---- two writers of one file, each stopped in the middle: the file is one of theirs, whole ----
def begin(value, n=100000):
    np.save("in.npy", np.full(n, value, np.float32))
    raw = open("in.npy", "rb").read()
    child = subprocess.Popen([fpx, "quantize", "-", "-o", "w.npy", "--format", "e4m3"], stdin=subprocess.PIPE)
    child.stdin.write(raw[:-100])
    child.stdin.flush()
    return child, raw[-100:]


def beside():
    return sorted(name for name in os.listdir(".") if name.startswith(".w.npy."))


def wait_for(names):
    limit = time.time() + 20
    while len(beside()) < names and time.time() < limit:
        time.sleep(0.01)


def end(child, rest):
    child.stdin.write(rest)
    child.stdin.close()
    expect("a writer ends well", child.wait(60) == 0, child.returncode)


open("w.npy.tmp", "w").write("mine")
first, second = begin(1.0), begin(2.0)
wait_for(2)
expect("two names beside", len(beside()) == 2, beside())
end(*first)
expect("the first is whole", np.array_equal(np.load("w.npy"), np.full(100000, 0x38, np.uint8)))
end(*second)
expect("the second replaces it", np.array_equal(np.load("w.npy"), np.full(100000, 0x40, np.uint8)))
expect("nothing is left, nothing of others' is gone", beside() == [] and open("w.npy.tmp").read() == "mine")
for number in (signal.SIGINT, signal.SIGTERM):
    child, rest = begin(3.0)
    wait_for(1)
    child.send_signal(number)
    child.stdin.write(rest)
    child.stdin.close()
    child.wait(60)
    expect(f"signal {number}: nothing is left", beside() == [], (child.returncode, beside()))
works("quantize", "in.npy", "-o", "c" * 246 + ".npy", "--format", "e4m3")
expect("a name as long as can be", os.path.getsize("c" * 246 + ".npy") > 100000)

# ---- --scale amax: the finite elements decide, and what is left out is said ----
w = np.linspace(-3, 3, 1000).astype(np.float32)
holed = w.copy()
holed[[5, 6, 7]], holed[8] = np.nan, -np.inf
np.save("holed.npy", holed)
done = works("quantize", "holed.npy", "-o", "c.npy", "--format", "e4m3", "--scale", "amax", "--json", "j.json")
factor = np.float32(448) / np.float32(3)
said = json.load(open("j.json"))["arrays"][0]
expect("amax of finite elements", said["scale"] == float(factor) and said["amax_left_out"] == 4 and
       "holed.npy: --scale amax leaves out 3 NaN and 1 Inf" in done.stderr, (said["scale"], done.stderr))
done = works("quantize", "holed.npy", "-o", "c.npy", "--format", "e4m3", "--scale", "amax", "--stats")
expect("the table says it", "left out                  4  NaN and Inf" in done.stdout, done.stdout[:400])
expect("none that is whole is warned of", "leaves out" not in
       works("quantize", "in.npy", "-o", "c.npy", "--format", "e4m3", "--scale", "amax").stderr)

# ---- the scale of a .npy file comes back, for each precision of the source ----
for dtype, top in ((np.float16, 3.1), (np.float32, 0.7), (np.float64, 0.7), (np.float64, 1e-300), (np.float64, 1e300)):
    np.save("x.npy", (np.array([0.1, -0.5, 1.0]) * top).astype(dtype))
    top = np.abs(np.load("x.npy")).max()
    scale = 448.0 / top if dtype == np.float64 else float(np.float32(448) / np.float32(top))
    done = works("quantize", "x.npy", "-o", "c.npy", "--format", "e4m3", "--scale", "amax")
    text = done.stderr.split("scale ")[1].split(" ")[0]
    expect(f"{top} in {dtype.__name__}: its scale is said in full", float(text) == scale, done.stderr)
    works("quantize", "x.npy", "-o", "c2.npy", "--format", "e4m3", "--scale", text)
    expect("and taken as it is", open("c.npy", "rb").read() == open("c2.npy", "rb").read())
    works("dequantize", "c.npy", "-o", "v.npy", "--format", "e4m3", "--scale", text, "--to", "fp64")
    expect("and undone", np.load("v.npy")[2] == 448.0 / scale, np.load("v.npy"))
np.save("x4.npy", w)
refused("a scale that float32 lacks", ["x4.npy", "1e+99", "float32", "3.4e38"], "quantize", "x4.npy", "-o", "q.npy",
        "--format", "e4m3", "--scale", "1e99")
refused("a scale below float32", ["1e-60", "1.4e-45"], "quantize", "x4.npy", "-o", "q.npy", "--format", "e4m3", "--scale", "1e-60")
refused("Inf as a scale", ["finite"], "quantize", "x4.npy", "-o", "q.npy", "--format", "e4m3", "--scale", "inf")

# ---- back with a scale: one rounding, against exact fractions ----
def nearest(value, mbits, emin, emax):
    """The float of 1 + mbits bits that is nearest to a positive fraction, ties to even; Inf beyond."""
    e = max(emin, value.numerator.bit_length() - value.denominator.bit_length() - 1)
    while Fraction(2) ** (e + 1) <= value:
        e += 1
    ulp = Fraction(2) ** (e - mbits)
    rounded = round(value / ulp) * ulp  # Fraction's round: ties to even
    return math.inf if rounded >= Fraction(2) ** (emax + 1) else float(rounded)


codes = np.arange(1, 0x7F, dtype=np.uint8)
np.save("c.npy", codes)
works("dequantize", "c.npy", "-o", "v.npy", "--format", "e4m3", "--to", "fp64")
exact = [Fraction(v) for v in np.load("v.npy")]
for text in ("0.1", "12.5", "3", "7e-5", "192.685623", "1e-30", "1e30", "1e-4"):
    scale = Fraction(float(np.float32(text)))
    for to, dtype, (mbits, emin, emax) in (("fp16", np.float16, (10, -14, 15)), ("bf16", np.uint16, (7, -126, 127)),
                                          ("fp32", np.float32, (23, -126, 127))):
        done = works("dequantize", "c.npy", "-o", "v.npy", "--format", "e4m3", "--scale", text, "--to", to)
        got = np.load("v.npy")
        expect(f"--to {to}: dtype", got.dtype == dtype)
        got = (got.astype(np.uint32) << 16).view(np.float32) if to == "bf16" else got
        want = [nearest(v / scale, mbits, emin, emax) for v in exact]
        expect(f"1 / {text} to {to}: one rounding", got.astype("f8").tolist() == want,
               [(float(a), float(b), c) for a, b, c in zip(exact, got, want) if b != c][:3])
        lost = (sum(map(math.isinf, want)), want.count(0.0))
        expect(f"1 / {text} to {to}: what is lost is said",
               (f"{lost[0]} values became Inf and {lost[1]} became 0" in done.stderr) == (lost != (0, 0)), done.stderr)


# ---- .safetensors: scales are recorded and come back for every width; --tensor names several ----
def write_st(name, tensors, metadata=None):
    header, at, data = {"__metadata__": metadata} if metadata else {}, 0, b""
    for key, (dtype, array) in tensors.items():
        raw = array.tobytes()
        header[key] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [at, at + len(raw)]}
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


# Scales of float64 that put quotients next to midpoints: rounded to float64 first, they would be midpoints.
for to, (mbits, emin, emax), dtype in (("fp16", (10, -14, 15), "<f2"), ("bf16", (7, -126, 127), "<u2"), ("fp32", (23, -126, 127), "<f4")):
    middles = [Fraction(2 ** (mbits + 1) + 2 * k + 1, 2 ** (mbits + 1)) for k in range(40)]
    scales = [float(7 / middle) for middle in middles]
    write_st("tie.safetensors", {f"t{k}": ("F8_E4M3", np.array([0x4E], np.uint8)) for k in range(40)},
             {f"fpx.scale.t{k}": f"{scale:.17g}" for k, scale in enumerate(scales)})
    works("dequantize", "tie.safetensors", "-o", "v.safetensors", "--to", to)
    got = [np.frombuffer(read_st("v.safetensors")[0][f"t{k}"][2], dtype) for k in range(40)]
    got = [(g.astype(np.uint32) << 16).view(np.float32) if to == "bf16" else g for g in got]
    want = [nearest(7 / Fraction(scale), mbits, emin, emax) for scale in scales]
    expect(f"next to a midpoint of {to}: one rounding", [float(g[0]) for g in got] == want,
           [k for k in range(40) if float(got[k][0]) != want[k]])
double = w.astype(np.float64) * 1e200
write_st("m.safetensors", {"w": ("F32", w), "zero": ("F32", np.zeros(8, np.float32)), "d": ("F64", double)})
for name, dtype in (("fp64", "f8"), ("fp32", "f4"), ("fp16", "f2")):
    works("quantize", "m.safetensors", "-o", "q.safetensors", "--format", name, "--scale", "amax", "--tensor", "w",
          "--tensor", "zero")
    tensors, metadata = read_st("q.safetensors")
    scale = np.float32(metadata["fpx.scale.w"])
    expect(f"{name}: scale 1 is recorded", metadata["fpx.scale.zero"] == "1", metadata)
    works("dequantize", "q.safetensors", "-o", "v.safetensors", "--to", name)
    back, metadata = read_st("v.safetensors")
    scaled = (w * scale).astype(dtype)
    want = (scaled.astype(np.float64) / float(scale)).astype(dtype)
    expect(f"{name}: the scale is divided out", back["w"][2] == want.tobytes() and back["zero"][2] == bytes(8 * want.itemsize)
           and not any(key.startswith("fpx.scale") for key in metadata), metadata)
works("quantize", "m.safetensors", "-o", "q.safetensors", "--format", "e4m3", "--scale", "amax", "--tensor", "d")
done = works("dequantize", "q.safetensors", "-o", "v.safetensors")
expect("float64's values beyond float32 are said", "q.safetensors: tensor 'd'" in done.stderr and "became Inf" in done.stderr and
       "--to fp64" in done.stderr, done.stderr)
works("dequantize", "q.safetensors", "-o", "v.safetensors", "--to", "fp64")
back = np.frombuffer(read_st("v.safetensors")[0]["d"][2])
expect("--to fp64 holds them", np.abs(back - double).max() < 0.07 * np.abs(double).max())
write_st("n.safetensors", {f"layers.{i}.w": ("F32", np.ones(4 - (i == 2), np.float32)) for i in range(4)}
         | {"ids": ("I64", np.arange(3))})
refused("one odd tensor", ["layers.2.w", "n.safetensors", "--tensor"], "quantize", "n.safetensors", "-o", "q.safetensors.new.safetensors",
        "--format", "e2m1")
works("quantize", "n.safetensors", "-o", "q.safetensors", "--format", "e2m1", "--tensor", "layers.[01].*", "--tensor", "layers.3.w")
expect("names and patterns", [t[0] for t in read_st("q.safetensors")[0].values()] == ["F4", "F4", "F32", "F4", "I64"],
       read_st("q.safetensors")[0])
refused("a pattern that finds nothing", ["layer.*", "nearest", "layers.0.w"], "quantize", "n.safetensors", "-o",
        "z.safetensors", "--format", "e2m1", "--tensor", "layers.0.w", "--tensor", "layer.*")
refused("a pattern that finds no float", ["'id*'", "no floats"], "quantize", "n.safetensors", "-o", "z.safetensors",
        "--format", "e2m1", "--tensor", "id*")
write_st("bad.safetensors", {"a": ("U8", np.array([0x31], np.uint8))}, {"fpx.format.a": "e2m1"})
refused("a code that is too wide", ["bad.safetensors", "'a'", "0x31"], "dequantize", "bad.safetensors", "-o", "z.safetensors",
        without=["--packed"])

# ---- profiles, random bits, FPX_CPU: what there is instead ----
codes_of = lambda *options: ("quantize", "x4.npy", "-o", "z.npy", "--format", *options)
refused("a profile without saturation", ["ml_dtypes", "--overflow none"], *codes_of("e4m3", "--profile", "ml_dtypes"))
refused("a profile without a rounding", ["cuda-float", "rne"], *codes_of("e4m3", "--profile", "cuda-float", "--round", "ru"))
refused("ptx's bits are 16", ["ptx", "16 random bits"], *codes_of("e4m3", "--profile", "ptx", "--round", "sr", "--sr-bits", "8"))
refused("ptx has no variant c", ["ptx", "variant"], *codes_of("e4m3", "--profile", "ptx", "--round", "sr", "--sr-variant", "c"))
refused("amd's bits are 20", ["amd-hip", "20"], *codes_of("e4m3", "--profile", "amd-hip", "--round", "sr", "--sr-bits", "32"))
works("quantize", "x4.npy", "-o", "c.npy", "--format", "e4m3", "--profile", "ptx", "--round", "sr", "--seed", "7", "--json", "j.json")
said = json.load(open("j.json"))
expect("what was drawn is recorded", (said["profile"], said["round"], said["overflow"], said["seed"], said["sr_bits"], said["sr_variant"])
       == ("ptx", "sr", "satfinite", "7", 16, "a"), said)
works("quantize", "x4.npy", "-o", "c2.npy", "--format", "e4m3", "--round", "sr", "--seed", "7", "--sr-bits", "16")
expect("16 bits are 16 bits", open("c.npy", "rb").read() == open("c2.npy", "rb").read())
for verb in (codes_of("e4m3"), ("dequantize", "c.npy", "-o", "z.npy", "--format", "e4m3")):
    refused("FPX_CPU=neon", ["FPX_CPU", "neon"], *verb, env={**os.environ, "FPX_CPU": "neon"})

# ---- the table of --stats ----
np.save("x.npy", np.array([-1.0, -2.0, 1.0, 2.0**-30, 0.0], np.float32))
done = works("quantize", "x.npy", "-o", "c.npy", "--format", "ue4m3", "--stats", "--json", "j.json")
said = json.load(open("j.json"))["arrays"][0]
expect("negatives of an unsigned format", (said["negative"], said["underflowed"]) == (2, 1) and
       "negative                  2   40.00 %  the format has no sign" in done.stdout, done.stdout)
expect("empty rows of the histogram are one", "  ...                 0" in done.stdout and "2^-20" not in done.stdout, done.stdout)
np.save("x.npy", np.full(3, np.nan, np.float32))
done = works("quantize", "x.npy", "-o", "c.npy", "--format", "e2m1", "--stats")
expect("NaN that are lost", "NaN lost                  3  100.00 %  became numbers" in done.stdout, done.stdout)
np.save("s.npy", np.zeros(2, [("a", "<f4"), ("b", "<i2")]))
refused("a structure", ["s.npy", "structure"], "quantize", "s.npy", "-o", "z.npy", "--format", "e4m3", without=["fortran_order", "'a'"])
np.save("u.npy", np.zeros(2, np.uint8))
refused("codes of one byte", ["codes of 1 byte:"], "quantize", "u.npy", "-o", "z.npy", "--format", "e4m3")

os.chdir(root)
shutil.rmtree(folder)
print(f"100%: Checks: {checks}, Failures: {failures}, Errors: 0")
sys.exit(1 if failures else 0)
