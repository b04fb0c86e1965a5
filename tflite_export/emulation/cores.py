"""The cores that can be emulated: how to compile for each, and what runs the result."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Core:
    """A processor core with a memory map that its emulator offers.

    Attributes:
        name: `"cortex-m4"`.
        family: `"arm"` or `"riscv"`: which start-up code it needs.
        zig_flags: Target and instruction set for `zig cc`.
        gcc_flags: The same for Debian's cross compilers.
        unicorn_model: Unicorn's constant for the core, "" where Unicorn lacks it.
        qemu_command: QEMU's program and machine, () where Unicorn serves.
        flash: Origin and bytes of the memory that code and constants are linked to.
        ram: Origin and bytes of the memory for the arena and the stack.
    """

    name: str
    family: str
    zig_flags: tuple[str, ...]
    gcc_flags: tuple[str, ...]
    unicorn_model: str = ""
    qemu_command: tuple[str, ...] = ()
    flash: tuple[int, int] = (0x0000_0000, 4 << 20)
    ram: tuple[int, int] = (0x2000_0000, 4 << 20)


def _arm(name, zig_cpu, abi, unicorn_model="", **rest):
    floats = "hard" if abi == "eabihf" else "soft"
    return Core(
        name,
        "arm",
        ("-target", f"thumb-freestanding-{abi}", f"-mcpu={zig_cpu}"),
        (f"-mcpu={name}", "-mthumb", f"-mfloat-abi={floats}"),
        unicorn_model,
        **rest,
    )


CORES = {
    core.name: core
    for core in (
        _arm("cortex-m0", "cortex_m0", "eabi", "UC_CPU_ARM_CORTEX_M0"),
        _arm("cortex-m3", "cortex_m3", "eabi", "UC_CPU_ARM_CORTEX_M3"),
        _arm("cortex-m4", "cortex_m4", "eabihf", "UC_CPU_ARM_CORTEX_M4"),
        _arm("cortex-m7", "cortex_m7", "eabihf", "UC_CPU_ARM_CORTEX_M7"),
        _arm("cortex-m33", "cortex_m33+dsp", "eabihf", "UC_CPU_ARM_CORTEX_M33"),
        _arm(
            "cortex-m55",
            "cortex_m55+mve_fp",
            "eabihf",
            qemu_command=("qemu-system-arm", "-M", "mps3-an547"),
            flash=(0x0000_0000, 512 << 10),
            ram=(0x2100_0000, 2 << 20),
        ),
        Core(
            "rv32imc",
            "riscv",
            ("-target", "riscv32-freestanding-none", "-mcpu=generic_rv32+m+c"),
            ("-march=rv32imc_zicsr", "-mabi=ilp32"),
            qemu_command=("qemu-system-riscv32", "-M", "virt", "-bios", "none"),
            flash=(0x8000_0000, 4 << 20),
            ram=(0x8040_0000, 4 << 20),
        ),
    )
}


def find_core(name):
    """Returns the core of that name.

    Args:
        name: One of `CORES`: `"cortex-m0"`, `"cortex-m3"`, `"cortex-m4"`, `"cortex-m7"`,
            `"cortex-m33"`, `"cortex-m55"` or `"rv32imc"`.

    Raises:
        ValueError: If there is no such core.

    Example:
    >>> from tflite_export.emulation.cores import find_core
    >>> find_core("cortex-m4").family
    'arm'
    """
    if name not in CORES:
        raise ValueError(f"cpu must be one of {', '.join(CORES)}. Received: cpu={name!r}.")
    return CORES[name]
