"""`factorize`: layers as products of smaller ones, and the plan behind it."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import keras

from keras_shrink import select
from keras_shrink.factorization import allotment
from keras_shrink.factorization import layers as kinds
from keras_shrink.factorization.forms import FORMS, Layout, Option
from keras_shrink.flow import trace
from keras_shrink.rebuild import check_rebuildable, rebuild


def factorize(model, *, layers=select.has_kernel, **goal):
    """Returns a smaller copy of `model` whose layers are products of thin ones, nearest to the old.

    Dense layers and pointwise convolutions become two (singular value decomposition), an Embedding a
    narrow one and a Dense; a larger convolution becomes `rank` filters and their mixtures (`"basis"`), a
    k x 1 and a 1 x k convolution (`"spatial"`), or Tucker-2's pointwise, small and pointwise convolution
    (`"tucker"`), whichever loses least at that cost. All are plain Keras layers; the last of them keeps the
    name, the bias and the activation. Layers where it does not pay stay. Fine-tune the result: with all
    but few of the energy kept, little is needed.

    Args:
        model: A built Functional or Sequential model. It is not touched.
        layers: Which layers: a predicate, a layer or a list of layers (see `select`). Defaults to all
            with a kernel.
        **goal: Exactly one of `parameters`, `macs`, `energy` and `ranks`, and the options of
            `factorization.plan`.

    Raises:
        ValueError: If the model is subclassed or not built, the goal is out of range, or the budget
            cannot be met.

    Example:
    >>> import numpy as np, keras_shrink as ks
    >>> model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(64, name="fc")])
    >>> small = factorize(model, parameters=0.5)
    >>> [layer.name for layer in small.layers], small.count_params() <= model.count_params() / 2
    (['fc_basis', 'fc'], True)

    Reference:
        Jaderberg et al., 2014 (spatial), arXiv:1405.3866; Zhang et al., 2015 (channel), arXiv:1505.06798;
        Kim et al., 2015 (Tucker-2), arXiv:1511.06530.
    """
    return plan(model, layers=layers, **goal).apply()


@dataclasses.dataclass(frozen=True, eq=False)
class LayerPlan:
    """What happens to one layer.

    Attributes:
        layer: The layer of the model given.
        now: What it costs as it is, as an `Option` without form.
        chosen: The `Option` it takes; `now` if it stays.
        reason: Why it stays, or "".
    """

    layer: Any
    now: Option
    chosen: Option
    reason: str = ""

    def __str__(self):
        if self.reason:
            return f"{self.layer.name}: stays, {self.reason}"
        ranks = " x ".join(map(str, self.chosen.ranks))
        return (
            f"{self.layer.name}: {self.chosen.form}, rank {ranks}, parameters {self.now.parameters:,} -> "
            f"{self.chosen.parameters:,}, MACs {self.now.macs:,} -> {self.chosen.macs:,}, "
            f"error {self.chosen.error:.2%}"
        )


@dataclasses.dataclass(frozen=True, eq=False)
class Plan:
    """What `factorize` does to a model; `print` it, then `apply` it.

    Attributes:
        model: The model it is for.
        layers: One `LayerPlan` for each layer with a kernel that was chosen.
    """

    model: Any
    layers: tuple[LayerPlan, ...]

    def apply(self):
        """Returns the factored copy of the model."""
        options = {id(p.layer): p.chosen for p in self.layers if p.chosen.form}
        made = {}

        def exchange(copy, original):
            if id(original) not in options:
                return copy
            made[id(original)] = kinds.parts(original, options[id(original)])
            return list(made[id(original)])

        new = rebuild(self.model, exchange)
        for planned in self.layers:
            if id(planned.layer) in made:
                kinds.start(made[id(planned.layer)], planned.layer, planned.chosen)
        return new

    def __str__(self):
        return "\n".join(map(str, self.layers))


def plan(
    model,
    *,
    layers=select.has_kernel,
    parameters=None,
    macs=None,
    energy=None,
    ranks=None,
    scope="model",
    forms=tuple(FORMS),
    multiple=1,
):
    """Returns what `factorize` would do, with the error of each layer and the reasons of those that stay.

    The error of a layer is the Frobenius norm of what its kernel loses over that of the kernel.

    Args:
        model: A built Functional or Sequential model.
        layers: Which layers; defaults to all with a kernel.
        parameters: Goal: the share of the model's parameters to keep, in (0, 1).
        macs: Goal: the share of the multiplications to keep, in (0, 1); those with kernels count. Needs
            fixed input sizes.
        energy: Goal: the share of the sum of squares that each kernel keeps, in (0, 1]; each layer takes
            the form with fewest parameters.
        ranks: Goal: mapping from names of layers to ranks; a pair of ranks means Tucker-2.
        scope: For a share of parameters or multiplications: `"model"` for one budget over the whole
            model, which layers share so that the product of the energy they keep is largest, or `"layer"`
            for the same share of each layer.
        forms: Which of `"basis"`, `"spatial"` and `"tucker"` to try for convolutions.
        multiple: Ranks are multiples of this; 4 or 8 suits the kernels of microcontrollers.

    Raises:
        ValueError: If not exactly one goal is given, one is out of range, or a budget cannot be met.

    Example:
    >>> model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(3, name="few")])
    >>> print(plan(model, energy=0.9))
    few: stays, factors that do this cost as many parameters or more
    """
    check_rebuildable(model)
    goal = _the_goal(parameters=parameters, macs=macs, energy=energy, ranks=ranks)
    _check(goal, scope, forms, multiple)
    cost = "macs" if goal[0] == "macs" else "parameters"
    found = _found(model, layers)
    plans = {}
    frontiers = {}
    for layer, shapes in found:
        reason = kinds.obstacle(layer) or ("" if shapes else "another layer calls it, not the model")
        if reason:
            now = Option("", (), _size_of(layer), 0, 0.0)
            plans[id(layer)] = LayerPlan(layer, now, now, reason)
            continue
        layout = kinds.layout_of(layer, shapes)
        now = Option("", (), layout.kernel.size, layout.macs, 0.0)
        tried = [FORMS[name] for name in forms if FORMS[name].fits(layout)]
        if goal[0] == "ranks":
            plans[id(layer)] = _with_ranks(layer, layout, now, tried, ranks)
            continue
        options = [option for form in tried for option in form.options(layout, multiple)]
        frontiers[id(layer)] = allotment.frontier([now, *options], cost)
        plans[id(layer)] = LayerPlan(layer, now, now)
    _choose(model, plans, frontiers, goal, scope, cost)
    if goal[0] == "ranks" and (unknown := set(ranks) - {layer.name for layer, _ in found}):
        raise ValueError(f"No chosen layer has the name {sorted(unknown)}. Received: ranks={ranks}.")
    return Plan(model, tuple(plans[id(layer)] for layer, _ in found))


def _the_goal(**goals):
    given = [(name, value) for name, value in goals.items() if value is not None]
    if len(given) != 1:
        raise ValueError(
            f"Pass exactly one goal of {list(goals)}. Received: {dict(given) or 'none'}. For example "
            "parameters=0.5."
        )
    name, value = given[0]
    if name != "ranks" and not (0 < value < 1 or (name == "energy" and value == 1)):
        raise ValueError(f"{name} must be a share in (0, 1). Received: {name}={value}.")
    return given[0]


def _check(goal, scope, forms, multiple):
    if scope not in ("model", "layer"):
        raise ValueError(f'scope must be "model" or "layer". Received: scope={scope!r}.')
    if not forms or not set(forms) <= set(FORMS):
        raise ValueError(f"forms must be among {list(FORMS)}. Received: forms={forms!r}.")
    if not isinstance(multiple, int) or multiple < 1:
        raise ValueError(f"multiple must be an integer from 1. Received: multiple={multiple!r}.")


def _found(model, chosen):
    """Returns `(layer, input shapes of all its calls)` for the layers chosen."""
    shapes: dict[int, list] = {}
    for call in trace(model).calls:
        shapes.setdefault(id(call.layer), []).append(call.shapes[0])
    kernels = select.find_kernels(model, chosen)
    owners = {id(kernel.layer): kernel.layer for kernel in kernels}
    if not owners:
        raise ValueError(f"No layer with a kernel was chosen. Received: layers={chosen!r}.")
    return [(layer, shapes.get(key, [])) for key, layer in owners.items()]


def _size_of(layer):
    return sum(math.prod(variable.shape) for variable in select.kernels(layer))


def _with_ranks(layer, layout: Layout, now, tried, ranks):
    """Returns the plan of a layer whose ranks the caller chose, whether it pays or not."""
    if layer.name not in ranks:
        return LayerPlan(layer, now, now, "no rank was given for it")
    wanted = ranks[layer.name]
    wanted = (wanted,) if isinstance(wanted, int) else tuple(wanted)
    for form in tried:
        for option in form.options(layout, 1):
            if option.ranks == wanted:
                return LayerPlan(layer, now, option)
    largest = {form.name: form.options(layout, 1)[-1].ranks for form in tried}
    raise ValueError(f"Layer {layer.name!r} can have ranks from 1 to {largest}. Received: {wanted} in ranks.")


def _choose(model, plans, frontiers, goal, scope, cost):
    """Lets the layers with a frontier take the option that serves the goal."""
    name, value = goal
    if name == "ranks":
        return
    if name != "energy" and scope == "model":
        chosen = _within_budget(model, plans, frontiers, value, cost)
    elif name == "energy":
        chosen = {key: allotment.by_energy(options, value) for key, options in frontiers.items()}
    else:
        limits = {key: value * getattr(plans[key].now, cost) for key in frontiers}
        chosen = {key: allotment.by_limit(options, limits[key], cost) for key, options in frontiers.items()}
    for key, option in chosen.items():
        if option is None:
            reason = f"even rank 1 has more than {value:g} of its {cost}"
        elif option.form:
            reason = ""
        elif name == "energy" or len(frontiers[key]) == 1:
            reason = f"factors that do this cost as many {cost} or more"
        else:
            reason = "the budget is met without it, at less loss"
        plans[key] = dataclasses.replace(plans[key], chosen=option or plans[key].now, reason=reason)


def _within_budget(model, plans, frontiers, share, cost):
    total = model.count_params() if cost == "parameters" else _macs_of(model)
    changing = sum(getattr(plans[key].now, cost) for key in frontiers)
    budget = share * total - (total - changing)
    chosen = allotment.by_budget(list(frontiers.values()), budget, cost)
    if chosen is None:
        least = total - changing + sum(getattr(options[-1], cost) for options in frontiers.values())
        raise ValueError(
            f"The budget cannot be met: with rank 1 everywhere {least / total:.3f} of the {cost} are left. "
            f"Received: {cost}={share}. Choose more layers, or a larger share."
        )
    return dict(zip(frontiers, chosen, strict=True))


def _macs_of(model):
    """Returns the multiplications with kernels in one inference of a model."""
    total = 0
    for call in trace(model).calls:
        kernels = select.kernels(call.layer) if isinstance(call.layer, keras.layers.Layer) else []
        if not kernels or isinstance(call.layer, keras.layers.Embedding):
            continue
        shape = call.shapes[0]
        if hasattr(call.layer, "kernel_size"):
            transposed = "Transpose" in type(call.layer).__name__
            shape = shape if transposed else call.layer.compute_output_shape(shape)
            positions = shape[2:] if call.layer.data_format == "channels_first" else shape[1:-1]
        else:
            positions = shape[1:-1]
        if None in positions:
            raise ValueError(
                f"Multiplications cannot be counted: the input of {call.layer.name!r} has no fixed size. "
                f"Received: shape {shape}. Give the model's Input fixed sizes, or pass parameters=."
            )
        total += math.prod(positions) * sum(math.prod(kernel.shape) for kernel in kernels)
    return total
