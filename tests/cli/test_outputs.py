"""What a command writes is never what it reads, nor a file of somebody else's, and what cannot be written is
said before the work.  test_outputs.py FPX ROOT PLUGINS"""
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree

fpx, root, plugins = (os.path.abspath(path) for path in sys.argv[1:4])
checks, failures = 0, 0


def expect(name, condition, got=""):
    global checks, failures
    checks += 1
    failures += not condition
    print(f"{'ok    ' if condition else 'FAILED'}  {name}" + ("" if condition else f": got {got}"))


def run(*args, **options):
    return subprocess.run([fpx, *args], stdout=options.pop("stdout", subprocess.PIPE), stderr=subprocess.PIPE,
                          text=True, errors="replace", timeout=120, **options)


def all_files():
    """Name, inode and content of every file: what a refusal must leave as it is."""
    found = {}
    for folder, _, names in os.walk("."):
        for name in names:
            path = os.path.join(folder, name)
            status = os.lstat(path)
            found[path] = (status.st_ino, status.st_mtime_ns, os.path.isfile(path) and open(path, "rb").read())
    return found


def refused(name, words, *args, **options):
    """Exit 2, one message with the words, before any work, and no file is other than it was."""
    before = all_files()
    done = run(*args, **options)
    messages = [line for line in done.stderr.splitlines() if line.startswith("fpx")]
    missing = [word for word in words if word not in done.stderr]
    expect(f"{name}: refused", done.returncode == 2 and len(messages) == 1 and not missing and
           "loss" not in done.stderr, f"exit {done.returncode}, without {missing}: {done.stderr!r}")
    after = all_files()
    changed = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    expect(f"{name}: nothing is changed", not changed, changed)


def ends(code, *args, **options):
    done = run(*args, **options)
    expect(f"fpx {' '.join(args)}: exit {code}", done.returncode == code, f"exit {done.returncode}: {done.stderr!r}")
    return done


def write(name, text):
    with open(name, "w", encoding="utf-8") as file:
        file.write(text)
    return name


folder = tempfile.mkdtemp()
os.chdir(folder)
os.environ["TMPDIR"] = folder
shutil.copy(os.path.join(root, "datasets/kjv-genesis-exodus.txt"), "corpus.txt")
TINY = """name: tiny
model: {width: 16, layers: 1, heads: 2, hidden: 16, vocabulary: 256, activation: swiglu}
data: {corpus: corpus.txt, sequence: 16, batch: 2, validation: 0}
optimizer: {learning_rate: 0.003, warmup: 2}
steps: 4
seed: 1
recipe: fp8
"""
write("e.yaml", TINY)
RULE = '  - {layer: "*", op: "*", role: "*", tensor: "*", format: bf16, scaling: none, round: rne, overflow: none}\n'
write("r.yaml", "name: mine\nsource: a test\nrules:\n" + RULE)
write("own.yaml", TINY.replace("recipe: fp8", "recipe: r.yaml"))
ends(0, "golden", "record", "e.yaml", "g", "--steps", "2")
for name, seed in (("t", "1"), ("u", "2")):
    ends(0, "train", "e.yaml", "--trace", f"{name}.h5", "--seed", seed, "--values", "*")
os.symlink("e.yaml", "soft")
os.link("e.yaml", "hard")
os.symlink("t.h5", "soft.h5")
os.symlink("nowhere", "dangling")
write("mine.txt", "three months of work\n")
segment = "t.h5.seg/000000.h5"
os.link(segment, "hard-segment")

# ---- an output is an input ----
check = ("golden", "check", "e.yaml", "g")
for option in ("--json", "--junit"):
    for path in ("e.yaml", "./e.yaml", "soft", "hard", "g", "corpus.txt"):
        refused(f"golden check {option} {path}", [path, option, "overwrite"], *check, option, path)
        refused(f"golden check {option}={path}", [path, option, "overwrite"], *check, f"{option}={path}")
    refused(f"golden check {option} r.yaml", ["r.yaml", "recipe"], *check, "--recipe", "r.yaml", option, "r.yaml")
    refused(f"golden check {option}, the experiment's recipe", ["r.yaml", "recipe"], "golden", "check", "own.yaml", "g",
            option, "r.yaml")
