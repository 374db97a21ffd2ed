"""test_schedule.py DUMP_RATES: the learning rates by the formulas of docs/experiment-format.md, computed again here in float64:
the same bits, but for the cosine, whose last bits are the library's own; in float32, as the optimizer has it, the same."""
import math
import struct
import subprocess
import sys


def rate(schedule, steps, warmup, peak, final, share, s):
    if s < warmup:
        return peak * ((s + 1) / warmup)
    if schedule == "wsd":
        n = max(1, math.floor(share * steps + 0.5))
        d = 0.0 if s + n < steps else (s + n + 1 - steps) / n
    else:
        d = (s - warmup) / (steps - 1 - warmup) if s < steps - 1 else 1.0
    left = 0.5 * (1.0 + math.cos(math.pi * d)) if schedule == "cosine" else 1.0 - d
    return peak * (final + (1.0 - final) * left)


def float32(x):
    return struct.pack("<f", x)


cases = [(schedule, steps, warmup, peak, final, share)
         for schedule in ("cosine", "linear", "wsd") for steps, warmup in ((1, 0), (7, 7), (7, 6), (9, 20), (40, 10), (3001, 100))
         for peak, final, share in ((0.003, 0.1, 0.1), (6e-4, 0.0, 0.333), (0.7, 1.0, 1.0), (1e-3, 0.05, 0.0))]
lines = subprocess.run(sys.argv[1], text=True, check=True, stdout=subprocess.PIPE, input="".join(
    f"{c[0]} {c[1]} {c[2]} {' '.join(x.hex() for x in c[3:])}\n" for c in cases)).stdout.splitlines()
failures = abs(len(lines) - len(cases))
checks = 0
for case, line in zip(cases, lines):
    got, want = [float.fromhex(x) for x in line.split()], [rate(*case, s) for s in range(case[1])]
    near = [abs(g - w) <= 4 * math.ulp(case[3]) if case[0] == "cosine" else g == w for g, w in zip(got, want)]
    alike = [float32(g) == float32(w) for g, w in zip(got, want)]
    checks += len(want)
    if len(got) != len(want) or not all(near) or not all(alike):
        failures += 1
        print(f"FAILED  {case}: from step {(near + [False]).index(False)}, in float32 {(alike + [False]).index(False)}")
print(f"100%: Checks: {checks}, Failures: {failures}, Errors: 0")
sys.exit(1 if failures else 0)
