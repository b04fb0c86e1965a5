"""What a record belongs to: everything that decides how the work goes."""

from __future__ import annotations

import dataclasses
import hashlib

import keras
import numpy as np


def identity(model, train, validation, budget, recipe, metric, seed):
    """Returns plain values that differ where the work would go another way."""
    return {
        "model": _digest([model.to_json(), *model.get_weights()]),
        "train": _digest([*keras.tree.flatten(train[0]), train[1]]),
        "validation": _digest([*keras.tree.flatten(validation[0]), validation[1]]),
        "budget": repr(dataclasses.asdict(budget)),
        "recipe": _named_recipe(recipe),
        "metric": metric if isinstance(metric, str) else getattr(metric, "__name__", "function"),
        "seed": seed,
    }


def _named_recipe(recipe):
    training = dataclasses.asdict(recipe.training)
    for name in ("loss", "augment"):
        value = training[name]
        if value is not None and not isinstance(value, str):
            training[name] = getattr(value, "__name__", type(value).__name__)
    return repr((recipe.steps, training))


def _digest(parts):
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode() if isinstance(part, str) else np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()[:16]
