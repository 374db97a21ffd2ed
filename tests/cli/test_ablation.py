"""test_ablation.py FPX SOURCE DUMP_PAIRED: ablations. Student's quantiles against tables, whole tables against a second
computation from the runs' results, refusals, and a command that is killed and goes on."""
import functools
import glob
import json
import math
import os
import pathlib
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time

import h5py

from harness import enter_folder, expect, finish, fpx, root, run_text

dump = os.path.abspath(sys.argv[3])
corpus = os.path.join(root, "datasets/kjv-genesis-exodus.txt")
WORDS = ["equal", "worse", "better", "inconclusive", "diverged", "NO POWER"]


def dumped(lines):
    done = subprocess.run([dump], input="\n".join(lines), stdout=subprocess.PIPE, text=True, check=True)
    return [[float(word) for word in line.split()] for line in done.stdout.splitlines()]


# ---- Student's t, without anything of the C code's: the density, integrated by Simpson's rule, and bisection ----
def within(t, freedom, parts=2000):
    """P(|T| <= t), by the substitution t = sqrt(freedom) tan(a), which makes the density a power of a cosine."""
    scale = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(math.pi)
    end = math.atan(t / math.sqrt(freedom))
    f = lambda a: math.cos(a) ** (freedom - 1)
    h = end / parts
    inner = sum((4 if i % 2 else 2) * f(i * h) for i in range(1, parts))
    return 2 * scale * h / 3 * (f(0) + f(end) + inner)


@functools.lru_cache(maxsize=None)
def quantile(p, freedom):
    low, high = 0.0, 1.0
    while within(high, freedom) < 2 * p - 1:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if within(middle, freedom) < 2 * p - 1 else (low, middle)
    return high


# NIST/SEMATECH e-Handbook 1.3.6.7.2, and SciPy 1.11's scipy.stats.t.ppf for more digits.
TABLE = [(0.975, 1, 12.706204736), (0.95, 1, 6.313751515), (0.975, 4, 2.776445105), (0.95, 4, 2.131846786),
         (0.975, 9, 2.262157163), (0.95, 9, 1.833112933), (0.975, 30, 2.042272456), (0.95, 30, 1.697260887),
         (0.99, 5, 3.364929997), (0.975, 63, 1.998340543)]
got = dumped([f"q {p} {n}" for p, n, _ in TABLE])
for (p, n, t), (mine,) in zip(TABLE, got):
    expect(f"t({p}, {n}) of the table", abs(mine - t) < 6e-10 * t, mine)
pairs = [(p, n) for p in (0.95, 0.975) for n in range(1, 64)]
for (p, n), (mine,) in zip(pairs, dumped([f"q {p} {n}" for p, n in pairs])):
    other = quantile(p, n) if n % 9 < 2 else mine
    expect(f"t({p}, {n}) integrated", abs(mine - other) < 1e-8 * other, (mine, other))
expect("a quantile below the median", dumped(["q 0.025 4"])[0][0] == -got[2][0])


def judge(x, y, margin):
    """The rule as docs/ablations.md has it."""
    d = [a - b for a, b in zip(x, y)]
    mean, error = statistics.fmean(d), statistics.stdev(d) / math.sqrt(len(d))
    low, high = mean - quantile(.95, len(d) - 1) * error, mean + quantile(.95, len(d) - 1) * error
    half = quantile(.975, len(d) - 1) * error
    if -margin < low and high < margin:
        return mean, half, "equal"
    return mean, half, "inconclusive" if abs(mean) <= half else "worse" if mean > 0 else "better"


draw = random.Random(7)
cases = []
for _ in range(800):
    n, shift, spread = draw.choice([5, 5, 8, 13]), draw.gauss(0, .03), draw.choice([.001, .02, .1])
    y = [draw.gauss(3, .1) for _ in range(n)]
    cases.append((.02, [v + shift + draw.gauss(0, spread) for v in y], y))
