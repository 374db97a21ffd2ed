"""Reads meson's testlog.json: prints the slowest tests, every skip with its reason, and the counts.

summary.py TESTLOG EXPECTED-SKIPS STATUS-OF-THE-RUN    last line: `N passed, N failed`

A Check program counts with its own number of checks, another program as one. A test skips as a whole
(exit 77), or in part: it passes and prints lines that begin with `SKIP:`.
"""
import json
import re
import sys
from pathlib import Path

CHECKS = re.compile(r"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)$", re.MULTILINE)
SKIP = re.compile(r"^SKIP:? *(.*)$", re.MULTILINE)
GOOD = {"OK", "EXPECTEDFAIL"}


def name_of(test):
    return test["name"].rsplit(" / ", 1)[-1]


def output_of(test):
    return test.get("stdout", "") + "\n" + test.get("stderr", "")


def counts(test):
    """(passed, failed) checks of one program; a program that failed has at least one failure."""
    rows = [[int(x) for x in row] for row in CHECKS.findall(output_of(test))]
    total = sum(row[0] for row in rows) or 1
    failed = sum(row[1] + row[2] for row in rows)
    if test["result"] in GOOD:
        return total - failed, failed
    return (total - failed, failed) if failed else (total if rows else 0, 1)


def skips(test):
    """The reasons of all that this program skipped."""
    marked = [reason.strip() for reason in SKIP.findall(output_of(test))]
    if marked or test["result"] != "SKIP":
        return marked
    lines = [line.strip() for line in output_of(test).splitlines() if line.strip()]
    return [lines[-1] if lines else "no reason given"]


def expected_skips(path):
    rows = [line.split(maxsplit=1) for line in Path(path).read_text().splitlines()]
    return [row for row in rows if len(row) == 2 and not row[0].startswith("#")]


def main(log, expected_path, status):
    tests = [json.loads(line) for line in Path(log).read_text().splitlines()]
    expected = expected_skips(expected_path)
    failed = 0

    print("\nslowest tests:")
    for test in sorted(tests, key=lambda t: -t["duration"])[:10]:
        print(f"  {test['duration']:8.2f} s  {name_of(test)}")

    skipped = [(name_of(test), reason) for test in tests for reason in skips(test)]
    print("\nskipped:" if skipped else "\nskipped: none")
    for test, reason in skipped:
        known = any(name == test and part in reason for name, part in expected)
        print(f"  {test}: {reason}" + ("" if known else "  [not in tests/expected-skips]"))
        failed += not known

    ran = [(test, *counts(test)) for test in tests if test["result"] != "SKIP"]
    passed = sum(good for _, good, _ in ran)
    failed += sum(bad for _, _, bad in ran)
    print("\nfailed:" if failed else "\nfailed: none")
    for test, _, bad in ran:
        if bad:
            print(f"  {name_of(test)}: {test['result']}, {bad} failed")
    if status != 0 and failed == 0:  # interrupted, or a step after the tests
        print(f"  ./dev test: status {status}")
        failed = 1
    print(f"\n{passed} passed, {failed} failed")
    return 0 if passed > 0 and failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
