"""`QuantizationPhases`: what of quantization is active in which epoch of `fit`, as a callback."""

import keras
import tensorflow as tf

from keras_shrink.quantization.fake_quant import WeightRounding
from keras_shrink.quantization.quantize import is_quantized
from keras_shrink.quantization.quick_normalization import is_fused, normalize
from keras_shrink.quantization.ranges import ActivationQuantizer, FixedRange
from keras_shrink.quantization.recurrence import Recurrent


class QuantizationPhases(keras.callbacks.Callback):
    """Delays quantization in `fit`, then freezes BatchNormalization's statistics, then the ranges.

    A network that is not trained yet learns faster in float; ranges are observed meanwhile, so that
    rounding starts from them. Towards the end, batch statistics that keep moving fight with rounding:
    frozen, each layer normalizes as it will in inference, and the weights settle on their grids.
    Validation always computes with integers, so it shows what the device would do in any phase. Phases
    are variables of the compiled step: it is traced once more when `fit` begins and not again.

    Args:
        quantize_from: First epoch whose training steps round. Defaults to 0.
        freeze_normalization_from: First epoch in which BatchNormalization normalizes with its moving
            statistics and leaves them alone; None for never. Gamma and beta train on.
        freeze_ranges_from: First epoch in which ranges of activations stay, which also saves looking
            for them; None for never. Ranges from `learn_ranges` get no more gradient.

    Raises:
        ValueError: If an epoch is negative or ranges freeze before normalization; from `fit`, if the
            model is not quantized.

    Example:
    >>> import numpy as np, keras_shrink as ks
    >>> qat = ks.quantize(keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]))
    >>> qat.compile("sgd", "mse")
    >>> phases = QuantizationPhases(quantize_from=1, freeze_ranges_from=2)
    >>> history = qat.fit(np.ones((8, 4)), np.ones((8, 2)), epochs=3, callbacks=[phases], verbose=0)

    Reference:
        Jacob et al., 2018, arXiv:1712.05877, section 3; Krishnamoorthi, 2018, arXiv:1806.08342,
        section 3.2.
    """

    def __init__(self, *, quantize_from=0, freeze_normalization_from=None, freeze_ranges_from=None):
        super().__init__()
        for name, epoch in (
            ("quantize_from", quantize_from),
            ("freeze_normalization_from", freeze_normalization_from),
            ("freeze_ranges_from", freeze_ranges_from),
        ):
            if (epoch is None and name != "quantize_from") or (isinstance(epoch, int) and epoch >= 0):
                continue
            raise ValueError(f"{name} must be the number of an epoch, from 0. Received: {name}={epoch}.")
        if None not in (freeze_normalization_from, freeze_ranges_from) and (
            freeze_ranges_from < freeze_normalization_from
        ):
            raise ValueError(
                "Ranges must not freeze before normalization, which would move the activations out of them. "
                f"Received: freeze_normalization_from={freeze_normalization_from}, "
                f"freeze_ranges_from={freeze_ranges_from}."
            )
        self.quantize_from = quantize_from
        self.freeze_normalization_from = freeze_normalization_from
        self.freeze_ranges_from = freeze_ranges_from
        self._layers = []

    def on_train_begin(self, logs=None):
        """Makes the training step depend on the phase."""
        if not is_quantized(self.model):
            raise ValueError(
                f"The model has nothing to delay or freeze. Received: model={self.model.name!r}, which is "
                "not quantized. Fit the model that keras_shrink.quantize(model) returns."
            )
        # Not Keras variables: they are no part of the model and are not saved with it.
        self._rounds = tf.Variable(True, trainable=False)
        self._normalization_frozen = tf.Variable(False, trainable=False)
        self._ranges_frozen = tf.Variable(False, trainable=False)
        self._layers = []
        for layer in self.model._flatten_layers(include_self=False):
            if isinstance(layer, Recurrent):
                layer.delay = lambda: self._rounds
            phased = self._phased(layer)
            if phased is not None:
                layer.__dict__.pop("call", None)  # a fit that broke off may have left its own
                layer.call = phased(layer, layer.call)
                self._layers.append(layer)
        self.model.make_train_function(force=True)

    def on_epoch_begin(self, epoch, logs=None):
        """Sets the phase."""
        self._rounds.assign(epoch >= self.quantize_from)
        self._normalization_frozen.assign(_reached(epoch, self.freeze_normalization_from))
        self._ranges_frozen.assign(_reached(epoch, self.freeze_ranges_from))

    def on_train_end(self, logs=None):
        """Leaves the model as it was."""
        for layer in self._layers:
            del layer.call
        for layer in self.model._flatten_layers(include_self=False):
            if isinstance(layer, Recurrent):
                layer.delay = None
        self._layers = []
        self.model.train_function = None

    def _phased(self, layer):
        if isinstance(layer, ActivationQuantizer):
            return self._observer
        if isinstance(layer, WeightRounding | FixedRange):
            return self._rounding
        if isinstance(layer, keras.layers.BatchNormalization) and self.freeze_normalization_from is not None:
            return self._normalization
        return None

    def _rounding(self, layer, call):
        def phased(x, training=None):
            if not training:
                return call(x, training=training)
            return tf.cond(self._rounds, lambda: call(x, training=True), lambda: x)

        return phased

    def _observer(self, layer, call):
        def phased(x, training=None):
            if not training:
                return call(x, training=training)
            return layer.trained(x, rounds=self._rounds, frozen=self._ranges_frozen)

        return phased

    def _normalization(self, layer, call):
        def phased(x, training=None, mask=None):
            if not training or not layer.trainable or mask is not None:
                return call(x, training=training, mask=mask)
            normalized = normalize if is_fused(layer, x) else _normalize
            return normalized(layer, x, self._normalization_frozen)

        return phased


def _reached(epoch, first):
    return first is not None and epoch >= first


def _normalize(layer, x, frozen):
    """Batch normalization in training whose statistics are the batch's, or the moving ones if `frozen`."""
    wide = tf.cast(x, tf.float32)
    axes = [axis for axis in range(wide.shape.rank) if axis != layer.axis % wide.shape.rank]
    moving = tf.convert_to_tensor(layer.moving_mean), tf.convert_to_tensor(layer.moving_variance)
    used = tf.cond(frozen, lambda: moving, lambda: tuple(keras.ops.moments(wide, axes)))
    for variable, old, new in zip((layer.moving_mean, layer.moving_variance), moving, used, strict=True):
        followed = old * layer.momentum + new * (1 - layer.momentum)
        # Assigned in either case: an assignment inside a branch is refused by distribution strategies.
        variable.assign(tf.where(frozen, old, followed))
    result = keras.ops.batch_normalization(
        wide,
        mean=used[0],
        variance=used[1],
        axis=layer.axis,
        offset=tf.convert_to_tensor(layer.beta) if layer.center else None,
        scale=tf.convert_to_tensor(layer.gamma) if layer.scale else None,
        epsilon=layer.epsilon,
    )
    return tf.cast(result, x.dtype)
