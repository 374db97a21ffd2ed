"""test_guard.py FPX SOURCE DUMP_BAND: a run ends where the first NaN or Inf is made, names the operation, and leaves a
state from which the same happens again, bit for bit; losses that leave their band are flagged by the rule as it is
written, computed again here."""
import json
import pathlib
import random
import re
import statistics
import subprocess
import sys
import tempfile

from harness import expect, finish, run_text

source, dump = (pathlib.Path(a).resolve() for a in sys.argv[2:4])
good = (source / "experiments/demo.yaml").read_text().replace("../datasets", str(source / "datasets"))


def train(*args):
    done = run_text("train", *map(str, args), "--device", "cpu,threads=1")
    return done.returncode, done.stdout + done.stderr


def finding(path):
    return json.loads(pathlib.Path(path).read_text())["finding"]


def hot(name, text, recipe, folder):
    """A rate that blows up at once; in the folder, twice."""
    experiment, first, again = (folder / f"{name}{end}" for end in (".yaml", ".json", ".again.json"))
    experiment.write_text(text.replace("0.003", "1000000"))
    kept = folder / f"{name}.states"
    code, said = train(experiment, "--recipe", recipe, "--checkpoint", kept, "--json", first)
    found = finding(first)
    expect(f"{name}: exit code", code == 1, said)
    expect(f"{name}: named", found["operation"] and "NaN or Inf" in found["text"] and found["operation"] in said, said)
    saved = [p.name for p in kept.iterdir()]
    expect(f"{name}: the state before it", saved == [f"step-{found['step']:06}.safetensors"], saved)
    code, said = train(experiment, "--recipe", recipe, "--resume", kept, "--json", again, "--trace",
                       folder / f"{name}.h5", "--values", "*")
    expect(f"{name}: again", code == 1 and finding(again) == found, said)
    expect(f"{name}: still resumable", [p.name for p in kept.iterdir()] == saved)
    return found


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    hot("plain", good, "fp32", folder)
    hot("stored", good, "fp8-lm-o3", folder)
    hot("cut", good.replace("batch: 4", "batch: 2\n  accumulate: 2"), "bf16", folder)
    # What an update makes is named as well: a parameter of 10^6 is Inf in FP16.
    (folder / "update.yaml").write_text(good.replace("0.003", "1000000").replace("warmup: 10", "warmup: 0"))
    code, said = train(folder / "update.yaml", "--recipe", "fp8-lm-o1", "--checkpoint", folder / "u", "--json",
                       folder / "u.json")
    found = finding(folder / "u.json")
    expect("an update", code == 1 and found["operation"].endswith("/w/quantize") and found["step"] == 0, (found, said))
    expect("whose state is half new: nothing is saved", not (folder / "u").exists() or not list((folder / "u").iterdir()))
    # A shadow finds something in a step before: it looks at every step, at the first one only, or with a trace.
    late = folder / "late.yaml"
    late.write_text(good.replace("0.003", "1000000"))
    unit = ("--recipe", "fp8", "--shadow", "local:hopper/wgmma/fp8-fp32")
    alone, _ = train(late, "--recipe", "fp8", "--json", folder / "alone.json")
    want = finding(folder / "alone.json")
    expect("alone: both names", alone == 1 and want == json.loads((folder / "alone.json").read_text())["nonfinite"], want)
    for name, more in (("shadowed", ()), ("sampled", ("--shadow-every", "1000")), ("traced", ("--trace", folder / "t.h5"))):
        kept = folder / f"{name}.states"
        code, said = train(late, *unit, *more, "--checkpoint", kept, "--json", folder / f"{name}.json")
        result = json.loads((folder / f"{name}.json").read_text())
        expect(f"{name}: the shadow's", code == 1 and "other bits" in result["finding"]["text"], said)
        expect(f"{name}: and the NaN's", result["nonfinite"] == want, (result["nonfinite"], want))
        expect(f"{name}: after it", result["finding"]["step"] < want["step"], result)
        expect(f"{name}: both printed", all(f["text"] in said for f in (result["finding"], want)), said)
        expect(f"{name}: the state before it", [p.name for p in kept.glob("*")] == [f"step-{want['step']:06}.safetensors"]
               and f"the state before step {want['step']} is in" in said, said)
        if name == "sampled":  # step 0 whole; what is run again to find the operation is not counted again
            _, once = train(late, *unit, "--steps", "1")
            counts = [re.search(r"judged (\d+) of (\d+) results \((\d+) looked at\)", text) for text in (said, once)]
            (judged, of, looked), (one, step, seen) = [map(int, found.groups()) if found else (0, 1, 0) for found in counts]
            expect("sampled: the count", (judged, looked) == (one, seen) and looked > 0 and
                   step * want["step"] <= of <= step * (want["step"] + 1), said + once)
    code, said = train(late, "--steps", "1", "--shadow", "local:cpu")
    expect("no verdict says what to do", code == 0 and "no information" in said and "--device" in said, said)
    (folder / "good.yaml").write_text(good)
    code, said = train(folder / "good.yaml", "--steps", "3", "--json", folder / "g.json")
    result = json.loads((folder / "g.json").read_text())
    expect("a good run", code == 0 and result["finding"] is None and result["spikes"]["count"] == 0, said)

    # A text with bytes that are found nowhere else in it: the steps that meet them spike.
    text, chance = (source / "datasets/kjv-genesis-exodus.txt").read_bytes()[:40000], random.Random(1)
    odd = lambda: bytes(chance.randrange(128, 256) for _ in range(192))
    spiky = folder / "spiky.yaml"
    for name, places in (("few", 1), ("many", 9)):
        (folder / "odd.txt").write_bytes(b"".join(text[i:i + 4000] + (odd() if 0 < i <= places * 4000 else b"")
                                                  for i in range(0, 40000, 4000)))
        spiky.write_text("""name: spiky
model: {width: 16, layers: 1, heads: 2, hidden: 16, vocabulary: 256, activation: gelu}
data: {corpus: odd.txt, sequence: 64, batch: 2, validation: 0.1}
optimizer: {learning_rate: 0.01, warmup: 10}
steps: 250
seed: 1
recipe: fp32
""")
        kept, page, traced = folder / f"{name}.kept", folder / f"{name}.html", folder / f"{name}.h5"
        code, said = train(spiky, "--trace", traced, "--json", folder / "s.json")
        spikes = json.loads((folder / "s.json").read_text())["spikes"]
        steps = [spike["step"] for spike in spikes["first"]]
        expect(f"{name}: spikes", code == 0 and spikes["count"] > (0 if name == "few" else 5), said)
        expect(f"{name}: again, with a shadow", f"the first at step {steps[0]}: run again with --shadow local --trace" in said, said)
        expect(f"{name}: a page", run_text("report", str(traced), "-o", str(page)).returncode == 0)
        listed = re.search(r" loss(?:es)? left (?:its|their) band</b>: steps?([0-9, ]*)(?: and (\d+) more)?:", page.read_text())
        expect(f"{name}: the page has them", listed is not None and [int(x) for x in listed[1].split(",")] == steps[:5] and
               int(listed[2] or 0) == max(spikes["count"] - 5, 0), (listed, spikes))
        code, said = train(spiky, "--checkpoint", kept, "--every", "20")
        state = kept / f"step-{steps[0] // 20 * 20:06}.safetensors"
        expect(f"{name}: the state before it", state.exists() and f"is {state}: copy it to a new folder DIR, then fpx train" in said,
               said)
        (folder / f"{name}.again").mkdir()
        state.rename(folder / f"{name}.again" / state.name)
        code, said = train(spiky, "--resume", folder / f"{name}.again", "--shadow", "local", "--trace", folder / f"{name}.2.h5")
        expect(f"{name}: what is said works", code == 0 and "0 contradicted" in said, said)

