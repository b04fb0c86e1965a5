"""Files with activations of 16 bits from models that bring their own ranges.

TensorFlow's converter writes biases of 32 bits where it meets 16-bit ranges, and knows no softmax there. Its
older quantizer does both right, but takes ranges from calibration. So the model is converted with its
roundings as operators; these become ranges of the tensors that they round, which the quantizer takes as if
they had been observed.
"""

from __future__ import annotations

import numpy as np

from tflite_export.errors import ConversionError

# Operators whose outputs have the scale of their inputs.
_SAME_SCALE = (
    "AVERAGE_POOL_2D",
    "BATCH_TO_SPACE_ND",
    "CONCATENATION",
    "EXPAND_DIMS",
    "GATHER",
    "MAXIMUM",
    "MAX_POOL_2D",
    "MINIMUM",
    "MIRROR_PAD",
    "PACK",
    "PAD",
    "PADV2",
    "REDUCE_MAX",
    "RESHAPE",
    "RESIZE_BILINEAR",
    "RESIZE_NEAREST_NEIGHBOR",
    "SLICE",
    "SPACE_TO_BATCH_ND",
    "SPLIT",
    "SQUEEZE",
    "STRIDED_SLICE",
    "TILE",
    "TRANSPOSE",
    "UNPACK",
)


def as_ranges(content: bytes) -> tuple[bytes, dict[str, float]]:
    """Returns a float file whose pairs of QUANTIZE and DEQUANTIZE became ranges, and name -> scale.

    Args:
        content: A float file with such a pair wherever the model rounds to 16 bits.

    Raises:
        ConversionError: If the range of an activation does not follow from those given.
    """
    from tensorflow.lite.tools import flatbuffer_utils

    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    rewriting = _Rewriting(model)
    rewriting.take_out_roundings()
    rewriting.pass_scales_on()
    rewriting.part_constants()
    scales = rewriting.write_ranges()
    rewriting.drop_unused()
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model)), scales


def check_scales(content: bytes, promised: dict[str, float]) -> None:
    """Raises unless the activations of a file have the scales promised by name.

    Raises:
        ConversionError: If one has another scale.
    """
    from tflite_export.read import read

    off = []
    for tensor in read(content).main.tensors:
        if tensor.name not in promised or tensor.quantization is None or tensor.dtype != "int16":
            continue
        scale = float(tensor.quantization.scale[0])
        if not np.isclose(scale, promised[tensor.name], rtol=1e-5):
            off.append(f"  {tensor.name.split(';')[0]}: {promised[tensor.name]:.7g} became {scale:.7g}")
    if off:
        raise ConversionError("TensorFlow's quantizer changed scales of the model:\n" + "\n".join(off))


class _Rewriting:
    """A model as TensorFlow's schema objects, being rewritten."""

    def __init__(self, model):
        from tensorflow.lite.python import schema_py_generated as schema

        self.schema, self.model, self.graph = schema, model, model.subgraphs[0]
        self.names = {v: k for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)}
        self.scales: dict[int, float] = {}

    def code(self, op):
        """Name of an operator's kind."""
        stored = self.model.operatorCodes[op.opcodeIndex]
        return self.names[max(stored.builtinCode, stored.deprecatedBuiltinCode)]

    def is_constant(self, index):
        """Whether a tensor is stored in the file."""
        data = self.model.buffers[self.graph.tensors[index].buffer].data
        return data is not None and len(data) > 0

    def activations(self, indices):
        """Those of the indices that are float activations."""
        float32 = self.schema.TensorType.FLOAT32
        return [
            i for i in indices if i >= 0 and self.graph.tensors[i].type == float32 and not self.is_constant(i)
        ]

    def take_out_roundings(self):
        """Leaves out the pairs that round, and remembers their scales."""
        rounded: dict[int, int] = {}
        instead: dict[int, int] = {}
        kept = []
        for op in self.graph.operators:
            op.inputs = [instead.get(i, i) for i in op.inputs]
            if self.code(op) == "QUANTIZE":
                rounded[op.outputs[0]] = op.inputs[0]
                scale = self.graph.tensors[op.outputs[0]].quantization.scale[0]
                self.scales.setdefault(op.inputs[0], float(scale))
            elif self.code(op) == "DEQUANTIZE" and op.inputs[0] in rounded:
                instead[op.outputs[0]] = rounded[op.inputs[0]]
            else:
                kept.append(op)
        self.graph.operators = kept
        self.graph.outputs = [instead.get(i, i) for i in self.graph.outputs]
        used = sorted({op.opcodeIndex for op in kept})
        self.model.operatorCodes = [self.model.operatorCodes[i] for i in used]
        for op in kept:
            op.opcodeIndex = used.index(op.opcodeIndex)

    def pass_scales_on(self):
        """Gives a scale to the tensors on both sides of operators that keep it."""
        keeping = [op for op in self.graph.operators if self.code(op) in _SAME_SCALE]
        for op in [*reversed(keeping), *keeping]:
            around = self.activations([*op.outputs, *op.inputs])
            known = [self.scales[i] for i in around if i in self.scales]
            for index in around if known else ():
                self.scales.setdefault(index, known[0])

    def part_constants(self):
        """Gives each operator constants of its own: the quantizer would round shared ones once for all."""
        import copy

        seen = set()
        for op in self.graph.operators:
            for slot, index in enumerate(op.inputs):
                if index < 0 or not self.is_constant(index):
                    continue
                tensor = self.graph.tensors[index]
                if tensor.buffer in seen:
                    tensor = copy.copy(tensor)
                    self.model.buffers.append(copy.copy(self.model.buffers[tensor.buffer]))
                    tensor.buffer = len(self.model.buffers) - 1
                    tensor.name = tensor.name + b"/%d" % len(self.graph.tensors)
                    self.graph.tensors.append(tensor)
                    op.inputs[slot] = len(self.graph.tensors) - 1
                seen.add(tensor.buffer)

    def write_ranges(self) -> dict[str, float]:
        """Writes the scales as ranges that were seen, and returns them by the names of tensors."""
        missing = {}
        for op in self.graph.operators:
            for index in self.activations([*op.inputs, *op.outputs]):
                if index not in self.scales:
                    missing[index] = self.code(op)
        if missing:
            lines = [f"  {code} {self.graph.tensors[i].name.decode()}" for i, code in missing.items()]
            raise ConversionError("No range is known for the activations of\n" + "\n".join(lines))
        for index, scale in self.scales.items():
            seen = self.schema.QuantizationParametersT()
            seen.min, seen.max = [-32767 * scale], [32767 * scale]
            self.graph.tensors[index].quantization = seen
        return {self.graph.tensors[i].name.decode(): scale for i, scale in self.scales.items()}

    def drop_unused(self):
        """Leaves out the tensors that nobody refers to any more."""
        graph = self.graph
        lists = [
            graph.inputs,
            graph.outputs,
            *(part for op in graph.operators for part in (op.inputs, op.outputs)),
        ]
        used = sorted({int(i) for indices in lists for i in indices if i >= 0})
        place = {old: new for new, old in enumerate(used)} | {-1: -1}
        graph.tensors = [graph.tensors[i] for i in used]
        graph.inputs, graph.outputs = ([place[i] for i in part] for part in (graph.inputs, graph.outputs))
        for op in graph.operators:
            op.inputs, op.outputs = ([place[i] for i in part] for part in (op.inputs, op.outputs))
