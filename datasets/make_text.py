#!/usr/bin/env python3
"""Rebuilds datasets/kjv-genesis-exodus.txt from Debian's bible-kjv-text, byte for byte.

make_text.py [bible.data | bible-kjv-text_*.deb]   rebuild, compare with manifest.txt, write
make_text.py --check                               compare the committed files with manifest.txt
Without an argument the package is fetched with `apt-get download`.
"""
import hashlib
import re
import struct
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

HERE = Path(__file__).resolve().parent
NAME = "kjv-genesis-exodus.txt"
PACKAGE = "bible-kjv-text"
MEMBER = "usr/lib/bible.data"
LIMIT = 300_000  # bytes: what this repository is willing to carry
WIDTH = 72  # the line length of plain-text books


def fail(text):
    print(f"make_text.py: {text}", file=sys.stderr)
    sys.exit(2)


def manifest():
    """Rows of manifest.txt: name -> (bytes, sha256). Lines starting with # are comments."""
    rows = {}
    for line in (HERE / "manifest.txt").read_text(encoding="ascii").splitlines():
        if line and not line.startswith("#"):
            name, size, digest = line.split(maxsplit=3)[:3]
            rows[name] = (int(size), digest)
    return rows


def verify(name, data):
    """None where data is what the manifest says, else a sentence that says what differs."""
    size, digest = manifest()[name]
    got = hashlib.sha256(data).hexdigest()
    if (len(data), got) == (size, digest):
        return None
    return f"{name}: {len(data)} bytes, sha256 {got}; manifest.txt says {size}, {digest}"


def unpack(data):
    """The text inside bible.data: windows of 64 KiB, each compressed by compress(1).

    Header (big endian): at 0x58 the number of windows, at 0x5c their offsets; the three-byte .Z
    header that all windows share stands once, before the first."""
    if not data.startswith(b"EC02Compressed Data File"):
        fail("this is not the bible.data of bible-kjv-text")
    (count,) = struct.unpack_from(">I", data, 0x58)
    starts = struct.unpack_from(f">{count + 1}I", data, 0x5C)
    head = data[starts[0] - 3 : starts[0]]
    windows = [
        subprocess.run(["gzip", "-dc"], input=head + data[a:b], capture_output=True, check=True)
        for a, b in zip(starts, starts[1:] + (len(data),))
    ]
    return b"".join(w.stdout for w in windows).decode("ascii")


def extract(text):
    """Whole chapters from the first on, references dropped, one wrapped paragraph each."""
    chapters = {}
    for line in text.splitlines()[1:]:
        chapter, verse = re.fullmatch(r"(\w+?\d+):\d+ (.*)", line).groups()
        chapters.setdefault(chapter, []).append(verse)
    out = ""
    for verses in chapters.values():
        paragraph = textwrap.fill(" ".join(verses), WIDTH, break_on_hyphens=False) + "\n"
        if len(out) + 1 + len(paragraph) > LIMIT:
            break
        out += ("\n" if out else "") + paragraph
    return out.encode("ascii")


def open_package(path):
    """bible.data out of a .deb, or the file itself."""
    if path.suffix != ".deb":
        return path.read_bytes()
    with tempfile.TemporaryDirectory() as tmp:
        subprocess.run(["dpkg-deb", "-x", str(path), tmp], check=True)
        return (Path(tmp) / MEMBER).read_bytes()


def fetch():
    with tempfile.TemporaryDirectory() as tmp:
        run = subprocess.run(["apt-get", "-q", "download", PACKAGE], cwd=tmp)
        debs = list(Path(tmp).glob("*.deb"))
        if run.returncode != 0 or not debs:
            fail(f"could not download {PACKAGE}; give the path of its .deb or of its bible.data")
        return open_package(debs[0])


def main(args):
    if args == ["--check"]:
        wrong = []
        for name in manifest():
            path = HERE / name
            text = verify(name, path.read_bytes()) if path.exists() else f"{name}: missing"
            wrong += [text] if text else []
        print("\n".join(wrong) or f"{len(manifest())} file(s) as in manifest.txt")
        return 1 if wrong else 0
    if len(args) > 1 or (args and args[0].startswith("-")):
        fail("usage:\n" + __doc__.split("\n\n")[1])
    if args and not Path(args[0]).is_file():
        fail(f"{args[0]}: no such file")
    text = extract(unpack(open_package(Path(args[0])) if args else fetch()))
    wrong = verify(NAME, text)
    if wrong:
        fail(wrong)
    (HERE / NAME).write_bytes(text)
    print(f"{NAME}: {len(text)} bytes, as in manifest.txt")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
