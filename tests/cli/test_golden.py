"""The committed golden (20 FP8 steps of the demo's model, shadow `both` in float64) is reproduced by every
kernel, thread count, a GEMM plugin in its host process, and under a caller's hostile floating-point
environment; what really ran is asserted.  test_golden.py FPX ROOT PLUGINS HOSTILE.so"""
import json
import os
import subprocess
import sys

fpx, root, plugins, hostile = sys.argv[1:5]
golden = os.path.join(root, "tests/goldens/demo-fp8.golden")
experiment = os.path.join(root, "experiments/demo.yaml")
passed, failed = 0, 0


def check(name, expect, args=(), **environment):
    global passed, failed
    env = {k: v for k, v in os.environ.items() if k not in ("FPX_CPU", "FPX_THREADS")}
    env.update(environment)
    run = subprocess.run([fpx, "golden", "check", experiment, golden, "--json", "-", *args],
                         capture_output=True, text=True, env=env, timeout=300)
    try:
        result = json.loads(run.stdout[run.stdout.index("{"):])
    except ValueError:
        result = {"holds": False, "text": run.stderr, "device": ""}
    missing = [word for word in expect if word not in result["device"]]
    if run.returncode == 0 and result["holds"] and not missing:
        passed += 1
        print(f"ok      {name}: {result['device']}")
    else:
        failed += 1
        print(f"FAILED  {name}: {result['text']} device: {result['device']} (expected {expect})")


def can(level):
    doctor = subprocess.run([fpx, "doctor"], capture_output=True, text=True,
                            env={**os.environ, "FPX_CPU": level})
    return doctor.returncode == 0


levels = [level for level in ("scalar", "avx2", "avx512") if can(level)]
print("levels of this machine:", " ".join(levels))
for level in levels:
    for threads in (1, 2, 5):
        check(f"FPX_CPU={level} FPX_THREADS={threads}",
              [f"kernels {level}", f"{threads} thread"], FPX_CPU=level, FPX_THREADS=str(threads))
for name in ("plugin_gemm.so", "plugin_gemm_staged.so"):
    check(f"{name} in its host process", [], ("--device", os.path.join(plugins, name)))
if os.path.exists(hostile):
    # FTZ 0x8000, DAZ 0x0040, all exceptions masked 0x1f80; rounding down 0x2000, up 0x4000, to zero 0x6000.
    for word in ("9fc0", "bfc0", "dfc0", "ffc0", "5f80"):
        check(f"caller's MXCSR {word}", ["2 threads"], LD_PRELOAD=hostile, FPX_TEST_MXCSR=word,
              FPX_THREADS="2")

# The check can fail: OpenBLAS adds in another order, which is a finding that names the operation.
run = subprocess.run([fpx, "golden", "check", experiment, golden, "--device", "cpu,engine=openblas"],
                     capture_output=True, text=True)
if run.returncode == 1 and "first difference at step 0 in " in run.stdout:
    passed += 1
else:
    failed += 1
    print(f"FAILED  other bits: exit {run.returncode}: {run.stdout}{run.stderr}")
# And an edited golden is no reference: one mark or digest changed is refused with its line.
lines = open(golden, encoding="ascii").read().splitlines()
broken = "broken.golden"
for start in ("step 7 ", "row layer.1/attn.qkv/fprop "):
    at = next(i for i, line in enumerate(lines) if line.startswith(start))
    words = lines[at].split(" ")
    words[2] = words[2][:-1] + ("0" if words[2][-1] != "0" else "1")
    with open(broken, "w", encoding="ascii") as file:
        file.write("\n".join(lines[:at] + [" ".join(words)] + lines[at + 1:]) + "\n")
    run = subprocess.run([fpx, "golden", "check", experiment, broken], capture_output=True, text=True)
    os.remove(broken)
    if run.returncode == 2 and f"{broken}:{at + 1}: " in run.stderr:
        passed += 1
    else:
        failed += 1
        print(f"FAILED  an edited golden: exit {run.returncode}: {run.stdout}{run.stderr}")
print(f"100%: Checks: {passed + failed}, Failures: {failed}, Errors: 0")
sys.exit(1 if failed else 0)
