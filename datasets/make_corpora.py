#!/usr/bin/env python3
"""Builds the larger corpora of corpora.txt from Debian's packages, byte for byte.

make_corpora.py [FOLDER]    fetch the packages (or take their .deb files from FOLDER), build, compare, write here
make_corpora.py --check     compare what was built with corpora.txt; exit 77 where nothing was

corpus-5m.txt   the King James Version, a paragraph a chapter, and the Jargon File
corpus-30m.txt  the same and WordNet's dictionary
Every source is cut at lines into 100 equal parts; the corpus is the first part of each source, the second of each, and
so on, so that its end, which validation takes, is like the rest. It ends with the last whole line within its size.
"""
import gzip
import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

import make_text

HERE = Path(__file__).resolve().parent
PARTS = 100
DICTIONARY = "usr/share/dictd/{}.dict.dz"
CORPORA = {
    "corpus-5m.txt": (5_000_000, ("bible-kjv-text", "dict-jargon")),
    "corpus-30m.txt": (30_000_000, ("bible-kjv-text", "dict-jargon", "dict-wn")),
}


def fail(text):
    print(f"make_corpora.py: {text}", file=sys.stderr)
    sys.exit(2)


def package_file(name, folder):
    """The .deb of this package: from a folder, fetched where there is none."""
    found = sorted(Path(folder).glob(f"{name}_*.deb"))
    if not found:
        subprocess.run(["apt-get", "-q", "download", name], cwd=folder)
        found = sorted(Path(folder).glob(f"{name}_*.deb"))
    if not found:
        fail(f"could not download {name}: give a folder that holds its .deb")
    return found[-1]


def text_of(name, folder):
    """The package's text: of the Bible all chapters, of a dictionary the file that dictd reads."""
    deb = package_file(name, folder)
    if name == make_text.PACKAGE:
        make_text.LIMIT = 1 << 30
        return make_text.extract(make_text.unpack(make_text.open_package(deb)))
    with tempfile.TemporaryDirectory() as tmp:
        subprocess.run(["dpkg-deb", "-x", str(deb), tmp], check=True)
        packed = (Path(tmp) / DICTIONARY.format(name.split("-", 1)[1])).read_bytes()
    return gzip.decompress(packed)


def parts_of(text):
    """PARTS pieces of about the same length, each ending with a line."""
    ends = [0]
    for i in range(1, PARTS):
        ends.append(max(ends[-1], text.find(b"\n", len(text) * i // PARTS) + 1))
    ends.append(len(text))
    return [text[a:b] for a, b in zip(ends, ends[1:])]


def build(size, texts):
    whole = b"".join(part for group in zip(*map(parts_of, texts)) for part in group)
    if len(whole) < size:
        fail(f"the packages hold {len(whole)} bytes, not {size}: other versions?")
    return whole[:whole.rindex(b"\n", 0, size) + 1]


def manifest():
    rows = {}
    for line in (HERE / "corpora.txt").read_text(encoding="ascii").splitlines():
        if line and not line.startswith("#"):
            name, size, digest = line.split(maxsplit=3)[:3]
            rows[name] = (int(size), digest)
    return rows


def verify(name, data):
    got = len(data), hashlib.sha256(data).hexdigest()
    want = manifest().get(name)
    return None if got == want else f"{name}: has {got}, corpora.txt says {want}"


def check():
    here = [name for name in CORPORA if (HERE / name).exists()]
    if not here:
        print("no corpora are built here: datasets/make_corpora.py builds them")
        return 77
    wrong = [text for text in (verify(name, (HERE / name).read_bytes()) for name in here) if text]
    print("\n".join(wrong) or f"{len(here)} corpora as in corpora.txt")
    return 1 if wrong else 0


def main(args):
    if args == ["--check"]:
        return check()
    if len(args) > 1 or (args and args[0].startswith("-")):
        fail("usage:\n" + __doc__.split("\n\n")[1])
    if args and not Path(args[0]).is_dir():
        fail(f"{args[0]}: no such folder")
    with tempfile.TemporaryDirectory() as tmp:
        folder = args[0] if args else tmp
        texts = {name: text_of(name, folder) for _, names in CORPORA.values() for name in names}
    for name, (size, sources) in CORPORA.items():
        data = build(size, [texts[source] for source in sources])
        wrong = verify(name, data)
        if wrong:
            fail(f"{wrong}: of other versions of the packages")
        (HERE / name).write_bytes(data)
        print(f"{name}: {len(data)} bytes, as in corpora.txt")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
