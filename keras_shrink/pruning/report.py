"""What is sparse in a model: one report of all measures."""

import dataclasses

import numpy as np

from keras_shrink import select
from keras_shrink.pruning.constraint import read
from keras_shrink.pruning.patterns import Block, NofM
from keras_shrink.text_table import aligned


@dataclasses.dataclass(frozen=True)
class KernelSparsity:
    """The sparsity of one kernel.

    Attributes:
        name: Names of the layers that lead to it.
        shape: Its shape.
        zeros: Number of weights that are zero.
        mean_abs: Mean absolute weight, `(1 / m) * sum |w|`.
        channel_sparsity: Fraction of zeros in each channel out.
        zero_blocks: Fraction of blocks that are zero as a whole.
        conforming_groups: Fraction of N:M groups with at most N weights that are not zero.
    """

    name: str
    shape: tuple[int, ...]
    zeros: int
    mean_abs: float
    channel_sparsity: tuple[float, ...]
    zero_blocks: float
    conforming_groups: float

    @property
    def weights(self):
        """Number of weights."""
        return int(np.prod(self.shape))

    @property
    def sparsity(self):
        """Fraction of zeros."""
        return self.zeros / self.weights

    @property
    def zero_channels(self):
        """Number of channels out that are zero as a whole: they can be cut out."""
        return sum(fraction == 1.0 for fraction in self.channel_sparsity)


@dataclasses.dataclass(frozen=True)
class SparsityReport:
    """The sparsity of a model; `str(report)` is a table.

    Attributes:
        kernels: One `KernelSparsity` for each kernel.
        parameters: All parameters of the model, biases and normalizations included.
        block: The `Block` that `zero_blocks` is about.
        n_of_m: The `NofM` that `conforming_groups` is about.
    """

    kernels: tuple[KernelSparsity, ...]
    parameters: int
    block: Block
    n_of_m: NofM

    @property
    def weights(self):
        """Number of weights in the kernels."""
        return sum(kernel.weights for kernel in self.kernels)

    @property
    def zeros(self):
        """Number of them that are zero."""
        return sum(kernel.zeros for kernel in self.kernels)

    @property
    def sparsity(self):
        """Fraction of zeros in the kernels."""
        return self.zeros / self.weights if self.weights else 0.0

    @property
    def mean_abs(self):
        """Mean absolute weight over the kernels, `S = (1 / m) * sum |w|`."""
        total = sum(kernel.mean_abs * kernel.weights for kernel in self.kernels)
        return total / self.weights if self.weights else 0.0

    @property
    def nonzero_parameters(self):
        """Parameters that are left: weights that are not zero, and all others."""
        return self.parameters - self.zeros

    @property
    def compression(self):
        """All parameters over those left; says nothing of what it costs to store which are left."""
        return self.parameters / max(self.nonzero_parameters, 1)

    @property
    def bitmap_bytes(self):
        """Bytes of what is left as float32, and one bit per weight that says where it belongs."""
        return 4 * self.nonzero_parameters + -(-self.weights // 8)

    def __str__(self):
        group = f"{self.n_of_m.n}:{self.n_of_m.m}"
        block = "x".join(map(str, self.block.shape))
        head = ("kernel", "shape", "weights", "zeros", "mean |w|", "zero channels", f"{block} blocks", group)
        rows = [_row(kernel) for kernel in self.kernels]
        rows.append(
            ("all", "", f"{self.weights}", f"{self.sparsity:.1%}", f"{self.mean_abs:.4f}", "", "", "")
        )
        lines = aligned([head, *rows], left=2)
        dense = 4 * self.parameters
        ratio = dense / self.bitmap_bytes
        lines.append(
            f"{self.nonzero_parameters} of {self.parameters} parameters left: {self.compression:.1f}x "
            f"fewer; as float32 with a bitmap {self.bitmap_bytes} of {dense} bytes, {ratio:.1f}x."
        )
        return "\n".join(lines)


def _row(kernel):
    return (
        kernel.name,
        "x".join(map(str, kernel.shape)),
        f"{kernel.weights}",
        f"{kernel.sparsity:.1%}",
        f"{kernel.mean_abs:.4f}",
        f"{kernel.zero_channels}/{len(kernel.channel_sparsity)}",
        f"{kernel.zero_blocks:.1%}",
        f"{kernel.conforming_groups:.1%}",
    )


def sparsity_report(model, *, layers=select.has_kernel, block=None, n_of_m=None):
    """Returns the sparsity of a model as a `SparsityReport`.

    Args:
        model: A built Keras model.
        layers: Predicate, function `layer -> bool`, layer, or list of layers.
        block: `Block` to look for; `Block((1, 4))` by default.
        n_of_m: `NofM` to look for; `NofM(2, 4)` by default.

    Example:
    >>> import keras
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, kernel_initializer="zeros")])
    >>> sparsity_report(model).sparsity
    1.0
    """
    block, n_of_m = block or Block((1, 4)), n_of_m or NofM(2, 4)
    found = select.find_kernels(model, layers)
    rows = tuple(_measure(kernel, block, n_of_m) for kernel in found)
    return SparsityReport(rows, model.count_params(), block, n_of_m)


def _measure(kernel, block, n_of_m):
    weight = np.asarray(read(kernel.variable), np.float64)
    zero = weight == 0
    axes = (kernel.input_axis, kernel.output_axis)
    others = tuple(axis for axis in range(weight.ndim) if axis != kernel.output_axis)
    return KernelSparsity(
        name=kernel.name,
        shape=weight.shape,
        zeros=int(zero.sum()),
        mean_abs=float(np.abs(weight).mean()),
        channel_sparsity=tuple(float(fraction) for fraction in zero.mean(axis=others)),
        zero_blocks=float(np.mean(block.units(np.abs(weight), zero, axes).scores == -np.inf)),
        conforming_groups=n_of_m.conformity(zero, axes),
    )
