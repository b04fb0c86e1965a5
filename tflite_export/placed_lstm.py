"""LSTM operators with ranges from training, put into the finished file where a layer left a mark.

The converter takes the ranges inside an LSTM from a calibration run of its own. So a layer that knows its
ranges leaves a matrix product in its place, marked by its weights, and the operator takes over the tensors
of that product.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from tflite_export import schema
from tflite_export.errors import ConversionError
from tflite_export.flatbuffer import Chosen, Reader
from tflite_export.flatbuffer_write import write
from tflite_export.graph import Op, Subgraph
from tflite_export.options import ReshapeOptions, UnidirectionalSequenceLSTMOptions
from tflite_export.read import read
from tflite_export.tracing import place

_CODE, _NUMBER = 44, 71  # of the operator, and of its options among all options
_RESHAPE_CODE, _RESHAPE_NUMBER = 22, 17
_MARK = 2.0**20  # no weight of a real network is as large
_ABSENT = -1


@dataclass(frozen=True)
class PlacedLSTM:
    """What the operator needs to know besides the tensors it reads and makes.

    The lists have an entry for each gate, in the operator's order: input, forget, cell, output.

    Attributes:
        kernels: int8, shape (units, depth).
        kernel_scales: A step for each kernel.
        recurrent_kernels: int8, shape (units, units).
        recurrent_scales: A step for each recurrent kernel.
        biases: Real numbers, shape (units,).
        cell_scale: Step of the cell's int16 state, a power of two.
        batches: How many sequences it computes at once.
    """

    kernels: list[np.ndarray]
    kernel_scales: list[float]
    recurrent_kernels: list[np.ndarray]
    recurrent_scales: list[float]
    biases: list[np.ndarray]
    cell_scale: float
    batches: int = 1


def place_lstm(x: Any, lstm: PlacedLSTM) -> Any:
    """Returns what stands for the hidden states of an LSTM until the file is made; values mean nothing.

    Only inside `tracing`. What follows must be a fake quantization on the hidden state's range.

    Args:
        x: Tensor of shape (batch, steps, depth).
        lstm: The operator.

    Returns:
        Tensor of shape (batch, steps, units).
    """
    import tensorflow as tf

    number = place(lstm)
    units, depth = lstm.kernels[0].shape
    return tf.matmul(x, tf.constant(127 * (_MARK + number), tf.float32, (depth, units)))


def insert_placed(content: bytes, placed: list[PlacedLSTM]) -> bytes:
    """Returns the file with the operators in the places that their layers left.

    Raises:
        ConversionError: If the converter changed a place so that the operator does not fit in.
    """
    if not placed:
        return content
    graph = read(content)
    insertion = _Insertion(Reader(graph.content).root(schema.ModelTable), graph.main)
    found = []
    for op in graph.main.ops:
        number = _number(graph.main, op)
        if number is not None:
            insertion.replace(op, placed[number])
            found.append(number)
    if sorted(found) != list(range(len(placed))):
        raise ConversionError(
            f"{len(placed)} LSTM layer(s) asked for an operator, but the converter left only the places "
            f"{found}. Build the layers with unroll=True."
        )
    return write(insertion.result(), schema.IDENTIFIER)


def _number(graph: Subgraph, op: Op) -> int | None:
    """The number of the operator that a matrix product stands for; None where it is a real one."""
    if op.code != "FULLY_CONNECTED":
        return None
    weights = graph.tensors[op.inputs[1]]
    if weights.dtype != "int8" or weights.data is None or weights.quantization is None:
        return None
    scale = weights.quantization.scale
    number = round(float(scale[0]) - _MARK)
    is_mark = (weights.data == 127).all() and (scale == scale[0]).all() and number >= 0
    return number if is_mark else None


class _Insertion:
    """The tables of a model into which operators are put."""

    def __init__(self, model: schema.ModelTable, graph: Subgraph):
        self.model, self.graph = model, graph
        self.tensors = list(model.subgraphs[0].tensors)
        self.operators = [[op] for op in model.subgraphs[0].operators]
        self.buffers = list(model.buffers)
        self.codes = list(model.operator_codes)

    def replace(self, op: Op, lstm: PlacedLSTM) -> None:
        """Puts an operator in the place of a matrix product."""
        source, target = (self.graph.tensors[i] for i in (op.inputs[0], op.outputs[0]))
        hidden, activation = target.quantization, op.options.fused_activation_function
        units, depth = lstm.kernels[0].shape
        steps = source.size // (lstm.batches * depth)
        if activation != "NONE" or source.quantization is None or hidden is None:
            raise ConversionError(
                f"The converter changed the place of an LSTM: it has the activation {activation}. Put "
                "another layer behind the LSTM, or build it with unroll=True."
            )
        read = self._reshaped(op.inputs[0], (lstm.batches, steps, depth))
        made = self._reshaped(op.outputs[0], (lstm.batches, steps, units))
        mark = op.inputs[1]
        # The mark's tensor becomes that of the first weight, so that nothing of it is left.
        weights = [self._constant("kernel", lstm.kernels[0], lstm.kernel_scales[0], at=mark)]
        weights += [
            self._constant("kernel", *pair)
            for pair in zip(lstm.kernels[1:], lstm.kernel_scales[1:], strict=True)
        ]
        weights += [
            self._constant("recurrent_kernel", *pair)
            for pair in zip(lstm.recurrent_kernels, lstm.recurrent_scales, strict=True)
        ]
        biases = []
        for bias, kernel_scale in zip(lstm.biases, lstm.kernel_scales, strict=True):
            scale = float(source.quantization.scale[0]) * kernel_scale
            biases.append(self._constant("bias", np.round(bias / scale).astype(np.int32), scale))
        state = (lstm.batches, units)
        scale, zero = float(hidden.scale[0]), int(hidden.zero_point[0])
        states = [
            self._tensor("hidden", state, "int8", scale, zero, is_variable=True),
            self._tensor("cell", state, "int16", lstm.cell_scale, is_variable=True),
        ]
        # TFLite's own kernel wants to know the hidden state's scale once more, among four that it ignores.
        intermediates = [self._tensor(f"intermediate_{i}", (0,), "int16", 2.0**-12) for i in range(4)]
        intermediates.append(self._tensor("effective_hidden_scale", (0,), "int8", scale, zero))
        options = UnidirectionalSequenceLSTMOptions(fused_activation_function="TANH")
        operator = schema.OperatorTable(
            opcode_index=self._code("UNIDIRECTIONAL_SEQUENCE_LSTM", _CODE),
            inputs=(
                *(read, *weights, *[_ABSENT] * 3, *biases, *[_ABSENT] * 2),
                *(*states, *[_ABSENT] * 4),
            ),
            outputs=(made,),
            builtin_options=Chosen(_NUMBER, options),
            intermediates=tuple(intermediates),
        )
        before = [] if read == op.inputs[0] else [self._reshape(op.inputs[0], read)]
        after = [] if made == op.outputs[0] else [self._reshape(made, op.outputs[0])]
        self.operators[op.index] = [*before, operator, *after]

    def result(self) -> schema.ModelTable:
        """The model without operator codes that nobody uses any more."""
        operators = tuple(op for group in self.operators for op in group)
        main = dataclasses.replace(self.model.subgraphs[0], tensors=tuple(self.tensors), operators=operators)
        graphs = (main, *self.model.subgraphs[1:])
        used = sorted({op.opcode_index for graph in graphs for op in graph.operators})
        return dataclasses.replace(
            self.model,
            operator_codes=tuple(self.codes[i] for i in used),
            subgraphs=tuple(_renumbered(graph, used) for graph in graphs),
            buffers=tuple(self.buffers),
        )

    def _code(self, name, number):
        """The number of an operator code, which is added where it is new."""
        known = [code.builtin_code for code in self.codes]
        if name in known:
            return known.index(name)
        self.codes.append(schema.OperatorCodeTable(deprecated_builtin_code=number, builtin_code=name))
        return len(known)

    def _reshaped(self, index, shape):
        """The tensor, or one like it of another shape: the converter joins reshapes with matrix products."""
        table = self.tensors[index]
        if tuple(table.shape) == shape:
            return index
        self.tensors.append(dataclasses.replace(table, shape=shape, buffer=0, name=b"lstm_reshaped"))
        return len(self.tensors) - 1

    def _reshape(self, source, target):
        shape = np.array(self.tensors[target].shape, np.int32)
        return schema.OperatorTable(
            opcode_index=self._code("RESHAPE", _RESHAPE_CODE),
            inputs=(source, self._constant("shape", shape)),
            outputs=(target,),
            builtin_options=Chosen(_RESHAPE_NUMBER, ReshapeOptions(new_shape=tuple(shape.tolist()))),
        )

    def _constant(self, name, values, scale=None, at=None):
        little = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
        content = little.view(np.uint8).reshape(-1)
        self.buffers.append(schema.BufferTable(content))
        index = self._tensor(name, values.shape, values.dtype.name, scale, buffer=len(self.buffers) - 1)
        if at is None:
            return index
        self.tensors[at] = self.tensors.pop()
        return at

    def _tensor(self, name, shape, dtype, scale=None, zero_point=0, *, buffer=0, is_variable=False):
        quantization = None
        if scale is not None:
            quantization = schema.QuantizationTable(
                scale=np.array([scale], np.float32), zero_point=np.array([zero_point], np.int64)
            )
        self.tensors.append(
            schema.TensorTable(
                shape=tuple(shape),
                type=dtype,
                buffer=buffer,
                name=f"lstm_{name}".encode(),
                quantization=quantization,
                is_variable=is_variable,
                has_rank=True,
            )
        )
        return len(self.tensors) - 1


def _renumbered(graph: schema.SubGraphTable, used: list[int]) -> schema.SubGraphTable:
    operators = tuple(
        dataclasses.replace(op, opcode_index=used.index(op.opcode_index)) for op in graph.operators
    )
    return dataclasses.replace(graph, operators=operators)
