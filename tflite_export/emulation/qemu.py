"""Running a firmware image on QEMU, for the cores that Unicorn lacks."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass

from tflite_export.emulation.cores import Core
from tflite_export.emulation.toolchain import EmulationError

_CALIBRATION = 400_000  # instructions of the loop that the firmware times first


@dataclass(frozen=True)
class QemuRun:
    """What the firmware printed for one sample.

    Attributes:
        instructions: Of the whole invocation.
        by_step: Operator index -> instructions.
        stack_bytes: Deepest stack.
        outputs: Bytes of each output.
    """

    instructions: int
    by_step: dict[int, int]
    stack_bytes: int
    outputs: tuple[bytes, ...]


def find_qemu(core: Core):
    """Returns the path of the QEMU that runs a core.

    Raises:
        EmulationError: If it is not installed.

    Example:
    >>> from tflite_export.emulation.cores import find_core
    >>> from tflite_export.emulation.qemu import find_qemu
    >>> find_qemu(find_core("cortex-m55"))  # doctest: +SKIP
    '/usr/bin/qemu-system-arm'
    """
    program = shutil.which(core.qemu_command[0])
    if program is None:
        raise EmulationError(
            f"{core.name} runs on {core.qemu_command[0]}, which is not on the path. Install QEMU "
            "(Debian: qemu-system-arm, or qemu-system-misc for RISC-V), or pass one of the cores that "
            "need no QEMU: cpu='cortex-m4'."
        )
    return program


def run_qemu(elf, core: Core, *, timeout=300):
    """Runs an image built with samples and returns a `QemuRun` for each of them.

    The counts come from a counter that advances with every instruction under `-icount`: exact for RISC-V,
    in steps of some 30 instructions for Arm, where a timer is read.

    Args:
        elf: The image.
        core: What it was built for.
        timeout: Seconds after which the run counts as hung.

    Raises:
        EmulationError: If QEMU is missing, hangs or does not get to the end.
    """
    command = [
        find_qemu(core),
        *core.qemu_command[1:],
        *("-nographic", "-monitor", "none", "-serial", "none"),
        *("-chardev", "stdio,id=host", "-semihosting-config", "enable=on,target=native,chardev=host"),
        *("-icount", "shift=0"),
        *("-kernel", str(elf)),
    ]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=timeout, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired as error:
        raise EmulationError(f"{core.name} was still running after {timeout} seconds.") from error
    if done.returncode:
        raise EmulationError(
            f"QEMU ended with status {done.returncode}:\n{done.stdout[-500:]}{done.stderr[-500:]}"
        )
    return _parse(done.stdout)


def _parse(text):
    runs, scale = [], 1.0
    for line in text.splitlines():
        word, _, value = line.partition(" ")
        if word == "calibration":
            scale = _CALIBRATION / max(1, int(value))
        elif word == "ticks":
            runs.append({"ticks": int(value), "marks": [], "outputs": [], "stack": 0})
        elif word == "mark":
            runs[-1]["marks"].append(int(value))
        elif word == "stack":
            runs[-1]["stack"] = int(value)
        elif word == "output":
            runs[-1]["outputs"].append(bytes.fromhex(value))
    return tuple(
        QemuRun(
            round(run["ticks"] * scale),
            {index: round(ticks * scale) for index, ticks in enumerate(run["marks"])},
            run["stack"],
            tuple(run["outputs"]),
        )
        for run in runs
    )
