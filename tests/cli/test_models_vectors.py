"""fpx models NAME --vectors OTHER: exit codes, text and JSON that say the same, files of one's own, lists, what is refused;
and the examples in docs/models.md.
test_models_vectors.py FPX ROOT"""
import json
import os
import re
import shlex
import signal
import struct
import subprocess
import time

import harness
from harness import enter_folder, finish, fpx, root, run_text


def expect(condition, text):
    harness.expect(text, condition)


def ends(code, *args, words=()):
    done = run_text(*args)
    text = done.stdout + done.stderr
    expect(done.returncode == code and all(word in text for word in words),
           f"fpx {' '.join(args)}: exit {done.returncode}, not {code}, or without {words}: {text[-800:]}")
    return done


def comparisons(code, *args):
    result = json.loads(ends(code, "models", *args, "--json", "-").stdout)
    expect(result["schema"] == "fpx.vectors/1" and result["model"], f"schema and model of {args}")
    return result["comparisons"]


enter_folder()
volta, turing = "volta/mma.sync/fp16-fp32", "turing/mma.sync/fp16-fp32"

# ---- two units: a finding, and none ----
page = ends(1, "models", volta, "--vectors", turing, words=("separated", "K = ", volta, turing)).stdout
one, = comparisons(1, volta, "--vectors", turing)
vector = one["vector"]
expect(one["other"] == turing and one["verdict"] == "separated" and one["probe"] in page and one["why"] in page, one)
expect(vector["d"][0] != vector["d"][1] and len(vector["a"]) == len(vector["b"]) == vector["k"], vector)
for code in [vector["c"], *vector["d"]]:
    expect(f"0x{int(code, 16):08x} " in page, f"{code} is on the page")
for k, code in enumerate(vector["a"]):
    expect(int(code, 16) == 0 or re.search(rf"(?m)^  {k} +0x0*{code[2:]} ", page), f"A[{k}] = {code} is on the page")
expect(comparisons(1, volta, "--vectors", turing) == [one], "the same vector each time")
ends(0, "models", volta, "--vectors", "turing/mma.sync.m8n8k4/fp16-fp32", words=("equivalent", "every parameter is the same"))
expect(not any(line.endswith(" ") for line in page.splitlines()), "no blanks at the ends of lines")

# ---- scales; a unit of one's own on either side; a proof by a theorem ----
own = "name: mine\nsource: a guess\nlike: {}\nchanges:\n  - {{ field: {}, to: {} }}\n"
for like, field, to, code in (("blackwell/tcgen05/mxf4nvf4-fp32", "fraction", 34, 1), (volta, "e_zero", -140, 0),
                              (volta, "e_zero", -90, 1), ("cdna3/mfma/fp16-fp32", "fraction_sum", 40, 0)):
    with open("own.yaml", "w", encoding="utf-8") as file:
        file.write(own.format(like, field, to))
    found, = comparisons(code, like, "--vectors", "own.yaml")
    back, = comparisons(code, "own.yaml", "--vectors", like)
    expect(found["other"] == "mine" and back["other"] == like, "each by its name")
    expect(code == 1 or found["theorems"] == back["theorems"] != [], f"a theorem: {found}")
    if "mxf4" in like:
        expect(found["vector"]["scale_format"] in ("e8m0", "ue4m3") and found["vector"]["scale_a"], found["vector"])
        ends(1, "models", like, "--vectors", "own.yaml", words=("scale", "mine"))

# ---- lists: each with a verdict, text and JSON alike; the two hardest known cases ----
for name, kind in ((volta, "mutants"), (volta, "all"), ("hopper/mma.sync/fp8-fp16", "mutants")):
    rows = re.findall(r"(?m)^  (\S+(?: \S+)?) +(separated|equivalent|refused) ", ends(0, "models", name, "--vectors", kind).stdout)
    found = comparisons(0, name, "--vectors", kind)
    expect(len(rows) > 15 and rows == [(c["other"], c["verdict"]) for c in found], f"{name} {kind}: {rows}")
    for c in found:
        if c["verdict"] == "refused":
            expect(len(c["reason"]) > 20, c)
