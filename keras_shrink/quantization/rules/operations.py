"""Rules of the layers that stand for bare operations."""

from __future__ import annotations

from keras_shrink.quantization.operation_forms import Applied, Elementwise, RoundedOperation, Sliced
from keras_shrink.quantization.rules.roles import Role, role

_ROUNDED = ("mean", "sum", "matmul", "absolute")


@role.register(Elementwise)
def _(layer):
    return Role(takes_activation=True, form=RoundedOperation)


@role.register(Applied)
def _(layer):
    if layer.kind not in _ROUNDED:
        return Role(same_range=True)
    return Role(form=RoundedOperation, rounds_before_joins=layer.kind == "mean")


@role.register(Sliced)
def _(layer):
    return Role(same_range=True)
