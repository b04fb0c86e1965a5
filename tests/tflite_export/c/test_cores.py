"""The kernels with an instruction set of their own, run on emulated cores that have it."""

import shutil

import numpy as np
import pytest

from tests.tflite_export.c.models import single
from tests.tflite_export.c.ops.test_conv_2d import conv_2d
from tests.tflite_export.c.ops.test_depthwise_conv_2d import depthwise_conv_2d
from tests.tflite_export.c.ops.test_fully_connected import fully_connected
from tests.tflite_export.c.properties import accumulated, activation, bias, pick, weights, window_output
from tflite_export.c.emit import plan_program
from tflite_export.emulation.profile import emulate
from tflite_export.read import read

ONES = dict.fromkeys(("dilationHFactor", "dilationWFactor"), 1)


def depthwise_3x3(rng):
    """Sizes on both sides of a block of rows, of a vector and of a pair."""
    channels, multiplier = int(rng.integers(1, 7)), pick(rng, 1, 1, 2)
    size = int(rng.integers(3, 60)), int(rng.integers(3, 30))
    stride = pick(rng, (1, 1), (2, 2), (1, 2), (2, 1))
    source = activation(rng, shape=(1, *size, channels))
    kernel = weights(rng, (1, 3, 3, channels * multiplier), channels * multiplier, axis=3)
    out = [window_output(s, 3, t, 1, "SAME") for s, t in zip(size, stride, strict=True)]
    target = accumulated(rng, source, kernel, (1, *out, channels * multiplier), 9)
    offset = bias(rng, source, kernel, channels * multiplier)
    return single("DEPTHWISE_CONV_2D", [source, kernel, offset], [target],
                  "DepthwiseConv2DOptions", padding=0, strideH=stride[0], strideW=stride[1],
                  depthMultiplier=multiplier, fusedActivationFunction=pick(rng, 0, 1, 3), **ONES)  # fmt: skip


def wide_conv(rng):
    """Depths that are a multiple of four, with taps on both sides of a vector."""
    depth, units, size = 4 * int(rng.integers(1, 11)), int(rng.integers(1, 20)), int(rng.integers(1, 7))
    extent = pick(rng, 1, 3)
    source = activation(rng, shape=(1, size, size + 1, depth))
    kernel = weights(rng, (units, extent, extent, depth), units)
    target = accumulated(rng, source, kernel, (1, size, size + 1, units), depth * extent**2)
    return single("CONV_2D", [source, kernel, bias(rng, source, kernel, units)], [target], "Conv2DOptions",
                  padding=0, strideH=1, strideW=1, **ONES,
                  fusedActivationFunction=pick(rng, 0, 1, 3))  # fmt: skip


def add(rng):
    shape = (1, int(rng.integers(1, 6)), int(rng.integers(1, 30)))
    inputs = [activation(rng, shape=shape), activation(rng, shape=shape)]
    return single("ADD", inputs, [activation(rng, shape=shape)], "AddOptions",
                  fusedActivationFunction=pick(rng, 0, 1, 3))  # fmt: skip


def narrow_conv(rng):
    """4-bit weights of so many channels that they stay packed and are unpacked a few at a time."""
    depth, units = int(rng.integers(4, 40)), int(rng.integers(230, 250))
    source = activation(rng, shape=(1, 1, 2, depth))
    kernel = weights(rng, (units, 1, 1, depth), units, dtype="int4")
    target = accumulated(rng, source, kernel, (1, 1, 2, units), depth)
    return single("CONV_2D", [source, kernel, bias(rng, source, kernel, units)], [target], "Conv2DOptions",
                  padding=0, strideH=1, strideW=1, **ONES,
                  fusedActivationFunction=pick(rng, 0, 1, 3))  # fmt: skip


def narrow_product(rng):
    depth, units = int(rng.integers(20, 60)), int(rng.integers(80, 120))
    source = activation(rng, shape=(1, depth))
    kernel = weights(rng, (units, depth), units, per_channel=False, dtype="int4")
    target = accumulated(rng, source, kernel, (1, units), depth)
    return single("FULLY_CONNECTED", [source, kernel, bias(rng, source, kernel, units)], [target],
                  "FullyConnectedOptions", fusedActivationFunction=pick(rng, 0, 1, 3))  # fmt: skip


FAMILIES = {
    "conv_2d_pairs_int4": (narrow_conv,),
    "fully_connected_pairs_int4": (narrow_product,),
    "conv_2d_pairs_int8": (wide_conv, conv_2d),
    "depthwise_conv_2d_3x3_int8": (depthwise_3x3,),
    "depthwise_conv_2d_planes_int8": (depthwise_conv_2d,),
    "fully_connected_pairs_int8": (fully_connected,),
    "add_flat_int8": (add,),
}


@pytest.mark.parametrize("kernel", FAMILIES)
@pytest.mark.parametrize(("cpu", "count"), [("cortex-m4", 4), ("cortex-m55", 2)])
def test_random_models_equal_tflm(kernel, cpu, count):
    if cpu == "cortex-m55" and shutil.which("qemu-system-arm") is None:
        pytest.skip("qemu-system-arm is not installed, and no Python package holds it")
    used = 0
    for make in FAMILIES[kernel]:
        for number in range(count):
            content = make(np.random.default_rng((number, 3)))
            used += kernel in plan_program(read(content)).kernels
            assert emulate(content, cpu).matches is True, (make.__name__, number)
    assert used >= count / 2, f"{kernel} served {used} of the models only"


@pytest.mark.parametrize("toolchain", ["zig", "gcc"])
def test_every_optimization_gives_the_same(toolchain):
    if toolchain == "gcc" and shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("arm-none-eabi-gcc is not installed, and no Python package holds it")
    for make in (wide_conv, depthwise_3x3, fully_connected):
        content = make(np.random.default_rng(5))
        for optimize in ("-O1", "-O2", "-O3", "-Os"):
            assert emulate(content, "cortex-m4", toolchain=toolchain, optimize=optimize).matches is True
