"""A memory plan inside the file, which unmodified TFLM follows instead of its own."""

from __future__ import annotations

from typing import Any

import numpy as np

from tflite_export import memory, tflm
from tflite_export.errors import ModelError
from tflite_export.graph import Graph
from tflite_export.read import read
from tflite_export.slim import change_metadata

METADATA_NAME = "OfflineMemoryAllocation"
_FORMAT_VERSION = 1
_ALIGNMENT = 16  # what TFLM aligns every buffer to
_ONLINE = -1


def plan_arena(tflite: Any, *, tries: int = 2000) -> bytes:
    """Returns the model with the best memory plan found, for TFLM to use as it is.

    TFLM's own planner places activations by size, which can cost a third of the arena. The plan is stored as
    metadata, which every other runtime ignores; no two values that are needed at the same time overlap, so
    the outputs are the same. Where the `tflite-micro` wheel is installed, the arena is measured with and
    without the plan, and a file that would gain nothing is returned as it is; so are files with several
    subgraphs, since TFLM would apply the offsets to all of them.

    Args:
        tflite: Bytes, path, conversion result or graph.
        tries: How long to search; see `memory.plan`.

    Returns:
        The file with the plan, a few bytes for each tensor larger.

    Raises:
        ModelError: If the file cannot be read.

    Example:
    >>> planned = plan_arena("model.tflite")
    >>> tflm.measure_arena(planned).required_bytes <= tflm.measure_arena("model.tflite").required_bytes
    True
    """
    graph = read(tflite)
    if len(graph.subgraphs) > 1 or METADATA_NAME in graph.metadata:
        return graph.content
    buffers = memory.lifetimes(graph.main)
    found = memory.plan(list(buffers.values()), alignment=_ALIGNMENT, tries=tries)
    offsets = np.full(len(graph.main.tensors), _ONLINE, np.int32)
    offsets[list(buffers)] = found.offsets
    header = np.array([_FORMAT_VERSION, 0, offsets.size], np.int32)
    entry = np.concatenate([header, offsets]).astype("<i4").tobytes()
    planned = change_metadata(graph, {METADATA_NAME: entry})
    try:
        before, after = tflm.measure_arena(graph), tflm.measure_arena(planned)
    except RuntimeError:  # no TFLM here; the plan is never larger than TFLM's own
        return planned
    except ModelError:  # TFLM does not run it, with or without a plan
        return graph.content
    return planned if after.required_bytes < before.required_bytes else graph.content


def stored_offsets(graph: Graph) -> dict[int, int] | None:
    """Returns the offsets that a file brings for the activations of its main subgraph, None without any.

    A plan that does not fit the graph counts as none.
    """
    entry = np.frombuffer(graph.metadata.get(METADATA_NAME, b"")[:], np.uint8)
    if entry.size < 12 or entry.size % 4:
        return None
    values = entry.view("<i4")
    tensors = list(memory.lifetimes(graph.main))
    offsets = values[3:]
    if values[2] != offsets.size or offsets.size != len(graph.main.tensors) or (offsets[tensors] < 0).any():
        return None
    return {index: int(offsets[index]) for index in tensors}
