"""test_memory.py FPX SOURCE: fpx train --memory against reality: the states have the bytes that their formats say, and
a run's largest resident size, as the system counts it, is what was predicted, within a tenth."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

fpx, source = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
text = (source / "experiments/default.yaml").read_text().replace("../datasets", str(source / "datasets"))
failures = 0

# Bytes a parameter of master, gradient, m, v; what scales and groups add is below 0.1.
states = {"fp32": (4, 4, 4, 4), "bf16": (4, 4, 4, 4), "fp8-lm-o1": (2, 1, 4, 4), "fp8-lm-o2": (2, 1, 1, 2),
          "fp8-lm-o3": (2, 1, 1, 2), "coat": (4, 4, 1, 1)}


def train(experiment, *more):
    return [str(fpx), "train", str(experiment), "--device", "cpu,threads=1", "--steps", "2", *more]


def peak(command):
    """VmHWM of one process: ru_maxrss of the very child."""
    child = subprocess.Popen(command, stderr=subprocess.DEVNULL)
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
    whole = sum(m["when_fullest"].values()) + m["gaps"] == m["arena"]
    real = peak(train(experiment, "--recipe", recipe))
    close = abs(m["peak_resident"] / real - 1) < 0.1
    failures += not (right and whole and close)
    print(f"{'ok  ' if right and whole and close else 'FAIL'} {name}, {recipe}: bytes a parameter "
          f"{' '.join('%.3f' % h for h in have)}; predicted {m['peak_resident'] / 2**20:.1f} MiB, "
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
    shadowed = subprocess.run(train(plain, "--memory", "--shadow", "free"), capture_output=True, text=True)
    refused = shadowed.returncode == 2 and "counts no shadows" in shadowed.stderr and not shadowed.stdout
    failures += not refused
    print(f"{'ok  ' if refused else 'FAIL'} with a shadow: {shadowed.stderr}")
sys.exit(failures != 0)
