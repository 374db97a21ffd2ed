"""Debug (-O0) and release builds reproduce the committed golden.  test_builds.py MESON ROOT"""
import os
import subprocess
import sys
import tempfile

meson, root = sys.argv[1:3]
failed = 0
for kind in ("debug", "release"):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([meson, "setup", folder, root, f"--buildtype={kind}"], check=True,
                       stdout=subprocess.DEVNULL)
        subprocess.run(["ninja", "-C", folder, "cli/fpx"], check=True, stdout=subprocess.DEVNULL)
        run = subprocess.run([os.path.join(folder, "cli/fpx"), "golden", "check",
                              os.path.join(root, "experiments/demo.yaml"),
                              os.path.join(root, "tests/goldens/demo-fp8.golden")],
                             capture_output=True, text=True)
        print(kind, "build:", run.stdout.strip(), run.stderr.strip())
        failed += run.returncode != 0
print(f"100%: Checks: 2, Failures: {failed}, Errors: 0")
sys.exit(1 if failed else 0)
