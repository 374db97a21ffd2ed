#!/usr/bin/env python3
"""Block scaling against torchao itself: NVFP4 with and without a tensor scale, there (0.18, PyPI's) and back, and where it is
newer MX in every element format and scaling mode. Codes in blocks whose scale is NaN are not compared: torchao leaves there
what its integer conversions make of a NaN.

block_torchao.py BLOCK_PEER     exit 77 where torch, torchao or numpy is absent
"""
import sys
import warnings

warnings.simplefilter("ignore")
try:
    import numpy as np
    import torch
    from torchao.prototype.mx_formats.config import ScaleCalculationMode
    from torchao.prototype.mx_formats.mx_tensor import to_mx
    from torchao.prototype.mx_formats.nvfp4_tensor import NVFP4Tensor, nvfp4_quantize, per_tensor_amax_to_scale
except ImportError as absent:
    print(f"torchao is absent: {absent}")
    sys.exit(77)
try:  # came after 0.18, with Inf blocks that are NaN and exact reciprocals of 2^-127 and 2^127
    from torchao.prototype.mx_formats.mx_tensor import _e8m0_scale_to_reciprocal_fp32
except ImportError:
    _e8m0_scale_to_reciprocal_fp32 = None

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


def nvfp4_inputs(rng):
    """Finite ones of the above; bf16 data up to amax whose quotients meet the thresholds of scales and codes, where orders of
    operations differ; rows of zeros."""
    yield from (x for x in inputs(rng) if np.isfinite(x).all())
    for amax in (4.8125, 5.1875, 5.375, 2688.0, 2.0**-100, 2.0**120):
        x = torch.from_numpy(rng.standard_normal((100, 960)).astype(np.float32)).bfloat16().float().numpy()
        x = (np.clip(x, -4, 4) * np.float32(amax / 4)).astype(np.float32)
        x[0, 0], x[7] = amax, 0
        yield x


def run_nvfp4(program, x):
    """Two levels, the tensor's amax given; one level, which is that of amax 2688 (in hexadecimal 45280000)."""
    t = torch.from_numpy(x)
    bad = 0
    for given, bits in ((per_tensor_amax_to_scale(t.abs().max()), "-"), (None, "45280000")):
        scales, codes = nvfp4_quantize(t, 16, given)
        got = peer(program, "nvfp4-torchao", x, amax=bits)
        bad += compare(f"nvfp4 {bits}", unpacked(codes.numpy()), scales.view(torch.uint8).numpy(), got, 16)
        back = NVFP4Tensor.to_nvfp4(t, per_tensor_scale=given).dequantize(torch.float32).numpy()
        values = int((back.view(np.uint32) != got[2].view(np.uint32)).sum())
        if values:
            print(f"nvfp4 {bits}: {values} values differ")
        bad += values > 0
    return 2, bad


def run_mx(program, x):
    t = torch.from_numpy(x)
    bad = 0
    for name, dtype in ELEMENTS.items():
        for mode, number in MODES.items():
            scales, codes = to_mx(t, dtype, 32, ScaleCalculationMode[mode])
            codes = codes.view(torch.uint8).numpy()
            codes = unpacked(codes) if name == "e2m1" else codes
            got = peer(program, "mx-torchao", x, name, ("-", "-"), number)
            bad += compare(f"{name} {mode}", codes, scales.view(torch.uint8).numpy(), got, 32)
    return len(ELEMENTS) * len(MODES), bad


def main(program):
    rng = np.random.default_rng(7)
    cases = bad = 0
    jobs = [(run_nvfp4, x) for x in nvfp4_inputs(rng)]
    if _e8m0_scale_to_reciprocal_fp32 is not None:
        jobs += [(run_mx, x) for x in inputs(rng)]
    for job, x in jobs:
        some, wrong = job(program, x)
        cases += some
        bad += wrong
    print(f"{cases} cases against torchao, {bad} differ" +
          ("" if _e8m0_scale_to_reciprocal_fp32 is not None else "; MX wants a torchao after 0.18: not compared"))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
