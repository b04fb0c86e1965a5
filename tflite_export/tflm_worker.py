"""The process in which TFLM runs a model: a crash ends this one and no other.

`main`, run in that process, reads an `.npz` from standard input and writes one to standard output.
"""

import contextlib
import io
import os
import sys
import tempfile

import numpy as np


def prepare():
    """Imports TFLM; where it is missing, `main` says so."""
    with contextlib.suppress(ImportError):
        from tflite_micro.python.tflite_micro import runtime  # noqa: F401


def main():
    """Answers one request; TFLM's own words go to stderr."""
    try:
        from tflite_micro.python.tflite_micro import runtime
    except ImportError:
        sys.stderr.write(
            "TFLM is not installed, so nothing can be measured on it. pip install tflite-micro.\n"
        )
        return 3
    with np.load(io.BytesIO(sys.stdin.buffer.read()), allow_pickle=False) as request:
        model, arena = request["model"].tobytes(), int(request["arena"])
        fresh = bool(request["fresh"])
        inputs = [request[f"x{i}"] for i in range(len(request.files) - 3)]
    try:
        tflm = runtime.Interpreter.from_bytes(model, arena_size=arena)
        outputs = _invoke(tflm, inputs, fresh) if inputs else []
    except (RuntimeError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    tflm.print_allocations()
    reply = io.BytesIO()
    if inputs:
        np.savez(reply, **{f"y{i}": np.stack(values) for i, values in enumerate(outputs)})
    else:
        np.savez(reply, smallest=_smallest_arena(runtime, model, tflm, arena))
    sys.stdout.buffer.write(reply.getvalue())
    return 0


def _invoke(tflm, inputs, fresh):
    outputs = []
    for sample in range(len(inputs[0])):
        if fresh and sample:
            tflm.reset()
        for i, values in enumerate(inputs):
            tflm.set_input(np.ascontiguousarray(values[sample]), i)
        tflm.invoke()
        if not outputs:
            outputs = [[] for _ in range(_count_outputs(tflm))]
        for i, values in enumerate(outputs):
            values.append(np.array(tflm.get_output(i)))
    return outputs


def _smallest_arena(runtime, model, tflm, largest):
    """Returns the smallest arena, in steps of 16 bytes, that the model starts with."""
    low, high = _allocated(tflm), largest
    step = 0
    while low + step < largest and not _starts(runtime, model, low + step):
        low, step = low + step + 16, max(2 * step, 128)
    high = low + step
    while low < high:
        middle = (low + high) // 32 * 16
        if _starts(runtime, model, middle):
            high = middle
        else:
            low = middle + 16
    return high


def _allocated(tflm):
    """Returns what TFLM says it allocated, rounded up to 16."""
    with tempfile.TemporaryFile() as file:
        saved = os.dup(2)
        os.dup2(file.fileno(), 2)
        tflm.print_allocations()
        os.dup2(saved, 2)
        file.seek(0)
        total = int(file.read().split(b"Arena allocation total ")[1].split()[0])
    return (total + 15) // 16 * 16


def _starts(runtime, model, arena):
    """Says whether the model starts with an arena; too small a one may end the process, hence the fork."""
    child = os.fork()
    if not child:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        try:
            runtime.Interpreter.from_bytes(model, arena_size=arena)
        except RuntimeError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def _count_outputs(tflm):
    count = 0
    while True:
        try:
            tflm.get_output_details(count)
        except IndexError:
            return count
        count += 1


if __name__ == "__main__":
    sys.exit(main())
