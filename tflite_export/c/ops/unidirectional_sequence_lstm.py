"""UNIDIRECTIONAL_SEQUENCE_LSTM with state kept from one invocation to the next."""

import math

from tflite_export.c.emit import UnsupportedError, emits, quantization
from tflite_export.c.ops.logistic import sigmoid_table
from tflite_export.c.program import Call, Constant
from tflite_export.c.requant import fold_zero_point, require_types
from tflite_export.fixed_point import quantize_multiplier

GATES = (("input_gate", 1), ("forget_gate", 2), ("cell_gate", 3), ("output_gate", 4))
HIDDEN, CELL = 18, 19  # input positions of the states
UNUSED = (9, 10, 11, 16, 17, 20, 21, 22, 23)  # peepholes, projection, layer normalization


@emits("UNIDIRECTIONAL_SEQUENCE_LSTM")
def unidirectional_sequence_lstm(node):
    """Returns the call of the kernel for int8 or int16 data, int8 weights and int16 cell state."""
    dtype = node.output().dtype
    require_types(node, output_0=("int8", "int16"), input_0=dtype, input_18=dtype, input_19="int16")
    present = [p for p in UNUSED if node.has_input(p)]
    if present:
        raise UnsupportedError(f"peepholes, projection or layer normalization (inputs {present})")
    if node.options.fused_activation_function != "TANH":
        raise UnsupportedError(f"a cell activation {node.options.fused_activation_function}, only TANH")
    shape = node.input(0).shape
    steps, batches = shape[:2] if node.options.time_major else shape[:2][::-1]
    cell_scale = float(quantization(node.input(CELL))[0])
    power = round(math.log2(cell_scale))
    left = 12 + power
    hidden_scale, hidden_zero = quantization(node.input(HIDDEN))
    unit = 2.0**-15
    products = {
        "forget": quantize_multiplier(unit * cell_scale / cell_scale),
        "update": quantize_multiplier(unit * unit / cell_scale),
        "hidden": quantize_multiplier(unit * unit / float(hidden_scale)),
    }
    clip = node.options.cell_clip / cell_scale
    params = {
        "batches": batches,
        "steps": steps,
        "depth": shape[2],
        "units": node.input(HIDDEN).shape[1],
        "time_major": int(node.options.time_major),
        "cell_clip": int(min(clip, 32767.0)) if clip > 0 else 0,
        "tanh_multiplier": 3 << left if left >= 0 else 3,
        "tanh_shift": max(-left, 0),
        "hidden_zero_point": hidden_zero,
        **{f"{name}_multiplier": m.significand for name, m in products.items()},
        **{f"{name}_shift": m.shift for name, m in products.items()},
        **{name: _gate(node, position, name, dtype) for name, position in GATES},
        "table": Constant("table", "uint16_t", sigmoid_table()),
    }
    kernel = f"unidirectional_sequence_lstm_{dtype}"
    operands = node.operand(0), node.operand(HIDDEN), node.operand(CELL)
    return Call(kernel, params, operands, (node.result(),))


def _gate(node, position, name, dtype):
    """The `te_lstm_gate` of one gate: weights, biases with the zero points folded in, multipliers."""
    fields = {}
    sources = (("input", position, node.input(0)), ("recurrent", position + 4, node.input(HIDDEN)))
    for kind, weights_at, source in sources:
        weights = node.required(weights_at, f"{name} weights")
        require_types(node, **{f"input_{weights_at}": "int8"})
        if node.input(weights_at).quantization.scale.size != 1:
            raise UnsupportedError("weights with a scale for each unit")
        scale, zero_point = quantization(source)
        multiplier = quantize_multiplier(
            float(scale) * float(quantization(node.input(weights_at))[0]) / 2.0**-12
        )
        bias = node.required(position + 11, f"{name} bias") if kind == "input" else None
        if dtype == "int8":
            bias = fold_zero_point(weights, bias, zero_point)
        elif bias is None:
            bias = [0] * len(weights)
        if dtype == "int16" and multiplier.shift > 7:
            raise UnsupportedError("weights whose scale is out of proportion")
        sums = "int32_t" if dtype == "int8" else "int64_t"
        fields |= {
            f"{kind}_weights": Constant(f"{name}_{kind}_weights", "int8_t", weights),
            f"{kind}_bias": Constant(f"{name}_{kind}_bias", sums, bias),
            f"{kind}_multiplier": multiplier.significand,
            f"{kind}_shift": multiplier.shift,
        }
    return fields
