"""`shrink`: a budget in, a small model out."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import keras

from keras_shrink import scoring
from keras_shrink.rebuild import check_rebuildable
from keras_shrink.shrinking import measuring
from keras_shrink.shrinking.budget import Budget
from keras_shrink.shrinking.recipe import Recipe, read_recipe
from keras_shrink.shrinking.result import ShrinkResult
from keras_shrink.shrinking.work import Work


def shrink(
    model,
    train,
    validation,
    budget,
    *,
    folder=None,
    recipe=None,
    metric="accuracy",
    seed=0,
    minutes=None,
) -> ShrinkResult:
    """Returns a model that fits a budget, made from a trained one, with all that was tried on the way.

    The original is quantized to int8 and weighed. While a limit is broken, the technique that pays the
    least accuracy for what it saves, judged before training, is tried next: running in strips, 4-bit weights,
    channel removal, factorization, and for the download also pruning and clustering. After each step the
    integer model recovers by training with the original as its teacher. A step that costs more accuracy than
    the budget allows is taken back and tried with half the amount; a technique that fails three times is
    given up. All accuracies are those of the file on the validation data in the device's arithmetic, all
    sizes those of `Budget.runtime`.

    Everything is in `folder` at every moment: called again with the same arguments it goes on where it was,
    also after a kill in the middle of training. Ctrl-C ends it with the best so far.

    Args:
        model: A trained, built Functional or Sequential model. It is not touched.
        train: A pair `(inputs, labels)` of arrays.
        validation: A pair that steps are judged on; keep a third one back for the final figure.
        budget: A `Budget`.
        folder: Where the record and the models are kept; a temporary one by default.
        recipe: A `Recipe`, or the path of one in TOML: how to train, and the steps if they are not to be
            chosen.
        metric: `"accuracy"`, or a function `(labels, outputs) -> float`, higher for better.
        seed: Everything random follows from it.
        minutes: No further epoch begins after so many; call again to go on. Defaults to no end.

    Raises:
        ValueError: If an argument is not allowed, a layer has no integer form, or the budget can never be
            met: all reasons are named before work starts.
        EmulationError: If a tool that measures is missing.

    Example:
    >>> import numpy as np, keras_shrink as ks
    >>> x = np.random.default_rng(0).normal(size=(256, 16)).astype("float32")
    >>> y = (x[:, 0] > 0).astype("int32")
    >>> model = keras.Sequential(
    ...     [keras.Input((16,)), keras.layers.Dense(64, "relu"), keras.layers.Dense(2, "softmax")]
    ... )
    >>> model.compile("adam", "sparse_categorical_crossentropy")
    >>> _ = model.fit(x, y, epochs=5, verbose=0)
    >>> budget = ks.Budget(flash="2500", runtime="tflm", max_accuracy_drop=0.05)
    >>> result = ks.shrink(model, (x, y), (x, y), budget)
    >>> result.steps[-1].flash_bytes <= 2500
    True
    """
    check_rebuildable(model)
    if not isinstance(budget, Budget):
        raise ValueError(f"budget must be Budget(...). Received: budget={budget!r}.")
    if recipe is None:
        recipe = Recipe()
    elif not isinstance(recipe, Recipe):
        recipe = read_recipe(recipe)
    scoring.as_metric(metric)
    train, validation = scoring.as_pair(train), scoring.as_pair(validation)
    measuring.check_tools(budget)
    keras.utils.set_random_seed(seed)
    work = Work(model, train, validation, budget, recipe, metric, seed, Path(folder or tempfile.mkdtemp()))
    if minutes is not None:
        work.deadline = time.monotonic() + 60 * minutes
    work.begin()
    try:
        work.go_on()
    except KeyboardInterrupt as stop:
        return work.result(str(stop) or "interrupted")
    return work.result()
