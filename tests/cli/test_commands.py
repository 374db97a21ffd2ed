"""Every example that the help shows runs; exit codes, styles, and the fields of results for programs.
test_commands.py FPX ROOT"""
import json
import os
import re
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree

fpx, root = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
VERBS = ("train", "diff", "golden", "trace", "report", "demo", "quantize", "dequantize", "gemm", "formats", "models",
         "tokenize", "sample", "bench", "doctor")
checks, failures = 0, 0


def expect(name, condition, got=""):
    global checks, failures
    checks += 1
    failures += not condition
    print(f"{'ok    ' if condition else 'FAILED'}  {name}" + ("" if condition else f": got {got}"))


def run(*args, **options):
    return subprocess.run([fpx, *args], stdout=options.pop("stdout", subprocess.PIPE), stderr=subprocess.PIPE,
                          text=True, timeout=120, **options)


def exits(name, code, *args, words=(), **options):
    """The exit code, and words that the results or messages hold."""
    done = run(*args, **options)
    text = (done.stdout or "") + done.stderr
    missing = [word for word in words if word not in text]
    expect(f"{name}: exit {code}", done.returncode == code and not missing,
           f"exit {done.returncode}, without {missing}: {text!r}")
    return done


def write(name, text):
    with open(name, "w", encoding="utf-8") as file:
        file.write(text)
    return name


def edited(name, old, new):
    """A copy of the file with one text replaced."""
    with open(name, encoding="utf-8") as file:
        text = file.read()
    assert old in text, (name, old)
    return write("edited-" + os.path.basename(name), text.replace(old, new, 1))


folder = tempfile.mkdtemp()
os.chdir(folder)
os.environ["TMPDIR"] = folder
os.environ.pop("NO_COLOR", None)
for part in ("experiments", "datasets", "tests/goldens"):
    shutil.copytree(os.path.join(root, part), part)
TINY = write("tiny.yaml", """name: tiny
model: {width: 16, layers: 1, heads: 2, hidden: 16, vocabulary: 256, activation: swiglu}
data: {corpus: datasets/kjv-genesis-exodus.txt, sequence: 16, batch: 2, validation: 0}
optimizer: {learning_rate: 0.003, warmup: 2}
steps: 4
seed: 1
recipe: fp8
""")
with open("weights.npy", "wb") as file:
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 4), }\n"
    file.write(b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + struct.pack("<8f", *range(8)))
train = lambda *args: run("train", TINY, *args)

# ---- help: complete, narrow, without colour ----
overview = exits("no arguments", 0)
expect("--help and help say the same", run("--help").stdout == run("help").stdout == overview.stdout)
exits("--version", 0, "--version", words=["fpx "])
pages = {"": overview.stdout}
for verb in VERBS:
    expect(f"{verb} is in the overview", re.search(rf"^  {verb} ", overview.stdout, re.M), overview.stdout)
    pages[verb] = exits(f"{verb} --help", 0, verb, "--help", words=[f"usage: fpx {verb}"]).stdout
for verb, text in pages.items():
    wide = [line for line in text.splitlines() if len(line) > 100 or line != line.rstrip()]
    expect(f"help of '{verb}' fits 100 columns, no blanks at ends", not wide, wide)
    expect(f"help of '{verb}' has no escapes and no empty paragraphs", "\033" not in text and
           "\n\n\n" not in text, repr(text))

# ---- every example ----
for name, steps in (("run", "3"), ("other", "3"), ("yesterday", "2"), ("today", "2"), ("dut", "2")):
    done = run("train", "experiments/demo.yaml", "--steps", steps, "--shadow", "local", "--trace", name + ".h5")
    expect(f"{name}.h5 for the examples", done.returncode == 0, done.stderr)
done = run("train", "experiments/demo.yaml", "--steps", "3", "--checkpoint", "runs")
expect("runs/ for the examples", done.returncode == 0, done.stderr)
examples = []
for verb, text in pages.items():
    found = [part for line in re.findall(r"^ *(?:example: +)?(fpx .*)$", text, re.M)
             for part in line.split(";  ") if not re.match(r"fpx \d|fpx VERB", part)]
    found += re.findall(r"See it work first:  (fpx \w+)", text)
    expect(f"the help of '{verb}' has an example", found, text)
    examples += found
