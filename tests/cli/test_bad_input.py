"""Wrong input of every kind: exit code 2, one clear message that names what is wrong, nothing overwritten, no
crash, no hang.  test_bad_input.py FPX ROOT"""
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time

fpx, root = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
seed = int(os.environ.get("FPX_TEST_SEED", "20261"))
print("FPX_TEST_SEED", seed)
random.seed(seed)
checks, failures = 0, []
good = open(os.path.join(root, "experiments/demo.yaml"), encoding="ascii").read()
corpus = os.path.join(root, "datasets/kjv-genesis-exodus.txt")
good = good.replace("../datasets/kjv-genesis-exodus.txt", corpus)


def expect(condition, text):
    global checks
    checks += 1
    if not condition:
        failures.append(text)
    print("ok     " if condition else "FAILED ", text if not condition else text.split(": exit ")[0])


def run(*args, limit=None, stdout=subprocess.PIPE, **environment):
    def limits():
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.run([fpx, *args], stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=120,
                          errors="replace", preexec_fn=limits, env={**os.environ, **environment})


def refused(name, words, *args, **options):
    """Exit 2, and one message that holds each of the words."""
    done = run(*args, **options)
    missing = [word for word in words if word not in done.stderr]
    messages = [line for line in done.stderr.splitlines() if line.startswith("fpx")]
    expect(done.returncode == 2 and not missing and len(messages) == 1,
           f"{name}: exit {done.returncode}, missing {missing}: {done.stderr!r}")


def write(name, text):
    with open(name, "wb") as file:
        file.write(text if isinstance(text, bytes) else text.encode())
    return name


def changed(old, new):
    assert old in good, old
    return write("bad.yaml", good.replace(old, new))


folder = tempfile.mkdtemp()
os.chdir(folder)
os.environ["TMPDIR"] = folder

# ---- experiments: file and, where there is one, line ----
train = lambda name: ("train", name, "--steps", "2")
refused("missing", ["no.yaml"], *train("no.yaml"))
refused("a folder", [folder], *train(folder))
refused("empty", ["bad.yaml"], *train(write("bad.yaml", "")))
refused("junk", ["bad.yaml"], *train(write("bad.yaml", bytes(random.randrange(256) for _ in range(999)))))
refused("not closed", ["bad.yaml:"], *train(write("bad.yaml", "name: x\nmodel: {width: 64\nsteps: 3\n")))
refused("unknown key", ["bad.yaml:3:", "widht", "width"], *train(changed("model: {width", "model: {widht")))
refused("a word for a number", ["bad.yaml:", "many"], *train(changed("steps: 40", "steps: many")))
refused("missing key", ["bad.yaml", "steps"], *train(changed("steps: 40\n", "")))
for old, new, words in (
        ("width: 64", "width: 63", ["63"]), ("heads: 4", "heads: 7", ["heads"]),
        ("heads: 4", "heads: 0", ["heads"]), ("heads: 4", "heads: 64", ["head"]),
        ("layers: 2", "layers: 0", ["layers"]), ("layers: 2", "layers: 4294967295", ["layers"]),
        ("layers: 2", "layers: 65536", ["65536 layers"]),
        ("width: 64", "width: 2147483648", ["width"]),
        ("width: 64", "width: 4294967295", ["width"]), ("width: 64", "width: 99999999999999", ["width"]),
        ("hidden: 176", "hidden: 4000000000", ["hidden"]), ("batch: 4", "batch: 0", ["batch"]),
        ("batch: 4", "batch: 1000000000", ["batch"]), ("sequence: 64", "sequence: 4000000", []),
        ("sequence: 64", "sequence: -1", ["sequence"]), ("activation: swiglu", "activation: relu", ["relu"]),
        ("vocabulary: 256", "vocabulary: 100", ["vocabulary"]),
        ("learning_rate: 0.003", "learning_rate: nan", ["learning_rate"]),
        ("learning_rate: 0.003", "learning_rate: 1e400", ["learning_rate"]),
        ("warmup: 10", "warmup: 10\n  eps: 1e-60", ["bad.yaml:", "optimizer.eps is '1e-60'", "float32"]),
        ("width: 64,", "width: 64, norm_eps: 1e-60,", ["bad.yaml:3:", "model.norm_eps is '1e-60'"]),
        ("validation: 0.1", "validation: 0.9", ["validation"]),
        ("sha256: b9", "sha256: c9", ["sha256"]), (corpus, "/no/such/text", ["/no/such/text"]),
        (corpus, "/dev/null", ["/dev/null"]), ("recipe: fp8", "recipe: fp7", ["fp7", "fp8"])):
    refused(f"{old} -> {new[:40]}", words, *train(changed(old, new)))
