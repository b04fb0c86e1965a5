import re
import subprocess

import numpy as np
import pytest

from tests.tflite_export.c.judged import STRICT, ZIG, host_compiler
from tests.tflite_export.c.models import Operator, T, build, single
from tflite_export.c.write import RUNTIME, render_c, write_c
from tflite_export.errors import ModelError


def small_network(seed=0):
    """CONV_2D, ADD to itself, MEAN, FULLY_CONNECTED and SOFTMAX."""
    rng = np.random.default_rng(seed)
    tensors = [
        T((1, 6, 6, 3), "int8", 0.05, 3),
        T((4, 3, 3, 3), "int8", [0.01, 0.02, 0.015, 0.01], 0, rng.integers(-127, 128, (4, 3, 3, 3))),
        T((4,), "int32", [0.0005, 0.001, 0.00075, 0.0005], 0, rng.integers(-500, 500, 4)),
        T((1, 6, 6, 4), "int8", 0.1, -10),
        T((1, 6, 6, 4), "int8", 0.2, -12),
        T((2,), "int32", data=[1, 2]),
        T((1, 4), "int8", 0.2, -12),
        T((5, 4), "int8", 0.01, 0, rng.integers(-127, 128, (5, 4))),
        T((1, 5), "int8", 0.1, 0),
        T((1, 5), "int8", 1 / 256, -128),
    ]
    operators = [
        Operator("CONV_2D", (0, 1, 2), (3,), "Conv2DOptions", {"padding": 0, "strideH": 1, "strideW": 1}),
        Operator("ADD", (3, 3), (4,), "AddOptions"),
        Operator("MEAN", (4, 5), (6,), "ReducerOptions"),
        Operator("FULLY_CONNECTED", (6, 7, -1), (8,), "FullyConnectedOptions"),
        Operator("SOFTMAX", (8,), (9,), "SoftmaxOptions", {"beta": 1.0}),
    ]
    return build(tensors, operators, (0,), (9,))


def test_writes_only_the_kernels_used(tmp_path):
    paths = write_c(small_network(), "net", tmp_path, self_test=False)
    names = {p.name for p in paths}
    assert {"net.c", "net.h", "add_int8.c", "softmax_tableless_int8.c"} <= names
    assert "lookup_int8.c" not in names
    assert names == {p.name for p in tmp_path.iterdir()}


def test_the_same_model_gives_the_same_text():
    assert render_c(small_network(), "net") == render_c(small_network(), "net")


def test_constants_that_are_equal_are_stored_once():
    rng = np.random.default_rng(0)
    weights = T((4, 4), "int8", 0.01, 0, rng.integers(-127, 128, (4, 4)))
    tensors = [
        T((1, 4), "int8", 0.1, 0),
        weights,
        weights,
        T((1, 4), "int8", 0.1, 0),
        T((1, 4), "int8", 0.1, 0),
    ]
    dense = "FullyConnectedOptions"
    operators = [
        Operator("FULLY_CONNECTED", (0, 1, -1), (3,), dense),
        Operator("FULLY_CONNECTED", (3, 2, -1), (4,), dense),
    ]
    source = render_c(build(tensors, operators, (0,), (4,)), "net", self_test=False)["net.c"]
    assert len(re.findall(r"_weights\[", source)) == 1


def test_header_states_shapes_scales_and_arena():
    header = render_c(small_network(), "net", self_test=False)["net.h"]
    assert "int8 [1, 6, 6, 3]" in header
    assert re.search(r"#define NET_INPUT_0_SCALE 0\.05\d*f", header)
    assert "#define NET_INPUT_0_ZERO_POINT (3)" in header
    assert "#define NET_OUTPUT_0_SIZE 5" in header
    assert int(re.search(r"NET_ARENA_BYTES (\d+)", header)[1]) <= 108 + 2 * 144


def test_every_unsupported_operator_is_named_before_anything_is_written(tmp_path):
    tensors = [T((1, 4), "float32"), T((1, 4), "float32"), T((1, 4), "float32")]
    operators = [Operator("COS", (0,), (1,)), Operator("ADD", (0, 1), (2,), "AddOptions")]
    target = tmp_path / "out"
    with pytest.raises(
        ModelError, match=r"(?s)COS \(operator 0\): no kernel.*ADD \(operator 1\): output 0 is float32"
    ):
        write_c(build(tensors, operators, (0,), (2,)), "net", target)
    assert not target.exists()


