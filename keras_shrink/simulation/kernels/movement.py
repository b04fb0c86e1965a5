"""Operators that only move elements."""

import numpy as np
import tensorflow as tf

from keras_shrink.simulation.kernel import emitted, simulates
from tflite_export.c.emit import UnsupportedError
from tflite_export.c.ops.slice import box, strided_box


@simulates("RESHAPE", "SQUEEZE", "EXPAND_DIMS")
def reshape(node):
    """The same values under another shape."""
    return lambda operands: tf.reshape(operands(0), (-1, *node.output().shape))


@simulates("TRANSPOSE")
def transpose(node):
    """Dimensions exchanged."""
    order = [int(v) + 1 for v in np.reshape(node.required(1, "permutation"), -1)]
    return lambda operands: tf.transpose(operands(0), [0, *order])


@simulates("CONCATENATION")
def concatenation(node):
    """Inputs side by side."""
    emitted(node)
    axis = node.options.axis % len(node.output().shape) + 1
    return lambda operands: tf.concat([operands.each(i) for i in range(len(node.op.inputs))], axis)


@simulates("PACK")
def pack(node):
    """Inputs stacked along a new dimension."""
    emitted(node)
    axis = node.options.axis % len(node.output().shape) + 1
    return lambda operands: tf.stack([operands.each(i) for i in range(len(node.op.inputs))], axis)


@simulates("UNPACK")
def unpack(node):
    """Slices along a dimension, which vanishes."""
    axis = node.options.axis % len(node.input(0).shape) + 1
    return lambda operands: tf.unstack(operands(0), axis=axis)


@simulates("SPLIT")
def split(node):
    """Equal parts along a dimension."""
    return _parts(node, source=1, axis=0)


@simulates("SPLIT_V")
def split_v(node):
    """Parts along a dimension, as long as the outputs' shapes say."""
    return _parts(node, source=0, axis=2)


def _parts(node, source, axis):
    rank = len(node.input(source).shape)
    axis = int(np.reshape(node.required(axis, "axis"), -1)[0]) % rank
    sizes = [node.output(i).shape[axis] for i in range(len(node.op.outputs))]
    return lambda operands: tf.split(operands(source), sizes, axis + 1)


@simulates("SLICE", "STRIDED_SLICE")
def slice_(node):
    """A box, with steps where there are some."""
    emitted(node)
    taken = (box if node.op.code == "SLICE" else strided_box)(node)
    index = (slice(None), *taken)
    return lambda operands: tf.reshape(operands(0)[index], (-1, *node.output().shape))


@simulates("PAD", "PADV2")
def pad(node):
    """The input with its zero point, or the given value, around it."""
    emitted(node)
    paddings = [(0, 0), *np.reshape(node.required(1, "paddings"), (-1, 2)).astype(int).tolist()]
    target = node.output()
    value = node.constant(2) if len(node.op.inputs) > 2 else None
    if value is None:
        value = 0 if target.quantization is None else target.quantization.zero_point
    value = np.reshape(value, -1)[0].astype(target.dtype) if np.size(value) else 0
    return lambda operands: tf.pad(operands(0), paddings, constant_values=value)


@simulates("MIRROR_PAD")
def mirror_pad(node):
    """The input with its reflection around it."""
    emitted(node)
    paddings = [(0, 0), *np.reshape(node.required(1, "paddings"), (-1, 2)).astype(int).tolist()]
    return lambda operands: tf.pad(operands(0), paddings, mode=node.options.mode)


@simulates("GATHER")
def gather(node):
    """Slices at constant or computed places."""
    emitted(node)
    axis = node.options.axis % len(node.input(0).shape)
    batch = node.options.batch_dims % (len(node.input(1).shape) + 1)
    last = node.input(0).shape[axis] - 1
    one_table = node.constant(0) is not None and axis == batch == 0
    if batch > axis:
        raise UnsupportedError(f"{batch} batch dimensions before dimension {axis}")

    def run(operands):
        if one_table:
            return tf.gather(node.constant(0), tf.clip_by_value(operands(1), 0, last))
        picks = tf.clip_by_value(operands.each(1), 0, last)
        return tf.gather(operands.each(0), picks, axis=axis + 1, batch_dims=batch + 1)

    return run
