import ctypes
import re
import subprocess

import numpy as np
import pytest

import tflite_export as te
from tests.tflite_export.small_models import dense_model, pack
from tflite_export.c.array import float_literal

STANDARDS = {"c": ["gcc", "-x", "c", "-std=c99"], "c++": ["g++", "-x", "c++", "-std=c++11"]}


@pytest.fixture
def content():
    return pack(dense_model())


def macro(header, name):
    return re.search(rf"#define {name} (.*)", header).group(1)


@pytest.mark.parametrize("language", STANDARDS)
def test_the_pair_compiles_without_a_warning_and_holds_the_bytes(content, language, tmp_path):
    te.write_c_array(content, "small", tmp_path)
    flags = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-shared", "-fPIC"]
    library = tmp_path / "small.so"
    subprocess.run([*STANDARDS[language], *flags, "-o", library, tmp_path / "small.c"], check=True)
    array = (ctypes.c_ubyte * len(content)).in_dll(ctypes.CDLL(str(library)), "small")
    assert bytes(array) == content
    assert ctypes.addressof(array) % 16 == 0


@pytest.mark.parametrize("language", STANDARDS)
def test_a_program_sees_the_macros(content, language, tmp_path):
    te.write_c_array(content, "small", tmp_path)
    (tmp_path / "main.c").write_text(
        """#include "small.h"
        #include <stdio.h>
        static const int shape[SMALL_INPUT_RANK] = SMALL_INPUT_SHAPE;
        int main(void) {
          printf("%d %d %d %.9g %d %d", (int)SMALL_LEN, shape[1], SMALL_NUM_OUTPUTS,
                 (double)SMALL_INPUT_SCALE, SMALL_INPUT_ZERO_POINT, (int)(SMALL_ARENA_BYTES % 16u));
          return sizeof small != SMALL_LEN;
        }"""
    )
    program = tmp_path / "main"
    sources = [tmp_path / "main.c", tmp_path / "small.c"]
    flags = ["-Wall", "-Wextra", "-Werror", "-pedantic"]
    subprocess.run([*STANDARDS[language], *flags, "-o", program, *sources], check=True)
    printed = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    tensor = te.read(content).inputs[0]
    scale, zero = tensor.quantization.scale[0], tensor.quantization.zero_point[0]
    assert printed.split() == [str(len(content)), str(tensor.shape[1]), "1", f"{scale:.9g}", str(zero), "0"]


def test_the_arena_is_what_tflm_needs_to_start_and_a_tenth(content, tmp_path):
    from tflite_export.tflm import measure_arena

    te.write_c_array(content, "small", tmp_path)
    measured = measure_arena(content).required_bytes
    header = (tmp_path / "small.h").read_text()
    assert f"{measured} measured" in header
    assert measured * 1.1 - 1 <= int(macro(header, "SMALL_ARENA_BYTES")[:-1]) < measured * 1.1 + 16


def test_the_arena_can_be_given(content, tmp_path):
    te.write_c_array(content, "small", tmp_path, arena_bytes=4096)
    assert macro((tmp_path / "small.h").read_text(), "SMALL_ARENA_BYTES") == "4096u"
    with pytest.raises(ValueError, match="arena_bytes must be positive. Received: arena_bytes=-1"):
        te.write_c_array(content, "small", tmp_path, arena_bytes=-1)


@pytest.mark.parametrize("name", ["", "2nd", "my model", "a-b", "é", "_hidden", "../up", 5])
def test_names_that_are_no_identifiers_are_refused(content, name, tmp_path):
    with pytest.raises(ValueError, match="must be a C identifier"):
        te.write_c_array(content, name, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["int", "class", "alignas"])
def test_keywords_are_refused(content, name, tmp_path):
    with pytest.raises(ValueError, match="must not be a keyword"):
        te.write_c_array(content, name, tmp_path)


def test_what_is_no_tflite_is_refused(tmp_path):
    with pytest.raises(te.ModelError, match="not a .tflite file"):
        te.write_c_array(b"\0" * 64, "small", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_truncated_file_is_refused(content, tmp_path):
    with pytest.raises(te.ModelError):
        te.write_c_array(content[: len(content) // 2], "small", tmp_path)


def test_a_folder_that_cannot_be_written_is_refused(content, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="Cannot write into the folder"):
        te.write_c_array(content, "small", tmp_path / "file")


@pytest.mark.parametrize("value", [0.5847029, 1.0, 1e-20, 1 / 3, 3e20])
def test_literals_read_back_to_the_same_float(value):
    value = np.float32(value)
    assert np.float32(float_literal(value)[:-1]) == value
    assert float_literal(value).endswith("f")
    assert any(c in float_literal(value) for c in ".e")
