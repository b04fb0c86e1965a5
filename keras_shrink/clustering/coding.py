"""What shared values save: the coded size of each kernel, table and indices counted."""

import dataclasses
import heapq
import itertools

import keras
import numpy as np

from keras_shrink import select
from keras_shrink.text_table import aligned
from keras_shrink.weights import Transformed

_FLOAT_BITS = 32


@dataclasses.dataclass(frozen=True)
class CodedKernel:
    """The size of one kernel as indices into tables of values.

    Attributes:
        name: Names of the layers that lead to it.
        shape: Its shape.
        tables: Number of tables: 1, or one for each channel out; 0 where plain numbers take less.
        values: Values in the largest table.
        value_bits: Bits of a value.
        entropy_bits: Bits per index that no code of one index at a time can go below.
        huffman_bits: Mean length of an index in a Huffman code; an estimate: the code itself comes on top.
    """

    name: str
    shape: tuple[int, ...]
    tables: int
    values: int
    value_bits: int
    entropy_bits: float
    huffman_bits: float

    @property
    def weights(self):
        """Number of weights."""
        return int(np.prod(self.shape))

    @property
    def index_bits(self):
        """Bits of an index, all of one length; where there is no table, of a value."""
        return (self.values - 1).bit_length() if self.tables else self.value_bits

    @property
    def table_bytes(self):
        """Bytes of the tables."""
        return self.tables * self.values * self.value_bits // 8

    @property
    def index_bytes(self):
        """Bytes of the indices, packed bit by bit."""
        return -(-self.weights * self.index_bits // 8)

    @property
    def coded_bytes(self):
        """Bytes of tables and indices."""
        return self.table_bytes + self.index_bytes

    @property
    def huffman_bytes(self):
        """Bytes of tables and Huffman-coded indices, an estimate."""
        if not self.tables:
            return self.coded_bytes
        return self.table_bytes + int(np.ceil(self.weights * self.huffman_bits / 8))


@dataclasses.dataclass(frozen=True)
class CodingReport:
    """The coded size of a model; `str(report)` is a table.

    Attributes:
        kernels: One `CodedKernel` for each kernel.
        other_bytes: Bytes of all other weights as float32: biases, normalizations, ranges of activations.
    """

    kernels: tuple[CodedKernel, ...]
    other_bytes: int

    @property
    def plain_bytes(self):
        """Bytes of all parameters as float32."""
        return sum(kernel.weights for kernel in self.kernels) * _FLOAT_BITS // 8 + self.other_bytes

    @property
    def coded_bytes(self):
        """Bytes with tables and indices of one length."""
        return sum(kernel.coded_bytes for kernel in self.kernels) + self.other_bytes

    @property
    def huffman_bytes(self):
        """Bytes with tables and Huffman-coded indices, an estimate."""
        return sum(kernel.huffman_bytes for kernel in self.kernels) + self.other_bytes

    def __str__(self):
        head = ("kernel", "shape", "values", "index bits", "table", "indices", "coded", "entropy", "Huffman")
        rows = [head, *(_row(kernel) for kernel in self.kernels)]
        lines = aligned(rows, left=2)
        plain, coded, huffman = self.plain_bytes, self.coded_bytes, self.huffman_bytes
        lines.append(
            f"{coded} of {plain} bytes ({plain / coded:.1f}x less), {self.other_bytes} of them other weights "
            f"in float32; with Huffman-coded indices about {huffman} ({plain / huffman:.1f}x, an estimate)."
        )
        return "\n".join(lines)


def _row(kernel):
    values = f"{kernel.tables} x {kernel.values}" if kernel.tables > 1 else f"{kernel.values or '-'}"
    return (
        kernel.name,
        "x".join(map(str, kernel.shape)),
        values,
        f"{kernel.index_bits}",
        f"{kernel.table_bytes} B",
        f"{kernel.index_bytes} B",
        f"{kernel.coded_bytes} B",
        f"{kernel.entropy_bits:.2f}",
        f"{kernel.huffman_bits:.2f}",
    )


def coding_report(model, *, layers=select.has_kernel, value_bits=_FLOAT_BITS):
    """Returns the size of a model whose kernels are coded as indices into tables of their values.

    It looks at the values that the layers compute with, so it takes a clustered model, a plain one made by
    `bake`, and a quantized one. Each kernel gets one table, one for each channel out, or none, whichever is
    smallest.

    Args:
        model: A built Keras model.
        layers: Predicate, function `layer -> bool`, layer, or list of layers.
        value_bits: Bits of a value in a table: 32, or 8 for the integers of a quantized model (its scales are
            not counted). Defaults to 32.

    Example:
    >>> model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(8, kernel_initializer="ones")])
    >>> model.layers[0].kernel.assign(np.tile([[1.0, -1.0], [-1.0, 1.0]], (4, 4))) is not None
    True
    >>> coding_report(model).kernels[0].coded_bytes  # a bit for each weight, and two values
    16

    Reference:
        Han et al., 2016, arXiv:1510.00149, sections 3 and 4.
    """
    if value_bits not in (8, 16, 32):
        raise ValueError(f"value_bits must be 8, 16 or 32. Received: value_bits={value_bits!r}.")
    found = select.find_kernels(model, layers)
    kernels = tuple(_coded(kernel, value_bits) for kernel in found)
    counted = {id(kernel.variable) for kernel in found} | _transform_weights(model)
    others = {id(v): int(np.prod(v.shape)) for v in model.weights if id(v) not in counted}
    return CodingReport(kernels, 4 * sum(others.values()))


def _transform_weights(model):
    """Returns the identities of the weights of weight transforms: the plain model has none of them."""
    wrappers = [layer for layer in model._flatten_layers() if isinstance(layer, Transformed)]
    chains = [chain for wrapper in wrappers for chain in wrapper.weight_transforms.values()]
    return {id(weight) for chain in chains for step in chain for weight in step.weights}


def _coded(kernel, value_bits):
    value = _seen(kernel)
    rows = np.moveaxis(value, kernel.output_axis, 0).reshape(value.shape[kernel.output_axis], -1)
    forms = [
        _form(kernel, value.shape, value.reshape(1, -1), value_bits),
        _form(kernel, value.shape, rows, value_bits),
    ]
    plain = CodedKernel(kernel.name, value.shape, 0, 0, value_bits, value_bits, value_bits)
    return min([*forms, plain], key=lambda form: form.coded_bytes)


def _seen(kernel):
    """Returns the kernel that its layer computes with."""
    for layer in kernel.path:
        if isinstance(layer, Transformed):
            for name in layer.weight_transforms:
                if layer.variable(name) is kernel.variable:
                    return keras.ops.convert_to_numpy(layer.transformed(name)).astype(np.float32)
    return keras.ops.convert_to_numpy(kernel.variable).astype(np.float32)


def _form(kernel, shape, rows, value_bits):
    """Returns the code with a table for each row."""
    counts = [np.unique(row, return_counts=True)[1] for row in rows]
    entropy = sum(float(-(n * np.log2(n / n.sum())).sum()) for n in counts) / rows.size
    huffman = sum(_huffman_length(n) for n in counts) / rows.size
    most = max(len(n) for n in counts)
    return CodedKernel(kernel.name, tuple(shape), len(rows), most, value_bits, entropy, huffman)


def _huffman_length(counts):
    """Returns the bits of a Huffman code for symbols that occur so often; one symbol alone takes none."""
    order = itertools.count()
    heap = [(int(n), next(order)) for n in counts]
    heapq.heapify(heap)
    total = 0
    while len(heap) > 1:
        merged = heapq.heappop(heap)[0] + heapq.heappop(heap)[0]
        total += merged
        heapq.heappush(heap, (merged, next(order)))
    return total
