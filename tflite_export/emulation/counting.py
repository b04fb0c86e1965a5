"""Running a firmware image on Unicorn and counting every instruction."""

from __future__ import annotations

from collections import Counter

from tflite_export.emulation.cores import Core
from tflite_export.emulation.image import Image
from tflite_export.emulation.toolchain import EmulationError

_PAINT = 0xA5
AFTERWARDS = -1
_STACK_BYTES = 64 << 10
_LONG = 0x1D  # a Thumb instruction takes four bytes where the top five bits are at least this


class CountingCore:
    """An emulated core with an image in its flash, ready to call functions.

    Example:
    >>> core = CountingCore(image, find_core("cortex-m4"))  # doctest: +SKIP
    >>> core.call("kws_invoke")  # doctest: +SKIP
    >>> core.instructions  # doctest: +SKIP
    """

    def __init__(self, image: Image, core: Core):
        try:
            import unicorn
            from unicorn import arm_const
        except ImportError as error:
            raise EmulationError(
                f"Emulating {core.name} needs unicorn, which is not installed: `pip install unicorn`."
            ) from error
        self._arm = arm_const
        self._image = image
        self._failure = unicorn.UcError
        self._uc = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
        self._uc.ctl_set_cpu_model(getattr(arm_const, core.unicorn_model))
        for origin, size in (core.flash, core.ram, (0xE000_0000, 0x10_0000)):
            self._uc.mem_map(origin, size)
        for address, content in image.segments:
            self._uc.mem_write(address, content)
        self._return = sum(core.flash) - 16  # above the image: a call is over when execution gets here
        self._stack = core.ram[0] + core.ram[1]
        self._lengths: dict[tuple[int, int], tuple[int, ...]] = {}
        self._runs: Counter = Counter()
        self._block = (0, 0)
        self._carried = 0
        self._counted: dict[int, int] = {}
        self._blocks: Counter = Counter()
        self._start_up()

    @property
    def instructions(self) -> int:
        """Instructions that the last call executed."""
        return sum(self._counted.values())

    @property
    def by_step(self) -> dict[int, int]:
        """Operator index -> instructions of the last call; `AFTERWARDS` -> those after the last operator."""
        return dict(self._counted)

    @property
    def by_function(self) -> dict[str, int]:
        """Function -> instructions of the last call."""
        result: Counter = Counter()
        for (address, size), runs in self._blocks.items():
            result[self._image.function_at(address)] += runs * len(self._lengths[address, size])
        return dict(result)

    @property
    def stack_bytes(self) -> int:
        """Deepest stack of the last call."""
        content = self.read(self._stack - _STACK_BYTES, _STACK_BYTES)
        return len(content.lstrip(bytes([_PAINT])))

    def read(self, address, size) -> bytes:
        """Returns bytes of memory."""
        return bytes(self._uc.mem_read(address, size))

    def write(self, address, content):
        """Sets bytes of memory."""
        self._uc.mem_write(address, bytes(content))

    def call(self, function, argument=0, *, count=False) -> int:
        """Calls a function of one argument and returns its result.

        Args:
            function: Name of a symbol.
            argument: What it gets in its first register.
            count: Whether to count instructions, from scratch; slower.

        Raises:
            EmulationError: If there is no such function, or the core faults in it.
        """
        if function not in self._image.symbols:
            raise EmulationError(f"The firmware has no function {function}.")
        handles = self._start_counting() if count else ()
        self.write(self._stack - _STACK_BYTES, bytes([_PAINT]) * _STACK_BYTES)
        arm = self._arm
        self._uc.reg_write(arm.UC_ARM_REG_SP, self._stack)
        self._uc.reg_write(arm.UC_ARM_REG_LR, self._return | 1)
        self._uc.reg_write(arm.UC_ARM_REG_R0, argument)
        try:
            self._uc.emu_start(self._image.symbols[function] | 1, self._return)
        except self._failure as error:
            at = self._uc.reg_read(arm.UC_ARM_REG_PC)
            raise EmulationError(
                f"The core faulted in {self._image.function_at(at)} at {at:#x}: {error}."
            ) from error
        finally:
            for handle in handles:
                self._uc.hook_del(handle)
        if count:
            self._close_step(AFTERWARDS, 0)
        return self._uc.reg_read(arm.UC_ARM_REG_R0)

    def _start_up(self):
        """Runs the reset code as far as main, which sets up the variables."""
        arm = self._arm
        self._uc.reg_write(arm.UC_ARM_REG_SP, self._stack)
        try:
            self._uc.emu_start(self._image.symbols["Reset_Handler"] | 1, self._image.symbols["main"])
        except self._failure as error:
            raise EmulationError(f"The core faulted in start-up: {error}.") from error

    def _start_counting(self):
        from unicorn import UC_HOOK_BLOCK, UC_HOOK_CODE

        self._counted, self._carried = {}, 0
        self._runs, self._blocks = Counter(), Counter()
        handles = [self._uc.hook_add(UC_HOOK_BLOCK, self._on_block)]
        for address in self._image.steps:
            handles.append(self._uc.hook_add(UC_HOOK_CODE, self._on_step, begin=address, end=address))
        return handles

    def _on_block(self, _uc, address, size, _user):
        key = address, size
        self._block = key
        self._runs[key] += 1

    def _on_step(self, _uc, address, _size, _user):
        start, size = self._block
        rest = 0
        if start <= address < start + size:  # the rest of the block belongs to the next operator
            rest = sum(1 for offset in self._offsets(self._block) if start + offset >= address)
        self._close_step(self._image.steps[address], rest)

    def _close_step(self, step, rest):
        executed = sum(runs * len(self._offsets(key)) for key, runs in self._runs.items())
        self._counted[step] = self._counted.get(step, 0) + self._carried + executed - rest
        self._carried = rest
        self._blocks.update(self._runs)
        self._runs = Counter()

    def _offsets(self, key):
        """Where the instructions of a block start."""
        if key not in self._lengths:
            address, size = key
            content, at, offsets = self.read(address, size), 0, []
            while at < size:
                offsets.append(at)
                at += 4 if content[at + 1] >> 3 >= _LONG else 2
            self._lengths[key] = tuple(offsets)
        return self._lengths[key]
