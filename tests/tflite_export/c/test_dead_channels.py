import ai_edge_litert.schema_py_generated as schema
import numpy as np
import pytest

from tests.tflite_export.c.judged import assert_equals_tflm
from tests.tflite_export.c.models import Operator, T, build
from tests.tflite_export.c.properties import accumulated, activation, bias, pick, weights
from tflite_export.c.dead_channels import drop_dead_channels
from tflite_export.c.emit import plan_program
from tflite_export.c.render import constant_bytes
from tflite_export.read import read

SAME, VALID = schema.Padding.SAME, schema.Padding.VALID


def kernel_and_bias(rng, source, shape, channels, axis, dead, level):
    """Weights and bias; the dead channels get so small a scale that their bias alone decides, at `level`."""
    kernel = weights(rng, shape, channels, axis=axis)
    offset = bias(rng, source, kernel, channels)
    scales, values = np.array(kernel.scale), np.array(offset.data)
    for c in dead:
        scales[c] = level / (source.scale * 1.07e9)
        values[c] = 1 << 30 if level > 0 else -(1 << 30)
        scales[c] = abs(scales[c])
    kernel = T(kernel.shape, "int8", scales.tolist(), 0, kernel.data, axis)
    return kernel, T(offset.shape, "int32", [source.scale * s for s in scales], 0, values)


def network(rng, *, dead=(1, 2, 4, 5, 6, 7, 9, 11), channels=12, padding=SAME, level=-1.0, relu=True):
    """conv 3 x 3, depthwise 3 x 3, conv 1 x 1, mean pool, dense; `dead` channels after both convolutions."""
    source = activation(rng, shape=(1, 6, 5, 3))
    tensors, operators = [source], []

    def add(code, inputs, target, options_name, **options):
        tensors.append(target)
        operators.append(Operator(code, tuple(inputs), (len(tensors) - 1,), options_name, options))
        return len(tensors) - 1

    def constants(*specs):
        tensors.extend(specs)
        return range(len(tensors) - len(specs), len(tensors))

    size = (6, 5) if padding == SAME else (4, 3)
    act = 1 if relu else 0
    zero = {"zero_point": -128} if relu else {}
    pair = kernel_and_bias(rng, source, (channels, 3, 3, 3), channels, 0, dead, level)
    first = accumulated(rng, source, weights(rng, (4, 3), 4), (1, *size, channels), 27, **zero)
    a = add("CONV_2D", (0, *constants(*pair)), first, "Conv2DOptions", padding=padding, strideH=1, strideW=1,
            dilationHFactor=1, dilationWFactor=1, fusedActivationFunction=act)  # fmt: skip
    kernel = weights(rng, (1, 3, 3, channels), channels, axis=3)
    second = accumulated(rng, first, kernel, (1, *size, channels), 9, **zero)
    b = add("DEPTHWISE_CONV_2D", (a, *constants(kernel, bias(rng, first, kernel, channels))), second,
            "DepthwiseConv2DOptions", padding=SAME, strideH=1, strideW=1, depthMultiplier=1,
            dilationHFactor=1, dilationWFactor=1, fusedActivationFunction=act)  # fmt: skip
    pair = kernel_and_bias(rng, second, (channels, 1, 1, channels), channels, 0, dead, level)
    third = accumulated(rng, second, weights(rng, (4, 3), 4), (1, *size, channels), channels)
    c = add("CONV_2D", (b, *constants(*pair)), third, "Conv2DOptions", padding=padding, strideH=1, strideW=1,
            dilationHFactor=1, dilationWFactor=1, fusedActivationFunction=0)  # fmt: skip
    pooled = T((1, 1, 1, channels), "int8", third.scale, third.zero_point)
    d = add("AVERAGE_POOL_2D", (c,), pooled, "Pool2DOptions", padding=VALID, filterHeight=size[0],
            filterWidth=size[1], strideH=1, strideW=1)  # fmt: skip
    shape = T((2,), "int32", data=np.array([1, channels], np.int32))
    flat = T((1, channels), "int8", third.scale, third.zero_point)
    e = add("RESHAPE", (d, *constants(shape)), flat, "ReshapeOptions", newShape=[1, channels])
    kernel = weights(rng, (7, channels), 7)
    f = add("FULLY_CONNECTED", (e, *constants(kernel, bias(rng, flat, kernel, 7))),
            accumulated(rng, flat, kernel, (1, 7), channels), "FullyConnectedOptions")  # fmt: skip
    return build(tensors, operators, [0], [f])


def widths(content):
    graph = drop_dead_channels(read(content))
    return [graph.main.tensors[op.outputs[0]].shape[-1] for op in graph.main.ops]


def test_dead_channels_leave_the_whole_chain(rng):
    assert widths(network(rng)) == [4, 4, 4, 4, 4, 7]


def test_outputs_stay_the_same(rng):
    models = [
        network(
            rng,
            dead=tuple(np.flatnonzero(rng.random(12) < 0.7)),
            padding=pick(rng, SAME, VALID),
            level=float(rng.uniform(-3, 3)),
            relu=bool(rng.random() < 0.7),
        )
        for _ in range(12)
    ]
    assert any(widths(m)[0] < 12 for m in models)
    assert_equals_tflm(models, rng, count=10)


def test_a_channel_that_padding_makes_visible_stays(rng):
    assert widths(network(rng, level=40.0))[:2] == [12, 12]


def test_a_live_network_is_returned_as_it_is(rng):
    graph = read(network(rng, dead=()))
    assert drop_dead_channels(graph) is graph


def test_outputs_of_the_model_keep_their_channels(rng):
    source = activation(rng, shape=(1, 4, 4, 3))
    pair = kernel_and_bias(rng, source, (8, 1, 1, 3), 8, 0, range(8), -1.0)
    target = accumulated(rng, source, pair[0], (1, 4, 4, 8), 3)
    steps = dict.fromkeys(("strideH", "strideW", "dilationHFactor", "dilationWFactor"), 1)
    conv = Operator("CONV_2D", (0, 1, 2), (3,), "Conv2DOptions", {"padding": SAME, **steps})
    assert widths(build([source, *pair, target], [conv], [0], [3])) == [8]


def test_constants_and_arena_shrink(rng):
    seed = rng.integers(1 << 30)
    with_dead, without = (
        plan_program(read(network(np.random.default_rng(seed), dead=d))) for d in ((1, 2, 4, 5), ())
    )
    assert constant_bytes(with_dead) < constant_bytes(without)
    assert with_dead.arena_bytes < without.arena_bytes


@pytest.fixture
def rng():
    return np.random.default_rng(7)
