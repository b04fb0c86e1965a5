r"""Students with and without a larger teacher: DS-CNN-S on kws12, ResNet8 of half the width on CIFAR-10.

    KERAS_SHRINK_DATA=... python benchmarks/distill_small.py kws12 teacher --folder OUT
    KERAS_SHRINK_DATA=... python benchmarks/distill_small.py kws12 plain distilled --seeds 0 1 2 --folder OUT
    KERAS_SHRINK_DATA=... KERAS_SHRINK_MODELS=... \
        python benchmarks/distill_small.py cifar10 cut_plain cut --seeds 0 1 --as-they-are --folder OUT

Plain and distilled students have the same data, augmentation, steps and learning rates. kws12's student is
`zoo.ds_cnn("S")` and its teacher `zoo.ds_cnn("M")`, trained here on the same clips; CIFAR-10's teacher is the
pretrained `mlperf_resnet8.h5`, and besides the student that begins with random weights there is one `cut` out
of the teacher by `prune_channels`, half of each layer's channels, that learns from it, and one so cut that
learns from the labels alone (`cut_plain`). Students are scored in float and, calibrated, as int8 files in
TFLM's arithmetic. A run that is cut off (or stopped by `--minutes`) goes on where it was when the command is
given again.
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
from channels_resnet8 import without_softmax
from fused import FusedBatchNormalization, fused, plain
from keras import layers
from shuffled import Shuffled, Views, shifted
from stopping import StopAfter

import keras_shrink as ks
import tflite_export as te

TEACHER_SEED = 0
CALIBRATION = 500


def resnet8(width):
    def convolved(x, filters, size, stride):
        return layers.Conv2D(
            filters,
            size,
            strides=stride,
            padding="same",
            kernel_initializer="he_normal",
            kernel_regularizer=keras.regularizers.L2(1e-4),
        )(x)

    inputs = keras.Input((32, 32, 3))
    x = layers.ReLU()(FusedBatchNormalization()(convolved(inputs, width, 3, 1)))
    for index, filters in enumerate((width, 2 * width, 4 * width)):
        stride = 1 if index == 0 else 2
        y = layers.ReLU()(FusedBatchNormalization()(convolved(x, filters, 3, stride)))
        y = FusedBatchNormalization()(convolved(y, filters, 3, 1))
        x = x if index == 0 else convolved(x, filters, 1, stride)
        x = layers.ReLU(name=f"stack_{index}")(layers.Add()([x, y]))
    x = layers.Flatten()(layers.AveragePooling2D(8)(x))
    return keras.Model(inputs, layers.Dense(10)(x))


class Clips(Shuffled):
    """Spectrograms shifted by up to two frames."""

    def __init__(self, x, y, batch_size, seed):
        padded = np.pad(x, ((0, 0), (2, 2), (0, 0), (0, 0)), mode="edge")
        super().__init__(shifted(padded, x.shape[1:3]), y, batch_size, seed)

    def batch(self, rows):
        """Clips as float32, and their labels."""
        start = self.random.integers(0, 5, len(rows))
        return np.moveaxis(self.x[rows, start, 0], 1, -1).astype("float32"), self.y[rows]


class Pictures(Views):
    """Pictures, shifted and mirrored or as they are, with a teacher's answers once it is asked."""

    answers = None

    def ask(self, distiller, folder):
        """Has the teacher look at all views, or reads what it said from the folder."""
        told = [
            distiller.remember(pictures, Path(folder) / f"view_{view}")["teachers"]
            for view, pictures in self.all_seen()
        ]
        self.answers = {name: np.stack([part[name] for part in told]) for name in told[0]}

    def shown(self, pictures, rows, drawn):
        """Pictures, in a taught batch beside the answers to them; and their labels."""
        if self.answers is None:
            return pictures, self.y[rows]
        known = {name: values[drawn, rows] for name, values in self.answers.items()}
        return {"inputs": pictures, "teachers": known}, self.y[rows]


