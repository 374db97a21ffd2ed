"""The demo over many seeds: every planted fault is found and named exactly, by both finders; over clean
pairs, and in clean runs' own shadows, nothing is.  demo_seeds.py FPX ROOT [SEEDS [PAIRS]]"""
import os
import re
import subprocess
import sys
import tempfile

fpx, root = os.path.abspath(sys.argv[1]), sys.argv[2]
seeds = int(sys.argv[3]) if len(sys.argv) > 3 else 100
pairs = int(sys.argv[4]) if len(sys.argv) > 4 else 20
os.chdir(root)
failures, kinds = [], {}


def run(*args):
    return subprocess.run([fpx, *args], capture_output=True, text=True, timeout=600)


with tempfile.TemporaryDirectory() as folder:
    os.environ["TMPDIR"] = folder
    for seed in range(1, seeds + 1):
        demo = run("demo", "--seed", str(seed), "--page", os.path.join(folder, "page.html"))
        planted = re.search(r"What had been planted\n +(.*):\n", demo.stdout)
        kind = planted.group(1) if planted else "nothing"
        kinds[kind] = kinds.get(kind, 0) + 1
        if demo.returncode != 0 or "named exactly, twice" not in demo.stdout:
            failures.append(f"demo --seed {seed}: exit {demo.returncode}\n{demo.stdout}{demo.stderr}")
        left = [name for name in os.listdir(folder) if name != "page.html"]
        if left:
            failures.append(f"demo --seed {seed} left {left} behind")
    for seed in range(1, pairs + 1):
        traces = [os.path.join(folder, f"{seed}-{i}.h5") for i in (0, 1)]
        for trace, shadow in zip(traces, ("local:cpu", "local:fp64")):
            train = run("train", "experiments/demo.yaml", "--seed", str(seed), "--trace", trace,
                        "--shadow", shadow)
            own = run("diff", trace)
            # The same arithmetic on the same device is no information, and is said to be none.
            if train.returncode != 0 or own.returncode != (2 if shadow == "local:cpu" else 0):
                failures.append(f"clean run, seed {seed}, {shadow}: {own.stdout}{train.stderr}")
        diff = run("diff", *traces)
        if diff.returncode != 0:
            failures.append(f"clean pair, seed {seed}: {diff.stdout}{diff.stderr}")
        for trace in traces:
            subprocess.run(["rm", "-r", trace, trace + ".seg"], check=True)

for text in failures:
    print("FAILED", text)
for kind, count in sorted(kinds.items()):
    print(f"{count:4} x {kind}")
if seeds >= 100 and len(kinds) < 5:
    failures.append("kinds")
    print("FAILED: not every kind of fault was drawn")
print(f"{seeds} seeds, {pairs} clean pairs, {len(failures)} failures")
sys.exit(1 if failures else 0)
