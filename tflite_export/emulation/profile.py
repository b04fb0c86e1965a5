"""`emulate`: what a model costs on a core, measured by running it there."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tflite_export.emulation.cores import find_core
from tflite_export.emulation.counting import AFTERWARDS, CountingCore
from tflite_export.emulation.firmware import ModelFolder, build, read_folder
from tflite_export.emulation.qemu import find_qemu, run_qemu
from tflite_export.emulation.toolchain import EmulationError


@dataclass(frozen=True)
class OperatorCount:
    """Instructions of one operator; `index` is its position in the model."""

    index: int
    code: str
    instructions: int


@dataclass(frozen=True)
class Profile:
    """What one invocation of a model costs on a core.

    Attributes:
        cpu: Name of the core.
        compiler: Toolchain and optimization, `"zig -Os"`.
        instructions: Executed for the first sample, from the call of invoke to its return.
        operators: The same by operator; the rest is the call sequence itself.
        code_bytes: Code in flash: start-up, kernels, call sequence.
        constant_bytes: Weights, tables and parameters in flash.
        ram_bytes: Static RAM: the arena and what else the model keeps.
        stack_bytes: Deepest stack below invoke.
        samples: Number of inputs that were run.
        matches: Whether every output equals TensorFlow Lite Micro's, None where it was not asked.
        outputs: One array `(samples, *shape)` per output.
        functions: Function -> instructions; empty where QEMU counted.
    """

    cpu: str
    compiler: str
    instructions: int
    operators: tuple[OperatorCount, ...]
    code_bytes: int
    constant_bytes: int
    ram_bytes: int
    stack_bytes: int
    samples: int
    matches: bool | None
    outputs: tuple[np.ndarray, ...]
    functions: dict[str, int]

    @property
    def flash_bytes(self) -> int:
        """Linked flash: code and constants."""
        return self.code_bytes + self.constant_bytes

    def __str__(self) -> str:
        """Returns a table by operator and the totals."""
        lines = [f"{'#':>4}  {'operator':<28} {'instructions':>13} {'share':>7}"]
        for op in self.operators:
            share = op.instructions / max(1, self.instructions)
            lines.append(f"{op.index:>4}  {op.code:<28} {op.instructions:>13,} {share:>7.1%}")
        lines += [
            f"{'':>4}  {'total':<28} {self.instructions:>13,}",
            "",
            f"{self.cpu}, {self.compiler}",
            f"flash {self.flash_bytes:,} bytes: code {self.code_bytes:,}, constants {self.constant_bytes:,}",
            f"RAM {self.ram_bytes:,} bytes static, {self.stack_bytes:,} bytes of stack",
            _verdict(self.matches, self.samples),
        ]
        return "\n".join(lines)


def emulate(model, cpu="cortex-m4", *, samples=None, toolchain="zig", optimize="-Os", check=True):
    """Runs a model on an emulated core and returns a `Profile`.

    The C that `write_c` generates is compiled, linked with a minimal start-up into a firmware image and run.
    No board is needed, and for the cores that Unicorn knows (M0, M3, M4, M7, M33) nothing outside PyPI:
    `pip install 'keras-shrink[emulate]'`. The M55 and RV32 run on QEMU. Counts are of executed
    instructions, which repeat exactly; a core needs one or more cycles for each.

    Args:
        model: A `.tflite` (bytes, path, or what `convert` returned), or a folder written by `write_c`.
        cpu: `"cortex-m0"`, `"cortex-m3"`, `"cortex-m4"`, `"cortex-m7"`, `"cortex-m33"`, `"cortex-m55"` or
            `"rv32imc"`.
        samples: One array `(samples, *input shape)` of the input's dtype for each input, or the array alone
            where there is one input. By default three random samples, the same every time.
        toolchain: `"zig"` for the `ziglang` package, `"gcc"` for Debian's cross compilers.
        optimize: `"-O1"`, `"-O2"`, `"-O3"` or `"-Os"`.
        check: Compare the outputs with TensorFlow Lite Micro's. Left out for a folder, where the
            `tflite-micro` package is missing, and for a model that TensorFlow Lite Micro refuses.

    Raises:
        EmulationError: If a tool is missing, the C does not compile or the core faults.
        ModelError: If the model cannot become C.
        ValueError: If an argument is not among those allowed.

    Example:
    >>> import tflite_export as te
    >>> te.emulate("model.tflite").matches  # every output bit is TensorFlow Lite Micro's
    True
    """
    core = find_core(cpu)
    if core.qemu_command:
        find_qemu(core)
    with tempfile.TemporaryDirectory() as work:
        folder, graph = _as_folder(model, work)
        arrays = _samples(folder, samples)
        per_sample = list(zip(*arrays, strict=True))
        # Without QEMU's main program, which prints: this image is what the sizes are taken from.
        image = build(folder, replace(core, qemu_command=()), work, toolchain=toolchain, optimize=optimize)
        if core.qemu_command:
            build(folder, core, work, samples=per_sample, toolchain=toolchain, optimize=optimize)
            measured = _on_qemu(folder, core, work)
        else:
            measured = _on_unicorn(folder, core, image, per_sample)
    instructions, by_step, functions, stack, outputs = measured
    matches = _equals_tflm(graph, arrays, outputs) if check and graph is not None else None
    return Profile(
        cpu,
        f"{toolchain} {optimize}",
        instructions,
        tuple(OperatorCount(index, code, by_step.get(index, 0)) for index, code in folder.operators.items()),
        image.code_bytes,
        image.constant_bytes,
        image.ram_bytes,
        stack,
        len(per_sample),
        matches,
        outputs,
        functions,
    )


def _as_folder(model, work):
    """The folder with the C, and the graph where a model was given rather than a folder."""
    if isinstance(model, (str, os.PathLike)) and Path(model).is_dir():
        return read_folder(model), None
    from tflite_export.c.write import write_c
    from tflite_export.read import read

    graph = read(model)
    target = Path(work) / "c"
    write_c(graph.content, "network", target, self_test=False)
    return read_folder(target), graph


def _samples(folder: ModelFolder, samples):
    if samples is None:
        dice = np.random.default_rng(0)
        return [_random(dice, port) for port in folder.inputs]
    arrays = [samples] if isinstance(samples, np.ndarray) else list(samples)
    if len(arrays) != len(folder.inputs):
        raise ValueError(
            f"samples must hold one array for each of the {len(folder.inputs)} inputs. "
            f"Received: {len(arrays)} arrays."
        )
    result = []
    for position, (array, port) in enumerate(zip(arrays, folder.inputs, strict=True)):
        size = int(np.prod(port.shape))
        if array.dtype != port.dtype or array.size == 0 or array.size % size:
            raise ValueError(
                f"samples of input {position} must be {port.dtype} of shape (samples, *{port.shape}). "
                f"Received: {array.dtype} of shape {array.shape}."
            )
        result.append(np.reshape(array, (-1, *port.shape)))
    return result


def _random(dice, port, count=3):
    shape = (count, *port.shape)
    if port.dtype.kind == "f":
        return dice.uniform(-1, 1, shape).astype(port.dtype)
    limits = np.iinfo(port.dtype)
    return dice.integers(limits.min, limits.max, shape, port.dtype, endpoint=True)


def _on_unicorn(folder, core, image, per_sample):
    machine = CountingCore(image, core)
    collected = [[] for _ in folder.outputs]
    totals = None
    for number, sample in enumerate(per_sample):
        for index, (array, _) in enumerate(zip(sample, folder.inputs, strict=True)):
            machine.write(machine.call(f"{folder.name}_input", index), np.ascontiguousarray(array).tobytes())
        machine.call(f"{folder.name}_invoke", count=number == 0)
        if totals is None:
            by_step = machine.by_step
            by_step.pop(AFTERWARDS, None)
            totals = machine.instructions, by_step, machine.by_function, machine.stack_bytes
        for index, port in enumerate(folder.outputs):
            content = machine.read(machine.call(f"{folder.name}_output", index), port.size_bytes)
            collected[index].append(np.frombuffer(content, port.dtype).reshape(port.shape))
    return *totals, tuple(np.stack(arrays) for arrays in collected)


def _on_qemu(folder, core, work):
    runs = run_qemu(Path(work) / "firmware.elf", core)
    if not runs:
        raise EmulationError(f"{core.name} printed no result.")
    outputs = tuple(
        np.stack([np.frombuffer(run.outputs[i], port.dtype).reshape(port.shape) for run in runs])
        for i, port in enumerate(folder.outputs)
    )
    return runs[0].instructions, runs[0].by_step, {}, runs[0].stack_bytes, outputs


def _equals_tflm(graph, arrays, outputs):
    """Whether TFLM gives these outputs; None where it is not installed or does not run the model."""
    if importlib.util.find_spec("tflite_micro") is None:
        return None
    from tflite_export import tflm
    from tflite_export.errors import ModelError

    try:
        expected = tflm.run(graph, arrays)
    except ModelError:
        return None
    return all(np.array_equal(_bits(a), _bits(b)) for a, b in zip(outputs, expected, strict=True))


def _bits(array):
    """The array with floats as their bits, so that equal means bit for bit."""
    return array.view(np.uint32) if array.dtype == np.float32 else array


def _verdict(matches, samples):
    if matches is None:
        return "outputs not compared with TensorFlow Lite Micro"
    return f"outputs {'equal' if matches else 'DIFFER FROM'} TensorFlow Lite Micro's on {samples} samples"