found = dumped([" ".join(map(repr, ["d", m, len(x), *x, *y])).replace("'d'", "d") for m, x, y in cases])
for (m, x, y), (mean, deviation, half, tost, word) in zip(cases, found):
    want = judge(x, y, m)
    expect("a drawn case", (abs(mean - want[0]) < 1e-12 and abs(half - want[1]) < 1e-8 and
                            WORDS[int(word)] == want[2]), (want, mean, half, word))
expect("each verdict was drawn", {WORDS[int(f[-1])] for f in found} == set(WORDS[:4]), found)
expect("no spread", dumped(["d 0.1 5 1 1 1 1 1 1 1 1 1 1"])[0][1:] == [0, 0, 0, 0])

# ---- files that are refused ----
enter_folder()
BASE = """name: tiny
model: {width: 16, layers: 1, heads: 2, hidden: 16, vocabulary: 256, activation: swiglu}
data: {corpus: CORPUS, sequence: 16, batch: 2, validation: 0.01}
optimizer: {learning_rate: 0.01, warmup: 2}
steps: 12
seed: 1
recipe: fp8
""".replace("CORPUS", corpus)
GOOD = """name: small
experiment: base.yaml
seeds: 5
flushed: "*.v"
margin: 0.05
margin_reason: a choice
diverged_above: 9
arms:
  - {name: fp32, recipe: fp32, kind: baseline}
  - {name: bf16, recipe: bf16, expect: equal, claim: "as FP32", source: "nobody"}
  - {name: v-fp8, recipe: mine.yaml, against: bf16, expect: better, claim: "less is more", source: "nobody"}
  - {name: frozen, recipe: frozen.yaml, kind: control, expect: worse, claim: "is bad", source: "nobody"}
"""
STATE = """name: {}
source: a test
rules: []
states:
  - {{layer: "*", op: "*", tensor: {}, format: {}, scaling: tensor-pow2}}
"""


def write(name, text):
    pathlib.Path(name).write_text(text, encoding="utf-8")
    return name


write("base.yaml", BASE)
write("mine.yaml", STATE.format("v-fp8", "v", "e4m3"))
write("frozen.yaml", STATE.format("frozen", "master", "e2m1"))  # steps of half a value: nothing is learned
write("good.yaml", GOOD)
REFUSED = [
    (GOOD.replace("kind: control", "kind: controls"), "arms[3].kind is 'controls', but must be one of arm, baseline"),
    (GOOD.replace("    kind: x", "").replace("recipe: bf16,", "recipe: bf16, round: rne,"), "unknown key 'round' in arms"),
    (GOOD.replace(", kind: control", ""), "lack a positive control"),
    (GOOD.replace(", kind: baseline", ""), "exactly one of kind baseline"),
    (GOOD.replace("recipe: bf16,", "recipe: bf16, kind: baseline,").replace("expect: equal, ", "")
     .replace('claim: "as FP32", source: "nobody"', ""), "exactly one of kind baseline"),
    (GOOD.replace("seeds: 5", "seeds: 4"), "seeds is '4', but must be a whole number from 5"),
    (GOOD.replace("margin: 0.05", "margin: 0"), "margin is '0', but must be a number above 0"),
    (GOOD.replace("margin_reason: a choice\n", ""), "lacks the key 'margin_reason'"),
    (GOOD.replace("expect: equal", "expect: same"), "nothing, equal, worse, better, diverges"),
    (GOOD.replace("expect: worse", "expect: equal"), "expect worse or diverges"),
    (GOOD.replace("expect: equal, ", ""), "expect, claim and source together"),
    (GOOD.replace('"as FP32", source: "nobody"', '"as FP32"'), "expect, claim and source together"),
    (GOOD.replace("against: bf16", "against: v-fp8"), "is no other arm's name"),
    (GOOD.replace("name: v-fp8", "name: bf16"), "is that of an earlier arm"),
    (GOOD.replace("name: v-fp8", "name: " + "v" * 25), "longer than 24"),
    (GOOD.replace("name: small", "name: ../small"), "part of a file's name"),
    (GOOD.replace("name: small", "name: " + "s" * 65), "at most 64 letters"),
    (GOOD.replace("flushed: \"*.v\"\n", "measure: flushed\n"), "say of which tensors"),
    (GOOD.replace("flushed: \"*.v\"", "flushed: \"*.w\""), "is the name of nothing that an arm quantizes"),
    (GOOD + "learning_rates: [0.1, fast]\n", "learning_rates[1] is 'fast'"),
    (GOOD + "learning_rates: []\n", "learning_rates is empty: leave it out, or name at least one"),
    (GOOD + "learning_rates: [0.3, 0.003, 3]\n", "learning_rates[1] is 0.003 after 0.3: list them from the lowest"),
    (GOOD + "learning_rates: [0.1, 0.3, 0.30]\n", "learning_rates[2] is 0.3 after 0.3: list them from the lowest"),
    (GOOD.replace("recipe: bf16,", "recipe: bf16, against: v-fp8,"), "arms[1].against leads back to this arm"),
    (GOOD.replace("recipe: bf16,", "recipe: bf16, against: frozen,").replace("kind: control,", "kind: control, against: v-fp8,"),
     "arms[1].against leads back to this arm"),
    (GOOD.replace("recipe: bf16", "recipe: bf17"), "arm bf16: no recipe 'bf17'"),
    (GOOD.replace("recipe: mine", "recipe: yours"), "arm v-fp8: yours.yaml"),
    (GOOD.replace("experiment: base", "experiment: none"), "none.yaml"),
]
for number, (text, words) in enumerate(REFUSED):
    expect(f"bad file {number} differs", text != GOOD)
    done = run_text("train", write("bad.yaml", text))
    expect(f"refused: {words}", done.returncode == 2 and words in done.stderr and done.stdout == "", done)