of = {c["other"]: c for c in comparisons(0, volta, "--vectors", "mutants")}
expect(of["e_zero -132"]["theorems"] == ["exponent of zero"], "Volta's zero exponent is not seen in fp32")
of = {c["other"]: c for c in comparisons(0, "volta/mma.sync/fp16-fp16", "--vectors", "mutants")}
expect(of["e_zero -20"]["verdict"] == "separated", "and is seen in fp16")

# ---- the input as arrays ----
def codes(path):
    with open(path, "rb") as file:
        data = file.read()
    end = 10 + int.from_bytes(data[8:10], "little")
    shape = tuple(int(n) for n in re.search(rb"\((\d+), (\d+)\)", data[:end]).groups())
    size = int(re.search(rb"'descr': '[<|][fu](\d)'", data[:end])[1])
    return shape, [int.from_bytes(data[i:i + size], "little") for i in range(end, len(data), size)]


for other in (turing, "own.yaml"):
    name = volta if other == turing else "blackwell/tcgen05/mxf4nvf4-fp32"
    with open("own.yaml", "w", encoding="utf-8") as file:
        file.write(own.format(name, "fraction", 34))
    found = comparisons(1, name, "--vectors", other, "-o", "arrays")[0]["vector"]
    k = found["k"]
    for array, shape, key in (("A", (1, k), "a"), ("B", (k, 1), "b")):
        expect(codes(f"arrays/{array}.npy") == (shape, [int(code, 16) for code in found[key]]), f"{array}.npy of {name}")
        if "scale_a" in found:
            want = [int(code, 16) for code in found["scale_" + key]]
            expect(codes(f"arrays/{array}-scales.npy")[1] == want, f"{array}-scales.npy of {name}")
    expect(codes("arrays/C.npy") == ((1, 1), [int(found["c"], 16)]), f"C.npy of {name}")
for args, word in (((volta, "-o", "x"), "--vectors"), ((volta, "--vectors", "all", "-o", "x"), "one input"),
                   ((volta, "--vectors", turing, "-o", "no/x"), "no/x"), ((volta, "--vectors", turing, "-o", "own.yaml"), "own.yaml")):
    ends(2, "models", *args, words=(word,))

# A folder that is new, empty or an earlier vector's; what is left of that one goes, and commands give both outputs.
scaled = ("blackwell/tcgen05/mxf4nvf4-fp32", "own.yaml")
with open("own.yaml", "w", encoding="utf-8") as file:
    file.write(own.format(scaled[0], "fraction", 34))
names = ["A.npy", "B.npy", "C.npy"]
every = sorted([*names, "A-scales.npy", "B-scales.npy"])
for (name, other), there in ((scaled, every), ((volta, turing), names), (("hopper/wgmma/fp8-fp32", "ada/mma.sync/fp8-fp32"), names),
                             (("volta/mma.sync/fp16-fp16", "turing/mma.sync/fp16-fp16"), names)):
    found, = comparisons(1, name, "--vectors", other, "-o", "it's one")
    expect(sorted(os.listdir("it's one")) == there, os.listdir("it's one"))
    page = ends(1, "models", name, "--vectors", other, "-o", "it's one", words=("written into it's one: A.npy B.npy C.npy",)).stdout
    commands = re.findall(r"(?m)^  (fpx gemm .*)$", page)
    expect(len(commands) == 2, page)
    for command, out, d in zip(commands, ("D1.npy", "D2.npy"), found["vector"]["d"]):
        ends(0, *shlex.split(command)[1:])
        expect(codes(out)[1] == [int(d, 16)], f"{command}: not {d}")
ends(1, "models", scaled[0], "--vectors", scaled[1], "-o", "it's one")
ends(1, "models", volta, "--vectors", turing, "-o", "it's one", words=("removed from it's one: A-scales.npy B-scales.npy",))
ends(0, "models", volta, "--vectors", "turing/mma.sync.m8n8k4/fp16-fp32", "-o", "it's one", words=("removed from it's one: A.npy",))
expect(os.listdir("it's one") == [], "an equivalent pair leaves no vector")
ends(0, "models", volta, "--vectors", "turing/mma.sync.m8n8k4/fp16-fp32", "-o", "none", words=("nothing is written",))
expect(not os.path.exists("none"), "and makes no folder")
for make in (lambda: open("held/notes", "w", encoding="utf-8").close(), lambda: os.mkdir("held/A.npy"),
             lambda: os.symlink("../own.yaml", "held/C.npy")):
    subprocess.run(["rm", "-rf", "held"], check=True)
    os.mkdir("held")
    make()
    before = os.listdir("held")
    ends(2, "models", volta, "--vectors", turing, "-o", "held", words=(before[0], "folder"))
    expect(os.listdir("held") == before, "a folder that is refused stays as it is")
