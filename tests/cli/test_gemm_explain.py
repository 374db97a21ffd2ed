"""fpx gemm --explain: the pages of every unit, read digit by digit and compared with the events of the JSON, whose losses
add up in fractions to exact product - result; D's own code; two units; folds; every mistake; the page of docs/gemm.md.
test_gemm_explain.py FPX ROOT"""
import json
import os
import re
import subprocess
import sys
from fractions import Fraction

import numpy as np

from harness import enter_folder, expect, finish, fpx, root, run_text

sys.path.insert(0, os.path.join(root, "tests/emul"))
import mma_models as mm

seed = int(os.environ.get("FPX_TEST_SEED", "82"))
print("FPX_TEST_SEED", seed)
random = np.random.default_rng(seed)
WIDTH, LEFT = 100, 45  # columns, and those before the digits


def run(*args):
    return run_text("gemm", *args)


def refused(name, words, *args):
    done = run(*args)
    expect(name, done.returncode == 2 and all(word in done.stderr for word in words) and not done.stdout
           and done.stderr.count("\n") <= 2, (done.returncode, done.stderr))


def two(e):
    return Fraction(2) ** e


def value(text):
    """Of "-0x3p-5"; None: more than 64 bits, or no number."""
    match = re.fullmatch(r"(-?)0x([0-9a-f]+)p([+-]\d+)(\+?)", text)
    if not match or match[4]:
        return None
    return (-1 if match[1] else 1) * int(match[2], 16) * two(int(match[3]))


DTYPES = {"fp16": np.float16, "fp32": np.float32, "fp64": np.float64}


def codes_of(fmt, shape, spread):
    """Codes near 1; spread: so many exponents up and down."""
    if fmt == "tf32":
        fmt = "fp32"
    ebits, mbits, bias, specials = mm.FORMATS[fmt]
    most = (1 << ebits) - (2 if specials in ("ieee", "fn") else 1)
    low, high = max(0, min(bias, most) - spread), min(most, bias + spread)
    field = random.integers(low, high + 1, shape).astype(object)
    fraction = random.integers(0, 1 << mbits, shape).astype(object)
    sign = random.integers(0, 2, shape).astype(object)
    return (sign * (1 << ebits) + field) * (1 << mbits) + fraction


def save(name, fmt, codes):
    fmt = "fp32" if fmt == "tf32" else fmt
    words = np.array(codes.tolist(), np.dtype(f"u{max(1, -(-mm.bits_of(fmt) // 8))}"))
    np.save(name, words.view(DTYPES[fmt]) if fmt in DTYPES else words)
    return [] if fmt in DTYPES else [fmt]


def shown(row, width):
    """Sign, digits before the mark and after it, and the column of the mark, of a row of a table."""
    bits = row[width + 1:]
    kept, mark, lost = bits.partition("|")
    return (-1 if row[width] == "-" else 1), kept, lost, len(kept) if mark else None


def drawn(row, width, at):
    """The number that a row shows, None where digits are left out. at: weight of the last place before the mark."""
    sign, kept, lost, mark = shown(row, width)
    if ".." in kept + lost or mark is None:
        return None
    whole = int(kept.strip() or "0", 2)
    return sign * (whole * two(at) + (int(lost, 2) * two(at - len(lost)) if lost else 0))


def check_rows(name, text, unit):
    """Each row of each ALIGNED table (c among the terms): k, digits, place of the cut."""
    seen = 0
    blocks = [s for s in unit["steps"] if s[0]["event"] == "block"]
    at = block = None
    for line in text.splitlines():
        head = re.match(r"block (\d+): .*E = (-?\d+), terms are cut below 2\^(-?\d+)", line)
        if head:
            block, at = blocks[int(head[1]) - 1], int(head[3])
            terms = {e.get("k", "c"): e for e in block if e["event"] == "term"}
            total = next(e for e in block if e["event"] == "sum")
            expect(f"{name}: E", total["e"] == int(head[2]) and total["cut_below"] == at, (line, total))
        elif line.startswith("block"):
            block = None
        row = re.match(r" *(\d+|c)(-\d+,)? ", line)
        if block and row and "|" in line and len(line) > LEFT:
            term = terms[int(row[1]) if row[1] != "c" else "c"]
            number, exact = drawn(line, LEFT, at), value(term["exact"])
            if number is not None and exact is not None:
                seen += 1
                expect(f"{name}: digits", number == exact, (line, term))
                expect(f"{name}: e", int(line[LEFT - 6:LEFT]) == term["e"], (line, term))
        if block and line.startswith("       sum   ") and drawn(line, LEFT, at) is not None:
            expect(f"{name}: sum", drawn(line, LEFT, at) == value(total["exact"]), (line, total))
            seen += 1
    return seen


