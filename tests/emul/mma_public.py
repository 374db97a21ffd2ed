#!/usr/bin/env python3
"""Every preset against the public programs that model the same instructions, where Python has them
(`pip install mmasim==2.1.1 mmaemu==0.1.0`): bit for bit, NaN as NaN where a source leaves its payload open.

mma_public.py MMA_PEER mmasim|mmaemu [NAME-PART...]   FPX_TEST_EFFORT: times as many calls
"""
import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")
try:
    import torch

    if sys.argv[2] == "mmasim":
        from mmasim.amd.sim import MFMA
        from mmasim.nv_ptx import MMA, WGMMA, MMABlockScale, TCGen05MMA, TCGen05MMABlockScale
    else:
        from mmaemu.model import chain, epilogue, plan
except (ImportError, OSError, RuntimeError) as missing:
    print(f"skipped: Python has no {sys.argv[2]} ({missing})")
    sys.exit(77)

from mma_inputs import KINDS, Inputs, Peer

EFFORT = max(1, int(os.environ.get("FPX_TEST_EFFORT", "1")))

# Preset: the class of mmasim, its architecture, the operation with A's and B's types left open.
NAMES = {"volta": "Volta", "turing": "Turing", "ampere": "Ampere", "ada": "Ada Lovelace", "hopper": "Hopper",
         "blackwell": "Blackwell", "rtx-blackwell": "RTX Blackwell"}
PTX = {"fp16": "f16", "fp32": "f32", "fp64": "f64"}
AMD = {"fp64": ["f64_16x16x4f64", "f64_16x16x4_f64"], "fp32": ["f32_16x16x4f32", "f32_16x16x4_f32"],
       "fp16": ["f32_16x16x16f16", "f32_16x16x16_f16"], "bf16": ["f32_16x16x8bf16", "f32_16x16x16_bf16"],
       "xf32": ["", "f32_16x16x8_xf32"]}


def mmasim_of(name, a_fmt, b_fmt, scale, block):
    """mmasim's operation for a preset, or None where it has none."""
    device, path, types = name.split("/")
    inputs, out = types.split("-")
    out = PTX[out]
    if device.startswith("cdna"):
        if path == "mfma.f2-31":
            return None
        if inputs == "fp8":
            fp8 = {"e4m3fnuz": "fp8", "e5m2fnuz": "bf8"}
            return MFMA("CDNA3", f"f32_16x16x32_{fp8[a_fmt]}_{fp8[b_fmt]}")
        suffix = "f32_16x16x16bf16_1k" if path == "mfma.1k" else AMD[inputs][device == "cdna3"]
        return MFMA(device.upper(), suffix)
    arch = NAMES.get(device)
    if arch is None or path.startswith("cublaslt") or (inputs == "fp8" and path == "mma.sync" and device != "ada"):
        return None
    if inputs == "fp64":
        return MMA(arch, "m8n8k4.f64.f64.f64.f64")
    ptx = {"fp16": "f16", "fp32": "tf32", "tf32": "tf32"}
    a, b = ptx.get(a_fmt, a_fmt), ptx.get(b_fmt, b_fmt)
    if path == "wgmma":
        k = {"tf32": 8, "fp8": 32}.get(inputs, 16)
        return WGMMA(arch, f"m64n8k{k}.{out}.{a}.{b}")
    if path == "tcgen05":
        if inputs == "mxf8f6f4":
            return TCGen05MMABlockScale(arch, f"m128n8k32.kind::mxf8f6f4.block32.f32.{a}.{b}.ue8m0")
        if inputs == "mxf4nvf4":
            s = {"e8m0": "ue8m0"}.get(scale, scale)
            return TCGen05MMABlockScale(arch, f"m128n8k64.kind::mxf4nvf4.block{block}.f32.e2m1.e2m1.{s}")
        kind = {"tf32": "8.kind::tf32", "f8f6f4": "32.kind::f8f6f4"}.get(inputs, "16.kind::f16")
        return TCGen05MMA(arch, f"m64n8k{kind}.{out}.{a}.{b}")
    if inputs == "mxf8f6f4":
        return MMABlockScale(arch, f"m16n8k32.kind::mxf8f6f4.block32.f32.{a}.{b}.f32.ue8m0")
    if inputs == "mxf4nvf4":
        s = {"e8m0": "ue8m0"}.get(scale, scale)
        return MMABlockScale(arch, f"m16n8k64.kind::mxf4nvf4.block{block}.f32.e2m1.e2m1.f32.{s}")
    if inputs == "f8f6f4":
        return MMA(arch, f"m16n8k32.kind::f8f6f4.{out}.{a}.{b}.{out}")
    shape = {"volta": "m8n8k4", "turing": "m16n8k8"}.get(device, "m16n8k16")
    shape = {"mma.sync.m8n8k4": "m8n8k4", "mma.sync.k8": "m16n8k8", "mma.sync.k16": "m16n8k16",
             "mma.sync.k4": "m16n8k4"}.get(path, shape)
    if inputs == "tf32" and path == "mma.sync":
        shape = "m16n8k8"
    if inputs == "fp8" and path == "mma.sync":
        shape = "m16n8k32"
    if shape == "m16n8k8" and inputs == "fp16" and device in ("hopper", "blackwell", "rtx-blackwell"):
        return MMA(arch, f"m16n8k8.{out}.f16.f16.{out}")
    return MMA(arch, f"{shape}.{out}.{a}.{b}.{out}")


