"""Distillation: what a student learns from a teacher."""

from keras_shrink.distillation.distiller import Distiller
from keras_shrink.distillation.features import AttentionTransfer, FeatureMatching, SimilarityPreserving
from keras_shrink.distillation.objective import Objective
from keras_shrink.distillation.outputs import OutputMatching, SoftTargets

__all__ = [
    "AttentionTransfer",
    "Distiller",
    "FeatureMatching",
    "Objective",
    "OutputMatching",
    "SimilarityPreserving",
    "SoftTargets",
]