refused("golden record onto the experiment", ["e.yaml", "golden", "name another"], "golden", "record", "e.yaml", "e.yaml")
refused("the same, with a reason", ["e.yaml"], "golden", "record", "e.yaml", "e.yaml", "--reason", "x")
refused("golden record onto the corpus", ["corpus.txt"], "golden", "record", "e.yaml", "corpus.txt", "--reason", "x")
for path in ("e.yaml", "soft", "hard", "corpus.txt"):
    refused(f"train --json {path}", [path, "overwrite"], "train", "e.yaml", "--json", path)
    refused(f"train --compare --json {path}", [path, "overwrite"], "train", "e.yaml", "--compare", "fp32,fp8", "--json", path)
refused("train --trace onto the experiment", ["e.yaml", "--trace"], "train", "e.yaml", "--trace", "e.yaml")
refused("train --json r.yaml", ["r.yaml", "recipe"], "train", "e.yaml", "--recipe", "r.yaml", "--json", "r.yaml")
refused("train --compare --json r.yaml", ["r.yaml", "recipe"], "train", "e.yaml", "--compare", "fp32,./r.yaml", "--json",
        "r.yaml")
shutil.copy(os.path.join(plugins, "plugin_gemm.so"), "plugin.so")
refused("train --json onto the device", ["plugin.so", "device"], "train", "e.yaml", "--device", "./plugin.so", "--json",
        "plugin.so")
for path in ("t.h5", "./t.h5", "soft.h5", segment, "hard-segment", "t.h5.seg/new"):
    refused(f"report t.h5 -o {path}", [path, "-o", "t.h5"], "report", "t.h5", "-o", path)
    for option in ("--json", "--junit", "--html"):
        refused(f"diff t.h5 u.h5 {option} {path}", [path, option], "diff", "t.h5", "u.h5", option, path)
        refused(f"diff u.h5 t.h5 {option} {path}", [path, option], "diff", "u.h5", "t.h5", option, path)
refused("report soft.h5 -o t.h5", ["t.h5", "-o"], "report", "soft.h5", "-o", "t.h5")
refused("report soft.h5 -o a segment", ["-o"], "report", "soft.h5", "-o", segment)
for path in ("u.h5", "u.h5.seg/000000.h5"):
    refused(f"report --against -o {path}", [path, "u.h5"], "report", "t.h5", "--against", "u.h5", "-o", path)
ends(0, "trace", "verify", "t.h5")

# ---- two outputs are one ----
refused("--trace and --json", ["T.h5", "--trace", "--json"], "train", "e.yaml", "--trace", "T.h5", "--json", "T.h5")
refused("--trace's folder and --json", ["T.h5.seg", "--json"], "train", "e.yaml", "--trace", "T.h5", "--json", "T.h5.seg")
refused("--json and --junit", ["x", "--json", "--junit"], *check, "--json", "x", "--junit", "./x")
refused("--json and --junit of diff", ["x", "--junit"], "diff", "t.h5", "u.h5", "--json", "x", "--junit", "x")
refused("--html and --junit of diff", ["x", "--html"], "diff", "t.h5", "u.h5", "--html", "x", "--junit", "x")
refused("two in one stream", ["both", "--html"], "diff", "t.h5", "u.h5", "--json", "-", "--html", "-")
ends(0, "train", "e.yaml", "--checkpoint", "c", "--every", "2")
refused("a result among checkpoints", ["step-000009", "--json"], "train", "e.yaml", "--resume", "c", "--json",
        "c/step-000009.safetensors")
refused("a result is the folder", ["c", "--json"], "train", "e.yaml", "--resume", "c", "--json", "c")

# ---- a file that fpx did not write ----
for option in ("--json", "--junit", "--html"):
    for path in ("mine.txt", "e.yaml", "g"):
        refused(f"diff {option} {path}", [path, "remove it or name another"], "diff", "t.h5", "t.h5", option, path)
refused("report -o mine.txt", ["mine.txt", "remove it or name another"], "report", "t.h5", "-o", "mine.txt")
refused("golden record mine.txt", ["mine.txt", "remove it or name another"], "golden", "record", "e.yaml", "mine.txt",
        "--reason", "x")
