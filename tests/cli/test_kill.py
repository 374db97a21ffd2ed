"""Kill -9 at any moment: the trace opens and holds every committed step, and --resume goes on with the bits of
an uninterrupted run.  test_kill.py FPX ROOT ROUNDS"""
import filecmp
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time

fpx, root, rounds = os.path.abspath(sys.argv[1]), sys.argv[2], int(sys.argv[3])
experiment = os.path.join(root, "experiments/demo.yaml")
seed = int(os.environ.get("FPX_TEST_SEED", time.time()))
print("FPX_TEST_SEED", seed)
random.seed(seed)
checks, failures = 0, []
STEPS = 24
LAST = f"step-{STEPS:06}.safetensors"


def expect(condition, text):
    global checks
    checks += 1
    if not condition:
        failures.append(text)
        print("FAILED ", text)


def train(folder, *more):
    return [fpx, "train", experiment, "--steps", str(STEPS), "--trace", os.path.join(folder, "t.h5"),
            "--values", "*", "--shadow", "free", "--every", "3", *more]


def run(*args):
    return subprocess.run([str(a) for a in args], capture_output=True, text=True, timeout=300)


def committed(folder):
    ls = run(fpx, "trace", "ls", os.path.join(folder, "t.h5"))
    match = re.match(r"(\d+) steps", ls.stdout)
    return int(match.group(1)) if ls.returncode == 0 and match else None


def interrupt(folder, number, after):
    """Starts a run, or resumes it where a checkpoint is, and stops it after a while."""
    saved = os.path.join(folder, "c")
    resumable = os.path.isdir(saved) and any(n.startswith("step-") and n.endswith(".safetensors")
                                             for n in os.listdir(saved))
    if not resumable:  # killed before the first checkpoint: begin again
        run("rm", "-rf", os.path.join(folder, "t.h5"), os.path.join(folder, "t.h5.seg"), saved)
    process = subprocess.Popen(train(folder, "--resume" if resumable else "--checkpoint", saved),
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        process.send_signal(number)
    errors = process.communicate()[1]
    return process.returncode, errors


with tempfile.TemporaryDirectory() as top:
    whole = os.path.join(top, "whole")
    os.mkdir(whole)
    start = time.time()
    run(*train(whole, "--checkpoint", os.path.join(whole, "c")))
    length = time.time() - start
    expect(committed(whole) == STEPS, "the uninterrupted run holds every step")

    for r in range(rounds):
        folder = os.path.join(top, f"r{r}")
        os.mkdir(folder)
        kills, before = 0, 0
        while True:
            number = signal.SIGINT if r % 4 == 3 else signal.SIGKILL
            code, errors = interrupt(folder, number, random.uniform(0.05, 0.8) * length)
            if code == 0:
                break
            kills += 1
            expect(code in (-number, 2 if number == signal.SIGINT else -number),
                   f"round {r}: ended with {code}: {errors}")
            if kills > 40:
                expect(False, f"round {r}: no end")
                break
            if not os.path.exists(os.path.join(folder, "t.h5")):
                continue  # killed before there was a trace
            now = committed(folder)
            expect(now is not None, f"round {r}: the trace opens after a kill")
            verify = run(fpx, "trace", "verify", os.path.join(folder, "t.h5"))
            expect(verify.returncode == 0 or now == 0, f"round {r}: {verify.stderr}")
            if os.path.isdir(os.path.join(folder, "c")):
                saved = [int(n[5:11]) for n in os.listdir(os.path.join(folder, "c"))
                         if re.fullmatch(r"step-\d{6}\.safetensors", n)]
                expect(not saved or (now or 0) >= max(saved),
                       f"round {r}: checkpoint {saved}, but only {now} steps are committed")
                if saved:
                    expect((now or 0) >= before, f"round {r}: {before} steps were committed, now {now}")
                    before = now or 0
            if number == signal.SIGINT and code == 2:
                expect("--resume" in errors, f"round {r}: Ctrl-C says how to go on: {errors}")
        diff = run(fpx, "diff", os.path.join(whole, "t.h5"), os.path.join(folder, "t.h5"))
        expect(diff.returncode == 0, f"round {r} after {kills} kills: {diff.stdout}{diff.stderr}")
        same = os.path.exists(os.path.join(folder, "c", LAST)) and filecmp.cmp(
            os.path.join(whole, "c", LAST), os.path.join(folder, "c", LAST), shallow=False)
        expect(same, f"round {r} after {kills} kills: the last checkpoint has the same bytes")
        run("rm", "-rf", folder)
print(f"100%: Checks: {checks}, Failures: {len(failures)}, Errors: 0")
sys.exit(1 if failures else 0)
