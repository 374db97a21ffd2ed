#!/usr/bin/env python3
"""Every preset of the matrix units against an oracle of big integers (mma_models.py) that was written from the models'
published description: random, cancelling, tiny, huge and special inputs over ragged shapes, every output bit for bit.
Then the same comparison with one parameter of the reference changed, which must be seen.

mma_oracle.py MMA_PEER [NAME-PART...]   FPX_TEST_EFFORT: times as many calls
"""
import os
import sys

import mma_models as mm
from mma_inputs import KINDS, Inputs, Peer

EFFORT = max(1, int(os.environ.get("FPX_TEST_EFFORT", "1")))
RZ_FP32, RZ_E8M13, RNE_FP16 = (23, False), (13, False), (10, True)

# L, F, rho and exponent of zero of T-FDPA: name of the preset without its input types, input types, output.
T = {}
for inputs in ("fp16", "bf16"):
    for name, L, F, zero32, zero16 in (
            ("volta/mma.sync", 4, 23, -131, -19), ("turing/mma.sync", 8, 24, -132, -20),
            ("turing/mma.sync.m8n8k4", 4, 23, -131, -19), ("ampere/mma.sync", 8, 24, -132, -20),
            ("ada/mma.sync", 8, 24, -132, -20), ("hopper/mma.sync", 16, 25, -133, -21),
            ("hopper/mma.sync.k8", 8, 25, -133, -21), ("hopper/wgmma", 16, 25, -133, -21),
            ("blackwell/mma.sync", 16, 25, -133, -21), ("blackwell/mma.sync.k8", 8, 25, -133, -21),
            ("blackwell/tcgen05", 16, 25, -133, -21), ("rtx-blackwell/mma.sync", 16, 25, -133, -21),
            ("rtx-blackwell/mma.sync.k8", 8, 25, -133, -21)):
        if inputs == "fp16" or not name.startswith(("volta", "turing")):
            T[f"{name}/{inputs}-fp32"] = (L, F, RZ_FP32, zero32)
        if inputs == "fp16":
            T[f"{name}/fp16-fp16"] = (L, F, RNE_FP16, zero16)
for name, L, F, zero in (
        ("ampere/mma.sync", 4, 24, -132), ("ada/mma.sync", 4, 24, -132), ("hopper/mma.sync", 8, 25, -133),
        ("hopper/mma.sync.k4", 4, 25, -133), ("hopper/wgmma", 8, 25, -133), ("blackwell/mma.sync", 8, 25, -133),
        ("blackwell/mma.sync.k4", 4, 25, -133), ("blackwell/tcgen05", 8, 25, -133),
        ("rtx-blackwell/mma.sync", 8, 25, -133), ("rtx-blackwell/mma.sync.k4", 4, 25, -133)):
    T[f"{name}/tf32-fp32"] = (L, F, RZ_FP32, zero)
T |= {
    "ada/mma.sync/fp8-fp32": (16, 13, RZ_E8M13, -132), "ada/mma.sync/fp8-fp16": (16, 13, RNE_FP16, -20),
    "ada/cublaslt-fast/fp8-fp32": (16, 13, RZ_E8M13, -132), "hopper/wgmma/fp8-fp32": (32, 13, RZ_E8M13, -133),
    "hopper/wgmma/fp8-fp16": (32, 13, RNE_FP16, -21), "hopper/cublaslt-fast/fp8-fp32": (32, 13, RZ_E8M13, -133),
    "blackwell/tcgen05/f8f6f4-fp32": (32, 25, RZ_FP32, -133), "blackwell/tcgen05/f8f6f4-fp16": (32, 25, RNE_FP16, -21),
    "rtx-blackwell/mma.sync/f8f6f4-fp32": (32, 25, RZ_FP32, -133),
    "rtx-blackwell/mma.sync/f8f6f4-fp16": (32, 25, RNE_FP16, -21),
    "rtx-blackwell/mma.sync.k16/fp8-fp32": (16, 25, RZ_FP32, -133),
    "rtx-blackwell/mma.sync.k16/fp8-fp16": (16, 25, RNE_FP16, -21),
    "blackwell/tcgen05/mxf8f6f4-fp32": (32, 25, RZ_FP32, -133),
    "rtx-blackwell/mma.sync/mxf8f6f4-fp32": (32, 25, RZ_FP32, -133),
}