for example in dict.fromkeys(examples):
    words = shlex.split(example)[1:]
    if words[0] in ("demo", "bench") or "./plugin.so" in words or "ablations/" in example:
        continue  # cli-demo-seeds, cli-golden, cli-ablation and the benchmarks run these
    if words[0] == "train":  # the first steps stand for all; a trace is never overwritten
        words += ["--steps", "3"]
        words = ["1" if words[i - 1] == "--seeds" else word for i, word in enumerate(words)]
        if "--trace" in words:
            words[words.index("--trace") + 1] = f"example{checks}.h5"
    if words[0] == "trace":  # an example of a longer run
        words = ["2" if words[i - 1] == "--step" else word for i, word in enumerate(words)]
    done = run(*words)
    expect(f"runs: {example}", done.returncode == 0 and not re.search(r"^fpx", done.stderr, re.M),
           f"exit {done.returncode}: {done.stdout[-300:]!r} {done.stderr!r}")

# ---- diff: exit codes, styles, JSON, JUnit ----
for name, args in (("a", ()), ("b", ()), ("c", ("--seed", "2")), ("short", ("--steps", "2")),
                   ("fp32", ("--recipe", "fp32")), ("equal", ("--shadow", "local:cpu")), ("bare", ())):
    args += ("--values", "*") if name != "bare" else ()
    args += ("--shadow", "local") if name == "a" else ()
    done = train("--trace", name + ".h5", *args)
    expect(f"{name}.h5", done.returncode == 0, done.stderr)
same, other, bad = ("a.h5", "b.h5"), ("a.h5", "c.h5"), ("a.h5", "none.h5")
exits("diff of equal traces", 0, "diff", *same, words=["nothing differs: 4 steps"])
exits("diff of other bits", 1, "diff", *other, words=["first difference", "step       0", "element", "operation"])
exits("diff without values", 1, "diff", "bare.h5", "c.h5", words=["first difference", "unknown", "--values"])
exits("diff of a shorter one", 1, "diff", "a.h5", "short.h5", words=["A has 4 steps and B 2"])
exits("diff of other programs: the bits that both have", 1, "diff", "a.h5", "fp32.h5",
      words=["layer.0/attn.qkv/fprop"])
exits("diff of what is missing", 2, "diff", *bad, words=["none.h5"])
exits("diff with a policy", 0, "diff", *same, "--policy", "ulp:2")
exits("diff with a wrong policy", 2, "diff", *same, "--policy", "about", words=["about"])
exits("diff with a policy out of range", 2, "diff", *same, "--policy", "ulp:-1", words=["ulp:-1"])
exits("diff of one trace with its shadow", 0, "diff", "a.h5", words=["nothing found"])
exits("diff of one trace whose shadow is itself", 2, "diff", "equal.h5", words=["no information"])
exits("diff of one trace without shadows", 2, "diff", "b.h5", words=["no shadow", "--shadow"])
for style, codes in (("fpx", (0, 1, 2)), ("git", (0, 1, 125)), ("nagios", (0, 2, 3))):
    for code, pair in zip(codes, (same, other, bad)):
        exits(f"{style} style", code, f"--exit-style={style}", "diff", *pair)
    exits(f"{style} style, unknown verb", codes[2], f"--exit-style={style}", "dance", words=["dance"])
exits("unknown style", 2, "--exit-style=loud", "diff", *same, words=["loud"])
for name, environment in (("NO_COLOR", {"NO_COLOR": "1"}), ("a pipe", {"TERM": "xterm"})):
    done = run("diff", *other, env={**os.environ, **environment})
    expect(f"no colours: {name}", "\033" not in done.stdout + done.stderr, repr(done.stdout))

COMMON = {"schema", "verdict", "steps_compared", "tensors_compared", "steps_a", "steps_b"}
PLACE = {"step", "operation", "kind", "role", "device", "tensor", "shape"}
VALUES = {"element", "index", "value_a", "value_b", "bits_a", "bits_b", "elements_differing"}
LOSS = {"healed_at", "loss_compared", "loss_bits_at", "loss_visible_at", "loss_noise"}


def fields(name, pair, verdict, top, first):
    exits(f"diff --json, {name}", verdict != "same", "diff", *pair, "--json", "d.json")
    with open("d.json", encoding="utf-8") as file:
        found = json.load(file)
    expect(f"its schema and verdict: {verdict}", (found["schema"], found["verdict"]) == ("fpx.diff/1", verdict), found)
    expect("its fields", top <= found.keys() and first <= found.get("first", {}).keys(), found)
    return found


