"""`keras-shrink search`: data and limits in, a Pareto front and the best `.tflite` out."""

import importlib.util
from pathlib import Path

import numpy as np
from rich.console import Console

from keras_shrink.checks import check_file

_SPLIT = 5  # every fifth sample is held out where the file has no validation data


def search_files(space, data, folder, limits, strategy, trials, epochs, storage, seed):
    """Searches, writes the best model and the plot, prints the front."""
    from keras_shrink.search import Trainer
    from keras_shrink.search.limits import Limits
    from keras_shrink.search.run import search_architecture

    console = Console()
    train, validation = load_split(data)
    found = search_architecture(
        load_space(space, train),
        train,
        validation,
        folder=folder,
        limits=Limits(**limits),
        strategy=strategy,
        trials=trials,
        trainer=Trainer(epochs=epochs),
        storage=storage,
        seed=seed,
    )
    console.print(str(found), highlight=False, markup=False, soft_wrap=True)
    paths = [found.export(train[0][:512]).save(Path(folder) / "best.tflite")]
    model_path = Path(folder) / "best.keras"
    found.model().save(model_path)
    for path in [*paths, model_path]:
        console.print(f"wrote {path} ({path.stat().st_size:,} bytes)", highlight=False)


def load_split(path):
    """Returns `(inputs, labels)` to train on and to validate on from a `.npz` file.

    It has `x_train` and `y_train` (or `x` and `y`), and `x_val` and `y_val` or else every fifth sample is
    held out.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If arrays are missing.
    """
    with np.load(check_file(path), allow_pickle=False) as stored:
        names = set(stored.files)
        known = next((pair for pair in (("x_train", "y_train"), ("x", "y")) if set(pair) <= names), None)
        if known is None:
            raise ValueError(f"{path} must hold x_train and y_train, or x and y. Received: {sorted(names)}.")
        x, y = (stored[name] for name in known)
        if {"x_val", "y_val"} <= names:
            return (x.astype("float32"), y), (stored["x_val"].astype("float32"), stored["y_val"])
    held_out = np.arange(len(x)) % _SPLIT == 0
    x = x.astype("float32")
    return (x[~held_out], y[~held_out]), (x[held_out], y[held_out])


def load_space(name, train):
    """Returns the space meant by the name of a ready-made one or by `FILE.py:FUNCTION`.

    Raises:
        ValueError: If it is neither.
    """
    from keras_shrink.search import spaces

    inputs, labels = train
    if name in spaces.__all__:
        return getattr(spaces, name)(inputs.shape[1:], int(labels.max()) + 1)
    path, _, function = name.rpartition(":")
    if not path.endswith(".py") or not Path(path).is_file():
        raise ValueError(
            f"The space must be one of {', '.join(spaces.__all__)}, or FILE.py:FUNCTION with a function "
            f"choices -> Sketch or Keras model. Received: {name!r}."
        )
    spec = importlib.util.spec_from_file_location("user_space", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not hasattr(module, function):
        raise ValueError(f"{path} has no function {function!r}. Received: {name!r}.")
    return getattr(module, function)
