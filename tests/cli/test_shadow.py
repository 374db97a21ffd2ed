"""test_shadow.py FPX SOURCE: which steps, layers and roles a sampled shadow looks at, read back with h5py; that a trace says
so and what was not looked at is not taken for agreement; a matrix unit as the shadow."""
import json
import pathlib
import re
import sys

import h5py
import numpy as np

from harness import enter_folder, expect, finish, run_text

source = pathlib.Path(sys.argv[2]).resolve()
good = (source / "experiments/demo.yaml").read_text().replace("../datasets", str(source / "datasets"))
enter_folder()
pathlib.Path("e.yaml").write_text(good.replace("steps: 40", "steps: 5").replace("sequence: 64", "sequence: 16"))


def train(name, *args, **environment):
    done = run_text("train", "e.yaml", "--trace", name + ".h5", *args, "--device", "cpu,threads=1", **environment)
    return done.returncode, done.stdout + done.stderr


def refused(name, words, *args):
    code, said = train(name, *args)
    expect(name, code == 2 and words in said and not pathlib.Path(name + ".h5").exists(), said)


def figures(name, mode):
    """[step][record][column], the records, and their layers and roles."""
    with h5py.File(name + ".h5") as f:
        rows = np.concatenate([part[f"figures/{mode}"][:int(part["committed"][0])] for part in f["segments"].values()])
        return rows, f["records"][:]


def chain(name):
    return run_text("trace", "show", name + ".h5").stdout.split()[2]


# ---- sampling ----
train("plain")
code, said = train("whole", "--shadow", "local:fp64")
expect("a whole shadow says nothing of samples", code == 0 and "sampled" not in said, said)
code, said = train("some", "--shadow", "local:fp64", "--shadow-every", "2", "--shadow-layers", "-1,-",
                   "--shadow-roles", "wgrad,optimizer")
code_said = said
expect("sampled", code == 0 and "nothing is known of the rest" in said, said)
expect("the run's bits are its own", chain("some") == chain("whole") == chain("plain"))
whole, records = figures("whole", "local:fp64")
some, _ = figures("some", "local:fp64")
asked = np.isin(records["layer"], [1, -1]) & np.isin(records["role"], [b"wgrad", b"optimizer"])
seen = np.zeros(some.shape[:2], bool)
seen[::2] = asked
expect("both kinds of results", 0 < asked.sum() < asked.size)
expect("what is not looked at is NaN alone", np.isnan(some[~seen]).all())
expect("what is looked at has figures", not np.isnan(some[seen][:, 5]).any())
expect("those of the whole shadow", np.array_equal(some[seen], whole[seen], equal_nan=True))
expect("the whole one looked at all", not np.isnan(whole[..., 5]).any())

count = int(seen.sum())
says = int((~np.isnan(some[..., 0])).sum())
judged = int((some[..., 4] >= 0).sum())
expect("some of it says nothing, or not", 0 < judged <= says <= count, (judged, says, count))
line = f"shadow local:fp64: judged {judged} of {seen.size} results ({says} looked at)\n" \
       "sampled: shadow local:fp64 looked at 3 of 5 steps; nothing is known of the rest"
done = run_text("diff", "some.h5", "--json", "some.json")
expect("diff says it", done.returncode == 0 and line in done.stdout, done.stdout)
found = json.loads(pathlib.Path("some.json").read_text())
three = {"judged": judged, "looked_at": says, "results": seen.size}
expect("in JSON", found["shadows"] == [{"shadow": "local:fp64", "results_seen": count, "steps_seen": 3, **three}], found)
expect("in JSON, of all shadows", {key: found[key] for key in three} == three, found)
expect("the table says it", f"shadow local:fp64: judged {judged} of {seen.size} results ({says} looked at), in 3 of 5 steps"
       in run_text("trace", "growth", "some.h5").stdout)
expect("the run says it", f"judged {judged} of {seen.size} results ({says} looked at), 0 contradicted" in code_said, code_said)