write("good.yaml", good)
largest = str(2 ** 64 - 1)
expect(run("train", "good.yaml", "--steps", "1", "--seed", largest, "--json", "s.json").returncode == 0 and
       json.load(open("s.json", encoding="utf-8"))["seed"] == largest, "the largest seed")
by_option = open("s.json", encoding="utf-8").read()
expect(run("train", changed("seed: 1", f"seed: {largest}"), "--steps", "1", "--json", "s.json").returncode == 0 and
       open("s.json", encoding="utf-8").read() == by_option, "the same in the file")
refused("too many steps", ["900000", "steps"], "train", "good.yaml", "--steps", "900000")

# ---- recipes ----
rule = '  - {layer: "*", op: "*", role: "*", tensor: "*", format: bf16, scaling: none, round: rne, overflow: none}\n'
head = "name: mine\nsource: a test\nrules:\n"
recipe = lambda text: ("train", "good.yaml", "--steps", "2", "--recipe", write("r.yaml", text))
expect(run(*recipe(head + rule)).returncode == 0, "a good recipe of one's own")
refused("no such recipe", ["fp9", "fp8"], "train", "good.yaml", "--recipe", "fp9")
refused("no such file", ["none.yaml"], "train", "good.yaml", "--recipe", "none.yaml")
refused("matches nothing", ["line ", "rule 2: matches"], *recipe(head + rule + rule))
refused("no such role", ["line 4", "no role is 'fwd': there is fprop, dgrad, wgrad"],
        *recipe(head + rule.replace('role: "*"', "role: fwd")))
unit = "hopper/wgmma/fp8-fp32,fraction=14,step=32,promote=128"
refused("a unit that does not take the formats, named whole", [f"{unit} takes e4m3"], *recipe(
    head + rule.replace("bf16", "e2m1") + f'units:\n  - {{layer: "*", op: "*", role: "*", unit: "{unit}"}}\n'))
refused("unknown format", ["bf17"], *recipe(head + rule.replace("bf16", "bf17")))
refused("unknown rounding", ["up"], *recipe(head + rule.replace("rne", "up")))
refused("unknown scaling", ["some"], *recipe(head + rule.replace("scaling: none", "scaling: some")))
refused("unknown key", ["r.yaml:4:", "lyer"], *recipe(head + rule.replace("layer", "lyer")))

# ---- options and environment ----
write("text.so", "this is a text\n")
for args, words in ((("train",), ["EXPERIMENT"]), (("train", "good.yaml", "--stepz", "3"), ["--stepz"]),
                    (("train", "good.yaml", "--steps"), ["--steps"]),
                    (("train", "good.yaml", "--steps", "0"), ["--steps"]),
                    (("train", "good.yaml", "--steps", "3x"), ["3x"]),
                    (("train", "good.yaml", "--steps", "-3"), ["-3"]),
                    (("train", "good.yaml", "--seed", "99999999999999999999"), ["--seed"]),
                    (("train", "good.yaml", "--seed", "18446744073709551616"), ["--seed", "18446744073709551615"]),
                    (("train", "good.yaml", "more.yaml"), ["more.yaml"]),
                    (("train", "good.yaml", "--steps", "2", "--steps", "3"), ["twice"]),
                    (("train", "good.yaml", "--shadow", "sideways"), ["sideways"]),
                    (("train", "good.yaml", "--values", "*"), ["--trace"]),
                    (("train", "good.yaml", "--every", "3"), ["--every"]),
                    (("train", "good.yaml", "--device", "no.so"), ["no.so"]),
                    (("train", "good.yaml", "--device", "./good.yaml"), ["good.yaml"]),
                    (("train", "good.yaml", "--device", "./text.so"), ["text.so"]),
                    (("train", "good.yaml", "--device", ""), []),
                    (("train", "good.yaml", "--shadow", ""), []),
                    (("train", "good.yaml", "--recipe", ""), ["recipe"]),
                    (("train", "", "--steps", "2"), []),
                    (("train", "good.yaml", "--steps", "2", "--trace", ""), []),
                    (("train", "good.yaml", "--steps", "2", "--checkpoint", ""), []),
                    (("train", "good.yaml", "--device", "cpu,threads=0"), ["threads"]),
                    (("train", "good.yaml", "--device", "cpu,colour=red"), ["colour"]),
                    (("train", "good.yaml", "--device", "gpu"), ["gpu"]),
                    (("train", "good.yaml", "--compare", "fp32,fp9"), ["fp9"]),
                    (("train", "good.yaml", "--compare", "fp32", "--seeds", "0"), ["--seeds"]),
                    (("diff", "a"), ["a"]), (("diff", "a", "b", "--policy", "about"), ["a"]),
                    (("golden", "guess", "good.yaml", "g"), ["guess"]), (("trace", "eat", "a"), ["eat"]),
                    (("report", "a"), ["-o"]), (("formats", "e9m9"), ["e9m9"])):
    refused(" ".join(args), words, *args)
