#!/usr/bin/env python3
"""The digests of test_digest.c, from fpx/digest.h's words and the xxhash package."""
import struct

import xxhash

CHUNK = 65536


def xxh(data):
    return xxhash.xxh3_128_digest(data)


def chunks(data):
    return b"".join(xxh(data[i : i + CHUNK]) for i in range(0, len(data), CHUNK))


def tensor(name, shape, data):
    header = b"fpx1" + name.encode().ljust(16, b"\0")
    header += struct.pack(f"<{1 + len(shape)}Q", len(shape), *shape)
    return xxh(header + chunks(data))


def pattern(n):
    x, out = 1, bytearray()
    for _ in range(n):
        x = (x * 1664525 + 1013904223) & 0xFFFFFFFF
        out.append(x >> 24)
    return bytes(out)


for n in (0, 1, 65535, 65536, 65537, 200000):
    print("bytes", n, xxh(chunks(pattern(n))).hex())
for name, shape, n in (
    ("e4m3", [], 1),
    ("e4m3", [3, 5], 15),
    ("bf16", [3, 5], 30),
    ("fp32", [2, 3, 4, 5], 480),
    ("fp32", [300, 70], 84000),
    ("e2m1", [8], 4),  # packed, two codes a byte
):
    print("tensor", name, shape, tensor(name, shape, pattern(n)).hex())
pair = tensor("e4m3", [], pattern(1)) + tensor("bf16", [3, 5], pattern(30))
print("list 0", xxh(b"").hex())
print("list 2", xxh(pair).hex())
print("chain", xxh(bytes(16) + xxh(pair)).hex())
