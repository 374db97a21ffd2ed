"""A traced step of recipe quartet once more in numpy, from each operation's own inputs: transforms, scales, codes, masked
gradients bit for bit, stochastic codes by their neighbours and their mean, products within float32's error.
test_quartet.py FPX ROOT"""
import sys

from harness import enter_folder, expect, finish, root, run_text

try:
    import h5py
    import numpy as np
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

sys.path.insert(0, f"{root}/tests/libfpx")
from block_peer import ELEMENTS, F, decode, from_blocks, quest, to_blocks  # noqa: E402

LAYERS, STEP, MICROS = 2, 1, 2
enter_folder()
with open("q.yaml", "w") as file:
    file.write(f"""name: q
model: {{width: 64, layers: {LAYERS}, heads: 2, hidden: 96, vocabulary: 256, activation: swiglu}}
data: {{corpus: "{root}/datasets/kjv-genesis-exodus.txt", sequence: 32, batch: 2, accumulate: {MICROS}, validation: 0.1}}
optimizer: {{learning_rate: 0.003, final_share: 0.1, warmup: 1}}
steps: 2
seed: 3
recipe: quartet
""")
done = run_text("train", "q.yaml", "--trace", "q.h5", "--values", "*")
expect("trains", done.returncode == 0, done.stderr[-300:])

trace = h5py.File("q.h5")
parts = {name: part["values"] for name, part in trace["segments"].items()}
rows = {name: part["steps"][: int(part["committed"][0])].tolist() for name, part in trace["segments"].items()}
records = {r["tensor"].decode(): r for r in trace["records"][:]}


def value(name, step=STEP):
    """Codes as they are, or float32."""
    for part in parts:
        if step in rows[part]:
            codes = parts[part][name.replace("/", ":")][rows[part].index(step)]
            return codes.view(F) if codes.dtype.itemsize == 4 else codes
    raise KeyError(name)


def hadamard32(x):
    """Along rows, in float32: sums and differences 16, 8, 4, 2, 1 apart, then one factor."""
    v = x.reshape(*x.shape[:-1], -1, 32).copy()
    half = 16
    while half:
        w = v.reshape(*v.shape[:-1], -1, 2, half)
        v = np.stack((w[..., 0, :] + w[..., 1, :], w[..., 0, :] - w[..., 1, :]), -2).reshape(v.shape)
        half //= 2
    return (v * (F(1) / np.sqrt(F(32)))).reshape(x.shape)


def same(what, got, want):
    expect(f"{what}: {(got != want).sum()} of {want.size} differ", np.array_equal(got, want), got.shape)


def along_rows(x, way):
    return x if way == "row" else np.ascontiguousarray(x.T)


def forward(site, tensor, source):
    """Returns the copy's values and where its gradient passes."""
    rotated = value(f"{site}/{tensor}.h32n.row")
    same(f"{site}/{tensor} rotated", rotated, hadamard32(source))
    codes, scales, back = quest("e2m1", to_blocks(rotated, 1, 32))
    stem = f"{site}/{tensor}.h32n.e2m1.mx-quest.row.rnz"
    same(f"{stem}", value(stem), from_blocks(codes, rotated.shape, 1, 32))
    same(f"{stem}.scales", value(f"{stem}.scales"), scales)
    copy = value(f"{site}/{tensor}.copy")
    same(f"{site}/{tensor}.copy", copy, from_blocks(back, rotated.shape, 1, 32))
    limit = np.repeat(6 * 2.0 ** (scales.astype(np.float64) - 127), 32, axis=1)
    return copy, np.abs(rotated.astype(np.float64)) < limit


errors = []