refused("FPX_CPU", ["FPX_CPU", "sse9"], *train("good.yaml"), FPX_CPU="sse9")
refused("FPX_THREADS", ["FPX_THREADS"], *train("good.yaml"), FPX_THREADS="0")
done = run("dance")
expect(done.returncode == 2 and "dance" in done.stderr, "unknown verb")

# ---- traces: foreign, damaged, in the way ----
for steps in ("1", "2"):  # so few that a scalar's rows take less than eight bytes
    expect(run("train", "good.yaml", "--steps", steps, "--trace", f"few{steps}.h5", "--values", "*").returncode
           == 0 and run("trace", "verify", f"few{steps}.h5").returncode == 0, f"a trace of {steps} steps")
expect(run("train", "good.yaml", "--steps", "3", "--trace", "t.h5", "--values", "*", "--checkpoint",
           "c").returncode == 0, "a good trace and checkpoint")
before = open("t.h5", "rb").read()
refused("the trace exists", ["t.h5"], "train", "good.yaml", "--steps", "3", "--trace", "t.h5")
expect(open("t.h5", "rb").read() == before, "the trace that exists is as it was")
refused("no folder", ["none/t.h5"], "train", "good.yaml", "--steps", "3", "--trace", "none/t.h5")
write("junk.h5", bytes(random.randrange(256) for _ in range(5000)))
write("empty.h5", "")
try:
    import h5py  # Debian's python3-h5py, where it is
    with h5py.File("foreign.h5", "w") as file:
        file["x"] = [1, 2, 3]
except ImportError:
    write("foreign.h5", "no h5py here")
for name in ("junk.h5", "empty.h5", "foreign.h5", "good.yaml", ".", "none.h5"):
    for args in (("diff", name), ("diff", "t.h5", name), ("trace", "ls", name), ("trace", "verify", name),
                 ("report", name, "-o", "page.html")):
        refused(" ".join(args), [name], *args)
expect(not os.path.exists("page.html"), "no page of what is no trace")
segment = os.path.join("t.h5.seg", sorted(os.listdir("t.h5.seg"))[0])
for path in ("t.h5", segment):
    whole = open(path, "rb").read()
    for cut in [0, 1, 7, 8, 100, 2048] + [random.randrange(len(whole)) for _ in range(6)]:
        write(path, whole[:cut])
        done = run("trace", "verify", "t.h5")
        expect(done.returncode in (1, 2) and done.stderr.startswith("fpx: "),
               f"{path} cut to {cut} bytes: exit {done.returncode} {done.stderr!r}")
    for _ in range(20):
        damaged = bytearray(whole)
        damaged[random.randrange(len(whole))] ^= 1 << random.randrange(8)
        write(path, bytes(damaged))
        done = run("diff", "t.h5", "t.h5")
        expect(done.returncode in (0, 1, 2), f"{path} with one bit flipped: exit {done.returncode}")
    write(path, whole)
expect(run("trace", "verify", "t.h5").returncode == 0, "the trace is whole again")
os.rename(segment, "away")
refused("a segment is missing", [os.path.basename(segment)], "diff", "t.h5")
os.rename("away", segment)
refused("no such step", ["77"], "trace", "stats", "t.h5", "--step", "77")