ends(2, "models", volta, "--vectors", turing, "-o", "-", words=("-o -",))
expect(not os.path.exists("-"), "no folder of the name -")

# Two files of one name go by their own.
for file_name, field in (("one.yaml", 20), ("two.yaml", 21)):
    with open(file_name, "w", encoding="utf-8") as file:
        file.write(own.format("hopper/wgmma/fp16-fp32", "fraction", field))
ends(1, "models", "one.yaml", "--vectors", "two.yaml", words=("one.yaml and two.yaml: separated",))
expect(comparisons(1, "one.yaml", "--vectors", "two.yaml")[0]["other"] == "two.yaml", "in JSON too")

# ---- what needs more k than an input has; Ctrl-C ----
for like, field, values in (("hopper/cublaslt-slow/fp8-fp32", "promote", (4096, 8192)), ("ideal/pairwise/any-fp64", "block", (4000000, 1025)),
                            ("hopper/cublaslt-slow/fp8-fp32", "promote", (1024, 8192))):
    for file_name, value in zip(("one.yaml", "two.yaml"), values):
        with open(file_name, "w", encoding="utf-8") as file:
            file.write(own.format(like, field, value).replace("mine", f"of {value}"))
    ends(2, "models", "one.yaml", "--vectors", "two.yaml", words=("unresolved", "at most 1024 k", f"{field}: {values[0]} and {values[1]}"))
    found, = comparisons(2, "one.yaml", "--vectors", "two.yaml")
    expect(found["needs_more_k"] and found["k_most"] == 1024, found)
for file_name, value in (("one.yaml", 992), ("two.yaml", 4096)):
    with open(file_name, "w", encoding="utf-8") as file:
        file.write(own.format("hopper/cublaslt-slow/fp8-fp32", "promote", value))
expect(992 < comparisons(1, "one.yaml", "--vectors", "two.yaml")[0]["vector"]["k"] <= 1024, "the longest that an input reaches")
with open("one.yaml", "w", encoding="utf-8") as file:
    file.write(own.format("ideal/pairwise/any-fp64", "block", 64))
