"""`keras-shrink verify`: prints how far TFLM, LiteRT and the Keras model are apart."""

import numpy as np
import rich.box
from rich.console import Console
from rich.table import Table

from keras_shrink.arrays import load_array


def verify_file(tflite_path, samples, model_path, tolerance, limit) -> bool:
    """Prints the comparison and returns whether TFLM runs the file and agrees with the Keras model."""
    from keras_shrink.loading import load_uncompiled
    from tflite_export.errors import ModelError
    from tflite_export.read import read
    from tflite_export.verify import verify

    if tolerance < 0:
        raise ValueError(f"tolerance must not be negative. Received: tolerance={tolerance}.")
    console = Console()
    graph = read(tflite_path)
    data = _random_samples(graph, limit) if samples is None else load_array(samples, limit=limit)
    with console.status("Running ..."):
        model = None if model_path is None else load_uncompiled(model_path)
        try:
            result = verify(graph, data, model)
        except ModelError as error:
            console.print(f"[red]failed[/red]: {error}")
            return False
    kind = "random" if samples is None else "given"
    console.print(difference_table(result, title=f"{result.samples} {kind} samples"))
    if result.without_c:
        console.print(f"The standalone C was not compared: {result.without_c}", markup=False, highlight=False)
    if any(difference.differing for difference in result.compiled_c or ()):
        console.print("[red]failed[/red]: the standalone C differs from TFLM")
        return False
    if not result.within(tolerance):
        console.print(
            f"[red]failed[/red]: TFLM differs from the Keras model by more than {tolerance} steps on average"
        )
        return False
    console.print("[green]ok[/green]")
    return True


def difference_table(result, *, title):
    """Returns the `Verification` as a table to print."""
    table = Table(title=title, title_justify="left", box=rich.box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("TFLM against", no_wrap=True)
    table.add_column("output", no_wrap=True)
    for heading in ("values", "differ", "max steps", "mean steps", "same class"):
        table.add_column(heading, justify="right", no_wrap=True)
    rows = [(f"{result.interpreter} *", d) for d in result.litert]
    rows += [("standalone C", d) for d in result.compiled_c or ()]
    rows += [("Keras model", d) for d in result.keras or ()]
    for against, d in rows:
        share = "" if d.same_class is None else f"{d.same_class:.2%}"
        table.add_row(
            against,
            d.output,
            f"{d.elements:,}",
            f"{d.differing:,}",
            f"{d.max_steps:.6g}",
            f"{d.mean_steps:.3g}",
            share,
        )
    table.caption = f"* {result.interpreter}'s fast kernels round differently by design: no failure"
    table.caption_justify = "left"
    return table


def _random_samples(graph, count):
    """Returns integers all over the range of each input, the same at every call."""
    generator = np.random.default_rng(0)
    arrays = []
    for tensor in graph.inputs:
        shape = (count, *tensor.shape[1:])
        if tensor.dtype.startswith("float"):
            arrays.append(generator.uniform(-1, 1, shape).astype(tensor.dtype))
        else:
            limits = np.iinfo(tensor.dtype)
            arrays.append(generator.integers(limits.min, limits.max, shape, tensor.dtype, endpoint=True))
    return arrays if len(arrays) > 1 else arrays[0]
