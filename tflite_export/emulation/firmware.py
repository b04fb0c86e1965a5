"""From a folder of generated C to a linked firmware image."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tflite_export.emulation.cores import Core
from tflite_export.emulation.image import Image, read_image
from tflite_export.emulation.toolchain import EmulationError, link

BOARD = Path(__file__).parent / "board"
_PORT = re.compile(r"^ \* (input|output) (\d+): (\w+) \[([\d, ]*)\]", re.MULTILINE)
_MARK = re.compile(r"TE_AFTER_OPERATOR\((\d+)\); /\* (\w+) \*/")


@dataclass(frozen=True)
class Port:
    """An input or output of the model: NumPy type and shape."""

    dtype: np.dtype
    shape: tuple[int, ...]

    @property
    def size_bytes(self) -> int:
        """Bytes in the arena."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize


@dataclass(frozen=True)
class ModelFolder:
    """What a folder written by `write_c` says about its model.

    Attributes:
        folder: The folder.
        name: Prefix of the model's functions.
        inputs: In the order of the model.
        outputs: In the order of the model.
        operators: Operator index -> schema name, in execution order.
    """

    folder: Path
    name: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    operators: dict[int, str]

    @property
    def sources(self) -> tuple[Path, ...]:
        """The C files."""
        return tuple(sorted(self.folder.glob("*.c")))


def read_folder(folder):
    """Reads what `write_c` left in a folder.

    Args:
        folder: The folder; it must hold one model.

    Raises:
        ValueError: If there is no model in it, or more than one.

    Example:
    >>> import tempfile
    >>> from tflite_export.emulation.firmware import read_folder
    >>> read_folder(tempfile.mkdtemp())  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    ValueError: folder must hold one model written by write_c. Received: folder='...' with 0 models.
    """
    folder = Path(folder)
    found = {}
    for header in sorted(folder.glob("*.h")):
        text = header.read_text(encoding="utf-8")
        if f"void {header.stem}_invoke(void);" in text and header.with_suffix(".c").is_file():
            found[header.stem] = text
    if len(found) != 1:
        raise ValueError(
            "folder must hold one model written by write_c. "
            f"Received: folder={str(folder)!r} with {len(found)} models."
        )
    ((name, text),) = found.items()
    ports: dict[str, list[Port]] = {"input": [], "output": []}
    for kind, _, dtype, shape in _PORT.findall(text):
        ports[kind].append(Port(np.dtype(dtype), tuple(int(d) for d in shape.split(",") if d.strip())))
    source = (folder / f"{name}.c").read_text(encoding="utf-8")
    operators = {int(index): code for index, code in _MARK.findall(source)}
    return ModelFolder(folder, name, tuple(ports["input"]), tuple(ports["output"]), operators)


def build(model: ModelFolder, core: Core, work, *, samples=(), toolchain="zig", optimize="-Os") -> Image:
    """Links a model into a firmware image for a core.

    Args:
        model: What `read_folder` returned.
        core: What to compile for.
        work: Folder for intermediate files.
        samples: For a core that QEMU runs, the inputs to link in: one tuple of arrays a sample.
        toolchain: `"zig"` or `"gcc"`.
        optimize: The compiler's optimization flag.

    Raises:
        EmulationError: If the compiler is missing or refuses the code, or the image does not fit.
    """
    work = Path(work)
    (work / "emulated_model.h").write_text(
        f'#include "{model.name}.h"\n#define TE_MODEL(function) {model.name}_##function\n', encoding="utf-8"
    )
    main, marks = "main.c", "marks.h"
    if core.qemu_command:
        main, marks = "main_qemu.c", "marks_qemu.h"
        (work / "emulated_samples.h").write_text(_samples(model, samples), encoding="utf-8")
    script = work / "memory.ld"
    script.write_text(_script(core), encoding="utf-8")
    elf = work / "firmware.elf"
    link(
        core,
        [BOARD / f"start_{core.family}.c", BOARD / main, *model.sources],
        elf,
        script=script,
        toolchain=toolchain,
        optimize=optimize,
        include=(work, model.folder),
        flags=(
            "-include",
            str(BOARD / marks),
            *(f"-Wl,-u,{model.name}_{function}" for function in ("input", "output", "invoke")),
        ),
    )
    image = read_image(elf)
    for what, needed, there in (
        ("flash", image.flash_bytes, core.flash[1]),
        ("RAM", image.ram_bytes, core.ram[1]),
    ):
        if needed > there:
            raise EmulationError(
                f"The image needs {needed} bytes of {what}, {core.name} is emulated with {there}."
            )
    return image


def _script(core):
    text = (BOARD / "memory.ld").read_text(encoding="utf-8")
    for place, (origin, size) in (("FLASH", core.flash), ("RAM", core.ram)):
        text = text.replace(f"{place}_ORIGIN", hex(origin)).replace(f"{place}_BYTES", hex(size))
    return text


def _samples(model, samples):
    content = b"".join(
        np.ascontiguousarray(array, port.dtype).tobytes()
        for sample in samples
        for array, port in zip(sample, model.inputs, strict=True)
    )

    def sizes(ports):
        return ", ".join(str(p.size_bytes) for p in ports)

    return (
        f"#define TE_SAMPLES {len(samples)}\n"
        f"#define TE_SAMPLE_BYTES {sum(p.size_bytes for p in model.inputs)}\n"
        f"#define TE_INPUTS {len(model.inputs)}\n"
        f"#define TE_OUTPUTS {len(model.outputs)}\n"
        f"#define TE_MARKS {max(model.operators, default=0) + 1}\n"
        f"static const uint32_t te_input_bytes[] = {{{sizes(model.inputs)}}};\n"
        f"static const uint32_t te_output_bytes[] = {{{sizes(model.outputs)}}};\n"
        f"static const uint8_t te_samples[] = {{{', '.join(map(str, content))}}};\n"
    )
