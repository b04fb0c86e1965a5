"""Quantizers with tfmot's names: what a `QuantizeConfig` asks for a weight or an activation.

Weights are always symmetric with a scale per channel, activations always affine with one scale: that is what
TFLite's int8 kernels compute with, so `per_axis`, `symmetric` and `narrow_range` change nothing.
"""

import abc

import keras


class Quantizer(abc.ABC):
    """A way to quantize tensors. A subclass of one's own may quantize weights.

    `build(tensor_shape, name, layer)` returns a dict of variables made with `layer.add_weight`;
    `__call__(inputs, training, weights)` returns the quantized tensor, which is then rounded to int8.

    Example:
    >>> class Halved(Quantizer):
    ...     def build(self, tensor_shape, name, layer):
    ...         return {}
    ...
    ...     def __call__(self, inputs, training, weights, **kwargs):
    ...         return inputs / 2
    ...
    ...     def get_config(self):
    ...         return {}
    >>> Halved()(1.0, False, {})
    0.5
    """

    @abc.abstractmethod
    def build(self, tensor_shape, name, layer):
        """Returns a dict of the variables that quantization needs."""

    @abc.abstractmethod
    def __call__(self, inputs, training, weights, **kwargs):
        """Returns the quantized tensor."""

    @abc.abstractmethod
    def get_config(self):
        """Returns the settings."""

    @classmethod
    def from_config(cls, config):
        """Returns the quantizer of a config."""
        return cls(**config)


class Described(Quantizer):
    """A quantizer that is a description; the native layers do what it says."""

    def build(self, tensor_shape, name, layer):
        """There is nothing to create: the native layers hold the range."""
        return {}

    def __call__(self, inputs, training, weights, **kwargs):
        """Refuses: this one is a description."""
        raise TypeError(
            f"{type(self).__name__} describes what quantize_apply is to do and computes nothing itself. "
            "To quantize a tensor use keras.quantizers.fake_quant_with_min_max_vars."
        )

    def get_config(self):
        """Returns the settings."""
        return dict(vars(self))

    def __eq__(self, other):
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self):
        return hash((type(self), *vars(self).items()))


class _Observing(Described):
    def __init__(self, num_bits, per_axis, symmetric, narrow_range):
        self.num_bits, self.per_axis = num_bits, per_axis
        self.symmetric, self.narrow_range = symmetric, narrow_range


@keras.saving.register_keras_serializable("keras_shrink")
class LastValueQuantizer(_Observing):
    """The range of the last batch; of a weight, its own range.

    Example:
    >>> LastValueQuantizer(num_bits=4, per_axis=False, symmetric=True, narrow_range=True).num_bits
    4
    """


@keras.saving.register_keras_serializable("keras_shrink")
class MovingAverageQuantizer(_Observing):
    """A moving average of the batches' ranges, which is the default for activations.

    Example:
    >>> MovingAverageQuantizer(num_bits=8, per_axis=False, symmetric=False, narrow_range=False).num_bits
    8
    """


@keras.saving.register_keras_serializable("keras_shrink")
class AllValuesQuantizer(_Observing):
    """The range of all batches. In training a moving average takes its place; `calibrate` has it.

    Example:
    >>> AllValuesQuantizer(num_bits=8, per_axis=False, symmetric=False, narrow_range=False).num_bits
    8
    """


@keras.saving.register_keras_serializable("keras_shrink")
class FixedQuantizer(Described):
    """A range that is given.

    Example:
    >>> FixedQuantizer(num_bits=8, init_min=0.0, init_max=6.0, narrow_range=False).init_max
    6.0
    """

    def __init__(self, num_bits, init_min, init_max, narrow_range):
        self.num_bits, self.narrow_range = num_bits, narrow_range
        self.init_min, self.init_max = init_min, init_max


@keras.saving.register_keras_serializable("keras_shrink")
class CustomWeights(keras.layers.Layer):
    """Weight transform that runs a `Quantizer` of one's own.

    Args:
        quantizer: The quantizer.
    """

    def __init__(self, quantizer, **kwargs):
        super().__init__(**kwargs)
        self.quantizer = quantizer
        self.state = {}

    def build(self, shape):
        """Makes the variables that the quantizer asks for."""
        self.state = self.quantizer.build(shape, "weight", self) or {}
        self.built = True

    def add_weight(self, name=None, shape=None, **kwargs):
        """Takes the name first, as quantizers were written to give it."""
        return super().add_weight(name=name, shape=() if shape is None else shape, **kwargs)

    def call(self, weight, training=None):
        """Returns what the quantizer makes of the weight."""
        return self.quantizer(weight, bool(training), weights=self.state)

    def get_config(self):
        """The quantizer."""
        return {**super().get_config(), "quantizer": keras.saving.serialize_keras_object(self.quantizer)}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Restores the quantizer."""
        config = dict(config)
        serialized = config.pop("quantizer")
        return cls(keras.saving.deserialize_keras_object(serialized, custom_objects=custom_objects), **config)
