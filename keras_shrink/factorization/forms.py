"""The ways to write one kernel as a product of smaller ones: their costs, errors and factors."""

from __future__ import annotations

import abc
import dataclasses

import numpy as np

_MOST_PAIRS = 64  # ranks of Tucker-2 that are tried on each side


@dataclasses.dataclass(frozen=True, eq=False)
class Layout:
    """A kernel, and at how many positions each part of a factored layer would work.

    Attributes:
        kernel: float64 array, shape `(*sides, channels in, channels out)`.
        before: Positions of the input, over all calls of the layer; 0 where they are not known.
        rows: Positions after the first of two one-dimensional convolutions.
        after: Positions of the output.
        looked_up: Whether the first factor is a table, which costs no multiplication.
    """

    kernel: np.ndarray
    before: int = 1
    rows: int = 1
    after: int = 1
    looked_up: bool = False

    @property
    def sides(self):
        """Sizes of the kernel in space: `()`, `(width,)` or `(height, width)`."""
        return self.kernel.shape[:-2]

    @property
    def macs(self):
        """Multiplications of the layer as it is."""
        return 0 if self.looked_up else self.kernel.size * self.after


@dataclasses.dataclass(frozen=True)
class Option:
    """One way to factor a kernel.

    Attributes:
        form: `"basis"`, `"spatial"`, `"tucker"`, or `""` for leaving the layer as it is.
        ranks: One rank, or for Tucker-2 that of the input and that of the output channels.
        parameters: Weights of all factors; biases stay what they are.
        macs: Multiplications of all factors.
        loss: Share of the kernel's energy (sum of squares) that is lost, in [0, 1].
    """

    form: str
    ranks: tuple[int, ...]
    parameters: int
    macs: int
    loss: float

    @property
    def error(self):
        """Frobenius norm of what is lost over that of the kernel."""
        return self.loss**0.5


class Form(abc.ABC):
    """A way to factor a kernel."""

    name: str

    @abc.abstractmethod
    def fits(self, layout):
        """Returns whether a kernel of that shape can be written so."""

    @abc.abstractmethod
    def options(self, layout, multiple):
        """Returns one `Option` for each choice of ranks that are multiples of `multiple`, or full."""

    @abc.abstractmethod
    def factors(self, kernel, ranks):
        """Returns the kernels of the factors, in order of their use."""

    def _priced(self, layout, ranks, losses, sizes, positions):
        """Returns options from ranks `(n, k)`, losses `(n,)` and sizes of the factors `(n, factors)`."""
        parameters, macs = sizes.sum(axis=1), sizes @ np.asarray(positions)
        return [
            Option(self.name, tuple(map(int, rank)), int(size), int(cost), float(loss))
            for rank, size, cost, loss in zip(ranks, parameters, macs, losses, strict=True)
        ]


class _ByMatrix(Form):
    """A form that is a singular value decomposition of the kernel seen as a matrix."""

    @abc.abstractmethod
    def matrix(self, kernel):
        """Returns the matrix."""

    def options(self, layout, multiple):
        """One for each rank."""
        matrix = self.matrix(layout.kernel)
        losses = _lost(np.linalg.svd(matrix, compute_uv=False))
        ranks = np.array(_ranks(len(losses), multiple))
        sizes = ranks[:, None] * np.array(matrix.shape)
        return self._priced(layout, ranks[:, None], losses[ranks - 1], sizes, self.positions(layout))

    @abc.abstractmethod
    def positions(self, layout):
        """Returns at how many positions each of the two factors works."""

    def halves(self, kernel, rank):
        """Returns the two factors of the matrix; each takes the root of the singular values."""
        left, values, right = np.linalg.svd(self.matrix(kernel), full_matrices=False)
        root = np.sqrt(values[:rank])
        return left[:, :rank] * root, root[:, None] * right[:rank]


class Basis(_ByMatrix):
    """`rank` filters of the full size, and their mixtures: matrices, pointwise, channel decomposition."""

    name = "basis"

    def fits(self, layout):
        """Any kernel."""
        return True

    def matrix(self, kernel):
        """Shape `(sides and channels in, channels out)`."""
        return kernel.reshape(-1, kernel.shape[-1])

    def positions(self, layout):
        """Both where the output is; a table is looked up."""
        return 0 if layout.looked_up else layout.after, layout.after

    def factors(self, kernel, ranks):
        """A kernel of the old sides, and a pointwise one."""
        first, second = self.halves(kernel, ranks[0])
        *sides, channels, filters = kernel.shape
        return first.reshape(*sides, channels, -1), second.reshape(*[1] * len(sides), -1, filters)


