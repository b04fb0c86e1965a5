"""Every kernel against TensorFlow Lite Micro, or against the generated C where TFLM has none."""

import numpy as np
import pytest
import tensorflow as tf

from keras_shrink.simulation.kernel import kernels
from keras_shrink.simulation.program import Program
from tests.tflite_export.c.judged import describe, random_inputs, run_c
from tests.tflite_export.c.models import T, single
from tests.tflite_export.c.ops import (
    test_batch_matmul,
    test_binary,
    test_conv_2d,
    test_depthwise_conv_2d,
    test_fully_connected,
    test_int16,
    test_lstm,
    test_movement,
    test_normalization,
    test_pool_2d,
    test_quantize,
    test_reduction,
    test_svdf,
    test_transpose_conv,
    test_uint8,
    test_unary,
    test_variables,
)
from tests.tflite_export.c.tflm_batch import run_tflm_batch
from tflite_export.errors import ModelError
from tflite_export.read import read

MODELS, SAMPLES = 5, 4


def leaky_relu(rng):
    dtype = test_unary.pick(rng, "int8", "int16")
    return test_unary.unary("LEAKY_RELU", dtype, "LeakyReluOptions", alpha=slope)(rng)


def slope(rng):
    return float(rng.uniform(-0.2, 0.4))


def rounded(rng):
    source, target = (
        T((40,), "int8", float(rng.uniform(0.02, 0.2)), int(rng.integers(-128, 128))) for _ in "12"
    )
    return single(test_unary.pick(rng, "NEG", "SQRT"), [source], [target])


def window(rng):
    initial = rng.integers(-128, 128, (1, test_variables.KEPT, test_variables.DEPTH))
    return test_variables.window(initial, read_last=bool(rng.integers(2)))


JUDGED_BY_TFLM = {
    **{make.__name__.strip("_"): make for make in test_movement.MAKERS},
    "add": test_binary.add,
    "mul": test_binary.mul,
    "minimum": test_binary.minimum,
    "squared_difference": test_binary.squared_difference,
    "prelu": test_binary.prelu,
    "relu": test_unary.unary("RELU"),
    "relu_int16": test_unary.unary("RELU", "int16"),
    "relu6": test_unary.relu6,
    "relu6_int16": test_unary.unary("RELU6", "int16"),
    "leaky_relu": leaky_relu,
    "abs": test_unary.unary("ABS"),
    "abs_int16": test_unary.unary("ABS", "int16"),
    "elu": test_unary.unary("ELU"),
    "hard_swish": test_unary.unary("HARD_SWISH"),
    "logistic": test_unary.to_fixed_output("LOGISTIC", "int8", 1 / 256, -128),
    "tanh": test_unary.to_fixed_output("TANH", "int8", 1 / 128, 0),
    "logistic_int16": test_unary.to_fixed_output("LOGISTIC", "int16", 2**-15, 0),
    "tanh_int16": test_unary.to_fixed_output("TANH", "int16", 2**-15, 0),
    "power_of_two": test_unary.power_of_two,
    "rsqrt": test_unary.rsqrt,
    "between_integers": test_quantize.between_integers,
    "from_float": test_quantize.from_float,
    "to_float": test_quantize.to_float,
    "conv_2d": test_conv_2d.conv_2d,
    "conv_2d_int4": lambda rng: test_conv_2d.conv_2d(rng, weight_dtype="int4"),
    "depthwise_conv_2d": test_depthwise_conv_2d.depthwise_conv_2d,
    "fully_connected": test_fully_connected.fully_connected,
    "linear_int16": test_int16.any_of,
    "transpose_conv": test_transpose_conv.transpose_conv,
    "batch_matmul": test_batch_matmul.batch_matmul,
    "pool_2d": test_pool_2d.pool_2d,
    "sum": test_reduction.reduction("MEAN", "SUM", dtypes=("int8", "int8", "int16")),
    "reduce_max": test_reduction.reduction("REDUCE_MAX", "REDUCE_MIN", same=True),
    "arg_max": test_reduction.arg_max,
    "softmax": test_normalization.softmax,
    "softmax_int16": test_int16.softmax,
    "softmax_from_int8": test_int16.softmax_from_int8,
    "log_softmax": test_normalization.log_softmax,
    "l2_normalization": test_normalization.l2_normalization,
    "resize": test_movement.resize,
    "reshape": test_movement.reshape,
    "lstm": test_lstm.lstm,
    "svdf": test_svdf.svdf,
}
JUDGED_BY_C = {
    "rounded": rounded,
    "window": window,
    **{f"{make.__name__}_uint8": make for make in (test_uint8.conv_2d, test_uint8.depthwise_conv_2d)},
    **{f"{make.__name__}_uint8": make for make in (test_uint8.pool_2d, test_uint8.softmax)},
}
CASES = {**JUDGED_BY_TFLM, **JUDGED_BY_C}


