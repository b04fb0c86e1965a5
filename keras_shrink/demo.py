"""The whole way on real data: train, prune, quantize, convert, verify, and report."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import rich.box
import tensorflow as tf
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

import tflite_export as te
from keras_shrink import page, schedules
from keras_shrink.pruning.gradual import GradualPruning
from keras_shrink.quantization.quantize import calibrate, quantize
from keras_shrink.rebuild import rebuild
from keras_shrink.verify_command import difference_table
from tflite_export import affine, tflm
from tflite_export.folder import write_files
from tflite_export.verify import verify

BATCH = 32
TRAIN_EPOCHS, PRUNE_EPOCHS, QUANTIZE_EPOCHS = 25, 20, 10
SPARSITY = 0.75
HELD_OUT = 360
HEADINGS = ("model", "accuracy", "zeros", ".tflite", "gzip", "arena", "ratio", "gzip ratio")


@dataclass(frozen=True)
class Digits:
    """Scikit-learn's handwritten digits, 8 x 8 pixels in [0, 1], split by seed."""

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray


@dataclass(frozen=True)
class Stage:
    """One form of the network, measured as the file that would be flashed.

    Attributes:
        name: What was done to it.
        tflite: Its file.
        accuracy: On the held-out digits, computed by TFLM from that file.
        sparsity: Fraction of zeros among the file's weights.
        arena_bytes: The smallest arena with which TFLM runs it.
    """

    name: str
    tflite: te.TFLiteModel
    accuracy: float
    sparsity: float
    arena_bytes: int

    @property
    def file_bytes(self) -> int:
        """Size of the `.tflite`."""
        return len(self.tflite.bytes)

    @property
    def gzip_bytes(self) -> int:
        """Size of the `.tflite` after gzip."""
        return len(gzip.compress(self.tflite.bytes, 9, mtime=0))

    def row(self, reference: Stage) -> list[str]:
        """The cells of its line in the table; ratios are those of the files, plain and gzipped."""
        return [
            self.name,
            f"{self.accuracy:.2%}",
            f"{self.sparsity:.1%}",
            f"{self.file_bytes:,}",
            f"{self.gzip_bytes:,}",
            f"{self.arena_bytes:,}",
            f"{reference.file_bytes / self.file_bytes:.1f}x",
            f"{reference.gzip_bytes / self.gzip_bytes:.1f}x",
        ]


def load_digits(seed) -> Digits:
    """Returns the 1,797 digits with `HELD_OUT` of them set aside for testing."""
    try:
        from sklearn import datasets
    except ImportError as error:
        raise ImportError(
            "The demo takes its digits from scikit-learn, which is not installed. "
            "Install it with: pip install 'keras-shrink[demo]'"
        ) from error
    digits = datasets.load_digits()
    x = (digits.images[..., np.newaxis] / 16.0).astype("float32")
    y = digits.target.astype("int32")
    order = np.random.default_rng(seed).permutation(len(x))
    test, train = order[:HELD_OUT], order[HELD_OUT:]
    return Digits(x[train], y[train], x[test], y[test])


def make_model():
    """Returns a small residual network of depthwise and pointwise convolutions, not compiled."""
    layers = keras.layers

    def normalized(x, name):
        return layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)

    inputs = keras.Input((8, 8, 1), name="pixels")
    x = layers.Conv2D(24, 3, padding="same", use_bias=False, name="stem")(inputs)
    x = layers.ReLU(name="stem_relu")(normalized(x, "stem"))
    y = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name="depthwise")(x)
    y = layers.ReLU(6.0, name="depthwise_relu")(normalized(y, "depthwise"))
    y = layers.Conv2D(24, 1, use_bias=False, name="pointwise")(y)
    x = layers.Add(name="residual")([x, normalized(y, "pointwise")])
    x = layers.ReLU(name="residual_relu")(x)
    x = layers.MaxPooling2D(name="pool")(x)
    x = layers.Conv2D(48, 3, padding="same", use_bias=False, name="wide")(x)
    x = layers.ReLU(name="wide_relu")(normalized(x, "wide"))
    x = layers.GlobalAveragePooling2D(name="average")(x)
    x = layers.Dropout(0.1, name="dropout")(x)
    outputs = layers.Dense(10, activation="softmax", name="digit")(x)
    return keras.Model(inputs, outputs, name="digits")


