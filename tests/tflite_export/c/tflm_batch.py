"""TensorFlow Lite Micro over many models in one process, which a model may end."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
ARENA_BYTES = 8 << 20


def run_tflm_batch(jobs, *, reset=True, timeout=600.0):
    """Returns the outputs of models, nested: model, sample, output.

    Args:
        jobs: Sequence of `(content, samples)`; a sample holds an array for each input.
        reset: Whether streaming state is forgotten before each sample.
        timeout: Seconds.
    """
    done = subprocess.run(
        [sys.executable, "-m", "tests.tflite_export.c.tflm_batch"],
        input=pickle.dumps((list(jobs), reset)),
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=timeout,
        check=False,
    )
    if done.returncode:
        position = done.stderr.rfind(b"job ") + 4
        number = int(done.stderr[position : position + 6])
        raise AssertionError(
            f"TFLM ended with {done.returncode} at job {number}: {done.stderr[-500:].decode()}"
        )
    return pickle.loads(done.stdout)


def _serve():
    from tflite_micro.python.tflite_micro import runtime

    jobs, reset = pickle.load(sys.stdin.buffer)
    answers = []
    for number, (content, samples) in enumerate(jobs):
        sys.stderr.write(f"job {number:6}\n")
        sys.stderr.flush()
        interpreter = runtime.Interpreter.from_bytes(content, arena_size=ARENA_BYTES)
        rows = []
        for position, sample in enumerate(samples):
            if reset and position:
                interpreter.reset()
            for index, array in enumerate(sample):
                interpreter.set_input(array, index)
            interpreter.invoke()
            rows.append([interpreter.get_output(i).copy() for i in range(_count(interpreter))])
        answers.append(rows)
    sys.stdout.buffer.write(pickle.dumps(answers))


def _count(interpreter):
    count = 0
    while True:
        try:
            interpreter.get_output_details(count)
        except IndexError:
            return count
        count += 1


if __name__ == "__main__":
    _serve()
