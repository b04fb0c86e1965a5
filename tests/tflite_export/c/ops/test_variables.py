import numpy as np
import pytest

from tests.tflite_export.c.judged import assert_equals_tflm, run_c
from tests.tflite_export.c.models import Operator, T, build
from tflite_export.c.emit import plan_program
from tflite_export.c.write import render_c
from tflite_export.errors import ModelError
from tflite_export.read import read

DEPTH, KEPT = 3, 4


def handle(index, name="window"):
    return Operator("VAR_HANDLE", (), (index,), "VarHandleOptions", {"container": "", "sharedName": name})


def window(initial, *, read_last=False):
    """Keeps the last `KEPT` rows of its input and returns them with the newest."""
    q = {"scale": 0.1, "zero_point": -5}
    table = lambda values: T(np.shape(values), "int32", data=values)  # noqa: E731
    tensors = [
        T((1, 1, DEPTH), "int8", **q),
        T((), "resource"),
        T((1, KEPT, DEPTH), "int8", **q),
        T((1, KEPT + 1, DEPTH), "int8", **q),
        table([0, 1, 0]),
        table([1, KEPT + 1, DEPTH]),
        table([1, 1, 1]),
        T((1, KEPT, DEPTH), "int8", **q),
        T((1, KEPT + 1, DEPTH), "int8", **q),
    ]
    operators = [
        Operator("CALL_ONCE", (), (), "CallOnceOptions", {"initSubgraphIndex": 1}),
        handle(1),
        Operator("READ_VARIABLE", (1,), (2,), "ReadVariableOptions"),
        Operator("CONCATENATION", (2, 0), (3,), "ConcatenationOptions", {"axis": 1}),
        Operator("STRIDED_SLICE", (3, 4, 5, 6), (7,), "StridedSliceOptions"),
        Operator("ASSIGN_VARIABLE", (1, 7), (), "AssignVariableOptions"),
        Operator("CONCATENATION", (2 if read_last else 7, 0), (8,), "ConcatenationOptions", {"axis": 1}),
    ]
    start = [T((), "resource"), T((1, KEPT, DEPTH), "int8", **q, data=initial)]
    once = [handle(0), Operator("ASSIGN_VARIABLE", (0, 1), (), "AssignVariableOptions")]
    return build(tensors, operators, (0,), (8,), [(start, once, (), ())])


@pytest.mark.parametrize("read_last", [False, True])
def test_streams_like_tflm(read_last):
    rng = np.random.default_rng(0)
    initials = [np.full((1, KEPT, DEPTH), -5), rng.integers(-128, 128, (1, KEPT, DEPTH))]
    models = [window(values, read_last=read_last) for values in initials]
    assert_equals_tflm(models, rng, count=8, reset=False)


def test_reset_brings_the_initial_values_back():
    initial = np.arange(KEPT * DEPTH).reshape(1, KEPT, DEPTH)
    rows = [[np.full((1, 1, DEPTH), 50 + i, np.int8)] for i in range(3)]
    (fresh,) = run_c([window(initial)], [rows], reset=True)
    for row, (out,) in zip(rows, fresh, strict=True):
        np.testing.assert_array_equal(out[0, : KEPT - 1], initial[0, 1:])
        np.testing.assert_array_equal(out[0, -1], row[0][0, 0])


def test_a_state_is_read_in_place_where_nothing_overwrites_it_too_early():
    initial = np.full((1, KEPT, DEPTH), -5)
    in_place = plan_program(read(window(initial)))
    copied = plan_program(read(window(initial, read_last=True)))
    assert len(in_place.calls) == len(copied.calls) - 1


def test_an_initialization_that_computes_is_refused():
    q = {"scale": 0.1, "zero_point": 0}
    start = [T((), "resource"), T((1, 2), "int8", **q, data=[[1, 2]]), T((1, 2), "int8", **q)]
    once = [handle(0), Operator("ABS", (1,), (2,)), Operator("ASSIGN_VARIABLE", (0, 2), ())]
    tensors = [T((1, 2), "int8", **q), T((), "resource"), T((1, 2), "int8", **q), T((1, 2), "int8", **q)]
    operators = [
        Operator("CALL_ONCE", (), (), "CallOnceOptions", {"initSubgraphIndex": 1}),
        handle(1),
        Operator("READ_VARIABLE", (1,), (2,)),
        Operator("ADD", (0, 2), (3,), "AddOptions"),
    ]
    with pytest.raises(ModelError, match="more than assign constants: ABS"):
        render_c(build(tensors, operators, (0,), (3,), [(start, once, (), ())]), "net")
