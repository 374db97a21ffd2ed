#!/usr/bin/env python3
"""The reader and the writer against an independent view of the format (struct and json, from its
description): safetensors_peer.py ST_TOOL [ROUNDS]. Files of both makers must mean the same to both."""
import json
import os
import random
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

DTYPES = {"F64": ("fp64", 8), "F32": ("fp32", 4), "F16": ("fp16", 2), "BF16": ("bf16", 2),
          "F8_E4M3": ("e4m3", 1), "F8_E5M2": ("e5m2", 1), "I32": ("int32", 4)}
SEED = 20250003


def make(rng):
    """Random tensors as a list of (name, dtype, shape, bytes), in file order."""
    tensors = []
    for i in range(rng.randrange(9)):
        dtype = rng.choice(list(DTYPES))
        shape = [rng.randrange(1, 5) for _ in range(rng.randrange(5))]
        size = DTYPES[dtype][1]
        for extent in shape:
            size *= extent
        tensors.append((f"{rng.choice('zaé/')}{i}", dtype, shape, rng.randbytes(size)))
    return tensors


def write(path, tensors, note, rng):
    """A file as another program might write it: keys in any order, spaces, any length of header."""
    header, at = {}, 0
    for name, dtype, shape, data in tensors:
        info = [("dtype", dtype), ("shape", shape), ("data_offsets", [at, at + len(data)])]
        rng.shuffle(info)
        header[name] = dict(info)
        at += len(data)
    items = list(header.items())
    if note is not None:
        items.append(("__metadata__", {"note": note}))
    rng.shuffle(items)
    text = json.dumps(dict(items), indent=rng.choice([None, 1]), ensure_ascii=rng.random() < 0.5)
    raw = text.encode() + b" " * rng.randrange(9)
    path.write_bytes(struct.pack("<Q", len(raw)) + raw + b"".join(t[3] for t in tensors))


def read(path):
    """(tensors in file order, metadata), every rule of the format asserted."""
    raw = path.read_bytes()
    length, = struct.unpack("<Q", raw[:8])
    assert (8 + length) % 64 == 0 and raw[8:9] == b"{", "alignment of the data"
    header = json.loads(raw[8:8 + length].decode("utf-8"))
    metadata = header.pop("__metadata__")
    data, at, tensors = raw[8 + length:], 0, []
    for name, info in sorted(header.items(), key=lambda x: x[1]["data_offsets"][0]):
        assert set(info) == {"dtype", "shape", "data_offsets"}
        begin, end = info["data_offsets"]
        assert begin == at, "a gap or an overlap"
        tensors.append((name, info["dtype"], info["shape"], data[begin:end]))
        at = end
    assert at == len(data), "bytes after the last tensor"
    assert set(metadata) <= {"note", "fpx.digest"} and len(metadata["fpx.digest"]) == 32
    return tensors, metadata


def lines(tensors):
    return [f"{DTYPES[dtype][0]} [{','.join(map(str, shape))}] {data.hex()} {name}"
            for name, dtype, shape, data in tensors]


def main(tool, rounds):
    rng = random.Random(SEED)

    def run(*args):
        return subprocess.run([tool, *map(str, args)], check=True, capture_output=True).stdout.decode()

    with tempfile.TemporaryDirectory() as folder:
        theirs, ours, again = (Path(folder) / name for name in ("theirs", "ours", "again"))
        for _ in range(rounds):
            tensors, note = make(rng), rng.choice([None, "", "ünï \"\\\n"])
            write(theirs, tensors, note, rng)
            assert run("dump", theirs).splitlines() == lines(tensors)
            run("copy", theirs, ours)
            got, metadata = read(ours)
            assert got == tensors and metadata.get("note") == note
            assert run("dump", ours).splitlines() == lines(tensors)
            # Written again by another hand, in another order, the digest still holds; a changed byte not.
            rng.shuffle(tensors)
            write(again, tensors, note, rng)
            raw = again.read_bytes()
            length, = struct.unpack("<Q", raw[:8])
            header = json.loads(raw[8:8 + length])
            header.setdefault("__metadata__", {})["fpx.digest"] = metadata["fpx.digest"]
            text = json.dumps(header).encode()
            raw = struct.pack("<Q", len(text)) + text + raw[8 + length:]
            again.write_bytes(raw)
            assert run("dump", again).splitlines() == lines(tensors)
            if tensors:
                again.write_bytes(raw[:-1] + bytes([raw[-1] ^ 1]))
                bad = subprocess.run([tool, "dump", str(again)], capture_output=True, check=False)
                assert bad.returncode == 1 and b"is corrupt: the digest" in bad.stderr, bad
    print(f"{rounds} rounds from seed {SEED}: both sides read the same")


if __name__ == "__main__":
    EFFORT = int(os.environ.get("FPX_TEST_EFFORT", "1"))
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 100 * EFFORT)
