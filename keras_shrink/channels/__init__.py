"""Cutting out channels: filters, units and heads that a network can do without."""

from keras_shrink.channels import attention, joining, linear, passing, recurrent  # noqa: F401 - the rules
from keras_shrink.channels.network import Signal, Step
from keras_shrink.channels.plan import ChannelPlan, LayerCut
from keras_shrink.channels.prune import plan, prune_channels
from keras_shrink.channels.rule import rule
from keras_shrink.channels.scores import Part, Taylor, gamma, l1, l2

__all__ = [
    "ChannelPlan",
    "LayerCut",
    "Part",
    "Signal",
    "Step",
    "Taylor",
    "gamma",
    "l1",
    "l2",
    "plan",
    "prune_channels",
    "rule",
]
