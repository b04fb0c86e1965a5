"""The boards a model may be meant for, and what is assumed of their processors; see boards.toml."""

from __future__ import annotations

import difflib
import functools
import tomllib
from dataclasses import dataclass
from importlib import resources


@dataclass(frozen=True)
class Device:
    """A board.

    Attributes:
        name: Short name.
        title: Board and chip.
        core: Processor, a key of `CORES`.
        clock_hz: Its usual clock.
        flash_bytes: All of its flash.
        ram_bytes: All of its RAM that one program can use.
        reserved_flash_bytes: What the framework takes of the flash.
        reserved_ram_bytes: What the framework and the stack take of the RAM.
        fpu: Whether it computes on floats in hardware.
        dsp: Whether it multiplies two 16-bit pairs at once.
        mve: Whether it has Arm's vector extension.
        runtime: What runs the model: "tflm" or "litert".
    """

    name: str
    title: str
    core: str
    clock_hz: int
    flash_bytes: int
    ram_bytes: int
    reserved_flash_bytes: int = 0
    reserved_ram_bytes: int = 0
    fpu: bool = False
    dsp: bool = False
    mve: bool = False
    runtime: str = "tflm"

    def __post_init__(self):
        """Checks that a device made by hand makes sense."""
        if self.core not in CORES:
            raise ValueError(f"core must be one of {', '.join(CORES)}. Received: core={self.core!r}.")
        if min(self.clock_hz, self.flash_bytes, self.ram_bytes) <= 0:
            raise ValueError(f"clock and sizes must be positive. Received: {self}.")


@dataclass(frozen=True)
class Core:
    """What the latency estimate assumes of a processor running TFLM's best kernels for it.

    Attributes:
        convolution: Instructions for each multiply-accumulate of an int8 convolution.
        depthwise: The same for depthwise convolutions.
        matrix: The same for fully connected and recurrent layers.
        element: Instructions for each element an operator writes.
        cycles: Cycles for each instruction, memory included.
        float_factor: How much more a multiply-accumulate costs on floats.
        source: Where the numbers come from.
    """

    convolution: float
    depthwise: float
    matrix: float
    element: float
    cycles: float
    float_factor: float
    source: str


_COUNTED = "instructions fitted to counts of four networks with CMSIS-NN on an emulated Cortex-M4"
_REFERENCE = "instructions fitted to counts of four networks with TFLM's portable kernels"
CORES = {
    "cortex-m0": Core(8, 80, 8, 20, 1.6, 12, _REFERENCE),
    "cortex-m3": Core(8, 80, 8, 20, 1.4, 12, _REFERENCE),
    "cortex-m4": Core(2.2, 6, 2.2, 8, 1.3, 2.5, _COUNTED),
    "cortex-m33": Core(2.2, 6, 2.2, 8, 1.2, 2.5, _COUNTED),
    "cortex-m7": Core(2.2, 6, 2.2, 8, 0.75, 2.5, _COUNTED),
    "cortex-m55": Core(0.4, 2.5, 0.9, 3, 1.2, 4, "the same on an emulated Cortex-M55 with MVE"),
    "xtensa-lx6": Core(8, 12, 8, 10, 1.2, 1.5, "a guess from TFLM's portable kernels"),
    "xtensa-lx7": Core(1.6, 2.5, 1.6, 4, 1.2, 4, "a guess for kernels with vector instructions"),
    "armv8-a": Core(0.06, 0.3, 0.1, 0.5, 1.0, 2, "a guess for one large core with LiteRT's delegate"),
}


def device(name: str) -> Device:
    """Returns the board of that name.

    Raises:
        ValueError: If there is none; the message names the ones there are.

    Example:
    >>> device("rp2040").core
    'cortex-m0'
    """
    known = devices()
    if name not in known:
        close = difflib.get_close_matches(name, known, 1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"device must be one of {', '.join(known)}. Received: device={name!r}.{hint}")
    return known[name]


@functools.cache
def devices() -> dict[str, Device]:
    """Returns all boards by name."""
    text = resources.files("tflite_export").joinpath("boards.toml").read_text()
    return {name: Device(name=name, **facts) for name, facts in tomllib.loads(text).items()}
