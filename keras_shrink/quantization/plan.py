"""Decides, over the whole graph, where values are rounded: the places where TFLite's operators end."""

from __future__ import annotations

from dataclasses import dataclass

from keras_shrink.flow import Call, Flow, trace
from keras_shrink.quantization.rules import FUSED, Role, role


@dataclass(frozen=True)
class Treatment:
    """What happens to one layer.

    Attributes:
        role: What is known of its class.
        rounds_output: Whether its output is rounded to integers.
    """

    role: Role
    rounds_output: bool


@dataclass(frozen=True)
class Plan:
    """The treatment of every layer.

    Attributes:
        treatments: `id(layer)` -> its treatment.
        refused: Name of a layer -> why it stays float, in the order of the model.
    """

    treatments: dict[int, Treatment]
    refused: dict[str, str]


def make_plan(model) -> Plan:
    """Returns the `Plan` for a built Functional or Sequential model."""
    flow = trace(model)
    roles: dict[int, Role] = {}
    rounds: dict[int, bool] = {}
    refused: dict[str, str] = {}
    for call in flow.calls:
        key = id(call.layer)
        known = roles[key] if key in roles else role(call.layer)
        known = known if known.reason else _in_context(flow, call, known)
        if known.reason:
            refused.setdefault(call.layer.name, known.reason)
        roles[key] = known
        # A layer used twice is rounded at both places if it has to be at one.
        rounds[key] = rounds.get(key, False) or _ends_an_operator(flow, call, known)
    return Plan({key: Treatment(roles[key], rounds[key]) for key in roles}, refused)


def _in_context(flow: Flow, call: Call, known: Role) -> Role:
    """Returns the role of a layer after a look at its neighbours."""
    if known.is_normalization:
        before = _maker(flow, call)
        if before is None or not role(before.layer).is_linear or _reader(flow, before.outputs[0]) is not call:
            return Role(
                reason="it is not directly behind a convolution or Dense layer without activation, "
                "into which it could be folded"
            )
    if known.activation == "relu6" and known.is_activation:
        before = _maker(flow, call)
        if (
            before is None
            or not role(before.layer).takes_activation
            or _reader(flow, before.outputs[0]) is not call
        ):
            return Role(
                reason="this ReLU6 is an operator of its own, which TFLite Micro computes wrongly when "
                "scales differ; put it directly behind a convolution, Dense, BatchNormalization or Add"
            )
    return known


def _ends_an_operator(flow: Flow, call: Call, known: Role) -> bool:
    if known.reason:
        return True
    if known.same_range:
        return False
    if known.takes_activation:
        reader = _reader(flow, call.outputs[0])
        if reader is not None:
            next_role = role(reader.layer)
            if next_role.is_normalization and known.is_linear:
                return False
            if next_role.is_activation and next_role.activation in FUSED:
                return False
    return True


def _reader(flow: Flow, key: int) -> Call | None:
    """Returns the only reader of a tensor, looking through layers that do nothing in inference."""
    reader = flow.sole_reader(key)
    while reader is not None and role(reader.layer).is_identity:
        reader = flow.sole_reader(reader.outputs[0])
    return reader


def _maker(flow: Flow, call: Call) -> Call | None:
    """Returns the maker of a call's input, looking through layers that do nothing in inference."""
    maker = flow.makers.get(call.inputs[0])
    while maker is not None and role(maker.layer).is_identity:
        maker = flow.makers.get(maker.inputs[0])
    return maker
