import numpy as np

from tests.tflite_export.c.judged import assert_equals_tflm
from tests.tflite_export.c.models import Operator, T, build
from tflite_export.c.emit import plan_program
from tflite_export.read import read


def two_branches(rng):
    """Two branches that widen their input and then shrink it; the file runs both wide parts first."""
    dense = "FullyConnectedOptions"

    def weights(units, depth):
        return T((units, depth), "int8", 0.01, 0, rng.integers(-127, 128, (units, depth)))

    tensors = [
        T((1, 16), "int8", 0.1, 0),
        weights(400, 16),
        weights(400, 16),
        T((1, 400), "int8", 0.2, 0),
        T((1, 400), "int8", 0.2, 0),
        weights(4, 400),
        weights(4, 400),
        T((1, 4), "int8", 0.5, 0),
        T((1, 4), "int8", 0.5, 0),
        T((1, 4), "int8", 0.5, 0),
    ]
    operators = [
        Operator("FULLY_CONNECTED", (0, 1, -1), (3,), dense),
        Operator("FULLY_CONNECTED", (0, 2, -1), (4,), dense),
        Operator("FULLY_CONNECTED", (3, 5, -1), (7,), dense),
        Operator("FULLY_CONNECTED", (4, 6, -1), (8,), dense),
        Operator("ADD", (7, 8), (9,), "AddOptions"),
    ]
    return build(tensors, operators, (0,), (9,))


def test_operators_are_reordered_where_that_lowers_the_peak():
    content = two_branches(np.random.default_rng(0))
    program = plan_program(read(content))
    assert [step.index for step in program.steps] in ([0, 2, 1, 3, 4], [1, 3, 0, 2, 4])
    assert_equals_tflm([content], np.random.default_rng(1))
