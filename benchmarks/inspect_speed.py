"""Times `keras-shrink inspect` on every real file, start of the interpreter included.

    KERAS_SHRINK_MODELS=... python benchmarks/inspect_speed.py

Prints wall and processor time of each and whether TensorFlow was imported; fails over one second.
"""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

_SCRIPT = (
    "import sys; sys.argv[0] = 'keras-shrink'\n"
    "from keras_shrink.cli import app\n"
    "try:\n    app()\nfinally:\n"
    "    heavy = {'tensorflow', 'keras', 'jax', 'torch'} & sys.modules.keys()\n"
    "    print('IMPORTED', sorted(heavy), file=sys.stderr)\n"
)


def main():
    """Runs the command once per file, after one run that warms the file cache."""
    folder = os.environ.get("KERAS_SHRINK_MODELS")
    if not folder:
        sys.exit("set KERAS_SHRINK_MODELS to the folder of .keras, .h5 and .tflite models")
    paths = sorted(Path(folder).rglob("*.tflite"))
    slowest = 0.0
    for path in [paths[0], *paths]:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", _SCRIPT, "inspect", str(path)], capture_output=True, text=True, check=False
        )
        wall = time.perf_counter() - start
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        if done.returncode or "IMPORTED []" not in done.stderr:
            sys.exit(f"{path.name}: status {done.returncode}\n{done.stdout}{done.stderr}")
        print(f"{path.name:<50} wall {wall:5.2f} s, processor {used:5.2f} s")
        slowest = max(slowest, used)
    print(f"{len(paths)} files, none imports TensorFlow; slowest {slowest:.2f} s of processor time")
    sys.exit(slowest > 1)


if __name__ == "__main__":
    main()
