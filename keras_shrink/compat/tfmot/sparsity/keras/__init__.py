"""Pruning as `tfmot.sparsity.keras`, done by `Pruner`."""

from keras_shrink.compat.tfmot.sparsity.keras.callbacks import PruningSummaries, UpdatePruningStep
from keras_shrink.compat.tfmot.sparsity.keras.policies import PruneForLatencyOnXNNPack, PruningPolicy
from keras_shrink.compat.tfmot.sparsity.keras.schedules import (
    ConstantSparsity,
    PolynomialDecay,
    PruningSchedule,
)
from keras_shrink.compat.tfmot.sparsity.keras.wrapping import (
    PrunableLayer,
    PruneLowMagnitude,
    prune_low_magnitude,
    prune_scope,
    strip_pruning,
)

__all__ = [
    "ConstantSparsity",
    "PolynomialDecay",
    "PrunableLayer",
    "PruneForLatencyOnXNNPack",
    "PruneLowMagnitude",
    "PruningPolicy",
    "PruningSchedule",
    "PruningSummaries",
    "UpdatePruningStep",
    "prune_low_magnitude",
    "prune_scope",
    "strip_pruning",
]
