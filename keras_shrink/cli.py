"""The command line: `keras-shrink VERB ...`. Exit status 0 is success, 1 a failed check, 2 bad input."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Compress Keras models and put them on microcontrollers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

ModelFile = Annotated[Path, typer.Argument(help="A .keras or .h5 file.", show_default=False)]
TFLiteFile = Annotated[Path, typer.Argument(help="A .tflite file.", show_default=False)]
Output = Annotated[Path, typer.Option("--output", "-o", help="Folder to write into.")]


def _print_version(asked: bool):
    if asked:
        from importlib.metadata import PackageNotFoundError, version

        try:
            number = version("keras-shrink")
        except PackageNotFoundError as error:
            raise ValueError(
                "The version is known once the package is installed: pip install . in its folder."
            ) from error
        typer.echo(f"keras-shrink {number}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
):
    """Compress Keras models and put them on microcontrollers."""


@app.command()
def demo(
    output: Output = Path("keras-shrink-demo"),
    seed: Annotated[int, typer.Option(help="Everything random follows from it.")] = 0,
):
    """Train, prune, quantize, convert and verify a small network on handwritten digits."""
    from keras_shrink.demo import run_demo

    if not run_demo(output, seed=seed):
        raise typer.Exit(1)


@app.command()
def convert(
    model: ModelFile,
    representative: Annotated[
        str | None,
        typer.Option(help="FILE.npy or FILE.npz[:ARRAY] with inputs; needed for a float model."),
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The .tflite to write.")] = None,
    samples: Annotated[int, typer.Option(help="How many of the inputs to use.")] = 500,
    c_array: Annotated[str | None, typer.Option(help="Also write NAME.h and NAME.c beside it.")] = None,
    dtype: Annotated[
        str | None,
        typer.Option(
            help="int8, int8x4, int16x8, dynamic_range, float16 or float32; what the model was quantized "
            "for by default, int8 for a float one."
        ),
    ] = None,
):
    """Convert a Keras model to a .tflite, by default int8."""
    from keras_shrink.convert_command import convert_file

    target = output or Path(model.name).with_suffix(".tflite")
    convert_file(model, representative, target, samples, c_array, dtype)


@app.command()
def verify(
    tflite: TFLiteFile,
    samples: Annotated[
        str | None, typer.Option(help="FILE.npy or FILE.npz[:ARRAY] with inputs; random ones if left out.")
    ] = None,
    model: Annotated[Path | None, typer.Option(help="The Keras model to compare with.")] = None,
    tolerance: Annotated[
        float, typer.Option(help="Largest mean difference from the Keras model, in steps of the output.")
    ] = 2.0,
    limit: Annotated[int, typer.Option(help="How many of the samples to use.")] = 200,
):
    """Run a .tflite on TensorFlow Lite Micro and say whether it computes what was promised."""
    from keras_shrink.verify_command import verify_file

    if not verify_file(tflite, samples, model, tolerance, limit):
        raise typer.Exit(1)


@app.command()
def inspect(
    tflite: TFLiteFile,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
    html: Annotated[Path | None, typer.Option(help="Also write a page with the memory plan drawn.")] = None,
    measure: Annotated[bool, typer.Option(help="Measure the arena on TensorFlow Lite Micro.")] = True,
    device: Annotated[str | None, typer.Option(help="Say whether it fits this board; 'all' for all.")] = None,
):
    """Show what a .tflite is and needs: operators, sizes, work, memory. With a device: whether it fits."""
    from keras_shrink.inspect_command import check_file, inspect_file

    if device is None:
        inspect_file(tflite, as_json, html, measure)
    elif not check_file(tflite, device, as_json):
        raise typer.Exit(1)


@app.command("c")
def c_files(
    tflite: TFLiteFile,
    output: Output = Path("c"),
    name: Annotated[str | None, typer.Option(help="Prefix in the C; the file's name by default.")] = None,
    self_test: Annotated[bool, typer.Option(help="Add a self-test judged by TFLM.")] = True,
    strips: Annotated[int, typer.Option(help="Run the first operators in so many strips to save RAM.")] = 1,
    arena: Annotated[
        str | None, typer.Option(help="How large the arena may grow to keep 4-bit weights packed: 40KiB.")
    ] = None,
):
    """Write a .tflite as standalone C99: no interpreter, no heap."""
    from keras_shrink.c_command import write_c_files

    write_c_files(tflite, name, output, self_test, strips, arena)


@app.command()
def profile(
    model: Annotated[Path, typer.Argument(help="A .tflite file, or a folder of C.", show_default=False)],
    cpu: Annotated[str, typer.Option(help="cortex-m0, -m3, -m4, -m7, -m33, -m55 or rv32imc.")] = "cortex-m4",
    toolchain: Annotated[str, typer.Option(help="zig (from PyPI) or gcc.")] = "zig",
    optimize: Annotated[str, typer.Option(help="-O1, -O2, -O3 or -Os.")] = "-Os",
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
):
    """Run a model as C on an emulated core: instructions by operator, flash, RAM, and the check with TFLM."""
    from keras_shrink.profile_command import profile_file

    if not profile_file(model, cpu, toolchain, optimize, as_json):
        raise typer.Exit(1)


@app.command()
def project(
    tflite: TFLiteFile,
    target: Annotated[str, typer.Option(help="arduino, platformio, esp-idf, zephyr, cmake or android.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write into.")] = Path("firmware"),
    name: Annotated[str, typer.Option(help="A C identifier, the prefix of files and functions.")] = "model",
    runtime: Annotated[str, typer.Option(help="c (standalone) or tflm (TensorFlow Lite Micro).")] = "c",
):
    """Write a project that a board's build system takes as it is."""
    from tflite_export.projects.write import write_project

    for path in write_project(tflite, output, target, name=name, runtime=runtime):
        typer.echo(path)


