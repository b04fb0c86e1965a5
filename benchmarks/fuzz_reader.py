"""Damages real files in many ways and reads them: only a graph or a ModelError may come back.

    KERAS_SHRINK_MODELS=... python benchmarks/fuzz_reader.py [mutations] [seed]

Every mutation also goes through the planner and the costs of `summary` where it can still be read. The run
fails on any other exception, on one that takes over a second of processor time, or on more than 500 MB.
"""

import collections
import os
import resource
import sys
import time
from pathlib import Path

import numpy as np

from tflite_export.errors import ModelError
from tflite_export.read import read
from tflite_export.slim import slim
from tflite_export.summary import summary

_EXTREMES = (-1, 0, 1, 2**31 - 1, -(2**31), 255, 65535, 0x7FFFFFF0)
_DEEP_EVERY = 100


def damage(content, others, rng):
    """Returns a damaged copy: bits, bytes, words and pieces changed, or the end cut off."""
    data = np.frombuffer(content, np.uint8).copy()
    # The tables are small beside the weights; most damage goes where the structure is.
    size = data.size
    ends = (min(size, 4096), min(size, 20000), size)
    for _ in range(int(rng.integers(1, 8))):
        position = int(rng.integers(ends[int(rng.integers(3))]))
        if rng.random() < 0.6:
            position = size - 1 - position
        kind = int(rng.integers(6))
        word = data[position : position + 4]
        if kind == 0:
            data[position] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            data[position] = rng.integers(256)
        elif kind == 2:
            word[:] = rng.integers(0, 256, word.size)
        elif kind == 3:
            extreme = np.array([_EXTREMES[int(rng.integers(len(_EXTREMES)))]], np.int64)
            word[:] = extreme.view(np.uint8)[: word.size]
        elif kind == 4:
            length = int(rng.integers(1, 64))
            source = int(rng.integers(max(1, size - length)))
            piece = data[source : source + length].copy()
            target = data[position : position + length]
            target[:] = piece[: target.size]
        else:
            other = others[int(rng.integers(len(others)))]
            start = int(rng.integers(max(1, len(other) - 64)))
            piece = np.frombuffer(other[start : start + 64], np.uint8)
            target = data[position : position + 64]
            target[: piece.size] = piece[: target.size]
    if rng.random() < 0.05:
        data = data[: int(rng.integers(data.size))]
    return data.tobytes()


def main():
    """Runs the mutations and prints what came of them."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    folder = os.environ.get("KERAS_SHRINK_MODELS")
    if not folder:
        sys.exit("set KERAS_SHRINK_MODELS to the folder of .keras, .h5 and .tflite models")
    paths = sorted(Path(folder).rglob("*.tflite"))
    contents = [path.read_bytes() for path in paths]
    rng = np.random.default_rng(seed)
    outcomes = collections.Counter()
    slowest = (0.0, "")
    start = time.process_time()
    for i in range(count):
        which = int(rng.integers(len(contents)))
        damaged = damage(contents[which], contents, rng)
        before = time.process_time()
        try:
            graph = read(damaged)
            outcomes["read"] += 1
            if i % _DEEP_EVERY == 0:
                summary(graph, measure=False)
                slim(graph)
                outcomes["summarized and slimmed"] += 1
        except ModelError:
            outcomes["refused"] += 1
        slowest = max(slowest, (time.process_time() - before, f"mutation {i} of {paths[which].name}"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{count:,} mutations of {len(paths)} files, seed {seed}: {dict(outcomes)}")
    took = time.process_time() - start
    print(f"processor time {took:.0f} s, slowest {slowest[0] * 1000:.0f} ms ({slowest[1]})")
    print(f"memory at most {peak:.0f} MB")
    sys.exit(slowest[0] > 1 or peak > 500)


if __name__ == "__main__":
    main()
