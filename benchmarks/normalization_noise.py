"""Noise of a LayerNormalization in int8, by row length, through L2_NORMALIZATION and through RSQRT.

    python benchmarks/normalization_noise.py

500 rows of normal values with means of their own. Their deviations are equal, spread (lognormal, sigma
0.3), or equal but for five rows of one value each, as silence or padding gives. The ratio of signal to
noise is that of the layer's output, input and output rounded to 8 bits, in dB; "float" is the float layer
behind the rounded input.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from keras_shrink.quantization import normalization_forms
from keras_shrink.quantization.ranges import ActivationQuantizer

LENGTHS = (16, 64, 128, 256, 1024)
WAYS = {"L2": 10**9, "RSQRT": 0}


def decibels(wanted, got):
    return round(float(10 * np.log10(np.mean(wanted**2) / np.mean((wanted - got) ** 2))), 1)


def rows(length, kind):
    generator = np.random.default_rng(0)
    values = generator.normal(0, 1, (1, 500, length))
    if kind == "spread":
        values *= np.exp(0.3 * generator.normal(0, 1, (1, 500, 1)))
    if kind == "silent rows":
        values[:, :5] = 0
    return (values + generator.normal(0, 0.5, (1, 500, 1))).astype("float32")


def measure(length, kind):
    layer = keras.layers.LayerNormalization(center=False, scale=False)
    x = rows(length, kind)
    wanted = np.array(layer(x))
    entry = ActivationQuantizer()
    entry.widen(x)
    x = entry(x, training=False)
    result = {"length": length, "rows": kind, "float": decibels(wanted, np.array(layer(x)))}
    for name, longest in WAYS.items():
        normalization_forms.LONGEST_SHORT_ROW = longest
        form = normalization_forms.NormalizedLayer(
            layer, inner=[ActivationQuantizer() for _ in range(6)], outputs=[ActivationQuantizer()]
        )
        form(x, training=True)  # the first batch gives the ranges
        result[name] = decibels(wanted, np.array(form(x, training=False)))
    return result


if __name__ == "__main__":
    for length in LENGTHS:
        for kind in ("equal", "spread", "silent rows"):
            print(measure(length, kind), flush=True)