@pytest.fixture(scope="module")
def answers():
    """Name of a case -> (model, samples, outputs) for each of its models, all judged at once."""
    rng = np.random.default_rng(0)
    jobs = {}
    for name, make in CASES.items():
        models = [make(rng) for _ in range(MODELS)]
        jobs[name] = [(model, random_inputs(model, rng, SAMPLES)) for model in models]
    judged = {}
    for names, judge in (
        (JUDGED_BY_TFLM, run_tflm_batch),
        (JUDGED_BY_C, lambda jobs: run_c(*zip(*jobs, strict=True))),
    ):
        flat = [job for name in names for job in jobs[name]]
        results = iter(judge(flat))
        judged.update({name: [(*job, next(results)) for job in jobs[name]] for name in names})
    return judged


@pytest.mark.parametrize("name", CASES)
def test_equals_the_device_bit_for_bit(name, answers):
    for model, samples, outputs in answers[name]:
        inputs = [tf.constant(np.stack(column)) for column in zip(*samples, strict=True)]
        results = Program(read(model))(inputs)
        for position, got in enumerate(results):
            want = np.stack([row[position] for row in outputs]).reshape(got.shape)
            assert got.dtype.name == want.dtype.name
            bits = f"u{want.dtype.itemsize}"
            np.testing.assert_array_equal(got.numpy().view(bits), want.view(bits), describe(model))


def test_every_kernel_has_a_case(answers):
    tried = {op.code for jobs in answers.values() for model, *_ in jobs for op in read(model).main.ops}
    assert tried >= set(kernels()) - {"MY_IDENTITY"}  # the example in a docstring


def test_everything_that_becomes_c_can_be_simulated():
    from tflite_export.c.emit import emitters
    from tflite_export.c.strips import JOIN, ROWS

    assert set(emitters()) - {ROWS, JOIN, "MY_IDENTITY"} <= set(kernels())


@pytest.mark.parametrize("name", ["conv_2d", "softmax"])
def test_compiled_functions_compute_the_same(name, answers):
    model, samples, _ = answers[name][0]
    inputs = [tf.constant(np.stack(column)) for column in zip(*samples, strict=True)]
    program = Program(read(model))
    plain = [value.numpy() for value in program(inputs)]
    for jit in (False, True):
        traced = tf.function(program, jit_compile=jit)(inputs)
        for a, b in zip(plain, traced, strict=True):
            np.testing.assert_array_equal(a, b.numpy())


def test_names_all_that_it_cannot_compute():
    import ai_edge_litert.schema_py_generated as schema

    from tests.tflite_export.c.models import Operator, build

    tensors = [T((1, 4), "float32") for _ in range(4)] + [T((1, 4), "int8", 0.1, 0)]
    operators = [
        Operator("COS", (0,), (1,)),
        Operator("LOGISTIC", (1,), (2,)),
        Operator(
            "ADD", (2, 1), (3,), "AddOptions", {"fusedActivationFunction": schema.ActivationFunctionType.NONE}
        ),
    ]
    with pytest.raises(ModelError, match="cannot be simulated") as error:
        Program(read(build(tensors, operators, (0,), (3,))))
    for reason in (
        "COS (operator 0): no kernel",
        "LOGISTIC (operator 1): input 0 is float32",
        "ADD (operator 2)",
    ):
        assert reason in str(error.value)
