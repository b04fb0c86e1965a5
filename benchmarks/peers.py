"""This package beside its peers: accuracy, bytes, cost of a training step, seconds of conversion.

    KERAS_SHRINK_DATA=... python benchmarks/peers.py --peers-venv /tmp/peers --results peers.json

The same float networks for all: an MLP and a CNN on MNIST-1D, a CNN (two-dimensional convolutions, which
tensorflow-model-optimization knows) and an LSTM on UCI HAR, DS-CNN on keywords, LeNet-5 (Caffe's) on MNIST,
ResNet8 on CIFAR-10 as MLPerf Tiny trained it (with KERAS_SHRINK_MODELS). Without training: `ks.calibrate`,
TFLiteConverter, ai-edge-quantizer and Keras's own `model.quantize("int8")`, with the same 500 inputs. With
the same few epochs of quantization-aware training: `ks.quantize` and tensorflow-model-optimization on
tf_keras. That one and ai-edge-quantizer run in a virtual environment of their own, which is made when it
is missing; what they refuse is printed, and called so in the table.

Accuracy is that of the file on the whole test set by LiteRT; of Keras's own quantization, which makes no int8
file, that of the Keras model. Step costs are CPU time over the float step of the same framework, in turns, on
one thread and without XLA. Conversion is CPU seconds from the float or trained model to the file, ranges
included. Results are added to the JSON file task by task, and the table is of all that it holds.
"""

import argparse
import contextlib
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")

import numpy as np
from cpu_time import cpu_seconds
from peers_venv import python_with

SHAPES = {
    "mnist1d mlp": ((40,), 10),
    "mnist1d cnn": ((40, 1, 1), 10),
    "uci_har cnn": ((128, 1, 9), 6),
    "uci_har lstm": ((128, 9), 6),
    "kws12 ds_cnn": ((49, 10, 1), 12),
    "mnist lenet": ((28, 28, 1), 10),
    "cifar10 resnet8": ((32, 32, 3), 10),
}
# Epochs in float and of quantization-aware training.
EPOCHS = {
    "mnist1d mlp": (40, 8),
    "mnist1d cnn": (40, 8),
    "uci_har cnn": (10, 3),
    "uci_har lstm": (20, 4),
    "kws12 ds_cnn": (20, 4),
    "mnist lenet": (3, 1),
    "cifar10 resnet8": (0, 1),
}
# What is subtracted, then the factor.
SCALES = {"kws12": (83.0, 0.5847029 / 50.0), "mnist": (0.0, 1 / 255), "uci_har": (0.0, 1 / 8192)}
RESNET8 = "cifar10 resnet8"  # comes trained
BATCH = 64
COLUMNS = ("network", "by", "accuracy", ".tflite bytes", "step", "conversion s")


def network(keras, task):
    """Returns the float network of a task; its output are logits."""
    shape, classes = SHAPES[task]
    layers = keras.layers
    x = inputs = keras.Input(shape)

    def normalized(x):
        return layers.ReLU()(layers.BatchNormalization()(x))

    if task == "mnist1d mlp":
        for _ in range(2):
            x = layers.Dense(96, activation="relu")(x)
    elif task == "uci_har lstm":
        x = layers.LSTM(32)(x)
    elif task == "kws12 ds_cnn":
        x = normalized(layers.Conv2D(64, (10, 4), strides=2, padding="same", use_bias=False)(x))
        for _ in range(4):
            x = normalized(layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x))
            x = normalized(layers.Conv2D(64, 1, use_bias=False)(x))
        x = layers.GlobalAveragePooling2D()(x)
    elif task == "mnist lenet":
        for filters in (20, 50):
            x = layers.MaxPooling2D(2)(layers.Conv2D(filters, 5)(x))
        x = layers.Dense(500, activation="relu")(layers.Flatten()(x))
    elif task == RESNET8:
        x = normalized(layers.Conv2D(16, 3, padding="same")(x))
        for filters, strides in ((16, 1), (32, 2), (64, 2)):
            y = normalized(layers.Conv2D(filters, 3, strides=strides, padding="same")(x))
            y = layers.BatchNormalization()(layers.Conv2D(filters, 3, padding="same")(y))
            if strides > 1:
                x = layers.Conv2D(filters, 1, strides=strides, padding="same")(x)
            x = layers.ReLU()(layers.Add()([x, y]))
        x = layers.Flatten()(layers.AveragePooling2D(8)(x))
    else:
        for filters in (16, 32, 32):
            x = layers.Conv2D(filters, (5, 1), strides=(2, 1), padding="same", use_bias=False)(x)
            x = normalized(x)
        x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(classes)(x))


def compiled(keras, model, rate):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"], jit_compile=False)
    return model


def data(task):
    import real_data

    (x, y), (x_test, y_test) = real_data.load(task.split()[0])
    shape = SHAPES[task][0]
    zero, factor = SCALES.get(task.split()[0], (0.0, 1.0))
    x, x_test = (((each.astype("float32") - zero) * factor).reshape(-1, *shape) for each in (x, x_test))
    return x, np.ravel(y), x_test, np.ravel(y_test)


