"""Which rounding a weight gets: for each width the scales that TFLite's kernels know."""

from __future__ import annotations

import keras
import numpy as np

from keras_shrink.quantization.fake_quant import SymmetricWeights
from keras_shrink.quantization.learned_steps import LearnedSteps
from keras_shrink.weights import weights_by_name
from tflite_export.int4 import round_to_4_bits

# Layers that become operators whose TFLM kernels read 4-bit weights.
_WITH_4_BITS = (
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Dense,
    keras.layers.DepthwiseConv1D,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv1D,
    keras.layers.SeparableConv2D,
)


def keeps_8_bits(layer, *, is_normalized=False) -> str:
    """Returns why the kernels of a layer cannot be stored with 4 bits, `""` if they can.

    Args:
        layer: A Keras layer with kernels.
        is_normalized: Whether a BatchNormalization behind it will be folded into it.

    Example:
    >>> keeps_8_bits(keras.layers.Conv2DTranspose(2, 3))
    'TFLM has no kernel for 4-bit weights of Conv2DTranspose'
    """
    if not isinstance(layer, _WITH_4_BITS):
        return f"TFLM has no kernel for 4-bit weights of {type(layer).__name__}"
    if isinstance(layer, keras.layers.Dense) and is_normalized:
        return (
            "its BatchNormalization gives each channel a scale, and Dense has one for all with 4 bits; "
            "fold it first: keras_shrink.fold_normalization(model)"
        )
    return ""


def weight_rounding(layer, name, axes, config, *, is_normalized=False) -> SymmetricWeights:
    """Returns the transform that rounds the weight `name` of a layer.

    Args:
        layer: The original layer, whose weight has its values.
        name: Attribute of the weight, such as `"kernel"`.
        axes: Axes over which its values share a scale where there is one for each channel.
        config: What is quantized to.
        is_normalized: Whether a BatchNormalization behind it will be folded into it.
    """
    label = f"{name.replace('/', '_')}_int{config.weight_bits}"
    axes = axes if config.per_channel else None
    is_kernel = name.endswith("kernel")
    if config.weight_bits == 8 or not is_kernel or keeps_8_bits(layer, is_normalized=is_normalized):
        return SymmetricWeights(axes, name=label)
    if isinstance(layer, keras.layers.Dense):
        axes = None
    kernel = keras.ops.convert_to_numpy(weights_by_name(layer)[name])
    return LearnedSteps(axes, num_bits=config.weight_bits, start=best_steps(kernel, axes), name=label)


def best_steps(kernel, axes) -> np.ndarray:
    """Returns the steps with which 15 levels have the least squared error, the shared axes kept as 1.

    Example:
    >>> best_steps(np.array([[7.0, -14.0], [1.0, 2.0]]), (0,)).tolist()
    [[1.0, 2.0]]
    """
    shared = tuple(range(kernel.ndim)) if axes is None else axes
    channels = [axis for axis in range(kernel.ndim) if axis not in shared]
    sizes = [kernel.shape[axis] for axis in channels]
    rows = np.transpose(kernel, (*channels, *shared)).reshape(int(np.prod(sizes)), -1)
    largest = np.abs(rows).max(axis=1, keepdims=True)
    _, steps = round_to_4_bits(rows, 1e-6 * largest)
    return steps.reshape([1 if axis in shared else size for axis, size in enumerate(kernel.shape)])
