"""Images of another size."""

import numpy as np
import tensorflow as tf

from keras_shrink.simulation.arithmetic import round_away, saturate, wide
from keras_shrink.simulation.kernel import emitted, simulates

_ONE = 1024.0


@simulates("RESIZE_NEAREST_NEIGHBOR")
def resize_nearest(node):
    """Pixels picked by row and column."""
    rows, columns = (np.asarray(emitted(node).params[k].values, np.int32) for k in ("rows", "columns"))
    return lambda operands: tf.gather(tf.gather(operands(0), rows, axis=2), columns, axis=3)


@simulates("RESIZE_BILINEAR")
def resize_bilinear(node):
    """Pixels between four others, in units of 1/1024, halves away from zero."""
    params = emitted(node).params
    (low, high, down), (left, right, along) = (
        np.asarray(params[k].values, np.int32).reshape(-1, 3).T for k in ("rows", "columns")
    )
    down = down.astype(np.float64)[:, None, None]
    along = along.astype(np.float64)[:, None]

    def run(operands):
        x = wide(operands(0))
        upper_left, lower_left = (tf.gather(tf.gather(x, r, axis=2), left, axis=3) for r in (low, high))
        upper_right, lower_right = (tf.gather(tf.gather(x, r, axis=2), right, axis=3) for r in (low, high))
        sums = (upper_left * (_ONE - down) + lower_left * down) * (_ONE - along)
        sums += (upper_right * (_ONE - down) + lower_right * down) * along
        return saturate(round_away(sums / _ONE**2), "int8")

    return run