@app.command()
def search(
    space: Annotated[
        str,
        typer.Argument(
            help="ds_cnn, inverted_residual, resnet, cnn_1d, mlp, small_rnn, or FILE.py:FUNCTION.",
            show_default=False,
        ),
    ],
    data: Annotated[Path, typer.Option(help=".npz with x_train and y_train, x_val and y_val if you like.")],
    output: Output = Path("search"),
    flash: Annotated[str | None, typer.Option(help='Linked flash of the C, such as "64 KiB".')] = None,
    ram: Annotated[str | None, typer.Option(help="Static RAM of the C.")] = None,
    instructions: Annotated[str | None, typer.Option(help='On a Cortex-M4, such as "5M".')] = None,
    macs: Annotated[str | None, typer.Option(help="Multiply-accumulates.")] = None,
    strategy: Annotated[
        str, typer.Option(help="random, evolution, reinforcement, gradient, bayesian or nsga2.")
    ] = "evolution",
    trials: Annotated[int, typer.Option(help="Candidates to train, by all processes together.")] = 50,
    epochs: Annotated[int, typer.Option(help="Of each candidate.")] = 10,
    storage: Annotated[
        str | None, typer.Option(help="Path or data base URL to share the search between machines.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the strategy and of each candidate.")] = 0,
):
    """Search for a small network under a device's limits. Start it again, or twice: it goes on, or shares."""
    from keras_shrink.search_command import search_files

    limits = {"flash": flash, "ram": ram, "instructions": instructions, "macs": macs}
    search_files(space, data, output, limits, strategy, trials, epochs, storage, seed)


@app.command()
def report(
    original: Annotated[Path, typer.Argument(help="The model before: .keras, .h5 or .tflite.")],
    final: Annotated[Path, typer.Argument(help="The model after, likewise.")],
    data: Annotated[Path, typer.Option(help=".npz with x_test and y_test, or x and y.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The page to write.")] = Path("report.html"),
    steps: Annotated[Path | None, typer.Option(help="steps.jsonl that shrink wrote.")] = None,
    title: Annotated[str | None, typer.Option(help="Of the page.")] = None,
):
    """Write a page on a compressed model: what it lost and gained, layer by layer, and what to flash."""
    from keras_shrink.report_command import report_files

    report_files(original, final, data, output, steps, title)


@app.command()
def shrink(
    model: ModelFile,
    data: Annotated[Path, typer.Option(help=".npz with x_train and y_train, x_val and y_val if you like.")],
    output: Output = Path("shrunk"),
    flash: Annotated[str | None, typer.Option(help='Linked C, or the .tflite, such as "64 KiB".')] = None,
    ram: Annotated[str | None, typer.Option(help="Static RAM of the C, or TFLM's arena.")] = None,
    instructions: Annotated[str | None, typer.Option(help='Of one inference in C, such as "5M".')] = None,
    download: Annotated[str | None, typer.Option(help="The .tflite through gzip.")] = None,
    device: Annotated[str | None, typer.Option(help="Board whose flash, RAM and core count.")] = None,
    runtime: Annotated[str, typer.Option(help="c (standalone) or tflm (TensorFlow Lite Micro).")] = "c",
    max_accuracy_drop: Annotated[float, typer.Option(help="0.01 is one point of accuracy.")] = 0.01,
    recipe: Annotated[Path | None, typer.Option(help="A .toml that sets the training, or the steps.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Of training after each step.")] = None,
    augment: Annotated[str | None, typer.Option(help="pictures (mirrored, shifted) or shifts.")] = None,
    seed: Annotated[int, typer.Option(help="Everything random follows from it.")] = 0,
    minutes: Annotated[float | None, typer.Option(help="Begin no epoch after so many.")] = None,
):
    """Make a trained model fit a budget. Start it again after a kill: it goes on where it was."""
    from keras_shrink.shrink_command import shrink_file

    limits = {
        "flash": flash,
        "ram": ram,
        "instructions": instructions,
        "download": download,
        "device": device,
        "runtime": runtime,
        "max_accuracy_drop": max_accuracy_drop,
    }
    training = {"epochs": epochs, "augment": augment}
    reason = shrink_file(model, data, output, limits, recipe, training, seed, minutes)
    if reason:
        raise typer.Exit(130 if reason == "interrupted" else 1)


def main():
    """Runs the command line; errors of the input become one message and exit status 2."""
    from keras_shrink.quiet import silence_native_output

    silence_native_output()
    from tflite_export.errors import ConversionError

    try:
        app()
    except (ValueError, OSError, ConversionError, RuntimeError, ImportError) as error:
        if os.environ.get("KERAS_SHRINK_DEBUG"):
            raise
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(130)