for text, words in ((BASE.replace("steps: 12", "steps: 9999"), "would repeat tokens"),
                    (BASE.replace("validation: 0.01", "validation: 0"), "needs a validation part")):
    write("base.yaml", text)
    done = run_text("train", "good.yaml")
    expect(f"refused: {words}", done.returncode == 2 and words in done.stderr, done.stderr)
write("base.yaml", BASE)
for args, words in ((("--steps", "3"), "not --steps"), (("--seed", "1"), "not --seed"),
                    (("--runs", "good.yaml"), "overwrite"), (("--json", "mine.yaml"), "mine.yaml"),
                    (("--runs", "base.yaml"), "overwrite"), (("--runs", "none/x"), "none/x")):
    done = run_text("train", "good.yaml", *args)
    expect(f"refused: {args}", done.returncode == 2 and words in done.stderr, done.stderr)
done = run_text("train", "base.yaml", "--runs", "x")
expect("--runs without an ablation", done.returncode == 2 and "--runs goes with an ablation" in done.stderr, done.stderr)
write("foreign", "my notes\n")
write("halfway", "my notes")
for name in ("foreign", "halfway"):
    done = run_text("train", "good.yaml", "--runs", name)
    expect(f"{name}: kept", done.returncode == 2 and "is no finished run" in done.stderr and
           pathlib.Path(name).read_text().startswith("my notes"), done.stderr)
expect("nothing was made", not os.path.exists("runs") and pathlib.Path("base.yaml").read_text() == BASE)

# ---- one from end to end, and its table computed a second time ----
done = run_text("train", "good.yaml", "--json", "good.json", FPX_THREADS="1")
expect("an ablation", done.returncode == 0 and "run 20 of 20" in done.stderr, done.stderr)
table, result = done.stdout, json.loads(pathlib.Path("good.json").read_text())
runs = [json.loads(line) for line in pathlib.Path("runs/small.jsonl").read_text().splitlines()]
expect("a line a run", len(runs) == 20 and len({r["key"] for r in runs}) == 20)
of = lambda arm, rate=0.01: [r["validation"] for r in sorted(runs, key=lambda r: r["seed"])
                             if r["arm"] == arm and r["learning_rate"] == rate]
