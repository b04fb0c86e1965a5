"""Accuracy of int8 networks, calibrated and trained, beside the float networks they come from.

    KERAS_SHRINK_DATA=... python benchmarks/qat_accuracy.py mnist1d --seed 0
    KERAS_SHRINK_DATA=... python benchmarks/qat_accuracy.py kws12 --seed 0
    KERAS_SHRINK_DATA=... KERAS_SHRINK_MODELS=... python benchmarks/qat_accuracy.py cifar10 --seed 0

`mnist1d`: a 1-D CNN; `kws12`: DS-CNN; both are trained in float first, per seed. `cifar10`: ResNet8 from
`mlperf_resnet8.h5`. int8 accuracies are those of the exported file on the whole test set in TFLM's
arithmetic: its standalone C computes them, after it was found equal to TFLM on the first 100 samples.
Training stops after --minutes and goes on where it stopped when called again with the same --folder.
"""

import argparse
import json
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import on_tflm
import real_data
from keras import layers
from prune_step_cost import ds_cnn
from shuffled import Augmented

import keras_shrink as ks
import tflite_export as te

CALIBRATION = 512


def cnn(keras):
    """Returns a 1-D CNN for mnist1d."""
    x = inputs = keras.Input((40, 1))
    for filters, strides in ((32, 1), (64, 2), (64, 2)):
        x = layers.Conv1D(filters, 5, strides=strides, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Dropout(0.3)(layers.Flatten()(x))
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(x))


# network, epochs in float, epochs of quantization-aware training, learning rates, batch size
CASES = {
    "mnist1d": (cnn, 60, 15, 3e-3, 3e-4, 50),
    "kws12": (ds_cnn, 30, 6, 2e-3, 2e-4, 64),
    "cifar10": (None, 0, 2, 0.0, 3e-4, 64),
}


def load(name):
    """Returns the training and the test data as float32, scaled."""
    pairs = real_data.load(name)
    change = {
        "mnist1d": lambda x: x.reshape(-1, 40, 1) / 4.0,
        "kws12": lambda x: (x.reshape(-1, 49, 10, 1) - 83.0) * (0.5847029 / 50.0),
        "cifar10": lambda x: x,
    }[name]
    return [(change(x.astype("float32")).astype("float32"), np.asarray(y).ravel()) for x, y in pairs]


def float_accuracy(model, x, y):
    """Returns the share of right answers of a Keras model."""
    return float(np.mean(model.predict(x, batch_size=500, verbose=0).argmax(axis=1) == y))


def file_accuracy(model, x, y):
    """Returns the share of right answers of a model's file in TFLM's arithmetic."""
    return on_tflm.accuracy(te.convert(model).graph, x, y)


class Stop(keras.callbacks.Callback):
    """Ends training at the end of the first epoch after a time."""

    def __init__(self, at):
        super().__init__()
        self.at = at

    def on_epoch_end(self, epoch, logs=None):
        """Stops when it is time."""
        if time.time() > self.at:
            self.model.stop_training = True


def trained(path, make, data, epochs, learning_rate, batch_size, stop_at, seed):
    """Returns the network trained for `epochs`, or None if time was up before; kept in `path`."""
    (x, y), _ = data
    state = path.with_suffix(".json")
    done = json.loads(state.read_text()) if state.exists() else 0
    model = keras.saving.load_model(path) if done else make()
    pictures = x.ndim == 4 and x.shape[-1] == 3
    batches = Augmented(x, y, batch_size, seed + 100 * done) if pictures else None
    if not done:
        steps = epochs * (len(batches) if batches else -(-len(x) // batch_size))
        rate = keras.optimizers.schedules.CosineDecay(learning_rate, max(steps, 1))
        # Op by op is faster than XLA for convolutions on a CPU.
        model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", jit_compile=False)
    if done < epochs:
        fed = (batches,) if batches else (x, y, batch_size)
        history = model.fit(*fed, initial_epoch=done, epochs=epochs, verbose=0, callbacks=[Stop(stop_at)])
        done += len(history.epoch)
        model.save(path)
        state.write_text(json.dumps(done))
        print(
            json.dumps({"trained": path.stem, "epochs": done, "loss": history.history["loss"][-1]}),
            flush=True,
        )
    return model if done == epochs else None


def main():
    """Prints the accuracies of one case and seed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("case", choices=list(CASES))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=9.0)
    parser.add_argument("--folder", default="qat_accuracy_models", help="where networks are kept")
    options = parser.parse_args()
    began = time.time()
    stop_at = began + 60 * options.minutes
    folder = Path(options.folder)
    folder.mkdir(parents=True, exist_ok=True)
    build, epochs, qat_epochs, rate, qat_rate, batch_size = CASES[options.case]
    data = load(options.case)
    keras.utils.set_random_seed(options.seed)
    stem = f"{options.case}_{options.seed}"
    if build is None:
        model = keras.saving.load_model(real_data.model_path("mlperf_resnet8.h5"), compile=False)
    else:
        model = trained(
            folder / f"{stem}_float.keras",
            lambda: build(keras),
            data,
            epochs,
            rate,
            batch_size,
            stop_at,
            options.seed,
        )
    if model is None:
        return
    (x, _), test = data
    few = x[np.random.default_rng(0).permutation(len(x))[:CALIBRATION]]
    calibrated = ks.calibrate(model, few)
    result = folder / f"{stem}_result.json"
    row = json.loads(result.read_text()) if result.exists() else {}
    if not row:
        row = {"case": options.case, "seed": options.seed, "float": float_accuracy(model, *test)}
        row["calibrated"] = file_accuracy(calibrated, *test)
        result.write_text(json.dumps(row))
        print(json.dumps(row), flush=True)
    qat = trained(
        folder / f"{stem}_qat.keras",
        lambda: calibrated,
        data,
        qat_epochs,
        qat_rate,
        batch_size,
        stop_at,
        options.seed,
    )
    if qat is not None:
        row["trained"] = file_accuracy(qat, *test)
        print(json.dumps(row | {"seconds": round(time.time() - began)}), flush=True)


if __name__ == "__main__":
    main()