fields("equal", same, "same", COMMON, set())
fields("shorter", ("a.h5", "short.h5"), "shorter", COMMON, set())
fields("no values", ("bare.h5", "c.h5"), "different", COMMON | {"first"} | LOSS, PLACE)
first = fields("different", other, "different", COMMON | {"first"} | LOSS, PLACE | VALUES)["first"]
expect("bits are hexadecimal and differ", re.fullmatch("0x[0-9a-f]+", first["bits_a"]) and
       re.fullmatch("0x[0-9a-f]+", first["bits_b"]) and first["bits_a"] != first["bits_b"], first)
exits("finding as JSON", 0, "diff", "a.h5", "--json", "f.json")
found = json.load(open("f.json", encoding="utf-8"))
expect("its fields", found["schema"] == "fpx.finding/1" and found["found"] is False and found["findings"] == 0
       and found["looked_at"] > 0, found)
exits("two results in one stream", 2, "diff", *same, "--json", "-", "--junit", "-", words=["both"])
exits("JSON into a stream", 0, "train", TINY, "--json", "/dev/null")
for name, args in (("diff --json -", ("diff", *same, "--json", "-")),
                   ("finding --json -", ("diff", "a.h5", "--json", "-")),
                   ("train --sample --json -", ("train", TINY, "--sample", "And ", "--json", "-")),
                   ("train --json -", ("train", TINY, "--json", "-"))):
    done = run(*args)
    try:
        json.loads(done.stdout)
        whole = True
    except ValueError:
        whole = False
    expect(f"{name}: standard output is JSON and nothing else", whole, repr(done.stdout[:200]))

for code, pair in ((0, same), (1, other)):
    exits("diff --junit", code, "diff", *pair, "--junit", "d.xml")
    suite = xml.etree.ElementTree.parse("d.xml").getroot().find("testsuite")
    expect("one case", len(suite.findall("testcase")) == 1 and suite.get("failures") == str(code), suite.attrib)
    expect("its failure", (suite.find("testcase/failure") is not None) == (code == 1))
os.rename("c.h5", "<&\">.h5")
os.rename("c.h5.seg", "<&\">.h5.seg")
exits("a name that XML would misread", 1, "diff", "a.h5", "<&\">.h5", "--junit", "d.xml", "--html", "d.html")
case = xml.etree.ElementTree.parse("d.xml").getroot().find("testsuite/testcase")
expect("is read back as it is", case.get("name") == "a.h5 against <&\">.h5", case.attrib)

# ---- trace ls, show, stats, verify; report ----
for action in ("ls", "show", "stats", "verify"):
    exits(f"trace {action}", 0, "trace", action, "a.h5")
exits("trace stats of a step", 0, "trace", "stats", "a.h5", "--step", "1", "--tensor", "layer.0/*",
      words=["step 1", "layer.0/"])
exits("report", 0, "report", "a.h5", "--against", "b.h5", "-o", "page.html", words=["page.html"])
page = open("page.html", encoding="utf-8").read()
expect("a whole page that needs nothing else", page.rstrip().endswith("</html>") and "src=\"http" not in page)

# ---- other experiments, runs that ended early ----
exits("a run for comparison", 0, "train", TINY, "--trace", "base.h5")
exits("another recipe and seed", 0, "train", TINY, "--recipe", "bf16", "--seed", "9", "--trace", "else.h5")
exits("is said first", 1, "diff", "base.h5", "else.h5", "--html", "else.html",
      words=["the experiments differ:", "seed ", "recipe ", "only in A ", "only in B ", "that both have"])
page = open("else.html", encoding="utf-8").read()
expect("on the page too", "The experiments differ" in page and "The programs differ" in page and
       "What both runs computed before it is equal" not in page)
# With micro-batches another operation writes the loss: it is compared all the same, not taken for equal.
exits("a run in micro-batches", 0, "train", edited(TINY, "batch: 2", "batch: 1, accumulate: 2"), "--trace", "micro.h5")
done = exits("against one without", 1, "diff", "base.h5", "micro.h5", "--json", "micro.json", "--junit", "micro.xml")
found = json.load(open("micro.json", encoding="utf-8"))
digests = [re.search("([0-9a-f]{32}) loss ", run("trace", "show", name, "--step", "0", "--tensor", "loss").stdout)[1]
           for name in ("base.h5", "micro.h5")]
