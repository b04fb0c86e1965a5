"""Accuracy of ResNet8 on CIFAR-10 with half of its multiply-accumulates cut out, as an int8 model.

    KERAS_SHRINK_DATA=... KERAS_SHRINK_MODELS=... python benchmarks/channels_resnet8.py

`mlperf_resnet8.h5` loses channels by `prune_channels(macs=0.5)`, judged by `channels.Taylor` on 2,048
training pictures; what is left is trained on the training pictures, flipped and shifted, with their labels
and with the answers of the whole model to the picture and to its mirror image. Both are converted to int8 and
scored on the 10,000 test pictures with TFLM's arithmetic. A run begins no further epoch
after `--minutes`; the next goes on where it stopped, from the files in `--folder`.
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
from shuffled import Shuffled, flip_some, shifted

import keras_shrink as ks
import tflite_export as te

TEMPERATURE = 4.0
HARD = 0.3  # weight of the labels


@keras.saving.register_keras_serializable("benchmark")
def taught(target, predicted):
    """Cross-entropy with labels and, softened, with the teacher's answers: `target` holds both."""
    labels, answers = target[:, :10], target[:, 10:]
    logits = tf.math.log(predicted + 1e-7)
    soft = tf.nn.softmax_cross_entropy_with_logits(answers, logits / TEMPERATURE)
    hard = tf.nn.softmax_cross_entropy_with_logits(labels, logits)
    return HARD * hard + (1 - HARD) * TEMPERATURE**2 * soft


def answers_of_the_whole(x, folder):
    """Returns the softened answers to the pictures and to their mirror images, kept in a file."""
    file = Path(folder, "answers.npy")
    if not file.exists():
        teacher = keras.saving.load_model(real_data.model_path("mlperf_resnet8.h5"), compile=False)
        views = [
            teacher.predict(view.astype("float32"), batch_size=250, verbose=0) for view in (x, x[:, :, ::-1])
        ]
        logits = np.log(np.stack(views) + 1e-7) / TEMPERATURE
        softened = np.exp(logits - logits.max(axis=-1, keepdims=True))
        np.save(file, (softened / softened.sum(axis=-1, keepdims=True)).astype("float32"))
    return np.load(file)


class Lessons(Shuffled):
    """Pictures flipped at random and shifted by up to four pixels, with labels and the teacher's answers."""

    def __init__(self, answers, x, y, batch_size, seed):
        padded = np.pad(x, ((0, 0), (4, 4), (4, 4), (0, 0)))
        super().__init__(
            shifted(padded, (32, 32)), np.eye(10, dtype="float32")[np.ravel(y)], batch_size, seed
        )
        self.answers = answers

    def batch(self, rows):
        """Pictures as float32; labels and, behind them, the answers to the pictures as flipped."""
        top, left = self.random.integers(0, 9, (2, len(rows)))
        pictures = np.moveaxis(self.x[rows, top, left], 1, -1).astype("float32")
        flip = flip_some(pictures, self.random)
        return pictures, np.concatenate([self.y[rows], self.answers[flip.astype(int), rows]], axis=1)


def int8_accuracy(model, x, x_test, y_test):
    """Returns the accuracy on all test pictures in int8, and the converted model."""
    tflite = te.convert(model, x[:500].astype("float32"))
    return on_tflm.accuracy(te.read(tflite), x_test, np.ravel(y_test)), tflite


def cut(x, y):
    """Returns the pruned model, not trained yet, and prints what went."""
    model = keras.saving.load_model(real_data.model_path("mlperf_resnet8.h5"), compile=False)
    score = ks.channels.Taylor(x[:2048].astype("float32"), np.ravel(y)[:2048].astype("int32"),
                               loss="sparse_categorical_crossentropy")  # fmt: skip
    plan = ks.channels.plan(model, macs=0.5, score=score)
    print(plan, flush=True)
    return plan.apply()


def train(options, x, y):
    """Trains for about `--minutes` at most; returns whether all epochs are done."""
    start = time.time()
    file, log = Path(options.folder, "pruned.keras"), Path(options.folder, "log.jsonl")
    done = len(log.read_text().splitlines()) if log.exists() else 0
    lessons = Lessons(answers_of_the_whole(x, options.folder), x, y, options.batch_size, options.seed + done)
    if done:
        model = keras.saving.load_model(file)
    else:
        keras.utils.set_random_seed(options.seed)
        model = cut(x, y)
        rate = keras.optimizers.schedules.CosineDecay(
            0.0, options.epochs * len(lessons), warmup_target=options.learning_rate, warmup_steps=200
        )
        model.compile(keras.optimizers.Adam(rate), taught, jit_compile=False)
    while done < options.epochs and time.time() - start < 60 * options.minutes:
        began = time.time()
        history = model.fit(lessons, epochs=1, verbose=0).history
        model.save(file)
        done += 1
        row = {"epoch": done, "loss": round(history["loss"][-1], 4), "seconds": round(time.time() - began)}
        with log.open("a") as stream:
            stream.write(json.dumps(row) + "\n")
        print(row, flush=True)
    return done >= options.epochs


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--minutes", type=float, default=1e9)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", default="channels_resnet8")
    options = parser.parse_args()
    Path(options.folder).mkdir(parents=True, exist_ok=True)
    (x, y), (x_test, y_test) = real_data.load("cifar10")
    if not train(options, x, y):
        print("not finished: run again")
        return
    whole = keras.saving.load_model(real_data.model_path("mlperf_resnet8.h5"), compile=False)
    pruned = keras.saving.load_model(Path(options.folder, "pruned.keras"), compile=False)
    for name, model in (("whole", whole), ("half the MACs", pruned)):
        predicted = model.predict(x_test.astype("float32"), batch_size=500, verbose=0).argmax(axis=1)
        accuracy, tflite = int8_accuracy(model, x, x_test, y_test)
        facts = te.summary(tflite)
        print(
            f"{name}: float {np.mean(predicted == np.ravel(y_test)):.2%}, int8 {accuracy:.2%}, "
            f"{facts.macs:,} MACs, {model.count_params():,} parameters, {facts.file_bytes:,} bytes, "
            f"arena {facts.arena.required_bytes:,}"
        )


if __name__ == "__main__":
    main()
