"""Clustering on keyword spotting: accuracy, coded size and the integers of the int8 file.

    KERAS_SHRINK_DATA=... python benchmarks/cluster_kws.py --seed 0

MLPerf Tiny's DS-CNN is trained on `kws12`, clustered, fine-tuned, and quantized with a short training; one
table per kernel needs BatchNormalization folded first. The accuracy of the file is that of its standalone C
on all test clips, after it was found equal to TFLM on the first 50.
"""

import argparse
import json
import os
import time
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import on_tflm
import real_data

import keras_shrink as ks
import tflite_export as te

KERNELS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
CASES = {
    "16 values per channel": {"clusters": 16, "per_channel": True},
    "16 values per kernel": {"clusters": 16},
    "8 values per kernel": {"clusters": 8},
    "4 values per kernel": {"clusters": 4},
    "half pruned, 16 values per kernel": {"clusters": 16},
}


def load():
    (x, y), (x_test, y_test) = real_data.load("kws12")
    mean, deviation = x.mean(0, keepdims=True), x.std(0, keepdims=True) + 1e-3
    return [(((part - mean) / deviation)[..., None].astype("float32"), labels) for part, labels in
            ((x, y), (x_test, y_test))]  # fmt: skip


def fit(model, data, epochs, rate):
    steps = epochs * -(-len(data[0][0]) // 32)
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, steps)),
        "sparse_categorical_crossentropy",
        jit_compile=False,
    )
    model.fit(*data[0], batch_size=32, epochs=epochs, verbose=0)
    return model


def accuracy_of(predicted, data):
    return round(100 * float(np.mean(predicted.argmax(axis=-1) == data[1][1])), 2)


def in_float(model, data):
    return accuracy_of(model.predict(data[1][0], batch_size=500, verbose=0), data)


def in_the_file(model, data):
    """Returns the accuracy of the file, and how many integers its kernels have at most."""
    graph = te.convert(model).graph
    kernels = [graph.main.tensors[op.inputs[1]] for op in graph.main.ops if op.code in KERNELS]
    whole = max(len(np.unique(kernel.data)) for kernel in kernels)
    axes = [3 if kernel.shape[0] == 1 else 0 for kernel in kernels]
    channels = max(
        len(np.unique(channel))
        for kernel, axis in zip(kernels, axes, strict=True)
        for channel in np.moveaxis(kernel.data, axis, 0)
    )
    return accuracy_of(on_tflm.answers(graph, data[1][0]), data), whole, channels


def _named(message):
    return message.splitlines()[1:] if "stay as they are" in message else []


def run(name, trained, data, options):
    settings = CASES[name]
    model = trained if settings.get("per_channel") else ks.fold_normalization(trained)
    if "pruned" in name:
        model = ks.prune(model, 0.5)
        ks.keep_zeros(model)
        fit(model, data, options.tuning_epochs, 1e-3)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        clustered = ks.cluster(model, **settings)
    kept = [line.split(":")[0].strip() for each in caught for line in _named(str(each.message))]
    row = {"case": name, "stay as they are": kept}
    row["at once"] = in_float(clustered, data)
    fit(clustered, data, options.tuning_epochs, 1e-3)
    report = ks.coding_report(clustered)
    row |= {"fine-tuned": in_float(clustered, data), "bytes": report.coded_bytes, "plain": report.plain_bytes}
    row["Huffman"] = report.huffman_bytes
    qat = ks.calibrate(clustered, data[0][0][:512])
    fit(qat, data, 1, 3e-4)
    row["int8 file"], row["integers per kernel"], row["per channel"] = in_the_file(qat, data)
    row["int8 coded"] = ks.coding_report(qat, value_bits=8).coded_bytes
    return row


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--tuning-epochs", type=int, default=3)
    parser.add_argument("--cases", nargs="*", default=list(CASES), choices=list(CASES))
    options = parser.parse_args()
    keras.utils.set_random_seed(options.seed)
    data = load()
    began = time.time()
    trained = fit(ks.zoo.ds_cnn("S"), data, options.epochs, 2e-3)
    print(json.dumps({"case": "float", "accuracy": in_float(trained, data)}), flush=True)
    for name in options.cases:
        print(
            json.dumps(run(name, trained, data, options) | {"seconds": round(time.time() - began)}),
            flush=True,
        )


if __name__ == "__main__":
    main()
