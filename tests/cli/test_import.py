"""fpx train --init: a Llama-shaped model gives the loss that an independent forward pass in float64 gives; a checkpoint
of fpx train is taken on; what the model cannot represent is refused. test_import.py FPX ROOT"""
import json
import os
import struct

import numpy

from harness import enter_folder, expect, finish, root, run_text as run

enter_folder()
V, C, F, H, LAYERS, T, EPS, BASE = 256, 24, 40, 3, 2, 16, 1e-5, 5000.0


def experiment(name="e.yaml", rate=0, layers=LAYERS, width=C, activation="swiglu", recipe="fp32", steps=1):
    with open(name, "w", encoding="ascii") as file:
        file.write(f"""name: import
model: {{width: {width}, layers: {layers}, heads: {H}, hidden: {F}, vocabulary: {V}, activation: {activation},
        norm_eps: {EPS}, rope_base: {BASE}}}
data: {{corpus: text, sequence: {T}, batch: 2, validation: 0.5}}
optimizer: {{learning_rate: {rate}, warmup: 0, weight_decay: 0}}
steps: {steps}
seed: 1
recipe: {recipe}
""")
    return name


def codes(array, dtype):
    if dtype == "BF16":  # the array's float32 are exact in it: cut() made them so
        return (array.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()
    return array.astype({"F32": "<f4", "F16": "<f2", "I64": "<i8", "F64": "<f8"}[dtype]).tobytes()


def cut(array, dtype):
    """Values that the format holds."""
    if dtype == "BF16":
        return (array.astype("<f4").view("<u4") & 0xFFFF0000).view("<f4").astype(float)
    return array.astype({"F32": "<f4", "F16": "<f2"}[dtype]).astype(float)


def save(name, tensors, dtype="F32", **dtypes):
    header, data = {}, b""
    for key, array in tensors.items():
        kind = dtypes.get(key.replace(".", "_"), dtype)
        piece = codes(array, kind)
        header[key] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [len(data), len(data) + len(piece)]}
        data += piece
    text = json.dumps(header).encode()
    with open(name, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)
    return name


def llama(dtype, tied):
    """A small random one under the names of its checkpoints."""
    draw = lambda *shape: cut(generator.normal(0, 0.3, shape), dtype)
    tensors = {"model.embed_tokens.weight": draw(V, C), "model.norm.weight": 1 + draw(C)}
    for n in range(LAYERS):
        at = f"model.layers.{n}."
        for norm in ("input_layernorm", "post_attention_layernorm"):
            tensors[f"{at}{norm}.weight"] = 1 + draw(C)
        for part in "qkvo":
            tensors[f"{at}self_attn.{part}_proj.weight"] = draw(C, C)
        tensors[f"{at}mlp.gate_proj.weight"] = draw(F, C)
        tensors[f"{at}mlp.up_proj.weight"] = draw(F, C)
        tensors[f"{at}mlp.down_proj.weight"] = draw(C, F)
    if not tied:
        tensors["lm_head.weight"] = draw(V, C)
    return {key: cut(array, dtype) for key, array in tensors.items()}


def norm(x, gain):
    return x / numpy.sqrt((x * x).mean(-1, keepdims=True) + EPS) * gain