def timed(function, *arguments):
    """Returns the result and the CPU seconds."""
    began = cpu_seconds()
    with contextlib.redirect_stdout(io.StringIO()):
        result = function(*arguments)
    return result, cpu_seconds() - began


def step_cost(model, float_model, x, y, turns=7, steps=20):
    """Returns the CPU time of a training step over that of the float model: median over turns."""
    ratios = []
    for turn in range(turns + 1):
        spent = []
        for each in (model, float_model):
            began = time.process_time()
            for _ in range(steps):
                each.train_on_batch(x[:BATCH], y[:BATCH])
            spent.append(time.process_time() - began)
        if turn:  # the first traces
            ratios.append(spent[0] / spent[1])
    return statistics.median(ratios)


def by_tensorflow(model, representative=None):
    """Returns the file that TFLiteConverter makes, as the guides of TensorFlow show."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if representative is not None:
        converter.representative_dataset = lambda: ([sample[None]] for sample in representative)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter.convert()


def accuracy(content, x, y):
    """Returns the share of right answers of a file, computed by LiteRT."""
    from tflite_export import affine, interpreters
    from tflite_export.read import read

    graph = read(content)
    entry = graph.inputs[0]
    given = affine.quantize_array(x, entry) if entry.dtype == "int8" else x
    (output,) = interpreters.run(graph, [given], fresh=True)
    return float(np.mean(output.reshape(len(y), -1).argmax(axis=1) == y))


def without_training(model, x, x_test, y_test):
    """Yields rows of what quantizes this Keras model after training."""
    import keras

    import keras_shrink as ks
    import tflite_export as te

    calibration = x[:500]
    makers = {
        "keras_shrink, calibrate": lambda: te.convert(ks.calibrate(model, calibration)).bytes,
        "TFLiteConverter, representative data": lambda: by_tensorflow(model, calibration),
    }
    for name, make in makers.items():
        made = unless_refused(lambda make=make: timed(make))
        if made is None:
            yield name, None, None, None, None
            continue
        content, seconds = made
        yield name, accuracy(content, x_test, y_test), len(content), None, seconds
    own = keras.models.clone_model(model)
    own.set_weights(model.get_weights())
    own.quantize("int8")
    answers = own.predict(x_test, verbose=0).argmax(axis=1)
    yield "Keras model.quantize('int8')", float(np.mean(answers == y_test)), None, None, None


def ours(task, seed):
    """Returns the rows of one task and seed, and what the peers start from."""
    import keras

    import keras_shrink as ks
    import tflite_export as te

    x, y, x_test, y_test = data(task)
    keras.utils.set_random_seed(seed)
    model = compiled(keras, network(keras, task), 2e-3)
    if task == RESNET8:
        import real_data

        trained = keras.models.load_model(real_data.model_path("mlperf_resnet8.h5"), compile=False)
        model.set_weights(trained.get_weights())
    else:
        model.fit(x, y, batch_size=BATCH, epochs=EPOCHS[task][0], verbose=0)
    plain, seconds = timed(lambda: te.convert(model, dtype="float32").bytes)
    rows = [("float", accuracy(plain, x_test, y_test), len(plain), None, seconds)]
    rows += without_training(model, x, x_test, y_test)
    qat = compiled(keras, ks.quantize(model), 2e-4)
    qat.fit(x, y, batch_size=BATCH, epochs=EPOCHS[task][1], verbose=0)
    content, seconds = timed(lambda: te.convert(qat).bytes)
    cost = step_cost(ks.quantize(model), compiled(keras, network(keras, task), 2e-4), x, y)
    rows.append(
        ("keras_shrink, quantize and fit", accuracy(content, x_test, y_test), len(content), cost, seconds)
    )
    return rows, {"weights": model.get_weights(), "float": plain, "data": (x, y, x_test, y_test)}


def theirs(folder):
    """Runs in the peers' environment, from and into a folder of files."""
    folder = Path(folder)
    task = (folder / "task").read_text()
    with np.load(folder / "data.npz") as stored:
        x, y = stored["x"], stored["y"]
    found = {}
    for method in ("moving average", "min-max"):
        file = f"edge {method}.tflite"
        found[f"ai-edge-quantizer, {method}"] = unless_refused(
            lambda file=file, method=method: (file, None, edge(folder, x[:500], method, file))
        )
    found["tfmot, quantize_model and fit"] = unless_refused(
        lambda: ("tfmot.tflite", *tfmot(folder, task, x, y))
    )
    (folder / "found.json").write_text(json.dumps(found))


def unless_refused(make):
    """Returns what a peer made, or None if it raised; prints why."""
    try:
        return make()
    except Exception as error:
        print(f"refused: {type(error).__name__}: {str(error)[:300]}", file=sys.stderr)
        return None


