"""`prune_channels`: filters, units and heads are cut out, and a smaller plain model comes back."""

from __future__ import annotations

import dataclasses

import numpy as np

from keras_shrink import rebuild, select
from keras_shrink.channels import arena, scores
from keras_shrink.channels.budget import all_cuts, choose
from keras_shrink.channels.cost import Costs
from keras_shrink.channels.groups import Groups
from keras_shrink.channels.plan import ChannelPlan
from keras_shrink.channels.rule import connect
from keras_shrink.checks import check_count

SCOPES = ("global", "layer")
_EVERYTHING = select.Predicate(lambda layer: True, description="every layer")


def prune_channels(
    model,
    amount=None,
    *,
    macs=None,
    parameters=None,
    arena_bytes=None,
    layers=_EVERYTHING,
    score=scores.l2,
    scope="global",
    multiple=4,
):
    """Returns a copy of a model with the least important filters, units and heads cut out.

    Unlike `prune`, which sets weights to zero, this gives a smaller dense network, faster on every device.
    Channels that belong together go together: those that meet in a residual addition, a depthwise
    convolution and its input, a gate and what it scales. Cutting channels that are zero changes no output.
    Inputs and outputs of the model keep their shapes. What the network cannot do without, and what is not
    known, is left alone: `channels.plan` takes the same arguments and says what and why.

    Train the result before you judge it. Half of the work is best cut in two or three rounds of cutting and
    training: call it again on what it returned.

    Args:
        model: A built Functional or Sequential model. It is not touched.
        amount: Fraction of the channels that goes, in (0, 1). Exactly one of `amount`, `macs`, `parameters`
            and `arena_bytes` must be given.
        macs: Multiply-accumulates that may be left: a fraction of what there are, such as 0.5, or an integer.
        parameters: Parameters that may be left, likewise.
        arena_bytes: Bytes of arena that TensorFlow Lite Micro may need for the int8 model, likewise; measured
            on conversions with random data, which takes seconds.
        layers: Predicate, function `layer -> bool`, layer, or list of layers whose channels may be
            cut; all by default.
        score: `channels.l1`, `channels.l2`, `channels.gamma`, `channels.Taylor(x, y)`, or any function of a
            list of `channels.Part` that returns a number for each group; the lowest go first.
        scope: `"global"` compares the groups of all layers; `"layer"` takes an equal fraction of each.
        multiple: What is left of a layer is a multiple of it, where anything is cut: kernels are fastest
            with 4 or 8.

    Returns:
        A plain Keras model with the layer names of `model`, compiled as it is, with a fresh optimizer.

    Raises:
        ValueError: If not exactly one budget is given, one is out of range or out of reach, or the model
            is subclassed or has no shapes yet.

    Example:
    >>> import keras
    >>> model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(16), keras.layers.Dense(2)])
    >>> [layer.units for layer in prune_channels(model, 0.5).layers]
    [8, 2]

    Reference:
        Li et al., 2016, arXiv:1608.08710; Fang et al., 2023, arXiv:2301.12900.
    """
    return plan(
        model,
        amount,
        macs=macs,
        parameters=parameters,
        arena_bytes=arena_bytes,
        layers=layers,
        score=score,
        scope=scope,
        multiple=multiple,
    ).apply()


