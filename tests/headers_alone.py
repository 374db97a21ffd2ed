#!/usr/bin/env python3
"""Compiles every public header by itself, in one language: what a user includes first must work.

headers_alone.py COMPILER... -- FLAGS...    headers are found here, so a new one is covered at once
"""
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent
INCLUDE = TESTS.parent / "include"
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Wundef", "-Werror", "-fsyntax-only", f"-I{INCLUDE}"]


def main(args):
    split = args.index("--")
    compiler, flags = args[:split], args[split + 1 :]
    headers = sorted(INCLUDE.glob("fpx/*.h"))
    failed = []
    for header in headers:
        define = f"-DFPX_HEADER=<fpx/{header.name}>"
        run = subprocess.run([*compiler, *flags, *STRICT, define, str(TESTS / "header_test.c")])
        if run.returncode != 0:
            failed.append(header.name)
    print(f"{len(headers)} headers, {' '.join(flags)}: {' '.join(failed) or 'all compile alone'}")
    return 1 if failed or not headers else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
