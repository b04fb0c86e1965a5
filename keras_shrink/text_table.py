"""Tables as lines of text."""

from collections.abc import Sequence


def aligned(rows: Sequence[Sequence[str]], *, left: int = 1) -> list[str]:
    """Returns a line for each row, the columns as wide as their widest cell.

    Args:
        rows: Cells as text, as many in each row.
        left: How many columns start at the left; the others end at the right.

    Example:
    >>> aligned([["name", "n"], ["a", "10"]])
    ['name   n', 'a     10']
    """
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(map(_padded, row, widths, [i < left for i in range(len(row))])).rstrip() for row in rows
    ]


def _padded(cell, width, is_left):
    return cell.ljust(width) if is_left else cell.rjust(width)
