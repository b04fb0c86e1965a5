"""Seconds to quantize and to convert MobileNets at 96 x 96, beside TensorFlow's own conversion of the model.

    python benchmarks/convert_time.py

Medians of three in one process after one that is not counted; the start of TensorFlow is not included.
"""

import contextlib
import io
import logging
import statistics
import time

import keras
import numpy as np
import tensorflow as tf

import keras_shrink as ks
import tflite_export as te

MODELS = {"MobileNet": {}, "MobileNetV2": {"alpha": 0.35}}


def seconds(function, *arguments, runs=3):
    """Returns the median of several runs, in seconds, after one that is not counted."""
    function(*arguments)
    taken = []
    for _ in range(runs):
        start = time.perf_counter()
        function(*arguments)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def by_tensorflow(model):
    """Converts as TensorFlow's guide does."""
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    # It lists the model's variables on standard output.
    with contextlib.redirect_stdout(io.StringIO()):
        converter.convert()


def main():
    """Prints a row per model."""
    logging.getLogger("absl").setLevel(logging.ERROR)
    print("| model | quantize s | te.convert s | TFLiteConverter.from_keras_model s |")
    print("|---|---|---|---|")
    for name, options in MODELS.items():
        model = getattr(keras.applications, name)(
            weights=None, input_shape=(96, 96, 3), classes=10, **options
        )
        x = np.random.default_rng(0).uniform(0, 255, (4, 96, 96, 3)).astype("float32")
        quantized = ks.calibrate(model, x, strict=True)
        figures = [
            seconds(ks.quantize, model),
            seconds(te.convert, quantized),
            seconds(by_tensorflow, quantized, runs=1),
        ]
        print(
            f"| {name} {options or ''} | " + " | ".join(f"{figure:.1f}" for figure in figures) + " |",
            flush=True,
        )


if __name__ == "__main__":
    main()