def plan(
    model,
    amount=None,
    *,
    macs=None,
    parameters=None,
    arena_bytes=None,
    layers=_EVERYTHING,
    score=scores.l2,
    scope="global",
    multiple=4,
):
    """Returns what `prune_channels` would do with the same arguments, as a `ChannelPlan`.

    Print it to see what goes, what stays and why, and what the model costs before and after; nothing is built
    before `apply()` is called.

    Example:
    >>> import keras
    >>> model = keras.Sequential(
    ...     [keras.Input((8,)), keras.layers.Dense(16, name="a"), keras.layers.Dense(2, name="b")]
    ... )
    >>> print(plan(model, macs=0.5))
    layer  channels  before  after  why the rest stays
    a      units         16      8
    b      units          2      2  output of the model
    MACs: 160 -> 80 (50.0%)
    parameters: 178 -> 90 (50.6%)
    """
    kind, limit = _checked_budget(
        {"amount": amount, "macs": macs, "parameters": parameters, "arena_bytes": arena_bytes}
    )
    _check_choices(score, scope, multiple)
    rebuild.check_rebuildable(model)
    chosen = _chosen(model, select.as_predicate(layers))
    network, flow = connect(model, lambda layer: id(layer) in chosen)
    groups = Groups.of(network, multiple)
    costs = Costs(model, network, flow)
    values = scores.class_scores(model, network, groups, score)
    stay = _left_alone(groups, values, multiple)
    free = groups.free(network)
    cost = {
        "amount": lambda kept: kept(free),
        "macs": costs.macs,
        "parameters": costs.parameters,
        "arena_bytes": costs.activation_bytes,
    }[kind]

    def cost_without(classes):
        alive = np.ones(groups.count, bool)
        alive[classes] = False
        return cost(groups.kept(alive))

    whole = cost_without([])
    comparable = getattr(score, "comparable", False)
    cuts = all_cuts(
        groups, values, scope, (lambda classes: whole - cost_without(classes)) if comparable else None
    )

    def plan_for(allowed):
        alive = choose(groups, cuts, cost, allowed)
        if alive is None:
            return None
        return ChannelPlan.of(costs, groups, alive, stay), cost(groups.kept(alive))

    if kind == "arena_bytes":
        return _plan_arena(model, limit, whole, plan_for)
    found = plan_for(_allowed(kind, limit, whole))
    if found is None:
        least = np.concatenate([[], *(cut.classes for cut in cuts)]).astype(int)
        raise ValueError(
            f"The budget is out of reach: with everything cut that can be, {cost_without(least):,} of "
            f"{whole:,} {'channels' if kind == 'amount' else kind} are left. Received: {kind}={limit!r}. "
            "Allow more, or choose a smaller multiple. What stays, and why:\n"
            f"{ChannelPlan.of(costs, groups, ~np.isin(np.arange(groups.count), least), stay)}"
        )
    return found[0]


def _left_alone(groups, values, multiple):
    """Returns class -> why no channel of it can be cut."""
    stay = {}
    for family in groups.families:
        if np.isnan(values[family.classes]).any():
            stay |= dict.fromkeys(family.classes.tolist(), "the score says nothing of it")
        elif not family.cuts():
            stay |= dict.fromkeys(family.classes.tolist(), f"no more than one multiple of {multiple}")
    return stay


def _plan_arena(model, limit, estimate, plan_for):
    start = arena.measure(model)
    found = arena.within(_allowed("arena_bytes", limit, start), start, estimate, plan_for)
    if found is None:
        raise ValueError(
            f"No plan was found whose arena is that small; the whole model needs {start:,} bytes. "
            f"Received: arena_bytes={limit!r}. Allow more, or let more layers be cut."
        )
    best, measured = found
    return dataclasses.replace(best, arena_bytes=(start, measured))


def _allowed(kind, limit, start):
    if kind == "amount":
        return start * (1 - limit)
    return start * limit if isinstance(limit, float) else limit


def _checked_budget(budget):
    """Returns the name and the value of the only budget given."""
    given = {kind: limit for kind, limit in budget.items() if limit is not None}
    if len(given) != 1:
        received = ", ".join(f"{kind}={limit!r}" for kind, limit in given.items()) or "none"
        raise ValueError(
            "Give exactly one of amount, macs, parameters and arena_bytes. "
            f"Received: {received}. For instance prune_channels(model, macs=0.5)."
        )
    ((kind, limit),) = given.items()
    if isinstance(limit, np.integer | np.floating):
        limit = limit.item()
    is_count = isinstance(limit, int) and not isinstance(limit, bool) and limit >= 1 and kind != "amount"
    if not is_count and not (isinstance(limit, float) and 0.0 < limit < 1.0):
        allowed = (
            "a fraction in (0, 1)" if kind == "amount" else "a fraction in (0, 1) or an integer of at least 1"
        )
        raise ValueError(f"{kind} must be {allowed}. Received: {kind}={limit!r}.")
    return kind, limit


def _check_choices(score, scope, multiple):
    if not callable(score):
        raise ValueError(
            f"score must be a function of a list of Part, such as channels.l1. Received: score={score!r}."
        )
    if scope not in SCOPES:
        raise ValueError(f"scope must be one of {SCOPES}. Received: scope={scope!r}.")
    check_count("multiple", multiple)


def _chosen(model, predicate):
    """Returns the identities of the layers chosen, at whatever depth of nesting they are."""

    def walk(layer, path):
        for inner in layer._flatten_layers(include_self=False, recursive=False):
            yield (*path, inner)
            yield from walk(inner, (*path, inner))

    chosen = {id(path[-1]) for path in walk(model, ()) if predicate.on_path(path)}
    if not chosen:
        raise ValueError(f"layers chooses no layer of the model. Received: layers={predicate!r}.")
    return chosen
