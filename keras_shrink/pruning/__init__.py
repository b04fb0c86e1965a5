"""Pruning: which weights become zero, when, and how they stay zero."""

from keras_shrink.pruning.choices import Surgery
from keras_shrink.pruning.gradual import GradualPruning
from keras_shrink.pruning.masks import Global
from keras_shrink.pruning.oneshot import keep_zeros, prune
from keras_shrink.pruning.patterns import Block, Element, NofM
from keras_shrink.pruning.penalties import L1, GroupLasso, penalize
from keras_shrink.pruning.pruner import Pruner
from keras_shrink.pruning.report import KernelSparsity, SparsityReport, sparsity_report
from keras_shrink.pruning.scores import Movement, Taylor, magnitude, random
from keras_shrink.pruning.tickets import Snapshot, rewind

__all__ = [
    "L1",
    "Block",
    "Element",
    "Global",
    "GradualPruning",
    "GroupLasso",
    "KernelSparsity",
    "Movement",
    "NofM",
    "Pruner",
    "Snapshot",
    "SparsityReport",
    "Surgery",
    "Taylor",
    "keep_zeros",
    "magnitude",
    "penalize",
    "prune",
    "random",
    "rewind",
    "sparsity_report",
]
