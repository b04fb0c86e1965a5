"""A 1-D CNN and an LSTM on UCI HAR: float, calibrated int8 and quantization-aware int8, three seeds.

    KERAS_SHRINK_DATA=... python benchmarks/qat_uci_har.py [cnn | lstm] [seeds] [results.json]

int8 is computed over the whole test set by the file's standalone C, compiled here, whose bits are TFLM's
(checked on the first 20 sequences). Results are added to the JSON file run by run, so that runs can be split.
"""

import json
import sys
import time
import warnings
from pathlib import Path

import keras
import on_tflm
import real_data
from keras import layers

import keras_shrink as ks
import tflite_export as te

FLOAT_EPOCHS = {"cnn": 30, "lstm": 60}
QAT_EPOCHS = {"cnn": 10, "lstm": 15}


def network(kind):
    """Returns the float model."""
    inputs = keras.Input((128, 9), name="motion")
    if kind == "lstm":
        x = layers.LSTM(32)(inputs)
    else:
        x = inputs
        for filters in (16, 32, 32):
            x = layers.Conv1D(filters, 5, strides=2, padding="same", use_bias=False)(x)
            x = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.GlobalAveragePooling1D()(x)
    return keras.Model(inputs, layers.Dense(6)(layers.Dropout(0.2)(x)))


def fit(model, x, y, epochs, rate, callbacks=()):
    """Trains with a rate that falls to zero as a cosine."""
    steps = epochs * -(-len(x) // 32)
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, steps), clipnorm=1.0),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(x, y, batch_size=32, epochs=epochs, verbose=0, callbacks=list(callbacks))


def int8_accuracy(model, x, y):
    """Returns the share of right answers of the converted file, and its bytes."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The file computes LSTM")
        tflite = te.convert(model)
    return on_tflm.accuracy(tflite.graph, x, y), len(tflite.bytes)


def run(kind, seed, train, test):
    """Returns the figures of one seed."""
    keras.utils.set_random_seed(seed)
    start = time.perf_counter()
    model = network(kind)
    fit(model, *train, FLOAT_EPOCHS[kind], 3e-3)
    calibrated, _ = int8_accuracy(ks.calibrate(model, train[0][:500]), *test)
    qat = ks.calibrate(model, train[0][:500])
    fit(qat, *train, QAT_EPOCHS[kind], 3e-4)
    trained, size = int8_accuracy(qat, *test)
    return {
        "network": kind,
        "seed": seed,
        "float": model.evaluate(*test, verbose=0)[1],
        "calibrated": calibrated,
        "trained": trained,
        "keras": qat.evaluate(*test, verbose=0)[1],
        "bytes": size,
        "seconds": round(time.perf_counter() - start),
    }


def main():
    """Prints one line per run."""
    kinds = [sys.argv[1]] if len(sys.argv) > 1 else ["cnn", "lstm"]
    seeds = [int(seed) for seed in sys.argv[2].split(",")] if len(sys.argv) > 2 else [0, 1, 2]
    results = Path(sys.argv[3]) if len(sys.argv) > 3 else None
    (x, y), (x_test, y_test) = real_data.load("uci_har")
    mean, spread = x.mean(axis=(0, 1)), x.std(axis=(0, 1))
    x, x_test = (((part - mean) / spread).astype("float32") for part in (x, x_test))
    for kind in kinds:
        for seed in seeds:
            row = run(kind, seed, (x, y), (x_test, y_test))
            print(row, flush=True)
            if results:
                known = json.loads(results.read_text()) if results.exists() else []
                results.write_text(json.dumps([*known, row], indent=1))


if __name__ == "__main__":
    main()
