"""Every documented command runs: each `fpx` line of the help texts, of `fpx` alone and of README.md and docs/,
with its paths adapted; exit codes in every style; results that other programs parse.
test_verbs.py FPX ROOT PLUGIN"""
import json
import os
import re
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

fpx, root, plugin = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]), os.path.abspath(sys.argv[3])
checks, failures = 0, []
VERBS = ("train", "diff", "golden", "trace", "report", "demo", "quantize", "dequantize", "gemm", "formats", "models",
         "tokenize", "sample", "bench", "doctor")


def expect(condition, text):
    global checks
    checks += 1
    if not condition:
        failures.append(text)
        print("FAILED ", text)


def run(*args, **environment):
    env = {k: v for k, v in os.environ.items() if k not in ("FPX_CPU", "FPX_THREADS", "NO_COLOR")}
    return subprocess.run([fpx, *args], capture_output=True, text=True, timeout=300, errors="replace",
                          env={**env, **environment})


def ends(code, *args, **environment):
    done = run(*args, **environment)
    expect(done.returncode == code,
           f"fpx {' '.join(args)}: exit {done.returncode}, not {code}: {done.stdout[-500:]}{done.stderr}")
    return done


# ---- help ----
top = ends(0)
expect(ends(0, "--help").stdout == top.stdout == ends(0, "help").stdout, "three ways to the same text")
expect(re.fullmatch(r"fpx \d+\.\d+\.\d+\n", ends(0, "--version").stdout), "a version")
listed = re.findall(r"(?m)^  (\w+) {2,}\S", top.stdout.split("Verbs")[1])
expect(sorted(listed) == sorted(VERBS), f"the verbs are {VERBS}, the list says {listed}")
texts = [top.stdout]
for verb in VERBS:
    help_text = ends(0, verb, "--help").stdout
    texts.append(help_text)
    expect(help_text == ends(0, verb, "-h").stdout, f"{verb}: --help and -h")
    expect("example: fpx " + verb in help_text, f"{verb} --help has an example")
    # What the help names, the parser knows: a wrong value is another complaint than an unknown option.
    for option in re.findall(r"(?m)^  (--[a-z]+|-[a-z])\b", help_text):
        if option != "--help":
            done = run(verb, *["x"] * 4, option)
            expect("unknown option" not in done.stderr, f"{verb} {option} is in the help, but unknown")
for line in "\n".join(texts).splitlines():
    expect(len(line) <= 100, f"{len(line)} columns: {line}")
    expect("\x1b" not in line and "\t" not in line, f"no escapes or tabs in help: {line!r}")

# ---- documented commands ----
folder = tempfile.mkdtemp()
os.chdir(folder)
os.environ["TMPDIR"] = folder
shutil.copytree(os.path.join(root, "datasets"), "datasets")
shutil.copytree(os.path.join(root, "tests/goldens"), "tests/goldens")
os.mkdir("experiments")
for name in ("demo.yaml", "default.yaml"):
    with open(os.path.join(root, "experiments", name), encoding="ascii") as file:
        text = file.read()
    with open(os.path.join("experiments", name), "w", encoding="ascii") as file:
        if name == "default.yaml":  # what is documented is the command, not its length: the demo's size
            for old, new in (("steps: 1000", "steps: 8"), ("warmup: 50", "warmup: 5"), ("width: 128", "width: 64"),
                             ("hidden: 352", "hidden: 176")):
                expect(old in text, f"{name} has {old}")
                text = text.replace(old, new)
        file.write(text)
os.symlink(plugin, "plugin.so")
with open("weights.npy", "wb") as file:
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 4), }\n"
    file.write(b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + struct.pack("<8f", *range(8)))
with open("model.safetensors", "wb") as file:
    header = b'{"w":{"dtype":"F32","shape":[2,4],"data_offsets":[0,32]}}'
    file.write(struct.pack("<Q", len(header)) + header + struct.pack("<8f", *range(8)))
