"""Ranges of activations that the optimizer trains: learned step sizes."""

from __future__ import annotations

from keras_shrink.quantization.quantize import is_quantized
from keras_shrink.quantization.ranges import ActivationQuantizer
from keras_shrink.rebuild import rebuild


def learn_ranges(model):
    """Returns a copy of a quantized model whose activation ranges the optimizer trains with the weights.

    Instead of following the batches' extremes, each range follows the gradient of the loss, and so
    finds its own balance of clipping and rounding: worth it for few bits and short trainings. With
    `s = (high - low) / 255`, a value inside the range pulls the step by `round(x / s) - x / s`, and one
    outside pulls the end that clips it; gradients are scaled by `1 / sqrt(values * 255)`. Zero stays
    inside. Weights keep the step that their largest value gives, which is what the exported file can say.

    Args:
        model: A quantized model with known ranges: from `calibrate`, or from `quantize` after `fit`. It
            is not touched. The copy is compiled alike.

    Raises:
        ValueError: If the model is not quantized or its ranges are not known yet.

    Example:
    >>> import keras, numpy as np, keras_shrink as ks
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    >>> qat = learn_ranges(ks.calibrate(model, np.random.rand(64, 4)))
    >>> len(qat.trainable_variables)  # kernel, bias, and two ends of two ranges
    6

    Reference:
        Esser et al., 2020, arXiv:1902.08153; for affine grids Bhalgat et al., 2020, arXiv:2004.09576.
    """
    if not is_quantized(model):
        raise ValueError(
            f"Only a quantized model has ranges. Received: model={model.name!r}, a float one. "
            "Pass what keras_shrink.calibrate(model, data) returns."
        )
    new = rebuild(model)
    quantizers = [
        layer for layer in new._flatten_layers(include_self=False) if isinstance(layer, ActivationQuantizer)
    ]
    if not quantizers:
        raise ValueError(
            f"Activations are floats here and have no ranges to train. Received: model={model.name!r}. "
            "Quantize with Int8() to have them."
        )
    if any(float(quantizer.batches_seen.numpy()) == 0 for quantizer in quantizers):
        raise ValueError(
            f"Ranges must be known before they can be trained. Received: model={model.name!r}, which has "
            "seen no data. Use keras_shrink.calibrate(model, data) first."
        )
    for quantizer in quantizers:
        quantizer.train_range()
    if new.compiled:
        new.compile_from_config(new.get_compile_config())  # the optimizer has more variables now
    return new