def check_losses(name, unit):
    """exact product - result is what the events lost, where no digits are left out; and what the end says."""
    lost = exact = Fraction(0)
    whole = True
    for step in unit["steps"]:
        for e in step:
            if e["event"] in ("product", "mul", "fma"):
                factor = Fraction(1)
                for x in ("a", "b", "scale_a", "scale_b"):
                    code = e.get(x + "_given", e.get(x))
                    if code:
                        number = mm.decode(code["format"], int(code["code"], 16))
                        factor *= Fraction(number.value, 1 << mm.Q)
                read = Fraction(1)
                for x in ("a", "b", "scale_a", "scale_b"):
                    if x in e:
                        read *= Fraction(mm.decode(e[x]["format"], int(e[x]["code"], 16)).value, 1 << mm.Q)
                exact += factor
                lost += factor - read
            if "lost" in e:
                part = value(e["lost"])
                whole &= part is not None
                lost += part or 0
    result = mm.decode(unit["result"]["format"], int(unit["result"]["code"], 16))
    return whole and result.kind == mm.FINITE, exact, lost, Fraction(result.value, 1 << mm.Q)


enter_folder()
presets = json.loads(subprocess.run([fpx, "models", "--json", "-"], stdout=subprocess.PIPE, check=True).stdout)["models"]

