"""BatchNormalization statistics of the network as it computes now."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from keras_shrink.rebuild import rebuild
from keras_shrink.taps import replaced
from tflite_export import samples


def reestimate_normalization(model, data, *, batch_size=128):
    """Returns a copy of `model` whose BatchNormalization statistics are those of `data`.

    Rounded weights make other activations than the float weights under which mean and variance were
    collected, and in quantization-aware training weights that hop between two levels leave moving
    averages behind the weights. Each layer normalizes with the statistics of its batch meanwhile, as in
    training, and keeps those of all of the data. Use it after `quantize` and training, or after pruning;
    ranges of activations stay, so `calibrate` the result where they matter.

    Args:
        model: A built Functional or Sequential model, float or quantized with known ranges. Not touched.
        data: Inputs without labels, as for `calibrate`; a few hundred samples do.
        batch_size: Samples at a time, where arrays are given: the larger, the closer to the truth.

    Raises:
        ValueError: If the data does not fit, or if the model has no BatchNormalization.

    Example:
    >>> model = keras.Sequential(
    ...     [keras.Input((2,)), keras.layers.BatchNormalization(momentum=0.9, name="bn")]
    ... )
    >>> new = reestimate_normalization(model, np.array([[1.0, 5.0], [3.0, 5.0]]))
    >>> new.get_layer("bn").moving_mean.numpy().tolist()
    [2.0, 5.0]

    Reference:
        Nagel et al., 2022, arXiv:2203.11086, section 5.1; Li et al., 2016, arXiv:1603.04779.
    """
    new = rebuild(model)
    norms = [
        layer
        for layer in new._flatten_layers(include_self=False)
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    if not norms:
        raise ValueError(
            f"The model has no BatchNormalization to re-estimate. Received: model={model.name!r}. "
            "Once folded into other layers there is nothing left of it; do this step before."
        )
    sums = {id(norm): [tf.Variable(np.zeros(norm.moving_mean.shape)) for _ in range(2)] for norm in norms}
    counts = {id(norm): tf.Variable(np.zeros(())) for norm in norms}

    def collecting(norm, _):
        def call(x, training=None, mask=None):
            return _normalize(norm, x, sums[id(norm)], counts[id(norm)])

        return call

    with replaced(norms, collecting):
        step = tf.function(
            lambda *parts: new(samples.packed(new, parts), training=False), reduce_retracing=True
        )
        for batch in samples.batches(samples.specs_of(new), data, batch_size, what="data"):
            step(*[tf.convert_to_tensor(part) for part in batch])
    for norm in norms:
        count = max(float(counts[id(norm)].numpy()), 1e-9)
        mean, square = (np.asarray(total, np.float64) / count for total in sums[id(norm)])
        norm.moving_mean.assign(mean)
        norm.moving_variance.assign(np.maximum(square - mean**2, 0))
    return new


def _normalize(norm, x, sums, count):
    """Returns `x` normalized by its own statistics, which are added up."""
    rank = x.shape.rank
    axis = norm.axis % rank
    others = [i for i in range(rank) if i != axis]
    wide = tf.cast(x, tf.float32)
    mean, variance = tf.nn.moments(wide, others, keepdims=True)
    size = tf.cast(tf.size(wide) / tf.shape(wide)[axis], tf.float64)
    center, spread = (tf.cast(tf.reshape(value, [-1]), tf.float64) for value in (mean, variance))
    count.assign_add(size)
    sums[0].assign_add(size * center)
    sums[1].assign_add(size * (spread + center**2))
    result = (wide - mean) * tf.math.rsqrt(variance + norm.epsilon)
    if norm.scale:
        result *= tf.reshape(tf.convert_to_tensor(norm.gamma), tf.shape(mean))
    if norm.center:
        result += tf.reshape(tf.convert_to_tensor(norm.beta), tf.shape(mean))
    return tf.cast(result, x.dtype)
