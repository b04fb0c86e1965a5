"""Arrays from files, as the command line names them."""

import numpy as np

from keras_shrink.checks import check_file


def load_array(source: str, *, limit=None) -> np.ndarray:
    """Returns the array in `FILE.npy`, or in `FILE.npz` under the name given as `FILE.npz:NAME`.

    A `.npz` without a name gives its only array, or the one called `x`, `x_train` or `x_test`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is neither, or if it is not clear which array is meant.
    """
    path, _, name = source.partition(":") if ".npz:" in source else (source, "", "")
    if check_file(path).suffix not in (".npy", ".npz"):
        raise ValueError(f"{path!r} is not a .npy or .npz file. Save the inputs with numpy.save first.")
    try:
        stored = np.load(path, allow_pickle=False)
    except (ValueError, OSError) as error:
        raise ValueError(f"{path!r} is not a .npy or .npz file of numbers: {error}") from error
    if isinstance(stored, np.ndarray):
        return stored[:limit]
    with stored:
        names = stored.files
        usual = [known for known in ("x", "x_train", "x_test") if known in names]
        chosen = name or (names[0] if len(names) == 1 else usual[0] if usual else "")
        if chosen not in names:
            raise ValueError(
                f"{path!r} holds the arrays {names}. Received: {name!r}. Say which: {path}:{names[0]}."
            )
        return stored[chosen][:limit]
