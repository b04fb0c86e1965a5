"""The separable kernel nearest to a full one: in its weights, or in what it computes on data.

Kernels are float64 of shape `(positions, channels, filters)`: all places of a 1-D or 2-D kernel in a
row. A separable kernel is `depthwise`, shape `(positions, channels, multiplier)`, times `pointwise`,
shape `(channels, multiplier, filters)`.
"""

import numpy as np


def nearest(kernel, multiplier):
    """Returns the `(depthwise, pointwise)` whose product has the least squared distance to `kernel`.

    For each channel these are the largest singular vectors of its `(positions, filters)` matrix.

    Example:
    >>> kernel = np.ones((9, 2, 4))
    >>> depthwise, pointwise = nearest(kernel, 1)
    >>> bool(np.allclose(product(depthwise, pointwise), kernel))
    True

    Reference:
        Eckart and Young, 1936; for kernels Guo et al., 2018, arXiv:1804.10973.
    """
    left, values, right = np.linalg.svd(kernel.transpose(1, 0, 2), full_matrices=False)
    roots = np.sqrt(values[:, :multiplier])
    depthwise = left[:, :, :multiplier] * roots[:, None, :]
    pointwise = right[:, :multiplier] * roots[:, :, None]
    missing = multiplier - roots.shape[1]
    if missing > 0:
        depthwise = np.pad(depthwise, ((0, 0), (0, 0), (0, missing)))
        pointwise = np.pad(pointwise, ((0, 0), (0, missing), (0, 0)))
    return depthwise.transpose(1, 0, 2), pointwise


def product(depthwise, pointwise):
    """Returns the full kernel that a separable one stands for."""
    return np.einsum("pcm,cmf->pcf", depthwise, pointwise)


def relative_error(kernel, depthwise, pointwise, moments=None):
    """Returns the squared distance over the squared size: of the weights, or of the outputs on data.

    Args:
        kernel: The full kernel.
        depthwise: As above.
        pointwise: As above.
        moments: Second moments of the patches, shape `(positions * channels,) * 2`, or None.
    """
    flat = kernel.reshape(-1, kernel.shape[-1])
    difference = flat - product(depthwise, pointwise).reshape(flat.shape)
    if moments is None:
        return float((difference**2).sum() / max((flat**2).sum(), 1e-30))
    size = np.einsum("if,ij,jf->", flat, moments, flat, optimize=True)
    return float(np.einsum("if,ij,jf->", difference, moments, difference, optimize=True) / max(size, 1e-30))


def matched(kernel, moments, multiplier, *, rounds=20):
    """Returns the `(depthwise, pointwise)` whose outputs on data have the least squared error.

    Depthwise and pointwise kernel are solved for in turn, each exactly, from `nearest`; the error
    never grows.

    Args:
        kernel: The full kernel.
        moments: Second moments of the patches that it is multiplied with.
        multiplier: As above.
        rounds: How often both are solved for, at most.
    """
    positions, channels, filters = kernel.shape
    depthwise, pointwise = nearest(kernel, multiplier)
    ridge = 1e-9 * np.trace(moments) / len(moments)
    regular = moments + ridge * np.eye(len(moments))
    target = regular @ kernel.reshape(-1, filters)
    best = relative_error(kernel, depthwise, pointwise, regular)
    for _ in range(rounds):
        spread = _spread(depthwise)
        pointwise = _solved(spread.T @ regular @ spread, spread.T @ target)
        pointwise = pointwise.reshape(channels, multiplier, filters)
        depthwise = _solved_depthwise(regular, target, pointwise, positions)
        error = relative_error(kernel, depthwise, pointwise, regular)
        if error > best * 0.999:
            break
        best = error
    return depthwise, pointwise


def _spread(depthwise):
    """Returns the matrix from patches, `(positions * channels)`, to `(channels * multiplier)`."""
    positions, channels, multiplier = depthwise.shape
    matrix = np.zeros((positions, channels, channels, multiplier))
    index = np.arange(channels)
    matrix[:, index, index] = depthwise
    return matrix.reshape(positions * channels, channels * multiplier)


def _solved_depthwise(moments, target, pointwise, positions):
    channels, multiplier, _ = pointwise.shape
    among = np.einsum("amf,bnf->ambn", pointwise, pointwise)
    moments = moments.reshape(positions, channels, positions, channels)
    system = np.einsum("paqb,ambn->pamqbn", moments, among, optimize=True)
    size = positions * channels * multiplier
    known = np.einsum("paf,amf->pam", target.reshape(positions, channels, -1), pointwise)
    solution = _solved(system.reshape(size, size), known.ravel())
    return solution.reshape(positions, channels, multiplier)


def _solved(system, known):
    """Returns the solution of the equations of least squares; one near it where channels are silent."""
    ridge = max(1e-12 * np.trace(system) / len(system), 1e-300)
    return np.linalg.solve(system + ridge * np.eye(len(system)), known)
