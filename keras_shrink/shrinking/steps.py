"""The techniques, with one interface: what each lowers, how much of it to try next, and how it is applied."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_shrink import channels
from keras_shrink.analysis.kernel_sensitivity import sensitivity
from keras_shrink.factorization.factorize import factorize
from keras_shrink.pruning.oneshot import prune
from keras_shrink.shrinking.budget import Budget
from keras_shrink.shrinking.form import Form, kernel_layers
from keras_shrink.shrinking.measuring import Sizes, arena_of_c

TRIES = 3  # how often a technique steps back before it is given up
_MOST_AT_ONCE = 0.35  # what is cut deeper than this is better cut in rounds, with training in between
_LEAST = 0.02
_MARGIN = 0.01
_SCORED_SAMPLES = 1024
_SHARES = (0.98, 0.75, 0.5)
_CLUSTERS = (16, 32, 64)
_STRIPS = (2, 3, 4, 6, 8)
_GOALS = {"flash": "parameters", "download": "parameters", "instructions": "macs", "ram": "arena_bytes"}


@dataclass(frozen=True, eq=False)
class Task:
    """What the techniques may look at.

    Attributes:
        train: A pair `(inputs, labels)` of arrays.
        budget: What is to be met.
        loss: Of the labels.
        seed: Everything random follows from it.
        metric: `"accuracy"` or a function.
    """

    train: tuple[Any, Any]
    budget: Budget
    loss: Any
    seed: int
    metric: Any

    def samples(self, count):
        """Returns so many training samples, the same ones every time."""
        inputs, labels = self.train
        rows = np.random.default_rng(self.seed).permutation(len(labels))[:count]
        return keras.tree.map_structure(lambda array: array[rows].astype("float32"), inputs), labels[rows]


@dataclass(frozen=True)
class Technique:
    """One way to make a model smaller.

    Attributes:
        name: As in recipes and records.
        lowers: The costs that it can lower, names of limits of a `Budget`.
        amount: Function `(form, sizes, broken, task, attempt) -> mapping` of keyword arguments for `apply`:
            how much to try, less with each attempt; None where there is nothing (more) to try. `broken` has
            need over limit of the limits that are broken.
        apply: Function `(form, task, **amount) -> Form`, not trained yet.
        trains: Whether the model has to recover by training.
    """

    name: str
    lowers: frozenset[str]
    amount: Callable
    apply: Callable
    trains: bool = True


def _excess(cost, sizes: Sizes, need) -> float:
    """Returns the share of the weights (flash, download), activations or work that has to go."""
    over = 1 - 1 / need
    if cost == "flash":  # code stays, and takes its part of the limit
        over *= sizes.flash_bytes / max(sizes.weight_bytes, 1)
    return over


def _share(lowers, sizes, broken, attempt):
    """Returns the cost to lower and the share of it that goes in the next try; None for too little."""
    costs = {cost: need for cost, need in broken.items() if cost in lowers}
    if not costs:
        return None
    worst = max(costs, key=costs.__getitem__)
    share = min(_excess(worst, sizes, costs[worst]) + _MARGIN, _MOST_AT_ONCE) / 2**attempt
    return (worst, round(share, 4)) if share >= _LEAST else None


def _left_by(lowers):
    """Returns the `amount` of a technique with goals: how much of what the worst cost hangs on is left."""

    def amount(form, sizes, broken, task, attempt):
        found = _share(lowers, sizes, broken, attempt)
        return None if found is None else {_GOALS[found[0]]: round(1 - found[1], 4)}

    return amount


def _cut_channels(form: Form, task: Task, *, multiple=4, **goal):
    inputs, labels = task.samples(_SCORED_SAMPLES)
    score = channels.Taylor(inputs, labels, loss=task.loss)
    return dataclasses.replace(
        form, model=channels.prune_channels(form.model, score=score, multiple=multiple, **goal)
    )


def _factor(form: Form, task: Task, *, multiple=4, **goal):
    return dataclasses.replace(form, model=factorize(form.model, multiple=multiple, **goal))


def _narrow_amount(form, sizes, broken, task, attempt):
    return None if form.four_bits or attempt >= len(_SHARES) else {"share": _SHARES[attempt]}


def _narrow(form: Form, task: Task, *, share):
    """Gives 4 bits to a share of all weights; 8 bits stay where each weight is worth most accuracy."""
    layers = kernel_layers(form.model)
    sizes = {layer.name: sum(int(np.prod(w.shape)) for w in layer.weights) for layer in layers}
    spare = (1 - share) * sum(sizes.values())
    wide = set()
    if share < 1:
        data = task.samples(_SCORED_SAMPLES // 2)
        found = sensitivity(form.model, data, "quantize", (4,), metric=task.metric)
        losses = dict.fromkeys(sizes, 0.0)
        for kernel, (score,) in found.scores.items():
            losses[found.layers[kernel]] += found.baseline - score
        for name in sorted(sizes, key=lambda name: -losses[name] / sizes[name]):
            if sizes[name] <= spare:
                wide.add(name)
                spare -= sizes[name]
    return dataclasses.replace(form, four_bits=tuple(name for name in sizes if name not in wide))


def _strip_amount(form, sizes, broken, task, attempt):
    if form.strips > 1 or attempt or task.budget.runtime != "c":
        return None
    arenas = {strips: arena_of_c(sizes.tflite, strips) for strips in _STRIPS}
    limit = task.budget.ram - (sizes.ram_bytes - arena_of_c(sizes.tflite, 1))
    enough = [strips for strips, arena in arenas.items() if arena <= limit]
    return {"strips": enough[0] if enough else min(arenas, key=arenas.__getitem__)}


def _strip(form: Form, task: Task, *, strips):
    return dataclasses.replace(form, strips=strips)


def _zero_amount(form, sizes, broken, task, attempt):
    found = _share(_ZEROS, sizes, broken, attempt)
    if found is None:
        return None
    # Zeros take room in a gzip stream too: about a sixth of that of other weights.
    kernels = [np.asarray(layer.get_weights()[0]) for layer in kernel_layers(form.model)]
    zeros = sum(np.count_nonzero(k == 0) for k in kernels) / max(sum(k.size for k in kernels), 1)
    return {"sparsity": round(min(0.95, zeros + (1 - zeros) * min(1.2 * found[1], 0.9)), 4)}


def _set_zeros(form: Form, task: Task, *, sparsity):
    return dataclasses.replace(form, model=prune(form.model, sparsity, scope="global"))


def _cluster_amount(form, sizes, broken, task, attempt):
    return (
        None if form.clusters is not None or attempt >= len(_CLUSTERS) else {"clusters": _CLUSTERS[attempt]}
    )


def _share_values(form: Form, task: Task, *, clusters):
    return dataclasses.replace(form, clusters=clusters)


def _train_amount(form, sizes, broken, task, attempt):
    return None if attempt else {}


def _train(form: Form, task: Task):
    return form


_CHANNELS = frozenset({"flash", "ram", "instructions", "download"})
_FACTORS = frozenset({"flash", "instructions", "download"})
_NARROW = frozenset({"flash", "download"})
_ZEROS = frozenset({"download"})

TECHNIQUES: Mapping[str, Technique] = {
    technique.name: technique
    for technique in (
        Technique("strips", frozenset({"ram"}), _strip_amount, _strip, trains=False),
        Technique("int4", _NARROW, _narrow_amount, _narrow),
        Technique("prune_channels", _CHANNELS, _left_by(_CHANNELS), _cut_channels),
        Technique("factorize", _FACTORS, _left_by(_FACTORS), _factor),
        Technique("prune", _ZEROS, _zero_amount, _set_zeros),
        Technique("cluster", _ZEROS, _cluster_amount, _share_values),
        Technique("train", frozenset(), _train_amount, _train),
    )
}


def as_text(amount: Mapping[str, Any] | None) -> str | None:
    """Returns how an amount is written in records.

    Example:
    >>> as_text({"parameters": 0.7})
    'parameters=0.7'
    """
    if not amount:
        return None
    return ", ".join(f"{name}={value}" for name, value in amount.items())