window, width = result["spikes"]["window"], result["spikes"]["deviations"]
chance = random.Random(3)
losses = [3.0 + 2.0 * 0.99 ** i + chance.gauss(0.0, 0.1) for i in range(1500)]
for at, height in ((20, 9.0), (200, 2.0), (700, 1.0), (701, 1.0), (1100, 30.0)):
    losses[at] += height
losses[300], losses[900] = float("nan"), float("inf")
for i in range(1300, 1500):
    losses[i] = 3.0  # all alike: no deviation is left
losses[1450] = 3.5
want, last = [], []
for i, loss in enumerate(losses):
    if loss - loss != 0.0:
        continue
    if len(last) == window:
        median = statistics.median(last)
        limit = median + width * 1.4826 * statistics.median([abs(x - median) for x in last])
        if loss > limit:
            want.append((i, median, limit))
    last = (last + [loss])[-window:]
lines = subprocess.run([str(dump)], input="\n".join(repr(x) for x in losses), text=True, check=True,
                       stdout=subprocess.PIPE).stdout.splitlines()
got = [(int(a), float.fromhex(b), float.fromhex(c)) for a, b, c in (line.split() for line in lines)]
expect("the band", got == want, (got, want))
expect("the planted spikes", [g[0] for g in got] == [200, 700, 701, 1100, 1450], got)
finish()
