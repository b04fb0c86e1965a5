r"""A network for MNIST in a few kilobytes: searched by short trainings, then trained long with its rounding.

    KERAS_SHRINK_DATA=... python benchmarks/search_mnist.py teacher --folder OUT
    KERAS_SHRINK_DATA=... python benchmarks/search_mnist.py search --weights 2900 --folder OUT
    KERAS_SHRINK_DATA=... python benchmarks/search_mnist.py train --weights 2900 --bits 8 --folder OUT
    KERAS_SHRINK_DATA=... python benchmarks/search_mnist.py measure --folder OUT

The teacher is an ordinary convolutional network; it and the digits that it answers to (each turned, moved and
scaled a little, several times over) are kept in the folder. The search holds the last 5,000 training digits
back. The candidate that it prefers learns from the teacher's logits, in floats first and then with 8-bit or
4-bit weights. What is measured is the standalone C on all 10,000 test digits: constants and RAM as linked for
a Cortex-M4. A stage that is cut off (or stopped by `--minutes`) goes on when its command is given again.
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
from stopping import StopAfter

import keras_shrink as ks
import tflite_export as te
from keras_shrink import scoring, search
from keras_shrink.search.choices import Chosen

HELD_BACK = 5000
LABELS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def digits():
    """Returns the pairs for training and test, pixels in [0, 1]."""
    (x, y), (x_test, y_test) = real_data.load("mnist")
    return [
        (part[..., None].astype("float32") / 255, np.asarray(labels, "int32"))
        for part, labels in ((x, y), (x_test, y_test))
    ]


def moved(x, generator, degrees=12, pixels=2.0, scale=0.12):
    """Returns the pictures, each turned, moved and scaled by its own amount."""
    count, center = len(x), (x.shape[1] - 1) / 2
    angle = np.radians(generator.uniform(-degrees, degrees, count))
    size = 1 + generator.uniform(-scale, scale, count)
    cosine, sine = np.cos(angle) / size, np.sin(angle) / size
    right, down = generator.uniform(-pixels, pixels, (2, count))
    rows = [
        cosine, -sine, center * (1 - cosine + sine) + right,
        sine, cosine, center * (1 - sine - cosine) + down,
        np.zeros(count), np.zeros(count),
    ]  # fmt: skip
    transforms = np.stack(rows, axis=1).astype("float32")
    return np.asarray(keras.ops.image.affine_transform(x, transforms, interpolation="bilinear"))


def moved_digits(folder, copies):
    """Returns training digits moved at random as bytes, and their labels; made once and kept."""
    (x, y), _ = digits()
    path = Path(folder) / f"moved_{copies}.npy"
    if not path.exists():
        parts = [moved(x, np.random.default_rng(seed)) for seed in range(copies)]
        np.save(path, np.concatenate([np.round(255 * part).astype("uint8") for part in parts]))
    return np.load(path, mmap_mode="r"), np.tile(y, copies)


class Some(keras.utils.PyDataset):
    """An epoch of as many moved digits as there are digits, drawn from all of them."""

    def __init__(self, x, y, batch_size=256, epoch_size=60_000, seed=0):
        super().__init__()
        self.x, self.y, self.batch_size, self.epoch_size = x, y, batch_size, epoch_size
        self.random = np.random.default_rng(seed)
        self.on_epoch_end()

    def __len__(self):
        return self.epoch_size // self.batch_size

    def on_epoch_end(self):
        """Draws other digits."""
        self.rows = self.random.integers(0, len(self.x), self.epoch_size)

    def __getitem__(self, index):
        rows = np.sort(self.rows[index * self.batch_size :][: self.batch_size])
        return self.x[rows].astype("float32") / 255, self.y[rows]


def fit(model, data, given, name, *, loss, rate, epochs):
    """Trains with a cosine rate; goes on from the backup of that name."""
    schedule = keras.optimizers.schedules.CosineDecay(rate, len(data) * epochs, alpha=0.01)
    model.compile(keras.optimizers.Adam(schedule), loss, steps_per_execution=13, jit_compile=False)
    resumed = keras.callbacks.BackupAndRestore(Path(given.folder) / f"backup_{name}")
    model.fit(data, epochs=epochs, verbose=0, callbacks=[resumed, StopAfter(given.minutes)])


def wide_network():
    """Returns the teacher, untrained."""
    model = keras.Sequential([keras.Input((28, 28, 1))])
    for filters, strides in ((24, 1), (32, 2), (48, 1), (64, 2), (96, 1)):
        model.add(layers.Conv2D(filters, 3, strides=strides, padding="same", use_bias=False))
        model.add(layers.BatchNormalization())
        model.add(layers.ReLU())
    for layer in (layers.GlobalAveragePooling2D(), layers.Dropout(0.2), layers.Dense(10)):
        model.add(layer)
    return model


def teach(given):
    """Trains the teacher and keeps its logits for all moved digits."""
    keras.utils.set_random_seed(100)
    x, y = moved_digits(given.folder, given.copies)
    teacher = wide_network()
    fit(teacher, Some(x, y), given, "teacher", loss=LABELS, rate=2e-3, epochs=given.teacher_epochs)
    _, test = digits()
    logits = [
        teacher.predict_on_batch(x[start : start + 1000].astype("float32") / 255)
        for start in range(0, len(x), 1000)
    ]
    np.save(Path(given.folder) / "logits.npy", np.concatenate(logits).astype("float16"))
    return {"accuracy": 100 * scoring.keras_score(teacher, test)}


def space(choices):
    """Returns a small convolutional network with logits at the end."""
    sketch = search.Sketch((28, 28, 1))
    x = sketch.conv(
        sketch.input,
        choices.int("stem_filters", 4, 8),
        choices.categorical("stem_kernel", (3, 5)),
        stride=choices.categorical("stem_stride", (1, 2)),
    )

    def block(x, number):
        filters = choices.int(f"filters_{number}", 4, 16, step=2)
        return sketch.conv(x, filters, 3, stride=choices.categorical(f"stride_{number}", (1, 2)))

    x = sketch.repeat(choices.int("blocks", 2, 4), block, x)
    sketch.dense(sketch.average(x), 10)
    return sketch


def find(given):
    """Searches, and prints the Pareto front."""
    (x, y), _ = digits()
    trainer = search.Trainer(epochs=given.search_epochs, batch_size=128, learning_rate=1e-2, loss=LABELS)
    found = ks.search_architecture(
        space,
        (x[: given.digits], y[: given.digits]),
        (x[-HELD_BACK:], y[-HELD_BACK:]),
        folder=Path(given.folder) / f"search_{given.weights}",
        limits=search.Limits(weights=given.weights, ram="8 KB", macs=given.macs),
        strategy=search.RegularizedEvolution(population=6, tournament=4, inherit_weights=True, seed=0),
        trials=given.trials,
        trainer=trainer,
    )
    print(found)
    choices_path(given).write_text(json.dumps(found.best.choices))
    return {"accuracy": 100 * found.best.accuracy, **found.best.choices}


@keras.saving.register_keras_serializable("search_mnist")
def distilled(taught, logits, temperature=2.0):
    """Returns the loss of logits against the teacher's."""
    soft = keras.ops.softmax(keras.ops.cast(taught, "float32") / temperature)
    return temperature * keras.losses.categorical_crossentropy(soft, logits / temperature, from_logits=True)