AGAINST = {"bf16": "fp32", "v-fp8": "bf16", "frozen": "fp32"}
EXPECT = {"bf16": "equal", "v-fp8": "better", "frozen": "worse"}


def recompute(rows, text, margin, values):
    """Each row's numbers, verdict and claim from the runs alone; and that the text says the same."""
    verdicts = {arm: judge(values(arm), values(other), margin) for arm, other in AGAINST.items()}
    power = verdicts["frozen"][2] == "worse"
    for row in rows:
        arm = row["arm"]
        expect(f"{arm}: mean", abs(row["mean"] - statistics.fmean(values(arm))) < 1e-12, row)
        line = next(line for line in text.splitlines() if line.startswith(arm + " "))
        expect(f"{arm}: mean in the table", f"{statistics.fmean(values(arm)):8.4f}" in line, line)
        if arm == "fp32":
            expect("the baseline", row["against"] is None and row["verdict"] == "baseline" and row["difference"] is None)
            continue
        mean, half, verdict = verdicts[arm]
        if not power and verdict == "equal":
            verdict = "NO POWER"
        claim = {"NO POWER": "no power", "inconclusive": "open"}.get(verdict, "yes" if verdict == EXPECT[arm] else "no")
        expect(f"{arm}: numbers", abs(row["difference"] - mean) < 1e-12 and abs(row["half_95"] - half) < 1e-8, (row, mean))
        expect(f"{arm}: verdict", (row["verdict"], row["reproduces"], row["against"]) == (verdict, claim, AGAINST[arm]),
               (row, verdict, claim))
        expect(f"{arm}: its line", f"{mean:+.4f} +- {half:.4f}" in line and f"  {verdict} " in line and claim in line, line)
    return power


power = recompute(result["rows"], table, 0.05, of)
expect("its power", result["power"] == [power] == [True] and "no power" not in table, table)
expect("lines of at most 100 columns", max(map(len, table.splitlines())) <= 100, table)
expect("bf16 is equal", result["rows"][1]["verdict"] == "equal", result["rows"][1])
expect("head of the JSON", result["schema"] == "fpx.ablation/1" and result["seeds"] == 5 and result["margin"] == 0.05)
v = result["rows"][2]
expect("what was flushed", all(0 < share <= 1 for share in v["flushed"]) and result["rows"][0]["flushed"] == [0] * 5, v)

# One run by itself: the same number, seed by seed.
done = run_text("train", "base.yaml", "--recipe", "bf16", "--seed", "4", "--json", "one.json")
expect("the arm is what fpx train gives", json.loads(pathlib.Path("one.json").read_text())["bits_per_byte"] == of("bf16")[3])

# What was flushed, once more from the values of a trace: second moments before and after they are stored.
done = run_text("train", "base.yaml", "--recipe", "mine.yaml", "--seed", "3", "--trace", "v.h5", "--values", "*.v*")
expect("a trace", done.returncode == 0, done.stderr)
values = zeros = 0
with h5py.File("v.h5") as file:
    part = file["segments/000000"]
    last = int(part["committed"][0]) - 1
    for name, stored in part["values"].items():
        if not name.endswith(".v"):
            continue
        there = part["values"][name + ".next"][last].view("u4").reshape(-1) << 1 != 0  # signs are no value
        values += int(there.sum())
        zeros += int((there & (stored[last].reshape(-1) << 1 & 0xff == 0)).sum())
expect("the share of it", values > 0 and v["flushed"][2] == zeros / values, (values, zeros, v["flushed"]))

# ---- the file of runs: what is read is what was written, or is refused by its line ----
written = pathlib.Path("runs/small.jsonl").read_text()
third = written.splitlines()[2]
now = json.loads(third)


