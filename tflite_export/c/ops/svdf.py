"""SVDF: a dense layer followed by a filter over time, with state."""

from tflite_export.c.emit import UnsupportedError, emits, quantization
from tflite_export.c.program import Call, Constant
from tflite_export.c.requant import fold_zero_point, require_types
from tflite_export.fixed_point import quantize_multiplier


@emits("SVDF")
def svdf(node):
    """Returns the call of the int8 kernel with int8 or int16 state."""
    require_types(node, input_0="int8", input_1="int8", input_3="int32", output_0="int8")
    require_types(node, input_2=("int8", "int16"), input_4=node.input(2).dtype)
    feature, time = node.required(1, "feature weights"), node.required(2, "time weights")
    filters, depth = feature.shape
    rank = node.options.rank
    if not node.input(4).is_variable:
        raise UnsupportedError("a state that is not a variable tensor")
    scales = [float(quantization(node.input(p))[0]) for p in range(3)]
    (state_scale, state_zero), (out_scale, out_zero) = (
        quantization(node.input(4)),
        quantization(node.output()),
    )
    first = quantize_multiplier(scales[0] * scales[1] / float(state_scale))
    second = quantize_multiplier(float(state_scale) * scales[2] / float(out_scale))
    bias = node.constant(3)
    params = {
        "batches": node.input(0).shape[0],
        "depth": depth,
        "filters": filters,
        "rank": rank,
        "memory": time.shape[1],
        "state_zero_point": state_zero,
        "output_zero_point": out_zero,
        "feature_shift": first.shift,
        "output_shift": second.shift,
        "feature_multiplier": first.significand,
        "output_multiplier": second.significand,
        "feature_weights": Constant("feature_weights", "int8_t", feature),
        "feature_bias": Constant(
            "feature_bias", "int32_t", fold_zero_point(feature, None, quantization(node.input(0))[1])
        ),
        "time_weights": Constant("time_weights", f"{node.input(2).dtype}_t", time),
        "bias": Constant("bias", "int32_t", [0] * (filters // rank) if bias is None else bias),
    }
    kernel = "svdf_int8" if node.input(4).dtype == "int8" else "svdf_int8_int16"
    return Call(kernel, params, (node.operand(0), node.operand(4)), (node.result(),))
