"""What can never fit, found before any work starts."""

from __future__ import annotations

import dataclasses

from keras_shrink.shrinking.budget import COSTS
from keras_shrink.shrinking.form import Form, kernel_layers
from keras_shrink.shrinking.measuring import hindrances, measure
from keras_shrink.shrinking.steps import TECHNIQUES, Task
from tflite_export.errors import ConversionError

_SHARES = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.85)


def check(form: Form, sizes, task: Task, *, chooses=True) -> None:
    """Raises one error with everything that stands between a model and its budget for good.

    Args:
        form: The model as it was given.
        sizes: What it needs as int8.
        task: The budget and the data.
        chooses: Whether all techniques are there to bring it down; with a recipe nobody can know.

    Raises:
        ValueError: If the runtime cannot run the model, or if even with every technique at its end a limit
            is broken.
    """
    problems = hindrances(sizes.tflite, task.budget)
    if not problems and chooses:
        problems = list(_out_of_reach(form, sizes, task))
    if problems:
        listed = "\n".join(f"- {problem}" for problem in problems)
        raise ValueError(f"The model can never meet the budget:\n{listed}")


def _out_of_reach(form, sizes, task):
    broken = task.budget.broken(sizes)
    if not broken:
        return
    cut = _strongest(form, task, "prune_channels", "parameters")
    small = dataclasses.replace(
        _strongest(cut, task, "factorize", "parameters"),
        four_bits=tuple(layer.name for layer in kernel_layers(cut.model)),
    )
    for limits, candidate in ((("ram",), cut), (("flash", "instructions"), small)):
        asked = [name for name in limits if name in broken]
        if not asked:
            continue
        least, strips = _sizes(candidate, task)
        if least is None:
            continue
        for name in asked:
            needed, limit = getattr(least, COSTS[name]), task.budget.limits[name]
            if needed > limit:
                yield (
                    f"{name}: with every channel cut that can be"
                    + (", the smallest factors and 4-bit weights" if name == "flash" else "")
                    + (f", in {strips} strips" if name == "ram" and strips > 1 else "")
                    + f" {needed:,} are needed. Received: {name}={limit:,}. The model as it is needs "
                    f"{getattr(sizes, COSTS[name]):,}. Allow more, or start from a smaller model."
                )


def _strongest(form, task, name, goal):
    for share in _SHARES:
        try:
            return TECHNIQUES[name].apply(form, task, **{goal: share})
        except ValueError:  # so little cannot be left
            continue
    return form


def _sizes(form, task):
    """Returns what a form needs at least, and in how many strips; None where it is refused."""
    try:
        integer = form.calibrated(task.samples(8)[0])
        sizes = measure(integer, task.budget)
        if task.budget.runtime != "c" or task.budget.ram is None:
            return sizes, 1
        strips = TECHNIQUES["strips"].amount(form, sizes, {}, task, 0)["strips"]
        other = measure(integer, task.budget, strips)
        return (other, strips) if other.ram_bytes < sizes.ram_bytes else (sizes, 1)
    except (ValueError, ConversionError):
        return None, 1
