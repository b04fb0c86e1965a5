"""Which axes of which weight are the input and the output channels of a linear layer.

Both are a `functools.singledispatch`: register a function for a linear layer of your own, and the steps
that scale or correct channels know it.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import keras
import numpy as np


@dataclass(frozen=True)
class ChannelAxes:
    """Where channels lie.

    Attributes:
        weight: Name of the weight.
        axes: Its axes that are the channels together, in the order in which the tensor has them.

    Example:
    >>> ChannelAxes("kernel", (-1,)).largest(np.array([[1.0, -2.0], [0.5, 3.0]]))
    array([1., 3.])
    """

    weight: str
    axes: tuple[int, ...]

    def largest(self, kernel):
        """Returns `max|w|` of each channel, shape `(channels,)`."""
        return np.abs(kernel).max(axis=self.others(kernel)).reshape(-1)

    def others(self, kernel):
        """Returns the axes of `kernel` that are not channels."""
        own = {axis % kernel.ndim for axis in self.axes}
        return tuple(axis for axis in range(kernel.ndim) if axis not in own)

    def scaled(self, kernel, factors):
        """Returns `kernel` with each channel multiplied by its factor."""
        shape = [1] * kernel.ndim
        for axis in self.axes:
            shape[axis] = kernel.shape[axis]
        return kernel * np.reshape(factors, shape)


@functools.singledispatch
def output_channels(layer) -> ChannelAxes | None:
    """Returns where the output channels of a linear layer lie, None if it has none that are known."""
    return None


@functools.singledispatch
def input_channels(layer) -> ChannelAxes | None:
    """Returns where the input channels of a linear layer lie, None if it has none that are known."""
    return None


@output_channels.register(keras.layers.Conv1D)
@output_channels.register(keras.layers.Conv2D)
@output_channels.register(keras.layers.Dense)
def _(layer):
    return ChannelAxes("kernel", (-1,))


@output_channels.register(keras.layers.DepthwiseConv1D)
@output_channels.register(keras.layers.DepthwiseConv2D)
def _(layer):
    return ChannelAxes("kernel", (-2, -1))


@output_channels.register(keras.layers.Conv1DTranspose)
@output_channels.register(keras.layers.Conv2DTranspose)
def _(layer):
    return ChannelAxes("kernel", (-2,))


@output_channels.register(keras.layers.SeparableConv1D)
@output_channels.register(keras.layers.SeparableConv2D)
def _(layer):
    return ChannelAxes("pointwise_kernel", (-1,))


@input_channels.register(keras.layers.Conv1D)
@input_channels.register(keras.layers.Conv2D)
def _(layer):
    # In a grouped convolution the same kernel entry meets a different channel in each group.
    return ChannelAxes("kernel", (-2,)) if layer.groups == 1 else None


@input_channels.register(keras.layers.Dense)
@input_channels.register(keras.layers.DepthwiseConv1D)
@input_channels.register(keras.layers.DepthwiseConv2D)
def _(layer):
    return ChannelAxes("kernel", (0,) if isinstance(layer, keras.layers.Dense) else (-2,))


@input_channels.register(keras.layers.Conv1DTranspose)
@input_channels.register(keras.layers.Conv2DTranspose)
def _(layer):
    return ChannelAxes("kernel", (-1,))


@input_channels.register(keras.layers.SeparableConv1D)
@input_channels.register(keras.layers.SeparableConv2D)
def _(layer):
    return ChannelAxes("depthwise_kernel", (-2,))
