"""Whether a model fits a board and runs there, before anything is flashed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tflite_export import cost, tflm, tflm_operators
from tflite_export.devices import CORES, Device
from tflite_export.devices import device as find_device
from tflite_export.errors import ModelError
from tflite_export.graph import Graph
from tflite_export.memory import lifetimes, live_bytes
from tflite_export.read import read

# TFLM's code linked for Cortex-M with CMSIS-NN, fitted to four linked images (27.9 to 53.2 KB).
_TFLM_CODE = 22_000
_KERNEL_CODE = {
    "CONV_2D": 9_000,
    "DEPTHWISE_CONV_2D": 8_500,
    "FULLY_CONNECTED": 5_900,
    "ADD": 6_300,
    "SOFTMAX": 4_000,
    "AVERAGE_POOL_2D": 3_000,
    "RESHAPE": 800,
}
_OTHER_KERNEL_CODE = 3_000
_MATRIX = ("FULLY_CONNECTED", "BATCH_MATMUL", "SVDF", "UNIDIRECTIONAL_SEQUENCE_LSTM")


@dataclass(frozen=True)
class Preflight:
    """What stands between a model and a board.

    Attributes:
        device: The board.
        flash_bytes: Flash needed: the file and the runtime's code (estimated).
        flash_available_bytes: What the framework leaves.
        ram_bytes: RAM needed: the arena, measured on TFLM where it runs the model.
        ram_available_bytes: What the framework and the stack leave.
        ram_is_measured: Whether the arena was measured; else the activations alone are counted.
        problems: Why it does not run or runs wrongly, a sentence each.
        remarks: What is worth knowing though it runs.
        latency_ms: Estimate for one inference, good to a factor of two at best.
        latency_basis: How the estimate was made.
    """

    device: Device
    flash_bytes: int
    flash_available_bytes: int
    ram_bytes: int
    ram_available_bytes: int
    ram_is_measured: bool
    problems: tuple[str, ...]
    remarks: tuple[str, ...]
    latency_ms: float
    latency_basis: str

    @property
    def flash_shortfall_bytes(self) -> int:
        """Bytes of flash that are missing, 0 where it fits."""
        return max(0, self.flash_bytes - self.flash_available_bytes)

    @property
    def ram_shortfall_bytes(self) -> int:
        """Bytes of RAM that are missing, 0 where it fits."""
        return max(0, self.ram_bytes - self.ram_available_bytes)

    @property
    def fits(self) -> bool:
        """Whether flash and RAM suffice and nothing hinders the model from running."""
        return not (self.flash_shortfall_bytes or self.ram_shortfall_bytes or self.problems)

    def __str__(self) -> str:
        """A few lines for people."""
        lines = [f"{self.device.title}: {'fits' if self.fits else 'does not fit'}"]
        for what, need, have, short in (
            ("flash", self.flash_bytes, self.flash_available_bytes, self.flash_shortfall_bytes),
            ("RAM", self.ram_bytes, self.ram_available_bytes, self.ram_shortfall_bytes),
        ):
            missing = f", {short:,} too few" if short else ""
            lines.append(f"  {what:<6}{need:>12,} of {have:,} bytes{missing}")
        time = f"{self.latency_ms:,.0f}" if self.latency_ms >= 100 else f"{self.latency_ms:.2g}"
        lines.append(f"  time  about {time} ms; an estimate: {self.latency_basis}")
        lines += [f"  ! {line}" for line in self.problems]
        lines += [f"  - {line}" for line in self.remarks]
        return "\n".join(lines)


def check(tflite: Any, device: str | Device, *, arena: tflm.Arena | None = None) -> Preflight:
    """Returns whether a model fits a board and runs there, with the exact shortfall where it does not.

    Args:
        tflite: Bytes, path, conversion result or graph.
        device: Name of a board (`devices.devices()` lists them), or a `Device` of one's own.
        arena: What TFLM allocates, if it has been measured already.

    Raises:
        ModelError: If the file cannot be read.
        ValueError: If there is no board of that name.

    Example:
    >>> check("model.tflite", "arduino-uno-r4").ram_shortfall_bytes
    0
    """
    board = device if isinstance(device, Device) else find_device(device)
    graph = read(tflite)
    problems: list[str] = []
    remarks: list[str] = []
    ram, measured = max(live_bytes(list(lifetimes(graph.main).values())), default=0), False
    flash = len(graph.content)
    if board.runtime == "tflm":
        flash += _runtime_bytes(graph)
        problems += _hindrances(graph)
        if not problems:
            try:
                ram, measured = (arena or tflm.measure_arena(graph)).required_bytes, True
            except ModelError as error:
                problems.append(str(error))
            except RuntimeError as error:
                remarks.append(f"{error} The RAM shown is that of the activations alone.")
        remarks += _remarks(graph, board)
    instructions, basis = _instructions(graph, board)
    return Preflight(
        device=board,
        flash_bytes=flash,
        flash_available_bytes=board.flash_bytes - board.reserved_flash_bytes,
        ram_bytes=ram,
        ram_available_bytes=board.ram_bytes - board.reserved_ram_bytes,
        ram_is_measured=measured,
        problems=tuple(problems),
        remarks=tuple(remarks),
        latency_ms=1000 * instructions * CORES[board.core].cycles / board.clock_hz,
        latency_basis=basis,
    )


def _runtime_bytes(graph: Graph) -> int:
    codes = {op.code for subgraph in graph.subgraphs for op in subgraph.ops}
    return _TFLM_CODE + sum(_KERNEL_CODE.get(code, _OTHER_KERNEL_CODE) for code in codes)


def _hindrances(graph: Graph) -> list[str]:
    missing = tflm_operators.missing_operators(graph)
    found = [f"TFLM does not have {', '.join(missing)}."] if missing else []
    return found + tflm_operators.wrong_results(graph)


def _remarks(graph: Graph, board: Device) -> list[str]:
    found = []
    floats = [t for t in graph.main.tensors if cost.is_float(t) and not t.is_constant]
    if floats:
        cure = "" if board.fpu else f", and {board.title} has no floating-point unit"
        found.append(f"{len(floats)} activations are floats, four times as large as int8{cure}.")
    return found


def _instructions(graph: Graph, board: Device) -> tuple[float, str]:
    core = CORES[board.core]
    total = 0.0
    for op in graph.main.ops:
        work = cost.macs(graph.main, op)
        rate = core.convolution
        if op.code == "DEPTHWISE_CONV_2D":
            rate = core.depthwise
        elif op.code in _MATRIX:
            rate = core.matrix
        outputs = [graph.main.tensors[i] for i in op.outputs]
        factor = core.float_factor if any(cost.is_float(t) for t in outputs) else 1
        total += work * rate * factor + core.element * sum(t.size for t in outputs)
    basis = f"{core.source}, {core.cycles:g} cycles each at {board.clock_hz / 1e6:g} MHz"
    return total, basis