def stochastic(site, tensor, way, source):
    """Returns the values that the product takes, along rows, and the signs."""
    rotated = along_rows(value(f"{site}/{tensor}.h32a.{way}"), way)
    plain = hadamard32(along_rows(source, way))
    ratio = np.where(plain == 0, 0, np.sign(rotated) * np.sign(plain)).reshape(-1, 32)
    signs = np.where((ratio < 0).any(0), F(-1), F(1))
    same(f"{site}/{tensor}.{way} rotated", rotated, plain * np.tile(signs, plain.shape[1] // 32))
    name = [n for n in records if n.startswith(f"{site}/{tensor}.h32a.e2m1.") and f".{way}.sr" in n]
    stem = min(name, key=len)
    codes, scales = along_rows(value(stem), way), along_rows(value(f"{stem}.scales"), way)
    blocks = to_blocks(rotated, 1, 32)
    amax = np.abs(blocks).max(-1)
    _, e = np.frexp(amax)
    same(f"{stem}.scales", scales, np.where(amax == 0, 0, np.clip(e - 1 - 2 + 127, 0, 254)).astype(np.uint8))
    # Each code is one of the two neighbours of 3/4 of the element over its scale, and on average that itself.
    q = blocks.astype(np.float64) * 0.75 / 2.0 ** (scales.astype(np.float64)[..., None] - 127)
    q = np.where(amax[..., None] == 0, 0, q)
    grid = ELEMENTS["e2m1"][0]
    low = np.clip(np.searchsorted(grid, np.abs(q), "right") - 1, 0, 6)
    taken = decode("e2m1", to_blocks(codes, 1, 32)).astype(np.float64)
    inside = (np.abs(taken) == grid[low]) | (np.abs(taken) == grid[low + 1])
    expect(f"{stem}: neighbours", inside.all() and (np.sign(taken) * np.sign(q) >= 0).all(), (~inside).sum())
    gap = grid[low + 1] - grid[low]
    up = (np.abs(q) - grid[low]) / gap
    errors.append((((np.abs(taken) - np.abs(q)) / gap).ravel(), (up * (1 - up)).ravel()))
    return from_blocks(taken * 4 / 3 * 2.0 ** (scales.astype(np.float64)[..., None] - 127), rotated.shape, 1, 32), signs


def near(what, got, a, b):
    """got = a b^T in float32, within the worst that 64 roundings do."""
    want, bound = a @ b.T, (np.abs(a) @ np.abs(b).T) * 80 * 2.0**-24
    expect(what, (np.abs(got - want) <= bound).all(), np.abs(got - want).max())


def output_gradient(micro, layer, op):
    above = {"attn.qkv": f"layer.{layer}/attn.rope/dx", "mlp.up": f"layer.{layer}/mlp.act/dx",
             "attn.out": f"layer.{layer}/mlp.add/dx",
             "mlp.down": "norm/dx" if layer == LAYERS - 1 else f"layer.{layer + 1}/attn.add/dx"}
    return value(micro + above[op])


drawn = {}
for m in range(MICROS):
    micro = f"micro.{m}/"
    for layer in range(LAYERS):
        for op, source in (("attn.qkv", "attn.norm/y"), ("attn.out", "attn.merge/y"), ("mlp.up", "mlp.norm/y"),
                           ("mlp.down", "mlp.act/y")):
            shared, site = f"layer.{layer}/{op}", f"{micro}layer.{layer}/{op}"
            dy = output_gradient(micro, layer, op)
            x, passes_x = forward(site, "x", value(f"{micro}layer.{layer}/{source}"))
            w, passes_w = forward(shared, "w", value(f"{shared}/w", STEP - 1))
            near(f"{site}/y", value(f"{site}/y"), x.astype(np.float64), w.astype(np.float64))
            for role, ops, passes in (("dx", (("dy", "row", dy), ("w", "col", w)), passes_x),
                                      ("dw", (("dy", "col", dy), ("x", "col", x)), passes_w)):
                (a, signs), (b, others) = (stochastic(site, *o) for o in ops)
                same(f"{site}/{role}: signs of both operands", signs, others)
                drawn[m, layer, op, role] = signs.astype(np.int8).tobytes()
                copy = value(f"{site}/{role}.copy")
                near(f"{site}/{role}.copy", copy, a, b)
                masked = value(f"{site}/{role}.clip")
                same(f"{site}/{role}.clip", masked, copy * passes.astype(F))
                same(f"{site}/{role}", value(f"{site}/{role}"), hadamard32(masked))
            expect(f"{site}: signs of both products", drawn[m, layer, op, "dx"] == drawn[m, layer, op, "dw"])

expect("signs are new with each pass and layer", len(set(drawn.values())) == len(drawn) // 2, len(drawn))
error, variance = (np.concatenate(part) for part in zip(*errors))
z = error.sum() / np.sqrt(variance.sum())
expect(f"{error.size} stochastic codes are right on average: {z:.2f} standard deviations", abs(z) < 5, z)
print(f"{len(drawn)} backward products, {error.size} stochastic codes, mean error {z:.2f} standard deviations")
trace.close()
finish()
