"""A tiny transformer in int8: accuracy of the network and of its files on TFLM, noise of its normalizations.

    KERAS_SHRINK_DATA=... python benchmarks/tiny_transformer.py kws12 --seed 0

`ks.zoo.tiny_transformer` is trained on `kws12` (49 steps of 10 features) or `uci_har` (every second of
128 steps of 9), calibrated on 512 training samples, and trained on for a few epochs with integer arithmetic.
All test samples run on TFLM; the standalone C must give the same integers.
"""

import argparse
import json
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import on_tflm
import real_data

import keras_shrink as ks
import tflite_export as te


def load(name):
    parts = real_data.load(name)
    x = parts[0][0].astype("float32")
    mean, deviation = x.mean(0, keepdims=True), x.std(0, keepdims=True) + 1e-3
    step = 2 if name == "uci_har" else 1
    return [
        (((values - mean) / deviation).astype("float32")[:, ::step], labels.astype("int32"))
        for values, labels in parts
    ]


def fit(model, data, epochs, rate):
    steps = epochs * -(-len(data[0][0]) // 32)
    schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
    model.compile(
        keras.optimizers.Adam(schedule, clipnorm=1.0),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=False,
    )
    model.fit(*data[0], batch_size=32, epochs=epochs, verbose=0)


def percent(predicted, labels):
    return round(100 * float(np.mean(predicted.reshape(len(labels), -1).argmax(axis=-1) == labels)), 2)


def in_the_file(model, data):
    """Returns what the file does on TFLM, and how far that is from the model in Keras."""
    x, labels = data[1]
    tflite = te.convert(model)
    end = tflite.graph.outputs[0]
    scores = on_tflm.answers(tflite.graph, x, checked=len(x))
    predicted = model.predict(x, batch_size=100, verbose=0)
    integers = np.round(predicted / end.quantization.scale[0]) + end.quantization.zero_point[0]
    return {
        "file": percent(scores, labels),
        "same class as Keras": percent(scores, predicted.argmax(axis=-1)),
        "steps apart": int(np.abs(integers - scores).max()),
        "bytes": len(tflite.bytes),
        "float tensors": sum(t.dtype.startswith("float") for t in tflite.graph.main.tensors),
    }


def noise(model, quantized, x):
    """Returns the signal to noise ratio in dB behind each normalization and each attention."""
    ratios = {}
    for layer in model.layers:
        if not isinstance(layer, keras.layers.LayerNormalization | keras.layers.MultiHeadAttention):
            continue
        wanted, got = (
            keras.Model(each.inputs, each.get_layer(layer.name).output).predict(x, verbose=0)
            for each in (model, quantized)
        )
        ratios[layer.name] = round(float(10 * np.log10(np.mean(wanted**2) / np.mean((wanted - got) ** 2))), 1)
    return ratios


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", choices=["kws12", "uci_har"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--tuning-epochs", type=int, default=3)
    options = parser.parse_args()
    keras.utils.set_random_seed(options.seed)
    began = time.time()
    data = load(options.data)
    classes = int(data[0][1].max()) + 1
    model = ks.zoo.tiny_transformer(data[0][0].shape[1:], classes)
    fit(model, data, options.epochs, 2e-3)

    def report(row):
        print(json.dumps(row | {"seconds": round(time.time() - began)}), flush=True)

    report({"float": percent(model.predict(data[1][0], verbose=0), data[1][1])})
    quantized = ks.calibrate(model, data[0][0][:512], strict=True)
    report({"calibrated": in_the_file(quantized, data)})
    report({"dB behind": noise(model, quantized, data[1][0][:256])})
    fit(quantized, data, options.tuning_epochs, 3e-4)
    report({"trained on": in_the_file(quantized, data)})


if __name__ == "__main__":
    main()
