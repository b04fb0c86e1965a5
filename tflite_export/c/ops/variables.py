"""VAR_HANDLE, READ_VARIABLE, ASSIGN_VARIABLE and CALL_ONCE: streaming state."""

import numpy as np

from tflite_export.c.emit import UnsupportedError, element_bytes, emits
from tflite_export.c.program import Alias, Call, Constant, Operand, State

_SHAPE_ONLY = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE", "QUANTIZE")


@emits("VAR_HANDLE")
def var_handle(node):
    """Names a state; nothing happens at run time."""
    node.variables[node.op.outputs[0]] = _key(node.op)
    return ()


@emits("CALL_ONCE")
def call_once(node):
    """Takes the initial values that the called subgraph assigns; nothing happens at run time."""
    subgraph = node.graph.subgraphs[node.options.init_subgraph_index]
    handles = {op.outputs[0]: _key(op) for op in subgraph.ops if op.code == "VAR_HANDLE"}
    for op in subgraph.ops:
        if op.code == "VAR_HANDLE":
            continue
        value = subgraph.tensors[op.inputs[1]] if op.code == "ASSIGN_VARIABLE" else None
        if value is None or value.data is None:
            raise UnsupportedError(f"an initialization that does more than assign constants: {op.code}")
        key = handles[op.inputs[0]]
        node.states[key] = State(key, np.ascontiguousarray(value.data).tobytes())
    return ()


@emits("READ_VARIABLE")
def read_variable(node):
    """Returns the state itself where nothing can overwrite it too early, else a copy."""
    target = node.output()
    key = _state(node, 0, target)
    assigned = [
        op.index
        for op in node.graph.main.ops
        if op.code == "ASSIGN_VARIABLE" and node.variables.get(op.inputs[0]) == key
    ]
    uses = [op for op in node.graph.main.ops if target.index in op.inputs]
    last = max((op.index for op in uses), default=node.op.index)
    safe = last < min(assigned, default=last + 1) and not any(op.code in _SHAPE_ONLY for op in uses)
    if safe and target.index not in node.graph.main.outputs:
        return Alias(target.index, key)
    return _copy(Operand(key, "int8_t"), Operand(target.index, "int8_t"), target)


@emits("ASSIGN_VARIABLE")
def assign_variable(node):
    """Returns the copy of a value into a state."""
    source = node.input(1)
    key = _state(node, 0, source)
    values = node.constant(1)
    read = Operand(source.index, "int8_t")
    if values is not None:
        read = Constant("value", "int8_t", np.ascontiguousarray(values).view(np.int8).reshape(-1))
    return _copy(read, Operand(key, "int8_t"), source)


def _key(op):
    return "variable", op.options.container, op.options.shared_name


def _state(node, position, tensor):
    """The key of the state a resource input names; one that nothing initializes starts at the zero point."""
    key = node.variables.get(node.op.inputs[position])
    if key is None:
        raise UnsupportedError("a variable that no VAR_HANDLE of the main graph names")
    if key not in node.states:
        zero = 0 if tensor.quantization is None else int(tensor.quantization.zero_point[0])
        node.states[key] = State(key, bytes([zero & 255]) * (tensor.size * element_bytes(tensor)))
    if len(node.states[key].initial) != tensor.size * element_bytes(tensor):
        raise UnsupportedError("a variable whose size differs from one use to another")
    return key


def _copy(source, target, tensor):
    params = {
        "extent": (1,) * 5,
        "input_step": (0,) * 5,
        "output_step": (0,) * 5,
        "unit": tensor.size * element_bytes(tensor),
    }
    return Call("copy_strided_int8", params, (source,), (target,))
