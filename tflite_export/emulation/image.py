"""A linked firmware image: symbols, sizes, and where each operator of the model ends."""

from __future__ import annotations

import bisect
import struct
from dataclasses import dataclass
from pathlib import Path

STEP_SECTION = "te_steps"
EXECUTABLE = 4


@dataclass(frozen=True)
class Image:
    """What an emulator and a report need of an ELF file.

    Attributes:
        segments: Load address and bytes of what is in flash.
        symbols: Name -> address, functions without their Thumb bit.
        functions: Start, name of each function, by address.
        steps: Address -> operator index, where the work of an operator is over.
        code_bytes: Executable bytes in flash.
        constant_bytes: Other bytes in flash, initial values of variables included.
        ram_bytes: Variables.
    """

    segments: tuple[tuple[int, bytes], ...]
    symbols: dict[str, int]
    functions: tuple[tuple[int, str], ...]
    steps: dict[int, int]
    code_bytes: int
    constant_bytes: int
    ram_bytes: int

    @property
    def flash_bytes(self) -> int:
        """Code and constants."""
        return self.code_bytes + self.constant_bytes

    def function_at(self, address):
        """Returns the name of the function that holds an address, "?" outside all of them."""
        at = bisect.bisect_right(self.functions, (address, "\U0010ffff")) - 1
        return self.functions[at][1] if at >= 0 else "?"


def read_image(path):
    """Reads an ELF file that `link` wrote.

    Args:
        path: The file.

    Example:
    >>> from tflite_export.emulation.image import read_image
    >>> read_image("firmware.elf").flash_bytes  # doctest: +SKIP
    33476
    """
    from elftools.elf.elffile import ELFFile

    with Path(path).open("rb") as file:
        elf = ELFFile(file)
        segments = tuple(
            (segment["p_paddr"], segment.data())
            for segment in elf.iter_segments()
            if segment["p_type"] == "PT_LOAD" and segment["p_filesz"]
        )
        table = list(elf.get_section_by_name(".symtab").iter_symbols())
        thumb = ~1 if elf["e_machine"] == "EM_ARM" else ~0
        functions = {s["st_value"] & thumb: s.name for s in table if s["st_info"]["type"] == "STT_FUNC"}
        symbols = {s.name: s["st_value"] for s in table if s.name}
        symbols.update({name: address for address, name in functions.items()})
        code = constants = ram = 0
        for section in elf.iter_sections():
            if not section["sh_flags"] & 2 or section["sh_type"] == "SHT_NULL":
                continue
            size = section["sh_size"]
            if section["sh_flags"] & EXECUTABLE:
                code += size
            elif section["sh_flags"] & 1:
                ram += size
                constants += size if section["sh_type"] != "SHT_NOBITS" else 0
            else:
                constants += size
        marks = elf.get_section_by_name(STEP_SECTION)
        pairs = struct.iter_unpack("<II", marks.data()) if marks else ()
        steps = {address & thumb: index for address, index in pairs}
    return Image(segments, symbols, tuple(sorted(functions.items())), steps, code, constants, ram)
