"""Generated C against TensorFlow Lite Micro, bit for bit, over every model in `KERAS_SHRINK_MODELS/tflite`.

    KERAS_SHRINK_DATA=... KERAS_SHRINK_MODELS=... python benchmarks/c_exactness.py [--count 1000] [NAME ...]

Random inputs cover the whole integer range; where the data set a model was made for is there, as many real
inputs follow. Models that hold state are streamed. What TFLM does not run, or C cannot hold, is listed.
"""

import argparse
import importlib.util
import os
import sys
import time
from pathlib import Path

import numpy as np

from tflite_export import tflm
from tflite_export.c import native
from tflite_export.c.emit import plan_program
from tflite_export.errors import ModelError
from tflite_export.read import read

REAL = {
    "mlperf_kws": ("kws12", None),
    "mlperf_resnet8": ("cifar10", -128),
    "tinymaix_cifar10": ("cifar10", -128),
    "tinymaix_mnist": ("mnist", -128),
}
CHUNK = 250


def load(name):
    """Returns `((x_train, y_train), (x_test, y_test))` with the `datasets.py` in `KERAS_SHRINK_DATA`."""
    spec = importlib.util.spec_from_file_location(
        "datasets", Path(os.environ["KERAS_SHRINK_DATA"], "datasets.py")
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.load(name)


def real_inputs(name, graph, count):
    """Returns real inputs of the model's type and shape, or None."""
    known = next((REAL[prefix] for prefix in REAL if name.startswith(prefix)), None)
    if known is None or "KERAS_SHRINK_DATA" not in os.environ or graph.inputs[0].dtype != "int8":
        return None
    x = load(known[0])[1][0][:count]
    if known[1] is not None:
        x = (x.astype(np.int16) + known[1]).astype(np.int8)
    return np.ascontiguousarray(x).reshape(-1, *graph.inputs[0].shape).astype(np.int8)


def random_inputs(graph, count, rng):
    """Returns `count` random samples for each input."""
    arrays = []
    for t in graph.inputs:
        shape = (count, *t.shape)
        if t.dtype == "float32":
            arrays.append(rng.normal(0, 3, shape).astype(np.float32))
        else:
            info = np.iinfo(t.dtype)
            arrays.append(rng.integers(info.min, info.max + 1, shape, dtype=t.dtype))
    return arrays


def different(graph, arrays):
    """Returns the number of outputs and of those that differ from TFLM's."""
    streams = bool(plan_program(graph).states)
    step = len(arrays[0]) if streams else CHUNK
    total = wrong = 0
    for start in range(0, len(arrays[0]), step):
        chunk = [a[start : start + step] for a in arrays]
        theirs = tflm.run(graph, chunk)
        for a, b in zip(native.run(graph, chunk), theirs, strict=True):
            total += a.size
            bits = f"u{a.dtype.itemsize}"
            wrong += int(np.count_nonzero(a.reshape(-1).view(bits) != b.reshape(-1).view(bits)))
    return total, wrong


def judge(path, count):
    """Returns what is to be printed for a model, and whether it is as it should be."""
    try:
        graph = read(path)
        program = plan_program(graph)
    except ModelError as error:
        return f"no C: {str(error).splitlines()[1].strip() if chr(10) in str(error) else error}"[:110], True
    rng = np.random.default_rng(0)
    start = time.perf_counter()
    try:
        total, wrong = different(graph, random_inputs(graph, count, rng))
    except ModelError as error:
        return f"TFLM does not run it: {error}"[:110], True
    real = real_inputs(path.stem, graph, count)
    said = f"{count} random"
    if real is not None:
        more, bad = different(graph, [real])
        total, wrong, said = total + more, wrong + bad, f"{said} + {len(real)} real"
    seconds = time.perf_counter() - start
    return (
        f"{said}: {wrong} of {total} outputs differ, arena {program.arena_bytes} ({seconds:.0f} s)",
        not wrong,
    )


def main():
    """Prints one line a model; exit status 1 where an output differs."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    folder = os.environ.get("KERAS_SHRINK_MODELS")
    if not folder:
        sys.exit("Set KERAS_SHRINK_MODELS to a folder with tflite/*.tflite.")
    fine = True
    for path in sorted(Path(folder, "tflite").glob("*.tflite")):
        if options.names and not any(name in path.stem for name in options.names):
            continue
        line, good = judge(path, options.count)
        fine &= good
        print(f"{path.stem:40} {line}", flush=True)
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
