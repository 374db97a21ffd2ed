"""What the end-to-end tests share: the binary under test, an empty folder for each case, and what a
refusal looks like (exit code 2, one message, no file made or changed)."""
import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "experiments" / "demo.yaml"
GOLDEN = ROOT / "tests" / "goldens" / "demo-fp8.golden"
SKIP = 77

options = None  # what main() parsed


def main(module, **defaults):
    """Runs the test cases of `module` (its __name__); options of the command line go to `options`."""
    global options
    parser = argparse.ArgumentParser()
    parser.add_argument("--fpx", required=True, type=lambda p: str(Path(p).resolve()))
    parser.add_argument("--plugin", type=lambda p: str(Path(p).resolve()))
    parser.add_argument("--hostile", type=lambda p: str(Path(p).resolve()))
    parser.add_argument("--full", action="store_true", help="the slow suite's share")
    parser.add_argument("--seed", type=int, default=None, help="of what is drawn at random")
    parser.add_argument("tests", nargs="*")
    options = parser.parse_args()
    unittest.main(module=module, argv=[sys.argv[0], "-v", *options.tests])


def fpx(*args, env=None, **kwargs):
    """Runs the binary; stdout and stderr are text unless redirected."""
    settings = {k: v for k, v in os.environ.items() if not k.startswith("FPX_") or "SANITIZE" in k}
    settings.update(env or {})
    kwargs.setdefault("stdout", subprocess.PIPE)
    kwargs.setdefault("stderr", subprocess.PIPE)
    kwargs.setdefault("timeout", 600)
    kwargs.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run([options.fpx, *map(str, args)], env=settings, text=True, errors="replace",
                          check=False, **kwargs)


def sha(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def tree(folder):
    """Every file below a folder with its content; folders with None."""
    return {str(p.relative_to(folder)): None if p.is_dir() else sha(p)
            for p in sorted(Path(folder).rglob("*"))}


class Case(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.tmp = Path(tempfile.mkdtemp(prefix="fpx-cli-"))
        self.addCleanup(shutil.rmtree, self.tmp, ignore_errors=True)

    def ok(self, *args, code=0, **kwargs):
        done = fpx(*args, **kwargs)
        self.assertEqual(done.returncode, code,
                         f"fpx {' '.join(map(str, args))}\n{done.stdout}{done.stderr}")
        return done

    def refused(self, *args, names=(), folder=None, code=2, **kwargs):
        """A refusal: the code, one message that holds every word of `names`, nothing on standard
        output that looks like a result, and the folder as it was."""
        folder = folder or self.tmp
        before = tree(folder)
        done = fpx(*args, **kwargs)
        said = f"fpx {' '.join(map(str, args))}\nexit {done.returncode}\n{done.stdout}{done.stderr}"
        self.assertEqual(done.returncode, code, said)
        self.one_message(done.stderr, said)
        for word in [names] if isinstance(names, (str, Path)) else names:
            self.assertIn(str(word), done.stderr, said)
        self.assertEqual(tree(folder), before, f"files changed\n{said}")
        return done

    def one_message(self, stderr, said):
        """One line that begins with the program's name, and at most one that says where help is."""
        lines = stderr.splitlines()
        self.assertTrue(lines and lines[0].startswith("fpx"), said)
        for line in lines[1:]:
            self.assertRegex(line, r"^\(fpx \S+ --help says more\)$", said)
        self.assertGreater(len(lines[0]), 12, said)
        self.assertNotRegex(stderr, re.compile("(null)|unknown reason|runtime error|Sanitizer"), said)

    def experiment(self, name="e.yaml", text=None, **changes):
        """A copy of the demo's experiment with `key: old -> new` replacements of its text."""
        text = DEMO.read_text() if text is None else text
        text = text.replace("../datasets", str(ROOT / "datasets"))
        for old, new in changes.get("replace", []):
            self.assertIn(old, text)
            text = text.replace(old, new)
        path = self.tmp / name
        path.write_text(text)
        return path


def processor_runs(level):
    """Can this machine run the level? The doctor's first lines say so."""
    order = ["scalar", "avx2", "avx512"]
    found = re.search(r"can run (\S+)", fpx("doctor").stdout).group(1)
    return order.index(level) <= order.index(found)
