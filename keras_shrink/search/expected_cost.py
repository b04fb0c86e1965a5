"""What candidates cost, as a differentiable function of the probabilities of their choices."""

from __future__ import annotations

import numpy as np
from keras import ops

from keras_shrink.search.choices import Drawn
from keras_shrink.search.costs import cost_of
from keras_shrink.search.limits import COST_OF_LIMIT

_SAMPLES = 400
_RIDGE = 1.0


def excess(space, limits, generator):
    """Returns a function from probabilities to the sum over limits of `log(cost / limit)` where above 0.

    The logarithm of each cost that has a limit is fitted by least squares to the choices of random sketches:
    a coefficient for each option, counted as far as it is likely that the choice is asked for at all. None
    where there are no limits.

    Args:
        space: Of sketches.
        limits: What a candidate may cost.
        generator: For the sketches.

    Returns:
        A function of name of a choice -> probabilities of its options.
    """
    bounds = {name: bound for name in COST_OF_LIMIT if (bound := getattr(limits, name)) is not None}
    if not bounds:
        return None
    drawn, costs = [], []
    for _ in range(_SAMPLES):
        choices = Drawn(generator)
        costs.append(cost_of(space(choices).graph()))
        drawn.append(choices)
    options = {name: each for choices in drawn for name, each in choices.options.items()}
    always = [name for name in options if all(name in choices.values for choices in drawn)]
    asked = {name: np.array([[float(name in choices.values)] for choices in drawn]) for name in options}
    chosen = {
        name: np.array([[float(choices.values.get(name) == option) for option in each] for choices in drawn])
        for name, each in options.items()
    }
    presence = _fitted(_with_ones([chosen[name] for name in always]), np.hstack(list(asked.values())))
    centered = [chosen[name] - asked[name] / len(each) for name, each in options.items()]
    logarithms = np.log(
        [[getattr(cost, COST_OF_LIMIT[name]) / bounds[name] for name in bounds] for cost in costs]
    )
    coefficients = _fitted(_with_ones(centered), logarithms)

    def expected(chances):
        known = ops.concatenate([*(chances[name] for name in always), ops.ones((1,))])
        likely = ops.clip(ops.tensordot(known, presence, axes=1), 0.0, 1.0)
        features = [
            likely[i] * (chances[name] - 1 / len(each)) for i, (name, each) in enumerate(options.items())
        ]
        ratios = ops.tensordot(ops.concatenate([*features, ops.ones((1,))]), coefficients, axes=1)
        return ops.sum(ops.relu(ratios))

    return expected


def _with_ones(columns):
    return np.hstack([*columns, np.ones((_SAMPLES, 1))])


def _fitted(features, targets):
    moments = features.T @ features + _RIDGE * np.eye(features.shape[1])
    return np.linalg.solve(moments, features.T @ targets).astype("float32")
