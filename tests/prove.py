#!/usr/bin/env python3
"""Runs the proofs that take minutes or hours, and keeps their results as text with the hashes of the sources that they
are about, in proofs/. What was done is remembered in the build folder: an interrupted run goes on.

prove.py BUILD [NAME...]    NAME: e4m3, e4m3/rne, e4m3/rne/scalar, scalar, avx2, avx512, cuda, elemfn, elemfn/exp,
                            mma, mma/hopper, fma; none: everything
prove.py --check            exit 1 where a result in proofs/ is about other sources than the tree has
"""
import hashlib
import os
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROOFS = ROOT / "proofs"

SCALAR = ["convert.c", "convert_round.c", "convert_round.h", "format.c", "format_bits.h", "format_parse.c"]
VECTOR = [*SCALAR, "convert_kernels.h", "convert_dispatch.c", "convert_plan.c", "convert_plan.h", "encode_fast.h",
          "encode_lanes.h", "encode_loops.h", "encode_slots.h", "lanes.h"]
# Which operands these kernels take and how they are read, then the kernels. The reference, which they are compared
# with, has its own proof: emul-mma-oracle.
MATRIX = ["mma_plan.c", "mma_schedule.c", "mma_decode.c", "mma_kernels.h", "mma_pack.h", "mma_lanes.c", "mma_groups.c",
          "mma_avx2_dialect.h", "mma_avx512_dialect.h"]
CHAIN = ["mma_chain.c", "mma_real.c", "mma_decode.c", "gemm_blocked.c", "gemm_kernels.h", "gemm_tiles.c",
         "gemm_narrow.h", "gemm_tree.h", "gemm_avx2_dialect.h", "gemm_avx512_dialect.h"]


def within(room, names):
    return [f"{room}/{name}" for name in names]


# A file of proofs/: what its results are about, what it says at its head.
SETS = {
    "scalar": (within("libfpx", SCALAR), "float32 to codes by the scalar reference, SatFinite, SatPropagate and None"),
    "avx2": (within("libfpx", [*VECTOR, "lanes_avx2.h", "convert_avx2.c"]),
             "float32 to codes by the AVX2 kernels, SatFinite, SatPropagate and None"),
    "avx512": (within("libfpx", [*VECTOR, "lanes_avx512.h", "convert_avx512.c"]),
               "float32 to codes by the AVX-512 kernels, SatFinite, SatPropagate and None"),
    "cuda": (within("libfpx", [*VECTOR, "lanes_avx2.h", "convert_avx2.c", "profile.c"]),
             "the profile cuda-float against CUDA's host functions"),
    "elemfn": (sorted(f"libfpx/{f.name}" for f in (ROOT / "libfpx").glob("elemfn*.[ch]")),
               "the 48 elementary functions of float32 against libmvec and MPFR"),
    "mma": (within("emul", MATRIX), "the vector kernels of matrix units against the scalar reference"),
    "fma": (within("emul", CHAIN), "chains of FMA and trees by vector kernels against the scalar reference"),
}
CONVERSIONS = ["scalar", "avx2", "avx512", "cuda"]
ROUNDS = ["rne", "rna", "rz", "ru", "rd", "ro"]


def digests(name):
    return {path: hashlib.sha256((ROOT / path).read_bytes()).hexdigest() for path in SETS[name][0]}


def path_of(name):
    return PROOFS / (f"convert-{name}.txt" if name in CONVERSIONS else f"{name}.txt")


def read(name):
    """The results of a file and the hashes they are about."""
    if not path_of(name).exists():
        return [], {}
    lines = path_of(name).read_text().splitlines()
    hashes = {path: digest for digest, path in (line.split() for line in lines if not line.startswith("#"))}
    return [line[2:] for line in lines if re.match(r"# [^ ./]\S*/\S+: ", line)], hashes


def write(name, line, about):
    """Adds a result; those about other sources go."""
    results, hashes = read(name)
    results = [*(results if hashes == about else []), line]
    PROOFS.mkdir(exist_ok=True)
    head = f"# ./dev prove: {SETS[name][1]}.\n"
    body = "".join(f"# {line}\n" for line in results)
    path_of(name).write_text(head + body + "".join(f"{d}  {p}\n" for p, d in about.items()))


def listed_by(program):
    """What a program of proofs can do here."""
    return subprocess.run([program, "list"], check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()


def proofs(programs):
    """All that this machine can prove: (set, name, command), the formats that matter most first."""
    listed = listed_by(programs["convert"])
    kernels = [line.split()[1] for line in listed if line.startswith("kernel ")]
    formats = [line for line in listed if line and " " not in line]
    for kernel in reversed(kernels):
        for form in formats:
            for r in ROUNDS:
                yield kernel, f"{form}/{r}/{kernel}", [form, r, kernel]
    for line in listed:
        if line.startswith("cuda "):
            yield "cuda", line.split()[1], [line.split()[1]]
    for function in listed_by(programs["elemfn"]):
        yield "elemfn", f"elemfn/{function}", ["prove", function]
    for name in listed_by(programs["mma"]):  # "mma/hopper/wgmma/fp8-fp32": the set, and a preset
        yield name.split("/")[0], name, [name.partition("/")[2]]


def is_asked_for(names, name):
    parts = name.split("/")
    return not names or any(n == name or n == parts[-1] or n.split("/") == parts[: n.count("/") + 1] for n in names)


def check():
    stale = [name for name in SETS if path_of(name).exists() and read(name)[1] != digests(name)]
    for name in stale:
        print(f"{path_of(name).relative_to(ROOT)} is about other sources: ./dev prove {name}")
    total = sum(len(read(name)[0]) for name in SETS)
    print(f"{total} results in proofs/, {len(stale)} stale files")
    return 1 if stale else 0


def main(args):
    if args == ["--check"]:
        return check()
    build, names = Path(args[0]), args[1:]
    programs = {"convert": build / "tests/libfpx/prove", "elemfn": build / "tests/libfpx/test_elemfn_slow",
                "mma": build / "tests/emul/prove_mma"}
    about = {group: digests(group) for group in SETS}  # as built: what is edited meanwhile is not proven
    asked = [p for p in proofs(programs) if is_asked_for(names, p[1])]
    if not asked:
        print(f"prove: nothing here is called {' '.join(names)}")
        return 2
    lock = threading.Lock()

    def run(proof):
        group, name, command = proof
        results, hashes = read(group)
        if hashes == about[group] and any(r.startswith(name + ":") for r in results):
            return 0
        tag = hashlib.sha256(repr(sorted(about[group].items())).encode()).hexdigest()[:12]
        whole = [programs.get(group, programs["mma"]), *command]
        if group in CONVERSIONS:  # these remember parts of themselves
            whole = [programs["convert"], *command, build / f"prove-{tag}.state"]
        done = subprocess.run(whole, stdout=subprocess.PIPE, text=True)
        with lock:
            print(done.stdout.strip(), flush=True)
            if done.returncode == 0:
                write(group, done.stdout.strip().split("\n")[-1], about[group])
        return done.returncode != 0

    with ThreadPoolExecutor(int(os.environ.get("FPX_JOBS", os.cpu_count() or 1))) as pool:
        failed = sum(pool.map(run, asked))
    print(f"{len(asked)} proofs, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
