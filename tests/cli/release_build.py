"""A release build (other optimization, no assertions) has the same bits: configures one, checks the golden."""
import os
import subprocess

import harness
from harness import Case, DEMO, GOLDEN, ROOT

class Release(Case):
    def test_release_has_the_golden_bits(self):
        build = self.tmp / "build"
        env = {k: v for k, v in os.environ.items() if k not in ("CFLAGS", "LDFLAGS")}
        for command in (["meson", "setup", build, "--buildtype=release"],
                        ["ninja", "-C", build, "-j2", "cli/fpx"]):
            done = subprocess.run(command, cwd=ROOT, env=env, text=True, check=False,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            self.assertEqual(done.returncode, 0, done.stdout[-4000:])
        harness.options.fpx = str(build / "cli" / "fpx")
        self.ok("golden", "check", DEMO, GOLDEN)
        self.ok("golden", "check", DEMO, GOLDEN, "--steps", 2, env={"FPX_CPU": "scalar"})


if __name__ == "__main__":
    harness.main(__name__)
