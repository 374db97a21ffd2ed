"""The matrix units once more, in Python's big integers, written from their published description and not from emul/: the
oracle of mma_oracle.py. A magnitude is an integer in units of 2^-Q; nothing is ever rounded but where a model says so."""

Q = 2600  # the least product of two float64 with scales is above 2^-2600
FINITE, INF, NAN = range(3)
TOO_LARGE = -1  # a magnitude: infinity

# name: exponent bits, fraction bits, bias, specials
FORMATS = {
    "fp64": (11, 52, 1023, "ieee"), "fp32": (8, 23, 127, "ieee"), "bf16": (8, 7, 127, "ieee"),
    "fp16": (5, 10, 15, "ieee"), "tf32": (8, 10, 127, "ieee"), "e5m2": (5, 2, 15, "ieee"),
    "e4m3": (4, 3, 7, "fn"), "e3m2": (3, 2, 3, "none"), "e2m3": (2, 3, 1, "none"), "e2m1": (2, 1, 1, "none"),
    "e4m3fnuz": (4, 3, 8, "fnuz"), "e5m2fnuz": (5, 2, 16, "fnuz"),
}


def bits_of(fmt):
    return {"e8m0": 8, "ue4m3": 8}.get(fmt) or 1 + FORMATS[fmt][0] + FORMATS[fmt][1]


def power(e):
    return 1 << (Q + e)


class Number:
    """kind, sign, magnitude, and e: the exponent of a normalised significand, the format's least one for subnormals."""
    __slots__ = ("kind", "neg", "mag", "e")

    def __init__(self, kind, neg, mag=0, e=0):
        self.kind, self.neg, self.mag, self.e = kind, neg, mag, e

    @property
    def value(self):
        return -self.mag if self.neg else self.mag


CACHE = {}


def decode(fmt, code):
    at = (fmt, code)
    if at not in CACHE:
        if len(CACHE) > 400000:
            CACHE.clear()
        CACHE[at] = decode_new(fmt, code)
    return CACHE[at]


def decode_new(fmt, code):
    if fmt == "e8m0":
        return Number(NAN, 0) if code == 255 else Number(FINITE, 0, power(code - 127), code - 127)
    if fmt == "ue4m3":  # the sign bit is ignored
        return decode_new("e4m3", code & 127)
    ebits, mbits, bias, specials = FORMATS[fmt]
    neg, field, fraction = code >> (ebits + mbits) & 1, code >> mbits & (1 << ebits) - 1, code & (1 << mbits) - 1
    if specials == "ieee" and field == (1 << ebits) - 1:
        return Number(NAN if fraction else INF, neg)
    if specials == "fn" and code & 0x7F == 0x7F or specials == "fnuz" and code == 0x80:
        return Number(NAN, 0)
    e = max(field, 1) - bias
    significand = fraction | (1 << mbits if field else 0)
    return Number(FINITE, neg, significand << (Q + e - mbits), e)


def as_format(x, fmt):
    """x converted exactly: its significand is normalised as far as the other format allows."""
    if x.kind != FINITE or x.mag == 0:
        return x
    return decode(fmt, code_of(fmt, x.neg, x.mag))


def code_of(fmt, neg, mag):
    """The code of a value that the format has, or of TOO_LARGE."""
    ebits, mbits, bias, _ = FORMATS[fmt]
    sign = neg << (ebits + mbits)
    if mag == TOO_LARGE:
        return sign | (1 << ebits) - 1 << mbits
    least = 1 - bias
    e = max(mag.bit_length() - 1 - Q, least)
    significand, rest = divmod(mag, power(e - mbits))
    assert rest == 0
    return sign | ((e - least << mbits) + significand)


def emax(fmt):
    return (1 << FORMATS[fmt][0]) - 2 - FORMATS[fmt][2]


def nearest(fmt, neg, mag):
    """To nearest even, IEEE 754: the code; a zero keeps the sign."""
    return converted(fmt, neg, mag, FORMATS[fmt][1], True)


