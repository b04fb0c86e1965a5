"""Layers annotated for quantization, before it is applied."""

import keras

from keras_shrink import select
from keras_shrink.compat.tfmot.quantization.keras.configs import QuantizeConfig
from keras_shrink.compat.tfmot.wrappers import Marker, inner_classes, takes_several
from keras_shrink.rebuild import check_rebuildable, rebuild


@keras.saving.register_keras_serializable("keras_shrink")
class QuantizeAnnotate(Marker):
    """Marks a layer for `quantize_apply`; until then it computes what the layer does and keeps its name.

    Args:
        layer: The layer.
        quantize_config: A `QuantizeConfig`, or None for the scheme's own.
    """

    def __init__(self, layer, quantize_config=None, **kwargs):
        super().__init__(layer, **kwargs)
        self.quantize_config = quantize_config

    def get_config(self):
        """The layer, and how it is quantized."""
        config = keras.saving.serialize_keras_object(self.quantize_config)
        return {**super().get_config(), "quantize_config": config}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Restores both."""
        wanted = keras.saving.deserialize_keras_object(
            config["quantize_config"], custom_objects=custom_objects
        )
        return super().from_config({**config, "quantize_config": wanted}, custom_objects)


def quantize_scope(*args):
    """Returns the scope in which models with classes of one's own are quantized and loaded.

    Args:
        *args: Dicts from a name to a class.

    Example:
    >>> with quantize_scope({"Mine": object}):
    ...     pass
    """
    named = {name: kind for each in args for name, kind in dict(each).items()}
    return keras.saving.custom_object_scope({"QuantizeAnnotate": QuantizeAnnotate, **named})


def quantize_annotate_layer(to_annotate, quantize_config=None):
    """Returns a layer marked for `quantize_apply`.

    Args:
        to_annotate: The layer.
        quantize_config: A `QuantizeConfig`, or None for the scheme's own.

    Raises:
        ValueError: If these are something else.

    Example:
    >>> quantize_annotate_layer(keras.layers.Dense(2, name="fc")).name
    'fc'
    """
    if not isinstance(to_annotate, keras.layers.Layer) or isinstance(to_annotate, keras.Model):
        raise ValueError(
            f"to_annotate must be a layer of Keras 3 that is no model. Received: to_annotate={to_annotate!r}."
        )
    if quantize_config is not None and not isinstance(quantize_config, QuantizeConfig):
        raise ValueError(
            f"quantize_config must be a QuantizeConfig. Received: quantize_config={quantize_config!r}."
        )
    return QuantizeAnnotate(to_annotate, quantize_config)


def quantize_annotate_model(to_annotate):
    """Returns a copy of a model with every layer marked for `quantize_apply`.

    Args:
        to_annotate: A built Functional or Sequential model.

    Raises:
        ValueError: If it is no such model, contains another model or a layer with several inputs in its call.

    Example:
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="fc")])
    >>> type(quantize_annotate_model(model).get_layer("fc")).__name__
    'QuantizeAnnotate'
    """
    check_rebuildable(to_annotate)

    def exchange(copy, original):
        if isinstance(original, QuantizeAnnotate) or not isinstance(original, keras.layers.Layer):
            return copy
        several = takes_several(original)
        if several and select.kernels(original):
            raise ValueError(
                f"A layer with several inputs cannot be annotated. Received: layer {original.name!r}. Use "
                "quantize_model(model), or keras_shrink.quantize(model, overrides=...)."
            )
        return copy if several else QuantizeAnnotate(copy)

    with inner_classes(to_annotate):
        return rebuild(to_annotate, exchange)