TORCH = {"fp16": torch.float16, "bf16": torch.bfloat16, "e4m3": torch.float8_e4m3fn, "e5m2": torch.float8_e5m2,
         "fp32": torch.float32, "fp64": torch.float64, "e4m3fnuz": torch.float8_e4m3fnuz,
         "e5m2fnuz": torch.float8_e5m2fnuz, "e8m0": torch.float8_e8m0fnu, "ue4m3": torch.float8_e4m3fn}
WORDS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def tensor(fmt, rows, packed=False):
    """Codes as mmasim takes them."""
    if fmt == "tf32":
        return torch.tensor([[x << 13 for x in row] for row in rows], dtype=torch.int64).to(torch.int32).view(torch.float32)
    if packed:  # e2m1 two a byte, the first in the high nibble
        return torch.tensor([[p << 4 | q for p, q in zip(row[::2], row[1::2])] for row in rows], dtype=torch.uint8)
    if fmt in ("e3m2", "e2m3", "e2m1"):
        return torch.tensor([[x << (2 if fmt == "e2m1" else 0) for x in row] for row in rows], dtype=torch.uint8)
    size = TORCH[fmt].itemsize
    signed = torch.tensor([[x - (x >> 8 * size - 1 << 8 * size) if size > 1 else x for x in row] for row in rows])
    return signed.to(WORDS[size]).view(TORCH[fmt])


def codes(t):
    bits = 8 * t.element_size()
    return [[x & (1 << bits) - 1 for x in row] for row in t.view(WORDS[t.element_size()]).tolist()]


def is_nan(fmt, code):
    width, fraction = {"fp16": (16, 10), "fp32": (32, 23), "fp64": (64, 52)}[fmt]
    return code & (1 << width - 1) - 1 > ((1 << width - 1 - fraction) - 1) << fraction


def same(out, x, y, open_nan):
    return x == y or open_nan and is_nan(out, x) and is_nan(out, y)


VOLTA = {"volta/mma.sync/fp16-fp32": "m8n8k4"}  # c may be fp16 where d is fp32