# ---- the same arithmetic on the same device: in the sample, but nothing to look at ----
code, said = train("vacuous", "--shadow", "local:cpu")
rows, _ = figures("vacuous", "local:cpu")
none = np.isnan(rows).sum(2) == rows.shape[2] - 2
expect("mismatches and element are 0", code == 0 and none.all() and not rows[..., 5:7].any(), said)
growth = run_text("trace", "growth", "vacuous.h5").stdout
expect("no result counts", f"judged 0 of {none.size} results (0 looked at), in 0 of 5 steps" in growth, growth)
expect("no step counts", growth.count("not looked at") == 5, growth)
done = run_text("diff", "vacuous.h5", "--json", "-")
found = json.loads(done.stdout)
expect("no verdict", done.returncode == 2 and (found["judged"], found["looked_at"], found["results"]) == (0, 0, none.size), found)
expect("a whole one has no such line", "sampled" not in run_text("diff", "whole.h5").stdout)
run_text("report", "some.h5", "-o", "some.html")
page = re.sub("<[^>]*>", "", pathlib.Path("some.html").read_text())
expect("the page says it", f"judged {judged} of {seen.size} results ({says} looked at), in 3 of 5 steps" in page)

refused("free", "a free shadow goes on", "--shadow", "both", "--shadow-every", "2")
refused("layer", "'7' is no layer: there are 0 to 1", "--shadow", "local", "--shadow-layers", "0,7")
refused("role", "'w' is no role", "--shadow", "local", "--shadow-roles", "w")
refused("no mode", "which is missing", "--shadow-every", "2")
refused("zero", "--shadow-every", "--shadow", "local", "--shadow-every", "0")

# ---- growth ----
def table(name):
    """[shadow]: rows of step, parameters, loss, error, of bound, disagree; None: not looked at."""
    tables = {}
    for line in run_text("trace", "growth", name + ".h5").stdout.splitlines():
        if line.startswith("shadow"):
            rows = tables[line.split()[1].rstrip(":")] = []
        elif line.endswith("not looked at"):
            rows.append(None)
        elif line.split()[0] != "step":
            numbers = [float("nan") if word == "-" else float(word) for word in line.split()
                       if re.fullmatch(r"-|[-+.\deinf]+", word)]
            rows.append(numbers)
    return tables


def close(text, value):
    return (np.isnan(text) and np.isnan(value)) or abs(text - value) <= 0.006 * abs(value)  # three digits


train("drift", "--shadow", "both")
free, _ = figures("drift", "free:fp64")
local, _ = figures("drift", "local:fp64")
sizes = np.prod(np.where(records["shape"] > 0, records["shape"], 1), axis=1)
is_parameter = (records["kind"] == b"adamw") & (np.roll(records["op_index"], 1) != records["op_index"])
rms, reference, product = free[..., 1], free[..., 2], records["kind"] == b"gemm"
distance = np.sqrt((rms**2 * sizes)[:, is_parameter].sum(1) / (reference**2 * sizes)[:, is_parameter].sum(1))
tables = table("drift")
expect("parameters", is_parameter.sum() > 5 and all(close(row[1], d) for row, d in zip(tables["free:fp64"], distance)))
expect("they come apart", (np.diff(distance) > 0).all(), distance)
expect("the loss", all(close(row[2], f[records["tensor"] == b"loss"][0, 0]) for row, f in zip(tables["free:fp64"], free)))
expect("of the bound", all(close(row[4], np.nanmax(f[product, 4])) for row, f in zip(tables["local:fp64"], local)))
expect("none disagrees", all(row[5] == 0 for row in tables["local:fp64"]))
expect("a free shadow judges nothing", all(np.isnan(row[4:]).all() for row in tables["free:fp64"]))
long = pathlib.Path("e.yaml").read_text().replace("  batch: 4\n", "  batch: 4\n  accumulate: 2\n")
pathlib.Path("long.yaml").write_text(long)  # micro.1/layer.1/...: names over 34 characters
run_text("train", "long.yaml", "--steps", "2", "--shadow", "both", "--trace", "long.h5", "--device", "cpu,threads=1")
for action, column in (("growth", r"\S+$"), ("ls", r"(values|digests) ")):
    lines = [line for line in run_text("trace", action, "long.h5").stdout.splitlines()
             if not re.match(r"shadow|\d+ steps", line)]
    ends = {re.search(column, line).end() if action == "growth" else re.search(column, line).start() for line in lines}
    expect(f"columns of {action}", len(lines) > 5 and max(map(len, lines)) > 100 and len(ends) == 1, ends)
