r"""A network for MNIST in a few kilobytes: searched by short trainings, then trained long with its rounding.

    KERAS_SHRINK_DATA=... python benchmarks/search_mnist.py teacher --folder OUT
    KERAS_SHRINK_DATA=... python benchmarks/search_mnist.py search --weights 3400 --folder OUT
    KERAS_SHRINK_DATA=... python benchmarks/search_mnist.py train --weights 3400 --bits 8 --folder OUT
    KERAS_SHRINK_DATA=... python benchmarks/search_mnist.py measure --folder OUT

The teacher is an ordinary convolutional network; what it answers to the digits (each turned, moved and scaled
a little, several times over) is kept in the folder with them. The search and all training behind it hold the
last 5,000 training digits back, and choose by them. The candidate that the search prefers learns from the
teacher's logits, in floats first and then with 8-bit or 4-bit weights. Half of an epoch
are moved digits, half are digits as they are, for which the teacher's answers to their moved forms are
averaged. What is measured is the standalone C on all 10,000 test digits: constants and RAM as linked for a
Cortex-M4. A stage that is cut off (or stopped by `--minutes`) goes on when its command is given again.
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
    """Returns all training digits, moved at random: bytes of shape `(copies, 60000, 28, 28, 1)`; kept."""
    (x, _), _ = digits()
    path = Path(folder) / f"moved_{copies}.npy"
    if not path.exists():
        parts = [moved(x, np.random.default_rng(seed)) for seed in range(copies)]
        np.save(path, np.concatenate([np.round(255 * part).astype("uint8") for part in parts]))
    return np.load(path, mmap_mode="r").reshape(copies, *x.shape)


class Epochs(keras.utils.PyDataset):
    """Each digit once an epoch: as it is, or moved in one of the ways.

    Args:
        moved: Moved digits, as `moved_digits` returns them.
        targets: What to learn: for the digits as they are, and for each of the ways.
        count: How many of the digits.
        plain: The share of digits that are shown as they are.
        seed: Of the order and the ways.
    """

    def __init__(self, moved, targets, *, count, plain=0.5, seed=0, batch_size=128):
        super().__init__()
        self.x, self.moved, self.targets = digits()[0][0], moved, targets
        self.count, self.plain, self.batch_size = count, plain, batch_size
        self.random = np.random.default_rng(seed)
        self.on_epoch_end()

    def __len__(self):
        return self.count // self.batch_size

    def on_epoch_end(self):
        """Draws another order and other ways."""
        self.digit = self.random.permutation(self.count)
        self.way = self.random.integers(0, len(self.moved), self.count)
        self.is_plain = self.random.random(self.count) < self.plain

    def __getitem__(self, index):
        batch = slice(index * self.batch_size, (index + 1) * self.batch_size)
        digit, way, is_plain = self.digit[batch], self.way[batch], self.is_plain[batch]
        x = self.moved[way, digit].astype("float32") / 255
        y = np.array(self.targets[1][way, digit])
        x[is_plain], y[is_plain] = self.x[digit[is_plain]], self.targets[0][digit[is_plain]]
        return x, y


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
    (_, y), test = digits()
    x = moved_digits(given.folder, given.copies)
    teacher = wide_network()
    data = Epochs(x, (y, np.tile(y, (len(x), 1))), count=len(y), plain=0)
    fit(teacher, data, given, "teacher", loss=LABELS, rate=2e-3, epochs=given.teacher_epochs)
    x = x.reshape(-1, *x.shape[2:])
    logits = [
        teacher.predict_on_batch(x[start : start + 1000].astype("float32") / 255)
        for start in range(0, len(x), 1000)
    ]
    np.save(Path(given.folder) / "logits.npy", np.concatenate(logits).astype("float16"))
    return {"accuracy": 100 * scoring.keras_score(teacher, test)}


def space(choices):
    """Returns a small convolutional network with logits at the end; pooling or a stride halves its side.

    The search starts at `first`, as one would draw such a network by hand.
    """
    sketch = search.Sketch((28, 28, 1))

    def block(x, number):
        filters = choices.int(f"filters_{number}", *((4, 10) if number == 1 else (6, 20)), step=2)
        halved = choices.categorical(f"halved_{number}", ("pool", "stride", "no"))
        separable = number > 1 and choices.categorical(f"separable_{number}", (False, True))
        stride = 2 if halved == "stride" else 1
        if separable:
            x = sketch.conv(sketch.depthwise(x, 3, stride=stride), filters, 1)
        else:
            x = sketch.conv(x, filters, 3, stride=stride)
        return sketch.max_pool(x) if halved == "pool" else x

    x = sketch.repeat(choices.int("blocks", 3, 5), block, sketch.input)
    sketch.dense(sketch.average(x), 10)
    return sketch


space.first = {"blocks": 4, "filters_1": 6, "halved_1": "pool"} | {
    f"{name}_{number}": value
    for number, filters, halved in ((2, 10, "pool"), (3, 12, "pool"), (4, 12, "no"))
    for name, value in (("filters", filters), ("halved", halved), ("separable", False))
}


def following(model):
    """Returns the model; its normalization follows the last few steps, as short trainings need."""
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.9
    return model


class Trainer(search.Trainer):
    """A trainer whose candidates do not fail for statistics from before their last steps."""

    def __call__(self, model, train, validation, report):
        """Returns the accuracy of the calibrated int8 model on `validation`."""
        return super().__call__(following(model), train, validation, report)


def find(given):
    """Searches, and prints the Pareto front."""
    (x, y), _ = digits()
    moved = moved_digits(given.folder, given.copies)
    data = Epochs(moved, (y, np.tile(y, (len(moved), 1))), count=len(y) - HELD_BACK)
    batches = [data[i] for i in range(given.digits // data.batch_size)]
    trainer = Trainer(epochs=given.search_epochs, batch_size=128, learning_rate=1e-2, loss=LABELS)
    found = ks.search_architecture(
        space,
        tuple(np.concatenate(part) for part in zip(*batches, strict=True)),
        (x[-HELD_BACK:], y[-HELD_BACK:]),
        folder=Path(given.folder) / f"search_{given.weights}",
        limits=search.Limits(weights=given.weights, ram="8 KB", macs=given.macs),
        strategy=search.RegularizedEvolution(population=8, tournament=4, seed=0),
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
    (x, y), test = digits()
    moved = moved_digits(folder, given.copies)
    logits = np.load(folder / "logits.npy").reshape(*moved.shape[:2], 10)
    data = Epochs(moved, (logits.mean(axis=0), logits), count=len(y) - HELD_BACK, seed=given.seed)
    held_back = x[-HELD_BACK:], y[-HELD_BACK:]
    trained = folder / f"float_{given.weights}_{given.seed}.keras"
    if trained.exists():
        model = keras.saving.load_model(trained, compile=False)
    else:
        model = following(search.build(space(Chosen(json.loads(choices_path(given).read_text())))))
        name = f"float_{given.weights}_{given.seed}"
        fit(model, data, given, name, loss=distilled, rate=1e-2, epochs=given.float_epochs)
        model.save(trained)
    qat = ks.quantize(model, ks.Int8(weight_bits=given.bits))
    name = f"int{given.bits}_{given.weights}_{given.seed}"
    fit(qat, data, given, name, loss=distilled, rate=3e-3, epochs=given.epochs)
    path = folder / f"{name}.tflite"
    te.convert(qat).save(path)
    return {
        "float, held back": 100 * scoring.keras_score(model, held_back),
        "held back": 100 * scoring.device_score(path, held_back),
        "float": 100 * scoring.keras_score(model, test),
    } | measured(path)


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
    parser.add_argument("--weights", default="3400", help="int8 weights and int32 biases, in bytes")
    parser.add_argument("--macs", default="350k")
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--digits", type=int, default=20_000, help="that candidates are trained on")
    parser.add_argument("--search-epochs", type=int, default=3)
    parser.add_argument("--bits", type=int, default=8, choices=(8, 4))
    parser.add_argument("--float-epochs", type=int, default=25)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=1e6)
    given = parser.parse_args()
    Path(given.folder).mkdir(parents=True, exist_ok=True)
    began = time.time()
    row = STAGES[given.stage](given)
    print(json.dumps({"stage": given.stage, **row, "seconds": round(time.time() - began)}), flush=True)


if __name__ == "__main__":
    main()
