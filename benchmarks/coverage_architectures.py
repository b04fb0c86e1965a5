"""Quantizes, converts and verifies well-known architectures: is anything left float, and what does it take?

    KERAS_SHRINK_MODELS=... python benchmarks/coverage_architectures.py [NAME ...]

The architectures of `keras.applications` have random weights, normalization statistics of their data, and
small inputs; the networks of MLPerf Tiny are the trained ones of the folder, but for the DS-CNN, which it has
no Keras model of. Ranges come from 16 random pictures. Prints for each: operators, tensors that stayed float,
seconds for calibrate and convert, and TFLM against the Keras model on 4 pictures.
"""

import sys
import time

import keras
import numpy as np
import real_data

import keras_shrink as ks
import tflite_export as te
from tflite_export.load import load_keras

APPLICATIONS = {
    "MobileNet": {"alpha": 0.25},
    "MobileNetV2": {"alpha": 0.35},
    "MobileNetV3Small": {"alpha": 0.75, "include_preprocessing": True},
    "EfficientNetB0": {},
    "EfficientNetV2B0": {},
    "ResNet50V2": {},
    "DenseNet121": {},
    "NASNetMobile": {},
    "Xception": {},
}
DS_CNN = "ds_cnn"
TRAINED = ("mlperf_resnet8.h5", "mlperf_vww96.h5", "mlperf_ad01.h5")
SIDE = 64


def build(name):
    """Returns a model and a batch of inputs."""
    generator = np.random.default_rng(0)
    if name in APPLICATIONS:
        side = 71 if name == "Xception" else SIDE
        options = {"weights": None, "input_shape": (side, side, 3), "classes": 10, **APPLICATIONS[name]}
        model = getattr(keras.applications, name)(**options)
        return model, generator.uniform(0, 255, (16, side, side, 3)).astype("float32")
    if name == DS_CNN:
        model = ks.zoo.ds_cnn("S")
        return model, generator.normal(0, 1, (16, *model.input_shape[1:])).astype("float32")
    model = load_keras(real_data.model_path(name))
    shape = (16, *model.input_shape[1:])
    high = 255 if "resnet8" in name else 1
    return model, generator.uniform(0, high, shape).astype("float32")


def settle(model, x):
    """Gives every BatchNormalization the statistics of the data, so that no activation vanishes."""
    normalizations = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    momenta = [layer.momentum for layer in normalizations]
    for layer in normalizations:
        layer.momentum = 0.0
    model(x, training=True)
    for layer, momentum in zip(normalizations, momenta, strict=True):
        layer.momentum = momentum


def measure(name):
    """Returns the cells of a row."""
    keras.utils.set_random_seed(0)
    model, x = build(name)
    if name not in TRAINED:
        settle(model, x)
    start = time.perf_counter()
    quantized = ks.calibrate(model, x, strict=True)
    calibrated = time.perf_counter()
    tflite = te.convert(quantized)
    converted = time.perf_counter()
    floats = sum(t.dtype.startswith("float") for t in tflite.graph.main.tensors)
    result = te.verify(tflite, x[:4], quantized)
    (promise,) = result.keras
    c = "not compared" if result.compiled_c is None else sum(d.differing for d in result.compiled_c)
    return [
        name,
        len(tflite.graph.main.ops),
        floats,
        f"{calibrated - start:.1f}",
        f"{converted - calibrated:.1f}",
        f"{promise.max_steps:g}",
        f"{promise.mean_steps:.3f}",
        c,
    ]


def main():
    """Prints the table as Markdown, a row at a time."""
    chosen = sys.argv[1:] or [*APPLICATIONS, DS_CNN, *TRAINED]
    print("| model | operators | float | calibrate s | convert s | max steps | mean steps | C differs |")
    print("|---|---|---|---|---|---|---|---|")
    for name in chosen:
        try:
            cells = measure(name)
        except (ValueError, RuntimeError) as error:
            cells = [name, f"failed: {error}".replace("\n", " ")[:300]]
        print("| " + " | ".join(map(str, cells)) + " |", flush=True)
        keras.backend.clear_session()


if __name__ == "__main__":
    main()