def run_demo(folder, *, seed=0) -> bool:
    """Runs everything, writes the files into `folder`, prints the table; returns whether TFLM agrees."""
    folder = Path(folder)
    write_files({".writable": ""}, folder)[0].unlink()
    digits = load_digits(seed)
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    console = Console()
    console.print(
        f"Digits of scikit-learn: {len(digits.x_train):,} to train on, {HELD_OUT} held out; seed {seed}.",
        highlight=False,
    )
    columns = (
        TextColumn("{task.description:<36}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        model, pruned, calibrated, trained = _train(digits, progress)
        task = progress.add_task("convert, run on TFLM, verify", total=5, unit="steps")
        stages = []
        for name, stage_model, dtype in (
            ("float", model, "float32"),
            ("pruned", pruned, "float32"),
            ("int8 calibrated", calibrated, "int8"),
            ("int8 trained", trained, "int8"),
        ):
            slimmed = te.TFLiteModel(te.slim(te.convert(stage_model, dtype=dtype)))
            stages.append(_measure(name, slimmed, digits))
            progress.advance(task)
        tflite = stages[-1].tflite
        verification = verify(tflite, digits.x_test, trained)
        progress.advance(task)
    rows = [stage.row(stages[0]) for stage in stages]
    paths = [tflite.save(folder / "model.tflite"), *te.write_c_array(tflite, "model", folder)]
    report = _report(rows, tflite, verification, digits, seed)
    paths += write_files({"report.html": report}, folder)
    _print(console, rows, verification, paths)
    return verification.within(1.0)


def _train(digits, progress):
    """Returns the float, the pruned, the calibrated and the trained int8 model."""
    steps = -(-len(digits.x_train) // BATCH)
    model = make_model()
    _fit(model, digits, TRAIN_EPOCHS, 3e-3, progress, "train")
    pruned = rebuild(model)
    schedule = schedules.polynomial(0.0, SPARSITY, end_step=steps * PRUNE_EPOCHS * 3 // 4)
    _fit(pruned, digits, PRUNE_EPOCHS, 2e-3, progress, f"prune to {SPARSITY:.0%}", GradualPruning(schedule))
    calibrated = calibrate(pruned, digits.x_train)
    trained = quantize(pruned)
    _fit(trained, digits, QUANTIZE_EPOCHS, 5e-4, progress, "train with int8 arithmetic")
    return model, pruned, calibrated, trained


def _fit(model, digits, epochs, learning_rate, progress, title, *callbacks):
    task = progress.add_task(title, total=epochs, unit="epochs")
    advance = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: progress.advance(task))
    decay = keras.optimizers.schedules.CosineDecay(
        learning_rate, epochs * -(-len(digits.x_train) // BATCH), alpha=0.02
    )
    model.compile(keras.optimizers.Adam(decay), "sparse_categorical_crossentropy")
    model.optimizer.build(model.trainable_variables)  # before the first step, which is then traced once
    model.fit(
        digits.x_train,
        digits.y_train,
        batch_size=BATCH,
        epochs=epochs,
        verbose=0,
        callbacks=[*callbacks, advance],
    )


def _measure(name, tflite, digits) -> Stage:
    """Runs the file itself over the held-out digits."""
    (output,) = tflm.run(tflite, _as_input(tflite, digits.x_test))
    predicted = output.reshape(len(digits.x_test), -1).argmax(axis=1)
    weights = [t.data for t in tflite.graph.main.tensors if t.data is not None and t.data.ndim > 1]
    zeros = sum(np.count_nonzero(w == 0) for w in weights) / sum(w.size for w in weights)
    accuracy = float(np.mean(predicted == digits.y_test))
    return Stage(name, tflite, accuracy, zeros, tflm.measure_arena(tflite).required_bytes)


def _as_input(tflite, x):
    (tensor,) = tflite.graph.inputs
    values = affine.quantize_array(x, tensor) if tensor.quantization is not None else x
    return values[:, np.newaxis]


def _print(console, rows, verification, paths):
    title = f"Accuracy on {HELD_OUT} held-out digits by TFLM; sizes and TFLM's arena in bytes"
    table = Table(title=title, title_justify="left", box=rich.box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for number, heading in enumerate(HEADINGS):
        table.add_column(heading, justify="right" if number else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console.print(table)
    console.print(difference_table(verification, title="The int8 file against its promise"))
    (promise,) = verification.keras
    agrees = verification.within(1.0)
    mark = "[green]verified[/green]" if agrees else "[red]failed[/red]"
    apart = f"at most {promise.max_steps:g} step(s) apart" if promise.max_steps else "equal to the last bit"
    console.print(
        f"{mark}: TFLM computes what training promised: {apart}, {promise.same_class:.2%} the same digit.",
        highlight=False,
    )
    for path in paths:
        console.print(f"wrote {path} ({path.stat().st_size:,} bytes)", highlight=False)


def _report(rows, tflite, verification, digits, seed) -> str:
    zeros: dict[str, float] = {}
    for op in tflite.graph.main.ops:
        for tensor in (tflite.graph.main.tensors[i] for i in op.inputs if i >= 0):
            if tensor.data is not None and tensor.data.ndim > 1:
                label = f"{len(zeros) + 1} {op.code.lower()} {' x '.join(map(str, tensor.shape))}"
                zeros[label] = float(np.mean(tensor.data == 0))
    (promise,) = verification.keras
    facts = {
        "data": f"scikit-learn's digits, {len(digits.x_train):,} and {HELD_OUT} held out, seed {seed}",
        "verified": f"TFLM and the trained model differ by at most {promise.max_steps:g} step(s) of the "
        f"output and agree on {promise.same_class:.2%} of the digits",
        "input": page.tensor_text(tflite.inputs["pixels"]),
        "output": page.tensor_text(tflite.outputs["digit"]),
    }
    return page.render(
        "A digit network, from training to the microcontroller",
        facts=facts,
        tables=[page.TableOf("Sizes and accuracy (sizes in bytes, accuracy by TFLM)", HEADINGS, rows)],
        bars=[page.Bars("Zeros among the int8 weights of each operator", zeros)],
    )
