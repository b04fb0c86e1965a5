"""Accuracy of ResNet8 on CIFAR-10 with half of its multiply-accumulates cut out, as an int8 model.

    KERAS_SHRINK_DATA=... KERAS_SHRINK_MODELS=... python benchmarks/channels_resnet8.py

`mlperf_resnet8.h5` loses channels by `prune_channels`; what is left is trained in float and then with int8
arithmetic. Its targets are the labels and, softened, the answers of the whole network to the very picture
that it sees: one of nine shifts by up to three pixels, mirrored or not, whose answers are computed once and
kept. By default only channels inside the residual blocks go, chosen by `channels.l2`: three quarters in the
first block, half in the second and a quarter in the third (`--cut graded`), so that most parameters stay;
the other choices of `--cut` left less accuracy after one to three epochs of training. What is then above
half of the multiply-accumulates goes from the third block, with some more training. The files are scored on
the 10,000 test pictures in TFLM's arithmetic. A run begins no further epoch after `--minutes`; the next goes
on where it stopped, from the files in `--folder`.
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
import tensorflow as tf
from fused import fused, plain
from shuffled import Views

import keras_shrink as ks
import tflite_export as te
from keras_shrink.rebuild import rebuild

TEMPERATURE = 4.0
HARD = 0.3  # weight of the labels
GRADED = {"conv2d_1": 0.75, "conv2d_3": 0.5, "conv2d_6": 0.25}  # the first layer of each block: what goes
INSIDE = ks.select.by_name(*GRADED)
CALIBRATION = 500


@keras.saving.register_keras_serializable("benchmark")
def taught(target, predicted):
    """Cross-entropy with labels and, softened, with the teacher's answers: `target` holds both."""
    labels, answers = target[:, :10], target[:, 10:]
    soft = tf.nn.softmax_cross_entropy_with_logits(answers, predicted / TEMPERATURE)
    hard = tf.nn.softmax_cross_entropy_with_logits(labels, predicted)
    return HARD * hard + (1 - HARD) * TEMPERATURE**2 * soft


class Lessons(Views):
    """Pictures shifted and mirrored at random, with labels and the softened answers of the whole network.

    Args:
        x: Pictures, uint8.
        y: Their classes.
        whole: The network that answers.
        folder: Where its answers are kept.
        batch_size: Pictures of a batch.
        seed: For every draw.
    """

    def __init__(self, x, y, whole, folder, batch_size, seed):
        labels = np.eye(10, dtype="float32")[y]
        super().__init__(x, labels, batch_size, seed, margin="constant")  # as in RESULTS.md
        file = Path(folder, "views.npy")
        if not file.exists():
            np.save(file, np.stack([softened(whole, pictures) for _, pictures in self.all_seen()]))
        self.answers = np.load(file)

    def shown(self, pictures, rows, drawn):
        """Pictures; labels and, behind them, the answers to the pictures as seen."""
        answers = self.answers[drawn, rows].astype("float32")
        return pictures, np.concatenate([self.y[rows], answers], axis=1)


def softened(whole, pictures):
    """Returns the network's answers at the temperature, float16 `(pictures, 10)`."""
    logits = np.log(whole.predict(pictures, batch_size=250, verbose=0) + 1e-7) / TEMPERATURE
    result = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return (result / result.sum(axis=-1, keepdims=True)).astype("float16")


def without_softmax(model):
    """Returns a copy that gives logits: of a softmax rounded to 256 steps a logarithm has no gradient."""

    def linear(copy, original):
        if getattr(original, "activation", None) is keras.activations.softmax:
            copy.activation = keras.activations.linear
        return copy

    return rebuild(model, linear)


def cut(whole, kind, x, y):
    """Returns the pruned model, not trained yet, and prints what went."""
    if kind == "graded":
        result = whole
        for name, share in GRADED.items():
            result = ks.prune_channels(result, share, layers=ks.select.by_name(name))
        for name in GRADED:
            print(f"{name}: {whole.get_layer(name).filters} -> {result.get_layer(name).filters} filters")
    else:
        settings = {"inside": {"layers": INSIDE}, "l2": {}, "taylor": {}}[kind]
        if kind == "taylor":
            sample = x[:2048].astype("float32"), y[:2048].astype("int32")
            settings["score"] = ks.channels.Taylor(*sample, loss="sparse_categorical_crossentropy")
        plan = ks.channels.plan(whole, macs=0.5, **settings)
        print(plan, flush=True)
        result = plan.apply()
    return fused(without_softmax(result))