refused("demo --page e.yaml", ["e.yaml", "remove it or name another"], "demo", "--page", "e.yaml")
refused("bench --json e.yaml", ["e.yaml", "remove it or name another"], "bench", "--json", "e.yaml")
write("other.json", '{"schema": "theirs/1"}\n')
refused("JSON of another program", ["other.json", "remove it"], "train", "e.yaml", "--json", "other.json")
results = ("diff", "t.h5", "t.h5", "--json", "d.json", "--junit", "d.xml", "--html", "d.html")
write("d.json", "")
ends(0, *results)
ends(0, *results)  # fpx's own results are replaced
refused("a page is no JSON", ["d.html"], "diff", "t.h5", "t.h5", "--json", "d.html")
os.symlink("d.json", "latest.json")
ends(0, "train", "e.yaml", "--json", "latest.json")
expect("a link stays one, and its file is written", os.path.islink("latest.json") and
       json.load(open("d.json", encoding="utf-8"))["schema"] == "fpx.train/1")
ends(0, "diff", "t.h5", "t.h5", "--json", "/dev/null", "--junit", "/dev/null")
write("new.golden", "")
ends(0, "golden", "record", "e.yaml", "new.golden", "--steps", "2")
page = ends(0, "report", "t.h5", "-o", "-").stdout
expect("report -o -: the page and nothing else", page.startswith("<!DOCTYPE html>") and page.endswith("</html>\n"),
       page[-80:])

# ---- said before the work ----
os.mkdir("folder")
for name, args in (("--json a link to nothing", ("train", "e.yaml", "--json", "dangling")),
                   ("--checkpoint ''", ("train", "e.yaml", "--checkpoint", "")),
                   ("--trace ''", ("train", "e.yaml", "--trace", "")), ("--json ''", ("train", "e.yaml", "--json", "")),
                   ("-o ''", ("report", "t.h5", "-o", "")), ("--page ''", ("demo", "--page", "")),
                   ("--page in a folder that is none", ("demo", "--page", "none/page.html")),
                   ("--page a folder", ("demo", "--page", "folder")), ("--page in /proc", ("demo", "--page", "/proc/page")),
                   ("--json in /proc", ("train", "e.yaml", "--json", "/proc/x")),
                   ("--checkpoint in /proc", ("train", "e.yaml", "--checkpoint", "/proc/x"))):
    refused(name, ["fpx"], *args)

# ---- a folder of checkpoints belongs to one run ----
saves = ("train", "e.yaml", "--checkpoint", "c")
expect("the folder has checkpoints", sorted(os.listdir("c")) == ["step-000002.safetensors", "step-000004.safetensors"])
for name, args in (("seed", ("--seed", "2")), ("steps", ("--steps", "3")), ("recipe", ("--recipe", "fp32"))):
    refused(f"checkpoints of another {name}", ["c:", "another run", "--resume", name], *saves, *args)
refused("checkpoints of another experiment", ["c:", "another run"], "train", "own.yaml", "--checkpoint", "c")
os.mkdir("foreign")
write("foreign/step-000001.safetensors", "months of work\n")
refused("a foreign file of that name", ["foreign", "name another folder"], "train", "e.yaml", "--checkpoint", "foreign")
ends(0, *saves)  # the same run: the same bits again
lock = os.open("c", os.O_RDONLY)
fcntl.flock(lock, fcntl.LOCK_EX)
refused("another process saves there", ["c:", "another run is saving"], *saves)
refused("another process saves there, resumed", ["c:", "another run is saving"], "train", "e.yaml", "--resume", "c")
os.close(lock)
done = ends(0, "train", "e.yaml", "--resume", "c", "--trace", "unmade.h5")
expect("a finished run is finished, and makes no trace", "already finished" in done.stderr and
       not os.path.exists("unmade.h5") and not os.path.exists("unmade.h5.seg"), done.stderr)
for name, words in (("step-000004.safetensors", ["c/step-000004", "remove it to go on from step 2"]),
                    ("step-000002.safetensors", ["c/step-000002", "no earlier checkpoint"])):
    write(os.path.join("c", name), "damaged")
    refused(f"{name} is damaged", words, "train", "e.yaml", "--resume", "c")
    os.remove(os.path.join("c", name))

