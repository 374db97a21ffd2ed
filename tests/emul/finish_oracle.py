"""The epilogue of fpx/mma_finish.h against exact integers: scales, bias, and each rounding and overflow into each format.
finish_oracle.py MMA_PEER"""
import os
import sys

import mma_models as mm
from mma_inputs import Inputs, Peer

EFFORT = int(os.environ.get("FPX_TEST_EFFORT", "1"))
RNE, RNA, RZ, RU, RD, RO = range(6)
SATFINITE, SATPROPAGATE, NONE = range(3)
KINDS = ["plain", "plain", "wide", "tiny", "huge", "special"]
OUT = ["fp32", "bf16", "fp16", "e4m3", "e5m2", "e2m1", "e3m2", "e2m3", "e4m3fnuz", "e5m2fnuz", "fp64"]
ONE = 0x3F800000


def layout(fmt):
    """Sign bit, code of the largest finite value, code of Inf or None, code of the NaN that cuBLASLt writes or None."""
    ebits, mbits, _, specials = mm.FORMATS[fmt]
    sign = 1 << ebits + mbits
    top = (1 << ebits) - 1 << mbits
    return sign, {"ieee": top - 1, "fn": sign - 2, "none": sign - 1, "fnuz": sign - 1}[specials], \
        top if specials == "ieee" else None, {"ieee": sign - 1, "fn": sign - 1, "none": None, "fnuz": sign}[specials]


def beyond(fmt, neg, is_inf, rounding, overflow):
    sign, largest, inf, nan = layout(fmt)
    fnuz_nan = nan == sign
    toward = not is_inf and (rounding == RZ or rounding == RD and not neg or rounding == RU and neg)
    if overflow == SATFINITE or overflow == SATPROPAGATE and not is_inf or toward:
        return largest | (sign if neg else 0)
    if inf is not None:
        return inf | (sign if neg else 0)
    if nan is not None:
        return nan if fnuz_nan else nan | (sign if neg else 0)
    return largest | (sign if neg else 0)


def encode(fmt, x, rounding, overflow):
    sign, largest, _, nan = layout(fmt)
    ebits, mbits, bias, specials = mm.FORMATS[fmt]
    if x.kind == mm.NAN:
        return largest if nan is None else nan
    if x.kind == mm.INF:
        return beyond(fmt, x.neg, True, rounding, overflow)
    e = max(x.mag.bit_length() - 1 - mm.Q, 1 - bias)
    unit = mm.power(e - mbits)
    kept, rest = divmod(x.mag, unit)
    up = {RNE: 2 * rest > unit or 2 * rest == unit and kept & 1, RNA: 2 * rest >= unit, RZ: False,
          RU: rest and not x.neg, RD: rest and x.neg, RO: rest and not kept & 1}[rounding]
    kept += bool(up)
    if kept == 0:
        return 0 if specials == "fnuz" else sign * x.neg
    largest_value = mm.decode(fmt, largest).mag
    if kept * unit > largest_value:
        return beyond(fmt, x.neg, False, rounding, overflow)
    return mm.code_of(fmt, x.neg, kept * unit)


def rounded(fmt, p):
    """p to nearest even, as a number of fmt."""
    if p.kind == mm.FINITE:
        return mm.decode(fmt, mm.nearest(fmt, p.neg, p.mag))
    return p


def added(fmt, x, y):
    return mm.decode(fmt, mm.ieee_sum(fmt, x, y, mm.all_ones(fmt)))


def finished(sums, total, scales, bias, to, rounding, overflow):
    real = "fp64" if sums == "fp64" else "fp32"
    a, b, d = (mm.decode("fp32", s) for s in scales)
    alpha = rounded("fp32", mm.product(a, b))
    y = mm.product(mm.decode(sums, total), alpha)
    y = rounded(real, y) if y.mag or y.kind != mm.FINITE else mm.decode(real, 0)
    if bias is not None:
        y = added(real, y, bias)
    return encode(to, rounded(real, mm.product(y, d)), rounding, overflow)


def one_call(peer, inputs, index, hurt):
    rng = inputs.rng
    sums, to = rng.choice(["fp32", "fp32", "fp32", "fp16", "bf16", "fp64"]), OUT[index % len(OUT)]
    bias_fmt = rng.choice([None, "fp32", "fp32", "bf16", "fp16"])
    rounding, overflow = rng.choice([(-1, -1), (rng.randrange(6), rng.randrange(3))])
    rows, columns = rng.randint(1, 9), rng.randint(1, 40)
    kind = rng.choice(KINDS)
    scales = [inputs.code("fp32", rng.choice([kind, "plain"])) for _ in range(3)]
    if index % 3 == 0:
        scales = [ONE, ONE, ONE]
    if index % 7 == 0:
        scales[2] = ONE
    totals = [inputs.code(sums, rng.choice([kind, "plain"])) for _ in range(rows * columns)]
    if sums == "fp32" and index % 3 == 0:  # ties of the result, and their neighbours
        low = {"fp32": 0, "bf16": 16, "fp16": 13, "fp64": 0}.get(to, 23 - mm.FORMATS[to][1])
        totals = [(x >> low << low | rng.choice([0, 1, -1]) + (1 << low >> 1)) & 0xFFFFFFFF for x in totals]
    bias = None
    if bias_fmt is not None:
        bias = [inputs.code(bias_fmt, rng.choice([kind, "plain"])) for _ in range(columns)]
        for j in range(0, columns, 3):  # about the negative of a sum
            if sums == bias_fmt == "fp32" and index % 3 == 0:
                bias[j] = totals[j] ^ 0x80000000 ^ rng.choice([0, 0, 1])
    word = 8 if sums == "fp64" else 4
    head = f"finish {sums} {to} {scales[0]:x} {scales[1]:x} {scales[2]:x} {rounding} {overflow} {bias_fmt or '-'} {rows} {columns}\n"
    peer.pipe.stdin.write(head.encode() + b"".join(x.to_bytes(4, "little") for x in bias or [])
                          + b"".join(x.to_bytes(word, "little") for x in totals))
    peer.pipe.stdin.flush()
    data = peer.pipe.stdout.read(8 * rows * columns)
    if rounding < 0:
        rounding, overflow = RNE, SATFINITE if mm.bits_of(to) <= 8 else NONE
    bad = 0
    for i, total in enumerate(totals):
        got = int.from_bytes(data[8 * i:8 * i + 8], "little")
        j = (i + hurt) % columns  # hurt: the bias of another column, which must be seen
        want = finished(sums, total, scales, None if bias is None else mm.decode(bias_fmt, bias[j]), to, rounding, overflow)
        if got != want:
            bad += 1
            if bad == 1 and not hurt:
                print(head.strip(), f"element {i}: sum {total:#x}, bias {bias and hex(bias[j])}: got {got:#x}, not {want:#x}")
    return len(totals), bad


def main(args):
    peer, outputs, bad = Peer(args[0]), 0, 0
    seed = os.environ.get("FPX_TEST_SEED", "finish")
    print("FPX_TEST_SEED", seed)
    inputs = Inputs(seed)
    for index in range(1100 * EFFORT):
        count, differ = one_call(peer, inputs, index, 0)
        outputs, bad = outputs + count, bad + differ
        if bad > 100:
            break
    seen = sum(one_call(peer, inputs, index, 1)[1] for index in range(60))
    print(f"epilogue: {outputs} results, {bad} differences from exact integers; a bias of the next column is "
          f"{'seen' if seen else 'NOT seen'}")
    return 1 if bad or not seen else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