def with_runs(text, *args):
    pathlib.Path("edited.jsonl").write_bytes(text if isinstance(text, bytes) else text.encode())
    return run_text("train", "good.yaml", "--runs", "edited.jsonl", *args)


def third_as(key, value):
    line = json.dumps({**now, key: value}) if value != "absent" else json.dumps({k: v for k, v in now.items() if k != key})
    return written.replace(third, line)


for key, value, words in (
        ("validation", None, "validation is neither"), ("validation", "6", "validation is neither"),
        ("validation", -1, "validation is neither"), ("validation", "nan", "validation is neither"),
        ("validation", True, "validation is neither"), ("validation", "absent", "validation is neither"),
        ("flushed", 7.0, "flushed is no share"), ("flushed", -0.5, "flushed is no share"), ("flushed", "0", "flushed is no share"),
        ("flushed", "NaN", "flushed is no share"), ("arm", 3, "arm is no name"), ("arm", "absent", "arm is no name"),
        ("seed", 0, "seed is no whole number"), ("seed", 1.5, "seed is no whole number"),
        ("learning_rate", "0.01", "learning_rate is no number"), ("key", "", "is no finished run"),
        ("finding", None, "is no finished run")):
    done = with_runs(third_as(key, value))
    expect(f"a line with {key} {value}", done.returncode == 2 and f"edited.jsonl:3: {words}" in done.stderr and
           "remove that line to keep the others" in done.stderr and done.stdout == "", done.stderr)
    expect("nothing of it is lost", pathlib.Path("edited.jsonl").read_text() == third_as(key, value))
for key, value in (("seed", now["seed"] + 1), ("learning_rate", 0.02), ("arm", "fp32" if now["arm"] != "fp32" else "bf16")):
    done = with_runs(third_as(key, value))
    expect(f"{key} against the plan", done.returncode == 2 and "edited.jsonl:3: says arm" in done.stderr and
           "remove that line" in done.stderr, done.stderr)
done = with_runs(third_as("arm", "once-named-so"))
expect("an arm that was renamed", done.returncode == 0 and "20 of 20 runs are in" in done.stderr, done.stderr)
for key, value in (("validation", 5.0), ("validation", "NaN"), ("flushed", 0.5), ("finding", "none")):
    done = with_runs(written + json.dumps({**now, key: value}) + "\n")
    expect(f"the same run with another {key}", done.returncode == 2 and "edited.jsonl:21: is the run of line 3 with another" in
           done.stderr, done.stderr)
expect("twice the same", with_runs(written + third + "\n").stdout == table)
done = with_runs(written.replace('"seed": ', '"flushed": 0.0, "seed": ', 1))
expect("a key twice in a line", done.returncode == 2 and "edited.jsonl:1: is no finished run" in done.stderr, done.stderr)
for tail in (b"\0" * 4096, third[:40].encode() + b"\0" * 100, third[:9].encode(), b"  "):
    done = with_runs(written.encode() + tail)
    expect("a tail of a power cut", done.stdout == table and pathlib.Path("edited.jsonl").read_text() == written, done.stderr)
done = with_runs("\n" + written.replace("\n", "\n\n  \r\n", 3) + "\n")
expect("blank lines", done.returncode == 0 and done.stdout == table and "20 of 20" in done.stderr, done.stderr)
done = with_runs(written.encode() + b"\0\0\0" + third.encode() + b"\n")
expect("zeros within", done.returncode == 2 and "edited.jsonl:21: is no finished run of fpx: remove that line" in done.stderr,
       done.stderr)
expect("and the tail of notes", with_runs("my notes\0\0").returncode == 2 and
       pathlib.Path("edited.jsonl").read_bytes() == b"my notes\0\0")

# An arm without a claim: the name of what it is compared with stands under no heading of another thing.
done = run_text("train", write("noclaim.yaml", GOOD.replace('expect: better, claim: "less is more", source: "nobody"',
                                                            "expect: nothing")))