# ---- a device that fails: exit 1, and the results say so ----
for plugin in ("plugin_bad.so,crash", "plugin_bad.so,open-crash"):
    device = ("--device", os.path.join(plugins, plugin))
    done = ends(1, "golden", "check", "e.yaml", "g", *device, "--json", "f.json", "--junit", "f.xml")
    found = json.load(open("f.json", encoding="utf-8"))
    said = done.stderr.strip().removeprefix("fpx: ")
    expect("JSON says so", (found["schema"], found["status"]) == ("fpx.golden/1", "failed") and found["text"] == said, found)
    suite = xml.etree.ElementTree.parse("f.xml").getroot().find("testsuite")
    expect("JUnit says so", suite.get("errors") == "1" and suite.find("testcase/error").text == said, suite.attrib)
    ends(1, "train", "e.yaml", *device, "--json", "f.json")
    found = json.load(open("f.json", encoding="utf-8"))
    expect("train's JSON says so", (found["schema"], found["status"]) == ("fpx.train/1", "failed"), found)
    ends(0, "train", "e.yaml", "--json", "f.json")
    printed = ends(1, "train", "e.yaml", *device, "--json", "-").stdout
    expect("on standard output too", json.loads(printed)["status"] == "failed", printed)

# ---- no verdict: an older result does not stay where this run's belongs ----
OLD_JSON, OLD_JUNIT = '{"schema": "fpx.x/1", "verdict": "holds"}\n', '<testsuites><testsuite name="fpx"></testsuite></testsuites>\n'


def owes(schema, junit, *args):
    """Exit 2, and the files that were asked for say why."""
    write("o.json", OLD_JSON)
    said = ends(2, *args, "--json", "o.json").stderr.splitlines()
    found = json.load(open("o.json", encoding="utf-8"))
    expect("JSON: no verdict", (found["schema"], found["status"], found["verdict"]) == (schema, "failed", "none") and
           "fpx: " + found["text"] in said[-1], (found, said))
    if junit:
        write("o.xml", OLD_JUNIT)
        ends(2, *args, "--junit", "o.xml")
        case = xml.etree.ElementTree.parse("o.xml").getroot().find("testsuite/testcase")
        expect("JUnit: an error", case.get("classname") == schema.split("/")[0] and case.get("name") and
               case.find("error").text == found["text"] and case.find("error").get("message"), case.attrib)
        ends(2, *args, "--json", "o.json", "--junit", "o.xml")
    printed = ends(2, *args, "--json", "-").stdout
    expect("on standard output too", json.loads(printed) == found, printed)


