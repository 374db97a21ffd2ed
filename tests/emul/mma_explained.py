#!/usr/bin/env python3
"""What fpx_mma_explain tells adds up: every event is computed again, in fractions, from the codes it names and from what
earlier events kept, by the words of fpx/mma.h; the last result is fpx_mma's. Inputs are those of mma_oracle.py, for every
preset. Then events with one number changed on purpose, each of which must be seen.

mma_explained.py MMA_PEER [NAME-PART...]   FPX_TEST_EFFORT: times as many calls
"""
import os
import random
import subprocess
import sys
from fractions import Fraction

import mma_models as mm
from mma_inputs import KINDS, Inputs
from mma_oracle import ANY

EFFORT = max(1, int(os.environ.get("FPX_TEST_EFFORT", "1")))
START, BLOCK, PRODUCT, TERM, SUM, CUT, ROUND, MUL, ADD, FMA, CONVERT = range(11)
PRODUCTS, EVEN, ODD, C, ALL, LATE, PROMOTE, PAIR, COMBINE, SPLIT_C = range(10)
ALIGNED, EXACT, CHAIN, TREE = range(4)
NAN, INF = "nan", "inf"
ABSENT = -32768


def two(e):
    return Fraction(2) ** e


FRACTIONS = {}


def number(fmt, code):
    """A Fraction, NAN, or (INF, negative); and the exponent of its significand."""
    at = (fmt, code)
    if at not in FRACTIONS:
        x = mm.decode(fmt, code)
        value = {mm.NAN: NAN, mm.INF: (INF, x.neg)}.get(x.kind)
        FRACTIONS[at] = (Fraction(x.value, 1 << mm.Q) if value is None else value, x.e, x.neg)
    return FRACTIONS[at]


def times(x, y):
    (x, _, neg_x), (y, _, neg_y) = x, y
    if NAN in (x, y):
        return NAN
    if isinstance(x, tuple) or isinstance(y, tuple):
        return NAN if 0 in (x, y) else (INF, neg_x ^ neg_y)
    return x * y


def total(terms):
    """The sum of what may not be numbers."""
    terms = list(terms)
    infinities = {t for t in terms if isinstance(t, tuple)}
    if NAN in terms or len(infinities) == 2:
        return NAN
    return infinities.pop() if infinities else sum(terms, Fraction(0))


class Value:
    def __init__(self, words):
        self.kind, self.neg, self.more, self.m, self.q = (int(w) for w in words)
        self.value = {2: NAN, 1: (INF, self.neg)}.get(self.kind)
        if self.value is None:
            self.value = self.m * two(self.q) * (-1) ** self.neg
        if self.m == 0 and (self.q or self.more or self.neg and self.kind == 0):
            self.value = "not as the header has it"

    def holds(self, x):
        """Whether this is x, or its first 64 bits."""
        if self.kind or not isinstance(x, Fraction):
            return self.value == x and self.m == 0
        if not self.more:
            return self.value == x and (self.m & 1 or self.m == 0)
        scaled = abs(x) / two(self.q)
        return self.m >> 63 == 1 and scaled // 1 == self.m and scaled != self.m and (x < 0) == bool(self.neg)


class Event:
    def __init__(self, line):
        w = line.split()
        (self.kind, self.part, self.k, self.count, self.a_given, self.b_given, self.rounded, self.has_e,
         self.is_dropped, self.e, self.at) = (int(x) for x in w[:11])
        for i, name in enumerate(("a", "b", "c", "scale_a", "scale_b", "result")):
            setattr(self, name, (w[11 + 2 * i], int(w[12 + 2 * i])))
        for i, name in enumerate(("exact", "kept", "lost")):
            setattr(self, name, Value(w[23 + 5 * i:28 + 5 * i]))


