"""Where each activation lives: lifetimes, and offsets in one arena that is as small as can be found.

The planner knows nothing of tensors. It gets buffers with a size and a first and last step, and returns
offsets. Two buffers that are alive at the same step may not overlap, except where the caller says how far
they may: a kernel that reads its input once, in order, can write its output over the part it has read.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tflite_export.graph import Subgraph
from tflite_export.tensor_data import bits_of, tensor_bytes

_ELEMENTWISE = (
    "ABS ADD CEIL COS DEQUANTIZE DIV ELU EXP EXPAND_DIMS FLOOR GELU HARD_SWISH LEAKY_RELU LOG LOGISTIC "
    "MAXIMUM MINIMUM MUL NEG PRELU QUANTIZE RELU RELU6 RELU_0_TO_1 RELU_N1_TO_1 RESHAPE ROUND RSQRT SIN SQRT "
    "SQUARE SQUARED_DIFFERENCE SQUEEZE SUB TANH"
)


@dataclass(frozen=True)
class Buffer:
    """A piece of memory that is needed from step `first` to step `last`, both included."""

    size_bytes: int
    first: int
    last: int


@dataclass(frozen=True)
class Plan:
    """Offsets for a list of buffers.

    Attributes:
        offsets: Byte offset of each buffer, in the order given.
        size_bytes: End of the highest buffer: the arena must be this large.
        lower_bound_bytes: No plan can be smaller; the bytes alive at the busiest step.
    """

    offsets: tuple[int, ...]
    size_bytes: int
    lower_bound_bytes: int

    @property
    def is_optimal(self) -> bool:
        """Whether the lower bound is met, which proves that no smaller plan exists."""
        return self.size_bytes == self.lower_bound_bytes


def plan(
    buffers: Sequence[Buffer],
    *,
    alignment: int = 16,
    gaps: Mapping[tuple[int, int], int] | None = None,
    tries: int = 2000,
) -> Plan:
    """Returns the smallest plan found for buffers with lifetimes.

    Buffers are placed one after the other at the lowest offset that is free; the search is over the order in
    which they are placed, since some order always leads to an optimal plan. It starts with the orders that
    are known to do well, then improves on the best, and stops where the lower bound is met.

    Args:
        buffers: Sizes in bytes and lifetimes in steps.
        alignment: Every offset is a multiple of it, in bytes.
        gaps: Permitted overlaps. `gaps[i, j] = g` says that `i` may lie below `j` as soon as
            `offset[j] - offset[i] >= g`; without an entry `g` is the size of `i`, so that they are disjoint.
            0 lets them start at the same place, a negative number lets `i` start above `j`. Only the
            direction that is given is eased.
        tries: Number of orders to try before the best so far is returned. The result depends on nothing
            else: equal calls give equal plans.

    Returns:
        The plan.

    Raises:
        ValueError: If a lifetime ends before it begins, a size is negative, or `alignment` is not positive.

    Example:
    >>> plan([Buffer(64, 0, 1), Buffer(32, 1, 2), Buffer(96, 2, 3)]).size_bytes
    128
    >>> plan([Buffer(64, 0, 1), Buffer(64, 1, 2)], gaps={(1, 0): 0}).size_bytes
    64
    """
    for i, buffer in enumerate(buffers):
        if buffer.last < buffer.first or buffer.size_bytes < 0:
            raise ValueError(
                f"a buffer must have a size and end after it begins. Received: buffers[{i}]={buffer}."
            )
    if alignment < 1:
        raise ValueError(f"alignment must be at least 1. Received: alignment={alignment}.")
    search = _Search(buffers, alignment, gaps or {})
    return search.best(tries)


def lifetimes(subgraph: Subgraph) -> dict[int, Buffer]:
    """Returns the buffer each activation of a subgraph needs, by tensor index; steps are operator indices.

    Constants, variables and resources have none. Inputs are needed from the first step on, outputs to the
    last; a value that nobody reads is needed while it is written.

    Example:
    >>> from tflite_export.read import read
    >>> lifetimes(read("model.tflite").main)[0]
    Buffer(size_bytes=64, first=0, last=0)
    """
    end = max(len(subgraph.ops) - 1, 0)
    first: dict[int, int] = dict.fromkeys(subgraph.inputs, 0)
    last: dict[int, int] = dict.fromkeys(subgraph.inputs, 0)
    for op in subgraph.ops:
        for index in (*op.inputs, *op.outputs):
            if index >= 0:
                first.setdefault(index, op.index)
                last[index] = op.index
    last.update(dict.fromkeys(subgraph.outputs, end))
    return {
        tensor.index: Buffer(
            tensor_bytes(tensor.shape, tensor.dtype), first[tensor.index], last[tensor.index]
        )
        for tensor in subgraph.tensors
        if tensor.index in first
        and not (tensor.is_constant or tensor.is_variable or tensor.dtype == "resource")
    }


def in_place_gaps(subgraph: Subgraph, buffers: Mapping[int, Buffer]) -> dict[tuple[int, int], int]:
    """Returns the overlaps that operators permit which go through their input once, element by element.

    An element of the output needs only the same element of the input, so the output may begin where an input
    begins that nobody needs afterwards, or below it, as long as its elements are not wider. That holds for
    kernels that write in order and as they read; ask the kernel's author.

    Args:
        subgraph: The operators.
        buffers: What `lifetimes` returned for it.

    Returns:
        Entries for the argument `gaps` of `plan`, keyed by positions in `buffers`.
    """
    position = {tensor: i for i, tensor in enumerate(buffers)}
    elementwise = set(_ELEMENTWISE.split())
    gaps: dict[tuple[int, int], int] = {}
    for op in subgraph.ops:
        if op.code not in elementwise or op.outputs[0] not in position:
            continue
        output = subgraph.tensors[op.outputs[0]]
        for index in op.inputs:
            if index not in position or buffers[index].last != op.index:
                continue
            source = subgraph.tensors[index]
            written, read = bits_of(output.dtype) or 0, bits_of(source.dtype) or 0
            if source.size == output.size and 0 < written <= read:
                gaps[position[output.index], position[index]] = 0
    return gaps


def live_bytes(buffers: Sequence[Buffer], *, alignment: int = 1) -> list[int]:
    """Returns the bytes alive at each step from 0 to the last.

    Example:
    >>> live_bytes([Buffer(64, 0, 1), Buffer(32, 1, 2)])
    [64, 96, 32]
    """
    change = [0] * (max((b.last for b in buffers), default=-1) + 2)
    for buffer in buffers:
        size = _aligned(buffer.size_bytes, alignment)
        change[buffer.first] += size
        change[buffer.last + 1] -= size
    total, result = 0, []
    for delta in change[:-1]:
        total += delta
        result.append(total)
    return result


def _aligned(size, alignment):
    return -(-size // alignment) * alignment


class _Search:
    """The orders tried so far and the best plan among them."""

    def __init__(self, buffers, alignment, gaps):
        self.buffers = buffers
        self.alignment = alignment
        self.sizes = [_aligned(b.size_bytes, alignment) for b in buffers]
        self.neighbours = self._conflicts(gaps)
        self.bound = self._lower_bound(gaps)
        self.size = sum(self.sizes) + 1  # no plan yet
        self.offsets = ()

    def best(self, tries):
        """Returns the best plan after at most `tries` orders."""
        count = len(self.buffers)
        length = [b.last - b.first + 1 for b in self.buffers]
        keys = (
            lambda i: (-self.sizes[i], self.buffers[i].first),
            lambda i: (-self.sizes[i] * length[i], self.buffers[i].first),
            lambda i: (-length[i], -self.sizes[i]),
            lambda i: (-max(self.pressure[self.buffers[i].first : self.buffers[i].last + 1]), -self.sizes[i]),
            lambda i: self.buffers[i].first,
            lambda i: -self.buffers[i].last,
        )
        orders = [sorted(range(count), key=key) for key in keys]
        best_order = orders[0]
        for order in orders[: max(tries, 1)]:
            if self._try(order):
                best_order = order
            if self.size <= self.bound:
                break
        self._improve(best_order, tries - len(orders))
        return Plan(tuple(self.offsets), self.size, self.bound)

    def _improve(self, order, tries):
        """Moves buffers that stick out forward in the order, and now and then two at random."""
        if len(order) < 2:
            return
        chance = random.Random(len(order))
        current, current_size = list(order), self.size
        for _ in range(tries):
            if self.size <= self.bound:
                return
            candidate = list(current)
            offsets, size = self._place(candidate)
            top = [i for i, offset in enumerate(offsets) if offset + self.sizes[i] == size]
            if chance.random() < 0.5:
                mover = chance.choice(top)
                candidate.remove(mover)
                candidate.insert(chance.randrange(max(1, len(candidate) // 2)), mover)
            else:
                a, b = chance.randrange(len(candidate)), chance.randrange(len(candidate))
                candidate[a], candidate[b] = candidate[b], candidate[a]
            if self._try(candidate):
                current, current_size = candidate, self.size
                continue
            _, size = self._place(candidate)
            if size <= current_size or chance.random() < 0.05:
                current, current_size = candidate, size

    def _try(self, order):
        """Places in an order; keeps the result and returns True where it is the best so far."""
        offsets, size = self._place(order)
        if size >= self.size:
            return False
        self.offsets, self.size = offsets, size
        return True

    def _place(self, order):
        """Returns the offsets and the size when each buffer takes the lowest place that is free."""
        offsets = [-1] * len(self.buffers)
        size = 0
        for i in order:
            blocked = sorted(
                (offsets[j] - below, offsets[j] + above)
                for j, below, above in self.neighbours[i]
                if offsets[j] >= 0
            )
            place = 0
            for low, high in blocked:  # open intervals that the offset may not lie in
                if low < place < high:
                    place = _aligned(high, self.alignment)
                elif low >= place and high > low:
                    break
            offsets[i] = place
            size = max(size, place + self.sizes[i])
        return offsets, size

    def _conflicts(self, gaps):
        """Returns, for each buffer, its contemporaries and how far below and above them it may not start."""
        neighbours = [[] for _ in self.buffers]
        alive: list[int] = []
        for i in sorted(range(len(self.buffers)), key=lambda i: self.buffers[i].first):
            alive = [j for j in alive if self.buffers[j].last >= self.buffers[i].first]
            for j in alive:
                i_below, j_below = gaps.get((i, j), self.sizes[i]), gaps.get((j, i), self.sizes[j])
                if i_below > -j_below:
                    neighbours[i].append((j, i_below, j_below))
                    neighbours[j].append((i, j_below, i_below))
            alive.append(i)
        return neighbours

    def _lower_bound(self, gaps):
        self.pressure = live_bytes(
            [Buffer(s, b.first, b.last) for s, b in zip(self.sizes, self.buffers, strict=True)]
        )
        relief = [0] * len(self.pressure)
        for (i, j), gap in gaps.items():
            if (j, i) in gaps and j < i:
                continue
            a, b = self.buffers[i], self.buffers[j]
            extents = [max(self.sizes[i], self.sizes[j], gap + self.sizes[j])]
            if (j, i) in gaps:
                extents.append(max(self.sizes[i], self.sizes[j], gaps[j, i] + self.sizes[i]))
            saved = max(0, self.sizes[i] + self.sizes[j] - min(extents))
            for step in range(max(a.first, b.first), min(a.last, b.last) + 1):
                relief[step] += saved
        largest = max(self.sizes, default=0)
        return max(largest, *(p - r for p, r in zip(self.pressure, relief, strict=True)), 0)