def data_of(task):
    (x, y), (x_test, y_test) = real_data.load(task)
    if task == "kws12":
        x, x_test = (((part.astype("float32") - 83) * (0.5847029 / 50))[..., None] for part in (x, x_test))
    y = np.ravel(y).astype("int32")
    return (x, np.eye(y.max() + 1, dtype="float32")[y]), (x_test, np.ravel(y_test).astype("int32"))


def teacher_path(task, options):
    if task == "cifar10":
        return real_data.model_path("mlperf_resnet8.h5")
    return Path(options.folder) / f"{task}_teacher.keras"


def accuracy_of(model, data):
    predicted = model.predict(data[1][0].astype("float32"), batch_size=500, verbose=0)
    return round(100 * float(np.mean(np.argmax(predicted, axis=1) == data[1][1])), 2)


def int8_accuracy_of(model, data):
    (x, _), (x_test, y_test) = data
    chosen = np.random.default_rng(0).permutation(len(x))[:CALIBRATION]
    tflite = te.convert(plain(model), x[chosen].astype("float32"))
    return round(100 * on_tflm.accuracy(tflite.graph, x_test, y_test), 2)


def run(task, stage, seed, data, options):
    keras.utils.set_random_seed(seed)
    kws = task == "kws12"
    if kws:
        batches = Clips(*data[0], options.batch_size, seed)
    else:
        views = Views.AS_IT_IS if options.as_they_are else Views.ALL
        batches = Pictures(*data[0], options.batch_size, seed, views)
    model = ks.zoo.ds_cnn("M" if stage == "teacher" else "S") if kws else resnet8(8)
    trained = model
    if stage in ("distilled", "cut", "cut_plain"):
        teacher = keras.saving.load_model(teacher_path(task, options), compile=False)
    if stage in ("cut", "cut_plain"):
        trained = model = fused(without_softmax(ks.prune_channels(teacher, 0.5, scope="layer")))
    if stage in ("distilled", "cut"):
        trained = ks.Distiller(
            model, teacher, temperature=options.temperature, label_weight=options.label_weight
        )
        if not kws:
            batches.ask(trained, Path(options.folder) / "remembered")
    trained.compile(
        keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(options.learning_rate, len(batches) * options.epochs)
        ),
        keras.losses.CategoricalCrossentropy(from_logits=not kws),  # those of the zoo end in a softmax
        metrics=["accuracy"],
        jit_compile=False,  # faster here than XLA's convolutions on a CPU
    )
    finished = Path(options.folder) / f"{task}_{stage}_{seed}.keras"
    trained.fit(
        batches,
        epochs=options.epochs,
        verbose=0,
        callbacks=[
            keras.callbacks.BackupAndRestore(finished.with_name(f"{finished.stem}_backup")),
            StopAfter(options.minutes),
        ],
    )
    model.save(teacher_path(task, options) if stage == "teacher" else finished)
    return {"accuracy": accuracy_of(model, data), "int8": int8_accuracy_of(model, data)}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("task", choices=["kws12", "cifar10"])
    parser.add_argument("stages", nargs="+", choices=["teacher", "plain", "distilled", "cut", "cut_plain"])
    parser.add_argument("--folder", required=True, help="where teachers and unfinished runs are kept")
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--minutes", type=float, default=1e9)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument(
        "--as-they-are",
        action="store_true",
        help="Pictures neither shifted nor mirrored, with or without a teacher.",
    )
    parser.add_argument("--temperature", type=float, default=4.0)
    parser.add_argument("--label-weight", type=float, default=0.1)
    options = parser.parse_args()
    if options.task == "kws12" and {"cut", "cut_plain"} & set(options.stages):
        parser.error("cut and cut_plain are stages of cifar10.")
    if options.task == "kws12" and options.as_they_are:
        parser.error("--as-they-are is for the pictures of cifar10.")
    Path(options.folder).mkdir(parents=True, exist_ok=True)
    data = data_of(options.task)
    for stage in options.stages:
        for seed in [TEACHER_SEED] if stage == "teacher" else options.seeds:
            began = time.time()
            row = {"task": options.task, "network": stage, "seed": seed}
            row |= run(options.task, stage, seed, data, options)
            print(json.dumps(row | {"seconds": round(time.time() - began)}), flush=True)


if __name__ == "__main__":
    main()