def choices_path(given):
    """Returns where the search leaves the choices of its best candidate."""
    return Path(given.folder) / f"choices_{given.weights}.json"


def train(given):
    """Trains the chosen network in floats, then with its rounding, and keeps the file."""
    folder = Path(given.folder)
    keras.utils.set_random_seed(given.seed)
    x, _ = moved_digits(folder, given.copies)
    data = Some(x, np.load(folder / "logits.npy", mmap_mode="r"), seed=given.seed)
    trained = folder / f"float_{given.weights}_{given.seed}.keras"
    if trained.exists():
        model = keras.saving.load_model(trained, compile=False)
    else:
        model = search.build(space(Chosen(json.loads(choices_path(given).read_text()))))
        name = f"float_{given.weights}_{given.seed}"
        fit(model, data, given, name, loss=distilled, rate=1e-2, epochs=given.float_epochs)
        model.save(trained)
    qat = ks.quantize(model, ks.Int8(weight_bits=given.bits))
    name = f"int{given.bits}_{given.weights}_{given.seed}"
    fit(qat, data, given, name, loss=distilled, rate=3e-3, epochs=given.epochs)
    te.convert(qat).save(folder / f"{name}.tflite")
    return {"float accuracy": 100 * scoring.keras_score(model, digits()[1])} | measured(
        folder / f"{name}.tflite"
    )


def measured(path):
    """Returns what a file needs on a Cortex-M4, and its accuracy there on the test digits."""
    profile = te.emulate(path)
    return {
        "accuracy": 100 * scoring.device_score(path, digits()[1]),
        "constant_bytes": profile.constant_bytes,
        "code_bytes": profile.code_bytes,
        "ram_bytes": profile.ram_bytes,
        "stack_bytes": profile.stack_bytes,
        "instructions": profile.instructions,
        "equals TFLM": profile.matches,
    }


def measure(given):
    """Measures every file of the folder again."""
    return {path.stem: measured(path) for path in sorted(Path(given.folder).glob("int*.tflite"))}


STAGES = {"teacher": teach, "search": find, "train": train, "measure": measure}


def main():
    """Runs a stage."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("stage", choices=STAGES)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--copies", type=int, default=8, help="how often each digit is moved")
    parser.add_argument("--teacher-epochs", type=int, default=8)
    parser.add_argument("--weights", default="2900", help="int8 weights and int32 biases, in bytes")
    parser.add_argument("--macs", default="250k")
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--digits", type=int, default=20_000, help="that candidates are trained on")
    parser.add_argument("--search-epochs", type=int, default=2)
    parser.add_argument("--bits", type=int, default=8, choices=(8, 4))
    parser.add_argument("--float-epochs", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=1e6)
    given = parser.parse_args()
    Path(given.folder).mkdir(parents=True, exist_ok=True)
    began = time.time()
    row = STAGES[given.stage](given)
    print(json.dumps({"stage": given.stage, **row, "seconds": round(time.time() - began)}), flush=True)


if __name__ == "__main__":
    main()
