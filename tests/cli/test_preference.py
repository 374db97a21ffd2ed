"""fpx train with data.kind preference: a model that answers either way is fine-tuned until it prefers one; what it prints,
what it refuses; its checkpoint is a model like any other. test_preference.py FPX ROOT"""
import json
import math
import os

from harness import enter_folder, expect, finish, run_text as run

enter_folder()


def write(name, text):
    with open(name, "w", encoding="utf-8") as file:
        file.write(text)
    return name


def lines(name, rows):
    return write(name, "".join(json.dumps(row) + "\n" for row in rows))


def experiment(name, data, steps, rate, more=""):
    return write(name, f"""name: {name}
model: {{width: 32, layers: 1, heads: 2, hidden: 48, vocabulary: 256, activation: swiglu}}
data: {{{data}, sequence: 12, batch: 8, validation: 0.1}}
optimizer: {{learning_rate: {rate}, warmup: 2}}
steps: {steps}
seed: 1
recipe: fp32
{more}""")


# ---- a model learns answers, in lower and upper case alike; then to prefer lower case ----
letters = "abcdefghijklmnop"
answers = {c: letters[(5 * i + 3) % 16] * 2 for i, c in enumerate(letters)}
order = [letters[k * 7 % 16] for k in range(1400)]
lines("learn.jsonl", [{"prompt": f"{c}?", "response": answers[c].upper() if k // 16 % 3 else answers[c]}
                      for k, c in enumerate(order)])
lines("pairs.jsonl", [{"prompt": f"{c}?", "chosen": answers[c], "rejected": answers[c].upper()} for c in order[:640]])
done = run("train", experiment("learn.yaml", "corpus: learn.jsonl, kind: instruct", 150, 0.01), "--checkpoint", "learnt")
expect("learnt", done.returncode == 0, done.stderr)
before = [run("sample", "learnt", "--prompt", f"{c}?", "--temperature", "0").stdout for c in letters]
expect("upper case is likelier", sum(text == f"{c}?{answers[c].upper()}\n" for c, text in zip(letters, before)) >= 14, before)

pairs = experiment("pairs.yaml", "corpus: pairs.jsonl, kind: preference, beta: 0.5", 70, 0.001)
done = run("train", pairs, "--init", "learnt", "--checkpoint", "tuned", "--json", "-")
expect("tuned", done.returncode == 0, done.stderr)
result = json.loads(done.stdout)
of = result["preference"]
print("loss", result["loss"], of)
expect("margin and accuracy have risen", of["margin"] > 0.5 and of["accuracy"] == 1 and
       result["loss"] < 0.5 and of["validation"]["margin"] > 0.5 and of["validation"]["accuracy"] == 1 and
       of["validation"]["loss"] < 0.5 and result["bits_per_byte"] is None, result)
expect("both are printed", "  margin " in done.stderr and "  accuracy 1.000" in done.stderr and
       "validation: loss 0." in done.stderr, done.stderr)
after = [run("sample", "tuned", "--prompt", f"{c}?", "--temperature", "0").stdout for c in letters]
# The loss asks for a difference only: some answers become unlikely together, and what is drawn is a third.
expect("upper case is not", not any(text[2:-1].isupper() for text in after) and
       sum(text[2:-1].islower() for text in after) >= 10, after)

# ---- before the first step nothing is preferred; a shadow contradicts nothing, whatever is dropped ----
done = run("train", pairs, "--init", "learnt", "--steps", "1", "--shadow", "both", "--json", "-")
expect("log 2", done.returncode == 0 and math.isclose(json.loads(done.stdout)["loss"], math.log(2), rel_tol=1e-7) and
       json.loads(done.stdout)["preference"]["margin"] == 0 and ", 0 contradicted" in done.stderr, done.stderr)
with open("pairs.yaml", encoding="ascii") as file:
    text = file.read()
dropped = write("dropped.yaml", text.replace("swiglu}", "swiglu, dropout: 0.1}").replace("batch: 8", "batch: 2, accumulate: 4"))
done = run("train", dropped, "--init", "learnt", "--steps", "4", "--shadow", "both", "--recipe", "fp8", "--trace", "t.h5")
expect("with dropout and micro-batches", done.returncode == 0 and ", 0 contradicted" in done.stdout, done.stdout + done.stderr)

# ---- resuming goes on with the same reference: the same model ----
whole = run("train", pairs, "--init", "learnt", "--steps", "12", "--checkpoint", "whole", "--every", "5")
expect("whole", whole.returncode == 0, whole.stderr)
os.mkdir("cut")
os.rename("whole/step-000005.safetensors", "cut/step-000005.safetensors")
done = run("train", pairs, "--resume", "cut", "--steps", "12")
expect("resumed", done.returncode == 0, done.stderr)
with open("whole/step-000012.safetensors", "rb") as one, open("cut/step-000012.safetensors", "rb") as other:
    expect("the same bytes", one.read() == other.read())

# ---- the same records in another order, or answered elsewhere, are other data: the stored reference is of these no more ----
with open("pairs.jsonl", encoding="ascii") as file:
    rows = [json.loads(line) for line in file]
for name, others in (("another order", rows[1:] + rows[:1]),
                     ("the prompt ends elsewhere", [{**row, "prompt": row["prompt"][:-1], "chosen": "?" + row["chosen"],
                                                     "rejected": "?" + row["rejected"]} for row in rows])):
    lines("pairs.jsonl", others)
    done = run("train", pairs, "--resume", "cut", "--steps", "12")
    expect(name, done.returncode == 2 and "was made with other data" in done.stderr and "pairs.jsonl" in done.stderr,
           done.stderr)
lines("pairs.jsonl", rows)
done = run("train", pairs, "--resume", "cut", "--steps", "12")
expect("the same again", done.returncode == 0, done.stderr)

# ---- the tuned model starts other runs ----
done = run("train", "learn.yaml", "--init", "tuned", "--steps", "2")
expect("instruct from preferences", done.returncode == 0, done.stderr)
done = run("train", pairs, "--compare", "fp32,bf16", "--seeds", "2", "--steps", "3", "--json", "-")
expect("compared", done.returncode == 0 and list(json.loads(done.stdout)["bits_per_pair"]) == ["fp32", "bf16"], done.stderr)
done = run("train", pairs, "--memory")
expect("memory", done.returncode == 0 and "resident at its peak" in done.stdout, done.stderr)

# ---- what does not fit ----
for name, rows, words in (
        ("a response", [{"prompt": "a", "response": "b"}], ["x.jsonl:1: expected", '"chosen"']),
        ("no answer", [{"prompt": "a", "chosen": "b", "rejected": "c"}, {"prompt": "a", "chosen": "", "rejected": "c"}],
         ["x.jsonl:2: the chosen is empty"]),
        ("a long one", [{"prompt": "a", "chosen": "b", "rejected": "c" * 30}],
         ["x.jsonl:1: prompt, rejected response and end are 32 tokens; data.sequence 12 takes 13"]),
        ("few", [{"prompt": "a", "chosen": "b", "rejected": "c"}] * 3, ["3 records are too short"])):
    lines("x.jsonl", rows)
    done = run("train", experiment("x.yaml", "corpus: x.jsonl, kind: preference", 1, 0.001))
    expect(name, done.returncode == 2 and all(word in done.stderr for word in words), done.stderr)
for name, data, words in (
        ("odd", text.replace("batch: 8", "batch: 7"), "data.batch is 7, but must be even"),
        ("beta elsewhere", text.replace("kind: preference", "kind: instruct"), "data.beta is a key of"),
        ("beta 0", text.replace("beta: 0.5", "beta: 0"), "data.beta is '0'"),
        ("tokens", text.replace("corpus: pairs.jsonl", "tokens: t.npy"), "data.tokens has no prompts")):
    done = run("train", write("x.yaml", data))
    expect(name, done.returncode == 2 and words in done.stderr and "x.yaml:3:" in done.stderr, done.stderr)

finish()