ends(0, "quantize", "weights.npy", "-o", "codes.npy", "--format", "e4m3")
ends(0, "quantize", "model.safetensors", "-o", "fp8.safetensors", "--format", "e4m3")
ends(0, "tokenize", "train", "datasets/kjv-genesis-exodus.txt", "--vocabulary", "1024", "-o", "kjv.bpe")
ends(0, "tokenize", "encode", "datasets/kjv-genesis-exodus.txt", "--tokenizer", "kjv.bpe", "-o", "kjv.npy")
ends(0, "train", "experiments/demo.yaml", "--checkpoint", "runs")


def ready(names):
    """Traces that a documented command reads: made by one that writes them."""
    for name in names:
        if not os.path.exists(name):
            shadow = ["--shadow", "local:cpu", "--device", "./plugin.so"] if name == "dut.h5" else ["--shadow", "local"]
            ends(0, "train", "experiments/demo.yaml", "--steps", "14", "--values", "*", "--trace", name, *shadow)


def clear(names):
    for name in names:
        if os.path.isdir(name):
            shutil.rmtree(name)
        elif os.path.exists(name):
            os.remove(name)


def commands():
    sources = {"help": "\n".join(texts)}
    for name in ("README.md", "docs/github-actions/fpx-golden.yml"):
        with open(os.path.join(root, name), encoding="utf-8") as file:
            # A folded YAML block is one command, and so is a workflow's path to the binary.
            sources[name] = re.sub(r"\n +experiments/", " experiments/", file.read().replace("build-release/cli/", ""))
    found = {}
    for source, text in sources.items():
        for line in text.splitlines():
            if line.startswith("#"):  # of a workflow: prose
                continue
            # Commands stand alone or in a column; within a sentence they may be a part of one.
            start = re.search(r"(?:^|  |^\$ |example: )(fpx (?:%s)(?: .*)?)$" % "|".join(VERBS), line)
            if start is None:
                continue
            command = re.split(r" {3,}", start[1])[0]  # what follows says what it does
            for one in command.split(";"):
                words = shlex.split(one)
                if words[:1] == ["fpx"] and len(words) > 1 and "VERB" not in words:
                    found.setdefault(tuple(words[1:]), source)
    return found


documented = commands()
seen = {words[0] for words in documented}
expect(seen == set(VERBS), f"each verb is in some documented command: {sorted(seen)}")
for words, source in sorted(documented.items()):
    words = list(words)
    if words[-1].startswith("ablations/"):  # minutes, and a corpus: test_ablation.py runs small ones
        expect(os.path.exists(os.path.join(root, words[-1])), f"{source}: {words[-1]} is there")
        continue
    writes = {words[i + 1] for i, word in enumerate(words[:-1])
              if word in ("--trace", "-o", "--junit", "--json", "--page", "--html")}
    reads = [word for word in words if word.endswith(".h5") and word not in writes]
    clear(writes | {name + ".seg" for name in writes})
    code = 0
    if words[0] == "golden" and "record" in words:
        clear(["demo.golden"])
    if words[0] == "golden" and "check" in words and not os.path.exists(words[3]):
        ends(0, "golden", "record", words[2], words[3], "--steps", "2")
    if words[0] == "bench":
        words += ["--seconds", "0.01"]
    if "--compare" in words:
        words[words.index("--seeds") + 1] = "1"
        words += ["--steps", "3"]
    if words[0] == "demo":
        words += [] if "--page" in words else ["--page", "page.html"]
    ready(reads)
    done = ends(code, *words)
    for name in writes - {"-"}:
        expect(os.path.exists(name), f"{source}: fpx {' '.join(words)} writes {name}")
    print(f"ok      {source}: fpx {' '.join(words)}")
print(len(documented), "documented commands")

