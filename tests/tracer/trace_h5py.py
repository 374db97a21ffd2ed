#!/usr/bin/env python3
"""A trace as plain h5py shows it: every code is the bit pattern that was put, nothing needs fpx.

trace_h5py.py MAKE_TRACE    77 and a reason where h5py or numpy is missing; ml_dtypes and xxhash, where
they are there, check values and digests as well."""
import subprocess
import sys
import tempfile
from pathlib import Path

try:
    import h5py
    import numpy as np
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)
try:
    import ml_dtypes
except ImportError:
    ml_dtypes = None
    print("without ml_dtypes: values of narrow formats are not compared")
try:
    import xxhash
except ImportError:
    xxhash = None
    print("without xxhash: digests are not computed again")

STEPS = 4


def expected(step, index, record, fmt):
    """The codes of make_trace.c."""
    bits = int(fmt["bits"])
    size = {4: 1, 8: 1, 16: 2, 32: 4, 64: 8}[bits]
    shape = [int(n) for n in record["shape"][: record["ndim"]]]
    n = int(np.prod(shape, dtype=np.int64))
    if record["packing"]:
        n, shape = n // 2, [n // 2]
    spread = {4: 0x10001, 8: 0x0010000100010001}.get(size, 1)
    codes = [((i + step + index) * spread) & ((1 << 8 * size) - 1) for i in range(n)]
    if bits == 4 and not record["packing"]:
        codes = [c & 15 for c in codes]
    return np.array(codes, dtype=f"<u{size}").reshape(shape)


def float_view(codes, name):
    """The codes as numbers, by numpy or ml_dtypes; None where neither can."""
    if name in ("float16", "float32", "float64", "int32"):
        return codes.view(name)
    if ml_dtypes is None or not hasattr(ml_dtypes, name):
        return None
    return codes.view(getattr(ml_dtypes, name)).astype(np.float32)


def tensor_digest(record, fmt, codes):
    def xxh(data):
        return xxhash.xxh3_128_digest(data)

    data = codes.tobytes()
    shape = np.array(record["shape"][: record["ndim"]], dtype="<u8").tobytes()
    header = b"fpx1" + bytes(fmt["name"]).ljust(16, b"\0")
    header += int(record["ndim"]).to_bytes(8, "little") + shape
    return xxh(header + b"".join(xxh(data[i : i + 65536]) for i in range(0, len(data), 65536)))


def check_row(part, row, step, records, formats):
    stats_columns = part["stats"].attrs["columns"]
    if isinstance(stats_columns, bytes):
        stats_columns = stats_columns.decode()
    stats_columns = stats_columns.split()
    for index, record in enumerate(records):
        fmt = formats[bytes(record["format"])]
        dataset = part["values"][record["tensor"].decode().replace("/", ":")]
        got = dataset[row]
        want = expected(step, index, record, fmt)
        assert got.dtype == want.dtype and got.dtype.kind == "u", (record["tensor"], got.dtype)
        assert got.shape == want.shape, (record["tensor"], got.shape)
        assert np.array_equal(got, want), f"{record['tensor']} at step {step}"

        name = dataset.attrs["fpx_format"]
        name = name.decode() if isinstance(name, bytes) else name
        assert name == fmt["alias"].decode()
        assert int(dataset.attrs["record"]) == index
        if record["ndim"]:
            assert list(dataset.attrs["shape"]) == list(record["shape"][: record["ndim"]])

        stats = dict(zip(stats_columns, part["stats"][row, index]))
        assert stats["scale"] == 0.5
        values = None if record["packing"] else float_view(np.atleast_1d(got), name)
        if values is not None:
            finite = values[np.isfinite(values)].astype(np.float64)
            amax = float(np.max(np.abs(finite))) * 0.5 if finite.size else 0.0
            assert stats["amax"] == amax, (record["tensor"], stats["amax"], amax)
            assert stats["nan"] == np.count_nonzero(values != values)
            assert stats["zero"] == np.count_nonzero(values == 0)
            bins = part["exponents"][row, index]
            assert int(bins.sum()) == stats["count"] - stats["nan"] - stats["inf"] - stats["zero"]
        if xxhash is not None:
            digest = bytes(part["digest/record"][row, index])
            assert digest == tensor_digest(record, fmt, np.ascontiguousarray(got)), record["tensor"]
        figure = part["figures/local:fp64"][row, index]
        assert figure[0] == step + index


def main():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.h5"
        subprocess.run([sys.argv[1], str(path), str(STEPS)], check=True)
        with h5py.File(path, "r") as trace:
            assert trace.attrs["fpx_trace"] == 2
            assert trace["experiment"][()].decode() == "model: tiny # é\n"
            assert trace["modes"][:].tolist() == [b"local:fp64"]
            formats = {bytes(f["name"]): f for f in trace["formats"][:]}
            records = trace["records"][:]
            assert len(records) == 10
            step = 0
            assert list(trace["segments"]) == ["000000", "000001"]
            for part in trace["segments"].values():  # external links, followed by HDF5
                committed = int(part["committed"][0])
                for row in range(committed):
                    assert int(part["steps"][row]) == step
                    check_row(part, row, step, records, formats)
                    step += 1
            assert step == STEPS, step
    print(f"{STEPS} steps of {len(records)} records: bits, statistics, attributes agree")


if __name__ == "__main__":
    main()
