"""The connections of a graph: indices in range, values written once and before they are read, no loops."""

from __future__ import annotations

from tflite_export.errors import ModelError
from tflite_export.graph import Graph, Op, Subgraph

_SUBGRAPH_FIELDS = (
    "subgraph",
    "init_subgraph_index",
    "then_subgraph_index",
    "else_subgraph_index",
    "cond_subgraph_index",
    "body_subgraph_index",
)


def check_wiring(graph: Graph) -> None:
    """Raises ModelError where a graph could not be executed from its first to its last operator."""
    for subgraph in graph.subgraphs:
        _check_subgraph(subgraph)
    _check_calls(graph)


def called_subgraphs(op: Op) -> tuple[int, ...]:
    """Returns the indices of the subgraphs that an operator runs."""
    return tuple(getattr(op.options, name) for name in _SUBGRAPH_FIELDS if hasattr(op.options, name))


def _check_subgraph(subgraph: Subgraph) -> None:
    count = len(subgraph.tensors)
    place = f"subgraph {subgraph.index}"
    for role, indices in (("input", subgraph.inputs), ("output", subgraph.outputs)):
        _check_range(indices, count, 0, f"{role} of {place}")
    written = {t.index for t in subgraph.tensors if t.is_constant or t.is_variable} | set(subgraph.inputs)
    for op in subgraph.ops:
        where = f"operator {op.index} ({op.code}) of {place}"
        _check_range(op.inputs, count, -1, f"input of {where}")
        _check_range(op.outputs, count, 0, f"output of {where}")
        _check_range(op.intermediates, count, -1, f"intermediate of {where}")
        unwritten = [i for i in op.inputs if i >= 0 and i not in written]
        if unwritten:
            raise ModelError(
                f"{where} reads tensor {unwritten[0]}, which nothing writes before it: "
                "the graph has a cycle or a gap."
            )
        again = [i for i in op.outputs if i in written and _is_single(subgraph.tensors[i])]
        if again or len(set(op.outputs)) != len(op.outputs):
            raise ModelError(f"{where} writes tensor {(again or op.outputs)[0]}, which already has a value.")
        written.update(op.outputs)
    missing = [i for i in subgraph.outputs if i not in written]
    if missing:
        raise ModelError(f"tensor {missing[0]} is an output of {place}, but no operator writes it.")


def _is_single(tensor) -> bool:
    """Says whether a tensor may be written only once; variables and tensors without elements are free."""
    return not tensor.is_variable and tensor.size > 0


def _check_range(indices, count, lowest, what):
    for index in indices:
        if not lowest <= index < count:
            raise ModelError(f"{what} is tensor {index}, but there are only {count}.")


def _check_calls(graph: Graph) -> None:
    """Refuses calls of subgraphs that do not exist or that lead back to where they came from."""
    calls = [{t for op in subgraph.ops for t in called_subgraphs(op)} for subgraph in graph.subgraphs]
    for index, targets in enumerate(calls):
        for target in targets:
            if not 0 <= target < len(calls):
                raise ModelError(f"subgraph {index} runs subgraph {target}, but there are only {len(calls)}.")
    callers = [0] * len(calls)
    for target in (target for targets in calls for target in targets):
        callers[target] += 1
    free = [index for index, count in enumerate(callers) if not count]
    for index in free:  # grows while it is walked
        for target in calls[index]:
            callers[target] -= 1
            if not callers[target]:
                free.append(target)
    if len(free) < len(calls):
        raise ModelError(
            f"subgraphs {sorted(set(range(len(calls))) - set(free))[:8]} run each other in a circle."
        )