expect("the loss of both was compared", found["loss_compared"] is True, found)
never = "would never have shown" in done.stdout
expect("and says what it showed", never == (found["loss_bits_at"] is None) and (never or "other bits" in done.stdout) and
       never == ("never have shown" in open("micro.xml", encoding="utf-8").read()), done.stdout)
expect("at the first step whose digests differ", digests[0] != digests[1] and found["loss_bits_at"] == 0, digests)
with subprocess.Popen([fpx, "train", edited(TINY, "steps: 4", "steps: 4000"), "--trace", "cut.h5", "--shadow", "local"],
                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as cut:
    for _ in range(600):
        time.sleep(0.05)
        if os.path.exists("cut.h5") and not run("trace", "ls", "cut.h5").stdout.startswith("0 steps"):
            break
    cut.kill()
exits("a run that was killed holds nothing", 2, "diff", "cut.h5", words=["incomplete: ", " of 4000 steps"])
exits("nor against itself", 2, "diff", "cut.h5", "cut.h5", "--junit", "cut.xml", words=["A is incomplete: "])
suite = xml.etree.ElementTree.parse("cut.xml").getroot().find("testsuite")
expect("an error, no failure", (suite.get("errors"), suite.get("failures")) == ("1", "0"), suite.attrib)
exits("ls says so", 0, "trace", "ls", "cut.h5", words=["incomplete: "])
exits("verify says so", 0, "trace", "verify", "cut.h5", words=["undamaged, but incomplete: "])
exits("its page", 0, "report", "cut.h5", "-o", "cut.html")
page = open("cut.html", encoding="utf-8").read()
expect("is not green", "verdict good" not in page and "incomplete" in page)

# ---- golden: record, refuse, check, name ----
exits("golden record", 0, "golden", "record", TINY, "g", "--steps", "3", words=["recorded, 3 steps"])
before = open("g", encoding="ascii").read()
exits("record again without a reason", 2, "golden", "record", TINY, "g", "--steps", "3", words=["g", "--reason"])
expect("the golden is as it was", open("g", encoding="ascii").read() == before)
exits("check", 0, "golden", "check", TINY, "g", "--json", "g.json", words=["holds: 3 steps"])
found = json.load(open("g.json", encoding="utf-8"))
expect("no step and no operation differ", found["holds"] and found["step"] is None and found["operation"] is None, found)
exits("check of fewer steps", 0, "golden", "check", TINY, "g", "--steps", "2", words=["holds: 2 steps"])
exits("check of more steps", 2, "golden", "check", TINY, "g", "--steps", "4", words=["3 steps"])
# Another recipe, seed or rate is another run: said before a step is run, never blamed on an operation.
exits("check with another recipe", 2, "golden", "check", TINY, "g", "--recipe", "fp32",
      words=["g:3: ", "recipe 'fp8', this run uses 'fp32'"])
exits("check of another seed", 2, "golden", "check", edited(TINY, "seed: 1", "seed: 7"), "g", words=["g:5: "])
exits("check of another rate", 2, "golden", "check", edited(TINY, "0.003", "0.004"), "g", words=["g:5: "])
exits("check of another experiment", 2, "golden", "check", edited(TINY, "name: ", "name: not_"), "g", words=["g:2: "])
exits("check of the same, commented", 0, "golden", "check", edited(TINY, "seed: 1", "# as ever\nseed:  1   # one"), "g")
# An edited golden is none: the line is named.
flip = lambda digits: digits[:-1] + ("0" if digits[-1] != "0" else "1")
for number, line in enumerate(before.splitlines(), 1):
    if line.startswith(("step 2 ", "row head/", "end ")):
        words = line.split(" ")
        words[-2 if words[0] != "end" else 1] = flip(words[-2 if words[0] != "end" else 1])
        write("marks", before.replace(line, " ".join(words)))
        exits(f"an edited line: {line[:20]}", 2, "golden", "check", TINY, "marks", words=[f"marks:{number}: "])
for old, new in (("recipe fp8", "recipe nosuch"), ("experiment ", "experiment other_"), ("reason first", "reason last")):
    write("marks", before.replace(old, new))
    exits(f"an edited header: {new}", 2, "golden", "check", TINY, "marks", words=[f"marks:{len(before.splitlines())}: "])
# OpenBLAS adds in another order: other bits, named.
other = ("--device", "cpu,engine=openblas")
exits("other bits: named", 1, "golden", "check", TINY, "g", *other, words=["first difference at step 0 in "])
done = exits("check for programs", 1, "golden", "check", TINY, "g", *other, "--json", "g.json", "--junit", "g.xml")
found = json.load(open("g.json", encoding="utf-8"))
expect("its fields", found["schema"] == "fpx.golden/1" and found["holds"] is False and found["step"] == 0 and
       {"operation", "text"} <= found.keys(), found)
expect("its JUnit", xml.etree.ElementTree.parse("g.xml").getroot().find("testsuite").get("failures") == "1")
os.environ["GITHUB_ACTIONS"] = "true"
done = exits("an annotation", 1, "golden", "check", TINY, "g", *other)
lines = [line for line in done.stdout.splitlines() if line.startswith("::")]
expect("names step and operation", len(lines) == 1 and lines[0].startswith("::error title=fpx golden%3A ") and
       f"step 0 in operation {found['operation']}" in lines[0], lines)
expect("none where nothing is found", "::" not in exits("check", 0, "golden", "check", TINY, "g").stdout)
del os.environ["GITHUB_ACTIONS"]
done = run("golden", "check", TINY, "g", "--json", "-")
try:
    whole = json.loads(done.stdout)["holds"]
except ValueError:
    whole = False
expect("golden check --json -: standard output is JSON and nothing else", whole, repr(done.stdout[:200]))
exits("record with a reason", 0, "golden", "record", edited(TINY, "seed: 1", "seed: 7"), "g", "--steps", "3",
      "--reason", "another seed", words=["changed, first at step 0 in embed/fprop"])
expect("the reason is in it", "reason another seed\n" in open("g", encoding="ascii").read())
exits("a reason of two lines", 2, "golden", "record", TINY, "g", "--steps", "3", "--reason", "one\ntwo", words=["reason"])

# ---- train: resumed, compared ----
exits("a checkpoint", 0, "train", TINY, "--checkpoint", "c", "--every", "2")
done = exits("resumed where nothing is left", 0, "train", TINY, "--resume", "c", "--json", "r.json")
found = json.load(open("r.json", encoding="utf-8"))
expect("says how many steps there are, and no loss", found["steps"] == 4 and found["loss"] is None, found)
exits("a table of recipes", 0, "train", edited(TINY, "validation: 0", "validation: 0.1"), "--compare", "fp32,fp8",
      "--seeds", "2", "--json", "table.json", words=["fp8 against fp32, paired"])
found = json.load(open("table.json", encoding="utf-8"))
expect("its JSON", found["schema"] == "fpx.compare/1" and len(found["bits_per_byte"]["fp8"]) == 2, found)
exits("a table with what it ignores", 2, "train", TINY, "--compare", "fp32", "--trace", "x.h5", words=["--trace"])
exits("seeds without a table", 2, "train", TINY, "--seeds", "2", words=["--compare"])
done = exits("a loss that is no number", 1, "train", edited(TINY, "0.003", "1000000"), "--steps", "4", "--recipe", "fp32",
             "--json", "nan.json", words=["finding: step ", "NaN or Inf, the first of the run"])
expect("its JSON has the finding", json.load(open("nan.json", encoding="utf-8"))["finding"]["step"] >= 0)
exits("in a table too", 1, "train", edited(edited(TINY, "validation: 0", "validation: 0.1"), "0.003", "1000000"), "--compare", "fp32", "--seeds", "1",
      words=["finding: recipe fp32, seed 1, step "])
exits("no golden of it", 1, "golden", "record", edited(TINY, "0.003", "1000000"), "n.golden", "--steps", "4",
      "--recipe", "fp32", words=["finding: step ", "not recorded"])
expect("nothing was written", not os.path.exists("n.golden"))
exits("its trace names the operation", 1, "train", edited(TINY, "0.003", "1000000"), "--steps", "4", "--recipe", "fp32",
      "--trace", "nan.h5", words=["finding: step ", "NaN or Inf", "see: fpx diff nan.h5"])
exits("a shadow without a trace says what it found", 0, "train", TINY, "--shadow", "local",
      words=["shadow local: judged ", " looked at), 0 contradicted", "largest error / bound: ", "gemm 0.", "quantize "])
json.load(open("nan.json", encoding="utf-8"), parse_constant=lambda c: expect(f"strict JSON, no {c}", False)) if \
    os.path.exists("nan.json") else None

os.chdir(root)
shutil.rmtree(folder)
print(f"100%: Checks: {checks}, Failures: {failures}, Errors: 0")
sys.exit(1 if failures else 0)