def mmasim_call(inputs, preset, kind, peer):
    name, out, takes, scales_text = preset
    rng = inputs.rng
    words = takes.split()
    a_fmt = rng.choice(words)
    b_fmt = a_fmt if "tf32" in words else rng.choice(words)
    scale, block, scales = None, 0, None
    if scales_text != "-":
        scale, block = rng.choice(scales_text.split()).split("/")
        block = int(block)
    op = mmasim_of(name, a_fmt, b_fmt, scale, block)
    two = name.endswith(("mma.sync/fp8-fp32", "mma.sync/fp8-fp16")) and not name.startswith("ada")
    if op is None and not two:
        return 0, 0
    # It takes whole blocks of scales and of CDNA2's trees, and for FP8 of CDNA3 more than one k a block.
    step = {"mma.sync.k4": 4, "mma.sync.k8": 8, "mma.sync.k16": 16}.get(name.split("/")[1], 32 if "mxf8" in name else 0)
    unit = 64 if "mxf4" in name else 32 if scale else 4 if name.startswith("cdna2") else 1
    m, n, k = (3, 4, unit * rng.randint(1, max(1, 100 // unit))) if kind != "ties" else (1, 1, 64)
    if "fnuz" in a_fmt and k % 16 == 1:
        k += 1
    a, b = inputs.vectors(a_fmt, b_fmt, m, n, k, kind, out)
    c_fmt = rng.choice([out, "fp16"]) if name.endswith("fp16-fp32") and "m8n8k4" in f"{name} {VOLTA.get(name)}" else out
    c = [[inputs.code(c_fmt, rng.choice([kind if kind != "ties" else "tiny", "plain"])) for _ in range(n)] for _ in range(m)]
    if kind == "ties" and c_fmt == out:
        c = [[rng.choice([inputs.tie_c, 0])]]
    A, B, C = tensor(a_fmt, a, "mxf4" in name), tensor(b_fmt, b, "mxf4" in name).T, tensor(c_fmt, c)
    more = lambda at, to: ()
    if scale:
        scales = [[[inputs.code(scale, kind) for _ in range(k // block)] for _ in range(v)] for v in (m, n)]
        S, U = tensor(scale, scales[0]), tensor(scale, scales[1]).T
        more = lambda at, to: (S[:, at // block:to // block], U[at // block:to // block, :])
    for at in range(0, k, 32) if two else ():  # its parts: conversion to fp16, two instructions of HMMA, an addition
        half = MMA("Hopper", f"m16n8k16.{PTX[out]}.f16.f16.{PTX[out]}")
        total = torch.zeros(m, n, dtype=C.dtype)
        for vector in ([i for i in range(at, min(at + 32, k)) if (i - at) >> 1 & 1 == h] for h in (0, 1)):
            if vector:
                total = half(A[:, vector].half(), B[vector, :].half(), total)
        C = C + total
    for at in () if two else range(0, k, step or k):  # an instruction of fewer k than its largest block, one after the other
        to = min(at + (step or k), k)
        C = op(A[:, at:to], B[at:to, :], C, *more(at, to)) if step else op(A, B, C, *more(0, k))
    want = codes(C)
    got = peer.run(name, a_fmt, b_fmt, c_fmt, scale, block, a, b, c, scales, [])
    open_nan = two or name.startswith(("cdna1", "cdna2")) or name.endswith(("fp64-fp64", "cdna3/mfma/fp32-fp32"))
    bad = [(i, j) for i in range(m) for j in range(n) if not same(out, got[i][j], want[i][j], open_nan)]
    if bad:
        i, j = bad[0]
        print(f"{name} {kind} {a_fmt} x {b_fmt}, k {k}, {len(bad)} of {m * n}: {got[i][j]:#x}, mmasim {want[i][j]:#x}; c "
              f"{c[i][j]:#x}\n  a {[hex(v) for v in a[i]]}\n  b {[hex(v) for v in b[j]]}\n  {scale} {scales}")
    return m * n, len(bad)


def mmaemu_call(inputs, preset, kind, peer):
    """cuBLASLt's order as mmaemu plans it, and one chain with c."""
    name, out, _, _ = preset
    device, path, types = name.split("/")
    rng = inputs.rng
    # b200_mma_sync is one sum of 32, then c to nearest: none of hardware (the machine code says otherwise), but a model.
    late = name == "rtx-blackwell/mma.sync/f8f6f4-fp32"
    is_unit = late or name in ("ada/mma.sync/fp8-fp32", "hopper/wgmma/fp8-fp32")
    if not is_unit and not path.startswith("cublaslt"):
        return 0, 0
    a_fmt, b_fmt = rng.choice(["e4m3", "e5m2"]), rng.choice(["e4m3", "e5m2"])
    m, n, k = (3, 4, rng.randint(1, 700)) if kind != "ties" else (1, 1, 64)
    a, b = inputs.vectors(a_fmt, b_fmt, m, n, k, kind, out)
    A, B = torch.tensor(a, dtype=torch.uint8), torch.tensor(b, dtype=torch.uint8)
    c, changes = None, []
    if is_unit:
        pad = -k % 32
        c = [[inputs.code(out, rng.choice([kind if kind != "ties" else "tiny", "plain"])) for _ in range(n)] for _ in range(m)]
        A, B = (torch.nn.functional.pad(x, (0, pad)).view(TORCH[f]) for x, f in ((A, a_fmt), (B, b_fmt)))
        A, B = A[:, None, :].expand(-1, n, -1).contiguous(), B[None, :, :].expand(m, -1, -1).contiguous()
        want = codes(chain.dot(A, B, tensor("fp32", c), preset="b200_mma_sync" if late else device))
        changes = ["c=2", "step=32"] if late else []
    else:
        fast, splits = path == "cublaslt-fast", rng.choice([1, 1, 2, 3, 5, 8])
        scheme = rng.choice(["serial", "pairwise"]) if device == "ada" else "contiguous"
        if splits > 1:
            changes = [f"split={splits}", f"tile={64 if device == 'ada' else 128}", f"deal={int(device == 'hopper')}",
                       f"combine={int(scheme == 'pairwise')}", "step=32"]
        p = plan.make_plan(k, fast=fast, S=splits, scheme=scheme, preset=device)
        want = codes(plan.execute_plan(p, A, B, fmt_a=a_fmt, fmt_b=b_fmt, chain_fn=lambda x, y: chain.chain_gemm(
            x, y, fmt_a=a_fmt, fmt_b=b_fmt, preset=device)))
    got = peer.run(name, a_fmt, b_fmt, out if c else None, None, 0, a, b, c, None, changes)
    bad = [(i, j) for i in range(m) for j in range(n) if not same(out, got[i][j], want[i][j], late)]
    if bad:
        i, j = bad[0]
        print(f"{name} {kind} {a_fmt} x {b_fmt}, k {k}, {changes}, {len(bad)} of {m * n}: {got[i][j]:#x}, mmaemu "
              f"{want[i][j]:#x} {c and hex(c[i][j])}\n  a {[hex(v) for v in a[i]]}\n  b {[hex(v) for v in b[j]]}")
    return m * n, len(bad)


def finish_calls(inputs, peer):
    """The epilogue: sums and scales of every kind to each output type."""
    rng, outputs, bad = inputs.rng, 0, 0
    for index in range(40 * EFFORT):
        out = ["fp32", "bf16", "fp16", "e4m3", "e5m2"][index % 5]
        kind = rng.choice(["plain", "plain", "wide", "tiny", "huge", "special"])
        n = 200
        sums = [inputs.code("fp32", rng.choice([kind, "plain"])) for _ in range(n)]
        scale = [inputs.code("fp32", rng.choice([kind, "plain"])) for _ in range(3)]
        if index % 3 == 0:  # ties and neighbours of the output type
            scale = [0x3F800000] * 3
            low = {"fp32": 0, "bf16": 16, "fp16": 13, "e4m3": 20, "e5m2": 21}[out]
            sums = [(x >> low << low | rng.choice([0, 1, -1]) + (1 << low >> 1)) & 0xFFFFFFFF for x in sums]
        if index % 7 == 0:
            scale[2] = 0x3F800000
        scale_d = scale[2] if out in ("e4m3", "e5m2") else 0x3F800000  # mmaemu has none for others
        peer.pipe.stdin.write(f"finish fp32 {out} {scale[0]:x} {scale[1]:x} {scale_d:x} -1 -1 - 1 {n}\n".encode()
                              + b"".join(x.to_bytes(4, "little") for x in sums))
        peer.pipe.stdin.flush()
        data = peer.pipe.stdout.read(8 * n)
        got = [int.from_bytes(data[8 * i:8 * i + 8], "little") for i in range(n)]
        S = [tensor("fp32", [[x]]).reshape(()) for x in scale]
        want = codes(epilogue.apply(tensor("fp32", [sums]), S[0], S[1], out_dtype=TORCH[out], scale_result=S[2]))[0]
        wrong = [i for i in range(n) if got[i] != want[i]]
        if wrong:
            i = wrong[0]
            print(f"epilogue to {out}, scales {[hex(x) for x in scale]}: {sums[i]:#x} gave {got[i]:#x}, mmaemu {want[i]:#x}")
        outputs += n
        bad += len(wrong)
    print(f"epilogue: {outputs} results, {bad} differences from mmaemu")
    return outputs, bad


def main(args):
    peer = Peer(args[0])
    call = mmasim_call if args[1] == "mmasim" else mmaemu_call
    presets = outputs = bad = 0
    for preset in peer.list():
        if len(args) > 2 and not any(part in preset[0] for part in args[2:]) or preset[0].startswith("ideal"):
            continue
        inputs, here = Inputs(preset[0] + args[1]), 0
        for index in range(28 * EFFORT):
            count, differ = call(inputs, preset, KINDS[index % len(KINDS)], peer)
            here += count
            bad += differ
        presets += here > 0
        outputs += here
    print(f"{presets} presets, {outputs} outputs: {bad} differences from {args[1]}")
    if args[1] == "mmaemu":
        bad += finish_calls(Inputs("finish"), peer)[1]
    return 1 if bad or not outputs else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
