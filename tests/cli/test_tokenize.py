"""fpx tokenize against a naive tokenizer (bpe.py), bit for bit; no bytes are lost; damaged files are refused.
test_tokenize.py FPX ROOT"""
import os
import random

import numpy

import bpe
from harness import enter_folder, expect, finish, root, run as run_fpx


def run(*args):
    return run_fpx("tokenize", *args)


def refused(name, *args, words=()):
    done = run(*args)
    text = done.stderr.decode(errors="replace")
    expect(name, done.returncode == 2 and all(word in text for word in words), (done.returncode, text))


def write(name, content):
    with open(name, "wb") as file:
        file.write(content)
    return name


def read(name):
    with open(name, "rb") as file:
        return file.read()


enter_folder()
generator = random.Random(20261128)
prose = read(os.path.join(root, "datasets/kjv-genesis-exodus.txt"))


def draw(n, alphabet):
    return bytes(generator.choice(alphabet) for _ in range(n))


# What cuts, ties and repeats hang on: few letters, blanks of every kind and length, long runs, all bytes.
texts = {
    "prose": (prose[:60000], 700),
    "ties": (b"ab ab cd cd ef ef abcd abcd", 300),
    "repeats": (b"a" * 1000 + b" " + b"aaa aaaa aaaaa " * 7, 300),
    "two letters": (draw(4000, b"ab"), 400),
    "few": (draw(6000, b"ab1- \n"), 500),
    "blanks": (draw(5000, b"  \t\n\r\v\fa."), 400),
    "spaces": (b"".join(b" " * generator.randrange(140) + draw(generator.randrange(3), b"x9.")
                        for _ in range(300)), 400),
    "blank runs": (b"".join(draw(generator.randrange(140), b"  \n\t") + draw(generator.randrange(2), b"x9.")
                            for _ in range(200)) + b"x \n  ", 400),
    "long words": (b"".join(draw(generator.randrange(200), b"ab") + b" " for _ in range(60)), 300),
    "all bytes": (draw(20000, bytes(range(256))), 800),
    "UTF-8": ("".join(generator.choice("aé ß漢字🙂. 0") for _ in range(4000)).encode(), 500),
}
for name, (text, vocabulary) in texts.items():
    merges = bpe.train(text, vocabulary)
    write("text", text)
    done = run("train", "text", "--vocabulary", str(vocabulary), "-o", "v.bpe")
    expect(f"{name}: trained", done.returncode == 0, done.stderr)
    expect(f"{name}: the same merges", read("v.bpe") == bpe.file_of(merges), read("v.bpe")[:400])
    expect(f"{name}: says where no pair is left", (b"no other pair" in done.stderr) ==
           (256 + len(merges) < vocabulary), done.stderr)
    tokens = bpe.table(merges)
    for other, (text, _) in texts.items():
        write("text", text)
        done = run("encode", "text", "--tokenizer", "v.bpe", "-o", "t.npy")
        expect(f"{name} encodes {other}", done.returncode == 0, done.stderr)
        found = numpy.load("t.npy")
        expect("as uint16", found.dtype == numpy.uint16 and found.ndim == 1)
        expect(f"{name} encodes {other} to the same tokens", found.tolist() == bpe.encode(text, merges))
        expect(f"{name} on {other}: Python's own decoding", b"".join(tokens[t] for t in found) == text)
        done = run("decode", "t.npy", "--tokenizer", "v.bpe", "-o", "back")
        expect(f"{name}: {other} comes back", done.returncode == 0 and read("back") == text, done.stderr)
print(f"{len(texts)} vocabularies, each over {len(texts)} texts: as the naive tokenizer's")

# ---- edges of the verb ----
write("text", prose)
expect("default", run("train", "text", "--vocabulary", "1024", "-o", "v.bpe").returncode == 0)
merges = [tuple(map(int, line.split())) for line in read("v.bpe").split(b"\n")[2:-2]]
expect("1024 tokens", len(merges) == 1024 - 256)
again = run("train", "text", "--vocabulary", "1024", "-o", "v.bpe")
expect("a tokenizer may be replaced by one", again.returncode == 0, again.stderr)
# Work is about linear in the text: a merge touches the pieces that hold its pair (run() has a time limit).
write("long", prose * 8 + b"".join(b"%d " % i for i in range(100000)))
expect("a longer text, a large vocabulary", run("train", "long", "--vocabulary", "20000", "-o", "l.bpe").returncode == 0)
write("empty", b"")
expect("an empty text", run("encode", "empty", "--tokenizer", "v.bpe", "-o", "e.npy").returncode == 0)
expect("has no tokens", numpy.load("e.npy").shape == (0,))
expect("and back", run("decode", "e.npy", "--tokenizer", "v.bpe", "-o", "back").returncode == 0 and read("back") == b"")
numpy.save("wide.npy", numpy.array([72, 256, 1023], dtype=numpy.uint32))
done = run("decode", "wide.npy", "--tokenizer", "v.bpe", "-o", "-")
expect("uint32, to standard output", done.returncode == 0 and done.stdout == b"H" + bpe.table(merges)[256] +
       bpe.table(merges)[1023], done)
