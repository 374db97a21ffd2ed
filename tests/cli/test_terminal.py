"""fpx train as a person at a terminal has it: a line that rewrites itself, Ctrl-C at any moment says what is saved and what it
says is true, messages begin lines of their own; and slips are refused before anything is trained. test_terminal.py FPX ROOT"""
import json
import os
import pty
import re
import select
import time

from harness import enter_folder, expect, finish, fpx, run_text as run

enter_folder()


def write(name, text):
    with open(name, "w", encoding="utf-8") as file:
        file.write(text)
    return name


def experiment(name, steps, data="corpus: text", more=""):
    return write(name, f"""name: terminal
model: {{width: 16, layers: 1, heads: 2, hidden: 24, vocabulary: 256, activation: gelu{more}}}
data: {{{data}, sequence: 16, batch: 2, validation: 0.1}}
optimizer: {{learning_rate: 0.01, warmup: 2}}
steps: {steps}
seed: 1
recipe: fp32
""")


def at_terminal(*args, until=None, delay=0.0):
    """What is seen there, and the exit code; Ctrl-C is typed `delay` seconds after `until` was seen."""
    child, terminal = pty.fork()
    if child == 0:
        os.execv(fpx, [fpx, *args])
    seen, typed, due = b"", until is None, None
    while True:
        if select.select([terminal], [], [], 0.005)[0]:
            try:
                more = os.read(terminal, 1 << 16)
            except OSError:
                break
            if not more:
                break
            seen += more
        if not typed and due is None and until in seen:
            due = time.monotonic() + delay
        if not typed and due is not None and time.monotonic() >= due:
            os.write(terminal, b"\x03")
            typed = True
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), seen.decode()


write("text", "in the beginning was the word, and the word was long. " * 12000)
line = r"step (\d+)/(\d+)  loss [\d.]+  gradient norm [\d.]+  \d+ tokens/s  \d+ s left"

# ---- a run to its end: every progress is on one line that is cleared first; the last one stays ----
code, seen = at_terminal("train", experiment("e.yaml", 300))
shown = seen.split("\r\x1b[K")
expect("progress", code == 0 and shown[0] == "" and len(shown) > 1 and all(re.fullmatch(line, text) for text in shown[1:-1]) and
       re.fullmatch(line + r"\r\nvalidation: [\d.]+ bits per byte\r\n", shown[-1]), seen)
piped = run("train", "e.yaml")
expect("piped: one line", re.fullmatch(line + r"\nvalidation: [\d.]+ bits per byte\n", piped.stderr) and "300/300" in piped.stderr,
       piped.stderr)

# ---- Ctrl-C: what it says is saved is there, and the run goes on from there ----
experiment("long.yaml", 15000)
for attempt in range(8):
    folder = f"c{attempt}"
    code, seen = at_terminal("train", "long.yaml", "--checkpoint", folder, until=b"step ", delay=0.037 * attempt)
    at = re.search(r"\r\nfpx: interrupted after (\d+) of 15000 steps; the state is saved, go on with --resume " + folder, seen)
    there = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    expect(f"attempt {attempt}", code == 2 and at and f"step-{int(at[1]):06}.safetensors" in there, (code, seen[-300:], there))
code, seen = at_terminal("train", "long.yaml", "--compare", "fp32,bf16", "--seeds", "1", until=b"step ")
expect("a comparison", code == 2 and re.search(r"\r\nfpx: interrupted after \d+ of 15000 steps\r\n$", seen), seen[-300:])

# ---- of preferences: while the reference is asked, and after ----
write("pairs.jsonl", "".join(json.dumps({"prompt": f"{i}?", "chosen": "yes", "rejected": "no"}) + "\n" for i in range(30000)))
pairs = experiment("pairs.yaml", 13000, "corpus: pairs.jsonl, kind: preference")
code, seen = at_terminal("train", pairs, "--checkpoint", "p", until=b"reference model: ")
expect("before the first step", code == 2 and re.search(
    r"reference model: \d+ batches left.*\r\nfpx: interrupted before the first step, with \d+ batches left for the reference model", seen,
    re.S) and not os.path.exists("p"), seen[-300:])

# ---- slips that would cost a run ----
expect("a vocabulary", run("tokenize", "train", "text", "--vocabulary", "260", "-o", "v").returncode == 0)
expect("tokens", run("tokenize", "encode", "text", "--tokenizer", "v", "-o", "t.npy").returncode == 0)
tokens = write("tokens.yaml", open(experiment("x.yaml", 5, "tokens: t.npy"), encoding="ascii").read().replace("256", "260"))
done = run("train", tokens, "--sample", "in", "--trace", "t.h5")
expect("tokens alone give no sample", done.returncode == 2 and "--sample needs a text" in done.stderr and "step" not in done.stderr and
       not os.path.exists("t.h5"), done.stderr)
done = run("train", "e.yaml", "--sample", "")
expect("an empty prompt", done.returncode == 2 and "at least one byte" in done.stderr and "step" not in done.stderr, done.stderr)
none = write("none.yaml", open("e.yaml", encoding="ascii").read().replace("validation: 0.1", "validation: 0"))
done = run("train", none, "--compare", "fp32,bf16", "--seeds", "1")
expect("nothing to compare by", done.returncode == 2 and "data.validation is 0" in done.stderr and "step" not in done.stderr, done.stderr)
done = run("train", experiment("drop.yaml", 5, more=", dropout: 1.5"))
expect("too much dropout", done.returncode == 2 and "drop.yaml:2:" in done.stderr and "at least 0 and below 1" in done.stderr, done.stderr)
huge = write("huge.yaml", open("e.yaml", encoding="ascii").read().replace("width: 16", "width: 1048576")
             .replace("hidden: 24", "hidden: 16777216"))
done = run("train", huge)
expect("larger than the machine", done.returncode == 2 and "GiB, this machine has" in done.stderr, done.stderr)
done = run("train", huge, "--memory")
expect("only planned", done.returncode == 0 and "resident at its peak" in done.stdout and
       done.stdout.splitlines()[-1].startswith("note: this machine has "), done.stderr)
expect("a checkpoint", run("train", experiment("y.yaml", 2), "--checkpoint", "y").returncode == 0)
wide = write("wide.yaml", open("y.yaml", encoding="ascii").read().replace("width: 16", "width: 32"))
done = run("train", wide, "--init", "y")
expect("another width", done.returncode == 2 and "embed/w is F32 [256, 16]" in done.stderr and "keys and values" not in done.stderr,
       done.stderr)

finish()
