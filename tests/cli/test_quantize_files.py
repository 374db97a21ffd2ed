"""quantize and dequantize around their files and scales: writers of one name, what --scale takes and says, what is
refused and with which words.  test_quantize_files.py FPX ROOT"""
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

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

os.chdir(root)
shutil.rmtree(folder)
print(f"100%: Checks: {checks}, Failures: {failures}, Errors: 0")
sys.exit(1 if failures else 0)
