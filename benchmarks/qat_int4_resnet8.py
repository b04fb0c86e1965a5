"""Accuracy of ResNet8 on CIFAR-10 with weights of 4 bits: calibrated, with learned rounding, trained.

    KERAS_SHRINK_DATA=... KERAS_SHRINK_MODELS=... python benchmarks/qat_int4_resnet8.py calibrate
    KERAS_SHRINK_DATA=... KERAS_SHRINK_MODELS=... python benchmarks/qat_int4_resnet8.py train --seed 0

Every weight of the file has 4 bits, those of the first and the last layer too. Training starts from the
calibrated model; its targets are the labels and what the float model says of the same picture, half each. It
may be cut into pieces: with `--piece 400` every call trains 400 steps and goes on where the last one
stopped. The accuracy is that of the file on all 10,000 test pictures, in TFLM's arithmetic: its standalone C
computes them, after it was found equal to TFLM on the first 100.
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
from shuffled import Augmented

import keras_shrink as ks
import tflite_export as te

CONFIG = ks.Int8(weight_bits=4)


class Pictures(Augmented):
    """CIFAR pictures flipped at random and shifted, with half labels and half the word of a teacher."""

    def __init__(self, x, y, teacher, batch_size, seed):
        super().__init__(x, np.eye(10, dtype="float32")[y], batch_size, seed)
        self.teacher = teacher

    def batch(self, rows):
        """Pictures as float32, and the probabilities of their classes."""
        pictures, labels = super().batch(rows)
        return pictures, 0.5 * labels + 0.5 * self.teacher(pictures).numpy()


def measured(model, x, y):
    """Returns the accuracy of a model's file in TFLM's arithmetic, and the bytes of its weights."""
    graph = te.convert(model).graph
    main = graph.main
    linear = [op for op in main.ops if op.code in ("CONV_2D", "FULLY_CONNECTED")]
    widths = sorted({main.tensors[op.inputs[1]].dtype for op in linear})
    size = sum(main.tensors[op.inputs[1]].buffer_bytes for op in linear)
    return on_tflm.accuracy(graph, x, y), widths, size


def float_model():
    """Returns the trained float network."""
    return keras.saving.load_model(real_data.model_path("mlperf_resnet8.h5"), compile=False)


def calibrate(data, steps):
    """Prints the accuracies that need no training."""
    (x, _), test = data
    x = x[np.random.default_rng(0).permutation(len(x))[:1024]].astype("float32")
    model = float_model()
    learned = ks.learn_rounding(model, x, CONFIG, steps=steps)
    cases = {
        "calibrated": lambda: ks.calibrate(model, x, CONFIG),
        "learned rounding": lambda: ks.calibrate(learned, x, CONFIG),
        "and bias correction": lambda: ks.calibrate(ks.correct_bias(learned, x, CONFIG), x, CONFIG),
        "calibrated, 8 bits first and last": lambda: ks.calibrate(
            model, x, CONFIG, overrides={ks.select.first_and_last(model): ks.Int8()}
        ),
    }
    for name, make in cases.items():
        accuracy, widths, size = measured(make(), *test)
        row = {"case": name, "accuracy": accuracy, "widths": widths, "weight_bytes": size}
        print(json.dumps(row), flush=True)


def train(data, options):
    """Trains one piece; after the last, prints the accuracy."""
    began = time.time()
    (x, y), test = data
    folder = Path(options.folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"int4_{options.seed}.keras"
    keras.utils.set_random_seed(options.seed)
    teacher = float_model()
    if path.exists():
        model = keras.saving.load_model(path)
    else:
        model = ks.calibrate(teacher, x[:512].astype("float32"), CONFIG)
        rate = keras.optimizers.schedules.CosineDecay(options.learning_rate, options.steps)
        model.compile(
            keras.optimizers.Adam(rate),
            "categorical_crossentropy",
            metrics=["accuracy"],
            jit_compile=False,
        )
    done = int(model.optimizer.iterations.numpy())
    piece = min(options.piece or options.steps, options.steps - done)
    batches = Pictures(x, y, teacher, options.batch_size, seed=(options.seed, done))
    each = len(batches) if piece > len(batches) else piece
    history = model.fit(batches, steps_per_epoch=each, epochs=-(-piece // each), verbose=0).history
    model.save(path)
    row = {"seed": options.seed, "steps": done + piece, "loss": history["loss"][-1]}
    if done + piece >= options.steps:
        accuracy, widths, size = measured(model, *test)
        row |= {"accuracy": accuracy, "widths": widths, "weight_bytes": size}
    print(json.dumps(row | {"seconds": round(time.time() - began)}), flush=True)


def main():
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["calibrate", "train"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=2343, help="In all; 781 are an epoch.")
    parser.add_argument("--piece", type=int, default=0, help="Steps of this call; all by default.")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--rounding-steps", type=int, default=500)
    parser.add_argument("--folder", default="int4_resnet8")
    options = parser.parse_args()
    data = real_data.load("cifar10")
    if options.what == "calibrate":
        calibrate(data, options.rounding_steps)
    else:
        train(data, options)


if __name__ == "__main__":
    main()
