"""`keras-shrink shrink`: a trained model, data and a budget in, the firmware out."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from rich.console import Console

from keras_shrink.search_command import load_split

_RECORD = "steps"


def shrink_file(model, data, output, limits, recipe, training, seed, minutes) -> str:
    """Shrinks the model in a file, writes what was reached, and returns why the budget is not met, or "".

    Args:
        model: Path of a `.keras` or `.h5` file.
        data: Path of a `.npz`, as for `keras-shrink search`.
        output: Folder to write into; the record is in its folder `steps`.
        limits: Arguments of `Budget`.
        recipe: Path of a TOML file or None.
        training: Fields of `Training` that the command line sets; None for those that it does not.
        seed: Of everything random.
        minutes: No further epoch begins after so many.
    """
    from keras_shrink.loading import load_uncompiled
    from keras_shrink.shrinking.budget import Budget
    from keras_shrink.shrinking.recipe import Recipe, read_recipe
    from keras_shrink.shrinking.run import shrink
    from keras_shrink.shrinking.training import changed

    console = Console()
    budget = Budget(**{name: value for name, value in limits.items() if value is not None})
    plan = Recipe() if recipe is None else read_recipe(recipe)
    plan = dataclasses.replace(plan, training=changed(plan.training, **training))
    train, validation = load_split(data)
    result = shrink(
        load_uncompiled(model),
        train,
        validation,
        budget,
        folder=Path(output) / _RECORD,
        recipe=plan,
        seed=seed,
        minutes=minutes,
    )
    console.print(str(result), highlight=False, markup=False, soft_wrap=True)
    for path in result.save(output):
        console.print(f"wrote {path} ({path.stat().st_size:,} bytes)", highlight=False, soft_wrap=True)
    return result.reason