class Spatial(_ByMatrix):
    """A convolution along the height, then one along the width."""

    name = "spatial"

    def fits(self, layout):
        """Kernels with two sides of more than one pixel."""
        return len(layout.sides) == 2 and min(layout.sides) > 1

    def matrix(self, kernel):
        """Shape `(height and channels in, width and channels out)`."""
        height, width, channels, filters = kernel.shape
        return kernel.transpose(0, 2, 1, 3).reshape(height * channels, width * filters)

    def positions(self, layout):
        """The first where the height is the output's and the width the input's."""
        return layout.rows, layout.after

    def factors(self, kernel, ranks):
        """Kernels of shape `(height, 1, in, rank)` and `(1, width, rank, out)`."""
        height, width, channels, filters = kernel.shape
        first, second = self.halves(kernel, ranks[0])
        rows = first.reshape(height, 1, channels, -1)
        columns = second.reshape(-1, width, filters).transpose(1, 0, 2)[None]
        return rows, columns


class Tucker(Form):
    """Fewer channels in, a small convolution, more channels out: Tucker-2 (Kim et al., arXiv:1511.06530)."""

    name = "tucker"

    def fits(self, layout):
        """Convolutions of more than one pixel."""
        return bool(layout.sides) and max(layout.sides) > 1

    def options(self, layout, multiple):
        """Pairs of ranks; the loss of each is exact, from the energy of the rotated kernel."""
        kernel = layout.kernel
        channels, filters = kernel.shape[-2:]
        _, _, core = _rotated(kernel)
        energy = np.square(core).reshape(-1, channels, filters).sum(axis=0)
        kept = energy.cumsum(axis=0).cumsum(axis=1)
        ins, outs = (_spread(_ranks(count, multiple)) for count in (channels, filters))
        pairs = np.array([(a, b) for a in ins for b in outs])
        total = kept[-1, -1]
        losses = 1 - kept[pairs[:, 0] - 1, pairs[:, 1] - 1] / total if total else np.zeros(len(pairs))
        losses = np.where((pairs == (channels, filters)).all(axis=1), 0.0, np.clip(losses, 0, 1))
        area = int(np.prod(layout.sides))
        sizes = np.stack(
            [channels * pairs[:, 0], area * pairs[:, 0] * pairs[:, 1], pairs[:, 1] * filters], axis=1
        )
        return self._priced(layout, pairs, losses, sizes, (layout.before, layout.after, layout.after))

    def factors(self, kernel, ranks):
        """A pointwise kernel, the core, and a pointwise kernel."""
        into, out, core = _rotated(kernel)
        channels, filters = ranks
        ones = [1] * (kernel.ndim - 2)
        first = into[:, :channels].reshape(*ones, -1, channels)
        last = out[:, :filters].T.reshape(*ones, filters, -1)
        return first, core[..., :channels, :filters], last


FORMS = {form.name: form for form in (Basis(), Spatial(), Tucker())}


def _rotated(kernel):
    """Returns bases of the channels in and out, most energy first, and the kernel in these bases."""
    channels, filters = kernel.shape[-2:]
    flat = kernel.reshape(-1, channels, filters)
    into = _basis(np.einsum("pio,pjo->ij", flat, flat))
    out = _basis(np.einsum("pio,pij->oj", flat, flat))
    core = np.einsum("pio,ia,ob->pab", flat, into, out, optimize=True)
    return into, out, core.reshape(kernel.shape)


def _basis(gram):
    return np.linalg.eigh(gram)[1][:, ::-1]


def _lost(values):
    """Returns, for rank 1, 2, ..., the share of the squared singular values that is lost."""
    squares = np.square(values)
    total = squares.sum()
    tail = np.append(squares[::-1].cumsum()[::-1][1:], 0.0)
    return tail / total if total else np.zeros_like(tail)


def _ranks(largest, multiple):
    """Returns the ranks to try: multiples of `multiple`, and the full one."""
    return sorted({*range(multiple, largest + 1, multiple), largest})


def _spread(ranks):
    if len(ranks) <= _MOST_PAIRS:
        return ranks
    places = np.linspace(0, len(ranks) - 1, _MOST_PAIRS).round().astype(int)
    return [ranks[place] for place in dict.fromkeys(places)]
