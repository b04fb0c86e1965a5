"""What TFLM has: its operators, the names its resolver gives them, and what it is known to run wrongly."""

from __future__ import annotations

import re

from tflite_export.graph import Graph, Op, Subgraph

# Registered in the tflite-micro wheel of October 2026, found by asking it for every operator of the format.
_OPERATORS = (
    "ABS ADD ADD_N ARG_MAX ARG_MIN ASSIGN_VARIABLE AVERAGE_POOL_2D BATCH_MATMUL BATCH_TO_SPACE_ND "
    "BROADCAST_ARGS BROADCAST_TO CALL_ONCE CAST CEIL CONCATENATION CONV_2D COS CUMSUM "
    "DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE DIV DYNAMIC_UPDATE_SLICE ELU EMBEDDING_LOOKUP EQUAL "
    "EXP EXPAND_DIMS FILL FLOOR FLOOR_DIV FLOOR_MOD FULLY_CONNECTED GATHER GATHER_ND GREATER "
    "GREATER_EQUAL HARD_SWISH IF L2_NORMALIZATION L2_POOL_2D LEAKY_RELU LESS LESS_EQUAL LOG "
    "LOGICAL_AND LOGICAL_NOT LOGICAL_OR LOGISTIC LOG_SOFTMAX MAXIMUM MAX_POOL_2D MEAN MINIMUM "
    "MIRROR_PAD MUL NEG NOT_EQUAL PACK PAD PADV2 PRELU QUANTIZE READ_VARIABLE REDUCE_ALL REDUCE_MAX "
    "REDUCE_MIN RELU RELU6 RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_V2 ROUND RSQRT "
    "SELECT_V2 SHAPE SIN SLICE SOFTMAX SPACE_TO_BATCH_ND SPACE_TO_DEPTH SPLIT SPLIT_V SQRT SQUARE "
    "SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUB SUM SVDF TANH TRANSPOSE TRANSPOSE_CONV "
    "UNIDIRECTIONAL_SEQUENCE_LSTM UNPACK VAR_HANDLE WHILE ZEROS_LIKE"
)
_IRREGULAR = {
    "BATCH_MATMUL": "AddBatchMatMul",
    "CUMSUM": "AddCumSum",
    "PADV2": "AddPadV2",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "AddUnidirectionalSequenceLSTM",
}
# UNIDIRECTIONAL_SEQUENCE_LSTM has one too, but its method takes no registration in headers still in use.
_WITH_INT8_KERNEL = (
    "ADD",
    "AVERAGE_POOL_2D",
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "FULLY_CONNECTED",
    "MAX_POOL_2D",
    "MUL",
    "SOFTMAX",
    "SVDF",
)
CUSTOM_OPERATORS = {
    "TFLite_Detection_PostProcess": "AddDetectionPostprocess",
    "CIRCULAR_BUFFER": "AddCircularBuffer",
}


def supported_operators() -> frozenset[str]:
    """Returns the schema names of the operators that TFLM has."""
    return frozenset(_OPERATORS.split())


def resolver_calls(graph: Graph) -> list[str]:
    """Returns the C++ calls that register exactly the operators a model uses, sorted.

    Where all uses of an operator are int8 throughout and TFLM has a kernel for int8 alone, that one is named:
    the others' code then stays out of the image.

    Example:
    >>> from tflite_export.read import read
    >>> resolver_calls(read("model.tflite"))[1]
    'AddFullyConnected(tflite::Register_FULLY_CONNECTED_INT8())'
    """
    uses: dict[str, list[bool]] = {}
    for subgraph in graph.subgraphs:
        for op in subgraph.ops:
            uses.setdefault(op.custom_code or op.code, []).append(_is_int8(subgraph, op))
    calls = []
    for code, narrow in uses.items():
        special = code in _WITH_INT8_KERNEL and all(narrow)
        calls.append(f"{_method(code)}({f'tflite::Register_{code}_INT8()' if special else ''})")
    return sorted(calls)


def missing_operators(graph: Graph) -> list[str]:
    """Returns the operators of a model that TFLM does not have, each once."""
    known = supported_operators()
    names = {
        op.custom_code or op.code
        for subgraph in graph.subgraphs
        for op in subgraph.ops
        if op.code not in known and op.custom_code not in CUSTOM_OPERATORS
    }
    return sorted(names)


def wrong_results(graph: Graph) -> list[str]:
    """Returns a sentence for each operator that TFLM accepts and computes wrongly.

    RELU6 on its own clamps in the input's scale though the output has another; a matrix stored sparse is read
    as if it were dense.
    """
    found = []
    for subgraph in graph.subgraphs:
        for op in subgraph.ops:
            where = f"operator {op.index} ({op.code})"
            tensors = [subgraph.tensors[i] for i in op.inputs if i >= 0]
            if op.code == "RELU6" and not _same_scale(subgraph, op):
                found.append(f"{where}: TFLM ignores that input and output scales differ; fuse it.")
            if op.code != "DENSIFY" and any(t.sparse for t in tensors):
                found.append(f"{where}: TFLM takes its sparse weights for dense ones; store them dense.")
    return found


def _method(code):
    if code in CUSTOM_OPERATORS:
        return CUSTOM_OPERATORS[code]
    words = "".join(word.capitalize() for word in code.split("_"))
    return _IRREGULAR.get(code, "Add" + re.sub(r"2d$", "2D", words))


def _is_int8(subgraph: Subgraph, op: Op) -> bool:
    ends = [i for i in (*op.inputs[:2], *op.outputs) if i >= 0]
    return all(subgraph.tensors[i].dtype == "int8" for i in ends)


def _same_scale(subgraph: Subgraph, op: Op) -> bool:
    before, after = (subgraph.tensors[i].quantization for i in (op.inputs[0], op.outputs[0]))
    if before is None or after is None:
        return before is after
    return before.scale[0] == after.scale[0] and before.zero_point[0] == after.zero_point[0]
