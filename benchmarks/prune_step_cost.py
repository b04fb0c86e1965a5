"""CPU time of a training step with gradual pruning, over the same step of plain `fit`.

    python benchmarks/prune_step_cost.py --tfmot-venv /tmp/tfmot-venv

DS-CNN (keyword spotting, 49x10 input) and ResNet8, batch 32, random data. Plain and pruned models take
turns, a block of steps each, in one process; the figure is the median over the turns of the ratio of CPU
times, on one thread, where nobody waits spinning for another. The schedule rises during the whole run: every
update computes new masks. With --tfmot-venv the same is measured for tensorflow-model-optimization on
tf_keras, in a virtual environment that is made there when it is missing.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")

import numpy as np
from peers_venv import python_with

MODELS = {"DS-CNN": ((49, 10, 1), 12), "ResNet8": ((32, 32, 3), 10)}
FREQUENCIES = (100, 1)
BATCH = 32


def ds_cnn(keras):
    layers = keras.layers
    x = inputs = keras.Input((49, 10, 1))
    x = _after(keras, layers.Conv2D(64, (10, 4), strides=2, padding="same")(x))
    x = layers.Dropout(0.2)(x)
    for _ in range(4):
        x = _after(keras, layers.DepthwiseConv2D(3, padding="same")(x))
        x = _after(keras, layers.Conv2D(64, 1, padding="same")(x))
    x = layers.Dropout(0.4)(x)
    x = layers.Flatten()(layers.AveragePooling2D((25, 5))(x))
    return keras.Model(inputs, layers.Dense(12, activation="softmax")(x))


def resnet8(keras):
    layers = keras.layers
    x = inputs = keras.Input((32, 32, 3))
    x = _after(keras, layers.Conv2D(16, 3, padding="same")(x))
    for filters, strides in ((16, 1), (32, 2), (64, 2)):
        y = _after(keras, layers.Conv2D(filters, 3, strides=strides, padding="same")(x))
        y = layers.BatchNormalization()(layers.Conv2D(filters, 3, padding="same")(y))
        if strides > 1:
            x = layers.Conv2D(filters, 1, strides=strides, padding="same")(x)
        x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.Flatten()(layers.AveragePooling2D(8)(x))
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(x))


def _after(keras, x):
    return keras.layers.ReLU()(keras.layers.BatchNormalization()(x))


def ours(keras, model, frequency, total):
    import keras_shrink as ks

    schedule = ks.schedules.polynomial(0.0, 0.8, end_step=total)
    return model, [ks.GradualPruning(schedule, frequency=frequency, total_steps=total)]


def theirs(keras, model, frequency, total):
    import tensorflow_model_optimization as tfmot

    schedule = tfmot.sparsity.keras.PolynomialDecay(0.0, 0.8, 0, total, frequency=frequency)
    wrapped = tfmot.sparsity.keras.prune_low_magnitude(model, pruning_schedule=schedule)
    return wrapped, [tfmot.sparsity.keras.UpdatePruningStep()]


def stopwatch(keras):
    """Returns a callback that measures CPU time of the steps, without what a fit does before the first."""

    class Stopwatch(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if batch == 0:
                self.began = time.process_time()

        def on_epoch_end(self, epoch, logs=None):
            self.seconds = time.process_time() - self.began

    return Stopwatch()


def measure(keras, attach, build, name, turns, steps):
    """Returns the median CPU ratio for each frequency, and the plain step's CPU milliseconds."""
    shape, classes = MODELS[name]
    x = np.random.default_rng(0).normal(size=(BATCH * steps, *shape)).astype("float32")
    y = np.random.default_rng(1).integers(0, classes, BATCH * steps)
    runs = {"plain": (build(keras), [])}
    for frequency in FREQUENCIES:
        runs[frequency] = attach(keras, build(keras), frequency, (turns + 1) * steps + 1)
    for model, _ in runs.values():
        model.compile("adam", "sparse_categorical_crossentropy")
    spent = {key: [] for key in runs}
    for turn in range(turns + 1):
        keys = list(runs)
        for key in keys[turn % 3 :] + keys[: turn % 3]:
            model, callbacks = runs[key]
            clock = stopwatch(keras)
            model.fit(x, y, batch_size=BATCH, verbose=0, callbacks=[clock, *callbacks])
            if turn:  # the first turn traces
                spent[key].append(clock.seconds / steps)
    ratios = {
        key: statistics.median(a / b for a, b in zip(spent[key], spent["plain"], strict=True))
        for key in FREQUENCIES
    }
    return {"model": name, "plain ms": round(1000 * statistics.median(spent["plain"]), 2)} | {
        f"frequency {key}": round(ratio, 3) for key, ratio in ratios.items()
    }


def table(keras, attach, names, turns, steps):
    build = {"DS-CNN": ds_cnn, "ResNet8": resnet8}
    for name in names:
        row = {"package": attach.__name__} | measure(keras, attach, build[name], name, turns, steps)
        print(json.dumps(row), flush=True)


def with_tfmot(folder, arguments):
    """Runs this script again in a virtual environment that has tensorflow-model-optimization."""
    python = python_with(folder, "tensorflow-model-optimization")
    environment = os.environ | {"TF_USE_LEGACY_KERAS": "1"}
    subprocess.run([python, __file__, "--package", "tfmot", *arguments], check=True, env=environment)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--steps", type=int, default=100, help="steps per turn")
    parser.add_argument("--models", nargs="*", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--package", choices=("ours", "tfmot"), default="ours")
    parser.add_argument("--tfmot-venv", help="folder of the virtual environment with tfmot")
    options = parser.parse_args()
    shared = ["--turns", str(options.turns), "--steps", str(options.steps), "--models", *options.models]
    if options.package == "tfmot":
        import tf_keras

        table(tf_keras, theirs, options.models, options.turns, options.steps)
        return
    import keras

    table(keras, ours, options.models, options.turns, options.steps)
    if options.tfmot_venv:
        sys.stdout.flush()
        with_tfmot(options.tfmot_venv, shared)


if __name__ == "__main__":
    main()
