"""How width and depth factors become whole numbers."""

import math


def channels(count, width=1.0, *, multiple=8):
    """Returns `count * width` rounded to a multiple, at least one multiple and at least 90 % of it.

    Args:
        count: Channels of the unscaled network.
        width: Factor.
        multiple: What the result is a multiple of; kernels work on 4 or 8 channels at once.

    Example:
    >>> channels(64, 0.35), channels(16, 0.1)
    (24, 8)

    Reference:
        Sandler et al., 2018, arXiv:1801.04381 (the rule is that of its published code).
    """
    exact = count * width
    rounded = max(multiple, int(exact + multiple / 2) // multiple * multiple)
    return rounded + multiple if rounded < 0.9 * exact else rounded


def repeats(count, depth=1.0):
    """Returns how often a block is repeated: `count * depth` rounded up, at least once.

    Reference:
        Tan and Le, 2019, arXiv:1905.11946.
    """
    return max(1, math.ceil(count * depth - 1e-9))