head, line = (next(line for line in done.stdout.splitlines() if line.startswith(w)) for w in ("arm ", "v-fp8 "))
expect("without a claim", done.returncode == 0 and line[head.index("claimed"):].split() == ["-", "-", "(to", "bf16)"], done.stdout)

# The same again: nothing runs. A margin is no part of a run.
done = run_text("train", write("wide.yaml", GOOD.replace("margin: 0.05", "margin: 9")), "--json", "-")
expect("all known", done.returncode == 0 and "20 of 20 runs are in" in done.stderr and "run 20" not in done.stderr,
       done.stderr)
wide = json.loads(done.stdout)
expect("a control that is not seen", wide["power"] == [False] and
       [r["verdict"] for r in wide["rows"]] == ["baseline"] + ["NO POWER"] * 3, wide["rows"])
expect("and says so", "a positive control was not seen" in done.stderr or "a positive control was not seen" in
       run_text("train", "wide.yaml").stdout)
# A comment is no setting, a setting is.
write("base.yaml", "# said otherwise\n" + BASE)
expect("a comment", "20 of 20 runs are in" in run_text("train", "good.yaml").stderr)
write("base.yaml", BASE)

# ---- divergence is a result; learning rates ----
hot = GOOD.replace("name: small", "name: hot").replace("expect: equal", "expect: diverges").replace("above: 9", "above: 6.7")
done = run_text("train", write("hot.yaml", hot + "learning_rates: [0.01, 1000000]\n"), "--json", "hot.json")
rows = json.loads(pathlib.Path("hot.json").read_text())["rows"]
expect("diverged runs", done.returncode == 0 and len(rows) == 8, done.stderr)
expect("said per arm", rows[5]["verdict"] == "diverged 5 of 5" and rows[5]["reproduces"] == "open" and
       rows[4]["verdict"] == "baseline, diverged 5", rows[4:6])  # FP32 did no better
expect("above the limit", rows[3]["verdict"] == "diverged 5 of 5" and rows[3]["reproduces"] == "yes" and
       rows[1]["reproduces"] == "no" and rows[3]["findings"] == [""] * 5, rows[:4])
expect("highest stable rates", [line.split() for line in done.stdout.splitlines() if line.startswith("bf16 ")][-1] ==
       ["bf16", "0.01"], done.stdout)
runs = [json.loads(line) for line in pathlib.Path("runs/hot.jsonl").read_text().splitlines()]
expect("why", any("NaN" in r["finding"] for r in runs if r["learning_rate"] == 1e6), runs[-1])
hottest = next(r for r in runs if r["learning_rate"] == 1e6 and r["arm"] == "bf16" and "NaN or Inf, the first" in r["finding"])
write("hot-base.yaml", BASE.replace("learning_rate: 0.01", "learning_rate: 1000000"))
alone = run_text("train", "hot-base.yaml", "--recipe", "bf16", "--seed", str(hottest["seed"]))
expect("in the words of fpx train", alone.returncode == 1 and f"finding: {hottest['finding']}\n" in alone.stdout and
       hottest["finding"].count(", ") >= 3, (hottest, alone.stdout))
both = run_text("train", "hot-base.yaml", "--compare", "fp32,bf16", "--seeds", "2")
expect("and of a comparison, without a nan in its table", both.returncode == 1 and "nan" not in both.stdout and
       "bf16 against fp32, paired: -, no comparison: a run left the finite numbers" in both.stdout and
       re.search(r"finding: recipe fp32, seed 1, step \d+, \S+, \S+: element", both.stdout) is not None and
       re.search(r"^mean +- +-$", both.stdout, re.M) is not None, both.stdout)
again = run_text("train", "hot.yaml", "--json", "hot2.json")
expect("read back, NaN and all", again.stdout == done.stdout and pathlib.Path("hot.json").read_bytes() ==
       pathlib.Path("hot2.json").read_bytes(), again.stderr)

