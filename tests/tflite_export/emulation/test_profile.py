import shutil

import numpy as np
import pytest

from tests.tflite_export.c.models import single
from tests.tflite_export.c.properties import accumulated, activation, bias, weights
from tflite_export import tflm
from tflite_export.c.write import write_c
from tflite_export.emulation.profile import emulate
from tflite_export.emulation.toolchain import EmulationError
from tflite_export.errors import ModelError

HEADER = """ * input 0: int8 [4], real = 1 * (q - 0)
 * output 0: int8 [4], real = 1 * (q - 0) */
#include <stdint.h>
int8_t *toy_input(int index);
int8_t *toy_output(int index);
void toy_invoke(void);
"""
SOURCE = """#include "toy.h"
static int8_t data[4];
int8_t *toy_input(int index) { (void)index; return data; }
int8_t *toy_output(int index) { (void)index; return data; }
__attribute__((naked)) void toy_invoke(void) {
  __asm__ volatile("%(first)s");
  TE_AFTER_OPERATOR(0); /* FIRST */
  __asm__ volatile("%(second)s");
  TE_AFTER_OPERATOR(7); /* SECOND */
  __asm__ volatile("bx lr");
}
"""


def dense(depth=12, units=6, seed=0):
    rng = np.random.default_rng(seed)
    source = activation(rng, shape=(1, depth))
    kernel = weights(rng, (units, depth), units)
    target = accumulated(rng, source, kernel, (1, units), depth)
    return single("FULLY_CONNECTED", [source, kernel, bias(rng, source, kernel, units)], [target],
                  "FullyConnectedOptions", fusedActivationFunction=0)  # fmt: skip


def toy(folder, first="nop", second="nop"):
    (folder / "toy.h").write_text("/* toy\n" + HEADER)
    (folder / "toy.c").write_text(SOURCE % {"first": first, "second": second})
    return folder


@pytest.mark.parametrize("cpu", ["cortex-m0", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33"])
def test_outputs_equal_tflm_on_every_core_of_unicorn(cpu):
    profile = emulate(dense(), cpu)
    assert profile.matches is True
    assert profile.samples == 3
    assert profile.outputs[0].shape == (3, 1, 6)
    assert [op.code for op in profile.operators] == ["FULLY_CONNECTED"]
    assert 0 < profile.operators[0].instructions <= profile.instructions
    assert sum(profile.functions.values()) == profile.instructions


@pytest.mark.parametrize(
    ("cpu", "program"), [("cortex-m55", "qemu-system-arm"), ("rv32imc", "qemu-system-riscv32")]
)
def test_outputs_equal_tflm_on_cores_of_qemu(cpu, program):
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed, and no Python package holds it")
    profile = emulate(dense(), cpu)
    assert profile.matches is True
    assert profile.instructions > 12 * 6
    assert 0 < profile.stack_bytes < 2000


def test_every_instruction_is_counted_once_for_its_operator(tmp_path):
    profile = emulate(toy(tmp_path, "nop\\n nop.w\\n nop", "mov r0, #9\\n1: subs r0, #1\\n bne 1b"))
    assert [(op.index, op.code, op.instructions) for op in profile.operators] == [
        (0, "FIRST", 3),
        (7, "SECOND", 19),
    ]
    assert profile.instructions == 3 + 19 + 1


def test_stack_is_the_deepest_touched_byte(tmp_path):
    assert emulate(toy(tmp_path, "push {r0-r7}\\n pop {r0-r7}")).stack_bytes == 32


def test_counts_repeat():
    first, second = emulate(dense()), emulate(dense())
    assert first.instructions == second.instructions
    np.testing.assert_array_equal(first.outputs[0], second.outputs[0])


def test_sizes_grow_with_the_model():
    small, large = emulate(dense(), check=False), emulate(dense(units=106), check=False)
    assert small.matches is None
    assert large.constant_bytes - small.constant_bytes >= 100 * 12
    assert large.ram_bytes > small.ram_bytes
    assert large.flash_bytes == large.code_bytes + large.constant_bytes


def test_a_wrong_output_is_seen(monkeypatch):
    correct = tflm.run
    monkeypatch.setattr(tflm, "run", lambda *a: [y ^ 1 for y in correct(*a)])
    profile = emulate(dense())
    assert profile.matches is False
    assert "outputs DIFFER FROM TensorFlow Lite Micro's on 3 samples" in str(profile)


def test_a_model_that_tflm_refuses_is_not_compared(monkeypatch):
    def refuse(*_):
        raise ModelError("TFLM refused the model")

    monkeypatch.setattr(tflm, "run", refuse)
    profile = emulate(dense())
    assert profile.matches is None
    assert profile.instructions > 0


@pytest.mark.parametrize("name", ["net", "model", "samples", "main"])
def test_a_folder_of_c_runs_with_given_samples(tmp_path, name):
    write_c(dense(), name, tmp_path, self_test=False)
    samples = np.arange(24, dtype=np.int8).reshape(2, 12)
    profile = emulate(tmp_path, samples=samples)
    np.testing.assert_array_equal(profile.outputs[0], tflm.run(dense(), samples)[0])
    assert "outputs not compared" in str(profile)


def test_the_table_names_operators_and_totals():
    text = str(emulate(dense()))
    assert "FULLY_CONNECTED" in text
    assert "cortex-m4, zig -Os" in text
    assert "outputs equal TensorFlow Lite Micro's on 3 samples" in text


def test_a_fault_names_the_function(tmp_path):
    with pytest.raises(EmulationError, match="faulted in toy_invoke"):
        emulate(toy(tmp_path, "mov r0, #0x60000000\\n ldr r0, [r0]"))


def test_c_that_does_not_compile_is_quoted(tmp_path):
    toy(tmp_path)
    with (tmp_path / "toy.c").open("a") as file:
        file.write("int broken(void) { return missing; }\n")
    with pytest.raises(EmulationError, match=r"did not compile for cortex-m4:[\s\S]*missing"):
        emulate(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cpu": "z80"}, "cpu must be one of cortex-m0, .*Received: cpu='z80'"),
        ({"toolchain": "tcc"}, "toolchain must be one of zig, gcc. Received: toolchain='tcc'"),
        ({"optimize": "-O9"}, "optimize must be one of .*Received: optimize='-O9'"),
        ({"samples": np.zeros((2, 12))}, "samples of input 0 must be int8 of shape .*Received: float64"),
        ({"samples": [np.zeros(12, np.int8)] * 2}, "one array for each of the 1 inputs. Received: 2"),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        emulate(dense(), **arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cpu": "cortex-m55"}, "cortex-m55 runs on qemu-system-arm, which is not on the path"),
        ({"cpu": "rv32imc"}, "rv32imc runs on qemu-system-riscv32, which is not on the path"),
        ({"toolchain": "gcc"}, "arm-none-eabi-gcc is not on the path"),
    ],
)
def test_a_missing_tool_is_named(monkeypatch, arguments, message):
    monkeypatch.setattr(shutil, "which", lambda program: None)
    with pytest.raises(EmulationError, match=message):
        emulate(dense(), **arguments)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"folder must hold one model written by write_c. .* with 0 models"):
        emulate(tmp_path)
