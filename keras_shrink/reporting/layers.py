"""Each layer of the final model: zeros, bits, and the error that its rounding makes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keras_shrink import select
from keras_shrink.analysis.layer_errors import LayerError, quantization_error
from keras_shrink.weights import Transformed
from tflite_export import cost
from tflite_export.tensor_data import bits_of


@dataclass(frozen=True)
class LayerFacts:
    """A layer of the final model, or an operator of the file.

    Attributes:
        name: Name of the layer; for an operator its position.
        kind: Class of the layer; for an operator its code.
        weights: How many numbers its kernels hold.
        zeros: How many of them are zero on the device.
        bits: Width of each as stored; 0 without kernels.
        error: What its rounding does, None where nothing of it rounds or no Keras model was given.
    """

    name: str
    kind: str
    weights: int
    zeros: int
    bits: int
    error: LayerError | None = None

    @property
    def sparsity(self) -> float:
        """Fraction of zeros."""
        return self.zeros / self.weights if self.weights else 0.0


def layers_of_model(quantized, inputs) -> tuple[tuple[LayerFacts, ...], float]:
    """Returns the layers of a quantized Keras model in their order, and the SQNR of its outputs in dB.

    Args:
        quantized: A model with ranges, as from `quantize` or `calibrate`.
        inputs: Inputs to measure the error with, as for `analysis.quantization_error`.
    """
    report = quantization_error(quantized, inputs)
    errors = {layer.name: layer for layer in report.layers}
    rows = []
    for layer in _outermost(quantized):
        inner = layer.layer if isinstance(layer, Transformed) else layer
        found = [_stored(layer, kernel.variable) for kernel in select.find_kernels(inner)]
        error = errors.get(layer.name)
        if found or error is not None:
            rows.append(
                LayerFacts(
                    name=layer.name,
                    kind=type(inner).__name__,
                    weights=sum(values.size for values, _ in found),
                    zeros=sum(int(np.sum(values == 0)) for values, _ in found),
                    bits=max((bits for _, bits in found), default=0),
                    error=error,
                )
            )
    return tuple(rows), report.sqnr_db


def layers_of_file(graph) -> tuple[LayerFacts, ...]:
    """Returns the operators of a file that have weights, in their order."""
    rows = []
    for op in graph.main.ops:
        kernels = [t for t in cost.weights(graph.main, op) if len(t.shape) > 1 and t.data is not None]
        if kernels:
            rows.append(
                LayerFacts(
                    name=str(op.index),
                    kind=op.custom_code or op.code,
                    weights=sum(cost.parameters(t) for t in kernels),
                    zeros=sum(cost.parameters(t) - cost.nonzeros(t) for t in kernels),
                    bits=max(bits_of(t.dtype) or 0 for t in kernels),
                )
            )
    return tuple(rows)


def _outermost(model):
    """Yields layers, looking into nested models but not into layers that hold layers."""
    for layer in model._flatten_layers(include_self=False, recursive=False):
        if hasattr(layer, "layers") and not isinstance(layer, Transformed):
            yield from _outermost(layer)
        else:
            yield layer


def _stored(layer, variable):
    """Returns the values of a kernel as its layer computes with them, and their width in bits."""
    for name, chain in getattr(layer, "weight_transforms", {}).items():
        if layer.variable(name) is variable:
            bits = [step.num_bits for step in chain if hasattr(step, "num_bits")]
            return np.asarray(layer.transformed(name)), bits[-1] if bits else 32
    return np.asarray(variable), 32
