"""What tests of the binary share: they are run as TEST.py FPX ROOT, count their checks, run fpx, and work in a folder of their
own."""
import os
import shutil
import subprocess
import sys
import tempfile

fpx, root = (os.path.abspath(path) for path in sys.argv[1:3])
checks, failures, folder = 0, 0, None


def expect(name, condition, got=""):
    global checks, failures
    checks += 1
    if not condition:
        failures += 1
        print(f"FAILED  {name}: got {got}")


def run(*args, text=False, **environment):
    return subprocess.run([fpx, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300, text=text,
                          env={**os.environ, **environment})


def run_text(*args, **environment):
    return run(*args, text=True, **environment)


def enter_folder():
    """An empty one, which finish() takes away."""
    global folder
    folder = tempfile.mkdtemp()
    os.chdir(folder)
    os.environ["TMPDIR"] = folder
    return folder


def finish():
    if folder is not None:
        os.chdir(root)
        shutil.rmtree(folder)
    print(f"100%: Checks: {checks}, Failures: {failures}, Errors: 0")
    sys.exit(1 if failures else 0)