def ranges(k, step):
    return [range(at, min(at + step, k)) for at in range(0, k, step)]


def blocks(order, step, block):
    """order in blocks of `step`, each a call of block(indices, c)."""
    def dot(c):
        for at in range(0, len(order), step):
            c = block(order[at:at + step], c)
        return c
    return dot


class Oracle:
    """One preset with these formats of A, B, C and the scales; `order` beyond the instruction."""

    def __init__(self, name, out, c_fmt, promote=0, split=0, tile=0, deal=0, combine=0):
        self.name, self.out, self.c_fmt = name, out, c_fmt
        self.promote = 128 if "cublaslt-slow" in name else promote
        self.split, self.tile, self.deal, self.combine = split, tile, deal, combine
        fdpa = name in T or name.startswith("cdna3") and out == "fp32" and not name.endswith("fp32-fp32") \
            or "cublaslt" in name or "mxf4" in name or "fp8" in name
        self.nan = mm.all_ones(out) if fdpa else mm.CANONICAL[out]

    def block(self, x, y, scales, c):
        """One block: Numbers in, the code out. Its length is limited by length()."""
        name, out = self.name, self.out
        device, _, types = name.split("/")
        if scales is not None and name.startswith(("ideal/fma", "ideal/pairwise")):
            x, y = [list(map(mm.scaled, v, s)) for v, s in zip((x, y), scales)]
        if name in T:
            _, F, rho, zero = T[name]
            return mm.t_fdpa(x, y, scales, c, out, F, rho, zero)
        if name == "ada/cublaslt-slow/fp8-fp32":
            return mm.t_fdpa(x, y, scales, c, out, 13, RZ_E8M13, -132)
        if name == "hopper/cublaslt-slow/fp8-fp32":
            return mm.t_fdpa(x, y, scales, c, out, 13, RZ_E8M13, -133)
        if types == "mxf4nvf4-fp32":
            return mm.t_fdpa(x, y, scales, c, out, 35, RZ_FP32, -139, group=16)
        if types.startswith("fp8") and device in ("hopper", "blackwell"):  # mma.sync: HMMA's blocks
            rho, zero = (RZ_FP32, -133) if out == "fp32" else (RNE_FP16, -21)
            return mm.t_fdpa(x, y, scales, c, out, 25, rho, zero)
        if name.startswith("ideal/exact"):
            return mm.e_fdpa(x, y, scales, c, out, self.nan, False)
        if name in ("cdna1/mfma/fp16-fp32", "cdna1/mfma/bf16-fp32"):
            return mm.e_fdpa(x, y, scales, c, out, self.nan, True)
        if name.startswith("ideal/pairwise"):
            leaves = [mm.ieee_product(out, a, b, self.nan) for a, b in zip(x, y)]
            total = mm.tree(leaves, lambda p, q: mm.ieee_add(out, p, q, self.nan))
            return mm.ieee_sum(out, c, mm.decode(out, total), self.nan)
        if device == "cdna2" and types[:4] in ("fp16", "bf16"):
            fmt = types[:4]
            x, y = [mm.flushed_input(v, fmt) for v in x], [mm.flushed_input(v, fmt) for v in y]
            def add(p, q):
                return mm.flushed(out, mm.ieee_add(out, p, q, self.nan))
            leaves = [mm.flushed(out, mm.ieee_product(out, a, b, self.nan)) for a, b in zip(x, y)]
            total = mm.tree(leaves, add)
            return mm.flushed(out, mm.ieee_sum(out, c, mm.decode(out, total), self.nan))
        if device == "cdna3" and types == "fp8-fp32":
            return mm.gtr_fdpa(x, y, c)
        if device == "cdna3" and types[:4] in ("xf32", "fp16", "bf16"):
            return mm.tr_fdpa(x, y, c, 31, 0) if "f2-31" in name else mm.tr_fdpa(x, y, c)
        assert types in ("fp32-fp32", "fp64-fp64") or name.startswith("ideal/fma"), name
        return mm.fma_chain(x, y, c, out, self.nan)

    def length(self, k):
        name = self.name
        device, _, types = name.split("/")
        if name in T:
            return T[name][0]
        if "cublaslt-slow" in name:
            return 16 if device == "ada" else 32
        if types == "mxf4nvf4-fp32":
            return 64
        if types.startswith("fp8"):
            return 16
        return {"cdna1/mfma/fp16-fp32": 4, "cdna1/mfma/bf16-fp32": 2, "cdna2/mfma/fp16-fp32": 4,
                "cdna2/mfma/bf16-fp32": 2, "cdna2/mfma.1k/bf16-fp32": 4}.get(name) \
            or (4 if types == "xf32-fp32" else 8 if device == "cdna3" and types[:4] in ("fp16", "bf16") else k)

    def chain(self, row, indices, c):
        """Blocks over indices (increasing k), from the Number c (or None: +0); the code."""
        x, y, alpha, beta = row
        out, name = self.out, self.name

        def block(some, at):
            scales = None if alpha is None else ([alpha[k] for k in some], [beta[k] for k in some])
            return mm.decode(out, self.block([x[k] for k in some], [y[k] for k in some], scales, at))
        zero = mm.decode(out, 0)
        step = self.length(len(indices))
        if name.split("/")[1:] in (["mma.sync", "fp8-fp32"], ["mma.sync", "fp8-fp16"]) and not name.startswith("ada"):
            code = None
            x, y = [mm.as_format(v, "fp16") for v in x], [mm.as_format(v, "fp16") for v in y]
            for at in range(0, len(indices), 32):  # two vectors by alternating pairs, then an addition of c
                some = indices[at:at + 32]
                total = zero
                for half in (0, 1):
                    vector = [k for k in some if k - some[0] >> 1 & 1 == half]
                    if vector:
                        total = block(vector, total)
                code = mm.ieee_sum(out, c or zero, total, self.nan)
                c = mm.decode(out, code)
            return c
        return blocks(indices, step, block)(c or zero)

    def add(self, p, q):
        return mm.decode(self.out, mm.ieee_sum(self.out, p, q, self.nan))

    def part(self, row, indices, c):
        if not self.promote:
            return self.chain(row, indices, c)
        total = c or mm.decode(self.out, 0)
        for at in range(0, len(indices), self.promote):
            total = self.add(total, self.chain(row, indices[at:at + self.promote], None))
        return total

    def dot(self, row, c):
        """The Number of one output."""
        k, S = len(row[0]), self.split
        if c is not None and self.name.startswith("cdna2") and self.name.split("/")[2][:4] in ("fp16", "bf16"):
            c = mm.flushed_input(c, self.c_fmt)
        if S < 2:
            return self.part(row, list(range(k)), c)
        tiles = ranges(k, self.tile)
        q = -(-len(tiles) // S)
        owned = [tiles[s::S] if self.deal == 0 else tiles[s * q:(s + 1) * q] for s in range(S)]
        p = [self.part(row, [i for t in own for i in t], None) for own in owned]
        if self.combine == 0:
            total = p[0]
            for s in range(1, S):
                total = self.add(total, p[s])
        else:
            h = -(-S // 2)
            total = p[S - 1]
            for i in range(h):
                total = self.add(total, self.add(p[i], p[i + h]) if i + h < S - 1 else p[i])
        return total if c is None else self.add(c, total)


ANY = ["fp32", "fp16", "bf16", "e4m3", "e5m2", "e2m1", "fp64", "e5m2fnuz"]


def one_call(peer, inputs, preset, kind, changes=()):
    """Compares one call; outputs and differences."""
    name, out, takes, scales_text = preset
    rng = inputs.rng
    words = ANY if takes == "-" else takes.split()
    a_fmt = rng.choice(words)
    b_fmt = a_fmt if "tf32" in words else rng.choice(words)
    m, n = rng.choice([(1, 3), (3, 2), (2, 1)]) if kind != "ties" else (1, 1)
    k = rng.choice([1, 2, 3, 4, 5, 7, 8, 11, 16, 17, 24, 31, 32, 33, 48, 50, 64, 67, 96, 130])
    order, text = {}, []
    if "cublaslt" in name:
        k = rng.choice([1, 31, 64, 100, 128, 129, 192, 300, 513])
        if rng.random() < 0.6:
            order = {"split": rng.randint(2, 6), "tile": rng.choice([64, 128]), "deal": rng.randrange(2),
                     "combine": rng.randrange(2)}
            text = [f"{key}={value}" for key, value in order.items()] + (["step=32"] if "fast" in name else [])
    c_fmt = rng.choice([out, out, None])
    if name.startswith(("volta", "turing/mma.sync.m8")) and out == "fp32":
        c_fmt = rng.choice([out, "fp16", None])
    a, b = inputs.vectors(a_fmt, b_fmt, m, n, k, kind, out)
    scale, block, scales = None, 0, None
    if name.startswith("ideal/") and "fp64" not in (a_fmt, b_fmt) and rng.random() < 0.4:
        scales_text = "e8m0/32 e8m0/3 ue4m3/16"
    if scales_text != "-":
        scale, block = rng.choice(scales_text.split()).split("/")
        block = int(block)
        scales = [[[inputs.code(scale, kind) for _ in range(-(-k // block))] for _ in range(v)] for v in (m, n)]
    oracle = Oracle(name, out, c_fmt, **order)
    exact = [[None] * n for _ in range(m)]
    drop = 13 if "tf32" in words else 0

    def numbers(fmt, vector):
        return [mm.decode(fmt, code >> drop << drop if fmt == "fp32" else code) for code in vector]

    def scale_numbers(vector):
        return None if scales is None else [mm.decode(scale, vector[j // block]) for j in range(k)]
    rows_a, rows_b = [numbers(a_fmt, v) for v in a], [numbers(b_fmt, v) for v in b]
    scale_a = [scale_numbers(v) for v in scales[0]] if scales else [None] * m
    scale_b = [scale_numbers(v) for v in scales[1]] if scales else [None] * n
    c = [[0] * n for _ in range(m)]
    for i in range(m):
        for j in range(n):
            row = (rows_a[i], rows_b[j], scale_a[i], scale_b[j])
            if c_fmt and kind == "ties" and c_fmt == out:
                c[i][j] = inputs.tie_c
            elif c_fmt and rng.random() < 0.5:  # about the negative of the sum without it
                c[i][j] = inputs.code(c_fmt, kind)
                near = oracle.dot(row, None)
                if near.kind == mm.FINITE and c_fmt == out:
                    c[i][j] = mm.code_of(out, 1 - near.neg, near.mag) ^ rng.choice([0, 0, 1, 3])
            elif c_fmt:
                c[i][j] = inputs.code(c_fmt, rng.choice([kind, "plain", "wide", "tiny"]))
            exact[i][j] = oracle.dot(row, mm.decode(c_fmt, c[i][j]) if c_fmt else None)
    got = peer.run(name, a_fmt, b_fmt, c_fmt, scale, block, a, b, c, scales, [*text, *changes])
    bad = 0
    for i in range(m):
        for j in range(n):
            x = exact[i][j]
            want = oracle.nan if x.kind == mm.NAN else mm.code_of(out, x.neg, mm.TOO_LARGE if x.kind == mm.INF else x.mag)
            if got[i][j] != want:
                bad += 1
                if not changes and bad == 1:
                    print(f"{name} {kind} {a_fmt} x {b_fmt} + {c_fmt}, k {k}, output {i},{j}, {text}: got {got[i][j]:#x}, "
                          f"not {want:#x}; c {c[i][j]:#x}\n  a {[hex(v) for v in a[i]]}\n  b {[hex(v) for v in b[j]]}"
                          f"\n  scales {scale} {scales}")
    return m * n, bad


# A change of one parameter, on purpose: (preset, field, by how much), each of which some input shows.
PLANTS = [
    ("volta/mma.sync/fp16-fp16", "e_zero", 1), ("volta/mma.sync/fp16-fp32", "fraction", -1),
    ("ampere/mma.sync/fp16-fp16", "e_zero", 1), ("ampere/mma.sync/fp16-fp32", "fraction", 1),
    ("ampere/mma.sync/bf16-fp32", "e_zero", 1), ("ada/mma.sync/fp8-fp32", "fraction", 1),
    ("ada/mma.sync/fp8-fp16", "e_zero", 2), ("hopper/mma.sync/fp16-fp32", "block", -8),
    ("hopper/mma.sync/tf32-fp32", "e_zero", -1), ("hopper/mma.sync/fp8-fp16", "block", -8), ("hopper/mma.sync/fp8-fp32", "e_least", 8),
    ("hopper/wgmma/fp8-fp32", "fraction", -1), ("hopper/wgmma/fp8-fp32", "block", -16),
    ("hopper/cublaslt-slow/fp8-fp32", "promote", 128), ("blackwell/tcgen05/mxf4nvf4-fp32", "fraction", -1),
    ("blackwell/tcgen05/mxf8f6f4-fp32", "fraction", -1), ("cdna1/mfma/fp16-fp32", "block", 4),
    ("cdna2/mfma/bf16-fp32", "block", 2), ("cdna3/mfma/fp16-fp32", "fraction", 1),
    ("cdna3/mfma/fp16-fp32", "fraction_sum", -1), ("cdna3/mfma/bf16-fp32", "fraction_all", 1),
    ("cdna3/mfma/fp8-fp32", "gap_c", 1), ("cdna3/mfma/fp8-fp32", "fraction", -1),
    ("ideal/pairwise/any-fp32", "block", 4), ("ideal/exact/any-bf16", "block", 8),
]


def seen(peer, presets):
    """How many of the planted changes the comparison does not see."""
    missed = planted = 0
    for name, field, by in PLANTS:
        preset = next((p for p in presets if p[0] == name), None)
        if preset is None:
            continue
        planted += 1
        inputs = Inputs(name + field)
        if not any(one_call(peer, inputs, preset, KINDS[-1 if i % 6 else i // 6 % len(KINDS)], [f"{field}:{by}"])[1]
                   for i in range(12000)):
            print(f"{name}: {field} {by:+d} is not seen")
            missed += 1
    print(f"{planted - missed} of {planted} planted changes seen")
    return missed


def main(args):
    peer = Peer(args[0])
    presets = [p for p in peer.list() if len(args) == 1 or any(part in p[0] for part in args[1:])]
    outputs = bad = 0
    for preset in presets:
        inputs = Inputs(preset[0])
        differ = 0
        for index in range(28 * EFFORT):
            count, differs = one_call(peer, inputs, preset, KINDS[index % len(KINDS)])
            outputs += count
            differ += differs
            if differ > 2:
                break
        bad += differ
    print(f"{len(presets)} presets, {outputs} outputs: {bad} differences from the oracle")
    missed = seen(peer, presets) if not bad else 0
    return 1 if bad or missed or not outputs else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
