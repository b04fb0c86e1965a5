"""Single-operator `.tflite` files for the tests, built with the schema's own object classes."""

from dataclasses import dataclass, field

import ai_edge_litert.schema_py_generated as schema
import flatbuffers
import numpy as np


@dataclass(frozen=True)
class T:
    """A tensor: shape and type, quantization, values where it is constant."""

    shape: tuple
    dtype: str = "int8"
    scale: object = None
    zero_point: object = 0
    data: object = None
    axis: int = 0
    variable: bool = False


@dataclass(frozen=True)
class Operator:
    """An operator over tensors given by position in the list of tensors; -1 where absent."""

    code: str
    inputs: tuple
    outputs: tuple
    options_name: str = ""
    options: dict = field(default_factory=dict)
    intermediates: tuple = ()


def build(tensors, operators, inputs, outputs, more_subgraphs=()):
    """Returns the bytes of a model; `more_subgraphs` are further (tensors, operators, inputs, outputs)."""
    model = schema.ModelT()
    model.version, model.description = 3, "test"
    model.buffers, model.operatorCodes, model.subgraphs, codes = [schema.BufferT()], [], [], {}
    for rows, ops, ins, outs in ((tensors, operators, inputs, outputs), *more_subgraphs):
        graph = schema.SubGraphT()
        graph.name, graph.inputs, graph.outputs = "main", list(ins), list(outs)
        graph.tensors = [_tensor(t, i, model) for i, t in enumerate(rows)]
        graph.operators = [_operator(op, model, codes) for op in ops]
        model.subgraphs.append(graph)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def single(code, inputs, outputs, options_name="", intermediates=(), **options):
    """Returns a model of one operator; inputs without data are the model's, None is an absent input."""
    tensors, positions = [], []
    for t in inputs:
        positions.append(-1 if t is None else len(tensors))
        if t is not None:
            tensors.append(t)
    first_output = len(tensors)
    tensors += [*outputs, *intermediates]
    out = tuple(range(first_output, first_output + len(outputs)))
    op = Operator(
        code,
        tuple(positions),
        out,
        options_name,
        options,
        tuple(range(first_output + len(outputs), len(tensors))),
    )
    open_inputs = [
        p for p, t in zip(positions, inputs, strict=True) if t and t.data is None and not t.variable
    ]
    return build(tensors, [op], open_inputs, out)


def _tensor(t, index, model):
    table = schema.TensorT()
    table.name, table.shape, table.isVariable = f"t{index}", list(t.shape), t.variable
    table.type = getattr(schema.TensorType, t.dtype.upper())
    table.buffer = 0
    if t.data is not None:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(_stored(t), np.uint8)
        table.buffer = len(model.buffers)
        model.buffers.append(buffer)
    if t.scale is not None:
        table.quantization = schema.QuantizationParametersT()
        scales = np.atleast_1d(np.asarray(t.scale, np.float32))
        table.quantization.scale = scales
        table.quantization.zeroPoint = np.broadcast_to(
            np.asarray(t.zero_point, np.int64), scales.shape
        ).copy()
        table.quantization.quantizedDimension = t.axis
    return table


def _stored(t):
    if t.dtype == "int4":
        nibbles = np.asarray(t.data, np.int8).reshape(-1).astype(np.uint8) & 15
        nibbles = np.append(nibbles, np.zeros(nibbles.size % 2, np.uint8))
        return (nibbles[::2] | nibbles[1::2] << 4).tobytes()
    return np.asarray(t.data).astype(np.dtype(t.dtype)).tobytes()


def _operator(op, model, codes):
    if op.code not in codes:
        code = schema.OperatorCodeT()
        code.builtinCode = getattr(schema.BuiltinOperator, op.code)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        codes[op.code] = len(codes)
        model.operatorCodes.append(code)
    table = schema.OperatorT()
    table.opcodeIndex, table.inputs, table.outputs = codes[op.code], list(op.inputs), list(op.outputs)
    if op.intermediates:
        table.intermediates = list(op.intermediates)
    if op.options_name:
        table.builtinOptionsType = getattr(schema.BuiltinOptions, op.options_name)
        table.builtinOptions = getattr(schema, f"{op.options_name}T")()
        for key, value in op.options.items():
            if not hasattr(table.builtinOptions, key):
                raise AttributeError(key)
            setattr(table.builtinOptions, key, value)
    return table
