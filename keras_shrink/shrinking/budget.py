"""What the small model may need, and what it may lose."""

from __future__ import annotations

from dataclasses import dataclass

from keras_shrink.search.limits import parse_size
from tflite_export.devices import Device, device
from tflite_export.emulation.cores import CORES

RUNTIMES = ("c", "tflm")
COSTS = {
    "flash": "flash_bytes",
    "ram": "ram_bytes",
    "instructions": "instructions",
    "download": "download_bytes",
}
_NEAREST_CORE = "cortex-m4"


@dataclass(frozen=True)
class Budget:
    """The most that a model may need; None is no limit. Texts such as `"64 KiB"` become numbers.

    What is weighed is what the runtime really takes, from the exporter's own generator and planner. With
    `runtime="c"` (standalone C): linked flash, code and constants, and static RAM, of the image that the
    emulator runs; with `"tflm"`: bytes of the slimmed `.tflite` and of the arena that TensorFlow Lite Micro
    needs for it, the interpreter's own code not counted.

    Attributes:
        flash: Bytes of flash.
        ram: Bytes of RAM, without stack.
        instructions: Executed for one inference on the core; for `runtime="c"`.
        download: Bytes of the `.tflite` through gzip, as an update over the air or an app carries it.
            This is what pruning and clustering make small; the runtimes store zeros like other weights.
        max_accuracy_drop: What the integer model may lose of the original's accuracy on the validation data,
            in the metric's unit: 0.01 is one point.
        runtime: `"c"` or `"tflm"`.
        device: Name of a board, a `tflite_export.devices.Device`, or None. What a usual framework leaves of
            its flash and RAM is the limit where none is given, and its core is the one emulated.

    Raises:
        ValueError: If a value is out of range, or nothing is limited.

    Example:
    >>> Budget(flash="64 KiB", max_accuracy_drop=0.02).flash
    65536
    """

    flash: int | str | None = None
    ram: int | str | None = None
    instructions: int | str | None = None
    download: int | str | None = None
    max_accuracy_drop: float = 0.01
    runtime: str = "c"
    device: str | Device | None = None

    def __post_init__(self):
        """Turns texts into numbers, fills in what the device leaves, and checks."""
        for name in COSTS:
            object.__setattr__(self, name, parse_size(name, getattr(self, name)))
        if self.runtime not in RUNTIMES:
            raise ValueError(f"runtime must be one of {RUNTIMES}. Received: runtime={self.runtime!r}.")
        drop = self.max_accuracy_drop
        if isinstance(drop, bool) or not isinstance(drop, int | float) or not drop >= 0:
            raise ValueError(
                "max_accuracy_drop must be a number from 0, 0.01 for one point of accuracy. "
                f"Received: max_accuracy_drop={drop!r}."
            )
        if self.device is not None:
            board = self.device if isinstance(self.device, Device) else device(self.device)
            object.__setattr__(self, "device", board)
            object.__setattr__(self, "flash", self.flash or board.flash_bytes - board.reserved_flash_bytes)
            object.__setattr__(self, "ram", self.ram or board.ram_bytes - board.reserved_ram_bytes)
        if not self.limits:
            raise ValueError(
                f"Nothing is limited. Give one of {', '.join(COSTS)} or a device. Received: {self}."
            )
        if self.instructions is not None and self.runtime != "c":
            raise ValueError(
                "Instructions are counted for the standalone C alone. Received: "
                f"instructions={self.instructions} with runtime={self.runtime!r}. Leave them out, or choose "
                "runtime='c'."
            )

    @property
    def limits(self) -> dict[str, int]:
        """The limits that are given: name -> number."""
        return {name: getattr(self, name) for name in COSTS if getattr(self, name) is not None}

    @property
    def cpu(self) -> str:
        """The core that is emulated: the device's, or a Cortex-M4 where it has none or an unknown one."""
        core = self.device.core if isinstance(self.device, Device) else _NEAREST_CORE
        return core if core in CORES else _NEAREST_CORE

    def needs(self, measured) -> dict[str, float]:
        """Returns for each limit what a model needs over what it may: above 1 where it is broken."""
        return {name: getattr(measured, COSTS[name]) / limit for name, limit in self.limits.items()}

    def broken(self, measured) -> dict[str, float]:
        """Returns the limits that a model breaks, with need over limit."""
        return {name: need for name, need in self.needs(measured).items() if need > 1}
