"""TensorFlow Lite Micro over many models in one process, which a model may end."""

import pickle
import sys

from tflite_export.warm_process import run_job

ARENA_BYTES = 8 << 20


def run_tflm_batch(jobs, *, reset=True, timeout=600.0):
    """Returns the outputs of models, nested: model, sample, output.

    Args:
        jobs: Sequence of `(content, samples)`; a sample holds an array for each input.
        reset: Whether streaming state is forgotten before each sample.
        timeout: Seconds.
    """
    done = run_job("tests.tflite_export.c.tflm_batch", pickle.dumps((list(jobs), reset)), timeout=timeout)
    if done.returncode:
        position = done.stderr.rfind(b"job ") + 4
        number = int(done.stderr[position : position + 6])
        raise AssertionError(
            f"TFLM ended with {done.returncode} at job {number}: {done.stderr[-500:].decode()}"
        )
    return pickle.loads(done.stdout)


def prepare():
    from tflite_micro.python.tflite_micro import runtime  # noqa: F401


def main():
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
    main()
