"""Decides, over the whole graph, where values are rounded: the places where TFLite's operators end."""

from __future__ import annotations

from dataclasses import dataclass, field

from keras_shrink.flow import Call, Flow, trace
from keras_shrink.quantization.rules import role
from keras_shrink.quantization.rules.activations import STANDALONE_RELU6
from keras_shrink.quantization.rules.normalization import STANDALONE_NORMALIZATION
from keras_shrink.quantization.rules.roles import FIXED_RANGES, FUSED, Role


@dataclass(frozen=True)
class Treatment:
    """What happens to one layer.

    Attributes:
        role: What is known of it at its place in the graph.
        rounds_output: Whether its output is rounded to integers.
        again: Positions of inputs that a join of ranges rounds again.
    """

    role: Role
    rounds_output: bool
    again: tuple[int, ...] = field(default=())


@dataclass(frozen=True)
class Plan:
    """The treatment of every layer.

    Attributes:
        treatments: `id(layer)` -> its treatment.
        unrounded_inputs: Positions of model inputs that are rounded further on.
        refused: Name of a layer -> why it stays float, in the order of the model.
    """

    treatments: dict[int, Treatment]
    unrounded_inputs: frozenset[int]
    refused: dict[str, str]


def make_plan(model) -> Plan:
    """Returns the `Plan` for a built Functional or Sequential model."""
    flow = trace(model)
    roles: dict[int, Role] = {}
    rounds: dict[int, bool] = {}
    again: dict[int, tuple[int, ...]] = {}
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
        if known.joins_ranges:
            again[key] = tuple(sorted({*again.get(key, ()), *_rounded_before(flow, call)}))
    unrounded = frozenset(i for i, key in enumerate(flow.inputs) if _joins_further_on(flow, key))
    treatments = {key: Treatment(roles[key], rounds[key], again.get(key, ())) for key in roles}
    return Plan(treatments, unrounded, refused)


def _in_context(flow: Flow, call: Call, known: Role) -> Role:
    """Returns the role of a layer after a look at its neighbours."""
    if known.is_normalization and not _is_taken_in(flow, call, "is_linear"):
        return STANDALONE_NORMALIZATION
    if (
        known.activation == "relu6"
        and known.is_activation
        and not _is_taken_in(flow, call, "takes_activation")
    ):
        return STANDALONE_RELU6
    return known


def _is_taken_in(flow: Flow, call: Call, ability: str) -> bool:
    """Whether the only way from the operator before leads here, and it has the ability."""
    before = _maker(flow, call.inputs[0])
    if before is None or _reader(flow, before.outputs[0]) is not call:
        return False
    known = role(before.layer)
    return bool(getattr(known, ability)) and not known.reason


def _rounded_before(flow: Flow, call: Call) -> tuple[int, ...]:
    """Positions of the inputs of a join of ranges that have a scale of their own by then."""
    return tuple(i for i, key in enumerate(call.inputs) if not _joins_further_on(flow, key))


def _joins_further_on(flow: Flow, key: int) -> bool:
    """Whether a tensor without a prescribed scale only leads, its range unchanged, into a join of ranges."""
    maker = _maker(flow, key, through_same_range=True)
    if maker is not None and (role(maker.layer).activation in FIXED_RANGES or role(maker.layer).joins_ranges):
        return False
    reader = flow.sole_reader(key)
    while reader is not None and role(reader.layer).same_range:
        reader = flow.sole_reader(reader.outputs[0])
    return reader is not None and role(reader.layer).joins_ranges


def _ends_an_operator(flow: Flow, call: Call, known: Role) -> bool:
    if known.reason:
        return True
    if known.same_range or _joins_further_on(flow, call.outputs[0]):
        return False
    reader = _reader(flow, call.outputs[0])
    if reader is None:
        return True
    following = role(reader.layer)
    if following.is_normalization:
        return not known.is_linear
    return not (known.takes_activation and following.is_activation and following.activation in FUSED)


def _reader(flow: Flow, key: int) -> Call | None:
    """Returns the only reader of a tensor, looking through layers that do nothing in inference."""
    reader = flow.sole_reader(key)
    while reader is not None and role(reader.layer).is_identity:
        reader = flow.sole_reader(reader.outputs[0])
    return reader


def _maker(flow: Flow, key: int, *, through_same_range=False) -> Call | None:
    """Returns the maker of a tensor, looking through layers that leave it as it is."""
    maker = flow.makers.get(key)
    while maker is not None and _is_passed(role(maker.layer), through_same_range):
        maker = flow.makers.get(maker.inputs[0])
    return maker


def _is_passed(known: Role, through_same_range) -> bool:
    return known.is_identity or (through_same_range and known.same_range)
