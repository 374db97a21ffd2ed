"""fpx train with data.kind instruct: the loss is the mean over the responses' tokens, a model learns to answer and to
end, prompts are not learnt. test_instruct.py FPX ROOT"""
import json
import math

from harness import enter_folder, expect, finish, run_text as run

enter_folder()


def write(name, text):
    with open(name, "w", encoding="utf-8") as file:
        file.write(text)
    return name


def records(name, pairs):
    return write(name, "".join(json.dumps({"prompt": p, "response": r}) + "\n" for p, r in pairs))


def experiment(data, batch=1, steps=1, validation=0, vocabulary=256, rate=0.01):
    return write("e.yaml", f"""name: instruct
model: {{width: 32, layers: 1, heads: 2, hidden: 48, vocabulary: {vocabulary}, activation: swiglu}}
data: {{{data}, kind: instruct, sequence: 16, batch: {batch}, validation: {validation}}}
optimizer: {{learning_rate: {rate}, warmup: 2}}
steps: {steps}
seed: 1
recipe: fp32
""")


def train(*args, **how):
    done = run("train", experiment(*args, **how), "--json", "-")
    expect(f"{args}: exit 0", done.returncode == 0, done.stderr)
    return json.loads(done.stdout)


# ---- the loss of a batch is the mean over the targets of all its records: the end is one ----
a, b = ("ask a", "xyz"), ("ask something else", "q")
records("a.jsonl", [a]), records("b.jsonl", [b]), records("ab.jsonl", [a, b])
one = train("corpus: a.jsonl")["loss"]
two = run("train", experiment("corpus: b.jsonl"), "--json", "-")
expect("a record that is too long is refused with its line", two.returncode == 2 and "b.jsonl:1: " in two.stderr and
       "20 tokens; data.sequence 16 takes 17" in two.stderr, two.stderr)
b = ("ask else", "q")
records("b.jsonl", [b]), records("ab.jsonl", [a, b])
two, both = train("corpus: b.jsonl")["loss"], train("corpus: ab.jsonl", batch=2)["loss"]
want = (4 * one + 2 * two) / 6
expect("the mean over targets", math.isclose(both, want, rel_tol=1e-6) and not
       math.isclose(both, (one + two) / 2, rel_tol=1e-6), (one, two, both, want))

# ---- a model learns to answer ----
letters = "abcdefghijklmnop"
answers = {c: letters[(5 * i + 3) % 16] * (1 + i % 3) for i, c in enumerate(letters)}
order = [letters[k * 7 % 16] for k in range(2400)]
records("learn.jsonl", [(f"{c}?", answers[c]) for c in order])
done = run("train", experiment("corpus: learn.jsonl", batch=8, steps=250, validation=0.1), "--checkpoint", "c", "--json",
           "-")
expect("trained", done.returncode == 0, done.stderr)
result = json.loads(done.stdout)
print("loss", result["loss"], "bits per byte", result["bits_per_byte"])
expect("learnt", result["loss"] < 0.05 and result["bits_per_byte"] < 0.1, result)
for c in letters:
    done = run("sample", "c", "--prompt", f"{c}?", "--temperature", "0")
    expect(f"{c}? is answered, and the answer ends", done.stdout == f"{c}?{answers[c]}\n", done.stdout)

# ---- with a tokenizer: prompt and response are encoded each for itself ----
write("text", "what is it? it is it. " * 50)
expect("a tokenizer", run("tokenize", "train", "text", "--vocabulary", "264", "-o", "v.bpe").returncode == 0)
records("t.jsonl", [("what is it? ", "it is.")] * 40)
done = run("train", experiment("corpus: t.jsonl, tokenizer: v.bpe", batch=2, steps=20, vocabulary=264), "--checkpoint",
           "t")
expect("trained on tokens", done.returncode == 0, done.stderr)
done = run("sample", "t", "--prompt", "what is it? ", "--temperature", "0")
expect("answers", done.stdout == "what is it? it is.\n", done.stdout)

# ---- what does not fit ----
for name, data, words in (
        ("tokens", "tokens: t.npy", ["data.tokens", "prompts"]),
        ("a text", "corpus: text", ["text:1: "]),
        ("missing", "corpus: nothing.jsonl", ["nothing.jsonl"])):
    done = run("train", experiment(data))
    expect(name, done.returncode == 2 and all(word in done.stderr for word in words), done.stderr)
shape = '{"prompt": "...", "response": "..."}'
good = '{"prompt": "a", "response": "b"}\n'
for name, line, words in (("prose", "hello", "no JSON object on one line"), ("a half", good[:20], "no JSON object"),
                          ("two", good[:-1] + good[:-1], "no JSON object"), ("a list", "[1]", ""),
                          ("a zero", good.replace("b", "\\u0000"), "a text holds \\u0000"),
                          ("a zero in a key", good.replace("prompt", "\\u0000"), "a key holds \\u0000"),
                          ("twice", good.replace("response", "prompt"), "a key is given twice"),
                          ("Latin-1", good.replace("b", "\udce9"), "not UTF-8")):
    with open("odd.jsonl", "wb") as file:
        file.write((good + line + "\n").encode("utf-8", "surrogateescape"))
    done = run("train", experiment("corpus: odd.jsonl"))
    expect(f"{name} is refused", done.returncode == 2 and f"odd.jsonl:2: {words}" in done.stderr and
           f"expected {shape}" in done.stderr and "near" not in done.stderr and "ALLOW" not in done.stderr, done.stderr)
done = run("train", experiment("corpus: ab.jsonl", batch=2, steps=2))
expect("no record is repeated", done.returncode == 2 and "the corpus gives 1" in done.stderr, done.stderr)
with open("e.yaml", encoding="ascii") as file:
    text = file.read()
done = run("train", write("e.yaml", text.replace("instruct, seq", "chat, seq")))
expect("another kind", done.returncode == 2 and "text, instruct, preference" in done.stderr, done.stderr)

finish()