def test_an_output_that_is_a_constant_is_refused():
    tensors = [T((1, 4), "int8", 0.1, 0), T((1, 4), "int8", 0.1, 0, [[1, 2, 3, 4]]), T((4,), "int8", 0.1, 0)]
    model = build(tensors, [Operator("RESHAPE", (1,), (2,), "ReshapeOptions", {"newShape": [4]})], (0,), (2,))
    with pytest.raises(ModelError, match="output 2 is a constant"):
        render_c(model, "net")


def test_legacy_inputs_of_different_scales_are_not_joined():
    sources = [T((1, 2), "uint8", 0.1, 0), T((1, 2), "uint8", 0.2, 0)]
    model = single("CONCATENATION", sources, [T((1, 4), "uint8", 0.1, 0)], "ConcatenationOptions", axis=1)
    with pytest.raises(ModelError, match="input 1 has another type or scale"):
        render_c(model, "net")


def test_a_sum_that_could_overflow_is_refused():
    weights = T((1, 70000), "int8", 0.01, 0, np.full((1, 70000), 127))
    model = single("FULLY_CONNECTED", [T((1, 70000), "int8", 0.1, 0), weights], [T((1, 1), "int8", 9.0, 0)],
                   "FullyConnectedOptions")  # fmt: skip
    with pytest.raises(ModelError, match="accumulator could reach"):
        render_c(model, "net")


@pytest.mark.parametrize("name", ["1st", "no-dash", "while", "", "template"])
def test_a_name_must_be_an_identifier(name):
    with pytest.raises(ValueError, match="name must"):
        render_c(small_network(), name)


def test_a_name_of_a_kernel_is_refused():
    with pytest.raises(ValueError, match="must differ from the kernels' names"):
        render_c(small_network(), "add_int8")


MAIN = """
#include "net.h"
#include <stdlib.h>
int main(void) {
  void *arena = malloc(NET_ARENA_BYTES);
  int first = net_self_test_in(arena), second = net_self_test_in(arena);
  free(arena);
  net_input(0)[0] = 1;
  net_invoke();
  return first || second || net_input(1) != 0 || net_output(-1) != 0 || net_output(0) == 0;
}
"""


def test_self_test_passes_and_notices_a_wrong_weight(tmp_path):
    write_c(small_network(), "net", tmp_path)
    (tmp_path / "main.c").write_text(MAIN)
    assert run(tmp_path) == 0
    source = (tmp_path / "net.c").read_text()
    found = re.search(r"(_bias\[\d+\][^{]*\{\s*)(-?\d+)", source)
    (tmp_path / "net.c").write_text(source[: found.start(2)] + "90000" + source[found.end(2) :])
    assert run(tmp_path) == 1


def run(folder):
    sources = sorted(p.name for p in folder.glob("*.c"))
    command = [*host_compiler(), *STRICT, "-DNET_SELF_TEST", *sources, "-o", "run"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return subprocess.run([folder / "run"], check=False).returncode


@pytest.mark.slow
def test_clang_accepts_every_kernel_too(tmp_path):
    sources = sorted(map(str, RUNTIME.glob("*.c")))
    command = [*ZIG, *STRICT, "-O0", "-shared", "-fPIC", *sources, "-o", "kernels.so"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def test_the_runtime_needs_no_library():
    for path in RUNTIME.glob("*.[ch]"):
        for header in re.findall(r"#\s*include <(.*)>", path.read_text()):
            assert header in ("stdint.h", "arm_acle.h", "arm_mve.h"), path.name


def test_every_kernel_has_a_header_and_uses_one_prefix():
    for path in RUNTIME.glob("*.c"):
        header = path.with_suffix(".h").read_text()
        functions = re.findall(r"^\w[\w ]* \**(\w+)\(", header, re.MULTILINE)
        assert functions
        assert all(name.startswith(("te_", "TE_")) for name in functions), functions
        assert f"#ifndef TE_{path.stem.upper()}_H" in header
