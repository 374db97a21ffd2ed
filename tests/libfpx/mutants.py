#!/usr/bin/env python3
"""Breaks the encoder in one place at a time and requires that test_convert_modes sees it: a test that lets a mutant
live does not test what it says. Each edit must apply exactly once, so that this table cannot rot.

mutants.py CC... -- ROOT LIBRARY [LINK...]     compiler, the tree, libfpx.a, what the test links to
"""
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROUND = "convert_round.c"
CONVERT = "convert.c"
BITS = "format_bits.h"

# What is broken, file, text, what it becomes.
MUTANTS = [
    # the direction
    ("RNE: ties away", ROUND, "return half > 0 || (half == 0 && odd);", "return half >= 0;"),
    ("RNE: ties to odd", ROUND, "return half > 0 || (half == 0 && odd);", "return half > 0 || (half == 0 && !odd);"),
    ("RNE: ties toward zero", ROUND, "return half > 0 || (half == 0 && odd);", "return half > 0;"),
    ("RNE: everything above down", ROUND, "return half > 0 || (half == 0 && odd);", "return half == 0 && odd;"),
    ("RNA: ties toward zero", ROUND, "return against_half(k) >= 0;", "return against_half(k) > 0;"),
    ("RU: away from zero", ROUND, "return !negative;", "return 1;"),
    ("RU: down", ROUND, "return !negative;", "return negative;"),
    ("RD: away from zero", ROUND, "case FPX_RD:\n        return negative;", "case FPX_RD:\n        return 1;"),
    ("RD: toward zero", ROUND, "case FPX_RD:\n        return negative;", "case FPX_RD:\n        return 0;"),
    ("RO: to even", ROUND, "return !odd;", "return odd;"),
    ("RO: away", ROUND, "return !odd;", "return 1;"),
    ("RZ: away", ROUND, "        return sr_goes_up(c, k, random);\n    default:\n        return 0;",
     "        return sr_goes_up(c, k, random);\n    default:\n        return 1;"),
    ("an exact value goes up", ROUND, "    if (k->rest == 0)\n        return 0;\n    switch", "    switch"),
    # thresholds, the sticky bit
    ("half counts as more", ROUND, "(c->rest > half) - (c->rest < half)", "(c->rest >= half) - (c->rest < half)"),
    ("half counts as less", ROUND, "(c->rest > half) - (c->rest < half)", "(c->rest > half) - (c->rest <= half)"),
    ("threshold a unit of the source higher", ROUND, "const uint64_t half = UINT64_C(1) << (c->shift - 1);",
     "const uint64_t half = (UINT64_C(1) << (c->shift - 1)) + 1;"),
    ("threshold a unit of the source lower", ROUND, "const uint64_t half = UINT64_C(1) << (c->shift - 1);",
     "const uint64_t half = (UINT64_C(1) << (c->shift - 1)) - 1;"),
    ("threshold at a quarter", ROUND, "UINT64_C(1) << (c->shift - 1);",
     "UINT64_C(1) << (c->shift > 1 ? c->shift - 2 : 0);"),
    ("the lowest bit is lost", ROUND, "m & fpx_low_mask(shift), shift };",
     "m & fpx_low_mask(shift) & ~UINT64_C(1), shift };"),
    ("all but the half bit is lost", ROUND, "m & fpx_low_mask(shift), shift };",
     "m & (fpx_low_mask(shift) ^ fpx_low_mask(shift - 1)), shift };"),
    ("tiny: half where a shift by 64 is needed", ROUND, "if (c->shift > 64)", "if (c->shift >= 64)"),
    ("tiny: cut from 63 on", ROUND, "if (shift >= 64)\n        return", "if (shift >= 63)\n        return"),
    ("tiny: the shift wraps at 64 (AMD)", ROUND, "return (cut){ 0, m, shift };",
     "return (cut){ (int64_t)(m >> (shift & 63)), m & fpx_low_mask(shift & 63), shift & 63 };"),
    ("tiny: nothing is left", ROUND, "return (cut){ 0, m, shift };", "return (cut){ 0, 0, shift };"),
    ("exact: shifted too little", ROUND, "(int64_t)(m << -shift)", "(int64_t)(m << (-shift / 2))"),
    # stochastic rounding
    ("SR: a bit too high", ROUND, "const int down = c->shift - n;", "const int down = c->shift - n + 1;"),
    ("SR: a bit too low", ROUND, "const int down = c->shift - n;", "const int down = c->shift - n - 1;"),
    ("SR: long tails vanish", ROUND, "if (down >= 64)", "if (down >= 32)"),
    ("SR A: never at equality", ROUND, "discarded(k, n) + r >= one", "discarded(k, n) + r > one"),
    ("SR A: one word more", ROUND, "discarded(k, n) + r >= one", "discarded(k, n) + r + 1 >= one"),
    ("SR B: without the half", ROUND, "discarded(k, n + 1) + 2 * r + 1 >=", "discarded(k, n + 1) + 2 * r >="),
    ("SR B: a bit is dropped", ROUND, "discarded(k, n + 1) + 2 * r", "2 * discarded(k, n) + 2 * r"),
    ("SR C: cut, not rounded", ROUND, "discarded_rne(k, n) + r >= one", "discarded(k, n) + r >= one"),
    ("SR C: ties away", ROUND, "(half > 0 || (half == 0 && (again.code & 1) != 0))", "(half >= 0)"),
    ("SR C: ties to odd", ROUND, "(again.code & 1) != 0))", "(again.code & 1) == 0))"),
    ("SR: bits above N count", ROUND, "const uint64_t r = random & fpx_low_mask(n);", "const uint64_t r = random;"),
    ("SR: the top bit is ignored", ROUND, "random & fpx_low_mask(n)", "random & fpx_low_mask(n - 1)"),
    ("SR: always A", ROUND, "switch (c->sr_variant)", "switch (FPX_SR_A)"),
    # sign and zero
    ("the sign of 8 bits everywhere", ROUND, ": UINT64_C(1) << (f->ebits + f->mbits)", ": UINT64_C(1) << 7"),
    ("FNUZ: -0 is NaN", ROUND, "return negative && !lone ?", "return negative ?"),
    ("FNUZ: -0 is NaN, P3109 not", ROUND, "magnitude == 0 && f->specials >= FPX_SPECIALS_FNUZ",
     "magnitude == 0 && f->specials > FPX_SPECIALS_FNUZ"),
    ("the sign of zero is lost", ROUND, "magnitude == 0 && f->specials >= FPX_SPECIALS_FNUZ", "magnitude == 0"),
    ("zero: the sign is lost", ROUND, "return made_nan(c, negative);\n    return with_sign(f, 0, negative);",
     "return made_nan(c, negative);\n    return 0;"),
    ("e8m0: zero is never NaN", ROUND, "(f->flags & FPX_FORMAT_NO_ZERO) != 0 && c->zero == FPX_ZERO_NAN", "0"),
    ("zero is NaN everywhere", ROUND, "(f->flags & FPX_FORMAT_NO_ZERO) != 0 && c->zero == FPX_ZERO_NAN",
     "c->zero == FPX_ZERO_NAN"),
    # NaN
    ("the NaN code asked for is ignored", ROUND, "c->nan_code != 0 ? c->nan_code : f->nan_code", "f->nan_code"),
    ("NaN loses its sign", ROUND, "FNUZ ? code : with_sign(f, code, negative);", "FNUZ ? code : code;"),
    ("NaN keeps its sign", ROUND, "negative && c->nan != FPX_NAN_POSITIVE", "negative"),
    ("overflow's NaN by the rule for NaN", ROUND, ": made_nan(c, negative);\n}", ": nan_of(c, negative);\n}"),
    ("NaN as the largest loses its sign", ROUND, "return with_sign(f, f->max_code, negative);\n    if (f->specials",
     "return f->max_code;\n    if (f->specials"),
    ("NaN as zero keeps its sign", ROUND, "with_sign(f, 0, !negative) : f->max_code",
     "with_sign(f, 0, negative) : f->max_code"),
    ("no NaN: the largest with the sign", ROUND, "with_sign(f, 0, !negative) : f->max_code",
     "with_sign(f, 0, !negative) : with_sign(f, f->max_code, negative)"),
    ("NaN of a scale: the product's sign", CONVERT, "x.negative = fpx_fields_of(f, source).negative;", ";"),
    # overflow
    ("the largest overflows", ROUND, "over_before || code > f->max_code;", "over_before || code >= f->max_code;"),
    ("overflow a code late", ROUND, "over_before || code > f->max_code;", "over_before || code > f->max_code + 1;"),
    ("overflow before rounding is not tested", ROUND, "c->overflow_test == FPX_TEST_SOURCE &&", "0 &&"),
    ("overflow is always tested before rounding", ROUND, "c->overflow_test == FPX_TEST_SOURCE &&", "1 &&"),
    ("overflow before rounding: what is cut off is ignored", ROUND, "== f->max_code && k->rest != 0", "== f->max_code && 0"),
    ("overflow before rounding: the largest itself", ROUND, "== f->max_code && k->rest != 0", "== f->max_code"),
    ("SatFinite lets Inf through", ROUND, "if (c->overflow == FPX_SATFINITE ||",
     "if ((c->overflow == FPX_SATFINITE && !infinite) ||"),
    ("SatPropagate takes Inf", ROUND, "(!infinite && (c->overflow == FPX_SATPROPAGATE || toward_zero || stays_odd))",
     "(c->overflow == FPX_SATPROPAGATE || (!infinite && (toward_zero || stays_odd)))"),
    ("SatPropagate does not saturate", ROUND, "(c->overflow == FPX_SATPROPAGATE || toward_zero || stays_odd)",
     "(toward_zero || stays_odd)"),
    ("unsigned: RO overflows to Inf", ROUND, "toward_zero || stays_odd", "toward_zero"),
    ("unsigned: RZ of a negative is NaN", ROUND, "(stops_at_0 && toward_zero)", "0"),
    ("unsigned: RZ of -Inf is 0", ROUND, "= !infinite && (c->round == FPX_RZ", "= (c->round == FPX_RZ"),
    ("RZ overflows to Inf", ROUND, "c->round == FPX_RZ || (c->round == FPX_RD", "(c->round == FPX_RD"),
    ("RD of a negative stays", ROUND, "(c->round == FPX_RD && !negative)", "(c->round == FPX_RD)"),
    ("RU of a positive stays", ROUND, "(c->round == FPX_RU && negative)", "(c->round == FPX_RU)"),
    ("Inf loses its sign", ROUND, "with_sign(f, f->max_code + 1, negative) :", "f->max_code + 1 :"),
    ("Inf is off by one", ROUND, "with_sign(f, f->max_code + 1, negative) :", "with_sign(f, f->max_code + 2, negative) :"),
    ("P3109 has no Inf", ROUND, "return f->specials == FPX_SPECIALS_IEEE || f->specials == FPX_SPECIALS_P3109;",
     "return f->specials == FPX_SPECIALS_IEEE;"),
    ("saturation loses the sign", ROUND, "return with_sign(f, f->max_code, negative);\n    return has_inf",
     "return f->max_code;\n    return has_inf"),
    # unsigned formats
    ("unsigned: negatives are never NaN", ROUND, "return 0;\n    return made_nan(c, 0);", "return 0;\n    return 0;"),
    ("unsigned: negatives are always NaN", ROUND,
     "if (saturates || (stops_at_0 && toward_zero) || c->format.specials == FPX_SPECIALS_NONE)", "if (0)"),
    ("unsigned: NEGATIVE_NAN saturates", ROUND, " && c->negative != FPX_NEGATIVE_NAN;", ";"),
    ("unsigned: what rounds to zero is NaN", ROUND,
     "is_unsigned && negative && (code != 0 || (f->flags & FPX_FORMAT_NO_ZERO) != 0);", "is_unsigned && negative;"),
    ("unsigned: e8m0's least for a negative", ROUND,
     "is_unsigned && negative && (code != 0 || (f->flags & FPX_FORMAT_NO_ZERO) != 0);",
     "is_unsigned && negative && code != 0;"),
    ("unsigned: the sign counts", ROUND, "x.negative && !(is_unsigned && c->negative == FPX_NEGATIVE_ABS)",
     "x.negative"),
    ("unsigned: the sign counts for Inf", ROUND,
     "(f->flags & FPX_FORMAT_UNSIGNED) != 0 && x.negative && !ignores_sign;",
     "(f->flags & FPX_FORMAT_UNSIGNED) != 0 && x.negative;"),
    ("unsigned: -Inf is Inf", ROUND,
     "(f->flags & FPX_FORMAT_UNSIGNED) != 0 && x.negative && !ignores_sign;", "0;"),
    # exponents
    ("scale times 2", ROUND, "? 0 : 1) - f->bias;\n}", "? 0 : 1) - f->bias - 1;\n}"),
    ("scale by half", ROUND, "? 0 : 1) - f->bias;\n}", "? 0 : 1) - f->bias + 1;\n}"),
    ("e8m0: as if it had a zero", ROUND, "return ((f->flags & FPX_FORMAT_NO_ZERO) != 0 ? 0 : 1) - f->bias;",
     "return 1 - f->bias;"),
    ("e8m0: the hidden bit stays", ROUND, "        k.code -= INT64_C(1) << f->mbits;", "        ;"),
    ("e8m0: below the least is the next", ROUND, "up < 0 ? 0 : (uint64_t)up", "up < 0 ? 1 : (uint64_t)up"),
    ("no subnormals", ROUND, "const int e = top > emin ? top : emin;", "const int e = top;"),
    ("subnormals with a bit more", ROUND, "const int e = top > emin ? top : emin;",
     "const int e = top >= emin ? top : emin - 1;"),
    ("a bit of precision less", ROUND, "cut k = cut_wide(x.m, low, e - f->mbits - x.q);",
     "cut k = cut_wide(x.m, low, e - f->mbits - x.q + 1);"),
    ("no fraction stored: the significand's parity", ROUND,
     "k.code + goes_up(c, &k, negative, (int)(k.code & 1), random);",
     "k.code + goes_up(c, &k, negative, f->mbits == 0 ? 1 : (int)(k.code & 1), random);"),
    ("flags: inexact only where bits are cut", ROUND, "k.rest != 0 || over || up < 0;", "k.rest != 0;"),
    ("flags: overflow is not told", ROUND, "(over ? FPX_RAISED_OVERFLOW : 0u) |\n                      (top < emin",
     "0u |\n                      (top < emin"),
    ("flags: the least normal is tiny", ROUND, "(top < emin ? FPX_RAISED_TINY_BEFORE", "(top <= emin ? FPX_RAISED_TINY_BEFORE"),
    # fixed point
    ("mxint8: wraps", ROUND, "const uint64_t magnitude = up > limit ? limit : up;", "const uint64_t magnitude = up;"),
    ("mxint8: has -128", ROUND, "(f->cls == FPX_CLASS_INT && x.negative);", "x.negative;"),
    ("mxint8: sign and magnitude", ROUND, "x.negative ? UINT64_C(0) - magnitude : magnitude)",
     "x.negative ? 0x80 | magnitude : magnitude)"),
    ("mxint8: NaN takes its sign", ROUND, "x.kind == FPX_KIND_INF && x.negative", "x.negative"),
    ("mxint8: units are 1", ROUND, "f->cls == FPX_CLASS_FIXED ? -f->mbits : 0;\n    const uint64_t limit",
     "0;\n    const uint64_t limit"),
    # the source
    ("float64 by way of float32", CONVERT, "fpx_f64_bits(fpx_bits_f64(source) * scale)",
     "fpx_f64_bits((double)(float)(fpx_bits_f64(source) * scale))"),
    ("subnormal sources count half", BITS, "out.q = 1 - f->bias - f->mbits;", "out.q = -f->bias - f->mbits;"),
    ("sources lose the hidden bit", BITS, "out.m = fraction | (UINT64_C(1) << f->mbits);", "out.m = fraction;"),
    ("sources lose their sign", BITS, "is_signed && ((code >> width) & 1) != 0", "is_signed && 0"),
]


