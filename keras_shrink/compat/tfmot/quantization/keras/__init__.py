"""Quantization-aware training as `tfmot.quantization.keras`, done by `keras_shrink.quantize`."""

from keras_shrink.compat.tfmot.quantization.keras import (
    collab_opts,
    default_8bit,
    experimental,
    quantizers,
)
from keras_shrink.compat.tfmot.quantization.keras.annotation import (
    QuantizeAnnotate,
    quantize_annotate_layer,
    quantize_annotate_model,
    quantize_scope,
)
from keras_shrink.compat.tfmot.quantization.keras.applying import quantize_apply, quantize_model
from keras_shrink.compat.tfmot.quantization.keras.configs import QuantizeConfig
from keras_shrink.compat.tfmot.quantization.keras.schemes import QuantizeScheme
from keras_shrink.weights import Transformed as QuantizeWrapper
from keras_shrink.weights import Transformed as QuantizeWrapperV2

__all__ = [
    "QuantizeAnnotate",
    "QuantizeConfig",
    "QuantizeScheme",
    "QuantizeWrapper",
    "QuantizeWrapperV2",
    "collab_opts",
    "default_8bit",
    "experimental",
    "quantize_annotate_layer",
    "quantize_annotate_model",
    "quantize_apply",
    "quantize_model",
    "quantize_scope",
    "quantizers",
]

_INSTEAD = {
    "QuantizeRegistry": "say what is known of a layer with keras_shrink.quantization.rules.role.register",
    "QuantizeLayoutTransform": "keras_shrink.quantize finds by itself where TFLite's operators end",
    "graph_transformations": "keras_shrink.quantize finds by itself where TFLite's operators end",
    "fix_input_output_range": "set a range with keras_shrink.quantization's ActivationQuantizer.set_range",
    "remove_input_range": "tflite_export.convert(model) gives files with int8 inputs",
}


def __getattr__(name):
    if name in _INSTEAD:
        raise AttributeError(f"{name} has no counterpart: {_INSTEAD[name]}.")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
