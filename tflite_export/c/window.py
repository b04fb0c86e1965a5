"""The geometry of a window that slides over an image: padding, and how far the output lags behind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tflite_export.c.tensor_types import UnsupportedError


@dataclass(frozen=True)
class Window:
    """A window sliding over `[batches, height, width, channels]`.

    Attributes:
        batches: Images.
        input: Height, width and channels of an image.
        output: Height, width and channels of a result.
        filter: Height and width.
        stride: Vertical and horizontal.
        dilation: Vertical and horizontal.
        pad: Rows above and columns to the left that padding adds.
    """

    batches: int
    input: tuple[int, int, int]
    output: tuple[int, int, int]
    filter: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    pad: tuple[int, int]

    def distance(self, pixels=1, ahead=False):
        """Returns by how many bytes the input must start after the output, one byte an element.

        Args:
            pixels: Output pixels computed together.
            ahead: Whether their whole input is read before the first of them is written.

        Example:
        >>> from tflite_export.c.window import Window
        >>> Window(1, (4, 4, 2), (4, 4, 2), (1, 1), (1, 1), (1, 1), (0, 0)).distance(ahead=True)
        0
        """
        height, width, channels = self.output
        row = np.maximum(0, np.arange(height) * self.stride[0] - self.pad[0])
        column = np.maximum(0, np.arange(width) * self.stride[1] - self.pad[1])
        one = np.minimum(row[:, None] * self.input[1] + column[None, :], self.input[0] * self.input[1])
        image = self.input[0] * self.input[1]
        first = (np.arange(self.batches)[:, None] * image + one.reshape(1, -1)).reshape(-1)
        first = np.minimum.accumulate(first[::-1])[::-1]  # the first pixel that this or a later output needs
        count = first.size
        first = np.append(first, self.batches * image)
        start = np.arange(0, count, pixels)
        end = np.minimum(start + pixels, count)
        needed = first[end] if ahead else first[start]
        return int(np.max(end * channels - needed * self.input[2]))


def geometry(source, target, options, filter_size, dilation=(1, 1)):
    """Returns how many rows above and columns to the left padding adds.

    Args:
        source: Shape of the input, `(batches, height, width, channels)`.
        target: Shape of the output.
        options: With `padding`, `stride_h` and `stride_w`.
        filter_size: Height and width.
        dilation: Vertical and horizontal.
    """
    if options.padding != "SAME":
        return 0, 0
    pad = []
    for d, stride in enumerate((options.stride_h, options.stride_w)):
        extent = (filter_size[d] - 1) * dilation[d] + 1
        pad.append(max(0, (target[d + 1] - 1) * stride + extent - source[d + 1]) // 2)
    return pad[0], pad[1]


def slide(node, filter_size, *, dilation=(1, 1)):
    """Returns the `Window` of an operator with `padding`, `stride_h` and `stride_w` options.

    Args:
        node: The operator; input 0 and output 0 are images.
        filter_size: Height and width.
        dilation: Vertical and horizontal.
    """
    source, target = node.input(0).shape, node.output(0).shape
    if len(source) != 4 or len(target) != 4:
        raise UnsupportedError(f"its input must have 4 dimensions, not {len(source)}")
    pad = getattr(node.options, "explicit_pad", None)
    if pad is None:
        pad = geometry(source, target, node.options, filter_size, dilation)
    stride = node.options.stride_h, node.options.stride_w
    return Window(source[0], source[1:], target[1:], tuple(filter_size), stride, tuple(dilation), pad)