# ---- killed, cut off, and gone on with ----
slow = write("base.yaml", BASE.replace("steps: 12", "steps: 150"))
whole = run_text("train", "good.yaml", "--json", "whole.json", "--runs", "whole.jsonl")
expect("the whole", whole.returncode == 0, whole.stderr)
for kind in (signal.SIGKILL, signal.SIGINT):
    process = subprocess.Popen([fpx, "train", "good.yaml", "--runs", "cut.jsonl"], stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True)
    have = len(pathlib.Path("cut.jsonl").read_text().splitlines()) if os.path.exists("cut.jsonl") else 0
    deadline = time.time() + 60
    while time.time() < deadline:
        if os.path.exists("cut.jsonl") and len(pathlib.Path("cut.jsonl").read_text().splitlines()) >= have + 3:
            break
        time.sleep(0.01)
    process.send_signal(kind)
    said = process.communicate(timeout=60)[1]
    if kind == signal.SIGINT:
        expect("Ctrl-C says how to go on", process.returncode == 2 and "the same command goes on" in said, said[-300:])
lines = pathlib.Path("cut.jsonl").read_text().splitlines(keepends=True)
expect("some are done, not all", 6 <= len(lines) < 20, len(lines))
write("cut.jsonl", "".join(lines[:-1]) + lines[-1][:len(lines[-1]) // 2])  # the machine died in a write
done = run_text("train", "good.yaml", "--json", "cut.json", "--runs", "cut.jsonl")
expect("gone on", done.returncode == 0 and f"{len(lines) - 1} of 20 runs are in cut.jsonl" in done.stderr, done.stderr)
expect("to the same table", done.stdout == whole.stdout and
       pathlib.Path("cut.json").read_bytes() == pathlib.Path("whole.json").read_bytes(), done.stdout)
expect("and the same runs", sorted(pathlib.Path("cut.jsonl").read_text().splitlines()) ==
       sorted(pathlib.Path("whole.jsonl").read_text().splitlines()))
first = subprocess.Popen([fpx, "train", "good.yaml", "--runs", "both.jsonl"], stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL)
while not os.path.exists("both.jsonl"):
    time.sleep(0.01)
time.sleep(0.05)
done = run_text("train", "good.yaml", "--runs", "both.jsonl")
expect("two at once", done.returncode == 2 and "another process" in done.stderr or first.poll() is not None, done.stderr)
first.kill()
first.wait()

# ---- the shipped ones are read: their recipes, experiments and patterns fit; what they need may not be built here ----
shipped = sorted(glob.glob(os.path.join(root, "ablations/*.yaml")))
for name in shipped:
    text = pathlib.Path(name).read_text(encoding="utf-8")
    if "\narms:" not in text:
        continue
    for source in glob.glob(os.path.join(root, "ablations/recipes/*.yaml")) + shipped:
        place = pathlib.Path("copy") / os.path.relpath(source, os.path.join(root, "ablations"))
        place.parent.mkdir(parents=True, exist_ok=True)
        base = pathlib.Path(source).read_text(encoding="utf-8")
        lines = [line for line in base.splitlines() if not line.lstrip().startswith("sha256:")]
        place.write_text("\n".join(lines).replace("../datasets/corpus-5m.txt", "corpus.txt") + "\n")
    if not os.path.exists("copy/corpus.txt"):
        shutil.copyfile(corpus, "copy/corpus.txt")
        with open("copy/corpus.txt", "a") as file:
            file.write(open(corpus).read() * 16)
    process = subprocess.Popen([fpx, "train", os.path.join("copy", os.path.basename(name)), "--runs", "copy.jsonl"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    deadline = time.time() + 60  # it opens every arm, then the file of runs
    while time.time() < deadline and process.poll() is None and not os.path.exists("copy.jsonl"):
        time.sleep(0.02)
    opened = os.path.exists("copy.jsonl")
    process.kill()
    said = process.communicate()[1]
    if opened:
        os.remove("copy.jsonl")
    expect(f"{os.path.basename(name)} can begin", opened, said)
finish()