def rotate(x):
    """Of [.., T, D]: x cos + rotate_half(x) sin, as Llama's code has it."""
    d = x.shape[-1]
    angle = numpy.arange(T)[:, None] * BASE ** (-numpy.arange(0, d, 2) / d)
    angle = numpy.concatenate([angle, angle], -1)
    half = numpy.concatenate([-x[..., d // 2:], x[..., :d // 2]], -1)
    return x * numpy.cos(angle) + half * numpy.sin(angle)


def loss(w, tokens, targets):
    """Mean cross-entropy in nats; tokens and targets [B, T]."""
    x = w["model.embed_tokens.weight"][tokens]
    for n in range(LAYERS):
        of = lambda name: w[f"model.layers.{n}.{name}.weight"]
        y = norm(x, of("input_layernorm"))
        q, k, v = ((y @ of(f"self_attn.{p}_proj").T).reshape(len(x), T, H, C // H).transpose(0, 2, 1, 3) for p in "qkv")
        scores = rotate(q) @ rotate(k).transpose(0, 1, 3, 2) / numpy.sqrt(C // H)
        scores[:, :, ~numpy.tri(T, dtype=bool)] = -numpy.inf
        p = numpy.exp(scores - scores.max(-1, keepdims=True))
        p /= p.sum(-1, keepdims=True)
        x = x + (p @ v).transpose(0, 2, 1, 3).reshape(len(x), T, C) @ of("self_attn.o_proj").T
        y = norm(x, of("post_attention_layernorm"))
        gate = y @ of("mlp.gate_proj").T
        x = x + (gate / (1 + numpy.exp(-gate)) * (y @ of("mlp.up_proj").T)) @ of("mlp.down_proj").T
    logits = norm(x, w["model.norm.weight"]) @ w.get("lm_head.weight", w["model.embed_tokens.weight"]).T
    top = logits.max(-1, keepdims=True)
    lse = numpy.log(numpy.exp(logits - top).sum(-1)) + top[..., 0]
    return (lse - numpy.take_along_axis(logits, targets[..., None], -1)[..., 0]).mean()


generator = numpy.random.default_rng(20261128)
text = numpy.frombuffer(bytes(generator.integers(97, 123, 800, dtype=numpy.uint8)), dtype=numpy.uint8).astype(int)
with open("text", "wb") as file:
    file.write(text.astype(numpy.uint8).tobytes())
windows = 399 // T // 2 * 2
at = 400 + numpy.arange(windows)[:, None] * T + numpy.arange(T)

for dtype, tied in (("F32", False), ("F16", False), ("BF16", True)):
    model = llama(dtype, tied)
    save("llama.safetensors", model, dtype)
    want = loss(model, text[at], text[at + 1]) / numpy.log(2)
    done = run("train", experiment(), "--init", "llama.safetensors", "--json", "-")
    expect(f"{dtype}: exit 0", done.returncode == 0, done.stderr)
    got = json.loads(done.stdout)["bits_per_byte"] if done.returncode == 0 else None
    print(f"{dtype}{', tied' if tied else ''}: {got} bits per byte, by numpy {want}")
    expect(f"{dtype}: the loss of an independent forward pass", got is not None and abs(got / want - 1) < 2e-6, (got, want))
plain = json.loads(run("train", experiment(), "--json", "-").stdout)["bits_per_byte"]
expect("without --init it is another", abs(plain / want - 1) > 0.01, plain)

# ---- checkpoints whose masters are codes with a scale, or whose moments have groups ----
with open(f"{root}/trainer/recipes/fp8-lm-o3.yaml", encoding="ascii") as file:
    o3 = file.read()
for name in ("e4m3", "e2m1"):
    with open(f"{name}.yaml", "w", encoding="ascii") as file:
        file.write(o3.replace("tensor: master, format: fp16", f"tensor: master, format: {name}"))
for recipe in ("fp8-lm-o3", "coat", "e4m3.yaml"):
    done = run("train", experiment("first.yaml", rate=0.01, steps=8, recipe=recipe), "--checkpoint", f"c-{recipe}", "--json", "-")
    first = json.loads(done.stdout)["bits_per_byte"]
    done = run("train", experiment("second.yaml", recipe=recipe), "--init", f"c-{recipe}", "--json", "-")
    expect(f"{recipe} goes on", done.returncode == 0 and json.loads(done.stdout)["bits_per_byte"] == first, (done, first))
    done = run("train", experiment("second.yaml"), "--init", f"c-{recipe}", "--json", "-")
    got = json.loads(done.stdout)["bits_per_byte"] if done.returncode == 0 else 0
    print(f"{recipe}: {first} bits per byte, from its checkpoint in fp32 {got}")
    expect(f"{recipe} in fp32", abs(got / first - 1) < 0.01, (done, first))

done = run("train", experiment("second.yaml", recipe="e2m1.yaml"), "--checkpoint", "four")
expect("states of 4 bits are in no checkpoint", done.returncode == 2 and "step 1" not in done.stderr and
       "embed/w is e2m1, which a checkpoint cannot hold" in done.stderr, done.stderr)
starts = set()
for times in (1, 2):  # the same codes, by another scale
    save("times.safetensors", {key: times * array for key, array in model.items()})
    run("train", experiment(recipe="fp8-lm-o3"), "--init", "times.safetensors", "--checkpoint", f"times-{times}")
    with open(f"times-{times}/step-000001.safetensors", "rb") as file:
        starts.add(json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))["__metadata__"]["fpx.run"])
expect("a run tells scales of its start apart", len(starts) == 2, starts)

# ---- a checkpoint of fpx train, by a run with another recipe and rate ----
done = run("train", experiment("first.yaml", rate=0.01, steps=8), "--checkpoint", "a", "--json", "-")
first = json.loads(done.stdout)["bits_per_byte"]
done = run("train", experiment("second.yaml", steps=2), "--init", "a", "--json", "-", "--checkpoint", "b", "--every", "1")
expect("goes on from it", done.returncode == 0 and json.loads(done.stdout)["bits_per_byte"] == first, (done, first))
done = run("train", "second.yaml", "--checkpoint", "b")
expect("its checkpoints are not those of a run from the seed", done.returncode == 2 and "start=" in done.stderr, done.stderr)
done = run("train", "second.yaml", "--init", "llama.safetensors", "--checkpoint", "b")
expect("nor of another start", done.returncode == 2 and "start=" in done.stderr, done.stderr)
os.remove("b/step-000002.safetensors")
done = run("train", "second.yaml", "--resume", "b", "--json", "-")
expect("resumed, without the first one", done.returncode == 0 and json.loads(done.stdout)["bits_per_byte"] == first,
       (done.stderr, first))
done = run("train", "second.yaml", "--init", "a", "--resume", "b")
expect("not both", done.returncode == 2 and "--init" in done.stderr, done.stderr)

# ---- what it cannot represent ----
good = llama("F32", False)


def refused(name, words, tensors, *changes, **dtypes):
    save("bad.safetensors", tensors, **dtypes)
    done = run("train", experiment("bad.yaml", **dict(changes)), "--init", "bad.safetensors")
    expect(name, done.returncode == 2 and all(word in done.stderr for word in words), (done.returncode, done.stderr))


def plus(name, *shape):
    return {**good, name: numpy.zeros(shape)}


def without(name):
    return {key: array for key, array in good.items() if key != name}


Q, K = "model.layers.0.self_attn.q_proj", "model.layers.1.self_attn.k_proj"
refused("biases", [Q + ".bias", "no biases"], plus(Q + ".bias", C))
refused("norms of queries", ["q_norm", "not normed"], plus("model.layers.0.self_attn.q_norm.weight", 8))
refused("norms after", ["post_feedforward", "two norms"], plus("model.layers.0.post_feedforward_layernorm.weight", C))
refused("experts", ["one MLP"], plus("model.layers.0.mlp.experts.0.w1", 4, 4))
refused("more layers", ["model.layers.1.", "is lower"], good, ("layers", 1))
refused("fewer layers", ["has neither layer.2/", "model.layers.2."], good, ("layers", 3))
refused("another width", ["model.embed_tokens.weight is F32 [256, 24]", "[256, 12]"], good, ("width", 12))
refused("gelu", ["mlp.gate_proj.weight is F32 [40, 24]", "[20, 24]"], good, ("activation", "gelu"))
refused("grouped queries", [K, "[8, 24]", "takes F32, F16 or BF16 [24, 24]", "own keys"],
        {**good, K + ".weight": numpy.zeros((8, C))})
refused("a lacking tensor", ["has neither norm/gain nor model.norm.weight"], without("model.norm.weight"))
refused("float64", ["model.norm.weight is F64"], good, model_norm_weight="F64")
refused("something else", ["vision.weight", "no parameter"], plus("vision.weight", 3))
refused("GPT-2", ["GPT-2's model has LayerNorm"], {
    "wte.weight": numpy.zeros((V, C)), "wpe.weight": numpy.zeros((T, C)), "h.0.ln_1.weight": numpy.ones(C),
    "h.0.ln_1.bias": numpy.zeros(C), "h.0.attn.c_attn.weight": numpy.zeros((C, 3 * C))})
refused("GPT-2 with a prefix", ["GPT-2's model has LayerNorm"],
        {"transformer.wte.weight": numpy.zeros((V, C)), "transformer.h.0.attn.c_attn.weight": numpy.zeros((C, 3 * C))})
save("buffer.safetensors", plus("model.layers.0.self_attn.rotary_emb.inv_freq", 4))
done = run("train", experiment(), "--init", "buffer.safetensors")
expect("a buffer is no parameter", done.returncode == 0, done.stderr)
for name, words in (("text", ["text"]), ("nothing", ["nothing: "]), (".", ["holds no checkpoint"])):
    done = run("train", experiment(), "--init", name)
    expect(f"--init {name}", done.returncode == 2 and all(word in done.stderr for word in words), done.stderr)

finish()
