"""Hinton's MNIST experiment: what a network without regularization learns from one with dropout and jitter.

    KERAS_SHRINK_DATA=... python benchmarks/distill_mnist.py teacher --folder OUT
    KERAS_SHRINK_DATA=... python benchmarks/distill_mnist.py plain distilled --seeds 0 1 2 --folder OUT

The teacher has two layers of 1200 units and is trained with dropout on digits shifted by up to two pixels; it
is kept in the folder. The students have two layers of 800 units and see the 60,000 training digits as they
are, in the same order for the same number of steps: once with the labels alone, once with the teacher's soft
targets beside them and, with `--feature-weight`, what its second layer computes. The teacher's outputs are
computed once and read back from the folder.
"""

import argparse
import json
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import real_data
from keras import layers
from shuffled import Shuffled, shifted

import keras_shrink as ks


class Jittered(Shuffled):
    """Digits shifted by up to two pixels in each direction, every one by its own."""

    def __init__(self, x, y, batch_size, seed):
        padded = np.pad(x.reshape(-1, 28, 28), ((0, 0), (2, 2), (2, 2)))
        super().__init__(shifted(padded, (28, 28)), y, batch_size, seed)

    def batch(self, rows):
        """Digits as rows of 784 values, and their labels."""
        top, left = self.random.integers(0, 5, (2, len(rows)))
        return self.x[rows, top, left].reshape(-1, 784), self.y[rows]


def network(units, drop=0.0):
    model = keras.Sequential([keras.Input((784,))])
    for index in range(2):
        model.add(layers.Dense(units, activation="relu", name=f"hidden_{index}"))
        model.add(layers.Dropout(drop))
    model.add(layers.Dense(10))
    return model


def compiled(model, steps):
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(1e-3, steps)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        steps_per_execution=20,
        jit_compile=False,  # no faster here, and compiled anew for each process
    )
    return model


def errors_of(model, data):
    predicted = np.argmax(model.predict(data[1][0], batch_size=1000, verbose=0), axis=1)
    return int(np.sum(predicted != data[1][1]))


def train_teacher(data, options):
    keras.utils.set_random_seed(options.teacher_seed)
    batches = Jittered(*data[0], options.batch_size, options.teacher_seed)
    model = compiled(network(1200, drop=options.teacher_dropout), len(batches) * options.teacher_epochs)
    resumed = keras.callbacks.BackupAndRestore(Path(options.folder) / "teacher_backup")
    model.fit(batches, epochs=options.teacher_epochs, verbose=2, callbacks=[resumed])
    model.save(Path(options.folder) / "teacher.keras")
    return errors_of(model, data)


def train_student(method, seed, data, options):
    keras.utils.set_random_seed(seed)
    student = network(800)
    (x, y), _ = data
    trained = student
    if method == "distilled":
        teacher = keras.saving.load_model(Path(options.folder) / "teacher.keras", compile=False)
        objectives = [ks.distillation.SoftTargets(options.temperature)]
        if options.feature_weight:
            pairs = {"hidden_1": "hidden_1"}
            objectives.append(ks.distillation.FeatureMatching(pairs, weight=options.feature_weight))
        trained = ks.Distiller(student, teacher, objectives, label_weight=options.label_weight)
        what = "features" if options.feature_weight else "remembered"
        x = trained.remember(x, Path(options.folder) / what)
    compiled(trained, (len(y) // options.batch_size + 1) * options.epochs)
    keras.utils.set_random_seed(seed)  # the order of the digits, which loading a teacher has moved on
    trained.fit(x, y, batch_size=options.batch_size, epochs=options.epochs, verbose=0)
    return errors_of(student, data)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("stages", nargs="+", choices=["teacher", "plain", "distilled"])
    parser.add_argument("--folder", required=True, help="where the teacher and its outputs are kept")
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2])
    parser.add_argument("--teacher-seed", type=int, default=100)
    parser.add_argument("--teacher-epochs", type=int, default=50)
    parser.add_argument("--teacher-dropout", type=float, default=0.25)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--temperature", type=float, default=20.0)
    parser.add_argument("--label-weight", type=float, default=0.1)
    parser.add_argument("--feature-weight", type=float, default=0.0)
    options = parser.parse_args()
    (x, y), (x_test, y_test) = real_data.load("mnist")
    data = [
        (part.reshape(-1, 784).astype("float32") / 255, np.asarray(labels, "int32"))
        for part, labels in ((x, y), (x_test, y_test))
    ]
    for stage in options.stages:
        for seed in [options.teacher_seed] if stage == "teacher" else options.seeds:
            began = time.time()
            if stage == "teacher":
                errors = train_teacher(data, options)
            else:
                errors = train_student(stage, seed, data, options)
            row = {"network": stage, "seed": seed, "errors": errors, "seconds": round(time.time() - began)}
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