def edge(folder, calibration, method, file):
    """Writes the file of ai-edge-quantizer; returns CPU seconds.

    Its `Quantizer.calibrate` averages the extremes of the samples, which it is given one by one; its
    calibrator can also hold all of them.
    """
    from ai_edge_litert.interpreter import Interpreter
    from ai_edge_quantizer import calibrator, quantizer, recipe, recipe_manager
    from ai_edge_quantizer.utils import qsv_utils

    path = str(folder / "float.tflite")
    update = {"moving average": qsv_utils.moving_average_update, "min-max": qsv_utils.min_max_update}[method]

    def made():
        ((key, signature),) = Interpreter(path).get_signature_list().items()
        samples = {key: [{signature["inputs"][0]: sample[None]} for sample in calibration]}
        tool, choices = quantizer.Quantizer(path), recipe_manager.RecipeManager()
        tool.load_quantization_recipe(recipe.static_wi8_ai8())
        choices.load_quantization_recipe(tool.get_quantization_recipe())
        ranges = calibrator.Calibrator(path, num_threads=1, qsv_update_func=update)
        ranges.calibrate(samples, choices)
        return tool.quantize(ranges.get_model_qsvs()).quantized_model

    content, seconds = timed(made)
    (folder / file).write_bytes(content)
    return seconds


def tfmot(folder, task, x, y):
    """Writes the file of tensorflow-model-optimization; returns the cost of a step and CPU seconds."""
    import tensorflow_model_optimization as toolkit
    import tf_keras

    model = network(tf_keras, task)
    with np.load(folder / "weights.npz") as stored:
        model.set_weights([stored[f"arr_{i}"] for i in range(len(stored))])
    qat = compiled(tf_keras, toolkit.quantization.keras.quantize_model(model), 2e-4)
    qat.fit(x, y, batch_size=BATCH, epochs=EPOCHS[task][1], verbose=0)
    content, seconds = timed(by_tensorflow, qat)
    (folder / "tfmot.tflite").write_bytes(content)
    other = compiled(tf_keras, toolkit.quantization.keras.quantize_model(model), 2e-4)
    return step_cost(other, compiled(tf_keras, network(tf_keras, task), 2e-4), x, y), seconds


def from_peers(python, task, started):
    """Returns the rows of the peers, which run in their own environment."""
    x, y, x_test, y_test = started["data"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "task").write_text(task)
        (folder / "float.tflite").write_bytes(started["float"])
        np.savez(folder / "weights.npz", *started["weights"])
        np.savez(folder / "data.npz", x=x, y=y)
        environment = os.environ | {"TF_USE_LEGACY_KERAS": "1"}
        subprocess.run([python, __file__, "--peer", folder], check=True, env=environment)
        rows = []
        for by, made in json.loads((folder / "found.json").read_text()).items():
            if made is None:
                rows.append((by, None, None, None, None))
                continue
            file, cost, seconds = made
            content = (folder / file).read_bytes()
            rows.append((by, accuracy(content, x_test, y_test), len(content), cost, seconds))
    return rows


def table(results):
    """Returns the table of all results: means over seeds, and in brackets the smallest accuracy."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    groups = {}
    seeds = {}
    for key, rows in results.items():
        task, _, seed = key.rpartition(" ")
        seeds.setdefault(task, []).append(seed)
        for by, *figures in rows:
            groups.setdefault((task, by), []).append(figures)
    for (task, by), runs in groups.items():
        right, size, cost, seconds = (
            [run[i] for run in runs if run[i] is not None] for i in range(len(runs[0]))
        )
        shown = f"{statistics.mean(right):.2%}" if right else "refused"
        shown += f" ({min(right):.2%})" if len(right) > 1 else ""
        rest = [
            f"{statistics.mean(size):,.0f}" if size else "no int8 file",
            f"{statistics.median(cost):.2f}" if cost else "",
            f"{statistics.median(seconds):.1f}" if seconds else "",
        ]
        name = f"{task}, seed{'s' * (len(runs) > 1)} {', '.join(seeds[task])}"
        lines.append(f"| {name} | {by} | {shown} | {' | '.join(rest)} |")
    return "\n".join(lines)


def main():
    """Runs the tasks and prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", nargs="*", default=list(SHAPES), choices=list(SHAPES))
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--peers-venv", help="folder of the virtual environment with the peers")
    parser.add_argument("--results", type=Path, default=Path("peers.json"))
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        theirs(options.peer)
        return
    results = json.loads(options.results.read_text()) if options.results.exists() else {}
    for task in options.tasks:
        for seed in options.seeds[:1] if task == RESNET8 else options.seeds:
            rows, started = ours(task, seed)
            if options.peers_venv:
                python = python_with(options.peers_venv, "tensorflow-model-optimization", "ai-edge-quantizer")
                rows += from_peers(python, task, started)
            results[f"{task} {seed}"] = rows
            options.results.write_text(json.dumps(results))
    print(table(results))


if __name__ == "__main__":
    sys.exit(main())