def interrupted(*args):
    """Ctrl-C as soon as there is a trace: then it runs."""
    process = subprocess.Popen([fpx, *args, "--trace", "long.h5"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not os.path.exists("long.h5") and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    expect("interrupted", process.returncode == 2 and "interrupted" in said, f"exit {process.returncode}: {said}")


write("seed.yaml", TINY.replace("seed: 1", "seed: 2"))
owes("fpx.golden/1", True, "golden", "check", "e.yaml", "missing")
owes("fpx.golden/1", True, "golden", "check", "missing.yaml", "g")
owes("fpx.golden/1", True, "golden", "check", "seed.yaml", "g")
owes("fpx.golden/1", True, "golden", "check", "e.yaml", "g", "--steps", "3")
owes("fpx.golden/1", True, "golden", "check", "e.yaml", "g", "--device", "./none.so")
owes("fpx.diff/1", True, "diff", "t.h5", "missing.h5")
owes("fpx.diff/1", True, "diff", "t.h5", "mine.txt")
owes("fpx.diff/1", True, "diff", "t.h5", "u.h5", "--policy", "about")
owes("fpx.finding/1", False, "diff", "mine.txt")
owes("fpx.train/1", False, "train", "e.yaml", "--resume", "none")
owes("fpx.memory/1", False, "train", "missing.yaml", "--memory")
owes("fpx.compare/1", False, "train", "e.yaml", "--compare", "fp32,bf16,nosuch")
write("arms.yaml", "name: x\narms:\n")
owes("fpx.ablation/1", False, "train", "arms.yaml")
owes("fpx.quantize/1", False, "quantize", "missing.npy", "-o", "q.npy", "--format", "e4m3")
owes("fpx.gemm/1", False, "gemm", "missing.npy", "e.npy", "-o", "q.npy", "--model", "hopper")
owes("fpx.formats/1", False, "formats", "e99m99")
owes("fpx.models/1", False, "models", "missing.yaml")
owes("fpx.bench/1", False, "bench", "formats", "--seconds", "never")
write("long.yaml", TINY.replace("steps: 4", "steps: 9000"))
write("o.json", OLD_JSON)
interrupted("train", "long.yaml", "--json", "o.json")
found = json.load(open("o.json", encoding="utf-8"))
expect("an interrupted run says so", found["schema"] == "fpx.train/1" and found["verdict"] == "none" and
       "interrupted" in found["text"], found)
# What refuses the command line itself asks nothing of any file; nor does what fpx did not write become fpx's.
write("o.json", OLD_JSON)
write("o.xml", OLD_JUNIT)
for name, args in (("an unknown option", ("golden", "check", "e.yaml", "g", "--dance")),
                   ("options that contradict", ("golden", "check", "e.yaml", "missing", "--reason", "x")),
                   ("one trace with --junit", ("diff", "missing.h5")),
                   ("a file in the way of another", ("diff", "t.h5", "missing.h5", "--html", "t.h5"))):
    refused(name, ["fpx"], *args, "--json", "o.json", "--junit", "o.xml")
for path in ("mine.txt", "other.json", "e.yaml", "c", "dangling"):
    refused(f"no verdict goes into {path}", ["missing"], "golden", "check", "e.yaml", "missing", "--json", path)
refused("nor where two results are one", ["missing"], "golden", "check", "e.yaml", "missing", "--json", "o.json", "--junit",
        "./o.json")
write("runs.jsonl", '{"schema": "fpx.run/1", "key": "x"}\n')
refused("nor onto the runs of an ablation", ["arms.yaml"], "train", "arms.yaml", "--json", "runs.jsonl")
shutil.copy("o.json", "in.json")
refused("nor onto a word of the command", ["in.json"], "diff", "in.json", "t.h5", "--json", "./in.json")

# ---- what has no end is not read ----
os.mkfifo("fifo")
for path in ("/dev/zero", "/dev/full", "fifo", "/dev/null"):
    refused(f"golden check {path}", [path, "regular file"], "golden", "check", "e.yaml", path)
    refused(f"golden record {path}", [path], "golden", "record", "e.yaml", path, "--reason", "x")
refused("an experiment without end", ["/dev/zero"], "train", "/dev/zero")
refused("a recipe without end", ["zero.yaml"], "train", "e.yaml", "--recipe", os.symlink("/dev/zero", "zero.yaml") or "zero.yaml")
write("large", "fpx golden 1\n")
os.truncate("large", (16 << 20) + 1)
refused("golden check of 16 MiB", ["large", "16 MiB"], "golden", "check", "e.yaml", "large")

# ---- patterns that match nothing, options that say nothing ----
refused("--values of no tensor", ["layer.0/atn*", "layer.0/at"], "train", "e.yaml", "--trace", "v.h5", "--values", "layer.0/atn*")
for action in ("ls", "show", "stats"):
    refused(f"trace {action} --tensor of no tensor", ["embed/z", "embed/y", "t.h5"], "trace", action, "t.h5", "--tensor", "embed/z")
for action, option in (("verify", "--step"), ("verify", "--tensor"), ("ls", "--step")):
    refused(f"trace {action} {option}", [action, option], "trace", action, "t.h5", option, "1")
refused("a step out of range", ["9", "0 to 3"], "trace", "show", "t.h5", "--step", "9")
refused("--compare with a comma at its end", ["fp32,"], "train", "e.yaml", "--compare", "fp32,")
refused("--compare with one recipe twice", ["fp8 is named twice"], "train", "e.yaml", "--compare", "fp8,fp32,fp8")

# ---- traces through a link, without their segments, begun with other values ----
os.mkdir("elsewhere")
os.symlink("../t.h5", "elsewhere/link.h5")
ends(0, "trace", "verify", "elsewhere/link.h5")
ends(0, "diff", "elsewhere/link.h5", "t.h5")
shutil.copy("t.h5", "elsewhere/alone.h5")
refused("a trace without its segments", ["alone.h5.seg", "beside"], "trace", "ls", "elsewhere/alone.h5")
os.remove("elsewhere/alone.h5")
ends(0, "train", "e.yaml", "--checkpoint", "half", "--every", "2", "--trace", "half.h5", "--values", "*")
os.remove("half/step-000004.safetensors")
refused("resumed without the values", ["half.h5", "--values"], "train", "e.yaml", "--resume", "half", "--trace", "half.h5")
os.symlink("half.h5", "half-link.h5")
ends(0, "train", "e.yaml", "--resume", "half", "--trace", "half-link.h5", "--values", "*")
expect("the link is one still", os.path.islink("half-link.h5"))

# ---- words ----
write("fp9.yaml", TINY.replace("recipe: fp8", "recipe: fp9"))
refused("no such recipe in the experiment", ["fp9.yaml:7:", "fp8"], "train", "fp9.yaml")
expect("FPX_THREADS= is as not set", run("train", "e.yaml", env={**os.environ, "FPX_THREADS": ""}).returncode == 0)
for verb in ("train", "golden", "demo"):
    text = ends(0, "help", verb).stdout
    expect(f"fpx help {verb}", text == ends(0, verb, "--help").stdout and "--exit-style" in text, text)
ends(2, "help", "dance")
ends(0, "golden", "record", "e.yaml", "s", "--steps", "2", "--shadow", "local:fp64")
refused("a golden's shadow would be lost", ["s:", "--shadow local:fp64"], "golden", "record", "e.yaml", "s", "--steps", "2",
        "--reason", "x")
ends(0, "golden", "record", "e.yaml", "s", "--steps", "2", "--reason", "x", "--shadow", "local:fp64")

# ---- standard output that is closed, or that nobody reads on ----
closed = lambda: os.close(1)
for args in ((*check, "--json", "-"), check, ("trace", "ls", "t.h5"), ("formats",), ("report", "t.h5", "-o", "-"),
             ("diff", "t.h5", "u.h5", "--junit", "-"), ("train", "e.yaml", "--json", "-"), ()):
    done = run(*args, stdout=None, preexec_fn=closed)
    expect(f"fpx {' '.join(args)} >&-: exit 2", done.returncode == 2 and "standard output" in done.stderr,
           f"exit {done.returncode}: {done.stderr!r}")
done = run("train", "e.yaml", stdout=None, preexec_fn=closed)
expect("nothing to print: nothing is lost", done.returncode == 0, done.stderr)
os.makedirs("scratch/experiments")
small = open(os.path.join(root, "experiments/demo.yaml"), encoding="ascii").read()
write("scratch/experiments/demo.yaml", small.replace("../datasets/kjv-genesis-exodus.txt", os.path.abspath("corpus.txt"))
      .replace("steps: 40", "steps: 12"))
os.mkdir("scratch/tmp")
reader, writer = os.pipe()
demo = subprocess.Popen([fpx, "demo"], stdout=writer, stderr=subprocess.PIPE, text=True, cwd="scratch",
                        env={**os.environ, "TMPDIR": os.path.abspath("scratch/tmp")})
os.close(writer)
os.read(reader, 10)
os.close(reader)  # as head -1 does
said = demo.communicate(timeout=120)[1]
expect("fpx demo | head -1 cleans up", demo.returncode == 2 and "standard output" in said and
       not os.listdir("scratch/tmp"), f"exit {demo.returncode}: {said!r} {os.listdir('scratch/tmp')}")



# ---- Ctrl-C in the demo: while it trains, and while a finder runs, which gets the signal too ----
def demo_interrupted(is_time):
    """The demo in a process group of its own, which is interrupted as soon as is_time(process)."""
    process = subprocess.Popen([fpx, "demo"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd="scratch",
                               start_new_session=True,
                               env={**os.environ, "TMPDIR": os.path.abspath("scratch/tmp")})
    deadline = time.monotonic() + 100
    while process.poll() is None and not is_time(process) and time.monotonic() < deadline:
        time.sleep(0.001)
    os.killpg(process.pid, signal.SIGINT)
    out, said = process.communicate(timeout=100)
    return process.returncode, out, said


def has_child(process):
    try:
        return open(f"/proc/{process.pid}/task/{process.pid}/children").read() != ""
    except OSError:
        return False


for name, is_time in (("training", lambda p: p.stdout.read(10)), ("finding", has_child)):
    code, out, said = demo_interrupted(is_time)
    expect(f"Ctrl-C while the demo is {name}", code == 2 and "interrupted" in said and "defect" not in out + said,
           f"exit {code}: {said!r} {out!r}")
    expect(f"{name}: nothing is left", not os.listdir("scratch/tmp") and not os.path.exists("scratch/fpx-demo.html"),
           f"{os.listdir('scratch')} {os.listdir('scratch/tmp')}")

os.chdir(root)
shutil.rmtree(folder)
print(f"100%: Checks: {checks}, Failures: {failures}, Errors: 0")
sys.exit(1 if failures else 0)