# ---- every unit ----
rows = unscaled = 0
for preset in presets:
    name = preset["name"]
    inputs = (preset["inputs"] or "fp16").split()
    fmt = inputs[int(random.integers(len(inputs)))]
    spread = int(random.choice([1, 3, 8]))
    k = int(random.choice([5, 16, 33, 64]))
    c_fmt = preset["output"]
    args = ["a.npy", "b.npy", "-c", "c.npy", "--trans-b", "--model", name]
    for x, shape in (("a", (2, k)), ("b", (2, k))):
        args += [y for f in save(f"{x}.npy", fmt, codes_of(fmt, shape, spread)) for y in (f"--{x}-format", f)]
    args += [y for f in save("c.npy", c_fmt, codes_of(c_fmt, (2, 2), 2)) for y in ("--c-format", f)]
    if preset["scales"]:
        scale, block = preset["scales"].split()[0].split("/")
        k = int(block) * 4
        args = [x for x in args]
        for x in "ab":
            save(f"{x}.npy", fmt, codes_of(fmt, (2, k), spread))
            middle = 127 if scale == "e8m0" else 56
            np.save(f"s{x}.npy", random.integers(middle - 4, middle + 5, (2, 4)).astype(np.uint8))
            args += [f"--{x}-scales", f"s{x}.npy"]
        args += ["--scale-format", scale]
    done = run(*args, "-o", "d.npy", "--explain", "1,0", "--json", "e.json")
    if done.returncode != 0:
        expect(f"{name}: runs", False, done.stderr)
        continue
    result = json.load(open("e.json", encoding="utf-8"))
    unit = result["units"][0]
    d = np.load("d.npy")[1, 0]
    code = int(d.view(f"u{d.itemsize}") if d.dtype.kind == "f" else d)
    page = done.stdout[done.stdout.index("element 1,0: "):]
    expect(f"{name}: D's code", int(unit["result"]["code"], 16) == code and unit["model"] == name
           and result["schema"] == "fpx.gemm-explain/1", (unit["result"], hex(code)))
    expect(f"{name}: the page says the result", f"0x{code:0{2 * d.itemsize}x})" in page, page)
    expect(f"{name}: {WIDTH} columns", all(len(line) <= WIDTH for line in page.splitlines()),
           [line for line in page.splitlines() if len(line) > WIDTH])
    expect(f"{name}: one tables' length", len(page.splitlines()) < 150, len(page.splitlines()))
    rows += check_rows(name, page, unit)
    whole, exact, lost, number = check_losses(name, unit)
    c = np.load("c.npy")[1, 0]
    c = mm.decode(c_fmt, int(c.view(f"u{c.itemsize}") if c.dtype.kind == "f" else c))
    exact += Fraction(c.value, 1 << mm.Q)
    if whole:
        unscaled += 1
        expect(f"{name}: the losses add up", exact - number == lost, (float(exact), float(number), float(lost)))
    expect(f"{name}: the exact product", abs(Fraction(unit["exact"]) - exact) <= abs(exact) / 2 ** 52, (unit["exact"], float(exact)))
    if unit["error"] is None:
        expect(f"{name}: Inf", c_fmt == "fp16" and "(fp16 0x7c00)" in page or "(fp16 0xfc00)" in page, page)
        continue
    near = float(exact - number)
    told = -unit["error"]["error"]
    expect(f"{name}: the error", abs(told - near) <= 1e-12 * abs(near), (told, near))
    best = mm.nearest(c_fmt, int(exact < 0), abs(exact.numerator) * (1 << mm.Q) // exact.denominator)
    expect(f"{name}: the nearest code", int(unit["nearest"]["code"], 16) == best, (unit["nearest"], hex(best)))
    parts = sum(unit["lost"].values())
    scale = sum(abs(x) for x in unit["lost"].values())
    expect(f"{name}: parts of the loss", abs(parts - near) <= 1e-9 * scale, (unit["lost"], near))
expect("rows were read", rows > 400, rows)
expect("losses were added", unscaled > 90, unscaled)

# ---- table 8 of MMA-Sim, and the page that docs/gemm.md shows ----
np.save("a16.npy", np.array([[-4096, -1, -.5, -.25]], np.float16))
np.save("b16.npy", np.array([[2048], [.5], [.5], [.5]], np.float16))
np.save("c.npy", np.array([[2.0 ** 23]], np.float32))
with open(os.path.join(root, "docs/gemm.md"), encoding="utf-8") as file:
    command, page = re.search(r"```\n\$ fpx gemm (.*)\n((?:.*\n)*?)```", file.read()).groups()
done = run(*command.split())
expect("the page of docs/gemm.md", done.stdout == page and done.returncode == 1, done.stdout)
for model, result in (("volta", "0 ("), ("turing", "-0.5 ("), ("ampere", "-0.5 ("), ("hopper", "-0.75 ("), ("cdna1", "-0.875 ("),
                      ("cdna3", "-0.5 ("), ("ideal/exact/any-fp32", "-0.875 (")):
    done = run("a16.npy", "b16.npy", "-c", "c.npy", "--model", model, "--explain", "0,0")
    expect(f"table 8 on {model}", f"result         {result}" in done.stdout and done.returncode == 0, done.stdout)

# ---- two units ----
done = run("a16.npy", "b16.npy", "-c", "c.npy", "--model", "hopper", "--against", "blackwell", "--explain", "0,0")
expect("two units that agree", done.returncode == 0 and "never part" in done.stdout and done.stdout.count("result   ") == 2, done.stdout)
n = 512
np.save("long.npy", random.standard_normal((2, n)).astype(np.float16))
args = ("long.npy", "long.npy", "--trans-b", "--explain", "0,1")
done = run(*args, "--model", "hopper", "--against", "ampere", "--json", "both.json")
agree = re.search(r"the two agree on k 0 to (\d+), and part", done.stdout)
both = json.load(open("both.json", encoding="utf-8"))
ends = []
for unit in both["units"]:
    ends.append({})
    read = 0
    for step in unit["steps"]:
        read += step[0]["count"]
        ends[-1][read] = step[-1]["result"]["code"]
same = [k for k in sorted(ends[0]) if k in ends[1] and ends[0][k] == ends[1][k]]
other = [k for k in sorted(ends[0]) if k in ends[1] and ends[0][k] != ends[1][k]]
before = max([k for k in same if k < other[0]], default=0)
expect("where two units part", done.returncode == (ends[0][n] != ends[1][n]) and (int(agree[1]) + 1 if agree else 0) == before,
       (done.stdout[:200], before, other[:3]))

# ---- folds ----
done = run(*args, "--model", "hopper")
lines = done.stdout.splitlines()
folded = sum(int(x) for x in re.findall(r"\[(\d+) blocks?", done.stdout))
whole = sum(line.startswith("block ") for line in lines)
expect("every block is shown or counted", folded + whole == n // 16 and whole >= 3 and len(lines) < 140, (folded, whole, len(lines)))
with open("wide.yaml", "w", encoding="utf-8") as file:
    file.write("name: mine/wide/fp16-fp32\nsource: a guess\nlike: hopper/wgmma/fp16-fp32\nchanges:\n  - { field: block, to: 256 }\n")
for model, what in (("ideal/fma/any-fp32", "multiply-adds"), ("cdna2", "blocks"), ("wide.yaml", "more terms")):
    done = run(*args, "--model", model)
    expect(f"{model}: three screens, and what is left out", len(done.stdout.splitlines()) < 140 and what in done.stdout,
           (len(done.stdout.splitlines()), done.stdout[-600:], done.stderr))
np.save("longer.npy", random.standard_normal((1, 5000)).astype(np.float16))
done = run("longer.npy", "longer.npy", "--trans-b", "--explain", "0,0", "--model", "ideal/pairwise/any-fp32")
expect("a tree over all k: what is left out", "9951 more operations" in done.stdout and len(done.stdout.splitlines()) < 70
       and "+5000 " in done.stdout, done.stdout)
np.save("ones.npy", np.ones((1, n), np.float16))
done = run("ones.npy", "ones.npy", "--trans-b", "--explain", "0,0", "--model", "hopper")
expect("nothing lost: one block, the others folded", "31 blocks" in done.stdout and "nothing lost]" in done.stdout
       and "error          none" in done.stdout, done.stdout)
done = run("ones.npy", "ones.npy", "--trans-b", "--explain", "0,0", "--model", "ideal/fma/any-fp32")
expect("a chain", "511 multiply-adds, k 1 to 511: 1 becomes 512, nothing lost]" in done.stdout, done.stdout)

# ---- no numbers, flushed numbers, batches, what follows the sum ----
a = np.ones((1, 32), np.float16)
a[0, 20] = np.inf
np.save("inf.npy", a)
b = np.ones((1, 32), np.float16)
b[0, 20] = 0
np.save("zero.npy", b)
done = run("inf.npy", "zero.npy", "--trans-b", "--explain", "0,0", "--model", "ampere")
expect("where NaN comes from", re.search(r"20 +Inf +0 += NaN", done.stdout) and "NaN stays]" in done.stdout, done.stdout)

# sums beyond the largest number, of numbers: what they are exactly is shown all the same
np.save("huge.npy", np.array([[1e30, 0, 0, 0, -1e30, 1.2345]], np.float32))
np.save("large.npy", np.array([[1e20] * 5 + [3.14]], np.float32))
np.save("300.npy", np.full((1, 20), 300, np.float16))
huge = ("huge.npy", "large.npy", "--trans-b", "--explain", "0,0", "--json", "e.json", "--model", "ampere")
exact = float(sum(Fraction(float(x)) * Fraction(float(y)) for x, y in zip(np.load("huge.npy")[0], np.load("large.npy")[0])))
for args, number, text in ((huge, exact, f"exact product  {exact:.10g}, nearest"), (("300.npy", "300.npy", *huge[2:-1],
                           "hopper/mma.sync/fp16-fp16"), 1800000.0, "exact product  1800000, nearest Inf (fp16 0x7c00)")):
    done = run(*args)
    unit = json.load(open("e.json", encoding="utf-8"))["units"][0]
    expect("the exact product of what overflows", text in done.stdout and unit["exact"] == number and unit["error"] is None
           and "Inf stays]" in done.stdout, (done.stdout, unit["exact"]))
    expect("the error of what overflows", ("the accumulator went beyond" in done.stdout) == (number == exact)
           and ("none: the exact product is beyond" in done.stdout) == (number != exact), done.stdout)

# NaN is said once, and nothing is lost of it
a = random.standard_normal((1, 64)).astype(np.float32)
np.save("other.npy", a)
a[0, 20] = np.nan
np.save("nan.npy", a)
for model in ("ampere", "ideal/fma/any-fp32", "cdna2"):
    done = run("nan.npy", "other.npy", "--trans-b", *huge[3:-1], model)
    unit = json.load(open("e.json", encoding="utf-8"))["units"][0]
    expect(f"{model}: NaN stays", done.stdout.count("NaN stays") <= 1 and "NaN stays, " not in done.stdout
           and "\nexact product  NaN (fp32" in done.stdout and unit["exact"] == "NaN" and "error" not in done.stdout, done.stdout)
    expect(f"{model}: the fold", re.search(r"\[\d+ \S+, k 2\d to 63: NaN stays\]", done.stdout), done.stdout)
np.save("nan.npy", np.full((1, 1), np.nan, np.float32))
np.save("one.npy", np.full((1, 8), 1.1, np.float32))
done = run("one.npy", "one.npy", "--trans-b", "-c", "nan.npy", "--explain", "0,0", "--model", "ampere")
expect("no legend for an empty table", "* is not" not in done.stdout and "= NaN" in done.stdout, done.stdout)
a = np.full((1, 4), 2.0 ** -20, np.float16)
np.save("tiny.npy", a)
done = run("tiny.npy", "ones.npy", "--trans-b", "--explain", "0,0", "--model", "cdna2")
expect("k differ", done.returncode == 2, done.stderr)
np.save("four.npy", np.ones((1, 4), np.float16))
done = run("tiny.npy", "four.npy", "--trans-b", "--explain", "0,0", "--model", "cdna2")
expect("flushed elements have a mark", re.search(r" 0 +0\* +1 ", done.stdout) and "in reading 4 elements otherwise" in done.stdout, done.stdout)
np.save("batch.npy", random.standard_normal((3, 4, 8)).astype(np.float16))
np.save("right.npy", random.standard_normal((8, 5)).astype(np.float16))
done = run("batch.npy", "right.npy", "--model", "hopper", "--explain", "2,3,4", "-o", "d.npy", "--bias", "bias.npy")
expect("a missing bias", done.returncode == 2, done.stderr)
np.save("bias.npy", np.arange(5).astype(np.float32))
done = run("batch.npy", "right.npy", "--model", "hopper", "--explain", "2,3,4", "-o", "d.npy", "--bias", "bias.npy",
           "--out-format", "fp16")
element = np.load("d.npy")[2, 3, 4]
expect("an element of a batch, and what follows its sum", f"(fp16 0x{int(element.view('u2')):04x})" in
       done.stdout.split("D's element")[-1] and "of product 2" in done.stdout, (done.stdout, element))
done = run("batch.npy", "right.npy", "--model", "hopper", "--explain", "2,3,4", "--json", "-")
expect("JSON on standard output", json.loads(done.stdout)["product"] == 2 and "result  " in done.stderr, done.stdout[:99])
done = subprocess.run([fpx, "gemm", "four.npy", "four.npy", "--trans-b", "--model", "hopper", "--explain", "0,0", "-o", "-"],
                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
expect("D on standard output, the page beside it", done.stdout.startswith(b"\x93NUMPY") and b"block 1" in done.stderr, done.stderr)

# ---- mistakes ----
start = ("a16.npy", "b16.npy", "--model", "hopper")
for text in ("", "0", "1,0", "0,1", "0,0,0", "-1,0", "0,", ",0", "x,y", "0,0 ", "99999999999999999999,0", "0;0", "0,,0", "0,0,"):
    refused(f"--explain {text!r}", ["--explain", "I,J", "below 1"], *start, "--explain", text)
refused("--explain of no element, before D", ["--explain", "below 1"], *start, "--explain", "1,0", "-o", "never.npy")
expect("D is not computed", not os.path.exists("never.npy"))
refused("of a batch", ["P,I,J", "below 3", "below 4", "below 5"], "batch.npy", "right.npy", "--model", "hopper", "--explain", "0,0")
refused("--against alone", ["--explain I,J is needed"], *start, "-o", "x.npy", "--against", "ampere")
refused("no such unit", ["no matrix unit is named 'amper'"], *start, "--explain", "0,0", "--against", "amper")
refused("a unit of other formats", ["wgmma/fp8"], *start, "--explain", "0,0", "--against", "hopper/wgmma/fp8-fp32")
refused("neither -o nor --explain", ["-o D is needed"], *start)
refused("JSON over an input", ["a16.npy"], *start, "--explain", "0,0", "--json", "a16.npy")

finish()
