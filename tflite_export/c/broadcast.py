"""How two operands spread over one output, in as few loops as it takes."""

from __future__ import annotations

from tflite_export.c.emit import UnsupportedError

RANK = 4


def broadcast(node, first=0, second=1):
    """Returns the `shape` parameter of a kernel with two operands.

    Args:
        node: The operator; output 0 has the broadcast shape.
        first: Input position of the first operand.
        second: Input position of the second operand.
    """
    extents = node.output().shape
    merged: list[tuple[int, bool, bool]] = []
    shapes = [_stretched(node.input(p).shape, len(extents)) for p in (first, second)]
    for d, extent in enumerate(extents):
        if extent == 1:
            continue
        moves = tuple(shape[d] == extent for shape in shapes)
        if merged and merged[-1][1:] == moves:
            merged[-1] = (merged[-1][0] * extent, *moves)
        else:
            merged.append((extent, *moves))
    if len(merged) > RANK:
        raise UnsupportedError(f"broadcasting that takes more than {RANK} loops: {shapes[0]} and {shapes[1]}")
    merged = [(1, False, False)] * (RANK - len(merged)) + merged
    return {
        "extent": tuple(m[0] for m in merged),
        "step_1": _steps([m[0] if m[1] else 1 for m in merged], [m[1] for m in merged]),
        "step_2": _steps([m[0] if m[2] else 1 for m in merged], [m[2] for m in merged]),
    }


def _stretched(shape, rank):
    return (1,) * (rank - len(shape)) + tuple(shape)


def _steps(extents, moves):
    steps, size = [], 1
    for extent, moving in zip(reversed(extents), reversed(moves), strict=True):
        steps.append(size if moving else 0)
        size *= extent
    return tuple(reversed(steps))