def halved(trained, whole):
    """Returns a network of at most half of the whole one's multiply-accumulates."""
    allowed = ks.channels.plan(whole, macs=0.5).macs[0] // 2
    plan = ks.channels.plan(trained, macs=allowed, layers=ks.select.by_name("conv2d_6"), multiple=2)
    print(plan, flush=True)
    return fused(plan.apply())


def train(start, stem, phase, options, lessons_of):
    """Trains until all epochs of a phase are done or the time is up; returns the model or None."""
    epochs, rate, warmup = phase
    file, log = Path(options.folder, f"{stem}.keras"), Path(options.folder, f"{stem}.jsonl")
    done = len(log.read_text().splitlines()) if log.exists() else 0
    lessons = lessons_of(done)
    if done:
        model = ks.load_model(file)
    else:
        model = start()
        rising = {"warmup_target": rate, "warmup_steps": warmup} if warmup else {}
        schedule = keras.optimizers.schedules.CosineDecay(
            0.0 if warmup else rate, epochs * len(lessons), **rising
        )
        model.compile(keras.optimizers.Adam(schedule), taught, jit_compile=False)
    while done < epochs:
        if time.time() > options.end:
            print("not finished: run again")
            return None
        began = time.time()
        history = model.fit(lessons, epochs=1, verbose=0).history
        model.save(file)
        done += 1
        row = {"epoch": done, "loss": round(history["loss"][-1], 4), "seconds": round(time.time() - began)}
        with log.open("a") as stream:
            stream.write(json.dumps(row) + "\n")
        print(stem, row, flush=True)
    return model


def report(name, model, x_test, y_test, representative=None):
    """Prints the row of one network."""
    tflite = te.convert(model, representative)
    facts = te.summary(tflite)
    accuracy = on_tflm.accuracy(tflite.graph, x_test.astype("float32"), y_test)
    print(
        f"{name}: int8 {accuracy:.2%}, {facts.macs:,} MACs, {facts.file_bytes:,} bytes, "
        f"arena {facts.arena.required_bytes:,}",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cut", choices=["graded", "inside", "l2", "taylor"], default="graded")
    parser.add_argument(
        "--epochs",
        type=int,
        nargs=3,
        default=(80, 6, 4),
        help="In float, after the second cut, with int8 arithmetic.",
    )
    parser.add_argument("--rates", type=float, nargs=3, default=(2e-3, 1e-3, 3e-4))
    parser.add_argument("--minutes", type=float, default=1e9)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", default="channels_resnet8")
    options = parser.parse_args()
    options.end = time.time() + 60 * options.minutes
    Path(options.folder).mkdir(parents=True, exist_ok=True)
    (x, y), (x_test, y_test) = real_data.load("cifar10")
    y, y_test = np.ravel(y), np.ravel(y_test)
    whole = keras.saving.load_model(real_data.model_path("mlperf_resnet8.h5"), compile=False)
    keras.utils.set_random_seed(options.seed)
    chosen = np.random.default_rng(0).permutation(len(x))[:CALIBRATION]
    representative = x[chosen].astype("float32")

    def lessons_of(done):
        return Lessons(x, y, whole, options.folder, options.batch_size, options.seed + done)

    phases = zip(
        options.epochs, options.rates, (400, 0, 0), strict=True
    )  # the last: steps in which the rate rises
    first = train(lambda: cut(whole, options.cut, x, y), "float", next(phases), options, lessons_of)
    floats = first and train(lambda: halved(plain(first), whole), "halved", next(phases), options, lessons_of)
    floats = floats and plain(floats)
    integers = floats and train(
        lambda: ks.calibrate(floats, representative), "int8", next(phases), options, lessons_of
    )
    if integers:
        report("whole, calibrated", whole, x_test, y_test, representative)
        report("half the MACs, calibrated", floats, x_test, y_test, representative)
        report("half the MACs, trained", integers, x_test, y_test)


if __name__ == "__main__":
    main()
