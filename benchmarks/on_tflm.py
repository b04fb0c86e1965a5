"""What a file answers on a whole test set in TFLM's arithmetic, without TFLM's patience for one sample."""

import numpy as np

from tflite_export import affine, tflm
from tflite_export.c import native


def answers(graph, x, checked=100):
    """Returns the integers of a file's first output, a row for each sample; recurrent state starts afresh.

    The standalone C computes them, and TFLM those of the first samples, which must be the same.

    Args:
        graph: Of the file, with one input.
        x: All samples, in real values.
        checked: How many TFLM computes.
    """
    q = affine.quantize_array(x.astype("float32"), graph.inputs[0])
    on_c = native.run(graph, [q], fresh=True)[0].reshape(len(q), -1)
    on_tflm = tflm.run(graph, [q[:checked, None]], fresh=True)[0].reshape(len(q[:checked]), -1)
    if not np.array_equal(on_tflm, on_c[:checked]):
        raise SystemExit("The standalone C differs from TFLM.")
    return on_c


def accuracy(graph, x, y):
    """Returns the share of right answers of a file."""
    return float(np.mean(answers(graph, x).argmax(axis=1) == y))