# ---- what other programs read ----
clear([name for name in os.listdir(".") if name.endswith((".h5", ".seg"))])
small = ("train", "experiments/demo.yaml", "--steps", "3", "--values", "*")
ends(0, *small, "--trace", "a.h5")
ends(0, *small, "--trace", "b.h5")
ends(0, *small, "--trace", "c.h5", "--seed", "2")
ends(0, "diff", "a.h5", "b.h5", "--json", "same.json", "--junit", "same.xml", "--html", "same.html")
named = ends(1, "diff", "a.h5", "c.h5", "--json", "other.json", "--junit", "other.xml", "--html", "other.html")
expect("embed" in named.stdout, f"the first difference of another seed: {named.stdout}")
ends(2, "diff", "a.h5", "none.h5")
ends(2, "diff", "a.h5")  # no shadows: nothing to judge
for name, holds in (("same", True), ("other", False)):
    with open(name + ".json", encoding="utf-8") as file:
        result = json.load(file)
    expect(re.fullmatch(r"fpx\.diff/\d+", result["schema"]), f"{name}.json: schema {result.get('schema')}")
    suite = ElementTree.parse(name + ".xml").getroot()
    suite = suite if suite.tag == "testsuite" else suite.find("testsuite")
    failed = suite.findall(".//failure")
    expect(suite.get("failures") == str(len(failed)) and len(failed) == (not holds), f"{name}.xml: {suite.attrib}")
    expect(len(suite.findall("testcase")) == 1, f"{name}.xml has one case")
    with open(name + ".html", encoding="utf-8") as file:
        page = file.read()
    expect(page.lstrip().lower().startswith("<!doctype html") and "</html>" in page, f"{name}.html is a page")
    expect(not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", page), f"{name}.html is self-contained")
# Results on standard output come as one document that a parser takes whole, after the text.
for args, code in ((("diff", "a.h5", "c.h5"), 1), (("diff", "a.h5", "b.h5"), 0)):
    printed = ends(code, *args, "--json", "-").stdout
    json.loads(printed[printed.index("{"):])
    printed = ends(code, *args, "--junit", "-").stdout
    ElementTree.fromstring(printed[printed.index("<"):])
train = ends(0, "train", "experiments/demo.yaml", "--steps", "2", "--json", "-")
result = json.loads(train.stdout)
expect(result["schema"] == "fpx.train/1" and result["steps"] == 2 and result["loss"] > 0, f"train: {train.stdout}")
ends(0, "golden", "record", "experiments/demo.yaml", "d.golden", "--steps", "3")
result = json.loads(re.sub(r"^[^{]*", "", ends(0, "golden", "check", "experiments/demo.yaml", "d.golden", "--json", "-",
                                           "--junit", "d.xml").stdout))
expect(result["schema"] == "fpx.golden/1" and result["holds"] is True, f"golden: {result}")
expect(not ElementTree.parse("d.xml").getroot().findall(".//failure"), "d.xml: no failure")

# ---- a device is contradicted by the same arithmetic on the cpu: exit 1, with the place, in words and as JSON ----
for name, code in (("plugin_gemm.so", 0), ("plugin_gemm_wrong.so", 1)):
    for more in ((), ("--json", "train.json"), ("--trace", "wrong.h5")):
        train = ends(code, "train", "experiments/demo.yaml", "--steps", "2", "--shadow", "local:cpu", "--device",
                     os.path.join(os.path.dirname(plugin), name), *more)
        expect(re.search(rf"^shadow local:cpu: judged (\d+) of \d+ results \(\1 looked at\), {code} contradicted$", train.stdout, re.M),
               f"{name}: {train.stdout}{train.stderr}")
        expect(("finding: step 0, " in train.stdout and "1 of " in train.stdout and "other bits" in train.stdout) == (code == 1),
               f"{name}: {train.stdout}")
        if more[:1] == ("--trace",):
            found = ends(code, "diff", "wrong.h5")
            expect(code == 0 or re.search(r"element +2 = \[0,2\]", found.stdout), f"{name}: {found.stdout}")
            clear(["wrong.h5", "wrong.h5.seg"])
    found = json.load(open("train.json", encoding="utf-8")).get("finding")
    expect((found is not None) == (code == 1), f"{name}: {found}")

# ---- two devices: each is named beside its trace; one device is named once ----
device = os.path.join(os.path.dirname(plugin), "plugin_gemm_wrong.so")
for name, more in (("cpu.h5", ()), ("again.h5", ()), ("wrong.h5", ("--device", device))):
    ends(0, "train", "experiments/demo.yaml", "--steps", "2", "--trace", name, *more)
found = ends(1, "diff", "cpu.h5", "wrong.h5", "--json", "two.json")
first = json.load(open("two.json", encoding="utf-8"))["first"]
expect(re.search(rf"operation .*, A on {first['device_a']}, B on {re.escape(first['device_b'])}\)$", found.stdout, re.M), found.stdout)
expect(first["device"] == first["device_a"] == "cpu" and "plugin_gemm_wrong.so" in first["device_b"], f"{first}")
ends(0, "diff", "cpu.h5", "again.h5")
clear(["cpu.h5", "cpu.h5.seg", "again.h5", "again.h5.seg", "wrong.h5", "wrong.h5.seg"])

# ---- a golden of another device: its equality shadow's rows tell what ran, not other bits ----
device = ("--device", os.path.join(os.path.dirname(plugin), "plugin_gemm.so"))
for name, there, here in (("of_plugin.golden", device, ()), ("of_cpu.golden", (), device)):
    ends(0, "golden", "record", "experiments/demo.yaml", name, "--steps", "2", "--shadow", "local:cpu", *there)
    ends(0, "golden", "check", "experiments/demo.yaml", name, *there)
    checked = ends(2, "golden", "check", "experiments/demo.yaml", name, *here, "--json", "shadow.json", "--junit", "shadow.xml")
    expect("no verdict: the marks of all operations agree in 2 steps" in checked.stdout and "shadow:local:cpu" in checked.stdout
           and "not compared" in checked.stdout, checked.stdout)
    result = json.load(open("shadow.json", encoding="utf-8"))
    expect(result["verdict"] == "no verdict" and result["holds"] is False, f"{result}")
    expect(ElementTree.parse("shadow.xml").getroot().find(".//error") is not None, "shadow.xml: an error, no failure")
    ends(1, "golden", "check", "experiments/demo.yaml", name, "--device", "cpu,engine=openblas")
    ends(1, "golden", "check", "experiments/demo.yaml", name, "--device", device[1].replace("gemm", "gemm_wrong"))

# ---- goldens: a change is found, named, and recorded only with a reason ----
checked = ends(1, "golden", "check", "experiments/demo.yaml", "d.golden", "--device", "cpu,engine=openblas", "--junit", "d.xml")
name = re.search(r"step 0 in (\S+) ", checked.stdout)
expect(name is not None and "grad" in name[1] or "prop" in name[1], f"the first operation that differs: {checked.stdout}")
failure = ElementTree.parse("d.xml").getroot().find(".//failure")
expect(failure is not None and name[1] in (failure.text or "") + failure.get("message", ""), "d.xml names it too")
golden = open("d.golden", encoding="ascii").read()
ends(2, "golden", "record", "experiments/demo.yaml", "d.golden", "--steps", "3")
ends(2, "golden", "record", "experiments/demo.yaml", "d.golden", "--steps", "3", "--reason", "two\nlines")
expect(open("d.golden", encoding="ascii").read() == golden, "no reason, no change")
done = ends(0, "golden", "record", "experiments/demo.yaml", "d.golden", "--steps", "3", "--reason", "the same again")
expect("same digests as before" in done.stdout, f"the same bits: {done.stdout}")
done = ends(0, "golden", "record", "experiments/demo.yaml", "d.golden", "--steps", "3", "--recipe", "bf16",
            "--reason", "bf16 from now on")
expect("changed, first at step 0 in " in done.stdout, f"other bits: {done.stdout}")
expect("reason bf16 from now on\n" in open("d.golden", encoding="ascii").read(), "the reason is in the file")
ends(0, "golden", "check", "experiments/demo.yaml", "d.golden", "--recipe", "bf16")
ends(2, "golden", "check", "experiments/demo.yaml", "d.golden")  # the experiment's own recipe is fp8

# ---- exit styles ----
for style, codes in (("fpx", (0, 1, 2)), ("git", (0, 1, 125)), ("nagios", (0, 2, 3))):
    for other, code in zip(("b.h5", "c.h5", "none.h5"), codes):
        ends(code, f"--exit-style={style}", "diff", "a.h5", other)
    ends(codes[2], f"--exit-style={style}", "dance")
    ends(codes[0], f"--exit-style={style}")
expect("--exit-style=loud" in ends(2, "--exit-style=loud", "doctor").stderr, "an unknown style")

# ---- asked before a run, not after it; options that would say nothing are refused ----
before = sorted(os.listdir("."))
for args, word in ((("--json", "no/x"), "no/x"), (("--checkpoint", "no/x", "--trace", "n.h5"), "no/x"),
                   (("--checkpoint", "a.h5", "--trace", "n.h5"), "a.h5"), (("--json", "."), "."),
                   (("--compare", "fp32,fp9"), "fp9"), (("--compare", "fp32", "--trace", "n.h5"), "--trace"),
                   (("--compare", "fp32", "--resume", "c"), "--resume"), (("--seeds", "3"), "--seeds")):
    done = ends(2, "train", "experiments/demo.yaml", "--steps", "2", *args)
    expect(word in done.stderr and "loss" not in done.stderr, f"{args}: refused before the first step: {done.stderr}")
for args in (("record", "experiments/demo.yaml", "no/g"), ("check", "experiments/demo.yaml", "d.golden", "--junit", "no/x"),
             ("record", "experiments/demo.yaml", "e.golden", "--json", "x")):
    ends(2, "golden", *args)
expect(sorted(os.listdir(".")) == before, "refusals leave nothing behind")

# ---- models: a row, a page and JSON of each, and names by their first parts ----
page = ends(0, "models").stdout
models = json.loads(ends(0, "models", "--json", "-").stdout)
expect(models["schema"] == "fpx.models/1" and len(models["models"]) > 90, "every model is in JSON")
expect([m["name"] for m in models["models"]] == re.findall(r"(?m)^(\S+/\S+/\S+-\S+) +\w+ +[\d-]+", page), "the same in the list")
for m in models["models"]:
    expect(m["provenance"] in ("hardware", "source", "definition") and len(m["source"]) > 10, f"{m['name']} says from where")
for m in models["models"][::9]:
    text = " ".join(ends(0, "models", m["name"]).stdout.split())
    expect(all(str(x) in text for x in (m["instruction"], m["source"], m["provenance"], f"nan_code {m['parameters']['nan_code']}")),
           f"the page of {m['name']}: {text}")
part = re.findall(r"(?m)^hopper/wgmma/\S+", ends(0, "models", "hopper/wgmma").stdout)
expect(len(part) == 6 and part == [m["name"] for m in models["models"] if m["name"].startswith("hopper/wgmma/")], part)
expect("hopper" in ends(2, "models", "hoper").stderr, "the nearest name is offered")
own = "name: mine\nsource: a guess\nlike: hopper/wgmma/fp8-fp32\nchanges:\n  - { field: fraction, to: 14 }\n"
for old, new, word in (("", "", ""), ("14", "99", "1 to 48"), ("fraction", "fractoin", "fractoin"), ("hopper", "hoper", "hoper"),
                       ("source", "sauce", "unit.yaml:2:1"), ("mine", "m" * 60, "at most 47")):
    with open("unit.yaml", "w", encoding="utf-8") as file:
        file.write(own.replace(old, new))
    done = ends(2 if word else 0, "models", "unit.yaml", "--json", "-")
    expect(word in done.stderr, f"one's own unit with {new}: {done.stderr}")
    if not word:
        mine, = json.loads(done.stdout)["models"]
        like = next(m for m in models["models"] if m["name"] == "hopper/wgmma/fp8-fp32")
        expect(mine["parameters"] == {**like["parameters"], "fraction": 14} and mine["provenance"] == "custom", mine)
os.remove("unit.yaml")

# ---- colours: never into a pipe, whatever NO_COLOR says ----
for value in ({}, {"NO_COLOR": "1"}, {"NO_COLOR": "", "TERM": "xterm-256color"}):
    for args in (("doctor",), ("formats", "e4m3"), ("diff", "a.h5", "c.h5")):
        done = run(*args, **value)
        expect("\x1b" not in done.stdout + done.stderr, f"{args} {value}: an escape sequence in a pipe")

os.chdir(root)
shutil.rmtree(folder)
print(f"100%: Checks: {checks}, Failures: {len(failures)}, Errors: 0")
sys.exit(1 if failures else 0)
