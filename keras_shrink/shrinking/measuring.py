"""What a model costs and how good it is, measured on what would be flashed."""

from __future__ import annotations

import functools
import gzip
import tempfile
from dataclasses import dataclass

import numpy as np

from keras_shrink.shrinking.budget import Budget
from tflite_export import TFLiteModel, cost, tflm, tflm_operators
from tflite_export.c.emit import plan_program
from tflite_export.c.write import write_c
from tflite_export.convert import convert
from tflite_export.emulation.cores import find_core
from tflite_export.emulation.profile import emulate
from tflite_export.emulation.qemu import find_qemu
from tflite_export.emulation.toolchain import find_compiler
from tflite_export.errors import ModelError
from tflite_export.slim import slim


@dataclass(frozen=True)
class Sizes:
    """What a file needs on the device.

    Attributes:
        tflite: The file, slimmed.
        flash_bytes: Linked image of the standalone C, or the `.tflite`; see `Budget`.
        ram_bytes: Static RAM, or TFLM's arena.
        instructions: Of one inference; None with TFLM.
        download_bytes: The file through gzip.
        weight_bytes: Of the flash, what weights and biases take.
    """

    tflite: TFLiteModel
    flash_bytes: int
    ram_bytes: int
    instructions: int | None
    download_bytes: int
    weight_bytes: int


def measure(integer, budget: Budget, strips=1) -> Sizes:
    """Returns what an integer model needs on the runtime of a budget.

    Raises:
        ModelError: If the runtime cannot run it.
        ConversionError: If it cannot be converted.
    """
    content = slim(convert(integer))
    tflite = TFLiteModel(content)
    graph = tflite.graph
    weights = {
        id(tensor): tensor.buffer_bytes for op in graph.main.ops for tensor in cost.weights(graph.main, op)
    }
    if budget.runtime == "c":
        flash, ram, instructions = _linked(content, budget.cpu, strips, budget.ram)
    else:
        flash, ram, instructions = len(content), tflm.measure_arena(graph).required_bytes, None
    download = len(gzip.compress(content, 9, mtime=0))
    return Sizes(tflite, flash, ram, instructions, download, sum(weights.values()))


def arena_of_c(tflite, strips) -> int:
    """Returns the arena of the standalone C that runs its first operators in strips."""
    return plan_program(tflite.graph, strips=strips).arena_bytes


def hindrances(tflite, budget: Budget) -> list[str]:
    """Returns why a file cannot run on the runtime of a budget, a sentence each."""
    graph = tflite.graph
    if budget.runtime == "tflm":
        missing = tflm_operators.missing_operators(graph)
        found = [f"TensorFlow Lite Micro does not have {', '.join(missing)}."] if missing else []
        return found + list(tflm_operators.wrong_results(graph))
    try:
        plan_program(graph)
    except ModelError as error:
        return [f"The standalone C cannot run the model: {error}"]
    return []


def check_tools(budget: Budget) -> None:
    """Raises unless what measures flash, RAM and instructions is installed.

    Raises:
        EmulationError: If a tool is missing; it says how to install it.
    """
    if budget.runtime == "c":
        core = find_core(budget.cpu)
        find_compiler(core)
        if core.qemu_command:
            find_qemu(core)


@functools.lru_cache(maxsize=8)
def _linked(content, cpu, strips, arena_bytes):
    graph = TFLiteModel(content).graph
    with tempfile.TemporaryDirectory() as folder:
        write_c(graph, "network", folder, self_test=False, strips=strips, arena_bytes=arena_bytes)
        samples = [np.zeros((1, *tensor.shape), tensor.dtype) for tensor in graph.inputs]
        profile = emulate(folder, cpu, samples=samples, check=False)
    return profile.flash_bytes, profile.ram_bytes, profile.instructions