refused("nothing to learn", "train", "empty", "-o", "n.bpe", words=["empty", "no pair occurs twice"])
refused("too small", "train", "text", "-o", "n.bpe", "--vocabulary", "256", words=["--vocabulary", "257"])
refused("too large", "train", "text", "-o", "n.bpe", "--vocabulary", "65537", words=["65536"])
refused("no output", "train", "text", words=["train needs -o"])
refused("standard output", "train", "text", "-o", "-", words=["writes a file"])
refused("no tokenizer", "encode", "text", "-o", "x.npy", words=["encode needs --tokenizer"])
refused("a strange option", "encode", "text", "-o", "x.npy", "--vocabulary", "300", words=["encode has no --vocabulary"])
refused("a strange action", "learn", "text", words=["expected train, encode or decode"])
refused("another's file", "train", "text", "-o", "text2", words=["not a tokenizer"]) if write("text2", b"mine") else 0
expect("is as it was", read("text2") == b"mine")
refused("its own input", "train", "text", "-o", "text", words=["overwrite"])
refused("no such text", "encode", "nothing", "--tokenizer", "v.bpe", "-o", "x.npy", words=["nothing"])
refused("not a tokenizer", "encode", "text", "--tokenizer", "text", "-o", "x.npy", words=["text:1: is no tokenizer"])
for name, array, words in (
        ("a token beyond", numpy.array([0, 1024], dtype=numpy.uint16), ["token 1 is 1024", "0 .. 1023"]),
        ("a wide token beyond", numpy.array([65536], dtype=numpy.uint32), ["token 0 is 65536"]),
        ("floats", numpy.zeros(3, dtype=numpy.float32), ["uint16"]),
        ("two axes", numpy.zeros((3, 2), dtype=numpy.uint16), ["one axis"]),
        ("big-endian", numpy.zeros(3, dtype=">u2"), ["big-endian"])):
    numpy.save("bad.npy", array)
    refused(name, "decode", "bad.npy", "--tokenizer", "v.bpe", "-o", "back", words=["bad.npy", *words])

# ---- damaged files ----
good = read("v.bpe")
body = good[:good.rindex(b"sha256")]
for name, content, words in (
        ("cut", good[:3000], ["d.bpe:"]),
        ("empty", b"", ["d.bpe:1:"]),
        ("another version", good.replace(b"tokenizer 1", b"tokenizer 2", 1), ["d.bpe:1:"]),
        ("a changed merge", good.replace(b"\n104 101\n", b"\n104 100\n", 1), ["sha256"]),
        ("a later token", bpe.signed(body.replace(b"\n104 101\n", b"\n104 999\n", 1)), ["earlier tokens"]),
        ("its own token", bpe.signed(b"fpx-tokenizer 1\nvocabulary 257\n256 0\n"), ["d.bpe:3:", "token 256"]),
        ("a pair twice", bpe.signed(b"fpx-tokenizer 1\nvocabulary 258\n1 2\n1 2\n"), ["d.bpe:4:", "already"]),
        ("a long token", bpe.signed(b"fpx-tokenizer 1\nvocabulary 263\n97 97\n" +
                                    b"".join(b"%d %d\n" % (t, t) for t in range(256, 262))), ["longer than a piece"]),
        ("fewer merges", bpe.signed(b"fpx-tokenizer 1\nvocabulary 258\n1 2\n"), ["d.bpe:4:", "token 257"]),
        ("more merges", bpe.signed(b"fpx-tokenizer 1\nvocabulary 257\n1 2\n2 1\n"), ["d.bpe:4:", "more or fewer"]),
        ("more behind", good + b"\n", ["follows"]),
        ("leading zero", bpe.signed(body.replace(b"\n104 101\n", b"\n0104 101\n", 1)), ["earlier tokens"]),
        ("no merges", bpe.signed(b"fpx-tokenizer 1\nvocabulary 256\n"), ["d.bpe:2:", "257"]),
        ("a huge vocabulary", bpe.signed(b"fpx-tokenizer 1\nvocabulary 99999999999999999999\n"), ["d.bpe:2:"])):
    assert content != good, name
    write("d.bpe", content)
    refused(name, "encode", "text", "--tokenizer", "d.bpe", "-o", "x.npy", words=words)
write("d.bpe", bpe.signed(b"fpx-tokenizer 1\nvocabulary 262\n97 97\n" +
                          b"".join(b"%d %d\n" % (t, t) for t in range(256, 261))))
expect("a token of 64 bytes", run("encode", "text", "--tokenizer", "d.bpe", "-o", "x.npy").returncode == 0)

finish()
