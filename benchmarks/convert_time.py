"""Seconds to quantize and to convert networks, beside TensorFlow's conversion and its optimization toolkit.

    python benchmarks/convert_time.py --tfmot-venv /tmp/tfmot-venv

MobileNets at 96 x 96 and DS-CNN: seconds of CPU time, that of processes started included, and in brackets of
the clock, which other work on the machine lengthens. Medians of three in one process after one that is not
counted (peers: the first); the start of TensorFlow is not included. TFLiteConverter converts the network that
`ks.quantize` made; with --tfmot-venv, tensorflow-model-optimization quantizes the same architecture on
tf_keras and TensorFlow converts it, in a virtual environment that is made when it is missing.
"""

import argparse
import contextlib
import io
import logging
import os
import statistics
import subprocess
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from cpu_time import cpu_seconds
from peers_venv import python_with
from prune_step_cost import ds_cnn

MODELS = ("DS-CNN", "MobileNet", "MobileNetV2")


def network(keras, name):
    """Returns a float network with random weights."""
    if name == "DS-CNN":
        return ds_cnn(keras)
    options = {"alpha": 0.35} if name == "MobileNetV2" else {}
    build = getattr(keras.applications, name)
    return build(weights=None, input_shape=(96, 96, 3), classes=10, **options)


def seconds(function, *arguments, runs=3):
    """Returns medians of CPU and clock seconds over several runs after one more, or those of one run."""
    if runs > 1:
        function(*arguments)
    taken = []
    for _ in range(runs):
        start, began = time.perf_counter(), cpu_seconds()
        function(*arguments)
        taken.append((cpu_seconds() - began, time.perf_counter() - start))
    return [statistics.median(each) for each in zip(*taken, strict=True)]


def by_tensorflow(model):
    """Converts as TensorFlow's guide does."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    # It lists the model's variables on standard output.
    with contextlib.redirect_stdout(io.StringIO()):
        converter.convert()


def ours(name):
    """Returns the seconds of `quantize`, of `convert` and of TensorFlow's conversion."""
    import keras

    import keras_shrink as ks
    import tflite_export as te

    model = network(keras, name)
    x = np.random.default_rng(0).uniform(0, 255, (4, *model.input_shape[1:])).astype("float32")
    quantized = ks.calibrate(model, x, strict=True)
    return [
        seconds(ks.quantize, model),
        seconds(te.convert, quantized),
        seconds(by_tensorflow, quantized, runs=1),
    ]


def theirs(name):
    """Returns the seconds that tensorflow-model-optimization takes to quantize, and TensorFlow to convert."""
    import tensorflow_model_optimization as tfmot
    import tf_keras

    model = network(tf_keras, name)
    made = []
    quantizing = seconds(lambda: made.append(tfmot.quantization.keras.quantize_model(model)), runs=1)
    return [quantizing, seconds(by_tensorflow, made[0], runs=1)]


def main():
    """Prints a row per model."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="*", default=list(MODELS), choices=MODELS)
    parser.add_argument("--tfmot-venv", help="folder of the virtual environment with tfmot")
    parser.add_argument("--peer", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    logging.getLogger("absl").setLevel(logging.ERROR)
    if not options.peer:
        print("| model | quantize | convert | TFLiteConverter |\n|---|---|---|---|")
    for name in options.models:
        figures = theirs(name) if options.peer else ours(name)
        label = f"{name}, tfmot" if options.peer else name
        print(
            f"| {label} | " + " | ".join(f"{cpu:.1f} ({clock:.1f})" for cpu, clock in figures) + " |",
            flush=True,
        )
    if options.tfmot_venv:
        python = python_with(options.tfmot_venv, "tensorflow-model-optimization")
        command = [python, __file__, "--peer", "--models", *options.models]
        environment = os.environ | {"TF_USE_LEGACY_KERAS": "1"}
        sys.exit(subprocess.run(command, env=environment, check=False).returncode)


if __name__ == "__main__":
    main()
