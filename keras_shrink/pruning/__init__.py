"""Pruning: which weights become zero, when, and how they stay zero."""

from keras_shrink.pruning.gradual import GradualPruning
from keras_shrink.pruning.masks import Global
from keras_shrink.pruning.patterns import Block, Element, NofM
from keras_shrink.pruning.pruner import Pruner
from keras_shrink.pruning.scores import Movement, Taylor, magnitude, random

__all__ = [
    "Block",
    "Element",
    "Global",
    "GradualPruning",
    "Movement",
    "NofM",
    "Pruner",
    "Taylor",
    "magnitude",
    "random",
]