# ---- checkpoints ----
resume = ("train", "good.yaml", "--steps", "3", "--resume")
saved = os.path.join("c", os.listdir("c")[0])
whole = open(saved, "rb").read()
refused("no folder of checkpoints", ["none"], *resume, "none")
os.mkdir("hollow")
refused("no checkpoint in it", ["hollow"], *resume, "hollow")
for cut in [0, 1, 8, 100, len(whole) // 2, len(whole) - 1]:
    write(saved, whole[:cut])
    refused(f"checkpoint cut to {cut}", [saved], *resume, "c")
    expect(os.path.getsize(saved) == cut, "the damaged checkpoint is left as it is")
for _ in range(25):
    damaged = bytearray(whole)
    damaged[random.randrange(len(whole))] ^= 1 << random.randrange(8)
    write(saved, bytes(damaged))
    refused("checkpoint with one bit flipped", [saved], *resume, "c")
write(saved, whole)
refused("other steps", [saved, "steps"], "train", "good.yaml", "--steps", "9", "--resume", "c")
refused("other recipe", [saved, "recipe"], *resume, "c", "--recipe", "fp32")
refused("other experiment", [saved, "experiment"], "train", write("bad.yaml", good + "# another text\n"),
        "--steps", "3", "--resume", "c")
refused("other seed", [saved, "seed"], *resume, "c", "--seed", "9")
refused("a shadow it has no state of", [saved], *resume, "c", "--shadow", "free")

# ---- a full disk: a file-size limit stands for it ----
def refused_late(name, words, *args):
    """The limit comes when the run is under way: its own shared memory counts as a file too."""
    process = subprocess.Popen([fpx, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(0.6)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (100000, 100000))
    errors = process.communicate(timeout=120)[1]
    last = errors.strip().splitlines()[-1] if errors.strip() else ""
    expect(process.returncode == 2 and last.startswith("fpx: ") and all(w in last for w in words),
           f"{name}: exit {process.returncode}: {errors!r}")


for limit in (5000000, 9000000):
    refused(f"trace, files limited to {limit}", ["full.h5"], "train", "good.yaml", "--steps", "3", "--trace",
            "full.h5", "--values", "*", limit=limit)
    shutil.rmtree("full.h5.seg", ignore_errors=True)
    if os.path.exists("full.h5"):
        os.remove("full.h5")
slow = ("train", "good.yaml", "--shadow", "local")
refused_late("trace, full after a while", ["late.h5"], *slow, "--trace", "late.h5", "--values", "*")
done = run("trace", "verify", "late.h5")
expect(done.returncode == 0 or "no committed step" in done.stderr, f"what was committed is whole: {done.stderr}")
refused_late("checkpoint", ["d/step"], *slow, "--checkpoint", "d")
expect(not os.path.exists("d"), "no half checkpoint, no empty folder")
refused("page", ["full.html"], "report", "t.h5", "-o", "full.html", limit=100)
expect(not os.path.exists("full.html"), "no half page")
refused("golden", ["none/g"], "golden", "record", "good.yaml", "none/g", "--steps", "2")
with open("/dev/full", "w", encoding="ascii") as full:
    refused("stdout is full", ["standard output"], "formats", stdout=full)
    refused("stdout is full", ["standard output"], "diff", "t.h5", "t.h5", stdout=full)
    refused("stdout is full", ["standard output"], "golden", "record", "good.yaml", "g0", "--steps", "2", stdout=full)
    refused("stdout is full", ["standard output"], "train", "good.yaml", "--steps", "2", "--json", "-", stdout=full)
    refused("stdout is full, and an error", ["none.h5"], "diff", "t.h5", "none.h5", stdout=full)
os.remove("g0")


def refused_small(name, made, *args):
    """Files end at 60 bytes."""
    refused(name, [made], *args, limit=60)
    expect(not os.path.exists(made), f"{name}: half a file is left")


refused_small("diff's page", "half.html", "diff", "t.h5", "t.h5", "--html", "half.html")
expect([name for name in os.listdir(".") if name.endswith(".tmp")] == [], "nothing temporary is left")

# ---- goldens ----
expect(run("golden", "record", "good.yaml", "g", "--steps", "3").returncode == 0, "a golden")
text = open("g", encoding="ascii").read()
refused("a golden changes only with a reason", ["--reason"], "golden", "record", "good.yaml", "g", "--steps", "3")
expect(open("g", encoding="ascii").read() == text, "the golden is as it was")
lines = text.splitlines(keepends=True)
for i in [0, 1, 2, 3, 4, 5, 6, 8, 9, 12, len(lines) - 1]:
    write("broken", "".join(lines[:i] + ["nonsense\n"] + lines[i + 1:]))
    refused(f"line {i + 1} of a golden", [f"broken:{i + 1}:"], "golden", "check", "good.yaml", "broken")
    write("broken", "".join(lines[:i]))
    refused(f"a golden of {i} lines", ["broken:"], "golden", "check", "good.yaml", "broken")

os.chdir(root)
shutil.rmtree(folder)
print(f"100%: Checks: {checks}, Failures: {len(failures)}, Errors: 0")
sys.exit(1 if failures else 0)
