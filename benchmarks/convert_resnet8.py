"""Accuracy of MLPerf Tiny's ResNet8 on CIFAR-10's 10,000 test pictures after `keras-shrink convert`.

    KERAS_SHRINK_DATA=... KERAS_SHRINK_MODELS=... python benchmarks/convert_resnet8.py

The file is made by the command line itself. Its standalone C, compiled here, computes the int8 accuracy,
after it was found equal to TFLM on the first 200 pictures.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import real_data

from tflite_export import affine, interpreters, tflm
from tflite_export.c import native
from tflite_export.read import read


def accuracy(run, x, y):
    """Returns the share of right answers of a runner `x -> logits`."""
    (output,) = run(x)
    return float(np.mean(output.reshape(len(y), -1).argmax(axis=1) == y))


def main():
    """Prints one line per way to compute."""
    (x_train, _), (x_test, y_test) = real_data.load("cifar10")
    y_test = np.ravel(y_test)
    model = real_data.model_path("mlperf_resnet8.h5")
    with tempfile.TemporaryDirectory() as folder:
        samples, target = Path(folder, "x.npy"), Path(folder, "resnet8.tflite")
        np.save(samples, x_train[:500].astype("float32"))
        start = time.perf_counter()
        command = [
            sys.executable,
            "-m",
            "keras_shrink",
            "convert",
            model,
            "--representative",
            samples,
            "-o",
            target,
        ]
        subprocess.run(command, check=True)
        seconds = time.perf_counter() - start
        graph = read(target)
    q = affine.quantize_array(x_test.astype("float32"), graph.inputs[0])
    equal = np.array_equal(
        tflm.run(graph, q[:200, None])[0].reshape(200, -1), native.run(graph, [q[:200]])[0].reshape(200, -1)
    )
    on_c = accuracy(lambda x: native.run(graph, [x]), q, y_test)
    on_litert = accuracy(lambda x: interpreters.run(graph, [x]), q, y_test)
    print(f"command: {seconds:.1f} s; file: {len(graph.content):,} bytes")
    print(f"standalone C equal to TFLM on 200 pictures: {equal}")
    print(
        f"int8 with TFLM's arithmetic: {on_c:.2%}; on {interpreters.find_interpreter().name}: {on_litert:.2%}"
    )


if __name__ == "__main__":
    main()
