"""What the device computes of a quantized model."""

import tflite_export as te
from tflite_export.affine import quantize_array
from tflite_export.c import native


def on_device(model, x):
    """The integers that the device gives, `(samples, values)`, and the output that has their scale."""
    file = te.convert(model)
    (given,), (output,) = file.graph.inputs, file.graph.outputs
    (integers,) = native.run(file, [quantize_array(x, given)])
    return integers.reshape(len(x), -1), output