def rounded(fmt, x, mode, fraction, ieee):
    """The code of x, which is not 0, by the model's rounding; ieee: overflow toward zero stays finite."""
    ebits, mbits, bias, _ = mm.FORMATS[fmt]
    least = 1 - bias
    magnitude = abs(x)
    e = max((magnitude.numerator.bit_length() - magnitude.denominator.bit_length()), least)
    while magnitude < two(e) and e > least:
        e -= 1
    while magnitude >= two(e + 1):
        e += 1
    kept, rest = divmod(magnitude / two(e - fraction), 1)
    if mode == 0 and (rest > Fraction(1, 2) or rest == Fraction(1, 2) and kept & 1) or mode == 1 and rest >= Fraction(1, 2):
        kept += 1
    kept = int(kept) << mbits - fraction
    code = (e - least << mbits) + kept
    top = (1 << ebits) - 1 << mbits
    if code >= top:
        code = top - 1 if ieee and mode == 2 else top
    return code | (x < 0) << ebits + mbits


class Walk:
    """Follows one element's events; `fail` names the first that is wrong."""

    def __init__(self, model, c, c_fmt):
        self.m, self.out = model, model["format"]
        self.c = (c_fmt, c) if c_fmt else (self.out, 0)
        if c_fmt and model["flush_inputs"]:
            self.c = (c_fmt, self.flush_input(*self.c))
        self.last = None
        self.ks, self.splits, self.stack, self.parts = [], [], [], []
        self.begin(self.c if model["split"] < 2 else self.zero())

    def zero(self):
        return self.out, 0

    def begin(self, c):
        """A split, or all: with promotion c waits in `sum`; with late c the chain waits while an instruction runs."""
        self.sum, self.chain = c, self.zero() if self.m["promote"] else c
        self.acc = self.zero() if self.m["c"] == 2 else self.chain

    @staticmethod
    def flush_input(fmt, code):
        _, mbits, _, _ = mm.FORMATS[fmt]
        return 0 if code & (1 << mm.bits_of(fmt) - 1) - 1 < 1 << mbits else code

    def read(self, fmt, given):
        """A code as the unit reads it."""
        if self.m["drop"] and fmt == "fp32":
            given = given >> self.m["drop"] << self.m["drop"]
        return self.flush_input(fmt, given) if self.m["flush_inputs"] else given

    def code_of(self, x, ieee, signs, flags=None, rne=False):
        """The code of an exact result. signs: of a zero."""
        if x == NAN:
            return self.m["nan_code"]
        if isinstance(x, tuple):
            return mm.code_of(self.out, x[1], mm.TOO_LARGE)
        if x == 0:
            return signs << mm.bits_of(self.out) - 1
        mode = 0 if rne else self.m["round"]
        code = rounded(self.out, x, mode, self.m["fraction_out"] if not ieee else mm.FORMATS[self.out][1], ieee)
        if not ieee and self.m["zero"] == 0 and code << 1 & (1 << mm.bits_of(self.out)) - 1 == 0:
            return 0
        return code

    def elements(self, e):
        """Value and exponent of the product of an event."""
        assert e.a[1] == self.read(e.a[0], e.a_given) and e.b[1] == self.read(e.b[0], e.b_given), "elements as read"
        self.ks.append(e.k)
        x, exponent = (Fraction(1), 0, 0), 0
        for fmt, code in (e.a, e.b, e.scale_a, e.scale_b):
            if fmt == "-":
                continue
            y = number(fmt, code)
            exponent += y[1]
            value = times(x, y)
            x = (value, 0, x[2] ^ y[2])
        if self.m["e_least"] and isinstance(x[0], Fraction) and x[0]:
            exponent = sum(max(mm.decode(fmt, code).mag.bit_length() - 1 - mm.Q, self.m["e_least"]) for fmt, code in (e.a, e.b))
            exponent += sum(number(*s)[1] for s in (e.scale_a, e.scale_b) if s[0] != "-")
        scales = sum(number(*s)[1] for s in (e.scale_a, e.scale_b) if s[0] != "-")
        value = x[0]
        if self.m["e_infinite"] and isinstance(value, Fraction) and abs(value) >= two(self.m["e_infinite"]):
            value = (INF, int(value < 0))
        return value, exponent, scales

    def check_split(self, e, exact, toward_zero):
        """exact = kept + lost at 2^at."""
        unit = two(e.at)
        kept = e.kept.value
        lost = exact - kept
        assert e.exact.holds(exact) and e.kept.holds(kept), "exact"
        assert e.lost.holds(lost) and (kept / unit).denominator == 1, "kept + lost"
        if toward_zero:
            assert abs(lost) < unit and lost * exact >= 0 and abs(kept) <= abs(exact), "cut toward zero"
        else:
            assert 0 <= lost < unit, "cut toward minus infinity"

    def event(self, e):
        m, out = self.m, self.out
        if e.kind == START:
            self.splits.append(e.k)
            self.parts.append(self.zero())
            self.begin(self.zero())
        elif e.kind == BLOCK:
            assert e.c == self.acc, "the accumulator"
            self.acc, self.block_c, self.block_n = e.c, number(*e.c), e.count
            self.products, self.terms, self.sums, self.cuts, self.n = [], [], {}, {}, 0
        elif e.kind == PRODUCT:
            product = self.elements(e)
            assert e.exact.holds(product[0]), "product"
            self.products.append(product)
        elif e.kind == TERM:
            self.term(e)
        elif e.kind == SUM:
            parity = {EVEN: 0, ODD: 1}.get(e.part)
            terms = [t for n, t in self.terms if parity is None or n % 2 == parity]
            assert e.exact.holds(sum((t.kept.value for t in terms), Fraction(0))), "sum"
            es = [t.e for t in terms if t.has_e]
            assert e.has_e == bool(es) and (e.e, e.at) == ((max(es), max(es) - m["fraction"]) if es else (0, 0)), "E"
            assert all(t.at == e.at for t in terms), "one place for all"
            self.sums[e.part] = e
        elif e.kind == CUT:
            self.cut(e)
        elif e.kind == ROUND:
            self.end_of_block(e)
        else:
            self.operation(e)
        if e.result[0] != "-":
            self.last = e.result
            if self.parts and e.part < PAIR and (e.part == PROMOTE or not m["promote"]):
                self.parts[-1] = e.result

    def term(self, e):
        if e.part == C:
            assert e.count == 0 and m_early(self.m), "c is a term"
            exact, exponent = self.block_c[0], self.block_c[1]
            index = -1
        else:
            index = len([t for n, t in self.terms if n >= 0])
            if self.m["parities"] == 2:
                even = -(-len(self.products) // 2)
                index = 2 * index if index < even else 2 * (index - even) + 1
            size = self.m["group"] or 1
            some = self.products[index * size:(index + 1) * size]
            assert len(some) == e.count, "products of a term"
            exact = sum((p[0] for p in some if isinstance(p[0], Fraction)), Fraction(0))
            exponent = some[0][2] if self.m["group"] else some[0][1]
            if self.m["group"] and any(p[0] for p in some if isinstance(p[0], Fraction)):
                assert e.has_e and e.e == exponent, "exponent of a group"
                self.check_split(e, exact, True)
                self.terms.append((index, e))
                return
        if exact:
            assert e.has_e and e.e == exponent, "exponent of a term"
        else:
            assert e.has_e == (self.m["e_zero"] != ABSENT) and (not e.has_e or e.e == self.m["e_zero"]), "exponent of zero"
        self.check_split(e, exact, True)
        self.terms.append((index, e))

    def cut(self, e):
        m = self.m
        if e.part in (EVEN, ODD):
            own = self.sums[e.part]
            es = [s.e for s in self.sums.values() if s.has_e]
            assert e.has_e == bool(es) and (not es or e.at == max(es) - m["fraction"]), "E of both parities"
            self.check_split(e, own.exact.value, False)
        elif e.part == PRODUCTS:
            parts = [self.cuts[p].kept.value for p in (EVEN, ODD) if p in self.cuts]
            exact = sum(parts, Fraction(0)) if m["parities"] == 2 else self.sums[PRODUCTS].exact.value
            es = [s.e for s in self.sums.values() if s.has_e]
            c_e = -1 if not isinstance(self.block_c[0], Fraction) else self.block_c[1]
            self.e_both = max(es + [c_e])
            assert e.e == self.e_both and e.at == e.e - m["fraction_sum"], "E with c"
            self.check_split(e, exact, False)
        elif e.part == C:
            c_e = -1 if not isinstance(self.block_c[0], Fraction) else self.block_c[1]
            assert e.is_dropped == (m["gap_c"] > 0 and c_e < self.e_both - m["gap_c"]), "c dropped"
            assert e.e == self.e_both and e.at == e.e - m["fraction_c"], "E with c"
            if e.is_dropped:
                assert e.kept.value == 0 and e.exact.holds(self.block_c[0]) and e.lost.holds(self.block_c[0]), "c lost"
            else:
                self.check_split(e, self.block_c[0], False)
        else:
            exact = self.cuts[PRODUCTS].kept.value + self.cuts[C].kept.value
            at = self.e_both - max(m["fraction_sum"], m["fraction_c"])
            if exact and m["fraction_all"]:
                own = -mm.FORMATS[self.out][2] + 1
                while abs(exact) >= two(own + 1):
                    own += 1
                at = max(at, own - m["fraction_all"])
            assert e.at == at, "the sum's own exponent"
            self.check_split(e, exact, False)
        self.cuts[e.part] = e

    def check_result(self, e, exact, code):
        assert e.result == (self.out, code), f"result {code:#x}"
        value = number(*e.result)[0]
        assert e.kept.holds(value), "kept"
        assert e.exact.holds(exact), "exact"
        lost = exact - value if isinstance(exact, Fraction) and isinstance(value, Fraction) else NAN
        assert e.lost.holds(lost), "lost"

    def end_of_block(self, e):
        products = [p[0] for p in self.products]
        assert len(products) == self.block_n, "all products of the block"
        c = self.block_c[0]
        if self.m["sum"] == ALIGNED and self.m["c"] == 1 and not isinstance(c, Fraction) and self.m["gap_c"]:
            es = [s.e for s in self.sums.values() if s.has_e]
            if max(es + [-1]) - self.m["gap_c"] > -1:
                c = Fraction(0)  # Inf and NaN have the exponent -1: dropped
        odd = total(products + [c])
        if not isinstance(odd, Fraction):
            self.check_result(e, odd, self.code_of(odd, False, 0))
        else:
            exact = odd if self.m["sum"] == EXACT else self.cuts[ALL].kept.value if self.m["c"] == 1 \
                else self.sums[ALL].exact.value
            if self.m["sum"] == ALIGNED:
                assert len(self.terms) == (self.m["c"] != 1) + -(-len(products) // (self.m["group"] or 1)), "all terms"
            self.check_result(e, exact, self.code_of(exact, False, 0))
        self.acc = e.result

    def operation(self, e):
        m, out = self.m, self.out
        rne = e.kind == ADD and e.part not in (PRODUCTS, C) or e.kind == CONVERT
        sign_of = lambda x: number(*x)[2]
        if e.kind == CONVERT:
            assert e.c == self.c, "C"
            exact, sign = number(*e.c)[0], sign_of(e.c)
        elif e.kind == ADD:
            exact = total([number(*e.a)[0], number(*e.b)[0]])
            sign = sign_of(e.a) & sign_of(e.b)
            if exact == 0 and not number(*e.a)[0] == 0:
                sign = 0
        else:
            product, _, _ = self.elements(e)
            sign = sign_of(e.a) ^ sign_of(e.b)
            exact = product
            if e.kind == FMA:
                assert e.c == self.acc, "the accumulator"
                exact = total([product, number(*e.c)[0]])
                sign = sign & sign_of(e.c) if product == 0 and number(*e.c)[0] == 0 else 0
        code = self.code_of(exact, True, sign, rne=rne)
        assert e.rounded == code, f"rounded {code:#x}"
        if m["flush_results"] and not rne and self.flush_input(out, code) == 0:
            code &= 1 << mm.bits_of(out) - 1
        self.check_result(e, exact, code)
        if e.kind == MUL:
            self.stack.append(e.result)
        elif e.kind == FMA:
            self.acc = e.result
        elif e.kind == ADD and e.part == PRODUCTS:
            assert e.b == self.stack.pop() and e.a == self.stack.pop(), "the tree's operands"
            self.stack.append(e.result)
        elif e.kind == ADD and e.part == C:
            assert e.b == self.stack.pop() and e.a == self.acc and not self.stack, "the tree's end"
            self.acc = e.result
        elif e.kind == ADD and e.part == LATE:
            assert e.a == self.chain and e.b == self.acc, "late c"
            self.chain, self.acc = e.result, self.zero()
        elif e.kind == ADD and e.part == PROMOTE:
            assert e.a == self.sum and e.b == (self.chain if m["c"] == 2 else self.acc), "promotion"
            self.begin(e.result)
        elif e.kind == ADD and e.part == SPLIT_C:
            assert e.b == self.parts.pop() and e.a == self.c and not self.parts, "C and the splits"
        elif e.kind == ADD:
            assert len(self.parts) == (3 if e.part == PAIR else 2), "a pair, or the sum so far and the next"
            assert e.b == self.parts.pop() and e.a == self.parts.pop(), "splits"
            self.parts.append(e.result)

    def end(self, k, code, d):
        assert code == d and (self.last is None or self.last == (self.out, d)), f"fpx_mma gives {d:#x}"
        assert sorted(self.ks) == list(range(k)), "every k once"
        assert sorted(self.splits) == (list(range(self.m["split"])) if self.m["split"] > 1 and k else []), "every split once"


def m_early(m):
    return m["sum"] == ALIGNED and m["c"] != 1


def check(model, c, c_fmt, k, lines):
    """None, or what is wrong. lines: of one element, the last one "end ..."."""
    walk = Walk(model, c, c_fmt)
    for n, line in enumerate(lines[:-1]):
        try:
            walk.event(Event(line))
        except (AssertionError, KeyError, IndexError, AttributeError, TypeError) as error:
            return f"event {n}: {type(error).__name__} {error}: {line}"
    try:
        walk.end(k, *(int(w) for w in lines[-1].split()[1:]))
    except AssertionError as error:
        return str(error)
    return None


class Explainer:
    def __init__(self, program):
        self.pipe = subprocess.Popen([program, "--explain"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def run(self, name, fmts, scale, block, a, b, c, scales, changes):
        """The model, and each element's lines."""
        m, n, k = len(a), len(b), len(a[0]) if a else 0

        def words(fmt, rows):
            size = 8 if fmt == "fp64" else 4
            return b"".join(x.to_bytes(size, "little") for row in rows for x in row)
        head = " ".join([name, fmts[0], fmts[1], fmts[2] or "-", scale or "-", str(block), str(m), str(n), str(k), *changes, "."])
        data = words(fmts[0], a) + words(fmts[1], b) + (words(fmts[2], c) if fmts[2] else b"")
        for s in scales or ():
            data += words(scale, s)
        self.pipe.stdin.write(head.encode() + b"\n" + data)
        self.pipe.stdin.flush()
        first = self.pipe.stdout.readline().decode()
        if not first:
            sys.exit(f"{name}: the reference refused (above)")
        model = {key: value if key == "format" else int(value) for key, value in (w.split("=") for w in first.split())}
        model["nan_code"] &= (1 << 64) - 1
        elements = []
        for _ in range(m * n):
            lines = []
            while not lines or not lines[-1].startswith("end"):
                lines.append(self.pipe.stdout.readline().decode())
            elements.append(lines)
        return model, elements


# Changes that make models that no preset has.
CHANGES = [[], [], [], ["c=2", "step=32"], ["round=1"], ["zero=1"], ["round=0"], ["promote=64", "step=32"],
           ["split=4", "tile=16", "step=16", "combine=1"], ["split=5", "tile=16", "step=16", "deal=1", "promote=16"]]


def one_call(explainer, inputs, preset, kind, changes):
    name, out, takes, scales_text = preset
    rng = inputs.rng
    words = ANY if takes == "-" else takes.split()
    a_fmt = rng.choice(words)
    b_fmt = a_fmt if "tf32" in words else rng.choice(words)
    k = rng.choice([0, 1, 2, 3, 4, 5, 8, 11, 16, 17, 31, 32, 33, 64, 67, 96])
    c_fmt = rng.choice([out, out, None])
    if kind == "ties":
        a, b = inputs.ties(a_fmt, b_fmt, max(k, 1), out)
        k = max(k, 1)
    else:
        a, b = inputs.vectors(a_fmt, b_fmt, 1, 1, k, kind, out)
    c = [[inputs.tie_c if kind == "ties" and c_fmt else inputs.code(c_fmt, rng.choice([kind, "plain", "tiny"])) if c_fmt else 0]]
    scale, block, scales = None, 0, None
    if scales_text != "-":
        scale, block = rng.choice(scales_text.split()).split("/")
        block = int(block)
        scales = [[[inputs.code(scale, kind) for _ in range(-(-k // block))]] for _ in range(2)]
    model, elements = explainer.run(name, (a_fmt, b_fmt, c_fmt), scale, block, a, b, c, scales, changes)
    return model, c[0][0], c_fmt, k, elements[0], a_fmt


def spoiled(lines, rng):
    """The lines with one number of one event changed: what is told, not the operands' formats."""
    n = rng.randrange(len(lines) - 1)
    w = lines[n].split()
    kind = int(w[0])
    # By kind: words that a reader would be misled by (event_text's order).
    fields = {BLOCK: [16], PRODUCT: [12, 26], TERM: [26, 31, 36, 10], SUM: [26, 9], CUT: [26, 31, 36], ROUND: [22, 26, 31, 36],
              MUL: [22, 26, 36], ADD: [22, 26, 36], FMA: [22, 26, 36], CONVERT: [22], START: [2]}[kind]
    at = rng.choice(fields)
    w[at] = str(int(w[at]) + 1)
    return [*lines[:n], " ".join(w), *lines[n + 1:]], n, at


def changes_for(rng, preset):
    """Changes that the model check takes, for this preset."""
    name = preset[0]
    change = rng.choice(CHANGES)
    if any(part in name for part in ("cublaslt", "nvf4", "mxf4")) or (name.startswith("cdna3") and "c=2" in change):
        return []
    if "zero=1" in change and ("fp64" in name or "fp32-fp32" in name or not ("hopper" in name or "ampere" in name or "cdna" in name and "/fp16" in name and "cdna2" not in name)):
        return []
    if "step=32" in change and "mma.sync/fp8" in name:
        return []
    return change


def main(args):
    explainer = Explainer(args[0])
    text = subprocess.run([args[0], "--list"], stdout=subprocess.PIPE, check=True, text=True).stdout
    presets = [line.split("\t") for line in text.splitlines()]
    presets = [p for p in presets if len(args) == 1 or any(part in p[0] for part in args[1:])]
    elements = events = bad = spoilt = missed = 0
    for preset in presets:
        inputs = Inputs("explained " + preset[0])
        rng = random.Random(preset[0])
        for index in range(21 * EFFORT):
            changes = changes_for(rng, preset)
            model, c, c_fmt, k, lines, a_fmt = one_call(explainer, inputs, preset, KINDS[index % len(KINDS)], changes)
            wrong = check(model, c, c_fmt, k, lines)
            elements += 1
            events += len(lines) - 1
            if wrong:
                bad += 1
                print(f"{preset[0]} {changes} {a_fmt} k {k}: {wrong}")
                break
            if len(lines) > 1:
                lines, n, at = spoiled(lines, rng)
                spoilt += 1
                if not check(model, c, c_fmt, k, lines):
                    missed += 1
                    print(f"{preset[0]} {changes}: not seen: word {at} of event {n}: {lines[n]}")
    print(f"{len(presets)} presets, {elements} elements, {events} events: {bad} do not add up; "
          f"{spoilt - missed} of {spoilt} spoiled events seen")
    return 1 if bad or missed or not elements else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
