"""Compiling C for a core, with the compiler from PyPI or with Debian's."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

from tflite_export.emulation.cores import Core

TOOLCHAINS = ("zig", "gcc")
OPTIMIZATIONS = ("-O1", "-O2", "-O3", "-Os")
_GCC = {"arm": "arm-none-eabi-gcc", "riscv": "riscv64-unknown-elf-gcc"}
_SECTIONS = ("-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections")


class EmulationError(RuntimeError):
    """A tool is missing, the C does not compile, or the emulated program went wrong."""


def find_compiler(core: Core, toolchain="zig"):
    """Returns the command, with the flags of the core, that compiles and links C.

    Args:
        core: What to compile for.
        toolchain: `"zig"` for the `ziglang` package, `"gcc"` for `arm-none-eabi-gcc` or
            `riscv64-unknown-elf-gcc` on the path.

    Raises:
        EmulationError: If the compiler is not installed.

    Example:
    >>> from tflite_export.emulation.cores import find_core
    >>> from tflite_export.emulation.toolchain import find_compiler
    >>> find_compiler(find_core("cortex-m4"))[1:4]
    ['-m', 'ziglang', 'cc']
    """
    if toolchain not in TOOLCHAINS:
        raise ValueError(
            f"toolchain must be one of {', '.join(TOOLCHAINS)}. Received: toolchain={toolchain!r}."
        )
    if toolchain == "zig":
        if importlib.util.find_spec("ziglang") is None:
            raise EmulationError(
                "Emulation compiles with zig, which is not installed: `pip install ziglang`, "
                "or pass toolchain='gcc' where the cross compiler is on the path."
            )
        return [sys.executable, "-m", "ziglang", "cc", *core.zig_flags]
    program = shutil.which(_GCC[core.family])
    if program is None:
        raise EmulationError(
            f"{_GCC[core.family]} is not on the path. Install it (Debian: gcc-arm-none-eabi or "
            "gcc-riscv64-unknown-elf), or pass toolchain='zig'."
        )
    return [program, *core.gcc_flags]


def link(core: Core, sources, elf, *, script, toolchain="zig", optimize="-Os", include=(), flags=()):
    """Compiles and links C files into a firmware image.

    Args:
        core: What to compile for.
        sources: Paths of `.c` files.
        elf: Path of the image to write.
        script: Path of the linker script; execution starts at `Reset_Handler`.
        toolchain: `"zig"` or `"gcc"`.
        optimize: The compiler's optimization flag.
        include: Folders with headers.
        flags: More flags.

    Raises:
        EmulationError: If the compiler is missing, or refuses the code: the message holds its words.
    """
    if optimize not in OPTIMIZATIONS:
        raise ValueError(
            f"optimize must be one of {', '.join(OPTIMIZATIONS)}. Received: optimize={optimize!r}."
        )
    command = [
        *find_compiler(core, toolchain),
        optimize,
        "-g",
        "-std=c99",
        "-ffreestanding",
        "-fno-unwind-tables",
        "-fno-asynchronous-unwind-tables",
        *_SECTIONS,
        *(f"-I{folder}" for folder in include),
        *flags,
        "-Wl,-e,Reset_Handler",
        f"-Wl,-T,{script}",
        *map(str, sources),
        "-o",
        str(elf),
    ]
    if toolchain == "gcc":
        command += ["-nostdlib", "-lgcc"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or not Path(elf).is_file():
        raise EmulationError(f"The C did not compile for {core.name}:\n{done.stderr.strip()}")
