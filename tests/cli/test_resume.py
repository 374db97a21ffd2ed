"""Going on after a stop: steps between checkpoint and trace are compared, not written; other bits are a finding; a
new trace may begin there; segments of every length, down to one step; the message of each signal.
test_resume.py FPX ROOT"""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

fpx, root = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
experiment = os.path.join(root, "experiments/demo.yaml")
checks, failures = 0, []


def expect(condition, text):
    global checks
    checks += 1
    if not condition:
        failures.append(text)
        print("FAILED ", text)


def ends(code, *args):
    done = subprocess.run([fpx, *args], capture_output=True, text=True, timeout=300, errors="replace")
    expect(done.returncode == code,
           f"fpx {' '.join(args)}: exit {done.returncode}, not {code}: {done.stdout[-500:]}{done.stderr}")
    return done


def content(folder):
    found = {}
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as file:
            found[name] = file.read()
    return found


def chain(trace):
    shown = re.search(r"(?m)^([0-9a-f]{32}) chain$", ends(0, "trace", "show", trace).stdout)
    return shown and shown[1]


def states(path):
    """The tensors of a checkpoint, without its header: that holds the chain of the trace beside it."""
    with open(path, "rb") as file:
        data = file.read()
    return data[8 + int.from_bytes(data[:8], "little"):]


def steps(trace):
    listed = subprocess.run([fpx, "trace", "ls", trace], capture_output=True, text=True)
    match = re.match(r"(\d+) steps", listed.stdout)
    return int(match[1]) if match else None


folder = tempfile.mkdtemp()
os.chdir(folder)
STEPS = "24"  # all values: segments hold 11 steps, so three of them, the last one short
run = ("train", experiment, "--steps", STEPS, "--values", "*", "--shadow", "free")
last = f"step-{int(STEPS):06}.safetensors"
ends(0, *run, "--trace", "a.h5", "--checkpoint", "a", "--every", "3")
expect(len(os.listdir("a")) == 8, f"a checkpoint every 3 steps: {os.listdir('a')}")

# ---- the trace is ahead of the checkpoint: the steps between run again, and nothing is written ----
shutil.copytree("a", "back")
shutil.copytree("a.h5.seg", "back.h5.seg")
shutil.copy("a.h5", "back.h5")
for name in ("step-000021.safetensors", last):
    os.remove(os.path.join("back", name))
before = content("back.h5.seg")
ends(0, *run, "--trace", "back.h5", "--resume", "back")
expect(content("back.h5.seg") == before, "steps that came again are not written again")
expect(content("back")[last] == content("a")[last], "the last checkpoint has the same bytes")
expect(chain("back.h5") == chain("a.h5") is not None, "the same chain digest")
ends(0, "diff", "a.h5", "back.h5")

# ---- other bits in the steps that come again: a finding that names the tensor, and nothing is written ----
short = ("train", experiment, "--steps", "8")
ends(0, *short, "--checkpoint", "b", "--every", "3")  # beside no trace, so it fits beside any
os.remove(os.path.join("b", "step-000008.safetensors"))
ends(0, *short, "--seed", "2", "--trace", "b.h5")
before = content("b.h5.seg")
found = ends(1, *short, "--trace", "b.h5", "--resume", "b")
expect("b.h5: step 6 came again with other bits, first in 'embed/y', written by 'embed/fprop'" in found.stderr,
       f"the finding: {found.stderr}")
expect(content("b.h5.seg") == before, "a finding changes no trace")
refused = ends(2, *short, "--trace", "b.h5", "--resume", "b", "--recipe", "bf16")
expect("recipe" in refused.stderr, f"another recipe: {refused.stderr}")
refused = ends(2, *run[:6], "--trace", "a.h5", "--resume", "a")  # without the shadow
expect("a.h5 cannot be continued: shadows 'none' here, 'free:fp64' there" in refused.stderr, f"another layout: {refused.stderr}")
refused = ends(2, *run, "--trace", "a.h5", "--resume", "a", "--device", "cpu,engine=openblas")
expect("': device 'cpu,engine=openblas' here, 'cpu' there" in refused.stderr.replace("')", "'"),
       f"other arithmetic: {refused.stderr}")

# ---- a free shadow has a past, a local one has none ----
ends(0, *short, "--checkpoint", "past", "--every", "3")
os.remove(os.path.join("past", "step-000008.safetensors"))
for mode in ("free", "both"):
    refused = ends(2, *short, "--resume", "past", "--trace", f"{mode}.h5", "--values", "*", "--shadow", mode)
    expect("a free shadow has to run from step 0, or from a checkpoint made with it; --shadow local can begin here"
           in refused.stderr and not os.path.exists(f"{mode}.h5"), f"{mode}: {refused.stderr}")
