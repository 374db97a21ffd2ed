#!/usr/bin/env python3
"""Block scaling against torchao itself (after 0.18): MX in every element format and scaling mode, NVFP4 with and without a
tensor scale, cuBLAS's tiles of scales. Codes in blocks whose scale is NaN are not compared: torchao leaves there what
its integer conversions make of a NaN.

block_torchao.py BLOCK_PEER     exit 77 where torch, such a torchao or numpy is absent
"""
import sys
import warnings

warnings.simplefilter("ignore")
try:
    import numpy as np
    import torch
    from torchao.prototype.mx_formats.config import ScaleCalculationMode
    # Came after 0.18, with Inf blocks that are NaN and exact reciprocals of 2^-127 and 2^127.
    from torchao.prototype.mx_formats.mx_tensor import _e8m0_scale_to_reciprocal_fp32, to_mx
    from torchao.prototype.mx_formats.nvfp4_tensor import nvfp4_quantize, per_tensor_amax_to_scale
except ImportError as absent:
    print(f"torchao after 0.18 is absent: {absent}")
    sys.exit(77)

from block_peer import peer  # beside this file

ELEMENTS = {"e4m3": torch.float8_e4m3fn, "e5m2": torch.float8_e5m2, "e3m2": "fp6_e3m2", "e2m3": "fp6_e2m3",
            "e2m1": torch.float4_e2m1fn_x2}
MODES = {"FLOOR": 0, "CEIL": 1, "EVEN": 2, "RCEIL": 4}


def unpacked(codes):
    return np.stack([codes & 15, codes >> 4], -1).reshape(codes.shape[0], -1)


def inputs(rng):
    x = rng.standard_normal((64, 256)).astype(np.float32)
    yield x
    yield torch.from_numpy(x).bfloat16().float().numpy()
    yield (x * 2.0 ** rng.integers(-140, 120, x.shape)).astype(np.float32)
    rows = np.arange(1, 255, dtype=np.uint32)[:, None] << 23 | rng.integers(0, 2**23, (254, 64), dtype=np.uint32)
    rows = rows.view(np.float32).copy()
    rows[::2, 1:] *= np.float32(0.25)
    rows[5] = 0
    rows[6, 3], rows[7, 9] = np.inf, np.nan
    yield rows


def compare(what, codes, scales, got, length):
    mine = np.frombuffer(got[1], np.uint8).reshape(scales.shape)
    nan = np.repeat(scales == (255 if length == 32 else 127), length, axis=1)
    wrong = int((mine != scales).sum()), int(((got[0] != codes) & ~nan).sum())
    if any(wrong):
        print(f"{what}: {wrong[0]} scales, {wrong[1]} codes differ")
    return any(wrong)


def main(program):
    rng = np.random.default_rng(7)
    cases = bad = 0
    for x in inputs(rng):
        t = torch.from_numpy(x)
        for name, dtype in ELEMENTS.items():
            for mode, number in MODES.items():
                scales, codes = to_mx(t, dtype, 32, ScaleCalculationMode[mode])
                codes = codes.view(torch.uint8).numpy()
                codes = unpacked(codes) if name == "e2m1" else codes
                got = peer(program, "mx-torchao", x, name, ("-", "-"), number)
                bad += compare(f"{name} {mode}", codes, scales.view(torch.uint8).numpy(), got, 32)
                cases += 1
        if np.isfinite(x).all():
            amax = t.abs().max()
            for given, bits in ((per_tensor_amax_to_scale(amax), "-"), (None, "45280000")):  # 2688
                scales, codes = nvfp4_quantize(t, 16, given)
                got = peer(program, "nvfp4-torchao", x, amax=bits)
                bad += compare(f"nvfp4 {bits}", unpacked(codes.numpy()), scales.view(torch.uint8).numpy(), got, 16)
                cases += 1
    print(f"{cases} cases against torchao, {bad} differ")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
