"""Decides, over the whole graph, where values are rounded: the places where TFLite's operators end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any

from keras_shrink.flow import Call, Flow, trace
from keras_shrink.quantization.depthwise_forms import ReLU6AsDepthwise
from keras_shrink.quantization.rules import role
from keras_shrink.quantization.rules.normalization import STANDALONE_NORMALIZATION
from keras_shrink.quantization.rules.roles import COMPOSED, FUSED, Role


@dataclass(frozen=True)
class Treatment:
    """What happens to one layer.

    Attributes:
        role: What is known of it at its place in the graph.
        rounds_output: Whether its output is rounded to integers.
        again: Positions of inputs that a join of ranges rounds again, each with how many operators before
            it do that to the same tensor.
        is_normalized: Whether a BatchNormalization behind it is folded into it.
        entered: Positions of inputs that come as integers into a layer that was left out.
    """

    role: Role
    rounds_output: bool
    again: tuple[tuple[int, int], ...] = field(default=())
    is_normalized: bool = False
    entered: tuple[int, ...] = field(default=())


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


LEFT_OUT = Role(reason="it was left out")


@dataclass(frozen=True)
class _Known(Flow):
    """The calls of a model and what is known of their layers.

    Attributes:
        left_out: `id(layer)` of the layers that stay float because the user wants it.
        refuse: Function `(layer, role)` to why the width of activations has no form of it, or `""`.
        never_alone: Activations that need an operator before them, besides those that say so themselves.
    """

    left_out: frozenset[int] = frozenset()
    refuse: Callable[[Any, Role], str] = field(default=lambda layer, known: "")
    never_alone: tuple[str, ...] = ()

    def role(self, layer) -> Role:
        """What is known of a layer by itself."""
        if id(layer) in self.left_out:
            return LEFT_OUT
        known = role(layer)
        reason = known.reason or self.refuse(layer, known)
        return Role(reason=reason) if reason else known


def make_plan(model, left_out=frozenset(), **settings) -> Plan:
    """Returns the `Plan` for a built Functional or Sequential model.

    Args:
        model: The model.
        left_out: `id(layer)` of the layers that are to stay float.
        **settings: `refuse` and `never_alone` for activations of another width.
    """
    traced = trace(model)
    parts = {part.name: getattr(traced, part.name) for part in fields(traced)}
    flow = _Known(**parts, left_out=left_out, **settings)
    roles: dict[int, Role] = {}
    rounds: dict[int, bool] = {}
    again: dict[int, dict[int, int]] = {}
    copies: dict[int, int] = {}
    refused: dict[str, str] = {}
    normalized: set[int] = set()
    entered: dict[int, tuple[int, ...]] = {}
    for call in flow.calls:
        key = id(call.layer)
        known = roles[key] if key in roles else flow.role(call.layer)
        known = known if known.reason else _in_context(flow, call, known)
        if known.reason and known is not LEFT_OUT:
            refused.setdefault(call.layer.name, known.reason)
        roles[key] = known
        # A layer used twice is rounded at both places if it has to be at one.
        rounds[key] = rounds.get(key, False) or _ends_an_operator(flow, call, known)
        if known.joins_ranges:
            again.setdefault(key, {}).update(_rounded_before(flow, call, copies))
        if known.is_normalization and (folding := _maker(flow, call.inputs[0])) is not None:
            normalized.add(id(folding.layer))
        if known is LEFT_OUT:
            entered[key] = tuple(sorted({*entered.get(key, ()), *_integers_before(flow, call, rounds)}))
    unrounded = frozenset(i for i, key in enumerate(flow.inputs) if _joins_further_on(flow, key))
    treatments = {
        key: Treatment(
            roles[key],
            rounds[key],
            tuple(sorted(again.get(key, {}).items())),
            key in normalized,
            entered.get(key, ()),
        )
        for key in roles
    }
    return Plan(treatments, unrounded, refused)


def _in_context(flow: _Known, call: Call, known: Role) -> Role:
    """Returns the role of a layer after a look at its neighbours."""
    if known.is_normalization and not _is_taken_in(flow, call, "is_linear"):
        return STANDALONE_NORMALIZATION
    alone = ReLU6AsDepthwise if known.activation in flow.never_alone else known.form_alone
    if known.is_activation and alone is not None and not _is_taken_in(flow, call, "takes_activation"):
        return replace(known, form=alone)
    if known.activation in FUSED and known.is_activation:
        before = _maker(flow, call.inputs[0], through_same_range=True)
        has_own_scale = before is not None and flow.role(before.layer).has_own_scale
        if has_own_scale or _has_twins(flow, call, known):
            # The converter would let the operator before it take it in, and drop that one's scale.
            return replace(known, form=ReLU6AsDepthwise)
    return known


def _has_twins(flow: _Known, call: Call, known: Role) -> bool:
    """Whether all readers of what an operator makes are the same activation, which a file has but once."""
    before, readers = _maker(flow, call.inputs[0]), flow.readers[call.inputs[0]]
    if before is None or len(readers) == 1 or not flow.role(before.layer).takes_activation:
        return False
    others = (flow.role(reader.layer) for reader in readers)
    return all(other.is_activation and other.activation == known.activation for other in others)


def _is_taken_in(flow: _Known, call: Call, ability: str) -> bool:
    """Whether the only way from the operator before leads here, and it has the ability."""
    before = _maker(flow, call.inputs[0])
    if before is None or _reader(flow, before.outputs[0]) is not call:
        return False
    known = flow.role(before.layer)
    return bool(getattr(known, ability)) and not known.reason


def _rounded_before(flow: _Known, call: Call, copies: dict[int, int]) -> dict[int, int]:
    """Returns the positions of the inputs of a join of ranges that have a scale of their own by then.

    Each has the number of operators before it that bring the same tensor to another scale, which `copies`
    counts for each tensor; an activation that reads it may be one.
    """
    result: dict[int, int] = {}
    numbers: dict[int, int] = {}
    for position, key in enumerate(call.inputs):
        if not _joins_further_on(flow, key):
            maker = _maker(flow, key)
            tensor = key if maker is None else maker.outputs[0]
            readers = flow.readers.get(tensor, [])
            first = int(any(flow.role(reader.layer).is_activation for reader in readers))
            result[position] = numbers[tensor] = numbers.get(tensor, copies.get(tensor, first))
    copies |= {tensor: number + 1 for tensor, number in numbers.items()}
    return result


def _integers_before(flow: _Known, call: Call, rounds) -> tuple[int, ...]:
    """Positions of the inputs that come as integers."""
    makers = [flow.makers.get(key) for key in call.inputs]
    return tuple(
        i
        for i, maker in enumerate(makers)
        if maker is None or flow.role(maker.layer) is not LEFT_OUT or rounds[id(maker.layer)]
    )


def _joins_further_on(flow: _Known, key: int) -> bool:
    """Whether a tensor without a prescribed scale only leads, its range unchanged, into a join of ranges."""
    maker = _maker(flow, key, through_same_range=True)
    if maker is not None and _has_a_scale_of_its_own(flow.role(maker.layer)):
        return False
    reader = flow.sole_reader(key)
    while reader is not None and flow.role(reader.layer).same_range:
        reader = flow.sole_reader(reader.outputs[0])
    return reader is not None and flow.role(reader.layer).joins_ranges


def _has_a_scale_of_its_own(known: Role) -> bool:
    is_told = known.has_own_scale or known.joins_ranges or known.rounds_before_joins
    if is_told or known.prescribed_range is not None:
        return True
    # Rounded in front of its activation or within it, a layer is rounded behind it too.
    is_split = known.splits_activation or known.activation not in FUSED
    return known.activation in ("elu", *COMPOSED) or (
        is_split and known.activation != "linear" and not known.is_activation
    )


def _ends_an_operator(flow: _Known, call: Call, known: Role) -> bool:
    if known is LEFT_OUT and call.outputs[0] not in flow.outputs:
        readers = flow.readers.get(call.outputs[0], [])
        return not readers or any(flow.role(reader.layer) is not LEFT_OUT for reader in readers)
    if known.reason:
        return True
    if known.same_range or known.has_own_scale or _joins_further_on(flow, call.outputs[0]):
        return False
    reader = _reader(flow, call.outputs[0])
    if reader is None:
        return True
    following = flow.role(reader.layer)
    if following.is_normalization:
        return not known.is_linear
    return not (known.takes_activation and following.is_activation and following.activation in FUSED)


def _reader(flow: _Known, key: int) -> Call | None:
    """Returns the only reader of a tensor, looking through layers that do nothing in inference."""
    reader = flow.sole_reader(key)
    while reader is not None and flow.role(reader.layer).is_identity:
        reader = flow.sole_reader(reader.outputs[0])
    return reader


def _maker(flow: _Known, key: int, *, through_same_range=False) -> Call | None:
    """Returns the maker of a tensor, looking through layers that leave it as it is."""
    maker = flow.makers.get(key)
    while maker is not None and _is_passed(flow.role(maker.layer), through_same_range):
        maker = flow.makers.get(maker.inputs[0])
    return maker


def _is_passed(known: Role, through_same_range) -> bool:
    return known.is_identity or (through_same_range and known.same_range)
