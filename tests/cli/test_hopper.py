"""1,000 steps of experiments/hopper.yaml, FP8 products summed as an H100 does: the digest of every step (of every result of
every operation in it) is the committed one, tests/goldens/hopper-1000.txt; other thread counts have the same bits in every
operation, and so have the scalar kernels, which take a second a step, in the first and, from a checkpoint, the last ones.
test_hopper.py FPX ROOT [--record]"""
import json
import os
import subprocess
import sys

from harness import enter_folder, expect, finish, root, run_text as run

experiment = os.path.join(root, "experiments/hopper.yaml")
committed = os.path.join(root, "tests/goldens/hopper-1000.txt")
record = sys.argv[3:] == ["--record"]
SCALAR = 6  # steps at either end

enter_folder()


def steps_of(golden):
    """ "0 digest", "1 digest", ... """
    with open(golden, encoding="ascii") as file:
        return [" ".join(line.split()[1:3]) for line in file if line.startswith("step ")]


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read()


done = run("golden", "record", experiment, "g", "--steps", "1000", FPX_THREADS="1")
expect("1,000 steps run", done.returncode == 0, done.stdout + done.stderr)
steps = steps_of("g")
if record:
    with open(committed, "w", encoding="ascii") as file:
        file.write("# Step digests of experiments/hopper.yaml, as fpx golden record has them: tests/cli/test_hopper.py --record\n" +
                   "\n".join(steps) + "\n")
wanted = read(committed).splitlines()[1:]
first = next((i for i, (one, other) in enumerate(zip(steps, wanted)) if one != other), None)
expect("the committed bits", len(steps) == len(wanted) == 1000 and first is None, f"the first other step is {first}")
for threads in ("2", "5"):
    done = run("golden", "check", experiment, "g", "--json", "-", FPX_THREADS=threads)
    result = json.loads(done.stdout)
    expect(f"{threads} threads", done.returncode == 0 and result["holds"] and f"{threads} threads" in result["device"], result)
done = run("golden", "check", experiment, "g", "--steps", str(SCALAR), "--json", "-", FPX_CPU="scalar", FPX_THREADS="1")
result = json.loads(done.stdout)
expect("scalar kernels", done.returncode == 0 and result["holds"] and "kernels scalar" in result["device"], result)

# ---- the last steps: scalar kernels go on from a checkpoint, and end with the same bytes ----
done = run("train", experiment, "--checkpoint", "whole", "--every", str(1000 - SCALAR), FPX_THREADS="1")
expect("trained", done.returncode == 0, done.stderr)
os.mkdir("cut")
os.link(f"whole/step-{1000 - SCALAR:06}.safetensors", f"cut/step-{1000 - SCALAR:06}.safetensors")
done = run("train", experiment, "--resume", "cut", FPX_CPU="scalar", FPX_THREADS="1")
expect("gone on", done.returncode == 0, done.stderr)
same = subprocess.run(["cmp", "whole/step-001000.safetensors", "cut/step-001000.safetensors"], capture_output=True, text=True)
expect("the last steps by scalar kernels", same.returncode == 0, same.stdout + same.stderr)

# ---- the check can fail ----
done = run("golden", "check", experiment, "g", "--steps", "3", "--device", "cpu,engine=openblas")
expect("other sums are found", done.returncode == 1 and "first difference at step 0 in " in done.stdout, done.stdout)

finish()