def converted(fmt, neg, mag, fraction, to_nearest):
    e = max(mag.bit_length() - 1 - Q, 1 - FORMATS[fmt][2])
    unit = power(e - fraction)
    kept, rest = divmod(mag, unit)
    if to_nearest and (2 * rest > unit or 2 * rest == unit and kept & 1):
        kept += 1
    mag = kept * unit
    return code_of(fmt, neg, TOO_LARGE if mag >= power(emax(fmt) + 1) else mag)


def toward_zero(x, e):
    """x cut to a multiple of 2^e toward zero."""
    return -(-x >> (Q + e) << (Q + e)) if x < 0 else x >> (Q + e) << (Q + e)


def down(x, e):
    return x >> (Q + e) << (Q + e)


CANONICAL = {"fp64": 0x7FF8 << 48, "fp32": 0x7FC00000, "bf16": 0x7FC0, "fp16": 0x7E00}


def all_ones(fmt):
    return (1 << bits_of(fmt) - 1) - 1


def scaled(x, scale):
    """x times a scale, exactly."""
    if NAN in (x.kind, scale.kind) or x.kind == INF and scale.mag == 0:
        return Number(NAN, 0)
    return Number(x.kind, x.neg, x.mag * scale.mag >> Q)


def product(x, y):
    """Exact and not normalised."""
    neg = x.neg ^ y.neg
    if NAN in (x.kind, y.kind):
        return Number(NAN, 0)
    if INF in (x.kind, y.kind):
        zero = x.kind == FINITE and x.mag == 0 or y.kind == FINITE and y.mag == 0
        return Number(NAN, 0) if zero else Number(INF, neg)
    return Number(FINITE, neg, x.mag * y.mag >> Q, x.e + y.e)


def special(terms, fmt, nan):
    """The code that NaN and Inf among the terms give; None where all are finite."""
    infinities = {t.neg for t in terms if t.kind == INF}
    if any(t.kind == NAN for t in terms) or len(infinities) == 2:
        return nan
    return code_of(fmt, infinities.pop(), TOO_LARGE) if infinities else None


# Blocks: c is a Number, x and y are lists of Numbers, scales a pair of lists or None; they return a code.

def t_fdpa(x, y, scales, c, out, F, rho, e_zero, group=0):
    """T-FDPA, with scales ST-FDPA, with groups GST-FDPA. rho: fraction bits and whether to nearest."""
    terms = [product(a, b) for a, b in zip(x, y)]
    ones = Number(FINITE, 0, power(0), 0)
    alpha = scales[0] if scales else [ones] * len(x)
    beta = scales[1] if scales else [ones] * len(x)
    if group:
        grouped = []
        for g in range(0, len(terms), group):
            p, s = terms[g:g + group], product(alpha[g], beta[g])
            odd = special(p + [Number(NAN, 0)] * (s.kind == NAN), out, "nan")
            if odd is not None:
                return all_ones(out)
            total = sum(t.value for t in p)
            zero = all(t.mag == 0 for t in p) or s.mag == 0
            grouped.append((total * s.mag >> Q, e_zero if zero else s.e))
        odd = special([c], out, all_ones(out))
    else:
        terms = [product(t, product(a, b)) for t, a, b in zip(terms, alpha, beta)]
        grouped = [(t.value, t.e if t.mag else e_zero) for t in terms]
        odd = special(terms + [c], out, all_ones(out))
    if odd is not None:
        return odd
    grouped.append((c.value, c.e if c.mag else e_zero))
    E = max(e for _, e in grouped)
    total = sum(toward_zero(v, E - F) for v, _ in grouped)
    code = converted(out, int(total < 0), abs(total), *rho)
    return 0 if code << 1 & (1 << bits_of(out)) - 1 == 0 else code  # a zero is +0


def e_fdpa(x, y, scales, c, out, nan, signed):
    """c plus exact products, one rounding to nearest. signed: a sum that underflows keeps its sign."""
    terms = [product(a, b) for a, b in zip(x, y)]
    if scales:
        terms = [product(t, product(a, b)) for t, a, b in zip(terms, *scales)]
    odd = special(terms + [c], out, nan)
    if odd is not None:
        return odd
    total = sum(t.value for t in terms) + c.value
    code = nearest(out, int(total < 0), abs(total))
    return code if signed or code << 1 & (1 << bits_of(out)) - 1 else 0