expect("not looked at", [row is None for row in table("some")["local:fp64"]] == [False, True, False, True, False])
expect("no shadow", run_text("trace", "growth", "plain.h5").returncode == 2)
run_text("report", "drift.h5", "-o", "drift.html")
page = pathlib.Path("drift.html").read_text()
for label, points in (("distance of all parameters", 5), ("distance of the loss", 5), ("largest error / bound", 5)):
    at = page.index(f'aria-label="{label}')
    path = re.search(r'class="line a" d="([^"]*)"', page[at:])[1]
    expect(f"a curve: {label}", len(re.findall("[ML]", path)) == points, path)
heights = [float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", re.search(
    r'class="line a" d="([^"]*)"', page[page.index('aria-label="distance of all parameters'):])[1])]
expect("that rises", heights == sorted(heights, reverse=True), heights)
run_text("report", "some.h5", "-o", "some.html")
page = pathlib.Path("some.html").read_text()
expect("no point where nobody looked", 'aria-label="largest error / bound' not in page or len(re.findall("[ML]", re.search(
    r'class="line a" d="([^"]*)"', page[page.index('aria-label="largest error / bound'):])[1])) == 3)

# ---- figures and bounds by another instruction set ----
code, said = train("scalar", "--shadow", "local:fp64", FPX_CPU="scalar")
expect("the same figures, bit for bit", figures("scalar", "local:fp64")[0].tobytes() == whole.tobytes(), said)

# ---- NaN where no shadow looks: the guard names it all the same ----
pathlib.Path("hot.yaml").write_text(pathlib.Path("e.yaml").read_text().replace("0.003", "1000000"))
said = [run_text("train", "hot.yaml", "--recipe", "fp32", "--device", "cpu,threads=1", "--checkpoint", name, *args)
        for name, args in (("bare", ()), ("sampled", ("--shadow", "local:fp64", "--shadow-every", "50")))]
found = [re.search("^finding: .*NaN or Inf.*$", one.stdout, re.M) for one in said]
expect("the same finding", all(one.returncode == 1 for one in said) and found[0] and found[0][0] == found[1][0], said[1].stdout)
expect("the state before it", sorted(p.name for p in pathlib.Path("bare").iterdir()) ==
       sorted(p.name for p in pathlib.Path("sampled").iterdir()) != [])

# ---- float32 ----
code, said = train("narrow32", "--recipe", "fp8", "--shadow", "local:fp32")
expect("products are judged", code == 0 and re.search(r"judged 120 of \d+ results \(255 looked at\), 0 contradicted", said), said)

# ---- a matrix unit ----
unit = "hopper/wgmma/fp8-fp32"
code, said = train("same", "--recipe", "fp8-hopper", "--shadow", "local:" + unit, "--values", "layer.0/attn.qkv/y")
expect("a recipe of this unit agrees", code == 0 and re.search(r"judged 120 of \d+ results \(120 looked at\), 0 contradicted", said), said)
expect("diff of it", run_text("diff", "same.h5").returncode == 0)
code, said = train("other", "--recipe", "fp8", "--shadow", "local:" + unit)
expect("other sums differ", code == 1 and "layer.0/attn.qkv/fprop" in said and "expected 0x" in said, said)
done = run_text("diff", "other.h5", "--json", "other.json")
first = json.loads(pathlib.Path("other.json").read_text())["first"]
with h5py.File("same.h5") as f:
    codes = f["segments/000000/values/layer.0:attn.qkv:y"][0].ravel()
expect("what it expected is what the other run has", done.returncode == 1 and first["step"] == 0 and
       first["bits_expected"] == f"0x{codes[first['element']]:08x}", first)
expect("by name", first["shadow"] == "local:" + unit and first["bits_got"] != first["bits_expected"], first)
rows, _ = figures("other", "local:" + unit.replace("/", ":"))
expect("all products that it takes, no others", (rows[..., 5] > 0).sum() > 100 and np.isnan(rows[..., 0]).any())
code, said = train("narrow", "--recipe", "fp8-hopper", "--shadow", f"local:{unit},fraction=12")
expect("a unit with changes", code == 1 and "fraction=12" in said, said)
refused("nothing to take", "no product of this recipe can run on that unit: it takes e4m3 e5m2", "--recipe", "fp32",
        "--shadow", "local:" + unit)
refused("no such unit", "no matrix unit is named hopper/none", "--shadow", "local:hopper/none")
finish()
