"""Slims every real file and gives it a memory plan; shows sizes, arenas and whether outputs stay equal.

    KERAS_SHRINK_MODELS=... python benchmarks/slim_and_plan.py

Outputs are compared on TFLM and on LiteRT's own kernels, and with the bias scales kept also through LiteRT's
delegate, on random inputs, each runtime in a process of its own since some files crash one. The script fails
where any of them differs or a file or an arena grows.
"""

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from tflite_export import tflm
from tflite_export.errors import ModelError
from tflite_export.offline_plan import plan_arena
from tflite_export.read import read
from tflite_export.slim import slim

_SAMPLES = 3
_LITERT = """
import io, sys
import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
request = np.load(io.BytesIO(sys.stdin.buffer.read()))
kind = OpResolverType.AUTO if request["delegate"] else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
content = request["model"].tobytes()
model = Interpreter(model_content=content, experimental_op_resolver_type=kind, num_threads=1)
model.allocate_tensors()
outputs = []
for i in range(len(request["x0"])):
    for number, details in enumerate(model.get_input_details()):
        model.set_tensor(details["index"], request[f"x{number}"][i])
    model.invoke()
    outputs += [model.get_tensor(d["index"]).tobytes() for d in model.get_output_details()]
sys.stdout.buffer.write(b"".join(outputs))
"""


def random_inputs(graph):
    """Returns samples over the whole range of each input."""
    rng = np.random.default_rng(0)
    arrays = []
    for tensor in graph.inputs:
        shape = (_SAMPLES, *tensor.shape)
        if tensor.dtype.startswith("float"):
            arrays.append(rng.normal(size=shape).astype(tensor.dtype))
        else:
            limits = np.iinfo(tensor.dtype)
            arrays.append(rng.integers(limits.min, limits.max, shape, tensor.dtype, endpoint=True))
    return arrays


def litert(content, arrays, delegate):
    """Returns LiteRT's outputs as bytes, or None where it refuses the file or crashes on it."""
    request = io.BytesIO()
    named = {f"x{i}": array for i, array in enumerate(arrays)}
    np.savez(request, model=np.frombuffer(content, np.uint8), delegate=delegate, **named)
    done = subprocess.run(
        [sys.executable, "-c", _LITERT], input=request.getvalue(), capture_output=True, check=False
    )
    return done.stdout if done.returncode == 0 else None


def micro(content, arrays):
    """Returns TFLM's outputs as bytes and its arena, or None twice where it refuses the file."""
    try:
        outputs = tflm.run(content, arrays)
        return b"".join(o.tobytes() for o in outputs), tflm.measure_arena(content).required_bytes
    except ModelError:
        return None, None


def verdict(before, after):
    """Returns how two results compare, in a word."""
    return "refused" if before is None else "equal" if before == after else "DIFFERENT"


def main():
    """Prints a table and fails where something got worse."""
    folder = os.environ.get("KERAS_SHRINK_MODELS")
    if not folder:
        sys.exit("set KERAS_SHRINK_MODELS to the folder of .keras, .h5 and .tflite models")
    print("| file | bytes | slim | arena | planned | TFLM | LiteRT | with delegate |")
    print("|---|---|---|---|---|---|---|---|")
    bad = 0
    for path in sorted(Path(folder).rglob("*.tflite")):
        content = path.read_bytes()
        small, kept = slim(content), slim(content, keep_bias_scales=True)
        planned = slim(plan_arena(content))
        arrays = random_inputs(read(content))
        outputs, arena = micro(content, arrays)
        outputs_after, arena_after = micro(planned, arrays)
        words = [
            verdict(outputs, outputs_after),
            verdict(litert(content, arrays, False), litert(small, arrays, False)),
            verdict(litert(content, arrays, True), litert(kept, arrays, True)),
        ]
        grown = len(small) > len(content) or (arena is not None and arena_after > arena)
        bad += "DIFFERENT" in words or grown
        arenas = [f"{a:,}" if a else "-" for a in (arena, arena_after)]
        row = [path.stem, f"{len(content):,}", f"{len(small):,}", *arenas, *words]
        print("| " + " | ".join(row) + " |", flush=True)
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