def run(command, **more):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)


def main(args):
    split = args.index("--")
    cc, (root, library, *link) = args[:split], args[split + 1 :]
    root = Path(root)
    flags = ["-std=c17", "-O1", "-ffp-contract=off", "-frounding-math", "-D_POSIX_C_SOURCE=200809L", "-pthread",
             f"-I{root}/include"]
    here = Path(__file__).resolve().parent
    bad = []
    with tempfile.TemporaryDirectory() as work_name:
        work = Path(work_name)
        test = work / "test.o"
        subprocess.run([*cc, *flags, f"-I{root}/libfpx", f"-I{here}", "-c", here / "test_convert_modes.c", "-o", test],
                       check=True)
        src = work / "src"
        # Ahead of the library: what is defined here is not taken from there. Scalar: other kernels are
        # compared with that one (kernelcheck).
        environment = {**os.environ, "FPX_CPU": "scalar", "CK_FORK": "no", "CK_VERBOSITY": "minimal"}

        def verdict(edit):
            shutil.rmtree(src, ignore_errors=True)
            src.mkdir()
            for path in [*(root / "libfpx").glob("*.h"), root / "libfpx" / ROUND, root / "libfpx" / CONVERT]:
                shutil.copy(path, src)
            if edit is not None:
                name, old, new = edit
                text = (src / name).read_text()
                if text.count(old) != 1:
                    return f"the edit applies {text.count(old)} times, not once"
                (src / name).write_text(text.replace(old, new))
            built = run([*cc, *flags, "-w", src / ROUND, src / CONVERT, test, library, *link, "-lm", "-o", work / "t"])
            if built.returncode != 0:
                return "does not compile: " + built.stdout
            try:
                done = run([work / "t"], env=environment, timeout=120)
            except subprocess.TimeoutExpired:
                return "caught"
            return "caught" if done.returncode != 0 else "lives"

        sound = verdict(None)
        if sound != "lives":
            print(f"the unbroken encoder fails: {sound}")
            return 1
        for what, *edit in MUTANTS:
            result = verdict(edit)
            if result != "caught":
                bad.append(what)
                print(f"{what}: {result}", flush=True)
    print(f"{len(MUTANTS)} mutants of the encoder, {len(MUTANTS) - len(bad)} caught")
    return 1 if bad or len(MUTANTS) < 40 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
