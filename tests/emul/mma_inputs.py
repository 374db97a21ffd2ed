"""Codes that show what a matrix unit does, and the reference (mma_peer.c) to put them to."""
import random
import subprocess
import sys

import mma_models as mm


class Inputs:
    def __init__(self, seed):
        self.rng = random.Random(seed)

    def code(self, fmt, kind):
        """One code; kind: plain (exponents near 1), wide, tiny (subnormals, zeros, least exponents), huge, special."""
        rng = self.rng
        if fmt in ("e8m0", "ue4m3"):
            near = rng.randrange(120, 136) if fmt == "e8m0" else rng.randrange(128)
            return {"plain": near, "wide": near, "special": rng.choice([near, near, near, 255, 0, 254])}.get(
                kind, rng.randrange(255) if fmt == "e8m0" else rng.choice([0, 1, 2, 3, 0x7E, 8, 0x80, 0x84]))
        ebits, mbits, bias, specials = mm.FORMATS[fmt]
        top = (1 << ebits) - 1
        if kind == "special" and rng.random() < 0.06:
            return rng.choice([top << mbits, top << mbits | rng.randrange(1 << mbits), (1 << ebits + mbits) - 1,
                               1 << ebits + mbits]) | rng.randrange(2) << ebits + mbits
        most = top - 1 if specials == "ieee" else top
        low, high = {"tiny": (0, min(3, most)), "huge": (max(most - 3, 0), most), "wide": (0, most)}.get(
            kind, (max(min(bias - 3, most), 0), min(bias + 3, most)))
        field = rng.randint(low, high)
        fraction = rng.choice([0, (1 << mbits) - 1, 1 << mbits >> 1, rng.randrange(1 << mbits), rng.randrange(1 << mbits)])
        if specials == "fn" and field == top and fraction == (1 << mbits) - 1:
            fraction -= 1
        if kind in ("tiny", "special", "cancel") and rng.random() < 0.15:
            field = fraction = 0
        return (rng.randrange(2) << ebits | field) << mbits | fraction

    def vectors(self, fmt_a, fmt_b, m, n, k, kind, out):
        """Codes of A and B; kind cancel: every other product has the sign turned, with a little difference."""
        if kind == "ties":
            return self.ties(fmt_a, fmt_b, k, out)
        own = "plain" if kind == "cancel" else kind
        spread = [own if self.rng.random() < 0.8 else self.rng.choice(["wide", own, "tiny"]) for _ in range(k)]
        a = [[self.code(fmt_a, spread[j]) for j in range(k)] for _ in range(m)]
        b = [[self.code(fmt_b, spread[j]) for j in range(k)] for _ in range(n)]
        if kind == "cancel":
            for v, fmt, flip in [(v, fmt_a, 1) for v in a] + [(v, fmt_b, 0) for v in b]:
                for j in range(1, k):
                    if self.rng.random() < 0.7:
                        i = self.rng.randrange(j)
                        v[j] = v[i] ^ flip << mm.bits_of(fmt) - 1
                        if self.rng.random() < 0.2 and mm.FORMATS[fmt][1] > 0:
                            v[j] ^= 1
        return a, b


    def power(self, fmt, e, odd=1):
        """The code of odd * 2^e (odd: 1 or 3), or the nearest exponent that the format has; and the exponent it has."""
        ebits, mbits, bias, specials = mm.FORMATS[fmt]
        if mbits == 0:
            odd = 1
        up = odd >> 1
        least, most = 1 - bias - mbits, (1 << ebits) - (2 if specials == "ieee" else 1) - bias - up - (specials == "fn")
        e = min(max(e, least), most)
        code = (e + up + bias << mbits) + (up << mbits - 1) if e + up > -bias else odd << e - least
        return code | self.rng.randrange(2) << ebits + mbits, e

    def ties(self, fmt_a, fmt_b, k, out):
        """One output: a power of two (in c, or none), a product about half a unit of it, another far below, zeros."""
        rng = self.rng
        _, mbits, bias, _ = mm.FORMATS[out]
        a, b = [0] * k, [0] * k
        least, top = (1 - bias) - mbits, mm.FORMATS[fmt_a][2] + mm.FORMATS[fmt_b][2]
        e_c = rng.choice([None, rng.randint(max(-bias // 2, -8 - top), 8)])
        self.tie_c = 0 if e_c is None else self.power(out, e_c, rng.choice([1, 1, 3]))[0] ^ rng.randrange(2)
        goal = (least if e_c is None else e_c - mbits) - rng.choice([0, 1, 1, 1, 2, 2])
        for j in rng.sample(range(k), min(k, rng.choice([2, 2, 2, 3]))):
            a[j], e = self.power(fmt_a, goal // 2 + rng.randint(-4, 4), rng.choice([1, 1, 3]))
            b[j], _ = self.power(fmt_b, goal - e)
            goal -= rng.choice([6, 7, 8, rng.randint(0, 26), rng.randint(16, 24)])
        return [a], [b]


KINDS = ["plain", "cancel", "wide", "tiny", "huge", "special", "ties"]


class Peer:
    def __init__(self, program):
        self.program = program
        self.pipe = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def list(self):
        text = subprocess.run([self.program, "--list"], stdout=subprocess.PIPE, check=True, text=True).stdout
        return [line.split("\t") for line in text.splitlines()]

    def run(self, name, a_fmt, b_fmt, c_fmt, scale, block, a, b, c, scales, changes):
        m, n, k = len(a), len(b), len(a[0])

        def words(fmt, rows):
            size = 8 if fmt == "fp64" else 4
            return b"".join(x.to_bytes(size, "little") for row in rows for x in row)
        head = " ".join([name, a_fmt, b_fmt, c_fmt or "-", scale or "-", str(block), str(m), str(n), str(k), *changes, "."])
        data = words(a_fmt, a) + words(b_fmt, b) + (words(c_fmt, c) if c_fmt else b"")
        for s in scales or ():
            data += words(scale, s)
        self.pipe.stdin.write(head.encode() + b"\n" + data)
        self.pipe.stdin.flush()
        got = self.pipe.stdout.read(8 * m * n)
        if len(got) < 8 * m * n:
            sys.exit(f"{name}: the reference refused {a_fmt} {b_fmt} (above)")
        return [[int.from_bytes(got[8 * (i * n + j):][:8], "little") for j in range(n)] for i in range(m)]