for args in (("one.yaml", "--vectors", "ideal/pairwise/any-fp64"), ("ideal/pairwise/any-fp64", "--vectors", "one.yaml", "--json", "-")):
    search = subprocess.Popen([fpx, "models", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(0.5)
    search.send_signal(signal.SIGINT)
    out, err = search.communicate(timeout=60)
    expect(search.returncode == 2 and "interrupted" in err, f"Ctrl-C: {search.returncode} {out} {err}")
    if "--json" in args:
        expect(json.loads(out)["verdict"] == "none" and "interrupted" in json.loads(out)["text"], f"Ctrl-C as JSON: {out}")
    else:
        expect(out == "", f"Ctrl-C prints no result: {out}")

# ---- files that are refused, and say why ----
def write_own(name, like, *changes):
    with open("bad.yaml", "w", encoding="utf-8") as out:
        out.write(f"name: {name}\nsource: a guess\nlike: {like}\n")
        if changes:
            out.write("changes:\n" + "".join(f"  - {{ field: {field}, to: {to} }}\n" for field, to in changes))


wgmma = "hopper/wgmma/fp8-fp32"
for name, like, changes, words in (
        (turing, wgmma, (("fraction", 14),), ("name:", "known unit")), ("a", "hopper", (), ("hopper is", "units", "name one")),
        ("a", wgmma, (("fraction", 14), ("c", "late"), ("fraction", 15)), ("fraction is given twice, 1. and 3.",)),
        ("a", wgmma, (("deal", "runs"),), ("deal is runs, and may be cyclic", "split above 1")),
        ("a", wgmma, (("combine", "pairwise"),), ("combine is pairwise, and may be serial", "split above 1")),
        ("a", wgmma, (("tile", 64),), ("tile is 64, and may be 0", "split above 1")),
        ("a", wgmma, (("width", 4),), ("width is 4, and may be 0", "vectors above 1")),
        ("a", wgmma, (("vectors", 2),), ("width is 0, and may be 1 to 65535", "vectors above 1")),
        ("a", "ideal/fma/any-fp32", (("zero", "underflow"),), ("zero is underflow, and may be positive", "sum aligned or exact")),
        ("a", "ideal/fma/any-fp32", (("split", 2), ("tile", 4)), ("step is 0, and may be 1 to", "split need one"))):
    write_own(name, like, *changes)
    ends(2, "models", "bad.yaml", words=("bad.yaml", *words))
write_own("plain", wgmma)
ends(0, "models", "bad.yaml", words=("plain",))
ends(0, "models", "bad.yaml", "--vectors", wgmma, words=("equivalent",))
ends(2, "models", "ideal/fma/any-fp32", "--vectors", "blackwell/tcgen05/mxf8f6f4-fp32",
     words=("mxf8f6f4-fp32 is compared with scales, the other without",))

# ---- a page has what means something, and says what absence means ----
for name, shown, hidden in (("cdna2/mfma/bf16-fp32", ("sum", "block"), ("zero", "c", "e_zero", "deal")),
                            (wgmma, ("zero", "c", "e_zero", "fraction"), ("step", "combine", "group"))):
    page = ends(0, "models", name, words=("no block or step: all of k",)).stdout
    for field in (*shown, *hidden):
        expect((re.search(rf"(?m)^  {field} +\S+  ", page) is not None) == (field in shown), f"{name}: {field}")

# ---- a file of results; what is refused ----
ends(1, "models", volta, "--vectors", turing, "--json", "out.json", words=("K = ",))
with open("out.json", encoding="utf-8") as file:
    expect(json.load(file)["comparisons"] == [one], "the file holds the same")
for args, word in ((("hopper",), "units"), (("hoper/wgmma",), "near"), (("none.yaml",), "none.yaml"), ((), "which unit")):
    ends(2, "models", *args, "--vectors", volta, words=(word,))
for other, word in (("hopper", "units"), ("mutant", "near"), ("none.yaml", "none.yaml"), ("volta/mma.sync/fp16-fp16", "fp16"),
                    ("ada/mma.sync/fp8-fp32", "no format in common"), ("", "near")):
    ends(2, "models", volta, "--vectors", other, words=(word,))
ends(2, "models", volta, "--vectors", turing, "--json", "no/such.json", words=("no/such.json",))

# ---- overflow toward zero: multiply-adds as IEEE 754 has it, a sum that is rounded once to Inf ----
def npy(path, shape, values):
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (63 - (10 + len(header)) % 64) + b"\n"
    with open(path, "wb") as out:
        out.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + struct.pack(f"<{len(values)}f", *values))


npy("big.npy", (1, 1), [3e38])
for like, sum_, code in (("ideal/fma/any-fp32", "fma", 0x7f7fffff), ("ideal/fma/any-fp32", "tree", 0x7f7fffff),
                         ("ideal/exact/any-fp32", "exact", 0x7f800000)):
    write_own("a", like, ("round", "rz"), ("sum", sum_))
    ends(0, "gemm", "big.npy", "big.npy", "--model", "bad.yaml", "-o", "product.npy")
    expect(codes("product.npy")[1] == [code], f"{sum_} overflows to {codes('product.npy')[1]}")

# ---- what docs/models.md shows ----
with open(os.path.join(root, "docs/models.md"), encoding="utf-8") as file:
    documented = re.findall(r"(?m)^\$ (fpx models .*--vectors .*)\n((?:.+\n|\n(?!```))*)```", file.read())
for command, shown in documented:
    done = run_text(*shlex.split(command)[1:])
    expect(done.stdout.strip() == shown.strip(), f"{command}: docs/models.md shows\n{shown}\nnot\n{done.stdout}")
expect(len(documented) >= 2, "docs/models.md has examples")

finish()
