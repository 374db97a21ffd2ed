"""The committed golden holds for every instruction set, thread count, plugin and floating-point
environment of the caller. Fast: each value of each axis once; --full: all of them together."""
import itertools
import re
import unittest

import harness
from harness import Case, DEMO, GOLDEN, fpx

SCALAR_STEPS = 4  # a scalar step costs about five AVX2 ones


class Cross(Case):
    def check(self, level, threads, *more, steps=None, preload=None):
        if not harness.processor_runs(level):
            print(f"skipped: this processor cannot run {level}", flush=True)
            return
        env = {"FPX_CPU": level, "FPX_THREADS": str(threads)}
        doctor = fpx("doctor", env=env).stdout
        self.assertRegex(doctor, rf"in use +{level}: conversions {level}, matrices {level}")
        self.assertRegex(doctor, rf"kernels {level}, {threads} threads?,")
        if preload:
            env |= {"LD_PRELOAD": preload, "FPX_TEST_HOSTILE_SAYS": "1"}
        limit = ["--steps", steps] if steps else []
        done = self.ok("golden", "check", DEMO, GOLDEN, *limit, *more, env=env)
        self.assertIn(f"{steps or 20} steps have the recorded bits", done.stdout)
        if preload:
            # ld.so ignores what it cannot load: the library must say that it was there.
            self.assertRegex(done.stderr, r"hostile: MXCSR 0xdfc0")

    def test_levels_and_threads(self):
        short = None if harness.options.full else SCALAR_STEPS
        combinations = (itertools.product(["avx2", "scalar"], [1, 2, 5]) if harness.options.full
                        else [("avx2", 1), ("avx2", 2), ("avx2", 5), ("scalar", 5)])
        for level, threads in combinations:
            with self.subTest(level=level, threads=threads):
                self.check(level, threads, steps=short if level == "scalar" else None)

    def test_plugin(self):
        self.assertIn("plugin_gemm", harness.options.plugin)
        levels = ["avx2", "scalar"] if harness.options.full else ["avx2"]
        for level, threads in itertools.product(levels, [1, 5] if harness.options.full else [2]):
            with self.subTest(level=level, threads=threads):
                self.check(level, threads, "--device", harness.options.plugin)

    def test_callers_environment(self):
        if harness.options.hostile is None:
            self.skipTest("no MXCSR on this architecture")
        for level, threads in (itertools.product(["avx2", "scalar"], [1, 2, 5])
                               if harness.options.full else [("avx2", 2), ("scalar", 1)]):
            with self.subTest(level=level, threads=threads):
                self.check(level, threads, preload=harness.options.hostile,
                           steps=2 if level == "scalar" and not harness.options.full else None)

    def test_golden_is_what_it_says(self):
        """20 steps, both shadows, every operation's row with 20 entries: no shrunken file passes."""
        text = GOLDEN.read_text()
        self.assertRegex(text, r"(?m)^experiment demo$")
        self.assertRegex(text, r"(?m)^recipe fp8$")
        self.assertRegex(text, r"(?m)^shadow both$")
        self.assertEqual(len(re.findall(r"(?m)^step \d+ [0-9a-f]{32}$", text)), 20)
        rows = re.findall(r"(?m)^row (\S+)((?: [0-9a-f]{6}){20})$", text)
        self.assertGreater(len(rows), 150)
        self.assertEqual(sum(name.startswith("shadow:") for name, _ in rows), 2)


if __name__ == "__main__":
    harness.main(__name__)
