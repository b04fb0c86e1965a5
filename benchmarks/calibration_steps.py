"""Accuracy of a MobileNet in bad shape for int8, after each step of `docs/calibration.md` that treats it.

    KERAS_SHRINK_DATA=... python benchmarks/calibration_steps.py

A small 1-D MobileNet is trained on mnist1d. Its channels are then widened by up to a factor of 10 in one
layer and narrowed in the next, so that the float network computes the same and one scale for a whole tensor
does not fit; other tables spoil it in other ways. Accuracies are those of the simulated integer arithmetic
on the whole test set.
"""

import argparse
import itertools
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import real_data
from keras import layers

import keras_shrink as ks
from keras_shrink.quantization.estimators import Percentile
from keras_shrink.rebuild import rebuild

BLOCKS = ((48, 2), (64, 1), (64, 2), (96, 1))


def mobile_network():
    """Returns a 1-D MobileNet of four separable blocks."""
    x = inputs = keras.Input((40, 1))
    x = _normalized(layers.Conv1D(32, 5, padding="same", use_bias=False, name="c0")(x), "c0")
    for index, (filters, strides) in enumerate(BLOCKS, 1):
        depthwise = layers.DepthwiseConv1D(
            5, strides=strides, padding="same", use_bias=False, name=f"d{index}"
        )
        x = _normalized(depthwise(x), f"d{index}")
        x = _normalized(layers.Conv1D(filters, 1, use_bias=False, name=f"c{index}")(x), f"c{index}")
    x = layers.Dropout(0.3)(layers.Flatten()(x))
    return keras.Model(inputs, layers.Dense(10, name="scores")(x))


def _normalized(x, name):
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x))


def widened(model, spread=1.0):
    """Returns a copy with channels scaled behind each normalization and back in the next kernel."""
    new = rebuild(model)
    generator = np.random.default_rng(0)
    names = ["c0", *[f"{kind}{i}" for i in range(1, len(BLOCKS) + 1) for kind in "dc"]]
    for name, after in itertools.pairwise(names):
        norm, kernel = new.get_layer(f"{name}_norm"), new.get_layer(after).kernel
        factors = 10 ** generator.uniform(-spread, spread, norm.gamma.shape)
        for weight in (norm.gamma, norm.beta):
            weight.assign(weight * factors)
        kernel.assign(kernel / factors.reshape(-1, 1))
    return new


def trained(path, data, epochs):
    """Returns the trained float network, kept in `path`."""
    if path.exists():
        return keras.saving.load_model(path)
    (x, y), _ = data
    keras.utils.set_random_seed(0)
    model = mobile_network()
    rate = keras.optimizers.schedules.CosineDecay(3e-3, epochs * -(-len(x) // 64))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(rate), loss, jit_compile=False)
    model.fit(x, y, batch_size=64, epochs=epochs, verbose=0)
    model.save(path)
    return model


class Table:
    """Prints a row for each network."""

    def __init__(self, title, test):
        self.x, self.y = test
        print(f"\n| {title} | accuracy | seconds |\n|---|---|---|", flush=True)

    def row(self, name, make):
        """Makes a network, prints its accuracy and returns it."""
        began = time.process_time()
        model = make()
        seconds = time.process_time() - began
        right = model.predict(self.x, batch_size=500, verbose=0).argmax(axis=1) == self.y
        print(f"| {name} | {100 * np.mean(right):.1f} | {seconds:.1f} |", flush=True)
        return model


def wide_channels(model, few, test, steps):
    """Wide channels, with one scale for each tensor of weights."""
    tensor = ks.Int8(per_channel=False)
    table = Table("wide channels", test)
    table.row("float", lambda: model)
    wide = table.row("float, widened", lambda: widened(model))
    plain = ks.fold_normalization(wide)
    table.row("one scale per weight tensor", lambda: ks.calibrate(plain, few, tensor))
    table.row("with correct_bias", lambda: ks.calibrate(ks.correct_bias(plain, few, tensor), few, tensor))
    table.row(
        "with learn_rounding",
        lambda: ks.calibrate(ks.learn_rounding(plain, few, tensor, steps=steps), few, tensor),
    )
    table.row("with equalize", lambda: ks.calibrate(ks.equalize(wide), few, tensor))
    equal = ks.equalize(wide)
    table.row(
        "with equalize and correct_bias",
        lambda: ks.calibrate(ks.correct_bias(equal, few, tensor), few, tensor),
    )
    table.row("a scale per channel", lambda: ks.calibrate(wide, few))
    table.row("a scale per channel, with equalize", lambda: ks.calibrate(equal, few))


def few_levels(model, few, test, steps):
    """Weights of 4 bits, a scale per channel."""
    four = ks.Int8(weight_bits=4)
    folded = ks.fold_normalization(model)
    table = Table("weights of 4 bits", test)
    table.row("calibrated", lambda: ks.calibrate(folded, few, four))
    table.row("with correct_bias", lambda: ks.calibrate(ks.correct_bias(folded, few, four), few, four))
    learned = ks.learn_rounding(folded, few, four, steps=steps)
    table.row("with learn_rounding", lambda: ks.calibrate(learned, few, four))
    table.row(
        "with learn_rounding and correct_bias",
        lambda: ks.calibrate(ks.correct_bias(learned, few, four), few, four),
    )


def stale_statistics(model, few, test):
    """Many weights pruned at once: the statistics are those of the dense network."""
    pruned = ks.prune(model, 0.4)
    table = Table("40 % pruned at once", test)
    table.row("calibrated", lambda: ks.calibrate(pruned, few))
    table.row(
        "with reestimate_normalization",
        lambda: ks.calibrate(ks.reestimate_normalization(pruned, few), few),
    )


def outliers(model, few, test):
    """A broken sensor: one sample in 64 of the calibration data is 100 times too large."""
    spoilt = few.copy()
    spoilt[::64] *= 100
    table = Table("outliers in the data", test)
    for method in ("minmax", "moving_average", "percentile", "mse"):
        table.row(method, lambda method=method: ks.calibrate(model, spoilt, method=method))
    table.row("percentile 97", lambda: ks.calibrate(model, spoilt, method=Percentile(97.0)))


def main():
    """Prints the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--steps", type=int, default=300, help="of learn_rounding, per layer")
    parser.add_argument("--folder", default=".", help="where the trained network is kept")
    parser.add_argument("--tables", nargs="*", default=["wide", "levels", "stale", "outliers"])
    options = parser.parse_args()
    data = [(x.reshape(-1, 40, 1).astype("float32") / 4, np.ravel(y)) for x, y in real_data.load("mnist1d")]
    model = trained(Path(options.folder) / "mobile_mnist1d.keras", data, options.epochs)
    few, test = data[0][0][:512], data[1]
    if "wide" in options.tables:
        wide_channels(model, few, test, options.steps)
    if "levels" in options.tables:
        few_levels(model, few, test, options.steps)
    if "stale" in options.tables:
        stale_statistics(model, few, test)
    if "outliers" in options.tables:
        outliers(model, few, test)


if __name__ == "__main__":
    main()