def aligned(terms, F):
    """E over the terms that are not zero (None: there is none), and their sum, each cut to F bits below."""
    es = [t.e for t in terms if t.mag]
    if not es:
        return None, 0
    return max(es), sum(toward_zero(t.value, max(es) - F) for t in terms)


def tr_end(T, E, c, sum_bits, last_bits):
    """T and c aligned at max(E, e_c), T cut down to sum_bits, c to 24, their sum to last_bits below its own exponent."""
    top = c.e if E is None else max(E, c.e)
    total = (down(T, top - sum_bits) if T else 0) + (down(c.value, top - 24) if c.mag else 0)
    if total and last_bits:
        total = down(total, max(abs(total).bit_length() - 1 - Q, -126) - last_bits)
    return nearest("fp32", int(total < 0), abs(total))


def tr_fdpa(x, y, c, sum_bits=32, last_bits=31):
    terms = [product(a, b) for a, b in zip(x, y)]
    terms = [Number(INF, t.neg) if t.kind == FINITE and t.mag >= power(128) else t for t in terms]
    odd = special(terms + [c], "fp32", all_ones("fp32"))
    if odd is not None:
        return odd
    E, T = aligned(terms, 24)
    return tr_end(T, E, c, sum_bits, last_bits)


def gtr_fdpa(x, y, c):
    terms = [product(a, b) for a, b in zip(x, y)]
    odd = special(terms, "fp32", all_ones("fp32"))
    if odd is not None:
        return odd
    halves = [aligned(terms[p::2], 24) for p in (0, 1)]
    es = [e for e, _ in halves if e is not None]
    E = max(es) if es else None
    T = sum(down(t, E - 24) for e, t in halves if e is not None)
    if c.kind != FINITE:
        if E is None or E <= 24:  # else dropped: it counts as of exponent -1
            return special([c], "fp32", all_ones("fp32"))
        c = Number(FINITE, 0, 0, -1)
    elif E is not None and c.e < max(E, c.e) - 25:
        c = Number(FINITE, 0, 0, c.e)
    return tr_end(T, E, c, 32, 31)


# IEEE 754's operations on codes of one format.

def ieee_sum(out, x, y, nan):
    odd = special([x, y], out, nan)
    if odd is not None:
        return odd
    total = x.value + y.value
    if total == 0:
        return code_of(out, x.neg & y.neg if x.mag == 0 and y.mag == 0 else 0, 0)
    return nearest(out, int(total < 0), abs(total))


def ieee_add(out, x_code, y_code, nan):
    return ieee_sum(out, decode(out, x_code), decode(out, y_code), nan)


def ieee_product(out, x, y, nan):
    p = product(x, y)
    odd = special([p], out, nan)
    return nearest(out, p.neg, p.mag) if odd is None else odd


def fma_chain(x, y, c, out, nan):
    code = None
    for a, b in zip(x, y):
        code = ieee_sum(out, product(a, b), c, nan)
        c = decode(out, code)
    return code


def tree(codes, add):
    """The left child of a node holds the largest power of two of leaves that is below their number."""
    if len(codes) == 1:
        return codes[0]
    left = 1 << (len(codes) - 1).bit_length() - 1
    return add(tree(codes[:left], add), tree(codes[left:], add))


def flushed(out, code):
    """A subnormal becomes a zero of its sign."""
    return code if decode(out, code).kind != FINITE or decode(out, code).mag >= power(1 - FORMATS[out][2]) \
        else code >> bits_of(out) - 1 << bits_of(out) - 1


def flushed_input(x, fmt):
    """Subnormals and zeros become +0."""
    small = x.kind == FINITE and x.mag < power(1 - FORMATS[fmt][2])
    return Number(FINITE, 0, 0, x.e) if small else x
