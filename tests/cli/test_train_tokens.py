"""fpx train on tokens: a text through a tokenizer, a .npy file, with the same results where the tokens are the same;
files that do not fit are refused with a text. test_train_tokens.py FPX ROOT"""
import hashlib
import json
import math
import os

import numpy

from harness import enter_folder, expect, finish, root, run_text as run

enter_folder()


def write(name, text):
    with open(name, "wb") as file:
        file.write(text if isinstance(text, bytes) else text.encode())
    return name


def experiment(data, vocabulary=300, steps=3, name="e.yaml"):
    return write(name, f"""name: tokens
model: {{width: 16, layers: 1, heads: 2, hidden: 16, vocabulary: {vocabulary}, activation: swiglu}}
data: {{{data}, sequence: 16, batch: 2, validation: 0.1}}
optimizer: {{learning_rate: 0.003, warmup: 2}}
steps: {steps}
seed: 1
recipe: fp8
""")


def train(data, **shape):
    done = run("train", experiment(data, **shape), "--json", "-")
    expect(f"{data}: exit 0", done.returncode == 0, done.stderr)
    return json.loads(done.stdout) if done.returncode == 0 else {"loss": None, "bits_per_byte": None}


def refused(name, data, words, **shape):
    done = run("train", experiment(data, **shape))
    expect(name, done.returncode == 2 and all(word in done.stderr for word in words), (done.returncode, done.stderr))


with open(os.path.join(root, "datasets/kjv-genesis-exodus.txt"), "rb") as file:
    text = file.read()[:20000]
write("text", text)
expect("a tokenizer", run("tokenize", "train", "text", "--vocabulary", "300", "-o", "v.bpe").returncode == 0)
expect("tokens", run("tokenize", "encode", "text", "--tokenizer", "v.bpe", "-o", "t.npy").returncode == 0)
tokens = numpy.load("t.npy")

# ---- bytes as a text, as uint16, as uint32: the same run ----
data = numpy.frombuffer(text, dtype=numpy.uint8)
numpy.save("b2.npy", data.astype(numpy.uint16))
numpy.save("b4.npy", data.astype(numpy.uint32))
header = b"{'descr': '<u2', 'fortran_order': False, 'shape': (%d,), }\n" % len(text)  # an odd start of the elements
header += b" " * (len(header) % 2)
write("odd.npy", b"\x93NUMPY\1\0" + (len(header) + 1).to_bytes(2, "little") + b" " + header +
      data.astype(numpy.uint16).tobytes())
plain = train("corpus: text", vocabulary=256)
for name in ("b2.npy", "b4.npy", "odd.npy"):
    other = train(f"tokens: {name}", vocabulary=256)
    expect(f"{name}: the same loss", other["loss"] == plain["loss"] and other["gradient_norm"] == plain["gradient_norm"],
           (other, plain))
    expect(f"{name}: bits per token", other["bits_per_byte"] is None and
           other["bits_per_token"] == plain["bits_per_byte"], (other, plain))
expect("a text has no bits per token", "bits_per_token" not in plain, plain)

# ---- a text through a tokenizer, and its tokens: the same run ----
a, b = train("corpus: text, tokenizer: v.bpe"), train("tokens: t.npy, tokenizer: v.bpe")
expect("text and tokens: the same run", a == b, (a, b))
c = train("tokens: t.npy")
expect("without a tokenizer the loss is the same", c["loss"] == b["loss"] and c["bits_per_byte"] is None, (b, c))
# Bits per byte are bits per token times tokens, divided by bytes, over the targets of validation.
table = [bytes([i]) for i in range(256)]
for line in open("v.bpe", "rb").read().split(b"\n")[2:-2]:
    left, right = map(int, line.split())
    table.append(table[left] + table[right])
held = int(0.1 * len(tokens))
batches = (held - 1) // 16 // 2
targets = tokens[len(tokens) - held + 1:][:batches * 32]
ratio = len(targets) / sum(len(table[t]) for t in targets)
expect("bits per byte", math.isclose(b["bits_per_byte"], c["bits_per_token"] * ratio, rel_tol=1e-12),
       (b["bits_per_byte"], c["bits_per_token"], ratio))
digest = hashlib.sha256(open("t.npy", "rb").read()).hexdigest()
expect("with its sha256", train(f"tokens: t.npy, sha256: {digest}") == c)
done = run("train", experiment("tokens: t.npy, tokenizer: v.bpe"), "--sample", "And God")
expect("a sample of tokens", done.returncode == 0 and done.stdout.startswith("And God"), done)

# ---- what does not fit ----
numpy.save("f.npy", numpy.zeros(2000, dtype=numpy.float32))
numpy.save("two.npy", numpy.zeros((50, 40), dtype=numpy.uint16))
numpy.save("short.npy", tokens[:40])
numpy.save("big.npy", tokens.astype(">u2"))
write("cut.npy", open("t.npy", "rb").read()[:-3])
refused("neither", "validation: 0.1", ["given twice"])  # YAML's own complaint comes first
refused("no source of tokens", "sha256: " + digest, ["lacks the key 'corpus'", "tokens"])
refused("two sources", "corpus: text, tokens: t.npy", ["both given"])
refused("a token beyond the vocabulary", "tokens: t.npy", ["t.npy: token ", "vocabulary of the model has 0 .. 255"],
        vocabulary=256)
refused("a tokenizer beyond it", "tokens: t.npy, tokenizer: v.bpe", ["v.bpe: has 300 tokens", "set it to 300"],
        vocabulary=299)
refused("another sha256", f"tokens: t.npy, sha256: {'0' * 64}", ["another file", digest])
refused("floats", "tokens: f.npy", ["f.npy", "uint16"])
refused("two axes", "tokens: two.npy", ["two.npy", "one axis"])
refused("too short", "tokens: short.npy", ["short.npy", "too short", "tokens"])
refused("big-endian", "tokens: big.npy", ["big-endian"])
refused("cut", "tokens: cut.npy", ["cut.npy", "is cut"])
refused("no .npy", "tokens: text", ["no .npy"])
refused("missing", "tokens: nothing.npy", ["nothing.npy"])
refused("no tokenizer", "corpus: text, tokenizer: text", ["text:1: is no tokenizer"])
refused("too many steps", "tokens: t.npy", ["would repeat tokens", "the corpus gives"], steps=100000)

finish()