ends(0, *short, "--resume", "past", "--trace", "local.h5", "--values", "*", "--shadow", "local")

# ---- other data under the same name ----
with open(experiment, encoding="ascii") as file:
    mine = re.sub(r"(?m)^ *(sha256:.*\n)", "", file.read()).replace("../datasets/kjv-genesis-exodus.txt", "mine.txt")
with open(os.path.join(root, "datasets/kjv-genesis-exodus.txt"), "rb") as file:
    book = file.read()[:40000]
with open("mine.yaml", "w", encoding="ascii") as file:
    file.write(mine)
for code, text in (0, book), (2, book.swapcase()), (2, book + b"more"), (0, book):
    with open("mine.txt", "wb") as file:
        file.write(text)
    if not os.path.exists("mine"):
        ends(0, "train", "mine.yaml", "--steps", "4", "--checkpoint", "mine", "--every", "2")
        os.remove("mine/step-000004.safetensors")
    refused = ends(code, "train", "mine.yaml", "--steps", "4", "--resume", "mine").stderr
    expect(code == 0 or ("was made with other data" in refused and "mine.txt" in refused), f"other data: {refused}")
    if os.path.exists("mine/step-000004.safetensors"):
        os.remove("mine/step-000004.safetensors")

# ---- a new trace may begin at a checkpoint, and has the bits of the whole one from there ----
shutil.copytree("back", "new")
for name in os.listdir("new"):
    if name > "step-000009.safetensors":
        os.remove(os.path.join("new", name))
ends(0, *run, "--trace", "new.h5", "--resume", "new")
listed = ends(0, "trace", "ls", "new.h5").stdout
expect(re.match(r"15 steps, 9 to 23;", listed), f"the new trace begins at the checkpoint: {listed[:60]}")
ends(0, "trace", "verify", "new.h5")
compared = ends(1, "diff", "a.h5", "new.h5").stdout
expect("15 common steps have the same bits" in compared, f"the common steps: {compared}")
expect(states(os.path.join("new", last)) == states(os.path.join("a", last)),
       "weights, moments and the shadow's own state are those of the whole run")

# ---- a trace that is not the checkpoint's own ----
ends(0, *run, "--seed", "2", "--trace", "other.h5")
os.remove(os.path.join("new", last))
wrong = ends(2, *run, "--trace", "other.h5", "--resume", "new")
expect("chain digest" in wrong.stderr and "other.h5" in wrong.stderr, f"a foreign trace: {wrong.stderr}")

# ---- the last segment has room for one step, two, three; the whole trace is one step ----
for count in ("1", "12", "13", "14"):
    ends(0, "train", experiment, "--steps", count, "--values", "*", "--trace", f"n{count}.h5")
    expect(ends(0, "trace", "verify", f"n{count}.h5").stdout.startswith(f"whole: {count} steps"), f"{count} steps")
shutil.copytree("a", "one")
os.remove(os.path.join("one", last))
ends(0, *run, "--trace", "tail.h5", "--resume", "one")

# ---- signals: an orderly stop, and what to do next ----
for number, saves in ((signal.SIGINT, True), (signal.SIGTERM, True), (signal.SIGHUP, False)):
    name = f"stop{int(number)}"
    more = ("--checkpoint", name) if saves else ()
    process = subprocess.Popen([fpx, "train", experiment, "--trace", f"{name}.h5", *more], stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not steps(f"{name}.h5") and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(number)
    said = process.communicate(timeout=60)[1]
    wanted = f"the state is saved, go on with --resume {name}" if saves else "nothing is saved (--checkpoint DIR would"
    expect(process.returncode == 2 and wanted in said, f"{name}: exit {process.returncode}: {said}")
    held = steps(f"{name}.h5")
    expect(held and held < 40, f"{name}: stopped after {held} steps")
    if saves:
        expect(os.listdir(name) == [f"step-{held:06}.safetensors"], f"{name}: {os.listdir(name)} after {held} steps")
        threads = ("--device", "cpu,threads=3") if number == signal.SIGTERM else ()  # other threads, the same bits
        ends(0, "train", experiment, "--trace", f"{name}.h5", "--resume", name, *threads)
        expect(steps(f"{name}.h5") == 40, f"{name}: {steps(f'{name}.h5')} steps in the end")
expect(chain("stop2.h5") == chain("stop15.h5") is not None, "wherever it was stopped, the same chain")
ends(0, "trace", "verify", "stop15.h5")

os.chdir(root)
shutil.rmtree(folder)
print(f"100%: Checks: {checks}, Failures: {len(failures)}, Errors: 0")
sys.exit(1 if failures else 0)
