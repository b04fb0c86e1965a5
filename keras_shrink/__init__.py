"""Compress a Keras 3 model while it trains.

Importing this package loads neither Keras nor TensorFlow: each public name is imported from its
module when it is first used.
"""

import importlib

_HOMES: dict[str, str] = {
    "Block": "pruning.patterns",
    "Budget": "shrinking.budget",
    "DeviceMetrics": "simulation.device_metrics",
    "Distiller": "distillation.distiller",
    "Element": "pruning.patterns",
    "Float16": "quantization.config",
    "GradualPruning": "pruning.gradual",
    "Int16x8": "quantization.config",
    "Int8": "quantization.config",
    "NofM": "pruning.patterns",
    "Pruner": "pruning.pruner",
    "QuantizationPhases": "quantization.phases",
    "SpaceAround": "trained_space",
    "WeightOnly": "quantization.config",
    "bake": "baking",
    "calibrate": "quantization.quantize",
    "cluster": "clustering.cluster",
    "coding_report": "clustering.coding",
    "correct_bias": "quantization.bias_correction",
    "equalize": "quantization.equalization",
    "factorize": "factorization.factorize",
    "fold_normalization": "quantization.folding",
    "keep_zeros": "pruning.oneshot",
    "learn_ranges": "quantization.learned_ranges",
    "learn_rounding": "quantization.rounding",
    "load_model": "loading",
    "penalize": "pruning.penalties",
    "prune": "pruning.oneshot",
    "prune_channels": "channels.prune",
    "quantize": "quantization.quantize",
    "reestimate_normalization": "quantization.reestimation",
    "report": "reporting.report",
    "rewind": "pruning.tickets",
    "scale": "architecture.scaling",
    "simulate": "simulation.simulate",
    "search_architecture": "search.run",
    "shrink": "shrinking.run",
    "sparsity_report": "pruning.report",
    "to_separable": "architecture.separable",
}  # public name -> module that defines it
_MODULES: tuple[str, ...] = (
    "analysis",
    "channels",
    "clustering",
    "distillation",
    "factorization",
    "pruning",
    "quantization",
    "schedules",
    "search",
    "select",
    "shrinking",
    "zoo",
)  # public modules

__all__ = [*_HOMES, *_MODULES]


def __getattr__(name):
    if name in _HOMES:
        return getattr(importlib.import_module(f"keras_shrink.{_HOMES[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"keras_shrink.{name}")
    raise AttributeError(f"module 'keras_shrink' has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *__all__])
