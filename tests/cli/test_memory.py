"""test_memory.py FPX SOURCE: fpx train --memory against reality: the states have the bytes that their formats say, and
a run's largest resident size, as the system counts it, is what was predicted, within a tenth."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

fpx, source = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
sanitized = sys.argv[3] != "none"  # a sanitizer keeps freed memory, and notes of all: what is resident says nothing
text = (source / "experiments/default.yaml").read_text().replace("../datasets", str(source / "datasets"))
source_text, failures = text, 0

# Bytes a parameter of master, gradient, m, v; what scales and groups add is below 0.1.
states = {"fp32": (4, 4, 4, 4), "bf16": (4, 4, 4, 4), "fp8-lm-o1": (2, 1, 4, 4), "fp8-lm-o2": (2, 1, 1, 2),
          "fp8-lm-o3": (2, 1, 1, 2), "coat": (4, 4, 1, 1)}
# The same with the copy that the products read: 2 bytes of BF16, 1 of FP8 (the head's are BF16; the embedding has one only while
# several micro-batches read it, in FP32: 4 of 7 % of the parameters).
copy_at_most = {"fp32": 16.5, "bf16": 18, "fp8-lm-o1": 12, "fp8-lm-o2": 7, "fp8-lm-o3": 7, "coat": 11.2}


def train(experiment, *more):
    return [str(fpx), "train", str(experiment), "--device", "cpu,threads=1", "--steps", "2", *more]


def peak(command, stdout=None):
    """VmHWM of one process: ru_maxrss of the very child."""
    child = subprocess.Popen(command, stdout=stdout, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0, command
    return usage.ru_maxrss * 1024


def check(name, experiment, recipe):
    global failures
    m = json.loads(subprocess.run(train(experiment, "--recipe", recipe, "--memory", "--json", "-"), check=True, stderr=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE).stdout)
    assert m["schema"] == "fpx.memory/1" and m["recipe"] == recipe
    have = [m["at_most"][k] / m["parameters"] for k in ("master", "gradient", "m", "v")]
    right = all(want <= is_ < want + 0.1 for want, is_ in zip(states[recipe], have))
    copy = sum(have) + m["at_most"]["compute copy"] / m["parameters"]
    right = right and copy_at_most[recipe] - 0.6 < copy < copy_at_most[recipe] + (0.3 if name == "micro-batches" else 0.1)
    whole = sum(m["when_fullest"].values()) + m["gaps"] == m["arena"]
    real = peak(train(experiment, "--recipe", recipe))
    close = sanitized or abs(m["peak_resident"] / real - 1) < 0.1
    failures += not (right and whole and close)
    print(f"{'ok  ' if right and whole and close else 'FAIL'} {name}, {recipe}: bytes a parameter "
          f"{' '.join('%.3f' % h for h in have)}, with the copy {copy:.3f}; predicted {m['peak_resident'] / 2**20:.1f} MiB, "
          f"measured {real / 2**20:.1f}")


with tempfile.TemporaryDirectory() as folder:
    plain, large, several = (pathlib.Path(folder) / f for f in ("plain.yaml", "large.yaml", "several.yaml"))
    plain.write_text(text)
    large.write_text(text.replace("width: 128", "width: 256").replace("hidden: 352", "hidden: 704"))
    several.write_text(text.replace("batch: 4", "batch: 2\n  accumulate: 2"))
    for recipe in states:
        check("default", plain, recipe)
    check("large", large, "fp32")
    check("large", large, "fp8-lm-o3")
    check("micro-batches", several, "fp8-lm-o3")
    text = subprocess.run(train(plain, "--recipe", "fp8-lm-o3", "--memory"), capture_output=True, text=True).stdout
    said = "moments: 6.001 (fp32: 16); with the compute copy 7.0" in text and "a bf16 copy: 18)" in text
    failures += not said
    print(f"{'ok  ' if said else 'FAIL'} the comparison: {text}")
    shadowed = subprocess.run(train(plain, "--memory", "--shadow", "free"), capture_output=True, text=True)
    refused = shadowed.returncode == 2 and "counts no shadows" in shadowed.stderr and not shadowed.stdout
    failures += not refused
    print(f"{'ok  ' if refused else 'FAIL'} with a shadow: {shadowed.stderr}")
    started = subprocess.run(train(plain, "--memory", "--init", "x"), capture_output=True, text=True)
    refused = started.returncode == 2 and "leave --resume, --init," in started.stderr and not started.stdout
    failures += not refused
    print(f"{'ok  ' if refused else 'FAIL'} with weights: {started.stderr}")
    # 6.7 G parameters, and many layers: planned only, on any machine.
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGESIZE")
    for sizes in ("width: 4096, layers: 32, heads: 32, hidden: 11008, vocabulary: 32000",
                  "width: 16, layers: 100, heads: 4, hidden: 24, vocabulary: 256"):
        plain.write_text(source_text.replace("width: 128, layers: 2, heads: 4, hidden: 352, vocabulary: 256", sizes))
        with open(pathlib.Path(folder) / "out", "w+") as out:
            began = time.monotonic()
            most = peak(train(plain, "--recipe", "bf16", "--memory"), out)
            took = time.monotonic() - began
            out.seek(0)
            said = out.read().splitlines()
        needed = [float(line.split("predicted: ")[1].split(" MiB")[0]) * 2**20 for line in said if "predicted" in line]
        note = said[-1].startswith("note: this machine has") == (needed[0] > physical)
        right = note and took < 30 and most < 256 << 20
        failures += not right
        print(f"{'ok  ' if right else 'FAIL'} planned only, {sizes}: {took:.1f} s, {most / 2**20:.0f} MiB, {said[-1]}")
sys.exit(failures != 0)
